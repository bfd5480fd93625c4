# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Attempts to connect that fail, as the shared agent sees them."""
from trial import KERNEL, AtLeast, End, Maybe, OneOf, scenario

# An attempt that no other one of the process beat to that port (races.py has those).
HEALTHY = "notice"


def doubt(t, sent_again=False):
    """The `ambiguous` field of `abandoned` where an ICMP error may hide behind it. Before 5.14 nothing shows an error
    that the application took by SO_ERROR; over IPv6 nothing shows one until a second SYN brings another."""
    return ["unreachable"] if KERNEL < (5, 14) or t.family == "ipv6" and not sent_again else None


def attempt(client, server, port=None, there=None):
    """A bound socket `s` and its target: the facts about an attempt that are known before it fails."""
    there = there or server("HERE")
    port = port or server("l = bound(); l.getsockname()[1]")
    client("s = bound(); target = (there, port)", there=there, port=port)
    c = End(client, "client")
    c.peer = (client("plain(there)"), port)
    return c


def refuse(t, client, server):
    c = attempt(client, server)
    server("rst = capture()")
    error = c.error("s.connect(target)")
    t.premise(server("resets(rst)") == ["out"], "the server's host answers the SYN with a RST")
    t.premise(error == "ECONNREFUSED", error)
    t.expect(c, "connect_failed", "refused", "connecting", error=error, state="syn_sent")


@scenario()
def refused(t):
    refuse(t, *t.pair())


@scenario()
def refused_by_firewall(t):
    client, server = t.pair()
    server("nft('input tcp flags syn reject with tcp reset')")
    refuse(t, client, server)


@scenario()
def refused_unbound(t):
    """The kernel chooses the port and frees it at once: only a capture still shows it."""
    client, server = t.pair()
    port = server("l = bound(); l.getsockname()[1]")
    client("wire = capture(); s = tcp()")
    error = client.error("s.connect((THERE, port))", port=port)
    ports = client("[ports for way, ports, flags, _ in segments(wire, 2) if way == 'out']")
    c = End(client, "client", local=(client("plain(HERE)"), ports[0][0]), peer=(server("plain(HERE)"), port))
    t.expect(c, "connect_failed", "refused", "connecting", error=error)


@scenario()
def refused_then_connected(t):
    """One socket, two attempts: the second is a new connection with an end of its own."""
    client, server = t.pair()
    c = attempt(client, server)
    error = c.error("s.connect(target)")
    t.expect(c, "connect_failed", "refused", "connecting", error=error)
    server("l.listen(1)")
    client("s.connect(target)")
    c = End(client, "client")
    s = t.accept(server)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def connect_timeout(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    c = attempt(client, server, port)
    c("option(s, TCP_SYNCNT, 1)")
    t.expect(c, "connect_failed", "timeout", "connecting", error=c.error("s.connect(target)"), state="syn_sent",
             extra={"tcp.retransmits": AtLeast(1), "tcp.duration_ms": AtLeast(1000)})


@scenario()
def connect_user_timeout(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    c = attempt(client, server, port)
    c("option(s, TCP_USER_TIMEOUT, 900)")
    t.expect(c, "connect_failed", "timeout", "connecting", error=c.error("s.connect(target)"))


def unreachable(t, c, *errors):
    client = c.host
    client("rst = capture()")
    error = c.error("s.connect(target)")
    t.premise(error in errors, "connect gives %s" % error)
    t.premise(client("resets(rst)") == [], "no RST")
    t.expect(c, "connect_failed", "unreachable", "connecting", error=error, state="syn_sent")


@scenario()
def unreachable_host(t):
    client, server, router = t.routed()
    router("nft('forward tcp flags syn reject with icmpx type host-unreachable')")
    unreachable(t, attempt(client, server), "EHOSTUNREACH")


@scenario()
def unreachable_port(t):
    """ECONNREFUSED from ICMP, without a RST, is not `refused`."""
    client, server = t.pair()
    server("nft('input tcp flags syn reject with icmpx type port-unreachable')")
    unreachable(t, attempt(client, server), "ECONNREFUSED")


@scenario()
def unreachable_prohibited(t):
    client, server, router = t.routed()
    router("nft('forward tcp flags syn reject with icmpx type admin-prohibited')")
    unreachable(t, attempt(client, server), "EHOSTUNREACH", "EACCES")


@scenario()
def unreachable_net(t):
    client, server, router = t.routed()
    router("for v in '-4', '-6': command('ip', v, 'route', 'flush', 'dev', 'right')")
    unreachable(t, attempt(client, server), "ENETUNREACH", "EHOSTUNREACH")


@scenario()
def unreachable_neighbour(t):
    client, server = t.pair()
    client("sysctl('ipv4/neigh/eth0/retrans_time_ms', 100); sysctl('ipv6/neigh/eth0/retrans_time_ms', 100)")
    there = server("HERE")[:-1] + "77"
    unreachable(t, attempt(client, server, 7777, there), "EHOSTUNREACH")


@scenario()
def unreachable_error_read_early(t):
    """The application reads SO_ERROR, which clears the ICMP error, and closes a socket that looks healthy."""
    client, server, router = t.routed()
    router("nft('forward tcp flags syn reject with icmpx type host-unreachable')")
    c = attempt(client, server)
    c("begin(target, s)")
    code = c("wait(lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 'SO_ERROR')")
    still = c("state(s)")
    if still != "syn_sent":
        t.skip("the error was stored for good before it could be read")
    c("s.close()")
    if doubt(t):
        t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t),
                 really="connect_failed/unreachable")
    else:
        t.expect(c, "connect_failed", "unreachable", "connecting", error=Maybe(c("errno.errorcode[%d]" % code)),
                 via=OneOf("closer", "connect"))


