/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Containers that no path tells of: those of runc and crun alone, whose cgroups have the name that somebody gave. Who
 * made a cgroup tells (bpf/cgroups.h), and of those from before the agent their runtime's state, read once. */
#ifndef LOSTPEER_CONTAINERS_H
#define LOSTPEER_CONTAINERS_H

#include "event/place.h"

struct containers;
struct kernel;

/* mount: of the hierarchy, NULL if there is none. NULL when out of memory. */
struct containers *containers_new(const char *mount);
void containers_free(struct containers *containers);

/* Names the innermost such container that a process in the cgroup of this path is in, if there is one. */
void containers_find(const struct containers *containers, const struct kernel *kernel, const char *path,
		     struct place *place);

#endif
