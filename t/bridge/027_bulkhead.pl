# Bulkheads: requests that wait for one silent data source, or for many, leave the bridge's threads and its connections to the
# control database to all others, none of which fails. Requests that have to wait end at their deadline; requests over a limit
# are refused long before that, with the name of the limit; and afterwards everything is as before.
#
# Nothing here depends on how fast the machine is, but for two things: what is over a limit is refused after three seconds, and
# what waits for a silent source ends after ten.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Outcome;
use DqdsTest::Process;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use IO::Select;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# The deadline of waiting requests, in seconds.
use constant DEADLINE => 10;

# The number of concurrent requests for a silent source.
use constant CROWD => 32;

# The number of requests for a healthy source: in the steady traffic, and where they have to wait for each other.
use constant { STEADY => under() eq 'valgrind' ? 1 : 3, MANY => under() eq 'valgrind' ? 8 : 16 };

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'max_connections = 150');
my $silent  = start_fake_server(\&hold);
my $hole    = black_hole();

sub silent_model
{
	my ($port, %override) = @_;
	return connection_model(undef, host => '127.0.0.1', port => "$port", user => 'u', password => 'p',
		properties => { connect_timeout => '' . DEADLINE }, %override);
}

my @many = map { sprintf 'silent%02d', $_ } 1 .. CROWD;
create_connection($control, 'shop', connection_model($remote));
create_connection($control, 'silent', silent_model($silent->port));
create_connection($control, 'hole',   silent_model($hole->{port}));
create_connection($control, 'limited', silent_model($silent->port, parallel_jobs_limit => 2));
create_connection($control, 'patient', silent_model($silent->port, properties => { connect_timeout => '120' }));
create_connection($control, $_, silent_model($silent->port)) foreach @many;
start_bridge($control, connections => [ qw(shop silent hole limited patient), @many ])->stop;

# The crowd has its own callers, so that the traffic, which has no token, is another caller.
my @crowd = map { "crowd$_" } 1 .. 4;
grant_role($control, $_, level => 'editor', connections => [ qw(shop silent hole limited patient), @many ]) foreach @crowd;
$control->safe_psql('postgres', "GRANT $_ TO dqds_bridge") foreach @crowd;
my %token = map { $_ => $control->safe_psql('postgres', "SELECT dqds_create_token('$_')") } @crowd;

# A bridge that knows all tokens already.
sub another_bridge
{
	my $bridge = start_bridge(undef, control_db => bridge_conninfo($control), options => [@_]);
	http($bridge, GET => '/api/connections/shop/basic', { Authorization => "Bearer $token{$_}" }) foreach @crowd;
	return $bridge;
}

sub schemas_of     { return "/api/datasource/connections/$_[0]/schemas"; }

my $sql = DqdsTest::Sql->connect($control);

