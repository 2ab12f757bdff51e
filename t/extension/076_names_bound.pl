# Names are bound once, everywhere: every function body, view, default and constraint of the extension, every statement of the
# bridge, every command that C code runs at its own server, every query for a remote PostgreSQL, and the commands that
# README.md and doc/ show. The test does not search for names that look right: PostgreSQL's own parser looks the names up while
# another role has created objects of every name and of every pair of types beside them, and pg_depend shows what it has
# bound. To show that the test detects faults, each statement is also tried with one of its qualifications left out, each in
# turn.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use DqdsTest::Statements;
use PostgreSQL::Test::Utils;
use Test::More;

# Thousands of functions are dropped in one transaction below.
my $control = control_server('control', extension => 0, conf => 'max_locks_per_transaction = 512');
my $sql     = DqdsTest::Sql->connect($control);
my $owner   = $sql->value('SELECT current_user'); # named like the user of the system that runs the tests

# --- The sources of SQL -------------------------------------------------------------------------------------------

my %sql_of = map { $_ => [ sql_strings($_) ] } glob 'src/*.[ch] src/*/*.[ch] bridge/*.c bridge/*.h';
is(join(' ', grep { @{ $sql_of{$_} } } sort keys %sql_of), 'bridge/routes.c bridge/statements.c src/postgres/catalog_sql.h src/postgres/columns_sql.h src/postgres/keys_sql.h src/postgres/other_sql.h src/postgres/tables_sql.h', 'SQL stands in these files only: no C code of the extension runs any on the control server');

my @of_bridge = map { split /; / } map { @{ $sql_of{$_} } } grep { m{^bridge/} } sort keys %sql_of;
my @settings  = grep { /^SET / } @of_bridge;
my @bridge    = grep { !/^SET / } @of_bridge;
cmp_ok(scalar @bridge, '>=', 13, 'statements of the bridge: ' . @bridge);
is(join('; ', @settings), 'SET quote_all_identifiers = off; SET exit_on_error = off; SET search_path = pg_catalog, pg_temp; SET log_parameter_max_length_on_error = 0', 'SET takes no name that could be another\'s');

my %remote = remote_queries();
is(join(' ', map { "$_=" . @{ $remote{$_} } } sort keys %remote), 'POSTGRES=15 POSTGRES_PINNED=15 POSTGRES_REENCODED=15 QUESTDB=12 QUESTDB_OLD=12 REDSHIFT=12 SCAN=15', 'queries for remote servers');
# Redshift and QuestDB have no OPERATOR(), and no users who create operators.
my @remote = map { @{ $remote{$_} } } qw(POSTGRES POSTGRES_PINNED POSTGRES_REENCODED SCAN);

# --- Twins and traps ------------------------------------------------------------------------------------------------

# Everything that is text here and that the walk reads: for the names that are in use.
my ($version) = slurp_file('dqds.control') =~ /default_version = '(.*)'/;
my $texts = join "\n", @bridge, @remote, slurp_file("sql/dqds--$version.sql");
my @words = do { my %seen; grep { !$seen{$_}++ } map { lc } $texts =~ /(\w+)/g };
my $words = join ', ', map { sql_literal($_) } @words;

# The types in use, and those that literals and their relatives are taken for.
my @types = qw("char" bool bytea text name varchar bpchar oid int2 int4 int8 float4 float8 numeric json jsonb date timestamp timestamptz interval uuid
  regrole regclass regtype regprocedure text[] name[] oid[] int2[] int4[] "char"[] bool[] int8[]);
my $types = join ', ', map { sql_literal($_) } @types;

