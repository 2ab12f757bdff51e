# Tables are found by the dependencies of their schema, which costs less than reading every relation of the database. This
# test shows that the result is the same: it compares it with the scan that look-alikes get, which is the same query without
# that step, and with a plain query of its own; for every kind of relation, whatever happened to it, to its schema or to its
# extension.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Lookalike;
use DqdsTest::Process;
use DqdsTest::Reference;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote', conf => "autovacuum = off\ntrack_activity_query_size = 16384");
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);
my $at_remote = DqdsTest::Sql->connect($remote);
$at_remote->must("SET search_path = ''");
note("PostgreSQL $version");

# --- What is compared --------------------------------------------------------------------------------------

# Two users that reach the same server by both paths: one sees everything, the other was granted a part.
my @users     = qw(boss plain);
my $lookalike = start_lookalike($remote);
$remote->safe_psql('postgres', q{CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret'; CREATE ROLE plain LOGIN PASSWORD 'secret';
	CREATE ROLE heir NOLOGIN});
foreach my $user (@users)
{
	my %login = (user => $user, password => 'secret');
	create_connection($control, "fast_$user", connection_model($remote, %login));
	create_connection($control, "scan_$user", connection_model($remote, %login, port => '' . $lookalike->port));
}

create_reference($remote, 'postgres');

# What look-alikes are not asked for; and the rows, which they tell of in their own way, as they do of constraints that are
# not valid.
my $not_asked = 'estimated_rows,partition_of,owner,size_bytes,extension,can_select,full_type,base_type,enum_labels,default_expression,generated,'
  . 'identity,is_unique,primary_key_position,collation' . ($version >= 18 ? ',nullable' : '');

# listed(CONNECTION, SCHEMA…): everything that dqds lists there, as lines in its order: tables, their names alone (which is
# another query), a part of them, columns, those of some tables.
sub listed
{
	my ($connection, @schemas) = @_;
	my $name    = sql_literal($connection);
	my $schemas = 'unnest(ARRAY[' . join(', ', map { sql_literal($_) } @schemas) . ']::text[]) WITH ORDINALITY AS s (name, n)';
	my @lines   = map { "schema $_" } $sql->column("SELECT schema_name FROM dqds_list_schemas($name, true)");
	my %list    = (
		table   => "dqds_list_tables($name, s.name)",
		few     => "dqds_list_tables($name, s.name, 'e', 3)",
		column  => "dqds_list_columns($name, s.name)",
		columns => "dqds_list_columns($name, s.name, '{inside,plain,parts,twice,pg_class}')");
	push @lines, map { "names $_" }
	  $sql->column("SELECT s.name || replace(json, $name, '') FROM $schemas, dqds_list_tables_json($name, s.name, NULL, NULL, false)"
		  . ' WITH ORDINALITY AS t (json, m) ORDER BY n, m');
	foreach my $list (sort keys %list)
	{
		push @lines, map { "$list $_" }
		  $sql->column("SELECT to_jsonb(t) - '{connection_name,ordinality,$not_asked}'::text[] FROM $schemas, $list{$list} WITH ORDINALITY AS t ORDER BY n, ordinality");
	}
	return @lines;
}

