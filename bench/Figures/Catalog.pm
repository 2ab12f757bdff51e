# Figures 4 to 7: listings of schemas in large databases, and of large schemas; the columns of one table of many.
package Figures::Catalog;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::Sql;
use List::Util qw(max);

use constant { SMALL => 5_000, LARGE => 250_000, WIDE => 100_000, HUGE => 1_000_000, MANY => 3_000 };

sub figures
{
	my $remote = remote_server('catalogs',
		conf => "wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\nmax_locks_per_transaction = 256\n"
		  . 'track_activity_query_size = 16384');
	my $control = control_server('catalog_control');
	$control->safe_psql('postgres', 'CREATE EXTENSION dblink');
	foreach my $database (qw(small large))
	{
		$remote->safe_psql('postgres', "CREATE DATABASE $database");
		make_tables($remote, $database, 'measured', 500);
		make_tables($remote, $database, 'others', ($database eq 'small' ? SMALL : LARGE) - 500);
		create_connection($control, $database, connection_model($remote, database => $database));
	}
	$remote->safe_psql('postgres', 'CREATE DATABASE wide');
	make_tables($remote, 'wide', 'wide', WIDE);
	copy_table($remote, 'wide', 'huge', HUGE);
	create_connection($control, 'wide', connection_model($remote, database => 'wide'));
	$remote->safe_psql('large', "CREATE SCHEMA granted; GRANT USAGE ON SCHEMA granted TO reader;
		DO \$\$ BEGIN FOR i IN 1 .. 500 LOOP EXECUTE format('CREATE TABLE granted.t%s (); GRANT SELECT ON granted.t%1\$s TO reader', i); END LOOP; END \$\$");
	$remote->safe_psql($_, 'ANALYZE') foreach qw(small large wide);
	make_columns($remote);
	create_connection($control, 'columns', connection_model($remote, database => 'columns'));

	my @figures = (listing_figures($remote, $control), column_figures($remote, $control), size_figures($remote, $control));
	$remote->stop('immediate');
	return @figures;
}

# make_tables(REMOTE, DATABASE, SCHEMA, COUNT): tables without columns that reader owns, by two sessions at once, each in
# transactions of 5,000, since every table is locked until the end of its own.
sub make_tables
{
	my ($remote, $database, $schema, $count) = @_;
	$remote->safe_psql($database, "CREATE SCHEMA $schema AUTHORIZATION reader");
	my @sessions = map {
		my $do = "DO \$\$ BEGIN FOR i IN 1 .. $count LOOP IF i % 2 = $_ THEN"
		  . " EXECUTE format('CREATE TABLE %I ()', 't' || substr(md5(i::text), 1, 12) || i);"
		  . " END IF; IF i % 10000 = 0 THEN COMMIT; END IF; END LOOP; END \$\$";
		my @commands = map { ('-c', $_) } 'SET SESSION AUTHORIZATION reader', "SET search_path = $schema", $do;
		IPC::Run::start([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $remote->connstr($database), @commands ], '<', '/dev/null')
	} 0, 1;
	foreach my $session (@sessions) { $session->finish or die "the tables of $database.$schema were not made\n"; }
	return;
}

# A database with many tables of 100 columns, in the state in which autovacuum leaves it: it never analyzes pg_namespace,
# which has too few changes.
sub make_columns
{
	my ($remote) = @_;
	$remote->safe_psql('postgres', 'CREATE DATABASE columns');
	$remote->safe_psql('columns', 'CREATE SCHEMA w; GRANT USAGE ON SCHEMA w TO reader; ALTER DEFAULT PRIVILEGES IN SCHEMA w GRANT SELECT ON TABLES TO reader;'
		  . 'CREATE TABLE w.base (' . join(', ', map { "c$_ integer" } 1 .. 100) . ')');
	$remote->safe_psql('columns', "DO \$\$ BEGIN FOR i IN 1 .. ${\MANY} LOOP EXECUTE format('CREATE TABLE w.t%s (LIKE w.base)', i);
		IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END \$\$");
	$remote->safe_psql('columns', 'ANALYZE pg_class; ANALYZE pg_attribute; ANALYZE pg_depend; ANALYZE pg_type');
	return;
}

# copy_table(REMOTE, DATABASE, SCHEMA, COUNT): so many rows of pg_class and pg_depend, copied from those of one table. To make
# a million tables would take minutes and as many files; what a listing reads of them is the same.
sub copy_table
{
	my ($remote, $database, $schema, $count) = @_;
	my @columns = split /\n/, $remote->safe_psql($database,
		"SELECT attname FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attnum > 0 AND attname NOT IN ('oid', 'relname') ORDER BY attnum");
	my $columns = join ', ', @columns;
	$remote->safe_psql($database, "
		CREATE SCHEMA $schema AUTHORIZATION reader;
		CREATE TABLE $schema.model ();
		ALTER TABLE $schema.model OWNER TO reader;
		SET allow_system_table_mods = on;
		DO \$\$ BEGIN
			-- In small transactions: each keeps a list of what it has changed, and looks for each table in all of it.
			FOR low IN 1 .. $count BY 2000 LOOP
				INSERT INTO pg_class (oid, relname, $columns)
				SELECT 100000000 + i, 't' || substr(md5(i::text), 1, 12) || i, $columns
				FROM generate_series(low, least(low + 1999, $count)) AS i, pg_class c WHERE c.oid = '$schema.model'::regclass;
				INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
				SELECT classid, 100000000 + i, objsubid, refclassid, refobjid, refobjsubid, deptype
				FROM generate_series(low, least(low + 1999, $count)) AS i, pg_depend d
				WHERE d.classid = 'pg_class'::regclass AND d.objid = '$schema.model'::regclass
					AND d.refclassid = 'pg_namespace'::regclass;
				COMMIT;
			END LOOP;
		END \$\$;
		RESET allow_system_table_mods;
		DROP TABLE $schema.model");
	return;
}

sub listing_figures
{
	my ($remote, $control) = @_;
	my $tables = q(SELECT table_name FROM information_schema.tables WHERE table_schema = '%s' ORDER BY table_name);
	my $result = ways($remote, $control, 'large', 500,
		large            => q(SELECT table_name FROM dqds_list_tables('large', 'measured')),
		small            => q(SELECT table_name FROM dqds_list_tables('small', 'measured')),
		baseline         => \sprintf($tables, 'measured'),
		granted          => q(SELECT table_name FROM dqds_list_tables('large', 'granted')),
		granted_baseline => \sprintf($tables, 'granted'));
	return (
		compare('4', 'dqds_list_tables, 500 tables of 250,000 relations; information_schema.tables over warm dblink', 'ms', [ '>=', 8 ],
			@$result{qw(large baseline)}, 1),
		compare('4b', 'the same, where the tables are granted to the user, not owned', 'ms', [ '>=', 4 ], @$result{qw(granted granted_baseline)}, 1),
		compare('5', 'the same of 250,000 relations; of 5,000', 'ms', [ '<=', 1.3 ], @$result{qw(large small)}));
}

sub column_figures
{
	my ($remote, $control) = @_;
	my $result = ways($remote, $control, 'columns', 100,
		ours     => q(SELECT * FROM dqds_list_columns('columns', 'w', 't77')),
		baseline => \q(SELECT table_name, ordinal_position, column_name, data_type FROM information_schema.columns
			WHERE table_schema = 'w' AND table_name = 't77' ORDER BY ordinal_position));
	return compare('4c', "dqds_list_columns, one of ${\MANY} tables of 100 columns, after autovacuum's ANALYZE; information_schema.columns over warm dblink",
		'ms', [ '<=', 1.5 ], @$result{qw(ours baseline)});
}

# ways(REMOTE, CONTROL, DATABASE, COUNT, NAME => QUERY…): how long each query takes, in turns, which must give so many rows.
# A reference is a query for the remote's database itself, over a warm dblink connection.
sub ways
{
	my ($remote, $control, $database, $count, %query) = @_;
	my $sql    = DqdsTest::Sql->connect($control);
	my $dblink = DqdsTest::Sql->connect($control);
	$dblink->must(sprintf "SELECT dblink_connect('remote', 'host=127.0.0.1 port=%d dbname=%s user=reader password=%s')",
		$remote->port, $database, remote_password($remote));
	my $run = sub {
		my ($query) = @_;
		my $answer;
		if (!ref $query) { $answer = $sql->must($query); }
		else
		{
			my $width = () = $$query =~ /^SELECT (.*?) FROM/s && $1 =~ /,/g;
			$answer = $dblink->must('SELECT * FROM dblink(\'remote\', ' . sql_literal($$query) . ') AS t (' . join(', ', map { "c$_ text" } 0 .. $width) . ')');
		}
		die scalar @{ $answer->{rows} } . " rows in place of $count" if @{ $answer->{rows} } != $count;
	};
	foreach my $query (values %query) { $run->($query) foreach 1 .. 8; }    # warm, and prepared where that is
	my $result = in_turns(rounds(), map { my $query = $query{$_}; ($_ => sub { median(map { timed(sub { $run->($query) }) } 1 .. 20) }) } sort keys %query);
	$_->close foreach $sql, $dblink;
	return $result;
}

sub size_figures
{
	my ($remote, $control) = @_;
	my $bridge = start_bridge($control, connections => ['wide']);
	my $path   = sub { return "/api/datasource/connections/wide/schemas/$_[0]/tables"; };
	my $query  = names_query($control, $remote);

	# Read to the last byte: the number of tables once, then the number of bytes, so that this side costs no more than
	# psql's.
	my %length;
	my $ours = sub {
		my ($schema, $tables) = @_;
		my $socket = open_socket($bridge);
		print $socket 'GET ' . $path->($schema) . " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
		my ($length, $bytes) = (0);
		while (my $n = sysread $socket, $bytes, 1 << 18) { $length += $n; }
		$length{$schema} //= whole_answer($bridge, $path->($schema), $tables);
		die "$length bytes in place of $length{$schema}" if $length != $length{$schema};
	};
	my $cheapest = q(SELECT relname FROM pg_class WHERE relnamespace = '%s'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname);
	my $psql     = sub {
		my ($schema, $plain) = @_;
		local $ENV{PGPASSWORD} = remote_password($remote);
		my %value = (1 => "'$schema'", 2 => 'NULL', 3 => 'NULL', 4 => 'true', 5 => 'NULL');
		my $text  = $plain ? sprintf($cheapest, $schema) : $query =~ s/\$(\d)/$value{$1}/gr;
		run_quietly('psql', '-XAtq', '-h', '127.0.0.1', '-p', $remote->port, '-U', 'reader', '-d', 'wide', '-c', $text);
	};

	# At rest: after a few answers, so that the pages of the program are there.
	$ours->('wide', WIDE) foreach 1 .. 2;
	my @backends = $control->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE usename = 'dqds_bridge')) =~ /(\d+)/g;
	my $growth = sub {
		my ($sub) = @_;
		my %rest;
		foreach my $pid ($bridge->pid, @backends) { reset_peak($pid); $rest{$pid} = memory_kb($pid, 'VmRSS'); }
		$sub->();
		my %peak = map { $_ => (memory_kb($_, 'VmHWM') - $rest{$_}) / 1024 } keys %rest;
		return ($peak{ $bridge->pid }, max(@peak{@backends}));
	};
	my @wide = map { [ $growth->(sub { $ours->('wide', WIDE) }) ] } 1 .. 3;
	my $time = in_turns(
		rounds(),
		ours     => sub { timed(sub { $ours->('wide', WIDE) }) },
		psql     => sub { timed(sub { $psql->('wide') }) },
		cheapest => sub { timed(sub { $psql->('wide', 1) }) });
	my @huge = map { [ $growth->(sub { $ours->('huge', HUGE) }) ] } 1 .. 3;
	my $huge = in_turns(3, ours => sub { timed(sub { $ours->('huge', HUGE) }) }, psql => sub { timed(sub { $psql->('huge') }) });
	$bridge->stop;
	return (
		compare('6', '100,000 tables over REST; psql fetching their names', 'ms', [ '<=', 1.1 ], @$time{qw(ours psql)}),
		compare('6c', 'the same; psql fetching their names by the cheapest query', 'ms', [ '<=', 1.3 ], @$time{qw(ours cheapest)}),
		compare('6b', '1,000,000 tables; the same', 'ms', undef, @$huge{qw(ours psql)}),
		against_fixed('7a', 'memory of the bridge during 6, over rest', 'MiB', [ '<=', 1 ], [ map { $_->[0] } @wide ]),
		against_fixed('7b', 'the same with 1,000,000 tables', 'MiB', [ '<=', 1 ], [ map { $_->[0] } @huge ]),
		against_fixed('7c', 'memory of the control backend during 6, over rest', 'MiB', [ '<=', 16 ], [ map { $_->[1] } @wide ]),
		against_fixed('7d', 'the same with 1,000,000 tables', 'MiB', [ '<=', 16 ], [ map { $_->[1] } @huge ]));
}

# The length of a good answer, headers included; dies if it has not so many tables.
sub whole_answer
{
	my ($bridge, $path, $tables) = @_;
	my $raw = raw_request($bridge, "GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 120);
	my $count = () = $raw =~ s/\r\n[0-9a-fA-F]+\r\n//gr =~ /"alreadyImported":/g;
	die "$count tables in place of $tables" if $count != $tables;
	return length $raw;
}

# The query for names as the remote sees it: the same rule, the same order.
sub names_query
{
	my ($control, $remote) = @_;
	my $sql = DqdsTest::Sql->connect($control);
	$sql->must(q(SELECT dqds_list_tables_json('wide', 'none', NULL, NULL, false))) foreach 1 .. 3;
	my $query = $remote->safe_psql('postgres', q(SELECT query FROM pg_stat_activity WHERE usename = 'reader' AND datname = 'wide'));
	$sql->close;
	die "this is not the query for names: $query" if $query !~ /^SELECT c\.relname FROM .*\$3/;
	return $query;
}

1;
