# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that several processes hold and one of them shuts down with shutdown(2): the others lose their peer by that
one's doing."""
from expect import Near
from trial import Absent, End, OneOf, Set, one_family, scenario

NOBODY = {"shutdown.process.pid": Absent()}
CHILD = "libc.prctl(15, b'job-child', 0, 0, 0)"


def by(host):
    who = host.process
    return {"shutdown.process.pid": who.pid, "shutdown.process.name": who.name.decode(),
            "shutdown.process.creation.time": Near(who.created), "shutdown.process.user.id": who.uid}


def both(c, child):
    """by() where both still hold it."""
    return dict(by(child), **{"owner.holders": Set([c.host.pid, child.pid])})


def with_child(t):
    """A connection whose client has a child that inherited it."""
    c, s = t.connection()
    child = c.host.fork()
    child(CHILD)
    child.process.refresh()
    return c, s, child


def left(t, s):
    """The server sees the client's FIN and closes."""
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    s("s.close()")


@scenario()
def shutdown_by_child(t):
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_RDWR); s.close()")
    left(t, s)
    c("reached(s, 'close')")
    t.expect(c, "local_closed", "close", "closing", severity="warning", read_closed=None, extra=by(child))


@scenario()
def shutdown_by_child_for_writing(t):
    """What the peer still sends is unread."""
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_WR)")
    s("s.send(bytes(300))")
    left(t, s)
    c("reached(s, 'close')")
    t.expect(c, "local_closed", "close", "closing", severity="warning", unread=300, read_closed=None,
             extra=both(c, child))


@scenario(families=("ipv4", "ipv6"), own=True)
def shutdown_by_child_by_default(t):
    """Nobody asked for orderly ends. The child has exited."""
    agent = t.agent("--json")
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_RDWR)")
    extra = by(child)
    child.kill()
    s("reached(s, 'close_wait'); s.close()")
    c("reached(s, 'close')")
    t.expect(c, "local_closed", "close", "closing", severity="warning", read_closed=None, extra=extra)
    t.check(agent)


@scenario()
def shutdown_by_child_of_server(t):
    """The master that listened and accepted still holds what its worker shuts down."""
    c, s = t.connection()
    child = s.host.fork()
    child("s.shutdown(socket.SHUT_RDWR); s.close()")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    c("s.close()")
    s("reached(s, 'close')")
    t.expect(s, "local_closed", "close", "closing", severity="warning", read_closed=None, extra=by(child))


@one_family
def shutdown_by_child_of_many(t):
    """A pool of connections."""
    client, server = t.pair()
    n = t.many(100)
    server("l = listen(256)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]", n=n)
    ends = [End(client, "client", **facts) for facts in client("list(map(about, all))")]
    served = [End(server, "server", **facts) for facts in server("list(map(about, all))")]
    child = client.fork()
    child("for s in all: s.shutdown(socket.SHUT_RDWR)")
    extra = by(child)
    child.kill()
    server("for s in all: reached(s, 'close_wait'); s.close()")
    client("for s in all: reached(s, 'close')")
    for c, s in zip(ends, served):
        t.expect(s, "peer_closed", "fin", "established")
        t.expect(c, "local_closed", "close", "closing", severity="warning", read_closed=None, extra=extra)


@scenario()
def shutdown_by_child_then_reset(t):
    """The peer resets what the child shut down."""
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_WR)")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "half_closed")
    t.expect(c, "peer_lost", "reset", "closing", error=c.error(), extra=both(c, child))


@scenario()
def shutdown_by_child_then_closed(t):
    """The parent gets EPIPE and closes, before the peer does."""
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_RDWR); s.close()")
    t.premise(c.error("s.send(bytes(1))") == "EPIPE", "the parent cannot write")
    c("s.close()")
    left(t, s)
    c.ended()
    t.expect(c, "local_closed", "close", "orphaned", extra=by(child))


@scenario()
def shutdown_by_opener(t):
    """The child only inherited the descriptor: no harm is done."""
    c, s, child = with_child(t)
    c("s.shutdown(socket.SHUT_RDWR)")
    extra = by(c.host)
    c("s.close()")
    left(t, s)
    child("reached(s, 'close')")
    c.host = child
    t.expect(c, "local_closed", "close", "closing", read_closed=None, via="holder", extra=extra)


@one_family
def shutdown_by_the_last_holder(t):
    """The parent has closed its descriptor since, so that the child shut its own connection down."""
    c, s, child = with_child(t)
    child("s.shutdown(socket.SHUT_RDWR)")
    c("s.close()")
    left(t, s)
    child("reached(s, 'close')")
    c.host = child
    t.expect(c, "local_closed", "close", "closing", read_closed=None, via=OneOf("holder", "closer"), extra=NOBODY)


@one_family
def shutdown_of_a_duplicate(t):
    """A process with two descriptors, and a thread that reads."""
    c, s = t.connection()
    c("d = s.dup(); reader = in_thread(s.recv, 1)\nblocked(reader); d.shutdown(socket.SHUT_WR)")
    left(t, s)
    c("outcome(reader); reached(s, 'close')")
    t.expect(c, "local_closed", "close", "closing", read_closed=None, extra=NOBODY)
