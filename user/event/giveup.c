/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/giveup.h"

#include <netinet/tcp.h>
#include <stdbool.h>

#define RTO_MIN_MS 200    /* TCP_RTO_MIN */
#define RTO_MAX_MS 120000 /* TCP_RTO_MAX; since 6.15 a socket may have its own */
#define UNKNOWN (-1)

static __u32 rto_max(const struct lp_socket *s)
{
	return s->rto_max_ms ? s->rto_max_ms : RTO_MAX_MS;
}

static __u32 doubled(__u32 rto, __u32 most)
{
	return rto >= most / 2 ? most : rto * 2;
}

/* Timers of the kernel are late, longer ones more: by an eighth at most, by a 32nd on average. */
static __u32 in_fact(__u32 interval)
{
	return interval + interval / 32;
}

static long long not_past(long long ms)
{
	return ms > 0 ? ms : 0;
}

/* tcp_model_timeout(): how long `retries` retransmissions take that begin with this timeout. */
static long long model_timeout(unsigned retries, __u32 rto, __u32 most)
{
	long long sum = rto;

	for (unsigned i = 0; i < retries; i++) {
		rto = doubled(rto, most);
		sum += rto;
	}
	return sum;
}

/* tcp_orphan_retries(); alive: the timeout is below its maximum. */
static unsigned orphan_retries(const struct lp_socket *s, bool alive)
{
	unsigned retries = s->soft_err && !alive ? 0 : s->orphan_retries;

	return !retries && alive ? 8 : retries;
}

/* --- data (or our FIN) in flight: the retransmission timer --- */

/* Counts from when data was last sent; for a FIN, or if that is not known, from the first retransmission. */
static long long next_retransmission(const struct lp_socket *s)
{
	bool only_fin = s->state != TCP_ESTABLISHED && s->state != TCP_CLOSE_WAIT && s->snd_nxt - s->snd_una == 1;
	long long next = (long long)in_fact(s->rto_ms) - s->sent_ms;

	if (only_fin || !(s->known & LP_KNOWN_SENT))
		next = 2LL * s->rto_ms - (s->rto_ms >> (s->retransmits < 32 ? s->retransmits - 1 : 31)) - s->retrans_ms;
	return not_past(next) < s->rto_ms ? not_past(next) : s->rto_ms;
}

static bool times_out(const struct lp_socket *s, __u32 rto, long long elapsed)
{
	unsigned retries = s->flags & LP_F_DEAD ? orphan_retries(s, rto < rto_max(s)) : s->retries2;

	return elapsed >= model_timeout(retries, RTO_MIN_MS, rto_max(s));
}

static long long until_retransmissions_end(const struct lp_socket *s)
{
	__u32 rto = s->rto_ms;
	long long next;

	if (!s->retransmits || !rto || !(s->known & LP_KNOWN_RETRANS))
		return UNKNOWN;
	if (s->user_timeout_ms) /* the kernel shortens the timer to it */
		return not_past((long long)s->user_timeout_ms - s->retrans_ms);
	if (!s->snd_wnd && !(s->flags & LP_F_DEAD)) /* the peer closed the window again: another rule */
		return UNKNOWN;
	for (next = next_retransmission(s); !times_out(s, rto, s->retrans_ms + next); next += in_fact(rto))
		rto = doubled(rto, rto_max(s));
	return next;
}

/* --- a SYN --- */

static long long until_connect_ends(const struct lp_socket *s)
{
	unsigned most = s->syn_retries + s->syn_linear;
	__u32 first = s->backoff < 32 ? s->rto_ms >> s->backoff : 0, rto = first;
	long long limit = model_timeout(s->syn_retries, first, rto_max(s)), total = rto;

	if (!first || !(s->known & LP_KNOWN_RETRANS))
		return UNKNOWN;
	for (unsigned sent = 1; sent <= most && total < limit; sent++) {
		if (sent > s->syn_linear)
			rto = doubled(rto, rto_max(s));
		total += rto;
	}
	if (s->user_timeout_ms && s->user_timeout_ms < total) /* the kernel shortens the second timer to it */
		total = s->user_timeout_ms > first ? s->user_timeout_ms : first;
	return not_past(total - s->retrans_ms);
}

/* --- a closed window, or nothing can leave: the probe timer --- */

