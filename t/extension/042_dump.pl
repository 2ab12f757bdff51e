# The registry is data of its database: pg_dump carries connections, secrets, grants, levels, imports and the next id into
# another database and another cluster; the secrets can be left out. DROP EXTENSION leaves nothing behind, and the extension
# works in any schema.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', extension => 0, conf => 'autovacuum = off');
my $dir     = PostgreSQL::Test::Utils::tempdir('dumps');

# A schema whose name needs quotes. (PostgreSQL itself allows no quotes, dollar signs or backslashes in the schema of an
# extension.)
my $odd = '"Data sources, 100% of them"';

$remote->safe_psql('postgres', <<'SQL');
CREATE SCHEMA shop AUTHORIZATION reader;
CREATE TABLE shop.orders (id integer PRIMARY KEY, price numeric(10,2));
CREATE VIEW shop.recent AS SELECT * FROM shop.orders;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader;
COMMENT ON COLUMN shop.orders.price IS 'without tax';
SQL

sub psql
{
	my ($node, $database, $sql) = @_;
	return $node->safe_psql($database, $sql);
}

# A dump of a database of the control server, restored in another one, which is created.
sub dump_and_restore
{
	my ($from, $to, @options) = @_;
	command_ok([ 'pg_dump', '-d', $control->connstr($from), '-f', "$dir/$to.sql", @options ], "pg_dump of $from @options");
	psql($control, 'postgres', "CREATE DATABASE $to TEMPLATE template0");
	command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $control->connstr($to), '-f', "$dir/$to.sql" ], "restored into $to");
	return;
}

# registry(NODE, DATABASE, SCHEMA): all of the registry as text: rows with their ids, and every privilege that was granted.
sub registry
{
	my ($node, $database, $schema) = @_;
	$schema //= 'public';
	my $path = "SET search_path = $schema;";
	# Jobs are not dumped.
	my @tables = grep { $_ ne 'dqds_job' } split /\n/, psql($node, $database, "$path SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^dqds_' ORDER BY relname");
	my $text = '';
	foreach my $table (@tables)
	{
		$text .= "$table\n" . psql($node, $database, "$path SELECT t FROM $table t ORDER BY t::text COLLATE \"C\"") . "\n\n";
	}
	return $text . psql($node, $database, $path . q{
		SELECT oid::regprocedure, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(proacl) a) FROM pg_proc WHERE proname ~ '^dqds_' ORDER BY 1::text;
		SELECT oid::regclass, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(relacl) a) FROM pg_class WHERE relname ~ '^dqds_' ORDER BY 1::text;});
}

# without(REGISTRY, TABLE…): the same without the rows of these tables, which may be named with *.
sub without
{
	my ($text, @tables) = @_;
	foreach my $table (@tables)
	{
		my $name = $table =~ s/^\*\.//r =~ s/\*/\\w*/r;
		$text =~ s/^$name\n\K.*?(?=\n\n)//msg;
	}
	return $text;
}

# fill(DATABASE, SCHEMA): roles, connections, grants and imports.
sub fill
{
	my ($database, $schema) = @_;
	my $model = sql_literal(connection_model($remote, parallel_jobs_limit => 4));
	psql($control, $database, <<SQL);
SET search_path = '';
SELECT $schema.dqds_grant('viewer', 'viewer'), $schema.dqds_grant('operator', 'operator'), $schema.dqds_grant('editor', '"Editor in chief"'),
	$schema.dqds_grant('admin', 'admin');
SET ROLE "Editor in chief";
SELECT $schema.dqds_create_connection('prod', $model);
SELECT $schema.dqds_create_connection(E'odd "name", it''s 100%\\n\\\\.\\t😀', $model);
SELECT $schema.dqds_create_connection(repeat('long ', 2000), $model);
SELECT $schema.dqds_create_connection('dropped', $model);
SELECT $schema.dqds_drop_connection('dropped');
SELECT $schema.dqds_import_tables('prod', 'shop');
RESET ROLE;
SELECT $schema.dqds_create_credential('reader', 'secret of a credential', '127.0.0.1'), $schema.dqds_grant_credential('reader', 'operator');
SELECT $schema.dqds_create_token('operator', '1 day', 'for the console');
SELECT $schema.dqds_grant_connection('prod', 'operator');
SQL
	return;
}

