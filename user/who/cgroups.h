/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cgroup of a process, by the hierarchy that tells where it lives: cgroup v2, or on a v1 host systemd's named one.
 *
 * v2: a record has the id of the cgroup, which the file system turns into a path while it lives, and the kernel side
 * remembers for a while after (bpf/cgroups.h). v1: /proc/PID/cgroup while the process lives, and what the kernel side
 * noted when it exited. Nothing is scanned, and nothing polled.
 */
#ifndef LOSTPEER_CGROUPS_H
#define LOSTPEER_CGROUPS_H

#include <stdbool.h>

#include "event/place.h"
#include "record.h"

struct cgroups;
struct kernel;

/* Finds the hierarchies of this host. NULL when out of memory. */
struct cgroups *cgroups_new(void);
void cgroups_free(struct cgroups *cgroups);
/* Where the hierarchy is mounted; NULL: nowhere that we see. */
const char *cgroups_mount(const struct cgroups *cgroups);
/* 0: v2; for kernel_options.cgroup_hierarchy. */
__u32 cgroups_hierarchy(const struct cgroups *cgroups);

/* Where a process lives, or lived: the line of /proc/PID/cgroup, without its end, as in the first cgroup namespace,
 * and what is read from its path; at since_ns (CLOCK_MONOTONIC) or later, for a v1 process may move. Nothing and false if
 * it cannot be known, or the path has LP_CGROUP_PATH bytes or more. */
bool cgroups_find(struct cgroups *cgroups, const struct kernel *kernel, const struct lp_task *task, __u64 since_ns,
		  struct place *place);

#endif
