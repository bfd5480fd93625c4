# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""redis: one process that listens and serves, beside threads of its own."""
import socket

import server
from client import Client


class Redis(server.Server):
    name = "redis-server"
    port = 6379
    family = "ipv6"
    alone = True

    @classmethod
    def require(cls):
        server.require("redis-server")

    def command(self):
        words = ["redis-server", "--port", str(self.port), "--bind", self.address(), "--protected-mode", "no",
                 "--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", "/"]
        return words, server.user("redis", "nobody")

    def connect(self):
        return Client(self, "redis-client")


def connect(address):
    s = socket.create_connection(address)
    s.sendall(b"PING\r\n")
    answer = s.recv(64)
    if answer != b"+PONG\r\n":
        raise RuntimeError("redis said %r" % answer)
    return s


def ask(s, size):
    words = [b"EVAL", b"return string.rep('x', ARGV[1])", b"0", b"%d" % size]
    s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