/* tcp_probe0_when() */
static long long probe_interval(const struct lp_socket *s, unsigned backoff)
{
	long long interval = s->rto_ms > RTO_MIN_MS ? s->rto_ms : RTO_MIN_MS;
	unsigned most = 1;

	for (__u32 ratio = rto_max(s) / RTO_MIN_MS; ratio > 1; ratio /= 2)
		most++;
	interval <<= backoff < most ? backoff : most;
	return interval < rto_max(s) ? interval : rto_max(s);
}

/* The peer answered every probe before it was last heard. */
static long long next_window_probe(const struct lp_socket *s)
{
	unsigned first = s->backoff > s->probes_out ? s->backoff - s->probes_out : 0;
	long long next = -(long long)s->heard_ms;

	for (unsigned i = 0; i <= s->probes_out; i++)
		next += probe_interval(s, first + i < s->backoff ? first + i : s->backoff);
	return not_past(next) < probe_interval(s, s->backoff) ? not_past(next) : probe_interval(s, s->backoff);
}

static bool probes_end(const struct lp_socket *s, unsigned probes, unsigned backoff)
{
	long long interval = backoff < 32 ? (long long)s->rto_ms << backoff : rto_max(s);
	bool alive = interval < rto_max(s);
	unsigned most = s->flags & LP_F_DEAD ? orphan_retries(s, alive) : s->retries2;

	return probes >= most || ((s->flags & LP_F_DEAD) && !alive && backoff >= most);
}

static long long until_probes_end(const struct lp_socket *s)
{
	unsigned probes = s->probes_out, backoff = s->backoff;
	long long next;

	if (s->user_timeout_ms) /* it counts even while the peer answers */
		return s->probes_ms ? not_past((long long)s->user_timeout_ms - s->probes_ms) : UNKNOWN;
	if (!(s->known & LP_KNOWN_HEARD) || (!probes && !(s->flags & LP_F_DEAD)))
		return UNKNOWN;
	for (next = next_window_probe(s); !probes_end(s, probes, backoff); next += probe_interval(s, backoff)) {
		probes++;
		if (backoff < s->retries2)
			backoff++;
	}
	return next;
}

/* --- idle: keepalive --- */

static bool has_keepalive(const struct lp_socket *s)
{
	return (s->known & LP_KNOWN_TIMERS) && (s->known & LP_KNOWN_HEARD) && (s->flags & LP_F_KEEPOPEN) &&
	       !(s->flags & LP_F_DEAD) && s->state != TCP_CLOSE && s->state != TCP_SYN_SENT && s->state != TCP_SYN_RECV;
}

/* Milliseconds from when the peer was last heard to probe number `n`, from 0. */
static long long probe_at(const struct lp_socket *s, unsigned n)
{
	return (long long)s->keepalive_time_ms + (long long)n * s->keepalive_interval_ms;
}

static long long until_keepalive_ends(const struct lp_socket *s)
{
	__u32 interval = s->keepalive_interval_ms, beyond;
	unsigned n = s->probes_out, last = s->keepalive_probes;

	if (!has_keepalive(s) || !n || !interval)
		return UNKNOWN;
	if (s->user_timeout_ms) { /* the kernel compares it once each interval */
		beyond = s->user_timeout_ms > s->keepalive_time_ms ? s->user_timeout_ms - s->keepalive_time_ms : 0;
		last = beyond / interval + (beyond % interval != 0);
	}
	if (n < last)
		n = last;
	return not_past(probe_at(s, n) - s->heard_ms);
}

long long giveup_next_probe_ms(const struct lp_socket *s)
{
	if (!has_keepalive(s) || s->snd_una != s->write_seq) /* the kernel sends no probes while data waits */
		return UNKNOWN;
	return not_past(probe_at(s, s->probes_out) - s->heard_ms);
}

long long giveup_ms(const struct lp_socket *s)
{
	if (!(s->known & LP_KNOWN_TIMERS) || s->state == TCP_CLOSE || s->state == TCP_SYN_RECV)
		return UNKNOWN;
	if (s->state == TCP_SYN_SENT)
		return until_connect_ends(s);
	if (s->snd_nxt != s->snd_una)
		return until_retransmissions_end(s);
	if (s->write_seq != s->snd_nxt)
		return until_probes_end(s);
	return until_keepalive_ends(s);
}
