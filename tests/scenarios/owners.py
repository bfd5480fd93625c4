# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The owner of the connection, for every way in which a process gets a descriptor."""
from host import Process
from trial import End, OneOf, Set, one_family, scenario

# The process was found by its descriptor or seen closing the socket; ANYHOW also allows the creator of the connection.
FOUND = OneOf("holder", "closer")
ANYHOW = OneOf("connect", "accept", "holder", "closer")
NOBODY = OneOf("holder_gone", "shared", "socket_gone", "not_seen")


def reset_by_client(t, c, s, **fields):
    """The client resets; `fields` describe the owner of the server's end."""
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    error = s.error() if "error" not in fields else fields.pop("error")
    t.expect(s, "peer_lost", "reset", "established", error=error, **fields)


@scenario()
def owner_forked_after_accept(t):
    """The parent accepts, the child serves, as in sshd and PostgreSQL."""
    c, s = t.connection()
    s.hand_on()
    reset_by_client(t, c, s, via=FOUND)


@one_family
def owner_forked_child_closes(t):
    c, s = t.connection()
    s.hand_on()
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", via=FOUND)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@one_family
def owner_forked_child_closes_in_order(t):
    c, s = t.connection()
    s.hand_on()
    s("s.close()")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    s.ended()
    t.expect(s, "local_closed", "close", "orphaned")


def workers(t):
    """A master that listens and two forked workers that accept."""
    client, master = t.pair()
    t.listen(master)
    return client, master, master.fork(), master.fork()


@scenario()
def owner_worker_reads(t):
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.accept(two)
    two.start("s.recv(1)")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    error = two.finish_error()
    t.expect(s, "peer_lost", "reset", "established", error=error, via=FOUND)


@one_family
def owner_worker_idle(t):
    """The worker accepts and never reads: only its descriptor identifies it."""
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.accept(one)
    reset_by_client(t, c, s, error="ECONNRESET", via=FOUND)
    s.host("reached(s, 'close')")


@one_family
def owner_worker_peer_closed(t):
    """The same with an orderly end."""
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.accept(one)
    c("s.close()")
    t.expect(c, "local_closed", "close", "orphaned")
    one("reached(s, 'close_wait')")
    c.ended()
    t.expect(s, "peer_closed", "fin", "established", via=FOUND)


@one_family
def owner_unaccepted_of_listen_caller(t):
    """Master and workers hold the listener: the event names the caller of listen() and lists all as holders."""
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.waiting(master, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET",
             extra={"owner.holders": OneOf(None, Set([master.pid, one.pid, two.pid]))})


@one_family
def owner_unaccepted_of_one_worker(t):
    """The caller of listen() has closed the listener; a worker holds it."""
    client, master = t.pair()
    t.listen(master)
    worker = master.fork()
    c = t.connect(client, master)
    s = t.waiting(master, c)
    master("l.close()")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    s.host = worker
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET")


@one_family
def owner_unaccepted_of_two_workers(t):
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.waiting(master, c)
    master("l.close()")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET", process="shared",
             extra={"owner.holders": Set([one.pid, two.pid])})


def two_listeners(t):
    """Two processes listen on one port with SO_REUSEPORT. Returns the client's end and the process that got it."""
    client, one = t.pair()
    two = t.beside(one, "two")
    reuse = "l = tcp(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); l.bind((ANY, port)); l.listen(5)"
    one("port = 0; " + reuse)
    two(reuse, port=one("l.getsockname()[1]"))
    c = t.connect(client, one)
    one("wait(lambda: entry(%d, %d) == 'established')" % (c.peer[1], c.local[1]))
    ready = [host for host in (one, two) if host("bool(select.select([l], [], [], 0)[0])")]
    t.premise(len(ready) == 1, "the connection is in one queue")
    return c, ready[0]


@scenario()
def owner_of_two_listeners(t):
    """The owner is the process that accepted, not the other listener."""
    c, server = two_listeners(t)
    reset_by_client(t, c, t.accept(server), via=ANYHOW)


@one_family
def owner_of_two_listeners_closed(t):
    c, server = two_listeners(t)
    s = t.accept(server)
    c("s.close()")
    t.expect(c, "local_closed", "close", "orphaned")
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established", via=ANYHOW)
    c.ended()


