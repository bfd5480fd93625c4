# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line of `lostpeer check`: descriptors, exit statuses, filters and privileges. Also the estimate of when
the kernel gives up, and the examples in which a program asks about its own socket."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import clock
from agent import PROGRAM
from check_run import WITHOUT_BPF, Check, checked, once_checked
from hostile import controls
from trial import KERNEL, scenario

portable = scenario(families=("ipv4",), own=True, portable=True)
NOBODY = 65534
NO_PID = 4194303


# One descriptor, statuses, filters.

@once_checked
def check_descriptor(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    client("one = s; other = s.dup(); u = socket.socket(socket.AF_UNIX); new = tcp()")
    wanted = lambda what: ["--pid", str(client.pid), "--fd", str(what if type(what) is int else client(what + ".fileno()"))]
    for without in "", WITHOUT_BPF:
        for name in "one", "other":
            found = Check(*wanted(name), without=without)
            assert found.status == 0 and len(found.rows) == 1, (name, found.status, found.stderr)
            assert found.one(c)["process.fd"] == client(name + ".fileno()"), found.rows
        for name in "u", "new", 900:
            found = Check(*wanted(name), without=without)
            assert found.status == 3 and not found.rows, (name, found.status)
            assert "descriptor" in found.stderr, (name, found.stderr)
    server("linger(s); s.close()")
    client("reached(s, 'close')")
    found = Check(*wanted("one"))
    assert found.status == 1 and found.one(c)["verdict"] == "errored", (found.status, found.stderr)


@portable
def check_statuses(t):
    """2 for a wrong command line, 3 if the process or descriptor does not exist, 4 if nothing matches."""
    host = t.loopback()
    for words in (["--fd", "3"], ["--fd", "3", "--pid", "1,2"], ["--fd", "x", "--pid", "1"], ["--pid", "0"], ["--bogus"],
                  ["--alive-within", "soon"], ["--watch", "0s"], ["--port", "70000"], ["word"], ["--event", "reset"]):
        found = Check(*words)
        assert found.status == 2 and not found.out, (words, found.status)
        assert len(found.stderr.splitlines()) == 1, (words, found.stderr)
    for words in (["--pid", str(NO_PID)], ["--pid", str(NO_PID), "--fd", "3"]):
        for without in "", WITHOUT_BPF:
            found = Check(*words, without=without)
            assert found.status == 3 and "no process %d" % NO_PID in found.stderr, (words, found.status, found.stderr)
    found = Check("--pid", str(host.pid), text=True)
    assert found.status == 4 and not found.out and "0 connections" in found.stderr, (found.status, found.stderr)
    for words in (["--pid", str(host.pid)], ["--netns", str(host.netns)], ["--port", "1,2", "--not-name", "none"],
                  ["--name", "mispelt,", "--peer", "192.0.2.0/24"], ["--peer-port", "9", "--container", "none"]):
        found = Check("--netns", str(host.netns), *words)
        assert found.status == 4 and not found.rows, (words, found.status, found.stderr)
        said = found.stderr.strip().splitlines()[-1]
        assert said.startswith("lostpeer check: no connection matches --") and all(
            words[at] + " " + words[at + 1] in said for at in range(0, len(words), 2) if words[at] != "--netns"), said


@portable
def check_nothing_at_all(t):
    """No filter and no connection: nobody is lost."""
    host = t.loopback()
    found = Check(prefix=["nsenter", "--net=/proc/%d/ns/net" % host.pid], without=WITHOUT_BPF)
    assert found.status in (0, 1, 3), (found.status, found.stderr)
    assert "matches" not in found.stderr, found.stderr


@portable
def check_filters(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    own = ["--netns", str(client.netns)]
    for words, wanted in ((["--port", str(c.local[1])], 1), (["--port", "1"], 0), (["--not-port", str(c.peer[1])], 0),
                          (["--local-port", str(c.local[1])], 1), (["--peer-port", str(c.local[1])], 0),
                          (["--peer", c.peer[0] + "/24"], 1), (["--peer", "::/96"], 0), (["--not-peer", c.peer[0]], 0),
                          (["--name", "client"], 1), (["--name", "server"], 0), (["--not-name", "client"], 0),
                          (["--cgroup", "/"], 1), (["--unit", "none"], 0), (["--container", "none"], 0)):
        found = Check(*own, *words)
        assert len(found.of(c)) == wanted and len(found.rows) == wanted, (words, found.rows)
    assert len(Check("--netns", "/proc/%d/ns/net" % client.pid).rows) == 1
    both = Check("--port", str(c.local[1]))
    assert both.of(c) and both.of(s), "every namespace is seen: %s" % both.rows


@portable
def check_order(t):
    """The text has one aligned line for each connection, the worst first."""
    client, server = t.pair()
    client("sockets = []")
    t.listen(server)
    for how in ("pass", "s.shutdown(socket.SHUT_WR)", "linger(s); s.close()", "pass"):
        t.connect(client, server)
        client("sockets.append(s)")
        server("s = l.accept()[0]; " + how)
        server("kept = kept + [s] if 'kept' in globals() else [s]")
    client("wait(lambda: [state(s) for s in sockets] == ['established', 'close_wait', 'close', 'established'])")
    text = Check("--pid", str(client.pid), "--alive-within", "1h", text=True)
    lines = text.out.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["VERDICT", "errored", "closed", "alive", "alive"], lines
    for column in ("WHO", "FD", "LOCAL", "PEER", "READ", "WRITE", "EVIDENCE"):
        at = lines[0].index(column)
        assert all(line[at - 1] == " " and line[at] != " " for line in lines[1:]), (column, lines)
    assert "4 connections: 1 errored, 1 closed, 2 alive" in text.stderr, text.stderr
    assert not controls(text.out), text.out


@portable
def check_watch(t):
    """--watch repeats the look until a signal; the exit status is that of the last look."""
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


# Connections of which no process has a descriptor.

def without_descriptor(t, c, s, take_back):
    """c's only reference is not a descriptor: check lists it all the same, and counts it as lost when its peer is."""
    own = ["--netns", str(c.host.netns), "--port", str(c.local[1])]
    found = Check(*own)
    row = found.one(c)
    assert found.status == 0 and row["verdict"] == "alive", (found.status, row)
    assert row.get("owner.unknown") == "holder_gone" and "process.pid" not in row and "owner.via" not in row, row
    s("s.send(b'0123456789'); s.close()")
    c("comes_to(%d, %d, 'close_wait')" % (c.local[1], c.peer[1]))
    found = Check(*own)
    row = found.one(c)
    assert found.status == 1 and (row["verdict"], row["data.unread_bytes"]) == ("closed", 10), (found.status, row)
    assert row.get("owner.unknown") == "holder_gone", row
    c(take_back)
    row = Check(*own).one(c)
    assert row["process.pid"] == c.host.pid and "owner.unknown" not in row, row


@checked
def check_in_flight(t):
    """The descriptor is in a message that nobody has received."""
    c, s = t.connection()
    c("pair = socket.socketpair(); socket.send_fds(pair[0], [b'x'], [s.fileno()]); s.close()")
    without_descriptor(t, c, s, "s = socket.socket(fileno=socket.recv_fds(pair[1], 1, 1)[1][0])")


@checked
def check_registered(t):
    """io_uring has the socket, and no process a descriptor of it."""
    c, s = t.connection()
    if c.error("import uring; ring = uring.Ring()"):
        t.skip("no io_uring here")
    c("d = s.dup(); ring.register([s.fileno()]); s.close(); kept = d.fileno(); pair = socket.socketpair()\n"
      "socket.send_fds(pair[0], [b'x'], [kept]); d.close()")
    without_descriptor(t, c, s, "s = socket.socket(fileno=socket.recv_fds(pair[1], 1, 1)[1][0])")


@once_checked
def check_many_in_flight(t):
    client, server = t.pair()
    n = t.many(100)
    server("l = listen(256)")
    client("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target)", n=n,
           target=server("HERE, l.getsockname()[1]"))
    client("pair = socket.socketpair()\nfor s in all: socket.send_fds(pair[0], [b'x'], [s.fileno()]); s.close()")
    rows = [row for row in Check("--netns", str(client.netns)).rows]
    assert len(rows) == n and {row.get("owner.unknown") for row in rows} == {"holder_gone"}, rows[:3]


@once_checked
def check_beside_churn(t):
    """A connection that a process opens or closes during the look has its process, or is not in it."""
    client, server = t.pair()
    t.listen(server)
    server("def serve():\n while True: l.accept()[0].close()\nthreading.Thread(target=serve, daemon=True).start()")
    client("def churn():\n while not over:\n  s = tcp(); s.connect(target); s.recv(1); s.close()\n"
           "over = False; busy = threading.Thread(target=churn); busy.start()", target=server("HERE, l.getsockname()[1]"))
    for _ in range(t.many(20)):
        for row in Check("--netns", str(client.netns), "--netns", str(server.netns)).rows:
            closed = row["network.connection.state"] not in ("established", "close_wait")
            assert closed or "owner.unknown" not in row or row["phase"] in ("unaccepted", "orphaned"), row
    client("over = True; busy.join()")


# Privileges.
def as_nobody(host):
    """A command prefix: an ordinary user in that host's network namespace."""
    return ["nsenter", "--net=/proc/%d/ns/net" % host.pid, "setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
            "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


@once_checked
def check_ordinary_user(t):
    """An ordinary user sees the connections of its processes in its namespace; a message names the rest."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    client("os.setgroups([]); os.setresgid(%d, %d, %d); os.setresuid(%d, %d, %d); libc.prctl(4, 1, 0, 0, 0)" % (
        (NOBODY,) * 6))
    own = ["--pid", str(client.pid), "--fd", str(client("s.fileno()"))]
    found = Check(*own, prefix=as_nobody(client))
    assert found.status == 0 and "sock_diag" in found.stderr, (found.status, found.stderr)
    assert found.one(c)["verdict"] == "alive" and found.one(c)["process.user.id"] == NOBODY, found.rows
    everything = Check(prefix=as_nobody(client))
    assert everything.status == 3 and "cannot be looked into" in everything.stderr, (everything.status, everything.stderr)
    others = Check("--pid", str(server.pid), prefix=as_nobody(client))
    assert others.status == 3 and not others.rows, (others.status, others.stderr)
    server("linger(s); s.close()")
    client("reached(s, 'close')")
    gone = Check(*own, prefix=as_nobody(client))
    assert gone.status == 3 and not gone.rows and "not connected" in gone.stderr, (gone.status, gone.stderr)
    t.premise(client("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)") == 104, "the error is still there")


@once_checked
def check_bpf_alone(t):
    """CAP_BPF and CAP_PERFMON are enough for sockets that processes hold, in any namespace. In another namespace they
    do not show the sockets that no process holds."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    caps = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--bounding-set=-all,+bpf,+perfmon",
            "--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=-all,+bpf,+perfmon"]
    if KERNEL < (5, 11):
        t.skip("BPF memory counts against RLIMIT_MEMLOCK")
    found = Check("--pid", str(client.pid), prefix=caps)
    assert found.status == 0 and found.one(c)["verdict"] == "alive" and not found.stderr, (found.status, found.stderr)
    found = Check("--netns", str(client.netns), prefix=caps)
    assert found.status == 3 and len(found.rows) == 1 and "cannot be entered" in found.stderr, (found.status, found.stderr)


# Nothing is changed.

@checked
def check_changes_nothing(t):
    """Looking reads no data, takes no error and sends nothing."""
    c, s = t.connection()
    s("s.send(b'abc' * 100)")
    c("wait(lambda: unread(s) == 300); s.send(b'x' * 50)")
    s("wait(lambda: unread(s) == 50)")
    c("wait(lambda: queued(s) == 0); wire = capture(); before = s.recv(1000, socket.MSG_PEEK)")
    for without in "", WITHOUT_BPF:
        for _ in range(3):
            Check("--netns", str(c.host.netns), without=without).one(c)
    t.premise(c("(s.recv(1000, socket.MSG_PEEK), unread(s), queued(s))") == (b"abc" * 100, 300, 0), "peek as before")
    t.premise(c("before == s.recv(1000)"), "the same bytes")
    t.premise(s("s.recv(1000)") == b"x" * 50, "the same bytes at the other end")
    t.premise(c("segments(wire)") == [], "a look sends nothing")


# The estimate of when the kernel gives up, compared with the time when it does.

# On a slow machine starting lostpeer takes long: leave it time to look before the end.
PATIENCE = int(max(1, min(4, clock.SLOW)))


def gives_up(t, end, seconds):
    row = clock.wait(lambda: next((row for row in Check("--pid", str(end.host.pid)).of(end) if "tcp.gives_up_in_ms" in row),
                                  None), "an estimate")
    began = time.monotonic()
    assert row["tcp.gives_up_in_ms"] <= seconds * 1000, row
    end("wait(lambda: state(s) == 'close', 'the end', %d)" % (seconds + 30))
    took = (time.monotonic() - began) * 1000
    # The look and the wait take time, more on a slow machine; a kernel timer may be late by an eighth.
    assert abs(took - row["tcp.gives_up_in_ms"]) < 700 * clock.SLOW + took / 3, "it took %d ms: %s" % (took, row)
    return row


@once_checked
def check_gives_up_retransmitting(t):
    client, server = t.pair()
    client("sysctls(retries2=%d)" % (3 + PATIENCE))
    c, s = t.connection(client, server)
    s("drop(s)")
    c("s.send(bytes(100)); wait(lambda: tcp_info(s)[2] > 0)")
    gives_up(t, c, 7 * 2 ** PATIENCE)


@portable
def check_gives_up_user_timeout(t):
    c, s = t.connection()
    s("drop(s)")
    c("option(s, TCP_USER_TIMEOUT, %d); s.send(bytes(100)); wait(lambda: tcp_info(s)[2] > 0)" % (5000 * PATIENCE))
    gives_up(t, c, 6 * PATIENCE)


@portable
def check_gives_up_keepalive(t):
    c, s = t.connection()
    s("drop(s)")
    c("keepalive(s, 1, 1, %d); wait(lambda: probes(s) > 0)" % (4 * PATIENCE))
    row = gives_up(t, c, 6 * PATIENCE)
    assert row["tcp.keepalive_unanswered"] > 0 and row["tcp.keepalive_next_ms"] <= 1100, row


@portable
def check_gives_up_connecting(t):
    client, server = t.pair()
    port = server("l = listen(); drop(l); l.getsockname()[1]")
    client("s = bound(); option(s, TCP_SYNCNT, retries); begin((THERE, port), s)", port=port,
           retries=1 + PATIENCE)
    gives_up(t, t.end(client, peer=(server("plain(HERE)"), port)), 70)


@portable
def check_gives_up_probing(t):
    client, server = t.pair()
    c, s = t.connection(client, server)
    c("fill(s)")
    s("drop(s)")
    c("sysctls(retries2=%d); wait(lambda: probes(s) > 1)" % (3 + PATIENCE))
    row = Check("--pid", str(client.pid)).one(c)
    assert row["verdict"] == "stalled" and row["tcp.probes_unanswered"] >= 2, row
    gives_up(t, c, 120)


# The examples, as an application would run them.

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools/examples")


def c_example(t):
    path = os.path.join(tempfile.mkdtemp(prefix="lostpeer-example-"), "own_socket")
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        t.skip("no compiler")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", path, os.path.join(EXAMPLES, "own_socket.c")],
                   check=True)
    return path


def answers(host, path):
    """Output and status of an example that looks at `s`. It runs as a child of the host and inherits the descriptor."""
    host("os.set_inheritable(s.fileno(), True)")
    host("done = subprocess.run([*command, str(s.fileno()), program], stdout=subprocess.PIPE, close_fds=False)",
         command=path, program=PROGRAM)
    return host("done.stdout.decode()"), host("done.returncode")


@portable
def check_example_c(t):
    path = [c_example(t)]
    client, server = t.pair()
    try:
        c, s = t.connection(client, server)
        s("s.send(b'abc')")
        c("wait(lambda: unread(s) == 3)")
        output, status = answers(client, path)
        lines = dict(line.split(" ", 1) for line in output.splitlines())
        assert status == 0 and json.loads(lines["lostpeer"])["verdict"] == "alive", output
        assert lines["poll"] == "error=0 peer_closed=0 over=0" and lines["peek"] == "data", output
        assert lines["kernel"].startswith("state=1 retransmission=0 "), output
        s("linger(s); s.close()")
        c("reached(s, 'close'); s.recv(3)")
        output, status = answers(client, path)
        lines = dict(line.split(" ", 1) for line in output.splitlines())
        row = json.loads(lines["lostpeer"])
        assert status == 1 and (row["verdict"], row["error.type"]) == ("errored", "ECONNRESET"), output
        assert lines["poll"] == "error=1 peer_closed=1 over=1" and lines["peek"] == "Connection reset by peer", output
    finally:
        shutil.rmtree(os.path.dirname(path[0]))


@portable
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
    # recv() returned the end before the RST and does not take the error; the next send gets it
    assert c.error("s.send(b'x')") == "EPIPE"
