# From 1.0 to 1.1: a registry that 1.0 filled itself (t/upgrade) is updated with all that is in it; every call that 1.0
# answered is answered alike, privileges included; the catalog is that of a fresh 1.1; and the same comes out when it is dumped
# and restored. Before the update, what 1.0 has in C says what to do, in SQL and over REST.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Catalog;
use DqdsTest::Sql;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir    = 't/upgrade';
my $tmp    = PostgreSQL::Test::Utils::tempdir('upgrade');
my $remote = remote_server('remote', role => 'no_one');
sub file_in { my ($node, $database, $file, @options) = @_; return [ 'psql', '-qXAt', '-d', $node->connstr($database), '-v', 'port=' . $remote->port, @options, '-f', $file ]; }
command_ok(file_in($remote, 'postgres', "$dir/remote.sql", '-v', 'ON_ERROR_STOP=1'), 'the remote source');

# The environment that references in the registry are for.
my $control = do { local $ENV{DQDS_SECRET_READER} = 'reader-secret'; control_server('control', extension => 0) };
command_ok(file_in($control, 'postgres', "$dir/roles.sql", '-v', 'ON_ERROR_STOP=1'), 'the roles');
my ($version) = slurp_file('dqds.control') =~ /default_version = '(.*)'/;

# with_port(TEXT): with the port of the remote source in it. update(DATABASE): what psql says on the way, and its status.
sub with_port { return $_[0] =~ s/\@PORT\@/$remote->port/ger; }
sub update
{
	my ($database, $sql) = @_;
	my $status = $control->psql($database, $sql // 'ALTER EXTENSION dqds UPDATE', stderr => \my $said);
	return ($status, $said);
}

# answers(NODE, DATABASE): what the calls of calls.sql answer.
sub answers
{
	my ($node, $database) = @_;
	my $out = '';
	IPC::Run::run(file_in($node, $database, "$dir/calls.sql"), '<', '/dev/null', '>&', \$out);
	return $out =~ s/^psql:\S+ //gmr;
}

# rows(NODE, DATABASE): the registry, by the names of roles.
sub rows
{
	my ($node, $database) = @_;
	return join "\n", map { "$_: " . $node->safe_psql($database, "SELECT t FROM $_ t ORDER BY t::text COLLATE \"C\"") }
	  qw(dqds_connection dqds_connection_secret dqds_connection_grant dqds_credential dqds_credential_grant dqds_imported_table dqds_imported_column dqds_token);
}

# --- An empty registry becomes that of a fresh 1.1 ------------------------------------------------------------------------

# same_as_fresh(NAME, USER, SCHEMA, STATEMENTS…): the extension is created in two databases by boss after these statements, in one of
# them as 1.0, which USER updates.
sub same_as_fresh
{
	my ($name, $user, $schema, @before) = @_;
	$control->safe_psql('postgres', "CREATE DATABASE $name; CREATE DATABASE ${name}_fresh");
	foreach my $database ($name, "${name}_fresh")
	{
		my $boss = DqdsTest::Sql->connect($control, user => 'boss', database => $database);
		$boss->must($_) foreach @before, "CREATE EXTENSION dqds SCHEMA $schema" . ($database eq $name ? q( VERSION '1.0') : '');
	}
	my $fresh = catalog_of($control, "${name}_fresh");
	isnt(line_differences(catalog_of($control, $name), $fresh), '', "$name: before the update there are differences");
	my ($status, $said) = update($name, "SET SESSION AUTHORIZATION $user; ALTER EXTENSION dqds UPDATE");
	is("$status $said", '0 ', "$name: updated by $user, who is told nothing");
	is(line_differences(catalog_of($control, $name), $fresh), '', "$name: the catalog after the update is that of a fresh 1.1");
	return $fresh;
}

$control->safe_psql('postgres', 'CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE other SUPERUSER LOGIN');
my $fresh = same_as_fresh('empty', 'other', 'public');
cmp_ok(scalar(() = $fresh =~ /\n/g), '>', 1_000, 'the catalog has many lines');
# In a schema whose name needs quotes, where new objects are open to a role.
same_as_fresh('odd', 'boss', '"Data sources, 100%"', 'CREATE SCHEMA "Data sources, 100%"', 'ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO viewer', 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO viewer');

# Each kind of difference is seen.
foreach my $change (
	'COMMENT ON FUNCTION dqds_close_idle() IS NULL', 'ALTER FUNCTION dqds_close_idle() PARALLEL SAFE', 'ALTER FUNCTION dqds_close_idle() SET work_mem = 64', 'GRANT EXECUTE ON FUNCTION dqds_close_idle() TO editor',
	'ALTER FUNCTION dqds_close_idle() OWNER TO editor', 'ALTER TABLE dqds_job ALTER job_type DROP NOT NULL', 'ALTER TABLE dqds_job ALTER job_type SET DEFAULT 1', 'ALTER TABLE dqds_job ADD CHECK (id > 0)',
	'CREATE INDEX ON dqds_job (created_at)', 'ALTER SEQUENCE dqds_job_id_seq CACHE 2', 'ALTER VIEW dqds_tokens SET (security_barrier)', 'ALTER EXTENSION dqds DROP VIEW dqds_tokens',
	q(UPDATE pg_extension SET extcondition[1] = 'x' WHERE extname = 'dqds'), q(DELETE FROM pg_init_privs WHERE objoid = 'dqds_create_token(regrole, interval, text)'::regprocedure),
	q(ALTER DEFAULT PRIVILEGES FOR ROLE boss GRANT EXECUTE ON FUNCTIONS TO editor), 'UPDATE pg_cast SET castcontext = \'e\' WHERE castsource = \'dqds_role\'::regtype')
{
	isnt(line_differences(catalog_of($control, 'empty', $change), $fresh), '', "seen: $change");
}

# --- A filled one -----------------------------------------------------------------------------------------------------------

# A dump of 1.0 is for 1.0: doc/upgrading.md tells how it is restored where 1.1 is installed.
$control->safe_psql('postgres', 'CREATE DATABASE plain; CREATE DATABASE registry');
write_text("$tmp/registry.sql", with_port(slurp_file("$dir/registry-1.0.sql")));
command_fails_like(file_in($control, 'plain', "$tmp/registry.sql", '-v', 'ON_ERROR_STOP=1'), qr/column "written_by_admin" of relation "dqds_connection" does not exist/, 'a dump of 1.0 does not fit into 1.1, and is not taken by halves');
my ($filter) = slurp_file('doc/upgrading.md') =~ /^\s*(sed ".*VERSION.*?")\s/m;
ok(defined $filter, 'doc/upgrading.md has a command for that') or BAIL_OUT('no command');
system("$filter <'$tmp/registry.sql' >'$tmp/as-1.0.sql'") == 0 or die $filter;
command_ok(file_in($control, 'registry', "$tmp/as-1.0.sql", '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'), 'restored as 1.0');

# What no dump has: a name of more than a megabyte, and rows of a role that was dropped, whose number is another role's by now.
$control->safe_psql('registry', q{
	CREATE ROLE gone;
	INSERT INTO dqds_connection (name, owner, model, written_by_admin) SELECT repeat('x', 1048577), owner, model, false FROM dqds_connection WHERE name = 'shop';
	INSERT INTO dqds_connection (name, owner, model, written_by_admin) SELECT 'of no one', 'gone', model, false FROM dqds_connection WHERE name = 'shop';
	INSERT INTO dqds_connection_grant SELECT id, 'gone' FROM dqds_connection WHERE name = 'shop';
	INSERT INTO dqds_token (role, token_hash, created_by, expires_at) VALUES ('gone', 'x', 'gone', 'infinity');
	DROP ROLE gone});

# Before the update: what 1.0 has in C.
my @old = (q(dqds_create_connection('a', '{"password": "told-to-no-one"}'::text)), q(dqds_create_connection('a', '{}'::jsonb)), q(dqds_create_credential('a', 'told-to-no-one', '*')), q(dqds_create_token('editor')),
	q(dqds_diagnose_connection('shop')), q(dqds_drop_connection('shop')), q(dqds_import_named_tables('shop', 'shop', NULL, NULL, 1)), q(dqds_import_tables('shop', 'shop')), q(dqds_list_columns('shop', 'shop')),
	q(dqds_list_schemas('shop')), q(dqds_list_schemas_json('shop', true)), q(dqds_list_tables('shop', 'shop')), q(dqds_list_tables_json('shop', 'shop', NULL, NULL, true)), q(dqds_rename_connection('shop', 'mine')),
	q(dqds_replace_credential('reader', 'told-to-no-one')), q(dqds_test_connection('shop')), q(dqds_test_connection('{}'::json)), q(dqds_test_connection_json('{}', true, true)), q(dqds_test_connections()),
	q(dqds_unimport_tables('shop', 'shop')), q(dqds_update_connection('shop', '{}'::json)), q(dqds_drop_connection_json('shop')));
my $sql = DqdsTest::Sql->connect($control, database => 'registry');
foreach my $call (@old)
{
	my $error = $sql->query("SELECT * FROM $call")->{error} // {};
	is(($error->{sqlstate} // '') . ': ' . ($error->{hint} // ''), '55000: Run ALTER EXTENSION dqds UPDATE in this database.', "before the update: $call");
}
{
	my %named = map { /^(\w+)/ => 1 } @old;
	is(join(' ', $sql->column(q(SELECT DISTINCT proname FROM pg_proc WHERE proname ~ '^dqds' AND probin IS NOT NULL ORDER BY 1))), join(' ', sort grep { $_ ne 'dqds_drop_connection_json' } keys %named, 'dqds_close_idle'), 'those are all that 1.0 has in C');
}
is($sql->query(q(SELECT dqds_drop_connection('shop')))->{error}{message}, "function \"dqds_drop_connection\" belongs to dqds 1.0, but the library of dqds is $version", 'and whose it is');
is($sql->value('SELECT dqds_close_idle()'), 0, 'what has not changed works');
is(join(' ', $sql->column("SELECT source || ' ' || coalesce(path, 'no path') FROM pg_extension_update_paths('dqds') WHERE target = '$version' ORDER BY 1")), "1.0 1.0--$version", 'every older version can be updated');
unlike(slurp_file($control->logfile), qr/told-to-no-one/, 'no password of these calls is in the log');

# The bridge tells it, too, and finds out by itself when it is done.
$control->safe_psql('postgres', 'CREATE ROLE dqds_bridge LOGIN NOINHERIT; GRANT operator TO dqds_bridge');
my $bridge = start_bridge(undef, control_db => bridge_conninfo($control) =~ s/dbname=\S+/dbname=registry/r, anonymous => 'operator');
{
	my $answer = http($bridge, GET => '/api/connections');
	is($answer->{status}, 503, 'over REST it is not available');
	like($answer->{json}{message}, qr/the extension dqds in it is of version 1\.0, but 1\.1 or later is needed; run ALTER EXTENSION dqds UPDATE/, 'and says why');
}

# What depends on a function that is made again: nothing is done.
my @dependants = ('VIEW on_tables AS SELECT * FROM dqds_list_tables(\'shop\', \'shop\')', 'VIEW on_owner AS SELECT owner FROM dqds_connection', 'FUNCTION on_test() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT t.tls FROM dqds_test_connection(\'shop\') t; END');
foreach my $dependant (@dependants)
{
	my ($what) = $dependant =~ /^(\w+ \w+(?:\(\))?)/;
	$control->safe_psql('registry', "CREATE $dependant");
	my $error = $sql->query('ALTER EXTENSION dqds UPDATE')->{error};
	is("$error->{sqlstate} " . lc $error->{detail}, '2BP01 ' . lc($what) =~ s/ / public./r, "refused: $what");
	like($error->{hint}, qr/^Keep their definitions, drop them, update the extension, and create them again\.$/, 'and says what to do');
	is($sql->value(q(SELECT extversion FROM pg_extension WHERE extname = 'dqds')), '1.0', 'it is 1.0 still');
	$control->safe_psql('registry', "DROP $what");
}

# A session in which the library was loaded before.
my ($status, $said) = update('registry');
is($status, 0, 'the update') or diag($said);
is($sql->value(q(SELECT extversion FROM pg_extension WHERE extname = 'dqds')), $version, "it is $version");
my $warned = join "\n", map { s/^psql:\S+ //r } grep { !/^(?:HINT|DETAIL)/ } split /\n/, $said;
is("$warned\n", <<'EOT', 'the admin is told what is different');
WARNING:  function public.dqds_store_secrets(bigint,jsonb) is no more; these roles had a privilege on it: inside
WARNING:  connection 6 ("other provider"): "mysql.user" is missing in the connection model
WARNING:  connection 10: the name of a connection must not begin with "{"
WARNING:  connection 11: the name of a connection must not be a URL or a conninfo string
WARNING:  connection 12: the name of a connection must not be a URL or a conninfo string
WARNING:  connection 13 ("unknown key"): "postgresql.ssl_mode" in the connection model is not known
WARNING:  connection 15 ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."): the name of a connection must not have more than 1048576 bytes as JSON
EOT
unlike($said . slurp_file($control->logfile), qr/name-secret|reader-secret/, 'no secret is in it, nor in the log');
{
	my ($hint) = $said =~ /^HINT:  Give it another name: (SELECT .* WHERE id = 10)\.$/m;
	is($sql->query($hint)->{error}, undef, 'the hint is a command that works');
	is($sql->value('SELECT name FROM dqds_connection WHERE id = 10'), 'NEW NAME', 'and renames it');
	$sql->must(q(SELECT dqds_rename_connection('NEW NAME', 'plain'), dqds_drop_connection(repeat('x', 1048577))));
	# As it was, for the comparison.
	$sql->must(q(UPDATE dqds_connection SET name = '{"provider_type": "mysql"}' WHERE id = 10));
}
is($sql->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'of no one')), '-', 'a connection of a role that was dropped is no one\'s');
is($sql->value(q(SELECT count(*) FROM dqds_token WHERE role = 0::regrole OR role::text = '-')), 1, 'so is its token');
$sql->must(q(SELECT dqds_drop_connection('of no one')));
$sql->must(q(DELETE FROM dqds_connection_grant WHERE grantee::text = '-'; DELETE FROM dqds_token WHERE role::text = '-'));

is($sql->value(q(SELECT string_agg(concat_ws(' ', name, environment_members), '; ' ORDER BY id) FROM dqds_connection WHERE environment_members <> '{}')), 'environment {postgresql.password,postgresql.properties.application_name}',
	'references count where an admin wrote them, and nowhere else');
is($sql->value(q(SELECT string_agg(r.rolname, ' ' ORDER BY r.rolname COLLATE "C") FROM pg_proc p, aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE p.proname = 'dqds_enrolled' AND a.grantee <> p.proowner)), 'Odd editor admin editor friend lister operator viewer', 'the registry knows its roles');
is(answers($control, 'registry'), with_port(slurp_file("$dir/answers-1.0.txt")), 'every call of 1.0 is answered as by 1.0');

# A level opens what it opens in 1.1, and no more.
my $levels = join '; ', map { "SELECT dqds_grant('$_->[0]', '$_->[1]')" } [ viewer => 'viewer' ], [ operator => 'operator' ], [ editor => 'editor' ], [ editor => '"Odd editor"' ], [ admin => 'admin' ];
my $privileges = q(SELECT p.oid::regprocedure, a::text FROM pg_proc p, unnest(p.proacl) a WHERE p.proname ~ '^dqds_' AND p.proname <> 'dqds_enrolled' AND a::text !~ '^(lister|friend)=' ORDER BY 1::text, 2);
$control->safe_psql('plain', 'DROP EXTENSION IF EXISTS dqds CASCADE; CREATE EXTENSION dqds');
$control->safe_psql('plain', $levels);
is(line_differences($control->safe_psql('registry', $privileges), $control->safe_psql('plain', $privileges)), '', 'levels are those that 1.1 grants');
is($sql->value(q(SELECT string_agg(p.oid::regprocedure || ' ' || a::text, '; ' ORDER BY p.oid::regprocedure::text, a::text) FROM pg_proc p, unnest(p.proacl) a WHERE p.proname ~ '^dqds_' AND p.proname <> 'dqds_enrolled' AND a::text ~ '^(lister|friend)='))
	=~ s/=X\*?\/\K(?!lister)[^;]+/OWNER/gr, 'dqds_list_columns(text,text,text) lister=X*/OWNER; dqds_list_columns(text,text,text[]) lister=X*/OWNER; '
	  . 'dqds_list_tables(text,text,text,integer,boolean,boolean,text,boolean) friend=X/lister; dqds_list_tables(text,text,text,integer,boolean,boolean,text,boolean) lister=X*/OWNER', 'single privileges are those that were granted, by whom they were');
ok($sql->query('DROP ROLE friend')->{error}, 'which cannot be dropped unseen');

# Over REST, with a token of 1.0, by the bridge that was refused before.
{
	my $token = $sql->value('SELECT token FROM made_token');
	my $answer = http($bridge, GET => '/api/datasource/connections/shop/schemas/shop/tables', { Authorization => "Bearer $token" });
	is($answer->{status}, 200, 'a token of 1.0 works') or diag($answer->{raw});
	is(join(' ', map { $_->{tableName} } @{ $answer->{json} }), 'odd orders recent', 'and the registry behind it');
}
$bridge->stop;

# --- Dumped and restored ------------------------------------------------------------------------------------------------------

# In another cluster, where roles have other numbers, dumps of 1.1 are restored into a fresh 1.1.
$sql->close;
my $second = do { local $ENV{DQDS_SECRET_READER} = 'reader-secret'; control_server('second', extension => 0) };
$second->safe_psql('postgres', 'CREATE ROLE first_of_all; CREATE ROLE second_of_all; CREATE DATABASE registry');
command_ok(file_in($second, 'postgres', "$dir/roles.sql", '-v', 'ON_ERROR_STOP=1'), 'the roles');
command_ok([ 'pg_dump', '-f', "$tmp/upgraded.sql", '-d', $control->connstr('registry') ], 'pg_dump of the upgraded database');
command_ok(file_in($second, 'registry', "$tmp/upgraded.sql", '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'), 'restored where 1.1 is installed');
is(line_differences(catalog_of($second, 'registry'), catalog_of($control, 'registry')), '', 'the catalog of the restored database is that of the upgraded one');
is(line_differences(rows($second, 'registry'), rows($control, 'registry')), '', 'so is the registry');
is(answers($second, 'registry'), with_port(slurp_file("$dir/answers-1.0.txt")), 'and every call is answered as by 1.0');

# --- Columns are found by their names -------------------------------------------------------------------------------------------

# Not by their numbers, which may differ, and not by those that a session has looked up before the table was changed.
{
	my $session = DqdsTest::Sql->connect($second, database => 'registry');
	my $outcome = sub { return join ' ', map { $_ // '-' } @{ ($session->rows(q(SELECT connection_test_result, error_code FROM dqds_test_connection('shop'))))[0] }{qw(connection_test_result error_code)} };
	my $swap = sub {
		my ($table, $column) = @_;
		my ($type) = $second->safe_psql('registry', "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '$table'::regclass AND attname = '$column'");
		$second->safe_psql('registry', "ALTER TABLE $table ADD COLUMN newer $type; UPDATE $table SET newer = $column; ALTER TABLE $table RENAME COLUMN $column TO older; ALTER TABLE $table RENAME COLUMN newer TO $column; UPDATE $table SET older = $_[2]");
	};
	is($outcome->(), 'SUCCESS -', 'a session has read the registry');
	$swap->('dqds_connection_secret', 'secrets', q('{"postgresql": {"password": "wrong"}}'));
	is($outcome->(), 'SUCCESS -', 'the secret is that of the column that has the name');
	$swap->('dqds_connection', 'model', q('{"provider_type": "mysql"}'));
	is($outcome->(), 'SUCCESS -', 'so is the model');
	$second->safe_psql('registry', 'ALTER TABLE dqds_connection_secret RENAME COLUMN secrets TO hidden');
	is($session->query(q(SELECT * FROM dqds_test_connection('shop')))->{error}{message}, 'column "secrets" of relation "dqds_connection_secret" of extension dqds is missing', 'a column that is missing is named');
}

done_testing();

sub write_text
{
	my ($file, $text) = @_;
	open my $out, '>', $file or die "$file: $!";
	print $out $text;
	close $out or die "$file: $!";
	return;
}
