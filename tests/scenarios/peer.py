# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""RSTs that arrive on established connections."""
from other_end import NOBODY
from trial import Absent, End, OneOf, scenario


@scenario()
def reset(t):
    c, s = t.connection()
    c("rst = capture()")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", state="established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), state="established")
    t.premise(c("resets(rst)") == ["in"], "one RST, from the peer")


@scenario()
def reset_of_server(t):
    """The accepted end loses its peer."""
    c, s = t.connection()
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s.error())


@scenario()
def reset_unread(t):
    c, s = t.connection()
    s("s.send(bytes(3000))")
    c("wait(lambda: unread(s) == 3000)")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), unread=3000)


@scenario()
def reset_unacked(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(500))")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), unacked=500)


@scenario()
def reset_unsent(t):
    c, s = t.connection()
    c("fill(s)")
    t.settle()  # for the last acknowledgement on a slow machine
    unread, waiting = s("unread(s)"), c("queued(s)")
    s("s.close()")
    t.expect(s, "local_reset", "unread_data", "established", unread=unread)
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), queued=waiting)


@scenario()
def reset_half_closed(t):
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    s("reached(s, 'fin_wait_2'); linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "closing", state="fin_wait_2")
    error = c.error()
    t.premise(error == "EPIPE", error)
    t.expect(c, "peer_lost", "reset", "half_closed", error=error, state="close_wait")


@scenario()
def reset_half_closed_unread(t):
    """The peer sent data and a FIN, both unread: only the data counts."""
    c, s = t.connection()
    s("s.send(bytes(70)); s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established", unread=70)
    s("reached(s, 'fin_wait_2'); linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "closing", state="fin_wait_2")
    t.expect(c, "peer_lost", "reset", "half_closed", error=c.error(), state="close_wait", unread=70)


@scenario()
def reset_by_write_after_close(t):
    """The peer has closed; its TIME_WAIT or FIN_WAIT2 remnant answers our write with a RST."""
    c, s = t.connection()
    s("s.close()")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    t.expect(s, "local_closed", "close", "orphaned")
    s.ended()
    c("s.send(bytes(40))")
    error = c.error()
    t.premise(error == "EPIPE", error)
    t.expect(c, "peer_lost", "reset", "half_closed", error=error, unacked=40)
    t.late(s, state="time_wait")


@scenario()
def reset_fin_wait1(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_1')")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "closing", error=c.error(), state="fin_wait_1", read_closed=False)


@scenario()
def reset_fin_wait1_unacked(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(33)); s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_1')")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "closing", error=c.error(), state="fin_wait_1", read_closed=False, unacked=33)


@scenario()
def reset_fin_wait2(t):
    c, s = t.connection()
    c("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2')")
    t.expect(s, "peer_closed", "fin", "established")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "half_closed")
    t.expect(c, "peer_lost", "reset", "closing", error=c.error(), state="fin_wait_2", read_closed=False)


@scenario()
def reset_orphaned(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(900)); s.close()")
    c.comes_to("fin_wait_1")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    c.ended()
    t.expect(c, "peer_lost", "reset", "orphaned", unacked=900, state="fin_wait_1")


@scenario()
def reset_orphaned_last_ack(t):
    """Payload is unacknowledged, so this is not an orderly end."""
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR); reached(s, 'fin_wait_2'); drop(s)")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    c("s.send(bytes(100)); s.close()")
    c.comes_to("last_ack")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "closing", state="fin_wait_2")
    c.ended()
    t.expect(c, "peer_lost", "reset", "orphaned", unacked=100, state="last_ack")


@scenario()
def reset_unaccepted(t):
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(bytes(10)); linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    # The application accepts the connection afterwards and reads the data.
    server("s = l.accept()[0]")
    t.premise(server("s.recv(100)") == bytes(10), "unread data survives")
    t.expect(s, "peer_lost", "reset", "unaccepted", unread=10, error=s.error("s.recv(1)"))


@scenario()
def reset_forged(t):
    """A RST forged on the path: our end is lost, the peer's lives on."""
    client, server, wire = t.wired()
    c, s = t.connection(client, server)
    s("rst = capture()")
    wire("w.forge('right', wire.RST)")
    t.expect(c, "peer_lost", "reset", "established", by=OneOf(None, "peer"), error=c.error())
    t.premise(s("resets(rst)") == [] and s("state(s)") == "established", "the peer knows nothing of it")


