# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Early warnings: peers that are silent and come back, closes that nobody noticed, accept queues that are full; and what
is none of these. Each with an agent of its own, of a shorter patience."""
import time

import clock
from expect import AtLeast, nanoseconds
from trial import Absent, End, KERNEL, Maybe, OneOf, scenario

SECOND = 1000000000
QUIET = 2  # seconds; a slow machine's are longer
warned = scenario(own=True)
one = scenario(families=("ipv4",), own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)

WITHIN = 1.0 * clock.SLOW


def patience():
    return QUIET * min(4, max(1, int(clock.SLOW)))


def watch(t, *options, **how):
    return t.agent("--json", "--silent-after", "%ds" % patience(), "--ignored-after", "%ds" % patience(), *options, **how)


def wait_for(agent, host, event, count=1, seconds=60):
    """Wait until it has written so many of this event, of that host's network namespace."""
    name, netns = b'"event":"%s"' % event.encode(), b'"network.netns":%d,' % host.netns

    def written():
        return sum(name in line and netns in line for line in agent.written().splitlines()) >= count
    clock.wait(written, "%d of %s" % (count, event), seconds)


def of(events, name):
    return [event for event in events if event["event"] == name]


def seconds_between(earlier, event):
    return (nanoseconds(event["time"]) - earlier) / SECOND


def expect_silent(t, end, phase="established", extra=None, **fields):
    what = {"tcp.gives_up_in_ms": Maybe(AtLeast(0)), "tcp.silent_ms": AtLeast(0)}
    what.update(extra or {})
    t.expect(end, "peer_silent", "unacked", phase, extra=what, **fields)


def check_within(event, since, least, most):
    took = seconds_between(since, event)
    assert least <= took <= most, "%s after %.3f s, not within %.3f to %.3f s" % (event["event"], took, least, most)


# --- peers that are silent ---

@warned
def silent_and_back(t):
    """The path is cut, and then it is not."""
    agent = watch(t)
    c, s = t.connection()
    s("drop(s)")
    since = clock.now()
    c("s.send(bytes(5000))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, unacked=5000, extra={"tcp.gives_up_in_ms": AtLeast(500000)})
    s("undrop(s)")
    c("wait(lambda: queued(s) == 0, 'the acknowledgement')")
    acked = clock.now()
    wait_for(agent, c.host, "peer_back")
    t.expect(c, "peer_back", "acked", "established")
    s("s.recv(5000, socket.MSG_WAITALL)")
    events = t.check(agent)
    # the timer counts from the last acknowledgement or the last transmission; a tail loss probe may come before it
    check_within(of(events, "peer_silent")[0], since, patience() - 0.05, patience() + WITHIN)
    check_within(of(events, "peer_back")[0], acked, -WITHIN, WITHIN)


@warned
def silent_and_lost(t):
    """It never comes back: one peer_lost, and nothing after it."""
    client, server = t.pair()
    agent = watch(t)
    # the first comes after 0.2 s at the least, each after twice the time: it must be told as silent well before the last
    retries = next(n for n in range(4, 16) if 0.2 * (2 ** n - 1) > patience() + WITHIN)
    client("sysctls(retries2=%d)" % retries)
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(300))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, unacked=300)
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=error, unacked=300)
    events = t.check(agent)
    # about when the kernel would give up was right
    silent, lost = of(events, "peer_silent")[0], of(events, "peer_lost")[0]
    took, estimate = seconds_between(nanoseconds(silent["time"]), lost), silent["tcp.gives_up_in_ms"] / 1000
    assert abs(took - estimate) <= 0.2 * took + WITHIN, "given up after %.3f s, not %.3f s" % (took, estimate)


@portable
def silent_again_and_again(t):
    """Each silence is told, and each time that it ends."""
    agent = watch(t)
    c, s = t.connection()
    for n in 1, 2:
        s("drop(s)")
        c("s.send(bytes(10))")
        wait_for(agent, c.host, "peer_silent", n)
        expect_silent(t, c, unacked=10)
        s("undrop(s)")
        wait_for(agent, c.host, "peer_back", n)
        t.expect(c, "peer_back", "acked", "established")
        s("s.recv(10, socket.MSG_WAITALL)")
    t.check(agent)


