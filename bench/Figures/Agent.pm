# Figures 15 to 18: MariaDB over the agent: the first use of a connection, listings, many connections at once, memory.
package Figures::Agent;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use List::Util qw(sum);
use PostgreSQL::Test::Utils;

use constant { FEW => 500, MANY => 100_000, PER_ROUND => 7, DEADLINE_MS => 2000, IDLE => 16 };
use constant LINKS => 25_000;    # to one file: file systems have a bound

sub figures
{
	my $dir = PostgreSQL::Test::Utils::tempdir('agent');
	new_certificate($dir, 'ca');
	new_certificate($dir, 'server', names => 'IP:127.0.0.1');
	# As many as on most machines.
	DqdsTest::write_file("$dir/roots", slurp('/etc/ssl/certs/ca-certificates.crt') . slurp("$dir/ca.crt"));
	my $mariadb = DqdsTest::MariaDb->start('figures',
		tls => { cert => "$dir/server.crt", key => "$dir/server.key" },
		sql => 'CREATE DATABASE shop; CREATE TABLE shop.orders (id int); CREATE DATABASE few; CREATE DATABASE many;'
		  . join '', map { sprintf "CREATE TABLE few.t%s (a int) ENGINE=MyISAM COMMENT 'number %d';", substr(crypt($_, 'ab'), 2) =~ s/\W/_/gr . $_, $_ } 1 .. FEW);
	make_tables($mariadb);
	my $control = control_server('agent_control', conf => "dqds.ssl_root_certs = '$dir/roots'\nmax_connections = 50");
	create_connection($control, 'plain', $mariadb->model(sslmode => 'DISABLED'));
	create_connection($control, 'tls', $mariadb->model(sslmode => 'VERIFY_IDENTITY'));
	create_connection($control, 'unchecked', $mariadb->model(sslmode => 'REQUIRED'));
	my @figures = (
		first_figures($mariadb, $control, $dir), listing_figures($mariadb, $control, $dir),
		fleet_figures($mariadb, $control), memory_figures($control, $dir));
	$mariadb->stop;
	return @figures;
}

# Many tables without making each: the server finds them by their files, and a listing reads no others.
sub make_tables
{
	my ($mariadb) = @_;
	my $files = $mariadb->dir . '/data/many';
	foreach my $i (0 .. MANY / LINKS - 1)
	{
		$mariadb->query("CREATE TABLE many.first$i (a int) ENGINE=MyISAM COMMENT 'one of many'");
		foreach my $j (2 .. LINKS)
		{
			my $n = $i * LINKS + $j;
			link "$files/first$i.frm", sprintf('%s/t%s.frm', $files, $n * 7919 % 1_000_003) or die "a link: $!";
		}
	}
	my ($count) = $mariadb->query(q(SELECT count(*) FROM information_schema.tables WHERE table_schema = 'many'));
	die "$count tables in place of ${\MANY}" if $count != MANY;
	return;
}

# --- The first use -----------------------------------------------------------------------------------------------

# The program logs in and lists as the function does, and checks the certificate the same way.
sub client
{
	my ($mariadb, @tls) = @_;
	my @command = ('mariadb', '--no-defaults', '--protocol=TCP', '--host=127.0.0.1', '--port=' . $mariadb->port, '--user=bob', @tls, '-NBe');
	return sub {
		my ($query) = @_;
		local $ENV{MYSQL_PWD} = DqdsTest::MariaDb::PASSWORD;
		run_quietly(@command, $query);
	};
}

