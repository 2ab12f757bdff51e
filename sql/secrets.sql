-- secrets: what is given back in place of a secret, what the mask keeps when it is sent, and where no secret may show.
\pset format unaligned

-- Every secret in every provider's section, and in properties whose names say password, secret, token or key.
SELECT dqds_create_connection('many', jsonb_build_object('provider_type', 'bigquery', 'password', 'regress-secret 1',
	'mysql', '{"host": "h", "password": "regress-secret 2", "properties": {"a": "b", "trustCertificateKeyStorePASSWORD": "regress-secret 3"}}'::jsonb,
	'bigquery', '{"json_key_content": "regress-secret 4", "source_project_id": "p"}'::jsonb,
	'databricks', '{"access_token": "regress-secret 5", "user": "token"}'::jsonb,
	'sqlserver', '{"client_secret": "regress-secret 6", "authentication_mode": "sql_password"}'::jsonb,
	'snowflake', '{"properties": {"privateKey": "regress-secret 7", "my_token": "regress-secret 8", "Secret!": "regress-secret 9", "warehouse": "w"}}'::jsonb,
	'trino', '{"nested": {"password": "regress-secret 10", "properties": {"deeper": {"apikey": {"value": "regress-secret 11"}}}}}'::jsonb,
	'oracle', '{"list": [{"password": "regress-secret 12"}, [{"properties": {"token": "regress-secret 13"}}]]}'::jsonb,
	'advanced_properties', '{"api_key": "regress-secret 14", "plain": "text"}'::jsonb));
SELECT key, value FROM dqds_connections, jsonb_each(model) WHERE value::text LIKE '%*%' ORDER BY key COLLATE "C";
SELECT count(*) AS shown FROM dqds_connections c WHERE c::text LIKE '%regress-secret%';
SELECT count(*) AS shown FROM dqds_connection_json('many') AS model WHERE model LIKE '%regress-secret%';
-- The table of connections holds the masks, the table of secrets what they stand for, and the masks keep all of it.
SELECT count(*) AS shown FROM dqds_connection c WHERE c::text LIKE '%regress-secret%';
CREATE TEMP TABLE before AS SELECT secrets FROM dqds_connection_secret;
SELECT count(*) AS kept FROM before, regexp_matches(secrets::text, 'regress-secret', 'g');
SELECT dqds_update_connection('many', model) FROM dqds_connections;
SELECT secret.secrets = before.secrets AS unchanged FROM dqds_connection_secret AS secret, before;
SELECT dqds_drop_connection('many');
SELECT count(*) AS secrets_left FROM dqds_connection_secret;
DROP TABLE before;

-- The mask round trip. What is read can be sent back, and the connection works on.
SELECT dqds_create_connection('self', self());
SELECT model #>> '{postgresql,password}' AS password FROM dqds_connections;
SELECT dqds_update_connection('self', model) FROM dqds_connections;
SELECT dqds_update_connection('self', model || '{"parallel_jobs_limit": 3}') FROM dqds_connections;
SELECT connection_test_result FROM dqds_test_connection('self');

