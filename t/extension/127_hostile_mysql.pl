# Servers that pretend to be MySQL, and lie: no password leaves, nothing grows without bound, and others go on.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakeMysql;
use DqdsTest::MariaDb;
use DqdsTest::Sql;
use DqdsTest::Under;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { PASSWORD => 'correct horse battery', ROOM_KB => 32 * 1024 };

my $seen = PostgreSQL::Test::Utils::tempdir('seen') . '/bytes';
keep("");
my $real = DqdsTest::MariaDb->start('real');
my $control = control_server('control', conf => 'dqds.query_timeout = 3000');
my $sql   = DqdsTest::Sql->connect($control);
my $other = DqdsTest::Sql->connect($control);
create_connection($control, 'real', $real->model);
$sql->must(q(SELECT * FROM dqds_list_schemas('real')));

# What the servers are sent is kept.
sub keep { my ($bytes) = @_; open my $file, '>>', $seen or die "$seen: $!"; print $file $bytes if defined $bytes; close $file; return $bytes; }

sub hear { return keep(mysql_read($_[0])); }

# A server that logs its client in, answers the question for its number, and then lies about the next one.
sub after_login
{
	my ($socket, $lie, %opt) = @_;
	keep(mysql_greet($socket, %opt)) // return;
	mysql_send($socket, 2, mysql_ok());
	hear($socket) // return;
	my $number = mysql_columns($socket, 'CONNECTION_ID()');
	mysql_send($socket, $number++, mysql_string('7'));
	mysql_send($socket, $number, mysql_eof());
	hear($socket) // return;
	$lie->($socket);
	return;
}

sub switch_to { my ($socket, $plugin) = @_; mysql_send($socket, 2, "\xfe$plugin\0" . 'abcdefghijklmnopqrst' . "\0"); return; }

my $key = join "\n", '-----BEGIN PUBLIC KEY-----', 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAkTg65aKxc03O5uZ9bVWk', 'qgSa9uMw6jczBGKQsnV+QNfZi7mS5lsvjUqMT+yjeZDPf/kPSiIJtfF13RGV1VkG', '64KZR6zOwLJT18ELf5mMSKjN6+pfGTsIWFpJt/9MBkBjOnEAA9rk1zUsC3Dbbzzg', 'Xv1PmxIxu2FhyIUYE2hmhqqSInkhRmQUPe3kmDwkNFUUql7IPRWhY0q9PljELavf', '7sKs057jQ5f1c2ODt0XxMqlt5RzLBvAQ4LRd/wpU7Db0fnHjZNczBpYGR7deRvDQ', '8dw5qocNuwzQV8Ceard/3uWQvL50NksOFsHECJ+4Xn6q5TDuGt8/565DMI/xJt3k', 'lwIDAQAB', '-----END PUBLIC KEY-----', '';

