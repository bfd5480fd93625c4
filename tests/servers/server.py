# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A real server in a private directory and a network namespace of its own. Its clients are in another namespace."""
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import clock
import network
import sockets
from host import Failed, Process, wait_gone

PR_SET_PDEATHSIG = 1


class Missing(Exception):
    """The server is not installed or cannot run on this machine."""


class Server:
    """The base of all kinds of servers."""

    name = None
    port = None
    family = "ipv4"
    # Whether the listening process serves the connections itself.
    alone = False
    # The signal that ends it at once, even with open connections.
    farewell = signal.SIGTERM

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="lostpeer-%s-" % self.name)
        os.chmod(self.directory, 0o711)
        self.client_host, self.host = network.pair(self.family, names=("client", "server"))
        # The kernel gives up after about 3 s.
        self.host("sysctls(retries2=3)")
        self.process = None
        self.connections = 0

    # Each kind of server defines these.

    @classmethod
    def require(cls):
        """Raise Missing if it cannot run here."""

    def prepare(self):
        """Start making its files, in its namespace. start() waits for that, and expects None or 0 as the result."""
        self.host.start("None")

    def command(self):
        """(words of its command line, user that it runs as)"""
        raise NotImplementedError

    def ready(self):
        return sockets.listens(self.host.pid, self.port)

    def connect(self):
        """A client that is connected and idle."""
        raise NotImplementedError

    def start(self):
        if self.host.finish(60):
            raise RuntimeError("%s could not be prepared: %s" % (self.name, self.said()))
        words, user = self.command()
        pid = self.host("import server; server.spawn(words, user, log).pid", words=words, user=user, log=self.log())
        clock.wait(lambda: self.ready() or gone(pid), "readiness of %s" % self.name, 60)
        if gone(pid):
            raise RuntimeError("%s ended: %s" % (self.name, self.said()))
        self.process = Process(pid)

    def log(self):
        return self.path("log")

    def said(self):
        with open(self.log(), errors="replace") as f:
            return f.read()[-1500:].strip()

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def address(self):
        return self.host("HERE")

    def namespaces(self):
        """{inode of a namespace: its addresses}"""
        return {host.netns: host.addresses for host in (self.host, self.client_host)}

    def end(self):
        """Kill every process in its namespaces, by pid, and remove its files."""
        hosts = (self.client_host, self.host)
        for host in hosts:
            # Closed sockets must not retransmit during the next run.
            with contextlib.suppress(Failed):
                host("sysctls(orphan_retries=1)")
        if self.process and not gone(self.process.pid):
            os.kill(self.process.pid, self.farewell)
            with contextlib.suppress(TimeoutError):
                clock.wait(lambda: gone(self.process.pid), "end of %s" % self.name, 5)
        for host in hosts:
            # Sessions outlive their server. No other process is in these namespaces.
            for pid in set(sockets.inhabitants(host.netns)) - {h.pid for h in hosts}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wait_gone(pid)
        for host in hosts:
            host.kill()
            os.close(host.netns_fd)
        shutil.rmtree(self.directory, ignore_errors=True)


def spawn(words, user, log, output=None):
    """Start a process in the namespaces of this one. It ends when this process ends."""
    def last_words():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    who = {}
    if user:
        entry = pwd.getpwnam(user)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with open(log, "ab") as f:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output or f, stderr=f, bufsize=0, cwd="/",
                                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}, preexec_fn=last_words,
                                **who)


def gone(pid):
    """Whether the process has ended, reaped or not."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            stat = f.read()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat[stat.rindex(b")") + 2:][:1] in (b"Z", b"X")


def program(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")


def require(*names):
    for name in names:
        if not program(name):
            raise Missing("%s is not installed" % name)


def user(*names):
    """The first of these users that exists."""
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Missing("no user %s" % " or ".join(names))
