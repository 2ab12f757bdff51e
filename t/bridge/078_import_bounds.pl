# Imports from servers that send endlessly: large rows, small rows, tables, columns. No backend's memory grows with the size
# of the answer, temporary files stay below dqds.max_answer_size for each call, the error names that limit, nothing is stored,
# and other requests are served. Whatever the order of a server's answers, an import joins the right columns to each table; a
# large one is stored completely.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use File::Find;
use IO::Select;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use constant MB => 1024 * 1024;

# The limit of a call's answer, small so that it is soon reached.
use constant LIMIT => 8;

# What one backend's private memory may grow by, in MB. Under a sanitizer freed memory stays for a while.
use constant GROWTH => 64 * (under() ? 8 : 1);

# Beyond this, in MB for all backends together, a test gives up, so that the machine lives.
use constant TOO_MUCH => 600 * (under() ? 8 : 1);

my $remote  = remote_server('remote');
my $control = control_server('control', conf => "dqds.max_answer_size = '" . LIMIT . "MB'");
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; CREATE TABLE shop.orders (id int); ALTER TABLE shop.orders OWNER TO reader');
create_connection($control, 'shop', connection_model($remote));
my $sql = DqdsTest::Sql->connect($control);

# --- Servers that send without end -----------------------------------------------------------------------------------