# lay_traps(SESSION, SCHEMA): twins of what pg_catalog has under the names in use: each operator and function with its types,
# aggregates, relations, types, collations; and operators of each name in use for every pair of the types above. Each tells the log that
# it has run. Needs CREATE in the schema only. Returns how many there are of each kind.
sub lay_traps
{
	my ($session, $schema) = @_;
	$session->must(qq(
		CREATE FUNCTION $schema.spring(what text) RETURNS boolean LANGUAGE plpgsql AS \$\$
			BEGIN RAISE LOG 'sprung: % as % of %', what, current_user, session_user; RETURN true; END \$\$;
		DO \$do\$
		DECLARE
			o record; l regtype; r regtype; f record; t record; oname text; ftypes text; made text[] := '{}';
		BEGIN
			FOR l IN SELECT unnest(ARRAY[$types]::regtype[]) LOOP
				FOR r IN SELECT unnest(ARRAY[$types]::regtype[]) LOOP
					EXECUTE format('CREATE FUNCTION $schema.trap(%s, %s) RETURNS bool LANGUAGE plpgsql AS \$f\$ BEGIN RETURN $schema.spring(%L); END \$f\$', l, r, 'operator');
					FOREACH oname IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '-', '+', '&', '#', '>>', '->', '->>', '~', '~~', '\@>', '?'] LOOP
						EXECUTE format('CREATE OPERATOR $schema.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = $schema.trap)', oname, l, r);
					END LOOP;
				END LOOP;
			END LOOP;
			-- The other operators of the system, with its own functions: that they are bound is what matters.
			FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprcode FROM pg_operator
				WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' LOOP
				BEGIN
					EXECUTE format('CREATE OPERATOR $schema.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %s)', o.oprname, o.l, o.r, o.oprcode);
				EXCEPTION WHEN duplicate_function OR insufficient_privilege OR undefined_function OR invalid_function_definition THEN NULL;
				END;
			END LOOP;
			FOR f IN SELECT p.oid, p.proname, p.prokind, p.proretset, pg_get_function_identity_arguments(p.oid) AS arguments,
					pg_get_function_result(p.oid) AS result, p.prorettype, a.aggtransfn, format_type(a.aggtranstype, NULL) AS state, a.agginitval,
					CASE WHEN a.aggfinalfn::oid <> 0 THEN format(', FINALFUNC = %s%s', a.aggfinalfn, CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' END) END AS final
				FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
				WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a') AND p.proname IN ($words) LOOP
				BEGIN
					IF f.prokind = 'a' THEN
						EXECUTE format('CREATE AGGREGATE $schema.%I(%s) (SFUNC = %s, STYPE = %s%s%s)', f.proname,
							CASE f.arguments WHEN '' THEN '*' ELSE f.arguments END, f.aggtransfn, f.state, ', INITCOND = ' || quote_literal(f.agginitval), f.final);
					ELSE
						EXECUTE format('CREATE FUNCTION $schema.%I(%s) RETURNS %s LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $schema.spring(%L); RETURN%s; END \$f\$',
							f.proname, f.arguments, f.result, f.proname,
							CASE WHEN f.proretset OR f.prorettype IN ('void'::regtype) THEN '' ELSE ' NULL' END);
					END IF;
				EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR invalid_function_definition OR datatype_mismatch OR undefined_object OR duplicate_function OR syntax_error THEN
					-- internal arguments and the like: only a superuser can make them
					NULL;
				END;
			END LOOP;
			FOR t IN SELECT relname, oid FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') AND relname IN ($words) LOOP
				EXECUTE format('CREATE VIEW $schema.%I AS SELECT %s FROM pg_catalog.%I WHERE $schema.spring(%L)', t.relname, (
					SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
					WHERE attrelid = t.oid AND atttypid <> 'anyarray'::regtype AND NOT attisdropped AND (attnum > 0 OR attname = 'oid')), t.relname, t.relname);
				EXECUTE format('GRANT SELECT ON $schema.%I TO PUBLIC', t.relname);
			END LOOP;
			FOR t IN SELECT typname, oid::regtype AS type FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A' LOOP
				EXECUTE format('CREATE DOMAIN $schema.%I AS %s CHECK ($schema.spring(%L))', t.typname, t.type, t.typname);
			END LOOP;
			CREATE COLLATION $schema."C" FROM pg_catalog."C";
		END \$do\$), 240);
	return join ' ', map { "$_->{kind}=$_->{n}" } $session->rows(qq(
		SELECT 'operators' AS kind, count(*) AS n FROM pg_operator WHERE oprnamespace = '$schema'::regnamespace
		UNION ALL SELECT 'functions', count(*) FROM pg_proc WHERE pronamespace = '$schema'::regnamespace AND proname <> 'trap'
		UNION ALL SELECT 'relations', count(*) FROM pg_class WHERE relnamespace = '$schema'::regnamespace AND relkind = 'v'
		UNION ALL SELECT 'domains', count(*) FROM pg_type WHERE typnamespace = '$schema'::regnamespace AND typtype = 'd'));
}

