/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The systemd unit and slice, container and Kubernetes pod of a process, read from the path of its cgroup alone: by the
 * rules of systemd, and by the names that container runtimes give to cgroups. A pure function; what the path does not
 * show is empty.
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

#define PLACE_NAME_LEN 256 /* the longest name of a unit or a file, with its NUL */

/* A line of /proc/PID/cgroup, and the path in it. */
#define CGROUP_LINE_LEN (LP_CGROUP_PATH + 32)
const char *place_cgroup_path(const char *line);

struct place {
	char cgroup[CGROUP_LINE_LEN];     /* the line of /proc/PID/cgroup; the other members come from it */
	char unit[PLACE_NAME_LEN];        /* the innermost: under user@1000.service one of that manager */
	char system_unit[PLACE_NAME_LEN]; /* of the system manager: user@1000.service */
	char slice[PLACE_NAME_LEN];       /* of the unit */
	char container[PLACE_NAME_LEN];   /* its id; the innermost of nested containers */
	enum place_runtime runtime;
	char pod[48]; /* its uid in Kubernetes, with hyphens */
};

/* All members are empty. */
extern const struct place place_unknown;

/* Fills all but the line. path: in the hierarchy, "/system.slice/nginx.service". */
void place_read(const char *path, struct place *place);

bool place_is_unit_type(const char *suffix); /* ".service" */
bool place_is_hash(const char *container);   /* the runtime chose the id; false: a user named it */

const char *place_runtime_name(enum place_runtime runtime); /* "" for RUNTIME_NONE */

#endif
