-- dqds--1.0--1.1.sql
--		Brings the extension from 1.0 to 1.1, with all that is registered, imported and granted.
--
-- In the end the catalog is that of a fresh 1.1 (t/bridge/111_upgrade.pl compares them).  What is kept under its name keeps its
-- privileges, and what depends on it: the tables, the views, and the functions whose arguments and results are the same.
-- Functions that return more columns than before are made again, which nothing that depends on them survives; so a view of a
-- user that does is an error, at the beginning.
--
-- Names are bound as in the install script.

-- complain if the script is sourced in psql rather than by ALTER EXTENSION
\echo Use "ALTER EXTENSION dqds UPDATE TO '1.1'" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- before anything is changed ---------------------------------------------------------------

DO $$
DECLARE
	dependants text;
BEGIN
	-- The schema may belong to someone else, who must not rename it while it is named here.
	PERFORM FROM pg_namespace WHERE oid = '@extschema@'::regnamespace FOR UPDATE;
	IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'dqds' AND extnamespace = '@extschema@'::regnamespace) THEN
		RAISE EXCEPTION 'the schema of the extension has just been renamed'
			USING ERRCODE = 'object_in_use', HINT = 'Try again.';
	END IF;

	WITH member AS (
		SELECT d.classid, d.objid FROM pg_depend d
			JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		WHERE e.extname = 'dqds' AND d.deptype = 'e'
	), changing AS (
		SELECT m.classid, m.objid, 0 AS objsubid
		FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
		WHERE p.proname IN ('dqds_list_columns', 'dqds_list_schemas', 'dqds_list_tables', 'dqds_list_tables_json',
			'dqds_test_connection', 'dqds_test_connections')
		UNION ALL
		SELECT m.classid, m.objid, a.attnum
		FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind = 'r'
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('owner', 'written_by_admin', 'grantee', 'role', 'created_by')
	), dependant AS (
		-- what depends is the view, not its rule
		SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
			coalesce(r.ev_class, d.objid) AS objid
		FROM changing c
			JOIN pg_depend d ON d.refclassid = c.classid AND d.refobjid = c.objid AND d.refobjsubid = c.objsubid AND d.deptype = 'n'
			LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
	)
	SELECT string_agg(DISTINCT pg_describe_object(classid, objid, 0), ', ') INTO dependants
	FROM dependant WHERE (classid, objid) NOT IN (SELECT classid, objid FROM member);
	IF dependants IS NOT NULL THEN
		RAISE EXCEPTION 'other objects depend on functions or columns of dqds that are different in 1.1'
			USING ERRCODE = 'dependent_objects_still_exist', DETAIL = dependants,
				HINT = 'Keep their definitions, drop them, update the extension, and create them again.';
	END IF;
END
$$;

-- What is not kept stays aside until its privileges have been passed on.
DO $$
DECLARE
	old record;
BEGIN
	FOR old IN
		SELECT p.oid::regprocedure AS function, p.proname || '_1_0' AS new_name
		FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		WHERE e.extname = 'dqds' AND d.deptype = 'e'
			AND p.proname IN ('dqds_check_role', 'dqds_connection_id', 'dqds_credential_id', 'dqds_import_named_tables',
				'dqds_job_id_json', 'dqds_json_member', 'dqds_level_grants', 'dqds_list_columns', 'dqds_list_schemas',
				'dqds_list_tables', 'dqds_list_tables_json', 'dqds_lock_connection', 'dqds_must_exist', 'dqds_remove_connection',
				'dqds_replace_connection', 'dqds_store_connection', 'dqds_store_connection_name', 'dqds_store_credential',
				'dqds_store_credential_secret', 'dqds_store_import', 'dqds_store_secrets', 'dqds_test_connection',
				'dqds_test_connections')
	LOOP
		EXECUTE format('ALTER FUNCTION %s RENAME TO %I', old.function, old.new_name);
	END LOOP;
END
$$;

-- What the bridge calls stands in pg_catalog from now on.
ALTER FUNCTION @extschema@.dqds_connection_json(text) SET SCHEMA pg_catalog;
ALTER FUNCTION @extschema@.dqds_drop_connection_json(text) SET SCHEMA pg_catalog;
ALTER FUNCTION @extschema@.dqds_import_tables_json(text, text) SET SCHEMA pg_catalog;
ALTER FUNCTION @extschema@.dqds_list_schemas_json(text, boolean) SET SCHEMA pg_catalog;
ALTER FUNCTION @extschema@.dqds_test_connection_json(text, boolean, boolean) SET SCHEMA pg_catalog;
ALTER FUNCTION @extschema@.dqds_token_role(bytea) SET SCHEMA pg_catalog;

-- The views let go of the columns whose types are changed, and keep their own.
CREATE OR REPLACE VIEW @extschema@.dqds_connections AS
SELECT NULL::text COLLATE "C" AS connection_name, NULL::text AS provider_type, NULL::text AS host, NULL::text AS port,
	NULL::text AS database, NULL::text AS "user", NULL::regrole AS owner, NULL::timestamptz AS created_at,
	NULL::timestamptz AS updated_at, NULL::jsonb AS model;
CREATE OR REPLACE VIEW @extschema@.dqds_credentials AS
SELECT NULL::text COLLATE "C" AS credential_name, NULL::text AS allowed_hosts, NULL::timestamptz AS created_at,
	NULL::timestamptz AS updated_at, NULL::regrole[] AS granted_to;
CREATE OR REPLACE VIEW @extschema@.dqds_tokens AS
SELECT NULL::bigint AS token_id, NULL::regrole AS role, NULL::text AS description, NULL::regrole AS created_by,
	NULL::timestamptz AS created_at, NULL::timestamptz AS expires_at, NULL::boolean AS expired;

-- ---- roles that the registry knows ------------------------------------------------------------

-- A number that PostgreSQL has given to a role may belong to another one later.  So a row that names a role counts only
-- while that role may execute this function by a grant of its own, which PostgreSQL takes away when the role is dropped.  It
-- is in pg_catalog, where no GRANT ... ON ALL FUNCTIONS IN SCHEMA reaches it.
CREATE FUNCTION pg_catalog.dqds_enrolled()
RETURNS void
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dqds_enrolled';
COMMENT ON FUNCTION pg_catalog.dqds_enrolled() IS 'does nothing; EXECUTE on it marks the roles that the registry names, until they are dropped';

CREATE TYPE @extschema@.dqds_role;

CREATE FUNCTION @extschema@.dqds_role_in(cstring)
RETURNS @extschema@.dqds_role
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dqds_role_in';
COMMENT ON FUNCTION @extschema@.dqds_role_in(cstring) IS 'input of dqds_role: the name of a role, never a number';

CREATE FUNCTION @extschema@.dqds_role_out(@extschema@.dqds_role)
RETURNS cstring
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dqds_role_out';
COMMENT ON FUNCTION @extschema@.dqds_role_out(@extschema@.dqds_role) IS 'output of dqds_role: the name of the role, or - when it was dropped';

-- A dump holds what the output function writes: so it never holds the number of a role that was dropped.
CREATE TYPE @extschema@.dqds_role (
	INPUT = @extschema@.dqds_role_in,
	OUTPUT = @extschema@.dqds_role_out,
	LIKE = pg_catalog.oid
);
COMMENT ON TYPE @extschema@.dqds_role IS 'a role that the registry names; none after the role was dropped';

CREATE CAST (@extschema@.dqds_role AS oid) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (@extschema@.dqds_role AS oid) IS 'the number of the role, whether it still counts or not';
CREATE CAST (regrole AS @extschema@.dqds_role) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (regrole AS @extschema@.dqds_role) IS 'the role; it counts once it is enrolled';

CREATE FUNCTION @extschema@.dqds_live_role(role @extschema@.dqds_role)
RETURNS regrole
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dqds_live_role';
COMMENT ON FUNCTION @extschema@.dqds_live_role(@extschema@.dqds_role) IS 'the role that a row of the registry names; 0 when it was dropped';

-- ---- the registry -----------------------------------------------------------------------------

-- There are no foreign keys: their triggers run as the owner of the tables, and find them by the name of their schema, which
-- may be renamed at that very moment.  The internal functions below keep the tables consistent.
ALTER TABLE @extschema@.dqds_connection_secret DROP CONSTRAINT dqds_connection_secret_connection_id_fkey;
ALTER TABLE @extschema@.dqds_connection_grant DROP CONSTRAINT dqds_connection_grant_connection_id_fkey;
ALTER TABLE @extschema@.dqds_credential_grant DROP CONSTRAINT dqds_credential_grant_credential_id_fkey;
ALTER TABLE @extschema@.dqds_imported_table DROP CONSTRAINT dqds_imported_table_connection_id_fkey;
ALTER TABLE @extschema@.dqds_imported_column DROP CONSTRAINT dqds_imported_column_table_id_fkey;

-- In the place of the column that said the same of all members.
ALTER TABLE @extschema@.dqds_connection
	DROP CONSTRAINT dqds_connection_name_hash_key,
	ALTER COLUMN owner TYPE @extschema@.dqds_role,
	ALTER COLUMN written_by_admin TYPE text[] USING CASE WHEN written_by_admin THEN '{all}' ELSE '{}' END::text[];
