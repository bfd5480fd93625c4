# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A wire between two interfaces, carried by a thread. It can hold frames, cut either direction, and forge segments.

With it segments of both ends can cross in flight, and it plays any device on the path."""
import socket
import struct
import threading

import clock

PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
# The kernel leaves checksums for the device to finish; this header in front of a frame says so.
VNET = 10
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Segment:
    """A TCP segment in an Ethernet frame, with its virtio header."""

    def __init__(self, frame):
        self.frame = frame
        data = frame[VNET + 14:]
        kind = struct.unpack_from("!H", frame, VNET + 12)[0]
        self.tcp = None
        if kind == 0x0800 and data[9] == 6:
            size, self.ip = struct.unpack_from("!H", data, 2)[0], (data[0] & 15) * 4
            self.ends = data[12:20]
        elif kind == 0x86dd and data[6] == 6:
            size, self.ip = struct.unpack_from("!H", data, 4)[0] + 40, 40
            self.ends = data[8:40]
        else:
            return
        self.head = data[:self.ip]
        self.tcp = data[self.ip:size]
        self.seq, self.ack = struct.unpack_from("!II", self.tcp, 4)
        self.flags = self.tcp[13]
        self.payload = len(self.tcp) - (self.tcp[12] >> 4) * 4

    def after(self):
        """The sequence number after this segment."""
        return self.seq + self.payload + (1 if self.flags & (SYN | FIN) else 0)

    def repeats(self, other):
        """Whether this segment ends before `other` did, like a SYN that is sent again without its data."""
        return self.tcp[:4] == other.tcp[:4] and (self.after() - other.after()) & 0x80000000 != 0

    def changed(self, flags, seq=None, ack=None, payload=b"", swap=False):
        """A frame of the same connection, without options and with a valid checksum. swap: in the other direction."""
        ports, ends = self.tcp[:4], self.ends
        ether, head = self.frame[VNET:VNET + 14], bytearray(self.head)
        if swap:
            half = len(ends) // 2
            ports, ends = ports[2:] + ports[:2], ends[half:] + ends[:half]
            ether = ether[6:12] + ether[:6] + ether[12:]
            head[-2 * half:] = ends
        seq = self.seq if seq is None else seq
        ack = self.ack if ack is None else ack
        tcp = ports + struct.pack("!IIBBHHH", seq & 0xffffffff, ack & 0xffffffff, 0x50, flags, 0xffff, 0, 0) + payload
        pseudo = ends + struct.pack("!II", len(tcp), 6)
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        if head[0] >> 4 == 4:
            head = head[:20]
            head[0] = 0x45
            struct.pack_into("!H", head, 2, 20 + len(tcp))
            struct.pack_into("!H", head, 10, 0)
            struct.pack_into("!H", head, 10, checksum(bytes(head)))
        else:
            struct.pack_into("!H", head, 4, len(tcp))
        return bytes(VNET) + ether + bytes(head) + tcp


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Wire:
    """A side is where frames come from: 'left' is the client, 'right' the server."""

    def __init__(self, left, right):
        self.lock = threading.Lock()
        self.sockets = {"left": attach(left), "right": attach(right)}
        self.mode = {"left": "pass", "right": "pass"}
        self.held = []
        self.last = {"left": None, "right": None}
        self.trap = None
        for side in self.sockets:
            threading.Thread(target=self.carry, args=(side,), daemon=True).start()

    def carry(self, side):
        while True:
            frame = self.sockets[side].recv(1 << 17)
            with self.lock:
                segment = Segment(frame)
                if segment.tcp:
                    if not self.last[side] or not segment.repeats(self.last[side]):
                        self.last[side] = segment
                    # The trap applies to the segment that triggers it, too.
                    if self.trap and self.trap[0] == side and segment.payload:
                        self.mode[side] = self.trap[1]
                        self.trap = None
                if self.mode[side] == "hold" and segment.tcp:
                    self.held.append((side, frame))
                elif self.mode[side] == "pass" or not segment.tcp:
                    self.put(side, frame)

    def put(self, side, frame):
        try:
            self.sockets["right" if side == "left" else "left"].send(frame)
        except OSError:
            pass

    def set(self, mode, *sides):
        with self.lock:
            for side in sides or ("left", "right"):
                self.mode[side] = mode

    def on_data(self, side, mode="cut"):
        """Hold or cut that side as soon as it sends a segment with payload."""
        with self.lock:
            self.trap = (side, mode)

    def trapped(self):
        clock.wait(lambda: self.trap is None, "a segment with payload")

    def holding(self, count, side=None):
        """Wait until that many TCP frames are held."""
        clock.wait(lambda: len([1 for s, _ in self.held if side in (None, s)]) >= count, "%d held frames" % count)

    def release(self):
        """Forward all held frames in order, and pass frames from now on."""
        with self.lock:
            self.mode = {"left": "pass", "right": "pass"}
            held, self.held = self.held, []
            for side, frame in held:
                self.put(side, frame)

    def forge(self, side, flags, offset=0, ack=0, payload=b""):
        """Send a segment as if from that side: the one that the peer expects next, plus offset."""
        with self.lock:
            mine, other = self.last[side], self.last["right" if side == "left" else "left"]
            if mine:
                frame = mine.changed(flags, mine.after() + offset, mine.ack + ack, payload)
            else:
                frame = other.changed(flags, other.ack + offset, other.after() + ack, payload, swap=True)
            self.put(side, frame)


def attach(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(socket.SOL_PACKET if hasattr(socket, "SOL_PACKET") else 263, PACKET_VNET_HDR, 1)
    s.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)
    s.bind((name, 3))
    return s
