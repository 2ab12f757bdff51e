# Remote sessions are reused, and only by the roles that may: a hundred calls need one login; a restart of the remote server
# goes unnoticed; a changed connection takes effect with the next call; each role has its own sessions; idle sessions are
# closed properly, without a call, after dqds.session_idle_timeout, and there are never more than dqds.max_cached_sessions. A
# reused session has named statements.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $remote = remote_server('remote', conf => "log_connections = on\nlog_disconnections = on\nlog_min_duration_statement = 0");
my $control = control_server('control');
create_connection($control, 'remote', connection_model($remote));

my $at_remote = DqdsTest::Sql->connect($remote);
my $list      = q(SELECT * FROM dqds_list_schemas('remote'));

# --- The remote server's log ----------------------------------------------------------------------------------

my $log_start = 0;

# The remote's log since it was last marked.
sub mark_log { $log_start = -s $remote->logfile; return; }
sub remote_log { return slurp_file($remote->logfile, $log_start); }

sub logins
{
	my ($user) = @_;
	$user //= 'reader';
	return scalar(() = remote_log() =~ /connection authorized: user=\Q$user\E /g);
}

# How many sessions it has now; more as a condition on pg_stat_activity.
sub sessions
{
	my ($where) = @_;
	$at_remote = DqdsTest::Sql->connect($remote) if $at_remote->query('SELECT 1')->{ended};
	return $at_remote->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND " . ($where // 'true'));
}

sub pids { return join ',', $at_remote->column(q(SELECT pid FROM pg_stat_activity WHERE usename = 'reader' ORDER BY pid)); }

# The server's message when a client disconnects without Terminate.
my $complaint = qr/LOG: .*(?:could not (?:receive|send|accept)|unexpected EOF|SSL error|reset by peer)|WARNING:|FATAL:/;

sub has_no_complaint
{
	my ($what) = @_;
	my @complaints = grep { /$complaint/ } split /\n/, remote_log();
	is(join("\n", @complaints), '', "$what: the remote has nothing to complain about");
	return;
}

sub no_session_left
{
	my ($what) = @_;
	ok(poll_until(sub { sessions() == 0 }, 10), "$what: no session is left at the remote") or diag(pids());
	return;
}

# --- A hundred calls -----------------------------------------------------------------------------------------

my $sql = DqdsTest::Sql->connect($control);
mark_log();
{
	my @failed = grep { $sql->query($list)->{error} } 1 .. 100;
	is(scalar @failed, 0, '100 listings in one session work');
	is(logins(), 1, '100 listings in one session are one login');
	is(sessions(), 1, 'and one session at the remote');

	my $log = remote_log();
	my ($unnamed, $named) = map { scalar(() = $log =~ /$_/g) } qr/execute <unnamed>: SELECT n\.nspname/, qr/execute dqds_\w+: SELECT n\.nspname/;
	cmp_ok($named, '>=', 95, "its statement is named from the second call on ($unnamed unnamed, $named named)");
	is(scalar(() = $log =~ /parse dqds_\w+: SELECT n\.nspname/g), 1, 'and prepared once');

	$sql->must(q(SELECT * FROM dqds_list_tables('remote', 'public'))) foreach 1 .. 3;
	$sql->must(q(SELECT * FROM dqds_list_columns('remote', 'public'))) foreach 1 .. 3;
	is(logins(), 1, 'other questions use the same session');
	$log = remote_log();
	is(scalar(() = $log =~ /parse dqds_\w+:/g), 3, 'and have statements of their own');
	unlike($log, qr/statement: SET|execute \S+: SET/i, 'nothing is set at the remote');
}

# A test checks the login, so it logs in; its session is kept, and the older one is closed.
{
	mark_log();
	$sql->must(q(SELECT * FROM dqds_test_connection('remote'))) foreach 1 .. 3;
	is(logins(), 3, '3 tests are 3 logins');
	ok(poll_until(sub { sessions() == 1 }, 10), 'and one session');
	$sql->must($list);
	is(logins(), 3, 'which a listing uses');
}

# --- dqds_close_idle ---------------------------------------------------------------------------------------------

{
	mark_log();
	is($sql->value('SELECT dqds_close_idle()'), 1, 'dqds_close_idle tells how many it closed');
	no_session_left('dqds_close_idle');
	is($sql->value('SELECT dqds_close_idle()'), 0, 'dqds_close_idle: nothing to close');
	$sql->must($list);
	is(logins(), 1, 'dqds_close_idle: the next call logs in');
	has_no_complaint('dqds_close_idle');
}

