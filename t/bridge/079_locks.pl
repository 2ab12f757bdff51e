# No caller can block all others by keeping a transaction open: an import holds no lock while it waits for its server; a call
# waits one second for a lock, or as long as the caller's lock_timeout says, and then fails with busy. Whatever two sessions
# do concurrently, each gets one correct result, in messages of dqds and not of its tables.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use constant ROUNDS => under() ? 3 : 12;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $model   = connection_model($remote);
my $dir     = PostgreSQL::Test::Utils::tempdir('stalls');
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; CREATE TABLE shop.orders (id int); ALTER TABLE shop.orders OWNER TO reader');
$control->safe_psql('postgres', q(CREATE ROLE grantee; CREATE ROLE other; CREATE ROLE alice; SELECT dqds_grant('editor', r::regrole) FROM unnest('{grantee,other,alice}'::text[]) AS r));
my ($super, $one, $two) = map { DqdsTest::Sql->connect($control) } 1 .. 3;
# No call here may wait for ever, even on a busy machine.
$_->must(q(SET statement_timeout = '30s')) foreach $super, $one, $two;

sub fault { my ($answer) = @_; return $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : ''; }
sub done_at_once
{
	my ($what, $query, $session) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(fault(($session // $super)->query($query)), '', $what);
}
sub is_busy
{
	my ($what, $query, $session) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer = ($session // $super)->query($query);
	like(fault($answer), qr/^QD022 another transaction is changing the same /, "$what: busy");
	cmp_ok($answer->{seconds}, '>', 0.5, "$what: after a while");
	return;
}
sub literal { return sql_literal($_[0]); }
sub create { my ($name) = @_; return 'SELECT dqds_create_connection(' . literal($name) . ', ' . literal($model) . ')'; }
sub update { my ($name) = @_; return 'SELECT dqds_update_connection(' . literal($name) . ', ' . literal($model) . ')'; }
$super->must(create($_)) foreach qw(shop second);

# --- An import that waits for its server ------------------------------------------------------------------------------------

sub data_row { my @values = @_; return pg_message('D', pack('n', scalar @values) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @values); }
sub description
{
	my ($columns) = @_;
	return pg_message('1', '') . pg_message('2', '')
	  . pg_message('T', pack('n', $columns) . join '', map { "c$_\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $columns);
}
my $end = pg_message('C', "SELECT 1\0") . pg_message('Z', 'I');

# stalling(NAME, TABLES, BATCH, ROWS): registers a connection to a server that has so many tables, and says nothing more after
# so many rows of the answer to the question for columns number BATCH (from 1).
sub stalling
{
	my ($name, $tables, $batch, $rows) = @_;
	my $server = start_fake_server(sub {
		my ($socket) = @_;
		my $asked = 0;
		pg_log_in($socket);
		while (1)
		{
			my $question;
			pg_answer($socket, sub { $question = $_[0]; return ''; });
			if ($question !~ /pg_class/) { send_bytes($socket, description(1) . data_row('0') . $end); next; }
			if ($question !~ /pg_attribute/) { send_bytes($socket, description(4) . join('', map { data_row("t$_", 'table', '1', undef) } 1 .. $tables) . $end); next; }
			$asked++;
			my $count = $asked == $batch ? $rows : 10;
			send_bytes($socket, ($count > 0 || $asked != $batch ? description(10) : '') . join '', map { data_row("t$_", '1', 'c', 'integer', undef, '32', '0', 't', 'f', undef) } 1 .. $count);
			if ($asked == $batch)
			{
				append_to_file("$dir/$name", 'stalled');
				hold($socket);
			}
			send_bytes($socket, $end);
		}
	});
	$super->must('SELECT dqds_create_connection(' . literal($name) . ', ' . literal(connection_model(undef, host => '127.0.0.1', port => '' . $server->port, database => 'postgres', user => 'u', password => 'p', sslmode => 'disable')) . ')');
	return $server;
}

foreach my $case ([ 'between tables and columns', 10, 1, 0 ], [ 'in the middle of the columns', 10, 1, 5 ], [ 'before the second columns', 6000, 2, 0 ])
{
	my ($name, @where) = @$case;
	my $server = stalling($name, @where);
	my $quoted = literal($name);
	my $import = DqdsTest::Sql->connect($control);
	$import->must(q(SET dqds.query_timeout = '10min'));
	$import->send("SELECT * FROM dqds_import_tables($quoted, 's')");
	ok(poll_until(sub { -s "$dir/$name" }, 60), "an import whose server stalls $name");
	done_at_once("$name: $_->[0]", $_->[1]) foreach (
		[ 'update',   "SELECT dqds_update_connection($quoted, model) FROM dqds_connection WHERE name = $quoted" =~ s/, model\)/, jsonb_set(model, '{postgresql,password}', '"p"'))/r ],
		[ 'rename',   "SELECT dqds_rename_connection($quoted, 'renamed')" ],
		[ 'and back', "SELECT dqds_rename_connection('renamed', $quoted)" ],
		[ 'grant',    "SELECT dqds_grant_connection($quoted, 'grantee')" ],
		[ 'revoke',   "SELECT dqds_revoke_connection($quoted, 'grantee')" ],
		[ 'new owner', "SELECT dqds_set_connection_owner($quoted, 'other')" ],
		[ 'import of another connection', q(SELECT * FROM dqds_import_tables('shop', 'shop')) ],
		[ 'unimport', "SELECT dqds_unimport_tables($quoted, 's')" ],
		[ 'a level',  q(SELECT dqds_grant('editor', 'grantee')) ],
		[ 'drop',     "SELECT dqds_drop_connection($quoted)" ]);
	is($super->value('SELECT count(*) FROM pg_locks WHERE pid = ' . $import->pid . " AND locktype IN ('transactionid', 'relation', 'tuple') AND mode <> 'AccessShareLock'"), 0, "$name: no lock of it but for reading");
	$super->must('SELECT pg_cancel_backend(' . $import->pid . ')');
	is($import->answer(30)->{error}{sqlstate}, '57014', "$name: it can be stopped");
	$import->close;
	$server->kill;
}

# --- An open transaction that has forgotten imported tables -----------------------------------------------------------------

$super->must(q(SELECT * FROM dqds_import_tables('shop', 'shop'); SELECT dqds_grant_connection('shop', 'grantee'), dqds_grant_connection('second', 'grantee')));
my $bridge = start_bridge($control, level => 'admin');
my $rest_model = connection_model($remote, connection_name => 'shop');

sub rest_busy
{
	my ($what, $method, $target, $body) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer = http($bridge, $method => $target, {}, $body);
	is(answer_fault($answer, 503, $method), undef, "$what, over REST: 503, with Retry-After");
	is($answer->{json}{errorCode}, 'busy', "$what, over REST: busy");
	return;
}

foreach my $schema ('no such schema', 'shop')
{
	my $grantee = DqdsTest::Sql->connect($control);
	$grantee->must('SET ROLE grantee');
	$grantee->must('BEGIN');
	$grantee->must('SELECT dqds_unimport_tables(' . literal('shop') . ', ' . literal($schema) . ')');
	my $what = "a grantee who has forgotten tables of $schema, and waits";
	done_at_once("$what: $_->[0]", $_->[1]) foreach (
		[ 'update',    update('shop') ],
		[ 'rename',    q(SELECT dqds_rename_connection('shop', 'renamed')) ],
		[ 'and back',  q(SELECT dqds_rename_connection('renamed', 'shop')) ],
		[ 'grant',     q(SELECT dqds_grant_connection('shop', 'other')) ],
		[ 'revoke',    q(SELECT dqds_revoke_connection('shop', 'other')) ],
		[ 'new owner', q(SELECT dqds_set_connection_owner('shop', 'alice')) ],
		[ 'import of another connection', q(SELECT * FROM dqds_import_tables('second', 'shop')) ]);
	is(answer_fault(http($bridge, PUT => '/api/connections/shop/basic', {}, $rest_model), 204), undef, "$what: update, over REST");
	is_busy("$what: import", q(SELECT * FROM dqds_import_tables('shop', 'shop')));
	is_busy("$what: unimport", q(SELECT dqds_unimport_tables('shop', 'other')));
	rest_busy("$what: import", POST => '/api/jobs/importtables', to_json({ connectionName => 'shop', schemaName => 'shop' }));
	if ($schema eq 'shop')
	{
		is_busy("$what: drop", q(SELECT dqds_drop_connection('shop')));
		rest_busy("$what: drop", DELETE => '/api/connections/shop');
	}
	done_at_once("$what: revoke it from the grantee", q(SELECT dqds_revoke_connection('shop', 'grantee'), dqds_grant_connection('shop', 'grantee')));
	$grantee->must('ROLLBACK');
	$grantee->close;
}

# --- Each change, against a session that holds what it changes ------------------------------------------------------------------

$super->must(q(SELECT dqds_create_credential('key', 'secret', '*'), dqds_create_token('other', '1 day', 'held'), dqds_unimport_tables('second', 'shop')));
my $token = $super->value(q(SELECT token_id FROM dqds_tokens WHERE description = 'held'));
my $rows  = 'SELECT 1 FROM dqds_connection FOR UPDATE';
my @holds = (
	[ $rows, 'update', update('shop') ],
	[ $rows, 'update for the bridge', update('shop') =~ s/dqds_update_connection/dqds_update_connection_json/r ],
	[ $rows, 'patch', q(SELECT dqds_patch_connection('shop', '{"note": 1}')) ],
	[ $rows, 'drop', q(SELECT dqds_drop_connection('shop')) ],
	[ $rows, 'drop for the bridge', q(SELECT dqds_drop_connection_json('shop')) ],
	[ $rows, 'rename', q(SELECT dqds_rename_connection('shop', 'x')) ],
	[ $rows, 'set owner', q(SELECT dqds_set_connection_owner('shop', 'other')) ],
	[ $rows, 'grant connection', q(SELECT dqds_grant_connection('shop', 'other')) ],
	[ $rows, 'import', q(SELECT * FROM dqds_import_tables('second', 'shop')) ],
	[ $rows, 'import for the bridge', q(SELECT * FROM dqds_import_tables_json('{"connectionName": "second", "schemaName": "shop"}', NULL)) ],
	[ create('new'), 'create of the same name', create('new') ],
	[ create('new'), 'the same for the bridge', create('new') =~ s/dqds_create_connection/dqds_create_connection_json/r ],
	[ create('new'), 'rename to the same name', q(SELECT dqds_rename_connection('second', 'new')) ],
	[ q(SELECT dqds_import_tables('second', 'shop')), 'unimport', q(SELECT dqds_unimport_tables('second', 'shop')) ],
	[ q(SELECT dqds_import_tables('second', 'shop')), 'drop', q(SELECT dqds_drop_connection('second')) ],
	[ q(SELECT 1 FROM dqds_connection_grant FOR UPDATE), 'revoke connection', q(SELECT dqds_revoke_connection('shop', 'grantee')) ],
	[ q(SELECT 1 FROM dqds_credential FOR UPDATE), 'replace credential', q(SELECT dqds_replace_credential('key', 'other')) ],
	[ q(SELECT 1 FROM dqds_credential FOR UPDATE), 'drop credential', q(SELECT dqds_drop_credential('key')) ],
	[ q(SELECT 1 FROM dqds_credential FOR UPDATE), 'grant credential', q(SELECT dqds_grant_credential('key', 'other')) ],
	[ q(SELECT dqds_grant_credential('key', 'other')), 'grant the same credential', q(SELECT dqds_grant_credential('key', 'other')) ],
	[ q(SELECT dqds_create_credential('k', 'secret', '*')), 'create credential', q(SELECT dqds_create_credential('k', 'secret', '*')) ],
	[ q(SELECT 1 FROM dqds_token FOR UPDATE), 'revoke token', "SELECT dqds_revoke_token($token)" ],
	[ q(SELECT dqds_grant('viewer', 'other')), 'grant level', q(SELECT dqds_grant('viewer', 'alice')) ],
	[ q(SELECT dqds_grant('viewer', 'other')), 'revoke level', q(SELECT dqds_revoke('admin', 'alice')) ],
	[ q(SELECT dqds_create_token('newer')), 'a role that is not known yet', q(SELECT dqds_create_token('fresh')) ]);
$super->must('CREATE ROLE fresh; CREATE ROLE newer');
foreach my $hold (@holds)
{
	my ($holding, $what, $change) = @$hold;
	$one->must("BEGIN; $holding");
	is_busy($what, $change, $two);
	$one->must('ROLLBACK');
}

# An editor by membership, which the registry does not know yet, keeps the transaction of its first connection open: only a call
# that has to enrol another role waits for it.
{
	$super->must(q(CREATE ROLE editors; CREATE ROLE member IN ROLE editors; CREATE ROLE stranger; SELECT dqds_grant('editor', 'editors')));
	$one->must('SET ROLE member');
	$one->must('BEGIN; ' . create('first'));
	done_at_once("beside a first connection: $_", "SELECT $_") foreach (
		q(dqds_revoke('viewer', 'member')), q(dqds_revoke('viewer', 'editors')), q(dqds_grant('viewer', 'stranger')),
		q(dqds_create_token('other')), q(dqds_grant_connection('shop', 'other')));
	is_busy('beside a first connection: a token of a role that is not known yet', q(SELECT dqds_create_token('stranger')));
	$one->must('ROLLBACK; RESET ROLE');
	done_at_once('and afterwards', q(SELECT dqds_create_token('stranger')));
}
my @changed = map { /(dqds_\w+)\(/ ? $1 : () } map { $_->[2] } @holds;
my $all = $super->value(q(SELECT string_agg(DISTINCT proname, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE lanname = 'c' AND proname ~ '^dqds_' AND proparallel = 'u'));
my %changed = map { $_ => 1 } @changed;
is(join(' ', grep { !$changed{$_} } split / /, $all), 'dqds_revoke_credential', 'these are all functions that change something, but one');
$one->must(q(SELECT dqds_grant_credential('key', 'other')));
$one->must('BEGIN; SELECT 1 FROM dqds_credential_grant FOR UPDATE');
is_busy('revoke credential', q(SELECT dqds_revoke_credential('key', 'other')), $two);
$one->must('ROLLBACK');

# PostgreSQL's own commands take no lock before they change a privilege.
$super->must('CREATE ROLE leaving; CREATE ROLE coming; CREATE ROLE late');
$super->must(q(SELECT dqds_grant_connection('shop', 'leaving')));
$one->must('BEGIN; DROP OWNED BY leaving');
is_busy('a role that is not known yet, beside DROP OWNED', q(SELECT dqds_grant_connection('shop', 'coming')), $two);
$two->must(q(SET lock_timeout = '60s'));
$two->send(q(SELECT dqds_grant_connection('shop', 'late')));
ok(poll_until(sub { $super->value('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $two->pid) }, 20), 'another one has more patience');
$one->must('COMMIT');
like(fault($two->answer(30)), qr/^(?:|QD022 another transaction is changing the same role)$/, 'and is not told of tuples');

# --- The caller's lock_timeout
# ----------------------------------------------------------------------------------------------------

$one->must("BEGIN; $rows");
$two->send(update('shop'));
ok(!defined $two->answer(2.5), 'with a lock_timeout of a minute, a change waits for longer than a second');
$one->must('ROLLBACK');
is(fault($two->answer(30)), '', 'and is made when it can be');
is($two->value('SHOW lock_timeout'), '1min', 'the setting is as before');
$two->must('RESET lock_timeout');

# A caller that lost the connection while it was waiting.
foreach my $change (q(SELECT dqds_drop_connection('mine')), q(SELECT dqds_rename_connection('mine', 'x')), update('mine'))
{
	$super->must(create('mine') . q(; SELECT dqds_set_connection_owner('mine', 'alice')));
	$two->must(q(SET lock_timeout = '60s'; SET ROLE alice));
	$one->must(q(BEGIN; SELECT dqds_set_connection_owner('mine', 'other')));
	$two->send($change);
	ok(poll_until(sub { $super->value('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $two->pid) }, 20), "$change: waits");
	$one->must('COMMIT');
	is(fault($two->answer(30)), '42704 connection "mine" does not exist', "$change: is no longer alice's");
	is($super->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'mine')), 'other', "$change: nothing has changed");
	$super->must(q(SELECT dqds_drop_connection('mine')));
	$two->must('RESET ROLE; RESET lock_timeout');
}

# --- Two at once -----------------------------------------------------------------------------------------------------------------------

# Each row: what, SQL before, that of the one, that of the other, the errors that either may have, whether one of them must work;
# N is the number of the round.
my $busy  = 'QD022';
my @pairs = (
	[ 'create the same name', '', create('cN'), create('cN'), [ '42710', $busy ] ],
	[ 'rename to the same name', create('aN') . ';' . create('bN'), q(SELECT dqds_rename_connection('aN', 'xN')), q(SELECT dqds_rename_connection('bN', 'xN')), [ '42710', $busy ] ],
	[ 'rename the same', create('sN'), q(SELECT dqds_rename_connection('sN', 'yN')), q(SELECT dqds_rename_connection('sN', 'zN')), [ '42704', $busy ] ],
	[ 'grant the same', 'CREATE ROLE gN', q(SELECT dqds_grant_connection('shop', 'gN')), q(SELECT dqds_grant_connection('shop', 'gN')), [$busy] ],
	[ 'one role is known by two', q(CREATE ROLE eN; SELECT dqds_grant('editor', 'eN')), 'SET ROLE "eN";' . create('e1 N') . '; RESET ROLE', 'SET ROLE "eN";' . create('e2 N') . '; RESET ROLE', [$busy] ],
	[ 'two roles', 'CREATE ROLE hN; CREATE ROLE iN', q(SELECT dqds_create_token('hN')), q(SELECT dqds_create_token('iN')), [$busy] ],
	[ 'grant two levels', '', q(SELECT dqds_grant('viewer', 'hN')), q(SELECT dqds_grant('admin', 'hN')), [$busy] ],
	[ 'grant and revoke', '', q(SELECT dqds_grant('editor', 'hN')), q(SELECT dqds_revoke('viewer', 'iN')), [$busy] ],
	[ 'import twice', create('mN'), q(SELECT * FROM dqds_import_tables('mN', 'shop')), q(SELECT * FROM dqds_import_tables('mN', 'shop')), [$busy] ],
	[ 'import and drop', '', q(SELECT * FROM dqds_import_tables('mN', 'shop')), q(SELECT dqds_drop_connection('mN')), [ '42704', $busy ] ],
	[ 'grant and drop', create('nN'), q(SELECT dqds_grant_connection('nN', 'other')), q(SELECT dqds_drop_connection('nN')), [ '42704', $busy ] ],
	[ 'drop twice', create('oN'), q(SELECT dqds_drop_connection('oN')), q(SELECT dqds_drop_connection('oN')), [ '42704', $busy ] ],
	[ 'update and drop', create('pN'), update('pN'), q(SELECT dqds_drop_connection('pN')), [ '42704', $busy ] ],
	[ 'update twice', create('qN'), update('qN'), update('qN'), [$busy] ],
	[ 'create the same credential', '', q(SELECT dqds_create_credential('kN', 'a', '*')), q(SELECT dqds_create_credential('kN', 'b', '*')), [ '42710', $busy ] ],
	[ 'grant a credential and drop it', '', q(SELECT dqds_grant_credential('kN', 'other')), q(SELECT dqds_drop_credential('kN')), [ '42704', $busy ] ],
	[ 'replace a credential and drop it', q(SELECT dqds_create_credential('lN', 'a', '*')), q(SELECT dqds_replace_credential('lN', 'b')), q(SELECT dqds_drop_credential('lN')), [ '42704', $busy ] ],
	[ 'revoke a token twice', '', q(SELECT dqds_revoke_token(t) FROM (SELECT min(token_id) AS t FROM dqds_tokens) AS m), q(SELECT dqds_revoke_token(t) FROM (SELECT min(token_id) AS t FROM dqds_tokens) AS m), [ '42704', $busy ] ]);
foreach my $pair (@pairs)
{
	my ($what, $before, @rest) = @$pair;
	my %allowed = map { $_ => 1 } @{ pop @rest };
	my ($none, @wrong) = (0);
	foreach my $round (1 .. ROUNDS)
	{
		my ($prepare, @queries) = map { s/(?<=[a-z ])N(?=['" ;]|$)/$round/gr } $before, @rest;
		$super->must($prepare) if $prepare ne '';
		$one->send($queries[0]);
		$two->send($queries[1]);
		my @states = map { $_->answer(60)->{error} } $one, $two;
		push @wrong, map { "$_->{sqlstate} $_->{message}" } grep { defined && !$allowed{ $_->{sqlstate} } } @states;
		$none++ if 2 == grep { defined } @states;
		$_->must('RESET ROLE') foreach $one, $two;
	}
	is(join('; ', @wrong), '', "$what: each outcome is right");
	is($none, 0, "$what: one of the two works");
}
is($super->value('SELECT count(*) FROM dqds_imported_table t LEFT JOIN dqds_connection c ON c.id = t.connection_id WHERE c.id IS NULL'), 0, 'nothing is imported of connections that are no more');
is($super->value(q(SELECT count(*) FROM dqds_connections WHERE connection_name ~ '^c\d')), ROUNDS, 'a name is there once');
unlike(slurp_file($control->logfile), qr/tuple concurrently updated|deadlock detected|violates (?:unique|foreign key)/, 'nor does the log say more');

$_->close foreach $super, $one, $two;
$bridge->stop;
$control->stop;
$remote->stop;
done_testing();
