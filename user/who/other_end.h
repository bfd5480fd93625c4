/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the process at the other end of an event's connection, if that is on this host too, in any network namespace.
 * Both ends know both initial sequence numbers (lp_initial), so one connection is never taken for another, whatever
 * addresses and ports they have. The other socket usually has a record of its own, within microseconds before or after;
 * if it ended without one, the BPF programs remember it with its owner (bpf/ended.h); if it lives on, a walk over the
 * sockets that they remember finds it.
 *
 * An event waits five milliseconds for the record of the other end, then as long as that waits for its own owner
 * (pending.h). It also waits for a walk, if one can begin within 100 ms, or if it is a drop on loopback. Walks begin at
 * least 20 ms apart and take at most a fiftieth of the time. The last OTHER_ENDS_MAX ends are remembered: at 40,000
 * events a second, long enough for the longest search for an owner.
 */
#ifndef LOSTPEER_OTHER_END_H
#define LOSTPEER_OTHER_END_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"

#define OTHER_ENDS_MAX 16384

struct kernel;
struct other_ends;
struct pending_list;

typedef void other_end_done(void *context, struct event *event);

/* NULL when out of memory. */
struct other_ends *other_end_new(struct kernel *kernel, struct pending_list *pending, other_end_done *done,
				 void *context);
void other_end_free(struct other_ends *ends);

/* The event has come; pending.h searches for its owner. */
void other_end_expect(struct other_ends *ends, struct event *event);
/* Its owner is known, or never will be. */
void other_end_note(struct other_ends *ends, const struct event *event);
/* Whether the event of its other end is under way, although this one's own is not wanted. */
bool other_end_is_awaited(struct other_ends *ends, const struct lp_record *record);
/* Finds out who holds it, or held it, for the event of its other end. */
void other_end_ask(struct other_ends *ends, const struct lp_record *record);

/* Takes an event after other_end_note(), and hands it back once through done, perhaps before it returns: with the
 * process at the other end in event->peer, if that is known. */
void other_end_add(struct other_ends *ends, struct event *event);
/* Hands back the events that waited long enough. now_ns: CLOCK_MONOTONIC. */
void other_end_tick(struct other_ends *ends, __u64 now_ns);
/* Hands back every event. */
void other_end_finish(struct other_ends *ends);

__u64 other_end_deadline(const struct other_ends *ends); /* CLOCK_MONOTONIC; 0: no event waits, or only for pending.h */
unsigned other_end_count(const struct other_ends *ends);

#endif
