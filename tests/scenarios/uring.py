# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""connect and accept by io_uring, one operation at a time, without a library."""
import ctypes
import errno
import mmap
import os
import socket
import struct

IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER = 425, 426, 427
OFF_CQ_RING, OFF_SQES = 0x8000000, 0x10000000
ENTER_GETEVENTS = 1
REGISTER_FILES = 2
OP_ACCEPT, OP_CONNECT = 13, 16
ASYNC = 1 << 4

libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments):
    result = libc.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Ring:
    def __init__(self, entries=8):
        params = bytearray(120)
        raw = (ctypes.c_char * 120).from_buffer(params)
        self.fd = call(IO_URING_SETUP, entries, raw)
        count, completions = struct.unpack_from("=II", params, 0)
        self.sq_at = dict(zip(("head", "tail", "mask", "entries", "flags", "dropped", "array"),
                              struct.unpack_from("=7I", params, 40)))
        self.cq_at = dict(zip(("head", "tail", "mask", "entries", "overflow", "cqes"),
                              struct.unpack_from("=6I", params, 80)))
        self.sq = mmap.mmap(self.fd, self.sq_at["array"] + count * 4, mmap.MAP_SHARED, offset=0)
        self.cq = mmap.mmap(self.fd, self.cq_at["cqes"] + completions * 16, mmap.MAP_SHARED, offset=OFF_CQ_RING)
        self.sqes = mmap.mmap(self.fd, count * 64, mmap.MAP_SHARED, offset=OFF_SQES)

    def submit(self, opcode, fd, address, offset, flags=0):
        """Submit one entry and wait for its completion. Returns the result, or raises its OSError."""
        self.sqes[:64] = struct.pack("=BBHiQQ40x", opcode, flags, 0, fd, offset, address)
        tail = struct.unpack_from("=I", self.sq, self.sq_at["tail"])[0]
        mask = struct.unpack_from("=I", self.sq, self.sq_at["mask"])[0]
        struct.pack_into("=I", self.sq, self.sq_at["array"] + (tail & mask) * 4, 0)
        struct.pack_into("=I", self.sq, self.sq_at["tail"], tail + 1)
        while True:
            try:
                call(IO_URING_ENTER, self.fd, 1, 1, ENTER_GETEVENTS, None, 0)
                break
            except OSError as e:
                if e.errno != errno.EINTR:
                    raise
        head = struct.unpack_from("=I", self.cq, self.cq_at["head"])[0]
        mask = struct.unpack_from("=I", self.cq, self.cq_at["mask"])[0]
        result = struct.unpack_from("=i", self.cq, self.cq_at["cqes"] + (head & mask) * 16 + 8)[0]
        struct.pack_into("=I", self.cq, self.cq_at["head"], head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def register(self, descriptors):
        table = (ctypes.c_int * len(descriptors))(*descriptors)
        call(IO_URING_REGISTER, self.fd, REGISTER_FILES, table, len(descriptors))

    def accept(self, listener, flags=0):
        return self.submit(OP_ACCEPT, listener.fileno(), 0, 0, flags)

    def connect(self, s, sockaddr, flags=0):
        buffer = ctypes.create_string_buffer(sockaddr, len(sockaddr))
        return self.submit(OP_CONNECT, s.fileno(), ctypes.addressof(buffer), len(sockaddr), flags)


def sockaddr(family, address, port):
    if family == socket.AF_INET:
        return struct.pack("=H", family) + struct.pack("!H", port) + socket.inet_aton(address) + bytes(8)
    return (struct.pack("=H", family) + struct.pack("!HI", port, 0) + socket.inet_pton(socket.AF_INET6, address)
            + bytes(4))
