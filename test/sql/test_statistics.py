#!/usr/bin/env python3
"""Statistics keep themselves current: a table that statements use is analyzed when it has grown, and plans made before are made
anew."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import servers  # noqa: E402
import tap  # noqa: E402

PLAN = "EXPLAIN EXECUTE found(5)"


class Statistics(unittest.TestCase):
    def setUp(self):
        self.synod = servers.Synod(os.environ["SYNODD"], "--cores", "2", "--memory", "512MB")
        self.addCleanup(self.synod.stop)
        self.client = self.synod.client()
        self.addCleanup(self.client.close)

    def rows(self, sql):
        return [tuple(row) for row in self.client.rows(sql)]

    def test_a_table_that_grew_is_analyzed_by_itself(self):
        self.client.query("CREATE TABLE grown (id int PRIMARY KEY, twin int); CREATE INDEX ON grown (twin)")
        self.client.query("PREPARE found AS SELECT * FROM grown WHERE twin = $1")
        before = self.rows(PLAN)
        self.client.query("INSERT INTO grown SELECT n, n / 2 FROM generate_series(1, 30000) n")
        self.assertEqual(self.rows(PLAN), before)  # the plan is kept
        end = time.monotonic() + 60
        while not self.rows("SELECT 1 FROM pg_stats WHERE tablename = 'grown'"):
            self.assertLess(time.monotonic(), end, "not analyzed within a minute")
            time.sleep(0.2)
        self.assertEqual(self.rows("SELECT reltuples FROM pg_class WHERE relname = 'grown'"), [("30000",)])
        self.assertIn("rows=2 ", self.rows(PLAN)[0][0])
        self.assertEqual(self.figures("autoanalyze_count, (last_autoanalyze IS NOT NULL)::int, analyze_count", "grown"), (1, 1, 0))

    def test_a_plan_is_made_for_parameters_that_make_a_difference(self):
        self.client.query("CREATE TABLE skewed (id int PRIMARY KEY, kind int, word text); CREATE INDEX ON skewed (kind)")
        self.client.query("INSERT INTO skewed SELECT n, CASE WHEN n % 5000 = 0 THEN 1 ELSE 0 END, 'x' FROM generate_series(1, 40000) n")
        self.client.query("ANALYZE skewed")
        self.client.query("PREPARE found AS SELECT count(word) FROM skewed WHERE kind = $1")
        for kind, count, way in (("1", "8", "Index Scan"), ("0", "39992", "Seq Scan")):
            plan = "\n".join(row[0] for row in self.rows(f"EXPLAIN EXECUTE found({kind})"))
            self.assertIn(way, plan)
            self.assertIn(f"(kind = {kind})", plan)
            self.assertEqual(self.rows(f"EXECUTE found({kind})"), [(count,)])
        self.client.query("SET plan_cache_mode = force_generic_plan")
        self.assertIn("(kind = $1)", "\n".join(row[0] for row in self.rows("EXPLAIN EXECUTE found(1)")))
        self.client.query("RESET plan_cache_mode; PREPARE point AS SELECT * FROM skewed WHERE id = $1")
        self.assertIn("(id = $1)", self.rows("EXPLAIN EXECUTE point(1)")[1][0])

    def test_wide_rows_do_not_stay_in_memory_for_the_planner(self):
        narrow = servers.Synod(os.environ["SYNODD"], "--cores", "1", "--memory", "128MB")
        self.addCleanup(narrow.stop)
        client = narrow.client()
        self.addCleanup(client.close)
        client.query("CREATE TABLE wide (id int PRIMARY KEY, text text)")
        for first in range(0, 1000, 20):
            client.query(f"INSERT INTO wide SELECT n, repeat(chr(97 + n % 26), 100000) FROM generate_series({first}, {first + 19}) n")
        for _ in range(3):
            self.assertEqual(client.rows("SELECT count(*) FROM wide WHERE text LIKE 'b%'"), [["39"]])
        client.query("UPDATE wide SET text = text || 'x' WHERE id BETWEEN 500 AND 520")
        self.assertEqual(client.rows("SELECT sum(length(text)) FROM wide"), [["100000021"]])

    def test_who_holds_history_back_is_shown(self):
        holder, other = self.synod.client(), self.synod.client()
        self.addCleanup(holder.close)
        self.addCleanup(other.close)
        self.client.query("CREATE TABLE held (id int PRIMARY KEY)")
        holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
        [[process]] = holder.rows("SELECT pg_backend_pid() FROM held UNION ALL SELECT pg_backend_pid()")
        other.query("INSERT INTO held SELECT generate_series(1, 10)")
        other.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.query("SELECT * FROM held")
        shown = "SELECT pid::text FROM pg_stat_activity WHERE backend_xmin IS NOT NULL"
        self.assertEqual(self.rows(shown), [(process,)])
        holder.query("COMMIT")
        self.assertNotEqual(self.rows(shown), [(process,)])

    def figures(self, columns, name="counted"):
        return tuple(int(value) for value in self.rows(f"SELECT {columns} FROM pg_stat_user_tables WHERE relname = '{name}'")[0])

    def test_what_is_done_with_tables_is_counted(self):
        self.client.query("CREATE TABLE counted (id int PRIMARY KEY, twin int); CREATE INDEX counted_twin ON counted (twin)")
        self.assertEqual(self.figures("seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_mod_since_analyze"), (0,) * 7)
        self.client.query("INSERT INTO counted SELECT n, n FROM generate_series(1, 5000) n")
        self.client.query("UPDATE counted SET twin = 0 WHERE id <= 10")
        self.client.query("DELETE FROM counted WHERE id > 4990")
        self.client.query("BEGIN; INSERT INTO counted VALUES (-1, -1); ROLLBACK")
        self.assertEqual(self.figures("n_tup_ins, n_tup_upd, n_tup_del, n_mod_since_analyze"), (5001, 10, 10, 5021))
        self.assertLessEqual(4990, self.figures("n_live_tup")[0])  # about
        self.assertLessEqual(self.figures("n_live_tup")[0], 5001)
        self.client.query("ANALYZE counted")
        self.assertEqual(self.figures("n_mod_since_analyze, analyze_count, (last_analyze > now() - interval '1 minute')::int"), (0, 1, 1))
        before = self.figures("seq_scan, seq_tup_read, idx_scan, idx_tup_fetch")
        self.client.query("SELECT count(*), sum(twin) FROM counted")
        after = self.figures("seq_scan, seq_tup_read, idx_scan, idx_tup_fetch")
        self.assertEqual([a - b for a, b in zip(after, before)], [1, 4990, 0, 0])
        for number in (5, 50, 5000):
            self.client.query(f"SELECT * FROM counted WHERE id = {number}")
        self.assertEqual([a - b for a, b in zip(self.figures("seq_scan, seq_tup_read, idx_scan, idx_tup_fetch"), after)], [0, 0, 3, 2])
        self.client.query("SELECT id FROM counted WHERE twin = 77")
        self.assertEqual(self.rows("SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'counted_twin'"),
                         [("counted_twin", "1")])
        self.assertEqual(self.rows("SELECT xact_commit > 10, xact_rollback > 0, tup_inserted > 5000 FROM pg_stat_database WHERE datname = 'synod'"),
                         [("t", "t", "t")])

    def test_it_stops_with_the_node_at_once(self):
        self.client.query("CREATE TABLE seen (id int); INSERT INTO seen SELECT generate_series(1, 1000); SELECT * FROM seen")
        began = time.monotonic()
        self.client.close()
        self.synod.stop()
        self.assertLess(time.monotonic() - began, 9)


if __name__ == "__main__":
    tap.main()
