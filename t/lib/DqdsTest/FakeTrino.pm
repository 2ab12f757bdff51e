# DqdsTest::FakeTrino: a server that speaks as much of Trino's protocol as a test needs, also wrongly.
#
#   my $fake = start_fake_trino(sub {
#       my ($request) = @_;             # {method, path, headers (lower-case names), body}
#       return page($request, rows => [[1]]);
#   });
#   my @requests = requests_of($fake);  # the lines of all requests, their heads and bodies
#
# The sub returns all bytes of an answer, or undef to have the connection closed. It may also write to the socket itself
# ($request->{socket}).
package DqdsTest::FakeTrino;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_fake_trino requests_of answer_with page info);

my %log_of;

# answer_with(STATUS, BODY, headers): the bytes of an answer.
sub answer_with
{
	my ($status, $body, %headers) = @_;
	%headers = ('Content-Type' => 'application/json', 'Content-Length' => length $body, %headers);
	return "HTTP/1.1 $status Any\r\n" . (join '', map { "$_: $headers{$_}\r\n" } grep { defined $headers{$_} } sort keys %headers) . "\r\n$body";
}

# info: what a server says of itself.
sub info { return answer_with(200, '{"nodeVersion":{"version":"476"},"environment":"test","coordinator":true,"starting":false}'); }

# page(REQUEST, options): one answer about a query.
#   rows => [[…]], next => PATH or URL, error => {errorName, errorCode, message}
sub page
{
	my ($request, %opt) = @_;
	my $next = $opt{next};
	# JSON is made of characters.
	foreach my $row (@{ $opt{rows} // [] }) { utf8::decode($_) foreach grep { defined && /\D/ } @$row; }
	$next = "http://$request->{headers}{host}$next" if defined $next && $next =~ m{^/};
	return answer_with(200, to_json({ id => '20260101_000000_00000_aaaaa', stats => { state => 'RUNNING' },
		defined $next ? (nextUri => $next) : (), $opt{rows} ? (data => $opt{rows}) : (), $opt{error} ? (error => $opt{error}) : () }));
}

# start_fake_trino(SUB): as above; a DqdsTest::Process with ->port.
sub start_fake_trino
{
	my ($serve) = @_;
	my $log  = PostgreSQL::Test::Utils::tempdir_short() . '/requests';
	my $fake = start_fake_server(sub {
		my ($socket) = @_;
		my $bytes = '';
		while (1)
		{
			while ($bytes !~ /\r\n\r\n/) { sysread $socket, $bytes, 65536, length $bytes or return; }
			my ($head, $rest) = $bytes =~ /^(.*?)\r\n\r\n(.*)$/s;
			my ($line, @headers) = split /\r\n/, $head;
			my %headers = map { /^([^:]+): ?(.*)$/ ? (lc $1 => $2) : () } @headers;
			my $length  = $headers{'content-length'} // 0;
			while (length $rest < $length) { sysread $socket, $rest, 65536, length $rest or return; }
			$bytes = substr $rest, $length;
			my ($method, $path) = split / /, $line;
			note_request($log, "$head\n" . substr $rest, 0, $length);
			my $answer = $serve->({ method => $method, path => $path, headers => \%headers, body => substr($rest, 0, $length), socket => $socket });
			return if !defined $answer;
			while (length $answer) { my $n = syswrite $socket, $answer or return; substr $answer, 0, $n, ''; }
		}
	});
	$log_of{ $fake->port } = $log;
	return $fake;
}

sub note_request
{
	my ($log, $text) = @_;
	open my $file, '>>', $log or die "$log: $!";
	syswrite $file, "$text\n--\n";
	close $file;
	return;
}

# requests_of(FAKE): all requests so far, one text each.
sub requests_of
{
	my ($fake) = @_;
	my $log = $log_of{ $fake->port };
	return -e $log ? split /\n--\n/, slurp_file($log) : ();
}

1;
