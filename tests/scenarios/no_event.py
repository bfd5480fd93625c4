# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cases that must give no event. If the connection survives, it then ends in order and gives only those events."""
from connect import HEALTHY, attempt, doubt
from trial import End, scenario


def alive_then_closed(t, c, s):
    """Prove that the connection works, and end it."""
    for one, other in ((c, s), (s, c)):
        one("s.setblocking(True); s.send(b'still here')")
        t.premise(other("s.setblocking(True); s.recv(10, socket.MSG_WAITALL)") == b"still here", "the connection lives")
    c("s.close()")
    s("reached(s, 'close_wait'); s.close()")
    t.expect(s, "peer_closed", "fin", "established")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")


@scenario()
def rst_out_of_window(t):
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.forge('right', wire.RST, offset=-5000)")
    wire("w.forge('left', wire.RST | wire.ACK, offset=1 << 30)")
    alive_then_closed(t, c, s)


@scenario()
def rst_challenged(t):
    """A RST inside the window but not at its edge: the kernel sends a challenge ACK and keeps the connection."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    c("wire = capture()")
    wire("w.forge('right', wire.RST, offset=100)")
    c("wait(lambda: [1 for way, _, flags, _ in segments(wire) if way == 'out' and flags == 16], 'a challenge ACK')")
    alive_then_closed(t, c, s)


@scenario()
def rst_bad_in_syn_sent(t):
    """The kernel ignores a RST that does not acknowledge our SYN; then we abandon the attempt."""
    client, server, wire = t.wired()
    server("l = listen(); drop(l)")
    client("s = bound(); target = (THERE, port); begin(target, s)", port=server("l.getsockname()[1]"))
    c = End(client, "client", **client("about(s)"))
    c.peer = (server("plain(HERE)"), server("l.getsockname()[1]"))
    wire("import clock; clock.wait(lambda: w.last['left'], 'the SYN')")
    wire("w.forge('right', wire.RST | wire.ACK, ack=77)")
    wire("w.forge('right', wire.RST)")
    t.premise(c("time.sleep(0.05); state(s)") == "syn_sent", "the attempt goes on")
    # Some kernels answer the first such RST with another SYN.
    again = c("n = retransmits(s); s.close(); n") > 0
    t.expect(c, "connect_failed", "abandoned", "connecting", severity="notice" if again else HEALTHY,
             ambiguous=doubt(t, again))


@scenario()
def syn_in_established(t):
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.forge('right', wire.SYN); w.forge('left', wire.SYN, offset=4000)")
    alive_then_closed(t, c, s)


@scenario()
def icmp_on_live(t):
    """An ICMP error on a connection whose retransmission then succeeds."""
    client, server, router = t.routed()
    c, s = t.connection(client, server)
    router("nft('forward meta l4proto tcp reject with icmpx type host-unreachable')")
    c("s.send(bytes(100)); wait(lambda: retransmits(s) > 0, 'a retransmission')")
    router("nft_clear()")
    t.premise(s("s.recv(100, socket.MSG_WAITALL)") == bytes(100), "the data comes")
    alive_then_closed(t, c, s)


@scenario()
def icmp_with_recverr(t):
    """With IP_RECVERR the application gets an ICMP error as errno although the connection lives."""
    client, server, router = t.routed()
    c, s = t.connection(client, server)
    c("s.setsockopt(*((socket.IPPROTO_IP, 11, 1) if AF == socket.AF_INET else (socket.IPPROTO_IPV6, 25, 1)))")
    c("s.setsockopt(socket.IPPROTO_IP, 11, 1)")
    router("nft('forward meta l4proto tcp reject with icmpx type host-unreachable')")
    c("s.send(bytes(100))")
    code = c("wait(lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 'the ICMP error')")
    t.premise(code == 113 and c("state(s)") == "established", "EHOSTUNREACH on a live connection")
    router("nft_clear()")
    t.premise(s("s.recv(100, socket.MSG_WAITALL)") == bytes(100), "the data comes")
    # Another ICMP error may have come; none comes after everything is acknowledged.
    c("wait(lambda: queued(s) == 0); s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)")
    alive_then_closed(t, c, s)


@scenario()
def time_wait(t):
    """A connection in TIME_WAIT gets a RST and a new SYN; nothing is reported."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    c("s.close()")
    s("reached(s, 'close_wait'); s.close()")
    t.expect(s, "peer_closed", "fin", "established")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")
    wire("w.forge('right', wire.RST); w.forge('right', wire.SYN, offset=100000)")
    c("time.sleep(0.05)")


