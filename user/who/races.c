/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/races.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "event/task.h"
#include "kernel/remembered.h"
#include "kernel/sockets.h"

#define NEXT_NS (100 * CLOCK_MS) /* who races one address after the other tries the next within this time */
#define LONGEST_NS CLOCK_SECOND  /* the first timeout of a SYN: after it, another SYN is sent */
#define WALK_INTERVAL_NS (20 * CLOCK_MS)
#define WALK_SHARE 50 /* walks take at most this part of the time */

struct attempt {
	TAILQ_ENTRY(attempt) in_order;
	struct event *event;
	__u64 until_ns;
	bool due;      /* in this walk */
	bool rivalled; /* this walk found another attempt */
};

struct races {
	struct kernel *kernel;
	races_done *done;
	void *context;
	TAILQ_HEAD(, attempt) waiting;
	unsigned count;
	__u64 next_walk_ns;
};

struct races *races_new(struct kernel *kernel, races_done *done, void *context)
{
	struct races *races = calloc(1, sizeof(*races));

	if (!races)
		return NULL;
	races->kernel = kernel;
	races->done = done;
	races->context = context;
	TAILQ_INIT(&races->waiting);
	return races;
}

/* The caller owns the event from here on. */
static struct event *take_out(struct races *races, struct attempt *a)
{
	struct event *event = a->event;

	TAILQ_REMOVE(&races->waiting, a, in_order);
	races->count--;
	free(a);
	return event;
}

void races_free(struct races *races)
{
	struct attempt *a;

	while (races && (a = TAILQ_FIRST(&races->waiting)))
		event_free(take_out(races, a));
	free(races);
}

static void hand_back(struct races *races, struct event *event, bool lost)
{
	if (lost)
		event_lose_race(event);
	races->done(races->context, event);
}

bool races_concern(const struct event *e)
{
	return e->verdict.cause == CONNECT_FAILED_ABANDONED && !e->record->socket.total_retrans && e->owner.via;
}

static bool has_winner(const struct races *races, const struct event *e)
{
	const struct lp_record *r = e->record;

	return remembered_won(races->kernel, e->owner.process.tgid, r->socket.peer_port,
			      r->born_ns ? r->born_ns : r->time_ns);
}

void races_add(struct races *races, struct event *event)
{
	struct attempt *a = NULL;
	bool won = has_winner(races, event);

	if (!won && !event->owner.process.exiting) /* who exits tries nothing more */
		a = calloc(1, sizeof(*a));
	if (!a) { /* or out of memory */
		hand_back(races, event, won);
		return;
	}
	if (races->count == RACES_MAX)
		hand_back(races, take_out(races, TAILQ_FIRST(&races->waiting)), false);
	a->event = event;
	a->until_ns = event->record->time_ns + NEXT_NS;
	TAILQ_INSERT_TAIL(&races->waiting, a, in_order);
	races->count++;
}

/* --- other attempts --- */

static bool is_rival(const struct event *e, const struct lp_record *other)
{
	const struct lp_record *r = e->record;

	return other->socket.peer_port == r->socket.peer_port && other->socket.sk != r->socket.sk &&
	       other->born_ns <= r->time_ns + NEXT_NS && task_is_same(&other->task, &e->owner.process);
}

static void note_attempt(void *context, const struct lp_record *other)
{
	const struct races *races = context;
	struct attempt *a;

	TAILQ_FOREACH(a, &races->waiting, in_order)
		if (a->due && is_rival(a->event, other))
			a->rivalled = true;
}

/* Marks those that are due; hands back the winners' losers. Returns whether any is left. */
static bool gather(struct races *races, __u64 now_ns)
{
	struct attempt *a, *next;
	bool any = false;

	for (a = TAILQ_FIRST(&races->waiting); a; a = next) {
		next = TAILQ_NEXT(a, in_order);
		a->rivalled = false;
		a->due = now_ns >= a->until_ns;
		if (has_winner(races, a->event))
			hand_back(races, take_out(races, a), true);
		else if (a->due)
			any = true;
	}
	return any;
}

static void settle(struct races *races, struct attempt *a)
{
	__u64 longest = a->event->record->time_ns + LONGEST_NS;

	if (a->rivalled && a->until_ns < longest)
		a->until_ns = longest;
	else
		hand_back(races, take_out(races, a), a->rivalled);
}

void races_tick(struct races *races, __u64 now_ns)
{
	struct attempt *a, *next;
	__u64 began, took;

	if (now_ns < races->next_walk_ns || !gather(races, now_ns))
		return;
	began = clock_monotonic_ns();
	sockets_look_at_all(races->kernel, 1u << TCP_SYN_SENT, note_attempt, races);
	took = clock_monotonic_ns() - began;
	races->next_walk_ns = began + (took * WALK_SHARE > WALK_INTERVAL_NS ? took * WALK_SHARE : WALK_INTERVAL_NS);
	for (a = TAILQ_FIRST(&races->waiting); a; a = next) {
		next = TAILQ_NEXT(a, in_order);
		if (a->due)
			settle(races, a);
	}
}

void races_finish(struct races *races)
{
	struct attempt *a;

	while ((a = TAILQ_FIRST(&races->waiting))) {
		bool won = has_winner(races, a->event);

		hand_back(races, take_out(races, a), won);
	}
}

__u64 races_deadline(const struct races *races)
{
	const struct attempt *a;
	__u64 earliest = 0;

	TAILQ_FOREACH(a, &races->waiting, in_order)
		earliest = clock_earlier(earliest, a->until_ns);
	return earliest && earliest < races->next_walk_ns ? races->next_walk_ns : earliest;
}
