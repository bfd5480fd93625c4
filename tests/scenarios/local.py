# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""RSTs that our side sends, and the events at both ends."""
from trial import VM, Maybe, OneOf, scenario

# Some kernels store the error too late for the event.
STORED_LATE = Maybe("ECONNRESET")


@scenario()
def unread_data(t):
    c, s = t.connection()
    c("s.send(bytes(777))")
    s("wait(lambda: unread(s) == 777); s.close()")
    t.expect(s, "local_reset", "unread_data", "established", unread=777)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def unread_data_and_linger(t):
    """Both reasons at once: the kernel checks unread data first."""
    c, s = t.connection()
    c("s.send(bytes(500))")
    s("wait(lambda: unread(s) == 500); linger(s); s.close()")
    t.expect(s, "local_reset", "unread_data", "established", unread=500)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def unread_data_half_closed(t):
    """The peer's FIN follows the data and does not count as a byte."""
    c, s = t.connection()
    s("s.send(bytes(500)); s.close()")
    c("reached(s, 'close_wait'); s.close()")
    t.expect(c, "peer_closed", "fin", "established", unread=500)
    t.expect(c, "local_reset", "unread_data", "half_closed", unread=500)
    s.ended()
    t.expect(s, "local_closed", "close", "orphaned")


@scenario()
def unread_data_fin_wait2(t):
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.send(bytes(300))")
    c("wait(lambda: unread(s) == 300); s.close()")
    t.expect(c, "local_reset", "unread_data", "closing", unread=300, state="fin_wait_2", read_closed=False)
    error = s.error()
    t.premise(error == "EPIPE", error)
    t.expect(s, "peer_lost", "reset", "half_closed", error=error)


@scenario()
def unread_data_killed(t):
    c, s = t.connection()
    c("s.send(bytes(2))")
    s("wait(lambda: unread(s) == 2)")
    t.expect(s, "local_reset", "unread_data", "established", unread=2, exiting="SIGKILL")
    s.host.kill()
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def unread_data_exited(t):
    c, s = t.connection()
    c("s.send(bytes(2))")
    s("wait(lambda: unread(s) == 2)")
    t.expect(s, "local_reset", "unread_data", "established", unread=2, exiting=True)
    s.host.start("os._exit(3)")
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def linger_unsent(t):
    c, s = t.connection()
    waiting = c("fill(s)")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established", queued=waiting)
    t.expect(s, "peer_lost", "reset", "established", unread=s("unread(s)"), error=s.error())


@scenario()
def linger_half_closed(t):
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(c, "peer_closed", "fin", "established")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "half_closed")
    t.expect(s, "peer_lost", "reset", "closing", error=s.error(), read_closed=False)


@scenario()
def linger2(t):
    """TCP_LINGER2 below 0: the kernel does not wait for the peer's FIN."""
    c, s = t.connection()
    c("rst = capture(); option(s, TCP_LINGER2, -1); s.close()")
    c.ended()
    t.premise(c("resets(rst)") == ["out"], "the client sends a RST")
    t.expect(s, "peer_closed", "fin", "established")
    error = s.error()
    t.premise(error == "EPIPE", error)
    t.expect(s, "peer_lost", "reset", "half_closed", error=error)
    t.expect(c, "local_reset", "linger2", OneOf("orphaned", "closing"), severity="info", via=OneOf("closer", "connect"))


@scenario()
def linger2_fin_wait2(t):
    c, s = t.connection()
    c("option(s, TCP_LINGER2, -1); s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    c("s.close()")
    t.expect(c, "local_reset", "linger2", OneOf("orphaned", "closing"), severity="info", via=OneOf("closer", "connect"))
    t.expect(s, "peer_lost", "reset", "half_closed", error=s.error())


@scenario()
def disconnect(t):
    c, s = t.connection()
    c("disconnect(s)")
    t.expect(c, "local_reset", "disconnect", "established", error=STORED_LATE)
    t.expect(s, "peer_lost", "reset", "established", error=s.error())


@scenario()
def disconnect_unsent(t):
    c, s = t.connection()
    waiting = c("fill(s)")
    c("disconnect(s)")
    t.expect(c, "local_reset", "disconnect", "established", error=STORED_LATE, queued=waiting)
    t.expect(s, "peer_lost", "reset", "established", unread=s("unread(s)"), error=s.error())


@scenario()
def disconnect_and_reuse(t):
    """The socket has a second connection with the same cookie; its end gives a second event."""
    c, s = t.connection()
    c("disconnect(s)")
    t.expect(c, "local_reset", "disconnect", "established", error=STORED_LATE)
    t.expect(s, "peer_lost", "reset", "established", error=s.error())
    c.host("s.connect(SERVER)")
    again = type(c)(c.host, "client")
    s2 = t.accept(s.host)
    again("s.close()")
    s2("reached(s, 'close_wait')")
    t.expect(s2, "peer_closed", "fin", "established")
    again.ended()
    t.expect(again, "local_closed", "close", "orphaned")


@scenario()
def destroyed(t):
    c, s = t.connection()
    c("kill_sockets('sport', '=', str(s.getsockname()[1]))")
    error = c.error()
    t.premise(error == "ECONNABORTED", error)
    t.expect(c, "local_reset", "destroyed", "established", error=error)
    t.expect(s, "peer_lost", "reset", "established", error=s.error())


@scenario()
def destroyed_half_closed(t):
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    # The forked child is a second holder until it executes ss.
    t.settle()
    c("kill_sockets('sport', '=', str(s.getsockname()[1]))")
    t.expect(c, "local_reset", "destroyed", "half_closed", error=c.error())
    t.expect(s, "peer_lost", "reset", "closing", error=s.error(), read_closed=False)


@scenario()
def destroyed_fin_wait2(t):
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    c("kill_sockets('sport', '=', str(s.getsockname()[1]))")
    t.expect(c, "local_reset", "destroyed", "closing", error=c.error(), read_closed=False)
    t.expect(s, "peer_lost", "reset", "half_closed", error=s.error())


@scenario()
def destroyed_orphaned(t):
    """ss -K on a closed socket with data in flight: kernels before 6.1 do not destroy it."""
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(90)); s.close()")
    c.comes_to("fin_wait_1")
    c("kill_sockets('sport', '=', '%d')" % c.local[1])
    if c("entry(%d, %d)" % (c.local[1], c.peer[1])):
        t.skip("this kernel does not kill orphans")
    t.expect(c, "local_reset", "destroyed", "orphaned", unacked=90, error=Maybe("ECONNABORTED"))
    t.premise(s("state(s)") == "established", "the filter keeps the RST from the peer too")


