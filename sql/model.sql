-- model: what a connection model may hold, and what becomes of one that is wrong.
\pset format unaligned

-- A value of the wrong JSON type in a known key is the error 42804, which names the key.
SELECT attempt(format('SELECT dqds_list_schemas(%L::jsonb)', model)) FROM (VALUES
	(1, '[]'), (2, '5'), (3, '"text"'), (4, 'true'), (5, 'null'), (6, '[{"provider_type": "postgresql"}]'),
	(10, self('{}', '{"provider_type": 5}')), (11, self('{}', '{"connection_name": ["a"]}')),
	(12, self('{}', '{"postgresql": "x"}')), (13, self('{}', '{"postgresql": [1]}')),
	(14, self('{}', '{"parallel_jobs_limit": "8"}')), (15, self('{}', '{"password_required": "no"}')),
	(20, self('{"host": 127}')), (21, self('{"port": []}')), (22, self('{"port": {}}')), (23, self('{"port": true}')),
	(24, self('{"database": 1}')), (25, self('{"user": {"name": "x"}}')), (26, self('{"password": 12345678}')),
	(27, self('{"password": ["regress-secret"]}')), (28, self('{"sslmode": false}')), (29, self('{"options": {}}')),
	(30, self('{"postgresql_engine_type": 1}')), (31, self('{"redshift_authentication_mode": []}')),
	(40, self('{"properties": "x"}')), (41, self('{"properties": ["x"]}')),
	(42, self('{"properties": {"connect_timeout": [5]}}')), (43, self('{"properties": {"application_name": {}}}'))
	) AS wrong (number, model) ORDER BY number;

-- A value that cannot be used is a failure of the test, which names the key as well.
SELECT tested(model) FROM (VALUES
	(1, '{}'::jsonb), (2, self('{}', '{"provider_type": ""}')), (3, self('{}', '{"provider_type": "mongodb"}')),
	(4, self('{}', '{"provider_type": "PostgreSQL"}')), (5, self('{}', '{"postgresql": null}')),
	(6, self('{}', '{"provider_type": "redshift"}')),
	(10, self('{"host": null}')), (11, self('{"host": ""}')), (12, self('{"host": "a,b"}')),
	(13, self('{"host": "/tmp"}')), (14, self('{"host": "@abstract"}')), (15, self('{"host": "me@example.org"}')),
	(16, self('{"host": " "}')), (17, self('{"host": "a\nb"}')), (18, self('{"host": "[::1]:5432"}')),
	(19, self(jsonb_build_object('host', repeat('a', 254)))),
	(20, self('{"port": 0}')), (21, self('{"port": 65536}')), (22, self('{"port": -1}')), (23, self('{"port": 1e999}')),
	(24, self('{"port": 1.5}')), (25, self('{"port": "0"}')), (26, self('{"port": "1e3"}')), (27, self('{"port": " 1"}')),
	(28, self('{"port": "4294967297"}')), (29, self('{"port": "1,2"}')),
	(30, self('{"user": null}')), (31, self('{"user": ""}')), (32, self('{"database": "host=127.0.0.1 dbname=x"}')),
	(33, self('{"database": " user = x"}')), (34, self('{"sslmode": "always"}')),
	(35, self('{"sslmode": "require|prefer"}')), (36, self('{"postgresql_engine_type": "oracle"}')),
	(37, self('{"redshift_authentication_mode": "iam"}')), (38, self('{"password": "********"}')),
	(40, self('{}', '{"parallel_jobs_limit": -1}')), (41, self('{}', '{"parallel_jobs_limit": 1.5}')),
	(42, self('{}', '{"parallel_jobs_limit": 1e999}')), (43, self('{}', '{"password_required": false}'))
	) AS unusable (number, model) ORDER BY number;

-- 253 characters are a name, though not one that is allowed here; a missing port is the provider's own.
SET dqds.allowed_hosts = '*.example';
SELECT tested(self(jsonb_build_object('host', repeat('a', 253)))) ~ '^FAILURE target_not_allowed' AS a_name;
SELECT tested(jsonb_build_object('provider_type', provider, provider, '{"host": "h", "user": "u"}'::jsonb))
FROM unnest(ARRAY['postgresql', 'redshift', 'questdb']) AS provider;
RESET dqds.allowed_hosts;

