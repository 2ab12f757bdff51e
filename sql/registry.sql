-- registry: connections are created, changed, renamed and dropped, under names of any length and characters.
\pset format unaligned

SELECT dqds_create_connection('shop', self());
SELECT connection_name, provider_type, host, port = current_setting('port') AS port, database = current_database() AS database,
	"user", owner = current_user::regrole AS owner, created_at = updated_at AS as_created FROM dqds_connections;
-- A name exists once, whichever way the model comes.
SELECT attempt(format('SELECT dqds_create_connection(%L, self()::%s)', 'shop', type)) FROM unnest('{text,json,jsonb}'::text[]) AS type;
SELECT attempt($$SELECT dqds_create_connection('Shop', self()), dqds_create_connection(' shop', self())$$);
-- The name given to the function wins over that in the model.
SELECT dqds_create_connection('given', self('{}', '{"connection_name": "shop"}'));
SELECT attempt($$SELECT dqds_create_connection('', self())$$);
SELECT connection_name, model ->> 'connection_name' AS in_model FROM dqds_connections ORDER BY connection_name;
-- A failed creation leaves nothing.
SELECT attempt($$SELECT dqds_create_connection('nothing', '{"provider_type": "postgresql"}')$$);
SELECT attempt($$SELECT dqds_list_schemas('nothing')$$);

-- Update: of the same name, or without one.
SELECT attempt($$SELECT dqds_update_connection('given', self('{"options": "-c work_mem=1MB"}', '{"connection_name": "given"}'))$$);
SELECT attempt($$SELECT dqds_update_connection('given', self('{}', '{"connection_name": "shop"}'))$$);
SELECT attempt($$SELECT dqds_update_connection('nothing', self())$$);
SELECT attempt($$SELECT dqds_update_connection('given', '{}')$$);
SELECT model #>> '{postgresql,options}' AS options, updated_at > created_at AS updated FROM dqds_connections
WHERE connection_name = 'given';
-- It takes effect at the next call, over an idle session of before.
SELECT count(*) > 0 AS listed FROM dqds_list_schemas('given');
SELECT dqds_update_connection('given', self('{"password": "regress-secret of yesterday"}'));
SELECT attempt($$SELECT * FROM dqds_list_schemas('given')$$);
SELECT dqds_update_connection('given', self());
SELECT count(*) > 0 AS listed FROM dqds_list_schemas('given');

-- Rename: imports and grants stay, the old name is free.
CREATE SCHEMA source;
CREATE TABLE source.one (a integer);
GRANT USAGE ON SCHEMA source TO regress_reader;
GRANT SELECT ON source.one TO regress_reader;
SELECT table_name, status FROM dqds_import_tables('shop', 'source');
SELECT dqds_grant_connection('shop', 'regress_operator');
SELECT dqds_rename_connection('shop', 'store');
SELECT connection_name, model ->> 'connection_name' AS in_model FROM dqds_connections ORDER BY connection_name;
SELECT connection_name, table_name FROM dqds_imported_tables;
SELECT connection_name, schema_name, already_imported FROM dqds_list_tables('store', 'source');
SELECT attempt($$SELECT dqds_list_schemas('shop')$$);
SET ROLE regress_operator;
SELECT connection_name FROM dqds_connections;
SELECT connection_test_result FROM dqds_test_connection('store');
RESET ROLE;
SELECT attempt($$SELECT dqds_rename_connection('store', 'given')$$);
SELECT attempt($$SELECT dqds_rename_connection('store', '')$$);
SELECT attempt($$SELECT dqds_rename_connection('shop', 'another')$$);
SELECT attempt($$SELECT dqds_rename_connection('store', 'store')$$);
SELECT dqds_create_connection('shop', self());
SELECT count(*) AS imported FROM dqds_list_tables('shop', 'source') WHERE already_imported;

-- Drop: secrets, grants, imports and their columns go with it.
SELECT dqds_drop_connection('store');
SELECT (SELECT count(*) FROM dqds_connection) AS connections, (SELECT count(*) FROM dqds_connection_secret) AS secrets,
	(SELECT count(*) FROM dqds_connection_grant) AS grants, (SELECT count(*) FROM dqds_imported_table) AS tables,
	(SELECT count(*) FROM dqds_imported_column) AS columns;
SELECT attempt($$SELECT dqds_drop_connection('store')$$);
-- A new one of the same name inherits nothing.
SELECT dqds_create_connection('store', self());
SET ROLE regress_operator;
SELECT count(*) AS seen FROM dqds_connections;
SELECT attempt($$SELECT dqds_test_connection('store')$$);
RESET ROLE;
-- All of it can be taken back.
BEGIN;
SELECT dqds_drop_connection('store'), dqds_rename_connection('shop', 'x'), dqds_update_connection('given', '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}');
SELECT connection_name, provider_type FROM dqds_connections ORDER BY connection_name;
ROLLBACK;
SELECT connection_name, provider_type FROM dqds_connections ORDER BY connection_name;
SELECT count(dqds_drop_connection(connection_name)) AS dropped FROM dqds_connections;

