# A mixed load over REST and SQL while something is broken every second: backends are killed, servers restarted, connections
# reset, stalled and cut, catalogs locked. Every answer must be right, or report the failure as the contract defines it; the
# bridge and the servers' backends must not crash, and must leak no memory, descriptor or secret.
#
#   SOAK_SECONDS  how long (20; `make soak`: 600)
#   SOAK_SEED     what the random choices begin with; it is printed
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Process;
use DqdsTest::Soak::Faults;
use DqdsTest::Soak::Rest;
use DqdsTest::Soak::Rude;
use DqdsTest::Soak::Sessions;
use DqdsTest::Soak::Tally;
use DqdsTest::Soak::Verdict;
use DqdsTest::Soak::Watch;
use DqdsTest::Soak::World;
use List::Util qw(sum);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{SOAK_SECONDS} || 20;
my $seed    = $ENV{SOAK_SEED}    || int rand 2**31;
srand $seed;

# A run by itself shows its figures; one among many tests writes them to the log.
sub report { return $ENV{SOAK_SECONDS} ? diag(@_) : note(@_); }
report("seed $seed, $seconds seconds");

# The permitted growth from the third to the last quarter of the time, in kB. A leak of 100 bytes for each request would
# exceed it in ten minutes.
use constant { MORE_IN_BRIDGE => 2048, MORE_IN_BACKEND => 1024 };

# So many samples of memory are needed to judge it; a run of so many seconds has to have them.
use constant { ENOUGH_SAMPLES => 8, LONG_RUN => 60 };

# An operation that was tried this often must have succeeded at least once.
use constant MANY_TRIES => 20;

# A health check must be answered in 100 ms; on a busy machine, this is asserted instead.
use constant WORST_HEALTH_MS => 5000;

my $world  = DqdsTest::Soak::World->build;
my $faults = DqdsTest::Soak::Faults->new($world);
my $bridge = $world->{bridge};

# Also when the test dies: a restart that is under way would outlive it.
my $test_pid = $$;
END { if ($faults && $$ == $test_pid) { my $status = $?; eval { $faults->calm }; $? = $status; } }

# --- Without faults --------------------------------------------------------------------------------------------------------

my @fixed = DqdsTest::Soak::Rest::learn_fixed($world, $bridge->port);
my $life  = DqdsTest::Soak::Rest::learn_life($world, $bridge->port);
my %queries = map { $_ => [ DqdsTest::Soak::Sessions::learn($world, $world->{$_}, $_ eq 'steady') ] } qw(control steady);
pass('in calm, everything is as it was created');

# The memory of the idle bridge: the control server is restarted, so that its pool has no connections left.
sub at_rest
{
	my ($measure) = @_;
	$world->{control}->restart;
	my ($least, $since) = (9**9, time);
	poll_until(sub {
		http($bridge, GET => '/api/ishealthy');
		my $now = $measure->($bridge->pid);
		($least, $since) = ($now, time) if $now < $least;
		return time - $since > 3;
	}, 30);
	return $least;
}

my %before = (descriptors => at_rest(\&descriptor_count), threads => thread_count($bridge->pid));

# --- The load ----------------------------------------------------------------------------------------------------------

my $dir   = PostgreSQL::Test::Utils::tempdir('soak');
my $until = time + $seconds;
my @workers;

# worker(NAME, SUB(tally)): runs SUB in a separate process, and stores the tally in a file.
sub worker
{
	my ($name, $run) = @_;
	my $n = @workers;
	push @workers, {
		name    => $name,
		file    => "$dir/$n.json",
		process => DqdsTest::Process->start($name, "$dir/$n.log", sub {
			srand $seed + $n;
			$SIG{PIPE} = 'IGNORE';
			my $tally = DqdsTest::Soak::Tally->new;
			eval { $run->($tally); 1 } or $tally->wrong($name, "the worker died: $@");
			$tally->save("$dir/$n.json");
			POSIX::_exit(0);
		}) };
	return;
}

