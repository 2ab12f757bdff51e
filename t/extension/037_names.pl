# Names are returned unchanged, whatever characters they contain and whatever encoding the remote database has, sorted by code
# point; and no object in the remote search_path changes what is listed.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use Test::More;

my $remote   = remote_server('remote');
my $control  = control_server('control');
my $password = remote_password($remote);
my $sql      = DqdsTest::Sql->connect($control);
my $bridge   = hostile_watch(control => $control, remote => $remote, sql => $sql);

# --- Names and encodings -------------------------------------------------------------------------------

# list_all(MODEL, SCHEMA): what the listings say of it: [schema…], [table…], [column…].
sub list_all
{
	my ($model, $schema) = @_;
	my ($m,     $s)      = (sql_literal($model) . '::text', sql_literal($schema));
	return (
		[ $sql->column("SELECT schema_name FROM dqds_list_schemas($m)") ],
		[ $sql->column("SELECT table_name FROM dqds_list_tables($m, $s)") ],
		[ $sql->column("SELECT column_name FROM dqds_list_columns($m, $s)") ]);
}

# The same over REST, for a registered connection: [schema…], [table…]; undef where an answer is not whole.
sub list_over_rest
{
	my ($name, $schema) = @_;
	my $path = '/api/datasource/connections/' . encode_segment($name) . '/schemas';
	my ($schemas, $tables) = map { http($bridge, GET => $_) } $path, "$path/" . encode_segment($schema) . '/tables';
	return map { my ($answer, $key) = @$_; answer_fault($answer, 200) ? undef : [ map { my $n = $_->{$key}; utf8::encode($n); $n } @{ $answer->{json} } ] }
	  [ $schemas, 'schemaName' ], [ $tables, 'tableName' ];
}

