# Roles to which the registry refers: the OID of a dropped role gives nothing to the role that has it next, in the same
# cluster, in another database and in one that a dump is restored into. Existing roles keep what they have, whatever their
# names, and however often they are renamed, dumped and restored.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'autovacuum = off');
my $dir     = PostgreSQL::Test::Utils::tempdir('dumps');
my $model   = sql_literal(connection_model($remote));
my $sql     = DqdsTest::Sql->connect($control);

sub ident { my ($name) = @_; return '"' . ($name =~ s/"/""/gr) . '"'; }

# as(ROLE, SQL, NODE = control, DATABASE = postgres): the answer to SQL in a session of its own as ROLE.
sub as
{
	my ($role, $query, $node, $database) = @_;
	my $session = DqdsTest::Sql->connect($node // $control, database => $database // 'postgres');
	$session->must('SET ROLE ' . ident($role));
	my $answer = $session->query($query);
	$session->close;
	return $answer;
}

sub fault { my ($answer) = @_; return $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : ''; }

# of(ANSWER): its values in one line, or its error.
sub of
{
	my ($answer) = @_;
	return fault($answer) if $answer->{error};
	return join '; ', map { my $row = $_; join ',', map { $row->{$_} // 'NULL' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

# belongings(ROLE, NODE, DATABASE): what a role has: connections, and whether its owner's password can be used, credentials, tokens.
sub belongings
{
	my ($role, @where) = @_;
	return join ' | ',
	  of(as($role, 'SELECT connection_name FROM dqds_connections ORDER BY 1', @where)),
	  of(as($role, 'SELECT connection_name, connection_test_result FROM dqds_test_connections()', @where)),
	  of(as($role, q(SELECT connection_test_result FROM dqds_test_connection('payroll')), @where));
}
my $nothing = ' |  | 42704 connection "payroll" does not exist';

# role_numbered(OID, NAME, NODE): a role with this number, which no role has now: the counter is set back to it. A counter that
# has gone round does the same.
sub role_numbered
{
	my ($oid, $name, $node) = @_;
	$node //= $control;
	my $data = $node->data_dir;
	# An OID is not reused while there is a row of the dropped role.
	$node->safe_psql('postgres', 'VACUUM pg_authid');
	$node->stop;
	command_ok([ 'pg_resetwal', '-o', $oid, '-D', $data ], "the counter is set to $oid");
	$node->start;
	my $session = DqdsTest::Sql->connect($node);
	$session->must('CREATE ROLE ' . ident($name));
	my $got = $session->value('SELECT oid FROM pg_roles WHERE rolname = ' . sql_literal($name));
	$session->close;
	is($got, $oid, "$name has the number $oid");
	return;
}

# --- A dropped role -------------------------------------------------------------------------------------------------

$sql->must(q(CREATE ROLE alice; CREATE ROLE teller; CREATE ROLE boss; SELECT dqds_grant('editor', 'alice'), dqds_grant('operator', 'teller'), dqds_grant('admin', 'boss')));
is(fault(as('alice', "SELECT dqds_create_connection('payroll', $model)")), '', 'alice registers a connection');
is(fault(as('boss', "SELECT dqds_create_connection('ledger', $model), dqds_create_connection('granted', $model)")), '', 'and the boss two');
my $alice = $sql->value(q(SELECT 'alice'::regrole::oid));
$sql->must(q(SELECT dqds_grant_connection('granted', 'alice'), dqds_grant_connection('granted', 'teller'), dqds_grant_connection('payroll', 'teller');
	SELECT dqds_create_credential('key', 'a stored secret', '*'), dqds_grant_credential('key', 'alice'), dqds_grant_credential('key', 'teller')));
my $token       = $sql->value(q(SELECT dqds_create_token('alice', '10 days', 'of alice')));
my $by_alice    = do {
	$sql->must(q(GRANT teller TO alice; SELECT dqds_grant('admin', 'alice')));
	my $answer = as('alice', q(SELECT dqds_create_token('teller', '10 days', 'by alice')));
	is(fault($answer), '', 'alice makes a token for another role');
	$sql->must(q(SELECT dqds_revoke('admin', 'alice')));
	$answer->{rows}[0]{dqds_create_token};
};
sub role_of_token { my ($text, $session) = @_; return of(($session // $sql)->query("SELECT dqds_token_role(sha256('$text'))")); }
is(belongings('alice'), 'granted; payroll | granted,SUCCESS; payroll,SUCCESS | SUCCESS', 'alice has what was granted');
is(role_of_token($token), 'alice', 'and the token stands for alice');

like(fault($sql->query('DROP ROLE alice')), qr/^2BP01 role "alice" cannot be dropped because some objects depend on it/, 'a role that the registry names cannot be dropped just so');
$sql->must('ALTER ROLE alice RENAME TO "Alice, née Smith"');
is(belongings('Alice, née Smith'), 'granted; payroll | granted,SUCCESS; payroll,SUCCESS | SUCCESS', 'renamed, the role has all of it');
is(role_of_token($token), 'Alice, née Smith', 'and so has the token');
is($sql->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'payroll')), '"Alice, née Smith"', 'views show the new name');
$sql->must('ALTER ROLE "Alice, née Smith" RENAME TO alice');
$sql->must('CREATE ROLE heir; REASSIGN OWNED BY alice TO heir');
is(belongings('alice'), 'granted; payroll | granted,SUCCESS; payroll,SUCCESS | SUCCESS', 'REASSIGN OWNED concerns objects of PostgreSQL only');

# One dump from before the role was dropped, and one from after.
command_ok([ 'pg_dumpall', '-d', $control->connstr('postgres'), '-f', "$dir/with.sql" ], 'a dump with alice');
$sql->must('DROP OWNED BY alice; DROP ROLE alice');
command_ok([ 'pg_dumpall', '-d', $control->connstr('postgres'), '-f', "$dir/without.sql" ], 'a dump without the role');
my $dump = slurp_file("$dir/without.sql");
my @rows = $dump =~ /^COPY public\.dqds_(?:connection|connection_grant|credential_grant|token) .*?^\\\.$/msg;
is(scalar @rows, 4, 'four tables of it name roles');
unlike(join('', @rows), qr/\b$alice\b/, 'its number is in none of them');
unlike(join('', @rows), qr/\talice(?:\t|$)/m, 'nor is its name');
is(of($sql->query('SELECT connection_name, owner FROM dqds_connections ORDER BY 1')), 'granted,boss; ledger,boss; payroll,-', 'admins see that the connection has no owner');
is(of($sql->query('SELECT description, role, created_by FROM dqds_tokens ORDER BY 1')), 'by alice,teller,-; of alice,-,' . $sql->value('SELECT quote_ident(current_user)'), 'and the same of tokens');
is($sql->value('SELECT granted_to FROM dqds_credentials'), '{teller}', 'and of credentials');

# --- The number of the dropped role
# -----------------------------------------------------------------------------------------------------

# has_nothing(ROLE, NODE, WHAT): the role that has the number now has nothing of alice. Levels are granted as they would be to any role.
sub has_nothing
{
	my ($role, $node, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $super = DqdsTest::Sql->connect($node);
	$super->must(q{SELECT dqds_grant('editor', } . sql_literal(ident($role)) . ')');
	is(belongings($role, $node), $nothing, "$what: has no connection");
	is(role_of_token($token, $super), '28000 a valid bearer token is required', "$what: the old token stands for no one");
	is(role_of_token($by_alice, $super), 'teller', "$what: one that was made for a living role still works");
	is($super->value('SELECT granted_to FROM dqds_credentials'), '{teller}', "$what: has no credential");
	my $reference = sql_literal(connection_model($remote, password => '${credential://key}'));
	is(fault(as($role, "SELECT dqds_create_connection('own', $reference)", $node)), '', "$what: registers a connection of its own, and is known from then on");
	$super->must("SELECT dqds_grant_connection('ledger', " . sql_literal(ident($role)) . ')');
	is(belongings($role, $node), 'ledger; own | ledger,SUCCESS; own,FAILURE | 42704 connection "payroll" does not exist', "$what: has that, and what it is granted itself");
	is(of(as($role, q(SELECT error_code FROM dqds_test_connection('own')), $node)), 'unresolved_secret', "$what: but not the credential");
	is(role_of_token($token, $super), '28000 a valid bearer token is required', "$what: nor does the token stand for it");
	is(of($super->query('SELECT description, role, created_by FROM dqds_tokens WHERE description IS NOT NULL AND role <> 0::regrole ORDER BY 1')),
		'by alice,teller,-', "$what: has made no token");
	is(of($super->query(q(SELECT owner FROM dqds_connections WHERE connection_name = 'payroll'))), '-', "$what: the old connection is still no one's");
	$super->must(q(SELECT dqds_set_connection_owner('payroll', 'boss')));
	is(of(as('boss', q(SELECT connection_test_result FROM dqds_test_connection('payroll')), $node)), 'SUCCESS', "$what: an admin may give it to someone");
	is(of(as('teller', q(SELECT connection_test_result FROM dqds_test_connection('granted')), $node)), 'SUCCESS', "$what: and the living have what they had");
	$super->close;
	return;
}

# Clusters that a dump is restored into: roles of it get other numbers, so one has that of alice.
foreach my $kind (qw(without with))
{
	my $node = control_server("restored_$kind", extension => 0, conf => 'autovacuum = off');
	command_ok([ 'psql', '-qX', '-d', $node->connstr('postgres'), '-f', "$dir/$kind.sql" ], "restored, $kind alice");
	my $super = DqdsTest::Sql->connect($node);
	if ($kind eq 'with')
	{
		is(belongings('alice', $node), 'granted; payroll | granted,SUCCESS; payroll,SUCCESS | SUCCESS', 'a living role has all of it in the other cluster');
		is(role_of_token($token, $super), 'alice', 'its token too');
		is($super->value(q(SELECT owner FROM dqds_connections WHERE connection_name = 'payroll')), 'alice', 'its connections too');
		$node->stop;
		next;
	}
	$super->close;
	if (DqdsTest::Sql->connect($node)->value("SELECT count(*) FROM pg_roles WHERE oid = $alice") == 0)
	{
		role_numbered($alice, 'bob', $node);
		has_nothing('bob', $node, 'the role with that number in another cluster');
	}
	else { fail("the number $alice is taken already"); }
	$node->stop;
}

$sql->close;
role_numbered($alice, 'zoe');
$sql = DqdsTest::Sql->connect($control);
has_nothing('zoe', $control, 'the role with that number in the same cluster');

# One that is enrolled by a grant, and one by a token.
$sql->must('DROP OWNED BY zoe; DROP ROLE zoe');
is(of($sql->query('SELECT count(*) FROM dqds_connections WHERE owner = 0::regrole')), '1', 'once more a connection is left without owner');
$sql->close;
role_numbered($alice, 'yves');
$sql = DqdsTest::Sql->connect($control);
$sql->must(q(SELECT dqds_grant('operator', 'yves'), dqds_create_token('yves')));
is(of(as('yves', 'SELECT connection_name FROM dqds_connections')), '', 'a role is known by a token: nothing of the earlier ones is its');
$sql->must('DROP OWNED BY yves; DROP ROLE yves');
$sql->close;
role_numbered($alice, 'xaver');
$sql = DqdsTest::Sql->connect($control);
$sql->must(q(SELECT dqds_grant('operator', 'xaver'), dqds_grant_credential('key', 'xaver')));
is(of(as('xaver', 'SELECT connection_name FROM dqds_connections')), '', 'or by a credential');
is(of($sql->query(q(SELECT count(*) FROM dqds_tokens WHERE role = 'xaver'::regrole))), '0', 'its predecessor\'s token is gone');

# --- Dumps of the living, by any name -----------------------------------------------------------------------------------

my @names = ('Mixed Case', '-', '16384', 'a"b', q(it's), "tab\there", '😀', 'select', '0', 'pg', 'x' x 63);
foreach my $name (@names)
{
	my $role = sql_literal(ident($name));
	$sql->must('CREATE ROLE ' . ident($name) . "; SELECT dqds_grant('editor', $role), dqds_grant_connection('ledger', $role), dqds_grant_credential('key', $role), dqds_create_token($role, '1 day', 'of ' || $role)");
	is(fault(as($name, 'SELECT dqds_create_connection(' . sql_literal("of $name") . ", $model)")), '', ident($name) . ' registers a connection');
}

# registry(DATABASE): whose is what.
sub registry
{
	my ($database) = @_;
	my $session = DqdsTest::Sql->connect($control, database => $database);
	my $text = join "\n", map { of($session->query($_)) =~ s/; /\n/gr } (
		'SELECT connection_name, owner FROM dqds_connections ORDER BY 1',
		'SELECT name, g.grantee::text FROM dqds_connection_grant g JOIN dqds_connection c ON c.id = connection_id WHERE dqds_live_role(g.grantee) <> 0::regrole ORDER BY 1, 2',
		'SELECT grantee::text FROM dqds_credential_grant g WHERE dqds_live_role(g.grantee) <> 0::regrole ORDER BY 1',
		'SELECT description, role, created_by FROM dqds_tokens WHERE role <> 0::regrole ORDER BY 1, 2',
		q(SELECT unnest(proacl)::text FROM pg_proc WHERE proname ~ '^dqds_' ORDER BY oid::regprocedure::text, 1));
	$session->close;
	return $text;
}
my $before = registry('postgres');
foreach my $step ([ postgres => 'once' ], [ once => 'twice' ])
{
	my ($from, $to) = @$step;
	command_ok([ 'pg_dump', '-d', $control->connstr($from), '-f', "$dir/$to.sql" ], "pg_dump of $from");
	$sql->must("CREATE DATABASE $to TEMPLATE template0");
	command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $control->connstr($to), '-f', "$dir/$to.sql" ], "restored as $to");
	is(line_differences(registry($to), $before), '', "$to: everything is whose it was");
}
foreach my $name (@names)
{
	is(of(as($name, 'SELECT connection_name, connection_test_result FROM dqds_test_connections()', $control, 'twice')), join('; ', map { "$_,SUCCESS" } sort 'ledger', "of $name"),
		ident($name) . ' has what it had, in the restored database');
}

# --- The conditions of a dump are bound --------------------------------------------------------------------------------

$sql->must(q(CREATE SCHEMA evil;
	CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
	CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
	CREATE DOMAIN evil.text AS pg_catalog.int4));
foreach my $row ($sql->rows(q(SELECT u.oid::regclass AS name, condition FROM pg_extension, unnest(extconfig, extcondition) AS u (oid, condition) WHERE extname = 'dqds' AND condition <> '')))
{
	my $count = "SELECT count(*) FROM ONLY public.$row->{name} $row->{condition}";
	my $plain = $sql->value($count);
	cmp_ok($plain, '>', 0, "$row->{name}: there are rows to dump");
	$sql->must('SET search_path = evil, pg_catalog');
	my $answer = $sql->query($count);
	$sql->must('RESET search_path');
	is(of($answer), $plain, "$row->{name}: the same rows, whatever the search_path finds");
}

# --- Roles of a special kind -----------------------------------------------------------------------------------------------

my $me = $sql->value('SELECT current_user');
$sql->must(q(CREATE ROLE super SUPERUSER; GRANT pg_read_all_data TO teller; SELECT dqds_grant_connection('ledger', 'pg_read_all_data'), dqds_set_connection_owner('granted', 'super')));
is(of(as('teller', q(SELECT connection_test_result FROM dqds_test_connection('ledger')))), 'SUCCESS', 'a predefined role can be granted a connection');
is(of($sql->query(q(SELECT owner FROM dqds_connections WHERE connection_name = 'granted'))), 'super', 'a superuser can own one');
$sql->must(q(SELECT dqds_set_connection_owner('granted', current_user::text)));
is(of($sql->query(q(SELECT owner FROM dqds_connections WHERE connection_name = 'granted'))), $me, 'the owner of the extension, too');
like(fault($sql->query('DROP ROLE super')), qr/^2BP01/, 'a superuser is known as well');
$sql->must('DROP OWNED BY super; DROP ROLE super');

# Levels that were granted by GRANT, even to PUBLIC, enrol no role.
$sql->must('CREATE ROLE plain; GRANT EXECUTE ON FUNCTION dqds_enrolled() TO PUBLIC');
is(of($sql->query(q(SELECT count(*) FROM dqds_connections WHERE owner = 0::regrole))), '1', 'EXECUTE for PUBLIC brings no dropped role back');
$sql->must('REVOKE EXECUTE ON FUNCTION dqds_enrolled() FROM PUBLIC');

# --- Very many -----------------------------------------------------------------------------------------------------------------

$sql->must(q(DO $$ BEGIN FOR i IN 1 .. 1000 LOOP EXECUTE format('CREATE ROLE many%s', i); END LOOP; END $$));
$sql->must(q(DO $$ BEGIN FOR i IN 1 .. 1000 LOOP PERFORM dqds_grant_connection('ledger', 'many' || i); END LOOP; END $$));
$sql->must(q(SELECT dqds_create_connection('c' || i, '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}') FROM generate_series(1, 1000) AS i));
$sql->must(q(SELECT dqds_grant('operator', 'many1000'), dqds_grant('editor', 'many999')));
is(of($sql->query(q(SELECT count(*) FROM pg_proc, aclexplode(proacl) a WHERE proname = 'dqds_enrolled' AND a.grantee::regrole::text LIKE 'many%'))), '1000', '1,000 roles are known');
is(of(as('many1000', 'SELECT connection_name FROM dqds_connections')), 'ledger', 'the last of them has its connection');
my $one  = as('many1000', q(SELECT connection_test_result FROM dqds_test_connection('ledger')));
is(of($one), 'SUCCESS', 'and can use it');
my $all = as('many999', 'SELECT * FROM dqds_test_connections()');
is(scalar @{ $all->{rows} }, 1, 'among 1,000 connections each finds its own');
# This takes a tenth of a second; a slow implementation takes a second for each thousand roles and connection.
cmp_ok($all->{seconds}, '<', 30, sprintf('in good time (%.2f s)', $all->{seconds}));
my $view = $sql->query('SELECT count(*) FROM dqds_connections');
cmp_ok($view->{seconds}, '<', 30, sprintf('and so does the view (%.2f s)', $view->{seconds}));

$sql->close;
$control->stop;
$remote->stop;
done_testing();
