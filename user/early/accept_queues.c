/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/accept_queues.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "early/early.h"
#include "kernel/sockets.h"

#define LOOK_NS CLOCK_SECOND
#define FIRST_REPEAT_NS (10 * CLOCK_SECOND)

/* What one of a listener's queues did. */
struct away {
	__u64 count;    /* of peers turned away since the last event */
	__u64 since_ns; /* of the last event, or when the queue was full first */
	__u64 next_ns;  /* no event before this */
	__u64 interval_ns;
};

/* A listener that has, or had, a full queue. */
struct queue {
	LIST_ENTRY(queue) in_all;
	__u64 sk;
	__u32 queues;            /* which: bits of enum lp_queue */
	bool listed;             /* keep it for the next look */
	bool shared;             /* its namespace has been shared out in this round */
	__u32 drops;             /* lp_socket.drops at the last look, or when it was listed */
	__u32 more;              /* drops since then */
	struct lp_filled filled; /* at the last round; refused is 0 before the first */
	__u32 refused;           /* for their signature, since then; not among `more` */
	__u64 full_ns;           /* of the last look that found it full or overflowing, or when it was listed */
	struct away away[LP_QUEUE_REASONS];
	struct lp_record look; /* kind 0: it is gone */
};

struct accept_queues {
	struct kernel *kernel;
	const struct early_calls *calls;
	LIST_HEAD(, queue) all;
	__u64 now_ns;
	__u64 next_ns; /* 0: nothing is listed */
};

static const enum lp_cause causes[LP_QUEUE_REASONS] = {ACCEPT_DROPPED_QUEUE_FULL, ACCEPT_DROPPED_SYN_QUEUE_FULL,
						       ACCEPT_DROPPED_BAD_SIGNATURE};

static struct queue *find(struct accept_queues *q, __u64 sk)
{
	struct queue *queue;

	LIST_FOREACH(queue, &q->all, in_all)
		if (queue->sk == sk)
			break;
	return queue;
}

static void note_listed(struct accept_queues *q, const struct sockets_filled *item)
{
	struct queue *queue = find(q, item->sk);

	if (!queue) {
		queue = calloc(1, sizeof(*queue));
		if (!queue)
			return; /* the next look finds it again */
		queue->sk = item->sk;
		queue->drops = item->filled.drops;
		queue->full_ns = item->filled.since_ns;
		for (int i = 0; i < LP_QUEUE_REASONS; i++)
			queue->away[i].since_ns = item->filled.since_ns;
		LIST_INSERT_HEAD(&q->all, queue, in_all);
	}
	queue->queues |= item->filled.queues;
	queue->refused = item->filled.refused - queue->filled.refused;
	queue->filled = item->filled;
}

static bool is_full(const struct lp_socket *s)
{
	return s->ack_backlog > s->max_ack_backlog; /* sk_acceptq_is_full() */
}

/* --- how many --- */

static __u64 part_of(__u64 count, __u64 more, __u64 drops)
{
	return drops ? count * more / drops : 0;
}

/* What one namespace's listeners turned away since the last look. Of several that may have, each gets its part of that
 * by what it dropped. Only a full accept queue with a drop can have. false: nobody can. */
static bool share(struct accept_queues *q, __u32 netns, enum lp_queue which, __u64 count)
{
	struct queue *queue;
	__u64 drops = 0;
	unsigned n = 0;

	LIST_FOREACH(queue, &q->all, in_all) {
		if (queue->look.kind && queue->look.socket.netns == netns && (queue->queues & 1u << which)) {
			drops += queue->more;
			n += queue->more || which == LP_QUEUE_SYN;
		}
	}
	LIST_FOREACH(queue, &q->all, in_all) {
		if (!queue->look.kind || queue->look.socket.netns != netns || !(queue->queues & 1u << which))
			continue;
		if (n == 1 && (queue->more || which == LP_QUEUE_SYN))
			queue->away[which].count += count;
		else if (n > 1)
			queue->away[which].count += part_of(count, queue->more, drops);
		queue->full_ns = queue->more ? q->now_ns : queue->full_ns;
	}
	return n == 1 || (n > 1 && drops);
}

