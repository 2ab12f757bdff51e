# Figures 8 and 9: many connections at once, and the first test of one.
package Figures::Fleet;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;

use constant DEADLINE_MS => 2000;

sub figures { return (fleet_figure(), first_figures()); }

sub fleet_figure
{
	my $remote  = remote_server('fleet', conf => 'max_connections = 150');
	my $control = control_server('fleet_control');
	my ($refused, $hole) = (free_port(), black_hole());
	my %port = (good => $remote->port, refused => $refused, hole => $hole->{port});
	my %count = (good => 100, refused => 50, hole => 50);
	foreach my $kind (sort keys %count)
	{
		create_connection($control, "$kind $_", connection_model($remote, port => '' . $port{$kind})) foreach 1 .. $count{$kind};
	}
	my $sql = DqdsTest::Sql->connect($control);
	$sql->must("SET dqds.connect_timeout = '2s'");
	my @took = map {
		my $answer;
		my $took = timed(sub { $answer = $sql->query('SELECT * FROM dqds_test_connections()') });
		my %by;
		$by{ $_->{error_code} // 'success' }++ foreach @{ $answer->{rows} };
		my $by = join ', ', map { "$by{$_} $_" } sort keys %by;
		die "the outcome is: $by" if $by ne '50 connection_refused, 100 success, 50 unreachable';
		$took
	} 1 .. rounds();
	$sql->close;
	$remote->stop('immediate');
	return compare('8', '200 connections tested in one call: 100 good, 50 refused, 50 black holes; the deadline', 'ms', [ '<=', 1.1 ],
		\@took, [ (DEADLINE_MS) x @took ]);
}

# With TLS and SCRAM, in a session in which dqds was not used before; and the next ones in the same session.
sub first_figures
{
	my $remote = remote_server('encrypted');
	my $data   = $remote->data_dir;
	run_log([ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1), '-keyout', "$data/server.key", '-out', "$data/server.crt" ])
	  or die 'openssl failed';
	chmod 0600, "$data/server.key";
	$remote->append_conf('postgresql.conf', 'ssl = on');
	$remote->restart;
	my $control = control_server('first_control');
	create_connection($control, 'first', connection_model($remote, sslmode => 'require'));

	my $test = sub {
		my ($sql) = @_;
		my $row = ($sql->rows(q(SELECT * FROM dqds_test_connection('first'))))[0];
		die "$row->{connection_test_result}: $row->{error_message}" if $row->{connection_test_result} ne 'SUCCESS' || !$row->{tls};
	};
	local $ENV{PGPASSWORD} = remote_password($remote);
	my @psql = ('psql', '-X', '-c', 'select 1', sprintf 'host=127.0.0.1 port=%d dbname=postgres user=reader sslmode=require', $remote->port);
	my $psql = sub { run_quietly(@psql) };
	my $next = DqdsTest::Sql->connect($control);
	$test->($next);
	my $result = in_turns(
		rounds() * 5,
		first => sub { my $sql = DqdsTest::Sql->connect($control); my $ms = timed(sub { $test->($sql) }); $sql->close; return $ms; },
		next  => sub { timed(sub { $test->($next) }) },
		psql  => sub { timed($psql) });
	return (
		compare('9a', 'first test of a connection in a session, TLS and SCRAM; psql -c "select 1"', 'ms', [ '<=', 0.8 ], @$result{qw(first psql)}),
		compare('9b', 'a later test in the same session; the same', 'ms', [ '<=', 0.8 ], @$result{qw(next psql)}));
}

1;
