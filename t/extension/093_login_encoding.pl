# A server that cannot convert between its encoding and ours refuses the login that requests it. Then it is asked to convert
# nothing, whatever the language of its message; a login that was refused for another reason is not repeated. And the server
# cuts a comment of many megabytes, in every encoding.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);

# --- A database in MULE_INTERNAL ------------------------------------------------------------------------------

$remote->safe_psql('postgres', q(CREATE DATABASE mule ENCODING 'MULE_INTERNAL' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0));
$remote->safe_psql('mule', 'CREATE SCHEMA s; CREATE TABLE s.t (id integer); GRANT USAGE ON SCHEMA s TO reader; GRANT SELECT ON s.t TO reader');
my $mule = connection_model($remote, database => 'mule');
create_connection($control, 'mule', $mule);
works($sql, 'MULE_INTERNAL: a test', $mule);
is_deeply([ map { $_->{connection_test_result} } $sql->rows(q(SELECT * FROM dqds_test_connections(ARRAY['mule', 'mule']))) ], [ 'SUCCESS', 'SUCCESS' ], 'MULE_INTERNAL: two tests at once');
{
	my @steps = $sql->rows(q(SELECT * FROM dqds_diagnose_connection('mule')));
	is(join(' ', map { $_->{step} } grep { $_->{status} !~ /^(ok|warning)$/ } @steps), '', 'MULE_INTERNAL: no step of a diagnosis fails');
	like((map { $_->{message} } grep { $_->{step} eq 'tables' } @steps)[0], qr/^1 tables and views visible, /, 'MULE_INTERNAL: and it counts the tables');
}
is(join(' ', $sql->column(q(SELECT table_name FROM dqds_list_tables('mule', 's')))), 't', "MULE_INTERNAL: tables, round $_") foreach 1 .. 3;
{
	my $row = (outcome($sql, connection_model($remote, database => 'mule', password => 'wrong')));
	is($row->{error_code}, 'authentication_failed', 'MULE_INTERNAL: a wrong password is a wrong password');
	my $refused = outcome($sql, connection_model($remote, database => 'mule', options => '-c default_transaction_isolation=nonsense'));
	is($refused->{connection_test_result}, 'FAILURE', 'MULE_INTERNAL: a mistake in the options is one');
}

# --- Servers that refuse for this reason, and for others ----------------------------------------------------------

my $count_file = PostgreSQL::Test::Utils::tempdir('logins') . '/count';
append_to_file($count_file, '');

# refusing(NAME, ROUTINE, TEXT): a server that refuses every login with 0A000; returns what a test says, and how many logins
# there were.
sub refusing
{
	my ($name, $routine, $text) = @_;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			my ($wanted) = pg_read_startup($socket) =~ /client_encoding\0([^\0]*)\0/;
			append_to_file($count_file, "$name $wanted\n");
			send_bytes($socket, pg_auth(5, 'salt'));
			pg_read_message($socket);
			send_bytes($socket, pg_auth(0) . pg_message('E', "SFATAL\0VFATAL\0C0A000\0M$text\0Fmbutils.c\0L1\0R$routine\0\0"));
		});
	my $row = outcome($sql, connection_model(undef, host => '127.0.0.1', port => '' . $server->port, user => 'u', password => 'secret', sslmode => 'disable'));
	return ($row, join ' ', map { /^\Q$name\E (.*)/ ? $1 : () } split /\n/, slurp_file($count_file));
}

my ($row, $logins) = refusing('other language', 'InitializeClientEncoding', "Umwandlung zwischen UTF8 und KLINGON wird nicht unterst\x{c3}\x{bc}tzt");
is($logins, 'UTF8 SQL_ASCII', 'a refusal in another language: a second login without conversion, and no third');
is($row->{error_code}, 'remote_error', 'which is refused, too');
is($row->{sqlstate}, '0A000', 'with its SQLSTATE');
like($row->{error_message}, qr/Umwandlung zwischen/, 'and its words');
($row, $logins) = refusing('another reason', 'check_transaction_isolation', 'cannot use serializable mode in a hot standby');
is($logins, 'UTF8', 'a refusal with the same SQLSTATE for another reason: no second login');
is($row->{sqlstate}, '0A000', 'and it is told');

# --- Databases whose encoding was changed under what they hold -----------------------------------------------------

# A superuser can do that, and it was done to old databases: then there is text that is not valid even in the encoding of the
# database, also characters that are cut off. What is shown, for each encoding: the second schema; tables; comments.
my $bad = "\xef\xbf\xbd";
my %relabelled = (
	UTF8    => [ "s$bad",        [ "a$bad",        'z',        "$bad$bad" ] ],
	EUC_JP  => [ "s$bad",        [ "a$bad",        'z',        "$bad$bad" ] ],
	EUC_TW  => [ "s$bad",        [ "a$bad",        'z',        "$bad$bad" ] ],
	WIN1252 => [ "s\xc3\xa9",    [ "a\xc3\xa9",    'z',        "\xc3\xa9\xc5\xbd" ] ]);