# works_on(NODE, DATABASE): a restored registry works like the old one.
sub works_on
{
	my ($node, $database, $schema) = @_;
	$schema //= 'public';
	my $as_operator = "SET search_path = ''; SET ROLE operator;";
	is(psql($node, $database, "$as_operator SELECT connection_name, connection_test_result FROM $schema.dqds_test_connections()"), 'prod|SUCCESS',
		"$database: the operator tests a granted connection, with the secret from the dump");
	is(psql($node, $database, "$as_operator SELECT table_name, already_imported FROM $schema.dqds_list_tables('prod', 'shop')"), "orders|t\nrecent|t",
		"$database: what is imported is still known");
	my $last = psql($node, $database, "SELECT max(id) FROM $schema.dqds_connection");
	psql($node, $database, qq(SET ROLE "Editor in chief"; SELECT $schema.dqds_create_connection('new', '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}')));
	cmp_ok(psql($node, $database, "SELECT id FROM $schema.dqds_connection WHERE name = 'new'"), '>', $last, "$database: ids go on");
	is(psql($node, $database, qq(SET ROLE "Editor in chief"; SELECT status FROM $schema.dqds_import_tables('prod', 'shop', NULL, '{orders}'))), 'unchanged',
		"$database: an import finds what it stored before");
	psql($node, $database, qq(SET ROLE "Editor in chief"; SELECT $schema.dqds_drop_connection('new')));
	return;
}

psql($control, 'postgres', 'CREATE ROLE viewer; CREATE ROLE operator; CREATE ROLE "Editor in chief"; CREATE ROLE admin; CREATE EXTENSION dqds');
fill('postgres', 'public');
my $before = registry($control, 'postgres');
ok($before =~ /without tax.*orders/s, 'there is something to dump');

# --- Into another database, and another cluster ------------------------------------------------------

dump_and_restore('postgres', 'restored');
is(line_differences(registry($control, 'restored'), $before), '', 'a restored database has the same registry and privileges');
works_on($control, 'restored');

command_ok([ 'pg_dumpall', '-d', $control->connstr('postgres'), '-f', "$dir/all.sql" ], 'pg_dumpall');
my $second = control_server('second', extension => 0);
# Its superuser exists already.
command_ok([ 'psql', '-qX', '-d', $second->connstr('postgres'), '-f', "$dir/all.sql" ], 'restored into another cluster');
is(line_differences(registry($second, 'postgres'), $before), '', 'another cluster has the same registry and privileges');
works_on($second, 'postgres');
$second->stop;

# --- Without the secrets -----------------------------------------------------------------------------

# As doc/operations.md says it.
my @secret_tables = slurp_file('doc/operations.md') =~ /--exclude-table-data='?([^\s']+)/g;
dump_and_restore('postgres', 'without_secrets', map { "--exclude-table-data=$_" } @secret_tables);
my $password = remote_password($remote);
like(slurp_file("$dir/restored.sql"), qr/$password.*secret of a credential/s, 'a dump holds passwords');
unlike(slurp_file("$dir/without_secrets.sql"), qr/$password|secret of a credential/, "a dump without the data of @secret_tables holds none");
is(line_differences(registry($control, 'without_secrets'), without($before, @secret_tables)), '', 'but all the rest');
is(psql($control, 'without_secrets', q{SET ROLE operator; SELECT connection_test_result, error_code FROM dqds_test_connection('prod')}),
	'FAILURE|password_required', 'a connection without its secret says what it needs');
