# DqdsTest::Soak::Faults: the faults of the soak, one table of them, and how each is done and undone.
#
# It breaks only what the world has started, and processes below the world's servers, by pid. Nothing here waits long:
# what takes time (a restart) is done by a child, and what must be undone (a stopped process) is undone at a later turn
# or by calm, which leaves everything running.
package DqdsTest::Soak::Faults;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Soak::Watch;
use DqdsTest::Soak::World;
use DqdsTest::Sql;
use List::Util qw(shuffle);
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time sleep);

# kind => SUB(self), which returns false if there is nothing to be broken in that way right now.
my %fault = (
	'control: kill -9 of a backend'      => sub { kill_one($_[0], $_[0]{world}{control}) },
	'control: backends terminated'       => sub { signal_some($_[0]{world}{control}, 'TERM') },
	'control: statements cancelled'      => sub { signal_busy($_[0]{world}{control}, 'INT') },
	'control: a backend stopped'         => sub { stop_one($_[0], $_[0]{world}{control}) },
	'control: restart, fast'             => sub { restart($_[0], $_[0]{world}{control}, 'fast') },
	'control: restart, immediate'        => sub { restart($_[0], $_[0]{world}{control}, 'immediate') },
	'control: settings changed, SIGHUP'  => sub { change_settings($_[0]) },
	'remote: kill -9 of a backend'       => sub { kill_one($_[0], any_remote($_[0])) },
	'remote: backends terminated'        => sub { signal_some(any_remote($_[0]), 'TERM') },
	'remote: statements cancelled'       => sub { signal_busy(any_remote($_[0]), 'INT') },
	'remote: a backend stopped'          => sub { stop_one($_[0], any_remote($_[0])) },
	'remote: restart, fast'              => sub { restart($_[0], any_remote($_[0]), 'fast') },
	'remote: restart, immediate'         => sub { restart($_[0], any_remote($_[0]), 'immediate') },
	'remote: catalog locked'             => sub { lock_catalog($_[0], any_remote($_[0])) },
	'PgBouncer: kill -9 and start'       => sub { $_[0]{world}{pooler}->restart },
	'proxy: all connections reset'       => sub { $_[0]{world}{proxy}->tell('reset') },
	'proxy: reset in the middle'         => sub { $_[0]{world}{proxy}->tell('cut ' . int exp rand 11) },
	'proxy: stall'                       => sub { $_[0]{world}{proxy}->tell(sprintf 'stall %.1f', 0.2 + rand 3) },
	'proxy: half-open connections'       => sub { $_[0]{world}{proxy}->tell(sprintf 'half-open %.1f', 0.5 + rand 3) },
	'another bridge: kill -9 and start'  => sub { $_[0]{world}{other_bridge}->restart });

# What SIGHUP brings: setting => values, one of which is chosen.
my %settings = (
	'dqds.connect_timeout'      => [qw(1s 2s 3s)],
	'dqds.query_timeout'        => [qw(1s 2s 3s)],
	'dqds.session_idle_timeout' => [qw(0 300ms 5s 60s)],
	'dqds.max_cached_sessions'  => [qw(0 1 4 16)],
	'dqds.max_parallel'         => [qw(1 2 200)]);

sub kinds { return sort keys %fault; }

# new(WORLD): count => how often each was done; killed => {pid of a backend that we killed => 1}.
sub new
{
	my ($class, $world) = @_;
	return bless { world => $world, order => [], children => {}, stopped => {}, count => {}, killed => {} }, $class;
}

