-- setup.sql
--		The contents of the database of the fuzz targets' throw-away server.

CREATE EXTENSION dqds;

-- ---- for the targets in the server (fuzz/agent.c, fuzz/model.c, fuzz/replies.c) ----------------------------------------

-- They run as a role that may do much, but is not an admin.
CREATE ROLE fuzzer LOGIN;
SELECT dqds_grant('editor', 'fuzzer');

-- What this role may use, but not see.
SELECT dqds_create_connection('stored', '{"provider_type": "postgresql",
	"postgresql": {"host": "stored.fuzz.example", "port": 5433, "database": "shop", "user": "reader",
		"password": "kept-aside-for-stored", "sslmode": "require", "properties": {"application_name": "stored"}},
	"advanced_properties": {"api_token": "kept-aside-token-of-stored", "team": "sales"}}');
UPDATE dqds_connection SET owner = 'fuzzer' WHERE name = 'stored';
SELECT dqds_create_credential('granted', 'kept-aside-as-credential', 'db.fuzz.example:5432, 10.1.0.0/16');
SELECT dqds_grant_credential('granted', 'fuzzer');
SELECT dqds_create_credential('hidden', 'kept-aside-as-credential', '*');

-- ---- for the bridge (fuzz/http.c) ------------------------------------------------------------------------

CREATE ROLE dqds_bridge LOGIN NOINHERIT;
CREATE ROLE anonymous NOLOGIN;
CREATE ROLE editor NOLOGIN;
GRANT anonymous, editor TO dqds_bridge;
SELECT dqds_grant('operator', 'anonymous'), dqds_grant('editor', 'editor');

-- The tokens of the seeds; a role that a row names must be enrolled.
GRANT EXECUTE ON FUNCTION dqds_enrolled() TO editor;
SELECT dqds_store_token('editor', sha256('fuzz-token-of-an-editor'), 'editor', now() + '1 day', 'good');
SELECT dqds_store_token('editor', sha256('fuzz-token-that-is-over'), 'editor', '2020-01-01', 'expired');

-- A source of data: this server itself. One of its schemas makes an answer that comes in pieces.
CREATE ROLE reader LOGIN PASSWORD 'fuzz-password-of-reader';
CREATE SCHEMA small CREATE TABLE a (id int PRIMARY KEY, name text) CREATE TABLE "b/ü ""x""" () CREATE VIEW c AS SELECT 1 AS one;
CREATE SCHEMA wide;
DO $$ BEGIN FOR i IN 1 .. 800 LOOP EXECUTE format('CREATE TABLE wide.%I ()', 'table number ' || i); END LOOP; END $$;
GRANT USAGE ON SCHEMA small, wide TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA small, wide TO reader;
SELECT dqds_create_connection('sample', format('{"provider_type": "postgresql",
	"postgresql": {"host": "localhost", "port": %s, "database": "postgres", "user": "reader", "password": "fuzz-password-of-reader"}}',
	current_setting('port')));
SELECT dqds_create_connection('a/b "ü"', '{"provider_type": "oracle", "oracle": {"host": "x", "database": "d", "user": "u", "password": "kept-aside-for-oracle"}}');
SELECT dqds_grant_connection(name, role) FROM dqds_connection, unnest('{anonymous,editor}'::regrole[]) AS role WHERE name <> 'stored';

-- Only the latest objects created by requests are kept, so that all inputs find much the same state.
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	DELETE FROM public.dqds_connection WHERE owner = 'editor'::regrole AND id <> NEW.id;
	RETURN NULL;
END
$$;
CREATE TRIGGER forget AFTER INSERT ON dqds_connection FOR EACH ROW EXECUTE FUNCTION forget();
