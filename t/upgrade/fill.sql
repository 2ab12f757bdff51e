-- Fills the registry of 1.0 by its own functions. :port is that of the remote source.
\set reader '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "' :port '", "database": "postgres", "user": "reader", "password": "reader-secret", "sslmode": "disable"}}'
SELECT :'reader'::jsonb AS model \gset
CREATE FUNCTION changed(model jsonb, section jsonb, top jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
	$$ SELECT model || jsonb_build_object('postgresql', (model -> 'postgresql') || section) || top $$;

CREATE EXTENSION dqds VERSION '1.0';
SELECT dqds_grant('viewer', 'viewer'), dqds_grant('operator', 'operator'), dqds_grant('editor', 'editor'),
	dqds_grant('editor', '"Odd editor"'), dqds_grant('admin', 'admin');
GRANT EXECUTE ON FUNCTION dqds_list_tables(text, text, text, integer), dqds_list_columns(text, text, text[]) TO lister WITH GRANT OPTION;
SET ROLE lister;
GRANT EXECUTE ON FUNCTION dqds_list_tables(text, text, text, integer) TO friend;
RESET ROLE;
GRANT SELECT ON dqds_connection_grant TO auditor;
GRANT EXECUTE ON FUNCTION dqds_store_secrets(bigint, jsonb) TO inside;

SELECT dqds_create_credential('reader', 'reader-secret', '127.0.0.1'), dqds_create_credential('unused', 'x', '*');
SELECT dqds_grant_credential('reader', 'editor'), dqds_grant_credential('reader', 'operator');

SET ROLE editor;
SELECT dqds_create_connection('shop', changed(:'model', '{}', '{"parallel_jobs_limit": 4, "labels": ["a"]}'));
SELECT dqds_create_connection('by credential', changed(:'model', '{"password": "${credential://reader}"}'));
SELECT dqds_create_connection('environment of another', changed(:'model', '{"password": "${DQDS_SECRET_READER}"}'));
SELECT dqds_create_connection('properties', changed(:'model', '{"properties": {"application_name": "a$${b", "connect_timeout": "7"}, "options": "-c work_mem=1MB"}'));
SELECT dqds_create_connection('dollars', changed(:'model', '{"user": "dollars", "password": "a$${b$c"}'));
SELECT dqds_create_connection('other provider', '{"provider_type": "mysql", "mysql": {"host": "h", "password": "mysql-secret"}}'::jsonb);
SELECT dqds_create_connection(E'odd "name", it''s 100%\n\\.\t😀', :'model'::jsonb);
SELECT dqds_create_connection(repeat('long ', 1000), :'model'::jsonb);
SELECT dqds_create_connection('dropped', :'model'::jsonb);
SELECT dqds_drop_connection('dropped');
SELECT dqds_import_tables('shop', 'shop');
SELECT dqds_import_tables('by credential', 'shop', table_names => '{odd}');
RESET ROLE;
-- Names and keys that 1.1 does not accept.
SET ROLE "Odd editor";
SELECT dqds_create_connection('{"provider_type": "mysql"}', :'model'::jsonb);
SELECT dqds_create_connection('postgresql://reader:name-secret@127.0.0.1/postgres', :'model'::jsonb);
SELECT dqds_create_connection('host=db', :'model'::jsonb);
SELECT dqds_create_connection('unknown key', changed(:'model', '{"ssl_mode": "verify-full"}'));
RESET ROLE;
SET ROLE admin;
SELECT dqds_create_connection('environment', changed(:'model', '{"password": "${DQDS_SECRET_READER}", "properties": {"application_name": "${DQDS_SECRET_NAME:none}"}}'));
RESET ROLE;

SELECT dqds_grant_connection('shop', 'operator'), dqds_grant_connection('shop', 'viewer'), dqds_grant_connection('environment', 'operator'),
	dqds_grant_connection('shop', 'lister'), dqds_grant_connection('shop', 'friend');
SELECT dqds_set_connection_owner('other provider', '"Odd editor"');
SET ROLE admin;
SELECT dqds_create_token('operator', '80 years', 'for the console') AS token \gset
RESET ROLE;
CREATE TABLE made_token AS SELECT :'token' AS token;

-- What users build on top.
CREATE VIEW my_connections AS SELECT connection_name, owner FROM dqds_connections WHERE provider_type = 'postgresql';
CREATE VIEW my_tables AS SELECT count(*) FROM dqds_imported_tables;
CREATE FUNCTION my_listing() RETURNS SETOF text LANGUAGE plpgsql AS
	$$ BEGIN RETURN QUERY SELECT l.table_name FROM dqds_list_tables('shop', 'shop') AS l; END $$;
