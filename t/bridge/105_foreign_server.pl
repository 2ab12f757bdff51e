# A model may name a foreign server of postgres_fdw or dblink_fdw. Then the place comes from that server, and the login from
# the user mapping of the calling role, by PostgreSQL's own rules: USAGE on the server, the role's own mapping or that of
# PUBLIC, also for a connection that another role has registered. Options without a counterpart are refused by name, the
# author of the model cannot send the caller's password elsewhere or with less protection, and no password is shown.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Refusing;
use DqdsTest::Sql;
use DqdsTest::Tls;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir    = PostgreSQL::Test::Utils::tempdir('foreign');
my $remote = remote_server('remote');
my $port   = $remote->port;
new_certificate($dir, 'self', names => 'IP:127.0.0.1');
serve_certificate($remote, $dir, 'self');
$remote->safe_psql('postgres', <<'SQL');
CREATE ROLE r_alice LOGIN PASSWORD 'pw-of-alice';
CREATE ROLE r_bob LOGIN PASSWORD 'pw-of-bob';
CREATE ROLE r_all LOGIN PASSWORD 'pw-of-all';
CREATE DATABASE shop;
SQL
$remote->safe_psql('shop', 'CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO PUBLIC; CREATE TABLE s.of_alice (a int); CREATE TABLE s.of_bob (b int);'
	  . ' GRANT SELECT ON s.of_alice TO r_alice; GRANT SELECT ON s.of_bob TO r_bob');

my $control = control_server('control');
my %sql = (super => DqdsTest::Sql->connect($control));
sub super { return $sql{super}->must(@_); }
foreach my $role (qw(alice bob carol dave owner))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => 'editor');
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
}
create_wrapper($control, $_) foreach qw(postgres_fdw dblink);
super(<<"SQL");
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO owner;
CREATE SERVER "the Shop" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'shop', fetch_size '1000', use_remote_estimate 'true',
	extensions 'postgres_fdw', application_name 'of the server', keepalives_idle '60', connect_timeout '5', options '-c search_path=s');
CREATE SERVER linked FOREIGN DATA WRAPPER dblink_fdw OPTIONS (hostaddr '127.0.0.1', host '127.0.0.1', port '$port', dbname 'shop');
CREATE SERVER dblinked FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'shop');
GRANT USAGE ON FOREIGN SERVER "the Shop", linked, dblinked TO alice, bob, dave;
CREATE USER MAPPING FOR alice SERVER "the Shop" OPTIONS (user 'r_alice', password 'pw-of-alice');
CREATE USER MAPPING FOR bob SERVER "the Shop" OPTIONS (user 'r_bob', password 'pw-of-bob');
CREATE USER MAPPING FOR carol SERVER "the Shop" OPTIONS (user 'r_bob', password 'pw-of-bob');
CREATE USER MAPPING FOR alice SERVER linked OPTIONS (user 'r_alice', password 'pw-of-alice');
CREATE USER MAPPING FOR alice SERVER dblinked OPTIONS (user 'r_alice', password 'pw-of-alice');
SQL

sub model { my ($server, %more) = @_; my $top = delete $more{top} // {}; return to_json({ provider_type => 'postgresql', postgresql => { foreign_server => $server, %more }, %$top }); }
sub test_as { my ($role, $connection) = @_; return $sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal($connection) . '::text, false)')->{rows}[0]; }
sub result { my ($row) = @_; return join ': ', grep { defined } @$row{qw(connection_test_result error_code error_message)}; }
sub tables_of { my ($role, $connection) = @_; return join ' ', $sql{$role}->column('SELECT table_name FROM dqds_list_tables(' . sql_literal($connection) . "::text, 's')"); }
sub who { my ($role, $connection) = @_; return $sql{$role}->value('SELECT message FROM dqds_diagnose_connection(' . sql_literal($connection) . "::text) WHERE step = 'authenticate'"); }

# --- Each role's own mapping ------------------------------------------------------------------------------------------------------

