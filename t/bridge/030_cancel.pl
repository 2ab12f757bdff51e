# Cancelling: statement_timeout, pg_cancel_backend and pg_terminate_backend end a call within a second, whatever it waits for
# (a login, a name server, a lock at the remote server, many servers at once), and the query at the remote server is
# cancelled, too. dqds.query_timeout does the same by itself.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Names;
use DqdsTest::Soak::Watch;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# The promise is a second; the rest is for a busy machine. A call that is not cancelled takes at least the ten seconds of
# dqds.connect_timeout.
use constant PATIENCE => patience(8);

my $remote  = remote_server('remote');
my $control = control_server('control');

# A fake server calls keep_silent when its client has reached the point where it would wait for ever.
my $mark = PostgreSQL::Test::Utils::tempdir('mark') . '/mark';

sub keep_silent
{
	my ($client) = @_;
	open my $file, '>', $mark or die "$mark: $!";
	close $file;
	hold($client);
	return;
}
sub is_kept { return -e $mark; }

# A server that sends nothing at all, one that stops in the middle of TLS, and one in the middle of the authentication.
my $silent     = start_fake_server(\&keep_silent);
my $silent_tls = start_fake_server(
	sub {
		my ($client) = @_;
		read_bytes($client, 8);
		send_bytes($client, 'S');
		read_bytes($client, 100);
		keep_silent($client);
	});
my $silent_login = start_fake_server(
	sub {
		my ($client) = @_;
		pg_read_startup($client);
		send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
		pg_read_message($client);
		keep_silent($client);
	});

sub create_fake
{
	my ($name, $server) = @_;
	create_connection($control, $name, connection_model($remote, port => '' . $server->port));
	return;
}

create_connection($control, 'remote', connection_model($remote));
create_fake('silent',       $silent);
create_fake('silent_tls',   $silent_tls);
create_fake('silent_login', $silent_login);
create_fake("silent $_",    $silent) foreach 1 .. 20;

my $admin  = DqdsTest::Sql->connect($control);
my $bridge = hostile_watch(control => $control, remote => $remote, sql => $admin);

# --- Helpers -----------------------------------------------------------------------------------------

# Only the session that holds the lock can query the server: all others would wait for the lock, too.
my $locker = DqdsTest::Sql->connect($remote);

