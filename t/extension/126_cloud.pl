# Databricks, Snowflake and BigQuery against servers that answer as the documentation of these services says: real ones cannot be
# had. Their names are answered by the tests' own name server, and their certificates are verified.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakeCloud;
use DqdsTest::Names;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use DqdsTest::Tls;
use IPC::Run ();
use MIME::Base64 ();
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('cloud');
my @hosts = qw(acme-x1.snowflakecomputing.com bigquery.googleapis.com workspace.cloud.test);
new_certificate($dir, 'ca');
new_certificate($dir, 'server', names => join ',', map { "DNS:$_" } @hosts);
new_certificate($dir, 'other', names => 'DNS:other.test');

# A key pair, for tokens that are signed here and verified there.
foreach my $command ([qw(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out), "$dir/rsa.key"], [qw(openssl pkey -pubout -in), "$dir/rsa.key", '-out', "$dir/rsa.pub"])
{
	my ($out, $err) = ('', '');
	IPC::Run::run($command, '<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
}
my $private_key = slurp_file("$dir/rsa.key");
my $digest = '';
IPC::Run::run([qw(openssl pkey -pubin -outform DER -in), "$dir/rsa.pub"], '|', [qw(openssl dgst -sha256 -binary)], '>', \$digest) or die 'openssl';
my $fingerprint = 'SHA256:' . MIME::Base64::encode_base64($digest, '');

# claims_of(REQUEST): those of its token, if the signature is right.
sub claims_of
{
	my ($request) = @_;
	my ($head, $claims, $signature) = ($request->{headers}{authorization} // '') =~ /^Bearer ([^.]+)\.([^.]+)\.([^.]+)$/ or return {};
	my $file = "$dir/signature.$$";
	my ($said, $err) = ('', '');
	open my $out, '>', $file or die $!;
	print $out MIME::Base64::decode_base64url($signature);
	close $out;
	IPC::Run::run([qw(openssl dgst -sha256 -verify), "$dir/rsa.pub", '-signature', $file], '<', \"$head.$claims", '>', \$said, '2>', \$err) or return {};
	return { %{ from_json(MIME::Base64::decode_base64url($claims)) }, head => from_json(MIME::Base64::decode_base64url($head)) };
}

# --- Databricks ---------------------------------------------------------------------------------------------

my %tables = (
	orders => { name => 'orders', schema_name => 'shop', table_type => 'MANAGED', comment => 'all orders', owner => 'ann', columns => [
		{ name => 'price', type_name => 'DECIMAL', type_text => 'decimal(10,2)', type_precision => 10, type_scale => 2, position => 1, nullable => JSON::PP::true },
		{ name => 'id', type_name => 'LONG', type_text => 'bigint', position => 0, nullable => JSON::PP::false, comment => 'key' } ] },
	cheap => { name => 'cheap', schema_name => 'shop', table_type => 'VIEW', columns => [] },
	Zeta  => { name => 'Zeta', schema_name => 'shop', table_type => 'MATERIALIZED_VIEW', columns => [] });

sub databricks
{
	my ($request, $log) = @_;
	my ($path, $query) = @$request{qw(path query)};
	return (401, { error_code => 'UNAUTHENTICATED', message => 'Credential was not sent or was of an unsupported type for this API.' })
	  if ($request->{headers}{authorization} // '') !~ /^Bearer dapi/;
	return (403, { error_code => '403', message => 'Invalid access token.' }) if $request->{headers}{authorization} ne 'Bearer dapi-right-1';
	if (my ($rest) = $path =~ m{^/api/2\.1/unity-catalog/(.*)$})
	{
		return (200, { default_catalog_name => 'main', metastore_id => 'x' }) if $rest eq 'current-metastore-assignment';
		return (200, { name => 'main', owner => 'ann' }) if $rest eq 'catalogs/main';
		return (403, { error_code => 'PERMISSION_DENIED', message => 'User does not have USE CATALOG on Catalog secret.' }) if $rest eq 'catalogs/secret';
		return (404, { error_code => 'CATALOG_DOES_NOT_EXIST', message => "Catalog 'none' does not exist." }) if $rest =~ /^catalogs/;
		# A page may be empty, and another one follow.
		return (200, !defined $query->{page_token} ? { schemas => [ { name => 'shop' }, { name => 'information_schema' } ], next_page_token => 'two & more' }
			: $query->{page_token} eq 'two & more' ? { next_page_token => 'three' } : { schemas => [ { name => 'A b' } ] }) if $rest eq 'schemas';
		return (200, {}) if $rest eq 'tables' && $query->{schema_name} ne 'shop';
		return (200, !defined $query->{page_token} ? { tables => [ @tables{qw(orders Zeta)} ], next_page_token => 't2' } : { tables => [ $tables{cheap} ] }) if $rest eq 'tables';
		return (200, { %{ $tables{orders} }, table_constraints => [ { primary_key_constraint => { name => 'pk', child_columns => ['id'] } } ] }) if $rest eq 'tables/main.shop.orders';
		return (404, { error_code => 'TABLE_DOES_NOT_EXIST', message => 'no table' });
	}
	if ($path eq '/api/2.0/sql/statements')
	{
		my $warehouse = $request->{json}{warehouse_id};
		return (404, { error_code => 'RESOURCE_DOES_NOT_EXIST', message => 'SQL warehouse not found' }) if $warehouse eq 'none';
		return (200, { statement_id => "s-$warehouse", status => { state => 'PENDING' } });
	}
	return (200, {}) if $path =~ m{/cancel$};
	return (200, { statement_id => 's', status => { state => 'FAILED', error => { error_code => 'BAD_REQUEST', message => 'the warehouse is broken' } } }) if $path =~ /s-broken$/;
	return (200, { statement_id => 's', status => { state => $path =~ /s-slow$/ || DqdsTest::FakeCloud::count_of($log, qr{GET \Q$path\E}) < 2 ? 'RUNNING' : 'SUCCEEDED' } });
}

# --- Snowflake ------------------------------------------------------------------------------------------------

my $pat = 'x' x 120;
my %statements = (
	schemata => [ ['PUBLIC'], ['a b'] ],
	tables   => [ [ 'ORDERS', 'table', '3', 'all orders' ], [ 'V', 'view', undef, undef ] ],
	columns  => [ [ 'ORDERS', '1', 'ID', 'NUMBER', undef, '38', '0', 'false', undef, undef ], [ 'ORDERS', '2', 'NAME', 'TEXT', '16777216', undef, undef, 'true', undef, 'who' ] ]);

sub result
{
	my ($rows, $parts) = @_;
	return (200, { code => '090001', message => 'Statement executed successfully.', sqlState => '00000', statementHandle => 'h', statementStatusUrl => '/api/v2/statements/h', data => $rows,
			resultSetMetaData => { numRows => scalar @$rows, format => 'jsonv2', rowType => [], partitionInfo => [ map { { rowCount => 1, uncompressedSize => 1 } } 1 .. $parts // 1 ] } });
}

sub snowflake
{
	my ($request, $log) = @_;
	my $type = $request->{headers}{'x-snowflake-authorization-token-type'} // '';
	if ($type eq 'KEYPAIR_JWT')
	{
		my $claims = claims_of($request);
		return (401, { code => '390144', message => 'JWT token is invalid. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]' })
		  if ($claims->{iss} // '') ne "ACME-X1.BOB.$fingerprint" || $claims->{sub} ne 'ACME-X1.BOB' || $claims->{exp} - $claims->{iat} > 3600;
	}
	elsif ($type ne 'PROGRAMMATIC_ACCESS_TOKEN' || $request->{headers}{authorization} ne "Bearer $pat")
	{
		return (401, { code => '390303', message => 'Invalid OAuth access token. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]' });
	}
	return (200, { code => '000604', message => 'SQL execution canceled', sqlState => '57014' }) if $request->{path} =~ m{/cancel$};
	if ($request->{method} eq 'POST')
	{
		my $json = $request->{json};
		my ($what) = $json->{statement} =~ /information_schema\.(\w+)/;
		return (422, { code => '002043', sqlState => '02000', message => "SQL compilation error:\nObject does not exist, or operation cannot be performed.", statementHandle => 'h' })
		  if ($json->{database} // '') ne 'SHOP' || ($json->{warehouse} // '') ne 'WH' || ($json->{role} // 'R') ne 'R';
		# The values of the statement are in the handle, so that another process knows them.
		my $values = join '.', map { unpack 'H*', $json->{bindings}{$_}{value} } sort { $a <=> $b } keys %{ $json->{bindings} // {} };
		return (202, { code => '333334', message => 'Asynchronous execution in progress.', statementHandle => "h-$what-$values", statementStatusUrl => "/api/v2/statements/h-$what-$values" });
	}
	my ($what, $values) = $request->{path} =~ m{/h-(\w+)-([0-9a-f.]*)$} or return (404, {});
	my @values = map { pack 'H*', $_ } split /\./, $values;
	return (202, { code => '333334', message => 'Asynchronous execution in progress.', statementHandle => "h-$what-$values" })
	  if ($values[0] // '') eq 'SLOW' || DqdsTest::FakeCloud::count_of($log, qr{GET \Q$request->{path}\E$}) % 2 == 1;
	# Of the tables, the first part has one row, and the statement goes on behind it.
	return result([ $statements{tables}[0] ], 2) if $what eq 'tables' && @values == 1;
	return result([ $statements{tables}[1] ]) if $what eq 'tables' && $values[1] eq 'ORDERS';
	return result($statements{$what});
}

# --- BigQuery -------------------------------------------------------------------------------------------------

sub google_error { my ($status, $reason, $message) = @_; return ($status, { error => { code => $status, message => $message, errors => [ { message => $message, domain => 'global', reason => $reason } ] } }); }

sub bigquery
{
	my ($request) = @_;
	my $claims = claims_of($request);
	my ($path, $query) = @$request{qw(path query)};
	return google_error(401, 'authError', 'Request had invalid authentication credentials.')
	  if ($claims->{iss} // '') ne 'dqds@acme.iam.gserviceaccount.com' || $claims->{aud} ne 'https://bigquery.googleapis.com/' || $claims->{head}{kid} ne 'key-1';
	return google_error(403, 'accessDenied', 'Access Denied: Project secret') if $path =~ m{/projects/secret/};
	return google_error(404, 'notFound', 'Not found: Project none') if $path !~ m{^/bigquery/v2/projects/acme/};
	return google_error(400, 'quota', 'no quota project') if ($request->{headers}{'x-goog-user-project'} // '') ne 'payer';
	$path =~ s{^/bigquery/v2/projects/acme/}{};
	return (200, { kind => 'bigquery#datasetList', $query->{pageToken} ? (datasets => [ map { { datasetReference => { datasetId => $_ } } } 'A', '_hidden' ])
			: (datasets => [ { datasetReference => { datasetId => 'shop' } } ], nextPageToken => 'n+/=') }) if $path eq 'datasets';
	return (200, { kind => 'bigquery#tableList', tables => [ map { { tableReference => { tableId => $_->[0] }, type => $_->[1] } } [ 'v', 'VIEW' ], [ 'orders', 'TABLE' ] ] }) if $path eq 'datasets/shop/tables';
	return (200, { kind => 'bigquery#tableList', totalItems => 0 }) if $path eq 'datasets/A/tables';
	return (200, { type => 'VIEW', numRows => '0', schema => { fields => [ { name => 'x', type => 'STRING', mode => 'NULLABLE', maxLength => '10' } ] } }) if $path eq 'datasets/shop/tables/v';
	return (200, { type => 'TABLE', numRows => '1234567890123', numBytes => '77', description => 'all orders', tableConstraints => { primaryKey => { columns => ['id'] } },
			schema => { fields => [ { name => 'id', type => 'INTEGER', mode => 'REQUIRED' }, { name => 'price', type => 'NUMERIC', precision => '10', scale => '2', description => 'in euros' }, { name => 'tags', type => 'STRING', mode => 'REPEATED' } ] } })
	  if $path eq 'datasets/shop/tables/orders';
	return google_error(404, 'notFound', 'Not found');
}

# --- The servers ------------------------------------------------------------------------------------------------

my %fake = (databricks => start_fake_cloud($dir, 'server', \&databricks), snowflake => start_fake_cloud($dir, 'server', \&snowflake), bigquery => start_fake_cloud($dir, 'server', \&bigquery));
my $strange = start_fake_cloud($dir, 'other', sub { return (200, {}) });
my $control = with_names(sub { control_server('control', conf => "dqds.ssl_root_certs = '$dir/ca.crt'") });
my $sql     = DqdsTest::Sql->connect($control);
set_names(map { $_ => ['127.0.0.1'] } @hosts);

my $key_content = to_json({ type => 'service_account', client_email => 'dqds@acme.iam.gserviceaccount.com', private_key => $private_key, private_key_id => 'key-1' });
my %section = (
	databricks => { host => 'workspace.cloud.test', port => '' . $fake{databricks}->port, catalog => 'main', access_token => 'dapi-right-1', http_path => '/sql/1.0/warehouses/abc' },
	snowflake  => { account => 'acme-x1', port => '' . $fake{snowflake}->port, database => 'shop', warehouse => 'wh', role => 'r', user => 'bob', password => $pat },
	bigquery   => { source_project_id => 'acme', port => '' . $fake{bigquery}->port, authentication_mode => 'json_key_content', json_key_content => $key_content, quota_project_id => 'payer' });

# model(PROVIDER, KEY => VALUE…): of a section; undef takes a key away.
sub model
{
	my ($provider, %change) = @_;
	my %all = (%{ $section{$provider} }, %change);
	delete $all{$_} foreach grep { !defined $all{$_} } keys %all;
	return to_json({ provider_type => $provider, $provider => \%all });
}

sub lines
{
	my ($call) = @_;
	my $answer = $sql->query("SELECT * FROM $call");
	return $answer->{error}{message} if $answer->{error};
	return join "\n", map { my $row = $_; join '|', map { $row->{$_} // '-' } @{ $answer->{columns} } } @{ $answer->{rows} };
}

sub check
{
	my ($what, $model, $expected, $message) = @_;
	my $row = outcome($sql, $model);
	is($row->{error_code} // $row->{connection_test_result}, $expected, $what) or diag(explain($row));
	like($row->{error_message} // '', $message, "$what: the message") if $message;
	unlike(join(' ', map { $_ // '' } values %$row), qr/dapi-|xxxx|PRIVATE KEY|eyJ/, "$what: no secret in it");
	return;
}

create_connection($control, $_, model($_)) foreach sort keys %section;
my $tables  = 'table_name, table_kind, estimated_rows, comment';
my $columns = 'column_name, column_type, length, "precision", scale, nullable, primary_key, comment';

# --- What is listed ---------------------------------------------------------------------------------------------

check('Databricks', model('databricks'), 'SUCCESS');
ok(count_of($fake{databricks}, qr{^GET /api/2\.0/sql/statements/s-abc$}) >= 2, 'a statement has run at the warehouse');
is(lines(q((SELECT schema_name FROM dqds_list_schemas('databricks')) AS s)), "A b\nshop", 'schemas of three pages');
is(lines("(SELECT $tables FROM dqds_list_tables('databricks', 'shop')) AS t"), "Zeta|materialized_view|-|-\ncheap|view|-|-\norders|table|-|all orders", 'tables, sorted');
is(lines(q((SELECT schema_name, table_name, owner FROM dqds_list_tables('databricks', table_name_contains => 'order')) AS t)), 'shop|orders|ann', 'of all schemas, with a filter');
is(lines("(SELECT $columns FROM dqds_list_columns('databricks', 'shop')) AS c"), "id|LONG|-|-|-|f|-|key\nprice|DECIMAL|-|10|2|t|-|-", 'columns, in their order');
is(lines("(SELECT $columns FROM dqds_list_columns('databricks', 'shop', '{orders,none}')) AS c"), "id|LONG|-|-|-|f|t|key\nprice|DECIMAL|-|10|2|t|f|-", 'with keys, if tables are named');

check('Snowflake with a token', model('snowflake'), 'SUCCESS');
check('Snowflake with a key pair', model('snowflake', password => undef, properties => { private_key => $private_key }), 'SUCCESS');
is(lines(q((SELECT schema_name FROM dqds_list_schemas('snowflake')) AS s)), "PUBLIC\na b", 'schemas');
is(lines("(SELECT $tables FROM dqds_list_tables('snowflake', 'PUBLIC')) AS t"), "ORDERS|table|3|all orders\nV|view|-|-", 'tables of two parts');
is(lines("(SELECT $columns FROM dqds_list_columns('snowflake', 'PUBLIC')) AS c"), "ID|NUMBER|-|38|0|f|-|-\nNAME|TEXT|16777216|-|-|t|-|who", 'columns');

check('BigQuery', model('bigquery'), 'SUCCESS');
is(lines(q((SELECT schema_name FROM dqds_list_schemas('bigquery')) AS s)), "A\nshop", 'datasets of two pages');
is(lines(q((SELECT count(*) FROM dqds_list_schemas('bigquery', true)) AS s)), '3', 'with hidden ones');
is(lines("(SELECT $tables, size_bytes FROM dqds_list_tables('bigquery', 'shop', include_sizes => true)) AS t"), "orders|table|1234567890123|all orders|77\nv|view|-|-|-", 'tables');
is(lines("(SELECT table_name, $columns FROM dqds_list_columns('bigquery', 'shop')) AS c"),
	"orders|id|INTEGER|-|-|-|f|t|-\norders|price|NUMERIC|-|10|2|t|f|in euros\norders|tags|ARRAY<STRING>|-|-|-|t|f|-\nv|x|STRING|10|-|-|t|f|-", 'columns');
foreach my $provider (sort keys %section)
{
	is(lines("(SELECT step FROM dqds_diagnose_connection('$provider') WHERE status = 'failed') AS d"), '', "$provider: a diagnosis without failures") or diag(lines("dqds_diagnose_connection('$provider')"));
	my $schema = $provider eq 'snowflake' ? 'PUBLIC' : 'shop';
	is(lines("(SELECT count(*) > 0 FROM dqds_import_tables('$provider', '$schema')) AS i"), 't', "$provider: import");
}

# --- What is refused ----------------------------------------------------------------------------------------------

check('Databricks: a wrong token', model('databricks', access_token => 'dapi-wrong-1'), 'authentication_failed', qr/Invalid access token/);
check('Databricks: no token', model('databricks', access_token => undef), 'password_required');
check('Databricks: no catalog is named', model('databricks', catalog => undef), 'SUCCESS');
check('Databricks: an unknown catalog', model('databricks', catalog => 'none'), 'database_not_found', qr/does not exist/);
check('Databricks: a catalog without rights', model('databricks', catalog => 'secret'), 'permission_denied', qr/USE CATALOG/);
check('Databricks: an unknown warehouse', model('databricks', http_path => '/sql/1.0/warehouses/none'), 'invalid_connection', qr/warehouse not found/);
check('Databricks: a broken warehouse', model('databricks', http_path => '/sql/1.0/warehouses/broken'), 'remote_error', qr/warehouse is broken/);
check('Databricks: another server', model('databricks', port => '' . $strange->port), 'tls_certificate');

check('Snowflake: a wrong token', model('snowflake', password => 'y' x 120), 'authentication_failed', qr/Invalid OAuth access token/);
check('Snowflake: a password', model('snowflake', password => 'secret-1'), 'invalid_connection', qr/takes no ordinary password; give a programmatic access token/);
check('Snowflake: no secret', model('snowflake', password => undef), 'password_required', qr/programmatic access token/);
check('Snowflake: a key of another user', model('snowflake', user => 'eve', password => undef, properties => { private_key => $private_key }), 'authentication_failed', qr/JWT token is invalid/);
check('Snowflake: no key', model('snowflake', password => undef, properties => { private_key => 'no key' }), 'invalid_connection', qr/private_key is no RSA key/);
check('Snowflake: an unknown database', model('snowflake', database => 'none'), 'database_not_found');
check('Snowflake: a name with quotes is not in capitals', model('snowflake', database => '"shop"'), 'database_not_found');
check('Snowflake: an account that is none', model('snowflake', account => 'acme.evil.example/'), 'invalid_connection');

check('BigQuery: another service account', model('bigquery', json_key_content => to_json({ %{ from_json($key_content) }, client_email => 'eve@acme.iam.gserviceaccount.com' })), 'authentication_failed', qr/invalid authentication/);
check('BigQuery: no key', model('bigquery', json_key_content => '{}'), 'invalid_connection', qr/json_key_content is not/);
check('BigQuery: an unknown project', model('bigquery', source_project_id => 'none'), 'database_not_found', qr/Not found/);
check('BigQuery: a project without rights', model('bigquery', source_project_id => 'secret'), 'permission_denied', qr/Access Denied/);

# Derived hosts are hosts like others.
reload_with($control, q(dqds.denied_hosts = '*.snowflakecomputing.com, *.googleapis.com'));
ok(poll_until(sub { (outcome($sql, model('snowflake'))->{error_code} // '') eq 'target_not_allowed' }, 10), 'Snowflake: the policy of hosts');
check('BigQuery: the policy of hosts', model('bigquery'), 'target_not_allowed');
reload_with($control, q(dqds.denied_hosts = ''));
$sql = DqdsTest::Sql->connect($control);

# --- Statements that are not waited for -----------------------------------------------------------------------------

sub cancelled { my ($what, $provider, $regex) = @_; return ok(poll_until(sub { count_of($fake{$provider}, $regex) }, 20), "$what: it is cancelled there") || diag(join "\n", cloud_requests($fake{$provider})); }

$sql->query(q(SET dqds.query_timeout = '1s'));
check('Databricks: a deadline', model('databricks', http_path => '/sql/1.0/warehouses/slow'), 'timeout');
cancelled('Databricks: a deadline', 'databricks', qr{^POST /api/2\.0/sql/statements/s-slow/cancel$});
like(lines(q(dqds_list_tables('snowflake', 'SLOW'))), qr/did not finish within 1\.0 s/, 'Snowflake: a deadline');
cancelled('Snowflake: a deadline', 'snowflake', qr{^POST /api/v2/statements/h-tables-534c4f57/cancel$});

forget_requests($fake{snowflake});
my $session = DqdsTest::Sql->connect($control);
$session->send(q(SELECT * FROM dqds_list_tables('snowflake', 'SLOW')));
ok(poll_until(sub { count_of($fake{snowflake}, qr{^GET /api/v2/statements/h-tables-534c4f57$}) }, 20), 'Snowflake: a statement is under way');
$sql->query('SELECT pg_cancel_backend(' . $session->pid . ')');
is($session->answer->{error}{sqlstate}, '57014', 'Snowflake: cancelled');
cancelled('Snowflake', 'snowflake', qr{/cancel$});

# No secret in the server's log.
unlike(slurp_file($control->logfile), qr/dapi-|x{100}|y{100}|BEGIN PRIVATE KEY|eyJ/, 'no secret in the log');

done_testing();
