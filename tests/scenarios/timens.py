# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""lostpeer in a time namespace, where CLOCK_MONOTONIC and CLOCK_BOOTTIME are not the host's, as those of a container that
was moved there: times and delays are the same."""
import subprocess
import time

import clock
from check_run import Check, differences
from expect import Near
from trial import End, scenario

shifted = scenario(own=True)
one = scenario(families=("ipv4",), own=True)


def shift(t, seconds):
    """A prefix for a command whose clocks are that far ahead; negative: behind."""
    prefix = ["unshare", "-T", "--monotonic", str(seconds), "--boottime", str(seconds)]
    done = subprocess.run([*prefix, "cat", "/proc/uptime"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode or abs(float(done.stdout.split()[0]) - time.clock_gettime(time.CLOCK_BOOTTIME) - seconds) > 20:
        t.skip("no time namespace for a program that is executed in place")
    return prefix


def drops(t, agent):
    """One that is told at once, one that is told after a delay, and one whose owner must be searched for."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    child = server.fork()
    child("s.close()")
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    t.expect(c, "peer_lost", "reset", "established", error=c.error())
    port = server("l2 = listen(); drop(l2); l2.getsockname()[1]")
    client("s = bound(); begin((THERE, port), s)", port=port)
    a = End(client, "client", **dict(client("about(s)"), peer=(server("plain(HERE)"), port)))
    a("s.close()")
    t.expect(a, "connect_failed", "abandoned", "connecting",
             ambiguous=["unreachable"] if t.family == "ipv6" else None)
    clock.wait(lambda: agent.written().count(b'"network.netns":%d' % client.netns) >= 2 and b"abandoned" in agent.written(),
               "the events, while it runs", 10)
    t.check(agent)


@shifted
def time_namespace_ahead(t):
    drops(t, t.agent("--json", "--all", prefix=shift(t, 100000)))


@one
def time_namespace_behind(t):
    drops(t, t.agent("--json", "--all", prefix=shift(t, -60)))


@one
def time_namespace_ends_in_time(t):
    """--for counts by the clock that the agent's timer has."""
    for seconds in 100000, -60:
        prefix, began = shift(t, seconds), time.monotonic()
        agent = t.agent("--json", "--for", "1s", prefix=prefix)
        assert agent.wait() == 0 and 1 <= time.monotonic() - began < 20 * clock.SLOW, (seconds, agent.status)


@one
def time_namespace_check(t):
    c, s = t.connection()
    for without in "", "iterator":
        row = Check("--pid", str(c.host.pid), prefix=shift(t, 100000), without=without).one(c)
        created = row["process.creation.time"]
        assert Near(c.host.process.created) == created, (without, created, c.host.process.created)
        assert not differences(row, {"process.pid": c.host.pid, "process.executable.path": c.host.process.executable}), row
        assert row["tcp.silent_ms"] < 60000, row
