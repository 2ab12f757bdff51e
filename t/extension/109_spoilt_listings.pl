# No listing fails because of other sessions or objects at the remote server: a definition that the server cannot write,
# statistics that no real table has, locks in another database, statistics collection that is switched off. Also blanks in an
# array of names that is given as text.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote', conf => 'autovacuum = off');
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop', connection_model($remote));

# --- Arrays as text -------------------------------------------------------------------------------------------------

$remote->safe_psql('postgres', q{CREATE SCHEMA a AUTHORIZATION reader; SET ROLE reader;
	CREATE TABLE a.x (id integer PRIMARY KEY); CREATE TABLE a.y (id integer PRIMARY KEY); CREATE TABLE a." y" (id integer PRIMARY KEY); CREATE TABLE a."two words" (id integer PRIMARY KEY)});
foreach my $case (
	[ '{x,y}' => 'x y' ], [ '{x, y}' => 'x y' ], [ "{ x\t,\n y }" => 'x y' ], [ '{"x" , "y"}' => 'x y' ], [ '{" y", x}' => ' y x' ], [ '{ two words }' => 'two words' ], [ '{NULL , x}' => 'x' ],
	[ ' y' => ' y' ], [ '{ }' => '' ], [ '{x,}' => '' ], [ '{x, , y}' => '' ], [ '{ x' => '' ])
{
	my ($literal, $expected) = @$case;
	foreach my $list (qw(columns constraints indexes))
	{
		my @tables = $sql->column("SELECT DISTINCT table_name COLLATE \"C\" FROM dqds_list_$list('shop', 'a', " . sql_literal($literal) . ') ORDER BY 1');
		is(join(' ', @tables), $expected, "$list of $literal");
	}
}

# --- A definition that the server cannot write ------------------------------------------------------------------------

