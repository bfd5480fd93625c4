/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits the events per second of one owner, after ten seconds' worth at once, so that one looping application cannot
 * drown the others. Events above the limit are gathered by owner, event and cause, regardless of addresses, and
 * reported once a second. Those of several holders count as the first one's, all events without a known owner as one
 * owner's. Callers pass the time: there is no clock here.
 */
#ifndef LOSTPEER_RATE_LIMIT_H
#define LOSTPEER_RATE_LIMIT_H

#include "event/event.h"

/* Owners at once: as many processes as lose connections within seconds on a host with a few hundred services. A new
 * owner replaces the oldest, whose gathered events are put out; that owner may then show ten seconds' worth again. */
#define RATE_LIMIT_OWNERS_MAX 1024

struct rate_limit;

typedef void rate_limit_put(void *context, const struct event *event);

/* rate: events a second, above 0. NULL when out of memory. */
struct rate_limit *rate_limit_new(unsigned rate, rate_limit_put *put, void *context);
void rate_limit_free(struct rate_limit *limit);

/* true: the caller puts out this event now; false: it is gathered. now_ns: CLOCK_MONOTONIC. */
bool rate_limit_take(struct rate_limit *limit, const struct event *event, __u64 now_ns);
/* Puts out the gathered events if a second has passed. */
void rate_limit_tick(struct rate_limit *limit, __u64 now_ns);
/* Puts out all gathered events. */
void rate_limit_finish(struct rate_limit *limit);

__u64 rate_limit_deadline(const struct rate_limit *limit); /* CLOCK_MONOTONIC; 0: nothing is gathered */

#endif
