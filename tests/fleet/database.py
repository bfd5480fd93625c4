# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""ClickHouse at the centre, with the table and the queries of tools/fleet. The answers that the queries must give are
computed here from the agents' files."""
import calendar
import json
import os
import shutil
import time

import contract
from machines import FLEET, ROOT
from server import program

QUERIES = ("top-applications", "bursts", "both-ends")
HOUR, GAP = 3600 * 10**9, 10 * 10**9
LONG = 4000


def every_field(host):
    """A line with every field of the contract, with long values and odd characters."""
    values = {int: lambda n: 100 + n, str: lambda n: "%d: \u00fc \"\\ \x1b\n\u2028 \U0001f50c" % n, bool: lambda n: n % 2 == 0,
              float: lambda n: n + 0.123, list: lambda n: [str(n), "x"],
              "time": lambda n: "2026-01-02T03:04:05.%09dZ" % n}
    event = {name: values[kind](number) for number, (name, kind) in enumerate(contract.TYPES.items())}
    event.update({"schema": 1, "time": moment(time.time_ns()), "host.name": host, "event": "peer_silent", "cause": "unacked",
                  "by": "network", "severity": "warning", "owner.holders": [1, 4194304], "tcp.cookie": 2**64 - 1,
                  "network.netns": 2**32 - 1, "network.local.port": 65535, "network.peer.port": 1,
                  "process.executable.path": "/" + "\x01" * LONG, "process.linux.cgroup": "0::/" + "c" * LONG})
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def moment(nanoseconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9)) + ".%09dZ" % (nanoseconds % 10**9)


