# Whatever a remote server does, the caller gets one clear answer in time, and the backend that made the call goes on: servers
# that refuse, disappear, stay silent, speak another protocol, break the protocol, flood, or die in the middle of a query.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Outcome;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $remote  = remote_server('remote');
my $control = control_server('control');

my $sql     = DqdsTest::Sql->connect($control);
my $backend = $sql->pid;
$sql->must("SET dqds.connect_timeout = '2s'; SET dqds.query_timeout = '2s'");

# Over REST the same, at the same time, with the same deadlines.
my $bridge = start_bridge($control, level => 'admin');
$control->safe_psql('postgres', "ALTER ROLE dqds_bridge SET dqds.connect_timeout = '2s'; ALTER ROLE dqds_bridge SET dqds.query_timeout = '2s'");
hostile_watch(bridge => $bridge, control => $control, remote => $remote, sql => $sql);
also_over_rest($bridge);

# A model for a fake server, or for a port.
sub model_at
{
	my ($port, %override) = @_;
	return connection_model($remote, port => '' . (ref $port ? $port->port : $port), %override);
}

sub fake { my ($serve) = @_; return start_fake_server($serve); }

# The most memory that the backend has ever had, in kB.
sub peak { my ($pid) = (@_, $backend); my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m; return $peak; }

# --- Servers that are not there, or do not talk --------------------------------------------------------

hostile('remote-refused', sub {
	fails($sql, 'refused', model_at(free_port()), 'connection_refused');
});

hostile('remote-black-hole', sub {
	my $hole = black_hole();
	fails($sql, 'black hole', model_at($hole->{port}), 'unreachable', message => qr/no answer/);
});

hostile('remote-silent', sub { fails($sql, 'accepts and says nothing', model_at(fake(\&hold)), 'server_silent') });
hostile('remote-stalls-in-tls', sub {
	fails(
		$sql,
		'stalls in TLS',
		model_at(fake(sub { my ($client) = @_; read_bytes($client, 8); send_bytes($client, 'S'); hold($client); })),
		'server_silent');
});
fails(
	$sql,
	'stalls in the authentication',
	model_at(
		fake(
			sub {
				my ($client) = @_;
				pg_read_startup($client);
				send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
				hold($client);
			})),
	'server_silent');
