# A real Presto over the agent. `make test-providers` downloads it; it takes minutes to start.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use DqdsTest::Trino;
use Test::More;

plan skip_all => 'no Presto: PRESTO_HOME and PRESTO_JAVA_HOME or JAVA_HOME name none' if !DqdsTest::Trino->available('presto');

my $server  = DqdsTest::Trino->start('presto');
my $control = control_server('control', conf => "dqds.query_timeout = '60s'\ndqds.connect_timeout = '60s'");
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'tpch', $server->model);

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
is_deeply(lines_of(q(SELECT column_name, ordinal_position, column_type, length FROM dqds_list_columns('tpch', 'tiny', ARRAY['nation']))),
	[ 'nationkey|1|bigint|-', 'name|2|varchar|25', 'regionkey|3|bigint|-', 'comment|4|varchar|152' ], 'columns');
is_deeply(lines_of(q(SELECT status, count(*) FROM dqds_import_tables('tpch', 'tiny') GROUP BY 1)), ['imported|8'], 'import');
my ($tested) = $sql->rows(q(SELECT * FROM dqds_test_connection('tpch')));
is($tested->{error_message}, undef, 'the test of the connection');
like($tested->{server_version}, qr/^0\./, 'tells the version');
create_connection($control, 'nowhere', $server->model(database => 'nowhere'));
is_deeply(lines_of(q(SELECT error_code FROM dqds_test_connection('nowhere'))), ['database_not_found'], 'an unknown catalog');

$control->stop;
$server->stop;
done_testing();
