# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One connection of a client to a server, and the truth of how it is lost.

The truth comes from /proc while the connection lives, never from lostpeer's output."""
import os

import clock
import sockets
from client import steady
from contract import CAUSES
from expect import Absent, AtLeast, Maybe, Near, OneOf, Set, Since, Truth
from host import Process

SMALL = 20000    # bytes of an answer that fits into all buffers
BIG = 16 << 20   # bytes of an answer that does not fit, so the server still has something to send
PART = 1 << 16   # bytes that the client reads of it before it is cut off


class Connection:
    def __init__(self, server, case, when):
        self.name = "%s-%s%s" % (server.name, case, when and "-" + when)
        self.server = server
        self.case = case
        self.seeded = when == "connected"
        self.truths = []
        self.problem = None
        self.began = clock.now()
        self.client = server.connect()
        self.find_holders()

    def find_holders(self):
        """The processes that serve the connection: all that have the server's socket open. A parent may close it only
        after its child has begun to answer, so wait for that."""
        entry = clock.wait(self.served, "an accepted socket of %s" % self.name)
        listener = self.server.process.pid

        def final():
            pids = sockets.holders(entry.inode)
            return pids if pids and (listener in pids) == self.server.alone else None
        self.holders = [Process(pid) for pid in clock.wait(final, "holder of %s but %d" % (self.name, listener), 10)]

    def served(self):
        """The server's end, once it is accepted; None once the kernel has freed it."""
        entry = sockets.find(self.server.host.pid, self.client.peer, self.client.local)
        return entry if entry and entry.inode else None

    def seen(self):
        """The client's end."""
        return sockets.find(self.server.client_host.pid, self.client.local, self.client.peer)

    # The cases: prepare() sets up the situation, act() makes the loss, finished() says whether both ends are gone.

    def prepare(self):
        self.find_holders()
        if self.case == "timeout":
            self.client.ask(BIG)
            self.client.take(PART)

    def act(self):
        getattr(self, self.case)()

    def reset(self):
        """Kill the client with unread data: its kernel answers with a RST."""
        self.client.hold()
        self.client.ask(SMALL)
        clock.wait(lambda: self.seen().unread >= SMALL, "an answer to %s" % self.name)
        unread = steady(lambda: (self.seen().unread, self.served().unacked))
        if unread[1]:
            raise RuntimeError("%d bytes are unacknowledged" % unread[1])
        self.client.kill()
        self.expect_server("peer_lost", "reset", "ECONNRESET")
        self.expect_client("local_reset", "unread_data", "established", unread[0])

    def fin(self):
        """Kill the idle client: its kernel sends a FIN."""
        if steady(lambda: (self.seen().unread, self.served().unacked)) != (0, 0):
            raise RuntimeError("the connection is not idle")
        self.client.kill()
        self.expect_server("peer_closed", "fin")
        self.expect_client("local_closed", "close", "orphaned", 0)

    def timeout(self):
        """Cut off the client in the middle of an answer. It notices nothing and keeps waiting."""
        self.queued = 0
        self.client.cut()
        self.client.drain()

    def finished(self):
        entry = self.served()
        if self.case != "timeout":
            return entry is None and self.seen() is None
        if entry:
            self.queued = entry.unacked
            return False
        if not self.queued:
            raise RuntimeError("nothing was in flight")
        if not self.truths:
            self.expect_server("peer_lost", "retransmit_timeout", "ETIMEDOUT",
                               {"data.unacked_bytes": AtLeast(1), "data.queued": self.queued})
            self.may_be_silent()
            self.may_be_late()
        return True

    # The truth.

    def expect_server(self, event, cause, error=None, extra=None):
        fields = self.common(event, cause, self.server.host.netns, self.client.peer, self.client.local)
        fields.update({
            "phase": "established",
            "role": OneOf(None, "server") if self.seeded else "server",
            "error.type": error or Absent(),
            "network.connection.state": Maybe("established"),
            "data.unread_bytes": Maybe(0),
            "data.unacked_bytes": Maybe(0),
            "data.unsent_bytes": Maybe(0),
        })
        if extra:
            if "data.unacked_bytes" in extra:
                del fields["data.unsent_bytes"]
            fields.update(extra)
        self.truths.append(Served(fields, self.holders))

    def may_be_silent(self):
        """lostpeer may report peer_silent before, of each end that waits for an acknowledgement for long enough. The
        client is such an end only if it sent something."""
        ends = ((self.server.host.netns, self.client.peer, self.client.local),
                (self.server.client_host.netns, self.client.local, self.client.peer))
        for end in ends:
            self.truths.append(Truth(self.common("peer_silent", "unacked", *end), optional=True))

    def may_be_late(self):
        """The client does not know that the server gave it up, and may still send data, as ssh does. A RST answers."""
        fields = self.common("local_reset", "no_connection", self.server.host.netns, self.client.peer,
                             self.client.local)
        fields.update({"phase": Absent(), "ended.event": "peer_lost", "ended.cause": "retransmit_timeout"})
        self.truths.append(Truth(fields, optional=True))

    def expect_client(self, event, cause, phase, unread):
        fields = self.common(event, cause, self.server.client_host.netns, self.client.local, self.client.peer)
        fields.update(owner(self.client.process))
        fields.update({
            "phase": phase,
            "role": OneOf(None, "client") if self.seeded else "client",
            "error.type": Absent(),
            "data.unread_bytes": unread or Maybe(0),
            "data.unacked_bytes": Maybe(0),
            "data.unsent_bytes": Maybe(0),
            "process.exiting": True,
            "process.exit.signal": "SIGKILL",
            "owner.holders": Absent(),
        })
        self.truths.append(Truth(fields))

    def common(self, event, cause, netns, local, peer):
        return {
            "schema": 1,
            "time": Since(self.began),
            "host.name": os.uname().nodename,
            "event": event,
            "cause": cause,
            "by": CAUSES[event][cause],
            "network.netns": netns,
            "network.transport": "tcp",
            "network.type": "ipv6" if ":" in local[0] else "ipv4",
            "network.local.address": local[0],
            "network.local.port": local[1],
            "network.peer.address": peer[0],
            "network.peer.port": peer[1],
            "ambiguous": Absent(),
        }

    def concerns(self, event):
        """Whether the event is about this connection, at either end."""
        ports = event.get("network.local.port"), event.get("network.peer.port")
        ends = self.client.local[1], self.client.peer[1]
        return (event.get("network.netns"), ports) in ((self.server.host.netns, ends[::-1]),
                                                       (self.server.client_host.netns, ends))


class Served(Truth):
    """The truth of a server's end. If several processes hold it, as sshd's monitor and the user's session do, the owner
    is the youngest, the session; or lostpeer lists all holders and names none. The monitor alone would be wrong."""

    def __init__(self, fields, holders):
        super().__init__(fields)
        pids = Set([holder.pid for holder in holders])
        session = owner(max(holders, key=lambda holder: (holder.created, holder.pid)))
        if len(holders) == 1:
            self.ways = [dict(session, **{"owner.holders": Absent()})]
        else:
            self.ways = [dict(session, **{"owner.holders": OneOf(None, pids)}),
                         {"process.pid": Absent(), "owner.unknown": "shared", "owner.holders": pids}]

    def mismatches(self, event):
        return min((Truth(dict(self.fields, **way)).mismatches(event) for way in self.ways), key=len)


def owner(process):
    return {
        "process.pid": process.pid,
        "process.name": process.name.decode("utf-8", "replace"),
        "process.creation.time": Near(process.created),
        "process.executable.path": Maybe(process.executable),
        "process.user.id": process.uid,
        "owner.unknown": Absent(),
    }
