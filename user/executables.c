/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "executables.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "process.h"

#define SLOTS 256 /* by pid; whatever was in a slot gives way */

struct executables {
	struct {
		__u32 tgid;
		__u64 start_boot_ns, read_ns;
		char *path;
	} slots[SLOTS];
};

struct executables *executables_new(void)
{
	return calloc(1, sizeof(struct executables));
}

void executables_free(struct executables *x)
{
	for (size_t i = 0; x && i < SLOTS; i++)
		free(x->slots[i].path);
	free(x);
}

const char *executables_find(struct executables *x, const struct lp_task *task, __u64 since_ns)
{
	__typeof__(*x->slots) *slot = &x->slots[task->tgid % SLOTS];
	char path[PATH_MAX];

	if (slot->path && slot->tgid == task->tgid && slot->start_boot_ns == task->start_boot_ns &&
	    slot->read_ns >= since_ns)
		return slot->path;
	free(slot->path);
	slot->tgid = task->tgid;
	slot->start_boot_ns = task->start_boot_ns;
	slot->read_ns = clock_monotonic_ns();
	process_executable(task, path);
	slot->path = strdup(path);
	return slot->path ? slot->path : "";
}
