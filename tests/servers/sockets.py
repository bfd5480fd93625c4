# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TCP sockets and their holders, from /proc: a truth that does not depend on lostpeer."""
import ipaddress
import os
import re
import struct

STATES = ("none established syn_sent syn_received fin_wait_1 fin_wait_2 time_wait close close_wait last_ack listen "
          "closing new_syn_received").split()


class Entry:
    """A line of /proc/net/tcp or tcp6."""

    def __init__(self, line):
        words = line.split()
        self.local, self.peer = address(words[1]), address(words[2])
        self.state = STATES[int(words[3], 16)]
        # Bytes that are written and not acknowledged; bytes that are received and not read.
        self.unacked, self.unread = (int(word, 16) for word in words[4].split(":"))
        # Timer 3 belongs to the remnant of a closed socket in TIME_WAIT or FIN_WAIT2.
        self.remnant = words[5].startswith("03:")
        self.retransmits = int(words[6], 16)
        self.inode = int(words[9])


def address(text):
    digits, port = text.split(":")
    data = b"".join(struct.pack("=I", int(digits[at:at + 8], 16)) for at in range(0, len(digits), 8))
    ip = ipaddress.ip_address(data)
    return str(getattr(ip, "ipv4_mapped", None) or ip), int(port, 16)


def table(pid):
    """All TCP sockets of the process's network namespace."""
    entries = []
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/%d/net/%s" % (pid, name)) as f:
                entries += [Entry(line) for line in f.readlines()[1:]]
        except FileNotFoundError:
            pass
    return entries


def find(pid, local, peer):
    """The socket with these ends; None once it is closed."""
    for entry in table(pid):
        if (entry.local, entry.peer) == (local, peer) and entry.state != "close" and not entry.remnant:
            return entry
    return None


def listens(pid, port):
    return any(entry.state == "listen" and entry.local[1] == port for entry in table(pid))


def inodes(pid):
    """The inode of each socket descriptor of a process; one may come several times."""
    found = []
    try:
        names = os.listdir("/proc/%d/fd" % pid)
    except OSError:
        return found
    for name in names:
        try:
            match = re.match(r"socket:\[(\d+)\]$", os.readlink("/proc/%d/fd/%s" % (pid, name)))
        except OSError:
            continue
        if match:
            found.append(int(match.group(1)))
    return found


def connection(pid):
    """The established connection that a process holds."""
    held = set(inodes(pid))
    found = [entry for entry in table(pid) if entry.inode in held and entry.state == "established"]
    return found[0] if len(found) == 1 else None


def holders(inode):
    """Every process that has the socket open."""
    return sorted(pid for pid in pids() if inode in inodes(pid))


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def inhabitants(netns):
    """Every process in a network namespace, by its inode."""
    found = []
    for pid in pids():
        try:
            if os.stat("/proc/%d/ns/net" % pid).st_ino == netns:
                found.append(pid)
        except OSError:
            pass
    return found
