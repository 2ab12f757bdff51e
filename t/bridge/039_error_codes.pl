# Every error code has a real cause here: a server that is configured to refuse in that way, or a model that cannot be used.
# Each cause is tried in four ways, a test and a listing over SQL and over REST, and all four report the same code, a message
# that names what is wrong, and a hint. The messages and hints are those of doc/errors.md, word for word, and a GRANT in a hint
# is run and helps. A code of src/base/error_codes.h without a cause or without a row in doc/errors.md is a failure, and so is a
# row that nothing causes, here or in the test that %not_here names for it.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Documents;
use DqdsTest::FakePostgres;
use DqdsTest::Names;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use DqdsTest::Under;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# --- What the codes are, and what doc/errors.md says of them ---------------------------------------------

my %sqlstate_of = reverse slurp_file('src/base/error_codes.h') =~ /X\(\w+, *"(QD\d{3})", *"(\w+)"\)/g;
my @codes       = sort { $sqlstate_of{$a} cmp $sqlstate_of{$b} } keys %sqlstate_of;

# Rows of the table; a message is there as it is printed, but for the words in capitals, which stand for what differs.
my @rows = map { { code => $_->{error_code}, sqlstate => $_->{SQLSTATE}, message => $_->{message}, hint => $_->{hint}, caused => 0 } } table_rows('doc/errors.md', 'error_code');
is(join(' ', map { "$_ $sqlstate_of{$_}" } @codes), join(' ', uniq(map { "$_->{code} $_->{sqlstate}" } @rows)),
	"the table has the codes of error_codes.h, in their order");

sub uniq { my %seen; return grep { !$seen{$_}++ } @_; }

# What the page says above its table: a message can go without the server's words, and a hint can have a sentence more.
my $not_shown   = 'The words of the server are not shown where a connection with options uses a stored secret.';
my $white_space = 'The password begins or ends with white space.';
my $page        = page_text('doc/errors.md') =~ s/\s+/ /gr;
ok(index($page, $_) >= 0, "the page says: $_") foreach $not_shown, $white_space;

# Does a line of the table mean this text? %is: the word in capitals => what stands there, as it is or as SQL quotes it; others
# may be anything.
sub nested { my ($levels) = @_; my $value = []; $value = [$value] foreach 2 .. $levels; return $value; }

my @words = qw(HOST PORT USER DBNAME TABLE SECONDS COUNT KEY VALUES VALUE REFERENCE SETTING REASON PROVIDER SIZE SERVER ISSUER WHAT NAME);

