/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closes that nobody noticed: connections in CLOSE_WAIT of which our side has sent nothing, and had nothing
 * acknowledged, within a threshold; by the process that holds them, which is told once, and again after as long, twice
 * as long, four times as long, ... (up to IGNORED_CLOSES_REPEAT_MAX_NS), with how many it holds by then.
 *
 * No timer a connection: the kernel side wakes the agent for the first FIN after a look (bpf/silent.h), and there is one
 * deadline, for a look at all connections when the oldest that was seen in CLOSE_WAIT can have waited enough. Where no
 * peer closes there is none.
 *
 * Bounded: IGNORED_CLOSES_MAX connections are remembered; more are counted as lost (ignored_closes_lost()).
 */
#ifndef LOSTPEER_IGNORED_CLOSES_H
#define LOSTPEER_IGNORED_CLOSES_H

#include "base/clock.h"
#include "event/event.h"
#include "record.h"

#define IGNORED_CLOSES_MAX 65536
#define IGNORED_CLOSES_REPEAT_MAX_NS (3600 * CLOCK_SECOND)

struct early_calls;
struct ignored_closes;
struct kernel;

/* NULL when out of memory. */
struct ignored_closes *ignored_closes_new(struct kernel *kernel, __u64 after_ns, const struct early_calls *calls);
void ignored_closes_free(struct ignored_closes *ignored);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void ignored_closes_tick(struct ignored_closes *ignored, __u64 now_ns);
__u64 ignored_closes_deadline(const struct ignored_closes *ignored); /* CLOCK_MONOTONIC; 0: no peer has closed */
__u64 ignored_closes_lost(const struct ignored_closes *ignored);
/* Connections whose close has been ignored for the threshold. */
unsigned ignored_closes_count(const struct ignored_closes *ignored);

#endif
