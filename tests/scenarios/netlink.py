# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The few rtnetlink(7) requests that make the test networks. ip(8) would take most of the suite's time where processes
start slowly."""
import os
import socket
import struct

NETLINK_ROUTE = 0
NLMSG_ERROR = 2
RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 20, 24
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
IFLA_IFNAME, IFLA_LINKINFO, IFLA_NET_NS_PID = 3, 18, 19
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_NODAD = 2
RTA_GATEWAY = 5
RT_TABLE_MAIN, RTPROT_BOOT, RTN_UNICAST = 254, 3, 1
IFF_UP = 1


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind, value):
    return attribute(kind, value.encode() + b"\0")


def interface(index=0, flags=0):
    """struct ifinfomsg."""
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def request(kind, flags, body):
    """Send a request in this thread's network namespace and wait for the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as s:
        s.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0) + body)
        answer = s.recv(1 << 16)
    code = struct.unpack_from("=i", answer, 16)[0]
    if struct.unpack_from("=H", answer, 4)[0] != NLMSG_ERROR or code:
        raise OSError(-code, os.strerror(-code))


def veth(name, peer, pid):
    """Make a veth pair with `peer` in the network namespace of process `pid`."""
    there = attribute(VETH_INFO_PEER, interface() + text(IFLA_IFNAME, peer) +
                      attribute(IFLA_NET_NS_PID, struct.pack("=I", pid)))
    kind = text(IFLA_INFO_KIND, "veth") + attribute(IFLA_INFO_DATA, there)
    request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, interface() + text(IFLA_IFNAME, name) +
            attribute(IFLA_LINKINFO, kind))


def up(name):
    request(RTM_NEWLINK, 0, interface(socket.if_nametoindex(name), IFF_UP))


def address(name, plain, bits):
    """Add an address that is usable at once, without duplicate address detection."""
    family, data = packed(plain)
    body = struct.pack("=BBBBi", family, bits, IFA_F_NODAD, 0, socket.if_nametoindex(name))
    request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body + attribute(IFA_LOCAL, data) + attribute(IFA_ADDRESS, data))


def default_route(gateway):
    family, data = packed(gateway)
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0)
    request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body + attribute(RTA_GATEWAY, data))


def packed(plain):
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    return family, socket.inet_pton(family, plain)
