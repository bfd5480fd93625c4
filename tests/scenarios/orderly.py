# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Orderly ends, and RSTs and timeouts after the end of both streams."""
from trial import Absent, End, Maybe, OneOf, scenario


@scenario()
def close_by_client(t):
    c, s = t.connection()
    c("s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.close()")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")


@scenario()
def close_by_server(t):
    c, s = t.connection()
    s("s.close()")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    c("s.close()")
    c.ended()
    s.ended()
    t.expect(s, "local_closed", "close", "orphaned")


@scenario()
def close_after_data(t):
    """The byte counts exclude SYN and FIN."""
    c, s = t.connection()
    c("s.send(bytes(1000))")
    s("s.recv(1000, socket.MSG_WAITALL); s.send(bytes(400))")
    c("s.recv(400, socket.MSG_WAITALL); s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established",
             extra={"tcp.bytes_sent": Maybe(400), "tcp.bytes_received": Maybe(1000)})
    t.expect(c, "local_closed", "close", "orphaned",
             extra={"tcp.bytes_sent": Maybe(1000), "tcp.bytes_received": Maybe(400)})
    s("s.close()")
    s.ended()
    c.ended()


@scenario()
def close_with_data_queued(t):
    """Closed with data in flight that the peer reads later."""
    c, s = t.connection()
    c("fill(s); s.close()")
    c.comes_to("fin_wait_1")
    s("while s.recv(1 << 20): pass")
    # The FIN may arrive between two reads, so the number of unread bytes varies.
    t.expect(s, "peer_closed", "fin", "established", unread=0)
    t.truths[-1].fields.pop("data.unread_bytes")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned")


@scenario()
def close_by_kill(t):
    c, s = t.connection()
    c.witness = t.beside(c.host, "witness")
    t.expect(c, "local_closed", "close", "orphaned", exiting="SIGKILL")
    c.host.kill()
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    c.ended()


@scenario()
def close_by_exit(t):
    c, s = t.connection()
    c.witness = t.beside(c.host, "witness")
    t.expect(c, "local_closed", "close", "orphaned", exiting=True)
    c.host.start("os._exit(0)")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    c.ended()


@scenario()
def half_close(t):
    """One half closes, the other carries data for a while; the first closer's event comes at the end."""
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.send(bytes(10))")
    c("s.recv(10, socket.MSG_WAITALL)")
    s("s.close()")
    c("reached(s, 'close')")
    s.ended()
    t.expect(c, "local_closed", "close", "closing", read_closed=None)


@scenario()
def half_close_unread(t):
    """Data arrives after our FIN and is still unread when the socket ends."""
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.send(bytes(300)); s.close()")
    c("reached(s, 'close')")
    s.ended()
    t.expect(c, "local_closed", "close", "closing", unread=300, read_closed=None)


@scenario()
def shutdown_both(t):
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_RDWR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.close()")
    c("reached(s, 'close')")
    t.expect(c, "local_closed", "close", "closing", read_closed=None)


