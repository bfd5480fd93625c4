# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`lostpeer check`: a connection of each kind, and what the application knows of it by TCP_INFO, ioctl and errno beside
what is said. All of them existed before, in network namespaces of their own, and nothing is read from any."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import clock
import contract
from agent import PROGRAM, once, refuse
from hostile import NAMES, Legible, controls, written
from trial import KERNEL, OneOf, scenario

checked = scenario(own=True)
once_checked = scenario(families=("ipv4",), own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)
WITHOUT_BPF = "iterator"  # then sock_diag has to do
NOBODY = 65534
NO_PID = 4194303

# What the application knows of its socket; the FIN counts in SIOCOUTQ and in SIOCOUTQNSD.
KNOWS = """
def knows(s):
    info = tcp_info(s)
    closing = STATES[info[0]] in ('fin_wait_1', 'closing', 'last_ack')
    waiting, unsent = number(s, SIOCOUTQ), number(s, 0x894B)
    if STATES[info[0]] in ('close', 'syn_sent'): waiting = unsent = 0
    if closing and unsent: unsent -= 1
    if closing and waiting: waiting -= 1
    return dict(state=STATES[info[0]], unread=0 if STATES[info[0]] == 'syn_sent' else number(s, SIOCINQ),
                unacked=waiting - unsent, unsent=unsent,
                keepalive=bool(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)), retransmission=info[2],
                probes=info[3], silent=min(struct.unpack_from('=4I', info, 44)[2:]), fd=s.fileno())
"""
STATES = {"close": "closed", "syn_received": "syn_received"}


class Look:
    """One run of it."""

    def __init__(self, *options, without="", prefix=(), text=False, **how):
        done = subprocess.run([*prefix, PROGRAM, "check", *(() if text else ("--json",)), *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, LOSTPEER_WITHOUT=without), timeout=120 * clock.SLOW, **how)
        self.status = done.returncode
        self.said = done.stderr.decode("utf-8", "replace")
        self.out = done.stdout
        self.rows = []
        if not text:
            self.rows = [json.loads(line, parse_constant=refuse, object_pairs_hook=once)
                         for line in self.out.decode("utf-8").splitlines()]

    def of(self, end):
        """The rows of that end of a connection."""
        return [row for row in self.rows if row.get("network.netns") == end.host.netns
                and row.get("network.local.port") == end.local[1] and row.get("network.peer.port") == end.peer[1]]

    def one(self, end):
        rows = self.of(end)
        assert len(rows) == 1, "%d rows for %s: %s %s" % (len(rows), end.local, rows or self.rows[:5], self.said)
        return rows[0]


def told(end, variable="s"):
    end(KNOWS)
    return end("knows(%s)" % variable)


def differences(row, wanted):
    return ["%s expected %r got %r" % (name, value, row.get(name)) for name, value in wanted.items()
            if value != row.get(name)]


def expected(t, end, verdict, knows, diag=False):
    """The fields that follow from what the application knows."""
    wanted = {
        "schema": 1, "verdict": verdict, "network.netns": end.host.netns, "network.transport": "tcp",
        "network.connection.state": STATES.get(knows["state"], knows["state"]),
        "process.fd": knows["fd"], "tcp.retransmission": knows["retransmission"] or None,
        "data.unread_bytes": None if knows["state"] == "syn_sent" else knows["unread"],
        "data.unacked_bytes": None if knows["state"] == "close" else knows["unacked"],
        "data.unsent_bytes": None if knows["state"] == "close" else knows["unsent"],
        "tcp.keepalive": OneOf(None, knows["keepalive"]) if diag else knows["keepalive"],
    }
    wanted.update(t.ends_fields(end))
    for name, value in t.process_fields(end, "", "", "established", "host", None, "holder", None).items():
        if name not in ("process.exiting", "process.exit.signal", "process.linux.cgroup", "process.executable.path"):
            wanted[name] = value
    return wanted


