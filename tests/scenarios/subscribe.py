# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The subscription socket: a user sees only events of its own connections, a subscriber cannot harm others, and the
examples learn of lost peers."""
import functools
import json
import os
import shutil
import socket
import subprocess

import clock
from agent_verb import LOSSES, Service
from check_verb import EXAMPLES
from trial import KERNEL, scenario

ONE = OTHER = None  # two users


def with_users(function):
    """Set ONE and OTHER to users that no concurrent scenario uses: they derive from the scenario's pid."""
    @functools.wraps(function)
    def run(t):
        global ONE, OTHER
        ONE = 100000 + os.getpid() * 4
        OTHER = ONE + 1
        function(t)
    return run


def subscribed(function):
    return scenario(families=("ipv4",), own=True)(with_users(function))


def portable(function):
    """Register a scenario whose result depends on the agent, not on the kernel."""
    return scenario(families=("ipv4",), own=True, portable=True)(with_users(function))


def alone(function):
    return scenario(families=("ipv4",), alone=True, portable=True)(with_users(function))

# For a worker: become another user, subscribe, and read events.
WORKER = """
import json
def become(uid, effective=None):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid if effective is None else effective, uid if effective is None else effective)
    libc.prctl(1, 9)  # PR_SET_PDEATHSIG, which is lost with the uid
def subscribe(path, line=""):
    global stream, lines
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    try:
        stream.sendall(line.encode() + b"\\n")
    except BrokenPipeError:
        pass
    lines = stream.makefile("rb")
    return json.loads(lines.readline())
def events_until(*cookies):
    "Read events until each of these sockets has had one."
    stream.settimeout(30 * SLOW)
    events, waiting = [], set(cookies)
    while waiting:
        events.append(json.loads(lines.readline()))
        waiting.discard(events[-1].get("tcp.cookie"))
    return events
def cookie(s):
    return about(s)["cookie"]
"""


class Reader:
    """A subscriber in this process, which is root."""

    def __init__(self, path, line=""):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.connect(path)
        self.stream.settimeout(30 * clock.SLOW)
        self.stream.sendall(line.encode() + b"\n" if isinstance(line, str) else line)
        self.data = b""
        self.answer = self.line()

    def line(self):
        while b"\n" not in self.data:
            part = self.stream.recv(1 << 16)
            if not part:
                return None
            self.data += part
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def events_until(self, *cookies):
        """Read events until each of these sockets has had one."""
        events, waiting = [], set(cookies)
        while waiting:
            events.append(self.line())
            assert events[-1] is not None, events[:-1]
            waiting.discard(events[-1].get("tcp.cookie"))
        return events


class Agent(Service):
    """An agent with a [subscribers] section; `socket` is its path."""

    def __init__(self, t, more="", **how):
        super().__init__(t, "[subscribers]\npath = DIR/events.sock\n" + more, **how)
        os.chmod(self.directory, 0o755)
        self.socket = self.path("events.sock")


def users(t, *uids):
    """A process of each user, all in one network namespace."""
    hosts = [t.loopback()]
    hosts += [t.beside(hosts[0], "user%d" % n) for n in range(1, len(uids))]
    for host, uid in zip(hosts, uids):
        host(WORKER + "become(uid)", uid=uid)
    return hosts


def join(client, server):
    """Connect the two; `s` at both ends. Returns both cookies."""
    server("l = listen()")
    client("s = tcp(); s.connect((HERE, port))", port=server("l.getsockname()[1]"))
    server("s = l.accept()[0]; l.close()")
    return client("cookie(s)"), server("cookie(s)")


def need_cookies(t):
    if KERNEL < (5, 12):
        t.skip("events have no cookie")


def is_of_only(events, uid, pid):
    return all(e["process.user.id"] == uid and e["process.pid"] == pid for e in events)


