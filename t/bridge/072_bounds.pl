# Limits of a model: 1 MB as text, 100 levels of nesting, numbers of 40 digits, wherever it comes from, so that reading a
# model takes no more than writing it and strict parsers can read it. A model beyond these limits is refused as
# invalid_connection, which takes little memory, whatever was sent.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $MB      = 1024 * 1024;
# A model within bounds must not lead anywhere.
my $control = control_server('control', conf => q(dqds.allowed_hosts = 'nowhere.example'));
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control, level => 'admin', options => [ '--max-body', 16 * $MB ]);

my $head = '"provider_type":"postgresql","postgresql":{"host":"h","user":"u"}';
# A model that leads to a source, with this JSON in one more member.
sub model { return "{$head,\"x\":$_[0]}"; }

# The result for a model, for every way to pass it.
sub ways
{
	my ($model) = @_;
	my $literal = sql_literal($model);
	my @outcomes;
	foreach my $type (qw(text json jsonb))
	{
		my $test = $sql->query("SELECT * FROM dqds_test_connection($literal\::$type, false)");
		push @outcomes, "test of $type: " . ($test->{error} ? $test->{error}{sqlstate} : $test->{rows}[0]{error_code});
		foreach my $call ("dqds_list_schemas($literal\::$type)", "dqds_diagnose_connection($literal\::$type)")
		{
			my $answer = $sql->query("SELECT * FROM $call");
			push @outcomes, substr($call, 0, index($call, '(')) . " of $type: " . ($answer->{error} ? $answer->{error}{sqlstate} : $answer->{rows}[0]{status});
		}
		my $create = $sql->query("SELECT dqds_create_connection('made', $literal\::$type)");
		push @outcomes, "create of $type: " . ($create->{error} ? $create->{error}{sqlstate} : 'made');
		my $update = $sql->query("SELECT dqds_update_connection('old', $literal\::$type)");
		push @outcomes, "update of $type: " . ($update->{error} ? $update->{error}{sqlstate} : 'made');
		$sql->must(q(DELETE FROM dqds_connection WHERE name = 'made'));
	}
	my $test = http($bridge, POST => '/api/datasource/testconnection', {}, $model);
	push @outcomes, "test over REST: $test->{status} " . ($test->{json}{errorCode} // '');
	my $create = http($bridge, POST => '/api/connections/made/basic', {}, $model);
	push @outcomes, "create over REST: $create->{status} " . ($create->{json}{errorCode} // '');
	my $update = http($bridge, PUT => '/api/connections/old/basic', {}, $model);
	push @outcomes, "update over REST: $update->{status} " . ($update->{json}{errorCode} // '');
	$sql->must(q(DELETE FROM dqds_connection WHERE name = 'made'));
	return @outcomes;
}
create_connection($control, 'old', model('1'));

my @refused = (
	(map { ("test of $_: invalid_connection", "dqds_list_schemas of $_: QD020", "dqds_diagnose_connection of $_: failed", "create of $_: QD020", "update of $_: QD020") } qw(text json jsonb)),
	'test over REST: 200 invalid_connection', 'create over REST: 406 invalid_connection', 'update over REST: 406 invalid_connection');
my @taken = (
	(map { ("test of $_: target_not_allowed", "dqds_list_schemas of $_: QD018", "dqds_diagnose_connection of $_: ok", "create of $_: made", "update of $_: made") } qw(text json jsonb)),
	'test over REST: 200 target_not_allowed', 'create over REST: 201 ', 'update over REST: 204 ');

# --- At the bounds, and beyond --------------------------------------------------------------------------------------------

my $room = $MB - length('{"x": "", "postgresql": {"host": "h", "user": "u"}, "provider_type": "postgresql"}');
foreach my $row (
	[ '100 levels', '[' x 99 . ']' x 99, 1 ], [ '101 levels', '[' x 100 . ']' x 100, 0 ],
	[ '100 levels of objects', '{"a":' x 99 . '1' . '}' x 99, 1 ], [ '1,500 levels', '{"a":' x 1500 . '1' . '}' x 1500, 0 ],
	[ '40 digits',       '1' x 40, 1 ], [ '41 digits', '1' x 41, 0 ], [ '40 digits after the point', '-0.' . '1' x 39, 1 ],
	[ 'a large exponent', '1e131071', 0 ], [ 'a small one', '1e-16000', 0 ], [ 'one of 39', '1e39', 1 ], [ 'one of 40', '-1e40', 0 ],
	[ 'a number deep down', '[[{"a":[0,[1e999]]}]]', 0 ], [ 'as a string', '"1e131071"', 1 ],
	[ '1 MB', '"' . 'a' x $room . '"', 1 ], [ '1 MB and a byte', '"' . 'a' x ($room + 1) . '"', 0 ],
	[ '2 MB of escapes',  '"' . '\u0001' x ($MB / 5) . '"', 0 ],
	[ '1 MB only as it is given back', '[' . '1,' x ($MB / 3) . '1]', 0 ])
{
	my ($what, $json, $good) = @$row;
	my @differ = grep { $_ } do { my @expected = $good ? @taken : @refused; map { my $e = shift @expected; $_ eq $e ? () : "$_, not $e" } ways(model($json)) };
	# The first step of a diagnosis is about the model.
	is(join('; ', @differ), '', "$what: " . ($good ? 'taken' : 'refused') . ' by every way in');
}
# What the text has before and behind the model counts as well, where there is text.
is($sql->query('SELECT * FROM dqds_test_connection(' . sql_literal(model('1') . ' ' x $MB) . "::$_)")->{rows}[0]{error_code}, 'invalid_connection', "1 MB of white space as $_") foreach qw(text json);
# A mask counts with its length, where the secret was shorter.
is($sql->query(q(SELECT dqds_create_connection('masks', (SELECT jsonb_build_object('provider_type', 'mysql', 'properties', jsonb_object_agg('key' || n, '')) FROM generate_series(1, 60000) AS n))))->{error}{sqlstate},
	'QD020', 'a model that is too large with its masks');
like($sql->query('SELECT * FROM dqds_test_connection(' . sql_literal(model('{"a":[1,{"b":2},[1e99]]}')) . '::text)')->{rows}[0]{error_message}, qr/"x\.a"/, 'the message says where the number is');
# Long keys and names of members do not make long messages.
cmp_ok(length $sql->query('SELECT * FROM dqds_test_connection(' . sql_literal(model('{"' . 'k' x 100_000 . '":1e99}')) . '::text)')->{rows}[0]{error_message}, '<', 2048, 'and is short');

# --- No amplification, no poison ------------------------------------------------------------------------------------------

# The bodies of the attack. Nothing that can be registered becomes more than 1 MB, but for what the server adds to it.
sub grows
{
	my ($what, $json) = @_;
	my $answer = http($bridge, POST => '/api/connections/grown/basic', {}, model($json));
	my $got    = $answer->{status} == 201 ? length http($bridge, GET => '/api/connections/grown/basic', {}, undef, 120)->{raw} : 0;
	cmp_ok($got, '<', $MB + 20_000, "$what: given back as $got bytes");
	$sql->must(q(DELETE FROM dqds_connection WHERE name = 'grown'));
	return;
}
grows('3 kB of exponents', '[' . join(',', ('1e131071') x 300) . ']');
grows('numbers in a known place', '1,"parallel_jobs_limit":1e131071');
grows('escapes', '"' . '\u0001' x ($MB / 6 - 1000) . '"');
grows('many keys', '{' . join(',', map { "\"$_\":1" } 1 .. 70_000) . '}');
my $list = http($bridge, GET => '/api/connections');
is("$list->{status} " . scalar @{ $list->{json} }, '200 1', 'the list of connections can be read');

# --- The cost of a refusal --------------------------------------------------------------------------------------------------

# The largest amount of memory that a backend of its own has had, in MB, for these calls.
sub peak
{
	my (@calls) = @_;
	my $one = DqdsTest::Sql->connect($control);
	$one->query('SELECT * FROM dqds_test_connection(' . sql_literal(model('1')) . '::text)');
	my $size = sub { return slurp_file('/proc/' . $one->pid . '/status') =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : die 'no VmHWM'; };
	my $before = $size->();
	foreach my $call (@calls) { $one->query($call); }
	return $size->() - $before;
}
my $big = 8 * $MB;
foreach my $row (
	[ 'brackets that stay open', '[' x $big ], [ 'brackets', '[' x $big . ']' x $big ], [ 'many keys', '{' . join(',', map { "\"$_\":1" } 1 .. 100_000) . '}' ],
	[ 'many numbers',   '[' . join(',', (7) x 500_000) . ']' ], [ 'many exponents', '[' . join(',', ('1e131071') x 100_000) . ']' ],
	[ 'a long key',     '{"' . 'k' x $big . '":1}' ], [ 'a long string', '"' . 'v' x $big . '"' ], [ 'a long number', '1' x 100_000 ],
	[ 'empty arrays',   '[' . join(',', ('[]') x 300_000) . ']' ], [ 'references', '"' . '${' x ($MB / 2 - 1000) . '"' ])
{
	my ($what, $json) = @$row;
	my $literal = sql_literal(model($json));
	my $bytes   = length $literal;
	# The statement is parsed, and kept a few times over; of 1 MB, PostgreSQL's parser of JSON makes 100 MB at most.
	my $grown = peak("SELECT * FROM dqds_test_connection($literal\::text)", "SELECT dqds_create_connection('big', $literal)");
	memory_below($grown, 10 * $bytes / $MB + 160, sprintf '%s, %.1f MB: the backend has grown by %.0f MB', $what, $bytes / $MB, $grown);
	$sql->must(q(DELETE FROM dqds_connection WHERE name = 'big'));
}
# The same in each member that is known, within bounds and beyond.
foreach my $size ($MB / 2, 4 * $MB)
{
	my $long = 'l' x $size;
	my @calls;
	foreach my $key (qw(host port database user password sslmode options postgresql_engine_type))
	{
		push @calls, 'SELECT * FROM dqds_test_connection(' . sql_literal(to_json({ provider_type => 'postgresql', postgresql => { host => 'h', user => 'u', password => 'p', $key => $long } })) . '::text)';
	}
	push @calls, 'SELECT * FROM dqds_test_connection(' . sql_literal(to_json({ provider_type => 'postgresql', postgresql => { host => 'h', user => 'u', properties => $_ } })) . '::text)'
	  foreach { $long => 1 }, { application_name => $long }, { connect_timeout => $long };
	push @calls, 'SELECT * FROM dqds_test_connection(' . sql_literal(to_json({ provider_type => $long })) . '::text)', 'SELECT * FROM dqds_test_connection(' . sql_literal(to_json({ provider_type => 'mysql', connection_name => $long })) . '::text)';
	my $grown = peak(@calls);
	memory_below($grown, 10 * $size / $MB + 60, sprintf '%.1f MB in each member: the backend has grown by %.0f MB', $size / $MB, $grown);
}
is($sql->value('SELECT count(*) FROM dqds_connections'), 1, 'and nothing of it is registered');

$bridge->stop;
done_testing();
