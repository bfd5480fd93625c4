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
#ifndef LOSTPEER_IGNORED_H
#define LOSTPEER_IGNORED_H

#include "base/clock.h"
#include "event/event.h"
#include "record.h"

#define IGNORED_CLOSES_MAX 65536
#define IGNORED_CLOSES_REPEAT_MAX_NS (3600 * CLOCK_SECOND)

struct ignored_closes;
struct kernel;

/* ask: who holds this (LP_KIND_IGNORED, holds 0)? The answer is for ignored_closes_note(). False: nobody wants to know of it.
 * tell: the event, holds above 0. */
typedef bool ignored_closes_ask(void *context, const struct lp_record *record);
typedef void ignored_closes_tell(void *context, const struct lp_record *record, const struct owner *owner);

/* NULL when out of memory. */
struct ignored_closes *ignored_closes_new(struct kernel *kernel, __u64 after_ns, ignored_closes_ask *ask,
					  ignored_closes_tell *tell, void *context);
void ignored_closes_free(struct ignored_closes *ignored);

/* Who holds the connection that was asked for. */
void ignored_closes_note(struct ignored_closes *ignored, const struct lp_record *record, const struct owner *owner);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void ignored_closes_tick(struct ignored_closes *ignored, __u64 now_ns);
__u64 ignored_closes_deadline(const struct ignored_closes *ignored); /* CLOCK_MONOTONIC; 0: no peer has closed */
__u64 ignored_closes_lost(const struct ignored_closes *ignored);
/* Connections whose close has been ignored for the threshold. */
unsigned ignored_closes_count(const struct ignored_closes *ignored);

#endif