@scenario()
def owner_of_two_listeners_unaccepted(t):
    """The event names the right listener or none."""
    c, server = two_listeners(t)
    s = t.waiting(server, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET")
    may_be_unknown(t, server)


@one_family
def owner_of_two_addresses_unaccepted(t):
    """Two processes listen on the same port of different addresses."""
    client, one = t.pair()
    two = t.beside(one, "two")
    two("l = tcp(); l.bind(('127.0.0.1', 0)); l.listen(5)")
    one("l = tcp(); l.bind((HERE, port)); l.listen(5)", port=two("l.getsockname()[1]"))
    c = t.connect(client, one)
    s = t.waiting(one, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET")
    may_be_unknown(t, one)


def may_be_unknown(t, host):
    """Allow the last truth's owner to be unknown, but not wrong."""
    fields = t.truths[-1].fields
    for name in [name for name in fields if name.startswith("process.") or name.startswith("owner.")]:
        fields.pop(name)
    fields["process.pid"] = OneOf(None, host.pid)


@one_family
def owner_by_syn_cookie(t):
    """With SYN cookies no request exists, but the listener is still known."""
    client, server = t.pair()
    server("sysctls(syncookies=2)")
    c, s = t.connection(client, server)
    reset_by_client(t, c, s)


def passed_on(t, s, name="other"):
    """Make a process unrelated to the server and send it the descriptor over a Unix socket: `u` there, `v` here."""
    other = t.beside(s.host, name)
    s("u = socket.socket(socket.AF_UNIX); u.bind('\\0lostpeer-%d' % os.getpid()); u.listen(1)")
    other("u = socket.socket(socket.AF_UNIX); u.connect('\\0lostpeer-%d')" % s.host.pid)
    s("v = u.accept()[0]; socket.send_fds(v, [b'x'], [s.fileno()])")
    return other


@scenario()
def owner_by_scm_rights(t):
    c, s = t.connection()
    other = passed_on(t, s)
    other("s = socket.socket(fileno=socket.recv_fds(u, 1, 1)[1][0])")
    s("s.close()")
    s.host = other
    reset_by_client(t, c, s, via=FOUND)


@one_family
def owner_in_flight(t):
    """Sent over a Unix socket, closed by the sender and not yet received: no process holds it."""
    c, s = t.connection()
    other = passed_on(t, s)
    s("s.close()")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", process=NOBODY)
    other("time.sleep(1)")


@one_family
def owner_by_pidfd_getfd(t):
    c, s = t.connection()
    other = t.beside(s.host, "other")
    fd = s("s.fileno()")
    other("p = os.pidfd_open(pid); fd = libc.syscall(438, p, fd, 0)", pid=s.host.pid, fd=fd)
    if other("fd") < 0:
        t.skip("no pidfd_getfd")
    other("s = socket.socket(fileno=fd)")
    s("s.close()")
    s.host = other
    reset_by_client(t, c, s, via=FOUND)


@one_family
def owner_several(t):
    """Parent and child hold the socket: the event lists both and names the one that accepted."""
    c, s = t.connection()
    child = s.host.fork()
    reset_by_client(t, c, s, via=OneOf("accept", "holder"), extra={"owner.holders": Set([s.host.pid, child.pid])})


@one_family
def owner_several_of_client(t):
    c, s = t.connection()
    child = c.host.fork()
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), via=OneOf("connect", "holder"),
             extra={"owner.holders": Set([c.host.pid, child.pid])})


@one_family
def owner_several_without_first(t):
    """Two children hold the socket and the parent does not: the event names neither."""
    c, s = t.connection()
    children = [s.host.fork(), s.host.fork()]
    s("s.close()")
    s.host = children[0]
    reset_by_client(t, c, s, process="shared", extra={"owner.holders": Set([child.pid for child in children])})


@one_family
def owner_duplicated(t):
    """A process with two descriptors is one holder."""
    c, s = t.connection()
    s("d = s.dup()")
    reset_by_client(t, c, s, via=OneOf("accept", "holder"))


@one_family
def owner_inherited_from_dead(t):
    """The parent connects and exits; the child holds the socket."""
    client, server = t.pair()
    t.listen(server)
    parent = t.beside(client, "parent")
    parent("s = tcp(); s.connect(target)", target=server("HERE, l.getsockname()[1]"))
    child = parent.fork()
    c = End(parent, "client")
    s = t.accept(server)
    parent.kill_alone()
    c.host = c.witness = child
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error(), via=FOUND)


