# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TCP Fast Open and simultaneous open: data in the SYN, and full sockets in SYN_RECV."""
from connect import HEALTHY, doubt
from trial import AtLeast, End, Maybe, OneOf, scenario

# Client and server, both without a cookie.
ENABLE = "sysctls(fastopen=0x207, fastopen_blackhole_timeout_sec=0)"


def quick(t, pair):
    """Two hosts that accept data in the SYN; the client has a bound socket."""
    client, server = pair
    client(ENABLE)
    server(ENABLE)
    client("s = bound(); s.setblocking(False)")
    server("l = listen(); option(l, TCP_FASTOPEN, 5)")
    return client, server


def send_first(t, client, server):
    """Send 100 bytes in the SYN."""
    target = server("HERE, l.getsockname()[1]")
    error = client.error("s.sendto(bytes(100), MSG_FASTOPEN, target)", target=target)
    t.premise(error in (None, "EINPROGRESS"), error)
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), target[1])
    return c


def half_open(t):
    """The server has the data and a full socket, but its SYN-ACK is lost."""
    client, server, wire = t.wired()
    quick(t, (client, server))
    wire("w.set('cut', 'right')")
    c = send_first(t, client, server)
    server("wait(lambda: entry(%d, %d) == 'syn_received', 'the child')" % (c.peer[1], c.local[1]))
    s = End(server, "server", local=c.peer, peer=c.local)
    return c, s, wire


def give_up(t, c):
    t.premise(c("was = state(s); s.close(); was") == "syn_sent", "it connects still")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, unacked=100,
             ambiguous=doubt(t))


@scenario()
def fastopen_close(t):
    client, server = quick(t, t.pair())
    c = send_first(t, client, server)
    s = t.accept(server)
    s("s.recv(100, socket.MSG_WAITALL)")
    c("reached(s, 'established'); s.close()")
    s("reached(s, 'close_wait'); s.close()")
    t.expect(s, "peer_closed", "fin", "established", extra={"tcp.bytes_received": Maybe(100)})
    t.expect(c, "local_closed", "close", "orphaned", extra={"tcp.bytes_sent": Maybe(100)})
    s.ended()
    c.ended()


@scenario()
def fastopen_refused(t):
    client, server = quick(t, t.pair())
    server("port = l.getsockname()[1]; l.close()")
    client("s.setblocking(True)")
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), server("port"))
    error = client.error("s.sendto(bytes(100), MSG_FASTOPEN, target)", target=server("HERE, port"))
    t.premise(error == "ECONNREFUSED", error)
    t.expect(c, "connect_failed", "refused", "connecting", error=error, unacked=100)


@scenario()
def fastopen_reset_unaccepted(t):
    c, s, wire = half_open(t)
    wire("w.forge('left', wire.RST)")
    s.ended()
    s("s = l.accept()[0]")
    t.premise(s("s.recv(200)") == bytes(100), "the data of the SYN")
    t.expect(s, "peer_lost", "reset", "unaccepted", error=s.error("s.recv(1)"), unread=100, state="syn_received")
    give_up(t, c)


@scenario()
def fastopen_reset_accepted(t):
    c, s, wire = half_open(t)
    s = t.accept(s.host)
    wire("w.forge('left', wire.RST)")
    t.expect(s, "peer_lost", "reset", "connecting", error=s.error(), unread=100, state="syn_received")
    give_up(t, c)


@scenario()
def fastopen_timeout_accepted(t):
    """The server accepts, but its SYN-ACK is never answered."""
    c, s, wire = half_open(t)
    s.host("sysctls(synack_retries=1)")
    s = t.accept(s.host)
    wire("w.set('cut')")
    error = s.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(s, "peer_lost", "retransmit_timeout", "connecting", error=error, unread=100, state="syn_received",
             extra={"tcp.retransmits": Maybe(AtLeast(1))})
    c("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity="notice", unacked=100,
             ambiguous=doubt(t, True))


def crossing(t):
    """Both ends connect to each other at once; the wire holds their SYNs."""
    client, server, wire = t.wired()
    wire("w.set('hold')")
    for host in client, server:
        host("s = bound()")
    c, s = End(client, "client"), End(server, "client")
    for end, other in (c, s), (s, c):
        end("begin((THERE, port), s)", port=other.local[1])
        end.peer = other.local
    wire("w.holding(1, 'left'); w.holding(1, 'right')")
    return c, s, wire


@scenario()
def simultaneous_open_close(t):
    c, s, wire = crossing(t)
    wire("w.release()")
    for end in c, s:
        end("reached(s, 'established')")
    c("s.close()")
    s("reached(s, 'close_wait'); s.close()")
    t.expect(s, "peer_closed", "fin", "established")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")


@scenario()
def simultaneous_open_reset(t):
    """Both ends have the other's SYN and are in SYN_RECV; a RST comes instead of the SYN-ACK."""
    c, s, wire = crossing(t)
    wire("w.set('cut'); [w.put(side, frame) for side, frame in w.held]")
    c("reached(s, 'syn_received')")
    wire("w.forge('right', wire.RST)")
    # The other end lives on; who sent the RST is not known, if a walk finds that in time.
    t.expect(c, "peer_lost", "reset", "connecting", by=OneOf(None, "peer"), error=c.error(), state="syn_received")
    s("reached(s, 'syn_received'); s.close()")
    # The contract allows either event for a close in SYN_RECV.
    for event, cause in ("local_closed", "close"), ("connect_failed", "abandoned"):
        t.perhaps(s, event, cause)
