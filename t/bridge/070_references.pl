# References to the server's environment are resolved only for the role that wrote them. Only an admin can register them; and
# if an earlier version allowed an editor to do so, an admin who tests, lists, diagnoses or saves such a connection does not
# lend the environment to the editor, whichever member the reference is in and however the model is passed. References that an
# admin wrote keep working, for every role that may use the connection.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $value  = 'pr0d-secret-of-the-server';
my $remote = remote_server('remote');
my %env    = (DQDS_SECRET_PROD => $value, DQDS_SECRET_USER => 'reader', DQDS_SECRET_PASSWORD => remote_password($remote));
my $control;
{
	local @ENV{ keys %env } = values %env;
	$control = control_server('control');
}
my %sql = (super => DqdsTest::Sql->connect($control));
foreach my $role (qw(eve admin op))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => { eve => 'editor', admin => 'admin', op => 'operator' }->{$role});
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
	$sql{$role}->must(q(SET dqds.connect_timeout = '5s'));
}
my $bridge = start_bridge($control, anonymous => 'admin', level => undef);

# This server keeps what it is sent, the password in the clear included, and refuses every login.
my $kept = PostgreSQL::Test::Utils::tempdir('references') . '/received';

sub keep
{
	open my $file, '>>', $kept or die $!;
	syswrite $file, $_[0];
	close $file;
	return;
}
my $thief = start_fake_server(sub {
	my ($client) = @_;
	keep(pg_read_startup($client));
	send_bytes($client, pg_auth(3));
	keep((pg_read_message($client))[1]);
	send_bytes($client, pg_error('28P01', 'no'));
});

# What the thief's server has received since the last call.
sub stolen
{
	my $bytes = -e $kept ? slurp_file($kept) : '';
	unlink $kept;
	return $bytes;
}

sub outcome
{
	my ($answer) = @_;
	return "$answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
	my $row = $answer->{rows}[0];
	return $row->{connection_test_result} eq 'SUCCESS' ? 'SUCCESS' : "$row->{error_code}: $row->{error_message}";
}

sub test_as { my ($role, $connection) = @_; return outcome($sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal($connection) . '::text, false)')); }
sub call_as { my ($role, $function, @arguments) = @_; return $sql{$role}->query("SELECT $function(" . join(', ', map { sql_literal($_) } @arguments) . ')'); }
sub register { my ($role, $name, $model) = @_; is(call_as($role, 'dqds_create_connection', $name, $model)->{error}, undef, "$role registers $name"); return; }

# A connection of eve as version 1.0 would have stored it: with references that no admin wrote.
sub plant
{
	my ($name, $model) = @_;
	register('super', $name, $model);
	$control->safe_psql('postgres', "SELECT dqds_set_connection_owner('$name', 'eve'); UPDATE dqds_connection SET environment_members = '{}' WHERE name = '$name'");
	return;
}
sub shown { return from_json($sql{admin}->value('SELECT model FROM dqds_connections WHERE connection_name = ' . sql_literal($_[0]))); }

# What eve chooses for a member: a reference, and the rest of a model that leads to the thief. Everything except a password is
# sent before the server asks for anything, so the model need not have one, and then nothing in it is masked.
my $lure = { host => '127.0.0.1', port => '' . $thief->port, user => 'u', database => 'd', sslmode => 'disable' };
my @members = (
	[ user => '${DQDS_SECRET_PROD}' ], [ database => 'x${DQDS_SECRET_PROD}y' ], [ options => '-c x.y=${DQDS_SECRET_PROD:none}' ],
	[ properties => { application_name => '${DQDS_SECRET_PROD}' } ], [ properties => { ApplicationName => '${DQDS_SECRET_PROD}' } ],
	[ password => '${DQDS_SECRET_PROD}', properties => { allow_cleartext_password => 'true' } ]);

# --- Only an admin registers a reference ------------------------------------------------------------------------------------

register('eve', 'plain', connection_model(undef, %$lure));
foreach my $member (@members)
{
	my ($key, $reference) = @$member;
	my $what    = ref $reference ? (keys %$reference)[0] : $key;
	my $written = connection_model(undef, %$lure, @$member);
	foreach my $call ([ 'dqds_create_connection', 'nice', $written ], [ 'dqds_update_connection', 'plain', $written ])
	{
		my $error = call_as('eve', @$call)->{error};
		is($error->{sqlstate}, 'QD021', "$what: $call->[0] by an editor is refused");
		like($error->{message}, qr/^"postgresql\.(\w+\.)?\Q$what\E" refers to the environment of the server, which only an admin may do$/, 'which says why');
	}
	is($sql{super}->value(q(SELECT count(*) FROM dqds_connection WHERE model::text LIKE '%DQDS_SECRET%')), 0, "$what: nothing of it is kept");
}
call_as('eve', 'dqds_drop_connection', 'plain');

# --- An admin uses or saves what an editor wrote --------------------------------------------------------------------------

