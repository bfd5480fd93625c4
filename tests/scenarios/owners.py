# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who held the connection, in every way that a descriptor can come to a process."""
from host import Process
from trial import End, OneOf, Set, one_family, scenario

# The process was found by its descriptor, or gave itself away when it closed; or it was there from the birth on.
FOUND = OneOf("holder", "closer")
ANYHOW = OneOf("connect", "accept", "holder", "closer")
NOBODY = OneOf("holder_gone", "shared", "socket_gone", "not_seen")


def reset_by_client(t, c, s, **fields):
    """The client resets; fields say whom the server's end belongs to."""
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    error = s.error() if "error" not in fields else fields.pop("error")
    t.expect(s, "peer_lost", "reset", "established", error=error, **fields)


@scenario()
def owner_forked_after_accept(t):
    """The parent accepts, the child serves: sshd, PostgreSQL."""
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    s.host = child
    reset_by_client(t, c, s, via=FOUND)


@one_family
def owner_forked_child_closes(t):
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    s.host = child
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established", via=FOUND)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


@one_family
def owner_forked_child_closes_in_order(t):
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    s.host = child
    s("s.close()")
    c("reached(s, 'close_wait')")
    t.expect(c, "peer_closed", "fin", "established")
    s.ended()
    t.expect(s, "local_closed", "close", "orphaned")


def workers(t):
    """A master that listens, and two workers that accept."""
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
    """The worker accepts and never reads: only its descriptor tells."""
    client, master, one, two = workers(t)
    c = t.connect(client, master)
    s = t.accept(one)
    reset_by_client(t, c, s, error="ECONNRESET", via=FOUND)
    s.host("reached(s, 'close')")


@one_family
def owner_worker_peer_closed(t):
    """The same for an orderly end."""
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
    """Master and workers hold the listener; who called listen() is named, the others with it."""
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
    """Who listened has handed the listener on."""
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
    """Two processes with a listener each on one port, and a connection in the queue of the one that is returned."""
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
    """SO_REUSEPORT: who accepted it, not who happens to listen on the same port."""
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
    """The right one of the two, or nobody."""
    c, server = two_listeners(t)
    s = t.waiting(server, c)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s.ended()
    t.expect(s, "peer_lost", "reset", "unaccepted", error="ECONNRESET")
    may_be_unknown(t, server)


@one_family
def owner_of_two_addresses_unaccepted(t):
    """Two processes listen on one port of different addresses."""
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
    """No owner is better than a wrong one."""
    fields = t.truths[-1].fields
    for name in [name for name in fields if name.startswith("process.") or name.startswith("owner.")]:
        fields.pop(name)
    fields["process.pid"] = OneOf(None, host.pid)


@one_family
def owner_by_syn_cookie(t):
    """No request was kept; the listener is known all the same."""
    client, server = t.pair()
    server("sysctls(syncookies=2)")
    c, s = t.connection(client, server)
    reset_by_client(t, c, s)


def passed_on(t, s, name="other"):
    """A process with no relation to the server's gets a Unix socket to it: `u` there, `v` here."""
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
    """Sent over a Unix socket, closed by the sender and not yet received: nobody holds it."""
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
    """Parent and child both hold it: all are told, and the one that had it from its birth is named."""
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
    """Two children hold it and the parent does not: no one of them can be named."""
    c, s = t.connection()
    children = [s.host.fork(), s.host.fork()]
    s("s.close()")
    s.host = children[0]
    reset_by_client(t, c, s, process="shared", extra={"owner.holders": Set([child.pid for child in children])})


@one_family
def owner_duplicated(t):
    """Two descriptors of one process are one holder."""
    c, s = t.connection()
    s("d = s.dup()")
    reset_by_client(t, c, s, via=OneOf("accept", "holder"))


@one_family
def owner_inherited_from_dead(t):
    """Connected by a parent that is gone; the child has it."""
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
    """exec after accept, as inetd does it: the process of now, under its name of now."""
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
    """Connected first, then another program: same process, other name."""
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
    """The name is that at the drop, not that at the birth."""
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
    """The pid is that of the agent's namespace, beside the process's own."""
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
    """A thread with a name of its own connects; the process is named after its leader."""
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
    """A thread waits in recv(), which is one more reference to the file, and none to a process."""
    c, s = t.connection()
    s("h = blocked(in_thread(s.recv, 1))")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s("outcome(h)"), via=ANYHOW)


@one_family
def owner_thread_closes(t):
    """One thread waits in recv(), another closes the descriptor: only the waiting one still has the socket."""
    c, s = t.connection()
    s("h = blocked(in_thread(s.recv, 1))")
    s("os.close(s.detach())")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    t.expect(s, "peer_lost", "reset", "established", error=s("outcome(h)"), via=ANYHOW)


@one_family
def owner_exits_at_once(t):
    """It reads the error and is gone."""
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
    child = s.host.fork()
    s("s.close()")
    s.host = child
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", via=FOUND)
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    child.kill()


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
    """Another thread of the kernel's does it, in the process's name."""
    ring(t, 1 << 4)
