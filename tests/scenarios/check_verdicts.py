# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The verdicts of `lostpeer check` on connections of every kind, compared with the application's view. The
connections exist before the look, in other network namespaces."""
import json

import clock
from agent import PROGRAM
from check_run import KNOWS, WITHOUT_BPF, Check, agrees, checked, differences, once_checked, status
from contract import check_faults
from hostile import NAMES, Legible, controls, written

# Verdicts.

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
    """Idle for longer than --alive-within; with keepalive the row has the time of the next probe."""
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
    """A RST whose error the application has not read. The look leaves the error to the application."""
    c, s = t.connection()
    s("s.send(bytes(33)); time.sleep(0.01); linger(s)")
    c("wait(lambda: unread(s) == 33)")
    s("s.close()")
    c("reached(s, 'close')")
    row = agrees(t, c, "errored", diag=False, error__type="ECONNRESET", data__unread_bytes=33, phase=None)
    assert row["stream.read_closed"] and row["stream.write_closed"], row
    assert status(c) == 1
    unseen = Check("--pid", str(c.host.pid), without=WITHOUT_BPF)
    assert unseen.status == 3 and "not connected" in unseen.stderr and not unseen.of(c), (unseen.status, unseen.stderr)
    t.premise(c("s.recv(100)") == bytes(33), "the data is still there")
    error = c("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)")
    t.premise(error == 104, "the application gets %d" % error)
    agrees(t, c, "closed", diag=False, error__type=None, phase=None)


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
    """Only our FIN is unacknowledged, and a process still holds the socket."""
    c, s = t.connection()
    s("drop(s)")
    c("s.shutdown(socket.SHUT_WR); " + KNOWS)
    c("wait(lambda: knows(s)['retransmission'] > 0)")
    agrees(t, c, "stalled", phase="closing", stream__write_closed=True, stream__read_closed=False)


def flush_addresses(end):
    end("for v in '-4', '-6': command('ip', v, 'address', 'flush', 'dev', 'eth0')")


@checked
def check_address_gone(t):
    """Idle, and our address was removed: nothing that the peer sends arrives."""
    c, s = t.connection()
    flush_addresses(c)
    agrees(t, c, "stalled", network__local__address_gone=True)
    assert status(c) == 1 and b"our address is gone" in Check("--pid", str(c.host.pid), text=True).out
    agrees(t, s, "alive", "--alive-within", "1h", network__local__address_gone=None)
    c("command('ip', 'address', 'add', plain(HERE) + ('/64' if ':' in plain(HERE) else '/24'), 'dev', 'eth0')")
    agrees(t, c, "alive", "--alive-within", "1h", network__local__address_gone=None)


@checked
def check_address_of_another(t):
    """IP_TRANSPARENT: a proxy speaks for an address that is not this host's."""
    c, s = t.connection()
    c("s.setsockopt(socket.IPPROTO_IP, 19, 1)")
    flush_addresses(c)
    agrees(t, c, "alive", "--alive-within", "1h", network__local__address_gone=None)


@once_checked
def check_address_by_route(t):
    """A whole prefix is local by a route, of which no interface has an address."""
    client, server = t.pair()
    server("command('ip', 'route', 'add', 'local', '198.51.100.0/24', 'dev', 'lo')\n"
           "l = tcp(); l.bind(('198.51.100.9', 0)); l.listen()")
    client("command('ip', 'route', 'add', '198.51.100.0/24', 'via', THERE)")
    client("s = tcp(); s.connect(target)", target=server("l.getsockname()"))
    s = t.accept(server)
    row = Check("--pid", str(server.pid), "--alive-within", "1h").one(s)
    assert row["verdict"] == "alive" and "network.local.address_gone" not in row, row


