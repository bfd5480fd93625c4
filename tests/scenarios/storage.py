# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that the kernel uses: network disks and file systems. Only in a virtual machine, since they need modules."""
import ctypes
import errno
import fcntl
import glob
import os
import socket
import struct
import threading

GENERIC = 16
CONFIG = "/sys/kernel/config"
TARGET = CONFIG + "/nvmet"
SUBSYSTEM = TARGET + "/subsystems/lostpeer"
NVME_PORT = 4420

libc = ctypes.CDLL(None, use_errno=True)


def load(*modules):
    """Let the kernel load modules: it does so for the name of an interface that it does not have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for name in modules:
            try:
                fcntl.ioctl(s, 0x8913, struct.pack("16s16x", name.encode()))  # SIOCGIFFLAGS
            except OSError:
                pass


def mount(source, target, kind, options):
    """The name of the errno, or None."""
    os.makedirs(target, exist_ok=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return None


# NBD, by generic netlink.

def attribute(kind, data, nested=False):
    return struct.pack("=HH", 4 + len(data), kind | nested << 15) + data + bytes(-len(data) % 4)


def ask(family, command, attributes):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as s:
        s.bind((0, 0))
        body = struct.pack("=BBH", command, 1, 0) + attributes
        s.send(struct.pack("=IHHII", 16 + len(body), family, 5, 1, 0) + body)
        answer = b""
        while True:
            message = s.recv(65536)
            if struct.unpack_from("=H", message, 4)[0] == 2:
                code = -struct.unpack_from("=i", message, 16)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                return answer
            answer = answer or message


def family_of(name):
    message = ask(GENERIC, 3, attribute(2, name.encode() + b"\0"))
    at = 20
    while at < len(message):
        size, kind = struct.unpack_from("=HH", message, at)
        if kind == 1:
            return struct.unpack_from("=H", message, at + 4)[0]
        at += size + 3 & ~3
    raise OSError(errno.ENOENT, name)


def nbd_connect(descriptor):
    """/dev/nbd0 is what the server behind this connection has; the kernel keeps the socket."""
    sockets = attribute(7, attribute(1, attribute(1, struct.pack("=I", descriptor)), True), True)
    ask(family_of("nbd"), 1, attribute(1, struct.pack("=I", 0)) + attribute(2, struct.pack("=Q", 1 << 20)) +
        attribute(3, struct.pack("=Q", 512)) + attribute(5, struct.pack("=Q", 1)) + sockets)


def nbd_disconnect():
    ask(family_of("nbd"), 2, attribute(1, struct.pack("=I", 0)))


def nbd_serve(s):
    """Answer each request with zeros."""
    def serve():
        request = b""
        while True:
            try:
                part = s.recv(28 - len(request))
            except OSError:
                return
            if not part:
                return
            request += part
            if len(request) == 28:
                _, kind, handle, _, size = struct.unpack("!II8sQI", request)
                s.sendall(struct.pack("!II8s", 0x67446698, 0, handle) + (bytes(size) if kind == 0 else b""))
                request = b""
    threading.Thread(target=serve, daemon=True).start()


# NVMe over TCP: both ends are the kernel's.

def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def nvme_listen(address, v6):
    """A target with a disk without content. The process that links the port to the subsystem makes it listen."""
    load("nvmet", "nvmet-tcp", "nvme-fabrics", "nvme-tcp", "null_blk")
    if not os.path.isdir(TARGET):
        mount("configfs", CONFIG, "configfs", "")
    os.makedirs(SUBSYSTEM)
    write(SUBSYSTEM + "/attr_allow_any_host", "1")
    os.makedirs(SUBSYSTEM + "/namespaces/1")
    write(SUBSYSTEM + "/namespaces/1/device_path", "/dev/nullb0")
    write(SUBSYSTEM + "/namespaces/1/enable", "1")
    os.makedirs(TARGET + "/ports/1")
    for name, value in (("adrfam", "ipv6" if v6 else "ipv4"), ("trtype", "tcp"), ("trsvcid", str(NVME_PORT)),
                        ("traddr", address)):
        write(TARGET + "/ports/1/addr_" + name, value)
    os.symlink(SUBSYSTEM, TARGET + "/ports/1/subsystems/lostpeer")


def nvme_unlisten():
    os.unlink(TARGET + "/ports/1/subsystems/lostpeer")


def nvme_connect(address, port=NVME_PORT):
    write("/dev/nvme-fabrics", "nqn=lostpeer,transport=tcp,traddr=%s,trsvcid=%d,nr_io_queues=1,reconnect_delay=1,"
          "ctrl_loss_tmo=4,keep_alive_tmo=2" % (address, port))


def nvme_disconnect():
    for path in glob.glob("/sys/class/nvme/nvme*/delete_controller"):
        write(path, "1")


def nvme_clear():
    nvme_disconnect()
    if os.path.islink(TARGET + "/ports/1/subsystems/lostpeer"):
        nvme_unlisten()
    write(SUBSYSTEM + "/namespaces/1/enable", "0")
    for path in "/namespaces/1", "":
        os.rmdir(SUBSYSTEM + path)
    os.rmdir(TARGET + "/ports/1")
