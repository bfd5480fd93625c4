# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Grouping of repeated events: a peer that dies, a loop, an endless stream. The counts must add up."""
import os
import pty
import re
import termios
import time
import tty

import clock
from agent import read_until
from crowds import ROOM
from trial import scenario

agents = scenario(families=("ipv4",), own=True, portable=True)
PROCESSES, EACH = 4, 75
ALL = PROCESSES * EACH
BURST = re.compile(r" (\S+)\[(\d+) processes\]\S* +(\S+) +peer_lost/reset +reset by the peer, "
                   r"(\d+) more connections of (\d+) processes in ([\d.]+ m?s) \(ECONNRESET\)(.*)")


def on_terminal(t, *options):
    """An agent that writes to a terminal, and the master of that terminal."""
    os.environ["NO_COLOR"] = "1"
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    agent = t.agent(*options, output=slave)
    os.close(slave)
    return agent, master


def dying_peer(t, names):
    """Processes with these names, each with connections to one server that is about to die."""
    client, server = t.pair()
    server(ROOM)
    server("l = listen(512)")
    target = server("HERE, l.getsockname()[1]")
    workers = [t.beside(client, name) for name in names]
    for worker in workers:
        worker("all = [tcp() for _ in range(n)]\nfor s in all: s.connect(target); s.send(b'x' * 10)", n=EACH,
               target=target)
    server("all = [l.accept()[0] for _ in range(n)]\nfor s in all: linger(s); s.recv(10)", n=ALL)
    # 3 unread bytes of each connection are at stake at the clients
    server("for s in all: s.send(b'abc')")
    for worker in workers:
        worker("for s in all: wait(lambda: unread(s) == 3, 'three bytes')")
    return client, server, workers, "%s:%d" % target


def die(t, server, workers, json):
    server.kill_alone()
    for worker in workers:
        worker("for s in all: reached(s, 'close')")
    try:
        clock.wait(lambda: json.lines() >= ALL, "an event of each connection")
    except TimeoutError:
        pass  # the comparison reports the missing ones


def check_json(t, json, workers):
    json.stop()
    problems = json.faults()
    seen = sorted((e["event"], e["cause"], e["process.pid"]) for e in json.events)
    wanted = sorted(("peer_lost", "reset", worker.pid) for worker in workers for _ in range(EACH))
    if seen != wanted or any("repeat.count" in e for e in json.events):
        problems.append("not an event of each connection: %d" % len(seen))
    if json.ledger()["written"] != ALL or json.ledger()["grouped"]:
        problems.append("ledger of JSON: %s" % json.ledger())
    assert not problems, "\n".join(problems)


def check_terminal(agent, master, peer, firsts, name):
    """The first event of each program has a line; all others share one."""
    agent.stop()
    data = read_until(master, lambda _: False, 1)
    os.close(master)
    lines = data.decode().splitlines()[1:]
    assert not agent.faults(), agent.faults()
    ledger = agent.ledger()
    assert (ledger["emitted"], ledger["written"], ledger["grouped"]) == (ALL, firsts, ALL - firsts), ledger
    assert len(lines) == firsts + 1, "%d lines:\n%s" % (len(lines), "\n".join(lines))
    assert all("reset by the peer (ECONNRESET)" in line and peer in line for line in lines[:firsts]), lines
    burst = BURST.search(lines[-1])
    assert burst, "no burst: %s" % lines[-1]
    assert burst.group(1, 2, 3, 4, 5) == (name, str(PROCESSES), peer, str(ALL - firsts), str(PROCESSES)), lines[-1]
    assert "; %d B unread" % (3 * (ALL - firsts)) in burst.group(7) and "local " not in burst.group(7), lines[-1]


@agents
def peer_dies(t):
    """300 connections of 4 processes of one program: two lines on a terminal, 300 events in JSON."""
    client, server, workers, peer = dying_peer(t, ["worker"] * PROCESSES)
    json = t.agent("--json", "--netns", str(client.netns))
    terminal, master = on_terminal(t, "--netns", str(client.netns))
    die(t, server, workers, json)
    check_json(t, json, workers)
    check_terminal(terminal, master, peer, 1, "worker")