fails($sql, 'closes at once', model_at(fake(sub { })), 'connection_lost');
hostile('remote-one-byte', sub {
	fails(
		$sql,
		'one byte now and then',
		model_at(
			fake(
				sub {
					my ($client) = @_;
					pg_read_startup($client);
					foreach my $byte (split //, 'R' . pack('N', 1900) . "\0\0\0\x0a" . 'x' x 1800)
					{
						send_bytes($client, $byte);
						sleep 0.05;
					}
				})),
		'server_silent');
});

# The connect_timeout of the model applies as well as the setting.
{
	my $model = model_at(fake(\&hold), properties => { connect_timeout => '4' });
	my $row   = fails($sql, 'connect_timeout of the model', $model, 'server_silent', within => 4);
	cmp_ok($row->{seconds}, '>', 3.9, 'connect_timeout of the model: is waited for');
}

# --- Servers that speak something else -----------------------------------------------------------------

my %banner = (
	HTTP =>
	  "HTTP/1.1 400 Bad Request\r\nServer: secret-name/1.0\r\nConnection: close\r\n\r\n<html>secret-name</html>",
	SSH   => "SSH-2.0-secret-name_9.2p1 Debian-2\r\n",
	Redis => "-ERR unknown command 'secret-name'\r\n",
	SMTP  => "220 secret-name ESMTP ready\r\n",
	MySQL => "J\0\0\0\x0a8.0.36-secret-name\0" . 'x' x 50);
sub speaks
{
	my ($protocol) = @_;
	# SSH, SMTP and MySQL speak first; the others answer.
	my $serve = sub {
		my ($client) = @_;
		sysread $client, my $bytes, 8 if $protocol =~ /HTTP|Redis/;
		send_bytes($client, $banner{$protocol});
		hold($client);
	};
	foreach my $sslmode (qw(prefer disable require))
	{
		fails(
			$sql, "$protocol port, sslmode $sslmode",
			model_at(fake($serve), sslmode => $sslmode),
			'not_postgres',
			without => qr/secret-name|HTTP|SSH|ERR|220 |8\.0\.36/,
			within  => 0);
	}
	return;
}

hostile('port-of-http',  sub { speaks('HTTP') });
hostile('port-of-ssh',   sub { speaks('SSH') });
hostile('port-of-redis', sub { speaks('Redis') });
speaks($_) foreach qw(SMTP MySQL);

# --- Broken messages -----------------------------------------------------------------------------------

# %broken: what a server sends in place of the authentication request, or of the result of the query.
my $huge         = pack 'N', 2**31 - 1;
my %broken_login = (
	'a request of 2^31-1 bytes' => [ "R${huge}xxxxxxxxxxxx",       'not_postgres' ],
	'an error of 2^31-1 bytes'  => [ "E${huge}xxxxxxxxxxxx",       qr/not_postgres|connection_lost|server_silent/ ],
	'a request of length 0'     => [ "R\0\0\0\0xxxxxxxxxxxx",      'not_postgres' ],
	'a request of length -1'    => [ "R\xff\xff\xff\xffxxxxxxxxx", 'not_postgres' ],
	'a request of an unknown kind' => [ pg_auth(4711), 'authentication_failed' ],
	'a request for a Kerberos ticket' => [ pg_auth(7), 'authentication_failed' ],
	'a request for a billion iterations' => [ pg_auth(10, "SCRAM-SHA-256\0\0") . pg_auth(11, 'r=x,s=c2FsdA==,i=1000000000'), 'authentication_failed' ],
	'zeros'                        => [ "\0" x 4096,   'not_postgres' ]);
sub breaks_login
{
	my ($what) = @_;
	my ($bytes, $code) = @{ $broken_login{$what} };
	my $server =
	  fake(sub { my ($client) = @_; pg_read_startup($client); send_bytes($client, $bytes); hold($client); });
	my $row = outcome($sql, model_at($server));
	like($row->{error_code} // 'none', qr/^(?:$code)$/, "a login: $what (" . ($row->{error_code} // '-') . ')')
	  or diag(explain($row));
	cmp_ok($row->{seconds}, '<', 2 + PATIENCE, "a login: $what: in time");
	is(code_over_rest(model_at($server)), $row->{error_code}, "a login: $what: the same over REST");
	return;
}

sub code_over_rest
{
	my ($model) = @_;
	return http($bridge, POST => '/api/datasource/testconnection', {}, $model)->{json}{errorCode};
}

my %broken_answer = (
	'a row description of 2^31-1 bytes' => "T$huge" . 'xxxx',
	'a row of 2^31-1 bytes'             => pg_message('T', pack('n Z* N n N n N n', 1, 'a', 0, 0, 25, -1, -1, 0))
	  . "D$huge" . 'xxxx',
	'a row of more columns' => pg_message('T', pack('n Z* N n N n N n', 1, 'a', 0, 0, 25, -1, -1, 0))
	  . pg_message('D', pack('n N a N a', 2, 1, 'a', 1, 'b')),
	'a row before its description' => pg_message('D', pack('n N a', 1, 1, 'a')),
	'an error without an end'      => "E\0\0\0\x20SERROR",
	'a message of no known type'   => "\x01\0\0\0\x08xxxx",
	'a message of length 0'        => "D\0\0\0\0",
	'COPY'                         => pg_message('H', pack('C n', 0, 0)) . pg_message('d', "secret\n"),
	'no answer'                    => '');
sub breaks_answer
{
	my ($what) = @_;
	my $server =
	  fake(sub { my ($client) = @_; pg_log_in($client); pg_answer($client, $broken_answer{$what}); hold($client); });
	my $row = outcome($sql, model_at($server));
	like(
		$row->{error_code} // 'none',
		qr/^(?:connection_lost|timeout|remote_error)$/,
		"an answer: $what (" . ($row->{error_code} // '-') . ')') or diag(explain($row));
	cmp_ok($row->{seconds}, '<', 2 + PATIENCE, "an answer: $what: in time");
	is(code_over_rest(model_at($server)), $row->{error_code}, "an answer: $what: the same over REST");
	return;
}

sub huge { return grep { /2\^31/ } @_; }

hostile('remote-length-2-31', sub {
	breaks_login($_)  foreach huge(sort keys %broken_login);
	breaks_answer($_) foreach huge(sort keys %broken_answer);
	memory_below(peak(), 100_000, 'no memory is taken for a length');
});
breaks_login($_)  foreach grep { !huge($_) } sort keys %broken_login;
breaks_answer($_) foreach grep { !huge($_) } sort keys %broken_answer;

# --- Reset ---------------------------------------------------------------------------------------------

hostile('remote-reset', sub {
	fails($sql, 'reset at once', model_at(fake(sub { reset_connection($_[0]) })), 'connection_lost', within => 0);
	fails(
		$sql,
		'reset after the startup packet',
		model_at(fake(sub { pg_read_startup($_[0]); reset_connection($_[0]); })),
		'connection_lost', within => 0);
	fails(
		$sql,
		'reset in TLS',
		model_at(
			fake(sub { read_bytes($_[0], 8); send_bytes($_[0], 'S'); reset_connection($_[0]); }),
			sslmode => 'require'),
		'connection_lost',
		within => 0);
	fails(
		$sql,
		'reset in the middle of a message',
		model_at(
			fake(
				sub {
					pg_read_startup($_[0]);
					send_bytes($_[0], substr pg_auth(10, "SCRAM-SHA-256\0\0"), 0, 12);
					sleep 0.1;
					reset_connection($_[0]);
				})),
		'connection_lost',
		within => 0);
	fails(
		$sql,
		'reset in the query',
		model_at(fake(sub { pg_log_in($_[0]); pg_answer($_[0], ''); reset_connection($_[0]); })),
		'connection_lost', within => 0);
	fails(
		$sql,
		'reset in the middle of a row',
		model_at(
			fake(
				sub {
					pg_log_in($_[0]);
					pg_answer($_[0],
						pg_message('T', pack('n Z* N n N n N n', 1, 'a', 0, 0, 25, -1, -1, 0)) . "D\0\0\1\0");
					sleep 0.1;
					reset_connection($_[0]);
				})),
		'connection_lost',
		within => 0);
});

# --- Floods --------------------------------------------------------------------------------------------

sub flood
{
	my ($client, $message) = @_;
	my $bytes = $message x (1 + int(100_000 / length $message));
	while (1) { send_bytes($client, $bytes); }
}
my $notice       = pg_message('N', "SNOTICE\0C00000\0M" . 'flood ' x 100 . "\0\0");
my $notification = pg_message('A', pack('N',     1) . "channel\0payload\0");
my $row          = pg_message('D', pack('n N a', 1, 1, '1'));

# ReadyForQuery is sent only after the authentication: notices are allowed from then on.
hostile('notice-flood', sub {
	fails(
		$sql,
		'notices without end, in the login',
		model_at(
			fake(
				sub {
					my ($client) = @_;
					pg_read_startup($client);
					send_bytes($client, pg_auth(5, 'salt'));
					pg_read_message($client);
					send_bytes($client, pg_auth(0));
					flood($client, $notice);
				})),
		'remote_error', message => qr/sent more than a login can have$/);
	fails(
		$sql,
		'notices without end, in the query',
		model_at(fake(sub { pg_log_in($_[0]); pg_answer($_[0], ''); flood($_[0], $notice); })), 'remote_error', or => 'timeout');
	memory_below(peak(), 100_000, sprintf 'the backend has never used more than 100 MB (%d kB)', peak());
});
fails(
	$sql,
	'notifications without end, in the login',
	model_at(
		fake(
			sub {
				my ($client) = @_;
				pg_read_startup($client);
				send_bytes($client, pg_auth(5, 'salt'));
				pg_read_message($client);
				send_bytes($client, pg_auth(0));
				flood($client, $notification);
			})),
	'remote_error', message => qr/sent more than a login can have$/);
fails(
	$sql,
	'notifications without end, in the query',
	model_at(fake(sub { pg_log_in($_[0]); pg_answer($_[0], ''); flood($_[0], $notification); })), 'remote_error', or => 'timeout');
# For each of these libpq 15 leaks 2 kB. The sanitizers have their own allocator, which the C library does not count: there
# the deadline ends it.
my $losing = DqdsTest::Sql->connect($control);
$losing->must("SET dqds.query_timeout = '1s'");
fails(
	$losing,
	'descriptions of parameters without end',
	model_at(fake(sub { pg_log_in($_[0]); pg_answer($_[0], ''); flood($_[0], pg_message('t', pack 'n', 0)); })), 'remote_error', or => 'timeout');
memory_below(peak($losing->pid), 64_000, sprintf 'that backend has never used more than 64 MB (%d kB)', peak($losing->pid));
$losing->close;
fails(
	$sql,
	'parameters without end',
	model_at(
		fake(
			sub {
				my ($client) = @_;
				pg_log_in($client);
				pg_answer($client, '');
				my $n = 0;
				while (1)
				{
					send_bytes($client, join '', map { pg_message('S', 'p' . $n++ . "\0value\0") } 1 .. 1000);
				}
			})),
	'remote_error', or => 'timeout');
fails(
	$sql,
	'rows without end',
	model_at(
		fake(
			sub {
				pg_log_in($_[0]);
				pg_answer($_[0], pg_message('T', pack('n Z* N n N n N n', 1, 'a', 0, 0, 25, -1, -1, 0)));
				flood($_[0], $row);
			})),
	'remote_error', message => qr/sent more than one row/, or => 'timeout'); # of a listing there may be so many

{
	memory_below(peak(), 64_000, sprintf 'after all that the backend has never used more than 64 MB (%d kB)',
		peak());
	is($sql->pid,               $backend, 'it is still the same backend');
	is($sql->value('SELECT 1'), '1',      'and it works');
}

# --- Servers that die in the middle of a query ---------------------------------------------------------

# A bridge that waits longer.
$control->safe_psql('postgres', 'ALTER ROLE dqds_bridge RESET ALL');
my $patient = start_bridge($control, anonymous => 'patient', level => 'admin');

my $mortal = remote_server('mortal', conf => 'restart_after_crash = on');
create_connection($control, 'mortal', connection_model($mortal));
my %death = (
	'its backend is killed' => [ 'QD017', undef,   sub { my ($at, @pids) = @_; kill 'KILL', @pids } ],
	'its backend is ended'  => [ 'QD017', '57P01', sub { my ($at, @pids) = @_; $at->must("SELECT pg_terminate_backend($_)") foreach @pids } ],
	'the query is cancelled there' =>
	  [ 'QD016', '57014', sub { my ($at, @pids) = @_; $at->must("SELECT pg_cancel_backend($_)") foreach @pids } ],
	'it is killed'           => [ 'QD017', undef,   sub { kill_server($mortal) } ],
	'it stops at once'       => [ 'QD017', undef,   sub { $mortal->stop('immediate') } ],
	'it stops in good order' => [ 'QD017', '57P01', sub { $mortal->stop('fast') } ]);
my %code_name = (QD016 => 'cancelled', QD017 => 'connection_lost');

# A listing over SQL and one over REST hang there when it happens.
sub dies
{
	my ($how) = @_;
	my ($code, $state, $kill) = @{ $death{$how} };
	my $caller = DqdsTest::Sql->connect($control);
	my $locker = poll_until(
		sub {
			eval { DqdsTest::Sql->connect($mortal) }
		}) or die 'the server does not come back';
	lock_catalog($locker);
	$caller->send('SELECT * FROM dqds_list_schemas(' . sql_literal(connection_model($mortal)) . '::text)');
	my $socket = open_socket($patient);
	syswrite $socket, "GET /api/datasource/connections/mortal/schemas HTTP/1.1\r\nHost: localhost\r\n\r\n";
	my $victims = "SELECT pid FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active' AND wait_event_type = 'Lock'";
	my @pids;
	poll_until(sub { $locker->must('SELECT pg_stat_clear_snapshot()'); @pids = $locker->column($victims); @pids == 2 }, 20);
	is(scalar @pids, 2, "the remote dies in a query: $how: the queries run");
	$kill->($locker, @pids);
	my $answer = $caller->answer(20);
	is($answer->{error}{sqlstate}, $code, "the remote dies in a query: $how: $code") or diag(explain($answer));
	like(
		$answer->{error}{detail} // '',
		defined $state ? qr/SQLSTATE (?:$state)/ : qr/^$/,
		"the remote dies in a query: $how: DETAIL");
	my ($bytes, $closed) = read_all($socket, 20);
	my $over_rest = parse_answer($bytes, $closed, 'GET');
	is(answer_fault($over_rest, 400), undef, "the remote dies in a query: $how: over REST 400");
	is($over_rest->{json}{errorCode}, $code_name{$code}, "the remote dies in a query: $how: with its code");
	$locker->close;
	$mortal->start if $how =~ /^it (stops|is killed)/;
	ok(poll_until(sub { outcome($sql, connection_model($mortal))->{connection_test_result} eq 'SUCCESS' }),
		"the remote dies in a query: $how: and lives again");
	$caller->close;
	return;
}

hostile('remote-terminates', sub { dies('its backend is ended'); dies('its backend is killed') });
hostile('remote-dies',       sub { dies('it stops at once'); dies('it stops in good order') });
hostile('remote-kill-9',     sub { dies('it is killed') });
dies('the query is cancelled there');
$mortal->stop('immediate');

hostile_end();
unlike(
	slurp_file($control->logfile),
	qr/PANIC|was terminated by signal|TRAP/,
	'the log of the control server shows no crash');

done_testing();
