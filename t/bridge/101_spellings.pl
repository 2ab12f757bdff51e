# Connection strings in place of a JSON model: libpq's URIs and conninfo strings, JDBC URLs and SQLAlchemy URLs become the
# equivalent model wherever a model is accepted, and reach the server that psql reaches with the same text. A parameter that
# has no counterpart in a model is refused by name. No message and no log contains a password, however malformed the text is.
# A connection whose name looks like such a string keeps its name, but no new one can be created.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', conf => <<'CONF');
log_min_error_statement = error
log_min_messages = info
log_error_verbosity = verbose
log_parameter_max_length_on_error = -1
CONF
my $sql = DqdsTest::Sql->connect($control);
my $log = -s $control->logfile;

# An answer as text: the code and message of an error, or 'ok'.
sub outcome { my ($answer) = @_; return $answer->{error} ? "$answer->{error}{sqlstate} $answer->{error}{message}" : 'ok'; }

# The model of a spelling as data, or its error as text.
sub model_of
{
	my ($spelling) = @_;
	my $answer = $sql->query('SELECT dqds_connection_model(' . sql_literal($spelling) . ') AS model');
	return $answer->{error} ? outcome($answer) : from_json($answer->{rows}[0]{model});
}

sub model { my ($provider, %section) = @_; return { provider_type => $provider, $provider => \%section }; }
sub pg { return model('postgresql', @_); }

# --- What each becomes ---------------------------------------------------------------------------------------------

