# Tokens and roles: how a token is created and stored; every invalid token is refused with the same message; a request runs as
# the token's role and as no other. The privileges are a table of levels and operations, and each cell is tried over REST and
# over SQL. Objects that do not exist and objects that a role may not use give the same answer. No role reaches the objects of
# another by a mask, a reference, a token, a cached session, or a return to the login role. No token is ever shown in a log or
# in pg_stat_activity.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $remote  = remote_server('remote', conf => 'log_connections = on');
my $control = control_server('control',
	conf => "log_statement = all\nlog_min_duration_statement = 0\nlog_line_prefix = '%m [%p] %a '");
my $sql = DqdsTest::Sql->connect($control);

# The levels, from the lowest. Each role can log in, for SQL; each owns a connection, may use "shop", but not "closed".
my @levels = qw(nobody viewer operator editor admin);
$remote->safe_psql('postgres', 'CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); CREATE TABLE shop.lines (id int);'
	  . 'GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader');
my $model = connection_model($remote);
create_connection($control, $_, $model) foreach 'shop', 'closed';
foreach my $level (@levels)
{
	$control->safe_psql('postgres', "CREATE ROLE $level LOGIN");
	grant_role($control, $level, level => $level eq 'nobody' ? undef : $level, connections => ['shop']);
	create_connection($control, "own $level $_", $model) foreach 'rest', 'sql';
	$control->safe_psql('postgres', "UPDATE dqds_connection SET owner = '$level' WHERE name LIKE 'own $level %'");
}

my @tokens;    # all that were ever created: none of them may be found anywhere at the end