def agrees(t, end, verdict, *options, diag=True, **more):
    """Look, with BPF and without, and compare; what changes by itself is asked for before and after."""
    seen = None
    for without in ("", WITHOUT_BPF) if diag else ("",):
        def compare():
            before = told(end)
            row = Look("--pid", str(end.host.pid), *options, without=without).one(end)
            after = told(end)
            wanted = expected(t, end, verdict, before, bool(without))
            wanted.update({name.replace("__", "."): value for name, value in more.items() if not without})
            problems = differences(row, wanted) + check_faults(row)
            if "tcp.silent_ms" in row and not before["silent"] - 50 <= row["tcp.silent_ms"] <= after["silent"] + 50:
                problems.append("silent for %s, the application says %s to %s" % (
                    row["tcp.silent_ms"], before["silent"], after["silent"]))
            return row, problems, before == dict(after, silent=before["silent"]) and before["silent"] <= after["silent"]
        # A timer may fire in between: then nobody knows which of the two the look saw.
        row, problems, steady = clock.wait(lambda: next(iter([found for found in [compare()] if found[2]]), None),
                                           "two looks of the application's that are the same", 60)
        assert not problems, "%s%s: %s" % (verdict, " without BPF" if without else "", "\n".join(problems))
        seen = seen or row
    return seen


def check_faults(row):
    return contract.check_faults(row)


def status(end, *options, **how):
    return Look("--pid", str(end.host.pid), *options, **how).status


# A verdict each.

@checked
def check_alive(t):
    c, s = t.connection()
    c("s.send(bytes(100))")
    s("s.recv(60, socket.MSG_WAITALL); s.send(bytes(7)); wait(lambda: queued(s) == 0)")
    c("wait(lambda: queued(s) == 0)")
    row = agrees(t, s, "alive", "--alive-within", "1h", phase="established", alive_within_ms=3600000,
                 tcp__gives_up_in_ms=None, tcp__keepalive_next_ms=None, stream__read_closed=False,
                 stream__write_closed=False)
    assert row["data.unread_bytes"] == 40, row
    agrees(t, c, "alive", "--alive-within", "1h")
    assert status(c, "--alive-within", "1h") == 0 and status(s, "--alive-within", "1h") == 0


@checked
def check_unproven(t):
    """Idle for longer than asked; keepalive says when the kernel will ask."""
    c, s = t.connection()
    c("keepalive(s, 1000, 10, 3)")
    for end in c, s:
        end(KNOWS)
        end("wait(lambda: knows(s)['silent'] > 300)")
    row = agrees(t, c, "unproven", "--alive-within", "200ms", tcp__keepalive_unanswered=None)
    about = 1000000 - row["tcp.silent_ms"]
    assert abs(row["tcp.keepalive_next_ms"] - about) < 100, row
    row = agrees(t, s, "unproven", "--alive-within", "200ms", tcp__keepalive=False, tcp__keepalive_next_ms=None)
    assert status(s, "--alive-within", "200ms") == 0


@checked
def check_errored(t):
    """A RST that the application has not been told of; and it still is, after the look."""
    c, s = t.connection()
    s("s.send(bytes(33)); time.sleep(0.01); linger(s)")
    c("wait(lambda: unread(s) == 33)")
    s("s.close()")
    c("reached(s, 'close')")
    row = agrees(t, c, "errored", diag=False, error__type="ECONNRESET", data__unread_bytes=33)
    assert row["stream.read_closed"] and row["stream.write_closed"], row
    assert status(c) == 1
    unseen = Look("--pid", str(c.host.pid), without=WITHOUT_BPF)
    assert unseen.status == 3 and "not connected" in unseen.said and not unseen.of(c), (unseen.status, unseen.said)
    t.premise(c("s.recv(100)") == bytes(33), "the data is still there")
    error = c("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)")
    t.premise(error == 104, "the application is told %d" % error)
    agrees(t, c, "closed", diag=False, error__type=None)


