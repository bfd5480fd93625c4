# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who did it, where the cause alone does not tell: this host keeps back what it sends, or answers for the peer."""
import os

import early
from timeout import impatient
from trial import KERNEL, Absent, OneOf, one_family, scenario

NOBODY = Absent()
# It may have been sent again before the route was gone.
NO_ROUTE = OneOf("local", None)


def no_route(end):
    end("for v in '-4', '-6': command('ip', v, 'route', 'flush', 'table', 'main')")


@scenario()
def keepalive_firewall(t):
    """Not one probe leaves this host."""
    c, s = t.connection()
    c("nft('output meta l4proto tcp drop'); keepalive(s)")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "cannot_send", "established", error=error)


@scenario()
def keepalive_no_route(t):
    client, server, router = t.routed()
    c, s = t.connection(client, server)
    no_route(c)
    c("keepalive(s)")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error())


@scenario()
def keepalive_link_down(t):
    c, s = t.connection()
    c("command('ip', 'link', 'set', 'eth0', 'down'); keepalive(s)")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error())


@scenario(families=("ipv4", "v4mapped"))
def keepalive_address_gone(t):
    """IPv6 still sends from an address that is gone."""
    c, s = t.connection()
    c("command('ip', 'address', 'flush', 'dev', 'eth0'); command('ip', 'address', 'add', '192.0.2.77/24', 'dev', 'eth0')")
    c("command('ip', 'route', 'add', 'default', 'dev', 'eth0'); keepalive(s)")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error())


@scenario()
def keepalive_firewall_for_a_while(t):
    """Only some of the probes were kept back: nothing tells who is to blame."""
    c, s = t.connection()
    s("drop(s)")
    c("nft('output meta l4proto tcp drop'); keepalive(s, count=3); wait(lambda: probes(s) == 1); nft_clear()")
    t.expect(c, "peer_lost", "keepalive_timeout", "established", by=NOBODY, error=c.error())


@scenario()
def keepalive_neighbour_gone(t):
    """The peer's host no longer answers on the link: that is no fault of this host, though it drops what waits."""
    c, s = t.connection()
    s("command('ip', 'link', 'set', 'eth0', 'arp', 'off')")
    c("command('ip', 'neigh', 'flush', 'dev', 'eth0')")
    s("for v in 'input', 'output': nft(v + ' meta l4proto { tcp, icmpv6 } drop')")
    c("keepalive(s, interval=2)")
    t.expect(c, "peer_lost", "keepalive_timeout", "established", error=c.error())


@scenario()
def user_timeout_cannot_send(t):
    c, s = t.connection()
    c("nft('output meta l4proto tcp drop'); option(s, TCP_USER_TIMEOUT, 1500); s.send(bytes(64))")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error(), unsent=64)


@scenario()
def user_timeout_of_keepalive_cannot_send(t):
    c, s = t.connection()
    c("nft('output meta l4proto tcp drop'); option(s, TCP_USER_TIMEOUT, 1500); keepalive(s, count=9)")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error())


def cgroup(t):
    """The directory of a cgroup of this scenario's own, of version 2."""
    with open("/proc/self/mountinfo") as f:
        mounts = [line.split() for line in f if " - cgroup2 " in line]
    if not mounts:
        t.skip("no cgroup2 hierarchy is mounted here")
    where = mounts[0][4] + "/lostpeer%d-deny" % os.getpid()
    try:
        os.mkdir(where)
    except OSError as e:
        t.skip("cannot make a cgroup here: %s" % e)
    t.cleanups.append(lambda: [host.kill() for host in t.hosts] and os.rmdir(where))
    return where


def in_flight(t, retries=2, then="pass"):
    """Data was sent once, and lost. `then` comes at once; what mark(s) marks is dropped by our firewall."""
    c, s = impatient(t, retries)
    s("drop(s)")
    c("nft('output meta mark 7 drop')")
    c("def mark(s, value=7): s.setsockopt(socket.SOL_SOCKET, 36, value)\n"
      "s.send(bytes(70)); " + then)
    return c, s