-- Names of any characters and any length are names, everywhere that a name is taken.
CREATE TABLE names (number integer, name text);
INSERT INTO names VALUES (1, 'a b'), (2, 'a/b%2F'), (3, 'it''s "quoted" \'), (4, E'two\nlines\t'), (5, '😀 مرحبا'), (6, '[1, 2]'),
	(7, '${not} a reference'), (8, repeat('x', 63)), (9, repeat('x', 64)), (10, repeat('long ', 4000)),
	(11, repeat('long ', 4000) || '.'), (12, repeat('é', 20000)), (13, 'DROP TABLE names'), (14, '********'), (15, '%s%n');
SELECT count(dqds_create_connection(name, self())) AS created FROM names;
SELECT count(*) AS shown, count(DISTINCT model ->> 'connection_hash') AS hashes FROM dqds_connections c
	JOIN names n ON n.name = c.connection_name AND c.model ->> 'connection_name' = n.name;
SELECT count(*) AS found FROM names, dqds_test_connection(name) WHERE connection_test_result = 'SUCCESS';
SELECT count(*) AS found FROM dqds_test_connections((SELECT array_agg(name) FROM names)) AS t
	JOIN names n ON n.name = t.connection_name WHERE connection_test_result = 'SUCCESS';
SELECT count(*) AS found FROM names, dqds_list_schemas(name) AS s
WHERE s.schema_name = 'source' AND s.connection_name = name
	AND import_table_job_parameters = jsonb_build_object('connectionName', name, 'schemaName', 'source');
SELECT count(*) AS imported FROM names, dqds_import_tables(name, 'source') AS i WHERE i.connection_name = name AND status = 'imported';
SELECT number, substr(attempt(format('SELECT dqds_create_connection(%L, self())', name)), 1, 60) FROM names WHERE number IN (3, 4, 12)
ORDER BY number;
SELECT count(dqds_rename_connection(name, 'new ' || name)) AS renamed FROM names;
SELECT count(dqds_update_connection('new ' || name, self())) AS updated FROM names;
SELECT count(*) AS answered FROM names, dqds_connection_json('new ' || name) AS model
WHERE model::jsonb ->> 'connection_name' = 'new ' || name;
SELECT count(dqds_grant_connection('new ' || name, 'regress_operator')) AS granted FROM names;
SELECT sum(dqds_unimport_tables('new ' || name, 'source')) AS unimported FROM names;
SELECT count(dqds_drop_connection('new ' || name)) AS dropped FROM names;
SELECT count(*) AS left_over FROM dqds_connections;
-- A name cannot look like a model. One that is there from earlier times is never read as a model; those functions that take
-- names only can use it, rename it and drop it.
SELECT attempt(format('SELECT dqds_create_connection(%L, self())', name)) FROM unnest(ARRAY['{"a"', ' {', E'\t\n{}', '{']) AS name;
SELECT dqds_create_connection('braced', self());
SELECT attempt(format('SELECT dqds_rename_connection(''braced'', %L)', name)) FROM unnest(ARRAY['{"a"', E'\f{}']) AS name;
UPDATE dqds_connection SET name = '{"a"' WHERE name = 'braced';
SELECT attempt($$SELECT * FROM dqds_list_schemas('{"a"')$$);
SELECT count(*) > 0 AS pieces FROM dqds_list_schemas_json('{"a"', false);
SELECT dqds_rename_connection('{"a"', 'a{}');
SELECT count(*) > 0 AS schemas FROM dqds_list_schemas('a{}');
SELECT dqds_drop_connection('a{}');
-- Nor can it be longer than a model.
SELECT attempt(format('SELECT dqds_create_connection(repeat(''a'', %s), ''{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}'')', length))
FROM unnest(ARRAY[1048576, 1048577]) AS length;
SELECT attempt($$SELECT dqds_rename_connection(repeat('a', 1048576), repeat('b', 1048577))$$);
SELECT dqds_drop_connection(repeat('a', 1048576));
-- Names sort by code point.
SELECT count(dqds_create_connection(name, '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}')) FROM unnest('{b,B,a,é,Z,_}'::text[]) AS name;
SELECT string_agg(connection_name, ' ' ORDER BY connection_name) FROM dqds_connections;
SELECT string_agg(connection_name, ' ') AS tested_in_this_order FROM dqds_test_connections();
SELECT count(dqds_drop_connection(connection_name)) AS dropped FROM dqds_connections;

-- In a transaction that must not write, nothing is tried.
BEGIN READ ONLY;
SELECT attempt('SELECT ' || call) FROM unnest(ARRAY['dqds_create_connection(''x'', self())', 'dqds_update_connection(''x'', self())',
	'dqds_drop_connection(''x'')', 'dqds_rename_connection(''x'', ''y'')', 'dqds_import_tables(''x'', ''s'')',
	'dqds_unimport_tables(''x'', ''s'')']) AS call;
ROLLBACK;

DROP TABLE names;
DROP SCHEMA source CASCADE;
