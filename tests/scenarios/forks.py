# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Processes that fork and execute programs around a loss: the owner is the one that held the connection then, by the
name that it had then."""
import os
import tempfile

from host import Process
from other_end import first, peer
from owners import ANYHOW
from trial import End, OneOf, one_family, scenario

crowd = scenario(families=("ipv4", "ipv6"), heavy=True)

# A child of the worker. It has every descriptor, and runs `body`; the worker reads from `told` when it has run it.
CHILD = """
def child(body):
    global told, pid
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it ends with the worker
            body()
            os.write(tell, b'x')
            time.sleep(300)
        finally:
            os._exit(0)
    os.close(tell)
"""


# Before the agent looks at the descriptors of the process.
AT_ONCE = "while state(s) != 'close': pass\n"


def after_the_loss(t, source):
    """The server loses its client, and only then runs `source`."""
    c, s = t.connection()
    lose_and(t, c, s, source)


def lose_and(t, c, s, source):
    s(CHILD)
    s.host.start(AT_ONCE + source)
    c("linger(s); s.close()")
    s.host.finish()
    t.expect(c, "local_reset", "linger", "established", extra=first(s))
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW, extra=peer(c))


@scenario()
def child_forked_after_the_loss(t):
    """The child has the only descriptor that is left."""
    after_the_loss(t, "child(lambda: None); s.close(); os.read(told, 1)")


@one_family
def child_forked_after_the_loss_exits(t):
    """The child drops the last descriptor."""
    after_the_loss(t, "child(lambda: (time.sleep(0.02), os._exit(0))); s.close(); os.read(told, 1)")


@scenario()
def program_executed_after_the_loss(t):
    """A hook that inherits the descriptor."""
    after_the_loss(t, "os.set_inheritable(s.fileno(), True)\n"
                   "child(lambda: os.execv('/bin/sleep', ['sleep', '300'])); s.close(); os.read(told, 1)")


@one_family
def grandchild_forked_after_the_loss(t):
    """The child in between has exited."""
    after_the_loss(t, "child(lambda: os.fork() and os._exit(0) or signal.alarm(5)); s.close(); os.read(told, 1)")


@one_family
def child_forked_after_the_loss_by_a_worker(t):
    """The worker shares its listener with the master, so that only its descriptor identified it."""
    client, master = t.pair()
    t.listen(master)
    worker = master.fork()
    c = t.connect(client, master)
    s = t.accept(worker)
    lose_and(t, c, s, "child(lambda: None); s.close(); os.read(told, 1)")


@one_family
def child_forked_after_many_losses(t):
    """100 connections are lost, and one child has them all."""
    client, server = t.pair()
    n = t.many(100)
    server(CHILD + "l = listen(256)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    server("all = [l.accept()[0] for _ in range(n)]", n=n)
    ends = [End(client, "client", **facts) for facts in client("list(map(about, all))")]
    served = [End(server, "server", **facts) for facts in server("list(map(about, all))")]
    server.start("s = all[-1]\n" + AT_ONCE + "child(lambda: None)\nfor s in all: s.close()\nos.read(told, 1)")
    client("for s in all: linger(s); s.close()")
    server.finish()
    for end in ends:
        t.expect(end, "local_reset", "linger", "established", extra=first(served[0]))
    for end in served:
        t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW)


@one_family
def child_forked_before_the_loss_takes_over(t):
    """The child is the owner, though it began after the connection and its parent lives."""
    c, s = t.connection()
    s.hand_on()
    s("time.sleep(1.1)")  # longer ago than a child needs to execute a program
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established", extra=first(s))
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), via=OneOf("holder", "closer"))


# A server whose thread starts programs all the time: each has a copy of every connection until it executes.
SPAWN = {
    "fork": "subprocess.run(['/bin/true'], preexec_fn=lambda: None)",
    "spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
}


def spawning_server(t, how, worker=False):
    """100 connections; returns the server, the client's ends and the server's."""
    client, server = t.pair()
    n = t.many(100)
    server("l = listen(256)")
    holder = server.fork() if worker else server
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    holder("import resource\nall = [l.accept()[0] for _ in range(n)]", n=n)
    served = [End(holder, "server", **facts) for facts in holder("list(map(about, all))")]
    ends = [End(client, "client", **facts) for facts in client("list(map(about, all))")]
    holder("over = False\ndef spawn():\n while not over:\n  %s\nspawner = in_thread(spawn)" % SPAWN[how])
    return holder, ends, served


def lose(t, how, worker=False):
    """The clients reset; the server closes each connection at once."""
    server, ends, served = spawning_server(t, how, worker)
    server.start("for s in all: reached(s, 'close'); s.close()\nover = True; spawner.join()")
    ends[0].host("for s in all: linger(s); s.close(); time.sleep(0.004)")
    server.finish(60)
    for end in ends:
        t.expect(end, "local_reset", "linger", "established", extra=first(served[0]))
    for end in served:
        t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW,
                 extra={"owner.holders": OneOf(None, AnyOf(server.pid))})
    return ends, served


class AnyOf:
    """An array that has this value."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, values):
        return values is not None and self.value in values

    def __repr__(self):
        return "(with %r)" % self.value


