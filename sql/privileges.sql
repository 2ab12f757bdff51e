-- privileges: who may do what: levels, owners, grants, and who decides inside SECURITY DEFINER.
\pset format unaligned

-- The extension's own objects. All of them are described. (From version 17 on the types of rows and arrays, which are made
-- with a table or another type, are members as well.)
CREATE VIEW member AS SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'dqds' AND d.deptype = 'e' AND NOT (d.classid = 'pg_type'::regclass
		AND EXISTS (SELECT FROM pg_type t WHERE t.oid = d.objid AND (t.typrelid <> 0 OR t.typelem <> 0)));
SELECT count(*) > 50 AS enough FROM member;
SELECT object AS without_comment FROM member
WHERE obj_description(objid, classid::regclass::name) IS NULL ORDER BY object COLLATE "C";

-- The levels, as PostgreSQL's own privileges: who may execute which function, read which view.
SELECT regexp_replace(object, '(function|view|table|sequence) ', '') AS object,
	string_agg(substr(role, 9), ' ' ORDER BY number) AS may
FROM member, unnest('{regress_nobody,regress_viewer,regress_operator,regress_editor,regress_admin}'::text[])
	WITH ORDINALITY AS r (role, number)
WHERE classid = 'pg_proc'::regclass AND has_function_privilege(role, objid, 'EXECUTE')
	OR classid = 'pg_class'::regclass AND CASE WHEN object ~ '^sequence' THEN has_sequence_privilege(role, objid, 'USAGE,SELECT,UPDATE')
		ELSE has_table_privilege(role, objid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER')
			OR has_any_column_privilege(role, objid, 'SELECT,INSERT,UPDATE,REFERENCES') END
GROUP BY object ORDER BY count(*) DESC, object COLLATE "C";
-- The rest is for the owner alone.
SELECT regexp_replace(object, '(function|view) ', '') AS nobodys FROM member
WHERE classid = 'pg_proc'::regclass AND NOT has_function_privilege('regress_admin', objid, 'EXECUTE')
	OR classid = 'pg_class'::regclass AND object !~ '^sequence' AND NOT has_table_privilege('regress_admin', objid, 'SELECT')
ORDER BY object COLLATE "C";
-- What PUBLIC may do: functions that connect to nothing and read no more than their arguments. No function lends its
-- owner's rights.
SELECT proname, prosecdef FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE prosecdef OR proacl IS NULL OR proacl::text ~ '[{,]=' ORDER BY proname COLLATE "C";
-- The functions as the contract has them: volatile; parallel restricted where they only read, unsafe where they write.
SELECT proparallel AS parallel, provolatile AS volatile, string_agg(DISTINCT proname, ' ' ORDER BY proname) AS functions
FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_language l ON l.oid = prolang
WHERE lanname = 'c' GROUP BY proparallel, provolatile ORDER BY 1, 2;
-- No body holds a name that is looked up when it runs: C, or parsed by now.
SELECT proname, lanname FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_language l ON l.oid = prolang
WHERE lanname <> 'c' AND prosqlbody IS NULL;

-- The same by calls. A row for each call: what becomes of it as each role.
CREATE FUNCTION as_roles(statement text) RETURNS TABLE (nobody text, viewer text, operator text, editor text, admin text)
LANGUAGE sql AS $$
	SELECT split_part(attempt_as('regress_nobody', statement), ':', 1), split_part(attempt_as('regress_viewer', statement), ':', 1),
		split_part(attempt_as('regress_operator', statement), ':', 1), split_part(attempt_as('regress_editor', statement), ':', 1),
		split_part(attempt_as('regress_admin', statement), ':', 1)
$$;
SELECT dqds_create_connection('granted', self()), dqds_create_connection('forbidden', self());
SELECT dqds_grant_connection('granted', role::regrole) FROM unnest('{regress_nobody,regress_viewer,regress_operator,regress_editor}'::text[]) AS role;
SELECT call, r.* FROM unnest(ARRAY[
	'* FROM dqds_connections', '* FROM dqds_imported_tables', '* FROM dqds_imported_columns', '* FROM dqds_connection_json(''granted'')',
	'* FROM dqds_test_connection(''granted'')', '* FROM dqds_test_connection(self())', '* FROM dqds_test_connections()',
	'* FROM dqds_list_schemas(''granted'')', '* FROM dqds_list_schemas(self())', '* FROM dqds_list_tables(''granted'', ''s'')',
	'* FROM dqds_list_columns(''granted'', ''s'')', '* FROM dqds_test_connection_json(self()::text, false, false)',
	'* FROM dqds_list_schemas_json(''granted'', false)', '* FROM dqds_list_tables_json(''granted'', ''s'', NULL, NULL, true)',
	'* FROM dqds_import_tables(''granted'', ''s'')', 'dqds_unimport_tables(''granted'', ''s'')',
	'* FROM dqds_import_tables_json(''{"connectionName": "granted", "schemaName": "s"}'', NULL)',
	'dqds_create_connection(''mine of '' || current_user, self())', 'dqds_rename_connection(''mine of '' || current_user, current_user)',
	'dqds_update_connection(current_user, self())', 'dqds_drop_connection(current_user)',
	'dqds_update_connection(''granted'', self())', 'dqds_grant(''viewer'', ''regress_viewer'')', 'dqds_revoke(''admin'', ''regress_nobody'')',
	'dqds_grant_connection(''granted'', ''regress_nobody'')', 'dqds_revoke_connection(''granted'', ''regress_nobody'')',
	'* FROM dqds_connection', '* FROM dqds_connection_secret', '* FROM dqds_connection_grant', '* FROM dqds_imported_table',
	'dqds_remove_connection(1)', 'dqds_store_import(1, ''s'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)', 'dqds_enrolled()',
	'dqds_close_idle() >= 0']) AS call, LATERAL as_roles('SELECT ' || call) AS r;

