# The registry under concurrency: two sessions that change it at once, default privileges of the database, roles that are
# dropped, and models that lead elsewhere than the connection whose name they have.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; CREATE TABLE shop.orders (id int); ALTER TABLE shop.orders OWNER TO reader; CREATE DATABASE elsewhere');
create_connection($control, 'prod', connection_model($remote));
my ($one, $two) = map { DqdsTest::Sql->connect($control) } 1 .. 2;
# A change waits for only a second by default; here lock_timeout is longer, because the machine may be busy.
$two->must(q(SET lock_timeout = '60s'));

sub waits_for_lock
{
	my ($session) = @_;
	my $pid = $session->pid;
	return poll_until(sub { $control->safe_psql('postgres', "SELECT 1 FROM pg_locks WHERE pid = $pid AND NOT granted") }, 10);
}

# in_two(WHAT, FIRST, SECOND): one session does FIRST, another one SECOND, which has to wait; then the first one commits.
# Returns the answer to the second.
sub in_two
{
	my ($what, $first, $second) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$one->must('BEGIN');
	$one->must($first);
	$two->send($second);
	ok(waits_for_lock($two), "$what: the second one waits");
	$one->must('COMMIT');
	return $two->answer(30);
}

sub update_to { return 'SELECT dqds_update_connection(' . sql_literal('prod') . ', ' . sql_literal(connection_model($remote, @_)) . ')'; }
sub stored_password { return $control->safe_psql('postgres', q(SELECT secrets #>> '{postgresql,password}' FROM dqds_connection_secret)); }

# --- At once ---------------------------------------------------------------------------------------------------------

is(in_two('a password is changed, and kept by a mask', update_to(password => 'the new one'), update_to(password => '********', options => '-c work_mem=1MB'))->{error}, undef,
	'the mask keeps the password');
is(stored_password(), 'the new one', 'which is the one that was changed meanwhile');
$one->must(update_to());

{
	$two->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$one->must(update_to(password => 'another one'));
	is($two->query(update_to(password => '********'))->{error}{sqlstate}, '40001', 'in an old snapshot, a mask does not bring an old password back');
	$two->must('ROLLBACK');
	$one->must(update_to());
}

$control->safe_psql('postgres', 'CREATE ROLE a; CREATE ROLE b; CREATE ROLE "Mixed Case"; CREATE ROLE gone');
is(in_two('two levels are granted', q(SELECT dqds_grant('admin', 'a')), q(SELECT dqds_grant('viewer', 'b')))->{error}, undef, 'both are');
is(in_two('a level is granted and one is revoked', q(SELECT dqds_grant('viewer', '"Mixed Case"')), q(SELECT dqds_revoke('viewer', 'a')))->{error}, undef, 'both are');
is($control->safe_psql('postgres', q(SELECT string_agg(r || has_table_privilege(r, 'dqds_connections', 'SELECT'), ' ' ORDER BY r) FROM unnest('{a,b,Mixed Case}'::text[]) AS r)),
	'Mixed Casetrue afalse btrue', 'and each has what it should have');

is(in_two('an import meets an unimport', q(SELECT * FROM dqds_import_tables('prod', 'shop')), q(SELECT dqds_unimport_tables('prod', 'shop', '{orders}') AS n))->{rows}[0]{n}, 1,
	'the one comes after the other');
is($control->safe_psql('postgres', 'SELECT count(*) FROM dqds_imported_table'), 0, 'and nothing is left');

# --- A model that leads elsewhere --------------------------------------------------------------------------------------

$one->must(q(SELECT * FROM dqds_import_tables('prod', 'shop')));
my $listed = sub { my ($model) = @_; return $one->value('SELECT already_imported FROM dqds_list_schemas(' . sql_literal($model) . q{::text) WHERE schema_name IN ('shop', 'public') ORDER BY schema_name DESC LIMIT 1}); };
my %same  = (connection_name => 'prod');
my %other = (connection_name => 'prod', database => 'elsewhere');
is($listed->(connection_model($remote, %same)), 't', 'a model of a connection: what was imported of it counts');
is($listed->(connection_model($remote, %other)), 'f', 'one that leads to another database: it does not');
is($one->query('SELECT * FROM dqds_import_tables(' . sql_literal(connection_model($remote, %other)) . q{::text, 'public')})->{error}{sqlstate}, '22023',
	'and nothing of there is imported under the name');
is($one->query('SELECT * FROM dqds_import_tables(' . sql_literal(connection_model($remote, %same)) . q{::text, 'shop')})->{rows}[0]{status}, 'unchanged',
	'but of the same place it is');

