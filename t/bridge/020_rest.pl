# Every row of the REST contract, tested against real servers: the status, headers and JSON of success, key by key, and of
# each listed failure. One bridge for each level of the anonymous role shows which requests are refused. At the end the
# answers and both logs are searched for passwords.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $remote  = remote_server('remote');
my $control = control_server('control');

# The objects of the remote server. The reader may use the schema shop, but not the schema hidden.
$remote->safe_psql('postgres', q{
	CREATE SCHEMA hidden;
	CREATE TABLE hidden.secret (id int);
	CREATE SCHEMA "Zoo";
	CREATE SCHEMA shop;
	CREATE TABLE shop.orders (
		zip varchar(12) NOT NULL, id bigint PRIMARY KEY, amount numeric(10,2), at timestamp(3) DEFAULT now(),
		code char(2), tags text[]);
	COMMENT ON TABLE shop.orders IS 'what was "ordered"';
	INSERT INTO shop.orders (zip, id) SELECT '1', g FROM generate_series(1, 100) g;
	CREATE TABLE shop."Orders" (a int);
	CREATE TABLE shop.not_for_reader (a int);
	CREATE VIEW shop.recent AS SELECT id FROM shop.orders;
	ANALYZE shop.orders;
	GRANT USAGE ON SCHEMA shop, "Zoo" TO reader;
	GRANT SELECT ON shop.orders, shop."Orders", shop.recent TO reader;
});

my $reader_password = remote_password($remote);
my @secrets         = ($reader_password, 'wrong-password-7', 'json-key-content-7', 'access-token-7', 'client-secret-7',
	'advanced-secret-7', 'someone-elses-7', 'mistyped-password-7', 'in-broken-json-7');

create_connection($control, 'shop', connection_model($remote));

my $editor = start_bridge($control, connections => ['shop']);
my %bridge = (editor => $editor);
$bridge{$_} = start_bridge($control, anonymous => "role_$_", level => $_, connections => ['shop'])
  foreach qw(viewer operator admin);
$bridge{nobody}   = start_bridge($control, anonymous => 'role_nobody', level => undef, connections => ['shop']);
$bridge{stranger} = start_bridge($control, anonymous => undef);

# --- How answers are compared ------------------------------------------------------------------------

my @all_answers;
my $current = $editor;