@checked
def check_stalled(t):
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(3000)); " + KNOWS)
    c("wait(lambda: knows(s)['retransmission'] > 1)")
    row = agrees(t, c, "stalled")
    assert row["data.unacked_bytes"] + row["data.unsent_bytes"] == 3000, row
    assert 0 < row["tcp.gives_up_in_ms"] < 1200000, row
    assert status(c) == 1 and status(s, "--alive-within", "1h") == 0
    s("undrop(s)")
    c("wait(lambda: queued(s) == 0)")
    agrees(t, c, "alive", "--alive-within", "1h", tcp__gives_up_in_ms=None)


@checked
def check_stalled_fin(t):
    """Only our FIN is unacknowledged, and somebody waits."""
    c, s = t.connection()
    s("drop(s)")
    c("s.shutdown(socket.SHUT_WR); " + KNOWS)
    c("wait(lambda: knows(s)['retransmission'] > 0)")
    agrees(t, c, "stalled", phase="closing", stream__write_closed=True, stream__read_closed=False)


@checked
def check_window_closed(t):
    c, s = t.connection()
    c("fill(s)")
    row = agrees(t, c, "window_closed", tcp__gives_up_in_ms=None)
    assert row["data.unsent_bytes"] > 0 and row["data.unacked_bytes"] == 0, row
    row = agrees(t, s, "alive", "--alive-within", "1h")
    assert row["data.unread_bytes"] > 0, row
    assert status(c) == 1


@checked
def check_connecting(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    client("s = bound(); begin((THERE, port), s)", port=port)
    c = t.end(client, peer=(server("plain(HERE)"), port))
    row = agrees(t, c, "connecting", phase="connecting")
    assert "tcp.silent_ms" not in row and row["tcp.gives_up_in_ms"] > 0, row
    assert status(c) == 0


@checked
def check_closed(t):
    """The peer closed, and we have not; since when is known, as we never sent anything."""
    c, s = t.connection()
    s("s.send(bytes(5)); wait(lambda: queued(s) == 0); s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait'); since = time.monotonic()")
    row = agrees(t, c, "closed", phase="half_closed", stream__read_closed=True, stream__write_closed=False)
    # only BPF tells whether keepalive is off and data was ever sent
    row = Look("--pid", str(c.host.pid)).one(c)
    assert row["data.unread_bytes"] == 5, row
    now = c("time.monotonic() - since") * 1000
    assert now - 500 * clock.SLOW < row["stream.read_closed_ms"] < now + 500 * clock.SLOW, (now, row)
    row = agrees(t, s, "closing", phase="closing", stream__write_closed=True, stream__read_closed=False)
    assert status(c) == 1 and status(s) == 0


@checked
def check_closed_streaming(t):
    """We still stream to whoever closed its half: nobody knows from the last that was heard when that was."""
    c, s = t.connection()
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait'); s.send(bytes(10)); wait(lambda: queued(s) == 0)")
    agrees(t, c, "closed", stream__read_closed_ms=None)


@checked
def check_connect_refused(t):
    """A nonblocking connect that failed, and whose error nobody has asked for."""
    client, server = t.pair()
    client("s = bound(); begin((THERE, 9), s); wait(lambda: state(s) == 'close')")
    c = t.end(client, peer=(server("plain(HERE)"), 9))
    row = agrees(t, c, "errored", diag=False, error__type="ECONNREFUSED")
    assert row["data.unread_bytes"] == 0, row
    t.premise(client("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)") == 111, "ECONNREFUSED")


# Who holds it.

@checked
def check_orphan(t):
    """Closed with data in flight: no process, and the kernel tries on."""
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(2000)); s.close()")
    row = clock.wait(lambda: next((row for row in Look("--netns", str(c.host.netns)).of(c)
                                   if row["verdict"] == "stalled"), None), "a stalled orphan")
    problems = differences(row, {"phase": "orphaned", "owner.unknown": "holder_gone", "process.pid": None,
                                 "process.fd": None, "data.unacked_bytes": 2000, "data.unsent_bytes": 0,
                                 "stream.write_closed": True, "network.connection.state": "fin_wait_1"})
    assert not problems + check_faults(row), problems + check_faults(row)
    assert 0 < row["tcp.gives_up_in_ms"] < 400000, row
    diag = clock.wait(lambda: Look("--netns", str(c.host.netns), without=WITHOUT_BPF).of(c), "the same by sock_diag")[0]
    assert (diag["verdict"], diag["phase"], diag["owner.unknown"]) == ("stalled", "orphaned", "holder_gone"), diag
    assert not Look("--pid", str(c.host.pid)).of(c)


