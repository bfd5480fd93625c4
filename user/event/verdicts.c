/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/verdicts.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <string.h>

#include "event/giveup.h"

static const struct {
	const char *name;
	unsigned rank; /* as people want to read them */
	bool lost;
} verdicts[] = {
	[CHECK_ERRORED] = {"errored", 0, true},
	[CHECK_STALLED] = {"stalled", 1, true},
	[CHECK_WINDOW_CLOSED] = {"window_closed", 2, true},
	[CHECK_CLOSED] = {"closed", 3, true},
	[CHECK_CONNECTING] = {"connecting", 4, false},
	[CHECK_UNPROVEN] = {"unproven", 5, false},
	[CHECK_CLOSING] = {"closing", 6, false},
	[CHECK_ALIVE] = {"alive", 7, false},
};
static_assert(sizeof(verdicts) / sizeof(*verdicts) == CHECK_COUNT, "a name for each verdict");

const char *verdicts_name(enum check_verdict verdict)
{
	return verdicts[verdict].name;
}

bool verdicts_is_lost(enum check_verdict verdict)
{
	return verdicts[verdict].lost;
}

unsigned verdicts_rank(enum check_verdict verdict)
{
	return verdicts[verdict].rank;
}

bool verdicts_is_connection(const struct lp_look *l)
{
	return l->state != TCP_LISTEN && l->state != TCP_TIME_WAIT && l->peer_port;
}

void verdicts_record(const struct lp_look *l, struct lp_record *r)
{
	*r = (struct lp_record){
		.version = LP_RECORD_VERSION,
		.socket.state = l->state,
		.socket.flags = l->flags,
		.socket.sk = l->sk,
		.socket.cookie = l->cookie,
		.socket.local_port = l->local_port,
		.socket.peer_port = l->peer_port,
		.socket.family = l->family,
		.socket.err = l->err,
		.socket.soft_err = l->soft_err,
		.socket.shutdown = l->shutdown,
		.socket.netns = l->netns,
		.socket.snd_una = l->snd_una,
		.socket.snd_nxt = l->snd_nxt,
		.socket.write_seq = l->write_seq,
		.socket.rcv_nxt = l->rcv_nxt,
		.socket.copied_seq = l->copied_seq,
		.socket.snd_wnd = l->snd_wnd,
		.socket.total_retrans = l->total_retrans,
		.socket.srtt_us = l->srtt_us,
		.socket.retransmits = l->retransmits,
		.socket.probes_out = l->probes_out,
	};
	memcpy(r->socket.local_addr, l->local_addr, sizeof(r->socket.local_addr));
	memcpy(r->socket.peer_addr, l->peer_addr, sizeof(r->socket.peer_addr));
	/* whether SYN or FIN are among these, only the state tells that it was in before */
	if (l->state == TCP_CLOSE)
		r->socket.snd_nxt = r->socket.write_seq = r->socket.snd_una;
}

static struct data data_in(const struct lp_look *l)
{
	struct lp_record record;

	verdicts_record(l, &record);
	return data_of(&record);
}

static bool is_connecting(const struct lp_look *l)
{
	return l->state == TCP_SYN_SENT || l->state == TCP_SYN_RECV;
}

/* Sent again and again; or nothing can leave this host, and the kernel tries again and again. Our FIN counts where
 * somebody still waits. */
static bool is_stalled(const struct lp_look *l, const struct data *d)
{
	if (is_connecting(l) || l->state == TCP_CLOSE)
		return false;
	if (l->snd_nxt != l->snd_una)
		return l->retransmits && (d->unacked || !(l->flags & LP_F_DEAD));
	return d->unsent && l->snd_wnd && l->probes_out;
}

static bool is_window_closed(const struct lp_look *l, const struct data *d)
{
	return !is_connecting(l) && l->state != TCP_CLOSE && !l->snd_wnd && d->unsent;
}

static bool is_closed(const struct lp_look *l)
{
	return l->state == TCP_CLOSE_WAIT || l->state == TCP_LAST_ACK || l->state == TCP_CLOSING ||
	       l->state == TCP_CLOSE;
}

