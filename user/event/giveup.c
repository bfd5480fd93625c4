/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/giveup.h"

#include <netinet/tcp.h>
#include <stdbool.h>

#define RTO_MIN_MS 200    /* TCP_RTO_MIN */
#define RTO_MAX_MS 120000 /* TCP_RTO_MAX, unless the socket has another from 6.15 on */
#define UNKNOWN (-1)

static __u32 rto_max(const struct lp_look *l)
{
	return l->rto_max_ms ? l->rto_max_ms : RTO_MAX_MS;
}

static __u32 doubled(__u32 rto, __u32 most)
{
	return rto >= most / 2 ? most : rto * 2;
}

/* The kernel's timers are never early, and the longer the later: up to an eighth, a 32nd in the middle. */
static __u32 in_fact(__u32 interval)
{
	return interval + interval / 32;
}

static long long not_past(long long ms)
{
	return ms > 0 ? ms : 0;
}

/* tcp_model_timeout(): how long `retries` retransmissions take from this timeout on, whatever the connection's is. */
static long long model_timeout(unsigned retries, __u32 rto, __u32 most)
{
	long long sum = rto;

	for (unsigned i = 0; i < retries; i++) {
		rto = doubled(rto, most);
		sum += rto;
	}
	return sum;
}

/* tcp_orphan_retries(); alive: its timeout has not yet grown to the most. */
static unsigned orphan_retries(const struct lp_look *l, bool alive)
{
	unsigned retries = l->soft_err && !alive ? 0 : l->orphan_retries;

	return !retries && alive ? 8 : retries;
}

/* --- data (or our FIN) in flight: the retransmission timer --- */

/* Since data was sent last; or back from the first time that the segment was sent again, by what the timeout is now. */
static long long next_retransmission(const struct lp_look *l)
{
	bool only_fin = l->state != TCP_ESTABLISHED && l->state != TCP_CLOSE_WAIT && l->snd_nxt - l->snd_una == 1;
	long long next = (long long)in_fact(l->rto_ms) - l->sent_ms;

	if (only_fin || !(l->known & LP_KNOWN_SENT))
		next = 2LL * l->rto_ms - (l->rto_ms >> (l->retransmits < 32 ? l->retransmits - 1 : 31)) - l->retrans_ms;
	return not_past(next) < l->rto_ms ? not_past(next) : l->rto_ms;
}

static bool times_out(const struct lp_look *l, __u32 rto, long long elapsed)
{
	unsigned retries = l->flags & LP_F_DEAD ? orphan_retries(l, rto < rto_max(l)) : l->retries2;

	return elapsed >= model_timeout(retries, RTO_MIN_MS, rto_max(l));
}

static long long until_retransmissions_end(const struct lp_look *l)
{
	__u32 rto = l->rto_ms;
	long long next;

	if (!l->retransmits || !rto || !(l->known & LP_KNOWN_RETRANS))
		return UNKNOWN;
	if (l->user_timeout_ms) /* which the timer is cut to */
		return not_past((long long)l->user_timeout_ms - l->retrans_ms);
	if (!l->snd_wnd && !(l->flags & LP_F_DEAD)) /* taken back by the peer: another rule */
		return UNKNOWN;
	for (next = next_retransmission(l); !times_out(l, rto, l->retrans_ms + next); next += in_fact(rto))
		rto = doubled(rto, rto_max(l));
	return next;
}

/* --- a SYN --- */

static long long until_connect_ends(const struct lp_look *l)
{
	unsigned most = l->syn_retries + l->syn_linear;
	__u32 first = l->backoff < 32 ? l->rto_ms >> l->backoff : 0, rto = first;
	long long limit = model_timeout(l->syn_retries, first, rto_max(l)), total = rto;

	if (!first || !(l->known & LP_KNOWN_RETRANS))
		return UNKNOWN;
	for (unsigned sent = 1; sent <= most && total < limit; sent++) {
		if (sent > l->syn_linear)
			rto = doubled(rto, rto_max(l));
		total += rto;
	}
	if (l->user_timeout_ms && l->user_timeout_ms < total) /* the second timer is cut to it */
		total = l->user_timeout_ms > first ? l->user_timeout_ms : first;
	return not_past(total - l->retrans_ms);
}

/* --- a closed window, or nothing can leave: the probe timer --- */