@checked
def check_unaccepted(t):
    """In the accept queue: it is its listener's."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(bytes(12)); wait(lambda: queued(s) == 0)")
    for without in "", WITHOUT_BPF:
        row = Look("--pid", str(server.pid), without=without).one(s)
        problems = differences(row, {"verdict": "alive", "phase": "unaccepted", "owner.via": "listener",
                                     "process.pid": server.pid, "process.fd": None, "data.unread_bytes": 12})
        assert not problems + check_faults(row), (without, problems, check_faults(row))


@once_checked
def check_shared(t):
    """A parent and its child hold it; asked for one of them, that one is named, and both are holders."""
    c, s = t.connection()
    child = s.host.fork()
    pids = sorted((s.host.pid, child.pid))
    whole = Look("--netns", str(s.host.netns)).one(s)
    problems = differences(whole, {"owner.unknown": "shared", "owner.holders": pids, "process.pid": None})
    for pid in pids:
        row = Look("--pid", str(pid)).one(s)
        problems += differences(row, {"owner.via": "holder", "owner.holders": pids, "process.pid": pid})
    child("libc.prctl(15, b'only-child', 0, 0, 0)")
    row = Look("--name", "only-child").one(s)
    problems += differences(row, {"process.pid": child.pid, "process.name": "only-child"})
    assert not Look("--netns", str(s.host.netns), "--not-pid", str(child.pid)).of(s)
    s("s.close()")
    problems += differences(Look("--netns", str(s.host.netns)).one(s), {"process.pid": child.pid, "owner.holders": None})
    assert not problems, problems


@once_checked
def check_hostile_names(t):
    """One object a line, and text without a control character, whatever a process calls itself."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    for name in NAMES:
        c("libc.prctl(15, name, 0, 0, 0)", name=name)
        row = Look("--pid", str(client.pid)).one(c)
        want = written(client.process.refresh().name)
        assert row["process.name"] == want, "%r said as %r" % (name, row["process.name"])
        text = Look("--pid", str(client.pid), text=True)
        text.out.decode("utf-8")
        assert not controls(text.out), "%r: %r" % (name, text.out)
        assert text.out.count(b"\n") == 2 and Legible(name) == text.out.decode("utf-8"), text.out


# One descriptor, statuses, filters.

