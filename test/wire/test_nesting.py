"""Statements nested deeper than anybody writes: an answer or a plain error that says so, and the session goes on."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sql"))
import servers  # noqa: E402
import synodd  # noqa: E402
from client import ServerError  # noqa: E402

DEEP = 50000
TOO_DEEP, TOO_LARGE, SYNTAX = "54001", "54000", "42601"


def nested(before, inside, after, depth=DEEP):
    return before * depth + inside + after * depth


# What is said, and the SQLSTATE; None = it is answered.
STATEMENTS = {
    "parentheses": ("select " + nested("(", "1", ")"), TOO_DEEP),
    "a sum": ("select 1" + "+1" * DEEP, TOO_DEEP),
    "a flat condition": ("select true" + " and true" * DEEP, None),
    "negations": ("select " + nested("not ", "true", ""), TOO_DEEP),
    "signs": ("select " + nested("- ", "1", ""), TOO_DEEP),
    "cases": ("select " + nested("case when true then ", "1", " end"), TOO_DEEP),
    "scalar subqueries": ("select " + nested("(select ", "1", ")"), TOO_DEEP),
    "subqueries in FROM": ("select * from " + nested("(select * from ", "(select 1) x", ") x", 5000), TOO_DEEP),
    "conditions on subqueries": ("select 1 where " + nested("exists (select 1 where ", "true", ")", 5000), TOO_DEEP),
    "subqueries of functions in FROM": ("select * from generate_series(1, " + nested("(select ", "1", ")", 1000) + ")", TOO_DEEP),
    "arrays": ("select " + nested("array[", "1", "]"), TOO_DEEP),
    "casts": ("select 1" + "::int" * DEEP, TOO_DEEP),
    "unions": ("select 1" + " union all select 1" * DEEP, TOO_DEEP),
    "joins": ("select 1 from pg_class" + " cross join pg_class" * 3000, TOO_DEEP),
    "calls": ("select " + nested("abs(", "1", ")"), TOO_DEEP),
    "subscripts": ("select a" + "[1]" * DEEP + " from (select array[1] a) x", TOO_LARGE),
    "fields": ("select x" + ".x" * DEEP + " from (select 1) x", SYNTAX),
    "jsonb": (f"select '{nested('[', '', ']')}'::jsonb", TOO_DEEP),
    "a field of json": ("select '" + nested('{"a":', "1", "}") + "'::json -> 'a'", TOO_DEEP),
    "an array's text": (f"select '{nested('{', '', '}')}'::int[]", TOO_LARGE),
    "a chain of WITH": ("with " + ",".join(f"c{i} as (select {'1 as a' if not i else f'a from c{i - 1}'})" for i in range(500))
                        + " select * from c499", None),
    "a check": (f"create temp table deep (a int check ({nested('(', 'a > 0', ')')}))", TOO_DEEP),
    "a view": ("create temp view deep as select " + "1+" * DEEP + "1", TOO_DEEP),
    "EXPLAIN": ("explain select 1" + "+1" * DEEP, TOO_DEEP),
}


class Nesting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(synodd.PROGRAM, "--cores", "2", "--memory", "512MB", "--io", synodd.IO)
        cls.addClassCleanup(cls.synod.stop)

    def test_each_is_answered_or_refused_and_the_session_goes_on(self):
        client = self.synod.client()
        self.addCleanup(client.close)
        for name, (statement, expected) in STATEMENTS.items():
            with self.subTest(name):
                state = None
                try:
                    client.query(statement)
                except ServerError as error:
                    state = error.state
                self.assertEqual(state, expected)
                self.assertEqual(client.query("select 1")[0][1], [["1"]])


if __name__ == "__main__":
    synodd.main()
