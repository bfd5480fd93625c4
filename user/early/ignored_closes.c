/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/ignored_closes.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"
#include "event/task.h"
#include "event/verdicts.h"
#include "early/early.h"
#include "kernel/sockets.h"
#include "who/pending.h"
#include "who/process.h"

#define ASKING_MAX 8192 /* half of PENDING_MAX */
#define WALK_SHARE 20   /* a look at all connections takes at most this part of the time */

struct holder;

/* A connection in CLOSE_WAIT that is ripe, or whose age proves nothing because of keepalive. */
struct close {
	struct table_link by_sk;
	LIST_ENTRY(close) in_all, in_holder;
	struct holder *holder; /* NULL: not ripe, or not known yet */
	struct lp_record record;
	__u64 since_ns; /* nothing has moved since then, at least */
	unsigned walk;  /* the last walk that saw it */
	bool ripe;
	bool asked;
	bool unwanted;
};

/* The subject of an event: a process, or the unknown holders of connections of one local port. What a process accepted
 * and what still waits in its accept queue are two subjects: it holds the former, and listens for the latter. */
struct holder {
	LIST_ENTRY(holder) in_all;
	struct owner owner;
	bool unaccepted;
	__u32 netns;
	__u16 port;
	unsigned count; /* of its connections that are ripe */
	LIST_HEAD(, close) closes;
	__u64 next_ns;     /* of the next event */
	__u64 interval_ns; /* 0: no event yet */
};

struct ignored_closes {
	struct kernel *kernel;
	__u64 after_ns;
	const struct early_calls *calls;
	LIST_HEAD(, holder) holders;
	LIST_HEAD(, close) closes;
	unsigned count;  /* of closes */
	unsigned asking; /* whose holder pending.h searches for */
	bool unasked;    /* more connections need their holder */
	unsigned walk;
	__u64 now_ns; /* of the walk */
	__u64 walked_ns, took_ns;
	__u64 next_walk_ns; /* 0: none */
	__u64 lost, lost_now;
	struct table table;
};

/* --- the table --- */

static void leave_holder(struct close *c)
{
	struct holder *holder = c->holder;

	if (!holder)
		return;
	LIST_REMOVE(c, in_holder);
	c->holder = NULL;
	if (--holder->count)
		return;
	LIST_REMOVE(holder, in_all);
	free(holder);
}

static void forget(struct ignored_closes *g, struct close *c)
{
	leave_holder(c);
	table_remove(&g->table, c);
	LIST_REMOVE(c, in_all);
	g->asking -= c->asked;
	g->count--;
	free(c);
}

static struct close *remember(struct ignored_closes *g, __u64 sk)
{
	struct close *c = g->count < IGNORED_CLOSES_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		g->lost_now++;
		return NULL;
	}
	table_add(&g->table, c, sk);
	LIST_INSERT_HEAD(&g->closes, c, in_all);
	g->count++;
	return c;
}

/* --- one look --- */

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* Since this end sent data, or heard from the peer. */
static __u64 idle_ns(const struct lp_socket *s)
{
	__u64 idle_ms = (__u64)s->heard_ms;

	if (s->known & LP_KNOWN_SENT)
		idle_ms = least(idle_ms, (__u64)s->sent_ms);
	return idle_ms * CLOCK_MS;
}

/* The same connection, and nothing has moved. */
static bool is_unmoved(const struct lp_record *before, const struct lp_record *now)
{
	return before->socket.local_port == now->socket.local_port &&
	       before->socket.peer_port == now->socket.peer_port && before->socket.snd_una == now->socket.snd_una &&
	       before->socket.snd_nxt == now->socket.snd_nxt && before->socket.write_seq == now->socket.write_seq;
}

static void walk_before(struct ignored_closes *g, __u64 at_ns)
{
	if (!g->next_walk_ns || at_ns < g->next_walk_ns)
		g->next_walk_ns = at_ns;
}

/* Its holder is another one, or known in another way, once it is accepted. */
static bool was_accepted(const struct lp_record *before, const struct lp_record *now)
{
	return verdicts_is_unaccepted(&before->socket) && !verdicts_is_unaccepted(&now->socket);
}

/* Both ages count from the peer's FIN at most, because the FIN came with an acknowledgement. With keepalive the peer's
 * answers renew the age, though they acknowledge nothing new: then nothing may move from one look to the next. */
