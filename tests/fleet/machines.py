# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The machines of a small fleet: three hosts, each with a lostpeer agent, and the centre that collects their events.
Each machine has a private host name, network, /etc, /run and logs, so that the configurations of tools/fleet work
unchanged in the places that they name."""
import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess

import clock
import netlink
import network
import sockets
from daemons import JOURNAL, Daemons
from server import gone, program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLEET = os.path.join(ROOT, "tools", "fleet")
CENTRE = "logs.example.com"
HOSTS = ("north.example.com", "east.example.com", "west.example.com")
JOURNALD, UPLOAD, REMOTE = (("/usr/lib/systemd/systemd-" + name, "/lib/systemd/systemd-" + name)
                            for name in ("journald", "journal-upload", "journal-remote"))
EVENTS = "/var/log/lostpeer/events.jsonl"
COLLECTED = "/var/log/lostpeer-fleet/events.jsonl"

CLONE_NEWNS, CLONE_NEWUTS = 0x20000, 0x4000000
MS_REC, MS_MOVE, MS_PRIVATE = 0x4000, 0x2000, 0x40000
PRIVATE = ("/run", "/var/log", "/var/spool/rsyslog", "/var/lib/systemd", "/var/lib/clickhouse")

AGENT = """\
[file]
path = %s
all = yes
{netns}

[journal]
all = yes
{netns}
group = 0
rate = 0
""" % EVENTS


# The first message of a RELP session.
OFFER = b"relp_version=0\ncommands=syslog"
RELP = b"1 open %d %s\n" % (len(OFFER), OFFER)

# In a worker: send a message over TLS and read the answer, if any.
SAY = """import ssl
context = ssl.create_default_context(cafile='/etc/lostpeer/tls/ca.pem')
if card: context.load_cert_chain(card + '.pem', card + '.key')
answer = b''
try:
    with context.wrap_socket(socket.create_connection((name, port), 20), server_hostname=name) as s:
        s.sendall(said)
        while b'OK' not in answer:
            part = s.recv(4096)
            if not part: break
            answer += part
except OSError as e:
    answer += str(e).encode()
answer"""


def installed(paths):
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def seclude(name, directory):
    """In the worker: give the machine its private host name and directories."""
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result):
        if result:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    must(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS))
    must(libc.sethostname(name.encode(), len(name)))
    must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    # In memory, because it has keys in it.
    etc = os.path.join(directory, "etc").encode()
    os.mkdir(etc)
    must(libc.mount(b"tmpfs", etc, b"tmpfs", 0, b"mode=0755"))
    subprocess.run(["cp", "-a", "/etc/.", etc], check=True)
    must(libc.mount(etc, b"/etc", None, MS_MOVE, None))
    for path in filter(os.path.isdir, PRIVATE):
        must(libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, b"mode=0755"))
    for path in ("/run/log/journal", "/run/systemd/journald.conf.d", "/var/log/lostpeer", "/var/log/journal/remote",
                 "/var/lib/systemd/journal-upload", "/etc/lostpeer/tls"):
        os.makedirs(path, exist_ok=True)
    netlink.up("lo")


class Machine(Daemons):
    def __init__(self, name, number):
        self.name = name
        self.number = number
        super().__init__(name.split(".")[0])
        os.chmod(self.directory, 0o711)
        self.host("import machines; machines.seclude(name, directory)", name=name, directory=self.directory)
        self.put("/etc/machine-id", "%032x\n" % (0xf1ee7 << 64 | os.getpid() << 8 | number))

    def inside(self, path):
        """The path by which the test reaches a file of the machine."""
        return "/proc/%d/root%s" % (self.host.pid, path)

    def put(self, path, text, mode=0o644, group=None):
        where = self.inside(path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w") as f:
            f.write(text)
        os.chmod(where, mode)
        if group:
            shutil.chown(where, group=group)

    def install(self, source, path, *changes):
        """Install a file of tools/fleet, with changes."""
        with open(os.path.join(FLEET, source)) as f:
            text = f.read()
        for old, new in changes:
            assert old in text, "%s is not in %s" % (old, source)
            text = text.replace(old, new)
        self.put(path, text)

    def content(self, path):
        try:
            with open(self.inside(path), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def certify(self, directory, group=None):
        for name, source in (("ca.pem", "ca.pem"), ("cert.pem", self.name + ".pem"), ("key.pem", self.name + ".key")):
            with open(os.path.join(directory, source)) as f:
                self.put("/etc/lostpeer/tls/" + name, f.read(), 0o640 if name == "key.pem" else 0o644, group)

    def say(self, port, said, card):
        return self.host(SAY, port=port, said=said, card=card, name=CENTRE)

    def ended(self, name):
        return gone(self.daemons[name])

    def listens(self, port):
        return sockets.listens(self.host.pid, port)

    def start_rsyslogd(self):
        """As Debian configures it, except that it reads neither the kernel's log nor /dev/log."""
        with open("/etc/rsyslog.conf") as f:
            self.put("/etc/rsyslog.conf", re.sub(r'^module\(load="(imuxsock|imklog)".*$', "", f.read(), flags=re.M))
        self.spawn("rsyslogd", program("rsyslogd"), "-n", "-i", "/run/rsyslogd.pid")

    def start_as(self, name, user, groups, *words):
        self.spawn(name, program("setpriv"), "--reuid", str(user), "--regid", str(user), *groups, *words)

    def journalctl(self, directory, *words):
        return self.host("""subprocess.run(['journalctl', '--no-pager', '-D', directory, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout""", words=words,
                         directory=directory)