def nanoseconds(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(text[20:29])


def application(event):
    """The application, as the agent's metrics name it."""
    unit = event.get("systemd.unit", "")
    if unit.endswith(".service") and "container.id" not in event:
        return unit
    if "process.executable.path" in event:
        return os.path.basename(event["process.executable.path"].removesuffix(" (deleted)"))
    return event.get("process.name", "unknown")


def identity(event):
    return tuple(event.get(name) for name in ("host.name", "time", "event", "cause", "network.netns", "tcp.cookie",
                                              "network.local.port", "network.peer.port"))


class Database:
    """The server, as its package configures it and under its own user, in the centre's namespaces."""

    def __init__(self, centre):
        self.centre = centre

    def start(self):
        for path in ("/var/lib/clickhouse", "/var/log/clickhouse-server"):
            os.makedirs(self.centre.inside(path), exist_ok=True)
            shutil.chown(self.centre.inside(path), "clickhouse", "clickhouse")
        self.centre.start_as("clickhouse", "clickhouse", ("--init-groups",), program("clickhouse-server"),
                             "--config=/etc/clickhouse-server/config.xml")
        self.centre.wait("clickhouse", lambda: self.centre.listens(9000), "port")

    def client(self, *words, given=None, file=None):
        """The output of clickhouse-client. Its input is given, or the content of file."""
        done = self.centre.host("""with open(file or os.devnull, 'rb') as f:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **({'input': given} if given is not None else {'stdin': f}))
(done.returncode, done.stdout, done.stderr)""", words=[program("clickhouse-client"), *words], given=given, file=file)
        if done[0]:
            raise RuntimeError("clickhouse-client: %s" % done[2].decode("utf-8", "replace")[:600])
        return done[1]

    def create(self):
        with open(os.path.join(ROOT, "build", "fleet", "clickhouse", "events.sql"), "rb") as f:
            self.client("--multiquery", given=f.read())

    def load(self, path):
        """Load a file with the command of the README."""
        self.client("--input_format_skip_unknown_fields=1", "--query", "INSERT INTO lostpeer.events FORMAT JSONEachRow",
                    file=path)

    def rows(self, query):
        answer = self.client("--output_format_json_quote_64bit_integers=0", "--query", query + " FORMAT JSONEachRow")
        return [json.loads(line) for line in answer.decode().splitlines()]

    def columns_differ(self, lines):
        """Problems unless each event of the files is one row, and each of its fields is a column."""
        rows = {}
        for row in self.rows("SELECT * FROM lostpeer.events FINAL"):
            rows.setdefault(identity(row), []).append(row)
        problems = []
        for line in sorted(set(lines)):
            wanted = self.row(json.loads(line))
            if not rows.get(identity(wanted)):
                problems.append("missing: %s" % (identity(wanted),))
                continue
            row = rows[identity(wanted)].pop()
            problems += ["%s of %s is %r, not %r" % (name, wanted["time"], row.get(name), wanted.get(name))
                         for name in wanted.keys() | row.keys() if row.get(name) != wanted.get(name)]
        return problems + ["too much: %s" % (key,) for key, more in rows.items() for _ in more]

    @staticmethod
    def row(event):
        """The row of an event. A missing field is null or an empty array; a boolean is a number."""
        found = {name: [] if kind is list else None for name, kind in contract.TYPES.items()}
        found.update({name: int(value) if isinstance(value, bool) else value for name, value in event.items()})
        return found

    def queries(self, lines):
        """For each query: (name, (problems, rows))."""
        events = [json.loads(line) for line in set(lines)]
        for event in events:
            event["ns"], event["app"] = nanoseconds(event["time"]), application(event)
        for name, answer in zip(QUERIES, (top_applications, bursts, both_ends)):
            with open(os.path.join(FLEET, "clickhouse", name + ".sql")) as f:
                got = self.rows(f.read())
            yield name, (differences(answer(events), got), got)


def differences(wanted, got):
    problems = ["row %d is %r, not %r" % (number, other, one) for number, (one, other) in enumerate(zip(wanted, got))
                if one != other]
    if len(wanted) != len(got):
        problems.append("%d rows, not %d" % (len(got), len(wanted)))
    return problems + ([] if wanted else ["nothing is asked of it"])


def of_last_day(events, *kinds):
    return [event for event in events if event["event"] in kinds and event["ns"] > time.time_ns() - 24 * HOUR]


def times(events):
    return sum(event.get("repeat.count", 1) for event in events)


def top_applications(events):
    by_app = {}
    for event in of_last_day(events, "peer_lost"):
        by_app.setdefault(event["app"], []).append(event)
    rows = [{
        "application": app, "lost": times(own), "hosts": len({event["host.name"] for event in own}),
        "peers": len({event["network.peer.address"] for event in own}),
        "reset": times(event for event in own if event["cause"] == "reset"),
        "timeout": times(event for event in own if event["cause"].endswith("timeout")),
        "unacked_bytes": sum(event.get("data.unacked_bytes", 0) for event in own),
        "last": max(event["time"] for event in own),
    } for app, own in by_app.items()]
    return sorted(rows, key=lambda row: (-row["lost"], row["application"].encode()))[:20]


def end(event, side):
    return "%s %d" % (event["network.%s.address" % side], event["network.%s.port" % side])


def bursts(events):
    found = []
    current = {}
    for event in sorted(of_last_day(events, "peer_lost", "connect_failed"), key=lambda event: event["ns"]):
        peer = end(event, "peer")
        if peer not in current or event["ns"] - current[peer][-1]["ns"] >= GAP:
            current[peer] = []
            found.append((peer, current[peer]))
        current[peer].append(event)
    rows = [{
        "peer": peer, "first": own[0]["time"], "last": own[-1]["time"], "hosts": len({event["host.name"] for event in own}),
        "lost": times(own), "applications": sorted({event["app"] for event in own}),
        "causes": sorted({"%s/%s" % (event["event"], event["cause"]) for event in own}),
    } for peer, own in found]
    return sorted((row for row in rows if row["hosts"] > 1), key=lambda row: (-row["lost"], row["first"], row["peer"]))[:20]


def both_ends(events):
    by_ends = {}
    for event in events:
        if "network.peer.port" in event:
            by_ends.setdefault((end(event, "local"), end(event, "peer")), []).append(event)
    rows = []
    for event in of_last_day(events, "peer_lost", "connect_failed", "local_reset"):
        local, peer = end(event, "local"), end(event, "peer")
        others = [other for other in by_ends.get((peer, local), ()) if abs(other["ns"] - event["ns"]) < HOUR]
        other = min(others, key=lambda other: abs(other["ns"] - event["ns"]), default=None)
        what = lambda event: "%s/%s" % (event["event"], event["cause"])  # noqa: E731
        rows.append({
            "time": event["time"], "host": event["host.name"], "app": event["app"], "what": what(event), "local": local,
            "peer": peer, "unacked_bytes": event.get("data.unacked_bytes"),
            "peer_host": other["host.name"] if other else "", "peer_app": other["app"] if other else "",
            "peer_what": what(other) if other else "", "later_ms": (other["ns"] - event["ns"]) / 10**6 if other else 0,
            "peer_unread_bytes": other.get("data.unread_bytes") if other else None,
        })
    return sorted(rows, key=lambda row: (row["time"], row["host"], row["local"], row["peer"]))[:1000]
