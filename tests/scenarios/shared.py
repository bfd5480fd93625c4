# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that several processes hold, none of which opened them: the shell and the command of a service of inetd.
They pass the filters of any holder, and have in common what all holders have."""
import os
import re
import socket
import sys

import clock
import subscribe
from agent_verb import Service
from place import HASH, Cgroup
from subscribe import WORKER, Agent, Reader, with_users
from trial import KERNEL, Absent, End, OneOf, Set, scenario

agents = scenario(own=True)
one_agent = scenario(families=("ipv4",), own=True)
UNIT = "docker-%s.scope" % HASH


def rename(host, name):
    host("libc.prctl(15, name, 0, 0, 0)", name=name.encode())
    host.process.refresh()
    return host


def shared(t, names=("holds-sh", "holds-sleep"), n=1):
    """n accepted connections, the server's ends of which two children hold and the parent does not."""
    client, server = t.pair()
    server("l = listen(512)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]", n=n)
    holders = [rename(server.fork(), name) for name in names]
    server("for s in all: s.close()")
    return client, server, holders


def reset(client, holders):
    client("for s in all: linger(s); s.close()")
    for holder in holders:
        holder("for s in all: reached(s, 'close')")


def theirs(agent, server):
    """The events of the shared ends."""
    return [e for e in agent.events if e.get("network.netns") == server.netns]


@agents
def shared_filters(t):
    """Each kind of filter and its opposite: any holder lets an event pass, and only all of them keep it out."""
    client, server, holders = shared(t)
    cgroup = Cgroup(t, UNIT)
    cgroup.take(holders[1])
    pids = [str(holder.pid) for holder in holders]
    both = "%s,%s" % tuple(pids)
    tried = [(("--name", "holds-sh"), True), (("--name", "holds-sleep"), True), (("--name", "holds"), False),
             (("--pid", pids[0]), True), (("--pid", pids[1]), True), (("--pid", str(server.pid)), False),
             (("--unit", UNIT), True), (("--container", HASH[:12]), True), (("--cgroup", cgroup.path), True),
             (("--cgroup", "/"), True), (("--unit", "other"), False),
             (("--name", "holds-sleep", "--unit", UNIT), True), (("--name", "holds-sh", "--unit", UNIT), False),
             (("--not-name", "holds-sh"), True), (("--not-name", "holds-sh", "--not-name", "holds-sleep"), False),
             (("--not-pid", pids[0]), True), (("--not-pid", both), False),
             (("--not-unit", UNIT), True), (("--not-cgroup", "/"), False),
             (("--not-name", "holds-sh", "--not-unit", UNIT), False)]
    started = [(options, wanted, t.agent("--json", "--netns", str(server.netns), *options))
               for options, wanted in tried]
    reset(client, holders)
    t.settle()
    t.finish()
    problems = []
    for options, wanted, agent in started:
        agent.stop()
        if len(theirs(agent, server)) != wanted:
            problems.append("%s: %d events" % (" ".join(options), len(theirs(agent, server))))
        problems += agent.faults()
    assert not problems, "\n".join(problems)
    server.kill()
    cgroup.remove()


@scenario()
def shared_by_different(t):
    """Only `owner.holders` tells their names."""
    client, server, holders = shared(t)
    truth_of(t, client, server, holders, {"process.name": Absent()})


@scenario()
def shared_by_workers(t):
    """The name, the executable and the cgroup that all of them have are the event's own."""
    client, server, holders = shared(t, ("holds-worker", "holds-worker"))
    process = holders[0].process
    truth_of(t, client, server, holders, {
        "process.name": "holds-worker",
        "process.executable.path": process.executable,
        "process.linux.cgroup": OneOf(*process.cgroups),
    })


def truth_of(t, client, server, holders, extra):
    c = End(client, "client", "all[0]")
    s = End(holders[0], "server", "all[0]")
    reset(client, holders)
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", process="shared", extra=dict({
        "owner.holders": Set([holder.pid for holder in holders]),
        "owner.holder_names": Set([holder.process.name.decode() for holder in holders]),
    }, **extra))
    t.finish()


@one_agent
def shared_by_many(t):
    """Hundreds of connections at once, whose holders end right after."""
    n = t.many(300)
    agent = t.agent("--json", "--name", "holds-sleep")
    client, server, holders = shared(t, n=n)
    names = dict(zip((holder.pid for holder in holders), ("holds-sh", "holds-sleep")))
    reset(client, holders)
    try:
        clock.wait(lambda: agent.lines() >= n, "an event of each")
    except TimeoutError:
        pass  # the comparison reports the missing ones
    for holder in holders:
        holder.kill()
    t.finish()
    agent.stop()
    events = theirs(agent, server)
    problems = agent.faults()
    if len(events) != n:
        problems.append("%d events of %d connections" % (len(events), n))
    for e in events:
        if dict(zip(e["owner.holders"], e["owner.holder_names"])) != names or "process.name" in e:
            problems.append(str(e))
    assert not problems, "\n".join(problems[:9])


