# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Early warnings: silent peers, ignored closes, full accept queues, and cases that must give no warning. Each scenario
starts an agent with short time limits."""
import time

import clock
import contract
from expect import AtLeast, nanoseconds
from trial import Absent, End, KERNEL, Maybe, OneOf, scenario

SECOND = 1000000000
QUIET = 2  # seconds, longer on a slow machine
warned = scenario(own=True)
one = scenario(families=("ipv4",), own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)

WITHIN = 1.0 * clock.SLOW


def patience():
    return QUIET * min(4, max(1, int(clock.SLOW)))


def watch(t, *options, **how):
    return t.agent("--json", "--silent-after", "%ds" % patience(), "--ignored-after", "%ds" % patience(), *options, **how)


def wait_for(agent, host, event, count=1, seconds=60):
    """Wait until the agent has written `count` of this event in the host's network namespace."""
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
    """The path fails and recovers."""
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
    # the limit runs from the last acknowledgement or transmission; a tail loss probe may come first
    check_within(of(events, "peer_silent")[0], since, patience() - 0.05, patience() + WITHIN)
    check_within(of(events, "peer_back")[0], acked, -WITHIN, WITHIN)


@warned
def silent_and_lost(t):
    """The peer never comes back: peer_lost follows, once."""
    client, server = t.pair()
    agent = watch(t)
    # retransmissions start at 0.2 s and double: peer_silent must come well before the last one
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
    # the estimate of when the kernel gives up was about right
    silent, lost = of(events, "peer_silent")[0], of(events, "peer_lost")[0]
    took, estimate = seconds_between(nanoseconds(silent["time"]), lost), silent["tcp.gives_up_in_ms"] / 1000
    assert abs(took - estimate) <= 0.2 * took + WITHIN, "given up after %.3f s, not %.3f s" % (took, estimate)


@portable
def silent_again_and_again(t):
    """Every silence and every return gives an event."""
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
    """The estimate follows TCP_USER_TIMEOUT."""
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
    """The peer has closed its half and does not acknowledge data that we still send."""
    agent = watch(t, "--not-event", "close_ignored")
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait'); s.send(bytes(100))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, "half_closed", unacked=100)
    t.check(agent)


@one
def silent_orphan(t):
    """Closed with data in flight: no process holds the socket, but its data is still at stake."""
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
    """The peer was silent before the agent started."""
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
    """The peer comes back and closes at once: peer_back comes too."""
    agent = watch(t)
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(90)); s.shutdown(socket.SHUT_WR)")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, "closing", unacked=90)
    s("undrop(s); s.recv(90, socket.MSG_WAITALL); s.recv(1); s.close()")
    c.ended()
    ended = clock.now()
    wait_for(agent, c.host, "peer_back")
    t.expect(c, "peer_back", "acked", "closing", extra={"stream.read_closed": Maybe(False, True), "tcp.bytes_sent": 90})
    back = of(t.check(agent), "peer_back")[0]
    assert nanoseconds(back["time"]) <= ended, "peer_back is told of a time after the end"


@warned
def silent_back_after_exit(t):
    """The process ends while its peer is silent; the peer comes back, and closes."""
    agent = watch(t)
    c, s = t.connection()
    s("s.send(b'abc')")
    c("s.recv(3)")
    s("drop(s)")
    c("s.send(bytes(90))")
    wait_for(agent, c.host, "peer_silent")
    expect_silent(t, c, unacked=90)
    c.host.kill_alone()
    c.witness = s.host
    s("undrop(s); s.recv(90, socket.MSG_WAITALL); s.recv(1); s.close()")
    s.ended()
    ended = clock.now()
    wait_for(agent, c.host, "peer_back")
    t.expect(c, "peer_back", "acked", "orphaned", extra={
        "stream.read_closed": Maybe(False, True), "tcp.bytes_sent": 90, "tcp.bytes_received": 3,
        "process.exiting": Maybe(True), "process.exit.signal": Maybe("SIGKILL")})
    events = t.check(agent)
    back = of(events, "peer_back")[0]
    assert nanoseconds(back["time"]) <= ended, "peer_back is told of a time after the end"


@one
def lossy_is_not_silent(t):
    """One segment in ten is lost. That causes retransmissions, some by timeout, but no silence."""
    client, server, wire = t.wired()
    agent = watch(t)
    c, s = t.connection(client, server)
    client("command('ip', 'link', 'set', 'eth0', 'gso_max_segs', '1')")
    # drop at the receiver: a drop in the sender's output fails the send at once, so nothing would be in flight
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
    """A peer with a closed window that answers the probes is alive. One that stops answering them goes unnoticed until
    the kernel gives up, because nothing is retransmitted; doctor documents that."""
    agent = watch(t)
    c, s = t.connection()
    c("fill(s)")
    time.sleep(patience() + 2)
    t.premise(c("state(s)") == "established", "it lives")
    s("drop(s)")
    time.sleep(patience() + 2)
    t.premise(c("state(s)") == "established", "it lives still")
    t.perhaps(c, "peer_silent", "unacked")  # if the peer dropped the last segment
    t.hidden(c, "peer_silent", "unacked")
    t.check(agent)


