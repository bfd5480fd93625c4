/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The executable and the place of an event's owner, or what its several holders share. */
#ifndef LOSTPEER_WHEREABOUTS_H
#define LOSTPEER_WHEREABOUTS_H

#include "event/event.h"

struct cgroups;
struct executables;
struct kernel;

struct whereabouts {
	struct place place;
	char holder_cgroups[HOLDER_CGROUPS_LEN];
};

/* since_ns: CLOCK_MONOTONIC; older answers are not reused. */

/* "" if it is not known, or not the same for all holders. Valid until the next call. */
const char *whereabouts_executable(struct executables *executables, const struct owner *owner, __u64 since_ns);
/* Fills *w and points the event to it. kernel may be NULL, as for cgroups_find(). */
void whereabouts_find(struct whereabouts *w, struct cgroups *cgroups, const struct kernel *kernel, struct event *event,
		      __u64 since_ns);

#endif
