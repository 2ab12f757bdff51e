# ClickHouse over the agent: what a real server has in its catalog, how it refuses, and that what is cancelled is gone there.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::ClickHouse;
use DqdsTest::Http;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IO::Select;
use PostgreSQL::Test::Utils;
use Test::More;

# Debian 12 has it; a later Debian does not, and says so here.
plan skip_all => 'no clickhouse-server: this Debian has no such package' if !DqdsTest::ClickHouse->available;

use constant MANY => 3000;    # columns: more than one piece of an answer

my $dir = PostgreSQL::Test::Utils::tempdir('certificates');
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => 'DNS:localhost,IP:127.0.0.1');
new_certificate($dir, 'other', names => 'DNS:other.example');

# Names that need care in SQL and in JSON, in the order of their bytes.
my @names = sort ('"', "'; DROP TABLE x; --", '%_', 'A', 'a', 'a b', 'back\\slash', '\\', "line\nfeed", '{a,"b"}', 'Größe', '表', '😀');
sub named { return '`names`.`' . ($_[0] =~ s/([\\`])/\\$1/gr) . '`'; }

my $server = DqdsTest::ClickHouse->start('shop',
	tls => { cert => "$dir/server.crt", key => "$dir/server.key" },
	sql => [
		'CREATE DATABASE shop', 'CREATE DATABASE `Shop`', 'CREATE DATABASE names', 'CREATE DATABASE wide', 'CREATE DATABASE empty',
		"CREATE TABLE shop.orders (id UInt64, day Date, name String DEFAULT 'x', price Nullable(Decimal(10, 2)), code FixedString(3), "
		  . "kind Enum8('a' = 1, 'b' = 2), tags Array(String), twice UInt64 MATERIALIZED id * 2, alias UInt64 ALIAS id, at DateTime) "
		  . 'ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (id, day)',
		"ALTER TABLE shop.orders COMMENT COLUMN name 'who \\'and\\' what'",
		'CREATE TABLE shop.lines (z Int8, a Int8) ENGINE = Memory',
		'CREATE VIEW shop.cheap AS SELECT id FROM shop.orders WHERE price < 10',
		'CREATE MATERIALIZED VIEW shop.sums ENGINE = MergeTree ORDER BY id AS SELECT id, count() AS n FROM shop.orders GROUP BY id',
		'CREATE TABLE shop.elsewhere (a Int8) ENGINE = URL(\'http://127.0.0.1:1/\', TSV)',
		'CREATE TABLE `Shop`.other (a Int8) ENGINE = Memory',
		(map { 'CREATE TABLE ' . named($_) . ' (`' . ($_ =~ s/([\\`])/\\$1/gr) . '` Int8) ENGINE = Memory' } @names),
		'CREATE TABLE wide.wide (' . (join ', ', map { sprintf 'column_%04d Int8', MANY - $_ } 0 .. MANY - 1) . ') ENGINE = Memory',
		(map { sprintf 'CREATE TABLE wide.t%02d (a Int8) ENGINE = Memory', $_ } 1 .. 40) ]);

my $control = control_server('control', conf => "restart_after_crash = on\ndqds.ssl_root_certs = '$dir/ca.crt'");
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop',   $server->model);
create_connection($control, 'reader', $server->model(user => 'reader'));

sub lines_of
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	return ["$answer->{error}{sqlstate} $answer->{error}{message}"] if $answer->{error};
	return [ map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} } ];
}

# --- What is there ------------------------------------------------------------------------------------------------

foreach my $user (qw(shop reader))
{
	is_deeply(lines_of("SELECT schema_name FROM dqds_list_schemas('$user')"), [qw(Shop default empty names shop wide)], "schemas, for $user");
	is_deeply(lines_of("SELECT schema_name FROM dqds_list_schemas('$user', true)"), [qw(Shop default empty names shop system wide)], 'with those of the system');
	is_deeply(lines_of("SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('$user', 'shop')"),
		[ 'cheap|view|-|-', 'elsewhere|foreign_table|-|-', 'lines|table|-|-', 'orders|table|-|-', 'sums|materialized_view|-|-' ],
		'kinds of tables, without the one behind a materialized view');
	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('$user', 'Shop')"), ['other'], 'another case is another schema');
	is_deeply(lines_of("SELECT * FROM dqds_list_tables('$user', 'no such schema')"), [], 'a schema that is not there has none');

	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('$user', 'names')"), \@names, 'names of any characters');
	is_deeply(lines_of("SELECT table_name, column_name FROM dqds_list_columns('$user', 'names')"), [ map { "$_|$_" } @names ], 'also of columns');
}
foreach my $piece ('%', '_', '\\', "'", '"', 'A', 'a', 'ö', '表', ',')
{
	my $quoted = sql_literal($piece);
	is_deeply(lines_of("SELECT table_name FROM dqds_list_tables('shop', 'names', $quoted)"), [ grep { index($_, $piece) >= 0 } @names ], "those with $piece");
}
my @some = grep { /[\\']|表|b\"/ } @names;
is_deeply(lines_of(sprintf q(SELECT table_name FROM dqds_list_columns('shop', 'names', ARRAY[%s])), join ', ', map { sql_literal($_) } @some), \@some,
	'columns of named tables');

is_deeply(lines_of(q(SELECT column_name, ordinal_position, column_type, length, "precision", scale, nullable, primary_key, comment, full_type,
	default_expression, generated FROM dqds_list_columns('shop', 'shop', ARRAY['orders']))), [
	'id|1|UInt64|-|-|-|f|t|-|UInt64|-|-',
	'day|2|Date|-|-|-|f|t|-|Date|-|-',
	"name|3|String|-|-|-|f|f|who 'and' what|String|'x'|-",
	'price|4|Decimal|-|10|2|t|f|-|Nullable(Decimal(10, 2))|-|-',
	'code|5|FixedString|3|-|-|f|f|-|FixedString(3)|-|-',
	"kind|6|Enum8|-|-|-|f|f|-|Enum8('a' = 1, 'b' = 2)|-|-",
	'tags|7|Array(String)|-|-|-|f|f|-|Array(String)|-|-',
	'at|8|DateTime|-|-|-|f|f|-|DateTime|-|-',
	'twice|9|UInt64|-|-|-|f|f|-|UInt64|-|stored',
	'alias|10|UInt64|-|-|-|f|f|-|UInt64|-|virtual',
], 'columns');
is_deeply(lines_of(q(SELECT column_name, ordinal_position FROM dqds_list_columns('shop', 'shop', ARRAY['lines']))), [ 'z|1', 'a|2' ], 'in their order, not that of their names');
is_deeply(lines_of(q(SELECT count(*) AS n, min(column_name), max(column_name), count(DISTINCT ordinal_position) AS positions FROM dqds_list_columns('shop', 'wide', ARRAY['wide']))),
	[ MANY . sprintf '|column_0001|column_%04d|%d', MANY, MANY ], 'many columns are complete');
is_deeply(lines_of(q(SELECT table_name FROM dqds_list_tables('shop', 'wide', max_rows => 3))), [qw(t01 t02 t03)], 'the first tables');
is_deeply(lines_of(q(SELECT status, table_name, column_count FROM dqds_import_tables('shop', 'shop'))),
	[ 'imported|cheap|1', 'imported|elsewhere|1', 'imported|lines|2', 'imported|orders|10', 'imported|sums|2' ], 'import');

my ($tested) = $sql->rows(q(SELECT * FROM dqds_test_connection('shop')));
is($tested->{error_message}, undef, 'the test of the connection');
like($tested->{server_version}, qr/^18\.16\./, 'tells the version');

# --- Who may what ---------------------------------------------------------------------------------------------------

# test(KEYS OF THE SECTION): error code and message of a test.
sub test
{
	my (%opt) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($server->model(%opt)) . '::json)');
	return join ' ', map { $_ // '-' } @$row{qw(error_code error_message)};
}

sub refused { my ($name, $expected, %opt) = @_; like(test(%opt), qr/^$expected/, $name); return; }
sub let_in  { my ($name, %opt) = @_; is(test(%opt), '- -', $name); return; }

my $at = '127.0.0.1:' . $server->port;
refused('a wrong password', qq(authentication_failed the server at $at does not let user "bob" log in), password => 'wrong');
refused('no such user', 'authentication_failed', user => 'nobody');
refused('no password', 'authentication_failed', password => undef);
refused('an unknown database', qq(database_not_found database "nowhere" does not exist at $at), database => 'nowhere');
refused('a password without TLS, unless that is permitted',
	qq(authentication_failed the connection to $at has a password but no TLS), properties => undef);
refused('a user with a colon', 'invalid_connection .*colon', user => 'b:ob');
let_in('a database', database => 'shop');
let_in('another, whose name has other characters', database => 'Shop');
let_in('a user who may set nothing', user => 'reader', database => 'shop');
refused('a user without a password did not prove one', 'password_required', user => 'free', password => undef);
my $open = { %{ from_json($server->model(user => 'free', password => undef)) }, password_required => JSON::PP::false() };
create_connection($control, 'free', to_json($open));
is_deeply([ $sql->column(q(SELECT error_code FROM dqds_test_connection('free'))) ], [undef], 'and need not where none is required');

# --- TLS ------------------------------------------------------------------------------------------------------------

my @tls = (port => $server->tls_port, properties => undef);
let_in("$_, by address", @tls, sslmode => $_) foreach qw(require verify-ca verify-full);
let_in("$_, by name", @tls, host => 'localhost', sslmode => $_) foreach qw(verify-ca verify-full);
is($sql->value('SELECT tls FROM dqds_test_connection(' . sql_literal($server->model(@tls, sslmode => 'verify-full')) . '::json)'), 'TLSv1.3', 'TLS is told');
is_deeply([ $sql->column('SELECT status FROM dqds_diagnose_connection(' . sql_literal($server->model(@tls, sslmode => 'verify-full', database => 'shop')) . '::json)') ],
	[ ('ok') x 9 ], 'all steps of the diagnosis');
my ($tls_step) = grep { $_->{step} eq 'tls' } $sql->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($server->model(@tls, sslmode => 'verify-full')) . '::json)');
like($tls_step->{message}, qr/^TLSv1\.3 with \S+; certificate for .*dqds-test-server.*, valid until \d{4}-/, 'which tells of the certificate');
refused('none at a port with it', 'connection_lost', port => $server->tls_port);

my $other = DqdsTest::ClickHouse->start('other', tls => { cert => "$dir/other.crt", key => "$dir/other.key" });
my @other = (port => $other->tls_port, properties => undef);
let_in('any certificate encrypts', @other, sslmode => 'require');
let_in('one for another name is trusted', @other, sslmode => 'verify-ca');
refused('but is not that of the host', 'tls_certificate the certificate of \S+ is for another host name', @other, host => $_, sslmode => 'verify-full') foreach qw(127.0.0.1 localhost);
$sql->must("SET dqds.ssl_root_certs = '$dir/other.crt'");
refused("an unknown authority is refused by $_", 'tls_certificate the certificate of \S+ is not trusted', @other, sslmode => $_) foreach qw(verify-ca verify-full);
let_in('and not by require', @other, sslmode => 'require');
$sql->must('RESET dqds.ssl_root_certs');
$other->stop;

# --- What is cancelled is gone there ----------------------------------------------------------------------------------

# A way to the server on which listings take their time: the condition makes it sleep for each block.
sub slow_way
{
	my ($client) = @_;
	my $request = '';
	while (1)
	{
		while ($request !~ /\r\n\r\n/) { sysread $client, $request, 65536, length $request or return; }
		my ($head, $body) = $request =~ /^(.*?\r\n)\r\n(.*)$/s;
		my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;
		$length //= 0;
		while (length $body < $length) { sysread $client, $body, 65536, length $body or return; }
		$request = substr $body, $length;
		$body    = substr $body, 0, $length;
		$head =~ s{^POST /\?}{POST /?max_block_size=1&} if $body =~ s/ FROM system\.tables WHERE / FROM system.tables WHERE sleep(0.2) = 0 AND /g;
		$head =~ s/^(Content-Length): .*$/$1: @{[ length $body ]}\r/mi;
		my $to     = open_socket($server->port);
		my $select = IO::Select->new($client, $to);
		syswrite $to, "$head" . "Connection: close\r\n\r\n$body";
	  ANSWER: while (1)
		{
			foreach my $from ($select->can_read)
			{
				my $n = sysread $from, my $bytes, 65536;
				return if !$n && $from == $client;
				if (!$n) { last ANSWER; }
				if ($from == $to) { syswrite $client, $bytes; }
				else              { $request .= $bytes; }
			}
		}
		return;
	}
}
my $way = start_fake_server(\&slow_way);
create_connection($control, 'slow', $server->model(port => $way->port));
sub is_busy { return $server->running('sleep(0.2)') > 0; }
my $slow = q(SELECT count(*) FROM dqds_list_tables('slow', 'wide'));

my $own = $sql->pid;
$sql->send($slow);
ok(poll_until(\&is_busy, 10), 'a query is under way');
$control->safe_psql('postgres', "SELECT pg_cancel_backend($own)");
is($sql->answer->{error}{sqlstate}, '57014', 'it is cancelled');
ok(poll_until(sub { !is_busy() }, 5), 'and gone at the server');

$sql->must('SET dqds.query_timeout = 700');
like($sql->query($slow)->{error}{message}, qr/did not answer|timeout|within/, 'the deadline');
ok(poll_until(sub { !is_busy() }, 5), 'it is gone after its deadline');
$sql->must('RESET dqds.query_timeout');

my $gone = DqdsTest::Sql->connect($control);
$gone->send($slow);
ok(poll_until(\&is_busy, 10), 'a query is under way again');
kill 'KILL', $gone->pid;
ok(poll_until(sub { !is_busy() }, 10), 'it is gone when its backend was killed');
ok(poll_until(sub { eval { $sql = DqdsTest::Sql->connect($control); 1 } }, 30), 'the server is there again');
$way->stop;

# --- REST ---------------------------------------------------------------------------------------------------------------

my $bridge = start_bridge($control, connections => ['shop']);
my $listed = http($bridge, GET => '/api/datasource/connections/shop/schemas/shop/tables')->{json};
is_deeply([ map { $_->{tableName} } @{ ref $listed eq 'ARRAY' ? $listed : [] } ], [qw(cheap elsewhere lines orders sums)], 'tables over REST') or diag explain $listed;

$control->stop;
$server->stop;
done_testing();
