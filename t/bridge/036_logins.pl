# Logging in: each refusal of a server is reported with a code and a hint. A password is sent to no server that asks for it in
# clear text, and shown in no message or log. A login that needed no password, or that used the environment of the control
# server, is refused.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Outcome;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);

my $remote   = remote_server('remote');
my $control  = control_server('control');
my $password = remote_password($remote);
my $dir      = PostgreSQL::Test::Utils::tempdir('logins');

my $sql       = DqdsTest::Sql->connect($control);
my $at_remote = DqdsTest::Sql->connect($remote);
$sql->must("SET dqds.connect_timeout = '2s'; SET dqds.query_timeout = '2s'");

# Over REST the same, at the same time, with the same deadlines.
my $bridge = start_bridge($control, level => 'admin');
$control->safe_psql('postgres', "ALTER ROLE dqds_bridge SET dqds.connect_timeout = '2s'; ALTER ROLE dqds_bridge SET dqds.query_timeout = '2s'");
hostile_watch(bridge => $bridge, control => $control, remote => $remote, sql => $sql);
also_over_rest($bridge);

# A model for a fake server, or for a port.
sub model_at
{
	my ($port, %override) = @_;
	return connection_model($remote, port => '' . (ref $port ? $port->port : $port), %override);
}

sub fake { my ($serve) = @_; return start_fake_server($serve); }

# --- Passwords are not revealed ------------------------------------------------------------------------

# Each of these asks for the password in the clear, without TLS, and tries to hide it. All that the client sends is kept.
my $padding          = pg_message('N', "SNOTICE\0C00000\0Mpadding\0\0");
my %ask_for_password = (
	'openly'                => sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(3)); },
	'behind an md5 request' => sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt') . pg_auth(3)); },
	'behind hundreds of md5 requests' =>
	  sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt') x 308 . pg_auth(3)); },
	'in two pieces behind an md5 request' => sub {
		pg_read_startup($_[0]);
		send_bytes($_[0], pg_auth(5, 'salt') . substr pg_auth(3), 0, 5);
		pg_read_message($_[0]);
		send_bytes($_[0], substr(pg_auth(3), 5) . $padding);
	},
	'behind a request in two pieces' => sub {
		my $sasl = pg_auth(10, "SCRAM-SHA-256\0\0");
		pg_read_startup($_[0]);
		send_bytes($_[0], substr $sasl, 0, 15);
		sleep 0.2;
		send_bytes($_[0], substr($sasl, 15) . pg_auth(3));
	},
	'together with the refusal of TLS' => sub {
		read_bytes($_[0], 8);
		send_bytes($_[0], 'N' . pg_auth(3));
		sleep 0.2;
		send_bytes($_[0], $padding);
	},
	'one byte at a time' => sub {
		pg_read_startup($_[0]);
		setsockopt $_[0], IPPROTO_TCP, TCP_NODELAY, 1;
		foreach my $byte (split //, pg_auth(3) . $padding) { send_bytes($_[0], $byte); sleep 0.01; }
	});
hostile('cleartext', sub {
	foreach my $how (sort keys %ask_for_password)
	{
		my $file   = "$dir/received";
		my $server = fake(
			sub {
				my ($client) = @_;
				eval { $ask_for_password{$how}->($client); };
				hold($client, $file);
				open my $end, '>', "$file.end" or die "$file: $!";
			});
		foreach my $allowed ('no', 'yes')
		{
			unlink $file, "$file.end";
			my $row = outcome($sql,
				model_at($server, properties => $allowed eq 'yes' ? { allow_cleartext_password => 'true' } : {}));
			$sql->must('SELECT dqds_close_idle()');
			poll_until(sub { -e "$file.end" }, 10) or die "the fake server does not end";
			my $received = -e $file ? slurp_file($file) : '';
			if ($allowed eq 'no')
			{
				is($row->{connection_test_result}, 'FAILURE', "asked for the password $how: a failure");
				unlike($received, qr/\Q$password\E/, "asked for the password $how: it is not sent")
				  or diag(explain($row));
				is($row->{error_code}, 'authentication_failed', "asked for the password $how: error_code")
				  if $how =~ /^(openly|behind an md5 request|one byte at a time)$/;

				unlink $file, "$file.end";
				my $answer = http($bridge, POST => '/api/datasource/testconnection', {}, model_at($server));
				poll_until(sub { -e "$file.end" }, 10) or die "the fake server does not end";
				is($answer->{json}{connectionTestResult}, 'FAILURE', "asked for the password $how: a failure over REST");
				unlike(-e $file ? slurp_file($file) : '', qr/\Q$password\E/, "asked for the password $how: it is not sent over REST");
			}
			elsif ($how eq 'openly')
			{
				like($received, qr/\Q$password\E/,
					'asked for the password openly: with allow_cleartext_password it is sent');
			}
		}
	}
});

