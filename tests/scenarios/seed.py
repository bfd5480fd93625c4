# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sockets of every state that exist before the agent starts."""
from connect import attempt
from trial import Absent, AtLeast, Maybe, OneOf, Set, scenario

SEED = OneOf("seed", "holder")
CLOSED_SEED = OneOf("seed", "holder", "closer")
# The agent did not see the start of the connection: its duration and the role of its ends are unknown.
UNSEEN = {"tcp.duration_ms": Absent()}
seeded = scenario(families=("ipv4",), own=True)


def expect(t, end, *what, via=SEED, **fields):
    extra = dict(UNSEEN, role=Maybe(end.role))
    extra.update(fields.pop("extra", {}))
    t.expect(end, *what, via=via, extra=extra, **fields)


def watch(t):
    return t.agent("--json", "--all")


@scenario(own=True)
def seed_reset(t):
    c, s = t.connection()
    agent = watch(t)
    s("linger(s); s.close()")
    expect(t, s, "local_reset", "linger", "established", via=CLOSED_SEED)
    expect(t, c, "peer_lost", "reset", "established", error=c.error())
    t.check(agent)


@seeded
def seed_close(t):
    c, s = t.connection()
    agent = watch(t)
    c("s.close()")
    s("reached(s, 'close_wait')")
    expect(t, s, "peer_closed", "fin", "established")
    expect(t, c, "local_closed", "close", "orphaned", via=CLOSED_SEED)
    t.settle()
    s("s.close()")
    s.ended()
    c.ended()
    t.check(agent)


@seeded
def seed_half_closed(t):
    """The peer's FIN came before the agent started and gives no event; its RST does."""
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    agent = watch(t)
    s("linger(s); s.close()")
    expect(t, s, "local_reset", "linger", "closing", via=CLOSED_SEED)
    expect(t, c, "peer_lost", "reset", "half_closed", error=c.error())
    t.check(agent)


@seeded
def seed_unacked(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(10))")
    agent = watch(t)
    c("s.send(bytes(20)); sysctls(retries2=1)")
    expect(t, c, "peer_lost", "retransmit_timeout", "established", error=c.error(), queued=30)
    t.check(agent)


@seeded
def seed_connecting(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    c = attempt(client, server, port)
    c("begin(target, s)")
    agent = watch(t)
    c("option(s, TCP_SYNCNT, 1)")
    c("wait(lambda: state(s) == 'close')")
    error = c.error("raise OSError(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), '')")
    t.premise(error == "ETIMEDOUT", error)
    expect(t, c, "connect_failed", "timeout", "connecting", error=error, extra={"tcp.duration_ms": Maybe(AtLeast(0))})
    t.check(agent)


@seeded
def seed_listener(t):
    """The listener is older than the agent, the connection younger."""
    client, server = t.pair()
    t.listen(server)
    agent = watch(t)
    c = t.connect(client, server)
    s = t.accept(server)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("accept", "seed", "holder"))
    t.check(agent)


@seeded
def seed_listener_unaccepted(t):
    client, server = t.pair()
    t.listen(server)
    agent = watch(t)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET")
    t.settle()
    t.check(agent)


@seeded
def seed_unaccepted(t):
    """A connection already in the accept queue has no descriptor, and its creation was not seen: its listener is the
    owner."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    agent = watch(t)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    s.ended()
    expect(t, s, "peer_lost", "reset", "unaccepted", error="ECONNRESET", via=OneOf("listener"))
    t.settle()
    t.check(agent)


@seeded
def seed_accepted_later(t):
    """Established before the agent, accepted after it."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    agent = watch(t)
    s = t.accept(server)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    expect(t, s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("accept", "seed", "holder", "closer"))
    t.settle()
    t.check(agent)


@seeded
def seed_forked(t):
    """Before the agent starts a parent accepts, forks a child and closes its copy; the child holds the socket."""
    c, s = t.connection()
    s.host = s.host.fork()
    t.hosts[-1]("s.close()")
    agent = watch(t)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    expect(t, s, "peer_lost", "reset", "established", error=s.error())
    t.check(agent)


