#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""How a program with asyncio is told that the peer of one of its sockets is gone, without reading from any.

events()  yields what `lostpeer agent` tells this user (lostpeer-events(7)), from the moment that the agent says so. It
          needs no rights: a [subscribers] section in lostpeer.conf is enough.
is_of()   whether an event is of this socket: by its cookie, which no other socket of this host ever has. Before Linux
          5.12 events have none, and the local port has to do.

The rest is a client of an echo server: it sends a line over each of its connections, reads the answer, and then reads
no more. It prints, as JSON, what it is told, and how late: peer_events_asyncio.py [--socket PATH] HOST PORT [CONNECTIONS]
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
    """options: the filters of `lostpeer watch`. The first that is yielded is no event, but says since when. Where the
    stream ends the agent has: connect again, and take it that events were missed."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
    try:
        try:
            writer.write(options.encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # it says why
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
    """How long ago the kernel saw it."""
    seconds, fraction = event["time"].rstrip("Z").split(".")
    return (time.time() - calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) - float("0." + fraction)) * 1000


def ask_silent_peers(s):
    """Of a peer that vanishes while nothing is sent only keepalive knows: here it gives up after three seconds."""
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
    told = events("--event peer_lost,peer_closed --peer-port %d" % arguments.port, arguments.socket)
    print(json.dumps(await told.__anext__()), flush=True)
    sockets = [await connect((arguments.host, arguments.port)) for _ in range(arguments.connections)]
    print(json.dumps({"connections": [s.getsockname()[1] for s in sockets]}), flush=True)
    async for event in told:
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
