-- The remote source that the registry of 1.0 was filled from, and that the test of the upgrade connects to.
SET password_encryption = 'scram-sha-256';
CREATE ROLE reader LOGIN PASSWORD 'reader-secret';
CREATE ROLE dollars LOGIN PASSWORD 'a$${b$c';
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id integer PRIMARY KEY, price numeric(10,2) NOT NULL, note varchar(20));
COMMENT ON COLUMN shop.orders.price IS 'without tax';
CREATE VIEW shop.recent AS SELECT id, price FROM shop.orders;
COMMENT ON VIEW shop.recent IS 'of this month';
CREATE TABLE shop.odd ("a ""b"" 😀" text);
CREATE SCHEMA spare;
CREATE TABLE spare.alone (id integer);
GRANT USAGE ON SCHEMA shop, spare TO reader, dollars;
GRANT SELECT ON ALL TABLES IN SCHEMA shop, spare TO reader, dollars;
