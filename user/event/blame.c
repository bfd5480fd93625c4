/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/blame.h"

#include <errno.h>
#include <stddef.h>

#include "event/close_facts.h"
#include "event/judge.h"
#include "record.h"

/* A timer fires when the time is up, as the kernel counts it: in jiffies, of 10 ms at most. */
#define JIFFY_MS 10

/* What became of our segments after the peer was last heard. */
enum leaving { LEFT, NONE_LEFT, NOT_KNOWN };

bool blame_no_probe_left(const struct close_facts *f)
{
	const struct lp_socket *s = &f->r->socket;

	return !f->in_flight && s->probes_out && s->dropped >= s->probes_out;
}

static bool ran_out(const struct lp_socket *s, long long elapsed_ms)
{
	return elapsed_ms + JIFFY_MS >= s->user_timeout_ms;
}

bool blame_user_timeout_ran_out(const struct close_facts *f)
{
	const struct lp_socket *s = &f->r->socket;

	if (!s->user_timeout_ms)
		return false;
	if (f->in_flight)
		return !(s->known & LP_KNOWN_RETRANS) || ran_out(s, s->retrans_ms);
	if (f->waiting && f->kernel->probe_time)
		return s->probes_ms && ran_out(s, s->probes_ms - 1);
	return true; /* the keepalive timer counts nothing else */
}

bool blame_user_timeout_is_guessed(const struct close_facts *f)
{
	return !f->in_flight && f->waiting && !f->kernel->probe_time;
}

/* The peer still answers a closed window if at most one probe is outstanding. A live peer answers at most two probes a
 * second (tcp_invalid_ratelimit), so one may be unanswered. */
static bool peer_answered(const struct close_facts *f)
{
	return !f->in_flight && f->waiting && !f->r->socket.snd_wnd && f->r->socket.probes_out <= 1;
}

/* The hooks saw every try of the timer: those that failed are not among them before 6.18. */
static bool all_seen(const struct close_facts *f)
{
	const struct lp_socket *s = &f->r->socket;

	return f->remembered && (!(s->flags & LP_F_SEEDED) || s->resent + s->held_back >= s->retransmits);
}

/* Only a look-up of a route on this host stores these two in place of an ICMP error. */
static bool is_no_route(const struct lp_socket *s)
{
	return s->soft_err == EINVAL || s->soft_err == ENETUNREACH;
}

/* No try failed where a hook sees it. Before 6.18 none sees a missing route: then a try that is not among those that left
 * failed for want of one, if that is the error that the socket has. Nor is it seen where what was sent before is still
 * in a queue of this host, or waits for a neighbour that does not answer. */
static enum leaving without_failures(const struct close_facts *f)
{
	const struct lp_socket *s = &f->r->socket;
	bool heard_since = (s->known & LP_KNOWN_HEARD) && s->heard_ms < s->retrans_ms;
	bool no_route = f->kernel && !f->kernel->retransmit_failed && is_no_route(s);

	if (!f->kernel || !f->kernel->retransmit || !f->remembered || (s->flags & LP_F_SEEDED))
		return LEFT;
	if (heard_since || !(s->known & LP_KNOWN_RETRANS) || s->resent >= s->retransmits)
		return LEFT;
	if (no_route)
		return s->resent ? NOT_KNOWN : NONE_LEFT;
	return s->resent || s->retransmits < 2 ? LEFT : NOT_KNOWN;
}

static enum leaving leaving(const struct close_facts *f)
{
	const struct lp_socket *s = &f->r->socket;

	if (!f->in_flight)
		return blame_no_probe_left(f) ? NONE_LEFT : s->dropped ? NOT_KNOWN : LEFT;
	if (!s->held_back && !s->dropped)
		return without_failures(f);
	if (!s->resent)
		return all_seen(f) ? NONE_LEFT : NOT_KNOWN;
	return s->last_try == LP_TRY_LEFT ? LEFT : NOT_KNOWN;
}

static enum lp_by by_timer(const struct close_facts *f, enum lp_cause cause)
{
	switch (leaving(f)) {
	case NONE_LEFT:
		return BY_LOCAL;
	case NOT_KNOWN:
		return BY_UNKNOWN;
	case LEFT:
		break;
	}
	return cause_by(cause);
}

enum lp_by blame_of(const struct close_facts *f, enum lp_cause cause)
{
	switch (cause) {
	case PEER_LOST_USER_TIMEOUT:
	case PEER_LOST_PROBE_TIMEOUT:
		return peer_answered(f) ? BY_PEER : by_timer(f, cause);
	case CONNECT_FAILED_TIMEOUT:
	case CONNECT_FAILED_UNREACHABLE:
	case PEER_LOST_RETRANSMIT_TIMEOUT:
	case PEER_LOST_KEEPALIVE_TIMEOUT:
	case PEER_SILENT_UNACKED:
		return by_timer(f, cause);
	case CONNECT_FAILED_REFUSED:
	case PEER_LOST_RESET:
		return (f->r->socket.flags & LP_F_RST_OWN) ? BY_LOCAL : cause_by(cause);
	default:
		return cause_by(cause);
	}
}

void blame_clear_peer(struct verdict *v)
{
	if (v->cause == PEER_LOST_RESET && v->by == BY_PEER)
		v->by = BY_UNKNOWN;
}

static const struct {
	enum lp_cause cause;
	enum lp_by by;
	const char *sentence;
} sentences[] = {
	{CONNECT_FAILED_REFUSED, BY_LOCAL, "this host's own firewall refused the connection"},
	{CONNECT_FAILED_TIMEOUT, BY_LOCAL, "this host kept back the SYN"},
	{CONNECT_FAILED_UNREACHABLE, BY_LOCAL, "this host has no way to the peer"},
	{PEER_LOST_RESET, BY_LOCAL, "reset by this host's own firewall"},
	{PEER_LOST_RESET, BY_UNKNOWN, "reset, but not by the other end, which lives on"},
	{PEER_LOST_RETRANSMIT_TIMEOUT, BY_LOCAL, "this host kept back what was to be sent again"},
	{PEER_LOST_USER_TIMEOUT, BY_LOCAL,
	 "TCP_USER_TIMEOUT ran out while this host kept back what was to be sent again"},
	{PEER_LOST_PROBE_TIMEOUT, BY_PEER, "the peer's window stayed closed"},
	{PEER_SILENT_UNACKED, BY_LOCAL, "this host keeps back what is to be sent again"},
};

const char *blame_sentence(enum lp_cause cause, enum lp_by by)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if (sentences[i].cause == cause && sentences[i].by == by)
			return sentences[i].sentence;
	return cause_sentence(cause);
}
