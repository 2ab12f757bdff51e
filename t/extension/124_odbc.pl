# Sources that are reached through ODBC: listings by ODBC's own catalog functions, with Debian's drivers of MariaDB, PostgreSQL
# and SQLite on real servers and a real file; what goes wrong in a login; a cancel; and a driver that is broken.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::Relay;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my ($files) = map { s,/[^/]*$,,r } glob '/usr/lib/*/odbc/psqlodbcw.so';
my $dir = PostgreSQL::Test::Utils::tempdir('odbc');
my $faulty = "$dir/faulty.so";
system($ENV{CC} // 'cc', '-shared', '-fPIC', '-o', $faulty, 't/lib/DqdsTest/faulty_driver.c') == 0 or die "no faulty driver\n";

# Names that need care, in the order of their bytes; MariaDB has none beyond the basic plane.
my @names = ('"', "'; DROP TABLE x; --", '%_', 'A', 'a', 'a b', 'a_b', 'axb', 'back\\slash', '{a,"b"}', 'Größe', '表');
my @all   = sort @names, '😀', 'ﬀ';
sub back   { return "`$_[0]`"; }
sub double { return '"' . ($_[0] =~ s/"/""/gr) . '"'; }

my $mariadb = DqdsTest::MariaDb->start('shop', sql => <<"SQL");
CREATE DATABASE shop; CREATE DATABASE `Sh_op 2%`; CREATE DATABASE `Shxop 2y`; CREATE DATABASE `back\\slash`;
CREATE TABLE shop.orders (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x' COMMENT 'who 表', price decimal(10,2)) COMMENT 'all 表';
CREATE TABLE shop.lines (a int, b int, PRIMARY KEY (b, a));
CREATE VIEW shop.cheap AS SELECT * FROM shop.orders WHERE price < 10;
CREATE TABLE `Sh_op 2%`.here (a int); CREATE TABLE `Shxop 2y`.other (a int); CREATE TABLE `back\\slash`.within (a int);
CREATE DATABASE names; @{[ map { 'CREATE TABLE names.' . back($_) . ' (' . back($_) . " int);\n" } @names ]}
SQL
my $remote = remote_server('remote');
$remote->safe_psql('postgres', <<"SQL");
CREATE TABLE plain (id int PRIMARY KEY, name varchar(7) NOT NULL, price numeric(8,3) DEFAULT 1);
COMMENT ON TABLE plain IS 'käse 😀'; COMMENT ON COLUMN plain.name IS 'naïve 😀';
CREATE TABLE pair (a int, b int, PRIMARY KEY (b, a)); CREATE VIEW v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
CREATE SCHEMA names; @{[ map { 'CREATE TABLE names.' . double($_) . ' (' . double($_) . " int);\n" } @all ]}
CREATE SCHEMA "é\\_%""😀"; CREATE TABLE "é\\_%""😀".within (a int); CREATE SCHEMA "é\\x%""😀"; CREATE TABLE "é\\x%""😀".other (a int); CREATE SCHEMA empty;
GRANT USAGE ON SCHEMA names, empty, "é\\_%""😀", "é\\x%""😀" TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA public, names, "é\\_%""😀", "é\\x%""😀" TO PUBLIC;
SQL

my $setting = "db2=$files/libmaodbc.so generic, oracle=$files/psqlodbcw.so generic, teradata=$files/libsqlite3odbc.so generic, hana=$faulty generic";
my $control = control_server('control', conf => "dqds.odbc_drivers = '$setting'\nrestart_after_crash = on");
my $sql     = DqdsTest::Sql->connect($control);

# model(PROVIDER, KEY => VALUE…): a connection model; a superuser need not prove that the password was asked for.
sub model
{
	my ($provider, %section) = @_;
	my $properties = delete $section{properties} // { allow_cleartext_password => 'true' };
	foreach (values %section) { utf8::decode($_) if defined }
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	return to_json({ provider_type => $provider, password_required => JSON::PP::false,
		$provider => { host => '127.0.0.1', properties => $properties, %section } });
}
my %bob    = (port => $mariadb->port, user => 'bob', password => DqdsTest::MariaDb::PASSWORD, database => 'shop');
my %reader = (port => $remote->port, user => 'reader', password => remote_password($remote), database => 'postgres');
create_connection($control, 'maria',    model('db2', %bob));
create_connection($control, 'postgres', model('oracle', %reader));

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

# --- MariaDB: databases are what schemas are for us ---------------------------------------------------------------------

my ($test) = @{ lines_of(q(SELECT connection_test_result, server_version FROM dqds_test_connection('maria'))) };
like($test, qr/^SUCCESS\|MariaDB 1\d/, 'MariaDB: a test');
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('maria'))), [ 'Sh_op 2%', 'Shxop 2y', 'back\\slash', 'names', 'shop' ], 'schemas, in the order of their bytes');
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('maria', true) WHERE schema_name ~ 'schema|mysql|sys')),
	[qw(information_schema mysql performance_schema sys)], 'with those of the system');
