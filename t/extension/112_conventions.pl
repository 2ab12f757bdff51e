# What packagers and PostgreSQL's users expect of the Makefile: one version, upgrade scripts and documents that are installed, builds
# outside of the sources, DESTDIR, prefix and bindir, and a PG_CONFIG that is wrong said in one line.
use strict;
use warnings;

use DqdsTest;
use File::Find;
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir('conventions');

# --- One version ------------------------------------------------------------------------------------------------------------

my ($version) = slurp_file('dqds.control') =~ /^default_version = '(.*)'$/m;
my $meta = JSON::PP->new->decode(slurp_file('META.json'));
is($meta->{version},                 "$version.0",              'META.json has the version of dqds.control');
is($meta->{provides}{dqds}{version}, "$version.0",              'also for what it provides');
is($meta->{provides}{dqds}{file},    "sql/dqds--$version.sql",  'and names its script');
ok(-e $meta->{provides}{dqds}{file}, 'which is there');
is((run_bridge('--version'))[1], "dqds-bridge $version\n", 'the bridge has it');
# Every C function that an install script names is in the library, also those of old versions: what they say, t/bridge/111_upgrade.pl sees.
{
	my ($symbols, $err) = ('', '');
	IPC::Run::run([ 'nm', '-D', '--defined-only', 'dqds.so' ], '>', \$symbols, '2>', \$err) or die "nm: $err";
	my %defined = map { $_ => 1 } $symbols =~ / T pg_finfo_(\w+)$/mg;
	foreach my $script (sort glob 'sql/dqds--*.sql')
	{
		my @named = slurp_file($script) =~ /^AS 'MODULE_PATHNAME', '(\w+)'/mg;
		cmp_ok(scalar @named, '>', 30, "$script names functions in C: " . @named);
		is(join(' ', grep { !$defined{$_} } @named), '', 'all of them are in the library');
	}
}

# --- Builds outside of the sources --------------------------------------------------------------------------------------------

# make_in(DIRECTORY, ARGUMENT…): exit status and all that it says.
sub make_in
{
	my ($dir, @arguments) = @_;
	my $out = '';
	IPC::Run::run([ 'make', '-s', '--no-print-directory', '-C', $dir, @arguments ], '<', '/dev/null', '>&', \$out);
	return ($? >> 8, $out);
}

# files_in(DIRECTORY): the names of its files, sorted.
sub files_in
{
	my ($dir) = @_;
	my @found;
	find(sub { push @found, substr $File::Find::name, 1 + length $dir if !-d $_ }, $dir) if -d $dir;
	return sort @found;
}

# A copy of the sources in which nothing has been built.
mkdir "$tmp/$_" foreach qw(sources build);
system('tar', '-cf', "$tmp/sources.tar", '--exclude=*.o', '--exclude=*.so', '--exclude=./bridge/dqds-bridge', '--exclude=./agent/dqds-agent', '--exclude=./tmp_check', '--exclude=./results', '--exclude=./.git', '.') == 0 or die 'tar';
system('tar', '-xf', "$tmp/sources.tar", '-C', "$tmp/sources") == 0 or die 'tar';
my @sources = files_in("$tmp/sources");
{
	# Fast, for nothing of it is run.
	my ($status, $out) = make_in("$tmp/build", '-j2', '-f', '../sources/Makefile', 'CFLAGS=-O0 -fPIC', 'COPT=-U_FORTIFY_SOURCE');
	is($status, 0, 'make -f DIRECTORY/Makefile') or diag($out);
}
is(join(' ', files_in("$tmp/sources")), join(' ', @sources), 'writes nothing into the directory of the sources');
ok(-x "$tmp/build/dqds.so" && -x "$tmp/build/bridge/dqds-bridge", 'but into the current one');

# --- Installed ------------------------------------------------------------------------------------------------------------------

