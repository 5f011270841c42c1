"""A small house in a temporary directory, for the tests of the checkers.

A test builds a tree that breaks one rule, runs the real checker on it, and looks for the violation by name."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import main  # noqa: E402,F401  the tests end with violation.main()

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tool")

LAYERS = """\
base | * |
base/linux | | base <system> <liburing.h>
base/tls | | base <openssl/*>
engine | store.h | base
engine/row | | base engine/store.h
engine/column | | base engine
node | | base base/linux engine engine/row <system>
test/unit | | <system> <check.h> ** base engine
"""


class House(unittest.TestCase):
    """Gives each test an empty house with the layers above."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.write("doc/layers.txt", LAYERS)

    def path(self, path):
        return os.path.join(self.root, path)

    def write(self, path, text=""):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def run_checker(self, name, *arguments):
        """Runs it inside the house; gives (exit status, what it printed)."""
        run = subprocess.run([os.path.join(TOOL, name), *arguments], cwd=self.root, capture_output=True, text=True,
                             check=False)
        return run.returncode, run.stdout + run.stderr

    def assert_finds(self, checker, expected, *arguments):
        """The checker fails, and one line of what it prints is exactly `expected`."""
        status, output = self.run_checker(checker, *arguments)
        self.assertIn(expected, output.splitlines())
        self.assertEqual(status, 1)
        self.assertIn(f"{checker}: 1 violation", output.splitlines(), "nothing else is wrong")

    def assert_clean(self, checker, *arguments):
        self.assertEqual(self.run_checker(checker, *arguments), (0, ""))