sub sprung_since
{
	my ($from) = @_;
	my %seen;
	$seen{$_}++ foreach slurp_file($control->logfile, $from) =~ /LOG:  sprung: (.*)/g;
	return join ', ', sort keys %seen;
}

# --- The extension, created among traps -----------------------------------------------------------------------------------

# Another role may create in its schema, and has been there first. The superuser's search_path begins with it, too.
$sql->must(q(CREATE ROLE mallory LOGIN; CREATE SCHEMA here; GRANT USAGE ON SCHEMA here TO PUBLIC; GRANT CREATE ON SCHEMA here TO mallory));
my $mallory = DqdsTest::Sql->connect($control, user => 'mallory');
my $laid    = lay_traps($mallory, 'here');
note("traps: $laid");
my %laid = $laid =~ /(\w+)=(\d+)/g;
cmp_ok($laid{operators}, '>', 15_000, "operators: $laid{operators}");
cmp_ok($laid{functions}, '>', 100,    "functions: $laid{functions}");
cmp_ok($laid{relations}, '>=', 10,    "relations: $laid{relations}");
cmp_ok($laid{domains},   '>', 50,     "types: $laid{domains}");

my $from = -s $control->logfile;
$sql->must(q(SET search_path = here, pg_catalog; SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text, pg_catalog.now() OPERATOR(pg_catalog.>) now(); SELECT * FROM pg_namespace LIMIT 1));
is(sprung_since($from), join(', ', map { "$_ as $owner of $owner" } qw(now operator pg_namespace)), 'they spring when they are looked up');

# The scripts of an upgrade run as a superuser, too. (Functions of 1.0 were not bound: none is called.)
foreach my $old (map { m{dqds--([\d.]+)\.sql$} && $1 ne $version ? $1 : () } sort glob 'sql/dqds--*.sql')
{
	$sql->must("CREATE EXTENSION dqds VERSION '$old' SCHEMA here");
	$sql->must(q(INSERT INTO here.dqds_connection (name, owner, model, written_by_admin)
		VALUES ('c', current_user::pg_catalog.regrole, '{"provider_type": "postgresql", "postgresql": {"host": "${DQDS_SECRET_X}", "user": "a$${"}}', true))) if $old eq '1.0';
	my $from_here = -s $control->logfile;
	$sql->must('ALTER EXTENSION dqds UPDATE');
	is(sprung_since($from_here), '', "ALTER EXTENSION UPDATE from $old runs none of them");
	$sql->must('DROP EXTENSION dqds');
}

$from = -s $control->logfile;
$sql->must('CREATE EXTENSION dqds SCHEMA here');
is(sprung_since($from), '', 'CREATE EXTENSION runs none of them');
$sql->must('RESET search_path');

# Everything of the extension: its members and what belongs to them (columns' defaults, constraints, indexes, rules, row types).
$sql->must(q(
	CREATE SCHEMA walk;
	CREATE VIEW walk.object AS
		WITH RECURSIVE object (classid, objid) AS (
			SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE e.extname = 'dqds' AND d.deptype = 'e'
			UNION
			SELECT d.classid, d.objid FROM object o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
			WHERE d.deptype IN ('a', 'i', 'P', 'S'))
		SELECT * FROM object;
	-- What any of it refers to, but for itself, what initdb made, the schema and the extension.
	CREATE VIEW walk.foreigner AS
		SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS object, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) AS refers_to
		FROM walk.object o JOIN pg_depend d USING (classid, objid)
		WHERE d.refobjid >= 16384 AND (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM walk.object)
			AND d.refclassid <> 'pg_extension'::regclass AND (d.refclassid, d.refobjid) <> ('pg_namespace'::regclass, 'here'::regnamespace)));
