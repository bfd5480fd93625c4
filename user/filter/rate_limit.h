/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At most so many events a second of one owner, after ten seconds' worth at once, so that one looping application
 * cannot drown the others. What is above is gathered by owner, event and cause, whatever its addresses, and told once a
 * second. Who has no known owner counts as one. Pure over time: no clock of its own.
 */
#ifndef LOSTPEER_LIMIT_H
#define LOSTPEER_LIMIT_H

#include "event/event.h"

/* Owners at once: as many processes as lose connections within seconds on a host with a few hundred services. The
 * oldest gives way: what was gathered of it is told now, and it may show its ten seconds' worth again. */
#define LIMIT_OWNERS_MAX 1024

struct limit;

typedef void limit_put(void *context, const struct event *event);

/* rate: events a second, above 0. NULL when out of memory. */
struct limit *limit_new(unsigned rate, limit_put *put, void *context);
void limit_free(struct limit *limit);

/* Whether this is to be put out now; else it is gathered. now_ns: CLOCK_MONOTONIC. */
bool limit_take(struct limit *limit, const struct event *event, __u64 now_ns);
/* Puts out what a second has gathered. */
void limit_tick(struct limit *limit, __u64 now_ns);
/* Puts out all that is gathered. */
void limit_finish(struct limit *limit);

__u64 limit_deadline(const struct limit *limit); /* CLOCK_MONOTONIC; 0: nothing is gathered */

#endif
