"""The same conversations with synodd and with a PostgreSQL 15: answered alike, word for word."""

import difflib
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sql"))
import conversations  # noqa: E402
import servers  # noqa: E402
import synodd  # noqa: E402
import transcript  # noqa: E402


class Alike(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(servers.POSTGRES):
            raise unittest.SkipTest("no PostgreSQL 15 to compare with")
        cls.postgres = servers.Postgres("timezone=Etc/UTC")
        cls.addClassCleanup(cls.postgres.stop)
        cls.synod = servers.Synod(synodd.PROGRAM, "--cores", "2", "--memory", "512MB", "--io", synodd.IO)
        cls.addClassCleanup(cls.synod.stop)

    def held(self, server, conversation):
        client = server.client()
        try:
            return transcript.hold(client, conversation)
        finally:
            client.close()

    def assert_alike(self, group):
        for name, conversation in group.items():
            with self.subTest(conversation=name):
                wanted, given = self.held(self.postgres, conversation), self.held(self.synod, conversation)
                lines = difflib.unified_diff(wanted, given, "postgres", "synodd", n=1, lineterm="")
                self.assertEqual(wanted, given, "\n" + "\n".join(lines))

    def test_sessions_are_alike(self):
        self.assert_alike(conversations.SESSION)

    def test_copies_are_alike(self):
        self.assert_alike(conversations.COPY)


if __name__ == "__main__":
    synodd.main()