/* tcp_probe0_when() */
static long long probe_interval(const struct lp_look *l, unsigned backoff)
{
	long long interval = l->rto_ms > RTO_MIN_MS ? l->rto_ms : RTO_MIN_MS;
	unsigned most = 1;

	for (__u32 ratio = rto_max(l) / RTO_MIN_MS; ratio > 1; ratio /= 2)
		most++;
	interval <<= backoff < most ? backoff : most;
	return interval < rto_max(l) ? interval : rto_max(l);
}

/* Probes that were answered are those before the last that was heard. */
static long long next_window_probe(const struct lp_look *l)
{
	unsigned first = l->backoff > l->probes_out ? l->backoff - l->probes_out : 0;
	long long next = -(long long)l->heard_ms;

	for (unsigned i = 0; i <= l->probes_out; i++)
		next += probe_interval(l, first + i < l->backoff ? first + i : l->backoff);
	return not_past(next) < probe_interval(l, l->backoff) ? not_past(next) : probe_interval(l, l->backoff);
}

static bool probes_end(const struct lp_look *l, unsigned probes, unsigned backoff)
{
	long long interval = backoff < 32 ? (long long)l->rto_ms << backoff : rto_max(l);
	bool alive = interval < rto_max(l);
	unsigned most = l->flags & LP_F_DEAD ? orphan_retries(l, alive) : l->retries2;

	return probes >= most || ((l->flags & LP_F_DEAD) && !alive && backoff >= most);
}

static long long until_probes_end(const struct lp_look *l)
{
	unsigned probes = l->probes_out, backoff = l->backoff;
	long long next;

	if (l->user_timeout_ms) /* it runs even while the peer answers */
		return l->probes_ms ? not_past((long long)l->user_timeout_ms - l->probes_ms) : UNKNOWN;
	if (!(l->known & LP_KNOWN_HEARD) || (!probes && !(l->flags & LP_F_DEAD)))
		return UNKNOWN;
	for (next = next_window_probe(l); !probes_end(l, probes, backoff); next += probe_interval(l, backoff)) {
		probes++;
		if (backoff < l->retries2)
			backoff++;
	}
	return next;
}

/* --- idle: keepalive --- */

static bool has_keepalive(const struct lp_look *l)
{
	return (l->known & LP_KNOWN_TIMERS) && (l->known & LP_KNOWN_HEARD) && (l->flags & LP_F_KEEPOPEN) &&
	       !(l->flags & LP_F_DEAD) && l->state != TCP_CLOSE && l->state != TCP_SYN_SENT && l->state != TCP_SYN_RECV;
}

/* Since the peer was heard, when probe number `n`, from 0, is sent. */
static long long probe_at(const struct lp_look *l, unsigned n)
{
	return (long long)l->keepalive_time_ms + (long long)n * l->keepalive_interval_ms;
}

static long long until_keepalive_ends(const struct lp_look *l)
{
	__u32 interval = l->keepalive_interval_ms, beyond;
	unsigned n = l->probes_out, last = l->keepalive_probes;

	if (!has_keepalive(l) || !n || !interval)
		return UNKNOWN;
	if (l->user_timeout_ms) { /* the first look at it, of one each interval, when that has passed */
		beyond = l->user_timeout_ms > l->keepalive_time_ms ? l->user_timeout_ms - l->keepalive_time_ms : 0;
		last = beyond / interval + (beyond % interval != 0);
	}
	if (n < last)
		n = last;
	return not_past(probe_at(l, n) - l->heard_ms);
}

long long giveup_next_probe_ms(const struct lp_look *l)
{
	if (!has_keepalive(l) || l->snd_una != l->write_seq) /* data of ours is answered without */
		return UNKNOWN;
	return not_past(probe_at(l, l->probes_out) - l->heard_ms);
}

long long giveup_ms(const struct lp_look *l)
{
	if (!(l->known & LP_KNOWN_TIMERS) || l->state == TCP_CLOSE || l->state == TCP_SYN_RECV)
		return UNKNOWN;
	if (l->state == TCP_SYN_SENT)
		return until_connect_ends(l);
	if (l->snd_nxt != l->snd_una)
		return until_retransmissions_end(l);
	if (l->write_seq != l->snd_nxt)
		return until_probes_end(l);
	return until_keepalive_ends(l);
}
