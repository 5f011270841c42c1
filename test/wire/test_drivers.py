"""What PostgreSQL's drivers for Python do by themselves: types, prepared statements, pipelines, cursors, COPY, cancelling."""

import asyncio
import decimal
import importlib.util
import io
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sql"))
import servers  # noqa: E402
import synodd  # noqa: E402

MAKE = "drop table if exists d; create table d (a serial primary key, b text, c numeric(10,2), d timestamptz default now())"


def needs(module):
    return unittest.skipUnless(importlib.util.find_spec(module), f"{module} is not installed")


class Drivers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.synod = servers.Synod(synodd.PROGRAM, "--cores", "2", "--memory", "512MB", "--io", synodd.IO)
        cls.addClassCleanup(cls.synod.stop)
        host, port = cls.synod.address
        cls.where = {"host": host, "port": port, "user": "synod", "password": "secret"}

    @needs("psycopg2")
    def test_psycopg2(self):
        import psycopg2
        connection = psycopg2.connect(dbname="synod", **self.where)
        self.addCleanup(connection.close)
        cursor = connection.cursor()
        cursor.execute(MAKE)
        cursor.execute("insert into d (b, c) values (%s, %s) returning a", ("x", 1.5))
        self.assertEqual(cursor.fetchone(), (1,))
        connection.commit()
        cursor.execute("select a, b, c from d")
        self.assertEqual(cursor.fetchall(), [(1, "x", decimal.Decimal("1.50"))])
        of_server = connection.cursor("of_server")
        of_server.execute("select * from generate_series(1, 1000)")
        self.assertEqual([len(of_server.fetchmany(10)), len(of_server.fetchall())], [10, 990])
        connection.rollback()
        with self.assertRaises(psycopg2.errors.UniqueViolation) as caught:
            cursor.execute("insert into d (a) values (1)")
        self.assertEqual(caught.exception.diag.constraint_name, "d_pkey")
        connection.rollback()
        cursor.copy_expert("copy d (b) from stdin", io.StringIO("p\nq\n"))
        out = io.StringIO()
        cursor.copy_expert("copy (select b from d order by a) to stdout", out)
        self.assertEqual(out.getvalue(), "x\np\nq\n")

    @needs("psycopg2")
    def test_a_session_begins_with_what_its_role_and_database_are_set_to(self):
        import psycopg2

        def shown(**options):
            with psycopg2.connect(dbname="synod", **self.where, **options) as connection, connection.cursor() as cursor:
                cursor.execute("select current_setting('work_mem'), current_setting('application_name', true)")
                return cursor.fetchone()

        maker = psycopg2.connect(dbname="synod", **self.where)
        self.addCleanup(maker.close)
        maker.autocommit = True
        cursor = maker.cursor()
        self.addCleanup(cursor.execute, "alter role synod reset all; alter database synod reset all")
        cursor.execute("alter database synod set work_mem = '6MB'; alter database synod set application_name = 'of database'")
        self.assertEqual(shown(), ("6MB", "of database"))
        cursor.execute("alter role synod set work_mem = '7MB'")
        self.assertEqual(shown(application_name="own"), ("7MB", "own"))
        cursor.execute("alter role synod in database synod set work_mem = '8MB'; alter role synod set nosuch.thing = 'kept'")
        self.assertEqual(shown(options="-c application_name=given"), ("8MB", "given"))

    @needs("psycopg2")
    def test_a_foreign_key_sees_children_made_after_the_snapshot(self):
        import psycopg2
        first, second = (psycopg2.connect(dbname="synod", **self.where) for _ in range(2))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        second.autocommit = True
        other = second.cursor()
        for action, error in (("no action", psycopg2.errors.ForeignKeyViolation),
                              ("cascade", psycopg2.errors.SerializationFailure)):
            other.execute("drop table if exists child, parent; create table parent (a int primary key);"
                          f"create table child (a int references parent on delete {action}); insert into parent values (1)")
            cursor = first.cursor()
            cursor.execute("set transaction isolation level repeatable read")
            cursor.execute("select count(*) from child")
            other.execute("insert into child values (1)")
            with self.assertRaises(error):
                cursor.execute("delete from parent")
            first.rollback()
            cursor.execute("select count(*) from child join parent using (a)")
            self.assertEqual(cursor.fetchone(), (1,))
            first.rollback()

    @needs("psycopg")
    def test_psycopg3(self):
        import psycopg
        connection = psycopg.connect(dbname="synod", **self.where)
        self.addCleanup(connection.close)
        for statement in MAKE.split(";"):
            connection.execute(statement)
        self.assertEqual(connection.execute("select %s::int, %s, %s::float8", (1, "a", 2.5)).fetchone(), (1, "a", 2.5))
        for _ in range(8):  # from the sixth time on it is prepared
            self.assertEqual(connection.execute("select %s + 1::int8", (5,)).fetchone(), (6,))
        with connection.transaction():
            connection.execute("insert into d (b) values (%s)", ("in a savepoint",))
        with connection.pipeline():
            first, second = connection.execute("select 1"), connection.execute("select 2")
        self.assertEqual((first.fetchone(), second.fetchone()), ((1,), (2,)))
        with connection.cursor(name="srv") as cursor:
            cursor.execute("select generate_series(1, 100)")
            self.assertEqual(len(cursor.fetchmany(7)), 7)
        with connection.cursor() as cursor:
            with cursor.copy("copy d (b) from stdin (format binary)") as copy:
                copy.set_types(["text"])
                copy.write_row(["binary"])
            with cursor.copy("copy (select 1, 'x'::text) to stdout (format binary)") as copy:
                copy.set_types(["int4", "text"])
                self.assertEqual(list(copy.rows()), [(1, "x")])
        self.assertEqual(connection.execute("select count(*) from d").fetchone(), (2,))

    @needs("asyncpg")
    def test_asyncpg(self):
        asyncio.run(self.talk_asyncpg())

    async def talk_asyncpg(self):
        import asyncpg
        connection = await asyncpg.connect(database="synod", **self.where)
        await connection.execute(MAKE)
        self.assertEqual(await connection.fetchval("select $1::int + 1", 41), 42)
        row = await connection.fetchrow("select 1::int8 a, true b, 1.5::numeric c, '{1,2}'::int[] d, null e")
        self.assertEqual(tuple(row), (1, True, decimal.Decimal("1.5"), [1, 2], None))
        async with connection.transaction():
            await connection.execute("insert into d (b) values ($1)", "x")
            self.assertEqual(len([r async for r in connection.cursor("select generate_series(1, 60)")]), 60)
        await connection.executemany("insert into d (b) values ($1)", [("y",), ("z",)])
        await connection.copy_records_to_table("d", records=[("copied",)], columns=["b"])
        with self.assertRaises(asyncio.TimeoutError):
            await connection.fetch("select pg_sleep(100)", timeout=0.3)
        self.assertEqual(await connection.fetchval("select count(*) from d"), 4)
        await connection.reset()
        await connection.close()


if __name__ == "__main__":
    synodd.main()