# --- A session that has died ----------------------------------------------------------------------------------------

{
	$sql->must($list);
	$remote->restart;
	is($sql->query($list)->{error}, undef, 'the remote was restarted: the next call works');
	is($sql->query($list)->{error}, undef, 'and the one after it');
	restart_at_once($remote);
	is($sql->query($list)->{error}, undef, 'the remote was stopped at once and started: the next call works');
	mark_log();
	sessions();
	$at_remote->must(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'));
	is($sql->query(q(SELECT * FROM dqds_list_columns('remote', 'public')))->{error}, undef, 'its session was ended there: the next call works');
	is(logins(), 1, 'by one login');

	# A remote server that is down is reported as such, and works again once it is up.
	$remote->stop;
	like($sql->query($list)->{error}{sqlstate}, qr/^QD002$/, 'the remote is away: an error');
	$remote->start;
	is($sql->query($list)->{error}, undef, 'the remote is back: the next call works');
}

# A server that ends each session after its first answer: the dead one is replaced once, and then it is an error.
{
	my $fickle = start_fake_server(
		sub {
			my ($client, $number) = @_;
			pg_log_in($client);
			my $answer = pg_message('T', pack('n (Z* N n N n N n)2', 2, 'nspname', 0, 0, 19, 64, -1, 0, 'extension', 0, 0, 25, -1, -1, 0))
			  . pg_message('D', pack('n N/a* l>', 2, "s$number", -1))
			  . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I');
			pg_answer($client, $answer) if $number != 2;
			pg_answer($client, '');
		});
	create_connection($control, 'fickle', connection_model($remote, port => '' . $fickle->port, sslmode => 'disable'));
	my $schemas = q(SELECT schema_name FROM dqds_list_schemas('fickle'));
	is($sql->value($schemas), 's1', 'a session that ends after its answer: the first call');
	is($sql->query($schemas)->{error}{sqlstate}, 'QD017', 'a session that ends, and the one that replaces it as well: an error');
	is($sql->value($schemas), 's3', 'the next call logs in again');
}

# --- A connection that was changed -------------------------------------------------------------------------------------

{
	my $other = remote_server('other');
	$other->safe_psql('postgres', 'CREATE SCHEMA other_server; GRANT USAGE ON SCHEMA other_server TO reader');
	my $update  = sub { $sql->must("SELECT dqds_update_connection('remote', " . sql_literal($_[0]) . ')'); };
	my $schemas = sub { return join ',', $sql->column(q(SELECT schema_name FROM dqds_list_schemas('remote'))); };

	$sql->must($list);
	mark_log();
	$update->(connection_model($remote, password => 'not the password'));
	is($sql->query($list)->{error}{sqlstate}, 'QD009', 'a wrong password in the connection: the next call fails');
	no_session_left('a wrong password');
	$update->(connection_model($remote));
	is($schemas->(), 'public', 'the right password in the connection: the next call works');
	is(logins(), 1, 'the right password: by a login of its own');

	mark_log();
	$update->(connection_model($remote, properties => { application_name => 'renamed' }));
	$sql->must($list);
	is(sessions(q(application_name = 'renamed')), 1, 'another property: the next call has it');
	ok(poll_until(sub { sessions() == 1 }, 10), 'another property: the session without it has gone');

	$update->(connection_model($other));
	is($schemas->(), 'other_server,public', 'another server: the next call asks that one');
	no_session_left('another server');
	$update->(connection_model($remote));
	is($schemas->(), 'public', 'the first server again');

	# From another session, too.
	create_connection($control, 'second', connection_model($remote));
	$sql->must(q(SELECT * FROM dqds_list_schemas('second')));
	$control->safe_psql('postgres', q(SELECT dqds_drop_connection('second')));
	is($sql->query(q(SELECT * FROM dqds_list_schemas('second')))->{error}{sqlstate}, '42704', 'a connection that was dropped elsewhere is unknown at once');
	$sql->must('SELECT dqds_close_idle()');

	# A session from before a change of the settings does not bypass them.
	$sql->must($list);
	$sql->must("SET dqds.denied_hosts = '127.0.0.0/8'");
	is($sql->query($list)->{error}{sqlstate}, 'QD018', 'a host that is denied now: the next call fails');
	$sql->must('RESET dqds.denied_hosts');
	is($sql->query($list)->{error}, undef, 'a host that is allowed again: the next call works');
	$other->stop;
}

# --- Another role ------------------------------------------------------------------------------------------------------------

{
	grant_role($control, $_, level => 'operator', connections => ['remote']) foreach qw(alice bob);
	my $as = sub { $sql->must("SET ROLE $_[0]"); $sql->must($list); $sql->must('RESET ROLE'); };
	$sql->must('SELECT dqds_close_idle()');
	no_session_left('another role');
	mark_log();
	$as->('alice');
	my $of_alice = pids();
	$as->('bob');
	is(logins(), 2, 'another role logs in on its own');
	is(sessions(), 2, 'each has a session');
	my $used = sub { $at_remote->value("SELECT query_start FROM pg_stat_activity WHERE pid = $of_alice") };
	my $before = $used->();
	$as->('bob') foreach 1 .. 3;
	is($used->(), $before, q(bob never uses alice's session));
	$as->('alice');
	isnt($used->(), $before, 'alice does');
	is(logins(), 2, 'no more logins were made');

	# Not even with an identical model from each of them.
	my $ad_hoc = sub { $sql->must("SET ROLE $_[0]"); $sql->must('SELECT * FROM dqds_list_schemas(' . sql_literal(connection_model($remote)) . '::text)'); $sql->must('RESET ROLE'); };
	mark_log();
	$ad_hoc->($_) foreach qw(alice bob alice bob);
	is(logins(), 2, 'the same model of two roles: two sessions');

	# A model with a wrong password does not get the session of the right one.
	$sql->must('SET ROLE alice');
	is($sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal(connection_model($remote, password => 'a guess')) . '::text)')->{error}{sqlstate},
		'QD009', 'a model with another password does not use the session');
	$sql->must('RESET ROLE');

	# A role that has lost the connection does not use it either.
	$sql->must(q(SELECT dqds_revoke_connection('remote', 'alice'); SET ROLE alice));
	is($sql->query($list)->{error}{sqlstate}, '42704', 'a role that has lost the connection does not use the session');
	$sql->must('RESET ROLE; SELECT dqds_close_idle()');
	no_session_left('roles');
}

# --- Maximum number
# -----------------------------------------------------------------------------------------------------------------

{
	create_connection($control, "many $_", connection_model($remote)) foreach 1 .. 6;
	my $call = sub { $sql->must("SELECT * FROM dqds_list_schemas('many $_[0]')") };
	$sql->must('SET dqds.max_cached_sessions = 3');
	$call->($_) foreach 1 .. 6;
	ok(poll_until(sub { sessions() == 3 }, 10), 'max_cached_sessions: 3 are kept of 6');
	mark_log();
	$call->($_) foreach 4 .. 6;
	is(logins(), 0, 'max_cached_sessions: those used last');
	$call->(1);
	is(logins(), 1, 'max_cached_sessions: the others log in');
	$sql->must('SET dqds.max_cached_sessions = 0');
	$call->(2);
	no_session_left('max_cached_sessions 0');
	$sql->must('RESET dqds.max_cached_sessions; SET dqds.session_idle_timeout = 0');
	$call->(2);
	no_session_left('session_idle_timeout 0');
	$sql->must('RESET dqds.session_idle_timeout');
}

# --- The end of idle sessions --------------------------------------------------------------------------------------------------------

# Ends after two seconds, while the backend waits for its client; BETWEEN happens in the meantime.
sub ends_when_idle
{
	my ($what, $between) = @_;
	mark_log();
	my $idle = DqdsTest::Sql->connect($control);
	$idle->must("SET dqds.session_idle_timeout = '2s'");
	$idle->must($list);
	my $start = time;
	is(sessions(), 1, "idle, $what: there is a session");
	$between->($idle);
	ok(poll_until(sub { sessions() == 0 }, 20), sprintf 'idle, %s: it has ended (after %.1f s)', $what, time - $start);
	cmp_ok(time - $start, '>', 1.5, "idle, $what: not at once");
	ok(poll_until(sub { remote_log() =~ /disconnection: .* user=reader/ }, 20), "idle, $what: the remote says that it was disconnected");
	has_no_complaint("idle, $what");
	my $answer = $idle->query('SELECT 1 AS one');
	is($answer->{rows}[0]{one}, $answer->{error} ? undef : '1', "idle, $what: the backend lives");
	$idle->query('ROLLBACK');
	is($idle->query($list)->{error}, undef, "idle, $what: the next call works");
	$idle->close;
	no_session_left("idle, $what");
	return;
}

# Events in the backend in the meantime.
my @meanwhile = (
	[ 'nothing happens' => sub { } ],
	[ 'an error'                  => sub { $_[0]->query('SELECT 1/0') } ],
	[ 'errors all the time'       => sub { for (1 .. 3) { $_[0]->query('SELECT 1/0'); sleep 0.4; } } ],
	[ 'a transaction that has failed twice' =>
		  sub { my ($idle) = @_; $idle->query($_) foreach 'BEGIN', 'SELECT 1/0', 'SELECT 1'; } ],
	[ 'a statement that runs long' => sub { $_[0]->must('SELECT pg_sleep(1.5)') } ],
	# and, without TLS only:
	[ 'an error of dqds'  => sub { $_[0]->query(q(SELECT * FROM dqds_list_schemas('no such'))) } ],
	[ 'a syntax error'    => sub { $_[0]->query('SELEC') } ],
	[ 'a transaction'     => sub { $_[0]->must('BEGIN') } ],
	[ 'a transaction that has failed twice and was rolled back' =>
		  sub { my ($idle) = @_; $idle->query($_) foreach 'BEGIN', 'SELECT 1/0', 'SELECT 1', 'ROLLBACK'; } ],
	[ 'a statement_timeout that strikes' => sub { $_[0]->query('SET statement_timeout = 100; SELECT pg_sleep(1)') } ]);

# With a timeout of a millisecond the timer fires everywhere.
sub strikes_everywhere
{
	my ($how) = @_;
	my $busy = DqdsTest::Sql->connect($control);
	$busy->must("SET dqds.session_idle_timeout = '1ms'");
	my @failed = grep { sleep 0.002 if $_ % 3 == 0; $busy->query($list)->{error} } 1 .. 200;
	is(scalar @failed, 0, "a timeout of a millisecond, $how: all calls work");
	$busy->close;
	no_session_left("a timeout of a millisecond, $how");
	return;
}

ends_when_idle("without TLS, $_->[0]", $_->[1]) foreach @meanwhile;
strikes_everywhere('without TLS');

# A backend that ends closes its sessions properly as well.
{
	mark_log();
	my $short = DqdsTest::Sql->connect($control);
	$short->must($list);
	$short->close;
	no_session_left('the end of the backend');
	has_no_complaint('the end of the backend');
}

# Only those that were idle for so long end; the timer goes on for the others.
{
	my $idle = DqdsTest::Sql->connect($control);
	$idle->must("SET dqds.session_idle_timeout = '5s'");
	$idle->must(q(SELECT * FROM dqds_list_schemas('many 1')));
	sleep 2;
	$idle->must(q(SELECT * FROM dqds_list_schemas('many 2')));
	my $start = time;
	is(sessions(), 2, 'two idle sessions');
	ok(poll_until(sub { sessions() == 1 }, 20), sprintf 'the older one ends first (after %.1f s)', time - $start);
	ok(poll_until(sub { sessions() == 0 }, 20), sprintf 'then the younger one (after %.1f s)', time - $start);
	cmp_ok(time - $start, '>', 4.5, 'not before its time');

	# A session that is used goes on.
	mark_log();
	for (1 .. 12) { $idle->must($list); sleep 0.5; }
	is(logins(), 1, 'a session that is used again and again is never too old');
	$idle->close;
	no_session_left('timers');
}

# --- The same with TLS -------------------------------------------------------------------------------------------------------------------

{
	my $data = $remote->data_dir;
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[
			qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=remote -keyout),
			"$data/server.key", '-out', "$data/server.crt"
		], '<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
	chmod 0600, "$data/server.key";
	$remote->append_conf('postgresql.conf', 'ssl = on');
	$remote->restart;
	$sql->must("SELECT dqds_update_connection('remote', " . sql_literal(connection_model($remote, sslmode => 'require')) . ')');

	my $encrypted = DqdsTest::Sql->connect($control);
	mark_log();
	$encrypted->must($list) foreach 1 .. 5;
	is(logins(), 1, 'with TLS: 5 listings are one login');
	like(remote_log(), qr/connection authorized: user=reader .*SSL enabled/, 'with TLS: it is encrypted');
	$encrypted->close;
	no_session_left('with TLS: the end of the backend');
	has_no_complaint('with TLS: the end of the backend');
	ends_when_idle("with TLS, $_->[0]", $_->[1]) foreach @meanwhile[ 0 .. 4 ];
	strikes_everywhere('with TLS');
}

done_testing();
