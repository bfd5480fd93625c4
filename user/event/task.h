/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which process a task is: a tgid is used again, but not within one tick of the clock of start times. */
#ifndef LOSTPEER_TASK_H
#define LOSTPEER_TASK_H

#include <stdbool.h>

#include "record.h"

static inline bool task_is(const struct lp_task *task, __u32 tgid, __u64 start_boot_ns)
{
	return task->tgid == tgid && task->start_boot_ns == start_boot_ns;
}

static inline bool task_is_same(const struct lp_task *a, const struct lp_task *b)
{
	return task_is(a, b->tgid, b->start_boot_ns);
}

#endif
