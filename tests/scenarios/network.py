# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hosts joined by veth pairs: directly, through a router, or through a wire that holds and forges frames."""
import socket

from host import Host

LINK = {
    "ipv4": ("10.0.%d.%d", "24"),
    "ipv6": ("fd00:%d::%d", "64"),
}


def address(family, net, number):
    """Of host `number` in net `net`, as an application of that family writes it."""
    if family == "v4mapped":
        return "::ffff:" + LINK["ipv4"][0] % (net, number)
    return LINK[family][0] % (net, number)


def link(near, far, net, near_name="eth0", far_name="eth0", near_number=1, far_number=2):
    """Join two hosts by a veth pair; the addresses of both versions end in their numbers."""
    near("command('ip', '-batch', '-', text=batch)",
         batch="link add name %s type veth peer name %s netns %d\n" % (near_name, far_name, far.pid))
    for host, name, number in ((near, near_name, near_number), (far, far_name, far_number)):
        # A scenario must get each ICMP error of its own.
        host("sysctl('ipv4/icmp_ratelimit', 0); sysctl('ipv6/icmp/ratelimit', 0)")
        lines = ["link set lo up"]
        if number:
            lines += ["addr add %s/%s dev %s" % (pattern % (net, number), bits, name)
                      for pattern, bits in LINK.values()]
            lines = [line + " nodad" if ":" in line else line for line in lines]
        host("command('ip', '-batch', '-', text=batch)", batch="\n".join(lines + ["link set %s up" % name]) + "\n")


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
    host("command('ip', 'link', 'set', 'lo', 'up')")
    own = {"ipv4": "127.0.0.1", "ipv6": "::1", "v4mapped": "::ffff:127.0.0.1"}[family]
    introduce(host, family, own, own)
    return host


def routed(family):
    """Two hosts with a router between them, for what only a router says."""
    client, server, router = Host("client"), Host("server"), Host("router")
    link(client, router, 1, far_name="left", far_number=254)
    link(server, router, 2, far_name="right", near_number=2, far_number=254)
    router("sysctl('ipv4/ip_forward', 1); sysctl('ipv6/conf/all/forwarding', 1)")
    for host, net in ((client, 1), (server, 2)):
        host("command('ip', '-batch', '-', text=batch)", batch="route add default via 10.0.%d.254\n"
             "route add default via fd00:%d::254\n" % (net, net))
    here, there = address(family, 1, 1), address(family, 2, 2)
    meet(family, client, server, here, there)
    return client, server, router


def wired(family):
    """Two hosts on one link that a third process carries frame by frame: see wire.py."""
    client, server, wire = Host("client"), Host("server"), Host("wire")
    link(client, wire, 1, far_name="left", far_number=None)
    link(server, wire, 1, far_name="right", near_number=2, far_number=None)
    wire("sysctl('ipv6/conf/all/disable_ipv6', 1)")
    wire("import wire; w = wire.Wire('left', 'right')")
    here, there = address(family, 1, 1), address(family, 1, 2)
    meet(family, client, server, here, there)
    return client, server, wire
