"""tool/install asks for what is missing and nothing else. dpkg-query, apt-get, id and sudo are played by scripts
that write down how they were called."""

import os
import shutil
import subprocess

import violation

PACKAGES = """\
# reasons
build   gcc    the compiler
build   ninja  runs the plan

test    check  unit tests
"""


class Install(violation.House):
    def setUp(self):
        super().setUp()
        self.write("tool/packages.txt", PACKAGES)
        shutil.copy(os.path.join(violation.TOOL, "install"), self.path("tool/install"))
        for name in ("true", "sh", "dirname", "sed", "grep", "env"):
            os.makedirs(self.path("bin"), exist_ok=True)
            os.symlink(shutil.which(name), self.path("bin/" + name))
        self.play("id", "echo 0")
        self.play("dpkg-query", 'echo "installed gcc"; echo "installed ninja"')
        self.play("apt-get", 'echo apt-get "$@" >>calls')

    def play(self, name, script):
        self.write("bin/" + name, "#!/bin/sh\n" + script + "\n")
        os.chmod(self.path("bin/" + name), 0o755)

    def install(self, *stages):
        run = subprocess.run(["tool/install", *stages], cwd=self.root, env={"PATH": self.path("bin")},
                             capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        return run.returncode, run.stdout + run.stderr

    def calls(self):
        if not os.path.exists(self.path("calls")):
            return []
        with open(self.path("calls"), encoding="utf-8") as file:
            return [line.split() for line in file]

    def test_nothing_missing_is_quiet_and_calls_nobody(self):
        self.assertEqual(self.install("build"), (0, ""))
        self.assertEqual(self.calls(), [])

    def test_only_what_is_missing_is_installed(self):
        self.assertEqual(self.install("build", "test"), (0, "installing: check\n"))
        self.assertEqual([call[-2:] for call in self.calls()], [["install", "check"]])

    def test_a_package_half_removed_is_missing(self):
        self.play("dpkg-query", 'echo "config-files gcc"; echo "installed ninja"')
        self.assertEqual(self.install("build"), (0, "installing: gcc\n"))

    def test_lists_are_fetched_only_when_the_first_try_fails(self):
        self.play("apt-get", 'echo apt-get "$@" >>calls\n'
                  'for word; do case $word in update) : >fetched;; esac; done\n'
                  '[ -f fetched ]')
        self.assertEqual(self.install("test"), (0, "installing: check\n"))
        self.assertEqual([call[-1] for call in self.calls()], ["check", "update", "check"])

    def test_what_apt_get_says_is_shown_when_it_fails(self):
        self.play("apt-get", 'for word; do [ "$word" = update ] && exit 0; done; echo "E: no such thing"; exit 100')
        self.assertEqual(self.install("test"), (1, "installing: check\nE: no such thing\n"
                                                "tool/install: apt-get could not install: check\n"))

    def test_without_root_it_asks_sudo_which_asks_nobody(self):
        self.play("id", "echo 1000")
        self.play("sudo", 'echo sudo "$1" >>calls; shift; "$@"')
        self.assertEqual(self.install("test"), (0, "installing: check\n"))
        self.assertEqual([call[0] for call in self.calls()], ["sudo", "sudo", "apt-get"])

    def test_a_sudo_that_wants_a_password_is_no_help(self):
        self.play("id", "echo 1000")
        self.play("sudo", "exit 1")
        self.assertEqual(self.install("test"), (1, "tool/install: these packages are missing, and sudo wants a "
                                                "password that nobody can type here: check\n"))

    def test_without_root_and_sudo_it_says_so(self):
        self.play("id", "echo 1000")
        self.assertEqual(self.install("test"), (1, "tool/install: these packages are missing, and installing them "
                                                "takes root or sudo: check\n"))

    def test_an_unknown_stage_is_refused(self):
        self.assertEqual(self.install("moon"),
                         (2, 'tool/install: there is no stage "moon" in tool/packages.txt\n'))


if __name__ == "__main__":
    violation.main()
