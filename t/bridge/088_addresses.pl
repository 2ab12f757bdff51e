# One name, several addresses: whatever the first server does before it begins the authentication, the next one is tried,
# within the deadline for all of them; the decision of a server is final. A success does not mention the servers that were
# skipped. The property target_session_attrs is checked for each address. A dot at the end of a name is only for the name
# server.
use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 sha256);
use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Names;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IO::Socket::INET;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir    = PostgreSQL::Test::Utils::tempdir('addresses');
my @more   = map { "127.0.0.$_" } 11 .. 16;
my $remote = remote_server('remote', conf => "wal_level = replica\nmax_wal_senders = 5\nhot_standby = on\nlog_connections = on\n"
	  . "listen_addresses = '127.0.0.1, " . join(', ', @more) . "'");
my $port    = '' . $remote->port;
my $control = with_names(sub { control_server('control') });
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control, level => 'admin');
also_over_rest($bridge);

# A server at another address, with the same port as the good one; returns its address.
my $last = 20;

sub first_server
{
	my ($serve) = @_;
	my $address = '127.0.0.' . ++$last;
	start_fake_server($serve, $address, $port) if $serve;
	return $address;
}

# A name with these addresses, in this order.
my %names;

sub name_of
{
	my ($name, @addresses) = @_;
	$names{$name} = [ join ',', @addresses ];
	set_names(%names);
	return $name;
}

sub model { my ($host, %override) = @_; return connection_model($remote, host => $host, %override); }

# --- Failures of the first server ------------------------------------------------------------------------------------------

# Accepts TLS, and then only does END; also with a client that does not request TLS.
sub in_tls
{
	my ($end) = @_;
	return sub {
		my ($client) = @_;
		my (undef, $code) = unpack 'NN', read_bytes($client, 8);
		if ($code == 80877103) { send_bytes($client, 'S'); read_bytes($client, 5); }
		$end->($client);
	};
}

my %before_login = (
	'nothing listens'                  => undef,
	'it says nothing'                  => \&hold,
	'it closes at once'                => sub { },
	'it resets at once'                => sub { reset_connection($_[0]) },
	'it closes when TLS is asked for'  => sub { read_bytes($_[0], 8) },
	'it says nothing in TLS'           => in_tls(\&hold),
	'it closes in TLS'                 => in_tls(sub { }),
	'it resets in TLS'                 => in_tls(\&reset_connection),
	'it says nothing to the login'     => sub { pg_read_startup($_[0]); hold($_[0]) },
	'it closes at the login'           => sub { pg_read_startup($_[0]) },
	'it resets at the login'           => sub { pg_read_startup($_[0]); reset_connection($_[0]) });
my (@cases, %names_of);
foreach my $what (sort keys %before_login)
{
	foreach my $mode (qw(prefer disable require))
	{
		# A server that has no TLS has decided that with sslmode require.
		next if $mode eq 'disable' && $what =~ /TLS/ || $mode eq 'require' && $what =~ /login/;
		my $host = name_of('first' . ++$last . '.test', first_server($before_login{$what}), '127.0.0.1');
		push @cases, [ "$what, sslmode $mode", $host, $mode ];
	}
}
# The good server speaks TLS.
new_certificate($dir, 'ca');
new_certificate($dir, 'address', names => 'DNS:db.test,IP:127.0.0.1');
serve_certificate($remote, $dir, 'address');

