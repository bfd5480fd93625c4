/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lost before accept: listeners whose accept queue is full, and how many peers they turned away.
 *
 * The kernel side lists a listener when the connection comes that fills its queue, and wakes the agent for the first
 * (bpf/silent.h). The agent looks at those that are listed once a second. What the kernel drops at a listener it counts in
 * sk_drops; counted here is what was dropped from when the queue was filled until it is found full again. A queue that
 * is not found full for ACCEPT_QUEUES_PATIENCE_NS is forgotten, whatever was dropped: that need not have been for the queue.
 *
 * Told a second after that, then as long as it goes on after 10, 20, 40, ... seconds, up to ACCEPT_QUEUES_REPEAT_MAX_NS, for what came since.
 *
 * Bounded by the list, LP_QUEUES_MAX: what finds no room is counted there.
 */
#ifndef LOSTPEER_ACCEPT_QUEUES_H
#define LOSTPEER_ACCEPT_QUEUES_H

#include "base/clock.h"
#include "record.h"

#define ACCEPT_QUEUES_PATIENCE_NS (10 * CLOCK_SECOND)
#define ACCEPT_QUEUES_REPEAT_MAX_NS (320 * CLOCK_SECOND)

struct accept_queues;
struct early_calls;
struct kernel;

/* NULL when out of memory. */
struct accept_queues *accept_queues_new(struct kernel *kernel, const struct early_calls *calls);
void accept_queues_free(struct accept_queues *queues);

/* A listener that existed before the agent, which is listed if its queue is full. */
void accept_queues_seed(struct accept_queues *queues, const struct lp_record *look);
/* Looks at what is listed. now_ns: CLOCK_MONOTONIC. */
void accept_queues_tick(struct accept_queues *queues, __u64 now_ns);
__u64 accept_queues_deadline(const struct accept_queues *queues); /* CLOCK_MONOTONIC; 0: nothing is listed */

#endif
