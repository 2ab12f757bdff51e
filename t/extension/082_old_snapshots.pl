# A revoked, dropped or replaced object is treated as such from the next call on, also in transactions with an old snapshot:
# in each isolation level, in parallel plans, in loops and cursors. And a password is never sent to the host of another model.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

use constant ROUNDS => under() ? 30 : 150;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $super   = DqdsTest::Sql->connect($control);
my $model   = sql_literal(connection_model($remote));
$super->must(q(CREATE ROLE alice; CREATE ROLE owner; SELECT dqds_grant('editor', 'alice'), dqds_grant('editor', 'owner')));
$super->must(q{SELECT dqds_create_credential('key', } . sql_literal(remote_password($remote)) . q{, '*')});
$super->must('CREATE TABLE numbers AS SELECT i FROM generate_series(1, 1000) AS i; ANALYZE numbers');

# Everything that alice has at the start of each case.
sub set_up
{
	$super->must(q(SELECT dqds_drop_connection(connection_name) FROM dqds_connections));
	$super->must("SELECT dqds_create_connection('shop', $model), dqds_create_connection('by key', " . sql_literal(connection_model($remote, password => '${credential://key}')) . ')');
	$super->must(q(SELECT dqds_set_connection_owner('by key', 'alice'), dqds_grant_connection('shop', 'alice'), dqds_grant_credential('key', 'alice'), dqds_grant('editor', 'alice')));
	$super->must('GRANT SELECT ON numbers TO alice');
	return;
}

sub outcome
{
	my ($answer) = @_;
	return "$answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
	my $row = $answer->{rows}[0] // {};
	return $row->{error_code} // $row->{connection_test_result} // join ',', map { $_ // '' } values %$row;
}

my $test   = q(SELECT * FROM dqds_test_connection('shop'));
my $wrong  = sql_literal(connection_model($remote, password => 'wrong'));
my $schema = q(SELECT count(*) > 0 AS found FROM dqds_list_schemas('shop'));
my $gone   = '42704 connection "shop" does not exist';
my $denied = '42501 permission denied for function';

# Each row: the change in another session, a call, its result before, and the expected result afterwards.
my @changes = (
	[ 'connection revoked',  q(SELECT dqds_revoke_connection('shop', 'alice')), $test,   'SUCCESS', $gone ],
	[ 'connection revoked',  q(SELECT dqds_revoke_connection('shop', 'alice')), $schema, 't',       $gone ],
	[ 'connection revoked',  q(SELECT dqds_revoke_connection('shop', 'alice')), q(SELECT dqds_connection_json('shop') IS NOT NULL), 't', $gone ],
	[ 'connection dropped',  q(SELECT dqds_drop_connection('shop')),            $test,   'SUCCESS', $gone ],
	[ 'connection renamed',  q(SELECT dqds_rename_connection('shop', 'other')), $test,   'SUCCESS', $gone ],
	[ 'level revoked',       q(SELECT dqds_revoke('operator', 'alice')),        $test,   'SUCCESS', "$denied dqds_test_connection" ],
	[ 'new password',        "SELECT dqds_update_connection('shop', $wrong)",   $test,   'SUCCESS', 'authentication_failed' ],
	[ 'new password, a listing', "SELECT dqds_update_connection('shop', $wrong)", $schema, 't',     'QD009' ],
	[ 'credential revoked',  q(SELECT dqds_revoke_credential('key', 'alice')),  q(SELECT * FROM dqds_test_connection('by key')), 'SUCCESS', 'unresolved_secret' ],
	[ 'credential replaced', q(SELECT dqds_replace_credential('key', 'wrong')), q(SELECT * FROM dqds_test_connection('by key')), 'SUCCESS', 'authentication_failed' ],
	[ 'new owner',           q(SELECT dqds_set_connection_owner('by key', 'owner')), q(SELECT * FROM dqds_test_connection('by key')), 'SUCCESS', '42704 connection "by key" does not exist' ],
	[ 'role left',           q(DROP OWNED BY alice),                            $test,   'SUCCESS', $denied ]);
