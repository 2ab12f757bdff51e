# Other connections in the same call do no harm: servers that make libpq compute for long do not shorten the time of good
# ones, and a connect_timeout in a model applies only to the owner of the connection.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'max_connections = 50');
my $sql     = DqdsTest::Sql->connect($control);
my @good    = map { "z good $_" } 1 .. 3;
create_connection($control, $_, connection_model($remote)) foreach @good;
$control->safe_psql('postgres', <<'SQL');
CREATE ROLE editor LOGIN;
CREATE ROLE deputy LOGIN IN ROLE editor;
CREATE ROLE stranger LOGIN;
SELECT dqds_grant('editor', 'editor'), dqds_grant('operator', 'deputy'), dqds_grant('operator', 'stranger');
SQL
my $editor = DqdsTest::Sql->connect($control, user => 'editor');

sub register { my ($session, $name, $model) = @_; $session->must('SELECT dqds_create_connection(' . sql_literal($name) . ', ' . sql_literal($model) . '::text)'); return; }

# The outcomes of a test of all connections, by name; undef when it takes for ever.
sub outcomes
{
	my ($session) = @_;
	$session->send('SELECT * FROM dqds_test_connections()');
	my $answer = $session->answer(60) // return;
	diag($answer->{error}{message}) if $answer->{error};
	return { map { $_->{connection_name} => $_->{error_code} // $_->{connection_test_result} } @{ $answer->{rows} } };
}

sub counted
{
	my ($outcomes, $prefix) = @_;
	my %count;
	$count{ $outcomes->{$_} }++ foreach grep { /^\Q$prefix\E/ } keys %$outcomes;
	return join ', ', map { "$count{$_} $_" } sort keys %count;
}

# --- Hard work -----------------------------------------------------------------------------------------------

# A server that requests this many iterations of SCRAM, and then stays silent.
sub scram_server
{
	my ($iterations) = @_;
	return start_fake_server(
		sub {
			my ($client) = @_;
			pg_read_startup($client);
			send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
			my ($type, $body) = pg_read_message($client);
			my ($nonce) = $body =~ /,r=(.+)$/s;
			send_bytes($client, pg_auth(11, "r=${nonce}more,s=c2FsdHNhbHRzYWx0c2FsdA==,i=$iterations"));
			hold($client);
		});
}

# The remote as it is seen from far away: each message takes so many seconds to get there, and to get back.
sub far_away
{
	my ($node, $seconds) = @_;
	return start_fake_server(
		sub {
			my ($client) = @_;
			my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port) or die "no remote: $!";
			my $both   = IO::Select->new($client, $server);
			while (my @ready = $both->can_read)
			{
				foreach my $from (@ready)
				{
					sysread $from, my $bytes, 65536 or return;
					sleep $seconds;
					send_bytes($from == $client ? $server : $client, $bytes);
				}
			}
		});
}

# The most that is permitted: 150,000 iterations. All of them together take longer than the time that each may take. What good
# servers lose by it is not their time, also when nothing of them has come at the moment in which it would be over.
{
	my $hard = scram_server(150_000);
	my $far  = far_away($remote, 0.1);
	register($sql, "far $_", connection_model($remote, port => $far->port)) foreach 1 .. 3;
	register($editor, "hard $_", connection_model(undef, host => '127.0.0.1', port => '' . $hard->port, user => 'u', password => 'secret', sslmode => 'disable')) foreach 1 .. 40;
	$sql->must(q(SET dqds.connect_timeout = '3s'));
	my $outcomes = outcomes($sql);
	is(counted($outcomes, 'z good'), '3 SUCCESS', '40 servers that make libpq work: the good ones work');
	is(counted($outcomes, 'hard'), '40 server_silent', 'and they are served, with 150,000 iterations');
	is(counted($outcomes, 'far'),  '3 SUCCESS',        'good servers that are far away work as well');
	$sql->must(qq(SELECT dqds_drop_connection('far $_'))) foreach 1 .. 3;
	$editor->must(qq(SELECT dqds_drop_connection('hard $_'))) foreach 1 .. 40;
}

# One more is refused, in words that do not depend on the password: how much work it is does.
{
	my %said;
	foreach my $length (8, 64, 640, 6400)
	{
		my $more = scram_server($length < 64 ? 150_001 : 149_999);
		my $model = connection_model(undef, host => '127.0.0.1', port => '' . $more->port, user => 'u', password => 'p' x $length, sslmode => 'disable');
		my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text)');
		is($row->{error_code}, 'authentication_failed', "too many iterations for a password of $length bytes");
		my $port = $more->port;
		$said{ "$row->{error_message}. $row->{hint}" =~ s/\b$port\b/PORT/r }++;
	}
	is(join(' | ', keys %said), 'the server at 127.0.0.1:PORT asks for too many iterations of SCRAM. Lower scram_iterations at the server, and set the password of the user again.',
		'the same is said of each password, without a number');
}

