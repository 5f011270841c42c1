-- Merge joins and sorted groups: every kind of join, duplicates on both sides, nulls, groups longer than a batch and than work_mem,
-- inputs that come in order by key and index or are sorted; and look-up joins, which keep the order, too.
CREATE TABLE a (id integer PRIMARY KEY, k integer, j integer, t text, n numeric);
CREATE TABLE b (id integer PRIMARY KEY, k integer, j integer, t text, n numeric);
INSERT INTO a SELECT i, CASE WHEN i % 13 = 0 THEN NULL ELSE (i * 7) % 1500 END, i % 5,
    CASE WHEN i % 11 = 0 THEN NULL ELSE 'w' || i % 300 END, (i % 40) / 4.0 FROM generate_series(1, 4000) AS i;
INSERT INTO b SELECT i, CASE WHEN i % 17 = 0 THEN NULL ELSE (i * 3) % 1100 + 300 END, i % 7,
    CASE WHEN i % 9 = 0 THEN NULL ELSE 'w' || i % 450 END, (i % 60) / 4.0 FROM generate_series(1, 5000) AS i;
CREATE INDEX ON a (k, j);
CREATE INDEX ON b (k);
CREATE TABLE lots (k integer, v integer, t text);
INSERT INTO lots SELECT CASE WHEN i <= 3000 THEN 7 WHEN i <= 4000 THEN NULL ELSE i % 500 END, i, repeat('x', i % 40)
    FROM generate_series(1, 8000) AS i;
CREATE TABLE empty (k integer PRIMARY KEY);
ANALYZE;

SET enable_hashjoin = off;
SET enable_nestloop = off;
SET enable_hashagg = off;

