# Servers where cancel requests hang cost a backend a limited number of threads and sockets; names are resolved meanwhile.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'max_connections = 60');
my $sql     = DqdsTest::Sql->connect($control);

# It answers no query, and holds the sockets of cancel requests.
my $tar = start_fake_server(
	sub {
		my ($client) = @_;
		my $packet = pg_read_startup($client);
		pg_log_in($client, $packet) if unpack('N', $packet) != 80877102;
		hold($client);
	});
my %tar = (host => '127.0.0.1', port => '' . $tar->port, user => 'u', password => 'secret', sslmode => 'disable');
create_connection($control, "tar $_", connection_model(undef, %tar)) foreach 1 .. 100;

# Threads that are more than before.
sub threads { my @tasks = glob '/proc/' . $sql->pid . '/task/*'; return scalar @tasks; }

my $before = threads();
$sql->must("SET dqds.query_timeout = '500ms'");
my ($rounds, $hanging) = (0, -1);
# Until they are as many as can be, whatever the machine is busy with.
while ($rounds++ < 12)
{
	$sql->query('SELECT * FROM dqds_test_connections()');
	my $now = threads() - $before;
	last if $now == $hanging;
	$hanging = $now;
}
cmp_ok($hanging, '>=', 100, "cancel requests hang ($hanging threads)");
cmp_ok($hanging, '<=', 300, 'not without end');
$sql->must(q(SELECT dqds_close_idle(); SET dqds.query_timeout = '10s'));
my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => 'localhost')) . '::text)');
is($row->{connection_test_result}, 'SUCCESS', 'a host name is resolved all the same') or diag(explain($row));

done_testing();
