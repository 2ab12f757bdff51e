-- listing: schemas, tables and columns of a source, as rows of a query.
\pset format unaligned

SELECT dqds_create_connection('self', self());
CREATE SCHEMA shop;
CREATE SCHEMA "Zoo's ""best"", 100%_x\ 😀";
CREATE SCHEMA empty;
CREATE SCHEMA closed;
GRANT USAGE ON SCHEMA shop, "Zoo's ""best"", 100%_x\ 😀", empty TO regress_reader;
CREATE TABLE shop.orders (id integer PRIMARY KEY, price numeric(10,2) NOT NULL, note varchar(40), placed timestamp(3));
CREATE TABLE shop."Orders" (id integer);
CREATE TABLE shop.customers (id integer, name text);
COMMENT ON TABLE shop.customers IS 'who buys';
COMMENT ON COLUMN shop.customers.name IS 'as on the letter';
CREATE VIEW shop.recent AS SELECT * FROM shop.orders;
CREATE MATERIALIZED VIEW shop.totals AS SELECT count(*) FROM shop.orders;
CREATE TABLE shop.by_day (day date) PARTITION BY RANGE (day);
CREATE TABLE shop.by_day_2024 PARTITION OF shop.by_day FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.hidden (id integer);
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO regress_reader;
REVOKE ALL ON shop.hidden FROM regress_reader;
CREATE TABLE "Zoo's ""best"", 100%_x\ 😀"."it's ""quoted""" ("a ""column""" integer, "مرحبا" text);
GRANT SELECT ON ALL TABLES IN SCHEMA "Zoo's ""best"", 100%_x\ 😀" TO regress_reader;
INSERT INTO shop.customers SELECT i, 'x' FROM generate_series(1, 7) AS i;
ANALYZE shop.customers;

-- Schemas: those that the user may use, by code point; system schemas only when asked for; temporary ones never.
CREATE TEMP TABLE temporary (id integer);
SELECT schema_name, already_imported, import_table_job_parameters FROM dqds_list_schemas('self') WHERE connection_name = 'self';
SELECT schema_name FROM dqds_list_schemas('self', true);
SELECT schema_name FROM dqds_list_schemas('self', NULL) EXCEPT SELECT schema_name FROM dqds_list_schemas('self', false);
SELECT connection_name, import_table_job_parameters FROM dqds_list_schemas(self()) WHERE schema_name = 'shop';
SELECT connection_name, import_table_job_parameters FROM dqds_list_schemas(self('{}', '{"connection_name": "not registered"}')) WHERE schema_name = 'shop';

-- Tables, with what they are.
SELECT table_name, already_imported, table_kind, estimated_rows, comment FROM dqds_list_tables('self', 'shop')
WHERE (connection_name, schema_name) = ('self', 'shop');
SELECT schema_name, table_name FROM dqds_list_tables('self', 'Zoo''s "best", 100%_x\ 😀');
SELECT count(*) AS tables FROM dqds_list_tables('self', 'empty');
SELECT count(*) > 50 AS tables FROM dqds_list_tables('self', 'pg_catalog');
-- An unknown schema, or another spelling of a known one, has no tables.
SELECT left(schema, 40) AS schema, (SELECT count(*) FROM dqds_list_tables('self', schema)) AS tables, (SELECT count(*) FROM dqds_list_columns('self', schema)) AS columns
FROM unnest(ARRAY['Shop', 'shop ', 'sho', 'sh%', '', 'no such schema', '"shop"', 'shop''; DROP TABLE shop.orders --', 'pg_temp', repeat('x', 20000)]) AS schema;
SELECT count(*) AS tables FROM dqds_list_tables('self', (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()));

