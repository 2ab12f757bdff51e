# DqdsTest::Under: adapts tests to dqds running under sanitizers or valgrind (packaging/test, TEST_UNDER).
#
# There everything takes longer, and the memory of the process includes that of the tool. Time limits go through patience,
# memory limits through memory_below; everything else is tested as usual.
package DqdsTest::Under;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(under patience memory_below);

# How many times longer something may take than it would.
my %slower = ('' => 1, sanitize => 4, valgrind => 20);

# under(): sanitize, valgrind, or '' for neither.
sub under { return $ENV{DQDS_TEST_UNDER} // ''; }

# patience(SECONDS): how long something may take that takes SECONDS at most where nothing slows it down.
sub patience { return $_[0] * $slower{ under() }; }

# memory_below(GOT, BOUND, NAME): an assertion about a process of dqds. Sanitizers keep what was freed, to see who uses it,
# and valgrind has its own memory in the process: with these the figure says nothing about dqds, and this says so.
sub memory_below
{
	my ($got, $bound, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return cmp_ok($got, '<', $bound, $name) if under() eq '';
	diag("not measured under ${\under()}: $name ($got, $bound allowed)");
	return 1;
}

1;
