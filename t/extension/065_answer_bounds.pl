# A remote server decides what it sends, but not what that costs here: whatever a hostile server sends, a backend grows by
# less than 64 MiB; no call keeps more of an answer than dqds.max_answer_size; a long comment is cut visibly; a name of absurd
# length is refused.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Under;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $control = control_server('control', conf => "dqds.query_timeout = '20s'");
my $sql     = DqdsTest::Sql->connect($control);

sub description { return pg_message('1', '') . pg_message('2', '') . pg_message('T', pack('n', $_[0]) . join '', map { "c$_\0" . pack 'N n N n N n', 0, 0, 25, -1, -1, 0 } 1 .. $_[0]); }

# A row; one of a listing of tables has more values, which are NULL.
sub data_row
{
	my @values = (@_, @_ == 4 ? (undef) x 5 : ());
	return pg_message('D', pack('n', scalar @values) . join '', map { defined $_ ? pack('N/a*', $_) : pack 'l>', -1 } @values);
}
sub done { return pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'); }

# A connection of this name to a server that answers a question for tables, or always, by SUB->(socket, text of the query).
sub fake
{
	my ($name, $serve, $always) = @_;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			pg_log_in($socket);
			while (1)
			{
				my $query;
				pg_answer($socket, sub { $query = $_[0]; return ''; });
				# A question for the backend's pid is answered like a pooler's: then nothing is prepared.
				if ($query =~ /pg_class/ || $always) { $serve->($socket, $query); }
				else                                 { send_bytes($socket, description(1) . data_row('0') . done()); }
			}
		});
	create_connection($control, $name,
		connection_model(undef, host => '127.0.0.1', port => '' . $server->port, user => 'u', password => 'secret', sslmode => 'disable'));
	return $server;
}

# A line of the backend's status, in kB.
sub status_of { my ($what) = @_; my ($kb) = slurp_file('/proc/' . $sql->pid . '/status') =~ /^$what:\s+(\d+)/m; return $kb; }

# The answer, and how far the memory of the backend rose meanwhile, in MiB, as the kernel counts its peak.
sub ask
{
	my ($query) = @_;
	open my $clear, '>', '/proc/' . $sql->pid . '/clear_refs' or die "clear_refs: $!";
	print $clear '5';
	close $clear;
	my $before = status_of('VmRSS');
	my $answer = $sql->query($query, 300);
	return ($answer, (status_of('VmHWM') - $before) / 1024);
}

# --- Memory ------------------------------------------------------------------------------------------------------

my $megabyte = 'x' x (1 << 20);
my $row      = data_row('a table', 'table', '1', undef);
my $endlessly = sub { my ($socket, @pieces) = @_; while (1) { send_bytes($socket, ref $_ ? $_->() : $_) foreach @pieces; } };
my $n        = 0;
my $statuses = sub { join '', map { pg_message('S', 'p' . $n++ . "\0v\0") } 1 .. 1000 };
my $described = pg_message('t', pack 'n N', 1, 25);
# Of many parameters libpq looks through all for each that comes: then it may be the time that ends it.
my %hostile = (
	'a value of 2 MB'                 => [ 'QD023', sub { send_bytes($_[0], description(9) . data_row('a', 'table', '1', $megabyte x 2) . done()) } ],
	'a row of 60 MB'                  => [ 'QD023', sub { send_bytes($_[0], description(60) . data_row(($megabyte) x 60) . done()) } ],
	'a row that announces 1 GB'       => [ 'QD023', sub { send_bytes($_[0], description(9) . 'D' . pack('N n N', 1 << 30, 9, 1 << 29)); $endlessly->($_[0], $megabyte) } ],
	'an error of 3 MB'                => [ 'QD023', sub { send_bytes($_[0], pg_error('XX000', $megabyte x 3, 'ERROR') . pg_message('Z', 'I')) } ],
	'an error of 60 MB'               => [ 'QD023', sub { send_bytes($_[0], pg_error('XX000', $megabyte x 60, 'ERROR') . pg_message('Z', 'I')) } ],
	'endless rows with long comments' => [ 'QD023', sub { send_bytes($_[0], description(9)); $endlessly->($_[0], data_row('a', 'table', '1', 'c' x 100_000)) } ],
	'endless notices'                 => [ 'QD023', sub { $endlessly->($_[0], pg_message('N', "SNOTICE\0C00000\0M" . 'n' x 5000 . "\0\0")) } ],
	'endless notifications'           => [ 'QD023', sub { $endlessly->($_[0], pg_message('A', pack('N', 1) . "channel\0payload\0") x 1000) } ],
	'endless parameters'              => [ 'QD023', sub { $endlessly->($_[0], $statuses) } ],
	'parameters between rows'         => [ 'QD023|QD015', sub { send_bytes($_[0], description(9)); $endlessly->($_[0], $statuses, $row) } ],
	'endless descriptions'            => [ 'QD023', sub { $endlessly->($_[0], $described x 1000) } ],
	'descriptions behind a long row'  => [ 'QD023', sub { send_bytes($_[0], description(9) . data_row('a', 'table', '1', 'c' x 65_000)); sleep 0.3; $endlessly->($_[0], $described x 400_000) } ],
	'descriptions between rows'       => [ 'QD023', sub { send_bytes($_[0], description(9)); $endlessly->($_[0], ($described x 20 . $row) x 50) } ]);
