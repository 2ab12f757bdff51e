# Refusals of servers and poolers, by cause: each has its code, a correct message, and a hint that helps. The same cause has
# the same code at a server that speaks English, at one that speaks Russian, and behind PgBouncer and pgpool-II; if only a
# message in a foreign language is available, the error says what it is about, and what may be the cause.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Outcome;
use DqdsTest::Pgpool;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('refusals');
my %installed = map { $_ => `$ENV{PG_CONFIG} --$_` =~ s/\n//r } qw(bindir localedir);
new_certificate($dir, 'ca');
new_certificate($dir, 'address', names => 'IP:127.0.0.1');

# A server with users and databases that refuse, each in a different way.
sub refusing_server
{
	my ($name, $locale) = @_;
	# The tests' own copy of the server speaks English.
	local $ENV{LOCPATH} = $dir if $locale ne 'C';
	local $ENV{DQDS_REMOTE_INSTALLATION} = $installed{bindir} =~ s{/bin$}{}r if $locale ne 'C';
	my $node = remote_server($name, conf => "log_error_verbosity = verbose\nmax_connections = 40");
	my $password = remote_password($node);
	$node->safe_psql('postgres', $_) foreach
	  map({ "CREATE ROLE $_ LOGIN PASSWORD '$password'" } qw(rejected unlisted tlsonly certified identified limited)),
	  'CREATE ROLE ldapper LOGIN', "CREATE ROLE nologin NOLOGIN PASSWORD '$password'", 'ALTER ROLE limited CONNECTION LIMIT 0',
	  'CREATE DATABASE closed', 'REVOKE CONNECT ON DATABASE closed FROM PUBLIC', 'CREATE DATABASE fulldb CONNECTION LIMIT 0', 'CREATE DATABASE quiet ALLOW_CONNECTIONS false';
	serve_certificate($node, $dir, 'address');
	reload_with($node, "ssl_ca_file = '$dir/ca.crt'");
	my $nobody = free_port();
	hba_first($node, 'host all rejected 127.0.0.1/32 reject', 'hostssl all tlsonly 127.0.0.1/32 scram-sha-256', 'host all tlsonly 127.0.0.1/32 reject',
		'hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca', 'host all certified 127.0.0.1/32 reject',
		qq(host all ldapper 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=$nobody ldapprefix="uid="), 'host all identified 127.0.0.1/32 ident', 'host all unlisted 192.0.2.1/32 scram-sha-256');
	# No line for "unlisted": the last one is for all the others.
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $text = slurp_file($hba) =~ s/^host all all 127.*$/join "\n", map { "host all $_ 127.0.0.1\/32 scram-sha-256" } qw(reader nologin limited)/emr;
	open my $file, '>', $hba or die "$hba: $!";
	print $file $text;
	close $file;
	# Its log is read in English until here.
	reload_with($node, "lc_messages = '$locale'");
	return $node;
}

my %server = (English => refusing_server('english', 'C'));
# A locale for it, made here: few machines have one, and C.UTF-8 speaks English whatever LANGUAGE says.
$server{Russian} = refusing_server('russian', 'ru_RU.UTF-8')
  if glob("$installed{localedir}/ru/LC_MESSAGES/postgres-*.mo") && run_log([ 'localedef', '-i', 'ru_RU', '-f', 'UTF-8', "$dir/ru_RU.UTF-8" ]);
my $english = $server{English};
my $password = remote_password($english);
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control, level => 'admin');
also_over_rest($bridge);
$sql->must("SET dqds.connect_timeout = '20s'");

SKIP:
{
	skip 'no messages or no locale in Russian are installed', 1 if !$server{Russian};
	my $error = '';
	poll_until(sub { (undef, undef, $error) = $server{Russian}->psql('postgres', 'SELECT 1/0'); $error !~ /division/ }, 10);
	like($error, qr/деление/, 'a server that speaks Russian');
}

# --- Directly ----------------------------------------------------------------------------------------------------------

