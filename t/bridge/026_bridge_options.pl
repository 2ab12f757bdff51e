# The command line of dqds-bridge: which options it refuses, in one clear line and with status 2, what it takes from the
# environment, and which roles it does not log in as. A password must not show anywhere; the log can be read by programs and
# can be lost without harm.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use DqdsTest::Process;
use IO::Socket::INET;
use JSON::PP ();
use POSIX    ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $control = control_server('control', tcp => 1);
my $program = DqdsTest::bridge_program();
grant_role($control, 'dqds_anonymous', level => 'editor');
my $password = 'bridge-password-7';
$control->safe_psql('postgres', "CREATE ROLE dqds_bridge LOGIN NOINHERIT PASSWORD '$password' IN ROLE dqds_anonymous");

my $conninfo      = bridge_conninfo($control);
my $with_password = sprintf 'host=127.0.0.1 port=%d dbname=postgres user=dqds_bridge password=%s', $control->port, $password;

# --- What answers at once ------------------------------------------------------------------------------

my ($status, $out, $err) = run_bridge('--version');
my ($version) = slurp_file('dqds.control') =~ /default_version *= *'(.*?)'/;
is_deeply([ $status, $out, $err ], [ 0, "dqds-bridge $version\n", '' ], '--version');

($status, $out, $err) = run_bridge('--help');
is_deeply([ $status, $err ], [ 0, '' ], '--help: status 0, nothing on standard error');
foreach my $option (qw(listen control-db anonymous-role host-name threads pool-size request-timeout max-body log-format tls-certificate tls-key))
{
	my $variable = 'DQDS_' . uc $option =~ s/-/_/gr;
	like($out, qr/^  --$option .*\n.*\[$variable\]/m, "--help tells of --$option and $variable");
}
like($out, qr/^  --$_\n/m, "--help tells of --$_") foreach qw(check version help);
like($out, qr/127\.0\.0\.1:8888/, '--help tells the default of --listen');

# --- Options that cannot be used: one line that says which, and status 2 -----------------------------------

sub unusable
{
	my ($name, $message, @arguments) = @_;
	my ($status, $out, $err) = run_bridge(@arguments);
	is($status, 2, "$name: status 2");
	is($out, '', "$name: nothing on standard output");
	like($err, qr/^dqds-bridge: [^\n]*$message[^\n]*\n\z/, "$name: one line that says which");
	unlike($err, qr/\Q$password/, "$name: the line shows no password");
	return;
}

my @good = ('--control-db', $with_password, '--listen', '127.0.0.1:0');
unusable('no control database', '--control-db', '--listen', '127.0.0.1:0');
unusable('empty control database', '--control-db', '--control-db', '');
unusable('a control database that is no connection string', '--control-db', '--control-db', "host=x password=$password nonsense");
unusable('a control database with an unknown keyword', '--control-db', '--control-db', "pasword=$password");
unusable('a connection string that lost its quotes', 'not an option', '--control-db', 'host=x', "password=$password");
unusable('an unknown option', '"--nonsense"', @good, '--nonsense');
unusable('an unknown option with a value', '"--pasword"', @good, "--pasword=$password");
unusable('an abbreviated option', '"--thread"', @good, '--thread', '4');
unusable('a short option', 'not an option', @good, '-h');
unusable('an argument', 'not an option', @good, 'serve');
unusable('an empty argument', 'not an option', @good, '');
unusable('an option without its value', '--threads', @good, '--threads');
unusable('a switch with a value', '--check', @good, '--check=yes');

# Debian's CivetWeb cannot serve TLS: the options for it are refused, with what to do instead.
my $no_tls = 'serves plain HTTP only, because .*CivetWeb.* cannot serve TLS .*OpenSSL 3; .*proxy in front.*packaging/nginx\.conf$';
unusable("TLS: @$_", $_->[0] eq '--listen' ? "--listen with TLS: .*$no_tls" : $no_tls, @good, @$_)
  foreach [ '--tls-certificate', '/x' ], ['--tls-certificate=/x'], [ '--tls-key', '/x' ], ['--tls'], [ '--ssl-certificate', '/x' ], ['--https'],
  [ '--listen', '127.0.0.1:8443s' ], [ '--listen', 'https://127.0.0.1:8443' ], [ '--listen', 'HTTPS://dqds.example' ], [ '--listen', '127.0.0.1:80,127.0.0.1:443s' ];
