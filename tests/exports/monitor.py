# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The machine that exports events: lostpeer agent, journald, rsyslogd and Prometheus as Debian packages them, in a
network and a mount namespace of their own, with a private /run."""
import ctypes
import json
import os
import subprocess
import urllib.parse

from daemons import JOURNAL, Daemons
from server import program

JOURNALD = ("/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald")
MS_REC, MS_PRIVATE, CLONE_NEWNS = 0x4000, 0x40000, 0x20000

RSYSLOG = """\
global(workDirectory="{directory}/spool" maxMessageSize="8k")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
input(type="imuxsock" Socket="{socket}" CreatePath="on" UseSpecialParser="off" ParseHostname="on"
	UseSysTimeStamp="off" IgnoreTimestamp="off" ruleset="unix")
input(type="imudp" address="127.0.0.1" port="514" ruleset="udp")
template(name="message" type="list" option.jsonf="on") {{
	property(outname="pri" name="pri" format="jsonf")
	property(outname="timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
	property(outname="host" name="hostname" format="jsonf")
	property(outname="app" name="app-name" format="jsonf")
	property(outname="process" name="procid" format="jsonf")
	property(outname="id" name="msgid" format="jsonf")
	property(outname="data" name="structured-data" format="jsonf")
	property(outname="message" name="msg" format="jsonf")
	property(outname="raw" name="rawmsg" format="jsonf")
}}
ruleset(name="unix") {{ action(type="omfile" file="{directory}/unix.jsonl" template="message") }}
ruleset(name="udp") {{ action(type="omfile" file="{directory}/udp.jsonl" template="message") }}
"""

PROMETHEUS = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: lostpeer
    static_configs:
      - targets: ["127.0.0.1:9555"]
"""


def private_run():
    """In the worker: mounts that no other process sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    for result in (libc.unshare(CLONE_NEWNS), libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
                   libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None)):
        if result:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    for path in ("/run/log/journal", "/run/systemd/journald.conf.d"):
        os.makedirs(path)
    with open("/run/systemd/journald.conf.d/test.conf", "w") as f:
        f.write(JOURNAL)


class Monitor(Daemons):
    socket = "/run/rsyslog/lostpeer"
    stubborn = ("prometheus",)

    def __init__(self):
        super().__init__("monitor")
        self.host("import monitor; monitor.private_run(); netlink.up('lo')")

    # Its daemons.

    def start_journald(self):
        words = [path for path in JOURNALD if os.access(path, os.X_OK)]
        self.spawn("journald", words[0])
        self.wait("journald", lambda: self.host("os.path.exists('/run/systemd/journal/socket')"), "socket")

    def start_rsyslogd(self):
        os.makedirs(self.path("spool"), exist_ok=True)
        settings = self.write("rsyslog.conf", RSYSLOG.format(directory=self.directory, socket=self.socket))
        self.spawn("rsyslogd", program("rsyslogd"), "-n", "-f", settings, "-i", self.path("rsyslogd.pid"))
        self.wait("rsyslogd", lambda: self.host("os.path.exists(path)", path=self.socket), "socket")
        self.wait("rsyslogd", lambda: ":0202 " in self.host("open('/proc/net/udp').read()"), "port")

    def start_prometheus(self):
        settings = self.write("prometheus.yml", PROMETHEUS)
        self.spawn("prometheus", program("prometheus"), "--config.file=" + settings,
                   "--storage.tsdb.path=" + self.path("prometheus"), "--web.listen-address=127.0.0.1:9090")
        self.wait("prometheus", lambda: self.get("http://127.0.0.1:9090/-/ready"), "readiness")

    # Its data.

    def get(self, url):
        """The body, or "" if there is no answer."""
        return self.host("""import urllib.request
try:
    with urllib.request.urlopen(url, timeout=10) as answer: body = answer.read().decode()
except urllib.error.HTTPError as e:
    body = e.read().decode()
except OSError:
    body = ''
body""", url=url)

    def ask(self, expression):
        """Prometheus' answer, as JSON."""
        return self.get("http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression}))

    def query(self, expression):
        """Prometheus' answer, as a list of (labels, value)."""
        answer = self.ask(expression)
        if not answer:
            return []
        return [(each["metric"], float(each["value"][1])) for each in json.loads(answer)["data"]["result"]]

    def journalctl(self, *words):
        out = self.host("""subprocess.run(['journalctl', '--no-pager', '-D', '/run/log/journal', *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout""", words=words)
        return out
