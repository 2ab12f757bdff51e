# make_agent_seeds.pl: writes the seeds of fuzz/corpus/agent: frames as sessions of the agent send them, right and wrong.
# Run it in the project's directory after a change of src/agent/protocol.h, or of the numbers in fuzz/agent.c or questions.c:
#
#   perl fuzz/make_agent_seeds.pl
use strict;
use warnings;

my $directory = 'fuzz/corpus/agent';

open my $header, '<', 'src/agent/protocol.h' or die "src/agent/protocol.h: $!";
my ($protocol) = join('', <$header>) =~ /^#define AGENT_PROTOCOL "(.*)"/m or die "no AGENT_PROTOCOL";

# Of fuzz/agent.c: how the bytes are sent, and the connections.
my %delivery   = (in_turn => 0, hold => 8, in_pieces => 9, without_end => 10, at_once => 11);
my %connection = (mariadb => 0, mysql => 1, verified => 2, plain => 3);

# Of fuzz/questions.c.
my %question = (
	test => 0, diagnose => 1, schemas => 2, schemas_json => 3, tables => 4, all_tables => 5, tables_json => 6, tables_json_few => 7,
	columns => 8, columns_of => 9, import => 10, test_many => 11, columns_json => 12);

sub frame { my ($type, $payload) = @_; return pack('Lax3', length $payload, $type) . $payload; }

sub members { return join '', map { "$_\0" } @_; }

# rows(ROW…): a frame of rows, each a list of values; undef is NULL.
sub rows
{
	my @rows = @_;
	return frame('R', pack('S', scalar @{ $rows[0] })
		  . join '', map { map { defined ? pack('L', length) . "$_\0" : pack('L', 0xffffffff) } @$_ } @rows);
}

sub fault { return frame('F', members(@_)); }

my $hello  = frame('H', members(protocol => $protocol, pid => 4711));
my @stages = map { frame('S', members(@$_)) } (
	[ stage => 'c' ],
	[ stage => 'e', tls => 'TLSv1.3', cipher => 'TLS_AES_256_GCM_SHA384', subject => '/CN=db.example', issuer => '/CN=authority',
		names => 'db.example', expires => '2030-01-01 00:00:00 UTC' ]);
my $spoken = frame('S', members(stage => 's'));
my $ready  = frame('I', members(version => '10.11.6-MariaDB', password_used => '1'));
my $login  = join '', $hello, @stages, $ready;
my $done   = frame('D', '');

# A whole answer to each question.
my $table  = [ 'a', 'table', 50, 'all of them' ];
my $detail = [ @$table, undef, 'owner', 16384, undef, 't' ];
my @column = ('a', 1, 'id', 'bigint', undef, undef, undef, 'f', 't', 'the "key"');
my $column = [ @column, 'bigint(20)', undef, '{x,"y z"}', '0', 'stored', 'by default', '1', '1', 'utf8mb4_bin' ];
my $probe    = rows([17]) . $done;
my $overview = rows([ 17, undef, 3, 2, 12, undef ]) . $done;
my %answer = (
	test => $probe, test_many => $probe, diagnose => $overview,
	schemas      => rows([ 'a', undef ], [ "\xc3\xa9 \"b\"", undef ]) . $done,
	schemas_json => rows(['a'], ['b']) . $done,
	tables       => rows($detail, [ "b\\\"\n", 'view', undef, undef, undef, undef, undef, undef, 'f' ]) . $done,
	all_tables   => rows([ 's', @$detail ], [ 't', @$detail ]) . $done,
	tables_json  => rows($detail) . $done, tables_json_few => rows(['a'], ['aa']) . $done,
	columns      => rows($column, [ 'b', 2, @$column[ 2 .. 18 ] ]) . $done,
	columns_of   => rows($column) . $done, columns_json => rows($column) . $done,
	import       => rows($table) . $done . rows([@column]) . $done);

