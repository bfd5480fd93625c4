/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * close_ignored: connections in CLOSE_WAIT on which this end has sent nothing, and got nothing acknowledged, for a
 * threshold. There is one event for each process that holds some, with their number, and another one after the
 * threshold, twice the threshold, four times, ... (at most IGNORED_CLOSES_REPEAT_MAX_NS).
 *
 * No connection has a timer. The BPF programs wake the agent for the first FIN after a look (bpf/silent.h), and one
 * deadline is set, for a look at all connections when the oldest in CLOSE_WAIT can have reached the threshold. If no
 * peer closes, there is no deadline.
 *
 * At most IGNORED_CLOSES_MAX connections are remembered; the others count as lost (ignored_closes_lost()).
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
__u64 ignored_closes_deadline(const struct ignored_closes *ignored); /* CLOCK_MONOTONIC; 0: none is in CLOSE_WAIT */
__u64 ignored_closes_lost(const struct ignored_closes *ignored);
/* Connections that are past the threshold now. */
unsigned ignored_closes_count(const struct ignored_closes *ignored);

#endif