my %usual = (host => 'db.example', port => '5433', database => 'shop', user => 'me', password => 'pw');
my %long  = (host => 'db.example', database => 'shop', user => 'me', password => 'pw');
foreach my $row (
	# libpq's URIs
	[ 'postgresql://me:pw@db.example:5433/shop', pg(%usual) ],
	[ 'postgres://me:pw@db.example:5433/shop', pg(%usual) ],
	[ 'POSTGRESQL://me:pw@db.example:5433/shop', pg(%usual) ],
	[ "\n  postgresql://me:pw\@db.example:5433/shop \t\n", pg(%usual) ],
	[ 'postgresql://', pg() ],
	[ 'postgresql:///', pg() ],
	[ 'postgresql://db.example', pg(host => 'db.example') ],
	[ 'postgresql://db.example:', pg(host => 'db.example') ],
	[ 'postgresql://db.example/?', pg(host => 'db.example') ],
	[ 'postgresql://me@db.example', pg(host => 'db.example', user => 'me') ],
	[ 'postgresql://me:@db.example/', pg(host => 'db.example', user => 'me') ],
	[ 'postgresql://:pw@db.example/', pg(host => 'db.example', password => 'pw') ],
	[ 'postgresql:///shop?host=db.example&port=5433&user=me&password=pw', pg(%usual) ],
	[ 'postgresql://db.example/other?dbname=shop&user=you&user=me&password=pw', pg(%long) ],
	[ 'postgresql://me:pw@db.example/shop?sslmode=verify-full&options=-c%20geqo%3Doff&application_name=a+b', pg(%long, sslmode => 'verify-full', options => '-c geqo=off', properties => { application_name => 'a+b' }) ],
	[ 'postgresql://me:pw@db.example/shop?connect_timeout=3&keepalives=1&keepalives_idle=2&keepalives_interval=3&keepalives_count=4&tcp_user_timeout=5&target_session_attrs=any&channel_binding=prefer&gssencmode=disable&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3&sslsni=1',
		pg(%long, properties => { connect_timeout => '3', keepalives => '1', keepalives_idle => '2', keepalives_interval => '3', keepalives_count => '4', tcp_user_timeout => '5', target_session_attrs => 'any',
			channel_binding => 'prefer', gssencmode => 'disable', ssl_min_protocol_version => 'TLSv1.2', ssl_max_protocol_version => 'TLSv1.3', sslsni => '1' }) ],
	[ 'postgresql://me:pw@db.example/shop?ssl=true', pg(%long, properties => { ssl => 'true' }) ],
	[ 'postgresql://me:pw@db.example/shop?sslmode=&sslcert=&service=', pg(%long) ],
	[ 'postgresql://me:pw@db.example/shop?&&sslmode=require&', pg(%long, sslmode => 'require') ],
	[ 'postgresql://m%40e:p%2Fw%3A%3f%20%25@db%2eexample/sh%C3%B6p', pg(host => 'db.example', user => 'm@e', password => 'p/w:? %', database => "sh\x{f6}p") ],
	[ "postgresql://\xc3\xbc:\xf0\x9f\x90\x98\@db.example/\xd7\xa9", pg(host => 'db.example', user => "\x{fc}", password => "\x{1f418}", database => "\x{5e9}") ],
	[ 'postgresql://me:pw@[::1]:5433/shop', pg(%usual, host => '::1') ],
	[ 'postgresql://me:pw@[2001:db8::1]/shop', pg(%long, host => '2001:db8::1') ],
	[ 'postgresql://me:pw@[fe80::1%25eth0]/shop', pg(%long, host => 'fe80::1%eth0') ],
	[ 'postgresql://me:pw@db.example/a/b', pg(%long, database => 'a/b') ],
	[ 'postgresql://me:pw@db.example/shop?application_name=a@b', pg(%long, properties => { application_name => 'a@b' }) ],
	[ 'postgresql://db.example/shop?user=me&password=pw&options=-cgeqo=off', pg(%long, options => '-cgeqo=off') ],
	[ 'postgresql://${USER}:${credential://x}@db.example/'  =~ s{//x}{%2F%2Fx}r, pg(host => 'db.example', user => '$${USER}', password => '$${credential://x}') ],
	[ 'postgresql://me:$${a}$@db.example/', pg(host => 'db.example', user => 'me', password => '$$${a}$') ],

	# conninfo strings
	[ 'host=db.example port=5433 dbname=shop user=me password=pw', pg(%usual) ],
	[ " host = db.example\n\tport = 5433 dbname='shop' user=me password = 'pw' ", pg(%usual) ],
	[ q(dbname=shop user=me host=db.example password='it''s' ) =~ s/''/\\'/r, pg(%long, password => q(it's)) ],
	[ q(host=db.example dbname=shop user=me password=a\ b\\\\), pg(%long, password => 'a b\\') ],
	[ q(host=db.example dbname=shop user=me password='pw ' ), pg(%long, password => 'pw ') ],
	[ q(password=pw), pg(password => 'pw') ],
	[ 'host=::1 dbname=shop user=me password=pw', pg(%long, host => '::1') ],
	[ "host=db.example dbname=shop user=me password=pw connect_timeout=5 application_name='my app' sslmode=require", pg(%long, sslmode => 'require', properties => { connect_timeout => '5', application_name => 'my app' }) ],
	[ 'host=db.example dbname=shop user=me password=pw service=\'\' sslkey=\'\'', pg(%long) ],
	[ 'host=db.example dbname=shop user=me password=p%40w', pg(%long, password => 'p%40w') ],
	[ 'host=db.example dbname=postgresql://x/y', pg(host => 'db.example', database => 'postgresql://x/y') ],
	[ q(host=db.example password='${DQDS_SECRET_X}'), pg(host => 'db.example', password => '$${DQDS_SECRET_X}') ],

	# JDBC
	[ 'jdbc:postgresql://db.example:5433/shop?user=me&password=pw', pg(%usual) ],
	[ 'jdbc:postgresql:shop', pg(host => 'localhost', database => 'shop') ],
	[ 'jdbc:postgresql:shop?user=me&password=p://w', pg(host => 'localhost', database => 'shop', user => 'me', password => 'p://w') ],
	[ 'jdbc:postgresql:/', pg(host => 'localhost') ],
	[ 'jdbc:postgresql://db.example/', pg(host => 'db.example') ],
	[ 'jdbc:postgresql:///shop', pg(host => 'localhost', database => 'shop') ],
	[ 'jdbc:postgresql://[::1]:5433/shop?user=me&password=pw', pg(%usual, host => '::1') ],
	[ 'jdbc:postgresql://db.example/shop?user=me@corp&password=p@w%26+x=y', pg(%long, user => 'me@corp', password => 'p@w& x=y') ],
	[ 'jdbc:postgresql://db.example/shop?user=me&password=pw&ssl=true&ApplicationName=my+app&connectTimeout=5&loginTimeout=6&tcpKeepAlive=true&sslmode=verify-ca',
		pg(%long, sslmode => 'verify-ca', properties => { ApplicationName => 'my app', connectTimeout => '5', loginTimeout => '6', tcpKeepAlive => 'true' }) ],
	[ 'jdbc:postgresql://me:pw@db.example:5433/shop', pg(%usual) ],
	[ 'jdbc:redshift://c.example:5439/dev?user=me&password=pw', model('redshift', host => 'c.example', port => '5439', database => 'dev', user => 'me', password => 'pw') ],
	[ 'jdbc:redshift://c.example:5439/dev;UID=me;PWD=pw;ssl=true', model('redshift', host => 'c.example', port => '5439', database => 'dev', user => 'me', password => 'pw', sslmode => 'verify-full') ],
	[ 'jdbc:postgresql://db.example/shop?user=me&password=pw&sslmode=prefer&ssl=true', pg(%long, sslmode => 'prefer') ],
	[ 'jdbc:postgresql://db.example/shop?user=me&password=pw&ssl=', pg(%long, sslmode => 'verify-full') ],
	[ 'jdbc:redshift://db.example/shop;ssl=;user=me;password=pw;sslmode=verify-ca', model('redshift', %long, sslmode => 'verify-ca') ],
	[ 'postgresql://me:pw@db.example/shop?ssl=', pg(%long) ],
	[ 'jdbc:postgresql://db.example/shop?user=me&password=pw&ssl=false', pg(%long, properties => { ssl => 'false' }) ],

	# SQLAlchemy
	(map { [ "$_://me:pw\@db.example:5433/shop", pg(%usual) ] } qw(postgresql+psycopg postgresql+psycopg2 postgresql+asyncpg postgresql+pg8000 postgresql+psycopg_async)),
	[ 'postgresql+psycopg://me:pw@db.example/shop?application_name=my+app&sslmode=require', pg(%long, sslmode => 'require', properties => { application_name => 'my app' }) ],
	[ 'postgresql+psycopg://me:p+w@db.example/shop', pg(%long, password => 'p+w') ],
	[ 'postgresql+asyncpg://me:pw@db.example/shop?ssl=verify-full', pg(%long, sslmode => 'verify-full') ],
	[ 'postgresql+psycopg2:///shop?host=db.example&user=me&password=pw', pg(%long) ],
	(map { [ "$_://me:pw\@db.example:5433/shop", model('redshift', %usual) ] } qw(redshift redshift+redshift_connector redshift+psycopg2)),
	[ 'questdb://me:pw@db.example:5433/shop', model('questdb', %usual) ],
	[ 'questdb+psycopg2://me:pw@db.example:5433/shop?allow_cleartext_password=true', model('questdb', %usual, properties => { allow_cleartext_password => 'true' }) ],
	(map { [ "$_://me:pw\@db.example:5433/shop", model('mysql', %usual) ] } qw(mysql mysql+pymysql mysql+mysqldb mysql+mysqlconnector)),
	[ 'mariadb+mariadbconnector://me:pw@db.example:5433/shop', model('mariadb', %usual) ],
	[ 'mssql+pymssql://me:pw@db.example:5433/shop', model('sqlserver', %usual) ],
	[ 'clickhouse+http://me:pw@db.example:5433/shop', model('clickhouse', %usual) ],
	[ 'trino://me:pw@db.example:5433/hive', model('trino', host => 'db.example', port => '5433', catalog => 'hive', user => 'me', password => 'pw') ],
	[ 'trino://me@db.example:8080', model('trino', host => 'db.example', port => '8080', user => 'me') ],
	[ 'presto://me@db.example:8080/hive', model('presto', host => 'db.example', port => '8080', user => 'me', database => 'hive') ],
	[ 'sqlserver://me:pw@db.example:5433/shop', model('sqlserver', %usual) ],

	# JDBC of other providers
	[ 'jdbc:mysql://db.example:5433/shop?user=me&password=pw&sslMode=VERIFY_CA&connectTimeout=2000', model('mysql', %usual, properties => { sslMode => 'VERIFY_CA', connectTimeout => '2000' }) ],
	[ 'jdbc:mysql:///shop?user=me&password=p%26w', model('mysql', host => 'localhost', database => 'shop', user => 'me', password => 'p&w') ],
	[ 'jdbc:mysql://me:pw@db.example:5433/shop', model('mysql', %usual) ],
	[ 'jdbc:mariadb://db.example:5433/shop?user=me&password=pw&useSsl=true', model('mariadb', %usual, properties => { useSsl => 'true' }) ],
	(map { [ "$_://db.example:5433/shop?user=me&password=pw&ssl=true&sslmode=none", model('clickhouse', %usual, properties => { ssl => 'true', sslmode => 'none' }) ] } qw(jdbc:clickhouse jdbc:ch)),
	[ 'jdbc:sqlserver://db.example:5433;databaseName=shop;user=me;password=pw;encrypt=true;trustServerCertificate=true', model('sqlserver', %usual, properties => { encrypt => 'true', trustServerCertificate => 'true' }) ],
	[ 'jdbc:trino://db.example:8443/hive?user=me&password=pw&SSL=true&SSLVerification=CA',
		model('trino', host => 'db.example', port => '8443', catalog => 'hive', user => 'me', password => 'pw', properties => { SSL => 'true', SSLVerification => 'CA' }) ],
	[ 'jdbc:presto://db.example:8080/hive?user=me', model('presto', host => 'db.example', port => '8080', user => 'me', database => 'hive') ],

	# JSON stays what it is
	[ ' {"provider_type": "postgresql", "postgresql": {"host": "${X}"}}', pg(host => '${X}') ])
{
	my ($spelling, $expected) = @$row;
	my $what = $spelling =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr;
	is_deeply(model_of($spelling), $expected, $what) or diag(explain(model_of($spelling)));
}
is($sql->value('SELECT dqds_connection_model(NULL)'), undef, 'NULL stays NULL');

