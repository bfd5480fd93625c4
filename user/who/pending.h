/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What waits: records that cannot be told yet, for the RST that may join them (a millisecond) or for the evidence
 * that the owner rule asks for. Each record handed in comes out exactly once, through `done`.
 *
 * Bounded: PENDING_MAX records; when full the oldest is told with what is known of it.
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

/* reset_after: a RST of ours followed the close (see cause_judge). record and owner live until it returns. */
typedef void pending_done(void *context, const struct lp_record *record, bool reset_after, const struct owner *owner);

/* NULL when out of memory. */
struct pending_list *pending_new(struct kernel *kernel, pending_done *done, void *context);
void pending_free(struct pending_list *list);

/* Takes a copy of a record that stands for an event; may call done at once. */
void pending_add(struct pending_list *list, const struct lp_record *record);
/* A LP_KIND_RESET_SENT or LP_KIND_OWNER record, or one that is not added: joins what it belongs to, if that still
 * waits. */
void pending_join(struct pending_list *list, const struct lp_record *record);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void pending_tick(struct pending_list *list, __u64 now_ns);
/* Tells everything that waits, after one last walk. */
void pending_finish(struct pending_list *list);

/* When pending_tick() has work: CLOCK_MONOTONIC; 0: nothing waits. */
__u64 pending_deadline(const struct pending_list *list);
unsigned pending_count(const struct pending_list *list);

#endif
