# The reason why the control database cannot be reached is reported in the bridge's own words, only by --check and in the log:
# never in libpq's words, and without any part of the connection string.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir     = PostgreSQL::Test::Utils::tempdir('failures');
my $control = control_server('control', tcp => 1);
my $text    = start_fake_server(sub { sysread $_[0], my $ignored, 1000; syswrite $_[0], "HTTP/1.1 400 Bad Request\r\n\r\n"; });
my $closing = start_fake_server(sub { sysread $_[0], my $ignored, 1000; });
my $hungry  = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(3)); hold($_[0]); });
my $strange = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_auth(99)); hold($_[0]); });

# A file that is not a certificate, and a directory without a server.
open my $file, '>', "$dir/secret.pem" or die $!;
print $file "no certificate\n";
close $file;
chmod 0600, "$dir/secret.pem";

sub at { my ($server) = @_; return 'host=127.0.0.1 port=' . $server->port . ' dbname=secretdb user=secretuser'; }

# A connection string, and the message about it.
my @cases = (
	[ 'a name that is nowhere',  'host=db.secret.invalid dbname=secretdb user=secretuser password=secretpw', 'the host name cannot be resolved' ],
	[ 'an address that is none', 'hostaddr=secret.1.2 dbname=secretdb',                             'hostaddr is not an address' ],
	[ 'no server',               'host=127.0.0.1 port=' . free_port() . ' dbname=secretdb',         'the connection is refused' ],
	[ 'no socket',               "host=$dir/secret dbname=secretdb",                                'there is no socket of a server in the directory that is named as host' ],
	[ 'a long directory',        "host=$dir/secret" . 'x' x 120 . ' dbname=secretdb',               'the directory of the socket has too long a name' ],
	[ 'a service',               'service=secretsvc',                                               'the service of the connection string is not defined' ],
	[ 'sslmode',                 'host=127.0.0.1 sslmode=secretPW',                                 'an option of the connection string is not valid' ],
	[ 'a port',                  'host=127.0.0.1 port=secretPW',                                    'an option of the connection string is not valid' ],
	[ 'a port that is none',     'host=127.0.0.1 port=777777',                                      'an option of the connection string is not valid' ],
	[ 'keepalives',              at($control) . ' keepalives=secretPW',                             'an option of the connection string is not valid' ],
	[ 'hosts and ports',         'host=secret1,secret2 port=1,2,3',                                 'an option of the connection string is not valid' ],
	[ 'target_session_attrs',    'host=127.0.0.1 target_session_attrs=secretPW',                    'an option of the connection string is not valid' ],
	[ 'channel_binding',         'host=127.0.0.1 channel_binding=secretPW',                         'an option of the connection string is not valid' ],
	[ 'a TLS version',           'host=127.0.0.1 ssl_min_protocol_version=secretPW',                'an option of the connection string is not valid' ],
	[ 'no TLS',                  at($control) . ' sslmode=require',                                 'the server does not offer TLS, which sslmode demands' ],
	[ 'no password',             at($control),                                                      'the server asks for a password, and none is given' ],
	[ 'a wrong password',        at($control) . ' password=secretpw',                               'the password is refused' ],
	[ 'no database',             'host=' . $control->host . ' port=' . $control->port . ' dbname=secretdb', 'the database does not exist' ],
	[ 'no role',                 'host=' . $control->host . ' port=' . $control->port . ' dbname=postgres user=secretuser', 'the login is refused' ],
	[ 'channel binding',         at($control) . ' password=secretpw channel_binding=require',       'channel binding, which is required, is not possible' ],
	[ 'no PostgreSQL',           at($text),                                                         'the service there is not a PostgreSQL server' ],
	[ 'closed at once',          at($closing),                                                      'the server has closed the connection' ],
	[ 'a password in the clear', at($hungry) . ' channel_binding=require password=secretpw',        'channel binding, which is required, is not possible' ],
	[ 'another way to log in',   at($strange) . ' password=secretpw',                               'the server asks for another way to log in' ],
	[ 'an option of the server', 'host=' . $control->host . ' port=' . $control->port . " dbname=postgres options='-c secretPW=1'", 'an option of the connection string is not valid' ]);

foreach my $case (@cases)
{
	my ($what, $conninfo, $why) = @$case;
	my ($status, $out, $err) = run_bridge('--control-db', $conninfo, '--listen', '127.0.0.1:0', '--check');
	is($status, 1, "$what: --check: status 1");
	is($err, "dqds-bridge: the control database cannot be used: $why\n", "$what: --check says what is wrong");
	unlike("$out$err", qr/secret|127\.0\.0|invalid\b|777777/i, "$what: and nothing of the connection string");
}

# The same words in the log, of a request and of health; the client is told less.
foreach my $case (@cases[ 0, 5, 6, 7 ])
{
	my ($what, $conninfo, $why) = @$case;
	my $bridge = start_bridge(undef, control_db => $conninfo);
	my $answer = http($bridge, GET => '/api/connections');
	is(answer_fault($answer, 503), undef, "$what: a request: 503");
	is($answer->{json}{message}, 'the control database is not available', "$what: and nothing else");
	ok(poll_until(sub { http($bridge, GET => '/api/ishealthy')->{body} eq '"UNAVAILABLE"' && 2 <= (() = $bridge->log =~ /warning the control database cannot be used: \Q$why\E$/mg) }, 20),
		"$what: the log says what is wrong, for health, too");
	is($bridge->stop, 0, "$what: status 0");
	unlike($bridge->log =~ s/listening on \S+//r, qr/secret|invalid\b|127\.0\.0\.1/i, "$what: the log shows nothing of the connection string");
}

done_testing();
