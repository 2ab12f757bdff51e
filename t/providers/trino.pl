# A real Trino over the agent. `make test-providers` downloads it; it takes minutes to start.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use DqdsTest::Tls;
use DqdsTest::Trino;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no Trino: TRINO_HOME and JAVA_HOME name none' if !DqdsTest::Trino->available('trino');

my $dir = PostgreSQL::Test::Utils::tempdir('certificates');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'DNS:localhost,IP:127.0.0.1');

my @names  = sort ('"', "'; drop table x; --", '%_', 'a', 'a b', 'back\\slash', '{a,"b"}', 'größe', '表');
my $server = DqdsTest::Trino->start('trino', tls => { cert => "$dir/server.crt", key => "$dir/server.key" });
$server->query('CREATE SCHEMA memory.names');
foreach my $name (@names)
{
	my $quoted = $name =~ s/"/""/gr;
	$server->query(qq(CREATE TABLE memory.names."$quoted" ("$quoted" integer)));
}
$server->query(q(CREATE TABLE memory.default.orders (id bigint NOT NULL, name varchar(25) COMMENT 'who', price decimal(12,2), at timestamp(3) with time zone, tags array(varchar)) COMMENT 'all orders'));
$server->query('CREATE VIEW memory.default.cheap AS SELECT id FROM memory.default.orders WHERE price < 10');

my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'\ndqds.query_timeout = '30s'");
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'tpch',   $server->model);
create_connection($control, 'memory', $server->model(catalog => 'memory'));

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('tpch'))), [qw(sf1 sf100 sf1000 sf10000 sf100000 sf300 sf3000 sf30000 tiny)], 'schemas');
is_deeply(lines_of(q(SELECT table_name, table_kind, estimated_rows FROM dqds_list_tables('tpch', 'tiny'))),
	[ map { "$_|table|-" } qw(customer lineitem nation orders part partsupp region supplier) ], 'tables');
is_deeply(lines_of(q(SELECT table_name, table_kind, comment FROM dqds_list_tables('memory', 'default'))), [ 'cheap|view|-', 'orders|table|all orders' ], 'kinds and comments');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('memory', 'names'))), \@names, 'names of any characters');
is_deeply(lines_of(q(SELECT table_name, column_name FROM dqds_list_columns('memory', 'names'))), [ map { "$_|$_" } @names ], 'also of columns');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('memory', 'names', '%'))), [ grep { /%/ } @names ], 'a literal filter');
is_deeply(lines_of(q(SELECT column_name, ordinal_position, column_type, length, "precision", scale, nullable, comment FROM dqds_list_columns('memory', 'default', ARRAY['orders']))), [
	'id|1|bigint|-|-|-|f|-', 'name|2|varchar|25|-|-|t|who', 'price|3|decimal|-|12|2|t|-', 'at|4|timestamp(3) with time zone|-|-|-|t|-', 'tags|5|array(varchar)|-|-|-|t|-' ], 'columns');
is_deeply(lines_of(q(SELECT count(*) AS columns, count(DISTINCT table_name) AS tables FROM dqds_list_columns('tpch', 'tiny'))), ['61|8'], 'all columns of a schema');
is_deeply(lines_of(q(SELECT status, count(*) FROM dqds_import_tables('tpch', 'tiny') GROUP BY 1)), ['imported|8'], 'import');
is_deeply(lines_of(q(SELECT server_version, error_code FROM dqds_test_connection('tpch'))), ['476|-'], 'the test of the connection')
  if $server->query('SELECT version()') && ($server->query('SELECT version()'))[0][0] eq '476';

sub test
{
	my (%opt) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($server->model(%opt)) . '::json)');
	return join ' ', map { $_ // '-' } @$row{qw(error_code error_message)};
}

my @tls = (port => $server->tls_port, sslmode => 'verify-full');
is(test(@tls, password => DqdsTest::Trino::PASSWORD), '- -', 'a password over TLS');
like(test(@tls, password => 'wrong'), qr/^authentication_failed/, 'a wrong password');
like(test(@tls, password => DqdsTest::Trino::PASSWORD, catalog => 'nowhere'), qr/^database_not_found catalog "nowhere"/, 'an unknown catalog');
like(test(password => 'any', properties => { allow_cleartext_password => 'true' }), qr/^authentication_failed .*takes no password/, 'a password where none is taken');
like(test(@tls, host => '127.0.0.1', port => $server->port, password => 'any'), qr/^(tls_failed|connection_lost|server_silent)/, 'TLS at the port without it');

# All of the samples' columns take the server a moment.
my $long = q(SELECT count(*) FROM dqds_list_schemas('tpch') s, LATERAL dqds_list_columns('tpch', s.schema_name) c);
my $pid  = $sql->pid;
$sql->send($long);
ok(poll_until(sub { $server->running('information_schema.columns') > 0 }, 60), 'a statement is under way');
$control->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
is($sql->answer->{error}{sqlstate}, '57014', 'it is cancelled');
ok(poll_until(sub { $server->running('information_schema.columns') == 0 }, 10), 'and gone at the server');

$control->stop;
$server->stop;
done_testing();
