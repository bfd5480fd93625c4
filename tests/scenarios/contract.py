# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A second copy of the contract of lostpeer-events(7): rules that every event of every scenario must satisfy."""
import re

# Events and their causes, with the party that caused them.
CAUSES = {
    "connect_failed": {"refused": "peer", "timeout": "network", "unreachable": "network", "abandoned": "local",
                       "destroyed": "admin", "no_port": "local", "denied": "local"},
    "peer_lost": {"reset": "peer", "retransmit_timeout": "network", "keepalive_timeout": "network",
                  "user_timeout": "network", "probe_timeout": "network", "cannot_send": "local"},
    "peer_closed": {"fin": "peer"},
    "local_closed": {"close": "local"},
    "local_reset": {"unread_data": "local", "linger": "local", "linger2": "local", "disconnect": "local",
                    "destroyed": "admin", "data_after_close": "local", "no_connection": "kernel", "listener_closed": "local",
                    "no_memory": "kernel"},
    "accept_dropped": {"queue_full": "local", "syn_queue_full": "local", "bad_signature": "local"},
    "peer_silent": {"unacked": "network"},
    "peer_back": {"acked": "peer"},
    "close_ignored": {"close_wait": "local"},
    "events_lost": {place: "agent" for place in
                    ("ring_full", "program_missed", "state_full", "output_full", "write_failed", "stopped")},
}
# Whom the facts may blame instead; None: nobody, since no fact decides.
OTHERS = {
    "refused": ("local",), "reset": ("local", None), "timeout": ("local", "peer", None), "unreachable": ("local", None),
    "retransmit_timeout": ("local", "peer", None), "keepalive_timeout": ("local", "peer", None),
    "user_timeout": ("local", "peer", None), "probe_timeout": ("local", "peer", None), "unacked": ("local", "peer", None),
}
PHASES = ("connecting", "unaccepted", "orphaned", "closing", "half_closed", "established")
VIAS = ("connect", "accept", "seed", "holder", "closer", "listener")
UNKNOWNS = ("kernel", "holder_gone", "shared", "socket_gone", "not_seen", "unsupported")
STATES = ("closed", "close_wait", "closing", "established", "fin_wait_1", "fin_wait_2", "last_ack", "listen",
          "syn_received", "syn_sent", "time_wait")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")

FIELDS = {
    int: ("schema process.pid process.vpid process.user.id peer.process.pid peer.process.vpid peer.process.user.id "
          "shutdown.process.pid shutdown.process.vpid shutdown.process.user.id network.local.port "
          "network.peer.port network.netns network.interface.index tcp.cookie tcp.bytes_sent tcp.bytes_received tcp.retransmits tcp.rtt_us data.unread_bytes "
          "data.unacked_bytes data.unsent_bytes tcp.gives_up_in_ms ignored.connections listen.backlog "
          "listen.queue_length repeat.count repeat.processes lost.count"),
    str: ("host.name event cause by phase severity error.type role process.name process.executable.path "
          "process.exit.signal owner.via owner.unknown process.linux.cgroup container.id container.runtime.name "
          "systemd.unit systemd.slice k8s.pod.uid peer.process.name peer.process.exit.signal peer.process.linux.cgroup "
          "peer.container.id peer.container.runtime.name peer.systemd.unit peer.systemd.slice peer.k8s.pod.uid ended.event ended.cause shutdown.process.name "
          "network.transport network.type network.local.address network.peer.address network.interface.name "
          "network.connection.state tcp.soft_error tcp.reset_reason signature.fault signature.dropped_by"),
    "time": "time process.creation.time peer.process.creation.time shutdown.process.creation.time repeat.first repeat.last lost.first lost.last "
            "ended.time",
    bool: "process.exiting process.executing process.exit.out_of_memory peer.process.exiting peer.process.executing "
          "peer.process.exit.out_of_memory tcp.mptcp stream.read_closed stream.write_closed",
    float: "tcp.duration_ms tcp.silent_ms",
    list: "ambiguous owner.holders owner.holder_names owner.holder_cgroups",
}
TYPES = {name: kind for kind, names in FIELDS.items() for name in names.split()}


def type_holds(value, kind):
    if kind == "time":
        return isinstance(value, str) and TIME.fullmatch(value)
    if kind is float:
        return type(value) in (int, float) and value >= 0
    if kind is int:
        return type(value) is int and value >= 0
    if kind is list:
        return type(value) is list and value and all(type(part) in (int, str) for part in value)
    if kind is str:
        return type(value) is str and value != ""
    return type(value) is kind


def severity(event, cause, phase, data=False):
    if event == "events_lost":
        return "error"
    if event in ("peer_closed", "local_closed", "peer_back") or (phase in ("closing", "orphaned") and not data):
        return "info"
    if cause in ("refused", "abandoned", "no_connection") or phase == "unaccepted":
        return "notice"
    return "warning"


