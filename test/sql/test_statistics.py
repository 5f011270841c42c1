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

    def test_it_stops_with_the_node_at_once(self):
        self.client.query("CREATE TABLE seen (id int); INSERT INTO seen SELECT generate_series(1, 1000); SELECT * FROM seen")
        began = time.monotonic()
        self.client.close()
        self.synod.stop()
        self.assertLess(time.monotonic() - began, 9)


if __name__ == "__main__":
    tap.main()