@checked
def check_window_closed(t):
    c, s = t.connection()
    c("fill(s)")
    row = agrees(t, c, "window_closed", answered=True, tcp__gives_up_in_ms=None)
    assert row["data.unsent_bytes"] > 0 and row["data.unacked_bytes"] == 0, row
    row = agrees(t, s, "alive", "--alive-within", "1h")
    assert row["data.unread_bytes"] > 0, row
    assert status(c) == 0, "a slow reader lives"
    c("wait(lambda: knows(s)['backoff'] > 1, 'probes, which are answered')")
    assert status(c) == 0, "it answers"
    s("drop(s)")
    c("wait(lambda: probes(s) > 1, 'two probes without an answer')")
    row = Check("--pid", str(c.host.pid)).one(c)
    assert row["verdict"] == "stalled" and row["tcp.probes_unanswered"] >= 2, row
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
    """The peer has closed, we have not. The time of the FIN is known because we never sent data."""
    c, s = t.connection()
    s("s.send(bytes(5)); wait(lambda: queued(s) == 0); s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait'); since = time.monotonic()")
    row = agrees(t, c, "closed", phase="half_closed", stream__read_closed=True, stream__write_closed=False)
    # only BPF shows whether keepalive is off and whether data was ever sent
    row = Check("--pid", str(c.host.pid)).one(c)
    assert row["data.unread_bytes"] == 5, row
    now = c("time.monotonic() - since") * 1000
    assert now - 500 * clock.SLOW < row["stream.read_closed_ms"] < now + 500 * clock.SLOW, (now, row)
    row = agrees(t, s, "closing", phase="closing", stream__write_closed=True, stream__read_closed=False)
    assert status(c) == 1 and status(s) == 0


@checked
def check_closed_streaming(t):
    """A server streams on to a client that closed its half: that peer is there. Only BPF shows it."""
    c, s = t.connection()
    c("keepalive(s, 1000, 10, 3)")
    s("s.shutdown(socket.SHUT_WR)")
    c("reached(s, 'close_wait')")
    agrees(t, c, "closed")
    for _ in range(3):
        c("s.send(bytes(10)); wait(lambda: queued(s) == 0)")
        agrees(t, c, "alive", "--alive-within", "1h", diag=False, stream__read_closed_ms=None,
               stream__read_closed=True, stream__write_closed=False)
    assert status(c, "--alive-within", "1h") == 0
    c("wait(lambda: knows(s)['silent'] > 300)")
    agrees(t, c, "unproven", "--alive-within", "200ms", diag=False)
    assert status(c, "--alive-within", "200ms") == 0


@checked
def check_closed_before_fin_came(t):
    """Data that the peer took before its FIN does not show that it reads on."""
    c, s = t.connection()
    c("s.send(bytes(10))")
    s("s.recv(10, socket.MSG_WAITALL); s.close()")
    c("reached(s, 'close_wait'); wait(lambda: queued(s) == 0)")
    agrees(t, c, "closed")
    assert status(c) == 1


@checked
def check_closed_but_answers_keepalive(t):
    """The peer closed both halves, and what is left of its socket answers keepalive probes for a while."""
    c, s = t.connection()
    s("s.send(b'x'); s.close()")
    c("s.recv(1); reached(s, 'close_wait'); keepalive(s, 1, 1, 9)")
    c("wire = capture(); wait(lambda: [1 for way, _, flags, _ in segments(wire) if way == 'in'], 'an answer')")
    agrees(t, c, "closed", stream__read_closed_ms=None)
    assert status(c) == 1


@checked
def check_connect_refused(t):
    """A nonblocking connect failed, and the application has not read the error."""
    client, server = t.pair()
    client("s = bound(); begin((THERE, 9), s); wait(lambda: state(s) == 'close')")
    c = t.end(client, peer=(server("plain(HERE)"), 9))
    row = agrees(t, c, "errored", diag=False, error__type="ECONNREFUSED")
    assert row["data.unread_bytes"] == 0, row
    t.premise(client("s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)") == 111, "ECONNREFUSED")


# Holders.