@once_checked
def check_descriptor(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    client("one = s; other = s.dup(); u = socket.socket(socket.AF_UNIX); new = tcp()")
    wanted = lambda what: ["--pid", str(client.pid), "--fd", str(what if type(what) is int else client(what + ".fileno()"))]
    for without in "", WITHOUT_BPF:
        for name in "one", "other":
            found = Look(*wanted(name), without=without)
            assert found.status == 0 and len(found.rows) == 1, (name, found.status, found.said)
            assert found.one(c)["process.fd"] == client(name + ".fileno()"), found.rows
        for name in "u", "new", 900:
            found = Look(*wanted(name), without=without)
            assert found.status == 3 and not found.rows and "descriptor" in found.said, (name, found.status, found.said)
    server("linger(s); s.close()")
    client("reached(s, 'close')")
    found = Look(*wanted("one"))
    assert found.status == 1 and found.one(c)["verdict"] == "errored", (found.status, found.said)


@portable
def check_statuses(t):
    """2 for what is no question, 3 for what is not there."""
    host = t.loopback()
    for words in (["--fd", "3"], ["--fd", "3", "--pid", "1,2"], ["--fd", "x", "--pid", "1"], ["--pid", "0"], ["--bogus"],
                  ["--alive-within", "soon"], ["--watch", "0s"], ["--port", "70000"], ["word"], ["--event", "reset"]):
        found = Look(*words)
        assert found.status == 2 and len(found.said.splitlines()) == 1 and not found.out, (words, found.status, found.said)
    for words in (["--pid", str(NO_PID)], ["--pid", str(NO_PID), "--fd", "3"]):
        for without in "", WITHOUT_BPF:
            found = Look(*words, without=without)
            assert found.status == 3 and "no process %d" % NO_PID in found.said, (words, found.status, found.said)
    found = Look("--pid", str(host.pid), text=True)
    assert found.status == 0 and not found.out and "0 connections" in found.said, (found.status, found.said)


@once_checked
def check_filters(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    own = ["--netns", str(client.netns)]
    for words, wanted in ((["--port", str(c.local[1])], 1), (["--port", "1"], 0), (["--not-port", str(c.peer[1])], 0),
                          (["--local-port", str(c.local[1])], 1), (["--peer-port", str(c.local[1])], 0),
                          (["--peer", c.peer[0] + "/24"], 1), (["--peer", "::/96"], 0), (["--not-peer", c.peer[0]], 0),
                          (["--name", "client"], 1), (["--name", "server"], 0), (["--not-name", "client"], 0),
                          (["--cgroup", "/"], 1), (["--unit", "none"], 0), (["--container", "none"], 0)):
        found = Look(*own, *words)
        assert len(found.of(c)) == wanted and len(found.rows) == wanted, (words, found.rows)
    assert len(Look("--netns", "/proc/%d/ns/net" % client.pid).rows) == 1
    both = Look("--port", str(c.local[1]))
    assert both.of(c) and both.of(s), "every namespace is seen: %s" % both.rows


@once_checked
def check_order(t):
    """Worst first, aligned, one line a connection."""
    client, server = t.pair()
    client("sockets = []")
    t.listen(server)
    for how in ("pass", "s.shutdown(socket.SHUT_WR)", "linger(s); s.close()", "pass"):
        t.connect(client, server)
        client("sockets.append(s)")
        server("s = l.accept()[0]; " + how)
        server("kept = kept + [s] if 'kept' in globals() else [s]")
    client("wait(lambda: [state(s) for s in sockets] == ['established', 'close_wait', 'close', 'established'])")
    text = Look("--pid", str(client.pid), "--alive-within", "1h", text=True)
    lines = text.out.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["VERDICT", "errored", "closed", "alive", "alive"], lines
    for column in ("WHO", "FD", "LOCAL", "PEER", "READ", "WRITE", "EVIDENCE"):
        at = lines[0].index(column)
        assert all(line[at - 1] == " " and line[at] != " " for line in lines[1:]), (column, lines)
    assert "4 connections: 1 errored, 1 closed, 2 alive" in text.said, text.said
    assert not controls(text.out), text.out


@once_checked
def check_watch(t):
    """It looks again until it is told to end; the status is that of the last look."""
    c, s = t.connection()
    agent = t.agent("--json", "--pid", str(c.host.pid), "--alive-within", "1h", "--watch", "100ms", verb="check",
                    ready=False)
    clock.wait(lambda: agent.lines() >= 3, "three looks")
    s("linger(s); s.close()")
    c("reached(s, 'close')")
    seen = agent.lines()
    clock.wait(lambda: agent.lines() >= seen + 2, "two more")
    assert agent.stop(signal.SIGTERM) == 1, agent.status
    verdicts = [row["verdict"] for row in agent.events]
    assert not agent.bad and verdicts[0] == "alive" and verdicts[-1] == "errored", (agent.bad, verdicts)
    assert len({row["time"] for row in agent.events}) == len(agent.events)


# Rights.

def as_nobody(host):
    """What an ordinary user may, in that host's network."""
    return ["nsenter", "--net=/proc/%d/ns/net" % host.pid, "setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
            "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


@once_checked
def check_ordinary_user(t):
    """It sees its own processes' connections in its own namespace, and says what it does not see."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    client("os.setgroups([]); os.setresgid(%d, %d, %d); os.setresuid(%d, %d, %d); libc.prctl(4, 1, 0, 0, 0)" % (
        (NOBODY,) * 6))
    own = ["--pid", str(client.pid), "--fd", str(client("s.fileno()"))]
    found = Look(*own, prefix=as_nobody(client))
    assert found.status == 0 and "sock_diag" in found.said, (found.status, found.said)
    assert found.one(c)["verdict"] == "alive" and found.one(c)["process.user.id"] == NOBODY, found.rows
    everything = Look(prefix=as_nobody(client))
    assert everything.status == 3 and "cannot be looked into" in everything.said, (everything.status, everything.said)
    others = Look("--pid", str(server.pid), prefix=as_nobody(client))
    assert others.status == 3 and not others.rows, (others.status, others.said)
    server("linger(s); s.close()")
    client("reached(s, 'close')")
    gone = Look(*own, prefix=as_nobody(client))
    assert gone.status == 3 and not gone.rows and "not connected" in gone.said, (gone.status, gone.said)
    t.premise(client("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)") == 104, "the error is still there")


@once_checked
def check_bpf_alone(t):
    """CAP_BPF and CAP_PERFMON are enough for what processes hold, wherever; not for what none does elsewhere."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    caps = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--bounding-set=-all,+bpf,+perfmon",
            "--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=-all,+bpf,+perfmon"]
    if KERNEL < (5, 11):
        t.skip("BPF memory counts against RLIMIT_MEMLOCK")
    found = Look("--pid", str(client.pid), prefix=caps)
    assert found.status == 0 and found.one(c)["verdict"] == "alive" and not found.said, (found.status, found.said)
    found = Look("--netns", str(client.netns), prefix=caps)
    assert found.status == 3 and len(found.rows) == 1 and "cannot be entered" in found.said, (found.status, found.said)


# Nothing is changed.

@checked
def check_changes_nothing(t):
    """The same bytes, the same peeks, the same error before and after; nothing passes on the wire."""
    c, s = t.connection()
    s("s.send(b'abc' * 100)")
    c("wait(lambda: unread(s) == 300); s.send(b'x' * 50)")
    s("wait(lambda: unread(s) == 50)")
    c("wait(lambda: queued(s) == 0); wire = capture(); before = s.recv(1000, socket.MSG_PEEK)")
    for without in "", WITHOUT_BPF:
        for _ in range(3):
            Look("--netns", str(c.host.netns), without=without).one(c)
    t.premise(c("(s.recv(1000, socket.MSG_PEEK), unread(s), queued(s))") == (b"abc" * 100, 300, 0), "peek as before")
    t.premise(c("before == s.recv(1000)"), "the same bytes")
    t.premise(s("s.recv(1000)") == b"x" * 50, "the same bytes at the other end")
    t.premise(c("segments(wire)") == [], "a look sends nothing")


# The estimate of when the kernel gives up, beside when it does.

def gives_up(t, end, seconds, **options):
    """Look, wait for the end, and compare."""
    row = clock.wait(lambda: next((row for row in Look("--pid", str(end.host.pid)).of(end) if "tcp.gives_up_in_ms" in row),
                                  None), "an estimate")
    began = time.monotonic()
    assert row["tcp.gives_up_in_ms"] <= seconds * 1000, row
    end("wait(lambda: state(s) == 'close', 'the end', %d)" % (seconds + 30))
    took = (time.monotonic() - began) * 1000
    # The look itself and the wait take a moment, more on a slow machine; a timer may be late by an eighth.
    assert abs(took - row["tcp.gives_up_in_ms"]) < 700 * clock.SLOW + took / 3, "it took %d ms: %s" % (took, row)
    return row


@once_checked
def check_gives_up_retransmitting(t):
    client, server = t.pair()
    client("sysctls(retries2=4)")
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(100)); wait(lambda: tcp_info(s)[2] > 0)")
    gives_up(t, c, 15)


@once_checked
def check_gives_up_user_timeout(t):
    c, s = t.connection()
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, 5000); s.send(bytes(100)); wait(lambda: tcp_info(s)[2] > 0)")
    gives_up(t, c, 6)


