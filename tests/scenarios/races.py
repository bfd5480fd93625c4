# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Attempts to connect that are given up before a second SYN: nobody answered, which is reported by default; or they lost
a race of addresses, which is not."""
import clock
from connect import doubt
from trial import AtLeast, End, scenario

watched = scenario(own=True)
portable = scenario(families=("ipv4",), own=True, portable=True)


def pair(t):
    """A client, a server that listens at `l`, and its address."""
    client, server = t.pair()
    return client, server, (server("HERE"), server("l = listen(); l.getsockname()[1]"))


def bound(client, server, name="s"):
    """A socket whose SYNs do not arrive: an address of the service that does not answer."""
    client("%s = bound()" % name)
    server("nft('input tcp sport %d drop' % port)", port=client("%s.getsockname()[1]" % name))


def end_of(client, server, there, name):
    return End(client, "client", name, **dict(client("about(%s)" % name), peer=(server("plain(HERE)"), there[1])))


def attempt(client, server, there, name="s"):
    """Such a socket, its connect under way."""
    bound(client, server, name)
    client("begin(target, %s)" % name, target=there)
    return end_of(client, server, there, name)


def wait_in_vain(c, ms, name="s"):
    """As an application waits for its connection, for a time of its own."""
    c("p = select.poll(); p.register(%s, select.POLLOUT); assert not p.poll(%d)" % (name, ms))


def unanswered(t, end, least=0, **more):
    t.expect(end, "connect_failed", "abandoned", "connecting", severity="notice", state="syn_sent", ambiguous=doubt(t),
             extra={"tcp.duration_ms": AtLeast(least), "tcp.retransmits": 0}, **more)


def lost_race(t, end, **more):
    t.expect(end, "connect_failed", "abandoned", "connecting", severity="info", state="syn_sent", ambiguous=doubt(t),
             **more)


def first_syn_only(t, end, name="s"):
    t.premise(end("retransmits(%s)" % name) == 0, "no SYN was sent again")


def quiet(t):
    """An agent as users have it: without --all."""
    return t.agent("--json")


def gives_up(t, give_up, milliseconds, **fields):
    client, server, there = pair(t)
    agent = quiet(t)
    c = attempt(client, server, there)
    wait_in_vain(c, milliseconds)
    first_syn_only(t, c)
    give_up(c)
    unanswered(t, c, milliseconds, **fields)
    t.check(agent)


@watched
def gave_up_by_close(t):
    gives_up(t, lambda c: c("s.close()"), 250)


@watched
def gave_up_by_send_timeout(t):
    client, server, there = pair(t)
    agent = quiet(t)
    bound(client, server)
    client("s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('@ll', 0, 200000))")
    t.premise(client.error("s.connect(target)", target=there) == "EINPROGRESS", "SO_SNDTIMEO")
    c = t.end(client, peer=(server("plain(HERE)"), there[1]))
    first_syn_only(t, c)
    c("s.close()")
    unanswered(t, c, 200)
    t.check(agent)


@watched
def gave_up_by_exit(t):
    gives_up(t, lambda c: c.host.kill(), 200, exiting="SIGKILL")


@watched
def gave_up_again_and_again(t):
    """Each attempt is followed by the next at once, and none is ever answered: no attempt hides another."""
    client, server, there = pair(t)
    agent = quiet(t)
    for number in range(8):
        name = "s%d" % number
        c = attempt(client, server, there, name)
        wait_in_vain(c, 150, name)
        first_syn_only(t, c, name)
        c(name + ".close()")
        unanswered(t, c, 150)
    t.check(agent)


@watched
def gave_up_many(t):
    client, server, there = pair(t)
    agent = quiet(t)
    names = ["s%d" % number for number in range(t.many(40))]
    for name in names:
        bound(client, server, name)
    ends = [end_of(client, server, there, name) for name in names]
    client("all = [%s]\n"
           "for s in all: begin(target, s)\n"
           "select.poll().poll(100)\n"
           "again = sum(retransmits(s) for s in all)\n"
           "for s in all: s.close()" % ", ".join(names), target=there)
    t.premise(client("again") == 0, "no SYN was sent again")
    for c in ends:
        unanswered(t, c, 100)
    t.check(agent)


@watched
def gave_up_beside_pool(t):
    """A connection that the process had before, and one that another process gets meanwhile, are no winners."""
    client, server, there = pair(t)
    client("old = tcp(); old.connect(target)", target=there)
    other = t.beside(client, "other")
    agent = quiet(t)
    c = attempt(client, server, there)
    other("new = tcp(); new.connect(target)", target=there)
    wait_in_vain(c, 100)
    first_syn_only(t, c)
    c("s.close()")
    unanswered(t, c, 100)
    t.check(agent)


def race(t, run, loser):
    """The race as the agent reports it by default, not at all, and with --all."""
    client, server, there = pair(t)
    agent, all_of_it = quiet(t), t.agent("--json", "--all")
    ends = run(client, server, there)
    for c in ends:
        loser(t, c)
    t.finish()
    clock.wait(lambda: b'"abandoned"' in all_of_it.written(), "the loser")
    silent = t.check(agent, [])
    told = [e for e in t.check(all_of_it) if e["cause"] == "abandoned"]
    assert not silent and len(told) == len(ends), (silent, told)


@watched
def race_won_meanwhile(t):
    """Both addresses at once; the winner's connection ends the other attempt (curl, Go)."""
    def run(client, server, there):
        c = attempt(client, server, there)
        c("winner = tcp(); winner.connect(target)", target=there)
        first_syn_only(t, c)
        c("s.close()")
        return [c]
    race(t, run, lost_race)


