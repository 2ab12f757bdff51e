# MariaDB over the agent: what a real server has in its catalog, and how it refuses.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Socket qw(SOL_SOCKET SO_REUSEADDR);
use Test::More;

use constant MANY => 230;    # more tables than MariaDB is asked to count the rows of

my $dir = PostgreSQL::Test::Utils::tempdir('certificates');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'DNS:localhost,IP:127.0.0.1');
new_certificate($dir, 'other', names => 'DNS:other.example');

# Names that need care in SQL, in the order of their bytes.
my @names = ('"', "'; DROP TABLE x; --", '%_', 'A', 'a', 'a b', 'back\\slash', '{a,"b"}', 'Größe', '表');
sub named { return '`names`.`' . $_[0] . '`'; }

my $mariadb = DqdsTest::MariaDb->start('shop',
	tls => { cert => "$dir/server.crt", key => "$dir/server.key" },
	sql => <<"SQL");
CREATE DATABASE shop; CREATE DATABASE `Shop`; CREATE DATABASE names; CREATE DATABASE many; CREATE DATABASE empty;
CREATE TABLE shop.orders (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x' COMMENT 'who', price decimal(10,2),
  kind enum('a','b'), made datetime(3), twice decimal(11,2) AS (price * 2) VIRTUAL, kept int AS (length(name)) STORED, code char(3) UNIQUE
) COMMENT 'all orders';
CREATE TABLE shop.lines (b int, a int, PRIMARY KEY (b, a)) ENGINE=MyISAM;
CREATE TABLE shop.parts (a int) PARTITION BY HASH (a) PARTITIONS 4;
CREATE TABLE `Shop`.other (a int);
CREATE VIEW shop.cheap AS SELECT * FROM shop.orders WHERE price < 10;
CREATE SEQUENCE shop.numbers;
INSERT INTO shop.orders (name, price, code) VALUES ('a', 1, 'x'), ('b', 2, 'y');
@{[ map { 'CREATE TABLE ' . named($_) . " (`$_` int) COMMENT '" . s/(['\\])/$1$1/gr . "';\n" } @names ]}
@{[ map { sprintf "CREATE TABLE many.t%03d (a int);\n", $_ } 1 .. MANY ]}
CREATE USER poor\@'%' IDENTIFIED BY 'poor'; GRANT SELECT (id, name) ON shop.orders TO poor\@'%';
CREATE USER locked\@'%' IDENTIFIED BY 'locked' ACCOUNT LOCK;
CREATE USER open\@'%';
CREATE USER secure\@'%' IDENTIFIED BY 'secure' REQUIRE SSL;
CREATE USER single\@'%' IDENTIFIED BY 'single' WITH MAX_USER_CONNECTIONS 1;
SQL

my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop', $mariadb->model);

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

# --- What is there ------------------------------------------------------------------------------------------------

is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('shop'))), [qw(Shop empty many names shop)], 'schemas, in the order of their bytes');
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('shop', true))),
	[qw(Shop empty information_schema many mysql names performance_schema shop sys)], 'with those of the system');
is_deeply(lines_of(q(SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('shop', 'shop'))),
	[ 'cheap|view|-|-', 'lines|table|0|-', 'orders|table|2|all orders', 'parts|table|-|-' ], 'tables and views, no sequence, no false zero');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('shop', 'SHOP'))), [], 'another case is another schema');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('shop', 'Shop'))), ['other'], 'and each has its own tables');
is_deeply(lines_of(q(SELECT * FROM dqds_list_tables('shop', 'no such schema'))), [], 'a schema that is not there has none');
is_deeply(lines_of(q(SELECT * FROM dqds_list_tables('shop', U&'\+01F600'))), [], 'nor has one that cannot be there');

