# Trino and Presto over the agent, against servers of our own: pages, errors, cancels, and servers that are hostile.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakeTrino;
use DqdsTest::Http;
use DqdsTest::Sql;
use MIME::Base64 ();
use Test::More;

use constant PASSWORD => 'top-secret-7';

my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $serial  = 0;

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

# model_of(PORT, KEYS OF THE SECTION; provider): a connection to a fake server, with a password that may go out.
sub model_of
{
	my ($port, %opt) = @_;
	my $provider = delete $opt{provider} // 'trino';
	my %section = (host => '127.0.0.1', port => "$port", user => 'ada', password => PASSWORD,
		($provider eq 'trino' ? 'catalog' : 'database') => 'tpch', properties => { allow_cleartext_password => 'true' }, %opt);
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	return to_json({ provider_type => $provider, $provider => \%section });
}

# test(MODEL): error code and message.
sub test
{
	my ($model) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::json)');
	return join ' ', map { $_ // '-' } @$row{qw(error_code error_message)};
}

# A connection of its own to a server; its name.
sub connected { my ($fake, %opt) = @_; my $name = 'fake' . ++$serial; create_connection($control, $name, model_of($fake->port, %opt)); return $name; }

# good(REQUEST): what a server with some tables answers.
sub good
{
	my ($request) = @_;
	return info() if $request->{path} eq '/v1/info';
	return answer_with(401, 'Unauthorized', 'Content-Type' => 'text/plain') if defined $request->{body} && $request->{body} eq '' && !$request->{headers}{authorization} && $request->{method} eq 'POST';
	return answer_with(204, '', 'Content-Type' => undef) if $request->{method} eq 'DELETE';
	my %rows = (
		schemata => [ ['Größe'], ["o'clock"], ['tiny'] ],
		tables   => [ map { [$_] } qw(a b c d) ],
		columns  => [ [ 'a', 1, 'id', 'bigint', 'NO', undef, undef ], [ 'a', 2, 'name', 'varchar(25)', 'YES', 'who', undef ],
			[ 'a', 3, 'price', 'decimal(12,2)', 'YES', undef, undef ], [ 'a', 4, 'at', 'timestamp(3) with time zone', 'YES', undef, undef ],
			[ 'a', 5, 'tags', 'array(varchar(3))', 'YES', undef, undef ] ]);
	if ($request->{method} eq 'POST')
	{
		my ($what) = $request->{body} =~ /FROM "tpch"\.information_schema\.(\w+)/;
		return page($request, next => '/v1/statement/queued/1') if $request->{body} =~ /WHERE FALSE/ || !defined $what;
		return page($request, rows => [ [4] ]) if $request->{body} =~ /count\(\*\)/;
		return page($request, next => "/v1/statement/executing/$what/0");
	}
	return page($request) if $request->{path} eq '/v1/statement/queued/1';
	my ($what, $number) = $request->{path} =~ m{/executing/(\w+)/(\d+)$};
	my $rows = $rows{$what};
	return page($request, next => '/v1/statement/executing/' . $what . '/' . ($number + 1), $number % 2 ? (rows => [ $rows->[ $number / 2 ] ]) : ())
	  if $number < 2 * @$rows;
	return page($request);
}

# --- A server as it should be -----------------------------------------------------------------------------------------

