# The commands of README and of the pages in doc/ work as they are printed: each code block that is marked sql is run by psql,
# each that is marked sh by a shell, in the order of the page and in the surroundings of `make run`. What is printed below a
# block comes out of it, but for numbers and versions.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Documents;
use DqdsTest::MariaDb;
use PostgreSQL::Test::Utils;
use Test::More;

# --- The surroundings of make run -------------------------------------------------------------------------------

my $source = remote_server('source', role => 'sample_reader');
$source->safe_psql('postgres', 'CREATE DATABASE sample');
$source->command_ok([ 'psql', '-qX', '-d', $source->connstr('sample'), '-f', 'packaging/sample.sql' ], 'the sample source');
my $control = control_server('control');
my $model   = connection_model($source, database => 'sample');
create_connection($control, 'sample_connection', $model);
my $mariadb = DqdsTest::MariaDb->start('sample');
$mariadb->query("CREATE USER sample_reader\@'127.0.0.1' IDENTIFIED BY 'sample'; " . slurp_file('packaging/sample_mariadb.sql'));
create_connection($control, 'sample_mariadb', $mariadb->model(user => 'sample_reader', password => 'sample'));
my $bridge = start_bridge($control, level => 'editor', connections => [ 'sample_connection', 'sample_mariadb' ]);
my $address = '127.0.0.1:' . $bridge->port;

my $dir = PostgreSQL::Test::Utils::tempdir('commands');
mkdir "$dir/.run" or die "$dir/.run: $!";
put('.run/sample_connection.json', $model);
put('.run/password', remote_password($source));
put('.run/psql', "#!/bin/sh\nexec psql -X -h '" . $control->host . "' -p " . $control->port . qq( -d postgres "\$@"\n));
chmod 0755, "$dir/.run/psql";
mkdir "$dir/bridge";
symlink "$ENV{TESTDIR}/$_", "$dir/$_" or die "$_: $!" foreach 'bridge/dqds-bridge', 'dqds.so';

sub put
{
	my ($name, $text) = @_;
	open my $file, '>', "$dir/$name" or die "$dir/$name: $!";
	print $file $text;
	close $file or die "$dir/$name: $!";
	return;
}

# The superuser of make run is postgres; that of the tests is the user who runs them.
$control->safe_psql('postgres', 'CREATE ROLE postgres SUPERUSER LOGIN') if !$control->safe_psql('postgres', q(SELECT to_regrole('postgres')));

# --- Running a page -------------------------------------------------------------------------------------------------

# Each page begins with the roles, tables and connections that make run leaves; but for README, with the connection that README makes.
my %roles = map { $_ => 1 } split /\n/, $control->safe_psql('postgres', 'SELECT rolname FROM pg_roles');

sub start_page
{
	my ($page) = @_;
	$control->safe_psql('postgres', <<'SQL');
SELECT dqds_drop_connection(connection_name) FROM dqds_connections WHERE connection_name NOT IN ('sample_connection', 'sample_mariadb') ORDER BY connection_name;
SELECT dqds_unimport_tables(connection_name, schema_name) FROM (SELECT DISTINCT connection_name, schema_name FROM dqds_imported_tables) s;
SELECT dqds_drop_credential(credential_name) FROM dqds_credentials;
DROP EXTENSION IF EXISTS postgres_fdw CASCADE;
DROP FOREIGN DATA WRAPPER IF EXISTS postgres_fdw CASCADE;
DROP FUNCTION IF EXISTS postgres_fdw_validator(text[], oid);
SQL
	foreach my $role (grep { !$roles{$_} } split /\n/, $control->safe_psql('postgres', 'SELECT rolname FROM pg_roles'))
	{
		$control->safe_psql('postgres', qq(DROP OWNED BY "$role"; DROP ROLE "$role"));
	}
	create_connection($control, 'shop', $model) if $page ne 'README.md';
	return;
}

