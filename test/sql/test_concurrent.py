#!/usr/bin/env python3
"""CREATE INDEX, DROP INDEX and REINDEX CONCURRENTLY beside sessions that write: nobody waits, and table and index agree."""

import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import client  # noqa: E402
import servers  # noqa: E402
import tap  # noqa: E402

PATIENCE_S = 120
ROWS = 3000
WRITERS = 3

# Each with its first key, its columns where they can be read off it alone, and the rows it is of.
INDEXES = {
    "plain": ("CREATE INDEX CONCURRENTLY plain ON t (v)", "v", "v", "true"),
    "twice": ("CREATE UNIQUE INDEX CONCURRENTLY twice ON t (u)", "u", "u", "true"),
    "part": ("CREATE INDEX CONCURRENTLY part ON t (v, w) WHERE w > 50", "v", "v, w", "w > 50"),
    "word": ("CREATE INDEX CONCURRENTLY word ON t (upper(s)) INCLUDE (w)", "upper(s)", None, "true"),
}
PROBES = 60


class Writer(threading.Thread):
    """Inserts, updates (also of the key), deletes and rollbacks, until it is told to stop. What others were faster with (23505,
    40P01) is nothing; anything else ends it."""

    def __init__(self, session, number):
        super().__init__(daemon=True)
        self.session, self.random, self.wanted, self.failure, self.done = session, random.Random(number), True, None, 0
        self.slowest = 0
        self.start()

    def one(self):
        draw = self.random
        key, other = draw.randrange(ROWS), draw.randrange(ROWS)
        return draw.choice([
            f"INSERT INTO t VALUES ({key}, {draw.randrange(40)}, {key} + 100000, {draw.randrange(100)}, 's{draw.randrange(50)}')",
            f"DELETE FROM t WHERE id = {key}",
            f"UPDATE t SET v = {draw.randrange(40)}, s = 's{draw.randrange(50)}' WHERE id = {key}",
            f"UPDATE t SET w = {draw.randrange(100)} WHERE id BETWEEN {key} AND {key} + 20",
            f"UPDATE t SET id = {other} WHERE id = {key}",
            f"UPDATE t SET u = {draw.choice(['NULL', str(other + 100000), str(draw.randrange(10**9))])} WHERE id = {key}",
            f"BEGIN; DELETE FROM t WHERE id = {key}; INSERT INTO t VALUES ({key}, 1, NULL, 60, 'back'); COMMIT",
            f"BEGIN; UPDATE t SET v = -1, u = {draw.randrange(10**9)} WHERE id BETWEEN {key} AND {key} + 3; ROLLBACK",
            f"SELECT id FROM t WHERE id = {key} FOR UPDATE",
        ])

    def run(self):
        while self.wanted:
            began = time.monotonic()
            try:
                self.session.query(self.one())
            except client.ServerError as error:
                if error.state not in ("23505", "40P01"):
                    self.failure = error
                    return
                if self.session.status != "I":
                    self.session.query("ROLLBACK")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.done += 1


