"""The counts at the end of make test are true: tool/record writes down each program's cases, tool/count adds up."""

import os
import subprocess

import violation


class Counts(violation.House):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("build/records"))
        os.makedirs(self.path("build/meson-logs"))
        self.ran = 0

    def log_run(self):
        """What meson writes about a test it started."""
        self.ran += 1
        self.write("build/meson-logs/testlog.json", '{"name": "a test"}\n' * self.ran)

    def run_program(self, script):
        """Runs a shell script as a test program under tool/record; gives its exit status."""
        self.log_run()
        environment = dict(os.environ, RECORDS=self.path("build/records"))
        return subprocess.run([os.path.join(violation.TOOL, "record"), "sh", "-c", script], env=environment,
                              check=False).returncode

    def assert_counts(self, expected):
        self.assertEqual(self.run_checker("count", "build"), (0, expected + "\n"))

    def test_cases_named_in_tap_are_counted_one_by_one(self):
        self.assertEqual(self.run_program('printf "1..2\\nok 1 - a\\nok 2 - b\\n" >"$CK_TAP_LOG_FILE_NAME"'), 0)
        self.assertEqual(self.run_program('printf "ok 1 - a\\nnot ok 2 - b\\nok 3 - c # SKIP why\\n" '
                                          '>"$CK_TAP_LOG_FILE_NAME"; exit 1'), 1)
        self.assert_counts("3 1 1")

    def test_a_program_that_names_no_cases_is_one(self):
        self.assertEqual(self.run_program("exit 0"), 0)
        self.assertEqual(self.run_program("exit 3"), 3)
        self.assertEqual(self.run_program("exit 77"), 77)
        self.assert_counts("1 1 1")

    def test_a_program_that_fails_after_its_cases_passed_counts_as_failed(self):
        self.assertEqual(self.run_program('printf "ok 1 - a\\n" >"$CK_TAP_LOG_FILE_NAME"; exit 1'), 1)
        self.assert_counts("1 1 0")

    def test_a_program_that_was_killed_with_its_record_counts_as_failed(self):
        self.run_program("exit 0")
        self.run_program("kill -9 $PPID")
        self.assert_counts("1 1 0")

    def test_a_program_that_crashes_counts_as_failed(self):
        self.run_program("kill -SEGV $$")
        self.assert_counts("0 1 0")

    def test_nothing_ran_counts_nothing(self):
        self.assert_counts("0 0 0")


class CountsOfMeson(violation.House):
    """The same with meson itself, in a project whose tests are one-line scripts."""

    def test_what_meson_kills_counts_as_failed(self):
        self.write("meson.build", """
            project('counts')
            shell = find_program('sh')
            test('passes', shell, args: ['-c', 'exit 0'])
            test('fails', shell, args: ['-c', 'exit 1'])
            test('skips', shell, args: ['-c', 'exit 77'])
            test('hangs', shell, args: ['-c', 'exec sleep 1000'], timeout: 1)
            """)
        subprocess.run(["meson", "setup", "build"], cwd=self.root, check=True, capture_output=True)
        os.makedirs(self.path("build/records"))
        meson = subprocess.run(
            ["meson", "test", "-C", "build", "--wrapper", os.path.realpath(os.path.join(violation.TOOL, "record"))],
            cwd=self.root, env=dict(os.environ, RECORDS=self.path("build/records")), check=False,
            capture_output=True)
        self.assertNotEqual(meson.returncode, 0)
        self.assertEqual(self.run_checker("count", "build"), (0, "1 2 1\n"))


if __name__ == "__main__":
    violation.main()