my ($major) = `$ENV{PG_CONFIG} --version` =~ /(\d+)/;
my $below_prefix = $major >= 18;
my %dir = map { chomp(my $dir = `$ENV{PG_CONFIG} --$_`); $_ => $dir } qw(pkglibdir sharedir docdir);
my @documents = ('README.md', grep { s{^sources/}{} } map { s{^\Q$tmp\E/}{}r } sort glob "$tmp/sources/doc/*.md");
my @expected = sort map { s{^/}{}r } (map { "$dir{pkglibdir}/$_" } 'dqds.so', 'dqds-agent', map { "dqds-agent-$_.so" } qw(duckdb http mysql odbc)), (map { "$dir{sharedir}/extension/$_" } 'dqds.control', map { s{.*/}{}r } glob "$tmp/sources/sql/dqds--*.sql"), map { "$dir{docdir}/extension/dqds/$_" } @documents;
cmp_ok(scalar @documents, '>', 1, 'documents: ' . @documents);
foreach my $case ([ [], 'usr/local/bin' ], [ ['prefix=/opt/dqds'], 'opt/dqds/bin' ], [ ['bindir=/usr/sbin'], 'usr/sbin' ], [ [ 'bridgedir=/srv', 'prefix=/opt' ], 'srv' ])
{
	my ($arguments, $bridge) = @$case;
	my $what = join ' ', 'make install', @$arguments;
	my ($status, $out) = make_in("$tmp/build", '-f', '../sources/Makefile', 'install', "DESTDIR=$tmp/root", @$arguments);
	is($status, 0, $what) or diag($out);
	my @installed = files_in("$tmp/root");
	# From 18 on, PGXS installs below the prefix what otherwise goes into the server's own directories.
	@installed = map { m{([^/]+)$} } @installed if $below_prefix && grep { /^prefix/ } @$arguments;
	my @wanted = (@expected, "$bridge/dqds-bridge");
	@wanted = map { m{([^/]+)$} } @wanted if $below_prefix && grep { /^prefix/ } @$arguments;
	is(join("\n", sort @installed), join("\n", sort @wanted), "$what: these files");
	ok(-x "$tmp/root/$bridge/dqds-bridge", "$what: the bridge is in $bridge");
	make_in("$tmp/build", '-f', '../sources/Makefile', 'uninstall', "DESTDIR=$tmp/root", @$arguments);
	is(join("\n", files_in("$tmp/root")), '', 'make uninstall takes all of them away');
}
ok((grep { /dqds--1\.0--1\.1\.sql$/ } @expected), 'an upgrade script is among them');
make_in("$tmp/build", '-f', '../sources/Makefile', 'clean');
is(join(' ', files_in("$tmp/build")), '', 'make clean leaves no file');

# --- A PG_CONFIG that is wrong -------------------------------------------------------------------------------------------------

sub script
{
	my ($name, $text) = @_;
	open my $file, '>', "$tmp/$name" or die "$tmp/$name: $!";
	print $file "#!/bin/sh\n$text\n";
	close $file;
	chmod 0755, "$tmp/$name";
	return "$tmp/$name";
}
my $other = "exec $ENV{PG_CONFIG} \"\$@\"";
foreach my $case (
	[ 'not there',      '/nowhere/pg_config', qr{^dqds: /nowhere/pg_config is not there or cannot be run; set PG_CONFIG, or install} ],
	[ 'not executable', 'dqds.control',       qr{^dqds: dqds\.control is not there or cannot be run; set PG_CONFIG, or install} ],
	[ 'no build files', script('no_pgxs', "[ \$1 = --pgxs ] && exec echo /nowhere/pgxs.mk; $other"), qr{^dqds: \S+/no_pgxs names /nowhere/pgxs\.mk, which is not there; set PG_CONFIG, or install} ],
	[ 'no headers', script('no_headers', "[ \$1 = --includedir-server ] && exec echo /nowhere; $other"), qr{^dqds: \S+/no_headers names /nowhere, where postgres\.h is not; set PG_CONFIG, or install} ])
{
	my ($what, $pg_config, $expected) = @$case;
	foreach my $target (qw(all install installcheck))
	{
		my ($status, $out) = make_in("$tmp/sources", "PG_CONFIG=$pg_config", $target);
		isnt($status, 0, "$what: make $target fails");
		# The last line is make's own.
		my @lines = split /\n/, $out;
		is(scalar @lines, 2, 'and says one thing') or diag($out);
		like($lines[0], $expected, 'which names it');
	}
}

done_testing();
