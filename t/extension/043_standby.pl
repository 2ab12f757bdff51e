# On a streaming standby of the control database everything that only reads works: tests, listings, views. Writes are refused
# with SQLSTATE 25006 before anything is sent to the remote server; after promotion they work.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $primary = control_server('primary', streaming => 1);
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; CREATE TABLE shop.orders (id integer);'
	. 'CREATE TABLE shop.customers (id integer); GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader');
my $model = sql_literal(connection_model($remote, parallel_jobs_limit => 2));
create_connection($primary, 'prod', connection_model($remote, parallel_jobs_limit => 2));
grant_role($primary, 'operator', level => 'operator', connections => ['prod']);
grant_role($primary, 'editor', level => 'editor', connections => ['prod']);
$primary->safe_psql('postgres', q{SELECT dqds_import_tables('prod', 'shop', 'orders')});

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'the standby is one');

# --- What reads --------------------------------------------------------------------------------------

my @reading = (
	[ q{SELECT connection_name, host FROM dqds_connections},                                     'prod|127.0.0.1' ],
	[ q{SELECT table_name FROM dqds_imported_tables},                                            'orders' ],
	[ q{SELECT column_name FROM dqds_imported_columns},                                          'id' ],
	[ q{SELECT connection_test_result FROM dqds_test_connection('prod')},                        'SUCCESS' ],
	[ qq{SELECT connection_test_result FROM dqds_test_connection($model)},                       'SUCCESS' ],
	[ q{SELECT connection_name, connection_test_result FROM dqds_test_connections()},            'prod|SUCCESS' ],
	[ q{SELECT already_imported FROM dqds_list_schemas('prod') WHERE schema_name = 'shop'},      't' ],
	[ qq{SELECT count(*) FROM dqds_list_schemas($model) WHERE schema_name = 'shop'},             '1' ],
	[ q{SELECT table_name, already_imported FROM dqds_list_tables('prod', 'shop')},              "customers|f\norders|t" ],
	[ q{SELECT table_name, column_name FROM dqds_list_columns('prod', 'shop', '{orders}')},      'orders|id' ],
	[ q{SELECT dqds_list_tables_json('prod', 'shop', 'cust', 1, false)::json ->> 0 IS NOT NULL}, 't' ]);
foreach my $case (@reading)
{
	my ($query, $expected) = @$case;
	is($standby->safe_psql('postgres', "SET ROLE operator; $query"), $expected, "works: " . substr $query, 0, 70);
}
is( $standby->safe_psql('postgres', join '; ', ('SET ROLE operator', (q{SELECT count(*) FROM dqds_list_tables('prod', 'shop')}) x 3, 'SELECT dqds_close_idle()')),
	"2\n2\n2\n1", 'one remote session serves several calls');

# --- What writes -------------------------------------------------------------------------------------

my $asked = -s $remote->logfile;

# error_of(STATEMENTS): their error, with its SQLSTATE.
sub error_of
{
	my ($status, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$_[0]");
	return $err;
}

foreach my $call (
	"dqds_create_connection('new', $model)", "dqds_update_connection('prod', $model)", q{dqds_rename_connection('prod', 'x')},
	q{dqds_drop_connection('prod')}, q{dqds_import_tables('prod', 'shop')}, q{dqds_unimport_tables('prod', 'shop')},
	q{dqds_import_tables_json('{"connectionName": "prod", "schemaName": "shop"}', NULL)})
{
	my ($function) = $call =~ /^(\w+)/;
	my $name = $function =~ s/_json$//r;
	like(error_of("SET ROLE editor; SELECT $call"), qr/ERROR:\s+25006: cannot execute $name in a read-only transaction/, "refused: $function");
}
foreach my $call (q{dqds_grant('viewer', 'operator')}, q{dqds_revoke('viewer', 'operator')}, q{dqds_grant_connection('prod', 'editor')},
	q{dqds_revoke_connection('prod', 'editor')})
{
	like(error_of("SELECT $call"), qr/ERROR:\s+25006: /, "refused: $call");
}
my $log = slurp_file($remote->logfile, $asked);
unlike($log, qr/user=reader/, 'and the remote was not bothered');

# --- Changes arrive, and after promotion all is as on any primary ------------------------------------

create_connection($primary, 'second', connection_model($remote));
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT connection_test_result FROM dqds_test_connection('second')}), 'SUCCESS',
	'a connection that was created on the primary works on the standby');
$standby->promote;
is($standby->safe_psql('postgres', q{SET ROLE editor; SELECT table_name, status FROM dqds_import_tables('prod', 'shop')}),
	"customers|imported\norders|unchanged", 'promoted, it imports');

$standby->stop;
$primary->stop;
$remote->stop;
done_testing();
