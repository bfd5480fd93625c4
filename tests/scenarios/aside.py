# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Data that a sockmap or kernel TLS holds beside TCP's queues: counted, or left out, and never 0."""
from check_run import Check, checked
from trial import VM, Absent, End, OneOf, one_family, scenario

SIZE = 5000
TLS = ("ULP, TLS_TX, TLS_RX, SOL_TLS = 31, 1, 2, 282\n"
       "KEYS = struct.pack('=HH', 0x303, 51) + b'i' * 8 + b'k' * 16 + b's' * 4 + bytes(8)\n"
       "def tls(s):\n option(s, ULP, b'tls')\n"
       " for way in TLS_TX, TLS_RX: s.setsockopt(SOL_TLS, way, KEYS)")
LEFT_OUT = {"data.unread_bytes": Absent()}


def connected(t, host, c="c", a="a"):
    """Both ends of a connection in one process, since a sockmap takes its descriptors."""
    host("%s = tcp(); %s.connect(target); %s = l.accept()[0]" % (c, c, a), target=host("HERE, l.getsockname()[1]"))
    return End(host, "client", c), End(host, "server", a)


def mapped(t, how):
    host = t.loopback()
    host("import sockmap; l = listen()")
    ends = connected(t, host)
    error = host.error(how)
    if error:
        t.skip("no such sockmap here: %s" % error)
    host("c.send(bytes(size))", size=SIZE)
    host("wait(lambda: select.select([a], [], [], 0)[0], 'the data')")
    return host, *ends


def closed(t, host, c, a, unread):
    """The server's end closes with what the sockmap holds: that is thrown away, and TCP sends a FIN all the same."""
    host("a.close(); reached(c, 'close_wait'); c.close()")
    t.expect(c, "peer_closed", "fin", "established", extra={"data.unread_bytes": OneOf(None, 0)})
    a.ended()
    t.expect(a, "local_closed", "close", "orphaned", extra={"data.unread_bytes": unread},
             severity="info")


def reset(t, host, c, a, unread):
    host("linger(c); c.close(); reached(a, 'close')")
    t.expect(c, "local_reset", "linger", "established", extra={"data.unread_bytes": OneOf(None, 0)})
    t.expect(a, "peer_lost", "reset", "established", error="ECONNRESET", extra={"data.unread_bytes": unread})


REDIRECTED = "kept = sockmap.redirect_sent(c, a)"
PASSED = "kept = sockmap.verdict(a)"
PARSED = "kept = sockmap.verdict(a, sockmap.whole_segment())"


@scenario()
def sockmap_redirected_closed(t):
    """What went past TCP was never in its queue, and at the close the sockmap has forgotten it."""
    closed(t, *mapped(t, REDIRECTED), Absent())


@scenario()
def sockmap_redirected_reset(t):
    reset(t, *mapped(t, REDIRECTED), SIZE)


@one_family
def sockmap_passed_reset(t):
    reset(t, *mapped(t, PASSED), OneOf(None, SIZE))


@one_family
def sockmap_parsed_reset(t):
    reset(t, *mapped(t, PARSED), OneOf(None, SIZE))


@one_family
def sockmap_parsed_closed(t):
    closed(t, *mapped(t, PARSED), OneOf(None, SIZE))


@one_family
def sockmap_received_elsewhere(t):
    """What one connection receives goes to another, which is reset."""
    host = t.loopback()
    host("import sockmap; l = listen()")
    connected(t, host, "d", "b")
    c, a = connected(t, host)
    error = host.error("kept = sockmap.redirect_received(b, a)")
    if error:
        t.skip("no such sockmap here: %s" % error)
    host("d.send(bytes(size)); wait(lambda: select.select([a], [], [], 0)[0], 'the data')", size=SIZE)
    reset(t, host, c, a, OneOf(None, SIZE))


@checked
def check_sockmap(t):
    host, c, a = mapped(t, REDIRECTED)
    row = Check("--netns", str(host.netns)).one(a)
    assert row["data.unread_bytes"] == SIZE, row
    assert len(host("a.recv(1000)")) == 1000
    row = Check("--netns", str(host.netns)).one(a)
    assert row["data.unread_bytes"] == SIZE - 1000, row


def encrypted(t):
    client, server = t.pair()
    for host in client, server:
        if VM:
            host("import storage; storage.load('tls')")
        host(TLS)
    c, s = t.connection(client, server)
    for end in c, s:
        error = end.error("tls(s)")
        if error:
            t.skip("no kernel TLS here: %s" % error)
    c("for _ in range(3): s.send(b'A' * 4000)")
    s("wait(lambda: queued(s) == 0 and unread(s) > 12000 or unread(s), 'the records')")
    c("wait(lambda: queued(s) == 0)")
    return client, server, c, s


@scenario(families=("ipv4", "ipv6"))
def tls_partly_read_closed(t):
    """Of the first record the application has read a part; the rest is decrypted, out of TCP's queue."""
    client, server, c, s = encrypted(t)
    s("s.recv(1000); s.close()")
    c.ended()
    t.expect(s, "local_reset", "unread_data", "established", severity="warning", extra=LEFT_OUT)
    t.expect(c, "peer_lost", "reset", "established", error="ECONNRESET")


@one_family
def tls_unread_reset(t):
    client, server, c, s = encrypted(t)
    wanted = s("unread(s)")
    c("linger(s); s.close()")
    t.expect(c, "local_reset", "linger", "established")
    s("wait(lambda: state(s) == 'close')")
    t.expect(s, "peer_lost", "reset", "established", error="ECONNRESET",
             extra={"data.unread_bytes": OneOf(None, wanted) if wanted > 12000 else Absent()})
