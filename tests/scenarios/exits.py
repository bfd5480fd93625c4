# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Processes that exit and take their connections with them, and other holders that survive them."""
import os
import re

import clock
from other_end import first, peer
from trial import Absent, OneOf, Set, one_family, scenario


def family(t):
    """A parent and three children that hold the server's end."""
    c, s = t.connection()
    return c, s, [s.host] + [s.host.fork() for _ in range(3)]


@one_family
def exits_of_four_holders(t):
    """The event lists all four holders."""
    c, s, holders = family(t)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established", extra=first(s))
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("accept", "holder"),
             extra={"owner.holders": Set([host.pid for host in holders])})


@one_family
def exits_of_the_last_of_four_holders(t):
    """The connection lives until its last holder dies; the event names that one."""
    c, s, holders = family(t)
    c("s.send(b'unread')")
    s("wait(lambda: unread(s) == 6)")
    last = holders[2]
    for host in holders:
        if host is not last:
            host.kill_alone()
    t.premise(c("state(s)") == "established", "the connection lives on")
    s.host = last
    s.host.kill_alone()
    t.expect(s, "local_reset", "unread_data", "established", unread=6, exiting="SIGKILL", via="closer",
             extra={"process.exit.out_of_memory": Absent()})
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s, exiting="SIGKILL"))


def dies(t, source, signal, extra=None):
    """The server, which has unread data, runs `source` and dies of it."""
    c, s = t.connection()
    c("s.send(b'unread')")
    s("wait(lambda: unread(s) == 6)")
    s.host.start("import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); " + source)
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s, exiting=signal))
    fields = {"process.exit.out_of_memory": Absent()}
    fields.update(extra or {})
    t.expect(s, "local_reset", "unread_data", "established", unread=6, exiting=signal, extra=fields)


@one_family
def exits_by_sigkill(t):
    dies(t, "os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL")


@one_family
def exits_by_sigsegv(t):
    dies(t, "ctypes.string_at(8)", "SIGSEGV")


@one_family
def exits_by_sigabrt_with_threads(t):
    """One thread of several aborts the whole process."""
    dies(t, "[in_thread(time.sleep, 300) for _ in range(3)]; in_thread(os.abort); time.sleep(300)", "SIGABRT")


@one_family
def exits_by_status(t):
    dies(t, "os._exit(3)", True)


class Memory:
    """A memory cgroup with a limit, of cgroup v1 or v2."""

    def __init__(self, t, limit):
        name = "lostpeer-memory-%d" % os.getpid()
        with open("/proc/self/mountinfo") as f:
            mounts = [line.split() for line in f]
        v1 = [words[4] for words in mounts if words[3] == "/" and re.search(r" - cgroup .*[ ,]memory(,|$)", " ".join(words))]
        v2 = [words[4] for words in mounts if words[3] == "/" and "- cgroup2 " in " ".join(words)]
        self.directory = os.path.join((v1 or v2 or ["/none"])[0], name)
        try:
            if not v1:
                write(os.path.dirname(self.directory) + "/cgroup.subtree_control", "+memory")
            os.mkdir(self.directory)
            write(self.directory + ("/memory.limit_in_bytes" if v1 else "/memory.max"), limit)
        except OSError as e:
            t.skip("no memory cgroup can be made here: %s" % e)

    def take(self, pid):
        write(self.directory + "/cgroup.procs", pid)

    def remove(self):
        def gone():
            try:
                os.rmdir(self.directory)
            except OSError:
                return False
            return True
        clock.wait(gone, "removal of %s" % self.directory)


def write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


@scenario(families=("ipv4",), heavy=True)
def exits_out_of_memory(t):
    """The kernel's out-of-memory killer ends the server in its own cgroup."""
    c, s = t.connection()
    c("s.send(b'unread')")
    s("wait(lambda: unread(s) == 6)")
    memory = Memory(t, 32 << 20)
    try:
        memory.take(s.host.pid)
        s.host.start("hoard = []\nwhile True: hoard.append(bytearray(os.urandom(1 << 20)))")
        t.expect(c, "peer_lost", "reset", "established", error=c.error(),
                 extra=dict(peer(s, exiting="SIGKILL"), **{
                     "peer.process.exit.out_of_memory": True, "peer.process.linux.cgroup": OneOf(
                         *s.host.process.cgroups, "0::/" + os.path.basename(memory.directory), None)}))
        t.expect(s, "local_reset", "unread_data", "established", unread=6, exiting="SIGKILL",
                 extra={"process.exit.out_of_memory": True, "process.linux.cgroup": OneOf(
                     *s.host.process.cgroups, "0::/" + os.path.basename(memory.directory), None)})
        t.finish()
    finally:
        s.host.kill()
        memory.remove()