$sql->must(q(SELECT dqds_close_idle(); SET dqds.max_answer_size = '64MB'));
my @servers = map { fake($_, $hostile{$_}[1], 1) } sort keys %hostile;
foreach my $what (sort keys %hostile)
{
	# Where a bound must be met before the time is over, a slow machine has enough of it.
	$sql->must('SET dqds.query_timeout = ' . ($hostile{$what}[0] =~ /QD015/ ? "'20s'" : "'200s'"));
	my ($answer, $grown) = ask('SELECT count(*) FROM dqds_list_tables(' . sql_literal($what) . ", 's')");
	like($answer->{error}{sqlstate} // 'no error', qr/^($hostile{$what}[0])$/, "$what: refused") or diag(explain($answer));
	like($answer->{error}{message} // '', qr/ sent | larger than 64 MB$| reported an error: | did not finish /, "$what: in words");
	memory_below($grown, 48, sprintf '%s: the backend grows by %.1f MiB', $what, $grown);
}
$sql->must('RESET dqds.query_timeout');

# A test of a connection expects one number.
foreach my $what ('endless rows with long comments', 'endless parameters', 'endless descriptions', 'an error of 60 MB')
{
	my ($answer, $grown) = ask('SELECT * FROM dqds_test_connection(' . sql_literal($what) . ')');
	is($answer->{rows}[0]{connection_test_result}, 'FAILURE', "a test, $what: a failure");
	memory_below($grown, 16, sprintf 'a test, %s: the backend grows by %.1f MiB', $what, $grown);
}

# --- The size of an answer ------------------------------------------------------------------------------------------

{
	my $thousand = fake('a thousand', sub { send_bytes($_[0], description(9) . join('', map { data_row("table $_", 'table', '1', 'c' x 2000) } 1 .. 1000) . done()) });
	my %query = (SQL => q(SELECT * FROM dqds_list_tables('a thousand', 's')), JSON => q(SELECT * FROM dqds_list_tables_json('a thousand', 's', NULL, NULL, true)));
	foreach my $way (sort keys %query)
	{
		$sql->must(q(SET dqds.max_answer_size = '3MB'));
		is($sql->query($query{$way})->{error}, undef, "$way: an answer of 2 MB within 3 MB");
		foreach my $size ('1MB', '1500kB')
		{
			$sql->must("SET dqds.max_answer_size = '$size'");
			my $error = $sql->query($query{$way})->{error};
			my $said  = $size =~ s/(?=[kM])/ /r;
			is($error->{sqlstate}, 'QD023', "$way: not within $size");
			like($error->{message} // '', qr/^the answer of the server at 127\.0\.0\.1:\d+ is larger than $said$/, "$way: it says so");
			like($error->{hint} // '', qr/Narrow the listing.*dqds\.max_answer_size/, "$way: with what to do");
		}
		is($sql->query($query{$way} =~ s/NULL, NULL/'table 99', NULL/r =~ s/'s'\)/'s', 'table 99')/r)->{error}, undef, "$way: a narrower one is");
	}
	is($sql->query(qq(SET dqds.max_answer_size = $_))->{error}{sqlstate}, '22023', "max_answer_size is not $_") foreach qw(0 1023 -1);
	$sql->must('RESET dqds.max_answer_size');
	is($sql->value('SHOW dqds.max_answer_size'), '256MB', 'max_answer_size: the default');
	$control->safe_psql('postgres', 'CREATE ROLE somebody LOGIN');
	my $other = DqdsTest::Sql->connect($control, user => 'somebody');
	$other->query(q(LOAD 'dqds'));
	$other->query(q(SELECT * FROM dqds_close_idle()));
	is($other->query(q(SET dqds.max_answer_size = '1GB'))->{error}{sqlstate} // 'none', $other->value(q(SELECT count(*) FROM pg_settings WHERE name = 'dqds.max_answer_size')) ? '42501' : 'none', 'it is for superusers');
}

# --- Long comments and names ------------------------------------------------------------------------------------------

my $remote = remote_server('remote');
create_connection($control, 'remote', connection_model($remote));
my @comments = (65_536, 65_537, 1_000_000);
$remote->safe_psql('postgres', 'CREATE SCHEMA s AUTHORIZATION reader; SET ROLE reader; '
	  . join ' ', map {; "CREATE TABLE s.t$_ (c int); DO \$\$BEGIN EXECUTE format('COMMENT ON TABLE s.t$_ IS %L', repeat('c', $_)); EXECUTE format('COMMENT ON COLUMN s.t$_.c IS %L', repeat('\x{c3}\x{a9}', $_)); END\$\$;" } @comments);
foreach my $size (@comments)
{
	my ($table) = $sql->rows("SELECT octet_length(comment), right(comment, 2) AS last FROM dqds_list_tables('remote', 's', 't$size')");
	my $cut = $size > 65_536;
	is("$table->{octet_length} $table->{last}", $cut ? "65539 c\x{e2}\x{80}\x{a6}" : '65536 cc', "a comment of $size bytes");
	my ($column) = $sql->rows("SELECT octet_length(comment), right(comment, 2) AS last FROM dqds_list_columns('remote', 's', ARRAY['t$size'])");
	is("$column->{octet_length} $column->{last}", '32771 ..', "a comment of $size characters, two bytes each");
}
{
	# What is cut stands between two characters, also where that is not in the middle.
	my $odd = fake('odd', sub { send_bytes($_[0], description(9) . data_row('a', 'table', '1', 'xx' . "\x{e2}\x{82}\x{ac}" x 30_000) . done()) });
	my ($row) = $sql->rows(q(SELECT octet_length(comment), right(comment, 2) AS last FROM dqds_list_tables('odd', 's')));
	is("$row->{octet_length} $row->{last}", "65537 \x{e2}\x{82}\x{ac}\x{e2}\x{80}\x{a6}", 'a comment is cut between characters');

	my $long = fake('long', sub { send_bytes($_[0], description(9) . data_row('n' x 65_537, 'table', '1', undef) . done()) });
	my $error = $sql->query(q(SELECT * FROM dqds_list_tables('long', 's')))->{error};
	is($error->{sqlstate}, 'QD023', 'a name of more than 64 kB is refused');
	like($error->{message}, qr/sent a name of more than 64 kB/, 'and it says so');
	my $just = fake('just', sub { send_bytes($_[0], description(9) . data_row('n' x 65_536, 'table', '1', undef) . done()) });
	is($sql->value(q(SELECT octet_length(table_name) FROM dqds_list_tables('just', 's'))), 65_536, 'one of 64 kB is not');
}
{
	$control->safe_psql('postgres', q(CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0));
	$control->safe_psql('latin', 'CREATE EXTENSION dqds');
	my $latin = DqdsTest::Sql->connect($control, database => 'latin');
	my ($row) = $latin->rows('SELECT octet_length(comment), right(comment, 4) AS last FROM dqds_list_tables(' . sql_literal(connection_model($remote)) . "::text, 's', 't1000000')");
	is("$row->{octet_length} $row->{last}", '65539 c...', 'in an encoding without the mark there are three dots');
}

done_testing();