is_deeply(lines_of(q(SELECT table_name, comment FROM dqds_list_tables('shop', 'names'))), [ map { "$_|$_" } sort @names ], 'names of any characters');
is_deeply(lines_of(q(SELECT table_name, column_name FROM dqds_list_columns('shop', 'names'))), [ map { "$_|$_" } sort @names ], 'also of columns');
foreach my $piece ('%', '_', '\\', "'", '"', 'A', 'a', 'ö', '表', ',')
{
	my $quoted = sql_literal($piece);
	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('shop', 'names', $quoted)"), [ sort grep { index($_, $piece) >= 0 } @names ], "those with $piece");
}
is_deeply(lines_of(sprintf q(SELECT table_name FROM dqds_list_columns('shop', 'names', ARRAY[%s])), join ', ', map { sql_literal($_) } @names[ 1, 6, 7, 9 ]),
	[ sort @names[ 1, 6, 7, 9 ] ], 'columns of named tables');

is_deeply(lines_of(q(SELECT count(*) AS n FROM dqds_list_columns('shop', 'shop',
	(SELECT array_agg('a name of a table that is not there ' || n) || '{orders}'::text[] FROM generate_series(1, 20000) AS n)))), ['8'], 'also among very many names');
is_deeply(lines_of(q(SELECT count(*) AS n FROM dqds_list_tables('shop', 'shop', repeat('x', 3000000)))), ['0'], 'a piece of a name that is longer than any');
is_deeply(lines_of(q(SELECT count(*) AS n FROM dqds_list_columns('shop', repeat('x', 1000000)))), ['0'], 'a schema with a name that is longer than any');

is_deeply(lines_of(q(SELECT count(*) AS n, count(estimated_rows) AS counted, min(table_name), max(table_name) FROM dqds_list_tables('shop', 'many'))),
	[ MANY . '|0|t001|t230' ], 'many tables are complete, and are not counted');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('shop', 'many', max_rows => 3))), [qw(t001 t002 t003)], 'the first of them');

is_deeply(lines_of(q(SELECT column_name, ordinal_position, column_type, length, "precision", scale, nullable, primary_key, comment, full_type,
	default_expression, generated, identity, is_unique FROM dqds_list_columns('shop', 'shop', ARRAY['orders']))), [
	'id|1|bigint|-|-|-|f|t|-|bigint(20) unsigned|-|-|by default|-',
	"name|2|varchar|40|-|-|f|f|who|varchar(40)|'x'|-|-|-",
	'price|3|decimal|-|10|2|t|f|-|decimal(10,2)|NULL|-|-|-',
	"kind|4|enum|1|-|-|t|f|-|enum('a','b')|NULL|-|-|-",
	'made|5|datetime|-|-|-|t|f|-|datetime(3)|NULL|-|-|-',
	'twice|6|decimal|-|11|2|t|f|-|decimal(11,2)|-|virtual|-|-',
	'kept|7|int|-|-|-|t|f|-|int(11)|-|stored|-|-',
	'code|8|char|3|-|-|t|f|-|char(3)|NULL|-|-|t',
], 'columns');

is_deeply(lines_of(q(SELECT status, table_name, column_count FROM dqds_import_tables('shop', 'shop'))),
	[ 'imported|cheap|8', 'imported|lines|2', 'imported|orders|8', 'imported|parts|1' ], 'import');
is_deeply(lines_of(q(SELECT DISTINCT status FROM dqds_import_tables('shop', 'shop'))), ['unchanged'], 'and once more');

