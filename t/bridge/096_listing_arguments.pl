# Arguments of listings: all schemas, one table, filters that ignore case, that exclude, that leave out partitions; over SQL
# with a name and with models, and over REST; and at servers with fewer features: look-alikes, QuestDB and its older versions.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Lookalike;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote', conf => 'autovacuum = off');
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);
my $model   = connection_model($remote);
create_connection($control, 'shop', $model);
my $bridge = start_bridge($control, connections => ['shop']);
note("PostgreSQL $version");

my $long = 'x' x 63;
$remote->safe_psql('postgres', qq{
	CREATE SCHEMA a; CREATE SCHEMA "B"; CREATE SCHEMA closed; CREATE SCHEMA empty;
	CREATE TABLE a.orders (id integer, code text); CREATE TABLE a."Orders" (id integer); CREATE TABLE a.order_items (id integer); CREATE TABLE a.customers (id integer);
	CREATE TABLE a."ÄRGER" (id integer); CREATE TABLE a."{x}" (in_braces integer); CREATE TABLE a.x (outside integer); CREATE TABLE a.y (id integer); CREATE TABLE a.$long (id integer);
	CREATE TABLE a.parts (id integer) PARTITION BY RANGE (id); CREATE TABLE a.parts_1 PARTITION OF a.parts FOR VALUES FROM (0) TO (1);
	CREATE TABLE a.parts_2 PARTITION OF a.parts FOR VALUES FROM (1) TO (2); CREATE TABLE "B".orders (id integer); CREATE TABLE closed.orders (id integer);
	GRANT USAGE ON SCHEMA a, "B", empty TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA a, "B", closed TO reader});

