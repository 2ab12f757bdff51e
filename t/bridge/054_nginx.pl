# TLS in front of the bridge: Debian's nginx with packaging/nginx.conf, in which only ports, paths and the name are replaced.
# HTTPS works with a token, plain HTTP does not, and requests that are too large, too slow or too many end at nginx.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Process;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $dir  = PostgreSQL::Test::Utils::tempdir('nginx');
my $name = 'dqds.test.example';

# --- A certificate, the bridge, nginx -------------------------------------------------------------------

run_command([ qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj), "/CN=$name",
		'-addext', "subjectAltName=DNS:$name", '-keyout', "$dir/key.pem", '-out', "$dir/certificate.pem" ]);

# A listing of 5,000 tables, each with a comment of 3,000 characters.
my ($remote, $names) = wide_server('remote', 'wide', 5000);
$remote->safe_psql('postgres', q(INSERT INTO pg_description SELECT oid, 'pg_class'::regclass, 0, repeat('c', 3000)
	FROM pg_class WHERE relnamespace = 'wide'::regnamespace));
my $control = control_server('control');
create_connection($control, 'wide', connection_model($remote));
grant_role($control, 'reader', level => 'operator', connections => ['wide']);
my $token = $control->safe_psql('postgres', q(SELECT dqds_create_token('reader')));
# A registry of 14 megabytes for one caller; the other one sees only "wide".
create_connection($control, $_, connection_model($remote, note => 'x' x 900_000)) foreach map { "big$_" } 1 .. 16;
grant_role($control, 'thief', level => 'viewer', connections => [ map { "big$_" } 1 .. 16 ]);
my $thief = $control->safe_psql('postgres', q(SELECT dqds_create_token('thief')));
my $bridge = start_bridge($control, anonymous => undef, options => [ '--host-name', $name ]);
$control->safe_psql('postgres', 'GRANT reader, thief TO dqds_bridge');

my ($http, $https) = (free_port(), free_port());
my $conf = slurp_file(__FILE__ =~ s{[^/]*$}{../../packaging/nginx.conf}r);
my %place = (
	'127.0.0.1:8888'              => '127.0.0.1:' . $bridge->port,
	'listen 80;'                  => "listen 127.0.0.1:$http;",
	'listen 443 ssl default_server' => "listen 127.0.0.1:$https ssl default_server",
	'listen 443 ssl;'             => "listen 127.0.0.1:$https ssl;",
	'server_name dqds.example.com' => "server_name $name",
	'/etc/ssl/dqds/fullchain.pem' => "$dir/certificate.pem",
	'/etc/ssl/dqds/privkey.pem'   => "$dir/key.pem");
foreach my $text (sort keys %place)
{
	is($conf =~ s/\Q$text\E/$place{$text}/g, $text =~ /^server_name/ ? 2 : 1, "the file has \"$text\"");
}
{
	open my $file, '>', "$dir/dqds.conf" or die $!;
	print $file $conf;
	close $file;
	# The relevant part of Debian's own nginx.conf.
	open $file, '>', "$dir/nginx.conf" or die $!;
	print $file "daemon off;\npid $dir/pid;\nerror_log $dir/error.log info;\nevents {}\nhttp {\naccess_log $dir/access.log;\n"
	  . join('', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi)) . "include $dir/dqds.conf;\n"
	  # The default site of a new installation.
	  . "server {\nlisten 127.0.0.1:$http default_server;\nreturn 200 somebody;\n}\n}\n";
	close $file;
}
my $nginx = DqdsTest::Process->start('nginx', "$dir/log", [ 'nginx', '-c', "$dir/nginx.conf", '-e', "$dir/error.log" ]);
ok(poll_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $https) || !$nginx->running }, 20) && $nginx->running, 'nginx takes the file and runs')
  or BAIL_OUT($nginx->log . (-e "$dir/error.log" ? slurp_file("$dir/error.log") : ''));

# --- Requests over TLS -----------------------------------------------------------------------------------

# openssl as a client that checks the certificate.
sub client { return ('openssl', 's_client', '-quiet', '-ign_eof', '-connect', "127.0.0.1:$https", '-servername', $name, '-verify_return_error', '-CAfile', "$dir/certificate.pem", @_); }

# Sends BYTES and returns all that comes back, and what openssl said.
sub exchange
{
	my ($bytes, @options) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ client(@options) ], '<', \$bytes, '>', \$out, '2>', \$err, IPC::Run::timeout(patience(60)));
	return ($out, $err);
}

