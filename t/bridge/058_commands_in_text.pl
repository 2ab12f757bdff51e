# Characters that are invisible, but that a terminal or a browser obeys, are escaped wherever the bridge shows text from
# outside: in error bodies and in both formats of the log. A client that decodes the JSON gets the path as it was sent.
use strict;
use warnings;
use utf8;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

# C1 controls, marks of the direction of writing, separators, overrides, isolates.
my @commands = (0x80 .. 0x9F, 0x61C, 0x200E, 0x200F, 0x2028 .. 0x202E, 0x2066 .. 0x2069);

# Other characters, which are not changed.
my @harmless = (0xA0, 0xE9, 0x61B, 0x200D, 0x2010, 0x2030, 0x2065, 0x206A, 0x1F600);

sub utf8_of { my ($text) = @_; utf8::encode($text); return $text; }

my $raw     = join '|', map { quotemeta utf8_of(chr) } @commands;
my $kept    = utf8_of(join '', map { chr } @harmless);
my $sent    = utf8_of(join 'x', map { chr } @commands) . $kept;
my $escaped = (join 'x', map { sprintf '\u%04x', $_ } @commands) . $kept;
my $written = (join 'x', map { sprintf '\u%04X', $_ } @commands) . $kept; # by the extension, in its messages

my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
$sql->must(q(CREATE ROLE dqds_bridge LOGIN NOINHERIT; CREATE ROLE viewer; GRANT viewer TO dqds_bridge; SELECT dqds_grant('viewer', 'viewer')));

foreach my $format (qw(text json))
{
	my $bridge = start_bridge(undef, control_db => bridge_conninfo($control), anonymous => 'viewer', options => [ '--log-format', $format ]);

	# Unescaped in a path, for which no token is needed.
	my $bytes = raw_request($bridge, "GET /api/$sent HTTP/1.1\r\nHost: localhost\r\n\r\n", 20);
	my $answer = parse_answer($bytes, 1, 'GET');
	is(answer_fault($answer, 400), undef, "$format: a path with raw bytes: 400");
	unlike($bytes, qr/$raw/, "$format: none of them in the answer");
	like($bytes, qr/"path":"\/api\/\Q$escaped\E"/, "$format: but escaped");
	is(utf8_of($answer->{json}{path} // ''), "/api/$sent", "$format: the client reads what it sent");

	# In a message: as the name of a connection.
	$bytes  = raw_request($bridge, 'GET /api/connections/' . encode_segment($sent) . "/basic HTTP/1.1\r\nHost: localhost\r\n\r\n", 20);
	$answer = parse_answer($bytes, 1, 'GET');
	is(answer_fault($answer, 404), undef, "$format: a connection that is not there: 404");
	unlike($bytes, qr/$raw/, "$format: none of them in its message");
	like(utf8_of($answer->{json}{message} // ''), qr/^\Qconnection "$written" does not exist. \E/, "$format: the client reads the name, with its characters written out");

	# Bytes that are no UTF-8, some of them C1 controls to a terminal of eight bits.
	$bytes = raw_request($bridge, "GET /api/\x9B31m\x85\xC2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 20);
	like($bytes, qr/"path":"\/api\/\\ufffd31m\\ufffd\\ufffd"/, "$format: what is no UTF-8 does not show");

	is($bridge->stop, 0, "$format: status 0");
	my $log = $bridge->log;
	unlike($log, qr/$raw|[\x00-\x09\x0B-\x1F\x7F]/, "$format: none of them in the log");
	like($log, qr/"\/api\/\Q$escaped\E"/, "$format: the path, escaped");
	like($log, qr/"\/api\/\\ufffd31m\\ufffd\\ufffd"/, "$format: bytes that are no UTF-8");
}

done_testing();
