# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hosts joined by veth pairs: directly, through a router, or through a wire that holds and forges frames."""
import os
import socket

from host import Host



def plain(version, net, number):
    """The address of host `number` in net `net`. Nets differ between scenarios and runs: orphans of a removed namespace
    can end minutes later, when a new namespace has its inode."""
    net += os.getpid() * 4
    if version == "ipv4":
        return "10.%d.%d.%d" % (net >> 8 & 255, net & 255, number)
    return "fd00:%x::%d" % (net & 0xffff, number)


def address(family, net, number):
    """The same address in the notation of an application of that family."""
    return "::ffff:" + plain("ipv4", net, number) if family == "v4mapped" else plain(family, net, number)


def link(near, far, net, near_name="eth0", far_name="eth0", near_number=1, far_number=2):
    """Join two hosts by a veth pair; their IPv4 and IPv6 addresses end in their numbers."""
    near("netlink.veth(near, far, pid)", near=near_name, far=far_name, pid=far.pid)
    for host, name, number in ((near, near_name, near_number), (far, far_name, far_number)):
        addresses = [(plain("ipv4", net, number), 24), (plain("ipv6", net, number), 64)] if number else []
        host.addresses.update(address for address, _ in addresses)
        host(SET_UP, name=name, addresses=addresses)


# Without the rate limits every scenario gets its ICMP errors.
SET_UP = """sysctl('ipv4/icmp_ratelimit', 0); sysctl('ipv6/icmp/ratelimit', 0)
netlink.up('lo')
for plain_address, bits in addresses: netlink.address(name, plain_address, bits)
netlink.up(name)"""


def introduce(host, family, here, there):
    host("pass", AF=socket.AF_INET if family == "ipv4" else socket.AF_INET6, HERE=here, THERE=there,
         ANY="::" if family == "v4mapped" else here)


def meet(family, client, server, here, there):
    introduce(client, family, here, there)
    introduce(server, family, there, here)
    client("warm(THERE)")


def pair(family, names=("client", "server")):
    """Two hosts on one link."""
    client, server = (Host(name) for name in names)
    link(client, server, 1)
    here, there = address(family, 1, 1), address(family, 1, 2)
    meet(family, client, server, here, there)
    return client, server


def loopback(family, name="both"):
    host = Host(name)
    host("netlink.up('lo')")
    own = {"ipv4": "127.0.0.1", "ipv6": "::1", "v4mapped": "::ffff:127.0.0.1"}[family]
    introduce(host, family, own, own)
    return host


def routed(family):
    """Two hosts with a router between them, for ICMP errors that only a router sends."""
    client, server, router = Host("client"), Host("server"), Host("router")
    link(client, router, 1, far_name="left", far_number=254)
    link(server, router, 2, far_name="right", near_number=2, far_number=254)
    router("sysctl('ipv4/ip_forward', 1); sysctl('ipv6/conf/all/forwarding', 1)")
    for host, net in ((client, 1), (server, 2)):
        for version in "ipv4", "ipv6":
            host("netlink.default_route(gateway)", gateway=plain(version, net, 254))
    here, there = address(family, 1, 1), address(family, 2, 2)
    meet(family, client, server, here, there)
    return client, server, router


def wired(family):
    """Two hosts on one link that a third process forwards frame by frame: see wire.py."""
    client, server, wire = Host("client"), Host("server"), Host("wire")
    link(client, wire, 1, far_name="left", far_number=None)
    link(server, wire, 1, far_name="right", near_number=2, far_number=None)
    wire("sysctl('ipv6/conf/all/disable_ipv6', 1)")
    wire("import wire; w = wire.Wire('left', 'right')")
    here, there = address(family, 1, 1), address(family, 1, 2)
    meet(family, client, server, here, there)
    return client, server, wire