foreach my $encoding (sort keys %relabelled)
{
	my ($schema, $tables) = @{ $relabelled{$encoding} };
	my $database = 'relabelled_' . lc $encoding;
	$remote->safe_psql('postgres', "CREATE DATABASE $database ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	my $there = DqdsTest::Sql->connect($remote, database => $database);
	$there->must(qq(CREATE SCHEMA s; CREATE SCHEMA "s\xe9"; CREATE TABLE s."a\xe9" (id integer, "c\x8e" text); CREATE TABLE s."\xe9\x8e" (id integer); COMMENT ON TABLE s."a\xe9" IS 'caf\xe9';)
		. qq(CREATE TABLE s.z (id integer); COMMENT ON COLUMN s.z.id IS '\x8e'; GRANT USAGE ON SCHEMA s, "s\xe9" TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA s TO reader));
	$there->close;
	$remote->safe_psql('postgres', "UPDATE pg_database SET encoding = pg_char_to_encoding('$encoding') WHERE datname = '$database'");
	create_connection($control, $database, connection_model($remote, database => $database));
	my $list = sub {
		my ($column, $query) = @_;
		my $answer = $sql->query("SELECT * FROM $query");
		return $answer->{error} ? ["$answer->{error}{sqlstate} $answer->{error}{message}"] : [ map { $_->{$column} } @{ $answer->{rows} } ];
	};
	is_deeply($list->('schema_name', "dqds_list_schemas('$database')"), [ 'public', 's', $schema ], "said to be $encoding: schemas");
	is_deeply($list->('table_name', "dqds_list_tables('$database', 's')"), $tables, "said to be $encoding: tables");
	is_deeply($list->('comment', "dqds_list_tables('$database', 's')"), [ $encoding eq 'WIN1252' ? "caf\xc3\xa9" : "caf$bad", undef, undef ], "said to be $encoding: comments");
	is_deeply($list->('table_name', "dqds_list_columns('$database', 's')"), [ (map { $_, $_ } $tables->[0]), @$tables[ 1, 2 ] ], "said to be $encoding: columns");
	is_deeply($list->('table_name', "dqds_list_columns('$database', 's', ARRAY['z'])"), ['z'], "said to be $encoding: columns of one table");
	is_deeply($list->('table_name', "dqds_list_tables('$database', 's', 'z')"), ['z'], "said to be $encoding: tables with a filter");
	is_deeply($list->('table_name', "dqds_import_tables('$database', 's')"), $tables, "said to be $encoding: an import");
	is_deeply([ map { "$_->{step} $_->{message}" } grep { $_->{status} !~ /^(ok|warning)$/ } $sql->rows("SELECT * FROM dqds_diagnose_connection('$database')") ],
		[], "said to be $encoding: a diagnosis");
}

# --- Huge comments ------------------------------------------------------------------------------------------------

foreach my $case ([ UTF8 => "\xe2\x82\xac" ], [ WIN1252 => "\x80" ], [ EUC_JP => "\xa5\xa2" ])
{
	my ($encoding, $character) = @$case;
	my $database = 'huge_' . lc $encoding;
	$remote->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	my $there = DqdsTest::Sql->connect($remote, database => $database);
	$there->must('CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO reader; CREATE TABLE s.a (i integer); CREATE TABLE s.b (i integer); CREATE TABLE s.c (i integer); GRANT SELECT ON ALL TABLES IN SCHEMA s TO reader');
	foreach my $object ('TABLE s.a', 'COLUMN s.a.i') { $there->must("DO \$\$BEGIN EXECUTE format('COMMENT ON $object IS %L', repeat('c', 22 * 1024 * 1024)); END\$\$"); }
	foreach my $object ('TABLE s.b', 'COLUMN s.b.i') { $there->must("DO \$\$BEGIN EXECUTE format('COMMENT ON $object IS %L', repeat('$character', 22 * 1024 * 1024)); END\$\$"); }
	$there->close;
	create_connection($control, $database, connection_model($remote, database => $database));
	my $length = q(coalesce(length(comment)::text, 'none') || ' ' || coalesce(right(comment, 1), ''));
	is_deeply([ $sql->column("SELECT $length FROM dqds_list_tables('$database', 's')") ], [ "65537 \xe2\x80\xa6", '16387 .', 'none ' ], "$encoding: comments of 22 MB and more on tables");
	is_deeply([ $sql->column("SELECT $length FROM dqds_list_columns('$database', 's')") ], [ "65537 \xe2\x80\xa6", '16387 .', 'none ' ], "$encoding: on columns");
	is_deeply([ $sql->column("SELECT table_name FROM dqds_import_tables('$database', 's')") ], [ 'a', 'b', 'c' ], "$encoding: an import");
}

done_testing();
