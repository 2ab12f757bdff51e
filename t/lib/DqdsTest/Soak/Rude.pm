# DqdsTest::Soak::Rude: misbehaving clients: malformed requests, and clients that disconnect in the middle.
#
# A malformed request must be refused in the same way at any time, whatever fails behind the bridge. A client that disconnects
# must only do no harm, which the other workers and the bridge's memory and descriptors show.
package DqdsTest::Soak::Rude;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Soak::Rest;
use Time::HiRes qw(time sleep);

use constant PAUSE => 0.05;

my $host = "Host: 127.0.0.1\r\n";
my $post = "POST /api/datasource/testconnection HTTP/1.1\r\n$host";

# name, bytes, status; needs => 'control': the control database gives the answer, or may be down.
my @broken = (
	[ 'a broken escape', "GET /api/%zz HTTP/1.1\r\n$host\r\n", 400 ],
	[ 'a NUL in the path', "GET /api/connections/a%00b/basic HTTP/1.1\r\n$host\r\n", 400 ],
	[ 'another case', "GET /API/ishealthy HTTP/1.1\r\n$host\r\n", 404 ],
	[ 'a longer path', "GET /apix/ishealthy HTTP/1.1\r\n$host\r\n", 404 ],
	[ 'a wrong method', "DELETE /api/ishealthy HTTP/1.1\r\n$host\r\n", 405 ],
	[ 'no HTTP', "SSH-2.0-OpenSSH_9.2\r\n\r\n", 400 ],
	[ 'a foreign Host', "GET /api/connections HTTP/1.1\r\nHost: example.com\r\n\r\n", 403 ],
	[ 'two lengths', "${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400 ],
	[ 'length and coding', "${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400 ],
	[ 'a body in chunks', "${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411 ],
	[ 'a body that is too long', "${post}Content-Length: 99999999\r\n\r\n{}", 413 ],
	[ 'too many headers', "GET /api/ishealthy HTTP/1.1\r\n$host" . join('', map { "X$_: 1\r\n" } 1 .. 80) . "\r\n", 431 ],
	[ 'deep JSON', "${post}Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n" . '[' x 4000, 400, needs => 'control' ],
	[ 'no JSON', "${post}Content-Type: application/json\r\nContent-Length: 3\r\n\r\nnix", 400, needs => 'control' ]);

# name => SUB(port, path of a listing): begins something and disconnects.
my %leaving = (
	'leaves without a word'   => sub { my ($port) = @_; close open_socket($port); return; },
	'leaves in the header'    => sub { my ($port) = @_; say_and_reset($port, "GET /api/connections HTTP/1.1\r\nHo"); return; },
	'leaves in the body'      => sub { my ($port) = @_; say_and_reset($port, "${post}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); return; },
	'leaves without the answer' => sub { my ($port, $path) = @_; say_and_reset($port, "GET $path HTTP/1.1\r\n$host\r\n"); return; },
	'leaves in the answer'    => sub {
		my ($port, $path) = @_;
		my $socket = open_socket($port);
		syswrite $socket, "GET $path HTTP/1.1\r\n$host\r\n";
		sysread $socket, my $bytes, 1000;
		reset_connection($socket);
		return;
	},
	'says nothing for a while' => sub { my ($port) = @_; my $socket = open_socket($port); sleep 0.5; return; });

sub say_and_reset
{
	my ($port, $bytes) = @_;
	my $socket = open_socket($port);
	syswrite $socket, $bytes;
	sleep rand 0.05;
	reset_connection($socket);
	return;
}

# work(WORLD, PORT, UNTIL, TALLY)
sub work
{
	my ($world, $port, $until, $tally) = @_;
	my @paths = map { DqdsTest::Soak::Rest::path($_->{name}) . '/schemas/' . encode_segment(DqdsTest::Soak::World::wide_schema($_->{remote})) . '/tables' } @{ $world->{connections} };
	my @leaving = sort keys %leaving;
	while (time < $until)
	{
		try($port, $tally, @{ $broken[ rand @broken ] });
		my $name = $leaving[ rand @leaving ];
		eval { $leaving{$name}->($port, $paths[ rand @paths ]); 1 } ? $tally->note("rude: $name", 'done') : $tally->wrong("rude: $name", $@);
		sleep PAUSE;
	}
	return;
}

sub try
{
	my ($port, $tally, $name, $bytes, $status, %more) = @_;
	my ($raw, $closed) = eval { raw_request($port, $bytes, 30) };
	return $tally->wrong("rude: $name", $@) if !defined $raw;
	my $answer = parse_answer($raw, $closed, 'GET');
	$status = $answer->{status} if $more{needs} && $answer->{status} =~ /^50[34]$/;
	my $fault = answer_fault($answer, $status);
	if (defined $fault) { $tally->wrong("rude: $name", $fault); }
	else                { $tally->note("rude: $name", $status); }
	return;
}

1;
