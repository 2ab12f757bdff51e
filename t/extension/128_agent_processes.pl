# The processes of the agent: they begin and end with what they serve, and a query ends at the remote whatever dies.
#
# The remote is a real MariaDB. So that a query takes its time, a relay in between puts a SELECT SLEEP in the place of each
# question for columns, of the same length; all else passes unchanged, the cancel of another connection too.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::Relay;
use DqdsTest::Sql;
use DqdsTest::Under;
use Test::More;

my $mariadb = DqdsTest::MariaDb->start('shop', sql => 'CREATE DATABASE shop; CREATE TABLE shop.t (a int)');
my $control = control_server('control', conf => 'restart_after_crash = on');
my $sql     = DqdsTest::Sql->connect($control);
my $slow    = start_fake_server(sub { relay($_[0], $mariadb->port, \&make_slow) });

sub make_slow
{
	my ($bytes) = @_;
	my $sleep = 'SELECT SLEEP(60) AS slow';
	return $bytes =~ s/^(.{4}\x03)(SET STATEMENT .*information_schema\.columns.*)/$1 . $sleep . ' ' x (length($2) - length $sleep)/esr;
}

create_connection($control, 'shop', $mariadb->model);
create_connection($control, 'slow', $mariadb->model(port => $slow->port));

# --- What runs ----------------------------------------------------------------------------------------------------------

# The children of a process that run the agent, and theirs.
sub agents
{
	my ($pid) = @_;
	my %parent;
	foreach my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $file, '<', $stat or next;
		my ($child, $name, $state, $parent) = <$file> =~ /^(\d+) \((.*)\) (\S) (\d+)/ or next;
		$parent{$child} = $parent if $name eq 'dqds-agent' && $state ne 'Z';
	}
	my @found = grep { $parent{$_} == $pid } keys %parent;
	push @found, map { agents_below($_, \%parent) } @found;
	return @found;
}

sub agents_below { my ($pid, $parent) = @_; return grep { $parent->{$_} == $pid } keys %$parent; }

