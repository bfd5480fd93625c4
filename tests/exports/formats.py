# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Read an event from each output as names and lists of values, and compare them. Outputs must agree with the JSON, but
they replace unprintable characters."""
import json
import os
import re

# Line separators and direction marks.
TRICKY = {0x2028, 0x2029, 0x200e, 0x200f, 0x61c, *range(0x202a, 0x202f), *range(0x2066, 0x206a)}
SYSLOG = {"error": 3, "warning": 4, "notice": 5, "info": 6}
ELEMENT = re.compile(r'\[lostpeer@32473((?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\]')
PARAMETER = re.compile(r' ([^ =\]"]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')
IDENTITY = ("event", "cause", "time", "network.netns", "network.local.port", "network.peer.port")


def plain(text):
    """The text as outputs that reach a terminal write it."""
    def safe(letter):
        code = ord(letter)
        if code < 0x20 or 0x7f <= code < 0xa0:
            return "\\x%02x" % code
        return "\ufffd" if code in TRICKY else letter
    return "".join(map(safe, text))


def words(value):
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [plain(each) for each in (value if isinstance(value, list) else [value])]


def from_json(data):
    """The events of a file of JSON lines; numbers keep their digits."""
    events = []
    for line in data.decode("utf-8").splitlines():
        event = json.loads(line, parse_int=str, parse_float=str)
        events.append({name: words(value) for name, value in event.items()})
    return events


def from_journal(data):
    """[(event, the journal's own fields)] from `journalctl -o json`."""
    found = []
    for line in data.decode("utf-8").splitlines():
        entry = json.loads(line)
        event = {name: value if isinstance(value, list) else [value] for name, value in entry.items()
                 if name.startswith("LOSTPEER_")}
        found.append((event, {name: value for name, value in entry.items() if name not in event}))
    return found


def from_syslog(data):
    """[(event, the message's header and text)] from the file that rsyslog writes."""
    found = []
    for line in data.decode("utf-8").splitlines():
        message = json.loads(line)
        element = ELEMENT.fullmatch(message["data"])
        event = {}
        for name, value in PARAMETER.findall(element.group(1)) if element else ():
            event.setdefault(name, []).append(re.sub(r'\\(["\\\]])', r"\1", value))
        found.append((event, message))
    return found


def identity(event, rename=lambda name: name):
    return tuple(tuple(event.get(rename(name), ())) for name in IDENTITY)


def journal_name(name):
    return "LOSTPEER_" + name.replace(".", "_").upper()


def as_journal(event):
    return {journal_name(name): value for name, value in event.items()}


def is_gap(event):
    """Whether the event is events_lost, which no drop of the script causes."""
    return event.get("event", event.get("LOSTPEER_EVENT")) == ["events_lost"]


def compare(wanted, got, what):
    """Problems unless each event of one list is in the other, once, with the same fields."""
    problems = []
    left = {}
    for event in got:
        left.setdefault(identity(event, what), []).append(event)
    for event in wanted:
        key = identity(event, what)
        if not left.get(key):
            problems.append("missing: %s" % (key,))
            continue
        other = left[key].pop()
        problems += ["%s: %s is %r, not %r" % (key[0], name, other.get(name), event.get(name))
                     for name in sorted(event.keys() | other.keys()) if event.get(name) != other.get(name)]
    problems += ["not in the file: %s" % (key,) for key, events in left.items() for _ in events]
    return problems


def sentence_is_of(text, event):
    """The sentence names the cause, the peer's port and the process."""
    kind = "(%s/%s)" % (event["event"][0], event["cause"][0])
    return kind in text and event["network.peer.port"][0] in text and event.get("process.name", [""])[0] in text


def syslog_faults(event, message):
    found = []
    wanted = {"pri": str(24 + SYSLOG[event["severity"][0]]), "host": event["host.name"][0], "app": "lostpeer",
              "process": "-", "id": event["event"][0]}
    for name, value in wanted.items():
        if message[name] != value:
            found.append("%s is %r, not %r" % (name, message[name], value))
    if message["timestamp"][:26] != event["time"][0][:26]:
        found.append("timestamp is %r, not %r" % (message["timestamp"], event["time"][0]))
    if re.search(r"[\x00-\x1f\x7f-\x9f]", message["raw"]):
        found.append("a control character in %r" % message["raw"])
    if "network.peer.port" in event and not sentence_is_of(message["message"], event):
        found.append("message is %r" % message["message"])
    return found


def journal_faults(event, own):
    """event: with the names of JSON."""
    found = []
    wanted = {"PRIORITY": str(SYSLOG[event["severity"][0]]), "SYSLOG_IDENTIFIER": "lostpeer", "SYSLOG_FACILITY": "3",
              "_TRANSPORT": "journal", "OBJECT_PID": event.get("process.pid", [None])[0]}
    for name, value in wanted.items():
        if own.get(name) != value:
            found.append("%s is %r, not %r" % (name, own.get(name), value))
    if not re.fullmatch("[0-9a-f]{32}", own.get("MESSAGE_ID", "")):
        found.append("MESSAGE_ID is %r" % own.get("MESSAGE_ID"))
    if "network.peer.port" in event and not sentence_is_of(own["MESSAGE"], event):
        found.append("MESSAGE is %r" % own["MESSAGE"])
    return found


def application(event):
    """The app label of the event in the metrics."""
    unit = event.get("systemd.unit", [""])[0]
    if unit.endswith(".service") and "container.id" not in event:
        return unit
    path = event.get("process.executable.path", [""])[0].removesuffix(" (deleted)")
    return os.path.basename(path) or event.get("process.name", ["unknown"])[0]


def counted(events):
    """{(event, cause, application): count}"""
    found = {}
    for event in events:
        key = event["event"][0], event["cause"][0], application(event)
        found[key] = found.get(key, 0) + 1
    return found