# [what, model, code, SQLSTATE, message, hint, the routine that reports it]
my %clear = (allow_cleartext_password => 'true');
my @direct = (
	[ 'a wrong password', { password => 'wrong' }, 'authentication_failed', '28P01', qr/^password authentication failed for user "reader"/, qr/^Check the user and the password/, 'auth_failed' ],
	[ 'LDAP that does not answer', { user => 'ldapper', properties => \%clear }, 'authentication_failed', '28000', qr/^password authentication failed for user "ldapper"/, qr/\(PAM, LDAP, RADIUS\).*no answer/, 'auth_failed' ],
	[ 'ident', { user => 'identified' }, 'login_not_allowed', '28000', qr/does not let user "identified" log in/, qr/pg_hba\.conf/, 'auth_failed' ],
	[ 'a role without LOGIN', { user => 'nologin' }, 'login_not_allowed', '28000', qr/has no user "nologin" that may log in/, qr/ALTER ROLE "nologin" LOGIN;$/, 'InitializeSessionUserId' ],
	[ 'reject', { user => 'rejected' }, 'login_not_allowed', '28000', qr/does not let user "rejected" log in to database "postgres"$/, qr/pg_hba\.conf(?!.*LOGIN)/, 'ClientAuthentication' ],
	[ 'reject, without TLS', { user => 'rejected', sslmode => 'disable' }, 'login_not_allowed', '28000', qr/"postgres" without TLS$/, qr/^Set sslmode to require.*pg_hba\.conf/, 'ClientAuthentication' ],
	[ 'no line', { user => 'unlisted' }, 'login_not_allowed', '28000', qr/does not let user "unlisted" log in to database "postgres"$/, qr/pg_hba\.conf/, 'ClientAuthentication' ],
	[ 'TLS demanded', { user => 'tlsonly', sslmode => 'disable' }, 'login_not_allowed', '28000', qr/does not let user "tlsonly" log in to database "postgres" without TLS$/, qr/^Set sslmode to require/, 'ClientAuthentication' ],
	[ 'a client certificate demanded', { user => 'certified', sslmode => 'require' }, 'tls_failed', '28000', qr/demands a client certificate$/, qr/not supported/, 'ClientAuthentication' ],
	[ 'the same, TLS preferred', { user => 'certified', sslmode => 'prefer' }, 'tls_failed', '28000', qr/demands a client certificate$/, qr/not supported/, 'ClientAuthentication' ],
	[ 'TLS demanded, and a wrong password', { user => 'tlsonly', password => 'wrong' }, 'authentication_failed', '28P01', qr/^password authentication failed/, qr/^Check the user/, 'auth_failed' ],
	[ 'TLS demanded, and an unknown database', { user => 'tlsonly', database => 'nowhere' }, 'database_not_found', '3D000', qr/^database "nowhere" does not exist/, qr/case-sensitive/, 'InitPostgres' ],
	[ 'an unknown database', { database => 'nowhere' }, 'database_not_found', '3D000', qr/^database "nowhere" does not exist/, qr/case-sensitive/, 'InitPostgres' ],
	[ 'no CONNECT', { database => 'closed' }, 'permission_denied', '42501', qr/has no CONNECT privilege on database "closed"/, qr/GRANT CONNECT ON DATABASE "closed" TO "reader";$/, 'CheckMyDatabase' ],
	[ 'no CONNECT, with options', { database => 'closed', options => '-c geqo=off' }, 'permission_denied', '42501', qr/has no CONNECT privilege on database "closed"/, qr/GRANT CONNECT/, 'CheckMyDatabase' ],
	[ 'the limit of the role', { user => 'limited' }, 'too_many_connections', '53300', qr/no connection left/, qr/limit/, 'InitializeSessionUserId' ],
	[ 'the limit of the database', { database => 'fulldb' }, 'too_many_connections', '53300', qr/no connection left/, qr/limit/, 'CheckMyDatabase' ],
	[ 'a database without connections', { database => 'quiet' }, 'login_not_allowed', '55000', qr/does not accept connections/, qr/ALLOW_CONNECTIONS/, 'CheckMyDatabase' ],
	# What is wrong in the options of the connection.
	map({ [ "options: $_->[0]", { options => $_->[0] }, 'invalid_connection', $_->[1], qr/refuses the options of the connection: .*/, qr/^Correct options: .*-c name=value/, $_->[2] ] }
		[ '-c nosuch=1', '42704', $english->pg_version < 16 ? 'find_option' : 'assignable_custom_variable_name' ], [ 'search_path=sales', '42601', 'process_postgres_switches' ], [ '-c statement_timeout=abc', '22023', 'parse_and_validate_value' ],
		[ '-c TimeZone=No/where', '22023', 'call_string_check_hook' ], [ '-c', '42601', 'process_postgres_switches' ], [ '-x', '42601', 'process_postgres_switches' ],
		[ 'endpoint=db', '42601', 'process_postgres_switches' ], [ '-c shared_buffers=1GB', '55P02', undef ]),
	[ 'options: a role that is not granted', { options => '-c role=pg_monitor' }, 'permission_denied', '42501', qr/may not set at \S+ what the options of the connection say: .*"pg_monitor"/, qr/^Drop that setting from options/, 'call_string_check_hook' ],
	[ 'options: a setting for superusers', { options => '-c log_connections=on' }, 'permission_denied', '42501', qr/may not set at \S+ what the options of the connection say: .*"log_connections"/, qr/^Drop that setting/, undef ]);