def begun(t):
    """An attempt that nobody answers."""
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    c = attempt(client, server, port)
    c("begin(target, s)")
    return c


@scenario()
def abandoned_by_close(t):
    c = begun(t)
    sent = c("n = retransmits(s); s.close(); n")
    t.premise(sent == 0, "no SYN was sent again yet")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, state="syn_sent", ambiguous=doubt(t))


@scenario()
def abandoned_by_close_later(t):
    c = begun(t)
    c("wait(lambda: retransmits(s) > 0, 'a second SYN'); s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity="notice", ambiguous=doubt(t, True),
             extra={"tcp.retransmits": AtLeast(1)})


@scenario()
def abandoned_by_disconnect(t):
    c = begun(t)
    c("disconnect(s)")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))


@scenario()
def abandoned_by_own_timeout(t):
    """A blocking connect with SO_SNDTIMEO returns EINPROGRESS; only the close abandons the attempt."""
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    c = attempt(client, server, port)
    c("s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('@ll', 0, 200000))")
    t.premise(c.error("s.connect(target)") == "EINPROGRESS", "SO_SNDTIMEO")
    c("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))


@scenario()
def abandoned_by_kill(t):
    c = begun(t)
    c.host.kill()
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, exiting="SIGKILL",
             ambiguous=doubt(t))


@scenario()
def destroyed_connecting(t):
    c = begun(t)
    c("kill_sockets('sport', '=', str(s.getsockname()[1]))")
    error = c.error()
    t.premise(error == "ECONNABORTED", error)
    t.expect(c, "connect_failed", "destroyed", "connecting", error=error, state="syn_sent")


@scenario()
def no_port_unhooked(t):
    """Without --connect-hook the event is optional, but it must not come as anything else."""
    client, server = t.pair()
    server("l = listen()")
    c = no_port(client, server)
    t.expect(c, "connect_failed", "no_port", "connecting", error=Maybe("EADDRNOTAVAIL"), optional=True)


def no_port(client, server):
    """A range of two local ports, both already connected to the same peer."""
    target = (server("HERE"), server("l.getsockname()[1]"))
    client("sysctl('ipv4/ip_local_port_range', '40000 40001'); taken = [tcp(), tcp()]")
    client("for s in taken: s.connect(target)\ns = tcp()", target=target)
    error = client.error("s.connect(target)")
    assert error == "EADDRNOTAVAIL", error
    c = End(client, "client", peer=(server("plain(HERE)"), target[1]), cookie=client("about(s)['cookie']"))
    # Nothing was sent: the port is unknown, and the address may be too.
    c.local = (Maybe(client("plain(HERE)")), Maybe(0))
    return c