/* By the kernel's counters of the namespace. A SYN queue is noticed after it overflowed, so what nobody can have dropped
 * yet is left for the next look. */
static void share_out(struct accept_queues *q, const struct lp_socket *s)
{
	struct lp_turned_away now = {{s->overflows, s->syn_drops}}, seen;

	if (!sockets_turned_away(q->kernel, s->netns, &seen))
		seen = now;
	if (now.count[LP_QUEUE_ACCEPT] > seen.count[LP_QUEUE_ACCEPT])
		share(q, s->netns, LP_QUEUE_ACCEPT, now.count[LP_QUEUE_ACCEPT] - seen.count[LP_QUEUE_ACCEPT]);
	if (now.count[LP_QUEUE_SYN] > seen.count[LP_QUEUE_SYN] &&
	    !share(q, s->netns, LP_QUEUE_SYN, now.count[LP_QUEUE_SYN] - seen.count[LP_QUEUE_SYN]))
		now.count[LP_QUEUE_SYN] = seen.count[LP_QUEUE_SYN];
	sockets_set_turned_away(q->kernel, s->netns, &now);
}

static void count(struct accept_queues *q, struct queue *queue)
{
	const struct lp_socket *s = &queue->look.socket;
	struct queue *other;

	if (!(s->known & LP_KNOWN_TURNED_AWAY)) { /* only while it is found full: else drops may have another reason */
		queue->away[LP_QUEUE_ACCEPT].count += is_full(s) ? queue->more : 0;
		return;
	}
	if (queue->shared)
		return;
	LIST_FOREACH(other, &q->all, in_all)
		other->shared |= other->look.socket.netns == s->netns;
	share_out(q, s);
}

/* --- events --- */

/* Who sent the segments, if they came from one address, and what was wrong with them, if it was one thing. */
static void add_signature(struct event *event, const struct lp_filled *filled)
{
	if (!filled->several_sources)
		memcpy(event_record(event)->socket.peer_addr, filled->source_addr, sizeof(filled->source_addr));
	for (enum lp_signature i = LP_SIGNATURE_NONE + 1; i < LP_SIGNATURE_COUNT; i++)
		if (filled->signatures == 1u << i)
			event->refused = (struct refused){i, BY_LOCAL};
}

static void report(struct accept_queues *q, struct queue *queue, enum lp_queue which)
{
	struct away *away = &queue->away[which];
	struct lp_record record = queue->look;
	struct event *event;

	sockets_name(q->kernel, &record);
	/* so that pending.h searches for its owner as for that of a queued child */
	record.socket.flags &= ~(__u32)(LP_F_SOCKET | LP_F_FILE);
	record.who = record.task.tgid ? LP_WHO_LISTENER : LP_WHO_NONE;
	event = event_found(&record, causes[which]);
	if (event) {
		event->repeat.count = away->count;
		event->repeat.first_ns = clock_wall_from_monotonic(away->since_ns);
		event->repeat.last_ns = event->wall_ns;
		if (which == LP_QUEUE_SIGNATURE)
			add_signature(event, &queue->filled);
	}
	away->count = 0;
	away->since_ns = q->now_ns;
	away->interval_ns = away->interval_ns ? away->interval_ns * 2 : FIRST_REPEAT_NS;
	if (away->interval_ns > ACCEPT_QUEUES_REPEAT_MAX_NS)
		away->interval_ns = ACCEPT_QUEUES_REPEAT_MAX_NS;
	away->next_ns = q->now_ns + away->interval_ns;
	if (event)
		q->calls->found(q->calls->context, event);
}

static void judge(struct accept_queues *q, struct queue *queue)
{
	queue->listed = q->now_ns < queue->full_ns + ACCEPT_QUEUES_PATIENCE_NS;
	for (enum lp_queue i = 0; i < LP_QUEUE_REASONS; i++) {
		if (queue->away[i].count && q->now_ns >= queue->away[i].next_ns)
			report(q, queue, i);
		queue->listed |= q->now_ns < queue->away[i].next_ns;
	}
}

/* --- a round --- */

