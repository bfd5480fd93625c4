# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A sockmap by bpf(2), without a library: its programs take what a socket receives or sends out of TCP's queues."""
import ctypes
import os
import resource
import struct

BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
MAP_CREATE, MAP_UPDATE, PROG_LOAD, PROG_ATTACH = 0, 2, 5, 8
SOCKMAP = 15
SK_SKB, SK_MSG = 14, 16
STREAM_PARSER, STREAM_VERDICT, MSG_VERDICT, SKB_VERDICT = 4, 5, 7, 38
SK_REDIRECT_MAP, MSG_REDIRECT_MAP = 52, 60
INGRESS = 1
EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def move(register, value):
    return struct.pack("=BBhi", 0xb7, register, 0, value)


def passes():
    return move(0, 1) + EXIT


def whole_segment():
    """A parser: a message is what came in one segment."""
    return struct.pack("=BBhi", 0x61, 0x10, 0, 0) + EXIT  # r0 = skb->len


def message_of(size):
    return move(0, size) + EXIT


def redirects(helper, sockets, key):
    """Into what the socket at this key receives."""
    return (struct.pack("=BBhiBBhi", 0x18, 0x12, 0, sockets, 0, 0, 0, 0) + move(3, key) + move(4, INGRESS) +
            struct.pack("=BBhi", 0x85, 0, 0, helper) + EXIT)


def load(kind, code, attach):
    text = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("=IIQQIIQII16sII", kind, len(code) // 8, ctypes.addressof(text),
                                      ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0, attach))


def attach(sockets, program, kind):
    bpf(PROG_ATTACH, struct.pack("=IIII", sockets, program, kind, 0))


def create(size=4):
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)  # before 5.11 maps count against it
    except ValueError:
        pass
    return bpf(MAP_CREATE, struct.pack("=IIIII", SOCKMAP, 4, 4, size, 0))


def put(sockets, key, s):
    k, v = ctypes.c_uint32(key), ctypes.c_uint32(s.fileno())
    bpf(MAP_UPDATE, struct.pack("=IIQQQ", sockets, 0, ctypes.addressof(k), ctypes.addressof(v), 0))


def verdict(s, parser=None):
    """The socket's segments go through a program that passes each; with a parser, as messages."""
    sockets = create()
    if parser:
        attach(sockets, load(SK_SKB, parser, STREAM_PARSER), STREAM_PARSER)
    kind = STREAM_VERDICT if parser else SKB_VERDICT
    attach(sockets, load(SK_SKB, passes(), kind), kind)
    put(sockets, 0, s)
    return sockets


def redirect_received(source, target):
    """What `source` receives goes to `target`, another connection of this host."""
    sockets = create()
    attach(sockets, load(SK_SKB, redirects(SK_REDIRECT_MAP, sockets, 1), SKB_VERDICT), SKB_VERDICT)
    put(sockets, 0, source)
    other = create()
    put(sockets, 1, target)
    return sockets, other


def redirect_sent(source, target):
    """What `source` sends goes to `target` without TCP."""
    sockets = create()
    attach(sockets, load(SK_MSG, redirects(MSG_REDIRECT_MAP, sockets, 1), MSG_VERDICT), MSG_VERDICT)
    put(sockets, 0, source)
    put(sockets, 1, target)
    return sockets
