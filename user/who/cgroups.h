/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cgroup of a process, in cgroup v2 or, on a v1 host, in systemd's named hierarchy.
 *
 * v2: a record has the id of the cgroup. The file system turns it into a path while the cgroup exists; the BPF programs
 * remember the path for a while after that (bpf/cgroups.h). v1: /proc/PID/cgroup has the path while the process lives;
 * the BPF programs note it when the process exits. Nothing scans or polls.
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
/* The mount point of the hierarchy; NULL: none visible to us. */
const char *cgroups_mount(const struct cgroups *cgroups);
/* 0: v2; for kernel_options.cgroup_hierarchy. */
__u32 cgroups_hierarchy(const struct cgroups *cgroups);

/* Fills *place with the cgroup of a process, living or gone: the line of /proc/PID/cgroup as the first cgroup namespace
 * shows it, and the unit and container that its path names. since_ns (CLOCK_MONOTONIC): an older answer is not reused,
 * because a v1 process may move. Clears *place and returns false if the cgroup is unknown, or its path has
 * LP_CGROUP_PATH bytes or more. */
bool cgroups_find(struct cgroups *cgroups, const struct kernel *kernel, const struct lp_task *task, __u64 since_ns,
		  struct place *place);

#endif
