# Names are bound once: neither objects that other roles create in the extension's schema, nor a search_path that the owner of
# the database or the connection string sets, can make the bridge run foreign code. The test reads every statement of the
# bridge from its sources, and sets traps for every name and operator in them, which must not be called. It also checks that
# parameters of statements do not get into the server's log.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# --- Every statement of the sources ---------------------------------------------------------------------------

# The string constants of a C source, those that follow each other joined.
sub strings_of
{
	my ($file) = @_;
	my $source = slurp_file("bridge/$file");
	$source =~ s{/\*.*?\*/}{}gs;
	my @strings;
	push @strings, join '', $1 =~ /"((?:[^"\\]|\\.)*)"/g while $source =~ /("(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*)/g;
	return @strings;
}

my $sql_like = qr/^(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|SET|RESET|CALL|BEGIN|DO|VALUES)\s/;
my %statements = map { my $file = $_; ($file => [ grep { /$sql_like/ } strings_of($file) ]) } map { s{.*/}{}r } glob 'bridge/*.c';
is(join(' ', grep { @{ $statements{$_} } } sort keys %statements), 'routes.c statements.c', 'SQL stands in two files');
my ($bind, @statements) = (grep({ /^SET / } @{ $statements{'statements.c'} }), grep { !/^SET / } map { @$_ } @statements{qw(statements.c routes.c)});
is($bind, 'SET quote_all_identifiers = off; SET exit_on_error = off; SET search_path = pg_catalog, pg_temp; SET log_parameter_max_length_on_error = 0',
	'a session begins with names of the system only');
cmp_ok(scalar @statements, '>=', 13, scalar(@statements) . ' statements are read');

