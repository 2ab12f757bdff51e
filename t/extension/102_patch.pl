# dqds_patch_connection changes the given members and leaves the rest of a model as it is, stored secrets included, by the
# rules of RFC 7396; secrets may be sent to the same places as after an update. Two concurrent patches are both kept. And
# dqds_test_connections accepts a name.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote = remote_server('remote');
my $control;
{
	local $ENV{DQDS_SECRET_PASSWORD} = remote_password($remote);
	$control = control_server('control');
}
my $sql = DqdsTest::Sql->connect($control);
my %of  = (super => $sql);
foreach my $role (qw(viewer operator editor other admin))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'other' ? 'editor' : $role);
	$of{$role} = DqdsTest::Sql->connect($control, user => $role);
}

sub outcome { my ($answer) = @_; return $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : 'ok'; }

# patch(PATCH, NAME = 'shop', TYPE = text, ROLE = super): what came of it. PATCH is data or JSON.
sub patch
{
	my ($patch, $name, $type, $role) = @_;
	my $json = ref $patch ? to_json($patch) : $patch;
	return outcome($of{ $role // 'super' }->query('SELECT dqds_patch_connection(' . sql_literal($name // 'shop') . ', ' . sql_literal($json) . '::' . ($type // 'text') . ')'));
}

sub test { my ($name) = @_; my $row = $sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($name // 'shop') . ')')->{rows}[0]; return $row->{error_code} // $row->{connection_test_result}; }

# The stored model, with its secrets apart.
sub stored { my ($name) = @_; return from_json($sql->value('SELECT model FROM dqds_connection WHERE name = ' . sql_literal($name // 'shop'))); }

# --- One thing changes -----------------------------------------------------------------------------------------------

create_connection($control, 'shop', connection_model($remote, parallel_jobs_limit => 7, properties => { application_name => 'a', connect_timeout => '20' }, labels => ['x']));
my $first = stored();
is(test(), 'SUCCESS', 'a connection');
$remote->safe_psql('postgres', q(ALTER ROLE reader PASSWORD 'new password'));
is(test(), 'authentication_failed', 'the password has changed at the remote');
is(patch({ postgresql => { password => 'new password' } }), 'ok', 'a patch gives the new one');
is(test(), 'SUCCESS', 'with which it works');
is_deeply(stored(), $first, 'all else is as it was');

foreach my $type (qw(text json jsonb))
{
	is(patch({ parallel_jobs_limit => 5, postgresql => { options => "-c application_name=$type" } }, 'shop', $type), 'ok', "two members, by $type");
	my $now = stored();
	is("$now->{parallel_jobs_limit} $now->{postgresql}{options}", "5 -c application_name=$type", 'have changed');
	is(test(), 'SUCCESS', 'it still has its password');
}
is(patch({ parallel_jobs_limit => undef, postgresql => { options => undef }, labels => undef }), 'ok', 'null removes');
my $now = stored();
is_deeply($now, { %$first{qw(provider_type postgresql)} }, 'what it is given for');
is(patch('{}'), 'ok', 'an empty patch');
is_deeply(stored(), $now, 'changes nothing');
is(patch({ connection_name => 'shop', can_edit => JSON::PP::false, connection_hash => 5 }), 'ok', 'its own name and what is computed');
is_deeply(stored(), $now, 'change nothing');
is(patch({ postgresql => { password => '********' } }), 'ok', 'a mask');
is(test(), 'SUCCESS', 'keeps the secret');

# --- Where a secret may go --------------------------------------------------------------------------------------------

my $again = 'QD020 "password" must be supplied again';
foreach my $row (
	[ 'another host', { host => 'localhost' } ], [ 'another port', { port => '5432' } ], [ 'another database', { database => 'other' } ], [ 'another user', { user => 'other' } ],
	[ 'another sslmode', { sslmode => 'disable' } ], [ 'another property', { properties => { application_name => 'b' } } ], [ 'a property less', { properties => undef } ], [ 'no host', { host => undef } ])
{
	my ($what, $section) = @$row;
	is(patch({ postgresql => $section }), $again, "$what: the password must be supplied again");
	is_deeply(stored(), $now, 'nothing has changed');
}
is(patch({ postgresql => { host => 'localhost', password => 'new password' } }), 'ok', 'with the password the host may change');
is(patch({ postgresql => { host => '127.0.0.1', properties => { application_name => undef }, password => 'new password' } }), 'ok', 'and a property may go');
is(test(), 'SUCCESS', 'it works');
is_deeply(stored()->{postgresql}{properties}, { connect_timeout => '20' }, 'the other property stays');
is(patch({ provider_type => 'redshift' }), $again, 'the provider is a part of the place');
is(patch({ provider_type => 'redshift', redshift => { host => '127.0.0.1', user => 'u', password => 'p' }, postgresql => undef }), 'ok', 'but may change with all that belongs to it');
is_deeply(stored(), { provider_type => 'redshift', redshift => { host => '127.0.0.1', user => 'u', password => '********' } }, 'then nothing of the other one is left');
is($sql->value(q(SELECT secrets #>> '{redshift,password}' || ' ' || coalesce(secrets ->> 'postgresql', 'none') FROM dqds_connection_secret)), 'p none', 'nor of its secrets');
is(patch({ redshift => { password => undef } }), 'ok', 'a password may be removed');
is($sql->value('SELECT count(*) FROM dqds_connection_secret'), 0, 'and is gone');

# --- As RFC 7396 has it ------------------------------------------------------------------------------------------------

# The cases of its appendix, each as a member of a model; a model keeps no nulls, wherever they come from.
my $section = '"mysql":{"host":"127.0.0.1","port":"1","user":"u"}';
foreach my $case (
	[ '{"a":"b"}', '{"a":"c"}', '{"a":"c"}' ], [ '{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}' ], [ '{"a":"b"}', '{"a":null}', '{}' ], [ '{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}' ],
	[ '{"a":["b"]}', '{"a":"c"}', '{"a":"c"}' ], [ '{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}' ], [ '{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}' ], [ '{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}' ],
	[ '["a","b"]', '["c","d"]', '["c","d"]' ], [ '{"a":"b"}', '["c"]', '["c"]' ], [ '{"a":"foo"}', '"bar"', '"bar"' ], [ '{"e":1}', '{"a":1}', '{"a":1,"e":1}' ], [ '[1,2]', '{"a":"b","c":null}', '{"a":"b"}' ],
	[ '{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}' ], [ '"x"', '{"a":{"b":[null,{"c":null}]}}', '{"a":{"b":[null,{"c":null}]}}' ], [ '{"a":{"b":{"c":1,"d":2},"e":3}}', '{"a":{"b":{"c":null,"f":{"g":4}}}}', '{"a":{"b":{"d":2,"f":{"g":4}},"e":3}}' ])
{
	my ($original, $patch, $result) = @$case;
	$sql->must("SELECT dqds_update_connection('shop', " . sql_literal("{\"provider_type\":\"mysql\",$section,\"x\":$original}") . ')');
	is(patch("{\"x\":$patch}"), 'ok', "$original with $patch");
	is_deeply(stored(), from_json("{\"provider_type\":\"mysql\",$section,\"x\":$result}"), "is $result");
}
is(patch('{"x":null}'), 'ok', 'null removes all of it');
is_deeply(stored(), from_json("{\"provider_type\":\"mysql\",$section}"), 'whatever it was');

# --- Invalid patches --------------------------------------------------------------------------------------------------------

foreach my $row (
	[ '[]', '42804 the connection model must be a JSON object' ], [ 'null', '42804 the connection model must be a JSON object' ], [ '"x"', '42804 the connection model must be a JSON object' ],
	[ '{"x"', '22P02 the connection model is not valid JSON: it cannot be parsed' ], [ 'postgresql://u:p@h/d', '22P02 the connection model is not valid JSON: it cannot be parsed' ],
	[ '{"provider_type":null}', 'QD020 "provider_type" is missing in the connection model' ], [ '{"provider_type":"nosql"}', 'QD020 "provider_type" in the connection model is not valid' ],
	[ '{"mysql":[]}', '42804 "mysql" in the connection model must be an object' ], [ '{"connection_name":"other"}', 'QD020 the model is of connection "other", not of "shop"' ],
	[ '{"x":1e60}', 'QD020 a number in "x" of the connection model has more than 40 digits' ], [ '{"x":' . '[' x 100 . ']' x 100 . '}', 'QD020 the connection model has more than 100 levels of nesting' ])
{
	is(patch($row->[0]), $row->[1], substr($row->[0], 0, 60) . ": $row->[1]");
}
is(outcome($sql->query(q(SELECT dqds_patch_connection('shop', NULL::jsonb)))), '22004 the connection model must not be null', 'NULL is no patch');
is(outcome($sql->query(q(SELECT dqds_patch_connection(NULL, '{}')))), '22004 the name of a connection must not be null', 'nor a name');
# Each is within bounds, both together are not.
my $half = 'x' x 600_000;
is(patch("{\"x\":\"$half\"}"), 'ok', 'a large patch');
is(patch("{\"y\":\"$half\"}"), 'QD020 the connection model has more than 1048576 bytes as text', 'a second one is too much');
is(patch('{"x":{"a":1}}'), 'ok', 'the first one can be replaced');
is(patch('{"x":' . '{"a":' x 99 . '1' . '}' x 100), 'ok', '100 levels');
is(patch('{"x":' . '{"a":' x 99 . '{"b":1}' . '}' x 100), 'QD020 the connection model has more than 100 levels of nesting', 'no more');
is(outcome($sql->query(q(BEGIN READ ONLY; SELECT dqds_patch_connection('shop', '{}')))), '25006 cannot execute dqds_patch_connection in a read-only transaction', 'it writes');
$sql->must('ROLLBACK');

# --- Privileges
# --------------------------------------------------------------------------------------------------------------------

$sql->must(q(SELECT dqds_set_connection_owner('shop', 'editor'), dqds_grant_connection('shop', 'other'), dqds_grant_connection('shop', 'operator')));
foreach my $row (
	[ 'viewer', '42501 permission denied for function dqds_patch_connection' ], [ 'operator', '42501 permission denied for function dqds_patch_connection' ], [ 'other', '42501 must be owner of connection "shop"' ],
	[ 'editor', 'ok' ], [ 'admin', 'ok' ])
{
	is(patch('{"x":2}', 'shop', 'jsonb', $row->[0]), $row->[1], "$row->[0]: $row->[1]");
}
$sql->must(q(SELECT dqds_revoke_connection('shop', 'other')));
is(patch('{"x":2}', 'shop', 'jsonb', 'other'), '42704 connection "shop" does not exist', 'to others it does not exist');
is(patch('{"x":2}', 'none', 'jsonb', 'editor'), '42704 connection "none" does not exist', 'nor does an unknown one');

# References to the environment are an admin's: what one wrote stays when an admin patches something else, and no one else may.
$remote->safe_psql('postgres', "ALTER ROLE reader PASSWORD '" . remote_password($remote) . q('));
is(outcome($of{admin}->query("SELECT dqds_create_connection('env', " . sql_literal(connection_model($remote, password => '${DQDS_SECRET_PASSWORD}')) . ')')), 'ok', 'a reference of an admin');
is(patch({ parallel_jobs_limit => 3 }, 'env', 'jsonb', 'admin'), 'ok', 'the admin patches something else');
is(test('env'), 'SUCCESS', 'the reference is still good');
$sql->must(q(SELECT dqds_set_connection_owner('env', 'editor')));
like(patch({ parallel_jobs_limit => 4 }, 'env', 'jsonb', 'editor'), qr/^QD021 "postgresql.password" refers to the environment/, 'an owner who is no admin does not');
is(patch({ postgresql => { password => remote_password($remote) } }, 'env', 'jsonb', 'editor'), 'ok', 'but may put a password in its place');
is(test('env'), 'SUCCESS', 'which works');
like(patch({ postgresql => { user => '${DQDS_SECRET_PASSWORD}', password => 'x' } }, 'env', 'jsonb', 'editor'), qr/^QD021 /, 'and not write a reference');

# --- Two at once ------------------------------------------------------------------------------------------------------------------

foreach my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	$sql->must("SELECT dqds_update_connection('shop', '{\"provider_type\":\"mysql\",$section,\"x\":{}}')");
	$of{editor}->must("BEGIN ISOLATION LEVEL $level; SELECT 1");
	$of{admin}->must(q(BEGIN; SELECT dqds_patch_connection('shop', '{"x":{"first":1}}')));
	# A caller's own lock_timeout is the time that it waits.
	$of{editor}->must(q(SET LOCAL lock_timeout = '60s'));
	$of{editor}->send(q(SELECT dqds_patch_connection('shop', '{"x":{"second":2}}')));
	ok(poll_until(sub { $sql->value(q(SELECT count(*) FROM pg_locks WHERE NOT granted)) > 0 }), "$level: the second one waits");
	$of{admin}->must('COMMIT');
	my $second = outcome($of{editor}->answer);
	if ($level eq 'READ COMMITTED')
	{
		is($second, 'ok', 'and goes on');
		$of{editor}->must('COMMIT');
		is_deeply(stored()->{x}, { first => 1, second => 2 }, 'both are kept');
	}
	else
	{
		like($second, qr/^40001 /, 'or has to be tried again');
		$of{editor}->must('ROLLBACK');
		is_deeply(stored()->{x}, { first => 1 }, 'nothing is lost');
	}
}
$of{admin}->must(q(BEGIN; SELECT dqds_patch_connection('shop', '{"x":{"third":1}}')));
like(patch('{"x":2}', 'shop', 'jsonb', 'editor'), qr/^QD022 another transaction is changing the same connection/, 'it does not wait for ever');
$of{admin}->must('ROLLBACK');

# --- dqds_test_connections by a name -----------------------------------------------------------------------------------------------

create_connection($control, 'a, b "c"', connection_model($remote));
sub tested
{
	my ($argument, $role) = @_;
	my $answer = $of{ $role // 'super' }->query("SELECT * FROM dqds_test_connections($argument)");
	return $answer->{error} ? outcome($answer) : join '; ', map { "$_->{connection_name}: " . ($_->{error_code} // $_->{connection_test_result}) } @{ $answer->{rows} };
}
my $all = 'a, b "c": SUCCESS; env: SUCCESS; shop: connection_refused';
foreach my $row (
	[ q('env'), 'env: SUCCESS' ], [ q('a, b "c"'), 'a, b "c": SUCCESS' ], [ q('env'::text), 'env: SUCCESS' ], [ q(connections => 'env'), 'env: SUCCESS' ],
	[ q('{env,shop}'), 'env: SUCCESS; shop: connection_refused' ], [ q(' {shop,env}'), 'shop: connection_refused; env: SUCCESS' ], [ q('{"a, b \"c\"",env}'), 'a, b "c": SUCCESS; env: SUCCESS' ], [ q('{}'), '' ],
	[ q(ARRAY['env', 'shop']), 'env: SUCCESS; shop: connection_refused' ], [ q('{env,shop}'::text[]), 'env: SUCCESS; shop: connection_refused' ],
	[ '', $all ], [ 'NULL', $all ], [ 'NULL::text', $all ], [ 'NULL::text[]', $all ], [ 'connections => NULL', $all ],
	[ q('none'), '42704 connection "none" does not exist' ], [ q('{env,none}'), '42704 connection "none" does not exist' ], [ q('{env,NULL}'), '22004 the name of a connection must not be null' ],
	[ q('{env'), '22P02 the names of connections are not a valid array' ], [ q('{"provider_type": "postgresql", "postgresql": {"password": "canary"}}'), '22P02 the names of connections are not a valid array' ],
	[ q('postgresql://u:canary@h/d'), '42704 a connection with this name does not exist' ], [ q(''), '42704 connection "" does not exist' ])
{
	is(tested($row->[0]), $row->[1], "dqds_test_connections($row->[0])");
}
is(tested(q('env'), 'other'), '42704 connection "env" does not exist', 'one that the caller may not use does not exist');
is(tested(q('env'), 'viewer'), '42501 permission denied for function dqds_test_connections', 'a viewer tests nothing');
unlike(slurp_file($control->logfile), qr/canary/, 'the log has nothing of a model that was given for a name');
done_testing();
