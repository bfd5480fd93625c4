# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Segments that a host drops for their TCP signature (MD5, AO): by a listener, and of a connection. The kernel's own
counters, the errors and the keys are the truth."""
import json

import clock
import contract
from connect import doubt
from early import COUNTED, counted, of, wait_for, watch
from trial import KERNEL, Absent, AtLeast, End, Maybe, Skip, judge, own, scenario

SHOWN = KERNEL >= (6, 11)
COUNTERS = {"wrong": "TCPMD5Failure", "missing": "TCPMD5NotFound", "unexpected": "TCPMD5Unexpected"}
signed = scenario(own=True)
one = scenario(families=("ipv4",), own=True)

# key: MD5 for this peer, or a whole prefix; "" takes it away. ao: the same with AO.
KEYS = '''
def peer_of(address):
    raw = socket.inet_pton(AF, address)
    return struct.pack("=HH", AF, 0) + (b"" if AF == socket.AF_INET else bytes(4)) + raw
def key(s, address, secret, prefix=None):
    option(s, 14 if prefix is None else 32, struct.pack("=128sBBHi80s", peer_of(address), prefix is not None, prefix or 0,
                                                        len(secret), 0, secret.encode()))
def ao(s, address, secret, number=100):
    bits = 32 if AF == socket.AF_INET else 128
    option(s, 38, struct.pack("=128s64siIHBBBBBB80s", peer_of(address), b"hmac(sha1)", 0, 0, 0, bits, number, number, 0, 0,
                              len(secret), secret.encode()))
'''


def pair(t):
    client, server = t.pair()
    for host in client, server:
        host(KEYS)
    try:
        server("key(tcp(), THERE, 'probe')")
    except Exception as e:
        raise Skip("no TCP_MD5SIG here: %s" % e)
    client("sysctls(retries2=1)")
    return client, server


def extra(fault, by):
    return {"signature.fault": fault if SHOWN else Absent(), "signature.dropped_by": by if SHOWN else Absent()}


def expect_timeout(t, c, event, cause, phase, fault, by, **fields):
    """The end of a connection, by whoever dropped the segments where this kernel shows it."""
    more = dict(extra(fault, by), **fields.pop("extra", {}))
    t.expect(c, event, cause, phase, by=by if SHOWN else None, error=c.error(), extra=more, **fields)


def attempt(client, server, own_key=""):
    """A connect with three SYNs at most; its error is not waited for."""
    client("s = bound(); option(s, TCP_SYNCNT, 1)")
    if own_key:
        client("key(s, THERE, %r)" % own_key)
    client("begin(SERVER, s)", SERVER=server("HERE, l.getsockname()[1]"))


def check_listener(t, agent, server, fault, count, peer, least=1):
    """The listener's events tell each drop of the first burst once, and no other fault."""
    events = [e for e in agent.events if e["network.netns"] == server.netns]
    reported = of(events, "accept_dropped")
    problems = agent.faults() + [fault for event in events for fault in contract.faults(event)]
    if not SHOWN:
        assert not reported and not problems, (reported, problems)
        return
    assert reported, "no event"
    for event in reported:
        wanted = {"cause": "bad_signature", "by": "local", "phase": "connecting", "severity": "warning",
                  "process.pid": server.pid, "owner.via": "listener", "network.connection.state": "listen",
                  "network.local.port": server("l.getsockname()[1]"), "network.peer.port": None,
                  "network.peer.address": peer, "signature.fault": fault,
                  "signature.dropped_by": "local" if fault else None}
        problems += ["%s is %r, not %r" % (name, event.get(name), value) for name, value in wanted.items()
                     if event.get(name) != value]
    told = sum(e["repeat.count"] for e in reported)
    if not least <= told <= count:
        problems.append("%d are told in %d events, and the kernel counts %d" % (told, len(reported), count))
    t.matrix.seen.add("accept_dropped/bad_signature")
    assert not problems, "\n".join(problems)


def refused_by_listener(t, fault, listener_key, own_key):
    """A listener drops each SYN: it tells so, and the attempt, which times out, says who dropped it and why."""
    client, server = pair(t)
    agent = watch(t)
    server("l = listen()")
    if listener_key:
        server("key(l, THERE, %r)" % listener_key)
    before = counted(server, COUNTERS[fault])
    attempt(client, server, own_key)
    c = t.end(client, server("plain(HERE), l.getsockname()[1]"))
    if SHOWN:
        wait_for(agent, server, "accept_dropped")
    expect_timeout(t, c, "connect_failed", "timeout", "connecting", fault, "peer")
    t.premise(counted(server, COUNTERS[fault]) > before, "the kernel counts %s" % COUNTERS[fault])
    compare(t, agent, [client])
    check_listener(t, agent, server, fault, counted(server, COUNTERS[fault]) - before, client("plain(HERE)"))