# What CockroachDB asked for once.
{
	$remote->safe_psql('postgres', q(CREATE ROLE roach LOGIN PASSWORD 'SCRAM-SHA-256$119680:) . q(c2FsdHNhbHRzYWx0c2FsdA==$) . scram_keys('roach password', 'saltsaltsaltsalt', 119_680) . q('));
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, user => 'roach', password => 'roach password')) . '::text)');
	is($row->{connection_test_result}, 'SUCCESS', '119,680 iterations work') or diag(explain($row));
}

# "StoredKey:ServerKey" of a password, as PostgreSQL keeps them: it computes what this test needs.
sub scram_keys
{
	my ($password, $salt, $iterations) = @_;
	my $python = "import hashlib,hmac,base64,sys\n"
	  . "k=hashlib.pbkdf2_hmac('sha256',sys.argv[1].encode(),sys.argv[2].encode(),int(sys.argv[3]))\n"
	  . "h=lambda m:hmac.new(k,m,'sha256').digest()\n"
	  . "print(base64.b64encode(hashlib.sha256(h(b'Client Key')).digest()).decode()+':'+base64.b64encode(h(b'Server Key')).decode())";
	open my $out, '-|', 'python3', '-c', $python, $password, $salt, $iterations or die "python3: $!";
	chomp(my $keys = <$out>);
	close $out or die "python3: $!";
	return $keys;
}

# --- Long waits ----------------------------------------------------------------------------------------------

{
	my $silent = start_fake_server(\&hold);
	my %patient = (host => '127.0.0.1', port => '' . $silent->port, user => 'u', password => 'secret');
	register($editor, 'a patient one', connection_model(undef, %patient, properties => { connect_timeout => '6' }));
	my %elapsed;
	foreach my $who (qw(editor deputy stranger superuser))
	{
		my $session = $who eq 'superuser' ? $sql : DqdsTest::Sql->connect($control, user => $who);
		$sql->must(q(SELECT dqds_grant_connection('a patient one', 'stranger'))) if $who eq 'stranger';
		$session->must(q(SELECT dqds_close_idle(); SET dqds.connect_timeout = '100ms'));
		my ($row) = $session->rows(q(SELECT * FROM dqds_test_connection('a patient one')));
		is($row->{error_code}, 'server_silent', "$who: no answer");
		$elapsed{$who} = $row->{elapsed_ms};
	}
	cmp_ok($elapsed{$_}, '>=', 6000, "connect_timeout of the model counts for $_") foreach qw(editor deputy);
	cmp_ok($elapsed{$_}, '<', 6000, "but not for $_, who has less patience") foreach qw(stranger superuser);

	# In the caller's own model it applies.
	$sql->must(q(SET dqds.connect_timeout = '100ms'));
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model(undef, %patient, properties => { connect_timeout => '3' })) . '::text)');
	cmp_ok($row->{elapsed_ms}, '>=', 3000, 'connect_timeout of a model of the caller counts');

	register($editor, "silent $_", connection_model(undef, %patient, properties => { connect_timeout => '3600' })) foreach 1 .. 200;
	$sql->must(q(SET dqds.connect_timeout = '1s'));
	my $outcomes = outcomes($sql);
	ok($outcomes, '200 silent connections with a connect_timeout of an hour: the call ends') or $sql->must('SELECT 1');
	is(counted($outcomes // {}, 'z good'), '3 SUCCESS', 'and the good ones work');
	is(scalar(grep { /^silent/ && $outcomes->{$_} =~ /^(server_silent|unreachable)$/ } keys %{ $outcomes // {} }), 200, 'the silent ones fail');
}

done_testing();
