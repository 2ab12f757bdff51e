# No message contains characters that a log or a terminal would obey or show as something else: controls (C0, DEL, C1), line
# and paragraph separators, directional marks. Whether they come from a remote server or from a caller, they are shown as
# \uXXXX.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use DqdsTest::Tls;
use Encode qw(encode);
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);

my @hidden = (0x01 .. 0x08, 0x0b, 0x0c, 0x0e .. 0x1f, 0x7f .. 0x9f, 0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a .. 0x202e, 0x2066 .. 0x2069);
my @shown  = (0x20, 0x7e, 0xa0, 0xad, 0xe9, 0x061b, 0x200d, 0x2010, 0x2027, 0x202f, 0x2065, 0x206a, 0x1f600);

sub utf8 { return encode('UTF-8', join '', map { chr } @_); }
my $raw     = join '|', map { quotemeta utf8($_) } @hidden, 0x09, 0x0a, 0x0d;
my $text    = 'x' . join('', map { chr . '.' } @hidden, @shown) . 'y';    # a model is of characters, SQL of bytes
my $visible = 'x' . join('', map { sprintf '\\u%04X.', $_ } @hidden) . join('', map { utf8($_) . '.' } @shown) . 'y';

sub model_at { my ($server, %override) = @_; return connection_model($remote, port => '' . $server->port, sslmode => 'disable', %override); }

# --- Text from a remote server ----------------------------------------------------------------------------------------

# In pieces, since what is shown of a remote's words is short.
my @pieces = map { my $from = $_; [ @hidden[ $from .. ($from + 9 < $#hidden ? $from + 9 : $#hidden) ] ] } grep { $_ % 10 == 0 } 0 .. $#hidden;
foreach my $piece (@pieces, \@shown)
{
	my $words    = 'x' . join('', map { utf8($_) . '.' } @$piece) . 'y';
	my $expected = $piece == \@shown ? $words : 'x' . join('', map { sprintf '\\u%04X.', $_ } @$piece) . 'y';
	my $name     = sprintf 'U+%04X …', $piece->[0];
	my $login    = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', $words)); hold($_[0]) });
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(model_at($login)) . '::text)');
	like($row->{error_message}, qr/refused the login: \Q$expected\E$/, "$name: in an error of the login");
	my $query = start_fake_server(sub { pg_log_in($_[0]); pg_answer($_[0], pg_error('XX000', $words, 'ERROR') . pg_message('Z', 'I')); hold($_[0]) });
	my $error = $sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal(model_at($query)) . '::text)')->{error};
	like($error->{message}, qr/reported an error: \Q$expected\E$/, "$name: in an error of a query");
	my $version = start_fake_server(
		sub {
			my ($client) = @_;
			pg_read_startup($client);
			send_bytes($client, pg_auth(5, 'salt'));
			pg_read_message($client);
			send_bytes($client, pg_auth(0) . pg_message('S', "server_version\0$words\0") . pg_message('S', "server_encoding\0UTF8\0") . pg_message('K', pack 'NN', 1, 1) . pg_message('Z', 'I'));
			pg_answer($client, pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', 1) . "c\0" . pack 'N n N n N n', 0, 0, 23, -1, -1, 0)
				  . pg_message('D', pack 'n N/a*', 1, '1') . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'));
			hold($client);
		});
	($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(model_at($version)) . '::text)');
	is($row->{server_version}, $expected, "$name: as the version");
}

# --- Text from a caller ------------------------------------------------------------------------------------------

{
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, database => $text)) . '::text)');
	is($row->{error_code}, 'database_not_found', 'a database of that name does not exist');
	like($row->{error_message}, qr/^database "\Q$visible\E" does not exist/, 'which is said with the name made visible');
	($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, user => "a\tb\r\nc", password => 'wrong')) . '::text)');
	like($row->{error_message} // '', qr/user "a b  c"/, 'white space becomes a blank');
	create_connection($control, encode('UTF-8', $text), connection_model($remote));
	my ($taken) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, connection_name => $text)) . '::text)');
	is($taken->{error_message}, qq(connection "$visible" already exists), 'the name of a connection');
	is($sql->value('SELECT connection_name FROM dqds_list_schemas(' . sql_literal(encode('UTF-8', $text)) . ') LIMIT 1'), encode('UTF-8', $text), 'but a row has it as it is');
}

{
	my $steps = sub { join '|', map { $_->{message} // '' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($_[0]) . '::text)') };
	my $user  = "a\x{202e}b\x{9b}c";
	$remote->safe_psql('postgres', 'CREATE ROLE "' . encode('UTF-8', $user) . '" LOGIN PASSWORD ' . sql_literal(remote_password($remote)));
	my $said = $steps->(connection_model($remote, user => $user));
	like($said, qr/user "a\\u202Eb\\u009Bc" is logged in/, 'the steps of a diagnosis');
	unlike($said, qr/$raw/, 'all of them');
}

unlike(slurp_file($control->logfile) =~ s/\n\t?//gr, qr/$raw/, 'nothing of that is in the log of the server');

# --- Other encodings ---------------------------------------------------------------------------------------------

my %said_in = (
	LATIN1    => [ "a\x9bb\x1b\xe9", 'a\u009Bb\u001B' . "\xe9" ],
	WIN1252   => [ "a\x9bb\x1b\xe9", "a\x9bb" . '\u001B' . "\xe9" ],
	SQL_ASCII => [ "a\xc2\x9bb\x9bc\x7f\xe9", 'a\u009Bb\u009Bc\u007F' . "\xe9" ]);
foreach my $encoding (sort keys %said_in)
{
	my ($words, $expected) = @{ $said_in{$encoding} };
	$control->safe_psql('postgres', qq(CREATE DATABASE "$encoding" ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0));
	$control->safe_psql($encoding, 'CREATE EXTENSION dqds');
	my $session = DqdsTest::Sql->connect($control, database => $encoding);
	my $login = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', $words)); hold($_[0]) });
	my ($row) = $session->rows('SELECT * FROM dqds_test_connection(' . sql_literal(model_at($login)) . '::text)');
	like($row->{error_message}, qr/refused the login: \Q$expected\E$/, "in a database in $encoding");
}

# --- Certificates ------------------------------------------------------------------------------------------------

# A server whose certificate is for this name; the signature does not matter, since nothing here verifies it.
{
	my $dir = PostgreSQL::Test::Utils::tempdir('certificate');
	$sql->must('SELECT dqds_close_idle()');
	my %names = (
		"good.example\0.evil" => '(a name that holds a NUL byte)',
		"good\x01.example.com" => 'good\u0001.example.com');
	foreach my $name (sort keys %names)
	{
		my $label = $name =~ s/[^\x20-\x7e]/?/gr;
		my $place = 'N' x length $name;
		new_certificate($dir, 'odd', subject => "/CN=$place", names => "DNS:$place");
		my ($pem) = slurp_file("$dir/odd.crt") =~ /BEGIN CERTIFICATE-----\n(.*?)-----END/s;
		open my $out, '>', "$dir/odd.crt" or die $!;
		print $out "-----BEGIN CERTIFICATE-----\n" . encode_base64(decode_base64($pem) =~ s/$place/$name/gr, "\n") . "-----END CERTIFICATE-----\n";
		close $out;
		serve_certificate($remote, $dir, 'odd');
		my ($step) = grep { $_->{step} eq 'tls' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal(connection_model($remote, sslmode => 'require')) . '::text)');
		like($step->{message}, qr/certificate for \Q$names{$name}\E \(names: \Q$names{$name}\E\)/, "a certificate for $label");
	}
}

done_testing();