# --- What is refused, by name -----------------------------------------------------------------------------------------

# [spelling, what the message names]: as the parameter that cannot be carried over.
my $carried = sub { qq(QD020 the parameter "$_[0]" cannot be carried over into a connection model) };
foreach my $row (
	[ 'host=a,b user=u', 'host' ], [ 'postgresql://u:p@a,b/d', 'host' ], [ 'postgresql://u:p@a:1,b:2/d', 'host' ], [ 'jdbc:postgresql://a:1,b:2/d', 'host' ], [ 'postgresql+psycopg://u:p@/d?host=a:1,b:2', 'host' ],
	[ 'host=/var/run/postgresql user=u', 'host' ], [ 'postgresql://%2Fvar%2Frun/d', 'host' ], [ 'postgresql:///d?host=/tmp', 'host' ], [ 'host=@abstract', 'host' ],
	(map { ([ "host=h password=p $_=x", $_ ], [ "postgresql://u:p\@h/d?$_=x", $_ ], [ "jdbc:postgresql://h/d?user=u&password=p&$_=x", $_ ]) }
		qw(hostaddr service passfile sslcert sslkey sslrootcert sslcrl sslpassword krbsrvname gsslib requirepeer replication client_encoding fallback_application_name)),
	[ 'service=prod', 'service' ], [ 'postgresql://?service=prod', 'service' ],
	(map { [ "jdbc:postgresql://h/d?user=u&password=p&$_=x", $_ ] } qw(currentSchema targetServerType socketTimeout prepareThreshold stringtype sslfactory)),
	[ 'host=h hots=x password=p', 'hots' ], [ "host='a b' hots=x", 'hots' ], [ 'postgresql://u:p@h/d?sslmod=require', 'sslmod' ], [ 'postgresql://h/d?Host=x', 'Host' ],
	[ 'mysql+pymysql://u:p@h/d?charset=utf8mb4', 'charset' ], [ 'trino://u@h/hive/default', 'schema' ], [ 'presto://u@h/hive/default', 'schema' ], [ 'mysql://u:p@h/d?user=x', 'user' ],
	[ 'jdbc:mysql://h/d?user=u&password=p&serverTimezone=UTC', 'serverTimezone' ], [ 'jdbc:mysql://h/d?host=i', 'host' ], [ 'jdbc:sqlserver://h;integratedSecurity=true', 'integratedSecurity' ], [ 'jdbc:trino://h/c/s?user=u', 'schema' ],
	[ 'jdbc:mysql://a,b/d?user=u', 'host' ])
{
	my ($spelling, $name) = @$row;
	is(model_of($spelling), $carried->($name), "$spelling: refused by name");
}
foreach my $row (
	(map { [ "$_:x", 'QD020 the connection string cannot be read: the scheme is not followed by "//"' ] } qw(jdbc:mysql jdbc:mysql:loadbalance jdbc:mariadb jdbc:clickhouse:http jdbc:ch jdbc:sqlserver jdbc:trino jdbc:presto)),
	[ 'snowflake://u:p@account/d', 'QD020 URLs of provider type "snowflake" are not converted into connection models' ],
	[ 'oracle+oracledb://u:p@h/?service_name=x', 'QD020 URLs of provider type "oracle" are not converted into connection models' ],
	[ 'jdbc:databricks://h:443/default;httpPath=x', 'QD020 URLs of provider type "databricks" are not converted into connection models' ],
	[ 'jdbc:redshift:iam://h/d', 'QD020 the connection string cannot be read: the scheme is followed by neither "//" nor a database' ],
	[ 'jdbc:redshift:iam://h/d?x=y', 'QD020 the connection string cannot be read: the scheme is followed by neither "//" nor a database' ],
	(map { [ $_, 'QD020 this is not a connection string of a known kind' ] } '', 'prod', 'sqlite:///x', 'mongodb://u:p@h/d', 'postgresql:/h', 'postgresqlx://h', 'server=h', 'a b=c', '=', 'jdbc:', 'jdbc:sqlite:x', '//h/d', 'host'),
	[ '{"postgresql": {}', '22P02 the connection model is not valid JSON: it cannot be parsed' ],
	[ '{} x', '22P02 the connection model is not valid JSON: it cannot be parsed' ])
{
	is(model_of($row->[0]), $row->[1], "<$row->[0]>: $row->[1]");
}