sub names { my ($arguments, $column) = @_; return join ' ', $sql->column('SELECT ' . ($column // 'table_name') . " FROM dqds_list_tables($arguments)"); }

# --- All schemas ------------------------------------------------------------------------------------------

my $everything = "B.orders a.Orders a.customers a.order_items a.orders a.parts a.parts_1 a.parts_2 a.x a.$long a.y a.{x} a.ÄRGER";
my $full       = q{concat(schema_name, '.', table_name)};
foreach my $connection (q('shop'), map { sql_literal($model) . "::$_" } qw(text json jsonb))
{
	is(names($connection, $full), $everything, 'the tables of all schemas that may be used, by schema and table: ' . substr $connection, -8);
	is(names("$connection, NULL", $full), $everything, 'NULL means all');
}
is(names(q('shop', max_rows => 3), $full), 'B.orders a.Orders a.customers', 'the first of them');
is(names(q('shop', NULL, 'orders'), $full), 'B.orders a.orders', 'those with a name');
$sql->must(q{SELECT * FROM dqds_import_tables('shop', 'a', table_names => '{orders}')});
is(names(q('shop') . ') WHERE already_imported AND (true', $full), 'a.orders', 'and it is known which of them were imported, of which schema');
is($sql->value(q{SELECT count(*) FROM dqds_list_tables('shop', 'closed')}), 1, 'a schema without USAGE is listed by its name');

# --- Filters ------------------------------------------------------------------------------------------------

my @filters = (
	# arguments behind the connection and the schema, tables
	[ q(, 'rders'),                                                                     'Orders orders' ],
	[ q(, 'ORDER'),                                                                     '' ],
	[ q(, 'ORDER', case_insensitive => true),                                           'Orders order_items orders' ],
	[ q(, 'rger', case_insensitive => true),                                            'ÄRGER' ],
	[ q(, 'ORDER', case_insensitive => true, max_rows => 2),                            'Orders order_items' ],
	[ q(, 'order', table_name_excludes => 'items'),                                     'orders' ],
	[ q(, 'order', table_name_excludes => 'ITEMS'),                                     'order_items orders' ],
	[ q(, 'order', table_name_excludes => 'ITEMS', case_insensitive => true),           'Orders orders' ],
	[ q(, table_name_excludes => 'r', max_rows => 2),                                   "x $long" ],
	[ q(, table_name_excludes => '%'),                                                  "Orders customers order_items orders parts parts_1 parts_2 x $long y {x} ÄRGER" ],
	[ q(, table_name_excludes => ''),                                                   "Orders customers order_items orders parts parts_1 parts_2 x $long y {x} ÄRGER" ],
	[ q(, 'parts', include_partitions => false),                                        'parts' ],
	[ q(, 'part', include_partitions => NULL, case_insensitive => NULL),                'parts parts_1 parts_2' ],
	[ q(, 'PART', include_partitions => false, case_insensitive => true, max_rows => 5), 'parts' ],
	[ q(, '', 3, false, false, 'Orders', false),                                        'customers order_items orders' ]);
foreach my $filter (@filters)
{
	is(names("'shop', 'a'$filter->[0]"), $filter->[1], "tables$filter->[0]");
}

# --- The columns of one table ----------------------------------------------------------------------------------

sub columns_of { my ($argument) = @_; return join ' ', $sql->column("SELECT concat(table_name, '.', column_name) FROM dqds_list_columns('shop', 'a', $argument)"); }
is(columns_of(q('orders')),              'orders.id orders.code',           'one table, by its name alone');
is(columns_of(q('orders'::text)),        'orders.id orders.code',           'a text');
is(columns_of(q(ARRAY['orders', 'y'])),  'orders.id orders.code y.id',      'an array');
is(columns_of(q('{orders,y}')),          'orders.id orders.code y.id',      'an array as it is written, as in version 1.0');
is(columns_of(q('{orders,y}'::text[])),  'orders.id orders.code y.id',      'the same with its type');
is(columns_of(q('{x}')),                 'x.outside',                       'an array of one');
is(columns_of(q(ARRAY['{x}'])),          '{x}.in_braces',                   'a name that looks like an array');
is(columns_of(q('{x')),                  '',                                'what is no array is a name');
is(columns_of(q('nowhere')),             '',                                'an unknown table has no columns');
is(columns_of("'${long}y'"),             '',                                'a name of 64 bytes is no table, though the server cuts it to one that is there');
is(columns_of("ARRAY['${long}y', 'y']"), 'y.id',                            'and does not hide others');
is(columns_of("'$long'"),                "$long.id",                        'one of 63 bytes is one');
is($sql->value(q{SELECT count(*) FROM dqds_list_columns('shop', 'a', NULL)}), $sql->value(q{SELECT count(*) FROM dqds_list_columns('shop', 'a')}), 'NULL means all tables');
is($sql->value("SELECT count(*) FROM dqds_list_columns(" . sql_literal($model) . "::$_, 'a', 'orders')"), 2, "one table of a model of type $_") foreach qw(text json jsonb);
$sql->must(q{PREPARE p AS SELECT column_name FROM dqds_list_columns('shop', 'a', $1)});
is(join(' ', $sql->column(q{EXECUTE p ('y')})), 'id', 'as a parameter');

# --- REST ------------------------------------------------------------------------------------------------------------

my $path = '/api/datasource/connections/shop/schemas/a/tables';
sub rest { my ($query) = @_; my $answer = http($bridge, GET => "$path?$query"); return join ' ', map { utf8::encode(my $n = $_->{tableName}); $n } @{ $answer->{json} }; }
is(rest('includePartitions=false&tableNameContains=part'), 'parts', 'REST: without partitions');
is(rest('tableNameContains=ORDER&caseInsensitive=true'), 'Orders order_items orders', 'REST: whatever the case');
is(rest('tableNameContains=order&tableNameExcludes=items'), 'orders', 'REST: but for some');
is(rest('tableNameContains=part&includePartitions=false&details=true&limit=7'), 'parts', 'REST: with details');
my $owner = $remote->safe_psql('postgres', 'SELECT current_user');
is_deeply(
	http($bridge, GET => "$path?details=true&tableNameContains=parts_1")->{json},
	[ { connectionName => 'shop', schemaName => 'a', tableName => 'parts_1', alreadyImported => \0, tableKind => 'partition', partitionOf => 'a.parts', owner => $owner, canSelect => \1 } ],
	'REST: the details');
is(http($bridge, GET => "$path?details=true&includeSizes=true&tableNameContains=parts_1")->{json}[0]{sizeBytes}, 0, 'REST: sizes');
is(http($bridge, GET => "$path?tableNameContains=parts_1")->{body}, '[{"connectionName":"shop","schemaName":"a","tableName":"parts_1","alreadyImported":false}]' . (http($bridge, GET => "$path?limit=0")->{body} =~ /\n\z/ ? "\n" : ''),
	'REST: the short answer is as it was');
is(http($bridge, GET => "$path?caseInsensitive=maybe")->{status}, 400, 'REST: not true and not false');

# --- Look-alikes --------------------------------------------------------------------------------------------------------

my $lookalike = start_lookalike($remote);
create_connection($control, 'alike', connection_model($remote, port => '' . $lookalike->port));
is(names(q('alike', 'a', 'parts', include_partitions => false)), 'parts', 'a look-alike: without partitions');
is(names(q('alike', 'a', 'ORDER', case_insensitive => true, table_name_excludes => 'items')), 'Orders orders', 'a look-alike: filters');
is(names(q('alike'), $full), $everything, 'a look-alike: all schemas');
is(join(' ', $sql->column(q{SELECT concat_ws('/', column_name, column_type, coalesce(full_type, 'unknown')) FROM dqds_list_columns('alike', 'a', 'orders')})), 'id/integer/unknown code/text/unknown',
	'a look-alike: columns, without what it is not asked for');
is($sql->value(q{SELECT count(*) FROM dqds_list_schemas('alike') WHERE extension IS NULL}), 4, 'a look-alike: schemas');

# --- QuestDB ----------------------------------------------------------------------------------------------------------------

# It asks for the password in the clear. Answers are those of version 9.3.4; older ones lack the functions, and say so.
sub questdb
{
	my ($name, $is_old) = @_;
	my $row = sub { return pg_message('D', pack('n', scalar @_) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @_); };
	my @asked;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			pg_log_in($socket);
			pg_answer($socket, sub {
				my ($query) = @_;
				return pg_error('00000', 'unknown function name: tables()', 'ERROR') . pg_message('Z', 'I') if $is_old && $query =~ /tables\(\)|questdb_columns\(\)/;
				my @rows =
					$query =~ /questdb_columns/ ? map { my ($type, @numbers) = @$_; [ 'trades', 1 + $_->[3], "c$_->[3]", $type =~ s/\(.*//r, undef, @numbers[ 0, 1 ], 'true', 'false', undef, $type, (undef) x 8 ] }
					  ([ 'DOUBLE[]', '', '', 0 ], [ 'DECIMAL(10,2)', '10', '2', 1 ], [ 'SYMBOL', undef, undef, 2 ], [ 'GEOHASH(4c)', '4c', '', 3 ])
				  : $query =~ /information_schema\.columns/ ? ([ 'trades', 1, 'c0', 'unknown', (undef) x 3, 'true', 'false', undef, 'unknown', (undef) x 8 ])
				  : $query =~ /tables\(\)/ ? ([ 'mv1', 'materialized_view', 2, (undef) x 6 ], [ 'trades', 'table', 2, (undef) x 6 ], [ 'v1', 'view', (undef) x 7 ])
				  : ([ 'mv1', 'table', (undef) x 7 ], [ 'trades', 'table', (undef) x 7 ]);
				my $width = @{ $rows[0] };
				return pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', $width) . join '', map { "c\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $width)
				  . join('', map { $row->(@$_) } @rows) . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I');
			}) while 1;
		});
	create_connection($control, $name, to_json({ provider_type => 'questdb',
		questdb => { host => '127.0.0.1', port => '' . $server->port, database => 'qdb', user => 'admin', password => 'quest', sslmode => 'disable', properties => { allow_cleartext_password => 'true' } } }));
	return $server;
}
my @questdb = (questdb('quest', 0), questdb('old quest', 1));
is(join(' ', $sql->column(q{SELECT concat_ws('/', table_name, table_kind, coalesce(estimated_rows::text, 'unknown')) FROM dqds_list_tables('quest', 'public')})),
	'mv1/materialized_view/2 trades/table/2 v1/view/unknown', 'QuestDB: kinds and rows');
is(join(' ', $sql->column(q{SELECT concat_ws('/', column_type, coalesce("precision"::text, '-'), coalesce(scale::text, '-'), full_type) FROM dqds_list_columns('quest', 'public', 'trades')})),
	'DOUBLE[]/-/-/DOUBLE[] DECIMAL/10/2/DECIMAL(10,2) SYMBOL/-/-/SYMBOL GEOHASH/-/-/GEOHASH(4c)', 'QuestDB: types');
is(join(' ', $sql->column(q{SELECT concat_ws('/', table_name, table_kind) FROM dqds_list_tables('old quest', 'public')})), 'mv1/table trades/table', 'an old QuestDB: tables');
is(join(' ', $sql->column(q{SELECT column_type FROM dqds_list_columns('old quest', 'public', 'trades')})), 'unknown', 'an old QuestDB: columns');

$bridge->stop;
$sql->close;
$control->stop;
$remote->stop('immediate');
done_testing();
