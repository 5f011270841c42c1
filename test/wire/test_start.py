"""How synodd starts: what it says when ready, and each reason not to start, named."""

import os
import resource
import shutil
import socket

import synodd

BAD_OPTIONS = [
    ([], ["--data DIR is missing"]),
    (["--data", "x", "--colour", "red"], ["--colour"]),
    (["--data", "x", "extra"], ['unknown argument "extra"']),
    (["--data", "x", "--data", "y"], ["--data is given twice"]),
    (["--data"], ["--data needs a value"]),
    (["--data", "x", "--sql-listen", "5432"], ["--sql-listen", '"5432" is not HOST:PORT']),
    (["--data", "x", "--https-listen", "::1:80"], ["--https-listen", "HOST:PORT"]),
    (["--data", "x", "--cores", "none"], ["--cores", "whole number"]),
    (["--data", "x", "--memory", "1KB"], ["--memory", "not a size"]),
    (["--data", "x", "--connections", "0"], ["--connections", "between"]),
    (["--data", "x", "--io", "fast"], ["--io", "auto, uring or classic"]),
    (["--data", "x", "--flush", "never"], ["--flush"]),
    (["--data", "x", "--pin", "2"], ["--pin"]),
    (["--data", "x", "--log-level", "all"], ["--log-level"]),
    (["--data", "x", "--tls-cert", "c"], ["--tls-key is missing"]),
    (["--data", "x", "--tls-key", "k"], ["--tls-cert is missing"]),
    (["--data", "x", "--config", "/nonexistent/synod.conf"], ["--config", "/nonexistent/synod.conf"]),
]


