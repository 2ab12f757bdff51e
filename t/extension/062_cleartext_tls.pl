# A password is sent in clear text only if TLS has verified the identity of the server, or if the connection permits it: a
# connection that is only encrypted may end at anyone on the network path.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;

my $dir     = PostgreSQL::Test::Utils::tempdir('cleartext');
my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
new_certificate($dir, 'self', names => 'IP:127.0.0.1');    # before there is an authority
new_certificate($dir, 'ca');
new_certificate($dir, 'address', names => 'IP:127.0.0.1');
refusing_roles($remote);
serve_certificate($remote, $dir, 'self');
$sql->must('SELECT dqds_close_idle(); SET dqds.ssl_root_certs = ' . sql_literal("$dir/ca.crt"));

foreach my $mode (qw(disable allow prefer require))
{
	fails($sql, "sslmode $mode", connection_model($remote, user => 'cleartext', sslmode => $mode),
		'authentication_failed', message => qr/in clear text without verified TLS$/, hint => qr/verify-full.*allow_cleartext_password/);
	works($sql, "sslmode $mode and allow_cleartext_password",
		connection_model($remote, user => 'cleartext', sslmode => $mode, properties => { allow_cleartext_password => 'true' }));
	works($sql, "sslmode $mode, a server that asks for SCRAM", connection_model($remote, sslmode => $mode));
}
fails($sql, "sslmode $_, a certificate of its own", connection_model($remote, user => 'cleartext', sslmode => $_), 'tls_certificate') foreach qw(verify-ca verify-full);
serve_certificate($remote, $dir, 'address');
works($sql, "sslmode $_, the right certificate", connection_model($remote, user => 'cleartext', sslmode => $_)) foreach qw(verify-ca verify-full);

# NegotiateProtocolVersion comes before the requests of the authentication, which are looked at all the same.
{
	my $file   = "$dir/received";
	my $server = start_fake_server(
		sub {
			my ($client) = @_;
			pg_read_startup($client);
			send_bytes($client, pg_message('v', pack 'NN', 196608, 0) . pg_auth(3));
			hold($client, $file);
			open my $end, '>', "$file.end" or die "$file: $!";
		});
	my $row = outcome($sql, connection_model($remote, port => '' . $server->port));
	is($row->{error_code}, 'authentication_failed', 'asked for the password behind NegotiateProtocolVersion') or diag(explain($row));
	like($row->{error_message}, qr/in clear text/, 'it says what was asked for');
	ok(poll_until(sub { -e "$file.end" }, 10), 'the connection ends');
	unlike(-e $file ? slurp_file($file) : '', qr/\Q@{[ remote_password($remote) ]}\E/, 'and nothing was sent');
}

# Over a line that brings what the server says byte by byte, no request is overlooked, and a login is not given up.
{
	my $relay = start_fake_server(
		sub {
			my ($client) = @_;
			my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $remote->port, Timeout => patience(10)) or die "cannot connect: $@";
			my $select = IO::Select->new($client, $server);
			setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1 or die "setsockopt: $!";
			while (my @ready = $select->can_read(patience(10)))
			{
				foreach my $from (@ready)
				{
					my $count = sysread $from, my $bytes, 65536;
					return if !$count;
					if   ($from == $client) { send_bytes($server, $bytes); }
					else                    { send_bytes($client, $_) foreach split //, $bytes; }
				}
			}
		});
	my @port = (port => '' . $relay->port);
	foreach my $mode (qw(disable require))
	{
		works($sql, "byte by byte, sslmode $mode", connection_model($remote, @port, sslmode => $mode));
		fails($sql, "byte by byte, sslmode $mode, clear text", connection_model($remote, @port, user => 'cleartext', sslmode => $mode),
			'authentication_failed', message => qr/in clear text without verified TLS$/) foreach 1 .. 20;
	}
	works($sql, "byte by byte, sslmode $_", connection_model($remote, @port, user => 'cleartext', sslmode => $_)) foreach qw(verify-ca verify-full);
}

done_testing();