static void take_look(void *context, const struct lp_record *r)
{
	struct ignored_closes *g = context;
	struct close *c = table_find(&g->table, r->socket.sk);
	__u64 since = g->now_ns - least(idle_ns(&r->socket), g->now_ns);

	if (c && !is_unmoved(&c->record, r)) {
		forget(g, c);
		c = NULL;
	}
	if (c && c->since_ns < since)
		since = c->since_ns;
	if (since + g->after_ns > g->now_ns)
		walk_before(g, since + g->after_ns);
	if (!c && since + g->after_ns > g->now_ns && !(r->socket.flags & LP_F_KEEPOPEN))
		return; /* the next look knows it by its age */
	if (!c && !(c = remember(g, r->socket.sk)))
		return;
	if (was_accepted(&c->record, r))
		leave_holder(c);
	c->record = *r;
	c->since_ns = since;
	c->walk = g->walk;
	c->ripe = since + g->after_ns <= g->now_ns;
}

/* --- holders --- */

static bool is_of(const struct holder *h, const struct lp_record *r, const struct owner *owner)
{
	if (h->unaccepted != verdicts_is_unaccepted(&r->socket))
		return false;
	if (owner->via)
		return h->owner.via && task_is_same(&h->owner.process, &owner->process);
	return !h->owner.via && h->owner.unknown == owner->unknown && h->netns == r->socket.netns &&
	       h->port == r->socket.local_port;
}

static struct holder *holder_of(struct ignored_closes *g, const struct lp_record *r, const struct owner *owner)
{
	struct holder *h;

	LIST_FOREACH(h, &g->holders, in_all)
		if (is_of(h, r, owner))
			return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->owner = *owner;
	h->unaccepted = verdicts_is_unaccepted(&r->socket);
	h->netns = r->socket.netns;
	h->port = r->socket.local_port;
	LIST_INSERT_HEAD(&g->holders, h, in_all);
	return h;
}

static void join_holder(struct ignored_closes *g, struct close *c, const struct owner *owner)
{
	c->holder = holder_of(g, &c->record, owner);
	if (!c->holder)
		return; /* out of memory: the next walk asks again */
	LIST_INSERT_HEAD(&c->holder->closes, c, in_holder);
	c->holder->count++;
}

static void note_holder(void *context, struct event *event)
{
	struct ignored_closes *g = context;
	struct close *c = table_find(&g->table, event->record->socket.sk);

	if (c && c->asked && is_unmoved(&c->record, event->record)) {
		c->asked = false;
		g->asking--;
		if (was_accepted(event->record, &c->record))
			g->unasked = true;
		else
			join_holder(g, c, &event->owner);
	}
	event_free(event);
}

/* The answer may come at once. */
static void ask(struct ignored_closes *g, struct close *c)
{
	struct event *event = event_found(&c->record, CLOSE_IGNORED_CLOSE_WAIT);

	if (event && g->calls->wants(g->calls->context, event)) {
		c->asked = true;
		g->asking++;
		pending_add(g->calls->pending, event, note_holder, g);
		return;
	}
	c->unwanted = event != NULL; /* otherwise the next walk asks again */
	event_free(event);
}

static void ask_all(struct ignored_closes *g)
{
	struct close *c;

	g->unasked = false;
	LIST_FOREACH(c, &g->closes, in_all) {
		if (!c->ripe || c->holder || c->asked || c->unwanted)
			continue;
		g->unasked = g->asking == ASKING_MAX;
		if (g->unasked)
			break;
		ask(g, c);
	}
}

/* A process that is gone may have left its connections to another. */
static void leave_gone(struct ignored_closes *g)
{
	struct holder *h, *next;

	for (h = LIST_FIRST(&g->holders); h; h = next) {
		next = LIST_NEXT(h, in_all);
		if (!h->owner.via || process_lives(&h->owner.process))
			continue;
		for (unsigned n = h->count; n; n--)
			leave_holder(LIST_FIRST(&h->closes));
	}
}

/* --- events --- */

static const struct close *oldest_of(const struct holder *h)
{
	const struct close *oldest = LIST_FIRST(&h->closes), *c;

	LIST_FOREACH(c, &h->closes, in_holder)
		if (c->since_ns < oldest->since_ns)
			oldest = c;
	return oldest;
}