# A token for a role, created by a superuser unless another session is given.
sub new_token
{
	my ($role, $more, $by) = @_;
	my $token = ($by // $sql)->value('SELECT dqds_create_token(' . sql_literal($role) . ($more // '') . ')');
	push @tokens, $token;
	return $token;
}

sub bearer { return { Authorization => "Bearer $_[0]" }; }

# --- Creating a token ---------------------------------------------------------------------------------

my %token = map { $_ => new_token($_) } @levels;
like($token{viewer}, qr/^dqds_[0-9a-f]{64}$/, 'a token is 256 bits in hexadecimal digits');
isnt(new_token('viewer'), $token{viewer}, 'each token is another one');

{
	is($sql->value(q(SELECT count(*) FROM dqds_token WHERE token_hash = '\x) . sha256_hex($token{viewer}) . q(')), 1, 'its SHA-256 is stored');
	my ($dump) = run_command([ 'pg_dump', '-d', $control->connstr('postgres') ]);
	like($dump, qr/COPY public\.dqds_token /, 'a dump carries the tokens');
	my @shown = grep { my $digits = substr $_, 5; $dump =~ /\Q$digits\E/ } @tokens;
	is(@shown, 0, 'but no token itself');

	$sql->value(q(SELECT dqds_create_token('viewer', '1 hour', 'a notebook')));
	is_deeply([ $sql->rows(q(SELECT role, description, created_by, date_trunc('second', expires_at - created_at) AS lives, expired FROM dqds_tokens ORDER BY token_id DESC LIMIT 1)) ],
		[ { role => 'viewer', description => 'a notebook', created_by => scalar getpwuid($<), lives => '01:00:00', expired => 'f' } ],
		'dqds_tokens says whose it is, who made it and when it ends');
	is(join(' ', $sql->column(q(SELECT attname FROM pg_attribute WHERE attrelid = 'dqds_tokens'::regclass AND attnum > 0 ORDER BY attnum))),
		'token_id role description created_by created_at expires_at expired', 'and not what it is, nor its hash');
	is($sql->value(q(SELECT date_trunc('second', expires_at - created_at) FROM dqds_tokens ORDER BY token_id LIMIT 1)), '90 days', 'without a time it lives for 90 days');
	is($sql->query(q(SELECT dqds_create_token('viewer', NULL)))->{error}{sqlstate}, '22004', 'none is made that lives for ever');
	foreach my $time ('0 seconds', '-1 day')
	{
		is($sql->query("SELECT dqds_create_token('viewer', '$time')")->{error}{sqlstate}, '22023', "none is made that lives for $time");
	}
	is($sql->query('SELECT dqds_create_token(NULL)')->{error}{sqlstate}, '22004', 'nor one for NULL');
	is($sql->query(q(SELECT dqds_create_token('stranger')))->{error}{sqlstate}, '42704', 'nor one for a role that does not exist');
}

# The roles that it may stand for.
{
	my $superuser = getpwuid $<;
	foreach my $role ($superuser, qw(pg_monitor pg_read_all_data pg_execute_server_program))
	{
		my $error = $sql->query("SELECT dqds_create_token('$role')")->{error};
		is("$error->{sqlstate} $error->{message}", qq(42501 a token cannot stand for role "$role"), "not even a superuser makes one for $role");
	}
	my $admin = DqdsTest::Sql->connect($control, user => 'admin');
	foreach my $role (qw(editor viewer pg_monitor), $superuser)
	{
		is($admin->query("SELECT dqds_create_token('$role')")->{error}{sqlstate}, '42501', "an admin who is no member of $role makes none for it");
	}
	$sql->must('CREATE ROLE team; GRANT team TO admin');
	like(new_token('team', '', $admin), qr/^dqds_/, 'an admin creates one for a role by membership');
	like(new_token('admin', '', $admin), qr/^dqds_/, 'and for itself');
	is($admin->value(q(SELECT created_by FROM dqds_tokens WHERE role = 'team'::regrole)), 'admin', 'which shows who made it');
	$admin->close;
}

# --- What is refused ------------------------------------------------------------------------------------

my $bridge = start_bridge($control, anonymous => undef, options => [ '--pool-size', 2 ]);
$sql->must("GRANT $_ TO dqds_bridge") foreach @levels;
{
	my $same;    # the answer of every refusal

	# REQUEST's answer must be that 401.
	my $refused = sub {
		my ($what, $answer) = @_;
		my $text = $answer->{raw};
		$text =~ s/^Date: .*\r\n//m;
		$text =~ s/"timestamp":\d+/"timestamp":0/;
		$same //= $text;
		is(answer_fault($answer, 401), undef, "$what: 401");
		is($text, $same, "$what: in the same words");
	};
	my $schemas = '/api/datasource/connections/shop/schemas';
	my $try = sub { my ($what, $authorization) = @_; $refused->($what, http($bridge, GET => $schemas, { Authorization => $authorization })); };

	$refused->('no token', http($bridge, GET => $schemas));
	my $good = $token{operator};
	is(http($bridge, GET => $schemas, bearer($good))->{status}, 200, 'a good token is served');
	is(http($bridge, GET => $schemas, { Authorization => "bEARER   $good" })->{status}, 200, 'also with another case and more spaces');

	$try->("malformed ($_->[0])", $_->[1])
	  foreach [ 'nothing behind Bearer', 'Bearer' ], [ 'only a space behind it', 'Bearer  ' ], [ 'without Bearer', $good ],
	  [ 'another scheme', "Basic $good" ], [ 'an empty header', '' ], [ 'two tokens', "Bearer $good $good" ],
	  [ 'two with a comma', "Bearer $good,$good" ], [ 'in quotes', qq(Bearer "$good") ], [ 'no space', "Bearer:$good" ],
	  [ 'an odd byte', "Bearer $good\xe9" ];
	$try->("unknown ($_->[0])", "Bearer $_->[1]")
	  foreach [ 'never made', 'dqds_' . '0' x 64 ], [ 'short', 'x' ], [ 'in capitals', uc $good ], [ 'cut off', substr $good, 0, -1 ],
	  [ 'longer', $good . '0' ], [ 'without its prefix', substr $good, 5 ], [ 'a role', 'operator' ], [ 'SQL', "'--" =~ s/'/~/r ],
	  [ 'its hash', sha256_hex($good) ];

	my $short = new_token('operator', ", '300 milliseconds'");
	ok(poll_until(sub { http($bridge, GET => $schemas, bearer($short))->{status} == 401 }, 10), 'a token ends with its time');
	$try->('expired', "Bearer $short");
	is($sql->value(q(SELECT count(*) FROM dqds_tokens WHERE expired)), 1, 'dqds_tokens shows that it has expired');

	my $revoked = new_token('operator');
	is(http($bridge, GET => $schemas, bearer($revoked))->{status}, 200, 'before it is revoked a token is served');
	my $id = $sql->value('SELECT max(token_id) FROM dqds_tokens');
	$sql->must("SELECT dqds_revoke_token($id)");
	$try->('revoked', "Bearer $revoked");
	is($sql->query("SELECT dqds_revoke_token($id)")->{error}{sqlstate}, '42704', 'a token can be revoked once');

	$sql->must("CREATE ROLE rising; CREATE ROLE leaving; SELECT dqds_grant('operator', 'rising'), dqds_grant('operator', 'leaving'); GRANT rising, leaving TO dqds_bridge");
	my %later = map { $_ => new_token($_) } qw(rising leaving);
	is(http($bridge, GET => '/api/connections', bearer($later{$_}))->{status}, 200, "the token of role $_ is served") foreach sort keys %later;
	$sql->must('ALTER ROLE rising SUPERUSER; DROP OWNED BY leaving; DROP ROLE leaving');
	$try->('its role became a superuser', "Bearer $later{rising}");
	$try->('its role was dropped', "Bearer $later{leaving}");
	$sql->must('ALTER ROLE rising NOSUPERUSER');
	is(http($bridge, GET => '/api/connections', bearer($later{rising}))->{status}, 200, 'the role is none any more: served again');

	# On every path but one, whether it is there or not.
	foreach my $target ('/api/nothing/here', '/', '/api/connections', '/api/connections/x/basic')
	{
		foreach my $authorization (undef, 'Bearer dqds_0', 'Basic x')
		{
			my $answer = http($bridge, DELETE => $target, { Authorization => $authorization });
			is(answer_fault($answer, 401), undef, "DELETE $target, " . ($authorization // 'no token') . ': 401');
		}
	}
	ok(poll_until(sub { http($bridge, GET => '/api/ishealthy')->{body} eq '"OK"' }, 5), 'health needs no token');
	ok(poll_until(sub { http($bridge, GET => '/api/ishealthy', { Authorization => 'Bearer dqds_0' })->{status} == 200 }, 5), 'and takes no offence at a bad one');

	# Two headers would be ambiguous.
	foreach my $pair ([ $good, $good ], [ $good, 'x' ], [ 'x', $good ])
	{
		my $raw = raw_request($bridge, "GET $schemas HTTP/1.1\r\nHost: localhost\r\n" . join('', map { "Authorization: Bearer $_\r\n" } @$pair) . "\r\n");
		like($raw, qr{^HTTP/1\.1 400 }, 'two Authorization headers: 400');
	}

	# The body of a request without a valid token is not read: the answer arrives before the body is sent.
	foreach my $authorization ('', "Authorization: Basic $good\r\n")
	{
		my $socket  = open_socket($bridge);
		my $started = time;
		print $socket "POST /api/datasource/testconnection HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
		$socket->flush;
		my ($raw, $closed) = read_all($socket, 3);
		like($raw, qr{^HTTP/1\.1 401 }, ($authorization ? 'malformed' : 'no token') . ': 401 before the body');
		ok($closed && time - $started < 1, 'at once, and the connection is closed');
	}
}

# --- Which role it is ------------------------------------------------------------------------------------

# Levels and operations over REST: the lowest level that is allowed, and its status. Lower levels get 403. NAME is a
# connection that the role owns.
my $rank = 0;
my %rank = map { $_ => $rank++ } @levels;
my $tables = '/api/datasource/connections/shop/schemas/shop/tables';
my $import = to_json({ connectionName => 'shop', schemaName => 'shop' });
my @rest   = (
	[ 'isHealthy',            'nobody',   200, GET    => '/api/ishealthy' ],
	[ 'getAllConnections',    'viewer',   200, GET    => '/api/connections' ],
	[ 'getConnectionBasic',   'viewer',   200, GET    => '/api/connections/shop/basic' ],
	[ 'getConnection',        'viewer',   200, GET    => '/api/connections/shop' ],
	[ 'getSchemas',           'viewer',   200, GET    => '/api/connections/shop/schemas' ],
	[ 'getTables',            'viewer',   200, GET    => '/api/connections/shop/schemas/shop/tables' ],
	# A job that does not exist: a role that may ask gets 404.
	[ 'getJob',               'viewer',   404, GET    => '/api/jobs/jobs/0' ],
	[ 'waitForJob',           'viewer',   404, GET    => '/api/jobs/jobs/0/wait' ],
	[ 'testConnection',       'operator', 200, POST   => '/api/datasource/testconnection', $model ],
	[ 'testConnection, details', 'operator', 200, POST => '/api/datasource/testconnection?details=true', $model ],
	[ 'getRemoteDataSourceSchemas', 'operator', 200, GET => '/api/datasource/connections/shop/schemas' ],
	[ 'getRemoteDataSourceTables',  'operator', 200, GET => $tables ],
	[ 'getRemoteDataSourceTables, details', 'operator', 200, GET => "$tables?details=true" ],
	[ 'getRemoteDataSourceColumns',     'operator', 200, GET => "$tables/orders/columns" ],
	[ 'getRemoteDataSourceConstraints', 'operator', 200, GET => "$tables/orders/constraints" ],
	[ 'getRemoteDataSourceIndexes',     'operator', 200, GET => "$tables/orders/indexes" ],
	[ 'importTables',           'editor', 200, POST   => '/api/jobs/importtables', $import ],
	[ 'createConnectionBasic',  'editor', 201, POST   => '/api/connections/new%20NAME/basic', $model ],
	[ 'updateConnectionBasic',  'editor', 204, PUT    => '/api/connections/NAME/basic', $model ],
	[ 'updateConnectionBasic, not his own', 'admin', 204, PUT => '/api/connections/shop/basic', $model ],
	[ 'deleteConnection',       'editor', 200, DELETE => '/api/connections/NAME' ],
	[ 'deleteConnection, not his own', 'admin', 200, DELETE => '/api/connections/shop' ]);
my @operations = slurp_file('bridge/routes.c') =~ /\{"([a-z]\w+)",\s*(?:"SELECT|NULL)/g;
is(join(' ', sort keys %{ { map { $_->[0] =~ s/,.*//r => 1 } @rest } }), join(' ', sort @operations), 'the table has every operation of the bridge');
my %cells = (REST => 0, SQL => 0, alike => 0, stealing => 0);
foreach my $row (@rest)
{
	my ($operation, $lowest, $status, $method, $target, $body) = @$row;
	foreach my $level (@levels)
	{
		my $path   = $target =~ s/NAME/own%20$level%20rest/r;
		my $wanted = $rank{$level} >= $rank{$lowest} ? $status : 403;
		my $answer = http($bridge, $method => $path, bearer($token{$level}), $body);
		poll_until(sub { ($answer = http($bridge, GET => $path))->{status} == 200 }, 5) if $operation eq 'isHealthy';
		is(answer_fault($answer, $wanted), undef, "REST: $operation as $level: $wanted");
		$cells{REST}++;
	}
}
create_connection($control, 'shop', $model);
$sql->must("SELECT dqds_grant_connection('shop', '$_')") foreach @levels;

# A request that is not allowed changes nothing of another role.
is($sql->value(q(SELECT count(*) FROM dqds_connection WHERE name IN ('own nobody rest', 'own viewer rest', 'own operator rest'))),
	3, 'a refused DELETE deletes nothing');

# The same over SQL, for every function and view of the extension: the lowest level, the statement, and what it comes to
# (undef: it succeeds). The connection named OWN belongs to the role, TOKEN is the id of a token. A function that is missing
# here, or that has gone, is a failure of its own.
my $quoted = sql_literal($model);
my %three  = (text => '::text', json => '::json', jsonb => '::jsonb');
my @sql    = (
	[ 'dqds_close_idle()',                'nobody', 'SELECT dqds_close_idle()' ],
	[ 'dqds_connection_model(text)',      'nobody', q(SELECT dqds_connection_model('postgresql://h/d')) ],
	[ 'dqds_shown_model(text,jsonb,boolean,boolean,boolean)', 'nobody', q(SELECT dqds_shown_model('a', '{}', false, false, false)) ],
	[ 'dqds_compact_json(jsonb)',         'nobody', q(SELECT dqds_compact_json('{}')) ],
	[ 'dqds_missing_level(text,boolean)', 'nobody', q(SELECT dqds_missing_level('dqds_job_json', true)) ],
	[ 'dqds_live_role(dqds_role)',        'nobody', q(SELECT dqds_live_role('viewer')) ],
	[ 'dqds_role_in(cstring)',            'nobody', q(SELECT dqds_role_in('viewer')) ],
	[ 'dqds_role_out(dqds_role)',         'nobody', q(SELECT dqds_role_out('viewer')) ],
	# Each of them was granted a connection, and is therefore enrolled.
	[ 'dqds_enrolled()',                  'nobody', 'SELECT dqds_enrolled()' ],
	[ 'dqds_token_role(bytea)',           'nobody', q(SELECT dqds_token_role('\x00')), '28000' ],
	[ 'dqds_connections',                 'viewer', 'SELECT * FROM dqds_connections' ],
	[ 'dqds_imported_tables',             'viewer', 'SELECT * FROM dqds_imported_tables' ],
	[ 'dqds_imported_columns',            'viewer', 'SELECT * FROM dqds_imported_columns' ],
	[ 'dqds_connection_json(text)',       'viewer', q(SELECT dqds_connection_json('shop')) ],
	[ 'dqds_connections_json()',          'viewer', 'SELECT dqds_connections_json()' ],
	[ 'dqds_connection_spec_json(text)',  'viewer', q(SELECT dqds_connection_spec_json('shop')) ],
	[ 'dqds_imported_schemas_json(text)', 'viewer', q(SELECT dqds_imported_schemas_json('shop')) ],
	[ 'dqds_imported_tables_json(text,text,text,integer,integer)', 'viewer', q(SELECT dqds_imported_tables_json('shop', 'shop', NULL, NULL, NULL)) ],
	[ 'dqds_job_json(text)',              'viewer', q(SELECT dqds_job_json('0')), '42704' ],
	[ 'dqds_create_connection_json(text,text)', 'editor', "SELECT dqds_create_connection_json('new', $quoted)" ],
	[ 'dqds_update_connection_json(text,text)', 'editor', "SELECT dqds_update_connection_json(OWN, $quoted)" ],
	(map { (
		[ "dqds_test_connection($_,boolean)", 'operator', "SELECT * FROM dqds_test_connection($quoted$three{$_})" ],
		[ "dqds_diagnose_connection($_)",     'operator', "SELECT * FROM dqds_diagnose_connection($quoted$three{$_})" ],
		[ "dqds_list_schemas($_,boolean)",    'operator', "SELECT * FROM dqds_list_schemas($quoted$three{$_})" ],
		[ "dqds_list_tables($_,text,text,integer,boolean,boolean,text,boolean)", 'operator', "SELECT * FROM dqds_list_tables($quoted$three{$_}, 'shop')" ],
		[ "dqds_list_columns($_,text,text[])",      'operator', "SELECT * FROM dqds_list_columns($quoted$three{$_}, 'shop')" ],
		[ "dqds_list_constraints($_,text,text[])",  'operator', "SELECT * FROM dqds_list_constraints($quoted$three{$_}, 'shop')" ],
		[ "dqds_list_constraints($_,text,text)",    'operator', "SELECT * FROM dqds_list_constraints($quoted$three{$_}, 'shop', 'orders'::text)" ],
		[ "dqds_list_indexes($_,text,text[])",      'operator', "SELECT * FROM dqds_list_indexes($quoted$three{$_}, 'shop')" ],
		[ "dqds_list_indexes($_,text,text)",        'operator', "SELECT * FROM dqds_list_indexes($quoted$three{$_}, 'shop', 'orders'::text)" ],
		[ "dqds_view_definition($_,text,text)",     'operator', "SELECT dqds_view_definition($quoted$three{$_}, 'shop', 'orders')" ],
		[ "dqds_list_columns($_,text,text)",        'operator', "SELECT * FROM dqds_list_columns($quoted$three{$_}, 'shop', 'orders')" ],
		[ "dqds_create_connection(text,$_)",        'editor',   "SELECT dqds_create_connection('new', $quoted$three{$_})" ],
		[ "dqds_update_connection(text,$_)",        'editor',   "SELECT dqds_update_connection(OWN, $quoted$three{$_})" ],
		[ "dqds_patch_connection(text,$_)",         'editor',   "SELECT dqds_patch_connection(OWN, $quoted$three{$_})" ],
		# There are no imports for an ad-hoc model.
		[ "dqds_import_tables($_,text,text,text[],integer)", 'editor', "SELECT * FROM dqds_import_tables($quoted$three{$_}, 'shop')", $_ eq 'text' ? undef : '22023' ],
		[ "dqds_unimport_tables($_,text,text[])", 'editor', "SELECT dqds_unimport_tables($quoted$three{$_}, 'shop')", $_ eq 'text' ? undef : '22023' ]) }
	  sort keys %three),
	[ 'dqds_test_connections(text[])',        'operator', 'SELECT * FROM dqds_test_connections()' ],
	[ 'dqds_test_connections(text)',          'operator', q(SELECT * FROM dqds_test_connections('shop')) ],
	[ 'dqds_test_connection_json(text,boolean,boolean)', 'operator', "SELECT dqds_test_connection_json($quoted, false, true)" ],
	[ 'dqds_list_schemas_json(text,boolean)', 'operator', q(SELECT dqds_list_schemas_json('shop', false)) ],
	(map { [ "dqds_list_${_}_json(text,text,text)", 'operator', "SELECT dqds_list_${_}_json('shop', 'shop', 'orders')" ] } qw(columns constraints indexes)),
	[ 'dqds_list_tables_json(text,text,text,integer,boolean,boolean,boolean,text,boolean)', 'operator', q(SELECT dqds_list_tables_json('shop', 'shop', NULL, NULL, true)) ],
	[ 'dqds_drop_connection(text)',           'editor', 'SELECT dqds_drop_connection(OWN)' ],
	[ 'dqds_drop_connection_json(text)',      'editor', 'SELECT dqds_drop_connection_json(OWN)' ],
	[ 'dqds_rename_connection(text,text)',    'editor', q(SELECT dqds_rename_connection(OWN, 'renamed')) ],
	[ 'dqds_import_tables_json(text,text)',   'editor', 'SELECT dqds_import_tables_json(' . sql_literal($import) . ', NULL)' ],
	[ 'dqds_credentials',                     'admin', 'SELECT * FROM dqds_credentials' ],
	[ 'dqds_create_credential(text,text,text)',  'admin', q(SELECT dqds_create_credential('new', 'x', '*')) ],
	[ 'dqds_replace_credential(text,text,text)', 'admin', q(SELECT dqds_replace_credential('stored', 'x')) ],
	[ 'dqds_drop_credential(text)',           'admin', q(SELECT dqds_drop_credential('stored')) ],
	(map { (
		[ "dqds_grant_credential(text,$_)",     'admin', "SELECT dqds_grant_credential('stored', 'viewer'::$_)" ],
		[ "dqds_revoke_credential(text,$_)",    'admin', "SELECT dqds_revoke_credential('stored', 'viewer'::$_)" ],
		[ "dqds_grant(text,$_)",                'admin', "SELECT dqds_grant('viewer', 'nobody'::$_)" ],
		[ "dqds_revoke(text,$_)",               'admin', "SELECT dqds_revoke('operator', 'operator'::$_)" ],
		[ "dqds_grant_connection(text,$_)",     'admin', "SELECT dqds_grant_connection('closed', 'nobody'::$_)" ],
		[ "dqds_revoke_connection(text,$_)",    'admin', "SELECT dqds_revoke_connection('shop', 'viewer'::$_)" ],
		[ "dqds_set_connection_owner(text,$_)", 'admin', "SELECT dqds_set_connection_owner('closed', 'nobody'::$_)" ]) }
	  qw(regrole text)),
	[ 'dqds_tokens',                          'admin', 'SELECT * FROM dqds_tokens' ],
	[ 'dqds_create_token(regrole,interval,text)', 'admin', 'SELECT dqds_create_token(current_user::regrole)' ],
	[ 'dqds_create_token(text,text,text)',    'admin', 'SELECT dqds_create_token(current_user::text)' ],
	[ 'dqds_create_token(text,interval,text)', 'admin', q(SELECT dqds_create_token(current_user::text, interval '1 day')) ],
	(map { [ "dqds_revoke_token($_)",         'admin', "SELECT dqds_revoke_token('TOKEN'::$_)" ] } qw(bigint integer text)),
	# No level includes the tables, or functions that only the extension's own code calls.
	(map { [ $_, undef, "SELECT $_" ] } (
		'dqds_find_job(bigint,text,oid,text)', 'dqds_forget_role(regrole)', 'dqds_keep_connection(bigint)', 'dqds_level_members(text,integer,integer)', 'dqds_level_objects()', 'dqds_level_of(text)', 'dqds_level_rank(text)', 'dqds_lock_connection(bigint)',
		'dqds_remove_connection(bigint)', 'dqds_remove_connection_grant(bigint,regrole)', 'dqds_remove_credential(bigint)', 'dqds_remove_credential_grant(bigint,regrole)',
		'dqds_remove_imports(bigint,text,text[])', 'dqds_remove_token(bigint)', 'dqds_replace_connection(bigint,jsonb,jsonb,text[])',
		'dqds_store_connection(text,regrole,jsonb,jsonb,text[])', 'dqds_store_connection_grant(bigint,regrole)', 'dqds_store_connection_name(bigint,text)',
		'dqds_store_connection_owner(bigint,regrole)', 'dqds_store_credential(text,text,text)', 'dqds_store_credential_grant(bigint,regrole)', 'dqds_store_credential_secret(bigint,text,text)',
		'dqds_store_import(bigint,text,text[],text[],bigint[],text[],text[],integer[],text[],text[],integer[],integer[],integer[],boolean[],boolean[],text[])',
		'dqds_store_job(oid,text,text,text,timestamp with time zone)',
		'dqds_store_token(regrole,bytea,regrole,timestamp with time zone,text)')),
	(map { [ $_, undef, "SELECT * FROM $_" ] } qw(dqds_connection dqds_connection_grant dqds_connection_secret dqds_credential
		dqds_credential_grant dqds_imported_column dqds_imported_table dqds_job dqds_token)));

$sql->must(q(SELECT dqds_create_credential('stored', 'x', '*')));
is(join("\n", sort map { $_->[0] } @sql),
	join("\n", sort $sql->column(q(
		SELECT CASE classid WHEN 'pg_proc'::regclass THEN objid::regprocedure::text ELSE objid::regclass::text END
		FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
			AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dqds')
			AND (classid = 'pg_proc'::regclass OR classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'v')))))),
	'the table has every function, view and table of the extension');

foreach my $level (@levels)
{
	my $session = DqdsTest::Sql->connect($control, user => $level);
	foreach my $row (@sql)
	{
		my ($object, $lowest, $statement, $outcome) = @$row;
		my $own = sql_literal("own $level sql");
		my $id  = $sql->value('SELECT max(id) FROM dqds_token');
		$statement =~ s/OWN/$own/;
		$statement =~ s/TOKEN/$id/;
		# For an internal function only the privilege to call it is checked, with NULL for each argument.
		$statement =~ s/^SELECT (\w+)\((.*)\)$/"SELECT $1(" . join(', ', map { "NULL::$_" } split \/,\/, $2) . ')'/e if !defined $lowest && $object =~ /\(/;
		if ($object =~ /^dqds_(un)?import_tables\(text/) { $statement =~ s/\Q$quoted\E::text/'shop'/; }
		my $may    = defined $lowest && $rank{$level} >= $rank{$lowest};
		my $wanted = $may ? $outcome // 'ok' : '42501';
		my $answer = $session->query("BEGIN; $statement; ROLLBACK");
		is($answer->{error} ? $answer->{error}{sqlstate} : 'ok', $wanted, "SQL: $object as $level: $wanted")
		  or diag(explain($answer->{error}));
		$session->must('ROLLBACK') if $answer->{error};
		$cells{SQL}++;
	}
	$session->close;
}

# --- Missing and forbidden objects: the same answer -------------------------------------------------------

my @not_admins = grep { $_ ne 'admin' } @levels;
foreach my $row (
	[ viewer   => GET    => '/api/connections/NAME/basic' ],
	[ viewer   => GET    => '/api/connections/NAME' ],
	[ viewer   => GET    => '/api/connections/NAME/schemas' ],
	[ viewer   => GET    => '/api/connections/NAME/schemas/s/tables' ],
	[ operator => GET    => '/api/datasource/connections/NAME/schemas' ],
	[ operator => GET    => '/api/datasource/connections/NAME/schemas/s/tables' ],
	(map { [ operator => GET => "/api/datasource/connections/NAME/schemas/s/tables/t/$_" ] } qw(columns constraints indexes)),
	[ editor   => PUT    => '/api/connections/NAME/basic', $model ],
	[ editor   => DELETE => '/api/connections/NAME' ],
	[ editor   => POST   => '/api/jobs/importtables', to_json({ connectionName => 'NAME', schemaName => 's' }) ],
	# A role may find out whether a name is taken; a mask reveals nothing about that connection.
	[ operator => POST => '/api/datasource/testconnection?verifyNameUniqueness=false', connection_model($remote, connection_name => 'NAME', password => '********') ])
{
	my ($lowest, $method, $path, $body) = @$row;
	foreach my $level (@not_admins)
	{
		my $status = $rank{$level} < $rank{$lowest} ? 403 : $path =~ /testconnection/ ? 200 : 404;
		my ($there, $missing) = map {
			my ($target, $text, $name) = ($path, $body, $_);
			defined && s/NAME/$name/ foreach $target, $text;
			my $answer = http($bridge, $method => $target, bearer($token{$level}), $text);
			is(answer_fault($answer, $status), undef, "$method $target as $level: $status");
			$answer->{raw} =~ s/^(?:Date|Content-Length): .*\r\n//mgr =~ s/"timestamp":\d+|"elapsedMs":[\d.]+//gr =~ s/$name/NAME/gr
		} qw(closed absent);
		is($there, $missing, "$method $path as $level: forbidden and unknown read alike");
		$cells{alike}++;
	}
}
foreach my $level (@not_admins)
{
	my $session = DqdsTest::Sql->connect($control, user => $level);
	foreach my $call (
		'* FROM dqds_test_connection(NAME)', '* FROM dqds_diagnose_connection(NAME)', '* FROM dqds_test_connections(ARRAY[NAME])',
		'* FROM dqds_list_schemas(NAME)', q(* FROM dqds_list_tables(NAME, 's')), q(* FROM dqds_list_columns(NAME, 's')), 'dqds_connection_json(NAME)',
		'dqds_connection_spec_json(NAME)', 'dqds_imported_schemas_json(NAME)', q(dqds_imported_tables_json(NAME, 's', NULL, NULL, NULL)),
		q(* FROM dqds_list_constraints(NAME, 's')), q(* FROM dqds_list_indexes(NAME, 's', 't')), q(dqds_view_definition(NAME, 's', 'v')),
		q(dqds_list_columns_json(NAME, 's', 't')), q(dqds_list_constraints_json(NAME, 's', 't')), q(dqds_list_indexes_json(NAME, 's', 't')),
		'dqds_list_schemas_json(NAME, false)', q(dqds_list_tables_json(NAME, 's', NULL, NULL, false)), "dqds_update_connection(NAME, $quoted)",
		'dqds_drop_connection(NAME)', 'dqds_drop_connection_json(NAME)', q(dqds_rename_connection(NAME, 'x')), q(* FROM dqds_import_tables(NAME, 's')),
		q(dqds_import_tables_json('{"connectionName": "' || NAME || '", "schemaName": "s"}', NULL)),
		q(dqds_unimport_tables(NAME, 's')), 'count(*) FROM dqds_connections WHERE connection_name = NAME')
	{
		my ($there, $missing) = map {
			my ($name, $statement) = ($_, $call);
			$statement =~ s/NAME/'$name'/;
			to_json($session->query("SELECT $statement")) =~ s/"seconds":[^,}]*//r =~ s/$name/NAME/gr
		} qw(closed absent);
		is($there, $missing, "$call as $level: forbidden and unknown read alike");
		$cells{alike}++;
	}
	$session->close;
}

# --- Stealing ---------------------------------------------------------------------------------------------

# This server keeps whatever is sent to it.
my $kept  = PostgreSQL::Test::Utils::tempdir('stolen') . '/received';
my $thief = start_fake_server(
	sub {
		my ($client) = @_;
		open my $file, '>>', $kept or die $!;
		syswrite $file, 'connected ';
		close $file;
		pg_read_startup($client);
		send_bytes($client, pg_auth(3));
		hold($client, $kept);
	});
my %elsewhere = (port => '' . $thief->port, properties => { allow_cleartext_password => 'true' });

# Each attempt must give this error code, and the thief's server must have received nothing.
sub stolen_nothing
{
	my ($what, $code, $answer) = @_;
	is($answer->{json}{errorCode}, $code, "$what: $code") or diag($answer->{raw});
	ok(!-e $kept, "$what: and nothing is connected to");
	unlike($answer->{raw}, qr/\Q@{[ remote_password($remote) ]}\E/, "$what: and nothing is shown");
	$cells{stealing}++;
	return;
}

my $test = '/api/datasource/testconnection?verifyNameUniqueness=false';
sub try_model { return http($bridge, POST => $test, bearer($token{ $_[0] }), $_[1]); }

# A mask stands for a secret only if it leads to the place for which the secret was stored.
create_connection($control, 'own editor stolen', connection_model($remote, properties => { application_name => 'x' }));
$sql->must(q(UPDATE dqds_connection SET owner = 'editor' WHERE name = 'own editor stolen'));
foreach my $level (qw(operator editor admin))
{
	stolen_nothing("$level, the mask of another's connection, elsewhere", 'invalid_connection', try_model($level, connection_model($remote, connection_name => 'closed', password => '********', %elsewhere)));
	foreach my $change ([ port => $elsewhere{port} ], [ host => 'localhost' ], [ user => 'postgres' ], [ database => 'template1' ], [ sslmode => 'disable' ],
		[ properties => $elsewhere{properties} ], [ provider_type => 'questdb' ])
	{
		my ($key, $value) = @$change;
		stolen_nothing("$level, the mask with another $key", 'invalid_connection', try_model($level, connection_model($remote, connection_name => 'shop', password => '********', $key => $value)));
	}
}
stolen_nothing('editor, the mask in an update to elsewhere', 'invalid_connection',
	http($bridge, PUT => '/api/connections/own%20editor%20stolen/basic', bearer($token{editor}), connection_model($remote, password => '********', %elsewhere)));
stolen_nothing('editor, the mask in a new connection', 'invalid_connection',
	http($bridge, POST => '/api/connections/mine%20now/basic', bearer($token{editor}), connection_model($remote, connection_name => 'closed', password => '********', %elsewhere)));

# A reference is resolved for roles that may use it, and towards the hosts that it is for.
$sql->must('SELECT dqds_create_credential(' . join(', ', map { sql_literal($_) } 'for shop', remote_password($remote), '127.0.0.1:' . $remote->port) . ')');
my %reference = (password => '${credential://for shop}');
stolen_nothing("$_, a credential that was not granted", 'unresolved_secret', try_model($_, connection_model($remote, %reference, %elsewhere))) foreach qw(operator editor admin);
$sql->must(q(SELECT dqds_grant_credential('for shop', 'editor')));
is(try_model(editor => connection_model($remote, %reference))->{json}{connectionTestResult}, 'SUCCESS', 'editor, granted, to where it is for: used');
stolen_nothing('editor, granted, to elsewhere', 'unresolved_secret', try_model(editor => connection_model($remote, %reference, %elsewhere)));
is(http($bridge, POST => '/api/connections/lure/basic', bearer($token{editor}), connection_model($remote, %reference, %elsewhere))->{status}, 201, 'editor, registered with it, to elsewhere');
stolen_nothing('editor, a listing of that', 'unresolved_secret', http($bridge, GET => '/api/datasource/connections/lure/schemas', bearer($token{editor})));
stolen_nothing('admin, a listing of that', 'unresolved_secret', http($bridge, GET => '/api/datasource/connections/lure/schemas', bearer($token{admin})));
stolen_nothing("$_, a variable of the server", 'unresolved_secret', try_model($_, connection_model($remote, password => '${DQDS_SECRET_X:y}', %elsewhere))) foreach qw(operator editor);
stolen_nothing('admin, a variable that is no secret', 'unresolved_secret', try_model(admin => connection_model($remote, password => '${PATH}', %elsewhere)));
is(try_model(admin => connection_model($remote, password => 'a lure', %elsewhere))->{json}{connectionTestResult}, 'FAILURE', 'the thief is there');
like(slurp_file($kept), qr/a lure/, 'and has what was sent');

# A session that one role has opened is not used for another, however the current role was set.
{
	$sql->must(q(CREATE ROLE stranger; SELECT dqds_grant('operator', 'stranger')));
	my $session = DqdsTest::Sql->connect($control);
	my $logins  = sub { return scalar(() = slurp_file($remote->logfile) =~ /connection authorized: user=reader/g); };
	my $list    = q(SELECT count(*) FROM dqds_list_schemas('shop'));
	$session->must("CREATE FUNCTION lent() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS \$\$ $list \$\$; ALTER FUNCTION lent() OWNER TO operator");
	my @seen;
	foreach my $step ('SET ROLE operator', $list, $list, 'SET ROLE editor', $list, 'SET ROLE stranger', 'SELECT lent()', 'RESET ROLE', 'SELECT lent()')
	{
		my $before = $logins->();
		my $answer = $session->query($step);
		push @seen, ($answer->{error} ? $answer->{error}{sqlstate} : 'ok') . ' ' . ($logins->() - $before) if $step =~ /SELECT/;
	}
	is(join(', ', @seen), 'ok 1, ok 0, ok 1, ok 0, ok 0', 'a session is used again by its role, also when a function lends that role, and by no other');
	$session->must('SET ROLE stranger');
	is($session->query($list)->{error}{sqlstate}, '42704', 'a stranger does not get at it');
	$cells{stealing} += 6;
	$session->close;
	$sql->must('DROP FUNCTION lent()');
}

# A token for a more powerful role.
{
	my $superuser = getpwuid $<;
	foreach my $level (@levels)
	{
		my $session = DqdsTest::Sql->connect($control, user => $level);
		foreach my $stronger ((grep { $rank{$_} > $rank{$level} } @levels), $superuser, 'dqds_bridge', 'pg_read_all_data')
		{
			is($session->query("SELECT dqds_create_token('$stronger')")->{error}{sqlstate}, '42501', "$level makes no token for $stronger");
			is($session->query("SET ROLE $stronger")->{error}{sqlstate}, '42501', "$level cannot become $stronger");
			is($session->query("SELECT set_config('role', '$stronger', false)")->{error}{sqlstate}, '42501', "$level cannot become $stronger by set_config");
			$cells{stealing} += 3;
		}
		$session->close;
	}
}

# The return to the login role. Code that runs in a session of the bridge can become its login role, and from there any other:
# PostgreSQL works like that. So no route may call anything that other roles can write, even if they may create objects in the
# schema of the extension.
{
	$sql->must('GRANT CREATE ON SCHEMA public TO editor; CREATE TABLE public.sprung (who text); GRANT INSERT ON public.sprung TO PUBLIC');
	my $editor = DqdsTest::Sql->connect($control, user => 'editor');
	$editor->must(q(CREATE FUNCTION public.spring() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; INSERT INTO public.sprung VALUES (current_user); END $$));
	my @traps = $sql->column(q(
		SELECT DISTINCT format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.spring(); RETURN NULL; END $f$', p.proname,
			(SELECT string_agg(of, ', ') FROM unnest(p.proargtypes::oid[]) a, LATERAL (SELECT CASE a WHEN 25 THEN 'varchar' WHEN 23 THEN 'bigint' WHEN 16 THEN 'text' ELSE format_type(a, NULL) END) t (of)))
		FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dqds')
		WHERE 25 = ANY (p.proargtypes::oid[])));
	push @traps, map {
		my ($operator, $left, $right, $result) = @$_;
		my $name = 'trap' . @traps . $left . $right . length $operator;
		"CREATE FUNCTION public.\"$name$operator\"($left, $right) RETURNS $result LANGUAGE plpgsql AS \$\$ BEGIN PERFORM public.spring(); RETURN NULL; END \$\$;"
		  . "CREATE OPERATOR public.$operator (LEFTARG = $left, RIGHTARG = $right, FUNCTION = public.\"$name$operator\")"
	} (map { my $type = $_; map { [ $_, $type, $type, 'boolean' ] } '=', '<', '>', '<>', '~' } qw(text bytea bigint boolean jsonb)), [ '->>', 'jsonb', 'varchar', 'text' ], [ '||', 'text', 'varchar', 'text' ];
	push @traps, map { "CREATE FUNCTION public.$_ RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM public.spring(); RETURN NULL; END \$\$" }
	  'set_config(text, text, boolean)', 'now()', 'json_build_object(text, text)', 'to_jsonb(text)', 'quote_ident(text)', 'format(text, text)';
	$editor->must($_) foreach @traps;
	cmp_ok(scalar @traps, '>', 50, scalar(@traps) . ' traps are set');

	my $as_bridge = DqdsTest::Sql->connect($control, user => 'dqds_bridge');
	$as_bridge->must(q(BEGIN; SELECT set_config('role', 'viewer', true)));
	is($as_bridge->value('SELECT current_user'), 'viewer', 'in a session of the bridge, as a viewer');
	$as_bridge->must('SELECT public.spring()');
	$as_bridge->must('COMMIT');
	is($sql->value('SELECT string_agg(who, $$ $$) FROM public.sprung'), 'dqds_bridge', 'a trap that is called does spring');
	$sql->must('TRUNCATE public.sprung');
	$as_bridge->close;

	foreach my $level (qw(editor admin))
	{
		foreach my $row (@rest)
		{
			my ($operation, $lowest, $status, $method, $target, $body) = @$row;
			next if $operation =~ /not his own/;
			my $path = $target =~ s/NAME/trap%20$level/r;
			http($bridge, POST => '/api/connections/trap%20' . $level . '/basic', bearer($token{$level}), $model) if $operation =~ /^(update|delete)/;
			next if $operation eq 'isHealthy';
			is(answer_fault(http($bridge, $method => $path, bearer($token{$level}), $body), $status), undef, "among traps: $operation as $level: $status");
			$cells{stealing}++;
		}
	}
	is($sql->value('SELECT count(*) FROM public.sprung'), 0, 'no trap has sprung');
	$editor->close;
	# Remove them: the rest is about something else.
	$sql->must('REVOKE CREATE ON SCHEMA public FROM editor');
	$sql->must(join ';', $sql->column(q(SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc WHERE proowner = 'editor'::regrole)), 'DROP TABLE public.sprung');
}

# The bridge must be able to become the role.
{
	grant_role($control, 'apart', level => 'operator', connections => ['shop']);
	my $apart  = new_token('apart');
	my $answer = http($bridge, GET => '/api/connections', bearer($apart));
	is(answer_fault($answer, 403), undef, 'the login of the bridge is no member of the role: 403');
	is($answer->{json}{message}, 'the bridge may not take on the role of this request; its login role must be granted that role', 'which says what to do');
	like($bridge->log, qr/error the role of a request cannot be taken on: the login role of the bridge must be a member of it/, 'the log says why');
	$sql->must('GRANT apart TO dqds_bridge');
	is(http($bridge, GET => '/api/connections', bearer($apart))->{status}, 200, 'a member it is: served');
	like($bridge->log, qr{GET "/api/connections" 200 \d+ms \d+B role="apart"}, 'the log names the role');
}

# One control connection, one backend: each role has its own remote sessions, and no request keeps the role of the previous
# one.
{
	my $single = start_bridge($control, anonymous => undef, options => [ '--pool-size', 1 ]);
	my $before = -s $remote->logfile;
	my @logins = ();
	foreach my $role (qw(operator editor operator editor admin operator))
	{
		is(http($single, GET => '/api/datasource/connections/shop/schemas', bearer($token{$role}))->{status}, 200, "schemas as $role");
		push @logins, scalar(() = slurp_file($remote->logfile, $before) =~ /connection authorized: user=reader/g);
	}
	is("@logins", '1 2 2 2 3 3', 'a remote session is used again by its role, and never by another one');
	is($remote->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dqds')) >= 3, 1, 'the remote has a session for each');
	is(http($single, POST => '/api/connections/x/basic', bearer($token{admin}), $model)->{status}, 201, 'the strong one may');
	is(http($single, DELETE => '/api/connections/x', bearer($token{viewer}))->{status}, 403, 'the weak one behind it may not');
	is(http($single, GET => '/api/connections', bearer('dqds_0'))->{status}, 401, 'and an unknown one gets nothing of theirs');

	# No route executes what a client sends, so there is no way back to the login role.
	my $evil = q(shop'; RESET ROLE; SELECT set_config('role','none',false) -- $1 \\);
	my $name = encode_segment($evil);
	my $from = -s $control->logfile;
	my %status = map { my ($method, $target, $body) = @$_; ("$method $target" => http($single, $method => $target, bearer($token{editor}), $body)->{status}) } (
		[ GET => "/api/connections/$name/basic" ], [ GET => "/api/datasource/connections/$name/schemas" ],
		[ GET => "/api/datasource/connections/shop/schemas/$name/tables?tableNameContains=$name" ],
		[ POST => "/api/connections/$name/basic", $model ], [ PUT => "/api/connections/$name/basic", $model ],
		[ POST => "/api/jobs/importtables?jobBusinessKey=$name", to_json({ connectionName => $evil, schemaName => $evil, tableNames => [$evil], tableNameContains => $evil }) ],
		[ POST => '/api/datasource/testconnection', connection_model($remote, connection_name => $evil, options => $evil, database => $evil, user => $evil) ],
		[ DELETE => "/api/connections/$name" ]);
	is(join(' ', sort values %status), '200 200 200 200 201 204 404 404', 'SQL in every place is data');
	my $log = slurp_file($control->logfile, $from);
	my @ran = $log =~ /dqds-bridge LOG:  (?:statement|execute \S+|duration: \S+ ms  \S+ \S+): (.*)/g;
	cmp_ok(scalar @ran, '>=', 16, 'the log has what the bridge ran');
	is(scalar(grep { /RESET|'none'|shop/ } @ran), 0, 'none of it holds anything that the client sent');
	is($single->stop, 0, 'the bridge ends');
}

# --- Tokens in logs ----------------------------------------------------------------------------------------

{
	my $silent = start_fake_server(sub { hold($_[0]) });
	create_connection($control, 'silent', connection_model($remote, port => '' . $silent->port));
	$sql->must(q(SELECT dqds_grant_connection('silent', 'operator')));
	my $socket = open_socket($bridge);
	print $socket "GET /api/datasource/connections/silent/schemas HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token{operator}\r\n\r\n";
	$socket->flush;
	my $working = poll_until(sub { $sql->value(q(SELECT pid FROM pg_stat_activity WHERE application_name = 'dqds-bridge' AND state = 'active' AND query LIKE '%list_schemas%')) }, 10);
	ok($working, 'a request is being worked on');
	my $activity = to_json([ $sql->rows('SELECT * FROM pg_stat_activity') ]);
	my $ps = join "\n", map { slurp_file("/proc/$_/cmdline") } $working, $bridge->pid;
	$sql->must("SELECT pg_cancel_backend($working)");
	read_all($socket, 10);
	my @found;
	my %place = ('the log of the bridge' => $bridge->log, 'the log of the control server' => slurp_file($control->logfile),
		'the log of the remote' => slurp_file($remote->logfile), 'pg_stat_activity' => $activity, 'the list of processes' => $ps);
	ok(length $place{$_}, "there is something in $_") foreach sort keys %place;
	foreach my $place (sort keys %place)
	{
		is(scalar(grep { my $digits = substr $_, 5; $place{$place} =~ /\Q$digits\E/ } @tokens), 0, "no token in $place");
	}
	like($place{'the log of the control server'}, qr/dqds_token_role/, 'which does log what the bridge does with one');
}

# --- Where it listens ---------------------------------------------------------------------------------------

{
	my @listen = ('--listen', '0.0.0.0:0', '--control-db', bridge_conninfo($control));
	my ($status, $out, $err) = run_bridge(@listen, '--anonymous-role', 'viewer');
	is($status, 2, 'an address that others reach and an anonymous role: refused');
	like($err, qr/^dqds-bridge: [^\n]*--allow-remote-anonymous[^\n]*\n$/, 'in one line that names the option');
	($status, $out, $err) = run_bridge(@listen, '--allow-superuser');
	is($status, 2, '--allow-superuser on such an address: refused');
	like($err, qr/^dqds-bridge: --allow-superuser [^\n]*loopback[^\n]*\n$/, 'in one line that says why');

	foreach my $anonymous (0, 1)
	{
		my @options = $anonymous ? ('--anonymous-role', 'viewer', '--allow-remote-anonymous', '--host-name', 'dqds.example') : ();
		my $open = DqdsTest::Process->start('open bridge', PostgreSQL::Test::Utils::tempdir('open') . '/log', [ $ENV{DQDS_BRIDGE} // 'bridge/dqds-bridge', @listen, @options ]);
		($open->{port}) = $open->await(qr{listening on http://0\.0\.0\.0:(\d+)}, 30);
		my $what = $anonymous ? 'with an anonymous role' : 'without one';
		my %foreign = (Host => 'evil.example', Origin => 'https://evil.example');
		is(http($open, GET => '/api/connections', { %{ bearer($token{viewer}) }, %foreign })->{status}, 200, "$what: a token is served, whatever Host and Origin");
		is(http($open, GET => '/api/connections')->{status}, $anonymous ? 200 : 401, "$what: without a token");
		is(http($open, GET => '/api/connections', {%foreign})->{status}, $anonymous ? 403 : 401, "$what: without a token, a foreign Host and Origin");
		is(http($open, GET => '/api/connections', { Host => 'dqds.example' })->{status}, $anonymous ? 200 : 401, "$what: without a token, a host of ours");
		ok(poll_until(sub { http($open, GET => '/api/ishealthy', {%foreign})->{status} == 200 }, 5), "$what: health from afar");
		is($open->stop, 0, "$what: it ends");
	}
}

# With a token the origin of a request does not matter; without one, it is all there is to check.
{
	my $anonymous = start_bridge($control, anonymous => 'viewer', level => undef);
	foreach my $row ([ Host => 'evil.example', 403 ], [ Host => '127.0.0.1.evil.example', 403 ], [ Origin => 'http://evil.example', 403 ],
		[ Origin => 'null', 403 ], [ Host => 'localhost', 200 ], [ Host => '127.0.0.1', 200 ], [ Host => '[::1]:8888', 200 ], [ Origin => 'http://localhost:3000', 200 ])
	{
		my ($header, $value, $status) = @$row;
		is(http($anonymous, GET => '/api/connections', { $header => $value })->{status}, $status, "without a token, $header $value: $status");
		is(http($anonymous, GET => '/api/connections', { $header => $value, %{ bearer($token{operator}) } })->{status}, 200, "with one: 200");
		is(http($anonymous, GET => '/api/connections', { $header => $value, %{ bearer('dqds_0') } })->{status}, 401, 'with a bad one: 401, not the anonymous role');
	}
}

diag(sprintf '%d cells over REST, %d over SQL; %d times not there and not allowed are alike; %d tries of stealing', @cells{qw(REST SQL alike stealing)});
done_testing();
