# Ad-hoc models share eight operations for each address, however the address is written and by whatever name it is reached,
# and also if a session is reused. Registered connections have their own limit.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Names;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote', conf => 'max_connections = 60');
my $control = with_names(sub { control_server('control', conf => 'max_connections = 50') });
my $silent  = start_fake_server(\&hold);
my $sql     = DqdsTest::Sql->connect($control);
set_names('one.test' => ['127.0.0.1'], 'two.test' => ['127.0.0.1'], 'far.test' => ['127.0.0.2'], 'slow.test' => ['never']);

sub test_of
{
	my ($host, $port) = @_;
	return 'SELECT error_code FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => $host, port => '' . ($port // $silent->port))) . '::text, false)';
}

# Sessions that ask each of these, and wait.
sub occupy
{
	my (@queries) = @_;
	my @sessions = map { DqdsTest::Sql->connect($control) } @queries;
	$_->must(q(SET dqds.connect_timeout = '2min')) foreach @sessions;
	$sessions[$_]->send($queries[$_]) foreach 0 .. $#queries;
	my $pids    = join ', ', map { $_->pid } @sessions;
	my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids) AND wait_event = 'Extension'";
	ok(poll_until(sub { $sql->value($waiting) == @queries }, 20), @queries . ' operations are under way') or diag($sql->value($waiting));
	return @sessions;
}

sub vacate
{
	my (@sessions) = @_;
	$sql->must('SELECT pg_cancel_backend(' . $_->pid . ')') foreach @sessions;
	$_->answer(20) foreach @sessions;
	$_->close foreach @sessions;
	return;
}

# --- Spellings -------------------------------------------------------------------------------------------------

my @spellings = ('127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.0.1', '::ffff:127.0.0.1', 'localhost', 'one.test', 'two.test', '0.0.0.0', '0');
$sql->must(q(SELECT dqds_close_idle(); SET dqds.denied_hosts = ''; SET dqds.connect_timeout = '200ms'));
{
	my @sessions = occupy(map { test_of($_) } @spellings[ 0 .. 7 ]);
	is($sql->value(test_of($_)), 'busy', "eight operations in eight spellings: $_ has none left") foreach @spellings;
	is($sql->value(test_of('far.test')), 'connection_refused', 'another address has');
	is($sql->value(test_of('127.0.0.1', free_port())), 'connection_refused', 'and another port');
	create_connection($control, 'registered', connection_model($remote, port => '' . $silent->port));
	create_connection($control, 'limited', connection_model($remote, port => '' . $silent->port, parallel_jobs_limit => 1));
	is($sql->value("SELECT error_code FROM dqds_test_connection('$_')"), 'server_silent', "the connection that is $_ has its own") foreach qw(registered limited);
	my @more = occupy(q(SELECT * FROM dqds_test_connection('limited')));
	is($sql->value(q(SELECT error_code FROM dqds_test_connection('limited'))), 'busy', 'which is a limit, too');
	vacate(@more);
	vacate(shift @sessions);
	is($sql->value(test_of('2130706433')), 'server_silent', 'one that ends makes room');
	is($sql->value(test_of('2130706433')), 'server_silent', 'which is given back');
	vacate(@sessions);
}

# By name alone, too: while it is not known where it leads.
{
	my @sessions = occupy(map { test_of('slow.test') } 1 .. 8);
	is($sql->value(test_of('slow.test')), 'busy', 'eight operations on a name that is not resolved yet');
	vacate(@sessions);
}

# --- Sessions that are used again --------------------------------------------------------------------------------

{
	$sql->must(q(SET dqds.connect_timeout = '10s'));
	my $list     = sub { 'SELECT count(*) FROM dqds_list_schemas(' . sql_literal(connection_model($remote, host => $_[0])) . '::text)' };
	my @hosts    = ('127.0.0.1', '127.1', '2130706433', '0x7f.1', '::ffff:127.0.0.1', 'localhost', 'one.test', 'two.test');
	my @sessions = map { DqdsTest::Sql->connect($control) } @hosts;
	is(join(' ', map { $sessions[$_]->value($list->($hosts[$_])) > 0 } 0 .. $#hosts), join(' ', (1) x 8), 'eight sessions have a session with the remote');
	is($sql->value($list->('127.0.0.1')) > 0, 1, 'and so has a ninth: none of them is at work');
	my $locker = DqdsTest::Sql->connect($remote);
	lock_catalog($locker);
	$sessions[$_]->send($list->($hosts[$_])) foreach 0 .. $#hosts;
	my $hanging = q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND wait_event_type = 'Lock');
	ok(poll_until(sub { $locker->must('SELECT pg_stat_clear_snapshot()'); $locker->value($hanging) == 8 }, 20), 'all eight are at work again');
	is($sql->query($list->('127.0.0.1'))->{error}{sqlstate}, 'QD022', 'the ninth, which has a session, is busy');
	unlock_catalog($locker);
	$_->answer(20) foreach @sessions;
	is($sql->value($list->('127.0.0.1')) > 0, 1, 'and works again afterwards');
	$locker->close;
}

done_testing();
