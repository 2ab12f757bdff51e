# SQL Server over FreeTDS, against a server of our own that agrees to encryption as it likes: TLS that is demanded stays.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Process;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no FreeTDS, or no Python' if !glob('/usr/lib/*/odbc/libtdsodbc.so') || system('python3', '-c', 'import ssl') != 0;

my $dir = PostgreSQL::Test::Utils::tempdir('certificates');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'DNS:localhost,IP:127.0.0.1');
my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);

# What the server says of encryption in the pre-login, and what becomes of a login.
my %case = (
	0 => [ 'it encrypts the login only', 'tls_failed', 'LOGIN' ],
	1 => [ 'it encrypts',                'remote_error|connection_lost', 'ENCRYPTED' ],
	2 => [ 'it does not encrypt',        'unreachable|tls_failed', 'NOTHING' ],
	3 => [ 'it wants encryption',        'remote_error|connection_lost', 'ENCRYPTED' ]);

foreach my $mode (qw(require verify-full))
{
	foreach my $flag (sort keys %case)
	{
		my ($name, $code, $seen) = @{ $case{$flag} };
		my $port   = free_port();
		my $server = DqdsTest::Process->start('TDS', "$dir/log.$mode.$flag", [ 'python3', '-u', 't/lib/DqdsTest/fake_tds.py', $port, $flag, $dir ]);
		$server->await(qr/LISTENING/, 20);
		my $model = to_json({ provider_type => 'sqlserver',
			sqlserver => { host => '127.0.0.1', port => "$port", user => 'bob', password => 'secret', sslmode => $mode } });
		my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::json)');
		like($row->{error_code}, qr/^($code)$/, "$mode: $name") or diag explain $row;
		$server->await(qr/$seen/, 20);
		unlike(slurp_file("$dir/log.$mode.$flag"), qr/CLEAR/, 'and nothing comes in clear');
		$server->stop;
	}
}
$sql->must(q(SET dqds.ssl_root_certs = ''));
my ($row) = $sql->rows(q(SELECT * FROM dqds_test_connection('{"provider_type": "sqlserver", "sqlserver": {"host": "127.0.0.1", "user": "bob", "password": "secret"}}'::json)));
is($row->{error_code}, 'invalid_connection', 'without a file of certificates none is taken for verified') or diag explain $row;

$control->stop;
done_testing();