foreach my $provider (qw(trino presto))
{
	my $fake = start_fake_trino(\&good);
	my $name = connected($fake, provider => $provider);
	my $word = ucfirst $provider;
	is(test(model_of($fake->port, provider => $provider)), '- -', "$provider lets in");
	is($sql->value("SELECT server_version FROM dqds_test_connection('$name')"), '476', 'and tells its version');
	my @requests = requests_of($fake);
	like($requests[0], qr{^GET /v1/info HTTP}, 'the first request asks which server it is');
	unlike($requests[0], qr/Authorization|\Q@{[PASSWORD]}\E/i, 'without the password');
	like($requests[1], qr/^Authorization: Basic YWRhOnRvcC1zZWNyZXQtNw==\r?$/m, 'a statement proves the password');
	like($requests[1], qr/^X-$word-User: ada\r?$/m, 'and names the user');
	is_deeply([ grep { /^Expect|^Accept-Encoding|^Cookie/mi } @requests ], [], 'no header that was not asked for');

	is_deeply(lines_of("SELECT schema_name FROM dqds_list_schemas('$name')"), [ 'Größe', "o'clock", 'tiny' ], 'schemas, page by page');
	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('$name', 'o''clock', '100%')"), [], 'a literal filter is applied again');
	my ($filtered) = grep { /strpos/ } requests_of($fake);
	like($filtered, qr/table_schema = 'o''clock' AND strpos\(t\.table_name, '100%'\) > 0/, 'and values are literals');
	is_deeply(lines_of("SELECT column_name, ordinal_position, column_type, length, \"precision\", scale, nullable, comment FROM dqds_list_columns('$name', 'tiny')"),
		[ 'id|1|bigint|-|-|-|f|-', 'name|2|varchar|25|-|-|t|who', 'price|3|decimal|-|12|2|t|-',
			'at|4|timestamp(3) with time zone|-|-|-|t|-', 'tags|5|array(varchar(3))|-|-|-|t|-' ], 'columns');
	$fake->stop;
}

# --- A password goes nowhere without TLS, unless that is permitted ------------------------------------------------------

{
	my $fake = start_fake_trino(\&good);
	like(test(model_of($fake->port, properties => undef)), qr/^authentication_failed the connection to \S+ has a password but no TLS/, 'no password without TLS');
	is_deeply([ requests_of($fake) ], [], 'nothing was sent');
	like(test(model_of($fake->port, password => undef, properties => undef)), qr/^password_required/, 'no password at all');
	unlike(join('', requests_of($fake)), qr/Authorization/, 'then none is sent');
	like(test(model_of($fake->port, user => "a\r\nX-Evil: 1")), qr/^invalid_connection/, 'a user who would be a header');
	unlike(join('', requests_of($fake)), qr/Evil/, 'is not sent');
	like(test(model_of($fake->port, sslmode => 'require')), qr/^(tls_failed|connection_lost|server_silent)/, 'TLS where there is none');
	$fake->stop;
}

# --- What a server says -----------------------------------------------------------------------------------------------------

# with_statement(ANSWER): a server that answers so to a statement.
sub with_statement
{
	my ($answer) = @_;
	return sub { my ($request) = @_; return $request->{method} eq 'POST' ? $answer->($request) : good($request); };
}
sub with_error { my ($name, $text) = @_; return with_statement(sub { page($_[0], error => { errorName => $name, errorCode => 7, message => $text }) }); }
sub with_status { my ($status, $text) = @_; return with_statement(sub { answer_with($status, $text, 'Content-Type' => 'text/plain') }); }

my %said = (
	catalog_not_found => [ with_error('CATALOG_NOT_FOUND', "Catalog 'tpch' not found"), 'database_not_found catalog "tpch" does not exist' ],
	presto            => [ with_error('SYNTAX_ERROR', 'line 1:8: Catalog tpch does not exist'), 'database_not_found catalog' ],
	denied            => [ with_error('PERMISSION_DENIED', 'Access Denied: Cannot select'), 'permission_denied .*Access Denied: Cannot select' ],
	full              => [ with_error('QUERY_QUEUE_FULL', 'Too many queued queries'), 'too_many_connections' ],
	starting          => [ with_error('SERVER_STARTING_UP', 'Trino server is still initializing'), 'server_starting' ],
	other             => [ with_error('GENERIC_INTERNAL_ERROR', 'something'), 'remote_error .*something' ],
	401               => [ with_status(401, 'Unauthorized'), 'authentication_failed the server at \S+ does not let user "ada" log in' ],
	insecure          => [ with_status(401, 'Password not allowed for insecure authentication'), 'authentication_failed .*takes no password' ],
	403               => [ with_status(403, 'Access Denied'), 'login_not_allowed .*Access Denied' ],
	429               => [ with_status(429, 'slow down'), 'too_many_connections' ],
	500               => [ with_status(500, '<html>long page</html>'), 'remote_error .*HTTP status 500$' ],
	secret            => [ with_error('GENERIC_INTERNAL_ERROR', 'you said ' . PASSWORD), 'remote_error (?!.*' . PASSWORD . ')' ],
	starting_info     => [ sub { answer_with(200, '{"nodeVersion":{"version":"476"},"starting":true}') }, 'server_starting' ]);
