# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Functions for a worker's source text: sockets as an application makes them, and ways to see their state."""
# The source text uses these imports too.
import array
import ctypes
import errno
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import netlink
from clock import SLOW, deadline, wait

SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
SO_COOKIE = 57
TCP_REPAIR = 19
TCP_REPAIR_WINDOW = 29
TCP_FASTOPEN = 23
TCP_LINGER2 = 8
TCP_USER_TIMEOUT = 18
TCP_SYNCNT = 7
MSG_FASTOPEN = 0x20000000
IPPROTO_MPTCP = 262
SIOCINQ = 0x541B
SIOCOUTQ = 0x5411
ETH_P_ALL = 3
STATES = ("none established syn_sent syn_received fin_wait_1 fin_wait_2 time_wait close close_wait last_ack listen "
          "closing").split()

libc = ctypes.CDLL(None, use_errno=True)

# network.py sets these for each host.
AF = socket.AF_INET
HERE = "127.0.0.1"
THERE = "127.0.0.1"
ANY = "127.0.0.1"
SERVER = None


def tcp(protocol=0):
    return socket.socket(AF, socket.SOCK_STREAM, protocol)


def listen(backlog=64, protocol=0, port=0):
    s = tcp(protocol)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ANY, port))
    s.listen(backlog)
    return s


def bound(protocol=0):
    """A socket that is bound before it connects: after a failed attempt nothing shows the local port."""
    s = tcp(protocol)
    s.bind((HERE, 0))
    return s


def begin(server, s=None):
    """Start a connect without waiting for it."""
    s = s or bound()
    s.setblocking(False)
    code = s.connect_ex(server)
    if code != errno.EINPROGRESS:
        raise OSError(code, os.strerror(code))
    return s


def warm(there):
    """Resolve the neighbours on the path: the answer to a datagram proves both directions."""
    with socket.socket(AF, socket.SOCK_DGRAM) as s:
        s.connect((there, 9))
        s.settimeout(0.1)
        for _ in range(200):
            try:
                s.send(b"")
                s.recv(1)
            except ConnectionRefusedError:
                return
            except OSError:
                pass
    raise RuntimeError("no path to %s" % there)


def plain(address):
    return address[7:] if address.startswith("::ffff:") else address


def about(s):
    """The application's own facts about its connection."""
    facts = {"local": None, "peer": None, "cookie": None}
    for name, call in (("local", s.getsockname), ("peer", s.getpeername)):
        try:
            address = call()
            facts[name] = (plain(address[0]), address[1])
        except OSError:
            pass
    facts["cookie"] = struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    return facts


def tcp_info(s):
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)


def state(s):
    return STATES[tcp_info(s)[0]]


def retransmits(s):
    return struct.unpack_from("=I", tcp_info(s), 100)[0]


def probes(s):
    return tcp_info(s)[3]


def reached(s, *states):
    """Wait until the socket is in one of the states."""
    return wait(lambda: state(s) in states and state(s), "state %s (is %s)" % (states, state(s)))


def lost(s):
    """Wait until the kernel has closed the socket, read the rest, and raise the error that the application gets."""
    wait(lambda: state(s) == "close", "close of a socket in %s" % state(s))
    s.setblocking(False)
    while s.recv(1 << 20):
        pass
    s.send(b"x")


def queued(s):
    """Bytes written but not acknowledged by the peer."""
    return number(s, SIOCOUTQ)


def unread(s):
    return number(s, SIOCINQ)


def number(s, request):
    value = array.array("i", [0])
    fcntl.ioctl(s.fileno(), request, value)
    return value[0]


def fill(s):
    """Write until the peer's window and our queue are full and no acknowledgement is due."""
    s.setblocking(False)
    still = 0
    before = -1
    while still < 20 * SLOW:
        try:
            s.send(b"f" * 65536)
        except BlockingIOError:
            pass
        still = still + 1 if queued(s) == before else 0
        before = queued(s)
        time.sleep(0.01)
    s.setblocking(True)
    return before


def drop(s):
    """Attach a filter that drops every incoming segment; on a listener it drops the SYNs."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


def undrop(s):
    s.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def linger(s, seconds=0):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, seconds))


def option(s, name, value):
    s.setsockopt(socket.IPPROTO_TCP, name, value)


def keepalive(s, idle=1, interval=1, count=2):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    option(s, socket.TCP_KEEPIDLE, idle)
    option(s, socket.TCP_KEEPINTVL, interval)
    option(s, socket.TCP_KEEPCNT, count)


def disconnect(s):
    """connect(AF_UNSPEC), which Python's socket module does not offer."""
    address = ctypes.create_string_buffer(16)
    if libc.connect(s.fileno(), address, 16) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def repair(s):
    option(s, TCP_REPAIR, 1)