# --- Broken, with a password in it ----------------------------------------------------------------------------------------

my $canary = 'c4nary7of5a3secret';
my @broken = (
	"postgresql://u:$canary\@b\@c/d", "postgresql://u:a\@$canary\@h/d", "postgresql://u:a\@b/$canary\@h/d", "postgresql://u:p?$canary\@h/d", "postgresql://u:p?$canary=1\@h/d", "postgresql://u:p/$canary\@h/d",
	"postgresql://u:p/x?$canary=1\@h/d", "postgresql://u:5432/x?$canary=1\@h/d", "postgresql://u:${canary}%00\@h/d", "postgresql://u:${canary}%zz\@h/d", "postgresql://u:${canary}%\@h/d", "postgresql://u:$canary%ff\@h/d",
	"postgresql://u:$canary\@[::1/d", "postgresql://u:$canary\@[]/d", "postgresql://u:$canary\@[::1]x/d", "postgresql://u:$canary\@h/d?x", "postgresql://h/d?password=a&$canary=b", "postgresql://h/d?password=a&$canary",
	"postgresql://h/d?password=$canary%00", "postgresql://h/d?password=$canary%f", "postgresql://h/d?password=$canary%", "postgresql://h/d?password=$canary%ff", "postgresql://h?password=$canary\@x",
	"postgresql://u:$canary\@h/d?x=$canary", "postgresql+psycopg://u:p/$canary\@h/d", "postgresql+psycopg://u:p?$canary\@h/d", "trino://u:$canary\@h/a/b", "trino://u:p/$canary\@h/a/b", "mysql://u:p&$canary=1\@h/d?$canary=1\@h",
	"jdbc:postgresql://h/d?user=u&password=a&$canary=b", "jdbc:postgresql://h/d?user=u&password=a&$canary", "jdbc:postgresql://h/$canary\@x", "jdbc:postgresql://u:a?$canary=b\@h/d", "jdbc:postgresql://u:$canary\@h:1,i:2/d",
	"jdbc:redshift://h/d;UID=u;PWD=a;$canary=b", "jdbc:redshift:iam://h/d;PWD=$canary", "jdbc:mysql://h/d?password=a&$canary=b", "jdbc:sqlserver://h;password=a;$canary=b", "snowflake://u:$canary\@h/d",
	"host=h password=a $canary", "host=h password=a $canary=b", "host=h password = a  $canary = b", "host=h password='a' $canary=b", "host=h password='$canary", "host=h password=$canary x", "host=h password=$canary =",
	"password='$canary=1 $canary=2", "password=x' $canary=2", "host=h sslpassword=$canary", "host=h sslpassword=a $canary=b", "host=h password=$canary\xff", "host=h,i password=$canary", "service=x password=$canary",
	"host=h password=$canary hostaddr=x", "host=$canary=1 password=p $canary=2", "postgresql://u:$canary\@h/d?host=/tmp", "postgresql://u:$canary\@h/d?sslkey=$canary");