# --- A table that loses columns ------------------------------------------------------------------------------------------

$remote->safe_psql('postgres', 'ALTER TABLE shop.orders ADD a int, ADD b int, ADD c int; CREATE TABLE shop.second (x int, y int); ALTER TABLE shop.second OWNER TO reader');
$one->must(q(SELECT * FROM dqds_import_tables('prod', 'shop')));
$remote->safe_psql('postgres', 'ALTER TABLE shop.orders DROP a, DROP c');
is(join(' ', map { "$_->{table_name}:$_->{status}:$_->{column_count}" } $one->rows(q(SELECT * FROM dqds_import_tables('prod', 'shop') ORDER BY table_name))),
	'orders:updated:2 second:unchanged:2', 'columns that are no more go, and no others');
is(join(' ', $one->column(q(SELECT column_name FROM dqds_imported_columns WHERE table_name = 'orders' ORDER BY ordinal_position))), 'id b', 'those that are left are the right ones');

# --- All sections of a model are looked at ---------------------------------------------------------------------------------

foreach my $row (
	[ '42804', '"mysql.host" in the connection model must be a string', '{"provider_type":"mysql","mysql":{"host":5}}' ],
	[ '42804', '"snowflake.properties" in the connection model must be an object', '{"provider_type":"mysql","mysql":{},"snowflake":{"properties":"x"}}' ],
	[ '42804', '"redshift.port" in the connection model must be a string or a number', connection_model($remote, redshift => { port => [1] }) ],
	[ '42804', '"connection_name" in the connection model must be a string', connection_model($remote, connection_name => { a => 1 }) ],
	[ 'QD020', '"redshift.redshift_authentication_mode" in the connection model is not valid', connection_model($remote, redshift => { redshift_authentication_mode => 'bogus' }) ],
	[ 'QD020', '"postgresql.sslmode" in the connection model is not valid', '{"provider_type":"mysql","mysql":{"sslmode":"REQUIRED"},"postgresql":{"sslmode":"REQUIRED"}}' ])
{
	my ($sqlstate, $message, $model) = @$row;
	my $error = $one->query(q{SELECT dqds_create_connection('odd', } . sql_literal($model) . ')')->{error};
	is("$error->{sqlstate} $error->{message}", "$sqlstate $message", $message);
}
$one->must(q(SELECT dqds_create_connection('mysql', '{"provider_type":"mysql","mysql":{"host":"h","user":"u","port":"3306","sslmode":"REQUIRED"}}')));

# --- Properties that libpq would complain of, with the address -----------------------------------------------------------------

foreach my $key (qw(keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout))
{
	my ($row) = $one->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => 'localhost', properties => { $key => 'x' })) . '::text)');
	is("$row->{error_code}: $row->{error_message}", qq(invalid_connection: "postgresql.properties.$key" in the connection model is not valid), "$key: named, and no address");
}

# A long password, which SCRAM hashes in each iteration.
{
	my ($row) = $one->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, password => 'p' x 8001)) . '::text)');
	is("$row->{error_code}: $row->{error_message}. $row->{hint}", 'invalid_connection: "postgresql.password" in the connection model is not valid. It must be at most 8000 bytes long.', 'a password that is too long');
	($row) = $one->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, password => 'p' x 8000)) . '::text)');
	is($row->{error_code}, 'authentication_failed', 'the longest one is tried');
}

# --- Other text given as a name by mistake
# -------------------------------------------------------------------------------------

foreach my $mistake ('mongodb://u:lost-secret@h/db', 'server=h password=lost-secret', '[{"password": "lost-secret"}]', '"lost-secret"')
{
	my $error = $one->query('SELECT * FROM dqds_list_schemas(' . sql_literal($mistake) . '::text)')->{error};
	is("$error->{sqlstate} $error->{message}", '42704 a connection with this name does not exist', "$mistake: not there, and not repeated");
}
unlike(slurp_file($control->logfile), qr/lost-secret/, 'nor is it in the log');

