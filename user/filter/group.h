/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Grouping: a peer that dies takes many connections with it, and a loop repeats itself. Events with the same network
 * namespace, peer address, port of the service, role, event and cause form a burst. A burst has kinds: owners with the
 * same name, executable, and unit or container. The first event of each kind is put out at once. Further events within
 * the window are gathered and put out as one record at its end, and then the next window begins. A window that gathers
 * nothing ends the burst.
 *
 * Single events and records alike are limited per owner (rate_limit.h). Callers pass the time: there is no clock here.
 */
#ifndef LOSTPEER_GROUP_H
#define LOSTPEER_GROUP_H

#include "event/event.h"

/* Bursts at once: as many services as a large host loses within a window. Each takes 600 bytes, and 12 KiB more while
 * it gathers. A new burst replaces the oldest: the gathered events are put out, and its next event is a first again. */
#define GROUP_BURSTS_MAX 1024
/* Kinds in a burst. Events of further kinds are all gathered, even the first. */
#define GROUP_KINDS_MAX 32

struct groups;

typedef void group_put(void *context, const struct event *event);

/* window_ns 0: no grouping. rate: events a second of one owner; 0: no limit. put gets the records that stand for
 * several events. NULL when out of memory. */
struct groups *group_new(__u64 window_ns, unsigned rate, group_put *put, void *context);
void group_free(struct groups *groups);

/* true: the caller puts out this event now; false: it is gathered. now_ns: CLOCK_MONOTONIC. */
bool group_take(struct groups *groups, const struct event *event, __u64 now_ns);
/* Puts out the records of windows that are over. */
void group_tick(struct groups *groups, __u64 now_ns);
/* Puts out all gathered events. */
void group_finish(struct groups *groups);

__u64 group_deadline(const struct groups *groups); /* CLOCK_MONOTONIC; 0: no window is open */

#endif
