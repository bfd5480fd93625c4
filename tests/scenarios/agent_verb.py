# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`lostpeer agent`: several outputs at once, its configuration, SIGHUP, full disks and stalled readers."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import clock
from agent import LEDGER, PROGRAM, ROOT, read, read_until
from stall import FLOOD
from trial import scenario

agents = scenario(families=("ipv4",), own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)
LOSSES = ("ring_full", "output_full", "write_failed", "stopped")
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_REMOUNT = 0x20000, 0x4000, 1 << 18, 32


# One event for each connection, even on a slow machine.
REFUSED = """
def refused(count):
    for _ in range(count):
        s = tcp()
        s.connect_ex((HERE, 9))
        s.close()
"""

# Two events for each connection: the peer waits for the RST before it closes.
RESET = FLOOD.replace("d.close()\n", "d.close()\n        reached(s, 'close')\n")


class Service:
    """An agent with a configuration and files of its own."""

    def __init__(self, t, config, *options, output=None, environment=None, inside=(), without=""):
        self.directory = tempfile.mkdtemp(prefix="lostpeer-scenario-")
        self.config = self.path("lostpeer.conf")
        self.write_config(config)
        t.cleanups.append(lambda: shutil.rmtree(self.directory, ignore_errors=True))
        before = dict(os.environ)
        os.environ.update(environment or {})
        try:
            self.agent = t.agent("--config", self.config, *options, verb="agent", output=output, prefix=inside,
                                 without=without)
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.pid = self.agent.pid

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_config(self, text):
        """Replaces DIR by the directory of this service."""
        with open(self.config, "w") as f:
            f.write(text.replace("DIR", self.directory))

    def reload(self, message):
        """Send SIGHUP and wait until the agent prints this message again."""
        before = self.agent.messages().count(message)
        self.agent.process.send_signal(signal.SIGHUP)
        clock.wait(lambda: self.agent.messages().count(message) > before,
                   "the end of the reload: %s" % self.agent.messages())

    def events(self, name):
        return parse(self.raw(name))

    def raw(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def ledgers(self):
        """The ledgers of each title; an output that was closed and opened again has several."""
        found = {}
        for line in self.agent.messages().splitlines():
            of_one = re.match(r"lostpeer: (\D[^:]*): (.*)", line)
            match = of_one and LEDGER.match("lostpeer: " + of_one.group(2))
            if not match:
                continue
            title, rest = of_one.groups()
            ledger = dict(zip(("emitted", "written", "filtered", "grouped", "lost", "pending"),
                              map(int, match.groups())))
            for place in LOSSES:
                at = re.search(r"(\d+) %s" % place, rest)
                ledger[place] = int(at.group(1)) if at else 0
            found.setdefault(title, []).append(ledger)
        return found

    def stop(self):
        """End the agent; the problems of its exit status and ledgers."""
        problems = []
        self.agent.process.send_signal(signal.SIGTERM)
        self.agent.status = self.agent.process.wait(60 * clock.SLOW)
        if self.agent.status != 0:
            problems.append("exit status %s: %s" % (self.agent.status, self.agent.messages()[-400:]))
        ledgers = self.ledgers()
        if not ledgers:
            problems.append("no ledger: %s" % self.agent.messages())
        for title, of_title in ledgers.items():
            for ledger in of_title:
                parts = sum(ledger[name] for name in ("written", "filtered", "grouped", "lost", "pending"))
                if ledger["emitted"] != parts or ledger["pending"]:
                    problems.append("the ledger of %s does not balance: %r" % (title, ledger))
        return problems


def parse(data):
    assert not data or data.endswith(b"\n"), "the last line is not whole: %r" % data[-100:]
    return [json.loads(line) for line in data.splitlines()]


def without_gaps(events):
    return [event for event in events if event["event"] != "events_lost"]


def gaps(events, cause=None):
    return sum(event["lost.count"] for event in events
               if event["event"] == "events_lost" and cause in (None, event["cause"]))


def keys(events):
    return sorted((e["time"], e["event"], e["cause"], e.get("network.local.port", 0)) for e in events)


@portable
def several_outputs(t):
    """Each output gets the events that pass its filters, in its format, grouped or not."""
    host = t.loopback()
    other = t.beside(host, "other")
    service = Service(t, """
[file]
path = DIR/all
all = yes
netns = NETNS
[file lost]
path = DIR/lost
netns = NETNS
[file other]
path = DIR/other
all = yes
name = other
netns = NETNS
min-severity = notice
[file grouped]
path = DIR/grouped
netns = NETNS
group = 1h
[file text]
path = DIR/text
format = text
netns = NETNS
event = connect_failed
[stdout]
netns = NETNS
cause = linger
""".replace("NETNS", str(host.netns)))
    host(RESET)
    host("flood(20)")
    for who in (host, other):
        who("for port in range(1, 11): tcp().connect_ex((HERE, port))")
    host("l = listen(); s = tcp(); s.connect(l.getsockname()); d = l.accept()[0]; s.close(); d.close()")
    t.settle()
    t.settle()
    problems = service.stop()
    whole = without_gaps(service.events("all"))
    if len([e for e in whole if e["event"] != "peer_closed" and e["event"] != "local_closed"]) != 60:
        problems.append("not 60 drops but %d" % len(whole))
    wanted = {
        "lost": [e for e in whole if e["event"] not in ("peer_closed", "local_closed")],
        "other": [e for e in whole if e.get("process.name") == "other"],
    }
    for name, events in wanted.items():
        if keys(without_gaps(service.events(name))) != keys(events) or not events:
            problems.append("%s: %d events, not %d" % (name, len(service.events(name)), len(events)))
    got = without_gaps(parse(service.agent.written()))
    if keys(got) != keys([e for e in whole if e["cause"] == "linger"]) or len(got) != 20:
        problems.append("stdout: %d events, not 20" % len(got))
    lines = service.raw("text").decode().splitlines()
    if len(lines) != 20 or not all("connect_failed/refused" in line for line in lines):
        problems.append("text: %s" % lines[:3])
    grouped = without_gaps(service.events("grouped"))
    ledger = service.ledgers()["file grouped"][0]
    if sum(e.get("repeat.count", 1) for e in grouped) != 60 or ledger["grouped"] != 60 - ledger["written"]:
        problems.append("grouped: %s %s" % (ledger, grouped))
    modes = {name: os.stat(service.path(name)).st_mode & 0o777 for name in ("all", "lost", "text")}
    if set(modes.values()) - {0o640}:
        problems.append("modes %s" % modes)
    assert not problems, "\n".join(problems)


@portable
def wrong_configuration(t):
    """A wrong configuration: every error names its line, and the agent exits with 2. A right one prints nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write("[agent]\nring = 3\nbogus = 1\n[file]\nport = x\n[pigeon]\n[file]\n")
        f.flush()
        for words in (["--check-config"], []):
            done = run("--config", f.name, *words)
            messages = done.stderr.splitlines()
            for line, word in ((2, "ring"), (3, "bogus"), (5, "port"), (6, "pigeon"), (7, "already")):
                assert any(text.startswith("%s:%d: " % (f.name, line)) and word in text for text in messages), (
                    "line %d is not named: %s" % (line, done.stderr))
            assert done.returncode == 2 and not done.stdout, "status %d" % done.returncode
    for words in (["--bogus"], ["--path", "x"], ["--output", "pigeon"], ["--output", "file", "--port", "x"], ["word"],
                  ["--output", "file"], ["--config", "/nonexistent"]):
        done = run("--check-config", *words)
        assert done.returncode == 2 and done.stderr, "%s: status %d: %s" % (words, done.returncode, done.stderr)
    done = run("--check-config", "--output", "file x", "--path", "/tmp/x", "--port", "80", "--output", "stdout")
    assert done.returncode == 0 and not done.stderr, "status %d: %s" % (done.returncode, done.stderr)


def run(*words):
    return subprocess.run([PROGRAM, "agent"] + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60 * clock.SLOW)


STREAM = """
go, count = True, 0
def stream():
    global count
    while go:
        tcp().connect_ex((HERE, 9))
        count += 1
        time.sleep(0.002)
thread = in_thread(stream)
"""

RELOADED = "read the configuration again"


@portable
def reload_loses_nothing(t):
    """Under load the file is rotated and the configuration changed, broken and changed again: every event is in exactly
    one file."""
    host = t.loopback()
    first = """
[file]
path = DIR/events
netns = NETNS
[file kept]
path = DIR/kept
netns = NETNS
""".replace("NETNS", str(host.netns))
    service = Service(t, first)
    host(STREAM)
    enough = lambda name: clock.wait(lambda: service.raw(name).count(b"\n") >= 20, "lines in %s" % name)
    enough("events")
    os.rename(service.path("events"), service.path("rotated"))
    service.reload(RELOADED)
    clock.wait(lambda: os.path.exists(service.path("events")), "the new file")
    enough("events")
    service.write_config(first.replace("DIR/events", "DIR/other\nall = yes"))
    service.reload(RELOADED)
    enough("other")
    service.write_config(first.replace("path = DIR/events", "path = DIR/nowhere/events\nbogus = 1"))
    service.reload("goes on as before")
    service.write_config(first.replace("DIR/events", "DIR/nowhere/events"))
    service.reload("goes on as before")
    service.write_config(first.replace("DIR/events", "DIR/last"))
    service.reload(RELOADED)
    enough("last")
    host("go = False; outcome(thread)")
    count = host("count")
    t.settle()
    problems = service.stop()
    kept = without_gaps(service.events("kept"))
    parts = {name: without_gaps(service.events(name)) for name in ("rotated", "events", "other", "last")}
    if len(kept) != count:
        problems.append("%d drops, %d reported" % (count, len(kept)))
    if keys(sum(parts.values(), [])) != keys(kept):
        problems.append("%d drops in the one, %s in the parts of the other" % (
            len(kept), {name: len(events) for name, events in parts.items()}))
    if "bogus" not in service.agent.messages() or "nowhere" not in service.agent.messages():
        problems.append("the errors are not named: %s" % service.agent.messages())
    if [len(of_title) for title, of_title in sorted(service.ledgers().items())] != [3, 1]:
        problems.append("ledgers: %s" % service.ledgers())
    assert not problems, "\n".join(problems)


def small_disk(size, again=False):
    """A tmpfs over /mnt in a mount namespace of this process."""
    if not again:
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
            return False
    options = b"size=%d" % size
    return libc.mount(b"tmpfs", b"/mnt", b"tmpfs", MS_REMOUNT if again else 0, options) == 0


@scenario(families=("ipv4",), alone=True, portable=True)
def ledger_adds_up_under_faults(t):
    """A disk that is full for half of the drops, a stalled stdout, and a SIGHUP: every gap is reported, the other
    outputs lose nothing, and memory is bounded."""
    drops = 2000 if t.many(5) < 5 else 10000
    if not small_disk(256 << 10):
        t.skip("cannot mount a tmpfs")
    host = t.loopback()
    host(REFUSED)
    ours, theirs = os.pipe()
    service = Service(t, """
[file full]
path = /mnt/events
netns = NETNS
[file good]
path = DIR/good
netns = NETNS
[stdout]
all = yes
netns = NETNS
""".replace("NETNS", str(host.netns)), output=theirs)
    os.close(theirs)
    host("refused(%d)" % (drops // 2))
    clock.wait(lambda: "No space left" in service.agent.messages(), "a full disk")
    service.reload(RELOADED)
    assert small_disk(1 << 30, again=True), "the disk does not grow"
    host("refused(%d)" % (drops - drops // 2))
    memory = resident(service.pid)
    data = []
    reader = threading.Thread(target=lambda: data.append(read_until(ours, lambda _: False, 600)), daemon=True)
    reader.start()
    t.settle()
    host("tcp().connect_ex((HERE, 9))")
    t.settle()
    problems = service.stop()
    reader.join(60 * clock.SLOW)
    os.close(ours)
    with open("/mnt/events", "rb") as f:
        full = parse(f.read())
    good, out = service.events("good"), parse(data[0])
    ledgers = {title: of_title[0] for title, of_title in service.ledgers().items()}
    assert len(ledgers) == 3, "ledgers of %s: %s" % (sorted(ledgers), service.agent.messages())
    for title, events in (("file full", full), ("file good", good), ("stdout", out)):
        ledger = ledgers[title]
        if len(without_gaps(events)) != ledger["written"]:
            problems.append("%s: %d events, ledger %r" % (title, len(without_gaps(events)), ledger))
        if gaps(events) != ledger["lost"]:
            problems.append("%s: reported %d lost, ledger %r" % (title, gaps(events), ledger))
    if ledgers["file good"]["lost"] or ledgers["file good"]["written"] != drops + 1:
        problems.append("the good one: %r, %d drops" % (ledgers["file good"], drops))
    if not ledgers["file full"]["write_failed"] or gaps(full, "write_failed") != ledgers["file full"]["write_failed"]:
        problems.append("the full one: %r" % ledgers["file full"])
    problems += interval_faults(full, good)
    if memory > 64 << 20:
        problems.append("%d MiB resident" % (memory >> 20))
    assert not problems, "\n".join(problems)


def interval_faults(events, whole):
    """The gaps of a stream cover the times of what it lacks, and no more."""
    has = {event.get("tcp.cookie", event["time"]) for event in events}
    lacks = [event["time"] for event in whole if event.get("tcp.cookie", event["time"]) not in has]
    bounds = [(event["lost.first"], event["lost.last"]) for event in events if event["event"] == "events_lost"]
    if (min(bounds)[0], max(last for _, last in bounds)) != (min(lacks), max(lacks)):
        return ["the gaps are %s, the lost events from %s to %s" % (bounds, min(lacks), max(lacks))]
    return []


def resident(pid):
    """Anonymous memory only: the ring is shared with the kernel."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) << 10


def capabilities(pid, thread):
    """A thread's capability sets by name, its NoNewPrivs and its Seccomp."""
    with open("/proc/%d/task/%d/status" % (pid, thread)) as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    sets = {}
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        bits = int(status[name], 16)
        sets[name] = {NAMES.get(bit, "CAP_%d" % bit) for bit in range(64) if bits >> bit & 1}
    return sets, status["NoNewPrivs"].strip(), status["Seccomp"].strip()


NAMES = {1: "CAP_DAC_OVERRIDE", 2: "CAP_DAC_READ_SEARCH", 12: "CAP_NET_ADMIN", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN",
         24: "CAP_SYS_RESOURCE", 38: "CAP_PERFMON", 39: "CAP_BPF"}


def documented():
    """The capabilities in the table of SECURITY.md."""
    with open(os.path.join(ROOT, "SECURITY.md")) as f:
        return set(re.findall(r"^\| (CAP_\w+) \|", f.read(), re.M))


@agents
def keeps_documented_capabilities(t):
    """Every thread has exactly the capabilities of SECURITY.md and the seccomp filter. They are enough to name another
    user's process in its own cgroup."""
    built = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    if "without" in built:
        t.skip("built without something")
    host = t.loopback()
    nobody = t.beside(host, "nobody")
    nobody("import os; os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)")
    service = Service(t, "[file]\npath = DIR/events\nnetns = %d\n[stdout]\n" % host.netns)
    watch = t.agent("--json", "--netns", str(host.netns))
    wanted = documented()
    problems = []
    for pid in (service.pid, watch.pid):
        threads = list(map(int, os.listdir("/proc/%d/task" % pid)))
        if len(threads) < 2:
            problems.append("no writer: %s" % threads)
        for thread in threads:
            sets, no_new, seccomp = capabilities(pid, thread)
            for name, got in sets.items():
                if got != (wanted if name in ("CapPrm", "CapEff", "CapBnd") else set()):
                    problems.append("%s of %d: %s" % (name, thread, got))
            if (no_new, seccomp) != ("1", "2"):
                problems.append("NoNewPrivs %s, Seccomp %s" % (no_new, seccomp))
    nobody("tcp().connect_ex((HERE, 9))")
    t.settle()
    problems += service.stop()
    watch.stop()
    for events in (without_gaps(service.events("events")), without_gaps(watch.events)):
        if len(events) != 1:
            problems.append("%d events" % len(events))
            continue
        for name in ("process.executable.path", "process.linux.cgroup", "process.name"):
            if name not in events[0]:
                problems.append("no %s: %s" % (name, events[0]))
        if events[0].get("process.user.id") != 65534:
            problems.append("wrong user: %s" % events[0])
    assert not problems, "\n".join(problems)


@portable
def two_agents_at_once(t):
    """Both get every event, although they append to the same file."""
    host = t.loopback()
    config = "[file]\npath = %s\nnetns = %d\n[file own]\npath = DIR/own\nnetns = %d\n"
    shared = tempfile.NamedTemporaryFile()
    services = [Service(t, config % (shared.name, host.netns, host.netns)) for _ in range(2)]
    host(REFUSED)
    host("refused(400)")
    t.settle()
    t.settle()
    problems = services[0].stop()
    host("refused(100)")
    t.settle()
    problems += services[1].stop()
    own = [without_gaps(service.events("own")) for service in services]
    if [len(events) for events in own] != [400, 500]:
        problems.append("of 400 and 500: %s" % [len(events) for events in own])
    if keys(without_gaps(parse(read(shared)))) != keys(own[0] + own[1]):
        problems.append("the file that both write has %d events" % len(without_gaps(parse(read(shared)))))
    assert not problems, "\n".join(problems)


@portable
def service_manager(t):
    """The messages to systemd: ready, watchdog, reloading, stopping."""
    if "libsystemd" not in subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE,
                                          universal_newlines=True).stdout.split("without")[0]:
        t.skip("built without libsystemd")
    directory = tempfile.mkdtemp(prefix="lostpeer-scenario-")
    t.cleanups.append(lambda: shutil.rmtree(directory, ignore_errors=True))
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(os.path.join(directory, "notify"))
    manager.settimeout(60 * clock.SLOW)

    def comes(word):
        while word not in manager.recv(4096).decode().split("\n"):
            pass
    service = Service(t, "[stdout]\n", environment={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"})
    comes("READY=1")
    comes("WATCHDOG=1")
    comes("WATCHDOG=1")
    service.agent.process.send_signal(signal.SIGHUP)
    comes("RELOADING=1")
    comes("READY=1")
    service.agent.process.send_signal(signal.SIGTERM)
    comes("STOPPING=1")
    assert service.agent.process.wait(60 * clock.SLOW) == 0, service.agent.messages()
