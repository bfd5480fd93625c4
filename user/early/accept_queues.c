/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/accept_queues.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "early/early.h"
#include "kernel/sockets.h"

#define LOOK_NS CLOCK_SECOND
#define FIRST_REPEAT_NS (10 * CLOCK_SECOND)

/* A listener whose accept queue was filled. */
struct queue {
	LIST_ENTRY(queue) in_all;
	__u64 sk;
	__u16 port;
	bool listed;      /* keep it for the next look */
	__u32 drops;      /* lp_socket.drops at the last event, or when the queue was filled */
	__u32 full_drops; /* lp_socket.drops at the last look that found it full */
	__u64 since_ns;
	__u64 full_ns; /* of the last look that found it full, or when it was filled */
	__u64 next_ns; /* no event before this */
	__u64 interval_ns;
};

struct accept_queues {
	struct kernel *kernel;
	const struct early_calls *calls;
	LIST_HEAD(, queue) all;
	__u64 now_ns;
	__u64 next_ns; /* 0: nothing is listed */
};

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
		*queue = (struct queue){
			.sk = item->sk,
			.drops = item->filled.drops,
			.full_drops = item->filled.drops,
			.since_ns = item->filled.since_ns,
			.full_ns = item->filled.since_ns,
		};
		LIST_INSERT_HEAD(&q->all, queue, in_all);
	}
	queue->listed = true;
}

static bool is_full(const struct lp_socket *s)
{
	return s->ack_backlog > s->max_ack_backlog; /* sk_acceptq_is_full() */
}

static void report(struct accept_queues *q, struct queue *queue, const struct lp_record *look)
{
	struct lp_record record = *look;
	struct event *event;

	sockets_name(q->kernel, &record);
	/* so that pending.h searches for its owner as for that of a queued child */
	record.socket.flags &= ~(__u32)(LP_F_SOCKET | LP_F_FILE);
	record.who = record.task.tgid ? LP_WHO_LISTENER : LP_WHO_NONE;
	event = event_found(&record, ACCEPT_DROPPED_QUEUE_FULL);
	if (event) {
		event->repeat.count = queue->full_drops - queue->drops;
		event->repeat.first_ns = clock_wall_from_monotonic(queue->since_ns);
		event->repeat.last_ns = event->wall_ns;
	}
	queue->drops = queue->full_drops;
	queue->since_ns = q->now_ns;
	queue->interval_ns = queue->interval_ns ? queue->interval_ns * 2 : FIRST_REPEAT_NS;
	if (queue->interval_ns > ACCEPT_QUEUES_REPEAT_MAX_NS)
		queue->interval_ns = ACCEPT_QUEUES_REPEAT_MAX_NS;
	queue->next_ns = q->now_ns + queue->interval_ns;
	if (event)
		q->calls->found(q->calls->context, event);
}

static void take_look(void *context, const struct lp_record *r)
{
	struct accept_queues *q = context;
	struct queue *queue = r->kind ? find(q, r->socket.sk) : NULL;

	if (!queue || (queue->port && queue->port != r->socket.local_port))
		return;
	queue->port = r->socket.local_port;
	if (is_full(&r->socket)) {
		queue->full_ns = q->now_ns;
		queue->full_drops = r->socket.drops;
	}
	if (queue->full_drops != queue->drops && q->now_ns >= queue->next_ns)
		report(q, queue, r);
	queue->listed = q->now_ns < queue->full_ns + ACCEPT_QUEUES_PATIENCE_NS || q->now_ns < queue->next_ns;
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
	static struct sockets_filled filled[LP_QUEUES_MAX]; /* 24 KiB: not for the stack */
	static __u64 sockets[LP_QUEUES_MAX];
	struct queue *queue;
	size_t n = 0, found;

	sockets_list_filled(q->kernel, filled, LP_QUEUES_MAX, &found);
	for (size_t i = 0; i < found; i++)
		note_listed(q, &filled[i]);
	LIST_FOREACH(queue, &q->all, in_all) {
		if (n == LP_QUEUES_MAX)
			break;
		sockets[n++] = queue->sk;
		queue->listed = false; /* unless the look finds it */
	}
	sockets_look_at(q->kernel, sockets, n, 1u << TCP_LISTEN, take_look, q);
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
	struct lp_filled filled = {.since_ns = look->time_ns, .drops = look->socket.drops};

	if (look->socket.state != TCP_LISTEN || !is_full(&look->socket))
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