# Visibility.
@subscribed
def subscribe_two_users(t):
    """The ends of a connection belong to two users: each sees its own end, and nothing of the owner of the other."""
    need_cookies(t)
    agent = Agent(t)
    one, other = users(t, ONE, OTHER)
    root = Reader(agent.socket, "--all --netns %d" % one.netns)
    for host in one, other:
        answer = host("subscribe(path, '--all')", path=agent.socket)
        assert answer["subscribed"] and answer["schema"] == 1 and answer["time"], answer
    a, b = join(one, other)
    one("linger(s); s.close()")
    other("reached(s, 'close')")
    x, y = join(other, one)
    other("s.close()")
    one("reached(s, 'close_wait'); s.close()")
    seen = {one: one("events_until(a, y)", a=a, y=y), other: other("events_until(b, x)", b=b, x=x)}
    found = {host: sorted("%s/%s" % (e["event"], e["cause"]) for e in seen[host]) for host in seen}
    assert found == {one: ["local_reset/linger", "peer_closed/fin"], other: ["local_closed/close", "peer_lost/reset"]}, seen
    for host, uid in (one, ONE), (other, OTHER):
        assert is_of_only(seen[host], uid, host.pid), seen[host]
        names = {name for e in seen[host] for name in e if name.startswith(("peer.", "owner."))}
        assert names == {"owner.via"}, seen[host]
    whole = root.events_until(a, b, x, y)
    peers = {e["tcp.cookie"]: e.get("peer.process.pid") for e in whole}
    assert peers == {a: other.pid, b: one.pid, x: one.pid, y: other.pid}, whole
    # The other events are written before this one, but to neither user: the next line is about this connection.
    for host, uid in (one, ONE), (other, OTHER):
        host("c = tcp(); c.connect_ex((HERE, 9)); last = cookie(c)")
        seen = host("events_until(last)")
        assert [e["tcp.cookie"] for e in seen if e["event"] != "local_closed"] == [host("last")], seen
        assert is_of_only(seen, uid, host.pid), seen
    problems = agent.stop()
    assert not problems, problems


