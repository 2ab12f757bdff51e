# DqdsTest::Names: a name server for one test, for names that end in ".test" and others that it is given.
#
# It is a library (names.c) that is preloaded into a test server, so that the system is not changed and no query leaves this
# machine. Without a compiler the test fails: nothing else can act as a name server that changes its answers.
#
#   my $control = with_names(sub { control_server('control') });
#   set_names('db.test' => ['127.0.0.1'], 'flip.test' => [ '127.0.0.2', '127.0.0.1' ], 'slow.test' => ['never']);
package DqdsTest::Names;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(with_names set_names questions);

my ($library, $names);

sub compile
{
	my $dir    = PostgreSQL::Test::Utils::tempdir('names');
	my $source = __FILE__ =~ s{[^/]*$}{names.c}r;
	($library, $names) = ("$dir/names.so", "$dir/names");
	my @compiler = split ' ', $ENV{CC} // 'cc';
	system(@compiler, '-shared', '-fPIC', '-o', $library, $source, '-ldl') == 0 or die "cannot compile $source\n";
	return;
}

# with_names(SUB): calls SUB; the servers that it starts ask the test's own name server. Returns what SUB returns.
sub with_names
{
	my ($start) = @_;
	compile() if !defined $library;
	local $ENV{LD_PRELOAD}      = join ' ', grep { defined } $ENV{LD_PRELOAD}, $library;
	local $ENV{DQDS_TEST_NAMES} = $names;
	return $start->();
}

# set_names(NAME => [ANSWER…]…): what it answers from now on, in place of what it knew: to the first question the first
# answer, and so on, the last one for ever. An answer is an address, several with commas between, or "never".
sub set_names
{
	my (%answers) = @_;
	open my $file, '>', $names or die "$names: $!";
	print $file join(' ', $_, @{ $answers{$_} }), "\n" foreach sort keys %answers;
	close $file;
	unlink "$names.asked";
	return;
}

# questions(NAME): how often a name was asked for since the last set_names.
sub questions
{
	my ($name) = @_;
	return -e "$names.asked" ? scalar grep { lc eq $name } split /\n/, slurp_file("$names.asked") : 0;
}

1;