-- masked(section, top): what the views show of the connection self, changed.
CREATE FUNCTION masked(section jsonb DEFAULT '{}', top jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_set(model, '{postgresql}', model -> 'postgresql' || section) || top FROM dqds_connections
	WHERE connection_name = 'self'
$$;
-- outcomes(model): of a test of this model, without regard to names, and of an update.
CREATE FUNCTION outcomes(model jsonb) RETURNS TABLE (test text, update text) LANGUAGE sql AS $$
	SELECT concat_ws(': ', error_code, error_message), attempt(format('SELECT dqds_update_connection(%L, %L::jsonb)', 'self', model))
	FROM dqds_test_connection(model, false)
$$;

-- An ad-hoc model may say by the mask: the stored secret of that name.
SELECT tested(masked());
SELECT connection_test_result, error_message FROM dqds_test_connection(masked(), false);
SELECT count(*) > 0 AS listed FROM dqds_list_schemas(masked());
SELECT count(*) > 0 AS listed FROM dqds_list_schemas(masked()::text);
-- Without a name, or with another's, the mask stands for nothing.
SELECT tested(masked() - 'connection_name');
SELECT tested(masked('{}', '{"connection_name": "no such connection"}'));

-- The stored secret goes nowhere else: with a changed place it must be given again.
SELECT change, test, update FROM (VALUES
	(1, '{"host": "localhost"}'::jsonb), (2, '{"host": "127.0.0.2"}'), (3, '{"port": "1"}'), (4, '{"port": null}'),
	(5, '{"database": "other"}'), (6, '{"user": "postgres"}'), (7, '{"sslmode": "disable"}'),
	(8, '{"properties": {"connect_timeout": 5}}'), (9, '{"properties": {"allow_cleartext_password": true}}')
	) AS c (number, change), LATERAL outcomes(masked(change)) ORDER BY number;
SELECT test, update FROM outcomes(masked('{}', '{"provider_type": "redshift"}') || jsonb_build_object('redshift', masked() -> 'postgresql'));
SELECT test, update FROM outcomes(masked('{}', '{"provider_type": "questdb"}') || jsonb_build_object('questdb', masked() -> 'postgresql'));
-- Given again, it may go there.
SELECT test, update FROM outcomes(masked('{"sslmode": "disable", "password": "regress-secret"}'));
SELECT test, update FROM outcomes(masked('{"sslmode": "prefer", "password": "regress-secret"}'));
-- What leads to the same place may change: options, limits, what is not known.
SELECT test, update FROM outcomes(masked('{"options": "-c statement_timeout=60s"}', '{"parallel_jobs_limit": 5, "label": "x"}'));
-- That a property is a secret itself does not make it changeable.
SELECT dqds_update_connection('self', self('{"properties": {"allow_cleartext_password": false}}'));
SELECT test, update FROM outcomes(masked('{"properties": {"allow_cleartext_password": "********"}}'));
SELECT test, update FROM outcomes(masked('{"properties": {"allow_cleartext_password": true}}'));
-- No secret is stored any more: the mask stands for nothing, and eight asterisks are not the password.
SELECT dqds_update_connection('self', self('{"password": null}'));
SELECT test, update FROM outcomes(self('{"password": "********"}', '{"connection_name": "self"}'));
-- Lost with a dump that left the secrets out: the same.
SELECT dqds_update_connection('self', self());
DELETE FROM dqds_connection_secret;
SELECT shown(error_code || ': ' || error_message) FROM dqds_test_connection('self');
SELECT test, update FROM outcomes(masked());
SELECT dqds_update_connection('self', self());
SELECT connection_test_result FROM dqds_test_connection('self');

-- References to secrets are never sent as they stand.
SELECT tested(self(change)) FROM (VALUES
	(1, '{"password": "${credential://prod}"}'::jsonb), (2, '{"password": "${PASSWORD}"}'),
	(3, '{"password": "a${PASSWORD:default}b"}'), (4, '{"host": "${HOST}"}'), (5, '{"port": "${PORT}"}'),
	(6, '{"user": "${USER}"}'), (7, '{"database": "${DATABASE}"}'), (8, '{"options": "${OPTIONS}"}'),
	(9, '{"properties": {"application_name": "${NAME}"}}')
	) AS c (number, change) ORDER BY number;
-- How many there may be in a value, and how long they and the rest of a password may be, is said without looking anything up.
SELECT what, tested(self(change)) FROM (VALUES
	(1, 'nine', jsonb_build_object('password', repeat('${credential://c}', 9))),
	(2, 'nine in a property', jsonb_build_object('properties', jsonb_build_object('application_name', repeat('${A}', 9)))),
	(3, 'eight', jsonb_build_object('password', repeat('${credential://c}', 8))),
	(4, '8001 bytes', jsonb_build_object('host', '${A:' || repeat('a', 7999) || '}')),
	(5, '8000 bytes', jsonb_build_object('user', '${credential://' || repeat('a', 7987) || '}')),
	(6, '8001 bytes beside it', jsonb_build_object('password', repeat('a', 4000) || '${A}' || repeat('a', 4001))),
	(7, '8000 bytes beside it', jsonb_build_object('password', repeat('a', 4000) || '${A}' || repeat('a', 4000))),
	(8, 'a credential in a property', '{"properties": {"application_name": "${credential://c}"}}'),
	(9, 'a property that is not allowed', '{"properties": {"password": "${credential://c}"}}')
	) AS c (number, what, change) ORDER BY number;
SELECT attempt(format('SELECT dqds_create_connection(''many'', self(%L))', jsonb_build_object('password', repeat('${A}', 9))));
-- They may be registered, and are no secret themselves once they are shown.
SELECT dqds_create_connection('reference', self('{"password": "${credential://prod}", "user": "${USER}"}'));
SELECT "user", model #>> '{postgresql,password}' AS password FROM dqds_connections WHERE connection_name = 'reference';
SELECT attempt($$SELECT * FROM dqds_list_schemas('reference')$$);
SELECT dqds_drop_connection('reference');

-- References to the server's environment count where an admin wrote them, member by member.
CREATE FUNCTION marks(name text) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s: %s', c.name, c.environment_members) FROM dqds_connection c WHERE c.name = marks.name
$$;
-- referring(section): a model with three references; the arguments change its section.
CREATE FUNCTION referring(section jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT self('{"password": "${DQDS_SECRET_P}", "user": "x${DQDS_SECRET_U:default}", "properties": {"application_name": "${DQDS_SECRET_N}"}}'::jsonb || section)
$$;
SELECT attempt_as('regress_admin', format('SELECT dqds_create_connection(%L, %L::jsonb)', name, referring(section))) FROM (VALUES
	('of regress_admin', '{}'::jsonb), ('of regress_editor', '{"password": "${DQDS_SECRET_E}", "user": "${DQDS_SECRET_U}", "properties": {}}'))
	AS v (name, section);
SELECT dqds_set_connection_owner('of regress_editor', 'regress_editor');
SELECT marks('of regress_admin'), marks('of regress_editor');
-- Only an admin registers them; an earlier version let an editor do so, without a mark.
SELECT attempt_as('regress_editor', format('SELECT dqds_create_connection(''mine'', %L::jsonb)', referring()));
UPDATE dqds_connection SET environment_members = '{}' WHERE name = 'of regress_editor';
-- Marks are kept with the values, whether they are sent or kept by the mask; an owner who is no admin cannot even do that.
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''of regress_admin'', %L::jsonb)', model || '{"parallel_jobs_limit": 3}'))
FROM dqds_connections WHERE connection_name = 'of regress_admin';
SELECT marks('of regress_admin');
SELECT dqds_set_connection_owner('of regress_admin', 'regress_editor');
SELECT attempt_as('regress_editor', format('SELECT dqds_update_connection(''of regress_admin'', %L::jsonb)', model)) FROM dqds_connections
WHERE connection_name = 'of regress_admin';
SELECT marks('of regress_admin');
-- An admin who saves what an editor wrote has written none of it, only what is new.
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''of regress_editor'', %L::jsonb)', model)) FROM dqds_connections
WHERE connection_name = 'of regress_editor';
SELECT marks('of regress_editor');
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''of regress_editor'', %L::jsonb)',
	self('{"password": "${DQDS_SECRET_E}", "user": "${DQDS_SECRET_U}", "options": "${DQDS_SECRET_O}", "host": "${DQDS_SECRET_H}"}')));
