# DqdsTest::Lookalike: a real server that reports to be another product, so that dqds queries it without pg_depend.
#
# A relay in front of a remote server: it passes everything on as it is, but for one parameter status that it adds to the
# login, as CockroachDB sends it.
package DqdsTest::Lookalike;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;

our @EXPORT = qw(start_lookalike);

# start_lookalike(REMOTE): a DqdsTest::Process with ->port.
sub start_lookalike
{
	my ($remote) = @_;
	my $port = $remote->port;
	return start_fake_server(
		sub {
			my ($client) = @_;
			my $startup  = pg_read_startup($client);
			my $server   = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "port $port: $!\n";
			send_bytes($server, pack('N', 4 + length $startup) . $startup);
			relay($client, $server);
		});
}

# Both ways until one side ends.
sub relay
{
	my ($client, $server) = @_;
	my $both = IO::Select->new($client, $server);
	my ($logged_in, $pending) = (0, '');
	while (my @ready = $both->can_read)
	{
		foreach my $from (@ready)
		{
			my $n = sysread $from, my $bytes, 65536;
			next   if !defined $n && $!{EINTR};
			return if !$n;
			($bytes, $pending, $logged_in) = add_status($pending . $bytes) if $from == $server && !$logged_in;
			send_bytes($from == $server ? $client : $server, $bytes);
		}
	}
	return;
}

# add_status(BYTES of the server): as much as are whole messages, with ours before the first ReadyForQuery; the rest; and
# whether that was among them.
sub add_status
{
	my ($bytes) = @_;
	my $at = 0;
	while (length($bytes) >= $at + 5)
	{
		my ($type, $length) = unpack 'a N', substr $bytes, $at, 5;
		last if length($bytes) < $at + 1 + $length;
		return (substr($bytes, 0, $at) . pg_message('S', "crdb_version\0CockroachDB, so to speak\0") . substr($bytes, $at), '', 1)
		  if $type eq 'Z';
		$at += 1 + $length;
	}
	return (substr($bytes, 0, $at), substr($bytes, $at), 0);
}

1;
