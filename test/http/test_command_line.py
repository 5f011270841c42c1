"""The command line `synod` against a real synodd: statements, scripts, formats, the shell in a terminal, loads, users, keys."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import rest  # noqa: E402
import tap  # noqa: E402

SYNOD = os.environ["SYNOD"]


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = rest.Node("--cores", "2")
        cls.addClassCleanup(cls.node.end)
        cls.folder = cls.node.directory.name
        cls.environment = {
            "PATH": os.environ["PATH"], "HOME": cls.folder, "LANG": "C.UTF-8", "TERM": "dumb", "SYNOD_PASSWORD": rest.PASSWORD,
            "SYNOD_URL": "https://%s:%d" % tuple(cls.node.server.https), "SYNOD_CA": cls.folder + "/data/tls/server.crt"}

    def synod(self, *words, stdin="", status=0, **environment):
        done = subprocess.run([SYNOD, *words], input=stdin, env={**self.environment, **environment}, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def sql(self, text, *words, **more):
        return self.synod("sql", *words, "-c", text, **more)

    def table(self, name, columns="a int PRIMARY KEY, b text"):
        self.sql(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns})")
        return name

    def test_results_are_aligned(self):
        self.assertEqual(self.sql("SELECT 1 AS one, 'é' AS \"letter e\", NULL AS nothing, 2.50 AS number UNION ALL SELECT 20, 'two\nlines', 'x', 3"),
                         " one | letter e | nothing | number\n"
                         "-----+----------+---------+--------\n"
                         "   1 | é        |         |   2.50\n"
                         "  20 | two     +| x       |      3\n"
                         "     | lines    |         |\n"
                         "(2 rows)\n\n".replace("|\n(", "|       \n("))

    def test_a_script_ends_at_its_first_error_or_goes_on(self):
        name = self.table("script")
        text = f"INSERT INTO {name} VALUES (1, 'a;b'); -- one; two\nSELECT nothing; INSERT INTO {name} VALUES (2, $$x;y$$)"
        said = self.sql(text, status=1)
        self.assertIn("INSERT 1", said)
        self.assertIn('ERROR:  column "nothing" does not exist (42703)\nLINE 1', said)
        self.assertEqual(self.sql(f"SELECT count(*) FROM {name}", "-A", "-t"), "1\n")
        self.sql(text.replace("(1,", "(3,"), "--keep-going", status=1)
        self.assertEqual(self.sql(f"SELECT a FROM {name} ORDER BY a", "--csv"), "a\n1\n2\n3\n")

    def test_the_place_of_an_error_is_shown(self):
        said = self.synod("sql", stdin="SELECT 'ä',\n  wrong\nFROM pg_class;\n", status=1)
        self.assertIn('LINE 2:   wrong\n          ^\n', said)

    def test_formats_for_programs(self):
        query = "SELECT 1 AS a, 'x,\"y\"' AS b, NULL AS c, 9007199254740993 AS d, true AS e, ARRAY[1, 2] AS f"
        self.assertEqual(self.sql(query, "--csv"), 'a,b,c,d,e,f\n1,"x,""y""",,9007199254740993,t,"{1,2}"\n')
        self.assertEqual(json.loads(self.sql(query, "--json")),
                         {"a": 1, "b": 'x,"y"', "c": None, "d": "9007199254740993", "e": True, "f": [1, 2]})
        self.assertEqual(self.sql("SELECT 1 AS a, 2 AS b", "-x"), "-[ RECORD 1 ]-\na | 1\nb | 2\n\n".rstrip("\n") + "\n")

    def test_transactions_last_over_statements(self):
        name = self.table("moves")
        self.sql(f"BEGIN; INSERT INTO {name} VALUES (1, 'x'); ROLLBACK; BEGIN; INSERT INTO {name} VALUES (2, 'y'); COMMIT")
        self.assertEqual(self.sql(f"SELECT * FROM {name}", "-A", "-t"), "2|y\n")

    def test_describing(self):
        self.sql("DROP VIEW IF EXISTS seen; DROP TABLE IF EXISTS child, parent")
        self.sql("CREATE TABLE parent (id int PRIMARY KEY, word varchar(10) NOT NULL DEFAULT 'x' CHECK (word <> ''));"
                 "CREATE TABLE child (parent int REFERENCES parent, UNIQUE (parent)); CREATE VIEW seen AS SELECT id FROM parent")
        said = self.sql("\\d parent")
        for part in ('Table "public.parent"', "character varying(10)", "not null", '"parent_pkey" PRIMARY KEY, btree (id)',
                     "Check constraints:", "Referenced by:", 'TABLE "child"'):
            self.assertIn(part, said)
        self.assertIn("Foreign-key constraints:", self.sql("\\d child"))
        self.assertIn("View definition:", self.sql("\\d seen"))
        self.assertIn("| parent |", self.sql("\\dt par*"))
        self.assertNotIn("| parent |", self.sql("\\dt chi?d"))
        self.assertIn("Did not find any relation named \"nowhere\"", self.sql("\\d nowhere", status=1))
        for command in ("\\d", "\\dv", "\\di", "\\ds", "\\dn", "\\df", "\\dT", "\\du", "\\dp", "\\l", "\\conninfo", "\\?"):
            self.sql(command)
        self.assertIn("invalid command \\nonsense", self.sql("\\nonsense", status=1))

    def test_copying_and_loading(self):
        name, folder = self.table("copied"), self.folder
        with open(folder + "/in.csv", "w", encoding="utf-8") as file:
            file.write('a,b\n1,"quoted ""x""\nover lines"\n2,plain\n3,\n')
        self.assertEqual(self.synod("load", name, folder + "/in.csv", "--header"), f"3 rows loaded into {name}\n")
        self.assertIn("23505", self.synod("load", name, folder + "/in.csv", "--header", status=1))
        self.assertEqual(self.sql(f"SELECT count(*), count(b) FROM {name}", "-A", "-t"), "3|2\n")
        self.sql(f"\\copy {name} to {folder}/out.csv header\n\\copy (SELECT a FROM {name} ORDER BY a) to {folder}/a.csv")
        with open(folder + "/out.csv", encoding="utf-8") as out, open(folder + "/in.csv", encoding="utf-8") as file:
            self.assertEqual(out.read(), file.read())
        with open(folder + "/a.csv", encoding="utf-8") as file:
            self.assertEqual(file.read(), "1\n2\n3\n")
        many = "".join(f"{n},{'x' * 100}\n" for n in range(100, 100100))  # several parts
        self.assertEqual(self.synod("load", name, "-", "--columns", "a,b", stdin=many), f"100000 rows loaded into {name}\n")
        self.assertIn("42P01", self.synod("load", "nowhere", "-", stdin="1\n", status=1))

    def test_users_and_keys(self):
        self.assertEqual(self.synod("user", "create", "ann\u00e9", stdin="first\n"), "user anné created\n")
        self.assertIn("anné", self.synod("user", "list"))
        self.assertEqual(self.sql("SELECT current_user", "-A", "-t", "-U", "anné", "-d", "synod", SYNOD_PASSWORD="first"), "anné\n")
        self.synod("user", "password", "anné", stdin="second\n")
        self.assertIn("password", self.sql("SELECT 1", "-U", "anné", "-d", "synod", SYNOD_PASSWORD="first", status=1))
        number, key = self.synod("key", "create", "mine", "--scopes", "sql").splitlines()
        self.assertEqual(self.sql("SELECT current_user", "-A", "-t", SYNOD_API_KEY=key), "synod\n")
        self.assertIn("mine", self.synod("key", "list"))
        self.synod("key", "drop", number.split()[1].rstrip(":"))
        self.sql("SELECT 1", SYNOD_API_KEY=key, status=1)
        self.synod("user", "drop", "anné")

    def test_status(self):
        self.assertIn("active", self.synod("status"))
        self.assertIn("state", self.synod("status", "--csv").splitlines()[0])

    def test_who_cannot_be_trusted_or_reached_is_told(self):
        self.assertIn("certificate", self.synod("status", status=1, SYNOD_CA=""))
        self.assertIn("synod ", self.synod("status", "--insecure", SYNOD_CA=""))
        self.assertIn("onnect", self.synod("status", status=1, SYNOD_URL="https://127.0.0.1:1"))
        self.assertIn("there is no command", self.synod("dance", status=2))
        self.assertIn("usage", self.synod(status=2))

    def test_the_shell_in_a_terminal(self):
        name = self.table("typed")
        shell = Shell(self.environment)
        self.addCleanup(shell.close)
        shell.wait("synod=> ")
        shell.type(f"INSERT INTO {name}\n")
        shell.wait("synod-> ")
        shell.type("VALUES (1,\n")
        shell.wait("synod(> ")
        shell.type("'one');\n")
        shell.wait("INSERT 1")
        shell.type("BEGIN;\n")
        shell.wait("synod=*> ")
        shell.type(f"SELECT * FROM typ\t")
        shell.wait(name)
        shell.type(";\n")
        shell.wait("(1 row)")
        shell.type("SELECT nothing;\n")
        shell.wait("synod=!> ")
        shell.type("ROLLBACK;\nSELECT pg_sleep(600);\n")
        shell.wait("ROLLBACK")
        began = time.monotonic()
        time.sleep(0.5)  # the statement is under way, or comes to be: the key waits in the terminal then
        shell.type("\x03")
        shell.wait("canceled")
        self.assertLess(time.monotonic() - began, 30)
        shell.type("\\q\n")
        self.assertEqual(shell.end(), 0)


class Shell:
    """synod sql in a terminal."""

    def __init__(self, environment):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execve(SYNOD, [SYNOD, "sql"], environment)
        self.said, self.seen = "", 0

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait(self, text):
        end = time.monotonic() + 60
        while text not in self.said[self.seen:]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise AssertionError(f"waited for {text!r} in {self.said[self.seen:]!r}")
            self.said += os.read(self.terminal, 65536).decode(errors="replace")
        self.seen = self.said.index(text, self.seen) + len(text)

    def end(self):
        _, status = os.waitpid(self.child, 0)
        self.child = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        os.close(self.terminal)


if __name__ == "__main__":
    tap.main()
