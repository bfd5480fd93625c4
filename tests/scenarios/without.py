# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Agents that each lack one kernel feature. Their answers differ from those of a full agent only where doctor says so,
and they are never wrong."""
import os
import subprocess

import clock
import connect
import contract
import local
import matrix
import orderly
import owners
import peer
import timeout
from agent import PROGRAM, Agent
from expect import Comparison, Truth, kind
from trial import KERNEL, own, scenario

FEATURES = ("send_reset", "send_reset_reason", "destroy_sock", "error_report", "fork", "cookie", "iterator_of_one")
# One drop of each kind for which a feature helps to judge the cause or to find the owner.
DROPS = (connect.refused, connect.unreachable_error_read_early, connect.abandoned_by_close, peer.reset_unread,
         local.data_after_close, local.data_after_close_orphaned, local.data_after_close_with_acknowledgement,
         local.linger2, local.unread_data, timeout.keepalive_timeout, orderly.close_by_client,
         owners.owner_forked_after_accept, owners.owner_several, owners.owner_duplicated, owners.owner_thread_blocked,
         owners.owner_exits_at_once, owners.owner_unaccepted_of_one_worker)
# Fields that two agents measure at different moments or may know in different ways.
OWN = ("time", "process.creation.time", "tcp.duration_ms", "tcp.silent_ms", "owner.via", "process.executable.path"
       ) + tuple(name for name in contract.TYPES if name.startswith("peer."))
OF_CAUSE = ("event", "cause", "by", "severity", "ambiguous")


def by_connection(events):
    found = {}
    for event in sorted(events, key=lambda event: event["time"]):
        ends = tuple(event.get("network." + name) for name in ("netns", "local.port", "peer.port"))
        found.setdefault(ends, []).append(event)
    return found


class Promise:
    """The fields that doctor allows an agent without a feature to leave out, and the causes to leave open."""

    def __init__(self, without):
        doctor, full = (matrix.ask_doctor(PROGRAM, names) for names in (without, ""))
        self.absent = matrix.always_absent(doctor)
        self.lacking = self.absent - matrix.always_absent(full)
        self.doubts = [matrix.Doubt(entry) for entry in doctor["ambiguous"]]
        self.added = [matrix.Doubt(entry) for entry in doctor["ambiguous"] if entry not in full["ambiguous"]]
        self.owners = [entry for entry in doctor["absent"] if entry.get("field") == "process.pid"]

    def allows(self, whole, event):
        """Problems of this event compared with that of the full agent."""
        ignored = set(OWN) | self.lacking
        if kind(whole) != kind(event) or whole.get("ambiguous") != event.get("ambiguous"):
            if not self.covers(event, kind(whole)):
                return ["%s reported as %s" % (matrix.words(whole), matrix.words(event))]
            ignored |= set(OF_CAUSE)
        if self.owners and "process.pid" in whole and "process.pid" not in event:
            ignored |= {name for name in whole.keys() | event.keys() if name.startswith(("process.", "owner."))}
        found = ["%s of %s: %r instead of %r" % (name, kind(whole), event.get(name), whole.get(name))
                 for name in sorted((whole.keys() | event.keys()) - ignored) if whole.get(name) != event.get(name)]
        return found + ["%s has %s" % (kind(event), name) for name in self.absent if name in event]

    def covers(self, event, what):
        """Whether an ambiguous answer includes the true cause, and doctor announces every cause that it includes."""
        left_open = matrix.pairs(event)
        return what in [kind(event)] + matrix.others(event) and left_open and all(
            any(doubt.covers(pair) for doubt in self.doubts) for pair in left_open)


def compare(without, whole, events):
    promise = Promise(without)
    problems, seen = [], set().union(*map(matrix.pairs, events))
    wanted, got = by_connection(whole), by_connection(events)
    for ends in sorted(wanted.keys() | got.keys(), key=str):
        one, two = wanted.get(ends, []), got.get(ends, [])
        if len(one) != len(two):
            problems.append("%s instead of %s" % (list(map(matrix.words, two)), list(map(matrix.words, one))))
        for pair in zip(one, two):
            problems += promise.allows(*pair)
    problems += ["never seen: %s" % doubt for doubt in promise.added if not any(map(doubt.covers, seen))]
    return ["without %s: %s" % (without, problem) for problem in problems]


def compare_with_truth(truths, without, events):
    """Every cause is true, or is ambiguous with the true one where doctor says so. Every owner is true or absent."""
    promise, problems = Promise(without), []
    bare = [Truth({name: value for name, value in truth.fields.items() if name in ("event", "cause", "network.netns") or
                   name.endswith((".address", ".port"))}, truth.optional, truth.really) for truth in truths]
    owners_of = {id(truth): full.fields.get("process.pid") for truth, full in zip(bare, truths)}
    comparison = Comparison(bare, events)
    for truth, event in comparison.matched:
        what = truth.really or "%s/%s" % (truth.fields["event"], truth.fields["cause"])
        if not event:
            problems.append("missing: %s" % truth)
        elif what != kind(event) and not promise.covers(event, what):
            problems.append("%s reported as %s" % (what, matrix.words(event)))
        elif "process.pid" in event and not owners_of[id(truth)] == event["process.pid"]:
            problems.append("%s: the owner is %r, not %r" % (truth, event["process.pid"], owners_of[id(truth)]))
    problems += ["unexpected: %s" % matrix.words(event) for event in comparison.unexpected]
    return ["without %s: %s" % (without, problem) for problem in problems]


@scenario(families=("ipv4",), own=True)
def without_features(t):
    """A full agent, one without each feature, and one without all: no kernel has fewer."""
    whole = t.agent("--json", "--all")
    every = ",".join(FEATURES)
    lacking = {names: t.agent("--json", "--all", without=names) for names in FEATURES + (every,)}
    for drop in DROPS:
        drop(t)
    t.settle()
    events = t.check(whole)
    problems = []
    for names, agent in lacking.items():
        agent.stop()
        problems += ["without %s: %s" % (names, fault) for fault in agent.faults()]
        reported = own(agent.events, t.namespaces(), t.until)
        problems += compare(names, events, reported) if names != every else []
        problems += compare_with_truth(t.truths, names, reported)
    assert not problems, "\n".join(problems)


@scenario(families=("ipv4",), own=True, portable=True)
def without_asked_feature(t):
    """Both verbs name the features that they do not use. A wrong name is an error, and so is a command that cannot be
    followed."""
    def run(without, *words):
        agent = Agent(*words[1:], verb=words[0], ready=False, without=without)
        try:
            return agent.process.wait(60 * clock.SLOW), agent.messages()
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
    assert ("  tcp.cookie\n" in plain) == (KERNEL < (5, 12)) and "  tcp.cookie\n" in less, less


@scenario(families=("ipv4",), own=True, portable=True)
def without_refused_program(t):
    """A kernel may refuse a program although it has the feature: the agent goes on without it and reports that."""
    done = subprocess.run([os.path.join(os.path.dirname(PROGRAM), "tests/refusals")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=200 * clock.SLOW)
    assert done.returncode == 0 and "ok destroy_sock\n" in done.stdout, done.stdout + done.stderr
    assert "refuses the BPF program destroy_sock (Invalid argument); without it: a process" in done.stderr, done.stderr