def compare(t, agent, hosts):
    """The events of these hosts against the truths; what listeners tell is checked elsewhere."""
    t.finish()
    agent.stop()
    namespaces = {host.netns: (host.addresses, host.since) for host in hosts}
    problems = agent.faults() + judge(t.truths, own(agent.events, namespaces, t.until), t.matrix)
    assert not problems, "\n".join(problems)


@signed
def signature_wrong(t):
    refused_by_listener(t, "wrong", "secret", "other")


@signed
def signature_missing(t):
    refused_by_listener(t, "missing", "secret", "")


@signed
def signature_unexpected(t):
    refused_by_listener(t, "unexpected", "", "secret")


@signed
def signature_wrong_and_given_up(t):
    """The application's own limit comes first: that it gave up is its own doing, and why nobody answered is told."""
    client, server = pair(t)
    agent = watch(t, "--event", "connect_failed")
    server("l = listen(); key(l, THERE, 'secret')")
    attempt(client, server, "other")
    c = t.end(client, server("plain(HERE), l.getsockname()[1]"))
    client("wait(lambda: retransmits(s) > 0, 'the second SYN')")
    client("s.close()")
    t.expect(c, "connect_failed", "abandoned", "connecting", ambiguous=doubt(t, True), extra=extra("wrong", "peer"))
    compare(t, agent, [client])


def session(t):
    """An established connection that both ends sign."""
    client, server = pair(t)
    server("l = listen(); key(l, THERE, 'secret')")
    client("s = bound(); key(s, THERE, 'secret'); s.connect(SERVER)", SERVER=server("HERE, l.getsockname()[1]"))
    c, s = End(client, "client"), t.accept(server)
    c("s.send(b'signed')")
    s("wait(lambda: unread(s) == 6, 'the data'); s.recv(6)")
    c("wait(lambda: queued(s) == 0, 'the acknowledgement')")
    return c, s


@signed
def signature_changed(t):
    """The key of one end is changed under the connection: that end drops what comes, and the other one times out."""
    agent = watch(t)
    c, s = session(t)
    before = counted(s, "TCPMD5Failure")
    s("key(s, THERE, 'changed')")
    c("s.send(bytes(19))")
    expect_timeout(t, c, "peer_lost", "retransmit_timeout", "established", "wrong", "peer", unacked=19)
    t.premise(counted(s, "TCPMD5Failure") > before, "the kernel counts them")
    compare(t, agent, [c.host, s.host])


@signed
def signature_of_the_answers_changed(t):
    """What this end sends is lost, and what the peer sends it drops itself."""
    agent = watch(t)
    c, s = session(t)
    before = counted(c, "TCPMD5Failure")
    s("nft('input tcp dport %d drop')" % s.local[1])
    s("key(s, THERE, 'changed'); sysctls(retries2=1); s.send(bytes(7))")
    c("wait(lambda: int(%s['TCPMD5Failure']) > %d, 'a drop')" % (COUNTED, before))
    c("s.send(bytes(19))")
    expect_timeout(t, c, "peer_lost", "retransmit_timeout", "established", "wrong", "local", unacked=19)
    expect_timeout(t, s, "peer_lost", "retransmit_timeout", "established", "wrong", "peer", unacked=7)
    compare(t, agent, [c.host, s.host])


@signed
def signature_mended(t):
    """The key is right again and the data came through. A later loss on the network has nothing to do with it."""
    agent = watch(t)
    c, s = session(t)
    before = counted(s, "TCPMD5Failure")
    c("sysctls(retries2=15)")
    s("key(s, THERE, 'changed')")
    c("s.send(bytes(19))")
    s("wait(lambda: int(%s['TCPMD5Failure']) > %d, 'a drop')" % (COUNTED, before))
    s("key(s, THERE, 'secret')")
    c("wait(lambda: queued(s) == 0, 'the acknowledgement')")
    t.perhaps(c, "peer_silent", "unacked")
    t.perhaps(c, "peer_back", "acked")
    s("s.recv(19); drop(s)")
    c("sysctls(retries2=1); time.sleep(0.1); s.send(bytes(23))")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=c.error(), unacked=23,
             extra={"signature.fault": Absent(), "signature.dropped_by": Absent(), "tcp.retransmits": AtLeast(1)})
    compare(t, agent, [c.host, s.host])


