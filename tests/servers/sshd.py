# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sshd: a listener that forks a process for each connection. A user's session is a child of that process, and both hold
the connection."""
import os
import shlex
import subprocess

import client
import server

CONFIGURATION = """\
ListenAddress {address}
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
"""
# A mount namespace with private accounts and a private /run/sshd, independent of the machine's.
HOUSE = """\
mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd &&
mount --bind {directory}/passwd /etc/passwd && mount --bind {directory}/shadow /etc/shadow &&
exec {sshd} -D -e -f {directory}/sshd.conf
"""
PATRON = 64999


class Sshd(server.Server):
    name = "sshd"
    port = 22
    user = "root"

    @classmethod
    def require(cls):
        server.require("sshd", "ssh", "ssh-keygen", "unshare")

    def prepare(self):
        words = ["sh", "-ec", "for key in host user; do ssh-keygen -q -t ed25519 -N '' -C '' -f %s/$key; done" %
                 shlex.quote(self.directory)]
        self.host.start("import server; server.spawn(words, None, log).wait()", words=words, log=self.log())

    def command(self):
        with open("/etc/passwd") as f:
            others = [line for line in f if not line.startswith(("root:", "patron:"))]
        self.write("passwd", "root:x:0:0::/:/bin/sh\npatron:x:%d:%d::/:/bin/sh\n" % (PATRON, PATRON) + "".join(others))
        self.write("shadow", "root:*:19000:0:99999:7:::\npatron:*:19000:0:99999:7:::\n", 0o600)
        os.chmod(self.path("user.pub"), 0o644)
        fill = {"directory": self.directory, "port": self.port, "address": self.address(),
                "sshd": server.program("sshd")}
        self.write("sshd.conf", CONFIGURATION.format(**fill))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", HOUSE.format(**fill)], None

    def connect(self):
        self.connections += 1
        return Ssh(self, "ssh-client")


class SshdUser(Sshd):
    name = "sshd-user"
    user = "patron"


class Ssh(client.Program):
    def connect(self):
        path = self.server.path("orders-%d" % self.server.connections)
        os.mkfifo(path)
        os.chmod(path, 0o666)
        # Opened for both directions, so that open() does not block. The session reads end of file when we end.
        self.orders = os.open(path, os.O_RDWR)
        remote = "echo ready; while read size; do head -c $size /dev/zero; done <%s" % shlex.quote(path)
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR",
                   "IdentitiesOnly=yes", "IdentityAgent=none", "Compression=no")
        words = ["ssh", "-F", "none", "-n", "-T", "-i", self.server.path("user"), "-l", self.server.user,
                 "-p", str(self.server.port)]
        for option in options:
            words += ["-o", option]
        self.host("import sshd; p = sshd.log_in(words, log)", words=words + [self.server.address(), remote],
                  log=self.server.log())
        return self.host("p.pid")

    def ask(self, size):
        os.write(self.orders, b"%d\n" % size)


def log_in(words, log):
    """In the client's host: start ssh and wait until it is logged in."""
    p = server.spawn(words, None, log, subprocess.PIPE)
    said = p.stdout.readline()
    if said != b"ready\n":
        raise RuntimeError("ssh ended with %s: %r" % (p.wait(), said))
    return p
