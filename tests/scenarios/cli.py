# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line of `lostpeer watch`: filters, limits, commands and exit statuses."""
import json
import os
import signal
import subprocess

import clock
from agent import PROGRAM, Agent
from trial import scenario

alone_agent = scenario(families=("ipv4",), own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)
SEVERITIES = ["info", "notice", "warning", "error"]


def predicates(client, server, other):
    """Filter options, each with a predicate for the events that pass."""
    port = server("l.getsockname()[1]")
    here, there = client("HERE"), server("HERE")
    net = here.rsplit(".", 1)[0] + ".0/24"

    def field(name, *values):
        return lambda e: e.get(name) in values

    def ports(*values):
        return lambda e: bool({e.get("network.local.port"), e.get("network.peer.port")} & set(values))
    yes = [
        (["event", "peer_lost"], field("event", "peer_lost")),
        (["event", "local_reset,connect_failed"], field("event", "local_reset", "connect_failed")),
        (["cause", "linger"], field("cause", "linger")),
        (["cause", "refused,reset"], field("cause", "refused", "reset")),
        (["pid", str(client.pid)], field("process.pid", client.pid)),
        (["name", "other"], field("process.name", "other")),
        (["port", str(port)], ports(port)),
        (["port", "9,19"], ports(9, 19)),
        (["local-port", str(port)], field("network.local.port", port)),
        (["peer-port", str(port)], field("network.peer.port", port)),
        (["peer", there], field("network.peer.address", there)),
        (["peer", here + "/32"], field("network.peer.address", here)),
        (["peer", net], lambda e: e.get("network.peer.address", "").startswith(net[:-4])),
        (["peer", "fd00::/8"], lambda e: ":" in e.get("network.peer.address", "")),
        (["netns", str(client.netns)], field("network.netns", client.netns)),
    ]
    for (name, value), passes in yes:
        yield ["--" + name, value], passes
        yield ["--not-" + name, value], lambda e, passes=passes: not passes(e)
    for least in SEVERITIES:
        loud = SEVERITIES[SEVERITIES.index(least):]
        yield ["--min-severity", least], field("severity", *loud)
    # Values of one option are alternatives; different options must all match.
    yield ["--event", "peer_lost", "--event", "connect_failed"], field("event", "peer_lost", "connect_failed")
    yield (["--event", "peer_lost", "--name", "other"],
           lambda e: e["event"] == "peer_lost" and e.get("process.name") == "other")
    yield (["--not-cause", "reset", "--not-name", "other"],
           lambda e: e["cause"] != "reset" and e.get("process.name") != "other")


@portable
def filters(t):
    """Every filter and its opposite pass exactly the matching events of an agent without filters."""
    client, server = t.pair()
    other = t.beside(client, "other")
    t.listen(server)
    whole = t.agent("--json", "--all")
    tried = [(options, passes, t.agent("--json", "--all", *options)) for options, passes in
             predicates(client, server, other)]
    default = t.agent("--json")
    target = server("HERE, l.getsockname()[1]")
    for host, how in ((client, "linger(s); s.close()"), (other, "linger(s); s.close()"), (client, "s.close()")):
        host("s = tcp(); s.connect(target)", target=target)
        server("s = l.accept()[0]; " + how)
        host("reached(s, 'close', 'close_wait')")
        t.settle()
        host("s.close()")
    client.error("s = bound(); s.connect((HERE, 9))")
    other.error("s = tcp(); s.connect((THERE, 19))")
    t.settle()
    t.finish()
    seen = mine(t, whole)
    problems = whole.faults()
    if len(seen) != 8:
        problems.append("the whole is %d events, not 8: %s" % (len(seen), seen))
    for options, passes, agent in tried + [(["no --all"], lambda e: e["severity"] != "info", default)]:
        wanted, got = [key(e) for e in seen if passes(e)], [key(e) for e in mine(t, agent)]
        problems += agent.faults()
        if sorted(wanted) != sorted(got):
            problems.append("%s: expected %s got %s" % (" ".join(options), sorted(wanted), sorted(got)))
    assert not problems, "\n".join(problems)


def mine(t, agent):
    if agent.status is None:
        agent.stop()
    return [event for event in agent.events if event.get("network.netns") in t.namespaces()]


def key(event):
    return "%s/%s %s-%s" % (event["event"], event["cause"], event.get("network.local.port"),
                            event.get("network.peer.port"))


def refused(t):
    """A host, and source text that makes one refused connection."""
    host = t.loopback()
    return host, "tcp().connect_ex((HERE, 9))"


def drops(agent):
    """The events but for gaps, which have no namespace."""
    return [event for event in agent.events if event["event"] != "events_lost"]


@portable
def count(t):
    host, once = refused(t)
    agent = t.agent("--json", "--count", "3", "--netns", str(host.netns))
    host("for _ in range(10): " + once)
    agent.wait()
    assert agent.status == 0 and len(drops(agent)) == 3, "status %r, %d events" % (agent.status, len(agent.events))
    assert not agent.faults(), agent.faults()