@portable
def connecting_is_not_silent(t):
    """A SYN does not count as data."""
    agent = watch(t)
    client, server = t.pair()
    server("l = listen(); drop(l)")
    client("s = bound(); begin((THERE, port), s)", port=server("l.getsockname()[1]"))
    time.sleep(patience() + 2)
    client("s.close()")
    agent.stop()
    assert not [e for e in of(agent.events, "peer_silent") if e["network.netns"] == client.netns], "a SYN is data"


@portable
def silent_crowd(t):
    """A peer dies with many connections: JSON has an event for each, the text two lines."""
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


# --- ignored closes ---

def expect_ignored(t, end, count, phase="half_closed", **fields):
    extra = {"ignored.connections": count}
    extra.update(fields.pop("extra", {}))
    t.expect(end, "close_ignored", "close_wait", phase, state="close_wait", extra=extra, **fields)


def closed_by_client(t, client, server, payload=b""):
    """A connection closed by its client but not by its server, the last of `kept`."""
    client("x = tcp(); x.connect(SERVER); x.sendall(payload); x.close()", SERVER=server("HERE, l.getsockname()[1]"),
           payload=payload)
    server("kept = globals().get('kept', []) + [l.accept()[0]]; reached(kept[-1], 'close_wait')")
    return End(server, "server", "kept[-1]")


@warned
def ignored_leak(t):
    """A server never closes: the warnings come at doubling intervals, each with the current number of connections."""
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
    # some of the four may be too young for the second warning, but not for the third
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
    """Two processes ignore closes; each gets its own event and count."""
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
    """The peer closed before the agent started."""
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
    """The client closed before the server accepted."""
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


@warned
def ignored_accepted_and_not(t):
    """A server that is out of descriptors has accepted some connections and left the others in its queue."""
    client, server = t.pair()
    agent = watch(t)
    server("import resource; l = listen(64); kept = []")
    target = server("HERE, l.getsockname()[1]")
    names = client("all = [tcp() for _ in range(8)]\nfor s in all: s.connect(target); s.send(bytes(4))\n"
                   "[(plain(s.getsockname()[0]), s.getsockname()[1]) for s in all]", target=target)
    server("for _ in range(3): kept.append(l.accept()[0])")
    server("limit = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (0, limit[1]))")
    error = server.error("l.accept()")
    server("resource.setrlimit(resource.RLIMIT_NOFILE, limit)")
    t.premise(error == "EMFILE", error)
    accepted = End(server, "server", "kept[0]")
    queued = End(server, "server", local=accepted.local, peer=names[3])
    client("all[0].close(); all[3].close()")
    time.sleep(0.05)  # so that these two have waited longest
    client("for s in all: s.close()")
    wait_for(agent, server, "close_ignored", 4)  # the first ones may come before all have waited long enough
    for count in OneOf(1, 2, 3), 3:
        expect_ignored(t, accepted, count, unread=4)
    for count in OneOf(1, 2, 3, 4, 5), 5:
        expect_ignored(t, queued, count, "unaccepted", unread=4, read_closed=True,
                       extra={"tcp.cookie": Maybe(AtLeast(1))})
    t.check(agent)


@one
def ignored_accepted_later(t):
    """A connection was left in the queue, and then accepted and ignored by another process than the one that listened."""
    client, server = t.pair()
    agent = watch(t)
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.close()")
    s.comes_to("close_wait")
    wait_for(agent, server, "close_ignored")
    expect_ignored(t, s, 1, "unaccepted", read_closed=True, extra={"tcp.cookie": Maybe(AtLeast(1))})
    worker = server.fork()
    late = t.accept(worker)
    t.premise(late.peer == s.peer, "the same connection")
    wait_for(agent, server, "close_ignored", 2)
    expect_ignored(t, late, 1, via=OneOf("holder", "accept"))
    t.check(agent)


@one
def ignored_with_keepalive(t):
    """Keepalive probes do not count as use of the connection."""
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
    """A server that keeps sending after the client's FIN is healthy, and so is one that closes in time."""
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

COUNTED = "dict(zip(*[line.split()[1:] for line in open('/proc/net/netstat') if line.startswith('TcpExt')]))"


def counted(host, name):
    """A counter of the host's network namespace."""
    return int(host(COUNTED)[name])


def check_turned_away(t, agent, host, cause, port, count):
    """Exactly that many peers were turned away by the listener of that port, and told once; nothing of another one."""
    agent.stop()
    reported = [e for e in of(agent.events, "accept_dropped") if e["network.netns"] == host.netns]
    problems = agent.faults() + [fault for event in reported for fault in contract.faults(event)]
    for event in reported:
        wanted = {"cause": cause, "by": "local", "phase": "connecting", "severity": "warning", "process.pid": host.pid,
                  "owner.via": "listener", "network.local.port": port, "network.connection.state": "listen"}
        problems += ["%s is %r, not %r" % (name, event.get(name), value) for name, value in wanted.items()
                     if event.get(name) != value]
    told = sum(e["repeat.count"] for e in reported)
    if told != count:
        problems.append("%d turned away are told in %d events, not %d" % (told, len(reported), count))
    t.matrix.seen.add("accept_dropped/" + cause)
    assert not problems, "\n".join(problems)