unusable('TLS: --tls-certificate without its value', '--tls-certificate', @good, '--tls-certificate');
ok(-e __FILE__ =~ s{[^/]*$}{../../packaging/nginx.conf}r, 'TLS: the file that is named is there');

unusable("--$_->[0] $_->[1]", "--$_->[0]", @good, "--$_->[0]", $_->[1])
  foreach map { my $option = $_; map { [ $option, $_ ] } '', 'x', '-1', '+4', '4x', ' 4', '0x4', '99999999999999999999' } qw(threads pool-size request-timeout max-body);
unusable("--$_->[0] $_->[1]", "--$_->[0]", @good, "--$_->[0]", $_->[1])
  foreach [ 'threads', 0 ], [ 'threads', 100000 ], [ 'pool-size', 0 ], [ 'request-timeout', 0 ], [ 'max-body', 0 ], [ 'log-format', 'xml' ],
  [ 'log-format', '' ], [ 'anonymous-role', 'none' ], [ 'anonymous-role', '' ], [ 'anonymous-role', 'x' x 64 ], [ 'host-name', '' ], [ 'host-name', 'a:80' ], [ 'host-name', 'http://a' ],
  [ 'host-name', 'a,,b' ], [ 'listen', '' ], [ 'listen', '8888' ], [ 'listen', '127.0.0.1' ], [ 'listen', '127.0.0.1:' ], [ 'listen', ':8888' ],
  [ 'listen', '127.0.0.1:65536' ], [ 'listen', '127.0.0.1:x' ], [ 'listen', '127.0.0.1:-1' ], [ 'listen', 'dqds.example:8888' ], [ 'listen', '::1:8888' ],
  [ 'listen', '[::1:8888' ], [ 'listen', '[x]:8888' ], [ 'listen', '/tmp/socket' ], [ 'listen', '127.0.0.1:0,127.0.0.1:1' ];
unusable('a line end in --listen', '--listen', @good, '--listen', "127.0.0.1:0\n127.0.0.1:1");

# With an anonymous role every client that reaches the address would be served.
unusable("anonymous on $_", '--listen.*--allow-remote-anonymous', '--control-db', $with_password, '--anonymous-role', 'dqds_anonymous', '--listen', $_)
  foreach '0.0.0.0:0', '192.0.2.1:8888', '[::]:0', '[2001:db8::1]:8888', '[::ffff:192.0.2.1]:8888';
unusable("a superuser on $_", '--allow-superuser', '--control-db', $with_password, '--allow-superuser', '--listen', $_) foreach '0.0.0.0:0', '[::]:0';

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "cannot listen: $!";
unusable('a port in use', 'cannot listen on 127\.0\.0\.1:' . $taken->sockport . ': Address already in use',
	'--control-db', $with_password, '--listen', '127.0.0.1:' . $taken->sockport);
unusable('an address that is not here', 'cannot listen on 192\.0\.2\.1:8888', '--control-db', $with_password, '--listen', '192.0.2.1:8888');

# --- The environment -------------------------------------------------------------------------------------------

# run_with(ENVIRONMENT, ARGUMENT…): as run_bridge.
sub run_with
{
	my ($env, @arguments) = @_;
	local %ENV = (%ENV, %$env);
	return run_bridge(@arguments);
}