@one
def signature_silent(t):
    """The early warning says it too."""
    agent = watch(t, "--event", "peer_silent")
    c, s = session(t)
    c("sysctls(retries2=15)")
    s("key(s, THERE, 'changed')")
    c("s.send(bytes(19))")
    wait_for(agent, c.host, "peer_silent")
    t.expect(c, "peer_silent", "unacked", "established", by="peer" if SHOWN else None, unacked=19,
             extra=dict(extra("wrong", "peer"), **{"tcp.gives_up_in_ms": Maybe(AtLeast(0))}))
    compare(t, agent, [c.host, s.host])


@signed
def signature_good(t):
    """A signed connection whose keys agree is as any other."""
    agent = watch(t)
    c, s = session(t)
    s("drop(s)")
    c("s.send(bytes(5))")
    t.expect(c, "peer_lost", "retransmit_timeout", "established", error=c.error(), unacked=5,
             extra={"signature.fault": Absent(), "signature.dropped_by": Absent()})
    compare(t, agent, [c.host, s.host])
    assert not of([e for e in agent.events if e["network.netns"] == s.host.netns], "accept_dropped")


def told(agent, host):
    """The counts that the listeners of a host have told so far."""
    events = [json.loads(line) for line in agent.written().splitlines() if b'"event":"accept_dropped"' in line]
    return [e["repeat.count"] for e in events if e["network.netns"] == host.netns]


@signed
def signature_flood(t):
    """Many peers without a signature: few events, exact in their counts, without a peer, and nothing is lost."""
    client, server = pair(t)
    more = ["10.9.%d.%d" % (i // 200, i % 200 + 1) if t.family != "ipv6" else "fd99::%x" % (i + 1) for i in range(20)]
    bits = 128 if t.family == "ipv6" else 32
    client("command('ip', '-batch', '-', text=%r)" % "".join(
        "address add %s/%d dev eth0%s\n" % (address, bits, " nodad" if bits == 128 else "") for address in more))
    server("command('ip', '-batch', '-', text=%r)" % "".join("route add %s dev eth0\n" % address for address in more))
    agent = watch(t, "--event", "accept_dropped")
    server("l = listen(); key(l, THERE, 'secret', 0)")
    before = counted(server, "TCPMD5NotFound")
    mapped = ["::ffff:" + a if t.family == "v4mapped" else a for a in more]
    client("""
all = []
for i in range(400):
    s = tcp()
    s.bind((froms[i % len(froms)], 0))
    all.append(begin(target, s))
for s in all: s.close()
""", froms=mapped, target=server("HERE, l.getsockname()[1]"))
    count = counted(server, "TCPMD5NotFound") - before
    t.premise(count >= 400, "the kernel counts %d" % count)
    if SHOWN:  # at once those of a second, the rest 10 s later
        clock.wait(lambda: sum(told(agent, server)) >= count, "all %d of them" % count, 60)
    t.finish()
    agent.stop()
    check_listener(t, agent, server, "missing", count, None, count)
    assert not SHOWN or len(told(agent, server)) <= 3, told(agent, server)


@one
def signature_ao(t):
    """The same with TCP-AO: a wrong key, none, one that is not expected, and one of another number."""
    client, server = pair(t)
    try:
        server("ao(tcp(), THERE, 'probe')")
    except Exception as e:
        t.skip("no TCP-AO here: %s" % e)
    for listener, own_key, fault in (("ao(l, THERE, 'secret')", "ao(s, THERE, 'other')", "wrong"),
                                     ("ao(l, THERE, 'secret')", "pass", "missing"),
                                     ("ao(l, THERE, 'secret')", "ao(s, THERE, 'secret', 7)", "unexpected"),
                                     ("ao(l, THERE, 'secret')", "key(s, THERE, 'secret')", "unexpected")):
        agent = watch(t)
        server("l = listen(); " + listener)
        client("s = bound(); option(s, TCP_SYNCNT, 1); " + own_key)
        client("begin(SERVER, s)", SERVER=server("HERE, l.getsockname()[1]"))
        wait_for(agent, server, "accept_dropped")
        error = client.error("lost(s)")
        t.premise(error == "ETIMEDOUT", error)
        wait_for(agent, client, "connect_failed")
        agent.stop()
        mine = [e for e in agent.events if e["network.netns"] in (client.netns, server.netns)]
        faults = agent.faults() + [fault for event in mine for fault in contract.faults(event)]
        said = {(e["event"], e["cause"], e["by"], e.get("signature.fault")) for e in mine}
        assert not faults and said == {("accept_dropped", "bad_signature", "local", fault),
                                       ("connect_failed", "timeout", "peer", fault)}, (said, faults)
