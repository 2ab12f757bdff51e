# Messages that the servers at hand cannot produce are replayed literally, by fake servers that send what PostgreSQL 17 and
# 18, later versions of PgBouncer, proxies, look-alikes and PAM send: evidence decides, the text only if there is none, and
# "try again" is suggested only if another try can help. Also certificates of real servers that are not accepted: the reason,
# and the certificate.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir     = PostgreSQL::Test::Utils::tempdir('evidence');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control, level => 'admin');
also_over_rest($bridge);

# A server that does what SERVE does once it has read the startup packet, and a model of it; without TLS unless told otherwise.
sub model_of
{
	my ($serve, %override) = @_;
	my $server = start_fake_server(sub { my ($client) = @_; pg_read_startup($client); $serve->($client) });
	return connection_model(undef, host => '127.0.0.1', port => '' . $server->port, database => 'shop', user => 'reader', password => 'a password of its own', %override);
}

# Asks for the password (%asked), and then says BYTES.
sub after_password
{
	my ($bytes) = @_;
	return sub { my ($client) = @_; send_bytes($client, pg_auth(5, 'salt')); pg_read_message($client); send_bytes($client, $bytes); };
}

sub says { my ($bytes) = @_; return sub { send_bytes($_[0], $bytes) }; }

# An error as a server of PostgreSQL's own source sends it: with the routine.
sub reported { my ($sqlstate, $text, $routine, %more) = @_; return pg_error($sqlstate, $text, 'FATAL', F => 'source.c', L => '1', R => $routine, %more); }

# --- Logins ------------------------------------------------------------------------------------------------------------

