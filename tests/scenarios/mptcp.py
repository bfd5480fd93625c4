# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Multipath TCP: events are about the TCP subflows, and leave out unknown facts instead of guessing."""
from expect import Truth
from trial import End, Maybe, OneOf, scenario


def available(t):
    client, server = t.pair()
    if client.error("tcp(IPPROTO_MPTCP).close()"):
        t.skip("no MPTCP in this kernel")
    return client, server


def subflow(t, end, event, cause, optional=False, mptcp=True, **fields):
    """A truth about a subflow: its event is certain; every other field is right or absent."""
    who = end.host.process
    wanted = {"event": event, "cause": cause, "network.netns": end.host.netns, "tcp.mptcp": mptcp,
              "role": Maybe(end.role), "process.pid": Maybe(who.pid), "process.name": Maybe(who.name.decode())}
    wanted.update(t.ends_fields(end))
    wanted.update({name.replace("_", ".", 1): value for name, value in fields.items()})
    t.truths.append(Truth(wanted, optional))


@scenario()
def mptcp_refused(t):
    client, server = available(t)
    port = server("l = bound(); l.getsockname()[1]")
    client("s = bound(IPPROTO_MPTCP)")
    c = End(client, "client")
    c.peer = (server("plain(HERE)"), port)
    error = client.error("s.connect((THERE, port))", port=port)
    t.premise(error == "ECONNREFUSED", error)
    subflow(t, c, "connect_failed", "refused", mptcp=OneOf(True, None), error_type=Maybe(error))


@scenario()
def mptcp_close(t):
    """The kernel closes both ends of the subflow, in either order; only orderly ends are true."""
    c, s = t.connection(*available(t), protocol=262)
    c("s.send(b'hello')")
    s("s.recv(5); s.close()")
    c("s.recv(1); s.close()")
    for end in (c, s):
        end.ended()
        for event, cause in (("local_closed", "close"), ("peer_closed", "fin")):
            subflow(t, end, event, cause, optional=True)


@scenario()
def mptcp_reset(t):
    """Closed with unread data: the server sends a RST on the subflow."""
    c, s = t.connection(*available(t), protocol=262)
    c("rst = capture(); s.send(bytes(400))")
    s("wait(lambda: unread(s) == 400); s.close()")
    c("wait(lambda: 'in' in resets(rst), 'the RST')")
    c.ended()
    s.ended()
    subflow(t, c, "peer_lost", "reset")
    subflow(t, s, "local_reset", OneOf("unread_data", "disconnect", "linger"), optional=True)


@scenario()
def mptcp_timeout(t):
    client, server = available(t)
    client("sysctls(retries2=1)")
    c, s = t.connection(client, server, protocol=262)
    server("nft('input meta l4proto tcp drop')")
    c("s.send(bytes(5000))")
    c.ended()
    subflow(t, c, "peer_lost", "retransmit_timeout", data_unacked_bytes=5000)


@scenario()
def mptcp_fallback(t):
    """The server has no MPTCP, so the connection falls back to plain TCP."""
    client, server = available(t)
    t.listen(server)
    c = t.connect(client, server, 262)
    s = t.accept(server)
    s("linger(s); s.close()")
    t.expect(s, "local_reset", "linger", "established")
    c.ended()
    subflow(t, c, "peer_lost", "reset", mptcp=OneOf(True, None))