@scenario()
def retransmit_firewall(t):
    c, s = in_flight(t, then="mark(s)")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by="local", error=c.error(), unacked=70)


@scenario()
def retransmit_firewall_user_timeout(t):
    c, s = in_flight(t, then="mark(s); option(s, TCP_USER_TIMEOUT, 1000)")
    t.expect(c, "peer_lost", "user_timeout", "established", by="local", error=c.error(), unacked=70)


@scenario()
def retransmit_firewall_orphaned(t):
    c, s = in_flight(t, then="mark(s); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", by="local", unacked=70)


@scenario(own=True)
def silent_firewall(t):
    """What looks like a silent peer is our own firewall, until it opens again."""
    if KERNEL < (6, 18):
        t.skip("what could not be sent again is not seen")
    agent = early.watch(t)
    c, s = in_flight(t, 15, "mark(s)")
    early.wait_for(agent, c.host, "peer_silent")
    early.expect_silent(t, c, by="local", unacked=70)
    s("undrop(s)")
    c("mark(s, 0); wait(lambda: queued(s) == 0, 'the acknowledgement', 60)")
    early.wait_for(agent, c.host, "peer_back")
    t.expect(c, "peer_back", "acked", "established")
    s("s.recv(70, socket.MSG_WAITALL)")
    t.check(agent)


@scenario()
def retransmit_no_route(t):
    client, server, router = t.routed()
    client("sysctls(retries2=2)")
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(71))")
    no_route(c)
    error = c.error()
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by=NO_ROUTE, error=error, unacked=71,
             extra={"tcp.soft_error": error})


@scenario()
def retransmit_firewall_at_last(t):
    """The first went out again, the later ones did not."""
    c, s = in_flight(t, 3)
    c("wait(lambda: tcp_info(s)[2] > 0); mark(s)")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by=NOBODY, error=c.error(), unacked=70)


@scenario()
def retransmit_firewall_at_first(t):
    """The last one went out, and nobody answered."""
    c, s = in_flight(t, 3, "mark(s); wait(lambda: tcp_info(s)[2] > 1); mark(s, 0)")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=c.error(), unacked=70)


@scenario()
def retransmit_queue_full(t):
    c, s = in_flight(t)
    c("command('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'pfifo', 'limit', '0')")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by="local", error=c.error(), unacked=70)


@scenario()
def retransmit_queue_drops_silently(t):
    """The queue tells TCP that it sent the segment."""
    c, s = in_flight(t)
    c("command('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'blackhole')")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by="local", error=c.error(), unacked=70)


@one_family
def retransmit_cgroup_program(t):
    """A program of the cgroup drops everything, as IPAddressDeny= of systemd does."""
    client, server = t.pair()
    where = cgroup(t)
    client("sysctls(retries2=2)\nwith open(where + '/cgroup.procs', 'w') as f: f.write(str(os.getpid()))", where=where)
    client.process.refresh()
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(72)); deny_egress(where)", where=where)
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by="local", error=c.error(), unacked=72)


@scenario()
def connect_firewall(t):
    """Not one SYN leaves this host."""
    client, server = t.pair()
    client("sysctls(syn_retries=1); nft('output meta l4proto tcp drop'); s = bound(); begin((THERE, 9), s)")
    c = t.end(client, peer=(server("plain(HERE)"), 9))
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "connect_failed", "timeout", "connecting", by="local", error=error)


@scenario(families=("ipv4", "v4mapped"))
def connect_address_gone(t):
    client, server = t.pair()
    client("sysctls(syn_retries=1)")
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    client("s = bound(); begin((THERE, port), s); command('ip', 'address', 'flush', 'dev', 'eth0')", port=port)
    c = t.end(client, peer=(server("plain(HERE)"), port))
    error = c.error()
    t.premise(error == "ENETUNREACH", error)
    t.expect(c, "connect_failed", "unreachable", "connecting", by=NO_ROUTE, error=error)