@agents
def peer_of_many_programs_dies(t):
    """Each program gets its own first event; the rest are one grouped event."""
    names = ["worker-%d" % n for n in range(PROCESSES)]
    client, server, workers, peer = dying_peer(t, names)
    json = t.agent("--json", "--group", "1h", "--netns", str(client.netns))
    die_grouped(t, server, workers, json)
    problems = json.faults()
    ones = [e for e in json.events if "repeat.count" not in e]
    if sorted(e["process.pid"] for e in ones) != sorted(worker.pid for worker in workers):
        problems.append("the first ones: %s" % ones)
    repeats = [e for e in json.events if "repeat.count" in e]
    if [(e["repeat.count"], e["repeat.processes"], e["data.unread_bytes"], e["network.peer.port"]) for e in repeats] != [
            (ALL - PROCESSES, PROCESSES, 3 * (ALL - PROCESSES), int(peer.rsplit(":", 1)[1]))]:
        problems.append("the others: %s" % repeats)
    for name in "process.pid", "process.name", "network.local.port", "tcp.cookie", "owner.unknown":
        if name in repeats[0]:
            problems.append("%s on %s" % (name, repeats[0]))
    assert not problems, "\n".join(problems)


def die_grouped(t, server, workers, agent):
    server.kill_alone()
    for worker in workers:
        worker("for s in all: reached(s, 'close')")
    clock.wait(lambda: agent.lines() >= PROCESSES, "the first event of each")
    t.settle()
    agent.stop()


@agents
def loop_does_not_hide_others(t):
    """A process exceeds its rate with hundreds of refused connections: the excess is grouped, and another process's
    event still comes."""
    host = t.loopback()
    loop, quiet = t.beside(host, "loop"), t.beside(host, "quiet")
    agent = t.agent("--json", "--rate", "5", "--netns", str(host.netns))
    began = time.monotonic()
    loop("for port in range(1, 301): tcp().connect_ex((HERE, port))")
    quiet("tcp().connect_ex((HERE, 9))")
    clock.wait(lambda: b'"process.name":"quiet"' in agent.written(), "the event of the quiet one")
    loop("for port in range(301, 401): tcp().connect_ex((HERE, port))")
    clock.wait(lambda: b'"repeat.count"' in agent.written(), "what is above the rate")
    agent.stop()
    took = time.monotonic() - began
    problems = agent.faults()
    ones = {name: [e for e in agent.events if e.get("process.name") == name and "repeat.count" not in e]
            for name in ("loop", "quiet")}
    repeats = [e for e in agent.events if "repeat.count" in e]
    if len(ones["quiet"]) != 1:
        problems.append("the quiet one: %s" % ones["quiet"])
    if not 50 <= len(ones["loop"]) <= 50 + 5 * took + 1:
        problems.append("%d events of the loop in %.1f s" % (len(ones["loop"]), took))
    if sum(e["repeat.count"] for e in repeats) + len(ones["loop"]) != 400:
        problems.append("400 are not %d and %s" % (len(ones["loop"]), [e["repeat.count"] for e in repeats]))
    for e in repeats:  # only a group of one has a port
        if e.get("process.pid") != loop.pid or e["repeat.count"] > 1 and "network.peer.port" in e:
            problems.append("a record of the loop: %s" % e)
    assert not problems, "\n".join(problems)


STREAM = """
go, gaps = True, 0
def stream():
    global gaps
    n, last = 0, time.monotonic()
    while go and n < 20000:
        tcp().connect_ex((HERE, 9))
        n += 1
        gaps += time.monotonic() - last > 0.25
        last = time.monotonic()
        time.sleep(0.005)
    return n
"""


@agents
def stream_without_pause(t):
    """An endless stream gives a grouped event for each window and a first event only at its start."""
    host = t.loopback()
    agent = t.agent("--json", "--group", "300ms", "--netns", str(host.netns))
    host(STREAM)
    host("thread = in_thread(stream)")
    clock.wait(lambda: agent.written().count(b'"repeat.count"') >= 4, "four windows")
    count, gaps = host("go = False; outcome(thread), gaps")
    agent.stop()
    problems = agent.faults()
    ones = [e for e in agent.events if "repeat.count" not in e]
    repeats = [e for e in agent.events if "repeat.count" in e]
    if not 1 <= len(ones) <= 1 + gaps:
        problems.append("%d first events, %d gaps" % (len(ones), gaps))
    if len(ones) + sum(e["repeat.count"] for e in repeats) != count:
        problems.append("%d are not %d and %s" % (count, len(ones), [e["repeat.count"] for e in repeats]))
    for before, after in zip(repeats, repeats[1:]):
        if before["repeat.last"] >= after["repeat.first"]:
            problems.append("windows overlap: %s %s" % (before, after))
    for e in repeats:
        if e["process.pid"] != host.pid or e["network.peer.port"] != 9 or e["repeat.processes"] != 1:
            problems.append("not of this loop: %s" % e)
    assert not problems, "\n".join(problems)
