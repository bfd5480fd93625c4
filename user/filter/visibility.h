/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who may see what: root everything; anybody else what is his own, by the uid of the socket and by the effective uid of
 * the process that is named, both. SECURITY.md says so, and why. Pure functions.
 */
#ifndef LOSTPEER_VISIBILITY_H
#define LOSTPEER_VISIBILITY_H

#include <stdbool.h>

#include "event/event.h"

#define VISIBILITY_ROOT 0u

/* owner_now: the effective uid of the named process by now; that of the event where it is gone, or nobody is named. */
bool visibility_allows(__u32 uid, const struct event *event, __u32 owner_now);
/* Takes out of an event that he may see what is of others: who is at the other end, who else holds it; of a gap, how
 * many events it is of. Filters are to see no more than that, or they would tell the rest. */
void visibility_narrow(__u32 uid, struct event *event);

#endif
