# Allowed targets: dqds.denied_hosts and dqds.allowed_hosts apply to every spelling of an address and to every name that leads
# to it; the address that was checked is the one that is connected to, even if the name server changes its answer; and a
# session that was opened before a setting was tightened is not reused.
#
# Names are resolved by the test's own name server (DqdsTest::Names). The system is not changed, and nothing leaves this
# machine.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use DqdsTest::Names;
use DqdsTest::Process;
use DqdsTest::Sql;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('targets');

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $control = with_names(sub { control_server('control') });
my $sql = DqdsTest::Sql->connect($control);
$sql->must("SET dqds.connect_timeout = '3s'");

# --- Servers that count connections ---------------------------------------------------------------------

my $arrivals = "$dir/arrivals";

# A listener on an address that notes each connection and closes it. Returns the process, with its port.
sub counting_server
{
	my ($address, $port) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port // 0, Listen => 64, ReuseAddr => 1)
	  or die "cannot listen at $address: $!";
	my $process = DqdsTest::Process->start("server at $address", undef, sub {
		while (1)
		{
			my $socket = $listener->accept or next;
			open my $file, '>>', $arrivals or die "$arrivals: $!";
			syswrite $file, "$address\n";
			close $file;
			close $socket;
		}
	});
	$process->{port} = $listener->sockport;
	close $listener;
	return $process;
}

# The servers that were connected to since the last call, sorted.
sub arrived
{
	my $text = -e $arrivals ? slurp_file($arrivals) : '';
	unlink $arrivals;
	return join ' ', sort split /\n/, $text;
}

my $port = counting_server('127.0.0.1')->port;
my ($second) = grep { defined } eval { counting_server('127.0.0.2', $port) };
die "no second loopback address: $@" if !$second;