foreach my $member (@members)
{
	my ($key, $reference) = @$member;
	my $what    = ref $reference ? (keys %$reference)[0] : $key;
	my $written = connection_model(undef, %$lure, @$member);
	plant('nice', $written);
	like(test_as('eve', 'nice'), qr/^unresolved_secret: /, "$what: not resolved for the editor");
	like(test_as($_, 'nice'), qr/^unresolved_secret: /, "$what: by name not for $_") foreach qw(admin super);

	my $model = http($bridge, GET => '/api/connections/nice/basic')->{json};
	my @forms = ([ 'as it is shown', to_json($model) ], [ 'written out', $written ]);
	# A masked secret is used only under the connection's name.
	push @forms, [ 'under no name', to_json({ map { $_ => $model->{$_} } qw(provider_type postgresql) }) ], [ 'under a new name', to_json({ %$model, connection_name => 'nicer' }) ]
	  if $key ne 'password';
	foreach my $form (@forms)
	{
		my ($how, $json) = @$form;
		my $literal = sql_literal($json);
		foreach my $role (qw(admin super))
		{
			like(test_as($role, $json), qr/^unresolved_secret: the reference/, "$what, $how: a test by $role");
			is(outcome($sql{$role}->query("SELECT * FROM dqds_test_connection($literal\::jsonb, false)")) =~ /^unresolved_secret: / ? 1 : 0, 1, "$what, $how: a test by $role, as jsonb");
			is($sql{$role}->query("SELECT * FROM $_")->{error}{sqlstate}, 'QD021', "$what, $how: $role: " . substr $_, 0, index($_, '('))
			  foreach "dqds_list_schemas($literal)", "dqds_list_tables($literal, 's')", "dqds_list_columns($literal, 's')", "dqds_import_tables($literal, 's')";
			is(($sql{$role}->rows("SELECT * FROM dqds_diagnose_connection($literal)"))[0]{status}, 'failed', "$what, $how: a diagnosis by $role");
		}
		is(http($bridge, POST => '/api/datasource/testconnection?verifyNameUniqueness=false', {}, $json)->{json}{errorCode}, 'unresolved_secret', "$what, $how: a test over REST");
		# Saved under another name, it would be the admin's.
		next if $how eq 'as it is shown' && $key eq 'password';
		my $error = call_as('admin', 'dqds_create_connection', 'copy', $json)->{error};
		is($error->{sqlstate}, 'QD021', "$what, $how: an admin cannot save it under another name");
		like($error->{message}, qr/^the reference in "postgresql\.\w+(\.\w+)?" is also in connection "nice", where no admin wrote it$/, 'and is told why');
		is(http($bridge, POST => '/api/connections/copy/basic', {}, $json)->{json}{errorCode}, 'unresolved_secret', 'nor over REST');
	}
	is(stolen(), '', "$what: nothing has been sent");

	# (B) Saved with another label, in every possible way.
	my $labelled = to_json({ %$model, label => 'reviewed' });
	is(http($bridge, PUT => '/api/connections/nice/basic', {}, $labelled)->{status}, 204, "$what: an admin saves it over REST");
	is(call_as('super', 'dqds_update_connection', 'nice', $labelled)->{error}, undef, "$what: a superuser saves it");
	# With the reference written out in place of the mask it is the same value.
	is(call_as('admin', 'dqds_update_connection', 'nice', $written)->{error}, undef, "$what: an admin saves it, written out");
	like(test_as($_, 'nice'), qr/^unresolved_secret: /, "$what: after all that it is not resolved for $_") foreach qw(eve admin super);
	is($sql{super}->query("SELECT * FROM dqds_list_schemas('nice')")->{error}{sqlstate}, 'QD021', "$what: nor for a listing");
	is(stolen(), '', "$what: nothing has been sent");

	# What an admin writes instead is the admin's, and so is the same after the connection is gone.
	if ($key eq 'user')
	{
		is(call_as('admin', 'dqds_update_connection', 'nice', connection_model(undef, %$lure, user => '${DQDS_SECRET_PROD:}'))->{error}, undef, 'a reference of the admin');
		test_as('admin', 'nice');
		like(stolen(), qr/user\0\Q$value\E\0/, 'is resolved, and the thief is one who would have got it');
	}
	is(call_as('eve', 'dqds_drop_connection', 'nice')->{error}, undef, "$what: dropped");
	test_as('admin', $written);
	like(stolen(), qr/\Q$value\E/, "$what: an admin's own model is resolved");
}

# --- What an admin wrote ---------------------------------------------------------------------------------------------------

