-- Everything that is put aside on disk when work_mem is small: sorts, groups, joins, set operations, windows, WITH, cursors.
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
CREATE TABLE big (id integer PRIMARY KEY, k integer, skew integer, t text, n numeric, f double precision);
INSERT INTO big SELECT i, (i * 7919) % 9001, CASE WHEN i % 3 = 0 THEN 5 WHEN i % 10 = 1 THEN NULL ELSE i % 2003 END,
    CASE WHEN i % 17 = 0 THEN NULL ELSE repeat(chr(97 + i % 26), 1 + i % 40) || i END,
    (i % 1000) * 1.25, CASE WHEN i % 29 = 0 THEN 'NaN' ELSE (i % 4001) / 8.0 END
    FROM generate_series(1, 30000) AS i;
CREATE TABLE other (k integer, skew integer, v integer, w text);
INSERT INTO other SELECT (i * 31) % 12007, CASE WHEN i % 4 = 0 THEN 5 WHEN i % 11 = 0 THEN NULL ELSE i % 3001 END, i,
    repeat('w', i % 50) FROM generate_series(1, 9000) AS i;
CREATE TABLE wide (id integer, x text);
INSERT INTO wide SELECT i % 50, repeat(md5(i::text), 300) FROM generate_series(1, 400) AS i;
ANALYZE;

-- sorts
SELECT count(*), md5(string_agg(id::text, ',')) FROM (SELECT id FROM big ORDER BY t, id) s;
SELECT count(*), md5(string_agg(id::text, ',')) FROM (SELECT id FROM big ORDER BY n DESC, f, id DESC) s;
SELECT count(*), md5(string_agg(id::text, ',')) FROM (SELECT id FROM big ORDER BY skew NULLS FIRST, t DESC NULLS LAST, id) s;
SELECT count(*), md5(string_agg(id::text, ',')) FROM (SELECT id FROM big ORDER BY f DESC, id LIMIT 20000) s;
SELECT count(*), md5(string_agg(x, '' ORDER BY x)) FROM (SELECT x FROM wide ORDER BY x, id) s;
SELECT id, k FROM big ORDER BY k, id OFFSET 29990;

-- groups
SELECT count(*), sum(c), sum(s), max(m), min(a) FROM (SELECT k, count(*) AS c, sum(n) AS s, max(t) AS m, avg(f) AS a FROM big WHERE f <> 'NaN' GROUP BY k) g;
SELECT count(*), sum(c), sum(d) FROM (SELECT t, count(*) AS c, count(DISTINCT k) AS d FROM big GROUP BY t) g;
SELECT count(DISTINCT t), count(DISTINCT n), count(DISTINCT skew), sum(DISTINCT k) FROM big;
SELECT md5(string_agg(a, ';' ORDER BY k)) FROM (SELECT k, array_agg(id ORDER BY id DESC)::text AS a FROM big GROUP BY k) g;
SELECT count(*), sum(c), sum(CASE WHEN k IS NULL THEN c END) FROM (SELECT k, skew, count(*) AS c FROM big GROUP BY GROUPING SETS ((k, skew), (k), (skew), ())) g;
SELECT count(*) FROM (SELECT DISTINCT k, skew, t FROM big) d;
SELECT md5(string_agg(id::text, ',')) FROM (SELECT DISTINCT ON (skew) skew, id FROM big ORDER BY skew, n DESC, id) d;
SELECT count(*), sum(length(x)) FROM (SELECT x, count(*) FROM wide GROUP BY x) g;

-- joins
SELECT count(*), sum(b.id), sum(o.v) FROM big b JOIN other o ON b.k = o.k;
SELECT count(*), sum(b.id), sum(o.v) FROM big b JOIN other o ON b.skew = o.skew AND b.k % 7 = o.v % 7;
SELECT count(*), sum(b.id), sum(o.v) FROM big b LEFT JOIN other o ON b.k = o.k AND o.v > b.id;
SELECT count(*), sum(b.id), sum(o.v) FROM other o LEFT JOIN big b ON b.skew = o.skew AND b.id % 100 = o.v % 100;
SELECT count(*), sum(b.id), sum(o.v) FROM big b RIGHT JOIN other o ON b.k = o.k AND b.id < 20000;
SELECT count(*), sum(b.id), sum(o.v), count(b.id), count(o.v) FROM big b FULL JOIN other o ON b.k = o.k AND b.skew = o.skew;
SELECT count(*), sum(b.id), count(o.v) FROM big b FULL JOIN (SELECT * FROM other WHERE v % 10 = 0) o ON b.skew = o.skew;
SELECT count(*), sum(id) FROM big b WHERE EXISTS (SELECT FROM other o WHERE o.skew = b.skew AND o.v <> b.id);
SELECT count(*), sum(id) FROM big b WHERE NOT EXISTS (SELECT FROM other o WHERE o.skew = b.skew AND o.v % 5 = b.id % 5);
SELECT count(*), sum(id) FROM big WHERE k IN (SELECT k FROM other);
SELECT count(*), sum(id) FROM big WHERE k NOT IN (SELECT k FROM other);
SELECT count(*), sum(id) FROM big WHERE skew NOT IN (SELECT skew FROM other WHERE skew IS NOT NULL);
SELECT count(*), sum(id) FROM big WHERE skew NOT IN (SELECT skew FROM other);
SELECT count(*), sum(v) FROM other WHERE (k, skew) NOT IN (SELECT k, skew FROM big WHERE id < 3000);
SELECT count(*), sum(length(a.x)) FROM wide a JOIN wide b ON a.x = b.x;
SELECT count(*), sum(length(a.x)) FROM wide a JOIN wide b ON a.id = b.id;

