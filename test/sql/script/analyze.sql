-- What ANALYZE finds out, as pg_stats shows it: of tables that are read whole both servers find the same.
CREATE TABLE seen (id int PRIMARY KEY, few int, many numeric, word text, padded char(4), flag boolean,
    day date, moment timestamp, real8 float8, holes int, nothing int, long text, list int[], document jsonb, plain json, mark uuid);
INSERT INTO seen SELECT n, n % 7, n * 1.5, 'word ' || n % 300, chr(65 + n % 4), n % 3 = 0, date '2024-01-01' + n % 90,
    timestamp '2024-01-01' + n % 50 * interval '1 hour', n / 4.0, CASE WHEN n % 5 > 0 THEN n END, NULL, repeat('x', n % 40),
    ARRAY[n % 3, n % 2], jsonb_build_object('a', n % 4), '{}', md5((n % 10)::text)::uuid
    FROM generate_series(1, 2000) n;
ANALYZE seen;
SELECT attname, null_frac, n_distinct, correlation FROM pg_stats WHERE tablename = 'seen' ORDER BY attname;
SELECT attname, most_common_vals, most_common_freqs FROM pg_stats WHERE tablename = 'seen' AND attname NOT IN ('list', 'word')
    ORDER BY attname;
SELECT attname, histogram_bounds FROM pg_stats WHERE tablename = 'seen' ORDER BY attname;
SELECT attname, avg_width FROM pg_stats WHERE tablename = 'seen' AND attname NOT IN ('many', 'list', 'document') ORDER BY attname;
SELECT reltuples FROM pg_class WHERE relname IN ('seen', 'seen_pkey') ORDER BY relname;
-- some columns, a smaller target, none of the name
DELETE FROM seen WHERE id > 1000;
SET default_statistics_target = 4;
ANALYZE seen (few, id);
RESET default_statistics_target;
SELECT attname, n_distinct, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'seen' AND attname IN ('few', 'id', 'many')
    ORDER BY attname;
ANALYZE seen (few, missing);
ANALYZE seen (few, few);
ANALYZE missing;
ANALYZE public.missing;
-- it is of the transaction, and goes with the column and the table
BEGIN;
DELETE FROM seen;
ANALYZE seen;
SELECT reltuples FROM pg_class WHERE relname = 'seen';
ROLLBACK;
-- differs: there what ANALYZE writes to pg_class stays when the transaction is rolled back
SELECT reltuples FROM pg_class WHERE relname = 'seen';
ALTER TABLE seen DROP COLUMN few;
SELECT count(*) FROM pg_stats WHERE tablename = 'seen';
VACUUM (ANALYZE) seen;
BEGIN;
VACUUM seen;
ROLLBACK;
CREATE VIEW looks AS SELECT * FROM seen;
ANALYZE looks;
DROP TABLE seen CASCADE;
SELECT count(*) FROM pg_stats WHERE tablename = 'seen';
CREATE TABLE empty (a int);
ANALYZE empty;
SELECT count(*) FROM pg_stats WHERE tablename = 'empty';
SELECT reltuples FROM pg_class WHERE relname = 'empty';
-- who may
CREATE ROLE visitor;
GRANT SELECT ON empty TO visitor;
SET ROLE visitor;
ANALYZE empty;
ANALYZE pg_class;
VACUUM empty;
RESET ROLE;
DROP TABLE empty;
DROP ROLE visitor;
