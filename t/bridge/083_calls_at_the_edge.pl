# Calls of writing functions where they cannot work: in parallel plans, with more arguments than there is room for, with names
# of a megabyte. They work or are refused with a clear error. Whatever the outcome of a call, the session's user ID and
# settings are unchanged.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $model   = sql_literal(connection_model($remote));
my $modern  = $control->pg_version >= 16;
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; CREATE TABLE shop.orders (id int); ALTER TABLE shop.orders OWNER TO reader');
$sql->must(q(CREATE TABLE many AS SELECT i FROM generate_series(1, 10000) AS i; ANALYZE many; CREATE ROLE role; CREATE ROLE alice));
create_connection($control, 'shop', connection_model($remote));

sub fault { my ($answer) = @_; return $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : ''; }

# --- Parallel plans --------------------------------------------------------------------------------------------------------

# In this order they all work.
my @calls = (
	"dqds_create_connection('new', $model)", "dqds_update_connection('new', $model)", q(dqds_rename_connection('new', 'newer')), q(dqds_grant_connection('newer', 'role')),
	q(dqds_revoke_connection('newer', 'role')), q(dqds_set_connection_owner('newer', 'role')), q(dqds_patch_connection('newer', '{}')), q(dqds_import_tables('newer', 'shop')), q(dqds_unimport_tables('newer', 'shop')),
	q(dqds_import_tables_json('{"connectionName": "newer", "schemaName": "shop"}', NULL)), q(dqds_drop_connection('newer')),
	"dqds_create_connection_json('again', $model)", "dqds_update_connection_json('again', $model)", q(dqds_drop_connection_json('again')),
	q(dqds_create_credential('key', 'secret', '*')), q(dqds_replace_credential('key', 'other')), q(dqds_grant_credential('key', 'role')), q(dqds_revoke_credential('key', 'role')), q(dqds_drop_credential('key')),
	q(dqds_grant('editor', 'alice')), q(dqds_revoke('viewer', 'alice')), q(dqds_create_token('alice')), q(dqds_revoke_token((SELECT min(token_id) FROM dqds_tokens))));
my %called = map { /^(\w+)/ ? ($1 => 1) : () } @calls;
my @writing = $sql->column(q(SELECT DISTINCT proname FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE lanname = 'c' AND proname ~ '^dqds_' AND proparallel = 'u' ORDER BY 1));
is(join(' ', @writing), join(' ', sort keys %called), 'these are all functions that write');

my $parallel = ($modern ? 'SET debug_parallel_query' : 'SET force_parallel_mode') . ' = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0';
$sql->must($parallel);
like(join("\n", $sql->column(q(EXPLAIN SELECT count(*) FROM many))), qr/Gather/, 'plans are parallel');
like(join("\n", $sql->column(q(EXPLAIN SELECT i, (SELECT count(*) FROM dqds_list_schemas('shop')) FROM many WHERE i < 3))), qr/Gather/, 'with functions that read as well');
is($sql->query(q(SELECT i, (SELECT count(*) FROM dqds_list_schemas('shop', i < 0)) AS n FROM many WHERE i < 3 ORDER BY 1))->{rows}[1]{n}, 2, 'which work');
is(fault($sql->query("SELECT count(*), count($_) FROM many WHERE i = 1")), '', "in a plan that would be parallel: $_") foreach grep { !/import_tables/ } @calls[ 0 .. 5 ];
$sql->must(q(SELECT dqds_drop_connection('newer')));
foreach my $call (@calls)
{
	is(fault($sql->query("SELECT $call FROM many WHERE i = 1")), '', "from a table that is read in parallel: $call");
}
is(join("\n", grep { /Gather/ } $sql->column(q(EXPLAIN SELECT dqds_unimport_tables('shop', i::text) FROM many))), '', 'a query that writes is not parallel');
is(fault($sql->query(q(SELECT count(dqds_unimport_tables('shop', i::text)) FROM many))), '', 'and works');