# inject: does the next fault of the order, which has each kind once and then starts over. A fault that is not possible now is
# done later. Returns its kind.
sub inject
{
	my ($self) = @_;
	$self->tend;
	push @{ $self->{order} }, shuffle(kinds()) if @{ $self->{order} } < 3;
	foreach my $n (0 .. $#{ $self->{order} })
	{
		my $kind = $self->{order}[$n];
		next unless $fault{$kind}->($self);
		splice @{ $self->{order} }, $n, 1;
		$self->{count}{$kind}++;
		return $kind;
	}
	return;
}

# tend: what has to be done from time to time: children that have ended, stopped backends whose time is over.
sub tend
{
	my ($self) = @_;
	foreach my $pid (keys %{ $self->{children} })
	{
		delete $self->{children}{$pid} if waitpid $pid, POSIX::WNOHANG();
	}
	$self->continue_stopped(time);
	return;
}

sub continue_stopped
{
	my ($self, $until) = @_;
	foreach my $pid (grep { $self->{stopped}{$_} <= $until } keys %{ $self->{stopped} })
	{
		kill CONT => $pid;
		delete $self->{stopped}{$pid};
	}
	return;
}

# calm: no fault is left, and everything runs. May be called at any time.
sub calm
{
	my ($self) = @_;
	my $world = $self->{world};
	$self->continue_stopped(9**9**9);
	poll_until(sub { $self->tend; !%{ $self->{children} } }, 90) or die "a restart does not end\n";
	my @nodes = (values %{ $world->{remote} }, @$world{qw(control steady)});
	foreach my $node (@nodes)
	{
		local $ENV{DQDS_TEST_REMOTE};
		as_started($node);
		system_log($node->installed_command('pg_ctl'), '-D', $node->data_dir, '-l', $node->logfile, 'start') unless postmaster($node);
	}
	# PgBouncer 1.18 ends itself now and then when clients come and go ("bad client state"), which is no fault of ours.
	$world->{pooler}->restart unless $world->{pooler}->running;
	# Nothing that was changed stays.
	foreach my $node (@$world{qw(control steady)})
	{
		unlink DqdsTest::Soak::World::settings_file($node);
		kill HUP => postmaster($node);
	}
	foreach my $node (@nodes)
	{
		poll_until(sub { eval { DqdsTest::Sql->connect($node)->close; 1 } }, 60) or die $node->name . " does not come back\n";
	}
	return;
}

# --- Processes of a server ----------------------------------------------------------------------------------------

# The postmaster's pid, undef if it does not run.
sub postmaster
{
	my ($node) = @_;
	open my $file, '<', $node->data_dir . '/postmaster.pid' or return;
	my ($pid) = (<$file> // '') =~ /^(\d+)/;
	return defined $pid && kill(0, $pid) ? $pid : undef;
}

# The pids of its client backends.
sub backends
{
	my ($node, $title) = @_;
	my $parent = postmaster($node) or return;
	my %title  = children_of($parent);
	return grep { $title{$_} =~ /^postgres: \w+: \w+ postgres (\[local\]|127\.0\.0\.1\()/ && $title{$_} =~ $title } keys %title;
}

# Busy ones if there are any, or become so in a moment.
sub busy_backends
{
	my ($node) = @_;
	my @busy;
	poll_until(sub { @busy = backends($node, qr/(?<!idle)\z/) }, 0.2);
	return @busy;
}

sub any_backend { return (shuffle(rand() < 0.7 ? busy_backends($_[0]) : (), backends($_[0], qr/^/)))[0]; }
sub any_remote  { my @remotes = map { $_[0]{world}{remote}{$_} } sort keys %{ $_[0]{world}{remote} }; return $remotes[ rand @remotes ]; }

# --- The faults ------------------------------------------------------------------------------------------------------

sub kill_one
{
	my ($self, $node) = @_;
	my $pid = any_backend($node) // return;
	return unless kill KILL => $pid;
	$self->{killed}{$pid} = 1;
	return 1;
}

# The effect of pg_terminate_backend and pg_cancel_backend, at a time when perhaps no one can log in to call them.
sub signal_some
{
	my ($node, $signal) = @_;
	my @all  = backends($node, qr/^/) or return;
	my @some = grep { rand() < 0.5 } @all;
	return kill $signal => @some ? @some : $all[0];
}

sub signal_busy
{
	my ($node, $signal) = @_;
	my @busy = busy_backends($node) or return;
	return kill $signal => @busy;
}

sub stop_one
{
	my ($self, $node) = @_;
	my $pid = any_backend($node) // return;
	return unless kill STOP => $pid;
	$self->{stopped}{$pid} = time + 0.5 + rand 3;
	return 1;
}

# child(SUB, NODE's name): does it in a process of its own.
sub child
{
	my ($self, $what, $run) = @_;
	return if grep { $_ eq $what } values %{ $self->{children} };    # still at it
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP);
		eval { $run->() };
		POSIX::_exit(1);
	}
	$self->{children}{$pid} = $what;
	return 1;
}

sub restart
{
	my ($self, $node, $mode) = @_;
	my @command = ($node->installed_command('pg_ctl'), '-s', '-D', $node->data_dir, '-l', $node->logfile, '-m', $mode, '-t', 60, 'restart');
	return $self->child('restart of ' . $node->name, sub { as_started($node); exec { $command[0] } @command; });
}

# A remote has no dqds, and runs without what is made to look at it (see remote_server).
sub as_started { $ENV{DQDS_TEST_REMOTE} = 1 if $_[0]{dqds_role}; return; }

sub lock_catalog
{
	my ($self, $node) = @_;
	my $seconds = 0.3 + rand 3;
	return $self->child('lock at ' . $node->name, sub {
		my $session = DqdsTest::Sql->connect($node);
		$session->query("SET lock_timeout = '1s'; BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep($seconds); ROLLBACK");
		POSIX::_exit(0);
	});
}

sub change_settings
{
	my ($self) = @_;
	my $text = join '', map { "$_ = '$settings{$_}[rand @{ $settings{$_} }]'\n" } sort keys %settings;
	foreach my $node (@{ $self->{world} }{qw(control steady)})
	{
		my $file = DqdsTest::Soak::World::settings_file($node);
		unlink "$file.new";
		append_to_file("$file.new", $text);
		rename "$file.new", $file or die "$file: $!";
		my $pid = postmaster($node);
		kill HUP => $pid if $pid;
	}
	return 1;
}

1;
