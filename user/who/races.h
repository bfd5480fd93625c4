/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attempts to connect that the application gave up before a SYN was sent again. Either nobody answered within a short
 * timeout, or they lost a race of addresses (RFC 8305), which is healthy: then the same process got a connection to that
 * port of a peer since the attempt began, or still tries one that it began before or right after it gave this one up.
 *
 * One after the other, as some programs race, the winner comes later: an attempt waits while another is under way, for a
 * second at most, since an attempt that needs longer sends its SYN again and is no candidate for silence any more.
 */
#ifndef LOSTPEER_RACES_H
#define LOSTPEER_RACES_H

#include "event/event.h"

struct kernel;
struct races;

/* The most that wait; one more pushes out the oldest, which counts as one that nobody answered. */
#define RACES_MAX 4096

/* Takes the event back, perhaps with event_lose_race(). */
typedef void races_done(void *context, struct event *event);

/* NULL when out of memory. */
struct races *races_new(struct kernel *kernel, races_done *done, void *context);
void races_free(struct races *races);

/* Whether races_add() can tell anything of this event. */
bool races_concern(const struct event *event);
/* Owns the event, whose owner is known, until it calls `done`, which may be at once. */
void races_add(struct races *races, struct event *event);

/* Does what is due. now_ns: CLOCK_MONOTONIC. */
void races_tick(struct races *races, __u64 now_ns);
/* Hands back every event. */
void races_finish(struct races *races);
__u64 races_deadline(const struct races *races); /* CLOCK_MONOTONIC; 0: nothing waits */

#endif