# RSTs of a firewall.

REJECT = "nft('%s tcp flags & rst == 0 reject with tcp reset')"


def rejected(t, c, s, **how):
    """Our own firewall reset our end; the other end knows nothing of it."""
    t.expect(c, "peer_lost", "reset", how.pop("phase", "established"), by="local", error=c.error(), **how)
    t.premise(s("state(s)") in ("established", "close_wait", "fin_wait_2"), "the other end lives on")


@scenario()
def reset_by_own_firewall(t):
    c, s = t.connection()
    c(REJECT % "output" + "; s.send(bytes(80))")
    rejected(t, c, s, queued=80)


@scenario()
def reset_by_own_firewall_in_flight(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(81)); " + REJECT % "output" + "; s.send(bytes(82))")
    rejected(t, c, s, queued=163)


@scenario()
def reset_by_own_firewall_of_retransmission(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(84)); " + REJECT % "output")
    rejected(t, c, s, queued=84)


@scenario()
def reset_by_own_firewall_late(t):
    """The RST waits in a queue of the loopback interface, as on a slow machine."""
    c, s = t.connection()
    s("drop(s)")
    c("command('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf', *'rate 8kbit burst 1600 limit 10000'.split())\n"
      "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.sendto(bytes(1500), ('127.0.0.1', 9))")
    c(REJECT % "output" + "; s.send(bytes(87))")
    rejected(t, c, s, queued=87)


@scenario()
def reset_by_own_firewall_of_keepalive(t):
    c, s = t.connection()
    c(REJECT % "output" + "; keepalive(s)")
    rejected(t, c, s)


@scenario()
def reset_by_own_firewall_half_closed(t):
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    s("reached(s, 'fin_wait_2')")
    t.expect(c, "peer_closed", "fin", "established")
    c(REJECT % "output" + "\ntry: s.send(bytes(83))\nexcept BrokenPipeError: pass")
    rejected(t, c, s, queued=83, phase="half_closed")


@scenario()
def refused_by_own_firewall(t):
    client, server = t.pair()
    port = server("l = listen(); l.getsockname()[1]")
    client(REJECT % "output" + "; s = bound(); begin((THERE, port), s)", port=port)
    c = t.end(client, peer=(server("plain(HERE)"), port))
    error = c.error()
    t.premise(error == "ECONNREFUSED", error)
    t.expect(c, "connect_failed", "refused", "connecting", by="local", error=error)


def innocent(t, c, s, agent, unacked):
    """Our end was reset while the other end, on this host too, lives on. by is left out where the other end was found."""
    t.premise(c.error() == "ECONNRESET" and s("state(s)") == "established", "the other end lives on")
    t.expect(c, "peer_lost", "reset", "established", by=OneOf(None, "peer"), error="ECONNRESET", unacked=unacked)
    for event in t.check(agent):
        found = event.get("peer.process.pid") == s.host.pid
        assert found == ("by" not in event), event
        if not found:
            t.skip("no walk could begin in time")


@scenario(own=True)
def reset_by_router(t):
    client, server, router = t.routed()
    agent = t.agent("--json", "--netns", str(client.netns))
    c, s = t.connection(client, server)
    router(REJECT % "forward")
    c("s.send(bytes(84))")
    innocent(t, c, s, agent, 84)


@scenario(own=True)
def reset_by_firewall_of_peer(t):
    client, server = t.pair()
    agent = t.agent("--json", "--netns", str(client.netns))
    c, s = t.connection(client, server)
    s(REJECT % "input")
    c("s.send(bytes(85))")
    innocent(t, c, s, agent, 85)


@scenario()
def reset_by_peer_while_we_drop(t):
    """This host drops what it sends, and then the peer resets: that is the peer's doing."""
    c, s = t.connection()
    c("nft('output meta l4proto tcp drop'); s.send(bytes(86))")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), unsent=86)
