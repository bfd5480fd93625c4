# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The echo server and client of the Python socket documentation, port 50007, as separate programs."""
import signal

from host import Process
from trial import End, OneOf, one_family

SERVER = """
import socket
HOST = ''
PORT = 50007
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((HOST, PORT))
    s.listen(1)
    conn, addr = s.accept()
    with conn:
        print(addr[1], flush=True)
        while True:
            data = conn.recv(1024)
            if not data: break
            conn.sendall(data)
"""
CLIENT = """
import socket
HOST = %r
PORT = 50007
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.connect((HOST, PORT))
    s.sendall(b'Hello, world')
    data = s.recv(1024)
print('Received', repr(data))
"""
# The same, but it sends a line for every line on its standard input.
TALKER = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.connect((%r, 50007))
    for line in sys.stdin:
        s.sendall(b'Hello, world')
        print('Received', repr(s.recv(1024)), flush=True)
"""
START = ("p = subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, "
         "stderr=subprocess.PIPE, universal_newlines=True); p.pid")
# Unacknowledged and unread bytes of each established connection with that port.
QUEUES = ("[tuple(int(n, 16) for n in l.split()[4].split(':')) for l in open('/proc/net/tcp')"
          " if ':%04X ' in l and ' 01 ' in l]")


class Program(End):
    """An end that is a program: the host runs it, and its process is the owner."""

    def __init__(self, host, role, pid):
        self.process = Process(pid)
        super().__init__(host, role, local=None, peer=None)

    def wait_for_stderr(self):
        """Wait until the program ends; returns its standard error."""
        return self.host("p.communicate(timeout=30 * 20)[1]")


def started(t, program=CLIENT):
    """Server and client, with the client's first SYN held on the wire."""
    client, server, wire = t.wired()
    pid = server(START, program=SERVER)
    server("wait(lambda: ':C357 00000000:0000 0A' in open('/proc/net/tcp').read(), 'the listener')")
    s = Program(server, "server", pid)
    wire("w.set('hold', 'left')")
    pid = client(START, program=program % server("HERE"))
    wire("w.holding(1, 'left')")
    c = Program(client, "client", pid)
    return c, s, wire


def learn_addresses(c, s):
    """Both ends' addresses, from the port that the server prints when it accepts."""
    port = int(s.host("p.stdout.readline()"))
    c.local, c.peer = (c.host("HERE"), port), (s.host("HERE"), 50007)
    s.local, s.peer = c.peer, c.local


def expect(t, end, event, cause, phase, **fields):
    t.expect(end, event, cause, phase, process=end.process, **fields)


@one_family
def echo_close(t):
    c, s, wire = started(t)
    wire("w.release()")
    learn_addresses(c, s)
    t.premise(c.wait_for_stderr() == "" and s.wait_for_stderr() == "", "no errors")
    c.ended()
    s.ended()
    expect(t, c, "local_closed", "close", "orphaned")
    expect(t, s, "peer_closed", "fin", "established", via=OneOf("accept", "closer", "holder"))


@one_family
def echo_timeout_of_client(t):
    """All data from the client is lost; the server waits and notices nothing."""
    c, s, wire = started(t)
    c("sysctls(retries2=1)")
    wire("w.on_data('left'); w.release()")
    learn_addresses(c, s)
    t.premise("TimeoutError: [Errno 110]" in c.wait_for_stderr(), "the client gets ETIMEDOUT")
    expect(t, c, "peer_lost", "retransmit_timeout", "established", error="ETIMEDOUT", unacked=12)
    t.premise(s.host("p.poll()") is None, "the server waits")


@one_family
def echo_timeout_of_server(t):
    """The echo is lost. The client's data may be unacknowledged too: ask its host."""
    c, s, wire = started(t)
    s.host("sysctls(retries2=1)")
    wire("w.on_data('right'); w.release()")
    learn_addresses(c, s)
    wire("w.trapped()")
    outstanding = c.host(QUEUES % 50007)[0][0]
    c.host("sysctls(retries2=1)")
    t.premise("TimeoutError: [Errno 110]" in s.wait_for_stderr(), "the server gets ETIMEDOUT")
    expect(t, s, "peer_lost", "retransmit_timeout", "established", error="ETIMEDOUT", unacked=12)
    if outstanding:
        t.premise("TimeoutError: [Errno 110]" in c.wait_for_stderr(), "the client gets ETIMEDOUT")
        expect(t, c, "peer_lost", "retransmit_timeout", "established", error="ETIMEDOUT", unacked=12)


@one_family
def echo_reset(t):
    """The client is killed with unread data."""
    c, s, wire = started(t)
    wire("w.on_data('right', 'hold'); w.release()")
    learn_addresses(c, s)
    wire("w.trapped()")
    c.host("os.kill(p.pid, %d)" % signal.SIGSTOP)
    c.host("wait(lambda: open('/proc/%d/stat' % p.pid).read().split()[2] == 'T', 'a stopped client')")
    wire("w.release()")
    c.host("wait(lambda: " + QUEUES % 50007 + "[0][1] == 12, 'the answer')")
    c.host("p.kill()")
    c.wait_for_stderr()
    expect(t, c, "local_reset", "unread_data", "established", unread=12, exiting="SIGKILL")
    t.premise("ConnectionResetError: [Errno 104]" in s.wait_for_stderr(), "the server gets ECONNRESET")
    expect(t, s, "peer_lost", "reset", "established", error="ECONNRESET",
           via=OneOf("accept", "closer", "holder"))


@one_family
def echo_write_after_close(t):
    """The server is killed while idle. The client writes twice and gets EPIPE."""
    c, s, wire = started(t, TALKER)
    wire("w.release()")
    learn_addresses(c, s)
    c.host("p.stdin.write('\\n'); p.stdin.flush()")
    t.premise("Received b'Hello, world'" in c.host("p.stdout.readline()"), "the echo")
    s.host("p.kill()")
    s.wait_for_stderr()
    expect(t, s, "local_closed", "close", "orphaned", exiting="SIGKILL")
    c.comes_to("close_wait")
    expect(t, c, "peer_closed", "fin", "established")
    t.settle()
    c.host("p.stdin.write('\\n'); p.stdin.flush()")
    c.ended()
    c.host("p.stdin.write('\\n'); p.stdin.flush()")
    t.premise("BrokenPipeError: [Errno 32]" in c.wait_for_stderr(), "the client gets EPIPE")
    expect(t, c, "peer_lost", "reset", "half_closed", error="EPIPE", unacked=12,
           via=OneOf("connect", "closer", "holder"))
    t.late(s, state="time_wait", process=s.process, exiting="SIGKILL")
