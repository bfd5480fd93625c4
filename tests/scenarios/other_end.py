# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends on this host: each event names the process at the other end, never a wrong one."""
import time

import clock
import network
from host import Failed
from trial import Absent, End, Maybe, OneOf, one_family, own, scenario
from expect import Near

NOBODY = {"peer.process.pid": Absent(), "peer.process.name": Absent(), "peer.process.creation.time": Absent(),
          "peer.process.linux.cgroup": Absent()}


def first(end):
    """peer() for the event that comes first: on a slow machine the other end may be found too late for it."""
    return peer(end, maybe=clock.SLOW > 1)


def peer(end, maybe=False, exiting=None):
    """The fields that an event has about the process at its other end. exiting: the signal that ended it, or True."""
    who = end.host.process
    fields = {"peer.process.pid": who.pid, "peer.process.name": who.name.decode(),
              "peer.process.creation.time": Near(who.created), "peer.process.user.id": who.uid,
              "peer.process.linux.cgroup": Maybe(*who.cgroups),
              "peer.process.exiting": True if exiting else Absent(),
              "peer.process.exit.signal": exiting if isinstance(exiting, str) else Absent()}
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


def born_at_once(t):
    """Two connections in four namespaces with the same addresses and ports, made within 4 ms of each other, so that
    their sequence numbers are near each other too."""
    for _ in range(20):
        hosts = [network.pair(t.family, names) for names in (("client", "server"), ("twin", "nitwit"))]
        for client, server in hosts:
            server("l = listen(port=7777)")
            client("s = tcp(); s.bind((HERE, 7778))")
        at = time.monotonic() + 0.1
        for client, server in hosts:
            client.start("while time.monotonic() < at: pass\nbegan = time.monotonic(); s.connect(SERVER)\n"
                         "began, time.monotonic()", at=at, SERVER=server("HERE, l.getsockname()[1]"))
        times = [moment for client, _ in hosts for moment in client.finish()]
        if max(times) - min(times) < 0.004:
            break
        for host in hosts[0] + hosts[1]:
            host.kill()
    t.premise(max(times) - min(times) < 0.004, "connections within 4 ms of each other")
    t.hosts += hosts[0] + hosts[1]
    return [(End(client, "client"), t.accept(server)) for client, server in hosts]


@scenario(families=("ipv4", "ipv6"))
def other_end_of_twins_born_at_once(t):
    """The other stack's end is over and remembered when this one's lives on."""
    (c, s), (twin, nitwit) = born_at_once(t)
    t.premise(c.local == twin.local and c.peer == twin.peer, "the same addresses")
    nitwit("s.close()")
    twin("reached(s, 'close_wait'); s.close()")
    t.expect(nitwit, "local_closed", "close", "orphaned", extra=first(twin))
    t.expect(twin, "peer_closed", "fin", "established", extra=first(nitwit))
    t.settle()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established", extra=first(s))
    t.settle()
    s("s.close()")
    t.expect(s, "local_closed", "close", "orphaned", extra=first(c))


@one_family
def other_end_behind_nat(t):
    """A rule sends the client to another port, and the server sees another client."""
    client, server = t.pair()
    try:
        client("command('nft', '-f', '-', text=rules)", rules=NAT % ("postrouting", 100, "masquerade to :7775"))
        server("command('nft', '-f', '-', text=rules)", rules=NAT % ("prerouting", -100, "redirect to :7777"))
    except Failed as e:
        t.skip("no NAT here: %s" % e)
    server("l = listen(port=7777)")
    client("s = tcp(); s.connect((THERE, 7776))")
    c, s = End(client, "client"), t.accept(server)
    t.premise(c.peer[1] == 7776 and s.local[1] == 7777 and s.peer[1] == 7775, "another port at each end")
    reset(t, c, s)


NAT = """add table ip n
add chain ip n c { type nat hook %s priority %d; }
add rule ip n c tcp dport 7776 %s"""


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


def killed(t, c, s):
    """A server that has read everything is killed: an orderly end. Its client writes later and gets a RST."""
    c("s.send(b'read')")
    s("s.recv(4)")
    s.host.kill_alone()
    c("reached(s, 'close_wait')")
    t.settle()
    c("s.send(b'late')")


