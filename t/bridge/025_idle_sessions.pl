# Remote sessions that control backends keep for the next request end after dqds.session_idle_timeout, even if those backends
# are idle in the pool of the bridge and nothing calls them: the extension closes them, and the bridge sends nothing. The
# control connections themselves stay open.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $remote  = remote_server('remote');
my $control = control_server('control');
create_connection($control, 'shop', connection_model($remote));
start_bridge($control, connections => ['shop'])->stop;    # makes the roles

my $locker  = DqdsTest::Sql->connect($remote);
my $schemas = '/api/datasource/connections/shop/schemas';

# The sessions at the remote server, in any state or in a given one.
sub remote_sessions
{
	my ($state) = @_;
	$locker->must('SELECT pg_stat_clear_snapshot()');
	return $locker->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'" . (defined $state ? " AND state = '$state'" : ''));
}

sub control_sessions { return $control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge')); }

# A bridge with four control backends, each of which keeps a remote session.
sub bridge_with_sessions
{
	my ($name) = @_;
	my $bridge = start_bridge(undef, control_db => bridge_conninfo($control));
	# The lock makes them run at the same time.
	$locker->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE');
	my @sockets = map { open_socket($bridge) } 1 .. 4;
	syswrite $_, "GET $schemas HTTP/1.1\r\nHost: localhost\r\n\r\n" foreach @sockets;
	ok(poll_until(sub { remote_sessions('active') == 4 }, 30), "$name: four requests at once");
	$locker->must('ROLLBACK');
	like(read_all($_, 60), qr{^HTTP/1.1 200 }, "$name: a request is answered") foreach @sockets;
	return $bridge;
}

sub ends_in_time
{
	my ($name) = @_;
	my $bridge = bridge_with_sessions($name);
	my $began  = time;
	is(remote_sessions('idle'), 4, "$name: four sessions are kept");
	# The timeout is 3 seconds, where the default is a minute.
	ok(poll_until(sub { remote_sessions() == 0 }, 30), "$name: all of them have ended");
	my $took = time - $began;
	is($control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND query LIKE '%close_idle%')), 0, "$name: without a word of the bridge");
	cmp_ok(control_sessions(), '>=', 4, "$name: the control connections stay");
	is(http($bridge, GET => $schemas)->{status}, 200, "$name: the next request works");
	is($bridge->stop, 0, "$name: status 0");
	ok(poll_until(sub { remote_sessions() == 0 && control_sessions() == 0 }, 20), "$name: nothing is left");
	diag(sprintf '%s: ended after %.1f s', $name, $took);
	return;
}

# With the default of a minute they stay, and with 3 seconds they do not.
my $bridge = bridge_with_sessions('default');
sleep 5;
is(remote_sessions('idle'), 4, 'default: sessions are kept for longer than some seconds');
is($bridge->stop, 0, 'default: status 0');
ok(poll_until(sub { remote_sessions() == 0 }, 20), 'default: they end with the bridge');

$control->safe_psql('postgres', q(ALTER ROLE dqds_bridge SET dqds.session_idle_timeout = '3s'));
ends_in_time('set for the role');
$control->safe_psql('postgres', q(ALTER ROLE dqds_bridge RESET ALL; ALTER DATABASE postgres SET dqds.session_idle_timeout = 3000));
ends_in_time('set for the database');

# A timeout of 0 keeps none at all.
$control->safe_psql('postgres', q(ALTER DATABASE postgres SET dqds.session_idle_timeout = 0));
$bridge = bridge_with_sessions('none');
ok(poll_until(sub { remote_sessions() == 0 }, 20), 'none: no session is kept');
$bridge->stop;

unlike(slurp_file($remote->logfile), qr/unexpected EOF|could not receive data/, 'every session said good-bye');
done_testing();