@crowd
def spawning_server_loses(t):
    lose(t, "fork")


@crowd
def posix_spawning_server_loses(t):
    lose(t, "spawn")


@scenario(families=("ipv4",), heavy=True)
def spawning_worker_loses(t):
    """The worker shares its listener with the master."""
    lose(t, "fork", worker=True)


def close(t, how):
    """The server closes, half of the connections with a request unread. A child may drop the last reference. Spawning
    keeps the machine busy, so that the other end may be found too late."""
    server, ends, served = spawning_server(t, how)
    ends[0].host("for s in all[::2]: s.send(b'request')")
    server("for s in all[::2]: wait(lambda: unread(s) == 7)")
    server("for s in all: s.close(); time.sleep(0.004)\nover = True; spawner.join()")
    ends[0].host("for s in all: reached(s, 'close', 'close_wait')")
    for number, (end, other) in enumerate(zip(ends, served)):
        if number % 2:
            t.expect(end, "peer_closed", "fin", "established", extra=peer(other, maybe=True))
            t.expect(other, "local_closed", "close", OneOf("orphaned", "established"), via=OneOf("closer", "accept"),
                     optional=True)
        else:
            t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", extra=peer(other, maybe=True))
            t.expect(other, "local_reset", "unread_data", "established", unread=7, via=OneOf("closer", "accept"))
    ends[0].host("for s in all: s.close()")


@crowd
def spawning_server_closes(t):
    close(t, "fork")


@crowd
def posix_spawning_server_closes(t):
    close(t, "spawn")


# A child that executes its program late.

SPAWNED_LATE = """
def launch(program, *steps):
    'Spawn a program, whose process first opens each path and closes each descriptor among the steps.'
    actions = ctypes.create_string_buffer(256)
    libc.posix_spawn_file_actions_init(actions)
    for step in steps:
        if isinstance(step, int):
            libc.posix_spawn_file_actions_addclose(actions, step)
        else:
            libc.posix_spawn_file_actions_addopen(actions, 0, step, os.O_RDONLY, 0)
    in_thread(lambda: libc.posix_spawn(None, program, actions, None, (ctypes.c_char_p * 2)(program, None), None))

def let(gate):
    'Returns when the process has opened that FIFO.'
    os.close(os.open(gate, os.O_WRONLY))
"""


def spawns_late(t, program, *steps):
    """The server closes while its child, which shares its memory, has not executed a program."""
    c, s = t.connection()
    with tempfile.TemporaryDirectory() as folder:
        gates = [os.path.join(folder, name).encode() for name in ("forked", "closed", "go")]
        for gate in gates:
            os.mkfifo(gate)
        s(SPAWNED_LATE)
        c("s.send(b'unread')")
        s("wait(lambda: unread(s) == 6); launch(program, *gates[:2], *steps, gates[2])", program=program, gates=gates,
          steps=[s("s.fileno()") for _ in steps])
        s("let(gates[0]); s.close(); let(gates[1])")
        s("time.sleep(1.1); let(gates[2])")
        t.expect(c, "peer_lost", "reset", "established", error=c.error(), extra=peer(s))
    t.expect(s, "local_reset", "unread_data", "established", unread=6, via="closer")


