# Secrets: references to stored credentials and to the server's environment are resolved only for roles that may use them, and
# only towards the hosts that they are for; the mask stands for a stored secret only if it leads to the same place; and no
# secret is shown in an answer, a log, pg_stat_activity, pg_stat_statements or a process title. The test also shows where a
# password does appear, because a user writes it into a statement: doc/operations.md says the
# same.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote   = remote_server('remote', conf => 'log_connections = on');
my $password = remote_password($remote);
my $half     = int(length($password) / 2);
my $value    = 'c4nary-4-nobody';
my %env      = (
	DQDS_SECRET_CANARY   => $value,
	DQDS_SECRET_QUOTED   => qq(c4nary"$value),
	DQDS_SECRET_PASSWORD => $password,
	DQDS_SECRET_FIRST    => substr($password, 0, $half),
	DQDS_SECRET_SECOND   => substr($password, $half),
	DQDS_SECRET_USER     => 'reader',
	DQDS_SECRET_PORT     => '' . $remote->port,
	DQDS_SECRET_NESTED   => '${DQDS_SECRET_PASSWORD}',
	OTHER_SECRET         => $password);
my $control;
my $has_statements = has_extension('pg_stat_statements');
{
	local @ENV{ keys %env } = values %env;
	$control = control_server('control', conf => $has_statements ? q(shared_preload_libraries = 'pg_stat_statements') : '');
}
$control->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements') if $has_statements;

my %sql = (super => DqdsTest::Sql->connect($control));
foreach my $role (qw(alice bob carol admin))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'carol' ? 'operator' : $role eq 'admin' ? 'admin' : 'editor');
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
	$sql{$role}->must(q(SET dqds.connect_timeout = '2s'));
}

# --- Results of tests ---------------------------------------------------------------------------------------

my @said;    # all answers: they must not contain a secret

# A test of a name or a model as a role: "SUCCESS", or the error code and the message.
sub test_as
{
	my ($role, $connection) = @_;
	my $answer = $sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal($connection) . '::text, false)');
	push @said, to_json($answer);
	return "$answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
	my $row = $answer->{rows}[0];
	return $row->{connection_test_result} eq 'SUCCESS' ? 'SUCCESS' : "$row->{error_code}: $row->{error_message}";
}

sub register
{
	my ($role, $name, $model) = @_;
	$sql{$role}->must('SELECT dqds_create_connection(' . sql_literal($name) . ', ' . sql_literal($model) . ')');
	return;
}

sub with { return connection_model($remote, @_); }

