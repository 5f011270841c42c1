-- Indexes and keys over more rows than there is memory to sort: put aside in runs, merged while they are loaded.
CREATE TABLE piled (id int, twin int, word text);
INSERT INTO piled SELECT n * 7919 % 60013, n / 2, 'word ' || n % 977 FROM generate_series(1, 60000) n;
SET maintenance_work_mem = '1MB';
ALTER TABLE piled ADD PRIMARY KEY (id);
CREATE INDEX ON piled (word, twin);
CREATE UNIQUE INDEX ON piled (twin);
CREATE INDEX ON piled (twin) INCLUDE (word);
SELECT count(*), sum(id), min(id), max(id) FROM piled;
SELECT id FROM piled ORDER BY id LIMIT 5;
SELECT count(*) FROM piled WHERE word = 'word 5';
SELECT word, twin FROM piled WHERE word > 'word 99' ORDER BY word, twin LIMIT 3;
SELECT twin, word FROM piled WHERE twin BETWEEN 10000 AND 10002 ORDER BY twin, word;
INSERT INTO piled VALUES (1, 1, 'again');
-- duplicates far apart, in runs of their own
INSERT INTO piled VALUES (-1, 29999, 'first'), (70000, 29999, 'last');
ALTER TABLE piled DROP CONSTRAINT piled_pkey;
INSERT INTO piled VALUES (-1, 500000, 'twice');
ALTER TABLE piled ADD PRIMARY KEY (id);
DELETE FROM piled WHERE word = 'twice';
ALTER TABLE piled ADD PRIMARY KEY (id);
ALTER TABLE piled ALTER COLUMN word TYPE varchar(20);
SELECT count(*), count(DISTINCT word) FROM piled;
SET temp_file_limit = '1MB';
CREATE INDEX toolarge ON piled (word, id, twin);
RESET temp_file_limit;
SELECT count(*) FROM piled WHERE id = 4711;
DROP TABLE piled;
