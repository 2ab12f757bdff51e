# Constraints, indexes and definitions of views are listed as in psql's \d at the remote server and in information_schema, for
# users with all kinds of privileges; whatever the settings of the remote role; while tables are locked, created and dropped;
# and invalid answers of a server do no harm.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Lookalike;
use DqdsTest::Process;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

# A session that waits for a lock of a listing is not to be ended for a deadlock, however slow this machine is.
my $remote  = remote_server('remote', conf => "autovacuum = off\ndeadlock_timeout = '2min'");
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);
my $at_remote = DqdsTest::Sql->connect($remote);
$at_remote->must("SET search_path = ''");

my $seed = $ENV{DQDS_TEST_SEED} // time;
note("PostgreSQL $version, DQDS_TEST_SEED=$seed");
srand($seed);

# since(VERSION, THING…): what a remote of an older version does not know is left out.
sub since
{
	my ($since, @things) = @_;
	return $version < $since ? () : @things;
}

# same(GOT, EXPECTED, NAME): an assertion about two lists of lines, of which neither is empty.
sub same
{
	my ($got, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(@$got ? line_differences(join("\n", @$got), join("\n", @$expected)) : 'nothing at all', '', $name);
}

sub one_of { return $_[ rand @_ ]; }

# --- The users -----------------------------------------------------------------------------------------------

my @users = qw(boss owner member plain nobody);
$remote->safe_psql('postgres', q{CREATE ROLE team; CREATE ROLE owner LOGIN PASSWORD 'secret'; CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret';
	CREATE ROLE member LOGIN PASSWORD 'secret' IN ROLE owner, team; CREATE ROLE plain LOGIN PASSWORD 'secret'; CREATE ROLE nobody LOGIN PASSWORD 'secret'});
create_connection($control, $_, connection_model($remote, user => $_, password => 'secret')) foreach @users;
my $lookalike = start_lookalike($remote);
create_connection($control, 'scan', connection_model($remote, user => 'boss', password => 'secret', port => '' . $lookalike->port));

# --- The objects ---------------------------------------------------------------------------------------------

# A name of 63 bytes, in characters of three bytes.
my $longest = "\xE2\x82\xAC" x 21;
my $longest_key = substr($longest, 3) . 'key';
my @objects = (
	'CREATE SCHEMA ref', 'CREATE SCHEMA shop', 'CREATE SCHEMA empty', qq(CREATE SCHEMA "Odd ""schema"", it's 100%_\\ \xF0\x9F\x98\x80"),
	'CREATE TABLE ref.country (code char(2), CONSTRAINT country_key PRIMARY KEY (code))',
	'CREATE TABLE public.in_public (id integer PRIMARY KEY, other integer REFERENCES public.in_public)',
	q{CREATE FUNCTION shop.is_fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'},
	q{CREATE TYPE shop.mood AS ENUM ('happy', 'sad')},
	'CREATE TABLE shop.orders (b integer, a integer, country char(2) CONSTRAINT orders_country REFERENCES ref.country ON UPDATE CASCADE ON DELETE SET NULL'
	  . ' DEFERRABLE INITIALLY DEFERRED, note text, CONSTRAINT orders_key PRIMARY KEY (a, b))',
	'CREATE TABLE shop.items (line integer, order_b integer, order_a integer, quantity integer CONSTRAINT items_quantity CHECK (quantity > 0 AND shop.is_fine(quantity)),'
	  . ' placed timestamptz CONSTRAINT items_placed CHECK (placed > \'2024-01-02 03:04:05+06\'), lasting interval CONSTRAINT items_lasting CHECK (lasting < \'1 day 2 hours\'),'
	  . ' day date CONSTRAINT items_day CHECK (day <> \'2024-12-31\'), weight float8 CONSTRAINT items_weight CHECK (weight < 0.1::float8), code bytea CONSTRAINT items_code CHECK (code <> \'\\x00ff\'),'
	  . ' feels shop.mood CONSTRAINT items_feels CHECK (feels = \'happy\'), price money CONSTRAINT items_price CHECK (price > \'1.50\'::money), during int4range,'
	  . ' CONSTRAINT items_always CHECK (true), CONSTRAINT items_line UNIQUE (line) DEFERRABLE,'
	  . ' CONSTRAINT items_during EXCLUDE USING gist (during WITH &&) WHERE (line > 1), CONSTRAINT items_lower EXCLUDE USING btree (lower(during) WITH =, line WITH =),'
	  . ' CONSTRAINT items_whole CHECK (items IS NOT NULL),'
	  . ' CONSTRAINT items_order FOREIGN KEY (order_a, order_b) REFERENCES shop.orders (a, b) MATCH FULL)',
	'ALTER TABLE shop.items ADD CONSTRAINT items_fewer CHECK (quantity < 1000) NOT VALID', 'ALTER TABLE shop.items ADD CONSTRAINT items_later FOREIGN KEY (line) REFERENCES public.in_public NOT VALID',
	'CREATE INDEX items_by_day ON shop.items (day DESC NULLS LAST, line)', 'CREATE UNIQUE INDEX items_partial ON shop.items (line) WHERE quantity > 7 AND shop.is_fine(quantity)',
	'CREATE INDEX items_computed ON shop.items (line, (quantity + 1), abs(line), shop.is_fine(quantity))', 'CREATE INDEX items_hash ON shop.items USING hash (day)',
	q~CREATE INDEX "Odd ""index""" ON shop.items ((encode(code, 'hex') || 'it''s, {"x\\'))~,
	'CREATE TABLE shop.children (more integer CHECK (more > 1)) INHERITS (shop.orders)',
	'CREATE TABLE shop.no_keys (id integer)', 'CREATE TABLE shop.self (id integer PRIMARY KEY, up integer REFERENCES shop.self)',
	'CREATE TABLE shop.parts (id integer CONSTRAINT parts_id CHECK (id > 0), at date NOT NULL) PARTITION BY RANGE (at)',
	q{CREATE TABLE shop.parts_2024 PARTITION OF shop.parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')},
	'CREATE MATERIALIZED VIEW shop.stored AS SELECT line, quantity FROM shop.items', 'CREATE UNIQUE INDEX stored_line ON shop.stored (line)',
	q{CREATE VIEW shop.seen AS SELECT i.line, o.note, '2024-01-02 03:04:05+06'::timestamptz AS at, '1 day 2 hours'::interval AS lasting, shop.is_fine(i.line) AS fine,}
	  . ' p.id FROM shop.items i JOIN shop.orders o ON o.a = i.order_a, public.in_public p',
	'CREATE RECURSIVE VIEW shop.numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 3',
	qq~CREATE TABLE "Odd ""schema"", it's 100%_\\ \xF0\x9F\x98\x80"."Odd ""table"", {a,b} \\ NULL" ("Odd ""column"", {a} \\" integer, "NULL" integer, "null" integer, " " integer,~
	  . q~ CONSTRAINT "Odd ""key"", {a}" PRIMARY KEY ("Odd ""column"", {a} \\", "NULL", "null", " "))~,
	qq(CREATE TABLE shop."$longest" ("$longest" integer, CONSTRAINT "$longest_key" UNIQUE ("$longest"))),
	qq(CREATE VIEW shop."it's a ""view""" AS SELECT "$longest" FROM shop."$longest"),
	# From version 11 on.
	since(11, 'CREATE TABLE shop.covered (a integer, b integer, c integer, CONSTRAINT covered_key PRIMARY KEY (b, a) INCLUDE (c))',
		'CREATE UNIQUE INDEX covered_c ON shop.covered (c) INCLUDE (b, a)',
		'CREATE TABLE shop.parted (id integer, at date, country char(2) REFERENCES ref.country, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
		q{CREATE TABLE shop.parted_2024 PARTITION OF shop.parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (id)},
		'CREATE TABLE shop.parted_2024_1 PARTITION OF shop.parted_2024 FOR VALUES FROM (1) TO (100)', 'CREATE INDEX ON shop.parted (country)'),
	# A foreign key to a partitioned table, of a table and of a partitioned one.
	since(12, 'CREATE TABLE shop.refers (id integer, at date, CONSTRAINT refers_parted FOREIGN KEY (id, at) REFERENCES shop.parted)',
		'CREATE TABLE shop.both (id integer, at date, CONSTRAINT both_parted FOREIGN KEY (id, at) REFERENCES shop.parted) PARTITION BY RANGE (at)',
		q{CREATE TABLE shop.both_2024 PARTITION OF shop.both FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')}),
	since(15, 'CREATE TABLE shop.distinct (a integer, CONSTRAINT distinct_key UNIQUE NULLS NOT DISTINCT (a), b integer, c integer,'
		  . ' CONSTRAINT distinct_orders FOREIGN KEY (b, c) REFERENCES shop.orders (a, b) ON DELETE SET NULL (c))'),
	since(18, 'CREATE TABLE shop.temporal (id int4range, at daterange, CONSTRAINT temporal_key PRIMARY KEY (id, at WITHOUT OVERLAPS))',
		'CREATE TABLE shop.temporal_child (id int4range, at daterange, CONSTRAINT temporal_child_key FOREIGN KEY (id, PERIOD at) REFERENCES shop.temporal (id, PERIOD at))',
		'CREATE TABLE shop.lax (a integer CONSTRAINT lax_a NOT NULL, b integer CONSTRAINT lax_check CHECK (b > 0) NOT ENFORCED)',
		'ALTER TABLE shop.lax ADD CONSTRAINT lax_b NOT NULL b NOT VALID'));
$at_remote->must($_) foreach @objects;
$at_remote->must(q{CREATE TABLE shop.broken (a integer); INSERT INTO shop.broken VALUES (1), (1)});
isnt($at_remote->query('CREATE UNIQUE INDEX CONCURRENTLY broken_index ON shop.broken (a)')->{error}, undef, 'an index that could not be built');

my @schemas = $at_remote->column(q{SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' ORDER BY 1});
my $schemas = 'unnest(ARRAY[' . join(', ', map { sql_literal($_) } @schemas) . ']) AS schema';

# --- Said once in full --------------------------------------------------------------------------------------------

# constraint_lines(CONNECTION, SCHEMA, TABLES): everything but the names of connection and schema.
sub constraint_lines
{
	my ($connection, $arguments) = @_;
	return $sql->column(qq{SELECT concat_ws(' | ', table_name, constraint_name, constraint_type, column_names::text, referenced_schema, referenced_table, referenced_columns::text,
		coalesce(definition, 'no definition')) FROM dqds_list_constraints('$connection', $arguments)});
}

my @of_items = (
	'items | items_always | check | {} | CHECK (true)',
	q{items | items_code | check | {code} | CHECK (code <> '\x00ff'::bytea)},
	q{items | items_day | check | {day} | CHECK (day <> '2024-12-31'::date)},
	'items | items_during | exclusion | {during} | EXCLUDE USING gist (during WITH &&) WHERE (line > 1)',
	q{items | items_feels | check | {feels} | CHECK (feels = 'happy'::shop.mood)},
	'items | items_fewer | check | {quantity} | CHECK (quantity < 1000) NOT VALID',
	q{items | items_lasting | check | {lasting} | CHECK (lasting < '1 day 02:00:00'::interval)},
	'items | items_later | foreign_key | {line} | public | in_public | {id} | FOREIGN KEY (line) REFERENCES public.in_public(id) NOT VALID',
	'items | items_line | unique | {line} | UNIQUE (line) DEFERRABLE',
	'items | items_lower | exclusion | {lower(during),line} | EXCLUDE USING btree (lower(during) WITH =, line WITH =)',
	'items | items_order | foreign_key | {order_a,order_b} | shop | orders | {a,b} | FOREIGN KEY (order_a, order_b) REFERENCES shop.orders(a, b) MATCH FULL',
	q{items | items_placed | check | {placed} | CHECK (placed > '2024-01-01 21:04:05+00'::timestamp with time zone)},
	q{items | items_price | check | {price} | CHECK (price > '$1.50'::money)},
	'items | items_quantity | check | {quantity} | CHECK (quantity > 0 AND shop.is_fine(quantity))',
	q{items | items_weight | check | {weight} | CHECK (weight < 0.1::double precision)},
	'items | items_whole | check | {} | CHECK (items.* IS NOT NULL)',
	'orders | orders_country | foreign_key | {country} | ref | country | {code} | FOREIGN KEY (country) REFERENCES ref.country(code)'
	  . ' ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED',
	'orders | orders_key | primary_key | {a,b} | PRIMARY KEY (a, b)');
is_deeply([ constraint_lines('boss', q('shop', '{orders,items,no_keys,stored,seen,nope}'::text[])) ], \@of_items, 'constraints of some tables')
  or diag(join "\n", constraint_lines('boss', q('shop', '{orders,items,no_keys,stored,seen,nope}'::text[])));
is_deeply([ constraint_lines('boss', q('shop', 'orders')) ], [ @of_items[ -2, -1 ] ], 'of one, by its name alone');
is_deeply([ constraint_lines('boss', q('shop', ARRAY['orders', NULL, 'orders', 'orders'])) ], [ @of_items[ -2, -1 ] ], 'a name that is given twice counts once');
is_deeply([ constraint_lines('boss', q('shop', table_names => 'orders')) ], [ @of_items[ -2, -1 ] ], 'the argument has a name');
is_deeply([ constraint_lines('boss', $_) ], [], "none: $_")
  foreach q('empty'), q('nope'), q('shop', 'nope'), q('shop', 'Orders'), q('shop', ARRAY['{orders}']), q('shop', '{}'), q('shop', 'no_keys'), q('shop', ''), "'shop', '${longest}x'", q('pg_temp');
is_deeply([ constraint_lines('boss', q('shop', '{orders,nope}')) ], [ @of_items[ -2, -1 ] ], 'an array may be written as it is');
is_deeply([ constraint_lines('boss', q('shop', NULL::text)) ], [ constraint_lines('boss', q('shop')) ], 'NULL is all tables');

my %others = (
	'ref.country'      => ['country | country_key | primary_key | {code} | PRIMARY KEY (code)'],
	'shop.parts'       => ['parts | parts_id | check | {id} | CHECK (id > 0)'],
	'shop.parts_2024'  => ['parts_2024 | parts_id | check | {id} | CHECK (id > 0)'],
	since(12, 'shop.refers' => ['refers | refers_parted | foreign_key | {id,at} | shop | parted | {id,at} | FOREIGN KEY (id, at) REFERENCES shop.parted(id, at)']),
	since(12, 'shop.both' => ['both | both_parted | foreign_key | {id,at} | shop | parted | {id,at} | FOREIGN KEY (id, at) REFERENCES shop.parted(id, at)']),
	since(12, 'shop.both_2024' => ['both_2024 | both_parted | foreign_key | {id,at} | shop | parted | {id,at} | FOREIGN KEY (id, at) REFERENCES shop.parted(id, at)']),
	since(11, 'shop.covered' => ['covered | covered_key | primary_key | {b,a} | PRIMARY KEY (b, a) INCLUDE (c)']),
	since(15, 'shop.distinct' => [
			'distinct | distinct_key | unique | {a} | UNIQUE NULLS NOT DISTINCT (a)',
			'distinct | distinct_orders | foreign_key | {b,c} | shop | orders | {a,b} | FOREIGN KEY (b, c) REFERENCES shop.orders(a, b) ON DELETE SET NULL (c)' ]),
	since(18, 'shop.temporal' => ['temporal | temporal_key | primary_key | {id,at} | PRIMARY KEY (id, at WITHOUT OVERLAPS)']),
	since(18, 'shop.temporal_child' => [
			'temporal_child | temporal_child_key | foreign_key | {id,at} | shop | temporal | {id,at} | FOREIGN KEY (id, PERIOD at) REFERENCES shop.temporal(id, PERIOD at)' ]),
	# That a column is NOT NULL is told by its nullable; that some rows may break it is not.
	since(18, 'shop.lax' => [
			'lax | lax_b | not_null | {b} | NOT NULL b NOT VALID', 'lax | lax_check | check | {b} | CHECK (b > 0) NOT ENFORCED' ]));
foreach my $table (sort keys %others)
{
	my $arguments = join ', ', map { "'$_'" } split /\./, $table;
	is_deeply([ constraint_lines('boss', $arguments) ], $others{$table}, "constraints of $table") or diag(explain([ constraint_lines('boss', $arguments) ]));
}

# Names of all sorts come as they are, in arrays as well.
my ($odd) = $sql->rows(q{SELECT table_name, constraint_name, array_to_string(column_names, '|') AS columns, cardinality(column_names) AS count FROM }
	  . "dqds_list_constraints('boss', " . sql_literal($schemas[0]) . ", " . sql_literal(q(Odd "table", {a,b} \\ NULL)) . ') WHERE constraint_type = \'primary_key\'');
is_deeply($odd, { table_name => q(Odd "table", {a,b} \\ NULL), constraint_name => 'Odd "key", {a}', columns => q(Odd "column", {a} \\|NULL|null| ), count => 4 }, 'odd names');
is_deeply([ $sql->rows("SELECT table_name, constraint_name, column_names[1] AS column FROM dqds_list_constraints('boss', 'shop', ARRAY['$longest'])") ],
	[ { table_name => $longest, constraint_name => $longest_key, column => $longest } ], 'names of 63 bytes');

# index_lines(CONNECTION, ARGUMENTS)
sub index_lines
{
	my ($connection, $arguments) = @_;
	return $sql->column(qq{SELECT concat_ws(' | ', table_name, index_name, method, CASE WHEN is_unique THEN 'unique' END, CASE WHEN is_primary THEN 'primary' END,
		CASE WHEN NOT is_valid THEN 'invalid' END, column_names::text, included_columns::text, coalesce('where ' || predicate, 'all rows'), coalesce(definition, 'no definition'))
		FROM dqds_list_indexes('$connection', $arguments)});
}

my @indexes = (
	q~Odd "index" | btree | {"(encode(code, 'hex'::text) || 'it''s, {\"x\\\\'::text)"} | {} | all rows~,
	'items_by_day | btree | {day,line} | {} | all rows | CREATE INDEX items_by_day ON shop.items USING btree (day DESC NULLS LAST, line)',
	'items_computed | btree | {line,"(quantity + 1)",abs(line),shop.is_fine(quantity)} | {} | all rows'
	  . ' | CREATE INDEX items_computed ON shop.items USING btree (line, (quantity + 1), abs(line), shop.is_fine(quantity))',
	'items_during | gist | {during} | {} | where line > 1 | CREATE INDEX items_during ON shop.items USING gist (during) WHERE line > 1',
	'items_hash | hash | {day} | {} | all rows | CREATE INDEX items_hash ON shop.items USING hash (day)',
	'items_line | btree | unique | {line} | {} | all rows | CREATE UNIQUE INDEX items_line ON shop.items USING btree (line)',
	'items_lower | btree | {lower(during),line} | {} | all rows | CREATE INDEX items_lower ON shop.items USING btree (lower(during), line)',
	'items_partial | btree | unique | {line} | {} | where quantity > 7 AND shop.is_fine(quantity)'
	  . ' | CREATE UNIQUE INDEX items_partial ON shop.items USING btree (line) WHERE quantity > 7 AND shop.is_fine(quantity)');
my @got = map { s/^items \| //r } index_lines('boss', q('shop', 'items'));
$got[0] =~ s/ \| CREATE INDEX.*//;
is_deeply(\@got, \@indexes, 'indexes of a table') or diag(join "\n", @got);
is_deeply([ index_lines('boss', q('shop', 'stored')) ], ['stored | stored_line | btree | unique | {line} | {} | all rows | CREATE UNIQUE INDEX stored_line ON shop.stored USING btree (line)'],
	'of a materialized view');
is_deeply([ index_lines('boss', q('shop', 'broken')) ], ['broken | broken_index | btree | unique | invalid | {a} | {} | all rows | CREATE UNIQUE INDEX broken_index ON shop.broken USING btree (a)'],
	'one that could not be built');
is_deeply([ index_lines('boss', q('shop', 'orders')) ], ['orders | orders_key | btree | unique | primary | {a,b} | {} | all rows | CREATE UNIQUE INDEX orders_key ON shop.orders USING btree (a, b)'],
	'of a primary key');
is_deeply([ index_lines('boss', q('shop', 'covered')) ],
	[ 'covered | covered_c | btree | unique | {c} | {b,a} | all rows | CREATE UNIQUE INDEX covered_c ON shop.covered USING btree (c) INCLUDE (b, a)',
		'covered | covered_key | btree | unique | primary | {b,a} | {c} | all rows | CREATE UNIQUE INDEX covered_key ON shop.covered USING btree (b, a) INCLUDE (c)' ],
	'with included columns') if $version >= 11;

# --- Beside psql's \d and information_schema ------------------------------------------------------------------------

# Which constraints were created by a user: psql lists those without a parent, and for a partition those of its ancestors.
my $made = $version < 11 ? 'true' : q{NOT (k.contype = 'f' AND EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid))};
my $valid_not_null = $version < 18 ? 'true' : q{NOT (k.contype = 'n' AND k.convalidated)};
my $rule = q{(pg_has_role(c.relowner, 'USAGE') OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
	OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))};

# ask_as(USER, QUERY): the lines that USER itself gets at the remote.
sub ask_as
{
	my ($user, $query) = @_;
	$at_remote->must("SET SESSION AUTHORIZATION $user");
	my @lines = $at_remote->column($query);
	$at_remote->must('RESET SESSION AUTHORIZATION');
	return @lines;
}

sub compare
{
	my ($title, @which) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $user (@which)
	{
		my @constraints = $sql->column(qq{SELECT format('%s|%s|%s|%s', schema_name, table_name, constraint_name, definition) FROM $schemas, dqds_list_constraints('$user', schema)});
		my @indexes     = $sql->column(qq{SELECT format('%s|%s|%s|%s|%s|%s', schema_name, table_name, is_primary, is_unique, is_valid, definition) FROM $schemas, dqds_list_indexes('$user', schema)});
		my $login = $user eq 'scan' ? 'boss' : $user;
		my @expected = ask_as($login, qq{SELECT format('%s|%s|%s|%s', n.nspname, c.relname, conname, pg_get_constraintdef(k.oid, true))
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE k.contype <> 't' AND $made AND $valid_not_null AND $rule AND n.nspname !~ '^(pg_|information_schema)'});
		my @expected_indexes = ask_as($login, qq{SELECT format('%s|%s|%s|%s|%s|%s', n.nspname, c.relname, i.indisprimary, i.indisunique, i.indisvalid, pg_get_indexdef(i.indexrelid, 0, true))
			FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $rule AND n.nspname !~ '^(pg_|information_schema)'});
		if ($user eq 'nobody')
		{
			is("@constraints@indexes@expected@expected_indexes", '', "$title: a role without privileges sees nothing");
			next;
		}
		@expected = map { s/'2024-01-02 03:04:05\+06'|'2024-01-01 \d\d:04:05[+-]\d\d'/'2024-01-01 21:04:05+00'/r} @expected;
		same(\@constraints, \@expected,         "$title: constraints of $user as in \\d");
		same(\@indexes,     \@expected_indexes, "$title: indexes of $user as in \\d");
		my $viewer = qq{SELECT format('%s|%s|%s', n.nspname, c.relname, pg_get_viewdef(c.oid, true)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('v', 'm') AND $rule AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1};
		$at_remote->must(q(SET timezone = 'GMT'));
		is_deeply(
			[ sort $sql->column(qq{SELECT format('%s|%s|%s', schema, t.table_name, dqds_view_definition('$user', schema, t.table_name))
				FROM $schemas, dqds_list_tables('$user', schema) t WHERE table_kind IN ('view', 'materialized_view')}) ],
			[ sort(ask_as($login, $viewer)) ],
			"$title: definitions of views of $user as in \\d+");
		is($sql->value(qq{SELECT count(*) FROM $schemas, dqds_list_tables('$user', schema) t WHERE table_kind !~ 'view\$' AND dqds_view_definition('$user', schema, t.table_name) IS NOT NULL}),
			0, "$title: and $user gets none of tables");
		$at_remote->must('RESET timezone');
	}
	return;
}

compare('untouched', qw(boss scan nobody));

# information_schema for the superuser: the names of all constraints but exclusions, and the columns of keys in their order.
same(
	[ $sql->column(qq{SELECT format('%s|%s|%s|%s', schema_name, table_name, constraint_name, upper(replace(constraint_type, '_', ' ')))
		FROM $schemas, dqds_list_constraints('boss', schema) WHERE constraint_type NOT IN ('exclusion', 'not_null')}) ],
	[ ask_as('boss', qq{SELECT format('%s|%s|%s|%s', i.table_schema, i.table_name, i.constraint_name, i.constraint_type) FROM information_schema.table_constraints i
		JOIN pg_namespace n ON n.nspname = i.table_schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = i.table_name
		JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = i.constraint_name
		WHERE n.nspname !~ '^(pg_|information_schema)' AND k.contype <> 'n' AND $made}) ],
	'the constraints are those of information_schema');
my @keys = $sql->column(qq{SELECT format('%s|%s|%s|%s|%s|%s', schema_name, table_name, constraint_name, u.place, u.name, referenced_columns[u.place]) FROM $schemas,
	dqds_list_constraints('boss', schema), unnest(column_names) WITH ORDINALITY AS u (name, place) WHERE constraint_type IN ('primary_key', 'unique', 'foreign_key')});
same(\@keys,
	[ ask_as('boss', qq{SELECT format('%s|%s|%s|%s|%s|%s', i.table_schema, i.table_name, i.constraint_name, i.ordinal_position, i.column_name, referenced.column_name)
		FROM information_schema.key_column_usage i
		JOIN pg_namespace n ON n.nspname = i.table_schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = i.table_name
		JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = i.constraint_name
		LEFT JOIN LATERAL (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = k.confkey[i.ordinal_position]) AS referenced (column_name) ON true
		WHERE n.nspname !~ '^(pg_|information_schema)' AND $made}) ],
	'and so are the columns of keys, in their order');
is($sql->value(qq{SELECT bool_and(cardinality(column_names) = cardinality(referenced_columns)) FROM $schemas, dqds_list_constraints('boss', schema) WHERE constraint_type = 'foreign_key'}),
	't', 'a foreign key refers to as many columns as it has');

# System schemas, too.
same([ $sql->column(q{SELECT concat(table_name, '|', index_name) FROM dqds_list_indexes('plain', 'pg_catalog')}) ],
	[ ask_as('plain', qq{SELECT concat(c.relname, '|', x.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
		WHERE c.relnamespace = 'pg_catalog'::regnamespace AND $rule}) ], 'indexes of pg_catalog');
isnt($sql->value(q{SELECT dqds_view_definition('plain', 'information_schema', 'tables')}), undef, 'the definition of a view of information_schema');

# With random grants: keys are complete for every role that may see the table, whichever columns it may read.
my @relations = $at_remote->column(q{SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
	AND NOT relispartition ORDER BY oid});
foreach my $round (1 .. 3)
{
	foreach my $relation (@relations)
	{
		$at_remote->must("REVOKE ALL ON $relation FROM PUBLIC, owner, member, plain, team; ALTER TABLE $relation OWNER TO " . one_of(qw(boss boss owner team)));
		$at_remote->must('GRANT ' . one_of(qw(SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER)) . " ON $relation TO " . one_of(qw(owner member plain team PUBLIC))) if rand() < 0.4;
		my $column = sql_literal($relation);
		$at_remote->must("DO \$\$ DECLARE name text := (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $column\::regclass AND attnum > 0 ORDER BY attnum LIMIT 1);"
			  . " BEGIN EXECUTE 'GRANT " . one_of(qw(SELECT INSERT UPDATE REFERENCES)) . " (' || name || ') ON ' || $column || ' TO " . one_of(qw(owner plain team)) . "'; END \$\$") if rand() < 0.3;
	}
	$at_remote->must('GRANT SELECT (note) ON shop.orders TO plain; GRANT TRIGGER ON shop.items TO plain; REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM nobody');
	$at_remote->must("REVOKE ALL ON $_ FROM PUBLIC") foreach @relations;
	compare("round $round", @users);
	is($sql->value(q{SELECT column_names FROM dqds_list_constraints('plain', 'shop', 'orders') WHERE constraint_type = 'primary_key'}), '{a,b}', 'a key is whole where one column may be seen');
}

# --- The order of names ------------------------------------------------------------------------------------------------

foreach my $list (qw(constraints indexes))
{
	my $name  = $list eq 'indexes' ? 'index_name' : 'constraint_name';
	my @names = $sql->column("SELECT encode(convert_to(table_name || E'\\x01' || $name, 'UTF8'), 'hex') FROM dqds_list_$list('boss', 'shop')");
	is_deeply(\@names, [ sort @names ], "$list come in the order of code points");
}

# --- Settings of the remote role ----------------------------------------------------------------------------------------

# everything(CONNECTION): all of it as lines.
sub everything
{
	my ($connection) = @_;
	return join "\n", $sql->column(qq{
		SELECT to_jsonb(t) - 'connection_name' FROM $schemas, dqds_list_constraints('$connection', schema) t
		UNION ALL SELECT to_jsonb(t) - 'connection_name' FROM $schemas, dqds_list_indexes('$connection', schema) t
		UNION ALL SELECT to_jsonb(dqds_view_definition('$connection', 'shop', name)) FROM unnest('{seen,numbers,stored}'::text[]) AS name});
}

my $plainly = everything('boss');
like($plainly, qr/FROM shop\.items i/, 'definitions name the schemas');
my @settings = (
	'search_path = shop, public, ref, pg_catalog', q(search_path = ''), 'quote_all_identifiers = on', q(datestyle = 'SQL, DMY'), q(datestyle = 'German'), q(intervalstyle = 'iso_8601'),
	q(timezone = 'Asia/Kathmandu'), 'extra_float_digits = -10', q(bytea_output = 'escape'), q(lc_monetary = 'en_US.UTF-8'), 'lock_timeout = 50', 'statement_timeout = 60000',
	'default_transaction_read_only = on', q(default_transaction_isolation = 'serializable'), 'standard_conforming_strings = off', 'array_nulls = off', 'plan_cache_mode = force_generic_plan',
	'join_collapse_limit = 1', 'enable_hashagg = off');
foreach my $setting (@settings)
{
	next if $setting =~ /plan_cache_mode/ && $version < 12;
	if ($at_remote->query("ALTER ROLE boss SET $setting")->{error}) { note("not here: $setting"); next; }
	$sql->must('SELECT dqds_close_idle()');
	# Twice: the second time the statements are prepared.
	is(line_differences(everything('boss'), $plainly), '', "$setting changes nothing") foreach 1, 2;
	$at_remote->must('ALTER ROLE boss RESET ALL');
}
$sql->must('SELECT dqds_close_idle()');

# None of it stays at the remote for the next client of a pooler, which has one session in all.
{
	local $remote->{dqds_role} = 'reader';
	$at_remote->must('GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader; ALTER ROLE reader SET search_path = shop');
	my @shown   = ('search_path', 'quote_all_identifiers', 'datestyle', 'timezone', 'intervalstyle', 'extra_float_digits', 'bytea_output', 'lc_monetary', 'lock_timeout');
	my $show    = 'SELECT concat_ws(\'|\', ' . join(', ', map { "current_setting('$_')" } @shown) . ')';
	foreach my $mode (qw(transaction statement))
	{
		my $pooler = start_pgbouncer($remote, $mode, "default_pool_size = 1\nmax_db_connections = 1");
		my $ask    = sub {
			local $ENV{PGPASSWORD} = remote_password($remote);
			return (run_command([ 'psql', '-XAtqc', $show, '-h', '127.0.0.1', '-p', $pooler->port, '-U', 'reader', '-d', 'postgres' ]))[0];
		};
		my $before = $ask->();
		like($before, qr/^shop\|off\|/, "$mode pooling: settings before");
		my $model = sql_literal(connection_model($remote, port => '' . $pooler->port)) . '::jsonb';
		foreach my $call ("dqds_list_constraints($model, 'shop')", "dqds_list_indexes($model, 'shop', 'items')", "dqds_view_definition($model, 'shop', 'seen')")
		{
			cmp_ok($sql->value("SELECT count(*) FROM $call"), '>', 0, "$mode pooling: " . substr($call, 0, 21) . ' works');
			is($ask->(), $before, "$mode pooling: and leaves no setting");
		}
		$sql->must('SELECT dqds_close_idle()');
		$pooler->stop;
	}
	$at_remote->must('ALTER ROLE reader RESET ALL');
}

# --- Views -----------------------------------------------------------------------------------------------------------------

is($sql->value($_), undef, "NULL: $_") foreach map { "SELECT dqds_view_definition('boss', $_)" } q('shop', 'nope'), q('nope', 'seen'), q('shop', 'items'), q('shop', 'Seen'), "'shop', '${longest}'", q('shop', ''), q('', '');
isnt($sql->value(q(SELECT dqds_view_definition('boss', 'shop', 'it''s a "view"'))), undef, 'a view with an odd name');
is($sql->query("SELECT dqds_view_definition('boss', 'shop', $_)")->{error}{sqlstate}, '22004', "an error: $_") foreach 'NULL';
# Longer than a value may be that is sent at once, and of characters of several bytes.
foreach my $size (8191, 8192, 8193, 200_000)
{
	my $text = "\xE2\x82\xAC" x $size;
	$at_remote->must("CREATE OR REPLACE VIEW shop.long AS SELECT '$text'::text AS a");
	my ($expected) = $at_remote->column(q{SELECT md5(pg_get_viewdef('shop.long'::regclass, true))});
	is($sql->value(q{SELECT md5(dqds_view_definition('boss', 'shop', 'long'))}), $expected, "a definition of more than $size characters is whole");
}
$sql->must(q{SET dqds.max_answer_size = '1MB'});
$at_remote->must(q{DO $$ BEGIN EXECUTE format('CREATE OR REPLACE VIEW shop.long AS SELECT %L::text AS a', repeat('x', 2000000)); END $$});
is($sql->query(q{SELECT dqds_view_definition('boss', 'shop', 'long')})->{error}{sqlstate}, 'QD023', 'dqds.max_answer_size bounds it');
$sql->must('RESET dqds.max_answer_size');
$at_remote->must('DROP VIEW shop.long');

# What is cut ends in a mark; an array that is too long is none.
$at_remote->must(q{DO $$ BEGIN EXECUTE format('CREATE TABLE shop.fat (a text CONSTRAINT fat_ascii CHECK (a <> %L), b text CONSTRAINT fat_wide CHECK (b <> %L))', repeat('x', 100000), repeat('€', 20000));
	EXECUTE format('CREATE TABLE shop.wide (%s, CONSTRAINT wide_all CHECK (coalesce(%s) > 0))',
		(SELECT string_agg(format('%I integer', 'a_column_with_a_long_name_' || i), ', ') FROM generate_series(1, 1500) AS i), (SELECT string_agg(format('%I', 'a_column_with_a_long_name_' || i), ', ') FROM generate_series(1, 1500) AS i)); END $$});
is_deeply([ $sql->column(q{SELECT concat(constraint_name, ' ', length(definition), ' ', right(definition, 3), ' ', column_names::text) FROM dqds_list_constraints('boss', 'shop', '{fat,wide}'::text[])}) ],
	[ 'fat_ascii 8195 ... {a}', 'fat_wide 8195 ... {b}', 'wide_all 8195 ... ' ], 'what is too long is cut');
$at_remote->must('DROP TABLE shop.fat, shop.wide');

# --- Bytes that cannot be converted -----------------------------------------------------------------------------------------

# 8D is no character of WIN1252, though a name may hold it; E9 is one.
{
	$at_remote->must(q{CREATE DATABASE win ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
	my $there = DqdsTest::Sql->connect($remote, database => 'win');
	$there->must(qq{CREATE SCHEMA s; CREATE TABLE s."t\x8d" ("c\x8d" integer CONSTRAINT "k\x8d" CHECK ("c\x8d" > 0), "\xe9" integer PRIMARY KEY);
		CREATE INDEX "i\x8d" ON s."t\x8d" (("c\x8d" + 1)); CREATE VIEW s."v\xe9" AS SELECT "c\x8d", 'x\x8d\xe9'::text AS x FROM s."t\x8d"});
	create_connection($control, 'win', connection_model($remote, user => 'boss', password => 'secret', database => 'win'));
	my ($bad, $good) = ("\xEF\xBF\xBD", "\xC3\xA9");
	is_deeply([ constraint_lines('win', q('s')) ],
		[ qq(t$bad | k$bad | check | {c$bad} | CHECK ("c$bad" > 0)), qq(t$bad | t${bad}_pkey | primary_key | {$good} | PRIMARY KEY ("$good")) ], 'constraints with bytes that cannot be converted');
	is_deeply([ map { s/ \| CREATE.*//r } index_lines('win', "'s', 't$bad'") ],
		[ qq(t$bad | i$bad | btree | {"(\\"c$bad\\" + 1)"} | {} | all rows), "t$bad | t${bad}_pkey | btree | unique | primary | {$good} | {} | all rows" ], 'indexes of that table, by the name that it is shown with');
	like($sql->value("SELECT dqds_view_definition('win', 's', 'v$good')"), qr/"c$bad",\s+'x$bad$good'::text AS x\s+FROM s\."t$bad";/, 'the definition of a view');
	$there->close;
}

# --- Locked tables -------------------------------------------------------------------------------------------------------------

{
	my $locker = DqdsTest::Sql->connect($remote);
	$locker->must('BEGIN; LOCK TABLE shop.items');
	$sql->must(q{SET dqds.query_timeout = '60s'});
	my @lines = constraint_lines('boss', q('shop', '{items,orders}'::text[]));
	is_deeply(\@lines, [ map { s/CHECK \(.*|EXCLUDE .*/no definition/r =~ s/\{lower\(during\),line\}/{NULL,line}/r } @of_items ], 'while a table is locked, what needs no lock is told')
	  or diag(join "\n", @lines);
	@lines = index_lines('boss', q('shop', '{items,orders}'::text[]));
	is(join(' ', map { (split / \| /)[1] } @lines), join(' ', (map { (split / \| /)[0] } @indexes), 'orders_key'), 'all indexes are listed');
	is(join(' ', map { (split / \| /)[1] } grep { !/no definition/ } @lines), 'orders_key', 'with the definitions of those of other tables');
	is($lines[1], 'items | items_by_day | btree | {day,line} | {} | all rows | no definition', 'and the columns of all');
	is($sql->value(q{SELECT count(*) FROM dqds_list_constraints_json('boss', 'shop', 'items') AS t, json_array_elements(t::json)}), scalar(grep { /^items/ } @of_items), 'as JSON each of them once');
	$sql->send(q{SELECT dqds_view_definition('boss', 'shop', 'seen') IS NOT NULL AS there});
	ok(poll_until(sub { $at_remote->value(q{SELECT count(*) FROM pg_locks WHERE NOT granted}) }), 'a view of it is waited for');
	$locker->must('ROLLBACK');
	is($sql->answer->{rows}[0]{there}, 't', 'and comes when the table is free again');
	$locker->must('BEGIN; LOCK TABLE shop.items');
	is($sql->query(q{SELECT dqds_view_definition('boss', 'shop', 'seen')}, 120)->{error}{sqlstate}, 'QD016', 'but not for ever');
	$sql->must('RESET dqds.query_timeout');
	$locker->must('ROLLBACK');
	$locker->close;
	is_deeply([ constraint_lines('boss', q('shop', '{items,orders}'::text[])) ], \@of_items, 'and then it is as before');
	isnt($sql->value(q{SELECT dqds_view_definition('boss', 'shop', 'seen')}), undef, 'the view as well');
}

# --- While it changes ----------------------------------------------------------------------------------------------------------

{
	my $rounds = 60;
	$at_remote->must(q{CREATE SCHEMA busy; CREATE TABLE busy.stays (id integer CONSTRAINT stays_key PRIMARY KEY, n integer CONSTRAINT stays_n CHECK (n > 0)); CREATE VIEW busy.stays_view AS SELECT id FROM busy.stays});
	my $dir = PostgreSQL::Test::Utils::tempdir('busy');
	my @processes = map {
		my $one = $_;
		open my $file, '>', "$dir/$one" or die "$dir/$one: $!";
		foreach my $i (map { "${one}_$_" } 1 .. $rounds)
		{
			print $file "CREATE TYPE busy.mood_$i AS ENUM ('happy'); CREATE TABLE busy.comes_$i (id integer PRIMARY KEY, m busy.mood_$i CHECK (m <> 'happy'), n integer CHECK (n > 0) REFERENCES busy.stays, EXCLUDE USING btree ((n + 1) WITH =));",
			  "CREATE TABLE busy.refers_$i (id integer REFERENCES busy.comes_$i CHECK (id > 1)); CREATE VIEW busy.view_$i AS SELECT id FROM busy.comes_$i; CREATE OR REPLACE VIEW busy.view_x_$one AS SELECT id FROM busy.comes_$i;",
			  "ALTER TABLE busy.comes_$i DROP CONSTRAINT comes_${i}_n_check; DROP TYPE busy.mood_$i CASCADE; ALTER TABLE busy.comes_$i RENAME TO gone_$i; DROP TABLE busy.gone_$i CASCADE; DROP TABLE busy.refers_$i;\n";
		}
		close $file;
		DqdsTest::Process->start('what changes', "$dir/$one.log", [ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $remote->connstr('postgres'), '-c', 'SET client_min_messages = error', '-f', "$dir/$one" ]);
	} 1, 2;
	my ($listings, $without, @wrong) = (0, 0);
	while (@wrong < 5)
	{
		my $last = !grep { $_->running } @processes;
		foreach my $connection (qw(boss scan))
		{
			foreach my $call (
				"SELECT constraint_name AS name, definition IS NULL AS bare FROM dqds_list_constraints('$connection', 'busy')", "SELECT index_name AS name, definition IS NULL AS bare FROM dqds_list_indexes('$connection', 'busy')",
				"SELECT table_name AS name, table_kind = 'view' AND dqds_view_definition('$connection', 'busy', table_name) IS NULL AS bare FROM dqds_list_tables('$connection', 'busy')")
			{
				my $answer = $sql->query($call);
				push @wrong, "$call: $answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
				my %seen;
				$seen{ $_->{name} }++ foreach @{ $answer->{rows} };
				push @wrong, "$call: without what stays" if !$answer->{error} && !grep { /^stays/ } keys %seen;
				$without++ if grep { $_->{name} =~ /^stays_(?:key|view)/ && $_->{bare} eq 't' } @{ $answer->{rows} };
				$listings++;
			}
		}
		last if $last;
	}
	is($_->wait_end(120), 0, 'tables came and went') or diag($_->log) foreach @processes;
	is(join("\n", @wrong), '', 'and each listing had what stays, without an error');
	note("$listings listings while it changed, $without of them without definitions");
	is($sql->value("SELECT count(*) FROM dqds_list_constraints('boss', 'busy') WHERE definition IS NULL"), 0, 'with definitions, when nothing changes any more');
	$at_remote->must('DROP SCHEMA busy CASCADE');
}

# --- The cost of one table --------------------------------------------------------------------------------------------------------

# Counted in blocks that a session of its own reads, from its login to its end. That of a schema of 2,000 tables is thirty times as
# much at least, in each state of the statistics; here five times will do.
{
	$at_remote->must('CREATE DATABASE large');
	my $there = DqdsTest::Sql->connect($remote, database => 'large');
	$there->must(q{CREATE SCHEMA big; CREATE TABLE big.base (a integer PRIMARY KEY CHECK (a > 0), b integer UNIQUE, c integer, d integer, e integer, f integer)});
	$there->must("DO \$\$ BEGIN FOR i IN 1 .. 250 LOOP EXECUTE format('CREATE TABLE big.t%s (LIKE big.base INCLUDING ALL)', $_ * 250 + i); END LOOP; END \$\$") foreach 0 .. 7;
	create_connection($control, 'large', connection_model($remote, user => 'boss', password => 'secret', database => 'large'));
	my %call = (one => sub { "dqds_list_$_[0]('large', 'big', 't77')" }, all => sub { "dqds_list_$_[0]('large', 'big')" });
	# A session counts what it has read when it ends; before version 15 a collector hears of that a moment later.
	my $blocks = sub {
		poll_until(sub { !$at_remote->value(q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'large'}) }) or die 'a session stays';
		my ($seen, $same) = (-1, 0);
		poll_until(sub {
			my $now = $at_remote->value(q{SELECT blks_read + blks_hit FROM pg_stat_database WHERE datname = 'large'});
			$same = $now == $seen ? $same + 1 : 0;
			$seen = $now;
			return $same >= ($version < 15 ? 20 : 1);
		}) or die 'the count does not settle';
		return $seen;
	};
	my $cost = sub {
		my ($call) = @_;
		my $before = $blocks->();
		my $count = $sql->value("SELECT count(*) FROM $call");
		$sql->must('SELECT dqds_close_idle()');
		return ($count, $blocks->() - $before);
	};
	foreach my $state ([ 'never analyzed' => 'SELECT 1' ], [ 'analyzed by autovacuum' => 'ANALYZE pg_class; ANALYZE pg_attribute; ANALYZE pg_depend; ANALYZE pg_constraint; ANALYZE pg_index; ANALYZE pg_type' ],
		[ 'all analyzed' => 'ANALYZE pg_namespace' ])
	{
		$there = DqdsTest::Sql->connect($remote, database => 'large') if !$there;
		$there->must($state->[1]);
		$there->close;
		undef $there;
		foreach my $list (qw(constraints indexes))
		{
			my ($count, $one) = $cost->($call{one}->($list));
			my (undef, $all) = $cost->($call{all}->($list));
			is($count, $list eq 'indexes' ? 2 : 3, "$state->[0]: $list of one of 2,000 tables");
			note("$state->[0]: $list of one $one blocks, of all $all");
			cmp_ok($one * 5, '<', $all, "$state->[0]: $list of one cost a fraction of those of all");
		}
	}
}

# --- Servers that cannot be asked ------------------------------------------------------------------------------------------------------

foreach my $provider (qw(questdb redshift))
{
	my $model = sql_literal(to_json({ provider_type => $provider, $provider => { host => '127.0.0.1', port => '1', user => 'u', password => 'p', database => 'd' } })) . '::jsonb';
	my %what = ('dqds_list_constraints' => 'constraints', 'dqds_list_indexes' => 'indexes', 'dqds_view_definition' => 'definitions of views');
	foreach my $function (sort keys %what)
	{
		my $arguments = $function eq 'dqds_view_definition' ? q('s', 'v') : q('s');
		my $error = $sql->query("SELECT * FROM $function($model, $arguments)")->{error};
		is("$error->{sqlstate} $error->{message}", qq(QD019 $what{$function} can be listed only for connections of provider type "postgresql"), "$provider: $function says that it cannot");
	}
}

# --- Answers that are none ----------------------------------------------------------------------------------------------------------

# fake(NAME, SUB): registers a connection to a server that answers each query with SUB->(its text, number of the query).
sub fake
{
	my ($name, $next) = @_;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			my $count = 0;
			pg_log_in($socket);
			# What is no listing asks for the pid of the server's process: it says that there is a pooler.
			pg_answer($socket, sub { my ($query) = @_; return $query =~ /pg_constraint|pg_get_viewdef/ ? $next->($query, ++$count) : pg_rows(1, ['0']); }) foreach 1 .. 100;
		});
	create_connection($control, $name,
		connection_model(undef, host => '127.0.0.1', port => '' . $server->port, database => 'postgres', user => 'u', password => 'secret-password', sslmode => 'disable'));
	return $server;
}

my @arrays = (
	# sent, its elements (undef: it is no array)
	[ '{}',                      '[]' ],
	[ '{a}',                     '["a"]' ],
	[ '{a,b,c}',                 '["a","b","c"]' ],
	[ '{"a b","c,d","{}"}',      '["a b","c,d","{}"]' ],
	[ '{"a\"b","c\\\\d","\e"}',  '["a\"b","c\\\\d","e"]' ],
	[ '{NULL,null,"NULL",x}',    '[null,null,"NULL","x"]' ],
	[ '{"",a}',                  '["","a"]' ],
	[ "{\xE2\x82\xAC,\"\n\"}",   "[\"\xE2\x82\xAC\",\"\\n\"]" ],
	[ "{a\xFF}",                 "[\"a\xEF\xBF\xBD\"]" ],
	[ '{ a b , c }',             '["a b","c"]' ],
	[ '{ "a" ," b" }',           '["a"," b"]' ],
	[ '{ }',                     '[]' ],
	(map { [$_] } undef, '', '{', '}', 'a', 'a,b', '{a', 'a}', '{a}}', '{{a}', '{{a},{b}}', '{,}', '{ , }', '{a, }', '{a,}', '{,a}', '{"a}', '{"a"b}', '{"a', '{"a\\', '{"a\\"}', '{a"b"}', '{a\\b}', '[0:1]={a,b}', '{a};', '{a} ', ' {a}',
		'["a"]'),
	[ '{' . '"",' x 10_000 . 'x}', '[' . '"",' x 10_000 . '"x"]' ]);
my $arrays_fake = fake('arrays', sub { pg_rows(8, map { [ 't', "c$_", 'unique', $arrays[$_][0], undef, undef, $arrays[$_][0], 'UNIQUE' ] } 0 .. $#arrays) });
my @seen = map { from_json($_) } $sql->column(q{SELECT to_json(t) FROM dqds_list_constraints('arrays', 's') t});
my ($document) = $sql->column(q{SELECT string_agg(t, '') FROM dqds_list_constraints_json('arrays', 's', NULL) AS t});
my $elements = from_json($document);
is(scalar @seen, scalar @arrays, 'a row for each array');
foreach my $i (0 .. $#arrays)
{
	my ($sent, $expected) = @{ $arrays[$i] };
	my $what = $sent // 'NULL';
	$what = substr($what, 0, 20) . '…' if length $what > 20;
	is_deeply($seen[$i]{column_names}, defined $expected ? from_json($expected) : undef, "the array $what");
	is_deeply($elements->[$i]{columnNames}, defined $expected ? from_json($expected) : undef, "the array $what, as JSON");
}

# An object that is dropped while it is described: a server's internal error, after some rows. It is asked again, and nothing comes twice.
my @rows = map { [ 't', "c$_", 'unique', '{a}', undef, undef, undef, 'UNIQUE (a)' ] } 1 .. 3;
sub spoilt
{
	my ($sqlstate) = @_;
	return pg_rows(8, @rows) =~ s/C\0\0\0\x0DSELECT 1\0Z\0\0\0\x05I\z//r . pg_error($sqlstate, 'cache lookup failed for relation 12345', 'ERROR') . pg_message('Z', 'I');
}
foreach my $case ([ 'once', 'XX000', 1 ], [ 'three times', 'XX000', 3 ], [ 'an enum', '22P03', 1 ], [ 'a lock', '55P03', 1 ])
{
	my ($name, $sqlstate, $times) = @$case;
	my $fake = fake($name, sub { $_[1] > $times ? pg_rows(8, @rows) : spoilt($sqlstate) });
	is_deeply([ $sql->column("SELECT constraint_name FROM dqds_list_constraints('$name', 's')") ], [qw(c1 c2 c3)], "$name: the answer is whole");
	$sql->must('SELECT dqds_close_idle()');
	is(scalar @{ from_json($sql->value("SELECT string_agg(t, '') FROM dqds_list_constraints_json('$name', 's', 't') AS t")) }, 3, "$name: as JSON as well");
	$sql->must('SELECT dqds_close_idle()');
	$fake->stop;
}
foreach my $sqlstate (qw(XX000 22P03 55P03 42501))
{
	my $fake  = fake("always $sqlstate", sub { spoilt($sqlstate) });
	my $error = $sql->query("SELECT * FROM dqds_list_constraints('always $sqlstate', 's')")->{error};
	like($error->{sqlstate}, qr/^QD/, "$sqlstate every time: an error in the end");
	$fake->stop;
}
{
	my $fake = fake('pieces', sub { $_[1] < 2 ? pg_rows(2, [ 'v', 'lost' ]) =~ s/C\0\0\0\x0DSELECT 1\0Z\0\0\0\x05I\z//r . pg_error('XX000', 'gone', 'ERROR') . pg_message('Z', 'I') : pg_rows(2, [ 'v', 'SELECT ' ], [ 'w', 'no' ], [ 'v', '1' ], [ 'v', undef ]) });
	is($sql->value(q{SELECT dqds_view_definition('pieces', 's', 'v')}), 'SELECT 1', 'pieces are put together, those of that view');
	$fake->stop;
}
# A view that is replaced all the time: nothing can be left out of its definition.
{
	my $fake = fake('replaced', sub { $_[1] <= 15 ? spoilt('XX000') : pg_rows(2, [ 'v', 'SELECT 1' ]) });
	is($sql->value(q{SELECT dqds_view_definition('replaced', 's', 'v')}), 'SELECT 1', 'a view that is replaced fifteen times while it is described');
	$fake->stop;
	$fake = fake('replaced for ever', sub { spoilt('XX000') });
	like($sql->query(q{SELECT dqds_view_definition('replaced for ever', 's', 'v')})->{error}{sqlstate}, qr/^QD/, 'and one that is always replaced is an error in the end');
	$fake->stop;
}
is($sql->value('SELECT 1'), '1', 'the backend is still the same');

$sql->close;
$at_remote->close;
$control->stop;
$remote->stop('immediate');
done_testing();
