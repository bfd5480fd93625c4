#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program with threads learns that the peer of one of its sockets is gone, without reading from the socket.

Subscription  a thread that reads the events that `lostpeer agent` has for this user (lostpeer-events(7)), and calls a
              function for each event of a socket that was given to watch(). It finds the socket by its cookie, which no
              other socket of this host ever has. Before Linux 5.12 events have no cookie, so it compares the local port
              and the network namespace. It needs no privilege, only a [subscribers] section in lostpeer.conf.

The rest is a client of an echo server. It sends a line over each connection, reads the answer, and then does not read
any more. It prints the events and their delays as JSON: peer_events_threads.py [--socket PATH] HOST PORT [CONNECTIONS]
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
    """since: the time from which events come. missed(count): so many of this user's events were lost; None: some may
    have been. ended(): the agent has ended; make another Subscription, and assume that events were missed."""

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
            pass  # the first line has the reason
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
        """Call tell(event) for each event of the socket from now on, in the thread of this subscription."""
        with self.lock:
            for key in self.keys(s):
                self.watched[key] = tell

    def forget(self, s):
        """Call this before closing the socket."""
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
    """The time since the kernel saw the event."""
    seconds, fraction = event["time"].rstrip("Z").split(".")
    return (time.time() - calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) - float("0." + fraction)) * 1000


def ask_silent_peers(s):
    """Only keepalive notices a peer that vanishes while nothing is sent; with these values after three seconds."""
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