is_deeply(lines_of(q(SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('maria', 'shop'))),
	[ 'cheap|view|-|-', 'lines|table|-|-', 'orders|table|-|all 表' ], 'tables and views');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('maria', 'Sh_op 2%'))), ['here'], 'wildcards in the name of a schema are none');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('maria', 'back\\slash'))), ['within'], 'nor is a backslash');
is_deeply(lines_of(q(SELECT table_name, ordinal_position, column_name, column_type, length, "precision", scale, nullable, primary_key, comment
  FROM dqds_list_columns('maria', 'shop') WHERE table_name <> 'cheap')),
	[ 'lines|1|a|INT|-|-|-|f|t|-', 'lines|2|b|INT|-|-|-|f|t|-', 'orders|1|id|INT|-|-|-|t|t|-', 'orders|2|name|VARCHAR|40|-|-|f|f|who 表', 'orders|3|price|DECIMAL|-|10|2|t|f|-' ], 'columns')
  or diag explain lines_of(q(SELECT * FROM dqds_list_columns('maria', 'shop')));
is_deeply(lines_of(q(SELECT table_name, column_name FROM dqds_list_columns('maria', 'names'))), [ map { "$_|$_" } sort @names ], 'names of any characters');
is_deeply(lines_of(sprintf q(SELECT table_name FROM dqds_list_columns('maria', 'names', ARRAY[%s])), join ', ', map { sql_literal($_) } @names[ 1, 2, 6, 8, 9 ]),
	[ sort @names[ 1, 2, 6, 8, 9 ] ], 'columns of named tables');

# --- PostgreSQL: schemas and catalogs --------------------------------------------------------------------------------------

like(lines_of(q(SELECT connection_test_result, server_version FROM dqds_test_connection('postgres')))->[0], qr/^SUCCESS\|PostgreSQL \d/, 'PostgreSQL: a test');
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('postgres'))), [ 'empty', 'names', 'public', 'é\\_%"😀', 'é\\x%"😀' ], 'schemas, an empty one too');
is_deeply(lines_of(q(SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('postgres', 'public'))),
	[ 'm|materialized_view|-|-', 'pair|table|-|-', 'plain|table|-|-', 'v|view|-|-' ], 'tables and views');
is_deeply(lines_of(sprintf q(SELECT table_name FROM dqds_list_tables('postgres', %s)), sql_literal('é\\_%"😀')), ['within'], 'the schema with this name, not one that its pattern fits');
is_deeply(lines_of(sprintf q(SELECT table_name FROM dqds_list_columns('postgres', %s)), sql_literal('é\\_%"😀')), ['within'], 'the same of columns');
is_deeply(lines_of(q(SELECT table_name, ordinal_position, column_name, column_type, length, "precision", scale, nullable, primary_key
  FROM dqds_list_columns('postgres', 'public') WHERE table_name IN ('pair', 'plain'))),
	[ 'pair|1|a|int4|-|-|-|f|t', 'pair|2|b|int4|-|-|-|f|t', 'plain|1|id|int4|-|-|-|f|t', 'plain|2|name|varchar|7|-|-|f|f', 'plain|3|price|numeric|-|8|3|t|f' ],
	'columns of tables, and not of their indexes, counted from one in each')
  or diag explain lines_of(q(SELECT * FROM dqds_list_columns('postgres', 'public')));