my %references = (user => '${DQDS_SECRET_USER}', password => '${DQDS_SECRET_PASSWORD}', properties => { application_name => '${DQDS_SECRET_PROD}' });
sub good { return connection_model($remote, %references, @_); }
{
	register('admin', 'good', good());
	$sql{admin}->must(q(SELECT dqds_grant_connection('good', 'op')));
	is(test_as($_, 'good'), 'SUCCESS', "an admin's connection works for $_") foreach qw(admin super op);
	is(test_as('eve', 'good'), '42704 connection "good" does not exist', 'not for others');
	is(test_as('admin', good()), 'SUCCESS', 'the model in the hands of an admin');
	like(test_as($_, good()), qr/^unresolved_secret: /, "not in those of $_") foreach qw(op eve);
	my $model = shown('good');
	is(test_as('admin', to_json($model)), 'SUCCESS', 'as it is shown, with its mask');
	like(test_as('op', to_json($model)), qr/^unresolved_secret: /, 'not for an operator who may use the connection');
	is(call_as('admin', 'dqds_update_connection', 'good', to_json({ %$model, parallel_jobs_limit => 3 }))->{error}, undef, 'an admin saves it again');
	is(test_as('op', 'good'), 'SUCCESS', 'it still works');

	# An editor has the same references in another connection: marked ones stay valid, those in a new model do not become valid.
	plant('same', good());
	is(test_as($_, 'good'), 'SUCCESS', "by name for $_") foreach qw(admin op);
	is(test_as('admin', to_json($model)), 'SUCCESS', 'as it is shown under its own name');
	is(call_as('super', 'dqds_update_connection', 'good', to_json({ %$model, parallel_jobs_limit => 4 }))->{error}, undef, 'and saved under its own name');
	is(test_as('op', 'good'), 'SUCCESS', 'it works on');
	like(test_as('admin', good()), qr/^unresolved_secret: /, 'but not without its name');
	is(call_as('admin', 'dqds_create_connection', 'second', good())->{error}{sqlstate}, 'QD021', 'nor registered a second time');
	is(call_as('admin', 'dqds_create_connection', 'second', good(user => '${DQDS_SECRET_USER:u}', password => 'x${DQDS_SECRET_PASSWORD}', properties => {}))->{error}, undef, 'unless it is written differently');
	like(test_as('admin', 'same'), qr/^unresolved_secret: /, 'that of the editor is what it was');

	# Each member is decided separately.
	my $part = shown('good');
	$part->{postgresql}{options} = '-c application_name=${DQDS_SECRET_PROD}';
	is(call_as('admin', 'dqds_update_connection', 'same', to_json({ %$part, connection_name => 'same', postgresql => { %{ $part->{postgresql} }, password => remote_password($remote) } }))->{error},
		undef, 'an admin changes two members of the connection of the editor');
	is(($sql{super}->query(q(SELECT environment_members FROM dqds_connection WHERE name = 'same'))->{rows}[0] // {})->{environment_members},
		'{postgresql.options}', 'only the new reference is the admin\'s');
	call_as('eve', 'dqds_drop_connection', 'same');

	# The owner, who is no admin, does not change what refers to the environment, not even beside it.
	$control->safe_psql('postgres', q(SELECT dqds_set_connection_owner('good', 'eve')));
	is(test_as('eve', 'good'), 'SUCCESS', 'an editor who becomes the owner may use it');
	is(call_as('eve', 'dqds_rename_connection', 'good', 'mine')->{error}, undef, 'and rename it');
	is(test_as('eve', 'mine'), 'SUCCESS', 'it works under the other name');
	my $mine = shown('mine');
	is(call_as('eve', 'dqds_update_connection', 'mine', to_json({ %$mine, parallel_jobs_limit => 5 }))->{error}{sqlstate}, 'QD021', 'but not change it');
	is(call_as('eve', 'dqds_update_connection', 'mine', to_json({ %$mine, postgresql => { %{ $mine->{postgresql} }, host => 'localhost' } }))->{error}{sqlstate}, 'QD020', 'nor lead it elsewhere');
	is(test_as($_, 'mine'), 'SUCCESS', "it still works for $_") foreach qw(eve admin op);
	is(call_as('eve', 'dqds_update_connection', 'mine', connection_model($remote))->{error}, undef, 'without the references it is the owner\'s to change');
	is($sql{super}->value(q(SELECT environment_members FROM dqds_connection WHERE name = 'mine')), '{}', 'and nothing of it is the admin\'s any more');
	is(call_as('admin', 'dqds_update_connection', 'mine', good())->{error}, undef, 'and with them');
	is(test_as('op', 'mine'), 'SUCCESS', 'then they are the admin\'s again');
}

# A transaction that began before eve registered the connection takes it into account as well.
{
	$sql{admin}->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dqds_connections');
	plant('late', connection_model(undef, %$lure, user => '${DQDS_SECRET_USER}', database => '${DQDS_SECRET_PROD}'));
	stolen();
	like(test_as('admin', connection_model(undef, %$lure, user => 'u', database => '${DQDS_SECRET_PROD}')), qr/^unresolved_secret: /, 'an old snapshot does not hide what an editor has registered');
	$sql{admin}->must('COMMIT');
	is(stolen(), '', 'nothing has been sent');
}

$bridge->stop;
done_testing();
