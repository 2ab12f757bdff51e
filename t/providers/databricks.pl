# Databricks against minilake, an emulator of its REST interface that others have written (MINILAKE, a Python that has it, from
# packaging/test-providers). It checks no token.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Outcome;
use DqdsTest::Process;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('minilake');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'IP:127.0.0.1');
my ($plain, $port) = (free_port(), free_port());
my $lake = DqdsTest::Process->start('minilake', "$dir/log",
	[ $ENV{MINILAKE}, qw(-m minilake --host 127.0.0.1 --port), $plain, '--tls', '--https-port', $port, '--ssl-certfile', "$dir/server.crt", '--ssl-keyfile', "$dir/server.key" ],
	{ MINILAKE_DATA_DIR => "$dir/data" });
ok(poll_until(sub { eval { open_socket($plain) } && eval { open_socket($port) } }, 60), 'minilake is up') or diag($lake->log);

# call(PATH, DATA): a request of its own interface; the answer's data.
sub call
{
	my ($path, $data) = @_;
	my $answer = http($plain, POST => $path, {}, to_json($data));
	die "$path: $answer->{status} $answer->{body}\n" if $answer->{status} >= 300;
	return eval { from_json($answer->{body}) };
}

my $catalogs = '/api/2.1/unity-catalog';
call("$catalogs/catalogs", { name => 'shop' });
call("$catalogs/schemas",  { name => $_, catalog_name => 'shop' }) foreach qw(sales stock);
call("$catalogs/tables", { name => 'orders', catalog_name => 'shop', schema_name => 'sales', table_type => 'MANAGED', data_source_format => 'DELTA', comment => 'all orders',
	columns => [ { name => 'id', type_name => 'LONG', type_text => 'bigint', position => 0, nullable => JSON::PP::false }, { name => 'price', type_name => 'DECIMAL', type_text => 'decimal(10,2)', type_precision => 10, type_scale => 2, position => 1 } ] });
call("$catalogs/tables", { name => 'Zeta', catalog_name => 'shop', schema_name => 'sales', table_type => 'MANAGED', data_source_format => 'DELTA', columns => [ { name => 'x', type_name => 'STRING', type_text => 'string', position => 0 } ] });
my $warehouse = call('/api/2.0/sql/warehouses', { name => 'small', cluster_size => '2X-Small' })->{id};

my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);
sub model { my (%change) = @_; return to_json({ provider_type => 'databricks', databricks => { host => '127.0.0.1', port => "$port", catalog => 'shop', access_token => 'any-token-1', http_path => "/sql/1.0/warehouses/$warehouse", %change } }); }
sub lines
{
	my ($call) = @_;
	my $answer = $sql->query("SELECT * FROM $call");
	return $answer->{error}{message} if $answer->{error};
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

create_connection($control, 'lake', model());
works($sql, 'a warehouse', model());
is(outcome($sql, model(catalog => 'none'))->{error_code}, 'database_not_found', 'an unknown catalog');
isnt(outcome($sql, model(http_path => '/sql/1.0/warehouses/none'))->{connection_test_result}, undef, 'an unknown warehouse has an outcome');
like(lines(q((SELECT string_agg(schema_name, ',') FROM dqds_list_schemas('lake')) AS s)), qr/\bsales,stock$/, 'schemas');
is(lines(q((SELECT table_name, table_kind, comment FROM dqds_list_tables('lake', 'sales')) AS t)), "Zeta|table|-\norders|table|all orders", 'tables');
is(lines(q((SELECT table_name FROM dqds_list_tables('lake', 'sales', 'rder')) AS t)), 'orders', 'a filter');
is(lines(q((SELECT table_name, ordinal_position, column_name, "precision", scale FROM dqds_list_columns('lake', 'sales')) AS c)), "Zeta|1|x|-|-\norders|1|id|-|-\norders|2|price|10|2", 'columns');
is(lines(q((SELECT column_name FROM dqds_list_columns('lake', 'sales', '{orders}')) AS c)), "id\nprice", 'columns of one table');
is(lines(q((SELECT step FROM dqds_diagnose_connection('lake') WHERE status = 'failed') AS d)), '', 'a diagnosis without failures') or diag(lines(q(dqds_diagnose_connection('lake'))));
is(lines(q((SELECT count(*) FROM dqds_import_tables('lake', 'sales')) AS i)), '2', 'import');
my $bridge = start_bridge($control, connections => ['lake']);
is(http($bridge, GET => '/api/datasource/connections/lake/schemas/sales/tables')->{status}, 200, 'REST');

done_testing();
