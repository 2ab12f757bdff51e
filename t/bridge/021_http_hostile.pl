# Malformed and hostile HTTP, byte by byte: each case gets exactly one answer, the right one, and the connection is closed.
# After each case the bridge must be alive and answer the health check quickly. At the end its descriptors and memory are back
# at their earlier values, and its log contains no line that a client has injected.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use IO::Select;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $remote  = remote_server('remote');
my $control = control_server('control');
create_connection($control, 'shop', connection_model($remote));

# A short request timeout, so that a client that does not read is disconnected soon.
my $bridge = start_bridge($control, connections => ['shop'],
	options => [ '--host-name', 'dqds.example', '--request-timeout', 8 ]);
my $closed = start_bridge($control, anonymous => undef);
my $json   = 'Content-Type: application/json';
my $test   = '/api/datasource/testconnection';

# --- The bridge, before and after ----------------------------------------------------------------------

# Descriptors without those of control connections, which come and go with the load.
sub descriptors
{
	my ($process) = @_;
	my $all = () = glob '/proc/' . $process->pid . '/fd/*';
	return $all - $control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge'));
}

sub resident_kb
{
	my ($process) = @_;
	return slurp_file('/proc/' . $process->pid . '/status') =~ /^VmRSS:\s+(\d+)/m ? $1 : die 'no VmRSS';
}

my $slowest_health = 0;
my $cases          = 0;

# Call this after each case: is the bridge healthy?
sub well
{
	my ($name) = @_;
	$cases++;
	my $began  = time;
	my $health = http($bridge, GET => '/api/ishealthy', {}, undef, 5);
	my $took   = time - $began;
	$slowest_health = $took if $took > $slowest_health;
	$health = health_of($bridge, 5) if $health->{status} != 200;
	return if $health->{status} == 200 && $took < patience(0.5) && $bridge->running;
	fail(sprintf '%s: the bridge is well after it: status %s after %.0f ms', $name, $health->{status}, 1000 * $took);
	return;
}