sub first_figures
{
	my ($mariadb, $control, $dir) = @_;
	my %client = (
		plain => client($mariadb, '--skip-ssl'), tls => client($mariadb, "--ssl-ca=$dir/roots", '--ssl-verify-server-cert'),
		unchecked => client($mariadb, '--ssl'));
	my $names  = q(SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY table_name);
	my $warm   = DqdsTest::Sql->connect($control);
	my $list   = sub { my ($sql, $name) = @_; my @rows = $sql->rows("SELECT table_name FROM dqds_list_tables('$name', 'shop')"); die 'no table' if @rows != 1; };
	my $test   = sub {
		my ($sql, $name) = @_;
		my ($row) = $sql->rows("SELECT * FROM dqds_test_connection('$name')");
		die "$row->{connection_test_result}: $row->{error_message}" if $row->{connection_test_result} ne 'SUCCESS';
	};
	my %result;
	foreach my $name (qw(plain tls unchecked))
	{
		$list->($warm, $name);
		my $in_new = sub { my ($do) = @_; my $sql = DqdsTest::Sql->connect($control); my $ms = timed(sub { $do->($sql, $name) }); $sql->close; return $ms; };
		my %way = (
			client   => sub { timed(sub { $client{$name}->($names) }) },
			login    => sub { timed(sub { $client{$name}->('SELECT 1') }) },
			test     => sub { timed(sub { $test->($warm, $name) }) },
			test_new => sub { $in_new->($test) },
			list     => sub { $warm->must('SELECT dqds_close_idle()'); timed(sub { $list->($warm, $name) }) },
			list_new => sub { $in_new->($list) });
		$result{$name} = in_turns(rounds() * PER_ROUND, map { ($_ => $way{$_}) } sort keys %way);
	}
	$warm->close;
	my $start = median(@{ $result{plain}{test_new} }) - median(@{ $result{plain}{test} });
	return (
		four_figures([qw(15a 15b 15c 15d)], 'without TLS', $result{plain}),
		four_figures([qw(15e 15f 15g 15h)], 'TLS and a check of the certificate', $result{tls}),
		compare('15i', q(test of a MariaDB connection, TLS without a check of the certificate; mariadb --ssl -e 'SELECT 1'), 'ms', [ '<=', 0.5 ],
			@{ $result{unchecked} }{qw(test login)}),
		against_fixed('15j', 'what the start of the agent, and the first use of dqds in a session, add to a test', 'ms', undef, [$start]));
}

sub four_figures
{
	my ($id, $how, $result) = @_;
	my $new = 'the same, the first use of dqds in a session, which starts the agent';
	return (
		compare($id->[0], "test of a MariaDB connection, $how; mariadb -e 'SELECT 1'", 'ms', [ '<=', 0.5 ], @$result{qw(test login)}),
		compare($id->[1], $new, 'ms', [ '<=', 1 ], @$result{qw(test_new login)}),
		compare($id->[2], "login and dqds_list_tables of one schema, $how; mariadb -e with the same", 'ms', [ '<=', 0.5 ], @$result{qw(list client)}),
		compare($id->[3], $new, 'ms', [ '<=', 1 ], @$result{qw(list_new client)}));
}

# --- Listings -------------------------------------------------------------------------------------------------------

# The queries of a listing as the server sees them, written to a file, one in each line.
sub write_queries
{
	my ($mariadb, $control, $schema, $file) = @_;
	my $sql = DqdsTest::Sql->connect($control);
	my $ask = "SELECT count(*) FROM dqds_list_tables('plain', '$schema')";
	$sql->must($ask);
	$mariadb->query("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = ON");
	$sql->must($ask);
	$mariadb->query('SET GLOBAL general_log = OFF');
	my @queries = $mariadb->query(q(SELECT argument FROM mysql.general_log WHERE command_type = 'Query' AND user_host LIKE 'bob%'));
	$sql->close;
	die 'a listing of ' . @queries . " queries: @queries\n" if !@queries || grep { !/information_schema\.tables/ } @queries;
	DqdsTest::write_file($file, join '', map { "$_\n" } @queries);
	return scalar @queries;
}

sub listing_figures
{
	my ($mariadb, $control, $dir) = @_;
	my %rows   = (few => FEW, many => MANY);
	my %repeat = (few => 60, many => 2);
	my (%way, %queries);
	foreach my $schema (qw(few many))
	{
		$queries{$schema} = write_queries($mariadb, $control, $schema, "$dir/$schema.queries");
		DqdsTest::write_file("$dir/$schema.sql", "SELECT table_name FROM dqds_list_tables('plain', '$schema');\n");
		$way{$schema} = sub { 1000 / pgbench($control, "$dir/$schema.sql", seconds => $schema eq 'many' ? 6 : 2) };
		$way{"$schema alone"} = sub {
			my ($out, $err) = ('', '');
			IPC::Run::run([ $ENV{BENCH_LIBRARY_ALONE}, $mariadb->port, 'bob', DqdsTest::MariaDb::PASSWORD, "$dir/$schema.queries", $repeat{$schema} ],
				'<', \'', '>', \$out, '2>', \$err) or die "library_alone: $err";
			return $out + 0;
		};
	}
	my $result = in_turns(rounds(), map { ($_ => $way{$_}) } sort keys %way);
	return (
		compare('16a', "dqds_list_tables, warm, 500 tables of MariaDB; the library alone with the same $queries{few} queries", 'ms', [ '<=', 1.3 ],
			@$result{ 'few', 'few alone' }),
		compare('16b', "the same, 100,000 tables, $queries{many} queries", 'ms', [ '<=', 1.3 ], @$result{ 'many', 'many alone' }));
}

# --- Many at once -------------------------------------------------------------------------------------------------------

sub names_like { my ($name, $count) = @_; return map { "$name $_" } 1 .. $count; }

