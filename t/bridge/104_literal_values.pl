# Values with characters that are special in a model or a connection string can be written: $${ is a literal ${ in every
# member in which references are resolved, and a database may have any name that is not a connection string. The escape does
# not bypass the rules for references and secrets. Properties have the effect that their values say, and no unknown value is
# taken as "off".
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote = remote_server('remote');
my $reader = remote_password($remote);
my $control;
{
	local $ENV{DQDS_SECRET_NAME} = 'from-the-server';
	local $ENV{x} = 'never';
	$control = control_server('control');
}
my %sql = (super => DqdsTest::Sql->connect($control));
foreach my $role (qw(eve op))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'eve' ? 'editor' : 'operator');
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
}
my $bridge = start_bridge($control, level => 'admin');

sub test_as { my ($role, $model) = @_; return $sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal($model) . '::text, false)')->{rows}[0]; }
sub result { my ($row) = @_; return join ': ', grep { defined } @$row{qw(connection_test_result error_code error_message)}; }
sub escaped { return $_[0] =~ s/\$\{/\$\${/gr; }
sub quoted { return '"' . ($_[0] =~ s/"/""/gr) . '"'; }

# --- $${ ----------------------------------------------------------------------------------------------------------------------

# [how it is written, what it stands for]
my @literals = (
	[ 'pa$${word}x' => 'pa${word}x' ], [ '$${x}' => '${x}' ], [ '$${' => '${' ], [ '$$${x}' => '$${x}' ], [ '$$$${x}' => '$$${x}' ], [ '$${$${x}}' => '${${x}}' ],
	[ '$${credential://all}' => '${credential://all}' ], [ 'a$${b' => 'a${b' ], [ 'x$${y}$${z}' => 'x${y}${z}' ],
	# these were and are plain text
	[ 'pa$$word' => 'pa$$word' ], [ '$' => '$' ], [ '$$' => '$$' ], [ '${' => '${' ], [ 'a${b' => 'a${b' ], [ '{x}' => '{x}' ], [ '$ {x}' => '$ {x}' ], [ '}${' => '}${' ], [ '\\${' => '\\${' ]);
$remote->safe_psql('postgres', 'CREATE ROLE "u${x}" LOGIN; CREATE ROLE careful LOGIN');
foreach my $row (@literals)
{
	my ($written, $literal) = @$row;
	$remote->safe_psql('postgres', 'ALTER ROLE careful PASSWORD ' . sql_literal($literal));
	my $model = connection_model($remote, user => 'careful', password => $written);
	is(result(test_as('eve', $model)), 'SUCCESS', "the password $literal is written $written");
	is(http($bridge, POST => '/api/datasource/testconnection', {}, $model)->{json}{connectionTestResult}, 'SUCCESS', 'over REST as well');
	is(result(test_as('eve', connection_model($remote, user => 'careful', password => escaped($literal)))), 'SUCCESS', 'every ${ may be written so') unless $literal =~ /^[}a]?\$\{(b|$)/;
}

# In every member.
$remote->safe_psql('postgres', 'CREATE DATABASE "d${x}"');
$remote->safe_psql('postgres', qq(ALTER ROLE "u\${x}" PASSWORD 'p\${x}'; GRANT pg_read_all_stats TO "u\${x}"));
my %all = (user => 'u$${x}', database => 'd$${x}', password => 'p$${x}', options => '-c search_path=s$${x}', properties => { application_name => 'n$${x}' });
{
	my $model = connection_model($remote, %all);
	is(result(test_as('eve', $model)), 'SUCCESS', 'all members at once');
	my $eve = $sql{eve};
	$eve->must("SELECT dqds_create_connection('literal', " . sql_literal($model) . ')');
	is(scalar($eve->rows(q(SELECT * FROM dqds_list_schemas('literal')))), 1, 'a listing by name');
	is($remote->safe_psql('postgres', q(SELECT DISTINCT usename, datname, application_name FROM pg_stat_activity WHERE datname LIKE 'd$%')), 'u${x}|d${x}|n${x}', 'the remote sees what is meant');
	is($sql{super}->value(q(SELECT environment_members FROM dqds_connection WHERE name = 'literal')), '{}', 'an editor may register it: it refers to nothing');
	my $given = from_json($eve->value(q(SELECT model FROM dqds_connections WHERE connection_name = 'literal')));
	is(to_json({ %{ $given->{postgresql} } }), to_json({ %{ from_json($model)->{postgresql} }, password => '********' }), 'it is given back as it was written');
	is(result(test_as('eve', to_json($given))), 'SUCCESS', 'and can be sent again with its mask');
	my @steps = map { $_->{message} } $eve->rows(q(SELECT message FROM dqds_diagnose_connection('literal') WHERE step IN ('authenticate', 'database')));
	is("@steps", 'user "u${x}" is logged in database "d${x}" is open', 'messages name what is meant');
	my $wrong = test_as('eve', connection_model($remote, %all, database => 'no$${x}'));
	is(result($wrong), 'FAILURE: database_not_found: database "no${x}" does not exist at 127.0.0.1:' . $remote->port, 'also those of failures');
	my $host = test_as('eve', connection_model($remote, host => 'h$${x}'));
	is($host->{error_code}, 'host_not_found', 'a host is what it says, too');
	is(test_as('eve', connection_model($remote, port => '$${x}'))->{error_code}, 'invalid_connection', 'and a port');
}

# What is a reference is one, and where it cannot be resolved, it is said how to write it out.
foreach my $row ([ eve => '${word}', qr/^The variable / ], [ super => 'a$${b}${word}', qr/^The variable / ], [ super => '${credential://none}', qr/^The credential / ])
{
	my ($role, $password, $hint) = @$row;
	my $answer = test_as($role, connection_model($remote, password => $password));
	is($answer->{error_code}, 'unresolved_secret', "$password is a reference");
	like($answer->{hint}, qr/$hint.* A literal \$\{ is written as \$\$\{\.$/, 'and the hint tells the escape');
}
$sql{super}->must("SELECT dqds_create_credential('half', " . sql_literal(substr $reader, 4) . q{, '127.0.0.1'), dqds_grant_credential('half', 'op'), dqds_grant_credential('half', quote_ident(current_user))});
$remote->safe_psql('postgres', 'CREATE ROLE mixed LOGIN PASSWORD ' . sql_literal('x${credential://half}' . substr($reader, 4) . '$${' . 'from-the-server}'));
is(result(test_as('super', connection_model($remote, user => 'mixed', password => 'x$${credential://half}${credential://half}$$${${DQDS_SECRET_NAME}}'))), 'SUCCESS', 'escapes and references side by side');
like(result(test_as('op', connection_model($remote, user => 'mixed', password => '$${${DQDS_SECRET_NAME}}'))), qr/^FAILURE: unresolved_secret/, 'behind an escape a reference is none the less one');
like($sql{eve}->query("SELECT dqds_create_connection('no', " . sql_literal(connection_model($remote, user => '$${a}${DQDS_SECRET_NAME}')) . ')')->{error}{message}, qr/refers to the environment/, 'which only an admin may register');

# Its length is that of the text that it stands for.
is(test_as('eve', connection_model($remote, password => '$${' x 4000))->{error_code}, 'authentication_failed', 'a password of 8000 bytes and its escapes');
is(test_as('eve', connection_model($remote, password => '$${' x 4000 . 'x'))->{error_code}, 'invalid_connection', 'one of 8001 bytes is too long');
foreach my $flood ('$${' x 200_000, '${' x 300_000, '${$${' x 120_000, '}' . '${$${' x 120_000)
{
	my $answer = $sql{eve}->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, options => $flood)) . '::text)', 30);
	is($answer->{rows}[0]{error_code}, 'invalid_connection', substr($flood, 0, 6) . '… without end is refused at once');
}

# --- No way around masks --------------------------------------------------------------------------------------------------------

# This server repeats what it was asked for, or says what it knows.
my $secret = 'W${inter}26!';
my $parrot = start_fake_server(sub {
	my ($client) = @_;
	my %said = split /\0/, substr pg_read_startup($client), 4;
	send_bytes($client, pg_error('XX000', 'refused: ' . join ', ', map { "$_ \"" . ($said{$_} // '') . '"' } qw(user database application_name)));
});
my $gossip = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', "I know $secret well")); });
$sql{super}->must("SELECT dqds_create_credential('here', " . sql_literal($secret) . q{, '127.0.0.1'), dqds_grant_credential('here', 'op')});
my @place = (host => '127.0.0.1', user => 'u', database => 'd', sslmode => 'disable');
foreach my $row ([ op => '${credential://here}' ], [ eve => escaped($secret) ])
{
	my ($role, $password) = @$row;
	like(test_as($role, connection_model(undef, @place, port => '' . $gossip->port, password => $password))->{error_message}, qr/I know \*{8} well/, "a remote that says the password $password is not repeated");
}
foreach my $key ('user', 'database', 'properties')
{
	my @answers = map {
		my $guess = $_;
		my $text  = 'x' . escaped($guess) . 'y';
		my $row = test_as('op', connection_model(undef, @place, port => '' . $parrot->port, password => '${credential://here}', $key eq 'properties' ? (properties => { application_name => $text }) : ($key => $text)));
		(join '|', map { $_ // '' } @$row{qw(error_code error_message hint)}) =~ s/\Q$guess\E/GUESS/gr =~ s/\Q@{[escaped($guess)]}\E/GUESS/gr
	} $secret, 'W${inter}27!';
	is($answers[0], $answers[1], "$key: a right guess in it and a wrong one are answered alike");
	like($answers[0], qr/GUESS/, 'and shown');
}

# --- Names of databases -----------------------------------------------------------------------------------------------------------

foreach my $name ('a=b', 'tenant=42', 'postgres://x', 'postgresql://u:p@h/d?sslmode=disable', '=', '=x', 'x host=y', 'hosts=1', 'HOST=1', 'a b=c', 'user', 'host', 'https://x')
{
	$remote->safe_psql('postgres', 'CREATE DATABASE ' . quoted($name));
	my $model = connection_model($remote, database => $name);
	is(result(test_as('eve', $model)), 'SUCCESS', "the database $name is connected to");
	is(http($bridge, POST => '/api/datasource/testconnection', {}, $model)->{json}{connectionTestResult}, 'SUCCESS', 'over REST as well');
}
foreach my $text ('host=127.0.0.1', ' host = x', "dbname=postgres host=127.0.0.1", 'user=x', "port\t=1", 'service=x', 'sslmode=disable', 'passfile=/x')
{
	my $row = test_as('eve', connection_model($remote, database => $text));
	is(result($row), 'FAILURE: invalid_connection: "postgresql.database" in the connection model is not valid', "<$text> is a connection string");
	is($row->{hint}, 'It must be the name of a database, without other connection parameters.', 'and that is said');
}

# --- Properties ----------------------------------------------------------------------------------------------------------------------

# This server keeps the first bytes of the TLS handshake, in which the name of the host stands in the clear, or not.
my $hello = PostgreSQL::Test::Utils::tempdir('hello') . '/bytes';
my $proxy = start_fake_server(sub {
	my ($client) = @_;
	sysread $client, my $question, 8;
	syswrite $client, 'S';
	sysread $client, my $bytes, 16384;
	open my $file, '>', "$hello.new" or die $!;
	syswrite $file, $bytes;
	close $file;
	rename "$hello.new", $hello or die $!;
});
foreach my $row ((map { [ $_ => 1 ] } JSON::PP::true, 'true', 'on', 'yes', 1, '1', 'TRUE'), (map { [ $_ => 0 ] } JSON::PP::false, 'false', 'off', 'no', 0, '0'))
{
	my ($value, $sent) = @$row;
	unlink $hello;
	test_as('eve', connection_model(undef, host => 'localhost', port => '' . $proxy->port, user => 'u', password => 'p', sslmode => 'require', properties => { sslsni => $value }));
	ok(poll_until(sub { -e $hello }, 10), 'sslsni ' . to_json($value) . ': TLS is begun');
	is(slurp_file($hello) =~ /localhost/ ? 1 : 0, $sent, $sent ? 'with the name of the host' : 'without the name of the host');
}
my $versions = 'one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3';
foreach my $row (
	(map { my $key = $_; map { [ $key => $_ => 'true or false' ] } 'x', '2', 'o', 'perhaps', '1 ' } qw(sslsni keepalives tcpKeepAlive)),
	(map { [ channel_binding => $_ => 'one of disable, prefer, require' ] } 'x', 'true', 'required'),
	(map { [ gssencmode => $_ => 'one of disable, prefer; Kerberos is not supported' ] } 'require', 'x'),
	(map { [ target_session_attrs => $_ => 'one of any, read-write, read-only, primary, standby, prefer-standby' ] } 'x', 'master', 'read_write'),
	(map { my $key = $_; map { [ $key => $_ => $versions ] } 'x', '1.2', 'TLS1.2', 'SSLv3' } qw(ssl_min_protocol_version ssl_max_protocol_version)),
	(map { [ $_ => 'x' => 'a whole number that is not negative' ] } qw(keepalives_idle keepalives_interval keepalives_count tcp_user_timeout)))
{
	my ($key, $value, $wanted) = @$row;
	my $model = connection_model($remote, properties => { $key => $value });
	my $answer = test_as('eve', $model);
	is(result($answer), qq(FAILURE: invalid_connection: "postgresql.properties.$key" in the connection model is not valid), "$key $value: refused by name");
	is($answer->{hint}, "It must be $wanted.", 'with what it must be');
	is(http($bridge, POST => '/api/connections/never/basic', {}, $model)->{status}, 406, 'it cannot be registered');
}
foreach my $row ([ channel_binding => 'Prefer' ], [ gssencmode => 'disable' ], [ gssencmode => 'prefer' ], [ target_session_attrs => 'READ-WRITE' ], [ ssl_min_protocol_version => 'tlsv1.2' ], (map { [ keepalives => $_ ] } 0, 1, 'true', 'off'),
	[ application_name => 'x' ])
{
	my ($key, $value) = @$row;
	is(result(test_as('eve', connection_model($remote, properties => { $key => $value }))), 'SUCCESS', "$key $value: works");
}

# --- No limit ---------------------------------------------------------------------------------------------------------------------------

{
	my $model = connection_model($remote, parallel_jobs_limit => 0);
	is(result(test_as('eve', $model)), 'SUCCESS', 'parallel_jobs_limit 0: works');
	is(http($bridge, POST => '/api/connections/unlimited/basic', {}, $model)->{status}, 201, 'it can be registered');
	is(http($bridge, GET => '/api/connections/unlimited/basic')->{json}{parallel_jobs_limit}, 0, 'and is given back');
	is(result(test_as('super', $_)), 'SUCCESS', 'it works by name') foreach 'unlimited';
	is(test_as('eve', connection_model($remote, parallel_jobs_limit => $_))->{hint}, 'It must be a whole number from 0, which means no limit, to 100000.', "parallel_jobs_limit $_: refused") foreach -1, 1.5, 100_001;
}

$bridge->stop;
done_testing();