is_deeply(lines_of(q(SELECT table_name, column_name FROM dqds_list_columns('postgres', 'names'))), [ map { "$_|$_" } @all ], 'names of any characters, also beyond the basic plane');
foreach my $piece ('%', '_', '\\', "'", '"', 'A', 'a', 'ö', '表', '😀')
{
	my $quoted = sql_literal($piece);
	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('postgres', 'names', $quoted)"), [ grep { index($_, $piece) >= 0 } @all ], "those with $piece");
}
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('postgres', 'names', NULL, 3))), [ @all[ 0 .. 2 ] ], 'the first three');
my $import = lines_of(q(SELECT * FROM dqds_import_tables('postgres', 'public', ARRAY['plain'])));
is(scalar @$import, 1, 'an import') or diag explain $import;
my %step = map { (split /\|/)[0] => $_ } @{ lines_of(q(SELECT step, status, message FROM dqds_diagnose_connection('postgres'))) };
like($step{$_}, qr/\|ok\|/, "diagnosis: $_") foreach qw(model resolve connect authenticate database server schemas tables);
is($step{schemas}, 'schemas|ok|5 schemas', 'what is not known is not told');

# --- SQLite: neither schemas nor catalogs ------------------------------------------------------------------------------------

SKIP:
{
	skip 'no sqlite3 for Python', 3 if system('python3', '-c', "import sqlite3; c = sqlite3.connect('$dir/file.db');"
		  . " c.execute('CREATE TABLE t (a integer PRIMARY KEY, b varchar(10) NOT NULL)'); c.execute('CREATE TABLE \"é😀\" (x int)'); c.execute('CREATE VIEW v AS SELECT * FROM t'); c.commit()") != 0;
	# Nothing listens, and nothing is connected to: the driver opens the file.
	create_connection($control, 'sqlite', model('teradata', port => $remote->port, user => 'anyone', database => "$dir/file.db"));
	is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('sqlite'))), ['main'], 'SQLite: one schema');
	is_deeply(lines_of(q(SELECT table_name, table_kind FROM dqds_list_tables('sqlite', 'main'))), [ 't|table', 'v|view', 'é😀|table' ], 'its tables');
	is_deeply(lines_of(q(SELECT column_name, column_type, nullable, primary_key FROM dqds_list_columns('sqlite', 'main', ARRAY['t']))), [ 'a|INTEGER|t|t', 'b|varchar(10)|f|f' ], 'columns')
	  or diag explain lines_of(q(SELECT * FROM dqds_list_columns('sqlite', 'main')));
}

# --- What goes wrong -----------------------------------------------------------------------------------------------------------

# The row of a test of a model, which is registered for it.
my $count = 0;
sub test_of
{
	my ($session, $model) = @_;
	my $name = 'tested' . $count++;
	create_connection($control, $name, $model);
	return $session->query("SELECT * FROM dqds_test_connection('$name')")->{rows}[0];
}

my $silent = start_fake_server(sub { sleep 60 });
my @failing = (
	[ 'a wrong password of MariaDB',     model('db2', %bob, password => 'wrong'),       'authentication_failed' ],
	[ 'a wrong password of PostgreSQL',  model('oracle', %reader, password => 'wrong'), 'authentication_failed' ],
	[ 'a database that is not there',    model('db2', %bob, database => 'nowhere'),     'database_not_found' ],
	[ 'the same of PostgreSQL',          model('oracle', %reader, database => 'none'),  'database_not_found' ],
	[ 'a port where nothing listens',    model('db2', %bob, port => free_port()),       'connection_refused' ],
	[ 'the same of PostgreSQL',          model('oracle', %reader, port => free_port()), 'connection_refused' ],
	[ 'a server that says nothing',      model('oracle', %reader, port => $silent->port), 'server_silent' ],
	[ 'a password that could be read',   model('db2', %bob, properties => {}),          'authentication_failed', qr/without TLS/ ],
	[ 'TLS that the form has no words for', model('db2', %bob, sslmode => 'require'),   'invalid_connection', qr/cannot be told to use TLS/ ],
	[ 'a provider without a driver',     model('spark', %bob),                          'unsupported_provider', qr/Simba Spark.*dqds\.odbc_drivers/ ]);