-- An unknown connection and one that the caller may not use are the same, word for word, whatever is done with it.
SET ROLE regress_editor;
SELECT call, attempt('SELECT ' || replace(call, 'NAME', '''forbidden''')) AS forbidden,
	attempt('SELECT ' || replace(call, 'NAME', '''forbidden''')) = replace(attempt('SELECT ' || replace(call, 'NAME', '''unknown''')), 'unknown', 'forbidden') AS same
FROM unnest(ARRAY['* FROM dqds_test_connection(NAME)', '* FROM dqds_test_connections(ARRAY[NAME])', '* FROM dqds_list_schemas(NAME)',
	'* FROM dqds_list_tables(NAME, ''s'')', '* FROM dqds_list_columns(NAME, ''s'')', '* FROM dqds_list_schemas_json(NAME, false)',
	'* FROM dqds_list_tables_json(NAME, ''s'', NULL, NULL, true)', '* FROM dqds_connection_json(NAME)',
	'dqds_update_connection(NAME, self())', 'dqds_drop_connection(NAME)', 'dqds_drop_connection_json(NAME)',
	'dqds_rename_connection(NAME, ''x'')', '* FROM dqds_import_tables(NAME, ''s'')', 'dqds_unimport_tables(NAME, ''s'')',
	'* FROM dqds_import_tables_json(format(''{"connectionName": "%s", "schemaName": "s"}'', NAME), NULL)']) AS call;
-- Seen, but not owned.
SELECT attempt($$SELECT dqds_update_connection('granted', self())$$);
SELECT attempt($$SELECT dqds_drop_connection('granted')$$);
SELECT attempt($$SELECT dqds_rename_connection('granted', 'x')$$);
-- Each sees what he may use, and whether he may edit it.
SELECT dqds_create_connection('mine', self());
RESET ROLE;
CREATE FUNCTION seen(role text) RETURNS text LANGUAGE sql AS $$
	SELECT attempt_as(role, 'SELECT string_agg(concat(connection_name, CASE WHEN model @> ''{"can_edit": true}'' THEN '' (edit)'' END,
		CASE WHEN model @> ''{"can_run_checks": true}'' THEN '' (test)'' END), '', '' ORDER BY connection_name) FROM dqds_connections')
$$;
SELECT role, seen(role), attempt_as(role, 'SELECT string_agg(connection_name, '', '') FROM dqds_test_connections()') AS tested
FROM unnest('{regress_viewer,regress_operator,regress_editor,regress_admin}'::text[]) AS role;