my ($tested) = $sql->rows(q(SELECT * FROM dqds_test_connection('shop')));
is($tested->{connection_test_result} // $tested->{result}, 'SUCCESS', 'the test of the connection');
like($tested->{server_version}, qr/^1\d\.\d+\.\d+-MariaDB/, 'tells the version');

# What the agent is told and tells is UTF-8, whatever the control database has; PASSWORD has characters beyond ASCII.
$control->safe_psql('postgres', q(CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0));
$control->safe_psql('latin', 'CREATE EXTENSION dqds');
my $latin = DqdsTest::Sql->connect($control, database => 'latin');
$latin->must(q(SET client_encoding = 'UTF8'));
$latin->must(sprintf q(SELECT dqds_create_connection('shop', %s::json)), sql_literal($mariadb->model));
is_deeply([ $latin->column(q(SELECT table_name FROM dqds_list_tables('shop', 'names'))) ], [ sort '?', grep { $_ ne '表' } @names ], 'from a database in LATIN1');
is_deeply([ $latin->column(q(SELECT table_name FROM dqds_list_columns('shop', 'names', ARRAY['Größe']))) ], ['Größe'], 'which asks in UTF-8');
like($latin->value('SELECT error_message FROM dqds_test_connection(' . sql_literal($mariadb->model(user => 'Ödön', password => 'x')) . '::json)'),
	qr/user "Ödön"/, 'and understands what it hears');
$latin->close;

# --- Over REST ------------------------------------------------------------------------------------------------------

my $bridge = start_bridge($control, level => 'editor', connections => ['shop']);
my $base   = '/api/datasource/connections/shop/schemas';
is(join(' ', map { $_->{schemaName} } @{ from_json(http($bridge, GET => $base)->{body}) }), 'Shop empty many names shop', 'REST: schemas');
is(join(' ', map { $_->{tableName} } @{ from_json(http($bridge, GET => "$base/shop/tables")->{body}) }), 'cheap lines orders parts', 'REST: tables');
my $answer = http($bridge, POST => '/api/datasource/testconnection', {}, $mariadb->model(password => 'wrong'));
is(from_json($answer->{body})->{connectionTestResult}, 'FAILURE', 'REST: a test that fails');
is(from_json($answer->{body})->{errorCode}, 'authentication_failed', 'REST: and why');
is(from_json(http($bridge, POST => '/api/datasource/testconnection', {}, $mariadb->model)->{body})->{connectionTestResult}, 'SUCCESS', 'REST: one that does not');
is($bridge->stop, 0, 'the bridge ends');

# --- Who may what ---------------------------------------------------------------------------------------------------

# test(KEYS OF THE SECTION): result, error code and message of a test; with password_required false if asked for.
sub test
{
	my (%opt) = @_;
	my $model = from_json($mariadb->model(%opt));
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(to_json($model)) . '::json)');
	return join ' ', map { $_ // '-' } @$row{qw(error_code error_message)};
}

sub refused { my ($name, $expected, %opt) = @_; like(test(%opt), qr/^$expected/, $name); return; }
sub let_in  { my ($name, %opt) = @_; is(test(%opt), '- -', $name); return; }

my $at = '127.0.0.1:' . $mariadb->port;
refused('a wrong password', qq(authentication_failed password authentication failed for user "bob" at $at), password => 'wrong');
refused('no such user', 'authentication_failed', user => 'nobody');
refused('no password', 'authentication_failed', password => undef);
refused('an unknown database', qq(database_not_found database "nowhere" does not exist at $at), database => 'nowhere');
refused('a database without rights', 'permission_denied user "poor" may not use database "many"', user => 'poor', password => 'poor', database => 'many');
refused('a locked account', 'login_not_allowed', user => 'locked', password => 'locked');
refused('a user without a password did not prove one', 'password_required the server at', user => 'open', password => undef);
refused('nor with one that it does not have', 'authentication_failed', user => 'open', password => 'x');
SKIP:
{
	# It is in Debian's mariadb-server, which sets up a server of the machine.
	skip 'no ed25519 in mariadb-server-core', 2 if !-e '/usr/lib/mysql/plugin/auth_ed25519.so';
	$mariadb->query(q(INSTALL SONAME 'auth_ed25519'; CREATE USER curve@'%' IDENTIFIED VIA ed25519 USING PASSWORD('curve')));
	let_in('ed25519', user => 'curve', password => 'curve');
	refused('ed25519, a wrong password', 'authentication_failed', user => 'curve', password => 'wrong');
}
let_in('a database', database => 'shop');

create_connection($control, 'poor', $mariadb->model(user => 'poor', password => 'poor'));
is_deeply(lines_of(q(SELECT table_name, column_name FROM dqds_list_columns('poor', 'shop'))), [ 'orders|id', 'orders|name' ], 'only what the user may see');
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('poor'))), ['shop'], 'also of schemas');

create_connection($control, 'single', $mariadb->model(user => 'single', password => 'single'));
is(scalar @{ lines_of(q(SELECT * FROM dqds_list_schemas('single'))) }, 0, 'one session of a user');
is_deeply([ $sql->column(q(SELECT error_code FROM dqds_test_connection('single'))) ], [undef], 'is given up for a new one');

# --- TLS ------------------------------------------------------------------------------------------------------------

