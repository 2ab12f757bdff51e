-- dqds--1.1.sql
--		The install script: the registry's tables and views, the functions, and who may do what.
--
-- The columns of dqds_connection, dqds_connection_secret, dqds_connection_grant and
-- dqds_imported_table are read by number in src/registry.c.  Functions that the bridge calls
-- end in _json; functions that only the extension's own C code calls come last, and nobody but
-- the owner may execute them.

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION dqds" to load this file. \quit

-- Nothing but pg_catalog is searched, here and in every function: what others may have put into the
-- extension's schema can then never be taken for something of PostgreSQL's.
SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- the registry -----------------------------------------------------------------------------

CREATE TABLE @extschema@.dqds_connection (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE "C" NOT NULL CHECK (name <> ''),
	-- A name has any length, which an index does not take.
	name_hash bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(name, 0)) STORED
		CONSTRAINT dqds_connection_name_hash_key UNIQUE,
	owner regrole NOT NULL,
	model jsonb NOT NULL,
	-- Paths of the members whose references to the server's environment an admin wrote: only there do they count.
	environment_members text[] NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE @extschema@.dqds_connection_secret (
	connection_id bigint PRIMARY KEY REFERENCES @extschema@.dqds_connection ON DELETE CASCADE,
	secrets jsonb NOT NULL
);

CREATE TABLE @extschema@.dqds_connection_grant (
	connection_id bigint NOT NULL REFERENCES @extschema@.dqds_connection ON DELETE CASCADE,
	grantee regrole NOT NULL,
	PRIMARY KEY (connection_id, grantee)
);

CREATE TABLE @extschema@.dqds_credential (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE "C" NOT NULL CHECK (name <> '' AND octet_length(name) <= 1000)
		CONSTRAINT dqds_credential_name_key UNIQUE,
	secret text NOT NULL,
	allowed_hosts text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE @extschema@.dqds_credential_grant (
	credential_id bigint NOT NULL REFERENCES @extschema@.dqds_credential ON DELETE CASCADE,
	grantee regrole NOT NULL,
	PRIMARY KEY (credential_id, grantee)
);

CREATE TABLE @extschema@.dqds_imported_table (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	connection_id bigint NOT NULL REFERENCES @extschema@.dqds_connection ON DELETE CASCADE,
	schema_name text COLLATE "C" NOT NULL,
	table_name text COLLATE "C" NOT NULL,
	table_kind text,
	estimated_rows bigint,
	comment text,
	imported_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT dqds_imported_table_name_key UNIQUE (connection_id, schema_name, table_name)
);

CREATE TABLE @extschema@.dqds_imported_column (
	table_id bigint NOT NULL REFERENCES @extschema@.dqds_imported_table ON DELETE CASCADE,
	ordinal_position integer NOT NULL,
	column_name text COLLATE "C" NOT NULL,
	column_type text,
	length integer,
	"precision" integer,
	scale integer,
	nullable boolean,
	primary_key boolean,
	comment text,
	PRIMARY KEY (table_id, ordinal_position)
);

CREATE TABLE @extschema@.dqds_token (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	role regrole NOT NULL,
	token_hash bytea NOT NULL CONSTRAINT dqds_token_hash_key UNIQUE,
	created_by regrole NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	description text
);

COMMENT ON TABLE @extschema@.dqds_token IS 'tokens of the HTTP bridge, by their SHA-256';
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
COMMENT ON SEQUENCE @extschema@.dqds_imported_table_id_seq IS 'ids of imported tables';

SELECT pg_extension_config_dump('@extschema@.dqds_connection', '');
SELECT pg_extension_config_dump('@extschema@.dqds_connection_secret', '');
-- A role that was dropped is a mere number here, which may be another role's where a dump is restored.
SELECT pg_extension_config_dump('@extschema@.dqds_connection_grant', 'WHERE grantee IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_extension_config_dump('@extschema@.dqds_imported_table', '');
SELECT pg_extension_config_dump('@extschema@.dqds_imported_column', '');
SELECT pg_extension_config_dump('@extschema@.dqds_credential', '');
SELECT pg_extension_config_dump('@extschema@.dqds_credential_grant', 'WHERE grantee IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_credential', 'id'), '');
SELECT pg_extension_config_dump('@extschema@.dqds_token', 'WHERE role IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_token', 'id'), '');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_connection', 'id'), '');
SELECT pg_extension_config_dump(pg_get_serial_sequence('@extschema@.dqds_imported_table', 'id'), '');

