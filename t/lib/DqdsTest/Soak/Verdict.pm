# DqdsTest::Soak::Verdict: is an answer right, excused by a fault, or wrong?
#
# An answer is right if it equals the one without faults, byte for byte except times and ids. An excuse has to name the right
# server, in the words of the contract. Everything else is wrong: another status, another code, half a body that claims to be
# whole, a connection that is closed without an answer, a secret.
package DqdsTest::Soak::Verdict;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';

our @EXPORT = qw(normal judge_rest judge_sql rows_text excused_code);

# What a remote that is being broken may be said to do: SQLSTATE => errorCode.
my %remote_code = (
	QD002 => 'connection_refused',
	QD004 => 'server_silent',
	QD013 => 'too_many_connections',
	QD014 => 'server_starting',
	QD015 => 'timeout',
	QD016 => 'cancelled',
	QD017 => 'connection_lost',
	QD022 => 'busy');
my %is_remote_code = reverse %remote_code;

# What the bridge may say of a control server that is being broken, by status.
my %control_message = (
	503 => qr/^(the control database is not available|the control database cannot be used: its session cannot be set up|(?:all |this (?:client|data source) already has )?\d+ (?:requests|connections) .*; try again in a moment, or raise --pool-size)$/,
	504 => qr/^the control database did not answer in time$/);

# How a session of a control server that is being broken may end: SQLSTATE => what PostgreSQL says.
my %session_message = (
	'57P01' => qr/^terminating connection due to administrator command/,
	'57P02' => qr/^terminating connection because of crash of another server process/,
	'57014' => qr/^canceling statement due to (user request|statement timeout)/);