@subscribed
def subscribe_set_uid(t):
    """A set-uid program's connections belong to its effective user. If a process opens a socket as one user and loses
    it as another, only root sees the event."""
    need_cookies(t)
    agent = Agent(t)
    one, other, program, changed, dropped = users(t, ONE, OTHER, 0, 0, 0)
    root = Reader(agent.socket, "--netns %d --event local_reset" % one.netns)
    for host in one, other:
        host("subscribe(path, '--event local_reset')", path=agent.socket)
    # ONE starts it; it runs as OTHER from the beginning.
    program("become(one, other)", one=ONE, other=OTHER)
    # ONE opens the socket and then becomes OTHER; in the second process the other way round.
    changed("os.setresuid(one, one, 0)", one=ONE)
    dropped("os.setresuid(one, other, 0)", one=ONE, other=OTHER)
    cookies = []
    for host in program, changed, dropped:
        host("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; linger(s)")
        cookies.append(host("cookie(s)"))
    changed("os.setresuid(-1, 0, -1); os.setresuid(-1, other, -1)", other=OTHER)
    dropped("os.setresuid(-1, 0, -1); os.setresuid(-1, one, -1)", one=ONE)
    for host in program, changed, dropped:
        host("s.close(); reached(d, 'close')")
    for host in one, other:
        host("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; linger(s); last = cookie(s)")
        host("s.close()")
    root.events_until(other("last"), *cookies)
    seen = one("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [one("last")] and is_of_only(seen, ONE, one.pid), seen
    seen = other("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [cookies[0], other("last")], seen
    assert [e["process.pid"] for e in seen] == [program.pid, other.pid], seen
    problems = agent.stop()
    assert not problems, problems


@portable
def subscribe_passed_descriptor(t):
    """One user passes a descriptor to another. While the first still holds it, it sees the event, but not the other
    holder. After that neither user sees it."""
    need_cookies(t)
    agent = Agent(t)
    one, other = users(t, ONE, OTHER)
    root = Reader(agent.socket, "--netns %d" % one.netns)
    for host in one, other:
        host("subscribe(path, '--event peer_lost')", path=agent.socket)
    other("u = socket.socket(socket.AF_UNIX); u.bind('\\0lostpeer-sub-%d' % os.getpid()); u.listen(1)")
    one("u = socket.socket(socket.AF_UNIX); u.connect('\\0lostpeer-sub-%d' % pid)", pid=other.pid)
    other("v = u.accept()[0]; kept = []")
    one("l = listen(); held = []")
    cookies = []
    for keeps in True, False:
        one("s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; socket.send_fds(u, [b'x'], [s.fileno()])")
        cookies.append(one("cookie(s)"))
        other("kept.append(socket.socket(fileno=socket.recv_fds(v, 1, 1)[1][0]))")
        one("held.append(s)" if keeps else "s.close()")
        one("linger(d); d.close()")
        other("reached(kept[-1], 'close')")
    whole = root.events_until(*cookies)
    for host in one, other:  # an event for each user that comes after those
        host("""l = listen(); c = tcp(); c.connect(l.getsockname()); d = l.accept()[0]; last = cookie(c)
linger(d); d.close()""")
    holders = {e["tcp.cookie"]: e.get("owner.holders") for e in whole if e["event"] == "peer_lost"}
    assert sorted(holders[cookies[0]] or ()) == sorted((one.pid, other.pid)), [
        e for e in whole if e["tcp.cookie"] == cookies[0]]
    seen = one("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [cookies[0], one("last")] and is_of_only(seen, ONE, one.pid), seen
    assert seen[0].get("owner.holders", [one.pid]) == [one.pid], seen
    seen = other("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [other("last")], seen
    problems = agent.stop()
    assert not problems, problems


@portable
def subscribe_cannot_see_more(t):
    """No filter shows a user events of another's connections, or whether there are any."""
    need_cookies(t)
    agent = Agent(t)
    one, other = users(t, ONE, OTHER)
    root = Reader(agent.socket, "--netns %d" % one.netns)
    spies = []
    asks = ["--all", "--all --pid %d" % other.pid, "--name user1", "--all --netns %d" % one.netns, "--peer 127.0.0.0/8",
            "--min-severity info", "--event peer_lost,local_reset,accept_dropped,close_ignored"]
    for ask in asks:
        spy = t.beside(one, "spy")
        spy(WORKER + "become(uid)", uid=ONE)
        assert "subscribed" in spy("subscribe(path, line)", path=agent.socket, line=ask)
        spies.append(spy)
    wrong = {"--netns /proc/1/ns/net": "--netns", "--unit *": "--unit", "--group 5s": "--group", "--rate 5": "--rate",
             "--json": "--json", "--silent-after 1s": "--silent-after", "all": "all", "--pid": "--pid",
             "--port 1,2,x": "--port", "--help": "--help", "--port " + ",".join(map(str, range(1, 70))): "--port"}
    for line, name in wrong.items():
        answer = one("subscribe(path, line)", path=agent.socket, line=line)
        assert list(answer) == ["error"] and answer["error"].startswith(name), (line, answer)
        assert one("lines.readline()") == b"", line
    # Both ends are OTHER's; then OTHER connects to ONE, which has the connection in its accept queue.
    other("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; linger(s)")
    other("s.close(); reached(d, 'close')")
    other("tcp().connect_ex((HERE, 9))")
    one("l = listen()")
    other("s = tcp(); s.connect((HERE, port)); linger(s); first = cookie(s); s.close()", port=one("l.getsockname()[1]"))
    root.events_until(other("first"))
    for number, spy in enumerate(spies):
        spy("""l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; last = cookie(d)
linger(s); s.close(); reached(d, 'close')""")
        if number in (1, 2):  # these filter by the other user's pid or name
            continue
        seen = spy("events_until(last)")
        assert {e["process.pid"] for e in seen} <= {each.pid for each in (one, *spies)}, seen
        assert all(e["process.user.id"] == ONE and not any(name.startswith("peer.") for name in e) for e in seen), seen
    for spy in spies[1:3]:
        spy("stream.settimeout(0.5)")
        assert not spy("""
try:
    got = stream.recv(1000)
except TimeoutError:
    got = b''
got"""), "a filter by another's pid or name lets something through"
    problems = agent.stop()
    assert not problems, problems


# Costs and limits.
@subscribed
def subscribe_costs_others_nothing(t):
    """One user subscribes to orderly ends; another user's orderly ends make no record."""
    agent = Agent(t)
    one, other = users(t, ONE, OTHER)
    one("subscribe(path)", path=agent.socket)
    close = "l = listen()\nfor _ in range(50): s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; " \
            "d.close(); reached(s, 'close_wait'); s.close()"
    other(close)
    one(close)
    one("last = []\nfor _ in range(50): last.append(json.loads(lines.readline()))")
    assert all((e["event"], e["process.user.id"]) == ("peer_closed", ONE) for e in one("last")), one("last")
    problems = agent.stop()
    ledger = agent.ledgers()["subscribers"][0]
    assert not problems and ledger["emitted"] == ledger["written"] == 50, (problems, ledger)


@portable
def subscribe_by_default(t):
    """A client that sends nothing for a second gets every event that its user may see, also orderly ends of peers."""
    need_cookies(t)
    agent = Agent(t)
    one, = users(t, ONE)
    one("stream = socket.socket(socket.AF_UNIX); stream.connect(path)", path=agent.socket)
    one("lines = stream.makefile('rb')")
    assert one("json.loads(lines.readline())")["subscribed"]
    one("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; first = cookie(s); d.close()")
    assert [e["event"] for e in one("events_until(first)")] == ["peer_closed"]
    one("s.close()")
    # An end of file ends the line but not the subscription.
    one("""stream = socket.socket(socket.AF_UNIX); stream.connect(path); stream.sendall(b'--event local_closed')
stream.shutdown(socket.SHUT_WR); lines = stream.makefile('rb')""", path=agent.socket)
    assert one("json.loads(lines.readline())")["subscribed"]
    one("s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; first = cookie(s); s.close(); d.close()")
    assert [e["event"] for e in one("events_until(first)")] == ["local_closed"]
    problems = agent.stop()
    assert not problems, problems


def resident(agent):
    with open("/proc/%d/statm" % agent.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


FLOOD = """
def flood(count):
    for _ in range(count):
        s = tcp()
        s.connect_ex((HERE, 9))
        s.close()
"""


@alone
def subscribe_abuse(t):
    """One client never reads, one sends garbage, one a byte a second, a thousand come and go. The others lose nothing,
    memory is bounded, and the ledger balances."""
    agent = Agent(t)
    one, other, good = users(t, ONE, OTHER, ONE + 2)
    count = 2000  # more than a buffer holds
    before = resident(agent)
    reader = Reader(agent.socket, "--event connect_failed --netns %d" % one.netns)
    one(FLOOD + "subscribe(path)", path=agent.socket)
    good(FLOOD + "subscribe(path)", path=agent.socket)
    other("""
slow = socket.socket(socket.AF_UNIX)
slow.connect(path)
def drip():
    for byte in b"--all --all --all":
        slow.send(bytes([byte]))
        time.sleep(1)
in_thread(drip)
def come_and_go(count):
    for number in range(count):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        if number % 3:
            try:
                s.send([b"", b"--all\\n", os.urandom(300)][number % 3])
            except OSError:
                pass
        s.close()
coming = in_thread(come_and_go, 1000)""", path=agent.socket)
    for garbage in (b"\0" * 5000, b"\xff\xfe\n", b"x" * 4096, b"--\n", b"\0\n"):
        bad = Reader(agent.socket, garbage)
        assert list(bad.answer) == ["error"] and bad.line() is None, (garbage, bad.answer)
    for _ in range(count // 100):  # no faster than `good` reads
        one("flood(100)")
        good("flood(100)")
        events = [reader.line() for _ in range(200)]
        assert {e["event"] for e in events} == {"connect_failed"}, events
        assert {e["process.user.id"] for e in events} == {ONE, ONE + 2}, events
        good("events = [json.loads(lines.readline()) for _ in range(100)]")
        assert good("all(e['event'] == 'connect_failed' and e['process.user.id'] == uid for e in events)", uid=ONE + 2)
    other("outcome(coming)")
    # `one` never read before: now it gets the events that fit into its buffer, and the number of lost ones.
    assert one("""
got, lost = 0, 0
stream.settimeout(30 * SLOW)
while got + lost < count:
    e = json.loads(lines.readline())
    lost += e.get("lost.count", 0)
    got += e["event"] == "connect_failed"
got + lost""", count=count) == count
    assert one("lost") > 0, "a buffer without end"
    assert other("slow.settimeout(30 * SLOW); slow.recv(1000)").startswith(b'{"error":"no whole line within a second"')
    grown = resident(agent) - before
    assert grown < 32 << 20, "%d bytes more" % grown
    problems = agent.stop()
    ledger = agent.ledgers()["subscribers"][0]
    assert not problems and not any(ledger[place] for place in LOSSES), (problems, ledger)


@alone
def subscribe_limits(t):
    """At most 16 subscribers of a user and 256 in all. When one leaves, another may come."""
    agent = Agent(t)
    one = t.loopback()
    one(WORKER + """
def come(uid):
    os.seteuid(uid)
    try:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30 * SLOW)
        s.connect(path)
        try:
            s.send(b"--event peer_lost\\n")
        except BrokenPipeError:
            pass
        return s, json.loads(s.recv(1000))
    finally:
        os.seteuid(0)
held = [come(uid) for uid in range(61000, 61016) for _ in range(16)]""", path=agent.socket)
    assert one("all(answer.get('subscribed') for _, answer in held)"), one("[answer for _, answer in held]")
    assert "256" in one("come(62000)[1]")["error"]
    one("held.pop()[0].close()")
    assert clock.wait(lambda: one("come(61000)[1]").get("error", "").startswith("this user has 16"))
    assert one("more = come(62000); more[1]").get("subscribed")
    assert resident(agent) < 64 << 20, resident(agent)
    problems = agent.stop()
    assert not problems, problems


# The service.

@portable
def subscribe_reload(t):
    """SIGHUP keeps the subscribers. A change of their section ends them but refuses no new one."""
    need_cookies(t)
    agent = Agent(t)
    one, = users(t, ONE)
    one("subscribe(path)", path=agent.socket)
    reset = """l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; last = cookie(s)
linger(d); d.close()"""
    with open(agent.config) as f:
        text = f.read()
    agent.write_config(text + "[file]\npath = DIR/all\n")
    agent.reload("read the configuration again")
    one(reset)
    assert one("events_until(last)")[-1]["event"] == "peer_lost"
    mode = os.stat(agent.socket).st_mode
    assert mode & 0o777 == 0o666, oct(mode)
    agent.write_config(text + "not-port = 1\n")
    agent.reload("read the configuration again")
    assert one("stream.settimeout(30 * SLOW); lines.readline()") == b""
    assert one("subscribe(path)", path=agent.socket)["subscribed"]
    one(reset)
    assert one("events_until(last)")[-1]["event"] == "peer_lost"
    agent.write_config("[file]\npath = DIR/all\n")
    agent.reload("read the configuration again")
    assert one("lines.readline()") == b"" and clock.wait(lambda: not os.path.exists(agent.socket), "no socket")
    problems = agent.stop()
    assert not problems, problems


@portable
def subscribe_watch(t):
    """`lostpeer watch` without privileges reads the agent's socket, and filters, groups and prints as usual."""
    need_cookies(t)
    agent = Agent(t)
    one, other = users(t, ONE, OTHER)
    as_one = ["setpriv", "--reuid=%d" % ONE, "--regid=%d" % ONE, "--clear-groups"]
    asked = ("--socket", agent.socket)
    whole = t.agent(*asked, "--json", "--all", prefix=as_one)
    lost = t.agent(*asked, "--json", prefix=as_one)
    some = t.agent(*asked, "--json", "--name", "nobody", "--not-port", "1", prefix=as_one)
    grouped = t.agent(*asked, "--group", "1h", prefix=as_one)
    first = t.agent(*asked, "--json", "--count", "1", prefix=as_one)
    for host in other, one:
        host(FLOOD + "flood(10); l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]")
        host("d.close(); s.close(); last = tcp(); last.connect_ex((HERE, 9))")
    clock.wait(lambda: whole.lines() >= 13 and lost.lines() >= 11, "the events")
    assert first.wait() == 0, first.messages()
    for each in whole, lost, some, grouped:
        assert each.stop() == 0, each.messages()
    problems = [fault for each in (whole, lost, some, first) for fault in each.faults()]
    assert not problems, problems
    for each in whole, lost, first:
        assert is_of_only(each.events, ONE, one.pid), each.events
    assert [e["event"] for e in lost.events] == ["connect_failed"] * 11, lost.events
    found = sorted(e["event"] for e in whole.events)
    assert found == ["connect_failed"] * 11 + ["local_closed", "peer_closed"], whole.events
    assert not some.events and len(first.events) == 1, (some.events, first.events)
    lines = grouped.written().decode().splitlines()
    assert len(lines) == 2 and "connect_failed/refused" in lines[0] and "again 10 times" in lines[1], lines
    refused = {("--silent-after", "1s"): "the agent's", ("--ring", "64"): "the agent's", ("--", "true"): "a command"}
    for options, why in refused.items():
        each = t.agent(*asked, *options, prefix=as_one, ready=False)
        assert each.wait() == 2 and why in each.messages(), each.messages()
    left = t.agent(*asked, "--json", prefix=as_one)
    problems = agent.stop()
    assert left.wait() == 1 and "the agent has ended" in left.messages(), left.messages()
    assert not problems, problems


# The examples, run by a user without privileges.
START = """
import _strptime, asyncio, concurrent.futures.thread, encodings.idna, traceback
def start(uid, command, path=None):
    "Run an example as that user: a program, or a script in this interpreter. Returns its output."
    r, w = os.pipe()
    if os.fork() == 0:
        try:
            os.dup2(w, 1)
            os.close(r)
            script, sys.argv = {'__name__': 'example'}, command
            if path:  # read the script before the change of user: that user may not be able to read it
                exec(compile(open(path).read(), path, 'exec'), script)
            become(uid)
            if not path:
                os.execv(command[0], command)
            script['main']()
        except SystemExit:
            pass
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(w)
    return os.fdopen(r)
"""
ECHO = """
at = {}
l = listen(200)
def serve():
    while True:
        d = l.accept()[0]
        d.sendall(d.recv(6, socket.MSG_WAITALL))
        at[d.getpeername()[1]] = d
in_thread(serve)
l.getsockname()[1]"""
CONNECTIONS = 100


def connected(t, command, arguments, path=None):
    """Start the example as ONE with all its connections. Returns client, server and the client's ports."""
    client, server = t.pair()
    port = server(ECHO)
    client(WORKER + START + "out = start(uid, command, path)", uid=ONE, path=path,
           command=command + arguments(client("THERE"), str(port)))
    assert "subscribed" in client("json.loads(out.readline())")
    ports = client("json.loads(out.readline())")["connections"]
    assert len(ports) == CONNECTIONS, ports
    server("wait(lambda: len(at) == count)", count=CONNECTIONS)
    return client, server, ports


def lose_three(client, server, ports, first):
    """Three connections lose their peer in different ways. Returns the longest delay until the example knew."""
    wanted = {first: ("peer_lost", "keepalive_timeout"), first + 25: ("peer_lost", "reset"),
              first + 56: ("peer_closed", "fin")}
    server("drop(at[port])", port=ports[first])
    server("linger(at[port]); at[port].close()", port=ports[first + 25])
    server("at[port].close()", port=ports[first + 56])
    client("reported = [json.loads(out.readline()) for _ in range(3)]")
    found = {e.get("connection"): (e.get("event"), e.get("cause")) for e in client("reported")}
    assert found == wanted, client("reported")
    late = [e["late_ms"] for e in client("reported")]
    assert min(late) > -10, client("reported")
    return max(late)


def check_example(t, agent, command, arguments, path=None):
    """The example has a hundred connections; when some lose their peer, it knows within 100 ms. Other load on this
    machine may delay it now and then, hence the repetitions."""
    client, server, ports = connected(t, command, arguments, path)
    enough = 100 if clock.SLOW < 2 else 1000 * clock.SLOW
    late = [lose_three(client, server, ports, 17)]
    while late[-1] >= enough and len(late) < 4:
        late.append(lose_three(client, server, ports, 17 + len(late)))
    assert late[-1] < enough, late
    problems = agent.stop()
    assert not problems, problems


@alone
def subscribe_example_asyncio(t):
    agent = Agent(t)
    path = os.path.join(EXAMPLES, "peer_events_asyncio.py")
    check_example(t, agent, [path], lambda host, port: ["--socket", agent.socket, host, port, str(CONNECTIONS)], path)


@alone
def subscribe_example_threads(t):
    agent = Agent(t)
    path = os.path.join(EXAMPLES, "peer_events_threads.py")
    check_example(t, agent, [path], lambda host, port: ["--socket", agent.socket, host, port, str(CONNECTIONS)], path)


def c_example(t, agent):
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        t.skip("no compiler")
    program = agent.path("peer_events")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", program, os.path.join(EXAMPLES, "peer_events.c")],
                   check=True)
    return program


@alone
def subscribe_example_c(t):
    agent = Agent(t)
    check_example(t, agent, [c_example(t, agent)], lambda host, port: [host, port, str(CONNECTIONS), agent.socket])


@alone
def subscribe_examples_by_port(t):
    """Events without a cookie, as on kernels before 5.12."""
    for name in "peer_events_asyncio.py", "peer_events_threads.py":
        agent = Agent(t, without="cookie")
        path = os.path.join(EXAMPLES, name)
        check_example(t, agent, [path], lambda host, port: ["--socket", agent.socket, host, port, str(CONNECTIONS)], path)
    agent = Agent(t, without="cookie")
    check_example(t, agent, [c_example(t, agent)], lambda host, port: [host, port, str(CONNECTIONS), agent.socket])


@alone
def subscribe_set_uid_program(t):
    """ONE runs a program that is set-uid OTHER: the program and OTHER see its connections, ONE does not."""
    need_cookies(t)
    agent = Agent(t)
    program = c_example(t, agent)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        t.skip("no set-uid programs there")
    os.chown(program, OTHER, OTHER)
    os.chmod(program, 0o4755)
    client, server, ports = connected(t, [program],
                                      lambda host, port: [host, port, str(CONNECTIONS), agent.socket])
    one, other = t.beside(client, "one"), t.beside(client, "other")
    for host, uid in (one, ONE), (other, OTHER):
        host(WORKER + "become(uid)", uid=uid)
        assert "subscribed" in host("subscribe(path, '--event peer_lost,connect_failed')", path=agent.socket)
    server("linger(at[port]); at[port].close()", port=ports[42])
    assert client("json.loads(out.readline())")["connection"] == 42
    for host in one, other:
        host("c = tcp(); c.connect_ex((HERE, 9)); last = cookie(c)")
    seen = other("events_until(last)")
    assert [(e["event"], e.get("network.local.port")) for e in seen[:1]] == [("peer_lost", ports[42])], seen
    assert [e["process.name"] for e in seen] == ["peer_events", "other"], seen
    assert {e["process.user.id"] for e in seen} == {OTHER}, seen
    seen = one("events_until(last)")
    assert [e["tcp.cookie"] for e in seen] == [one("last")], seen
    problems = agent.stop()
    assert not problems, problems
