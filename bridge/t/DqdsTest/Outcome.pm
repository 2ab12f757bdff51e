# DqdsTest::Outcome: assertions about what a test of a connection comes to.
#
# Every failure has to be said clearly and in time: a code, a message, a hint, and no password in any of them.
package DqdsTest::Outcome;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(PATIENCE outcome works fails);

# What a call may take beyond its deadline, on a machine that is busy with other things.
use constant PATIENCE => 1.5;

# outcome(SQL session, MODEL): the row of dqds_test_connection, and the seconds that it took. An error of the call itself
# shows as connection_test_result.
sub outcome
{
	my ($sql, $model) = @_;
	my $answer = $sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text, false)');
	return { connection_test_result => "ERROR $answer->{error}{sqlstate} $answer->{error}{message}", seconds => 0 }
	  if $answer->{error};
	return { %{ $answer->{rows}[0] // {} }, seconds => $answer->{seconds} };
}

# works(SQL session, WHAT, MODEL): it is a SUCCESS; returns the row.
sub works
{
	my ($sql, $what, $model) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $row = outcome($sql, $model);
	is($row->{connection_test_result}, 'SUCCESS', "$what: works") or diag(explain($row));
	return $row;
}

# fails(SQL session, WHAT, MODEL, CODE, options): it is a FAILURE with this error_code; returns the row.
#   message => REGEX, hint => REGEX   what they must say
#   without => REGEX                  what none of them may say
#   sqlstate => '28P01'               the remote's own (none if it is left out)
#   within => SECONDS                 how long it may take (1)
sub fails
{
	my ($sql, $what, $model, $code, %expect) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $password = from_json($model)->{postgresql}{password};
	my $row      = outcome($sql, $model);
	my $good     = is($row->{error_code}, $code, "$what: $code");
	my $text     = join '|', map { $_ // '' } @$row{qw(error_message hint sqlstate)};

	my @wrong;
	push @wrong, 'no FAILURE'                 if $row->{connection_test_result} ne 'FAILURE';
	push @wrong, 'no hint'                    if !length($row->{hint} // '');
	push @wrong, 'the password is shown'      if length($password // '') > 8 && $text =~ /\Q$password\E/;
	push @wrong, "took $row->{seconds} s"     if $row->{seconds} > ($expect{within} // 1) + PATIENCE;
	push @wrong, 'a text that is not allowed' if $expect{without} && $text =~ $expect{without};
	push @wrong, 'another SQLSTATE'           if ($row->{sqlstate} // '') ne ($expect{sqlstate} // '');
	push @wrong, 'another message'            if $expect{message} && ($row->{error_message} // '') !~ $expect{message};
	push @wrong, 'another hint'               if $expect{hint} && ($row->{hint} // '') !~ $expect{hint};
	ok(!@wrong, "$what: " . (@wrong ? join ', ', @wrong : 'said clearly and in time'));
	diag(explain($row)) if !$good || @wrong;
	return $row;
}

1;