static void take_look(void *context, const struct lp_record *r)
{
	struct accept_queues *q = context;
	struct queue *queue = r->kind ? find(q, r->socket.sk) : NULL;

	if (!queue || (queue->look.kind && queue->look.socket.local_port != r->socket.local_port))
		return; /* the address is another listener's now */
	queue->look = *r;
	queue->listed = true;
	queue->more = r->socket.drops - queue->drops;
	queue->more -= queue->more < queue->refused ? queue->more : queue->refused;
	queue->drops = r->socket.drops;
	queue->away[LP_QUEUE_SIGNATURE].count += queue->refused;
	if (queue->refused)
		queue->full_ns = q->now_ns;
	if (is_full(&r->socket)) {
		queue->full_ns = q->now_ns;
		queue->queues |= 1u << LP_QUEUE_ACCEPT;
	}
}

/* A listener that the look did not find is gone. */
static void drop_unlisted(struct accept_queues *q)
{
	struct queue *queue, *next;

	for (queue = LIST_FIRST(&q->all); queue; queue = next) {
		next = LIST_NEXT(queue, in_all);
		if (queue->listed)
			continue;
		sockets_forget_filled(q->kernel, queue->sk);
		LIST_REMOVE(queue, in_all);
		free(queue);
	}
}

static void look_round(struct accept_queues *q)
{
	static struct sockets_filled filled[LP_QUEUES_MAX]; /* 48 KiB: not for the stack */
	static __u64 sockets[LP_QUEUES_MAX];
	struct queue *queue;
	size_t n = 0, found;

	sockets_list_filled(q->kernel, filled, LP_QUEUES_MAX, &found);
	for (size_t i = 0; i < found; i++)
		note_listed(q, &filled[i]);
	LIST_FOREACH(queue, &q->all, in_all) {
		queue->listed = queue->shared = false; /* unless the look finds it */
		if (n < LP_QUEUES_MAX)
			sockets[n++] = queue->sk;
	}
	sockets_look_at(q->kernel, sockets, n, 1u << TCP_LISTEN, take_look, q);
	drop_unlisted(q);
	LIST_FOREACH(queue, &q->all, in_all)
		count(q, queue);
	LIST_FOREACH(queue, &q->all, in_all)
		judge(q, queue);
	drop_unlisted(q);
}

struct accept_queues *accept_queues_new(struct kernel *kernel, const struct early_calls *calls)
{
	struct accept_queues *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->kernel = kernel;
	q->calls = calls;
	return q;
}

void accept_queues_free(struct accept_queues *q)
{
	struct queue *queue;

	while (q && (queue = LIST_FIRST(&q->all))) {
		LIST_REMOVE(queue, in_all);
		free(queue);
	}
	free(q);
}

void accept_queues_seed(struct accept_queues *q, const struct lp_record *look)
{
	struct lp_filled filled = {
		.since_ns = look->time_ns, .drops = look->socket.drops, .queues = 1u << LP_QUEUE_ACCEPT};
	struct lp_turned_away away = {{look->socket.overflows, look->socket.syn_drops}};

	if (look->socket.state != TCP_LISTEN)
		return;
	if (look->socket.known & LP_KNOWN_TURNED_AWAY)
		sockets_set_turned_away(q->kernel, look->socket.netns, &away);
	if (!is_full(&look->socket))
		return;
	sockets_add_filled(q->kernel, look->socket.sk, &filled);
	sockets_alarms(q->kernel)->queues = 1;
}

void accept_queues_tick(struct accept_queues *q, __u64 now_ns)
{
	volatile struct lp_alarms *alarms = sockets_alarms(q->kernel);

	if (!q->next_ns && alarms->queues) /* a queue that is full for a moment is no news */
		q->next_ns = now_ns + LOOK_NS;
	if (!q->next_ns || now_ns < q->next_ns)
		return;
	q->now_ns = now_ns;
	alarms->queues = 0; /* from here on a full queue wakes the agent again */
	look_round(q);
	q->next_ns = !LIST_EMPTY(&q->all) ? now_ns + LOOK_NS : 0;
	if (q->next_ns) /* the deadline wakes the agent anyway */
		alarms->queues = 1;
}

__u64 accept_queues_deadline(const struct accept_queues *q)
{
	return q->next_ns;
}
