/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What /proc says of a process that is still there. */
#ifndef LOSTPEER_PROCESS_H
#define LOSTPEER_PROCESS_H

#include <limits.h>
#include <stdbool.h>

#include "record.h"

/* Still that process, and not exiting. */
bool process_lives(const struct lp_task *task);

/* Its executable's path, "" if it cannot be read or the process is another one by now (its start differs). A path
 * whose file was replaced keeps the kernel's " (deleted)". */
void process_executable(const struct lp_task *task, char path[PATH_MAX]);

/* Its effective uid by now, or where it is gone the one that it had. */
__u32 process_user(const struct lp_task *task);

/* Who it is, as far as /proc tells (no cgroup_id, no vpid; the start to a tick); false if it is gone. */
bool process_read(__u32 pid, struct lp_task *task);

#endif
