# The maximum age of sessions: even under continuous calls, a name that leads elsewhere, a new password and a revoked
# privilege take effect after dqds.session_max_age at the latest, in SQL sessions and in those of the bridge.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Names;
use DqdsTest::Refusing;
use DqdsTest::Relay;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $control = with_names(sub { control_server('control') });
my $sql     = DqdsTest::Sql->connect($control);
my $watch   = DqdsTest::Sql->connect($remote);
my $list    = q(SELECT schema_name FROM dqds_list_schemas('plain'));
create_connection($control, 'plain', connection_model($remote));

sub sessions { return $watch->value(q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader')); }
sub logins   { return scalar(() = slurp_file($remote->logfile, $_[0]) =~ /connection authorized: user=reader /g); }

# The maximum age of sessions in this test, except for the default.
use constant AGE => "'2s'";

# --- The setting ---------------------------------------------------------------------------------------------

is($sql->value(q(LOAD 'dqds'; SHOW dqds.session_max_age)), '5min', 'five minutes by default');
{
	$control->safe_psql('postgres', 'CREATE ROLE anyone LOGIN');
	my $anyone = DqdsTest::Sql->connect($control, user => 'anyone');
	is($anyone->value(q(SET dqds.session_max_age = '7s'; SHOW dqds.session_max_age)), '7s', "each user's own");
	$anyone->close;
}

# --- One session, called all the time ----------------------------------------------------------------------------

{
	my $from  = -s $remote->logfile;
	my $began = time;
	$sql->query('SET dqds.session_max_age = ' . AGE);
	my $calls = 0;
	ok(poll_until(sub { $calls++; $sql->must($list); logins($from) > 1 }, 30), 'called all the time: it logs in again');
	cmp_ok(time - $began, '>', 1.5, 'called all the time: but not at once');
	cmp_ok($calls, '>', logins($from), 'called all the time: sessions are reused in between');
	ok(poll_until(sub { sessions() <= 1 }, 10), 'called all the time: there is one session at most');
}

# The thread ends it as well, though it is not idle for too long.
ok(poll_until(sub { sessions() == 0 }, 30), 'not called: it ends');

# One that is in use is closed when it comes back.
{
	my $from = -s $remote->logfile;
	$sql->query(q(SET dqds.session_max_age = '500ms'));
	lock_catalog($watch);
	$sql->send($list);
	my $is_old = q(SELECT pg_stat_clear_snapshot(), count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active' AND clock_timestamp() - backend_start > '1s');
	ok(poll_until(sub { ($watch->rows($is_old))[0]{count} == 1 }, 30), 'in use: for longer than it may be old');
	unlock_catalog($watch);
	is($sql->answer->{error}, undef, 'in use: the listing is answered');
	ok(poll_until(sub { sessions() == 0 }, 10), 'in use: the session is closed behind it');
	is(logins($from), 1, 'in use: it was one session');
}

# The setting counts for sessions that are there, and 0 keeps none.
{
	my $from = -s $remote->logfile;
	$sql->query(q(SET dqds.session_max_age = '1h'));
	$sql->must($list) foreach 1 .. 2;
	is(logins($from), 1, 'an hour: one login');
	$sql->query(q(SET dqds.session_max_age = '1ms'));
	$sql->must($list);
	is(logins($from), 2, 'made shorter: the session that is there is not used');
	$sql->query(q(SET dqds.session_max_age = 0));
	$sql->must($list);
	ok(poll_until(sub { sessions() == 0 }, 10), '0: no session is kept');
}

# --- What has changed at the remote ------------------------------------------------------------------------------------

$control->safe_psql('postgres', 'CREATE ROLE dqds_bridge LOGIN NOINHERIT');
$control->safe_psql('postgres', 'ALTER ROLE dqds_bridge SET dqds.session_max_age = ' . AGE);
my $bridge = start_bridge($control, level => 'admin');

# Lists over SQL and over REST; the outcome of each.
sub outcomes
{
	my ($name) = @_;
	my $error = $sql->query("SELECT schema_name FROM dqds_list_schemas('$name')")->{error};
	my $rest = http($bridge, GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas');
	return join ' ', $error ? $error->{sqlstate} : 'ok', $rest->{status} == 200 ? 'ok' : $rest->{json}{errorCode};
}

{
	my $password = remote_password($remote);
	my %change   = (
		'another password' => [ 'QD009 authentication_failed', q(ALTER ROLE %s PASSWORD 'another') ],
		'NOLOGIN'          => [ 'QD010 login_not_allowed',     'ALTER ROLE %s NOLOGIN' ],
		'VALID UNTIL'      => [ 'QD009 authentication_failed', q(ALTER ROLE %s VALID UNTIL '2001-01-01') ],
		'no CONNECT'       => [ 'QD012 permission_denied',     'REVOKE CONNECT ON DATABASE %s_db FROM PUBLIC' ],
		'another name'     => [ 'QD009 authentication_failed', 'ALTER ROLE %s RENAME TO %1$s_renamed' ],
		'pg_hba.conf'      => [ 'QD010 login_not_allowed',     undef ]);
	$sql->query('SET dqds.session_max_age = ' . AGE);
	my %role;
	foreach my $what (sort keys %change)
	{
		my $role = $role{$what} = 'warm' . (1 + keys %role);
		$watch->must("CREATE ROLE $role LOGIN PASSWORD '$password'");
		$watch->must("CREATE DATABASE ${role}_db");
		create_connection($control, $what, connection_model($remote, user => $role, database => "${role}_db"));
		is(outcomes($what), 'ok ok', "$what: works before");
	}
	foreach my $what (sort keys %change)
	{
		my $command = $change{$what}[1];
		if (defined $command) { $watch->must(sprintf $command, $role{$what}); }
		else                  { hba_first($remote, "host all $role{$what} 127.0.0.1/32 reject"); }
	}
	my %seen;
	poll_until(sub { $seen{$_} = outcomes($_) foreach sort keys %change; !grep { $seen{$_} ne $change{$_}[0] } keys %change }, 30);
	is($seen{$_}, $change{$_}[0], "$_: shows soon, though there is a call all the time") foreach sort keys %change;
}

# --- A name that leads elsewhere -------------------------------------------------------------------------------------------

{
	my $promoted = remote_server('promoted');
	$promoted->safe_psql('postgres', 'CREATE SCHEMA promoted; GRANT USAGE ON SCHEMA promoted TO reader; ALTER ROLE reader PASSWORD ' . sql_literal(remote_password($remote)));
	my $old = start_fake_server(sub { relay($_[0], $remote->port) }, '127.0.0.2');
	my $new = start_fake_server(sub { relay($_[0], $promoted->port) }, '127.0.0.3', $old->port);
	create_connection($control, 'moving', connection_model(undef,
		host => 'moving.test', port => '' . $old->port, database => 'postgres', user => 'reader', password => remote_password($remote)));
	my $shown = sub {
		my $over_sql = join ',', $sql->column(q(SELECT schema_name FROM dqds_list_schemas('moving')));
		my $over_rest = join ',', map { $_->{schemaName} } @{ http($bridge, GET => '/api/datasource/connections/moving/schemas')->{json} };
		return "$over_sql $over_rest";
	};
	set_names('moving.test' => ['127.0.0.2']);
	is($shown->(), 'public public', 'a name: the server that it leads to');
	set_names('moving.test' => ['127.0.0.3']);
	my $seen;
	poll_until(sub { ($seen = $shown->()) eq 'promoted,public promoted,public' }, 30);
	is($seen, 'promoted,public promoted,public', 'the name leads elsewhere: so do listings soon, though there is a call all the time');
	$sql->query(q(SET dqds.session_max_age = '1h'));
	my $before = questions('moving.test');
	$sql->must(q(SELECT dqds_list_schemas('moving'))) foreach 1 .. 20;
	cmp_ok(questions('moving.test') - $before, '<=', 1, 'and they do not ask for the name each time');
}

is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
