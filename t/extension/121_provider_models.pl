# The models of all providers but those of libpq: what a driver is told of each, what is missing, what is refused, which keys are
# secrets, when a mask keeps them, and that no host gets around the policy. The agent is real; a module of the tests is in place
# of all drivers, and writes down what it was told (t/agent/echo_driver.c).
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Names;
use DqdsTest::Sql;
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'builds a module of the agent, without instruments' if under();

my $dir = PostgreSQL::Test::Utils::tempdir('agent');
chmod 0755, $dir;
copy($ENV{DQDS_AGENT} // 'agent/dqds-agent', "$dir/dqds-agent") or BAIL_OUT("agent/dqds-agent: $!");
chmod 0755, "$dir/dqds-agent";
system_or_bail($ENV{CC} // 'cc', '-shared', '-fPIC', '-Isrc', '-Iagent', "-DSEEN=\"$dir/seen\"", '-o', "$dir/dqds-agent-mysql.so", 't/agent/echo_driver.c');
copy("$dir/dqds-agent-mysql.so", "$dir/dqds-agent-$_.so") foreach qw(http odbc duckdb);

@ENV{qw(DQDS_SECRET_ACCOUNT DQDS_SECRET_ROLE DQDS_SECRET_HOME)} = qw(acme-prod hidden-role evil.test/x);
my $control = with_names(sub { control_server('control', conf => "dqds.agent = '$dir/dqds-agent'") });
my $sql     = DqdsTest::Sql->connect($control);
my $names   = sub { my ($address) = @_; set_names(map { ($_ => [$address]) } qw(db.test else.test acme-prod.snowflakecomputing.com other.snowflakecomputing.com bigquery.googleapis.com)) };
$names->('127.0.0.1');

# --- The providers ---------------------------------------------------------------------------------------------------------------

# section   a whole section
# told      what the driver is told of it, besides host, port, user and database as they are in the section, and address and timeout
# needed    the keys that it cannot be without
# refused   [[key, value, reason]…]
# secrets   the keys of it that are secrets (properties.KEY for a property)
my %login = (host => 'db.test', port => '1234', user => 'u', password => 'pass-word-7');
my %none  = (tls => 0);
my %all   = (tls => 4);
my $identity  = 'it uses the identity of the machine on which this server runs';
my $file      = 'it reads a file of the machine on which this server runs';
my $chain     = 'it looks for credentials on the machine on which this server runs';
my $directory = 'a login of Microsoft Entra ID needs libraries of Microsoft that dqds does not use';
my $storage   = 'files are read from the machine on which this server runs only';
my %provider  = (
	mysql => { section => { %login, database => 'shop', sslmode => 'VERIFY_CA', mysql_engine_type => 'mysql' }, told => { tls => 3 }, needed => [qw(host user)], secrets => ['password'],
		refused => [ [ mysql_engine_type => 'singlestoredb', 'SingleStore has other system tables and keeps its tables in partitions' ] ] },
	mariadb    => { section => {%login}, told => { tls => 1 }, needed => [qw(host user)], secrets => ['password'] },
	clickhouse => { section => { %login, database => 'shop' }, told => {%none}, needed => [qw(host user)], secrets => ['password'] },
	trino      => { section => { %login, catalog => 'hive', trino_engine_type => 'trino', athena_region => 'kept' }, told => { database => 'hive', %none }, needed => [qw(host user catalog)], secrets => ['password'],
		refused => [ [ trino_engine_type => 'athena', 'Athena speaks another protocol, and is usually reached with the identity of a machine' ] ] },
	presto    => { section => { %login, database => 'hive' }, told => {%none}, needed => [qw(host user database)], secrets => ['password'] },
	snowflake => { section => { account => 'acme-prod', warehouse => 'w', database => 'd', user => 'u', password => 'pass-word-7', role => 'r' },
		told => { host => 'acme-prod.snowflakecomputing.com', port => 443, warehouse => 'w', role => 'r', %all }, needed => [qw(account database user)], secrets => ['password'] },
	bigquery => { section => { source_project_id => 'p', jobs_create_project => 'create_jobs_in_selected_billing_project_id', billing_project_id => 'b', quota_project_id => 'q',
			authentication_mode => 'json_key_content', json_key_content => '{"private_key": "pass-word-7"}' },
		told => { host => 'bigquery.googleapis.com', port => 443, database => 'p', password => '{"private_key": "pass-word-7"}', %all,
			jobs_create_project => 'create_jobs_in_selected_billing_project_id', billing_project_id => 'b', quota_project_id => 'q' },
		needed => ['source_project_id'], secrets => ['json_key_content'],
		refused => [ [ authentication_mode => 'google_application_credentials', $identity ], [ authentication_mode => 'json_key_path', $file ], [ json_key_path => '/etc/key.json', $file, 1 ] ] },
	databricks => { section => { host => 'db.test', port => '443', catalog => 'main', user => 'token', http_path => '/sql/1.0/warehouses/1', access_token => 'pass-word-7' },
		told => { user => undef, database => 'main', http_path => '/sql/1.0/warehouses/1', password => 'pass-word-7', %all }, needed => [qw(host http_path)], secrets => ['access_token'] },
	spark     => { section => {%login}, told => {%none}, needed => [qw(host user)], secrets => ['password'] },
	sqlserver => { section => { %login, database => 'shop', authentication_mode => 'sql_password' }, told => {%all}, needed => [qw(host user)], secrets => ['password'],
		refused => [ (map { [ authentication_mode => "active_directory_$_", $directory ] } qw(password service_principal)), [ authentication_mode => 'active_directory_default', $chain ] ] },
	oracle   => { section => { %login, database => 'xe' }, told => {%none}, needed => [qw(host user database)], secrets => ['password'] },
	db2      => { section => { %login, database => 'shop', db2_platform_type => 'zos' }, told => { db2_platform_type => 'zos', %none }, needed => [qw(host user database)], secrets => ['password'] },
	hana     => { section => { %login, instance_number => '00' }, told => { instance_number => '00', %none }, needed => [qw(host user)], secrets => ['password'] },
	teradata => { section => {%login}, told => {%none}, needed => [qw(host user)], secrets => ['password'] },
	duckdb   => { section => { read_mode => 'in_memory', files_format_type => 'csv', directories => { s => '/data/s', t => '/data/t' }, storage_type => 'local' },
		told => { host => '', port => 0, read_mode => 'in_memory', files_format_type => 'csv', directories => '{"s": "/data/s", "t": "/data/t"}', %all }, needed => [qw(files_format_type directories)], secrets => [],
		refused => [ map { [ storage_type => $_, $storage ] } qw(s3 azure gcs) ] });

sub model { my ($provider, $section, %top) = @_; return to_json({ provider_type => $provider, $provider => $section, %top }); }
sub test_of { my ($connection) = @_; return ($sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal($connection) . '::text, false)'))[0]; }

# told(CONNECTION): what the driver has been told when this is tested; the result of the test in its member result.
sub told
{
	my ($connection) = @_;
	unlink "$dir/seen";
	my $row = test_of($connection);
	return { (-e "$dir/seen" ? map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, slurp_file("$dir/seen") : ()), result => "$row->{error_code}: $row->{error_message}" };
}

sub expected
{
	my ($provider) = @_;
	my %section = %{ $provider{$provider}{section} };
	my %told = ((map { ($_ => $section{$_}) } grep { defined $section{$_} } qw(host port user database password)), %{ $provider{$provider}{told} });
	delete $told{$_} foreach grep { !defined $told{$_} } keys %told;
	return \%told;
}

# without(SECTION, KEY): a copy of a section in which a key is missing.
sub without { my %copy = %{ $_[0] }; delete $copy{ $_[1] }; return \%copy; }

foreach my $name (sort keys %provider)
{
	my $p       = $provider{$name};
	my $section = $p->{section};
	is($sql->query("SELECT dqds_create_connection('$name', " . sql_literal(model($name, $section)) . ')')->{error}, undef, "$name: a whole model can be registered");
	my $told = told($name);
	my $result = delete $told->{result};
	is(delete $told->{address}, $name eq 'duckdb' ? undef : '127.0.0.1', $name eq 'duckdb' ? 'the driver gets no address' : 'the driver gets an address');
	is(delete $told->{timeout_ms}, 10000, 'and the time that there is');
	is_deeply($told, expected($name), 'and it is told what is in the model') or diag(explain($told));
	like($result, qr/^invalid_connection: /, 'its fault arrives');
	unlike($result, qr/pass-word-7/, 'without the secret that it repeats');
	is(test_of($name)->{warnings}, undef, 'there are no warnings');

	foreach my $key (@{ $p->{needed} })
	{
		foreach my $less (without($section, $key), { %$section, $key => '' }, { %$section, $key => undef })
		{
			next if $key eq 'directories' && defined $less->{$key};
			is($sql->query("SELECT dqds_create_connection('less', " . sql_literal(model($name, $less)) . ')')->{error}{message}, qq("$name.$key" is missing in the connection model), "$key is needed");
		}
	}
	foreach my $row (@{ $p->{refused} // [] })
	{
		my ($key, $word, $reason, $any) = @$row;
		my $error = $sql->query("SELECT dqds_create_connection('less', " . sql_literal(model($name, { %$section, $key => $word })) . ')')->{error};
		is("$error->{sqlstate} $error->{message}", qq(QD020 "$name.$key" in the connection model cannot be ) . ($any ? 'given' : $word) . ": $reason", "$key $word is refused by name");
		like($error->{hint}, qr/^Set /, 'with what to write instead');
	}

	# Secrets, and everything that says where they go.
	my ($shown) = $sql->column("SELECT model FROM dqds_connections WHERE connection_name = '$name'");
	unlike($shown, qr/pass-word-7/, 'the views do not show the secret');
	my $masked = from_json($shown)->{$name};
	is($masked->{$_}, '********', "$_ is masked") foreach @{ $p->{secrets} };
	next if !@{ $p->{secrets} };
	is($sql->query("SELECT dqds_update_connection('$name', " . sql_literal(model($name, $masked)) . ')')->{error}, undef, 'sent back, the mask is the secret');
	is(told($name)->{password}, expected($name)->{password}, 'which is as it was');
	is(told(model($name, $masked, connection_name => $name))->{password}, expected($name)->{password}, 'in a test of the model as well');
	my %secret = map { $_ => 1 } @{ $p->{secrets} };
	my %other  = (host => 'else.test', account => 'other', port => '4321', properties => { connect_timeout => 3 }, sslmode => $name =~ /^(?:mysql|mariadb)$/ ? 'DISABLED' : 'verify-full');
	foreach my $key (grep { !$secret{$_} } sort keys %{ { %$section, properties => 1, ($name eq 'duckdb' ? () : (sslmode => 1)) } })
	{
		my ($word) = grep { ($section->{$key} // '') ne $_ } $name eq 'bigquery' && $key eq 'jobs_create_project' ? 'create_jobs_in_source_project' : $key eq 'db2_platform_type' ? 'luw' : $other{$key} // 'another';
		next if $key =~ /^(?:mysql_engine_type|trino_engine_type|authentication_mode)$/;
		my $changed = model($name, { %$masked, $key => $word }, connection_name => $name);
		my $message = qq(invalid_connection: "$p->{secrets}[0]" must be supplied again);
		my $heard   = told($changed);
		is($heard->{result}, $message, "with another $key the mask is not the secret");
		is($heard->{password}, undef, 'which goes nowhere');
		is($sql->query("SELECT dqds_update_connection('$name', " . sql_literal($changed) . ')')->{error}{sqlstate}, 'QD020', 'nor in an update');
		next if $key !~ /^(?:host|account|database|catalog|source_project_id|http_path|warehouse|role)$/;
		is(told(model($name, without({ %$masked }, $key), connection_name => $name))->{password}, undef, "nor without $key");
	}
	is(told(model($_, { %$masked, host => 'db.test', account => 'a', database => 'd', catalog => 'c', http_path => 'p', source_project_id => 'p' }, connection_name => $name))->{password}, undef, "nor for provider type $_")
	  foreach grep { $_ ne $name } qw(mysql trino databricks);
}

# --- Hosts, derived or not, and the policy -------------------------------------------------------------------------------------------

foreach my $name (grep { $_ ne 'duckdb' } sort keys %provider)
{
	my $told = expected($name);
	my $refused = "target_not_allowed: connections to \"$told->{host}\" port $told->{port} are not allowed";
	foreach my $denied ($told->{host}, '*.com, *.test', "$told->{host}:$told->{port}", '127.0.0.0/8', '*')
	{
		$sql->must('SET dqds.denied_hosts = ' . sql_literal($denied));
		is(told($name)->{result}, $refused, "$name: denied by $denied");
		is(told($name)->{password}, undef, 'and the driver is told nothing');
	}
	$sql->must(q(RESET dqds.denied_hosts; SET dqds.allowed_hosts = '10.0.0.0/8, *.example'));
	is(told($name)->{result}, $refused, "$name: not allowed");
	$sql->must('SET dqds.allowed_hosts = ' . sql_literal($told->{host}));
	is(told($name)->{password}, $told->{password}, 'allowed by its name');
	$sql->must(q(SET dqds.denied_hosts = '127.0.0.9'));
	$names->('127.0.0.9');
	is(told($name)->{result}, $refused, 'but not where it leads to a denied address');
	$names->('127.0.0.1');
	$sql->must('RESET dqds.denied_hosts; RESET dqds.allowed_hosts');
}
foreach my $account ('a.b@evil.test/', 'evil.test/x', 'evil.test#', '.evil', 'evil.', '-a', 'a b', "a\n", 'a:1', 'a%2e', "\x{e4}", 'acme-prod.snowflakecomputing.com', 'a' x 300)
{
	like(told(model('snowflake', { %{ $provider{snowflake}{section} }, account => $account }))->{result}, qr/^invalid_connection: "snowflake\.account" in the connection model is not valid/, 'no account: ' . substr $account =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr, 0, 40);
}
is(told(model('bigquery', { %{ $provider{bigquery}{section} }, host => 'db.test' }))->{result}, 'invalid_connection: "bigquery.host" in the connection model is not known', 'a host where there is none is refused');
is(told(model('snowflake', { %{ $provider{snowflake}{section} }, host => 'db.test' }))->{result}, 'invalid_connection: "snowflake.host" in the connection model is not known', 'so it is beside an account');

# --- TLS ----------------------------------------------------------------------------------------------------------------------------------

# [provider, members of the section, TlsDemand]
foreach my $row (
	(map { my ($mode, $demand) = @$_; map { [ $_, { sslmode => $mode }, $demand ] } qw(mysql mariadb) } [ DISABLED => 0 ], [ PREFERRED => 1 ], [ REQUIRED => 2 ], [ VERIFY_CA => 3 ], [ VERIFY_IDENTITY => 4 ]),
	(map { my ($mode, $demand) = @$_; map { [ $_, { sslmode => $mode }, $demand ] } qw(trino presto clickhouse sqlserver oracle db2 hana teradata spark) } [ disable => 0 ], [ require => 2 ], [ 'verify-ca' => 3 ], [ 'verify-full' => 4 ]),
	(map { [ $_, {}, 4 ], [ $_, { sslmode => 'verify-full' }, 4 ] } qw(databricks snowflake bigquery)),
	(map { [ $_, { port => 443 }, 4 ], [ $_, { port => 8443 }, 4 ], [ $_, { port => 8080 }, 0 ], [ $_, { port => 443, sslmode => 'disable' }, 0 ] } qw(trino presto clickhouse)),
	(map { my $p = $_; map { [ $p, { properties => $_->[0] }, $_->[1] ] } [ { SSL => 'true' }, 4 ], [ { SSL => JSON::PP::true }, 4 ], [ { SSL => 'false' }, 0 ], [ { SSL => 'true', SSLVerification => 'CA' }, 3 ], [ { SSL => 'true', SSLVerification => 'none' }, 2 ],
			[ { SSLVerification => 'FULL' }, 4 ], [ { SSL => 'false', SSLVerification => 'FULL' }, 0 ] } qw(trino presto)),
	(map { [ clickhouse => { properties => $_->[0] }, $_->[1] ] } [ { ssl => 'true' }, 4 ], [ { ssl => 'true', sslmode => 'none' }, 2 ], [ { ssl => 'true', sslmode => 'strict' }, 4 ], [ { ssl => 'false' }, 0 ]),
	(map { [ mysql => { sslmode => undef, properties => $_->[0] }, $_->[1] ] } [ {}, 1 ], [ { useSSL => 'true' }, 2 ], [ { useSSL => 'false' }, 0 ], [ { useSSL => 'true', requireSSL => 'true' }, 2 ], [ { useSSL => 'true', requireSSL => 'false' }, 2 ],
		[ { useSSL => 'true', verifyServerCertificate => 'true' }, 3 ], [ { useSSL => 'true', verifyServerCertificate => 'false' }, 2 ], [ { sslMode => 'verify_identity' }, 4 ], [ { sslMode => 'PREFERRED' }, 1 ]),
	[ mysql => { sslmode => 'VERIFY_CA', properties => { useSSL => 'false' } }, 3 ],
	(map { [ mariadb => { properties => $_->[0] }, $_->[1] ] } [ { useSSL => 'true' }, 4 ], [ { useSsl => 'true', trustServerCertificate => 'true' }, 2 ], [ { sslMode => 'trust' }, 2 ], [ { sslMode => 'verify-full' }, 4 ], [ { sslMode => 'disable' }, 0 ]),
	[ sqlserver => {}, 4 ], [ sqlserver => { disable_encryption => JSON::PP::true }, 0 ], [ sqlserver => { disable_encryption => JSON::PP::false }, 4 ], [ sqlserver => { disable_encryption => JSON::PP::true, sslmode => 'require' }, 2 ],
	(map { [ sqlserver => { properties => $_->[0] }, $_->[1] ] } [ { encrypt => 'true' }, 4 ], [ { encrypt => 'false' }, 0 ], [ { encrypt => 'true', trustServerCertificate => 'true' }, 2 ], [ { trustServerCertificate => 'false' }, 4 ]),
	(map { [ hana => { properties => $_->[0] }, $_->[1] ] } [ { encrypt => 'true' }, 4 ], [ { encrypt => 'true', validateCertificate => 'false' }, 2 ]),
	[ db2 => { properties => { sslConnection => 'true' } }, 4 ], [ spark => { properties => { ssl => 'true' } }, 4 ], [ teradata => { properties => { SSLMODE => 'VERIFY-CA' } }, 3 ])
{
	my ($name, $members, $demand) = @$row;
	my %section = (%{ $provider{$name}{section} }, %$members);
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	is(told(model($name, \%section))->{tls}, $demand, "$name with " . to_json($members) . ": $demand");
}
foreach my $row (
	[ mysql => { sslmode => 'verify-full' }, 'sslmode', 'one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY' ], [ snowflake => { sslmode => 'disable' }, 'sslmode', 'one of verify-full' ],
	[ trino => { sslmode => 'prefer' }, 'sslmode', 'one of disable, require, verify-ca, verify-full' ], [ trino => { properties => { SSLVerification => 'maybe' } }, 'properties.SSLVerification', 'one of NONE, CA, FULL' ],
	[ trino => { properties => { SSL => 'maybe' } }, 'properties.SSL', 'one of true, false' ], [ sqlserver => { properties => { encrypt => 'strict' } }, 'properties.encrypt', 'one of true, false' ],
	[ mysql => { properties => { connectTimeout => '0' } }, 'properties.connectTimeout', 'a whole number of milliseconds from 1 to 3600000' ],
	[ snowflake => { properties => { private_key => 'x' x 8001 } }, 'properties.private_key', 'at most 8000 bytes long' ], [ databricks => { access_token => 'x' x 8001 }, 'access_token', 'at most 8000 bytes long' ],
	[ bigquery => { jobs_create_project => 'here' }, 'jobs_create_project', 'one of create_jobs_in_source_project, create_jobs_in_default_project_from_credentials, create_jobs_in_selected_billing_project_id' ],
	[ duckdb => { directories => { s => 5 } }, 'directories', 'an object whose members are strings that are not empty' ], [ duckdb => { files_format_type => 'xls' }, 'files_format_type', 'one of csv, json, parquet, avro, iceberg, delta_lake' ])
{
	my ($name, $members, $key, $wanted) = @$row;
	my $answer = test_of(model($name, { %{ $provider{$name}{section} }, %$members }));
	is("$answer->{error_message} | $answer->{hint}", qq("$name.$key" in the connection model is not valid | It must be $wanted.), "$name: $key must be $wanted");
}
like(told(model('trino', { %{ $provider{trino}{section} }, ssl_verify => 'x' }))->{result}, qr/^invalid_connection: "trino\.ssl_verify" in the connection model is not known$/, 'what looks like TLS and is not known is refused');

# --- Properties, and other members -------------------------------------------------------------------------------------------------------------

is(told(model('mysql', { %{ $provider{mysql}{section} }, properties => { connectTimeout => 1500, allow_cleartext_password => 'true' } }))->{$_->[0]}, $_->[1], "mysql: $_->[0] from a property") foreach [ timeout_ms => 1500 ], [ cleartext => 1 ];
is(told(model($_->[0], { %{ $provider{ $_->[0] }{section} }, properties => { $_->[1] => 3 } }))->{timeout_ms}, 3000, "$_->[0]: $_->[1] in seconds") foreach [ trino => 'connect_timeout' ], [ sqlserver => 'loginTimeout' ], [ db2 => 'loginTimeout' ], [ duckdb => 'connect_timeout' ];
foreach my $row ([ mysql => 'SSL' ], [ trino => 'useSSL' ], [ databricks => 'allow_cleartext_password' ], [ mysql => 'private_key' ], [ oracle => 'application_name' ])
{
	my ($name, $property) = @$row;
	my $answer = test_of(model($name, { %{ $provider{$name}{section} }, properties => { $property => 'true' } }));
	is($answer->{error_message}, qq(the property "$property" is not allowed in "$name.properties"), "$name: $property is not its own");
	like($answer->{hint}, qr/^Properties that may be set: connect_timeout\b/, 'and the hint says which are');
}

# A key pair of Snowflake is a secret, too.
{
	my %section = %{ without($provider{snowflake}{section}, 'password') };
	my $pem = "-----BEGIN PRIVATE KEY----- pass-word-7";
	is($sql->query("SELECT dqds_create_connection('pair', " . sql_literal(model('snowflake', { %section, properties => { private_key => $pem } })) . ')')->{error}, undef, 'a key pair can be registered');
	my $told = told('pair');
	is($told->{private_key}, $pem, 'the driver is told the private key');
	unlike($told->{result}, qr/pass-word-7/, 'which is not shown');
	my ($shown) = $sql->column(q(SELECT model FROM dqds_connections WHERE connection_name = 'pair'));
	is(from_json($shown)->{snowflake}{properties}{private_key}, '********', 'but masked');
	is(told(model('snowflake', from_json($shown)->{snowflake}, connection_name => 'pair'))->{private_key}, $pem, 'the mask keeps it');
	foreach my $key (qw(account warehouse database user role))
	{
		is(told(model('snowflake', { %{ from_json($shown)->{snowflake} }, $key => 'other' }, connection_name => 'pair'))->{result}, 'invalid_connection: "private_key" must be supplied again', "not with another $key");
	}
}
# Elsewhere in a model a private key is a secret as well, though it has no effect there.
$sql->must("SELECT dqds_create_connection('stray', " . sql_literal(model('snowflake', { %{ $provider{snowflake}{section} }, private_key => 'pass-word-8' })) . ')');
unlike($sql->value(q(SELECT model FROM dqds_connections WHERE connection_name = 'stray')), qr/pass-word-8/, 'a private key beside the properties');

# The obsolete password of Databricks counts where there is no token.
is(told(model('databricks', { %{ without($provider{databricks}{section}, 'access_token') }, password => 'pass-word-6' }))->{password}, 'pass-word-6', 'databricks: a password in place of the token');
is(told(model('databricks', { %{ $provider{databricks}{section} }, password => 'pass-word-6' }))->{password}, 'pass-word-7', 'but the token comes first');

# Statements are kept, not run, and that is said.
foreach my $name (qw(databricks oracle))
{
	is_deeply(test_of(model($name, { %{ $provider{$name}{section} }, initialization_sql => 'DROP TABLE x' }))->{warnings}, qq({"\\"$name.initialization_sql\\" is kept, but its statements are not run"}), "$name: a warning about initialization_sql");
}

# Other names of keys lead to the provider's own.
foreach my $row ([ trino => 'database', 'catalog' ], [ snowflake => 'host', 'account' ], [ bigquery => 'project', undef ], [ presto => 'catalog', 'database' ], [ databricks => 'httpPath', 'http_path' ], [ mysql => 'username', 'user' ])
{
	my ($name, $written, $meant) = @$row;
	next if !defined $meant;
	my %section = %{ $provider{$name}{section} };
	$section{$written} = delete $section{$meant};
	my $answer = test_of(model($name, \%section));
	like($answer->{hint}, qr/^Rename (?:"$written"|it) to "$meant"/, "$name: $written means $meant");
}

# References: to the environment where any text may be, to credentials where the secret is.
$sql->must(q(SELECT dqds_create_credential('key', 'pass-word-5', '*'), dqds_grant_credential('key', current_user)));
foreach my $row ([ databricks => 'access_token' ], [ bigquery => 'json_key_content' ], [ mysql => 'password' ])
{
	my ($name, $key) = @$row;
	is(told(model($name, { %{ $provider{$name}{section} }, $key => '${credential://key}' }))->{password}, 'pass-word-5', "$name: a credential as $key");
}
is(told(model('snowflake', { %{ without($provider{snowflake}{section}, 'password') }, properties => { private_key => '${credential://key}' } }))->{private_key}, 'pass-word-5', 'snowflake: a credential as private_key');
like(told(model('snowflake', { %{ $provider{snowflake}{section} }, $_ => '${credential://key}' }))->{result}, qr/^unresolved_secret: /, "not as $_") foreach qw(account warehouse database user role);

# And to the environment, where an admin wrote them.
foreach my $row (
	[ snowflake => { account => '${DQDS_SECRET_ACCOUNT}', role => '${DQDS_SECRET_ROLE}' }, { host => 'acme-prod.snowflakecomputing.com', role => 'hidden-role' } ], [ databricks => { access_token => 'a${DQDS_SECRET_ROLE}b' }, { password => 'ahidden-roleb' } ],
	[ bigquery => { source_project_id => '${DQDS_SECRET_ROLE}' }, { database => 'hidden-role' } ], [ trino => { catalog => '${DQDS_SECRET_ROLE}' }, { database => 'hidden-role' } ])
{
	my ($name, $members, $expected) = @$row;
	my $model = model($name, { %{ $provider{$name}{section} }, %$members });
	create_connection($control, "by reference $name", $model);
	my $told = told("by reference $name");
	is($told->{$_}, $expected->{$_}, "$name: $_ by a reference") foreach sort keys %$expected;
	unlike($told->{result}, qr/hidden-role/, 'whose value is not shown');
	$sql->must('SET dqds.denied_hosts = \'*\'');
	unlike(told("by reference $name")->{result}, qr/acme-prod|hidden-role/, 'nor that of a host') if $members->{account};
	$sql->must('RESET dqds.denied_hosts');
}
like(told(model('snowflake', { %{ $provider{snowflake}{section} }, account => '${DQDS_SECRET_HOME}' }))->{result}, qr/^(?:unresolved_secret|invalid_connection: "snowflake\.account" in the connection model is not valid)/, 'an account that is none');

# Files: there is no host, no user and no password, whatever the policy is.
{
	my $model = model('duckdb', { %{ $provider{duckdb}{section} }, read_mode => 'files' });
	create_connection($control, 'files', $model);
	$sql->must(q(SET dqds.denied_hosts = '*'));
	is(join(' | ', map { join ' ', grep { defined } @$_{qw(step status message)} } ($sql->rows(q(SELECT * FROM dqds_diagnose_connection('files'))))[ 0 .. 5 ]),
		'model ok the connection model is valid | resolve skipped | connect skipped | tls skipped | '
		  . 'authenticate ok the login is complete | database ok no database is named; all that the user may see can be listed', 'duckdb: a diagnosis');
	is(test_of($_)->{connection_test_result}, 'SUCCESS', 'a test') foreach 'files', $model;
	$sql->must('RESET dqds.denied_hosts');
}

# A session is kept for the same place, login and parameters alone. The user "in" is let in by the driver.
{
	my %section = (%{ $provider{snowflake}{section} }, user => 'in');
	my $heard = sub { unlink "$dir/seen"; $sql->must('SELECT * FROM dqds_list_schemas(' . sql_literal(model('snowflake', { %section, @_ })) . '::text)'); return -e "$dir/seen" ? 'a new login' : 'none' };
	is($heard->(), 'a new login', 'the first question logs in');
	is($heard->(), 'none', 'the next one does not');
	foreach my $change ([ account => 'other' ], [ warehouse => 'x' ], [ database => 'x' ], [ role => 'x' ], [ password => 'x' ], [ port => 444 ], [ properties => { private_key => 'x' } ])
	{
		is($heard->(@$change), 'a new login', "with another $change->[0] there is one");
		is($heard->(), 'none', 'and the first session is still there');
	}
}
done_testing();