def sysctl(name, value):
    with open("/proc/sys/net/" + name, "w") as f:
        f.write(str(value))


def sysctls(**values):
    """Set TCP sysctls of this network namespace: retries2=1 sets net.ipv4.tcp_retries2."""
    for name, value in values.items():
        sysctl("ipv4/tcp_" + name, value)


def command(*words, text=None):
    done = subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout))
    return done.stdout


def nft(rules):
    """Add rules like 'input tcp dport 9 drop', and a chain for each hook that they name."""
    text = ""
    for rule in rules.split(";"):
        hook, body = rule.strip().split(" ", 1)
        text += "add table inet t\nadd chain inet t %s { type filter hook %s priority 0; }\nadd rule inet t %s %s\n" % (
            hook, hook, hook, body)
    command("nft", "-f", "-", text=text)


def nft_clear():
    command("nft", "delete", "table", "inet", "t")


def deny_egress(where):
    """Attach a program to the cgroup that drops whatever its sockets send."""
    instructions = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xb7, 0, 0, 0, 0x95, 0, 0, 0), 16)
    licence = ctypes.create_string_buffer(b"GPL")
    egress, load, attach, cgroup_skb = 1, 5, 8, 8
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)  # counts before 5.11
    except ValueError:
        pass  # not permitted
    words = struct.pack("=IIQQIIQII16sII", cgroup_skb, 2, ctypes.addressof(instructions), ctypes.addressof(licence),
                        0, 0, 0, 0, 0, b"", 0, egress)
    program = libc.syscall(number, load, words, len(words))
    if program >= 0:
        words = struct.pack("=IIII", os.open(where, os.O_RDONLY), program, egress, 0)
    if program < 0 or libc.syscall(number, attach, words, len(words)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def kill_sockets(*words):
    """ss -K. It succeeds even if nothing matches, so the caller must check the socket."""
    return command("ss", "-K", "-tan", *words)


def entry(local, peer):
    """The state of a connection, held or not, or None. A TIME_WAIT or FIN_WAIT2 remnant does not count."""
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as f:
                lines = f.readlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            words = line.split()
            ports = [int(words[n].rsplit(":", 1)[1], 16) for n in (1, 2)]
            # Timer 3 marks a TIME_WAIT or FIN_WAIT2 remnant.
            if ports == [local, peer] and not words[5].startswith("03:"):
                return STATES[int(words[3], 16)]
    return None


def ended(local, peer):
    """Wait until the kernel has no full socket with these ports."""
    wait(lambda: entry(local, peer) is None, "end of the socket %d-%d" % (local, peer))
    return True


def comes_to(local, peer, *states):
    return wait(lambda: entry(local, peer) in states, "state %s of %d-%d" % (states, local, peer))


def in_thread(function, *arguments):
    """Run in a thread, whose .outcome then has the errno name or the value."""
    def body():
        try:
            thread.outcome = function(*arguments)
        except OSError as e:
            thread.outcome = errno.errorcode[e.errno]
    thread = threading.Thread(target=body, daemon=True)
    thread.outcome = None
    thread.start()
    return thread


def blocked(thread, call="recv"):
    """Wait until the thread sleeps in recv(), or in read()."""
    number = {"x86_64": {"recv": "45", "read": "0"}, "aarch64": {"recv": "207", "read": "63"}}[os.uname().machine][call]
    path = "/proc/self/task/%d/syscall" % thread.native_id
    wait(lambda: open(path).read().split()[0] == number, "a thread in %s()" % call)
    return thread


def outcome(thread):
    thread.join(30)
    return thread.outcome


def capture():
    """Capture this namespace's frames from now on, for a scenario whose application cannot know who sent a RST."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    s.setblocking(False)
    return s


def segments(s, flag=0):
    """The captured TCP segments with that flag: direction, ports, flags, payload bytes."""
    found = []
    while True:
        try:
            data, address = s.recvfrom(1 << 17)
        except BlockingIOError:
            return found
        version = data[0] >> 4
        if version == 4 and data[9] == 6:
            size, start = struct.unpack_from("!H", data, 2)[0], (data[0] & 15) * 4
        elif version == 6 and data[6] == 6:
            size, start = struct.unpack_from("!H", data, 4)[0] + 40, 40
        else:
            continue
        ports = struct.unpack_from("!HH", data, start)
        offset, flags = data[start + 12] >> 4, data[start + 13]
        if not flag or flags & flag:
            way = "out" if address[2] == socket.PACKET_OUTGOING else "in"
            found.append((way, ports, flags, size - start - offset * 4))


def resets(s):
    """The directions of the captured RSTs, 'in' or 'out', in order."""
    return [way for way, _, flags, _ in segments(s) if flags & 4]