ALTER TABLE @extschema@.dqds_connection RENAME COLUMN written_by_admin TO environment_members;
DO $$
BEGIN
	-- PostgreSQL 18 gives it a name.
	IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = '@extschema@.dqds_connection'::regclass
			AND conname = 'dqds_connection_written_by_admin_not_null') THEN
		ALTER TABLE @extschema@.dqds_connection RENAME CONSTRAINT dqds_connection_written_by_admin_not_null
			TO dqds_connection_environment_members_not_null;
	END IF;
END
$$;
ALTER TABLE @extschema@.dqds_connection_grant ALTER COLUMN grantee TYPE @extschema@.dqds_role;
ALTER TABLE @extschema@.dqds_credential_grant ALTER COLUMN grantee TYPE @extschema@.dqds_role;
ALTER TABLE @extschema@.dqds_token
	ALTER COLUMN role TYPE @extschema@.dqds_role,
	ALTER COLUMN created_by TYPE @extschema@.dqds_role;

-- Partial, though it holds every row: PostgreSQL takes the columns of other unique indexes for keys, and then a new name would
-- wait for every transaction that has imported something of the connection.
CREATE UNIQUE INDEX dqds_connection_name_hash_key ON @extschema@.dqds_connection (name_hash) WHERE name_hash IS NOT NULL;

-- A reference that an admin wrote counts as before, and no other one: in models as they were written, and in secrets.
WITH half AS (
	SELECT c.id, half.value FROM @extschema@.dqds_connection c
		LEFT JOIN @extschema@.dqds_connection_secret s ON s.connection_id = c.id
		CROSS JOIN LATERAL (VALUES (c.model), (s.secrets)) AS half (value)
	WHERE c.environment_members = '{all}'
), section AS (
	SELECT h.id, e.key AS name, e.value AS members, e.value -> 'properties' AS properties
	FROM half h CROSS JOIN LATERAL jsonb_each(h.value) AS e (key, value)
	WHERE jsonb_typeof(e.value) = 'object'
), member AS (
	SELECT s.id, s.name || '.' || e.key AS path, e.value
	FROM section s CROSS JOIN LATERAL jsonb_each_text(s.members) AS e (key, value)
	WHERE e.key IN ('host', 'port', 'database', 'user', 'password', 'options')
	UNION ALL
	SELECT s.id, s.name || '.properties.' || e.key, e.value
	FROM section s
		CROSS JOIN LATERAL jsonb_each_text(CASE jsonb_typeof(s.properties) WHEN 'object' THEN s.properties ELSE '{}' END)
			AS e (key, value)
)
UPDATE @extschema@.dqds_connection c
SET environment_members = ARRAY(
	SELECT m.path FROM member m WHERE m.id = c.id AND m.value ~ '\$\{(?!credential://).*\}' ORDER BY m.path)
WHERE c.environment_members = '{all}';