my $taken_address = '127.0.0.1:' . $taken->sockport;
($status, $out, $err) = run_with({ DQDS_CONTROL_DB => $with_password, DQDS_LISTEN => $taken_address });
is($status, 2, 'DQDS_LISTEN counts');
like($err, qr/cannot listen on \Q$taken_address/, 'and so does DQDS_CONTROL_DB');
foreach my $case (
	[ DQDS_THREADS => '1', '--threads' ], [ DQDS_POOL_SIZE => 'x', '--pool-size' ], [ DQDS_REQUEST_TIMEOUT => '0', '--request-timeout' ],
	[ DQDS_MAX_BODY => '-1', '--max-body' ], [ DQDS_LOG_FORMAT => 'xml', '--log-format' ], [ DQDS_HOST_NAME => 'a:1', '--host-name' ],
	[ DQDS_ANONYMOUS_ROLE => 'none', '--anonymous-role' ], [ DQDS_TLS_CERTIFICATE => '/x', '--tls-certificate: .*plain HTTP only' ],
	[ DQDS_TLS_KEY => '/x', '--tls-key: .*plain HTTP only' ], [ DQDS_ALLOW_SUPERUSER => 'perhaps', 'DQDS_ALLOW_SUPERUSER' ])
{
	my ($variable, $value, $message) = @$case;
	($status, $out, $err) = run_with({ $variable => $value }, @good);
	is($status, 2, "$variable=$value: status 2");
	like($err, qr/^dqds-bridge: [^\n]*$message[^\n]*\n\z/, "$variable=$value: one line that says which");
}
($status, $out, $err) = run_with({ DQDS_LISTEN => 'nonsense', DQDS_CONTROL_DB => 'nonsense', DQDS_THREADS => '', DQDS_ANONYMOUS_ROLE => 'nobody' },
	@good, '--anonymous-role', 'dqds_anonymous', '--check');
is_deeply([ $status, $err ], [ 0, '' ], 'the command line wins over the environment, and an empty variable is none');

# --- --check -------------------------------------------------------------------------------------------------------

($status, $out, $err) = run_bridge(@good, '--anonymous-role', 'dqds_anonymous', '--check');
is_deeply([ $status, $err ], [ 0, '' ], '--check: status 0 when all is well');
like($out, qr/^dqds-bridge: .*PostgreSQL \d+.*dqds \Q$version\E.*\n\z/, '--check: tells the versions');
($status, $out, $err) = run_bridge('--control-db', $conninfo, '--listen', $taken_address, '--check');
is($status, 0, '--check does not listen');

$control->safe_psql('postgres', 'CREATE ROLE outside; CREATE ROLE boss SUPERUSER LOGIN; CREATE DATABASE bare');
my $superuser = $conninfo =~ s/user=\w+/user=boss/r;
foreach my $case (
	[ 'a wrong password',          $with_password =~ s/-7$/-8/r,                'dqds_anonymous', 'password' ],
	[ 'a database that is not',    $conninfo =~ s/dbname=\w+/dbname=nix/r,      'dqds_anonymous', 'does not exist' ],
	[ 'no server there',              'host=127.0.0.1 port=' . free_port(),        'dqds_anonymous', 'refused' ],
	[ 'a database without dqds',   $conninfo =~ s/dbname=\w+/dbname=bare/r,     'dqds_anonymous', 'extension dqds is not installed' ],
	[ 'a superuser',               $superuser,                                  'dqds_anonymous', '--allow-superuser' ],
	[ 'a role that is not',        $conninfo,                                   'nix',            'anonymous role' ],
	[ 'a role of another login',   $conninfo,                                   'outside',        'anonymous role' ],
	[ 'a superuser as anonymous',  $conninfo,                                   'boss',           'superuser' ])
{
	my ($what, $control_db, $role, $message) = @$case;
	($status, $out, $err) = run_bridge('--control-db', $control_db, '--listen', '127.0.0.1:0', '--anonymous-role', $role, '--check');
	is($status, 1, "--check, $what: status 1");
	like($err, qr/^dqds-bridge: [^\n]*$message[^\n]*\n\z/, "--check, $what: one line that says what");
	unlike("$out$err", qr/bridge-password|\b127\.0\.0\.1\b|\Q@{[$control->host]}/, "--check, $what: neither password nor address");
}

# --- Logged in as a superuser ----------------------------------------------------------------------------------------

