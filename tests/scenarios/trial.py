# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One scenario for one address family: its hosts, connections and truths."""
import json
import os
import platform
import re
import socket
import time

import clock
import contract
import network
from agent import Agent
from expect import Absent, AtLeast, Comparison, Maybe, Near, OneOf, Set, Since, Truth, nanoseconds
from host import Host
from matrix import Matrix

KERNEL = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
FAMILIES = ("ipv4", "ipv6", "v4mapped")
ORDERLY = ("peer_closed", "local_closed")
registry = {}


VM = os.environ.get("LOSTPEER_VM") == "1"
brief = False  # set by run
shared = None  # the agent for all scenarios that do not start their own; set by run


class Skip(Exception):
    pass


class Broken(Exception):
    """The scenario's premise failed. The scenario or the machine is at fault, not lostpeer."""


class Scenario:
    def __init__(self, function, families, own, alone, heavy, portable, everywhere):
        self.function = function
        self.name = function.__name__
        self.module = function.__module__
        self.families = families
        self.own = own
        self.alone = alone
        self.heavy = heavy
        self.portable = portable
        self.everywhere = everywhere


def scenario(families=FAMILIES, own=False, alone=False, heavy=False, portable=False, everywhere=False):
    """Register a scenario.

    own: it starts its own agents; alone: the same, and no other scenario may run at the same time; heavy: the shared
    agent watches it, but no other scenario runs at the same time; portable: its result does not depend on the kernel,
    or another scenario covers the difference, so a brief run in a VM skips it; everywhere: its result depends so much
    on the kernel that every kernel runs it, whatever the turn."""
    def register(function):
        made = Scenario(function, families, own or alone, alone, heavy, portable, everywhere)
        assert made.name not in registry, made.name
        registry[made.name] = made
        return function
    return register


one_family = scenario(families=("ipv4",))


class End:
    """One end of a connection: its host, the host's variable for the socket, and its addresses."""

    def __init__(self, host, role, name="s", **facts):
        self.host = host
        self.role = role
        self.name = name
        self.witness = host
        if not facts:
            facts = host("about(%s)" % name)
        self.local = facts.get("local")
        self.peer = facts.get("peer")
        self.cookie = facts.get("cookie")

    def __call__(self, source, **names):
        return self.host(source, **names)

    def hand_on(self):
        """Give the connection to a child, and keep no descriptor of it."""
        child = self.host.fork()
        self("s.close()")
        self.host = child

    def error(self, source="lost(s)", **names):
        return self.host.error(source, **names)

    def ended(self):
        """Wait until the kernel has no full socket for this end, whether or not a process holds it."""
        self.witness("ended(%d, %d)" % (self.local[1], self.peer[1]))

    def comes_to(self, *states):
        self.witness("comes_to(%d, %d, *%r)" % (self.local[1], self.peer[1], states))


