# DqdsTest::Soak::Tally: counts the outcomes that a worker of the soak has seen, and adds up those of all workers.
#
# It counts the outcomes of each operation, keeps the first wrong answers in full, and passes both from the worker's process to
# the test in a file. It does not judge: Verdict.pm does.
package DqdsTest::Soak::Tally;

use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;

# So many wrong answers of a worker are kept in full, and so much of each.
use constant { MAX_DETAILS => 10, MAX_LENGTH => 2000 };

sub new { return bless { count => {}, wrong => 0, details => [], numbers => {} }, $_[0]; }

# note(OPERATION, OUTCOME): one more. wrong(OPERATION, TEXT): one that must not be.
sub note { $_[0]{count}{ $_[1] }{ $_[2] }++; return; }

sub wrong
{
	my ($self, $operation, $text) = @_;
	$self->note($operation, 'WRONG');
	$self->{wrong}++;
	push @{ $self->{details} }, sprintf '%s: %s', $operation, substr $text, 0, MAX_LENGTH
	  if @{ $self->{details} } < MAX_DETAILS;
	return;
}

# number(NAME, VALUE): appends a measured value to a list.
sub number { push @{ $_[0]{numbers}{ $_[1] } }, $_[2]; return; }

sub save
{
	my ($self, $file) = @_;
	open my $out, '>', "$file.new" or die "$file: $!";
	print $out to_json({%$self});
	close $out or die "$file: $!";
	rename "$file.new", $file or die "$file: $!";
	return;
}

# add_file(FILE): adds what save has written; false: there is no such file.
sub add_file
{
	my ($self, $file) = @_;
	return 0 unless -e $file;
	my $other = from_json(slurp_file($file));
	foreach my $operation (keys %{ $other->{count} })
	{
		my $count = $other->{count}{$operation};
		$self->{count}{$operation}{$_} += $count->{$_} foreach keys %$count;
	}
	$self->{wrong} += $other->{wrong};
	push @{ $self->{details} }, @{ $other->{details} };
	push @{ $self->{numbers}{$_} }, @{ $other->{numbers}{$_} } foreach keys %{ $other->{numbers} };
	return 1;
}

# total(REGEX): how many outcomes there were that match.
sub total
{
	my ($self, $regex) = @_;
	my $total = 0;
	foreach my $count (values %{ $self->{count} }) { $total += $count->{$_} foreach grep { $_ =~ $regex } keys %$count; }
	return $total;
}

# by_operation: lines 'operation: 12 of this, 3 of that'. by_outcome: the same over all operations.
sub by_operation
{
	my ($self) = @_;
	return map { "$_: " . list_counts($self->{count}{$_}) } sort keys %{ $self->{count} };
}

sub by_outcome
{
	my ($self) = @_;
	my %all;
	foreach my $count (values %{ $self->{count} }) { $all{$_} += $count->{$_} foreach keys %$count; }
	return list_counts(\%all);
}

sub list_counts
{
	my ($count) = @_;
	return join ', ', map { "$count->{$_} $_" } sort { $count->{$b} <=> $count->{$a} || $a cmp $b } keys %$count;
}

1;
