# A bridge whose control database is a streaming standby: reads work as usual, and writes are refused with 503 and the reason,
# which is SQLSTATE 25006. When the standby is promoted, everything works without a restart.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', streaming => 1);
$remote->safe_psql('postgres', 'CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON shop.orders TO reader');
my $primary_bridge = start_bridge($control);
is(http($primary_bridge, POST => '/api/connections/mine/basic', {}, connection_model($remote))->{status}, 201, 'a connection is registered at the primary');
my $imported = http($primary_bridge, POST => '/api/jobs/importtables', {}, '{"connectionName":"mine","schemaName":"shop"}');
is($imported->{status}, 200, 'a table is imported at the primary');
my $token = $control->safe_psql('postgres', q(SELECT dqds_create_token('dqds_anonymous', '1 hour')));
$primary_bridge->stop;

$control->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($control, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "log_line_prefix = '%a %e '");
$standby->start;
$control->wait_for_catchup($standby, 'replay', $control->lsn('write'));
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'the standby is one');

my $bridge = start_bridge(undef, control_db => bridge_conninfo($standby));
my $import = '{"connectionName":"mine","schemaName":"shop"}';

# --- What reads ------------------------------------------------------------------------------------------

sub get
{
	my ($target, $name) = @_;
	my $answer = http($bridge, GET => $target);
	is(answer_fault($answer, 200), undef, "$name: 200");
	return $answer->{json};
}

health_of($bridge);
is(get('/api/ishealthy', 'isHealthy'), 'OK', 'isHealthy: OK');
is_deeply([ map { $_->{connection_name} } @{ get('/api/connections', 'all connections') } ], ['mine'], 'all connections: as at the primary');
is(get('/api/connections/mine/basic', 'one connection')->{postgresql}{password}, '********', 'one connection: with its secret masked');
is_deeply(
	[ map { "$_->{schemaName} $_->{alreadyImported}" } @{ get('/api/datasource/connections/mine/schemas', 'schemas') } ],
	[ 'public 0', 'shop 1' ], 'schemas: as they are, with what is imported');
is_deeply(
	[ map { "$_->{tableName} $_->{alreadyImported}" } @{ get('/api/datasource/connections/mine/schemas/shop/tables', 'tables') } ],
	['orders 1'], 'tables: as they are, with what is imported');
is(get('/api/connections/mine', 'one connection, with its spec')->{spec}{postgresql}{password}, '********', 'one connection, with its spec: masked, too');
is_deeply([ map { $_->{schema_name} } @{ get('/api/connections/mine/schemas', 'imported schemas') } ], ['shop'], 'imported schemas: as at the primary');
is_deeply([ map { $_->{target}{table_name} } @{ get('/api/connections/mine/schemas/shop/tables', 'imported tables') } ], ['orders'], 'imported tables: as at the primary');
is_deeply(get("/api/jobs/jobs/$imported->{json}{jobId}{jobId}", 'a job')->{jobId}, $imported->{json}{jobId}, 'a job: as it was done at the primary');
foreach my $case (
	[ 'SUCCESS',                   connection_model($remote) ],
	[ 'FAILURE',                   connection_model($remote, password        => 'wrong') ],
	[ 'CONNECTION_ALREADY_EXISTS', connection_model($remote, connection_name => 'mine') ])
{
	my $answer = http($bridge, POST => '/api/datasource/testconnection', {}, $case->[1]);
	is(answer_fault($answer, 200), undef, "test, $case->[0]: 200");
	is($answer->{json}{connectionTestResult}, $case->[0], "test, $case->[0]");
}
is(http($bridge, GET => '/api/connections', { Authorization => "Bearer $token" })->{status}, 200, 'a token works');

# --- What writes --------------------------------------------------------------------------------------------

my @writes = (
	[ 201, POST   => '/api/connections/new/basic',  connection_model($remote), 'dqds_create_connection' ],
	[ 204, PUT    => '/api/connections/mine/basic', connection_model($remote), 'dqds_update_connection' ],
	[ 200, POST   => '/api/jobs/importtables',      $import,                   'dqds_import_tables' ],
	[ 200, DELETE => '/api/connections/new',        undef,                     'dqds_drop_connection' ]);
foreach my $write (@writes)
{
	my ($status, $method, $path, $body, $function) = @$write;
	my $answer = http($bridge, $method, $path, {}, $body);
	is(answer_fault($answer, 503), undef, "$method $path: 503 with Retry-After");
	is($answer->{json}{message}, "cannot execute $function in a read-only transaction", "$method $path: says why");
	is($answer->{json}{errorCode}, undef, "$method $path: no error code, for it is not the remote");
	like(slurp_file($standby->logfile), qr/^dqds-bridge 25006 ERROR:  cannot execute $function in/m, "$method $path: SQLSTATE 25006 behind it");
}
is(http($bridge, POST => '/api/jobs/importtables', {}, '{')->{status}, 400, 'what cannot be read is 400 here, too');
is(http($bridge, PUT => '/api/connections/nix/basic', {}, connection_model($remote))->{status}, 503, 'what is not there cannot be written either');
is(get('/api/ishealthy', 'isHealthy after that'), 'OK', 'isHealthy after that: OK');

# --- Promoted -----------------------------------------------------------------------------------------------

hostile_watch(bridge => $bridge, control => $standby, remote => $remote);
hostile('standby-promoted', sub {
	$control->stop('immediate');
	$standby->promote;
	foreach my $write (@writes)
	{
		my ($status, $method, $path, $body) = @$write;
		is(http($bridge, $method, $path, {}, $body)->{status}, $status, "promoted: $method $path: $status");
	}
});
hostile_end();
is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