-- $${ stands for ${ now, where it is not within a reference; before, it stood for itself, if no brace closed it.
UPDATE @extschema@.dqds_connection
SET model = regexp_replace(model::text, '\$\$\{(?=([^"\\}]|\\.)*"(?!:))', '$$${', 'g')::jsonb
WHERE strpos(model::text, '$${') > 0;
UPDATE @extschema@.dqds_connection_secret
SET secrets = regexp_replace(secrets::text, '\$\$\{(?=([^"\\}]|\\.)*"(?!:))', '$$${', 'g')::jsonb
WHERE strpos(secrets::text, '$${') > 0;

-- The latest jobs that the bridge has reported to clients; dumps leave them out.  A role is the same one as long as both
-- its number and its name are.
CREATE TABLE @extschema@.dqds_job (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	role oid NOT NULL,
	role_name name NOT NULL,
	job_type text NOT NULL,
	business_key text,
	created_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX dqds_job_role_idx ON @extschema@.dqds_job (role, id);

COMMENT ON TABLE @extschema@.dqds_token IS 'tokens of the HTTP bridge, by their SHA-256';
COMMENT ON TABLE @extschema@.dqds_job IS 'imports and removals that were answered as jobs; kept for a day, and the latest 1000 of each role';
COMMENT ON TABLE @extschema@.dqds_connection IS 'registered connections; the model holds a mask in place of each secret';
COMMENT ON TABLE @extschema@.dqds_connection_secret IS 'secrets of registered connections; leave its data out of dumps that others may read';
COMMENT ON TABLE @extschema@.dqds_connection_grant IS 'roles that may use a connection which they do not own';
COMMENT ON TABLE @extschema@.dqds_credential IS 'stored credentials that connection models refer to; leave its data out of dumps that others may read';
COMMENT ON TABLE @extschema@.dqds_credential_grant IS 'roles whose connections may use a credential';
COMMENT ON TABLE @extschema@.dqds_imported_table IS 'tables imported from remote data sources';
COMMENT ON TABLE @extschema@.dqds_imported_column IS 'columns of imported tables';
COMMENT ON SEQUENCE @extschema@.dqds_connection_id_seq IS 'ids of registered connections';
COMMENT ON SEQUENCE @extschema@.dqds_credential_id_seq IS 'ids of credentials';
COMMENT ON SEQUENCE @extschema@.dqds_token_id_seq IS 'ids of tokens';
COMMENT ON SEQUENCE @extschema@.dqds_job_id_seq IS 'ids of jobs';
COMMENT ON SEQUENCE @extschema@.dqds_imported_table_id_seq IS 'ids of imported tables';
SELECT pg_extension_config_dump('@extschema@.dqds_connection', '');
SELECT pg_extension_config_dump('@extschema@.dqds_connection_secret', '');
SELECT pg_extension_config_dump('@extschema@.dqds_connection_grant', 'WHERE grantee::pg_catalog.text OPERATOR(pg_catalog.<>) ''-''');
SELECT pg_extension_config_dump('@extschema@.dqds_imported_table', '');
SELECT pg_extension_config_dump('@extschema@.dqds_imported_column', '');
SELECT pg_extension_config_dump('@extschema@.dqds_credential', '');
SELECT pg_extension_config_dump('@extschema@.dqds_credential_grant', 'WHERE grantee::pg_catalog.text OPERATOR(pg_catalog.<>) ''-''');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_credential', 'id'), '');
SELECT pg_extension_config_dump('@extschema@.dqds_token', 'WHERE role::pg_catalog.text OPERATOR(pg_catalog.<>) ''-''');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_token', 'id'), '');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_connection', 'id'), '');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_imported_table', 'id'), '');

-- ---- testing and listing ------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_test_connection(connection text, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision, warnings text[]
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(text, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connection(connection json, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision, warnings text[]
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(json, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision, warnings text[]
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(jsonb, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connections(connections text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision, warnings text[]
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connections_1_1';
COMMENT ON FUNCTION @extschema@.dqds_test_connections(text[]) IS 'test the named connections, or all that the caller may use, in parallel';

-- For literals: one name, or an array of names between braces.
CREATE FUNCTION @extschema@.dqds_test_connections(connections text)
RETURNS TABLE (
	connection_name text, connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision, warnings text[]
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connections_1_1';
COMMENT ON FUNCTION @extschema@.dqds_test_connections(text) IS 'test the named connection';

CREATE OR REPLACE FUNCTION @extschema@.dqds_diagnose_connection(connection text)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(text) IS 'report step by step how far a connection to a remote data source gets';

CREATE OR REPLACE FUNCTION @extschema@.dqds_diagnose_connection(connection json)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(json) IS 'report step by step how far a connection to a remote data source gets';

CREATE OR REPLACE FUNCTION @extschema@.dqds_diagnose_connection(connection jsonb)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(jsonb) IS 'report step by step how far a connection to a remote data source gets';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection text, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb,
	extension text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(text, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection json, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb,
	extension text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(json, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection jsonb, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb,
	extension text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(jsonb, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_tables(connection text, schema_name text DEFAULT NULL, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL, include_partitions boolean DEFAULT true, case_insensitive boolean DEFAULT false,
	table_name_excludes text DEFAULT NULL, include_sizes boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text, partition_of text, owner text, size_bytes bigint, extension text,
	can_select boolean
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(text, text, text, integer, boolean, boolean, text, boolean) IS 'list the tables and views of a remote schema, or of all that its user may use, that its user has some privilege on; size_bytes only with include_sizes';

CREATE FUNCTION @extschema@.dqds_list_tables(connection json, schema_name text DEFAULT NULL, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL, include_partitions boolean DEFAULT true, case_insensitive boolean DEFAULT false,
	table_name_excludes text DEFAULT NULL, include_sizes boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text, partition_of text, owner text, size_bytes bigint, extension text,
	can_select boolean
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(json, text, text, integer, boolean, boolean, text, boolean) IS 'list the tables and views of a remote schema, or of all that its user may use, that its user has some privilege on; size_bytes only with include_sizes';

CREATE FUNCTION @extschema@.dqds_list_tables(connection jsonb, schema_name text DEFAULT NULL, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL, include_partitions boolean DEFAULT true, case_insensitive boolean DEFAULT false,
	table_name_excludes text DEFAULT NULL, include_sizes boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text, partition_of text, owner text, size_bytes bigint, extension text,
	can_select boolean
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(jsonb, text, text, integer, boolean, boolean, text, boolean) IS 'list the tables and views of a remote schema, or of all that its user may use, that its user has some privilege on; size_bytes only with include_sizes';

CREATE FUNCTION @extschema@.dqds_list_columns(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(text, text, text[]) IS 'list the columns of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_columns(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(json, text, text[]) IS 'list the columns of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_columns(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(jsonb, text, text[]) IS 'list the columns of the tables of a remote schema';

-- A literal is resolved as text, not as text[], so these take the name of one table, or the text of an array.
CREATE FUNCTION @extschema@.dqds_list_columns(connection text, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(text, text, text) IS 'list the columns of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_columns(connection json, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(json, text, text) IS 'list the columns of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_columns(connection jsonb, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text, full_type text, base_type text, enum_labels text[], default_expression text, generated text,
	identity text, is_unique boolean, primary_key_position integer, collation text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_1_1';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(jsonb, text, text) IS 'list the columns of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(text, text, text[]) IS 'list the constraints of the tables of a remote schema: keys, foreign keys, checks, exclusions';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection text, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(text, text, text) IS 'list the constraints of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(json, text, text[]) IS 'list the constraints of the tables of a remote schema: keys, foreign keys, checks, exclusions';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection json, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(json, text, text) IS 'list the constraints of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(jsonb, text, text[]) IS 'list the constraints of the tables of a remote schema: keys, foreign keys, checks, exclusions';

CREATE FUNCTION @extschema@.dqds_list_constraints(connection jsonb, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, constraint_name text, constraint_type text,
	column_names text[], referenced_schema text, referenced_table text, referenced_columns text[], definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints';
COMMENT ON FUNCTION @extschema@.dqds_list_constraints(jsonb, text, text) IS 'list the constraints of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(text, text, text[]) IS 'list the indexes of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection text, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(text, text, text) IS 'list the indexes of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(json, text, text[]) IS 'list the indexes of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection json, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(json, text, text) IS 'list the indexes of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(jsonb, text, text[]) IS 'list the indexes of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_indexes(connection jsonb, schema_name text, table_names text)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, index_name text, method text, is_unique boolean,
	is_primary boolean, is_valid boolean, column_names text[], included_columns text[], predicate text, definition text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes';
COMMENT ON FUNCTION @extschema@.dqds_list_indexes(jsonb, text, text) IS 'list the indexes of one table of a remote schema, or of those in an array like {a,b}';

CREATE FUNCTION @extschema@.dqds_view_definition(connection text, schema_name text, view_name text)
RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_view_definition';
COMMENT ON FUNCTION @extschema@.dqds_view_definition(text, text, text) IS 'the query of a remote view or materialized view; NULL when there is none';

CREATE FUNCTION @extschema@.dqds_view_definition(connection json, schema_name text, view_name text)
RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_view_definition';
COMMENT ON FUNCTION @extschema@.dqds_view_definition(json, text, text) IS 'the query of a remote view or materialized view; NULL when there is none';

CREATE FUNCTION @extschema@.dqds_view_definition(connection jsonb, schema_name text, view_name text)
RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_view_definition';
COMMENT ON FUNCTION @extschema@.dqds_view_definition(jsonb, text, text) IS 'the query of a remote view or materialized view; NULL when there is none';

-- Open to all: it reads only its argument.
-- Not PARALLEL SAFE: of an error of a worker, the leader would log the statement, with the password that it may hold.
CREATE FUNCTION @extschema@.dqds_connection_model(spelling text)
RETURNS jsonb
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_connection_model';
COMMENT ON FUNCTION @extschema@.dqds_connection_model(text) IS 'return the connection model that a URI, conninfo string, JDBC or SQLAlchemy URL stands for';

-- ---- editing the registry -----------------------------------------------------------------------

CREATE OR REPLACE FUNCTION @extschema@.dqds_create_connection(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, text) IS 'register a connection under a name; the caller becomes its owner';

CREATE OR REPLACE FUNCTION @extschema@.dqds_create_connection(name text, model json)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, json) IS 'register a connection under a name; the caller becomes its owner';

CREATE OR REPLACE FUNCTION @extschema@.dqds_create_connection(name text, model jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, jsonb) IS 'register a connection under a name; the caller becomes its owner';

CREATE OR REPLACE FUNCTION @extschema@.dqds_update_connection(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_update_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, text) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE OR REPLACE FUNCTION @extschema@.dqds_update_connection(name text, model json)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_update_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, json) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE OR REPLACE FUNCTION @extschema@.dqds_update_connection(name text, model jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_update_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, jsonb) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE FUNCTION @extschema@.dqds_patch_connection(name text, patch text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_patch_connection';
COMMENT ON FUNCTION @extschema@.dqds_patch_connection(text, text) IS 'change some members of a connection''s model by a merge patch (RFC 7396); the others stay, secrets included';

CREATE FUNCTION @extschema@.dqds_patch_connection(name text, patch json)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_patch_connection';
COMMENT ON FUNCTION @extschema@.dqds_patch_connection(text, json) IS 'change some members of a connection''s model by a merge patch (RFC 7396); the others stay, secrets included';

CREATE FUNCTION @extschema@.dqds_patch_connection(name text, patch jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_patch_connection';
COMMENT ON FUNCTION @extschema@.dqds_patch_connection(text, jsonb) IS 'change some members of a connection''s model by a merge patch (RFC 7396); the others stay, secrets included';

CREATE OR REPLACE FUNCTION @extschema@.dqds_drop_connection(name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_drop_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_drop_connection(text) IS 'drop a connection with its grants and imports';

CREATE OR REPLACE FUNCTION @extschema@.dqds_rename_connection(name text, new_name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_rename_connection_1_1';
COMMENT ON FUNCTION @extschema@.dqds_rename_connection(text, text) IS 'give a connection another name; grants and imports stay';

CREATE OR REPLACE FUNCTION @extschema@.dqds_import_tables(connection text, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_import_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(text, text, text, text[], integer) IS 'import tables of a remote schema with their columns, or update what was imported before';

CREATE OR REPLACE FUNCTION @extschema@.dqds_import_tables(connection json, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_import_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(json, text, text, text[], integer) IS 'import tables of a remote schema with their columns, or update what was imported before';

CREATE OR REPLACE FUNCTION @extschema@.dqds_import_tables(connection jsonb, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_import_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(jsonb, text, text, text[], integer) IS 'import tables of a remote schema with their columns, or update what was imported before';

CREATE OR REPLACE FUNCTION @extschema@.dqds_unimport_tables(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_unimport_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(text, text, text[]) IS 'forget imported tables of a schema, all of them without table_names, and return how many';

CREATE OR REPLACE FUNCTION @extschema@.dqds_unimport_tables(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_unimport_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(json, text, text[]) IS 'forget imported tables of a schema, all of them without table_names, and return how many';

CREATE OR REPLACE FUNCTION @extschema@.dqds_unimport_tables(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_unimport_tables_1_1';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(jsonb, text, text[]) IS 'forget imported tables of a schema, all of them without table_names, and return how many';

-- ---- for the bridge -------------------------------------------------------------------------------

-- In pg_catalog, as said above.  Those that return text give JSON in pieces.

CREATE OR REPLACE FUNCTION pg_catalog.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection_json_1_1';
COMMENT ON FUNCTION pg_catalog.dqds_test_connection_json(text, boolean, boolean) IS 'dqds_test_connection for the bridge';

CREATE OR REPLACE FUNCTION pg_catalog.dqds_list_schemas_json(connection_name text, include_system boolean)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas_json_1_1';
COMMENT ON FUNCTION pg_catalog.dqds_list_schemas_json(text, boolean) IS 'dqds_list_schemas for the bridge';

CREATE FUNCTION pg_catalog.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean,
	include_partitions boolean DEFAULT true, case_insensitive boolean DEFAULT false, table_name_excludes text DEFAULT NULL,
	include_sizes boolean DEFAULT false)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables_json_1_1';
COMMENT ON FUNCTION pg_catalog.dqds_list_tables_json(text, text, text, integer, boolean, boolean, boolean, text, boolean) IS 'dqds_list_tables for the bridge';

CREATE FUNCTION pg_catalog.dqds_list_columns_json(connection_name text, schema_name text, table_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns_json';
COMMENT ON FUNCTION pg_catalog.dqds_list_columns_json(text, text, text) IS 'dqds_list_columns for the bridge: of one table';

CREATE FUNCTION pg_catalog.dqds_list_constraints_json(connection_name text, schema_name text, table_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_constraints_json';
COMMENT ON FUNCTION pg_catalog.dqds_list_constraints_json(text, text, text) IS 'dqds_list_constraints for the bridge: of one table';

CREATE FUNCTION pg_catalog.dqds_list_indexes_json(connection_name text, schema_name text, table_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_indexes_json';
COMMENT ON FUNCTION pg_catalog.dqds_list_indexes_json(text, text, text) IS 'dqds_list_indexes for the bridge: of one table';

CREATE OR REPLACE FUNCTION pg_catalog.dqds_connection_json(connection_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_connection_json';
COMMENT ON FUNCTION pg_catalog.dqds_connection_json(text) IS 'the model of one connection for the bridge, secrets masked';

CREATE FUNCTION pg_catalog.dqds_connection_spec_json(connection_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_connection_spec_json';
COMMENT ON FUNCTION pg_catalog.dqds_connection_spec_json(text) IS 'one connection for the bridge, with its model as a member, secrets masked';

CREATE FUNCTION pg_catalog.dqds_imported_schemas_json(connection_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_imported_schemas_json';
COMMENT ON FUNCTION pg_catalog.dqds_imported_schemas_json(text) IS 'the imported schemas of a connection for the bridge';

CREATE FUNCTION pg_catalog.dqds_imported_tables_json(connection_name text, schema_name text, filter text, page integer, page_size integer)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_imported_tables_json';
COMMENT ON FUNCTION pg_catalog.dqds_imported_tables_json(text, text, text, integer, integer) IS 'the imported tables of a schema for the bridge';

CREATE FUNCTION pg_catalog.dqds_job_json(job_id text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_job_json';
COMMENT ON FUNCTION pg_catalog.dqds_job_json(text) IS 'a finished job of the caller for the bridge, by its id or its business key';

-- Open to all, because everyone may know which level opens what.
CREATE FUNCTION pg_catalog.dqds_missing_level(function_name text, name_role boolean)
RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_missing_level';
COMMENT ON FUNCTION pg_catalog.dqds_missing_level(text, boolean) IS 'which level the caller lacks for a function of the bridge, and what grants it; NULL when it lacks none';

CREATE FUNCTION pg_catalog.dqds_create_connection_json(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_connection_json';
COMMENT ON FUNCTION pg_catalog.dqds_create_connection_json(text, text) IS 'dqds_create_connection for the bridge';

CREATE FUNCTION pg_catalog.dqds_update_connection_json(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_update_connection_json';
COMMENT ON FUNCTION pg_catalog.dqds_update_connection_json(text, text) IS 'dqds_update_connection for the bridge';

CREATE OR REPLACE FUNCTION pg_catalog.dqds_drop_connection_json(connection_name text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_drop_connection_json';
COMMENT ON FUNCTION pg_catalog.dqds_drop_connection_json(text) IS 'dqds_drop_connection for the bridge; the answer is that of a queue of jobs';

CREATE OR REPLACE FUNCTION pg_catalog.dqds_import_tables_json(parameters text, business_key text)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_import_tables_json';
COMMENT ON FUNCTION pg_catalog.dqds_import_tables_json(text, text) IS 'dqds_import_tables for the bridge: the parameters are JSON';

-- ---- levels -----------------------------------------------------------------------------------------

-- A level is nothing but PostgreSQL's own privileges on these objects: dumps carry them, and DROP OWNED takes them from a
-- role that is to be dropped.
CREATE OR REPLACE FUNCTION @extschema@.dqds_level_objects()
RETURNS TABLE (rank integer, level text, kind text, name text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT * FROM (VALUES
		(1, 'viewer', 'view', 'dqds_connections'),
		(1, 'viewer', 'view', 'dqds_imported_tables'),
		(1, 'viewer', 'view', 'dqds_imported_columns'),
		(1, 'viewer', 'function', 'dqds_connection_json'),
		(1, 'viewer', 'function', 'dqds_connections_json'),
		(1, 'viewer', 'function', 'dqds_connection_spec_json'),
		(1, 'viewer', 'function', 'dqds_imported_schemas_json'),
		(1, 'viewer', 'function', 'dqds_imported_tables_json'),
		(1, 'viewer', 'function', 'dqds_job_json'),
		(2, 'operator', 'function', 'dqds_test_connection'),
		(2, 'operator', 'function', 'dqds_test_connections'),
		(2, 'operator', 'function', 'dqds_diagnose_connection'),
		(2, 'operator', 'function', 'dqds_list_schemas'),
		(2, 'operator', 'function', 'dqds_list_tables'),
		(2, 'operator', 'function', 'dqds_list_columns'),
		(2, 'operator', 'function', 'dqds_list_constraints'),
		(2, 'operator', 'function', 'dqds_list_indexes'),
		(2, 'operator', 'function', 'dqds_view_definition'),
		(2, 'operator', 'function', 'dqds_test_connection_json'),
		(2, 'operator', 'function', 'dqds_list_schemas_json'),
		(2, 'operator', 'function', 'dqds_list_tables_json'),
		(2, 'operator', 'function', 'dqds_list_columns_json'),
		(2, 'operator', 'function', 'dqds_list_constraints_json'),
		(2, 'operator', 'function', 'dqds_list_indexes_json'),
		(3, 'editor', 'function', 'dqds_create_connection'),
		(3, 'editor', 'function', 'dqds_update_connection'),
		(3, 'editor', 'function', 'dqds_patch_connection'),
		(3, 'editor', 'function', 'dqds_drop_connection'),
		(3, 'editor', 'function', 'dqds_rename_connection'),
		(3, 'editor', 'function', 'dqds_import_tables'),
		(3, 'editor', 'function', 'dqds_unimport_tables'),
		(3, 'editor', 'function', 'dqds_create_connection_json'),
		(3, 'editor', 'function', 'dqds_update_connection_json'),
		(3, 'editor', 'function', 'dqds_drop_connection_json'),
		(3, 'editor', 'function', 'dqds_import_tables_json'),
		(4, 'admin', 'view', 'dqds_credentials'),
		(4, 'admin', 'function', 'dqds_create_credential'),
		(4, 'admin', 'function', 'dqds_replace_credential'),
		(4, 'admin', 'function', 'dqds_drop_credential'),
		(4, 'admin', 'function', 'dqds_grant_credential'),
		(4, 'admin', 'function', 'dqds_revoke_credential'),
		(4, 'admin', 'view', 'dqds_tokens'),
		(4, 'admin', 'function', 'dqds_create_token'),
		(4, 'admin', 'function', 'dqds_revoke_token'),
		(4, 'admin', 'function', 'dqds_grant'),
		(4, 'admin', 'function', 'dqds_revoke'),
		(4, 'admin', 'function', 'dqds_grant_connection'),
		(4, 'admin', 'function', 'dqds_revoke_connection'),
		(4, 'admin', 'function', 'dqds_set_connection_owner')) AS object (rank, level, kind, name);
END;
COMMENT ON FUNCTION @extschema@.dqds_level_objects() IS 'which objects each level opens';

CREATE OR REPLACE FUNCTION @extschema@.dqds_grant(level text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant';
COMMENT ON FUNCTION @extschema@.dqds_grant(text, regrole) IS 'give a role a level (viewer, operator, editor, admin), which includes those before it';

CREATE FUNCTION @extschema@.dqds_grant(level text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant';
COMMENT ON FUNCTION @extschema@.dqds_grant(text, text) IS 'give a role a level (viewer, operator, editor, admin), which includes those before it';

CREATE OR REPLACE FUNCTION @extschema@.dqds_revoke(level text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke';
COMMENT ON FUNCTION @extschema@.dqds_revoke(text, regrole) IS 'take a level from a role, and with it those that include it';

CREATE FUNCTION @extschema@.dqds_revoke(level text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke';
COMMENT ON FUNCTION @extschema@.dqds_revoke(text, text) IS 'take a level from a role, and with it those that include it';

CREATE OR REPLACE FUNCTION @extschema@.dqds_grant_connection(name text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant_connection';
COMMENT ON FUNCTION @extschema@.dqds_grant_connection(text, regrole) IS 'let a role use a connection that it does not own';

CREATE FUNCTION @extschema@.dqds_grant_connection(name text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant_connection';
COMMENT ON FUNCTION @extschema@.dqds_grant_connection(text, text) IS 'let a role use a connection that it does not own';

CREATE OR REPLACE FUNCTION @extschema@.dqds_revoke_connection(name text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_connection';
COMMENT ON FUNCTION @extschema@.dqds_revoke_connection(text, regrole) IS 'take the use of a connection from a role';

CREATE FUNCTION @extschema@.dqds_revoke_connection(name text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_connection';
COMMENT ON FUNCTION @extschema@.dqds_revoke_connection(text, text) IS 'take the use of a connection from a role';

CREATE OR REPLACE FUNCTION @extschema@.dqds_set_connection_owner(name text, new_owner regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_set_connection_owner';
COMMENT ON FUNCTION @extschema@.dqds_set_connection_owner(text, regrole) IS 'give a connection another owner, whose credentials it may then refer to';

CREATE FUNCTION @extschema@.dqds_set_connection_owner(name text, new_owner text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_set_connection_owner';
COMMENT ON FUNCTION @extschema@.dqds_set_connection_owner(text, text) IS 'give a connection another owner, whose credentials it may then refer to';

-- ---- credentials ------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION @extschema@.dqds_create_credential(name text, secret text, allowed_hosts text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_credential_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_credential(text, text, text) IS 'store a secret that models refer to as ${credential://name}, towards the listed hosts only';

CREATE OR REPLACE FUNCTION @extschema@.dqds_replace_credential(name text, secret text, allowed_hosts text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_replace_credential_1_1';
COMMENT ON FUNCTION @extschema@.dqds_replace_credential(text, text, text) IS 'replace the secret of a credential, and its hosts unless NULL';

CREATE OR REPLACE FUNCTION @extschema@.dqds_drop_credential(name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_drop_credential';
COMMENT ON FUNCTION @extschema@.dqds_drop_credential(text) IS 'drop a credential and its grants';

CREATE OR REPLACE FUNCTION @extschema@.dqds_grant_credential(name text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant_credential';
COMMENT ON FUNCTION @extschema@.dqds_grant_credential(text, regrole) IS 'let the connections of a role use a credential';

CREATE FUNCTION @extschema@.dqds_grant_credential(name text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_grant_credential';
COMMENT ON FUNCTION @extschema@.dqds_grant_credential(text, text) IS 'let the connections of a role use a credential';

CREATE OR REPLACE FUNCTION @extschema@.dqds_revoke_credential(name text, role regrole)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_credential';
COMMENT ON FUNCTION @extschema@.dqds_revoke_credential(text, regrole) IS 'take the use of a credential from a role';

CREATE FUNCTION @extschema@.dqds_revoke_credential(name text, role text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_credential';
COMMENT ON FUNCTION @extschema@.dqds_revoke_credential(text, text) IS 'take the use of a credential from a role';

CREATE OR REPLACE VIEW @extschema@.dqds_credentials AS
SELECT c.name AS credential_name, c.allowed_hosts, c.created_at, c.updated_at,
	ARRAY(SELECT @extschema@.dqds_live_role(g.grantee) FROM @extschema@.dqds_credential_grant g
		WHERE g.credential_id = c.id AND @extschema@.dqds_live_role(g.grantee) <> 0::regrole) AS granted_to
FROM @extschema@.dqds_credential c;
COMMENT ON VIEW @extschema@.dqds_credentials IS 'the stored credentials, without their secrets';

-- ---- tokens -----------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION @extschema@.dqds_create_token(role regrole, expires_in interval DEFAULT '90 days', description text DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_token_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_token(regrole, interval, text) IS 'create a token with which HTTP requests run as a role; it is shown only once';

-- For literals: they are resolved as text, so these are chosen before any function that another role may have put beside them.
CREATE FUNCTION @extschema@.dqds_create_token(role text, expires_in text DEFAULT '90 days', description text DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_token_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_token(text, text, text) IS 'create a token with which HTTP requests run as a role; it is shown only once';

CREATE FUNCTION @extschema@.dqds_create_token(role text, expires_in interval, description text DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_create_token_1_1';
COMMENT ON FUNCTION @extschema@.dqds_create_token(text, interval, text) IS 'create a token with which HTTP requests run as a role; it is shown only once';

CREATE OR REPLACE FUNCTION @extschema@.dqds_revoke_token(token_id bigint)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_token';
COMMENT ON FUNCTION @extschema@.dqds_revoke_token(bigint) IS 'make a token invalid';

CREATE FUNCTION @extschema@.dqds_revoke_token(token_id integer)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_token';
COMMENT ON FUNCTION @extschema@.dqds_revoke_token(integer) IS 'make a token invalid';

CREATE FUNCTION @extschema@.dqds_revoke_token(token_id text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dqds_revoke_token';
COMMENT ON FUNCTION @extschema@.dqds_revoke_token(text) IS 'make a token invalid';

-- Open to all, because it reveals nothing: a caller with the hash of a valid token has had the token.
CREATE OR REPLACE FUNCTION pg_catalog.dqds_token_role(token_hash bytea)
RETURNS name
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_token_role';
COMMENT ON FUNCTION pg_catalog.dqds_token_role(bytea) IS 'the role that a token stands for, by the SHA-256 of the token';

CREATE OR REPLACE VIEW @extschema@.dqds_tokens AS
SELECT t.id AS token_id, @extschema@.dqds_live_role(t.role) AS role, t.description,
	@extschema@.dqds_live_role(t.created_by) AS created_by, t.created_at, t.expires_at, t.expires_at <= now() AS expired
FROM @extschema@.dqds_token t;
COMMENT ON VIEW @extschema@.dqds_tokens IS 'the tokens of the HTTP bridge, without their values';

-- ---- views ------------------------------------------------------------------------------------------------

-- A model as it is given back, with the members that are computed for each caller.  It reads its arguments only.
CREATE FUNCTION @extschema@.dqds_shown_model(name text, model jsonb, may_edit boolean, is_editor boolean, is_operator boolean)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT dqds_shown_model.model || jsonb_build_object(
		'connection_name', dqds_shown_model.name,
		-- 53 bits, which every JSON parser keeps exactly
		'connection_hash', hashtextextended(dqds_shown_model.name COLLATE "C", 0) & 9007199254740991,
		'can_edit', may_edit AND is_editor,
		'can_collect_statistics', is_operator,
		'can_run_checks', is_operator,
		'can_delete_data', may_edit AND is_editor,
		'run_checks_job_template', jsonb_build_object('connection', dqds_shown_model.name, 'enabled', true),
		'run_profiling_checks_job_template',
			jsonb_build_object('connection', dqds_shown_model.name, 'enabled', true, 'checkType', 'profiling'),
		'run_monitoring_checks_job_template',
			jsonb_build_object('connection', dqds_shown_model.name, 'enabled', true, 'checkType', 'monitoring'),
		'run_partition_checks_job_template',
			jsonb_build_object('connection', dqds_shown_model.name, 'enabled', true, 'checkType', 'partitioned'),
		'collect_statistics_job_template',
			jsonb_build_object('connection', dqds_shown_model.name, 'enabled', true, 'columnNames', jsonb_build_array()),
		'data_clean_job_template',
			jsonb_build_object('connection', dqds_shown_model.name, 'deleteErrors', true, 'deleteStatistics', true,
				'deleteCheckResults', true, 'deleteSensorReadouts', true, 'deleteErrorSamples', true,
				'deleteIncidents', true, 'deleteChecksConfiguration', false));
END;
COMMENT ON FUNCTION @extschema@.dqds_shown_model(text, jsonb, boolean, boolean, boolean) IS 'a model as it is given back, with its computed members';

-- They run as their owner, who may read the tables, and show what current_user may see.
CREATE OR REPLACE VIEW @extschema@.dqds_connections WITH (security_barrier) AS
SELECT c.name AS connection_name,
	c.model ->> 'provider_type' AS provider_type,
	section.value ->> 'host' AS host,
	section.value ->> 'port' AS port,
	section.value ->> 'database' AS database,
	section.value ->> 'user' AS "user",
	live.owner,
	c.created_at,
	c.updated_at,
	@extschema@.dqds_shown_model(c.name, c.model, may.edit, may.be_editor, may.be_operator) AS model
FROM @extschema@.dqds_connection c
	CROSS JOIN LATERAL (SELECT c.model -> (c.model ->> 'provider_type') AS value) AS section
	CROSS JOIN LATERAL (SELECT @extschema@.dqds_live_role(c.owner) AS owner) AS live
	CROSS JOIN LATERAL (
		SELECT pg_has_role(live.owner, 'USAGE')
				OR has_function_privilege('@extschema@.dqds_grant(text, regrole)'::regprocedure, 'EXECUTE') AS edit,
			has_function_privilege('@extschema@.dqds_update_connection(text, text)'::regprocedure, 'EXECUTE') AS be_editor,
			has_function_privilege('@extschema@.dqds_list_schemas(text, boolean)'::regprocedure, 'EXECUTE') AS be_operator
	) AS may
WHERE may.edit
	OR EXISTS (SELECT FROM @extschema@.dqds_connection_grant g
		WHERE g.connection_id = c.id AND pg_has_role(@extschema@.dqds_live_role(g.grantee), 'USAGE'));
COMMENT ON VIEW @extschema@.dqds_connections IS 'the connections that the current user may see, secrets masked';

-- It reads its argument only.
CREATE FUNCTION @extschema@.dqds_compact_json(value jsonb)
RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dqds_compact_json';
COMMENT ON FUNCTION @extschema@.dqds_compact_json(jsonb) IS 'jsonb as text without blanks between its parts';

CREATE FUNCTION pg_catalog.dqds_connections_json()
RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT @extschema@.dqds_compact_json(c.model) FROM @extschema@.dqds_connections c ORDER BY c.connection_name;
END;
COMMENT ON FUNCTION pg_catalog.dqds_connections_json() IS 'the models of dqds_connections for the bridge';

CREATE OR REPLACE VIEW @extschema@.dqds_imported_tables WITH (security_barrier) AS
SELECT v.connection_name, t.schema_name, t.table_name, t.table_kind, t.estimated_rows, t.comment,
	t.imported_at, t.updated_at
FROM @extschema@.dqds_imported_table t
	JOIN @extschema@.dqds_connection c ON c.id = t.connection_id
	JOIN @extschema@.dqds_connections v ON v.connection_name = c.name;
COMMENT ON VIEW @extschema@.dqds_imported_tables IS 'imported tables of the connections that the current user may see';

CREATE OR REPLACE VIEW @extschema@.dqds_imported_columns WITH (security_barrier) AS
SELECT v.connection_name, t.schema_name, t.table_name, ic.ordinal_position, ic.column_name,
	ic.column_type, ic.length, ic."precision", ic.scale, ic.nullable, ic.primary_key, ic.comment
FROM @extschema@.dqds_imported_column ic
	JOIN @extschema@.dqds_imported_table t ON t.id = ic.table_id
	JOIN @extschema@.dqds_connection c ON c.id = t.connection_id
	JOIN @extschema@.dqds_connections v ON v.connection_name = c.name;
COMMENT ON VIEW @extschema@.dqds_imported_columns IS 'columns of the imported tables that the current user may see';
-- ---- called by the C code only, as the owner of the tables ----------------------------------------------

-- Each returns one value, and is called by src/registry/owner_call.c through its number.

CREATE OR REPLACE FUNCTION @extschema@.dqds_level_rank(level text)
RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT min(o.rank) FROM @extschema@.dqds_level_objects() o WHERE o.level = dqds_level_rank.level;
END;
COMMENT ON FUNCTION @extschema@.dqds_level_rank(text) IS 'internal: the place of a level in their order; NULL for an unknown one';

CREATE FUNCTION @extschema@.dqds_level_of(function_name text)
RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT o.level FROM @extschema@.dqds_level_objects() o WHERE o.kind = 'function' AND o.name = function_name;
END;
COMMENT ON FUNCTION @extschema@.dqds_level_of(text) IS 'internal: the lowest level that opens a function; NULL when none does';

-- Members of the extension, not what others have put beside them; every overload.
CREATE FUNCTION @extschema@.dqds_level_members(kind text, from_rank integer, to_rank integer)
RETURNS oid[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(d.objid)
	FROM @extschema@.dqds_level_objects() o
		JOIN (pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
				AND e.extname = 'dqds' AND d.deptype = 'e') ON true
		LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
	WHERE o.kind = dqds_level_members.kind AND o.rank BETWEEN from_rank AND to_rank
		AND CASE o.kind WHEN 'view' THEN c.relname = o.name ELSE p.proname = o.name END;
END;
COMMENT ON FUNCTION @extschema@.dqds_level_members(text, integer, integer) IS 'internal: the views, or the functions, that the levels of some ranks open';

-- Rows that belonged to an earlier role of this number do not count for the role that has it now.
CREATE FUNCTION @extschema@.dqds_forget_role(role regrole)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE @extschema@.dqds_connection c SET owner = 0::regrole WHERE c.owner = dqds_forget_role.role;
	DELETE FROM @extschema@.dqds_connection_grant g WHERE g.grantee = dqds_forget_role.role;
	DELETE FROM @extschema@.dqds_credential_grant g WHERE g.grantee = dqds_forget_role.role;
	DELETE FROM @extschema@.dqds_token t WHERE t.role = dqds_forget_role.role;
	UPDATE @extschema@.dqds_token t SET created_by = 0::regrole WHERE t.created_by = dqds_forget_role.role;
END;
COMMENT ON FUNCTION @extschema@.dqds_forget_role(regrole) IS 'internal: take from a role what belonged to an earlier role of the same number';

CREATE FUNCTION @extschema@.dqds_store_connection(name text, owner regrole, model jsonb, secrets jsonb, environment_members text[])
RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH stored AS (
		INSERT INTO @extschema@.dqds_connection (name, owner, model, environment_members)
		VALUES (dqds_store_connection.name, dqds_store_connection.owner, dqds_store_connection.model,
			dqds_store_connection.environment_members)
		ON CONFLICT (name_hash) WHERE name_hash IS NOT NULL DO NOTHING
		RETURNING id
	), stored_secret AS (
		INSERT INTO @extschema@.dqds_connection_secret (connection_id, secrets)
		SELECT stored.id, dqds_store_connection.secrets FROM stored WHERE dqds_store_connection.secrets IS NOT NULL
	)
	SELECT stored.id FROM stored;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_connection(text, regrole, jsonb, jsonb, text[]) IS 'internal: add a connection; NULL when the name is taken';

CREATE FUNCTION @extschema@.dqds_lock_connection(id bigint)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT true FROM @extschema@.dqds_connection c WHERE c.id = dqds_lock_connection.id FOR NO KEY UPDATE;
END;
COMMENT ON FUNCTION @extschema@.dqds_lock_connection(bigint) IS 'internal: lock a connection for a change; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_keep_connection(id bigint)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT true FROM @extschema@.dqds_connection c WHERE c.id = dqds_keep_connection.id FOR KEY SHARE;
END;
COMMENT ON FUNCTION @extschema@.dqds_keep_connection(bigint) IS 'internal: keep a connection from being dropped until the end of the transaction; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_replace_connection(id bigint, model jsonb, secrets jsonb, environment_members text[])
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM @extschema@.dqds_connection_secret s
	WHERE s.connection_id = dqds_replace_connection.id AND dqds_replace_connection.secrets IS NULL;
	WITH replaced AS (
		UPDATE @extschema@.dqds_connection c
		SET model = dqds_replace_connection.model,
			environment_members = dqds_replace_connection.environment_members, updated_at = now()
		WHERE c.id = dqds_replace_connection.id
		RETURNING c.id
	), replaced_secret AS (
		INSERT INTO @extschema@.dqds_connection_secret AS s (connection_id, secrets)
		SELECT r.id, dqds_replace_connection.secrets FROM replaced r WHERE dqds_replace_connection.secrets IS NOT NULL
		ON CONFLICT (connection_id) DO UPDATE SET secrets = excluded.secrets
	)
	SELECT true FROM replaced;
END;
COMMENT ON FUNCTION @extschema@.dqds_replace_connection(bigint, jsonb, jsonb, text[]) IS 'internal: replace the model of a connection and its secrets; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_store_connection_name(id bigint, new_name text)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE @extschema@.dqds_connection c SET name = new_name, updated_at = now()
	WHERE c.id = dqds_store_connection_name.id
	RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_connection_name(bigint, text) IS 'internal: rename a connection; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_store_connection_owner(id bigint, new_owner regrole)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE @extschema@.dqds_connection c SET owner = new_owner, updated_at = now()
	WHERE c.id = dqds_store_connection_owner.id
	RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_connection_owner(bigint, regrole) IS 'internal: change the owner of a connection; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_remove_connection(id bigint)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	-- In a statement of its own, so that the next one sees what transactions wrote that kept the connection.
	SELECT true FROM @extschema@.dqds_connection c WHERE c.id = dqds_remove_connection.id FOR UPDATE;
	WITH removed_table AS (
		DELETE FROM @extschema@.dqds_imported_table t WHERE t.connection_id = dqds_remove_connection.id RETURNING t.id
	), removed_column AS (
		DELETE FROM @extschema@.dqds_imported_column ic
		WHERE ic.table_id = ANY (ARRAY(SELECT r.id FROM removed_table r))
	), removed_grant AS (
		DELETE FROM @extschema@.dqds_connection_grant g WHERE g.connection_id = dqds_remove_connection.id
	), removed_secret AS (
		DELETE FROM @extschema@.dqds_connection_secret s WHERE s.connection_id = dqds_remove_connection.id
	)
	DELETE FROM @extschema@.dqds_connection c WHERE c.id = dqds_remove_connection.id RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_connection(bigint) IS 'internal: forget a connection with its secrets, grants and imports; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_store_connection_grant(id bigint, grantee regrole)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH kept AS (
		SELECT c.id FROM @extschema@.dqds_connection c WHERE c.id = dqds_store_connection_grant.id FOR KEY SHARE
	)
	INSERT INTO @extschema@.dqds_connection_grant (connection_id, grantee)
	SELECT kept.id, dqds_store_connection_grant.grantee FROM kept
	ON CONFLICT DO NOTHING;
	SELECT true FROM @extschema@.dqds_connection c WHERE c.id = dqds_store_connection_grant.id;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_connection_grant(bigint, regrole) IS 'internal: let a role use a connection; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_remove_connection_grant(id bigint, grantee regrole)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM @extschema@.dqds_connection_grant g
	WHERE g.connection_id = dqds_remove_connection_grant.id AND g.grantee = dqds_remove_connection_grant.grantee
	RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_connection_grant(bigint, regrole) IS 'internal: take the use of a connection from a role; NULL when it had none';

CREATE FUNCTION @extschema@.dqds_store_credential_grant(id bigint, grantee regrole)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH kept AS (
		SELECT c.id FROM @extschema@.dqds_credential c WHERE c.id = dqds_store_credential_grant.id FOR KEY SHARE
	)
	INSERT INTO @extschema@.dqds_credential_grant (credential_id, grantee)
	SELECT kept.id, dqds_store_credential_grant.grantee FROM kept
	ON CONFLICT DO NOTHING;
	SELECT true FROM @extschema@.dqds_credential c WHERE c.id = dqds_store_credential_grant.id;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_credential_grant(bigint, regrole) IS 'internal: let a role use a credential; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_remove_credential_grant(id bigint, grantee regrole)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM @extschema@.dqds_credential_grant g
	WHERE g.credential_id = dqds_remove_credential_grant.id AND g.grantee = dqds_remove_credential_grant.grantee
	RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_credential_grant(bigint, regrole) IS 'internal: take the use of a credential from a role; NULL when it had none';

CREATE FUNCTION @extschema@.dqds_store_credential(name text, secret text, allowed_hosts text)
RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO @extschema@.dqds_credential (name, secret, allowed_hosts)
	VALUES (dqds_store_credential.name, dqds_store_credential.secret, dqds_store_credential.allowed_hosts)
	ON CONFLICT (name) DO NOTHING
	RETURNING id;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_credential(text, text, text) IS 'internal: add a credential; NULL when the name is taken';

CREATE FUNCTION @extschema@.dqds_store_credential_secret(id bigint, secret text, allowed_hosts text)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE @extschema@.dqds_credential c
	SET secret = dqds_store_credential_secret.secret,
		allowed_hosts = coalesce(dqds_store_credential_secret.allowed_hosts, c.allowed_hosts),
		updated_at = now()
	WHERE c.id = dqds_store_credential_secret.id
	RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_credential_secret(bigint, text, text) IS 'internal: replace the secret of a credential; NULL when it was dropped';

CREATE FUNCTION @extschema@.dqds_remove_credential(id bigint)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	-- As with a connection.
	SELECT true FROM @extschema@.dqds_credential c WHERE c.id = dqds_remove_credential.id FOR UPDATE;
	WITH removed_grant AS (
		DELETE FROM @extschema@.dqds_credential_grant g WHERE g.credential_id = dqds_remove_credential.id
	)
	DELETE FROM @extschema@.dqds_credential c WHERE c.id = dqds_remove_credential.id RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_credential(bigint) IS 'internal: forget a credential with its grants; NULL when it was dropped';

CREATE OR REPLACE FUNCTION @extschema@.dqds_store_token(role regrole, token_hash bytea, created_by regrole, expires_at timestamptz, description text)
RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO @extschema@.dqds_token (role, token_hash, created_by, expires_at, description)
	VALUES (dqds_store_token.role, dqds_store_token.token_hash, dqds_store_token.created_by,
		dqds_store_token.expires_at, dqds_store_token.description)
	RETURNING id;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_token(regrole, bytea, regrole, timestamptz, text) IS 'internal: add a token';

CREATE FUNCTION @extschema@.dqds_remove_token(id bigint)
RETURNS boolean
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM @extschema@.dqds_token t WHERE t.id = dqds_remove_token.id RETURNING true;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_token(bigint) IS 'internal: forget a token; NULL when there is none of that number';

-- Store tables with their columns, given as one array for each column of the remote's answer; no table occurs twice, nor does a
-- column.  What is stored already and has not changed is not touched.  Each table's status is returned, in the order given.
-- No join of a table is left to the planner: its statistics may be of the middle of an import, when nothing was committed, and
-- then say that nothing is there; joins would compare all with all. OFFSET 0 keeps a subquery what it is, one search for a row.
CREATE FUNCTION @extschema@.dqds_store_import(connection_id bigint, schema_name text,
	table_names text[], kinds text[], estimates bigint[], comments text[],
	column_tables text[], ordinals integer[], column_names text[], types text[], lengths integer[],
	precisions integer[], scales integer[], nullables boolean[], primary_keys boolean[], column_comments text[])
RETURNS text[]
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH incoming AS (
		SELECT * FROM unnest(table_names, kinds, estimates, comments) WITH ORDINALITY
			AS u (name, kind, estimate, comment, place)
	), added AS (
		INSERT INTO @extschema@.dqds_imported_table (connection_id, schema_name, table_name, table_kind, estimated_rows, comment)
		SELECT dqds_store_import.connection_id, dqds_store_import.schema_name, i.name, i.kind, i.estimate, i.comment
		FROM incoming i
		ON CONFLICT ON CONSTRAINT dqds_imported_table_name_key DO NOTHING
		RETURNING id, table_name
	), known AS (
		SELECT i.*, a.id AS added_id, coalesce(a.id, (
				SELECT t.id FROM @extschema@.dqds_imported_table t
				WHERE t.connection_id = dqds_store_import.connection_id
					AND t.schema_name = dqds_store_import.schema_name AND t.table_name = i.name)) AS id
		FROM incoming i LEFT JOIN added a ON a.table_name = i.name
	), incoming_column AS (
		SELECT k.id AS table_id, u.*
		FROM unnest(column_tables, ordinals, column_names, types, lengths, precisions, scales, nullables,
				primary_keys, column_comments)
				AS u (of_table, ordinal, name, type, length, "precision", scale, nullable, primary_key, comment)
			JOIN known k ON k.name = u.of_table
	), has_column AS (
		SELECT k.id AS table_id, c.ordinal_position
		FROM known k CROSS JOIN LATERAL (
			SELECT ic.ordinal_position FROM @extschema@.dqds_imported_column ic WHERE ic.table_id = k.id OFFSET 0) AS c
	), gone_column AS (
		-- EXCEPT takes linear time whatever is estimated.
		SELECT h.table_id, h.ordinal_position FROM has_column h
		EXCEPT
		SELECT n.table_id, n.ordinal FROM incoming_column n
	), removed_column AS (
		DELETE FROM @extschema@.dqds_imported_column ic
		WHERE ic.ctid = ANY (ARRAY(
			SELECT c.ctid
			FROM gone_column g CROSS JOIN LATERAL (
				SELECT gc.ctid FROM @extschema@.dqds_imported_column gc
				WHERE gc.table_id = g.table_id AND gc.ordinal_position = g.ordinal_position OFFSET 0) AS c))
		RETURNING ic.table_id
	), stored_column AS (
		INSERT INTO @extschema@.dqds_imported_column AS ic (table_id, ordinal_position, column_name, column_type, length,
			"precision", scale, nullable, primary_key, comment)
		SELECT n.table_id, n.ordinal, n.name, n.type, n.length, n."precision", n.scale, n.nullable, n.primary_key, n.comment
		FROM incoming_column n
		ON CONFLICT (table_id, ordinal_position) DO UPDATE
		SET column_name = excluded.column_name, column_type = excluded.column_type, length = excluded.length,
			"precision" = excluded."precision", scale = excluded.scale, nullable = excluded.nullable,
			primary_key = excluded.primary_key, comment = excluded.comment
		WHERE (ic.column_name, ic.column_type, ic.length, ic."precision", ic.scale, ic.nullable, ic.primary_key,
				ic.comment) IS DISTINCT FROM
			(excluded.column_name, excluded.column_type, excluded.length, excluded."precision", excluded.scale,
				excluded.nullable, excluded.primary_key, excluded.comment)
		RETURNING ic.table_id
	), compared AS (
		SELECT k.place, k.id, k.name, k.kind, k.estimate, k.comment, t.updated_at,
			t.id IS NOT NULL AND ((t.table_kind, t.comment) IS DISTINCT FROM (k.kind, k.comment)
				OR k.id IN (SELECT r.table_id FROM removed_column r)
				OR k.id IN (SELECT s.table_id FROM stored_column s)) AS differs,
			t.id IS NOT NULL AND t.estimated_rows IS DISTINCT FROM k.estimate AS counts_differ
		FROM known k LEFT JOIN LATERAL (
			SELECT it.* FROM @extschema@.dqds_imported_table it WHERE it.id = k.id OFFSET 0) AS t ON true
		WHERE k.added_id IS NULL
	), updated AS (
		-- The estimate of the rows is brought up to date, but is no change of the table. Each row is there: it is found by its
		-- index, where an UPDATE would be a join.
		INSERT INTO @extschema@.dqds_imported_table (id, connection_id, schema_name, table_name, table_kind, estimated_rows,
			comment, updated_at)
		OVERRIDING SYSTEM VALUE
		SELECT d.id, dqds_store_import.connection_id, dqds_store_import.schema_name, d.name, d.kind, d.estimate, d.comment,
			CASE WHEN d.differs THEN now() ELSE d.updated_at END
		FROM compared d
		WHERE d.differs OR d.counts_differ
		ON CONFLICT (id) DO UPDATE
		SET table_kind = excluded.table_kind, estimated_rows = excluded.estimated_rows, comment = excluded.comment,
			updated_at = excluded.updated_at
	)
	SELECT array_agg(s.status ORDER BY s.place)
	FROM (
		SELECT k.place, 'imported' AS status FROM known k WHERE k.added_id IS NOT NULL
		UNION ALL
		SELECT d.place, CASE WHEN d.differs THEN 'updated' ELSE 'unchanged' END FROM compared d
	) AS s;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_import(bigint, text, text[], text[], bigint[], text[], text[], integer[], text[],
	text[], integer[], integer[], integer[], boolean[], boolean[], text[]) IS 'internal: store imported tables with their columns';

CREATE OR REPLACE FUNCTION @extschema@.dqds_remove_imports(connection_id bigint, schema_name text, table_names text[])
RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH removed AS (
		DELETE FROM @extschema@.dqds_imported_table t
		WHERE t.connection_id = dqds_remove_imports.connection_id
			AND t.schema_name = dqds_remove_imports.schema_name
			AND (table_names IS NULL OR t.table_name = ANY (table_names))
		RETURNING t.id
	), removed_column AS (
		DELETE FROM @extschema@.dqds_imported_column ic
		WHERE ic.table_id = ANY (ARRAY(SELECT r.id FROM removed r))
	)
	SELECT count(*) FROM removed;
END;
COMMENT ON FUNCTION @extschema@.dqds_remove_imports(bigint, text, text[]) IS 'internal: forget imported tables';

-- Each new job removes a few old ones; those that another transaction is removing are left to it.  Where a row
-- that was removed after the snapshot is an error, they are left to the next job: one that is done must not fail for this.
CREATE FUNCTION @extschema@.dqds_store_job(role oid, role_name text, job_type text, business_key text, created_at timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM @extschema@.dqds_job j
	WHERE j.id IN (
			SELECT old.id FROM @extschema@.dqds_job old
			WHERE old.created_at < now() - interval '1 day'
				AND old.id IN (SELECT oldest.id FROM @extschema@.dqds_job oldest ORDER BY oldest.id LIMIT 20)
			FOR UPDATE SKIP LOCKED)
		AND current_setting('transaction_isolation') = 'read committed';
	DELETE FROM @extschema@.dqds_job j
	WHERE j.id IN (
		SELECT surplus.id FROM @extschema@.dqds_job surplus
		WHERE surplus.role = dqds_store_job.role AND surplus.id <= (
			SELECT latest.id FROM @extschema@.dqds_job latest WHERE latest.role = dqds_store_job.role
			ORDER BY latest.id DESC LIMIT 1 OFFSET 999)
		ORDER BY surplus.id LIMIT 20 FOR UPDATE SKIP LOCKED)
		AND current_setting('transaction_isolation') = 'read committed';
	INSERT INTO @extschema@.dqds_job (role, role_name, job_type, business_key, created_at)
	VALUES (dqds_store_job.role, dqds_store_job.role_name, dqds_store_job.job_type, dqds_store_job.business_key,
		dqds_store_job.created_at)
	RETURNING id;
END;
COMMENT ON FUNCTION @extschema@.dqds_store_job(oid, text, text, text, timestamptz) IS 'internal: remember a job that has been done, and forget old ones';

-- An id counts before a business key that reads the same; of several jobs with one key the latest counts.
CREATE FUNCTION @extschema@.dqds_find_job(id bigint, business_key text, role oid, role_name text)
RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'jobId', jsonb_strip_nulls(jsonb_build_object('jobId', j.id, 'jobBusinessKey', j.business_key,
			'createdAt', floor(extract(epoch FROM j.created_at) * 1000)::bigint)),
		'jobType', j.job_type,
		'status', 'finished',
		'statusChangedAt', floor(extract(epoch FROM j.finished_at) * 1000)::bigint)
	FROM @extschema@.dqds_job j
	WHERE (j.id = dqds_find_job.id OR j.business_key = dqds_find_job.business_key) AND j.created_at >= now() - interval '1 day'
		AND (dqds_find_job.role IS NULL OR j.role = dqds_find_job.role AND j.role_name = dqds_find_job.role_name)
	ORDER BY (j.id = dqds_find_job.id) IS TRUE DESC, j.id DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION @extschema@.dqds_find_job(bigint, text, oid, text) IS 'internal: a job of a role, or with NULL of any; NULL when there is none';

-- ---- owners and privileges -----------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_upgrade_privileges(function oid, privileges aclitem[])
RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dqds_upgrade_privileges_1_1';

-- The functions run as their owner, which is that of the tables, whichever role runs this script.
DO $$
DECLARE
	owner regrole := (SELECT relowner FROM pg_class WHERE oid = '@extschema@.dqds_connection'::regclass);
	what text;
BEGIN
	FOR what IN
		WITH member AS (
			SELECT d.classid, d.objid FROM pg_depend d
				JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE e.extname = 'dqds' AND d.deptype = 'e'
		)
		SELECT format('FUNCTION %s', p.oid::regprocedure)
		FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid WHERE p.proowner <> owner
		UNION ALL
		SELECT format('TABLE %s', c.oid::regclass)
		FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
		WHERE c.relowner <> owner AND c.relkind = 'r'
		UNION ALL
		SELECT format('TYPE %s', t.oid::regtype)
		FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
		WHERE t.typowner <> owner AND t.typtype = 'b' AND t.typcategory <> 'A'
	LOOP
		EXECUTE format('ALTER %s OWNER TO %s', what, owner);
	END LOOP;
END
$$;

-- What is new is closed as by the install script; then it is opened to whom the same was open before.  A privilege that is
-- granted in a script becomes part of the extension, which dumps leave out: hence dqds_upgrade_privileges.
DO $$
DECLARE
	owner oid := (SELECT relowner FROM pg_class WHERE oid = '@extschema@.dqds_connection'::regclass);
	open_to_all text[] := ARRAY['dqds_connection_model', 'dqds_missing_level', 'dqds_shown_model', 'dqds_compact_json',
		'dqds_live_role', 'dqds_role_in', 'dqds_role_out'];
	members oid[];
	-- What 1.0 had closed when it was created has a row in pg_init_privs.
	made oid[];
	holders jsonb;
	what text;
	function record;
BEGIN
	SELECT array_agg(d.objid) INTO members
	FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'dqds' AND d.deptype = 'e' AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass);
	SELECT array_agg(p.oid) INTO made FROM pg_proc p
	WHERE p.oid = ANY (members) AND p.proname <> ALL (open_to_all || '{dqds_close_idle,dqds_token_role,dqds_upgrade_privileges}')
		AND p.proname NOT LIKE '%\_1\_0'
		AND NOT EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid);

	FOR what IN
		WITH object AS (
			SELECT format('FUNCTION %s', p.oid::regprocedure) AS name, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
			FROM pg_proc p WHERE p.oid = ANY (made)
			UNION ALL
			SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relacl
			FROM pg_class c WHERE c.oid = ANY (members) AND c.relname IN ('dqds_job', 'dqds_job_id_seq')
		)
		SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', o.name,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM object o, aclexplode(o.acl) a
		WHERE a.grantee <> owner
	LOOP
		EXECUTE what;
	END LOOP;

	-- A role had a level if it had a privilege on everything that the level opened.
	WITH object AS (
		SELECT o.level, p.oid, p.proacl AS acl
		FROM @extschema@.dqds_level_objects() o JOIN pg_proc p ON o.kind = 'function' AND o.name = replace(p.proname, '_1_0', '')
		WHERE p.oid = ANY (members) AND p.oid <> ALL (made)
		UNION ALL
		SELECT o.level, c.oid, c.relacl
		FROM @extschema@.dqds_level_objects() o JOIN pg_class c ON o.kind = 'view' AND o.name = c.relname
		WHERE c.oid = ANY (members)
	), holder AS (
		SELECT o.level, a.grantee FROM object o, aclexplode(o.acl) a
		WHERE a.grantee <> owner AND a.privilege_type IN ('EXECUTE', 'SELECT')
		GROUP BY o.level, a.grantee
		HAVING count(DISTINCT o.oid) = (SELECT count(*) FROM object p WHERE p.level = o.level)
	)
	SELECT jsonb_object_agg(h.level, h.roles) INTO holders
	FROM (SELECT level, jsonb_agg(grantee) AS roles FROM holder GROUP BY level) AS h;

	FOR function IN
		SELECT n.oid, coalesce(
			-- that of 1.0 of the same name, rather with the same first argument
			(SELECT o.proacl FROM pg_proc o
				WHERE o.oid = ANY (members) AND o.oid <> ALL (made) AND replace(o.proname, '_1_0', '') = n.proname
				ORDER BY o.proargtypes[0] = n.proargtypes[0] DESC LIMIT 1),
			n.proacl || ARRAY(
				SELECT makeaclitem(r.role::oid, owner, 'EXECUTE', false)
				FROM @extschema@.dqds_level_objects() l, jsonb_array_elements_text(holders -> l.level) AS r (role)
				WHERE l.kind = 'function' AND l.name = n.proname)) AS acl
		FROM pg_proc n WHERE n.oid = ANY (made) AND n.proname <> 'dqds_enrolled'
	LOOP
		PERFORM @extschema@.dqds_upgrade_privileges(function.oid, function.acl);
	END LOOP;

	-- Each role that the registry names or that has a level is one that it knows, if it is still there.
	PERFORM @extschema@.dqds_upgrade_privileges(p.oid, p.proacl || ARRAY(
		SELECT makeaclitem(r.oid, owner, 'EXECUTE', false) FROM pg_roles r
		WHERE r.oid <> owner AND r.oid IN (
			SELECT c.owner::oid FROM @extschema@.dqds_connection c
			UNION SELECT g.grantee::oid FROM @extschema@.dqds_connection_grant g
			UNION SELECT g.grantee::oid FROM @extschema@.dqds_credential_grant g
			UNION SELECT t.role::oid FROM @extschema@.dqds_token t
			UNION SELECT t.created_by::oid FROM @extschema@.dqds_token t
			UNION SELECT h.role::oid FROM jsonb_each(holders) AS l (level, roles), jsonb_array_elements_text(l.roles) AS h (role))
		ORDER BY r.oid))
	FROM pg_proc p WHERE p.oid = 'pg_catalog.dqds_enrolled()'::regprocedure;

	-- What has no successor takes its privileges with it.
	FOR function IN
		SELECT replace(o.oid::regprocedure::text, '_1_0', '') AS name, string_agg(a.grantee::regrole::text, ', ' ORDER BY a.grantee) AS roles
		FROM pg_proc o, aclexplode(o.proacl) a
		WHERE o.oid = ANY (members) AND o.proname LIKE '%\_1\_0' AND a.grantee NOT IN (owner, 0)
			AND NOT EXISTS (SELECT FROM aclexplode(o.proacl) everyone WHERE everyone.grantee = 0)
			-- of the level editor, for the bridge
			AND o.proname <> 'dqds_import_named_tables_1_0'
			AND NOT EXISTS (SELECT FROM pg_proc n WHERE n.oid = ANY (made) AND n.proname = replace(o.proname, '_1_0', ''))
		GROUP BY o.oid
	LOOP
		RAISE WARNING 'function % is no more; these roles had a privilege on it: %', function.name, function.roles;
	END LOOP;
	FOR what IN
		SELECT format('DROP FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
		WHERE p.oid = ANY (members) AND p.proname LIKE '%\_1\_0'
	LOOP
		EXECUTE what;
	END LOOP;
END
$$;

DROP FUNCTION @extschema@.dqds_upgrade_privileges(oid, aclitem[]);

-- ---- what an admin should know ----------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_upgrade_check(id bigint, name text, model jsonb, secrets jsonb)
RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dqds_upgrade_check_1_1';

DO $$
BEGIN
	PERFORM @extschema@.dqds_upgrade_check(c.id, c.name, c.model, s.secrets)
	FROM @extschema@.dqds_connection c LEFT JOIN @extschema@.dqds_connection_secret s ON s.connection_id = c.id
	ORDER BY c.id;
END
$$;

DROP FUNCTION @extschema@.dqds_upgrade_check(bigint, text, jsonb, jsonb);
