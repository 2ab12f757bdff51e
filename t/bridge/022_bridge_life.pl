# The life of the bridge: the control database is down at the start or goes down later, backends are killed, the extension is
# missing, descriptors run out, requests take too long or are abandoned, and the bridge is stopped by a signal. It always
# answers, if only with an error; it recovers by itself; and it exits without losing an answer.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use DqdsTest::Process;
use DqdsTest::Sql;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'restart_after_crash = on');
my $program = DqdsTest::bridge_program();
create_connection($control, 'shop', connection_model($remote));

my $first = start_bridge($control, connections => ['shop']);
is($first->stop, 0, 'SIGTERM without a request: status 0');

# A connection that stays, whatever happens to the others.
my $steady = start_bridge($control);
hostile_watch(bridge => $steady, control => $control, remote => $remote);
my @command = ($program, '--control-db', bridge_conninfo($control), '--anonymous-role', 'dqds_anonymous', '--listen');
sub another_bridge { return start_bridge(undef, control_db => bridge_conninfo($control), options => [@_]); }

my $schemas     = '/api/datasource/connections/shop/schemas';
my $connections = '/api/connections';

# --- A remote that hangs: its catalog is locked ----------------------------------------------------------

# Only the session that holds the lock can query the server: all others would wait for the lock, too.
my $locker = DqdsTest::Sql->connect($remote);
sub lock_remote   { $locker->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE'); return; }
sub unlock_remote { $locker->must('ROLLBACK'); return; }

# How many queries of ours wait for the lock.
sub hanging
{
	$locker->must('SELECT pg_stat_clear_snapshot()');
	return $locker->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'");
}

# Sends a request and does not wait for its answer.
sub send_request
{
	my ($bridge, $target) = @_;
	my $socket = open_socket($bridge);
	syswrite $socket, "GET $target HTTP/1.1\r\nHost: localhost\r\n\r\n";
	return $socket;
}

sub take_answer
{
	my ($socket, $seconds) = @_;
	my ($bytes, $closed) = read_all($socket, $seconds // 30);
	return parse_answer($bytes, $closed, 'GET');
}

# The health check must be answered at once, whatever else happens.
my $slowest_health = 0;

sub health
{
	my ($bridge) = @_;
	my $began  = time;
	my $answer = http($bridge, GET => '/api/ishealthy');
	my $took   = time - $began;
	$slowest_health = $took if $took > $slowest_health;
	return $answer->{error} if defined $answer->{error};
	return sprintf 'after %.1f s', $took if $took > patience(0.5);
	return "$answer->{status} $answer->{body}";
}

# Answered at once; but on a busy machine the control database may take longer than the health check waits for it.
sub is_well
{
	my ($bridge, $name) = @_;
	my $told;
	poll_until(sub { $told = health($bridge); $told ne '503 "UNAVAILABLE"' }, 5);
	return is($told, '200 "OK"', "$name: well");
}
# The database is checked at most once a second, so this may take as long.
sub is_not_well
{
	my ($bridge, $name) = @_;
	return ok(poll_until(sub { health($bridge) eq '503 "UNAVAILABLE"' }, 2), "$name: not well, and says so");
}

# The bridge recovers by itself within some seconds.
sub recovers
{
	my ($bridge, $name) = @_;
	ok(poll_until(sub { http($bridge, GET => $schemas)->{status} == 200 }, 15), "$name: requests work again");
	ok(poll_until(sub { health($bridge) eq '200 "OK"' }, 5), "$name: well again");
	return;
}

sub unavailable
{
	my ($answer, $name, $message) = @_;
	is(answer_fault($answer, 503), undef, "$name: 503 with Retry-After");
	like($answer->{json}{message} // '', $message, "$name: says what");
	return;
}

# --- The control database is away at the start ------------------------------------------------------------------

my $bridge;
hostile('control-down', sub {
	$control->stop;
	$bridge = another_bridge();
	unavailable(http($bridge, GET => $_), "no database at the start, $_", qr/^the control database is not available$/) foreach $connections, $schemas, '/api/connections/shop/basic';
	is_not_well($bridge, 'no database at the start');
	is(http($bridge, GET => '/api/nix')->{status}, 404, 'no database at the start: what needs none is answered');
	like($bridge->log, qr/warning the control database cannot be used: /, 'no database at the start: the log says so');
	unlike($bridge->log, qr/\Q@{[ $control->host ]}\E|port \d|host=/, 'no database at the start: the log shows no address');
	$control->start;
	recovers($bridge, 'the database has come');
}, bridge => sub { $bridge });

# --- It goes away in the middle, and comes back -------------------------------------------------------------------

lock_remote();
my $slow = send_request($bridge, $schemas);
ok(poll_until(sub { hanging() }, 10), 'a request is under way');
$control->stop('immediate');
unavailable(take_answer($slow), 'the database dies during a request', qr/^the control database is not available$/);
unavailable(http($bridge, GET => $connections), 'after that', qr/^the control database is not available$/);
is_not_well($bridge, 'the database is dead');
unlock_remote();
$control->start;
recovers($bridge, 'the database is back after a crash');

$control->restart;
is(http($bridge, GET => $connections)->{status}, 200, 'after a restart in between the next request works');
$control->safe_psql('postgres', q(SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'dqds_bridge'));
is(http($bridge, GET => $connections)->{status}, 200, 'after its idle sessions were ended the next request works');
$control->safe_psql('postgres', q(SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'dqds_bridge'));
is(http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote))->{status}, 200, 'and so does one that must not be repeated');

# --- A backend of it is killed in the middle of a request ----------------------------------------------------------------

# How a request ended whose backend was ended by CODE.
sub kill_backend
{
	my ($how) = @_;
	lock_remote();
	my $socket = send_request($bridge, $schemas);
	poll_until(sub { hanging() }, 10) or die 'the request does not hang';
	sleep 0.2;    # a connection that fails at once would be replaced, and the request repeated
	my $pid = $control->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state = 'active'));
	$how->($pid);
	my $answer = take_answer($socket, 10);
	unlock_remote();
	return $answer;
}

