/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both ends: an event is told with the process at the other end of its connection, where that is on this host too, in
 * whatever network namespace. The other socket mostly has a record of its own, within microseconds before or after;
 * else it may live on, and is found by a walk over the sockets that the kernel side remembers.
 *
 * Bounded: an event waits five milliseconds for the other's record, then for as long as the other waits for its owner
 * (pending.h), and for a walk only if one can begin at once, or it is a drop on loopback: walks are four a second at
 * most and take no more than a fiftieth of the time. The last OTHER_ENDS_MAX ends are remembered, the oldest gives way: ten
 * thousand events a second leave it time for the longest search for an owner.
 *
 * Wrong is worse than unknown: addresses, ports and sequence numbers must fit, and be those of one socket only.
 */
#ifndef LOSTPEER_OTHER_END_H
#define LOSTPEER_OTHER_END_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"

#define OTHER_ENDS_MAX 4096

struct kernel;
struct other_ends;
struct pending_list;

typedef void other_end_done(void *context, struct event *event);

/* NULL when out of memory. */
struct other_ends *other_end_new(struct kernel *kernel, struct pending_list *pending, other_end_done *done,
				 void *context);
void other_end_free(struct other_ends *ends);

/* It has come, and its owner is being looked for. */
void other_end_expect(struct other_ends *ends, const struct event *event);
/* Its owner is known, or will not be. */
void other_end_note(struct other_ends *ends, const struct event *event);

/* Takes an event, noted before; done, whose it is then, gets it now or later, once: with who is at the other end, if that
 * is known. */
void other_end_add(struct other_ends *ends, struct event *event);
/* Hands back what has waited enough. now_ns: CLOCK_MONOTONIC. */
void other_end_tick(struct other_ends *ends, __u64 now_ns);
/* Hands back everything. */
void other_end_finish(struct other_ends *ends);

__u64 other_end_deadline(const struct other_ends *ends); /* CLOCK_MONOTONIC; 0: nothing waits, or only for pending.h */
unsigned other_end_count(const struct other_ends *ends);

/* How far what the two say of themselves is from being the two ends of one connection: 0 where everything fits,
 * UINT32_MAX where they cannot be; in between, bytes that one of them may have sent since. */
__u32 other_end_distance(const struct lp_record *one, const struct lp_record *other);

#endif
