#!/usr/bin/env python3
"""Compares the checker with its model over histories of databases that are right or wrong in many ways:
test_model.py JUDGE"""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import list_append_model as model  # noqa: E402  (beside this file)
import tap  # noqa: E402

MODES = ("ss", "si", "rc", "stale", "longfork", "lost", "aborted")
SEEDS = range(5)


def text_of(history, level):
    lines = [f"level {level}"]
    for t in history:
        lines.append(f"t {t.process} {t.invoked} {t.returned} {t.status}")
        for kind, key, value in t.operations:
            rest = str(value) if kind == "a" else " ".join(map(str, value))
            lines.append(f"{kind} {key} {rest}".rstrip())
    return "\n".join(lines) + "\n.\n"


def judge(texts):
    """The classes the checker found in each history."""
    run = subprocess.run([JUDGE], input="".join(texts), capture_output=True, text=True, check=True)
    return [set(filter(None, line.split("\t")[0].split(";"))) - {"clean"} for line in run.stdout.splitlines()]


def all_at_once(history):
    """The same without any order of times: all begin before any ends."""
    end = max(t.returned for t in history) + 1
    return [model.Transaction(t.number, i, t.invoked, end + i, t.status, t.operations) for i, t in enumerate(history)]


class SameAsModel(unittest.TestCase):
    def compare(self, level, forbidden, prepare):
        for mode in MODES:
            histories = [prepare(model.run(mode, seed)) for seed in SEEDS]
            found = judge([text_of(history, level) for history in histories])
            self.assertEqual(len(found), len(histories))
            for seed, history, classes in zip(SEEDS, histories, found):
                expected = {name for name in model.check(history) if forbidden(name)}
                self.assertEqual(bool(expected), bool(classes),
                                 f"{mode} seed {seed}: the model says {expected}, the checker {classes}")

    def test_strict_serializability(self):
        self.compare("strict", lambda name: True, lambda history: history)

    def test_serializability_without_times(self):
        self.compare("strict", lambda name: name in model.SERIALIZABLE, all_at_once)

    def test_snapshot_isolation_without_times(self):
        self.compare("snapshot", lambda name: name in model.SNAPSHOT, all_at_once)

    def test_strong_snapshot_isolation(self):
        def forbidden(name):
            return name.removesuffix("-realtime") in model.SNAPSHOT
        self.compare("snapshot", forbidden, lambda history: history)

    def test_what_read_committed_forbids_is_found_at_every_level(self):
        for mode in MODES:
            histories = [all_at_once(model.run(mode, seed)) for seed in SEEDS]
            for level in ("statement", "snapshot", "strict"):
                found = judge([text_of(history, level) for history in histories])
                for history, classes in zip(histories, found):
                    if model.check(history) & model.READ_COMMITTED:
                        self.assertTrue(classes, f"{mode} at level {level}")

    def test_each_right_database_passes_and_each_wrong_one_is_found(self):
        for level, right, wrong in (("strict", "ss", "si"), ("strict", "ss", "stale"), ("strict", "ss", "lost"),
                                    ("snapshot", "si", "longfork"), ("statement", "ss", "aborted"),
                                    ("statement", "si", "rc"), ("snapshot", "ss", "rc")):
            clean = judge([text_of(model.run(right, seed), level) for seed in SEEDS])
            self.assertEqual(clean, [set()] * len(SEEDS), f"{right} at level {level}")
            dirty = judge([text_of(model.run(wrong, seed), level) for seed in SEEDS])
            self.assertTrue(any(dirty), f"{wrong} at level {level}")


if __name__ == "__main__":
    JUDGE = sys.argv.pop()
    tap.main()
