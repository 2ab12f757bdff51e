# Operations of the published interface besides the three on data sources: a connection with its specification, imported
# schemas and tables, and the state of a job. Each answer is compared with the published description, member by member, with
# its types and the values of its enums. An import accepts a pattern of schemas, marks the columns of primary keys, and names
# requested tables that do not exist.
use strict;
use warnings;

use B;
use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);

$remote->safe_psql('postgres', q{
	CREATE SCHEMA sales; CREATE SCHEMA k1; CREATE SCHEMA k2; CREATE SCHEMA "K3"; CREATE SCHEMA khidden; CREATE SCHEMA mark; CREATE SCHEMA bare;
	CREATE TABLE sales.orders (note text, id bigint, line integer, amount numeric(10,2), code text UNIQUE, PRIMARY KEY (line, id));
	CREATE TABLE sales.plain (a integer);
	CREATE TABLE k1.a (id integer PRIMARY KEY); CREATE TABLE k1.b (x text); CREATE TABLE k1.c (x text);
	CREATE TABLE k2.a (other text); CREATE TABLE k2.z (x text);
	CREATE TABLE "K3".a (x text);
	CREATE TABLE khidden.a (x text); CREATE TABLE mark.a (x text);
	GRANT USAGE ON SCHEMA sales, k1, k2, "K3", mark, bare TO reader;
	GRANT SELECT ON ALL TABLES IN SCHEMA sales, k1, k2, "K3", mark TO reader;
	CREATE DATABASE star});
$remote->safe_psql('star', q{
	CREATE SCHEMA "k*"; CREATE SCHEMA k1; CREATE TABLE "k*".literal (a integer); CREATE TABLE k1.other (a integer);
	GRANT USAGE ON SCHEMA "k*", k1 TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA "k*", k1 TO reader});

my $password = remote_password($remote);
create_connection($control, 'shop', connection_model($remote, parallel_jobs_limit => 4, labels => ['x'], advanced_properties => { a => 'b' }, mine => 1));
create_connection($control, 'star', connection_model($remote, database => 'star'));
my $bridge = start_bridge($control, connections => [ 'shop', 'star' ]);