@portable
def silent_user_timeout(t):
    """TCP_USER_TIMEOUT is when the kernel gives up."""
    agent = watch(t)
    c, s = t.connection()
    limit = 3 * patience()
    c("option(s, TCP_USER_TIMEOUT, %d)" % (1000 * limit))
    s("drop(s)")
    c("s.send(bytes(10))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, unacked=10)
    error = c.error()
    t.expect(c, "peer_lost", "user_timeout", "established", error=error, unacked=10)
    events = t.check(agent)
    silent, lost = of(events, "peer_silent")[0], of(events, "peer_lost")[0]
    took = seconds_between(nanoseconds(silent["time"]), lost)
    assert abs(took - silent["tcp.gives_up_in_ms"] / 1000) <= WITHIN, (took, silent["tcp.gives_up_in_ms"])


@portable
def silent_half_closed(t):
    """After the peer's FIN, what we still send is not acknowledged."""
    agent = watch(t, "--not-event", "close_ignored")
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait'); s.send(bytes(100))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, "half_closed", unacked=100)
    t.check(agent)


@one
def silent_orphan(t):
    """Closed with data on the way: nobody holds it, and the data is at stake all the same."""
    agent = watch(t)
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(300)); s.close()")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, "orphaned", unacked=300)
    t.check(agent)


@portable
def silent_of_server(t):
    agent = watch(t)
    c, s = t.connection()
    c("drop(s)")
    s("s.send(bytes(50))")
    wait_for(agent, s.host, "peer_silent")
    expect_silent(t, s, unacked=50, via=OneOf("accept", "holder"))
    t.check(agent)


@one
def silent_seeded(t):
    """It waited before the agent came."""
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(70)); wait(lambda: retransmits(s) > 2, 'retransmissions')")
    agent = watch(t)
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, unacked=70, via=OneOf("seed", "holder"), role=Maybe("client"),
                  extra={"tcp.duration_ms": Absent()})
    t.check(agent)


@one
def silent_ends_acknowledged(t):
    """It comes back and is closed at once: that it was back is told, too."""
    agent = watch(t)
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(90)); s.shutdown(socket.SHUT_WR)")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, "closing", unacked=90)
    s("undrop(s); s.recv(90, socket.MSG_WAITALL); s.recv(1); s.close()")
    c.ended()
    wait_for(agent, c.host, "peer_back")
    t.expect(c, "peer_back", "acked", "closing", extra={"stream.read_closed": Maybe(False, True)})
    t.check(agent)


@one
def lossy_is_not_silent(t):
    """One segment in ten is lost: it takes retransmissions, of the timer too, and is no silence."""
    client, server, wire = t.wired()
    agent = watch(t)
    c, s = t.connection(client, server)
    client("command('ip', 'link', 'set', 'eth0', 'gso_max_segs', '1')")
    # not on its way out, where the sender is told at once and has sent nothing
    server("nft('input tcp dport %d meta length > 500 numgen random mod 10 == 0 drop')" % c.peer[1])
    server.start("got = 0\nwhile got < 600000: got += len(s.recv(1 << 20))\ngot")
    c("s.setblocking(True); s.sendall(bytes(600000))")
    t.premise(server.finish(60) == 600000, "the data comes")
    again = c("retransmits(s)")
    t.premise(again > 20, "segments were sent again, not only %d" % again)
    server("nft_clear()")
    t.check(agent)


@one
def closed_window_is_not_silent(t):
    """A peer that does not read, and answers the probes of its window, is there. One that no longer answers them is not
    seen before the kernel gives up, for nothing is sent again: doctor says so."""
    agent = watch(t)
    c, s = t.connection()
    c("fill(s)")
    time.sleep(patience() + 2)
    t.premise(c("state(s)") == "established", "it lives")
    s("drop(s)")
    time.sleep(patience() + 2)
    t.premise(c("state(s)") == "established", "it lives still")
    t.perhaps(c, "peer_silent", "unacked")  # where the peer had thrown away what came last
    t.hidden(c, "peer_silent", "unacked")
    t.check(agent)


@portable
def connecting_is_not_silent(t):
    """A SYN is no data."""
    agent = watch(t)
    client, server = t.pair()
    server("l = listen(); drop(l)")
    client("s = bound(); begin((THERE, port), s)", port=server("l.getsockname()[1]"))
    time.sleep(patience() + 2)
    client("s.close()")
    agent.stop()
    assert not [e for e in of(agent.events, "peer_silent") if e["network.netns"] == client.netns], "a SYN counts as data"


