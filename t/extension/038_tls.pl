# TLS follows sslmode: used if possible, required, or with the certificate and its name verified against the authorities of
# dqds.ssl_root_certs, which only a superuser can set. A connection that transfers one byte at a time changes nothing, with or
# without TLS.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Outcome;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);

my $remote  = remote_server('remote');
my $control = control_server('control');
my $dir     = PostgreSQL::Test::Utils::tempdir('tls');

my $sql = DqdsTest::Sql->connect($control);
$sql->must("SET dqds.connect_timeout = '5s'; SET dqds.query_timeout = '5s'");

# --- TLS -----------------------------------------------------------------------------------------------

fails($sql, 'sslmode require, a server without TLS', connection_model($remote, sslmode => 'require'), 'tls_failed');
is(works($sql, 'sslmode prefer, a server without TLS', connection_model($remote, sslmode => 'prefer'))->{tls},
	undef, 'without TLS, tls is null');

new_certificate($dir, 'self', names => 'IP:127.0.0.1');    # before there is an authority
new_certificate($dir, 'ca');
new_certificate($dir, 'address',  names => 'IP:127.0.0.1,DNS:localhost');
new_certificate($dir, 'stranger', names => 'DNS:elsewhere.example');

serve_certificate($remote, $dir, 'self');
$sql->must('SET dqds.ssl_root_certs = ' . sql_literal("$dir/ca.crt"));
like(works($sql, "sslmode $_, a certificate of its own", connection_model($remote, sslmode => $_))->{tls},
	qr/^TLSv1\.[23]$/, "sslmode $_: tls names the version")
  foreach qw(prefer require);
is(works($sql, 'sslmode disable', connection_model($remote, sslmode => 'disable'))->{tls},
	undef, 'sslmode disable: without TLS');
fails(
	$sql,
	"sslmode $_, a certificate of its own",
	connection_model($remote, sslmode => $_),
	'tls_certificate', hint => qr/ssl_root_certs/) foreach qw(verify-ca verify-full);
fails(
	$sql,
	'a TLS version that the server does not speak',
	connection_model(
		$remote,
		sslmode    => 'require',
		properties => { ssl_min_protocol_version => 'TLSv1', ssl_max_protocol_version => 'TLSv1' }),
	'tls_failed');
# Requests for passwords that must be refused, with or without TLS.
refusing_roles($remote);
foreach my $user (qw(kerberos laborious))
{
	foreach my $mode (qw(disable prefer require))
	{
		my $row = fails($sql, "$user, sslmode $mode", connection_model($remote, user => $user, sslmode => $mode), 'authentication_failed');
		like($row->{error_message}, qr/not supported|iterations/, "$user, sslmode $mode: it says why");
	}
}
fails(
	$sql,
	'a wrong password over TLS',
	connection_model($remote, sslmode => 'require', password => 'wrong'),
	'authentication_failed', sqlstate => '28P01');
fails(
	$sql,
	'a wrong password, TLS preferred',
	connection_model($remote, password => 'wrong'),
	'authentication_failed', sqlstate => '28P01');

serve_certificate($remote, $dir, 'address');
works($sql, "sslmode $_, a certificate of the right authority", connection_model($remote, sslmode => $_))
  foreach qw(verify-ca verify-full);
works($sql, 'sslmode verify-full by name', connection_model($remote, host => 'localhost', sslmode => 'verify-full'));
$sql->must("SET dqds.ssl_root_certs = '/nowhere/roots.crt'");
fails(
	$sql,
	'no file of root certificates',
	connection_model($remote, sslmode => 'verify-full'),
	'tls_certificate', hint => qr/ssl_root_certs/);
$sql->must('SET dqds.ssl_root_certs = ' . sql_literal("$dir/ca.crt"));

serve_certificate($remote, $dir, 'stranger');
fails(
	$sql,
	'a certificate for another name',
	connection_model($remote, sslmode => 'verify-full'),
	'tls_certificate', message => qr/another host name/);
works($sql, 'a certificate for another name, sslmode verify-ca', connection_model($remote, sslmode => 'verify-ca'));

# Only a superuser chooses the trusted authorities.
{
	$control->safe_psql('postgres', q(CREATE ROLE somebody LOGIN; SELECT dqds_grant('operator', 'somebody')));
	my $somebody = DqdsTest::Sql->connect($control, user => 'somebody');
	my $roots    = sql_literal("$dir/ca.crt");
	my $verified = sql_literal(connection_model($remote, sslmode => 'verify-ca'));

	# Before dqds is loaded, any role can set the name; it must have no effect.
	$somebody->must("SET dqds.ssl_root_certs = $roots");
	is(($somebody->rows("SELECT * FROM dqds_test_connection($verified)"))[0]{error_code},
		'tls_certificate', 'dqds.ssl_root_certs is for superusers, also before it is known');
	is($somebody->query("SET dqds.ssl_root_certs = $roots")->{error}{sqlstate},
		'42501', 'dqds.ssl_root_certs is for superusers');
	$somebody->close;
}

# --- One byte at a time, but all of them ---------------------------------------------------------------

# A connection that transfers each byte separately: the result is the same.
{
	my $port = $remote->port;
	my $slow = start_fake_server(
		sub {
			my ($client) = @_;
			my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
			  or die "cannot connect: $!";
			setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
			my $select = IO::Select->new($client, $server);
			while (1)
			{
				foreach my $socket ($select->can_read)
				{
					sysread $socket, my $bytes, 4096 or return;
					if ($socket == $client) { send_bytes($server, $bytes); next; }
					foreach my $byte (split //, $bytes) { send_bytes($client, $byte); sleep 0.0002; }
				}
			}
		});
	$sql->must("SET dqds.connect_timeout = '60s'; SET dqds.query_timeout = '60s'");
	foreach my $sslmode (qw(disable require))
	{
		my $listing = sub {
			return join ' ',
			  $sql->column('SELECT schema_name FROM dqds_list_schemas(' . sql_literal($_[0]) . '::text, true)');
		};
		is( $listing->(connection_model($remote, port => '' . $slow->port, sslmode => $sslmode)),
			$listing->(connection_model($remote)),
			"one byte at a time, sslmode $sslmode: the same answer");
	}
}

done_testing();