my $kind = q{CASE c.relkind WHEN 'r' THEN CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END
	WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' END};

# same(GOT, EXPECTED, NAME): an assertion about two lists of lines, of which neither is empty.
sub same
{
	my ($got, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $difference = @$got ? line_differences(join("\n", @$got), join("\n", @$expected)) : 'nothing at all';
	$difference ||= 'another order' if "@$got" ne "@$expected";
	return is($difference, '', $name);
}

# compare(TITLE, SYSTEM = false): fast beside scan for each user, and fast beside plain queries for the one who sees it all.
# Returns "schema.table kind" => 1.
sub compare
{
	my ($title, $system) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $which   = $system ? 'true' : q{n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'};
	my @schemas = $at_remote->column("SELECT n.nspname FROM pg_namespace n WHERE $which ORDER BY n.nspname");
	my %fast    = map { $_ => [ listed("fast_$_", @schemas) ] } @users;
	same($fast{$_}, [ listed("scan_$_", @schemas) ], "$title: $_ gets the same by both paths") foreach @users;

	$which .= q{ AND n.nspname !~ '^pg_(toast_)?temp_'};
	my $tables  = join ', ', map { sql_literal($_) } @schemas;
	my @tables  = $sql->column(qq{SELECT to_jsonb(t) - '{connection_name,already_imported}'::text[] FROM unnest(ARRAY[$tables]) WITH ORDINALITY AS s (name, n),
		dqds_list_tables('fast_boss', s.name) t ORDER BY n, t.table_name COLLATE "C"});
	same(\@tables, [ $at_remote->column(qq{
		SELECT jsonb_build_object('schema_name', n.nspname, 'table_name', c.relname, 'table_kind', $kind,
			'estimated_rows', reference.rows(c.oid), 'comment', obj_description(c.oid, 'pg_class'), 'owner', pg_get_userbyid(c.relowner),
			'size_bytes', NULL, 'extension', reference.extension('pg_class', c.oid), 'can_select', true, 'partition_of',
			CASE WHEN c.relispartition THEN (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = c.oid) END)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND $which
		ORDER BY n.nspname, c.relname::text COLLATE "C"}) ], "$title: the tables are those of pg_class");
	my @columns = $sql->column(qq{SELECT format('%I.%I %s %I %s %s %s', schema_name, table_name, ordinal_position, column_name, column_type, nullable, comment)
		FROM unnest(ARRAY[$tables]) WITH ORDINALITY AS s (name, n), dqds_list_columns('fast_boss', s.name) t
		ORDER BY n, t.table_name COLLATE "C", ordinal_position});
	same(\@columns, [ $at_remote->column(qq{
		SELECT format('%I.%I %s %I %s %s %s', n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, NULL),
			NOT (reference.refuses_null(a.atttypid) OR a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k
				WHERE k.conrelid = c.oid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey))), col_description(c.oid, a.attnum))
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND $which AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY n.nspname, c.relname::text COLLATE "C", a.attnum}) ], "$title: the columns are those of pg_attribute");
	my %seen;
	$seen{$_}++ foreach $sql->column(qq{SELECT format('%s.%s %s', schema_name, table_name, table_kind)
		FROM unnest(ARRAY[$tables]) AS s (name), dqds_list_tables('fast_boss', s.name)});
	is(join(', ', grep { $seen{$_} > 1 } sort keys %seen), '', "$title: nothing is listed twice");
	return \%seen;
}

# --- What happens -------------------------------------------------------------------------------------------

