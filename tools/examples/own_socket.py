#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program asks whether the peer of its own socket is still there, without disturbing the socket.

ask_lostpeer()  `lostpeer check --pid PID --fd N --json`: the kernel's whole knowledge of the connection, as one object.
                It can know: an error that waits (and it goes on waiting), data unread, unacknowledged and unsent, since
                when the peer was silent, whether keepalive would notice, about when the kernel gives up.
                It costs a process of its own: some 50 ms, so not for every request. Without CAP_BPF it sees less: no
                error that waits, not when the kernel gives up (exit status 3 where that leaves the answer open).
ask_kernel()    TCP_INFO: the same state, timers and counters, in a microsecond. It does not say that an error waits, and
                SO_ERROR, which does, takes it away: the next call of the application does not fail any more.
ask_poll()      poll(): POLLERR an error waits (but not which), POLLRDHUP the peer has closed its half, POLLHUP all is over.
                It says nothing of a peer that is merely silent.
ask_peek()      recv(MSG_PEEK | MSG_DONTWAIT): b"" the peer has closed and everything was read; data is there, or not. An
                error is taken away by it, as by any recv(). While unread data waits, it does not see the FIN behind.

None of them can know of a peer that vanished while nothing was sent: only data or keepalive finds that out.
"""
import json
import os
import select
import socket
import struct
import subprocess
import sys

STATES = ("", "established", "syn_sent", "syn_received", "fin_wait_1", "fin_wait_2", "time_wait", "closed",
          "close_wait", "last_ack", "listen", "closing")


def ask_lostpeer(s, program="lostpeer"):
    """The object of lostpeer-events(7), or None: this user cannot see it."""
    done = subprocess.run([program, "check", "--pid", str(os.getpid()), "--fd", str(s.fileno()), "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 2:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout) if done.stdout else None


def ask_kernel(s):
    """Of struct tcp_info: the state, retransmissions in vain, and milliseconds since the peer was heard."""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    data, ack = struct.unpack_from("=2I", info, 52)
    return {"state": STATES[info[0]], "retransmission": info[2], "probes": info[3], "silent_ms": min(data, ack)}


def ask_poll(s):
    poller = select.poll()
    poller.register(s, select.POLLRDHUP)
    happened = dict(poller.poll(0)).get(s.fileno(), 0)
    return {"error": bool(happened & select.POLLERR), "peer_closed": bool(happened & select.POLLRDHUP),
            "over": bool(happened & select.POLLHUP)}


def ask_peek(s):
    """"data", "end" (the peer has closed), "nothing"; or the name of the error, which is taken away."""
    try:
        return "data" if s.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) else "end"
    except BlockingIOError:
        return "nothing"
    except OSError as e:
        return os.strerror(e.errno)


def main():
    """Ask about descriptor N, which whoever starts this has passed on: own_socket.py N [PROGRAM]"""
    s = socket.socket(fileno=int(sys.argv[1]))
    program = sys.argv[2] if len(sys.argv) > 2 else "lostpeer"
    answers = {"lostpeer": ask_lostpeer(s, program), "kernel": ask_kernel(s), "poll": ask_poll(s)}
    answers["peek"] = ask_peek(s)  # last: it may take an error away
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
