# Before anything is tested under the sanitizers or valgrind: do they see what they are there for? A fault of each kind is
# made in the extension, in a real backend, and in the bridge (canary.c), and each has to be reported, in the right words.
# The reports that were asked for are removed.
use strict;
use warnings;

use DqdsTest;
use Test::More;

my ($tool, $reports) = @ENV{qw(DQDS_TEST_UNDER DQDS_REPORTS)};
my $dqds = qr/\b(?:canary\.c|dqds)\b/;

# What is said of each fault in the extension and in the bridge; undef: not for this tool to find.
my %words = (
	sanitize => {
		heap_overflow          => [ (qr/heap-buffer-overflow/) x 2 ],
		heap_use_after_free    => [ (qr/heap-use-after-free/) x 2 ],
		stack_overflow         => [ (qr/stack-buffer-overflow|index 10 out of bounds/) x 2 ],
		signed_overflow        => [ (qr/signed integer overflow/) x 2 ],
		palloc_overflow        => [ qr/heap-buffer-overflow/, undef ],
		palloc_underflow       => [ qr/use-after-poison|heap-buffer-overflow/, undef ],
		palloc_use_after_pfree => [ qr/heap-use-after-free/, undef ],
		palloc_use_after_reset => [ qr/heap-use-after-free/, undef ],
		leak                   => [ undef, qr/LeakSanitizer/ ],
	},
	valgrind => {
		heap_overflow          => [ (qr/Invalid write of size 1/) x 2 ],
		heap_use_after_free    => [ (qr/Invalid read of size 1/) x 2 ],
		uninitialised          => [ (qr/depends on uninitialised value/) x 2 ],
		palloc_overflow        => [ qr/Invalid write of size 1/, undef ],
		palloc_use_after_pfree => [ qr/Invalid read of size 1/, undef ],
		palloc_use_after_reset => [ qr/Invalid read of size 1/, undef ],
		leak                   => [ (qr/definitely lost/) x 2 ],
	});

# The reports that have come since the last look, which are gone then.
sub new_reports
{
	my $found = qx{'$ENV{TESTDIR}/packaging/instrument/reports' '$reports'};
	unlink glob "$reports/*";
	return $found;
}

my $control = control_server('control', extension => 0, conf => 'restart_after_crash = on');
$control->stop;
new_reports();
foreach my $fault (sort keys %{ $words{$tool} })
{
	my ($of_extension, $of_bridge) = @{ $words{$tool}{$fault} };
	local $ENV{DQDS_CANARY} = $fault;
	if (defined $of_extension)
	{
		$control->start;
		$control->psql('postgres', q(LOAD 'dqds'), on_error_stop => 0);
		$control->stop('immediate');
		my $found = new_reports();
		ok($found =~ $of_extension && $found =~ $dqds, "extension, $fault: reported") or diag($found);
	}
	if (defined $of_bridge)
	{
		run_bridge('--version');
		my $found = new_reports();
		ok($found =~ $of_bridge && $found =~ $dqds, "bridge, $fault: reported") or diag($found);
	}
}

# And nothing is reported where there is nothing.
$control->start;
is($control->psql('postgres', q(LOAD 'dqds')), 0, 'the extension without a fault can be loaded');
$control->stop;
is((run_bridge('--version'))[0], 0, 'the bridge without a fault ends well');
is(new_reports(), '', 'nothing is reported without a fault');
done_testing();
