# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs `lostpeer check` and compares it with the application's view of its socket, from TCP_INFO and ioctl."""
import json
import os
import subprocess

import clock
import contract
from agent import PROGRAM, once, refuse
from trial import OneOf, scenario

checked = scenario(own=True)
once_checked = scenario(families=("ipv4",), own=True)
WITHOUT_BPF = "iterator"  # without it, check uses sock_diag

# The application's view of its socket. SIOCOUTQ and SIOCOUTQNSD count the FIN.
KNOWS = """
def knows(s):
    info = tcp_info(s)
    closing = STATES[info[0]] in ('fin_wait_1', 'closing', 'last_ack')
    waiting, unsent = number(s, SIOCOUTQ), number(s, 0x894B)
    if STATES[info[0]] in ('close', 'syn_sent'): waiting = unsent = 0
    if closing and unsent: unsent -= 1
    if closing and waiting: waiting -= 1
    return dict(state=STATES[info[0]], unread=0 if STATES[info[0]] == 'syn_sent' else number(s, SIOCINQ),
                unacked=waiting - unsent, unsent=unsent,
                keepalive=bool(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)), retransmission=info[2],
                probes=info[3], backoff=info[4], silent=min(struct.unpack_from('=4I', info, 44)[2:]), fd=s.fileno())
"""
STATES = {"close": "closed", "syn_received": "syn_received"}


class Check:

    def __init__(self, *options, without="", prefix=(), text=False, **how):
        done = subprocess.run([*prefix, PROGRAM, "check", *(() if text else ("--json",)), *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, LOSTPEER_WITHOUT=without), timeout=120 * clock.SLOW, **how)
        self.status = done.returncode
        self.stderr = done.stderr.decode("utf-8", "replace")
        self.out = done.stdout
        self.rows = []
        if not text:
            self.rows = [json.loads(line, parse_constant=refuse, object_pairs_hook=once)
                         for line in self.out.decode("utf-8").splitlines()]

    def of(self, end):
        """The rows for that end of a connection."""
        return [row for row in self.rows if row.get("network.netns") == end.host.netns
                and row.get("network.local.port") == end.local[1] and row.get("network.peer.port") == end.peer[1]]

    def one(self, end):
        rows = self.of(end)
        assert len(rows) == 1, "%d rows for %s: %s %s" % (len(rows), end.local, rows or self.rows[:5], self.stderr)
        return rows[0]


def known(end, variable="s"):
    end(KNOWS)
    return end("knows(%s)" % variable)


def differences(row, wanted):
    return ["%s expected %r got %r" % (name, value, row.get(name)) for name, value in wanted.items()
            if value != row.get(name)]


def expected(t, end, verdict, knows, diag=False):
    """The fields that follow from the application's view."""
    wanted = {
        "schema": 1, "verdict": verdict, "network.netns": end.host.netns, "network.transport": "tcp",
        "network.connection.state": STATES.get(knows["state"], knows["state"]),
        "process.fd": knows["fd"], "tcp.retransmission": knows["retransmission"] or None,
        "data.unread_bytes": None if knows["state"] == "syn_sent" else knows["unread"],
        "data.unacked_bytes": None if knows["state"] == "close" else knows["unacked"],
        "data.unsent_bytes": None if knows["state"] == "close" else knows["unsent"],
        "tcp.keepalive": OneOf(None, knows["keepalive"]) if diag else knows["keepalive"],
    }
    wanted.update(t.ends_fields(end))
    for name, value in t.process_fields(end, "", "", "established", "host", None, "holder", None).items():
        if name not in ("process.exiting", "process.exit.signal", "process.linux.cgroup", "process.executable.path"):
            wanted[name] = value
    return wanted


def agrees(t, end, verdict, *options, diag=True, answered=False, **more):
    """Compare looks with and without BPF with the application's view, which is taken before and after each look.
    answered: the peer answers window probes, so a look while one is under way is repeated."""
    seen = None
    for without in ("", WITHOUT_BPF) if diag else ("",):
        def compare():
            before = known(end)
            row = Check("--pid", str(end.host.pid), *options, without=without).one(end)
            after = known(end)
            wanted = expected(t, end, verdict, before, bool(without))
            wanted.update({name.replace("__", "."): value for name, value in more.items() if not without})
            problems = differences(row, wanted) + contract.check_faults(row)
            if "tcp.silent_ms" in row and not before["silent"] - 50 <= row["tcp.silent_ms"] <= after["silent"] + 50:
                problems.append("silent for %s, the application says %s to %s" % (
                    row["tcp.silent_ms"], before["silent"], after["silent"]))
            steady = before == dict(after, silent=before["silent"]) and before["silent"] <= after["silent"]
            return row, problems, steady and not (answered and before["probes"])
        # A timer may fire during the look: then it is unknown which of the two states the look saw.
        row, problems, steady = clock.wait(lambda: next(iter([found for found in [compare()] if found[2]]), None),
                                           "the application's view to stay the same", 60)
        assert not problems, "%s%s: %s" % (verdict, " without BPF" if without else "", "\n".join(problems))
        seen = seen or row
    return seen


def status(end, *options, **how):
    return Check("--pid", str(end.host.pid), *options, **how).status
