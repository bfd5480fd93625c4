/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Grouping: a peer that dies takes many connections with it, and a loop repeats itself. All that one peer's service
 * does the same way is a burst: network namespace, address, port of the service, role, event and cause. Of each kind in
 * it (of owners with the same name, executable, and unit or container) the first event is put out at once; what else
 * comes within the window is gathered and put out as one record at its end, and then the next window begins. After a
 * window that gathered nothing the burst is forgotten.
 *
 * What is put out, records too, is under the limit of its owner (rate_limit.h). Pure over time: no clock of its own.
 */
#ifndef LOSTPEER_GROUP_H
#define LOSTPEER_GROUP_H

#include "event/event.h"

/* Bursts at once: the services that a large host loses within a window; each takes 600 bytes, and 10 KiB more while it
 * gathers. The oldest gives way: what it has gathered is put out now, and what comes later is a first event again. */
#define GROUP_BURSTS_MAX 1024
/* Kinds in a burst. With more, those that come later have no first event, and are gathered with the rest. */
#define GROUP_KINDS_MAX 32

struct groups;

typedef void group_put(void *context, const struct event *event);

/* window_ns 0: nothing is grouped; rate, events a second of one owner, 0: no limit. put gets the records that stand for
 * several. NULL when out of memory. */
struct groups *group_new(__u64 window_ns, unsigned rate, group_put *put, void *context);
void group_free(struct groups *groups);

/* Whether this event is to be put out now, as it is; else it is gathered. now_ns: CLOCK_MONOTONIC. */
bool group_take(struct groups *groups, const struct event *event, __u64 now_ns);
/* Puts out what windows have gathered that are over. */
void group_tick(struct groups *groups, __u64 now_ns);
/* Puts out all that is gathered. */
void group_finish(struct groups *groups);

__u64 group_deadline(const struct groups *groups); /* CLOCK_MONOTONIC; 0: no window is open */

#endif
