# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many losses at once, and processes that exit a moment later: every event still names the right process."""
import collections

from connect import HEALTHY, doubt
from owners import ANYHOW, FOUND
from trial import End, scenario

crowd = scenario(families=("ipv4",), heavy=True)

ROOM = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))"


@crowd
def thousand_connections_reset(t):
    client, server = t.pair()
    n = t.many(1000)
    for host in client, server:
        host(ROOM)
    server("l = listen(1024)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]", n=n)
    ends = [End(host, role, **facts) for host, role in ((client, "client"), (server, "server"))
            for facts in host("list(map(about, all))")]
    server("for s in all: linger(s); s.close()")
    client("for s in all: reached(s, 'close')")
    for end in ends:
        if end.role == "client":
            t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET")
        else:
            t.expect(end, "local_reset", "linger", "established")


@crowd
def thousand_connections_closed(t):
    """The same with orderly closes."""
    client, server = t.pair()
    n = t.many(1000)
    for host in client, server:
        host(ROOM)
    server("l = listen(1024)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]", n=n)
    for host, role in (client, "client"), (server, "server"):
        for facts in host("list(map(about, all))"):
            end = End(host, role, **facts)
            if role == "client":
                t.expect(end, "local_closed", "close", "orphaned")
            else:
                t.expect(end, "peer_closed", "fin", "established")
    client("for s in all: s.close()")
    server("for s in all: reached(s, 'close_wait'); s.close()")
    t.settle()


@crowd
def processes_exit_among_others(t):
    """200 processes lose one peer each and exit while hundreds of others start and exit."""
    client, server = t.pair()
    server("l = listen(256); all = []")
    target = server("HERE, l.getsockname()[1]")
    children, ends = [client.fork() for _ in range(t.many(200))], []
    for child in children:
        child("s = tcp(); s.connect(target)", target=target)
        ends.append(End(child, "client"))
        server("all.append(l.accept()[0])")
        child.start("try: s.recv(1)\nfinally: os._exit(0)")
    served = [End(server, "server", **facts) for facts in server("list(map(about, all))")]
    storms = [t.beside(client, "storm"), t.beside(server, "storm")]
    for storm in storms:
        storm("def blow():\n for _ in range(20): os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\nblow()")
        storm.start("until = time.monotonic() + 2\nwhile time.monotonic() < until: blow()")
    server("for s in all: linger(s); s.close()")
    for storm in storms:
        storm.finish()
    for end in ends:
        client("ended(%d, %d)" % (end.local[1], end.peer[1]))
        t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW)
    for end in served:
        t.expect(end, "local_reset", "linger", "established")


@crowd
def children_exit_at_once(t):
    """100 children forked after accept: each is the only holder of its connection, reads the error and exits."""
    client, server = t.pair()
    t.listen(server)
    client("all = []")
    ends = []
    for _ in range(t.many(100)):
        client("s = tcp(); s.connect(target); all.append(s)", target=server("HERE, l.getsockname()[1]"))
        s = t.accept(server)
        s.host = server.fork()
        server("s.close()")
        s.host.start("try: s.recv(1)\nfinally: os._exit(0)")
        ends.append(s)
    mine = [End(client, "client", **facts) for facts in client("list(map(about, all))")]
    client("for s in all: linger(s); s.close()")
    for end in mine:
        t.expect(end, "local_reset", "linger", "established")
    for end in ends:
        server("ended(%d, %d)" % (end.local[1], end.peer[1]))
        t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", via=FOUND)


def unheld_connections(t, client, server):
    """40 connections whose only descriptors are in flight on a Unix socket. When they are lost, no process holds them,
    and the agent searches all open files."""
    sender = t.beside(client, "sender")
    sender("all = [tcp() for _ in range(40)]\nfor s in all: s.connect(target)",
           target=server("HERE, l.getsockname()[1]"))
    server("lost = [l.accept()[0] for _ in range(40)]\nfor s in lost: linger(s)")
    ends = [(End(sender, "client", **mine), End(server, "server", **theirs))
            for mine, theirs in zip(sender("list(map(about, all))"), server("list(map(about, lost))"))]
    sender("pair = socket.socketpair()\nfor s in all: socket.send_fds(pair[0], [b'x'], [s.fileno()]); s.close()")
    return ends


