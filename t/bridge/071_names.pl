# A name is never a model: no connection can be given a name that looks like one. If the registry has such a name from an
# earlier version, this text is an error wherever a connection is expected, so that a query of an admin over the names of all
# connections does not use a name that another role chose as a model. Names also have a limit, so that the list of connections
# can always be read.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $value = 'pr0d-secret-of-the-server';
my $control;
{
	local $ENV{DQDS_SECRET_PROD} = $value;
	$control = control_server('control');
}
my %sql = (super => DqdsTest::Sql->connect($control));
foreach my $role (qw(eve op))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'eve' ? 'editor' : 'operator');
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
}
my $bridge = start_bridge($control, level => 'admin');

my $kept  = PostgreSQL::Test::Utils::tempdir('names') . '/received';
my $thief = start_fake_server(sub {
	my ($client) = @_;
	my $packet = pg_read_startup($client);
	open my $file, '>>', $kept or die $!;
	syswrite $file, $packet;
	close $file;
	send_bytes($client, pg_error('28P01', 'no'));
});

sub call_as { my ($role, $function, @arguments) = @_; return $sql{$role}->query("SELECT $function(" . join(', ', map { sql_literal($_) } @arguments) . ')'); }
my $harmless = to_json({ provider_type => 'postgresql', postgresql => { host => '127.0.0.1', port => '1', user => 'u' } });

# --- Names that look like models -----------------------------------------------------------------------------------

my $trap = connection_model(undef, host => '127.0.0.1', port => '' . $thief->port, user => '${DQDS_SECRET_PROD}', password => 'x', database => 'd', sslmode => 'disable');
my @names = ($trap, " \t\n$trap", "\x0b\x0c\r$trap", '{', '{}', '{"a"', ' { not JSON');
foreach my $name (@names)
{
	my $what = substr $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr, 0, 12;
	is((call_as('eve', 'dqds_create_connection', $name, $harmless)->{error} // {})->{sqlstate}, 'QD020', "<$what…> cannot be registered");
	my $answer = http($bridge, POST => '/api/connections/' . encode_segment($name) . '/basic', {}, $harmless);
	is($answer->{json}{errorCode}, 'invalid_connection', 'nor over REST');
	$control->safe_psql('postgres', 'DELETE FROM dqds_connection');
	call_as('eve', 'dqds_create_connection', 'plain', $harmless);
	is((call_as('eve', 'dqds_rename_connection', 'plain', $name)->{error} // {})->{sqlstate}, 'QD020', 'no connection can be renamed to it');
	my $named = to_json({ provider_type => 'postgresql', connection_name => $name, postgresql => { host => 'db.example', user => 'u' } });
	is($sql{op}->query('SELECT * FROM dqds_test_connection(' . sql_literal($named) . '::text)')->{rows}[0]{error_code}, 'invalid_connection', 'a model of this name fails');
	$control->safe_psql('postgres', 'DELETE FROM dqds_connection');
}
foreach my $name ('a{}', '[]', '"{}"', '-{', '({', "\xc2\xa0{}")
{
	is(call_as('eve', 'dqds_create_connection', $name, $harmless)->{error}, undef, "<$name> is a name");
	is($sql{super}->query('SELECT * FROM dqds_list_schemas(' . sql_literal($name) . ')')->{error}{sqlstate}, 'QD002', 'and is taken for one');
	is(call_as('eve', 'dqds_drop_connection', $name)->{error}, undef, 'and dropped by it');
}

# --- One that is there already ------------------------------------------------------------------------------------------

foreach my $name ($trap, " \n$trap")
{
	my $literal = sql_literal($name);
	call_as('eve', 'dqds_create_connection', 'old', $harmless);
	$control->safe_psql('postgres', "UPDATE dqds_connection SET name = $literal");
	foreach my $query ('SELECT t.* FROM dqds_connections c, LATERAL dqds_test_connection(c.connection_name) t', 'SELECT t.* FROM dqds_connections c, LATERAL dqds_test_connection(c.connection_name, false) t')
	{
		my $row = $sql{super}->query($query)->{rows}[0];
		is("$row->{error_code}: $row->{error_message}", 'invalid_connection: the connection model is also the name of a connection', 'a superuser tests every connection by its name');
	}
	is(($sql{super}->rows("SELECT d.* FROM dqds_connections c, LATERAL dqds_diagnose_connection(c.connection_name) d"))[0]{status}, 'failed', 'and diagnoses it');
	foreach my $call ('dqds_list_schemas(c.connection_name)', q(dqds_list_tables(c.connection_name, 's')), q(dqds_list_columns(c.connection_name, 's')),
		q(dqds_import_tables(c.connection_name, 's')), q(dqds_unimport_tables(c.connection_name, 's')))
	{
		is($sql{super}->query("SELECT x.* FROM dqds_connections c, LATERAL $call x")->{error}{sqlstate}, 'QD020', 'and calls ' . substr $call, 0, index($call, '('));
	}
	is($sql{op}->query("SELECT * FROM dqds_list_schemas($literal)")->{error}{sqlstate}, 'QD020', 'the same for others');
	ok(!-e $kept, 'nothing is connected to');
	is($sql{super}->query('SELECT * FROM dqds_test_connections()')->{rows}[0]{error_code}, 'connection_refused', 'all at once, it is a connection');
	is(http($bridge, GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas')->{json}{errorCode}, 'connection_refused', 'so it is over REST');
	is(call_as('eve', 'dqds_rename_connection', $name, 'new')->{error}, undef, 'it can be given another name');
	is($sql{super}->query("SELECT * FROM dqds_test_connection($literal, false)")->{rows}[0]{error_code}, 'authentication_failed', 'then the text is a model again');
	like(-e $kept ? slurp_file($kept) : '', qr/\Q$value\E/, 'with which the thief would have got the secret');
	unlink $kept;
	is(call_as('eve', 'dqds_drop_connection', 'new')->{error}, undef, 'dropped');
}

# --- Long names -----------------------------------------------------------------------------------------------------------

my $limit = 1024 * 1024;
is((call_as('eve', 'dqds_create_connection', 'n' x ($limit + 1), $harmless)->{error} // {})->{sqlstate}, 'QD020', 'a name of more than 1 MB cannot be registered');
is((call_as('eve', 'dqds_create_connection', "\xc3\xa4" x ($limit / 2) . 'x', $harmless)->{error} // {})->{sqlstate}, 'QD020', 'bytes count, not characters');
$sql{super}->query('DELETE FROM dqds_connection');
is((($sql{eve}->query("SELECT dqds_create_connection(repeat('n', 40 * $limit), '$harmless')"))->{error} // {})->{sqlstate}, 'QD020', 'nor one of 40 MB');
is(call_as('eve', 'dqds_create_connection', 'short', $harmless)->{error}, undef, 'a short one can');
is(($sql{eve}->query("SELECT dqds_rename_connection('short', repeat('n', 40 * $limit))")->{error} // {})->{sqlstate}, 'QD020', 'and not be renamed to one of 40 MB');
is(call_as('eve', 'dqds_create_connection', "\xc3\xa4" x ($limit / 2), $harmless)->{error}, undef, 'one of 1 MB can be registered');
$sql{super}->must(q(SELECT count(model::text) FROM dqds_connections));
# PostgreSQL reads it: JSON::PP of Debian 13 would take a quarter of an hour.
my $list = split_answer(raw_request($bridge, "GET /api/connections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 60), 'GET');
is("$list->{status} " . ($sql{super}->value('SELECT json_array_length(' . sql_literal($list->{body}) . '::json)') // ''), '200 2', 'and the list of connections can be read');

$bridge->stop;
done_testing();
