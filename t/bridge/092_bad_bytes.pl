# One byte that cannot be converted makes no listing fail. Databases of several encodings have names and comments with bytes
# that PostgreSQL stores there and cannot convert: names of schemas, tables and columns, comments of tables and columns. Every
# listing, by SQL and over REST, and every import shows all of them, with U+FFFD in place of these bytes, sorted by code point
# and filtered literally; the result is what a superuser of the remote server sees in pg_class.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control);

my $bad = "\xef\xbf\xbd";    # the replacement for a character that cannot be converted

# For each encoding: a character that cannot be converted, as bytes there; one that can, and what it is in UTF-8.
my %encoding = (
	WIN1252       => [ "\x8d",             "\xe9",             "\xc3\xa9" ],
	WIN1251       => [ "\x98",             "\xe6",             "\xd0\xb6" ],
	EUC_JP        => [ "\xa9\xa1",         "\xa5\xa2",         "\xe3\x82\xa2" ],
	EUC_TW        => [ "\x8e\xa7\xa1\xa1", "\xc4\xa1",         "\xe4\xb8\x80" ],
	ISO_8859_8    => [ "\xa1",             "\xe0",             "\xd7\x90" ],
	MULE_INTERNAL => [ "\x81\xe9",         "\x81\xe8",         $bad ],
	SQL_ASCII     => [ "\xe9",             "\xc3\xa9",         "\xc3\xa9" ]);

# In what is written below, <b> and <g> are these two characters.
sub bytes_there { my ($encoding, $text) = @_; my ($b, $g) = @{ $encoding{$encoding} }; return $text =~ s/<([bg])>/$1 eq 'b' ? $b : $g/egr; }
sub shown       { my ($encoding, $text) = @_; my $g = $encoding{$encoding}[2]; return $text =~ s/<([bg])>/$1 eq 'b' ? $bad : $g/egr; }

my %comment_of = ('a' => 'plain', 'x<b>y' => 'x<b>', 'xz' => 'caf<b>', '<g>' => '<g>, <b> and <g>', '<b><b>' => undef, 'with <g>' => '<g>', 'z%_\\' => undef);
my @columns_of = ('id', 'c<b>', '<g>');
my @schemas    = ('shop', 's<b>s', '<g>');

sub fill_database
{
	my ($encoding) = @_;
	my $database = lc $encoding;
	$remote->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	my $there = DqdsTest::Sql->connect($remote, database => $database);
	my $write = sub { $there->must(bytes_there($encoding, $_[0])) };
	foreach my $schema (@schemas)
	{
		$write->(qq(CREATE SCHEMA "$schema"; GRANT USAGE ON SCHEMA "$schema" TO reader));
		foreach my $table (sort keys %comment_of)
		{
			$write->(qq(CREATE TABLE "$schema"."$table" ("$columns_of[0]" integer PRIMARY KEY, "$columns_of[1]" numeric(7,2), "$columns_of[2]" text)));
			$write->(qq(GRANT SELECT ON "$schema"."$table" TO reader));
			$write->(qq(COMMENT ON TABLE "$schema"."$table" IS '$comment_of{$table}')) if defined $comment_of{$table};
			$write->(qq(COMMENT ON COLUMN "$schema"."$table"."<g>" IS '<b><g> of $table'));
		}
	}
	return $there;
}

# lines(QUERY, COLUMN…): the rows of a query, or its error.
sub lines
{
	my ($query, @columns) = @_;
	my $answer = $sql->query($query);
	return [ "$answer->{error}{sqlstate} $answer->{error}{message}" ] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @columns } @{ $answer->{rows} } ];
}

