# DuckDB: files of this machine, read by the real library (DUCKDB_HOME, from packaging/test-providers).
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $library = "$ENV{DUCKDB_HOME}/libduckdb.so";
my $dir     = PostgreSQL::Test::Utils::tempdir('files');
mkdir "$dir/$_" or die "$_: $!" foreach qw(data data/csv data/json data/parquet data/csv/parts data/csv/parts/year=2024 data/csv/nothing secret);

sub write_file { my ($name, $text) = @_; open my $file, '>', "$dir/$name" or die "$name: $!"; print $file $text; close $file; return; }

write_file('data/csv/orders.csv', "id,name,price,day\n1,x,1.5,2024-01-02\n2,y,2.5,2024-01-03\n");
write_file('data/csv/it\'s "é" \\.csv', "a;b\n1;2\n");
write_file('data/csv/parts/_SUCCESS.csv', "wrong\n1\n");
write_file('data/csv/parts/year=2024/b.csv', "second\n1\n");
write_file('data/csv/parts/year=2024/a.csv', "first,other\n1,2\n");
write_file('data/csv/notes.txt', "no table\n");
write_file('data/csv/.hidden.csv', "no,table\n");
write_file('data/csv/Big.CSV', "n\n1\n");
write_file('data/json/events.json', qq({"id": 1, "tags": ["a"], "who": {"name": "x"}}\n));
write_file('data/json/broken.json', qq({"id": \n));
write_file('secret/secret.csv', "password\nhunter2\n");
symlink '../../secret/secret.csv', "$dir/data/csv/link.csv" or die $!;
symlink 'orders.csv', "$dir/data/csv/same.csv" or die $!;
system('gzip', '-k', "$dir/data/csv/orders.csv") == 0 or die 'gzip';
POSIX::mkfifo("$dir/data/csv/pipe.csv", 0600) or die $!;

# Parquet is written by the library itself.
write_file('write.c', <<'C');
#include <dlfcn.h>
#include <stdio.h>
#include "duckdb/duckdb_api.h"
int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	DuckDatabase database;
	DuckConnection connection;
	DuckResult result;
	int (*open)(const char *, DuckDatabase *, DuckConfig, char **) = (int (*)(const char *, DuckDatabase *, DuckConfig, char **)) dlsym(library, "duckdb_open_ext");
	int (*connect)(DuckDatabase, DuckConnection *) = (int (*)(DuckDatabase, DuckConnection *)) dlsym(library, "duckdb_connect");
	int (*query)(DuckConnection, const char *, DuckResult *) = (int (*)(DuckConnection, const char *, DuckResult *)) dlsym(library, "duckdb_query");
	return open(NULL, &database, NULL, NULL) || connect(database, &connection) || query(connection, argv[2], &result);
}
C
system($ENV{CC} // 'cc', '-I', "$ENV{TESTDIR}/agent", '-o', "$dir/write", "$dir/write.c", '-ldl') == 0 or die 'cc';
system("$dir/write", $library, "COPY (SELECT 1::INTEGER AS id, 2.5::DECIMAL(12,3) AS price, [1, 2] AS list, {'a': 1, 'b': 'x'} AS part, TIMESTAMP '2024-01-02' AS at)"
	  . " TO '$dir/data/parquet/t.parquet'") == 0 or die 'cannot write Parquet';
write_file('data/parquet/broken.parquet', 'no Parquet');

my $control = control_server('control', conf => "dqds.duckdb_directories = '$dir/data'\ndqds.duckdb_library = '$library'\ndqds.denied_hosts = '*'");
my $sql     = DqdsTest::Sql->connect($control);

sub model { my ($format, $directories) = @_; return to_json({ provider_type => 'duckdb', duckdb => { read_mode => 'in_memory', files_format_type => $format, directories => $directories } }); }

create_connection($control, 'csv', model('csv', { sales => "$dir/data/csv", 'A "b"' => "$dir/data/json" }));
create_connection($control, 'json', model('json', { events => "$dir/data/json" }));
create_connection($control, 'parquet', model('parquet', { p => "$dir/data/parquet" }));

# lines(CALL): its rows, each as a line, or the error.
sub lines
{
	my ($call) = @_;
	my $answer = $sql->query("SELECT * FROM $call");
	return $answer->{error}{message} if $answer->{error};
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

my $row = works($sql, 'csv', model('csv', { sales => "$dir/data/csv" }));
like($row->{server_version}, qr/^v?1\.5\./, "the version: $row->{server_version}");
is(lines(q((SELECT schema_name FROM dqds_list_schemas('csv')) AS s)), qq(A "b"\nsales), 'the schemas are the directories');
is(lines(q((SELECT table_name, table_kind, estimated_rows FROM dqds_list_tables('csv', 'sales')) AS t)),
	join("\n", map { "$_|table|-" } 'Big.CSV', 'it\'s "é" \\.csv', 'nothing', 'orders.csv', 'orders.csv.gz', 'parts', 'same.csv'), 'the tables: files and folders, and no links that lead out');
is(lines(q((SELECT table_name, size_bytes FROM dqds_list_tables('csv', 'sales', 'orders', include_sizes => true)) AS t)),
	join("\n", map { "$_|" . -s "$dir/data/csv/$_" } 'orders.csv', 'orders.csv.gz'), 'a filter, and sizes');
is(lines(q((SELECT table_name, ordinal_position, column_name, column_type, nullable FROM dqds_list_columns('csv', 'sales')) AS c)),
	join("\n",
		'Big.CSV|1|n|BIGINT|t',
		(map { ("$_|1|a|BIGINT|t", "$_|2|b|BIGINT|t") } 'it\'s "é" \\.csv'),
		(map { ("$_|1|id|BIGINT|t", "$_|2|name|VARCHAR|t", "$_|3|price|DOUBLE|t", "$_|4|day|DATE|t") } 'orders.csv', 'orders.csv.gz'),
		'parts|1|first|BIGINT|t', 'parts|2|other|BIGINT|t',
		(map { ("$_|1|id|BIGINT|t", "$_|2|name|VARCHAR|t", "$_|3|price|DOUBLE|t", "$_|4|day|DATE|t") } 'same.csv')),
	'the columns of all tables');
is(lines(q((SELECT column_name, column_type, "precision", scale, full_type FROM dqds_list_columns('parquet', 'p', '{t.parquet}')) AS c)),
	join("\n", 'id|INTEGER|-|-|INTEGER', 'price|DECIMAL|12|3|DECIMAL(12,3)', 'list|INTEGER[]|-|-|INTEGER[]', 'part|STRUCT|-|-|STRUCT(a INTEGER, b VARCHAR)', 'at|TIMESTAMP|-|-|TIMESTAMP'),
	'those of Parquet');
is(lines(q((SELECT column_name, column_type FROM dqds_list_columns('json', 'events', '{events.json}')) AS c)), "id|BIGINT\ntags|VARCHAR[]\nwho|STRUCT", 'those of JSON');
is(lines(q((SELECT count(*) FROM dqds_list_columns('csv', 'sales', '{link.csv,pipe.csv,../../secret/secret.csv,.hidden.csv,notes.txt,/etc/passwd}')) AS c)), '0', 'nothing else is read');
like(lines(q(dqds_list_columns('parquet', 'p'))), qr/^DuckDB reported an error: file "broken\.parquet": /, 'a broken file is told');
like(lines(q(dqds_list_columns('json', 'events'))), qr/^DuckDB reported an error: file "broken\.json": /, 'of JSON as well');
is(lines(q((SELECT step, status FROM dqds_diagnose_connection('csv') WHERE status = 'failed') AS d)), '', 'a diagnosis without failures') or diag(lines(q(dqds_diagnose_connection('csv'))));
is(lines(q((SELECT step FROM dqds_diagnose_connection('csv') WHERE status = 'skipped') AS d)), "resolve\nconnect\ntls", 'no server is looked for');
is(lines(q((SELECT count(*) FROM dqds_import_tables('csv', 'sales')) AS i)), '7', 'import');

my $bridge = start_bridge($control, connections => ['csv']);
my $answer = http($bridge, GET => '/api/datasource/connections/csv/schemas/sales/tables');
is($answer->{status}, 200, 'REST');
like($answer->{body}, qr/orders\.csv\.gz/, 'REST: the tables');

# --- Questions that are not waited for: thousands of files are described, one by one.

mkdir "$dir/data/many" or die $!;
write_file("data/many/$_.csv", "a$_,b,c\n" . "1,2,3\n" x 200) foreach 1 .. 6000;
create_connection($control, 'many', model('csv', { many => "$dir/data/many" }));

# agents(PID): the processes of the agent of a backend; a session's parent is the fork server.
sub agents
{
	my ($backend) = @_;
	my %parent = map { (eval { slurp_file("$_/stat") } // '') =~ /^(\d+) \(dqds-agent\) \S (\d+)/ ? ($1 => $2) : () } glob '/proc/[0-9]*';
	return grep { $parent{$_} == $backend || ($parent{ $parent{$_} } // 0) == $backend } keys %parent;
}

is(lines(q((SELECT count(*) FROM dqds_list_tables('many', 'many')) AS t)), '6000', 'many files');
my $session = DqdsTest::Sql->connect($control);
$session->query(q(SELECT * FROM dqds_list_schemas('many')));
is(scalar agents($session->pid), 2, 'a fork server, and a session');
$session->query(q(SET dqds.query_timeout = '100ms'));
my $late = $session->query(q(SELECT count(*) FROM dqds_list_columns('many', 'many')));
like($late->{error}{message}, qr/^the query at this machine did not finish within 0\.1 s/, 'a deadline');
ok(poll_until(sub { agents($session->pid) == 1 }, 20), 'a deadline: the session has ended');
$session->query(q(RESET dqds.query_timeout));
$session->send(q(SELECT count(*) FROM dqds_list_columns('many', 'many')));
ok(poll_until(sub { agents($session->pid) == 2 }, 20), 'a session is there');
$sql->query('SELECT pg_cancel_backend(' . $session->pid . ')');
is($session->answer->{error}{sqlstate}, '57014', 'cancelled');
ok(poll_until(sub { agents($session->pid) == 1 }, 20), 'cancelled: the session has ended');
my $pid = $session->pid;
$session->send(q(SELECT count(*) FROM dqds_list_columns('many', 'many')));
ok(poll_until(sub { agents($pid) == 2 }, 20), 'a session is there');
$sql->query("SELECT pg_terminate_backend($pid)");
undef $session;
ok(poll_until(sub { agents($pid) == 0 }, 20), 'the end of the backend: nothing is left');

# An idle session must not outlive the permission that it began with.
reload_with($control, "dqds.duckdb_directories = '$dir/data/json'");
ok(poll_until(sub { lines(q(dqds_list_tables('csv', 'sales'))) =~ /may not be read there/ }, 10), 'a permission that is taken away');

# Nothing of it is loaded into the backend.
unlike(slurp_file('/proc/' . $sql->pid . '/maps'), qr/duckdb|jansson|curl|mariadb/, 'the backend has loaded no library of others');

done_testing();