SELECT marks('of regress_editor');
-- Nor can an admin save what stands elsewhere without a mark, in a new connection or in place of another value.
SELECT attempt_as('regress_admin', format('SELECT dqds_create_connection(''copy'', %L::jsonb)', referring(section))) FROM (VALUES
	('{"password": "${DQDS_SECRET_E}", "user": "u", "properties": {}}'::jsonb), ('{"password": "p", "user": "${DQDS_SECRET_U}", "properties": {}}'),
	('{"password": "${DQDS_SECRET_U}", "user": "${DQDS_SECRET_E}", "properties": {}}')) AS v (section);
SELECT marks('copy');
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''copy'', %L::jsonb)', referring('{"password": "${DQDS_SECRET_E}", "user": "u"}')));
SELECT attempt_as('regress_admin', format('SELECT dqds_drop_connection(''of %s'')', role)) FROM unnest(ARRAY['regress_admin', 'regress_editor']) AS role;
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''copy'', %L::jsonb)', referring()));
SELECT marks('copy');
-- References to credentials are not of this kind, nor those in members where none is resolved.
SELECT attempt_as('regress_admin', format('SELECT dqds_update_connection(''copy'', %L::jsonb)', self('{"password": "${credential://c}", "label": "${DQDS_SECRET_U}"}')));
SELECT marks('copy');
SELECT dqds_drop_connection('copy');
DROP FUNCTION referring, marks;

-- Who may use the connection still cannot read its secret.
SELECT dqds_grant_connection('self', 'regress_operator'), dqds_grant_connection('self', 'regress_viewer'),
	dqds_grant_connection('self', 'regress_editor');
SET ROLE regress_operator;
SELECT connection_test_result FROM dqds_test_connection('self');
SELECT attempt($$SELECT * FROM dqds_connection_secret$$);
SELECT attempt($$SELECT * FROM dqds_connection$$);
SELECT attempt($$SELECT dqds_replace_connection(1, '{}', '{}', '{}')$$);
SELECT count(*) AS seen, count(*) FILTER (WHERE c::text LIKE '%regress-secret%') AS shown FROM dqds_connections c;
SELECT tested(masked('{"host": "localhost"}', '{"connection_name": "self"}'));
-- A function that would look into rows before the view's condition is kept behind it.
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN RAISE NOTICE 'leaked: %', $1; RETURN true; END $$;
RESET ROLE;
SELECT dqds_revoke_connection('self', 'regress_operator');
SET ROLE regress_operator;
SELECT count(*) FROM dqds_connections WHERE pg_temp.leak(model::text);
SET ROLE regress_viewer;
SELECT attempt($$SELECT * FROM dqds_connection_secret$$);
SET ROLE regress_editor;
SELECT attempt($$SELECT * FROM dqds_connection_secret$$);
SET ROLE regress_admin;
SELECT attempt($$SELECT * FROM dqds_connection_secret$$);
SET ROLE regress_nobody;
SELECT attempt($$SELECT * FROM dqds_connection_secret$$);
SELECT attempt($$SELECT * FROM dqds_connections$$);
RESET ROLE;

-- What the remote says about a wrong password does not hold it, nor does what is said about a wrong model.
SELECT tested(self('{"password": "regress-secret!"}'));
SELECT dqds_list_schemas('{"provider_type": "postgresql", "postgresql": {"password": "regress-secret"}}');
SELECT dqds_list_schemas('{"provider_type": "postgresql", "postgresql": {"password": ["regress-secret"]}}');
SELECT attempt($$SELECT dqds_create_connection('self', self()::text)$$);

SELECT dqds_drop_connection('self');
DROP FUNCTION masked, outcomes, pg_temp.leak;