my %rest = (world => $world, fixed => \@fixed, life => $life, until => $until);
foreach my $n (1 .. 6)
{
	worker("REST $n", sub { DqdsTest::Soak::Rest::work(%rest, port => $bridge->port, number => $n, tally => $_[0]) });
}
worker('slow reader', sub { DqdsTest::Soak::Rest::work(%rest, fixed => [ map { { %$_, weight => 1 } } grep { $_->{slow} } @fixed ], life => undef, port => $bridge->port, tally => $_[0]) });
worker('REST of another bridge', sub { DqdsTest::Soak::Rest::work(%rest, port => $world->{other_bridge}->port, number => 7, tally => $_[0], killed => 1) });
worker('health', sub { DqdsTest::Soak::Rest::watch_health($bridge->port, $until, $_[0]) });
worker('rude clients', sub { DqdsTest::Soak::Rude::work($world, $bridge->port, $until, $_[0]) });
my $pid_file = "$dir/pids";
foreach my $n (1 .. 2)
{
	worker("SQL $n", sub { DqdsTest::Soak::Sessions::work(world => $world, node => $world->{control}, queries => $queries{control}, until => $until, tally => $_[0], suffers => 1) });
	worker("steady SQL $n", sub {
		DqdsTest::Soak::Sessions::work(world => $world, node => $world->{steady}, queries => $queries{steady}, until => $until, tally => $_[0], name => "backend $n", pid_file => $pid_file);
	});
}

# --- The faults -----------------------------------------------------------------------------------------------------------

my %samples;    # what => [value of each second]

sub take_samples
{
	push @{ $samples{bridge} }, private_memory($bridge->pid) // return;
	push @{ $samples{'bridge, all that is resident'} }, resident_memory($bridge->pid);
	my @pids = -e $pid_file ? split /\n/, slurp_file($pid_file) : ();
	push @{ $samples{"backend of pid $_"} }, private_memory($_) // 0 foreach @pids;
	return;
}

my $bridge_pid = $bridge->pid;
my $turns      = 0;
# On a busy machine a turn may take longer than its second: the end is that of the clock, as it is for the workers.
for (my $next = time + 1; $next < $until && time < $until && $bridge->running; $next += 1)
{
	sleep $next - time if $next > time;
	$turns++;
	$faults->inject;
	take_samples();
}

# --- Afterwards -------------------------------------------------------------------------------------------------------------

# A worker would wait in vain for a backend that the last turns have stopped.
$faults->continue_stopped(9**9**9);
my $tally = DqdsTest::Soak::Tally->new;
my @late;
foreach my $worker (@workers)
{
	my $status = $worker->{process}->wait_end(90);
	$worker->{process}->kill;
	next if defined $status && $status == 0 && $tally->add_file($worker->{file});
	push @late, $worker->{name};
	diag("$worker->{name}: " . $worker->{process}->log);
}
is("@late", '', 'every worker ended in time');
$faults->calm;

ok($bridge->running && $bridge->pid == $bridge_pid, 'the bridge has lived through it');
is($tally->{wrong}, 0, 'nothing was answered that is neither right nor excused') or diag(join "\n", @{ $tally->{details} });
my @never = grep { my $count = $tally->{count}{$_}; sum(values %$count) >= MANY_TRIES && !grep { /^(ok|ok, out of time|done|2\d\d|4\d\d)$/ } keys %$count } sort keys %{ $tally->{count} };
is(join(', ', @never), '', 'what was tried often also came to its end');
my @kinds    = DqdsTest::Soak::Faults::kinds();
my @not_done = grep { !$faults->{count}{$_} } @kinds;
is(join(', ', @not_done), '', 'every fault was done at least once') if $turns >= 2 * @kinds;

# Everything works again.
{
	my @broken;
	my $good = poll_until(sub {
		@broken = grep {
			my $answer = DqdsTest::Soak::Rest::ask($bridge->port, $_);
			defined $answer->{error} || $answer->{status} != $_->{status} || normal($answer->{body}) ne $_->{expected}
		} @fixed;
		return !@broken;
	}, 60);
	ok($good, 'everything works again') or diag(join "\n", map { "$_->{method} $_->{target}" } @broken);
	ok(poll_until(sub { http($bridge, GET => '/api/ishealthy')->{body} eq '"OK"' }, 5), 'the bridge is well again');
}

