# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The connections that the applications of three hosts lose. There are scripted drops, each with its ends on two of the
hosts, and a database on the first host that dies while the other two have clients of it."""
import drops
import network
from host import Host
from machines import HOSTS
from trial import End, one_family

SCRIPT = ("refused refused_then_connected reset reset_unread reset_unacked unread_data unread_data_killed "
          "linger_half_closed disconnect destroyed listener_closed user_timeout close_after_data half_close_unread "
          "place_of_unit hostile_executable hostile_names").split()
AWAY = "reset unread_data refused disconnect".split()
CLIENTS = 3


class Net:
    """Numbers of networks that nothing else uses."""
    last = 100


def pair():
    """Two hosts with addresses of their own, by which the centre tells connections apart."""
    Net.last += 1
    client, server = Host("client"), Host("server")
    network.link(client, server, Net.last)
    network.meet("ipv4", client, server, *(network.plain("ipv4", Net.last, number) for number in (1, 2)))
    return client, server


def star():
    """A database and two clients, which reach it at the same address."""
    nets = Net.last + 1, Net.last + 2
    Net.last += 2
    server, clients = Host("db"), [Host("shop"), Host("shop")]
    here = network.plain("ipv4", nets[0], 2)
    for number, (client, net) in enumerate(zip(clients, nets)):
        network.link(client, server, net, far_name="eth%d" % number)
        client("netlink.default_route(gateway)", gateway=network.plain("ipv4", net, 2))
        network.introduce(client, "ipv4", network.plain("ipv4", net, 1), here)
        client("warm(THERE)")
    network.introduce(server, "ipv4", here, network.plain("ipv4", nets[0], 1))
    return server, *clients


@one_family
def database_dies(t):
    server, *clients = t.made
    server("l = listen(); ss = []")
    ends = []
    for client in clients:
        client("ss = [tcp() for _ in range(count)]", count=CLIENTS)
        for number in range(CLIENTS):
            client("ss[number].connect(SERVER)", number=number, SERVER=server("HERE, l.getsockname()[1]"))
            server("ss.append(l.accept()[0])")
            ends.append((End(client, "client", "ss[%d]" % number), End(server, "server", "ss[%d]" % len(ends))))
    server("for s in ss: linger(s); s.close()")
    for c, s in ends:
        t.expect(s, "local_reset", "linger", "established")
        t.expect(c, "peer_lost", "reset", "established", error=c.error("lost(%s)" % c.name))


class Losses:
    """The drops, and the hosts on which their ends are."""

    def __init__(self):
        self.star = drops.Drop("database_dies", star())
        self.script, self.away = (drops.Drops(names, lambda name: drops.Drop(name, pair())) for names in (SCRIPT, AWAY))
        self.netns = [[], [], []]
        for number, host in enumerate(self.star.made):
            self.netns[number].append(host.netns)
        for number, drop in enumerate(self.script.all + self.away.all):
            for end, host in enumerate(drop.made):
                self.netns[(number + end) % 3].append(host.netns)

    def perform(self):
        self.script.perform()
        self.star.perform()

    def truths(self):
        return self.script.truths() + [truth for truth in self.star.truths if not truth.hidden]

    def burst(self):
        """(address of the database, hosts that lost it, connections lost)"""
        server, *clients = self.star.made
        return server("'%s %d' % (HERE, l.getsockname()[1])"), len(clients), CLIENTS * len(clients)

    def name_of(self, netns):
        """The host to which the namespace belongs."""
        return next(name for name, own in zip(HOSTS, self.netns) if netns in own)

    def skipped(self):
        return [(drop.name, drop.skipped) for drop in self.script.all if drop.skipped]

    def end(self):
        self.script.end()
        self.away.end()
        self.star.clear()