# A function that is wrongly declared parallel safe.
$sql->must(q(CREATE FUNCTION wrongly_safe(statement text, i int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN EXECUTE 'SELECT FROM ' || statement; RETURN i; END $$));
$sql->must(qq(SELECT dqds_create_connection('new', $model), dqds_create_connection('newer', $model), dqds_create_connection('again', $model);
	SELECT dqds_create_credential('key', 'secret', '*'), dqds_grant('viewer', 'role'), dqds_create_token('role')));
sub registry { return $sql->value(q(SELECT concat((SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM dqds_connection t), (SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM dqds_connection_grant t),
	(SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM dqds_credential t), (SELECT count(*) FROM dqds_token), (SELECT count(*) FROM dqds_imported_table), (SELECT string_agg(proacl::text, ' ' ORDER BY oid) FROM pg_proc)))); }
my $before = registry();
foreach my $call (@calls)
{
	my $in_use = $call =~ s/'new'/'another'/r =~ s/create_credential\('key'/create_credential('other key'/r =~ s/create_connection_json\('again'/create_connection_json('and again'/r =~ s/dqds_update_connection\('another'/dqds_update_connection('new'/r
	  =~ s/\(SELECT min.*\)\)/1)/r =~ s/dqds_rename_connection\('another', 'newer'/dqds_rename_connection('new', 'renamed'/r;
	my $error = fault($sql->query('SELECT count(*) FROM many WHERE i < 100 AND wrongly_safe(' . sql_literal($in_use) . ', i) > 0'));
	my ($function) = $call =~ /^(\w+)/;
	# A worker may find out first that there is no such token.
	like($error, qr/^(?:25000 cannot execute $function during a parallel operation|25000 cannot \w+ .* during a parallel operation)$/, "wrongly in a parallel worker: $call");
}
is(registry(), $before, 'nothing has come of it');
$sql->must('RESET ALL');

# --- Arguments of internal functions ----------------------------------------------------------------------------------------

# The check must hold in builds without assertions, as this one: a module of the test's own asks for it.
{
	my $dir = PostgreSQL::Test::Utils::tempdir('module');
	append_to_file("$dir/overfill.c", <<'C');
#include "postgres.h"
#include <dlfcn.h>
#include "fmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(overfill);

/* The beginning of OwnerCall, and more room than it has. */
typedef struct Call
{
	const char *what;
	int count;
	char rest[8192];
} Call;

Datum
overfill(PG_FUNCTION_ARGS)
{
	Call call = {0};
	void (*add)(Call *, Oid, Datum, bool);

	*(void **) &add = dlsym(RTLD_DEFAULT, "owner_call_add");
	if (add == NULL)
		PG_RETURN_INT32(-1);
	for (int i = 0; i < PG_GETARG_INT32(0); i++)
		add(&call, 23, (Datum) 0, false);
	PG_RETURN_INT32(call.count);
}
C
	my $include = `$ENV{PG_CONFIG} --includedir-server`;
	chomp $include;
	is(system(split(' ', $ENV{CC} // 'cc'), '-shared', '-fPIC', '-D_GNU_SOURCE', '-I', $include, '-o', "$dir/overfill.so", "$dir/overfill.c"), 0, 'a module is compiled');
	$sql->must("LOAD 'dqds'; CREATE FUNCTION overfill(int) RETURNS int LANGUAGE c STRICT AS '$dir/overfill'");
	SKIP:
	{
		skip 'the module of dqds does not show its functions', 2 if $sql->value('SELECT overfill(0)') == -1;
		is($sql->value('SELECT overfill(16)'), 16, 'a call has 16 arguments');
		is(fault($sql->query('SELECT overfill(17)')), 'XX000 an internal function has more than 16 arguments', 'one more is an error, in every build');
	}
}

# --- Members that may not become the role -------------------------------------------------------------------------------------

SKIP:
{
	skip 'GRANT … WITH SET FALSE came with PostgreSQL 16', 2 if !$modern;
	$sql->must(q(CREATE ROLE maker; SELECT dqds_grant('admin', 'maker'); GRANT alice TO maker WITH SET FALSE));
	$sql->must('SET ROLE maker');
	is($sql->query(q(SELECT dqds_create_token('alice')))->{error}{sqlstate}, '42501', 'a member that may not become a role makes no token for it');
	$sql->must('RESET ROLE; GRANT alice TO maker WITH SET TRUE; SET ROLE maker');
	is(fault($sql->query(q(SELECT dqds_create_token('alice')))), '', 'one that may does');
	$sql->must('RESET ROLE');
}
like(slurp_file('src/base/compat.h'), qr/>= 160000\s+return member_can_set_role\(member, role\);/, 'that question is one of the server\'s version');
like(slurp_file('src/functions/token_functions.c'), qr/!dqds_may_become\(caller->role, role\)/, 'and is asked for tokens');
is(join(' ', grep { slurp_file($_) =~ /is_member_of_role\(/ } grep { !/compat\.h$/ } glob 'src/*.[ch] src/*/*.[ch]'), '', 'no other is');

# --- Identity and settings ---------------------------------------------------------------------------------------------------

$sql->must(q(SELECT dqds_grant('admin', 'alice')));
my $other = DqdsTest::Sql->connect($control);
$other->must('BEGIN; SELECT 1 FROM dqds_connection FOR UPDATE');
my $state = q(SELECT concat_ws(' ', current_user, session_user, current_setting('search_path'), current_setting('lock_timeout'), current_setting('plan_cache_mode'), current_setting('role')) AS state);
my @good = (q(SELECT dqds_create_credential('c', 'x', '*')), q(SELECT dqds_drop_credential('c')), q(SELECT dqds_grant('viewer', 'role')), q(SELECT dqds_create_token('alice')), q(SELECT dqds_unimport_tables('shop', 'x')));
my @bad  = (
	[ 'QD022', "SELECT dqds_update_connection('shop', $model)" ], [ 'QD022', q(SELECT dqds_drop_connection('shop')) ], [ 'QD022', q(SELECT dqds_grant_connection('shop', 'alice')) ],
	[ '42710', q(SELECT dqds_create_credential('key', 'x', '*')) ], [ '22023', q(SELECT dqds_grant('nothing', 'role')) ], [ '42704', q(SELECT dqds_revoke_token(0)) ], [ '57014', q(SELECT dqds_rename_connection('shop', 'x')) ]);
foreach my $timeout ('0', '700ms')
{
	$sql->must("SET ROLE alice; SET search_path = public, pg_temp; SET plan_cache_mode = force_custom_plan; SET lock_timeout = '$timeout'");
	my $was = $sql->value($state);
	foreach my $call (@good)
	{
		$sql->must($call);
		is($sql->value($state), $was, "after $call (lock_timeout $timeout)");
	}
	foreach my $bad (@bad)
	{
		my ($sqlstate, $call) = @$bad;
		# One is stopped while it waits.
		$sql->must(q(SET statement_timeout = '300ms')) if $sqlstate eq '57014';
		is($sql->query($call)->{error}{sqlstate}, $sqlstate, "$sqlstate: $call");
		is($sql->value($state), $was, "$sqlstate: afterwards");
		$sql->must('BEGIN; SAVEPOINT s');
		is($sql->query($call)->{error}{sqlstate}, $sqlstate, "$sqlstate: within a savepoint");
		$sql->must('ROLLBACK TO s');
		is($sql->value($state), $was, "$sqlstate: after the savepoint");
		$sql->must('COMMIT');
		my $block = 'DO $$ BEGIN ' . ($call =~ s/^SELECT/PERFORM/r) . q{; EXCEPTION WHEN query_canceled OR OTHERS THEN PERFORM set_config('my.state', } . "($state), false); END \$\$";
		is(fault($sql->query($block)), '', "$sqlstate: caught in PL/pgSQL");
		is($sql->value(q(SELECT current_setting('my.state'))), $was, "$sqlstate: within the exception block");
		is($sql->value($state), $was, "$sqlstate: after it");
		$sql->must('RESET statement_timeout');
	}
	$sql->must('RESET ROLE; RESET ALL');
}
$other->must('ROLLBACK');
$other->close;

# --- Names of a megabyte --------------------------------------------------------------------------------------------------------

use constant LONGEST => 1024 * 1024;
$sql->must(q(SELECT dqds_drop_connection(connection_name) FROM dqds_connections));
my $mysql = q('{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}');
is(fault($sql->query("SELECT dqds_create_connection(repeat('n', @{[LONGEST]}), $mysql)")), '', 'a name of 1 MB');
my $error = $sql->query("SELECT dqds_create_connection(repeat('n', @{[LONGEST + 1]}), $mysql)")->{error};
is("$error->{sqlstate} $error->{message}", 'QD020 the name of a connection must not have more than ' . LONGEST . ' bytes as JSON', 'one byte more is too long');
$error = $sql->query("SELECT dqds_rename_connection(repeat('n', @{[LONGEST]}), repeat('n', @{[LONGEST + 1]}))")->{error};
is($error->{sqlstate}, 'QD020', 'for a rename as well');
is(fault($sql->query("SELECT dqds_create_connection('e' || repeat(chr(233), @{[LONGEST / 2]}), $mysql)")), 'QD020 the name of a connection must not have more than ' . LONGEST . ' bytes as JSON', 'bytes are counted, not characters');
is(fault($sql->query("SELECT dqds_create_connection(lpad(i::text, @{[LONGEST]}, chr(233 - 190 * (i % 2))), $mysql) FROM generate_series(1, 19, 2) AS i")), '', 'ten more');
is(fault($sql->query("SELECT dqds_create_connection(i || repeat(chr(9), @{[LONGEST / 2 - 1]}), $mysql) FROM generate_series(11, 19) AS i")), '', 'nine of characters that JSON escapes');
is(fault($sql->query("SELECT dqds_create_connection(repeat(chr(1), @{[int(LONGEST / 6) + 1]}), $mysql)")), 'QD020 the name of a connection must not have more than ' . LONGEST . ' bytes as JSON', 'so does each control character, by six');
is($sql->value('SELECT count(*) FROM dqds_connections WHERE length(model::text) > ' . LONGEST / 2), 20, 'the view shows all twenty');
is($sql->value(q(SELECT count(*) FROM dqds_test_connections())), 20, 'a test of all is one row for each');
my $bridge = start_bridge($control, level => 'admin');
my ($raw, $closed) = raw_request($bridge, "GET /api/connections HTTP/1.1\r\nHost: localhost\r\n\r\n", 300);
my $answer = split_answer($raw, $closed, 'GET');
is($answer->{status}, 200, 'GET /api/connections: 200');
is($answer->{error}, undef, 'to its end');
is(scalar(() = $answer->{body} =~ /"connection_name"/g), 20, sprintf 'with all twenty (%d MB)', length($answer->{body}) / LONGEST);
is(health_of($bridge)->{status}, 200, 'and the bridge lives');
$bridge->stop;

$sql->close;
$control->stop;
$remote->stop;
done_testing();
