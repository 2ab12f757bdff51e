# Parallel operations: a test of many connections takes as long as the slowest of them, returns one row for each in their
# order, and does not run more at once than dqds.max_parallel; no connection runs more operations at once than its
# parallel_jobs_limit, and no ad-hoc target more than eight, over all sessions: beyond that the error is busy.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use Test::More;
use Time::HiRes qw(time);

# In seconds, for those that keep silent; under valgrind, and on a busy machine, sixty logins take longer.
use constant DEADLINE => under() eq 'valgrind' ? 20 : 8;

my $remote  = remote_server('remote', conf => 'max_connections = 150');
my $control = control_server('control', conf => 'max_connections = 50');
my $silent  = start_fake_server(\&hold);
my $sql     = DqdsTest::Sql->connect($control);

sub array { return 'ARRAY[' . join(', ', map { sql_literal($_) } @_) . ']'; }

# --- Sixty connections ------------------------------------------------------------------------------------

{
	# Mixed, so that order means something: of six, four are good, one is refused, one is silent.
	my @names = map { sprintf 'c%02d', 7 * $_ % 60 } 0 .. 59;
	my %kind;
	foreach my $n (0 .. 59)
	{
		my $name = $names[$n];
		$kind{$name} = (qw(good good refused good silent good))[ $n % 6 ];
		my %port = $kind{$name} eq 'good' ? () : (port => '' . ($kind{$name} eq 'silent' ? $silent->port : free_port()));
		create_connection($control, $name, connection_model($remote, %port, properties => { connect_timeout => '' . DEADLINE }));
	}
	my $count = sub { my ($kind) = @_; return scalar grep { $kind{$_} eq $kind } @names; };
	is(join(' ', map { $count->($_) } qw(good refused silent)), '40 10 10', '40 good, 10 refused, 10 silent');

	my %expected = (good => 'SUCCESS', refused => 'connection_refused', silent => 'server_silent');
	my $check = sub {
		my ($what, $answer, @order) = @_;
		is($answer->{error}, undef, "$what: an answer") or diag(explain($answer->{error}));
		is_deeply([ map { $_->{connection_name} } @{ $answer->{rows} } ], \@order, "$what: one row each, in their order");
		my @wrong = grep {
			my $row = $_;
			($row->{error_code} // $row->{connection_test_result}) ne $expected{ $kind{ $row->{connection_name} } }
		} @{ $answer->{rows} };
		is(scalar @wrong, 0, "$what: each has its outcome") or diag(explain(\@wrong));
	};

	$sql->query(q(SELECT * FROM dqds_test_connection('c00')));    # the module is loaded
	my $answer = $sql->query('SELECT * FROM dqds_test_connections(' . array(@names) . ')');
	$check->('60 connections', $answer, @names);
	cmp_ok($answer->{seconds}, '>', DEADLINE - 0.1, '60 connections: the silent ones are waited for');
	cmp_ok($answer->{seconds}, '<', DEADLINE + PATIENCE, sprintf '60 connections: in the time of the slowest (%.2f s)', $answer->{seconds});
	my ($slowest) = sort { $b <=> $a } map { $_->{elapsed_ms} } grep { $_->{connection_test_result} eq 'SUCCESS' } @{ $answer->{rows} };
	cmp_ok($slowest, '<', 1000 * DEADLINE - 500, sprintf 'no good one waits for a silent one (the slowest took %d ms)', $slowest);
	my ($refused) = sort { $b <=> $a } map { $_->{elapsed_ms} } grep { ($_->{error_code} // '') eq 'connection_refused' } @{ $answer->{rows} };
	cmp_ok($refused, '<', 1000 * DEADLINE - 500, sprintf 'nor does a refused one (the slowest took %d ms)', $refused);

	# All of them: NULL.
	$answer = $sql->query('SELECT * FROM dqds_test_connections()');
	is(scalar @{ $answer->{rows} }, 60, 'without an argument: all');

	# Fewer at once: 10 silent ones in groups.
	my @silent = grep { $kind{$_} eq 'silent' } @names;
	$sql->must("SET dqds.max_parallel = 5; SET dqds.connect_timeout = '500ms'");
	$sql->must('SELECT dqds_update_connection(' . sql_literal($_) . ', ' . sql_literal(connection_model($remote, port => '' . $silent->port)) . ')')
	  foreach @silent;
	$answer = $sql->query('SELECT * FROM dqds_test_connections(' . array(@silent) . ')');
	$check->('10 silent ones, 5 at once', $answer, @silent);
	cmp_ok($answer->{seconds}, '>', 0.95, '10 silent ones, 5 at once: two rounds');
	cmp_ok($answer->{seconds}, '<', 1 + PATIENCE, sprintf '10 silent ones, 5 at once: no more (%.2f s)', $answer->{seconds});
	$sql->must('RESET dqds.max_parallel; RESET dqds.connect_timeout');

	# The list itself.
	is_deeply([ $sql->rows('SELECT * FROM dqds_test_connections(ARRAY[]::text[])') ], [], 'no connections: no rows');
	is($sql->query(q(SELECT * FROM dqds_test_connections(ARRAY['c00', 'unknown'])))->{error}{sqlstate}, '42704', 'one unknown connection is an error');
	is($sql->query(q(SELECT * FROM dqds_test_connections(ARRAY['c00', NULL])))->{error}{sqlstate}, '22004', 'NULL is an error');
	is(scalar(() = $sql->rows(q(SELECT * FROM dqds_test_connections(ARRAY['c00', 'c00', 'c00'])))), 3, 'a name given three times: three rows');
	is(join(' ', $sql->column(q(SELECT connection_test_result FROM dqds_test_connections(ARRAY['c00', 'c00'])))), 'SUCCESS SUCCESS', 'a name given twice: tested twice');
}

# --- Limits ---------------------------------------------------------------------------------------------------

# occupy(COUNT, QUERY): COUNT sessions run QUERY, and wait for a silent server.
sub occupy
{
	my ($count, $query) = @_;
	my @sessions = map { DqdsTest::Sql->connect($control) } 1 .. $count;
	$_->send($query) foreach @sessions;
	my $pids    = join ', ', map { $_->pid } @sessions;
	my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids) AND wait_event = 'Extension'";
	ok(poll_until(sub { $sql->value($waiting) == $count }, 10), "$count sessions wait") or diag($sql->value($waiting));
	return @sessions;
}

sub end_sessions
{
	my (@sessions) = @_;
	$sql->must('SELECT pg_cancel_backend(' . $_->pid . ')') foreach @sessions;
	$_->answer(10) foreach @sessions;
	return;
}

$sql->must("SET dqds.connect_timeout = '300ms'");
create_connection($control, 'limited',   connection_model($remote, port => '' . $silent->port, parallel_jobs_limit => 2));
create_connection($control, 'unlimited', connection_model($remote, port => '' . $silent->port));
my $test_limited = q(SELECT error_code FROM dqds_test_connection('limited'));

# Another spelling of the host, or another model with the secret of a connection, does not get a new limit.
{
	my $adhoc = sub { my ($host) = @_; return 'SELECT error_code FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => $host, port => '' . $silent->port)) . '::text, false)'; };
	my @sessions = occupy(8, $adhoc->('localhost'));
	is($sql->value($adhoc->($_)), 'busy', "eight for localhost: $_ has none left") foreach qw(LOCALHOST localhost. LocalHost);
	end_sessions(@sessions);
	my $masked = 'SELECT error_code FROM dqds_test_connection(' . sql_literal(connection_model($remote, connection_name => 'limited', port => '' . $silent->port, parallel_jobs_limit => 100, password => '********')) . '::text, false)';
	@sessions = occupy(2, $masked);
	is($sql->value($test_limited), 'busy', 'two with the secret of a connection: it has none left');
	end_sessions(@sessions);
}
{
	my @sessions = occupy(2, $test_limited);
	my $row = ($sql->rows(q(SELECT * FROM dqds_test_connection('limited'))))[0];
	is($row->{error_code}, 'busy', 'parallel_jobs_limit 2, the third: busy');
	like($row->{error_message}, qr/limit/, 'parallel_jobs_limit 2, the third: the message names the limit');
	cmp_ok($row->{elapsed_ms}, '<', patience(5000), 'parallel_jobs_limit 2, the third: it does not wait for the others');
	is($sql->query(q(SELECT * FROM dqds_list_schemas('limited')))->{error}{sqlstate}, 'QD022', 'parallel_jobs_limit 2, a listing: QD022');
	is($sql->value(q(SELECT error_code FROM dqds_test_connection('unlimited'))), 'server_silent', 'another connection to the same server is not concerned');

	# An operation that ends frees its slot, however it ends.
	end_sessions(shift @sessions);
	is($sql->value($test_limited), 'server_silent', 'one that was cancelled makes room');
	my ($next) = occupy(1, $test_limited);
	is($sql->value($test_limited), 'busy', 'again two: busy');
	$sql->must('SELECT pg_terminate_backend(' . $next->pid . ')');
	ok(poll_until(sub { $sql->value($test_limited) eq 'server_silent' }, 5), 'one whose session was ended makes room');
	end_sessions(@sessions);
	is($sql->value($test_limited), 'server_silent', 'none left: no limit is reached');

	# Failures and errors give their slot back.
	$sql->query($test_limited) foreach 1 .. 3;
	is($sql->value($test_limited), 'server_silent', 'failures give their slot back');
	$sql->must('BEGIN');
	foreach (1 .. 3)
	{
		$sql->must('SAVEPOINT s; SET LOCAL statement_timeout = 50');
		is($sql->query($test_limited)->{error}{sqlstate}, '57014', 'an error in a subtransaction');
		$sql->must('ROLLBACK TO s');
	}
	$sql->must('SET LOCAL statement_timeout = 0');
	is(join(' ', map { $sql->value($test_limited) } 1 .. 3),
		'server_silent server_silent server_silent', 'many calls in one transaction, one after the other');
	$sql->must('ROLLBACK');
}

# Within one call each operation counts.
{
	my @codes = $sql->column(q(SELECT error_code FROM dqds_test_connections(ARRAY['limited', 'limited', 'limited'])));
	is(join(' ', sort @codes), 'busy server_silent server_silent', 'three at once in one call, limit 2: one is busy');
}

# A model that is not registered: eight for each target.
{
	my $model   = connection_model($remote, port => '' . $silent->port);
	my $elsewhere = connection_model($remote, properties => { connect_timeout => '30' });
	my $of      = sub { return 'SELECT error_code, connection_test_result FROM dqds_test_connection(' . sql_literal($_[0]) . '::text)'; };
	my @sessions = occupy(8, $of->($model));
	is($sql->value($of->($model)), 'busy', 'an ad-hoc model, the ninth: busy');
	my $other = connection_model($remote, port => '' . $silent->port, user => 'somebody', password => 'else');
	is($sql->value($of->($other)), 'busy', 'an ad-hoc model, another user at the same target: busy');
	my $generous = connection_model($remote, port => '' . $silent->port, parallel_jobs_limit => 1000);
	is($sql->value($of->($generous)), 'busy', 'an ad-hoc model that gives itself a limit: busy');
	is(($sql->rows($of->($elsewhere)))[0]{connection_test_result}, 'SUCCESS', 'an ad-hoc model of another target works');
	is($sql->value($test_limited), 'server_silent', 'a registered connection to the same target has a limit of its own');
	end_sessions(@sessions);
	is($sql->value($of->($model)), 'server_silent', 'an ad-hoc model: room again');
}

done_testing();
