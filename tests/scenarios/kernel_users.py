# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that the kernel uses: no process is their owner, whichever made them or runs when they end."""
import json
import os

import clock
from check_run import Check
from trial import VM, scenario

kernels = scenario(families=("ipv4", "ipv6"), alone=True, everywhere=True)
kernel = scenario(families=("ipv4",), alone=True, everywhere=True)
NFS = ("addr=%s,vers=3,proto=tcp,port=2049,mountport=2049,mountproto=tcp,mountaddr=%s,timeo=20,retrans=1,soft,nolock")
CIFS = "ip=%s,unc=\\\\%s\\x,username=u,password=p,vers=3.0,sec=ntlmssp"


def machine(t, *modules, needs=None):
    if not VM:
        t.skip("takes kernel modules: only in a virtual machine")
    client, server = t.pair()
    for host in client, server:
        host("import storage")
    client("storage.load(*modules)", modules=modules)
    if needs:
        try:
            client("wait(lambda: os.path.exists(path), path, 5)", path=needs)
        except Exception:
            t.skip("no %s in this kernel" % modules[0])
    return client, server


def own_events(t, agent, port):
    spaces = t.namespaces()
    events = [json.loads(line) for line in agent.written().split(b"\n")[:-1]]
    return [event for event in events if event.get("network.netns") in spaces
            and port in (event["network.local.port"], event["network.peer.port"])]


def is_kernels(event):
    return (event.get("owner.unknown") == "kernel" and "owner.via" not in event and "owner.holders" not in event
            and not any(name.startswith("process.") for name in event))


def judge(t, agent, port, least, of_process=None, settle=1):
    """All events of that port are of the kernel's ends, but for those of the process of_process, which serves. Neither
    end has the kernel's as a peer with a process."""
    clock.wait(lambda: len(own_events(t, agent, port)) >= least, "%d events" % least, 10)
    t.settle()
    t.until = clock.now()
    agent.stop()
    events = own_events(t, agent, port)
    served = [event for event in events if of_process and event["network.local.port"] == port]
    wrong = [event for event in events if not is_kernels(event) and event not in served]
    wrong += [event for event in served if event.get("process.pid") != of_process.pid or "peer.process.pid" in event]
    wrong += [event for event in events if event not in served
              and event.get("peer.process.pid", of_process and of_process.pid) != (of_process and of_process.pid)]
    assert not wrong, "%d of %d: %s" % (len(wrong), len(events), wrong[0])
    assert len(events) - len(served) >= 1, events
    return events


def looked(t, host, port, n):
    rows = [row for row in Check("--netns", str(host.netns), "--port", str(port)).rows]
    assert len(rows) == n and all(map(is_kernels, rows)), rows


def nbd(t):
    """A process connects and leaves the socket to the kernel."""
    client, server = machine(t, "nbd", needs="/dev/nbd0")
    t.cleanups.append(lambda: client.error("storage.nbd_disconnect()"))
    worker = t.beside(client, "nbd-client")
    worker("import storage")
    server("l = listen()")
    port = server("l.getsockname()[1]")
    worker("s = tcp(); s.connect(target)", target=server("HERE, l.getsockname()[1]"))
    server("s = l.accept()[0]; storage.nbd_serve(s)")
    if worker.error("storage.family_of('nbd')"):
        t.skip("no nbd by netlink in this kernel")
    worker("storage.nbd_connect(s.fileno())")
    worker.kill()
    looked(t, client, port, 1)
    return client, server, port


@kernels
def kernel_nbd_server_dies(t):
    agent = t.agent("--json", "--all") if VM else None
    client, server, port = nbd(t)
    server.kill()
    judge(t, agent, port, 2, server)


@kernel
def kernel_nbd_disconnected(t):
    """Another process disconnects the disk: it never had the socket."""
    agent = t.agent("--json", "--all") if VM else None
    client, server, port = nbd(t)
    other = t.beside(client, "disconnector")
    other("import storage; storage.nbd_disconnect()")
    judge(t, agent, port, 2, server)


@kernel
def kernel_nbd_before_agent(t):
    client, server, port = nbd(t)
    agent = t.agent("--json", "--all")
    server.kill()
    judge(t, agent, port, 2, server)