foreach my $case (sort keys %said)
{
	my $fake = start_fake_trino($said{$case}[0]);
	like(test(model_of($fake->port)), qr/^$said{$case}[1]/, "a server says: $case");
	$fake->stop;
}

# A gateway that is not ready is asked again.
{
	my $log = PostgreSQL::Test::Utils::tempdir_short() . '/count';
	my $fake = start_fake_trino(sub {
		my ($request) = @_;
		open my $file, '>>', $log or die;
		syswrite $file, 'x';
		close $file;
		return (-s $log) % 3 ? answer_with(503, 'not yet') : good($request);
	});
	my $name = connected($fake);
	is_deeply(lines_of("SELECT count(*) FROM dqds_list_schemas('$name')"), ['3'], '503 is asked again');
	$fake->stop;
	$fake = start_fake_trino(sub { answer_with(503, 'never') });
	$sql->must('SET dqds.connect_timeout = 1500');
	like(test(model_of($fake->port)), qr/^server_starting/, 'but not beyond the deadline');
	$sql->must('RESET dqds.connect_timeout');
	cmp_ok(scalar(requests_of($fake)), '<', 40, 'and not in a hurry');
	$fake->stop;
}

# --- Less is asked where there is less ------------------------------------------------------------------------------------

{
	my $fake = start_fake_trino(sub {
		my ($request) = @_;
		return page($request, error => { errorName => 'PERMISSION_DENIED', errorCode => 4, message => 'system' }) if $request->{body} =~ /system\.metadata/;
		return page($request, error => { errorName => 'COLUMN_NOT_FOUND', errorCode => 47, message => 'comment' }) if $request->{body} =~ /t\.comment/;
		return page($request, rows => [ [ 'a', 'table', undef, undef ] ]) if $request->{body} =~ /CASE/;
		return good($request);
	});
	my $name = connected($fake);
	is_deeply(lines_of("SELECT table_name, table_kind FROM dqds_list_tables('$name', 'tiny')"), ['a|table'], 'tables without their comments');
	is_deeply(lines_of("SELECT count(*) FROM dqds_list_columns('$name', 'tiny')"), ['5'], 'columns without theirs');
	$fake->stop;
}

# --- What is cancelled is gone there -------------------------------------------------------------------------------------------

{
	my $fake = start_fake_trino(sub {
		my ($request) = @_;
		return page($request, next => '/v1/statement/executing/slow/1') if $request->{body} =~ /schemata t/;
		if ($request->{path} =~ /slow/ && $request->{method} eq 'GET') { sleep 60; return; }
		return good($request);
	});
	my $name    = connected($fake);
	my $deleted = sub { grep { m{^DELETE /v1/statement/executing/slow/1 } } requests_of($fake) };
	my $waiting = sub { my $wanted = shift; return sub { (grep { m{^GET /v1/statement/executing/slow} } requests_of($fake)) >= $wanted } };
	my $pid = $sql->pid;
	$sql->send("SELECT * FROM dqds_list_schemas('$name')");
	ok(poll_until($waiting->(1), 10), 'a statement is under way');
	$control->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	is($sql->answer->{error}{sqlstate}, '57014', 'it is cancelled');
	ok(poll_until(sub { $deleted->() == 1 }, 5), 'and deleted at the server');
	like(($deleted->())[0], qr/^Authorization: Basic/m, 'with the password');
	$sql->must('SET dqds.query_timeout = 700');
	like($sql->query("SELECT * FROM dqds_list_schemas('$name')")->{error}{message}, qr/within/, 'the deadline');
	ok(poll_until(sub { $deleted->() == 2 }, 5), 'it is deleted as well');
	$sql->must('RESET dqds.query_timeout');
	my $gone = DqdsTest::Sql->connect($control);
	$gone->send("SELECT * FROM dqds_list_schemas('$name')");
	ok(poll_until($waiting->(3), 10), 'a statement is under way again');
	my $backend = $gone->pid;
	$control->safe_psql('postgres', "SELECT pg_terminate_backend($backend)");
	ok(poll_until(sub { $deleted->() == 3 }, 5), 'it is deleted when its backend ends');
	$fake->stop;
}

