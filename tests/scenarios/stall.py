# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""An agent whose reader stalls, and one that is killed: the rest of the system must not suffer."""
import array
import fcntl
import json
import os
import shutil
import signal
import subprocess
import termios
import threading

import clock
from agent import read_until
from trial import scenario

FLOOD = """
def flood(count):
    l = listen(16)
    for _ in range(count):
        s = tcp()
        s.connect(l.getsockname())
        d = l.accept()[0]
        linger(d)
        d.close()
        s.close()
    l.close()
"""


@scenario(families=("ipv4",), alone=True, portable=True)
def stalled_reader(t):
    """The reader stalls during tens of thousands of drops: the agent loses output, reports how much, and goes on."""
    host = t.loopback()
    host(FLOOD)
    ours, theirs = os.pipe()
    agent = t.agent("--json", "--netns", str(host.netns), output=theirs)
    os.close(theirs)
    host("flood(20000)")
    assert agent.process.poll() is None, "the agent ended: %s" % agent.messages()
    data = []
    reader = threading.Thread(target=lambda: data.append(read_until(ours, lambda _: False, 600)), daemon=True)
    reader.start()
    # From now on events are written again, and the agent writes the last one before it ends.
    clock.wait(lambda: queue_is_empty(ours), "an empty pipe")
    t.settle()
    host("tcp().connect_ex((HERE, 9))")
    t.settle()
    status = agent.stop()
    reader.join(60 * clock.SLOW)
    os.close(ours)
    events = [json.loads(line) for line in data[0].decode().splitlines()]
    gaps = [event for event in events if event["event"] == "events_lost"]
    ledger = agent.ledger()
    assert status == 0, "status %r: %s" % (status, agent.messages())
    assert isinstance(ledger, dict), "no ledger: %r" % ledger
    assert ledger["emitted"] == sum(ledger[name] for name in ledger if name != "emitted"), "ledger %r" % ledger
    assert ledger["pending"] == 0 and ledger["emitted"] >= 40000, "ledger %r" % ledger
    assert gaps and {gap["cause"] for gap in gaps} == {"output_full"}, "gaps %s" % gaps[:3]
    assert sum(gap["lost.count"] for gap in gaps) == ledger["lost"], "reported %d lost, the ledger says %d" % (
        sum(gap["lost.count"] for gap in gaps), ledger["lost"])
    reported = len(events) - len(gaps)
    assert reported in (ledger["written"], ledger["written"] - len(gaps)), "%d events, ledger %r" % (reported, ledger)
    assert events[-1]["cause"] == "refused" or events[-2]["cause"] == "refused", "the last is %s" % events[-1]


def queue_is_empty(descriptor):
    waiting = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0] == 0


def objects():
    """The numbers of BPF programs, maps and links in the kernel."""
    found = []
    for kind in ("prog", "map", "link"):
        done = subprocess.run(["bpftool", "-j", kind, "show"], stdout=subprocess.PIPE, check=True)
        found.append(len(json.loads(done.stdout or b"[]")))
    return found


@scenario(families=("ipv4",), alone=True)
def killed_agent(t):
    """kill -9 at the start and during a flood: the kernel keeps no BPF object, and the agent starts again."""
    if not shutil.which("bpftool"):
        t.skip("no bpftool")
    host = t.loopback()
    host(FLOOD)
    before = objects()
    agent = t.agent("--json", ready=False)
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait()
    agent = t.agent("--json", "--all")
    host.start("flood(2000)")
    assert objects() > before, "the agent has no programs?"
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait()
    host.finish()
    # The kernel frees maps after a grace period.
    clock.wait(lambda: objects() <= before, "the kernel to be as before: %s, now %s" % (before, objects()))
    agent = t.agent("--json", "--netns", str(host.netns))
    host("tcp().connect_ex((HERE, 9))")
    agent.stop()
    assert len(agent.events) == 1 and not agent.faults(), "%s %s" % (agent.events, agent.faults())
