#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program with asyncio learns that the peer of one of its sockets is gone, without reading from the socket.

events()  yields the events that `lostpeer agent` has for this user (lostpeer-events(7)), from the time that the first
          object names. It needs no privilege, only a [subscribers] section in lostpeer.conf.
is_of()   tests whether an event is about a socket, by its cookie, which no other socket of this host ever has. Before
          Linux 5.12 events have no cookie, so this compares the local port and the network namespace.

The rest is a client of an echo server. It sends a line over each connection, reads the answer, and then does not read
any more. It prints the events and their delays as JSON: peer_events_asyncio.py [--socket PATH] HOST PORT [CONNECTIONS]
"""
import argparse
import asyncio
import calendar
import json
import os
import socket
import struct
import sys
import time

SOCKET = "/run/lostpeer/events.sock"
SO_COOKIE = 57


async def events(options="", path=SOCKET):
    """options: filters as for `lostpeer watch`. The first object is not an event, but has the time from which events
    come. The stream ends when the agent ends: connect again, and assume that events were missed."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
    try:
        try:
            writer.write(options.encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # the first line has the reason
        while True:
            line = await reader.readline()
            if not line:
                return
            event = json.loads(line)
            if "error" in event:
                raise ValueError(event["error"])
            yield event
    finally:
        writer.close()


def is_of(event, s):
    if "tcp.cookie" in event:
        return event["tcp.cookie"] == struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    return (event.get("network.local.port") == s.getsockname()[1] and
            event.get("network.netns") == os.stat("/proc/self/ns/net").st_ino)


def age_ms(event):
    """The time since the kernel saw the event."""
    seconds, fraction = event["time"].rstrip("Z").split(".")
    return (time.time() - calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) - float("0." + fraction)) * 1000


def ask_silent_peers(s):
    """Only keepalive notices a peer that vanishes while nothing is sent; with these values after three seconds."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        s.setsockopt(socket.IPPROTO_TCP, option, value)


async def echo(s, text):
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(s, text)
    answer = b""
    while len(answer) < len(text):
        part = await loop.sock_recv(s, len(text) - len(answer))
        if not part:
            raise ConnectionError("no echo")
        answer += part


async def connect(address):
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, found = (await loop.getaddrinfo(*address, type=socket.SOCK_STREAM))[0]
    s = socket.socket(family, kind, protocol)
    s.setblocking(False)
    ask_silent_peers(s)
    await loop.sock_connect(s, found)
    await echo(s, b"hello\n")
    return s


async def run(arguments):
    stream = events("--event peer_lost,peer_closed --peer-port %d" % arguments.port, arguments.socket)
    print(json.dumps(await stream.__anext__()), flush=True)
    sockets = [await connect((arguments.host, arguments.port)) for _ in range(arguments.connections)]
    print(json.dumps({"connections": [s.getsockname()[1] for s in sockets]}), flush=True)
    async for event in stream:
        late = age_ms(event)
        if event["event"] == "events_lost":
            print(json.dumps({"missed": event.get("lost.count", "some")}), flush=True)
            continue
        number = next((i for i, s in enumerate(sockets) if is_of(event, s)), None)
        print(json.dumps({"connection": number, "event": event["event"], "cause": event["cause"],
                          "late_ms": round(late, 3)}), flush=True)
    sys.exit("the agent has ended")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", default=SOCKET)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int, nargs="?", default=1)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
