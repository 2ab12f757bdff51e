# Connection slots of a remote server: dqds' own sessions, idle in any backend, never make a login fail that needs their
# slots; a server that has no slot left for other reasons is reported as full after a few tries; and a test leaves no session
# behind.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Relay;
use DqdsTest::Sql;
use Fcntl qw(:flock);
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $control = control_server('control', conf => 'max_connections = 60');
my $sql     = DqdsTest::Sql->connect($control);
my $other   = DqdsTest::Sql->connect($control);
my $watch   = DqdsTest::Sql->connect($remote);
my $password = remote_password($remote);

# limited(ROLE, LIMIT, NAME…): a role of that CONNECTION LIMIT at the remote, and connections of it.
sub limited
{
	my ($role, $limit, @names) = @_;
	$remote->safe_psql('postgres', "CREATE ROLE $role LOGIN PASSWORD '$password' CONNECTION LIMIT $limit");
	create_connection($control, $_, connection_model($remote, user => $role)) foreach @names;
	return;
}

sub sessions
{
	my ($role) = @_;
	return $watch->value("SELECT count(*) FROM pg_stat_activity WHERE usename = '$role'");
}

sub no_session
{
	my ($role, $what) = @_;
	ok(poll_until(sub { sessions($role) == 0 }, 15), "$what: no session is left");
	return;
}