@scenario()
def rst_without_socket(t):
    """RSTs that this host sends without a full socket: for a closed port, a removed connection, TIME_WAIT and a
    half-open request. From 6.10 the hook runs for them too, with no socket or with one that is not a full socket."""
    client, server, wire = t.wired()
    for host in client, server:
        host("rst = capture()")

    def answered(host, what):
        """Wait until that host sends a RST."""
        host("wait(lambda: 'out' in resets(rst), %r)" % ("a RST: " + what))

    c = attempt(client, server)
    t.expect(c, "connect_failed", "refused", "connecting", error=c.error("s.connect(target)"))
    answered(server, "closed port")
    wire("w.forge('left', wire.ACK, payload=b'x')")
    answered(server, "no SYN to a closed port")
    t.no_connection(End(server, "server", local=c.peer, peer=c.local), process="socket_gone")

    c, s = t.connection(client, server)
    for end in c, s:
        end("repair(s); s.close()")
        end.ended()
    for end, side in (c, "right"), (s, "left"):
        wire("w.forge(%r, wire.ACK, payload=b'x')" % side)
        answered(end.host, "a connection that is gone")
        t.no_connection(end)

    c, s = t.connection(client, server)
    c("s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    t.expect(c, "local_closed", "close", "orphaned")
    c.ended()
    s("s.send(b'x')")
    answered(client, "what is left in FIN_WAIT2")
    t.expect(s, "peer_lost", "reset", "half_closed", error=s.error(), unacked=1)
    t.late(c, state="time_wait")

    wire("w.set('hold', 'right')")
    client("s = begin(target)", target=server("HERE, l.getsockname()[1]"))
    c = End(client, "client")
    c.peer = server("plain(HERE), l.getsockname()[1]")
    wire("w.holding(1, 'right'); w.forge('left', wire.ACK, ack=77)")
    answered(server, "a wrong acknowledgement of a SYN-ACK")
    wire("w.forge('left', wire.SYN)")
    answered(server, "a second SYN in the window")
    c("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))
    wire("w.release()")
    answered(client, "a SYN-ACK that nobody waits for")

    c, s = t.connection(client, server)
    alive_then_closed(t, c, s)


@scenario()
def fin_wait2_expires(t):
    """The peer never closes: the FIN_WAIT2 remnant of our socket expires silently after tcp_fin_timeout."""
    c, s = t.connection()
    c("sysctls(fin_timeout=1); s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")
    c("wait(lambda: ':%04X ' % " + str(c.local[1]) + " not in open('/proc/net/tcp').read()"
      " + (open('/proc/net/tcp6').read()), 'the expiry')")
    # The peer's close then gets a RST in LAST_ACK, when both streams are over.
    s("s.close()")
    s.ended()


@scenario()
def fin_wait2_full_expires(t):
    """The same with a full socket: TCP_LINGER2 keeps one for the time above 60 s."""
    c, s = t.connection()
    c("option(s, TCP_LINGER2, 61); s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="fin_wait_2")


@scenario()
def half_open_reset(t):
    """A request that the client resets was never a connection of the server."""
    client, server, wire = t.wired()
    server("l = listen()")
    wire("w.set('hold', 'right')")
    client("s = begin(target)", target=server("HERE, l.getsockname()[1]"))
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), server("l.getsockname()[1]"))
    wire("w.holding(1, 'right')")
    c("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))
    # The SYN-ACK finds no socket, so the client answers with a RST.
    server("wire = capture()")
    wire("w.release()")
    server("wait(lambda: resets(wire), 'the RST')")


@scenario()
def half_open_expires(t):
    """The client never answers the SYN-ACKs."""
    client, server, wire = t.wired()
    server("sysctls(synack_retries=1); l = listen()")
    wire("w.set('cut', 'right')")
    client("s = begin(target)", target=server("HERE, l.getsockname()[1]"))
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), server("l.getsockname()[1]"))
    server("wait(lambda: entry(%d, %d) == 'syn_received', 'the request')" % (c.peer[1], c.local[1]))
    c("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", severity=HEALTHY, ambiguous=doubt(t))
    server("ended(%d, %d)" % (c.peer[1], c.local[1]))