cmp_ok($sql->value('SELECT count(*) FROM walk.object'), '>', 180, 'objects of the extension');
my $foreigners = q(SELECT string_agg(object || ' -> ' || refers_to, '; ' ORDER BY object) FROM walk.foreigner);
is($sql->value($foreigners), undef, 'none of them refers to anything but PostgreSQL and itself');
my $unbound = q(
	SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN walk.object o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid JOIN pg_language l ON l.oid = p.prolang
	WHERE lanname NOT IN ('c') AND prosqlbody IS NULL OR prosecdef OR proconfig IS NOT NULL);
is($sql->value($unbound), undef, 'every function is in C or bound; none lends its owner\'s rights or needs a setting');
is($sql->value(q(SELECT string_agg(DISTINCT probin, ' ') FROM pg_proc p JOIN walk.object o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid WHERE probin IS NOT NULL)), '$libdir/dqds', 'those in C are in one library');
is($sql->value(q(SELECT count(*) FROM pg_trigger t JOIN walk.object o ON o.classid = 'pg_class'::regclass AND o.objid = t.tgrelid)), 0, 'there are no triggers, nor those of foreign keys, which find tables by name');

# The search detects faults.
foreach my $broken (
	[ 'an operator in a body', q(BEGIN ATOMIC SELECT 1 = 1; END), qr/function here\.broken\(\) -> operator here\.=\(integer,integer\)/ ],
	[ 'a function in a body', q(BEGIN ATOMIC SELECT now() OPERATOR(pg_catalog.>) 'epoch'::pg_catalog.timestamptz; END), qr/-> function here\.now\(\)/ ],
	[ 'a relation in a body', q(BEGIN ATOMIC SELECT EXISTS (SELECT FROM pg_namespace); END), qr/-> view here\.pg_namespace/ ],
	[ 'a type in a body', q(BEGIN ATOMIC SELECT pg_catalog.length('a'::text) IS NULL; END), qr/-> (?:type|domain) here\.text/ ])
{
	my ($what, $body, $expected) = @$broken;
	$sql->must("BEGIN; SET LOCAL search_path = here, pg_catalog; CREATE FUNCTION here.broken() RETURNS pg_catalog.bool LANGUAGE sql $body; ALTER EXTENSION dqds ADD FUNCTION here.broken(); SET LOCAL search_path = walk, pg_catalog");
	like($sql->value($foreigners), $expected, "found: $what");
	$sql->must('ROLLBACK');
}
$sql->must(q(BEGIN; CREATE FUNCTION walk.late() RETURNS bool LANGUAGE sql AS 'SELECT true'; ALTER EXTENSION dqds ADD FUNCTION walk.late()));
like($sql->value($unbound), qr/late/, 'found: a body that is text');
$sql->must('ROLLBACK');

# Its functions run none of them either: calls as superuser, as an admin and as an editor, among the traps.
{
	$from = -s $control->logfile;
	my $model = sql_literal(to_json({ provider_type => 'postgresql', postgresql => { host => '127.0.0.1', port => '1', user => 'u', password => 'p', database => 'd' } }));
	$sql->must(qq(SET search_path = here, pg_catalog; CREATE ROLE boss; CREATE ROLE writer; CREATE ROLE spare; SELECT here.dqds_grant('admin', 'boss'), here.dqds_grant('editor', 'writer')));
	my $round = 0;
	foreach my $role ($owner, qw(boss writer))
	{
		$round++;
		$sql->must(qq(SET ROLE "$role"));
		my @steps = ("SELECT here.dqds_create_connection('c$round', $model)", "SELECT here.dqds_update_connection('c$round', $model)", 'SELECT * FROM here.dqds_connections',
			'SELECT pg_catalog.dqds_connections_json()', "SELECT pg_catalog.dqds_connection_json('c$round')", 'SELECT * FROM here.dqds_imported_columns', 'SELECT * FROM here.dqds_test_connections()',
			"SELECT here.dqds_unimport_tables('c$round', 's')", "SELECT here.dqds_rename_connection('c$round', 'd$round')");
		push @steps, "SELECT here.dqds_grant_connection('d$round', 'writer'), here.dqds_revoke_connection('d$round', 'writer'), here.dqds_set_connection_owner('d$round', 'writer')",
			"SELECT here.dqds_create_credential('k', 's', '*'), here.dqds_grant_credential('k', 'writer'), here.dqds_revoke_credential('k', 'writer'), here.dqds_drop_credential('k')",
			"SELECT here.dqds_create_token('$role')", 'SELECT * FROM here.dqds_tokens', 'SELECT * FROM here.dqds_credentials', "SELECT here.dqds_grant('operator', 'spare'), here.dqds_revoke('viewer', 'spare')", 'SELECT here.dqds_revoke_token(token_id) FROM here.dqds_tokens' if $role ne 'writer';
		foreach my $step (@steps)
		{
			my $error = $sql->query($step)->{error};
			# A token never stands for a superuser.
			next if $error && $error->{sqlstate} eq '42501' && $step =~ /create_token/ && $role eq $owner;
			is($error ? "$error->{sqlstate} $error->{message}" : undef, undef, "as $role: $step") if $error;
		}
		$sql->must('RESET ROLE');
	}
	$sql->must('RESET search_path');
	is(sprung_since($from), '', 'a round of calls runs none of them');
}

