/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events that wait for their owner: for the evidence that the owner rule needs (owner.h), and before that up to a
 * millisecond for the RST that may join a close. Each event that goes in comes back exactly once, with its owner.
 *
 * At most PENDING_MAX events wait; a new one then pushes out the oldest, which gets no further evidence. One walk over
 * all processes serves all that wait, four times a second at most; searches of single processes take at most a fifth of
 * the time.
 */
#ifndef LOSTPEER_PENDING_H
#define LOSTPEER_PENDING_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"
#include "who/lineage.h"

#define PENDING_MAX 16384

struct kernel;
struct pending_list;

typedef void pending_done(void *context, struct event *event);

/* NULL when out of memory. */
struct pending_list *pending_new(struct kernel *kernel);
void pending_free(struct pending_list *list);

/* Takes the event, finds its owner, and hands both back through done, perhaps before it returns. */
void pending_add(struct pending_list *list, struct event *event, pending_done *done, void *context);
/* A record that adds to a waiting event of its socket: LP_KIND_RESET_SENT, LP_KIND_OWNER, or an event's own record that
 * pending_add() does not get. */
void pending_join(struct pending_list *list, const struct lp_record *record);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void pending_tick(struct pending_list *list, __u64 now_ns);
/* Hands back every event, after one last walk. */
void pending_finish(struct pending_list *list);

/* When pending_tick() has work: CLOCK_MONOTONIC; 0: nothing waits. */
__u64 pending_deadline(const struct pending_list *list);
/* What the kernel remembers of processes. */
struct lineage pending_lineage(const struct pending_list *list);
unsigned pending_count(const struct pending_list *list);

#endif
