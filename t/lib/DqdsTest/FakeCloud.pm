# DqdsTest::FakeCloud: an HTTPS server that answers as a test says, in place of services that cannot be had.
#
#   my $fake = start_fake_cloud("$dir", 'server', sub {
#       my ($request) = @_;      # {method, path, query => {…}, headers (lower-case names), body, json}
#       return (200, { … });     # a status and what becomes JSON, or a string that is the body; nothing: the connection is closed
#   });
#   my @requests = cloud_requests($fake);    # 'GET /path?query', in their order
#
# The sub runs in a process of its own for each connection; count_of($fake, NAME) counts over all of them.
package DqdsTest::FakeCloud;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Tls;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_fake_cloud cloud_requests count_of forget_requests);

my %log_of;

sub start_fake_cloud
{
	my ($dir, $name, $serve) = @_;
	my $log  = PostgreSQL::Test::Utils::tempdir_short() . '/requests';
	my $fake = start_fake_server(sub {
		my $socket  = speak_tls($_[0], $dir, $name);
		my $request = read_request($socket) or return;
		note_line($log, "$request->{method} $request->{target}");
		my ($status, $body) = $serve->($request, $log);
		return if !defined $status;
		$body = to_json($body) if ref $body;
		syswrite $socket, "HTTP/1.1 $status Any\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
	});
	$log_of{ $fake->port } = $log;
	return $fake;
}

sub read_request
{
	my ($socket) = @_;
	my $bytes = '';
	while ($bytes !~ /\r\n\r\n/) { sysread $socket, $bytes, 65536, length $bytes or return; }
	my ($head, $body) = $bytes =~ /^(.*?)\r\n\r\n(.*)$/s;
	my ($line, @headers) = split /\r\n/, $head;
	my %request = (headers => { map { my ($n, $v) = split /: */, $_, 2; (lc $n => $v) } @headers });
	@request{qw(method target)} = $line =~ /^(\S+) (\S+) /;
	while (length $body < ($request{headers}{'content-length'} // 0)) { sysread $socket, $body, 65536, length $body or return; }
	($request{path}, my $query) = split /\?/, $request{target}, 2;
	$request{query} = { map { my ($k, $v) = split /=/, $_, 2; ($k => ($v // '') =~ s/%(..)/chr hex $1/ger) } split /&/, $query // '' };
	$request{body} = $body;
	$request{json} = eval { from_json($body) };
	return \%request;
}

sub note_line
{
	my ($file, $line) = @_;
	open my $out, '>>', $file or die "$file: $!";
	syswrite $out, "$line\n";
	close $out;
	return;
}

sub cloud_requests { my ($fake) = @_; my $log = ref $fake ? $log_of{ $fake->port } : $fake; return -e $log ? split /\n/, slurp_file($log) : (); }

# count_of(FAKE or LOG, REGEX): how many requests so far match.
sub count_of { my ($fake, $regex) = @_; return scalar grep { $_ =~ $regex } cloud_requests($fake); }

sub forget_requests { unlink $log_of{ $_[0]->port }; return; }

1;