@one_family
def owner_executed(t):
    """exec after accept, as in inetd: the event has the process's current name."""
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    child.start("os.dup2(s.fileno(), 0); os.execv('/bin/sleep', ['sleep', '300'])")
    s("wait(lambda: open('/proc/%d/comm').read() == 'sleep\\n', 'exec')" % child.pid)
    child.process = Process(child.pid)
    s.host = child
    s.witness = t.hosts[0]
    reset_by_client(t, c, s, error="ECONNRESET", via=FOUND)


@one_family
def owner_executed_connector(t):
    """The process connects and then executes another program: same process, other name."""
    client, server = t.pair()
    t.listen(server)
    worker = t.beside(client, "before")
    worker("s = tcp(); s.connect(target)", target=server("HERE, l.getsockname()[1]"))
    c, s = End(worker, "client"), t.accept(server)
    worker.start("os.dup2(s.fileno(), 0); os.execv('/bin/sleep', ['sleep', '300'])")
    client("wait(lambda: open('/proc/%d/comm').read() == 'sleep\\n', 'exec')" % worker.pid)
    worker.process = Process(worker.pid)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW)
    client("ended(%d, %d)" % (c.local[1], c.peer[1]))


@one_family
def owner_renamed(t):
    """The name is that at the drop, not that at connect or accept."""
    c, s = t.connection()
    s("libc.prctl(15, b'renamed', 0, 0, 0)")
    s.host.process.refresh()
    reset_by_client(t, c, s)


@one_family
def owner_with_euid(t):
    c, s = t.connection()
    s("os.seteuid(12345)")
    s.host.process.refresh()
    reset_by_client(t, c, s)


@one_family
def owner_in_pid_namespace(t):
    """The event has the pid in the agent's namespace and the one in the process's own."""
    client, server = t.pair()
    t.listen(server)
    server("libc.unshare(0x20000000)")
    inner = server.fork()
    t.premise(inner("os.getpid()") == 1, "a pid namespace of its own")
    inner("l.close(); l = listen()")
    c = t.connect(client, inner)
    s = t.accept(inner)
    reset_by_client(t, c, s, vpid=1)


@one_family
def owner_thread_connects(t):
    """A thread with its own name connects; the event has the name of the thread group leader."""
    client, server = t.pair()
    t.listen(server)
    client("s = tcp()\ndef go(): libc.prctl(15, b'a-thread', 0, 0, 0); s.connect(target)",
           target=server("HERE, l.getsockname()[1]"))
    t.premise(client("outcome(in_thread(go))") is None, "the thread connects")
    c, s = End(client, "client"), t.accept(server)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@one_family
def owner_thread_blocked(t):
    """A thread blocked in recv() holds another reference to the file, which must not count as a holder."""
    c, s = t.connection()
    s("h = blocked(in_thread(s.recv, 1))")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s("outcome(h)"), via=ANYHOW)


@one_family
def owner_thread_closes(t):
    """One thread is blocked in recv() when another closes the descriptor: only the blocked thread has the socket."""
    c, s = t.connection()
    s("h = blocked(in_thread(s.recv, 1))")
    s("os.close(s.detach())")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s("outcome(h)"), via=ANYHOW)


@one_family
def owner_exits_at_once(t):
    """The process reads the error and exits."""
    c, s = t.connection()
    c.witness = t.beside(c.host, "witness")
    c.host.start("try: s.recv(1)\nfinally: os._exit(0)")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    c.ended()
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW)


@one_family
def owner_killed_after(t):
    c, s = t.connection()
    s.hand_on()
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", via=FOUND)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.host.kill()


def ring(t, flags):
    client, server = t.pair()
    if client.error("import uring; ring = uring.Ring()") or server.error("import uring; ring = uring.Ring()"):
        t.skip("no io_uring here")
    server("l = listen()")
    client("s = tcp(); ring.connect(s, uring.sockaddr(AF, *target), %d)" % flags,
           target=server("HERE, l.getsockname()[1]"))
    server("s = socket.socket(fileno=ring.accept(l, %d))" % flags)
    c, s = End(client, "client"), End(server, "server")
    reset_by_client(t, c, s)


@scenario()
def owner_io_uring(t):
    ring(t, 0)


@one_family
def owner_io_uring_async(t):
    """A kernel worker thread runs the operation for the process."""
    ring(t, 1 << 4)
