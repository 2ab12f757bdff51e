# MySQL, a real server of version 9: its catalog, its users, TLS, and what becomes of queries that are not waited for.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::MySql;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('certificates');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'IP:127.0.0.1');
mkdir "$dir/other" or die $!;
new_certificate("$dir/other", 'ca');

my $mysql = DqdsTest::MySql->start('shop', tls => { ca => "$dir/ca.crt", cert => "$dir/server.crt", key => "$dir/server.key" }, sql => <<'SQL');
CREATE DATABASE shop; CREATE DATABASE `Shop 2`; CREATE DATABASE bare;
CREATE TABLE shop.orders (id int unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x' COMMENT 'who', price decimal(10,2),
 twice decimal(11,2) AS (price * 2) STORED, kind enum('a','b'), document json) COMMENT 'all orders';
CREATE TABLE shop.Orders2 (a int, b int, PRIMARY KEY (b, a));
CREATE TABLE shop.`it's "quoted" é` (x int);
CREATE VIEW shop.cheap AS SELECT id FROM shop.orders WHERE price < 10;
INSERT INTO shop.orders (name, price) VALUES ('a', 1), ('b', 2), ('c', 3);
ANALYZE TABLE shop.orders;
CREATE USER nothing@'%' IDENTIFIED BY 'nothing-1';
CREATE USER locked@'%' IDENTIFIED BY 'locked-1' ACCOUNT LOCK;
CREATE USER expired@'%' IDENTIFIED BY 'expired-1' PASSWORD EXPIRE;
CREATE USER tls@'%' IDENTIFIED BY 'tls-1' REQUIRE SSL;
CREATE USER sha256@'%' IDENTIFIED WITH sha256_password BY 'sha256-1';
CREATE USER fresh@'%' IDENTIFIED BY 'fresh-1';
CREATE USER few@'%' IDENTIFIED BY 'few-1'; GRANT SELECT (id) ON shop.orders TO few@'%';
SQL
my ($version) = $mysql->query('SELECT version()');
diag("MySQL $version");
my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop', $mysql->model);
create_connection($control, 'few', $mysql->model(user => 'few', password => 'few-1', sslmode => 'REQUIRED'));

