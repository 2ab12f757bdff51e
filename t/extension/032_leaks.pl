# A backend that makes thousands of calls, successful ones and ones that fail in every way, uses no more descriptors, threads
# and memory than after its first few; and an error between connecting and closing, raised a thousand times, leaves no socket,
# no session at the remote server and no slot of the connection's limit in use.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);

# --- Measurements --------------------------------------------------------------------------------------

# What the backend has open, but for files of its own database: these PostgreSQL opens and closes as its caches need.
sub open_files
{
	my $data = $control->data_dir;
	return grep { !m{^\Q$data\E/} } map { readlink($_) // '' } glob '/proc/' . $sql->pid . '/fd/*';
}
sub sockets { return scalar grep { /^socket:/ } open_files(); }

# Descriptors and threads as the kernel sees them; memory as PostgreSQL counts it; resident memory in kB, which alone shows
# what libpq, OpenSSL and the C library keep.
sub measure
{
	my %now = (
		descriptors => scalar(my @files = open_files()),
		contexts    => $sql->value('SELECT sum(total_bytes) FROM pg_backend_memory_contexts'));
	my $status = slurp_file('/proc/' . $sql->pid . '/status');
	($now{threads})  = $status =~ /^Threads:\s+(\d+)/m;
	($now{resident}) = $status =~ /^VmRSS:\s+(\d+)/m;
	return \%now;
}

# Threads that end on their own (a cancel request, a name look-up) may take a moment.
sub settled
{
	my ($threads) = @_;
	poll_until(sub { measure()->{threads} <= $threads }, 10);
	return measure();
}

sub no_leak
{
	my ($what, $before) = @_;
	my $now = settled($before->{threads});
	cmp_ok($now->{descriptors}, '<=', $before->{descriptors}, "$what: descriptors ($before->{descriptors}, then $now->{descriptors})");
	cmp_ok($now->{threads},     '<=', $before->{threads},     "$what: threads ($before->{threads}, then $now->{threads})");
	# Caches of the catalog grow in steps; a leak of 100 bytes for each of a thousand calls would be twice that.
	cmp_ok($now->{contexts}, '<=', $before->{contexts} + 50_000, "$what: memory contexts ($before->{contexts}, then $now->{contexts})");
	# The size of the C library's heap varies. A leak of 1 kB for each of a thousand calls would fail.
	memory_below($now->{resident}, $before->{resident} + 1_000, "$what: resident kB ($before->{resident}, then $now->{resident})");
	return;
}

# --- The calls ------------------------------------------------------------------------------------------

my $closing = start_fake_server(sub { });
my $http    = start_fake_server(sub { my ($client) = @_; sysread $client, my $bytes, 8; send_bytes($client, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
my $silent  = start_fake_server(\&hold);
my $hanging = start_fake_server(
	sub {
		my ($client) = @_;
		my $startup = pg_read_startup($client);
		return if unpack('N', $startup) == 80877102;    # a cancel request
		pg_log_in($client, $startup);
		hold($client);
	});
my %port = (closing => $closing->port, http => $http->port, silent => $silent->port, hanging => $hanging->port, refused => free_port());
create_connection($control, $_, connection_model($remote, port => "$port{$_}")) foreach sort keys %port;
create_connection($control, 'wrong_password', connection_model($remote, password => 'wrong'));
create_connection($control, 'wrong_database', connection_model($remote, database => 'nowhere'));
create_connection($control, 'remote',         connection_model($remote));
create_connection($control, 'by_name',        connection_model($remote, host => 'localhost'));
my $ad_hoc = sql_literal(connection_model($remote)) . '::text';

# [SQL, expected SQLSTATE or error_code, or ''], each a way to fail.
my @failing = (
	[ q(SELECT * FROM dqds_test_connection('refused')),                   'connection_refused' ],
	[ q(SELECT * FROM dqds_test_connection('wrong_password')),            'authentication_failed' ],
	[ q(SELECT * FROM dqds_test_connection('wrong_database')),            'database_not_found' ],
	[ q(SELECT * FROM dqds_test_connection('closing')),                   'connection_lost' ],
	[ q(SELECT * FROM dqds_test_connection('http')),                      'not_postgres' ],
	[ q(SELECT * FROM dqds_list_schemas('refused')),                      'QD002' ],
	[ q(SELECT * FROM dqds_list_tables('wrong_password', 'public')),      'QD009' ],
	[ q(SELECT * FROM dqds_list_schemas('{"provider_type": "mysql"}')),   'QD020' ],
	[ q(SELECT * FROM dqds_list_schemas('{"provider_type":')),            '22P02' ],
	[ q(SELECT * FROM dqds_list_schemas('unknown')),                      '42704' ],
	[ q(SET LOCAL statement_timeout = 5; SELECT * FROM dqds_test_connection('silent')), '57014' ],
	[ q(SET LOCAL statement_timeout = 20; SELECT * FROM dqds_list_schemas('hanging')),  '57014' ],
	# A busy machine may need these milliseconds for the connect alone.
	[ q(SET LOCAL dqds.connect_timeout = 5; SELECT * FROM dqds_test_connection('silent')), 'server_silent|unreachable' ],
	[ q(SET LOCAL dqds.query_timeout = 5; SELECT * FROM dqds_list_schemas('hanging')),     'QD015' ],
	[ q(SELECT count(*) / 0 FROM dqds_list_schemas('remote')),                             '22012' ],
	[ q(SELECT * FROM dqds_test_connections(ARRAY['refused', 'closing', 'remote', 'wrong_database'])), 'connection_refused' ]);

my @good = (
	[ q(SELECT * FROM dqds_test_connection('remote')),                           '' ],
	[ q(SELECT * FROM dqds_test_connection('by_name')),                          '' ],
	[ q(SELECT * FROM dqds_list_schemas('remote')),                              '' ],
	[ q(SELECT * FROM dqds_list_schemas('by_name')),                             '' ],
	[ q(SELECT * FROM dqds_list_tables('remote', 'pg_catalog')),                 '' ],
	[ q(SELECT * FROM dqds_list_columns('remote', 'pg_catalog', '{pg_class}')),  '' ],
	[ "SELECT * FROM dqds_list_schemas($ad_hoc)",                                '' ],
	[ "SELECT * FROM dqds_test_connection($ad_hoc)",                             '' ],
	[ q(SELECT * FROM dqds_test_connections(ARRAY['remote', 'by_name'])),        '' ]);

# Makes COUNT calls, the kinds in turn; returns how many had an unexpected result.
sub make_calls
{
	my ($count, @kinds) = @_;
	my %wrong;
	foreach my $n (0 .. $count - 1)
	{
		my ($query, $expected) = @{ $kinds[ $n % @kinds ] };
		my $answer = $sql->query($query);
		my $got = $answer->{error} ? $answer->{error}{sqlstate} : $answer->{rows}[0]{error_code} // '';
		$wrong{"$query: $got, not $expected"}++ if $got !~ /^(?:$expected)\z/;
	}
	diag("$wrong{$_} times: $_") foreach sort keys %wrong;
	return scalar keys %wrong;
}

# --- A thousand of each ------------------------------------------------------------------------------------

{
	# Each kind once and again: caches are filled, modules loaded, statements prepared at the remote.
	is(make_calls(2 * @failing, @failing) + make_calls(3 * @good, @good), 0, 'the first calls come out as they have to');
	my $before = measure();
	is(make_calls(1000, @failing), 0, '1,000 calls fail as they have to');
	no_leak('1,000 calls that fail', $before);
	is(make_calls(1000, @good), 0, '1,000 calls work');
	no_leak('1,000 calls that work', $before);
}

# --- Errors between connecting and closing --------------------------------------------------------------------

# The rows of this listing do not fit into work_mem, and the file that they would go to is not allowed: an error while
# rows arrive. One operation at a time may run on the connection, so that a slot that is not given back would be seen.
hostile_watch(control => $control, remote => $remote, sql => $sql);
hostile('errors-1000', sub {
	my $at_remote = DqdsTest::Sql->connect($remote);
	$at_remote->query(<<'SQL', 600)->{error} and die 'the tables could not be made';
CREATE SCHEMA many;
GRANT USAGE ON SCHEMA many TO reader;
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXECUTE format('CREATE TABLE many.%I ()', 'table_with_a_name_of_some_length_' || i);
		EXECUTE format('COMMENT ON TABLE many.%I IS %L', 'table_with_a_name_of_some_length_' || i, repeat('comment ', 20));
		EXECUTE format('GRANT SELECT ON many.%I TO reader', 'table_with_a_name_of_some_length_' || i);
	END LOOP;
END
$$;
SQL
	create_connection($control, 'many', connection_model($remote, parallel_jobs_limit => 1));
	my $list = q(SELECT count(*) FROM dqds_list_tables('many', 'many'));
	$sql->must('SELECT dqds_close_idle()');
	is($sql->value($list), 600, 'the listing works');
	$sql->must('SELECT dqds_close_idle()');
	$sql->must("SET work_mem = '64kB'; SET temp_file_limit = 0");
	is($sql->query($list)->{error}{sqlstate}, '53400', 'it is cut off while rows arrive');

	my $before        = measure();
	my $sockets       = sockets();
	my $still_there   = sub { $at_remote->value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'") };
	my @other_outcome = grep { ($sql->query($list)->{error}{sqlstate} // '') ne '53400' } 1 .. 500;
	is(scalar @other_outcome, 0, '500 statements are ended by an error while rows arrive');

	my $answer = $sql->query(<<'SQL', 600);
DO $$
BEGIN
	FOR i IN 1 .. 500 LOOP
		BEGIN
			PERFORM FROM dqds_list_tables('many', 'many');
			RAISE 'no error';
		EXCEPTION WHEN configuration_limit_exceeded THEN
			NULL;
		END;
	END LOOP;
END
$$
SQL
	is($answer->{error}, undef, '500 subtransactions are ended by an error while rows arrive') or diag(explain($answer));
	is(sockets(), $sockets, 'no socket is left');
	ok(poll_until(sub { $still_there->() == 0 }, 10), 'no session is left at the remote') or diag($still_there->());
	no_leak('1,000 errors between connecting and closing', $before);

	$sql->must('RESET work_mem; RESET temp_file_limit');
	is($sql->value($list), 600, 'the listing works again');
});
hostile_end();

done_testing();
