# Messages for which libpq leaks memory (ParameterDescription) cost a session of the control database little each time, in a
# login and in an answer, and a limited amount over its whole life; other servers are served meanwhile.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir     = PostgreSQL::Test::Utils::tempdir('lost');
my $remote  = remote_server('remote');
my $control = control_server('control');
my $good    = connection_model($remote);
new_certificate($dir, 'address', names => 'IP:127.0.0.2');

my $flood = pg_message('t', pack 'n', 0) x 34_000;    # 238 kB
my $end   = pg_message('S', "server_version\x0015.0\0") . pg_message('K', pack 'NN', 1, 1) . pg_message('Z', 'I');

# A server at another address than the good one's.
sub hostile_server
{
	my ($talk, $tls) = @_;
	return start_fake_server(
		sub {
			my ($client) = @_;
			my $socket = $tls ? answer_tls($client, $dir, 'address') : $client;
			close $client if $tls;
			$talk->($socket);
			# If the client accepts it, it continues with a query, which ends the connection.
			pg_read_message($socket);
		},
		'127.0.0.2');
}

sub model_of
{
	my ($server, $tls) = @_;
	return connection_model(undef, host => '127.0.0.2', port => '' . $server->port, user => 'u', password => 'secret', sslmode => $tls ? 'require' : 'disable');
}

sub anonymous_kb { my ($pid) = @_; return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : die 'no RssAnon'; }

# The result of CALL on the model.
sub code_of
{
	my ($session, $call, $model) = @_;
	my $answer = $session->query("SELECT * FROM $call(" . sql_literal($model) . '::text)');
	my $row    = $answer->{rows}[0] // {};
	return $row->{error_code} // $row->{connection_test_result} // ($answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : 'rows');
}

my $log_in_with = sub {
	my (@parts) = @_;
	return sub {
		my ($client) = @_;
		pg_read_startup($client);
		send_bytes($client, pg_auth(5, 'salt'));
		pg_read_message($client);
		send_bytes($client, $_) foreach @parts;
	};
};

# --- Each time ------------------------------------------------------------------------------------------------------

foreach my $row (
	[ 'behind AuthenticationOk', 0, pg_auth(0) . $flood, $end ], [ 'behind ParameterStatus', 0, pg_auth(0) . pg_message('S', "a\0b\0") . $flood, $end ],
	[ 'after AuthenticationOk', 0, pg_auth(0), $flood, $end ], [ 'behind AuthenticationOk, over TLS', 1, pg_auth(0) . $flood, $end ], [ 'after AuthenticationOk, over TLS', 1, pg_auth(0), $flood, $end ])
{
	my ($what, $tls, @parts) = @$row;
	my $server  = hostile_server($log_in_with->(@parts), $tls);
	my $session = DqdsTest::Sql->connect($control);
	code_of($session, 'dqds_test_connection', model_of($server, $tls));
	my $before = anonymous_kb($session->pid);
	my %codes;
	$codes{ code_of($session, 'dqds_test_connection', model_of($server, $tls)) =~ s/\d+/N/gr }++ foreach 1 .. 30;
	memory_below((anonymous_kb($session->pid) - $before) / 1024, 45, "30 logins with a flood $what");
	# Where much of the flood has come before the first look, it is refused for its length.
	is(join(' ', grep { !/^(?:not_postgres|remote_error|server_silent)$/ } sort keys %codes), '', 'each is refused as no login');
	is(code_of($session, 'dqds_test_connection', $good), 'SUCCESS', 'a good server works');
	$session->close;
	$server->stop;
}

# Under the sanitizers the C library does not tell what is allocated: nothing can be added up, and no server is refused for it.
if (under())
{
	note('under ' . under() . ': what is lost in all is not measured');
	done_testing();
	exit;
}

# --- In all ----------------------------------------------------------------------------------------------------------

foreach my $case (
	[ 'logins', 'dqds_test_connection', hostile_server($log_in_with->(pg_auth(0) . pg_message('S', "a\0" . 'b' x 4000 . "\0") . $flood, $end)) ],
	[ 'answers', 'dqds_test_connection', hostile_server(sub { pg_log_in($_[0]); pg_answer($_[0], $flood x 4); }) ])
{
	my ($what, $call, $server) = @$case;
	my $session = DqdsTest::Sql->connect($control);
	my $model   = model_of($server);
	code_of($session, $call, $model);
	my $before = anonymous_kb($session->pid);
	my ($code, $calls) = ('', 0);
	while ($code ne 'busy' && $calls++ < 400) { $code = code_of($session, $call, $model); }
	is($code, 'busy', "$what: in the end the server is refused (after $calls calls)");
	code_of($session, $call, $model) foreach 1 .. 100;
	memory_below((anonymous_kb($session->pid) - $before) / 1024, 110, "$what: memory does not grow without end");
	my ($row) = $session->rows("SELECT * FROM $call(" . sql_literal($model) . '::text)');
	is("$row->{error_message}. $row->{hint}", "the answers of 127.0.0.2:@{[ $server->port ]} have cost this session too much memory. Reconnect to the control database, and find out what that server is.", "$what: it says why");
	is(code_of($session, 'dqds_test_connection', $good), 'SUCCESS', "$what: a good server works");
	my $other = DqdsTest::Sql->connect($control);
	isnt(code_of($other, $call, $model), 'busy', "$what: another session is not refused");
	$session->close;
	$server->stop;
}
like(slurp_file($control->logfile), qr/LOG:  remote servers have made this backend lose \d+ MB of memory/, 'the log of the control server tells');

done_testing();
