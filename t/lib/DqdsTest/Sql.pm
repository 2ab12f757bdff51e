# DqdsTest::Sql: one SQL session with a test server, without psql in between.
#
# psql shows an error as text; this module separates its fields (SQLSTATE, message, detail, hint), can send a query without
# waiting for the answer, and measures the time of a call without the start of a program. It implements just enough of the
# protocol: the simple query, over the server's Unix socket, where the test servers use trust authentication. Every wait is
# bounded.
#
#   my $sql    = DqdsTest::Sql->connect($control);
#   my $answer = $sql->query('SELECT * FROM dqds_list_schemas(...)');    # {rows, error, ended, seconds}
#   $sql->send('SELECT ...');  …  my $answer = $sql->answer(10);
package DqdsTest::Sql;

use strict;
use warnings;

use Carp;
use DqdsTest::Under;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

# connect(NODE, user => 'postgres', database => 'postgres', application_name => 'test'): dies if that is refused.
sub connect
{
	my ($class, $node, %opt) = @_;
	my $path   = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or croak "$path: $!";
	my $self   = bless { socket => $socket, buffer => '' }, $class;

	# The user who runs the tests is the superuser of every test server.
	my %parameter = (
		user             => $opt{user} // scalar getpwuid($<),
		database         => $opt{database} // 'postgres',
		application_name => $opt{application_name} // 'test');
	my $body = pack('N', 196608) . join('', map { "$_\0$parameter{$_}\0" } sort keys %parameter) . "\0";
	$self->write(pack('N', 4 + length $body) . $body);
	my $answer = $self->answer(30);
	croak 'cannot log in: ' . ($answer ? $answer->{error}{message} // 'closed' : 'no answer')
	  if !$answer || $answer->{error} || $answer->{ended};
	return $self;
}

# pid: of the server's process for this session.
sub pid { return $_[0]{pid}; }

# send(SQL): asks without waiting; the answer must be taken before the next question.
sub send
{
	my ($self, $sql) = @_;
	$self->{asked} = time;
	$self->write('Q' . pack('N', 5 + length $sql) . "$sql\0");
	return;
}

# answer(SECONDS = 60): the answer to what was sent; undef if it has not come in time (it may still be taken later).
#   rows     [{column => value}…] of the last statement that had a result
#   columns  [column…] in order
#   error    undef, or {severity, sqlstate, message, detail, hint}
#   ended    true: the server has closed the session
#   seconds  from send to the last byte
sub answer
{
	my ($self, $seconds) = @_;
	my $end = time + patience($seconds // 60);
	my $result = $self->{partial} //= { rows => [], columns => [] };
	while (1)
	{
		my $message = $self->next_message($end) // return;
		my ($type, $body) = @$message;
		if    ($type eq 'D') { push @{ $result->{rows} }, row($result->{columns}, $body); }
		elsif ($type eq 'T') { @$result{qw(rows columns)} = ([], columns($body)); }
		elsif ($type eq 'E') { $result->{error} //= error_fields($body); }
		elsif ($type eq 'K') { $self->{pid} = unpack 'N', $body; }
		elsif ($type eq '')  { $result->{ended} = 1; }
		last if $type eq 'Z' || $type eq '';
	}
	$result->{seconds} = time - ($self->{asked} // time);
	delete $self->{partial};
	return $result;
}

# query(SQL, SECONDS = 60): send and answer; dies if no answer comes in time.
sub query
{
	my ($self, $sql, $seconds) = @_;
	$self->send($sql);
	return $self->answer($seconds) // croak "no answer in time to: $sql";
}

# rows(SQL): the rows of a query that must succeed, as a list. value(SQL): its first value. column(SQL): its first column.
sub rows
{
	my ($self, $sql) = @_;
	return @{ $self->must($sql)->{rows} };
}

sub column
{
	my ($self, $sql) = @_;
	my $answer = $self->must($sql);
	return map { $_->{ $answer->{columns}[0] } } @{ $answer->{rows} };
}

sub value { return ($_[0]->column($_[1]))[0]; }

# close: ends the session.
sub close
{
	my ($self) = @_;
	$self->write('X' . pack 'N', 4);
	CORE::close($self->{socket});
	return;
}

sub must
{
	my ($self, $sql) = @_;
	my $answer = $self->query($sql);
	croak "$answer->{error}{sqlstate} $answer->{error}{message}: $sql" if $answer->{error};
	croak "the server ended the session: $sql" if $answer->{ended};
	return $answer;
}

sub write
{
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes)
	{
		my $n = syswrite $self->{socket}, $bytes;
		next if !defined $n && $!{EINTR};
		last if !$n;    # closed: the answer will tell
		substr $bytes, 0, $n, '';
	}
	return;
}

# [type, body] of the next message; ['', ''] at the end of the session; undef when the time is over.
sub next_message
{
	my ($self, $end) = @_;
	while (1)
	{
		my ($type, $length) = length $self->{buffer} >= 5 ? unpack 'a N', $self->{buffer} : ();
		if (defined $length && length $self->{buffer} > $length)
		{
			my $message = substr $self->{buffer}, 0, 1 + $length, '';
			return [ $type, substr $message, 5 ];
		}
		my $left = $end - time;
		return if $left <= 0;
		next unless IO::Select->new($self->{socket})->can_read($left);
		my $n = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
		next if !defined $n && $!{EINTR};
		return [ '', '' ] if !$n;
	}
}

sub columns
{
	my ($body) = @_;
	my @all = unpack 'n (Z* N n N n N n)*', $body;
	shift @all;
	return [ map { $all[ 7 * $_ ] } 0 .. @all / 7 - 1 ];
}

sub row
{
	my ($columns, $body) = @_;
	my %row;
	my $at = 2;
	foreach my $name (@$columns)
	{
		my $length = unpack 'l>', substr $body, $at, 4;
		$at += 4;
		$row{$name} = undef;
		next if $length < 0;
		$row{$name} = substr $body, $at, $length;
		$at += $length;
	}
	return \%row;
}

sub error_fields
{
	my ($body) = @_;
	my %name  = (V => 'severity', C => 'sqlstate', M => 'message', D => 'detail', H => 'hint', W => 'context');
	my %error = map { $name{ substr $_, 0, 1 } ? ($name{ substr $_, 0, 1 } => substr $_, 1) : () } split /\0/, $body;
	return \%error;
}

1;
