# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A client in a process of its own. It speaks its server's protocol over one socket: see connect() and ask() of each
server's module."""
import os
import signal
import time

import clock
import sockets
from host import Host, Process


class Client:
    def __init__(self, server, name):
        self.server = server
        self.host = Host(name, beside=server.client_host)
        self.pid = self.connect()
        self.process = Process(self.pid)
        entry = clock.wait(lambda: sockets.connection(self.pid), "the connection of %s" % name)
        self.local, self.peer = entry.local, entry.peer

    def connect(self):
        """Connect, do the protocol's handshake, and return the pid that has the connection."""
        self.host("import %s as protocol; s = protocol.connect((THERE, PORT))" % type(self.server).__module__,
                  THERE=self.server.address(), PORT=self.server.port)
        return self.host.pid

    def ask(self, size):
        """Request an answer of at least size bytes, and do not read it."""
        self.host("protocol.ask(s, size)", size=size)

    def take(self, size):
        """Read size bytes of the answer."""
        self.host("import client; client.take(s.fileno(), size)", size=size)

    def drain(self):
        """Start reading everything that comes."""
        self.host.start("client.take(s.fileno(), 1 << 40)")

    def hold(self):
        """Stop reading. This client reads only in take() and drain() anyway."""

    def kill(self):
        self.host.kill()

    def cut(self):
        """Drop everything that the server sends. What the client sends still arrives."""
        self.host("nft('input tcp dport %d drop')" % self.local[1])


class Program(Client):
    """A client that is a program of its own. The host starts it and reads its output through a pipe."""

    def hold(self):
        os.kill(self.pid, signal.SIGSTOP)
        clock.wait(lambda: stopped(self.pid), "stop of the client")

    def take(self, size):
        self.host("import client; client.take(p.stdout.fileno(), size)", size=size)

    def drain(self):
        self.host.start("client.take(p.stdout.fileno(), 1 << 40)")

    def kill(self):
        self.host("p.kill(); p.wait()")
        self.host.kill()


def take(descriptor, size):
    """Runs in the client's process."""
    while size > 0:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise RuntimeError("the answer ended %d bytes early" % size)
        size -= len(part)


def stopped(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        stat = f.read()
    return stat[stat.rindex(b")") + 2:][:1] == b"T"


def steady(read, seconds=0.1):
    """The value of read() once it has not changed for so many seconds."""
    until = clock.deadline()
    value, since = read(), time.monotonic()
    while time.monotonic() - since < seconds * clock.SLOW:
        if time.monotonic() > until:
            raise TimeoutError("still changing: %r" % (value,))
        time.sleep(0.003)
        now = read()
        if now != value:
            value, since = now, time.monotonic()
    return value
