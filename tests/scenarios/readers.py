# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The last reference to a socket goes in read(2): in the application's own, or in one that never used the socket."""
import clock

from owners import FOUND, NOBODY, workers
from trial import End, Maybe, one_family, scenario

READ = "h = [blocked(in_thread(os.read, f, 1), 'read') for f in fds]"


def served(t, n=1):
    """A pre-forked worker serves n connections by descriptor; the process that listened is not their holder."""
    client, master, one, two = workers(t)
    client("all = []")
    two("fds = []")
    ends = []
    for _ in range(n):
        c = t.connect(client, master)
        ends.append((c, t.accept(two)))
        client("all.append(s)")
        two("fds.append(s.detach())")
    return client, two, ends


def lose_unread(t, client, worker, ends, via=FOUND, **fields):
    """The reader takes one byte of three and drops the last reference: the kernel resets the peer."""
    client("for s in all: s.send(b'xyz')")
    for c, s in ends:
        c.ended()
        t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET")
        t.expect(s, "local_reset", "unread_data", "established", unread=2, via=via, **fields)


@scenario()
def reader_closes(t):
    """One thread sleeps in read(), another closes the descriptor: the reader lets go last."""
    client, worker, ends = served(t)
    worker(READ + "\nfor f in fds: os.close(f)")
    lose_unread(t, client, worker, ends)


@one_family
def reader_closes_many(t):
    client, worker, ends = served(t, t.many(50))
    worker(READ + "\nfor f in fds: os.close(f)")
    lose_unread(t, client, worker, ends)


@scenario()
def reader_descriptor_reused(t):
    """The number of the closed descriptor belongs to the next connection."""
    client, worker, ends = served(t)
    t.connect(client, worker)
    client("kept = s")
    t.accept(worker)
    worker(READ + "\nfor f in fds: os.dup2(s.fileno(), f)")
    lose_unread(t, client, worker, ends)


@one_family
def reader_descriptor_reused_otherwise(t):
    """The number belongs to another kind of file: what read() reads from is not known then."""
    client, worker, ends = served(t)
    worker(READ + "\np = os.pipe()\nfor f in fds: os.dup2(p[0], f)")
    lose_unread(t, client, worker, ends, via=None, process=NOBODY)


@one_family
def reader_exits(t):
    """The worker ends as soon as its reader has returned."""
    client, worker, ends = served(t)
    ends[0][0].witness = t.beside(client, "witness")
    worker(READ + "\nfor f in fds: os.close(f)")
    worker.start("[thread.join() for thread in h]\nos._exit(0)")
    lose_unread(t, client, worker, ends)


@one_family
def reader_reset(t):
    client, worker, ends = served(t)
    worker(READ + "\nfor f in fds: os.close(f)")
    client("linger(s); s.close()")
    t.expect(ends[0][0], "local_reset", "linger", "established")
    worker("[thread.join() for thread in h]")
    t.expect(ends[0][1], "peer_lost", "reset", "established", error="ECONNRESET", via=FOUND)


@scenario(families=("ipv4",), own=True)
def reader_after_walk(t):
    """The agent's walk saw the process that accepted alone with the socket. Then it forked, and its child reads."""
    client, server = t.pair()
    agent = t.agent("--json", "--all")
    other = t.beside(server, "other")
    c, s = t.connection(client, server)
    client("all = [s]")
    other("l = listen()")
    d = t.connect(t.beside(client, "second"), other)
    e = t.accept(other)
    d.host.fork()
    d("s.close()")
    child = d.host.children[0]
    e("linger(s); s.close()")
    d.host = child
    t.expect(e, "local_reset", "linger", "established")
    t.expect(d, "peer_lost", "reset", "established", error=child.error("lost(s)"), via=FOUND)
    t.settle()
    worker = server.fork()
    server("s.close()")
    worker("fds = [s.detach()]\n" + READ + "\nos.close(fds[0])")
    s.host = worker
    lose_unread(t, client, worker, [(c, s)])
    # A worker that was forked just now may still execute a program: the owner is not known at once.
    clock.wait(lambda: b"unread_data" in agent.written(), "the event of the worker")
    t.check(agent)


@one_family
def message_discarded(t):
    """read() of a Unix socket discards the descriptor in a message; it was the last. Its reader never had the socket."""
    c, s = t.connection()
    reader = t.beside(s.host, "reader")
    s("path = '\\0lostpeer-%d' % os.getpid(); u = socket.socket(socket.AF_UNIX); u.bind(path); u.listen(1)")
    reader("u = socket.socket(socket.AF_UNIX); u.connect(path)", path=s("path"))
    s("a = u.accept()[0]; socket.send_fds(a, [b'x'], [s.fileno()]); s.close()")
    c("s.send(b'xyz')")
    c("wait(lambda: queued(s) == 0)")
    reader("os.read(u.fileno(), 1)")
    c.ended()
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET")
    t.expect(s, "local_reset", "unread_data", "established", unread=3, process=NOBODY)


@scenario(families=("ipv4",), heavy=True)
def closed_beside_fdinfo(t):
    """Another process reads /proc/PID/fdinfo of a server that closes connections with an unread byte. It may drop the
    last reference, and then the owner may be unknown; it is never that process."""
    client, server = t.pair()
    n = t.many(300)
    server("l = listen(1024)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target); s.send(b'x')", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: wait(lambda: unread(s), 'a byte')", n=n)
    monitor = t.beside(server, "monitor")
    monitor("def look():\n for name in os.listdir(path):\n  try: open(path + name, 'rb', 0).read(4096)\n"
            "  except OSError: pass", path="/proc/%d/fdinfo/" % server.pid)
    ends = [End(host, role, **facts) for host, role in ((client, "client"), (server, "server"))
            for facts in host("list(map(about, all))")]
    monitor.start("for _ in range(20): look()")
    server("for s in all: s.close(); time.sleep(0.0005)")
    monitor.finish()
    client("for s in all: reached(s, 'close')")
    for end in ends:
        if end.role == "client":
            t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET")
        else:
            t.expect(end, "local_reset", "unread_data", "established", unread=1)
            name_or_nobody(t.truths[-1].fields)


def name_or_nobody(fields):
    for name in list(fields):
        if name.startswith("process.") and name != "process.pid" or name in ("owner.via", "owner.unknown"):
            del fields[name]
    fields["process.pid"] = Maybe(fields["process.pid"])
