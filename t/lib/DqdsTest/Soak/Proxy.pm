# DqdsTest::Soak::Proxy: a TCP proxy in front of a remote, which can be told to misbehave.
#
# One process, one loop. What it may be told (tell):
#   reset              all connections are reset
#   cut BYTES          for some seconds, each connection is reset after so many bytes of an answer
#   stall SECONDS      nothing passes for so long
#   half-open SECONDS  the servers' sides are closed, the clients' sides keep silent for so long, then are reset
package DqdsTest::Soak::Proxy;

use strict;
use warnings;

use DqdsTest::FakePostgres;
use DqdsTest::Process;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

# Larger than any answer that a client leaves unread for long.
use constant MAX_BUFFER => 1 << 20;

# So many seconds a cut lasts.
use constant CUT_SECONDS => 3;

# start(PORT): a proxy for that port of 127.0.0.1; it ends with the test.
sub start
{
	my ($class, $target) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128, ReuseAddr => 1) or die "cannot listen: $!";
	pipe my $orders, my $pen or die "pipe: $!";
	$pen->autoflush(1);
	my $process = DqdsTest::Process->start('proxy', undef, sub {
		close $pen;
		$SIG{PIPE} = 'IGNORE';
		my $self = bless { target => $target, listener => $listener, orders => $orders, pairs => [], stalled_until => 0, cut_until => 0 }, $class;
		$self->turn while 1;
	});
	close $orders;
	my $self = bless { process => $process, pen => $pen, port => $listener->sockport }, $class;
	close $listener;
	return $self;
}

sub port { return $_[0]{port}; }
sub tell { return syswrite $_[0]{pen}, "$_[1]\n"; }

# --- In the proxy's own process ----------------------------------------------------------------------------

# A pair: client, server => sockets; to_client, to_server => bytes under way; answered => what the server has said since
# the client spoke; silent_until => when a half-open client is reset.
sub turn
{
	my ($self) = @_;
	my $stalled = $self->{stalled_until} > time;
	my ($read, $write) = (IO::Select->new(@$self{qw(listener orders)}), IO::Select->new);
	foreach my $pair ($stalled ? () : @{ $self->{pairs} })
	{
		$read->add($pair->{client}) if length $pair->{to_server} < MAX_BUFFER;
		$read->add($pair->{server}) if $pair->{server} && length $pair->{to_client} < MAX_BUFFER;
		$write->add($pair->{client}) if length $pair->{to_client};
		$write->add($pair->{server}) if $pair->{server} && length $pair->{to_server};
	}
	my ($readable, $writable) = IO::Select->select($read, $write, undef, 0.1);
	my %ready = map { fileno $_ => 1 } @{ $readable // [] };
	my %free  = map { fileno $_ => 1 } @{ $writable // [] };
	$self->obey   if $ready{ fileno $self->{orders} };
	$self->accept if $ready{ fileno $self->{listener} };
	my $cut = $self->{cut_until} > time ? $self->{cut} : undef;
	@{ $self->{pairs} } = grep { move($_, \%ready, \%free, $cut) } @{ $self->{pairs} };
	return;
}

sub accept
{
	my ($self) = @_;
	my $client = $self->{listener}->accept or return;
	my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{target}, Timeout => 2);
	return reset_connection($client) unless $server;
	$_->blocking(0) foreach $client, $server;
	push @{ $self->{pairs} }, { client => $client, server => $server, to_client => '', to_server => '', answered => 0 };
	return;
}

my %order = (
	'reset'     => sub { my ($self) = @_; drop($_) foreach splice @{ $self->{pairs} }; return; },
	'stall'     => sub { my ($self, $seconds) = @_; $self->{stalled_until} = time + $seconds; return; },
	'cut'       => sub { my ($self, $bytes) = @_; @$self{qw(cut cut_until)} = ($bytes, time + CUT_SECONDS); return; },
	'half-open' => sub { my ($self, $seconds) = @_; half_open($_, $seconds) foreach @{ $self->{pairs} }; return; });

sub obey
{
	my ($self) = @_;
	sysread $self->{orders}, my $text, 1000 or POSIX::_exit(0);    # the test has ended
	foreach my $line (split /\n/, $text)
	{
		my ($word, $number) = split / /, $line;
		$order{$word}->($self, $number);
	}
	return;
}

sub half_open
{
	my ($pair, $seconds) = @_;
	close delete $pair->{server} if $pair->{server};
	$pair->{silent_until} //= time + $seconds;
	return;
}

# Resets both sides.
sub drop
{
	my ($pair) = @_;
	reset_connection($_) foreach grep { $_ } @$pair{qw(client server)};
	return;
}

# Moves the bytes of a pair as far as they go; false: the pair is no more.
sub move
{
	my ($pair, $ready, $free, $cut) = @_;
	my ($client, $server) = @$pair{qw(client server)};
	if (defined $pair->{silent_until})
	{
		# What the client says goes nowhere; it may also give up.
		my $n = $ready->{ fileno $client } ? sysread $client, my $ignored, 65536 : 1;
		return 1 if $n && time < $pair->{silent_until};
		drop($pair);
		return 0;
	}
	my $asked    = pull($client, $ready, \$pair->{to_server});
	my $answered = pull($server, $ready, \$pair->{to_client});
	$pair->{answered} = 0 if $asked;
	$pair->{answered} += $answered // 0;
	if (defined $cut && $pair->{answered} > $cut)
	{
		syswrite $client, substr $pair->{to_client}, 0, -($pair->{answered} - $cut);
		drop($pair);
		return 0;
	}
	push_out($server, $free, \$pair->{to_server});
	push_out($client, $free, \$pair->{to_client});
	return 1 if defined $asked && defined $answered;
	# One side has closed: the other gets what is left, and is closed too.
	syswrite $client, $pair->{to_client} if length $pair->{to_client};
	syswrite $server, $pair->{to_server} if length $pair->{to_server};
	close $_ foreach $client, $server;
	return 0;
}

# Appends to the buffer what the socket has; how many bytes that were, undef if it is closed.
sub pull
{
	my ($socket, $ready, $buffer) = @_;
	return 0 unless $ready->{ fileno $socket };
	my $n = sysread $socket, $$buffer, 65536, length $$buffer;
	return $!{EAGAIN} || $!{EINTR} ? 0 : undef unless defined $n;
	return $n || undef;
}

sub push_out
{
	my ($socket, $free, $buffer) = @_;
	return unless length $$buffer && $free->{ fileno $socket };
	my $n = syswrite $socket, $$buffer;
	substr $$buffer, 0, $n, '' if defined $n;
	return;
}

1;
