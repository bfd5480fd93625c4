# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that the kernel gives up, one scenario for each timer. The idle end notices nothing and has no event."""
from trial import AtLeast, scenario

RETRIED = {"tcp.retransmits": AtLeast(1)}


def impatient(t, retries=1):
    """A connection whose client gives up after a few retransmissions."""
    client, server = t.pair()
    client("sysctls(retries2=%d, orphan_retries=%d)" % (retries, retries))
    return t.connection(client, server)


@scenario()
def retransmit_timeout(t):
    c, s = impatient(t)
    s("drop(s)")
    c("s.send(bytes(5000))")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=error, unacked=5000, extra=RETRIED)


@scenario()
def retransmit_timeout_of_server(t):
    client, server = t.pair()
    server("sysctls(retries2=1)")
    c, s = t.connection(client, server)
    c("drop(s)")
    s("s.send(bytes(50))")
    t.expect(s, "peer_lost", "retransmit_timeout", "established", error=s.error(), unacked=50, extra=RETRIED)


@scenario()
def retransmit_timeout_half_closed(t):
    c, s = impatient(t)
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    t.expect(c, "peer_closed", "fin", "established")
    c("reached(s, 'close_wait'); s.send(bytes(100))")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "retransmit_timeout", "half_closed", error=error, unacked=100)


@scenario()
def retransmit_timeout_unreachable(t):
    """An ICMP error does not end the connection; it becomes the errno of the timeout."""
    client, server, router = t.routed()
    client("sysctls(retries2=1)")
    c, s = t.connection(client, server)
    router("nft('forward meta l4proto tcp reject with icmpx type host-unreachable')")
    c("s.send(bytes(5000))")
    error = c.error()
    t.premise(error == "EHOSTUNREACH", error)
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=error, unacked=5000,
             extra={"tcp.soft_error": "EHOSTUNREACH"})


@scenario()
def retransmit_timeout_no_route(t):
    """The router loses its route: the errno is that of the router's ICMP error."""
    client, server, router = t.routed()
    client("sysctls(retries2=1)")
    c, s = t.connection(client, server)
    router("for v in '-4', '-6': command('ip', v, 'route', 'flush', 'dev', 'right')")
    c("s.send(bytes(77))")
    error = c.error()
    t.premise(error in ("EHOSTUNREACH", "ENETUNREACH"), error)
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=error, unacked=77,
             extra={"tcp.soft_error": error})


@scenario()
def retransmit_timeout_link_down(t):
    """Our link goes down after a segment was sent: the cause is still the retransmission timeout."""
    c, s = impatient(t, 2)
    s("drop(s)")
    c("s.send(bytes(60)); command('ip', 'link', 'set', 'eth0', 'down')")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", by="local", error=c.error(), unacked=60)


@scenario()
def retransmit_timeout_fin_wait1(t):
    """Only our FIN is unacknowledged, but a process still holds the socket."""
    c, s = impatient(t)
    s("drop(s)")
    c("s.shutdown(socket.SHUT_WR)")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "retransmit_timeout", "closing", error=error, state="fin_wait_1", read_closed=False)


@scenario()
def retransmit_timeout_orphaned(t):
    c, s = impatient(t)
    s("drop(s)")
    c("s.send(bytes(2000)); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", unacked=2000, state="fin_wait_1")


@scenario()
def retransmit_timeout_orphaned_last_ack(t):
    c, s = impatient(t)
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    c("s.send(bytes(200)); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", unacked=200, state="last_ack")


@scenario()
def retransmit_timeout_after_linger(t):
    """close() waits SO_LINGER seconds for an acknowledgement that does not come."""
    c, s = impatient(t, 3)
    s("drop(s)")
    c("s.send(bytes(900)); linger(s, 1); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", unacked=900)


@scenario()
def retransmit_timeout_of_killed(t):
    """The process is killed with data in flight: the orphan times out."""
    c, s = impatient(t)
    c.witness = t.beside(c.host, "witness")
    s("drop(s)")
    t.expect(c, "peer_lost", "retransmit_timeout", "orphaned", unacked=120, exiting="SIGKILL")
    c.host.start("s.send(bytes(120)); os.kill(os.getpid(), 9)")  # at once: the timeout leaves about a second
    t.premise(c.host.channel.recv(1) == b"", "it is dead")
    c.host.kill()
    c.ended()