# Those that keep silent have half of the time: all at once, so that this is waited for once.
{
	foreach my $case (@cases)
	{
		my ($what, $host, $mode) = @$case;
		create_connection($control, $what, model($host, sslmode => $mode, properties => { connect_timeout => '16' }));
	}
	my $list   = 'ARRAY[' . join(', ', map { sql_literal($_->[0]) } @cases) . ']';
	my $answer = $sql->query("SELECT * FROM dqds_test_connections($list)");
	foreach my $row (@{ $answer->{rows} })
	{
		my $said = join '|', map { $row->{$_} // '-' } qw(connection_test_result error_message error_code sqlstate hint);
		is($said, 'SUCCESS|-|-|-|-', "$row->{connection_name}: the next address is tried, and the success carries no message");
	}
	is(scalar @{ $answer->{rows} }, scalar @cases, 'all of them');
	my ($host) = map { $_->[1] } grep { $_->[0] =~ /^nothing listens/ } @cases;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(model($host)) . '::text)');
	is(join('|', map { $_ // '-' } @$row{qw(connection_test_result error_message error_code sqlstate hint)}), 'SUCCESS|-|-|-|-', 'dqds_test_connection: a success carries no message');
	foreach my $details ('', '?details=true')
	{
		my $json = http($bridge, POST => "/api/datasource/testconnection$details", {}, model($host))->{json};
		is(join(' ', sort grep { $_ ne 'details' } keys %$json), 'connectionTestResult elapsedMs serverVersion tls', "REST$details: a success carries no message");
		is(join(' ', map { $_->{status} } grep { $_->{step} =~ /^(connect|tls|authenticate)$/ } @{ $json->{details} // [] }), $details ? 'ok ok ok' : '', "REST$details: and its steps are those of the address that worked");
	}
	my $listing = $sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal(model($host)) . '::text)');
	is($listing->{error}, undef, 'a listing takes the next address, too');
}

# Three that keep silent, one after the other, and then a good one: each has its share.
{
	my $host = name_of('silent.test', (map { first_server($_) } \&hold, $before_login{'it says nothing in TLS'}, $before_login{'it says nothing to the login'}), '127.0.0.1');
	works($sql, 'three silent addresses', model($host, properties => { connect_timeout => '20' }));
}

# --- Decisions are final -----------------------------------------------------------------------------------------------

foreach my $row (
	[ 'a server that is starting', 'server_starting', '57P03', sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('57P03', 'the database system is starting up')) } ],
	[ 'a full server', 'too_many_connections', '53300', sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('53300', 'sorry, too many clients already')) } ],
	[ 'a wrong password', 'authentication_failed', '28P01', sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt')); pg_read_message($_[0]); send_bytes($_[0], pg_error('28P01', 'password authentication failed')) } ],
	[ 'silence in the authentication', 'server_silent', undef, sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt')); hold($_[0]) } ],
	[ 'an end in the authentication', 'connection_lost', undef, sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(5, 'salt')); pg_read_message($_[0]) } ])
{
	my ($what, $code, $sqlstate, $serve) = @$row;
	fails($sql, "$what: that is the answer", model(name_of('decided' . ++$last . '.test', first_server($serve), '127.0.0.1'), properties => { connect_timeout => '3' }),
		$code, sqlstate => $sqlstate, within => 4);
}

# If no address works: the failure of the one that got furthest.
{
	my $nobody = first_server();
	my %timeout = (properties => { connect_timeout => '3' });
	fails($sql, 'silence, then no server: silence', model(name_of('furthest.test', first_server(\&hold), $nobody), %timeout), 'server_silent', within => 4);
	fails($sql, 'no server, then silence: silence', model(name_of('further.test', $nobody, first_server(\&hold)), %timeout), 'server_silent', within => 4);
	fails($sql, 'no server twice: no server', model(name_of('nobody.test', $nobody, first_server()), %timeout), 'connection_refused');
	# The deadline is that of the whole, however many addresses there are.
	my $answer = $sql->query('SELECT * FROM dqds_test_connection(' . sql_literal(model(name_of('many.test', map { first_server(\&hold) } 1 .. 12), %timeout)) . '::text)');
	is($answer->{rows}[0]{error_code}, 'server_silent', 'twelve silent addresses: server_silent');
	cmp_ok($answer->{seconds}, '<', 3 + PATIENCE, 'in the time of one');
	cmp_ok($answer->{seconds}, '>', 2.9, 'and not before');
}

# --- target_session_attrs ----------------------------------------------------------------------------------------------

my $standby = standby_of($remote, 'standby');
$standby->append_conf('postgresql.conf', "listen_addresses = '127.0.0.9'\nport = $port\nunix_socket_directories = ''\nssl = off");
$standby->start;

# Is it the standby that is connected to?
sub place
{
	my ($host, $kind) = @_;
	my $model = model($host, $kind ? (properties => { target_session_attrs => $kind }) : ());
	my ($row) = grep { $_->{step} eq 'server' || $_->{status} eq 'failed' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($model) . '::text)');
	return $row->{message} =~ /, a (hot standby|primary),/ ? $1 : $row->{message};
}

{
	my %pair = ('standby first' => name_of('pair.test', '127.0.0.9', '127.0.0.1'), 'primary first' => name_of('riap.test', '127.0.0.1', '127.0.0.9'));
	my %wanted = ('read-write' => 'primary', primary => 'primary', 'read-only' => 'hot standby', standby => 'hot standby', 'prefer-standby' => 'hot standby');
	foreach my $order (sort keys %pair)
	{
		is(place($pair{$order}, $_), $wanted{$_}, "$order, $_: the $wanted{$_}") foreach sort keys %wanted;
		is(place($pair{$order}, 'any'), $order eq 'standby first' ? 'hot standby' : 'primary', "$order, any: the first");
		my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(model($pair{$order}, properties => { target_session_attrs => 'read-write' })) . '::text)');
		is(join('|', map { $_ // '-' } @$row{qw(connection_test_result error_message error_code sqlstate hint)}), 'SUCCESS|-|-|-|-', "$order: the success carries no message");
	}
	my $primaries = name_of('primaries.test', @more[ 0, 1, 2 ]);
	is(place($primaries, 'prefer-standby'), 'primary', 'three primaries, prefer-standby: a primary');
	fails($sql, 'three primaries, standby', model($primaries, properties => { target_session_attrs => 'standby' }), 'login_not_allowed',
		message => qr/^3 of the 3 addresses of primaries\.test:$port answered, and none is of the kind that target_session_attrs asks for$/, hint => qr/target_session_attrs/);
	fails($sql, 'two primaries and no server, standby', model(name_of('less.test', $more[0], first_server(), $more[1]), properties => { target_session_attrs => 'standby' }), 'login_not_allowed',
		message => qr/^2 of the 3 addresses of less\.test:$port answered/);
	fails($sql, 'one address, standby', model('127.0.0.1', properties => { target_session_attrs => 'standby' }), 'login_not_allowed',
		message => qr/^the server at 127\.0\.0\.1:$port is not of the kind/);
}

# What a server makes the client compute does not multiply with its addresses: two times 140,000 iterations are more than one
# server may ask for.
{
	my ($salt, $rounds, $secret) = ('salt of sixteen.', 140_000, remote_password($remote));
	my $block = my $salted = hmac_sha256("$salt\0\0\0\1", $secret);
	foreach (2 .. $rounds) { $block = hmac_sha256($block, $secret); $salted ^= $block; }
	my $verifier = sprintf 'SCRAM-SHA-256$%d:%s$%s:%s', $rounds, map { encode_base64($_, '') } $salt, sha256(hmac_sha256('Client Key', $salted)), hmac_sha256('Server Key', $salted);
	$remote->safe_psql('postgres', "CREATE ROLE laborious LOGIN PASSWORD '$verifier'");
	works($sql, 'an expensive role', model('127.0.0.1', user => 'laborious'));
	my $before = -s $remote->logfile;
	my $row    = outcome($sql, model(name_of('costly.test', @more), user => 'laborious', properties => { target_session_attrs => 'standby' }));
	like($row->{error_message}, qr/^2 of the 6 addresses of costly\.test:$port answered/, 'six expensive servers of the wrong kind: two are asked');
	my $logins = () = slurp_file($remote->logfile, $before) =~ /connection authorized: user=laborious/g;
	is($logins, 2, 'and no more have been logged in to');
}

# --- A dot at the end of the name ----------------------------------------------------------------------------------------

{
	$sql->must('SET dqds.ssl_root_certs = ' . sql_literal("$dir/ca.crt"));
	name_of('db.test', '127.0.0.1');
	works($sql, "$_, verify-full", model($_, sslmode => 'verify-full')) foreach qw(db.test db.test. DB.test.);
	my $row = outcome($sql, model(name_of('other.test', '127.0.0.1') . '.', sslmode => 'verify-full'));
	is($row->{error_code}, 'tls_certificate', 'another name with a dot is another name');
	like($row->{error_message}, qr/^the certificate of other\.test\.:$port is for another host name$/, 'which is shown as it is written');

	# What a proxy sees in the TLS handshake: a server in Python, which writes it down.
	my $sni = start_fake_server(
		sub {
			my ($client) = @_;
			read_bytes($client, 8);
			send_bytes($client, 'S');
			open STDIN, '<&', $client or die $!;
			exec 'python3', '-c', <<'PYTHON', "$dir/address", "$dir/sni";
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '.crt', sys.argv[1] + '.key')
def note(secure, name, context):
    with open(sys.argv[2], 'w') as file:
        file.write(str(name))
context.sni_callback = note
try:
    context.wrap_socket(socket.socket(fileno=0), server_side=True)
except OSError:
    pass
PYTHON
		});
	foreach my $host (qw(db.test db.test.))
	{
		unlink "$dir/sni";
		outcome($sql, model($host, port => '' . $sni->port, sslmode => 'require', properties => { connect_timeout => '5' }));
		is(poll_until(sub { -s "$dir/sni" }, 10) && slurp_file("$dir/sni"), 'db.test', "the SNI of $host is db.test");
	}
}

is($bridge->stop, 0, 'the bridge ends with status 0');
done_testing();
