# Shares are per caller: whatever one caller holds (connections to the control database by reading slowly, by waiting for
# locks or by many silent sources; threads by idle sockets and bodies that never arrive), it gets half at most, and all others
# are served as usual. Each attack continues while it is measured: requests that are refused or ended are repeated at once.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Process;
use DqdsTest::Sql;
use IO::Select;
use IO::Socket::INET;
use POSIX  ();
use Socket qw(MSG_PEEK MSG_DONTWAIT);
use Test::More;
use Time::HiRes qw(sleep time);

# The time within which each request of the others must be answered. Each attack lasts for a minute or longer.
use constant SOON => patience(10);

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'max_connections = 150');
my $silent  = start_fake_server(\&hold);
my @silent  = map { sprintf 'silent%02d', $_ } 1 .. 28;
create_connection($control, $_, connection_model($remote)) foreach qw(shop locked);
create_connection($control, $_, connection_model($remote, note => 'x' x 900_000)) foreach map { "big$_" } 1 .. 16;
create_connection($control, $_,
	connection_model(undef, host => '127.0.0.1', port => '' . $silent->port, user => 'u', password => 'p', properties => { connect_timeout => '600' }))
  foreach @silent;
grant_role($control, 'thief', level => 'admin');
grant_role($control, $_, level => 'operator', connections => ['shop']) foreach qw(other third);
start_bridge($control, level => 'operator', connections => ['shop'])->stop;
my $sql = DqdsTest::Sql->connect($control);
$sql->must('GRANT thief, other, third TO dqds_bridge');
my @thief = map { $sql->value(q(SELECT dqds_create_token('thief'))) } 1 .. 3;
my ($other, $third) = map { $sql->value("SELECT dqds_create_token('$_')") } qw(other third);
my $model = connection_model($remote);

sub busy_backends
{
	$sql->must('SELECT pg_stat_clear_snapshot()');
	return $sql->value(q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle'));
}

sub another_bridge { return start_bridge(undef, control_db => bridge_conninfo($control), options => [ '--request-timeout', 600, @_ ]); }

# --- One request, from any address of this machine -----------------------------------------------------------------

sub socket_from
{
	my ($bridge, $address) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $bridge->port, LocalAddr => $address, Timeout => SOON);
}