-- table_name_contains is a piece of the name as it stands: no pattern, and upper case is upper case.
CREATE TABLE shop."100%_x\" (id integer);
CREATE TABLE shop."100% x" (id integer);
CREATE TABLE shop."a'b" (id integer);
GRANT SELECT ON shop."100%_x\", shop."100% x", shop."a'b" TO regress_reader;
SELECT left(piece, 40) AS piece, (SELECT string_agg(table_name, ', ' ORDER BY table_name COLLATE "C") FROM dqds_list_tables('self', 'shop', piece)) AS tables
FROM unnest(ARRAY['100%_x\', '%', '_', '\', '''', 'rder', 'Order', 'ORDER', 'ers', '.', '', '$1', 'no such piece', repeat('x', 5000)]) AS piece;
SELECT count(*) = (SELECT count(*) FROM dqds_list_tables('self', 'shop')) AS no_filter FROM dqds_list_tables('self', 'shop', NULL, NULL);

-- max_rows is there when asked for, and counts after the filter.
SELECT max_rows, (SELECT string_agg(table_name, ', ') FROM dqds_list_tables('self', 'shop', '', max_rows)) AS all,
	(SELECT string_agg(table_name, ', ') FROM dqds_list_tables('self', 'shop', 'by_day', max_rows)) AS by_day
FROM unnest(ARRAY[0, 1, 2, 2147483647]) AS max_rows;
SELECT attempt($$SELECT * FROM dqds_list_tables('self', 'shop', '', -1)$$);

-- Columns: of all tables, of some, of none.
SELECT table_name, ordinal_position AS n, column_name, column_type, length, "precision", scale, nullable, primary_key, comment
FROM dqds_list_columns('self', 'shop', ARRAY['orders', 'customers', 'no such table', NULL, 'hidden']);
SELECT count(DISTINCT table_name) AS tables FROM dqds_list_columns('self', 'shop');
SELECT table_name, column_name FROM dqds_list_columns('self', 'Zoo''s "best", 100%_x\ 😀', ARRAY['it''s "quoted"']);
SELECT count(*) AS columns FROM dqds_list_columns('self', 'shop', '{}');
-- The user sees the columns that he has a privilege on.
GRANT SELECT (id) ON shop.hidden TO regress_reader;
ALTER TABLE shop.hidden ADD secret text;
SELECT table_name, column_name FROM dqds_list_tables('self', 'shop', 'hidden') JOIN dqds_list_columns('self', 'shop') USING (table_name);

-- Joined with each other and with local tables, filtered, grouped, in a view, in WHERE, in the SELECT list.
SELECT s.schema_name, count(t.table_name) AS tables
FROM dqds_list_schemas('self') s LEFT JOIN dqds_list_tables('self', s.schema_name) t ON true
WHERE s.schema_name <> 'public' GROUP BY s.schema_name ORDER BY tables DESC, s.schema_name COLLATE "C";
SELECT t.table_name, n.nspname FROM dqds_list_tables('self', 'shop') t JOIN pg_class c ON c.relname = t.table_name
	JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.table_kind = 'partition';
SELECT table_name FROM dqds_list_tables('self', 'shop') WHERE table_name IN (SELECT table_name FROM dqds_list_columns('self', 'shop')
	WHERE column_type = 'numeric') ORDER BY table_name DESC;
CREATE VIEW views_of_shop AS SELECT table_name FROM dqds_list_tables('self', 'shop') WHERE table_kind LIKE '%view';
SELECT * FROM views_of_shop;
DROP VIEW shop.recent;
SELECT * FROM views_of_shop;
SELECT schema_name FROM dqds_list_schemas('self') WHERE EXISTS (SELECT FROM dqds_list_tables('self', schema_name) t WHERE t.schema_name = 'shop');
SELECT (t).table_name, (t).table_kind FROM (SELECT dqds_list_tables('self', 'shop', 'by_day') AS t) AS q;
SELECT (dqds_list_schemas('self')).schema_name LIMIT 2;
SELECT dqds_list_schemas('self'), replace(dqds_list_tables('self', 'shop', 'by_day')::text, ',' || current_user || ',', ',OWNER,') AS dqds_list_tables LIMIT 1;
SELECT generate_series(1, 2) AS n, (dqds_list_tables('self', 'shop', 'by_day', n)).table_name FROM generate_series(1, 2) AS n;
-- A LIMIT leaves the session clean, and calls within one query do not collide.
SELECT table_name FROM dqds_list_tables('self', 'shop') LIMIT 1;
SELECT a.table_name FROM dqds_list_tables('self', 'shop', 'cust') a, dqds_list_tables('self', 'shop', 'cust') b, dqds_list_schemas('self') s
WHERE s.schema_name = a.schema_name AND a = b LIMIT 1;
SELECT count(*) > 0 AS both FROM dqds_list_tables('self', 'shop') a FULL JOIN dqds_list_tables('self', 'pg_catalog') b USING (table_name);
BEGIN;
DECLARE c CURSOR FOR SELECT table_name FROM dqds_list_tables('self', 'shop');
FETCH 2 FROM c;
SELECT table_name FROM dqds_list_tables('self', 'shop', 'tot');
FETCH 1 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
CREATE TABLE snapshot AS SELECT now() AS at, * FROM dqds_list_tables('self', 'shop');
INSERT INTO snapshot SELECT now(), * FROM dqds_list_tables('self', 'shop');
SELECT count(*) = 2 * count(DISTINCT table_name) AS twice FROM snapshot;
PREPARE p (text) AS SELECT table_name FROM dqds_list_tables('self', 'shop', $1);
EXECUTE p ('tot');
EXECUTE p ('by');
-- In a subtransaction that fails, and after an error of the remote, the next call is as good as the first.
SELECT attempt($$SELECT 1 / 0 FROM dqds_list_tables('self', 'shop')$$);
SELECT table_name FROM dqds_list_tables('self', 'shop', 'tot');
SELECT attempt($$SELECT * FROM dqds_list_tables(self('{"database": "no such database"}'), 'shop')$$);
SELECT table_name FROM dqds_list_tables('self', 'shop', 'tot');

-- What the remote user's search_path holds plays no part.
CREATE SCHEMA trap;
GRANT USAGE ON SCHEMA trap TO regress_reader;
CREATE FUNCTION trap.sprung(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung'; END $$;
CREATE FUNCTION trap.sprung("char", "char") RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung'; END $$;
CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = text, FUNCTION = trap.sprung);
CREATE OPERATOR trap.= (LEFTARG = "char", RIGHTARG = "char", FUNCTION = trap.sprung);
CREATE FUNCTION trap.has_schema_privilege(oid, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung'; END $$;
CREATE TABLE trap.pg_class (relname text);
CREATE TYPE trap.text AS (a integer);
ALTER ROLE regress_reader SET search_path = trap, pg_catalog;
SELECT dqds_close_idle() > 0 AS closed;
SELECT table_name, table_kind FROM dqds_list_tables('self', 'shop', 'tot');
SELECT count(*) > 0 AS listed FROM dqds_list_schemas('self', true);
SELECT table_name, column_name, column_type FROM dqds_list_columns('self', 'shop', '{totals}');
ALTER ROLE regress_reader RESET search_path;

-- JSON for the bridge: the same, in pieces that make one document.
SELECT string_agg(piece, '')::json AS document FROM dqds_list_tables_json('self', 'shop', 'by_day', NULL, false) AS piece;
SELECT replace(string_agg(piece, ''), '"owner":' || to_json(current_user::text), '"owner":"OWNER"')::json AS document
FROM dqds_list_tables_json('self', 'shop', 'cust', 1, true) AS piece;
SELECT string_agg(piece, '')::json AS document FROM dqds_list_tables_json('self', 'no such schema', NULL, NULL, true) AS piece;
SELECT element ->> 'schemaName' AS schema, element - 'schemaName' AS rest
FROM dqds_list_schemas_json('self', false) AS piece, jsonb_array_elements(piece::jsonb) AS element;
SELECT count(*) = (SELECT count(*) FROM dqds_list_tables('self', 'pg_catalog')) AS whole
FROM (SELECT string_agg(piece, '')::json AS document FROM dqds_list_tables_json('self', 'pg_catalog', NULL, NULL, true) AS piece) AS d,
	json_array_elements(document);

SELECT dqds_drop_connection('self');
SET client_min_messages = warning;
DROP TABLE snapshot;
DROP VIEW views_of_shop;
DROP SCHEMA shop, "Zoo's ""best"", 100%_x\ 😀", empty, closed, trap CASCADE;