# busy_backends: the bridge's sessions with the control database that work on a request.
sub busy_backends
{
	$sql->must('SELECT pg_stat_clear_snapshot()');
	return $sql->value(q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle'));
}

# --- A crowd -----------------------------------------------------------------------------------------------

# One request of each kind, the number N making each body another one. All wait for the connection NAME, or for the server
# that it leads to.
my %kind = (
	schemas => sub { my ($name) = @_; return [ GET => schemas_of($name) ]; },
	tables  => sub { my ($name, $n) = @_; return [ GET => schemas_of($name) . "/schema$n/tables" ]; },
	import  => sub { my ($name, $n) = @_; return [ POST => '/api/jobs/importtables', to_json({ connectionName => $name, schemaName => "schema$n" }) ]; },
	test    => sub { my ($name, $n) = @_; return [ POST => '/api/datasource/testconnection', silent_model($name eq 'hole' ? $hole->{port} : $silent->port, user => "user$n") ]; });

# crowd(NAME, KIND…): as many requests as a crowd has, of these kinds in turn.
sub crowd
{
	my ($name, @kinds) = @_;
	return map { $kind{ $kinds[ $_ % @kinds ] }->($name, $_) } 0 .. CROWD - 1;
}

# by(ROLES, REQUEST…): the requests, each with the token of one of the roles, in turn.
sub by
{
	my ($roles, @requests) = @_;
	return map { [ @{ $requests[$_] }[ 0 .. 1 ], $requests[$_][2], $token{ $roles->[ $_ % @$roles ] } ] } 0 .. $#requests;
}

sub as_bytes
{
	my ($method, $target, $body, $token) = @_;
	my $more = defined $body ? "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" : '';
	$more .= "Authorization: Bearer $token\r\n" if defined $token;
	return "$method $target HTTP/1.1\r\nHost: localhost\r\n$more\r\n" . ($body // '');
}

# send_all(BRIDGE, [METHOD, TARGET, BODY]…): sends them all, without waiting.
sub send_all
{
	my ($bridge, @requests) = @_;
	return map {
		my $socket = open_socket($bridge);
		syswrite $socket, as_bytes(@$_);
		{ socket => $socket, method => $_->[0], sent => time, raw => '' };
	} @requests;
}

# take_all(SENT, SUB = none): takes all answers as they come, into ->{answer} and ->{seconds}, and calls SUB now and then.
sub take_all
{
	my ($sent, $meanwhile) = @_;
	my %open = map { fileno $_->{socket} => $_ } @$sent;
	my $end  = time + patience(4 * DEADLINE + 60);
	while (%open && time < $end)
	{
		$meanwhile->() if $meanwhile;
		foreach my $socket (IO::Select->new(map { $_->{socket} } values %open)->can_read(0.1))
		{
			my $request = $open{ fileno $socket };
			next if sysread $socket, $request->{raw}, 65536, length $request->{raw};
			delete $open{ fileno $socket };
			$request->{seconds} = time - $request->{sent};
			$request->{answer}  = parse_answer($request->{raw}, 1, $request->{method});
			close $socket;
		}
	}
	$_->{answer} = { status => 0, error => 'no answer' } foreach values %open;
	return;
}

# refusal_fault(REQUEST, LIMIT): what is wrong with its refusal: 503, busy, with a message that names the limit.
sub refusal_fault
{
	my ($request, $limit) = @_;
	my $answer = $request->{answer};
	my $fault  = answer_fault($answer, 503, $request->{method});
	return $fault                                             if defined $fault;
	return 'errorCode ' . ($answer->{json}{errorCode} // '-') if ($answer->{json}{errorCode} // '') ne 'busy';
	return "message $answer->{json}{message}"                 if $answer->{json}{message} !~ $limit;
	return;
}

# refused(WHAT, LIMIT, REQUEST…): each was.
sub refused
{
	my ($what, $limit, @requests) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @faults = grep { defined } map { refusal_fault($_, $limit) } @requests;
	is(join('; ', @faults), '', "$what: those over the limit (" . @requests . ') are told which one');
	return;
}

# refused_first(WHAT, LIMIT, REFUSED, WAITED): and before the first of the waiting requests was answered.
sub refused_first
{
	my ($what, $limit, $refused, $waited) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	refused($what, $limit, @$refused);
	my ($last)  = sort { $b <=> $a } map { $_->{sent} + $_->{seconds} } @$refused;
	my ($first) = sort { $a <=> $b } map { $_->{sent} + $_->{seconds} } @$waited;
	cmp_ok($last // 0, '<', $first // 0, "$what: and is not kept waiting for the silent source");
	return;
}

# ended_in_time(WHAT, CODE, REQUEST…): each failed at its deadline, for the data source's fault.
sub ended_in_time
{
	my ($what, $code, @requests) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @faults;
	foreach my $request (@requests)
	{
		my $answer = $request->{answer};
		my $is     = $answer->{json}{errorCode} // '-';
		push @faults, $answer->{error} // "$answer->{status} $is" if defined $answer->{error} || $is ne $code;
		push @faults, sprintf 'after %.2f s', $request->{seconds} if $request->{seconds} < DEADLINE - 0.2 || $request->{seconds} > 3 * DEADLINE + PATIENCE;
	}
	is(join('; ', @faults), '', "$what: those that have to wait (" . @requests . ') end at the deadline');
	return;
}

# --- Steady traffic -------------------------------------------------------------------------------------------

# The exact answers to healthy requests.
my %healthy;
{
	my $bridge = another_bridge();
	%healthy = (
		listing  => [ [ GET => schemas_of('shop') ],    qr/^\[\{"connectionName":"shop","schemaName":"public",.*\}\]$/ ],
		registry => [ [ GET => '/api/connections' ],    qr/^\[\{.*"shop".*\}\]$/ ],
		test     => [ [ POST => '/api/datasource/testconnection', connection_model($remote) ], qr/^\{"connectionTestResult":"SUCCESS",/ ]);
	foreach my $what (sort keys %healthy)
	{
		my ($request, $like) = @{ $healthy{$what} };
		my ($method, $target, $body) = @$request;
		my $answer = http($bridge, $method, $target, {}, $body);
		like($answer->{body}, $like, "$what: as it should be");
		$healthy{$what}[1] = qr/^\Q$answer->{body}\E$/ if $what ne 'test';    # which tells its time
	}
	$bridge->stop;
}

# start_traffic(BRIDGE, SECONDS, KIND…): a client for each, which asks again and again. It compares bytes and reads no JSON:
# that would take longer than the answer.
sub start_traffic
{
	my ($bridge, $seconds, @kinds) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir('traffic');
	return map {
		my ($file, $what) = ("$dir/$_", $kinds[$_]);
		{ file => $file, what => $what, process => DqdsTest::Process->start("client $_", undef, sub { ask_on($bridge->port, $file, $what, time + $seconds); POSIX::_exit(0); }) };
	} 0 .. $#kinds;
}

sub ask_on
{
	my ($port, $file, $what, $end) = @_;
	my ($count, @faults) = (0);
	my $request = as_bytes(@{ $healthy{$what}[0] });
	while (time < $end)
	{
		my ($raw, $closed) = raw_request($port, $request, 60);
		my ($head, $answer) = split /\r\n\r\n/, $raw, 2;
		if   ($closed && $head =~ m{^HTTP/1\.1 200 } && $answer =~ $healthy{$what}[1]) { $count++; }
		else                                                                         { push @faults, $raw; }
	}
	open my $out, '>', $file or die "$file: $!";
	print $out join "\n", $count, scalar @faults, @faults ? $faults[0] : '';
	close $out;
	return;
}

# end_traffic(WHAT, CLIENT…): none of their requests has failed; returns how many were served, by kind.
sub end_traffic
{
	my ($what, @clients) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my (%served, @faults);
	foreach my $client (@clients)
	{
		my $status = $client->{process}->wait_end(90);
		my ($count, $failed, $fault) = defined $status && $status == 0 ? split /\n/, slurp_file($client->{file}) : (0, 1, 'a client did not end');
		$served{ $client->{what} } += $count;
		push @faults, "$client->{what}: $failed failed, first: $fault" if $failed;
	}
	is(join('; ', @faults), '', "$what: none of the healthy requests fails ("
		  . join(', ', map { "$served{$_} $_" } sort keys %served) . ')');
	return %served;
}

# --- A crowd beside steady traffic --------------------------------------------------------------------------------

my $slowest_health = 0;

# beside(BRIDGE, WHAT, CLIENTS, REQUEST…): what becomes of the requests while the clients ask. Health is told all along; it is
# bad when the control database takes more than 80 ms, which may happen now and then on a busy machine.
sub beside
{
	my ($bridge, $what, $clients, @requests) = @_;
	my $long    = DEADLINE - 2;
	my @sent    = send_all($bridge, @requests);
	my @clients = start_traffic($bridge, $long, @$clients);
	my %health  = (good => 0, bad => 0, late => 0);
	take_all(
		\@sent,
		sub {
			my $began  = time;
			my $answer = http($bridge, GET => '/api/ishealthy');
			my $took   = time - $began;
			$slowest_health = $took if $took > $slowest_health;
			$health{ $took > patience(5) ? 'late' : $answer->{body} eq '"OK"' ? 'good' : 'bad' }++;
		});
	is($health{late}, 0, "$what: health is told");
	cmp_ok($health{good}, '>', 0, "$what: and it is good");
	my %beside = end_traffic($what, @clients);
	# None of it waits for the crowd: otherwise there would be at most one answer in three seconds.
	cmp_ok($beside{$_}, '>', $long, "$what: $_: they go on") foreach sort keys %beside;
	all_free_again($what);
	return @sent;
}

sub all_free_again
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(poll_until(sub { busy_backends() == 0 }, 20), "$what: nothing of it runs at the control database any more");
	is($sql->value(q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')), 0, "$what: and no limit is held");
	return;
}

# split_by(SUB, LIST): those for which it is true, and the others.
sub split_by
{
	my ($check, @list) = @_;
	return ([ grep { $check->($_) } @list ], [ grep { !$check->($_) } @list ]);
}

sub is_503 { return $_[0]{answer}{status} == 503; }

# What one caller can get of a large pool and of a small one.
my $again = 'try again in a moment, or raise --pool-size$';
foreach my $case (
	{ pool => 'default pool', size => 32, options => [],                 source => 6, all_of_source => 8, remote => 14, all_remote => 28 },
	{ pool => 'pool of 4',    size => 4,  options => [qw(--pool-size 4)], source => 1, all_of_source => 1, remote => 1,  all_remote => 3 })
{
	my ($pool, $size) = @$case{qw(pool size)};
	my $bridge = another_bridge(@{ $case->{options} });
	my $large  = $size == 32;

	# More clients than connections that they may have would be refused for that reason.
	my @listings = ('listing') x ($large ? STEADY : 1);
	http($bridge, GET => schemas_of('shop')) foreach 1 .. 3;

	my $own    = qr/^this client already has $case->{source} requests waiting for this data source, its limit; $again/;
	my $source = qr/^this data source already has $case->{all_of_source} requests waiting, its limit; $again/;
	my $bodies = qr/^this client already has $case->{source} requests running that name their data source in the body, its limit; $again/;
	my $remote = qr/^this client already has $case->{remote} requests waiting for data sources, its limit; $again/;

	# Listings by one caller, and by two.
	my $what = "$pool, listings";
	my ($refused, $waited) = split_by(\&is_503, beside($bridge, $what, [ @listings, 'registry', 'test' ], by([$crowd[0]], crowd('hole', qw(schemas tables)))));
	refused_first($what, $own, $refused, $waited);
	ended_in_time($what, 'unreachable', @$waited);
	is(scalar @$waited, $case->{source}, "$what: one caller's share of a source has waited");
	if ($large)
	{
		$what = "$pool, listings by two callers";
		($refused, $waited) = split_by(\&is_503, beside($bridge, $what, [ @listings, 'registry', 'test' ], by([ @crowd[ 0, 1 ] ], crowd('hole', qw(schemas)))));
		refused_first($what, qr/$own|$source/, $refused, $waited);
		ended_in_time($what, 'unreachable', @$waited);
		is(scalar @$waited, $case->{all_of_source}, "$what: the share of a source has waited");
	}

	# All kinds for one source, each with another body.
	$what = "$pool, all kinds";
	($refused, $waited) = split_by(\&is_503, beside($bridge, $what, [ @listings, 'registry', $large ? 'test' : () ], by([$crowd[0]], crowd('silent', qw(schemas import tables test)))));
	refused_first($what, qr/$own|$bodies|$remote/, $refused, $waited);
	ended_in_time($what, 'server_silent', @$waited);
	is(scalar @$waited, $large ? 12 : 1, "$what: a caller's share of a source, and as many with a body, have waited");

	# Many silent sources, and two callers who ask for them: what waits for none goes on, and so does what waits for a healthy one
	# as long as not all have taken their share.
	$what = "$pool, many silent sources";
	($refused, $waited) = split_by(\&is_503, beside($bridge, $what, [ @listings, 'registry', $large ? 'test' : () ], by([$crowd[0]], map { $kind{schemas}->($_) } @many)));
	refused_first($what, $remote, $refused, $waited);
	ended_in_time($what, 'server_silent', @$waited);
	is(scalar @$waited, $case->{remote}, "$what: one caller's share has waited");
	if ($large)
	{
		$what = "$pool, many silent sources, two callers";
		my @late;
		my @sent = send_all($bridge, by([ @crowd[ 0, 1 ] ], map { $kind{schemas}->($_) } @many));
		ok(poll_until(sub { busy_backends() == $case->{all_remote} }, 20), "$what: their shares wait");
		my ($late) = send_all($bridge, by([$crowd[2]], $kind{schemas}->('shop')));
		is(http($bridge, GET => '/api/connections')->{status}, 200, "$what: what waits for none goes on");
		take_all([$late]);
		refused($what, qr/^$case->{all_remote} requests are waiting for data sources already, their limit; $again/, $late);
		take_all(\@sent);
		all_free_again($what);
	}

	# No connection was lost on the way: all kinds of requests are served again.
	my @served = send_all($bridge, map { $healthy{$_}[0] } sort keys %healthy);
	take_all(\@served);
	is(join(' ', map { $_->{answer}{status} } @served), '200 200 200', "$pool, in the end: everything is served again");
	is($bridge->stop, 0, "$pool: status 0");
}

# --- The smallest pools, and fewer threads than connections -------------------------------------------------------

#   waits: how many of one caller can wait, by name and by a body
my @small = (
	{ what => 'pool of 1', options => [qw(--pool-size 1)], waits => 1, others => 503 },
	{ what => 'pool of 2', options => [qw(--pool-size 2)], waits => 1, others => 200 },
	{ what => 'pool of 3', options => [qw(--pool-size 3)], waits => 1, others => 200 },
	{ what => '2 threads', options => [qw(--threads 2)],   waits => 1, others => 200 },
	{ what => '6 threads', options => [qw(--threads 6)],   waits => 2, others => 200 });
foreach my $case (@small)
{
	$case->{bridge} = another_bridge(@{ $case->{options} });
	http($case->{bridge}, GET => schemas_of('shop'));
}
$_->{sent} = [ send_all($_->{bridge}, by([$crowd[0]], crowd('silent', qw(import schemas)))) ] foreach @small;
my $all_wait = 0;
take_all(
	[ map { @{ $_->{sent} } } @small ],
	sub {
		return if $all_wait || busy_backends() != 6;
		$all_wait = 1;
		foreach my $case (@small)
		{
			is(health_of($case->{bridge})->{body}, '"OK"', "$case->{what}: well");
			is(http($case->{bridge}, GET => '/api/connections')->{status}, $case->{others}, "$case->{what}: others: $case->{others}");
		}
	});
ok($all_wait, 'small ones: six in all have waited');
foreach my $case (@small)
{
	my ($what, $bridge) = @$case{qw(what bridge)};
	my ($refused, $waited) = split_by(\&is_503, @{ $case->{sent} });
	refused($what, $what =~ /threads/ ? qr/raise --threads$/ : qr/raise --pool-size$/, @$refused);
	ended_in_time($what, 'server_silent', @$waited);
	is(scalar @$waited, $case->{waits}, "$what: no more than $case->{waits} have waited");
	is(http($bridge, GET => schemas_of('shop'))->{status}, 200, "$what: then the healthy are served again");
	is($bridge->stop, 0, "$what: status 0");
}

# --- Many that wait for each other but do not hang: none is refused -----------------------------------------------

{
	my $bridge = another_bridge();
	my %served = end_traffic('a healthy source, ' . MANY . ' clients at once', start_traffic($bridge, 2, ('listing') x MANY));
	cmp_ok($served{listing}, '>', MANY, 'a healthy source: they are served');
	is($bridge->stop, 0, 'a healthy source: status 0');
}

# --- The pool as a whole: here it is the control database that keeps silent -------------------------------------------

hostile_watch(bridge => another_bridge(), control => $control, remote => $remote);
hostile('pool-exhausted', sub {
	my $bridge = another_bridge('--pool-size', 4);
	$sql->must('BEGIN; LOCK TABLE dqds_connection IN ACCESS EXCLUSIVE MODE');
	# Four callers, of which one waits for a data source: there is one connection for each.
	my $list = [ GET => '/api/connections' ];
	my @sent = send_all($bridge, by([ @crowd[ 0 .. 2 ] ], $list, $list, $kind{schemas}->('shop')), $list);
	ok(poll_until(sub { busy_backends() == 4 }, 20), 'the whole pool waits');
	is(health_of($bridge)->{body}, '"OK"', 'the whole pool waits: well');
	my @late = send_all($bridge, by([$crowd[3]], $kind{schemas}->('shop'), $kind{schemas}->('hole'), $list));
	take_all(\@late);
	refused('the whole pool waits', qr/^(?:all 4 connections to the control database are in use|3 requests that wait for no data source are running already, their limit|this data source already has 1 requests waiting, its limit); try again in a moment, or raise --pool-size$/, @late);
	is(scalar(grep { ($_->{answer}{json}{message} // '') =~ /^all 4 connections/ } @late), 1, 'the whole pool waits: and what is within every other limit is told so');
	$sql->must('ROLLBACK');
	take_all(\@sent);
	is(scalar(grep { !defined answer_fault($_->{answer}, 200) } @sent), 4, 'the whole pool waits: the others get their answers');
	is($bridge->stop, 0, 'the whole pool waits: status 0');
});
hostile_end();

# --- The limit of a connection, over SQL and REST together -----------------------------------------------------------

{
	my $bridge = another_bridge();
	http($bridge, GET => schemas_of('shop'));
	my $caller = DqdsTest::Sql->connect($control);
	$caller->send(q(SELECT error_code FROM dqds_test_connection('limited')));
	my @sent = send_all($bridge, [ GET => schemas_of('limited') ]);
	ok(poll_until(sub { $sql->value(q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')) == 2 }, 20), 'limit of 2: one over SQL and one over REST wait');
	my @over = send_all($bridge, $kind{schemas}->('limited'), $kind{tables}->('limited', 1), $kind{import}->('limited', 1));
	take_all(\@over);
	refused('limit of 2', qr/the limit of 2 operations at once is reached for 127\.0\.0\.1:\d+\. .*raise parallel_jobs_limit/, @over);
	is($sql->query(q(SELECT * FROM dqds_list_schemas('limited')))->{error}{sqlstate}, 'QD022', 'limit of 2: and over SQL');
	is(http($bridge, GET => schemas_of('shop'))->{status}, 200, 'limit of 2: other connections are not concerned');
	take_all(\@sent);
	ended_in_time('limit of 2', 'server_silent', @sent);
	is($caller->answer(60)->{rows}[0]{error_code}, 'server_silent', 'limit of 2: SQL has its answer, too');
	all_free_again('limit of 2');

	# A client that goes away gives back what it held, long before the deadline.
	foreach my $what (qw(schemas import))
	{
		my ($gone) = send_all($bridge, $kind{$what}->('patient', 1));
		ok(poll_until(sub { busy_backends() == 1 }, 20), "a client that goes away, $what: it waits");
		close $gone->{socket};
		ok(poll_until(sub { busy_backends() == 0 }, 20), "a client that goes away, $what: nothing of it is left");
	}
	@sent = send_all($bridge, map { $kind{schemas}->('patient', $_) } 1 .. 6);
	ok(poll_until(sub { busy_backends() == 6 }, 20), 'clients that go away: 6 wait, which is the share of a caller');
	@over = send_all($bridge, $kind{schemas}->('patient'));
	take_all(\@over);
	refused('clients that go away', qr/^this client already has 6 requests waiting for this data source/, @over);
	close $_->{socket} foreach @sent;
	ok(poll_until(sub { busy_backends() == 0 }, 20), 'clients that go away: nothing of them is left');
	@sent = send_all($bridge, map { $kind{schemas}->('patient', $_) } 1 .. 6);
	ok(poll_until(sub { busy_backends() == 6 }, 20), 'clients that go away: and as many can wait again');
	close $_->{socket} foreach @sent;
	ok(poll_until(sub { busy_backends() == 0 }, 20), 'clients that go away: nothing of them is left again');
	is($bridge->stop, 0, 'limits: status 0');
}

diag(sprintf 'slowest answer about health: %.0f ms', 1000 * $slowest_health);
done_testing();