sub as_bytes
{
	my ($token, $method, $target, $body) = @_;
	return "$method $target HTTP/1.1\r\nHost: localhost\r\n" . (defined $token ? "Authorization: Bearer $token\r\n" : '')
	  . (defined $body ? "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" : '') . "\r\n" . ($body // '');
}

# without_body(TOKEN): a request whose body never comes.
sub without_body { return as_bytes($_[0], POST => '/api/datasource/testconnection', 'x' x 100) =~ s/x+\z//r; }

# ask(BRIDGE, ADDRESS, BYTES, METHOD): its answer, with ->{seconds} that it took.
sub ask
{
	my ($bridge, $address, $bytes, $method) = @_;
	my $began  = time;
	my $socket = socket_from($bridge, $address) or return { status => 0, seconds => time - $began, body => 'no connection' };
	syswrite $socket, $bytes;
	my ($raw, $closed) = read_all($socket, 2 * SOON);
	my $answer = length $raw ? parse_answer($raw, $closed, $method) : { status => 0, body => 'no answer' };
	$answer->{seconds} = time - $began;
	return $answer;
}

# --- Attacks --------------------------------------------------------------------------------------------------------

# attack(BRIDGE, COUNT, ADDRESS, SUB, drip => 1): so many sockets, from that address or the one that it returns for a number, each of which sends what SUB returns for its number, and a byte
# each second if it drips. They read nothing; what has been answered with an error, or closed, is opened again, two hundred in a
# second: faster, and from the same address, none of the others could be told from them before their headers are there.
sub attack
{
	my ($bridge, $count, $address, $bytes, %opt) = @_;
	return DqdsTest::Process->start(
		'attack', undef,
		sub {
			local $SIG{PIPE} = 'IGNORE';
			my @sockets;
			my $next = time + 1;
			my $end  = time + patience(120);
			while (time < $end)
			{
				my $opened = 0;
				foreach my $n (0 .. $count - 1)
				{
					last if $opened == 10;
					my $start = '';
					my $came  = $sockets[$n] && recv $sockets[$n], $start, 12, MSG_PEEK | MSG_DONTWAIT;
					next if $sockets[$n] && !defined $came && $!{EAGAIN};
					next if $start =~ m{^HTTP/1\.1 2};
					close $sockets[$n] if $sockets[$n];
					$sockets[$n] = socket_from($bridge, ref $address ? $address->($n) : $address) or next;
					syswrite $sockets[$n], $bytes->($n);
					$opened++;
				}
				if ($opt{drip} && time > $next)
				{
					$_ && syswrite $_, 'x' foreach @sockets;
					$next = time + 1;
				}
				sleep 0.05;
			}
			POSIX::_exit(0);
		});
}

# others_are_served(BRIDGE, WHAT): while it goes on: for some seconds, with tokens of two other roles. All addresses of this
# machine are one caller, so that there is no other one without a token.
sub others_are_served
{
	my ($bridge, $what, %opt) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %request = (
		listing  => [ GET  => '/api/datasource/connections/shop/schemas' ],
		test     => [ POST => '/api/datasource/testconnection', $model ],
		registry => [ GET  => '/api/connections/shop/basic' ],
		health   => [ GET  => '/api/ishealthy' ]);
	my (%count, @faults);
	my ($slowest, $most, $end) = (0, 0, time + 4);
	do
	{
		foreach my $kind (sort keys %request)
		{
			foreach my $token ($other, $third)
			{
				my $answer;
				# The attack has the same address: on a busy machine a connection may be the longest idle one of it before its header is sent.
				foreach (1 .. 3)
				{
					$answer = ask($bridge, '127.0.0.1', as_bytes($token, @{ $request{$kind} }), $request{$kind}[0]);
					last if $answer->{status} || $answer->{seconds} > 1;
				}
				# The control database has 80 ms to say that it is well, which a busy machine may not have.
				my $good = $answer->{status} == 200 || ($kind eq 'health' && $answer->{status} == 503 && $answer->{body} eq '"UNAVAILABLE"');
				$slowest = $answer->{seconds} if $answer->{seconds} > $slowest;
				push @faults, sprintf '%s: %s %.200s after %.1f s', $kind, $answer->{status}, $answer->{body}, $answer->{seconds}
				  if !$good || $answer->{seconds} > SOON;
				$count{ $answer->{status} }++;
			}
		}
		my $busy = busy_backends();
		$most = $busy if $busy > $most;
	} while (time < $end && @faults < 5);
	is(join('; ', @faults), '', "$what: others are served (" . ($count{200} // 0) . sprintf ' requests, the slowest in %.2f s)', $slowest);
	# One of the others may still be at its end.
	cmp_ok($most, '<=', $opt{most} + 1, "$what: no more than $opt{most} connections were held") if defined $opt{most};
	return;
}

# refused_with(BRIDGE, ADDRESS, BYTES, METHOD, MESSAGE, WHAT)
sub refused_with
{
	my ($bridge, $address, $bytes, $method, $message, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer;
	poll_until(sub { ($answer = ask($bridge, $address, $bytes, $method))->{status} == 503 }, 20);
	is(answer_fault($answer, 503), undef, "$what: the same caller gets 503");
	is_deeply([ @{ $answer->{json} }{qw(message errorCode)} ], [ $message, 'busy' ], "$what: which says what limit it is") if $answer->{json};
	return;
}

sub all_is_free_again
{
	my ($bridge, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(poll_until(sub { busy_backends() == 0 }, 30), "$what: afterwards nothing is held");
	is(ask($bridge, '127.0.0.1', as_bytes($thief[0], GET => '/api/datasource/connections/shop/schemas'), 'GET')->{status}, 200, "$what: and that caller is served again");
	return;
}

my $try_again = 'try again in a moment, or raise';

# --- The pool -------------------------------------------------------------------------------------------------------

{
	my $bridge = another_bridge();
	my $small  = sub { return as_bytes($thief[ $_[0] % 3 ], GET => '/api/connections/shop/basic'); };
	ask($bridge, '127.0.0.1', $small->($_), 'GET') foreach 0 .. 2;

	my $what    = 'slow readers';
	my $process = attack($bridge, 32, '127.0.0.1', sub { as_bytes($thief[ $_[0] % 3 ], GET => '/api/connections') });
	ok(poll_until(sub { busy_backends() >= 14 }, 20), "$what: they hold what they can");
	others_are_served($bridge, $what, most => 14);
	refused_with($bridge, '127.0.0.1', $small->(0), 'GET', "this client already has 14 requests running that wait for no data source, its limit; $try_again --pool-size", $what);
	$process->stop;
	all_is_free_again($bridge, $what);

	$what = 'waiting for a lock';
	my $locker = DqdsTest::Sql->connect($control);
	$locker->must(q(BEGIN; SELECT FROM dqds_connection WHERE name = 'locked' FOR UPDATE));
	$process = attack($bridge, 32, '127.0.0.1', sub { as_bytes($thief[ $_[0] % 3 ], PUT => '/api/connections/locked/basic', $model) });
	ok(poll_until(sub { busy_backends() >= 14 }, 20), "$what: they hold what they can");
	others_are_served($bridge, $what, most => 14);
	$process->stop;
	$locker->must('ROLLBACK');
	$locker->close;
	all_is_free_again($bridge, $what);

	$what    = 'many silent sources';
	$process = attack($bridge, 28, '127.0.0.1', sub { as_bytes($thief[ $_[0] % 3 ], GET => "/api/datasource/connections/$silent[$_[0]]/schemas") });
	ok(poll_until(sub { busy_backends() >= 14 }, 20), "$what: they hold what they can");
	others_are_served($bridge, $what, most => 14);
	is(ask($bridge, '127.0.0.1', $small->(0), 'GET')->{status}, 200, "$what: what waits for none has some left, for the same caller, too");
	refused_with($bridge, '127.0.0.1', as_bytes($thief[0], GET => '/api/datasource/connections/shop/schemas'), 'GET',
		"this client already has 14 requests waiting for data sources, its limit; $try_again --pool-size", $what);
	$process->stop;
	all_is_free_again($bridge, $what);

	$what    = 'bodies with many silent sources';
	$process = attack($bridge, 28, '127.0.0.1',
		sub { as_bytes($thief[ $_[0] % 3 ], POST => '/api/jobs/importtables', to_json({ connectionName => $silent[$_[0]], schemaName => 'x' })) });
	ok(poll_until(sub { busy_backends() >= 6 }, 20), "$what: they hold what they can");
	# Besides the requests that hold connections, some have their tokens verified.
	others_are_served($bridge, $what, most => 14);
	$process->stop;
	all_is_free_again($bridge, $what);

	# Each of these tokens is used for the first time, so its role must be looked up.
	$what = 'slow readers with a new token each';
	my @new = $sql->column(q(SELECT dqds_create_token('thief') FROM generate_series(1, 2500)));
	$process = attack($bridge, 40, '127.0.0.1', sub { as_bytes(shift @new // $thief[0], GET => '/api/connections') });
	ok(poll_until(sub { busy_backends() >= 14 }, 20), "$what: they hold what they can");
	others_are_served($bridge, $what, most => 14);
	ok(poll_until(sub { ask($bridge, '127.0.0.1', $small->(0), 'GET')->{status} == 503 }, 20), "$what: the same role is refused with another token");
	$process->stop;
	all_is_free_again($bridge, $what);

	# Without a token the address is the caller, and all addresses of this machine are one.
	$what    = 'slow readers without a token, from several addresses of this machine';
	$sql->must(q(SELECT dqds_grant('admin', 'dqds_anonymous')));
	$process = attack($bridge, 60, sub { '127.0.0.' . (1 + $_[0] % 3) }, sub { as_bytes(undef, GET => '/api/connections') });
	ok(poll_until(sub { busy_backends() >= 14 }, 20), "$what: they hold what they can");
	others_are_served($bridge, $what, most => 14);
	$process->stop;
	all_is_free_again($bridge, $what);
	is($bridge->stop, 0, 'the pool: status 0');
}

# --- The threads ------------------------------------------------------------------------------------------------------

# So few that what waits behind the attack would wait for it nearly a minute.
{
	my $bridge = another_bridge('--threads', 32);
	foreach my $case (
		[ 'idle sockets',                         sub { '' } ],
		[ 'idle sockets from several addresses of this machine', sub { '' }, from => sub { '127.0.0.' . (1 + $_[0] % 3) } ],
		[ 'sockets with a byte each second',      sub { 'GET /' }, drip => 1 ],
		[ 'bodies that do not come, no token',    sub { without_body(undef) },     limited => undef, most => 12 ],
		[ 'bodies that do not come, one unknown token', sub { without_body('dqds_' . '0' x 64) } ],
		[ 'bodies that do not come, many unknown tokens', sub { without_body(sprintf 'dqds_%064d', $_[0]) } ],
		[ 'bodies that do not come, good tokens', sub { without_body($thief[ $_[0] % 3 ]) }, limited => $thief[0], most => 16 ],
		[ 'idle sockets and bodies that do not come, a good token', sub { $_[0] % 2 ? without_body($thief[0]) : '' }, limited => $thief[0], most => 16 ],
		[ 'idle sockets and bodies that do not come, no token', sub { $_[0] % 2 ? without_body(undef) : '' }, limited => undef, most => 12 ],
		[ 'idle sockets and bodies that do not come, with a good token and without', sub { $_[0] % 3 ? without_body($_[0] % 3 == 1 ? $thief[0] : undef) : '' } ])
	{
		my ($what, $bytes, %opt) = @$case;
		my $process = attack($bridge, 300, $opt{from} // '127.0.0.1', $bytes, drip => $opt{drip});
		others_are_served($bridge, $what);
		refused_with($bridge, '127.0.0.1', as_bytes($opt{limited}, GET => '/api/connections/shop/basic'), 'GET',
			"this client already has $opt{most} requests running, its limit; $try_again --threads", $what)
		  if exists $opt{limited};
		$process->stop;
		all_is_free_again($bridge, $what);
	}
	is($bridge->stop, 0, 'the threads: status 0');
}

# As many idle sockets as there are threads: no thread is left that could take one more and make room for it. Without room, each
# request would wait until the five seconds of an idle socket's header are over.
{
	my $bridge = another_bridge('--threads', 2);
	my @seconds;
	foreach my $round (1 .. 6)
	{
		my @idle   = map { socket_from($bridge, '127.0.0.1') } 1 .. 2;
		my $answer = ask($bridge, '127.0.0.2', as_bytes(undef, GET => '/api/ishealthy'), 'GET');
		push @seconds, $answer->{seconds} if $answer->{status} == 200;
	}
	# On a busy machine a request's own connection may be the longest idle one before its header is read.
	cmp_ok(scalar(grep { $_ < 4.5 } @seconds), '>=', 3, 'two threads, two idle sockets: most requests are served before the time of the idle sockets is over')
	  or diag "seconds: @seconds";
	is($bridge->stop, 0, 'two threads: status 0');
}

# A token is verified before the body is read: the request is refused, and the connection closed, before any of it has
# arrived.
{
	my $bridge = another_bridge();
	foreach my $row ([ POST => '/api/datasource/testconnection' ], [ POST => '/api/connections/x/basic' ], [ PUT => '/api/connections/x/basic' ], [ POST => '/api/jobs/importtables' ])
	{
		my ($method, $target) = @$row;
		my $bytes = as_bytes('dqds_' . '0' x 64, $method => $target, 'x' x 100) =~ s/x+\z//r;
		my $answer = ask($bridge, '127.0.0.1', $bytes, $method);
		is(answer_fault($answer, 401, $method), undef, "$method $target with an unknown token and no body: 401");
	}
	is($bridge->stop, 0, 'bodies: status 0');
}

done_testing();