-- kinds
SELECT count(*), sum(a.id), sum(b.id) FROM a JOIN b ON a.k = b.k;
SELECT count(*), sum(a.id), sum(b.id), count(b.id) FROM a LEFT JOIN b ON a.k = b.k;
SELECT count(*), sum(a.id), sum(b.id), count(a.id) FROM a RIGHT JOIN b ON a.k = b.k;
SELECT count(*), sum(a.id), sum(b.id), count(a.id), count(b.id) FROM a FULL JOIN b ON a.k = b.k;
SELECT count(*), sum(id) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
SELECT count(*), sum(id) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
SELECT count(*), sum(id) FROM a WHERE k IN (SELECT k FROM b WHERE j = 3);
SELECT count(*), sum(id) FROM a WHERE k NOT IN (SELECT k FROM b WHERE k IS NOT NULL);
-- conditions besides
SELECT count(*), sum(a.id), sum(b.id) FROM a JOIN b ON a.k = b.k AND a.id < b.id;
SELECT count(*), sum(a.id), sum(b.id), count(b.id) FROM a LEFT JOIN b ON a.k = b.k AND a.j < b.j;
SELECT count(*), sum(a.id), sum(b.id), count(a.id) FROM a RIGHT JOIN b ON a.k = b.k AND a.j > b.j;
SELECT count(*), sum(a.id), sum(b.id), count(a.id), count(b.id) FROM a LEFT JOIN b ON a.k = b.k AND a.t = b.t AND a.j + b.j = 4;
SELECT count(*), sum(id) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.j > a.j);
SELECT count(*), sum(id) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.j > a.j);
SELECT count(*), sum(a.id), sum(b.id), count(a.id), count(b.id) FROM a FULL JOIN b ON a.k = b.k AND a.j = b.j;
-- several keys, other types, expressions
SELECT count(*), sum(a.id), sum(b.id) FROM a JOIN b ON a.t = b.t AND a.n = b.n;
SELECT count(*), sum(a.id), sum(b.id) FROM a JOIN b ON a.n = b.n AND a.k + 1 = b.k + 1;
SELECT count(*), sum(a.id), sum(b.id) FROM a JOIN b ON a.id = b.id::bigint;
SELECT count(*), sum(a.id), count(b.id) FROM a FULL JOIN b ON a.t = b.t AND a.n = b.n AND a.j = b.j;
-- order is kept, and used again
SELECT a.id, b.id FROM a JOIN b ON a.id = b.id ORDER BY a.id LIMIT 5;
SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.id AND b.j = 2 ORDER BY a.id LIMIT 5 OFFSET 30;
SELECT a.id, b.id, c.id FROM a JOIN b ON a.id = b.id JOIN b c ON c.id = b.id ORDER BY c.id LIMIT 4;
SELECT a.k, a.id, b.id FROM a JOIN b ON a.k = b.k WHERE a.k < 330 ORDER BY a.k, a.id, b.id LIMIT 20;
SELECT a.id, b.id FROM a FULL JOIN b ON a.id = b.id AND a.j = b.j ORDER BY a.id NULLS FIRST, b.id DESC NULLS LAST LIMIT 5;
SELECT count(*) FROM a JOIN b ON a.id = b.id JOIN b c ON c.k = a.k;
-- long groups
SELECT count(*), sum(l.v::bigint * r.v) FROM lots l JOIN lots r ON l.k = r.k WHERE l.v % 50 = 0;
SELECT count(*), sum(l.v), sum(r.v) FROM lots l LEFT JOIN lots r ON l.k = r.k AND r.v % 1000 = l.v % 1000;
SELECT count(*), sum(l.v), sum(r.v), count(r.v) FROM (SELECT * FROM lots WHERE v % 10 = 0) l RIGHT JOIN lots r ON l.k = r.k AND l.t = r.t AND l.v < r.v;
SELECT count(*), sum(l.v), sum(r.v), count(r.v) FROM (SELECT * FROM lots WHERE v % 10 = 0) l FULL JOIN lots r ON l.k = r.k;
SELECT count(*) FROM lots l WHERE EXISTS (SELECT 1 FROM lots r WHERE r.k = l.k AND r.v > l.v + 2500);
SELECT count(*) FROM lots l WHERE NOT EXISTS (SELECT 1 FROM lots r WHERE r.k = l.k AND r.v > l.v);
SET work_mem = '64kB';
SELECT count(*), sum(l.v::bigint * r.v), sum(length(r.t)) FROM lots l JOIN lots r ON l.k = r.k WHERE l.v % 50 = 0;
SELECT count(*), sum(l.v), sum(r.v), count(r.v) FROM (SELECT * FROM lots WHERE v % 10 = 0) l FULL JOIN lots r ON l.k = r.k;
SELECT count(*), sum(l.v), sum(r.v), count(r.v) FROM (SELECT * FROM lots WHERE v % 10 = 0) l RIGHT JOIN lots r ON l.k = r.k AND l.t = r.t AND l.v < r.v;
SELECT count(*), sum(l.v), sum(r.v) FROM lots l LEFT JOIN lots r ON l.k = r.k AND r.v % 1000 = l.v % 1000;
RESET work_mem;
-- nothing on a side
SELECT count(*) FROM empty JOIN a ON a.id = empty.k;
SELECT count(*), count(empty.k) FROM a LEFT JOIN empty ON a.id = empty.k;
SELECT count(*), count(empty.k) FROM empty FULL JOIN a ON a.id = empty.k;
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM empty WHERE empty.k = a.id);
-- begun anew for each row
SELECT s.i, (SELECT count(*) FROM a JOIN b ON a.k = b.k WHERE a.j = s.i) FROM generate_series(0, 3) AS s(i) ORDER BY 1;
SELECT s.i, (SELECT sum(c) FROM (SELECT a.k, count(*) AS c FROM a WHERE a.k > s.i * 100 GROUP BY a.k LIMIT 3) x) FROM generate_series(0, 3) AS s(i) ORDER BY 1;