my %lie = (
	'clear text at once' => sub { keep(mysql_greet($_[0], plugin => 'mysql_clear_password')); hear($_[0]); },
	'clear text by a switch' => sub { keep(mysql_greet($_[0])); switch_to($_[0], 'mysql_clear_password'); hear($_[0]); hear($_[0]); },
	'a dialog'               => sub { keep(mysql_greet($_[0])); switch_to($_[0], 'dialog'); hear($_[0]); hear($_[0]); },
	'sha256 without TLS'     => sub { keep(mysql_greet($_[0])); switch_to($_[0], 'sha256_password'); hear($_[0]); mysql_send($_[0], 4, "\x01$key"); hear($_[0]); },
	'a key of its own' => sub {
		keep(mysql_greet($_[0], plugin => 'caching_sha2_password'));
		mysql_send($_[0], 2, "\x01\x04");
		hear($_[0]);
		mysql_send($_[0], 4, "\x01$key");
		keep('something under that key') if length(hear($_[0]) // '') >= 200;
	},
	'an unknown kind'     => sub { keep(mysql_greet($_[0])); switch_to($_[0], '../../../../tmp/evil'); hear($_[0]); },
	'silence after TLS'   => sub { keep(mysql_greet($_[0], tls => 1)); hear($_[0]); },
	'no TLS after all'    => sub { keep(mysql_greet($_[0], tls => 1)); mysql_send($_[0], 2, mysql_ok()); hear($_[0]); hear($_[0]); },
	'an endless version'  => sub { mysql_greet($_[0], version => 'x' x 100_000); },
	'a huge packet'       => sub { syswrite $_[0], "\xff\xff\xff\0\x0a8.0" . 'x' x 1_000_000; hear($_[0]); },
	'endless ok packets'  => sub { keep(mysql_greet($_[0])); 1 while mysql_send($_[0], 2, mysql_ok()); },
	'a file is asked for' => sub { after_login($_[0], sub { mysql_send($_[0], 1, "\xfb/etc/passwd"); hear($_[0]); hear($_[0]); }); },
	'a row without end'   => sub {
		after_login($_[0], sub {
			mysql_columns($_[0], 'schema_name');
			my $chunk = 'x' x (1 << 20);
			foreach my $i (0 .. 200) { syswrite($_[0], "\xff\xff\xff" . chr($i & 255) . ($i ? '' : "\xfe" . pack('Q<', 1 << 30))) or return; foreach (1 .. 16) { syswrite $_[0], $chunk or return; } }
		});
	},
	'rows without end' => sub {
		after_login($_[0], sub {
			my $number = mysql_columns($_[0], 'schema_name');
			my $rows = join '', map { my $row = mysql_string("schema $_"); substr(pack('V', length $row), 0, 3) . chr($number++ & 255) . $row } 1 .. 2560;
			1 while syswrite $_[0], $rows;
		});
	},
	'millions of columns' => sub { after_login($_[0], sub { mysql_send($_[0], 1, "\xfd\xff\xff\xff"); my $n = 2; 1 while mysql_send($_[0], $n++, join('', map { mysql_string($_) } ('def', '', '', '', 'c', '')) . "\x0c" . pack('vVCvC', 45, 9, 253, 0, 0) . "\0\0"); }); },
	'no answer'           => sub { after_login($_[0], sub { hear($_[0]); }); },
	'half an answer'      => sub { after_login($_[0], sub { mysql_columns($_[0], 'schema_name'); syswrite $_[0], "\x09\0\0\x05\x08ab"; hear($_[0]); }); },
	'garbage'             => sub { after_login($_[0], sub { syswrite $_[0], join('', map { chr(($_ * 7919) & 255) } 1 .. 5000); hear($_[0]); }); },
	'too many values'     => sub { after_login($_[0], sub { my $number = mysql_columns($_[0], 'a' .. 'z'); mysql_send($_[0], $number++, mysql_string('v') x 26); mysql_send($_[0], $number, mysql_eof()); hear($_[0]); }); },
	'bytes that are no text' => sub { after_login($_[0], sub { my $number = mysql_columns($_[0], 'schema_name'); mysql_send($_[0], $number++, mysql_string("a\xff\0b")); mysql_send($_[0], $number, mysql_eof()); hear($_[0]); }); },
);

my %code_of = slurp_file('src/base/error_codes.h') =~ /"(QD\d+)", +"(\w+)"/g;

# The error code of each; more of them where a busy machine decides.
my %code = (
	'clear text at once'     => 'authentication_failed',
	'clear text by a switch' => 'authentication_failed',
	'a dialog'               => 'authentication_failed',
	'sha256 without TLS'     => 'authentication_failed',
	'a key of its own'       => 'authentication_failed|connection_lost',
	'an unknown kind'        => 'authentication_failed',
	'silence after TLS'      => 'server_silent',
	'no TLS after all'       => 'tls_failed|connection_lost',
	'an endless version'     => 'wrong_server',
	'a huge packet'          => 'wrong_server',
	'endless ok packets'     => 'remote_error|connection_lost',
	'a file is asked for'    => 'timeout|remote_error',
	'a row without end'      => 'remote_error|connection_lost',
	'rows without end'       => 'timeout|remote_error',
	'millions of columns'    => 'remote_error|timeout|connection_lost',
	'no answer'              => 'timeout',
	'half an answer'         => 'timeout',
	'garbage'                => 'remote_error|connection_lost|timeout',
	'too many values'        => 'remote_error',
	'bytes that are no text' => '');

sub memory_kb { my ($pid) = @_; open my $file, '<', "/proc/$pid/status" or return 0; my ($kb) = join('', <$file>) =~ /^VmHWM:\s+(\d+)/m; return $kb; }

my $rest = memory_kb($sql->pid);
$sql->must('SET dqds.connect_timeout = 3000');
foreach my $name (sort keys %lie)
{
	my $server = start_fake_server($lie{$name});
	my $model  = to_json({ provider_type => 'mysql', mysql => { host => '127.0.0.1', port => $server->port . '', user => 'bob', password => PASSWORD, sslmode => 'PREFERRED' } });
	$sql->send('SELECT * FROM dqds_list_schemas(' . sql_literal($model) . '::json)');
	my $before = -s $seen // 0;
	is($other->query(q(SELECT count(*) AS n FROM dqds_list_schemas('real')))->{error}, undef, "$name: others go on");
	my $answer = $sql->answer(60);
	ok(!$answer->{ended}, "$name: the backend lives");
	my $code = $answer->{error} ? $code_of{ $answer->{error}{sqlstate} } // $answer->{error}{sqlstate} : '';
	like($code, qr/^($code{$name})$/, "$name: the error code") or diag explain $answer;
	unlike(join(' ', map { $_ // '' } %{ $answer->{error} // {} }), qr/\Q${\ PASSWORD}\E/, "$name: no password in the message");
	$server->stop;
	is(index(substr(slurp_file($seen), $before), PASSWORD), -1, "$name: no password was sent");
}
cmp_ok(memory_kb($sql->pid) - $rest, '<', ROOM_KB, 'the memory of the backend stays within bounds') if !under();
my $sent = do { local $/; open my $file, '<', $seen or die "$seen: $!"; <$file> };
cmp_ok(length $sent, '>', 1000, 'the servers were sent something');
is(index($sent, PASSWORD), -1, 'but no password');
is(index($sent, 'root:'), -1, 'and no file');
is(index($sent, 'something under that key'), -1, 'nor was anything sent under a key of the server');

$real->stop;
$control->stop;
done_testing();