my $bridge = start_bridge(undef, control_db => $superuser);
is(answer_fault(http($bridge, GET => '/api/connections'), 503), undef, 'a superuser login: 503');
is(http($bridge, GET => '/api/ishealthy')->{body}, '"UNAVAILABLE"', 'a superuser login: not healthy');
like($bridge->log, qr/superuser, which needs --allow-superuser/, 'a superuser login: the log says why');
is($bridge->stop, 0, 'a superuser login: it ends as any other');
$bridge = start_bridge(undef, control_db => $superuser, options => ['--allow-superuser']);
is(answer_fault(http($bridge, GET => '/api/connections'), 200), undef, 'a superuser login with --allow-superuser: 200');
$bridge->stop;
$bridge = start_bridge(undef, control_db => $conninfo, anonymous => 'boss');
is(answer_fault(http($bridge, GET => '/api/connections'), 503), undef, 'a superuser as anonymous role: 503');
$bridge->stop;

# --- Where the password does not show ------------------------------------------------------------------------------------

sub of_process { return slurp_file("/proc/$_[0]{pid}/$_[1]"); }

foreach my $case (
	[ '--control-db X',  { control_db => $with_password } ],
	[ '--control-db=X',  { control_db => $conninfo, options => ["--control-db=$with_password"] } ],
	[ 'DQDS_CONTROL_DB', { env        => { DQDS_CONTROL_DB => $with_password } } ])
{
	my ($what, $options) = @$case;
	my $process;
	if ($options->{env})
	{
		my $log = PostgreSQL::Test::Utils::tempdir('bridge') . '/log';
		$process = DqdsTest::Process->start('bridge', $log, [ $program, '--listen', '127.0.0.1:0', '--anonymous-role', 'dqds_anonymous' ], $options->{env});
		($process->{port}) = $process->await(qr{listening on http://127\.0\.0\.1:(\d+)}, 30);
	}
	else { $process = start_bridge(undef, %$options); }
	is(answer_fault(http($process, GET => '/api/connections'), 200), undef, "$what: it logs in with the password");
	is(health_of($process)->{status}, 200, "$what: and is well");
	like(of_process($process, 'cmdline'), qr/dqds-bridge\0/, "$what: the command line can be read");
	# These belong to the process; under valgrind that is valgrind, and the bridge has a copy.
	if (under() eq 'valgrind') { diag("$what: not seen under valgrind: no password in /proc/PID/cmdline and environ"); }
	else { unlike(of_process($process, $_), qr/\Q$password/, "$what: no password in /proc/PID/$_") foreach qw(cmdline environ); }
	is($process->stop, 0, "$what: status 0");
	unlike($process->log, qr/\Q$password/, "$what: no password in the log");
}
$bridge = start_bridge(undef, control_db => $with_password =~ s/-7$/-8/r);
is(answer_fault(http($bridge, GET => '/api/connections'), 503), undef, 'a wrong password: 503');
ok(poll_until(sub { $bridge->log =~ /the password is refused/ || !http($bridge, GET => '/api/connections') }, 10), 'a wrong password: the log says so') or diag($bridge->log);
unlike($bridge->log, qr/bridge-password|host=|port=|dqds_bridge/, 'a wrong password: the log shows neither it nor the connection string');
$bridge->stop;

# --- The log ---------------------------------------------------------------------------------------------------------------

my @targets = ('/api/ishealthy', '/api/connections', '/api/connections/%22%0a%5c%F0%9F%98%80/basic', '/nix"quoted', '/api/%zz', '/api/nix?password=in-the-query');
$bridge = start_bridge($control, options => [qw(--log-format json)]);
http($bridge, GET => $_) foreach @targets;
raw_request($bridge, "BROKEN\r\n\r\n", 5);
raw_request($bridge, "GET /api/\xFF HTTP/1.1\r\nHost: x\r\n\r\n", 5);
is($bridge->stop, 0, 'JSON log: status 0');
my @lines   = split /\n/, $bridge->log;
my @objects = map { eval { JSON::PP->new->utf8->decode($_) } } @lines;
is(scalar(grep { ref $_ eq 'HASH' } @objects), scalar @lines, 'JSON log: every line is an object') or diag($bridge->log);
my @requests = grep { exists $_->{status} } @objects;
is(scalar @requests, @targets + 2, 'JSON log: one for each request');
is(join(' ', sort keys %$_), 'bytes level method ms path role status time', 'JSON log: the keys of a request') foreach @requests;
is_deeply([ map { $_->{path} } @requests[ 0 .. $#targets ] ], [ map { s/\?.*//r } @targets ], 'JSON log: the paths, without what follows the question mark');
like($requests[0]{status}, qr/^(200|503)$/, 'JSON log: the status of health, which a slow database may miss');
is_deeply([ map { $_->{status} } @requests[ 1 .. $#requests ] ], [ 200, 404, 404, 400, 404, 400, 400 ], 'JSON log: the status');
is_deeply([ map { $_->{role} } @requests[ 0, 1 ] ], [ undef, 'dqds_anonymous' ], 'JSON log: the role');
like($_->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'JSON log: the time') foreach @objects;
is(join(' ', sort keys %$_), 'level message time', 'JSON log: the keys of an event') foreach grep { !exists $_->{status} } @objects;

$bridge = start_bridge($control, options => [qw(--log-format text)]);
http($bridge, GET => $_) foreach @targets;
is($bridge->stop, 0, 'text log: status 0');
@lines = grep { m{ /|"/} } split /\n/, $bridge->log;
is(scalar @lines, @targets, 'text log: a line for each request');
like($_, qr/^\S{23}Z info GET "(\\.|[^"\\])*" \d{3} \d+ms \d+B role=(-|"dqds_anonymous")$/, 'text log: its form') foreach @lines;

# A log that cannot be written, or that is not read, does not stop the service.
$bridge = start_bridge($control);
hostile_watch(bridge => $bridge, control => $control);
my $unread;
hostile('log-full', sub {
	my $full_port = free_port();
	my @command   = ($program, '--control-db', $conninfo, '--anonymous-role', 'dqds_anonymous', '--listen');
	my $full = DqdsTest::Process->start('bridge with a full log', undef, [ 'sh', '-c', 'exec "$@" 2>/dev/full', 'sh', @command, "127.0.0.1:$full_port" ]);
	my $stuck_port = free_port();
	pipe $unread, my $stuck_log or die "pipe: $!";
	my $stuck = DqdsTest::Process->start('bridge with an unread log', undef,
		sub { POSIX::dup2(fileno $stuck_log, 2); exec @command, "127.0.0.1:$stuck_port"; });
	my $closed_port = free_port();
	my $without = DqdsTest::Process->start('bridge without standard error', undef, [ 'sh', '-c', 'exec "$@" 2>&-', 'sh', @command, "127.0.0.1:$closed_port" ]);
	close $stuck_log;
	foreach my $case ([ 'log full', $full, $full_port ], [ 'log not read', $stuck, $stuck_port ], [ 'no log', $without, $closed_port ])
	{
		my ($what, $process, $port) = @$case;
		$process->{port} = $port;
		ok(poll_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }, 10), "$what: it starts");
		my $target = '/api/' . 'x' x 400;
		my ($served, $fault) = (0, undef);
		while ($served < 300 && !defined $fault)
		{
			$served++;
			$fault = answer_fault(http($process, GET => $target, {}, undef, 5), 404);
		}
		is($fault, undef, "$what: $served requests are served");
		ok(poll_until(sub { http($process, GET => '/api/ishealthy', {}, undef, 5)->{status} == 200 }, 5), "$what: it is well");
		is(http($process, GET => '/api/connections', {}, undef, 5)->{body}, '[]', "$what: and speaks to the database");
		is($process->stop(10), 0, "$what: it ends with status 0");
	}
});
hostile_end();
sysread $unread, my $written, 1 << 20;
like($written, qr/^\S+Z info listening on.*\n.*"\/api\/xxx/, 'log not read: as much as fits was written');

done_testing();