-- By membership: of the owner, of the role that was granted the connection.
CREATE ROLE regress_team;
CREATE ROLE regress_member IN ROLE regress_team, regress_operator;
CREATE ROLE regress_reserved NOINHERIT IN ROLE regress_team;
SELECT dqds_grant('operator', 'regress_reserved'), dqds_grant_connection('forbidden', 'regress_team');
SELECT seen('regress_member'), seen('regress_reserved');
SET ROLE regress_member;
SELECT connection_test_result FROM dqds_test_connection('forbidden');
SET ROLE regress_reserved;
SELECT attempt($$SELECT * FROM dqds_test_connection('forbidden')$$);
RESET ROLE;
GRANT regress_editor TO regress_member;
SET ROLE regress_member;
SELECT attempt($$SELECT dqds_update_connection('mine', self('{"sslmode": "disable"}'))$$);
RESET ROLE;
SELECT dqds_revoke_connection('forbidden', 'regress_team');
SET ROLE regress_member;
SELECT attempt($$SELECT * FROM dqds_test_connection('forbidden')$$);
RESET ROLE;
-- A level, once taken, takes those that include it along, and leaves those before it.
REVOKE regress_editor FROM regress_member;
SELECT dqds_grant('admin', 'regress_member'), dqds_revoke('editor', 'regress_member'), dqds_revoke('operator', 'regress_reserved');
SELECT role, has_table_privilege(role, 'dqds_connections', 'SELECT') AS viewer,
	has_function_privilege(role, 'dqds_list_schemas(text, boolean)', 'EXECUTE') AS operator,
	has_function_privilege(role, 'dqds_create_connection(text, jsonb)', 'EXECUTE') AS editor,
	has_function_privilege(role, 'dqds_grant(text, regrole)', 'EXECUTE') AS admin
FROM unnest('{regress_member,regress_reserved}'::text[]) AS role;
SELECT attempt($$SELECT dqds_grant('owner', 'regress_nobody')$$);
SELECT attempt($$SELECT dqds_revoke('Viewer', 'regress_nobody')$$);
SELECT attempt($$SELECT dqds_grant('viewer', 'regress_unknown_role')$$);
-- A regrole may be a number that is no role, or none at all.
SELECT attempt(format(call, role)) FROM unnest(ARRAY['0', '-', '4294967295']) AS role,
	unnest(ARRAY['SELECT dqds_grant(''viewer'', %L)', 'SELECT dqds_revoke(''viewer'', %L)',
		'SELECT dqds_grant_connection(''granted'', %L)', 'SELECT dqds_grant_credential(''none'', %L)']) AS call;
SELECT attempt($$SELECT dqds_grant_credential('none', NULL)$$);
SELECT attempt($$SELECT dqds_create_credential('nowhere', 'x', ' , ,,')$$);
-- Names of roles are quoted where they must be.
CREATE ROLE "regress ""odd"" role; DROP TABLE x";
SELECT dqds_grant('operator', '"regress ""odd"" role; DROP TABLE x"'), dqds_grant_connection('granted', '"regress ""odd"" role; DROP TABLE x"');
SET ROLE "regress ""odd"" role; DROP TABLE x";
SELECT connection_test_result FROM dqds_test_connection('granted');
RESET ROLE;
SELECT dqds_revoke('viewer', '"regress ""odd"" role; DROP TABLE x"'), dqds_revoke_connection('granted', '"regress ""odd"" role; DROP TABLE x"');
-- A role that the registry names is not dropped before DROP OWNED has taken it from the registry.
DROP ROLE "regress ""odd"" role; DROP TABLE x";
DROP OWNED BY "regress ""odd"" role; DROP TABLE x";
DROP ROLE "regress ""odd"" role; DROP TABLE x";
-- An admin grants and revokes, but makes nobody more than that.
SET ROLE regress_admin;
SELECT dqds_grant('admin', 'regress_nobody'), dqds_revoke('viewer', 'regress_nobody'), dqds_grant_connection('forbidden', 'regress_nobody');
SELECT attempt($$SELECT dqds_grant_connection('unknown', 'regress_nobody')$$);
SELECT attempt($$SELECT dqds_lock_connection(1)$$);
RESET ROLE;
-- A role that is gone has left nothing to its successor but its connections, to the admins.
SET ROLE regress_member;
SELECT attempt($$SELECT dqds_create_connection('left', self())$$);
RESET ROLE;
SELECT dqds_grant('editor', 'regress_member'), dqds_grant_connection('granted', 'regress_member');
SET ROLE regress_member;
SELECT dqds_create_connection('left', self());
RESET ROLE;
SELECT dqds_revoke('viewer', 'regress_member'), dqds_revoke('viewer', 'regress_reserved');
DROP OWNED BY regress_member, regress_reserved, regress_team;
DROP ROLE regress_member, regress_reserved, regress_team;
SELECT connection_name, owner FROM dqds_connections WHERE connection_name = 'left';
SET ROLE regress_operator;
SELECT attempt($$SELECT * FROM dqds_test_connection('left')$$);
SET ROLE regress_admin;
SELECT attempt($$SELECT dqds_drop_connection('left')$$);
RESET ROLE;