@scenario()
def close_simultaneous(t):
    """Both FINs are in flight at once; both ends go through CLOSING."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.set('hold')")
    c("s.close()")
    s("s.close()")
    wire("w.holding(2); w.release()")
    for end in (c, s):
        end.ended()
        t.expect(end, "local_closed", "close", "orphaned", state="closing")


@scenario()
def close_simultaneous_held(t):
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.set('hold')")
    c("s.shutdown(socket.SHUT_WR)")
    s("s.shutdown(socket.SHUT_WR)")
    wire("w.holding(2); w.release()")
    for end in (c, s):
        end("reached(s, 'close')")
        t.expect(end, "local_closed", "close", "closing", state="closing", read_closed=True)


@scenario()
def close_of_itself(t):
    """A socket connected to itself has only one end."""
    host = t.loopback()
    host("s = bound(); s.connect(s.getsockname())")
    c = End(host, "client")
    c("s.close()")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="closing")


@scenario()
def close_on_loopback(t):
    """Two sockets of one host: each end gives an event."""
    host = t.loopback()
    server = t.beside(host, "server")
    c, s = t.connection(host, server)
    c("s.close()")
    s("reached(s, 'close_wait'); s.close()")
    t.expect(s, "peer_closed", "fin", "established")
    t.expect(c, "local_closed", "close", "orphaned")
    c.ended()


@scenario()
def close_before_accept(t):
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(bytes(10)); s.close()")
    s.comes_to("close_wait")
    t.expect(c, "local_closed", "close", "orphaned")
    t.expect(s, "peer_closed", "fin", "unaccepted", unread=10, severity="info")
    server("s = l.accept()[0]")
    t.premise(server("s.recv(100), s.recv(100)") == (bytes(10), b""), "data, then end of file")
    server("s.close()")
    s.ended()


@scenario()
def close_with_linger(t):
    """SO_LINGER with a time: close() waits until the peer has acknowledged."""
    c, s = t.connection()
    c("linger(s, 5); s.send(bytes(10)); s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established", unread=10)
    t.expect(c, "local_closed", "close", "orphaned", via=OneOf("closer", "connect"))
    c.ended()


def closed_first_by_peer(t):
    """The peer has closed its half and drops all segments; our side is about to close."""
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    return c, s


@scenario()
def reset_in_last_ack(t):
    c, s = closed_first_by_peer(t)
    c("s.close()")
    c.comes_to("last_ack")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "closing")
    c.ended()


@scenario()
def reset_in_last_ack_held(t):
    c, s = closed_first_by_peer(t)
    c("s.shutdown(socket.SHUT_WR); reached(s, 'last_ack')")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "closing")
    c("reached(s, 'close')")


@scenario()
def timeout_in_last_ack(t):
    c, s = closed_first_by_peer(t)
    c("sysctls(orphan_retries=1); s.close()")
    c.ended()


@scenario()
def timeout_in_last_ack_held(t):
    c, s = closed_first_by_peer(t)
    c("sysctls(retries2=1); s.shutdown(socket.SHUT_WR); reached(s, 'close')")


@scenario()
def reset_in_closing(t):
    """Both FINs cross; a RST comes instead of the last acknowledgement."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    wire("w.set('hold')")
    c("s.close()")
    s("s.close()")
    wire("w.holding(2)")
    # Only the server's FIN arrives; the client's answer from CLOSING is lost.
    wire("w.set('cut'); [w.put(side, frame) for side, frame in w.held if side == 'right']")
    c.comes_to("closing")
    wire("w.forge('right', wire.RST)")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="closing")


@scenario()
def reset_in_fin_wait1_orphaned(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.close()")
    c.comes_to("fin_wait_1")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="fin_wait_1")


@scenario()
def timeout_in_fin_wait1_orphaned(t):
    c, s = t.connection()
    s("drop(s)")
    c("sysctls(orphan_retries=1); s.close()")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="fin_wait_1")


@scenario()
def reset_in_fin_wait2_orphaned(t):
    """TCP_LINGER2 keeps a full socket for the time above 60 s, so the RST finds one."""
    c, s = t.connection()
    c("option(s, TCP_LINGER2, 90); s.close()")
    c.comes_to("fin_wait_2")
    t.expect(s, "peer_closed", "fin", "established")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "half_closed")
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", state="fin_wait_2")


@scenario()
def close_after_challenge(t):
    """The server still has an older connection from the same port: its challenge ACK gets a RST from our kernel, then we
    connect. That RST did not end the new connection."""
    client, server = t.pair()
    old, held = t.connection(client, server)
    client("rst = capture(); repair(s); s.close(); s = tcp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)")
    client("s.bind((HERE, port)); s.connect(SERVER)", port=old.local[1], SERVER=server("HERE, l.getsockname()[1]"))
    t.premise(client("resets(rst)") == ["out"], "our kernel answers the challenge")
    t.expect(held, "peer_lost", "reset", "established", error=held.error())
    c, s = End(client, "client"), t.accept(server)
    c("s.close()")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.close()")
    s.ended()
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", extra={"tcp.reset_reason": Absent()})