sub lock_catalog { $locker->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE'); return; }
sub unlock_catalog { $locker->must('ROLLBACK'); return; }

# How many sessions of dqds the remote has; or only those that run a query.
sub remote_sessions
{
	my ($where) = @_;
	$locker->must('SELECT pg_stat_clear_snapshot()');
	return $locker->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND " . ($where // 'true'));
}

sub remote_is_busy { return remote_sessions("state = 'active' AND wait_event_type = 'Lock'") > 0; }

# A session waits in dqds: for its latch, in an extension.
sub is_waiting
{
	my ($pid) = @_;
	return ($admin->value("SELECT wait_event FROM pg_stat_activity WHERE pid = $pid AND state = 'active'") // '') eq 'Extension';
}

my %trigger = (
	statement_timeout    => sub { },
	pg_cancel_backend    => sub { $admin->must("SELECT pg_cancel_backend($_[0])") },
	pg_terminate_backend => sub { $admin->must("SELECT pg_terminate_backend($_[0])") });

# cancelled(TRIGGER, WHAT, SQL, BUSY = undef): SQL runs in its own session and is ended by TRIGGER, once BUSY is true.
sub cancelled
{
	my ($trigger, $what, $sql, $busy) = @_;
	unlink $mark;
	my $session = DqdsTest::Sql->connect($control);
	$session->must("SET statement_timeout = '2s'") if $trigger eq 'statement_timeout';
	$session->send($sql);
	my $asked = time;
	my $ready = poll_until(sub { is_waiting($session->pid) && (!$busy || $busy->()) }, 10);
	ok($ready, "$what: the call waits");

	$trigger{$trigger}->($session->pid);
	my $start  = $trigger eq 'statement_timeout' ? $asked + 2 : time;
	my $answer = $session->answer(20);
	my $took   = time - $start;
	ok($answer && $took < PATIENCE, sprintf '%s: %s ends it (after %.2f s)', $what, $trigger, $took);
	is($answer->{error}{sqlstate}, $trigger eq 'pg_terminate_backend' ? '57P01' : '57014', "$what: $trigger: SQLSTATE");
	if ($trigger eq 'pg_terminate_backend')
	{
		ok($answer->{ended} || !defined $session->query('SELECT 1')->{columns}[0], "$what: the session is over");
	}
	else
	{
		is($session->value('SELECT 1'), '1', "$what: the session goes on after $trigger");
		$session->close;
	}
	return $start;
}

# --- While connecting --------------------------------------------------------------------------------

sub cancelled_connecting
{
	my ($trigger) = @_;
	cancelled($trigger, "connecting to $_", "SELECT * FROM dqds_test_connection('$_')", \&is_kept)
	  foreach qw(silent silent_tls silent_login);
	return;
}

hostile('cancel-connecting',    sub { cancelled_connecting('pg_cancel_backend') });
hostile('terminate-connecting', sub { cancelled_connecting('pg_terminate_backend') });
cancelled_connecting('statement_timeout');
cancelled('pg_cancel_backend', 'listing a silent server', q(SELECT * FROM dqds_list_schemas('silent')), \&is_kept);

# --- While a query hangs at the remote ---------------------------------------------------------------

my %question = (
	test    => q(SELECT * FROM dqds_test_connection('remote')),
	schemas => q(SELECT * FROM dqds_list_schemas('remote')),
	tables  => q(SELECT * FROM dqds_list_tables('remote', 'public')),
	columns => q(SELECT * FROM dqds_list_columns('remote', 'public')));

sub hangs_and_ends
{
	my ($trigger, $what, $sql) = @_;
	lock_catalog();
	my $start = cancelled($trigger, $what, $sql, \&remote_is_busy);
	my $gone  = poll_until(sub { !remote_sessions("state = 'active'") }, 10);
	my $took  = time - $start;
	ok($gone && $took < PATIENCE + 0.5, sprintf '%s: %s: the query at the remote is gone (after %.2f s)', $what, $trigger, $took);
	unlock_catalog();
	ok(poll_until(sub { !remote_sessions() }, 10), "$what: $trigger: so is its session");
	return;
}

foreach my $trigger (sort keys %trigger)
{
	hangs_and_ends($trigger, 'locked schemas', $question{schemas});
}
hangs_and_ends('statement_timeout', 'locked test',    $question{test});
hangs_and_ends('pg_cancel_backend', 'locked tables',  $question{tables});
hangs_and_ends('pg_cancel_backend', 'locked columns', $question{columns});

# --- dqds.query_timeout ------------------------------------------------------------------------------

hostile('remote-locked', sub {
	my $session = DqdsTest::Sql->connect($control);
	$session->must("SET dqds.query_timeout = '500ms'");
	lock_catalog();

	my $answer = $session->query(q(SELECT * FROM dqds_test_connection('remote')));
	my $row    = $answer->{rows}[0];
	is($row->{connection_test_result}, 'FAILURE', 'query_timeout: a test fails');
	is($row->{error_code},             'timeout', 'query_timeout: error_code');
	like($row->{error_message}, qr/did not finish within 0\.5 s/, 'query_timeout: the message tells the limit');
	ok($answer->{seconds} < 0.5 + PATIENCE, sprintf 'query_timeout ends a test (after %.2f s)', $answer->{seconds});
	ok(poll_until(sub { !remote_sessions("state = 'active'") }, PATIENCE), 'query_timeout: the query of a test is gone');

	foreach my $what (qw(schemas tables columns))
	{
		$answer = $session->query($question{$what});
		is($answer->{error}{sqlstate}, 'QD015', "query_timeout: a listing of $what raises QD015");
		ok($answer->{seconds} < 0.5 + PATIENCE,
			sprintf 'query_timeout ends a listing of %s (after %.2f s)', $what, $answer->{seconds});
		ok(poll_until(sub { !remote_sessions("state = 'active'") }, PATIENCE), "query_timeout: the query for $what is gone");
	}

	# Over REST.
	$control->safe_psql('postgres', q(ALTER ROLE dqds_bridge SET dqds.query_timeout = '500ms'));
	my $hasty = start_bridge($control, anonymous => 'hasty', level => 'admin');
	$answer = http($hasty, GET => '/api/datasource/connections/remote/schemas');
	is(answer_fault($answer, 400), undef, 'query_timeout: over REST 400');
	is($answer->{json}{errorCode}, 'timeout', 'query_timeout: with its code');
	ok(poll_until(sub { !remote_sessions("state = 'active'") }, PATIENCE), 'query_timeout: and the query is gone');
	$hasty->stop;
	$control->safe_psql('postgres', 'ALTER ROLE dqds_bridge RESET ALL');
	unlock_catalog();
	is($session->query($question{schemas})->{error}, undef, 'query_timeout: the next call works');
	$session->close;
});

# A reused session, and its named statement, are cancelled in the same way.
{
	my $session = DqdsTest::Sql->connect($control);
	$session->must($question{schemas}) foreach 1 .. 3;
	$session->must("SET statement_timeout = '300ms'");
	lock_catalog();
	my $answer = $session->query($question{schemas});
	is($answer->{error}{sqlstate}, '57014', 'a session that is reused: SQLSTATE');
	ok($answer->{seconds} < 0.3 + PATIENCE, sprintf 'a session that is reused: back after %.2f s', $answer->{seconds});
	ok(poll_until(sub { !remote_sessions("state = 'active'") }, 10), 'a session that is reused: the query is gone');
	unlock_catalog();
	is($session->query($question{schemas})->{error}, undef, 'a session that is reused: the next call works');
	$session->close;
}

# --- The server does not even take the cancel request --------------------------------------------------

# It accepts the query and stays silent from then on, like a disconnected machine.
{
	my $frozen = start_fake_server(
		sub {
			my ($client) = @_;
			my $startup = pg_read_startup($client);
			hold($client) if unpack('N', $startup) == 80877102;
			pg_log_in($client, $startup);
			pg_answer($client, '');
			keep_silent($client);
		});
	create_fake('frozen', $frozen);
	foreach my $trigger (sort keys %trigger)
	{
		cancelled($trigger, 'a server that ignores the cancel request', q(SELECT * FROM dqds_list_schemas('frozen')), \&is_kept);
	}
}

# --- Many at once ----------------------------------------------------------------------------------------

my $all_silent = 'SELECT * FROM dqds_test_connections(ARRAY[' . join(', ', map { "'silent $_'" } 1 .. 20) . '])';
cancelled($_, '20 silent servers', $all_silent) foreach sort keys %trigger;

# 20 queries that hang: each of them is cancelled at the remote.
create_connection($control, "remote $_", connection_model($remote)) foreach 1 .. 20;
my $all_locked = 'SELECT * FROM dqds_test_connections(ARRAY[' . join(', ', map { "'remote $_'" } 1 .. 20) . '])';
foreach my $trigger (sort keys %trigger)
{
	lock_catalog();
	my $session = DqdsTest::Sql->connect($control);
	$session->must("SET statement_timeout = '10s'") if $trigger eq 'statement_timeout';
	$session->send($all_locked);
	my $asked = time;
	ok(poll_until(sub { remote_sessions("state = 'active' AND wait_event_type = 'Lock'") == 20 }, 9),
		"20 locked queries: all hang ($trigger)");
	$trigger{$trigger}->($session->pid);
	my $start  = $trigger eq 'statement_timeout' ? $asked + 10 : time;
	my $answer = $session->answer(20);
	my $took   = time - $start;
	ok($answer->{error} && $took < PATIENCE, sprintf '20 locked queries: %s ends them (after %.2f s)', $trigger, $took);
	ok(poll_until(sub { !remote_sessions("state = 'active'") }, PATIENCE), "20 locked queries: $trigger: none is left");
	unlock_catalog();
}

# --- Name resolution -------------------------------------------------------------------------------------

# A name server that never answers, as the C library reports it: getaddrinfo takes a minute.
{
	create_connection($control, 'nameless', connection_model($remote, host => 'db.test'));
	hostile_end();
	$bridge->stop;
	$admin->close;
	$control->stop;
	with_names(sub { $control->start });
	set_names('db.test' => ['never']);
	$admin = DqdsTest::Sql->connect($control);

	cancelled($_, 'a name server that never answers', q(SELECT * FROM dqds_test_connection('nameless')))
	  foreach sort keys %trigger;

	my $session = DqdsTest::Sql->connect($control);
	$session->must("SET dqds.connect_timeout = '500ms'");
	my $answer = $session->query(q(SELECT * FROM dqds_test_connection('nameless')));
	is($answer->{rows}[0]{error_code}, 'host_not_found', 'a name server that never answers: error_code at the deadline');
	ok($answer->{seconds} < 0.5 + PATIENCE,
		sprintf 'a name server that never answers: back at the deadline (after %.2f s)', $answer->{seconds});

	# Each query keeps a thread and a socket as long as the name server is silent, so their number is limited.
	$session->must("SET dqds.connect_timeout = '1ms'");
	my %outcomes;
	$outcomes{ $session->value(q(SELECT error_code FROM dqds_test_connection('nameless'))) }++ foreach 1 .. 400;
	cmp_ok($outcomes{host_not_found}, '<=', 260, 'unanswered queries: not too many at once') or diag(explain(\%outcomes));
	is($outcomes{busy}, 400 - $outcomes{host_not_found}, 'unanswered queries: then it is busy');
	cmp_ok(thread_count($session->pid), '<', 270, 'unanswered queries: nor too many threads');
	is($session->value(q(SELECT count(*) FROM pg_class WHERE relname = 'dqds_connection')), 1, 'unanswered queries: the backend goes on');
	$session->close;
	$session = DqdsTest::Sql->connect($control);
	$session->must("SET dqds.connect_timeout = '5s'");

	# Good connections of the same call do not wait for it.
	$answer = $session->query(q(SELECT * FROM dqds_test_connections(ARRAY['nameless', 'remote'])));
	my %row = map { $_->{connection_name} => $_ } @{ $answer->{rows} };
	is($row{remote}{connection_test_result}, 'SUCCESS', 'a name server that never answers: the other connection is tested');
	cmp_ok($row{remote}{elapsed_ms}, '<', patience(4500), 'a name server that never answers: and does not wait');
}

done_testing();