@scenario()
def spawned_child_executes_late(t):
    spawns_late(t, b"/bin/true")


@scenario()
def spawned_child_closes_and_executes_late(t):
    spawns_late(t, b"/bin/true", "close")


@one_family
def spawned_child_finds_no_program(t):
    spawns_late(t, b"/nowhere")


STARVE = """
def starve():
    'From now on the child has its only CPU when nobody else wants it.'
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

def feed():
    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))

def close_after_the_parent():
    while not select.select([closed], [], [], 0)[0]: pass  # it does not sleep
    os.close(s.fileno())

def execute():
    while time.process_time() < 0.4: pass
    os.execv('/bin/true', ['true'])
"""


def gets_no_cpu(t, source, closes=False):
    """The server closes while its child, which runs `source`, has not executed a program."""
    client, server = t.pair()
    rival = server.fork()  # of the same session: each has a share of the CPU
    c, s = t.connection(client, server)
    cpu = max(os.sched_getaffinity(0))
    rival("def burn():\n while True: pass\nos.sched_setaffinity(0, {cpu}); in_thread(burn)", cpu=cpu)
    s(CHILD + STARVE)
    c("s.send(b'unread')")
    s("wait(lambda: unread(s) == 6); closed, close = os.pipe()\n"
      "child(lambda: (%s)); s.close(); os.write(close, b'x')" % source, cpu=cpu)
    error = c.error() if closes else None
    s("time.sleep(1.1)")
    t.premise(s("open('/proc/%d/comm' % pid).read()") == "server\n", "the child has got a CPU")
    rival.kill_alone()
    s("feed(); os.waitpid(pid, 0)")
    t.expect(c, "peer_lost", "reset", "established", error=error or c.error(), extra=peer(s))
    t.expect(s, "local_reset", "unread_data", "established", unread=6, via="closer")


@scenario()
def forked_child_gets_no_cpu(t):
    gets_no_cpu(t, "starve(), execute()")


@scenario()
def forked_child_closes_and_gets_no_cpu(t):
    gets_no_cpu(t, "starve(), close_after_the_parent(), execute()", closes=True)


# The name after execve(2).

def runs(t, source):
    """A client whose process executes `source` when it has been told to; its facts from before."""
    client, server = t.pair()
    t.listen(server)
    worker = t.beside(client, "before")
    worker("s = tcp(); s.connect(target)", target=server("HERE, l.getsockname()[1]"))
    c, s = End(worker, "client"), t.accept(server)
    c.witness = client
    worker.start(source)
    return c, s


def has_executed(t, c):
    t.hosts[0]("wait(lambda: open('/proc/%d/comm').read() == 'sleep\\n', 'exec')" % c.host.pid)


KEEP = "os.dup2(s.fileno(), 0); "
EXEC = "os.execv('/bin/sleep', ['sleep', '300'])"
TWICE = "os.execv('/bin/sh', ['sh', '-c', 'exec sleep 300'])"
WAIT = "wait(lambda: state(s) == 'close'); "


def executes_after_the_loss(t, source):
    c, s = runs(t, WAIT + source)
    s("linger(s); s.close()")
    has_executed(t, c)
    t.expect(s, "local_reset", "linger", "established", extra=first(c))
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", via=ANYHOW, extra=peer(s))


@scenario()
def executes_after_the_loss_and_keeps_the_connection(t):
    executes_after_the_loss(t, KEEP + EXEC)


@scenario()
def executes_after_the_loss_and_drops_the_connection(t):
    executes_after_the_loss(t, EXEC)


@one_family
def executes_twice_after_the_loss(t):
    executes_after_the_loss(t, KEEP + TWICE)