foreach my $language (sort keys %server)
{
	my $node = $server{$language};
	foreach my $case (@direct)
	{
		my ($what, $override, $code, $sqlstate, $message, $hint, $routine) = @$case;
		my $before = -s $node->logfile;
		fails($sql, "$language: $what", connection_model($node, %$override), $code, sqlstate => $sqlstate, message => $message, hint => $hint);
		like(slurp_file($node->logfile, $before), qr/ \Q$sqlstate\E: .*?\s\Q$routine\E, \w+\.c:\d+/s, "$language: $what: the server names the routine") if $routine;
	}
	works($sql, "$language: $_->[0]", connection_model($node, %{ $_->[1] })) foreach
	  [ 'as it is', {} ], [ 'TLS demanded, and used', { user => 'tlsonly' } ], [ 'options that are right', { options => '-c search_path=sales,public -c geqo=off' } ];
}

# gssencmode accepts only values that change nothing.
fails($sql, 'gssencmode require', connection_model($english, properties => { gssencmode => 'require' }), 'invalid_connection',
	message => qr/^"postgresql\.properties\.gssencmode" in the connection model is not valid$/, hint => qr/Kerberos is not supported/);
works($sql, "gssencmode $_", connection_model($english, properties => { gssencmode => $_ })) foreach qw(prefer disable);

# White space at an end of a password is told to those who wrote it, and only of a password that is refused.
foreach my $row ([ 'a line feed behind it', "$password\n" ], [ 'CR LF behind it', "$password\r\n" ], [ 'a blank before it', " $password" ], [ 'a tab behind it', "$password\t" ],
	[ 'a no-break space before it', "\x{a0}$password" ], [ 'a zero width space before it', "\x{200b}$password" ], [ 'an ideographic space behind it', "$password\x{3000}" ])
{
	my ($what, $bad) = @$row;
	# SCRAM makes an ordinary blank of some of these, and drops others; the server does not let them in all the same.
	my $row = outcome($sql, connection_model($english, password => $bad));
	is($row->{error_code}, 'authentication_failed', "a password with $what") or next;
	is($row->{hint}, 'Check the user and the password of the connection. The password begins or ends with white space.', "a password with $what: it is said");
}
{
	my $pasted = connection_model($english, password => "$password\n");
	create_connection($control, 'pasted', $pasted);
	is(($sql->rows(q(SELECT * FROM dqds_test_connection('pasted'))))[0]{hint}, 'Check the user and the password of the connection.', 'of a stored password nothing is said');
	is(outcome($sql, connection_model($english, password => 'wrong'))->{hint}, 'Check the user and the password of the connection.', 'of another one neither');
	is(outcome($sql, connection_model($english, password => 'a b'))->{hint}, 'Check the user and the password of the connection.', 'nor of white space within it');
	my ($before) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($english, database => 'nowhere')) . '::text)');
	unlike($before->{hint}, qr/white space/, 'nor where it is not refused');
}

