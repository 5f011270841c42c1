"""tool/console --check notices sources that changed after dist was built, and a dist that was not built."""

import os
import shutil
import subprocess
import tempfile
import unittest

import violation

CONSOLE = os.path.join(os.path.dirname(violation.TOOL), "restgw", "console")


class Console(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.join(tempfile.mkdtemp(), "console")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.folder))
        shutil.copytree(CONSOLE, self.folder, ignore=shutil.ignore_patterns("node_modules"))

    def check(self):
        return subprocess.run([os.path.join(violation.TOOL, "console"), "--check", self.folder],
                              capture_output=True, text=True, check=False)

    def append(self, path):
        with open(os.path.join(self.folder, path), "a", encoding="utf-8") as file:
            file.write("\n")

    def test_what_was_built_passes(self):
        self.assertEqual(self.check().returncode, 0)

    def test_a_changed_source_is_noticed(self):
        self.append("src/main.tsx")
        answer = self.check()
        self.assertEqual(answer.returncode, 1)
        self.assertIn("sources changed since dist was built", answer.stdout)

    def test_a_new_source_is_noticed(self):
        self.append("src/new.ts")
        self.assertEqual(self.check().returncode, 1)

    def test_other_versions_of_packages_are_noticed(self):
        self.append("package-lock.json")
        self.assertEqual(self.check().returncode, 1)

    def test_a_dist_changed_by_hand_is_noticed(self):
        self.append("dist/index.html")
        answer = self.check()
        self.assertEqual(answer.returncode, 1)
        self.assertIn("dist is not what was built", answer.stdout)


if __name__ == "__main__":
    violation.main()