@scenario()
def deferred_accept(t):
    """TCP_DEFER_ACCEPT: without data the connection stays half-open at the server, which never learns of its end."""
    client, server = t.pair()
    t.listen(server)
    server("option(l, socket.TCP_DEFER_ACCEPT, 30)")
    c = t.connect(client, server)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    server("ended(%d, %d)" % (c.peer[1], c.local[1]))


@scenario()
def repair_close(t):
    """TCP_REPAIR, as in a checkpoint: both ends close without a segment."""
    c, s = t.connection()
    for end in (c, s):
        end("repair(s); s.close()")
        end.ended()


@scenario()
def listener_ends(t):
    client, server = t.pair()
    server("a = listen(); b = listen(); a.close(); b.shutdown(socket.SHUT_RDWR); b.close()")
    server("l = listen(); kill_sockets('-l', 'sport', '=', str(l.getsockname()[1]))")
    server("time.sleep(0.02)")


@scenario()
def connecting(t):
    """EINPROGRESS, EALREADY and EISCONN are not failures."""
    client, server = t.pair()
    t.listen(server)
    client("s = begin(target)", target=server("HERE, l.getsockname()[1]"))
    client("reached(s, 'established')")
    t.premise(client.error("s.connect(target); s.connect(target)") in (None, "EISCONN"), "a second connect")
    c, s = End(client, "client"), t.accept(server)
    alive_then_closed(t, c, s)


@scenario()
def udp(t):
    client, server = t.pair()
    client("warm(THERE); s = socket.socket(AF, socket.SOCK_DGRAM); s.connect((THERE, 7)); s.close()")


@scenario()
def never_connected(t):
    """Sockets that are created, bound, shut down and closed without a connection."""
    client, server = t.pair()
    client("tcp().close(); bound().close(); s = bound()")
    t.premise(client.error("s.shutdown(socket.SHUT_RDWR)") == "ENOTCONN", "not connected")
    client("disconnect(s); s.close()")


@scenario()
def descriptor_closed_elsewhere(t):
    """Copies of a descriptor, inherited, duplicated and passed on: the connection lives until all are closed."""
    c, s = t.connection()
    child = c.host.fork()
    child("s.close()")
    child.kill()
    c("d = s.dup(); d.close()")
    other = t.beside(c.host, "other")
    c("path = '\\0lostpeer-%d' % os.getpid(); u = socket.socket(socket.AF_UNIX); u.bind(path); u.listen(1)")
    other("u = socket.socket(socket.AF_UNIX); u.connect('\\0lostpeer-%d')" % c.host.pid)
    c("v = u.accept()[0]; socket.send_fds(v, [b'x'], [s.fileno()])")
    other("os.close(socket.recv_fds(u, 1, 1)[1][0])")
    alive_then_closed(t, c, s)


@scenario()
def idle_peer_gone(t):
    """Without data in flight or keepalive the kernel does not notice the loss, and neither does lostpeer."""
    c, s = t.connection()
    s("repair(s); s.close()")
    c("time.sleep(0.3)")
    t.premise(c("state(s)") == "established", "an idle end notices nothing")


@scenario()
def window_closed_then_open(t):
    """A peer that reads late is not lost."""
    c, s = t.connection()
    waiting = c("fill(s)")
    total = s("got = 0\nwhile got < %d: got += len(s.recv(1 << 20))\ngot" % waiting)
    t.premise(total >= waiting, "the data comes")
    c("wait(lambda: queued(s) == 0)")
    s("s.setblocking(False)\ntry:\n while s.recv(1 << 20): pass\nexcept BlockingIOError: pass")
    alive_then_closed(t, c, s)