# test_all(SQL, NAMES…): milliseconds of a test of all of them; dies unless so many, and the last ones, fail.
sub test_all
{
	my ($sql, $failing, @names) = @_;
	my $array = sql_literal('{' . join(',', map { "\"$_\"" } @names) . '}');
	my $answer;
	my $ms = timed(sub { $answer = $sql->must("SELECT * FROM dqds_test_connections($array)") });
	my %by;
	$by{ $_->{error_code} // 'success' }++ foreach @{ $answer->{rows} };
	my $by = join ', ', map { "$by{$_} $_" } sort keys %by;
	my $expected = (@names - $failing) . ' success' . ($failing ? ", $failing unreachable" : '');
	die "the outcome is: $by" if $by ne $expected;
	return $ms;
}

sub fleet_figures
{
	my ($mariadb, $control) = @_;
	my $remote = remote_server('agent_fleet', conf => 'max_connections = 250');
	my $hole   = black_hole();
	my %model  = (
		'over tls' => $mariadb->model(sslmode => 'VERIFY_IDENTITY'), hole => $mariadb->model(port => "$hole->{port}"),
		maria => $mariadb->model(sslmode => 'DISABLED'), postgres => connection_model($remote, sslmode => 'disable'));
	my %count = ('over tls' => 200, hole => 50, maria => 100, postgres => 200);
	foreach my $name (sort keys %model) { create_connection($control, $_, $model{$name}) foreach names_like($name, $count{$name}); }
	my $sql = DqdsTest::Sql->connect($control);
	$sql->must(q(SET dqds.connect_timeout = '2s'));
	my @good  = names_like('over tls', 150);
	my @mixed = (names_like(postgres => 100), names_like(maria => 100));
	my @pure  = names_like(postgres => 200);
	my @took  = map { test_all($sql, 50, @good, names_like(hole => 50)) } 1 .. rounds();
	my @all   = map { test_all($sql, 0, names_like('over tls', 200)) } 1 .. rounds();
	my $mixed = in_turns(rounds(), mixed => sub { test_all($sql, 0, @mixed) }, pure => sub { test_all($sql, 0, @pure) });
	$sql->close;
	$remote->stop('immediate');
	return (
		compare('17a', '200 connections of MariaDB tested in one call: 150 good, over TLS, 50 black holes; the deadline', 'ms', [ '<=', 1.2 ],
			\@took, [ (DEADLINE_MS) x @took ]),
		against_fixed('17b', '200 good ones, over TLS', 'ms', undef, \@all),
		compare('17c', '100 of PostgreSQL and 100 of MariaDB, without TLS; 200 of PostgreSQL', 'ms', undef, @$mixed{qw(mixed pure)}));
}

# --- Memory --------------------------------------------------------------------------------------------------------------

sub slurp { my ($name) = @_; open my $file, '<', $name or die "$name: $!"; local $/; return scalar <$file>; }

# children(PID): those that are the agent.
sub children
{
	my ($pid) = @_;
	return grep { slurp("/proc/$_/comm") eq "dqds-agent\n" } split ' ', slurp("/proc/$pid/task/$pid/children");
}

sub pss_kb { my ($pid) = @_; return slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m ? $1 : die "no Pss of $pid"; }

# The proportional share of each session, all that have their idle connections at the same time.
sub memory_figures
{
	my ($control, $dir) = @_;
	DqdsTest::write_file("$dir/agent", "#!/bin/sh\nLD_PRELOAD=$ENV{BENCH_READABLE} exec $ENV{BENCH_AGENT} \"\$@\"\n");
	chmod 0755, "$dir/agent";
	my (%session, @server);
	foreach my $kind (qw(maria), 'over tls')
	{
		foreach (1 .. rounds())
		{
			my $sql = DqdsTest::Sql->connect($control);
			$sql->must(sprintf 'SET dqds.agent = %s', sql_literal("$dir/agent"));
			$sql->must(sprintf q(SELECT count(*) FROM dqds_list_schemas(%s)), sql_literal($_)) foreach names_like($kind, IDLE);
			my ($server) = children($sql->pid);
			my @sessions = children($server);
			die @sessions . " sessions in place of ${\IDLE}" if @sessions != IDLE;
			push @{ $session{$kind} }, sum(map { pss_kb($_) } @sessions) / @sessions / 1024;
			push @server, pss_kb($server) / 1024;
			$sql->close;
		}
	}
	return (
		against_fixed('18a', "memory (PSS) of an idle session of the agent, one of ${\IDLE}, without TLS", 'MiB', undef, $session{maria}),
		against_fixed('18b', 'the same, with TLS', 'MiB', undef, $session{'over tls'}),
		against_fixed('18c', 'memory (PSS) of the fork server beside them', 'MiB', undef, \@server));
}

1;