@checked
def check_orphan(t):
    """Closed with data in flight: no process holds the socket, and the kernel keeps retransmitting."""
    c, s = t.connection()
    s("drop(s)")
    c("s.send(bytes(2000)); s.close()")
    row = clock.wait(lambda: next((row for row in Check("--netns", str(c.host.netns)).of(c)
                                   if row["verdict"] == "stalled"), None), "a stalled orphan")
    problems = differences(row, {"phase": "orphaned", "owner.unknown": "holder_gone", "process.pid": None,
                                 "process.fd": None, "data.unacked_bytes": 2000, "data.unsent_bytes": 0,
                                 "stream.write_closed": True, "network.connection.state": "fin_wait_1"})
    assert not problems + check_faults(row), problems + check_faults(row)
    assert 0 < row["tcp.gives_up_in_ms"] < 400000, row
    diag = clock.wait(lambda: Check("--netns", str(c.host.netns), without=WITHOUT_BPF).of(c), "the same by sock_diag")[0]
    assert (diag["verdict"], diag["phase"], diag["owner.unknown"]) == ("stalled", "orphaned", "holder_gone"), diag
    assert not Check("--pid", str(c.host.pid)).of(c)


@checked
def check_unaccepted(t):
    """A connection in the accept queue belongs to its listener."""
    client, server = t.pair()
    t.listen(server)
    c = t.connect(client, server)
    s = t.waiting(server, c)
    c("s.send(bytes(12)); wait(lambda: queued(s) == 0)")
    for without in "", WITHOUT_BPF:
        row = Check("--pid", str(server.pid), without=without).one(s)
        problems = differences(row, {"verdict": "alive", "phase": "unaccepted", "owner.via": "listener",
                                     "process.pid": server.pid, "process.fd": None, "data.unread_bytes": 12})
        assert not problems + check_faults(row), (without, problems, check_faults(row))


@once_checked
def check_shared(t):
    """A parent and its child hold the socket. A look at one of them names that one and lists both as holders."""
    c, s = t.connection()
    child = s.host.fork()
    pids = sorted((s.host.pid, child.pid))
    whole = Check("--netns", str(s.host.netns)).one(s)
    problems = differences(whole, {"owner.unknown": "shared", "owner.holders": pids, "process.pid": None})
    for pid in pids:
        row = Check("--pid", str(pid)).one(s)
        problems += differences(row, {"owner.via": "holder", "owner.holders": pids, "process.pid": pid})
    child("libc.prctl(15, b'only-child', 0, 0, 0)")
    row = Check("--name", "only-child").one(s)
    problems += differences(row, {"process.pid": child.pid, "process.name": "only-child"})
    assert not Check("--netns", str(s.host.netns), "--not-pid", str(child.pid)).of(s)
    s("s.close()")
    problems += differences(Check("--netns", str(s.host.netns)).one(s), {"process.pid": child.pid, "owner.holders": None})
    assert not problems, problems


@once_checked
def check_is_no_holder(t):
    """Whoever asks hands its descriptors down to lostpeer, which is no holder by that."""
    c, s = t.connection()
    for without in "", WITHOUT_BPF:
        found = c("os.set_inheritable(s.fileno(), True)\n"
                  "done = subprocess.run([program, 'check', '--json', '--netns', netns], stdout=subprocess.PIPE,"
                  " close_fds=False, env=dict(os.environ, LOSTPEER_WITHOUT=without)); done.stdout.decode()",
                  program=PROGRAM, netns=str(c.host.netns), without=without)
        rows = [row for row in map(json.loads, found.splitlines()) if row.get("network.local.port") == c.local[1]]
        assert len(rows) == 1, rows
        problems = differences(rows[0], {"process.pid": c.host.pid, "owner.via": "holder", "owner.holders": None,
                                         "process.fd": c("s.fileno()")})
        assert not problems, (without, problems)


@once_checked
def check_hostile_names(t):
    """A hostile process name breaks neither the JSON nor the text, and puts no control character into it."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    for name in NAMES:
        c("libc.prctl(15, name, 0, 0, 0)", name=name)
        row = Check("--pid", str(client.pid)).one(c)
        want = written(client.process.refresh().name)
        assert row["process.name"] == want, "%r reported as %r" % (name, row["process.name"])
        text = Check("--pid", str(client.pid), text=True)
        text.out.decode("utf-8")
        assert not controls(text.out), "%r: %r" % (name, text.out)
        assert text.out.count(b"\n") == 2 and Legible(name) == text.out.decode("utf-8"), text.out