@portable
def silent_crowd(t):
    """A peer that dies with many connections: all are told, and on a terminal in two lines."""
    client, server = t.pair()
    count = t.many(500)
    server("l = listen(512); l.settimeout(30)")
    agent = watch(t)
    grouped = t.agent("--group", "%ds" % (3 * patience()), "--silent-after", "%ds" % patience())
    target = server("HERE, l.getsockname()[1]")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=count, target=target)
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: drop(s)", n=count)
    client("for s in all: s.send(bytes(7))")
    wait_for(agent, client, "peer_silent", count)
    server("for s in all: undrop(s)")
    client("for s in all: wait(lambda: queued(s) == 0, 'the acknowledgement')")
    wait_for(agent, client, "peer_back", count)
    agent.stop()
    grouped.stop()
    lines = grouped.written().decode().splitlines()
    problems = agent.faults() + [fault for fault in grouped.ledger_faults() if "there are" not in fault]
    ends = {(e["event"], e["network.local.port"]) for e in agent.events if e["network.netns"] == client.netns}
    assert not problems and len(ends) == 2 * count, (problems, len(ends))
    silent = [line for line in lines if " peer_silent/unacked" in line and ":%d " % target[1] in line]
    assert len(silent) == 2 and "again %d times" % (count - 1) in silent[1], lines


# --- closes that nobody noticed ---

def expect_ignored(t, end, count, phase="half_closed", **fields):
    extra = {"ignored.connections": count}
    extra.update(fields.pop("extra", {}))
    t.expect(end, "close_ignored", "close_wait", phase, state="close_wait", extra=extra, **fields)


def closed_by_client(t, client, server, payload=b""):
    """A connection that its client has closed, and the server has not: the last of `kept`."""
    client("x = tcp(); x.connect(SERVER); x.sendall(payload); x.close()", SERVER=server("HERE, l.getsockname()[1]"),
           payload=payload)
    server("kept = globals().get('kept', []) + [l.accept()[0]]; reached(kept[-1], 'close_wait')")
    return End(server, "server", "kept[-1]")


@warned
def ignored_leak(t):
    """A server that never closes: told once, then after twice the time each, with how many there are by then."""
    client, server = t.pair()
    t.listen(server)
    agent = watch(t)
    before = clock.now()
    first = closed_by_client(t, client, server, b"abc")
    after = clock.now()
    wait_for(agent, server, "close_ignored")
    rest = [closed_by_client(t, client, server) for _ in range(4)]
    t.premise(all(end.local for end in rest), "more leak")
    wait_for(agent, server, "close_ignored", 2)
    # some of the four may have been too young for the second; the third comes after twice the time
    wait_for(agent, server, "close_ignored", 3)
    for count in (1, OneOf(1, 2, 3, 4, 5), 5):
        expect_ignored(t, first, count, unread=3)
    events = of(t.check(agent), "close_ignored")
    most = patience() + patience() / 8 + WITHIN
    check_within(events[0], before, patience() - 0.05, (after - before) / SECOND + most)
    gaps = [seconds_between(nanoseconds(a["time"]), b) for a, b in zip(events, events[1:])]
    assert gaps[0] >= patience() - 0.05 and gaps[1] >= 2 * patience() - 0.05, gaps


@portable
def ignored_by_two(t):
    """Each process for itself."""
    client, server = t.pair()
    other = t.beside(server, "other")
    agent = watch(t)
    ends = []
    for host, count in ((server, 1), (other, 2)):
        t.listen(host)
        ends.append([closed_by_client(t, client, host) for _ in range(count)])
    wait_for(agent, server, "close_ignored", 2)
    agent.stop()
    reported = {e["process.pid"]: e["ignored.connections"] for e in reversed(of(agent.events, "close_ignored"))
            if e["network.netns"] == server.netns}
    assert reported.keys() == {server.pid, other.pid}, reported
    assert reported[server.pid] == 1 and reported[other.pid] in (1, 2), reported
    assert not agent.faults(), agent.faults()


@one
def ignored_seeded(t):
    """The peer closed before the agent came."""
    client, server = t.pair()
    t.listen(server)
    s = closed_by_client(t, client, server)
    time.sleep(patience() + 0.5)
    agent = watch(t)
    began = clock.now()
    wait_for(agent, server, "close_ignored")
    expect_ignored(t, s, 1, via=OneOf("seed", "holder"), role=Maybe("server"), extra={"tcp.duration_ms": Absent()})
    events = t.check(agent)
    check_within(events[0], began, -5 * WITHIN, 5 * WITHIN)


