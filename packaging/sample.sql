-- sample.sql: what the sample source of `make run` contains. Run once, by the superuser, in the new database "sample".
-- The role sample_reader exists already; it is the one that sample_connection logs in as.
\set ON_ERROR_STOP on
BEGIN;

CREATE SCHEMA sample_schema;
COMMENT ON SCHEMA sample_schema IS 'A small shop';
CREATE SCHEMA reference_data;
COMMENT ON SCHEMA reference_data IS 'What other schemas refer to';

CREATE TABLE reference_data.countries (
    country_code char(2) PRIMARY KEY,
    country_name text NOT NULL
);
COMMENT ON TABLE reference_data.countries IS 'Countries by ISO 3166-1 alpha-2 code';
INSERT INTO reference_data.countries VALUES
    ('AT', 'Austria'), ('DE', 'Germany'), ('FR', 'France'), ('PL', 'Poland'), ('US', 'United States');

CREATE TABLE reference_data.currencies (
    currency_code char(3) PRIMARY KEY,
    currency_name text NOT NULL,
    minor_units smallint NOT NULL DEFAULT 2
);
COMMENT ON TABLE reference_data.currencies IS 'Currencies by ISO 4217 code';
INSERT INTO reference_data.currencies VALUES ('EUR', 'Euro'), ('PLN', 'Zloty'), ('USD', 'US dollar');

CREATE TABLE sample_schema.customers (
    customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email varchar(254) NOT NULL UNIQUE,
    full_name text NOT NULL,
    country_code char(2) NOT NULL REFERENCES reference_data.countries,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sample_schema.customers IS 'Customers who have placed an order';
COMMENT ON COLUMN sample_schema.customers.email IS 'Login name and address for invoices';
INSERT INTO sample_schema.customers (email, full_name, country_code, created_at)
SELECT format('customer%s@example.com', n), format('Customer %s', n),
       (ARRAY['AT', 'DE', 'FR', 'PL', 'US'])[1 + n % 5], timestamptz '2024-01-01 UTC' + n * interval '1 day'
FROM generate_series(1, 200) AS n;

CREATE TABLE sample_schema.products (
    product_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku varchar(32) NOT NULL UNIQUE,
    product_name text NOT NULL,
    unit_price numeric(12, 2) NOT NULL CHECK (unit_price >= 0),
    attributes jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE sample_schema.products IS 'What the shop sells';
INSERT INTO sample_schema.products (sku, product_name, unit_price, attributes)
SELECT format('SKU-%s', lpad(n::text, 5, '0')), format('Product %s', n), 5 + n * 1.25, jsonb_build_object('weight_g', n * 100)
FROM generate_series(1, 40) AS n;

CREATE TABLE sample_schema.orders (
    order_id bigint NOT NULL,
    order_date date NOT NULL,
    customer_id bigint NOT NULL REFERENCES sample_schema.customers,
    currency_code char(3) NOT NULL REFERENCES reference_data.currencies,
    PRIMARY KEY (order_id, order_date)
) PARTITION BY RANGE (order_date);
COMMENT ON TABLE sample_schema.orders IS 'Orders, a partition for each year';
CREATE TABLE sample_schema.orders_2024 PARTITION OF sample_schema.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE sample_schema.orders_2025 PARTITION OF sample_schema.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE sample_schema.orders_2026 PARTITION OF sample_schema.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO sample_schema.orders
SELECT n, date '2024-01-01' + n, 1 + n % 200, (ARRAY['EUR', 'PLN', 'USD'])[1 + n % 3]
FROM generate_series(1, 1000) AS n;

CREATE TABLE sample_schema.order_items (
    order_id bigint NOT NULL,
    order_date date NOT NULL,
    line_number integer NOT NULL,
    product_id bigint NOT NULL REFERENCES sample_schema.products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(12, 2) NOT NULL,
    PRIMARY KEY (order_id, order_date, line_number),
    FOREIGN KEY (order_id, order_date) REFERENCES sample_schema.orders
);
COMMENT ON TABLE sample_schema.order_items IS 'The lines of each order, with the price of that day';
INSERT INTO sample_schema.order_items
SELECT o.order_id, o.order_date, line, p.product_id, 1 + line % 3, p.unit_price
FROM sample_schema.orders AS o, generate_series(1, 2) AS line, sample_schema.products AS p
WHERE p.product_id = 1 + (o.order_id + line) % 40;

CREATE VIEW sample_schema.customer_totals AS
SELECT c.customer_id, c.full_name, o.currency_code, sum(i.quantity * i.unit_price) AS total
FROM sample_schema.customers AS c
JOIN sample_schema.orders AS o USING (customer_id)
JOIN sample_schema.order_items AS i USING (order_id, order_date)
GROUP BY c.customer_id, c.full_name, o.currency_code;
COMMENT ON VIEW sample_schema.customer_totals IS 'What each customer has bought so far';

CREATE MATERIALIZED VIEW sample_schema.monthly_sales AS
SELECT date_trunc('month', o.order_date)::date AS month, o.currency_code, sum(i.quantity * i.unit_price) AS total
FROM sample_schema.orders AS o
JOIN sample_schema.order_items AS i USING (order_id, order_date)
GROUP BY 1, 2;
COMMENT ON MATERIALIZED VIEW sample_schema.monthly_sales IS 'Turnover by month and currency';

GRANT USAGE ON SCHEMA sample_schema, reference_data TO sample_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA sample_schema, reference_data TO sample_reader;

COMMIT;
ANALYZE;