# run_page(PAGE, BLOCK…): what each block has printed. psql ends at the first error, of its own or of a shell.
sub run_page
{
	my ($page, @blocks) = @_;
	my $script = "\\set ON_ERROR_STOP on\n\\pset pager off\n";
	foreach my $i (0 .. $#blocks)
	{
		my $text = $blocks[$i]{text} =~ s/127\.0\.0\.1:8888/$address/gr;
		# An installation without contrib has a wrapper of the same name in place of the extension.
		create_wrapper($control, 'postgres_fdw') if !has_extension('postgres_fdw') && $text =~ s/^CREATE EXTENSION postgres_fdw;\n//m;
		$script .= "\\echo === block $i\n";
		if ($blocks[$i]{mark} eq 'sql') { $script .= $text; next; }
		put("block$i", $text);
		$script .= "\\! sh -e block$i || echo === failed\n";
	}
	put('script', $script);
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'sh', '-c', "cd '$dir' && .run/psql -f script" ], '>', \$out, '2>', \$err, IPC::Run::timeout(600)) or $err .= "\n(psql ended)";
	my %printed;
	$printed{$1} = $2 while $out =~ /^=== block (\d+)\n(.*?)(?=^=== block|\z)/msg;
	return (\%printed, $err);
}

# --- What is printed --------------------------------------------------------------------------------------------------

# shape(LINE): a line without what differs from one machine or run to the next.
sub shape { my ($line) = @_; return $line =~ s/\d+/0/gr =~ s/\s+/ /gr =~ s/-{2,}/--/gr =~ s/^ | $//gr; }

# missing(SHOWN, PRINTED): what of the lines of a page has not come out. A line with … goes as far as that.
sub missing
{
	my ($shown, $printed) = @_;
	my %there = map { shape($_) => 1 } split /\n/, $printed;
	my $all   = shape($printed =~ s/\n/ /gr);
	my @missing;
	foreach my $line (grep { /\S/ && !/Debian/ } split /\n/, $shown)
	{
		if ($line =~ /^[\[{]/) { push @missing, grep { $printed !~ /"\Q$_\E":/ } ($line =~ s/….*//r) =~ /"(\w+)":/g; }
		elsif ($line =~ /^(.*?)…/) { push @missing, $line if index($all, shape($1)) < 0; }
		elsif (!$there{ shape($line) } && $line !~ /^-[\[\-+]/) { push @missing, $line; }
	}
	return join "\n", @missing;
}

is(missing("a | 1\n{\"b\":1,…", "a  | 22\n{\"b\":2}"), '', 'what is there is found');
isnt(missing("a | x\n", "a | y\n"), '', 'and what is not there is missed');

my $count = 0;
foreach my $page (pages())
{
	my @blocks = grep { $_->{mark} eq 'sql' || $_->{mark} eq 'sh' } code_blocks($page);
	next if !@blocks;
	start_page($page);
	my ($printed, $errors) = run_page($page, @blocks);
	foreach my $i (0 .. $#blocks)
	{
		my $name = "$page, line $blocks[$i]{line}";
		my $is_last = !defined $printed->{ $i + 1 };
		ok(defined $printed->{$i} && $printed->{$i} !~ /^=== failed/m && !($is_last && $i < $#blocks), "$name: runs") or diag($errors, $printed->{$i} // '');
		last if $is_last && $i < $#blocks;
		is(missing($blocks[$i]{after}, $printed->{$i}), '', "$name: prints what is shown") or diag($printed->{$i}) if defined $blocks[$i]{after} && defined $printed->{$i};
		$count++;
	}
	unlike($errors, qr/ERROR|psql ended/, "$page: no errors");
}
cmp_ok($count, '>=', 60, "$count blocks of commands");

is($bridge->stop, 0, 'the bridge ends with status 0');
$control->stop;
$source->stop;
$mariadb->stop;
done_testing();
