# Listings are right: schemas, tables and columns as dqds lists them, compared with the remote server's own information_schema
# for the same user (and with pg_class and pg_attribute for what information_schema lacks: materialized views, kinds, types),
# for users with all kinds of privileges, over all schemas, after objects were moved and recreated.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Reference;
use Test::More;

my $remote = remote_server('remote', conf => 'autovacuum = off');
my $control = control_server('control');
my $version = $remote->pg_version;

# since(VERSION, TEXT…): what a remote of an older version does not know is left out.
sub since
{
	my ($since, @text) = @_;
	return $version < $since ? () : @text;
}

# Random grants, the same again with the seed that is printed.
my $seed = $ENV{DQDS_TEST_SEED} // time;
note("DQDS_TEST_SEED=$seed");
srand($seed);

create_reference($remote, 'postgres');

# --- The users ---------------------------------------------------------------------------------------

my %attributes = (
	boss        => 'SUPERUSER',
	owner       => '',
	member      => 'IN ROLE owner, team',
	reserved    => 'NOINHERIT IN ROLE owner, team',
	since(14, all_reader => 'IN ROLE pg_read_all_data'),
	plain       => '',
	nobody      => '');
my @users = sort keys %attributes;

$remote->safe_psql('postgres', 'CREATE ROLE team; CREATE ROLE owner LOGIN PASSWORD \'secret\';');
foreach my $user (@users)
{
	$remote->safe_psql('postgres', "CREATE ROLE $user LOGIN PASSWORD 'secret' $attributes{$user}") if $user ne 'owner';
	create_connection($control, $user, connection_model($remote, user => $user, password => 'secret'));
}

# --- What is compared --------------------------------------------------------------------------------

# ask_remote(USER, QUERY): the lines that USER gets at the remote server.
sub ask_remote
{
	my ($user, $query) = @_;
	return $remote->safe_psql('postgres',
		"SET SESSION AUTHORIZATION $user; SET search_path = ''; SELECT line FROM ($query) AS q (line) ORDER BY line COLLATE \"C\"");
}

# ask_dqds(QUERY): the lines that dqds says; QUERY names the connection.
sub ask_dqds
{
	my ($query) = @_;
	return $control->safe_psql('postgres', "SELECT line FROM ($query) AS q (line) ORDER BY line COLLATE \"C\"");
}

# same_lines(GOT, EXPECTED, NAME): an assertion about two sets of lines, of which neither is empty.
sub same_lines
{
	my ($got, $expected, $name) = @_;
	return is(length $got ? line_differences($got, $expected) : 'nothing at all', '', $name);
}