sub seed
{
	my ($name, $question, $bytes, %with) = @_;
	open my $file, '>:raw', "$directory/$name" or die "$directory/$name: $!";
	print $file pack('CCC', $delivery{ $with{delivery} // 'in_turn' }, $connection{ $with{connection} // 'mariadb' }, $question{$question}), $bytes;
	close $file or die "$directory/$name: $!";
	return;
}

mkdir $directory;
foreach my $name (sort keys %answer)
{
	seed("answer-$name", $name, $login . $answer{$name} x 3);
	seed("at-once-$name", $name, $login . $answer{$name}, delivery => 'at_once');
	seed("first-$name", $name, $login . substr($answer{$name}, 0, -length $done), delivery => 'hold');
}
seed('in-pieces',      'tables', $login . $answer{tables}, delivery => 'in_pieces');
seed('without-tls',    'test',   join('', $hello, $stages[0], $spoken, $ready, $probe), connection => 'plain');
seed('two-logins',     'schemas', join('', ($login . $answer{schemas}) x 2), connection => 'mysql');
seed('fewer-values',   'columns', $login . rows([ 'a', 1, 'id' ], [ 'a', 2, 'x' ]) . $done);
seed('no-rows',        'tables',  $login . $done x 3);
seed('many-frames',    'tables',  $login . rows($detail) x 50 . $done);
seed('certificate-of-the-wrong-host', 'diagnose', $login . $overview, connection => 'verified');

seed("endless-$_->[0]", 'tables', $_->[1], delivery => 'without_end')
  foreach [ stages => $hello . $stages[0] ], [ rows => $login . rows($detail) ], [ faults => $login . fault(kind => 'lost', keeps => 1) ];

# Every kind of fault, in a login and as an answer.
my %fault = (
	network => [ number => 111 ], 'network-lost' => [ kind => 'network', number => 104 ], 'network-other' => [ kind => 'network', number => 9999, text => 'odd' ],
	tls => [ text => 'tlsv1 alert protocol version' ], certificate => [ number => 62, text => 'host name mismatch' ],
	'no-tls' => [ kind => 'no tls' ], cleartext => [ text => 'caching_sha2_password' ], 'wrong-kind' => [ kind => 'wrong kind', text => "SSH-2.0\r\nx" ],
	lost => [], bound => [ text => 'a row of more than 1 MB' ], model => [ text => 'x' ], password => [ text => 'a token' ],
	driver => [ text => 'libmariadb.so.3 is missing' ], capacity => [], unknown => [], none => [ kind => '' ],
	denied => [ kind => 'server', number => 1045, state => '28000', text => 'Access denied for user' ],
	database => [ kind => 'server', number => 1049, state => '42000', text => 'Unknown database' ],
	killed => [ kind => 'server', number => 1317, state => '70100', text => 'interrupted', keeps => 1 ],
	full => [ kind => 'server', number => 1040, text => 'Too many connections' ],
	'with-password' => [ kind => 'server', number => 9, state => 'odd state', text => 'you are never-to-be-shown!' ],
	'long' => [ kind => 'server', text => "\xc3\xa9" x 1500 ], 'no-text' => [ kind => 'server', text => "\xed\xa0\x80\xff\x01" ],
	'huge-number' => [ kind => 'server', number => '9' x 40 ]);
foreach my $name (sort keys %fault)
{
	my @members = @{ $fault{$name} };
	unshift @members, kind => $name if !@members || $members[0] ne 'kind';
	seed("fault-login-$name",  'test',    $hello . $stages[0] . fault(@members), connection => 'mysql');
	seed("fault-answer-$name", 'schemas', $login . fault(@members) . $answer{schemas});
	seed("fault-later-$name",  'tables',  $login . rows($detail) . fault(@members, keeps => 1) . $answer{tables});
}

# What breaks the protocol.
my %broken = (
	'nothing' => '', 'half-a-head' => "\1\0", 'half-a-frame' => substr($hello, 0, -3), 'too-long' => pack('Lax3', 2_000_000, 'R') . 'x' x 100,
	'longest' => pack('Lax3', 0xffffffff, 'H'), 'other-protocol' => frame('H', members(protocol => '0')), 'no-protocol' => frame('H', ''),
	'no-value' => frame('H', "protocol\0"), 'no-end' => frame('H', "protocol\0$protocol"), 'no-hello' => $ready . $probe,
	'two-hellos' => $hello . $login . $probe, 'rows-in-login' => $hello . rows(['x']), 'unknown-frame' => $hello . frame('?', 'x'),
	'ready-twice' => $login . $ready . $probe, 'stage-in-answer' => $login . $stages[1] . $probe, 'text-as-pid' => frame('H', members(protocol => $protocol, pid => '-1x')) . $ready . $probe,
	'huge-pid' => frame('H', members(protocol => $protocol, pid => '9' x 30)) . $ready . $probe, 'no-stage' => $hello . frame('S', members(x => 'y')) . $ready . $probe,
	'bad-facts' => $hello . frame('S', members(stage => 'e', tls => "\xff\xfe", cipher => "\xc3", subject => "a\nb\x1b", names => 'x' x 5000, expires => "\xed\xa0\x80", expired => 1))
	  . frame('I', members(version => "\xc3\xa9" x 200)) . $probe);
seed("broken-$_", 'diagnose', $broken{$_}) foreach sort keys %broken;
my %rows = (
	'no-number' => frame('R', "\1"), 'no-values' => frame('R', pack 'S', 0), 'too-many-values' => frame('R', pack('S', 20) . pack('L', 0xffffffff) x 20),
	'most-values' => frame('R', pack('S', 65535)), 'half-a-row' => frame('R', pack('SL', 9, 1) . "a\0"), 'no-end' => frame('R', pack('SL', 1, 1) . 'ab'),
	'long-value' => frame('R', pack('SL', 1, 0xfffffffe) . "a\0"), 'past-the-end' => frame('R', pack('SL', 1, 2) . "a\0"), 'zero-inside' => frame('R', pack('SL', 1, 3) . "a\0b\0"),
	'no-name' => rows([undef]), 'empty-name' => rows([ '', undef ]), 'bad-text' => rows([ "\xff\xfe\xed\xa0\x80", 'table', '5', "\xc3" ]),
	'bad-numbers' => rows([ 'a', "-1", '99999999999999999999', 'x', undef, undef, 'NaN', undef, 'maybe' ]), 'controls' => rows([ "a\r\n\x7f\x1b[0m", 'view', '1e5', "\t" ]),
	'unsorted' => rows(['b'], ['a'], ['a']), 'empty' => frame('R', pack 'S', 1), 'other-width' => rows([ 'a', 'table' ]) . rows(['b']));
foreach my $name (sort keys %rows)
{
	seed("rows-$name", 'tables', $login . $rows{$name} . $done);
	seed("rows-columns-$name", 'columns', $login . $rows{$name} . $done);
	seed("rows-json-$name", 'tables_json_few', $login . $rows{$name} . $done);
}
seed('bad-position', 'columns', $login . rows([ 'a', 'x', 'id', 'bigint', -1, '2147483648', '', 'T', 'yes', undef, undef, undef, '{a,', undef ]) . $done);
seed('bad-array',    'columns', $login . rows([ 'a', 1, 'id', 'enum', 1, 2, 3, 't', 'f', undef, undef, undef, '{"a\\', undef ]) . $done);