# A login that is cancelled at the server; a pooler that passes on the message of the server behind it.
foreach my $case (
	[ '57014', 'canceling statement due to user request', 'cancelled' ],
	[ '08P01', 'canceling statement due to user request', 'cancelled' ],
	[ '08P01', 'terminating connection due to administrator command', 'connection_lost' ],
	[ '08P01', 'the database system is starting up', 'server_starting' ])
{
	my ($sqlstate, $text, $code) = @$case;
	my $server = fake(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error($sqlstate, $text)); });
	fails($sql, "a login error: $sqlstate $text", model_at($server), $code, sqlstate => $sqlstate);
}

# A server's message may contain the password; it is not shown, wherever it is.
my %telling = (
	'alone'                     => "the password is $password, is it not",
	'twice'                     => "$password and $password",
	'where the text is cut off' => ('x' x 390) . $password);
hostile('error-with-password', sub {
	foreach my $where (sort keys %telling)
	{
		my $login = fake(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', $telling{$where})); });
		my $query = fake(
			sub {
				pg_log_in($_[0]);
				pg_answer($_[0], pg_error('XX000', $telling{$where}, 'ERROR') . pg_message('Z', 'I'));
				hold($_[0]);
			});
		my $piece = substr $password, 0, 5;
		fails(
			$sql, "a login error that holds the password $where", model_at($login), 'remote_error',
			sqlstate => 'XX000',
			without  => qr/$piece/);
		fails(
			$sql, "a query error that holds the password $where", model_at($query), 'remote_error',
			sqlstate => 'XX000',
			without  => qr/$piece/);
	}
	foreach my $odd ("tab\tbed-password", "two\nlines-password", "back\\slash\"quote'password",
		"\xd7\xa1\xd7\x95\xd7\x93-password")
	{
		my $server = fake(
			sub {
				pg_log_in($_[0]);
				pg_answer($_[0], pg_error('XX000', "you said $odd!", 'ERROR') . pg_message('Z', 'I'));
				hold($_[0]);
			});
		my $model = from_json(model_at($server));
		utf8::decode(my $text = $odd);
		$model->{postgresql}{password} = $text;
		fails(
			$sql, 'an error that holds a password of odd characters', to_json($model), 'remote_error',
			sqlstate => 'XX000',
			without  => qr/bed-|two|back|slash|\xd7|password/);
	}
});

# --- Logins that a real server refuses -----------------------------------------------------------------

refusing_roles($remote);

works($sql, 'a good login', connection_model($remote));
fails(
	$sql, 'a wrong password', connection_model($remote, password => 'wrong'), 'authentication_failed',
	sqlstate => '28P01',
	message  => qr/"reader"/);
fails(
	$sql,
	'an unknown user',
	connection_model($remote, user => 'nobody'),
	'authentication_failed', sqlstate => '28P01');
fails(
	$sql,
	'an expired password',
	connection_model($remote, user => 'expired'),
	'authentication_failed', sqlstate => '28P01');
fails(
	$sql,
	'a role without a password',
	connection_model($remote, user => 'passwordless'),
	'authentication_failed', sqlstate => '28P01');
fails($sql, 'no password given', connection_model($remote, password => undef), 'password_required');
fails($sql, 'an empty password', connection_model($remote, password => ''),    'password_required');
fails(
	$sql, 'an unknown database', connection_model($remote, database => 'no such "db"'), 'database_not_found',
	sqlstate => '3D000',
	message  => qr/no such "db"/);
fails(
	$sql,
	'a database that is a conninfo string',
	connection_model($remote, database => 'host=127.0.0.1 dbname=postgres'),
	'invalid_connection');
fails(
	$sql, 'no CONNECT privilege',
	connection_model($remote, database => 'closed "db"'),
	'permission_denied',
	sqlstate => '42501',
	hint     => qr/GRANT CONNECT ON DATABASE "closed ""db""" TO "reader"/);
{
	my ($grant) = outcome($sql, connection_model($remote, database => 'closed "db"'))->{hint} =~ /(GRANT .*;)/;
	$at_remote->must($grant);
	works(
		$sql,
		'no CONNECT privilege: after the GRANT of the hint',
		connection_model($remote, database => 'closed "db"'));
}
fails(
	$sql,
	'a role that may not log in',
	connection_model($remote, user => 'no login'),
	'login_not_allowed', sqlstate => '28000');
fails(
	$sql,
	'rejected by pg_hba.conf',
	connection_model($remote, user => 'rejected'),
	'login_not_allowed', sqlstate => '28000');
fails(
	$sql,
	'a database that allows no connections',
	connection_model($remote, database => 'template_like'),
	'login_not_allowed', sqlstate => '55000');
fails(
	$sql,
	'the limit of the role',
	connection_model($remote, user => 'limited'),
	'too_many_connections', sqlstate => '53300');
fails(
	$sql,
	'the limit of the database',
	connection_model($remote, database => 'full_db'),
	'too_many_connections', sqlstate => '53300');

hostile('remote-trust', sub {
	# The remote server would accept any login from this machine; dqds must not extend that trust to its callers.
	fails(
		$sql,
		'trust at the remote, with a password',
		connection_model($remote, user => 'trusted'),
		'password_required', message => qr/did not ask/);
	fails(
		$sql,
		'trust at the remote, without a password',
		connection_model($remote, user => 'trusted', password => undef),
		'password_required');
	fails(
		$sql,
		'trust at the remote, ad-hoc with password_required false',
		connection_model($remote, user => 'trusted', password_required => JSON::PP::false),
		'invalid_connection', unregistered => 1);
	create_connection($control, 'trusting',
		connection_model($remote, user => 'trusted', password => undef, password_required => JSON::PP::false));
	is(($sql->rows(q(SELECT * FROM dqds_test_connection('trusting'))))[0]{connection_test_result},
		'SUCCESS', 'trust at the remote: a superuser may register it');
});

# A server that asks the operating system for the user does so over its socket, or by the ident protocol, which no server speaks
# here.
hostile('remote-peer', sub {
	fails($sql, 'peer at the remote, by its socket directory', connection_model($remote, host => $remote->host), 'invalid_connection', message => qr/"postgresql\.host"/);
	fails($sql, 'peer at the remote, the directory as a property', connection_model($remote, properties => { host => $remote->host }), 'invalid_connection', message => qr/"host"/);
	hba_first($remote, 'host all ident 127.0.0.1/32 ident');
	fails($sql, 'ident at the remote', connection_model($remote, user => 'ident'), 'login_not_allowed', sqlstate => '28000');
	fails($sql, 'ident at the remote, without a password', connection_model($remote, user => 'ident', password => undef), 'login_not_allowed', sqlstate => '28000');
});

# No free slot, and a server that is not ready.
{
	my $small =
	  remote_server('small', conf => "wal_level = replica\nmax_connections = 5\nsuperuser_reserved_connections = 3");
	my @taken = map { DqdsTest::Sql->connect($small, user => 'reader') } 1 .. 2;
	fails($sql, 'no slot left', connection_model($small), 'too_many_connections', sqlstate => '53300', hint => qr/dqds\.session_idle_timeout/);
	$small->stop('fast');
	$small->append_conf('postgresql.conf', 'hot_standby = off');
	$small->append_conf('standby.signal',  '');
	$small->start;
	fails($sql, 'a server that is not ready', connection_model($small), 'server_starting', sqlstate => '57P03');
	$small->stop('immediate');
	fails($sql, 'a server that is down', connection_model($small), 'connection_refused');
}

# --- The environment of the control server is not used -------------------------------------------------

my $home = "$dir/home";
mkdir $home;
foreach my $file ("$home/.pgpass", "$home/passwords")
{
	open my $out, '>', $file or die "$file: $!";
	chmod 0600, $file;
	print $out "*:*:*:*:$password\n";
	close $out;
}
open my $service, '>', "$home/.pg_service.conf" or die "$home: $!";
print $service '[elsewhere]', "\nhost=192.0.2.1\nport=1\nuser=trusted\npassword=$password\n";
close $service;

# Restarts the control server, with these variables in its environment.
sub restart_with
{
	my (%environment) = @_;
	hostile_session(undef);
	$sql->close;
	$control->stop;
	{
		local %ENV = (%ENV, %environment);
		$control->start;
	}
	$sql = DqdsTest::Sql->connect($control);
	hostile_session($sql);
	poll_until(sub { http($bridge, GET => '/api/connections')->{status} == 200 }) or die 'the bridge does not come back';
	return;
}

# The environment neither supplies what a model lacks, nor changes what a model has.
sub is_unused
{
	my ($what) = @_;
	fails($sql, "$what: without a password", connection_model($remote, password => undef), 'password_required');
	fails($sql, "$what: with a wrong password", connection_model($remote, password => 'wrong'), 'authentication_failed', sqlstate => '28P01');
	fails($sql, "$what: without a user", connection_model($remote, user => undef), 'invalid_connection');
	fails($sql, "$what: without a host", connection_model($remote, host => undef), 'invalid_connection');
	works($sql, "$what: a good connection", connection_model($remote));
	$sql->must('SELECT * FROM dqds_list_schemas(' . sql_literal(connection_model($remote)) . '::text)');
	is( $at_remote->value(
			q(SELECT string_agg(DISTINCT application_name || ' ' || datname, ',') FROM pg_stat_activity WHERE usename = 'reader')
		),
		'dqds postgres',
		"$what: name and database are those of dqds");
	return;
}

# The environment of a program that this backend starts.
sub environment
{
	$sql->must("DROP TABLE IF EXISTS environment; CREATE TEMPORARY TABLE environment (line text); COPY environment FROM PROGRAM 'env'");
	return $sql->value("SELECT string_agg(line, ' ') FROM environment");
}

hostile('environment', sub {
	restart_with(
		PGPASSWORD              => $password,
		PGPASSFILE              => "$home/passwords",
		PGUSER                  => 'trusted',
		PGDATABASE              => 'full_db',
		PGHOSTADDR              => '192.0.2.1',
		PGSERVICE               => 'elsewhere',
		PGSERVICEFILE           => "$home/.pg_service.conf",
		PGAPPNAME               => 'leaked',
		PGOPTIONS               => '-c no_such_setting=1',
		PGSSLMODE               => 'verify-full',
		PGSSLROOTCERT           => '/nowhere',
		PGCHANNELBINDING        => 'require',
		PGTARGETSESSIONATTRS    => 'standby',
		PGREQUIREPEER           => 'nobody',
		PGGSSENCMODE            => 'require',
		PGSSLMINPROTOCOLVERSION => 'TLSv1.3',
		PGKRBSRVNAME            => 'x',
		PGTZ                    => 'Mars/Olympus',
		PGCONNECT_TIMEOUT       => '2');
	is_unused('PG* in the environment');
	like(environment(), qr/PGPASSWORD=\Q$password\E/, 'PG* in the environment: was there all the time');
});

hostile('pgpass', sub {
	restart_with(HOME => $home);
	is_unused('files in the home directory');
	my $there = environment();
	like($there, qr/HOME=\Q$home\E/, 'files in the home directory: it was that directory');
	unlike($there, qr/PGPASS/, 'files in the home directory: and nothing else in the environment');
});

# --- Nothing in the log --------------------------------------------------------------------------------

# Listings raise errors, and their statements contain the password.
$sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal(model_at(free_port())) . '::text)');
$sql->query(
	'SELECT * FROM dqds_list_schemas(' . sql_literal(connection_model($remote, database => 'nowhere')) . '::jsonb)');
unlike(slurp_file($control->logfile), qr/\Q$password\E/, 'the log of the control server does not hold the password');
unlike(slurp_file($control->logfile), qr/PANIC|was terminated by signal|TRAP/, 'nor the traces of a crash');
hostile_end();

done_testing();
