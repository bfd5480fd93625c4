/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads /proc about a process that still exists. */
#ifndef LOSTPEER_PROCESS_H
#define LOSTPEER_PROCESS_H

#include <limits.h>
#include <stdbool.h>

#include "record.h"

/* Whether the pid is still that process (by its start), and the process is not exiting. */
bool process_lives(const struct lp_task *task);

enum process_state {
	PROCESS_OVER,   /* or exiting */
	PROCESS_ASLEEP, /* it waits for somebody */
	PROCESS_AWAKE,  /* it runs, or is kept from it: no CPU is free, a disk is slow, it was stopped */
};

/* What the process does now. Fills *ran_ns, unless it is over: how long it has had a CPU. */
enum process_state process_state(const struct lp_task *task, __u64 *ran_ns);

/* The path of its executable; "" if it cannot be read or the pid has been reused (the start differs). A path whose file
 * was replaced keeps the kernel's " (deleted)". */
void process_executable(const struct lp_task *task, char path[PATH_MAX]);

/* Its current effective uid; task->uid if it is gone. */
__u32 process_user(const struct lp_task *task);

/* Fills *task from /proc: without cgroup_id and vpid, the start rounded to a clock tick. False if the process is
 * gone. */
bool process_read(__u32 pid, struct lp_task *task);

#endif
