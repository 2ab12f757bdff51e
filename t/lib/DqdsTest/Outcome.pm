# DqdsTest::Outcome: assertions about the result of a test of a connection.
#
# Every failure must be reported clearly and in time: a code, a message, a hint, and no password in any of them. After
# also_over_rest, each failure is tried over REST at the same time: by a test, and by a listing of a connection that is
# registered for it, if it can be.
package DqdsTest::Outcome;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(PATIENCE outcome works fails also_over_rest);

# How long a call may take beyond its deadline, on a busy machine; a wait without a deadline takes longer.
use constant PATIENCE => patience(8);

my ($bridge, $count) = (undef, 0);    # of also_over_rest

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
#   or => CODE                        is right as well: it depends on what is quicker
#   unregistered => 1                 registered by a superuser it would work
sub fails
{
	my ($sql, $what, $model, $code, %expect) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $password = from_json($model)->{postgresql}{password};
	my $rest     = $bridge && ask_over_rest($model, %expect);
	my $row      = outcome($sql, $model);
	my $good     = ok(is_right($row->{error_code}, $code, %expect), "$what: $code") or diag('error_code: ' . ($row->{error_code} // '-'));
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
	is(rest_fault($rest, $code, $password, %expect), undef, "$what: over REST as well") if $rest;
	return $row;
}

sub is_right
{
	my ($got, $code, %expect) = @_;
	return defined $got && ($got eq $code || $got eq ($expect{or} // ''));
}

# --- Over REST -------------------------------------------------------------------------------------------

# also_over_rest(BRIDGE): fails tries what it is given over REST, too; an admin's bridge.
sub also_over_rest { ($bridge) = @_; return; }

# Sends a test of the model, and a listing of a connection registered with it; does not wait for their answers.
sub ask_over_rest
{
	my ($model, %expect) = @_;
	my $post = "POST /api/datasource/testconnection HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
	my %rest = (test => send_bytes_to_bridge($post . length($model) . "\r\n\r\n$model"));
	return \%rest if $expect{unregistered};
	my $name = 'failing ' . ++$count;
	$rest{created} = http($bridge, POST => '/api/connections/' . encode_segment($name) . '/basic', {}, $model);
	$rest{list} = send_bytes_to_bridge('GET /api/datasource/connections/' . encode_segment($name) . "/schemas HTTP/1.1\r\nHost: localhost\r\n\r\n")
	  if $rest{created}{status} == 201;
	return \%rest;
}

sub send_bytes_to_bridge
{
	my ($bytes) = @_;
	my $socket = open_socket($bridge);
	syswrite $socket, $bytes;
	return $socket;
}

# What is wrong with the answers; undef: nothing.
sub rest_fault
{
	my ($rest, $code, $password, %expect) = @_;
	my $take = sub { my ($bytes, $closed) = read_all($_[0], 20); return parse_answer($bytes, $closed, 'GET'); };
	my $test = $take->($rest->{test});
	my %all  = (test => $test);
	my $fault = answer_fault($test, 200);
	$fault //= "test: $test->{body}" if $test->{json}{connectionTestResult} ne 'FAILURE' || !is_right($test->{json}{errorCode}, $code, %expect);
	if ($rest->{created})
	{
		my $answer = $all{list} = $rest->{list} ? $take->($rest->{list}) : $rest->{created};
		$fault //= answer_fault($answer, $rest->{list} ? $code eq 'busy' ? 503 : 400 : 406);
		$fault //= "listing: $answer->{body}" if !is_right($answer->{json}{errorCode}, $code, %expect);
	}
	foreach my $way (sort keys %all)
	{
		$fault //= "$way: the password is shown" if length($password // '') > 8 && $all{$way}{raw} =~ /\Q$password\E/;
		$fault //= "$way: $all{$way}{body}" if $expect{without} && $all{$way}{body} =~ $expect{without};
	}
	return $fault;
}

1;