static void report(struct ignored_closes *g, struct holder *h, __u64 now_ns)
{
	struct lp_record record = oldest_of(h)->record;
	struct event *event;

	record.time_ns = now_ns;
	event = event_found(&record, CLOSE_IGNORED_CLOSE_WAIT);
	h->interval_ns = h->interval_ns ? least(h->interval_ns * 2, IGNORED_CLOSES_REPEAT_MAX_NS) : g->after_ns;
	h->next_ns = now_ns + h->interval_ns;
	if (!event)
		return;
	event->owner = h->owner;
	event->connections = h->count;
	g->calls->tell(g->calls->context, event);
}

static __u64 next_report(const struct ignored_closes *g)
{
	const struct holder *h;
	__u64 at = 0;

	LIST_FOREACH(h, &g->holders, in_all)
		at = clock_earlier(at, h->interval_ns ? h->next_ns : 0);
	return at;
}

/* Not before all holders of the walk are known, so that the counts are right. */
static void report_due(struct ignored_closes *g, __u64 now_ns)
{
	struct holder *h;

	if (g->asking || g->unasked)
		return;
	LIST_FOREACH(h, &g->holders, in_all)
		if (!h->interval_ns || (h->next_ns <= now_ns && g->walked_ns >= h->next_ns))
			report(g, h, now_ns);
}

/* --- a walk --- */

static void settle(struct ignored_closes *g)
{
	struct close *c, *next;

	for (c = LIST_FIRST(&g->closes); c; c = next) {
		next = LIST_NEXT(c, in_all);
		if (c->walk != g->walk)
			forget(g, c); /* no longer in CLOSE_WAIT */
	}
	leave_gone(g);
	ask_all(g);
}

static void walk(struct ignored_closes *g, __u64 now_ns)
{
	__u64 pause = least(g->after_ns / 8, 5 * CLOCK_SECOND) + 50 * CLOCK_MS;

	sockets_alarms(g->kernel)->fins = 0;
	g->now_ns = now_ns;
	g->next_walk_ns = 0;
	g->walk++;
	g->lost_now = 0;
	sockets_look_at_all(g->kernel, 1u << TCP_CLOSE_WAIT, take_look, g);
	if (g->lost_now > g->lost)
		g->lost = g->lost_now;
	settle(g);
	g->walked_ns = clock_monotonic_ns();
	g->took_ns = g->walked_ns - now_ns;
	if (pause < g->took_ns * WALK_SHARE)
		pause = g->took_ns * WALK_SHARE;
	if (g->next_walk_ns && g->next_walk_ns < g->walked_ns + pause)
		g->next_walk_ns = g->walked_ns + pause;
}

/* --- from outside --- */

struct ignored_closes *ignored_closes_new(struct kernel *kernel, __u64 after_ns, const struct early_calls *calls)
{
	struct ignored_closes *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->kernel = kernel;
	g->after_ns = after_ns;
	g->calls = calls;
	g->next_walk_ns = 1; /* for connections that existed before */
	return g;
}

void ignored_closes_free(struct ignored_closes *g)
{
	while (g && !LIST_EMPTY(&g->closes))
		forget(g, LIST_FIRST(&g->closes));
	free(g);
}

void ignored_closes_tick(struct ignored_closes *g, __u64 now_ns)
{
	__u64 report_ns = next_report(g);

	if (sockets_alarms(g->kernel)->fins)
		walk_before(g, now_ns + g->after_ns);
	if ((g->next_walk_ns && now_ns >= g->next_walk_ns) || (report_ns && now_ns >= report_ns && !g->asking))
		walk(g, now_ns);
	else if (g->unasked && !g->asking)
		ask_all(g);
	report_due(g, clock_monotonic_ns());
}

__u64 ignored_closes_deadline(const struct ignored_closes *g)
{
	__u64 report_ns = g->asking ? 0 : next_report(g); /* pending.h has a deadline then */

	return clock_earlier(g->next_walk_ns, report_ns);
}

__u64 ignored_closes_lost(const struct ignored_closes *g)
{
	return g->lost;
}

unsigned ignored_closes_count(const struct ignored_closes *g)
{
	const struct holder *h;
	unsigned n = 0;

	LIST_FOREACH(h, &g->holders, in_all)
		n += h->count;
	return n;
}