@watched
def race_won_afterwards(t):
    """One address after the other, and the third answers (Node)."""
    def run(client, server, there):
        for name in "s", "s2":
            bound(client, server, name)
        ends = [end_of(client, server, there, name) for name in ("s", "s2")]
        client("again = 0\n"
               "for one in s, s2:\n"
               "    begin(target, one); select.poll().poll(200); again += retransmits(one); one.close()\n"
               "winner = tcp(); winner.connect(target)", target=there)
        t.premise(client("again") == 0, "no SYN was sent again")
        return ends
    race(t, run, lost_race)


@watched
def race_won_and_over(t):
    """The winner, and its process, are gone before anybody can look."""
    client, server, there = pair(t)
    racer = t.beside(client, "racer")
    agent = quiet(t)
    c = attempt(racer, server, there)
    first_syn_only(t, c)
    racer.start("winner = tcp(); winner.connect(target); linger(winner); winner.close(); s.close(); os._exit(0)",
                target=there)
    clock.wait(lambda: b'"linger"' in agent.written(), "the end of the winner")
    t.finish()
    agent.stop()
    told = [e["cause"] for e in agent.events if e.get("network.netns") == client.netns]
    assert set(told) <= {"linger"}, told


@watched
def race_goes_on(t):
    """Another attempt that began meanwhile still waits for an answer: it will tell."""
    client, server, there = pair(t)
    agent = quiet(t)
    c = attempt(client, server, there)
    other = attempt(client, server, there, "other")
    first_syn_only(t, c)
    c("s.close()")
    other("wait(lambda: retransmits(other) > 0, 'a second SYN'); time.sleep(0.2); other.close()")
    t.expect(other, "connect_failed", "abandoned", "connecting", severity="notice", ambiguous=doubt(t, True),
             extra={"tcp.retransmits": AtLeast(1)})
    t.check(agent)


@portable
def gave_up_in_words(t):
    client, server, there = pair(t)
    agent = t.agent("--netns", str(client.netns))
    c = attempt(client, server, there)
    wait_in_vain(c, 200)
    first_syn_only(t, c)
    c("s.close()")
    clock.wait(lambda: b"abandoned" in agent.written(), "the event")
    assert b"given up by the application while connecting, unanswered for 2" in agent.written(), agent.written()
