-- What make run puts into an empty node: a small shop, to have something to ask.
CREATE SCHEMA shop;
CREATE TABLE shop.customer (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    country char(2) NOT NULL,
    since date NOT NULL);
CREATE TABLE shop.product (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    price numeric(8,2) NOT NULL CHECK (price > 0));
CREATE TABLE shop.sale (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer integer NOT NULL REFERENCES shop.customer,
    product integer NOT NULL REFERENCES shop.product,
    quantity integer NOT NULL CHECK (quantity > 0),
    day date NOT NULL);
INSERT INTO shop.customer (name, country, since)
    SELECT 'customer ' || n, (ARRAY['DE', 'FR', 'GB', 'US', 'JP'])[1 + n % 5], date '2020-01-01' + n % 1000
    FROM generate_series(1, 500) n;
INSERT INTO shop.product (name, price)
    SELECT 'product ' || n, 1 + (n * 37 % 500) + 0.99 FROM generate_series(1, 100) n;
INSERT INTO shop.sale (customer, product, quantity, day)
    SELECT 1 + n * 7919 % 500, 1 + n * 104729 % 100, 1 + n % 5, date '2024-01-01' + n % 365
    FROM generate_series(1, 20000) n;
CREATE INDEX ON shop.sale (customer);
CREATE VIEW shop.revenue AS
    SELECT date_trunc('month', day) AS month, country, sum(quantity * price) AS revenue
    FROM shop.sale JOIN shop.customer ON customer.id = sale.customer JOIN shop.product ON product.id = sale.product
    GROUP BY 1, 2;