# [what, what the server does, model, code, SQLSTATE, message, hint]
my $lost   = qr/^the connection to \S+ was lost$/;
my @logins = (
	# PAM, in English, German and without any word; LDAP; RADIUS.
	map({ [ "password checked elsewhere: $_", after_password(reported('28000', $_, 'auth_failed')), {}, 'authentication_failed', '28000', qr/^password authentication failed for user "reader" at/, qr/token.*expired.*PAM, LDAP, RADIUS/ ] }
		'PAM authentication failed for user "reader"', "PAM-Authentifizierung f\xc3\xbcr Benutzer \xc2\xbbreader\xc2\xab fehlgeschlagen", 'LDAP authentication failed for user "reader"',
		'RADIUS authentication failed for user "reader"', '?'),
	[ 'peer, which asked for nothing', says(reported('28000', 'Peer authentication failed for user "reader"', 'auth_failed')), {}, 'login_not_allowed', '28000', qr/does not let user "reader" log in to database "shop"$/, qr/pg_hba\.conf/ ],
	# pg_hba.conf, in German: its words name the user, those of a certificate do not.
	[ 'reject in German', says(reported('28000', "pg_hba.conf lehnt Verbindung ab f\xc3\xbcr Host \xc2\xbb127.0.0.1\xc2\xab, Benutzer \xc2\xbbreader\xc2\xab, Datenbank \xc2\xbbshop\xc2\xab, keine Verschl\xc3\xbcsselung", 'ClientAuthentication')),
		{}, 'login_not_allowed', '28000', qr/does not let user "reader" log in to database "shop"$/, qr/pg_hba\.conf/ ],
	[ 'a client certificate in German', says(reported('28000', "Verbindung erfordert ein g\xc3\xbcltiges Client-Zertifikat", 'ClientAuthentication')), {}, 'tls_failed', '28000', qr/demands a client certificate$/, qr/not supported/ ],
	[ 'NOLOGIN in Japanese', after_password(reported('28000', "\xe3\x83\xad\xe3\x83\xbc\xe3\x83\xab", 'InitializeSessionUserId')), {}, 'login_not_allowed', '28000', qr/has no user "reader" that may log in$/, qr/ALTER ROLE "reader" LOGIN;$/ ],
	# PostgreSQL 17: a login event trigger.
	[ 'a login trigger', after_password(reported('42501', 'permission denied for schema audit', 'aclcheck_error')), {}, 'permission_denied', '42501', qr/lacks a privilege to log in to database "shop" at \S+: permission denied for schema audit$/, qr/login event trigger/ ],
	[ 'a login trigger that creates a schema', after_password(reported('42501', 'permission denied for database shop', 'aclcheck_error')), {}, 'permission_denied', '42501', qr/lacks a privilege .*: permission denied for database shop$/, qr/^(?!.*GRANT CONNECT).*login event trigger/ ],
	[ 'no CONNECT', after_password(reported('42501', 'permission denied for database "shop"', 'CheckMyDatabase', D => 'User does not have CONNECT privilege.')), {}, 'permission_denied', '42501', qr/has no CONNECT privilege/, qr/GRANT CONNECT ON DATABASE "shop" TO "reader";/ ],
	[ 'no CONNECT, of a pooler that keeps the SQLSTATE', after_password(pg_error('42501', 'permission denied for database "shop"')), {}, 'permission_denied', '42501', qr/has no CONNECT privilege/, qr/GRANT CONNECT/ ],
	[ 'some privilege, of a pooler that keeps the SQLSTATE', after_password(pg_error('42501', 'нет прав')), {}, 'permission_denied', '42501', qr/lacks a privilege .*: нет прав$/, qr/CONNECT.*login event trigger.*options/ ],
	# A trigger's own errors are not those of the options.
	[ 'a setting that a login trigger names', after_password(reported('42704', 'unrecognized configuration parameter "audit.on"', 'GetConfigOptionByName')), { options => '-c geqo=off' }, 'remote_error', '42704', qr/refused the login: unrecognized/, qr/^Look at the log/ ],
	# PostgreSQL 18: OAuth; and an unknown mechanism.
	map({ [ "SASL by $_ alone", says(pg_auth(10, "$_\0\0")), {}, 'authentication_failed', undef, qr/asks for a kind of authentication that is not supported$/, qr/scram-sha-256/ ] } qw(OAUTHBEARER SCRAM-SHA-512)),
	[ 'SASL by nothing', says(pg_auth(10, "\0")), {}, 'authentication_failed', undef, qr/asks for a kind of authentication that is not supported$/, qr/scram-sha-256/ ],
	# libpq 18 takes the first one of these and gives up, older ones know the second alone: what the server asks for then is refused.
	[ 'SASL by OAUTHBEARER or SCRAM-SHA-256', sub {
			my ($client) = @_;
			send_bytes($client, pg_auth(10, "OAUTHBEARER\0SCRAM-SHA-256\0\0"));
			my (undef, $body) = pg_read_message($client);
			my ($nonce) = $body =~ /,r=(.+)$/s;
			send_bytes($client, pg_auth(11, "r=${nonce}x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=2000000000"));
			hold($client);
		}, {}, 'authentication_failed', undef, qr/asks for (a kind of authentication that is not supported|too many iterations of SCRAM)$/, qr/scram/i ],
	# A hot standby, for a role whose transactions are serializable.
	[ 'serializable on a standby', after_password(reported('0A000', 'cannot use serializable mode in a hot standby', 'GetSerializableTransactionSnapshot')), {}, 'remote_error', '0A000', qr/serializable, which a hot standby does not take$/, qr/-c default_transaction_isolation=repeatable\\ read\.$/ ],
	[ 'the same in Russian', after_password(reported('0A000', 'нельзя', 'GetSerializableTransactionSnapshot')), {}, 'remote_error', '0A000', qr/serializable, which a hot standby/, qr/repeatable\\ read/ ],
	# Words of libpq, or of a server that has no process left.
	[ 'no process left', says("Ecould not fork new process for connection: Resource temporarily unavailable\n\0"), {}, 'too_many_connections', undef, qr/could not start a process for the connection$/, qr/^Try again later/ ],
	[ 'an error that is none', says("ERROR unknown command\r\n"), {}, 'not_postgres', undef, qr/does not speak the PostgreSQL protocol$/, qr/another service/ ],
	[ 'the same in place of an answer to the request for TLS', undef, { banner => "ERROR\r\n" }, 'not_postgres', undef, qr/does not speak the PostgreSQL protocol$/, qr/another service/ ],
	[ 'an error in place of an answer to the request for TLS', undef, { banner => pg_error('53300', 'Sorry, too many clients already') }, 'remote_error', undef, qr/answered the request for TLS with an error$/, qr/sslmode disable/ ],
	[ 'a request of too few bytes', says('R' . pack('N', 6) . "\0\0"), {}, 'not_postgres', undef, qr/does not speak/, qr/another service/ ],
	[ 'an error of SCRAM', sub {
			my ($client) = @_;
			send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
			my (undef, $body) = pg_read_message($client);
			my ($nonce) = $body =~ /,r=(.+)$/s;
			send_bytes($client, pg_auth(11, "r=${nonce}x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096"));
			pg_read_message($client);
			send_bytes($client, pg_auth(12, 'e=a-word-of-its-own'));
			hold($client);
		}, {}, 'remote_error', undef, qr/^the login at 127\.0\.0\.1:\d+ failed: .*a-word-of-its-own$/, qr/log of the remote server/ ],
	[ 'a server that does not know the password', sub {
			my ($client) = @_;
			send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
			my (undef, $body) = pg_read_message($client);
			my ($nonce) = $body =~ /,r=(.+)$/s;
			send_bytes($client, pg_auth(11, "r=${nonce}x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096"));
			pg_read_message($client);
			send_bytes($client, pg_auth(12, 'v=' . 'A' x 43 . '='));
			hold($client);
		}, {}, 'authentication_failed', undef, qr/has not proved that it knows the password of user "reader"$/, qr/proxy/ ],
	[ 'an end without a word', sub { }, {}, 'connection_lost', undef, $lost, qr/^Try again/ ],
	# PgBouncer: 1.18 and before; 1.24 and later, which keeps the SQLSTATE of the server, and says more around its words.
	map({ [ "PgBouncer: $_->[0]", after_password(pg_error($_->[1] // '08P01', $_->[0])), {}, $_->[2], $_->[1] // '08P01', $_->[3], $_->[4] // qr/./ ] }
		[ 'server login has been failing, cached error: role "reader" is not permitted to log in (server_login_retry)', undef, 'login_not_allowed', qr/has no user "reader" that may log in$/ ],
		[ 'server login has been failing, cached error: database "shop" does not exist (server_login_retry)', undef, 'database_not_found', qr/^database "shop" does not exist behind the connection pooler/ ],
		[ 'server login has been failing, cached error: connect failed (server_login_retry)', undef, 'server_silent', qr/got no connection to the server behind it$/ ],
		[ 'server login has been failing, try again later (server_login_retry)', undef, 'server_silent', qr/got no connection/ ],
		[ 'server login failed: FATAL too many connections for role "reader"', undef, 'too_many_connections', qr/no connection left for user "reader"$/ ],
		[ 'client connections exceeded (max_user_client_connections)', undef, 'too_many_connections', qr/^the connection pooler at \S+ has no connection left$/ ],
		[ 'remaining connection slots are reserved for non-replication superuser connections', undef, 'too_many_connections', qr/no connection left/ ],
		[ 'PAM authentication failed for user "reader"', undef, 'authentication_failed', qr/^password authentication failed/, qr/users of the pooler/ ],
		[ 'no authentication method is found', undef, 'login_not_allowed', qr/^the connection pooler at \S+ does not let user "reader" log in/, qr/auth_hba_file/ ],
		[ 'no such user', undef, 'authentication_failed', qr/^password authentication failed/, qr/users of the pooler/ ],
		[ 'role "reader" is not permitted to log in', '28000', 'login_not_allowed', qr/has no user "reader" that may log in$/ ],
		[ 'no pg_hba.conf entry for host "10.1.2.3", user "reader", database "shop", no encryption', '28000', 'login_not_allowed', qr/^the server behind the connection pooler at \S+ does not let user "reader"/, qr/address of the pooler/ ],
		[ 'database "shop" does not exist', '3D000', 'database_not_found', qr/^database "shop" does not exist at/ ],
		[ 'too many connections for database "shop"', '53300', 'too_many_connections', qr/no connection left/ ],
		[ 'password authentication failed for user "reader"', '28P01', 'authentication_failed', qr/^password authentication failed/ ]),
	# Words in another language that name both, or neither: nothing is known.
	[ 'words on both', after_password(pg_error('08P01', 'нет "reader" в "shop"')), {}, 'remote_error', '08P01', qr/^the server at \S+ refused the login: нет "reader" в "shop"$/, qr/proxy or pooler/ ],
	[ 'words on the database', after_password(pg_error('08P01', "die Datenbank \xc2\xbbshop\xc2\xab")), {}, 'remote_error', '08P01', qr/with words on database "shop": die Datenbank/, qr/may not exist.*CONNECT/ ],
	[ 'words on the user', after_password(pg_error('08P01', "der Benutzer \xc2\xabreader\xc2\xbb")), {}, 'remote_error', '08P01', qr/with words on user "reader": der Benutzer/, qr/may not exist.*LOGIN/ ],
	# Proxies that choose the server by host name, user or options.
	[ 'Neon', says(pg_error('XX000', "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass the endpoint ID")), {}, 'remote_error', 'XX000', qr/refused the login: Endpoint ID is not specified\. Either/, qr/^If that does not say what to do: .*host name, user or options/ ],
	[ 'Supavisor', says(pg_error('XX000', 'Tenant or user not found')), {}, 'remote_error', 'XX000', qr/refused the login: Tenant or user not found$/, qr/^If that does not say what to do/ ],
	[ 'an internal error of PostgreSQL', says(reported('XX000', 'cache lookup failed', 'elog')), {}, 'remote_error', 'XX000', qr/refused the login: cache lookup failed$/, qr/^Look at the log of the remote server\.$/ ],
	[ 'QuestDB, a wrong password', after_password(pg_error('00000', 'invalid username/password')), {}, 'authentication_failed', '00000', qr/^password authentication failed/, qr/^Check the user/ ],
	# Words of the server that look like libpq's.
	[ 'a server that is something', after_password(reported('XX000', 'the server is tired, session is over', 'elog')), {}, 'remote_error', 'XX000', qr/refused the login: the server is tired/, qr/^Look at the log/ ]);

foreach my $case (@logins)
{
	my ($what, $serve, $override, $code, $sqlstate, $message, $hint) = @$case;
	my $banner = delete $override->{banner};
	my $model;
	if ($serve) { $model = model_of($serve, %$override); }
	else
	{
		my $server = start_fake_server(sub { my ($client) = @_; read_bytes($client, 8); send_bytes($client, $banner); hold($client); });
		$model = connection_model(undef, host => '127.0.0.1', port => '' . $server->port, database => 'shop', user => 'reader', password => 'a password of its own');
	}
	fails($sql, $what, $model, $code, sqlstate => $sqlstate, message => $message, hint => $hint, without => qr/10\.1\.2\.3/);
}

# --- Queries -------------------------------------------------------------------------------------------------------------

# A fatal error ends the connection.
sub answers { my ($bytes) = @_; return sub { my ($client) = @_; pg_log_in($client, 1); pg_answer($client, $bytes); hold($client) if $bytes !~ /FATAL/; }; }

my $ready   = pg_message('Z', 'I');
my @queries = (
	[ 'QuestDB as postgresql', pg_error('00000', 'unknown function name: pg_catalog.pg_backend_pid()', 'ERROR') . $ready, 'remote_error', '00000', qr/reported an error: unknown function name/, qr/^Check that provider_type says what answers there/ ],
	[ 'a look-alike without the function', pg_error('42883', 'function pg_catalog.pg_backend_pid() does not exist', 'ERROR') . $ready, 'remote_error', '42883', qr/reported an error: function/, qr/provider_type/ ],
	[ 'H2, a row without a description', pg_message('1', '') . pg_message('2', '') . pg_message('D', pack 'n N a', 1, 1, 'a') . pg_message('C', "SELECT 1\0") . $ready, 'remote_error', undef, qr/sent an answer that breaks the PostgreSQL protocol$/, qr/provider_type/ ],
	[ 'a message of no known type', "\x01\0\0\0\x08xxxx", 'remote_error', undef, qr/sent an answer that breaks the PostgreSQL protocol$/, qr/provider_type/ ],
	[ 'a copy', pg_message('H', pack 'C n', 0, 0), 'remote_error', undef, qr/sent a copy of data in place of an answer$/, qr/provider_type/ ],
	[ 'PgBouncer, no connection to the server', pg_error('08P01', 'query_wait_timeout'), 'server_silent', '08P01', qr/got no connection to the server behind it$/, qr/paused/ ],
	[ 'PgBouncer, the server refuses', pg_error('08P01', 'too many connections for role "reader"'), 'too_many_connections', '08P01', qr/no connection left/, qr/limit/ ],
	[ "PgBouncer's console", pg_error('08P01', 'extended query protocol not supported by admin console'), 'invalid_connection', '08P01', qr/is the console of a connection pooler$/, qr/^Name a database/ ],
	[ 'a pooler that lost the server', pg_error('08P01', 'server conn crashed?'), 'connection_lost', '08P01', qr/was lost: server conn crashed\?$/, qr/pooler/ ],
	[ 'serializable on a standby', pg_error('0A000', 'cannot use serializable mode in a hot standby', 'ERROR') . $ready, 'remote_error', '0A000', qr/serializable/, qr/repeatable\\ read/ ]);
foreach my $case (@queries)
{
	my ($what, $bytes, $code, $sqlstate, $message, $hint) = @$case;
	fails($sql, "query: $what", model_of(answers($bytes)), $code, sqlstate => $sqlstate, message => $message, hint => $hint);
}

# --- Certificates ----------------------------------------------------------------------------------------------------------

my $remote = remote_server('remote');
new_certificate($dir, 'self', names => 'IP:127.0.0.1');    # before there is an authority
new_certificate($dir, 'ca');
signed_certificate($dir, 'other', ca => '');
signed_certificate($dir, 'between');
signed_certificate($dir, 'old', until => '20210101000000Z');
my @address = (names => 'IP:127.0.0.1');
signed_certificate($dir, 'good', @address);
signed_certificate($dir, 'expired', @address, until => '20210101000000Z');
signed_certificate($dir, 'early', @address, from => '20480101000000Z');
signed_certificate($dir, 'unknown', @address, ca => 'other');
signed_certificate($dir, 'chain', @address, ca => 'other', send => ['other']);
signed_certificate($dir, 'short', @address, ca => 'between');
signed_certificate($dir, 'whole', @address, ca => 'between', send => ['between']);
signed_certificate($dir, 'outdated', @address, ca => 'old', send => ['old']);
signed_certificate($dir, 'stranger', names => 'DNS:elsewhere.example');
$sql->must('SET dqds.ssl_root_certs = ' . sql_literal("$dir/ca.crt"));
$control->safe_psql('postgres', "LOAD 'dqds'; ALTER SYSTEM SET dqds.ssl_root_certs = " . sql_literal("$dir/ca.crt"));
$control->reload;
poll_until(sub { http($bridge, GET => '/api/connections')->{status} == 200 }, 20);

my @certificates = (
	[ expired => 'it has expired', qr/^Renew the certificate; sslmode require/ ],
	[ early => 'it is not valid yet', qr/^Compare the clocks/ ],
	[ self => 'it is signed by itself, and not known here', qr/^Add that certificate to the file of dqds\.ssl_root_certs/ ],
	[ unknown => 'its issuer "dqds-test-other" is not known here', qr/^Add the certificate of that authority .* or let the server send/ ],
	[ chain => 'an authority above it, "dqds-test-other", is not known here', qr/^Add the certificate of that authority/ ],
	[ short => 'its issuer "dqds-test-between" is not known here', qr/^Add the certificate of that authority .* or let the server send/ ],
	[ outdated => 'the certificate of an authority above it, issued by "dqds-test-ca", has expired', qr/^Renew the certificate/ ]);
foreach my $case (@certificates)
{
	my ($name, $why, $hint) = @$case;
	serve_certificate($remote, $dir, $name);
	foreach my $mode (qw(verify-ca verify-full))
	{
		my $model = connection_model($remote, sslmode => $mode);
		fails($sql, "certificate $name, $mode", $model, 'tls_certificate', message => qr/^the certificate of \S+ is not trusted: \Q$why\E$/, hint => $hint);
		my ($step) = grep { $_->{status} eq 'failed' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($model) . '::text)');
		like("$step->{step}: $step->{message}", qr/^tls: the certificate of \S+ is not trusted: \Q$why\E; certificate for dqds-test-$name \(names: 127\.0\.0\.1\), valid until \d{4}-\d\d-\d\d \d\d:\d\d UTC, issued by dqds-test-\w+$/,
			"certificate $name, $mode: the step tls shows it");
	}
}
{
	serve_certificate($remote, $dir, 'stranger');
	my $model = connection_model($remote, sslmode => 'verify-full');
	fails($sql, 'certificate for another name', $model, 'tls_certificate', message => qr/is for another host name$/);
	my ($step) = grep { $_->{status} eq 'failed' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($model) . '::text)');
	like($step->{message}, qr/is for another host name; certificate for dqds-test-stranger \(names: elsewhere\.example\), valid until/, 'the step tls shows whose it is');
	foreach my $name (qw(good whole))
	{
		serve_certificate($remote, $dir, $name);
		works($sql, "certificate $name, $_", connection_model($remote, sslmode => $_)) foreach qw(verify-ca verify-full);
	}
}

# Signatures that channel binding has no hash function for.
{
	my $odd = "$dir/odd";
	mkdir $odd;
	new_certificate($odd, 'own', names => 'IP:127.0.0.1', key => 'ed25519');
	new_certificate($odd, 'ca', key => 'ed25519');
	new_certificate($odd, 'signed', names => 'IP:127.0.0.1');
	foreach my $name (qw(own signed))
	{
		serve_certificate($remote, $odd, $name);
		foreach my $mode (qw(prefer require))
		{
			fails($sql, "Ed25519, certificate $name, $mode", connection_model($remote, sslmode => $mode), 'authentication_failed', message => qr/signature \(Ed25519 or the like\) that channel binding cannot be used with$/, hint => qr/^Set the property channel_binding of the connection to disable/);
			works($sql, "Ed25519, certificate $name, $mode: as the hint says", connection_model($remote, sslmode => $mode, properties => { channel_binding => 'disable' }));
		}
	}
}

is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
