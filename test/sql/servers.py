"""The servers compared: a synodd and a PostgreSQL 15 of our own, each in a directory that goes when the test ends."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from client import Client

POSTGRES = "/usr/lib/postgresql/15/bin"
DEADLINE = 60


class Synod:
    """A synodd on free ports. `program` is its path."""

    def __init__(self, program, *arguments):
        self.directory = tempfile.mkdtemp(prefix="synod-sql-")
        self.data = os.path.join(self.directory, "data")
        self.arguments = [program, "--data", self.data, "--sql-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0",
                          *arguments]
        self.start()

    def start(self):
        self.errors = open(os.path.join(self.directory, "errors"), "ab")
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, env={**os.environ, "SYNOD_PASSWORD": "secret"})
        endpoints = os.path.join(self.data, "endpoints.json")
        deadline = time.monotonic() + DEADLINE
        while not os.path.exists(endpoints):  # written when both ports listen, removed when it stops
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("synodd did not start: " + self.said())
            time.sleep(0.01)
        with open(endpoints, encoding="utf-8") as file:
            endpoints = json.load(file)
        (host, port), (_, https_port) = (endpoints[door].rsplit(":", 1) for door in ("sql", "https"))
        self.address = (host, int(port))
        self.https = (host, int(https_port))

    def said(self):
        with open(os.path.join(self.directory, "errors"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def client(self, **parameters):
        return Client(self.address, "synod", "secret", "synod", **parameters)

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Postgres:
    """A PostgreSQL 15, on a unix socket, without a password. Runs as `postgres` when we are root."""

    def __init__(self, *settings):
        self.directory = tempfile.mkdtemp(prefix="synod-pg-")
        self.data = os.path.join(self.directory, "data")
        self.demote = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
            self.demote = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.run("initdb", "-D", self.data, "-U", "synod", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.directory}", "-c", "fsync=off"]
        for setting in settings:
            options += ["-c", setting]
        self.process = subprocess.Popen([f"{POSTGRES}/postgres", "-D", self.data, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory,
                                        **self.demote)
        self.address = os.path.join(self.directory, ".s.PGSQL.5432")
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                with_database = Client(self.address, "synod", database="postgres")
                break
            except Exception:  # not up yet
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        with_database.query("create database synod")
        with_database.close()

    def run(self, program, *arguments):
        subprocess.run([f"{POSTGRES}/{program}", *arguments], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, cwd=self.directory, **self.demote)

    def client(self, **parameters):
        return Client(self.address, "synod", database="synod", **parameters)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGINT)
            self.process.wait(DEADLINE)
        shutil.rmtree(self.directory, ignore_errors=True)
