-- setup: what the other SQL tests stand on: the extension, roles, and functions that tell what a statement comes to.
--
-- The server is its own remote source: it must take regress_reader's password at 127.0.0.1 (see t/extension/001_regress.pl).
-- No port, time or version is shown, so that the expected output holds anywhere.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_reader, regress_viewer, regress_operator, regress_editor, regress_admin, regress_nobody;
RESET client_min_messages;
\pset format unaligned

CREATE EXTENSION dqds;

-- Logs in from the other side, and has no privilege on this one.
SET password_encryption = 'scram-sha-256';
CREATE ROLE regress_reader LOGIN PASSWORD 'regress-secret';
RESET password_encryption;

-- A role for each level, and one without any.
CREATE ROLE regress_viewer;
CREATE ROLE regress_operator;
CREATE ROLE regress_editor;
CREATE ROLE regress_admin;
CREATE ROLE regress_nobody;
SELECT dqds_grant('viewer', 'regress_viewer'), dqds_grant('operator', 'regress_operator'),
	dqds_grant('editor', 'regress_editor'), dqds_grant('admin', 'regress_admin');

-- self(section, top): a model that leads back to this database. The arguments change its section and its top; a member
-- that is given as null is left out.
CREATE FUNCTION self(section jsonb DEFAULT '{}', top jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('provider_type', 'postgresql', 'postgresql', jsonb_strip_nulls(jsonb_build_object(
		'host', '127.0.0.1', 'port', current_setting('port'), 'database', current_database(),
		'user', 'regress_reader', 'password', 'regress-secret') || section)) || top
$$;

-- shown(text): a text of dqds as it is shown here: with no port, and with an alarm in place of a password.
CREATE FUNCTION shown(message text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN message ~ 'regress-secret' THEN 'A PASSWORD IS SHOWN'
		ELSE replace(replace(message, '127.0.0.1:' || current_setting('port'), '127.0.0.1:PORT'), current_database(), 'DATABASE') END
$$;

-- attempt(statement): what a statement comes to: its first row, or SQLSTATE, message and hint of its error.
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
	detail text;
	hint text;
BEGIN
	EXECUTE statement INTO result;
	RETURN shown(coalesce('ok: ' || result::text, 'ok, no row'));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN shown(concat_ws(' | ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, '')));
END
$$;

-- attempt_as(role, statement): the same as another role.
CREATE FUNCTION attempt_as(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text;
BEGIN
	PERFORM set_config('role', role, true);
	outcome := attempt(statement);
	PERFORM set_config('role', 'none', true);
	RETURN outcome;
END
$$;

-- tested(model): the outcome of a test.
CREATE FUNCTION tested(model jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT shown(concat_ws(' | ', connection_test_result || coalesce(' ' || error_code, ''), error_message, hint))
	FROM dqds_test_connection(model)
$$;

SELECT tested(self());
