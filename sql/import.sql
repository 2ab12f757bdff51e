-- import: tables of a source with their columns, in the registry; again, to bring them up to date.
\pset format unaligned

SELECT dqds_create_connection('self', self());
CREATE SCHEMA shop;
CREATE SCHEMA other;
GRANT USAGE ON SCHEMA shop, other TO regress_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop, other GRANT SELECT ON TABLES TO regress_reader;
CREATE TABLE shop.orders (id integer PRIMARY KEY, price numeric(10,2) NOT NULL, note varchar(40));
CREATE TABLE shop.order_lines (id integer, number integer, at timestamptz, PRIMARY KEY (id, number));
CREATE TABLE shop.customers (id integer, name text);
CREATE VIEW shop.recent AS SELECT id, price FROM shop.orders;
CREATE TABLE shop.nothing ();
CREATE TABLE shop."100%_x\" (a integer);
CREATE TABLE shop."100% x" (a integer);
CREATE TABLE other.orders (id integer);
COMMENT ON TABLE shop.orders IS 'what was bought';

-- A substring, a list of names, a limit, and both together; each table once.
SELECT * FROM dqds_import_tables('self', 'shop', '%_x\');
SELECT * FROM dqds_import_tables('self', 'shop', NULL, ARRAY['customers', 'no such table', NULL, 'customers']);
SELECT * FROM dqds_import_tables('self', 'shop', 'order', '{orders,customers}');
SELECT table_name, status FROM dqds_import_tables('self', 'shop', tables_import_limit => 2);
SELECT table_name, status FROM dqds_import_tables('self', 'shop', '', '{recent,order_lines}', 1);
SELECT count(*) AS tables FROM dqds_import_tables('self', 'shop', tables_import_limit => 0);
SELECT count(*) AS tables FROM dqds_import_tables('self', 'shop', table_names => '{}');
SELECT count(*) AS tables FROM dqds_import_tables('self', 'no such schema');
SELECT attempt($$SELECT * FROM dqds_import_tables('self', 'shop', tables_import_limit => -1)$$);
-- What is imported shows in the listings, of the table and of its schema, and nowhere else.
SELECT table_name, already_imported FROM dqds_list_tables('self', 'shop');
SELECT table_name, already_imported FROM dqds_list_tables('self', 'other');
SELECT schema_name, already_imported FROM dqds_list_schemas('self');
SELECT element ->> 'tableName' AS imported FROM dqds_list_tables_json('self', 'shop', NULL, NULL, false) AS piece,
	json_array_elements(piece::json) AS element WHERE element -> 'alreadyImported' IS NOT NULL AND (element ->> 'alreadyImported')::boolean;
SELECT table_name FROM dqds_list_tables(self('{}', '{"connection_name": "self"}'), 'shop') WHERE already_imported;
SELECT count(*) AS imported FROM dqds_list_tables(self(), 'shop') WHERE already_imported;

-- The whole schema; the views show what is stored.
SELECT * FROM dqds_import_tables('self', 'shop');
SELECT connection_name, schema_name, table_name, table_kind, comment, imported_at = updated_at AS as_imported
FROM dqds_imported_tables ORDER BY table_name;
SELECT table_name, ordinal_position AS n, column_name, column_type, length, "precision", scale, nullable, primary_key, comment
FROM dqds_imported_columns ORDER BY table_name, n;

-- Again: nothing has changed, nothing is doubled.
SELECT table_name, status, column_count FROM dqds_import_tables('self', 'shop');
SELECT count(*) AS tables, count(DISTINCT table_name) AS names, count(*) FILTER (WHERE updated_at > imported_at) AS updated FROM dqds_imported_tables;
-- Each kind of change: a column more, less, of another type, nullable, name, comment, key; a comment; another kind; rows alone.
ALTER TABLE shop.orders ADD added date;
ALTER TABLE shop.order_lines DROP number;
ALTER TABLE shop.customers ALTER name TYPE varchar(100);
ALTER TABLE shop."100% x" ALTER a SET NOT NULL;
ALTER TABLE shop."100%_x\" RENAME a TO b;
CREATE OR REPLACE VIEW shop.recent AS SELECT id, price, note FROM shop.orders;
INSERT INTO shop.orders VALUES (1, 1);
ANALYZE shop.orders;
COMMENT ON TABLE shop.nothing IS 'still nothing';
CREATE TABLE shop.young (id integer);
SELECT table_name, status, column_count FROM dqds_import_tables('self', 'shop');
SELECT table_name, ordinal_position AS n, column_name, column_type, length, nullable, primary_key FROM dqds_imported_columns ORDER BY table_name, n;
SELECT table_name, table_kind, comment, updated_at > imported_at AS updated FROM dqds_imported_tables
ORDER BY table_name;
SELECT table_name, status FROM dqds_import_tables('self', 'shop') WHERE status <> 'unchanged';
COMMENT ON COLUMN shop.young.id IS 'commented';
SELECT table_name, status FROM dqds_import_tables('self', 'shop') WHERE status <> 'unchanged';
ALTER TABLE shop.young ADD PRIMARY KEY (id);
SELECT table_name, status FROM dqds_import_tables('self', 'shop') WHERE status <> 'unchanged';
DROP TABLE shop.young;
CREATE MATERIALIZED VIEW shop.young AS SELECT 1 AS id;
SELECT table_name, status FROM dqds_import_tables('self', 'shop') WHERE status <> 'unchanged';
INSERT INTO shop.customers SELECT i FROM generate_series(1, 10) AS i;
ANALYZE shop.customers;
SELECT table_name, status FROM dqds_import_tables('self', 'shop') WHERE status <> 'unchanged';
SELECT estimated_rows FROM dqds_imported_tables WHERE table_name = 'customers';
-- A table that is gone stays as it was imported; its name in an import names nothing.
DROP TABLE shop.customers;
SELECT table_name, status, column_count FROM dqds_import_tables('self', 'shop', table_names => '{customers}');
SELECT table_name, count(column_name) AS columns FROM dqds_imported_columns WHERE table_name = 'customers' GROUP BY table_name;

-- Another schema, with a table of the same name; another connection; a model that names its connection.
SELECT table_name, status, column_count FROM dqds_import_tables('self', 'other');
SELECT dqds_create_connection('twin', self());
SELECT table_name, status FROM dqds_import_tables('twin', 'other');
SELECT table_name, status FROM dqds_import_tables(self('{}', '{"connection_name": "twin"}'), 'other');
SELECT attempt($$SELECT * FROM dqds_import_tables(self(), 'other')$$);
SELECT attempt($$SELECT * FROM dqds_import_tables(self('{}', '{"connection_name": "unknown"}'), 'other')$$);
SELECT connection_name, schema_name, table_name FROM dqds_imported_tables WHERE table_name = 'orders' ORDER BY 1, 2;
-- A failing import stores nothing, and one that is rolled back is gone.
SELECT attempt($$SELECT * FROM dqds_import_tables(self('{"password": "wrong"}', '{"connection_name": "twin"}'), 'shop')$$);
BEGIN;
SELECT count(*) > 0 AS imported FROM dqds_import_tables('twin', 'shop');
SELECT count(*) > 0 AS imported FROM dqds_list_tables('twin', 'shop') WHERE already_imported;
ROLLBACK;
SELECT count(*) AS imported FROM dqds_list_tables('twin', 'shop') WHERE already_imported;

-- For the bridge: parameters and answer as JSON.
CREATE FUNCTION answer(parameters text, business_key text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT string_agg(piece, '')::jsonb FROM dqds_import_tables_json(parameters, business_key) AS piece
$$;
SELECT jsonb_pretty(answer('{"connectionName": "self", "schemaName": "shop", "tableNames": ["orders"], "ignored": [1]}') - 'jobId');
SELECT jsonb_object_keys(answer('{"connectionName": "self", "schemaName": "shop", "tablesImportLimit": 1}', 'my key') -> 'jobId') AS of_job;
SELECT jsonb_array_length(answer(format('{"connectionName": "self", "schemaName": "shop", %s}', rest)) #> '{result,source_table_specs}') AS tables, rest
FROM unnest(ARRAY['"tableNames": []', '"tableNames": null', '"tableNameContains": "order"', '"tableNameContains": ""', '"tablesImportLimit": 2',
	'"tablesImportLimit": 0', '"tableNameContains": "order", "tableNames": ["orders", "recent"], "tablesImportLimit": 5']) AS rest;
-- The columns stand in their order.
SELECT key AS column, value #>> '{type_snapshot,column_type}' AS type
FROM (SELECT string_agg(piece, '')::json #> '{result,source_table_specs,0,columns}'
		FROM dqds_import_tables_json('{"connectionName": "self", "schemaName": "shop", "tableNames": ["orders"]}', NULL) AS piece) AS spec (columns),
	json_each(spec.columns);
SELECT parameters, attempt(format('SELECT answer(%L)', parameters)) FROM unnest(ARRAY['{', '[]', '"x"', '{}', '{"connectionName": "self"}',
	'{"connectionName": 5, "schemaName": "shop"}', '{"connectionName": "self", "schemaName": ["shop"]}',
	'{"connectionName": "self", "schemaName": "shop", "tableNames": "orders"}', '{"connectionName": "self", "schemaName": "shop", "tableNames": [1]}',
	'{"connectionName": "self", "schemaName": "shop", "tableNameContains": 1}', '{"connectionName": "self", "schemaName": "shop", "tablesImportLimit": "1"}',
	'{"connectionName": "self", "schemaName": "shop", "tablesImportLimit": -1}', '{"connectionName": "self", "schemaName": "shop", "tablesImportLimit": 1.5}',
	'{"connectionName": "self", "schemaName": "shop", "tablesImportLimit": 1e99}', '{"connectionName": "unknown", "schemaName": "shop"}',
	'{"connectionName": "{}", "schemaName": "shop"}']) AS parameters;
SELECT attempt('SELECT answer(NULL)');

-- Unimport: some, all of a schema, none.
SELECT dqds_unimport_tables('self', 'shop', ARRAY['orders', 'no such table', NULL, 'recent']);
SELECT table_name FROM dqds_list_tables('self', 'shop') WHERE NOT already_imported;
SELECT dqds_unimport_tables('self', 'shop', '{}'), dqds_unimport_tables('self', 'no such schema');
SELECT dqds_unimport_tables('self', 'shop') AS all, dqds_unimport_tables('self', 'shop') AS none;
SELECT schema_name, already_imported FROM dqds_list_schemas('self') WHERE schema_name IN ('shop', 'other');
SELECT dqds_unimport_tables(self('{}', '{"connection_name": "twin"}'), 'other');
SELECT attempt($$SELECT dqds_unimport_tables(self(), 'other')$$);
SELECT connection_name, schema_name, table_name FROM dqds_imported_tables;
SELECT count(*) AS columns FROM dqds_imported_column;

SELECT dqds_drop_connection('self'), dqds_drop_connection('twin');
DROP FUNCTION answer;
SET client_min_messages = warning;
DROP SCHEMA shop, other CASCADE;
