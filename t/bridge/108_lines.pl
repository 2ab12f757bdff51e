# Each JSON answer is one line: it ends with one newline, which Content-Length counts, and has no blanks between its parts;
# this holds for success and errors, for GET, HEAD and HTTP/1.0, whole and in chunks, and at the length where one becomes the
# other. The imported tables of a large registry are sent in chunks, completely, without growth of memory in either server.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
$remote->safe_psql('postgres', q{CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, "a : b, c" text);
	COMMENT ON TABLE shop.orders IS E'blanks : and, commas\nand lines'; GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON shop.orders TO reader});
create_connection($control, 'shop', connection_model($remote, labels => [ 'a : b', 'c, d', "e\nf", '', 1.50, 1e3, undef, JSON::PP::true(), {}, [], { a => [ 1, 2 ] } ]));
my $bridge = start_bridge($control, connections => ['shop']);

# The bytes of the body, its line end included.
sub body_of { return $_[0]{raw} =~ s/^.*?\r\n\r\n//sr; }

# What is wrong with the line; undef if nothing.
sub line_fault
{
	my ($body) = @_;
	return 'no line end, or more than one' if $body !~ /[^\n]\n\z/ || $body =~ /\n./s;
	return 'blanks between its parts: ' . $body =~ s/"(?:[^"\\]|\\.)*"/""/gr if $body =~ s/"(?:[^"\\]|\\.)*"/""/gr =~ /\s(?!\z)/;
	return;
}
is(line_fault("$_->[0]") // 'none', $_->[1], 'a fault of a line: ' . ($_->[0] =~ s/\n/\\n/gr))
  foreach [ "{}\n", 'none' ], [ qq({"a":" : , \\" "}\n), 'none' ], [ '{}', 'no line end, or more than one' ], [ "{}\n\n", 'no line end, or more than one' ],
  [ qq({"a": 1}\n), qq(blanks between its parts: {"": 1}\n) ], [ "[1, 2]\n", "blanks between its parts: [1, 2]\n" ];

health_of($bridge);
my $import = to_json({ connectionName => 'shop', schemaName => 'shop', tableNames => [ 'orders', 'no : such, table' ] });
my $job    = http($bridge, POST => '/api/jobs/importtables', {}, $import)->{json}{jobId}{jobId};
my @bodies = ('', '{}', 'no JSON', connection_model($remote), connection_model($remote, password => 'wrong'));
foreach my $case (
	(map { [ GET => $_ ] } '/api/ishealthy', '/api/connections', '/api/connections/shop', '/api/connections/shop/basic', '/api/connections/shop/schemas',
		'/api/connections/shop/schemas/shop/tables', '/api/connections/shop/schemas/nope/tables', '/api/datasource/connections/shop/schemas',
		'/api/datasource/connections/shop/schemas/shop/tables', '/api/datasource/connections/shop/schemas/shop/tables?details=true',
		"/api/jobs/jobs/$job", '/api/jobs/jobs/0', '/api/connections/nope', '/nope', '/api/%zz', '/api/connections/shop/schemas/shop/tables?limit=x'),
	[ POST => '/api/jobs/importtables', $import ],
	(map { [ POST => '/api/datasource/testconnection?details=true', $_ ] } @bodies),
	[ DELETE => '/api/connections/shop' ], [ PATCH => '/api/connections' ], [ POST => '/api/connections/shop/basic', connection_model($remote) ], [ POST => '/api/connections/x/basic' ])
{
	my ($method, $target, $body) = @$case;
	my $name   = "$method $target" . (defined $body ? ' ' . substr $body, 0, 10 : '');
	my $answer = http($bridge, $method => $target, {}, $body);
	is($answer->{error}, undef, "$name: $answer->{status}, whole");
	is(line_fault(body_of($answer)), undef, "$name: one line");
	is($answer->{headers}{'content-length'}, length body_of($answer), "$name: and its length");
	next if $method ne 'GET';
	my $head = http($bridge, HEAD => $target);
	is($head->{headers}{'content-length'}, $answer->{headers}{'content-length'}, "HEAD $target: the same length") if $answer->{status} == 200;
	is(body_of($head), '', "HEAD $target: without a body");
	my ($old) = raw_request($bridge, "GET $target HTTP/1.0\r\nHost: localhost\r\n\r\n");
	is(line_fault($old =~ s/^.*?\r\n\r\n//sr), undef, "$target over HTTP/1.0: one line");
}
my $created = http($bridge, POST => '/api/connections/new/basic', {}, connection_model($remote));
is("$created->{status} $created->{headers}{'content-length'} <" . body_of($created) . '>', '201 0 <>', 'no body has no line end');
my $updated = http($bridge, PUT => '/api/connections/new/basic', {}, connection_model($remote));
is("$updated->{status} <" . body_of($updated) . '>', '204 <>', 'nor has 204');

# The compact form is the same value, in the order in which PostgreSQL keeps it.
my ($shown) = $sql->column(q(SELECT model FROM dqds_connections WHERE connection_name = 'shop'));
foreach my $answer (map { http($bridge, GET => $_) } '/api/connections/shop/basic', '/api/connections')
{
	my ($model) = grep { $_->{connection_name} eq 'shop' } ref $answer->{json} eq 'ARRAY' ? @{ $answer->{json} } : $answer->{json};
	is_deeply([ @$model{qw(labels postgresql)} ], [ @{ from_json($shown) }{qw(labels postgresql)} ], 'the compact model is the same');
	my ($body) = $answer->{body} =~ /(\{"labels".*?"connection_name":"shop".*?\})(?=,\{|\]|$)/s;
	is(join(' ', ($body // $answer->{body}) =~ /"(\w+_job_template)":/g), join(' ', $shown =~ /"(\w+_job_template)":/g), 'its members are in the same order');
}
foreach my $value ('{}', '[]', '""', 'null', 'true', '1', '-1.50', '[1, "a", [], {"b": [null, {"c": {}}]}]', '{"a": {"b": "x, y: z"}, "": []}', '[[1], [2]]', '"\ud83d\ude00 \" \\\\ \u0001"')
{
	my $compact = $sql->value('SELECT dqds_compact_json(' . sql_literal($value) . '::jsonb)');
	is($sql->value('SELECT ' . sql_literal($compact) . '::jsonb = ' . sql_literal($value) . '::jsonb'), 't', "$value: the same as $compact");
	is(line_fault("$compact\n"), undef, "$value: without blanks");
}

# --- From a whole answer to one in chunks --------------------------------------------------------------------------

# A connection whose answer has just this many bytes, its line end included: filled up with a label.
my $shortest;
sub answer_of
{
	my ($bytes) = @_;
	my $fill = defined $shortest ? $bytes - $shortest : 0;
	http($bridge, PUT => '/api/connections/new/basic', {}, connection_model($remote, labels => [ 'x' x $fill ]));
	return http($bridge, GET => '/api/connections/new');
}
$shortest = length body_of(answer_of(0));
my %kinds;
foreach my $bytes (65_530 .. 65_542, 16_384, 131_072, 131_073, 200_000)
{
	my $answer = answer_of($bytes);
	is($answer->{error}, undef, "$bytes bytes: whole");
	is(length($answer->{body}) + 1, $bytes, "$bytes bytes: all of them");
	is(ref $answer->{json}, 'HASH', "$bytes bytes: JSON");
	my $head = http($bridge, HEAD => '/api/connections/new');
	is(join(' ', map { $head->{headers}{$_} // '-' } qw(content-length transfer-encoding)), join(' ', map { $answer->{headers}{$_} // '-' } qw(content-length transfer-encoding)), "$bytes bytes: HEAD says the same");
	$kinds{ exists $answer->{headers}{'transfer-encoding'} ? 'chunks' : 'whole' }++;
	is($answer->{headers}{'content-length'} // $bytes, $bytes, "$bytes bytes: the length");
}
is(join(' ', sort keys %kinds), 'chunks whole', 'some were whole, some in chunks');

# --- A large registry ---------------------------------------------------------------------------------------------

my $count = 20_000;
$sql->must("INSERT INTO dqds_imported_table (connection_id, schema_name, table_name)
	SELECT c.id, 'wide', CASE n % 3 WHEN 0 THEN 'T' WHEN 1 THEN 't' ELSE '\xc3\xa9' END || lpad(n::text, 6, '0') FROM dqds_connection c, generate_series(1, $count) n WHERE c.name = 'shop'");
my @names = sort map { (qw(T t), "\xc3\xa9")[ $_ % 3 ] . sprintf '%06d', $_ } 1 .. $count;

sub peak_kb
{
	my ($pid) = @_;
	open my $status, '<', "/proc/$pid/status" or return 0;
	my ($kb) = map { /^VmHWM:\s+(\d+)/ ? $1 : () } <$status>;
	return $kb // 0;
}
http($bridge, GET => '/api/connections/shop/schemas/shop/tables');
my $before = peak_kb($bridge->pid);
# Not decoded, which would take long.
my $wide = split_answer(raw_request($bridge, "GET /api/connections/shop/schemas/wide/tables HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 120), 'GET');
is($wide->{error}, undef, "$count tables: whole");
is($wide->{headers}{'transfer-encoding'}, 'chunked', 'in chunks');
is(line_fault(substr($wide->{body}, 0, 2000) . substr($wide->{body}, -2000) . "\n"), undef, 'one line');
my @found = $wide->{body} =~ /"target":\{"schema_name":"wide","table_name":"([^"]+)"\}/g;
is(scalar @found, $count, 'all of them');
ok(join("\n", @found) eq join("\n", @names), 'sorted by code point');
cmp_ok(peak_kb($bridge->pid) - $before, '<', 4096, sprintf 'the memory of the bridge does not grow with %.0f MB', length($wide->{body}) / 1e6);
my $page = http($bridge, GET => '/api/connections/shop/schemas/wide/tables?page=200&limit=100');
is(join(' ', map { $_->{target}{table_name} } @{ $page->{json} }), join(' ', map { my $text = $_; utf8::decode($text); $text } @names[ -100 .. -1 ]), 'the last of 200 pages');
is(join(' ', map { $_->{schema_name} } @{ http($bridge, GET => '/api/connections/shop/schemas')->{json} }), 'shop wide', 'two schemas');

# Ended when the client is gone, like every answer.
my $cut = raw_request($bridge, "GET /api/connections/shop/schemas/wide/tables HTTP/1.0\r\nHost: localhost\r\n\r\n", 60);
is(($cut =~ s/^.*?\r\n\r\n//sr) eq "$wide->{body}\n" ? 'same' : 'different', 'same', 'HTTP/1.0: the same to the byte');

# The reason for an incomplete answer is in the log, and nothing follows the incomplete answer.
{
	my $socket = open_socket($bridge);
	syswrite $socket, "GET /api/connections/shop/schemas/wide/tables HTTP/1.1\r\nHost: localhost\r\n\r\n";
	sysread $socket, my $begin, 1000;
	$sql->must(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dqds_bridge' AND state = 'active'));
	unlike((read_all($socket, 60))[0], qr/\r\n0\r\n\r\n$/, 'an answer that is broken off is not whole');
	like($bridge->log, qr/ was broken off after \d+ rows: (SQLSTATE 57P01|the connection to the control database was lost)$/m, 'the log says why, in words that stand apart');
}
done_testing();
