# dqds_diagnose_connection: each step that can fail, and its message; a success over TLS with the details of the certificate;
# a standby, a pooler, and a user without privileges, for whom the hint is the GRANT to run. Literal addresses are shown to
# admins over SQL only. Over REST, testconnection?details=true has the same steps.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir     = PostgreSQL::Test::Utils::tempdir('diagnosis');
my $remote  = remote_server('remote', conf => "wal_level = replica\nmax_wal_senders = 5\nhot_standby = on");
my $control = control_server('control');
grant_role($control, 'operator', level => 'operator');
$control->safe_psql('postgres', 'ALTER ROLE operator LOGIN');
my $sql      = DqdsTest::Sql->connect($control);
my $operator = DqdsTest::Sql->connect($control, user => 'operator');
my $bridge   = start_bridge($control, level => 'operator');
$_->must(q(SELECT dqds_close_idle(); SET dqds.connect_timeout = '4s')) foreach $sql, $operator;

my @steps = qw(model resolve connect tls authenticate database server schemas tables);

# The steps of a model, by name; checks what holds for each diagnosis.
sub diagnose
{
	my ($model, $session) = @_;
	my @rows = ($session // $sql)->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($model) . '::text)');
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', map { $_->{step} } @rows), "@steps", 'all steps, in their order');
	return { map { $_->{step} => $_ } @rows };
}

# "model=ok resolve=failed …", without repeated statuses.
sub summary { my ($by) = @_; return join ' ', map { $by->{$_}{status} } @steps; }

my $model = connection_model($remote);
$remote->safe_psql('postgres', 'CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); CREATE TABLE shop.hidden (id int);'
	  . 'GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON shop.orders TO reader; GRANT INSERT ON shop.hidden TO reader');

# --- How far it gets -----------------------------------------------------------------------------------

{
	my $by = diagnose($model);
	is(summary($by), 'ok ok ok warning ok ok ok ok ok', 'a good connection without TLS');
	my $port = $remote->port;
	is($by->{resolve}{message},      '127.0.0.1 has 1 address: 127.0.0.1', 'resolve');
	is($by->{connect}{message},      "port $port of 127.0.0.1 accepts connections", 'connect');
	is($by->{tls}{message},          'the connection is not encrypted', 'tls');
	like($by->{tls}{hint},           qr/verify-full/, 'with what to do');
	is($by->{authenticate}{message}, 'user "reader" is logged in', 'authenticate');
	is($by->{database}{message},     'database "postgres" is open', 'database');
	like($by->{server}{message},     qr/^version \Q${\ $remote->pg_version}\E\b.*, a primary, connected directly$/, 'server');
	is($by->{schemas}{message},      '2 schemas, 2 usable by user "reader"', 'schemas');
	is($by->{tables}{message},       '2 tables and views visible, 1 readable by user "reader"', 'tables');
	is(join(' ', grep { !defined $by->{$_}{elapsed_ms} } @steps), 'model database schemas tables', 'the others take time');
	is(scalar(grep { ($by->{$_}{elapsed_ms} // 0) < 0 || ($by->{$_}{elapsed_ms} // 0) > 30000 } @steps), 0, 'and it is plausible');
	$sql->must('SELECT dqds_create_connection(' . sql_literal('good') . ', ' . sql_literal($model) . ')');
	is(summary({ map { $_->{step} => $_ } $sql->rows(q(SELECT * FROM dqds_diagnose_connection('good'))) }), summary($by), 'by name the same');
}

# Every possible failure, and the step in which it occurs.
my $closed = free_port();
my %fake   = (
	silent => sub { hold($_[0]) },
	http   => sub { sysread $_[0], my $bytes, 100; send_bytes($_[0], "HTTP/1.1 400 Bad Request\r\n\r\n") },
	reset  => sub { pg_read_startup($_[0]); reset_connection($_[0]) },
	tls    => sub { read_bytes($_[0], 8); send_bytes($_[0], 'S'); hold($_[0]) },
	torn   => sub { read_bytes($_[0], 8); send_bytes($_[0], 'S'); read_bytes($_[0], 5); },
	late   => sub { pg_read_startup($_[0]); hold($_[0]) },
	query  => sub { pg_log_in($_[0]); pg_answer($_[0], pg_error('XX000', 'broken inside', 'ERROR') . pg_message('Z', 'I')); hold($_[0]) },
	gone   => sub { pg_log_in($_[0]); pg_read_message($_[0]); reset_connection($_[0]) });
my %port_of = map { $_ => '' . start_fake_server($fake{$_})->port } keys %fake;
$remote->safe_psql('postgres', 'CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC; CREATE ROLE nologin NOLOGIN PASSWORD '
	  . sql_literal(remote_password($remote)) . '; CREATE ROLE limited LOGIN CONNECTION LIMIT 0 PASSWORD ' . sql_literal(remote_password($remote)));
my @failures = (
	[ model        => invalid_connection    => 'a bad port', port => '0' ],
	[ model        => invalid_connection    => 'a property that is not allowed', properties => { sslkey => 'x' } ],
	[ model        => invalid_connection    => 'an unknown provider', provider_type => 'excel' ],
	[ model        => unresolved_secret     => 'an unknown reference', password => '${credential://nope}' ],
	[ resolve      => host_not_found        => 'an unknown name', host => 'no-such-host.invalid' ],
	[ resolve      => target_not_allowed    => 'a denied address', host => '169.254.169.254' ],
	[ connect      => connection_refused    => 'a closed port', port => "$closed" ],
	[ tls          => tls_failed            => 'no TLS there', sslmode => 'require' ],
	[ tls          => not_postgres          => 'another protocol', port => $port_of{http} ],
	[ tls          => server_silent         => 'silence', port => $port_of{silent} ],
	[ tls          => server_silent         => 'silence in the handshake', port => $port_of{tls} ],
	[ tls          => connection_lost       => 'broken off in the handshake', port => $port_of{torn}, sslmode => 'require' ],
	[ authenticate => server_silent         => 'silence after it', port => $port_of{late} ],
	[ authenticate => connection_lost       => 'broken off at the login', port => $port_of{reset} ],
	[ authenticate => authentication_failed => 'a wrong password', password => 'wrong' ],
	[ authenticate => password_required     => 'no password', password => undef ],
	[ authenticate => login_not_allowed     => 'a role that may not log in', user => 'nologin' ],
	[ authenticate => too_many_connections  => 'a role without a connection left', user => 'limited' ],
	[ authenticate => too_many_connections  => 'the same where TLS is not asked for', user => 'limited', sslmode => 'disable' ],
	[ authenticate => invalid_connection    => 'options that the server refuses', options => '-c nosuch=1' ],
	[ database     => database_not_found    => 'an unknown database', database => 'nope' ],
	[ database     => permission_denied     => 'a closed database', database => 'closed' ],
	[ server       => remote_error          => 'an error of the overview', port => $port_of{query} ],
	[ server       => connection_lost       => 'broken off after the login', port => $port_of{gone} ]);
foreach my $row (@failures)
{
	my ($step, $code, $what, %override) = @$row;
	my $bad = connection_model($remote, %override);
	my $by  = diagnose($bad);
	my $at  = (grep { $steps[$_] eq $step } 0 .. $#steps)[0];
	is(join(' ', grep { $by->{$_}{status} eq 'failed' } @steps), $step, "$what: fails in $step");
	is(scalar(grep { $by->{ $steps[$_] }{status} ne ($_ < $at ? $by->{ $steps[$_] }{status} =~ /^(ok|warning)$/ ? $1 : '' : $_ == $at ? 'failed' : 'skipped') } 0 .. $#steps),
		0, "$what: what comes before is good, what comes after is skipped");
	my ($test) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($bad) . '::text)');
	is($test->{error_code}, $code, "$what: a test says $code");
	is(($by->{$step}{message} // '') =~ s/[0-9.]+ s\b/N s/r, $test->{error_message} =~ s/[0-9.]+ s\b/N s/r, "$what: with the same message");
	ok(length($by->{$step}{hint} // ''), "$what: and a hint");
	is(scalar(grep { length($by->{$_}{message} // $by->{$_}{hint} // $by->{$_}{elapsed_ms} // '') } grep { $by->{$_}{status} eq 'skipped' } @steps), 0, "$what: nothing is said of what was skipped");

	# Over REST, for one fast one of each step.
	next if $code eq 'server_silent';
	my $answer = http($bridge, POST => '/api/datasource/testconnection?details=true', {}, $bad);
	is("$answer->{status} $answer->{json}{connectionTestResult} $answer->{json}{errorCode}", "200 FAILURE $code", "$what: over REST");
	is(join(' ', map { "$_->{step}=$_->{status}" } @{ $answer->{json}{details} }), join(' ', map { "$_=$by->{$_}{status}" } @steps), "$what: with the same steps");
	unlike($answer->{body}, qr/\Q@{[ remote_password($remote) ]}\E/, "$what: without the password");
}
{
	my ($grant) = diagnose(connection_model($remote, database => 'closed'))->{database}{hint} =~ /(GRANT .*;)/;
	is($grant, 'GRANT CONNECT ON DATABASE "closed" TO "reader";', 'the hint has the GRANT to run');
	$remote->safe_psql('postgres', $grant);
	unlike(summary(diagnose(connection_model($remote, database => 'closed'))), qr/failed/, 'which helps');
}
is($sql->query(q(SELECT * FROM dqds_diagnose_connection('nope')))->{error}{sqlstate}, '42704', 'an unknown name is an error');

# --- Who sees addresses -----------------------------------------------------------------------------------

{
	my $by_name = connection_model($remote, host => 'localhost');
	like(diagnose($by_name)->{resolve}{message}, qr/^localhost has \d address(es)?: .*127\.0\.0\.1/, 'an admin sees to what a name resolves');
	like(diagnose($by_name, $operator)->{resolve}{message}, qr/^localhost has \d address(es)?$/, 'an operator sees how many addresses there are');
	my $rest = start_bridge($control, anonymous => 'chief', level => 'admin');
	foreach my $who ($bridge, $rest)
	{
		my $answer = http($who, POST => '/api/datasource/testconnection?details=true', {}, $by_name);
		is($answer->{json}{connectionTestResult}, 'SUCCESS', 'REST: details of a success');
		unlike($answer->{body}, qr/127\.0\.0\.1|::1/, ($who == $rest ? 'an admin' : 'an operator') . ' over REST sees no address');
		is(join(' ', map { $_->{step} } @{ $answer->{json}{details} }), "@steps", 'but all steps');
		is(join(' ', sort keys %{ $answer->{json}{details}[2] }), 'elapsedMs message status step', 'with these members');
	}
	is(http($bridge, POST => '/api/datasource/testconnection', {}, $by_name)->{json}{details}, undef, 'without details=true there are none');
	$rest->stop;
}

# --- Privileges --------------------------------------------------------------------------------------------

{
	my $password = sql_literal(remote_password($remote));
	$remote->safe_psql('postgres', qq(CREATE DATABASE bare; CREATE ROLE "no""body" LOGIN PASSWORD $password));
	$remote->safe_psql('bare', 'REVOKE USAGE ON SCHEMA public FROM PUBLIC; CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)');
	my $bare = connection_model($remote, database => 'bare', user => 'no"body');
	my $by   = diagnose($bare);
	is(summary($by), 'ok ok ok warning ok ok ok warning warning', 'a user without any privilege: warnings');
	is($by->{schemas}{message}, '2 schemas, 0 usable by user "no"body"', 'no usable schema');
	is($by->{schemas}{hint}, 'On the remote server run: GRANT USAGE ON SCHEMA schema_name TO "no""body";', 'with the GRANT');
	like($by->{tables}{message}, qr/ 0 readable by user "no"body"$/, 'no readable table');
	is($by->{tables}{hint}, 'On the remote server run: GRANT SELECT ON ALL TABLES IN SCHEMA schema_name TO "no""body";', 'with the GRANT');
	$remote->safe_psql('bare', $by->{$_}{hint} =~ s/.*?: //r =~ s/schema_name/shop/r) foreach qw(schemas tables);
	is(summary(diagnose($bare)), 'ok ok ok warning ok ok ok ok ok', 'after these two GRANTs all is well');
}

# --- A pooler, a standby ---------------------------------------------------------------------------------------

{
	my $pooler = start_pgbouncer($remote);
	like(diagnose(connection_model($remote, port => '' . $pooler->port))->{server}{message}, qr/, a primary, behind a pooler or look-alike$/, 'behind PgBouncer');
	$pooler->stop;

	my $standby = standby_of($remote, 'standby');
	# It has the primary's settings, but for the port.
	$standby->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'");
	$standby->start;
	like(diagnose(connection_model($remote, port => '' . $standby->port))->{server}{message}, qr/, a hot standby, connected directly$/, 'a standby');
	$standby->stop('immediate');
}

# --- TLS -----------------------------------------------------------------------------------------------------------

# A certificate of its own for the remote, which begins and ends at these dates, given as YYYYMMDDHHMMSSZ.
sub certificate
{
	my ($from, $until, $names) = @_;
	my $data = $remote->data_dir;
	my $text = "[ca]\ndefault_ca=own\n[own]\nnew_certs_dir=$dir\ndatabase=$dir/index\nserial=$dir/serial\ndefault_md=sha256\npolicy=any\n"
	  . "x509_extensions=names\ncopy_extensions=none\nunique_subject=no\n[any]\ncommonName=supplied\n[names]\nbasicConstraints=CA:true\n"
	  . (defined $names ? "subjectAltName=$names\n" : '');
	my %file = (conf => $text, index => '', serial => "01\n");
	foreach my $name (keys %file) { open my $file, '>', "$dir/$name" or die $!; print $file $file{$name}; close $file; }
	run_command([ qw(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=shop-db -keyout), "$data/server.key", '-out', "$dir/request" ]);
	my ($out, $err) = run_command([ qw(openssl ca -batch -notext -selfsign -config), "$dir/conf", '-keyfile', "$data/server.key", '-in', "$dir/request",
			'-startdate', $from, '-enddate', $until, '-out', "$data/server.crt" ]);
	chmod 0600, "$data/server.key";
	$remote->append_conf('postgresql.conf', 'ssl = on');
	my $before = -s $remote->logfile;
	$remote->reload;
	$remote->wait_for_log(qr/received SIGHUP/, $before);
	return $err;
}

certificate('20200101000000Z', '20491231120000Z', 'DNS:shop-db.example,DNS:localhost,IP:127.0.0.1');
{
	my $by = diagnose($model);
	is(summary($by), 'ok ok ok ok ok ok ok ok ok', 'over TLS nothing is left to warn of');
	like($by->{tls}{message}, qr/^TLSv1\.[23] with [A-Z0-9_-]+; certificate for [^;]*shop-db[^;]* \(names: [^)]*shop-db\.example[^)]*\), valid until 2049-12-31/, 'version, cipher, names and the end of the certificate')
	  or diag($by->{tls}{message});
	like($by->{tls}{message}, qr/localhost.*127\.0\.0\.1/, 'all names');
	my ($step) = grep { $_->{step} eq 'tls' } @{ http($bridge, POST => '/api/datasource/testconnection?details=true', {}, $model)->{json}{details} };
	is("$step->{status} $step->{message}", "ok $by->{tls}{message}", 'over REST, too');
	my $bad = diagnose(connection_model($remote, sslmode => 'verify-full'));
	is("$bad->{tls}{status} $bad->{authenticate}{status}", 'failed skipped', 'verify-full without its authority: TLS fails');
	like($bad->{tls}{message}, qr/^the certificate of \S+ is not trusted: it is signed by itself, and not known here; certificate for shop-db \(names: [^)]*shop-db\.example[^)]*\), valid until 2049-12-31 12:00 UTC, issued by shop-db$/,
		'and it says why, with the certificate');
}
certificate('20200101000000Z', '20210101000000Z');
{
	my $by = diagnose($model);
	is(summary($by), 'ok ok ok warning ok ok ok ok ok', 'an expired certificate: a warning');
	like($by->{tls}{message}, qr/\(names: [^)]*\), valid until 2021-01-01/, 'which has the date');
	is($by->{tls}{hint}, 'The certificate has expired: renew it.', 'and what to do');
}


# Servers that demand a certificate of the client: one in words, a pooler by an alert of TLS 1.3 that comes after the handshake.
certificate('20200101000000Z', '20491231120000Z', 'DNS:localhost,IP:127.0.0.1');
{
	my $data = $remote->data_dir;
	reload_with($remote, "ssl_ca_file = '$data/server.crt'");
	$remote->safe_psql('postgres', 'CREATE ROLE certified LOGIN PASSWORD ' . sql_literal(remote_password($remote)));
	hba_first($remote, 'hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca');
	my $pooler = start_pgbouncer($remote, 'transaction',
		"client_tls_sslmode = verify-ca\nclient_tls_ca_file = $data/server.crt\nclient_tls_cert_file = $data/server.crt\nclient_tls_key_file = $data/server.key");
	my %demanding = (
		'a server'                => [ connection_model($remote, user => 'certified', sslmode => 'require'), '28000' ],
		'a pooler, by an alert' => [ connection_model($remote, port => '' . $pooler->port, sslmode => 'require'), undef ]);
	foreach my $what (sort keys %demanding)
	{
		my ($demanded, $sqlstate) = @{ $demanding{$what} };
		my $by = diagnose($demanded);
		is(summary($by), 'ok ok ok failed skipped skipped skipped skipped skipped', "$what that demands a client certificate: the step tls fails");
		like($by->{tls}{message}, qr/^the server at 127\.0\.0\.1:\d+ demands a client certificate$/, "$what: it says so");
		my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($demanded) . '::text)');
		is(join(' ', map { $_ // '-' } @$row{qw(error_code sqlstate)}), 'tls_failed ' . ($sqlstate // '-'), "$what: a test says tls_failed");
	}
	$pooler->stop;
}

done_testing();
