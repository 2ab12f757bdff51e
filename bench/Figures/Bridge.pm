# Figures 10 and 11: the bridge itself.
package Figures::Bridge;

use strict;
use warnings;

use Bench;
use DqdsTest;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

use constant PATH => '/api/datasource/connections/bench/schemas';

sub figures
{
	my $remote  = remote_server('bridge_remote');
	my $control = control_server('bridge_control');
	create_connection($control, 'bench', connection_model($remote));
	start_bridge($control, connections => ['bench'])->stop;    # makes the roles
	my (@first, @memory);
	foreach (1 .. rounds())
	{
		my ($ms, $kb) = start_once($control);
		push @first,  $ms;
		push @memory, $kb / 1024;
	}
	return (
		against_fixed('10a', 'bridge, from exec to the first answer', 'ms', [ '<=', 100 ], \@first),
		against_fixed('10b', 'its resident memory after that, 256 threads', 'MiB', [ '<=', 30 ], \@memory),
		against_fixed('11', 'instructions of the bridge per warm REST request', '', undef,
			[ (instructions($control, 1200) - instructions($control, 200)) / 1000 ]));
}

sub options { my ($control, $port) = @_; return ('--listen', "127.0.0.1:$port", '--control-db', bridge_conninfo($control), '--anonymous-role', 'dqds_anonymous'); }

# Milliseconds until the first answer that needs the control database, and the memory after it.
sub start_once
{
	my ($control) = @_;
	my $port = free_port();
	my $bridge;
	my $ms = timed(
		sub {
			$bridge = DqdsTest::Process->start('bridge', PostgreSQL::Test::Utils::tempdir('bridge') . '/log', [ DqdsTest::bridge_program(), options($control, $port) ]);
			my $socket;
			poll_until_open(sub { $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });
			undef $socket;
			die 'the first answer is no 200' if http($port, GET => '/api/connections')->{status} != 200;
		});
	my $kb = memory_kb($bridge->pid, 'VmRSS');
	$bridge->stop;
	return ($ms, $kb);
}

# Every millisecond: poll_until would be too coarse.
sub poll_until_open
{
	my ($sub) = @_;
	foreach (1 .. 20_000) { return if $sub->(); sleep 0.001; }
	die "the bridge does not listen\n";
}

# Instructions of a whole run with so many requests.
sub instructions
{
	my ($control, $requests) = @_;
	my $dir    = PostgreSQL::Test::Utils::tempdir('callgrind');
	my $port   = free_port();
	my $bridge = DqdsTest::Process->start(
		'callgrind', "$dir/log",
		[ 'valgrind', '--tool=callgrind', "--callgrind-out-file=$dir/out", DqdsTest::bridge_program(), options($control, $port), '--threads', '8' ]);
	$bridge->await(qr/listening on/, 60);
	foreach (1 .. $requests) { die 'no 200' if http($port, GET => PATH)->{status} != 200; }
	$bridge->stop;
	my ($total) = slurp_file("$dir/out") =~ /^(?:totals|summary): (\d+)/m;
	return $total // die "callgrind counted nothing: " . $bridge->log;
}

1;
