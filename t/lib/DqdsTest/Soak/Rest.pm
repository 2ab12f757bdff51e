# DqdsTest::Soak::Rest: REST as a load: the requests, their answers without faults, and the workers that send them.
#
# There are two kinds of requests: fixed ones, whose answer is always the same; and the life of a connection, from its creation
# to its removal, in which each answer depends on the previous ones. If a fault hides the outcome of a change, that life ends:
# the connection is abandoned, removed later, and another one created.
package DqdsTest::Soak::Rest;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Soak::Verdict;
use DqdsTest::Soak::World;
use Encode ();
use Socket;
use Time::HiRes qw(time sleep);

# Between two requests of a worker. The load shall be steady, and leave the machine some room.
use constant PAUSE => 0.01;

# The name that learnt answers have in place of a connection's.
use constant { PLACEHOLDER => '@NAME@', ENCODED_PLACEHOLDER => '%40NAME%40' };

# --- Asking ---------------------------------------------------------------------------------------------------

# ask(PORT, REQUEST): the answer, as split_answer has it. A REQUEST: {name, method, target, token, body} and what
# Verdict.pm knows; slow => true: it is read so slowly that something may happen to the server meanwhile.
sub ask
{
	my ($port, $request) = @_;
	my $bytes = "$request->{method} $request->{target} HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nConnection: close\r\n";
	$bytes .= "Authorization: Bearer $request->{token}\r\n" if defined $request->{token};
	$bytes .= "Content-Type: application/json\r\nContent-Length: " . length($request->{body}) . "\r\n" if defined $request->{body};
	$bytes .= "\r\n" . ($request->{body} // '');
	my ($raw, $closed) = eval { $request->{slow} ? slow_request($port, $bytes) : raw_request($port, $bytes, 30) };
	return { raw => '', status => 0, error => $@ } if !defined $raw;
	return split_answer($raw, $closed, $request->{method});
}

# As raw_request, with a pause after the first bytes. The small buffer makes the bridge wait, and with it the control server.
sub slow_request
{
	my ($port, $bytes) = @_;
	socket my $socket, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 4096;
	connect $socket, pack_sockaddr_in($port, inet_aton('127.0.0.1')) or die "cannot connect: $!";
	syswrite $socket, $bytes;
	sysread $socket, my $first, 2000;
	sleep 1.5;
	my ($rest, $closed) = read_all($socket, 30);
	return (($first // '') . $rest, $closed);
}

sub path { return '/api/datasource/connections/' . encode_segment($_[0]); }
sub basic { return '/api/connections/' . encode_segment($_[0]) . '/basic'; }

# --- Fixed requests --------------------------------------------------------------------------------------------

# fixed_requests(WORLD): {weight, verify => SUB(decoded JSON, world) that dies if it is not what the world is like} and what ask needs.
sub fixed_requests
{
	my ($world) = @_;
	my ($editor, $viewer) = @{ $world->{token} }{qw(soak_editor soak_viewer)};
	my @all;
	foreach my $connection (@{ $world->{connections} })
	{
		my ($name, $remote) = @$connection{qw(name remote)};
		my $shop  = DqdsTest::Soak::World::shop_schema($remote);
		my $wide  = DqdsTest::Soak::World::wide_schema($remote);
		my $long  = DqdsTest::Soak::World::long_schema($remote);
		my $model = $world->model($connection);
		my $of    = sub { return path($name) . '/schemas/' . encode_segment($_[0]) . '/tables'; };
		my $test  = '/api/datasource/testconnection';
		push @all, map { { method => 'GET', status => 200, connection => $connection, weight => 3, %$_ } } (
			{ name => 'import of what is there', method => 'POST', target => '/api/jobs/importtables', weight => 2, verify => \&verify_import,
				body => import_body($name, $shop) },
			{ name => 'schemas', target => path($name) . '/schemas', verify => \&verify_schemas },
			{ name => 'schemas with a token', target => path($name) . '/schemas?includeSystem=true', token => $editor },
			{ name => 'tables', target => $of->($shop), verify => \&verify_tables },
			{ name => 'tables with details', target => $of->($shop) . '?details=true', token => $editor, verify => \&verify_details },
			{ name => 'many tables', target => $of->($wide), verify => \&verify_wide },
			{ name => 'many tables with details', target => $of->($wide) . '?details=true', weight => 1 },
			{ name => 'long comments, read slowly', target => $of->($long) . '?details=true', slow => 1, weight => 0 },
			{ name => 'some of many tables', target => $of->($wide) . '?tableNameContains=0&limit=7' },
			{ name => 'tables of an unknown schema', target => $of->('nowhere'), weight => 1 },
			{ name => 'HEAD of tables', method => 'HEAD', target => $of->($shop), weight => 1 },
			{ name => 'test', method => 'POST', target => $test, body => $model, is_test => 1, verify => \&verify_success },
			{ name => 'test with details', method => 'POST', target => "$test?details=true", body => $model, is_test => 1, details => 1, verify => \&verify_success },
			{ name => 'test with a wrong password', method => 'POST', target => $test, is_test => 1, weight => 1,
				body => $world->model($connection, password => $world->{passwords}[0]), verify => verify_failure('authentication_failed') },
			{ name => 'test of an unknown database', method => 'POST', target => $test, is_test => 1, weight => 1,
				body => $world->model($connection, database => 'nowhere'), verify => verify_failure('database_not_found') });
		push @all, { name => 'one connection', method => 'GET', target => basic($name), status => 200, weight => 2 };
		push @all, { name => 'refusal for a viewer', method => 'GET', target => path($name) . '/schemas', token => $viewer, status => 403, weight => 1 };
	}
	my ($refused, $silent) = @$world{qw(refused silent)};
	my $test = { name => 'test of a bad model', method => 'POST', target => '/api/datasource/testconnection', status => 200, is_test => 1 };
	push @all, map { { method => 'GET', weight => 2, %$_ } } (
		{ name => 'schemas of a closed port', target => path('refused') . '/schemas', status => 400, connection => $refused },
		{ name => 'schemas of a silent server', target => path('silent') . '/schemas', status => 400, connection => $silent, weight => 1 },
		{ name => 'all connections', target => '/api/connections', token => $viewer, status => 200, verify => \&verify_connections },
		{ name => 'unknown connection', target => path('nobody') . '/schemas', status => 404 },
		{ name => 'unknown path', target => '/api/nothing', status => 404, local => 1 },
		{ name => 'unknown token', target => '/api/connections', token => 'nobody', status => 401 },
		{ name => 'import without parameters', method => 'POST', target => '/api/jobs/importtables', body => '{}', status => 406 },
		{ %$test, body => '{"provider_type":"postgresql","postgresql":{"host":"127.0.0.1","port":"0","user":"u"}}' },
		{ %$test, body => '{"provider_type":"oracle"}' },
		{ %$test, body => '{"provider_type":"postgresql","postgresql":[]}', status => 400, is_test => 0 });
	return @all;
}

sub import_body { return '{"connectionName":' . DqdsTest::Soak::World::json_string($_[0]) . ',"schemaName":' . DqdsTest::Soak::World::json_string($_[1]) . '}'; }

# The answers that are learnt are first compared with what was created at the remotes.

sub text { return Encode::decode('UTF-8', $_[0]); }

sub must_be
{
	my ($got, $expected, $what) = @_;
	my ($a, $b) = map { to_json($_) } $got, $expected;
	die "$what: $a; wanted: $b\n" if $a ne $b;
	return;
}

sub verify_schemas
{
	my ($json, $connection) = @_;
	my ($name, @schemas) = map { text($_) } $connection->{name}, DqdsTest::Soak::World::schemas($connection->{remote});
	must_be([ map { [ @$_{qw(connectionName schemaName)}, $_->{importTableJobParameters} ] } @$json ],
		[ map { [ $name, $_, { connectionName => $name, schemaName => $_ } ] } @schemas ], 'schemas');
	return;
}

sub verify_tables
{
	my ($json, $connection) = @_;
	my ($name, $schema) = map { text($_) } $connection->{name}, DqdsTest::Soak::World::shop_schema($connection->{remote});
	must_be($json, [ map { { connectionName => $name, schemaName => $schema, tableName => text($_->{name}), alreadyImported => JSON::PP::true } }
			DqdsTest::Soak::World::shop($connection->{remote}) ], 'tables');
	return;
}

sub verify_details
{
	my ($json, $connection) = @_;
	must_be([ map { [ @$_{qw(tableName tableKind comment)} ] } @$json ],
		[ map { [ text($_->{name}), $_->{kind}, defined $_->{comment} ? text($_->{comment}) : undef ] } DqdsTest::Soak::World::shop($connection->{remote}) ], 'details');
	return;
}

sub verify_wide
{
	my ($json, $connection) = @_;
	must_be([ map { $_->{tableName} } @$json ],
		[ map { DqdsTest::Soak::World::wide_table($connection->{remote}, $_) } 1 .. DqdsTest::Soak::World::WIDE() ], 'many tables');
	return;
}

sub verify_import
{
	my ($json, $connection) = @_;
	my @names = map { +{ map { text($_->[0]) => 1 } @{ $_->{columns} } } } DqdsTest::Soak::World::shop($connection->{remote});
	must_be([ map { +{ map { $_ => 1 } keys %{ $_->{columns} } } } @{ $json->{result}{source_table_specs} } ], \@names, 'columns');
	return;
}

sub verify_success
{
	my ($json) = @_;
	must_be($json->{connectionTestResult}, 'SUCCESS', 'the test');
	return;
}

sub verify_failure
{
	my ($code) = @_;
	return sub { my ($json) = @_; must_be([ @$json{qw(connectionTestResult errorCode)} ], [ 'FAILURE', $code ], 'the test'); };
}

sub verify_connections
{
	my ($json) = @_;
	must_be(scalar @$json, 5, 'connections');
	return;
}

# learn_fixed(WORLD, PORT): the fixed requests, with what is answered to them now. Dies if that is not what the world is like.
sub learn_fixed
{
	my ($world, $port) = @_;
	my @requests = fixed_requests($world);
	# What is imported shows in the listings, so imports come first; and they count from the second time on.
	foreach my $request ((grep { $_->{name} =~ /^import of/ } @requests), @requests)
	{
		my $answer = ask($port, $request);
		die "$request->{method} $request->{target}: $answer->{status}, not $request->{status}: $answer->{body}\n"
		  if defined $answer->{error} || $answer->{status} != $request->{status};
		$request->{verify}->(from_json($answer->{body}), $request->{connection}) if $request->{verify};
		$request->{expected} = normal($answer->{body});
	}
	return @requests;
}

# --- The life of a connection -------------------------------------------------------------------------------------

# Its steps in order: name, method, path, body (given name, connection, world), status, what it is:
# changes => true: the next steps depend on it; asks => true: it asks the remote.
my @life = (
	[ 'create', 'POST', \&basic, sub { $_[2]->model($_[1]) }, 201, changes => 1 ],
	[ 'get the new one', 'GET', \&basic, undef, 200 ],
	[ 'schemas of the new one', 'GET', sub { path($_[0]) . '/schemas' }, undef, 200, asks => 1 ],
	[ 'import', 'POST', sub { '/api/jobs/importtables' }, sub { import_body($_[0], DqdsTest::Soak::World::shop_schema($_[1]{remote})) }, 200, changes => 1, asks => 1 ],
	[ 'tables that are imported', 'GET', sub { path($_[0]) . '/schemas/' . encode_segment(DqdsTest::Soak::World::shop_schema($_[1]{remote})) . '/tables' }, undef, 200, asks => 1 ],
	[ 'update', 'PUT', \&basic, sub { $_[2]->model($_[1], password => '********', schedule_on_instance => 'updated') }, 204, changes => 1 ],
	[ 'get the updated one', 'GET', \&basic, undef, 200 ],
	[ 'schemas by the kept password', 'GET', sub { path($_[0]) . '/schemas' }, undef, 200, asks => 1 ],
	[ 'test of a name that is taken', 'POST', sub { '/api/datasource/testconnection' }, sub { $_[2]->model($_[1], connection_name => Encode::decode('UTF-8', $_[0])) }, 200 ],
	[ 'create once more', 'POST', \&basic, sub { $_[2]->model($_[1]) }, 409 ],
	[ 'delete', 'DELETE', sub { '/api/connections/' . encode_segment($_[0]) }, undef, 200, changes => 1 ],
	[ 'get the deleted one', 'GET', \&basic, undef, 404 ],
	[ 'schemas of the deleted one', 'GET', sub { path($_[0]) . '/schemas' }, undef, 404 ]);

sub life_request
{
	my ($world, $n, $name, $connection) = @_;
	my ($what, $method, $target, $body, $status, %is) = @{ $life[$n] };
	return {
		name => $what, method => $method, target => $target->($name, $connection), body => $body && $body->($name, $connection, $world),
		status => $status, connection => $is{asks} ? $connection : undef, changes => $is{changes} };
}

# learn_life(WORLD, PORT): remote => [what each step is answered], with the placeholder as the name.
sub learn_life
{
	my ($world, $port) = @_;
	my %learnt;
	foreach my $connection (@{ $world->{connections} })
	{
		foreach my $n (0 .. $#life)
		{
			my $request = life_request($world, $n, PLACEHOLDER, $connection);
			my $answer  = ask($port, $request);
			die "$request->{method} $request->{target}: $answer->{status}, not $request->{status}: $answer->{body}\n"
			  if defined $answer->{error} || $answer->{status} != $request->{status};
			push @{ $learnt{ $connection->{remote} } }, normal($answer->{body});
		}
	}
	return \%learnt;
}

# expected_of(LEARNT, NAME): with this name in place of the placeholder.
sub expected_of
{
	my ($body, $name) = @_;
	my $json    = substr DqdsTest::Soak::World::json_string($name), 1, -1;
	my $encoded = encode_segment($name);
	$body =~ s/\Q${\PLACEHOLDER}\E/$json/g;
	$body =~ s/\Q${\ENCODED_PLACEHOLDER}\E/$encoded/g;
	return $body;
}

# --- A worker -----------------------------------------------------------------------------------------------------------

# work(options): asks until a time.
#   world, fixed, life (undef: only the fixed ones) => what to ask; port; number => of the worker; until; tally
#   killed => true: this bridge is killed now and then, so that a connection may end without an answer
sub work
{
	my (%self) = @_;
	my $self = { %self, secrets => DqdsTest::Soak::Rest::secrets_regex($self{world}), count => 0, given_up => [] };
	my @fixed = map { ($_) x $_->{weight} } @{ $self{fixed} };
	while (time < $self{until})
	{
		if (!$self->{life} || rand() < 0.6) { try($self, $fixed[ rand @fixed ]); }
		else              { live($self); }
		sleep PAUSE;
	}
	return;
}

sub secrets_regex
{
	my ($world) = @_;
	my $any = join '|', map { quotemeta } $world->secrets;
	return qr/$any/;
}

# One request, judged and counted; true: it was answered as in calm.
sub try
{
	my ($self, $request) = @_;
	my $answer = ask($self->{port}, $request);
	my ($outcome, $fault) = judge_rest($request, $answer, $self->{secrets});
	undef $fault if $self->{killed} && $outcome eq 'closed without an answer';
	if (defined $fault) { $self->{tally}->wrong($request->{name}, "$request->{method} $request->{target}: $fault"); }
	else                { $self->{tally}->note($request->{name}, $outcome); }
	return !defined $fault && $outcome eq $request->{status};
}

# The next step of a connection's life.
sub live
{
	my ($self) = @_;
	my $one = $self->{one} //= begin($self);
	my $request = life_request($self->{world}, $one->{step}, @$one{qw(name connection)});
	$request->{expected} = expected_of($self->{life}{ $one->{connection}{remote} }[ $one->{step} ], $one->{name});
	my $good = try($self, $request);
	if (!$good && $request->{changes}) { push @{ $self->{given_up} }, $one; }
	elsif (++$one->{step} < @life)     { return; }
	delete $self->{one};
	return;
}

sub begin
{
	my ($self) = @_;
	remove($self) if @{ $self->{given_up} };
	my @connections = @{ $self->{world}{connections} };
	$self->{count}++;
	return { name => "w$self->{number} n$self->{count} \"\xC3\xB6\" 100%/\\", connection => $connections[ rand @connections ], step => 0 };
}

# Removes a connection that was given up, if it is there.
sub remove
{
	my ($self) = @_;
	my $one     = shift @{ $self->{given_up} };
	my $request = {
		name => 'delete one that was given up', method => 'DELETE', target => '/api/connections/' . encode_segment($one->{name}), status => 200 };
	my $answer = ask($self->{port}, $request);
	my ($outcome, $fault) = judge_rest($request, $answer, $self->{secrets});
	my $is_gone = $answer->{status} == 404 && $answer->{json}{message} =~ /does not exist\b/;
	undef $fault if $is_gone || $self->{killed} && $outcome eq 'closed without an answer';
	if (defined $fault) { $self->{tally}->wrong($request->{name}, $fault); }
	else                { $self->{tally}->note($request->{name}, $is_gone ? '404' : $outcome); }
	push @{ $self->{given_up} }, $one unless $is_gone || $outcome eq '200';
	return;
}

# --- Health ----------------------------------------------------------------------------------------------------------------

# watch_health(PORT, UNTIL, TALLY, SECRETS): asks for it all the time, and keeps how long each answer took, in milliseconds.
sub watch_health
{
	my ($port, $until, $tally) = @_;
	while (time < $until)
	{
		my $began  = time;
		my $answer = ask($port, { method => 'GET', target => '/api/ishealthy' });
		$tally->number('health', sprintf '%.1f', 1000 * (time - $began));
		my $status = $answer->{status} == 503 ? 503 : 200;
		my $fault  = answer_fault($answer, $status);
		$fault //= "body: $answer->{body}" if $answer->{body} ne ($status == 200 ? '"OK"' : '"UNAVAILABLE"');
		if (defined $fault) { $tally->wrong('health', $fault); }
		else                { $tally->note('health', $status); }
		sleep 0.05;
	}
	return;
}

1;
