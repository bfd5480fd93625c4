# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends on this host: each event names the process at the other end, and never a wrong one."""
import clock
import network
from trial import Absent, End, OneOf, one_family, scenario
from expect import Near

NOBODY = {"peer.process.pid": Absent(), "peer.process.name": Absent(), "peer.process.creation.time": Absent()}


def first(end):
    """The same in the event that comes first, or alone: where all is slow the other end is found too late for it."""
    return peer(end, maybe=clock.SLOW > 1)


def peer(end, maybe=False):
    """What an event must say of the process at its other end."""
    who = end.host.process
    fields = {"peer.process.pid": who.pid, "peer.process.name": who.name.decode(),
              "peer.process.creation.time": Near(who.created)}
    return {name: OneOf(None, value) for name, value in fields.items()} if maybe else fields


def neighbours(t):
    """Two processes in one namespace, joined by its loopback."""
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
    """No loopback address, and yet it never leaves the namespace."""
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
    """The RST takes its time: the other end is told before it comes, and remembered."""
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
    """The other end closed, and its socket is gone; what we send then is reset."""
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
    """The other end knows nothing of it: its socket lives, and is found."""
    c, s = t.connection(*neighbours(t))
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 1000); s.send(b'lost')")
    error = c.error()
    t.expect(c, "peer_lost", "user_timeout", "established", error=error, unacked=4, extra=first(s))
    # It is reset when we are gone and it says something.
    t.finish()


@one_family
def other_end_alive_without_descriptor(t):
    """The other end is an orphan."""
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
    """Who listens is the other end of who waits in its queue."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    server("l.close()")
    t.expect(s, "local_reset", "listener_closed", "unaccepted", extra=first(c))
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))


@one_family
def other_end_of_twins(t):
    """Two connections with the same addresses and ports in four namespaces, which end at once."""
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
    """There is no connection, so there is no other end."""
    client, server = t.pair()
    client("s = bound()")
    c = End(client, "client")
    error = client.error("s.connect((THERE, 9))")
    c.peer = (server("HERE"), 9)
    t.expect(c, "connect_failed", "refused", "connecting", error=error, extra=NOBODY)


@scenario(families=("ipv4",), own=True)
def other_end_filtered(t):
    """What is not shown is still an other end."""
    c, s = t.connection(*t.pair())
    agent = t.agent("--json", "--event", "peer_lost")
    s("linger(s); s.close()")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), role=Absent(), via=OneOf("seed", "holder"),
             extra=peer(s))
    t.check(agent)