sub means
{
	my ($line, $text, %is) = @_;
	my $words   = join '|', @words;
	my $pattern = '';
	foreach my $part (split /\b($words)\b/, $line)
	{
		if    ($part !~ /^(?:$words)$/) { $pattern .= quotemeta $part; }
		elsif (defined $is{$part})      { $pattern .= ref $is{$part} ? $is{$part} : '(?:' . join('|', map { quotemeta } $is{$part}, $is{$part} =~ s/"/""/gr) . ')'; }
		elsif ($part eq 'SECONDS')      { $pattern .= '\d+\.\d'; }
		elsif ($part eq 'COUNT')        { $pattern .= '\d+'; }
		else                            { $pattern .= '.+'; }
	}
	return $text =~ /^$pattern$/s;
}

# --- The servers ------------------------------------------------------------------------------------------

my $dir = PostgreSQL::Test::Utils::tempdir('codes');
new_certificate($dir, 'self', names => 'IP:127.0.0.1');    # before there is an authority
new_certificate($dir, 'ca');
new_certificate($dir, 'stranger', names => 'DNS:elsewhere.example');
new_certificate($dir, 'nameless', subject => '/O=nobody');
signed_certificate($dir, 'expired', names => 'IP:127.0.0.1', until => '20210101000000Z');
signed_certificate($dir, 'abroad', ca => '');
signed_certificate($dir, 'foreign', names => 'IP:127.0.0.1', ca => 'abroad');
mkdir "$dir/odd";
new_certificate("$dir/odd", 'own', names => 'IP:127.0.0.1', key => 'ed25519');

my $remote  = remote_server('remote', conf => "restart_after_crash = on\nwal_level = replica\nmax_wal_senders = 4\nlisten_addresses = '127.0.0.1, 127.0.0.3'");
my $secure  = remote_server('secure');
my $waiting = remote_server('waiting', conf => "wal_level = replica\nmax_connections = 5\nsuperuser_reserved_connections = 3");
my $seconds = patience(2);
my $control = with_names(
	sub {
		control_server('control', conf => <<"CONF");
dqds.connect_timeout = '${seconds}s'
dqds.query_timeout = '${seconds}s'
dqds.ssl_root_certs = '$dir/ca.crt'
dqds.max_answer_size = '1MB'
dqds.allowed_hosts = '127.0.0.0/8, *.test, 169.254.0.0/16, 224.0.0.1'
CONF
	});
set_names('twice.test' => ['127.0.0.1,127.0.0.3'], 'slow.test' => ['never'], 'metadata.test' => ['169.254.169.254']);
my $bridge = start_bridge($control, level => 'admin');
my $sql    = DqdsTest::Sql->connect($control);

my $password = remote_password($remote);
refusing_roles($remote);
$remote->safe_psql('postgres', <<"SQL");
CREATE ROLE hasty LOGIN PASSWORD '$password';
ALTER ROLE hasty SET statement_timeout = '300ms';
CREATE ROLE impatient LOGIN PASSWORD '$password';
ALTER ROLE impatient SET lock_timeout = '300ms';
CREATE ROLE frugal LOGIN PASSWORD '$password';
ALTER ROLE frugal SET temp_file_limit = 0;
ALTER ROLE frugal SET work_mem = '64kB';
CREATE ROLE ldapper LOGIN;
CREATE ROLE identified LOGIN;
CREATE ROLE unlucky LOGIN PASSWORD '$password';
ALTER ROLE unlucky SET session_preload_libraries = 'no_such_library';
CREATE ROLE serial LOGIN PASSWORD '$password';
ALTER ROLE serial SET default_transaction_isolation = 'serializable';
CREATE ROLE "odd ""reader""" LOGIN PASSWORD '$password';
CREATE DATABASE strict;
CREATE DATABASE many;
SQL
$remote->safe_psql('strict', 'REVOKE SELECT ON pg_namespace FROM PUBLIC');
$remote->safe_psql('many', q{DO $$BEGIN FOR i IN 1 .. 3000 LOOP
	EXECUTE format('CREATE SCHEMA %I', repeat('many', 14) || i); END LOOP; END$$; GRANT pg_read_all_data TO frugal});
hba_first($remote, 'host all ldapper 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=' . free_port() . ' ldapprefix="uid="', 'host all identified 127.0.0.1/32 ident');
my $standby = standby_of($remote, 'standby');
$standby->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'");
$standby->start;
my $pooler = start_pgbouncer($remote, 'transaction', "default_pool_size = 2\nserver_login_retry = 1\nadmin_users = reader");
my $pooler_waits = pgbouncer_version() >= 1.024;
my $before_waiting = start_pgbouncer($waiting, 'transaction', 'server_login_retry = 1');
my $patient = start_pgbouncer($remote, 'transaction', '', 'gone = host=127.0.0.1 port=' . free_port() . "\n*");
my $impatient = start_pgbouncer($remote, 'transaction', 'query_wait_timeout = 1', 'gone = host=127.0.0.1 port=' . free_port() . "\n*");
my ($users, $rules) = map { PostgreSQL::Test::Utils::tempdir('pooler') . "/$_" } qw(users rules);
foreach my $file ([ $users, qq("reader" "$password"\n"rejected" "$password"\n) ], [ $rules, "host all reader 127.0.0.1/32 reject\n" ])
{
	open my $out, '>', $file->[0] or die "$file->[0]: $!";
	print $out $file->[1];
	close $out;
}
my $rejected = start_pgbouncer($remote, 'transaction', "auth_file = $users\nserver_login_retry = 1");
my $ruled    = start_pgbouncer($remote, 'transaction', "auth_type = hba\nauth_hba_file = $rules");
my $narrow = start_pgbouncer($remote, 'transaction', 'max_client_conn = 1', 'postgres');
$sql->must(q(SELECT dqds_create_credential('abroad', 'secret', 'db.example'), dqds_grant_credential('abroad', 'dqds_anonymous')));

# Foreign servers, most with something wrong.
create_wrapper($control, 'postgres_fdw');
$sql->must(<<"SQL");
CREATE FOREIGN DATA WRAPPER of_files;
CREATE SERVER "of files" FOREIGN DATA WRAPPER of_files;
CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1');
CREATE SERVER mapless FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1');
CREATE SERVER mute FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1');
CREATE SERVER pinned FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', hostaddr '127.0.0.1');
CREATE SERVER broken FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port 'x');
CREATE SERVER placeless FOREIGN DATA WRAPPER postgres_fdw;
GRANT USAGE ON FOREIGN SERVER mapless, mute, pinned, broken, placeless TO dqds_anonymous;
CREATE USER MAPPING FOR PUBLIC SERVER mute OPTIONS (user 'reader');
CREATE USER MAPPING FOR PUBLIC SERVER pinned OPTIONS (user 'reader', password 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER broken OPTIONS (user 'reader', password 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER placeless OPTIONS (user 'reader', password 'secret');
SQL

# Servers that demand a certificate of the client: one says so in words, after the handshake; a pooler by an alert of TLS 1.3.
my $secure_password = remote_password($secure);
$secure->safe_psql('postgres', "CREATE ROLE certified LOGIN PASSWORD '$secure_password'; CREATE ROLE cleartext LOGIN PASSWORD '$secure_password'");
serve_certificate($secure, $dir, 'self');
reload_with($secure, "ssl_ca_file = '$dir/ca.crt'");
hba_first($secure, 'hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca', 'hostssl all cleartext 127.0.0.1/32 password');
my $certified = start_pgbouncer($secure, 'transaction',
	"client_tls_sslmode = verify-ca\nclient_tls_ca_file = $dir/ca.crt\nclient_tls_cert_file = $dir/self.crt\nclient_tls_key_file = $dir/self.key");

my $tls_pooler = start_pgbouncer($secure, 'transaction', "client_tls_sslmode = require\nclient_tls_cert_file = $dir/self.crt\nclient_tls_key_file = $dir/self.key");

# A line to the secure server that turns over the last bit of all that comes after the handshake: the client may have to begin that twice.
my $secure_port = $secure->port;
my $garbling = start_fake_server(
	sub {
		my ($client) = @_;
		my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $secure_port) or die "port $secure_port: $!\n";
		my $both   = IO::Select->new($client, $server);
		my $said   = 0;
		while (my @ready = $both->can_read)
		{
			foreach my $from (@ready)
			{
				sysread $from, my $bytes, 65536 or return;
				$said++ if $from == $client;
				substr $bytes, -1, 1, chr(ord(substr $bytes, -1) ^ 1) if $from == $server && $said > 3;
				send_bytes($from == $server ? $client : $server, $bytes);
			}
		}
	});

# A server with many schemas.
my $schemas = pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', 2) . ("c\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0) x 2);
$schemas .= pg_message('D', pack 'n N/a* l>', 2, $_ . 's' x 500, -1) foreach 1 .. 5000;
my $endless = start_fake_server(sub { pg_log_in($_[0]); pg_answer($_[0], $schemas); hold($_[0]); });

# A server with a name that is not valid in its own encoding.
my $garbled = start_fake_server(
	sub {
		my ($socket) = @_;
		my $refusal = pg_error('22021', 'invalid byte sequence for encoding "EUC_JP": 0x8e', 'ERROR') . pg_message('Z', 'I');
		my $number  = pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', 1) . "c\0" . pack 'N n N n N n', 0, 0, 23, -1, -1, 0)
		  . pg_message('D', pack 'n N/a*', 1, '1') . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I');
		pg_log_in($socket);
		pg_answer($socket, sub { $_[0] =~ /pg_namespace/ ? $refusal : $number }) while 1;
	});

# Servers that cannot be had here: one of PostgreSQL 17 with a login trigger, a proxy that wants to know more, one that hangs up
# in TLS, one that ends SCRAM in its way, a look-alike, and one that breaks the protocol.
sub refusing { my ($error) = @_; return start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt')); pg_read_message($_[0]); send_bytes($_[0], $error); }); }
sub answering { my ($bytes) = @_; return start_fake_server(sub { pg_log_in($_[0]); pg_answer($_[0], $bytes) while 1; }); }
my $triggered = refusing(pg_error('42501', 'permission denied for schema audit', 'FATAL', F => 'aclchk.c', L => '2700', R => 'aclcheck_error'));
my $proxy     = refusing(pg_error('XX000', 'Endpoint ID is not specified'));
my $torn      = start_fake_server(sub { read_bytes($_[0], 8); send_bytes($_[0], 'S'); read_bytes($_[0], 5); });
my $old_pooler = refusing(pg_error('08P01', 'database "nowhere" does not exist')); # up to 1.23
my $lookalike = answering(pg_error('00000', 'unknown function name: pg_catalog.pg_backend_pid()', 'ERROR') . pg_message('Z', 'I'));
my $broken    = answering(pg_message('1', '') . pg_message('2', '') . pg_message('D', pack 'n N a', 1, 1, 'a') . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'));
my $scram     = start_fake_server(
	sub {
		my ($client) = @_;
		pg_read_startup($client);
		send_bytes($client, pg_auth(10, "SCRAM-SHA-256\0\0"));
		my (undef, $body) = pg_read_message($client);
		my ($nonce) = $body =~ /,r=(.+)$/s;
		send_bytes($client, pg_auth(11, "r=${nonce}x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096"));
		pg_read_message($client);
		send_bytes($client, pg_auth(12, 'e=other-error'));
		hold($client);
	});

sub port_of { my ($process) = @_; return '' . $process->port; }

# --- The causes ---------------------------------------------------------------------------------------------

# [code, what, model, options]: the model is an override of connection_model($remote), or a sub that gives one.
#   at => SERVER               another server than $remote
#   before, after => SUB       around all four ways
#   around => SUB              called with each way, which it calls; for what has to be set up each time
#   only => 'list'             a test alone does not come across it; 'keys': nor does a listing of schemas
#   unusable => 1              it cannot even be registered: over REST 406 when it is tried
#   unregistered => 1          only a model that is not registered comes across it
#   spelled => 'text'          in place of the model a URL or a conninfo string, which REST does not take
#   grant => 1                 the hint has the GRANT that helps
#   is => {…}                  what stands for words in capitals, beside host, port, user and database
# A session with the remote, which may have been restarted just before.
sub remote_session { return poll_until(sub { eval { DqdsTest::Sql->connect($remote) } }) // die "the server does not come back\n"; }

my $locker;
my $locked = sub { my ($way) = @_; $locker = remote_session(); lock_catalog($locker); $way->(); $locker->close; };

# While a query hangs at the remote, its backend gets ACTION.
sub hit
{
	my ($action) = @_;
	return sub {
		my ($way) = @_;
		# The server may have taken the session before it saw that another backend of its was killed, and ends it then.
		my $session = poll_until(sub { my $new = remote_session(); eval { lock_catalog($new); 1 } ? $new : undef }) // die "no lock on the catalog\n";
		$way->(
			sub {
				my $victim = q(SELECT pid FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active' AND wait_event_type = 'Lock');
				my $pid = poll_until(sub { $session->must('SELECT pg_stat_clear_snapshot()'); $session->value($victim) }, 10) or die 'no query hangs';
				$action->($session, $pid);
			});
		$session->close;
	};
}

my @occupants;

sub occupy
{
	my ($name) = @_;
	$locker = remote_session();
	lock_catalog($locker);
	my $model = sql_literal(connection_model($remote)) . '::text';
	@occupants = map { DqdsTest::Sql->connect($control) } 1 .. 9;
	foreach my $i (0 .. $#occupants)
	{
		$occupants[$i]->must(q(SET dqds.query_timeout = '60s'));
		$occupants[$i]->send('SELECT * FROM dqds_list_schemas(' . ($i == 0 ? sql_literal($name) : $model) . ')');
	}
	my $hanging = q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND wait_event_type = 'Lock');
	poll_until(sub { $locker->must('SELECT pg_stat_clear_snapshot()'); $locker->value($hanging) == 9 }, 10) or die 'not all hang';
	return;
}

sub vacate
{
	$locker->close;
	$_->answer(10) && $_->close foreach @occupants;
	return;
}

# A model with these members in its section and at its top; undef takes one away.
sub with
{
	my ($section, $top) = @_;
	return sub {
		my $model = from_json(connection_model($remote));
		foreach my $part ([ $model->{postgresql}, $section ], [ $model, $top // {} ])
		{
			my ($members, $changes) = @$part;
			%$members = (%$members, %$changes);
			delete $members->{$_} foreach grep { !defined $members->{$_} } keys %$members;
		}
		return to_json($model);
	};
}

# A model that names a foreign server, with members as above.
sub foreign { my ($server, $section, $top) = @_; return sub { to_json({ provider_type => 'postgresql', postgresql => { foreign_server => $server, %{ $section // {} } }, %{ $top // {} } }) }; }

# The SQL session is that of a superuser, who may use everything: for a while, that of the role of the bridge.
sub as_anonymous { return (before => sub { $sql->must('SET ROLE dqds_anonymous') }, after => sub { $sql->must('RESET ROLE') }); }

my @taken;
my $hole  = black_hole();
my @cases = (
	[ host_not_found => 'an unknown name', { host => 'unknown.test' }, is => { REASON => 'Name or service not known' } ],
	[ host_not_found => 'a name server that keeps silent', { host => 'slow.test' } ],
	[ connection_refused => 'no server there', { port => '' . free_port() } ],
	[ unreachable => 'a black hole', { port => "$hole->{port}" } ],
	[ unreachable => 'an address that nothing leads to', { host => '224.0.0.1' } ],
	[ server_silent => 'a pooler without its server', { port => port_of($patient), database => 'gone' } ],
	[ server_silent => 'a server that stands still', {}, before => sub { freeze($remote) }, after => sub { thaw($remote) } ],
	[ server_silent => 'a pooler that gives up waiting for its server', { port => port_of($impatient), database => 'gone' } ],
	[ not_postgres => 'an HTTP server', { port => port_of($bridge) } ],
	[ tls_failed => 'a server without TLS', { sslmode => 'require' } ],
	[ tls_failed => 'no TLS version in common', { sslmode => 'require', properties => { ssl_min_protocol_version => 'TLSv1', ssl_max_protocol_version => 'TLSv1' } },
		at => $secure, before => sub { serve_certificate($secure, $dir, 'self') } ],
	[ tls_failed => 'a server that demands a client certificate', { user => 'certified', sslmode => 'require' }, at => $secure ],
	[ tls_failed => 'a pooler that demands a client certificate', { port => port_of($certified), sslmode => 'require' }, at => $secure ],
	[ tls_failed => 'a pooler that demands TLS', { port => port_of($tls_pooler), sslmode => 'disable' }, at => $secure ],
	[ tls_failed => 'a line that garbles what comes after the handshake', { port => port_of($garbling), sslmode => 'require' }, at => $secure,
		is => { REASON => 'decryption failed or bad record mac' } ],
	[ tls_certificate => 'a certificate of its own', { sslmode => 'verify-ca' }, at => $secure ],
	[ tls_certificate => 'a certificate that has expired', { sslmode => 'verify-ca' }, at => $secure, before => sub { serve_certificate($secure, $dir, 'expired') } ],
	[ tls_certificate => 'an authority that is not known', { sslmode => 'verify-ca' }, at => $secure, before => sub { serve_certificate($secure, $dir, 'foreign') }, is => { ISSUER => 'dqds-test-abroad' } ],
	[ tls_certificate => 'a certificate for another name', { sslmode => 'verify-full' }, at => $secure, before => sub { serve_certificate($secure, $dir, 'stranger') } ],
	[ tls_certificate => 'a certificate without names', { sslmode => 'verify-full' }, at => $secure, before => sub { serve_certificate($secure, $dir, 'nameless') } ],
	[ tls_certificate => 'no root certificates', { sslmode => 'verify-full' }, at => $secure,
		before => sub { rename "$dir/ca.crt", "$dir/away" or die $! }, after => sub { rename "$dir/away", "$dir/ca.crt" or die $! } ],
	[ password_required => 'no password', { password => undef } ],
	[ password_required => 'a server that asks for none', { user => 'trusted' } ],
	[ authentication_failed => 'a wrong password', { password => 'wrong' } ],
	[ authentication_failed => 'a password with a line feed behind it', { password => "$password\n" }, unregistered => 1 ],
	[ authentication_failed => 'a server that asks LDAP', { user => 'ldapper', properties => { allow_cleartext_password => 'true' } } ],
	[ authentication_failed => 'an unknown user', { user => 'nobody' } ],
	[ authentication_failed => 'a password that has expired', { user => 'expired' } ],
	[ authentication_failed => 'a server that wants it in clear text', { user => 'cleartext' } ],
	[ authentication_failed => 'a server that wants a ticket', { user => 'kerberos' } ],
	[ authentication_failed => 'a server that wants hard work', { user => 'laborious' } ],
	[ authentication_failed => 'a server that wants it in clear text, under TLS that is not verified', { user => 'cleartext', sslmode => 'require' }, at => $secure ],
	[ authentication_failed => 'no channel binding without TLS', { properties => { channel_binding => 'require' } } ],
	[ authentication_failed => 'a certificate that cannot be bound to', { sslmode => 'require' }, at => $secure, before => sub { serve_certificate($secure, "$dir/odd", 'own') }, after => sub { serve_certificate($secure, $dir, 'self') } ],
	[ authentication_failed => 'a wrong password, a pooler', { port => port_of($pooler), password => 'wrong' } ],
	[ login_not_allowed => 'pg_hba.conf', { user => 'rejected' } ],
	[ login_not_allowed => 'pg_hba.conf, without TLS', { user => 'rejected', sslmode => 'disable' } ],
	[ login_not_allowed => 'ident', { user => 'identified' } ],
	[ login_not_allowed => 'the rules of a pooler', { port => port_of($ruled) } ],
	[ login_not_allowed => 'pg_hba.conf behind a pooler', { port => port_of($rejected), user => 'rejected' } ],
	[ login_not_allowed => 'a role without LOGIN', { user => 'no login' } ],
	[ login_not_allowed => 'a database that allows no connections', { database => 'template_like' } ],
	[ login_not_allowed => 'no standby', { properties => { target_session_attrs => 'standby' } } ],
	[ login_not_allowed => 'no standby at two addresses', { host => 'twice.test', properties => { target_session_attrs => 'standby' } } ],
	[ database_not_found => 'an unknown database', { database => 'no "such" db' } ],
	[ database_not_found => 'an unknown database behind a pooler', { port => port_of($pooler), database => 'nowhere', properties => { connect_timeout => '30' } } ],
	[ database_not_found => 'the same, of a PgBouncer that tells no SQLSTATE', { port => port_of($old_pooler), database => 'nowhere' } ],
	[ database_not_found => 'a database that the pooler does not know', { port => port_of($narrow), database => 'nowhere' } ],
	[ permission_denied => 'no CONNECT', { database => 'closed "db"', user => 'odd "reader"' }, grant => 1 ],
	[ permission_denied => 'options that are refused', { options => '-c role=pg_monitor' }, unregistered => 1, is => { REASON => 'permission denied to set role "pg_monitor"' } ],
	[ permission_denied => 'the same in a registered connection', { options => '-c role=pg_monitor' }, only => 'registered' ],
	[ permission_denied => 'a login trigger', { port => port_of($triggered) }, is => { REASON => 'permission denied for schema audit' } ],
	[ permission_denied => 'a catalog that is closed', { database => 'strict' }, only => 'list', grant => 1, is => { REASON => 'permission denied for table pg_namespace' } ],
	[ too_many_connections => 'the limit of the role', { user => 'limited' } ],
	[ too_many_connections => 'the limit of the database', { database => 'full_db' } ],
	[ too_many_connections => 'the limit of the server', {}, at => $waiting,
		before => sub { @taken = map { DqdsTest::Sql->connect($waiting, user => 'reader') } 1, 2 },
		after => sub { $_->close foreach @taken } ],
	[ too_many_connections => 'the limit of a pooler', { port => port_of($narrow) },
		# the first byte of a login that goes no further
		before => sub { @taken = open_socket($narrow); syswrite $taken[0], "\0" },
		after => sub { $_->close foreach @taken } ],
	[ server_starting => 'a standby that accepts no logins', {}, at => $waiting,
		before => sub { $waiting->stop('fast'); $waiting->append_conf('postgresql.conf', 'hot_standby = off'); $waiting->append_conf('standby.signal', ''); $waiting->start } ],
	# From 1.24 on PgBouncer lets its clients wait for such a server; before, it hands on what that says.
	[ ($pooler_waits ? 'server_silent' : 'server_starting') => 'a pooler in front of it', { port => port_of($before_waiting), properties => { connect_timeout => $pooler_waits ? '2' : '30' } }, at => $waiting, after => sub { $waiting->stop('immediate') } ],
	[ timeout => 'a lock on the catalog', {}, around => $locked ],
	[ cancelled => 'statement_timeout there', { user => 'hasty' }, around => $locked ],
	[ cancelled => 'lock_timeout there', { user => 'impatient' }, around => $locked ],
	[ cancelled => 'pg_cancel_backend there', { properties => { application_name => 'a' } }, around => hit(sub { $_[0]->must("SELECT pg_cancel_backend($_[1])") }) ],
	[ connection_lost => 'pg_terminate_backend there', { properties => { application_name => 'b' } }, around => hit(sub { $_[0]->must("SELECT pg_terminate_backend($_[1])") }) ],
	[ connection_lost => 'kill -9 there', { properties => { application_name => 'c' } }, around => hit(sub { kill 'KILL', $_[1] }) ],
	[ connection_lost => 'a proxy that hangs up in TLS', { port => port_of($torn), sslmode => 'require' } ],
	[ target_not_allowed => 'a denied address', { host => '169.254.169.254' }, is => { SETTING => 'dqds.denied_hosts' } ],
	[ target_not_allowed => 'a name that leads to it', { host => 'metadata.test' }, is => { SETTING => 'dqds.denied_hosts' } ],
	[ target_not_allowed => 'an address that is not allowed', { host => '192.0.2.1' }, is => { SETTING => 'dqds.allowed_hosts' } ],
	[ invalid_connection => 'an unknown provider', { provider_type => 'excel' }, unusable => 1, is => { KEY => 'provider_type', VALUES => 'one of the published provider types, such as postgresql' } ],
	[ invalid_connection => 'a value that is refused', with({}, { provider_type => 'redshift', postgresql => undef, redshift => { redshift_authentication_mode => 'iam', host => 'h', user => 'u', password => 'p' } }),
		unusable => 1, is => { KEY => 'redshift.redshift_authentication_mode', VALUE => 'iam', REASON => 'it uses the identity of the machine on which this server runs' } ],
	[ unsupported_provider => 'constraints of another provider', { provider_type => 'questdb' }, only => 'keys', is => { WHAT => 'constraints' } ],
	[ invalid_connection => 'no host', { host => undef }, unusable => 1, is => { KEY => 'postgresql.host' } ],
	[ invalid_connection => 'a port that is none', { port => '0' }, unusable => 1, is => { KEY => 'postgresql.port', VALUES => 'a whole number from 1 to 65535' } ],
	[ invalid_connection => 'an sslmode that is none', { sslmode => 'always' }, unusable => 1,
		is => { KEY => 'postgresql.sslmode', VALUES => 'one of disable, allow, prefer, require, verify-ca, verify-full' } ],
	[ invalid_connection => 'a database that is a connection string', { database => 'host=127.0.0.1' }, unusable => 1, is => { KEY => 'postgresql.database', VALUES => 'the name of a database, without other connection parameters' } ],
	[ invalid_connection => 'a property that may not be set', { properties => { sslkey => '/x' } }, unusable => 1, is => { KEY => 'sslkey' } ],
	[ invalid_connection => 'values that libpq does not take together', { properties => { ssl_min_protocol_version => 'TLSv1.3', ssl_max_protocol_version => 'TLSv1.2' } }, is => { REASON => qr/invalid SSL protocol version range/ } ],
	[ invalid_connection => 'a misspelt sslmode', with({ sslMode => 'require' }), unusable => 1, is => { KEY => qr/postgresql\.sslMode|sslmode/ } ],
	[ invalid_connection => 'a file of certificates', with({ sslrootcert => '/x' }), unusable => 1, is => { KEY => 'postgresql.sslrootcert', REASON => 'the setting dqds.ssl_root_certs says which certificates are trusted' } ],
	[ invalid_connection => 'a misspelt user', with({ user => undef, username => 'u' }), unusable => 1, is => { KEY => qr/(?:postgresql\.)?user(?:name)?/ } ],
	[ invalid_connection => 'no section', with({}, { postgresql => undef, host => 'h' }), unusable => 1, is => { KEY => qr/postgresql|host/ } ],
	[ invalid_connection => 'sslmode at the top', with({}, { sslmode => 'require' }), unusable => 1, is => { KEY => qr/postgresql|sslmode/ } ],
	[ invalid_connection => 'a host beside a foreign server', foreign('shop', { host => 'h' }), unusable => 1, is => { KEY => 'postgresql.host' } ],
	[ invalid_connection => 'a foreign server, and no password', foreign('shop', {}, { password_required => JSON::PP::false }), unregistered => 1 ],
	[ permission_denied => 'a foreign server that is for others', foreign('shop'), as_anonymous(), is => { SERVER => qr/SERVER|shop/, USER => qr/USER|dqds_anonymous/ } ],
	[ invalid_connection => 'no user mapping', foreign('mapless'), as_anonymous(), is => { SERVER => qr/SERVER|mapless/, USER => qr/USER|dqds_anonymous/ } ],
	[ password_required => 'a user mapping without a password', foreign('mute'), is => { SERVER => 'mute', USER => 'USER' } ],
	[ invalid_connection => 'an unknown foreign server', foreign('nowhere'), is => { SERVER => 'nowhere' } ],
	[ invalid_connection => 'a foreign server of another kind', foreign('of files'), is => { SERVER => 'of files' } ],
	[ invalid_connection => 'a foreign server with an option that cannot be used', foreign('pinned'), is => { SERVER => 'pinned', KEY => 'hostaddr' } ],
	[ invalid_connection => 'a foreign server with a bad option', foreign('broken'), is => { SERVER => 'broken', KEY => 'port', VALUES => 'a whole number from 1 to 65535' } ],
	[ invalid_connection => 'a foreign server without a host', foreign('placeless'), is => { SERVER => qr/SERVER|placeless/, USER => 'USER', KEY => 'host' } ],
	[ invalid_connection => 'a foreign server in the section of another provider', with({}, { provider_type => 'redshift', postgresql => undef, redshift => { foreign_server => 'shop', host => 'h', user => 'u', password => 'p' } }),
		unusable => 1, is => { KEY => qr/redshift\.foreign_server|postgresql/ } ],
	[ invalid_connection => 'a mask for nothing', { password => '********' }, unusable => 1, is => { KEY => 'password' } ],
	[ invalid_connection => 'a model that is nested too deeply', { labels => nested(120) }, unusable => 1 ],
	[ invalid_connection => 'a number of very many digits', { parallel_jobs_limit => 1e60 }, unusable => 1, is => { KEY => 'parallel_jobs_limit' } ],
	[ invalid_connection => 'no password, by an unregistered model', { password => undef, password_required => JSON::PP::false }, unregistered => 1 ],
	[ invalid_connection => 'options, which a pooler refuses', { port => port_of($pooler), options => '-c geqo=off' } ],
	[ invalid_connection => 'a parameter that no model has', {}, spelled => 'postgresql://u:p@h/d?sslcert=x', is => { KEY => 'sslcert' } ],
	[ invalid_connection => 'a list of hosts', {}, spelled => 'host=a,b user=u', is => { KEY => 'host' } ],
	[ invalid_connection => 'a socket', {}, spelled => 'postgresql:///d?host=/tmp', is => { KEY => 'host' } ],
	[ invalid_connection => 'what may be a part of a password', {}, spelled => 'jdbc:postgresql://h/d?user=u&password=a&b=c' ],
	[ invalid_connection => 'a URL that is cut off', {}, spelled => 'postgresql://u:p@[::1', is => { REASON => 'an IPv6 address is not closed by "]"' } ],
	[ invalid_connection => 'a setting that the server does not know', { options => '-c no_such_setting=1' }, unregistered => 1, is => { REASON => 'unrecognized configuration parameter "no_such_setting"' } ],
	[ invalid_connection => 'the same in a registered connection', { options => '-c no_such_setting=1' }, only => 'registered' ],
	[ invalid_connection => 'the console of a pooler', { port => port_of($pooler), database => 'pgbouncer' } ],
	[ unresolved_secret => 'an unknown credential', { password => '${credential://nope}' }, is => { REFERENCE => 'credential://nope', KEY => 'postgresql.password' } ],
	[ unresolved_secret => 'an unknown variable', { password => '${DQDS_SECRET_NOPE}' }, is => { REFERENCE => 'DQDS_SECRET_NOPE', KEY => 'postgresql.password' } ],
	[ unresolved_secret => 'a credential for another host', { password => '${credential://abroad}' } ],
	[ busy => 'as many as there may be', { parallel_jobs_limit => 1 }, before => \&occupy, after => \&vacate ],
	[ remote_error => 'a role whose library is missing', { user => 'unlucky' }, is => { REASON => qr/could not access file "no_such_library": .*/ } ],
	[ remote_error => 'the same with options in a registered connection', { user => 'unlucky', options => '-c geqo=off' }, only => 'registered' ],
	[ remote_error => 'a proxy that misses something', { port => port_of($proxy) }, is => { REASON => 'Endpoint ID is not specified' } ],
	[ remote_error => 'a standby that is asked for serializable transactions', { user => 'serial', port => '' . $standby->port } ],
	[ remote_error => 'an error of SCRAM', { port => port_of($scram) }, is => { REASON => qr/error received from server in SCRAM exchange: other-error/ } ],
	[ remote_error => 'a look-alike', { port => port_of($lookalike) }, is => { REASON => 'unknown function name: pg_catalog.pg_backend_pid()' } ],
	[ remote_error => 'an answer that breaks the protocol', { port => port_of($broken) }, is => { REASON => 'an answer that breaks the PostgreSQL protocol' } ],
	[ remote_error => 'an answer without end', { port => port_of($endless) }, only => 'list', is => { SIZE => '1 MB' } ],
	[ remote_error => 'a name that is not valid', { port => port_of($garbled) }, only => 'list', is => { REASON => 'invalid byte sequence for encoding "EUC_JP": 0x8e' } ],
	[ remote_error => 'a query that needs more than the role may have', { database => 'many', user => 'frugal' }, only => 'list', is => { REASON => qr/temporary file size exceeds "?temp_file_limit"? \(0kB\)/ } ]);

# --- Four ways to ask ---------------------------------------------------------------------------------------

# Each is a sub that asks, calls $meanwhile if there is something to do while it waits, and returns
# {code, message, hint, wrong}, in which wrong is what does not fit the way.
sub over_sql
{
	my ($query, $meanwhile) = @_;
	$sql->send($query);
	$meanwhile->() if $meanwhile;
	return $sql->answer(30) // die "no answer: $query";
}

sub over_rest
{
	my ($method, $path, $body, $meanwhile) = @_;
	my $socket = open_socket($bridge);
	print $socket "$method $path HTTP/1.1\r\nHost: localhost\r\n";
	print $socket "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" if defined $body;
	print $socket "\r\n" . ($body // '');
	$socket->flush;
	$meanwhile->() if $meanwhile;
	my ($bytes, $closed) = read_all($socket, 30);
	return parse_answer($bytes, $closed, $method);
}

sub sql_test
{
	my ($model, $name, $meanwhile) = @_;
	my $answer = over_sql('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text, false)', $meanwhile);
	my $row = $answer->{rows}[0] // {};
	return { code => $row->{error_code}, message => $row->{error_message}, hint => $row->{hint}, wrong => $answer->{error}{message} };
}

sub sql_keys { return sql_list(@_[ 0 .. 2 ], 'dqds_list_constraints', q(, 's')); }

sub sql_list
{
	my ($model, $name, $meanwhile, $function, $arguments) = @_;
	my $call  = ($function // 'dqds_list_schemas') . '(' . sql_literal($model) . '::text' . ($arguments // '') . ')';
	my $error = over_sql("SELECT * FROM $call", $meanwhile)->{error} // {};
	my ($code) = grep { $sqlstate_of{$_} eq ($error->{sqlstate} // '') } @codes;
	return { code => $code // $error->{sqlstate}, message => $error->{message}, hint => $error->{hint} };
}

sub rest_test
{
	my ($model, $name, $meanwhile) = @_;
	my $answer = over_rest(POST => '/api/datasource/testconnection?verifyNameUniqueness=false', $model, $meanwhile);
	my $json = $answer->{json} // {};
	return { code => $json->{errorCode}, message => $json->{errorMessage}, hint => $json->{hint}, wrong => scalar answer_fault($answer, 200) };
}

# An error body has one text: the message, and the hint as a sentence behind it.
sub from_body
{
	my ($answer, $status, $prefix) = @_;
	my $json = $answer->{json} // {};
	my $fault = answer_fault($answer, $status);
	$fault //= "message: $json->{message}" if index($json->{message}, $prefix) != 0;
	return { code => $json->{errorCode}, both => substr($json->{message} // '', length $prefix), wrong => $fault };
}

sub rest_list
{
	my ($model, $name, $meanwhile) = @_;
	my $answer = over_rest(GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas', undef, $meanwhile);
	my $busy = ($answer->{json}{errorCode} // '') eq 'busy';
	return from_body($answer, $busy ? 503 : 400, $busy ? '' : 'Source database connection error: ');
}

sub rest_create
{
	my ($model, $name) = @_;
	return from_body(http($bridge, POST => '/api/connections/' . encode_segment($name) . '/basic', {}, $model), 406, '');
}

my %ways = ('SQL test' => \&sql_test, 'SQL list' => \&sql_list, 'SQL keys' => \&sql_keys, 'REST test' => \&rest_test, 'REST list' => \&rest_list, 'REST create' => \&rest_create);

sub ways_of
{
	my (%opt) = @_;
	my $rest = $opt{unusable} ? 'REST create' : 'REST list';
	return ('SQL test', 'SQL list') if $opt{spelled};
	return ('SQL list', 'REST list') if ($opt{only} // '') eq 'list';
	return ('REST list') if ($opt{only} // '') eq 'registered';
	return ('SQL keys')  if ($opt{only} // '') eq 'keys';
	return ('SQL test', 'SQL list', 'REST test', $opt{unregistered} ? () : $rest);
}

# --- All of them --------------------------------------------------------------------------------------------

my ($tried, %causes) = (0);

# forms_of(ROW): the pairs of message and hint that it stands for.
sub forms_of
{
	my ($row) = @_;
	my ($message, $hint) = @$row{qw(message hint)};
	return (
		[ $message, $hint ],
		$message =~ /: REASON$/          ? [ $message =~ s/: REASON$//r, "$hint $not_shown" ] : (),
		$row->{code} =~ /^authentication/ ? [ $message, "$hint $white_space" ]                 : ());
}

# The row that an answer is, of several the one with most words of its own; undef: it is none.
sub row_of
{
	my ($code, $answer, %is) = @_;
	my $length = sub { my ($row) = @_; my $words = join '|', @words; return length "$row->{message}$row->{hint}" =~ s/\b(?:$words)\b//gr };
	my ($best) = sort { $length->($b) <=> $length->($a) } grep {
		my $row = $_;
		$row->{code} eq $code && grep {
			my ($message, $hint) = @$_;
			defined $answer->{both}
			  ? means("$message. $hint", $answer->{both}, %is)
			  : means($message, $answer->{message} // '', %is) && means($hint, $answer->{hint} // '', %is)
		} forms_of($row)
	} @rows;
	return $best;
}

# What is in the table and nothing here brings about: how the message begins, and which test sees it, or why none does.
my %not_here = map { split / *\| */, $_, 2 } grep { /\S/ } split /\n/, <<'END';
"KEY" in the connection model is not valid / It must be text with                    | sql/secrets
"KEY" refers to the environment of the server                                        | 070_references
HOST:PORT cannot be connected to                                                     | an error of the network that no address here has
another transaction is changing the same WHAT                                        | 079_locks
could not connect to HOST:PORT: REASON                                               | an error of the network that is not known
database, user, options and application_name, with their references expanded         | as the next, with a long variable of the environment
database, user, options and application_name together have COUNT bytes               | 045_untrusted_answers
more than COUNT schemas match the pattern                                            | 10,000 schemas take too long
names of more than COUNT bytes cannot be imported                                    | 078_import_bounds
no answer from HOST:PORT / Check                                                     | the timeout of the network comes after that of dqds
no capacity is left to connect to HOST:PORT                                          | the kernel has no descriptor left
the answers of HOST:PORT have cost this session too much memory                      | 085_lost_memory
the certificate of HOST:PORT is not trusted / It must be                             | another reason than those of the table, from OpenSSL
the certificate of HOST:PORT is not trusted: an authority above it                   | 089_evidence
the certificate of HOST:PORT is not trusted: it is not valid yet                     | 089_evidence
the certificate of HOST:PORT is not trusted: the certificate of an authority above it | 089_evidence
the columns of table "TABLE" take more than COUNT MB                                 | 078_import_bounds
the connection model has more than COUNT bytes as text                               | sql/model
the connection model is also the name of a connection                                | 071_names
the connection to HOST:PORT was lost: REASON                                         | 089_evidence
the model is of connection "NAME", not of "NAME"                                     | 102_patch
the name of a connection must not                                                    | sql/registry
the reference in "KEY" is also in connection "NAME"                                  | 070_references
the server at HOST:PORT answered the request for TLS with an error                   | 089_evidence
the server at HOST:PORT could not start a process for the connection                 | 089_evidence
the server at HOST:PORT crashed                                                      | 089_evidence
the server at HOST:PORT ended the connection during login                            | a server that ends at that very moment
the server at HOST:PORT ended the idle connection                                    | such a session is not used any more
the server at HOST:PORT has no connection left for user "USER" / Try again later, or raise the limit there. | a query that fails like a login
the server at HOST:PORT is starting up or shutting down                              | a query that fails like a login
the server behind the connection pooler at HOST:PORT demands a client certificate    | 089_evidence
the server behind the connection pooler at HOST:PORT refused the login with words on | 089_evidence
the setting "SETTING" could not be applied in this session                           | 063_lost_settings
the driver does not tell whether the server at HOST:PORT has checked the password    | 124_odbc
the query at HOST:PORT did not finish within SECONDS s and was cancelled / Check that the remote server | 128_agent_processes
the server at HOST:PORT accepted the connection but did not complete the login within SECONDS s / Check that this is the port of the database, and that the server is not overloaded. | 120_mariadb
the server at HOST:PORT did not ask for the password of user "USER" / Make the server ask for a password, or | 120_mariadb
this is not a connection string of a known kind                                      | 101_spellings
this machine does not permit connections to HOST:PORT                                | a firewall of this machine
this machine has no address to reach HOST:PORT from                                  | a machine without an address
user "USER" lacks a privilege to log in to database "DBNAME" at HOST:PORT: REASON / It can be CONNECT | a proxy that names no routine
user "USER" may not read the catalog of database "DBNAME" at HOST:PORT: REASON / Grant the privilege  | a function of the catalog that was revoked
"KEY" in the connection model cannot be VALUE: REASON                                | 121_provider_models
URLs of provider type "PROVIDER" are not converted into connection models            | 101_spellings
what answers at HOST:PORT has not proved that it knows the password                  | 089_evidence
END

foreach my $case (@cases)
{
	my ($code, $what, $override, %opt) = @$case;
	my $name  = "case $code: $what";
	my $model = ref $override eq 'CODE' ? $override->() : connection_model($opt{at} // $remote, %$override);
	my $place = from_json($model)->{postgresql} // {};
	$model = $opt{spelled} // $model;
	my %is    = (HOST => $place->{host}, PORT => $place->{port}, USER => $place->{user}, DBNAME => $place->{database}, %{ $opt{is} // {} });
	$causes{$code}++;

	if (!$opt{unusable} && !$opt{unregistered} && !$opt{spelled})
	{
		is(http($bridge, POST => '/api/connections/' . encode_segment($name) . '/basic', {}, $model)->{status}, 201, "$code, $what: can be registered");
	}
	$opt{before}->($name) if $opt{before};
	my ($hint, %shown);
	foreach my $way (ways_of(%opt))
	{
		my $answer;
		my $ask = sub { $answer = $ways{$way}->($model, $name, @_); };
		if ($opt{around}) { $opt{around}->($ask); }
		else              { $ask->(); }
		my $text = $answer->{both} // join '. ', map { $_ // '(nothing)' } @$answer{qw(message hint)};
		my $row  = row_of($code, $answer, %is);
		is($answer->{wrong}, undef, "$code, $what: $way: as it should be");
		is($answer->{code}, $code, "$code, $what: $way: the code") or diag($text);
		ok($row, "$code, $what: $way: message and hint are in doc/errors.md") or diag("it says: $text");
		unlike($text, qr/\Q$password\E/, "$code, $what: $way: without the password");
		$row->{caused}++ if $row;
		$hint = $answer->{hint} // $hint;
		$tried++;
	}
	if ($opt{grant})
	{
		my ($grant) = ($hint // '') =~ /(GRANT .*;)/;
		ok($grant, "$code, $what: the hint has a GRANT") or next;
		$remote->safe_psql($place->{database}, $grant);
		my @still = grep { $_ ne '' } map { my $way = $_; $ways{$way}->($model, $name)->{code} // '' } 'SQL test', 'SQL list', 'REST test';
		is("@still", '', "$code, $what: after $grant all is well");
		is(http($bridge, GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas')->{status}, 200, "$code, $what: and over REST");
	}
	$opt{after}->() if $opt{after};
}

is(join(' ', grep { !$causes{$_} } @codes), 'wrong_server', 'every code has a cause, but for that of the agent alone');
my %never = map { ("$_->{message} / $_->{hint}" => 1) } grep { !$_->{caused} } @rows;
# The faults that drivers of the agent report are brought about in the tests of their providers, 120 to 128.
my %of_agent = map { my (undef, undef, undef, $message, $hint) = split / *(?<!\\)\| */; ("$message / $hint" => 1) } `packaging/errors-table --below src/agent`;
cmp_ok(scalar keys %of_agent, '>=', 50, 'faults of the agent are known');
my @unexplained = grep { my $row = $_; !$of_agent{$row} && !grep { index($row, $_) == 0 } keys %not_here } sort keys %never;
is(join("\n", @unexplained), '', 'each row of the table has a cause here, or a reason why not');
my @stale = grep { my $start = $_; !grep { index($_, $start) == 0 } keys %never } sort keys %not_here;
is(join("\n", @stale), '', 'each of these reasons is still needed');
is($bridge->stop, 0, 'the bridge ends with status 0');
diag(sprintf '%d error codes, %d causes, tried in %d ways; doc/errors.md shows %d messages', scalar @codes, scalar @cases, $tried, scalar @rows);
done_testing();
