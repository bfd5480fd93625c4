/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closes that nobody noticed: connections in CLOSE_WAIT of which our side has sent nothing, and had nothing
 * acknowledged, within a threshold; by the process that holds them, which is told once, and again after as long, twice
 * as long, four times as long, ... (up to IGNORED_REPEAT_MAX_NS), with how many it holds by then.
 *
 * No timer a connection: the kernel side wakes the agent for the first FIN after a look (bpf/silent.h), and there is one
 * deadline, for a look at all connections when the oldest that was seen in CLOSE_WAIT can have waited enough. Where no
 * peer closes there is none.
 *
 * Bounded: IGNORED_MAX connections are remembered; more are counted as lost (ignored_lost()).
 */
#ifndef LOSTPEER_IGNORED_H
#define LOSTPEER_IGNORED_H

#include "event/event.h"
#include "record.h"

#define IGNORED_MAX 65536
#define IGNORED_REPEAT_MAX_NS 3600000000000ULL

struct ignored;
struct kernel;

/* ask: who holds this (LP_KIND_IGNORED, holds 0)? The answer is for ignored_note(). False: nobody wants to know of it.
 * tell: the event, holds above 0. */
typedef bool ignored_ask(void *context, const struct lp_record *record);
typedef void ignored_tell(void *context, const struct lp_record *record, const struct owner *owner);

/* NULL when out of memory. */
struct ignored *ignored_new(struct kernel *kernel, __u64 after_ns, ignored_ask *ask, ignored_tell *tell, void *context);
void ignored_free(struct ignored *ignored);

/* Who holds the connection that was asked for. */
void ignored_note(struct ignored *ignored, const struct lp_record *record, const struct owner *owner);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void ignored_tick(struct ignored *ignored, __u64 now_ns);
__u64 ignored_deadline(const struct ignored *ignored); /* CLOCK_MONOTONIC; 0: no peer has closed */
__u64 ignored_lost(const struct ignored *ignored);
/* Connections whose close has been ignored for the threshold. */
unsigned ignored_count(const struct ignored *ignored);

#endif