COMMAND = """
import os, socket, sys, time
l = socket.socket(%(af)s); l.bind((%(here)r, %(port)d)); l.listen(5)
s = l.accept()[0]
for _ in range(2):
    if not os.fork():
        l.close(); s.send(b"x"); time.sleep(60)
s.close(); time.sleep(60)
"""


@agents
def shared_by_descendants(t):
    """`watch -- COMMAND` shows what its descendants hold, even if none of them is named."""
    client, server = t.pair()
    other = t.beside(server, "other")
    other("l = listen(); port = l.getsockname()[1]; l.close()")
    port, here = other("port"), other("HERE")
    program = COMMAND % {"af": "socket.AF_INET6" if ":" in here else "socket.AF_INET", "here": here, "port": port}
    agent = t.agent("--json", "--", sys.executable, "-c", program,
                    prefix=["nsenter", "--net=/proc/%d/ns/net" % server.pid])
    client("""def connected():
    global s
    s = tcp()
    return not s.connect_ex(target)
wait(connected, 'the command')
s.recv(2, socket.MSG_WAITALL); mine = s.getsockname()[1]; linger(s); s.close()""", target=(here, port))
    mine = client("mine")
    clock.wait(lambda: b'"network.peer.port":%d,' % mine in agent.written(), "the event of the descendants")
    agent.stop()
    found = [e for e in theirs(agent, server) if e["event"] == "peer_lost"]
    assert len(found) == 1 and found[0]["owner.unknown"] == "shared" and len(found[0]["owner.holders"]) == 2, found


def metrics(path):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    stream.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    return stream.makefile().read()


@one_agent
def shared_in_outputs(t):
    """An output for one of the holders gets the event, another's does not; the metrics name both, or what they share."""
    service = Service(t, """
[file sleep]
path = DIR/sleep
name = holds-sleep
[file other]
path = DIR/other
name = holds-other
[metrics]
address = DIR/metrics
""")
    program = os.path.basename(os.path.realpath(sys.executable))
    client, server, holders = shared(t)
    reset(client, holders)
    clock.wait(lambda: service.raw("sleep"), "the event of the output")
    t.finish()
    text = metrics(service.path("metrics"))
    problems = service.stop()
    got = [e for e in service.events("sleep") if e.get("network.netns") == server.netns]
    if len(got) != 1 or got[0]["owner.unknown"] != "shared":
        problems.append("holds-sleep gets %s" % got)
    if any(e.get("network.netns") == server.netns for e in service.events("other")):
        problems.append("holds-other gets it")
    # both run the interpreter, which is what they share
    if not re.search(r'cause="reset",app="%s"} \d' % re.escape(program), text):
        problems.append(text)
    assert not problems, "\n".join(problems)


@one_agent
@with_users
def shared_with_another_user(t):
    """Two users hold it. The one who made the socket sees itself alone; the other sees nothing."""
    if KERNEL < (5, 12):
        t.skip("no cookies in the records")
    agent = Agent(t)
    client, server = t.pair()
    for host in client, server:
        host(WORKER)
    server("l = listen()")
    first = server.fork()
    first("become(%d)" % subscribe.ONE)
    first("l.close(); l = listen()")
    client("s = tcp(); s.connect(target)", target=first("HERE, l.getsockname()[1]"))
    first("s = l.accept()[0]; u = socket.socket(socket.AF_UNIX); u.bind('\\0shared-%d' % os.getpid()); u.listen(1)")
    mine, other = rename(first.fork(), "holds-one"), rename(server.fork(), "holds-other")
    other("become(%d)" % subscribe.OTHER)
    other("u = socket.socket(socket.AF_UNIX); u.connect('\\0shared-%d' % pid)", pid=first.pid)
    first("socket.send_fds(u.accept()[0], [b'x'], [s.fileno()])")
    other("s = socket.socket(fileno=socket.recv_fds(u, 1, 1)[1][0])")
    first("s.close()")
    for host in mine, other:
        host("subscribe(path, '--event peer_lost')", path=agent.socket)
    root = Reader(agent.socket, "--netns %d" % server.netns)
    cookie = mine("cookie(s)")
    client("linger(s); s.close()")
    whole = [e for e in root.events_until(cookie) if e["event"] == "peer_lost"]
    assert sorted(whole[0]["owner.holder_names"]) == ["holds-one", "holds-other"], whole
    seen = mine("events_until(%d)" % cookie)
    assert len(seen) == 1 and seen[0]["owner.holders"] == [mine.pid] and seen[0]["process.name"] == "holds-one", seen
    other("""l = listen(); c = tcp(); c.connect(l.getsockname()); d = l.accept()[0]; last = cookie(c)
linger(d); d.close()""")
    seen = other("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [other("last")], seen
    assert not agent.stop()
