/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Containers of plain runc and crun: their cgroups have a free name, so the path does not show that they are
 * containers. The process that made the cgroup does (bpf/cgroups.h). For containers older than the agent, the state
 * files of the runtime do; they are read once. */
#ifndef LOSTPEER_CONTAINERS_H
#define LOSTPEER_CONTAINERS_H

#include "event/place.h"

struct containers;
struct kernel;

/* mount: mount point of the hierarchy; NULL: none. NULL when out of memory. */
struct containers *containers_new(const char *mount);
void containers_free(struct containers *containers);

/* Sets runtime and container of *place to the innermost such container around the cgroup of this path, if any. */
void containers_find(const struct containers *containers, const struct kernel *kernel, const char *path,
		     struct place *place);

#endif
