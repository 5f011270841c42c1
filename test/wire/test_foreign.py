"""Drivers and mappers in other languages, each a program of its own in drivers/: does what they do by themselves work?"""

import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sql"))
import servers  # noqa: E402
import synodd  # noqa: E402

DRIVERS = os.path.join(HERE, "drivers")
JDBC = "/usr/share/java/postgresql.jar"
DEADLINE = 300  # seconds; a tenth of it is enough for the slowest with sanitizers


def module_there(python, *modules):
    script = "; ".join(f"import {module}" for module in modules)
    return subprocess.run([python, "-c", script], stderr=subprocess.DEVNULL, check=False).returncode == 0


class Foreign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(synodd.PROGRAM, "--cores", "2", "--memory", "512MB", "--io", synodd.IO)
        cls.addClassCleanup(cls.synod.stop)

    def talk(self, *command):
        host, port = self.synod.address
        done = subprocess.run([*command, host, str(port), "secret"], cwd=DRIVERS, capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-4000:])

    def javascript(self, file):
        if not shutil.which("node") or not os.path.isdir(os.path.join(DRIVERS, "node_modules")):
            self.skipTest("needs node, and npm ci in test/wire/drivers")
        self.talk("node", file)

    def python(self, file, *modules):
        if not module_there(sys.executable, *modules):
            self.skipTest(f"needs {' and '.join(modules)}")
        self.talk(sys.executable, "-W", "ignore", file)

    def test_node_postgres(self):
        self.javascript("node_postgres.js")

    def test_postgres_js(self):
        self.javascript("postgres_js.js")

    def test_jdbc(self):
        if not shutil.which("javac") or not os.path.exists(JDBC):
            self.skipTest("needs a Java compiler and " + JDBC)
        self.talk("java", "-cp", JDBC, "Jdbc.java")

    def test_sqlalchemy_and_alembic(self):
        self.python("sqlalchemy_talk.py", "sqlalchemy", "alembic", "psycopg2")

    def test_django(self):
        self.python("django_talk.py", "django", "psycopg2")


if __name__ == "__main__":
    synodd.main()
