# Measures every figure, prints the table and writes it as JSON to BENCH_JSON. BENCH_ONLY='Warm Fleet' selects groups.
#
# Only `make bench` calls it, which sets up the servers' programs, the bridge and the baseline's program.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Bench;
use DqdsTest;    # at compile time, as PostgreSQL::Test::Cluster needs it
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;

# Standard output is the log of PostgreSQL's test framework; this is shown to the caller.
my $out = Test::More->builder->output;

my @groups = split ' ', $ENV{BENCH_ONLY} || 'Warm Catalog Fleet Bridge Bulkhead Import Agent';
my @figures;
foreach my $group (@groups)
{
	print $out "measuring: $group\n";
	require "Figures/$group.pm";
	ok(eval { push @figures, "Figures::$group"->figures; 1 }, "$group measured") or print $out "# $@";
}
my $cpuinfo = slurp_file('/proc/cpuinfo');
my %machine = (cpus => scalar(() = $cpuinfo =~ /^processor/mg), model => $cpuinfo =~ /^model name\s*:\s*(.*)/m ? $1 : 'unknown');
print $out "\n| # | what is measured; the baseline | ours | baseline | ratio | spread | goal | |\n|---|---|---|---|---|---|---|---|\n";
print $out figure_line($_), "\n" foreach @figures;
print $out sprintf "%s, %s, %d CPUs, %d rounds\n", strftime('%Y-%m-%d', gmtime), @machine{qw(model cpus)}, rounds();
write_json($ENV{BENCH_JSON}, { date => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), machine => \%machine, figures => \@figures })
  if $ENV{BENCH_JSON};
done_testing();
