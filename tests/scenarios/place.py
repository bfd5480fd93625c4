# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The owner's unit and container, from its cgroup, before and after the cgroup is removed."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import clock
from host import Host, Process
from trial import Absent, End, OneOf, one_family, scenario

alone_agent = scenario(families=("ipv4",), own=True)
HASH = "8e4f28a0bf1a2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef01234567"


def hierarchy():
    """The prefix of the path in /proc/PID/cgroup, and the mount point of that hierarchy."""
    with open("/proc/self/cgroup") as f:
        lines = f.read()
    named = re.search(r"^(\d+:name=systemd:)", lines, re.M)
    with open("/proc/self/mountinfo") as f:
        for line in f:
            words, kind = (part.split() for part in line.split(" - "))
            if words[3] == "/" and (kind[0] == "cgroup" and "name=systemd" in kind[2] if named else
                                    kind[0] == "cgroup2"):
                return named.group(1) if named else "0::", words[4]
    return None, None


class Cgroup:
    """A cgroup below /lostpeerPID.slice."""

    def __init__(self, t, name, top=None):
        self.line, mount = hierarchy()
        if not mount:
            t.skip("no cgroup hierarchy that tells of units is mounted here")
        self.slice = top or "lostpeer%d.slice" % os.getpid()
        self.path = "/%s/%s" % (self.slice, name)
        self.directory = mount + self.path
        self.top = os.path.join(mount, self.slice)
        try:
            os.makedirs(self.directory)
        except OSError as e:
            t.skip("cannot make a cgroup here: %s" % e)

    def take(self, host):
        with open(self.directory + "/cgroup.procs", "w") as f:
            f.write(str(host.pid))
        host.process.refresh()
        assert self.line + self.path in host.process.cgroups

    def fields(self, **others):
        """The place fields of an event of a process here; those that are not given must be absent."""
        found = {name: Absent() for name in ("container.id", "container.runtime.name", "k8s.pod.uid", "systemd.unit")}
        found["process.linux.cgroup"] = self.line + self.path
        found["systemd.slice"] = self.slice
        found.update((name.replace("_", "."), value) for name, value in others.items())
        return found

    def remove(self):
        """Remove the cgroup as soon as all processes have left it."""
        def gone():
            for directory, _, _ in os.walk(self.top, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    return False
            return True
        clock.wait(gone, "removal of %s" % self.top)


def connected(t, cgroup):
    """A connection whose client was in the cgroup before it connected."""
    client, server = t.pair()
    cgroup.take(client)
    return t.connection(client, server)


def released(t, cgroup):
    """End the cgroup's process and remove it."""
    t.finish()
    t.hosts[0].kill()
    cgroup.remove()


@one_family
def place_of_unit(t):
    cgroup = Cgroup(t, "shop@1.service")
    c, s = connected(t, cgroup)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=cgroup.fields(systemd_unit="shop@1.service"))
    released(t, cgroup)


@one_family
def place_of_the_other_end(t):
    """A process in a unit is killed with data unread; its peer's event says where it lived, and how it ended."""
    cgroup = Cgroup(t, "shop.service")
    c, s = connected(t, cgroup)
    s("s.send(b'unread')")
    c("wait(lambda: unread(s) == 6)")
    c.host.kill_alone()
    where = cgroup.fields(systemd_unit="shop.service")
    t.expect(c, "local_reset", "unread_data", "established", unread=6, exiting="SIGKILL", extra=where)
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), extra=dict(
        {"peer." + name: value for name, value in where.items()}, **{
            "peer.process.pid": c.host.pid, "peer.process.exiting": True, "peer.process.exit.signal": "SIGKILL"}))
    released(t, cgroup)


@one_family
def place_of_delegated_cgroup(t):
    """A cgroup that a unit makes below its own still belongs to the unit."""
    cgroup = Cgroup(t, "shop.service/workers.service/1")
    c, s = connected(t, cgroup)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=cgroup.fields(systemd_unit="shop.service"))
    released(t, cgroup)


