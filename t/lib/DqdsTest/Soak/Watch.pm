# DqdsTest::Soak::Watch: reads what the kernel reports about a process, and what the servers' logs contain.
#
# It measures and searches; the test decides what is too much.
package DqdsTest::Soak::Watch;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(private_memory resident_memory thread_count descriptor_count socket_count children_of median quarters log_lines);

sub status_number
{
	my ($pid, $name) = @_;
	open my $file, '<', "/proc/$pid/status" or return;
	while (<$file>) { return $1 if /^$name:\s+(\d+)/; }
	return;
}

# Of a process, undef if there is none: its own memory, and all that is resident, in kB; threads; open descriptors; sockets.
sub private_memory  { return status_number($_[0], 'RssAnon'); }
sub resident_memory { return status_number($_[0], 'VmRSS'); }
sub thread_count    { return status_number($_[0], 'Threads'); }
sub descriptor_count { return scalar(my @all = glob "/proc/$_[0]/fd/*"); }
sub socket_count     { return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob "/proc/$_[0]/fd/*"; }

# children_of(PID): pid => title of each.
sub children_of
{
	my ($parent) = @_;
	my %title;
	foreach my $dir (glob '/proc/[0-9]*')
	{
		open my $stat, '<', "$dir/stat" or next;
		my ($pid, $ppid) = (<$stat> // '') =~ /^(\d+) \(.*\) \S (\d+)/s or next;
		next if $ppid != $parent;
		open my $cmdline, '<', "$dir/cmdline" or next;
		$title{$pid} = (<$cmdline> // '') =~ s/\0.*//sr;
	}
	return %title;
}

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ @sorted / 2 ]; }

# quarters(VALUES): the median of each quarter of a series.
sub quarters
{
	my (@values) = @_;
	my $n = @values;
	return map { median(@values[ $n * $_ / 4 .. $n * ($_ + 1) / 4 - 1 ]) } 0 .. 3;
}

# log_lines(FILE, SUB): calls SUB for each line; a log may be long.
sub log_lines
{
	my ($name, $take) = @_;
	open my $file, '<', $name or die "$name: $!";
	while (my $line = <$file>) { $take->($line); }
	close $file;
	return;
}

1;