-- Properties: those that are not listed are refused by name.
SELECT tested(self(jsonb_build_object('properties', jsonb_build_object(property, 'regress-secret'))))
FROM unnest(ARRAY['service', 'passfile', 'sslkey', 'sslcert', 'sslrootcert', 'sslpassword', 'hostaddr', 'replication',
	'dbname', 'host', 'password', 'options', 'krbsrvname', 'fallback_application_name', 'PGOPTIONS', 'applicationname',
	'a "quoted" property', '']) AS property;

-- Those that are listed reach the remote, under their own names and those of JDBC, as any scalar; null is none.
SELECT tested(self(jsonb_build_object('properties', properties))) FROM (VALUES
	(1, '{"application_name": "a", "connect_timeout": 5, "channel_binding": "disable", "gssencmode": "disable",
		"keepalives": 1, "keepalives_idle": "30", "keepalives_interval": 10, "keepalives_count": 3,
		"tcp_user_timeout": 9000, "ssl_min_protocol_version": "TLSv1.2", "ssl_max_protocol_version": "TLSv1.3",
		"sslsni": 1, "target_session_attrs": "any", "allow_cleartext_password": false}'::jsonb),
	(2, '{"ApplicationName": "a", "connectTimeout": "5", "tcpKeepAlive": "true", "ssl": false}'),
	(3, '{"loginTimeout": 5, "tcpKeepAlive": false, "ssl": "false", "application_name": null, "service": null}'),
	(4, '{"connectTimeout": 0}'), (5, '{"loginTimeout": "soon"}'), (6, '{"tcpKeepAlive": "perhaps"}'),
	(7, '{"ssl": "perhaps"}'), (8, '{"allow_cleartext_password": "perhaps"}'),
	(9, '{"target_session_attrs": "read-only"}')
	) AS given (number, properties) ORDER BY number;
SELECT count(*) > 0 AS listed FROM dqds_list_schemas(self('{"properties": {"ApplicationName": "from JDBC"}}'));
SELECT usename, application_name FROM pg_stat_activity WHERE application_name = 'from JDBC';

-- ssl=true of JDBC asks for TLS, which this server may offer or not; an explicit sslmode is stronger.
SELECT tested(self('{"properties": {"ssl": true}}')) = CASE current_setting('ssl') WHEN 'on' THEN 'SUCCESS' ELSE
	'FAILURE tls_failed | the server at 127.0.0.1:PORT does not offer TLS, but sslmode demands it | Turn on ssl at the server, or use sslmode prefer.'
	END AS asks_for_tls;
SELECT tested(self('{"properties": {"ssl": true}, "sslmode": "disable"}'));

-- An empty password is none.
SELECT tested(self('{"password": ""}'));
SELECT tested(self('{"password": null}'));

-- The other provider types: what each of them needs first.
SELECT provider, attempt(format('SELECT dqds_create_connection(%L, %L::jsonb)', provider,
	jsonb_build_object('provider_type', provider, provider, '{"anything": {"at": ["all"]}}'::jsonb)))
FROM unnest(ARRAY['bigquery', 'clickhouse', 'databricks', 'db2', 'duckdb', 'hana', 'mariadb', 'mysql', 'oracle', 'presto',
	'snowflake', 'spark', 'sqlserver', 'teradata', 'trino']) AS provider;
SELECT attempt($$SELECT dqds_create_connection('other', '{"provider_type": "mongodb", "mongodb": {}}')$$);
SELECT attempt($$SELECT dqds_create_connection('other', '{"provider_type": "mysql", "mysql": []}')$$);

-- The form in which a model is kept: null members are gone, the port is a string, unknown keys stay, and the name is the
-- one that it was registered under.
SELECT dqds_create_connection('kept', '{"provider_type": "postgresql", "connection_name": "another", "schedule": null,
	"postgresql": {"host": "h", "port": 1234, "user": "u", "database": null, "properties": {"ssl": null, "keepalives": 1}},
	"bigquery": {"port": 99, "json_key_content": null}, "advanced_properties": {"a": "b"},
	"schedule_on_instance": "one", "new_in_some_version": {"deep": [1, null, {"port": 5}]},
	"can_edit": "no", "connection_hash": -1, "run_checks_job_template": 17}');
SELECT jsonb_pretty(model - ARRAY(SELECT key FROM jsonb_object_keys(model) AS key WHERE key ~ '_job_template$')
	- 'connection_hash') FROM dqds_connections;
-- What is computed is computed, whatever was sent.
SELECT jsonb_typeof(model -> 'connection_hash') AS hash, (model ->> 'connection_hash')::bigint >= 0 AS not_as_sent,
	jsonb_pretty(model -> 'run_checks_job_template') AS template FROM dqds_connections;