# compare_all(TITLE): every list of every user beside what the remote says.
sub compare_all
{
	my ($title) = @_;
	my $all = 'json_array_elements_text(' . sql_literal($remote->safe_psql('postgres', 'SELECT json_agg(nspname) FROM pg_namespace'))
	  . ') AS schema';
	my $rule = q{(pg_has_role(c.relowner, 'USAGE') OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
		OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))};
	my $of_tables = qq{format('%I.%I %s %s %s', n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN CASE WHEN c.relispartition
			THEN 'partition' ELSE 'table' END WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view'
			WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' END,
		reference.rows(c.oid), obj_description(c.oid, 'pg_class'))};
	# The numbers of a type stand in its full name.
	my $of_columns = q{
		CROSS JOIN LATERAL (SELECT coalesce(reference.base_type(atttypid), format_type(atttypid, atttypmod))) AS f (full_name)
		CROSS JOIN LATERAL (SELECT substring(full_name from '\((\d+)'), substring(full_name from ',(-?\d+)\)')) AS t (one, two)};
	my $column_line = q{format('%I.%I %s %I %s length=%s precision=%s scale=%s', n.nspname, c.relname, a.attnum, a.attname,
		format_type(a.atttypid, NULL), CASE WHEN full_name ~ '^(character|bit)' THEN one END,
		CASE WHEN full_name ~ '^(numeric|time|interval)' THEN one END, CASE WHEN full_name ~ '^numeric' THEN two END)};

	foreach my $user (@users)
	{
		same_lines( ask_dqds("SELECT quote_ident(schema_name) FROM dqds_list_schemas('$user', true)"),
			ask_remote($user,
				q{SELECT quote_ident(nspname) FROM pg_namespace WHERE has_schema_privilege(oid, 'USAGE')
				AND nspname !~ '^pg_(toast_)?temp_'}),
			"$title: the schemas of $user");
		same_lines( ask_dqds(qq{SELECT format('%I.%I %s %s %s', t.schema_name, table_name, table_kind, estimated_rows, comment)
				FROM $all, dqds_list_tables('$user', schema) t}),
			ask_remote($user, qq{
				SELECT $of_tables FROM information_schema.tables t
					JOIN pg_namespace n ON n.nspname = t.table_schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
				WHERE t.table_schema !~ '^pg_(toast_)?temp_'
				UNION ALL
				SELECT $of_tables FROM pg_matviews m JOIN pg_namespace n ON n.nspname = m.schemaname
					JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.matviewname WHERE $rule}),
			"$title: the tables of $user");
		same_lines( ask_dqds(qq{SELECT format('%I.%I %s %I %s length=%s precision=%s scale=%s', c.schema_name, table_name, ordinal_position,
					column_name, column_type, length, "precision", scale) || CASE WHEN nullable THEN '' ELSE ' NOT NULL' END
				FROM $all, dqds_list_columns('$user', schema) c}),
			ask_remote($user, qq{
				SELECT $column_line || CASE WHEN i.is_nullable = 'NO' OR reference.refuses_null(a.atttypid) THEN ' NOT NULL' ELSE '' END FROM information_schema.columns i
					JOIN pg_namespace n ON n.nspname = i.table_schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = i.table_name
					JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = i.column_name AND a.attnum = i.ordinal_position $of_columns
				WHERE i.table_schema !~ '^pg_(toast_)?temp_'
				UNION ALL
				SELECT $column_line || CASE WHEN a.attnotnull OR reference.refuses_null(a.atttypid) THEN ' NOT NULL' ELSE '' END
				FROM pg_matviews m JOIN pg_namespace n ON n.nspname = m.schemaname
					JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.matviewname
					JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
					$of_columns
				WHERE pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES')}),
			"$title: the columns of $user");
	}
	same_lines( ask_dqds(qq{SELECT format('%I.%I.%I', c.schema_name, table_name, column_name) FROM $all, dqds_list_columns('boss', schema) c
			WHERE primary_key}),
		ask_remote('boss', q{SELECT format('%I.%I.%I', table_schema, table_name, column_name)
			FROM information_schema.key_column_usage JOIN information_schema.table_constraints
				USING (constraint_schema, constraint_name, table_schema, table_name)
			WHERE constraint_type = 'PRIMARY KEY'}),
		"$title: the columns of primary keys");
	return;
}

# --- The objects -------------------------------------------------------------------------------------

my $objects = <<'SQL';
CREATE SCHEMA data;
CREATE SCHEMA elsewhere;
CREATE SCHEMA closed;
CREATE SCHEMA remade;
CREATE SCHEMA "Odd ""schema"", it's 100%_\ 😀";
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE EXTENSION pg_buffercache SCHEMA data;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw;

-- every kind that is listed
CREATE TABLE data.plain (id integer, name text);
CREATE UNLOGGED TABLE data.unlogged (id integer);
CREATE TABLE data.nothing ();
CREATE TABLE data.parts (id integer, region text, at date) PARTITION BY LIST (region);
CREATE TABLE data.parts_north PARTITION OF data.parts FOR VALUES IN ('north') PARTITION BY RANGE (at);
CREATE TABLE data.parts_north_2024 PARTITION OF data.parts_north FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE elsewhere.parts_south PARTITION OF data.parts FOR VALUES IN ('south');
CREATE FOREIGN TABLE data.parts_far PARTITION OF data.parts FOR VALUES IN ('far') SERVER loopback;
CREATE TABLE data.attached (id integer, region text, at date);
ALTER TABLE data.parts ATTACH PARTITION data.attached FOR VALUES IN ('attached');
CREATE TABLE data.detached PARTITION OF data.parts FOR VALUES IN ('detached');
ALTER TABLE data.parts DETACH PARTITION data.detached;
CREATE TABLE data.child (more integer) INHERITS (data.plain);
CREATE VIEW data.seen AS SELECT id, name FROM data.plain;
CREATE RECURSIVE VIEW data.recursive (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM recursive WHERE n < 3;
CREATE MATERIALIZED VIEW data.stored AS SELECT id, name FROM data.plain;
CREATE MATERIALIZED VIEW data.unpopulated AS SELECT 1 AS one WITH NO DATA;
CREATE FOREIGN TABLE data.file (line text) SERVER files OPTIONS (filename '/dev/null');
CREATE FOREIGN TABLE data.far (id integer, name varchar(7)) SERVER loopback;
CREATE TABLE data.of_extension (id integer);
ALTER EXTENSION file_fdw ADD TABLE data.of_extension;
INSERT INTO data.plain SELECT i, 'x' FROM generate_series(1, 11) AS i;
ANALYZE data.plain;

-- kinds that are not
CREATE SEQUENCE data.sequence;
CREATE TYPE data.composite AS (a integer, b varchar(3));
CREATE INDEX index ON data.plain (id);

-- what was moved, renamed, remade
CREATE TABLE data.moved (id integer PRIMARY KEY, s serial);
ALTER TABLE data.moved SET SCHEMA elsewhere;
CREATE VIEW elsewhere.moved_view AS SELECT * FROM elsewhere.moved;
ALTER VIEW elsewhere.moved_view SET SCHEMA data;
CREATE MATERIALIZED VIEW elsewhere.moved_stored AS SELECT 1 AS one;
ALTER MATERIALIZED VIEW elsewhere.moved_stored SET SCHEMA data;
CREATE FOREIGN TABLE data.moved_far (id integer) SERVER loopback;
ALTER FOREIGN TABLE data.moved_far SET SCHEMA elsewhere;
CREATE TABLE data.around (id integer);
ALTER TABLE data.around SET SCHEMA pg_catalog;
ALTER TABLE pg_catalog.around SET SCHEMA elsewhere;
CREATE TABLE data.in_catalog (id integer);
ALTER TABLE data.in_catalog SET SCHEMA pg_catalog;
ALTER EXTENSION pg_buffercache SET SCHEMA elsewhere;
CREATE TABLE data.before (id integer);
ALTER TABLE data.before RENAME TO "After ""renaming""";
CREATE TABLE remade.old (id integer);
DROP SCHEMA remade CASCADE;
CREATE SCHEMA remade;
CREATE TABLE remade.new (id integer);
CREATE SCHEMA first_name;
CREATE TABLE first_name.kept (id integer);
ALTER SCHEMA first_name RENAME TO second_name;
CREATE TABLE closed.hidden (id integer);

-- names
CREATE TABLE "Odd ""schema"", it's 100%_\ 😀"."Odd ""table"", it's 100%_\ 😀" ("Odd ""column"", it's 100%_\ 😀" integer);
CREATE TABLE data."مرحبا" (id integer);
CREATE TABLE data."sixty-three-bytes-sixty-three-bytes-sixty-three-bytes-sixty-thr" (id integer);
CREATE TABLE data.É (id integer);
CREATE TABLE data."two
lines" (id integer);

-- columns
CREATE TABLE data.keys (b integer, a integer, c integer, d integer, PRIMARY KEY (a, b) INCLUDE (c));
CREATE TABLE data.unique_only (a integer UNIQUE NOT NULL);
CREATE TABLE data.dropped (a integer, b integer, c integer PRIMARY KEY, d text);
ALTER TABLE data.dropped DROP b, ADD b bigint, DROP d;
CREATE TABLE data.defaulted (a integer GENERATED ALWAYS AS IDENTITY, b integer GENERATED ALWAYS AS (a + 1) STORED, c serial,
	d text DEFAULT 'x' NOT NULL);
COMMENT ON TABLE data.plain IS 'plain as plain can be';
COMMENT ON VIEW data.seen IS E'two\nlines';
COMMENT ON COLUMN data.plain.name IS 'the name';
ALTER SCHEMA second_name OWNER TO owner;
SQL
$objects =~ s/ INCLUDE \(c\)//                                    if $version < 11;
$objects =~ s/ GENERATED ALWAYS AS \(a \+ 1\) STORED//            if $version < 12;
$objects =~ s/ALTER TABLE pg_catalog.around SET SCHEMA elsewhere;// if $version < 12;
$remote->safe_psql('postgres', $objects);

# --- Kinds, said once in full ------------------------------------------------------------------------

is( ask_dqds(q{SELECT table_kind || ': ' || string_agg(table_name, ' ' ORDER BY table_name COLLATE "C")
		FROM dqds_list_tables('boss', 'data') WHERE table_name ~ '^[a-z_0-9]+$' GROUP BY table_kind}),
	join("\n",
		'foreign_table: far file parts_far',
		'materialized_view: moved_stored stored unpopulated',
		'partition: attached parts_north_2024',
		'partitioned_table: parts parts_north',
		'table: child defaulted detached dropped keys nothing of_extension plain unique_only unlogged',
		'view: moved_view recursive seen'),
	'each table of a schema is listed, as what it is');
is( ask_dqds(q{SELECT concat(schema, ': ', (SELECT string_agg(table_name, ' ') FROM dqds_list_tables('boss', schema)))
		FROM unnest('{elsewhere,remade,first_name,second_name}'::text[]) AS schema}),
	join("\n", 'elsewhere: ' . join('', since(12, 'around ')) . 'moved moved_far parts_south pg_buffercache'
		  . join('', since(18, ' pg_buffercache_numa')), 'first_name: ', 'remade: new', 'second_name: kept'),
	'tables are listed where they are now');
is($control->safe_psql('postgres', q{SELECT count(*) FROM dqds_list_tables('boss', 'pg_catalog', 'in_catalog')}), 1,
	'a table that was created in pg_catalog is listed there');

# --- Types, said once in full ------------------------------------------------------------------------

$remote->safe_psql('postgres', <<'SQL');
CREATE SCHEMA shapes;
CREATE TYPE shapes.mood AS ENUM ('happy');
CREATE TYPE shapes."Odd type" AS (a integer);
CREATE TYPE shapes.span AS RANGE (subtype = integer);
CREATE DOMAIN shapes.price AS numeric(12,4);
CREATE DOMAIN shapes.short AS varchar(5) NOT NULL;
CREATE DOMAIN shapes.shorter AS shapes.short;
CREATE DOMAIN shapes.tags AS text[];
CREATE TABLE shapes.row (a integer);
SQL
my @types = (
	# declared as, column_type, length, precision, scale
	[ 'integer',                     'integer' ],
	[ 'smallint',                    'smallint' ],
	[ 'boolean',                     'boolean' ],
	[ 'double precision',            'double precision' ],
	[ 'text',                        'text' ],
	[ 'text COLLATE "C"',            'text' ],
	[ 'name',                        'name' ],
	[ '"char"',                      '"char"' ],
	[ 'char',                        'character', 1 ],
	[ 'char(3)',                     'character', 3 ],
	[ 'bpchar',                      'character' ],
	[ 'varchar',                     'character varying' ],
	[ 'varchar(40)',                 'character varying', 40 ],
	[ 'varchar(10485760)',           'character varying', 10485760 ],
	[ 'bit',                         'bit', 1 ],
	[ 'bit(5)',                      'bit', 5 ],
	[ 'bit varying',                 'bit varying' ],
	[ 'varbit(9)',                   'bit varying', 9 ],
	[ 'numeric',                     'numeric' ],
	[ 'numeric(10)',                 'numeric', undef, 10, 0 ],
	[ 'numeric(10,2)',               'numeric', undef, 10, 2 ],
	since(15, [ 'numeric(3,-2)',               'numeric', undef, 3, -2 ]),
	since(15, [ 'numeric(2,5)',                'numeric', undef, 2, 5 ]),
	since(15, [ 'numeric(1000,-1000)',         'numeric', undef, 1000, -1000 ]),
	[ 'numeric(1000,1000)',          'numeric', undef, 1000, 1000 ],
	[ 'date',                        'date' ],
	[ 'time',                        'time without time zone' ],
	[ 'time(0)',                     'time without time zone', undef, 0 ],
	[ 'timetz(1)',                   'time with time zone', undef, 1 ],
	[ 'timestamp(3)',                'timestamp without time zone', undef, 3 ],
	[ 'timestamptz',                 'timestamp with time zone' ],
	[ 'timestamptz(6)',              'timestamp with time zone', undef, 6 ],
	[ 'interval',                    'interval' ],
	[ 'interval(2)',                 'interval', undef, 2 ],
	[ 'interval year to month',      'interval' ],
	[ 'interval day to second(3)',   'interval', undef, 3 ],
	[ 'bytea',                       'bytea' ],
	[ 'jsonb',                       'jsonb' ],
	[ 'uuid',                        'uuid' ],
	[ 'int4range',                   'int4range' ],
	[ 'oidvector',                   'oidvector' ],
	[ 'regclass',                    'regclass' ],
	[ 'integer[]',                   'integer[]' ],
	[ 'integer[3][3]',               'integer[]' ],
	[ 'varchar(20)[]',               'character varying[]', 20 ],
	[ 'numeric(6,3)[]',              'numeric[]', undef, 6, 3 ],
	[ 'timestamp(2)[]',              'timestamp without time zone[]', undef, 2 ],
	[ 'shapes.mood',                 'shapes.mood' ],
	[ 'shapes.mood[]',               'shapes.mood[]' ],
	[ 'shapes."Odd type"',           'shapes."Odd type"' ],
	[ 'shapes."Odd type"[]',         'shapes."Odd type"[]' ],
	[ 'shapes.span',                 'shapes.span' ],
	[ 'shapes.row',                  'shapes."row"' ],
	[ 'shapes.price',                'shapes.price', undef, 12, 4 ],
	since(11, [ 'shapes.price[]',    'shapes.price[]' ]),
	[ 'shapes.short',                'shapes.short', 5 ],
	[ 'shapes.shorter',              'shapes.shorter', 5 ],
	[ 'shapes.tags',                 'shapes.tags' ],
	since(11, [ 'shapes.tags[]',     'shapes.tags[]' ]));
my $number = 0;
$remote->safe_psql('postgres', 'CREATE TABLE data.types (' . join(', ', map { 'c' . ++$number . " $_->[0]" } @types) . ');'
	. 'CREATE VIEW data.types_seen AS SELECT * FROM data.types; CREATE MATERIALIZED VIEW data.types_stored AS SELECT * FROM data.types');
my @expected = map { my ($declared, @is) = @$_; "$declared: " . join('|', map { $_ // '' } @is[0 .. 3]) } @types;
foreach my $table (qw(types types_seen types_stored))
{
	my @got = split /\n/, $control->safe_psql('postgres',
		qq{SELECT concat(column_type, '|', length, '|', "precision", '|', scale) FROM dqds_list_columns('boss', 'data', '{$table}')});
	is_deeply([ map { "$types[$_][0]: " . ($got[$_] // '') } 0 .. $#types ], \@expected, "column types of data.$table");
}
# A remote search_path that makes types visible changes nothing.
$remote->safe_psql('postgres', 'ALTER ROLE boss SET search_path = shapes, data');
is( $control->safe_psql('postgres', q{SELECT column_type FROM dqds_list_columns('boss', 'data', '{types}') WHERE column_type ~ 'mood'}),
	"shapes.mood\nshapes.mood[]", 'types outside pg_catalog carry their schema, whatever the search_path');

# --- Columns, said once in full ----------------------------------------------------------------------

is( ask_dqds(q{SELECT concat(table_name, ' ', ordinal_position, ' ', column_name, CASE WHEN nullable THEN '' ELSE ' not null' END,
			CASE WHEN primary_key THEN ' primary key' END)
		FROM dqds_list_columns('boss', 'data', '{keys,unique_only,dropped,defaulted}')}),
	join("\n",
		'defaulted 1 a not null', 'defaulted 2 b', 'defaulted 3 c not null', 'defaulted 4 d not null',
		'dropped 1 a', 'dropped 3 c not null primary key', 'dropped 5 b',
		'keys 1 b not null primary key', 'keys 2 a not null primary key', 'keys 3 c', 'keys 4 d', 'unique_only 1 a not null'),
	'dropped columns are not there, and only what is in a primary key belongs to it');
is( $control->safe_psql('postgres', q{SELECT coalesce(comment, 'none') FROM dqds_list_columns('boss', 'data', '{plain}')}), "none\nthe name",
	'comments of columns');

# --- Temporary tables --------------------------------------------------------------------------------

# Sessions that have some, of three users, for as long as this test lasts.
foreach my $user (qw(boss owner plain))
{
	DqdsTest::Process->start("session of $user", undef,
		[ 'psql', '-qX', $remote->connstr('postgres'), '-c', "SET SESSION AUTHORIZATION $user",
			'-c', "CREATE TEMP TABLE temporary_of_$user (id integer); GRANT SELECT ON temporary_of_$user TO PUBLIC", '-c', 'SELECT pg_sleep(600)' ]);
}
ok( poll_until(sub { $remote->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '^temporary_of_'}) == 3 }),
	'there are temporary tables');
is( $control->safe_psql('postgres', q{SELECT count(*) FROM dqds_connections c, dqds_list_schemas(c.connection_name, true) s
		WHERE s.schema_name ~ 'temp'}), 0, 'temporary schemas never show');
is( $control->safe_psql('postgres', 'SELECT count(*) FROM dqds_connections c, unnest('
		. sql_literal($remote->safe_psql('postgres', q{SELECT array_agg(nspname) FROM pg_namespace WHERE nspname ~ 'temp'}))
		. '::text[]) AS schema, dqds_list_tables(c.connection_name, schema)'), 0,
	'nor does a temporary table when its schema is named');

# --- All users, all schemas, under random privileges -------------------------------------------------

my @relations = split /\n/, $remote->safe_psql('postgres', q{SELECT replace(oid::regclass::text, E'\n', '\n') FROM pg_class
	WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace::regnamespace::text !~ '^(pg_.*|information_schema)$' ORDER BY oid});
s/\\n/\n/ foreach @relations;
my @schemas = split /\n/, $remote->safe_psql('postgres', q{SELECT oid::regnamespace FROM pg_namespace
	WHERE nspname !~ '^(pg_.*|information_schema|reference)$' ORDER BY oid});
my @grantees = (qw(owner member reserved plain team PUBLIC));

sub one_of { return $_[ rand @_ ]; }

sub random_privileges
{
	my $sql = '';
	foreach my $schema (@schemas)
	{
		$sql .= "REVOKE ALL ON SCHEMA $schema FROM PUBLIC, " . join(', ', grep { $_ ne 'PUBLIC' } @grantees) . ";\n";
		$sql .= 'GRANT ' . one_of('USAGE', 'USAGE', 'CREATE') . " ON SCHEMA $schema TO " . one_of(@grantees) . ";\n" foreach 1 .. 3;
	}
	foreach my $relation (@relations)
	{
		$sql .= "REVOKE ALL ON $relation FROM PUBLIC, " . join(', ', grep { $_ ne 'PUBLIC' } @grantees) . ";\n";
		$sql .= "ALTER TABLE $relation OWNER TO " . one_of(qw(boss boss boss owner team plain)) . ";\n";
		$sql .= 'GRANT ' . one_of(qw(SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER)) . " ON $relation TO " . one_of(@grantees) . ";\n"
		  foreach 1 .. int rand 3;
		next if rand() < 0.5;
		# On a column that exists, by its number.
		$sql .= sprintf "DO \$\$ DECLARE name text := (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '%s'::regclass"
		  . " AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT 1 OFFSET %d);"
		  . " BEGIN IF name IS NOT NULL THEN EXECUTE 'GRANT %s (' || name || ') ON %s TO %s'; END IF; END \$\$;\n",
		  $relation =~ s/'/''/gr, rand 3, one_of(qw(SELECT INSERT UPDATE REFERENCES)), $relation =~ s/'/''/gr, one_of(@grantees);
	}
	$remote->safe_psql('postgres', $sql);
	return;
}

compare_all('untouched');
foreach my $round (1 .. 3)
{
	random_privileges();
	compare_all("round $round");
}

# --- Order -------------------------------------------------------------------------------------------

foreach my $list ([ 'table_name', q{dqds_list_tables('boss', 'data')} ], [ 'schema_name', q{dqds_list_schemas('boss', true)} ])
{
	my @names = split /\n/, $control->safe_psql('postgres', "SELECT encode(convert_to($list->[0], 'UTF8'), 'hex') FROM $list->[1]");
	is_deeply(\@names, [ sort @names ], "$list->[0] comes in the order of code points");
}

$control->stop;
$remote->stop('immediate');
done_testing();