sub gone
{
	my ($what, @pids) = @_;
	ok(poll_until(sub { !grep { -e "/proc/$_" && (slurp("/proc/$_/stat") // '') !~ /\) Z / } @pids }), "$what: no process is left");
	return;
}

sub slurp { open my $file, '<', $_[0] or return; local $/; return <$file>; }

sub descriptors { my ($pid) = @_; my @all = glob "/proc/$pid/fd/*"; return scalar @all; }

# A session with a query that is under way at the remote.
sub busy_session
{
	my $session = DqdsTest::Sql->connect($control);
	$session->send(q(SELECT * FROM dqds_list_columns('slow', 'shop')));
	ok(poll_until(sub { $mariadb->running('SLEEP(60)') == 1 }), 'a query is under way');
	return $session;
}

sub ended
{
	my ($what) = @_;
	ok(poll_until(sub { $mariadb->running('SLEEP(60)') == 0 }, 10), "$what: the query is gone at the remote");
	return;
}

# --- Idle sessions ------------------------------------------------------------------------------------------------------

is(scalar agents($sql->pid), 0, 'no agent before one is wanted');
$sql->must(q(SELECT * FROM dqds_list_schemas('shop')));
is(scalar agents($sql->pid), 2, 'a fork server and a session');
my @first = agents($sql->pid);
$sql->must(q(SELECT * FROM dqds_list_schemas('shop'))) foreach 1 .. 5;
is_deeply([ sort(agents($sql->pid)) ], [ sort @first ], 'which is used again');
my $files = descriptors($sql->pid);
foreach (1 .. 20) { $sql->must(q(SELECT * FROM dqds_test_connection('shop'))); }
is(descriptors($sql->pid), $files, 'logins leave no descriptor');
ok(poll_until(sub { agents($sql->pid) == 2 }), 'and no process');
unlike(slurp('/proc/' . $sql->pid . '/maps'), qr/mariadb|mysql|curl|odbc|duckdb|jansson/, 'no library of a driver is in the backend');
my @needed = map { /NEEDED.*\[([^.\]]+)/ ? $1 : () } `readelf -d dqds.so`;
is_deeply([ grep { !/^(?:libpq|libssl|libcrypto|libc|libpthread|libdl|libasan|libubsan|ld-linux.*)$/ } @needed ], [], 'and the extension is linked with none') or diag "@needed";
cmp_ok(scalar @needed, '>=', 3, 'what it is linked with is seen');
foreach my $pid (agents($sql->pid))
{
	unlike(slurp("/proc/$pid/cmdline") . (slurp("/proc/$pid/environ") // ''), qr/brûlée|bob/, 'no secret in what others can see of a process');
	is_deeply([ grep { /postgres|pgdata|base\// } map { readlink($_) // '' } glob "/proc/$pid/fd/*" ], [], 'no file of the server is open in it');
}

my $leaver = DqdsTest::Sql->connect($control);
$leaver->must(q(SELECT * FROM dqds_list_schemas('shop')));
my @left = agents($leaver->pid);
is(scalar @left, 2, 'another backend has its own');
$leaver->close;
gone('the end of a backend', @left);

# --- Queries under way -----------------------------------------------------------------------------------------------------

my %end = (
	'a cancel of the backend' => sub { $sql->must('SELECT pg_cancel_backend(' . $_[0]->pid . ')'); },
	'the end of the backend'  => sub { $sql->must('SELECT pg_terminate_backend(' . $_[0]->pid . ')'); });
foreach my $what (sort keys %end)
{
	my $session = busy_session();
	my @pids = agents($session->pid);
	$end{$what}->($session);
	like($session->answer->{error}{sqlstate}, qr/^57(014|P01)$/, "$what: the call fails");
	ended($what);
	next if $what =~ /cancel/;
	gone($what, @pids);
}

my $timed = DqdsTest::Sql->connect($control);
$timed->must('SET dqds.query_timeout = 300');
is($timed->query(q(SELECT * FROM dqds_list_columns('slow', 'shop')))->{error}{sqlstate}, 'QD015', 'the deadline');
ended('the deadline');
is(scalar @{ $timed->query(q(SELECT * FROM dqds_list_tables('slow', 'shop')))->{rows} }, 1, 'others are not hurt');

# The process of a session dies: its query has a limit of its own, and the call fails at once.
{
	my $session = busy_session();
	my ($server) = grep { parent_of($_) == $session->pid } agents($session->pid);
	my ($process) = grep { parent_of($_) == $server } agents($session->pid);
	kill KILL => $process;
	my $answer = $session->answer;
	is($answer->{error}{sqlstate}, 'QD017', 'a session that is killed');
	$mariadb->query("KILL QUERY $_") foreach $mariadb->query(q(SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(60) AS slow%' AND id <> CONNECTION_ID()));
	ended('the test');
	is($session->query(q(SELECT * FROM dqds_list_schemas('shop')))->{error}, undef, 'the next one works');
	kill KILL => $server;
	gone('a fork server that is killed', $server);
	is($session->query(q(SELECT * FROM dqds_test_connection('shop')))->{rows}[0]{error_code}, undef, 'it is replaced');
}

sub parent_of { return (slurp("/proc/$_[0]/stat") // '') =~ /\) \S (\d+)/ ? $1 : 0; }

# A session that does not hear is killed by the fork server.
{
	my $session = busy_session();
	my ($server)  = grep { parent_of($_) == $session->pid } agents($session->pid);
	my ($process) = grep { parent_of($_) == $server } agents($session->pid);
	kill STOP => $process;
	$sql->must('SELECT pg_cancel_backend(' . $session->pid . ')');
	is($session->answer->{error}{sqlstate}, '57014', 'a session that hangs: the call ends');
	gone('a session that hangs', $process);
	$mariadb->query("KILL QUERY $_") foreach $mariadb->query(q(SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(60) AS slow%' AND id <> CONNECTION_ID()));
	$session->close;
}

# A fork server that hangs is replaced.
{
	my $session = DqdsTest::Sql->connect($control);
	$session->must(q(SELECT * FROM dqds_list_schemas('shop')));
	my ($server) = grep { parent_of($_) == $session->pid } agents($session->pid);
	kill STOP => $server;
	$session->must(q(SET dqds.connect_timeout = '1500ms'));
	isnt($session->query(q(SELECT error_code FROM dqds_test_connection('shop')))->{rows}[0]{error_code}, undef, 'a fork server that hangs: the call fails');
	gone('a fork server that hangs', $server);
	$session->must(q(RESET dqds.connect_timeout));
	is($session->query(q(SELECT error_code FROM dqds_test_connection('shop')))->{rows}[0]{error_code}, undef, 'and the next one does not');
	$session->close;
}

# More sessions at once than the control socket has room for messages.
{
	my $session = DqdsTest::Sql->connect($control);
	my $model = sql_literal($mariadb->model);
	$session->must("SELECT dqds_create_connection('many ' || i, $model) FROM generate_series(1, 300) AS i");
	$session->must(q(SET dqds.max_parallel = 1000));
	my @answers = $session->column(q(SELECT coalesce(error_code || ': ' || error_message, 'ok') || ' ' || count(*) FROM dqds_test_connections(ARRAY(SELECT 'many ' || i FROM generate_series(1, 300) AS i)) GROUP BY error_code, error_message));
	is(join(', ', @answers),
		'ok 300', 'many sessions at once');
	my @pids = agents($session->pid);
	$session->close;
	gone('many sessions', @pids);
}

# The backend is killed: last, since the server then starts again.
{
	my $session = busy_session();
	my @pids = agents($session->pid);
	kill KILL => $session->pid;
	ended('kill -9 of the backend');
	gone('kill -9 of the backend', @pids);
}

$_->stop foreach $slow, $mariadb;
# It has started again.
ok(poll_until(sub { eval { DqdsTest::Sql->connect($control) } }), 'the server is there again');
$control->stop('immediate');
done_testing();
