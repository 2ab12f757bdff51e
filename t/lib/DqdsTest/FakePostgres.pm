# DqdsTest::FakePostgres: the server's side of the PostgreSQL protocol in pieces, for servers that stay silent, lie or
# disconnect.
#
# Each function works on the socket that start_fake_server passes to its sub; it dies when the client disconnects, which ends
# only that connection. A sub that only needs to wait calls hold.
package DqdsTest::FakePostgres;

use strict;
use warnings;

use Exporter 'import';
use Socket qw(SOL_SOCKET SO_LINGER);

our @EXPORT = qw(pg_message pg_error pg_auth pg_read_startup pg_read_message pg_log_in pg_answer pg_rows
  send_bytes read_bytes hold reset_connection);

# pg_message(TYPE, BODY): a message as bytes.
sub pg_message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1]; }

# pg_error(SQLSTATE, TEXT, SEVERITY = 'FATAL', FIELD => VALUE…): an error message as bytes; more fields are those of the
# protocol: D detail, H hint, F file, L line, R routine.
sub pg_error
{
	my ($sqlstate, $text, $severity, %more) = @_;
	$severity //= 'FATAL';
	return pg_message('E', "S$severity\0V$severity\0C$sqlstate\0M$text\0" . join('', map { "$_$more{$_}\0" } sort keys %more) . "\0");
}

# pg_auth(CODE, DATA = ''): an authentication request as bytes: 0 ok, 3 the password in the clear, 5 md5, 10 SASL.
sub pg_auth { return pg_message('R', pack('N', $_[0]) . ($_[1] // '')); }

# send_bytes(SOCKET, BYTES): all of them.
sub send_bytes
{
	my ($socket, $bytes) = @_;
	while (length $bytes)
	{
		my $n = syswrite $socket, $bytes;
		die "the client went away\n" if !$n;
		substr $bytes, 0, $n, '';
	}
	return;
}

# read_bytes(SOCKET, COUNT): exactly as many.
sub read_bytes
{
	my ($socket, $count) = @_;
	my $bytes = '';
	while (length $bytes < $count)
	{
		sysread $socket, $bytes, $count - length $bytes, length $bytes or die "the client went away\n";
	}
	return $bytes;
}

# hold(SOCKET, FILE = undef): keeps silent until the client goes away; what it sends goes to FILE.
sub hold
{
	my ($socket, $file) = @_;
	while (sysread $socket, my $bytes, 65536)
	{
		next unless defined $file;
		open my $out, '>>', $file or die "$file: $!";
		syswrite $out, $bytes;
		close $out;
	}
	return;
}

# reset_connection(SOCKET): closes it with a TCP reset.
sub reset_connection
{
	my ($socket) = @_;
	setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	close $socket;
	return;
}

# pg_read_startup(SOCKET, TLS = 'N'): the client's startup packet as bytes, without its length; a question for TLS that
# comes first is answered with TLS.
sub pg_read_startup
{
	my ($socket, $tls) = @_;
	while (1)
	{
		my $packet = read_bytes($socket, unpack('N', read_bytes($socket, 4)) - 4);
		return $packet unless unpack('N', $packet) == 80877103;
		send_bytes($socket, $tls // 'N');
	}
}

# pg_read_message(SOCKET): type and body of a message of the client.
sub pg_read_message
{
	my ($socket) = @_;
	my ($type, $length) = unpack 'a N', read_bytes($socket, 5);
	return ($type, $length > 4 ? read_bytes($socket, $length - 4) : '');
}

# pg_log_in(SOCKET, STARTUP = undef): lets the client in with any password, until it is ready for a query. STARTUP is its
# startup packet if that has been read already.
sub pg_log_in
{
	my ($socket, $startup) = @_;
	pg_read_startup($socket) unless defined $startup;
	send_bytes($socket, pg_auth(5, 'salt'));
	pg_read_message($socket);
	my %parameter = (server_version => '15.0', server_encoding => 'UTF8', client_encoding => 'UTF8');
	send_bytes($socket,
			pg_auth(0)
		  . join('', map { pg_message('S', "$_\0$parameter{$_}\0") } sort keys %parameter)
		  . pg_message('K', pack 'NN', 1, 1)
		  . pg_message('Z', 'I'));
	return;
}

# pg_answer(SOCKET, BYTES): waits for a query of the client, to its Sync, and sends BYTES; those may be a sub, which gets
# the text of the query.
sub pg_answer
{
	my ($socket, $bytes) = @_;
	my $query = '';
	while (1)
	{
		my ($type, $body) = pg_read_message($socket);
		die "the client went away\n" if $type eq 'X';
		$query = (split /\0/, $body)[1] if $type eq 'P';
		last if $type eq 'S';
	}
	send_bytes($socket, ref $bytes ? $bytes->($query) : $bytes);
	return;
}

# pg_rows(COLUMNS, ROW…): a whole answer to a query as bytes: so many columns of text, the rows (arrays of text, undef is NULL)
# and the end.
sub pg_rows
{
	my ($columns, @rows) = @_;
	return
		pg_message('1', '') . pg_message('2', '')
	  . pg_message('T', pack('n', $columns) . join '', map { "c$_\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $columns)
	  . join('', map { data_row(@$_) } @rows)
	  . pg_message('C', "SELECT 1\0")
	  . pg_message('Z', 'I');
}

sub data_row
{
	my @values = @_;
	return pg_message('D', pack('n', scalar @values) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @values);
}

1;