# Tests a model of that host; returns the error code and the message with the hint.
sub code_of
{
	my ($host, $more_port) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection('
		  . sql_literal(connection_model($remote, host => $host, port => '' . ($more_port // $port))) . '::text)');
	return ($row->{error_code} // $row->{connection_test_result}, join '. ', map { $_ // '' } @$row{qw(error_message hint)});
}

sub with_lists
{
	my ($denied, $allowed) = @_;
	$sql->must('SET dqds.denied_hosts = ' . sql_literal($denied));
	$sql->must('SET dqds.allowed_hosts = ' . sql_literal($allowed // '*'));
	return;
}

# --- The same over REST -----------------------------------------------------------------------------------

# Sets dqds.denied_hosts of the whole server, for the bridge's requests. SAMPLE is a host whose result changes by that, and
# its code afterwards.
sub deny_for_all
{
	my ($denied, $sample, $code) = @_;
	$control->safe_psql('postgres', q(LOAD 'dqds'; ALTER SYSTEM SET dqds.denied_hosts = ) . sql_literal($denied));
	$control->reload;
	poll_until(sub { (code_over_rest($sample))[0] eq $code }, 10) or die "dqds.denied_hosts = $denied does not come into force\n";
	arrived();
	return;
}

sub deny_nothing_for_all
{
	$control->safe_psql('postgres', q(LOAD 'dqds'; ALTER SYSTEM RESET dqds.denied_hosts));
	$control->reload;
	poll_until(sub { $sql->value('RESET dqds.denied_hosts; SHOW dqds.denied_hosts') =~ /^169/ }, 10) or die 'dqds.denied_hosts is not as by default';
	return;
}

my $bridge = start_bridge($control, level => 'admin');
hostile_watch(bridge => $bridge, control => $control, remote => $remote, sql => $sql);

sub code_over_rest
{
	my ($host) = @_;
	my $answer = http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote, host => $host, port => "$port"));
	my $json = $answer->{json};
	return (answer_fault($answer, 200) // $json->{errorCode} // $json->{connectionTestResult}, join '. ', map { $_ // '' } @$json{qw(errorMessage hint)});
}

# --- One address, many spellings ---------------------------------------------------------------------------

set_names('hidden.test' => ['127.0.0.1'], 'mapped.test' => ['::ffff:127.0.0.1'], 'several.test' => ['127.0.0.2,127.0.0.1']);

# Spellings that reach 127.0.0.1 if it is not denied, and those that only mean it (on another network they might reach it).
my @numbers = qw(127.0.0.1 2130706433);
my @parts   = qw(127.1 127.0.1 0x7f.1 0x7f000001 0X7F.0.0.0x1 0177.0.0.1 017700000001 0177.0x0.1);
my @inside  = qw(::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:7F00:0001 0:0:0:0:0:ffff:127.0.0.1);
my @mean    = qw(0.0.0.0 0 0x0 ::ffff:0.0.0.0 64:ff9b::7f00:1 64:ff9b::127.0.0.1 64:FF9B:0::7F00:1 ::127.0.0.1 ::7f00:1 2002:7f00:1::1 64:ff9b:1::7f00:1 ::ffff:0:127.0.0.1 2001:0:7f00:1:: 2001:0:808:808:0:0:80ff:fffe);
my @names   = qw(localhost LOCALHOST LocalHost hidden.test HIDDEN.test hidden.test. mapped.test);
my @denials = ('127.0.0.0/8', '127.0.0.1', '127.0.0.1/32', '10.0.0.0/8, 127.0.0.0/9', "127.0.0.0/8:$port", '0.0.0.0/0', '::ffff:127.0.0.1', '::ffff:127.0.0.0/104');
my %tried;    # how many of each kind, for the count at the end

with_lists('');
foreach my $host (@numbers, @parts, @inside, @names)
{
	my ($code) = code_of($host);
	like(arrived(), qr/^127\.0\.0\.1/, "nothing denied: $host leads to 127.0.0.1") or diag($code);
}

# Is a refusal right: does it name the host as it was given, and the setting?
sub is_refused
{
	my ($host, $code, $text) = @_;
	return $code eq 'target_not_allowed' && $text =~ /^connections to "\Q$host\E" port $port are not allowed\. .*dqds\.denied_hosts/;
}

# These are denied by each of the lists, over SQL, and by the first one over REST.
sub denied
{
	my ($kind, @hosts) = @_;
	foreach my $denied (@denials)
	{
		with_lists($denied);
		my @wrong = grep { !is_refused($_, code_of($_)) } @hosts;
		is("@wrong", '', "denied_hosts = $denied: target_not_allowed, $kind: " . @hosts);
		is(arrived(), '', 'and nothing reaches the server');
	}
	my @wrong = grep { !is_refused($_, code_over_rest($_)) } @hosts;
	is("@wrong", '', "target_not_allowed over REST, $kind: " . @hosts);
	is(arrived(), '', 'and nothing reaches the server');
	$tried{$kind} += @hosts;
	return;
}

deny_for_all('127.0.0.0/8', '127.0.0.1', 'target_not_allowed');
hostile('denied-decimal',     sub { denied(spelled => @numbers) });
hostile('denied-hexadecimal', sub { denied(spelled => @parts) });
hostile('denied-inside-ipv6', sub { denied(spelled => @inside, @mean) });
hostile('denied-by-name',     sub { denied('by name' => @names, 'several.test') });
deny_nothing_for_all();

# Text that is neither an address nor a known name reaches nothing either.
with_lists('127.0.0.0/8');
foreach my $host ('localhost.', '127.0.0.1.', '127.0.0.1%lo', "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", '127.0.0.256', '0x7f000000001', 'unknown.test')
{
	my ($code) = code_of($host);
	like($code, qr/^(target_not_allowed|host_not_found|invalid_connection)$/, "$host: $code");
	is(arrived(), '', 'and nothing reaches the server');
}
# A message names the host as it was given, never what it resolved to.
foreach my $host ('hidden.test', 'several.test', '2130706433')
{
	unlike((code_of($host))[1], qr/127\.0\.0|::/, "$host: the message shows no resolved address");
}

# The name is checked before it is resolved.
with_lists('*.test');
is((code_of('hidden.test'))[0], 'target_not_allowed', 'a denied name');
set_names('hidden.test' => ['127.0.0.1']);
code_of($_) foreach 'hidden.test', 'HIDDEN.TEST', 'hidden.test.';
is(questions('hidden.test'), 0, 'is not even resolved');

# --- Denied by default ---------------------------------------------------------------------------------------

$sql->must('RESET dqds.denied_hosts; RESET dqds.allowed_hosts');
set_names('metadata.test' => ['169.254.169.254'], 'any.test' => ['0.0.0.0'], 'any6.test' => ['::'], 'link.test' => ['fe80::1']);
foreach my $host (qw(0.0.0.0 0 0x0 00 0.0 0.1.2.3 :: 0::0 ::ffff:0.0.0.0 ::ffff:0:0 169.254.169.254 2852039166 0xa9fea9fe 169.254.43518
	0251.0376.0251.0376 ::ffff:a9fe:a9fe 64:ff9b::a9fe:a9fe ::169.254.169.254 169.254.0.1 fe80::1 FE80::1%lo febf::1 100.100.100.200 fd00:ec2::254
	FD00:0EC2:0::0254 metadata.test any.test any6.test link.test))
{
	is((code_of($host))[0], 'target_not_allowed', "$host is denied by default");
}
is(arrived(), '', 'none of them reaches the server here');
code_of('127.0.0.1');
isnt(arrived(), '', 'this machine is not');

# --- The lists ---------------------------------------------------------------------------------------------------

set_names('db.prod.test' => ['127.0.0.1'], 'db.dev.test' => ['127.0.0.2'], 'prod.test' => ['127.0.0.1'], 'six.test' => ['::1']);
my $other = $port == 1 ? 2 : 1;
my @lists = (
	# denied, allowed, host, is it allowed?
	[ '', '*',                       'db.prod.test', 1, 'everything' ],
	[ '', '',                        'db.prod.test', 0, 'nothing is allowed' ],
	[ '', ' , ',                     'db.prod.test', 0, 'nothing but commas' ],
	[ '', '*.prod.test',             'db.prod.test', 1, 'a wildcard' ],
	[ '', '*.prod.test',             'prod.test',    0, 'a wildcard needs what stands behind it' ],
	[ '', '*prod.test',              'prod.test',    1, 'a wildcard for nothing' ],
	[ '', 'db.*.test',               'db.dev.test',  1, 'a wildcard inside' ],
	[ '', 'DB.PROD.TEST',            'db.prod.test', 1, 'capitals' ],
	[ '', 'db.prod.test',            'DB.Prod.Test.', 1, 'capitals and a dot at the end of the host' ],
	[ '', 'prod.test',               'db.prod.test', 0, 'a name is not its subdomains' ],
	[ '', 'db.prod.tes',             'db.prod.test', 0, 'a name is whole' ],
	[ '', 'other.test, db.prod.test', 'db.prod.test', 1, 'the second entry' ],
	[ '', "db.prod.test:$port",      'db.prod.test', 1, 'its port' ],
	[ '', "db.prod.test:$other",     'db.prod.test', 0, 'another port' ],
	[ '', "*:$port",                 'db.prod.test', 1, 'any host at a port' ],
	[ '', "*:$other",                'db.prod.test', 0, 'any host at another port' ],
	[ '', '127.0.0.1',               'db.prod.test', 1, 'an address, a name as host' ],
	[ '', '127.0.0.2',               'db.prod.test', 0, 'another address, a name as host' ],
	[ '', '127.0.0.0/30',            'db.prod.test', 1, 'a network, a name as host' ],
	[ '', '127.0.0.4/30',            'db.prod.test', 0, 'another network, a name as host' ],
	[ '', "127.0.0.0/8:$port",       'db.prod.test', 1, 'a network and its port' ],
	[ '', "127.0.0.0/8:$other",      'db.prod.test', 0, 'a network and another port' ],
	[ '', "[127.0.0.0/8]:$port",     'db.prod.test', 1, 'a network in brackets' ],
	[ '', '127.0.0.0/8',             '::ffff:127.0.0.1', 1, 'a network, the address inside IPv6' ],
	[ '', '::ffff:127.0.0.0/104',    '127.0.0.1',    1, 'a network inside IPv6' ],
	[ '', '::/0',                    '127.0.0.1',    0, 'all of IPv6 is not IPv4' ],
	[ '', '::/0',                    '::ffff:127.0.0.1', 0, 'also when it is spelled so' ],
	[ '', '::1',                     'six.test',     1, 'an IPv6 address' ],
	[ '', '0:0::1/128',              'six.test',     1, 'an IPv6 network' ],
	[ '', "[::1]:$port",             'six.test',     1, 'in brackets, with its port' ],
	[ '', "[::1]:$other",            'six.test',     0, 'in brackets, with another port' ],
	[ '', '[::1]',                   '::1',          1, 'in brackets, without a port' ],
	[ '', "[::/64]:$port",           '::1',          1, 'an IPv6 network in brackets' ],
	[ '', '127.0.0.1',               '127.0.0.1',    1, 'an address as it is' ],
	[ '', '127.0.0.1',               '0x7f.1',       1, 'an address in another spelling' ],
	[ 'db.prod.test', '*',           'db.prod.test', 0, 'deny: a name' ],
	[ 'db.prod.test', '*',           'db.dev.test',  1, 'deny: another name' ],
	[ '*.prod.test', '*.test',       'db.prod.test', 0, 'deny wins over allow, with names' ],
	[ '*.prod.test', '*.test',       'db.dev.test',  1, 'deny leaves the rest' ],
	[ '127.0.0.1', 'db.prod.test',   'db.prod.test', 0, 'deny wins: an address over an allowed name' ],
	[ 'db.prod.test', '127.0.0.1',   'db.prod.test', 0, 'deny wins: a name over an allowed address' ],
	[ '127.0.0.1', '127.0.0.0/8',    'db.dev.test',  1, 'deny: one of a network' ],
	[ "127.0.0.1:$other", '*',       'db.prod.test', 1, 'deny: another port' ],
	[ "*:$port", '*',                'db.prod.test', 0, 'deny: a port of all hosts' ],
	[ '*', '*',                      'db.prod.test', 0, 'deny: everything' ],
	[ '64:ff9b::/96', '*',           '64:ff9b::7f00:1', 0, 'deny: a network that IPv4 hides in' ]);
foreach my $row (@lists)
{
	my ($denied, $allowed, $host, $may, $what) = @$row;
	with_lists($denied, $allowed);
	my ($code, $text) = code_of($host);
	if ($may) { isnt($code, 'target_not_allowed', "$what: allowed"); }
	else      { is($code, 'target_not_allowed', "$what: denied"); is(arrived(), '', 'and nothing arrives'); }
	my $setting = $denied ne '' && !$may ? 'denied' : 'allowed';
	like($text, qr/dqds\.${setting}_hosts/, 'the hint names the setting') if !$may;
	arrived();
}

# The same for a registered connection.
{
	with_lists('', '*');
	create_connection($control, 'hidden', connection_model($remote, host => 'db.prod.test', port => "$port"));
	deny_for_all('127.0.0.0/8', '127.0.0.1', 'target_not_allowed');
	my $model = connection_model($remote, host => '0x7f.1', port => "$port");
	my $answer = http($bridge, POST => '/api/datasource/testconnection?details=true', {}, $model);
	is("$answer->{status} $answer->{json}{connectionTestResult} $answer->{json}{errorCode}", '200 FAILURE target_not_allowed', 'REST: a test with details, too');
	is(join(' ', map { "$_->{step}=$_->{status}" } @{ $answer->{json}{details} }[ 0 .. 2 ]), 'model=ok resolve=failed connect=skipped', 'which says how far it got');
	$answer = http($bridge, GET => '/api/datasource/connections/hidden/schemas');
	is(answer_fault($answer, 400), undef, 'REST: a listing: 400');
	is($answer->{json}{errorCode}, 'target_not_allowed', 'with the code');
	unlike($answer->{body}, qr/127\.0\.0/, 'and without the address');
	is(arrived(), '', 'nothing arrived');
}

# --- A name server that changes its answers -------------------------------------------------------------------------------

# A name whose answers differ: first one that is allowed, then one that is denied, and the other way round.
sub changes_its_mind
{
	my ($way, $code) = @_;
	set_names('flip.test' => [ '127.0.0.2', '127.0.0.1' ], 'flop.test' => [ '127.0.0.1', '127.0.0.2' ], 'both.test' => ['127.0.0.2,127.0.0.1'],
		'dead.test' => ['127.0.0.3,127.0.0.2'], 'again.test' => [ ('127.0.0.2', '127.0.0.1') x 10 ]);
	isnt(($code->('flip.test'))[0], 'target_not_allowed', "$way: a name with an allowed address");
	is(questions('flip.test'), 1, 'is resolved once: not again between the check and the connect');
	like(arrived(), qr/^127\.0\.0\.2( 127\.0\.0\.2)*$/, 'and that address is connected to');
	is(($code->('flip.test'))[0], 'target_not_allowed', "$way: the second time it leads elsewhere: denied");
	is(arrived(), '', 'nothing arrives');
	is(($code->('flop.test'))[0], 'target_not_allowed', "$way: the other way round: denied");
	is(arrived(), '', 'nothing arrives, at neither address');
	is(($code->('both.test'))[0], 'target_not_allowed', "$way: one denied address among several denies the name");
	is(arrived(), '', 'nothing arrives, at neither address');
	isnt(($code->('dead.test'))[0], 'target_not_allowed', "$way: several allowed addresses");
	like(arrived(), qr/^127\.0\.0\.2/, 'the one that answers is connected to');
	my @codes = map { ($code->('again.test'))[0] } 1 .. 20;
	is(scalar(grep { $_ eq 'target_not_allowed' } @codes), 10, "$way: 20 times in turn: every second time denied");
	is(join(' ', sort { $a cmp $b } keys %{ { map { $_ => 1 } split ' ', arrived() } }), '127.0.0.2', 'and never is the denied one connected to');
	$tried{rebinding} += 5;
	return;
}

with_lists('127.0.0.1');
deny_for_all('127.0.0.1', '127.0.0.2', 'connection_lost');
hostile('denied-rebinding', sub {
	changes_its_mind(SQL  => sub { code_of($_[0]) });
	changes_its_mind(REST => sub { code_over_rest($_[0]) });
});
deny_nothing_for_all();
hostile_end();
$bridge->stop;

# --- Sessions from before a change ----------------------------------------------------------------------------------------

# Lists the schemas of a registered connection; returns the SQLSTATE, or 'ok', and the number of logins at the remote server.
sub listing
{
	my ($name) = @_;
	my $from   = -s $remote->logfile;
	my $answer = $sql->query("SELECT * FROM dqds_list_schemas('$name')");
	my $logins = () = slurp_file($remote->logfile, $from) =~ /connection authorized: user=reader/g;
	return ($answer->{error} ? $answer->{error}{sqlstate} : 'ok') . ", logins $logins";
}

with_lists('', '*');
set_names('source.test' => ['127.0.0.1']);
create_connection($control, 'source', connection_model($remote, host => 'source.test'));
is(listing('source'), 'ok, logins 1', 'a first listing logs in');
is(listing('source'), 'ok, logins 0', 'the second uses the session again');
is(questions('source.test'), 1, 'and does not resolve the name');
my $sessions = sub { $remote->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dqds')) };
is($sessions->(), 1, 'the remote has the session');
foreach my $denied ('127.0.0.0/8', 'source.test', '*:' . $remote->port)
{
	with_lists($denied);
	is(listing('source'), 'QD018, logins 0', "denied_hosts = $denied: the session that is there is not used");
	with_lists('', '*');
	# A session that the address forbids is closed, one that the name forbids stays: the next one is new, or the same.
	like(listing('source'), $denied =~ m{/} ? qr/^ok, logins 1$/ : qr/^ok, logins [01]$/, 'and without it all is as before');
}
ok(poll_until(sub { $sessions->() == 1 }, 10), 'the remote still has one session');
with_lists('', '127.0.0.2');
is(listing('source'), 'QD018, logins 0', 'allowed_hosts without it: the session that is there is not used');
ok(poll_until(sub { $sessions->() == 0 }, 10), 'and it is closed');

# The name now leads elsewhere, but the session is still at the old address, which is what counts.
set_names('moved.test' => [ '127.0.0.1', '127.0.0.2' ]);
with_lists('127.0.0.2', '*');
create_connection($control, 'moved', connection_model($remote, host => 'moved.test'));
is(listing('moved'), 'ok, logins 1', 'a session to the first answer');
is(listing('moved'), 'ok, logins 0', 'is used again, whatever the name means now');
with_lists('127.0.0.1', '*');
like(listing('moved'), qr/^QD\d+, logins 0$/, 'until its own address is denied');

# --- Who may set them--------------------------------------------------------------------------------------------------------

foreach my $list ('denied', 'allowed')
{
	$sql->must("RESET dqds.${list}_hosts");
	my $default = $sql->value("SHOW dqds.${list}_hosts");
	foreach my $bad ('a b', 'http://db.example', 'user@db', 'db:0', 'db:65536', 'db:x', 'db:', ':5432', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/-1',
		'10.0.0.0/8/8', '::/129', 'db/8', '[::1', '[::1]x', '[::1]:0', '[::1]/64', '::1::2', 'x' x 300,
		'127.1', '10.0.0', '10.*', '10.0.0.*', '256.1.1.1', '2130706433', '010.0.0.1', '0x7f.1')
	{
		my $error = $sql->query("SET dqds.${list}_hosts = " . sql_literal("db.example, $bad, 10.0.0.1"))->{error};
		is(join(' ', map { $_ // '' } @$error{qw(sqlstate detail)}), qq(22023 "$bad" is not a name pattern, an address or a network with an optional port.),
			"${list}_hosts: " . substr($bad, 0, 20) . ' is refused, and named');
	}
	is($sql->value("SHOW dqds.${list}_hosts"), $default, "${list}_hosts: nothing has changed");
}
is($sql->query(q(SELECT dqds_create_credential('bad', 'x', '10.0.0.0/33')))->{error}{sqlstate}, '22023', 'the hosts of a credential are checked alike');

{
	$control->safe_psql('postgres', q(CREATE ROLE operator LOGIN; SELECT dqds_grant('operator', 'operator'); CREATE SCHEMA his AUTHORIZATION operator));
	$control->safe_psql('postgres', q(LOAD 'dqds'; ALTER SYSTEM SET dqds.denied_hosts = '127.0.0.0/8'));
	$control->reload;
	ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT dqds_close_idle(); SHOW dqds.denied_hosts)) =~ /127/ }, 10), 'denied for all');
	my $model = sql_literal(connection_model($remote)) . '::text';
	my $test  = "SELECT * FROM dqds_test_connection($model)";
	my %before = (
		'SET'         => [q(SET dqds.denied_hosts = '')],
		'set_config'  => [q(SELECT set_config('dqds.denied_hosts', '', false))],
		'SET LOCAL'   => [ 'BEGIN', q(SET LOCAL dqds.denied_hosts = '') ],
		'ALTER ROLE'  => []);
	$control->psql('postgres', q(ALTER ROLE operator SET dqds.denied_hosts = ''), extra_params => [ '-U', 'operator' ]);
	foreach my $how (sort keys %before)
	{
		my $session = DqdsTest::Sql->connect($control, user => 'operator');
		$session->must($_) foreach @{ $before{$how} };
		my $answer = $session->query($test);
		is($answer->{error} ? $answer->{error}{sqlstate} : $answer->{rows}[0]{error_code}, 'target_not_allowed', "$how before dqds is loaded comes to nothing");
		$session->close;
	}
	# A value in the connection string hides the one in the configuration file, even if it is then dropped. PostgreSQL ignores
	# the case of the name.
	foreach my $setting ('DQDS.denied_hosts=', 'Dqds.Allowed_Hosts=*')
	{
		local $ENV{PGOPTIONS} = "-c $setting";
		my ($status, $out, $err) = $control->psql('postgres', "SELECT error_code FROM dqds_test_connection($model)", extra_params => [ '-U', 'operator' ]);
		is($out, 'target_not_allowed', "PGOPTIONS with $setting comes to nothing") or diag($err);
	}
	# The same if the role or the database has its own value, which the connection string hides.
	$control->safe_psql('postgres', q(ALTER SYSTEM RESET dqds.denied_hosts; LOAD 'dqds'; ALTER ROLE operator SET dqds.denied_hosts = '127.0.0.0/8'));
	$control->reload;
	ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT dqds_close_idle(); SHOW dqds.denied_hosts)) !~ /127/ }, 10), 'denied for one role alone');
	foreach my $spelling (qw(dqds.denied_hosts DQDS.denied_hosts Dqds.Denied_hosts))
	{
		local $ENV{PGOPTIONS} = "-c $spelling=10.0.0.0/8";
		my ($status, $out, $err) = $control->psql('postgres', "SELECT error_code FROM dqds_test_connection($model)", extra_params => [ '-U', 'operator' ]);
		is($out, 'target_not_allowed', "PGOPTIONS with $spelling against ALTER ROLE comes to nothing") or diag($err);
	}
	$control->safe_psql('postgres', q(LOAD 'dqds'; ALTER ROLE operator RESET dqds.denied_hosts; ALTER SYSTEM SET dqds.denied_hosts = '127.0.0.0/8'));
	$control->reload;
	ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT dqds_close_idle(); SHOW dqds.denied_hosts)) =~ /127/ }, 10), 'denied for all again');
	foreach my $setting ('denied_hosts=', 'denied_hosts=169.254.0.0/16,\\ fe80::/10,\\ 0.0.0.0/8,\\ ::,\\ 100.100.100.200,\\ fd00:ec2::254', 'allowed_hosts=*', 'ssl_root_certs=/tmp/mine')
	{
		local $ENV{PGOPTIONS} = "-c dqds.$setting";
		my ($status, $out, $err) = $control->psql('postgres', "SELECT error_code FROM dqds_test_connection($model)", extra_params => [ '-U', 'operator' ]);
		is($out, 'target_not_allowed', "PGOPTIONS with $setting comes to nothing") or diag($err);
	}
	{
		local $ENV{PGOPTIONS} = '-c dqds.denied_hosts=10.0.0.0/8';
		my ($status, $out, $err) = $control->psql('postgres', "SELECT connection_test_result FROM dqds_test_connection($model)");
		is($out, 'SUCCESS', 'a superuser may') or diag($err);
	}
	my $session = DqdsTest::Sql->connect($control, user => 'operator');
	$session->must('SELECT dqds_close_idle()');
	foreach my $setting (qw(denied_hosts allowed_hosts secret_env_prefix ssl_root_certs))
	{
		foreach my $statement ("SET dqds.$setting = ''", "SELECT set_config('dqds.$setting', '', true)", "ALTER ROLE operator SET dqds.$setting = ''",
			"RESET dqds.$setting", "SHOW dqds.$setting", "SELECT current_setting('dqds.$setting')", "ALTER SYSTEM SET dqds.$setting = ''",
			"CREATE FUNCTION his.f() RETURNS int LANGUAGE sql SET dqds.$setting = '' AS 'SELECT 1'")
		{
			is($session->query($statement)->{error}{sqlstate}, '42501', "for others: $statement: 42501");
		}
		is($session->value("SELECT count(*) FROM pg_settings WHERE name = 'dqds.$setting'"), 0, "for others: $setting is not in pg_settings");
	}
	is(($session->rows($test))[0]{error_code}, 'target_not_allowed', 'what is denied stays denied');
	$session->close;
}
is(arrived(), '', 'nothing has arrived since');

# An invalid list in the configuration file must not be taken as an empty one.
{
	$control->append_conf('postgresql.auto.conf', q(dqds.denied_hosts = '127.0.0.0/33'));
	$control->reload;
	my $model = sql_literal(connection_model($remote)) . '::text';
	ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT current_setting('dqds.denied_hosts', true))) =~ /33/ }, 10), 'a mistyped network in the configuration file');
	my ($status, $out, $err) = $control->psql('postgres', "SELECT error_code, error_message FROM dqds_test_connection($model)");
	is($out, 'target_not_allowed|the setting "dqds.denied_hosts" could not be applied in this session', 'nothing is connected to') or diag($err);
	like($err, qr/WARNING: .*"127\.0\.0\.0\/33" is not a name pattern/s, 'a warning names it');
}

diag(sprintf 'a denied address in %d spellings and behind %d names, each by %d lists over SQL and by one over REST; %d tries of rebinding',
	$tried{spelled}, $tried{'by name'}, scalar @denials, $tried{rebinding});
done_testing();
