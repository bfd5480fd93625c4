# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends on this host: each event names the process at the other end, never a wrong one."""
import clock
import network
from trial import Absent, End, OneOf, one_family, scenario
from expect import Near

NOBODY = {"peer.process.pid": Absent(), "peer.process.name": Absent(), "peer.process.creation.time": Absent()}


def first(end):
    """peer() for the event that comes first: on a slow machine the other end may be found too late for it."""
    return peer(end, maybe=clock.SLOW > 1)


def peer(end, maybe=False):
    """The fields that an event has about the process at its other end."""
    who = end.host.process
    fields = {"peer.process.pid": who.pid, "peer.process.name": who.name.decode(),
              "peer.process.creation.time": Near(who.created)}
    return {name: OneOf(None, value) for name, value in fields.items()} if maybe else fields


def neighbours(t):
    """Two processes in one namespace, connected over loopback."""
    server = t.loopback()
    server("pass")
    return t.beside(server, "neighbour"), server


def reset(t, c, s):
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", extra=first(c))
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@scenario()
def other_end_on_loopback(t):
    reset(t, *t.connection(*neighbours(t)))


@scenario()
def other_end_in_two_namespaces(t):
    reset(t, *t.connection(*t.pair()))


@one_family
def other_end_on_own_address(t):
    """A connection to an address of the same namespace that is not a loopback address."""
    client, server = t.pair()
    other = t.beside(server, "neighbour")
    reset(t, *t.connection(other, server))


@one_family
def other_end_of_one_process(t):
    host = t.loopback()
    host("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]")
    c, s = End(host, "client"), End(host, "server", name="d")
    s("linger(d); d.close()")
    t.expect(s, "local_reset", "linger", "established", extra=first(c))
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@one_family
def other_end_far_away(t):
    """The RST is delayed: the first event is written before it arrives, and the second still names the first end."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.set('hold', 'right')")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", extra=peer(c, maybe=True))
    wire("w.holding(1, 'right')")
    t.settle()
    wire("w.release()")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@one_family
def other_end_closed(t):
    """The other end has closed and its socket is gone; data that we send then gets a RST."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    s("s.close()")
    t.expect(s, "local_closed", "close", "orphaned", extra=first(c))
    s.ended()
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established", extra=peer(s))
    t.settle()
    c("s.send(b'late')")
    t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), unacked=4, extra=peer(s))
    t.late(s, state="time_wait")


@one_family
def other_end_alive(t):
    """The other end does not notice the loss: its socket is alive and can be found."""
    c, s = t.connection(*neighbours(t))
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 1000); s.send(b'lost')")
    error = c.error()
    t.expect(c, "peer_lost", "user_timeout", "established", error=error, unacked=4, extra=first(s))
    # The tear-down resets the other end: close the books first.
    t.finish()


@one_family
def other_end_alive_without_descriptor(t):
    c, s = t.connection(*neighbours(t))
    s("drop(s); s.close()")
    s.comes_to("fin_wait_1")
    t.expect(c, "peer_closed", "fin", "established", extra=peer(s, maybe=True))
    t.settle()
    c("option(s, TCP_USER_TIMEOUT, 1000); s.send(b'lost')")
    error = c.error("lost(s)")
    t.expect(c, "peer_lost", "user_timeout", "half_closed", error=error, unacked=4, extra=first(s))
    t.finish()


@one_family
def other_end_unaccepted(t):
    """The listener is the other end of a connection in its accept queue."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    server("l.close()")
    t.expect(s, "local_reset", "listener_closed", "unaccepted", extra=first(c))
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@one_family
def other_end_of_twins(t):
    """Two connections in four namespaces have the same addresses and ports and end at once."""
    pairs = []
    for names in (("client", "server"), ("twin", "nitwit")):
        client, server = network.pair("ipv4", names)
        t.hosts += [client, server]
        server("l = listen(port=7777)")
        client("s = tcp(); s.bind((HERE, 7778)); s.connect(SERVER)", SERVER=server("HERE, 7777"))
        pairs.append((End(client, "client"), t.accept(server)))
    t.premise(pairs[0][0].local == pairs[1][0].local, "the same addresses")
    for _, s in pairs:
        s.host.start("linger(s); s.close()")
    for c, s in pairs:
        s.host.finish()
        t.expect(s, "local_reset", "linger", "established", extra=first(c))
        t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@one_family
def other_end_refused(t):
    """A refused connection has no other end."""
    client, server = t.pair()
    client("s = bound()")
    c = End(client, "client")
    error = client.error("s.connect((THERE, 9))")
    c.peer = (server("HERE"), 9)
    t.expect(c, "connect_failed", "refused", "connecting", error=error, extra=NOBODY)


@scenario(families=("ipv4",), own=True)
def other_end_filtered(t):
    """An end whose own event is filtered out is still named as the other end."""
    c, s = t.connection(*t.pair())
    agent = t.agent("--json", "--event", "peer_lost")
    s("linger(s); s.close()")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), role=Absent(), via=OneOf("seed", "holder"),
             extra=peer(s))
    t.check(agent)