foreach my $spelling (@broken)
{
	my $what   = $spelling =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr;
	my $answer = $sql->query('SELECT dqds_connection_model(' . sql_literal($spelling) . ')');
	# Invalid text does not reach dqds.
	my $expected = $spelling =~ /\xff/ ? qr/^22021 / : qr/^QD0(?:19|20) /;
	like(outcome($answer), $expected, "refused: $what");
	unlike(join(' | ', map { $_ // '' } @{ $answer->{error} }{qw(message detail hint context)}), qr/$canary/, 'without what is in it') if $spelling !~ /\xff/;
	foreach my $call ('* FROM dqds_test_connection(X, false)', '* FROM dqds_list_schemas(X)', '* FROM dqds_diagnose_connection(X)', q(dqds_create_connection('broken', X)), q(dqds_update_connection('broken', X)),
		q(dqds_create_connection(X, '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}')))
	{
		my $used = $sql->query('SELECT ' . $call =~ s/X/sql_literal($spelling) . '::text'/er);
		my $all  = join ' | ', map { $_ // '' } @{ $used->{error} // {} }{qw(message detail hint context)}, map { values %$_ } @{ $used->{rows} };
		unlike($all, qr/$canary/, "nor does $call show it") if $spelling !~ /\xff/ || !$used->{error};
		isnt(outcome($used), 'ok', "$call fails") if $call =~ /create/;
	}
}
my @lines = grep { /$canary/ && !/invalid byte sequence/ } split /\n/, slurp_file($control->logfile, $log);
is(join("\n", grep { !/xff|STATEMENT:.*\xff/ } @lines), '', 'the log of the server has nothing of it');

# --- Odd and long ------------------------------------------------------------------------------------------------------------

my $MB = 1024 * 1024;
foreach my $row (
	[ 'a URI of more than 1 MB', 'postgresql://u:p@h/' . 'd' x $MB, qr/^QD020 the connection model has more than 1048576 bytes/ ],
	[ 'a conninfo string of more than 1 MB', "host=h password='" . 'p' x $MB . "'", qr/^QD020 the connection model has more than 1048576 bytes/ ],
	[ 'one that becomes longer than 1 MB', 'postgresql://u:p@h/' . '"' x 600_000, qr/^QD020 the connection model has more than 1048576 bytes/ ],
	[ 'one that becomes longer by escapes', 'postgresql://u:p@h/' . '${' x 400_000, qr/^QD020 the connection model has more than 1048576 bytes/ ],
	[ 'a long word', 'x' x $MB, qr/^QD020 this is not a connection string/ ],
	[ 'a long unknown parameter', 'postgresql://h/d?' . 'x' x 100_000 . '=1', qr/^QD020 parameter 1 of the connection string is not known$/ ],
	[ 'a long unknown keyword', 'host=h ' . 'x' x 100_000 . '=1', qr/^QD020 the connection string cannot be read: a word before "=" is not a parameter of libpq$/ ])
{
	my ($what, $spelling, $expected) = @$row;
	my $answer = model_of($spelling);
	like($answer, $expected, $what);
	cmp_ok(length $answer, '<', 500, 'the message is short');
}
is_deeply(model_of('postgresql://h/d?' . 'user=a&' x 140_000 . 'user=b'), pg(host => 'h', database => 'd', user => 'b'), 'a parameter that comes 140,000 times');
is_deeply(model_of('postgresql://h/d?' . 'connect_timeout=1&' x 50_000 . '&' x 100_000), pg(host => 'h', database => 'd', properties => { connect_timeout => '1' }), 'a property that comes 50,000 times');
like(model_of('host=h ' . 'a=' x 400_000), qr/^QD020 the parameter "a" cannot/, 'a keyword that comes 400,000 times');

# --- Where a model may stand -----------------------------------------------------------------------------------------------------

my ($port, $secret) = ($remote->port, q(p@ss:w/o?r#d%&=+ '"\\$));
my $quoted = $secret =~ s/'/''/gr;
$remote->safe_psql('postgres', qq(SET standard_conforming_strings = on; CREATE ROLE "r d\@r" LOGIN PASSWORD '$quoted'; CREATE DATABASE "shop & co"));
my $password = remote_password($remote);
my $encoded  = encode_segment($secret);
my $dsn      = $secret =~ s/(['\\])/\\$1/gr;
my @same     = ("postgresql://reader:$password\@127.0.0.1:$port/postgres", "postgres://reader:$password\@localhost:$port/postgres?connect_timeout=20&application_name=x",
	"postgresql:///postgres?host=127.0.0.1&port=$port&user=reader&password=$password&gssencmode=disable", "host=127.0.0.1 port=$port dbname=postgres user=reader password=$password",
	" dbname = 'postgres'  host='127.0.0.1' port = $port user=reader password='$password' sslmode=prefer ", "postgresql://reader:$password\@127.0.0.1:$port/?dbname=shop%20%26%20co",
	"postgresql://reader:$password\@127.0.0.1:$port/shop%20%26%20co?options=-c%20geqo%3Doff", "postgresql://reader:$password\@127.0.0.1:$port", "user=reader password=$password host=127.0.0.1 port=$port dbname=reader",
	"postgresql://r%20d%40r:$encoded\@127.0.0.1:$port/shop%20%26%20co", "postgresql:///shop%20%26%20co?host=127.0.0.1&port=$port&user=r%20d%40r&password=$encoded",
	"host=127.0.0.1 port=$port dbname='shop & co' user='r d\@r' password='$dsn'", "host=127.0.0.1 port=$port dbname=shop\\ &\\ co user=r\\ d\@r password=" . ($secret =~ s/(['\\ ])/\\$1/gr));
$remote->safe_psql('postgres', 'CREATE DATABASE reader');

# The user and the database that psql reaches, and that dqds does.
sub psql_reaches
{
	my ($spelling) = @_;
	my ($out, $err);
	# dqds ignores these, so psql must ignore them, too.
	local %ENV = map { /^PG/ ? () : ($_ => $ENV{$_}) } keys %ENV;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $spelling, '-c', q(SELECT current_user || ' in ' || current_database()) ], '<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	chomp($out, $err);
	return $out || $err;
}

sub dqds_reaches
{
	my ($argument) = @_;
	my $answer = $sql->query("SELECT * FROM dqds_diagnose_connection($argument)");
	return outcome($answer) if $answer->{error};
	my %message = map { $_->{step} => $_->{message} // '' } @{ $answer->{rows} };
	my ($user)     = $message{authenticate} =~ /^user "(.*)" is logged in$/;
	my ($database) = $message{database} =~ /^database "(.*)" is open$/;
	return defined $user && defined $database ? "$user in $database" : join ' ', map { "$_->{step}: $_->{message}" } grep { $_->{status} eq 'failed' } @{ $answer->{rows} };
}

foreach my $spelling (@same)
{
	my $shown = $spelling =~ s/\Q$password\E|\Q$encoded\E/…/r =~ s/\b$port\b/PORT/r;
	my $there = psql_reaches($spelling);
	like($there, qr/^(?:reader|r d\@r) in (?:postgres|reader|shop & co)$/, "psql takes $shown");
	is(dqds_reaches(sql_literal($spelling)), $there, 'dqds reaches the same');
	is(dqds_reaches('dqds_connection_model(' . sql_literal($spelling) . ')'), $there, 'so does its model');
	my $create = $sql->query('SELECT dqds_create_connection(\'spelled\', ' . sql_literal($spelling) . ')');
	is(outcome($create), 'ok', 'it can be registered');
	is(dqds_reaches(q('spelled')), $there, 'and that connection reaches the same');
	is($sql->value(q(SELECT model #>> '{postgresql,password}' FROM dqds_connections)), '********', 'with its password masked');
	$sql->must(q(SELECT dqds_drop_connection('spelled')));
}
# No other program is compared here: the table above has the meaning of these.
foreach my $spelling ("jdbc:postgresql://127.0.0.1:$port/postgres?user=reader&password=$password", "postgresql+psycopg://reader:$password\@127.0.0.1:$port/postgres",
	"postgresql+asyncpg://reader:$password\@127.0.0.1:$port/postgres?ssl=prefer")
{
	is(dqds_reaches(sql_literal($spelling)), 'reader in postgres', $spelling =~ s/\Q$password\E/…/r =~ s/\b$port\b/PORT/r);
}
is(dqds_reaches(sql_literal("jdbc:postgresql://127.0.0.1:$port/shop%20%26%20co?user=r+d%40r&password=$encoded")), 'r d@r in shop & co', 'escapes in a JDBC URL');
is(dqds_reaches(sql_literal("postgresql+psycopg://r%20d%40r:$encoded\@127.0.0.1:$port/shop%20%26%20co")), 'r d@r in shop & co', 'and in one of SQLAlchemy');

my $uri = "postgresql://reader:$password\@127.0.0.1:$port/postgres";
my $u   = sql_literal($uri);
$remote->safe_psql('postgres', 'CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO reader; CREATE TABLE s.t (id integer); GRANT SELECT ON s.t TO reader');
is($sql->query("SELECT * FROM dqds_test_connection($u)")->{rows}[0]{connection_test_result}, 'SUCCESS', 'test');
is(join(' ', $sql->column("SELECT schema_name FROM dqds_list_schemas($u)")), 'public s', 'list schemas');
is(join(' ', $sql->column("SELECT table_name FROM dqds_list_tables($u, 's')")), 't', 'list tables');
is(join(' ', $sql->column("SELECT column_name FROM dqds_list_columns($u, 's')")), 'id', 'list columns');
is($sql->query("SELECT * FROM dqds_import_tables($u, 's')")->{error}{sqlstate}, '22023', 'an import wants a connection');
is(outcome($sql->query("SELECT dqds_create_connection('made', $u)")), 'ok', 'create');
is(outcome($sql->query("SELECT dqds_update_connection('made', $u || '?sslmode=allow')")), 'ok', 'update');
is($sql->value(q(SELECT model #>> '{postgresql,sslmode}' FROM dqds_connections WHERE connection_name = 'made')), 'allow', 'it has changed');
is(outcome($sql->query("SELECT dqds_update_connection('made', $u || '?sslmode=always')")), 'QD020 "postgresql.sslmode" in the connection model is not valid', 'what the model says must be usable as ever');
is(outcome($sql->query(q(SELECT dqds_create_connection('bad', 'host=h port=x user=u')))), 'QD020 "postgresql.port" in the connection model is not valid', 'a port that is none');
is(outcome($sql->query(q(SELECT dqds_create_connection('bad', 'dbname=shop')))), 'QD020 "postgresql.host" is missing in the connection model', 'libpq\'s socket is no default');
is(outcome($sql->query(q(SELECT dqds_create_connection('my', 'mysql+pymysql://u:p@h/d')))), 'ok', 'of another provider it can be registered');
is($sql->query(q(SELECT * FROM dqds_test_connection('trino://u:p@h/c?x=y')))->{rows}[0]{error_code}, 'invalid_connection', 'and what connects reads it as well');
is(outcome($sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal("\"$uri\"") . '::json)')), '42804 the connection model must be a JSON object', 'JSON is JSON');
is(outcome($sql->query("SELECT dqds_create_connection('bad', " . sql_literal("\"$uri\"") . '::jsonb)')), '42804 the connection model must be a JSON object', 'jsonb as well');
like(outcome($sql->query("SELECT dqds_create_connection('bad', 'prod')")), qr/^22P02 the connection model is not valid JSON/, 'text that is neither is said to be no JSON');
is($sql->query(q(SELECT * FROM dqds_test_connection('mongodb://u:p@h/d')))->{error}{hint}, 'Give the name of a connection, or a JSON object or a URL that describes one.', 'or no connection');

# --- Names ---------------------------------------------------------------------------------------------------------------------------

my $visits = PostgreSQL::Test::Utils::tempdir('names') . '/visits';
my $thief  = start_fake_server(sub {
	my ($client) = @_;
	open my $file, '>>', $visits or die $!;
	print $file "visit\n";
	close $file;
	pg_read_startup($client);
	send_bytes($client, pg_error('28P01', 'no'));
});
my $evil = 'postgresql://u:p@127.0.0.1:' . $thief->port . '/d';
my $evil_dsn = 'host=127.0.0.1 user=u password=p port=' . $thief->port;
my %of;
foreach my $role (qw(eve op))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'eve' ? 'editor' : 'operator');
	$of{$role} = DqdsTest::Sql->connect($control, user => $role);
}
my $bridge   = start_bridge($control, level => 'admin');
my $harmless = to_json({ provider_type => 'postgresql', postgresql => { host => '127.0.0.1', port => '1', user => 'u' } });
foreach my $name ($evil, $evil_dsn, " \n$evil", 'jdbc:postgresql:shop', 'host=x', 'password = x', 'mysql+pymysql://h', 'snowflake://x')
{
	my $shown = $name =~ s/\n/\\n/gr;
	my $literal = sql_literal($name);
	is(outcome($of{eve}->query("SELECT dqds_create_connection($literal, '$harmless')")), 'QD020 the name of a connection must not be a URL or a conninfo string', "<$shown>: no new connection has this name");
	my $create = http($bridge, POST => '/api/connections/' . encode_segment($name) . '/basic', {}, $harmless);
	is("$create->{status} $create->{json}{errorCode}", '406 invalid_connection', 'nor over REST');
	$of{eve}->must("SELECT dqds_create_connection('plain', '$harmless')");
	is(outcome($of{eve}->query("SELECT dqds_rename_connection('plain', $literal)")), 'QD020 the name of a connection must not be a URL or a conninfo string', 'none is renamed to it');

	# As an earlier version permitted it.
	$control->safe_psql('postgres', "UPDATE dqds_connection SET name = $literal WHERE name = 'plain'");
	is($sql->query("SELECT * FROM dqds_test_connection($literal)")->{rows}[0]{error_code}, 'connection_refused', 'one that is there is meant by it');
	is($sql->query("SELECT * FROM dqds_list_schemas($literal)")->{error}{sqlstate}, 'QD002', 'in listings, too');
	is(join(' ', $sql->column('SELECT t.error_code FROM dqds_connections c, LATERAL dqds_test_connection(c.connection_name) t WHERE c.owner = \'eve\'::regrole')), 'connection_refused', 'a query over all names takes it for a name');
	is($of{eve}->query("SELECT * FROM dqds_list_schemas($literal)")->{error}{sqlstate}, 'QD002', 'so it is for its owner');
	is(outcome($of{op}->query("SELECT * FROM dqds_list_schemas($literal)")), '42704 ' . ($name =~ m{=|://} ? 'a connection with this name does not exist' : qq(connection "$name" does not exist)), 'to others it does not exist');
	is(http($bridge, GET => '/api/datasource/connections/' . encode_segment($name) . '/schemas')->{json}{errorCode}, 'connection_refused', 'over REST it is a name');
	my $model = http($bridge, GET => '/api/connections/' . encode_segment($name) . '/basic');
	is(http($bridge, PUT => '/api/connections/' . encode_segment($name) . '/basic', {}, $model->{raw} =~ s/^.*?\r\n\r\n//sr)->{status}, 204, 'and can be changed');
	ok(!-e $visits, 'nothing is connected to');
	is(outcome($of{eve}->query("SELECT dqds_rename_connection($literal, 'plain')")), 'ok', 'it can be given another name');
	$of{eve}->must(q(SELECT dqds_drop_connection('plain')));
}
foreach my $name ('postgresql', 'postgresql:/x', 'hosts=x', 'a host=x', 'my postgresql://x', 'http://x', 'key=value', 'jdbc:', 'jdbc:h2:x', 'Host=x')
{
	is(outcome($sql->query('SELECT dqds_create_connection(' . sql_literal($name) . ", '$harmless')")), 'ok', "<$name> is a name");
	is($sql->query('SELECT * FROM dqds_list_schemas(' . sql_literal($name) . ')')->{error}{sqlstate}, 'QD002', 'and is taken for one');
}
is($sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($evil) . ')')->{rows}[0]{error_code}, 'authentication_failed', 'without such a name the text is a connection');
ok(-e $visits, 'which is connected to');

# --- Over REST a body is JSON, and a path segment is a name ------------------------------------------------------------------------------

unlink $visits;
foreach my $body ($evil, $evil_dsn, to_json($evil))
{
	is(http($bridge, POST => '/api/datasource/testconnection', {}, $body)->{status}, 400, 'a body that is a URI');
	is(http($bridge, POST => '/api/connections/made%20over%20REST/basic', {}, $body)->{status}, 400, 'it creates nothing');
	is(http($bridge, PUT => '/api/connections/made/basic', {}, $body)->{status}, 400, 'and changes nothing');
}
my ($unknown, $spelled) = map { http($bridge, GET => '/api/datasource/connections/' . encode_segment($_) . '/schemas') } 'mongodb://u:p@h', $evil;
is("$spelled->{status} $spelled->{json}{message}", "404 $unknown->{json}{message}", 'a path segment that is a URI is the name of no connection');
is(http($bridge, POST => '/api/jobs/importtables', {}, to_json({ connectionName => $evil, schemaName => 's' }))->{status}, 404, 'so is connectionName of an import');
ok(!-e $visits, 'nothing is connected to');

# --- References are those of JSON models only ---------------------------------------------------------------------------------------------

$sql->must(q(SELECT dqds_create_credential('key', 'the secret', '*'), dqds_grant_credential('key', current_user)));
is(model_of(q(host=h user=u password='${credential://key}'))->{postgresql}{password}, '$${credential://key}', 'a spelling holds no reference');

# --- Open to all ---------------------------------------------------------------------------------------------------------------------------------

$control->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
my $nobody = DqdsTest::Sql->connect($control, user => 'nobody');
is($nobody->value(q(SELECT dqds_connection_model('postgresql://h/d') ->> 'provider_type')), 'postgresql', 'a role without a level may convert');
is($nobody->query("SELECT * FROM dqds_test_connection($u)")->{error}{sqlstate}, '42501', 'but not connect');

# --- In a query with parallel workers -----------------------------------------------------------------------------------------------------------

# Of a worker's error the leader logs the statement, and does not know that it holds a password.
$sql->must('CREATE TABLE many AS SELECT n FROM generate_series(1, 100000) n; ALTER TABLE many SET (parallel_workers = 2); ANALYZE many');
$sql->must('SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off');
my $from = -s $control->logfile;
is($sql->query(q(SELECT count(dqds_connection_model('postgresql://u:in-a-worker@h/d?bad=' || n)) FROM many))->{error}{sqlstate}, 'QD020', 'an error in a large query');
# What a worker says that the leader has given up on is PostgreSQL's own, and cannot be helped here.
my $leader = $sql->value('SELECT pg_backend_pid()');
my $errors = join "\n", grep { /\[$leader\]/ } split /\n/, slurp_file($control->logfile, $from);
like($errors, qr/ERROR: .* parameter "bad"/, 'is logged');
unlike($errors, qr/in-a-worker/, 'without the password');
$bridge->stop;
done_testing();