class Concurrent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(os.environ["SYNODD"], "--cores", "2", "--memory", "512MB")
        cls.addClassCleanup(lambda: cls.synod.stop())

    def setUp(self):
        self.a = self.session()
        self.a.query("DROP TABLE IF EXISTS t, child, parent; CREATE TABLE t (id int PRIMARY KEY, v int, u int, w int, s text);"
                     f"INSERT INTO t SELECT i, i % 40, i + 100000, i % 100, 's' || i % 50 FROM generate_series(0, {ROWS} - 1, 2) i")

    def session(self):
        session = self.synod.client()
        self.addCleanup(session.close)
        return session

    def fails(self, state, session, text):
        with self.assertRaises(client.ServerError) as caught:
            session.query(text)
        self.assertEqual(caught.exception.state, state, caught.exception.message)
        return caught.exception

    def flags(self, name):
        return self.a.rows(f"SELECT indisvalid, indisready, indislive FROM pg_index WHERE indexrelid = '{name}'::regclass")

    def by_index(self, name, ask):
        plan = "\n".join(row[0] for row in self.a.rows("EXPLAIN " + ask))
        self.assertIn(f" {name} on t ", plan)
        return self.a.rows(ask)

    def agree(self, name):
        """The index gives the rows, and nothing else."""
        _, first, columns, condition = INDEXES[name]
        self.a.query("ANALYZE t")
        if columns:
            by_index = self.by_index(name, f"SELECT {columns} FROM t WHERE {condition} ORDER BY {columns}")
            by_rows = self.a.rows(f"SELECT {columns} FROM (SELECT * FROM t OFFSET 0) t WHERE {condition}")
            self.assertEqual(sorted(by_index, key=repr), sorted(by_rows, key=repr))
        rows = {}
        for value, key in self.a.rows(f"SELECT {first}, id FROM (SELECT * FROM t OFFSET 0) t WHERE {condition}"):
            rows.setdefault(value, []).append(key)
        for value in random.Random(1).sample(sorted(rows, key=repr), min(PROBES, len(rows))):
            ask = f"SELECT id FROM t WHERE {condition} AND {first} = '{value}'" if value is not None else \
                f"SELECT id FROM t WHERE {condition} AND {first} IS NULL"
            self.assertEqual(sorted(key for key, in self.a.rows(ask)), sorted(rows[value]))

    def writers(self):
        writers = [Writer(self.session(), number) for number in range(WRITERS)]
        self.addCleanup(lambda: [setattr(writer, "wanted", False) for writer in writers])
        return writers

    def stop(self, writers):
        for writer in writers:
            writer.wanted = False
        for writer in writers:
            writer.join(PATIENCE_S)
            self.assertIsNone(writer.failure)
            self.assertFalse(writer.is_alive())
            self.assertGreater(writer.done, 0)

    def test_indexes_are_built_beside_writers(self):
        for _ in range(3):
            writers = self.writers()
            for name, (create, _, _, _) in INDEXES.items():
                while True:
                    try:
                        self.a.query(create)
                        break
                    except client.ServerError as error:  # two rows had the same u when their entries were made
                        self.assertEqual((error.state, name), ("23505", "twice"), error.message)
                        self.assertEqual(self.flags(name), [["f", "f", "t"]])
                        self.a.query("DROP INDEX twice")
                        self.a.query("UPDATE t SET u = id + 100000000")
                self.assertEqual(self.flags(name), [["t", "t", "t"]])
            self.a.query("REINDEX INDEX CONCURRENTLY plain")
            self.a.query("REINDEX TABLE CONCURRENTLY t")
            self.a.query("DROP INDEX CONCURRENTLY part")
            self.a.query(INDEXES["part"][0])
            self.stop(writers)
            for name in INDEXES:
                self.agree(name)
            self.assertEqual(self.a.rows("SELECT count(*) FROM pg_class WHERE relname LIKE '%ccnew%'"), [["0"]])
            # An entry that is missing, or left behind, would be found now.
            self.a.query("DELETE FROM t")
            for name in INDEXES:
                self.agree(name)
            self.setUp()

    def test_a_writer_is_not_held_up(self):
        """A transaction that was there before holds up the index, not those who come after it."""
        b, c, d = self.session(), self.session(), self.session()
        b.query("BEGIN; INSERT INTO t VALUES (1, 7, 1, 60, 'x')")
        build = threading.Thread(target=self.a.query, args=("CREATE INDEX CONCURRENTLY plain ON t (v)",), daemon=True)
        build.start()
        end = time.monotonic() + PATIENCE_S
        while d.rows("SELECT indisvalid, indisready FROM pg_index WHERE indexrelid = to_regclass('plain')") != [["f", "t"]]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        for i in range(20):
            c.query(f"UPDATE t SET v = v + 1 WHERE id = {2 * i}; INSERT INTO t VALUES (10001 + {i}, 7, NULL, 1, NULL)")
        self.assertTrue(build.is_alive())
        b.query("UPDATE t SET v = 8 WHERE id = 1; COMMIT")
        build.join(PATIENCE_S)
        self.assertFalse(build.is_alive())
        self.agree("plain")

    def test_a_row_that_is_locked_is_waited_for_alone(self):
        b, c = self.session(), self.session()
        b.query("BEGIN; SELECT * FROM t WHERE id = 10 FOR UPDATE")
        build = threading.Thread(target=self.a.query, args=("CREATE INDEX CONCURRENTLY plain ON t (v)",), daemon=True)
        build.start()
        for i in range(0, 40, 2):
            if i != 10:
                c.query(f"UPDATE t SET v = v + 1 WHERE id = {i}")
        b.query("UPDATE t SET v = 100 WHERE id = 10; COMMIT")
        build.join(PATIENCE_S)
        self.assertFalse(build.is_alive())
        self.agree("plain")

    def test_duplicates_leave_an_index_that_is_not_valid(self):
        self.a.query("UPDATE t SET u = 5 WHERE id IN (2, 4)")
        error = self.fails("23505", self.a, INDEXES["twice"][0])
        self.assertEqual(error.message, 'could not create unique index "twice"')
        self.assertEqual(error.fields["D"], "Key (u)=(5) is duplicated.")
        self.assertEqual(self.flags("twice"), [["f", "f", "t"]])
        self.a.query("UPDATE t SET u = 5 WHERE id = 6")  # it keeps nobody from anything
        self.fails("23505", self.a, "REINDEX INDEX twice")
        self.fails("23505", self.a, "REINDEX INDEX CONCURRENTLY twice")
        self.assertEqual(self.flags("twice_ccnew"), [["f", "f", "t"]])
        self.a.query("DROP INDEX twice_ccnew")
        self.a.query("UPDATE t SET u = id + 100000 WHERE u = 5; REINDEX INDEX twice")
        self.assertEqual(self.flags("twice"), [["t", "t", "t"]])
        self.agree("twice")
        self.fails("23505", self.a, "UPDATE t SET u = 100000 WHERE id = 6")

    def test_a_build_is_canceled(self):
        b, c = self.session(), self.session()
        b.query("BEGIN; UPDATE t SET v = 1 WHERE id = 2")
        pid = self.a.rows("SELECT pg_backend_pid()")[0][0]

        def cancel():
            while c.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('plain')") != [["f"]]:
                time.sleep(0.01)
            c.rows(f"SELECT pg_cancel_backend({pid})")

        thread = threading.Thread(target=cancel, daemon=True)
        thread.start()
        self.fails("57014", self.a, "CREATE INDEX CONCURRENTLY plain ON t (v)")
        thread.join(PATIENCE_S)
        self.assertEqual(self.flags("plain")[0][0], "f")
        b.query("COMMIT")
        c.query("UPDATE t SET v = 2 WHERE id = 2")
        self.a.query("REINDEX INDEX CONCURRENTLY plain")
        self.assertEqual(self.flags("plain"), [["t", "t", "t"]])
        self.agree("plain")
        self.a.query("DROP INDEX CONCURRENTLY plain")
        self.assertEqual(self.a.rows("SELECT to_regclass('plain')"), [[None]])

    def test_the_node_dies_while_an_index_is_built(self):
        b, d = self.session(), self.session()
        b.query("BEGIN; INSERT INTO t VALUES (1, 7, 1, 60, 'x')")

        def build():
            try:
                self.a.query(INDEXES["twice"][0])
            except (client.Gone, OSError):
                pass

        thread = threading.Thread(target=build, daemon=True)
        thread.start()
        end = time.monotonic() + PATIENCE_S
        while d.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('twice')") != [["f"]]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        self.synod.kill()
        thread.join(PATIENCE_S)
        os.remove(os.path.join(self.synod.data, "endpoints.json"))
        self.synod.start()
        self.a = self.session()
        self.assertEqual(self.flags("twice")[0][0], "f")
        self.a.query("DELETE FROM t WHERE id = 8; UPDATE t SET u = u + 7 WHERE id < 100")
        self.a.query("REINDEX INDEX CONCURRENTLY twice")
        self.agree("twice")
        self.a.query("DROP INDEX twice")

    def test_an_old_snapshot_does_not_read_a_new_index(self):
        b = self.session()
        b.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
        before = b.rows("SELECT count(*) FROM t WHERE v = 7")
        self.a.query("UPDATE t SET v = 1000 WHERE v = 7")
        self.a.query("CREATE INDEX CONCURRENTLY plain ON t (v)")
        self.a.query("CREATE INDEX again ON t (v)")
        self.a.query("REINDEX INDEX plain")
        self.assertEqual(b.rows("SELECT count(*) FROM t WHERE v = 7"), before)
        self.fails("40001", b, "INSERT INTO t VALUES (1, 1, 1, 1, '1')")  # nor can it write there
        b.query("ROLLBACK")
        self.a.query("DROP INDEX again")
        self.agree("plain")

    def test_a_key_that_came_after_the_snapshot_is_not_there(self):
        self.a.query("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (p int REFERENCES parent);"
                     "INSERT INTO parent VALUES (1), (2)")
        b = self.session()
        b.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM parent")
        self.a.query("INSERT INTO parent VALUES (3)")
        error = self.fails("23503", b, "INSERT INTO child VALUES (1), (3)")
        self.assertEqual(error.fields["D"], 'Key (p)=(3) is not present in table "parent".')
        b.query("ROLLBACK; INSERT INTO child VALUES (3)")

    def test_actions_of_foreign_keys_wait_for_an_index(self):
        self.a.query("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent "
                     "ON DELETE CASCADE ON UPDATE CASCADE); INSERT INTO parent SELECT generate_series(1, 50);"
                     "INSERT INTO child SELECT i, i % 50 + 1 FROM generate_series(1, 500) i")
        b = self.session()
        b.query("BEGIN; DELETE FROM parent WHERE id < 10")
        self.a.query("SET lock_timeout = '200ms'")
        self.fails("55P03", self.a, "CREATE INDEX of_child ON child (p)")
        b.query("COMMIT")
        self.a.query("RESET lock_timeout; CREATE INDEX of_child ON child (p)")
        b.query("UPDATE parent SET id = id + 1000 WHERE id < 20")
        self.assertEqual(self.a.rows("SELECT count(*) FROM child WHERE p BETWEEN 1 AND 19"), [["0"]])
        self.assertEqual(self.a.rows("SELECT count(*) FROM child WHERE p > 1000"), [["100"]])

    def test_a_view_is_there_for_all_once_it_was_made(self):
        """Whatever synchronous_commit says: other cores keep what they have read of the catalog."""
        others = [self.session() for _ in range(4)]
        others[0].query("SET synchronous_commit = off")
        others[1].query("SET synchronous_commit = off")
        for i in range(60):
            others[i % 2].query(f"CREATE OR REPLACE VIEW seen AS SELECT {i} AS n; CREATE VIEW seen{i} AS SELECT {i} AS n")
            for session in others:
                self.assertEqual(session.rows(f"SELECT a.n, b.n FROM seen a, seen{i} b"), [[str(i), str(i)]])
        for i in range(60):
            others[i % 4].query(f"CREATE TABLE made{i} AS SELECT {i} AS n")
            for session in others:
                self.assertEqual(session.rows(f"SELECT n FROM made{i}"), [[str(i)]])

    def test_deferred_keys_of_two_transactions(self):
        self.a.query("CREATE TABLE late (id int, n int, CONSTRAINT once UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);"
                     "INSERT INTO late VALUES (1, 1), (2, 2)")
        self.addCleanup(lambda: self.session().query("DROP TABLE late"))
        b, c = self.session(), self.session()
        for level in ("READ COMMITTED", "REPEATABLE READ"):
            # Both bring a key: the second to commit has it twice.
            b.query(f"BEGIN ISOLATION LEVEL {level}; INSERT INTO late VALUES (10, 1)")
            c.query(f"BEGIN ISOLATION LEVEL {level}; INSERT INTO late VALUES (10, 2)")
            b.query("COMMIT")
            self.fails("23505", c, "COMMIT")
            # The row that has the key is being deleted: who brings the key waits for what becomes of it.
            for end, state in (("COMMIT", None), ("ROLLBACK", "23505")):
                b.query("BEGIN; DELETE FROM late WHERE id = 10")
                c.query(f"BEGIN ISOLATION LEVEL {level}; INSERT INTO late VALUES (10, 3)")
                outcome = []

                def commit():
                    try:
                        c.query("COMMIT")
                        outcome.append(None)
                    except client.ServerError as error:
                        outcome.append(error.state)

                thread = threading.Thread(target=commit, daemon=True)
                thread.start()
                patience = time.monotonic() + PATIENCE_S
                while not self.a.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                    self.assertLess(time.monotonic(), patience)
                    time.sleep(0.01)
                b.query(end)
                thread.join(PATIENCE_S)
                self.assertEqual(outcome, [state])
                self.assertEqual(self.a.rows("SELECT n FROM late WHERE id = 10"), [["3"]])
            self.a.query("DELETE FROM late WHERE id = 10")

    def test_dropping_an_index_waits_for_writers(self):
        self.a.query("CREATE INDEX plain ON t (v)")
        b = self.session()
        b.query("BEGIN; UPDATE t SET v = 1 WHERE id = 2")
        self.a.query("SET lock_timeout = '200ms'")
        self.fails("55P03", self.a, "DROP INDEX plain")
        b.query("UPDATE t SET v = 2 WHERE id = 4; COMMIT")
        self.a.query("RESET lock_timeout; DROP INDEX plain")


if __name__ == "__main__":
    tap.main()