# The message about a reference that cannot be resolved.
sub unresolved { return qq(unresolved_secret: the reference \${$_[0]} in "postgresql.) . ($_[1] // 'password') . '" cannot be resolved'; }

my $port    = $remote->port;
my $reader  = 'credential://shop reader';
my $by_name = with(password => "\${$reader}");

# --- Stored credentials ---------------------------------------------------------------------------------------

is(test_as('alice', $by_name), unresolved($reader), 'a credential that is not there');
$sql{admin}->must(q{SELECT dqds_create_credential('shop reader', } . sql_literal($password) . ", '127.0.0.1:$port')");
is(test_as('alice', $by_name), unresolved($reader), 'one that was not granted: the same words');
is(test_as('admin', $by_name), unresolved($reader), 'not even to an admin');
$sql{admin}->must(q(SELECT dqds_grant_credential('shop reader', 'alice')));
is(test_as('alice', $by_name), 'SUCCESS', 'granted: it is used');
is(test_as('bob',   $by_name), unresolved($reader), 'by no one else');

my ($shown) = $sql{admin}->rows('SELECT * FROM dqds_credentials');
is_deeply([ sort keys %$shown ], [ sort qw(credential_name allowed_hosts created_at updated_at granted_to) ], 'dqds_credentials has no column for the secret');
is("$shown->{credential_name} $shown->{allowed_hosts} $shown->{granted_to}", "shop reader 127.0.0.1:$port {alice}", 'it says where and for which roles');

# A registered connection uses what its owner was granted, whatever the caller.
register('alice', 'shop', $by_name);
$sql{admin}->must(q(SELECT dqds_grant_connection('shop', 'carol')));
is(test_as('carol', 'shop'), 'SUCCESS', 'a connection of its owner works for others');
is(test_as('carol', $by_name), unresolved($reader), 'the same model in their own hands does not');
register('bob', 'shop of bob', $by_name);
is(test_as('bob', 'shop of bob'), unresolved($reader), 'a connection of another role does not');
$sql{admin}->must(q(SELECT dqds_grant_connection('shop of bob', 'alice')));
is(test_as('alice', 'shop of bob'), unresolved($reader), 'nor for a role that was granted the credential: its owner counts');
$control->safe_psql('postgres', 'CREATE ROLE team; GRANT team TO bob');
$sql{admin}->must(q(SELECT dqds_grant_credential('shop reader', 'team')));
is(test_as('bob', 'shop of bob'), 'SUCCESS', 'granted to a role that the owner is a member of');
$sql{admin}->must(q(SELECT dqds_revoke_credential('shop reader', 'team')));
is(test_as('bob', 'shop of bob'), unresolved($reader), 'and revoked again');

# Failures with credentials.
foreach my $row (
	[ q(dqds_create_credential('shop reader', 'x', '*')), '42710' ], [ q(dqds_create_credential('', 'x', '*')), '22023' ],
	[ q(dqds_create_credential(NULL, 'x', '*')), '22004' ], [ q(dqds_create_credential('n', NULL, '*')), '22004' ],
	[ q(dqds_create_credential('n', 'x', NULL)), '22004' ], [ q(dqds_create_credential('n', 'x', '')), '22023' ],
	[ q(dqds_create_credential('n', 'x', 'a b')), '22023' ], [ q(dqds_replace_credential('nope', 'x')), '42704' ],
	[ q(dqds_replace_credential('shop reader', 'x', '')), '22023' ], [ q(dqds_drop_credential('nope')), '42704' ],
	[ q(dqds_grant_credential('nope', 'alice')), '42704' ], [ q(dqds_revoke_credential('nope', 'alice')), '42704' ])
{
	is($sql{admin}->query("SELECT $row->[0]")->{error}{sqlstate}, $row->[1], "$row->[0]: $row->[1]");
}
is($sql{alice}->query("SELECT $_")->{error}{sqlstate}, '42501', "an editor: $_: 42501")
  foreach q(dqds_create_credential('n', 'x', '*')), q(dqds_replace_credential('shop reader', 'x', '*')), q(dqds_grant_credential('shop reader', 'bob'));
is($sql{admin}->query("SELECT * FROM $_")->{error}{sqlstate}, '42501', "not even an admin reads $_") foreach qw(dqds_credential dqds_credential_grant dqds_connection_secret);

# --- Allowed hosts ---------------------------------------------------------------------------------------------------

# This server keeps whatever is sent to it, and refuses every login.
my $kept  = PostgreSQL::Test::Utils::tempdir('secrets') . '/received';
my $thief = start_fake_server(sub {
	my ($client) = @_;
	open my $file, '>>', $kept or die $!;
	syswrite $file, 'connected ';
	close $file;
	pg_read_startup($client);
	send_bytes($client, pg_auth(3));
	hold($client, $kept);
});
my $thief_port = $thief->port;
foreach my $row (
	# the hosts of the credential, those of the model, does it fit?
	[ '*',                  {}, 1 ], [ "*:$port", {}, 1 ],
	[ '127.0.0.1',          {}, 1 ], [ '127.0.0.0/8', {}, 1 ], [ "127.0.0.0/8:$port", {}, 1 ],
	[ '127.0.0.0/8, ::1',   { host => 'localhost' }, 1 ], # which may be both
	[ 'localhost',          { host => 'localhost' }, 1 ], [ 'local*', { host => 'LOCALHOST' }, 1 ],
	[ "db.example, localhost:$port", { host => 'localhost' }, 1 ],
	[ 'localhost',          {}, 0 ],
	[ '127.0.0.2',          {}, 0 ], [ '10.0.0.0/8', { host => 'localhost' }, 0 ],
	[ "127.0.0.1:$port",    { port => "$thief_port" }, 0 ], [ "*:$port", { port => "$thief_port" }, 0 ],
	[ '10.0.0.0/8',         { port => "$thief_port" }, 0 ], [ 'db.example', { port => "$thief_port", host => 'localhost' }, 0 ])
{
	my ($hosts, $place, $fits) = @$row;
	$sql{admin}->must(q{SELECT dqds_replace_credential('shop reader', } . sql_literal($password) . ", '$hosts')");
	my $what = "a credential for $hosts towards " . ($place->{host} // '127.0.0.1') . ($place->{port} ? ', another port' : '');
	my $outcome = test_as('alice', with(password => "\${$reader}", properties => { allow_cleartext_password => 'true' }, %$place));
	if ($fits) { is($outcome, 'SUCCESS', "$what: used"); next; }
	like($outcome, qr/^unresolved_secret: a credential of this connection may not be used for/, "$what: unresolved_secret");
	ok(!-e $kept, 'and there was no connection');
}
# The server would have received the secret.
like(test_as('alice', with(password => 'a lure', port => "$thief_port", properties => { allow_cleartext_password => 'true' })), qr/^\w+: /, 'the thief asks');
like(slurp_file($kept), qr/a lure/, 'and it has what was sent');

# Two credentials in one password: each of them must be for the host.
$sql{admin}->must(q{SELECT dqds_grant_credential('second half', 'alice') FROM dqds_create_credential('second half', } . sql_literal(substr $password, $half) . q{, 'localhost')});
$sql{admin}->must(q{SELECT dqds_replace_credential('shop reader', } . sql_literal(substr $password, 0, $half) . ", '127.0.0.0/8, ::1')");
my $halves = '${credential://shop reader}${credential://second half}';
is(test_as('alice', with(password => $halves, host => 'localhost')), 'SUCCESS', 'two credentials that both fit');
like(test_as('alice', with(password => $halves)), qr/^unresolved_secret: /, 'one of them does not');

# An existing session does not bypass this.
my $list = q(SELECT * FROM dqds_list_schemas('shop'));
my $logins = sub { return scalar(() = slurp_file($remote->logfile) =~ /connection authorized: user=reader/g); };
$sql{admin}->must(q{SELECT dqds_replace_credential('shop reader', } . sql_literal($password) . ", '127.0.0.0/8, ::1')");
$sql{carol}->must($list);
my $before = $logins->();
$sql{carol}->must($list);
is($logins->() - $before, 0, 'a remote session is used again');
$sql{admin}->must(q{SELECT dqds_replace_credential('shop reader', } . sql_literal($password) . ", 'db.example')");
is($sql{carol}->query($list)->{error}{sqlstate}, 'QD021', 'but not when the credential is for another host now');
$sql{admin}->must(q(SELECT dqds_replace_credential('shop reader', 'changed', '*')));
is($sql{carol}->query($list)->{error}{sqlstate}, 'QD009', 'nor when the secret has changed');
$sql{admin}->must(q{SELECT dqds_replace_credential('shop reader', } . sql_literal($password) . ')');
is($sql{admin}->value(q(SELECT allowed_hosts FROM dqds_credentials WHERE credential_name = 'shop reader')), '*', 'replaced without hosts: they stay');
$sql{carol}->must($list);
$sql{admin}->must(q(SELECT dqds_revoke_credential('shop reader', 'alice')));
is($sql{carol}->query($list)->{error}{sqlstate}, 'QD021', 'nor when it is revoked');
$sql{admin}->must(q(SELECT dqds_grant_credential('shop reader', 'alice')));
$sql{carol}->must($list);
$sql{admin}->must(q(SELECT dqds_drop_credential('shop reader')));
is($sql{carol}->query($list)->{error}{sqlstate}, 'QD021', 'nor when it is dropped');
is(test_as('alice', $by_name), unresolved($reader), 'dropped and unknown are one');

# --- The environment of the server -------------------------------------------------------------------------------

my $env = with(password => '${DQDS_SECRET_PASSWORD}');
is(test_as($_, $env), 'SUCCESS', "a variable, in a model of role $_") foreach qw(super admin);
is(test_as($_, $env), unresolved('DQDS_SECRET_PASSWORD'), "in a model of role $_: not resolved") foreach qw(alice carol);
is(test_as('alice', with(password => '${DQDS_SECRET_MISSING}')), unresolved('DQDS_SECRET_MISSING'), 'one that is not set reads alike');
foreach my $row (
	[ 'two in one value',              '${DQDS_SECRET_FIRST}${DQDS_SECRET_SECOND}', 'SUCCESS' ],
	[ 'with a default, but set',       '${DQDS_SECRET_PASSWORD:wrong}', 'SUCCESS' ],
	[ 'the default',                   "\${DQDS_SECRET_MISSING:$password}", 'SUCCESS' ],
	[ 'an empty default',              '${DQDS_SECRET_MISSING:}', qr/^password_required: / ],
	[ 'not set, without a default',    '${DQDS_SECRET_MISSING}', unresolved('DQDS_SECRET_MISSING') ],
	[ 'without the prefix',            '${OTHER_SECRET}', unresolved('OTHER_SECRET') ],
	[ 'without the prefix, a default', "\${OTHER_SECRET:$password}", unresolved('OTHER_SECRET') ],
	[ 'the server\'s own',             '${PGDATA}', unresolved('PGDATA') ],
	[ 'small letters',                 '${dqds_secret_password}', unresolved('dqds_secret_password') ],
	[ 'no name',                       '${}', unresolved('') ],
	[ 'a value that is a reference',   '${DQDS_SECRET_NESTED}', qr/^authentication_failed: / ],
	[ 'not closed: plain text',        '${DQDS_SECRET_PASSWORD', qr/^authentication_failed: / ])
{
	my ($what, $value, $outcome) = @$row;
	my $got = test_as('admin', with(password => $value));
	if (ref $outcome) { like($got, $outcome, "a variable: $what"); }
	else              { is($got, $outcome, "a variable: $what"); }
}
# An empty value must not make libpq use the operating system's user.
is(test_as('admin', with($_ => '${DQDS_SECRET_NOT_SET:}')), qq(invalid_connection: "postgresql.$_" is missing in the connection model), "a $_ that is nothing is missing") foreach qw(user host);
is(test_as('admin', with(user => '${DQDS_SECRET_USER}', port => '${DQDS_SECRET_PORT}', password => '${DQDS_SECRET_PASSWORD}')), 'SUCCESS', 'in other members');
{
	$sql{super}->must(q(SET dqds.secret_env_prefix = 'OTHER_'));
	is(test_as('super', with(password => '${OTHER_SECRET}')), 'SUCCESS', 'another prefix');
	is(test_as('super', $env), unresolved('DQDS_SECRET_PASSWORD'), 'then not the usual one');
	$sql{super}->must(q(SET dqds.secret_env_prefix = ''));
	is(test_as('super', with(password => "\${$_}")), unresolved($_), "an empty prefix: $_ is not resolved") foreach qw(DQDS_SECRET_PASSWORD OTHER_SECRET PATH);
	$sql{super}->must('RESET dqds.secret_env_prefix');
}

# A connection of alice as version 1.0 would have stored it: with references that no admin wrote.
sub plant
{
	my ($name, $model) = @_;
	register('admin', $name, $model);
	$control->safe_psql('postgres', "SELECT dqds_set_connection_owner('$name', 'alice'); UPDATE dqds_connection SET environment_members = '{}' WHERE name = '$name'");
	return;
}

# The writer of the model decides, not its user.
is($sql{alice}->query('SELECT dqds_create_connection(' . sql_literal('by alice') . ', ' . sql_literal($env) . ')')->{error}{sqlstate}, 'QD021', 'an editor cannot register a reference');
register('admin', 'by admin', $env);
plant('by alice', with(password => 'x${DQDS_SECRET_PASSWORD}'));
$sql{admin}->must(qq(SELECT dqds_grant_connection('$_', 'carol'))) foreach 'by admin', 'by alice';
is(test_as('carol', 'by admin'), 'SUCCESS', 'written by an admin: an operator may use it');
is(test_as($_, 'by alice'), unresolved('DQDS_SECRET_PASSWORD'), "written by an editor: not resolved for $_") foreach qw(carol admin super);
is(test_as('carol', with(connection_name => 'by admin', password => '********')), unresolved('DQDS_SECRET_PASSWORD'),
	'the mask in an operator\'s own model brings the reference, but it is not resolved');
# Options may set another role: a role that may only use a connection does not choose them for its secret.
{
	register('alice', 'pinned', with(options => '-c application_name=pinned'));
	$sql{admin}->must(q(SELECT dqds_grant_connection('pinned', 'carol')));
	my $again = qr/^invalid_connection: "password" must be supplied again/;
	is(test_as('carol', with(connection_name => 'pinned', password => '********', options => '-c application_name=pinned')), 'SUCCESS', 'the mask with the options of the connection');
	like(test_as('carol', with(connection_name => 'pinned', password => '********', options => '-c role=postgres')), $again, 'the mask with other options');
	like(test_as('carol', with(connection_name => 'pinned', password => '********')), $again, 'the mask without options');
	is(test_as('alice', with(connection_name => 'pinned', password => '********', options => '-c work_mem=1MB')), 'SUCCESS', 'the owner may choose others');
}
{
	my $lure = with(password => 'y${DQDS_SECRET_PASSWORD}', port => "$thief_port", properties => { allow_cleartext_password => 'true' });
	unlink $kept;
	plant('lure', $lure);
	my $model = from_json($sql{admin}->value(q(SELECT model FROM dqds_connections WHERE connection_name = 'lure')));
	is($model->{postgresql}{password}, '********', 'an admin sees the mask and not what is behind it');
	$model->{parallel_jobs_limit} = 2;
	$sql{admin}->must(q{SELECT dqds_update_connection('lure', } . sql_literal(to_json($model)) . ')');
	is(test_as('alice', 'lure'), unresolved('DQDS_SECRET_PASSWORD'), 'an admin who changes a connection has not written what the mask kept');
	$model->{connection_name} = 'lure';
	is(test_as('admin', to_json($model)), unresolved('DQDS_SECRET_PASSWORD'), 'nor one who tests it as it is shown');
	ok(!-e $kept, 'so nothing is sent');
	$control->safe_psql('postgres', q(UPDATE dqds_connection SET owner = 'alice' WHERE name = 'by admin'));
	is($sql{alice}->query(q{SELECT dqds_update_connection('by admin', } . sql_literal(with(password => '********', parallel_jobs_limit => 3)) . ')')->{error}{sqlstate}, 'QD021',
		'nor may an editor change what an admin has written, and keep the reference');
	is(test_as('carol', 'by admin'), 'SUCCESS', 'which works as before');
}

# --- The mask ------------------------------------------------------------------------------------------------------

{
	create_connection($control, 'masked', with());
	my $bridge = start_bridge($control, level => 'admin', connections => ['masked']);
	my $path   = '/api/connections/masked/basic';
	my $test   = '/api/datasource/testconnection?verifyNameUniqueness=false';
	my $model  = http($bridge, GET => $path)->{json};
	is($model->{postgresql}{password}, '********', 'the mask comes in place of the password');
	is(http($bridge, PUT => $path, {}, to_json($model))->{status}, 204, 'and goes back');
	is(test_as('super', 'masked'), 'SUCCESS', 'the password is still there');
	is(http($bridge, POST => $test, {}, to_json($model))->{json}{connectionTestResult}, 'SUCCESS', 'a test with the mask uses it');
	foreach my $row ([ host => 'localhost' ], [ port => "$thief_port" ], [ database => 'template1' ], [ user => 'postgres' ], [ sslmode => 'disable' ], [ properties => { allow_cleartext_password => 'true' } ])
	{
		my ($key, $value) = @$row;
		my $changed = to_json({ %$model, postgresql => { %{ $model->{postgresql} }, $key => $value } });
		my $answer  = http($bridge, PUT => $path, {}, $changed);
		push @said, $answer->{raw};
		is("$answer->{status} $answer->{json}{errorCode}", '406 invalid_connection', "the mask with another $key: refused");
		is(http($bridge, POST => $test, {}, $changed)->{json}{errorCode}, 'invalid_connection', 'by a test as well');
	}
	is(http($bridge, POST => $test, {}, with(password => '********'))->{json}{errorCode}, 'invalid_connection', 'the mask without a name');
	is(http($bridge, POST => '/api/connections/copy/basic', {}, to_json($model))->{status}, 406, 'the mask under a new name');
	ok(!-e $kept, 'and the thief has got nothing');
	is(test_as('super', 'masked'), 'SUCCESS', 'after all that the connection works');
	$bridge->stop;
}

# --- The value is never shown ---------------------------------------------------------------------------------------

# A role that may use a secret could put it where messages show it: host, user, database, a property. A credential is resolved
# in the password only; what an admin takes from the environment goes everywhere, but is masked.
$sql{admin}->must(qq(SELECT dqds_create_credential('canary', '$value', '*'), dqds_grant_credential('canary', 'alice'),
	dqds_create_credential('confined', '$value', 'db.example'), dqds_grant_credential('confined', 'alice')));
{
	my %bridge = map { $_ => start_bridge($control, anonymous => $_, level => undef) } qw(alice admin);
	foreach my $reference ('${credential://canary}', '${credential://confined}', 'x${credential://canary}', '${DQDS_SECRET_CANARY}', '-c ${DQDS_SECRET_QUOTED}')
	{
		my $role = $reference =~ /credential/ ? 'alice' : 'admin';
		foreach my $place ([ host => $reference ], [ user => $reference ], [ database => $reference ], [ port => $reference ], [ options => "-c $reference" ],
			[ options => "-c work_mem=$reference" ], (map { [ properties => { $_ => $reference } ] } qw(application_name channel_binding ssl_min_protocol_version keepalives
			target_session_attrs connect_timeout allow_cleartext_password gssencmode)), [ password => $reference ])
		{
			my ($key, $where) = @$place;
			$where = $where->{ (keys %$where)[0] } ? (keys %$where)[0] : $key if ref $where;
			my $model  = sql_literal(with($key => $place->[1]));
			my @answer = map { to_json($sql{$role}->query("SELECT * FROM $_")) } "dqds_test_connection($model)", "dqds_diagnose_connection($model)",
			  "dqds_list_schemas($model)", "dqds_list_tables($model, 's')";
			push @answer, http($bridge{$role}, POST => '/api/datasource/testconnection?details=true', {}, with($key => $place->[1]))->{raw};
			is(scalar(grep { /c4nary/ } @answer), 0, "$reference in $key" . (ref $place->[1] ? " $where" : '') . ': no answer shows it')
			  or diag((grep { /c4nary/ } @answer)[0]);
		}
	}
	# A server that repeats the secret.
	my $parrot = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', ('y' x 390) . " you are $value, $value")); });
	my $model  = with(port => '' . $parrot->port, user => '${DQDS_SECRET_CANARY}');
	unlike(test_as('admin', $model), qr/c4n/, 'nor when the server says it, and the text is cut off in the middle of it');
	like(test_as('alice', with($_ => '${credential://canary}')), qr/^unresolved_secret: /, "a credential is not resolved in $_") foreach qw(host port database user options);
	$_->stop foreach values %bridge;
}

# --- Logs, views, titles -----------------------------------------------------------------------------------------------

my $secret = 'never-2-be-logged';
sub log_since { return slurp_file($control->logfile, $_[0]); }

# Errors of dqds are logged without the statement, whatever log_min_error_statement says.
{
	my $from  = -s $control->logfile;
	my $good  = with(password => $secret);
	my $short = substr $good, 0, -5;
	my $count = 0;
	foreach my $call ("dqds_test_connection('$short')", "dqds_test_connection('{\"provider_type\": 5, \"postgresql\": {\"password\": \"$secret\"}}')",
		"dqds_list_schemas('$good')", "dqds_list_tables('$good', 's')", "dqds_list_columns('$good', 's')", "dqds_import_tables('$good', 's')", "dqds_unimport_tables('$good', 's')",
		"dqds_create_connection('masked', '$good')", "dqds_create_connection('', '$good')", "dqds_update_connection('nope', '$good')", "dqds_update_connection('masked', '$short')",
		"dqds_create_credential('canary', '$secret', '*')", "dqds_create_credential('x', '$secret', '')", "dqds_replace_credential('nope', '$secret')",
		"dqds_diagnose_connection('$short')", "dqds_test_connection_json('$short', true, true)")
	{
		my $answer = $sql{super}->query("SELECT * FROM $call");
		ok($answer->{error}, substr($call, 0, index($call, '(')) . ': an error, ' . ($answer->{error}{sqlstate} // 'none'));
		$count++;
		push @said, $answer->{error}{message}, $answer->{error}{detail}, $answer->{error}{context};
	}
	# Cancelled while it waits.
	my $silent = start_fake_server(sub { hold($_[0]) });
	$sql{admin}->send('SELECT * FROM dqds_test_connection(' . sql_literal(with(port => '' . $silent->port, password => $secret)) . ')');
	ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND pid = ) . $sql{admin}->pid) }, 10), 'a call is cancelled');
	is($sql{admin}->answer(10)->{error}{sqlstate}, '57014', 'it ends with 57014');
	my $log = log_since($from);
	cmp_ok(scalar(() = $log =~ / ERROR: /g), '>', $count, 'the log has all these errors');
	unlike($log, qr/\Q$secret\E/, 'and the password in none of them');

	# A later error is logged with its statement again.
	$sql{super}->query('SELECT 1 / 0 AS after_all');
	like(log_since($from), qr/after_all/, 'other statements are logged with their errors as ever');
}

# Over REST the model is a parameter: no part of it is in a view, a title or a log.
{
	my $bridge = start_bridge($control, level => 'admin');
	my $from   = -s $control->logfile;
	my $silent = start_fake_server(sub { hold($_[0]) });
	my $body   = with(port => '' . $silent->port, password => $secret);
	my $socket = open_socket($bridge);
	print $socket "POST /api/datasource/testconnection HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	$socket->flush;
	my $pid = poll_until(sub { $sql{super}->value(q(SELECT pid FROM pg_stat_activity WHERE application_name = 'dqds-bridge' AND state = 'active' AND query LIKE '%test_connection%')) }, 10);
	ok($pid, 'a test is under way');
	unlike(to_json([ $sql{super}->rows(q(SELECT * FROM pg_stat_activity WHERE application_name = 'dqds-bridge')) ]), qr/\Q$secret\E/, 'pg_stat_activity does not have it');
	like($sql{super}->value('SELECT query FROM pg_stat_activity WHERE pid = ' . $sql{admin}->pid), qr/\Q$secret\E/,
		'but it does have what is written into a statement, until the next one of that session');
	my ($ps) = run_command([ 'ps', '-ww', '-e', '-o', 'pid,args' ]);
	like($ps, qr/^\s*$pid postgres: /m, 'the list of processes has the backend');
	unlike($ps, qr/\Q$secret\E|\Q$password\E|\Q$value\E/, 'and no secret');
	close $socket;
	my $good = with(password => $secret);
	http($bridge, POST => '/api/connections/fresh/basic', {}, $good);
	http($bridge, PUT  => '/api/connections/fresh/basic', {}, $good);
	http($bridge, POST => '/api/datasource/testconnection', {}, $_) foreach $good, substr $good, 0, -5;
	unlike(log_since($from), qr/\Q$secret\E/, 'the log of the control server, as it is by default');
	unlike($bridge->log, qr/\Q$secret\E/, 'the log of the bridge');

	SKIP:
	{
		skip 'pg_stat_statements is not installed with this server', 3 if !$has_statements;
		my $shown = to_json([ $sql{super}->rows('SELECT query FROM pg_stat_statements') ]);
		like($shown, qr/dqds_test_connection_json\(\$1/, 'pg_stat_statements has what the bridge runs');
		unlike($shown, qr/\Q$secret\E/, 'without the models');
		like($shown, qr/dqds_create_credential\(\$1, \$2, \$3\)/, 'and statements with a password in them without it, too');
	}

	# What "Logs" in doc/operations.md says of a control server that logs all statements.
	$control->safe_psql('postgres', $_) foreach q(ALTER SYSTEM SET log_statement = 'all'), 'SELECT pg_reload_conf()';
	ok(poll_until(sub { $sql{super}->value('SHOW log_statement') eq 'all' }, 10), 'log_statement is all');
	my $logged = sub {
		my ($what) = @_;
		my $at = -s $control->logfile;
		$what->();
		return log_since($at) =~ /\Q$secret\E/ ? 1 : 0;
	};
	my $post = sub { http($bridge, POST => '/api/datasource/testconnection', {}, $good); };
	ok(poll_until(sub { my $at = -s $control->logfile; $post->(); log_since($at) =~ /dqds-bridge|test_connection_json/ }, 10), 'the bridge\'s statements are logged');
	is($logged->(sub { $sql{super}->query("SELECT * FROM dqds_test_connection('$good')") }), 1, 'log_statement = all: a password in a statement is logged');
	is($logged->($post), 1, 'log_statement = all: so are the parameters of the bridge');
	$control->safe_psql('postgres', $_) foreach 'ALTER SYSTEM SET log_parameter_max_length = 0', 'SELECT pg_reload_conf()';
	ok(poll_until(sub { !$logged->($post) }, 10), 'log_parameter_max_length = 0: these are not');
	is($logged->(sub { $sql{super}->query("SELECT * FROM dqds_test_connection('$good')") }), 1, 'the statement still is');
	$control->safe_psql('postgres', $_) foreach q(ALTER SYSTEM SET log_statement = 'none'), 'ALTER SYSTEM SET log_min_duration_statement = 0', 'SELECT pg_reload_conf()';
	ok(poll_until(sub { $sql{super}->value('SHOW log_min_duration_statement') eq '0' }, 10), 'log_min_duration_statement is 0');
	is($logged->(sub { $sql{super}->query("SELECT * FROM dqds_test_connection('$good')") }), 1, 'log_min_duration_statement = 0: a password in a statement is logged');
	is($logged->($post), 0, 'log_min_duration_statement = 0: the parameters of the bridge are not, with log_parameter_max_length = 0');
	$bridge->stop;
}

unlike(join("\n", map { $_ // '' } @said), qr/\Q$password\E|\Q$secret\E|\Q$value\E/, 'no answer has shown a secret');
unlike(slurp_file($remote->logfile), qr/\Q$password\E|\Q$secret\E/, 'nor does the log of the remote');

done_testing();
