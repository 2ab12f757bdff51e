# DqdsTest::FakeMysql: the server's side of MySQL's protocol, for servers that lie.
#
#   start_fake_server(sub { my $client = mysql_greet($_[0], plugin => 'mysql_native_password'); … });
package DqdsTest::FakeMysql;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(mysql_greet mysql_send mysql_read mysql_ok mysql_eof mysql_string mysql_number mysql_columns);

# What a server says it can do: protocol 4.1, its kinds of authentication, and, with tls, TLS.
use constant { CAPABILITIES => 0x00aff7df & ~0x0800, TLS => 0x0800 };

# mysql_send(SOCKET, SEQUENCE NUMBER, PAYLOAD)
sub mysql_send
{
	my ($socket, $number, $payload) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $bytes = substr(pack('V', length $payload), 0, 3) . chr($number & 255) . $payload;
	while (length $bytes)
	{
		my $sent = syswrite $socket, $bytes, 1 << 20;
		return 0 if !$sent;
		substr $bytes, 0, $sent, '';
	}
	return 1;
}

# mysql_read(SOCKET): the payload of a packet; undef when the client is gone.
sub mysql_read
{
	my ($socket) = @_;
	my $bytes = '';
	while (length $bytes < 4 || length $bytes < 4 + unpack 'V', substr($bytes, 0, 3) . "\0")
	{
		sysread $socket, $bytes, 65536, length $bytes or return;
	}
	return substr $bytes, 4;
}

sub mysql_ok     { return "\0\0\0\x02\0\0\0"; }
sub mysql_eof    { return "\xfe\0\0\x02\0"; }
sub mysql_number { my ($number) = @_; return $number < 251 ? chr $number : $number < 65536 ? "\xfc" . pack('v', $number) : "\xfd" . substr pack('V', $number), 0, 3; }
sub mysql_string { my ($text) = @_; return mysql_number(length $text) . $text; }

# mysql_greet(SOCKET, options): greets, and reads the client's answer, which it returns; undef when the client is gone.
#   plugin => the kind of authentication (mysql_native_password)
#   tls => 1: TLS is offered
#   version => text
sub mysql_greet
{
	my ($socket, %opt) = @_;
	my $can = CAPABILITIES | ($opt{tls} ? TLS : 0);
	mysql_send($socket, 0, "\x0a" . ($opt{version} // '8.0.99') . "\0" . pack('V', 7) . 'abcdefgh' . "\0" . pack('v', $can & 0xffff) . chr(45) . pack('v', 2)
		  . pack('v', $can >> 16) . chr(21) . "\0" x 10 . 'ijklmnopqrst' . "\0" . ($opt{plugin} // 'mysql_native_password') . "\0");
	return mysql_read($socket);
}

# mysql_columns(SOCKET, NAMES…): what precedes rows of text; returns the next sequence number.
sub mysql_columns
{
	my ($socket, @names) = @_;
	my $number = 1;
	mysql_send($socket, $number++, mysql_number(scalar @names));
	mysql_send($socket, $number++, join('', map { mysql_string($_) } 'def', '', '', '', $_, '') . "\x0c" . pack('vVCvC', 45, 1024, 253, 0, 0) . "\0\0") foreach @names;
	mysql_send($socket, $number++, mysql_eof());
	return $number;
}

1;