@portable
def ignored_unaccepted(t):
    """The client has given up waiting to be accepted."""
    client, server = t.pair()
    t.listen(server)
    agent = watch(t)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(b'hello'); s.close()")
    s.comes_to("close_wait")
    wait_for(agent, server, "close_ignored")
    expect_ignored(t, s, 1, "unaccepted", unread=5, read_closed=True, extra={"tcp.cookie": Maybe(AtLeast(1))})
    t.check(agent)


@one
def ignored_with_keepalive(t):
    """Probes of ours that the peer's kernel answers are no use of the connection."""
    client, server = t.pair()
    t.listen(server)
    agent = watch(t)
    c = t.connect(client, server)
    s = t.accept(server)
    c("s.shutdown(socket.SHUT_WR)")
    s("keepalive(s, count=9); reached(s, 'close_wait')")
    wait_for(agent, server, "close_ignored")
    expect_ignored(t, s, 1)
    t.check(agent)


@one
def streaming_is_not_ignored(t):
    """A server that streams on after the client's FIN is healthy, and so is one that closes in time."""
    agent = watch(t)
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR)")
    s("reached(s, 'close_wait')")
    closed_by_client(t, c.host, s.host)
    s("kept[-1].close()")
    until = time.monotonic() + 2 * patience() + 1
    while time.monotonic() < until:
        s("s.send(b'more')")
        time.sleep(patience() / 4)
    t.premise(s("state(s)") == "close_wait", "it streams still")
    t.check(agent)


# --- lost before accept ---

@warned
def queue_full(t):
    """A listener that does not accept: its backlog is 1, so two wait, and the others are turned away."""
    client, server = t.pair()
    agent = watch(t, "--event", "accept_dropped")
    server("l = listen(1)")
    target = server("HERE, l.getsockname()[1]")
    overflows = "int(dict(zip(*[line.split() for line in open('/proc/net/netstat') if line.startswith('TcpExt')]))" \
                "['ListenOverflows'])"
    client("all = [begin(target) for _ in range(6)]", target=target)
    wait_for(agent, server, "accept_dropped")
    dropped = server(overflows)
    t.premise(dropped > 0, "the kernel counts overflows")
    agent.stop()
    reported = [e for e in of(agent.events, "accept_dropped") if e["network.netns"] == server.netns]
    problems = agent.faults()
    first = reported[0]
    wanted = {"cause": "queue_full", "by": "local", "phase": "connecting", "severity": "warning",
              "process.pid": server.pid, "owner.via": "listener", "network.local.port": target[1],
              "network.connection.state": "listen", "listen.queue_length": 2, "listen.backlog": 1,
              "network.netns": server.netns, "network.local.address": OneOf(server("plain(HERE)"), "0.0.0.0", "::"),
              "network.peer.port": Absent(), "network.peer.address": Absent(), "tcp.retransmits": Absent()}
    for name, value in wanted.items():
        if not value == first.get(name):
            problems.append("%s is %r, not %r" % (name, first.get(name), value))
    if not 0 < first["repeat.count"] <= dropped:
        problems.append("%d turned away, of %d overflows" % (first["repeat.count"], dropped))
    import contract
    problems += [fault for event in reported for fault in contract.faults(event)]
    t.matrix.seen.add("accept_dropped/queue_full")
    assert not problems, "\n".join(problems)


@portable
def queue_full_before_start(t):
    """It was full before the agent came."""
    client, server = t.pair()
    server("l = listen(0)")
    target = server("HERE, l.getsockname()[1]")
    client("first = tcp(); first.connect(target)", target=target)
    agent = watch(t, "--event", "accept_dropped")
    client("more = [begin(target) for _ in range(3)]", target=target)
    wait_for(agent, server, "accept_dropped")
    agent.stop()
    reported = next(e for e in of(agent.events, "accept_dropped") if e["network.netns"] == server.netns)
    assert reported["process.pid"] == server.pid and reported["network.local.port"] == target[1], reported
    assert not agent.faults(), agent.faults()


@one
def queue_full_without_drops(t):
    """Full, and nobody was turned away; and one that is full again and again, and drained in time."""
    client, server = t.pair()
    server("l = listen(1)")
    agent = watch(t)
    for _ in range(3):
        client("all = [tcp(), tcp()]\nfor s in all: s.connect(target)", target=server("HERE, l.getsockname()[1]"))
        time.sleep(1.2)
        server("kept = globals().get('kept', []) + [l.accept()[0], l.accept()[0]]")
    agent.stop()
    reported = [e for e in of(agent.events, "accept_dropped") if e["network.netns"] == server.netns]
    assert not reported and not agent.faults(), (reported, agent.faults())
