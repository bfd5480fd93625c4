/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What several processes have in common, and where each of several holders of a connection lives. Pure functions. */
#ifndef LOSTPEER_SHARED_H
#define LOSTPEER_SHARED_H

#include <stdbool.h>

#include "event/event.h"

/* Clears in *mine what *other does not have alike: name, cgroup, uid, exit. */
void shared_keep_task(struct lp_task *mine, const struct lp_task *other);
void shared_keep_place(struct place *mine, const struct place *other);

/* Of an owner that is not known among several holders: sets `process` to what all of them share, and `more`, what those
 * share that did not fit (NULL: there are none). */
void shared_process(struct owner *owner, const struct lp_task *more);

/* The text of holder i in event.holder_cgroups, without the newline; "" if it is not known. */
const char *shared_cgroup(const char *lines, unsigned i, char line[CGROUP_LINE_LEN]);

/* Where a process lives that is in this line of /proc/PID/cgroup. */
void shared_read_place(const char *line, struct place *place);

/* Leaves only the holders of this user, and of the rest of the event what those share. */
void shared_narrow(struct kept_event *kept, __u32 uid);

#endif