-- SECURITY DEFINER: current_user decides, which then is the wrapper's owner.
CREATE FUNCTION wrapped(connection text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
	SELECT connection_test_result FROM dqds_test_connection(connection)
$$;
CREATE FUNCTION wrapped_view() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
	SELECT string_agg(connection_name, ' ') FROM dqds_connections
$$;
ALTER FUNCTION wrapped OWNER TO regress_operator;
ALTER FUNCTION wrapped_view OWNER TO regress_operator;
SET ROLE regress_nobody;
SELECT wrapped('granted'), wrapped_view();
SELECT attempt($$SELECT wrapped('forbidden')$$);
SET ROLE regress_admin;
SELECT attempt($$SELECT wrapped('forbidden')$$), wrapped_view();
RESET ROLE;
SELECT attempt($$SELECT wrapped('forbidden')$$);
-- The other way round: a function of a superuser lends all his rights.
ALTER FUNCTION wrapped OWNER TO CURRENT_USER;
SET ROLE regress_nobody;
SELECT wrapped('forbidden');
RESET ROLE;
-- A view runs functions as its reader, who needs the level and the connection himself.
CREATE VIEW schemas_of_granted AS SELECT schema_name FROM dqds_list_schemas('granted');
GRANT SELECT ON schemas_of_granted TO PUBLIC;
SET ROLE regress_nobody;
SELECT attempt('SELECT count(*) > 0 FROM schemas_of_granted');
SET ROLE regress_operator;
SELECT attempt('SELECT count(*) > 0 FROM schemas_of_granted');
RESET ROLE;

-- The caller's search_path and operators play no part in what runs with the owner's rights.
CREATE SCHEMA trap;
CREATE FUNCTION trap.sprung(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung as %', current_user; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.sprung);
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung as %', current_user; END $$;
CREATE TABLE trap.dqds_connection (id integer);
GRANT USAGE ON SCHEMA trap TO regress_editor, regress_admin, regress_reader;
GRANT SELECT ON trap.dqds_connection TO regress_reader;
SET ROLE regress_editor;
SET search_path = trap, public, pg_catalog;
SELECT 'a'::text = 'b'::text;
SELECT dqds_update_connection('mine', self()), dqds_rename_connection('mine', 'still mine');
SELECT * FROM dqds_import_tables('still mine', 'trap');
SELECT dqds_unimport_tables('still mine', 'trap');
SET ROLE regress_admin;
SELECT dqds_grant('viewer', 'regress_nobody'), dqds_revoke('viewer', 'regress_nobody');
SELECT dqds_grant_connection('still mine', 'regress_nobody'), dqds_revoke_connection('still mine', 'regress_nobody');
RESET ROLE;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
RESET client_min_messages;

-- password_required: false lends the remote's trust in this server; a superuser's decision.
SET ROLE regress_admin;
SELECT attempt($$SELECT dqds_create_connection('trusted', self('{}', '{"password_required": false}'))$$);
SELECT attempt($$SELECT dqds_update_connection('granted', self('{}', '{"password_required": false}'))$$);
RESET ROLE;
SELECT dqds_create_connection('trusted', self('{"password": null}', '{"password_required": false}'));
SELECT connection_name, model -> 'password_required' AS required FROM dqds_connections WHERE connection_name = 'trusted';
SET ROLE regress_admin;
SELECT attempt($$SELECT dqds_update_connection('trusted', self('{"password": null, "host": "localhost"}', '{"password_required": false}'))$$);
SELECT attempt($$SELECT dqds_update_connection('trusted', self())$$);
SELECT attempt($$SELECT * FROM dqds_list_schemas(self('{}', '{"password_required": false, "connection_name": "trusted"}'))$$);
RESET ROLE;

SELECT count(dqds_drop_connection(connection_name)) AS dropped FROM dqds_connections;
DROP VIEW schemas_of_granted, member;
DROP FUNCTION wrapped, wrapped_view, as_roles, seen;