@scenario(own=True)
def seed_several(t):
    """Two processes hold the socket: the event lists both. Which one opened it is not known."""
    c, s = t.connection()
    child = s.host.fork()
    agent = watch(t)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    error = s.error()
    expect(t, s, "peer_lost", "reset", "established", error=error, process="shared",
           extra={"owner.holders": Set([s.host.pid, child.pid])})
    t.finish()
    t.settle()
    t.check(agent)


@seeded
def seed_several_of_client(t):
    c, s = t.connection()
    child = c.host.fork()
    agent = watch(t)
    s("linger(s); s.close()")
    expect(t, s, "local_reset", "linger", "established", via=CLOSED_SEED)
    expect(t, c, "peer_lost", "reset", "established", error=c.error(), process="shared",
           extra={"owner.holders": Set([c.host.pid, child.pid])})
    t.finish()
    t.settle()
    t.check(agent)


@seeded
def seed_several_and_one_reads(t):
    """A thread that sleeps on the socket proves that its process holds it."""
    c, s = t.connection()
    child = s.host.fork()
    child("h = blocked(in_thread(s.recv, 1))")
    agent = watch(t)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    holders = [s.host.pid, child.pid]
    s.host = child
    expect(t, s, "peer_lost", "reset", "established", error=child("outcome(h)"),
           extra={"owner.holders": OneOf(None, Set(holders))})
    t.finish()
    t.settle()
    t.check(agent)


def one_is_left(t):
    """The other holder has closed the connection since the agent started: the child has the only descriptor."""
    c, s = t.connection()
    child = s.host.fork()
    agent = watch(t)
    s("s.close()")
    s.host = child
    return c, s, agent


@seeded
def seed_several_and_one_is_left(t):
    c, s, agent = one_is_left(t)
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    expect(t, s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("holder", "closer"))
    t.finish()
    t.check(agent)


@seeded
def seed_several_and_one_closes(t):
    """The last holder resets the connection."""
    c, s, agent = one_is_left(t)
    s("linger(s); s.close()")
    expect(t, s, "local_reset", "linger", "established", via=OneOf("closer"))
    expect(t, c, "peer_lost", "reset", "established", error=c.error())
    t.check(agent)


@seeded
def seed_several_that_exit(t):
    """Both holders exit at once after the loss: neither is named."""
    c, s = t.connection()
    child = s.host.fork()
    s.witness = t.beside(s.host, "witness")
    agent = watch(t)
    for host in child, s.host:
        host.start("while state(s) != 'close': pass\nos._exit(0)")
    c("linger(s); s.close()")
    expect(t, c, "local_reset", "linger", "established", via=CLOSED_SEED)
    s.ended()
    expect(t, s, "peer_lost", "reset", "established", error="ECONNRESET", process=OneOf("shared", "holder_gone"),
           extra={"owner.holders": OneOf(None, Set([s.host.pid]), Set([child.pid]), Set([s.host.pid, child.pid]))})
    t.finish()
    t.check(agent)


@seeded
def seed_several_listen(t):
    """Two processes share a listener that is older than the agent. Which one called listen() is not known."""
    client, server = t.pair()
    t.listen(server)
    child = server.fork()
    agent = watch(t)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET", process="shared",
             extra={"owner.holders": Set([server.pid, child.pid])})
    t.finish()
    t.settle()
    t.check(agent)


@seeded
def seed_several_listen_and_one_accepts(t):
    """The worker that accepted is known by its descriptor."""
    client, server = t.pair()
    t.listen(server)
    child = server.fork()
    agent = watch(t)
    c = t.connect(client, server)
    s = t.accept(child)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("accept", "holder", "closer"))
    t.finish()
    t.check(agent)


@seeded
def seed_orphan(t):
    """Closed with data in flight before the agent started: the owner is unknown."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(300)); s.close()")
    agent = watch(t)
    c("sysctls(orphan_retries=1)")
    c.ended()
    expect(t, c, "peer_lost", "retransmit_timeout", "orphaned", unacked=300, process="not_seen",
           extra={"owner.via": Absent()})
    t.check(agent)


@seeded
def seed_idle(t):
    """A connection that stays open gives no event."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    agent = watch(t)
    c("s.send(b'x')")
    s("s.recv(1)")
    t.check(agent)