def mount(t, kind, port, options, refused):
    """A fake server, which resets each connection after the first bytes, or none."""
    agent = t.agent("--json", "--all") if VM else None
    client, server = machine(t, kind)
    with open("/proc/filesystems") as f:
        if kind not in f.read().split():
            t.skip("no %s in this kernel" % kind)
    if not refused:
        server("l = listen(port=port)\n"
               "def serve():\n while True:\n  s = l.accept()[0]; s.recv(4); linger(s); s.close()\n"
               "threading.Thread(target=serve, daemon=True).start()", port=port)
    here = server("HERE")
    export = "//%s/x" % here if kind == "cifs" else "%s:/" % here
    mounter = t.beside(client, "mount")
    mounter("import storage")
    mounter.start("storage.mount(export, '/run/lostpeer-mount', kind, options)", export=export, kind=kind,
                  options=options.replace("%s", here))
    judge(t, agent, port, 1 if refused else 2, None if refused else server)


@kernel
def kernel_nfs_refused(t):
    mount(t, "nfs", 2049, NFS, True)


@kernel
def kernel_nfs_reset(t):
    mount(t, "nfs", 2049, NFS, False)


@kernel
def kernel_cifs_refused(t):
    mount(t, "cifs", 445, CIFS, True)


@kernel
def kernel_cifs_reset(t):
    mount(t, "cifs", 445, CIFS, False)


def nvme(t):
    client, server = machine(t, "nvmet", "nvmet-tcp", "nvme-fabrics", "nvme-tcp", "null_blk", needs="/dev/nvme-fabrics")
    if not os.path.exists("/dev/nullb0"):
        t.skip("no null_blk in this kernel")
    server("storage.nvme_listen(HERE, AF == socket.AF_INET6)")
    t.cleanups.append(lambda: server.error("storage.nvme_clear()"))
    return client, server


def nvme_ends(t, client, server, agent, end):
    """The administrator ends the connections, in the context of the process that gives the command."""
    looked(t, client, 4420, 2)
    looked(t, server, 4420, 2)
    end()
    clock.wait(lambda: len(own_events(t, agent, 4420)) >= 3, "the events of that end", 10)
    client("storage.nvme_disconnect()")
    judge(t, agent, 4420, 3)


@kernels
def kernel_nvme_killed(t):
    agent = t.agent("--json", "--all") if VM else None
    client, server = nvme(t)
    client("storage.nvme_connect(THERE)")
    nvme_ends(t, client, server, agent, lambda: client("kill_sockets('dport = :4420')"))


@kernel
def kernel_nvme_unlisted(t):
    """A process takes the target out of configfs."""
    agent = t.agent("--json", "--all") if VM else None
    client, server = nvme(t)
    client("storage.nvme_connect(THERE)")
    nvme_ends(t, client, server, agent, lambda: server("storage.nvme_unlisten()"))


@kernel
def kernel_nvme_before_agent(t):
    client, server = nvme(t)
    client("storage.nvme_connect(THERE)")
    nvme_ends(t, client, server, t.agent("--json", "--all"), lambda: client("kill_sockets('dport = :4420')"))


@kernel
def kernel_nvme_unlisted_before_agent(t):
    """The agent never saw the listener, and a process takes the target out of configfs."""
    client, server = nvme(t)
    client("storage.nvme_connect(THERE)")
    nvme_ends(t, client, server, t.agent("--json", "--all"), lambda: server("storage.nvme_unlisten()"))


@kernel
def kernel_nvme_refused(t):
    agent = t.agent("--json", "--all") if VM else None
    client, _ = machine(t, "nvme-fabrics", "nvme-tcp", needs="/dev/nvme-fabrics")
    client.error("storage.nvme_connect(THERE, 4421)")
    judge(t, agent, 4421, 1)


@kernel
def kernel_rds(t):
    """RDS over TCP: the kernel listens, connects and accepts, in its own threads."""
    agent = t.agent("--json", "--all") if VM else None
    client, server = machine(t, "rds", "rds_tcp")
    for host in client, server:
        if host.error("r = socket.socket(21, socket.SOCK_SEQPACKET); a = struct.pack('=H', 2) + struct.pack('!H', 7000)"):
            t.skip("no RDS in this kernel")
        host("at = lambda where: struct.pack('=H', 2) + struct.pack('!H', 7000) + socket.inet_aton(where) + bytes(8)\n"
             "assert not libc.bind(r.fileno(), at(HERE), 16), ctypes.get_errno()")
    client("assert libc.sendto(r.fileno(), b'x', 1, 0, at(THERE), 16) == 1, ctypes.get_errno()")
    server("assert libc.recv(r.fileno(), ctypes.create_string_buffer(9), 9, 0) == 1")
    looked(t, client, 16385, client("len([1 for line in open('/proc/net/tcp') if ':4001 01 ' in line])"))
    client("kill_sockets('dport = :16385')")
    judge(t, agent, 16385, 2)
