# DqdsTest::Relay: passes bytes between dqds and a real server.
#
#   my $relay = start_fake_server(sub { relay($_[0], $remote->port) }, '127.0.0.2');
package DqdsTest::Relay;

use strict;
use warnings;

use DqdsTest::FakePostgres;
use DqdsTest::Under;
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;

our @EXPORT = qw(relay);

# relay(SOCKET, PORT, SUB): passes bytes from the socket to a port of 127.0.0.1, and back, until one side closes. SUB, if it is
# there, returns what is sent to the server in place of the bytes that it is given.
sub relay
{
	my ($client, $port, $change) = @_;
	my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => patience(10)) or die "port $port: $!\n";
	my $select = IO::Select->new($client, $server);
	while (1)
	{
		foreach my $from ($select->can_read)
		{
			sysread $from, my $bytes, 65536 or return;
			$bytes = $change->($bytes) if $change && $from == $client;
			send_bytes($from == $client ? $server : $client, $bytes);
		}
	}
}

1;
