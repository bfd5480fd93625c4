# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs lostpeer as its users do: events come from its standard output, readiness and ledger from its standard error."""
import ctypes
import json
import os
import re
import resource
import select
import signal
import subprocess
import tempfile
import time

import clock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LOSTPEER", os.path.join(ROOT, "build", "lostpeer"))
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)
LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)
LEDGER = re.compile(r"lostpeer: (\d+) emitted = (\d+) written \+ (\d+) filtered \+ (\d+) grouped \+ (\d+) lost.*? "
                    r"\+ (\d+) pending")


def prepare():
    """Give the agent the limits of a user's shell, not those of the suite, and end it with its scenario."""
    resource.setrlimit(resource.RLIMIT_NOFILE, LIMIT)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Agent:
    def __init__(self, *options, verb="watch", output=None, ready=True, prefix=(), without=""):
        """Start and wait for readiness. The output goes to a file, or to a descriptor that the caller reads.
        without: kernel features that the agent must not use."""
        self.file = tempfile.TemporaryFile()
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*prefix, PROGRAM, verb, *options], stdin=subprocess.DEVNULL,
                                        stdout=self.file if output is None else output, stderr=self.stderr,
                                        # a system call that the seccomp filter refuses must fail the test
                                        env=dict({"LOSTPEER_SECCOMP": "kill"}, **os.environ, LOSTPEER_WITHOUT=without),
                                        preexec_fn=prepare)
        self.pid = self.process.pid
        self.status = None
        self.events = []
        self.bad = []
        if ready:
            self.ready()

    def ready(self):
        def watching():
            if "lostpeer: watching " in self.messages():
                return True
            if self.process.poll() is not None:
                raise RuntimeError("lostpeer ended with %d: %s" % (self.process.returncode, self.messages().strip()))
        clock.wait(watching, "readiness of lostpeer", 60)

    def messages(self):
        return read(self.stderr).decode("utf-8", "replace")

    def written(self, since=0):
        return read(self.file, since)

    def size(self):
        return os.fstat(self.file.fileno()).st_size

    def lines(self):
        return self.written().count(b"\n")

    def stop(self, number=signal.SIGTERM):
        """Ask the agent to end, and read its output."""
        if self.status is None:
            self.process.send_signal(number)
            self.wait()
        return self.status

    def wait(self):
        self.status = self.process.wait(60 * clock.SLOW)
        self.parse()
        return self.status

    def parse(self):
        data = self.written()
        if data and not data.endswith(b"\n"):
            self.bad.append("the last line is not whole: %r" % data[-200:])
        for line in data.split(b"\n")[:-1]:
            try:
                event = json.loads(line.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)
                if not isinstance(event, dict):
                    raise ValueError("not an object")
                if re.search(rb"[\x00-\x1f\x7f]", line):
                    raise ValueError("control character")
                self.events.append(event)
            except ValueError as e:
                self.bad.append("not one valid JSON object in UTF-8: %s: %r" % (e, line[:300]))

    def faults(self):
        """Problems of the run as a whole: its status, output and ledger."""
        found = list(self.bad)
        if self.status != 0:
            found.append("exit status %s: %s" % (self.status, self.messages()[-400:]))
        return found + self.ledger_faults()

    def ledger(self):
        last = (self.messages().strip().splitlines() or [""])[-1]
        match = LEDGER.match(last)
        if not match:
            return last
        return dict(zip(("emitted", "written", "filtered", "grouped", "lost", "pending"), map(int, match.groups())))

    def ledger_faults(self):
        ledger = self.ledger()
        if not isinstance(ledger, dict):
            return ["the last line of standard error is no ledger: %r" % ledger]
        found = []
        parts = sum(ledger[name] for name in ("written", "filtered", "grouped", "lost", "pending"))
        if ledger["emitted"] != parts or ledger["pending"]:
            found.append("the ledger does not balance: %r" % ledger)
        repeated = [event["repeat.count"] for event in self.events if "repeat.count" in event]
        reported = len([event for event in self.events if event.get("event") != "events_lost"]) - len(repeated)
        if self.events and ledger["written"] not in (reported, len(self.events) - len(repeated)):
            found.append("the ledger says %d written, there are %d" % (ledger["written"], reported))
        if self.events and ledger["grouped"] != sum(repeated):
            found.append("the ledger says %d grouped, there are %d" % (ledger["grouped"], sum(repeated)))
        return found

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.file.close()
        self.stderr.close()


def read(file, since=0):
    """A file that another process is writing, from byte `since` on. Leaves the shared file offset alone."""
    size = os.fstat(file.fileno()).st_size - since
    return os.pread(file.fileno(), size, since) if size > 0 else b""


def refuse(word):
    raise ValueError("%s is no JSON" % word)


def once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)


def read_until(descriptor, done, seconds=30):
    """Read a descriptor until `done(data)` holds, the data ends, or the deadline passes."""
    data = b""
    until = clock.deadline(seconds)
    while not done(data):
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        if not ready.poll(max(0, until - time.monotonic()) * 1000):
            break
        try:
            part = os.read(descriptor, 1 << 16)
        except OSError:
            break
        if not part:
            break
        data += part
    return data