@one_family
def executes_after_the_loss_in_a_thread(t):
    executes_after_the_loss(t, KEEP + "in_thread(lambda: %s); time.sleep(300)" % EXEC)


@scenario()
def executing_closes_with_unread_data(t):
    c, s = runs(t, "wait(lambda: unread(s) == 6); " + EXEC)
    s("s.send(b'unread')")
    has_executed(t, c)
    t.expect(c, "local_reset", "unread_data", "established", unread=6, executing=True, extra=first(s))
    t.expect(s, "peer_lost", "reset", "established", error=s.error(), extra=peer(c))


@scenario()
def executing_closes_in_order(t):
    """The program that is executed has no descriptor of the connection."""
    c, s = runs(t, "wait(lambda: unread(s) == 2); s.recv(2); " + EXEC)
    s("s.send(b'go')")
    has_executed(t, c)
    s("reached(s, 'close_wait')")
    t.expect(s, "peer_closed", "fin", "established", extra=peer(c))
    t.settle()
    s("s.close()")
    s.ended()
    t.expect(c, "local_closed", "close", "orphaned", executing=True)


@one_family
def executing_closes_many(t):
    client, server = t.pair()
    t.listen(server)
    worker = t.beside(client, "before")
    n = t.many(50)
    worker("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    ends = [End(worker, "client", **facts) for facts in worker("list(map(about, all))")]
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: s.send(b'unread')", n=n)
    worker("for s in all: wait(lambda: unread(s) == 6)")
    served = [End(server, "server", **facts) for facts in server("list(map(about, all))")]
    worker.start(EXEC)
    server("for s in all: reached(s, 'close')")
    for end in ends:
        t.expect(end, "local_reset", "unread_data", "established", unread=6, executing=True, extra=first(served[0]))
    for end in served:
        t.expect(end, "peer_lost", "reset", "established", error="ECONNRESET", extra=peer(ends[0]))


@one_family
def executing_closes_a_listener(t):
    """Connections that nobody has accepted are reset."""
    client, server = t.pair()
    worker = t.beside(server, "before")
    t.listen(worker)
    c = t.connect(client, worker)
    s = t.waiting(worker, c)
    s.witness = server
    worker.start(EXEC)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())
    s.ended()
    t.expect(s, "local_reset", "listener_closed", "unaccepted", executing=True)


@one_family
def executed_before_the_loss_closes_itself(t):
    """A program that inherited the connection closes it."""
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    child.start("os.dup2(s.fileno(), 0); os.execv('/bin/sh', ['sh', '-c', 'read go; exec 0<&-; exec sleep 300'])")
    s("wait(lambda: open('/proc/%d/comm').read() == 'sh\\n', 'exec')" % child.pid)
    child.process = Process(child.pid)
    s.host, s.witness = child, t.hosts[0]
    c("s.send(b'go\\nunread')")
    t.expect(s, "local_reset", "unread_data", "established", unread=OneOf(None, 6), via=OneOf("closer", "holder"))
    t.expect(c, "peer_lost", "reset", "established", error=c.error())


def works_and_executes(t, source):
    """The child served the connection until then, so it is the owner, by its former name."""
    c, s = t.connection()
    child = s.host.fork()
    s("s.close()")
    s.host, s.witness = child, t.hosts[0]
    c("s.send(b'unread')")
    child("wait(lambda: unread(s) == 6); " + source)
    child.start(EXEC)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())
    t.expect(s, "local_reset", "unread_data", "established", unread=6, executing=True, via="closer")


@one_family
def child_executes_long_after_its_fork(t):
    works_and_executes(t, "time.sleep(1.1)")


COMPUTE = "until = time.process_time() + 1.1\nwhile time.process_time() < until: pass"


@one_family
def child_computes_and_executes(t):
    works_and_executes(t, COMPUTE)


@one_family
def child_closes_and_computes(t):
    """It never executes a program."""
    c, s = t.connection()
    s.hand_on()
    s("linger(s); s.close(); " + COMPUTE)
    t.expect(c, "peer_lost", "reset", "established", error=c.error())
    t.expect(s, "local_reset", "linger", "established", via="closer")