# A login event trigger, of servers that have them: it may not do what it wants to.
SKIP:
{
	skip 'no login event triggers before PostgreSQL 17', 1 if $english->pg_version < 17;
	$english->safe_psql('postgres', 'CREATE DATABASE audited');
	$english->safe_psql('audited', q{CREATE SCHEMA audit; CREATE TABLE audit.logins (who text); REVOKE ALL ON SCHEMA audit FROM PUBLIC;
		CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit.logins VALUES (session_user); END$$;
		CREATE EVENT TRIGGER note_login ON login EXECUTE FUNCTION note_login(); ALTER EVENT TRIGGER note_login ENABLE ALWAYS});
	fails($sql, 'a login trigger without its privilege', connection_model($english, database => 'audited'), 'permission_denied', sqlstate => '42501',
		message => qr/lacks a privilege to log in to database "audited" at \S+: permission denied for schema audit$/, hint => qr/login event trigger/);
}

# --- Behind PgBouncer -----------------------------------------------------------------------------------------------------

my %pooled;
foreach my $language (sort keys %server)
{
	my $node = $server{$language};
	my $users = "$dir/users.$language";
	open my $file, '>', $users or die "$users: $!";
	print $file map { qq("$_" "@{[ remote_password($node) ]}"\n) } qw(reader nologin limited rejected unlisted);
	close $file;
	$pooled{$language} = start_pgbouncer($node, 'transaction', "auth_file = $users\nserver_login_retry = 1\nquery_wait_timeout = 15");
}

# What the server behind it refuses. Up to PgBouncer 1.23 only its words are there; in Russian they name the database or the user,
# and it is said which. Later ones hand on the SQLSTATE, but not the routine: the code is right, the message in Russian may be
# one that several causes have.
my $all_handed_on = pgbouncer_version() >= 1.024;
my @behind = (
	[ 'a wrong password', { password => 'wrong' }, 'authentication_failed', qr/^password authentication failed for user "reader"/, qr/users of the pooler/ ],
	[ 'a role without LOGIN', { user => 'nologin' }, 'login_not_allowed', qr/has no user "nologin" that may log in/, qr/LOGIN/, 'user', '28000', qr/does not let user "nologin" log in/ ],
	[ 'the limit of the role', { user => 'limited' }, 'too_many_connections', qr/no connection left/, qr/limit/, 'user', '53300' ],
	[ 'the limit of the database', { database => 'fulldb' }, 'too_many_connections', qr/no connection left/, qr/limit/, 'database', '53300' ],
	[ 'reject', { user => 'rejected' }, 'login_not_allowed', qr/^the server behind the connection pooler at \S+ does not let user "rejected" log in to database "postgres"$/, qr/pg_hba\.conf for the address of the pooler/, 'same', '28000' ],
	[ 'no line', { user => 'unlisted' }, 'login_not_allowed', qr/^the server behind the connection pooler at \S+ does not let user "unlisted" log in/, qr/pg_hba\.conf for the address of the pooler/, 'same', '28000' ],
	[ 'no CONNECT', { database => 'closed' }, 'permission_denied', qr/has no CONNECT privilege on database "closed"/, qr/GRANT CONNECT ON DATABASE "closed" TO "reader";/, 'database', '42501', qr/lacks a privilege to log in to database "closed"/ ],
	[ 'a database without connections', { database => 'quiet' }, 'login_not_allowed', qr/does not accept connections/, qr/ALLOW_CONNECTIONS/, 'database', '55000' ],
	[ 'an unknown database', { database => 'nowhere' }, 'database_not_found', $all_handed_on ? qr/^database "nowhere" does not exist at/ : qr/^database "nowhere" does not exist behind the connection pooler/,
		qr/case-sensitive/, 'database', '3D000' ]);