@once_checked
def check_gives_up_keepalive(t):
    c, s = t.connection()
    s("drop(s)")
    c("keepalive(s, 1, 1, 4); wait(lambda: probes(s) > 0)")
    row = gives_up(t, c, 6)
    assert row["tcp.keepalive_unanswered"] > 0 and row["tcp.keepalive_next_ms"] <= 1100, row


@once_checked
def check_gives_up_connecting(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    client("s = bound(); option(s, TCP_SYNCNT, 2); begin((THERE, port), s)", port=port)
    gives_up(t, t.end(client, peer=(server("plain(HERE)"), port)), 15)


@once_checked
def check_gives_up_probing(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    c("fill(s)")
    s("drop(s)")
    c("sysctls(retries2=4); wait(lambda: probes(s) > 1)")
    row = Look("--pid", str(client.pid)).one(c)
    assert row["verdict"] == "window_closed" and row["tcp.probes_unanswered"] >= 1, row
    gives_up(t, c, 60)


# The examples, as an application would run them.

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools/examples")


def c_example(t):
    """Built with warnings as errors."""
    path = os.path.join(tempfile.mkdtemp(prefix="lostpeer-example-"), "own_socket")
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        t.skip("no compiler")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", path, os.path.join(EXAMPLES, "own_socket.c")],
                   check=True)
    return path


def answers(host, path):
    """What an example says of `s`: its process is a child of the host's, which has the same descriptor."""
    host("os.set_inheritable(s.fileno(), True)")
    host("done = subprocess.run([*command, str(s.fileno()), program], stdout=subprocess.PIPE, close_fds=False)",
         command=path, program=PROGRAM)
    return host("done.stdout.decode()"), host("done.returncode")


@once_checked
def check_example_c(t):
    path = [c_example(t)]
    client, server = t.pair()
    try:
        c, s = t.connection(client, server)
        s("s.send(b'abc')")
        c("wait(lambda: unread(s) == 3)")
        said, status = answers(client, path)
        lines = dict(line.split(" ", 1) for line in said.splitlines())
        assert status == 0 and json.loads(lines["lostpeer"])["verdict"] == "alive", said
        assert lines["poll"] == "error=0 peer_closed=0 over=0" and lines["peek"] == "data", said
        assert lines["kernel"].startswith("state=1 retransmission=0 "), said
        s("linger(s); s.close()")
        c("reached(s, 'close'); s.recv(3)")
        said, status = answers(client, path)
        lines = dict(line.split(" ", 1) for line in said.splitlines())
        row = json.loads(lines["lostpeer"])
        assert status == 1 and (row["verdict"], row["error.type"]) == ("errored", "ECONNRESET"), said
        assert lines["poll"] == "error=1 peer_closed=1 over=1" and lines["peek"] == "Connection reset by peer", said
    finally:
        shutil.rmtree(os.path.dirname(path[0]))


@once_checked
def check_example_python(t):
    client, server = t.pair()
    path = [client("sys.executable"), os.path.join(EXAMPLES, "own_socket.py")]
    c, s = t.connection(client, server)
    found = json.loads(answers(client, path)[0])
    assert found["lostpeer"]["verdict"] == "alive" and found["kernel"]["state"] == "established", found
    assert found["peek"] == "nothing" and found["poll"] == {"error": False, "peer_closed": False, "over": False}, found
    s("s.send(b'abc'); s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    found = json.loads(answers(client, path)[0])
    assert found["lostpeer"]["verdict"] == "closed" and found["lostpeer"]["data.unread_bytes"] == 3, found
    assert found["peek"] == "data" and found["poll"]["peer_closed"], found
    c("s.recv(3)")
    assert json.loads(answers(client, path)[0])["peek"] == "end"
    s("linger(s); s.close()")
    c("reached(s, 'close')")
    found = json.loads(answers(client, path)[0])
    assert found["lostpeer"]["verdict"] == "errored" and found["poll"]["error"], found
    assert found["lostpeer"]["error.type"] == "EPIPE" and found["kernel"]["state"] == "closed", found
    # recv() had said the end before, and does not take this error; the next send is told
    assert c.error("s.send(b'x')") == "EPIPE"