# unbound(STATEMENT): the names in it whose meaning depends on the search_path.
sub unbound
{
	my ($text) = @_;
	my @unbound;
	my $keyword = qr/(?:EXISTS|SELECT|AS|ON|AND|OR|NOT|WHERE|FROM|JOIN|OPERATOR|coalesce|CASE|THEN|ELSE|IN)/;
	$text =~ s/'[^']*'/''/g;
	push @unbound, "type $1"     while $text =~ /::(?!pg_catalog\.)(\w+)/g;
	push @unbound, "function $1" while $text =~ /(?<![\w.@])((?!$keyword\b)\w+)\s*\(/g;
	push @unbound, "relation $1" while $text =~ /\b(?:FROM|JOIN)\s+(?!pg_catalog\.|\()(\w+)/g;
	push @unbound, "parameter $1" while $text =~ /(\$\d+)(?!\d|::)/g;
	$text =~ s/OPERATOR\(pg_catalog\.[^)]+\)|:://g;
	push @unbound, "operator $1" while $text =~ m{([-+*/<>=~!@#%^&|?]+)}g;
	push @unbound, 'ORDER BY without its operator' if $text =~ /ORDER BY (?!.*USING)/;
	return @unbound;
}

is(join(', ', unbound($_)), '', "bound: $_") foreach @statements;
is(join(', ', unbound(q(SELECT f(a.x), $1 FROM t WHERE y = $2::text ORDER BY z))),
	'type text, function f, relation t, parameter $1, operator =, ORDER BY without its operator', 'an unbound name would be found');

# --- Traps ------------------------------------------------------------------------------------------------------

my $remote  = remote_server('remote');
my $control = control_server('control', conf => 'log_parameter_max_length_on_error = -1');
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop', connection_model($remote));
grant_role($control, $_, level => $_, connections => ['shop']) foreach qw(admin viewer);
$sql->must('CREATE ROLE nothing');
my %token = map { $_ => $sql->value("SELECT dqds_create_token('$_')") } qw(admin viewer nothing);
start_bridge($control, level => 'admin', connections => ['shop'])->stop;
$sql->must('GRANT admin, viewer, nothing TO dqds_bridge');

# The action of a trap: it writes a line to the log, which a rollback cannot undo.
$sql->must(q(
	CREATE SCHEMA evil;
	GRANT USAGE ON SCHEMA evil TO PUBLIC;
	CREATE SEQUENCE evil.sprung;
	GRANT USAGE ON SEQUENCE evil.sprung TO PUBLIC;
	SELECT pg_catalog.setval('evil.sprung', 1, false);
	CREATE FUNCTION evil.spring() RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN RAISE LOG 'a trap has sprung'; PERFORM pg_catalog.nextval('evil.sprung'); RETURN NULL; END $$));

sub sprung { return $sql->value(q(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM evil.sprung)); }

# set_operators(SCHEMA, OPERATORS, TYPES as a condition): for each pair of those types a trap for each operator, but where
# pg_catalog has that very operator if the schema comes behind it.
sub set_operators
{
	my ($schema, $operators, $types, $behind) = @_;
	my $names = join ', ', map { "'$_'" } @$operators;
	my $exact = $behind ? 'NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprname = name AND o.oprleft = l.oid AND o.oprright = r.oid)' : 'true';
	$sql->must(qq(
		DO \$do\$
		DECLARE l record; r record; name text; made boolean;
		BEGIN
			FOR l IN SELECT oid, oid::regtype AS type FROM pg_type WHERE $types LOOP
				FOR r IN SELECT oid, oid::regtype AS type FROM pg_type WHERE $types LOOP
					made := false;
					FOREACH name IN ARRAY ARRAY[$names] LOOP
						CONTINUE WHEN NOT ($exact);
						IF NOT made THEN
							EXECUTE format('CREATE FUNCTION $schema.trap(%s, %s) RETURNS boolean LANGUAGE plpgsql AS \$f\$ BEGIN RETURN evil.spring(); END \$f\$', l.type, r.type);
							made := true;
						END IF;
						EXECUTE format('CREATE OPERATOR $schema.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = $schema.trap)', name, l.type, r.type);
					END LOOP;
				END LOOP;
			END LOOP;
		END \$do\$), 120);
	return $sql->value("SELECT count(*) FROM pg_operator WHERE oprnamespace = '$schema'::regnamespace");
}

# In the extension's schema: for every pair of types that the system has no operator for.
my @operators = qw(= < > <= >= <> ||);
my $base      = q(typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A' AND typname !~ '^(reg|pg_)');
my $set       = set_operators('public', \@operators, $base, 1);
cmp_ok($set, '>', 5000, "$set operators are set in the extension's schema");

# In a schema that comes first: for the types in use, and for every name in use.
my $used = q(oid IN ('text'::regtype, 'name'::regtype, 'oid'::regtype, 'bool'::regtype, 'int4'::regtype, 'int8'::regtype, 'float8'::regtype,
	'numeric'::regtype, 'interval'::regtype, 'bytea'::regtype, 'jsonb'::regtype, 'varchar'::regtype));
$set = set_operators('evil', \@operators, $used, 0);
cmp_ok($set, '>', 900, "$set operators are set in a schema that comes first");
foreach my $function ('set_config(text, text, boolean)', 'current_setting(text)', 'current_setting(text, boolean)', 'quote_ident(text)', 'has_schema_privilege(oid, text)',
	'dqds_token_role(bytea)', 'dqds_test_connection_json(text, boolean, boolean)', 'dqds_list_schemas_json(text, boolean)',
	'dqds_list_tables_json(text, text, text, integer, boolean, boolean, boolean, text, boolean)', 'dqds_connection_json(text)', 'dqds_close_idle()')
{
	$sql->must("CREATE FUNCTION evil.$function RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM evil.spring(); RETURN NULL; END \$\$");
}
$sql->must("CREATE VIEW evil.$_ AS SELECT *, evil.spring() AS trap FROM $_; GRANT SELECT ON evil.$_ TO PUBLIC") foreach qw(pg_roles pg_extension pg_namespace dqds_connections);
$sql->must("CREATE DOMAIN evil.$_ AS pg_catalog.$_ CHECK (evil.spring() IS NULL)") foreach qw(text name bytea int4 bool oid);

# The traps work.
{
	my $as_bridge = DqdsTest::Sql->connect($control, user => 'dqds_bridge');
	my $before = sprung();
	$as_bridge->must("SET search_path = pg_catalog, public; SELECT 1::float8 >= 1::numeric");
	cmp_ok(sprung(), '>', $before, 'an operator in the schema of the extension springs');
	$as_bridge->must('SET search_path = evil, pg_catalog, public');
	foreach my $trap (q(SELECT 'a'::pg_catalog.name = 'b'::pg_catalog.name), q(SELECT set_config('a.b', 'c'::pg_catalog.text, true)), 'SELECT * FROM pg_roles', q(SELECT 'a'::text))
	{
		$before = sprung();
		$as_bridge->must($trap);
		cmp_ok(sprung(), '>', $before, "and so does: $trap");
	}
	$as_bridge->close;
}

# no_trap(WHAT, CONNINFO): a bridge that uses all its statements among the traps.
my $model = connection_model($remote);

sub no_trap
{
	my ($what, $conninfo) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = sprung();
	my ($status, $out, $err) = run_bridge('--control-db', $conninfo, '--listen', '127.0.0.1:0', '--anonymous-role', 'dqds_anonymous', '--check');
	is("$status $err", '0 ', "$what: --check");
	my $bridge = start_bridge(undef, control_db => $conninfo);
	is(health_of($bridge)->{status}, 200, "$what: health");
	foreach my $headers ({}, { Authorization => "Bearer $token{admin}" })
	{
		my $who = %$headers ? 'with a token' : 'without one';
		my @got = map { my ($method, $target, $body) = @$_; http($bridge, $method => $target, $headers, $body)->{status} } (
			[ POST => '/api/connections/trap/basic', $model ], [ PUT => '/api/connections/trap/basic', $model ],
			[ GET => '/api/connections' ], [ GET => '/api/connections/trap/basic' ], [ GET => '/api/datasource/connections/trap/schemas' ],
			[ GET => '/api/datasource/connections/trap/schemas/public/tables?details=true&limit=2&tableNameContains=x' ],
			[ POST => '/api/datasource/testconnection?details=true', $model ],
			[ POST => '/api/jobs/importtables', to_json({ connectionName => 'trap', schemaName => 'public' }) ],
			[ DELETE => '/api/connections/trap' ], [ GET => '/api/no/such/path' ]);
		is("@got", '201 204 200 200 200 200 200 200 200 404', "$what: requests $who");
	}
	sleep 3;    # nothing must happen, so there is nothing to wait for: idle connections are checked each second
	is(http($bridge, GET => '/api/connections')->{status}, 200, "$what: served after a pause");
	is($bridge->stop, 0, "$what: it ends");
	is(sprung() - $before, 0, "$what: no trap has sprung");
	return;
}

my $conninfo = bridge_conninfo($control);
no_trap('traps in the schema of the extension', $conninfo);

# From here on new sessions of the tests would call them, too: $sql is an existing one.
my $path = 'evil, public, pg_catalog';
$sql->must("ALTER DATABASE postgres SET search_path = $path");
no_trap('a search_path of the database', $conninfo);
$sql->must("ALTER DATABASE postgres RESET search_path; ALTER ROLE dqds_bridge SET search_path = $path");
no_trap('a search_path of the role', $conninfo);
$sql->must("ALTER ROLE dqds_bridge RESET search_path; ALTER ROLE dqds_bridge IN DATABASE postgres SET search_path = $path");
no_trap('a search_path of the role in the database', $conninfo);
$sql->must('ALTER ROLE dqds_bridge IN DATABASE postgres RESET search_path');
no_trap('a search_path of the connection string', "$conninfo options='-c search_path=evil,public,pg_catalog'");
unlike(join("\n", grep { /a trap has sprung/ } split /\n/, (split /ALTER DATABASE/, slurp_file($control->logfile))[-1]), qr/dqds-bridge/, 'nor does the log have one of the bridge');

# Settings of the database that change how names are written, or what an error does to a session.
foreach my $setting (qw(quote_all_identifiers exit_on_error))
{
	$sql->must("ALTER DATABASE postgres SET $setting = on");
	my $bridge = start_bridge(undef, control_db => $conninfo);
	foreach my $headers ({}, { Authorization => "Bearer $token{admin}" })
	{
		my $who = %$headers ? 'with a token' : 'without one';
		my @got = map { my ($method, $target) = @$_; http($bridge, $method => $target, $headers)->{status} }
		  ([ GET => '/api/connections' ], [ GET => '/api/connections/no-such/basic' ], [ DELETE => '/api/connections/no-such' ], [ GET => '/api/connections/shop/basic' ]);
		is("@got", '200 404 404 200', "$setting = on: requests $who");
	}
	$bridge->stop;
	$sql->must("ALTER DATABASE postgres RESET $setting");
}

# What else the connection string sets is kept.
{
	my $bridge = start_bridge(undef, control_db => "$conninfo options='-c default_transaction_read_only=on'");
	is(answer_fault(http($bridge, POST => '/api/connections/new/basic', {}, $model), 503), undef, 'other options of the connection string count');
	$bridge->stop;
}

# A server, or a pooler, that takes SET and forgets it.
{
	my $row = sub { return pg_message('D', pack('n', scalar @_) . join '', map { pack('N', length) . $_ } @_); };
	my $forgetful = start_fake_server(sub {
		my ($socket) = @_;
		pg_log_in($socket);
		my ($type) = pg_read_message($socket);
		die "no simple query but $type\n" if $type ne 'Q';
		send_bytes($socket, pg_message('C', "SET\0") x 4 . pg_message('Z', 'I'));
		my @columns = ('f', 'f', 'f', '1.1', 'evil, pg_catalog', '60s');
		my $description = pg_message('T', pack('n', scalar @columns) . join '', map { "c\0" . pack('NnNnNn', 0, 0, 25, 65535, 0xFFFFFFFF, 0) } @columns);
		pg_answer($socket, pg_message('1', '') . pg_message('2', '') . $description . $row->(@columns) . pg_message('C', "SELECT 1\0") . pg_message('Z', 'I'));
		hold($socket);
	});
	my ($status, $out, $err) = run_bridge('--control-db', 'host=127.0.0.1 port=' . $forgetful->port . ' user=u password=p dbname=d', '--check');
	is($status, 1, 'a session that does not keep its search_path: refused');
	like($err, qr/: its session does not keep its search_path$/, 'which says why');
	$forgetful->stop;
}

# --- What a statement is given stays out of the log ------------------------------------------------------------------

{
	my $bridge = start_bridge(undef, control_db => $conninfo);
	my $from   = -s $control->logfile;
	my $secret = connection_model($remote, password => 'a-parameter-with-a-password');
	foreach my $row ([ POST => '/api/connections/x/basic' ], [ PUT => '/api/connections/shop/basic' ], [ POST => '/api/datasource/testconnection' ], [ POST => '/api/jobs/importtables' ])
	{
		my ($method, $target) = @$row;
		is(http($bridge, $method => $target, { Authorization => "Bearer $token{$_}" }, $secret)->{status}, 403, "$method $target as $_: 403") foreach qw(nothing viewer);
	}
	$bridge->stop;
	my $log = slurp_file($control->logfile, $from);
	like($log, qr/permission denied/, 'the log of the control server has the errors');
	unlike($log, qr/a-parameter-with-a-password/, 'but not what was sent');
}

done_testing();
