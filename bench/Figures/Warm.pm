# Figures 1 to 3: a warm connection, from SQL and over REST.
package Figures::Warm;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::Sql;
use List::Util qw(sum);
use PostgreSQL::Test::Utils;

sub figures
{
	my $dir    = PostgreSQL::Test::Utils::tempdir('warm');
	my $remote = remote_server('remote', conf => 'track_activity_query_size = 8192');
	$remote->safe_psql('postgres', 'CREATE SCHEMA sales; CREATE SCHEMA stock; GRANT USAGE ON SCHEMA sales, stock TO reader');
	my $control = control_server('control');
	$control->safe_psql('postgres', 'CREATE EXTENSION dblink');
	create_connection($control, 'bench', connection_model($remote));
	my $query = schemas_query($control, $remote);
	$remote->safe_psql('postgres', 'CREATE DATABASE hundred');
	$remote->safe_psql('hundred', join '', map { "CREATE SCHEMA s$_; GRANT USAGE ON SCHEMA s$_ TO reader;" } 1 .. 99);
	create_connection($control, 'hundred', connection_model($remote, database => 'hundred'));

	# One pgbench script for each way to the same rows.
	my $connstr = sprintf 'host=127.0.0.1 port=%d dbname=postgres user=reader password=%s', $remote->port, remote_password($remote);
	my $literal = sql_literal($query =~ s/\$1/'false'/r);
	my %script  = (
		ours    => q(SELECT * FROM dqds_list_schemas('bench');),
		hundred => q(SELECT * FROM dqds_list_schemas('hundred');),
		local  => 'SELECT n FROM generate_series(1, 3) n;',
		role   => "\\startpipeline\n"
		  . "SELECT set_config('role', 'dqds_anonymous', true), set_config('statement_timeout', '60000', true);\n"
		  . "SELECT n FROM generate_series(1, 3) n;\n\\endpipeline",
		direct => "\\set system false\n" . ($query =~ s/\$1/:system/r) . ';',
		once   => "SELECT * FROM dblink('$connstr', $literal) AS t (schema_name name, extension text);",
		warm   => "\\if :connected = 0\nSELECT dblink_connect('remote', '$connstr');\n\\set connected 1\n\\endif\n"
		  . "SELECT * FROM dblink('remote', $literal) AS t (schema_name name, extension text);");
	DqdsTest::write_file("$dir/$_.sql", "$script{$_}\n") foreach keys %script;
	my %reader = (user => 'reader', password => remote_password($remote), tcp => 1);
	my $one = in_turns(
		rounds(),
		ours   => sub { pgbench($control, "$dir/ours.sql") },
		direct => sub { pgbench($remote, "$dir/direct.sql", %reader) },
		local  => sub { pgbench($control, "$dir/local.sql") },
		once   => sub { pgbench($control, "$dir/once.sql") },
		warm   => sub { pgbench($control, "$dir/warm.sql", define => 'connected=0') });
	my $hundred = in_turns(
		rounds(),
		ours   => sub { pgbench($control, "$dir/hundred.sql") },
		direct => sub { pgbench($remote, "$dir/direct.sql", %reader, database => 'hundred') });
	my $eight = in_turns(
		rounds(),
		ours   => sub { pgbench($control, "$dir/ours.sql", clients => 8) },
		direct => sub { pgbench($remote, "$dir/direct.sql", %reader, clients => 8) });

	return (
		compare('1a', 'dqds_list_schemas, warm, 1 client; the same query sent straight', 'tps', [ '>=', 0.5 ], @$one{qw(ours direct)}),
		compare('1b', 'the same, 8 clients', 'tps', [ '>=', 0.45 ], @$eight{qw(ours direct)}),
		compare('1c', 'dqds_list_schemas, 1 client; a function that does nothing and the query sent straight, one after the other', 'tps',
			undef, $one->{ours}, one_after_the_other(@$one{qw(local direct)})),
		compare('1d', 'dqds_list_schemas of a database with 100 schemas, 1 client; the same query sent straight', 'tps', [ '>=', 0.45 ],
			@$hundred{qw(ours direct)}),
		compare('2a', 'dqds_list_schemas, warm; dblink with a connection per call', 'tps', [ '>=', 30 ], @$one{qw(ours once)}),
		compare('2b', 'the same; a warm named dblink connection', 'tps', [ '>=', 1.2 ], @$one{qw(ours warm)}),
		rest_figures($control, $dir, sub { pgbench($remote, "$dir/direct.sql", %reader, clients => 8) }));
}

# one_after_the_other(RATES…): the rates of doing several things in turn, from lists of the rates of each alone.
sub one_after_the_other
{
	my @rates = @_;
	return [ map { my $n = $_; 1 / sum(map { 1 / $_->[$n] } @rates) } 0 .. $#{ $rates[0] } ];
}

# The catalog query as the remote sees it, once it is prepared there.
sub schemas_query
{
	my ($control, $remote) = @_;
	my $sql = DqdsTest::Sql->connect($control);
	$sql->must(q(SELECT * FROM dqds_list_schemas('bench'))) foreach 1 .. 3;
	my $query = $remote->safe_psql('postgres', q(SELECT query FROM pg_stat_activity WHERE usename = 'reader'));
	$sql->close;
	die "this is not the query for schemas: $query" if $query !~ /^SELECT n\.nspname, .*\$1/;
	return $query;
}

sub rest_figures
{
	my ($control, $dir, $direct) = @_;
	my $bridge = start_bridge($control, connections => ['bench']);
	my $path   = '/api/datasource/connections/bench/schemas';
	my $answer = http($bridge, GET => $path);
	die "the bridge says $answer->{status}" if $answer->{status} != 200;
	DqdsTest::write_file("$dir/body", $answer->{body});

	my $port  = free_port();
	my $fixed = DqdsTest::Process->start('fixed answer', "$dir/fixed.log", [ $ENV{BENCH_FIXED_ANSWER}, $port, 256, "$dir/body" ]);
	$fixed->await(qr/ready/, 20);
	my $result = in_turns(
		rounds(),
		ours     => sub { wrk($bridge->port, $path) },
		baseline => sub { wrk($port, $path) },
		role     => sub { pgbench($control, "$dir/role.sql", clients => 8) },
		direct   => $direct);
	$bridge->stop;
	return (
		compare('3', 'REST schemas, warm, 16 clients without keep-alive; CivetWeb with a fixed answer', '/s', [ '>=', 0.45 ],
			@$result{qw(ours baseline)}),
		compare('3b', 'the same; the fixed answer, a role taken on at the control server and the query sent straight, one after the other',
			'/s', undef, $result->{ours}, one_after_the_other(@$result{qw(baseline role direct)})));
}

1;
