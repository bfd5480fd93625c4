# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The truths of a run compared with the agent's answers, and both with the promises of doctor."""
import collections
import json
import os
import platform
import subprocess

import contract
from expect import Absent, kind

NOTHING = "nothing"
ABSENT = "absent"
# Events that are not about a connection, and one that only a VM of the test can make.
NOT_OF_CONNECTIONS = ("events_lost",)
NOT_EVERYWHERE = ("local_reset/no_memory",)
OPTIONAL_FIELDS = ("tcp.cookie", "tcp.reset_reason")


class Matrix:
    def __init__(self):
        self.cells = collections.Counter()  # (truth, answer)
        self.causes = collections.Counter(right=0, ambiguous=0, wrong=0, absent=0)
        self.owners = collections.Counter(right=0, wrong=0, unknown=0)
        self.pairs = set()  # (answer, another possible cause, network.type)
        self.seen = set()   # causes and optional fields

    def count(self, comparison, events):
        """Count the truths of one scenario, and whether there were no other events."""
        for truth, event in comparison.matched:
            self.count_cause(truth, event)
            if event:
                self.count_owner(truth, event)
        for event in comparison.unexpected:
            self.cells[NOTHING, words(event)] += 1
            self.causes["wrong"] += 1
        if not comparison.unexpected:
            self.cells[NOTHING, NOTHING] += 1
        for event in events:
            self.pairs.update(pairs(event))
            self.seen.add(kind(event))
            self.seen.update(name for name in OPTIONAL_FIELDS if name in event)

    def count_cause(self, truth, event):
        what = truth.really or true_words(truth, event)
        if truth.hidden:
            self.cells[what, ABSENT] += 1
            self.causes["absent"] += 1
        elif event is None:
            self.cells[what, NOTHING] += 1
            self.causes["wrong"] += 1
        else:
            self.cells[what, words(event)] += 1
            self.causes["wrong" if what not in [kind(event)] + others(event) else
                        "ambiguous" if others(event) else "right"] += 1

    def count_owner(self, truth, event):
        """A missing owner counts as unknown, not wrong. Whether it may be missing is checked with the truth."""
        if "process.pid" not in truth.fields:
            return
        wanted, got = truth.fields["process.pid"], event.get("process.pid")
        self.owners["unknown" if got is None else "right" if wanted == got and not isinstance(wanted, Absent)
                    else "wrong"] += 1

    def add(self, other):
        self.cells.update(other.cells)
        self.causes.update(other.causes)
        self.owners.update(other.owners)
        self.pairs |= other.pairs
        self.seen |= other.seen

    def off_diagonal(self):
        return sorted((what, answer, n) for (what, answer), n in self.cells.items() if n and what != answer)

    def text(self):
        lines = ["Accuracy on Linux %s, %s:" % (platform.release(), platform.machine()),
                 "  causes: %(right)d right, %(ambiguous)d named among two, %(wrong)d wrong, "
                 "%(absent)d absent by design" % self.causes,
                 "  owners: %(right)d right, %(wrong)d wrong, %(unknown)d unknown by design" % self.owners,
                 "  no other event in %d scenarios" % self.cells[NOTHING, NOTHING]]
        cells = self.off_diagonal()
        width = max([len(what) for what, _, _ in cells], default=0)
        return "\n".join(lines + ["  %5d x %-*s  reported: %s" % (n, width, what, answer) for what, answer, n in cells])

    def summary(self, doctor):
        table = {}
        for (what, answer), n in sorted(self.cells.items()):
            table.setdefault(what, {})[answer] = n
        return {"kernel": platform.release(), "machine": platform.machine(), "causes": dict(self.causes),
                "owners": dict(self.owners), "matrix": table, "doctor": doctor}

    def faults(self, doctor, whole):
        """Differences between doctor and the answers. Only a whole run shows that something never comes."""
        doubts = [Doubt(entry) for entry in doctor["ambiguous"]]
        hidden = {what for what, answer in self.cells if answer == ABSENT}
        absent = {entry["event"] for entry in doctor["absent"] if "event" in entry}
        fields = always_absent(doctor)
        found = ["%s may be %s over %s, and doctor does not say so" % pair for pair in self.pairs
                 if not any(doubt.covers(pair) for doubt in doubts)]
        found += ["%s gives no event, and doctor does not say so" % what for what in hidden - absent]
        found += ["%s is there, and doctor says it is not" % name for name in fields & self.seen]
        if whole:
            found += ["doctor says that %s, and it never was" % doubt for doubt in doubts
                      if not any(map(doubt.covers, self.pairs))]
            found += ["doctor says that %s gives no event, and none was without" % what for what in absent - hidden]
            found += ["%s never came, and doctor does not say so" % name
                      for name in expected() - self.seen - fields]
        if self.causes["wrong"] or self.owners["wrong"]:
            found.append("%d wrong causes, %d wrong owners" % (self.causes["wrong"], self.owners["wrong"]))
        return sorted(found)


class Doubt:
    """An ambiguous answer that doctor announces."""

    def __init__(self, entry):
        self.reported, self.other, self.type = entry["said"], entry["or"], entry.get("network.type")

    def covers(self, pair):
        return (self.reported, self.other) == pair[:2] and self.type in (None, pair[2])

    def __str__(self):
        return "%s may be %s%s" % (self.reported, self.other, " over " + self.type if self.type else "")


def pairs(event):
    return {(kind(event), other, event.get("network.type")) for other in others(event)}


def always_absent(doctor):
    """The fields that no event has on this kernel."""
    return {entry["field"] for entry in doctor["absent"] if "field" in entry and "when" not in entry}


def expected():
    """Causes and fields that a whole run must show unless doctor excludes them."""
    causes = {"%s/%s" % (event, cause) for event in contract.CAUSES if event not in NOT_OF_CONNECTIONS
              for cause in contract.CAUSES[event]}
    return causes - set(NOT_EVERYWHERE) | set(OPTIONAL_FIELDS)


def others(event):
    """An ambiguous answer's other causes, as event/cause."""
    return [full(event, name) for name in event.get("ambiguous", ())]


def full(event, cause):
    if cause in contract.CAUSES.get(event["event"], ()):
        return "%s/%s" % (event["event"], cause)
    return next("%s/%s" % (name, cause) for name in contract.CAUSES if cause in contract.CAUSES[name])


def words(event):
    return " or ".join([kind(event)] + others(event))


def true_words(truth, event):
    """The truth as event/cause. A truth that allows several causes takes the answer, if that is one of them."""
    cause = truth.fields["cause"]
    if isinstance(cause, str):
        return "%s/%s" % (truth.fields["event"], cause)
    return kind(event) if event and cause == event.get("cause") else "%s/%r" % (truth.fields["event"], cause)


def ask_doctor(program, without=""):
    done = subprocess.run([program, "doctor", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, universal_newlines=True,
                          env=dict(os.environ, LOSTPEER_WITHOUT=without))
    return json.loads(done.stdout)