@one_family
def place_of_listener(t):
    """The owner is a listener that never accepted."""
    cgroup = Cgroup(t, "docker-%s.scope" % HASH)
    client, server = t.pair()
    cgroup.take(server)
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    server("l.close()")
    t.expect(s, "local_reset", "listener_closed", "unaccepted",
             extra=cgroup.fields(systemd_unit="docker-%s.scope" % HASH, container_id=HASH,
                                 container_runtime_name="docker"))
    t.expect(c, "peer_lost", "reset", "established", error=c.error())
    t.finish()
    server.kill()
    cgroup.remove()


def suspend(agent):
    """Suspend the agent: it reads nothing until SIGCONT."""
    os.kill(agent.pid, signal.SIGSTOP)

    def sleeps():
        with open("/proc/%d/stat" % agent.pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "T"
    clock.wait(sleeps, "a stopped agent")


def check_later(t, agent):
    os.kill(agent.pid, signal.SIGCONT)
    t.settle()
    t.check(agent)


@alone_agent
def place_removed(t):
    """Process and cgroup are gone before the agent reads the record."""
    cgroup = Cgroup(t, "libpod-%s.scope/container" % HASH)
    c, s = connected(t, cgroup)
    agent = t.agent("--json", "--netns", "%d,%d" % (c.host.netns, s.host.netns))
    suspend(agent)
    s("s.send(b'unread')")
    c("wait(lambda: unread(s) == 6)")
    c.host.kill()
    cgroup.remove()
    t.expect(c, "local_reset", "unread_data", "established", unread=6, exiting="SIGKILL",
             via=OneOf("seed", "closer"), role=Absent(),
             extra=cgroup.fields(systemd_unit="libpod-%s.scope" % HASH, container_id=HASH,
                                 container_runtime_name="podman"))
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("seed", "holder"), role=Absent())
    check_later(t, agent)


@alone_agent
def place_filters(t):
    """Each filter and its opposite."""
    cgroup = Cgroup(t, "docker-%s.scope" % HASH)
    c, s = connected(t, cgroup)
    tried = [("--unit", "docker-%s.scope" % HASH), ("--unit", "docker-8*.scope"), ("--container", HASH[:12]),
             ("--cgroup", "/" + cgroup.slice), ("--unit", "docker"), ("--container", HASH[1:12]),
             ("--cgroup", "/" + cgroup.slice[:-1])]
    matching = 4
    agents = [(name.replace("--", prefix), value, t.agent("--json", "--netns", "%d,%d" % (c.host.netns, s.host.netns),
                                                          name.replace("--", prefix), value))
              for name, value in tried for prefix in ("--", "--not-")]
    s("linger(s); s.close()")
    c.error()
    t.settle()
    t.finish()
    for number, (name, value, agent) in enumerate(agents):
        agent.stop()
        matches = number // 2 < matching
        wanted = {"peer_lost"} if matches else set()
        if name.startswith("--not-"):
            wanted = {"peer_lost", "local_reset"} - wanted
        reported = {event["event"] for event in agent.events}
        assert reported == wanted, "%s %s reported %s, not %s" % (name, value, reported, wanted)
        assert not agent.faults(), agent.faults()
    t.hosts[0].kill()
    cgroup.remove()


class Container:
    """A container of a runtime, with busybox as its root file system, in the network namespace of one of our hosts."""

    def __init__(self, t, runtime, *command):
        for needed in (runtime, "busybox"):
            if not shutil.which(needed):
                t.skip("no %s" % needed)
        self.runtime = runtime
        self.name = "lostpeer-%s-%d" % (runtime, os.getpid())
        self.bundle = tempfile.mkdtemp(prefix="lostpeer-bundle")
        bin_directory = os.path.join(self.bundle, "rootfs/bin")
        os.makedirs(bin_directory)
        shutil.copy(shutil.which("busybox"), bin_directory + "/busybox")
        subprocess.run([runtime, "spec"], cwd=self.bundle, check=True)
        with open(self.bundle + "/config.json") as f:
            config = json.load(f)
        config["process"].update(terminal=False, args=["/bin/busybox", *command])
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]
        with open(self.bundle + "/config.json", "w") as f:
            json.dump(config, f)

    def run(self, host):
        # Standard input stays open: at its end nc would shut down its half.
        host.start("p = subprocess.Popen(%r, stdin=subprocess.PIPE); p.wait()" % (
            [self.runtime, "run", "--bundle", self.bundle, self.name],))

    def process(self):
        done = subprocess.run([self.runtime, "state", self.name], stdout=subprocess.PIPE, check=True)
        return Process(json.loads(done.stdout)["pid"])

    def remove(self):
        shutil.rmtree(self.bundle)