$sql->must('SET dqds.connect_timeout = 3000');
foreach my $case (@failing)
{
	my ($what, $model, $code, $message) = @$case;
	my $row = test_of($sql, $model);
	is($row->{error_code}, $code, $what) or diag explain $row;
	like($row->{error_message}, $message // qr/./, "$what: the message");
	unlike(join(' ', map { $_ // '' } values %$row), qr/brûlée|wrong/, "$what: no password is told");
}
$sql->must('RESET dqds.connect_timeout');
$remote->safe_psql('postgres', q(ALTER ROLE reader PASSWORD 'a}};DRIVER=/nowhere;c{d''"=é😀'));
my $braces = model('oracle', %reader, password => q(a}};DRIVER=/nowhere;c{d'"=é😀));
is(test_of($sql, $braces)->{connection_test_result}, 'SUCCESS', 'a password of any characters');
$remote->safe_psql('postgres', q(ALTER ROLE reader PASSWORD ') . remote_password($remote) . q('));

# The driver manager looks for a driver in the string as well, and of a character sees only the low byte: Ž is } to it, and Ļ is ;.
foreach my $value ("x}DRIVER=$faulty;y", "xŽDRIVER=$faulty;y", "x👽DRIVERĽ$faulty;y")
{
	is(test_of($sql, model('sqlserver', %bob, $_ => $value))->{error_code}, 'invalid_connection', "no other driver by a $_: $value") foreach qw(user password database);
}
is(test_of($sql, model('oracle', %reader, password => "xŽDRIVER=$faulty;y"))->{error_code}, 'invalid_connection', 'also where braces are doubled');
is(test_of($sql, model('oracle', %reader, user => "xĻDRIVERĽ${faulty}Ļ"))->{error_code}, 'authentication_failed', 'what ends a value stands in braces');

# --- The setting --------------------------------------------------------------------------------------------------------------------

foreach my $value ('db2=libdb2.so', 'db2', 'mysql=/x.so', 'nothing=/x.so', 'db2=/x;y.so', 'db2=/x.so strange', 'db2=/x.so generic more', 'db2=/{x}.so')
{
	is($sql->query('SET dqds.odbc_drivers = ' . sql_literal($value))->{error}{sqlstate}, '22023', "dqds.odbc_drivers: $value");
}
$sql->must("SET dqds.odbc_drivers = ' db2 = /no/such.so generic , ,sqlserver=/x.so'");
my $row = test_of($sql, model('db2', %bob));
is($row->{error_code}, 'unsupported_provider', 'a file that is not there');
like($row->{error_message}, qr{/no/such\.so}, 'is named');
$sql->must('RESET dqds.odbc_drivers');
my $other = DqdsTest::Sql->connect($control);
$other->must($_) foreach q(LOAD 'dqds'), 'CREATE ROLE other', 'SET ROLE other';
is($other->query("SET dqds.odbc_drivers = ''")->{error}{sqlstate}, '42501', 'only a superuser names drivers');

# --- A query under way -------------------------------------------------------------------------------------------------------------

# So that a query takes its time, a relay puts a SLEEP in the place of the order of columns, of the same length.
my $slow = start_fake_server(sub { relay($_[0], $mariadb->port, \&make_slow) });

sub make_slow
{
	my ($bytes) = @_;
	return $bytes =~ s/(INFORMATION_SCHEMA\.COLUMNS .*)( ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION)/$1 . ' AND SLEEP(60)=0' . ' ' x (length($2) - 16)/esr;
}
sub waiting { return scalar $mariadb->query(q(SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)=0%' AND id <> CONNECTION_ID())); }
create_connection($control, 'slow', model('db2', %bob, port => $slow->port));
my %end = (
	'a cancel'               => sub { $sql->must('SELECT pg_cancel_backend(' . $_[0]->pid . ')'); },
	'the end of the backend' => sub { $sql->must('SELECT pg_terminate_backend(' . $_[0]->pid . ')'); },
	'the deadline'           => sub { });
foreach my $what (sort keys %end)
{
	my $session = DqdsTest::Sql->connect($control);
	$session->must('SET dqds.query_timeout = 2000') if $what =~ /deadline/;
	$session->send(q(SELECT * FROM dqds_list_columns('slow', 'shop')));
	ok(poll_until(sub { waiting() }, 20), "$what: a query is under way");
	$end{$what}->($session);
	my $answer = $session->answer;
	like($answer->{error}{sqlstate}, qr/^(57014|57P01|QD015)$/, "$what: the call fails") or diag explain $answer;
	ok(poll_until(sub { !waiting() }, 10), "$what: the query is gone at the remote");
}

# --- A driver that is broken ---------------------------------------------------------------------------------------------------------

sub children_of
{
	my ($pid) = @_;
	my @found;
	foreach my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $file, '<', $stat or next;
		my ($child, $state, $parent) = (<$file> // '') =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;
		push @found, $child, children_of($child) if $parent == $pid && $state ne 'Z';
	}
	return @found;
}

sub rss_of { open my $file, '<', "/proc/$_[0]/status" or die; my ($kb) = join('', <$file>) =~ /^RssAnon:\s*(\d+)/m; return $kb / 1024; }

my $victim = DqdsTest::Sql->connect($control);
$victim->must(q(SELECT * FROM dqds_list_schemas('maria')));
my $processes = children_of($victim->pid);
my $rest      = rss_of($victim->pid);
my %wanted    = (crash => 'remote_error', hang => 'unreachable|server_silent', leave => 'remote_error', eat => 'remote_error|unreachable|server_silent', chatty => 'remote_error', silent => 'remote_error');
$victim->must('SET dqds.connect_timeout = 3000');
foreach my $mode (sort keys %wanted)
{
	my $result = test_of($victim, model('hana', port => $remote->port, user => 'u', password => 'p', database => $mode));
	like($result->{error_code} // '', qr/^($wanted{$mode})$/, "a driver that does $mode") or diag explain $result;
	is(scalar @{ $victim->query(q(SELECT * FROM dqds_list_tables('maria', 'shop')))->{rows} }, 3, "$mode: others go on");
	ok(poll_until(sub { children_of($victim->pid) <= $processes }, 15), "$mode: its process is gone");
}
create_connection($control, $_, model('hana', port => $remote->port, user => 'u', password => 'p', database => $_)) foreach qw(endless long);
my $endless = $victim->query(q(SELECT count(*) FROM dqds_list_tables('endless', 'main')));
like($endless->{error}{message}, qr/beyond a bound: more than 64 MB of names/, 'an answer without end');
is($victim->query(q(SELECT length(comment) AS n FROM dqds_list_tables('long', 'main')))->{rows}[0]{n}, 16384, 'a comment without end is cut');
cmp_ok(rss_of($victim->pid) - $rest, '<', 32, 'the backend has taken less than 32 MB');
ok(poll_until(sub { $control->safe_psql('postgres', 'SELECT 1') }, 5), 'the server runs');

# --- Over REST ---------------------------------------------------------------------------------------------------------------------

create_connection($control, 'crash', model('hana', port => $remote->port, user => 'u', password => 'p', database => 'crash'));
my $bridge = start_bridge($control, connections => [qw(maria crash)]);
my $schemas = http($bridge, GET => '/api/datasource/connections/maria/schemas');
is($schemas->{status}, 200, 'schemas over REST');
like($schemas->{body}, qr/"Sh_op 2%".*"shop"/s, 'and their names');
my $crashed = http($bridge, GET => '/api/datasource/connections/crash/schemas');
like($crashed->{body}, qr/remote_error/, 'a driver that crashes is reported over REST');
unlike($crashed->{body}, qr/brûlée/, 'without a password');

$_->stop foreach $silent, $slow;
$mariadb->stop;
done_testing();