def silently_gone(s):
    """Close the socket in repair mode, without a segment: the host forgets the connection, as after a reboot."""
    s("repair(s); s.close()")


@scenario()
def reset_by_rebooted_peer(t):
    c, s = t.connection()
    silently_gone(s)
    c("rst = capture(); s.send(bytes(300))")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), unacked=300)
    t.premise(c("resets(rst)") == ["in"], "the peer's host answers with a RST")
    t.no_connection(s)


@scenario()
def reset_of_keepalive(t):
    c, s = t.connection()
    silently_gone(s)
    c("keepalive(s, 1)")
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@scenario()
def reset_by_full_listener(t):
    """tcp_abort_on_overflow: the client is established for a moment, but the server never has a socket."""
    client, server, wire = t.wired()
    # The queue holds three. The request queue holds two, and a full one would fall back to SYN cookies.
    server("sysctl('ipv4/tcp_abort_on_overflow', 1); l = listen(2)")
    client("more = [tcp(), tcp()]\nfor s in more: s.connect(target)", target=server("HERE, l.getsockname()[1]"))
    wire("w.set('hold', 'right')")
    client("a = begin(target); b = begin(target)")
    wire("w.holding(2, 'right'); w.release()")
    client("wait(lambda: 'close' in (state(a), state(b)))")
    name = client("'a' if state(a) == 'close' else 'b'")
    facts = client("about(%s)" % name)
    c = End(client, "client", local=facts["local"], peer=(server("plain(HERE)"), server("l.getsockname()[1]")),
            cookie=facts["cookie"])
    error = c.error("lost(%s)" % name)
    t.premise(error == "ECONNRESET", error)
    t.expect(c, "peer_lost", "reset", "established", error=error)
    t.truths[-1].fields.pop("network.local.port")
    t.perhaps(End(server, "server", local=facts["peer"], peer=None), "accept_dropped", "queue_full")


@scenario()
def restored(t):
    """A connection that was checkpointed and restored in another process: the new one has it, all its bytes are counted
    from then on, and which end connected is not known any more. The old process is nobody's other end."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    s("linger(s)")
    c("s.send(bytes(11))")
    s("s.recv(11, socket.MSG_WAITALL)")
    c("wait(lambda: queued(s) == 0)")
    c("repair(s)\n"
      "def at_queue(which): option(s, 20, which); return struct.unpack('I', s.getsockopt(6, 21, 4))[0]\n"
      "dump = dict(here=s.getsockname(), there=s.getpeername(), sent=at_queue(2), received=at_queue(1),\n"
      "            window=s.getsockopt(6, 29, 20), mss=struct.unpack_from('I', s.getsockopt(6, 11, 104), 16)[0],\n"
      "            scales=s.getsockopt(6, 11, 104)[6], stamp=s.getsockopt(6, 24, 4))\n"
      "s.close()")
    dump = c("dump")
    new = t.beside(client, "restored")
    new("s = tcp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); repair(s)\n"
        "for which, at in (2, d['sent']), (1, d['received']):\n"
        "    option(s, 20, which); s.setsockopt(6, 21, struct.pack('I', at))\n"
        "s.bind(d['here']); s.connect(d['there'])\n"
        "scales = (d['scales'] & 15) | (d['scales'] >> 4) << 16\n"
        "s.setsockopt(6, 22, struct.pack('8I', 2, d['mss'], 3, scales, 4, 0, 8, 0))\n"
        "s.setsockopt(6, 24, d['stamp']); s.setsockopt(6, 29, d['window']); option(s, TCP_REPAIR, 0)", d=dump)
    n = End(new, "client")
    n("s.send(bytes(13))")
    s("s.recv(13, socket.MSG_WAITALL)")
    n("wait(lambda: queued(s) == 0)")
    s("s.close()")
    error = n.error()
    t.expect(s, "local_reset", "linger", "established", extra=dict(NOBODY, **{"tcp.bytes_received": 24}))
    t.expect(n, "peer_lost", "reset", "established", error=error, role=Absent(),
             extra={"tcp.bytes_sent": 13, "tcp.bytes_received": 0, "tcp.duration_ms": Absent()})
