# Bench: measures, judges and shows figures. It must not know what is measured.
#
# A figure compares dqds with a baseline that is measured in the same run, in turns: machines are noisy, and the noise
# of a moment then affects both. The result is the median of the rounds' ratios; the smallest and the largest are the
# spread.
package Bench;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use List::Util qw(min max);
use POSIX ();
use Time::HiRes qw(time);

our @EXPORT = qw(rounds in_turns median pgbench wrk timed run_quietly memory_kb reset_peak compare against_fixed figure_line write_json);

# rounds: how often each figure is measured (BENCH_ROUNDS).
sub rounds { return $ENV{BENCH_ROUNDS} || 7; }

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[ @sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

# in_turns(ROUNDS, NAME => SUB…): runs the subs one after the other, ROUNDS times, each time beginning with another one.
# Returns {NAME => [what its sub returned in each round]}.
sub in_turns
{
	my ($count, @pairs) = @_;
	my %sub   = @pairs;
	my @names = @pairs[ grep { $_ % 2 == 0 } 0 .. $#pairs ];
	my %result;
	foreach my $round (1 .. $count)
	{
		push @{ $result{$_} }, $sub{$_}->() foreach @names;
		push @names, shift @names;
	}
	return \%result;
}

# run_or_die(COMMAND…): its standard output.
sub run_or_die
{
	my ($out, $err) = ('', '');
	IPC::Run::run([@_], '<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(600)) or die "$_[0] failed: $err$out\n";
	return $out;
}

# pgbench(NODE, SCRIPT file, clients => 1, seconds => 1, user, password, database, tcp => 1, define => 'name=value'):
# transactions a second.
sub pgbench
{
	my ($node, $script, %opt) = @_;
	local $ENV{PGPASSWORD} = $opt{password} // '';
	my $out = run_or_die('pgbench', '-n', '-M', 'prepared', '-j', '1', '-c', $opt{clients} // 1, '-T', $opt{seconds} // 1,
		'-f', $script, '-h', $opt{tcp} ? '127.0.0.1' : $node->host, '-p', $node->port,
		$opt{user} ? ('-U', $opt{user}) : (), $opt{define} ? ('-D', $opt{define}) : (), $opt{database} // 'postgres');
	die "pgbench: a transaction failed: $out" if $out =~ /number of failed transactions: [1-9]/;
	return $1 if $out =~ /^tps = ([\d.]+)/m;
	die "pgbench says no tps: $out";
}

# wrk(PORT, PATH, clients => 16, seconds => 2, header => 'Name: value'): answers a second, each over a connection of its own.
sub wrk
{
	my ($port, $path, %opt) = @_;
	my $out = run_or_die('wrk', '-t', '2', '-c', $opt{clients} // 16, '-d', ($opt{seconds} // 2) . 's', '-H', 'Connection: close',
		$opt{header} ? ('-H', $opt{header}) : (), "http://127.0.0.1:$port$path");
	die "wrk: not all answers were good: $out" if $out =~ /Non-2xx/;
	return $1 if $out =~ m{^Requests/sec:\s+([\d.]+)}m;
	die "wrk says no rate: $out";
}

# timed(SUB): milliseconds that it takes.
sub timed
{
	my ($sub) = @_;
	my $began = time;
	$sub->();
	return (time - $began) * 1000;
}

# run_quietly(COMMAND…): runs it and discards its output; dies if it fails. Without any overhead.
sub run_quietly
{
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open STDIN,  '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		exec { $_[0] } @_ or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	die "$_[0] failed\n" if $? != 0;
	return;
}

# memory_kb(PID, KEY): VmRSS (now) or VmHWM (its greatest, since reset_peak) of a process.
sub memory_kb
{
	my ($pid, $key) = @_;
	open my $status, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!";
	while (my $line = <$status>) { return $1 if $line =~ /^$key:\s+(\d+) kB/; }
	die "no $key of process $pid";
}

sub reset_peak
{
	my ($pid) = @_;
	open my $file, '>', "/proc/$pid/clear_refs" or die "/proc/$pid/clear_refs: $!";
	print $file '5';
	close $file or die "/proc/$pid/clear_refs: $!";
	return;
}

# compare(ID, WHAT, UNIT, GOAL, OURS, BASELINE, FASTER): a figure from two lists of measurements, one of each for a round.
#   GOAL    [OPERATOR, NUMBER], for the ratio
#   FASTER  true: the ratio is baseline / ours (so many times faster), else ours / baseline
sub compare
{
	my ($id, $what, $unit, $goal, $ours, $baseline, $faster) = @_;
	my @ratios = map { $faster ? $baseline->[$_] / $ours->[$_] : $ours->[$_] / $baseline->[$_] } 0 .. $#$ours;
	return judged({
		id => $id, what => $what, unit => $unit, goal => $goal, ours => median(@$ours), baseline => median(@$baseline),
		ratio => median(@ratios), least => min(@ratios), greatest => max(@ratios), rounds => scalar @ratios });
}

# against_fixed(ID, WHAT, UNIT, GOAL, OURS): a figure whose goal is a number of its own, not a ratio.
sub against_fixed
{
	my ($id, $what, $unit, $goal, $ours) = @_;
	return judged({
		id => $id, what => $what, unit => $unit, goal => $goal, ours => median(@$ours), least => min(@$ours),
		greatest => max(@$ours), rounds => scalar @$ours });
}

sub judged
{
	my ($figure) = @_;
	my ($operator, $bound) = @{ $figure->{goal} // [] };
	my $value = $figure->{ratio} // $figure->{ours};
	$figure->{met} = !defined $operator ? undef : ($operator eq '>=' ? $value >= $bound : $value <= $bound) ? 1 : 0;
	return $figure;
}

# figure_line(FIGURE): a row of the table, in Markdown.
sub figure_line
{
	my ($figure) = @_;
	my $number = sub { my ($n) = @_; return defined $n ? sprintf($n >= 100 ? '%.0f' : $n >= 10 ? '%.1f' : '%.2f', $n) : '—'; };
	my $has_ratio = defined $figure->{ratio};
	return sprintf '| %s | %s | %s | %s | %s | %s–%s | %s | %s |', $figure->{id}, $figure->{what},
	  $number->($figure->{ours}) . " $figure->{unit}",
	  defined $figure->{baseline} ? $number->($figure->{baseline}) . " $figure->{unit}" : '—',
	  $has_ratio ? $number->($figure->{ratio}) : '—',
	  $number->($figure->{least}), $number->($figure->{greatest}),
	  $figure->{goal} ? ($figure->{goal}[0] eq '>=' ? '≥ ' : '≤ ') . $figure->{goal}[1] : '—',
	  !defined $figure->{met} ? '—' : $figure->{met} ? 'met' : 'missed';
}

# write_json(FILE, DATA)
sub write_json
{
	my ($file, $data) = @_;
	open my $out, '>', $file or die "$file: $!";
	print $out JSON::PP->new->canonical->pretty->encode($data);
	close $out or die "$file: $!";
	return;
}

1;