my $shop = model('the Shop');
is(result(test_as($_, $shop)), 'SUCCESS', "$_ is let in") foreach qw(alice bob);
is(tables_of('alice', $shop), 'of_alice', 'alice sees what the user of its mapping may');
is(tables_of('bob', $shop), 'of_bob', 'bob sees what the user of its mapping may');
is(who('alice', $shop), 'user "r_alice" is logged in', 'the diagnosis names the user');
is(result(test_as('alice', model('dblinked'))), 'SUCCESS', 'a server of dblink_fdw');
is($remote->safe_psql('postgres', q(SELECT DISTINCT usename, application_name FROM pg_stat_activity WHERE datname = 'shop' AND usename = 'r_alice' AND application_name = 'of the server')),
	'r_alice|of the server', 'options of the server are those of the connection');
is(test_as('alice', model('the Shop'))->{warnings}, undef, 'there is nothing to warn of');

# A role without USAGE, without a mapping, and the mapping of PUBLIC.
my $denied = test_as('carol', $shop);
is(result($denied), 'FAILURE: permission_denied: permission denied for foreign server "the Shop"', 'a mapping without USAGE is not enough');
is($denied->{hint}, 'Its owner can run: GRANT USAGE ON FOREIGN SERVER "the Shop" TO "carol";', 'and the hint has the command');
is($sql{carol}->query('SELECT * FROM dqds_list_schemas(' . sql_literal($shop) . ')')->{error}{sqlstate}, 'QD012', 'nor in a listing');
my $unmapped = test_as('dave', $shop);
is(result($unmapped), 'FAILURE: invalid_connection: there is no user mapping for "dave" and foreign server "the Shop"', 'USAGE without a mapping neither');
is($unmapped->{hint}, q(Run: CREATE USER MAPPING FOR "dave" SERVER "the Shop" OPTIONS (user '...', password '...');), 'and the hint has the command');
super(q(CREATE USER MAPPING FOR PUBLIC SERVER "the Shop" OPTIONS (user 'r_all', password 'pw-of-all')));
is(who('dave', $shop), 'user "r_all" is logged in', 'the mapping of PUBLIC is for those without their own');
is(who('bob', $shop), 'user "r_bob" is logged in', 'not for others');
is(result(test_as('carol', $shop)), 'FAILURE: permission_denied: permission denied for foreign server "the Shop"', 'and not for those without USAGE');
super(q(GRANT USAGE ON FOREIGN SERVER "the Shop" TO carol));
is(who('carol', $shop), 'user "r_bob" is logged in', 'USAGE counts at once');
super(q(REVOKE USAGE ON FOREIGN SERVER "the Shop" FROM carol));
is(test_as('carol', $shop)->{error_code}, 'permission_denied', 'and what was revoked, too');
is($sql{carol}->query('SELECT * FROM dqds_list_schemas(' . sql_literal($shop) . ')')->{error}{sqlstate}, 'QD012', 'whatever session is still there');

# --- Registered by someone else ------------------------------------------------------------------------------------------------------

