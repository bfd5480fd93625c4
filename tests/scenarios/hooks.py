# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Events that only the two optional hooks show."""
from connect import no_port
from trial import Absent, End, Maybe, OneOf, scenario

own_agent = scenario(own=True)


def unsent(t, client, route, *errors):
    """An attempt that the routing table refuses: nothing is sent, and there may be no local address."""
    there = {"ipv4": "198.51.100.9", "ipv6": "2001:db8::9", "v4mapped": "::ffff:198.51.100.9"}[t.family]
    plain = there.replace("::ffff:", "")
    if route:
        client("command('ip', 'route', 'add', kind, to)", kind=route, to=plain)
    client("s = tcp()")
    c = End(client, "client", peer=(plain, 4242), cookie=client("about(s)['cookie']"))
    c.error_name = c.error("s.connect((there, 4242))", there=there)
    t.premise(c.error_name in errors, "connect gives %s" % c.error_name)
    c.local = (Maybe(client("plain(HERE)"), "::", "0.0.0.0"), Maybe(0))
    return c


@scenario()
def denied_unhooked(t):
    """Without --connect-hook there is no event."""
    client, server = t.pair()
    t.hidden(unsent(t, client, "prohibit", "EACCES"), "connect_failed", "denied")


@scenario()
def missing_route_unhooked(t):
    client, server = t.pair()
    t.hidden(unsent(t, client, None, "ENETUNREACH"), "connect_failed", "unreachable")


def hooked(t):
    client, server = t.pair()
    return client, server, t.agent("--json", "--all", "--connect-hook")


@own_agent
def denied_by_route(t):
    client, server, agent = hooked(t)
    c = unsent(t, client, "prohibit", "EACCES")
    t.expect(c, "connect_failed", "denied", "connecting", error=c.error_name, extra={"tcp.cookie": Maybe(c.cookie)})
    t.check(agent)


@own_agent
def denied_by_blackhole(t):
    client, server, agent = hooked(t)
    c = unsent(t, client, "blackhole", "EINVAL")
    t.expect(c, "connect_failed", "denied", "connecting", error=c.error_name, extra={"tcp.cookie": Maybe(c.cookie)})
    t.check(agent)


@own_agent
def missing_route(t):
    client, server, agent = hooked(t)
    c = unsent(t, client, None, "ENETUNREACH")
    t.expect(c, "connect_failed", "unreachable", "connecting", by="local", error=c.error_name,
             extra={"tcp.cookie": Maybe(c.cookie)})
    t.check(agent)


@own_agent
def no_port_hooked(t):
    client, server = t.pair()
    server("l = listen()")
    agent = t.agent("--json", "--all", "--connect-hook")
    c = no_port(client, server)
    t.expect(c, "connect_failed", "no_port", "connecting", error="EADDRNOTAVAIL",
             extra={"tcp.cookie": Maybe(c.cookie)})
    t.check(agent)


@own_agent
def hook_adds_no_other_event(t):
    """A failure that the states show too gives one event; a successful or foreign connect gives none."""
    client, server, agent = hooked(t)
    port = server("x = bound(); x.getsockname()[1]")
    client("s = bound()")
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), port)
    error = c.error("s.connect((THERE, port))", port=port)
    t.expect(c, "connect_failed", "refused", "connecting", error=error)
    t.listen(server)
    client("s = begin(target)", target=server("HERE, l.getsockname()[1]"))
    client("reached(s, 'established')")
    t.premise(client.error("s.connect(target); s.connect(target)") in (None, "EISCONN"), "a second connect")
    client("u = socket.socket(AF, socket.SOCK_DGRAM)")
    t.premise(client.error("socket.socket(socket.AF_UNIX).connect('/nonexistent')") == "ENOENT", "another family")
    t.premise(client.error("listen().connect((THERE, 5))") == "EISCONN", "a listener")
    t.check(agent)


@scenario(families=("ipv4",), own=True)
def worker_killed_before_search(t):
    """One of several workers accepts, loses its peer, and is killed before the agent searches for the owner."""
    client, master = t.pair()
    t.listen(master)
    workers = [master.fork(), master.fork()]
    agent = t.agent("--json", "--all", "--accept-hook")
    c = t.connect(client, master)
    s = t.accept(workers[1])
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", via=OneOf("accept", "closer", "holder"),
             extra={"process.exiting": Maybe(False), "process.exit.signal": Absent()})
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    workers[1].kill()
    t.check(agent)