class Ready(synodd.WireTest):
    def test_one_line_and_the_endpoints_file_say_where_it_listens(self):
        server = self.start_ready()
        endpoints = self.endpoints()
        self.assertEqual(synodd.address_of(endpoints["sql"]), server.sql)
        self.assertEqual(synodd.address_of(endpoints["https"]), server.https)
        self.assertGreater(server.sql[1], 0)
        self.assertNotEqual(server.sql[1], server.https[1])
        self.assertRegex(endpoints["node"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(server.stop(), 0, server.said())
        self.assertEqual(server.output.count(b"\n"), 1, "one line and nothing more")

    def test_it_says_how_it_talks_to_the_kernel(self):
        server = self.start_ready()
        self.assertEqual(server.stop(), 0)
        self.assertIn({"uring": "io_uring", "classic": "classic"}[synodd.IO], server.said())

    def test_an_ipv6_address_stands_in_brackets(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("this machine has no IPv6")
        server = self.start_ready("--sql-listen", "[::1]:0")
        self.assertEqual(server.sql[0], "::1")
        self.assertTrue(self.endpoints()["sql"].startswith("[::1]:"))
        self.assertEqual(synodd.echo(self.closing(server.connect()), b"six\n"), b"six\n")

    def test_a_host_name_is_resolved(self):
        server = self.start_ready("--sql-listen", "localhost:0")
        self.assertEqual(synodd.echo(self.closing(server.connect()), b"name\n"), b"name\n")

    def test_options_may_come_from_environment_and_file(self):
        config = os.path.join(self.root, "synod.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"# where\ndata = {self.data}\nhttps-listen = 127.0.0.1:0\nmemory = 256MB\ncores = 1\n")
        server = self.run_program("--config", config, "--io", synodd.IO,
                                  environment={"SYNOD_SQL_LISTEN": "127.0.0.1:0", "SYNOD_CORES": "2"})
        server.wait_ready()
        self.assertTrue(os.path.exists(os.path.join(self.data, "identity")))
        self.assertEqual(server.stop(), 0, server.said())

    def test_own_certificate_and_key_are_used(self):
        first = self.start_ready()
        self.assertEqual(first.stop(), 0)
        for name in "server.crt", "server.key":
            shutil.move(os.path.join(self.data, "tls", name), self.root)
        certificate = os.path.join(self.root, "server.crt")
        server = self.start_ready("--tls-cert", certificate, "--tls-key", os.path.join(self.root, "server.key"))
        self.assertEqual(os.listdir(os.path.join(self.data, "tls")), [])
        context = synodd.anyones_context()
        context.load_verify_locations(certificate)
        context.verify_mode = synodd.ssl.CERT_REQUIRED
        self.assertEqual(synodd.echo(self.closing(server.connect_tls(context)), b"mine\n"), b"mine\n")


class HelpAndVersion(synodd.WireTest):
    def test_help_lists_the_options_and_ends(self):
        server = self.run_program("--help")
        self.assertEqual(server.wait(), 0)
        for word in b"--data DIR", b"--sql-listen HOST:PORT", b"--cores N", b"--memory SIZE", b"SYNOD_":
            self.assertIn(word, server.output)

    def test_version_bears_the_build_id(self):
        server = self.run_program("--version")
        self.assertEqual(server.wait(), 0)
        self.assertRegex(server.output, rb"^synodd [0-9.]+ build [0-9a-f]{40}\n$")


class Refusals(synodd.WireTest):
    def test_every_bad_option_is_refused_by_name(self):
        for arguments, words in BAD_OPTIONS:
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_program(*arguments, cwd=self.root), 2, *words)
        self.assertEqual(os.listdir(self.root), [], "nothing was touched")

    def test_a_mistake_in_the_environment_names_the_variable(self):
        server = self.run_program("--data", self.data, environment={"SYNOD_MEMORY": "much"})
        self.assert_refused(server, 2, "SYNOD_MEMORY", "memory")

    def test_a_mistake_in_the_file_names_the_line(self):
        config = os.path.join(self.root, "synod.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("# first\ncolour = red\n")
        server = self.run_program("--data", self.data, "--config", config)
        self.assert_refused(server, 2, config, "line 2", '"colour"')

    def test_a_port_in_use_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = f"127.0.0.1:{taken.getsockname()[1]}"
            for option in "--sql-listen", "--https-listen":
                with self.subTest(option=option):
                    self.assert_refused(self.start(option, port), 1, port, "in use")
        self.start_ready()

    def test_a_host_that_is_not_ours_is_named(self):
        self.assert_refused(self.start("--sql-listen", "192.0.2.1:0"), 1, "192.0.2.1")

    def test_too_few_descriptors_say_which_limit_and_to_what(self):
        def little():
            resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        server = self.start("--connections", "1000", preexec_fn=little)
        self.assert_refused(server, 1, "open files is 300", "RLIMIT_NOFILE")

    def test_too_little_locked_memory_says_which_limit_and_to_what(self):
        def little():
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
        how = self.as_nobody()
        os.chmod(self.root, 0o777)
        server = self.start(preexec_fn=little, **how)
        server.read_output(lambda output: b"\n" in output)
        if server.output and synodd.IO == "uring":
            self.skipTest("this kernel does not count rings as locked memory")
        if synodd.IO == "uring":
            self.assert_refused(server, 1, "locked memory is 65536", "RLIMIT_MEMLOCK")
        else:
            self.assertEqual(server.stop(), 0, server.said())

    def test_an_unusable_certificate_is_refused(self):
        for name in "bad.crt", "bad.key":
            with open(os.path.join(self.root, name), "w", encoding="utf-8") as file:
                file.write("no certificate\n")
        server = self.start("--tls-cert", os.path.join(self.root, "bad.crt"),
                            "--tls-key", os.path.join(self.root, "bad.key"))
        self.assert_refused(server, 1, "(F0000)")

    def test_a_missing_certificate_is_refused(self):
        server = self.start("--tls-cert", os.path.join(self.root, "none.crt"),
                            "--tls-key", os.path.join(self.root, "none.key"))
        self.assert_refused(server, 1, "none.key", "No such file")


class DataDirectory(synodd.WireTest):
    def test_a_second_process_on_it_is_refused(self):
        first = self.start_ready()
        self.assert_refused(self.start(), 1, self.data, "in use by another process")
        self.assertEqual(synodd.echo(self.closing(first.connect()), b"alive\n"), b"alive\n")
        self.assertEqual(synodd.address_of(self.endpoints()["sql"]), first.sql)

    def test_a_foreign_one_is_refused_and_left_alone(self):
        os.mkdir(self.data)
        with open(os.path.join(self.data, "letters.txt"), "w", encoding="utf-8"):
            pass
        self.assert_refused(self.start(), 1, self.data, "letters.txt")
        self.assertEqual(os.listdir(self.data), ["letters.txt"])

    def test_a_file_in_its_place_is_refused(self):
        with open(self.data, "w", encoding="utf-8"):
            pass
        self.assert_refused(self.start(), 1, self.data, "Not a directory")

    def test_a_missing_parent_is_named(self):
        self.assert_refused(self.start(data=os.path.join(self.root, "no", "data")), 1,
                            os.path.join(self.root, "no", "data"), "No such file")

    def test_an_unwritable_one_is_refused(self):
        how = self.as_nobody()
        os.mkdir(self.data)
        os.chmod(self.data, 0o555)
        self.assert_refused(self.start(**how), 1, self.data, "Permission denied")
        os.rmdir(self.data)
        os.chmod(self.root, 0o555)
        self.assert_refused(self.start(**how), 1, self.data, "Permission denied")
        os.chmod(self.root, 0o755)

    def test_a_damaged_identity_is_refused(self):
        self.assertEqual(self.start_ready().stop(), 0)
        path = os.path.join(self.data, "identity")
        with open(path, "rb") as file:
            good = file.read()
        self.assertEqual(len(good), 4096)
        for name, content in {"bit": good[:40] + bytes([good[40] ^ 1]) + good[41:], "short": good[:100],
                              "long": good + b"x", "empty": b"", "other": b"x" * 4096}.items():
            with self.subTest(damage=name):
                with open(path, "wb") as file:
                    file.write(content)
                self.assert_refused(self.start(), 1, self.data, "is damaged")
        with open(path, "wb") as file:
            file.write(good)
        self.start_ready()


if __name__ == "__main__":
    synodd.main()