sub ask
{
	my ($method, $target, $data, $headers) = @_;
	return http($bridge, $method, $target, $headers // {}, defined $data ? to_json($data) : undef);
}

# --- The published description ----------------------------------------------------------------------------

# A shape: the name of a type; [shape], an array of it; {key => shape}, an object with these keys (with a ? at the end: it may
# be missing) and no others; a sub, which is true for what may stand there.
sub one_of { my %may = map { $_ => 1 } @_; return sub { is_string($_[0]) && $may{ $_[0] } }; }

sub is_string { return defined $_[0] && !ref $_[0] && (B::svref_2object(\$_[0])->FLAGS & B::SVf_POK) != 0; }

my %type = (
	string  => \&is_string,
	integer => sub { my ($copy) = @_; return defined $copy && !ref $copy && !is_string($copy) && $copy =~ /^-?\d+$/ && abs $copy <= 2**53; },
	boolean => sub { ref $_[0] eq 'JSON::PP::Boolean' });

# fault(VALUE, SHAPE): where the value differs; undef: nowhere.
sub fault
{
	my ($value, $shape, $path) = @_;
	$path //= '$';
	if (ref $shape eq 'ARRAY')
	{
		return "$path is no array" if ref $value ne 'ARRAY';
		foreach my $i (0 .. $#$value)
		{
			my $fault = fault($value->[$i], $shape->[0], "$path\[$i]");
			return $fault if defined $fault;
		}
		return;
	}
	return ($shape->($value) ? undef : "$path: " . to_json($value)) if ref $shape eq 'CODE';
	return ($type{$shape}->($value) ? undef : "$path is no $shape: " . to_json($value)) if !ref $shape;
	return "$path is no object" if ref $value ne 'HASH';
	my %left = %$value;
	foreach my $key (sort keys %$shape)
	{
		my $name = $key =~ s/\?$//r;
		if (!exists $left{$name}) { next if $key ne $name; return "$path.$name is missing"; }
		my $fault = fault(delete $left{$name}, $shape->{$key}, "$path.$name");
		return $fault if defined $fault;
	}
	return %left ? "$path has " . join ', ', sort keys %left : undef;
}
is(fault({ a => 1, b => ['x'] }, { a => 'integer', b => ['string'], 'c?' => 'boolean' }), undef, 'a shape fits');
like(fault($_->[0], $_->[1]), qr/^\$/, 'and one that does not is found')
  foreach [ { a => '1' }, { a => 'integer' } ], [ {}, { a => 'string' } ], [ { b => 1 }, {} ], [ [ 1, 'x' ], ['integer'] ], [ 'c', one_of('a', 'b') ], [ 1, 'string' ], [ 1, 'boolean' ];

my @providers = qw(bigquery clickhouse databricks db2 duckdb hana mariadb mysql oracle postgresql presto questdb redshift snowflake spark sqlserver teradata trino);
my %filter     = (connection => 'string', fullTableName => 'string', enabled => 'boolean');
my %templates  = (
	run_checks_job_template            => {%filter},
	run_profiling_checks_job_template  => { %filter, checkType => one_of('profiling') },
	run_monitoring_checks_job_template => { %filter, checkType => one_of('monitoring') },
	run_partition_checks_job_template  => { %filter, checkType => one_of('partitioned') },
	collect_statistics_job_template    => { %filter, columnNames => ['string'] },
	data_clean_job_template            => {
		connection => 'string', fullTableName => 'string', map { $_ => 'boolean' }
		  qw(deleteErrors deleteStatistics deleteCheckResults deleteSensorReadouts deleteErrorSamples deleteIncidents deleteChecksConfiguration) });
my %rights = map { $_ => 'boolean' } qw(can_edit can_collect_statistics can_run_checks can_delete_data);
my %shape  = (
	connection => {
		connection_name => 'string',
		connection_hash => 'integer',
		can_edit        => 'boolean',
		spec            => {
			provider_type => one_of(@providers),
			(map { ("$_?" => sub { ref $_[0] eq 'HASH' }) } @providers, qw(default_grouping_configuration schedules auto_import_tables incident_grouping advanced_properties)),
			'parallel_jobs_limit?'  => 'integer',
			'schedule_on_instance?' => 'string',
			'labels?'               => ['string'],
			'mine?'                 => 'integer' } },
	schemas => [ {
		connection_name             => 'string',
		schema_name                 => 'string',
		import_table_job_parameters => { connectionName => 'string', schemaName => 'string' },
		%templates, %rights } ],
	tables => [ {
		connection_name => 'string',
		table_hash      => 'integer',
		target          => { schema_name => 'string', table_name => 'string' },
		%templates, %rights } ],
	job => {
		jobId => { jobId => 'integer', 'jobBusinessKey?' => 'string', createdAt => 'integer' },
		jobType => one_of(qw(run_checks run_checks_on_table collect_statistics collect_scheduled_statistics collect_statistics_on_table
			  collect_error_samples collect_error_samples_on_table queue_thread_shutdown synchronize_folder synchronize_multiple_folders
			  run_scheduled_checks_cron import_schema import_tables delete_stored_data repair_stored_data)),
		status          => one_of(qw(queued waiting running finished failed cancel_requested cancelled)),
		statusChangedAt => 'integer' });
my %snapshot  = (column_type => 'string', nullable => 'boolean', 'length?' => 'integer', 'precision?' => 'integer', 'scale?' => 'integer');
my %of_import = (
	jobId  => $shape{job}{jobId},
	status => $shape{job}{status},
	result => {
		source_table_specs => [ { columns => sub { ref $_[0] eq 'HASH' && !grep { defined fault($_, { type_snapshot => \%snapshot, 'id?' => 'boolean' }) } values %{ $_[0] } } } ],
		# ours: unknown members are kept by clients that are generated from the description
		'not_found?' => [ { schema_name => 'string', 'table_name?' => 'string' } ] });

# has_shape(ANSWER, SHAPE, NAME): 200 with the headers that belong to it, and the shape.
sub has_shape
{
	my ($answer, $shape, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(answer_fault($answer, 200) // fault($answer->{json}, $shape), undef, "$name: as published");
	return $answer->{json};
}

# --- getConnection ------------------------------------------------------------------------------------------

my $connection = has_shape(ask(GET => '/api/connections/shop'), $shape{connection}, 'a connection');
my $basic      = ask(GET => '/api/connections/shop/basic');
is("$connection->{connection_name} $connection->{connection_hash}", 'shop ' . $basic->{json}{connection_hash}, 'its name and hash are those of its basic model');
is_deeply(
	$connection->{spec},
	{
		provider_type => 'postgresql',
		postgresql    => { host => '127.0.0.1', port => '' . $remote->port, database => 'postgres', user => 'reader', password => '********' },
		parallel_jobs_limit => 4, labels => ['x'], advanced_properties => { a => 'b' }, mine => 1
	},
	'its spec is the model, with a mask for the password, and without what is computed');
ok(!$connection->{can_edit}, 'one that belongs to another cannot be edited');
is(ask(POST => '/api/connections/own/basic', from_json(connection_model($remote)))->{status}, 201, 'a connection of its own');
ok(has_shape(ask(GET => '/api/connections/own'), $shape{connection}, 'its own')->{can_edit}, 'can be edited');

# --- What an import says ---------------------------------------------------------------------------------------

sub import_of { return has_shape(ask(POST => '/api/jobs/importtables', { connectionName => 'shop', @_ }), \%of_import, 'an import'); }

# The imports of a connection, in one line.
sub imported { return join ' ', $sql->column(q(SELECT schema_name || '.' || table_name FROM dqds_imported_tables WHERE connection_name = ) . sql_literal($_[0] // 'shop') . ' ORDER BY 1'); }
sub forget { $sql->must('DELETE FROM dqds_imported_column; DELETE FROM dqds_imported_table'); return; }

my $answer = ask(POST => '/api/jobs/importtables', { connectionName => 'shop', schemaName => 'sales' });
has_shape($answer, \%of_import, 'an import of a schema');
is_deeply([ $answer->{body} =~ /"(\w+)":\{"type_snapshot":\{[^}]*\},"id":true\}/g ], [qw(id line)], 'id is true for the columns of the primary key, behind type_snapshot');
is(scalar(() = $answer->{body} =~ /"id":(?:true|false)/g), 2, 'and is left out for all others');
ok(!exists $answer->{json}{result}{not_found}, 'all that was asked for is there: nothing is named');

my $missing = { schema_name => 'sales' };
foreach my $case (
	[ 'names of which one is there', { schemaName => 'sales', tableNames => [ 'nope', 'orders', 'ORDERS', 'nope' ] }, 1, [ map { +{ %$missing, table_name => $_ } } 'ORDERS', 'nope' ] ],
	[ 'names of which none is there', { schemaName => 'sales', tableNames => ["it's \"\x{1F600}\""] }, 0, [ { %$missing, table_name => "it's \"\x{1F600}\"" } ] ],
	[ 'what the own filter leaves out was not looked for', { schemaName => 'sales', tableNames => [ 'orders', 'plain', 'nope' ], tableNameContains => 'o' }, 1, [ { %$missing, table_name => 'nope' } ] ],
	[ 'what the own limit leaves out is there', { schemaName => 'sales', tableNames => [ 'orders', 'plain' ], tablesImportLimit => 1 }, 1, undef ],
	[ 'a limit of 0', { schemaName => 'sales', tableNames => [ 'orders', 'nope' ], tablesImportLimit => 0 }, 0, [ { %$missing, table_name => 'nope' } ] ],
	[ 'a schema that is not there', { schemaName => 'nope' }, 0, [ { schema_name => 'nope' } ] ],
	[ 'a schema that is not there, with names', { schemaName => 'SALES', tableNames => ['orders'] }, 0, [ { schema_name => 'SALES' }, { schema_name => 'SALES', table_name => 'orders' } ] ],
	[ 'a schema that the remote user may not use', { schemaName => 'khidden' }, 0, [ { schema_name => 'khidden' } ] ],
	[ 'a schema without tables', { schemaName => 'bare' }, 0, undef ],
	[ 'a filter that nothing passes', { schemaName => 'sales', tableNameContains => 'xyz' }, 0, undef ])
{
	my ($what, $parameters, $count, $not_found) = @$case;
	my $result = import_of(%$parameters)->{result};
	is(scalar @{ $result->{source_table_specs} }, $count, "$what: $count imported");
	is_deeply($result->{not_found}, $not_found, "$what: what is named");
}

# Over SQL a table that is not there is a row, and a schema a notice.
is(join('; ', map { join ',', map { $_ // 'null' } @$_{qw(schema_name table_name status column_count)} }
		  $sql->rows(q(SELECT * FROM dqds_import_tables('shop', 'sales', table_names => '{orders,nope,ORDERS}')))),
	'sales,orders,unchanged,5; sales,ORDERS,not_found,null; sales,nope,not_found,null', 'over SQL: a row for each name that is not there');
my ($out, $err) = ('', '');
$control->psql('postgres', q(SELECT count(*) FROM dqds_import_tables('shop', 'nope')), stdout => \$out, stderr => \$err);
is($out, 0, 'over SQL: a schema that is not there gives no row');
like($err, qr/NOTICE:  schema "nope" was not found\nHINT:  dqds_list_schemas shows/, 'but a notice');

# --- Patterns of schemas ---------------------------------------------------------------------------------------------

foreach my $case (
	# the name of the connection, the pattern, what is imported
	[ 'shop', 'k*',    'K3.a k1.a k1.b k1.c k2.a k2.z' ],
	[ 'shop', 'k1*',   'k1.a k1.b k1.c' ],
	[ 'shop', '*3',    'K3.a' ],
	[ 'shop', '*A*s*', 'sales.orders sales.plain' ],
	[ 'shop', 's**s',  'sales.orders sales.plain' ],
	[ 'shop', 'm*r*k', 'mark.a' ],
	[ 'shop', 'mar*k*', 'mark.a' ],
	[ 'shop', 'b*',    '' ],
	[ 'shop', 'k?',    '', [ { schema_name => 'k?' } ] ],
	[ 'shop', 'k_*',   '', [ { schema_name => 'k_*' } ] ],
	[ 'shop', 'pg_*',  '', [ { schema_name => 'pg_*' } ] ],
	[ 'shop', 'khid*', '', [ { schema_name => 'khid*' } ] ],
	[ 'shop', '*',     'K3.a k1.a k1.b k1.c k2.a k2.z mark.a sales.orders sales.plain' ],
	[ 'star', 'k*',    'k*.literal' ],
	[ 'star', 'K*',    'k*.literal k1.other' ])
{
	my ($name, $pattern, $imported, $not_found) = @$case;
	forget();
	my $result = import_of(connectionName => $name, schemaName => $pattern)->{result};
	is(imported($name), $imported, "$name, $pattern: imports <$imported>");
	is(scalar @{ $result->{source_table_specs} }, scalar(() = $imported =~ /\./g), "$name, $pattern: and answers with so many specs");
	is_deeply($result->{not_found}, $not_found, "$name, $pattern: what is named as not found");
}
forget();
my $result = import_of(schemaName => 'k*', tablesImportLimit => 2)->{result};
is(imported(), 'K3.a k1.a k1.b k2.a k2.z', 'the limit counts for each schema');
forget();
$result = import_of(schemaName => 'k*', tableNames => [ 'a', 'z', 'nope' ])->{result};
is(imported(), 'K3.a k1.a k2.a k2.z', 'names are looked for in each schema');
is_deeply($result->{not_found}, [ { schema_name => 'k*', table_name => 'nope' } ], 'and named when they are in none');
is_deeply([ map { join ' ', sort keys %{ $_->{columns} } } @{ $result->{source_table_specs} } ], [ 'x', 'id', 'other', 'x' ], 'each table has its own columns, in the order of the schemas');
is($sql->value(q(SELECT string_agg(schema_name || '.' || column_name, ' ' ORDER BY schema_name COLLATE "C", column_name) FROM dqds_imported_columns WHERE table_name = 'a')), 'K3.x k1.id k2.other', 'also in the registry');
forget();
is(scalar(() = $sql->rows(q(SELECT * FROM dqds_import_tables('shop', 'k*')))), 0, 'over SQL a schema_name is a name');
is(imported(), '', 'and nothing else');

# The limit of an answer is one for all schemas together. Each schema of the ten takes some 200 kB.
$remote->safe_psql('postgres', q{DO $$ BEGIN FOR s IN 0 .. 9 LOOP
	EXECUTE format('CREATE SCHEMA big%s', s);
	FOR t IN 1 .. 10 LOOP EXECUTE format('CREATE TABLE big%s.t%s (a integer); COMMENT ON TABLE big%1$s.t%2$s IS %L', s, t, repeat('c', 15000)); END LOOP;
	EXECUTE format('GRANT USAGE ON SCHEMA big%s TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA big%1$s TO reader', s);
END LOOP; END $$});
reload_with($control, "dqds.max_answer_size = '1MB'");
ok(poll_until(sub { DqdsTest::Sql->connect($control)->value('SHOW dqds.max_answer_size') eq '1MB' }, 30), 'a small limit');
my $small = start_bridge($control, connections => ['shop']);
is(answer_fault(http($small, POST => '/api/jobs/importtables', {}, to_json({ connectionName => 'shop', schemaName => 'big1*' }), 60), 200), undef, 'one of ten schemas fits');
forget();
my $large = http($small, POST => '/api/jobs/importtables', {}, to_json({ connectionName => 'shop', schemaName => 'big*' }), 60);
is(answer_fault($large, 400, 'POST'), undef, 'ten together do not');
like($large->{json}{message} // '', qr/is larger than 1 MB/, 'and the answer says so');
is(imported(), '', 'nothing of them is kept');
$small->stop;

# --- getSchemas, getTables --------------------------------------------------------------------------------------------

import_of(schemaName => $_) foreach 'k1', 'sales';
my $schemas = has_shape(ask(GET => '/api/connections/shop/schemas'), $shape{schemas}, 'imported schemas');
is(join(' ', map { $_->{schema_name} } @$schemas), 'k1 sales', 'those of which something was imported, sorted');
is_deeply($schemas->[1]{import_table_job_parameters}, { connectionName => 'shop', schemaName => 'sales' }, 'with what imports them again');
is(answer_fault(ask(POST => '/api/jobs/importtables', $schemas->[1]{import_table_job_parameters}), 200, 'POST'), undef, 'which can be sent as it is');
is($schemas->[1]{run_checks_job_template}{fullTableName}, 'sales.*', 'and their tables for other jobs');
my $tables = has_shape(ask(GET => '/api/connections/shop/schemas/k1/tables'), $shape{tables}, 'imported tables');
is(join(' ', map { "$_->{connection_name}.$_->{target}{schema_name}.$_->{target}{table_name}" } @$tables), 'shop.k1.a shop.k1.b shop.k1.c', 'all of the schema, sorted');
is(scalar(keys %{ { map { $_->{table_hash} => 1 } @$tables } }), 3, 'each has a hash of its own');
is_deeply([ map { $_->{table_hash} } @{ ask(GET => '/api/connections/shop/schemas/k1/tables')->{json} } ], [ map { $_->{table_hash} } @$tables ], 'which stays the same');
is($tables->[0]{data_clean_job_template}{fullTableName}, 'k1.a', 'and its name for other jobs');
is(join(' ', map { $tables->[0]{$_} ? 1 : 0 } sort keys %rights), '1 0 0 1', 'what an editor may do with the connection of another');
is(ask(GET => "/api/connections/$_")->{body}, '[]', "$_: nothing is imported") foreach 'own/schemas', 'own/schemas/k1/tables', 'shop/schemas/nope/tables';
is(ask(GET => "/api/connections/nope/$_")->{status}, 404, "nope/$_: 404") foreach 'schemas', 'schemas/k1/tables';
foreach my $case (
	[ 'page=1&limit=2', 'a b' ], [ 'page=2&limit=2', 'c' ], [ 'page=3&limit=2', '' ], [ 'limit=1', 'a' ], [ 'page=1', 'a b c' ], [ 'page=2', '' ], [ 'page=2147483647&limit=2147483647', '' ],
	[ 'filter=B', 'b' ], [ 'filter=*', 'a b c' ], [ 'filter=c*', 'c' ], [ 'filter=%25', '' ], [ 'filter=', 'a b c' ], [ 'page=&limit=', 'a b c' ],
	[ 'filter=*&page=2&limit=1', 'b' ], [ 'label=x&checkType=profiling', 'a b c' ])
{
	my ($query, $names) = @$case;
	is(join(' ', map { $_->{target}{table_name} } @{ has_shape(ask(GET => "/api/connections/shop/schemas/k1/tables?$query"), $shape{tables}, $query) }), $names, "tables?$query: <$names>");
}
is(answer_fault(ask(GET => "/api/connections/shop/schemas/k1/tables?$_"), 406), undef, "tables?$_: 406") foreach 'page=0', 'limit=0';
is(answer_fault(ask(GET => "/api/connections/shop/schemas/k1/tables?$_"), 400), undef, "tables?$_: 400") foreach 'page=-1', 'limit=x';

# --- getJob, waitForJob --------------------------------------------------------------------------------------------------

my $began = int(time * 1000);
my $job   = ask(POST => '/api/jobs/importtables?jobBusinessKey=my%20key', { connectionName => 'shop', schemaName => 'k2' })->{json}{jobId};
my $found = has_shape(ask(GET => "/api/jobs/jobs/$job->{jobId}"), $shape{job}, 'the job of an import');
is_deeply($found->{jobId}, $job, 'it has the identity that the import gave out');
is("$found->{jobType} $found->{status}", 'import_tables finished', 'it is an import that has finished');
cmp_ok($found->{statusChangedAt}, '>=', $began, 'since');
cmp_ok($found->{jobId}{createdAt}, '<=', $found->{statusChangedAt}, 'not before it began');
is_deeply(has_shape(ask(GET => "/api/jobs/jobs/$_"), $shape{job}, $_), $found, "$_: the same") foreach 'my%20key', "$job->{jobId}/wait", "$job->{jobId}/wait?waitTimeout=3", 'my%20key/wait';
my $later = ask(POST => '/api/jobs/importtables?jobBusinessKey=my%20key', { connectionName => 'shop', schemaName => 'k2' })->{json}{jobId};
is(ask(GET => '/api/jobs/jobs/my%20key')->{json}{jobId}{jobId}, $later->{jobId}, 'of two jobs with one key the later one');
my $like_id = ask(POST => "/api/jobs/importtables?jobBusinessKey=$job->{jobId}", { connectionName => 'shop', schemaName => 'k2' })->{json}{jobId};
is(ask(GET => "/api/jobs/jobs/$job->{jobId}")->{json}{jobId}{jobId}, $job->{jobId}, 'an id counts before a key that reads the same');
my $deleted = ask(DELETE => '/api/connections/own')->{json};
$found = has_shape(ask(GET => "/api/jobs/jobs/$deleted->{jobId}"), $shape{job}, 'the job of a removal');
is("$found->{jobType} $found->{jobId}{createdAt}", "delete_stored_data $deleted->{createdAt}", 'is one that deletes data');

sub job_is_unknown
{
	my ($id, $port, $name) = @_;
	my $none = http($port, GET => "/api/jobs/jobs/$id");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(answer_fault($none, 404) // ($none->{json}{message} =~ /^job ".*" does not exist\. A role sees only its own jobs: the latest 1000, for a day\.$/ ? undef : $none->{json}{message}), undef, "$name: 404");
	return;
}
job_is_unknown($_, $bridge, "the job $_") foreach 0, 999_999, 'x', '-1', '1.0', '9' x 19, '9' x 30, '%20', 'my%20', 'MY%20KEY';
is(ask(GET => '/api/jobs/jobs/pass%3Dsecret-7')->{raw} =~ /"message":"([^"]*secret[^"]*)/ ? $1 : '', '', 'what may be a password is not repeated in the message');

# An import that failed was answered with its error, and was no job.
my $before = $sql->value('SELECT count(*) FROM dqds_job');
is(ask(POST => '/api/jobs/importtables?jobBusinessKey=failed', { connectionName => 'nope', schemaName => 'k2' })->{status}, 404, 'an import that fails');
is($sql->value('SELECT count(*) FROM dqds_job'), $before, 'leaves no job');
job_is_unknown('failed', $bridge, 'its key');

# A job is visible to the role that requested it, and to admins.
my $other = start_bridge($control, anonymous => 'other', connections => ['shop']);
job_is_unknown($_, $other, "the job $_, asked for by another role") foreach $job->{jobId}, 'my%20key', "$job->{jobId}/wait";
my $admin = start_bridge($control, anonymous => 'chief', level => 'admin');
is(http($admin, GET => "/api/jobs/jobs/$_")->{status}, 200, "an admin finds the job $_") foreach $job->{jobId}, 'my%20key';
# A role with another name may get the OID later, and one with another OID the name.
$sql->must("UPDATE dqds_job SET business_key = NULL WHERE id = $like_id->{jobId}; UPDATE dqds_job SET role_name = 'someone' WHERE id = $job->{jobId}; UPDATE dqds_job SET role = 1 WHERE id = $later->{jobId}");
job_is_unknown($job->{jobId}, $bridge, 'the same number, but another name');
job_is_unknown($later->{jobId}, $bridge, 'the same name, but another number');
$sql->must("UPDATE dqds_job SET role = 'dqds_anonymous'::regrole, role_name = 'dqds_anonymous'");

# Functions that only read may be called in a parallel query.
$sql->must(q(CREATE TABLE many AS SELECT n FROM generate_series(1, 50000) n; ANALYZE many;
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0));
my $parallel = "SELECT count(*), dqds_job_json('$like_id->{jobId}') IS NOT NULL AS job, dqds_missing_level('dqds_job_json', true) IS NULL AS level FROM many";
like(join("\n", $sql->column("EXPLAIN $parallel")), qr/Gather/, 'a query runs in parallel');
is(join(' ', map { join ',', @$_{qw(count job level)} } $sql->rows($parallel)), '50000,t,t', 'what only reads can be called beside it');

# Jobs are deleted after a day, and beyond the latest 1000 of a role, some with each new job.
sub new_job { return ask(POST => '/api/jobs/importtables?jobBusinessKey=' . ($_[0] // ''), { connectionName => 'shop', schemaName => 'bare' })->{json}{jobId}{jobId}; }
$sql->must(q(UPDATE dqds_job SET created_at = created_at - interval '25 hours'));
new_job($_) foreach 'young', 'younger';
is($sql->value('SELECT count(*) FROM dqds_job'), 2, 'after a day the old ones go');
$sql->must(q(INSERT INTO dqds_job (role, role_name, job_type, created_at) SELECT r.oid, r.rolname, 'import_tables', now() FROM pg_roles r, generate_series(1, 1010) WHERE r.rolname IN ('dqds_anonymous', 'other')));
my $last = new_job();
is($sql->value(q(SELECT count(*) FROM dqds_job WHERE role_name = 'dqds_anonymous')), 1000, 'of one role the latest 1000 stay');
is($sql->value(q(SELECT count(*) FROM dqds_job WHERE role_name = 'other')), 1010, 'those of another role are not touched');
is(ask(GET => "/api/jobs/jobs/$last")->{status}, 200, 'the latest is among them');
job_is_unknown('young', $bridge, 'the oldest is not');
new_job('x' x 1001);
is(answer_fault(ask(GET => '/api/jobs/jobs/' . 'x' x 1001), 404), undef, 'a key of more than 1000 bytes is not remembered');

# Two concurrent deletions do not wait for each other, however long one transaction is open.
$sql->must(q(UPDATE dqds_job SET created_at = created_at - interval '25 hours'));
my $holder = DqdsTest::Sql->connect($control);
$holder->must(q(BEGIN; SELECT dqds_import_tables_json('{"connectionName": "star", "schemaName": "k1"}', NULL)));
is(answer_fault(ask(POST => '/api/jobs/importtables', { connectionName => 'shop', schemaName => 'bare' }), 200, 'POST'), undef, 'an import while another transaction removes old jobs');
$holder->must('ROLLBACK');

# Nor does an import fail because another one has removed jobs since its snapshot was taken.
$holder->must('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dqds_job');
$sql->must(q(UPDATE dqds_job SET created_at = created_at - interval '1 second'));
is($holder->query(q(SELECT dqds_import_tables_json('{"connectionName": "star", "schemaName": "k1"}', NULL)))->{error}, undef, 'an import of an old snapshot');
$holder->must('ROLLBACK');

# --- A registered connection is tested by its name -----------------------------------------------------------------------------

my $test = '/api/datasource/testconnection?verifyNameUniqueness=false';
is(ask(POST => $test, { connection_name => 'shop' })->{json}{connectionTestResult}, 'SUCCESS', 'a model of nothing but a name is tested as the registered connection');
is(answer_fault(ask(POST => $test, { connection_name => 'nope' }), 404, 'POST'), undef, 'which must be there');
is(ask(POST => $test, { connection_name => 'shop', labels => [] })->{json}{errorCode}, 'invalid_connection', 'a model that says more is a model');
is(ask(POST => $test =~ s/false/true/r, { connection_name => 'shop' })->{json}{connectionTestResult}, 'CONNECTION_ALREADY_EXISTS', 'and so is one whose name is to be verified');

foreach my $text (map { $_->log } $bridge, $other, $admin) { unlike($text, qr/\Q$password\E/, 'no password in a log'); }
done_testing();