sub in_sql
{
	my ($function) = @_;
	return sub { $control->safe_psql('postgres', "SELECT $function($_[0])"); };
}

unavailable(kill_backend(in_sql('pg_terminate_backend')), 'pg_terminate_backend', qr/^the control database is not available$/);
is(http($bridge, GET => $schemas)->{status}, 200, 'pg_terminate_backend: the next request works');
is(answer_fault(kill_backend(in_sql('pg_cancel_backend')), 504), undef, 'pg_cancel_backend: 504');
is(http($bridge, GET => $schemas)->{status}, 200, 'pg_cancel_backend: the next request works');
hostile('kill-backend', sub {
	unavailable(kill_backend(sub { kill KILL => $_[0] }), 'kill -9', qr/^the control database is not available$/);
	recovers($bridge, 'kill -9');
}, bridge => sub { $bridge });

# --- A transaction that fails when it commits ----------------------------------------------------------------------------

# The error arrives after the rows, at the sync of the pipeline: it must not be taken for the answer to the next request.
{
	my $one = another_bridge('--pool-size', 1);
	$control->safe_psql('postgres', q{
		CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late' USING ERRCODE = '40001'; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON dqds_connection DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION fail_late();
		GRANT dqds_anonymous TO dqds_bridge});
	my $basic = '/api/connections/late/basic';
	foreach my $try (1 .. 2)
	{
		is(http($one, POST => $basic, {}, connection_model($remote))->{status}, 503, "an error of the commit, which calls for another try: 503, $try");
		is(http($one, GET => $basic)->{status}, 404, "an error of the commit: nothing was created, $try");
		is(scalar @{ http($one, GET => $schemas)->{json} // [] }, 1, "an error of the commit: the next answer is the right one, $try");
	}
	$control->safe_psql('postgres', 'DROP TRIGGER late ON dqds_connection; DROP FUNCTION fail_late');
	is(http($one, POST => $basic, {}, connection_model($remote))->{status}, 201, 'an error of the commit: without it the connection is created');
	is(http($one, DELETE => '/api/connections/late')->{status}, 200, 'an error of the commit: and dropped');
	is($one->stop, 0, 'an error of the commit: status 0');
}

# --- The extension is not there --------------------------------------------------------------------------------------------

$control->safe_psql('postgres', 'CREATE DATABASE bare');
my $bare = start_bridge(undef, control_db => bridge_conninfo($control) =~ s/dbname=\w+/dbname=bare/r);
unavailable(http($bare, GET => $connections), 'no extension', qr/the extension dqds is not installed in it/);
is_not_well($bare, 'no extension');
$control->safe_psql('bare', q(CREATE SCHEMA "my ext"; CREATE EXTENSION dqds SCHEMA "my ext"; SELECT "my ext".dqds_grant('editor', 'dqds_anonymous')));
is(http($bare, GET => $connections)->{body}, '[]', 'the extension was created meanwhile, in a schema of its own: 200');
ok(poll_until(sub { health($bare) eq '200 "OK"' }, 5), 'the extension was created meanwhile: well');
# In another schema: on each open connection, the prepared statements are no longer valid.
$control->safe_psql('bare', q(DROP EXTENSION dqds; CREATE EXTENSION dqds; SELECT dqds_grant('editor', 'dqds_anonymous')));
is(http($bare, GET => $connections)->{body}, '[]', 'the extension has moved: the next request finds it');
$control->safe_psql('bare', 'DROP EXTENSION dqds');
my $dropped = http($bare, GET => $connections);
like(answer_fault($dropped, $dropped->{status}) // $dropped->{status}, qr/^50[03]$/, 'the extension was dropped in the meantime: an error');
unavailable(http($bare, GET => $connections), 'the extension was dropped in the meantime', qr/the extension dqds is not installed in it/);
$control->safe_psql('bare', q(CREATE EXTENSION dqds; SELECT dqds_grant('editor', 'dqds_anonymous')));
is(http($bare, GET => $connections)->{body}, '[]', 'the extension was created again, elsewhere: 200');
is($bare->stop, 0, 'no extension: status 0');

# --- Too slow, and not wanted any more -------------------------------------------------------------------------------------------

hostile('statement-timeout', sub {
	my $hasty = another_bridge('--request-timeout', 2);
	http($hasty, GET => $schemas);
	lock_remote();
	my $began  = time;
	my $answer = http($hasty, GET => $schemas);
	my $took   = time - $began;
	is(answer_fault($answer, 504), undef, 'a request that takes too long: 504');
	is($answer->{json}{message}, 'the control database did not answer in time', '504: says what');
	cmp_ok($took, '>', 1.8, '504: not too early');
	cmp_ok($took, '<', patience(3.2), '504: in time');
	ok(poll_until(sub { !hanging() }, 3), '504: nothing of it runs at the remote any more');
	is_well($hasty, '504');
	unlock_remote();
	is(http($hasty, GET => $schemas)->{status}, 200, '504: the next request works');
	$hasty->stop;
});

hostile('client-gone', sub {
	lock_remote();
	my $unwanted = send_request($bridge, $schemas);
	ok(poll_until(sub { hanging() }, 10), 'a client waits');
	close $unwanted;
	ok(poll_until(sub { !hanging() }, 4), 'the client goes away: nothing of it runs at the remote any more');
	ok(poll_until(sub { $bridge->log =~ m{GET "\Q$schemas\E" 499 } }, 3), 'the client goes away: the log says so');
	ok(poll_until(sub { !$control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle')) }, 3),
		'the client goes away: nothing of it runs at the control database any more');
	unlock_remote();
	is(http($bridge, GET => $schemas)->{status}, 200, 'the client goes away: the next request works');
}, bridge => sub { $bridge });
is($bridge->stop, 0, 'after all that: status 0');

# --- No descriptors left --------------------------------------------------------------------------------------------------------------

hostile('descriptors', sub {
	my $poor = another_bridge('--threads', 64);
	http($poor, GET => $schemas);
	is_well($poor, 'enough descriptors');
	my $descriptors = () = glob '/proc/' . $poor->pid . '/fd/*';
	my $limit       = $descriptors + 8;
	system_or_bail('prlimit', '--pid', $poor->pid, "--nofile=$limit:$limit");
	my @idle = map { open_socket($poor) } 1 .. 40;
	my $none = open_socket($poor);
	syswrite $none, "GET /api/ishealthy HTTP/1.1\r\nHost: localhost\r\n\r\n";
	is(read_all($none, 0.3), '', 'out of descriptors: no connection is accepted');
	close $_ foreach @idle;
	like(read_all($none, 10), qr{^HTTP/1\.1 200 OK\r\n.*"OK"$}s, 'descriptors are free again: who waited is served');
	is(http($poor, GET => $schemas)->{status}, 200, 'descriptors are free again: requests work');
	is_well($poor, 'descriptors are free again');
	ok(poll_until(sub { my $now = () = glob '/proc/' . $poor->pid . '/fd/*'; $now <= $descriptors }, 10), 'descriptors are free again: none is lost');
	is($poor->stop, 0, 'out of descriptors: status 0');
});

# --- kill -9 of the bridge ---------------------------------------------------------------------------------------------------------------

hostile('kill-bridge', sub {
	my $port = free_port();
	foreach my $try (1, 2)
	{
		my $log    = PostgreSQL::Test::Utils::tempdir('bridge') . '/log';
		my $before = $control->safe_psql('postgres', 'SELECT now()');
		my $killed = DqdsTest::Process->start("bridge $try", $log, [ @command, "127.0.0.1:$port" ]);
		$killed->await(qr/listening on/, 10);
		$killed->{port} = $port;
		is(http($killed, GET => $schemas)->{status}, 200, "start $try on the same port: it serves");
		$killed->kill;
		ok(poll_until(sub { !$control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND backend_start > ') . "$before'") }, 5), 'kill -9: its sessions are gone');
	}
});

# --- Under load: 10 clients with 50 requests a second -----------------------------------------------------------------------------------------

# Starts the clients; each records the outcome of each request. load_results(FILES): [{path, began, ended, outcome}…]
my $load_number = 0;

sub start_load
{
	my ($process, $seconds) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir('load');
	$load_number++;
	return map {
		my ($file, $client) = ("$dir/$_", $_);
		{ file => $file, process => DqdsTest::Process->start("client $_", undef, sub { load($process->port, $file, "$load_number-$client", time + $seconds); POSIX::_exit(0); }) };
	} 1 .. 10;
}

sub load
{
	my ($port, $file, $name, $end) = @_;
	open my $out, '>', $file or die "$file: $!";
	for (my $i = 1; time < $end; $i++)
	{
		my $path    = "/api/connections/load-$name-$i/basic";
		my $began   = time;
		my $socket  = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => patience(5));
		my $outcome = 'refused';
		if ($socket)
		{
			local $SIG{PIPE} = 'IGNORE';
			syswrite $socket, "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n";
			my ($bytes, $closed) = read_all($socket, 10);
			my $answer = parse_answer($bytes, $closed, 'GET');
			$outcome = $bytes eq '' ? 'empty' : defined $answer->{error} ? "broken ($answer->{error})" : $answer->{status};
			close $socket;
		}
		printf $out "%s\t%.6f\t%.6f\t%s\n", $path, $began, time, $outcome;
		sleep 0.2;
	}
	close $out;
	return;
}

sub load_results
{
	my (@clients) = @_;
	my @results;
	foreach my $client (@clients)
	{
		is($client->{process}->wait_end(30), 0, 'a client has ended');
		foreach my $line (split /\n/, slurp_file($client->{file}))
		{
			my %result;
			@result{qw(path began ended outcome)} = split /\t/, $line;
			push @results, \%result;
		}
	}
	return @results;
}

sub outcomes
{
	my %count;
	$count{ $_->{outcome} }++ foreach @_;
	return join ', ', map { "$count{$_} $_" } sort keys %count;
}

my $loaded;
my @clients;
my @results;
hostile('control-restart', sub {
	# The control database is restarted under them.
	$loaded  = another_bridge();
	@clients = start_load($loaded, patience(6));
	sleep 1;
	$control->stop('immediate');
	sleep 0.3;
	$control->start;
	@results = load_results(@clients);
	my @wrong   = grep { $_->{outcome} !~ /^(404|503)$/ } @results;
	is(outcomes(@wrong), '', 'the control database is restarted under load: every request has a whole answer');
	my %late = map { $_->{outcome} => 1 } grep { $_->{began} > (sort { $b <=> $a } map { $_->{began} } @results)[0] - 0.5 } @results;
	is(join(' ', keys %late), '404', 'and in the end every one is served');
	diag('restart under load: ' . outcomes(@results));
	recovers($loaded, 'restarted under load');
}, bridge => sub { $loaded });

hostile('sigterm', sub {
	# SIGTERM under load, with slow requests that end only after it.
	lock_remote();
	my @slow = map { send_request($loaded, $schemas) } 1 .. 5;
	ok(poll_until(sub { hanging() == 5 }, 10), 'slow requests are under way');
	@clients = start_load($loaded, patience(3));
	sleep 1.5;
	my $signalled = time;
	$loaded->signal('TERM');
	sleep 0.5;
	ok($loaded->running, 'SIGTERM: it waits for the requests that are under way');
	unavailable(eval { http($loaded, GET => $connections) } // { error => $@ }, 'SIGTERM: a new request', qr/stopping/);
	is(eval { health($loaded) } // $@, '503 "UNAVAILABLE"', 'SIGTERM: not well, and says so');
	unlock_remote();
	is(answer_fault(take_answer($_, 10), 200), undef, 'SIGTERM: a slow request that had begun gets its answer') foreach @slow;
	is($loaded->wait_end(10), 0, 'SIGTERM: status 0');
	cmp_ok(time - $signalled, '<', patience(5), 'SIGTERM: soon after the last answer');

	@results = load_results(@clients);
	my @before = grep { $_->{began} < $signalled } @results;
	my @after  = grep { $_->{began} >= $signalled } @results;
	my $log    = $loaded->log;
	my $rate   = grep { $_->{began} > $signalled - patience(1) } @before;
	cmp_ok($rate, '>=', 5, 'SIGTERM: under 50 requests a second, or fewer on a busy machine');
	is(outcomes(grep { $_->{outcome} !~ /^(404|503)$/ } @before), '', 'SIGTERM: every request before it has its answer');
	is(outcomes(grep { $_->{outcome} !~ /^(404|503|refused|empty)$/ } @after), '', 'SIGTERM: no answer after it is broken off');
	is(outcomes(grep { $_->{outcome} =~ /^(refused|empty)$/ && index($log, $_->{path}) >= 0 } @results), '', 'SIGTERM: no request that was handled is without its answer');
	diag("SIGTERM under load, $rate requests in the last second: before it " . outcomes(@before) . '; after it ' . outcomes(@after));
	like($log, qr/info stopping after Terminated\n(.*\n)*.*info stopped\n\z/, 'SIGTERM: the log tells the beginning and the end');
});

# SIGINT, and a second signal that ends the waiting.
my $interrupted = another_bridge();
http($interrupted, GET => $schemas);
$interrupted->signal('INT');
is($interrupted->wait_end(10), 0, 'SIGINT: status 0');
like($interrupted->log, qr/info stopping after Interrupt\n/, 'SIGINT: the log says so');

my $impatient = another_bridge();
lock_remote();
my $lost = send_request($impatient, $schemas);
poll_until(sub { hanging() }, 10);
$impatient->signal('TERM');
sleep 0.3;
ok($impatient->running, 'a first signal waits for a slow request');
$impatient->signal('TERM');
is($impatient->wait_end(5), 0, 'a second signal does not: status 0');
ok(poll_until(sub { !hanging() }, 10), 'a second signal: nothing of it runs at the remote any more');
unlock_remote();

hostile_end();
diag(sprintf 'slowest answer about health: %.0f ms', 1000 * $slowest_health);
done_testing();
