# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Data that arrives for a recently closed connection and gets a RST."""
import os

from timeout import impatient
from trial import Absent, KERNEL, End, scenario

one_family = scenario(families=("ipv4",))
MEMORY = 4096  # closed connections that the agent remembers, split across CPUs


@scenario()
def recently_closed_in_order(t):
    """The server closes in order; data that the client then sends gets a RST."""
    c, s = t.connection()
    s("s.close()")
    s.ended()
    t.expect(s, "local_closed", "close", "orphaned")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    c("rst = capture(); s.send(bytes(3))")
    c("wait(lambda: 'in' in resets(rst), 'a RST')")
    t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), unacked=3)
    t.late(s, state="time_wait")


@scenario()
def recently_closed_expired_orphan(t):
    """We closed with data in flight, and the kernel gave up; then the peer sends data."""
    c, s = impatient(t)
    s("drop(s)")
    c("s.send(bytes(2000)); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", unacked=2000, state="fin_wait_1")
    t.settle()
    s("undrop(s); s.send(b'still here')")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), unacked=10)
    t.late(c, ended=("peer_lost", "retransmit_timeout"))


@one_family
def recently_closed_timed_out_while_held(t):
    """The kernel gave up while a process held the socket; then the peer sends data. The process owns both events, and has
    closed nothing."""
    c, s = impatient(t)
    s("drop(s)")
    c("s.send(bytes(500))")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=c.error(), unacked=500)
    t.settle()
    s("undrop(s); s.send(b'still here')")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), unacked=10)
    t.no_connection(c, ended=("peer_lost", "retransmit_timeout"))


@scenario()
def recently_closed_with_data_in_flight(t):
    """Data that crosses a RST in flight gets another RST, which is not an event."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    s("rst = capture()")
    wire("w.set('hold', 'left')")
    c("for n in range(5): s.send(bytes(100))")
    wire("w.holding(1, 'left')")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    wire("w.release()")
    s("wait(lambda: 'out' in resets(rst), 'a RST of ours')")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), queued=500)


@scenario()
def stray_never_here(t):
    """Data for a connection that never was on this host, as of a NAT that has forgotten it: to a port without a socket,
    to a listener, and to the port of a connection of somebody else."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    nobody = s.local[1] - 1 if s.local[1] > 40000 else s.local[1] + 1
    for port in nobody, s.local[1]:
        # a client that believes in the connection: made by TCP_REPAIR, so that this host never saw a handshake
        client("x = bound(); option(x, TCP_REPAIR, 1); x.connect((THERE, port))", port=port)
        client("x.setsockopt(6, TCP_REPAIR_WINDOW, struct.pack('5I', 0, 65535, 65535, 65535, 0)); option(x, TCP_REPAIR, -1)")
        x = End(client, "client", "x")
        client("x.send(bytes(5))")
        t.expect(x, "peer_lost", "reset", "established", error=client.error("lost(x)"), unacked=5, role=Absent())
        t.no_connection(End(server, "server", local=x.peer, peer=x.local), process="socket_gone")
    c("s.send(b'alive')")
    t.premise(s("s.recv(5)") == b"alive", "the other connection lives")


@scenario(families=("ipv4",), own=True)
def recently_closed_beyond_capacity(t):
    """The memory is bounded: when more connections close than it holds, the owner of the first is unknown and that of
    the last known."""
    if KERNEL < (6, 10):
        t.skip("seen from 6.10 on")
    cpu = {min(os.sched_getaffinity(0))}
    client, server = t.pair()
    for host in client, server:
        os.sched_setaffinity(host.pid, cpu)  # the memory is split across CPUs
    agent = t.agent("--json")
    pairs = []
    server("l = listen(1024); kept = []")
    target = server("HERE, l.getsockname()[1]")

    def closed():
        client("s = tcp(); s.connect(target)", target=target)
        server("kept.append(l.accept()[0])")
        pairs.append((End(client, "client"), End(server, "server", **server("about(kept[-1])"))))
        client("s.close()")
        server("reached(kept[-1], 'close_wait')")

    closed()
    many = 2 * MEMORY  # not all are remembered: if both ends close at once, no data can follow
    server.start("for _ in range(%d): l.accept()[0].close()" % many)
    client("for _ in range(%d):\n s = tcp(); s.connect(target); s.close()" % many, target=target)
    server.finish()
    closed()
    for n, (c, s) in enumerate(pairs):
        c.ended()
        server("s = kept[n]; s.send(b'late')", n=n)
        t.expect(s, "peer_lost", "reset", "half_closed", error=server.error("lost(s)"), unacked=4)
        if n:
            t.late(c, state="time_wait")
        else:
            t.late(c, ended=None, state="time_wait", process="socket_gone")
    t.check(agent)
