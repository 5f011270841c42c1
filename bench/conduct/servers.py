"""The servers compared: each starts in a directory of its own with settings it can tell, and is watched from outside.

What is equal: TCP on the loopback, the same sslmode, passwords by SCRAM-SHA-256, a commit is answered when the log was
synced (fdatasync), memory of the same size. The server that is not measured is stopped by a signal meanwhile, so that
nothing it still has to do in the background is charged to the other."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from . import machine

POSTGRES = "/usr/lib/postgresql/15/bin"
PASSWORD = "benchmark"
DEADLINE_SECONDS = 120


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Subject:
    """A process that is measured, and stopped by a signal while another is."""

    name = ""
    process = None
    paused = False

    def pause(self):
        if self.process and not self.paused:
            machine.signal_tree(self.process.pid, signal.SIGSTOP)
            self.paused = True

    def resume(self):
        if self.process and self.paused:
            machine.signal_tree(self.process.pid, signal.SIGCONT)
            self.paused = False

    # Between a stop and the next start there is no process, which costs nothing.

    def cpu_seconds(self):
        process = self.process
        return machine.cpu_seconds(process.pid) if process else 0.0

    def memory_bytes(self):
        process = self.process
        return machine.memory_bytes(process.pid) if process else 0

    def disk_bytes(self):
        """(bytes of data, bytes of log)."""
        raise NotImplementedError


class Server(Subject):
    """What both servers have in common. `directory` holds all one writes."""

    def __init__(self, directory, options, processors=None):
        self.options, self.processors = options, processors
        self.directory = os.path.join(directory, self.name)
        self.data = os.path.join(self.directory, "data")
        os.makedirs(self.directory)
        self.port = free_port()

    # ---- what a subclass says ----

    def command(self):
        raise NotImplementedError

    def settings(self):
        raise NotImplementedError

    def identity(self):
        """How its processes run: arguments of subprocess.Popen."""
        return {}

    # ---- life ----

    def launch(self):
        """Starts it and waits until it answers a statement; gives the seconds that took."""
        began = time.monotonic()
        with open(os.path.join(self.directory, "said"), "ab") as said:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            cwd=self.directory, preexec_fn=self._confine, **self.identity())
        self._await_answer(began)
        return time.monotonic() - began

    def _confine(self):
        if self.processors:
            os.sched_setaffinity(0, self.processors)

    def _await_answer(self, began):
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if self.sql("select 1", may_fail=True) == "1":
                    return
            except OSError:
                pass
            if time.monotonic() - began > DEADLINE_SECONDS:
                raise RuntimeError(f"{self.name} did not answer in {DEADLINE_SECONDS} s: {self.said()}")
            time.sleep(0.002)

    def said(self):
        """The last of what it wrote."""
        with open(os.path.join(self.directory, "said"), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def kill(self):
        """As a power cut that spares the kernel: no process of it gets to say anything."""
        machine.signal_tree(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    stop_signal = signal.SIGTERM

    def stop(self):
        """Stops it cleanly; gives the seconds that took."""
        began = time.monotonic()
        if self.process:
            self.resume()
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None
        return time.monotonic() - began

    def remove(self):
        if self.process:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- clients ----

    def connection(self, database="synod"):
        return (f"host=127.0.0.1 port={self.port} user=synod dbname={database} "
                f"sslmode={self.options.sslmode}")

    def sql(self, text, may_fail=False, database="synod"):
        """Runs statements by psql; gives what it printed, unaligned, without heads."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.connection(database)],
                              input=text, capture_output=True, text=True, check=False, env=environment())
        if done.returncode and not may_fail:
            raise RuntimeError(f"{self.name}: {done.stderr.strip()[:1000]}")
        return done.stdout.strip()

    def disk_bytes(self):
        return machine.disk_bytes(self.data)


def environment():
    """The environment of every client."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "60"}


class Synod(Server):
    name = "synod"

    def __init__(self, directory, options, processors=None):
        super().__init__(directory, options, processors)
        self.https_port = free_port()
        self.launch()

    def command(self):
        cores = len(self.processors) if self.processors else self.options.cores
        return [os.path.abspath(self.options.synodd), "--data", self.data, "--sql-listen", f"127.0.0.1:{self.port}",
                "--https-listen", f"127.0.0.1:{self.https_port}", "--memory", f"{self.options.memory}MB",
                "--cores", str(cores), "--log-level", "warn"]

    def identity(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNOD_")}
        return {"env": {**kept, "SYNOD_PASSWORD": PASSWORD}}

    def settings(self):
        return " ".join(["synodd", *self.command()[3:]])


class Postgres(Server):
    name = "postgresql"
    stop_signal = signal.SIGINT

    def __init__(self, directory, options, processors=None):
        super().__init__(directory, options, processors)
        self.demoted = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
            self.demoted = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        password = os.path.join(self.directory, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        os.chmod(password, 0o644)
        self._run(f"{POSTGRES}/initdb", "-D", self.data, "-U", "synod", "-A", "scram-sha-256", "--pwfile", password,
                  "-E", "UTF8", "--locale=C.UTF-8")
        if options.sslmode != "disable":
            self._run("openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-keyout", f"{self.data}/server.key",
                      "-out", f"{self.data}/server.crt")
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings().items())
        self._create()

    def _create(self):
        self.database = "postgres"
        self.launch()
        self.sql("create database synod", database="postgres")
        self.database = "synod"

    def sql(self, text, may_fail=False, database=None):
        return super().sql(text, may_fail, database or self.database)

    def _run(self, *command):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=self.directory, **self.demoted)

    def _settings(self):
        memory = self.options.memory
        return {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "",
                "ssl": "off" if self.options.sslmode == "disable" else "on",
                "fsync": "on", "synchronous_commit": "on", "wal_sync_method": "fdatasync", "full_page_writes": "on",
                "shared_buffers": f"{memory // 2}MB", "effective_cache_size": f"{memory}MB", "work_mem": "64MB",
                "maintenance_work_mem": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "5min",
                "max_connections": 1200, "logging_collector": "off", "max_worker_processes": 8}

    def command(self):
        return [f"{POSTGRES}/postgres", "-D", self.data]

    def identity(self):
        return self.demoted

    def settings(self):
        return " ".join(f"{name}={value}" for name, value in self._settings().items() if name != "port")


KINDS = {kind.name: kind for kind in (Synod, Postgres)}