-- set operations
SELECT count(*), sum(k) FROM (SELECT k FROM big INTERSECT SELECT k FROM other) s;
SELECT count(*), sum(k) FROM (SELECT k FROM big INTERSECT ALL SELECT k FROM other) s;
SELECT count(*), sum(k) FROM (SELECT k FROM big EXCEPT SELECT k FROM other) s;
SELECT count(*), sum(k) FROM (SELECT k FROM big EXCEPT ALL SELECT k FROM other) s;
SELECT count(*), sum(skew), sum(k) FROM (SELECT skew, k FROM big EXCEPT ALL SELECT skew, k FROM other) s;
SELECT count(*), sum(k) FROM (SELECT k, t FROM big UNION SELECT k, w FROM other) s;

-- windows
SELECT count(*), sum(r), sum(s) FROM (SELECT rank() OVER (PARTITION BY skew ORDER BY n, id) AS r, sum(n) OVER (PARTITION BY skew ORDER BY n, id) AS s FROM big) w;
SELECT count(*), sum(r), sum(l) FROM (SELECT row_number() OVER (ORDER BY t, id) AS r, lag(id, 3) OVER (ORDER BY t, id) AS l FROM big) w;
SELECT count(*), sum(a), sum(b), sum(c), md5(string_agg(f || l, ',' ORDER BY id)) FROM (SELECT id, ntile(7) OVER w AS a, cume_dist() OVER w AS b, sum(n) OVER (ORDER BY n, id ROWS BETWEEN 5 PRECEDING AND 3 FOLLOWING) AS c, first_value(t) OVER w AS f, lead(t, 2, 'none') OVER w AS l FROM big WHERE t IS NOT NULL WINDOW w AS (ORDER BY n, id)) w;
SELECT count(*), sum(c), sum(d), sum(length(m)) FROM (SELECT count(*) FILTER (WHERE id % 2 = 0) OVER (PARTITION BY skew) AS c, dense_rank() OVER (PARTITION BY skew ORDER BY k) AS d, max(t) OVER (PARTITION BY skew ORDER BY k RANGE BETWEEN 100 PRECEDING AND CURRENT ROW) AS m FROM big) w;
SELECT id, row_number() OVER (ORDER BY id), last_value(t) OVER (ORDER BY id) FROM big ORDER BY id OFFSET 29990;
SELECT md5(string_agg(s, ',' ORDER BY id)) FROM (SELECT id, string_agg(left(t, 2), '') OVER (ORDER BY id ROWS 3 PRECEDING) AS s FROM big) w;
SELECT count(*), sum(c), sum(length(x)) FROM (SELECT x, count(*) OVER () AS c FROM wide) w;
SELECT o.k, w.* FROM (SELECT DISTINCT k % 3 AS k FROM other WHERE v < 50) o, LATERAL (SELECT sum(r) AS s, count(*) AS c FROM (SELECT row_number() OVER (ORDER BY t, id) * o.k AS r FROM big) n) w ORDER BY 1;

-- WITH, more than once and in pieces
WITH c AS MATERIALIZED (SELECT * FROM big) SELECT (SELECT count(*) FROM c), (SELECT sum(id) FROM c WHERE t IS NULL), (SELECT max(length(t)) FROM c);
WITH c AS MATERIALIZED (SELECT * FROM big WHERE id <= 20000) SELECT count(*), sum(a.id) FROM c a JOIN c b ON a.id = b.id + 1;
WITH RECURSIVE r(i, x) AS (SELECT 1, repeat('r', 20) UNION ALL SELECT i + 1, x FROM r WHERE i < 8000) SELECT count(*), sum(length(x)) FROM r;
WITH RECURSIVE r(i) AS (SELECT k FROM other UNION SELECT (i * 5) % 20011 FROM r WHERE i < 15000) SELECT count(*), sum(i) FROM r;
WITH RECURSIVE r(i, t) AS (SELECT id, t FROM big WHERE id % 3 = 0 UNION SELECT CASE WHEN i % 2 = 0 THEN i / 2 ELSE 3 * i % 30011 END, t FROM r WHERE i > 3 AND i < 25000) SELECT count(*), sum(i), max(t), count(t), sum(length(t)) FROM r;
WITH RECURSIVE r(i, x) AS (SELECT 0, repeat('r', 30) UNION SELECT (i * 7 + s) % 5003, x FROM r, generate_series(1, 2) AS s) SELECT count(*), sum(i), sum(length(x)) FROM r;
WITH RECURSIVE r(i, n) AS (SELECT NULL::integer, 'NaN'::numeric UNION SELECT coalesce(i, 0) + 1, CASE WHEN i > 10 THEN NULL ELSE 1.50 END FROM r WHERE i IS NULL OR i < 4000) SELECT count(*), count(i), count(n), sum(i) FROM r;

-- cursors
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT id, t FROM big ORDER BY k, id;
DECLARE scrolled SCROLL CURSOR FOR SELECT id, t FROM big ORDER BY k DESC, id;
FETCH 2 FROM scrolled;
MOVE 25000 FROM scrolled;
FETCH 2 FROM scrolled;
FETCH BACKWARD 2 FROM scrolled;
FETCH ABSOLUTE 7 FROM scrolled;
COMMIT;
FETCH 3 FROM held;
MOVE 29990 FROM held;
FETCH ALL FROM held;
CLOSE held;

-- the limit
SET temp_file_limit = '100kB';
SELECT count(*) FROM (SELECT * FROM big ORDER BY t, id OFFSET 1) s;
RESET temp_file_limit;
SELECT count(*) FROM (SELECT * FROM big ORDER BY t, id OFFSET 1) s;
DROP TABLE big, other, wide;
