#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program checks whether the peer of its own socket is still there, without disturbing the socket.

ask_lostpeer()  `lostpeer check --pid PID --fd N --json`: all that the kernel knows of the connection, in one object.
                It shows a pending error without clearing it; unread, unacknowledged and unsent data; for how
                long the peer has been silent; whether keepalive would notice; about when the kernel gives up. It starts
                a process, which takes some 50 ms, so do not use it for every request. Without CAP_BPF it shows neither
                a pending error nor when the kernel gives up, and exits with 3 if that leaves the answer open.
ask_kernel()    TCP_INFO: the same state, timers and counters, in a microsecond. It does not show a pending error.
                SO_ERROR does, but clears it: the application's next call does not fail any more.
ask_poll()      poll(): POLLERR: an error is pending (but not which one). POLLRDHUP: the peer has closed its half.
                POLLHUP: both halves are closed. poll() does not notice a peer that is merely silent.
ask_peek()      recv(MSG_PEEK | MSG_DONTWAIT): b"" means that the peer has closed and all data was read. Like any recv()
                it clears an error. It does not see a FIN behind unread data.

None of these notices a peer that vanished while nothing was sent: only data or keepalive can.
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
    """The object of lostpeer-events(7); None if this user cannot see it."""
    done = subprocess.run([program, "check", "--pid", str(os.getpid()), "--fd", str(s.fileno()), "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 2:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout) if done.stdout else None


def ask_kernel(s):
    """From struct tcp_info: the state, unanswered retransmissions, and milliseconds since the peer's last segment."""
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
    """"data", "end" (the peer has closed), "nothing", or the text of the error, which this clears."""
    try:
        return "data" if s.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) else "end"
    except BlockingIOError:
        return "nothing"
    except OSError as e:
        return os.strerror(e.errno)


def main():
    """own_socket.py N [PROGRAM]: check the inherited descriptor N."""
    s = socket.socket(fileno=int(sys.argv[1]))
    program = sys.argv[2] if len(sys.argv) > 2 else "lostpeer"
    answers = {"lostpeer": ask_lostpeer(s, program), "kernel": ask_kernel(s), "poll": ask_poll(s)}
    answers["peek"] = ask_peek(s)  # last, because it may clear an error
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
