# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Agents that do without one feature of the kernel each: their answers are those of one that has all, but for what
doctor names; and never a wrong one."""
import subprocess

import clock
import connect
import local
import matrix
import orderly
import owners
import peer
import timeout
from agent import PROGRAM, Agent
from expect import Comparison, said
from trial import own, scenario

FEATURES = ("send_reset", "send_reset_reason", "destroy_sock", "error_report", "fork", "cookie", "iterator_of_one")
# One drop of each kind that some feature helps to judge, or whose owner it helps to find.
DROPS = (connect.refused, connect.unreachable_told_early, connect.abandoned_by_close, peer.reset_unread,
         local.data_after_close, local.data_after_close_orphaned, local.data_after_close_with_acknowledgement,
         local.linger2, local.unread_data, timeout.keepalive_timeout, orderly.close_by_client,
         owners.owner_forked_after_accept, owners.owner_several, owners.owner_duplicated, owners.owner_thread_blocked,
         owners.owner_exits_at_once, owners.owner_unaccepted_of_one_worker)
# What two agents measure each at its own moment, or may know in two ways.
OWN = ("time", "process.creation.time", "tcp.duration_ms", "tcp.silent_ms", "owner.via", "process.executable.path")
OF_CAUSE = ("event", "cause", "by", "severity", "ambiguous")


def by_connection(events):
    found = {}
    for event in sorted(events, key=lambda event: event["time"]):
        ends = tuple(event.get("network." + name) for name in ("netns", "local.port", "peer.port"))
        found.setdefault(ends, []).append(event)
    return found


class Promise:
    """What doctor lets an agent that lacks a feature leave out or leave open."""

    def __init__(self, without):
        doctor, full = (matrix.ask_doctor(PROGRAM, names) for names in (without, ""))
        self.absent = matrix.always_absent(doctor)
        self.lacking = self.absent - matrix.always_absent(full)
        self.pairs = {(pair["said"], pair["or"]) for pair in doctor["ambiguous"]}
        self.added = self.pairs - {(pair["said"], pair["or"]) for pair in full["ambiguous"]}
        self.owners = [entry for entry in doctor["absent"] if entry.get("field") == "process.pid"]

    def allows(self, whole, event):
        """What is wrong with this event, beside that of an agent that has all."""
        ignored = set(OWN) | self.lacking
        if said(whole) != said(event) or whole.get("ambiguous") != event.get("ambiguous"):
            if (said(event), self.other(whole, event)) not in self.pairs:
                return ["%s said as %s" % (matrix.words(whole), matrix.words(event))]
            ignored |= set(OF_CAUSE)
        if self.owners and "process.pid" in whole and "process.pid" not in event:
            ignored |= {name for name in whole.keys() | event.keys() if name.startswith(("process.", "owner."))}
        found = ["%s of %s: %r instead of %r" % (name, said(whole), event.get(name), whole.get(name))
                 for name in sorted((whole.keys() | event.keys()) - ignored) if whole.get(name) != event.get(name)]
        return found + ["%s has %s" % (said(event), name) for name in self.absent if name in event]

    @staticmethod
    def other(whole, event):
        """What an ambiguous answer leaves open: what it was, or else whatever it names."""
        others = matrix.others(event)
        return said(whole) if said(whole) in others else others[0] if others and said(whole) == said(event) else None


def compare(without, whole, events):
    promise = Promise(without)
    problems, seen = [], {(said(event), other) for event in events for other in matrix.others(event)}
    wanted, got = by_connection(whole), by_connection(events)
    for ends in sorted(wanted.keys() | got.keys(), key=str):
        one, two = wanted.get(ends, []), got.get(ends, [])
        if len(one) != len(two):
            problems.append("%s instead of %s" % (list(map(matrix.words, two)), list(map(matrix.words, one))))
        for pair in zip(one, two):
            problems += promise.allows(*pair)
    problems += ["%s is never said to be possibly %s" % pair for pair in promise.added - seen]
    return ["without %s: %s" % (without, problem) for problem in problems]


@scenario(families=("ipv4",), own=True)
def without_each_feature(t):
    whole = t.agent("--json", "--all")
    lacking = {name: t.agent("--json", "--all", without=name) for name in FEATURES}
    for drop in DROPS:
        drop(t)
    t.settle()
    events = t.check(whole)
    problems = []
    for name, agent in lacking.items():
        agent.stop()
        problems += ["without %s: %s" % (name, fault) for fault in agent.faults()]
        problems += compare(name, events, own(agent.events, t.namespaces(), t.until))
    assert not problems, "\n".join(problems)


@scenario(families=("ipv4",), own=True)
def without_all_features(t):
    """The worst kernel there could be still says nothing wrong: each cause is right, or one that it names beside it."""
    agent = t.agent("--json", "--all", without=",".join(FEATURES))
    for drop in DROPS:
        drop(t)
    t.settle()
    t.finish()
    agent.stop()
    events = own(agent.events, t.namespaces(), t.until)
    problems = agent.faults()
    pairs = Promise(",".join(FEATURES)).pairs
    for truth in t.truths:
        truth.fields = {name: value for name, value in truth.fields.items()
                        if name in ("event", "cause") or name.startswith("network.") and name.count(".") > 1}
    for truth, event in Comparison(t.truths, events).told:
        what = truth.really or "%s/%s" % (truth.fields["event"], truth.fields["cause"])
        if not event:
            problems.append("missing: %s" % truth)
        elif what != said(event) and (said(event), what) not in pairs.intersection(
                (said(event), other) for other in matrix.others(event)):
            problems.append("%s said as %s" % (what, matrix.words(event)))
    assert not problems, "\n".join(problems)


@scenario(families=("ipv4",), own=True, portable=True)
def without_what_is_asked(t):
    """Both verbs say what they do without; a name that is none, or a command that cannot be followed, is refused."""
    def run(without, *words):
        agent = Agent(*words[1:], verb=words[0], ready=False, without=without)
        try:
            return agent.process.wait(60 * clock.SLOW), agent.said()
        finally:
            agent.end()
    for words in ("doctor",), ("watch", "--for", "1ms"):
        status, message = run("cookie,nonsense", *words)
        assert status == 2 and message == "lostpeer: LOSTPEER_WITHOUT: no feature is named 'nonsense'\n", message
        status, message = run("cookie,fork", *words)
        assert "lostpeer: without cookie,fork, as LOSTPEER_WITHOUT asks\n" in message, message
    status, message = run("fork", "watch", "--", "true")
    assert status == 2 and "sched:sched_process_fork" in message, (status, message)
    plain, less = (subprocess.run([PROGRAM, "doctor"], env={"LOSTPEER_WITHOUT": names}, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, universal_newlines=True).stdout for names in ("", "cookie"))
    assert "  tcp.cookie\n" not in plain and "  tcp.cookie\n" in less, less