sub description
{
	my ($columns) = @_;
	return pg_message('1', '') . pg_message('2', '')
	  . pg_message('T', pack('n', $columns) . join '', map { "c$_\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $columns);
}

sub data_row
{
	my @values = @_;
	return pg_message('D', pack('n', scalar @values) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @values);
}

sub ending { return pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'); }

# serve(NAME, TABLES, COLUMNS): registers a connection to a server that answers each question with rows: a reference to an
# array of rows, or a sub that gets a number from 0 and returns a row, undef at the end.
sub serve
{
	my ($name, $tables, $columns) = @_;
	my $server = start_fake_server(sub {
		my ($socket) = @_;
		pg_log_in($socket);
		while (1)
		{
			my $rows;
			pg_answer($socket, sub { $rows = $_[0] =~ /pg_attribute/ ? [ 10, $columns ] : $_[0] =~ /pg_class/ ? [ 4, $tables ] : [ 1, [ ['0'] ] ]; return ''; });
			send_bytes($socket, description($rows->[0]));
			my $more = $rows->[1];
			if (ref $more eq 'ARRAY') { send_bytes($socket, join '', map { data_row(@$_) } @$more); }
			else
			{
				my $bytes = '';
				for (my $n = 0; my $row = $more->($n); $n++)
				{
					$bytes .= data_row(@$row);
					if (length $bytes > 256 * 1024) { send_bytes($socket, $bytes); $bytes = ''; }
				}
				send_bytes($socket, $bytes);
			}
			send_bytes($socket, ending());
		}
	});
	create_connection($control, $name,
		connection_model(undef, host => '127.0.0.1', port => '' . $server->port, database => 'postgres', user => 'u', password => 'p', sslmode => 'disable'));
	return $server;
}

sub column { my ($table, $position, $name, $comment) = @_; return [ $table, "$position", $name, 'integer', undef, '32', '0', 't', 'f', $comment ]; }

my $fat   = 'c' x 100_000;
my @ten   = map { [ "t$_", 'table', '1', undef ] } 0 .. 9;
my %serve = (
	'tables with comments'  => [ sub { [ "t$_[0]", 'table', '1', $fat ] }, [] ],
	'tables, small'         => [ sub { [ "t$_[0]", 'table', undef, undef ] }, [] ],
	'one table, many times' => [ sub { [ 'same', 'table', undef, undef ] }, [] ],
	'columns with comments' => [ \@ten, sub { column('t' . $_[0] % 10, 1 + int($_[0] / 10), "c$_[0]", $fat) } ],
	'columns, small'        => [ \@ten, sub { column('t' . $_[0] % 10, 1 + int($_[0] / 10), "c$_[0]") } ],
	'columns of one table'  => [ [ [ 'wide', 'table', undef, undef ] ], sub { column('wide', 1 + $_[0], "c$_[0]") } ],
	'types of 100 kB'       => [ \@ten, sub { [ 't1', 1 + $_[0], "c$_[0]", $fat, (undef) x 5, undef ] } ],
	'control characters'    => [ \@ten, sub { column('t' . $_[0] % 10, 1 + int($_[0] / 10), "\x01" x 10_000 . $_[0]) } ]);
my @servers = map { serve($_, @{ $serve{$_} }) } sort keys %serve;
my $bridge  = start_bridge($control, connections => [ 'shop', sort keys %serve ]);

# --- What is measured ----------------------------------------------------------------------------------------------------

sub private_kb
{
	my ($pid) = @_;
	open my $status, '<', "/proc/$pid/status" or return 0;
	my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return $kb // 0;
}

sub temporary_bytes
{
	my $bytes = 0;
	find({ no_chdir => 1, wanted => sub { $bytes += -s _ if -f && /pgsql_tmp/ } }, $control->data_dir . '/base');
	return $bytes;
}

# watch(DONE, PIDS): until DONE->() is true: the most that one backend's memory has grown by, and the most that temporary files
# took, in MB, and whether it had to be stopped. Another caller's listing goes on all the while: those that failed.
my %first;

sub watch
{
	my ($done, $pids) = @_;
	my %seen = (memory => 0, files => 0, stopped => 0, others => 0, failed => []);
	my $end  = time + patience(240);
	%first = ();
	# At least once: an import may have ended before it is looked at.
	for (my $ended = 0; !$ended; $ended = $done->())
	{
		my $all = 0;
		foreach my $pid ($pids->())
		{
			my $kb = private_kb($pid);
			$first{$pid} //= $kb;
			my $grown = ($kb - $first{$pid}) / 1024;
			$seen{memory} = $grown if $grown > $seen{memory};
			$all += $kb / 1024;
		}
		my $files = temporary_bytes() / MB;
		$seen{files} = $files if $files > $seen{files};
		if ($all > TOO_MUCH || time > $end)
		{
			$seen{stopped} = 1;
			$sql->must("SELECT pg_cancel_backend($_)") foreach $pids->();
		}
		my $answer = http($bridge, GET => '/api/datasource/connections/shop/schemas/shop/tables');
		push @{ $seen{failed} }, answer_fault($answer, 200) // () ;
		$seen{others}++;
	}
	return \%seen;
}

sub bounded
{
	my ($what, $calls, $limit, $seen) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!$seen->{stopped}, "$what: ends by itself");
	cmp_ok($seen->{memory}, '<', GROWTH, sprintf '%s: memory of a backend grows by %.1f MB', $what, $seen->{memory});
	# Sorting keeps some more on disk than it was given, and a document is a second copy.
	cmp_ok($seen->{files}, '<', 1 + 2 * $calls * $limit, sprintf '%s: temporary files of %.1f MB', $what, $seen->{files});
	cmp_ok($seen->{others}, '>', 0, "$what: $seen->{others} listings of another connection meanwhile");
	is(join('; ', @{ $seen->{failed} }), '', "$what: none of them failed");
	return;
}

my $too_large = 'the answer of the server at 127\.0\.0\.1:\d+ is larger than ';

# over_sql(NAME, SESSIONS, LIMIT): imports by so many sessions at once.
sub over_sql
{
	my ($name, $count, $limit) = @_;
	my @sessions = map { DqdsTest::Sql->connect($control) } 1 .. $count;
	foreach my $session (@sessions)
	{
		# What every session loads once is no growth.
		$session->must(q(SELECT * FROM dqds_list_schemas('shop')));
		$session->must("SET dqds.max_answer_size = '${limit}MB'; SET dqds.query_timeout = '1h'");
		$session->send('SELECT * FROM dqds_import_tables(' . sql_literal($name) . ", 's')");
	}
	my @answers;
	my $seen = watch(sub {
			foreach my $n (0 .. $#sessions) { $answers[$n] //= $sessions[$n]->answer(0.01); }
			return @sessions == grep { defined } @answers;
		}, sub { map { $sessions[$_]->pid } grep { !defined $answers[$_] } 0 .. $#sessions });
	bounded("$name, over SQL", $count, $limit, $seen);
	is($_->{error}{sqlstate} // 'none', 'QD023', "$name, over SQL: an error of the remote") foreach @answers;
	like($_->{error}{message} // '', qr/^$too_large$limit MB$/, "$name, over SQL: it names the limit") foreach @answers;
	like($_->{error}{hint} // '', qr/dqds\.max_answer_size/, "$name, over SQL: the hint names the setting") foreach @answers;
	$_->close foreach @sessions;
	return;
}

# over_rest(NAME, REQUESTS)
sub over_rest
{
	my ($name, $count) = @_;
	my $body = to_json({ connectionName => $name, schemaName => 's' });
	my @open = map {
		my $socket = open_socket($bridge);
		syswrite $socket, "POST /api/jobs/importtables HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		{ socket => $socket, raw => '' };
	} 1 .. $count;
	my @all = @open;
	my $seen = watch(sub {
			foreach my $socket (@open ? IO::Select->new(map { $_->{socket} } @open)->can_read(0.01) : ())
			{
				my ($request) = grep { $_->{socket} == $socket } @open;
				next if sysread $socket, $request->{raw}, 65536, length $request->{raw};
				@open = grep { $_ != $request } @open;
			}
			return !@open;
		}, sub { $sql->column(q(SELECT pid FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state <> 'idle')) });
	bounded("$name, over REST", $count, LIMIT, $seen);
	foreach my $answer (map { parse_answer($_->{raw}, 1, 'POST') } @all)
	{
		is(answer_fault($answer, 400, 'POST'), undef, "$name, over REST: 400");
		like($answer->{json}{message} // '', qr/$too_large@{[LIMIT]} MB/, "$name, over REST: it names the limit");
	}
	return;
}

sub nothing_imported
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($sql->value('SELECT count(*) FROM dqds_imported_table'), 0, "$what: nothing is kept");
	is(poll_until(sub { temporary_bytes() == 0 }, 10), 1, "$what: no temporary file is left");
	return;
}

foreach my $name (sort keys %serve)
{
	over_sql($name, 1, LIMIT);
}
over_sql('tables with comments',  6, LIMIT);
over_sql('columns with comments', 6, LIMIT);
nothing_imported('over SQL');
over_rest('tables with comments',  6);
over_rest('columns with comments', 6);
over_rest('columns, small',        2);
over_rest('control characters',    2);
nothing_imported('over REST');
is($sql->value('SHOW dqds.max_answer_size'), LIMIT . 'MB', 'all that with a small limit');
over_sql('tables with comments',  1, 256);
over_sql('columns with comments', 1, 256);
nothing_imported('with the default limit');

# --- One table of very many columns -----------------------------------------------------------------------------------------

# import_from(NAME, more arguments, SETTING): an import with memory watched: its answer.
sub import_from
{
	my ($name, $arguments, $setting) = @_;
	my $session = DqdsTest::Sql->connect($control);
	$session->must($setting) if defined $setting;
	$session->must(q(SET dqds.max_answer_size = '256MB'; SELECT * FROM dqds_list_schemas('shop')));
	$session->send('SELECT * FROM dqds_import_tables(' . sql_literal($name) . ", 's'" . ($arguments // '') . ')');
	my $answer;
	my $seen = watch(sub { return $answer //= $session->answer(0.01); }, sub { return $session->pid; });
	bounded($name, 1, 256, $seen);
	$session->close;
	return $answer;
}

my @more = (
	serve('30,000 columns',  [ [ 'wide', 'table', undef, undef ] ], sub { $_[0] < 30_000 ? column('wide', 1 + $_[0], "c$_[0]") : undef }),
	serve('200,000 columns', [ [ 'wide', 'table', undef, undef ] ], sub { $_[0] < 200_000 ? column('wide', 1 + $_[0], "c$_[0]") : undef }),
	serve('repeated', sub { $_[0] < 20_000 ? [ 'same', 'table', '1', undef ] : undef }, [ column('same', 1, 'a') ]));
# What is not kept does not count: only the time is bounded.
push @more, serve('columns of no table', \@ten, sub { column("none$_[0]", 1, "c$_[0]") });
is(import_from('columns of no table', '', q(SET dqds.query_timeout = '2s'))->{error}{sqlstate}, 'QD015', 'columns that were not asked for, without end: the deadline');

my $wide = import_from('30,000 columns');
is($wide->{error}, undef, '30,000 columns: imported');
is($wide->{rows}[0]{column_count}, 30_000, '30,000 columns: all of them');
is($sql->value('SELECT count(*) FROM dqds_imported_column'), 30_000, '30,000 columns: they are stored');
is(import_from('30,000 columns')->{rows}[0]{status}, 'unchanged', '30,000 columns: again, nothing has changed');
$wide = import_from('200,000 columns');
is(($wide->{error}{sqlstate} // '') . ' ' . ($wide->{error}{message} // ''), 'QD023 the columns of table "wide" take more than 16 MB', '200,000 columns: refused');
my $repeated = import_from('repeated');
is(join(' ', $repeated->{error}{message} // (), map { "$_->{table_name},$_->{status},$_->{column_count}" } @{ $repeated->{rows} }), 'same,imported,1', 'a name that comes 20,000 times is one table');
$sql->must(q(SELECT dqds_unimport_tables('30,000 columns', 's'), dqds_unimport_tables('repeated', 's')));

# --- Answers in disorder ----------------------------------------------------------------------------------------------------

my $longest = 'n' x 1000;
push @more, serve('disorder',
	[ map { [ $_, 'table', '1', undef ] } 'zebra', 'a', $longest, 'B', 'é', 'a', 'empty' ],
	[
		column('zebra', 2, 'two'), column('never asked', 1, 'x'), column('a', 3, 'three'), column($longest, 1, 'one'), column('zebra', 1, 'one'),
		column('', 1, 'of no name'), column('a', -5, 'minus five'), column('a', 1, 'one'), column("\xc3\xa9", 1, 'one'), column('B', 2147483647, 'last'),
		column('B', -2147483648, 'first'), column('a', 2, 'two'), column('A', 1, 'x'), column('zebra~', 1, 'x'), column('zebra', 1, 'again'), column('b', 1, 'x')
	]);
sub columns_of { my ($name) = @_; return $sql->value(q(SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM dqds_imported_columns WHERE connection_name = 'disorder' AND table_name = ) . sql_literal($name)) // ''; }

my $disorder = import_from('disorder');
is($disorder->{error}, undef, 'disorder: imported') or diag(explain($disorder->{error}));
is(join(' ', map { substr($_->{table_name}, 0, 5) . ",$_->{status},$_->{column_count}" } @{ $disorder->{rows} }),
	"B,imported,2 a,imported,4 empty,imported,0 nnnnn,imported,1 zebra,imported,2 \xc3\xa9,imported,1", 'disorder: sorted by the bytes of their names');
is(columns_of('a'), 'minus five,one,two,three', 'disorder: columns by their positions');
like(columns_of('zebra'), qr/^(?:one|again),two$/, 'disorder: of two in one place there is one');
is(columns_of('B'), 'first,last', 'disorder: positions at the bounds');
is(columns_of($longest), 'one', 'disorder: a name of 1,000 bytes');
is(columns_of('empty'), '', 'disorder: a table without columns');
is($sql->value(q(SELECT count(*) FROM dqds_imported_column)), 10, 'disorder: nothing of tables that were not asked for');
is(join(' ', map { $_->{status} } @{ import_from('disorder')->{rows} }), 'unchanged unchanged unchanged unchanged unchanged unchanged', 'disorder: again, nothing has changed');
is(join(' ', map { $_->{table_name} . ($_->{status} eq 'not_found' ? ' is missing' : '') } @{ import_from('disorder', q(, NULL, '{zebra,B,unknown}'))->{rows} }), 'B zebra unknown is missing', 'disorder: with names, those');
is(scalar @{ import_from('disorder', q(, NULL, NULL, 2))->{rows} }, 2, 'disorder: with a limit, so many');

push @more, serve('too long', [ [ 'n' x 1001, 'table', '1', undef ] ], []);
is(import_from('too long')->{error}{message}, 'names of more than 1000 bytes cannot be imported', 'a name of 1,001 bytes is refused');
my $schema = $sql->query(q(SELECT * FROM dqds_import_tables('disorder', repeat('s', 1000))));
is($schema->{error}, undef, 'a schema of 1,000 bytes with a table of 1,000 bytes fits');
is($sql->query(q(SELECT * FROM dqds_import_tables('disorder', repeat('s', 1001))))->{error}{sqlstate}, 'QD023', 'one of 1,001 bytes is refused');

# --- A large one ------------------------------------------------------------------------------------------------------------

my ($large, $names) = wide_server('large', 'many', 12_000);
my %table = map { $_ => '"' . ($_ =~ s/"/""/gr) . '"' } @$names;
$large->safe_psql('postgres', join ';', map { "ALTER TABLE many.$table{$names->[$_]} ADD one int, ADD two text" } 0, 4999, 5000, 5001, 11_999);
create_connection($control, 'large', connection_model($large));
$sql->must("SET dqds.max_answer_size = '256MB'");
sub import_large { return @{ $sql->query(q(SELECT * FROM dqds_import_tables('large', 'many')), 300)->{rows} }; }
my @imported = import_large();
is(scalar @imported, 12_000, '12,000 tables are imported');
is(join("\n", map { $_->{table_name} } @imported), join("\n", @$names), 'in the order of their names');
is(join(' ', grep { $imported[$_]{column_count} == 2 } 0 .. $#imported), '0 4999 5000 5001 11999', 'each with its own columns');
is(scalar(grep { $_->{status} eq 'imported' } @imported), 12_000, 'as new');
is($sql->value('SELECT count(*) FROM dqds_imported_tables t WHERE connection_name = \'large\''), 12_000, 'they are all there');
@imported = import_large();
is(scalar(grep { $_->{status} eq 'unchanged' } @imported), 12_000, 'again: unchanged');
$large->safe_psql('postgres', "COMMENT ON TABLE many.$table{$names->[7]} IS 'new'; COMMENT ON COLUMN many.$table{$names->[4999]}.one IS 'new';
	ALTER TABLE many.$table{$names->[5000]} ALTER one TYPE bigint; ALTER TABLE many.$table{$names->[5001]} DROP one; ALTER TABLE many.$table{$names->[11_998]} ADD three int");
@imported = import_large();
is(join(' ', grep { $imported[$_]{status} eq 'updated' } 0 .. $#imported), '7 4999 5000 5001 11998', 'what has changed is updated');
is(scalar(grep { $_->{status} eq 'unchanged' } @imported), 11_995, 'and all else unchanged');

$control->append_conf('postgresql.conf', "dqds.max_answer_size = '256MB'");
$control->reload;
ok(poll_until(sub { DqdsTest::Sql->connect($control)->value('SHOW dqds.max_answer_size') eq '256MB' }, 30), 'the limit is raised');
$bridge->stop;
$bridge = start_bridge($control, connections => ['large']);
my $answer = http($bridge, POST => '/api/jobs/importtables', {}, to_json({ connectionName => 'large', schemaName => 'many' }), 300);
is(answer_fault($answer, 200, 'POST'), undef, 'over REST: 200');
my $specs = $answer->{json}{result}{source_table_specs};
is(scalar @$specs, 12_000, 'over REST: the document has all tables');
is(join(' ', map { "$_:" . join ',', sort keys %{ $specs->[$_]{columns} } } grep { %{ $specs->[$_]{columns} } } 0 .. $#$specs),
	'0:one,two 4999:one,two 5000:one,two 5001:two 11998:three 11999:one,two', 'over REST: and each its columns');

$sql->close;
$bridge->stop;
$_->kill foreach @servers, @more;
$_->stop foreach $large, $control, $remote;
done_testing();