@warned
def queue_full_for_a_moment(t):
    """A queue overflows, and is empty again before anybody looks. Another one is full as well, but turns nobody away."""
    client, server = t.pair()
    agent = watch(t, "--event", "accept_dropped")
    server("l = listen(1); other = listen(1)")
    before = counted(server, "ListenOverflows")
    client("kept = [tcp(), tcp()]\nfor s in kept: s.connect(target)", target=server("HERE, other.getsockname()[1]"))
    target = server("HERE, l.getsockname()[1]")
    client("all = [begin(target) for _ in range(4)]", target=target)
    server("more = [l.accept()[0] for _ in range(2)]")
    client("for s in all:\n if state(s) != 'established': s.close()")  # no SYN is sent again
    dropped = counted(server, "ListenOverflows") - before
    t.premise(dropped > 0, "the kernel counts overflows")
    wait_for(agent, server, "accept_dropped")
    time.sleep(1.5)  # a second look
    t.premise(counted(server, "ListenOverflows") - before == dropped, "no overflow since")
    check_turned_away(t, agent, server, "queue_full", target[1], dropped)


def silent_clients(t, backlog, attempts, **sysctls):
    """A listener without SYN cookies, and clients that drop its SYN-ACKs."""
    client, server = t.pair()
    server("sysctl('ipv4/tcp_syncookies', 0)")
    for name, value in sysctls.items():
        server("sysctl(%r, %d)" % ("ipv4/" + name, value))
    client("nft('input tcp flags & (syn | ack) == (syn | ack) drop')")
    server("l = listen(%d)" % backlog)
    agent = watch(t, "--event", "accept_dropped")
    before = counted(server, "ListenDrops")
    client("all = [begin(target) for _ in range(%d)]" % attempts, target=server("HERE, l.getsockname()[1]"))
    dropped = counted(server, "ListenDrops") - before
    t.premise(dropped > 0, "the kernel counts drops")
    return agent, client, server, before


@warned
def syn_queue_full(t):
    """Half-open connections fill the SYN queue of a listener without SYN cookies. Nobody connects."""
    agent, client, server, before = silent_clients(t, 2, 12)
    client("for s in all: s.close()")  # no SYN is sent again
    wait_for(agent, server, "accept_dropped")
    check_turned_away(t, agent, server, "syn_queue_full", server("l.getsockname()[1]"),
                      counted(server, "ListenDrops") - before)


@one
def syn_queue_full_last_quarter(t):
    """The same by tcp_max_syn_backlog, whose last quarter is for known peers: the backlog of the listener is larger."""
    agent, client, server, before = silent_clients(t, 1000, 30, tcp_max_syn_backlog=16)
    client("for s in all: s.close()")
    wait_for(agent, server, "accept_dropped")
    check_turned_away(t, agent, server, "syn_queue_full", server("l.getsockname()[1]"),
                      counted(server, "ListenDrops") - before)


@one
def syn_queue_full_then_connected(t):
    """The same, and those in the queue connect before any SYN-ACK is sent again."""
    client, server, wire = t.wired()
    server("sysctl('ipv4/tcp_syncookies', 0); l = listen(2)")
    agent = watch(t, "--event", "accept_dropped")
    before = counted(server, "ListenDrops")
    wire("w.set('hold', 'right')")
    client("all = [begin(target) for _ in range(8)]", target=server("HERE, l.getsockname()[1]"))
    wire("w.holding(3, 'right')")
    wire("w.release()")
    client("wait(lambda: sum(state(s) == 'established' for s in all) >= 2)")
    dropped = counted(server, "ListenDrops") - counted(server, "ListenOverflows") - before
    t.premise(dropped > 0, "the kernel counts drops")
    server("more = [l.accept()[0] for _ in range(2)]")
    wait_for(agent, server, "accept_dropped")
    agent.stop()
    reported = [e for e in of(agent.events, "accept_dropped") if e["network.netns"] == server.netns]
    assert "syn_queue_full" in [e["cause"] for e in reported] and not agent.faults(), (reported, agent.faults())


@warned
def queue_full(t):
    """A listener that does not accept. A backlog of 1 lets two connections wait; the kernel drops the others."""
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
    problems += [fault for event in reported for fault in contract.faults(event)]
    t.matrix.seen.add("accept_dropped/queue_full")
    assert not problems, "\n".join(problems)


@portable
def queue_full_before_start(t):
    """The queue was full before the agent started."""
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
    """A queue that fills repeatedly but is drained before the kernel drops anything."""
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
