# PgBouncer as the remote server, in transaction and in session mode, without any configuration for dqds: tests and listings
# work, repeatedly, from several sessions at once, and after a restart of the database behind it; cancelling a call cancels
# the query behind it; no named statement and no setting is left in a server session that another client gets next.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $remote  = remote_server('remote', conf => "log_connections = on\nlog_min_duration_statement = 0");
my $control = control_server('control');

$remote->safe_psql('postgres', <<'SQL');
CREATE SCHEMA shop;
CREATE TABLE shop.item (id integer PRIMARY KEY, name varchar(40) NOT NULL, price numeric(9,2));
COMMENT ON TABLE shop.item IS 'what is sold';
GRANT USAGE ON SCHEMA shop TO reader;
GRANT SELECT ON shop.item TO reader;
SQL

# In transaction mode two server sessions serve all: each client gets one that another client has used. In session mode each
# session of dqds keeps one.
my %pool_size = (transaction => 2, session => 20);
my %pooler = map { $_ => start_pgbouncer($remote, $_, "default_pool_size = $pool_size{$_}\nserver_login_retry = 1") } sort keys %pool_size;
create_connection($control, 'direct', connection_model($remote));
create_connection($control, $_, connection_model($remote, port => '' . $pooler{$_}->port)) foreach sort keys %pooler;

my $sql = DqdsTest::Sql->connect($control);

my @listings = (
	'SELECT schema_name, already_imported FROM dqds_list_schemas(%s)',
	'SELECT schema_name FROM dqds_list_schemas(%s, true)',
	q(SELECT table_name, table_kind, comment FROM dqds_list_tables(%s, 'shop')),
	q(SELECT table_name FROM dqds_list_tables(%s, 'pg_catalog', 'class', 3)),
	q(SELECT column_name, column_type, length, precision, scale, nullable, primary_key FROM dqds_list_columns(%s, 'shop')));

# The answers as text, for comparison.
sub answers
{
	my ($session, $name) = @_;
	return join "\n", map { to_json([ $session->rows(sprintf $_, "'$name'") ]) } @listings;
}

my $expected = answers($sql, 'direct');
like($expected, qr/shop.*item.*price/s, 'the listings show something');

foreach my $mode (sort keys %pooler)
{
	my $log_start = -s $remote->logfile;
	works($sql, "$mode mode: a test", connection_model($remote, port => '' . $pooler{$mode}->port));
	works($sql, "$mode mode: a test with TLS refused", connection_model($remote, port => '' . $pooler{$mode}->port, sslmode => 'disable'));
	is(answers($sql, $mode), $expected, "$mode mode: listings, round $_") foreach 1 .. 5;
	is(($sql->rows("SELECT * FROM dqds_test_connection('$mode')"))[0]{connection_test_result}, 'SUCCESS', "$mode mode: a test between listings");

	my @sessions = map { DqdsTest::Sql->connect($control) } 1 .. 5;
	my @wrong;
	foreach my $round (1 .. 10)
	{
		foreach my $listing (@listings)
		{
			$_->send(sprintf $listing, "'$mode'") foreach @sessions;
			push @wrong, grep { !$_ || $_->{error} || $_->{ended} } map { $_->answer(30) } @sessions;
		}
	}
	is(scalar @wrong, 0, "$mode mode: several sessions at once") or diag(explain($wrong[0]));
	is(answers($_, $mode), $expected, "$mode mode: the answers are right in each of them") foreach @sessions;
	$_->close foreach @sessions;

	my $log = slurp_file($remote->logfile, $log_start);
	unlike($log, qr/dqds_\d/, "$mode mode: no statement was named");
	# PgBouncer passes on the application_name.
	unlike($log, qr/: SET (?!application_name=)/, "$mode mode: nothing was set");
	unlike($log, qr/ERROR/, "$mode mode: no error at the remote");

	# The result of a wrong login.
	my $port = '' . $pooler{$mode}->port;
	fails($sql, "$mode mode: a wrong password", connection_model($remote, port => $port, password => 'wrong'), 'authentication_failed',
		sqlstate => '08P01', within => 5);
	fails($sql, "$mode mode: an unknown database", connection_model($remote, port => $port, database => 'nowhere'), 'database_not_found',
		sqlstate => pgbouncer_version() < 1.024 ? '08P01' : '3D000', within => 5);
	fails($sql, "$mode mode: options, which poolers refuse", connection_model($remote, port => $port, options => '-c geqo=off'), 'invalid_connection',
		sqlstate => '08P01', within => 5, hint => qr/ignore_startup_parameters/);
	$sql->must('SELECT dqds_close_idle()');
}

# --- The database behind it is restarted ---------------------------------------------------------------

foreach my $mode (sort keys %pooler)
{
	is(answers($sql, $mode), $expected, "$mode mode: before the restart of the database");
	$remote->restart;
	is(answers($sql, $mode), $expected, "$mode mode: after the restart of the database");
	restart_at_once($remote);
	is(answers($sql, $mode), $expected, "$mode mode: after the immediate restart of the database");
}

# PgBouncer itself is restarted: its clients are gone, and so are the sessions that dqds kept.
{
	is(answers($sql, 'transaction'), $expected, 'before the restart of PgBouncer');
	$pooler{transaction}->stop;
	my $answer = $sql->query(q(SELECT * FROM dqds_list_schemas('transaction')));
	like($answer->{error}{sqlstate}, qr/^QD0(02|17)$/, 'PgBouncer is away: an error');
	my $again = start_pgbouncer($remote, 'transaction');
	$sql->must("SELECT dqds_update_connection('transaction'," . sql_literal(connection_model($remote, port => '' . $again->port)) . ')');
	is(answers($sql, 'transaction'), $expected, 'PgBouncer is back');
	$pooler{transaction} = $again;
}

# --- A call that is cancelled ------------------------------------------------------------------------------

{
	my $locker = DqdsTest::Sql->connect($remote);
	my $active = sub {
		$locker->must('SELECT pg_stat_clear_snapshot()');
		return $locker->value(q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'));
	};
	foreach my $mode (sort keys %pooler)
	{
		my $session = DqdsTest::Sql->connect($control);
		is($session->query("SELECT * FROM dqds_list_schemas('$mode')")->{error}, undef, "$mode mode: a session for what follows");
		$locker->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE');
		$session->must("SET statement_timeout = '500ms'");
		my $answer = $session->query("SELECT * FROM dqds_list_schemas('$mode')");
		is($answer->{error}{sqlstate}, '57014', "$mode mode: a locked catalog: statement_timeout");
		cmp_ok($answer->{seconds}, '<', 0.5 + PATIENCE, sprintf "%s mode: a locked catalog: back after %.2f s", $mode, $answer->{seconds});
		ok(poll_until(sub { $active->() == 0 }, 20), "$mode mode: a locked catalog: the query is gone");
		$locker->must('ROLLBACK');
		$session->must('RESET statement_timeout');
		is($session->query("SELECT * FROM dqds_list_schemas('$mode')")->{error}, undef, "$mode mode: a locked catalog: the next call works");
		$session->close;
	}
}

done_testing();