# members(ANSWER, KEY…): the same for an answer of the bridge.
sub members
{
	my ($answer, @keys) = @_;
	my $fault = answer_fault($answer, 200);
	return [$fault] if defined $fault;
	return [ map { my $element = $_; join '|', map { my $value = $element->{$_} // '-'; utf8::encode($value); $value } @keys } @{ $answer->{json} } ];
}

sub logins { my ($since) = @_; my @lines = slurp_file($remote->logfile, $since) =~ /connection authorized: user=reader/g; return scalar @lines; }

foreach my $encoding (sort keys %encoding)
{
	my $database = lc $encoding;
	my $there    = fill_database($encoding);
	my $name     = "in $encoding";
	create_connection($control, $name, connection_model($remote, database => $database));
	grant_role($control, 'dqds_anonymous', connections => [$name]);
	my $shown     = sub { shown($encoding, $_[0]) };
	my @tables    = sort map { $shown->($_) } keys %comment_of;
	my %comment   = map { $shown->($_) => defined $comment_of{$_} ? $shown->($comment_of{$_}) : '-' } keys %comment_of;
	my @described = map { "$_|table|$comment{$_}" } @tables;

	# --- SQL ---

	works($sql, "$encoding: a test", connection_model($remote, database => $database));
	is_deeply(lines("SELECT * FROM dqds_diagnose_connection('$name') WHERE status NOT IN ('ok', 'warning')", 'step', 'message'), [], "$encoding: a diagnosis");
	my $log = -s $remote->logfile;
	is_deeply([ grep { $_ ne 'public' } @{ lines("SELECT * FROM dqds_list_schemas('$name')", 'schema_name') } ], [ sort map { $shown->($_) } @schemas ], "$encoding: schemas");
	is_deeply(lines("SELECT * FROM dqds_list_tables('$name', 'shop')", qw(table_name table_kind comment)), \@described, "$encoding: tables with their comments, round $_") foreach 1 .. 4;
	is_deeply(lines("SELECT * FROM dqds_list_columns('$name', 'shop')", qw(table_name ordinal_position column_name column_type precision comment)),
		[ map { my $table = $_; map { "$table|$_" } '1|id|integer|-|-', '2|' . $shown->('c<b>') . '|numeric|7|-', '3|' . $shown->('<g>') . '|text|-|' . $shown->('<b><g>') . " of $table" } @tables ],
		"$encoding: columns, round $_") foreach 1 .. 2;
	cmp_ok(logins($log), '<=', 2, "$encoding: to do without conversion costs one more login, once");

	# The same as a superuser of the remote sees, in the encoding of the database.
	is_deeply(\@tables,
		[ sort map { my $n = $_; my ($b, $g) = @{ $encoding{$encoding} }; $n =~ s/\Q$b\E/$bad/g; $n =~ s/\Q$g\E/$encoding{$encoding}[2]/g; $n }
			  $there->column("SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r'") ],
		"$encoding: the tables of pg_class");

	# --- Filters, limits, names ---

	my $g = $shown->('<g>');
	foreach my $contains ('x', 'z%_\\', $bad, $g, "x$bad", 'X', "\xf0\x9f\x90\x98")
	{
		my $literal = sql_literal($contains);
		my $what    = $contains =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr;
		my @found   = grep { index($_, $contains) >= 0 } @tables;
		is_deeply(lines("SELECT * FROM dqds_list_tables('$name', 'shop', $literal)", 'table_name'), \@found, "$encoding: tables with $what");
		is_deeply(lines("SELECT * FROM dqds_list_tables('$name', 'shop', $literal, 1)", 'table_name'), [ @found ? $found[0] : () ], "$encoding: the first with $what");
		is_deeply(members(http($bridge, GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas/shop/tables?tableNameContains=' . encode_segment($contains)), 'tableName'),
			\@found, "$encoding: over REST, tables with $what");
	}
	is_deeply(lines("SELECT * FROM dqds_list_tables('$name', 'shop', NULL, $_)", 'table_name'), [ @tables[ 0 .. $_ - 1 ] ], "$encoding: the first $_") foreach 0, 3;
	foreach my $table (@tables)
	{
		is_deeply(lines("SELECT DISTINCT table_name FROM dqds_list_columns('$name', 'shop', ARRAY[" . sql_literal($table) . ", 'nowhere'])", 'table_name'), [$table],
			"$encoding: the columns of " . ($table =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr));
	}
	is_deeply(lines("SELECT * FROM $_", 'table_name'), [], "$encoding: no rows from $_")
	  foreach "dqds_list_tables('$name', '\xf0\x9f\x90\x98')", "dqds_list_columns('$name', '\xf0\x9f\x90\x98')", "dqds_list_columns('$name', 'shop', ARRAY['\xf0\x9f\x90\x98'])", "dqds_list_tables('$name', 'nowhere')";
	is_deeply(lines("SELECT * FROM dqds_list_tables('$name', '$g')", 'table_name'), \@tables, "$encoding: a schema with a name that is not ASCII") if $g ne $bad;
	is_deeply(lines("SELECT * FROM dqds_list_tables('$name', " . sql_literal($shown->('s<b>s')) . ')', 'table_name'), [], "$encoding: what stands for a bad byte names no schema");

	# --- REST ---

	my $path = '/api/datasource/connections/' . encode_segment($name) . '/schemas';
	is_deeply([ grep { $_ ne 'public' } @{ members(http($bridge, GET => $path), 'schemaName') } ], [ sort map { $shown->($_) } @schemas ], "$encoding: over REST, schemas");
	is_deeply(members(http($bridge, GET => "$path/shop/tables"), 'tableName'), \@tables, "$encoding: over REST, tables");
	is_deeply(members(http($bridge, GET => "$path/shop/tables?details=true"), qw(tableName tableKind comment)), \@described, "$encoding: over REST, details");
	is_deeply(members(http($bridge, GET => "$path/shop/tables?details=true&limit=2"), 'tableName'), [ @tables[ 0, 1 ] ], "$encoding: over REST, a limit");

	# --- Imports ---

	my $import = sub { http($bridge, POST => '/api/jobs/importtables', {}, to_json({ connectionName => $name, schemaName => 'shop', @_ })) };
	my $columns = join ', ', sort 'id integer', $shown->('c<b>') . ' numeric', "$g text";
	my $specs = sub {
		my ($answer) = @_;
		my $fault = answer_fault($answer, 200);
		return [$fault] if defined $fault;
		return [ map { my $of = $_->{columns}; my $line = join ', ', sort map { "$_ $of->{$_}{type_snapshot}{column_type}" } keys %$of; utf8::encode($line); $line }
			  @{ $answer->{json}{result}{source_table_specs} } ];
	};
	is_deeply($specs->($import->(tableNames => ['a'])), [$columns], "$encoding: an import of one good table");
	is_deeply($specs->($import->()), [ map { $columns } @tables ], "$encoding: an import of the schema");
	is_deeply(lines("SELECT * FROM dqds_imported_columns WHERE connection_name = '$name' AND table_name = 'a' ORDER BY ordinal_position", qw(column_name comment)),
		[ 'id|-', $shown->('c<b>') . '|-', "$g|" . $shown->('<b><g>') . ' of a' ], "$encoding: what is imported");
	is_deeply(members(http($bridge, GET => "$path/shop/tables"), qw(tableName alreadyImported)), [ map { "$_|1" } @tables ], "$encoding: and known as such");
	is_deeply(lines("SELECT * FROM dqds_import_tables('$name', 'shop', '$bad')", qw(table_name)), [ grep { /$bad/ } @tables ], "$encoding: an import of those with bad bytes");
	$there->close;
}

# --- An answer that fails in the middle -----------------------------------------------------------------

# Rows that were sent before the bad comment are not shown twice.
{
	my $there = DqdsTest::Sql->connect($remote, database => 'win1252');
	$there->must(q(CREATE SCHEMA wide; GRANT USAGE ON SCHEMA wide TO reader; ALTER DEFAULT PRIVILEGES IN SCHEMA wide GRANT SELECT ON TABLES TO reader;
		DO $$ BEGIN FOR i IN 1001 .. 3000 LOOP EXECUTE format('CREATE TABLE wide.t%s (i integer)', i); END LOOP; END $$));
	$there->must("COMMENT ON TABLE wide.t2999 IS 'caf\x8d'; COMMENT ON COLUMN wide.t2999.i IS 'caf\x8d'");
	my @all = map { "t$_" } 1001 .. 3000;
	foreach my $case (
		[ 'tables',  q(SELECT table_name FROM dqds_list_tables('in WIN1252', 'wide')) ],
		[ 'columns', q(SELECT table_name FROM dqds_list_columns('in WIN1252', 'wide')) ],
		[ 'as JSON', q(SELECT t->>'tableName' AS table_name FROM json_array_elements((SELECT string_agg(piece, '')::json FROM dqds_list_tables_json('in WIN1252', 'wide', NULL, NULL, true) AS piece)) AS t) ],
		[ 'an import', q(SELECT table_name FROM dqds_import_tables('in WIN1252', 'wide')) ])
	{
		my ($what, $query) = @$case;
		$sql->must('SELECT dqds_close_idle()');
		is_deeply(lines($query, 'table_name'), \@all, "an answer that fails in the middle: $what");
	}
	$sql->must(q(SELECT dqds_close_idle(); SET dqds.max_answer_size = '1MB'));
	my $answer = $sql->query(q(SELECT * FROM dqds_list_columns('in WIN1252', 'wide')));
	is($answer->{error}, undef, 'each attempt has dqds.max_answer_size to itself');
	$sql->must('RESET dqds.max_answer_size');
	$there->close;
}

# --- Sessions ----------------------------------------------------------------------------------------------

# Without a cache each call logs in twice. A session that was kept and has ended is replaced. One that converts is not kept
# beside one that does not.
{
	my @tables = sort map { shown('WIN1252', $_) } keys %comment_of;
	my $list   = sub { lines(q(SELECT * FROM dqds_list_tables('in WIN1252', 'shop')), 'table_name') };
	my $there  = DqdsTest::Sql->connect($remote);
	$sql->must('SELECT dqds_close_idle(); SET dqds.max_cached_sessions = 0');
	is_deeply($list->(), \@tables, "without a cache, round $_") foreach 1, 2;
	$sql->must('RESET dqds.max_cached_sessions');
	is_deeply($list->(), \@tables, 'with one again');
	is($sql->value('SELECT dqds_close_idle()'), 1, 'one session was kept');
	is_deeply($list->(), \@tables, 'once more');
	my $sessions = q(FROM pg_stat_activity WHERE datname = 'win1252' AND usename = 'reader' AND application_name = 'dqds');
	$there->must("SELECT pg_terminate_backend(pid) $sessions");
	ok(poll_until(sub { $there->value("SELECT count(*) $sessions") == 0 }), 'no session is left at the remote');
	is_deeply($list->(), \@tables, 'a kept session that has ended is replaced');
	$there->close;
}

# --- Behind PgBouncer -----------------------------------------------------------------------------------

# One server session serves all: clients that convert and clients that do not get it in turn.
{
	my $pooler = start_pgbouncer($remote, 'transaction', 'default_pool_size = 1');
	foreach my $encoding ('WIN1252', 'EUC_JP', 'SQL_ASCII', 'MULE_INTERNAL')
	{
		my $model = connection_model($remote, port => '' . $pooler->port, database => lc $encoding);
		my $m     = sql_literal($model) . '::text';
		my $other = DqdsTest::Sql->connect($control);
		my @tables = sort map { shown($encoding, $_) } keys %comment_of;
		foreach my $round (1 .. 3)
		{
			is_deeply(lines("SELECT * FROM dqds_list_tables($m, 'shop')", 'table_name'), \@tables, "PgBouncer, $encoding: round $round");
			is($other->value("SELECT connection_test_result FROM dqds_test_connection($m)"), 'SUCCESS', "PgBouncer, $encoding: another session converts, round $round");
		}
		$other->close;
	}
}

# --- A control database in another encoding ----------------------------------------------------------------

foreach my $case ([ LATIN1 => "caf\xe9 ? ?" ], [ LATIN2 => "caf\xe9 ? ?" ], [ SQL_ASCII => "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98" ])
{
	my ($encoding, $expected) = @$case;
	my $database = 'control_' . lc $encoding;
	$control->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$control->safe_psql($database, 'CREATE EXTENSION dqds');
	$remote->safe_psql('postgres', "CREATE SCHEMA IF NOT EXISTS mixed; GRANT USAGE ON SCHEMA mixed TO reader; CREATE TABLE IF NOT EXISTS mixed.\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98\" (id integer);"
		  . 'CREATE TABLE IF NOT EXISTS mixed."what? else" (id integer); GRANT SELECT ON ALL TABLES IN SCHEMA mixed TO reader; CREATE SCHEMA IF NOT EXISTS "is it?"; GRANT USAGE ON SCHEMA "is it?" TO reader;'
		  . 'CREATE TABLE IF NOT EXISTS "is it?".yes (id integer); GRANT SELECT ON "is it?".yes TO reader');
	my $here  = DqdsTest::Sql->connect($control, database => $database);
	my $m     = sql_literal(connection_model($remote)) . '::text';
	my $list  = sub { my $answer = $here->query("SELECT * FROM dqds_list_tables($m, $_[0])"); return $answer->{error} ? ["$answer->{error}{sqlstate} $answer->{error}{message}"] : [ map { $_->{table_name} } @{ $answer->{rows} } ] };
	is_deeply($list->(q('mixed')), [ $expected, 'what? else' ], "a control database in $encoding: what it cannot write");
	is_deeply($list->(q('mixed', '? e')), ['what? else'], "a control database in $encoding: a filter with what stands for that");
	is_deeply($list->(q('is it?')), ['yes'], "a control database in $encoding: a schema with it");
	my $w = sql_literal(connection_model($remote, database => 'win1252')) . '::text';
	my $answer = $here->query("SELECT * FROM dqds_list_tables($w, 'shop', 'x')");
	my $mark = $encoding eq 'SQL_ASCII' ? $bad : '?';
	is_deeply([ $answer->{error}, map { $_->{table_name} } @{ $answer->{rows} } ], [ undef, sort "x${mark}y", 'xz' ], "a control database in $encoding: a remote in WIN1252");
	$here->close;
}
{
	# Bytes that are no text in any encoding, as a filter, match nothing.
	my $here = DqdsTest::Sql->connect($control, database => 'control_sql_ascii');
	my $m    = sql_literal(connection_model($remote)) . '::text';
	my $answer = $here->query("SELECT * FROM dqds_list_tables($m, 'mixed', E'\\xff')");
	is_deeply([ $answer->{error}, $answer->{rows} ], [ undef, [] ], 'a filter that is no text');
	$here->close;
}

# --- Hostile servers --------------------------------------------------------------------------------------

sub description { return pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', $_[0]) . join '', map { "c$_\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $_[0]); }

# A row; one of a listing of tables has more values, which are NULL.
sub data_row
{
	my @values = (@_, @_ == 4 ? (undef) x 5 : ());
	return pg_message('D', pack('n', scalar @values) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @values);
}
sub done { return pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'); }

# A server of this encoding that answers the question for tables by SUB->(client_encoding that it was asked for).
my $count_file = PostgreSQL::Test::Utils::tempdir('logins') . '/count';
sub hostile_server
{
	my ($name, $encoding, $answer) = @_;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			my ($wanted) = pg_read_startup($socket) =~ /client_encoding\0([^\0]*)\0/;
			append_to_file($count_file, "$name\n");
			send_bytes($socket, pg_auth(5, 'salt'));
			pg_read_message($socket);
			send_bytes($socket, pg_auth(0) . join('', map { pg_message('S', "$_\0") } "server_version\0" . '15.0', "server_encoding\0$encoding", "client_encoding\0$wanted") . pg_message('K', pack 'NN', 1, 1) . pg_message('Z', 'I'));
			pg_answer($socket, sub { $_[0] =~ /pg_class/ ? $answer->($wanted) : description(1) . data_row('0') . done() }) while 1;
		});
	create_connection($control, $name, connection_model(undef, host => '127.0.0.1', port => '' . $server->port, user => 'u', password => 'secret', sslmode => 'disable'));
	return $server;
}
sub logins_of { my ($name) = @_; return scalar grep { $_ eq $name } split /\n/, slurp_file($count_file); }

{
	my $refusal = pg_error('22P05', "character with byte sequence 0x8d has no equivalent \x8d", 'ERROR') . pg_message('Z', 'I');
	my $always  = hostile_server('always', 'WIN1252', sub { $refusal });
	my $answer  = $sql->query(q(SELECT * FROM dqds_list_tables('always', 's')));
	is($answer->{error}{sqlstate}, 'QD023', 'a server that never converts: an error');
	like($answer->{error}{detail} // '', qr/22P05/, 'with its SQLSTATE');
	like($answer->{error}{hint} // '', qr/encoding/, 'and a hint about encodings');
	is(logins_of('always'), 2, 'after one more login, and no third one');

	my $unknown = hostile_server('unknown', 'KLINGON', sub { $_[0] eq 'SQL_ASCII' ? description(9) . data_row("a\x8d\xe9b", 'table', '1', "\xff" x 1000) . done() : $refusal });
	is_deeply(lines(q(SELECT table_name, table_kind, length(comment) FROM dqds_list_tables('unknown', 's')), qw(table_name table_kind length)), [ "a$bad${bad}b|table|1000" ], 'an encoding that no one knows: ASCII is shown');

	my $broken = hostile_server('broken', 'EUC_TW', sub { $_[0] eq 'SQL_ASCII' ? description(9) . join('', map { data_row($_, 'table', '1', undef) } "a\x8e", "b\x8e\xa1", "c\x8e\xa1\xa1", "d\xa1", "e\x8e\xff\xff\xffz") . done() : $refusal });
	my $cut = lines(q(SELECT table_name FROM dqds_list_tables('broken', 's')), 'table_name');
	is(scalar @$cut, 5, 'characters that are cut off: every row comes') or diag(explain($cut));
	is_deeply([ map { substr $_, 0, 1 } @$cut ], [ 'a' .. 'e' ], 'with what can be read');
	is_deeply([ grep { !/$bad/ } @$cut ], [], 'and a mark in each');

	my $shop_lies = hostile_server('lies', 'WIN1252', sub { $_[0] eq 'SQL_ASCII' ? description(9) . join('', map { data_row("t$_", 'table', '1', "\x8d" x 60_000) } 1 .. 200) . done() : $refusal });
	$sql->must(q(SET dqds.max_answer_size = '2MB'));
	$answer = $sql->query(q(SELECT * FROM dqds_list_tables('lies', 's')));
	is($answer->{error}{sqlstate}, 'QD023', 'what is sorted here counts against dqds.max_answer_size');
	like($answer->{error}{message} // '', qr/is larger than 2 MB/, 'in words');
	$sql->must('RESET dqds.max_answer_size');
}

done_testing();