# What is wrong with the bytes received: they must be one answer with this status (undef: any status), its headers and its
# JSON.
sub bytes_fault
{
	my ($bytes, $was_closed, $status, $method) = @_;
	my $answers = () = $bytes =~ m{^HTTP/1\.[01] }mg;
	return "$answers answers: " . substr $bytes, 0, 300 if $answers != 1;
	my $answer = parse_answer($bytes, $was_closed, $method // 'GET');
	return answer_fault($answer, $status // $answer->{status}, $method);
}

# One case: these bytes get this one answer within the given seconds.
sub sends
{
	my ($name, $bytes, $status, %opt) = @_;
	my $began = time;
	my ($got, $was_closed) = raw_request($opt{bridge} // $bridge, $bytes, 10);
	my $took  = time - $began;
	my $fault = bytes_fault($got, $was_closed, $status, $opt{method});
	$fault //= sprintf 'it took %.1f s', $took if $took > patience($opt{seconds} // 2);
	$fault //= "the message: $got" if $opt{message} && $got !~ $opt{message};
	is($fault, undef, "$name: " . ($status // 'one answer'));
	well($name);
	return parse_answer($got, $was_closed, $opt{method} // 'GET');
}

# A request as bytes: its first line, further headers, body.
sub request
{
	my ($line, $headers, $body) = @_;
	return join("\r\n", "$line HTTP/1.1", 'Host: localhost', @$headers) . "\r\n\r\n" . ($body // '');
}

sub post
{
	my ($path, $body, @headers) = @_;
	return request("POST $path", [ $json, 'Content-Length: ' . length $body, @headers ], $body);
}

# One request of each kind, so that everything that is opened only once is open.
http($bridge, GET => $_) foreach '/api/ishealthy', '/api/connections', '/api/datasource/connections/shop/schemas';
sleep 0.5;    # for the last of them to be closed
my $descriptors_before = descriptors($bridge);

# --- Tokens ------------------------------------------------------------------------------------------------

sub make_token { return $control->safe_psql('postgres', "SELECT dqds_create_token('dqds_anonymous', $_[0])"); }

hostile_watch(bridge => $bridge, control => $control, remote => $remote);
my $unsent  = 'Content-Length: 1000000';    # a body that never comes
my $token   = make_token("'1 hour'");
my $expired = make_token("'1 millisecond'");
my $revoked = make_token("'1 hour'");
$control->safe_psql('postgres', 'SELECT dqds_revoke_token(max(token_id)) FROM dqds_tokens');
hostile_also($token, $expired, $revoked);

hostile('token-none', sub {
	sends('no token, the body unread', request("POST $test", [ $json, $unsent ]), 401, bridge => $closed);
	sends('no token, no such path', request('GET /api/nix', []), 401, bridge => $closed);
});
hostile('token-malformed', sub {
	sends("malformed: <$_>, the body unread", request("POST $test", [ $json, $unsent, "Authorization: $_" ]), 401)
	  foreach '', 'Bearer', 'Bearer ', 'Bearer a b', 'Basic dXNlcjpwYXNz', 'Bearerx', "Bearer \xFF\xFE", "Bearer $token,", "Bearer $token Bearer $token", $token;
});
sends("Authorization: $_->[0] token", request('GET /api/connections', ["Authorization: $_->[1] $token"]), 200, bridge => $closed)
  foreach [ 'a good', 'Bearer' ], [ 'a good, in small letters,', 'bearer' ];
sends('a good token with a foreign Host', "GET /api/connections HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer $token\r\n\r\n", 200);
sends('a good token with a foreign Origin', request('GET /api/connections', [ 'Origin: http://evil.example', "Authorization: Bearer $token" ]), 200);

# Unknown, expired, revoked, malformed and missing tokens get indistinguishable answers.
hostile('token-unknown', sub {
	my $none = sends('no token', request('GET /api/connections', []), 401, bridge => $closed)->{raw} =~ s/"timestamp":\d+|Date: .*?\r\n//gr;
	foreach my $case ([ expired => $expired ], [ revoked => $revoked ], [ unknown => $token =~ s/.$/_/r ], [ shortened => $token =~ s/.$//r ],
		[ lengthened => "${token}A" ], [ huge => 'x' x 4000 ], [ 'in quotes' => qq("$token") ], [ 'of SQL' => q(' OR 1=1 --) ])
	{
		my $answer = sends("$case->[0] token", request('GET /api/connections', ["Authorization: Bearer $case->[1]"]), 401);
		is($answer->{raw} =~ s/"timestamp":\d+|Date: .*?\r\n//gr, $none, "$case->[0] token: as without one");
	}
});
sends('unknown token, no such path', request('GET /api/nix', ['Authorization: Bearer x']), 401);
sends("unknown token, $_->[0]", $_->[1], 401)
  foreach [ 'wrong method', request('PATCH /api/connections', ['Authorization: Bearer x']) ],
  [ 'path that cannot be read', request('GET /api/%zz', ['Authorization: Bearer x']) ],
  [ 'query that cannot be read', request('GET /api/connections/a/basic?x=%zz', ['Authorization: Bearer x']) ],
  [ 'body too large', request("POST $test", [ $json, 'Content-Length: 1048577', 'Authorization: Bearer x' ]) ];
sends("a good token, $_->[0]", $_->[1], $_->[2])
  foreach [ 'no such path', request('GET /api/nix', ["Authorization: Bearer $token"]), 404 ],
  [ 'wrong method', request('PATCH /api/connections', ["Authorization: Bearer $token"]), 405 ],
  [ 'body too large', request("POST $test", [ $json, 'Content-Length: 1048577', "Authorization: Bearer $token" ]), 413 ];
sends('unknown token, isHealthy', request('GET /api/ishealthy', ['Authorization: Bearer x']), 200);
hostile('token-expired', sub { sends('expired token with a body', post($test, '{}', "Authorization: Bearer $expired"), 401) });
hostile('authorization-twice', sub { sends('two Authorization headers', request('GET /api/connections', [ 'Authorization: Bearer a', 'authorization: Bearer b' ]), 400) });

# --- Host and Origin: a web page must not reach a local bridge ------------------------------------------------

sub with_host { return "GET /api/connections HTTP/1.1\r\nHost: $_[0]\r\n\r\n"; }

sends("Host $_", with_host($_), 200)
  foreach qw(localhost LocalHost:1 localhost:65535 127.0.0.1 127.0.0.1:8888 127.9.9.9 [::1] [::1]:80 [::ffff:127.0.0.1]
  dqds.example DQDS.Example:8888);
hostile('host-foreign', sub {
	sends("Host $_", with_host($_), 403)
	  foreach '', 'a b', 'localhost evil.example', "\xFF", 'localhost,evil.example', 'evil.example#localhost', qw(evil.example evil.example:8888 localhost.evil.example 127.0.0.1.evil.example dqds.example.evil xdqds.example 0.0.0.0
	  192.168.0.1 169.254.169.254 [::] [::2] [::1 ::1 ::1:80 localhost:80:80 localhost:x localhost:123456 user@localhost
	  localhost@evil.example localhost/ 2130706433 127.1 0x7f.1 [127.0.0.1]evil);
});
sends('no Host', "GET /api/connections HTTP/1.1\r\n\r\n", 400);
sends('two Hosts', "GET /api/connections HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400);
sends('HTTP/1.0 without Host', "GET /api/connections HTTP/1.0\r\n\r\n", 200);
sends('HTTP/1.0 with a foreign Host', "GET /api/connections HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403);
sends("Origin $_", request('GET /api/connections', ["Origin: $_"]), 200)
  foreach qw(http://localhost http://localhost:3000 https://127.0.0.1 http://[::1]:80 https://dqds.example);
my $cross = 'Sec-Fetch-Site: cross-site';
hostile('origin-foreign', sub {
	sends("Origin $_", request("POST $test", [ $json, $unsent, "Origin: $_" ]), 403)
	  foreach '', 'http://localhost http://evil.example', 'http://localhost,http://evil.example', qw(null http://evil.example https://evil.example:8888 http://localhost.evil.example http://localhost/ file:// localhost
	  http:// http://user@localhost ftp://localhost);

	# Requests for images and other parts of a page have no Origin.
	sends("$_ from another site", request("$_ $test", [ $json, $unsent, $cross ]), 403) foreach qw(POST GET);
	sends('GET from another site', request('GET /api/connections', [$_]), 403) foreach $cross, 'sec-fetch-site: Cross-Site';
	sends('GET from another site, our Origin', request('GET /api/connections', [ $cross, 'Origin: http://localhost' ]), 403);
});
sends('two Origins', request('GET /api/connections', [ 'Origin: http://localhost', 'Origin: http://localhost' ]), 403);
sends("Sec-Fetch-Site $_", request('GET /api/connections', ["Sec-Fetch-Site: $_"]), 200) foreach qw(same-origin same-site none);
sends('two Sec-Fetch-Sites', request('GET /api/connections', [ 'Sec-Fetch-Site: none', $cross ]), 400);
sends('a good token from another site', request('GET /api/connections', [ $cross, "Authorization: Bearer $token" ]), 200);

# --- Headers ---------------------------------------------------------------------------------------------------

# Host is one of them.
sends('63 headers', request('GET /api/connections', [ map { "X-$_: 1" } 1 .. 62 ]), 200);
hostile('headers-64', sub {
	sends("$_ headers", request('GET /api/connections', [ map { "X-$_: 1" } 2 .. $_ ]), 431) foreach 64, 65, 200;
	sends('a token behind 64 headers', request('GET /api/connections', [ (map { "X-$_: 1" } 1 .. 64), 'Authorization: Bearer x' ]), 431);
});
hostile('header-20k', sub { sends('a header of 20 KB',  request('GET /api/connections', [ 'X-Long: ' . 'a' x 20480 ]), 400) });
sends('a path of 20 KB',    request('GET /api/' . 'a' x 20480, []), 400);
sends('a method of 20 KB',  request('A' x 20480 . ' /', []), 400);
sends('a path of 8 KB',     request('GET /api/' . 'a' x 8192, []), 404);
sends('1 MB without a line end', 'a' x 1048576, 400);
sends("a header named <$_->[0]>", request('GET /api/connections', [ $_->[1] ]), 400)
  foreach [ 'with a space', 'X Y: 1' ], [ 'with a bracket', 'X(: 1' ], [ 'with UTF-8', "X\xC3\xA4: 1" ];
sends('a header without a colon', request('GET /api/connections', ['nonsense']), 400);
sends('a NUL in a header', request('GET /api/connections', ["X: a\0b"]), 400);
sends('Expect of something else', request("POST $test", [ $json, $unsent, 'Expect: 200-maybe' ]), 417);

# --- Where does the request end? A server that sees two in place of one allows request smuggling -----------------

my $second = request('GET /api/smuggled', []);
my $chunk  = sprintf "%x\r\n%s\r\n0\r\n\r\n", length $second, $second;

# Requests that CivetWeb accepts leniently, or does not pass on, may be answered in any way, but only once.
hostile('header-folded', sub {
	sends('folded header with a tab', request("POST $test", [ "X: a\r\n\tb", $json, 'Content-Length: 2' ], '{}' . $second), 400);
	sends("$_->[0]", request('GET /api/connections', [ $_->[1] ], $second), undef)
	  foreach [ 'folded header', "X-Fold: a\r\n Content-Length: " . length $second ], [ 'a header without a name', ': x' ],
	  [ 'a space behind the name of a header', 'Content-Length : ' . length $second ],
	  [ 'a line feed alone', "X: a\nContent-Length: " . length $second ], [ 'two line feeds alone', "X: a\n\n" ];
});
sends('a space ahead of the request', ' ' . request('GET /api/connections', []) . $second, undef);
sends('empty lines ahead of the request', "\r\n\r\n" . request('GET /api/connections', []) . $second, undef);
hostile('length-and-coding', sub {
	sends('Content-Length with Transfer-Encoding', request("POST $test", [ $json, 'Content-Length: 4', 'Transfer-Encoding: chunked' ], $chunk), 400);
	sends('Transfer-Encoding with Content-Length', request("POST $test", [ $json, 'Transfer-Encoding: chunked', 'Content-Length: 4' ], $chunk), 400);
	sends('GET, Content-Length with Transfer-Encoding', request('GET /api/connections', [ 'Content-Length: 4', 'Transfer-Encoding: chunked' ], $chunk), 400);
});
hostile('body-chunked', sub { sends('chunked body', request("POST $test", [ $json, 'Transfer-Encoding: chunked' ], $chunk), 411) });
sends('Transfer-Encoding: identity', request("POST $test", [ $json, 'Transfer-Encoding: identity' ], $chunk), 411);
sends("Transfer-Encoding: $_", request("POST $test", [ $json, "Transfer-Encoding: $_" ], $chunk), 400)
  foreach 'xchunked', 'gzip, chunked', 'chunked, identity', "chunked\x0b", '';
sends('two Transfer-Encodings', request("POST $test", [ $json, 'Transfer-Encoding: identity', 'Transfer-Encoding: chunked' ], $chunk), 411);
hostile('length-twice', sub {
	sends('two Content-Lengths', request("POST $test", [ $json, 'Content-Length: 2', 'Content-Length: ' . length $second ], '{}' . $second), 400);
	sends('two equal Content-Lengths', request("POST $test", [ $json, 'Content-Length: 2', 'Content-Length: 2' ], '{}' . $second), 400);
});
hostile('length-odd', sub {
	sends("Content-Length: $_", request("POST $test", [ $json, "Content-Length: $_" ], '{}' . $second), 400)
	  foreach '5abc', '+5', '0x5', '5,5', '5 5', '5.0', "5\x0b";
});
hostile('length-negative', sub { sends("Content-Length: $_", request("POST $test", [ $json, "Content-Length: $_" ], '{}' . $second), 411) foreach '-1', '' });
hostile('length-2-64', sub {
	sends("Content-Length: $_", request("POST $test", [ $json, "Content-Length: $_" ]), 413, seconds => 1)
	  foreach '1048577', '4294967297', '9223372036854775808', '18446744073709551616', '18446744073709551618', '9' x 100;
});
sends('leading zeros in Content-Length', request("POST $test", [ $json, 'Content-Length: 0000000000000000000000002' ], '{}'), 200);
sends('GET with a body that is a request', request('GET /api/connections', [ 'Content-Length: ' . length $second ], $second), 200);
sends('two requests at once', request('GET /api/connections', ['Connection: keep-alive']) . $second, 200);
sends('a request behind the body', post($test, '{}', 'Connection: keep-alive') . $second, 200);
sends('HTTP/1.0 with keep-alive', "GET /api/connections HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n" . $second, 200);
hostile('body-large', sub {
	sends('100-continue', request("POST $test", [ $json, 'Content-Length: 1048577', 'Expect: 100-continue' ]), 413);
	sends('no body, the limit first', post($test, 'x' x 1048577), 413);
});
sends('a compressed body', request("POST $test", [ $json, 'Content-Encoding: gzip', $unsent ]), 415);
sends('a body of another charset', request("POST $test", [ 'Content-Type: application/json;charset=latin1', $unsent ]), 415);
sends('a body of no charset that is named', request("POST $test", [ 'Content-Type: application/json; charset=', $unsent ]), 415);
sends('body of the wrong type unread', request("POST $test", [ 'Content-Type: text/xml', $unsent ]), 415);
sends('no Content-Length', request("POST $test", [$json]), 411);
sends('a NUL in the body', post($test, "{}\0{"), 400);

# --- Request lines -----------------------------------------------------------------------------------------------

hostile('method-trace', sub { sends('TRACE', request('TRACE /api/connections', []), 400) });
hostile('method-wrong', sub { sends("the method $_", request("$_ /api/connections", []), 405) foreach qw(POST PUT DELETE PATCH OPTIONS) });
sends("the method $_", request("$_ /api/connections", []), 400) foreach qw(get Get PROPFIND2 FOO A-B), "G\xFFT", "G\x01T", '"';
sends('CONNECT', request('CONNECT evil.example:443', []), 400);
sends("the target $_", request("GET $_", []), 400) foreach 'evil.example/', 'api/connections', '?x', 'http://localhost:' . $bridge->port . '/api/connections';
{
	my $before = () = $bridge->log =~ / info - "" 400 /g;
	my @lines  = ('OPTIONS *', 'GET http://evil.example/api/connections', 'GET https://localhost/api/connections');
	foreach my $line (@lines)
	{
		sends("the target of $line", request($line, []), 400);
	}
	ok(poll_until(sub { @lines == (() = $bridge->log =~ / info - "" 400 /g) - $before }, 5), 'a target that is no path: a line in the log each');
}
sends("the line <$_>", "$_\r\nHost: localhost\r\n\r\n", 400)
  foreach 'GET', 'GET ', 'GET /api/connections', 'GET /api/connections HTTPS/1.1', 'GET  HTTP/1.1', 'GET /api/a b HTTP/1.1';
sends("the version $_", "GET /api/connections HTTP/$_\r\nHost: localhost\r\n\r\n", 505) foreach qw(0.9 1.2 2.0 9.9 1), '';
sends('HTTP/2 at once', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
hostile('tls-hello', sub { sends('TLS hello', "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03" . "\0" x 600, 400) });
sends('a byte below the space', "\x01\x02\r\n\r\n", 400);
hostile('ssh-banner', sub { sends('SSH banner and more', "SSH-2.0-OpenSSH_9.2p1\r\n\0\0\5\xDC\7\x14", 400) });
sends('Redis', "*1\r\n\$4\r\nPING\r\n\r\n", 400);
sends('PostgreSQL', "\0\0\0\x08\x04\xD2\x16\x2F", 400);
hostile('websocket', sub {
	sends('websocket upgrade',
		request("GET $_", [ 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' ]),
		$_ eq '/api/connections' ? 200 : 404)
	  foreach '/api/connections', '/ws', '/';
});
sends('upgrade to HTTP/2', request('GET /api/connections', [ 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__' ]), 200);
hostile('head', sub {
	sends('HEAD', request('HEAD /api/connections', []), 200, method => 'HEAD');
	sends('HEAD of nothing', request('HEAD /api/nix', []), 404, method => 'HEAD');
	sends('HEAD with a wrong Host', "HEAD /api/connections HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, method => 'HEAD');
});

# --- Paths -----------------------------------------------------------------------------------------------------------

hostile('path-nul', sub {
	sends("the path $_", request("GET $_", []), 400) foreach '/api/connections/a%00b/basic', '/%00', '/api/connections?%00';
});
hostile('path-escape', sub {
	sends("the path $_", request("GET $_", []), 400)
	  foreach '/api/connections/%/basic', '/api/connections/%4/basic', '/api/connections/%zz/basic', '/nix%', '/api/connections?x=%';
});
hostile('path-utf8', sub {
	sends("the path $_", request("GET $_", []), 400)
	  foreach '/api/connections/%C3/basic', '/api/connections/%FF%FE/basic', '/api/connections/%ED%A0%80/basic', '/api/connections/%C0%AF/basic',
	  '/api/connections/%F4%90%80%80/basic', "/api/connections/\xFF/basic", '/api/connections?x=%C3%28';
});
hostile('path-other-case', sub { sends("the path $_", request("GET $_", []), 404) foreach '/API/connections', '/Api/connections', '/api/Connections' });
hostile('path-longer', sub { sends("the path $_", request("GET $_", []), 404) foreach '/apix', '/apix/connections', '/api/connectionsx' });
hostile('path-two-slashes', sub { sends("the path $_", request("GET $_", []), 404) foreach '//api', '//api/connections', '/api//connections' });
sends("the path $_", request("GET $_", []), 404)
  foreach '/api/connections/', '/./api/connections', '/x/../api/connections', '/api/connections%2F',
  '/api%2Fconnections', '/%61pi/Connections', '/api/connections;x', '/api\\connections', '/index.html', '/.htaccess', '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/',
  '/' . '/' x 5000, '/' . 'a/' x 5000;
hostile('path-slash', sub {
	sends('a slash in a name is data', request('GET /api/connections/a%2Fb/basic', []), 404, message => qr{connection \\"a/b\\" does not exist});
});
sends('UTF-8 in a path', request('GET /api/connections/%C3%A4/basic', []), 404, message => qr{connection \\"\xC3\xA4\\" does not exist});
sends('UTF-8 in a path, not escaped', request("GET /api/connections/\xC3\xA4/basic", []), 400);
sends('a fragment', request('GET /api/connections#x', []), 404);

# --- No bytes from a client may become a header or a line of the log -----------------------------------------------------

my $forged = 'X-Forged: yes%0d%0a%0d%0a2026-01-01T00:00:00.000Z info forged';
hostile('line-end-in-value', sub {
	foreach my $target ("/api/connections/a%0d%0a$forged/basic", "/a%0d%0aSet-Cookie:%20x=1", "/api/connections?x=%0d%0a$forged", '/%1b[31mred', "/\x7F\xC2\x9B")
	{
		my ($got) = raw_request($bridge, request("GET $target", []), 10);
		unlike($got, qr/^(X-Forged|Set-Cookie)/m, "$target makes no header");
		well($target);
	}
	sends('a business key with line ends',
		post('/api/jobs/importtables?jobBusinessKey=%0d%0aX-Forged:yes%0d%0a', '{"connectionName":"shop","schemaName":"nix"}'), 200);
	sends('a carriage return alone in a header', "GET /api/connections HTTP/1.1\r\nHost: localhost\r\nX: a\rX-Forged: yes\r\n\r\n", 400);
	sends('a vertical tab in an Origin', request('GET /api/connections', ["Origin: http://evil\x0binfo forged"]), 400);
});

# --- JSON ------------------------------------------------------------------------------------------------------------------

my @routes = ($test, '/api/connections/new/basic', '/api/jobs/importtables');

# Each route is sent these bodies: 400.
sub unreadable
{
	my (@bodies) = @_;
	foreach my $path (@routes)
	{
		sends("$path, $_->[0]", post($path, $_->[1]), 400) foreach @bodies;
	}
	return;
}

hostile('json-nul', sub { unreadable([ 'NUL escape', '{"connectionName":"\u0000","provider_type":"\u0000"}' ], [ 'NUL', "{\"provider_type\":\"\0\"}" ]) });
hostile('json-utf8', sub {
	unreadable([ 'bad UTF-8', "{\"provider_type\":\"\xFF\"}" ], [ 'overlong UTF-8', "{\"provider_type\":\"\xC0\x80\"}" ], [ 'UTF-8 cut off', "{\"provider_type\":\"\xC3" ],
		[ 'half a surrogate', '{"provider_type":"\ud83d"}' ], [ 'UTF-16', "{\0}\0" ]);
});
hostile('json-trailing', sub { unreadable([ 'trailing bytes', '{}x' ], [ 'two documents', "{}\n{}" ]) });
hostile('json-nan', sub { unreadable([ 'NaN', '{"a":NaN}' ], [ 'Infinity', '{"a":-Infinity}' ]) });
hostile('json-bom', sub { unreadable([ 'a BOM', "\xEF\xBB\xBF{}" ]) });
hostile('json-list', sub { unreadable([ 'a list', '[]' ], [ 'a list of one object', '[{}]' ]) });
hostile('json-number', sub { unreadable([ 'a number', '1' ], [ 'a string', '"x"' ], [ 'null', 'null' ], [ 'true', 'true' ]) });
unreadable(
	[ 'trailing comma',         '{"a":1,}' ],
	[ 'a comment',              '{/* */}' ],
	[ 'single quotes',          "{'a':1}" ],
	[ 'a number with zeros',    '{"a":007}' ],
	[ 'a control character',    "{\"a\":\"\x01\"}" ],
	[ 'blanks',                 '   ' ],
	[ 'a form',                 'a=1&b=2' ]);
hostile('json-deep-open', sub {
	unreadable(map { ([ "$_ levels, not closed", '[' x $_ ], [ "$_ objects, not closed", '{"a":' x ($_ / 5) ]) } 4_000, 20_000, 1_000_000);
});
my $model = connection_model($remote);
hostile('json-deep', sub {
	unreadable([ '4,000 levels, closed', '[' x 4_000 . ']' x 4_000 ], [ '500,000 levels, closed', '[' x 500_000 . ']' x 500_000 ]);
	my $deep = '{"connectionName":"shop","schemaName":"nix","x":' . '{"a":' x 4_000 . '1' . '}' x 4_000;
	foreach my $case ([ $test, 200 ], [ '/api/connections/deep/basic', 406 ], [ '/api/jobs/importtables', 200 ])
	{
		sends("$case->[0], 4,000 levels in a member that is not known", post($case->[0], "$deep}"), $case->[1]);
	}
	sends('create, 4,000 levels in a member that is not known',
		post('/api/connections/deep/basic', $model =~ s/\}$/,"x":@{[ '[' x 4_000 ]}@{[ ']' x 4_000 ]}}/r), 406);
});

# A model with this port, as JSON has it.
sub with_port { return $model =~ s/"port":"\d+"/"port":$_[0]/r; }

hostile('json-port-type', sub { sends("test, port $_", post($test, with_port($_)), 400, message => qr/"message":"\\"postgresql\.port/) foreach '[]', '{}', 'true' });
hostile('json-properties-type', sub {
	sends("test, properties $_", post($test, $model =~ s/"postgresql":\{/"postgresql":{"properties":$_,/r), 400, message => qr/"message":"\\"postgresql\.properties/) foreach '"x"', '[]', '1';
});
my $useless = qr/"connectionTestResult":"FAILURE".*"errorCode":"invalid_connection"/;
hostile('model-no-provider', sub { sends('test, no provider_type', post($test, '{"postgresql":{}}'), 200, message => $useless) });
hostile('model-port-0', sub { sends('test, port 0', post($test, with_port(0)), 200, message => $useless) });
hostile('model-port-65536', sub { sends('test, port 65536', post($test, with_port(65536)), 200, message => $useless) });
hostile('model-port-minus-1', sub { sends('test, port -1', post($test, with_port(-1)), 200, message => $useless) });
hostile('model-port-1e999', sub { sends('test, port 1e999', post($test, with_port('1e999')), 200, message => $useless) });
sends("test, port $_", post($test, with_port($_)), 200, message => $useless) foreach '"1 "', '-1e-999', 1.5;
sends('the same key 10,000 times', post($test, '{' . '"provider_type":"postgresql",' x 10_000 . '"postgresql":{}}'), 200);
sends('100,000 members', post($test, '{' . join(',', map { qq("k$_":$_) } 1 .. 60_000) . '}'), 200);
sends('a number of 100,000 digits', post($test, '{"provider_type":"postgresql","n":' . '9' x 100_000 . '}'), 200);

# --- Slow clients, all at once -------------------------------------------------------------------------------------------

# An answer too large for the buffers of a socket that is not read.
my $filler = 'x' x 1000;
my $large  = to_json({ %{ from_json($model) }, labels => [ map { "$_ $filler" } 1 .. 900 ] });
http($bridge, POST => "/api/connections/large$_/basic", {}, $large) foreach 1 .. 20;
my $large_target = request('GET /api/connections', []);
my $whole        = raw_request($bridge, $large_target);
like(substr($whole, -20), qr/\]\n\r\n0\r\n\r\n$/, 'a large answer comes whole to one who reads');
cmp_ok(length $whole, '>', 18_000_000, 'and it is large');
undef $whole;

my %slow = (
	'body at one byte a second' => { first => request("POST $test", [ $json, 'Content-Length: 100' ]), drip => '{', wanted => 408 },
	'body that never comes'     => { first => request("POST $test", [ $json, 'Content-Length: 100' ]), wanted => 408 },
	'body that stops'           => { first => request("POST $test", [ $json, 'Content-Length: 100' ], '{"a"'), wanted => 408 },
	'header at one line a second' => { first => "GET /api/connections HTTP/1.1\r\nHost: localhost\r\n", drip => "X: 1\r\n", wanted => 'closed' },
	'header at one byte a second' => { first => 'G', drip => 'A', wanted => 'closed' },
	'header that stops'           => { first => "GET /api/connections HTTP/1.1\r\n", wanted => 'closed' },
	'SSH banner'                  => { first => "SSH-2.0-OpenSSH_9.2p1\r\n", wanted => 'closed' },
	'nothing at all'              => { first => '', wanted => 'closed' });
foreach my $client (values %slow)
{
	@$client{qw(socket began bytes)} = (open_socket($bridge), time, '');
	syswrite $client->{socket}, $client->{first} if length $client->{first};
}
my @not_reading = map { my $socket = open_socket($bridge); syswrite $socket, $large_target; $socket } 1 .. 3;
my @trickling   = map { my $socket = open_socket($bridge); syswrite $socket, $large_target; { socket => $socket, bytes => 0 } } 1 .. 2;
my $slow_began  = time;
my @idle        = map { open_socket($bridge) } 1 .. 200;

hostile('idle-200', sub {
	my $began = time;
	is(http($bridge, GET => '/api/ishealthy')->{status}, 200, '200 idle sockets: the bridge is well');
	cmp_ok(time - $began, '<', patience(1), '200 idle sockets: health within a second');
	is(http($bridge, GET => '/api/datasource/connections/shop/schemas')->{status}, 200, '200 idle sockets: other requests are served');
});

my $next_drip = time + 1;
while (time - $slow_began < 9 && grep { !defined $_->{ended} } values %slow)
{
	foreach my $client (grep { !defined $_->{ended} } values %slow)
	{
		next unless IO::Select->new($client->{socket})->can_read(0.01);
		next if sysread $client->{socket}, $client->{bytes}, 65536, length $client->{bytes};
		$client->{ended} = time - $client->{began};
	}
	next if time < $next_drip;
	$next_drip += 1;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $_->{socket}, $_->{drip} foreach grep { defined $_->{drip} && !defined $_->{ended} } values %slow;
	foreach my $client (@trickling) { $client->{bytes} += sysread($client->{socket}, my $ignored, 100) // 0; }
	my $health = time;
	http($bridge, GET => '/api/ishealthy');
	cmp_ok(time - $health, '<', patience(0.5), 'health is told in time, while they are slow');
}
# Call this once they have ended: did each of these clients end as expected?
sub slow_ones_ended
{
	foreach my $name (@_) { slow_one_ended($name, $slow{$name}); }
	return;
}

sub slow_one_ended
{
	my ($name, $client) = @_;
	cmp_ok($client->{ended} // 99, '<', patience($client->{wanted} eq 'closed' ? 6.5 : 5.1), "$name: ended in time");
	if ($client->{wanted} eq 'closed')
	{
		ok($client->{bytes} eq '' || !defined bytes_fault($client->{bytes}, 1, 400) || !defined bytes_fault($client->{bytes}, 1, 408),
			"$name: closed, with nothing or one answer") or diag($client->{bytes});
	}
	else { is(bytes_fault($client->{bytes}, 1, $client->{wanted}), undef, "$name: $client->{wanted}"); }
	$cases++;
	return;
}

hostile('body-slow', sub { slow_ones_ended(grep { /^body/ } sort keys %slow) });
hostile('header-slow', sub { slow_ones_ended(grep { /^header/ } sort keys %slow) });
slow_ones_ended('SSH banner', 'nothing at all');

hostile('reader-slow', sub {
	# A client that does not read, or reads too slowly, is disconnected at the deadline of the request, 8 seconds, and not
	# before.
	my @cut_off;
	poll_until(sub { @cut_off = $bridge->log =~ m{ GET "/api/connections" 200 ([6-9]|1\d)\d\d\dms }g; @cut_off == 5 }, 12);
	is(scalar @cut_off, 5, 'a client that does not read a large answer is disconnected at the deadline') or diag(substr $bridge->log, -3000);
	$cases += 2;
	foreach my $socket (@not_reading)
	{
		my ($bytes, $was_closed) = read_all($socket, 5);
		ok($was_closed && $bytes =~ /^HTTP.* 200 / && $bytes !~ /0\r\n\r\n$/, 'and sees that the answer is not whole');
	}
	close $_->{socket} foreach @trickling;
	well('slow readers');
});

my $quiet = read_all($idle[0], 1);
ok($quiet eq '' || !defined bytes_fault($quiet, 1, 400) || !defined bytes_fault($quiet, 1, 408), 'an idle socket: closed, with nothing or one answer');
close $_ foreach @idle;
well('200 idle sockets');

# --- Clients that go away -------------------------------------------------------------------------------------------------

hostile('body-short', sub {
	foreach my $case (
		[ 'short body',                        request("POST $test", [ $json, 'Content-Length: 100' ], '{"a":1}') ],
		[ 'short body of a wrong JSON',        request("POST $test", [ $json, 'Content-Length: 100' ], '{') ])
	{
		my $socket = open_socket($bridge);
		syswrite $socket, $case->[1];
		shutdown $socket, 1;
		is(bytes_fault(scalar read_all($socket, 5), 1, 400), undef, "$case->[0]: 400");
		well($case->[0]);
	}
});
foreach my $bytes ('', 'G', "GET /api/connections HTTP/1.1\r\n", request("POST $test", [ $json, 'Content-Length: 100' ], '{'), $large_target, request('GET /api/connections/large1/basic', []))
{
	foreach (1 .. 5)
	{
		my $socket = open_socket($bridge);
		syswrite $socket, $bytes if length $bytes;
		# With a reset, so that the bridge writes to a closed connection.
		setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0);
		close $socket;
	}
	well('gone after ' . length($bytes) . ' bytes');
}

# --- The bridge is as it was ------------------------------------------------------------------------------------------------

# A first run may grow the heap; a repetition must not.
sub all_sorts
{
	foreach my $path (@routes) { raw_request($bridge, post($path, $_), 5) foreach '{', '[]', "{\"a\":\"\xFF\"}", '[' x 100_000, '{"a":"' . 'x' x 900_000 . '"}'; }
	raw_request($bridge, request("GET $_", []), 5) foreach '/api/nix', '/%00', '/api/connections/nix/basic', '/api/connections/large1/basic', '/api/datasource/connections/shop/schemas';
	raw_request($bridge, post($test, 'x' x 1048577), 5);
	raw_request($bridge, $large_target);
	return;
}
all_sorts() foreach 1 .. 5;
my $resident_before = resident_kb($bridge);
all_sorts() foreach 1 .. 15;
my $growth = resident_kb($bridge) - $resident_before;
memory_below($growth, 4096, 'the memory does not grow');
ok(poll_until(sub { descriptors($bridge) <= $descriptors_before }, 10), 'every descriptor is given back')
  or diag(descriptors($bridge) . " descriptors, $descriptors_before at first");

# --- Its log --------------------------------------------------------------------------------------------------------------------

my $log     = $bridge->log;
my $request = qr/(\S+) "[^"\\]*(\\.[^"\\]*)*" \d{3} \d+ms \d+B role=(-|token|"dqds_anonymous")/;
my @strange = grep { !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info $request|(info|warning|error) [^"\\]+)$/ } split /\n/, $log;
is_deeply(\@strange, [], 'every line of the log has its form');
unlike($log, qr{^[^"]*forged}m, 'no line of the log is forged');
unlike($log, qr{/api/smuggled}, 'no request was smuggled');
unlike($log, qr/[^\n\x20-\x7E\x80-\xF4]/, 'no control character is in the log');
unlike($log, qr/\Q${\remote_password($remote)}/, 'no password is in the log');
unlike($log, qr/Bearer|dXNlcjpwYXNz|\Q$token\E|\Q$expired\E|\Q$revoked\E/, 'no token is in the log');
unlike(slurp_file($control->logfile), qr/\Q$token\E|\Q$expired\E|\Q$revoked\E/, 'nor in that of the control database');

diag(sprintf '%d cases; slowest answer about health %.0f ms; memory grew by %d kB of %d kB', $cases, 1000 * $slowest_health, $growth, $resident_before);
# Bodies of 1 MB have passed through the heap of every thread; that it does not grow further was checked above.
hostile_end(memory => 24_576);
is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
