# Faults and gaps that users of other tools reported in listings of schemas, tables and columns: each case is from a public
# issue tracker. Here the listings are right, whatever the settings of the remote role and the state of the remote server's
# statistics.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote', conf => "autovacuum = off\nmax_locks_per_transaction = 256\ntrack_activity_query_size = 16384");
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);
note("PostgreSQL $version");

$remote->safe_psql('postgres', 'CREATE DATABASE cases; CREATE DATABASE settings');
my $there = DqdsTest::Sql->connect($remote, database => 'cases');
create_connection($control, 'cases', connection_model($remote, database => 'cases'));

# listed(FUNCTION CALL, COLUMN…): its rows as lines of these columns, NULL as "-".
sub listed
{
	my ($call, @columns) = @_;
	my $line = join " || ' ' || ", map { "coalesce($_\:\:text, '-')" } @columns;
	return [ $sql->column("SELECT $line FROM $call") ];
}

# visible(SCHEMA…): the user of the connection may look into them.
sub visible
{
	$there->must("GRANT USAGE ON SCHEMA $_ TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA $_ TO reader") foreach @_;
	return;
}

# --- The cost of one table's columns ---------------------------------------------------------------------

# Of all rows of these catalogs that are read while the columns of one table are listed. The session ends before they are
# counted, because only then is what it has read known to the server.
sub rows_read
{
	my ($call) = @_;
	my $count = sub {
		return $remote->safe_psql('wide', q{SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_sys_tables
			WHERE relname IN ('pg_attribute', 'pg_class', 'pg_depend', 'pg_type')});
	};
	$sql->must('SELECT dqds_close_idle()');
	poll_until(sub { $remote->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'}) == 0 });
	my $before = $count->();
	is($sql->value("SELECT count(*) FROM $call"), 20, "$call: 20 columns");
	$sql->must('SELECT dqds_close_idle()');
	poll_until(sub { $remote->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'}) == 0 });
	my $after;
	poll_until(sub { $after = $count->(); return $after - $before >= 20; });
	return $after - $before;
}

$remote->safe_psql('postgres', 'CREATE DATABASE wide');
$remote->safe_psql('wide', q{CREATE SCHEMA w; GRANT USAGE ON SCHEMA w TO reader; ALTER DEFAULT PRIVILEGES IN SCHEMA w GRANT SELECT ON TABLES TO reader;
	CREATE TABLE w.base (}
	  . join(', ', map { "c$_ integer" } 1 .. 20) . ')');
$remote->safe_psql('wide', 'DO $$ BEGIN FOR i IN ' . (200 * $_ + 1) . ' .. ' . (200 * $_ + 200) . q{ LOOP
	EXECUTE format('CREATE TABLE w.t%s (LIKE w.base)', i); END LOOP; END $$}) foreach 0 .. 14;
create_connection($control, 'wide', connection_model($remote, database => 'wide'));
foreach my $state (
	[ 'never analyzed',              '' ],
	[ 'analyzed but pg_namespace',   'ANALYZE pg_class; ANALYZE pg_attribute; ANALYZE pg_depend; ANALYZE pg_type' ],
	[ 'analyzed',                    'ANALYZE' ])
{
	my ($what, $command) = @$state;
	$remote->safe_psql('wide', $command) if $command;
	# 60,000 columns are there; some hundred rows more are those that every new session reads.
	my $read = rows_read(q{dqds_list_columns('wide', 'w', 't777')});
	cmp_ok($read, '<', 10_000, "$what: the columns of one table cost that of one table, $read rows");
}

# --- Rows: right or unknown, never a false 0 ---------------------------------------------------------------

my $empty = $version >= 15 ? 0 : '-';    # the estimate for a table that was found empty
$there->must(q{
	CREATE EXTENSION file_fdw;
	CREATE SCHEMA s;
	-- the parent of inherited tables
	CREATE TABLE s.log (id integer, d date); CREATE TABLE s.log_2024 () INHERITS (s.log); CREATE TABLE s.log_2025 () INHERITS (s.log);
	INSERT INTO s.log_2024 SELECT g FROM generate_series(1, 3000) g; INSERT INTO s.log_2025 SELECT g FROM generate_series(1, 2000) g;
	CREATE TABLE s.mixed (id integer); CREATE TABLE s.mixed_more () INHERITS (s.mixed);
	INSERT INTO s.mixed SELECT g FROM generate_series(1, 10) g; INSERT INTO s.mixed_more SELECT g FROM generate_series(1, 1000) g;
	-- twice the same descendant
	CREATE TABLE s.top (id integer); CREATE TABLE s.left_side () INHERITS (s.top); CREATE TABLE s.right_side () INHERITS (s.top);
	CREATE TABLE s.bottom () INHERITS (s.left_side, s.right_side); INSERT INTO s.bottom SELECT g FROM generate_series(1, 7) g;
	INSERT INTO s.top VALUES (1); INSERT INTO s.left_side VALUES (1); INSERT INTO s.right_side VALUES (1);
	-- partitions that have grown, and one of which nothing is known
	CREATE TABLE s.ev (id integer) PARTITION BY RANGE (id); CREATE TABLE s.ev_1 PARTITION OF s.ev FOR VALUES FROM (0) TO (10000);
	INSERT INTO s.ev SELECT g FROM generate_series(1, 400) g;
	CREATE TABLE s.half (id integer) PARTITION BY RANGE (id); CREATE TABLE s.half_1 PARTITION OF s.half FOR VALUES FROM (0) TO (10);
	CREATE TABLE s.half_2 PARTITION OF s.half FOR VALUES FROM (10) TO (20); INSERT INTO s.half VALUES (1), (11);
	CREATE TABLE s.none (id integer) PARTITION BY RANGE (id);
	-- empty, and filled since
	CREATE TABLE s.empty (id integer); CREATE TABLE s.filled (id integer); CREATE TABLE s.emptied (id integer); INSERT INTO s.emptied VALUES (1);
	CREATE TABLE s.unknown (id integer); INSERT INTO s.unknown VALUES (1);
	-- as TimescaleDB does it: rows are in chunks, which stand in a schema of the extension; one of them is compressed
	CREATE SCHEMA _internal; ALTER EXTENSION file_fdw ADD SCHEMA _internal;
	CREATE TABLE s.readings (id integer); CREATE TABLE _internal.chunk_1 () INHERITS (s.readings); CREATE TABLE _internal.chunk_2 () INHERITS (s.readings);
	INSERT INTO _internal.chunk_1 SELECT g FROM generate_series(1, 30) g; INSERT INTO _internal.chunk_2 SELECT g FROM generate_series(1, 12) g;
	CREATE TABLE s.compressed (id integer); CREATE TABLE _internal.chunk_3 () INHERITS (s.compressed);
	-- as Citus does it: rows are at other servers, and the table has an internal trigger
	CREATE TABLE s.distributed (id integer); CREATE FUNCTION s.truncated() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	ALTER EXTENSION file_fdw ADD FUNCTION s.truncated();
	CREATE TRIGGER truncated AFTER TRUNCATE ON s.distributed EXECUTE PROCEDURE s.truncated();
	UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 'truncated'});
$there->must("ANALYZE $_")
  foreach qw(s.log s.log_2024 s.log_2025 s.mixed s.mixed_more s.top s.left_side s.right_side s.bottom s.ev s.half_1 s.empty s.filled s.emptied s.distributed
  s.compressed _internal.chunk_1 _internal.chunk_2 _internal.chunk_3);
$there->must('INSERT INTO s.ev SELECT g FROM generate_series(500, 4000) g');
$there->must('ANALYZE s.ev_1');
$there->must('INSERT INTO s.filled SELECT g FROM generate_series(1, 500) g');
$there->must('DELETE FROM s.emptied');
$there->must('VACUUM ANALYZE s.emptied');
visible(qw(s _internal));

# The server counts what its sessions tell it when they end.
$there->close;
$there = DqdsTest::Sql->connect($remote, database => 'cases');
ok(poll_until(sub { $there->value(q{SELECT n_live_tup FROM pg_stat_all_tables WHERE relname = 'filled'}) == 500 }), 'the server has counted')
  if $version >= 15;

my @rows = (
	# table, rows, what SELECT count(*) says
	[ 'bottom',      7 ],
	[ 'compressed',  '-' ],
	[ 'distributed', '-' ],
	[ 'emptied',     $empty ],
	[ 'empty',       $empty ],
	[ 'ev',          3901 ],
	[ 'ev_1',        3901 ],
	[ 'filled',      $version >= 15 ? 500 : '-' ],
	[ 'half',        '-' ],
	[ 'half_1',      1 ],
	[ 'half_2',      '-' ],
	[ 'left_side',   8 ],
	[ 'log',         $version >= 15 ? 5000 : '-' ],
	[ 'log_2024',    3000 ],
	[ 'log_2025',    2000 ],
	[ 'mixed',       1010 ],
	[ 'mixed_more',  1000 ],
	[ 'none',        0 ],
	[ 'readings',    42 ],
	[ 'right_side',  8 ],
	[ 'top',         10 ],
	[ 'unknown',     '-' ]);
is_deeply(listed(q{dqds_list_tables('cases', 's')}, qw(table_name estimated_rows)), [ map { "@$_" } @rows ], 'rows of tables with descendants');
is_deeply(listed(q{dqds_list_tables('cases', '_internal')}, qw(table_name estimated_rows partition_of)),
	[ 'chunk_1 30 s.readings', 'chunk_2 12 s.readings', 'chunk_3 - s.compressed' ],
	'a chunk is told by what it is a part of, and the rows of a compressed one are not known');
is($sql->value(q{SELECT string_agg(table_name || '=' || estimated_rows, ' ' ORDER BY table_name) FROM dqds_list_tables('cases', 's') WHERE estimated_rows = 0}),
	$version >= 15 ? 'emptied=0 empty=0 none=0' : 'none=0', 'there is no 0 but those');

# --- Domains, followed to their base -----------------------------------------------------------------------

$there->must(q{
	CREATE SCHEMA d;
	CREATE DOMAIN d.req AS text NOT NULL; CREATE DOMAIN d.req2 AS d.req; CREATE DOMAIN d.req3 AS d.req2;
	CREATE DOMAIN d.email AS varchar(254); CREATE DOMAIN d.req_email AS d.email NOT NULL; CREATE DOMAIN d.req_email2 AS d.req_email;
	CREATE DOMAIN d.amt AS numeric(12,2); CREATE DOMAIN d.pos_amt AS d.amt CHECK (value > 0);
	CREATE DOMAIN d.codes AS char(3)[]; CREATE DOMAIN d.codes2 AS d.codes; CREATE DOMAIN d.at AS timestamp(3) with time zone;
	CREATE TYPE d.mood AS ENUM ('sad', 'so so', 'very "happy", {really}', 'NULL', ''); CREATE DOMAIN d.feeling AS d.mood; CREATE DOMAIN d.feelings AS d.mood[];
	CREATE DOMAIN d.short AS bpchar;
	CREATE TABLE d.all_of_them (a d.req2, b d.req3, c d.email, d d.req_email, e d.req_email2, f d.pos_amt, g d.codes, h d.codes2, i d.at, j d.mood, k d.mood[],
		l d.feeling, m d.feelings, n d.short, o d.email NOT NULL, p d.amt, q text)});
visible('d');
my $labels = q({sad,"so so","very \"happy\", {really}","NULL",""});
is_deeply(
	listed(q{dqds_list_columns('cases', 'd')}, qw(column_name column_type full_type base_type length), '"precision"', qw(scale nullable enum_labels)),
	[
		'a d.req2 d.req2 text - - - false -',
		'b d.req3 d.req3 text - - - false -',
		'c d.email d.email character varying(254) 254 - - true -',
		'd d.req_email d.req_email character varying(254) 254 - - false -',
		'e d.req_email2 d.req_email2 character varying(254) 254 - - false -',
		'f d.pos_amt d.pos_amt numeric(12,2) - 12 2 true -',
		'g d.codes d.codes character(3)[] 3 - - true -',
		'h d.codes2 d.codes2 character(3)[] 3 - - true -',
		'i d.at d.at timestamp(3) with time zone - 3 - true -',
		"j d.mood d.mood - - - - true $labels",
		"k d.mood[] d.mood[] - - - - true $labels",
		"l d.feeling d.feeling d.mood - - - true $labels",
		"m d.feelings d.feelings d.mood[] - - - true $labels",
		'n d.short d.short bpchar - - - true -',
		'o d.email d.email character varying(254) 254 - - false -',
		'p d.amt d.amt numeric(12,2) - 12 2 true -',
		'q text text - - - - true -'
	],
	'domains');
is($there->query('INSERT INTO d.all_of_them (a, b, d, e, o) VALUES (NULL, $$x$$, $$x$$, $$x$$, $$x$$)')->{error}{sqlstate}, '23502', 'the server refuses NULL as well');

# --- Types in full ------------------------------------------------------------------------------------------

my @types = (
	# as declared, column_type, full_type where it is not as declared
	[ 'varchar(10)[]',                 'character varying[]',         'character varying(10)[]' ],
	[ 'bpchar',                        'character',                   'bpchar' ],
	[ 'character(1)',                  'character' ],
	[ 'bit(5)',                        'bit' ],
	[ 'bit varying(9)',                'bit varying' ],
	[ 'numeric(10,2)',                 'numeric' ],
	[ 'numeric',                       'numeric' ],
	[ 'interval year to month',        'interval' ],
	[ 'interval hour',                 'interval' ],
	[ 'interval day to second(2)',     'interval' ],
	[ 'timestamp(0) with time zone',   'timestamp with time zone' ],
	[ 'time(3) without time zone[]',   'time without time zone[]' ],
	[ '"char"',                        '"char"' ],
	[ 't.geom(10,2)',                  't.geom' ],
	[ 't.geom(7,1)[]',                 't.geom[]' ],
	[ 't.geom',                        't.geom' ],
	[ 't."Odd (one), \'it\'"(3,1)',    't."Odd (one), \'it\'"' ],
	[ 't."Odd (one), \'it\'"(3,1)[]',  't."Odd (one), \'it\'"[]' ]);
$there->must(q{
	CREATE SCHEMA t;
	-- a type with modifiers outside pg_catalog, as PostGIS and pgvector have them
	CREATE TYPE t.geom; CREATE FUNCTION t.geom_in(cstring) RETURNS t.geom LANGUAGE internal IMMUTABLE STRICT AS 'textin';
	CREATE FUNCTION t.geom_out(t.geom) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
	CREATE TYPE t.geom (INPUT = t.geom_in, OUTPUT = t.geom_out, TYPMOD_IN = numerictypmodin, TYPMOD_OUT = numerictypmodout);
	CREATE TYPE t."Odd (one), 'it'"; CREATE FUNCTION t.odd_in(cstring) RETURNS t."Odd (one), 'it'" LANGUAGE internal IMMUTABLE STRICT AS 'textin';
	CREATE FUNCTION t.odd_out(t."Odd (one), 'it'") RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
	CREATE TYPE t."Odd (one), 'it'" (INPUT = t.odd_in, OUTPUT = t.odd_out, TYPMOD_IN = numerictypmodin, TYPMOD_OUT = numerictypmodout);
	CREATE DOMAIN t.place AS t.geom(5,3)});
$there->must('CREATE TABLE t.types (' . join(', ', map { "c$_ $types[$_][0]" } 0 .. $#types) . ', place t.place)');
visible('t');
is_deeply([ $sql->column(q{SELECT column_type || ' | ' || full_type FROM dqds_list_columns('cases', 't', 'types') WHERE column_name <> 'place'}) ],
	[ map { "$_->[1] | " . ($_->[2] // $_->[0]) } @types ], 'types in full');
is_deeply(listed(q{dqds_list_columns('cases', 't', 'types') WHERE column_name = 'place'}, qw(column_type full_type base_type)), ['t.place t.place t.geom(5,3)'],
	'the modifier of a domain over such a type');

# --- Settings of the remote role ------------------------------------------------------------------------------

# Types named like built-in ones, and names that need quotation marks.
$remote->safe_psql('settings', q{
	CREATE SCHEMA evil; CREATE TYPE evil.text AS ENUM ('x'); CREATE DOMAIN evil.uuid AS pg_catalog.text; CREATE DOMAIN evil.jsonb AS integer;
	CREATE SCHEMA "Odd one"; CREATE TYPE "Odd one"."user" AS (a integer); CREATE SEQUENCE "Odd one".numbers;
	CREATE TABLE "Odd one".types (a pg_catalog.text, b pg_catalog.jsonb, c pg_catalog.uuid, d pg_catalog.text[], e evil.text, f evil.text[], g "Odd one"."user", h inet, i oid,
		j name, k xml, l "char", m bpchar, n bit, o json, p evil.uuid, q interval day, r integer[], s varchar(3) COLLATE "C", t text DEFAULT 'x'::pg_catalog.text,
		u bigint DEFAULT nextval('"Odd one".numbers'), v timestamptz DEFAULT '2024-01-02 03:04:05+00', w interval DEFAULT '1 day 2 hours', x bytea DEFAULT '\x00ff');
	CREATE TABLE "Odd one".parts (id integer) PARTITION BY RANGE (id); CREATE TABLE evil."select" PARTITION OF "Odd one".parts FOR VALUES FROM (0) TO (1);
	GRANT USAGE ON SCHEMA evil, "Odd one" TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA evil, "Odd one" TO reader});
create_connection($control, 'settings', connection_model($remote, database => 'settings'));
my $everything = sub {
	$sql->must('SELECT dqds_close_idle()');
	return [
		map { my $round = $_; ($sql->column(q{SELECT to_jsonb(c) FROM dqds_list_columns('settings', 'Odd one') c}), $sql->column(q{SELECT to_jsonb(t) FROM dqds_list_tables('settings') t})) }
		  1 .. 3 ];
};
my $plain = $everything->();
is_deeply([ $sql->column(q{SELECT column_type FROM dqds_list_columns('settings', 'Odd one', 'types')}) ],
	[
		'text', 'jsonb', 'uuid', 'text[]', 'evil.text', 'evil.text[]', '"Odd one"."user"', 'inet', 'oid', 'name', 'xml', '"char"', 'character', 'bit', 'json', 'evil.uuid',
		'interval', 'integer[]', 'character varying', 'text', 'bigint', 'timestamp with time zone', 'interval', 'bytea' ],
	'types, with the settings that are default');
foreach my $setting (
	'search_path = evil, pg_catalog',
	'search_path = "Odd one", evil, pg_catalog',
	"search_path = ''",
	'quote_all_identifiers = on',
	'DateStyle = \'German\'',
	'IntervalStyle = \'sql_standard\'',
	'TimeZone = \'Asia/Tokyo\'',
	'bytea_output = \'escape\'',
	'standard_conforming_strings = off',
	'enable_nestloop = off',
	'default_transaction_read_only = on')
{
	$remote->safe_psql('settings', "ALTER ROLE reader SET $setting");
	is_deeply($everything->(), $plain, "the same with $setting");
	$remote->safe_psql('settings', 'ALTER ROLE reader RESET ' . ($setting =~ /^(\w+)/)[0]);
}

# No setting is left in the session, which a pooler could pass on.
like($remote->safe_psql('settings', q{SELECT string_agg(query, '') FROM pg_stat_activity WHERE usename = 'reader'}), qr/set_config\('search_path', '', true\)/,
	'settings are made by the query itself, for as long as it runs');

# --- Keys, partitions, extensions, privileges ----------------------------------------------------------------------

$there->must(q{
	CREATE SCHEMA k;
	CREATE TABLE k.keys (org integer, usr integer, x integer UNIQUE, y integer, z integer, PRIMARY KEY (usr, org), UNIQUE (y, z));
	CREATE UNIQUE INDEX ON k.keys (z) WHERE z > 0; CREATE UNIQUE INDEX ON k.keys ((y + 1));
	CREATE TABLE k.one (id integer PRIMARY KEY, code text, other integer UNIQUE DEFERRABLE); CREATE UNIQUE INDEX ON k.one (code DESC);
	CREATE TABLE k.parts (id integer, region text) PARTITION BY LIST (region);
	CREATE TABLE k.north PARTITION OF k.parts FOR VALUES IN ('north') PARTITION BY RANGE (id);
	CREATE TABLE k.north_1 PARTITION OF k.north FOR VALUES FROM (0) TO (10);
	CREATE SERVER far FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE k.far PARTITION OF k.parts FOR VALUES IN ('far') SERVER far OPTIONS (filename '/dev/null');
	CREATE TABLE k.child () INHERITS (k.one); CREATE VIEW k.seen AS SELECT * FROM k.one;
	CREATE TABLE k.of_extension (id integer); ALTER EXTENSION file_fdw ADD TABLE k.of_extension;
	CREATE SCHEMA nous; CREATE TABLE nous.t (id integer); CREATE TABLE k.by_column (a integer, b integer); CREATE TABLE k.insert_only (a integer);
	CREATE TABLE k.generated (a integer GENERATED ALWAYS AS IDENTITY, b integer GENERATED BY DEFAULT AS IDENTITY, c serial, d text DEFAULT 'it''s', e integer)});
visible('k');
$there->must('GRANT SELECT ON nous.t TO reader; REVOKE ALL ON k.by_column, k.insert_only FROM reader; GRANT SELECT (b) ON k.by_column TO reader; GRANT INSERT ON k.insert_only TO reader');
is_deeply(
	listed(q{dqds_list_columns('cases', 'k', '{keys,one}')}, qw(table_name column_name primary_key primary_key_position is_unique)),
	[
		'keys org true 2 false', 'keys usr true 1 false', 'keys x false - true', 'keys y false - false', 'keys z false - false',
		'one id true 1 true', 'one code false - true', 'one other false - true'
	],
	'the order of a primary key, and what is unique by itself');
my $owner = $there->value('SELECT current_user');
is_deeply(
	listed(q{dqds_list_tables('cases', 'k')}, qw(table_name table_kind partition_of owner extension can_select)),
	[
		"by_column table - $owner - true", "child table - $owner - true", "far foreign_table k.parts $owner - true", "generated table - $owner - true",
		"insert_only table - $owner - false", "keys table - $owner - true", "north partitioned_table k.parts $owner - true",
		"north_1 partition k.north $owner - true", "of_extension table - $owner file_fdw true", "one table - $owner - true",
		"parts partitioned_table - $owner - true", "seen view - $owner - true"
	],
	'a partition is told whatever its kind; so are owner, extension and what can be read');
is_deeply(listed(q{dqds_list_tables('cases', 'nous')}, qw(table_name can_select)), ['t false'], 'a table in a schema that cannot be used is listed, and cannot be read');
is_deeply(listed(q{dqds_list_tables('cases', 'k', include_partitions => false)}, 'table_name'),
	[qw(by_column child generated insert_only keys of_extension one parts seen)], 'partitions are left out when that is asked for');
is_deeply(listed(q{dqds_list_tables('cases', '_internal', include_partitions => false)}, 'table_name'), [], 'and chunks as well');
is_deeply(listed(q{dqds_list_schemas('cases') WHERE extension IS NOT NULL}, qw(schema_name extension)), ['_internal file_fdw'], 'the schema of an extension is marked');
is_deeply(
	listed(q{dqds_list_columns('cases', 'k', 'generated')}, qw(column_name default_expression generated identity)),
	[ 'a - - always', 'b - - by default', "c nextval('k.generated_c_seq'::regclass) - -", "d 'it''s'::text - -", 'e - - -' ],
	'defaults and identities');
if ($version >= 12)
{
	$there->must('CREATE TABLE k.computed (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED' . ($version >= 18 ? ', c integer GENERATED ALWAYS AS (a * 2) VIRTUAL)' : ')'));
	visible('k');
	is_deeply(listed(q{dqds_list_columns('cases', 'k', 'computed')}, qw(column_name generated default_expression)),
		[ 'a - -', 'b stored a + 1', $version >= 18 ? 'c virtual a * 2' : () ], 'generated columns');
}
if ($version >= 18)
{
	$there->must('CREATE TABLE k.nn (a integer NOT NULL, b integer); INSERT INTO k.nn VALUES (1, NULL); ALTER TABLE k.nn ADD CONSTRAINT later NOT NULL b NOT VALID');
	visible('k');
	is_deeply(listed(q{dqds_list_columns('cases', 'k', 'nn')}, qw(column_name nullable)), [ 'a false', 'b true' ], 'a column that is NOT NULL, not valid, may have nulls');
	$there->must('DELETE FROM k.nn; ALTER TABLE k.nn VALIDATE CONSTRAINT later');
	is_deeply(listed(q{dqds_list_columns('cases', 'k', 'nn')}, qw(column_name nullable)), [ 'a false', 'b false' ], 'until it is valid');
}

# --- Large values ---------------------------------------------------------------------------------------------------

# A row with a long comment has room for little else; what has none is cut, or unknown.
$there->must('CREATE SCHEMA h; CREATE TYPE h.few AS ENUM (' . join(', ', map { "'label $_'" } 1 .. 300) . '); CREATE TYPE h.many AS ENUM ('
	  . join(', ', map { "'a longer label, the number of which is $_'" } 1 .. 300) . ");
	CREATE TABLE h.t (a h.few DEFAULT 'label 7', b h.few, c h.many, d text DEFAULT '" . 'x' x 9000 . "', e text DEFAULT '" . 'y' x 9000 . "', f text DEFAULT 'short');");
$there->must("COMMENT ON COLUMN h.t.$_->[0] IS '" . 'c' x $_->[1] . "'") foreach [ a => 70_000 ], [ d => 8000 ], [ e => 65_536 ], [ f => 65_536 ];
visible('h');
is_deeply(
	listed(q{dqds_list_columns('cases', 'h')}, 'column_name', 'octet_length(comment)', 'cardinality(enum_labels)', 'octet_length(default_expression)', q{right(default_expression, 3)}),
	[ 'a 65539 - 16 few', 'b - 300 - -', 'c - - - -', 'd 8000 - 2051 ...', 'e 65536 - 67 ...', "f 65536 - 13 ext" ],
	'what has no room in a row');

# --- Locks ----------------------------------------------------------------------------------------------------------

# Sizes are read from the files, for which a table is locked; a table that is being altered is not waited for.
is($sql->value(q{SELECT count(size_bytes) FROM dqds_list_tables('cases', 's')}), 0, 'sizes are looked at when they are asked for');
my $sizes = sub { return { map { $_->{table_name} => $_->{size_bytes} } $sql->rows(q{SELECT table_name, size_bytes FROM dqds_list_tables('cases', 's', include_sizes => true)}) }; };
my $before = $sizes->();
is_deeply([ @$before{qw(filled ev ev_1)} ], [ $there->value(q{SELECT pg_total_relation_size('s.filled')}), ($there->value(q{SELECT pg_total_relation_size('s.ev_1')})) x 2 ],
	'then they are those of the server, and of its partitions for a partitioned table');
{
	my $locker = DqdsTest::Sql->connect($remote, database => 'cases');
	$locker->must('BEGIN');
	$locker->must('LOCK TABLE s.ev_1, s.filled, k.keys IN ACCESS EXCLUSIVE MODE');
	$locker->must('LOCK TABLE k.computed IN ACCESS EXCLUSIVE MODE') if $version >= 12;
	$sql->must(q{SET statement_timeout = '20s'});
	my $locked = $sizes->();
	is_deeply([ @$locked{qw(filled ev ev_1 log_2024)} ], [ undef, undef, undef, $before->{log_2024} ], 'a table that is locked has no size, and all others have one');
	is_deeply(listed(q{dqds_list_columns('cases', 'k', 'generated')}, qw(column_name default_expression))->[2], "c nextval('k.generated_c_seq'::regclass)", 'columns are listed meanwhile');
	is(scalar @{ listed(q{dqds_list_columns('cases', 'k', '{keys,computed}')}, 'column_name') }, 5 + ($version >= 18 ? 3 : $version >= 12 ? 2 : 0), 'those of locked tables as well');
	$sql->must('RESET statement_timeout');
	$locker->must('ROLLBACK');
	$locker->close;
}

$_->close foreach $sql, $there;
$control->stop;
$remote->stop('immediate');
done_testing();
