# A second wire needs new files and rows of tables, and nothing else: t/wire holds one for tests, with the rows as a diff. A
# copy of the extension is built with them, and whatever works with PostgreSQL works with its servers: tests, diagnosis, lists,
# imports, fan-outs that mix both, cancels, deadlines, reuse, secrets and policy. Its provider has no sslmode and no startup packet.
use strict;
use warnings;

use Cwd qw(getcwd);
use DqdsTest;
use DqdsTest::Layers;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'builds the extension, without instruments' if under();

# --- The rows ---------------------------------------------------------------------------------------------

my $diff  = slurp_file('t/wire/rows.diff');
my @files = $diff =~ /^\+\+\+ b\/(\S+)/mg;
note "the rows:\n$diff";
is(join(' ', grep { !m{^src/(?:model|wire)/\w+\.[ch]$} && $_ ne 'src/engine/wires.c' } @files), '',
	'the rows are in tables of src/model and src/wire, and in the table of wires');
# A row of a table is one line: none has a statement, a function or a declaration in it.
my @rows = grep { !/^(?:---|\+\+\+)/ } $diff =~ /^([-+].*)$/mg;
is(join("\n", grep { !/^[-+](?:\t(?:\{.*\}|\[\w+\] = .*|\w+),|#include "fake\/fake_wire\.h")$/ } @rows), '', 'and each is a row');

my @layers = slurp_file('t/wire/fake_wire.c') =~ /^#include "(\w+)\//mg;
is(join(' ', grep { !/^(?:base|event|fake|model|wire)$/ } @layers), '', 'the wire itself knows nothing above it, nor another wire');

# --- The copy -----------------------------------------------------------------------------------------------

my $copy = PostgreSQL::Test::Utils::tempdir('wire');
system_or_bail('cp', '-r', 'src', 'sql', 'fuzz', 'packaging', 'Makefile', 'dqds.control', $copy);
system_or_bail('cp', '-r', 't/wire', "$copy/src/fake");
run_log([ 'patch', '-s', '-p1', '--fuzz=0', '-d', $copy, '-i', getcwd() . '/t/wire/rows.diff' ]) or BAIL_OUT('the rows do not fit');
ok(run_log([ 'make', '-s', '-j2', '-C', $copy, 'WERROR=1', 'dqds.so' ], '>', "$copy/build.log", '2>&1'), 'the extension is built with the second wire')
  or BAIL_OUT(slurp_file("$copy/build.log"));
layers_hold('src', $copy, 'with the second wire');

$ENV{FAKE_WIRE_LOG} = "$copy/seen";
$ENV{DQDS_SECRET_FAKE} = 'wonderland';
my $remote  = remote_server('remote');
my $control = control_server('control', conf => "dqds.connect_timeout = 20s\ndqds.query_timeout = 60s");
$control->safe_psql('postgres', "UPDATE pg_proc SET probin = '$copy/dqds' WHERE probin = '\$libdir/dqds'");

# What the servers of the wire have seen, as often as they have.
sub seen { my ($what) = @_; return -e "$copy/seen" ? scalar(() = slurp_file("$copy/seen") =~ / $what$/mg) : 0; }

sub fake
{
	my (%section) = @_;
	my $required = delete $section{password_required};
	return to_json({
		provider_type => 'fake',
		defined $required ? (password_required => $required) : (),
		fake => { host => '127.0.0.1', user => 'alice', password => 'wonderland', %section } });
}

create_connection($control, 'real',      connection_model($remote));
create_connection($control, 'memory',    fake());
create_connection($control, 'slow',      fake(database => 'slow'));
create_connection($control, 'forgetful', fake(database => 'forgetful'));
create_connection($control, 'wrong',     fake(password => 'looking-glass'));
create_connection($control, 'mute',      fake(user     => 'mute'));
$remote->safe_psql('postgres', 'CREATE SCHEMA shop AUTHORIZATION reader; SET ROLE reader; CREATE TABLE shop.part (id int PRIMARY KEY)');

my $sql = DqdsTest::Sql->connect($control);

# values(SQL): the columns of all rows, joined.
sub values_of
{
	my ($query) = @_;
	my $answer = $sql->must($query);
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

sub error_of { my ($query) = @_; return $sql->query($query)->{error} // {}; }

# --- Tests and diagnosis ---------------------------------------------------------------------------------------

my $test = 'SELECT connection_test_result, error_code, error_message, hint, server_version, tls FROM dqds_test_connection(%s)';
sub test_of { return values_of(sprintf $test, sql_literal($_[0])); }

is(test_of('{"connection_name": "other", ' . substr(fake(), 1)), 'SUCCESS||||0.1 of memory|', 'a login');
is(test_of(fake(password => 'looking-glass')),
	'FAILURE|authentication_failed|the memory of 127.0.0.1:4711 does not let user "alice" in: "********" is wrong|'
	  . 'Check the user and the password of the connection.||',
	'a wrong password, which the server repeats, and nobody else');
like(test_of(fake(password => ' wonderland')), qr/begins or ends with white space/, 'a hint on white space');
like(test_of(fake(user => 'trusted')),
	qr/^FAILURE\|password_required\|the server at 127\.0\.0\.1:4711 did not ask for the password of user "trusted"\|Make the server ask for a password, or have/,
	'a server that does not ask for the password');
create_connection($control, 'trusted', fake(user => 'trusted', password_required => JSON::PP::false()));
like(values_of(q(SELECT connection_test_result FROM dqds_test_connections('{trusted}'))), qr/^SUCCESS/, 'which a superuser may permit');
like(test_of(fake(user => 'shy')), qr/^FAILURE\|connection_lost\|the connection to 127\.0\.0\.1:4711 was lost/, 'a server that hangs up');
{
	$sql->must('SET dqds.connect_timeout = 300');
	my $answer = test_of(fake(user => 'mute'));
	like($answer, qr/^FAILURE\|server_silent\|the server at 127\.0\.0\.1:4711 accepted the connection but did not complete the login within 0\.\d s/, 'one that does not answer');
	unlike($answer, qr/pooler/, 'in words that are not about PostgreSQL');
	$sql->must('RESET dqds.connect_timeout');
}
like(test_of(fake(host => 'no-such-host.invalid')), qr/^FAILURE\|host_not_found\|host name "no-such-host\.invalid" could not be resolved/, 'a host that does not exist');
like(values_of('SELECT warnings FROM dqds_test_connection(' . sql_literal(fake(options => '-c a=b')) . ')'), qr/"?fake\.options/, 'a key of other providers');

# Its rows give it no sslmode, and its servers know no startup packet.
foreach my $section ({ sslmode => 'require' }, { tls => 'on' }, { useSSL => 'true' })
{
	my ($key) = keys %$section;
	my $expected = qr/"fake\.$key" in the connection model is not known.*connections of this provider type have no sslmode/;
	like(test_of(fake(%$section)), $expected, "no sslmode: $key");
	my $error = error_of(q{SELECT dqds_create_connection('no', } . sql_literal(fake(%$section)) . ')');
	is("$error->{message}|$error->{hint}", qq("fake.$key" in the connection model is not known|Leave it out: connections of this provider type have no sslmode.), "$key: nor is it stored");
}
like(test_of('{"ssl": true, ' . substr(fake(), 1)), qr/\|"ssl" in the connection model is not known\|Leave it out: connections of this provider type have no sslmode\./, 'not at the top either');
is(test_of(fake(database => 'x' x 20_000)), 'SUCCESS||||0.1 of memory|', 'a long database, which no PostgreSQL server would accept');

is(values_of(q(SELECT step, status, message FROM dqds_diagnose_connection('memory'))), <<'DIAGNOSIS' =~ s/\n$//r, 'a diagnosis');
model|ok|the connection model is valid
resolve|ok|127.0.0.1 has 1 address: 127.0.0.1
connect|ok|port 4711 of 127.0.0.1 accepts connections
tls|warning|the connection is not encrypted
authenticate|ok|user "alice" is logged in
database|ok|database "memory" is open
server|ok|version 0.1 of memory
schemas|ok|3 schemas, 3 usable by user "alice"
tables|ok|1004 tables and views visible, 1004 readable by user "alice"
DIAGNOSIS
like(values_of(q(SELECT step, status FROM dqds_diagnose_connection('wrong'))), qr/^connect\|ok\ntls\|warning\nauthenticate\|failed\ndatabase\|skipped$/m, 'one that fails');

# --- Lists ----------------------------------------------------------------------------------------------------

is(values_of(q(SELECT schema_name FROM dqds_list_schemas('memory'))), "inventory\nsales\nwide", 'schemas');
is(values_of(q(SELECT schema_name FROM dqds_list_schemas('memory', true))), "information_schema\ninventory\nsales\nwide", 'with system schemas');
is(values_of(q(SELECT table_name, table_kind, estimated_rows, comment FROM dqds_list_tables('memory', 'inventory'))),
	"Part|TABLE|12|\npart|TABLE|1200|all parts\nstock|VIEW||", 'tables');
is(values_of(q(SELECT count(*) FROM dqds_list_tables('memory'))), 1004, 'those of all schemas');
is(values_of(q(SELECT table_name FROM dqds_list_tables('memory', 'wide', '99', 3))), "t0099\nt0199\nt0299", 'those that contain something, some of them');
is(values_of(q(SELECT table_name FROM dqds_list_tables('memory', 'inventory', 'PART', NULL, true, true))), "Part\npart", 'in whatever case');
is(values_of(q(SELECT table_name FROM dqds_list_tables('memory', 'inventory', table_name_excludes => 'art'))), 'stock', 'those that do not');
is(values_of(q(SELECT table_name, column_name, column_type, "precision", nullable, primary_key FROM dqds_list_columns('memory', 'inventory', '{part,stock,gone}'))),
	"part|id|NUMBER|10|f|t\nstock|id|NUMBER|10|f|t", 'columns of some tables');
is(values_of(q(SELECT count(*) FROM dqds_list_columns('memory', 'wide'))), 1000, 'and of all tables of a schema');
is(error_of(q(SELECT * FROM dqds_list_indexes('memory', 'inventory')))->{message}, 'indexes can be listed only for connections of provider type "postgresql"', 'what its servers cannot tell');
is(values_of(q(SELECT count(*) FROM dqds_list_constraints('memory', 'inventory'))), '0', 'what they can');
my $redshift = sql_literal(to_json({ provider_type => 'redshift', redshift => { host => 'h', user => 'u', password => 'p' } }));
is(error_of("SELECT * FROM dqds_list_constraints($redshift, 's')")->{message},
	'constraints can be listed only for connections of provider type "postgresql" or "fake"', 'the message names all that can');
like(error_of(q(SELECT * FROM dqds_list_schemas('wrong')))->{message}, qr/"\*{8}" is wrong/, 'a list that fails');

my @json = map { join '', $sql->column("SELECT $_") }
  (q(dqds_list_schemas_json('memory', false)), q(dqds_list_tables_json('memory', 'sales', NULL, NULL, true)), q(dqds_list_columns_json('memory', 'sales', 'order')));
is(join(',', map { $_->{schemaName} } @{ from_json($json[0]) }), 'inventory,sales,wide', 'schemas as JSON');
is(join(',', map { $_->{tableName} } @{ from_json($json[1]) }), 'order', 'tables as JSON');
like($json[1], qr/with \\"quotes\\"/, 'with what else is known of them');
like($json[2], qr/"NUMBER"/, 'columns as JSON');

# --- Imports ----------------------------------------------------------------------------------------------------

is(values_of(q(SELECT table_name, status, column_count FROM dqds_import_tables('memory', 'inventory', table_names => '{part,stock,gone}'))),
	"part|imported|1\nstock|imported|1\ngone|not_found|", 'an import');
is(values_of(q(SELECT table_name, already_imported FROM dqds_list_tables('memory', 'inventory'))), "Part|f\npart|t\nstock|t", 'lists know it');
like(values_of(q(SELECT dqds_imported_tables_json('memory', 'inventory', NULL, NULL, NULL))), qr/"part"/, 'so does the bridge');

# --- Beside PostgreSQL -------------------------------------------------------------------------------------------

is(values_of(q(SELECT connection_name, connection_test_result, error_code, server_version IS NOT NULL FROM dqds_test_connections('{real,memory,wrong}') ORDER BY 1)),
	"memory|SUCCESS||t\nreal|SUCCESS||t\nwrong|FAILURE|authentication_failed|f", 'a fan-out over both wires');
is(values_of(q(SELECT m.table_name FROM dqds_list_tables('memory', 'inventory') AS m JOIN dqds_list_tables('real', 'shop') AS r USING (table_name))), 'part', 'lists of both');
{
	my $limited = DqdsTest::Sql->connect($control);
	$limited->must('SET dqds.connect_timeout = 500');
	my @results = $limited->rows(q(SELECT connection_name, connection_test_result AS result FROM dqds_test_connections('{real,mute,memory}') ORDER BY 1));
	is(join(',', map { "$_->{connection_name} $_->{result}" } @results), 'memory SUCCESS,mute FAILURE,real SUCCESS', 'one that is silent delays no other');
	$limited->close;
}

# --- Cancel and deadlines -------------------------------------------------------------------------------------------

my $slow = q(SELECT * FROM dqds_list_schemas('slow'));
{
	my $before = seen('cancel');
	$sql->must('SET statement_timeout = 300');
	my $answer = $sql->query($slow);
	is($answer->{error}{sqlstate}, '57014', 'statement_timeout ends a question');
	cmp_ok($answer->{seconds}, '<', patience(15), 'long before its own deadline');
	is(seen('cancel'), $before + 1, 'and the server was told to end it');
	$sql->must('RESET statement_timeout');
}
{
	my $before = seen('cancel');
	$sql->must('SET dqds.query_timeout = 300');
	my $error = error_of($slow);
	is($error->{sqlstate}, 'QD015', 'dqds.query_timeout does') or diag(to_json($error));
	like($error->{message}, qr/^the query at 127\.0\.0\.1:4711 did not finish within 0\.3 s and was cancelled$/, 'and says so');
	unlike($error->{hint}, qr/catalog/, 'in words that are not about PostgreSQL');
	is(seen('cancel'), $before + 1, 'the server was told to end it');
	$sql->must('RESET dqds.query_timeout');
}
foreach my $how (qw(cancel terminate))
{
	my $before = seen('cancel');
	my $asks   = seen('ask');
	my $other  = DqdsTest::Sql->connect($control);
	$other->send($slow);
	ok(poll_until(sub { seen('ask') > $asks }), "$how: a question is under way");
	$sql->must("SELECT pg_${how}_backend(" . $other->pid . ')');
	my $answer = $other->answer(30);
	ok($answer && ($answer->{error} || $answer->{ended}), "$how: it ends");
	ok(poll_until(sub { seen('cancel') > $before }), "$how: the server was told to end it");
}

# --- Reuse --------------------------------------------------------------------------------------------------------------

my $list = q(SELECT * FROM dqds_list_schemas('memory'));
{
	my $own = DqdsTest::Sql->connect($control);
	my $before = seen('login');
	$own->must($list) foreach 1 .. 20;
	is(seen('login'), $before + 1, '20 lists are one login');
	$own->must(q{SELECT dqds_update_connection('memory', '} . fake(database => 'other') . q{')});
	$own->must($list);
	is(seen('login'), $before + 2, 'what was changed in the connection counts from the next call on');
	$own->must(q(SELECT connection_test_result FROM dqds_test_connections('{memory}')));
	is(seen('login'), $before + 3, 'a test logs in again');

	$own->must(q(CREATE ROLE someone; GRANT USAGE ON SCHEMA public TO someone; SELECT dqds_grant('operator', 'someone'); SELECT dqds_grant_connection('memory', 'someone')));
	$own->must("SET ROLE someone; $list");
	is(seen('login'), $before + 4, 'each role has sessions of its own');
	$own->must('RESET ROLE');

	my $left = seen('leave');
	$own->must('SET dqds.session_idle_timeout = 200');
	$own->must($list);
	ok(poll_until(sub { seen('leave') > $left }), 'an idle session ends without a call');
	$own->must('RESET dqds.session_idle_timeout');

	$own->must(q(SELECT * FROM dqds_list_schemas('forgetful')));
	$before = seen('login');
	is(scalar $own->rows(q(SELECT * FROM dqds_list_schemas('forgetful'))), 3, 'a session that is found dead is replaced');
	is(seen('login'), $before + 1, 'by one login');
	$own->must(q(SELECT dqds_close_idle()));
	$own->close;
}
$sql->must('SELECT dqds_close_idle()');
ok(poll_until(sub { seen('connect') == seen('leave') }), 'every connection that was begun was ended') or diag(slurp_file("$copy/seen"));

# --- Policy and secrets ---------------------------------------------------------------------------------------------------

$sql->must($list);
$sql->must("SET dqds.denied_hosts = '127.0.0.0/8'");
{
	my $before = seen('connect');
	is(error_of($list)->{sqlstate}, 'QD018', 'a host that is denied, also to an idle session') or diag(to_json(error_of($list)));
	is(error_of(q{SELECT * FROM dqds_list_schemas('} . fake(host => 'localhost') . q{')})->{sqlstate}, 'QD018', 'by whatever name');
	is(seen('connect'), $before, 'is not connected to');
}
$sql->must('RESET dqds.denied_hosts');
create_connection($control, 'secretive', fake(password => '${DQDS_SECRET_FAKE}'));
is(values_of(q(SELECT connection_test_result FROM dqds_test_connections('{secretive}'))), 'SUCCESS', 'a secret of the environment');
unlike(slurp_file($control->logfile), qr/looking-glass|wonderland/, 'the log has no password');

done_testing();
