/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What waits: events that cannot be told yet, for the RST that may join them (a millisecond) or for the evidence
 * that the owner rule asks for. Each that is handed in is handed back exactly once, with its owner.
 *
 * Bounded: PENDING_MAX events; when full the oldest is handed back with what is known of it.
 * Walks over all processes are shared by all that waits, four a second at most; looks at one process take no more
 * than a fifth of the time.
 */
#ifndef LOSTPEER_PENDING_H
#define LOSTPEER_PENDING_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"

#define PENDING_MAX 16384

struct kernel;
struct pending_list;

typedef void pending_done(void *context, struct event *event);

/* NULL when out of memory. */
struct pending_list *pending_new(struct kernel *kernel);
void pending_free(struct pending_list *list);

/* Takes an event, whose owner is asked for; may call done, whose it is then, at once. */
void pending_add(struct pending_list *list, struct event *event, pending_done *done, void *context);
/* A LP_KIND_RESET_SENT or LP_KIND_OWNER record, or one that is not added: joins what it belongs to, if that still
 * waits. */
void pending_join(struct pending_list *list, const struct lp_record *record);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void pending_tick(struct pending_list *list, __u64 now_ns);
/* Hands back everything, after one last walk. */
void pending_finish(struct pending_list *list);

/* When pending_tick() has work: CLOCK_MONOTONIC; 0: nothing waits. */
__u64 pending_deadline(const struct pending_list *list);
unsigned pending_count(const struct pending_list *list);

#endif
