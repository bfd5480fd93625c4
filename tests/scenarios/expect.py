# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Truths, which a scenario records from its applications' results, and the comparison of events with them."""
import calendar
import time


class Absent:
    def __eq__(self, value):
        return value is None

    def __repr__(self):
        return "(absent)"


class Maybe:
    """The value, or nothing: the contract allows the agent not to know it."""

    def __init__(self, *values):
        self.values = values

    def __eq__(self, value):
        return value is None or any(wanted == value for wanted in self.values)

    def __repr__(self):
        return "(absent or %s)" % " or ".join(map(repr, self.values))


class OneOf:
    def __init__(self, *values):
        self.values = values

    def __eq__(self, value):
        return any(wanted == value for wanted in self.values)

    def __repr__(self):
        return "(%s)" % " or ".join(map(repr, self.values))


class AtLeast:
    def __init__(self, least):
        self.least = least

    def __eq__(self, value):
        return value is not None and value >= self.least

    def __repr__(self):
        return "(at least %r)" % self.least


class Set:
    """An array in any order."""

    def __init__(self, values):
        self.values = sorted(values)

    def __eq__(self, value):
        return value is not None and sorted(value) == self.values

    def __repr__(self):
        return repr(self.values)


class Near:
    """A time, within 20 ms: /proc counts in ticks of 10 ms."""

    def __init__(self, nanoseconds):
        self.nanoseconds = nanoseconds

    def __eq__(self, value):
        return value is not None and abs(nanoseconds(value) - self.nanoseconds) <= 20000000

    def __repr__(self):
        return "(about %s.%09d)" % (time.strftime("%FT%T", time.gmtime(self.nanoseconds // 1000000000)),
                                    self.nanoseconds % 1000000000)


class Since(Near):
    """A time not before this. Events after the scenario are filtered out elsewhere."""

    def __eq__(self, value):
        return value is not None and nanoseconds(value) >= self.nanoseconds


def nanoseconds(text):
    seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000000000 + int(text[20:29])


class Truth:
    """One event that must come exactly once. An optional one may come; a hidden one cannot be seen on this kernel.

    really: the true event/cause, where this kernel shows only another one and marks it ambiguous."""

    def __init__(self, fields, optional=False, really=None, hidden=False):
        self.fields = fields
        self.optional = optional
        self.really = really
        self.hidden = hidden

    def identity(self):
        return identity(self.fields)

    def is_of(self, event):
        """Whether the event is about the same connection."""
        return all(self.fields[name] == event.get(name) for name in
                   ("network.netns", "network.local.port", "network.peer.port") if name in self.fields)

    def mismatches(self, event):
        found = []
        for name, wanted in self.fields.items():
            got = event.get(name)
            if name == "data.queued":
                got = event.get("data.unacked_bytes", 0) + event.get("data.unsent_bytes", 0)
            # The truth must stand on the left: its __eq__ decides.
            if not wanted == got:
                found.append((name, wanted, got))
        return found

    def __str__(self):
        return "%s/%s %s" % (self.fields["event"], self.fields["cause"], ends(self.fields))


def kind(event):
    return "%s/%s" % (event.get("event"), event.get("cause"))


def identity(fields):
    """A key that finds the few events which a truth may match. It leaves out an uncertain port."""
    port = fields.get("network.local.port")
    return fields.get("network.netns"), fields.get("event"), port if isinstance(port, int) else None


def ends(fields):
    return "%s:%s-%s:%s" % tuple(fields.get("network.%s" % name) for name in
                                 ("local.address", "local.port", "peer.address", "peer.port"))


class Comparison:
    """Truths and events, matched one to one.

    problems: every difference as a line of text; matched: (truth, its event or None); unexpected: the other events."""

    def __init__(self, truths, events):
        self.problems = []
        self.matched = []
        self.events = events
        self.used = set()
        self.by_identity = {}
        for event in events:
            for key in {identity(event), identity(event)[:2] + (None,)}:
                self.by_identity.setdefault(key, []).append(event)
        pending = [truth for truth in truths if not truth.hidden and not self.match(truth)]
        # A truth without an exact match is compared with the nearest unmatched event.
        for truth in pending:
            self.explain(truth)
        self.matched += [(truth, None) for truth in truths if truth.hidden]
        self.unexpected = [event for event in events if id(event) not in self.used]
        self.problems += ["unexpected: %s %s" % (kind(event), ends(event)) for event in self.unexpected]

    def take(self, truth, event):
        self.used.add(id(event))
        self.matched.append((truth, event))

    def match(self, truth):
        for event in self.by_identity.get(truth.identity(), ()):
            if id(event) not in self.used and not truth.mismatches(event):
                self.take(truth, event)
                return True
        return False

    def explain(self, truth):
        near = None
        for event in self.events:
            if id(event) in self.used or not truth.is_of(event):
                continue
            differing = truth.mismatches(event)
            if near is None or len(differing) < len(near[1]):
                near = event, differing
        if near and (truth.fields["event"] == near[0].get("event") or not truth.optional):
            self.take(truth, near[0])
            self.problems.append("%s: %s" % (truth, "; ".join("%s expected %r got %r" % difference
                                                              for difference in near[1])))
        elif not truth.optional:
            self.matched.append((truth, None))
            self.problems.append("missing: %s" % truth)
