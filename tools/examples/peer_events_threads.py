#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program with threads is told that the peer of one of its sockets is gone, without reading from any.

Subscription  a thread that reads what `lostpeer agent` tells this user (lostpeer-events(7)), and calls back for each
              socket that was given to watch(): by its cookie, which no other socket of this host ever has. Before Linux
              5.12 events have none, and the local port has to do. It needs no rights: a [subscribers] section in
              lostpeer.conf is enough.

The rest is a client of an echo server: it sends a line over each of its connections, reads the answer, and then reads
no more. It prints, as JSON, what it is told, and how late: peer_events_threads.py [--socket PATH] HOST PORT [CONNECTIONS]
"""
import argparse
import calendar
import json
import os
import socket
import struct
import sys
import threading
import time

SOCKET = "/run/lostpeer/events.sock"
SO_COOKIE = 57


class Subscription(threading.Thread):
    """since: when it began, as the agent says. missed(count): events of ours were lost on the way, or None: some may
    have been. ended(): the agent has; make another one, and take it that events were missed."""

    def __init__(self, options="", path=SOCKET, missed=lambda count: None, ended=lambda: None):
        super().__init__(daemon=True)
        self.lock = threading.Lock()
        self.watched = {}
        self.missed = missed
        self.ended = ended
        self.netns = os.stat("/proc/self/ns/net").st_ino
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        try:
            self.socket.sendall(options.encode() + b"\n")
        except BrokenPipeError:
            pass  # it says why
        self.lines = self.socket.makefile("rb")
        answer = json.loads(self.lines.readline() or b'{"error": "the agent has ended"}')
        if "error" in answer:
            raise ValueError(answer["error"])
        self.since = answer["time"]
        self.start()

    @staticmethod
    def keys(s):
        return (struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0], "port %d" % s.getsockname()[1])

    def watch(self, s, tell):
        """From now on tell(event) is called, in the thread of this subscription."""
        with self.lock:
            for key in self.keys(s):
                self.watched[key] = tell

    def forget(self, s):
        """Before it is closed."""
        with self.lock:
            for key in self.keys(s):
                self.watched.pop(key, None)

    def run(self):
        for line in self.lines:
            event = json.loads(line)
            if event["event"] == "events_lost":
                self.missed(event.get("lost.count"))
                continue
            key = event.get("tcp.cookie")
            if key is None and event.get("network.netns") == self.netns:
                key = "port %d" % event.get("network.local.port", 0)
            with self.lock:
                tell = self.watched.get(key)
            if tell:
                tell(event)
        self.ended()


def age_ms(event):
    """How long ago the kernel saw it."""
    seconds, fraction = event["time"].rstrip("Z").split(".")
    return (time.time() - calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) - float("0." + fraction)) * 1000


def ask_silent_peers(s):
    """Of a peer that vanishes while nothing is sent only keepalive knows: here it gives up after three seconds."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        s.setsockopt(socket.IPPROTO_TCP, option, value)


def echo(s, text):
    s.sendall(text)
    answer = b""
    while len(answer) < len(text):
        part = s.recv(len(text) - len(answer))
        if not part:
            raise ConnectionError("no echo")
        answer += part


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", default=SOCKET)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int, nargs="?", default=1)
    arguments = parser.parse_args()

    def say(**what):
        print(json.dumps(what), flush=True)

    def tell(number):
        return lambda event: say(connection=number, event=event["event"], cause=event["cause"],
                                 late_ms=round(age_ms(event), 3))

    over = threading.Event()
    subscription = Subscription("--event peer_lost,peer_closed --peer-port %d" % arguments.port, arguments.socket,
                                lambda count: say(missed=count or "some"), over.set)
    say(subscribed=True, time=subscription.since)
    sockets = []
    for number in range(arguments.connections):
        s = socket.create_connection((arguments.host, arguments.port))
        ask_silent_peers(s)
        subscription.watch(s, tell(number))
        echo(s, b"hello\n")
        sockets.append(s)
    say(connections=[s.getsockname()[1] for s in sockets])
    over.wait()
    sys.exit("the agent has ended")


if __name__ == "__main__":
    main()
