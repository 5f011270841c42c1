#!/usr/bin/env python3
"""Which order a plan's rows come in is known and used: merge joins and sorted groups where the order is there for nothing, no sort
where something below has sorted already, and what settings tell to do without is not done. Semi joins by a key are plain joins."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import servers  # noqa: E402
import tap  # noqa: E402

SETUP = """CREATE TABLE one (id int PRIMARY KEY, twin int, word text);
CREATE TABLE many (id int, line int, twin int, PRIMARY KEY (id, line));
INSERT INTO one SELECT n, n / 2, 'w' || n FROM generate_series(1, 20000) n;
INSERT INTO many SELECT n / 4, n % 4, n % 100 FROM generate_series(1, 60000) n;
CREATE INDEX ON one (twin);
CREATE TABLE job (id int PRIMARY KEY, state text, taken int);
INSERT INTO job SELECT n, 'ready', 0 FROM generate_series(1, 5000) n;
CREATE INDEX job_ready ON job (id) WHERE state = 'ready';
ANALYZE"""


class Orders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(os.environ["SYNODD"], "--cores", "2", "--memory", "512MB")
        cls.synod.client().query(SETUP)

    @classmethod
    def tearDownClass(cls):
        cls.synod.stop()

    def setUp(self):
        self.client = self.synod.client()
        self.addCleanup(self.client.close)

    def plan(self, sql, *without):
        self.client.query("; ".join(["RESET ALL", *(f"SET {name} = off" for name in without)]))
        return "\n".join(row[0] for row in self.client.rows("EXPLAIN (COSTS OFF) " + sql))

    def test_a_merge_join_needs_no_sort_where_keys_give_the_order(self):
        plan = self.plan("SELECT count(word) FROM one JOIN many ON one.id = many.id", "enable_hashjoin", "enable_nestloop")
        self.assertIn("Merge Join", plan)
        self.assertRegex(plan, r"Merge Cond: \((one\.id = many\.id|many\.id = one\.id)\)")
        self.assertNotIn("Sort", plan)

    def test_a_plan_is_indented_as_postgresql_does_it(self):
        plan = self.plan("SELECT DISTINCT word FROM one WHERE id + 1 < 5 ORDER BY word")
        self.assertIn("Filter: ((id + 1) < 5)", plan)
        level = 0  # of the arrow above
        for line in plan.split("\n")[1:]:
            indent = len(line) - len(line.lstrip())
            if line.lstrip().startswith("->"):
                self.assertEqual(indent % 6, 2, plan)
                level = indent // 6 + 1
            else:
                self.assertEqual(indent, 2 + 6 * level, plan)
        self.assertGreaterEqual(level, 2)

    def test_with_queries_have_their_names_in_a_plan(self):
        plan = self.plan("WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r AS numbers")
        self.assertTrue(plan.startswith("CTE Scan on numbers\n  CTE r\n    ->  Recursive Union\n          ->  "), plan)
        self.assertIn("WorkTable Scan on r", plan)

    def test_a_merge_join_sorts_what_does_not_come_in_order(self):
        plan = self.plan("SELECT count(*) FROM one JOIN many ON one.id = many.twin", "enable_hashjoin", "enable_nestloop")
        self.assertIn("Merge Join", plan)
        self.assertIn("Sort Key: many.twin", plan)
        self.assertNotIn("Sort Key: one.id", plan)

    def test_the_order_of_a_merge_join_serves_groups_and_order_by(self):
        plan = self.plan("SELECT many.id, count(*) FROM one JOIN many ON one.id = many.id GROUP BY many.id ORDER BY many.id",
                         "enable_hashjoin", "enable_nestloop", "enable_hashagg")
        self.assertIn("Merge Join", plan)
        self.assertIn("GroupAggregate", plan)
        self.assertIn("Group Key: many.id", plan)
        self.assertNotIn("Sort", plan)

    def test_every_kind_is_merged(self):
        for join, name in (("LEFT", "Merge Left Join"), ("FULL", "Merge Full Join")):
            plan = self.plan(f"SELECT count(word), count(line) FROM one {join} JOIN many ON one.id = many.id", "enable_hashjoin",
                             "enable_nestloop")
            self.assertIn(name, plan)
        for no, name in (("", "Merge Semi Join"), ("NOT ", "Merge Anti Join")):
            plan = self.plan(f"SELECT count(word) FROM one WHERE {no}EXISTS (SELECT 1 FROM many WHERE many.id = one.id)",
                             "enable_hashjoin", "enable_nestloop")
            self.assertIn(name, plan)

    def test_a_queue_is_read_by_the_index_that_has_only_what_waits(self):
        # When the plan is made no row fails the condition; when it has been used for a while all in front do.
        first = "SELECT id FROM job WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        self.assertIn("job_ready", self.plan(first))
        self.client.query("BEGIN; UPDATE job SET state = 'done' WHERE id <= 2500; ANALYZE job")
        self.assertIn("job_ready", self.plan(first))
        self.assertNotIn("job_ready", self.plan("SELECT taken FROM job WHERE state = 'ready' ORDER BY id"))
        self.client.query("ROLLBACK; ANALYZE job")

    def test_groups_by_key_below_a_limit_are_sorted_ones(self):
        for key in ("id", "id, line"):
            plan = self.plan(f"SELECT {key}, count(*) FROM many GROUP BY {key} LIMIT 3")
            self.assertIn("GroupAggregate", plan)
            self.assertNotIn("HashAggregate", plan)
        plan = self.plan("SELECT twin, max(id) FROM one GROUP BY twin ORDER BY twin LIMIT 3")
        self.assertIn("GroupAggregate", plan)
        self.assertNotIn("Sort", plan)

    def test_columns_that_depend_on_the_key_do_not_hinder(self):
        plan = self.plan("SELECT word, id, count(*) FROM one GROUP BY word, id ORDER BY id LIMIT 3")
        self.assertIn("GroupAggregate", plan)
        self.assertNotIn("Sort", plan)

    def test_distinct_by_key_below_a_limit_compares_neighbours(self):
        plan = self.plan("SELECT DISTINCT id FROM many ORDER BY id LIMIT 3")
        self.assertIn("Unique", plan)
        self.assertNotIn("Sort", plan)

    def test_groups_in_no_order_are_hashed(self):
        self.assertIn("HashAggregate", self.plan("SELECT twin, count(*) FROM many GROUP BY twin"))

    def test_a_semi_join_that_finds_one_row_at_most_is_a_plain_join(self):
        self.assertNotIn("Semi", self.plan("SELECT count(*) FROM many WHERE twin IN (SELECT id FROM one WHERE word LIKE 'w1%')"))
        self.assertNotIn("Semi", self.plan("SELECT count(*) FROM one WHERE id IN (SELECT twin FROM many GROUP BY twin)"))
        self.assertIn("Semi", self.plan("SELECT count(*) FROM many WHERE twin IN (SELECT twin FROM one WHERE word LIKE 'w1%')"))

    def test_what_is_told_to_be_done_without_is_not_done(self):
        sql = "SELECT count(word) FROM one JOIN many ON one.id = many.twin"
        self.assertIn("Hash Join", self.plan(sql, "enable_mergejoin", "enable_nestloop"))
        self.assertNotIn("Hash Join", self.plan(sql, "enable_hashjoin"))


if __name__ == "__main__":
    tap.main()