# What GRANT and REVOKE are given are members of the extension.
is($sql->value(q(SELECT cardinality(here.dqds_level_members('function', 0, 100)))), $sql->value(q(
	SELECT count(*) FROM pg_proc p JOIN walk.object o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid JOIN here.dqds_level_objects() l ON l.kind = 'function' AND l.name = p.proname)), 'the functions of all levels');
is($sql->value(q(SELECT cardinality(here.dqds_level_members('view', 0, 100)))), $sql->value(q(SELECT count(*) FROM here.dqds_level_objects() WHERE kind = 'view')), 'the views of all levels');
is($sql->value(q(
	SELECT string_agg(kind || ' ' || member, '; ') FROM unnest(ARRAY['function', 'view']) AS kind, unnest(here.dqds_level_members(kind, 0, 100)) AS member
	WHERE NOT EXISTS (SELECT FROM walk.object o WHERE o.objid = member AND o.classid = CASE kind WHEN 'view' THEN 'pg_class'::regclass ELSE 'pg_proc'::regclass END))), undef, 'each is a member of the extension');

# --- Statements of the bridge, queries for remote servers ------------------------------------------------------------------

# The superuser's traps: more of them, as some need that; and twins of what the bridge calls.
$sql->must('CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC');
note('traps: ' . lay_traps($sql, 'evil'));
$sql->must(qq(
	DO \$do\$
	DECLARE f record;
	BEGIN
		FOR f IN SELECT p.oid, p.proname, p.proretset, p.prorettype, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result, p.prosrc, l.lanname
			FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
			WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ '^dqds_' OR l.lanname = 'internal' AND p.prokind = 'f' AND p.proname IN ($words)) LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE %s AS %L', f.proname, f.arguments, f.result,
				CASE f.lanname WHEN 'internal' THEN 'internal' ELSE 'plpgsql' END, CASE f.lanname WHEN 'internal' THEN f.prosrc ELSE ' BEGIN RAISE ''sprung''; END ' END);
		EXCEPTION WHEN duplicate_function THEN NULL;
		END;
		END LOOP;
	END \$do\$));

# bound_to(STATEMENT, SEARCH_PATH): what PostgreSQL binds it to that does not stand in pg_catalog, its error, or ''. The schema of the
# extension is no place for what the bridge calls: its owner can rename it.
sub bound_to
{
	my ($statement, $path) = @_;
	my @parameters = eval { parameter_types($statement) };
	return $@ if $@;
	my $parameters = join ', ', map { /^pg_catalog\.|^\w+\./ ? $_ : "pg_catalog.$_" } map { s/^pg_catalog\.char$/pg_catalog."char"/r } @parameters;
	my $answer = $sql->query("BEGIN; SET LOCAL search_path = $path; CREATE FUNCTION walk.statement($parameters) RETURNS pg_catalog.void LANGUAGE sql BEGIN ATOMIC $statement; END");
	my $found = $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : '';
	$found = $sql->value(q(
		SET LOCAL search_path = pg_catalog;
		SELECT coalesce(string_agg(DISTINCT pg_describe_object(refclassid, refobjid, 0), ', '), '') FROM pg_depend
		WHERE classid = 'pg_proc'::regclass AND objid = (SELECT oid FROM pg_proc WHERE proname = 'statement' AND pronamespace = 'walk'::regnamespace)
			AND refobjid >= 16384 AND (refclassid, refobjid) <> ('pg_namespace'::regclass, 'walk'::regnamespace)
			AND NOT (refclassid = 'pg_proc'::regclass AND EXISTS (SELECT FROM walk.object o JOIN pg_proc p ON p.oid = o.objid AND p.pronamespace = 'pg_catalog'::regnamespace
				WHERE o.classid = refclassid AND o.objid = refobjid)))) if !$answer->{error};
	$sql->must('ROLLBACK');
	return $found;
}