# What a listing, a diagnosis or tests came to: 'ok', the steps that are not, or the codes of the tests.
sub outcome
{
	my ($session, $query) = @_;
	my $answer = $session->query($query);
	return "$answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
	return join(',', map { $_->{error_code} // $_->{connection_test_result} // "$_->{step} $_->{status}" }
		  grep { $_->{connection_test_result} || ($_->{status} // '') =~ /failed|skipped/ } @{ $answer->{rows} }) || 'ok';
}

sub list        { return outcome($_[0], "SELECT schema_name FROM dqds_list_schemas('$_[1]')"); }
sub check       { return outcome($_[0], "SELECT * FROM dqds_test_connection('$_[1]')"); }
sub check_model { return outcome($_[0], 'SELECT * FROM dqds_test_connection(' . sql_literal($_[1]) . '::text)'); }
sub diagnose    { return outcome($_[0], "SELECT * FROM dqds_diagnose_connection('$_[1]')"); }

sub close_idle { $_->must('SELECT dqds_close_idle()') foreach @_; return; }

# --- Sessions of the same backend --------------------------------------------------------------------------

limited('one', 1, 'one', 'one again');
{
	is(list($sql, 'one'), 'ok', 'a limit of 1: a listing');
	is(check($sql, 'one'), 'SUCCESS', "a limit of 1: test $_ after it") foreach 1 .. 3;
	is(list($sql, 'one'), 'ok', 'a limit of 1: a listing after the tests');
	is(outcome($sql, q(SELECT * FROM dqds_test_connections(ARRAY['one']))), 'SUCCESS', 'a limit of 1: a test of the fleet');
	is(list($sql, 'one'), 'ok', 'a limit of 1: a listing again');
	is(diagnose($sql, 'one'), 'ok', 'a limit of 1: a diagnosis');
	is(list($sql, 'one'), 'ok', 'a limit of 1: a listing after it');
	is($sql->value(q(SELECT message FROM dqds_diagnose_connection('one') WHERE step = 'resolve')), '127.0.0.1 has 1 address: 127.0.0.1', 'a diagnosis tells of the last login alone');
	is(list($sql, $_), 'ok', "a limit of 1: a listing of \"$_\", by the same role") foreach ('one', 'one again') x 2;
	is(check_model($sql, connection_model($remote, user => 'one')), 'SUCCESS', 'a limit of 1: a test of a model');
}

# --- Sessions of other backends, and of other roles -----------------------------------------------------------------

{
	grant_role($control, 'alice', level => 'operator', connections => ['one']);
	is(list($sql, 'one'), 'ok', 'another backend: has a session');
	is(check($other, 'one'), 'SUCCESS', 'another backend: a test finds the slot');
	is(list($sql, 'one'), 'ok', 'another backend: has a session again');
	is(list($other, 'one'), 'ok', 'another backend: a listing finds the slot');
	$sql->must('SET ROLE alice');
	is(list($sql, 'one'), 'ok', 'another role: a listing finds the slot');
	$sql->must('RESET ROLE');
	is(list($sql, 'one'), 'ok', 'another role: and back');
	close_idle($sql, $other);
	no_session('one', 'another backend');
}

# Sessions of a bridge: three of its backends hold three slots, and nothing calls them.
limited('three', 3, 'three');
{
	my $bridge = start_bridge($control, connections => ['three']);
	my $path   = '/api/datasource/connections/three/schemas';
	my @requests = map { open_socket($bridge) } 1 .. 3;
	$watch->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE');
	syswrite $_, "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n" foreach @requests;
	my $active = q(SELECT pg_stat_clear_snapshot(), count(*) FROM pg_stat_activity WHERE usename = 'three' AND state = 'active');
	ok(poll_until(sub { ($watch->rows($active))[0]{count} == 3 }, 30), 'a bridge: three listings at once');
	$watch->must('ROLLBACK');
	like(read_all($_, 60), qr{^HTTP/1.1 200 }, 'a bridge: each is answered') foreach @requests;
	is(sessions('three'), 3, 'a bridge: they hold the three slots');

	is(check($sql, 'three'), 'SUCCESS', 'a bridge: a test of an SQL session finds one');
	my $test = sub { http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote, user => 'three'))->{json}{connectionTestResult} };
	my @results = map { ($test->(), http($bridge, GET => $path)->{status}) } 1 .. 4;
	is("@results", 'SUCCESS 200 ' x 3 . 'SUCCESS 200', 'a bridge: tests and listings, one after the other');
	is(list($sql, 'three'), 'ok', 'a bridge: a listing of an SQL session');
	is($bridge->stop, 0, 'a bridge: status 0');
	close_idle($sql);
	no_session('three', 'a bridge');
}

# --- Sessions of the same call ----------------------------------------------------------------------------------------

limited('two', 2, map { "two $_" } 1 .. 4);
is(outcome($sql, q(SELECT * FROM dqds_test_connections(ARRAY['two 1', 'two 2', 'two 3', 'two 4']))), 'SUCCESS,SUCCESS,SUCCESS,SUCCESS', 'four tests at once of a role with two slots');
no_session('two', 'four tests at once');

# --- Poolers and servers that hang up ------------------------------------------------------------------------------------

{
	my $pooler = start_pgbouncer($remote, 'transaction', 'max_client_conn = 1');
	create_connection($control, 'pooler', connection_model($remote, port => '' . $pooler->port));
	is(list($sql, 'pooler'), 'ok', 'a pooler with one slot: a listing');
	is(check($sql, 'pooler'), 'SUCCESS', 'a pooler with one slot: a test');
	is(list($sql, 'pooler'), 'ok', 'a pooler with one slot: a listing again');
	is(check($other, 'pooler'), 'SUCCESS', 'a pooler with one slot: a test of another backend');
	close_idle($sql, $other);
	$pooler->stop;
}

# As pglite-socket does it: one connection at a time, others are closed without a word.
{
	my $lock  = PostgreSQL::Test::Utils::tempdir('single') . '/lock';
	my $single = start_fake_server(
		sub {
			my ($client) = @_;
			open my $file, '>', $lock or die "$lock: $!";
			relay($client, $remote->port) if flock $file, LOCK_EX | LOCK_NB;
		});
	my $model = connection_model($remote, port => '' . $single->port, sslmode => 'disable');
	create_connection($control, 'single', $model);
	is(list($sql, 'single'), 'ok', 'one connection at a time: a listing');
	is(check($sql, 'single'), 'SUCCESS', 'one connection at a time: a test');
	is(list($sql, 'single'), 'ok', 'one connection at a time: a listing again');
	is(check($other, 'single'), 'SUCCESS', 'one connection at a time: a test of another backend');
	is(check_model($other, $model), 'SUCCESS', 'one connection at a time: a test of a model');
	is(list($other, 'single'), 'ok', 'one connection at a time: a listing there');
	close_idle($sql, $other);

	# And other clients can log in as soon as a test is over.
	my $gets_in = sub { IPC::Run::run([ 'psql', '-qXAt', '-c', 'SELECT 1', '-d', "host=127.0.0.1 port=$single->{port} dbname=postgres user=reader sslmode=disable connect_timeout=5" ], '<', '/dev/null', '>', \my $out, '2>', \my $err) };
	local $ENV{PGPASSWORD} = $password;
	ok(poll_until($gets_in, 15), 'one connection at a time: another client');
	is(check_model($sql, $model), 'SUCCESS', 'one connection at a time: a test, with nothing there');
	ok(poll_until($gets_in, 15), 'one connection at a time: another client after a test');
	$other->must('SET dqds.session_idle_timeout = 0');
	is(list($other, 'single'), 'ok', 'one connection at a time: a listing that keeps nothing');
	ok(poll_until($gets_in, 15), 'one connection at a time: another client after that');
	$other->must('RESET dqds.session_idle_timeout');
}

# --- A test leaves no session --------------------------------------------------------------------------------------------

create_connection($control, 'plain', connection_model($remote));
{
	my $bridge = start_bridge($control);
	my %test   = (
		'by name'          => sub { check($sql, 'plain') },
		'of a model'       => sub { check_model($sql, connection_model($remote)) },
		'of the fleet'     => sub { outcome($sql, q(SELECT * FROM dqds_test_connections(ARRAY['plain', 'plain']))) =~ s/^SUCCESS,SUCCESS$/SUCCESS/r },
		'with a diagnosis'  => sub { diagnose($sql, 'plain') eq 'ok' ? 'SUCCESS' : 'no' },
		'over REST'        => sub { http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote))->{json}{connectionTestResult} },
		'with its details'  => sub { http($bridge, POST => '/api/datasource/testconnection?details=true', {}, connection_model($remote))->{json}{connectionTestResult} });
	foreach my $how (sort keys %test)
	{
		is($test{$how}->(), 'SUCCESS', "a test $how: works");
		no_session('reader', "a test $how");
	}

	# So a database can be dropped as soon as it has been tested.
	$remote->safe_psql('postgres', 'CREATE DATABASE tmpdb');
	is(http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote, database => 'tmpdb'))->{json}{connectionTestResult}, 'SUCCESS', 'a test of a database');
	is($watch->query('DROP DATABASE tmpdb')->{error}, undef, 'which can be dropped then');
	$bridge->stop;
}

