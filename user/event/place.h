/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a process lives, read from the path of its cgroup alone: the systemd unit and slice, as systemd itself reads
 * them, and the container and Kubernetes pod, by the names that their runtimes give cgroups. A pure function; what a
 * path does not tell is left empty.
 */
#ifndef LOSTPEER_PLACE_H
#define LOSTPEER_PLACE_H

#include <stdbool.h>

#include "record.h"

enum place_runtime {
	RUNTIME_NONE, /* not known */
	RUNTIME_DOCKER,
	RUNTIME_CONTAINERD,
	RUNTIME_CRIO,
	RUNTIME_PODMAN,
	RUNTIME_RUNC,
	RUNTIME_CRUN,
	RUNTIME_LXC,
	RUNTIME_NSPAWN,
	RUNTIME_COUNT
};

#define PLACE_NAME_LEN 256 /* the longest name of a unit, and of a file, with its end */

/* A line of /proc/PID/cgroup, and the path in it. */
#define CGROUP_LINE_LEN (LP_CGROUP_PATH + 32)
const char *place_cgroup_path(const char *line);

struct place {
	char cgroup[CGROUP_LINE_LEN];     /* the line of /proc/PID/cgroup that the others are read from */
	char unit[PLACE_NAME_LEN];        /* the innermost, of the user's manager where there is one */
	char system_unit[PLACE_NAME_LEN]; /* of the host's manager: user@1000.service */
	char slice[PLACE_NAME_LEN];       /* that the unit is in */
	char container[PLACE_NAME_LEN];   /* its id; of containers in each other the innermost */
	enum place_runtime runtime;
	char pod[48]; /* Kubernetes' uid of it, with hyphens */
};

/* Nothing is known. */
extern const struct place place_unknown;

/* All but the line. path: of a cgroup in its hierarchy, "/system.slice/nginx.service". */
void place_read(const char *path, struct place *place);

bool place_is_unit_type(const char *suffix); /* ".service" */
bool place_is_hash(const char *container);   /* an id that its runtime made, not a name that somebody gave */

const char *place_runtime_name(enum place_runtime runtime); /* "" for RUNTIME_NONE */

#endif