# --- Which role's privileges count
# --------------------------------------------------------------------------------------------------------

# PostgreSQL checks the privilege when a cursor is declared; dqds runs when rows are fetched.
$one->must(q(CREATE ROLE caller LOGIN; CREATE ROLE other NOLOGIN; GRANT other TO caller; ALTER ROLE caller NOINHERIT; SELECT dqds_grant('operator', 'caller')));
{
	my $caller = DqdsTest::Sql->connect($control, user => 'caller');
	$caller->must('BEGIN; DECLARE c CURSOR FOR SELECT current_user, count(*) FROM dqds_test_connections()');
	$caller->must('SET LOCAL ROLE other');
	is($caller->query('FETCH c')->{error}{sqlstate}, '42501', 'a cursor of one role, fetched from as another one that has no level: 42501');
	$caller->must('ROLLBACK');
	$caller->must('SELECT count(*) FROM dqds_test_connections()');
	$caller->close;
}

# --- Another owner, and dropped roles ---------------------------------------------------------------------------------------

$one->must(q(SELECT dqds_set_connection_owner('prod', 'gone')));
is($one->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'prod')), 'gone', 'a connection has another owner');
is($one->query(q(SELECT dqds_set_connection_owner('nope', 'gone')))->{error}{sqlstate}, '42704', 'not one that is not there');
is($one->query(q(SELECT dqds_set_connection_owner('prod', '4711')))->{error}{sqlstate}, '42704', 'nor an owner who is not there');
$one->must(q(SELECT dqds_grant('editor', 'gone'), dqds_grant_connection('mysql', 'gone'), dqds_create_credential('c', 'secret', '*'), dqds_grant_credential('c', 'gone'), dqds_create_token('gone'), dqds_create_token('b')));
$one->must(q(SELECT dqds_set_connection_owner(connection_name, 'b') FROM dqds_connections WHERE owner = 'gone'::regrole));
my $oid = $control->safe_psql('postgres', q(SELECT 'gone'::regrole::oid));
$one->must('DROP OWNED BY gone; DROP ROLE gone');
is($one->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'prod')), 'b', 'a role leaves, its connection stays');
my ($dump) = run_command([ 'pg_dump', '-d', $control->connstr('postgres') ]);
unlike($dump, qr/(^|\t)$oid(\t|$)/m, 'a dump has nothing of a role that is no more');
like($dump, qr/^COPY public\.dqds_token .*\n\d+\tb\t/m, 'but what others have');

# --- Privileges by default -----------------------------------------------------------------------------------------------------

$control->safe_psql('postgres', 'CREATE DATABASE by_default');
$control->safe_psql('by_default', q(
	CREATE ROLE readonly;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO readonly;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO readonly, PUBLIC;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO readonly WITH GRANT OPTION;
	ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
	CREATE EXTENSION dqds));
my $open = $control->safe_psql('by_default', q(
	WITH member AS (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid WHERE extname = 'dqds' AND deptype = 'e')
	SELECT string_agg(name, ' ' ORDER BY name) FROM (
		SELECT relname::text FROM pg_class JOIN member ON classid = 'pg_class'::regclass AND objid = oid
		WHERE (relkind <> 'S' AND has_table_privilege('readonly', oid, 'SELECT, INSERT, UPDATE, DELETE')) OR (relkind = 'S' AND has_sequence_privilege('readonly', oid, 'USAGE, SELECT, UPDATE'))
		UNION ALL
		SELECT proname FROM pg_proc JOIN member ON classid = 'pg_proc'::regclass AND objid = oid WHERE has_function_privilege('readonly', oid, 'EXECUTE')) AS o (name)));
is($open, 'dqds_close_idle dqds_compact_json dqds_connection_model dqds_live_role dqds_missing_level dqds_role_in dqds_role_out dqds_shown_model dqds_token_role', 'what a database gives by default, dqds does not');

$_->close foreach $one, $two;
done_testing();