let_in("$_, by address", host => '127.0.0.1', sslmode => $_) foreach qw(DISABLED PREFERRED REQUIRED VERIFY_CA VERIFY_IDENTITY);
let_in("$_, by name", host => 'localhost', sslmode => $_) foreach qw(VERIFY_CA VERIFY_IDENTITY);
refused('a user who must use TLS, without it', 'authentication_failed', user => 'secure', password => 'secure', sslmode => 'DISABLED');
let_in('and with it', user => 'secure', password => 'secure');
is($sql->value('SELECT tls FROM dqds_test_connection(' . sql_literal($mariadb->model(sslmode => 'VERIFY_IDENTITY')) . '::json)'), 'TLSv1.3', 'TLS is told');
is_deeply([ $sql->column('SELECT status FROM dqds_diagnose_connection(' . sql_literal($mariadb->model(sslmode => 'VERIFY_IDENTITY')) . '::json)') ],
	[ ('ok') x 9 ], 'all steps of the diagnosis');
my ($tls_step) = grep { $_->{step} eq 'tls' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($mariadb->model) . '::json)');
like($tls_step->{message},
	qr/^TLSv1\.3 with \S+; certificate for .*dqds-test-server.*, valid until \d{4}-/, 'which tells of the certificate');

my %other = (
	other => DqdsTest::MariaDb->start('other', tls => { cert => "$dir/other.crt", key => "$dir/other.key" }),
	plain => DqdsTest::MariaDb->start('plain'));

sub test_other
{
	my ($name, %opt) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($other{$name}->model(%opt)) . '::json)');
	return join ' ', map { $_ // '-' } @$row{qw(error_code error_message)};
}

is(test_other('other', sslmode => 'REQUIRED'),  '- -', 'any certificate encrypts');
is(test_other('other', sslmode => 'VERIFY_CA'), '- -', 'one for another name is trusted');
like(test_other('other', sslmode => 'VERIFY_IDENTITY'), qr/^tls_certificate the certificate of \S+ is for another host name/, 'but is not that of the host');
is(test_other('plain', sslmode => 'PREFERRED'), '- -', 'a server without TLS');
like(test_other('plain', sslmode => $_), qr/^tls_failed the server at \S+ does not offer TLS/, "is refused by $_") foreach qw(REQUIRED VERIFY_CA VERIFY_IDENTITY);
$sql->must("SET dqds.ssl_root_certs = '$dir/other.crt'");
like(test_other('other', sslmode => $_), qr/^tls_certificate/, "an unknown authority is refused by $_") foreach qw(VERIFY_CA VERIFY_IDENTITY);
is(test_other('other', sslmode => 'REQUIRED'), '- -', 'and not by REQUIRED');
$sql->must('RESET dqds.ssl_root_certs');

# --- What answers is another server -----------------------------------------------------------------------------------

my %server = (
	closed => sub { return; },
	ssh    => sub { syswrite $_[0], "SSH-2.0-OpenSSH_9.2\r\n"; sysread $_[0], my $answer, 100; },
	half   => sub { syswrite $_[0], "\x4a\0\0\0\x0a5.5.5"; },
	error  => sub { my $text = "\xff\x10\x04#08004Too many connections"; syswrite $_[0], pack('V', length $text) . $text; sysread $_[0], my $answer, 100; });
my %expected = (
	closed => 'connection_lost',
	ssh    => 'wrong_server what answers at \S+ is no mariadb server',
	half   => '(connection_lost|wrong_server)',
	error  => 'too_many_connections');
foreach my $kind (sort keys %server)
{
	my $fake = start_fake_server($server{$kind});
	refused("a server that is $kind", $expected{$kind}, port => $fake->port);
	$fake->stop;
}
refused('a port where nothing listens', 'connection_refused', port => free_port());
$sql->must('SET dqds.connect_timeout = 500');
my $silent = start_fake_server(sub { sysread $_[0], my $answer, 100; });
refused('a silent server', 'server_silent the server at \S+ accepted the connection but did not complete the login within', port => $silent->port);
$silent->stop;

$control->stop;
$_->stop foreach $mariadb, values %other;
done_testing();
