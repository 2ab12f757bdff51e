# No key in a connection model is ignored silently. An unknown key in the section of the model's provider is kept, and
# reported with the key that was probably meant, by tests, by the diagnosis and when the model is registered; one that looks
# like a TLS setting or like the host makes the model unusable. No warning shows a value, and the published models have no
# warnings. Hosts, users and databases are understood as people write them, or the message says what is wrong with them.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir    = PostgreSQL::Test::Utils::tempdir('keys');
my $remote = remote_server('remote');
new_certificate($dir, 'self', names => 'IP:127.0.0.1');    # of an authority that no one trusts
serve_certificate($remote, $dir, 'self');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = start_bridge($control, level => 'admin');

# A model with members added to its section, and with others at its top.
sub model_with
{
	my ($section, $top) = @_;
	my $model = from_json(connection_model($remote));
	$model->{postgresql} = { %{ $model->{postgresql} }, %$section };
	delete $model->{postgresql}{$_} foreach grep { !defined $section->{$_} } keys %$section;
	return to_json({ %$model, %{ $top // {} } });
}

sub test_of
{
	my ($model) = @_;
	my $row = from_json($sql->value('SELECT to_jsonb(t) FROM dqds_test_connection(' . sql_literal($model) . '::text, false) t'));
	$row->{said} = lines($row->{warnings}) if $row->{warnings};
	return $row;
}
sub over_rest { return http($bridge, POST => "/api/datasource/testconnection?verifyNameUniqueness=false&details=$_[1]", {}, $_[0])->{json}; }
sub result { my ($row) = @_; return join ': ', grep { defined } @$row{qw(connection_test_result error_code error_message)}; }
sub lines { return join "\n", @{ $_[0] // [] }; }

# --- Keys that look like a setting of TLS, or like the host -----------------------------------------------------------------

like(result(test_of(model_with({ sslmode => 'verify-full' }))), qr/^FAILURE: tls_certificate/, 'the certificate is not trusted');
my $rename = sub { return "Rename it to \"$_[0]\", or leave it out." };
my $roots  = 'Leave it out: the setting dqds.ssl_root_certs says which certificates are trusted.';
my $client = 'Leave it out: client certificates are not supported.';
foreach my $row (
	(map { [ $_ => 'verify-full', $rename->('sslmode') ] } qw(sslMode ssl_mode SSLMODE ssl-mode Sslmode sslmoed slsmode PGSSLMODE pg_sslmode ssl tls tlsMode tls_mode ssl_enabled useSSL use_tls requireSSL sslfactory ssl.mode db_ssl
			enabletls FORCESSL startTLS verify_ca verify-full verifyServerCertificate rejectUnauthorized encryptionMode secure),
		'ssl mode', 'ssl' . 'x' x 60),
	(map { [ $_ => '/ca.crt', $roots ] } qw(ca caCertificate ca_certificate server_ca serverCertificate)),
	[ sslrootcert => '/ca.crt', $roots ], [ ssl_ca => '/ca.crt', $roots ], [ sslcert => '/c.crt', $client ], [ 'clientKey' => '/c.key', $client ],
	[ ssl_min_protocol_version => 'TLSv1.3', $rename->('properties.ssl_min_protocol_version') ], [ channelBinding => 'require', $rename->('properties.channel_binding') ],
	[ encrypt => JSON::PP::true, $rename->('sslmode') ],
	(map { [ $_ => '127.0.0.1', $rename->('host') ] } qw(hostname hostName host_name HOST Host server serverName hostaddr address db_host pgHost endpoint)),
	[ url => 'jdbc:postgresql://db/x', 'Leave it out: "host", "port", "database" and "user" say the same.' ],
	[ foreignServer => 'there', $rename->('foreign_server') ])
{
	my ($key, $value, $hint) = @$row;
	my $model = model_with({ $key => $value });
	my $row   = test_of($model);
	is(result($row), qq(FAILURE: invalid_connection: "postgresql.$key" in the connection model is not known), "$key: refused by name");
	is($row->{hint}, $hint, 'with what was probably meant');
	my $list = $sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal($model) . '::text)')->{error};
	is(($list->{sqlstate} // '') . ($list->{hint} // ''), "QD020$hint", 'in a listing as well');
	is(over_rest($model, 'false')->{errorCode}, 'invalid_connection', 'and over REST');
	is(http($bridge, POST => '/api/connections/never/basic', {}, $model)->{status}, 406, 'it cannot be registered');
}
foreach my $row ([ sslmode => 'sslmode' ], [ sslMode => 'sslmode' ], [ ssl_mode => 'sslmode' ], [ tls => 'sslmode' ], [ ' sslmode' => 'sslmode' ], [ '_sslmode' => 'sslmode' ], [ "\x{feff}sslmode" => 'sslmode' ])
{
	my ($key, $as) = @$row;
	my $row = test_of(model_with({}, { $key => 'verify-full' }));
	utf8::encode(my $shown = $key);
	is(result($row), qq(FAILURE: invalid_connection: "$key" in the connection model is not known), "$shown at the top: refused");
	is($row->{hint}, qq(Move it into "postgresql", as "$as".), 'and it is said where it belongs');
}
# What is missing may be there under another name.
foreach my $row (
	[ { host => undef, hots => '127.0.0.1' }, {}, 'postgresql.hots" in the connection model is not known', $rename->('host') ],
	[ { user => undef, username => 'reader' }, {}, 'postgresql.user" is missing in the connection model', 'Rename "username" to "user".' ],
	[ { user => undef, userid => 'reader' }, {}, 'postgresql.user" is missing in the connection model', 'Rename "userid" to "user".' ],
	[ {}, { postgresql => undef, postgres => { host => 'h' } }, 'postgresql" is missing in the connection model', 'Rename "postgres" to "postgresql".' ],
	[ {}, { postgresql => undef, host => 'h', user => 'u' }, 'postgresql" is missing in the connection model', qr/^Move "(host|user)" into "postgresql", as "\1"\.$/ ],
	[ {}, { provider_type => undef, providerType => 'postgresql' }, 'provider_type" is missing in the connection model', 'Rename "providerType" to "provider_type".' ])
{
	my ($section, $top, $message, $hint) = @$row;
	my $model = from_json(model_with($section, $top));
	delete $model->{$_} foreach grep { !defined $model->{$_} } keys %$model;
	my $answer = test_of(to_json($model));
	is(result($answer), "FAILURE: invalid_connection: \"$message", "$message");
	ref $hint ? like($answer->{hint}, $hint, 'with the key that is there') : is($answer->{hint}, $hint, 'with the key that is there');
}

# --- Other keys -----------------------------------------------------------------------------------------------------------------

my $value = 'this-is-not-shown';
sub unknown { my ($key, $meant) = @_; return qq("$key" is not known and has no effect) . ($meant ? qq(; "$meant" was probably meant) : ''); }
my @warned = (
	(map { [ { $_ => $value }, {}, unknown("postgresql.$_", 'database') ] } qw(dbname db dbName DATABASE databse databsae Database database_name catalog)),
	(map { [ { $_ => $value }, {}, unknown("postgresql.$_", 'user') ] } qw(username userName User usr login uid pguser db_user uesr)),
	(map { [ { $_ => $value }, {}, unknown("postgresql.$_", 'password') ] } qw(pass passwd pwd Password passwrod)),
	[ { Port => $value }, {}, unknown('postgresql.Port', 'port') ],
	[ { hsot => $value }, {}, unknown('postgresql.hsot', 'host') ],
	[ { application_name => $value }, {}, unknown('postgresql.application_name', 'properties.application_name') ],
	[ { connectTimeout => $value }, {}, unknown('postgresql.connectTimeout', 'properties.connect_timeout') ],
	[ { allow_cleartext_password => JSON::PP::true }, {}, unknown('postgresql.allow_cleartext_password', 'properties.allow_cleartext_password') ],
	(map { [ { $_ => $value }, {}, unknown("postgresql.$_") ] } qw(team cost_centre x class_level business_settlement service passfile replication)),
	[ { team => { password => $value } }, {}, unknown('postgresql.team') ],
	[ { dbname => $value, zone => 5 }, { host => $value }, '"host" has no effect at the top level; it belongs in "postgresql", as "host"' . "\n" . unknown('postgresql.zone') . "\n" . unknown('postgresql.dbname', 'database') ],
	(map { my ($key, $as) = @$_; [ {}, { $key => $value }, qq("$key" has no effect at the top level; it belongs in "postgresql", as "$as") ] }
		[ port => 'port' ], [ user => 'user' ], [ database => 'database' ], [ password => 'password' ], [ Options => 'options' ], [ properties => 'properties' ]),
	[ {}, { connectionName => $value }, unknown('connectionName', 'connection_name') ],
	[ {}, { parallelJobsLimit => 3 }, unknown('parallelJobsLimit', 'parallel_jobs_limit') ],
	[ {}, { passwordRequired => JSON::PP::false }, unknown('passwordRequired', 'password_required') ],
	[ {}, { postgres => { host => $value } }, unknown('postgres', 'postgresql') ],
	[ { "new\nline \e[1m\x{202e}" => $value }, {}, unknown('postgresql.new line \u001B[1m\u202E') ],
	[ { 'k' x 70 => $value }, {}, unknown('postgresql.' . 'k' x 63 . '...') ],
	[ { ("\x{e9}" x 32) => $value }, {}, unknown('postgresql.' . "\x{e9}" x 31 . '...') ]);
my $log = -s $control->logfile;
foreach my $row (@warned)
{
	my ($section, $top, $expected) = @$row;
	my $model = model_with($section, $top);
	my $first = (split /\n/, $expected)[0];
	my $row   = test_of($model);
	is(result($row),   'SUCCESS', "$first: the connection works");
	is($row->{said}, $expected, 'and is warned of') or diag(explain($row));
	my $json = over_rest($model, 'true');
	is(lines($json->{warnings}), $expected, 'over REST as well');
	is($json->{details}[0]{status}, 'warning', 'the diagnosis has it in its first step');
	is($json->{details}[0]{message}, $expected =~ s/\n/; /gr, 'in the same words');
	unlike(to_json($json) . to_json($row), qr/$value/, 'no value is shown');
}

# A typing error of the other key, or of none: what is likely is a guess, but the key is named.
is(test_of(model_with({ hostt => '127.0.0.1' }))->{said}, unknown('postgresql.hostt', 'host'), 'a typing error beside a host is a warning');

# When it is registered, and of registered ones.
foreach my $call ([ 'dqds_create_connection', 'warned' ], [ 'dqds_update_connection', 'warned' ])
{
	my ($function, $name) = @$call;
	my ($rc, $out, $err) = $control->psql('postgres', "SELECT $function('$name', " . sql_literal(model_with({ dbname => $value, team => $value })) . ')');
	is($rc, 0, "$function: it is kept");
	my @said = sort $err =~ /WARNING:  (.*)/g;
	is(join("\n", @said), join("\n", sort(unknown('postgresql.dbname', 'database'), unknown('postgresql.team'))), 'with a warning for each key');
	unlike($err, qr/$value/, 'and without any value');
}
is($sql->value(q(SELECT model #>> '{postgresql,dbname}' FROM dqds_connections WHERE connection_name = 'warned')), $value, 'the model is given back as it was written');
is($sql->value(q(SELECT array_to_string(warnings, '|') FROM dqds_test_connection('warned'))), unknown('postgresql.team') . '|' . unknown('postgresql.dbname', 'database'), 'a test by name warns');
create_connection($control, 'plain', connection_model($remote));
is(join(' ', map { "$_->{connection_name}=" . ($_->{n} // 'NULL') } $sql->rows(q(SELECT connection_name, cardinality(warnings) AS n FROM dqds_test_connections() ORDER BY 1))),
	'plain=NULL warned=2', 'dqds_test_connections warns of each');
is($sql->value(q(SELECT cardinality(warnings) FROM dqds_test_connections('warned'))), 2, 'and of one that is named');
is($sql->value(q(SELECT status || ' ' || message FROM dqds_diagnose_connection('plain') WHERE step = 'model')), 'ok the connection model is valid', 'a model without such keys is valid');
is(exists over_rest(connection_model($remote), 'false')->{warnings} ? 'there' : 'missing', 'missing', 'and has no warnings over REST');
unlike(slurp_file($control->logfile, $log), qr/$value/, 'no value has come into the log');

# New columns come last.
is(join(' ', @{ $sql->must(q(SELECT * FROM dqds_test_connection('plain')))->{columns} }), 'connection_test_result error_message error_code sqlstate hint server_version tls elapsed_ms warnings', 'the columns of dqds_test_connection');
is(join(' ', @{ $sql->must(q(SELECT * FROM dqds_test_connections()))->{columns} }), 'connection_name connection_test_result error_message error_code sqlstate hint server_version tls elapsed_ms warnings',
	'the columns of dqds_test_connections');

# However many there are.
{
	my $row = test_of(model_with({ map { ("key$_" => $value) } 1 .. 5000 }));
	my @said = split /\n/, $row->{said};
	is(scalar(@said), 21, 'thousands of unknown keys are not all listed');
	is($said[-1], 'more keys have no effect', 'and that is said');
	is(scalar(@{ over_rest(model_with({}, { map { ("host$_" => $value) } 1 .. 50 }), 'false')->{warnings} // [] }), 0, 'other keys at the top are those of other programs');
}

# --- Published models -----------------------------------------------------------------------------------------------------------

my %published = (
	connection_name => 'published', connection_hash => 5, parallel_jobs_limit => 4, schedule_on_instance => 'cloud', advanced_properties => { host => 'x', sslMode => 'y' },
	(map { ($_ => { connection => 'published', enabled => JSON::PP::true }) } qw(run_checks_job_template run_profiling_checks_job_template run_monitoring_checks_job_template run_partition_checks_job_template
		collect_statistics_job_template data_clean_job_template)),
	(map { ($_ => JSON::PP::true) } qw(can_edit can_collect_statistics can_run_checks can_delete_data)), yaml_parsing_error => 'none',
	default_grouping_configuration => {}, schedules => {}, auto_import_tables => {}, incident_grouping => {}, comments => [], labels => ['ssl'],
	mysql => { host => 'h', sslMode => 'x', mysql_engine_type => 'mysql' }, bigquery => { json_key_content => 'x' }, snowflake => { account => 'a', warehouse => 'w' });
my %section = (
	postgresql => { options => '-c geqo=off', sslmode => 'prefer', postgresql_engine_type => 'postgresql', properties => { '' => '' } },
	redshift   => { redshift_authentication_mode => 'user_password', properties => { '' => '' } },
	questdb    => { properties => { allow_cleartext_password => 'true' } });
foreach my $provider (sort keys %section)
{
	my %own = (%{ from_json(connection_model($remote))->{postgresql} }, %{ $section{$provider} });
	my $model = to_json({ %published, provider_type => $provider, $provider => \%own });
	my $row = test_of($model);
	isnt($row->{error_code} // '', 'invalid_connection', "$provider: the published model can be used");
	is($row->{warnings}, undef, 'and has no warnings');
	is(test_of(to_json({ %published, provider_type => $provider, $provider => { %own, (map { ($_ => undef) } qw(sslMode dbname hostname)), (map { ($_ => '') } qw(ssl_mode username)) } }))->{warnings},
		undef, 'nor has one with unknown keys that are null or empty');
}

# --- Hosts as people write them ----------------------------------------------------------------------------------------------------

my $one = 'It must be one host name or address';
foreach my $row (
	[ '127.0.0.1:5432', "$one; the port belongs in \"port\"." ], [ 'localhost:' . $remote->port, "$one; the port belongs in \"port\"." ],
	[ '[::1]:5432', "$one, without brackets; the port belongs in \"port\"." ], [ '[localhost]', "$one, without brackets; the port belongs in \"port\"." ],
	[ '127.0.0.1,127.0.0.1', "$one, not a list." ], [ '/var/run/postgresql', "$one, not a Unix-domain socket." ], [ '@abstract', "$one, not a Unix-domain socket." ],
	[ 'https://db.example.com', "$one, not a URL." ], [ 'postgresql://reader@db.example.com/shop', "$one, not a URL." ], [ 'reader@db.example.com', "$one, without a user." ],
	[ "b\x{fc}cher.example", "$one in ASCII, in which an international name begins with xn--." ],
	(map { [ $_, "$one, without white space around it." ] } ' localhost', 'localhost ', "localhost\n", "localhost\r\n", "\tlocalhost", "localhost\x{a0}", "\x{200b}localhost", "localhost\x{feff}", ' '),
	[ 'local host', "$one." ], [ 'a' x 254, 'It must be at most 253 characters long.' ])
{
	my ($host, $hint) = @$row;
	my $shown = $host =~ s/([^!-~])/sprintf '\\x{%x}', ord $1/egr;
	my $row   = test_of(connection_model($remote, host => $host));
	is(result($row), 'FAILURE: invalid_connection: "postgresql.host" in the connection model is not valid', "host <" . substr($shown, 0, 60) . '>: refused');
	is($row->{hint}, $hint, 'with the reason');
}
{
	my $port = '' . free_port();
	my $row = test_of(connection_model($remote, host => '[::1]', port => $port));
	unlike(result($row), qr/invalid_connection|host_not_found|SUCCESS/, 'an address in brackets is understood');
	like(result($row), qr/\[::1\]/, 'and shown as it is written');
	my $strict = DqdsTest::Sql->connect($control);
	foreach my $denied ('::1', '::1/128', "[::1]:$port")
	{
		$strict->must("SET dqds.denied_hosts = '$denied'");
		is($strict->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => '[::1]', port => $port)) . '::text)')->{rows}[0]{error_code}, 'target_not_allowed', "denied by $denied");
	}
}

# --- White space around names ---------------------------------------------------------------------------------------------------------

# It is legal there, so it is said and not refused.
foreach my $end (' ', "\n", "\t", "\x{a0}", "\x{200b}", "\x{feff}", "\x{3000}")
{
	my $code = sprintf 'U+%04X', ord $end;
	foreach my $key (qw(user database))
	{
		foreach my $text ("reader$end", "${end}reader")
		{
			my $row = test_of(model_with({ $key => $text }));
			is($row->{said}, qq("postgresql.$key" begins or ends with white space), "$key with $code at an end: warned of");
			isnt($row->{error_code} // '', 'invalid_connection', 'and tried');
		}
	}
}
is(test_of(model_with({ user => 'a b', database => "x\x{200b}y" }))->{warnings}, undef, 'within a name it is nothing special');

$bridge->stop;
done_testing();
