# The list of hostile cases and the tests agree: each case is marked once, in the test that the list names for it, and no test
# marks a case that is not in the list. (The marked tests check their own results; make test counts them at the end.)
use strict;
use warnings;

use DqdsTest::Hostile;
use PostgreSQL::Test::Utils;
use Test::More;

my %cases = hostile_cases();
my %marked;    # id => the files that have it
foreach my $path (sort glob 't/*/*.pl')
{
	my ($file) = $path =~ m{([^/]+)$};
	my $text = slurp_file($path) =~ s/^\s*#.*//mgr;
	push @{ $marked{$1} }, $file while $text =~ /\bhostile\('([^']*)'/g;
	next if $text !~ /\bhostile\(/;
	like($text, qr/\bhostile_watch\(/, "$file: something is watched while its cases run");
	like($text, qr/\bhostile_end\(/, "$file: and in the end");
}
is(join("\n", grep { !$marked{$_} } sort keys %cases), '', 'every case of the list has a test');
is(join("\n", grep { !$cases{$_} } sort keys %marked), '', 'every marked case is in the list');
foreach my $id (sort grep { $marked{$_} } keys %cases)
{
	is("@{ $marked{$id} }", $cases{$id}{file}, "$id: where the list says, and once");
}
my $count = grep { $marked{$_} } keys %cases;
diag(sprintf '%d of %d hostile cases have a test', $count, scalar keys %cases);
done_testing();