-- What is given back can be sent again, and changes nothing.
SELECT dqds_update_connection('kept', model) FROM dqds_connections;
SELECT host, port, model -> 'new_in_some_version' AS unknown FROM dqds_connections;
SELECT dqds_drop_connection('kept');

-- text, json and jsonb; text is a model when its first character other than white space is a brace.
SELECT tested(self()), connection_test_result FROM dqds_test_connection(self()::json);
SELECT connection_test_result FROM dqds_test_connection(self()::text);
SELECT connection_test_result FROM dqds_test_connection(E' \n\r\t' || self()::text || E'\n ');
SELECT count(*) > 0 AS schemas FROM dqds_list_schemas(E'\n' || self()::text);
SELECT count(*) > 0 AS schemas FROM dqds_list_schemas(self()::json);
SELECT attempt($$SELECT dqds_list_schemas('[]')$$);
SELECT attempt($$SELECT dqds_list_schemas(' name')$$);
SELECT attempt($$SELECT dqds_list_schemas('')$$);

-- Text that is no JSON: an error without any part of the text. (These stand alone, so that CONTEXT would show.)
SELECT dqds_test_connection('{"postgresql": {"password": "regress-secret"');
SELECT dqds_test_connection('{"postgresql": {"password": "regress-secret"}} and more');
SELECT dqds_test_connection('{"port": NaN, "password": "regress-secret"}');
SELECT dqds_create_connection('broken', '{"postgresql": {"password": "regress-secret" "user": 5}}');
SELECT dqds_create_connection('broken', 'regress-secret');
SELECT dqds_create_connection('broken', '');
\echo :LAST_ERROR_SQLSTATE
-- A number beyond what PostgreSQL takes.
SELECT dqds_test_connection('{"postgresql": {"port": 1e999999, "password": "regress-secret"}}');
\echo :LAST_ERROR_SQLSTATE
-- A character that text cannot hold.
SELECT dqds_test_connection('{"postgresql": {"password": "regress-secret\u0000"}}');
\echo :LAST_ERROR_SQLSTATE
SELECT dqds_test_connection('{"postgresql": {"password": "regress-secret\u0000"}}'::json);
SELECT attempt($$SELECT dqds_create_connection('broken', '{"postgresql": {"host": "\u0000"}}')$$);
SELECT attempt($$SELECT dqds_create_connection('broken', '{"postgresql": {"host": "\ud800"}}')$$);
-- Thousands of levels: an answer, and the server lives.
SELECT attempt(format('SELECT connection_test_result, error_code FROM dqds_test_connection(%L::%s)', deep, type))
FROM (VALUES ('text'), ('json')) AS t (type),
	(VALUES (1, '{"a":' || repeat('[', 4000)), (2, '{"a":' || repeat('[', 4000) || repeat(']', 4000) || '}'),
		(3, repeat('{"a":', 4000)), (4, repeat('{"a":', 4000) || '1' || repeat('}', 4000)),
		(5, '{"a":' || repeat('[', 1000000))) AS d (number, deep)
ORDER BY type, number;
SELECT attempt(format('SELECT dqds_create_connection(%L, %L)', 'deep', self() || jsonb_build_object('deep',
	(repeat('{"password":', 4000) || '1' || repeat('}', 4000))::jsonb)));

-- The bounds: 100 levels of nesting, numbers of 40 digits, 1 MB as text, whichever type the model has. bounded(type, extra):
-- what becomes of a model with this member in a test, which must not connect, and in the registry.
CREATE FUNCTION bounded(type text, extra text) RETURNS text LANGUAGE sql AS $$
	WITH given AS (SELECT format('{"provider_type": "postgresql", "postgresql": {"host": "h", "user": "u"}, "extra": %s}', extra) AS model)
	SELECT format('test: %s; create: %s; drop: %s',
		attempt(format('SELECT error_code, CASE error_code WHEN ''invalid_connection'' THEN error_message END FROM dqds_test_connection(%L::%s)', model, type)),
		split_part(attempt(format('SELECT dqds_create_connection(''bounded'', %L::%s)', model, type)), ':', 1),
		split_part(attempt('SELECT dqds_drop_connection(''bounded'')'), ':', 1))
	FROM given
