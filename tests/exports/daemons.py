# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemons of one machine of a test. They run in its namespaces, keep their files in its directory, and end with
it."""
import contextlib
import os
import shutil
import signal
import tempfile

import clock
from agent import PROGRAM
from host import Host
from server import gone

# journald.conf for a test
JOURNAL = """\
[Journal]
Storage=volatile
RateLimitIntervalSec=0
ReadKMsg=no
Audit=no
ForwardToWall=no
"""


class Daemons:
    # Daemons that do not end on SIGTERM in time.
    stubborn = ()

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix="lostpeer-%s-" % name)
        self.host = Host(name)
        self.daemons = {}

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        try:
            with open(self.path(name), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def said(self, name):
        return self.read(name + ".log").decode("utf-8", "replace")

    def spawn(self, name, *words):
        self.daemons[name] = self.host("import server; server.spawn(words, None, log).pid", words=words,
                                       log=self.path(name + ".log"))

    def wait(self, name, condition, what):
        pid = self.daemons[name]
        clock.wait(lambda: condition() or gone(pid), "%s of %s" % (what, name), 60)
        if gone(pid):
            raise RuntimeError("%s ended: %s" % (name, self.said(name)[-800:]))

    def stop(self, name, number=signal.SIGTERM):
        pid = self.daemons.pop(name)
        if not gone(pid):
            os.kill(pid, number)
            clock.wait(lambda: gone(pid), "end of %s" % name, 60)

    def start_agent(self, configuration):
        settings = self.write("lostpeer.conf", configuration)
        # A system call that the filter does not expect kills the agent here, so that the test notices.
        self.spawn("agent", "/usr/bin/env", "LOSTPEER_SECCOMP=kill", PROGRAM, "agent", "--config", settings)
        self.wait("agent", lambda: "lostpeer: watching " in self.said("agent"), "readiness")

    def reload(self, configuration):
        self.write("lostpeer.conf", configuration)
        os.kill(self.daemons["agent"], signal.SIGHUP)

    def end(self):
        for name in list(self.daemons):
            with contextlib.suppress(TimeoutError):
                self.stop(name, signal.SIGKILL if name in self.stubborn else signal.SIGTERM)
        self.host.kill()
        os.close(self.host.netns_fd)
        shutil.rmtree(self.directory, ignore_errors=True)
