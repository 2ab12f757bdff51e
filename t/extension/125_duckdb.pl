# DuckDB as far as it goes without its library: which directories may be read, and what is said of those that may not.
# (t/providers/duckdb.pl has the library.)
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('files');
mkdir "$dir/$_" or die "$_: $!" foreach qw(data data/sales data/locked data2 secret);
open my $file, '>', "$dir/data/sales/a.csv" or die $!;
print $file "id,name\n1,x\n";
close $file;
symlink "$dir/secret", "$dir/data/out" or die $!;
symlink 'sales', "$dir/data/in" or die $!;
symlink '../../secret', "$dir/data/sales/up" or die $!;
chmod 0, "$dir/data/locked" or die $!;

my $control = control_server('control', conf => "dqds.duckdb_directories = '$dir/data/, /nowhere'\ndqds.denied_hosts = '*'");
my $sql     = DqdsTest::Sql->connect($control);

# model(DIRECTORIES, more keys of the section)
sub model { my ($directories, %more) = @_; return to_json({ provider_type => 'duckdb', duckdb => { read_mode => 'files', files_format_type => 'csv', directories => $directories, %more } }); }

sub check
{
	my ($what, $model, $code, $message, $hint) = @_;
	my $row = outcome($sql, $model);
	is($row->{error_code}, $code, "$what: $code") or diag(explain($row));
	like($row->{error_message}, $message, "$what: $row->{error_message}");
	like($row->{hint}, $hint, "$what: the hint") if $hint;
	return;
}

# --- Without the library ----------------------------------------------------------------------------------

check('no library', model({ s => "$dir/data" }), 'unsupported_provider', qr/dqds\.duckdb_library/, qr/setting/);
check('a directory below', model({ s => "$dir/data/sales" }), 'unsupported_provider', qr/dqds\.duckdb_library/);
check('a link that stays inside', model({ s => "$dir/data/in" }), 'unsupported_provider', qr/dqds\.duckdb_library/);
check('slashes', model({ s => "$dir/data//sales/" }), 'unsupported_provider', qr/dqds\.duckdb_library/);

reload_with($control, "dqds.duckdb_library = '$dir/data/sales/a.csv'");
$sql = DqdsTest::Sql->connect($control);
check('a file that is no library', model({ s => "$dir/data" }), 'unsupported_provider', qr/dqds\.duckdb_library.*(?:invalid ELF header|too short)/);

# --- Directories ----------------------------------------------------------------------------------------------

my $denied = qr/may not be read there: directory /;
foreach my $case (
	[ 'outside',                     "$dir/secret" ],
	[ 'the same beginning',          "$dir/data2" ],
	[ 'dots that lead out',          "$dir/data/../secret" ],
	[ 'dots at the end',             "$dir/data/sales/../.." ],
	[ 'a link that leads out',       "$dir/data/out" ],
	[ 'a link below that leads out', "$dir/data/sales/up" ],
	[ 'the root',                    '/' ],
	[ 'a relative path',             'data' ],
	[ 'what is not there, outside',  "$dir/none" ],
	[ 'a URL',                       's3://bucket/data' ])
{
	check($case->[0], model({ s => $case->[1] }), 'target_not_allowed', $denied, qr/dqds\.duckdb_directories/);
}
check('one of several', model({ a => "$dir/data", b => "$dir/secret" }), 'target_not_allowed', $denied);
check('not there', model({ s => "$dir/data/none" }), 'database_not_found', qr/no such directory: directory "\Q$dir\E\/data\/none"/);
check('a file', model({ s => "$dir/data/sales/a.csv" }), 'database_not_found', qr/no such directory/);
check('no rights', model({ s => "$dir/data/locked" }), 'permission_denied', qr/may not read/) if $< != 0;
check('a format', model({ s => "$dir/data" }, files_format_type => 'iceberg'), 'invalid_connection', qr/iceberg cannot be read/);
check('storage in a cloud', model({ s => "$dir/data" }, storage_type => 's3'), 'invalid_connection', qr/storage_type/);

# Nothing is allowed unless a superuser says so, and no one else can.
reload_with($control, "dqds.duckdb_directories = ''");
$sql = DqdsTest::Sql->connect($control);
check('nothing allowed', model({ s => "$dir/data" }), 'target_not_allowed', $denied);
$control->safe_psql('postgres', 'CREATE ROLE someone LOGIN');
grant_role($control, 'someone', level => 'admin');
my $other = DqdsTest::Sql->connect($control, user => 'someone');
foreach my $setting (qw(dqds.duckdb_directories dqds.duckdb_library))
{
	$other->query(q(SELECT * FROM dqds_test_connection('{}'::json)));
	my $answer = $other->query("SET $setting = '/'; SHOW $setting");
	is($answer->{error}{sqlstate}, '42501', "$setting is a superuser's to set") or diag(explain($answer));
}


# A value that was given before the extension was loaded is dropped, and the session connects to nothing.
$other = DqdsTest::Sql->connect($control, user => 'someone');
$other->query("SET dqds.duckdb_directories = '/'");
is(outcome($other, model({ s => "$dir/data" }))->{error_code}, 'target_not_allowed', 'a value that was given before');

chmod 0700, "$dir/data/locked";
done_testing();