@scenario(families=("ipv4", "ipv6"), own=True)
def other_end_killed_unasked(t):
    """Nobody asks for the orderly end of the server, and the event of its client names it."""
    agent = t.agent("--json")
    c, s = t.connection()
    killed(t, c, s)
    t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), unacked=4,
             extra=peer(s, exiting="SIGKILL"))
    t.late(s, state="time_wait", exiting="SIGKILL")
    t.check(agent)


@scenario(families=("ipv4", "ipv6"), own=True)
def other_end_killed_older(t):
    """The same for a connection that is older than the agent."""
    c, s = t.connection()
    agent = t.agent("--json")
    killed(t, c, s)
    t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), unacked=4, role=Absent(),
             via=OneOf("seed", "holder"), extra=dict(peer(s, exiting="SIGKILL"), **{"tcp.bytes_sent": Absent()}))
    t.late(s, state="time_wait", exiting="SIGKILL", role=Absent())
    t.check(agent)


@scenario(families=("ipv4",), own=True)
def other_end_of_a_killed_crowd(t):
    """A server with many connections is killed: each client names it, whatever classes of events are asked for."""
    agents = {events: t.agent("--json", *(word for event in events for word in ("--event", event)))
              for events in (("peer_closed",), ("peer_lost",), ("peer_closed", "local_closed", "peer_lost"))}
    client, server = t.pair()
    n = t.many(200)
    server("l = listen(1024)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target); s.send(b'read')", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: s.recv(4)", n=n)
    clients, servers = ([End(host, role, **facts) for facts in host("list(map(about, all))")]
                        for host, role in ((client, "client"), (server, "server")))
    server.kill_alone()
    client("for s in all: reached(s, 'close_wait')")
    t.settle()
    client("for s in all: s.send(b'late')\nfor s in all: reached(s, 'close')")
    t.finish()
    problems = []
    for events, agent in agents.items():
        agent.stop()
        mine = [e for e in own(agent.events, t.namespaces(), t.until) if e["network.netns"] == client.netns]
        for event in "peer_closed", "peer_lost":
            named = [e for e in mine if e["event"] == event and e.get("peer.process.pid") == server.pid]
            if event in events and len(named) != n:
                problems.append("asked for %s: %d of %d %s name their peer" % (", ".join(events), len(named), n, event))
        problems += ["named %r" % e for e in mine if e.get("peer.process.pid") not in (None, server.pid)]
    assert not problems, "\n".join(problems)


@scenario(families=("ipv4",), own=True)
def other_end_of_an_orderly_end_alone(t):
    """Only one of the two orderly ends of a connection is asked for."""
    agents = {event: t.agent("--json", "--event", event) for event in ("local_closed", "peer_closed")}
    client, server = t.pair()
    server("l = listen()")
    for _ in range(10):
        c = t.connect(client, server)
        s = t.accept(server)
        c("s.close()")
        s("reached(s, 'close_wait'); s.close()")
        c.ended()
        s.ended()
    t.finish()
    for event, agent in agents.items():
        agent.stop()
        host, other = (client, server) if event == "local_closed" else (server, client)
        names = [e.get("peer.process.pid") for e in own(agent.events, t.namespaces(), t.until)]
        assert names == [other.pid] * 10, (event, names, other.pid)


@scenario(families=("ipv4",), own=True)
def other_end_exits_unasked(t):
    """Only the reset is asked for; the process that gets it exits at once."""
    agent = t.agent("--json", "--event", "local_reset")
    client, server = t.pair()
    t.listen(client)
    for _ in range(10):
        c = t.connect(server, client)
        s = t.accept(client)
        s.host = client.fork()
        client("s.close()")
        s.host.start("try: s.recv(1)\nfinally: os._exit(0)")
        c("linger(s); s.close()")
        t.expect(c, "local_reset", "linger", "established", extra=first(s))
    t.check(agent)


@scenario(families=("ipv4", "ipv6"), own=True)
def other_end_destroyed_unasked(t):
    """The sockets that sent the RSTs are over, and their process keeps them."""
    agent = t.agent("--json", "--event", "peer_lost")
    for _ in range(10):
        c, s = t.connection()
        s("kill_sockets('sport', '=', str(s.getsockname()[1]))")
        t.expect(c, "peer_lost", "reset", "established", error=c.error())
    t.check(agent)