# The session of a listing is renewed by a test, and ends with one that fails.
{
	my $pid = sub { return join ',', $watch->column(q(SELECT pid FROM pg_stat_activity WHERE usename = 'reader' ORDER BY 1)); };
	is(list($sql, 'plain'), 'ok', 'a session is there');
	my $before = $pid->();
	is(check($sql, 'plain'), 'SUCCESS', 'a test beside it');
	ok(poll_until(sub { sessions('reader') == 1 }, 15), 'there is one session still');
	my $renewed = $pid->();
	isnt($renewed, $before, 'it is that of the test');
	is(list($sql, 'plain'), 'ok', 'a listing');
	is($pid->(), $renewed, 'uses it');
	$watch->must(q(ALTER ROLE reader NOLOGIN));
	is(list($sql, 'plain'), 'ok', 'a session that is there outlives NOLOGIN');
	is(check($sql, 'plain'), 'login_not_allowed', 'a test does not');
	no_session('reader', 'a test that fails');
	like(list($sql, 'plain'), qr/^QD010 /, 'nor does a listing after it');
	$watch->must(q(ALTER ROLE reader LOGIN));
}

# --- A server that is really full -------------------------------------------------------------------------------------------

# How often logins of a role were refused for want of a slot since the log had that length.
sub refusals
{
	my ($role, $from) = @_;
	return scalar(() = slurp_file($remote->logfile, $from) =~ /FATAL: .*too many connections for role "$role"/g);
}