# lines(CALL): its rows, each as a line.
sub lines
{
	my ($call) = @_;
	my $answer = $sql->query("SELECT * FROM $call");
	return $answer->{error}{message} if $answer->{error};
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

# --- What there is --------------------------------------------------------------------------------------

my $row = works($sql, 'bob', $mysql->model);
like(to_json($row), qr/\Q$version\E/, 'the version of the server');
is($sql->query(q(SELECT string_agg(schema_name, ',') AS s FROM dqds_list_schemas('shop')))->{rows}[0]{s}, 'Shop 2,bare,shop', 'the schemas');
is(lines(q((SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('shop', 'shop')) AS t)),
	qq(Orders2|table|-|-\ncheap|view|-|-\nit's "quoted" é|table|-|-\norders|table|3|all orders), 'the tables, with estimates');
is(lines(q((SELECT table_name FROM dqds_list_tables('shop', 'shop', 'rders')) AS t)), "Orders2\norders", 'a filter');
is(lines(q((SELECT column_name, column_type, length, "precision", scale, nullable, primary_key, comment FROM dqds_list_columns('shop', 'shop', '{orders}')) AS c)),
	join("\n", 'id|int|-|-|-|f|t|-', 'name|varchar|40|-|-|f|f|who', 'price|decimal|-|10|2|t|f|-', 'twice|decimal|-|11|2|t|f|-', 'kind|enum|1|-|-|t|f|-', 'document|json|-|-|-|t|f|-'),
	'the columns');
is(lines(q((SELECT table_name, column_name, primary_key FROM dqds_list_columns('shop', 'shop') WHERE table_name <> 'orders') AS c)),
	qq(Orders2|a|t\nOrders2|b|t\ncheap|id|f\nit's "quoted" é|x|f), 'those of all tables');
is(lines(q((SELECT table_name, column_name FROM dqds_list_columns('few', 'shop')) AS c)), 'orders|id', 'a column that alone may be read');
my $steps = $sql->query(q(SELECT string_agg(concat_ws(' ', step, status), ',') AS s FROM dqds_diagnose_connection('shop')))->{rows}[0]{s};
unlike($steps // 'none', qr/fail/i, "diagnosis: $steps");
my $imported = $sql->query(q(SELECT count(*) AS n FROM dqds_import_tables('shop', 'shop')));
is($imported->{rows}[0]{n}, 4, 'import') or diag(explain($imported));

my $bridge = start_bridge($control, connections => ['shop']);
my $answer = http($bridge, GET => '/api/datasource/connections/shop/schemas/shop/tables');
is($answer->{status}, 200, 'REST: the tables');
like($answer->{body}, qr/"orders"/, 'REST: with their names');

# --- Users ------------------------------------------------------------------------------------------------

# What; the model; what comes of it: SUCCESS, or an error code.
my @logins = (
	[ 'caching_sha2_password', $mysql->model(sslmode => 'REQUIRED'), 'SUCCESS' ],
	[ 'the same without TLS, known to the server', $mysql->model(sslmode => 'DISABLED'), 'SUCCESS' ],
	[ 'the same, not known', $mysql->model(user => 'fresh', password => 'fresh-1', sslmode => 'DISABLED'), 'authentication_failed' ],
	[ 'sha256_password with TLS', $mysql->model(user => 'sha256', password => 'sha256-1', sslmode => 'REQUIRED'), 'SUCCESS' ],
	[ 'sha256_password without TLS', $mysql->model(user => 'sha256', password => 'sha256-1', sslmode => 'DISABLED'), 'authentication_failed' ],
	[ 'a wrong password', $mysql->model(password => 'wrong-1'), 'authentication_failed' ],
	[ 'no password', $mysql->model(password => undef), 'authentication_failed' ],
	[ 'an unknown user', $mysql->model(user => 'ghost', password => 'ghost-1'), 'authentication_failed' ],
	[ 'an unknown database', $mysql->model(database => 'nowhere'), 'database_not_found' ],
	[ 'a database', $mysql->model(database => 'shop'), 'SUCCESS' ],
	[ 'a database without rights', $mysql->model(user => 'nothing', password => 'nothing-1', database => 'shop'), 'permission_denied' ],
	[ 'no rights at all', $mysql->model(user => 'nothing', password => 'nothing-1'), 'SUCCESS' ],
	[ 'a locked account', $mysql->model(user => 'locked', password => 'locked-1'), 'login_not_allowed' ],
	[ 'an expired password', $mysql->model(user => 'expired', password => 'expired-1'), 'login_not_allowed' ],
	[ 'TLS that the account demands', $mysql->model(user => 'tls', password => 'tls-1', sslmode => 'DISABLED'), 'authentication_failed' ],
	[ 'the same with TLS', $mysql->model(user => 'tls', password => 'tls-1'), 'SUCCESS' ],
	map { [ "sslmode $_", $mysql->model(sslmode => $_), 'SUCCESS' ] } qw(DISABLED PREFERRED REQUIRED VERIFY_CA VERIFY_IDENTITY));

sub check
{
	my ($what, $model, $expected) = @_;
	my $outcome = outcome($sql, $model);
	my $password = from_json($model)->{mysql}{password};

	is($outcome->{error_code} // $outcome->{connection_test_result}, $expected, $what) or diag(explain($outcome));
	unlike(join(' ', map { $_ // '' } %$outcome), qr/\Q$password\E/, "$what: no password in it") if defined $password;
	return;
}

check(@$_) foreach @logins;

# A name that the certificate does not have, and another authority.
check('a wrong name, not looked at', $mysql->model(host => 'localhost', sslmode => 'VERIFY_CA'), 'SUCCESS');
check('a wrong name', $mysql->model(host => 'localhost', sslmode => 'VERIFY_IDENTITY'), 'tls_certificate');
reload_with($control, "dqds.ssl_root_certs = '$dir/other/ca.crt'");
$sql = DqdsTest::Sql->connect($control);
check("another authority, $_", $mysql->model(sslmode => $_), $_ eq 'REQUIRED' ? 'SUCCESS' : 'tls_certificate') foreach qw(REQUIRED VERIFY_CA VERIFY_IDENTITY);
reload_with($control, "dqds.ssl_root_certs = '$dir/ca.crt'");

# --- Queries that are not waited for --------------------------------------------------------------------------

# gone(WHAT): the server is not busy with a query of ours any more, which would have lasted two minutes.
sub gone
{
	my ($what) = @_;
	return ok(poll_until(sub { !$mysql->running('SLEEP(120)') }, 20), "$what: the query at the server is gone");
}

# agents: the agent's processes that serve our server, {process id => that of its parent}.
sub agents
{
	my %all = map { (eval { slurp_file("$_/stat") } // '') =~ /^(\d+) \(dqds-agent\) \S (\d+)/ ? ($1 => $2) : () } glob '/proc/[0-9]*';
	# The current directory of sessions, which hold secrets, cannot be seen.
	my %server = map { $_ => 1 } grep { index(readlink("/proc/$_/cwd") // '', $control->data_dir) == 0 } keys %all;
	return map { $server{$_} || $server{ $all{$_} } ? ($_ => $all{$_}) : () } keys %all;
}

sub begin
{
	my ($settings) = @_;
	my $session = DqdsTest::Sql->connect($control);
	$session->query($_) foreach @{ $settings // [] };
	$session->send(q(SELECT * FROM dqds_list_schemas('shop')));
	ok(poll_until(sub { $mysql->running('SLEEP(120)') }, 30), 'the server is busy with a query');
	return $session;
}

$mysql->hold('schema_name%FROM information_schema.schemata%ORDER BY');
my $session = begin();
$sql->query('SELECT pg_cancel_backend(' . $session->pid . ')');
is($session->answer->{error}{sqlstate}, '57014', 'cancelled');
gone('cancel');
undef $session;

$session = begin([q(SET dqds.query_timeout = '30s')]);
$sql->query('SELECT pg_terminate_backend(' . $session->pid . ')');
gone('the end of the backend');
undef $session;

$session = begin();
# The session's process has the fork server as its parent.
my %agent = agents();
my ($process) = grep { $agent{ $agent{$_} } } keys %agent;
ok($process && kill('KILL', $process), 'the process of the session is killed');
isnt($session->answer->{error}, undef, 'and the caller is told');
like(lines(q(dqds_test_connection('shop', false))), qr/SUCCESS/, 'others go on');
undef $session;
$mysql->query("KILL QUERY $_") foreach $mysql->query(q(SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(120)'));
$mysql->release;

# The deadline: the text of the query has it, so it is asked for once before it is held.
$sql->query(q(SET dqds.query_timeout = '2s'));
$sql->query(q(SELECT * FROM dqds_list_schemas('shop')));
$mysql->hold('schema_name%FROM information_schema.schemata%ORDER BY');
$answer = $sql->query(q(SELECT * FROM dqds_list_schemas('shop')));
like($answer->{error}{message}, qr/did not finish within 2\.0 s/, "a deadline: $answer->{error}{message}");
gone('a deadline');
undef $sql;
$bridge->stop;
ok(poll_until(sub { my %left = agents(); !%left }, 30), 'no process of the agent is left');

done_testing();
