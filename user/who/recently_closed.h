/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The recently dead: whose a connection was for which we have no socket any more, when its peer sends data and we answer
 * with a RST (bpf/ended.h). What was judged is remembered here, with its cause and, once known, its owner; what ended in
 * order and was not told is in the slots that the kernel side writes. A stray waits RECENTLY_CLOSED_WAIT_NS, so that what was lost
 * just before it has been judged.
 *
 * Bounded: RECENTLY_CLOSED_JUDGED ends here and LP_ENDED there, the oldest giving way: then the owner is unknown. RECENTLY_CLOSED_WAITING
 * strays wait; when they are full the oldest is told at once.
 */
#ifndef LOSTPEER_RECENTLY_CLOSED_H
#define LOSTPEER_RECENTLY_CLOSED_H

#include <stdbool.h>

#include "base/clock.h"
#include "event/event.h"
#include "record.h"

#define RECENTLY_CLOSED_WAIT_NS (20 * CLOCK_MS)
#define RECENTLY_CLOSED_JUDGED 4096
#define RECENTLY_CLOSED_WAITING 256

struct recently_closed;

/* How the connection of a stray ended; time_ns 0: not remembered. */
struct recently_closed_end {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 cookie;
	__u32 flags;          /* LP_F_CONNECTED, LP_F_ACCEPTED */
	enum lp_cause cause;  /* CAUSE_NONE: it is not known why */
	struct lp_task owner; /* tgid 0: not known */
};

typedef void recently_closed_done(void *context, struct event *stray, const struct recently_closed_end *end);

/* slots: where the kernel side writes, LP_ENDED of them; NULL: it does not. NULL when out of memory. */
struct recently_closed *recently_closed_new(const struct lp_ended *slots, recently_closed_done *done, void *context);
void recently_closed_free(struct recently_closed *gone);

/* It was judged, or its owner is known now; of any but a LP_KIND_CLOSE nothing is remembered. */
void recently_closed_note(struct recently_closed *gone, const struct event *event);

/* Takes an event of LP_KIND_STRAY; done, whose it is then, gets it from recently_closed_tick(), once. */
void recently_closed_add(struct recently_closed *gone, struct event *stray);
/* Hands back what has waited long enough. now_ns: CLOCK_MONOTONIC. */
void recently_closed_tick(struct recently_closed *gone, __u64 now_ns);
/* Hands back everything. */
void recently_closed_finish(struct recently_closed *gone);

__u64 recently_closed_deadline(const struct recently_closed *gone); /* CLOCK_MONOTONIC; 0: nothing waits */
unsigned recently_closed_count(const struct recently_closed *gone);

/* Whether data after such an end is news: not where a RST has ended it, which data in flight crosses as a matter of
 * course, and not what only looks like a connection: data to a listener, of which nothing is remembered. */
bool recently_closed_is_news(const struct lp_record *stray, const struct recently_closed_end *end);

#endif
