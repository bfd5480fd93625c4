# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""PostgreSQL: a postmaster that listens, accepts and forks a backend for each connection."""
import glob
import os
import re
import shutil
import signal
import socket
import struct

import server
from client import Client
from connection import SMALL

ROW = SMALL // 100


class Postgresql(server.Server):
    name = "postgresql"
    port = 5432
    farewell = signal.SIGQUIT

    @classmethod
    def require(cls):
        if not cls.program("postgres") or not cls.program("initdb"):
            raise server.Missing("no postgres and initdb")
        server.user("postgres")

    @staticmethod
    def program(name):
        """Debian keeps them out of the path, by version."""
        found = glob.glob("/usr/lib/postgresql/*/bin/" + name)
        found.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", path)])
        return found[-1] if found else shutil.which(name)

    def prepare(self):
        data = self.path("data")
        os.mkdir(data, 0o700)
        shutil.chown(data, "postgres", "postgres")
        words = [self.program("initdb"), "--no-sync", "--auth=trust", "--username=postgres", "--locale=C",
                 "--encoding=UTF8", "--pgdata=" + data]
        self.host.start("import server; server.spawn(words, 'postgres', log).wait()", words=words, log=self.log())

    def command(self):
        self.write("data/pg_hba.conf", "host all all all trust\n")
        words = [self.program("postgres"), "-D", self.path("data")]
        settings = {"listen_addresses": self.address(), "port": self.port, "unix_socket_directories": "",
                    "fsync": "off", "autovacuum": "off", "max_connections": 20, "shared_buffers": "16MB",
                    "external_pid_file": ""}
        for name, value in settings.items():
            words += ["-c", "%s=%s" % (name, value)]
        return words, "postgres"

    def ready(self):
        try:
            with open(self.path("data/postmaster.pid")) as f:
                return f.read().split("\n")[7:8] == ["ready   "] or False
        except FileNotFoundError:
            return False

    def connect(self):
        return Client(self, "pg-client")


def connect(address):
    s = socket.create_connection(address)
    words = b"user\0postgres\0database\0postgres\0\0"
    s.sendall(struct.pack("!II", 8 + len(words), 196608) + words)
    while True:
        kind, size = struct.unpack("!cI", exactly(s, 5))
        text = exactly(s, size - 4)
        if kind == b"E":
            raise RuntimeError("postgres said %r" % text)
        if kind == b"Z":
            return s


def ask(s, size):
    query = b"SELECT repeat('x', %d) FROM generate_series(1, %d)\0" % (ROW, -(-size // ROW))
    s.sendall(struct.pack("!cI", b"Q", 4 + len(query)) + query)


def exactly(s, size):
    data = s.recv(size, socket.MSG_WAITALL)
    if len(data) != size:
        raise RuntimeError("postgres closed the connection")
    return data