static enum check_verdict judge(const struct lp_look *l, const struct data *d, __u32 alive_within_ms)
{
	if (l->err)
		return CHECK_ERRORED;
	if (is_stalled(l, d))
		return CHECK_STALLED;
	if (is_window_closed(l, d))
		return CHECK_WINDOW_CLOSED;
	if (is_connecting(l))
		return CHECK_CONNECTING;
	if (is_closed(l))
		return CHECK_CLOSED;
	if (l->state == TCP_FIN_WAIT1 || l->state == TCP_FIN_WAIT2)
		return CHECK_CLOSING;
	return (l->known & LP_KNOWN_HEARD) && l->heard_ms <= alive_within_ms ? CHECK_ALIVE : CHECK_UNPROVEN;
}

enum check_verdict verdicts_judge(const struct lp_look *l, __u32 alive_within_ms)
{
	struct data d = data_in(l);

	return judge(l, &d, alive_within_ms);
}

/* An orphan has gone on from these states, and a socket of MPTCP's is never accepted itself. */
bool verdicts_is_unaccepted(const struct lp_look *l)
{
	if (l->flags & (LP_F_DEAD | LP_F_SOCKET | LP_F_MPTCP))
		return false;
	return l->state == TCP_ESTABLISHED || l->state == TCP_CLOSE_WAIT || l->state == TCP_SYN_RECV;
}

bool verdicts_read_closed(const struct lp_look *l)
{
	return is_closed(l) || (l->shutdown & 1);
}

bool verdicts_write_closed(const struct lp_look *l)
{
	return l->state == TCP_FIN_WAIT1 || l->state == TCP_FIN_WAIT2 || l->state == TCP_CLOSING ||
	       l->state == TCP_LAST_ACK || l->state == TCP_CLOSE || (l->shutdown & 2);
}

enum lp_phase verdicts_phase(const struct lp_look *l)
{
	if (l->state == TCP_SYN_SENT)
		return PHASE_CONNECTING;
	if (l->flags & LP_F_DEAD)
		return PHASE_ORPHANED;
	if (verdicts_is_unaccepted(l))
		return PHASE_UNACCEPTED;
	if (l->state == TCP_SYN_RECV)
		return PHASE_CONNECTING;
	if (verdicts_write_closed(l))
		return PHASE_CLOSING;
	return verdicts_read_closed(l) ? PHASE_HALF_CLOSED : PHASE_ESTABLISHED;
}

/* After its FIN the peer only acknowledges what we send. So if we sent nothing since well before it was last heard,
 * and asked nothing, that was its FIN. */
long long verdicts_fin_ms(const struct lp_look *l)
{
	const __u32 needed = LP_KNOWN_HEARD | LP_KNOWN_KEEPALIVE;
	__u32 answered_within = l->rto_ms > 1000 ? l->rto_ms : 1000;

	if (l->state != TCP_CLOSE_WAIT || (l->known & needed) != needed || (l->flags & LP_F_KEEPOPEN) ||
	    l->snd_una != l->write_seq)
		return -1;
	if (!(l->known & LP_KNOWN_NEVER_SENT) &&
	    (!(l->known & LP_KNOWN_SENT) || l->sent_ms < (long long)l->heard_ms + answered_within))
		return -1;
	return l->heard_ms;
}

void verdicts_fill(struct check *c, const struct lp_look *l, __u32 alive_within_ms)
{
	verdicts_record(l, &c->record);
	c->look = l;
	c->alive_within_ms = alive_within_ms;
	c->event.record = &c->record;
	c->event.severity = SEVERITY_INFO;
	c->event.data = data_of(&c->record);
	c->event.error = l->err;
	c->verdict = judge(l, &c->event.data, alive_within_ms);
	c->gives_up_ms = giveup_ms(l);
	c->next_probe_ms = giveup_next_probe_ms(l);
	c->fin_ms = verdicts_fin_ms(l);
}