def repeat_faults(event):
    """Problems of a grouped event: it must leave out the fields that differ among its members."""
    found = ["%s on a repeat" % name for name in event if name.startswith(("tcp.", "stream."))]
    first, last, count = (event.get("repeat." + name) for name in ("first", "last", "count"))
    if not first or not last or first > last or count < 1 or event.get("time") != last:
        found.append("%r repeats from %r to %r, at %r" % (count, first, last, event.get("time")))
    if "process.pid" in event and ("owner.unknown" in event or event.get("repeat.processes") != 1):
        found.append("one process, or several?")
    return found


def faults(event):
    """Problems of one event by itself."""
    found = []
    for name, value in event.items():
        if name not in TYPES:
            found.append("field %s is not in the contract" % name)
        elif not type_holds(value, TYPES[name]):
            found.append("%s is %r" % (name, value))
    for name in ("schema", "time", "host.name", "event", "cause", "by", "severity"):
        if name not in event and name != "by":
            found.append("no %s" % name)
    what, cause = event.get("event"), event.get("cause")
    if cause not in CAUSES.get(what, {}):
        return found + ["no such event: %s/%s" % (what, cause)]
    if what == "events_lost":
        return found
    found += began_later(event)
    if "repeat.count" in event:
        return found + repeat_faults(event)
    if event.get("by") not in (CAUSES[what][cause],) + OTHERS.get(cause, ()):
        found.append("%s/%s by %s" % (what, cause, event.get("by")))
    if event.get("phase") not in (PHASES if cause != "no_connection" else (None,)):
        found.append("phase is %r" % event.get("phase"))
    if ("owner.via" in event) != ("process.pid" in event) or ("owner.unknown" in event) == ("process.pid" in event):
        found.append("neither a known nor an unknown owner, or both")
    if event.get("owner.via", VIAS[0]) not in VIAS or event.get("owner.unknown", UNKNOWNS[0]) not in UNKNOWNS:
        found.append("owner.via or owner.unknown is not in the contract")
    if event.get("network.connection.state", STATES[0]) not in STATES:
        found.append("network.connection.state is %r" % event["network.connection.state"])
    data = any(event.get("data.%s_bytes" % kind) for kind in ("unread", "unacked", "unsent"))
    allowed = {severity(what, cause, event.get("phase"), data)}
    if cause == "abandoned":
        # The loser of a race of addresses is an orderly end.
        allowed.add("info")
    if what == "local_closed" and event.get("phase") == "closing" and "shutdown.process.pid" in event:
        # Info where the process that shut it down had opened it.
        allowed.add("warning")
    if event.get("severity") not in allowed:
        found.append("severity is %r, not %s" % (event.get("severity"), " or ".join(sorted(allowed))))
    return found


def began_later(event):
    """The processes of an event that began after it: they cannot have held the connection. /proc counts in ticks."""
    return ["%s is later than the event" % name for name in ("process.creation.time", "peer.process.creation.time", "shutdown.process.creation.time")
            if event.get(name, "") > event.get("time", "")]


VERDICTS = ("errored", "stalled", "window_closed", "connecting", "closed", "closing", "alive", "unproven")
CHECK_TYPES = dict(TYPES, **{
    "verdict": str, "alive_within_ms": int, "process.fd": int, "tcp.keepalive": bool, "tcp.keepalive_next_ms": float,
    "tcp.keepalive_unanswered": int, "tcp.probes_unanswered": int, "tcp.retransmission": int, "tcp.gives_up_in_ms": int,
    "stream.read_closed_ms": float, "network.local.address_gone": bool,
})


def check_faults(row):
    """Problems of one row of `lostpeer check` by itself."""
    found = ["field %s is not in the contract" % name for name in row if name not in CHECK_TYPES]
    found += ["%s is %r" % (name, value) for name, value in row.items()
              if name in CHECK_TYPES and not type_holds(value, CHECK_TYPES[name])]
    for name in ("schema", "time", "host.name", "verdict", "alive_within_ms", "network.connection.state"):
        if name not in row:
            found.append("no %s" % name)
    # A closed socket no longer shows the phase in which it ended.
    phases = (None,) if row.get("network.connection.state") == "closed" else PHASES
    if row.get("verdict") not in VERDICTS or row.get("phase") not in phases:
        found.append("verdict is %r, phase %r" % (row.get("verdict"), row.get("phase")))
    if ("owner.via" in row) != ("process.pid" in row) or ("owner.unknown" in row) == ("process.pid" in row):
        found.append("neither a known nor an unknown owner, or both")
    if row.get("network.connection.state") not in STATES:
        found.append("network.connection.state is %r" % row.get("network.connection.state"))
    return found