sub ident { return '"' . ($_[0] =~ s/"/""/gr) . '"'; }

my %odd = (
	'name-quotes'        => [ "it's", 'say "hi"', "'; DROP TABLE x; --" ],
	'name-newline'       => [ "two\nlines", "tab\tand\rreturn" ],
	'name-emoji'         => ["\xf0\x9f\x90\x98 elephant"],
	'name-right-to-left' => [ "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xe2\x80\xaeoverridden" ],
	'name-63-bytes'      => [ 'x' x 63, "\xe2\x82\xac" x 21 ],
	others               => [ 'back\\slash', 'per%cent_', '${name}', '{"json": 1}', ' blank ', "e\xcc\x81", "\xc3\xa9", '../etc', 'a/b' ]);
my @odd = map { @$_ } values %odd;
$remote->safe_psql('postgres', 'CREATE DATABASE names');
{
	my $there = DqdsTest::Sql->connect($remote, database => 'names');
	foreach my $name (@odd)
	{
		my $id = ident($name);
		$there->must("CREATE SCHEMA $id; GRANT USAGE ON SCHEMA $id TO reader; CREATE TABLE $id.$id ($id integer);"
			  . "GRANT SELECT ON $id.$id TO reader; COMMENT ON TABLE $id.$id IS "
			  . sql_literal($name));
	}
	$there->close;
}
create_connection($control, 'odd names', connection_model($remote, database => 'names'));

# These names come through as they are, in every listing.
sub come_through
{
	foreach my $name (@_)
	{
		my $s        = sql_literal($name);
		my $shown    = $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr;
		my ($table)  = $sql->rows("SELECT * FROM dqds_list_tables('odd names', $s, $s)");
		my ($column) = $sql->rows("SELECT * FROM dqds_list_columns('odd names', $s, ARRAY[$s])");
		is_deeply(
			[ @{ $table // {} }{qw(schema_name table_name comment)} ],
			[ ($name) x 3 ],
			"odd name: a table called $shown");
		is_deeply(
			[ @{ $column // {} }{qw(schema_name table_name column_name)} ],
			[ ($name) x 3 ],
			"odd name: a column called $shown");
		my ($schemas, $tables) = list_over_rest('odd names', $name);
		is_deeply([ [ grep { $_ eq $name } @{ $schemas // [] } ], $tables ], [ [$name], [$name] ], "odd name: over REST, $shown");
	}
	return;
}

is_deeply([ $sql->column(q(SELECT schema_name FROM dqds_list_schemas('odd names'))) ], [ sort @odd, 'public' ], 'odd names: schemas, by code point');
hostile('name-quotes',        sub { come_through(@{ $odd{'name-quotes'} }) });
hostile('name-newline',       sub { come_through(@{ $odd{'name-newline'} }) });
hostile('name-emoji',         sub { come_through(@{ $odd{'name-emoji'} }) });
hostile('name-right-to-left', sub { come_through(@{ $odd{'name-right-to-left'} }) });
hostile('name-63-bytes',      sub { come_through(@{ $odd{'name-63-bytes'} }) });
come_through(@{ $odd{others} });

# Databases in other encodings. The names are given as bytes of that encoding, and expected as UTF-8, by code point.
my %encoding = (

	# byte order is not code point order in the second and third
	LATIN1 => [ { "\xe9" => "\xc3\xa9", "\xff" => "\xc3\xbf", z => 'z' }, [ 'z', "\xc3\xa9", "\xc3\xbf" ] ],
	EUC_JP => [
		{ "\xa3\xc1" => "\xef\xbc\xa1", "\xa5\xa2" => "\xe3\x82\xa2", "\xb0\xa1" => "\xe4\xba\x9c" },
		[ "\xe3\x82\xa2", "\xe4\xba\x9c", "\xef\xbc\xa1" ] ],
	WIN1251 => [
		{ "\xb8" => "\xd1\x91", "\xe0" => "\xd0\xb0", "\xff" => "\xd1\x8f" }, [ "\xd0\xb0", "\xd1\x8f", "\xd1\x91" ]
	],

	# bytes that are no UTF-8 become U+FFFD; those that are come through
	SQL_ASCII => [
		{ "caf\xe9" => "caf\xef\xbf\xbd", "caf\xc3\xa9" => "caf\xc3\xa9", "\xf0\x9f" => "\xef\xbf\xbd\xef\xbf\xbd" },
		[ "caf\xc3\xa9", "caf\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" ] ]);
sub in_encoding
{
	my ($encoding) = @_;
	my ($names, $expected) = @{ $encoding{$encoding} };
	my $database = lc $encoding;
	$remote->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' TEMPLATE template0");
	my $there = DqdsTest::Sql->connect($remote, database => $database);
	foreach my $name (keys %$names)
	{
		my $id = ident($name);
		$there->must(
			"CREATE SCHEMA $id; GRANT USAGE ON SCHEMA $id TO reader; CREATE TABLE public.$id (a integer, $id text);"
			  . "GRANT SELECT ON public.$id TO reader; COMMENT ON TABLE public.$id IS '$name'");
	}
	my $model = connection_model($remote, database => $database);
	my ($schemas, $tables, $columns) = list_all($model, 'public');
	is_deeply([ grep { $_ ne 'public' } @$schemas ], $expected, "$encoding: schemas by code point");
	is_deeply($tables,                               $expected, "$encoding: tables by code point");
	is_deeply([ grep { $_ ne 'a' } @$columns ],      $expected, "$encoding: columns");
	my $m = sql_literal($model) . '::text';
	is_deeply([ $sql->column("SELECT comment FROM dqds_list_tables($m, 'public')") ],
		$expected, "$encoding: comments");

	# A name from one listing can be used in the next; one that this encoding cannot represent is not found.
	my ($one) = grep { !/\xef\xbf\xbd/ } @$expected;
	is_deeply([ $sql->column("SELECT table_name FROM dqds_list_tables($m, 'public', '$one')") ],
		[$one], "$encoding: a substring");
	is_deeply([ $sql->column("SELECT DISTINCT table_name FROM dqds_list_columns($m, 'public', ARRAY['$one'])") ],
		[$one], "$encoding: a table's columns");
	my $elephant = "\xf0\x9f\x90\x98";
	foreach my $query (
		"dqds_list_tables($m, '$elephant')",
		"dqds_list_tables($m, 'public', '$elephant')",
		"dqds_list_columns($m, '$elephant')",
		"dqds_list_columns($m, 'public', ARRAY['$elephant'])")
	{
		my $answer = $sql->query("SELECT * FROM $query");
		is_deeply(
			[ $answer->{error}{message}, $answer->{rows} ],
			[ undef,                     [] ],
			"$encoding: no rows for a name that cannot be written there: "
			  . ($query =~ /(dqds_list_\w+)/)[0]
			  . ($query =~ /public/ ? ', table' : ', schema'));
	}
	is_deeply(
		[   eval {
				$sql->column(
					"SELECT DISTINCT table_name FROM dqds_list_columns($m, 'public', ARRAY['$elephant', '$one'])");
			} ],
		[$one],
		"$encoding: it does not hide the others");
	create_connection($control, $database, $model);
	my ($rest_schemas, $rest_tables) = list_over_rest($database, 'public');
	is_deeply([ grep { $_ ne 'public' } @{ $rest_schemas // [] } ], $expected, "$encoding: over REST, schemas");
	is_deeply($rest_tables,                                         $expected, "$encoding: over REST, tables");

	# Characters that only the remote server's encoding has do not hide anything else.
	if ($encoding eq 'EUC_JP')
	{
		$there->must("CREATE SCHEMA other; CREATE TABLE other.one (id integer); COMMENT ON TABLE other.one IS '\xa9\xa1'; CREATE TABLE other.two (id integer);"
			  . "GRANT USAGE ON SCHEMA other TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA other TO reader");
		foreach my $case ([ "'other'", 2 ], [ "'other', 'o'", 2 ], [ "'other', 'o', 1", 1 ])
		{
			my ($arguments, $count) = @$case;
			is_deeply([ map { "$_->{table_name} " . ($_->{comment} // '-') } $sql->rows("SELECT * FROM dqds_list_tables($m, $arguments)") ],
				[ ("one \xef\xbf\xbd", 'two -')[ 0 .. $count - 1 ] ], "$encoding: a comment that cannot be converted: $arguments");
		}
		is_deeply([ $sql->column("SELECT column_name FROM dqds_list_columns($m, 'other')") ], [ 'id', 'id' ], "$encoding: columns beside it");
	}
	$there->close;
	return;
}

hostile('sql-ascii', sub { in_encoding('SQL_ASCII') });
in_encoding($_) foreach grep { $_ ne 'SQL_ASCII' } sort keys %encoding;

# --- Objects in the remote search_path are ignored ---------------------------------------------

$remote->safe_psql('postgres', 'CREATE DATABASE evil');
my $there = DqdsTest::Sql->connect($remote, database => 'evil');
my $raise = q(LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil was called'; END$$);
$there->must(<<"SQL");
CREATE SCHEMA evil;
CREATE ROLE evil_reader LOGIN PASSWORD '$password';
CREATE TABLE public.good (id integer PRIMARY KEY, price numeric(7,2), tags varchar(9)[]);
COMMENT ON TABLE public.good IS 'all well';
GRANT SELECT ON public.good TO PUBLIC;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SQL
my ($before) = map { [ list_all($_, 'public') ] } connection_model($remote, database => 'evil');

my %function = (
	left                     => 'text, integer',
	has_schema_privilege     => 'oid, text',
	has_table_privilege      => 'oid, text',
	has_any_column_privilege => 'oid, text',
	has_column_privilege     => 'oid, smallint, text',
	pg_has_role              => 'oid, text',
	strpos                   => 'text, text',
	format_type              => 'oid, integer',
	quote_ident              => 'text',
	concat                   => 'text, text',
	current_setting          => 'text',
	convert_to               => 'text, text',
	pg_backend_pid           => '');
my $model = connection_model($remote, database => 'evil', user => 'evil_reader');
create_connection($control, 'evil', $model);
$there->must('ALTER ROLE evil_reader SET search_path = evil, public, pg_catalog');

# With these objects in the search_path, everything is as before.
sub is_as_before
{
	my ($traps) = @_;
	$sql->must('SELECT dqds_close_idle()');
	works($sql, "$traps in the search_path", $model);
	my $m = sql_literal($model) . '::text';
	foreach my $round (1 .. 3)    # unnamed, probed, prepared
	{
		my ($schemas, $tables, $columns) = eval { list_all($model, 'public') };
		is_deeply(
			[ [ grep { $_ ne 'evil' } @{ $schemas // [] } ], $tables, $columns ],
			[ [ grep { $_ ne 'evil' } @{ $before->[0] } ],   @$before[ 1, 2 ] ],
			"$traps in the search_path: the same listings, round $round") or diag($@);
		my $answer = $sql->query("SELECT * FROM dqds_list_schemas($m, true)");
		is($answer->{error}{message}, undef, "$traps in the search_path: system schemas, round $round");
		$answer = $sql->query("SELECT * FROM dqds_list_tables($m, 'pg_catalog', 'pg_cl', 5)");
		is($answer->{rows}[0]{table_name},
			'pg_class', "$traps in the search_path: a filter and a limit, round $round")
		  or diag(explain($answer->{error}));
	}
	my @columns = $sql->rows(
		"SELECT column_name, column_type, length, precision, scale, nullable, primary_key FROM dqds_list_columns($m, 'public')"
	);
	is_deeply(
		[   map {
				join ',',
				  map { $_ // '' }
				  @$_{qw(column_name column_type length precision scale nullable primary_key)}
			} @columns ],
		[ 'id,integer,,,,f,t', 'price,numeric,,7,2,t,f', 'tags,character varying[],9,,,t,f' ],
		"$traps in the search_path: types");
	my ($schemas, $tables) = list_over_rest('evil', 'public');
	is_deeply(
		[ [ grep { $_ ne 'evil' } @{ $schemas // [] } ], $tables ],
		[ [ grep { $_ ne 'evil' } @{ $before->[0] } ], $before->[1] ],
		"$traps in the search_path: the same over REST");
	return;
}

hostile('path-functions', sub {
	$there->must("CREATE FUNCTION evil.$_($function{$_}) RETURNS boolean $raise") foreach sort keys %function;
	$there->must("CREATE DOMAIN evil.$_ AS integer CHECK (false)")
	  foreach qw(text name oid int4 int8 bool regclass float4);
	$there->must("CREATE TABLE evil.$_ (evil integer)")
	  foreach qw(pg_class pg_namespace pg_attribute pg_type pg_depend pg_description pg_index);
	$there->must('CREATE COLLATION evil."C" FROM "POSIX"');
	is_as_before('functions');
});
hostile('path-operators', sub {
	my $n     = 0;
	my @types = ('name', 'text', 'oid', '"char"', 'integer', 'smallint', 'bigint', 'real', 'boolean');

	foreach my $left (@types)
	{
		foreach my $right (@types)
		{
			$n++;
			$there->must("CREATE FUNCTION evil.f$n($left, $right) RETURNS boolean $raise");
			$there->must("CREATE OPERATOR evil.$_ (LEFTARG = $left, RIGHTARG = $right, PROCEDURE = evil.f$n)")
			  foreach split ' ', '= <> < > <= >= & - >> #';
		}
	}
	is_as_before('operators');
});
$there->close;

hostile_end();
done_testing();