# --- Hostile servers ----------------------------------------------------------------------------------------------------------

my $elsewhere = start_fake_trino(\&good);
my $there     = '127.0.0.1:' . $elsewhere->port;

# as_next(URL): a server that says that a statement goes on there; %s is its own host and port.
sub as_next { my ($url) = @_; return with_statement(sub { page($_[0], next => sprintf $url, $_[0]{headers}{host}) }); }
sub to_info { my ($answer) = @_; return sub { my ($request) = @_; return $request->{path} eq '/v1/info' ? $answer->($request) : good($request); }; }
sub flood
{
	my ($request, $head, $piece) = @_;
	syswrite $request->{socket}, $head;
	while (defined syswrite $request->{socket}, $piece) { }
	return;
}
my $gzip = "\x1f\x8b\x08\0\0\0\0\0\0\x03" . "\0" x 1000;

my %hostile = (
	'a foreign nextUri'            => [ as_next("http://$there/v1/statement/executing/tables/0"), 'wrong_server .*leads to a URL' ],
	'userinfo in nextUri'          => [ as_next("http://%s\@$there/v1/statement/executing/tables/0"), 'wrong_server .*leads to a URL' ],
	'a user in nextUri'            => [ as_next('http://eve@%s/v1/statement/queued/1'), 'wrong_server .*leads to a URL' ],
	'another scheme in nextUri'    => [ as_next('https://%s/v1/statement/queued/1'), 'wrong_server .*leads to a URL' ],
	'a file as nextUri'            => [ as_next('file:///etc/passwd'), 'wrong_server .*leads to a URL' ],
	'a name for the host'          => [ as_next("http://localhost:1/v1/statement/queued/1"), 'wrong_server .*leads to a URL' ],
	'lines in nextUri'             => [ as_next("http://%s/v1\r\nX-Evil: 1"), 'wrong_server .*leads to a URL' ],
	'a redirect'                   => [ with_statement(sub { answer_with(307, '', Location => "http://$there/v1/statement") }), 'wrong_server .*redirect' ],
	'a redirect at once'           => [ sub { answer_with(302, '', Location => "http://$there/v1/info") }, 'wrong_server' ],
	'a body in gzip'               => [ with_statement(sub { answer_with(200, $gzip, 'Content-Encoding' => 'gzip') }), 'wrong_server .*no JSON' ],
	'a body without an end'        => [ to_info(sub { flood($_[0], "HTTP/1.1 200 OK\r\n\r\n", '[1],' x 10000) }), 'remote_error .*more than 16 MB' ],
	'an answer without an end'     => [ with_statement(sub { flood($_[0], "HTTP/1.1 200 OK\r\n\r\n{\"a\":[", '[1],' x 10000) }), 'remote_error .*bound' ],
	'a row without an end'         => [ with_statement(sub { flood($_[0], "HTTP/1.1 200 OK\r\n\r\n{\"id\":\"a\",\"data\":[[", '"aaaaaaaaaaaaaaaa",' x 4000) }), 'remote_error .*bound' ],
	'an error page without an end' => [ with_statement(sub { flood($_[0], "HTTP/1.1 500 No\r\n\r\n", 'a' x 10000) }), 'remote_error' ],
	'headers without an end'       => [ to_info(sub { flood($_[0], "HTTP/1.1 200 OK\r\n", "X-Header: abc\r\n" x 1000) }), '(remote_error|connection_lost)' ],
	'a header without an end'      => [ to_info(sub { flood($_[0], "HTTP/1.1 200 OK\r\nX-A: ", 'a' x 10000) }), '(remote_error|connection_lost)' ],
	'interim answers without end'  => [ to_info(sub { flood($_[0], '', "HTTP/1.1 100 Continue\r\n\r\n" x 1000) }), '(remote_error|connection_lost)' ],
	'chunks that are none'         => [ to_info(sub { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n" }), '(wrong_server|connection_lost)' ],
	'nothing'                      => [ sub { return; }, 'connection_lost' ],
	'half an answer'               => [ to_info(sub { my ($r) = @_; syswrite $r->{socket}, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"; return; }), 'connection_lost' ],
	'no JSON'                      => [ to_info(sub { answer_with(200, 'hello') }), 'wrong_server' ],
	'deep JSON'                    => [ to_info(sub { answer_with(200, '[' x 100000) }), 'wrong_server' ],
	'other JSON'                   => [ to_info(sub { answer_with(200, '{"cluster_name":"elasticsearch"}') }), 'wrong_server' ],
	'an array'                     => [ with_statement(sub { answer_with(200, '[]') }), 'wrong_server' ],
	'no query'                     => [ with_statement(sub { answer_with(200, '{}') }), 'wrong_server .*names no query' ],
	'not UTF-8'                    => [ with_statement(sub { answer_with(200, qq({"id":"\xff"})) }), 'wrong_server' ],
	'a web server'                 => [ sub { answer_with(404, '<html>no</html>') }, 'wrong_server .*HTTP status 404' ]);
foreach my $case (sort keys %hostile)
{
	my ($serve, $expected) = @{ $hostile{$case} };
	my $fake = start_fake_trino($serve);
	like(test(model_of($fake->port)), qr/^$expected/, $case);
	unlike(join("\n", requests_of($fake)), qr/Evil/, 'no header of the server comes back');
	$fake->stop;
}
is_deeply([ requests_of($elsewhere) ], [], 'no other server was asked for anything');

my %raw = (
	ssh     => [ sub { syswrite $_[0], "SSH-2.0-OpenSSH_9.2\r\n"; sysread $_[0], my $answer, 100; }, 'wrong_server .*does not speak HTTP' ],
	mysql   => [ sub { syswrite $_[0], "\x4a\0\0\0\x0a8.0.36\0" . 'a' x 66; sysread $_[0], my $answer, 100; }, 'wrong_server .*does not speak HTTP' ],
	garbage => [ sub { syswrite $_[0], "\xff" x 2000; sysread $_[0], my $answer, 100; }, 'wrong_server .*does not speak HTTP' ],
	reset   => [ sub { setsockopt $_[0], Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0; }, 'connection_lost' ]);
foreach my $case (sort keys %raw)
{
	my $fake = start_fake_server($raw{$case}[0]);
	like(test(model_of($fake->port)), qr/^$raw{$case}[1]/, "a server that is $case");
	$fake->stop;
}
like(test(model_of(free_port())), qr/^connection_refused/, 'a port where nothing listens');

# Those that only time ends.
my %endless = (
	'pages'   => sub { my ($request) = @_; return $request->{path} eq '/v1/info' ? info() : page($request, next => '/v1/statement/executing/x/' . int rand 1e9); },
	'silence' => sub { sleep 60; return; },
	'a drip'  => sub { my ($request) = @_; syswrite $request->{socket}, "HTTP/1.1 200 OK\r\n\r\n"; while (defined syswrite $request->{socket}, ' ') { select undef, undef, undef, 0.05; } return; });
$sql->must('SET dqds.connect_timeout = 1500');
foreach my $case (sort keys %endless)
{
	my $fake = start_fake_trino($endless{$case});
	like(test(model_of($fake->port)), qr/^(server_silent|timeout|unreachable|connection_timeout) .*within/, "$case without an end");
	if ($case eq 'pages')
	{
		cmp_ok(scalar(requests_of($fake)), '<', 100, 'are not asked for in a hurry');
		ok(poll_until(sub { grep { /^DELETE/ } requests_of($fake) }, 5), 'and the statement is deleted');
	}
	$fake->stop;
}
$sql->must('RESET dqds.connect_timeout');

# --- What a ClickHouse may answer, too ---------------------------------------------------------------------------------------------

sub clickhouse_model { my ($port, %opt) = @_; return to_json({ provider_type => 'clickhouse', clickhouse => from_json(model_of($port, provider => 'presto', %opt))->{presto} }); }
my $head     = '{"meta":[],"data":[["26.9.1","",""]';
my $code     = 'Code: 159. DB::Exception: Timeout exceeded: elapsed 1 seconds. (TIMEOUT_EXCEEDED) (version 26.9.1)';
my %answered = (
	'an error between the rows' => [ "$head,\n$code\n",                                  'timeout .*Timeout exceeded' ],
	'an error within a row'     => [ "$head,[\"a\",\"b\n$code\n",                       'timeout .*Timeout exceeded' ],
	'an error in the document'  => [ "$head],\"rows\":1,\"exception\":\"$code\"}",       'timeout .*Timeout exceeded' ],
	'half a document'           => [ $head,                                               'wrong_server .*no JSON' ],
	'a row that is missing'     => [ "$head],\"rows\":2}",                                'wrong_server .*count of its rows' ],
	'too many brackets'         => [ "$head]]]],\"rows\":1}",                             'wrong_server .*no JSON' ],
	'a whole document'          => [ "$head],\"rows\":1}",                                '- -' ]);
foreach my $case (sort keys %answered)
{
	my $fake = start_fake_trino(sub {
		my ($request) = @_;
		return answer_with(200, "Ok.\n") if $request->{path} eq '/ping';
		return answer_with(403, 'Code: 516. DB::Exception: ada: Authentication failed') if $request->{body} eq 'SELECT 1';
		return answer_with(200, $request->{body} =~ /version/ ? $answered{$case}[0] : '{"data":[["1"]],"rows":1}');
	});
	like(test(clickhouse_model($fake->port)), qr/^$answered{$case}[1]/, "ClickHouse: $case");
	$fake->stop;
}
foreach my $case ([ 'another server', sub { answer_with(200, 'hello') }, 'wrong_server' ], [ 'a redirect', sub { answer_with(302, '', Location => 'http://127.0.0.1:1/') }, 'wrong_server' ],
	[ 'a server that is not ready', sub { answer_with(503, 'no') }, 'server_starting' ])
{
	my $fake = start_fake_trino($case->[1]);
	like(test(clickhouse_model($fake->port)), qr/^$case->[2]/, "in the place of ClickHouse: $case->[0]");
	is_deeply([ grep { /^Authorization/mi } requests_of($fake) ], [], 'which gets no password');
	$fake->stop;
}

# Servers that take any password have not checked it.
{
	my $fake = start_fake_trino(\&good);
	is(test(model_of($fake->port, provider => 'presto')), '- -', 'Presto that wants a password');
	$fake->stop;
	$fake = start_fake_trino(sub { my ($request) = @_; return $request->{body} eq '' && $request->{method} eq 'POST' ? answer_with(400, 'SQL statement is empty', 'Content-Type' => 'text/plain') : good($request); });
	like(test(model_of($fake->port, provider => 'presto')), qr/^password_required the server at \S+ did not ask for the password/, 'Presto that checks none');
	create_connection($control, 'unproved', to_json({ %{ from_json(model_of($fake->port, provider => 'presto')) }, password_required => JSON::PP::false }));
	is_deeply([ $sql->column(q(SELECT error_code FROM dqds_test_connection('unproved'))) ], [undef], 'which may be where none is required');
	$fake->stop;

	my $open;
	my $clickhouse = sub {
		my ($request) = @_;
		return answer_with(200, "Ok.\n") if $request->{path} eq '/ping';
		return answer_with($open ? 200 : 403, $open ? "1\n" : 'Code: 516. DB::Exception: ada: Authentication failed', 'Content-Type' => 'text/plain')
		  if $request->{body} eq 'SELECT 1' && $request->{headers}{authorization} eq 'Basic ' . MIME::Base64::encode_base64('ada:', '');
		return answer_with(200, $request->{body} =~ /version/ ? '{"data":[["23.8.1.1",null,null]],"rows":1}' : '{"data":[["1"]],"rows":1}');
	};
	foreach my $case ([ 0, qr/^- -$/, 'a user with a password' ], [ 1, qr/^password_required the server at \S+ did not ask for the password/, 'one without, who is let in with any' ])
	{
		$open = $case->[0];
		$fake = start_fake_trino($clickhouse);
		like(test(clickhouse_model($fake->port)), $case->[1], "ClickHouse: $case->[2]");
		$fake->stop;
	}
}

$elsewhere->stop;
$control->stop;
done_testing();
