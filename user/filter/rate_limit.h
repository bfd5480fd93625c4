/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At most so many events a second of one owner, after ten seconds' worth at once, so that one looping application
 * cannot drown the others. What is above is gathered by owner, event and cause, whatever its addresses, and told once a
 * second. Who has no known owner counts as one. Pure over time: no clock of its own.
 */
#ifndef LOSTPEER_RATE_LIMIT_H
#define LOSTPEER_RATE_LIMIT_H

#include "event/event.h"

/* Owners at once: as many processes as lose connections within seconds on a host with a few hundred services. The
 * oldest gives way: what was gathered of it is told now, and it may show its ten seconds' worth again. */
#define RATE_LIMIT_OWNERS_MAX 1024

struct rate_limit;

typedef void rate_limit_put(void *context, const struct event *event);

/* rate: events a second, above 0. NULL when out of memory. */
struct rate_limit *rate_limit_new(unsigned rate, rate_limit_put *put, void *context);
void rate_limit_free(struct rate_limit *limit);

/* Whether this is to be put out now; else it is gathered. now_ns: CLOCK_MONOTONIC. */
bool rate_limit_take(struct rate_limit *limit, const struct event *event, __u64 now_ns);
/* Puts out what a second has gathered. */
void rate_limit_tick(struct rate_limit *limit, __u64 now_ns);
/* Puts out all that is gathered. */
void rate_limit_finish(struct rate_limit *limit);

__u64 rate_limit_deadline(const struct rate_limit *limit); /* CLOCK_MONOTONIC; 0: nothing is gathered */

#endif
