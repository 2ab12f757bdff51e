# Figure 12: how much a healthy source is slowed down while many requests wait for a silent one. Figures 13: how much
# another caller is slowed down while one caller takes all that it can get, in four ways.
package Figures::Bulkhead;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Refusing;
use DqdsTest::Sql;

use constant { CROWD => 32, CLIENTS => 4, SILENT => 28, IDLE => 300 };

sub figures
{
	my $remote  = remote_server('healthy');
	my $control = control_server('bulkhead_control', conf => 'max_connections = 150');
	create_connection($control, 'healthy', connection_model($remote));
	my @figures = (beside_a_crowd($remote, $control), beside_another_caller($remote, $control));
	$remote->stop('immediate');
	return @figures;
}

sub schemas_of { my ($name) = @_; return "/api/datasource/connections/$name/schemas"; }

# The bridge's sessions with the control database that work on a request.
sub busy_backends
{
	my ($control) = @_;
	return $control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle'));
}

# silent_model(PORT): a connection to something that never answers.
sub silent_model
{
	my ($port) = @_;
	return connection_model(undef, host => '127.0.0.1', port => "$port", user => 'u', password => 'p', properties => { connect_timeout => '60' });
}

# sockets(BRIDGE, BYTES…): a socket for each, on which that is sent and nothing is read.
sub sockets
{
	my ($bridge, @bytes) = @_;
	return map { my $socket = open_socket($bridge); syswrite $socket, $_ if length; $socket } @bytes;
}

sub await
{
	my ($what, $check) = @_;
	poll_until($check, 30) or die "$what\n";
	return;
}

# --- Figure 12 ---------------------------------------------------------------------------------------------------

sub beside_a_crowd
{
	my ($remote, $control) = @_;
	my $hole = black_hole();
	create_connection($control, 'hole', silent_model($hole->{port}));
	my $bridge = start_bridge($control, connections => [qw(healthy hole)]);
	grant_role($control, 'crowd', level => 'operator', connections => ['hole']);
	$control->safe_psql('postgres', 'GRANT crowd TO dqds_bridge');
	my $crowd = $control->safe_psql('postgres', q(SELECT dqds_create_token('crowd')));
	my $rate  = sub { wrk($bridge->port, schemas_of('healthy'), clients => CLIENTS) };    # dies when one fails
	$rate->();

	my $result = in_turns(
		rounds(),
		alone  => $rate,
		beside => sub {
			my @crowd = sockets($bridge, (request($crowd, GET => schemas_of('hole'))) x CROWD);
			await('nothing waits for the black hole', sub { busy_backends($control) > 1 });
			my $beside = $rate->();
			close $_ foreach @crowd;
			await('the crowd still waits', sub { busy_backends($control) == 0 });
			return $beside;
		});
	$bridge->stop;
	return compare('12', 'REST schemas of a healthy source beside ' . CROWD . ' requests to a black hole; alone', '/s', [ '>=', 0.8 ],
		@$result{qw(beside alone)});
}

# --- Figures 13 ---------------------------------------------------------------------------------------------------

sub request
{
	my ($token, $method, $target, $body) = @_;
	return "$method $target HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n"
	  . (defined $body ? "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" : '') . "\r\n" . ($body // '');
}

# The attacks of one caller: the sockets of each, and what it holds meanwhile.
sub attacks
{
	my ($bridge, $control, $thief, $model) = @_;
	my $locker = DqdsTest::Sql->connect($control);
	my $some_are_held = sub { busy_backends($control) > 1 };
	return (
		[ '13a', CROWD . ' slow readers', sub { sockets($bridge, (request($thief, GET => '/api/connections')) x CROWD) }, $some_are_held ],
		[ '13b', CROWD . ' requests that wait for a lock', sub {
				$locker->must(q(BEGIN; SELECT FROM dqds_connection WHERE name = 'locked' FOR UPDATE));
				return sockets($bridge, (request($thief, PUT => '/api/connections/locked/basic', $model)) x CROWD);
			}, $some_are_held, sub { $locker->must('ROLLBACK') } ],
		[ '13c', SILENT . ' silent sources', sub { sockets($bridge, map { request($thief, GET => schemas_of("silent$_")) } 1 .. SILENT) }, $some_are_held ],
		[ '13d', IDLE . ' idle sockets', sub { sockets($bridge, ('') x IDLE) }, sub { 1 } ]);
}

sub beside_another_caller
{
	my ($remote, $control) = @_;
	my $silent = start_fake_server(\&hold);
	my $model  = connection_model($remote);
	create_connection($control, 'locked', $model);
	create_connection($control, "silent$_", silent_model($silent->port)) foreach 1 .. SILENT;
	create_connection($control, "big$_", connection_model($remote, note => 'x' x 900_000)) foreach 1 .. 16;
	my $bridge = start_bridge($control, anonymous => undef);
	grant_role($control, 'thief', level => 'admin');
	grant_role($control, 'other', level => 'operator', connections => ['healthy']);
	$control->safe_psql('postgres', 'GRANT thief, other TO dqds_bridge');
	my ($thief, $other) = map { $control->safe_psql('postgres', "SELECT dqds_create_token('$_')") } qw(thief other);
	my $rate = sub { wrk($bridge->port, schemas_of('healthy'), clients => CLIENTS, header => "Authorization: Bearer $other") };
	$rate->();

	my @figures;
	foreach my $attack (attacks($bridge, $control, $thief, $model))
	{
		my ($id, $what, $begin, $goes_on, $end) = @$attack;
		my $result = in_turns(
			rounds(),
			alone  => $rate,
			beside => sub {
				my @sockets = $begin->();
				await("$what: nothing is held", $goes_on);
				my $beside = $rate->();
				close $_ foreach @sockets;
				$end->() if $end;
				await("$what: something is still held", sub { busy_backends($control) == 0 });
				return $beside;
			});
		push @figures, compare($id, "REST schemas for one caller beside $what of another; alone", '/s', [ '>=', 0.8 ], @$result{qw(beside alone)});
	}
	$bridge->stop;
	$silent->stop;
	return @figures;
}

1;