@scenario()
def keepalive_timeout(t):
    c, s = t.connection()
    s("drop(s)")
    c("keepalive(s)")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "keepalive_timeout", "established", error=error)


@scenario()
def keepalive_timeout_half_closed(t):
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait'); keepalive(s)")
    t.expect(c, "peer_closed", "fin", "established")
    t.expect(c, "peer_lost", "keepalive_timeout", "half_closed", error=c.error())


@scenario()
def keepalive_timeout_unread(t):
    """Data that arrived before is still unread."""
    c, s = t.connection()
    s("s.send(bytes(55)); drop(s)")
    c("wait(lambda: unread(s) == 55); keepalive(s)")
    t.expect(c, "peer_lost", "keepalive_timeout", "established", error=c.error(), unread=55)


@scenario()
def keepalive_timeout_unreachable(t):
    client, server, router = t.routed()
    c, s = t.connection(client, server)
    router("nft('forward meta l4proto tcp reject with icmpx type host-unreachable')")
    c("keepalive(s)")
    t.expect(c, "peer_lost", "keepalive_timeout", "established", error=c.error())


@scenario()
def user_timeout(t):
    c, s = t.connection()
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 700); s.send(bytes(5000))")
    t.expect(c, "peer_lost", "user_timeout", "established", error=c.error(), unacked=5000)


@scenario()
def user_timeout_by_keepalive(t):
    c, s = t.connection()
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 1500); keepalive(s, count=9)")
    t.expect(c, "peer_lost", "user_timeout", "established", error=c.error())


@scenario()
def user_timeout_window_closed(t):
    """The peer answers every probe but reads nothing: the peer is the cause."""
    c, s = t.connection()
    waiting = c("fill(s)")
    c("option(s, TCP_USER_TIMEOUT, 2500)")
    t.expect(c, "peer_lost", "user_timeout", "established", by="peer", error=c.error(), queued=waiting)
    t.premise(s("state(s)") == "established", "the peer lives")


@scenario()
def user_timeout_window_closed_peer_gone(t):
    c, s = t.connection()
    waiting = c("fill(s)")
    s("drop(s)")
    # More than one probe: a live peer may leave one of two unanswered (tcp_invalid_ratelimit).
    c("wait(lambda: probes(s) > 1, 'unanswered probes'); option(s, TCP_USER_TIMEOUT, 1000)")
    t.expect(c, "peer_lost", "user_timeout", "established", by="network", error=c.error(), queued=waiting)


@scenario()
def probe_timeout_before_user_timeout(t):
    """The number of probes ends it, long before the user timeout."""
    c, s = t.connection()
    waiting = c("fill(s)")
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 600000); sysctls(retries2=2)")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "probe_timeout", "established", error=error, queued=waiting)


@scenario()
def probe_timeout_before_user_timeout_orphaned(t):
    c, s = t.connection()
    waiting = c("fill(s)")
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 600000); sysctls(orphan_retries=2); wait(lambda: probes(s) > 1); s.close()")
    c.ended()
    t.expect(c, "peer_lost", "probe_timeout", "orphaned", queued=waiting)


@scenario()
def probe_timeout(t):
    c, s = t.connection()
    waiting = c("fill(s)")
    s("drop(s)")
    c("sysctls(retries2=2)")
    error = c.error()
    t.premise(error == "ETIMEDOUT", error)
    t.expect(c, "peer_lost", "probe_timeout", "established", error=error, queued=waiting)


@scenario()
def cannot_send_link_down(t):
    c, s = impatient(t, 2)
    c("command('ip', 'link', 'set', 'eth0', 'down'); s.send(bytes(640))")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error(), unsent=640)


@scenario()
def cannot_send_firewall(t):
    c, s = impatient(t, 2)
    c("nft('output meta l4proto tcp drop'); s.send(bytes(64))")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error(), unsent=64)


@scenario()
def cannot_send_no_route(t):
    client, server, router = t.routed()
    client("sysctls(retries2=2)")
    c, s = t.connection(client, server)
    c("command('ip', 'route', 'del', 'default'); command('ip', '-6', 'route', 'del', 'default')")
    c("s.send(bytes(65))")
    t.expect(c, "peer_lost", "cannot_send", "established", error=c.error(), unsent=65)
