# DqdsTest::Process: a server that a test starts, in a process group of its own, with its output in a log file.
#
# However the test ends, its processes end with it, in the END block here and nowhere else. Every wait is bounded, with longer
# bounds under sanitizers or valgrind.
package DqdsTest::Process;

use strict;
use warnings;

use DqdsTest::Under;
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time sleep);

my @all;
my $main_pid = $$;

# start(NAME, LOG file or undef, COMMAND as a list or a sub, ENV = {}): forks and runs it.
sub start
{
	my ($class, $name, $log, $command, $env) = @_;
	my $self = bless { name => $name, log_file => $log, command => $command, env => $env }, $class;
	push @all, $self->spawn;
	return $self;
}

# restart: ends it by SIGKILL, and starts it again; the log is continued.
sub restart
{
	my ($self) = @_;
	$self->kill;
	delete $self->{status};
	return $self->spawn;
}

sub spawn
{
	my ($self) = @_;
	my ($log, $command, $env) = @$self{qw(log_file command env)};
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		setpgrp 0, 0;
		$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP PIPE);
		open STDIN, '<', '/dev/null';
		if (defined $log)
		{
			# Plain descriptors: Test::More may have tied the Perl handles.
			my $fd = POSIX::open($log, POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_APPEND(), 0600);
			POSIX::dup2($fd, $_) foreach 1, 2;
			POSIX::close($fd);
		}
		if (ref $command eq 'CODE') { eval { $command->() }; POSIX::_exit(1); }
		$ENV{$_} = $env->{$_} foreach keys %{ $env // {} };
		{ no warnings 'exec'; exec { $command->[0] } @$command; }
		POSIX::write(2, my $message = "cannot start $command->[0]: $!\n", 1000);
		POSIX::_exit(127);
	}
	# In both processes, so that the group exists before either goes on.
	setpgrp $pid, $pid;
	$self->{pid} = $pid;
	return $self;
}

sub pid  { return $_[0]{pid}; }
sub port { return $_[0]{port}; }

# log: everything that it has written so far.
sub log
{
	my ($self) = @_;
	return defined $self->{log_file} && -e $self->{log_file} ? slurp_file($self->{log_file}) : '';
}

# await(REGEX, SECONDS): waits until its log matches; returns the match's groups. Dies with the log otherwise.
sub await
{
	my ($self, $regex, $seconds) = @_;
	my @groups;
	my $end = time + patience($seconds);
	while (1)
	{
		my $running = $self->running;
		return @groups if @groups = $self->log =~ $regex;
		last if !$running || time > $end;
		sleep 0.02;
	}
	my $log = $self->log;
	$self->kill;
	die "$self->{name} did not start: $log\n";
}

# running: has it not ended yet?
sub running { return !defined $_[0]->wait_end(0); }

# wait_end(SECONDS = 30): waits for its end, with which its group ends; returns its exit status (a signal: 128 + its number),
# undef if it runs on.
sub wait_end
{
	my ($self, $seconds) = @_;
	my $end = time + patience($seconds // 30);
	while (!defined $self->{status})
	{
		my $pid = waitpid $self->{pid}, POSIX::WNOHANG();
		if ($pid == $self->{pid})
		{
			$self->{status} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
			# End the rest of its group now. Later the number may be that of another group.
			CORE::kill('KILL', -$self->{pid});
		}
		elsif ($pid == -1)   { $self->{status} = -1; }
		elsif (time >= $end) { last; }
		else                 { sleep 0.01; }
	}
	return $self->{status};
}

# signal(NAME): sends a signal to it, but not to its children.
sub signal
{
	my ($self, $signal) = @_;
	return CORE::kill($signal, $self->{pid}) if $self->running;
	return 0;
}

# stop(SECONDS = 30): SIGTERM; returns its exit status, as wait_end does. If it does not end in time it is killed, and
# undef is returned.
sub stop
{
	my ($self, $seconds) = @_;
	$self->signal('TERM');
	my $status = $self->wait_end($seconds);
	$self->kill;
	return $status;
}

# kill: SIGKILL to it and its group, unless it has ended.
sub kill
{
	my ($self) = @_;
	return if !$self->running;
	CORE::kill('KILL', -$self->{pid});
	$self->wait_end(10);
	return;
}

# A test that is told to stop dies, so that the END blocks, here and in PostgreSQL::Test::Cluster, end what it started.
$SIG{$_} = sub { die "ended by SIG$_[0]\n" if $$ == $main_pid; POSIX::_exit(1); } foreach qw(INT TERM HUP);

END
{
	if ($$ == $main_pid)
	{
		my $status = $?;
		# In good order where they can: what was never freed is found at the end of a program.
		$_->signal('TERM') foreach @all;
		foreach my $process (reverse @all)
		{
			$process->wait_end(5);
			print "# --- log of $process->{name} (pid $process->{pid})\n", $process->log;
			$process->kill;
		}
		$? = $status;
	}
}

1;
