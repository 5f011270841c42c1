#!/usr/bin/env python3
"""Who waits for whom, as pg_locks, pg_blocking_pids() and pg_stat_activity tell it, and what several sessions do to each other."""

import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import client  # noqa: E402
import servers  # noqa: E402
import tap  # noqa: E402

PATIENCE_S = 60


class Statement(threading.Thread):
    """A statement under way; `outcome` is its rows or its error."""

    def __init__(self, session, text):
        super().__init__(daemon=True)
        self.session, self.text, self.outcome = session, text, None
        self.start()

    def run(self):
        try:
            self.outcome = self.session.rows(self.text)
        except client.ServerError as error:
            self.outcome = error

    def end(self):
        self.join(PATIENCE_S)
        return self.outcome


class Locks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(os.environ["SYNODD"], "--cores", "2", "--memory", "512MB")
        cls.addClassCleanup(cls.synod.stop)

    def setUp(self):
        self.a, self.b, self.c, self.watch = (self.session() for _ in range(4))
        self.watch.query("DROP TABLE IF EXISTS held; CREATE TABLE held (id int PRIMARY KEY, n int, twin int UNIQUE);"
                         "INSERT INTO held SELECT i, i, i FROM generate_series(1, 100) i")

    def session(self):
        session = self.synod.client()
        self.addCleanup(session.close)
        session.pid = session.rows("SELECT pg_backend_pid()")[0][0]
        return session

    def waits(self, session, text):
        """Begins a statement that has to wait for a lock; gives it when it does, and what it waits for."""
        statement = Statement(session, text)
        end = time.monotonic() + PATIENCE_S
        while True:
            kind, event = self.watch.rows(
                f"SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = {session.pid}")[0]
            if kind == "Lock":
                return statement, event
            self.assertLess(time.monotonic(), end, f"{text} waits for no lock: {statement.outcome}")
            time.sleep(0.01)

    def blockers(self, session):
        return self.watch.rows(f"SELECT pg_blocking_pids({session.pid})")[0][0]

    def locks(self, session, kind):
        return self.watch.rows(f"SELECT relation::regclass, mode, granted FROM pg_locks WHERE pid = {session.pid} "
                               f"AND locktype = '{kind}' AND database IS NOT NULL ORDER BY 1, 2, 3")

    def fails(self, state, session, text):
        with self.assertRaises(client.ServerError) as caught:
            session.query(text)
        self.assertEqual(caught.exception.state, state, caught.exception.message)

    # ---- what is shown ----

    def test_a_row_is_waited_for(self):
        self.a.query("BEGIN; UPDATE held SET n = 0 WHERE id = 7")
        statement, event = self.waits(self.b, "UPDATE held SET n = 1 WHERE id = 7")
        self.assertEqual(event, "tuple")
        self.assertEqual(self.blockers(self.b), "{%s}" % self.a.pid)
        self.assertEqual(self.blockers(self.a), "{}")
        self.assertEqual(self.locks(self.a, "tuple"), [["held", "ExclusiveLock", "t"]])
        self.assertIn(["held", "ExclusiveLock", "f"], self.locks(self.b, "tuple"))
        self.assertEqual(self.locks(self.a, "relation"), [["held", "RowExclusiveLock", "t"]])
        self.assertEqual(self.watch.rows(
            "SELECT count(*), bool_and(waitstart BETWEEN now() - interval '1 minute' AND clock_timestamp()) "
            "FROM pg_locks WHERE NOT granted"), [["1", "t"]])
        # The wiki's query for who blocks whom.
        self.assertEqual(self.watch.rows(
            "SELECT blocked.pid, blocking.pid FROM pg_locks blocked JOIN pg_locks blocking ON blocking.locktype = blocked.locktype "
            "AND blocking.relation IS NOT DISTINCT FROM blocked.relation AND blocking.page IS NOT DISTINCT FROM blocked.page "
            "AND blocking.tuple IS NOT DISTINCT FROM blocked.tuple AND blocking.pid <> blocked.pid "
            "WHERE NOT blocked.granted AND blocking.granted"), [[self.b.pid, self.a.pid]])
        self.a.query("COMMIT")
        self.assertEqual(statement.end(), [])
        self.assertEqual(self.watch.rows("SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass"), [["0"]])

    def test_a_queue_names_all_who_are_before(self):
        self.a.query("BEGIN; SELECT * FROM held WHERE id = 3 FOR UPDATE")
        first, _ = self.waits(self.b, "BEGIN; SELECT * FROM held WHERE id = 3 FOR UPDATE")
        second, _ = self.waits(self.c, "DELETE FROM held WHERE id = 3")
        self.assertEqual(set(self.blockers(self.c).strip("{}").split(",")), {self.a.pid, self.b.pid})
        self.assertEqual(self.locks(self.a, "tuple"), [["held", "AccessExclusiveLock", "t"]])
        self.a.query("COMMIT")
        self.assertEqual(len(first.end()), 1)
        self.b.query("COMMIT")
        self.assertEqual(second.end(), [])

    def test_rows_that_others_have_are_skipped(self):
        take = "SELECT id FROM held ORDER BY id LIMIT {} FOR UPDATE SKIP LOCKED"
        self.a.query("BEGIN; SELECT id FROM held WHERE id <= 60 OR id = 63 FOR UPDATE")
        self.b.query("BEGIN")
        self.assertEqual(self.b.rows(take.format(2)), [["61"], ["62"]])
        self.assertEqual(self.b.rows(take.format(1)), [["61"]])  # its own are nobody else's
        # Nothing behind the rows that were given is locked, however many were looked at.
        self.c.query("BEGIN")
        self.assertEqual(self.c.rows(take.format(3)), [["64"], ["65"], ["66"]])
        self.assertEqual(len(self.watch.rows(take.format(100))), 34)
        self.assertEqual(self.watch.rows("SELECT id FROM held WHERE id < 61 LIMIT 1 FOR UPDATE SKIP LOCKED"), [])
        for session in (self.a, self.b, self.c):
            session.query("ROLLBACK")
        self.assertEqual(self.watch.rows(take.format(1)), [["1"]])

    def test_a_queue_gives_every_row_once(self):
        self.watch.query("UPDATE held SET n = 0; CREATE INDEX ready ON held (id) WHERE n = 0")

        def take(session):
            for _ in range(10):
                session.query("BEGIN")
                [[key]] = session.rows("SELECT id FROM held WHERE n = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
                session.query(f"UPDATE held SET n = n + 1 WHERE id = {key}; COMMIT")
                taken.append(key)

        taken = []
        takers = [threading.Thread(target=take, args=(self.session(),), daemon=True) for _ in range(8)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join(PATIENCE_S)
        self.assertEqual((len(taken), len(set(taken))), (80, 80))
        self.assertEqual(self.watch.rows("SELECT max(n), sum(n) FROM held"), [["1", "80"]])

    def test_relations_and_advisory_keys(self):
        self.a.query("BEGIN; LOCK TABLE held IN SHARE MODE; SELECT pg_advisory_lock(5, 6), pg_advisory_xact_lock_shared(7)")
        self.assertEqual(self.locks(self.a, "relation"), [["held", "ShareLock", "t"]])
        self.assertEqual(self.watch.rows(
            f"SELECT classid, objid, objsubid, mode FROM pg_locks WHERE pid = {self.a.pid} AND locktype = 'advisory' ORDER BY 1"),
            [["0", "7", "1", "ShareLock"], ["5", "6", "2", "ExclusiveLock"]])
        statement, event = self.waits(self.b, "INSERT INTO held VALUES (1000, 1, 1000)")
        self.assertEqual((event, self.blockers(self.b)), ("relation", "{%s}" % self.a.pid))
        key, event = self.waits(self.c, "SELECT pg_advisory_xact_lock(5, 6)")
        self.assertEqual((event, self.blockers(self.c)), ("advisory", "{%s}" % self.a.pid))
        self.a.query("COMMIT; SELECT pg_advisory_unlock(5, 6)")
        self.assertEqual(statement.end(), [])
        self.assertEqual(key.end(), [[""]])

    def test_who_waited_to_analyze_sees_what_the_other_wrote(self):
        self.a.query("BEGIN; ANALYZE held")
        statement, event = self.waits(self.b, "ANALYZE held")
        self.assertEqual(event, "relation")
        self.a.query("COMMIT")
        self.assertEqual(statement.end(), [])
        self.assertEqual(self.watch.rows("SELECT count(*) FROM pg_stats WHERE tablename = 'held'"), [["3"]])

    def test_transactions(self):
        self.a.query("BEGIN; SELECT 1")
        own = ("SELECT locktype, mode, granted FROM pg_locks "
               f"WHERE pid = {self.a.pid} AND locktype IN ('virtualxid', 'transactionid') ORDER BY 1")
        self.assertEqual(self.watch.rows(own), [["virtualxid", "ExclusiveLock", "t"]])
        self.a.query("UPDATE held SET n = 9 WHERE id = 9")
        self.assertEqual(self.watch.rows(own), [["transactionid", "ExclusiveLock", "t"], ["virtualxid", "ExclusiveLock", "t"]])
        self.a.query("ROLLBACK")
        self.assertEqual(self.watch.rows(own), [])

    def test_ranges_of_keys(self):
        self.a.query("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM held WHERE id BETWEEN 10 AND 20")
        self.assertEqual(self.locks(self.a, "page"), [["held", "SIReadLock", "t"]])
        statement, event = self.waits(self.b, "DELETE FROM held WHERE id = 15")
        self.assertEqual((event, self.blockers(self.b)), ("tuple", "{%s}" % self.a.pid))
        self.a.query("COMMIT")
        self.assertEqual(statement.end(), [])

    def test_a_key_that_is_being_inserted(self):
        self.a.query("BEGIN; INSERT INTO held VALUES (500, 1, 500)")
        statement, event = self.waits(self.b, "INSERT INTO held VALUES (501, 1, 500)")
        self.assertEqual((event, self.blockers(self.b)), ("tuple", "{%s}" % self.a.pid))
        self.assertIn(["held_twin_key", "AccessExclusiveLock", "f"], self.locks(self.b, "tuple"))
        self.a.query("COMMIT")
        self.assertEqual(statement.end().state, "23505")

    # ---- what sessions do to each other ----

    def test_a_repeatable_read_meets_keys_that_came_after_its_snapshot(self):
        self.a.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM held")
        self.b.query("INSERT INTO held VALUES (600, 1, 600); DELETE FROM held WHERE id = 50")
        for statement, state in (("INSERT INTO held VALUES (600, 2, 601)", "23505"),
                                 ("INSERT INTO held VALUES (601, 2, 600)", "23505"),
                                 ("UPDATE held SET twin = 600 WHERE id = 1", "23505"),
                                 ("INSERT INTO held VALUES (600, 2, 601) ON CONFLICT DO NOTHING", "40001"),
                                 ("UPDATE held SET n = 3 WHERE id = 50", "40001")):
            self.a.query("SAVEPOINT here")
            self.fails(state, self.a, statement)
            self.a.query("ROLLBACK TO here")
        self.a.query("INSERT INTO held VALUES (602, 2, 50); COMMIT")

    def count(self, session, condition="true"):
        return int(session.rows(f"SELECT count(*) FROM held WHERE {condition}")[0][0])

    def test_serializable_transactions_do_not_skew_writes(self):
        """Each sees two on duty and lets one go: one of them must not get through."""
        for session in (self.a, self.b):
            session.query("BEGIN ISOLATION LEVEL SERIALIZABLE")
            self.assertEqual(self.count(session, "id IN (1, 2) AND n > 0"), 2)
        first, _ = self.waits(self.a, "UPDATE held SET n = 0 WHERE id = 1")
        with self.assertRaises(client.ServerError) as caught:
            self.b.query("UPDATE held SET n = 0 WHERE id = 2")
            self.b.query("COMMIT")
            first.end()
            self.a.query("COMMIT")
        self.assertIn(caught.exception.state, ("40P01", "40001"))
        self.b.query("ROLLBACK")
        self.assertEqual(first.end(), [])
        self.a.query("COMMIT")
        self.assertEqual(self.count(self.watch, "id IN (1, 2) AND n > 0"), 1)

    def test_serializable_transactions_see_no_phantoms(self):
        self.a.query("BEGIN ISOLATION LEVEL SERIALIZABLE")
        self.assertEqual(self.count(self.a, "id BETWEEN 40 AND 60"), 21)
        statement, _ = self.waits(self.b, "INSERT INTO held VALUES (-40, 1, 1000); UPDATE held SET id = 55 WHERE id = -40")
        self.assertEqual(self.count(self.a, "id BETWEEN 40 AND 60"), 21)
        self.a.query("COMMIT")
        self.assertEqual(statement.end().state, "23505")

    def test_serializable_readers_see_a_serial_order(self):
        """The read-only anomaly: a deposit of 20, a withdrawal that overdraws for a fee of 1, and a report between. Whatever the
        report shows must agree with the order in which the others seem to have been."""
        self.watch.query("UPDATE held SET n = 0 WHERE id IN (1, 2)")
        self.b.query("BEGIN ISOLATION LEVEL SERIALIZABLE")
        self.assertEqual(self.b.rows("SELECT sum(n) FROM held WHERE id IN (1, 2)"), [["0"]])
        deposit, _ = self.waits(self.a, "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE held SET n = 20 WHERE id = 2; COMMIT")
        self.b.query("UPDATE held SET n = -11 WHERE id = 1; COMMIT")
        self.assertEqual(deposit.end(), [])
        report = self.c.rows("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT id, n FROM held WHERE id IN (1, 2) ORDER BY id; COMMIT")
        self.assertEqual(self.c.rows("SELECT id, n FROM held WHERE id IN (1, 2) ORDER BY id"), [["1", "-11"], ["2", "20"]])
        self.assertEqual(report, [])

    def test_a_reader_and_what_becomes_of_its_table(self):
        """Nobody locks readers out: a cursor goes on in its snapshot, or says that the table is gone."""
        for change in ("ALTER TABLE held ADD COLUMN more text DEFAULT 'x'", "ALTER TABLE held ALTER COLUMN n TYPE bigint",
                       "TRUNCATE held", "DROP TABLE held", "ALTER TABLE held RENAME TO held_no_more"):
            with self.subTest(change=change):
                self.watch.query("DROP TABLE IF EXISTS held, held_no_more; CREATE TABLE held (id int PRIMARY KEY, n int);"
                                 "INSERT INTO held SELECT i, i FROM generate_series(1, 20000) i")
                self.a.query("BEGIN; DECLARE rows CURSOR FOR SELECT * FROM held ORDER BY id")
                self.assertEqual(len(self.a.rows("FETCH 10 FROM rows")), 10)
                self.b.query(change)
                try:
                    rest = self.a.rows("FETCH ALL FROM rows")
                    self.assertEqual([row[:2] for row in rest], [[str(i), str(i)] for i in range(11, 20001)])
                except client.ServerError as error:
                    self.assertIn(error.state, ("42P01", "40001", "0A000"), error.message)
                self.a.query("ROLLBACK")
        self.watch.query("DROP TABLE held_no_more")


if __name__ == "__main__":
    tap.main()