# A drop leaves nothing behind, even if an old snapshot does not show everything that belongs to the object.
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my $fails = $level eq 'READ COMMITTED' ? '' : '40001';
	foreach my $row (
		[ 'a connection', 'dqds_connection_grant', q(SELECT dqds_drop_connection('shop')), q(SELECT dqds_grant_connection('shop', 'owner')) ],
		[ 'a connection', 'dqds_imported_table', q(SELECT dqds_drop_connection('shop')), q(SELECT * FROM dqds_import_tables('shop', 'pg_catalog', tables_import_limit => 3)) ],
		[ 'a credential', 'dqds_credential_grant', q(SELECT dqds_drop_credential('key')), q(SELECT dqds_grant_credential('key', 'owner')) ])
	{
		my ($what, $table, $drop, $add) = @$row;
		set_up();
		my $dropper = DqdsTest::Sql->connect($control);
		$dropper->must("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM dqds_connection");
		$super->must($add);
		is($dropper->query($drop)->{error}{sqlstate} // '', $fails, "$level: $what is dropped, for which $table has a row that is newer");
		$dropper->must($fails ? 'ROLLBACK' : 'COMMIT');
		$dropper->must($drop) if $fails;
		is($super->value("SELECT count(*) FROM $table WHERE " . ($what =~ s/.* //r) . '_id NOT IN (SELECT id FROM dqds_' . ($what =~ s/.* //r) . ')'), 0, 'and none is left');
		is($super->value('SELECT count(*) FROM dqds_imported_column WHERE table_id NOT IN (SELECT id FROM dqds_imported_table)'), 0, 'nor a column');
		$super->must('SELECT dqds_create_credential(\'key\', ' . sql_literal(remote_password($remote)) . q{, '*')}) if $what eq 'a credential';
		$dropper->close;
	}
}

foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	foreach my $plan ('off', 'on')
	{
		foreach my $change (@changes)
		{
			my ($what, $done, $call, $before, $after) = @$change;
			set_up();
			my $alice = DqdsTest::Sql->connect($control);
			$alice->must("SET ROLE alice; SET force_parallel_mode = $plan") if $control->pg_version < 16;
			$alice->must("SET ROLE alice; SET debug_parallel_query = $plan") if $control->pg_version >= 16;
			$alice->must("BEGIN ISOLATION LEVEL $level");
			is(outcome($alice->query($call)), $before, "$level, parallel $plan, $what: before");
			$super->must($done);
			my $outcome = outcome($alice->query($call));
			is(substr($outcome, 0, length $after), $after, "$level, parallel $plan, $what: from the next call on");
			$alice->close;
			$super->must('SELECT dqds_replace_credential(\'key\', ' . sql_literal(remote_password($remote)) . ')');
		}
	}
}

# --- Loops and cursors -----------------------------------------------------------------------------------------------------

# while_it_runs(WHAT, SQL): alice calls repeatedly; meanwhile the connection is revoked, which ends the call.
sub while_it_runs
{
	my ($what, $query) = @_;
	set_up();
	my $alice = DqdsTest::Sql->connect($control);
	$alice->must(q(SET ROLE alice; SET statement_timeout = '60s'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dqds_connections));
	$alice->send($query);
	ok(poll_until(sub { $remote->safe_psql('postgres', q(SELECT 1 FROM pg_stat_activity WHERE usename = 'reader')) }, 30), "$what: it runs");
	$super->must(q(SELECT dqds_revoke_connection('shop', 'alice')));
	is(outcome($alice->answer(90)), $gone, "$what: it ends when the connection is revoked");
	$alice->close;
	return;
}
while_it_runs('a loop', q(DO $$ BEGIN FOR i IN 1 .. 100000000 LOOP PERFORM * FROM dqds_list_schemas('shop'); END LOOP; END $$));
while_it_runs('a query', q(SELECT count(*) FROM (SELECT dqds_list_schemas('shop') FROM generate_series(1, 3000000)) AS s));
while_it_runs('a lateral join', q(SELECT count(*) FROM generate_series(1, 3000000) AS i, LATERAL (SELECT i, s.* FROM dqds_list_schemas('shop', i < 0) AS s) AS s));

set_up();
{
	my $alice = DqdsTest::Sql->connect($control);
	$alice->must(q(SET ROLE alice; BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE c CURSOR FOR SELECT i, (SELECT count(*) > 0 FROM dqds_list_schemas('shop', i < 0)) AS found FROM numbers));
	is($alice->query('FETCH 2 FROM c')->{rows}[1]{found}, 't', 'a cursor runs');
	$super->must(q(SELECT dqds_revoke_connection('shop', 'alice')));
	is(outcome($alice->query('FETCH 2 FROM c')), $gone, 'a cursor: the next rows are refused');
	$alice->close;
}

# A transaction sees its own changes at once.
{
	my $own = DqdsTest::Sql->connect($control);
	$own->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$own->must("SELECT dqds_create_connection('own', $model)");
	is(outcome($own->query(q(SELECT * FROM dqds_test_connection('own')))), 'SUCCESS', 'its own connection is there in the same transaction');
	is(outcome($own->query("SELECT dqds_create_connection('own 2', $model), (SELECT connection_test_result FROM dqds_test_connection('own'))")), 'SUCCESS', 'and in the same statement');
	$own->must("SELECT dqds_update_connection('own', $wrong)");
	is(outcome($own->query(q(SELECT * FROM dqds_test_connection('own')))), 'authentication_failed', 'and its new password');
	$own->must('ROLLBACK');
	$own->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$super->must("SELECT dqds_create_connection('newer', $model)");
	is(outcome($own->query("SELECT dqds_update_connection('newer', $wrong)")), '40001 could not serialize access due to concurrent update', 'a connection that is newer than the snapshot can be used, but not changed');
	$own->must('ROLLBACK');
	# A call that changes nothing reports no change.
	foreach my $row (
		[ q(SELECT dqds_grant_connection('newer', 'alice')), q(SELECT dqds_revoke_connection('newer', 'alice')) ],
		[ q(SELECT dqds_grant_credential('key', 'owner')), q(SELECT dqds_revoke_credential('key', 'owner')) ],
		[ q(SELECT dqds_create_credential('newer', 'x', '*')), q(SELECT dqds_drop_credential('newer')) ],
		[ q(SELECT dqds_replace_credential('newer', 'y')), q(SELECT dqds_replace_credential('newer', 'z')) ],
		[ "SELECT dqds_create_connection('newest', $model)", q(SELECT dqds_set_connection_owner('newest', 'owner')) ],
		[ q(SELECT 1), q(SELECT dqds_drop_connection('newest')), 'works' ])
	{
		my ($before, $change, $works) = @$row;
		$own->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
		$super->must($before);
		like(outcome($own->query($change)), $works ? qr/^$/ : qr/^40001 could not serialize access/, "in an old snapshot: $change");
		$own->must('ROLLBACK');
	}
	$own->close;
}

# --- A password and its host ------------------------------------------------------------------------------------------------------

# Two servers that note which password they were sent a hash of.
my $dir = PostgreSQL::Test::Utils::tempdir('passwords');
sub noting
{
	my ($name) = @_;
	return start_fake_server(sub {
		my ($socket) = @_;
		my $startup = pg_read_startup($socket);
		return if unpack('N', $startup) == 80877102;
		my ($user) = $startup =~ /\0?user\0([^\0]*)/;
		my $salt = 'salt';
		send_bytes($socket, pg_auth(5, $salt));
		my ($type, $body) = pg_read_message($socket);
		require Digest::MD5;
		my $given = $body =~ s/\0$//r;
		my ($password) = grep { $given eq 'md5' . Digest::MD5::md5_hex(Digest::MD5::md5_hex($_ . $user) . $salt) } qw(first second);
		append_to_file("$dir/$name", ($password // 'unknown') . "\n");
		send_bytes($socket, pg_error('28P01', 'no'));
	});
}
my %fake = map { $_ => noting($_) } qw(first second);
my %to   = map {
	$_ => 'SELECT dqds_update_connection(\'moving\', ' . sql_literal(connection_model(undef, host => '127.0.0.1', port => '' . $fake{$_}->port, database => 'd', user => 'u', password => $_, sslmode => 'disable')) . ')'
} qw(first second);
$super->must($to{first} =~ s/dqds_update/dqds_create/r);
my @testers = map { DqdsTest::Sql->connect($control) } 1 .. 2;
$testers[1]->must('SET default_transaction_isolation = \'repeatable read\'');
foreach my $round (1 .. ROUNDS)
{
	$_->send(q(SELECT dqds_test_connection('moving'), (SELECT count(*) FROM dqds_test_connections('{moving}')))) foreach @testers;
	$super->must($to{ $round % 2 ? 'second' : 'first' });
	$_->answer(60) // die "no answer\n" foreach @testers;
}
my %noted = map { $_ => [ split /\n/, slurp_file("$dir/$_") ] } qw(first second);
cmp_ok(scalar @{ $noted{$_} }, '>', ROUNDS / 10, "the $_ server was asked " . @{ $noted{$_} } . ' times') foreach qw(first second);
is(scalar(grep { $_ ne 'first' } @{ $noted{first} }),   0, 'the first server was sent its own password only');
is(scalar(grep { $_ ne 'second' } @{ $noted{second} }), 0, 'and so was the second');

# --- A standby reads ------------------------------------------------------------------------------------------------------------------
# (043_standby.pl shows what it does; here that reading as of now needs no number of its own for the transaction.)

set_up();
$super->must('BEGIN READ ONLY');
is(outcome($super->query($test)), 'SUCCESS', 'a transaction that only reads tests a connection');
is($super->value('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', 'and needs no number');
$super->must('ROLLBACK');

$_->close foreach $super, @testers;
$_->kill foreach values %fake;
$control->stop;
$remote->stop;
done_testing();