psql($control, 'without_secrets', q{SELECT dqds_update_connection('prod', } . sql_literal(connection_model($remote)) . ')');
is(psql($control, 'without_secrets', q{SET ROLE operator; SELECT connection_test_result FROM dqds_test_connection('prod')}),
	'SUCCESS', 'given again, it works');

# --- DROP EXTENSION ----------------------------------------------------------------------------------

# rows(DATABASE): how many rows each catalog has.
sub rows
{
	my ($database) = @_;
	return psql($control, $database, psql($control, $database, q{SELECT string_agg(format('SELECT %L, count(*) FROM %s', relname, oid::regclass), ' UNION ALL ')
		FROM (SELECT * FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace ORDER BY relname) c}));
}

# leaves_nothing(SCHEMA): create, use, drop.
sub leaves_nothing
{
	my ($database, $schema) = @_;
	psql($control, 'postgres', "CREATE DATABASE $database TEMPLATE template0");
	# The schema and the privileges on it stay, because they do not belong to the extension.
	my $grants = join ', ', qw(viewer operator "Editor in chief" admin);
	psql($control, $database, qq(CREATE SCHEMA $schema; GRANT USAGE ON SCHEMA $schema TO viewer, operator, "Editor in chief", admin))
	  if $schema ne 'public';
	my $clean = rows($database);
	psql($control, $database, "CREATE EXTENSION dqds SCHEMA $schema");
	isnt(rows($database), $clean, "$database: CREATE EXTENSION adds to the catalogs");
	fill($database, $schema);
	psql($control, $database, "SELECT * FROM $schema.dqds_list_schemas('prod'); DROP EXTENSION dqds");
	is(rows($database), $clean, "$database: DROP EXTENSION leaves nothing behind");
	psql($control, $database, "CREATE EXTENSION dqds SCHEMA $schema");
	is(psql($control, $database, "SELECT count(*) FROM $schema.dqds_connections"), 0, "$database: recreated, it is empty");
	return;
}

leaves_nothing('dropped', 'public');
leaves_nothing('dropped_odd', $odd);

# --- In another schema -------------------------------------------------------------------------------

psql($control, 'postgres', 'CREATE DATABASE other TEMPLATE template0');
psql($control, 'other', "CREATE SCHEMA $odd; CREATE EXTENSION dqds SCHEMA $odd");
fill('other', $odd);
my $model = sql_literal(connection_model($remote));
my @calls = (
	# the lowest level, a call; S stands for the schema
	[ viewer   => 'SELECT * FROM S.dqds_connections' ],
	[ viewer   => 'SELECT * FROM S.dqds_imported_tables' ],
	[ viewer   => 'SELECT * FROM S.dqds_imported_columns' ],
	[ viewer   => q{SELECT pg_catalog.dqds_connection_json('prod')} ],
	[ viewer   => q{SELECT pg_catalog.dqds_connection_spec_json('prod')} ],
	[ viewer   => q{SELECT pg_catalog.dqds_imported_schemas_json('prod')} ],
	[ viewer   => q{SELECT pg_catalog.dqds_imported_tables_json('prod', 'shop', NULL, NULL, NULL)} ],
	[ viewer   => q{SELECT pg_catalog.dqds_missing_level('dqds_import_tables_json', true)} ],
	[ operator => q{SELECT * FROM S.dqds_test_connection('prod')} ],
	[ operator => "SELECT * FROM S.dqds_test_connection($model)" ],
	[ operator => 'SELECT * FROM S.dqds_test_connections()' ],
	[ operator => q{SELECT * FROM S.dqds_list_schemas('prod')} ],
	[ operator => q{SELECT * FROM S.dqds_list_tables('prod', 'shop')} ],
	[ operator => q{SELECT * FROM S.dqds_list_columns('prod', 'shop')} ],
	[ operator => "SELECT * FROM S.dqds_diagnose_connection($model)" ],
	[ operator => "SELECT pg_catalog.dqds_test_connection_json($model, true, true)" ],
	[ operator => q{SELECT pg_catalog.dqds_list_schemas_json('prod', true)} ],
	[ operator => q{SELECT pg_catalog.dqds_list_tables_json('prod', 'shop', NULL, NULL, true)} ],
	[ editor   => "SELECT S.dqds_create_connection('made', $model)" ],
	[ editor   => "SELECT S.dqds_update_connection('made', $model)" ],
	[ editor   => q{SELECT S.dqds_rename_connection('made', 'remade')} ],
	[ editor   => q{SELECT * FROM S.dqds_import_tables('remade', 'shop')} ],
	[ editor   => q{SELECT pg_catalog.dqds_import_tables_json('{"connectionName": "remade", "schemaName": "shop"}', 'key'); SELECT pg_catalog.dqds_job_json('key')} ],
	[ editor   => q{SELECT S.dqds_unimport_tables('remade', 'shop')} ],
	[ editor   => q{SELECT S.dqds_drop_connection('remade')} ],
	[ editor   => qq{SELECT S.dqds_create_connection('made', $model); SELECT pg_catalog.dqds_drop_connection_json('made')} ],
	[ admin    => q{SELECT S.dqds_create_credential('c', 'x', '*')} ],
	[ admin    => q{SELECT S.dqds_replace_credential('c', 'y')} ],
	[ admin    => q{SELECT S.dqds_grant_credential('c', 'PG_NOBODY')} ],
	[ admin    => q{SELECT S.dqds_revoke_credential('c', 'PG_NOBODY')} ],
	[ admin    => q{SELECT * FROM S.dqds_credentials} ],
	[ admin    => q{SELECT S.dqds_drop_credential('c')} ],
	[ admin    => q{SELECT S.dqds_create_token('admin')} ],
	[ admin    => q{SELECT S.dqds_revoke_token(token_id) FROM S.dqds_tokens WHERE role = 'admin'::pg_catalog.regrole} ],
	[ admin    => q{SELECT S.dqds_grant('operator', 'PG_NOBODY')} ],
	[ admin    => q{SELECT S.dqds_grant_connection('prod', 'PG_NOBODY')} ],
	[ admin    => q{SELECT S.dqds_revoke_connection('prod', 'PG_NOBODY')} ],
	[ admin    => q{SELECT S.dqds_revoke('viewer', 'PG_NOBODY')} ],
	[ viewer   => 'SELECT S.dqds_close_idle()' ]);
my %role_of = (viewer => 'viewer', operator => 'operator', editor => '"Editor in chief"', admin => 'admin');
psql($control, 'other', qq{CREATE ROLE nobody; SELECT $odd.dqds_grant_connection('prod', 'viewer')});
foreach my $path ("''", $odd, "pg_catalog, $odd, pg_temp")
{
	my @failed;
	foreach my $call (@calls)
	{
		my $sql = $call->[1] =~ s/PG_NOBODY/nobody/r;
		# Where the search_path finds it, it need not be qualified.
		$sql = $path eq "''" ? $sql =~ s/\bS\./$odd./gr : $sql =~ s/\bS\.//gr;
		my ($status, $out, $err) = $control->psql('other', "SET ROLE $role_of{$call->[0]}; SET search_path = $path; $sql", on_error_stop => 1);
		push @failed, "$call->[1]: $err" if $status != 0 || $err ne '' || ($call->[0] eq 'operator' && $out =~ /FAILURE/);
	}
	is(join("\n", @failed), '', "search_path = $path: every function works for the role that was granted its level");
}
dump_and_restore('other', 'other_without_secrets', map { "--exclude-table-data=$_" } @secret_tables);
like(slurp_file("$dir/other_without_secrets.sql"), qr/COPY $odd\.dqds_connection /, 'another schema is dumped without its secrets');
unlike(slurp_file("$dir/other_without_secrets.sql"), qr/$password|secret of a credential/, 'and there is none in it');
dump_and_restore('other', 'other_restored');
is(psql($control, 'other', "SELECT count(*) > 0 FROM $odd.dqds_job") . psql($control, 'other_restored', "SELECT count(*) FROM $odd.dqds_job"), 't0', 'jobs are not dumped');
is(line_differences(registry($control, 'other_restored', $odd), registry($control, 'other', $odd)), '',
	'the registry of another schema is dumped and restored');
works_on($control, 'other_restored', $odd);

$control->stop;
$remote->stop;
done_testing();