limited('full', 1, 'full');
{
	my $holder = DqdsTest::Sql->connect($remote, user => 'full');
	my $hint   = "SELECT hint FROM dqds_test_connection('full')";
	is(list($sql, 'plain'), 'ok', 'full: dqds has a session at that server');
	my $from = -s $remote->logfile;
	is(check($sql, 'full'), 'too_many_connections', 'full: a client that is not dqds holds the slot');
	cmp_ok(refusals('full', $from), '>', 2, 'full: the login was tried again');
	cmp_ok(refusals('full', $from), '<=', 6, 'full: some times');
	no_session('reader', 'full: the idle session was given up for it');

	# Whatever ended sessions, the count is right: with none, and none that has just ended, there is nothing to wait for.
	my $short = DqdsTest::Sql->connect($control);
	is(list($short, 'plain'), 'ok', 'a backend that is ended: has a session');
	$sql->must('SELECT pg_terminate_backend(' . $short->pid . ')');
	my $brief = DqdsTest::Sql->connect($control);
	$brief->must(q(SET dqds.session_idle_timeout = '100ms'));
	is(list($brief, 'plain'), 'ok', 'a session that is soon idle for too long');
	is(list($other, 'plain'), 'ok', 'a session that is ended there');
	$watch->must(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'));
	is(list($other, 'plain'), 'ok', 'and is replaced');
	close_idle($other);
	no_session('reader', 'before the count');
	my $few = sub { $from = -s $remote->logfile; return check($sql, 'full') eq 'too_many_connections' && refusals('full', $from) <= 2; };
	ok(poll_until($few, 30), 'full: without a session of dqds there, the login is tried twice at most') or diag(refusals('full', $from));
	like($sql->value($hint), qr/dqds\.session_idle_timeout/, 'full: the hint names the setting');

	# The deadline of the login is one for all tries.
	is(list($sql, 'plain'), 'ok', 'full: a session again');
	$sql->must(q(SET dqds.connect_timeout = '100ms'));
	$from = -s $remote->logfile;
	# On a busy machine not even the first login is refused within that time: then there are fewer tries still.
	check($sql, 'full');
	cmp_ok(refusals('full', $from), '<=', 3, 'full: with a short deadline, fewer tries');
	$sql->must(q(RESET dqds.connect_timeout));

	# A wait for a slot can be cancelled.
	is(list($sql, 'plain'), 'ok', 'full: a session for the last time');
	$sql->must(q(SET statement_timeout = '500ms'));
	my $answer = $sql->query(q(SELECT * FROM dqds_test_connection('full')));
	is($answer->{error}{sqlstate}, '57014', 'full: statement_timeout ends the tries');
	$sql->must(q(RESET statement_timeout));
	$holder->close;
	ok(poll_until(sub { check($sql, 'full') eq 'SUCCESS' }, 15), 'the slot is free: a test works');
}

# --- No shared memory left ---------------------------------------------------------------------------------------------------

# A table of locks that has grown as far as it can leaves none. Then each backend counts its own sessions.
{
	my $count = q(SELECT count(*) FROM pg_shmem_allocations WHERE name = 'dqds sessions');
	is($sql->value($count), 1, 'sessions are counted in shared memory');
	my $tight = control_server('tight', conf => "max_locks_per_transaction = 10\nmax_connections = 20");
	create_connection($tight, 'one', connection_model($remote, user => 'one'));
	my $session = DqdsTest::Sql->connect($tight);
	is($session->query('SELECT count(pg_advisory_xact_lock(g)) FROM generate_series(1, 10000000) g')->{error}{sqlstate}, '53200', 'no shared memory: it is used up');
	my $left = $session->value('SELECT size FROM pg_shmem_allocations WHERE name IS NULL');
	is(list($session, 'one'), 'ok', 'no shared memory: a listing');
	is(check($session, 'one'), 'SUCCESS', 'no shared memory: a test');
	is(list($session, 'one'), 'ok', 'no shared memory: a listing again');
	is($session->value($count), 0, 'no shared memory: there was none for dqds') or diag("$left bytes were left");
}

done_testing();