-- ---- testing and listing ------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_test_connection(connection text, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(text, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connection(connection json, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(json, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean DEFAULT true)
RETURNS TABLE (
	connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection';
COMMENT ON FUNCTION @extschema@.dqds_test_connection(jsonb, boolean) IS 'log in to a remote data source and report the outcome';

CREATE FUNCTION @extschema@.dqds_test_connections(connections text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, connection_test_result text, error_message text, error_code text, sqlstate text, hint text,
	server_version text, tls text, elapsed_ms double precision
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connections';
COMMENT ON FUNCTION @extschema@.dqds_test_connections(text[]) IS 'test the named connections, or all that the caller may use, at once';

CREATE FUNCTION @extschema@.dqds_diagnose_connection(connection text)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(text) IS 'tell step by step how far a connection to a remote data source gets';

CREATE FUNCTION @extschema@.dqds_diagnose_connection(connection json)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(json) IS 'tell step by step how far a connection to a remote data source gets';

CREATE FUNCTION @extschema@.dqds_diagnose_connection(connection jsonb)
RETURNS TABLE (
	step text, status text, elapsed_ms double precision, message text, hint text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_diagnose_connection';
COMMENT ON FUNCTION @extschema@.dqds_diagnose_connection(jsonb) IS 'tell step by step how far a connection to a remote data source gets';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection text, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(text, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection json, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(json, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_schemas(connection jsonb, include_system boolean DEFAULT false)
RETURNS TABLE (
	connection_name text, schema_name text, already_imported boolean, import_table_job_parameters jsonb
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas(jsonb, boolean) IS 'list the schemas of a remote data source that its user may use';

CREATE FUNCTION @extschema@.dqds_list_tables(connection text, schema_name text, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(text, text, text, integer) IS 'list the tables and views of a remote schema that its user has some privilege on';

CREATE FUNCTION @extschema@.dqds_list_tables(connection json, schema_name text, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(json, text, text, integer) IS 'list the tables and views of a remote schema that its user has some privilege on';

CREATE FUNCTION @extschema@.dqds_list_tables(connection jsonb, schema_name text, table_name_contains text DEFAULT NULL,
	max_rows integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, already_imported boolean, table_kind text,
	estimated_rows bigint, comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables';
COMMENT ON FUNCTION @extschema@.dqds_list_tables(jsonb, text, text, integer) IS 'list the tables and views of a remote schema that its user has some privilege on';

CREATE FUNCTION @extschema@.dqds_list_columns(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(text, text, text[]) IS 'list the columns of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_columns(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(json, text, text[]) IS 'list the columns of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_list_columns(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, ordinal_position integer, column_name text,
	column_type text, length integer, "precision" integer, scale integer, nullable boolean, primary_key boolean,
	comment text
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_columns';
COMMENT ON FUNCTION @extschema@.dqds_list_columns(jsonb, text, text[]) IS 'list the columns of the tables of a remote schema';

CREATE FUNCTION @extschema@.dqds_close_idle()
RETURNS integer
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_close_idle';
COMMENT ON FUNCTION @extschema@.dqds_close_idle() IS 'close this backend''s idle remote sessions and tell how many there were';

-- ---- editing the registry -----------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_create_connection(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_create_connection';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, text) IS 'register a connection under a name; the caller becomes its owner';

CREATE FUNCTION @extschema@.dqds_create_connection(name text, model json)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_create_connection';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, json) IS 'register a connection under a name; the caller becomes its owner';

CREATE FUNCTION @extschema@.dqds_create_connection(name text, model jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_create_connection';
COMMENT ON FUNCTION @extschema@.dqds_create_connection(text, jsonb) IS 'register a connection under a name; the caller becomes its owner';

CREATE FUNCTION @extschema@.dqds_update_connection(name text, model text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_update_connection';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, text) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE FUNCTION @extschema@.dqds_update_connection(name text, model json)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_update_connection';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, json) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE FUNCTION @extschema@.dqds_update_connection(name text, model jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_update_connection';
COMMENT ON FUNCTION @extschema@.dqds_update_connection(text, jsonb) IS 'replace the model of a connection; the mask ******** keeps a stored secret';

CREATE FUNCTION @extschema@.dqds_drop_connection(name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_drop_connection';
COMMENT ON FUNCTION @extschema@.dqds_drop_connection(text) IS 'forget a connection with its grants and imports';

CREATE FUNCTION @extschema@.dqds_rename_connection(name text, new_name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_rename_connection';
COMMENT ON FUNCTION @extschema@.dqds_rename_connection(text, text) IS 'give a connection another name; grants and imports stay';

CREATE FUNCTION @extschema@.dqds_import_tables(connection text, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_import_tables';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(text, text, text, text[], integer) IS 'import tables of a remote schema with their columns; again, to bring them up to date';

CREATE FUNCTION @extschema@.dqds_import_tables(connection json, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_import_tables';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(json, text, text, text[], integer) IS 'import tables of a remote schema with their columns; again, to bring them up to date';

CREATE FUNCTION @extschema@.dqds_import_tables(connection jsonb, schema_name text, table_name_contains text DEFAULT NULL,
	table_names text[] DEFAULT NULL, tables_import_limit integer DEFAULT NULL)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_import_tables';
COMMENT ON FUNCTION @extschema@.dqds_import_tables(jsonb, text, text, text[], integer) IS 'import tables of a remote schema with their columns; again, to bring them up to date';

CREATE FUNCTION @extschema@.dqds_unimport_tables(connection text, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_unimport_tables';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(text, text, text[]) IS 'forget imported tables of a schema, all without table_names, and tell how many';

CREATE FUNCTION @extschema@.dqds_unimport_tables(connection json, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_unimport_tables';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(json, text, text[]) IS 'forget imported tables of a schema, all without table_names, and tell how many';

CREATE FUNCTION @extschema@.dqds_unimport_tables(connection jsonb, schema_name text, table_names text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_unimport_tables';
COMMENT ON FUNCTION @extschema@.dqds_unimport_tables(jsonb, text, text[]) IS 'forget imported tables of a schema, all without table_names, and tell how many';

-- ---- for the bridge: JSON in pieces ---------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_test_connection_json';
COMMENT ON FUNCTION @extschema@.dqds_test_connection_json(text, boolean, boolean) IS 'dqds_test_connection for the bridge';

CREATE FUNCTION @extschema@.dqds_list_schemas_json(connection_name text, include_system boolean)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_schemas_json';
COMMENT ON FUNCTION @extschema@.dqds_list_schemas_json(text, boolean) IS 'dqds_list_schemas for the bridge';

CREATE FUNCTION @extschema@.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text,
	max_rows integer, details boolean)
RETURNS SETOF text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_list_tables_json';
COMMENT ON FUNCTION @extschema@.dqds_list_tables_json(text, text, text, integer, boolean) IS 'dqds_list_tables for the bridge';
CREATE FUNCTION @extschema@.dqds_import_named_tables(connection_name text, schema_name text, table_name_contains text,
	table_names text[], tables_import_limit integer)
RETURNS TABLE (
	connection_name text, schema_name text, table_name text, status text, column_count integer
)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_import_named_tables';
COMMENT ON FUNCTION @extschema@.dqds_import_named_tables(text, text, text, text[], integer) IS 'dqds_import_tables for the bridge: the connection is a name, whatever it looks like';

-- An answer like that of a job queue, for clients that expect the removal to be queued.
CREATE FUNCTION @extschema@.dqds_drop_connection_json(connection_name text)
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.dqds_drop_connection(connection_name);
	RETURN NEXT @extschema@.dqds_job_id_json(NULL);
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_drop_connection_json(text) IS 'dqds_drop_connection for the bridge';

CREATE FUNCTION @extschema@.dqds_connection_json(connection_name text)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF connection_name IS NULL THEN
		RAISE EXCEPTION 'connection_name must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	RETURN QUERY
	SELECT c.model::text FROM @extschema@.dqds_connections c
	WHERE c.connection_name = dqds_connection_json.connection_name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'connection "%" does not exist', connection_name
			USING ERRCODE = 'undefined_object',
				HINT = 'The view dqds_connections shows the connections that you may use.';
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_connection_json(text) IS 'the model of one connection for the bridge, secrets masked';

-- The member of a JSON object, checked to be of the type that is expected; NULL when absent.
CREATE FUNCTION @extschema@.dqds_json_member(object jsonb, key text, expected text)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	member jsonb := object -> key;
BEGIN
	IF jsonb_typeof(member) = 'null' THEN
		RETURN NULL;
	END IF;
	IF jsonb_typeof(member) <> expected THEN
		RAISE EXCEPTION '"%" must be of type %', key, expected USING ERRCODE = 'datatype_mismatch';
	END IF;
	RETURN member;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_json_member(jsonb, text, text) IS 'a member of a JSON object, checked to be of the expected type';

CREATE FUNCTION @extschema@.dqds_job_id_json(business_key text)
RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT json_strip_nulls(json_build_object(
		'jobId', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
		'jobBusinessKey', business_key,
		'createdAt', (extract(epoch FROM clock_timestamp()) * 1000)::bigint))::text
$$;
COMMENT ON FUNCTION @extschema@.dqds_job_id_json(text) IS 'the identity of a job that has been done already';

-- The parameters of an import, as they came in a request.
CREATE FUNCTION @extschema@.dqds_import_tables_json(parameters text, business_key text)
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	object jsonb;
	my_connection text;
	my_schema text;
	names text[];
	import_limit numeric;
	imported text[];
	spec text;
	separator text := '';
BEGIN
	BEGIN
		object := parameters::jsonb;
	EXCEPTION WHEN data_exception THEN
		-- In these words, because the parser's context would bring the text into the server's log.
		RAISE EXCEPTION 'the import parameters are not valid JSON' USING
			ERRCODE = CASE SQLSTATE WHEN '22P05' THEN SQLSTATE ELSE '22P02' END;
	END;
	IF jsonb_typeof(object) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'the import parameters must be a JSON object' USING ERRCODE = 'datatype_mismatch';
	END IF;
	my_connection := @extschema@.dqds_json_member(object, 'connectionName', 'string') #>> '{}';
	my_schema := @extschema@.dqds_json_member(object, 'schemaName', 'string') #>> '{}';
	import_limit := (@extschema@.dqds_json_member(object, 'tablesImportLimit', 'number') #>> '{}')::numeric;
	IF EXISTS (SELECT FROM jsonb_array_elements(@extschema@.dqds_json_member(object, 'tableNames', 'array')) AS e (name)
			WHERE jsonb_typeof(e.name) <> 'string') THEN
		RAISE EXCEPTION '"tableNames" must be an array of strings' USING ERRCODE = 'datatype_mismatch';
	END IF;
	names := ARRAY(SELECT jsonb_array_elements_text(@extschema@.dqds_json_member(object, 'tableNames', 'array')));

	IF my_connection IS NULL OR my_schema IS NULL THEN
		RAISE EXCEPTION '"%" is missing in the import parameters',
			CASE WHEN my_connection IS NULL THEN 'connectionName' ELSE 'schemaName' END
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF import_limit < 0 OR import_limit > 2147483647 OR import_limit <> trunc(import_limit) THEN
		RAISE EXCEPTION '"tablesImportLimit" must be a whole number that is not negative'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN NEXT '{"jobId":' || @extschema@.dqds_job_id_json(business_key)
		|| ',"status":"finished","result":{"source_table_specs":[';
	-- A statement of its own: only the next one sees what it has stored.
	SELECT coalesce(array_agg(i.table_name), '{}') INTO imported
	FROM @extschema@.dqds_import_named_tables(my_connection, my_schema,
		@extschema@.dqds_json_member(object, 'tableNameContains', 'string') #>> '{}',
		nullif(names, '{}'), import_limit::integer) AS i;
	FOR spec IN
		SELECT json_build_object('columns', coalesce(
				json_object_agg(c.column_name, json_build_object('type_snapshot', json_strip_nulls(
					json_build_object('column_type', c.column_type, 'nullable', c.nullable,
						'length', c.length, 'precision', c.precision, 'scale', c.scale)))
					ORDER BY c.ordinal_position) FILTER (WHERE c.column_name IS NOT NULL), '{}'))
		FROM unnest(imported) AS i (table_name)
			LEFT JOIN (SELECT * FROM @extschema@.dqds_imported_columns v
					WHERE v.connection_name = my_connection AND v.schema_name = my_schema) AS c
				ON c.table_name = i.table_name
		GROUP BY i.table_name
		ORDER BY i.table_name COLLATE "C"
	LOOP
		RETURN NEXT separator || spec;
		separator := ',';
	END LOOP;
	RETURN NEXT ']}}';
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_import_tables_json(text, text) IS 'dqds_import_tables for the bridge';

-- ---- levels -----------------------------------------------------------------------------------------

-- A level is nothing but PostgreSQL's own privileges on these objects: dumps carry them, and DROP OWNED
-- takes them from a role that is to be dropped.
CREATE FUNCTION @extschema@.dqds_level_objects()
RETURNS TABLE (rank integer, level text, kind text, name text)
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
	VALUES
		(1, 'viewer', 'view', 'dqds_connections'),
		(1, 'viewer', 'view', 'dqds_imported_tables'),
		(1, 'viewer', 'view', 'dqds_imported_columns'),
		(1, 'viewer', 'function', 'dqds_connection_json'),
		(2, 'operator', 'function', 'dqds_test_connection'),
		(2, 'operator', 'function', 'dqds_test_connections'),
		(2, 'operator', 'function', 'dqds_diagnose_connection'),
		(2, 'operator', 'function', 'dqds_list_schemas'),
		(2, 'operator', 'function', 'dqds_list_tables'),
		(2, 'operator', 'function', 'dqds_list_columns'),
		(2, 'operator', 'function', 'dqds_test_connection_json'),
		(2, 'operator', 'function', 'dqds_list_schemas_json'),
		(2, 'operator', 'function', 'dqds_list_tables_json'),
		(3, 'editor', 'function', 'dqds_create_connection'),
		(3, 'editor', 'function', 'dqds_update_connection'),
		(3, 'editor', 'function', 'dqds_drop_connection'),
		(3, 'editor', 'function', 'dqds_rename_connection'),
		(3, 'editor', 'function', 'dqds_import_tables'),
		(3, 'editor', 'function', 'dqds_unimport_tables'),
		(3, 'editor', 'function', 'dqds_drop_connection_json'),
		(3, 'editor', 'function', 'dqds_import_named_tables'),
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
		(4, 'admin', 'function', 'dqds_set_connection_owner')
$$;
COMMENT ON FUNCTION @extschema@.dqds_level_objects() IS 'which objects each level opens';

-- The same as PostgreSQL writes them in GRANT, every overload by itself.
CREATE FUNCTION @extschema@.dqds_level_grants()
RETURNS TABLE (rank integer, privilege text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.rank, CASE o.kind
			WHEN 'view' THEN 'SELECT ON @extschema@.' || quote_ident(o.name)
			ELSE format('EXECUTE ON FUNCTION %s', p.oid::regprocedure)
		END
	FROM @extschema@.dqds_level_objects() o
		LEFT JOIN (pg_proc p
			-- Not what others have put beside it.
			JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
			JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'dqds')
		ON o.kind = 'function' AND p.proname = o.name
$$;
COMMENT ON FUNCTION @extschema@.dqds_level_grants() IS 'the privileges that each level brings';

CREATE FUNCTION @extschema@.dqds_level_rank(level text)
RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_rank integer := (SELECT min(o.rank) FROM @extschema@.dqds_level_objects() o WHERE o.level = dqds_level_rank.level);
BEGIN
	IF level IS NULL THEN
		RAISE EXCEPTION 'level must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF found_rank IS NULL THEN
		RAISE EXCEPTION 'unknown level "%"', level
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Levels are viewer, operator, editor and admin.';
	END IF;
	RETURN found_rank;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_level_rank(text) IS 'the place of a level in their order; an unknown one is an error';

-- regrole takes any number, and '-' for none.
CREATE FUNCTION @extschema@.dqds_check_role(role regrole)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF role IS NULL THEN
		RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
		RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object';
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_check_role(regrole) IS 'internal: an error for a role that is not there';

CREATE FUNCTION @extschema@.dqds_grant(level text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	privilege text;
	my_rank integer := @extschema@.dqds_level_rank(level);
BEGIN
	PERFORM @extschema@.dqds_check_role(role);
	-- One at a time: PostgreSQL refuses two changes of the privileges on one object at once.
	LOCK TABLE @extschema@.dqds_connection_grant IN SHARE UPDATE EXCLUSIVE MODE;
	FOR privilege IN SELECT g.privilege FROM @extschema@.dqds_level_grants() g WHERE g.rank <= my_rank LOOP
		EXECUTE format('GRANT %s TO %s', privilege, role);
	END LOOP;
	IF NOT has_schema_privilege(role, '@extschema@'::regnamespace, 'USAGE') THEN
		EXECUTE 'GRANT USAGE ON SCHEMA @extschema@ TO ' || role;
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_grant(text, regrole) IS 'give a role a level (viewer, operator, editor, admin), which includes those before it';

CREATE FUNCTION @extschema@.dqds_revoke(level text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	privilege text;
	my_rank integer := @extschema@.dqds_level_rank(level);
BEGIN
	PERFORM @extschema@.dqds_check_role(role);
	-- One at a time: PostgreSQL refuses two changes of the privileges on one object at once.
	LOCK TABLE @extschema@.dqds_connection_grant IN SHARE UPDATE EXCLUSIVE MODE;
	FOR privilege IN SELECT g.privilege FROM @extschema@.dqds_level_grants() g WHERE g.rank >= my_rank LOOP
		EXECUTE format('REVOKE %s FROM %s', privilege, role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_revoke(text, regrole) IS 'take a level from a role, and with it those that include it';

CREATE FUNCTION @extschema@.dqds_connection_id(name text)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id bigint;
BEGIN
	IF name IS NULL THEN
		RAISE EXCEPTION 'the name of a connection must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT c.id INTO found_id FROM @extschema@.dqds_connection c
	WHERE c.name_hash = hashtextextended(dqds_connection_id.name COLLATE "C", 0)
		AND c.name = dqds_connection_id.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'connection "%" does not exist', name
			USING ERRCODE = 'undefined_object',
				HINT = 'The view dqds_connections shows the connections that you may use.';
	END IF;
	RETURN found_id;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_connection_id(text) IS 'internal: the id of a connection by name';

CREATE FUNCTION @extschema@.dqds_grant_connection(name text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.dqds_check_role(role);
	INSERT INTO @extschema@.dqds_connection_grant (connection_id, grantee)
	VALUES (@extschema@.dqds_connection_id(name), role)
	ON CONFLICT DO NOTHING;
EXCEPTION WHEN foreign_key_violation THEN
	-- Dropped while this was going on: by now it is unknown.
	PERFORM @extschema@.dqds_connection_id(name);
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_grant_connection(text, regrole) IS 'let a role use a connection that it does not own';

-- Also from a role that is no more, by its number.
CREATE FUNCTION @extschema@.dqds_revoke_connection(name text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF role IS NULL THEN
		RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	DELETE FROM @extschema@.dqds_connection_grant
	WHERE connection_id = @extschema@.dqds_connection_id(name) AND grantee = role;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_revoke_connection(text, regrole) IS 'take the use of a connection from a role';

CREATE FUNCTION @extschema@.dqds_set_connection_owner(name text, new_owner regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	my_id bigint := @extschema@.dqds_connection_id(name);
BEGIN
	PERFORM @extschema@.dqds_check_role(new_owner);
	UPDATE @extschema@.dqds_connection c SET owner = new_owner, updated_at = now() WHERE c.id = my_id;
	PERFORM @extschema@.dqds_must_exist(FOUND);
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_set_connection_owner(text, regrole) IS 'give a connection another owner, whose credentials it may then refer to';

-- ---- credentials ------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_create_credential(name text, secret text, allowed_hosts text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_create_credential';
COMMENT ON FUNCTION @extschema@.dqds_create_credential(text, text, text) IS 'store a secret that models refer to as ${credential://name}, towards the listed hosts only';

CREATE FUNCTION @extschema@.dqds_replace_credential(name text, secret text, allowed_hosts text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_replace_credential';
COMMENT ON FUNCTION @extschema@.dqds_replace_credential(text, text, text) IS 'replace the secret of a credential, and its hosts unless NULL';

CREATE FUNCTION @extschema@.dqds_credential_id(name text)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id bigint := (SELECT c.id FROM @extschema@.dqds_credential c WHERE c.name = dqds_credential_id.name);
BEGIN
	IF name IS NULL THEN
		RAISE EXCEPTION 'the name of a credential must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF found_id IS NULL THEN
		RAISE EXCEPTION 'credential "%" does not exist', name
			USING ERRCODE = 'undefined_object', HINT = 'The view dqds_credentials shows the names of all.';
	END IF;
	RETURN found_id;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_credential_id(text) IS 'internal: the id of a credential by name';

CREATE FUNCTION @extschema@.dqds_drop_credential(name text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	my_id bigint := @extschema@.dqds_credential_id(name);
BEGIN
	DELETE FROM @extschema@.dqds_credential c WHERE c.id = my_id;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_drop_credential(text) IS 'forget a credential and its grants';

CREATE FUNCTION @extschema@.dqds_grant_credential(name text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.dqds_check_role(role);
	INSERT INTO @extschema@.dqds_credential_grant (credential_id, grantee)
	VALUES (@extschema@.dqds_credential_id(name), role)
	ON CONFLICT DO NOTHING;
EXCEPTION WHEN foreign_key_violation THEN
	PERFORM @extschema@.dqds_credential_id(name);
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_grant_credential(text, regrole) IS 'let the connections of a role use a credential';

CREATE FUNCTION @extschema@.dqds_revoke_credential(name text, role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	my_id bigint := @extschema@.dqds_credential_id(name);
BEGIN
	IF role IS NULL THEN
		RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	DELETE FROM @extschema@.dqds_credential_grant g
	WHERE g.credential_id = my_id AND g.grantee = dqds_revoke_credential.role;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_revoke_credential(text, regrole) IS 'take the use of a credential from a role';

CREATE VIEW @extschema@.dqds_credentials AS
SELECT c.name AS credential_name, c.allowed_hosts, c.created_at, c.updated_at,
	ARRAY(SELECT g.grantee FROM @extschema@.dqds_credential_grant g WHERE g.credential_id = c.id) AS granted_to
FROM @extschema@.dqds_credential c;
COMMENT ON VIEW @extschema@.dqds_credentials IS 'the stored credentials, without their secrets';

-- ---- tokens -----------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.dqds_create_token(role regrole, expires_in interval DEFAULT '90 days', description text DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dqds_create_token';
COMMENT ON FUNCTION @extschema@.dqds_create_token(regrole, interval, text) IS 'make a token with which HTTP requests run as a role; it is shown this once';

CREATE FUNCTION @extschema@.dqds_revoke_token(token_id bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF token_id IS NULL THEN
		RAISE EXCEPTION 'token_id must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	DELETE FROM @extschema@.dqds_token t WHERE t.id = token_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'token % does not exist', token_id
			USING ERRCODE = 'undefined_object', HINT = 'The view dqds_tokens shows the tokens.';
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_revoke_token(bigint) IS 'make a token useless from now on';

-- Open to all, because it gives nothing away: who has the hash of a valid token had the token.
CREATE FUNCTION @extschema@.dqds_token_role(token_hash bytea)
RETURNS name
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	role_name name;
BEGIN
	SELECT r.rolname INTO role_name
	FROM @extschema@.dqds_token t JOIN pg_roles r ON r.oid = t.role
	WHERE t.token_hash = dqds_token_role.token_hash
		AND t.expires_at > clock_timestamp()
		-- It may have become a superuser since.
		AND NOT r.rolsuper;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'a valid bearer token is required' USING ERRCODE = 'invalid_authorization_specification';
	END IF;
	RETURN role_name;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_token_role(bytea) IS 'the role that a token stands for, by the SHA-256 of the token';

CREATE VIEW @extschema@.dqds_tokens AS
SELECT t.id AS token_id, t.role, t.description, t.created_by, t.created_at, t.expires_at,
	t.expires_at <= now() AS expired
FROM @extschema@.dqds_token t;
COMMENT ON VIEW @extschema@.dqds_tokens IS 'the tokens of the HTTP bridge; not what they are, only whose';

-- ---- views ------------------------------------------------------------------------------------------------

-- They run as their owner, who may read the tables, and show what current_user may see.
CREATE VIEW @extschema@.dqds_connections WITH (security_barrier) AS
SELECT c.name AS connection_name,
	c.model ->> 'provider_type' AS provider_type,
	section.value ->> 'host' AS host,
	section.value ->> 'port' AS port,
	section.value ->> 'database' AS database,
	section.value ->> 'user' AS "user",
	c.owner,
	c.created_at,
	c.updated_at,
	c.model || jsonb_build_object(
		'connection_name', c.name,
		-- 53 bits, which every JSON parser keeps exactly
		'connection_hash', c.name_hash & 9007199254740991,
		'can_edit', may.edit AND may.be_editor,
		'can_collect_statistics', may.be_operator,
		'can_run_checks', may.be_operator,
		'can_delete_data', may.edit AND may.be_editor,
		'run_checks_job_template', jsonb_build_object('connection', c.name, 'enabled', true),
		'run_profiling_checks_job_template',
			jsonb_build_object('connection', c.name, 'enabled', true, 'checkType', 'profiling'),
		'run_monitoring_checks_job_template',
			jsonb_build_object('connection', c.name, 'enabled', true, 'checkType', 'monitoring'),
		'run_partition_checks_job_template',
			jsonb_build_object('connection', c.name, 'enabled', true, 'checkType', 'partitioned'),
		'collect_statistics_job_template',
			jsonb_build_object('connection', c.name, 'enabled', true, 'columnNames', jsonb_build_array()),
		'data_clean_job_template',
			jsonb_build_object('connection', c.name, 'deleteErrors', true, 'deleteStatistics', true,
				'deleteCheckResults', true, 'deleteSensorReadouts', true, 'deleteErrorSamples', true,
				'deleteIncidents', true, 'deleteChecksConfiguration', false)) AS model
FROM @extschema@.dqds_connection c
	CROSS JOIN LATERAL (SELECT c.model -> (c.model ->> 'provider_type') AS value) AS section
	CROSS JOIN LATERAL (
		SELECT pg_has_role(c.owner, 'USAGE')
				OR has_function_privilege('@extschema@.dqds_grant(text, regrole)'::regprocedure, 'EXECUTE') AS edit,
			has_function_privilege('@extschema@.dqds_update_connection(text, text)'::regprocedure, 'EXECUTE') AS be_editor,
			has_function_privilege('@extschema@.dqds_list_schemas(text, boolean)'::regprocedure, 'EXECUTE') AS be_operator
	) AS may
WHERE may.edit
	OR EXISTS (SELECT FROM @extschema@.dqds_connection_grant g
		WHERE g.connection_id = c.id AND pg_has_role(g.grantee, 'USAGE'));
COMMENT ON VIEW @extschema@.dqds_connections IS 'the connections that the current user may see, secrets masked';

CREATE VIEW @extschema@.dqds_imported_tables WITH (security_barrier) AS
SELECT v.connection_name, t.schema_name, t.table_name, t.table_kind, t.estimated_rows, t.comment,
	t.imported_at, t.updated_at
FROM @extschema@.dqds_imported_table t
	JOIN @extschema@.dqds_connection c ON c.id = t.connection_id
	JOIN @extschema@.dqds_connections v ON v.connection_name = c.name;
COMMENT ON VIEW @extschema@.dqds_imported_tables IS 'imported tables of the connections that the current user may see';

CREATE VIEW @extschema@.dqds_imported_columns WITH (security_barrier) AS
SELECT v.connection_name, t.schema_name, t.table_name, ic.ordinal_position, ic.column_name,
	ic.column_type, ic.length, ic."precision", ic.scale, ic.nullable, ic.primary_key, ic.comment
FROM @extschema@.dqds_imported_column ic
	JOIN @extschema@.dqds_imported_table t ON t.id = ic.table_id
	JOIN @extschema@.dqds_connection c ON c.id = t.connection_id
	JOIN @extschema@.dqds_connections v ON v.connection_name = c.name;
COMMENT ON VIEW @extschema@.dqds_imported_columns IS 'columns of the imported tables that the current user may see';

-- ---- called by the C code only, as the owner of the tables ----------------------------------------------

CREATE FUNCTION @extschema@.dqds_store_secrets(id bigint, secrets jsonb)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM @extschema@.dqds_connection_secret WHERE connection_id = id;
	INSERT INTO @extschema@.dqds_connection_secret (connection_id, secrets)
	SELECT dqds_store_secrets.id, dqds_store_secrets.secrets
	WHERE dqds_store_secrets.secrets IS NOT NULL;
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_secrets(bigint, jsonb) IS 'internal: replace the secrets of a connection';

CREATE FUNCTION @extschema@.dqds_store_connection(name text, owner regrole, model jsonb, secrets jsonb,
	environment_members text[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
BEGIN
	INSERT INTO @extschema@.dqds_connection (name, owner, model, environment_members)
	VALUES (dqds_store_connection.name, dqds_store_connection.owner, dqds_store_connection.model,
		dqds_store_connection.environment_members)
	ON CONFLICT (name_hash) DO NOTHING
	RETURNING id INTO new_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'connection "%" already exists', name USING ERRCODE = 'duplicate_object';
	END IF;
	PERFORM @extschema@.dqds_store_secrets(new_id, secrets);
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_connection(text, regrole, jsonb, jsonb, text[]) IS 'internal: add a connection';

CREATE FUNCTION @extschema@.dqds_store_credential(name text, secret text, allowed_hosts text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO @extschema@.dqds_credential (name, secret, allowed_hosts)
	VALUES (dqds_store_credential.name, dqds_store_credential.secret, dqds_store_credential.allowed_hosts)
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'credential "%" already exists', name USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_credential(text, text, text) IS 'internal: add a credential';

CREATE FUNCTION @extschema@.dqds_store_credential_secret(name text, secret text, allowed_hosts text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	my_id bigint := @extschema@.dqds_credential_id(name);
BEGIN
	UPDATE @extschema@.dqds_credential c
	SET secret = dqds_store_credential_secret.secret,
		allowed_hosts = coalesce(dqds_store_credential_secret.allowed_hosts, c.allowed_hosts),
		updated_at = now()
	WHERE c.id = my_id;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_credential_secret(text, text, text) IS 'internal: replace the secret of a credential';

CREATE FUNCTION @extschema@.dqds_store_token(role regrole, token_hash bytea, created_by regrole, expires_at timestamptz, description text)
RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO @extschema@.dqds_token (role, token_hash, created_by, expires_at, description)
	VALUES (dqds_store_token.role, dqds_store_token.token_hash, dqds_store_token.created_by,
		dqds_store_token.expires_at, dqds_store_token.description)
	RETURNING id;
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_token(regrole, bytea, regrole, timestamptz, text) IS 'internal: add a token';

CREATE FUNCTION @extschema@.dqds_must_exist(it_does boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT it_does THEN
		RAISE EXCEPTION 'the connection was dropped meanwhile' USING ERRCODE = 'undefined_object';
	END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_must_exist(boolean) IS 'internal: an error for a connection that was dropped meanwhile';

CREATE FUNCTION @extschema@.dqds_lock_connection(id bigint)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT FROM @extschema@.dqds_connection c WHERE c.id = dqds_lock_connection.id FOR NO KEY UPDATE;
$$;
COMMENT ON FUNCTION @extschema@.dqds_lock_connection(bigint) IS 'internal: wait for others that change a connection, and let them wait';

CREATE FUNCTION @extschema@.dqds_replace_connection(id bigint, model jsonb, secrets jsonb,
	environment_members text[])
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH replaced AS (
		UPDATE @extschema@.dqds_connection c
		SET model = dqds_replace_connection.model,
			environment_members = dqds_replace_connection.environment_members, updated_at = now()
		WHERE c.id = dqds_replace_connection.id
		RETURNING c.id
	)
	SELECT @extschema@.dqds_must_exist(count(*) > 0) FROM replaced;
	SELECT @extschema@.dqds_store_secrets(id, secrets);
$$;
COMMENT ON FUNCTION @extschema@.dqds_replace_connection(bigint, jsonb, jsonb, text[]) IS 'internal: replace the model of a connection';

CREATE FUNCTION @extschema@.dqds_store_connection_name(id bigint, new_name text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE @extschema@.dqds_connection c
	SET name = new_name, updated_at = now()
	WHERE c.id = dqds_store_connection_name.id;
	PERFORM @extschema@.dqds_must_exist(FOUND);
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'connection "%" already exists', new_name USING ERRCODE = 'duplicate_object';
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_connection_name(bigint, text) IS 'internal: rename a connection';

CREATE FUNCTION @extschema@.dqds_remove_connection(id bigint)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM @extschema@.dqds_connection c WHERE c.id = dqds_remove_connection.id;
$$;
COMMENT ON FUNCTION @extschema@.dqds_remove_connection(bigint) IS 'internal: forget a connection';

-- Store tables and their columns, given as one array for each column of the remote's answer.  What is
-- stored already and has not changed is not touched.
CREATE FUNCTION @extschema@.dqds_store_import(connection_id bigint, schema_name text,
	table_names text[], kinds text[], estimates text[], comments text[],
	column_tables text[], ordinals text[], column_names text[], types text[], lengths text[],
	precisions text[], scales text[], nullables text[], primary_keys text[], column_comments text[])
RETURNS TABLE (connection_name text, schema_of_table text, table_name text, status text, column_count integer)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	my_connection bigint := connection_id;
	my_schema text := schema_name;
	my_name text;
	tables bigint[];
	added bigint[];
	changed bigint[];
	removed_columns bigint[];
	added_columns bigint[];
BEGIN
	-- One import of a connection at a time, so that two of the same table do not meet.
	SELECT c.name INTO my_name FROM @extschema@.dqds_connection c WHERE c.id = my_connection FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the connection was dropped meanwhile' USING ERRCODE = 'undefined_object';
	END IF;

	WITH inserted AS (
		INSERT INTO @extschema@.dqds_imported_table (connection_id, schema_name, table_name, table_kind, estimated_rows, comment)
		SELECT DISTINCT ON (u.name) my_connection, my_schema, u.name, u.kind, u.estimate::bigint, u.comment
		FROM unnest(table_names, kinds, estimates, comments) AS u (name, kind, estimate, comment)
		ON CONFLICT (connection_id, schema_name, table_name) DO NOTHING
		RETURNING id
	)
	SELECT coalesce(array_agg(id), '{}') INTO added FROM inserted;
	-- Looked up name by name: a join might be planned to compare each name with each table of the schema.
	tables := ARRAY(SELECT (SELECT t.id FROM @extschema@.dqds_imported_table t
			WHERE t.connection_id = my_connection AND t.schema_name = my_schema AND t.table_name = u.name)
		FROM (SELECT DISTINCT n.name FROM unnest(table_names) AS n (name)) AS u);

	-- The estimate of the rows is brought up to date, but is no change of the table.
	WITH incoming AS (
		SELECT DISTINCT ON (u.name) * FROM unnest(table_names, kinds, estimates, comments) AS u (name, kind, estimate, comment)
	), compared AS (
		SELECT t.id, u.kind, u.estimate::bigint AS estimate, u.comment,
			(t.table_kind, t.comment) IS DISTINCT FROM (u.kind, u.comment) AS differs
		FROM @extschema@.dqds_imported_table t JOIN incoming u ON u.name = t.table_name
		WHERE t.connection_id = my_connection AND t.schema_name = my_schema
			AND (t.table_kind, t.estimated_rows, t.comment) IS DISTINCT FROM (u.kind, u.estimate::bigint, u.comment)
	), updated AS (
		UPDATE @extschema@.dqds_imported_table t
		SET table_kind = d.kind, estimated_rows = d.estimate, comment = d.comment
		FROM compared d WHERE d.id = t.id
		RETURNING t.id, d.differs
	)
	SELECT coalesce(array_agg(id), '{}') INTO changed FROM updated WHERE differs;

	WITH removed AS (
		-- EXCEPT takes linear time whatever is estimated.
		DELETE FROM @extschema@.dqds_imported_column ic
		USING (
			SELECT t.table_name, c.ordinal_position
			FROM unnest(tables) AS u (id)
				JOIN @extschema@.dqds_imported_table t ON t.id = u.id
				JOIN @extschema@.dqds_imported_column c ON c.table_id = t.id
			EXCEPT
			SELECT u.name, u.ordinal::integer FROM unnest(column_tables, ordinals) AS u (name, ordinal)
		) AS gone (table_name, ordinal_position)
			JOIN @extschema@.dqds_imported_table t ON t.connection_id = my_connection AND t.schema_name = my_schema
				AND t.table_name = gone.table_name
		WHERE ic.table_id = t.id AND ic.ordinal_position = gone.ordinal_position
		RETURNING ic.table_id
	)
	SELECT coalesce(array_agg(DISTINCT table_id), '{}') INTO removed_columns FROM removed;

	WITH stored AS (
		INSERT INTO @extschema@.dqds_imported_column AS ic (table_id, ordinal_position, column_name, column_type, length,
			"precision", scale, nullable, primary_key, comment)
		SELECT DISTINCT ON (t.id, u.ordinal::integer) t.id, u.ordinal::integer, u.name, u.type, u.length::integer,
			u."precision"::integer, u.scale::integer, u.nullable::boolean, u.primary_key::boolean, u.comment
		FROM unnest(column_tables, ordinals, column_names, types, lengths, precisions, scales, nullables,
				primary_keys, column_comments)
				AS u (of_table, ordinal, name, type, length, "precision", scale, nullable, primary_key, comment)
			JOIN @extschema@.dqds_imported_table t ON t.connection_id = my_connection AND t.schema_name = my_schema
				AND t.table_name = u.of_table
		ON CONFLICT (table_id, ordinal_position) DO UPDATE
		SET column_name = excluded.column_name, column_type = excluded.column_type, length = excluded.length,
			"precision" = excluded."precision", scale = excluded.scale, nullable = excluded.nullable,
			primary_key = excluded.primary_key, comment = excluded.comment
		WHERE (ic.column_name, ic.column_type, ic.length, ic."precision", ic.scale, ic.nullable, ic.primary_key,
				ic.comment) IS DISTINCT FROM
			(excluded.column_name, excluded.column_type, excluded.length, excluded."precision", excluded.scale,
				excluded.nullable, excluded.primary_key, excluded.comment)
		RETURNING table_id
	)
	SELECT coalesce(array_agg(DISTINCT table_id), '{}') INTO added_columns FROM stored;

	UPDATE @extschema@.dqds_imported_table t
	SET updated_at = now()
	WHERE t.id = ANY (changed || removed_columns || added_columns) AND t.id <> ALL (added);

	RETURN QUERY
	SELECT my_name, my_schema, t.table_name,
		CASE WHEN t.id = ANY (added) THEN 'imported'
			WHEN t.id = ANY (changed || removed_columns || added_columns) THEN 'updated'
			ELSE 'unchanged' END,
		(SELECT count(*)::integer FROM @extschema@.dqds_imported_column ic WHERE ic.table_id = t.id)
	FROM unnest(tables) AS u (id) JOIN @extschema@.dqds_imported_table t ON t.id = u.id
	ORDER BY t.table_name;
END
$$;
COMMENT ON FUNCTION @extschema@.dqds_store_import(bigint, text, text[], text[], text[], text[], text[], text[], text[],
	text[], text[], text[], text[], text[], text[], text[]) IS 'internal: store imported tables with their columns';

CREATE FUNCTION @extschema@.dqds_remove_imports(connection_id bigint, schema_name text, table_names text[])
RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	-- As an import does, so that the two do not meet.
	SELECT @extschema@.dqds_lock_connection(connection_id);
	WITH removed AS (
		DELETE FROM @extschema@.dqds_imported_table t
		WHERE t.connection_id = dqds_remove_imports.connection_id
			AND t.schema_name = dqds_remove_imports.schema_name
			AND (table_names IS NULL OR t.table_name = ANY (table_names))
		RETURNING t.id
	)
	SELECT count(*) FROM removed;
$$;
COMMENT ON FUNCTION @extschema@.dqds_remove_imports(bigint, text, text[]) IS 'internal: forget imported tables';

-- ---- closed until granted ------------------------------------------------------------------------------

-- What connects, edits or is internal is nobody's.  What stays open reads no more than its arguments.  Besides PUBLIC,
-- roles may have been given something by ALTER DEFAULT PRIVILEGES, which knows nothing of secrets.
DO $$
DECLARE
	what text;
BEGIN
	FOR what IN
		WITH member AS (
			SELECT d.classid, d.objid FROM pg_depend d
				JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE e.extname = 'dqds' AND d.deptype = 'e'
		), object AS (
			SELECT format('FUNCTION %s', p.oid::regprocedure) AS name, p.proowner AS owner,
				coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
			FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
			WHERE p.proname NOT IN ('dqds_json_member', 'dqds_job_id_json', 'dqds_close_idle', 'dqds_token_role')
			UNION ALL
			SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relowner, c.relacl
			FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
		)
		SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', o.name,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM object o, aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE what;
	END LOOP;
END
$$;