# There is no leak.
my %after = (descriptors => at_rest(\&descriptor_count), threads => thread_count($bridge->pid));
cmp_ok($after{$_}, '<=', $before{$_}, "the bridge has no more $_ than before") foreach sort keys %after;
foreach my $what (sort grep { /^(sockets|threads) of/ } keys %{ $tally->{numbers} })
{
	my ($first, $last) = @{ $tally->{numbers}{$what} };
	cmp_ok($last // 'none', '<=', $first, "no more $what than before");
}
foreach my $remote (qw(north east))
{
	my $node  = $world->{remote}{$remote};
	my $count = "SELECT count(*) FROM pg_stat_activity WHERE usename = '$node->{dqds_role}'";
	ok(poll_until(sub { $node->safe_psql('postgres', $count) == 0 }, 15), "no session is left at $remote")
	  or diag($node->safe_psql('postgres', "SELECT pid, state, query FROM pg_stat_activity WHERE usename = '$node->{dqds_role}'"));
}
my %flat;
foreach my $what (sort keys %samples)
{
	my @values = @{ $samples{$what} };
	# On a machine that is very busy, a short run may have next to none of a session that began late.
	if (@values < ENOUGH_SAMPLES)
	{
		cmp_ok($seconds, '<', LONG_RUN, "too few samples of the memory of the $what to be judged: " . @values);
		next;
	}
	my @of_quarter = quarters(@values);
	$flat{$what} = join ', ', map { "$_ kB" } @of_quarter;
	next if $what =~ /resident/;
	my $more = $what eq 'bridge' ? MORE_IN_BRIDGE : MORE_IN_BACKEND;
	memory_below($of_quarter[3] - $of_quarter[2], $more, "memory of the $what is flat in the last half");
}
is(scalar(grep { /^backend/ } keys %samples), 2, 'two backends have lasted all the time');

my @latencies = sort { $a <=> $b } @{ $tally->{numbers}{health} };
cmp_ok($latencies[-1], '<', patience(WORST_HEALTH_MS), 'health was always told');

# --- The logs -----------------------------------------------------------------------------------------------------------------

is($bridge->stop,                0, 'the bridge ends with status 0');
is($world->{other_bridge}->stop, 0, 'so does the other one');

my %sqlstates;
{
	my $secrets = DqdsTest::Soak::Rest::secrets_regex($world);
	my %log     = map { $_->name => $_->logfile } @$world{qw(control steady)}, values %{ $world->{remote} };
	my %bridge_log = (bridge => $bridge->{log_file}, 'another bridge' => $world->{other_bridge}{log_file});
	my (@shown, @crashes, @internal);
	foreach my $name (sort keys %log)
	{
		log_lines($log{$name}, sub {
			my ($line) = @_;
			push @shown, "$name: $line" if $line =~ $secrets;
			push @crashes, "$name: $line" if $line =~ /PANIC|TRAP:|issuing SIGKILL/;
			push @crashes, "$name: $line" if $line =~ /\(PID (\d+)\) was terminated by signal (\d+)/ && !($2 == 9 && $faults->{killed}{$1});
			return unless $line =~ /^\S+ \S+ \S+ \[\d+\] (\w{5}) .*?(ERROR|FATAL):/;
			$sqlstates{$1}++;
			push @internal, "$name: $line" if $1 =~ /^XX/;
		});
	}
	foreach my $name (sort keys %bridge_log)
	{
		log_lines($bridge_log{$name}, sub {
			my ($line) = @_;
			push @shown, "$name: $line" if $line =~ $secrets;
			push @internal, "$name: $line" if $line =~ /^\S+ error /;
		});
	}
	is(join('', splice @shown,    0, 10), '', 'no secret in a log');
	is(join('', splice @crashes,  0, 10), '', 'no process of a server crashed but those that were killed');
	is(join('', splice @internal, 0, 10), '', 'no internal error in a log');
}

# --- The report ------------------------------------------------------------------------------------------------------------------

{
	my @requests = grep { !/^(SQL|rude|health|log in)/ } keys %{ $tally->{count} };
	my $count = sub { return sum 0, map { values %{ $tally->{count}{$_} } } @_; };
	report(sprintf '%d REST requests, %d SQL queries, %d rude clients, %d questions about health; %d wrong',
		$count->(@requests), $count->(grep { /^SQL/ } keys %{ $tally->{count} }), $count->(grep { /^rude/ } keys %{ $tally->{count} }),
		scalar @latencies, $tally->{wrong});
	report(sum(values %{ $faults->{count} }) . " faults in $turns seconds:");
	report("  $_: " . ($faults->{count}{$_} // 0)) foreach @kinds;
	report('all outcomes: ' . $tally->by_outcome);
	report("  $_") foreach $tally->by_operation;
	report('SQLSTATEs in the logs of the servers: ' . DqdsTest::Soak::Tally::list_counts(\%sqlstates));
	report(sprintf 'health in ms: median %s, 99 %% %s, worst %s; %d of %d took more than 100 ms',
		median(@latencies), $latencies[ 0.99 * @latencies ], $latencies[-1], scalar(grep { $_ > 100 } @latencies), scalar @latencies);
	report("memory of the $_, median of each quarter: $flat{$_}") foreach sort keys %flat;
	report("$_ of the bridge: $before{$_} before, $after{$_} after") foreach sort keys %before;
}

done_testing();
