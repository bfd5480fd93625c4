# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A host: a worker process in its own network namespace, which runs source text from a channel.

Each end of a connection is a separate process, so its owner is a fact and not a convention."""
import ast
import ctypes
import errno
import os
import pickle
import resource
import select
import signal
import socket
import struct
import time
import traceback

import clock
import toolbox

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Source that had to succeed in a worker failed."""


def check(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Process:
    """The facts about a process that an event must have, read while the process lives."""

    def __init__(self, pid):
        self.pid = pid
        self.refresh()

    def refresh(self):
        with open("/proc/%d/stat" % self.pid, "rb") as f:
            stat = f.read()
        ticks = int(stat[stat.rindex(b")") + 1:].split()[19])
        self.created = clock.booted() + ticks * 1000000000 // os.sysconf("SC_CLK_TCK")
        with open("/proc/%d/comm" % self.pid, "rb") as f:
            self.name = f.read()[:-1]
        self.executable = os.readlink("/proc/%d/exe" % self.pid)
        with open("/proc/%d/status" % self.pid, "rb") as f:
            for line in f:
                if line.startswith(b"Uid:"):
                    self.uid = int(line.split()[2])
        with open("/proc/%d/cgroup" % self.pid) as f:
            self.cgroups = f.read().splitlines()
        return self


class Host:
    def __init__(self, name, beside=None):
        """Fork a worker in a new network namespace, or in that of the host `beside`."""
        ours, theirs = socket.socketpair()
        self.since = beside.since if beside else clock.now()
        pid = os.fork()
        if pid == 0:
            try:
                keep_only(theirs.fileno())
                os.setsid()
                check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
                if beside is None:
                    check(libc.unshare(CLONE_NEWNET))
                else:
                    with open("/proc/%d/ns/net" % beside.pid) as f:
                        check(libc.setns(f.fileno(), CLONE_NEWNET))
                rename(name)
                send(theirs, "ready")
                serve(theirs)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        theirs.close()
        self.addresses = beside.addresses if beside else {"127.0.0.1", "::1"}
        self.adopt(pid, ours)

    def adopt(self, pid, channel):
        self.pid = pid
        self.channel = channel
        self.dead = False
        self.children = []
        if receive(channel, clock.deadline()) != "ready":
            raise Failed("worker %d did not start" % pid)
        self.process = Process(pid)
        # The open descriptor keeps the namespace's inode from reuse until the events are read.
        self.netns_fd = os.open("/proc/%d/ns/net" % pid, os.O_RDONLY)
        self.netns = os.fstat(self.netns_fd).st_ino

    def fork(self):
        """Fork the worker: the child has copies of all its descriptors and variables."""
        self.start("__fork__")
        pid = self.finish()
        _, fds, _, _ = socket.recv_fds(self.channel, 1, 1)
        child = Host.__new__(Host)
        child.since = self.since
        child.adopt(pid, socket.socket(fileno=fds[0]))
        self.children.append(child)
        return child

    def start(self, source, **names):
        """Send source and do not wait for the result, for a call that blocks."""
        send(self.channel, (source, names))

    def finish(self, seconds=None):
        """Wait for the started source: returns its value, or raises its OSError."""
        kind, value = receive(self.channel, clock.deadline(seconds))
        if kind == "fail":
            raise Failed(value)
        if kind == "errno":
            raise OSError(value, os.strerror(value))
        return value

    def __call__(self, source, **names):
        self.start(source, **names)
        try:
            return self.finish()
        except OSError as e:
            raise Failed("%s: %s" % (source, e)) from e

    def error(self, source, **names):
        """The name of the errno that the source raises, or None."""
        self.start(source, **names)
        return self.finish_error()

    def finish_error(self, seconds=None):
        try:
            self.finish(seconds)
        except OSError as e:
            return errno.errorcode[e.errno]
        return None

    def kill(self, number=signal.SIGKILL):
        """End the process and its children and wait until their descriptors are closed."""
        for child in self.children:
            child.kill(number)
        self.kill_alone(number)
        self.channel.close()

    def kill_alone(self, number=signal.SIGKILL):
        """The same, but its children live on."""
        if not self.dead:
            self.dead = True
            try:
                os.kill(self.pid, number)
                wait_gone(self.pid)
            except ProcessLookupError:
                pass


def keep_only(number):
    """Close inherited descriptors: the namespaces that the suite keeps open would use up the worker's limit."""
    os.closerange(3, number)
    os.closerange(number + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def wait_gone(pid):
    """Reap a child of ours, or wait until another process is gone or a zombie: then its descriptors are closed."""
    until = clock.deadline()
    while time.monotonic() < until:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return
        except ChildProcessError:
            try:
                with open("/proc/%d/stat" % pid, "rb") as f:
                    stat = f.read()
                if stat[stat.rindex(b")") + 2:][:1] in (b"Z", b"X"):
                    return
            except (FileNotFoundError, ProcessLookupError):
                return
        time.sleep(0.002)
    raise Failed("process %d did not end" % pid)


def rename(name):
    check(libc.prctl(PR_SET_NAME, name if isinstance(name, bytes) else name.encode()))


# One message: a length and a pickle. Workers are ours, so pickle is no risk here.

def send(channel, message):
    data = pickle.dumps(message)
    channel.sendall(struct.pack("=I", len(data)) + data)


def receive(channel, until=None):
    def exactly(size):
        data = b""
        while len(data) < size:
            if until is not None:
                ready = select.poll()
                ready.register(channel, select.POLLIN)
                if not ready.poll(max(0, until - time.monotonic()) * 1000):
                    raise Failed("no answer from the worker in time")
            part = channel.recv(size - len(data))
            if not part:
                raise Failed("the worker is gone")
            data += part
        return data
    return pickle.loads(exactly(struct.unpack("=I", exactly(4))[0]))


def serve(channel):
    """Run source from the channel until it closes, with the names of the toolbox and those of earlier sources."""
    space = vars(toolbox)
    while True:
        try:
            source, names = receive(channel)
        except (Failed, ConnectionResetError):
            os._exit(0)
        if source == "__fork__":
            channel = fork_worker(channel)
            continue
        space.update(names)
        try:
            answer = ("value", run(source, space))
        except OSError as e:
            answer = ("errno", e.errno) if e.errno else ("fail", "%s: %s" % (source, traceback.format_exc()))
        except BaseException:
            answer = ("fail", "%s: %s" % (source, traceback.format_exc()))
        try:
            send(channel, answer)
        except (pickle.PicklingError, TypeError, AttributeError):
            send(channel, ("value", None))


def fork_worker(channel):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        channel.close()
        ours.close()
        check(libc.prctl(PR_SET_PDEATHSIG, 0))
        # In some scenarios a child outlives its parent. It still ends when the channel closes.
        send(theirs, "ready")
        return theirs
    send(channel, ("value", pid))
    socket.send_fds(channel, [b"f"], [ours.fileno()])
    ours.close()
    theirs.close()
    return channel


def run(source, space):
    """Execute the statements; returns the value of the last one if it is an expression."""
    tree = ast.parse(source)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, "<scenario>", "exec"), space)
        return eval(compile(last, "<scenario>", "eval"), space)
    exec(compile(tree, "<scenario>", "exec"), space)
    return None
