# Completeness over REST: a schema of 100,000 tables is returned whole and sorted, over HTTP/1.1 and HTTP/1.0, without
# additional memory in the bridge. A limit applies only if it is requested.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Hostile;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $count = 100_000;
my ($remote, $names) = wide_server('wide', 'wide', $count);
my $control = control_server('control');
create_connection($control, 'wide', connection_model($remote));
my $bridge = start_bridge($control, connections => ['wide']);
my $tables = '/api/datasource/connections/wide/schemas/wide/tables';
hostile_watch(bridge => $bridge, control => $control, remote => $remote);
is(scalar @$names, $count, 'there are that many tables');

# The names in a body, and whether it contains only tables. (A JSON parser in Perl would take a minute.)
sub names_of
{
	my ($body) = @_;
	my @rows  = split /(?<=\}),(?=\{)/, substr $body, 1, -1;
	my @found = map { /^\{"connectionName":"wide","schemaName":"wide","tableName":"([^"\\]+)","alreadyImported":false\}$/ } @rows;
	return $body =~ /^\[.*\]$/s && @found == @rows ? \@found : [];
}

# Not is_deeply, which would take long.
sub same { return join("\n", @{ $_[0] }) eq join("\n", @{ $_[1] }); }

# Its peak memory so far.
sub peak_kb { return slurp_file('/proc/' . $bridge->pid . '/status') =~ /^VmHWM:\s+(\d+)/m ? $1 : die 'no VmHWM'; }

sub get
{
	my ($query, $version) = @_;
	my ($bytes, $closed) = raw_request($bridge, "GET $tables$query HTTP/$version\r\nHost: localhost\r\n\r\n", 60);
	return split_answer($bytes, $closed, 'GET');
}

ok(same(names_of(get('?limit=7', '1.1')->{body}), [ @$names[ 0 .. 6 ] ]), 'a limit gives the first ones');
hostile('tables-100000', sub {
	my $peak_before = peak_kb();
	my $began       = time;
	my $all         = get('', '1.1');
	my $took        = time - $began;
	is("$all->{status} " . ($all->{error} // 'whole'), '200 whole', 'HTTP/1.1: 200, and the answer is whole');
	is($all->{headers}{'transfer-encoding'}, 'chunked', 'HTTP/1.1: in chunks');
	my $got = names_of($all->{body});
	is(scalar @$got, $count, 'HTTP/1.1: all tables');
	ok(same($got, $names), 'HTTP/1.1: sorted by code point');

	my $old = get('', '1.0');
	is("$old->{status} " . ($old->{error} // 'whole'), '200 whole', 'HTTP/1.0: 200, ended by the end of the connection');
	is_deeply([ grep { /^(transfer-encoding|content-length|trailer)$/ } keys %{ $old->{headers} } ], [], 'HTTP/1.0: neither chunks nor a length');
	ok($old->{body} eq $all->{body}, 'HTTP/1.0: the same to the byte');

	ok(same(names_of(get("?limit=$count", '1.1')->{body}), $names), 'a limit as high as there are tables cuts nothing');
	ok(same(names_of(get('?limit=' . ($count - 1), '1.1')->{body}), [ @$names[ 0 .. $count - 2 ] ]), 'a limit of one less cuts one');
	my @some = grep { /ab/ } @$names;
	ok(same(names_of(get('?tableNameContains=ab', '1.1')->{body}), \@some), 'a substring gives all that contain it: ' . @some);

	my $head = http($bridge, HEAD => $tables);
	is("$head->{status} " . ($head->{error} // 'whole'), '200 whole', 'HEAD: 200 without a body');
	is_deeply({ %{ $head->{headers} }, date => '' }, { %{ $all->{headers} }, date => '', 'content-type' => 'application/json' }, 'HEAD: the headers of GET');

	# An incomplete answer must not look complete, whatever the client's HTTP version.
	foreach my $version (qw(1.1 1.0))
	{
		my $socket = open_socket($bridge);
		syswrite $socket, "GET $tables HTTP/$version\r\nHost: localhost\r\n\r\n";
		sysread $socket, my $begin, 1000;
		like($begin, qr/ 200 /, "HTTP/$version: an answer has begun");
		ok(poll_until(sub { $control->safe_psql('postgres', q(SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state = 'active')) }, 5),
			"HTTP/$version: the control server breaks it off");
		my ($got, $n) = ('');
		1 while ($n = sysread $socket, $got, 1 << 18, length $got);
		my $reset = !defined $n && $!{ECONNRESET};
		ok($reset || ($version eq '1.1' && $got !~ /\r\n0\r\n\r\n$/), "HTTP/$version: the client sees that it is not whole");
	}
	like($bridge->log, qr/warning the answer to GET .* was broken off after \d+ rows: (SQLSTATE 57P01|the connection to the control database was lost)$/m, 'and so does who reads the log');

	my $growth = peak_kb() - $peak_before;
	memory_below($growth, 4096, 'the memory of the bridge does not grow with the answer');
	diag(sprintf '%d tables, %.1f MB in %.2f s; the memory of the bridge grew by %d kB of %d kB', $count, length($all->{body}) / 1e6, $took, $growth, $peak_before);
});

is(http($bridge, GET => '/api/connections')->{status}, 200, 'and after all that it serves others');
hostile_end();
is($bridge->stop, 0, 'the bridge ends with status 0');
$remote->stop('immediate');
done_testing();