# An extension with tables, since none of PostgreSQL's own has some. Its files go to where the server looks for them.
my $extensions = $at_remote->value(q{SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'}) . '/extension';
my %extension_file = (
	'dqds_paths.control' => "default_version = '1'\nrelocatable = true\n",
	'dqds_paths--1.sql'  => 'CREATE TABLE of_paths (id integer PRIMARY KEY, t text); CREATE TABLE of_paths_1 (id integer);'
	  . 'CREATE VIEW of_paths_view AS SELECT * FROM of_paths; CREATE TABLE of_paths_parts (id integer) PARTITION BY RANGE (id);'
	  . 'CREATE MATERIALIZED VIEW of_paths_stored AS SELECT * FROM of_paths;',
	'dqds_paths--1--2.sql'     => 'DROP TABLE of_paths_1; CREATE TABLE of_paths_2 (id integer);',
	'dqds_paths_home.control'  => "default_version = '1'\nrelocatable = false\nschema = 'paths_home'\n",
	'dqds_paths_home--1.sql'   => 'CREATE TABLE of_home (id integer); CREATE SCHEMA of_home; CREATE TABLE of_home.inside (id integer);',
	'dqds_paths_catalog.control' => "default_version = '1'\nrelocatable = true\n",
	'dqds_paths_catalog--1.sql'  => 'CREATE TABLE of_catalog (id integer); ALTER TABLE of_catalog SET SCHEMA pg_catalog;');
foreach my $name (keys %extension_file)
{
	open my $file, '>', "$extensions/$name" or die "$extensions/$name: $!";
	print $file $extension_file{$name};
	close $file or die "$extensions/$name: $!";
}
END { if ($extensions) { my $status = $?; unlink map { "$extensions/$_" } keys %extension_file; $? = $status; } }

# Each step: what it is, its SQL, and what has to be ("schema.table kind") or not to be listed ("schema.table") after it.
# since, until: the versions that know it. system: the system's own schemas are compared as well.
my @steps = (
	{   what => 'every kind',
		sql  => q{
			CREATE SCHEMA data; CREATE SCHEMA elsewhere; CREATE SCHEMA nothing;
			CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
			CREATE TABLE data.plain (id integer PRIMARY KEY, name text NOT NULL, small "char");
			CREATE TABLE data.no_toast (id integer, at date);
			CREATE TABLE data.no_columns ();
			CREATE UNLOGGED TABLE data.unlogged (id integer, name text);
			CREATE TYPE data.composite AS (a integer, b varchar(3));
			CREATE TABLE data.typed OF data.composite;
			CREATE TABLE data.child (more integer) INHERITS (data.plain);
			CREATE TABLE data.grandchild (even integer) INHERITS (data.child);
			CREATE TABLE data.counted (a integer GENERATED ALWAYS AS IDENTITY, b serial, c bigserial);
			CREATE TABLE data.like (LIKE data.plain INCLUDING ALL);
			CREATE SEQUENCE data.sequence; CREATE INDEX index ON data.plain (name); CREATE TYPE data.mood AS ENUM ('happy');
			CREATE VIEW data.seen AS SELECT id, name FROM data.plain;
			CREATE RECURSIVE VIEW data.recursive (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM recursive WHERE n < 3;
			CREATE MATERIALIZED VIEW data.stored AS SELECT id, name FROM data.plain; CREATE UNIQUE INDEX ON data.stored (id);
			CREATE MATERIALIZED VIEW data.unpopulated AS SELECT 1 AS one WITH NO DATA;
			CREATE FOREIGN TABLE data.file (line text) SERVER files OPTIONS (filename 'PG_VERSION');
			CREATE TABLE data.parts (id integer, region text, at date) PARTITION BY LIST (region);
			CREATE TABLE data.parts_north PARTITION OF data.parts FOR VALUES IN ('north') PARTITION BY RANGE (at);
			CREATE TABLE data.parts_north_2024 PARTITION OF data.parts_north FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
			CREATE TABLE elsewhere.parts_south PARTITION OF data.parts FOR VALUES IN ('south');
			CREATE FOREIGN TABLE data.parts_far PARTITION OF data.parts FOR VALUES IN ('far') SERVER files OPTIONS (filename '/dev/null');
			CREATE TABLE public.in_public (id integer); CREATE VIEW public.in_public_view AS SELECT * FROM public.in_public;
			CREATE TABLE information_schema.in_information (id integer);
			GRANT USAGE ON SCHEMA data TO plain; GRANT CREATE ON SCHEMA elsewhere TO plain;
			GRANT SELECT ON ALL TABLES IN SCHEMA data TO plain; REVOKE ALL ON data.child, data.seen, data.parts FROM plain;
			GRANT UPDATE (name) ON data.child TO plain; GRANT TRUNCATE ON data.parts TO plain},
		seen => [
			'data.plain table', 'data.no_toast table', 'data.no_columns table', 'data.unlogged table', 'data.typed table', 'data.child table',
			'data.grandchild table', 'data.counted table', 'data.like table', 'data.seen view', 'data.recursive view', 'data.stored materialized_view',
			'data.unpopulated materialized_view', 'data.file foreign_table', 'data.parts partitioned_table', 'data.parts_north partitioned_table',
			'data.parts_north_2024 partition', 'elsewhere.parts_south partition', 'data.parts_far foreign_table', 'public.in_public table',
			'public.in_public_view view', 'information_schema.in_information table', 'information_schema.columns view',
			'information_schema.sql_features table', 'pg_catalog.pg_class table', 'pg_catalog.pg_tables view' ],
		gone => [qw(data.sequence data.index data.composite data.mood data.counted_b_seq data.plain_pkey)],
		system => 1 },
	{   what  => 'hash and default partitions',
		since => 11,
		sql   => q{CREATE TABLE data.hashed (id integer) PARTITION BY HASH (id);
			CREATE TABLE data.hashed_0 PARTITION OF data.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
			CREATE TABLE data.parts_rest PARTITION OF data.parts DEFAULT},
		seen => [ 'data.hashed partitioned_table', 'data.hashed_0 partition', 'data.parts_rest partition' ] },
	{   what  => 'generated columns',
		since => 12,
		sql   => q{CREATE TABLE data.generated (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED)},
		seen  => ['data.generated table'] },
	{   what  => 'virtual columns, constraints that are not valid yet',
		since => 18,
		sql   => q{CREATE TABLE data.virtual (a integer, b integer GENERATED ALWAYS AS (a + 1) VIRTUAL, c integer);
			ALTER TABLE data.virtual ADD CONSTRAINT c_is_there NOT NULL c NOT VALID},
		seen => ['data.virtual table'] },
	{   what => 'created in other ways',
		sql  => q{CREATE SCHEMA made AUTHORIZATION plain CREATE TABLE inside (id integer) CREATE VIEW inside_view AS SELECT * FROM inside;
			CREATE TABLE made.as_select AS SELECT 1 AS one, 'x'::text AS two; SELECT 1 AS one INTO made.into;
			PREPARE question AS SELECT 1 AS one; CREATE TABLE made.as_execute AS EXECUTE question;
			BEGIN; CREATE TABLE made.rolled_back (id integer); ROLLBACK;
			BEGIN; CREATE TABLE made.kept (id integer); SAVEPOINT s; CREATE TABLE made.taken_back (id integer); ROLLBACK TO s; COMMIT;
			DO $$ BEGIN CREATE TABLE made.in_block (id integer); END $$; SET ROLE plain; CREATE TABLE made.by_plain (id integer)},
		seen => [
			'made.inside table', 'made.inside_view view', 'made.as_select table', 'made.into table', 'made.as_execute table', 'made.kept table',
			'made.in_block table', 'made.by_plain table' ],
		gone => [qw(made.rolled_back made.taken_back)] },
	{   what => 'dependent on its schema twice',
		sql  => q{CREATE TABLE data.twice (id integer, space regnamespace) PARTITION BY LIST ((space = 'data'::regnamespace));
			CREATE TABLE data.twice_true PARTITION OF data.twice FOR VALUES IN (true);
			CREATE TABLE elsewhere.names_another (id integer, space regnamespace) PARTITION BY LIST ((space = 'data'::regnamespace));
			CREATE TABLE data.by_default (space regnamespace DEFAULT 'data'::regnamespace CHECK (space <> 'data'::regnamespace));
			CREATE INDEX ON data.by_default ((space = 'data'::regnamespace));
			CREATE VIEW data.names_itself AS SELECT 'data'::regnamespace AS space;
			CREATE MATERIALIZED VIEW data.stores_itself AS SELECT 'data'::regnamespace AS space;
			GRANT SELECT ON ALL TABLES IN SCHEMA data TO plain},
		seen => [
			'data.twice partitioned_table', 'data.twice_true partition', 'elsewhere.names_another partitioned_table', 'data.by_default table',
			'data.names_itself view', 'data.stores_itself materialized_view' ] },
	{   what => 'comments',
		sql  => q{COMMENT ON TABLE data.plain IS 'a table'; COMMENT ON COLUMN data.plain.name IS 'a column'; COMMENT ON VIEW data.seen IS E'two\nlines';
			COMMENT ON MATERIALIZED VIEW data.stored IS 'stored'; COMMENT ON FOREIGN TABLE data.file IS '"quoted", \ and 😀';
			COMMENT ON INDEX data.index IS 'an index'; COMMENT ON TYPE data.composite IS 'a type'; COMMENT ON SCHEMA data IS 'a schema';
			COMMENT ON CONSTRAINT plain_pkey ON data.plain IS 'a key'; COMMENT ON TABLE data.like IS 'for a while'; COMMENT ON TABLE data.like IS NULL},
		seen => ['data.plain table'] },
	{   what => 'estimates',
		sql  => q{INSERT INTO data.plain SELECT i, 'x' FROM generate_series(1, 1234) AS i; INSERT INTO data.parts SELECT i, 'north', '2024-05-05'
				FROM generate_series(1, 77) AS i;
			REFRESH MATERIALIZED VIEW data.stored; ANALYZE;
			INSERT INTO data.no_toast VALUES (1); ANALYZE data.no_toast; TRUNCATE data.no_toast;
			INSERT INTO data.like SELECT i, 'x' FROM generate_series(1, 9) AS i; ANALYZE data.like; DELETE FROM data.like; VACUUM data.like;
			CREATE TABLE data.huge (id integer); UPDATE pg_class SET reltuples = 1.5e12, relpages = 7 WHERE oid = 'data.huge'::regclass;
			CREATE TABLE data.never_analyzed (id integer)},
		seen   => [ 'data.huge table', 'data.never_analyzed table' ],
		system => 1 },
	{   what => 'schemas dropped and recreated',
		sql  => q{CREATE SCHEMA remade CREATE TABLE old (id integer) CREATE TABLE same (id integer); CREATE VIEW remade.old_view AS SELECT * FROM remade.old;
			DROP SCHEMA remade CASCADE; CREATE SCHEMA remade; CREATE TABLE remade.new (id integer); CREATE TABLE remade.same (other text);
			CREATE SCHEMA in_vain; CREATE TABLE in_vain.lost (id integer); DROP SCHEMA in_vain CASCADE;
			BEGIN; DROP SCHEMA remade CASCADE; CREATE SCHEMA remade; ROLLBACK},
		seen => [ 'remade.new table', 'remade.same table' ],
		gone => [qw(remade.old remade.old_view in_vain.lost)] },
	{   what => 'schemas renamed, and two that swap their names',
		sql  => q{CREATE SCHEMA first; CREATE TABLE first.of_first (id integer); ALTER SCHEMA first RENAME TO second;
			CREATE SCHEMA left_one; CREATE TABLE left_one.was_left (id integer); CREATE SCHEMA right_one; CREATE TABLE right_one.was_right (id integer);
			ALTER SCHEMA left_one RENAME TO between; ALTER SCHEMA right_one RENAME TO left_one; ALTER SCHEMA between RENAME TO right_one},
		seen => [ 'second.of_first table', 'right_one.was_left table', 'left_one.was_right table' ],
		gone => [qw(first.of_first left_one.was_left right_one.was_right)] },
	{   what => 'moved to another schema',
		sql  => q{CREATE TABLE data.moved (id integer PRIMARY KEY, s serial, t text); ALTER TABLE data.moved SET SCHEMA elsewhere;
			CREATE VIEW elsewhere.moved_view AS SELECT * FROM elsewhere.moved; ALTER VIEW elsewhere.moved_view SET SCHEMA data;
			CREATE MATERIALIZED VIEW elsewhere.moved_stored AS SELECT 1 AS one; ALTER MATERIALIZED VIEW elsewhere.moved_stored SET SCHEMA data;
			CREATE FOREIGN TABLE data.moved_far (id integer) SERVER files OPTIONS (filename '/dev/null'); ALTER FOREIGN TABLE data.moved_far SET SCHEMA elsewhere;
			CREATE TABLE data.moved_parts (id integer) PARTITION BY RANGE (id);
			CREATE TABLE data.moved_part PARTITION OF data.moved_parts FOR VALUES FROM (1) TO (9);
			CREATE TABLE data.stays_part PARTITION OF data.moved_parts FOR VALUES FROM (9) TO (19);
			ALTER TABLE data.moved_parts SET SCHEMA elsewhere; ALTER TABLE data.moved_part SET SCHEMA remade;
			CREATE TABLE data.to_and_fro (id integer); ALTER TABLE data.to_and_fro SET SCHEMA elsewhere; ALTER TABLE elsewhere.to_and_fro SET SCHEMA data;
			CREATE TYPE data.moved_type AS (a integer); CREATE TABLE data.of_moved_type OF data.moved_type; ALTER TYPE data.moved_type SET SCHEMA elsewhere;
			BEGIN; ALTER TABLE data.plain SET SCHEMA elsewhere; ROLLBACK},
		seen => [
			'elsewhere.moved table', 'data.moved_view view', 'data.moved_stored materialized_view', 'elsewhere.moved_far foreign_table',
			'elsewhere.moved_parts partitioned_table', 'remade.moved_part partition', 'data.stays_part partition', 'data.to_and_fro table',
			'data.of_moved_type table', 'data.plain table' ],
		gone => [qw(data.moved elsewhere.moved_view data.moved_parts data.moved_part elsewhere.to_and_fro elsewhere.plain)] },
	{   what   => 'moved into pg_catalog',
		sql    => q{CREATE TABLE data.to_catalog (id integer); ALTER TABLE data.to_catalog SET SCHEMA pg_catalog},
		seen   => ['pg_catalog.to_catalog table'],
		gone   => ['data.to_catalog'],
		system => 1 },
	{   what   => 'moved out of pg_catalog',
		since  => 12,
		sql    => q{ALTER TABLE pg_catalog.to_catalog SET SCHEMA data; CREATE TABLE data.in_catalog (id integer);
			ALTER TABLE data.in_catalog SET SCHEMA pg_catalog},
		seen   => [ 'data.to_catalog table', 'pg_catalog.in_catalog table' ],
		gone   => ['pg_catalog.to_catalog'],
		system => 1 },
	{   what => 'renamed, and two that swap their names',
		sql  => q{CREATE TABLE data.before (id integer); ALTER TABLE data.before RENAME TO "After ""it""";
			CREATE TABLE data.one (was_one integer); CREATE VIEW data.two AS SELECT 2 AS was_two;
			ALTER TABLE data.one RENAME TO three; ALTER VIEW data.two RENAME TO one; ALTER TABLE data.three RENAME TO two},
		seen => [ 'data.After "it" table', 'data.one view', 'data.two table' ],
		gone => [qw(data.before data.three)] },
	{   what => 'given to other owners',
		sql  => q{CREATE TABLE data.given (id integer); ALTER TABLE data.given OWNER TO heir; CREATE TABLE data.of_heir (id integer);
			ALTER TABLE data.of_heir OWNER TO heir; CREATE SCHEMA inherited AUTHORIZATION heir CREATE TABLE inside (id integer);
			CREATE VIEW data.of_heir_view AS SELECT 1 AS one; ALTER VIEW data.of_heir_view OWNER TO heir;
			REASSIGN OWNED BY heir TO plain; CREATE TABLE data.lost (id integer); ALTER TABLE data.lost OWNER TO heir; DROP OWNED BY heir},
		seen => [ 'data.given table', 'data.of_heir table', 'inherited.inside table', 'data.of_heir_view view' ],
		gone => ['data.lost'] },
	{   what => 'attached and detached',
		sql  => q{CREATE TABLE data.attached (id integer, region text, at date); ALTER TABLE data.parts ATTACH PARTITION data.attached FOR VALUES IN ('attached');
			CREATE TABLE data.detached PARTITION OF data.parts FOR VALUES IN ('detached'); ALTER TABLE data.parts DETACH PARTITION data.detached;
			ALTER TABLE data.grandchild NO INHERIT data.child; ALTER TABLE data.typed NOT OF; ALTER TABLE data.unlogged SET LOGGED;
			ALTER TABLE data.no_toast SET UNLOGGED, ADD t text, DROP at},
		seen => [ 'data.attached partition', 'data.detached table', 'data.grandchild table', 'data.typed table', 'data.no_toast table' ] },
	{   what  => 'detached without a lock',
		since => 14,
		sql   => q{CREATE TABLE data.detached_so PARTITION OF data.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
			ALTER TABLE data.parts_north DETACH PARTITION data.parts_north_2024 CONCURRENTLY},
		seen => [ 'data.parts_north_2024 table', 'data.detached_so partition' ] },
	{   what  => 'a table turned into a view',
		until => 15,
		sql   => q{CREATE TABLE data.turned (a integer); CREATE RULE "_RETURN" AS ON SELECT TO data.turned DO INSTEAD SELECT 1 AS a},
		seen  => ['data.turned view'] },
	{   what => 'extensions from PostgreSQL',
		sql  => q{CREATE EXTENSION pg_buffercache SCHEMA data; CREATE EXTENSION pg_stat_statements; CREATE TABLE data.of_file_fdw (id integer);
			CREATE VIEW data.of_file_fdw_view AS SELECT 1 AS one; ALTER EXTENSION file_fdw ADD TABLE data.of_file_fdw;
			ALTER EXTENSION file_fdw ADD VIEW data.of_file_fdw_view; CREATE TABLE data.no_more (id integer);
			ALTER EXTENSION file_fdw ADD TABLE data.no_more; ALTER EXTENSION file_fdw DROP TABLE data.no_more;
			ALTER EXTENSION pg_buffercache ADD SCHEMA remade; CREATE TABLE remade.of_schema (id integer)},
		seen => [
			'data.pg_buffercache view', 'public.pg_stat_statements view', 'data.of_file_fdw table', 'data.of_file_fdw_view view', 'data.no_more table',
			'remade.of_schema table', 'remade.new table' ] },
	{   what => 'extensions moved to another schema',
		sql  => q{ALTER EXTENSION pg_buffercache DROP SCHEMA remade; ALTER EXTENSION pg_buffercache SET SCHEMA elsewhere;
			ALTER EXTENSION pg_stat_statements SET SCHEMA data; ALTER TABLE data.of_file_fdw SET SCHEMA elsewhere},
		seen => [ 'elsewhere.pg_buffercache view', 'data.pg_stat_statements view', 'elsewhere.of_file_fdw table' ],
		gone => [qw(data.pg_buffercache public.pg_stat_statements data.of_file_fdw)] },
	{   what => 'an extension with tables',
		sql  => q{CREATE EXTENSION dqds_paths SCHEMA data; CREATE EXTENSION dqds_paths_home; CREATE EXTENSION dqds_paths_catalog},
		seen => [
			'data.of_paths table', 'data.of_paths_1 table', 'data.of_paths_view view', 'data.of_paths_stored materialized_view',
			'data.of_paths_parts partitioned_table', 'paths_home.of_home table', 'of_home.inside table', 'pg_catalog.of_catalog table' ],
		system => 1 },
	{   what => 'an extension with tables, moved and brought up to date',
		sql  => q{ALTER EXTENSION dqds_paths SET SCHEMA elsewhere; ALTER EXTENSION dqds_paths UPDATE TO '2'},
		seen => [
			'elsewhere.of_paths table', 'elsewhere.of_paths_2 table', 'elsewhere.of_paths_view view', 'elsewhere.of_paths_stored materialized_view',
			'elsewhere.of_paths_parts partitioned_table' ],
		gone => [qw(data.of_paths data.of_paths_1 elsewhere.of_paths_1)] },
	{   what => 'extensions dropped',
		sql  => q{DROP EXTENSION dqds_paths; DROP EXTENSION dqds_paths_home; DROP EXTENSION dqds_paths_catalog; DROP EXTENSION pg_buffercache},
		gone => [qw(elsewhere.of_paths elsewhere.of_paths_2 paths_home.of_home of_home.inside pg_catalog.of_catalog elsewhere.pg_buffercache)],
		system => 1 },
	{   what => 'rewritten',
		sql  => q{VACUUM FULL; CLUSTER data.plain USING plain_pkey; REINDEX SCHEMA data; REINDEX SYSTEM postgres; VACUUM FULL pg_catalog.pg_depend;
			VACUUM FULL pg_catalog.pg_class; CLUSTER pg_catalog.pg_depend USING pg_depend_reference_index;
			REFRESH MATERIALIZED VIEW data.unpopulated; REFRESH MATERIALIZED VIEW CONCURRENTLY data.stored;
			ALTER TABLE made.as_select ALTER two TYPE varchar(77), ALTER one TYPE bigint; TRUNCATE data.plain CASCADE},
		seen   => [ 'data.plain table', 'data.stored materialized_view', 'data.unpopulated materialized_view' ],
		system => 1 },
	{   what => 'views and columns replaced',
		sql  => q{CREATE OR REPLACE VIEW data.seen AS SELECT id, name, 1 AS more FROM data.plain; ALTER TABLE data.plain ADD added numeric(5,2), DROP small;
			DROP MATERIALIZED VIEW data.unpopulated; CREATE VIEW data.unpopulated AS SELECT 1 AS one; DROP TABLE data.like; CREATE TABLE data.like ()},
		seen => [ 'data.seen view', 'data.unpopulated view', 'data.like table' ] },
	{   what => 'names of schemas that differ little',
		sql  => q{CREATE SCHEMA "Data"; CREATE TABLE "Data".plain (other integer); CREATE SCHEMA "data "; CREATE TABLE "data ".plain (third integer);
			CREATE SCHEMA "pgtemp_1"; CREATE TABLE pgtemp_1.stays (id integer); CREATE SCHEMA "é, ""😀"" \ $1 %"; CREATE TABLE "é, ""😀"" \ $1 %".plain (id integer)},
		seen => [ 'Data.plain table', 'data .plain table', 'pgtemp_1.stays table', 'é, "😀" \ $1 %.plain table' ] });

foreach my $step (@steps)
{
	my $what = $step->{what};
	next if $version < ($step->{since} // 0) || ($step->{until} && $version >= $step->{until} + 1);
	$remote->safe_psql('postgres', $step->{sql});
	my $listed = compare($what, $step->{system});
	# Those of the system's schemas can be seen in the steps that compare them only.
	is(join(', ', grep { !$listed->{$_} } @{ $step->{seen} // [] }), '', "$what: what must be listed is");
	my %table = map { s/ \w+$//r => 1 } keys %$listed;
	is(join(', ', grep { $table{$_} } @{ $step->{gone} // [] }), '', "$what: what must not be listed is not");
}

# --- Both paths were taken ----------------------------------------------------------------------------------

# What the idle sessions of boss have asked last.
{
	$sql->must(q{SELECT * FROM dqds_list_tables_json('} . $_ . q{', 'data', NULL, NULL, false)}) foreach qw(fast_boss scan_boss);
	my @asked = $at_remote->column(q{SELECT query ~ 'pg_depend' FROM pg_stat_activity WHERE usename = 'boss' AND query ~ 'relname'});
	is(join(' ', sort @asked), 'f t', 'one of the two asked by dependency, the other one did not');
}

# --- Not to be seen: temporary objects, what is not committed ----------------------------------------------------

{
	my @sessions = map { DqdsTest::Sql->connect($remote, user => $_) } @users;
	foreach my $session (@sessions)
	{
		$session->must($_)
		  foreach 'CREATE TEMP TABLE fleeting (id integer PRIMARY KEY, t text)', 'CREATE TEMP VIEW fleeting_view AS SELECT * FROM fleeting',
		  'CREATE TEMP TABLE fleeting_parts (id integer) PARTITION BY RANGE (id)',
		  'CREATE TEMP TABLE fleeting_part PARTITION OF fleeting_parts FOR VALUES FROM (1) TO (9)', 'SELECT 1 AS one INTO TEMP fleeting_into',
		  'GRANT SELECT ON fleeting TO PUBLIC';
	}
	my @temporary = $at_remote->column(q{SELECT nspname FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'});
	cmp_ok(scalar @temporary, '>=', 4, 'there are temporary schemas');
	my $listed = compare('temporary objects', 1);
	is(join(', ', grep { /fleeting|^pg_(toast_)?temp_/ } sort keys %$listed), '', 'temporary objects are never listed');
	foreach my $connection (map { ("fast_$_", "scan_$_") } @users)
	{
		my @lines = grep { !/^names \w+\[\]$/ } listed($connection, @temporary);
		is(join(', ', grep { !/^schema / || /^schema pg_(toast_)?temp_/ } @lines), '', "nor in their own schemas, for $connection");
	}

	# One session has made many changes without committing them.
	my $open = $sessions[0];
	$open->must($_)
	  foreach 'BEGIN', 'CREATE TABLE data.not_yet (id integer)', 'CREATE SCHEMA not_yet', 'CREATE TABLE not_yet.inside (id integer)',
	  'ALTER TABLE data.two RENAME TO renamed', 'ALTER TABLE data.given SET SCHEMA elsewhere', 'DROP VIEW data.of_heir_view',
	  'ALTER SCHEMA second RENAME TO third', 'DROP SCHEMA right_one CASCADE';
	$listed = compare('not committed');
	is(join(', ', grep { !$listed->{$_} } 'data.two table', 'data.given table', 'data.of_heir_view view', 'second.of_first table', 'right_one.was_left table'),
		'', 'not committed: everything is as before');
	ok(!$listed->{'data.not_yet table'}, 'not committed: and nothing more');
	$open->must('COMMIT');
	$listed = compare('committed');
	is(join(', ', grep { !$listed->{$_} } 'data.not_yet table', 'not_yet.inside table', 'data.renamed table', 'elsewhere.given table', 'third.of_first table'),
		'', 'committed: now it is so');
	is(join(', ', grep { $listed->{$_} } 'data.two table', 'data.given table', 'data.of_heir_view view', 'second.of_first table', 'right_one.was_left table'),
		'', 'committed: and not otherwise');
	$_->close foreach @sessions;
}
{
	# A temporary schema outlives its session, without anything in it.
	ok(poll_until(sub { $at_remote->value(q{SELECT count(*) FROM pg_class WHERE relname ~ '^fleeting'}) == 0 }), 'temporary objects have gone');
	compare('after temporary objects', 1);
}

# --- While it changes ---------------------------------------------------------------------------------------

# In each round tables come and go, one is renamed to and fro, one moves to and fro. Whenever it is asked, a listing is that
# of one moment: without errors, with everything that stays, and with that table by one of its names.
{
	my $rounds = 150;
	$remote->safe_psql('postgres', q{CREATE SCHEMA busy; GRANT USAGE ON SCHEMA busy TO plain; CREATE SCHEMA aside;
		CREATE TABLE busy.stays_1 (id integer); CREATE VIEW busy.stays_2 AS SELECT 1 AS one; CREATE TABLE busy.stays_3 (id integer) PARTITION BY RANGE (id);
		CREATE TABLE busy.by_one_name (id integer, t text); CREATE TABLE busy.moves (id integer); GRANT SELECT ON ALL TABLES IN SCHEMA busy TO plain});
	my $script = PostgreSQL::Test::Utils::tempdir('busy') . '/script';
	open my $file, '>', $script or die "$script: $!";
	foreach my $i (1 .. $rounds)
	{
		my ($from, $to, $here, $there) = $i % 2 ? qw(by_one_name by_another_name busy aside) : qw(by_another_name by_one_name aside busy);
		print $file "CREATE TABLE busy.comes_$i (id integer PRIMARY KEY, t text); GRANT SELECT (t) ON busy.comes_$i TO plain;",
		  "ALTER TABLE busy.$from RENAME TO $to; ALTER TABLE $here.moves SET SCHEMA $there; ALTER TABLE busy.comes_$i DROP t;",
		  "COMMENT ON TABLE busy.comes_$i IS 'soon gone'; DROP TABLE busy.comes_$i;\n",
		  $i % 10 ? '' : "VACUUM FULL busy.stays_1; REINDEX TABLE pg_catalog.pg_depend;\n";
	}
	close $file;
	my $process = DqdsTest::Process->start('what changes', "$script.log",
		[ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $remote->connstr('postgres'), '-f', $script ]);
	my ($listings, @wrong, %moment) = (0);
	while (@wrong < 5)
	{
		my $last = !$process->running;
		foreach my $connection (map { ("fast_$_", "scan_$_") } @users)
		{
			my $answer = $sql->query("SELECT string_agg(table_name, ' ' ORDER BY ordinality) AS names FROM dqds_list_tables('$connection', 'busy') WITH ORDINALITY");
			my $names  = $answer->{error} ? "ERROR: $answer->{error}{message} $answer->{error}{detail}" : $answer->{rows}[0]{names} // '';
			push @wrong, "$connection: $names" if $names !~ /^(?:by_another_name|by_one_name)(?: comes_\d+)?(?: moves)? stays_1 stays_2 stays_3$/;
			$moment{$names}++;
			$answer = $sql->query("SELECT DISTINCT table_name FROM dqds_list_columns('$connection', 'busy') ORDER BY 1");
			$names  = $answer->{error} ? "ERROR: $answer->{error}{message} $answer->{error}{detail}" : join ' ', map { $_->{table_name} } @{ $answer->{rows} };
			push @wrong, "$connection, columns: $names"
			  if $names !~ /^(?:by_another_name|by_one_name)(?: comes_\d+)?(?: moves)? stays_1 stays_2 stays_3$/;
			$listings += 2;
		}
		last if $last;
	}
	is($process->wait_end(120), 0, 'tables came and went') or diag($process->log);
	is(join("\n", @wrong), '', 'and each listing was that of one moment');
	note("$listings listings while it changed, $rounds times over; " . keys(%moment) . ' different ones of tables');
	compare('after all', 1);
}

$sql->close;
$at_remote->close;
$control->stop;
$remote->stop('immediate');
done_testing();
