/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both ends: an event is told with the process at the other end of its connection, where that is on this host too, in
 * whatever network namespace. The other socket mostly has a record of its own, within microseconds before or after;
 * else it may live on, and is found by a walk over the sockets that the kernel side remembers.
 *
 * Bounded: an event waits five milliseconds for the other's record, then for as long as the other waits for its owner
 * (pending.h), and for a walk only if one can begin at once, or it is a drop on loopback: walks are four a second at
 * most and take no more than a fiftieth of the time. The last ENDS_MAX ends are remembered, the oldest gives way: ten
 * thousand events a second leave it time for the longest search for an owner.
 *
 * Wrong is worse than unknown: addresses, ports and sequence numbers must fit, and be those of one socket only.
 */
#ifndef LOSTPEER_ENDS_H
#define LOSTPEER_ENDS_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"

#define ENDS_MAX 4096

struct ends;
struct kernel;

/* An event that waits, or is told: what pending.h found, and who is at the other end; peer->tgid 0: not known. */
struct ends_event {
	const struct lp_record *record;
	bool reset_after;
	const struct owner *owner;
	const char *executable; /* of the owner, read when it was found; "" if not known */
	struct lp_task peer;
};
typedef void ends_done(void *context, const struct ends_event *event);
/* Hands a record of LP_KIND_END to whoever finds out its owner, and notes it here. */
typedef void ends_ask(void *context, const struct lp_record *record);

/* NULL when out of memory. */
struct ends *ends_new(struct kernel *kernel, ends_done *done, ends_ask *ask, void *context);
void ends_free(struct ends *ends);

/* This record has come, and its owner is being looked for. */
void ends_expect(struct ends *ends, const struct lp_record *record);
/* Its owner is known, or will not be. */
void ends_note(struct ends *ends, const struct lp_record *record, const struct owner *owner);

/* Takes a copy of an event, noted before; done gets it now or later, once. */
void ends_add(struct ends *ends, const struct ends_event *event);
/* Tells what has waited enough. now_ns: CLOCK_MONOTONIC. */
void ends_tick(struct ends *ends, __u64 now_ns);
/* Tells everything that waits. */
void ends_finish(struct ends *ends);

__u64 ends_deadline(const struct ends *ends); /* CLOCK_MONOTONIC; 0: nothing waits, or only for pending.h */
unsigned ends_count(const struct ends *ends);

/* How far what the two say of themselves is from being the two ends of one connection: 0 where everything fits,
 * UINT32_MAX where they cannot be; in between, bytes that one of them may have sent since. */
__u32 ends_distance(const struct lp_record *one, const struct lp_record *other);

#endif
