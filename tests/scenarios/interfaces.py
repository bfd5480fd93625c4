# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections of one address pair on several links: the interface tells them apart."""
import json
import subprocess

import network
from agent import PROGRAM
from host import Failed, Host
from other_end import first, peer
from trial import Absent, End, one_family, own, scenario

LINKS = ("one", "two")
LINK_LOCAL = """for name in names:
 sysctl('ipv6/conf/%s/addr_gen_mode' % name, 1)
 netlink.address(name, plain_address, 64)
 netlink.up(name)"""


def linked(t, here="fe80::1", there="fe80::2"):
    """Two hosts with two links between them, and the same pair of link-local addresses on each."""
    client, server = Host("client"), Host("server")
    t.hosts += [client, server]
    for name in LINKS:
        client("netlink.veth(near, far, pid)", near=name, far=name, pid=server.pid)
    for host, address in (client, here), (server, there):
        host(LINK_LOCAL, names=LINKS, plain_address=address)
        host.addresses.update("%s%%%s" % (address, name) for name in LINKS)
        network.introduce(host, "ipv6", here if host is client else there, there if host is client else here)
    return client, server


def connected(t, client, server, link, port=7777):
    """A connection over that link, of processes of its own."""
    one, other = t.beside(client, "client-" + link), t.beside(server, "server-" + link)
    other("""l = tcp(); l.bind(('fe80::2', port, 0, socket.if_nametoindex(link))); l.listen()""", port=port, link=link)
    one("""s = tcp(); s.bind(('fe80::1', port + 1, 0, socket.if_nametoindex(link)))
wait(lambda: not s.connect_ex(('fe80::2', port, 0, socket.if_nametoindex(link))), 'a connection')""",
        port=port, link=link)
    c, s = End(one, "client"), t.accept(other)
    for end in c, s:
        end.local, end.peer = (("%s%%%s" % (address.split("%")[0], link), number)
                               for address, number in (end.local, end.peer))
    return c, s


def fields(host, link):
    return {"network.interface.name": link, "network.interface.index": host("socket.if_nametoindex(link)", link=link)}


ipv6 = scenario(families=("ipv6",))


@ipv6
def interfaces_of_twins(t):
    """The same addresses and ports on two links. One connection ends and is remembered; then the other one."""
    client, server = linked(t)
    ends = [connected(t, client, server, link) for link in LINKS]
    for link, (c, s) in zip(LINKS, ends):
        s("s.close()")
        c("reached(s, 'close_wait'); s.close()")
        t.expect(s, "local_closed", "close", "orphaned", extra=dict(first(c), **fields(server, link)))
        t.expect(c, "peer_closed", "fin", "established", extra=dict(first(s), **fields(client, link)))
        t.settle()


@ipv6
def interfaces_reset(t):
    """The names are those of the event's network namespace."""
    client, server = linked(t)
    for link in LINKS:
        c, s = connected(t, client, server, link)
        s("linger(s); s.close()")
        t.expect(s, "local_reset", "linger", "established", extra=dict(first(c), **fields(server, link)))
        t.expect(c, "peer_lost", "reset", "established", error=c.error(),
                 extra=dict(peer(s), **fields(client, link)))


@ipv6
def interfaces_late_data(t):
    """Both connections are closed; data comes for one of them, whose owner is named, not the other's."""
    client, server = linked(t)
    ends = [connected(t, client, server, link) for link in LINKS]
    for link, (c, s) in zip(LINKS, ends):
        s("s.close()")
        c("reached(s, 'close_wait')")
        t.expect(s, "local_closed", "close", "orphaned", extra=fields(server, link))
        t.expect(c, "peer_closed", "fin", "established", extra=fields(client, link))
    t.settle()
    for c, s in ends:
        c("s.send(b'late')")
        t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), unacked=4, extra=peer(s))
        t.late(s, state="time_wait")


@scenario(families=("ipv6",), own=True)
def interfaces_in_filters(t):
    """--peer with a zone, in watch and check."""
    client, server = linked(t)
    ends = [connected(t, client, server, link) for link in LINKS]
    for link, (c, s) in zip(LINKS, ends):
        index = client("socket.if_nametoindex(link)", link=link)
        for zone, found in (link, 1), (str(index), 1), ("nolink", 0):
            done = subprocess.run([PROGRAM, "check", "--json", "--pid", str(c.host.pid), "--peer", "fe80::2%" + zone],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            looks = [json.loads(line) for line in done.stdout.splitlines()]
            assert len(looks) == found, (link, zone, looks, done.stderr)
            for look in looks:
                assert look["network.peer.address"] == "fe80::2%" + link and look["network.interface.name"] == link, look
    agent = t.agent("--json", "--event", "peer_lost", "--peer", "fe80::2%two")
    for c, s in ends:
        s("linger(s); s.close()")
        c("reached(s, 'close')")
    t.finish()
    agent.stop()
    addresses = [e["network.peer.address"] for e in own(agent.events, t.namespaces(), t.until)]
    assert addresses == ["fe80::2%two"], addresses


@one_family
def interfaces_bound(t):
    """The socket of an IPv4 connection is bound to an interface."""
    client, server = t.pair()
    t.listen(server)
    client("s = tcp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0'); s.connect(SERVER)",
           SERVER=server("HERE, l.getsockname()[1]"))
    c, s = End(client, "client"), t.accept(server)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", extra={"network.interface.name": Absent()})
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=dict(peer(s), **fields(client, "eth0")))


VRFS = """for number, name in enumerate(names):
 command('ip', 'link', 'add', 'vrf-' + name, 'type', 'vrf', 'table', str(100 + number))
 netlink.up('vrf-' + name)
 command('ip', 'link', 'set', name, 'master', 'vrf-' + name)
 netlink.address(name, HERE, 24)
 netlink.up(name)"""
BOUND = "s = tcp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'vrf-' + link); s.bind((HERE, port))\n"


@one_family
def interfaces_of_vrfs(t):
    """Two VRFs have the same addresses, and each a connection with the same ports."""
    client, server = Host("client"), Host("server")
    t.hosts += [client, server]
    for name in LINKS:
        client("netlink.veth(near, far, pid)", near=name, far=name, pid=server.pid)
    here, there = network.plain("ipv4", 1, 1), network.plain("ipv4", 1, 2)
    for host, mine, other in (client, here, there), (server, there, here):
        network.introduce(host, "ipv4", mine, other)
        host.addresses.add(mine)
        try:
            host(VRFS, names=LINKS)
        except Failed as e:
            t.skip("no VRF here: %s" % str(e).strip().splitlines()[-1])
    ends = []
    for link in LINKS:
        one, other = t.beside(client, "client-" + link), t.beside(server, "server-" + link)
        other(BOUND + "l = s; l.listen()", link=link.encode(), port=7777)
        one(BOUND + "wait(lambda: not s.connect_ex((THERE, 7777)), 'a connection')", link=link.encode(), port=7778)
        ends.append((End(one, "client"), t.accept(other)))
    for link, (c, s) in zip(LINKS, ends):
        s("linger(s); s.close()")
        t.expect(s, "local_reset", "linger", "established", extra=dict(first(c), **fields(server, "vrf-" + link)))
        t.expect(c, "peer_lost", "reset", "established", error=c.error(),
                 extra=dict(peer(s), **fields(client, "vrf-" + link)))
