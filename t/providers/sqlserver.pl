# SQL Server over FreeTDS, on an independent emulator: pysqlbridge, which speaks TDS 7.4 and has the views of sys.
#
# PYSQLBRIDGE names the Python of a virtual environment that has it (pip install pysqlbridge==2.1.3). It has no error for a
# database that is not there, and nothing that takes its time: an unknown database and a cancel are not tested here.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Process;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $python = $ENV{PYSQLBRIDGE} or plan skip_all => 'PYSQLBRIDGE names no Python with pysqlbridge';
my $dir    = PostgreSQL::Test::Utils::tempdir('sqlserver');
my $port   = free_port();

# It compares passwords only in ASCII.
use constant PASSWORD => q(a}b;c{d'"=);
sub write_file { my ($name, $text) = @_; open my $file, '>', "$dir/$name" or die "$name: $!"; print $file $text; close $file or die; return; }
write_file('people.csv', "id,name,price\n1,a,2.5\n2,b,3.25\n");
write_file('config.json', to_json({
	logins => [ { user => 'reader', password => PASSWORD } ],
	tables => [ map { { name => $_, csv => 'people.csv' } } 'people', 'People2', "Gr\x{f6}\x{df}e", "\x{1F600}", "a'b" ] }));

# It makes a certificate of its own; here it is given one that an authority has issued.
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'DNS:localhost');
my $start = "import pysqlbridge.certificate as c, runpy; c.self_signed = lambda *a, **k: c.load('$dir/server.crt', '$dir/server.key');"
  . " runpy.run_module('pysqlbridge', run_name='__main__')";
my $server = DqdsTest::Process->start('pysqlbridge', "$dir/log", [ $python, '-c', $start, '--config', "$dir/config.json", '--port', $port ]);
$server->await(qr/listening on 127/, 60);

my $control = control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);

sub model
{
	my (%section) = @_;
	my %all = (host => '127.0.0.1', port => $port, user => 'reader', password => PASSWORD, sslmode => 'require', %section);
	delete $all{$_} foreach grep { !defined $all{$_} } keys %all;
	return to_json({ provider_type => 'sqlserver', sqlserver => \%all });
}

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

create_connection($control, 'tds', model());
my $row = $sql->query(q(SELECT * FROM dqds_test_connection('tds')))->{rows}[0];
is($row->{connection_test_result}, 'SUCCESS', 'a test, with a password that needs quoting') or diag explain $row;
like($row->{server_version}, qr/^Microsoft SQL Server \d/, 'the version');
ok($row->{tls}, 'it is encrypted') or diag explain $row;
is_deeply(lines_of(q(SELECT schema_name FROM dqds_list_schemas('tds'))), ['dbo'], 'schemas');
is_deeply(lines_of(q(SELECT table_name, table_kind, estimated_rows FROM dqds_list_tables('tds', 'dbo'))),
	[ map { "$_|table|-" } sort 'People2', "a'b", 'people', 'Größe', '😀' ],
	'tables, in the order of their bytes');
is_deeply(lines_of(q(SELECT ordinal_position, column_name, column_type, length, "precision", nullable, primary_key FROM dqds_list_columns('tds', 'dbo', ARRAY['people']))),
	[ '1|id|int|-|-|t|f', '2|name|nvarchar|1|-|t|f', '3|price|float|-|-|t|f' ], 'columns') or diag explain lines_of(q(SELECT * FROM dqds_list_columns('tds', 'dbo')));
is(scalar @{ lines_of(sprintf q(SELECT * FROM dqds_list_columns('tds', 'dbo', ARRAY[%s])), join ', ', map { sql_literal($_) } "a'b", '😀') }, 6, 'columns of named tables');
is_deeply(lines_of(q(SELECT * FROM dqds_list_tables('tds', 'DBO'))), [], 'another case is another schema');
is(scalar @{ lines_of(q(SELECT * FROM dqds_import_tables('tds', 'dbo', ARRAY['people']))) }, 1, 'an import');
my %step = map { (split /\|/)[0] => $_ } @{ lines_of(q(SELECT step, status, message FROM dqds_diagnose_connection('tds'))) };
like($step{$_}, qr/\|ok\|/, "diagnosis: $_") foreach qw(model resolve connect authenticate server schemas tables);

my @failing = (
	[ 'a wrong password',                model(password => 'wrong'),                     'authentication_failed' ],
	[ 'an unknown user',                 model(user => 'no one'),                        'authentication_failed' ],
	[ 'a certificate for another name',  model(sslmode => 'verify-full'),                'tls_certificate', qr/another host name/ ],
	[ 'no TLS',                          model(sslmode => 'disable'),                    'authentication_failed', qr/without TLS/ ],
	[ 'a port where nothing listens',    model(port => free_port()),                     'connection_refused' ],
	[ 'a password that cannot be quoted', model(password => 'a};b'),                     'invalid_connection' ]);
foreach my $case (@failing)
{
	my ($what, $model, $code, $message) = @$case;
	my $result = $sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text, false)')->{rows}[0];
	is($result->{error_code}, $code, $what) or diag explain $result;
	like($result->{error_message}, $message // qr/./, "$what: the message");
}

foreach my $mode (qw(require verify-ca verify-full))
{
	my $model = sql_literal(model(host => 'localhost', sslmode => $mode));
	is(lines_of("SELECT connection_test_result FROM dqds_test_connection($model\::text, false)")->[0], 'SUCCESS', "sslmode $mode");
}
mkdir "$dir/other" or die;
new_certificate("$dir/other", 'ca');
$sql->must("SET dqds.ssl_root_certs = '$dir/other/ca.crt'");
foreach my $mode (qw(verify-ca verify-full))
{
	my $model = sql_literal(model(host => 'localhost', sslmode => $mode));
	is(lines_of("SELECT error_code FROM dqds_test_connection($model\::text, false)")->[0], 'tls_certificate', "sslmode $mode, and an authority that is not trusted");
}

$server->stop;
done_testing();