-- groups
SELECT k, count(*), sum(n), min(t), max(id) FROM a GROUP BY k ORDER BY k LIMIT 7;
SELECT k, j, count(*) FROM a GROUP BY k, j ORDER BY k DESC, j DESC LIMIT 7;
SELECT id, t, count(*) FROM a GROUP BY id ORDER BY id LIMIT 3;
SELECT k, array_agg(id ORDER BY id), count(DISTINCT j) FROM a WHERE k < 10 GROUP BY k ORDER BY k;
SELECT k, count(*) FILTER (WHERE j = 2), string_agg(t, ',') FILTER (WHERE k % 2 = 0) FROM a WHERE k < 12 GROUP BY k ORDER BY k;
SELECT k, count(*) FROM a GROUP BY k HAVING count(*) > 3 ORDER BY k LIMIT 5;
SELECT count(*), sum(c), sum(s) FROM (SELECT id, count(*) AS c, sum(k) AS s FROM a GROUP BY id) g;
SELECT count(*), sum(c) FROM (SELECT k, count(*) AS c FROM lots GROUP BY k) g;
SELECT count(*), sum(c), md5(string_agg(x::text, ',' ORDER BY k, j)) FROM (SELECT k, j, count(*) AS c, avg(n) AS x FROM a GROUP BY j, k) g;
SELECT a.id, count(b.id), sum(b.n) FROM a LEFT JOIN b ON a.k = b.k GROUP BY a.id ORDER BY a.id LIMIT 6;
SELECT a.id, a.t, b.j, count(*) FROM a JOIN b ON a.id = b.id GROUP BY a.id, b.j, b.id ORDER BY b.id LIMIT 6;
SELECT count(*) FROM (SELECT k FROM a GROUP BY k LIMIT 9) g;
SELECT k FROM a GROUP BY k ORDER BY k NULLS FIRST LIMIT 3;
-- DISTINCT
SELECT DISTINCT k FROM a ORDER BY k LIMIT 5;
SELECT DISTINCT k, j FROM a WHERE k IS NULL ORDER BY k, j;
SELECT count(*), count(k), sum(k) FROM (SELECT DISTINCT k FROM a) d;
SELECT count(*) FROM (SELECT DISTINCT id, t FROM a) d;
SELECT DISTINCT id, k FROM a ORDER BY id DESC LIMIT 3;

-- look-ups, with and without a condition
RESET ALL;
SELECT count(*), sum(id) FROM a WHERE id < 40 AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.j > a.j);
SELECT count(*), sum(id) FROM a WHERE id < 40 AND NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.j > a.j);
SELECT count(*), sum(id) FROM a WHERE id < 40 AND NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
SELECT a.id, b.id, b.t FROM a LEFT JOIN b ON b.k = a.k AND b.j <> a.j WHERE a.id < 12 ORDER BY a.id, b.id;
SELECT a.id, b.id, b.t FROM a JOIN b ON b.k = a.k WHERE a.id BETWEEN 100 AND 104 ORDER BY a.id, b.id;
SELECT count(*), sum(b.n), count(b.id) FROM a LEFT JOIN b ON b.k = a.k AND b.n > 9 WHERE a.id < 100;
SELECT l.v, count(r.v), sum(r.v) FROM (VALUES (7, 1), (8, 2), (NULL, 3)) AS l(k, v) LEFT JOIN lots r ON r.k = l.k GROUP BY l.v ORDER BY l.v;
-- semi joins that find one row at most are plain joins; others are not
SELECT count(*), sum(k) FROM a WHERE k IN (SELECT id FROM b WHERE j = 3);
SELECT count(*), sum(l.v) FROM lots l WHERE EXISTS (SELECT 1 FROM a WHERE a.id = l.k AND a.j < 3);
SELECT count(*), sum(l.v) FROM lots l WHERE EXISTS (SELECT 1 FROM a WHERE a.k = l.k AND a.j < 3);
SELECT count(*), sum(l.v) FROM lots l WHERE l.k IN (SELECT k FROM a GROUP BY k HAVING count(*) > 2);
SELECT count(*), sum(l.v) FROM lots l WHERE l.k IN (SELECT k FROM a GROUP BY k, j HAVING count(*) >= 1);
SELECT count(*), sum(l.v) FROM lots l WHERE (l.k, l.v % 5) IN (SELECT k, j FROM a GROUP BY k, j);
SELECT count(*), sum(l.v) FROM lots l WHERE l.k IN (SELECT max(k) FROM a GROUP BY j);
SELECT count(*), sum(l.v) FROM lots l WHERE l.k NOT IN (SELECT id FROM a WHERE j = 1);
UPDATE lots SET v = v + 1 WHERE k IN (SELECT id FROM b WHERE j = 2);
SELECT count(*), sum(v) FROM lots;
DELETE FROM lots WHERE EXISTS (SELECT 1 FROM a WHERE a.id = lots.k AND a.t IS NULL);
SELECT count(*), sum(v) FROM lots;
SELECT count(*), sum(s) FROM (SELECT j, sum(n) AS s FROM a GROUP BY j HAVING sum(n) > 3900) g;
SELECT count(*) FROM (SELECT k, avg(n) FROM a GROUP BY k HAVING 4 < avg(n) AND count(*) <= 3) g;
DROP TABLE a, b, lots, empty;