def close_during_walks(t):
    """A server closes connections with an unread byte slowly, while the agents search all open files repeatedly."""
    client, server = t.pair()
    n = t.many(2000)
    for host in client, server:
        host(ROOM)
    server("l = listen(4096)")
    lost = unheld_connections(t, client, server)
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target); s.send(b'x')", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: wait(lambda: unread(s), 'a byte')", n=n)
    ends = [End(host, role, **facts) for host, role in ((client, "client"), (server, "server"))
            for facts in host("list(map(about, all))")]
    server("for i, s in enumerate(all):\n s.close(); time.sleep(0.0005)\n if i % each == 0: lost[i // each].close()",
           each=n // len(lost))
    for mine, theirs in lost:
        mine.ended()
        t.perhaps(mine, "peer_lost", "reset")  # this scenario does not test their owner
        t.expect(theirs, "local_reset", "linger", "established")
    client("for s in all: reached(s, 'close')")
    t.settle()
    client("time.sleep(1 + min(SLOW, 3))")  # the sender must live until the agent has searched
    return ends


@crowd
def closed_during_walks(t):
    """The search holds each open file for a moment. If the owner closes the file at that moment, the search drops the
    last reference, and the close runs in the agent."""
    for end in close_during_walks(t):
        if end.role == "client":
            t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET")
        else:
            t.expect(end, "local_reset", "unread_data", "established", unread=1)
    t.settle()


@scenario(families=("ipv4",), heavy=True, everywhere=True)
def abandoned_concurrently(t):
    """As many processes as a BPF program has copies on one tracepoint connect and give up, again and again. On a
    preemptible kernel each can interrupt another between any two steps, also between two copies."""
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    clients = [client] + [t.beside(client, "client") for _ in range(2)]
    for host in clients:
        host("target, facts = (THERE, port), []\n"
             "def give_up():\n"
             " s = tcp(); s.setblocking(False); s.connect_ex(target); facts.append(about(s)); s.close()", port=port)
    for host in clients:
        host.start("for _ in range(n): give_up()", n=t.many(1000))
    for host in clients:
        host.finish()
        for fact in host("facts"):
            end = End(host, "client", **fact)
            t.expect(end, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))


SPAWN = """stop = []
def spawn():
 while not stop: os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
spawner = in_thread(spawn)"""
# The sockets that have this port and are whole: not in TIME_WAIT, not a listener.
WHOLE = """def whole():
 with open('/proc/self/net/tcp6' if AF == socket.AF_INET6 else '/proc/self/net/tcp') as f:
  rows = [line.split() for line in f][1:]
 return sum(row[1].endswith(':%04X' % port) and row[5][:2] != '03' and row[3] != '0A' for row in rows)"""


def close_in_order(client, server, target, n):
    """Close n connections at the server. Most clients acknowledge the FIN by a timer, whose interrupt ends the server's
    end whatever runs there. Returns (server's port, client's port) of each."""
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n, target=target)
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: s.close(); time.sleep(0.0001)", n=n)
    client("for s in all: reached(s, 'close_wait')")
    server("until = time.monotonic() + 1\nwhile whole() and time.monotonic() < until: time.sleep(0.02)")
    ports = client("[s.getsockname()[1] for s in all]")
    client("for s in all: s.close()")  # for those that wait for our FIN after all
    server("wait(lambda: not whole(), 'the end of all')")
    return [(target[1], port) for port in ports]


@scenario(families=("ipv4", "ipv6"), alone=True)
def closed_while_programs_start(t):
    """5,000 orderly closes of a server that starts programs: each end is reported once, or counted as lost. A sandbox
    that runs no BPF program in some interrupts must not go unnoticed."""
    client, server = t.pair()
    for host in client, server:
        host(ROOM)
    agent = t.agent("--json", "--all", "--netns", "/proc/%d/ns/net" % client.pid, "--netns", "/proc/%d/ns/net" % server.pid)
    target = server("l = listen(1024); HERE, l.getsockname()[1]")
    server("port = target[1]\n" + WHOLE, target=target)
    server(SPAWN)
    due = collections.Counter()
    for _ in range(5):
        for here, there in close_in_order(client, server, target, t.many(1000)):
            due["local_closed", here, there] += 1
            due["peer_closed", there, here] += 1
    server("stop.append(1); spawner.join()")
    t.settle()
    agent.stop()
    told = collections.Counter(
        (event["event"], event["network.local.port"], event["network.peer.port"]) for event in agent.events
        if event.get("network.netns") in (client.netns, server.netns))
    lost = sum(event["lost.count"] for event in agent.events if event.get("cause") == "program_missed")
    missing = collections.Counter(event for event, _, _ in due - told)
    problems = agent.faults() + ["one too many: %r" % (event,) for event in told - due]
    if sum(missing.values()) > lost:
        problems.append("missing of %d: %s; counted as lost: %d" % (sum(due.values()), dict(missing), lost))
    if problems:
        raise AssertionError("\n".join(problems))
    t.finish()
