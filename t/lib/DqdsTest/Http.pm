# DqdsTest::Http: HTTP for the tests, byte by byte, so that they see exactly what was sent and received.
#
# It uses only sockets. In place of a port, a DqdsTest::Process with one can be passed. Every wait is bounded.
package DqdsTest::Http;

use strict;
use warnings;

use Carp;
use DqdsTest::Under;
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

# Called with all bytes of each answer, if it is set.
our $inspect;

our @EXPORT = qw(http raw_request open_socket read_all parse_answer split_answer answer_fault encode_segment);

# open_socket(PORT or process): a connected socket.
sub open_socket
{
	my ($port) = @_;
	$port = $port->port if ref $port;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => patience(10))
	  || croak "cannot connect to port $port: $!";
}

# read_all(SOCKET, SECONDS = 30): what comes until the other side closes. In list context also whether it did close.
sub read_all
{
	my ($socket, $seconds) = @_;
	return read_until($socket, time + patience($seconds // 30));
}

sub read_until
{
	my ($socket, $end) = @_;
	my ($bytes, $closed) = ('', 0);
	my $select = IO::Select->new($socket);
	while ((my $left = $end - time) > 0)
	{
		next unless $select->can_read($left);
		my $n = sysread $socket, $bytes, 65536, length $bytes;
		next if !defined $n && $!{EINTR};
		if (!$n) { $closed = 1; last; }
	}
	$inspect->($bytes) if $inspect;
	return wantarray ? ($bytes, $closed) : $bytes;
}

# raw_request(PORT or process, BYTES, SECONDS = 30): sends BYTES as they are; returns what read_all returns. An answer
# that comes, and a connection that is closed, while BYTES are still being sent is no error.
sub raw_request
{
	my ($port, $bytes, $seconds) = @_;
	my $socket = open_socket($port);
	my $sent   = 0;
	my $end    = time + patience($seconds // 30);
	$socket->blocking(0);
	while ($sent < length $bytes && time < $end)
	{
		next unless IO::Select->new($socket)->can_write($end - time);
		my $n = syswrite $socket, $bytes, 65536, $sent;
		if (defined $n) { $sent += $n }
		else            { last unless $!{EINTR} || $!{EAGAIN} }
	}
	$socket->blocking(1);
	return read_until($socket, $end);
}

# http(PORT or process, METHOD, TARGET, HEADERS = {}, BODY = undef, SECONDS = 60): one request and its answer:
#   status, reason, headers (lower-case names; repeated ones joined by ', '), body (JSON without its line end),
#   json (the decoded body where Content-Type says JSON and it is JSON),
#   error (what is wrong with the answer's framing, or that a JSON body is no line; undef: the answer is whole), raw (all bytes)
# Host, Connection: close, and with a BODY Content-Length and Content-Type: application/json are sent unless HEADERS
# say otherwise; a value of undef leaves a header out.
sub http
{
	my ($port, $method, $target, $headers, $body, $seconds) = @_;
	$port = $port->port if ref $port;
	my %send = (Host => "127.0.0.1:$port", Connection => 'close');
	%send = (%send, 'Content-Type' => 'application/json', 'Content-Length' => length $body) if defined $body;
	foreach my $name (keys %{ $headers // {} })
	{
		delete $send{$_} foreach grep { lc $_ eq lc $name } keys %send;
		$send{$name} = $headers->{$name};
	}
	my $request = "$method $target HTTP/1.1\r\n";
	$request .= "$_: $send{$_}\r\n" foreach grep { defined $send{$_} } sort keys %send;
	my ($raw, $closed) = raw_request($port, "$request\r\n" . ($body // ''), $seconds // 60);
	return parse_answer($raw, $closed, $method);
}

# encode_segment(BYTES): BYTES as a segment of a path, or a value of a query: all but letters and digits escaped.
sub encode_segment { return $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger; }

# answer_fault(ANSWER, STATUS, METHOD = 'GET'): what is wrong with an answer that should have this status; undef: nothing.
# It knows what every answer of the bridge has: the exact set of headers, and for errors the exact keys of the body.
sub answer_fault
{
	my ($answer, $status, $method) = @_;
	my $headers = $answer->{headers};
	return $answer->{error} if defined $answer->{error};
	return "status $answer->{status}: $answer->{body}" if $answer->{status} != $status;

	my %value = ('cache-control' => 'no-store', 'x-content-type-options' => 'nosniff', connection => 'close');
	my @names = ('date', keys %value);
	push @names, exists $headers->{'transfer-encoding'} ? 'transfer-encoding' : 'content-length' if $status != 204;
	if ($status != 201 && $status != 204)
	{
		push @names, 'content-type';
		$value{'content-type'} = 'application/json';
	}
	push @names, 'www-authenticate' if $status == 401;
	push @names, 'allow'            if $status == 405;
	push @names, 'retry-after'      if $status == 503;
	my $names = join ' ', sort @names;
	my $found = join ' ', sort keys %$headers;
	return "headers: $found; wanted: $names" if $found ne $names;
	foreach my $name (sort keys %value)
	{
		return "$name: $headers->{$name}" if $headers->{$name} ne $value{$name};
	}
	return "www-authenticate: $headers->{'www-authenticate'}" if $status == 401 && $headers->{'www-authenticate'} ne 'Bearer';
	return "retry-after: $headers->{'retry-after'}" if $status == 503 && $headers->{'retry-after'} !~ /^[1-9]\d*$/;
	return "a body: $answer->{body}" if ($status == 201 || $status == 204) && $answer->{body} ne '';
	return if $status < 400 || ($method // 'GET') eq 'HEAD' || $answer->{body} eq '"UNAVAILABLE"';
	return error_body_fault($answer);
}

sub error_body_fault
{
	my ($answer) = @_;
	my $json = $answer->{json};
	return "no JSON object: $answer->{body}" if ref $json ne 'HASH';
	my $keys = join ' ', sort grep { $_ ne 'errorCode' } keys %$json;
	return "keys of the error body: $keys" if $keys ne 'error message path status timestamp';
	return "status in the error body: $json->{status}" if $json->{status} ne $answer->{status};
	return "reasons: $answer->{reason}, $json->{error}" if $json->{error} ne $answer->{reason};
	return "timestamp: $json->{timestamp}" if abs($json->{timestamp} / 1000 - time) > 60;
	return 'an empty message' if $json->{message} eq '';
	return;
}

# parse_answer(BYTES, whether the connection was closed behind them, METHOD): the answer as http returns it.
sub parse_answer
{
	my $answer = split_answer(@_);
	return $answer unless ($answer->{headers}{'content-type'} // '') =~ m{^application/json\b};
	$answer->{json} = eval { JSON::PP->new->utf8->allow_nonref->decode($answer->{body}) };
	return $answer;
}

# split_answer: the same without json, which takes its time for a long body.
sub split_answer
{
	my ($raw, $closed, $method) = @_;
	my %answer = (raw => $raw, headers => {}, body => '', status => 0, reason => '');
	my ($head, $rest) = split /\r\n\r\n/, $raw, 2;
	my ($first, @lines) = split /\r\n/, $head // '';
	if (!defined $rest || $first !~ m{^HTTP/1\.[01] (\d{3}) ?(.*)$})
	{
		$answer{error} = 'no HTTP answer' . ($closed ? '' : ' in time');
		return \%answer;
	}
	@answer{qw(status reason)} = ($1, $2);
	foreach my $line (@lines)
	{
		my ($name, $value) = $line =~ /^([^\s:]+):[ \t]*(.*?)[ \t]*$/;
		if (!defined $name) { $answer{error} = "bad header line: $line"; next; }
		$name = lc $name;
		$answer{headers}{$name} =
		  exists $answer{headers}{$name} ? "$answer{headers}{$name}, $value" : $value;
	}
	@answer{qw(body framing)} = unframe($rest, $answer{headers}, $method, $answer{status});
	$answer{error} //= delete $answer{framing};
	delete $answer{framing};
	$answer{error} //= 'the connection stayed open' unless $closed;
	$answer{error} //= take_line_end(\%answer);
	return \%answer;
}

# Takes the line end from a JSON body; returns what is wrong with it (undef: nothing).
sub take_line_end
{
	my ($answer) = @_;
	return if $answer->{body} eq '' || ($answer->{headers}{'content-type'} // '') !~ m{^application/json\b};
	return $answer->{body} =~ s/(?<!\n)\n\z// ? undef : 'the body is no line';
}

# The body of an answer and what is wrong with its framing (undef: nothing).
sub unframe
{
	my ($rest, $headers, $method, $status) = @_;
	if ($method eq 'HEAD' || $status == 204 || $status == 304)
	{
		return ($rest, length $rest ? 'a body where there may be none' : undef);
	}
	my ($length, $coding) = @$headers{ 'content-length', 'transfer-encoding' };
	return ($rest, 'both Content-Length and Transfer-Encoding') if defined $length && defined $coding;
	if (defined $length)
	{
		return ($rest, $length eq length $rest ? undef : "Content-Length $length, body " . length $rest);
	}
	return ($rest, undef) unless defined $coding;
	return ($rest, "Transfer-Encoding $coding") unless lc $coding eq 'chunked';
	my $body = '';
	while ($rest =~ /\G([0-9A-Fa-f]+)\r\n/gc)
	{
		my $size = hex $1;
		if ($size == 0) { return ($body, substr($rest, pos $rest) eq "\r\n" ? undef : 'bytes after the last chunk'); }
		my $start = pos $rest;
		return ($body, 'broken chunk') unless substr($rest, $start + $size, 2) eq "\r\n";
		$body .= substr $rest, $start, $size;
		pos($rest) = $start + $size + 2;
	}
	return ($body, 'no last chunk');
}

1;