class Trial:
    def __init__(self, made, family):
        self.name = made.name if made.families == ("ipv4",) else "%s-%s" % (made.name, family)
        self.family = family
        self.truths = []
        self.hosts = []
        self.agents = []
        self.cleanups = []
        self.began = clock.now()
        self.until = None
        self.module = made.module
        self.matrix = Matrix()
        self.offset = shared.size() if shared else 0

    # The network.

    def pair(self, **options):
        self.hosts += network.pair(self.family, **options)
        return self.hosts[-2:]

    def routed(self):
        self.hosts += network.routed(self.family)
        return self.hosts[-3:]

    def wired(self):
        self.hosts += network.wired(self.family)
        return self.hosts[-3:]

    def loopback(self):
        self.hosts.append(network.loopback(self.family))
        return self.hosts[-1]

    def beside(self, host, name):
        """Another process in that host's namespace, with the same addresses. It is no relative of the host."""
        made = Host(name, beside=host)
        made("pass", **host("dict(AF=AF, HERE=HERE, THERE=THERE, ANY=ANY)"))
        self.hosts.append(made)
        return made

    # Connections.

    def connection(self, client=None, server=None, protocol=0):
        """An established, accepted connection; `s` at both ends."""
        if client is None:
            client, server = self.pair()
        self.listen(server, protocol)
        c = self.connect(client, server, protocol)
        return c, self.accept(server)

    def listen(self, server, protocol=0):
        server("l = listen(protocol=%d)" % protocol)

    def connect(self, client, server, protocol=0):
        client("s = tcp(%d); s.connect(SERVER)" % protocol, SERVER=server("HERE, l.getsockname()[1]"))
        return End(client, "client")

    def accept(self, server):
        server("s = l.accept()[0]")
        return End(server, "server")

    def waiting(self, server, c):
        """The server's end of c, established but not accepted: no descriptor gives its facts."""
        server("comes_to(%d, %d, 'established')" % (c.peer[1], c.local[1]))
        return End(server, "server", local=c.peer, peer=c.local)

    def end(self, client, peer):
        """The client's end of an attempt to connect to `peer`."""
        made = End(client, "client")
        made.peer = peer
        return made

    def many(self, count):
        """The size of a crowd: smaller in a brief run."""
        return count // 5 if brief else count

    # The truth.

    def premise(self, holds, text):
        if not holds:
            raise Broken(text)

    def skip(self, reason):
        raise Skip(reason)

    def expect(self, end, event, cause, phase, by=None, error=None, severity=None, process="host", vpid=None, via=None,
               unread=0, unacked=0, unsent=0, queued=None, state=None, role="end", optional=False, exiting=None,
               executing=False, ambiguous=None, really=None, extra=None, **streams):
        """Record one truth. A field left at None must be absent from the event, as far as the contract allows.
        really: see Truth."""
        fields = {
            "schema": 1,
            "time": Since(self.began),
            "host.name": os.uname().nodename,
            "event": event,
            "cause": cause,
            "by": by or contract.CAUSES[event][cause],
            "phase": phase,
            "error.type": error if error is not None else Absent(),
            "role": end.role if role == "end" else role,
            "network.transport": "tcp",
            "network.netns": end.host.netns,
            "tcp.cookie": Absent() if KERNEL < (5, 12) else end.cookie if end.cookie else AtLeast(1),
        }
        fields.update(self.ends_fields(end))
        fields.update(self.process_fields(end, event, cause, phase, process, vpid, via, exiting))
        fields["process.executing"] = True if executing else Absent()
        fields.update(stream_fields(phase, streams))
        for name, value in (("unread", unread), ("unacked", unacked), ("unsent", unsent)):
            if queued is None or name == "unread":
                fields["data.%s_bytes" % name] = Maybe(0) if value == 0 else value
        if queued is not None:
            fields["data.queued"] = queued
        fields["severity"] = severity or contract.severity(event, cause, phase, unread or unacked or unsent or queued)
        if state:
            fields["network.connection.state"] = state
        fields["ambiguous"] = ambiguous or Absent()
        fields["owner.holders"] = Absent()
        fields.update(extra or {})
        if event == "peer_lost" and self.module != "early" and (unacked or queued):
            # On a slow machine the loss may take longer than the limit for silence; then peer_silent comes first.
            self.perhaps(end, "peer_silent", "unacked")
        self.truths.append(Truth(fields, optional, really))

    def hidden(self, end, event, cause):
        """Record something that happened but gives no event on this kernel. doctor must say so."""
        self.truths.append(Truth({"event": event, "cause": cause, "network.netns": end.host.netns}, hidden=True))

    def late(self, end, ended=("local_closed", "close"), state="closed", **fields):
        """Data came for a connection that this host had closed, and it answered with a RST."""
        self.stray(end, "data_after_close", ended, state, phase="orphaned", severity="info", **dict({"via": "closer"}, **fields))

    def no_connection(self, end, ended=None, **fields):
        """The same for a connection that is not known here, or that the kernel gave up while a process held it."""
        self.stray(end, "no_connection", ended, "closed", phase=None, **fields)

    def stray(self, end, cause, ended, state, **fields):
        """Kernels before 6.10 do not show it."""
        if KERNEL < (6, 10):
            self.hidden(end, "local_reset", cause)
            return
        extra = {"stream.%s_closed" % half: Absent() for half in ("read", "write")}
        extra.update({"ended.event": ended[0], "ended.cause": ended[1]} if ended else {"ended.event": Absent()})
        if isinstance(fields.get("process"), str):
            extra.update({"role": Absent(), "tcp.cookie": Absent(), "ended.time": Absent()})
        if not fields["phase"]:
            extra["phase"] = Absent()
        self.expect(end, "local_reset", cause, state=state, queued=None, extra=extra, **fields)

    def perhaps(self, end, event, cause):
        """Allow one such event, which other scenarios judge."""
        fields = {"event": event, "cause": cause, "network.netns": end.host.netns}
        fields.update(self.ends_fields(end))
        self.truths.append(Truth(fields, optional=True))

    def ends_fields(self, end):
        found = {"network.type": "ipv6" if self.family == "ipv6" else "ipv4"}
        for side, address in (("local", end.local), ("peer", end.peer)):
            if address:
                found["network.%s.address" % side], found["network.%s.port" % side] = address[:2]
        return found

    def process_fields(self, end, event, cause, phase, process, vpid, via, exiting):
        if isinstance(process, OneOf) or process != "host" and isinstance(process, str):
            # The owner is unknown, and `process` is the reason.
            return {"process.pid": Absent(), "owner.via": Absent(), "owner.unknown": process}
        who = end.host.process if process == "host" else process
        birth = {"client": "connect", "server": "accept"}.get(end.role)
        if via is None:
            via = OneOf(*default_vias(birth, event, cause, phase))
        return {
            "process.pid": who.pid,
            "process.vpid": Absent() if vpid is None else vpid,
            "process.name": who.name.decode("utf-8", "replace"),
            "process.creation.time": Near(who.created),
            "process.executable.path": Maybe(who.executable),
            "process.user.id": who.uid,
            "process.linux.cgroup": Maybe(*who.cgroups),
            "process.exiting": True if exiting else Maybe(False),
            "process.exit.signal": exiting if isinstance(exiting, str) else Absent(),
            "owner.via": via,
            "owner.unknown": Absent(),
        }

    def finish(self):
        """Record the end: later events belong to the tear-down.

        The processes live on for a while because the agent searches for an owner only after the drop. It takes orderly
        ends 20 times a second and searches all processes at most four times a second. With the shared agent, wait for
        the expected events; in any case leave time for unexpected ones."""
        self.until, began = clock.now(), time.monotonic()
        seen = shared and not self.agents
        if seen:
            self.wait_for_due_events()
        least = (0.7 if self.searched() and not seen else 0.15) * max(1, clock.SLOW / 2)
        time.sleep(max(0, began + least - time.monotonic()))

    def wait_for_due_events(self):
        """Wait for as many events as are due. judge() reports the missing ones."""
        due = sum(not truth.optional for truth in self.truths)
        marks = [b'"network.netns":%d' % inode for inode in self.namespaces()]
        mine, rest = [], b""

        def all_came():
            nonlocal rest
            data = shared.written(self.offset)
            self.offset += len(data)
            *lines, rest = (rest + data).split(b"\n")
            mine.extend(json.loads(line) for line in lines if any(mark in line for mark in marks))
            return len(own(mine, self.namespaces(), self.until)) >= due
        try:
            clock.wait(all_came, "what is due", 2)
        except (TimeoutError, ValueError):  # ValueError: an invalid line, which faults() reports
            pass

    def searched(self):
        """Whether the agent may have to search all processes for an owner."""
        return self.module == "owners" or any(
            truth.fields.get("phase") == "unaccepted" or KERNEL < (6, 1) and truth.fields.get("role") == "server"
            for truth in self.truths)

    def settle(self):
        """Give the agent time to find the holders before the scenario changes them."""
        time.sleep(0.15 * clock.SLOW)

    def clear(self):
        for agent in self.agents:
            agent.end()
        for clean in self.cleanups:
            clean()
        for host in self.hosts:
            # Orphans must not retransmit into the next run.
            try:
                host.start("sysctls(orphan_retries=1)")
            except OSError:
                pass  # it has ended
        for host in self.hosts:
            host.kill()

    def namespaces(self):
        """The addresses of each network namespace and the time of its creation."""
        return {host.netns: (host.addresses, host.since) for host in self.hosts}

    # Agents of the scenario's own.

    def agent(self, *options, **how):
        agent = Agent(*options, **how)
        self.agents.append(agent)
        return agent

    def check(self, agent, truths=None):
        """Compare the events of the scenario's own agent with the truths."""
        self.finish()
        agent.stop()
        problems = agent.faults()
        events = own(agent.events, self.namespaces(), self.until)
        judged = judge(self.truths if truths is None else truths, events, self.matrix)
        if problems or judged:
            raise AssertionError("\n".join(problems + judged))
        return events