@portable
def duration(t):
    host, once = refused(t)
    agent = t.agent("--json", "--for", "2s", "--netns", str(host.netns))
    host(once)
    agent.wait()
    assert agent.status == 0 and len(drops(agent)) == 1, "status %r, %d events" % (agent.status, len(agent.events))


@alone_agent
def signals(t):
    """SIGINT and SIGTERM: the last event is written, and the ledger is the last line."""
    host, once = refused(t)
    for number in (signal.SIGINT, signal.SIGTERM):
        agent = t.agent("--json", "--netns", str(host.netns))
        host(once)
        agent.stop(number)
        assert agent.status == 0 and len(drops(agent)) == 1, "%s: status %r, %d events: %s" % (
            number, agent.status, len(agent.events), agent.messages())
        assert not agent.faults(), agent.faults()


def inside(host, *words):
    """Run lostpeer with a command in that host's network namespace; returns the ended agent."""
    agent = Agent("--json", "--all", "--", *words, prefix=["nsenter", "--net=/proc/%d/ns/net" % host.pid], ready=False)
    try:
        agent.wait()
        return agent
    finally:
        agent.end()


LOSE = "import socket; s = socket.socket(); s.connect_ex(('127.0.0.1', %d))"


@alone_agent
def command(t):
    """Only the command and its descendants are watched, no other process of the namespace."""
    host, once = refused(t)
    host("go = True\ndef lose():\n while go: " + once + "; time.sleep(0.01)\nh = in_thread(lose)")
    script = 'python3 -c "%s"; (python3 -c "%s" & wait); exit 7' % (LOSE % 11, LOSE % 12)
    agent = inside(host, "sh", "-c", script)
    host("go = False")
    assert agent.status == 7, "status %r: %s" % (agent.status, agent.messages())
    got = sorted(event["network.peer.port"] for event in agent.events)
    assert got == [11, 12], "ports %s: %s" % (got, agent.messages())
    assert {event["process.name"] for event in agent.events} <= {"python3", "python"}, agent.events


@portable
def command_statuses(t):
    """As in a shell: the command's status, 128+N for a signal, 126 and 127."""
    host, once = refused(t)
    for words, wanted in ((["true"], 0), (["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -9 $$"], 137),
                          (["sh", "-c", "kill -15 $$"], 143), (["/nonexistent/command"], 127), (["/etc/passwd"], 126)):
        agent = inside(host, *words)
        assert agent.status == wanted, "%s: status %r, not %d: %s" % (words, agent.status, wanted, agent.messages())


@portable
def wrong_options(t):
    """Exit 2 and one line that names the option."""
    for words in (["--bogus"], ["--port", "70000"], ["--port", "x"], ["--port"], ["--pid", "0x"], ["--pid", "-5"],
                  ["--event", "nonsense"], ["--cause", "nonsense"], ["--peer", "10.0.0.0/33"], ["--peer", "1.2.3"],
                  ["--min-severity", "loud"], ["--count", "many"], ["--count", "-1"], ["--for", "soon"],
                  ["--group", "often"], ["--group", "0s"], ["--rate", "-1"], ["--rate", "1000001"], ["--netns", "none"],
                  ["--not-port", "70000"]):
        done = run(*words)
        message = done.stderr.strip()
        assert done.returncode == 2, "%s: status %d: %s" % (words, done.returncode, message)
        assert words[0] in message and len(message.splitlines()) <= 2, "%s: %r" % (words, message)
        assert not done.stdout, "%s: on standard output: %r" % (words, done.stdout)


def run(*words, **how):
    return subprocess.run([PROGRAM, "watch"] + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60 * clock.SLOW, **how)


@portable
def without_rights(t):
    """One clear sentence, exit 2."""
    done = run("--json", "--for", "1s", preexec_fn=lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)))
    message = done.stderr.strip()
    assert done.returncode == 2, "status %d: %s" % (done.returncode, message)
    assert message.startswith("lostpeer") and len(message.splitlines()) <= 2 and not done.stdout, "%r" % message


@portable
def doctor_names_each_right(t):
    """With one capability alone it reports that one, and CAP_SYS_ADMIN as what may do the work of two others."""
    for right, reported in (("bpf", ("bpf",)), ("perfmon", ("perfmon",)), ("sys_ptrace", ("sys_ptrace",)),
                            ("dac_read_search", ("dac_read_search",)), ("sys_admin", ("bpf", "perfmon", "sys_admin"))):
        done = subprocess.run(["setpriv", "--bounding-set=-all,+" + right, PROGRAM, "doctor", "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                              timeout=60 * clock.SLOW)
        found = [name for name, there in json.loads(done.stdout)["rights"].items() if name.startswith("cap_") and there]
        assert sorted(found) == ["cap_" + name for name in reported], (right, found, done.stderr)


@portable
def help_text(t):
    done = run("--help")
    assert done.returncode == 0 and not done.stderr, done.stderr
    for word in ("--json", "--all", "event", "cause", "pid", "name", "port", "peer", "netns", "--min-severity",
                 "--group", "--rate", "--count", "--for", "--connect-hook", "--accept-hook"):
        assert word in done.stdout, "--help has no %s" % word