$sql{alice}->must("SELECT dqds_create_connection('shop', " . sql_literal($shop) . ')');
super("SELECT dqds_grant_connection('shop', '$_')") foreach qw(bob carol dave);
is(who($_->[0], 'shop'), "user \"$_->[1]\" is logged in", "by name $_->[0] is $_->[1]") foreach [ alice => 'r_alice' ], [ bob => 'r_bob' ], [ dave => 'r_all' ];
is(tables_of('bob', 'shop'), 'of_bob', 'and sees what that user may');
is(tables_of('alice', 'shop'), 'of_alice', 'each with a session of its own');
is(test_as('carol', 'shop')->{error_code}, 'permission_denied', 'a grant of the connection is no USAGE');
is(join(' ', map { "$_->{connection_name}=$_->{connection_test_result}" } $sql{carol}->rows('SELECT * FROM dqds_test_connections()')), 'shop=FAILURE', 'which is a row of a test of all, and no error');
is(to_json($sql{bob}->must(q(SELECT host, port, database, "user", model #>> '{postgresql,foreign_server}' AS server FROM dqds_connections))->{rows}[0]),
	'{"database":null,"host":null,"port":null,"server":"the Shop","user":null}', 'the view shows the server, and nothing of its place');
is(scalar($sql{bob}->rows(q(SELECT * FROM dqds_import_tables('shop', 's')))), 1, 'tables are imported');
is($sql{bob}->value(q(SELECT already_imported FROM dqds_list_tables('shop', 's'))), 't', 'and known by the name of the connection');
is($sql{alice}->value(q(SELECT already_imported FROM dqds_list_schemas('shop') WHERE schema_name = 's')), 't', 'for all who use it');
my $own = to_json({ %{ from_json($shop) }, connection_name => 'shop' });
is($sql{bob}->value('SELECT already_imported FROM dqds_list_tables(' . sql_literal($own) . "::text, 's')"), 't', 'and by a model with that name');
is($sql{alice}->query('SELECT already_imported FROM dqds_list_schemas(' . sql_literal(to_json({ %{ from_json(model('dblinked')) }, connection_name => 'shop' })) . "::text) WHERE schema_name = 's'")->{rows}[0]{already_imported},
	'f', 'but not if it is another server');
super(q(ALTER SERVER "the Shop" OPTIONS (SET dbname 'postgres')));
is(test_as('bob', 'shop')->{error_code}, undef, 'a change of the server counts at once');
is($sql{bob}->value(q(SELECT message FROM dqds_diagnose_connection('shop') WHERE step = 'database')), 'database "postgres" is open', 'for the next call');
super(q(ALTER SERVER "the Shop" OPTIONS (SET dbname 'shop')));

# Over REST, by tokens of two roles.
{
	my $bridge = start_bridge($control, anonymous => undef);
	super("GRANT alice, bob, carol TO dqds_bridge");
	my %token = map { ($_ => $sql{super}->value("SELECT dqds_create_token('$_')")) } qw(alice bob carol);
	my $get = sub { my ($role, $path) = @_; return http($bridge, GET => "/api/datasource/connections/shop/$path", { Authorization => "Bearer $token{$role}" }); };
	is(join(' ', map { $_->{tableName} } @{ $get->($_->[0], 'schemas/s/tables')->{json} }), $_->[1], "$_->[0] lists what is there for $_->[0]") foreach [ alice => 'of_alice' ], [ bob => 'of_bob' ];
	my $refused = $get->('carol', 'schemas');
	is("$refused->{status} $refused->{json}{errorCode}", '400 permission_denied', 'a role without USAGE is refused');
	like($refused->{json}{message}, qr/permission denied for foreign server "the Shop"/, 'by name');
	is(http($bridge, POST => '/api/datasource/testconnection', { Authorization => "Bearer $token{$_->[0]}" }, $shop)->{json}{connectionTestResult}, $_->[1], "a test by $_->[0]") foreach [ alice => 'SUCCESS' ], [ carol => 'FAILURE' ];
	$bridge->stop;
}

# --- What cannot be used ----------------------------------------------------------------------------------------------------------------

super(<<"SQL");
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other FOREIGN DATA WRAPPER other OPTIONS (host '127.0.0.1');
CREATE FOREIGN DATA WRAPPER lookalike VALIDATOR postgresql_fdw_validator;
CREATE SERVER lookalike FOREIGN DATA WRAPPER lookalike OPTIONS (host '127.0.0.1', port '$port');
SQL
sub server_with
{
	my ($options, $mapping) = @_;
	super("DROP SERVER IF EXISTS tried CASCADE; CREATE SERVER tried FOREIGN DATA WRAPPER postgres_fdw OPTIONS ($options); GRANT USAGE ON FOREIGN SERVER tried TO alice, bob;"
	  . " CREATE USER MAPPING FOR alice SERVER tried OPTIONS (" . ($mapping // q(user 'r_alice', password 'pw-of-alice')) . ')');
	return model('tried');
}
my $place = "host '127.0.0.1', port '$port', dbname 'shop'";
foreach my $row (
	[ model('nowhere') => 'foreign server "nowhere" does not exist', qr/pg_foreign_server/ ], [ model('x' x 70) => 'foreign server "' . 'x' x 70 . '" does not exist', qr/./ ],
	[ model('other') => 'foreign server "other" is not a PostgreSQL server', qr/postgres_fdw and dblink_fdw/ ], [ model('lookalike') => 'foreign server "lookalike" is not a PostgreSQL server', qr/./ ],
	[ model('linked') => 'the option "hostaddr" of foreign server "linked" is not supported', qr/Write a connection model/ ],
	(map { my $option = $_; [ sub { server_with("$place, $option '/x'") } => qq(the option "$option" of foreign server "tried" is not supported), qr/./ ] } qw(sslrootcert passfile service krbsrvname sslcrl requirepeer)),
	(map { my $option = $_; [ sub { server_with($place, "user 'r_alice', password 'pw-of-alice', $option '/x'") } => qq(the option "$option" of foreign server "tried" is not supported), qr/./ ] } qw(sslcert sslkey)),
	[ sub { server_with("port '$port'") } => 'the option "host" of foreign server "tried" is missing', qr/ALTER SERVER/ ],
	[ sub { server_with("host '', port '$port'") } => 'the option "host" of foreign server "tried" is missing', qr/ALTER SERVER/ ],
	[ sub { server_with($place, "password 'x'") } => 'the option "user" of foreign server "tried" is missing', qr/ALTER SERVER or ALTER USER MAPPING/ ],
	[ sub { server_with("host '/tmp', port '$port'") } => 'the option "host" of foreign server "tried" is not valid', qr/not a Unix-domain socket/ ],
	[ sub { server_with("host '127.0.0.1,127.0.0.1', port '$port'") } => 'the option "host" of foreign server "tried" is not valid', qr/not a list/ ],
	[ sub { server_with("host '127.0.0.1', port '$port,$port'") } => 'the option "port" of foreign server "tried" is not valid', qr/from 1 to 65535/ ],
	[ sub { server_with("$place, sslmode 'always'") } => 'the option "sslmode" of foreign server "tried" is not valid', qr/one of disable, .*verify-full/ ],
	[ sub { server_with("$place, gssencmode 'require'") } => 'the option "gssencmode" of foreign server "tried" is not valid', qr/Kerberos is not supported/ ],
	[ sub { server_with("$place, sslsni 'x'") } => 'the option "sslsni" of foreign server "tried" is not valid', qr/true or false/ ])
{
	my ($model, $message, $hint) = @$row;
	$model = $model->() if ref $model;
	my $answer = test_as('alice', $model);
	is(result($answer), "FAILURE: invalid_connection: $message", $message);
	like($answer->{hint}, $hint, 'with a hint');
}
is(result(test_as('alice', server_with($place, "user 'r_alice'"))), 'FAILURE: password_required: the user mapping for foreign server "tried" has no password', 'a password must be there');
is(test_as('alice', server_with($place, "user 'r_alice', password 'wrong'"))->{error_code}, 'authentication_failed', 'and be right');

# password_required in a superuser's mapping is ignored: the password must have been used.
{
	$remote->safe_psql('postgres', 'CREATE ROLE trusted LOGIN');
	hba_first($remote, 'host all trusted 127.0.0.1/32 trust');
	super("DROP SERVER IF EXISTS tried CASCADE; CREATE SERVER tried FOREIGN DATA WRAPPER postgres_fdw OPTIONS ($place); GRANT USAGE ON FOREIGN SERVER tried TO alice");
	super(q(CREATE USER MAPPING FOR alice SERVER tried OPTIONS (user 'trusted', password_required 'false')));
	is(test_as('alice', model('tried'))->{error_code}, 'password_required', 'password_required of a mapping: no password');
	super(q(ALTER USER MAPPING FOR alice SERVER tried OPTIONS (ADD password 'x')));
	is(test_as('alice', model('tried'))->{error_code}, 'password_required', 'one that was not asked for');
}
# --- Other keys in such a model
# ---------------------------------------------------------------------------------------------------------

foreach my $row ([ host => '127.0.0.1' ], [ port => '1' ], [ database => 'd' ], [ user => 'u' ], [ password => 'p' ], [ options => '-c x=y' ], [ properties => { allow_cleartext_password => 'true' } ],
	[ properties => { application_name => 'x' } ])
{
	my ($key, $value) = @$row;
	my $model = model('the Shop', $key => $value);
	is(result(test_as('alice', $model)), qq(FAILURE: invalid_connection: "postgresql.$key" cannot be combined with "foreign_server"), "$key beside it: refused by name");
	is($sql{alice}->query("SELECT dqds_create_connection('never', " . sql_literal($model) . ')')->{error}{sqlstate}, 'QD020', 'it cannot be registered');
}
is(result(test_as('alice', model('the Shop', host => '', port => undef, properties => { '' => '' }, postgresql_engine_type => 'postgresql'))), 'SUCCESS', 'what is empty does no harm');
like(result(test_as('alice', to_json({ provider_type => $_, $_ => { foreign_server => 'the Shop' } }))), qr/^FAILURE: invalid_connection: "$_\.foreign_server" in the connection model is not known/, "not in a section $_") foreach qw(redshift questdb);
is($sql{super}->query("SELECT dqds_create_connection('open', " . sql_literal(model('the Shop', top => { password_required => JSON::PP::false })) . ')')->{error}{message},
	'"password_required" cannot be false together with "foreign_server"', 'not even a superuser registers one without a password');

# sslmode: only stricter.
foreach my $row ([ undef, 'disable', 0 ], [ undef, 'allow', 0 ], [ undef, 'prefer', 'SUCCESS' ], [ undef, 'require', 'SUCCESS' ], [ undef, 'verify-full', 'tls_certificate' ], [ disable => 'disable', 'SUCCESS' ],
	[ disable => 'require', 'SUCCESS' ], [ require => 'prefer', 0 ], [ 'verify-full' => 'require', 0 ], [ 'verify-full' => undef, 'tls_certificate' ])
{
	my ($of_server, $of_model, $expected) = @$row;
	my $model = to_json({ provider_type => 'postgresql', postgresql => { foreign_server => 'tried', $of_model ? (sslmode => $of_model) : () } });
	server_with($place . ($of_server ? ", sslmode '$of_server'" : ''));
	my $answer = test_as('alice', $model);
	my $what = 'sslmode ' . ($of_model // 'none') . ', server ' . ($of_server // 'none');
	$expected ? is($answer->{error_code} // 'SUCCESS', $expected, $what) : is(result($answer), 'FAILURE: invalid_connection: "postgresql.sslmode" in the connection model is not valid', "$what: refused, for it is weaker");
	is(defined $answer->{tls} ? 1 : 0, ($of_model // $of_server) eq 'disable' ? 0 : 1, 'and that holds') if $expected && $expected eq 'SUCCESS';
}

# Hosts that are denied are denied.
{
	my $strict = DqdsTest::Sql->connect($control);
	$strict->must(q(SET dqds.denied_hosts = '127.0.0.0/8'));
	is($strict->query('SELECT * FROM dqds_test_connection(' . sql_literal($shop) . '::text)')->{rows}[0]{error_code}, 'target_not_allowed', 'the policy holds for foreign servers');
}

# --- No password is shown ------------------------------------------------------------------------------------------------------------------

{
	my $gossip = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', 'I know pw-of-alice, and ${DQDS_SECRET_X}, of r_alice')); });
	server_with("host '127.0.0.1', port '" . $gossip->port . "', sslmode 'disable'");
	my $row = test_as('alice', model('tried'));
	like($row->{error_message}, qr/I know \*{8}, and \$\{DQDS_SECRET_X\}, of r_alice/, 'a remote that says the password is not repeated');
	unlike(to_json([ map { $sql{alice}->query('SELECT * FROM ' . $_ . '(' . sql_literal(model('tried')) . ')') } qw(dqds_test_connection dqds_diagnose_connection dqds_list_schemas) ]), qr/pw-of/, 'nor by anything else');

	# Text in a mapping is not a reference, because every role may write its own.
	my $kept = "$dir/startup";
	my $thief = start_fake_server(sub { open my $file, '>', $kept or die $!; syswrite $file, pg_read_startup($_[0]); close $file; send_bytes($_[0], pg_error('28P01', 'no')); });
	super("CREATE SERVER thief FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '" . $thief->port . "', dbname '\${PATH:x}', sslmode 'disable')");
	super(q(CREATE USER MAPPING FOR CURRENT_USER SERVER thief OPTIONS (user '${DQDS_SECRET_X:y}', password '${credential://c}')));
	test_as('super', model('thief'));
	like(slurp_file($kept), qr/user\0\$\{DQDS_SECRET_X:y\}\0/, 'a user is what it says');
	like(slurp_file($kept), qr/database\0\$\{PATH:x\}\0/, 'and a database');
}
unlike(slurp_file($control->logfile), qr/STATEMENT:.*dqds_.*pw-of/, 'nothing of it is in the log');

done_testing();