$$;
SET dqds.allowed_hosts = 'nowhere.example';
SELECT what, type, bounded(type, extra) FROM (VALUES
	(1, '100 levels', repeat('[', 99) || repeat(']', 99)), (2, '101 levels', repeat('[', 100) || repeat(']', 100)),
	(3, '100 levels of objects', repeat('{"a":', 99) || '1' || repeat('}', 99)),
	(4, '101 levels of objects', repeat('{"a":', 100) || '1' || repeat('}', 100)),
	(5, 'brackets in strings', '"' || repeat('[{', 200) || '\\\"' || repeat('[', 200) || '"'),
	(6, '40 digits', '9999999999999999999999999999999999999999'), (7, '41 digits', '10000000000000000000000000000000000000000'),
	(8, '40 digits and a sign', '-0.123456789012345678901234567890123456789'),
	(9, '41 digits and a sign', '-0.1234567890123456789012345678901234567890'),
	(10, 'a large exponent', '1e131071'), (11, 'a small exponent', '1e-16000'), (12, 'in an array', '{"a": [1, {"b": 2}, -1e40]}'),
	(13, 'trailing zeros', '1.0000000000000000000000000000000000000000'), (14, 'one too large', '123456789012345678901234567890e11')
	) AS v (number, what, extra), unnest(ARRAY['text', 'json', 'jsonb']) WITH ORDINALITY AS t (type, place) ORDER BY number, place;
RESET dqds.allowed_hosts;
DROP FUNCTION bounded;
-- To the byte: without the value of a, the text form of this model has 72 bytes.
SELECT length, attempt(format('SELECT dqds_create_connection(''bounded'', jsonb_build_object(''provider_type'', ''mysql'', ''mysql'', jsonb_build_object(''host'', ''h'', ''user'', ''u''), ''a'', repeat(''a'', %s - 72)))', length))
FROM unnest(ARRAY[1048576, 1048577]) AS length;
SELECT octet_length(model::text) AS largest FROM dqds_connection WHERE name = 'bounded';
SELECT dqds_drop_connection('bounded');
-- What is escaped counts as it is written; a mask counts though what it hides was shorter; text counts with its white space.
SELECT attempt(format('SELECT dqds_create_connection(''bounded'', %s)', model)) FROM unnest(ARRAY[
	$$jsonb_build_object('provider_type', 'mysql', 'a', repeat(E'\x01', 180000))$$,
	$$(SELECT jsonb_build_object('provider_type', 'mysql', 'properties', jsonb_object_agg('key' || n, '')) FROM generate_series(1, 60000) AS n)$$,
	$$repeat(' ', 1048576) || '{"provider_type": "mysql"}'$$]) AS model;

-- NULL is an error, never an empty result.
SELECT attempt('SELECT * FROM ' || call) FROM unnest(ARRAY[
	'dqds_test_connection(NULL::text)', 'dqds_test_connection(NULL::json)', 'dqds_test_connection(NULL::jsonb)',
	'dqds_test_connections(ARRAY[NULL])', 'dqds_list_schemas(NULL::text)', 'dqds_list_tables(NULL::jsonb, ''s'')',
	'dqds_list_columns(NULL::text, ''s'')', 'dqds_list_columns(self(), NULL)',
	'dqds_create_connection(NULL, ''{}'')', 'dqds_create_connection(''x'', NULL::text)',
	'dqds_create_connection(''x'', NULL::jsonb)', 'dqds_update_connection(NULL, ''{}'')',
	'dqds_update_connection(''x'', NULL::json)', 'dqds_drop_connection(NULL)', 'dqds_rename_connection(NULL, ''x'')',
	'dqds_import_tables(NULL::text, ''s'')', 'dqds_unimport_tables(NULL::text, ''s'')',
	'dqds_grant_connection(NULL, ''regress_nobody'')', 'dqds_revoke_connection(NULL, ''regress_nobody'')',
	'dqds_grant(NULL, ''regress_nobody'')', 'dqds_grant(''viewer'', NULL)', 'dqds_revoke(NULL, ''regress_nobody'')',
	'dqds_revoke(''viewer'', NULL)']) AS call;
SELECT dqds_create_connection('x', self());
SELECT attempt('SELECT * FROM ' || call) FROM unnest(ARRAY[
	'dqds_rename_connection(''x'', NULL)', 'dqds_import_tables(''x'', NULL)', 'dqds_unimport_tables(''x'', NULL)',
	'dqds_grant_connection(''x'', NULL)', 'dqds_revoke_connection(''x'', NULL)',
	'dqds_list_columns(''x'', NULL)']) AS call;
SELECT dqds_drop_connection('x');
