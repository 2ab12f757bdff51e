-- sample_mariadb.sql: what the MariaDB of `make run` contains. Run once, by root.
-- The user sample_reader exists already; it is the one that sample_mariadb logs in as.
CREATE DATABASE warehouse CHARACTER SET utf8mb4;
USE warehouse;

CREATE TABLE bins (
    bin_id int AUTO_INCREMENT PRIMARY KEY,
    aisle char(2) NOT NULL,
    capacity int NOT NULL COMMENT 'in parcels'
) COMMENT 'Where goods lie';
INSERT INTO bins (aisle, capacity)
SELECT CHAR(65 + seq MOD 20), 50 + seq MOD 7 FROM seq_1_to_100;

CREATE TABLE stock (
    sku varchar(32) NOT NULL COMMENT 'as in the shop',
    bin_id int NOT NULL,
    quantity decimal(10, 2) NOT NULL DEFAULT 0,
    counted_at datetime,
    PRIMARY KEY (sku, bin_id)
) COMMENT 'What lies where';
INSERT INTO stock (sku, bin_id, quantity, counted_at)
SELECT CONCAT('SKU-', LPAD(1 + seq MOD 40, 5, '0')), 1 + seq MOD 100, seq MOD 25, '2026-01-01' + INTERVAL seq MINUTE FROM seq_1_to_200;

CREATE VIEW out_of_stock AS SELECT sku, SUM(quantity) AS quantity FROM stock GROUP BY sku HAVING SUM(quantity) = 0;

ANALYZE TABLE bins, stock;
GRANT SELECT ON warehouse.* TO sample_reader@'127.0.0.1';