# A request to the current bridge; DATA becomes a JSON body, a string is the body as it is.
sub ask
{
	my ($method, $target, $data, $headers) = @_;
	my $answer;
	# Where the machine is so busy that the control database does not answer within 80 ms, it is not healthy for a moment.
	poll_until(sub {
		$answer = http($current, $method, $target, $headers // {}, ref $data ? to_json($data) : $data);
		return $target !~ m{^/api/ishealthy} || $answer->{status} != 503;
	});
	push @all_answers, $answer->{raw};
	$answer->{path} = $target =~ s/\?.*//sr;
	return $answer;
}

# Checks that the answer has this status, exactly its headers, and this JSON (undef: no body).
sub answers
{
	my ($answer, $status, $json, $name) = @_;
	is(answer_fault($answer, $status), undef, "$name: $status with its headers");
	is_deeply($answer->{json}, $json, "$name: the JSON") if $status != 201 && $status != 204;
	return;
}

# Checks that the answer is this error, in the form of all errors. MESSAGE is the text or a regex.
sub refuses
{
	my ($answer, $status, $message, $code, $name) = @_;
	my $fault = answer_fault($answer, $status);
	my $json  = $answer->{json} // {};
	if (!defined $fault)
	{
		my $fits = ref $message ? $json->{message} =~ $message : $json->{message} eq $message;
		$fault = "message: $json->{message}" if !$fits;
		$fault //= "path: $json->{path}" if $json->{path} ne $answer->{path};
		$fault //= 'errorCode: ' . ($json->{errorCode} // 'none') if ($json->{errorCode} // '') ne ($code // '');
	}
	is($fault, undef, "$name: $status" . (defined $code ? " $code" : ''));
	return;
}

# The answers for a connection that does not exist or that this role may not use, and for one that it may use but not edit.
sub unknown { return qq(connection "$_[0]" does not exist. The view dqds_connections shows the connections that you may use; an admin grants the use of others with dqds_grant_connection.); }
my $not_owner = 'must be owner of connection "shop". Admins may change it, too, and give it another owner with dqds_set_connection_owner.';

sub as { $current = $bridge{ $_[0] }; return; }

sub true  { return JSON::PP::true; }
sub false { return JSON::PP::false; }

# The answer of getConnectionBasic for a connection to the remote server.
sub expected_model
{
	my ($name, %override) = @_;
	return {
		connection_name => $name,
		provider_type   => 'postgresql',
		postgresql      => {
			host     => '127.0.0.1',
			port     => '' . $remote->port,
			database => 'postgres',
			user     => 'reader',
			password => '********'
		},
		can_edit                          => true,
		can_collect_statistics            => true,
		can_run_checks                    => true,
		can_delete_data                   => true,
		run_checks_job_template           => { connection => $name, enabled => true },
		run_profiling_checks_job_template => { connection => $name, enabled => true, checkType => 'profiling' },
		run_monitoring_checks_job_template => { connection => $name, enabled => true, checkType => 'monitoring' },
		run_partition_checks_job_template => { connection => $name, enabled => true, checkType => 'partitioned' },
		collect_statistics_job_template   => { connection => $name, enabled => true, columnNames => [] },
		data_clean_job_template           => {
			connection                => $name,
			deleteErrors              => true,
			deleteStatistics          => true,
			deleteCheckResults        => true,
			deleteSensorReadouts      => true,
			deleteErrorSamples        => true,
			deleteIncidents           => true,
			deleteChecksConfiguration => false
		},
		%override
	};
}

# A model without its hash, of which only the type is known: a whole number.
sub without_hash
{
	my ($model) = @_;
	return $model unless ref $model eq 'HASH';
	my %rest = %$model;
	my $hash = delete $rest{connection_hash};
	$rest{connection_hash} = $hash // 'missing' unless defined $hash && $hash =~ /^\d+$/;
	return \%rest;
}

sub model_answers
{
	my ($answer, $model, $name) = @_;
	is(answer_fault($answer, 200), undef, "$name: 200 with its headers");
	is_deeply(without_hash($answer->{json}), $model, "$name: the model");
	return;
}

sub schema_row
{
	my ($connection, $schema, $imported) = @_;
	return {
		connectionName           => $connection,
		schemaName               => $schema,
		alreadyImported          => $imported ? true : false,
		importTableJobParameters => { connectionName => $connection, schemaName => $schema }
	};
}

sub table_row
{
	my ($connection, $schema, $table, $imported, %details) = @_;
	return {
		connectionName  => $connection,
		schemaName      => $schema,
		tableName       => $table,
		alreadyImported => $imported ? true : false,
		%details
	};
}

# Is it a time between these seconds, in milliseconds?
sub is_now { return $_[0] =~ /^\d{13}$/ && abs($_[0] / 1000 - time) < 60; }

# --- isHealthy -----------------------------------------------------------------------------------------

health_of($current);
answers(ask(GET => '/api/ishealthy'), 200, 'OK', 'isHealthy');
is(ask(GET => '/api/ishealthy')->{body}, '"OK"', 'isHealthy: the body is "OK" to the byte');
answers(ask(GET => '/api/ishealthy?x=%41&x'), 200, 'OK', 'isHealthy with unknown parameters');

# --- createConnectionBasic -----------------------------------------------------------------------------

my $answer = ask(POST => '/api/connections/mine/basic', connection_model($remote));
answers($answer, 201, undef, 'create');
is($answer->{headers}{'content-length'}, 0, 'create: an empty body');
model_answers(ask(GET => '/api/connections/mine/basic'), expected_model('mine'), 'get what was created');
refuses(ask(POST => '/api/connections/mine/basic', connection_model($remote)),
	409, 'connection "mine" already exists', undef, 'create what exists');
refuses(ask(POST => '/api/connections/shop/basic', connection_model($remote)),
	409, 'connection "shop" already exists', undef, 'create what exists and belongs to another');

answers(ask(POST => '/api/connections/path-wins/basic', connection_model($remote, connection_name => 'body')),
	201, undef, 'create with another name in the body');
model_answers(ask(GET => '/api/connections/path-wins/basic'), expected_model('path-wins'), 'the name in the path wins');
refuses(ask(GET => '/api/connections/body/basic'), 404, unknown('body'), undef, 'the name in the body');

# The model is stored and returned as sent, except computed members, nulls and secrets.
my %sent = (
	%{ from_json(connection_model($remote, port => 0 + $remote->port, sslmode => 'prefer',
			properties => { application_name => 'dqds test', connect_timeout => 5 })) },
	connection_hash         => 1,
	can_edit                => 'nonsense',
	run_checks_job_template => { evil => 1 },
	yaml_parsing_error      => 'x',
	schedule_on_instance    => 'instance-1',
	advanced_properties     => { 'my-secret' => 'advanced-secret-7', plain => 'kept' },
	incident_grouping       => { grouping_level => undef, max => 10.50 },
	parallel_jobs_limit     => 3,
	labels                  => [ 'a', undef, 1 ],
	nothing                 => undef,
	bigquery                => { json_key_content => 'json-key-content-7', source_project_id => 'p' },
	snowflake               => { password         => 'someone-elses-7', warehouse => 'w' },
	databricks              => { access_token     => 'access-token-7' },
	sqlserver               => { client_secret    => 'client-secret-7' });
answers(ask(POST => '/api/connections/rich/basic', \%sent), 201, undef, 'create with all sorts of members');
model_answers(
	ask(GET => '/api/connections/rich/basic'),
	expected_model(
		'rich',
		postgresql => {
			%{ expected_model('rich')->{postgresql} },
			sslmode    => 'prefer',
			properties => { application_name => 'dqds test', connect_timeout => 5 }
		},
		schedule_on_instance => 'instance-1',
		advanced_properties  => { 'my-secret' => '********', plain => 'kept' },
		incident_grouping    => { max => 10.50 },
		parallel_jobs_limit  => 3,
		labels               => [ 'a', undef, 1 ],
		bigquery             => { json_key_content => '********', source_project_id => 'p' },
		snowflake            => { password         => '********', warehouse => 'w' },
		databricks           => { access_token     => '********' },
		sqlserver            => { client_secret    => '********' }),
	'members are kept, computed ones computed, secrets masked, nulls dropped, the port is a string');

foreach my $provider (qw(bigquery clickhouse databricks db2 duckdb hana mariadb mysql oracle presto snowflake spark
	sqlserver teradata trino))
{
	refuses(ask(POST => "/api/connections/of-$provider/basic", { provider_type => $provider }), 406, qr/$provider/, 'invalid_connection', "create of provider $provider without its section");
}

# A readable but unusable model: 406. A wrong type: 400, naming the key. Not JSON: 400.
my @unusable = (
	[ 'no provider_type',      '{}',                                                    qr/provider_type/ ],
	[ 'unknown provider_type', '{"provider_type":"excel"}',                             qr/provider_type/ ],
	[ 'no section',            '{"provider_type":"postgresql"}',                        qr/postgresql/ ],
	[ 'no host',               connection_model($remote, host => undef),                qr/postgresql\.host/ ],
	[ 'no user',               connection_model($remote, user => undef),                qr/postgresql\.user/ ],
	[ 'empty user',            connection_model($remote, user => ''),                   qr/postgresql\.user/ ],
	[ 'port 0',                connection_model($remote, port => 0),                    qr/postgresql\.port/ ],
	[ 'port 65536',            connection_model($remote, port => '65536'),              qr/postgresql\.port/ ],
	[ 'port -1',               connection_model($remote, port => -1),                   qr/postgresql\.port/ ],
	[ 'port 1.5',              connection_model($remote, port => 1.5),                  qr/postgresql\.port/ ],
	[ 'port 1e999',            '{"provider_type":"postgresql","postgresql":{"host":"h","user":"u","port":1e999}}', qr/postgresql\.port/ ],
	[ 'unknown sslmode',       connection_model($remote, sslmode => 'maybe'),           qr/postgresql\.sslmode/ ],
	[ 'unknown engine type',   connection_model($remote, postgresql_engine_type => 'x'), qr/postgresql_engine_type/ ],
	[ 'property not allowed',  connection_model($remote, properties => { passfile => '/x' }), qr/"passfile"/ ],
	[ 'a limit below 0',          connection_model($remote, parallel_jobs_limit => -1),     qr/parallel_jobs_limit/ ],
	[ 'a mask without a secret', connection_model($remote, password => '********'),     qr/password/ ]);
my @mistyped = (
	[ 'an array as model',         '[]',                                                qr/must be a JSON object/ ],
	[ 'a number as model',         '1',                                                 qr/must be a JSON object/ ],
	[ 'provider_type 1',           '{"provider_type":1}',                               qr/"provider_type"/ ],
	[ 'postgresql "x"',            '{"provider_type":"postgresql","postgresql":"x"}',   qr/"postgresql"/ ],
	[ 'port []',                   connection_model($remote, port => []),               qr/"postgresql\.port"/ ],
	[ 'host 1',                    connection_model($remote, host => 1),                qr/"postgresql\.host"/ ],
	[ 'user {}',                   connection_model($remote, user => {}),               qr/"postgresql\.user"/ ],
	[ 'password 1',                connection_model($remote, password => 1),            qr/"postgresql\.password"/ ],
	[ 'sslmode true',              connection_model($remote, sslmode => true),          qr/"postgresql\.sslmode"/ ],
	[ 'properties "x"',            connection_model($remote, properties => 'x'),        qr/"postgresql\.properties"/ ],
	[ 'a property that is a list', connection_model($remote, properties => { application_name => [] }), qr/application_name/ ],
	[ 'parallel_jobs_limit "3"',   connection_model($remote, parallel_jobs_limit => '3'), qr/"parallel_jobs_limit"/ ],
	[ 'password_required "no"',    connection_model($remote, password_required => 'no'), qr/"password_required"/ ]);
my @unreadable = (
	[ 'half an object', '{"postgresql":{"password":"in-broken-json-7"' ],
	[ 'words',          'not json in-broken-json-7' ],
	[ 'two values',     '{} {}' ],
	[ 'too large a number', '{"provider_type":"postgresql","postgresql":{"port":1e999999,"password":"in-broken-json-7"}}' ],
	[ 'a NUL escape',   '{"provider_type":"a\u0000b","postgresql":{"password":"in-broken-json-7"}}' ]);

foreach my $case (@unusable)
{
	my ($what, $model, $message) = @$case;
	refuses(ask(POST => '/api/connections/new/basic', $model), 406, $message, 'invalid_connection', "create, $what");
	refuses(ask(PUT => '/api/connections/mine/basic', $model), 406, $message, 'invalid_connection', "update, $what")
	  if $what ne 'a mask without a secret';
	my $test = ask(POST => '/api/datasource/testconnection', $model);
	is(answer_fault($test, 200), undef, "test, $what: 200 with its headers");
	is(join(' ', sort keys %{ $test->{json} }), 'connectionTestResult elapsedMs errorCode errorMessage hint', "test, $what: the keys");
	is("$test->{json}{connectionTestResult} $test->{json}{errorCode}", 'FAILURE invalid_connection', "test, $what: FAILURE");
	like($test->{json}{errorMessage}, $message, "test, $what: the message names it");
}
foreach my $case (@mistyped)
{
	my ($what, $model, $message) = @$case;
	refuses(ask(POST => '/api/connections/new/basic', $model), 400, $message, undef, "create, $what");
	refuses(ask(PUT => '/api/connections/mine/basic', $model), 400, $message, undef, "update, $what");
	refuses(ask(POST => '/api/datasource/testconnection', $model), 400, $message, undef, "test, $what");
}
foreach my $case (@unreadable)
{
	my ($what, $model) = @$case;
	foreach my $call ([ POST => '/api/connections/new/basic' ], [ PUT => '/api/connections/mine/basic' ],
		[ POST => '/api/datasource/testconnection' ], [ POST => '/api/jobs/importtables' ])
	{
		refuses(ask(@$call, $model), 400, qr/not valid JSON/, undef, "$call->[0] $call->[1], $what");
	}
}
refuses(ask(POST => '/api/connections/new/basic', connection_model($remote, password_required => false)),
	403, qr/superuser/, undef, 'create without a password rule');
refuses(ask(GET => '/api/connections/new/basic'), 404, unknown('new'), undef, 'nothing of that was created');
model_answers(ask(GET => '/api/connections/mine/basic'), expected_model('mine'), 'nothing of that was updated');

# --- getAllConnections, getConnectionBasic -----------------------------------------------------------------

$answer = ask(GET => '/api/connections');
is(answer_fault($answer, 200), undef, 'all connections: 200 with its headers');
my @names = map { $_->{connection_name} } @{ $answer->{json} };
is_deeply(\@names, [ sort @names ], 'all connections: sorted by name');
is(scalar @names, 4, 'all connections: each once');
my ($shop) = grep { $_->{connection_name} eq 'shop' } @{ $answer->{json} };
is_deeply(
	without_hash($shop),
	expected_model('shop', can_edit => false, can_delete_data => false),
	'all connections: one that belongs to another is shown, and cannot be edited');
refuses(ask(GET => '/api/connections/nix/basic'), 404, unknown('nix'), undef, 'get what does not exist');

# --- updateConnectionBasic -----------------------------------------------------------------------------------

answers(ask(PUT => '/api/connections/path-wins/basic', connection_model($remote, connection_name => 'path-wins', schedule_on_instance => 'i')),
	204, undef, 'update');
model_answers(ask(GET => '/api/connections/path-wins/basic'), expected_model('path-wins', schedule_on_instance => 'i'), 'get what was updated');
answers(ask(PUT => '/api/connections/path-wins/basic', connection_model($remote)), 204, undef, 'update without a name in the body');
model_answers(ask(GET => '/api/connections/path-wins/basic'), expected_model('path-wins'), 'an update replaces the whole model');
refuses(ask(PUT => '/api/connections/path-wins/basic', connection_model($remote, connection_name => 'other')),
	406, qr/"other".*"path-wins"/, 'invalid_connection', 'update with the name of another in the body');
refuses(ask(PUT => '/api/connections/nix/basic', connection_model($remote)),
	404, unknown('nix'), undef, 'update what does not exist');
refuses(ask(PUT => '/api/connections/shop/basic', connection_model($remote)),
	403, $not_owner, undef, 'update what belongs to another');

# The mask stands for the stored secret.
answers(ask(PUT => '/api/connections/mine/basic', ask(GET => '/api/connections/mine/basic')->{json}),
	204, undef, 'update with what was got');
is(ask(GET => '/api/datasource/connections/mine/schemas')->{status}, 200, 'the mask kept the password');
refuses(ask(PUT => '/api/connections/mine/basic', connection_model($remote, password => '********', host => 'localhost')),
	406, qr/must be supplied again/, 'invalid_connection', 'the mask with another host');

# --- getRemoteDataSourceSchemas --------------------------------------------------------------------------------

answers(
	ask(GET => '/api/datasource/connections/mine/schemas'),
	200, [ map { schema_row('mine', $_) } qw(Zoo public shop) ], 'schemas, sorted by code point, those of the reader only');
my $with_system = [ map { schema_row('mine', $_) } qw(Zoo information_schema pg_catalog public shop) ];
foreach my $query (qw(includeSystem=true includeSystem includeSystem=TRUE foo=1&includeSystem=true&bar))
{
	my $schemas = ask(GET => "/api/datasource/connections/mine/schemas?$query");
	is(answer_fault($schemas, 200), undef, "schemas?$query: 200 with its headers");
	is_deeply([ grep { $_->{schemaName} ne 'pg_toast' } @{ $schemas->{json} // [] } ], $with_system, "schemas?$query: the JSON");
}
foreach my $query (qw(includeSystem=false includeSystem= includesystem=true includeSystemX=true), '')
{
	answers(
		ask(GET => "/api/datasource/connections/mine/schemas?$query"),
		200, [ map { schema_row('mine', $_) } qw(Zoo public shop) ], "schemas?$query");
}
foreach my $value (qw(1 yes truee tru%00e %74rue%20))
{
	refuses(ask(GET => "/api/datasource/connections/mine/schemas?includeSystem=$value"),
		400, qr/includeSystem|percent-encoded/, undef, "includeSystem=$value");
}

# A connection that does not exist and one that the role may not use give the same answer.
my $unknown = ask(GET => '/api/datasource/connections/forbidden/schemas');
my @unknown = map { ask(@$_) } my @calls = (
	[ GET    => '/api/datasource/connections/forbidden/schemas' ],
	[ GET    => '/api/datasource/connections/forbidden/schemas/shop/tables' ],
	[ GET    => '/api/connections/forbidden/basic' ],
	[ GET    => '/api/connections/forbidden' ],
	[ GET    => '/api/connections/forbidden/schemas' ],
	[ GET    => '/api/connections/forbidden/schemas/shop/tables' ],
	[ PUT    => '/api/connections/forbidden/basic', connection_model($remote) ],
	[ DELETE => '/api/connections/forbidden' ],
	[ POST   => '/api/jobs/importtables', { connectionName => 'forbidden', schemaName => 'shop' } ]);
create_connection($control, 'forbidden', connection_model($remote, password => 'someone-elses-7'));
foreach my $i (0 .. $#calls)
{
	my $forbidden = ask(@{ $calls[$i] });
	refuses($forbidden, 404, unknown('forbidden'), undef, "$calls[$i][0] $calls[$i][1], forbidden");
	is(
		$forbidden->{raw} =~ s/"timestamp":\d+|Date: .*?\r\n//gr,
		$unknown[$i]{raw} =~ s/"timestamp":\d+|Date: .*?\r\n//gr,
		"$calls[$i][0] $calls[$i][1]: forbidden is the same as unknown");
}

# --- getRemoteDataSourceTables -----------------------------------------------------------------------------------

my $tables = '/api/datasource/connections/mine/schemas/shop/tables';
my @shop   = map { table_row('mine', 'shop', $_) } qw(Orders orders recent);
my %of_all = (owner => $remote->safe_psql('postgres', q{SELECT tableowner FROM pg_tables WHERE schemaname = 'shop' LIMIT 1}), canSelect => true);
answers(ask(GET => $tables), 200, \@shop, 'tables, sorted by code point, those of the reader only');
answers(
	ask(GET => "$tables?details=true"),
	200,
	[
		table_row('mine', 'shop', 'Orders', 0, tableKind => 'table', %of_all),
		table_row('mine', 'shop', 'orders', 0, tableKind => 'table', estimatedRows => 100, comment => 'what was "ordered"', %of_all),
		table_row('mine', 'shop', 'recent', 0, tableKind => 'view', %of_all)
	],
	'tables with details; what is not known is left out');
answers(ask(GET => "$tables?details=false&limit=&tableNameContains="), 200, \@shop, 'tables with empty parameters');
answers(ask(GET => "$tables?unknown=%F0%9F%98%80&a&&=&limits=1"), 200, \@shop, 'tables with unknown parameters');
answers(ask(GET => "$tables?limit=2"), 200, [ @shop[ 0, 1 ] ], 'tables?limit=2: the first two');
answers(ask(GET => "$tables?limit=0"), 200, [], 'tables?limit=0');
answers(ask(GET => "$tables?limit=2147483647"), 200, \@shop, 'tables with the largest limit');
answers(ask(GET => "$tables?tableNameContains=rder&limit=1"), 200, [ $shop[0] ], 'the limit counts what fits');
answers(ask(GET => "$tables?tableNameContains=ORD"), 200, [], 'tableNameContains is case-sensitive');
answers(ask(GET => "$tables?tableNameContains=o&tableNameContains=X"), 200, [ $shop[1] ], 'the first of two parameters of the same name counts');
answers(ask(GET => '/api/datasource/connections/mine/schemas/nix/tables'), 200, [], 'tables of a schema that does not exist');
answers(ask(GET => '/api/datasource/connections/mine/schemas/hidden/tables'), 200, [], 'tables of a schema that the reader may not use');
refuses(ask(GET => '/api/datasource/connections/nix/schemas/shop/tables'),
	404, unknown('nix'), undef, 'tables of a connection that does not exist');
foreach my $query (qw(limit=-1 limit=1e3 limit=0x10 limit=2147483648 limit=99999999999999999999 limit=%201 limit=1+ limit=a
	limit=%D9%A1 details=1 details=nix tableNameContains=%zz tableNameContains=%C3 x=%4 tableNameContains=a%00b))
{
	refuses(ask(GET => "$tables?$query"), 400, qr/limit|details|percent-encoded/, undef, "tables?$query");
}

# Characters that are special in LIKE are ordinary here.
my $wild = '100%_x\\';
$remote->safe_psql('postgres', 'CREATE SCHEMA wild; GRANT ALL ON SCHEMA wild TO reader;'
	  . join '', map { qq(CREATE TABLE wild."$_" (); GRANT SELECT ON wild."$_" TO reader;) }
	  $wild, "pre ${wild} post", '100%_x', '100%_X\\', '100aax\\', '100%ax\\', '100a_x\\', '100_x\\', '100%_x/', '100%%_x\\');
answers(
	ask(GET => '/api/datasource/connections/mine/schemas/wild/tables?tableNameContains=' . encode_segment($wild)),
	200, [ map { table_row('mine', 'wild', $_) } $wild, "pre $wild post" ], "tableNameContains=$wild finds just that text");
answers(
	ask(GET => '/api/datasource/connections/mine/schemas/wild/tables?tableNameContains=e+1'),
	200, [ table_row('mine', 'wild', "pre $wild post") ], 'a plus in a query is a space');

# --- importTables ------------------------------------------------------------------------------------------------

my $import = '/api/jobs/importtables';

# The columns of the specs in the order of the text, which JSON::PP does not keep.
sub column_names
{
	my ($spec) = @_;
	return [ $spec =~ /"([^"]+)"\s*:\s*\{\s*"type_snapshot"/g ];
}

$answer = ask(POST => "$import?jobBusinessKey=my%20key%20%22%F0%9F%98%80&wait=true&waitTimeout=10&other=1",
	{ connectionName => 'mine', schemaName => 'shop', tableNames => ['orders'], unknown => { a => 1 }, tableNameContains => undef });
is(answer_fault($answer, 200), undef, 'import: 200 with its headers');
my %job = %{ $answer->{json} };
is(join(' ', sort keys %job), 'jobId result status', 'import: the keys');
is(join(' ', sort keys %{ $job{jobId} }), 'createdAt jobBusinessKey jobId', 'import: the keys of jobId');
is($job{jobId}{jobBusinessKey}, "my key \"\x{1F600}", 'import: jobBusinessKey comes back');
like($job{jobId}{jobId}, qr/^\d+$/, 'import: jobId is a whole number');
ok(is_now($job{jobId}{createdAt}), 'import: createdAt is in milliseconds');
is($job{status}, 'finished', 'import: the status');
my %type = map { $_->[0] => { type_snapshot => $_->[1] } } (
	[ zip    => { column_type => 'character varying', nullable => false, length => 12 } ],
	[ id     => { column_type => 'bigint', nullable => false } ],
	[ amount => { column_type => 'numeric', nullable => true, precision => 10, scale => 2 } ],
	[ at     => { column_type => 'timestamp without time zone', nullable => true, precision => 3 } ],
	[ code   => { column_type => 'character', nullable => true, length => 2 } ],
	[ tags   => { column_type => 'text[]', nullable => true } ]);
$type{id}{id} = true;
is_deeply($job{result}, { source_table_specs => [ { columns => \%type } ] }, 'import: the columns, key by key');
is_deeply(column_names($answer->{body}), [qw(zip id amount at code tags)], 'import: the columns are in their order');

answers(ask(GET => $tables), 200, [ $shop[0], table_row('mine', 'shop', 'orders', 1), $shop[2] ], 'alreadyImported is true for that table');
answers(
	ask(GET => '/api/datasource/connections/mine/schemas'),
	200, [ map { schema_row('mine', $_, $_ eq 'shop') } qw(Zoo public shop wild) ], 'alreadyImported is true for its schema');
answers(
	ask(GET => '/api/datasource/connections/path-wins/schemas/shop/tables'),
	200, [ map { table_row('path-wins', 'shop', $_) } qw(Orders orders recent) ],
	'alreadyImported stays false for another connection to the same place');

# How many tables each request imports.
foreach my $case (
	[ 'empty tableNames are all',   3, { tableNames          => [] } ],
	[ 'null tableNames are all',    3, { tableNames          => undef } ],
	[ 'no tableNames are all',      3, {} ],
	[ 'a substring',                2, { tableNameContains   => 'rders' } ],
	[ 'substring and names',        1, { tableNameContains   => 'rders', tableNames => [qw(orders recent nix)] } ],
	[ 'a name that is not there',   0, { tableNames          => ['nix'] } ],
	[ 'a limit',                    2, { tablesImportLimit   => 2 } ],
	[ 'a limit of 0',               0, { tablesImportLimit   => 0 } ],
	[ 'a schema that is not there', 0, { schemaName          => 'nix' } ])
{
	my ($what, $count, $extra) = @$case;
	my $done = ask(POST => $import, { connectionName => 'mine', schemaName => 'shop', %$extra });
	is(answer_fault($done, 200), undef, "import, $what: 200 with its headers");
	is(scalar @{ $done->{json}{result}{source_table_specs} }, $count, "import, $what: $count");
	is(join(' ', sort keys %{ $done->{json}{jobId} }), 'createdAt jobId', "import, $what: no jobBusinessKey");
}
is($control->safe_psql('postgres', q(SELECT count(*), count(DISTINCT table_name) FROM dqds_imported_tables WHERE connection_name = 'mine')),
	'3|3', 'importing again makes no duplicates');

foreach my $case (
	[ 406, 'no connectionName',       { schemaName => 'shop' },                                    qr/"connectionName"/ ],
	[ 406, 'null connectionName',     { connectionName => undef, schemaName => 'shop' },           qr/"connectionName"/ ],
	[ 406, 'no schemaName',           { connectionName => 'mine' },                                qr/"schemaName"/ ],
	[ 406, 'nothing',                 {},                                                          qr/"connectionName"/ ],
	[ 406, 'a negative limit',        { connectionName => 'mine', schemaName => 'shop', tablesImportLimit => -1 },  qr/"tablesImportLimit"/ ],
	[ 406, 'a broken limit',          { connectionName => 'mine', schemaName => 'shop', tablesImportLimit => 1.5 }, qr/"tablesImportLimit"/ ],
	[ 406, 'a huge limit',            '{"connectionName":"mine","schemaName":"shop","tablesImportLimit":1e99}', qr/"tablesImportLimit"/ ],
	[ 400, 'connectionName 1',        { connectionName => 1, schemaName => 'shop' },               qr/"connectionName"/ ],
	[ 400, 'schemaName []',           { connectionName => 'mine', schemaName => [] },              qr/"schemaName"/ ],
	[ 400, 'tableNames "a"',          { connectionName => 'mine', schemaName => 'shop', tableNames => 'a' }, qr/"tableNames"/ ],
	[ 400, 'tableNames [1]',          { connectionName => 'mine', schemaName => 'shop', tableNames => [1] }, qr/"tableNames"/ ],
	[ 400, 'tableNames [null]',       { connectionName => 'mine', schemaName => 'shop', tableNames => [undef] }, qr/"tableNames"/ ],
	[ 400, 'tableNameContains true',  { connectionName => 'mine', schemaName => 'shop', tableNameContains => true }, qr/"tableNameContains"/ ],
	[ 400, 'tablesImportLimit "2"',   { connectionName => 'mine', schemaName => 'shop', tablesImportLimit => '2' }, qr/"tablesImportLimit"/ ],
	[ 400, 'an array',                [],                                                          qr/JSON object/ ],
	[ 404, 'an unknown connection',   { connectionName => 'nix', schemaName => 'shop' },           unknown('nix') ])
{
	my ($status, $what, $body, $message) = @$case;
	refuses(ask(POST => $import, $body), $status, $message, undef, "import, $what");
}
refuses(ask(POST => "$import?$_", { connectionName => 'mine', schemaName => 'shop' }), 400, qr/wait/, undef, "import?$_")
  foreach qw(wait=maybe waitTimeout=x waitTimeout=-1);

# --- testConnection ----------------------------------------------------------------------------------------------

my $test = '/api/datasource/testconnection';

# The JSON without the members that differ between runs, of which only the form is checked.
sub tested
{
	my ($answer, $json, $name) = @_;
	is(answer_fault($answer, 200), undef, "$name: 200 with its headers");
	my %rest = %{ $answer->{json} // {} };
	like(delete $rest{elapsedMs} // '', qr/^\d+(\.\d+)?$/, "$name: elapsedMs");
	like(delete $rest{serverVersion} // '', qr/^\d+\.\d+/, "$name: serverVersion") if $json->{connectionTestResult} eq 'SUCCESS';
	if ($json->{connectionTestResult} eq 'FAILURE')
	{
		like(delete $rest{$_} // '', qr/\w/, "$name: $_") foreach qw(errorMessage hint);
	}
	is_deeply(\%rest, $json, "$name: the other members");
	return;
}

my $success = { connectionTestResult => 'SUCCESS' };
tested(ask(POST => $test, connection_model($remote)), $success, 'test without a name');
tested(ask(POST => $test, connection_model($remote, connection_name => 'not yet')), $success, 'test with a new name');
tested(ask(POST => "$test?verifyNameUniqueness=$_", connection_model($remote, connection_name => 'mine')), $success, "test of a name that exists, verifyNameUniqueness=$_")
  foreach qw(false FALSE false&verifyNameUniqueness=true);
foreach my $query ('', '?verifyNameUniqueness=true', '?verifyNameUniqueness', '?verifyNameUniqueness=')
{
	foreach my $name (qw(mine forbidden))
	{
		tested(
			ask(POST => "$test$query", connection_model($remote, connection_name => $name, password => 'wrong-password-7')),
			{ connectionTestResult => 'CONNECTION_ALREADY_EXISTS', errorMessage => qq(connection "$name" already exists) },
			"test$query of the name $name, which exists");
	}
}
refuses(ask(POST => "$test?verifyNameUniqueness=nix", connection_model($remote)), 400, qr/verifyNameUniqueness/, undef, 'verifyNameUniqueness=nix');

my $closed_port = free_port();
foreach my $case (
	[ 'authentication_failed', { password => 'wrong-password-7' }, '28P01' ],
	[ 'password_required',     { password => undef } ],
	[ 'database_not_found',    { database => 'nix' }, '3D000' ],
	[ 'connection_refused',    { port     => $closed_port } ],
	[ 'host_not_found',        { host     => 'does-not-exist.invalid' } ],
	[ 'target_not_allowed',    { host     => '169.254.169.254' } ],
	[ 'invalid_connection',    { provider_type => 'excel' } ])
{
	my ($code, $override, $sqlstate) = @$case;
	tested(
		ask(POST => $test, connection_model($remote, %$override)),
		{ connectionTestResult => 'FAILURE', errorCode => $code, defined $sqlstate ? (sqlstate => $sqlstate) : () },
		"test, $code");
}

# The mask with the connection's name stands for the stored password, if the role may use that connection.
my $masked = ask(GET => '/api/connections/mine/basic')->{json};
tested(ask(POST => "$test?verifyNameUniqueness=false", $masked), $success, 'test of what was got, with its mask');
tested(
	ask(POST => "$test?verifyNameUniqueness=false", connection_model($remote, connection_name => 'forbidden', password => '********')),
	{ connectionTestResult => 'FAILURE', errorCode => 'invalid_connection' },
	'test with the mask of a connection that is not ours');
tested(
	ask(POST => "$test?verifyNameUniqueness=false", connection_model($remote, connection_name => 'mine', password => '********', host => 'localhost')),
	{ connectionTestResult => 'FAILURE', errorCode => 'invalid_connection' },
	'test with the mask and another host');

# --- A remote that fails ---------------------------------------------------------------------------------------------

my %broken = (
	'wrong-password' => [ { password => 'wrong-password-7' }, 'authentication_failed', qr/^Source database connection error: password authentication failed for user "reader"/ ],
	'no-server'      => [ { port     => $closed_port },       'connection_refused',    qr/^Source database connection error: nothing listens at 127\.0\.0\.1:$closed_port/ ],
	'no-database'    => [ { database => 'nix' },              'database_not_found',    qr/^Source database connection error: database "nix" does not exist/ ]);
foreach my $name (sort keys %broken)
{
	my ($override, $code, $message) = @{ $broken{$name} };
	answers(ask(POST => "/api/connections/$name/basic", connection_model($remote, %$override)), 201, undef, "create $name: it is not tried");
	refuses(ask(GET => "/api/datasource/connections/$name/schemas"), 400, $message, $code, "schemas, $name");
	refuses(ask(GET => "/api/datasource/connections/$name/schemas/shop/tables"), 400, $message, $code, "tables, $name");
	refuses(ask(POST => $import, { connectionName => $name, schemaName => 'shop' }), 400, $message, $code, "import, $name");
	answers(ask(GET => "/api/connections/$name/basic"), 200, ask(GET => "/api/connections/$name/basic")->{json}, "get $name works");
}

# --- Names of all kinds, as connection, schema and table ---------------------------------------------------------------

foreach my $name (
	'with space',         'with/slash', '100%', '%41%2F', q(it's "quoted"), "\xF0\x9F\x98\x80 smile", 'x{"a":1}', '[{',
	"two\nlines\r\n\tor 3", 'back\\slash\\', '..', '.', 'a+b', '?x=1&y#z', '<script>', "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
	'schemas', 'x' x 63,  "'; DROP TABLE x; --", '$1', '@extschema@')
{
	my $text    = from_json(to_json_string($name));
	my $segment = encode_segment($name);
	my $ident   = '"' . ($name =~ s/"/""/gr) . '"';
	my $shown   = $name =~ s/[^ -~]+/~/gr;
	$remote->safe_psql('postgres', qq(CREATE SCHEMA $ident; CREATE TABLE $ident.$ident ($ident int);
		GRANT USAGE ON SCHEMA $ident TO reader; GRANT SELECT ON $ident.$ident TO reader;));
	answers(ask(POST => "/api/connections/$segment/basic", connection_model($remote)), 201, undef, "create <$shown>");
	model_answers(ask(GET => "/api/connections/$segment/basic"), expected_model($text), "get <$shown>");
	my $listed = ask(GET => "/api/datasource/connections/$segment/schemas");
	is_deeply([ grep { $_->{schemaName} eq $text } @{ $listed->{json} // [] } ], [ schema_row($text, $text) ], "schema <$shown>");
	my $of_schema = "/api/datasource/connections/$segment/schemas/$segment/tables";
	answers(ask(GET => "$of_schema?tableNameContains=$segment"), 200, [ table_row($text, $text, $text) ], "table <$shown>");
	my $done = ask(POST => $import, to_json({ map { $_ => $text } qw(connectionName schemaName) }) =~ s/\}$/,"tableNames":[@{[ to_json_string($name) ]}]}/r);
	is_deeply($done->{json}{result}, { source_table_specs => [ { columns => { $text => { type_snapshot => { column_type => 'integer', nullable => true } } } } ] },
		"import <$shown>");
	answers(ask(GET => $of_schema), 200, [ table_row($text, $text, $text, 1) ], "imported <$shown>");
	answers(ask(PUT => "/api/connections/$segment/basic", { %{ expected_model($text) }, schedule_on_instance => 'x' }), 204, undef, "update <$shown>");
	is(ask(DELETE => "/api/connections/$segment")->{status}, 200, "delete <$shown>");
}

# A JSON string of a name that is given as UTF-8 bytes.
sub to_json_string
{
	my ($bytes) = @_;
	my $text = $bytes;
	utf8::decode($text);
	return to_json($text);
}

refuses(ask(GET => '/api/connections/a+b/basic'), 404, unknown('a+b'), undef, 'a plus in a path is a plus');

my $long = 'long ' x 1000;
answers(ask(POST => '/api/connections/' . encode_segment($long) . '/basic', connection_model($remote)), 201, undef, 'create with a name of 5,000 characters');
model_answers(ask(GET => '/api/connections/' . encode_segment($long) . '/basic'), expected_model($long), 'get by a name of 5,000 characters');
is(ask(DELETE => '/api/connections/' . encode_segment($long))->{status}, 200, 'delete by a name of 5,000 characters');

# --- deleteConnection ---------------------------------------------------------------------------------------------------

$answer = ask(DELETE => '/api/connections/path-wins');
is(answer_fault($answer, 200), undef, 'delete: 200 with its headers');
is(join(' ', sort keys %{ $answer->{json} }), 'createdAt jobId', 'delete: the keys');
like($answer->{json}{jobId}, qr/^\d+$/, 'delete: jobId is a whole number');
ok(is_now($answer->{json}{createdAt}), 'delete: createdAt is in milliseconds');
refuses(ask(DELETE => '/api/connections/path-wins'), 404, unknown('path-wins'), undef, 'delete it again');
refuses(ask(GET => '/api/connections/path-wins/basic'), 404, unknown('path-wins'), undef, 'get what was deleted');
refuses(ask(DELETE => '/api/connections/shop'), 403, $not_owner, undef, 'delete what belongs to another');

# --- HTTP, for each path ----------------------------------------------------------------------------------------------------

my @get = ('/api/ishealthy', '/api/connections', (map { "/api/connections/mine$_" } '', '/basic', '/schemas', '/schemas/shop/tables'), '/api/datasource/connections/mine/schemas', "$tables?details=true");
foreach my $target (@get)
{
	my ($get, $head);
	# The control database has 80 ms to be healthy, see health_of.
	poll_until(sub { ($get, $head) = map { ask($_ => $target) } qw(GET HEAD); $get->{status} == 200 && $head->{status} == 200 }, 5);
	is(answer_fault($head, 200, 'HEAD'), undef, "HEAD $target: 200, without a body");
	is_deeply({ %{ $head->{headers} }, date => '' }, { %{ $get->{headers} }, date => '' }, "HEAD $target: the headers of GET");
}
is(answer_fault(ask(HEAD => '/api/connections/nix/basic'), 404, 'HEAD'), undef, 'HEAD of what is not there: 404, without a body');

my %allow = (
	'/api/datasource/testconnection'                     => 'POST',
	'/api/datasource/connections/mine/schemas'           => 'GET, HEAD',
	'/api/datasource/connections/mine/schemas/x/tables'  => 'GET, HEAD',
	'/api/connections'                                   => 'GET, HEAD',
	'/api/connections/mine/basic'                        => 'GET, HEAD, POST, PUT',
	'/api/connections/mine'                              => 'DELETE, GET, HEAD',
	'/api/connections/mine/schemas'                      => 'GET, HEAD',
	'/api/connections/mine/schemas/x/tables'             => 'GET, HEAD',
	'/api/jobs/jobs/1'                                   => 'GET, HEAD',
	'/api/jobs/jobs/1/wait'                              => 'GET, HEAD',
	'/api/jobs/importtables'                             => 'POST',
	'/api/ishealthy'                                     => 'GET, HEAD');
foreach my $path (sort keys %allow)
{
	foreach my $method (grep { $allow{$path} !~ /\b$_\b/ } qw(GET HEAD POST PUT DELETE PATCH OPTIONS))
	{
		my $refused = ask($method, $path, $method =~ /^P/ ? '{}' : undef);
		is(answer_fault($refused, 405, $method), undef, "$method $path: 405 with its headers");
		is(join(', ', sort split /, /, $refused->{headers}{allow} // ''), $allow{$path}, "$method $path: Allow");
	}
}
refuses(ask(GET => $_), 404, 'there is no such path', undef, "GET $_")
  foreach qw(/ /api /api/ /api/connections/ /api/connections//basic /api/connections/mine/basic/ /api/connections/mine/basic/x
  //api/connections /api//connections /API/connections /apix /api/Connections /api/datasource/connections/mine/schemas//tables
  /api/datasource/connections /api/connections/a%2Fb%2Fbasic/c /api/../api/connections /.htpasswd);
refuses(ask(POST => '/api/connections/new/basic', '{}', { 'Content-Type' => $_ }), 415, qr{application/json}, undef, 'a body of the type ' . ($_ // 'none'))
  foreach undef, 'text/plain', 'application/jsonx', 'multipart/form-data; boundary=x';
foreach my $type ('application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8')
{
	refuses(ask(POST => '/api/connections/new/basic', '{}', { 'Content-Type' => $type }), 406, qr/provider_type/, 'invalid_connection', "a body of the type $type is read");
}
refuses(ask(POST => '/api/connections/new/basic'), 411, qr/Content-Length/, undef, 'POST without a body');
refuses(ask(POST => '/api/connections/new/basic', ''), 400, qr/no body/, undef, 'POST with an empty body');
refuses(ask(POST => '/api/connections/new/basic', ' ' x 1048577), 413, qr/1048576/, undef, 'POST with a body that is too large');
answers(ask(GET => '/api/ishealthy', undef, { Accept => 'text/html' }), 200, 'OK', 'Accept is not looked at');

# --- Levels
# ---------------------------------------------------------------------------------------------------------------------

my %needs = (
	viewer => [ map { [ GET => "/api/connections$_" ] } '', '/shop', '/shop/basic', '/shop/schemas', '/shop/schemas/shop/tables' ],
	operator => [
		[ POST => $test, connection_model($remote) ],
		[ GET  => '/api/datasource/connections/shop/schemas' ],
		[ GET  => '/api/datasource/connections/shop/schemas/shop/tables' ]
	],
	editor => [
		[ POST   => '/api/connections/by-level/basic', connection_model($remote) ],
		[ PUT    => '/api/connections/by-level/basic', connection_model($remote) ],
		[ POST   => $import, { connectionName => 'shop', schemaName => 'shop' } ],
		[ DELETE => '/api/connections/by-level' ]
	]);
my %rank = (nobody => 0, viewer => 1, operator => 2, editor => 3, admin => 4);
foreach my $role (sort keys %rank)
{
	as($role);
	foreach my $level (qw(viewer operator editor))
	{
		foreach my $call (@{ $needs{$level} })
		{
			if ($rank{$role} >= $rank{$level})
			{
				like(ask(@$call)->{status}, qr/^2/, "$role: $call->[0] $call->[1] is allowed");
			}
			else
			{
				refuses(ask(@$call), 403, "this needs the level $level, which an admin grants with dqds_grant('$level', ROLE)", undef, "$role: $call->[0] $call->[1]");
			}
		}
	}
	health_of($current);
	answers(ask(GET => '/api/ishealthy'), 200, 'OK', "$role: isHealthy");
}

as('viewer');
model_answers(
	ask(GET => '/api/connections/shop/basic'),
	expected_model('shop', map { $_ => false } qw(can_edit can_delete_data can_run_checks can_collect_statistics)),
	'a viewer sees that it can do nothing');
refuses(ask(GET => '/api/connections/mine/basic'), 404, unknown('mine'), undef, 'a viewer does not see what was not granted to it');
is_deeply([ map { $_->{connection_name} } @{ ask(GET => '/api/connections')->{json} } ], ['shop'], 'a viewer sees what was granted');
$control->safe_psql('postgres', q(SELECT dqds_revoke_connection('shop', 'role_viewer')));
answers(ask(GET => '/api/connections'), 200, [], 'no connections are an empty array');

as('admin');
is(ask(GET => '/api/connections/forbidden/basic')->{status}, 200, 'an admin sees every connection');
is_deeply(ask(GET => '/api/connections/forbidden/basic')->{json}{can_edit}, true, 'an admin may edit every connection');

# Without an anonymous role, requests without a token are refused, and learn nothing about paths.
as('stranger');
foreach my $call (@{ $needs{viewer} }, @{ $needs{operator} }, @{ $needs{editor} }, [ GET => '/api/nix' ], [ PATCH => '/api/connections' ])
{
	refuses(ask(@$call), 401, 'a valid bearer token is required', undef, "no anonymous role: $call->[0] $call->[1]");
}
health_of($current);
answers(ask(GET => '/api/ishealthy'), 200, 'OK', 'no anonymous role: isHealthy');
as('editor');
refuses(ask(GET => '/api/connections', undef, { Authorization => $_ }), 401, 'a valid bearer token is required', undef, "Authorization: $_")
  foreach 'Bearer abc', 'Bearer', 'Basic YTpi', '';

# --- No secret left the database ---------------------------------------------------------------------------------------------------

my $texts = join "\n", @all_answers;
my $logs  = join "\n", map { $_->log } values %bridge;
foreach my $secret (@secrets)
{
	unlike($texts, qr/\Q$secret/, "no answer holds $secret") if $secret ne $reader_password;
	unlike($logs,  qr/\Q$secret/, "no log of a bridge holds $secret") if $secret ne $reader_password;
}
ok(index($texts, $reader_password) < 0, 'no answer holds the password of the reader');
ok(index($logs,  $reader_password) < 0, 'no log of a bridge holds the password of the reader');
my $server_log = slurp_file($control->logfile);
ok(index($server_log, $_) < 0, 'the log of the control database holds no secret') foreach @secrets;
like($server_log, qr/ERROR:/, 'the log of the control database has errors in it');
unlike($texts, qr/\bSELECT\b|dqds_\w+_json\(|CONTEXT|PL\/pgSQL|line \d+/i, 'no answer holds SQL text or a trace');

is($_->stop, 0, 'the bridge ends with status 0') foreach values %bridge;
done_testing();