def default_vias(birth, event, cause, phase):
    """The values of owner.via that are right unless the scenario names others."""
    if phase == "orphaned":
        # If the last acknowledgement came while close() ran, the closing process had the socket locked.
        return ("closer", birth) if event == "local_closed" else ("closer",)
    if cause == "listener_closed" or phase == "unaccepted":
        return ("listener",)
    if event == "local_reset" and cause in ("unread_data", "linger", "linger2") or cause == "abandoned":
        return ("closer", birth)
    if birth == "accept" and KERNEL < (5, 11):
        # Nothing is cloned from the listener here: the agent must search for the owner.
        return ("accept", "holder", "closer")
    return (birth,)


def stream_fields(phase, streams):
    found = {}
    known = {"half_closed": (True, False), "closing": (None, True), "orphaned": (None, None)}
    if isinstance(phase, OneOf):
        known, phase = {}, None
    for name, value in zip(("read_closed", "write_closed"),
                           known.get(phase, (False, False) if phase else (None, None))):
        value = streams.get(name, value)
        if value is not None:
            found["stream." + name] = True if value else Maybe(False)
    return found


def own(events, namespaces, until):
    """The events of a scenario's namespaces up to `until`, without those of an older namespace with the same inode."""
    def is_own(event):
        addresses, since = namespaces.get(event.get("network.netns"), ((), 0))
        return event.get("network.local.address", "::1") in addresses and (
            "time" not in event or since <= nanoseconds(event["time"]) < until + 5000000)
    return list(filter(is_own, events))


def judge(truths, events, matrix):
    """The problems of a scenario's events as lines of text. Counts the events in the matrix."""
    problems = ["%s: %s" % (event.get("event"), fault) for event in events for fault in contract.faults(event)]
    comparison = Comparison(truths, events)
    matrix.count(comparison, events)
    return problems + comparison.problems


__all__ = ["AtLeast", "Absent", "End", "KERNEL", "Maybe", "OneOf", "Set", "Truth", "one_family", "scenario", "socket"]
