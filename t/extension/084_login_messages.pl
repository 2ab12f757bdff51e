# Messages of a login reach libpq only if they follow the protocol: a message that libpq reads differently from the guard in
# front of it neither makes libpq compute for long, nor reveals the password. Over plain sockets and over TLS.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir      = PostgreSQL::Test::Utils::tempdir('messages');
my $password = 'a password of its own';
my $remote   = remote_server('remote');
my $control  = control_server('control');
my $sql      = DqdsTest::Sql->connect($control);
new_certificate($dir, 'address', names => 'IP:127.0.0.1');

# A server on which TALK speaks after the startup packet, without TLS or inside of it.
sub server
{
	my ($talk, $tls) = @_;
	return start_fake_server(
		sub {
			my ($client) = @_;
			my $socket = $tls ? answer_tls($client, $dir, 'address') : $client;
			close $client if $tls;
			pg_read_startup($socket);
			$talk->($socket);
			hold($socket, "$dir/received");
		});
}

# The result of a test of a connection to such a server.
sub outcome_of
{
	my ($talk, $tls) = @_;
	my $server = server($talk, $tls);
	my $model  = connection_model(undef, host => '127.0.0.1', port => '' . $server->port, user => 'u', password => $password,
		sslmode => $tls ? 'require' : 'disable', properties => { connect_timeout => '3' });
	$sql->send('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text)');
	my $answer = $sql->answer(90);
	# The session computes, and does not process messages.
	BAIL_OUT('the backend is deaf') if !$answer;
	$server->stop;
	return $answer->{rows}[0]{error_code} // $answer->{error}{message} // 'SUCCESS';
}

# A server that asks for SCRAM and then sends what FIRST makes of the client's nonce, in a request of the kind CODE.
sub scram
{
	my ($first, $code) = @_;
	return sub {
		my ($client) = @_;
		send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
		my ($type, $body) = pg_read_message($client);
		my ($nonce) = $body =~ /,r=(.+)$/s;
		send_bytes($client, pg_auth($code // 11, $first->("${nonce}more")));
	};
}

my $salt = 'c2FsdHNhbHRzYWx0c2FsdA==';
my $work = 200_001;                      # more than is permitted, and soon done
my $past = 2_000_000;
my %number = (
	'a plus' => "+$work", 'a blank' => " $work", 'a tab' => "\t$work", 'a line feed' => "\n$work", 'a vertical tab' => "\x0b$work", 'a form feed' => "\f$work", 'a carriage return' => "\r$work",
	'blanks and a plus' => " \t+$work", 'a minus' => '-4096', 'nothing' => '', 'a leading zero' => "0$work", 'hexadecimal' => '0x1000', 'a blank behind it' => '4096 ', 'a line feed behind it' => "4096\n",
	'a zero byte behind it' => "4096\0", 'a zero byte and more' => "4096\0,i=1", 'an extension' => '4096,x=y', 'a second number' => "4096,i=$work", 'a comma behind it' => '4096,', 'a letter' => 'x', 'zero' => '0', 'a point' => '1.5');
my %message = (
	(map { my $n = $number{$_}; ("$_ in the number" => sub { "r=$_[0],s=$salt,i=$n" }) } keys %number),
	'a mandatory extension'      => sub { "m=x,r=$_[0],s=$salt,i=4096" },
	'i in front'                 => sub { "i=4096,r=$_[0],s=$salt,i=$work" },
	'upper case'                 => sub { "R=$_[0],S=$salt,I=$work" },
	'an upper-case I'            => sub { "r=$_[0],s=$salt,I=$work" },
	'a salt with a blank'        => sub { "r=$_[0],s=$salt ,i=$work" },
	'no salt'                    => sub { "r=$_[0],s=,i=4096" },
	'a nonce with a line feed'   => sub { "r=$_[0]\n,s=$salt,i=4096" },
	'no number'                  => sub { "r=$_[0],s=$salt" },
	'nothing at all'             => sub { '' },
	'the signature'              => sub { "v=$salt" });
my %expensive = (map { ("i=$_" => $_) } 150_001, 2_000_000_000, 2**31, 4_294_971_392, '9' x 19, '1' . '0' x 40);

foreach my $tls (0, 1)
{
	my $where = $tls ? 'TLS' : 'plain';
	is(outcome_of(scram($message{$_}), $tls), 'not_postgres', "$where, SCRAM with $_ is refused") foreach sort keys %message;
	foreach my $what (sort keys %expensive)
	{
		my $n = $expensive{$what};
		is(outcome_of(scram(sub { "r=$_[0],s=$salt,i=$n" }), $tls), 'authentication_failed', "$where, SCRAM with $what is refused");
	}
	is(outcome_of(scram(sub { "r=$_[0],s=$salt,i=$past" }, 12), $tls), 'not_postgres', "$where, the first message of SCRAM as its last is refused");
	is(outcome_of(scram(sub { "r=$_[0],s=$salt,i=4096" }), $tls), 'server_silent', "$where, SCRAM as it should be is served");
}

# What stands behind a request's own content libpq takes for the next message; what is short, for a part of the next one.
my $ask    = pg_auth(3);
my %hiding = (
	'behind the salt of md5'         => sub { pg_auth(5, 'salt' . $ask) },
	'behind md5 that is too short'   => sub { pg_auth(5) . $ask },
	'behind the list of mechanisms'  => sub { pg_auth(10, "SCRAM-SHA-256\0\0$ask") },
	'in NegotiateProtocolVersion'    => sub { pg_message('v', pack('NN', 196608, 0) . $ask) },
	'in a list without an end'       => sub { pg_auth(10, 'SCRAM-SHA-256') . $ask });
foreach my $tls (0, 1)
{
	my $where = $tls ? 'TLS' : 'plain';
	foreach my $how (sort keys %hiding)
	{
		unlink "$dir/received";
		my $code = outcome_of(
			sub {
				my ($client) = @_;
				send_bytes($client, $hiding{$how}->());
			}, $tls);
		is($code, 'not_postgres', "$where, a request $how is refused");
		unlike(-e "$dir/received" ? slurp_file("$dir/received") : '', qr/\Q$password\E/, "$where, the password is not sent for a request $how");
	}
}

# A server as it is goes on working.
my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote)) . '::text)');
is($row->{connection_test_result}, 'SUCCESS', 'a real server works') or diag(explain($row));

done_testing();
