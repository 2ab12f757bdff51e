# A server that sends other answers than requested: filters ignored, text in place of a number, missing names, too few
# columns, no answer at all, values of absurd size. The result is right or an error of class QD, never an incomplete row, and
# no answer can break an import.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use Test::More;

my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);

# What a question is answered with, as far as the tests care, and NULL for all that it asks for besides.
my %columns = (tables => 19, columns => 19);

# answer(COLUMNS, ROW…): RowDescription, the rows (arrays of text, undef is NULL), the end. COLUMNS is a number, or a key of %columns.
sub answer
{
	my ($columns, @rows) = @_;
	if (my $number = $columns{$columns})
	{
		@rows    = map { my @row = @$_; $#row = $number - 1; \@row } @rows;
		$columns = $number;
	}
	return pg_rows($columns, @rows);
}

# fake(NAME, SUB): registers a connection to a server that accepts every login and answers each query with SUB->(its text).
sub fake
{
	my ($name, $next) = @_;
	my $server = start_fake_server(
		sub {
			my ($socket) = @_;
			pg_log_in($socket);
			pg_answer($socket, $next) foreach 1 .. 100;
		});
	create_connection($control, $name,
		connection_model(undef,
			host => '127.0.0.1', port => '' . $server->port, database => 'postgres', user => 'u',
			password => 'secret-password', sslmode => 'disable'));
	return $server;
}

# refused(SQL, MESSAGE, WHAT): an error of class QD, and the backend lives on.
sub refused
{
	my ($query, $message, $what) = @_;
	my $answer = $sql->query($query);
	is($answer->{error}{sqlstate} // 'none', 'QD023', "$what: remote_error") or diag(explain($answer));
	like($answer->{error}{message} // '', $message, "$what: said so");
	unlike(join('|', map { $_ // '' } values %{ $answer->{error} // {} }), qr/secret-password/, "$what: no secret");
	return;
}

sub rows { my ($query) = @_; return [ map { join ',', map { $_ // 'NULL' } @$_ } lists($query) ]; }

sub lists
{
	my ($query) = @_;
	my $answer = $sql->query($query);
	die "$answer->{error}{sqlstate} $answer->{error}{message}" if $answer->{error};
	return map { my $row = $_; [ map { $row->{$_} } @{ $answer->{columns} } ] } @{ $answer->{rows} };
}

# --- Filters that the remote ignores --------------------------------------------------------------------

my @tables = (
	[ 'orders',   'table', '12',  'kept' ],
	[ 'orderly',  'view',  undef, undef ],
	[ 'Orders',   'table', '-1',  undef ],
	[ 'x%order_', 'table', '7',   undef ]);
my $deaf_fake = fake('deaf', sub { answer(tables => @tables) });
my $select    = 'SELECT table_name FROM dqds_list_tables';
is_deeply(rows("$select('deaf', 's', 'order')"), [ 'orders', 'orderly', 'x%order_' ], 'a substring is looked for here as well');
is_deeply(rows("$select('deaf', 's', '%order_')"), ['x%order_'], 'literally');
is_deeply(rows("$select('deaf', 's', NULL, 2)"),   [ 'orders', 'orderly' ], 'a number of rows is kept to');
is_deeply(rows("$select('deaf', 's', 'order', 0)"), [], 'of none as well');

my @columns = map { [ $_, '1', 'id', 'integer', undef, '32', '0', 'f', 't', undef ] } qw(a b c);
my $names_fake = fake('names', sub { answer(columns => @columns) });
is_deeply(rows(q{SELECT table_name FROM dqds_list_columns('names', 's', '{b,zz}')}), ['b'], 'names of tables are picked here as well');

# --- Values of the wrong form ----------------------------------------------------------------------------

my @odd_tables = (
	[ undef,     'table', '1',                   'nameless' ],
	[ 'text',    'table', 'many',                undef ],
	[ 'huge',    'table', '9999999999999999999', undef ],
	[ 'signed',  'table', '+5',                  undef ],
	[ 'padded',  'table', ' 5',                  undef ],
	[ 'zeros',   'table', '007',                 undef ],
	[ 'empty',   'table', '',                    undef ],
	[ 'minus',   'table', '-5',                  undef ],
	[ 'twice',   'table', '1',                   undef ],
	[ 'twice',   'view',  '2',                   undef ],
	[ "bad\xff", "k\xff", '3',                   "c\xff" ]);
my @odd_columns = (
	[ 'text',  undef, 'no position',   'integer', ('1') x 3,                    'f',    'f',   undef ],
	[ 'text',  'one', 'text position', 'integer', ('1') x 3,                    'f',    'f',   undef ],
	[ 'text',  '1',   undef,           'integer', ('1') x 3,                    'f',    'f',   undef ],
	[ undef,   '1',   'no table',      'integer', ('1') x 3,                    'f',    'f',   undef ],
	[ 'text',  '2',   'good',          undef,     'long', '99999999999', '-7',  'YES?', 'TRUE', 'x' ],
	[ 'text',  '2',   'same position', 'integer', ('1') x 3,                    'f',    'f',   undef ],
	[ 'twice', '1',   "bad\xff",       "t\xff",   ('1') x 3,                    undef,  '',    "c\xff" ]);
my $odd_fake = fake('odd', sub { $_[0] =~ /pg_attribute/ ? answer(columns => @odd_columns) : answer(tables => @odd_tables) });

is_deeply(
	rows(q{SELECT table_name, estimated_rows FROM dqds_list_tables('odd', 's')}),
	[
		map({ "$_,NULL" } qw(text huge signed padded zeros empty)), 'minus,-5', 'twice,1', 'twice,2',
		"bad\xEF\xBF\xBD,3"
	],
	'what is no number is none, and a table without a name is no table');
is_deeply(
	rows(q{SELECT table_name, ordinal_position, column_name, column_type, length, "precision", scale, nullable, primary_key
		FROM dqds_list_columns('odd', 's')}),
	[
		'text,2,good,NULL,NULL,NULL,-7,f,t',
		'text,2,same position,integer,1,1,1,f,f',
		"twice,1,bad\xEF\xBF\xBD,t\xEF\xBF\xBD,1,1,1,NULL,f"
	],
	'a column needs a table, a name and a position');
my $details = $sql->value(q{SELECT string_agg(t, '') FROM dqds_list_tables_json('odd', 's', NULL, NULL, true) AS t});
is_deeply([ map { $_->{estimatedRows} } @{ from_json($details) } ],
	[ (undef) x 6, -5, 1, 2, 3 ], 'in JSON as well');

my $imported = rows(q{SELECT table_name, status, column_count FROM dqds_import_tables('odd', 's')});
is_deeply(
	[ sort @$imported ],
	[
		sort map({ "$_,imported,0" } qw(huge signed padded zeros empty minus), "bad\xEF\xBF\xBD"),
		'text,imported,1', 'twice,imported,1'
	],
	'an import takes what is good of it');
is_deeply(
	[ grep { !/,unchanged,/ } @{ rows(q{SELECT table_name, status, column_count FROM dqds_import_tables('odd', 's')}) } ],
	[], 'and finds nothing new the second time');

# --- Names and values of absurd size --------------------------------------------------------------------

my $long = 'n' x 3000;
my $long_fake = fake('long', sub { answer(tables => [ $long, 'table', '1', undef ]) });
is_deeply(rows(q{SELECT length(table_name) FROM dqds_list_tables('long', 's')}), [3000], 'a name of 3,000 bytes is listed');
refused(q{SELECT * FROM dqds_import_tables('long', 's')}, qr/more than 1000 bytes cannot be imported/, 'a name of 3,000 bytes in an import');

my $fat_fake = fake('fat', sub { answer(tables => [ 'a', 'table', '1', 'c' x (5 << 18) ]) });
refused(q{SELECT * FROM dqds_list_tables('fat', 's')}, qr/sent (more than a row can have|a name or comment of more than 1 MB)/, 'a comment of 1.25 MB');

# --- Answers that are none -------------------------------------------------------------------------------

my $narrow_fake = fake('narrow', sub { answer(3, [ 'a', 'table', '1' ]) });
refused(q{SELECT * FROM dqds_list_tables('narrow', 's')}, qr/sent an answer with too few columns/, 'too few columns');
my $hollow_fake = fake('hollow', sub { answer(3) });
refused(q{SELECT * FROM dqds_list_tables('hollow', 's')}, qr/too few columns/, 'too few columns, and no rows');

foreach my $nothing ([ 'only ready', '' ], [ 'only a command', pg_message('1', '') . pg_message('2', '') . pg_message('C', "SELECT 0\0") ])
{
	my ($name, $bytes) = @$nothing;
	my $fake = fake($name, sub { $bytes . pg_message('Z', 'I') });
	refused("SELECT * FROM dqds_list_tables('$name', 's')", qr/sent no answer to a query/, $name);
	my $row = ($sql->rows("SELECT * FROM dqds_test_connection('$name')"))[0];
	ok(defined $row->{connection_test_result}, "$name: a test of it comes back: $row->{connection_test_result}");
}

# The SQLSTATE field need not contain an SQLSTATE, or valid text.
foreach my $bad ("28P\x8f1", '', '2', '42501x', "42\n01")
{
	my $name = 'state ' . unpack 'H*', $bad;
	my $fake = fake($name, sub { pg_error($bad, 'no', 'ERROR') . pg_message('Z', 'I') });
	my $row  = ($sql->rows('SELECT error_code, sqlstate FROM dqds_test_connection(' . sql_literal($name) . ')'))[0];
	is($row->{sqlstate}, undef, "$name: not passed on ($row->{error_code})");
	my $error = $sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal($name) . ')')->{error};
	is($error->{detail}, undef, "$name: nor in an error ($error->{sqlstate})");
}

# A server drops a startup packet of more than 10,000 bytes without a message.
{
	my $remote = remote_server('remote');
	my @row    = map {
		($sql->rows('SELECT * FROM dqds_test_connection('
			  . sql_literal(connection_model($remote, options => '-c ' . 'work_mem=4MB -c ' x $_ . 'work_mem=4MB')) . '::text)'))[0]
	} 500, 700;
	is($row[0]{connection_test_result}, 'SUCCESS',            'options of 8 kB work');
	is($row[1]{error_code},             'invalid_connection', 'options of 11 kB are refused');
	like($row[1]{error_message}, qr/together have 1\d{4} bytes/, 'and the message says how long they are');
}

is($sql->value('SELECT 1'), '1', 'the backend is still the same');

done_testing();
