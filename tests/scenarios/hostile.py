# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Process and file names that could break a line, a JSON string or a terminal."""
import os
import pty
import re
import termios
import tty

from agent import read_until
from host import Process
from trial import OneOf, one_family, scenario

NAMES = [b'q"uo\\te', b"new\nline", b"cr\rtab\t", b"\x1b[31mred\x1b[0m", b"bell\x07\x08\x7f", b"\xff\xfe\xc3(bad",
         "gr\u00fc\u00dfe".encode(), b"cut\xe2\x82", b"\xc2\x9bCSI", b"over\xc0\xaflong", b'","a":"',
         b"\xed\xa0\x80sur", b"\xe2\x80\xaertl", b"\x01\x02\x1f", b" "]
SGR = re.compile(rb"\x1b\[[0-9;]*m")


def written(name):
    """The text expected for a name: the same if it is valid UTF-8, else with its bad bytes replaced or escaped."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return OneOf(*[name.decode("utf-8", how) for how in ("replace", "backslashreplace")], Legible(name))


class Legible:
    """Any text that keeps the name's ASCII characters in order."""

    def __init__(self, name):
        self.kept = bytes(byte for byte in name if 32 < byte < 127).decode()

    def __eq__(self, text):
        rest = iter(text or "")
        return all(letter in rest for letter in self.kept)

    def __repr__(self):
        return "(like %r)" % self.kept


def lose(t, client, server, name):
    """A connection whose client has that name and loses its peer."""
    c, s = t.connection(client, server)
    c("libc.prctl(15, name, 0, 0, 0)", name=name)
    s("linger(s); s.close()")
    c("reached(s, 'close')")
    return c, s


@one_family
def hostile_names(t):
    client, server = t.pair()
    for name in NAMES:
        c, s = lose(t, client, server, name)
        c.host.process.refresh()
        t.expect(s, "local_reset", "linger", "established")
        t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", extra={"process.name": written(name)})
        # The agent reads the name at the drop or soon after: do not change it before.
        t.settle()


@one_family
def hostile_executable(t):
    """A program and a directory with hostile names."""
    client, server = t.pair()
    c, s = t.connection(client, server)
    client("import tempfile, shutil; top = tempfile.mkdtemp().encode(); d = top + b'/d\\n\\x1b[2J\\xff\"'; os.mkdir(d)")
    client("program = d + b'/a\\nb\\xff\"c'; shutil.copy('/bin/sleep', program)")
    child = client.fork()
    child.start("os.dup2(s.fileno(), 0); os.execv(program, ['sleep', '300'])")
    client("s.close()")
    client("wait(lambda: os.readlink(b'/proc/%d/exe') == program, 'exec'); os.unlink(program)" % child.pid)
    client("os.rmdir(d); os.rmdir(top)")
    child.process = Process(child.pid)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    c.host = child
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET", via=OneOf("holder", "closer"),
             extra={"process.name": written(b'a\nb\xff"c'),
                    "process.executable.path": OneOf(None, Legible(client("program")))})
    client("ended(%d, %d)" % (c.local[1], c.peer[1]))


def on_terminal(t, environment):
    """The terminal output for losses of processes with hostile names."""
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    client, server = t.pair()
    for name, value in environment.items():
        os.environ[name] = value
    agent = t.agent(output=slave)
    os.close(slave)
    for name in NAMES:
        lose(t, client, server, name)
        t.settle()
    data = read_until(master, lambda data: data.count(b"\n") > 2 * len(NAMES))
    agent.stop()
    os.close(master)
    if agent.status != 0:
        raise AssertionError("exit status %r: %s" % (agent.status, agent.messages()))
    data = data[: data.rindex(b"\n") + 1]  # the last line may be cut within a sequence
    data.decode("utf-8")
    return data


def controls(data):
    return re.findall(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", data)


@scenario(families=("ipv4",), own=True, portable=True)
def terminal_colour(t):
    """Only newlines and colour sequences are control characters."""
    os.environ.pop("NO_COLOR", None)
    data = on_terminal(t, {"TERM": "xterm-256color"})
    found = controls(SGR.sub(b"", data))
    assert not found, "control characters on the terminal: %r" % found
    assert data.count(b"\n") >= 2 * len(NAMES), "one line an event: %r" % data[:400]


@scenario(families=("ipv4",), own=True, portable=True)
def terminal_without_colour(t):
    data = on_terminal(t, {"TERM": "xterm-256color", "NO_COLOR": "1"})
    found = controls(data)
    assert not found, "control characters on the terminal: %r" % found


@scenario(families=("ipv4",), own=True, portable=True)
def text_to_file(t):
    """In a file there is no colour, and each event is exactly one line."""
    client, server = t.pair()
    agent = t.agent("--netns", str(client.netns))
    for name in NAMES:
        lose(t, client, server, name)
        t.settle()
    t.finish()
    agent.stop()
    data = agent.written()
    data.decode("utf-8")
    found = controls(data)
    assert not found, "control characters in the file: %r" % found
    lines = [line for line in data.splitlines() if client("plain(HERE)").encode() in line]
    assert len(lines) == len(NAMES), "%d lines for %d events: %r" % (len(lines), len(NAMES), data[:400])
