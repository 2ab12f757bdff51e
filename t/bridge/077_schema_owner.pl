# What the owner of the extension's schema, who may be no superuser, can do: the owner of the database renames the schema and
# creates another one with its name, with a twin of every table, view and function in it. No other role may run these twins
# while sessions and the bridge continue; nor may the search_path of the database, or overloads beside the extension's
# functions, bring foreign code into a call. CREATE EXTENSION warns of a schema that other roles own or may create objects in.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', extension => 0);
my $model   = connection_model($remote);
my $literal = sql_literal($model);
$remote->safe_psql('postgres', 'CREATE SCHEMA shop; CREATE TABLE shop.orders (id integer PRIMARY KEY); GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON shop.orders TO reader');
$control->safe_psql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE boss SUPERUSER; CREATE ROLE alice LOGIN; CREATE ROLE admin LOGIN');

sub psql { my ($sql, $database, @more) = @_; return $control->safe_psql($database // 'postgres', $sql, @more); }

# --- What CREATE EXTENSION says ---------------------------------------------------------------------------------

# A row for each: what is so, how the database is made so, the schema, the roles that are warned of.
my @schemas = (
	[ 'the database of a superuser', '', 'public', undef ],
	[ 'the database of another superuser', 'ALTER DATABASE warned OWNER TO boss', 'public', undef ],
	[ 'a schema of a superuser in the database of another role', 'ALTER DATABASE warned OWNER TO app; CREATE SCHEMA closed', 'closed', undef ],
	[ 'a schema that a superuser may create in', 'CREATE SCHEMA closed; GRANT CREATE ON SCHEMA closed TO boss', 'closed', undef ],
	[ 'a schema that others may use', 'CREATE SCHEMA closed; GRANT USAGE ON SCHEMA closed TO PUBLIC, app', 'closed', undef ],
	[ 'the database of another role', 'ALTER DATABASE warned OWNER TO app', 'public', 'pg_database_owner' ],
	[ 'a schema of another role', 'CREATE SCHEMA open AUTHORIZATION app', 'open', 'app' ],
	[ 'a schema that all may create in', 'GRANT CREATE ON SCHEMA public TO PUBLIC', 'public', 'PUBLIC' ],
	[ 'a schema that some may create in', 'CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO app, other, boss', 'open', 'app, other' ],
	[ 'a schema with a name to be quoted', 'CREATE SCHEMA "An ""open"" one" AUTHORIZATION app' =~ s/""/-/gr, '"An -open- one"', 'app' ]);
foreach my $row (@schemas)
{
	my ($what, $before, $schema, $roles) = @$row;
	psql('CREATE DATABASE warned');
	psql($before, 'warned') if $before;
	my ($said, $err) = (undef, '');
	$control->psql('warned', "CREATE EXTENSION dqds SCHEMA $schema", stderr => \$err, on_error_die => 1);
	($said) = $err =~ /WARNING:  (.*)/;
	my $name = $schema =~ s/"//gr;
	is($said, defined $roles ? qq(schema "$name" is open to roles that are not superusers: $roles) : undef, "$what: " . ($roles // 'no warning'));
	like($err, qr/HINT:  Create the extension in a schema of its own/, "$what: what to do") if defined $roles;
	psql('DROP DATABASE warned');
}

# --- Traps ----------------------------------------------------------------------------------------------------------

# set_twins(SESSION, FROM, TO): in schema TO a trap for every function and relation of the extension in schema FROM, where they
# can be made. A trap tells the log who ran it.
sub set_twins
{
	my ($session, $from, $to) = @_;
	$session->must(qq(
		CREATE SCHEMA $to;
		GRANT USAGE ON SCHEMA $to TO PUBLIC;
		CREATE FUNCTION $to.spring(what text) RETURNS boolean LANGUAGE plpgsql AS \$\$
			BEGIN RAISE LOG 'sprung: % as % of %', what, current_user, session_user; RETURN true; END \$\$;
		DO \$do\$
		DECLARE f record; c record;
		BEGIN
			FOR f IN SELECT p.oid, p.proname, p.prorettype, p.proretset FROM pg_proc p
				WHERE p.pronamespace IN ('$from'::regnamespace, 'pg_catalog'::regnamespace) AND p.proname ~ '^dqds_' LOOP
			BEGIN
				EXECUTE format('CREATE FUNCTION $to.%I(%s) RETURNS %s LANGUAGE plpgsql AS \$f\$ #variable_conflict use_column%sBEGIN PERFORM $to.spring(%L); %s END \$f\$',
					f.proname, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid), chr(10), f.proname,
					CASE WHEN f.proretset OR f.prorettype = 'void'::regtype THEN 'RETURN;' ELSE 'RETURN NULL;' END);
			EXCEPTION WHEN OTHERS THEN
				RAISE LOG 'no twin of %: %', f.oid::regprocedure, sqlerrm;
			END;
			END LOOP;
			FOR c IN SELECT relname, oid, relkind FROM pg_class
				WHERE relnamespace = '$from'::regnamespace AND relkind IN ('r', 'v', 'S') LOOP
				IF c.relkind = 'S' THEN
					EXECUTE format('CREATE SEQUENCE $to.%I', c.relname);
				ELSE
					EXECUTE format('CREATE VIEW $to.%I AS SELECT %s WHERE $to.spring(%L)', c.relname, (
						SELECT string_agg(format('NULL::%s AS %I', format_type(atttypid, atttypmod), attname), ', ' ORDER BY attnum)
						FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), c.relname);
					EXECUTE format('GRANT SELECT ON $to.%I TO PUBLIC', c.relname);
				END IF;
			END LOOP;
		END \$do\$));
	return $session->value("SELECT count(*) FROM pg_proc WHERE pronamespace = '$to'::regnamespace") + $session->value("SELECT count(*) FROM pg_class WHERE relnamespace = '$to'::regnamespace");
}

# sprung_since(POSITION of the log): who ran traps from there on, but for their owner in a session of its own.
sub log_end { return -s $control->logfile; }

sub sprung_since
{
	my ($from) = @_;
	my %seen;
	$seen{$_}++ foreach grep { !/ as app of app$/ } slurp_file($control->logfile, $from) =~ /LOG:  sprung: (.*)/g;
	return join ', ', sort keys %seen;
}

# call_all(SESSION, SCHEMA): calls every function of the extension and reads its relations; how many of them succeed. What they
# do is rolled back.
sub call_all
{
	my ($session, $schema) = @_;
	my $argument = q(CASE format_type(t, NULL) WHEN 'text' THEN '''shop''' WHEN 'boolean' THEN 'false' WHEN 'integer' THEN '1' WHEN 'bigint' THEN '1'
		WHEN 'text[]' THEN '''{orders}''' WHEN 'regrole' THEN '''alice''' WHEN 'interval' THEN '''1 day''' WHEN 'bytea' THEN '''\\\\x00''' ELSE 'NULL' END || '::' || format_type(t, NULL));
	my @calls = $session->column(qq(
		SELECT format('SELECT * FROM %s.%I(%s)', pronamespace::regnamespace, proname, (SELECT string_agg($argument, ', ' ORDER BY n) FROM unnest(proargtypes::oid[]) WITH ORDINALITY AS a (t, n)))
		FROM pg_proc WHERE pronamespace IN ('$schema'::regnamespace, 'pg_catalog'::regnamespace) AND proname ~ '^dqds_' AND proname !~ '^dqds_role_'
		UNION ALL SELECT format('SELECT * FROM $schema.%I', relname) FROM pg_class WHERE relnamespace = '$schema'::regnamespace AND relkind IN ('r', 'v')));
	my $succeeded = 0;
	foreach my $call (@calls)
	{
		$session->must('BEGIN');
		my $answer = $session->query($call);
		$succeeded++ if !$answer->{error};
		die "the session has ended: $call\n" if $answer->{ended};
		$session->must('ROLLBACK');
	}
	return $succeeded;
}

# what_works(SESSION, SCHEMA): the results of an admin's calls, as one line.
my $round = 0;

sub what_works
{
	my ($session, $schema) = @_;
	my $name = 'round ' . ++$round;
	my @did;
	foreach my $step (
		"SELECT $schema.dqds_create_connection('$name', $literal)", "SELECT $schema.dqds_update_connection('$name', $literal)",
		"SELECT count(*) FROM $schema.dqds_connections WHERE connection_name OPERATOR(pg_catalog.=) '$name'::pg_catalog.text",
		"SELECT count(*) FROM $schema.dqds_list_tables('$name', 'shop')", "SELECT connection_test_result FROM $schema.dqds_test_connection('$name')",
		"SELECT status FROM $schema.dqds_import_tables('$name', 'shop')", "SELECT count(*) FROM $schema.dqds_imported_columns WHERE connection_name OPERATOR(pg_catalog.=) '$name'::pg_catalog.text",
		"SELECT $schema.dqds_grant_connection('$name', 'alice'), $schema.dqds_grant('viewer', 'alice'), $schema.dqds_revoke('viewer', 'alice')",
		"SELECT $schema.dqds_create_token('alice')", "SELECT $schema.dqds_set_connection_owner('$name', 'alice')",
		"SELECT $schema.dqds_create_credential('$name', 'secret', '*')", "SELECT $schema.dqds_grant_credential('$name', 'alice')",
		"SELECT $schema.dqds_drop_credential('$name')", "SELECT $schema.dqds_rename_connection('$name', '$name again')", "SELECT $schema.dqds_drop_connection('$name again')")
	{
		my $answer = $session->query($step);
		my ($value) = map { $_ // '' } values %{ $answer->{rows}[0] // {} };
		push @did, $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : $step =~ /token/ ? 'token' : $value // '';
	}
	return join ' ', @did;
}
my $works = '  1 1 SUCCESS imported 1  token      ';

# rest(BRIDGE, TOKEN): the same over REST, as one line of statuses.
sub rest
{
	my ($bridge, $token) = @_;
	my $headers = { Authorization => "Bearer $token" };
	return join ' ', map { my ($method, $target, $body) = @$_; http($bridge, $method => $target, $headers, $body)->{status} } (
		[ POST => '/api/connections/rest/basic', $model ], [ PUT => '/api/connections/rest/basic', $model ], [ GET => '/api/connections' ],
		[ GET => '/api/connections/rest/basic' ], [ GET => '/api/datasource/connections/rest/schemas' ],
		[ GET => '/api/datasource/connections/rest/schemas/shop/tables' ], [ POST => '/api/datasource/testconnection', $model ],
		[ POST => '/api/jobs/importtables', to_json({ connectionName => 'rest', schemaName => 'shop' }) ], [ DELETE => '/api/connections/rest' ],
		[ GET => '/api/datasource/connections/shop/schemas' ]);
}
my $rest_works = '201 204 200 200 200 200 200 200 200 200';

# --- The schema is renamed under way --------------------------------------------------------------------------------------

psql('CREATE EXTENSION dqds; ALTER DATABASE postgres OWNER TO app');
create_connection($control, 'shop', $model);
grant_role($control, 'admin', level => 'admin');
psql('GRANT alice TO admin');
my $app     = DqdsTest::Sql->connect($control, user => 'app');
my $session = DqdsTest::Sql->connect($control);
my $admin   = DqdsTest::Sql->connect($control, user => 'admin');
my $token   = $session->value("SELECT dqds_create_token('admin')");
my $bridge  = start_bridge($control, options => [ '--pool-size', 4 ]);
psql('GRANT admin TO dqds_bridge');
my $conninfo = bridge_conninfo($control);

is(what_works($_, 'public'), $works,      'before: a session works') foreach $session, $admin;
is(rest($bridge, $token),    $rest_works, 'before: the bridge works');

my $from = log_end();
$app->must('ALTER SCHEMA public RENAME TO old');
cmp_ok(set_twins($app, 'old', 'public'), '>', 60, 'the schema is renamed, and twins of what is in it take its place');

# The traps work, for the role that calls them.
$app->must('SELECT * FROM public.dqds_list_schemas(NULL::text, NULL); SELECT * FROM public.dqds_connection');
like(slurp_file($control->logfile, $from), qr/LOG:  sprung: dqds_connection as app of app/, 'a trap springs for the role that calls it');
is(sprung_since($from), '', 'no one else has run one yet');

is(what_works($_, 'old'), $works, 'renamed: an open session works') foreach $session, $admin;
is(what_works(DqdsTest::Sql->connect($control, user => $_), 'old'), $works, "renamed: a new session of $_ works") foreach 'admin';
cmp_ok(call_all($session, 'old'), '>', 20, 'every function is called as superuser');
cmp_ok(call_all($admin, 'old'), '>', 15, 'and as admin');
cmp_ok(call_all($app, 'old'), '>', 0, 'and as the owner of the database');
is(sprung_since($from), '', 'renamed: no one has run what stands in the old place, over SQL');
is($app->query($_)->{error}{sqlstate}, '42501', "refused to the owner of the database: $_") foreach 'ALTER SCHEMA pg_catalog RENAME TO x',
	'CREATE FUNCTION pg_catalog.dqds_token_role(text) RETURNS name LANGUAGE sql BEGIN ATOMIC SELECT NULL::name; END';
is($control->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"), 'f', 'the owner of the database is no superuser');

$from = log_end();
is(rest($bridge, $token), $rest_works, 'renamed: the bridge goes on, over connections that were open');
my ($status, $out, $err) = run_bridge('--control-db', $conninfo, '--listen', '127.0.0.1:0', '--check');
is("$status $err", '0 ', 'renamed: a new bridge finds what it needs');
my $new = start_bridge(undef, control_db => $conninfo, anonymous => undef);
is(rest($new, $token), $rest_works, 'renamed: and works');
is($new->stop, 0, 'it ends');
is(sprung_since($from), '', 'renamed: no one has run what stands in the old place, over REST');

# Back and forth, while requests come.
{
	$from = log_end();
	my %statuses;
	$app->must('SET synchronous_commit = off');
	foreach my $turn (1 .. 40)
	{
		$app->must('ALTER SCHEMA public RENAME TO twins; ALTER SCHEMA old RENAME TO public') if $turn % 2;
		$app->must('ALTER SCHEMA public RENAME TO old; ALTER SCHEMA twins RENAME TO public') if !($turn % 2);
		$statuses{ http($bridge, GET => $_, { Authorization => "Bearer $token" })->{status} }++ foreach '/api/connections', '/api/connections/shop/basic', '/api/datasource/connections/shop/schemas';
	}
	is(join(' ', %statuses), '200 120', 'renamed back and forth: every request is served');
	is(sprung_since($from), '', 'renamed back and forth: no one has run a twin');
}

# --- Dump and restore, drop and create -----------------------------------------------------------------------------------

{
	$from = log_end();
	my $dump = PostgreSQL::Test::Utils::tempdir('dump') . '/dump.sql';
	command_ok([ 'pg_dump', '-d', $control->connstr('postgres'), '-f', $dump ], 'renamed: dumped');
	psql('CREATE DATABASE copy TEMPLATE template0');
	command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $control->connstr('copy'), '-f', $dump ], 'and restored');
	# The initial privileges of the schema that was public are no privileges to pg_dump, whatever its name is now.
	psql('GRANT USAGE ON SCHEMA old TO PUBLIC', 'copy');
	my $copy = DqdsTest::Sql->connect($control, user => 'admin', database => 'copy');
	is(what_works($copy, 'old'), $works, 'the copy works');
	is($copy->value("SELECT connection_test_result FROM old.dqds_test_connection('shop')"), 'SUCCESS', 'and has the connection with its password');
	$copy->close;
	psql('DROP DATABASE copy');
	is(sprung_since($from), '', 'no one has run a twin, but those who own it');
}

psql('DROP EXTENSION dqds CASCADE; CREATE EXTENSION dqds SCHEMA old');
create_connection_in('old');
is(what_works($session, 'old'), $works, 'dropped and created again: a session works');
psql("SELECT old.dqds_grant('admin', 'admin')");
$token = $session->value("SELECT old.dqds_create_token('admin')");
is(rest($bridge, $token), $rest_works, 'and the bridge');

sub create_connection_in { my ($schema) = @_; psql("SELECT $schema.dqds_create_connection('shop', $literal)"); return; }

# The owner of the schema may drop it with all that is in it. What takes its place then is nothing that the bridge calls.
$from = log_end();
$app->must('DROP SCHEMA old CASCADE; ALTER SCHEMA public RENAME TO old');
unlike(rest($bridge, $token), qr/20\d/, 'the schema is dropped: the bridge serves nothing');
is(sprung_since($from), '', 'and runs no twin');
is($bridge->stop, 0, 'it ends');
$session->close;
$admin->close;
$app->must('DROP SCHEMA old CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC');

# --- A search_path of the database -----------------------------------------------------------------------------------

{
	psql('CREATE EXTENSION dqds SCHEMA public');
	create_connection($control, 'shop', $model);
	psql("SELECT dqds_grant('admin', 'admin')");
	set_twins($app, 'public', 'evil');
	$app->must(q(
		CREATE FUNCTION evil.trap(l name, r name) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('='); SELECT true $$;
		CREATE FUNCTION evil.trap(l text, r text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('='); SELECT true $$;
		CREATE FUNCTION evil.trap(l bigint, r bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('='); SELECT true $$;
		CREATE FUNCTION evil.trap(l oid, r oid) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('='); SELECT true $$;
		CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.trap);
		CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
		CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
		CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.trap);
		CREATE FUNCTION evil.has_function_privilege(oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('has_function_privilege') $$;
		CREATE FUNCTION evil.pg_has_role(oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring('pg_has_role') $$;
		CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT evil.spring('now'); SELECT 'epoch'::timestamptz $$;
		CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring('set_config'); SELECT 'x'::text $$;
		ALTER DATABASE postgres SET search_path = evil, pg_catalog, public));
	$from = log_end();
	my $bait = DqdsTest::Sql->connect($control, user => 'admin');
	$bait->must('SELECT now()');
	isnt(sprung_since($from), '', 'a search_path of the database makes traps spring in what is not qualified');
	$bait->close;

	$from = log_end();
	my $fresh = DqdsTest::Sql->connect($control, user => 'admin');
	is(what_works($fresh, 'public'), $works, 'but not in what dqds does: a session works');
	my $fresh_bridge = start_bridge(undef, control_db => $conninfo, anonymous => undef);
	my $new_token = $fresh->value("SELECT public.dqds_create_token('admin')");
	is(rest($fresh_bridge, $new_token), $rest_works, 'and a bridge');
	$fresh_bridge->stop;
	is(sprung_since($from), '', 'no trap has sprung');
	$fresh->close;
	$app->must('ALTER DATABASE postgres RESET search_path');
}

# --- Event triggers of the database ----------------------------------------------------------------------------------

# One that writes down what is done, into a table that it finds by its name alone: a caller's temporary table of that name, with a
# trigger of the caller's, is not for the extension's owner to write to.
{
	psql(q(
		CREATE TABLE ddl_log (who name, tag text); GRANT INSERT ON ddl_log TO PUBLIC;
		CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl_log VALUES (current_user, tg_tag); END $$;
		CREATE ROLE writers; CREATE ROLE mallory LOGIN IN ROLE writers; SELECT dqds_grant('editor', 'writers');
		CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION log_ddl()));
	my $mallory = DqdsTest::Sql->connect($control, user => 'mallory');
	$mallory->must(q(
		CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'sprung: event trigger as % of %', current_user, session_user; RETURN new; END $$;
		CREATE TEMP TABLE ddl_log (who name, tag text);
		CREATE TRIGGER trap BEFORE INSERT ON pg_temp.ddl_log FOR EACH ROW EXECUTE FUNCTION pg_temp.trap();
		GRANT ALL ON pg_temp.ddl_log TO PUBLIC));
	$from = log_end();
	$mallory->must('CREATE TEMP TABLE bait ()');
	is(sprung_since($from), 'event trigger as mallory of mallory', 'the trap springs for the one who set it');
	$from = log_end();
	$mallory->must("SELECT dqds_create_connection('of mallory', $literal)");
	is(sprung_since($from), '', 'but not for the owner of the extension, who makes a role known');
	psql('DROP EVENT TRIGGER log_ddl');
	$mallory->close;
}

# --- Overloads beside the functions ---------------------------------------------------------------------------------------

# Functions of the role that may create in the schema, with the very types that literals are taken for.
psql('GRANT CREATE ON SCHEMA public TO other; GRANT CREATE ON DATABASE postgres TO other');
my $other = DqdsTest::Sql->connect($control, user => 'other');
$from = log_end();
foreach my $signature ('dqds_grant(text, text)', 'dqds_revoke(text, text)', 'dqds_grant_connection(text, text)', 'dqds_revoke_connection(text, text)',
	'dqds_set_connection_owner(text, text)', 'dqds_grant_credential(text, text)', 'dqds_revoke_credential(text, text)',
	'dqds_create_token(text)', 'dqds_create_token(text, text)', 'dqds_create_token(text, text, text)', 'dqds_create_token(text, interval)', 'dqds_revoke_token(integer)', 'dqds_revoke_token(text)')
{
	$other->query("CREATE FUNCTION public.$signature RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN RAISE LOG 'sprung: overload as % of %', current_user, session_user; RETURN 'overload'; END \$\$");
}
my $super = DqdsTest::Sql->connect($control);
foreach my $row (
	[ "SELECT dqds_grant('operator', 'alice')" ], [ "SELECT dqds_revoke('operator', 'alice')" ], [ "SELECT dqds_grant_connection('shop', 'alice')" ],
	[ "SELECT dqds_revoke_connection('shop', 'alice')" ], [ "SELECT dqds_set_connection_owner('shop', 'alice')" ],
	[ "SELECT dqds_create_credential('c', 's', '*'), dqds_grant_credential('c', 'alice')" ], [ "SELECT dqds_revoke_credential('c', 'alice')" ],
	[ "SELECT dqds_create_token('alice', '90 days', 'a notebook')" ], [ "SELECT dqds_create_token('alice', '90 days')", '42725' ], [ "SELECT dqds_create_token('alice')", '42725' ],
	[ 'SELECT dqds_revoke_token(1)' ], [ "SELECT dqds_revoke_token('2')" ])
{
	my ($call, $error) = @$row;
	is($super->query($call)->{error}{sqlstate}, $error, 'beside overloads: ' . ($error ? 'ambiguous: ' : '') . $call);
}
is(sprung_since($from), '', 'no overload has run');

done_testing();