# mutants(STATEMENT): the same with one qualification left out, each in turn.
sub mutants
{
	my ($statement) = @_;
	my @mutants;
	while ($statement =~ /pg_catalog\./g)
	{
		my $start = $-[0];
		# within a literal it is looked up as well, but is no name of the statement
		next if (substr($statement, 0, $start) =~ tr/'//) % 2;
		my $mutant = $statement;
		substr $mutant, $start, length 'pg_catalog.', '';
		push @mutants, $mutant;
	}
	return @mutants;
}

my %paths = ('first' => 'evil, pg_catalog, pg_temp', 'last' => 'pg_catalog, evil', 'only' => 'evil');
my $place = 0;
foreach my $statement (@bridge, @remote)
{
	my $what = ($place++ < @bridge ? 'bridge: ' : 'remote: ') . (length $statement > 70 ? substr($statement, 0, 70) . '…' : $statement);
	is(bound_to($statement, $paths{$_}), '', "traps $_: $what") foreach sort keys %paths;
}

is(bound_to('SELECT here.dqds_close_idle()', $paths{first}), 'function here.dqds_close_idle()', 'found: a function in the schema of the extension');

# Without any of its qualifications it is bound to a trap, or to nothing.
{
	my ($tried, @missed) = (0);
	foreach my $statement (@bridge, @{ $remote{POSTGRES} }, @{ $remote{POSTGRES_REENCODED} }[ 3 ])
	{
		foreach my $mutant (mutants($statement))
		{
			$tried++;
			push @missed, $mutant if bound_to($mutant, $paths{first}) eq '';
		}
	}
	cmp_ok($tried, '>', 300, "statements with one qualification less: $tried");
	is(join("\n", @missed), '', 'each is found');
}

# --- Commands that people copy ------------------------------------------------------------------------------------------

# Another role has put overloads of every plausible signature beside the extension's functions. A call means the extension's,
# or it is an error; it never means the other role's. Where the extension's function has defaults, or an overload has, PostgreSQL
# may find both as good, which is the error 42725.
my @calls = do
{
	my %seen;
	grep { !$seen{$_}++ } calls_in(join "\n", map { slurp_file($_) } 'README.md', glob('doc/*.md'), 'packaging/control.sql');
};
cmp_ok(scalar @calls, '>=', 20, 'calls in README.md, doc/ and packaging/control.sql: ' . @calls);

# with_values(CALL): the same with values in place of the names of parameters, columns and variables of psql.
sub with_values
{
	my ($call) = @_;
	my ($name, $arguments) = $call =~ /^(\w+)\((.*)\)$/s;
	my @parts = split /('(?:[^']|'')*')/, $arguments =~ s/:'\w+'/'{}'/gr;
	foreach my $part (grep { !/^'/ } @parts)
	{
		$part =~ s/\btoken_id\b/1/g;
		$part =~ s/\b(?:\w+\.)?(?!ARRAY\b|NULL\b|true\b|false\b)[a-z_]+(?!\w|\s*=>)\b/'x'::text/g;
	}
	return "$name(" . join('', @parts) . ')';
}

my @names = do { my %seen; grep { !$seen{$_}++ } map { /^(\w+)/ } @calls };

# overloads(DEFAULTS): how many there are, of functions of one to five arguments, all but the first with a default if DEFAULTS.
sub overloads
{
	my ($defaults) = @_;
	$mallory->must('DO $$ DECLARE f record; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = \'here\'::regnamespace AND proowner = \'mallory\'::regrole AND proname ~ \'^dqds_\' LOOP EXECUTE \'DROP FUNCTION \' || f.oid::regprocedure; END LOOP; END $$');
	my @all  = qw(text varchar name bpchar "char" json jsonb regrole oid int2 int4 int8 bool interval text[] varchar[] anyelement anyarray);
	my @some = qw(text varchar name json interval anyelement);
	my @signatures = ((map { [$_] } @all), (map { my $one = $_; map { [ $one, $_ ] } @all } @all),
		(map { my $one = $_; map { my $two = $_; map { [ $one, $two, $_ ] } @some, 'text[]' } @some } @some),
		(map { [ ($_) x 4 ], [ ($_) x 5 ] } @some), ['VARIADIC text[]'], [ 'text', 'VARIADIC text[]' ], ['VARIADIC anyarray'], [ 'text', 'VARIADIC anyarray' ]);
	my $signatures = join ', ', map { sql_literal(join ', ', $defaults ? ($_->[0], map { /VARIADIC|any/ ? $_ : "$_ DEFAULT NULL" } @$_[ 1 .. $#$_ ]) : @$_) } @signatures;
	my $functions = join ', ', map { sql_literal($_) } @names;
	$mallory->must(qq(
		DO \$do\$
		DECLARE f text; s text;
		BEGIN
			FOREACH f IN ARRAY ARRAY[$functions] LOOP
				FOREACH s IN ARRAY ARRAY[$signatures] LOOP
				BEGIN
					EXECUTE format('CREATE FUNCTION here.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', f, s, 'BEGIN RETURN here.spring(''overload''); END');
				EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN NULL; -- the extension has it; a default must follow
				END;
				END LOOP;
			END LOOP;
		END \$do\$), 240);
	return $sql->value(q(SELECT count(*) FROM pg_proc WHERE pronamespace = 'here'::regnamespace AND proowner = 'mallory'::regrole AND proname ~ '^dqds_'));
}

# whose(CALL): 'ours', 'theirs', or the SQLSTATE.
sub whose
{
	my ($call) = @_;
	my $answer = $sql->query("BEGIN; SET LOCAL search_path = here; CREATE FUNCTION walk.statement() RETURNS pg_catalog.void LANGUAGE sql BEGIN ATOMIC SELECT FROM $call; END");
	my $whose = $answer->{error} ? $answer->{error}{sqlstate} : $sql->value(q(
		SET LOCAL search_path = pg_catalog;
		SELECT string_agg(DISTINCT CASE WHEN (refclassid, refobjid) IN (SELECT classid, objid FROM walk.object) THEN 'ours' ELSE 'theirs' END, ' ') FROM pg_depend
		WHERE classid = 'pg_proc'::regclass AND objid = (SELECT oid FROM pg_proc WHERE proname = 'statement' AND pronamespace = 'walk'::regnamespace)
			AND refclassid = 'pg_proc'::regclass AND refobjid >= 16384));
	$sql->must('ROLLBACK');
	return $whose;
}

is(join(', ', grep { whose(with_values($_)) ne 'ours' } @calls), '', 'without overloads each call is the extension\'s');
my %has_defaults = map { $_ => 1 } $sql->column(q(SELECT DISTINCT proname FROM pg_proc p JOIN walk.object o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid WHERE pronargdefaults > 0));
foreach my $defaults (0, 1)
{
	my $count = overloads($defaults);
	cmp_ok($count, '>', 5000, ($defaults ? 'with defaults' : 'overloads') . ": $count");
	is(whose('dqds_grant(true, true)'), 'theirs', 'found: a call of an overload');
	foreach my $call (@calls)
	{
		my ($name) = $call =~ /^(\w+)/;
		my $whose = whose(with_values($call));
		note("$call: $whose");
		my $may_be_ambiguous = $defaults || $has_defaults{$name};
		ok($whose eq 'ours' || $may_be_ambiguous && $whose eq '42725', "beside them: $call") or diag("$call as " . with_values($call) . ": $whose");
	}
}

done_testing();
