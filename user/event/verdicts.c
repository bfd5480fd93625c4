/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/verdicts.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <string.h>

#include "event/giveup.h"

static const struct {
	const char *name;
	unsigned rank; /* the order of the output: worst first */
	bool lost;
} verdicts[] = {
	[CHECK_ERRORED] = {"errored", 0, true},        [CHECK_STALLED] = {"stalled", 1, true},
	[CHECK_CLOSED] = {"closed", 2, true},          [CHECK_WINDOW_CLOSED] = {"window_closed", 3, false},
	[CHECK_CONNECTING] = {"connecting", 4, false}, [CHECK_UNPROVEN] = {"unproven", 5, false},
	[CHECK_CLOSING] = {"closing", 6, false},       [CHECK_ALIVE] = {"alive", 7, false},
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

bool verdicts_is_connection(const struct lp_socket *s)
{
	return s->state != TCP_LISTEN && s->state != TCP_TIME_WAIT && s->peer_port;
}

static bool is_connecting(const struct lp_socket *s)
{
	return s->state == TCP_SYN_SENT || s->state == TCP_SYN_RECV;
}

/* A live peer answers at most two window probes a second (tcp_invalid_ratelimit), so one may be unanswered. */
static bool answers_probes(const struct lp_socket *s)
{
	return s->probes_out <= 1;
}

/* Retransmissions or window probes without an answer, or nothing can leave this host and the kernel retries. Our FIN
 * counts too, unless the socket is orphaned: then no process waits for it. */
static bool is_stalled(const struct lp_socket *s, const struct data *d)
{
	if (is_connecting(s) || s->state == TCP_CLOSE)
		return false;
	if (s->flags & LP_F_ADDRESS_GONE) /* nothing that the peer sends arrives any more */
		return true;
	if (s->snd_nxt != s->snd_una)
		return s->retransmits && (d->unacked || !(s->flags & LP_F_DEAD));
	return d->unsent && (s->snd_wnd ? s->probes_out != 0 : !answers_probes(s));
}

static bool is_window_closed(const struct lp_socket *s, const struct data *d)
{
	return !is_connecting(s) && s->state != TCP_CLOSE && !s->snd_wnd && d->unsent;
}

static bool is_closed(const struct lp_socket *s)
{
	return s->state == TCP_CLOSE_WAIT || s->state == TCP_LAST_ACK || s->state == TCP_CLOSING ||
	       s->state == TCP_CLOSE;
}

/* By then an answer has come. */
static __u32 answered_within(const struct lp_socket *s)
{
	return s->rto_ms > 1000 ? s->rto_ms : 1000;
}

/* The peer closed only its sending half: it took data after its FIN. A peer that closed both would have reset us. That
 * answers to our data tell, not one to a keepalive probe, which a closed peer gives too for a while. */
static bool reads_on(const struct lp_socket *s)
{
	const __u32 needed = LP_KNOWN_HEARD | LP_KNOWN_SENT | LP_KNOWN_READS_ON;

	return s->state == TCP_CLOSE_WAIT && (s->known & needed) == needed &&
	       s->sent_ms <= s->heard_ms + answered_within(s);
}

static enum check_verdict judge(const struct lp_socket *s, const struct data *d, __u32 alive_within_ms)
{
	if (s->err)
		return CHECK_ERRORED;
	if (is_stalled(s, d))
		return CHECK_STALLED;
	if (is_window_closed(s, d))
		return CHECK_WINDOW_CLOSED;
	if (is_connecting(s))
		return CHECK_CONNECTING;
	if (is_closed(s) && !reads_on(s))
		return CHECK_CLOSED;
	if (s->state == TCP_FIN_WAIT1 || s->state == TCP_FIN_WAIT2)
		return CHECK_CLOSING;
	return (s->known & LP_KNOWN_HEARD) && s->heard_ms <= alive_within_ms ? CHECK_ALIVE : CHECK_UNPROVEN;
}

enum check_verdict verdicts_judge(const struct lp_socket *s, __u32 alive_within_ms)
{
	struct data d = data_of(s);

	return judge(s, &d, alive_within_ms);
}

/* An orphan is never in these states; the application never accepts a subflow of MPTCP itself. */
bool verdicts_is_unaccepted(const struct lp_socket *s)
{
	if (s->flags & (LP_F_DEAD | LP_F_SOCKET | LP_F_MPTCP))
		return false;
	return s->state == TCP_ESTABLISHED || s->state == TCP_CLOSE_WAIT || s->state == TCP_SYN_RECV;
}

bool verdicts_read_closed(const struct lp_socket *s)
{
	return is_closed(s) || (s->shutdown & 1);
}

bool verdicts_write_closed(const struct lp_socket *s)
{
	return s->state == TCP_FIN_WAIT1 || s->state == TCP_FIN_WAIT2 || s->state == TCP_CLOSING ||
	       s->state == TCP_LAST_ACK || s->state == TCP_CLOSE || (s->shutdown & 2);
}

enum lp_phase verdicts_phase(const struct lp_socket *s)
{
	if (s->state == TCP_SYN_SENT)
		return PHASE_CONNECTING;
	if (s->flags & LP_F_DEAD)
		return PHASE_ORPHANED;
	if (verdicts_is_unaccepted(s))
		return PHASE_UNACCEPTED;
	if (s->state == TCP_SYN_RECV)
		return PHASE_CONNECTING;
	if (verdicts_write_closed(s))
		return PHASE_CLOSING;
	return verdicts_read_closed(s) ? PHASE_HALF_CLOSED : PHASE_ESTABLISHED;
}

/* After its FIN the peer only acknowledges. So if this host sent neither data nor probes for a while before the peer was
 * last heard, the peer sent its FIN then. */
long long verdicts_fin_ms(const struct lp_socket *s)
{
	const __u32 needed = LP_KNOWN_HEARD | LP_KNOWN_KEEPALIVE;

	if (s->state != TCP_CLOSE_WAIT || (s->known & needed) != needed || (s->flags & LP_F_KEEPOPEN) ||
	    s->snd_una != s->write_seq)
		return -1;
	if (!(s->known & LP_KNOWN_NEVER_SENT) &&
	    (!(s->known & LP_KNOWN_SENT) || s->sent_ms < s->heard_ms + answered_within(s)))
		return -1;
	return s->heard_ms;
}

void verdicts_fill(struct check *c, const struct lp_socket *s, __u32 alive_within_ms)
{
	c->record = (struct lp_record){.version = LP_RECORD_VERSION, .socket = *s};
	c->socket = s;
	c->alive_within_ms = alive_within_ms;
	c->event.record = &c->record;
	c->event.severity = SEVERITY_INFO;
	c->event.data = data_of(s);
	c->event.error = s->err;
	c->verdict = judge(s, &c->event.data, alive_within_ms);
	c->gives_up_ms = giveup_ms(s);
	c->next_probe_ms = giveup_next_probe_ms(s);
	c->fin_ms = verdicts_fin_ms(s);
}