# With 4,000 levels and the usual limit it takes more of the stack than to create it; here the limit is lower than when it was created.
my ($open, $close) = ('abs(' x 1000, ')' x 1000);
$remote->safe_psql('postgres', q{ALTER ROLE reader SET max_stack_depth = '150kB'});
$sql->must('SELECT dqds_close_idle()');
$remote->safe_psql('postgres', "CREATE SCHEMA deep AUTHORIZATION reader; SET ROLE reader; CREATE TABLE deep.plain (id integer PRIMARY KEY, n integer DEFAULT 7 CHECK (n > 0));
	CREATE TABLE deep.deep (n integer DEFAULT ${open}1$close, CHECK (n > ${open}1$close)); CREATE INDEX deep_index ON deep.deep (n)");
foreach my $function (q{pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'deep.deep'::regclass}, q{pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'deep.deep'::regclass})
{
	my (undef, undef, $error) = $remote->psql('postgres', "SET max_stack_depth = '150kB'; SELECT $function");
	like($error, qr/stack depth/, 'the server itself cannot write it');
}
is_deeply([ $sql->rows(q{SELECT table_name, column_name, column_type, default_expression FROM dqds_list_columns('shop', 'deep')}) ],
	[   { table_name => 'deep',  column_name => 'n',  column_type => 'integer', default_expression => undef },
		{ table_name => 'plain', column_name => 'id', column_type => 'integer', default_expression => undef },
		{ table_name => 'plain', column_name => 'n',  column_type => 'integer', default_expression => undef } ],
	'the columns of its schema are listed');
is_deeply([ $sql->rows(q{SELECT constraint_name, column_names, definition FROM dqds_list_constraints('shop', 'deep')}) ],
	[   { constraint_name => 'deep_n_check',  column_names => '{n}',  definition => undef },
		{ constraint_name => 'plain_n_check', column_names => '{n}',  definition => undef },
		{ constraint_name => 'plain_pkey',    column_names => '{id}', definition => undef } ],
	'and the constraints');
is(join(' ', $sql->column(q{SELECT index_name FROM dqds_list_indexes('shop', 'deep')})), 'deep_index plain_pkey', 'and the indexes');
is($sql->value(q{SELECT definition FROM dqds_list_constraints('shop', 'deep', 'plain') WHERE constraint_type = 'check'}), 'CHECK (n > 0)', 'asked for alone, the other table has its definitions');

$remote->safe_psql('postgres', 'ALTER ROLE reader RESET max_stack_depth; DROP SCHEMA deep CASCADE');
$sql->must('SELECT dqds_close_idle()');

# --- A definition that has to wait ---------------------------------------------------------------------------------------

SKIP:
{
	skip 'there are no generated columns', 1 if $version < 12;
	$remote->safe_psql('postgres', q{CREATE SCHEMA w AUTHORIZATION reader; SET ROLE reader; CREATE TABLE w.t (id integer DEFAULT 7, twice integer GENERATED ALWAYS AS (id * 2) STORED)});
	my $locker = DqdsTest::Sql->connect($remote);
	$locker->must('BEGIN');
	$locker->must('LOCK TABLE w.t IN ACCESS EXCLUSIVE MODE');
	is(join(' ', $sql->column(q{SELECT format('%s:%s', column_name, coalesce(default_expression, 'none')) FROM dqds_list_columns('shop', 'w')})), 'id:7 twice:none', 'what a column is generated from is NULL while its table is locked');
	$locker->must('ROLLBACK');
	$locker->close;
}

# --- Statistics that no table has ---------------------------------------------------------------------------------------

# Since version 18 the owner can set them; before that a superuser can.
$remote->safe_psql('postgres', q{CREATE SCHEMA e AUTHORIZATION reader; SET ROLE reader; CREATE TABLE e.few (id integer); INSERT INTO e.few VALUES (1), (2); ANALYZE e.few; CREATE TABLE e.endless (id integer);
	CREATE TABLE e.parent (id integer); CREATE TABLE e.child_1 () INHERITS (e.parent); CREATE TABLE e.child_2 () INHERITS (e.parent)});
$remote->safe_psql('postgres', q{UPDATE pg_class SET reltuples = 'Infinity' WHERE oid = 'e.endless'::regclass;
	UPDATE pg_class SET reltuples = 9e18 WHERE oid IN ('e.parent'::regclass, 'e.child_1'::regclass, 'e.child_2'::regclass)});
is(join(' ', $sql->column(q{SELECT format('%s:%s', table_name, estimated_rows) FROM dqds_list_tables('shop', 'e')})), 'child_1: child_2: endless: few:2 parent:', 'impossible numbers of rows are none');

# --- Statistics collection switched off
# ----------------------------------------------------------------------------------------------

SKIP:
{
	skip 'the counters are not asked', 2 if $version < 15;
	$remote->safe_psql('postgres', q{CREATE SCHEMA f AUTHORIZATION reader; SET ROLE reader; CREATE TABLE f.filled (id integer); ANALYZE f.filled});
	my $rows = sub { return $sql->value(q{SELECT coalesce(estimated_rows::text, 'none') FROM dqds_list_tables('shop', 'f')}); };
	is($rows->(), '0', 'an empty table has no rows');
	reload_with($remote, 'track_counts = off');
	$remote->safe_psql('postgres', 'INSERT INTO f.filled SELECT generate_series(1, 1000)');
	$sql->must('SELECT dqds_close_idle()');
	is($rows->(), 'none', 'but one that was filled while nothing is counted is not called empty');
}

# --- Locks in another database --------------------------------------------------------------------------------------------

# In databases of the same template the same table has the same number.
$remote->safe_psql('postgres', 'CREATE DATABASE first');
$remote->safe_psql('first', 'CREATE SCHEMA s AUTHORIZATION reader; SET ROLE reader; CREATE TABLE s.t (id integer PRIMARY KEY)');
$remote->safe_psql('postgres', 'CREATE DATABASE second TEMPLATE first');
create_connection($control, 'first', connection_model($remote, database => 'first'));
my $locker = DqdsTest::Sql->connect($remote, database => 'second');
$locker->must('BEGIN');
$locker->must('LOCK TABLE s.t IN ACCESS EXCLUSIVE MODE');
is($sql->value(q{SELECT size_bytes FROM dqds_list_tables('first', 's', include_sizes => true)}), $remote->safe_psql('first', q{SELECT pg_total_relation_size('s.t')}), 'the size of a table while that of another database is locked');
$locker->must('ROLLBACK');

$_->close foreach $locker, $sql;
$control->stop;
$remote->stop('immediate');
done_testing();
