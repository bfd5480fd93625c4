/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which users may see which events: root sees all; other users see their own, where both the uid of the socket and the
 * effective uid of the named process are theirs, or of one of several holders of which none is named. SECURITY.md says
 * why. Pure functions.
 */
#ifndef LOSTPEER_VISIBILITY_H
#define LOSTPEER_VISIBILITY_H

#include <stdbool.h>

#include "event/event.h"

#define VISIBILITY_ROOT 0u

/* owner_now: the current effective uid of visibility_process(); the event's if the process is gone or there is none. */
bool visibility_allows(__u32 uid, const struct event *event, __u32 owner_now);
/* The process that lets this user see the event, if it is still the user's; NULL: none. */
const struct lp_task *visibility_process(__u32 uid, const struct event *event);
/* Removes from an event that this user may see what concerns others: the process at the other end, other users'
 * holders, and the number of events in a gap. Apply filters only afterwards, or their result would reveal the rest. */
void visibility_narrow(__u32 uid, struct kept_event *kept);

#endif