foreach my $language (sort keys %pooled)
{
	my @port = (port => '' . $pooled{$language}->port);
	works($sql, "PgBouncer, $language: as it is", connection_model($server{$language}, @port));
	foreach my $case (@behind)
	{
		my ($what, $override, $code, $message, $hint, $names, $state, $of_several) = @$case;
		$message = $of_several if $of_several && $all_handed_on && $language ne 'English';
		my $model = connection_model($server{$language}, @port, %$override);
		if ($language eq 'English' || ($names // 'same') eq 'same' || $all_handed_on)
		{
			fails($sql, "PgBouncer, $language: $what", $model, $code, sqlstate => ($all_handed_on && $state) || '08P01', message => $message, hint => $hint, within => 20);
			next;
		}
		my $row = fails($sql, "PgBouncer, $language: $what", $model, 'remote_error', sqlstate => '08P01',
			message => qr/^the server behind the connection pooler at \S+ refused the login with words on $names "(?:nologin|limited|fulldb|closed|quiet|nowhere)": /, hint => qr/lc_messages/, within => 20);
		like($row->{hint}, $names eq 'user' ? qr/LOGIN/ : qr/CONNECT/, "PgBouncer, $language: $what: the causes that it may have");
	}
}

# What PgBouncer refuses itself, and what it says when it gets no connection to the server.
{
	my $users = "$dir/users.English";
	my $waits = "auth_file = $users\nserver_login_retry = 1\nquery_wait_timeout = 2";
	my $nobody = free_port();
	my $lost = start_pgbouncer($english, 'transaction', $waits, "gone = host=127.0.0.1 port=$nobody\nunresolved = host=nowhere.invalid port=1\n*");
	my $no_server = sub {
		my ($what, %override) = @_;
		fails($sql, "PgBouncer: $what", connection_model($english, port => '' . $lost->port, %override), 'server_silent', sqlstate => '08P01', within => 12,
			message => qr/^the connection pooler at \S+ got no connection to the server behind it$/, hint => qr/runs.*paused.*pool is too small/);
	};
	$no_server->('the server behind it is down', database => 'gone');
	$no_server->('the server behind it has an unknown name', database => 'unresolved');

	# All of its connections are taken; and then a query, after a login that needed none.
	my $narrow = start_pgbouncer($english, 'transaction', "$waits\ndefault_pool_size = 1");
	my $model  = connection_model($english, port => '' . $narrow->port);
	works($sql, 'PgBouncer, one connection: free', $model);
	my $holder = '';
	my $taken = IPC::Run::start([ 'psql', '-qXAt', '-d', "host=127.0.0.1 port=@{[ $narrow->port ]} dbname=postgres user=reader password=$password sslmode=disable", '-c', 'BEGIN', '-c', 'SELECT 1', '-c', 'SELECT pg_sleep(40)' ],
		'<', \'', '>', \$holder, '2>', \my $err);
	poll_until(sub { $taken->pump_nb; $holder =~ /1/ }, 20) or die "the connection is not taken: $err";
	fails($sql, 'PgBouncer: its pool is taken', $model, 'server_silent', sqlstate => '08P01', within => 12, message => qr/got no connection to the server behind it$/);
	$taken->kill_kill;

	my $admin = start_pgbouncer($english, 'transaction', "auth_file = $users\nadmin_users = reader\nstats_users = limited");
	my @admin = (port => '' . $admin->port, database => 'pgbouncer');
	fails($sql, "PgBouncer's console", connection_model($english, @admin), 'invalid_connection', sqlstate => '08P01', message => qr/^database "pgbouncer" at \S+ is the console of a connection pooler$/, hint => qr/^Name a database/);
	fails($sql, "PgBouncer's console, for statistics", connection_model($english, @admin, user => 'limited'), 'invalid_connection', sqlstate => '08P01', message => qr/console/);
	fails($sql, "PgBouncer's console, another user", connection_model($english, @admin, user => 'nologin'), 'login_not_allowed', sqlstate => '08P01', message => qr/^the connection pooler at \S+ does not let user "nologin"/);

	my $secure = start_pgbouncer($english, 'transaction', "client_tls_sslmode = require\nclient_tls_cert_file = $dir/address.crt\nclient_tls_key_file = $dir/address.key");
	fails($sql, 'PgBouncer demands TLS', connection_model($english, port => '' . $secure->port, sslmode => 'disable'), 'tls_failed', sqlstate => '08P01', message => qr/^the connection pooler at \S+ demands TLS$/, hint => qr/^Set sslmode to require\.$/);
	works($sql, 'PgBouncer demands TLS, and gets it', connection_model($english, port => '' . $secure->port));

	my $hba = "$dir/pgbouncer_hba";
	open my $file, '>', $hba or die "$hba: $!";
	print $file "host all limited 127.0.0.1/32 reject\nhostssl all nologin 127.0.0.1/32 scram-sha-256\nhost all reader 127.0.0.1/32 scram-sha-256\n";
	close $file;
	my $strict = start_pgbouncer($english, 'transaction', "auth_file = $users\nauth_type = hba\nauth_hba_file = $hba");
	works($sql, "PgBouncer's own rules", connection_model($english, port => '' . $strict->port));
	fails($sql, "PgBouncer's own rules: $_->[0]", connection_model($english, port => '' . $strict->port, user => $_->[1], sslmode => 'disable'), 'login_not_allowed', sqlstate => '08P01',
		message => qr/^the connection pooler at \S+ does not let user "$_->[1]" log in/, hint => qr/auth_hba_file/)
	  foreach [ reject => 'limited' ], [ 'no line' => 'unlisted' ], [ 'only with TLS' => 'nologin' ];
	my $options = fails($sql, 'PgBouncer: options', connection_model($english, port => '' . $lost->port, options => '-c geqo=off'), 'invalid_connection', sqlstate => '08P01', hint => qr/ignore_startup_parameters/);
}

# --- Behind pgpool-II -------------------------------------------------------------------------------------------------------

{
	my %known = map { $_ => $password } qw(reader nologin limited rejected outsider);
	my $pgpool = start_pgpool($english, \%known, ['host all outsider 127.0.0.1/32 reject']);
	my @port = (port => '' . $pgpool->port);
	works($sql, 'pgpool-II: as it is', connection_model($english, @port));
	foreach my $case (
		[ 'a wrong password', { password => 'wrong' }, 'authentication_failed', 'XX000', qr/^password authentication failed for user "reader"/, qr/users of the pooler/ ],
		[ 'a wrong password, without TLS', { password => 'wrong', sslmode => 'disable' }, 'authentication_failed', 'XX000', qr/^password authentication failed/, qr/users of the pooler/ ],
		[ 'an unknown user', { user => 'nobody' }, 'authentication_failed', 'XX000', qr/^password authentication failed for user "nobody"/, qr/users of the pooler/ ],
		[ 'its own rules', { user => 'outsider' }, 'login_not_allowed', 'XX000', qr/^the connection pooler at \S+ does not let user "outsider"/, qr/pool_hba\.conf/ ],
		[ 'a role without LOGIN', { user => 'nologin' }, 'login_not_allowed', '28000', qr/has no user "nologin" that may log in/, qr/ALTER ROLE/ ],
		[ 'the limit of the role', { user => 'limited' }, 'too_many_connections', '53300', qr/no connection left/, qr/limit/ ],
		[ 'an unknown database', { database => 'nowhere' }, 'database_not_found', '3D000', qr/^database "nowhere" does not exist/, qr/case-sensitive/ ],
		[ 'no CONNECT', { database => 'closed' }, 'permission_denied', '42501', qr/has no CONNECT privilege/, qr/GRANT CONNECT/ ])
	{
		my ($what, $override, $code, $sqlstate, $message, $hint) = @$case;
		# 4.6 keeps what the server behind it says to itself.
		($code, $sqlstate, $message, $hint) = ('remote_error', 'XX000', qr/refused the login: unable to get session context$/, qr/pooler/)
		  if $sqlstate ne 'XX000' && pgpool_version() == 4.006;
		fails($sql, "pgpool-II: $what", connection_model($english, @port, %$override), $code, sqlstate => $sqlstate, message => $message, hint => $hint, within => 10);
	}
	my $lonely = start_pgpool(free_port(), \%known);
	fails($sql, 'pgpool-II: the server behind it is down', connection_model($english, port => '' . $lonely->port, sslmode => $_), 'server_silent', sqlstate => 'XX000', within => 10,
		message => qr/^the connection pooler at \S+ got no connection to the server behind it$/) foreach qw(prefer disable);
	# On SIGTERM it would wait for its clients.
	foreach my $process ($pgpool, $lonely) { $process->signal('INT'); $process->wait_end; }
}

is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
