# Figure 12: what a healthy source loses while a crowd waits for one that keeps silent.
package Figures::Bulkhead;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::Refusing;

use constant { CROWD => 32, CLIENTS => 4 };

sub figures
{
	my $remote  = remote_server('healthy');
	my $control = control_server('bulkhead_control');
	my $hole    = black_hole();
	create_connection($control, 'healthy', connection_model($remote));
	create_connection($control, 'hole',    connection_model(undef, host => '127.0.0.1', port => "$hole->{port}", user => 'u', password => 'p', properties => { connect_timeout => '60' }));
	my $bridge = start_bridge($control, connections => [qw(healthy hole)]);
	my $rate   = sub { wrk($bridge->port, schemas_of('healthy'), clients => CLIENTS) };    # dies when one fails
	$rate->();

	my $result = in_turns(
		rounds(),
		alone  => $rate,
		beside => sub {
			my @crowd = map { crowd_member($bridge) } 1 .. CROWD;
			poll_until(sub { busy_backends($control) > 1 }, 10) or die "nobody waits for the black hole\n";
			my $beside = $rate->();
			close $_ foreach @crowd;
			poll_until(sub { busy_backends($control) == 0 }, 10) or die "the crowd still waits\n";
			return $beside;
		});
	$bridge->stop;
	$remote->stop('immediate');
	return compare('12', 'REST schemas of a healthy source beside ' . CROWD . ' requests to a black hole; alone', '/s', [ '>=', 0.8 ],
		@$result{qw(beside alone)});
}

sub schemas_of { my ($name) = @_; return "/api/datasource/connections/$name/schemas"; }

sub crowd_member
{
	my ($bridge) = @_;
	my $socket = open_socket($bridge);
	print $socket 'GET ' . schemas_of('hole') . " HTTP/1.1\r\nHost: localhost\r\n\r\n";
	return $socket;
}

# The bridge's sessions with the control database that work on a request.
sub busy_backends
{
	my ($control) = @_;
	return $control->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle'));
}

1;