@scenario()
def data_after_close(t):
    """Our side is shut down both ways and still held: the kernel stores ECONNRESET although no peer sent a RST."""
    c, s = t.connection()
    c("rst = capture(); s.shutdown(socket.SHUT_RDWR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.send(b'late')")
    error = c.error()
    t.premise(error == "ECONNRESET" and c("resets(rst)") == ["out"], "it is the client that sends the RST")
    t.expect(c, "local_reset", "data_after_close", "closing", error=error, read_closed=True)
    error = s.error()
    t.premise(error == "EPIPE", error)
    t.expect(s, "peer_lost", "reset", "half_closed", error=error, unacked=4)


@scenario()
def data_after_close_orphaned(t):
    """Closed with data that the peer does not accept; the peer then sends data and gets a RST."""
    c, s = t.connection()
    waiting = c("fill(s)")
    unread = s("unread(s)")
    c("rst = capture(); s.close()")
    c.comes_to("fin_wait_1")
    s("s.send(b'late')")
    error = s.error()
    t.premise(error == "ECONNRESET" and c("resets(rst)") == ["out"], "it is the client that sends the RST")
    c.ended()
    t.expect(c, "local_reset", "data_after_close", "orphaned", queued=waiting)
    t.expect(s, "peer_lost", "reset", "established", error=error, unread=unread, unacked=4)


@scenario()
def data_after_close_with_acknowledgement(t):
    """Closed; the peer's next segment acknowledges the FIN and brings data, so it gets a RST."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    c("rst = capture()")
    wire("w.set('cut', 'left')")
    c("s.close()")
    wire("wait(lambda: w.last['left'].flags & wire.FIN, 'the FIN')")
    wire("w.forge('right', wire.ACK | wire.PSH, ack=1, payload=b'late')")
    c("wait(lambda: 'out' in resets(rst), 'the RST')")
    c.ended()
    t.expect(c, "local_reset", "data_after_close", "orphaned")
    # No segment from before the RST may still be in flight.
    wire("wait(lambda: w.last['left'].flags & wire.RST, 'the RST'); w.set('pass')")
    s("s.send(b'x')")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), unacked=1)


@scenario()
def listener_closed(t):
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(bytes(10))")
    server("l.close()")
    t.expect(s, "local_reset", "listener_closed", "unaccepted", unread=10, error=STORED_LATE)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def listener_closed_half_closed(t):
    """The peer had already closed the unaccepted connection."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.close()")
    s.comes_to("close_wait")
    t.expect(s, "peer_closed", "fin", "unaccepted", severity="info")
    t.settle()
    server("l.close()")
    t.expect(s, "local_reset", "listener_closed", "unaccepted", error=STORED_LATE, read_closed=True)
    t.expect(c, "local_closed", "close", "orphaned")


@scenario()
def listener_killed(t):
    client, server = t.pair()
    witness = t.beside(server, "witness")
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    s.witness = witness
    t.expect(s, "local_reset", "listener_closed", "unaccepted", error=STORED_LATE, exiting="SIGKILL")
    server.kill()
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def listener_destroyed(t):
    """ss -K on the listener also resets its unaccepted connections."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    server("kill_sockets('-l', 'sport', '=', str(l.getsockname()[1]))")
    s.ended()
    t.expect(s, "local_reset", "listener_closed", "unaccepted", error=STORED_LATE)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario(families=("ipv4",), alone=True)
def no_memory(t):
    """tcp_max_orphans applies to the whole host, so this runs only in a VM of the test."""
    if not VM:
        t.skip("tcp_max_orphans is global; set LOSTPEER_VM=1 in a virtual machine")
    with open("/proc/sys/net/ipv4/tcp_max_orphans") as f:
        before = f.read()
    agent = t.agent("--json", "--all")
    c, s = t.connection()
    waiting = c("fill(s)")
    unread = s("unread(s)")
    try:
        with open("/proc/sys/net/ipv4/tcp_max_orphans", "w") as f:
            f.write("0")
        c("rst = capture(); s.close()")
        c.ended()
    finally:
        with open("/proc/sys/net/ipv4/tcp_max_orphans", "w") as f:
            f.write(before)
    if c("resets(rst)") != ["out"]:
        t.skip("the kernel kept the orphan")
    t.expect(c, "local_reset", "no_memory", "orphaned", queued=waiting, via=OneOf("closer", "connect"))
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), unread=unread)
    t.check(agent)