def contained(t, runtime):
    """A container's process loses its peer, and the container is gone before the agent reads the record."""
    client, server = t.pair()
    t.listen(server)
    container = Container(t, runtime, "nc", *map(str, server("[HERE, l.getsockname()[1]]")))
    try:
        agent = t.agent("--json", "--netns", "%d,%d" % (client.netns, server.netns))
        container.run(client)
        s = t.accept(server)
        process = container.process()
        c = End(client, "client", local=s.peer, peer=s.local)
        line = hierarchy()[0]
        path = [text for text in process.cgroups if text.startswith(line)][0]
        t.premise(path.endswith("/" + container.name), "a cgroup with the container's name: %s" % path)
        suspend(agent)
        s("linger(s); s.close()")
        client.finish()  # waits for the end of the runtime and its container
        t.premise(not os.path.exists(hierarchy()[1] + path[len(line):]), "the container's cgroup is gone")
        t.expect(s, "local_reset", "linger", "established")
        t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", process=process, vpid=1,
                 via=OneOf("connect", "holder", "closer"),
                 extra={"process.linux.cgroup": path, "container.id": container.name,
                        "container.runtime.name": runtime, "systemd.unit": Absent()})
        check_later(t, agent)
    finally:
        container.remove()


def contained_before(t, runtime):
    """The container exists before the agent: the runtime's state file identifies it."""
    client, server = t.pair()
    t.listen(server)
    container = Container(t, runtime, "nc", *map(str, server("[HERE, l.getsockname()[1]]")))
    try:
        container.run(client)
        s = t.accept(server)
        process = container.process()
        c = End(client, None, local=s.peer, peer=s.local)
        agent = t.agent("--json", "--netns", str(client.netns))
        s("linger(s); s.close()")
        t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", process=process, vpid=1, role=Absent(),
                 via=OneOf("seed", "holder", "closer"),
                 extra={"container.id": container.name, "container.runtime.name": runtime})
        client.finish()
        t.check(agent)
    finally:
        container.remove()


@alone_agent
def place_runc(t):
    contained(t, "runc")


@alone_agent
def place_runc_before(t):
    contained_before(t, "runc")


def need_v2_alone(t):
    if hierarchy()[0] != "0::":
        t.skip("crun takes only hosts with cgroup v2 alone")


@alone_agent
def place_crun(t):
    need_v2_alone(t)
    contained(t, "crun")


@alone_agent
def place_crun_before(t):
    need_v2_alone(t)
    contained_before(t, "crun")


def fork_inside(host):
    """Fork a worker that lives in a pid namespace and so reports another pid than ours."""
    host.start("__fork__")
    host.finish()
    _, fds, _, _ = socket.recv_fds(host.channel, 1, 1)
    pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == host.pid]
    child = Host.__new__(Host)
    child.adopt(max(pids), socket.socket(fileno=fds[0]))
    host.children.append(child)
    return child


def parent(pid):
    try:
        with open("/proc/%s/stat" % pid, "rb") as f:
            return int(f.read().rsplit(b")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


@one_family
def place_in_nested_pid_namespaces(t):
    """The event has the pid in the agent's namespace and in the innermost of two."""
    client, server = t.pair()
    server("libc.unshare(0x20000000)")
    outer = server.fork()
    outer("libc.unshare(0x20000000)")
    first = fork_inside(outer)
    second = fork_inside(first)
    t.premise(second("os.getpid()") == 2, "the second process of its namespace")
    second("l = listen()")
    c = t.connect(client, second)
    s = t.accept(second)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), vpid=2)