sub request
{
	my ($method, $target, $more, $body) = @_;
	my %header = (Host => $name, Connection => 'close', Authorization => "Bearer $token", %{ $more // {} });
	%header = (%header, 'Content-Type' => 'application/json', 'Content-Length' => length $body) if defined $body && !exists $header{'Content-Length'};
	return "$method $target HTTP/1.1\r\n" . join('', map { "$_: $header{$_}\r\n" } grep { defined $header{$_} } sort keys %header) . "\r\n" . ($body // '');
}

sub https
{
	my ($method, @rest) = @_;
	my ($raw) = exchange(request($method, @rest));
	return parse_answer($raw, 1, $method);
}

# From another address of this machine.
sub https_from
{
	my ($address, $method, @rest) = @_;
	my ($raw) = exchange(request($method, @rest), '-bind', "$address:0");
	return parse_answer($raw, 1, $method);
}

my $schemas = '/api/datasource/connections/wide/schemas';
{
	my $answer = https(GET => $schemas);
	is($answer->{status}, 200, 'HTTPS with a token');
	is_deeply([ map { $_->{schemaName} } @{ $answer->{json} } ], [ 'public', 'wide' ], 'the answer is whole');
	is($answer->{headers}{'strict-transport-security'}, 'max-age=31536000', 'browsers are told to stay with https');
	ok(poll_until(sub { $bridge->log =~ qr{GET "$schemas" 200 \d+ms \d+B role="reader"} }, 5), 'it runs as the role of the token') or diag($bridge->log);
	$answer = https(GET => $schemas, { Authorization => undef });
	is("$answer->{status} $answer->{headers}{'www-authenticate'}", '401 Bearer', 'without a token: 401 of the bridge');
	is(https(GET => $schemas, { Authorization => 'Bearer x' })->{status}, 401, 'with a bad one: 401');
	ok(poll_until(sub { https(GET => '/api/ishealthy', { Authorization => undef })->{body} eq '"OK"' }), 'health needs none');
	my $model = connection_model($remote);
	is(https(POST => '/api/datasource/testconnection', {}, $model)->{json}{connectionTestResult}, 'SUCCESS', 'a body goes through');
	like(https(GET => '/api/datasource/connections/no%2Fsuch%20one/schemas')->{json}{message}, qr{^connection "no/such one" does not exist\.}, 'escapes in the path stay as they are');
	my ($out) = exchange(request(GET => '/api/ishealthy'), '-tls1_2');
	like($out, qr{^HTTP/1\.1 200 }, 'TLS 1.2');
	foreach my $old ('-tls1_1', '-tls1')
	{
		my ($out, $err) = exchange(request(GET => '/api/ishealthy'), $old, '-cipher', 'ALL:@SECLEVEL=0');
		is($out, '', "$old: no answer");
		like($err, qr/protocol version|no protocols available|unsupported protocol|alert/, "$old: refused");
	}
	($out) = exchange(request(GET => $schemas), '-servername', 'other.example');
	is($out, '', 'another name: no handshake, no answer');
	unlike((exchange(request(GET => $schemas, { Host => 'other.example' })))[0], qr{^HTTP/1\.1 200}, 'nor for another Host');
}

# Without TLS.
foreach my $target ($schemas, '/api/ishealthy')
{
	my $answer = parse_answer(scalar raw_request($http, request(GET => $target)), 1, 'GET');
	is($answer->{status}, 403, "http, $target: 403");
	unlike($answer->{raw}, qr/wide|"OK"/, 'and nothing of the bridge');
}
like(scalar raw_request($https, request(GET => $schemas)), qr{^HTTP/1\.1 400 }, 'http to the port of https: 400');

# The address of the health check, as a monitor uses it.
{
	my $started = time;
	https(GET => '/api/ishealthy');
	cmp_ok(time - $started, '<', patience(2), 'health answers at once');
}

# --- Too large, too much -----------------------------------------------------------------------------------

{
	my $before = () = $bridge->log =~ /"\/api\/datasource\/testconnection"/g;
	is(https(POST => '/api/datasource/testconnection', {}, '{"a": "' . ('x' x 1_100_000) . '"}')->{status}, 413, 'a body over the limit: 413');
	is(https(POST => '/api/datasource/testconnection', { 'Content-Length' => 10_000_000_000 }, '{')->{status}, 413, 'also when it is only announced');
	is(scalar(() = $bridge->log =~ /"\/api\/datasource\/testconnection"/g), $before, 'the bridge never sees it');
	is(https(POST => '/api/datasource/testconnection', {}, '{"a": "' . ('x' x 1_000_000) . '"}')->{status}, 200, 'one below it goes through');
	sleep 1;    # the earlier requests no longer count, at 20 in a second
	my ($out) = exchange(join('', map { request(GET => '/api/ishealthy', { Connection => 'keep-alive' }) } 1 .. 120) . request(GET => '/api/ishealthy'));
	my %count;
	$count{$1}++ while $out =~ m{HTTP/1\.1 (\d+) }g;
	cmp_ok($count{429} // 0, '>=', 20, 'over the limit of requests: 429');
	cmp_ok($count{200} // 0, '>=', 40, 'those within it are served');
	is(($count{200} // 0) + ($count{429} // 0), 121, 'and there is nothing else');
	sleep 3;
}

# --- Too slow -------------------------------------------------------------------------------------------------

# A header that never ends, and a body that never comes: at the same time, to wait once.
{
	my %slow = (header => "GET /api/ishealthy HTTP/1.1\r\nHost: $name\r\n", body => request(POST => '/api/datasource/testconnection', { 'Content-Length' => 100 }, '{'));
	my (%run, %out);
	my $started = time;
	foreach my $what (sort keys %slow)
	{
		$out{$what} = '';
		# The pipe stays open: openssl has nothing to send and waits.
		my $in = $slow{$what};
		pipe my $reader, my $writer;
		syswrite $writer, $in;
		$run{$what} = { writer => $writer, run => IPC::Run::start([ client() ], '<', $reader, '>', \$out{$what}, '2>', '/dev/null', IPC::Run::timeout(patience(30))) };
		close $reader;
	}
	# One byte a second does not help a header.
	for my $second (1 .. 4) { sleep 1; syswrite $run{header}{writer}, 'X'; }
	foreach my $what (sort keys %run)
	{
		ok(eval { $run{$what}{run}->finish; 1 }, "a $what that does not end: the connection does");
		note(sprintf '%s: %.1f s', $what, time - $started);
	}
	cmp_ok(time - $started, '<', patience(9), 'a client that sends too slowly is cut off');
	like($out{body}, qr{^(HTTP/1\.1 408 |$)}, 'a body that does not come: no answer, or 408');
	unlike($out{header}, qr{ 200 }, 'a header that does not end: no answer');
	is(scalar(() = $bridge->log =~ m{ 408 }g), 0, 'and the bridge has not waited for it');
}

# --- Large answers ----------------------------------------------------------------------------------------------

# Read with a pause: what nginx may not buffer must wait in the bridge.
{
	my $tables = '/api/datasource/connections/wide/schemas/wide/tables?details=true';
	my $bytes  = request(GET => $tables);
	my $raw    = '';
	my $pid    = open my $from, '-|', 'sh', '-c', 'printf %s "$0" | exec "$@" 2>/dev/null', $bytes, client() or die $!;
	sleep 1.5;
	while (sysread $from, $raw, 1 << 20, length $raw) { }
	close $from;
	my $answer = parse_answer($raw, 1, 'GET');
	is("$answer->{status} " . ($answer->{error} // 'whole'), '200 whole', 'a large answer comes through');
	cmp_ok(length $answer->{body}, '>', 15_000_000, 'of many megabytes: ' . length $answer->{body});
	my @got = map { $_->{tableName} } @{ $answer->{json} };
	utf8::encode($_) foreach @got;
	is_deeply(\@got, $names, 'with every table in its place');
	unlike(slurp_file("$dir/error.log"), qr/buffered to a temporary file.*upstream|upstream response is buffered/, 'nginx keeps nothing of it in a file');
}

# --- Slow readers ------------------------------------------------------------------------------------------------

# 32 clients with one token from one address, which read nothing: nginx buffers their answers, and the bridge gets its
# connections back. Meanwhile another caller is served.
{
	my $busy = sub { $control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle')) };
	my $served = sub { return scalar(() = $bridge->log =~ m{GET "/api/connections" 200 \d+ms 1\d{7}B role="thief"}g); };
	my $bytes = request(GET => '/api/connections', { Authorization => "Bearer $thief" });
	my @slow  = map {
		# The client itself waits: nothing reads what it writes.
		pipe my $from, my $to or die $!;
		my $process = DqdsTest::Process->start('slow reader', undef, sub { POSIX::dup2(fileno $to, 1); exec 'sh', '-c', '(printf %s "$0"; sleep 60) | exec "$@" 2>/dev/null', $bytes, client(); });
		{ process => $process, from => $from, to => $to };
	} 1 .. 32;
	ok(poll_until(sub { $served->() >= 8 && $busy->() == 0 }, 40), 'slow readers: their answers have left the bridge, and hold nothing') or diag($served->(), ' served, ', $busy->(), ' busy');
	is(scalar(grep { $_->{process}->running } @slow) >= 8, 1, 'slow readers: while they still do not read');
	my @status = map { https_from('127.0.0.2', GET => $_)->{status} } '/api/connections', $schemas, '/api/connections/wide/basic';
	is("@status", '200 200 200', 'slow readers: another caller is served');
	$_->{process}->stop foreach @slow;
	cmp_ok(scalar(() = slurp_file("$dir/access.log") =~ m{GET /api/connections HTTP/1.1" 429}g), '>=', 16, 'slow readers: more than some of one address are not let in');
}

# The bridge is the first to give up, and says why.
{
	like($conf, qr/proxy_read_timeout +70s/, 'nginx waits longer than the bridge, whose time is 60 s');
	$bridge->stop;
	is(https(GET => '/api/ishealthy')->{status}, 502, 'without a bridge: 502');
}
my ($access, $error) = map { slurp_file("$dir/$_.log") } qw(access error);
like($access, qr{GET /api/ishealthy HTTP/1\.1" 200}, 'nginx logs requests');
unlike($access . $error, qr/\Q$token\E/, 'but no token');
is($nginx->stop, 0, 'nginx ends');

done_testing();