# excused_code(CODE): may a remote that is being broken be the cause?
sub excused_code { return $is_remote_code{ $_[0] // '' }; }

# normal(BODY): with 0 in place of what is never the same twice.
sub normal
{
	my ($body) = @_;
	$body =~ s/"(timestamp|createdAt|jobId|elapsedMs|connection_hash)":( ?)[0-9.]+/"$1":${2}0/g;
	$body =~ s/ within [0-9.]+ s\b/ within 0 s/g;
	return $body;
}

# --- REST ----------------------------------------------------------------------------------------------------

# judge_rest(REQUEST, ANSWER, SECRETS as a regex): the outcome in a few words, and what is wrong (undef: nothing). A
# request has, besides what is sent:
#   status, expected => what has to come: a status, and the body as normal makes it (undef: any)
#   connection       => the connection that it asks the remote of; undef: none
#   local            => true: nothing but the bridge is needed, so nothing excuses it
#   is_test          => true: it tests the connection, and a failure is an answer
sub judge_rest
{
	my ($request, $answer, $secrets) = @_;
	return ('WRONG', 'a secret is shown') if $answer->{raw} =~ $secrets;
	return ('closed without an answer', "closed without an answer: $answer->{error}") if !$answer->{status};
	return broken_off($request, $answer) if defined $answer->{error};
	$answer->{json} = eval { from_json($answer->{body}) } if $answer->{status} >= 400 || $request->{is_test};
	my $fault = answer_fault($answer, $answer->{status}, $request->{method});
	return ('WRONG', $fault) if defined $fault;
	return ("$answer->{status}", undef) if is_expected($request, $answer);
	return failed_test($request, $answer) if $answer->{status} == 200 && $request->{is_test};
	return ('WRONG', "another answer than in calm: $answer->{status} $answer->{body}") if $request->{local} || $answer->{status} < 400;
	return excuse($request, $answer);
}

sub is_expected
{
	my ($request, $answer) = @_;
	return 0 if $answer->{status} != $request->{status};
	return 1 if !defined $request->{expected};
	return normal($answer->{body}) eq $request->{expected};
}

# A long answer may break off with the control server; what has come must be right, and must not seem to be whole.
sub broken_off
{
	my ($request, $answer) = @_;
	my $what = "$answer->{error}: " . substr $answer->{raw}, 0, 300;
	return ('WRONG', $what) unless $answer->{status} == 200 && $answer->{error} =~ /^(no last|broken) chunk$/;
	return ('WRONG', "another beginning than in calm; $what")
	  if index($request->{expected} // '', normal($answer->{body})) != 0;
	return ('200 broken off', undef);
}

# The outcome of a test that failed.
sub failed_test
{
	my ($request, $answer) = @_;
	my ($json, $port) = ($answer->{json}, $request->{connection}{port});
	my $fault;
	if    (ref $json ne 'HASH' || ($json->{connectionTestResult} // '') ne 'FAILURE') { $fault = 'neither the answer of calm nor a FAILURE'; }
	elsif (!$is_remote_code{ $json->{errorCode} // '' }) { $fault = 'an errorCode that nothing excuses'; }
	elsif (index($json->{errorMessage} // '', "127.0.0.1:$port") < 0) { $fault = 'the message does not name the server'; }
	elsif (!length($json->{hint} // '')) { $fault = 'no hint'; }
	elsif ($request->{details}) { $fault = steps_fault(map { $_->{status} } @{ $json->{details} // [] }); }
	return ('WRONG', "$fault: $answer->{body}") if defined $fault;
	return ("200 FAILURE $json->{errorCode}", undef);
}

# The steps of a failed diagnosis: good ones, the one that failed, and none that was taken after it.
sub steps_fault
{
	my (@statuses) = @_;
	my $line = join ' ', @statuses;
	return if @statuses == 9 && $line =~ /^((ok|warning) )*failed( skipped)*$/;
	return "steps: $line";
}

sub excuse
{
	my ($request, $answer) = @_;
	my $json = $answer->{json};
	my ($status, $message, $code) = ($answer->{status}, $json->{message}, $json->{errorCode} // '');
	my $outcome = join ' ', $status, grep { length } $code;
	# HEAD has the status and no words.
	return ($outcome, undef) if $request->{method} eq 'HEAD' && ($control_message{$status} || $status == 400 && $request->{connection});
	my $names_it = $request->{connection} && index($message, "127.0.0.1:$request->{connection}{port}") >= 0;
	return ($outcome, undef) if $status == 400 && $is_remote_code{$code} && $names_it && $message =~ /^Source database connection error: /;
	return ($outcome, undef) if $status == 503 && $code eq 'busy' && ($names_it || $message =~ $control_message{503});
	return ($outcome, undef) if $control_message{$status} && $code eq '' && $message =~ $control_message{$status};
	return ('WRONG', "nothing excuses this: $status $answer->{body}");
}

# --- SQL -------------------------------------------------------------------------------------------------------

# rows_text(ANSWER of DqdsTest::Sql): its rows as text, as a query expects them.
sub rows_text
{
	my ($answer) = @_;
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '~' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

# judge_sql(QUERY, ANSWER, whether the server suffers faults): as judge_rest. A query has:
#   expected   => its rows as text
#   ports      => [of the remotes that it asks]
#   is_right   => SUB(rows as text): is it another right answer?
#   hasty      => true: it may run out of the time that it gives itself
sub judge_sql
{
	my ($query, $answer, $suffers) = @_;
	return ('no answer in time', 'no answer in time') if !$answer;
	my $error = $answer->{error};
	if (!$error)
	{
		return $suffers ? ('closed', undef) : ('WRONG', 'the session was closed') if $answer->{ended};
		my $text = rows_text($answer);
		return ('ok', undef) if $text eq $query->{expected};
		return ('ok, with failures', undef) if $query->{is_right} && $query->{is_right}->($text);
		return ('WRONG', "other rows than in calm: $text");
	}
	my ($state, $message) = @$error{qw(sqlstate message)};
	return ('ok, out of time', undef) if $query->{hasty} && $state eq '57014' && $message =~ $session_message{$state};
	return ("$state $remote_code{$state}", undef)
	  if $remote_code{$state} && grep { index($message, "127.0.0.1:$_") >= 0 } @{ $query->{ports} };
	return ($state, undef) if $session_message{$state} && $message =~ $session_message{$state} && $suffers;
	return ('WRONG', "nothing excuses this: $state $message");
}

1;