class Sender(Machine):
    """A host whose applications lose their peers."""

    def start(self, netns):
        self.put("/run/systemd/journald.conf.d/test.conf", JOURNAL)
        # As systemd's tmpfiles.d sets it: members of the group may read the files made here.
        shutil.chown(self.inside("/run/log/journal"), group="systemd-journal")
        os.chmod(self.inside("/run/log/journal"), 0o2755)
        self.spawn("journald", installed(JOURNALD))
        self.wait("journald", lambda: os.path.exists(self.inside("/run/systemd/journal/socket")), "socket")
        self.start_agent(AGENT.format(netns="\n".join("netns = %d" % inode for inode in netns)))

    def lines(self):
        """The lines that the agent has written, including the rotated file."""
        return b"".join(map(self.content, (EVENTS + ".1", EVENTS))).splitlines(keepends=True)

    def rotate(self):
        """Rotate the file as logrotate does."""
        os.rename(self.inside(EVENTS), self.inside(EVENTS + ".1"))
        os.kill(self.daemons["agent"], signal.SIGHUP)
        clock.wait(lambda: os.path.exists(self.inside(EVENTS)), "the next file")

    def ship_by_rsyslog(self):
        """Start rsyslogd with a queue so small that it uses the disk."""
        self.install("rsyslog/lostpeer-host.conf", "/etc/rsyslog.d/lostpeer.conf",
                     ('queue.size="10000"', 'queue.size="1000"'), ('highWatermark="2000"', 'highWatermark="40"'),
                     ('lowWatermark="1000"', 'lowWatermark="20"'))
        self.start_rsyslogd()

    def spooled(self):
        return glob.glob(self.inside("/var/spool/rsyslog/lostpeer.*"))

    def ship_by_journal(self):
        """As its unit does: under a user of its own that may read the journal."""
        self.install("journal/upload.conf", "/etc/systemd/journal-upload.conf.d/lostpeer.conf")
        shutil.chown(self.inside("/var/lib/systemd/journal-upload"), 65432)
        self.start_as("journal-upload", 65432, ("--groups", "systemd-journal"), installed(UPLOAD), "--save-state")


class Centre(Machine):
    def collect_by_rsyslog(self):
        self.install("rsyslog/lostpeer-centre.conf", "/etc/rsyslog.d/lostpeer.conf")
        self.start_rsyslogd()
        self.wait("rsyslogd", lambda: self.listens(2514), "port")

    def collect_by_journal(self):
        self.install("journal/remote.conf", "/etc/systemd/journal-remote.conf.d/lostpeer.conf")
        shutil.chown(self.inside("/var/log/journal/remote"), "systemd-journal-remote", "systemd-journal-remote")
        self.start_as("journal-remote", "systemd-journal-remote", ("--clear-groups",), program("systemd-socket-activate"),
                      "--listen=19532", installed(REMOTE), "--listen-https=-3", "--output=/var/log/journal/remote/")
        self.wait("journal-remote", lambda: self.listens(19532), "port")

    def lines(self):
        return self.content(COLLECTED).splitlines(keepends=True)


class Fleet:
    """All machines and the router that joins them."""

    def __init__(self):
        self.router = Daemons("router")
        self.centre = None
        self.senders = []

    def begin(self):
        self.router.host("netlink.up('lo'); sysctl('ipv4/ip_forward', 1)")
        self.centre = Centre(CENTRE, 10)
        for number, name in enumerate(HOSTS, 11):
            self.senders.append(Sender(name, number))
        made = os.path.join(self.router.directory, "tls")
        subprocess.run([os.path.join(FLEET, "certificate"), made, CENTRE, *HOSTS], check=True,
                       stdout=subprocess.DEVNULL)
        for machine in self.machines():
            network.link(machine.host, self.router.host, machine.number, far_name="to%d" % machine.number,
                         far_number=254)
            machine.host("netlink.default_route(gateway)", gateway=network.plain("ipv4", machine.number, 254))
            machine.put("/etc/hosts", "127.0.0.1 localhost\n" + "".join(
                "%s %s\n" % (network.plain("ipv4", other.number, 1), other.name) for other in self.machines()))
        for sender in self.senders:
            sender.certify(made, "systemd-journal")
        self.centre.certify(made, "systemd-journal-remote")

    def cards(self):
        """[(certificate, whether the centre must accept it)]"""
        def made(directory, name):
            where = os.path.join(self.router.directory, directory)
            if not os.path.exists(os.path.join(where, name + ".key")):
                subprocess.run([os.path.join(FLEET, "certificate"), where, name], check=True, stdout=subprocess.DEVNULL)
            return os.path.join(where, name)
        return ((made("tls", HOSTS[0]), True), (made("others", HOSTS[0]), False),
                (made("tls", "north.example.org"), False), (None, False))

    def machines(self):
        return [machine for machine in [self.centre, *self.senders] if machine]

    def end(self):
        for machine in self.machines():
            machine.end()
        self.router.end()


def missing():
    """The programs that this machine lacks for the test."""
    wanted = [name for name in ("rsyslogd", "journalctl", "clickhouse-server", "clickhouse-client", "openssl", "setpriv",
                                "ss", "systemd-socket-activate") if not program(name)]
    wanted += [os.path.basename(paths[0]) for paths in (JOURNALD, UPLOAD, REMOTE) if not installed(paths)]
    if not any(glob.glob(path + "/omrelp.so") for path in ("/usr/lib/*/rsyslog", "/usr/lib64/rsyslog")):
        wanted.append("rsyslog-relp")
    return wanted
