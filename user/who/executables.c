/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/executables.h"

#include <stdlib.h>

#include "base/clock.h"
#include "who/process.h"
#include "base/text_cache.h"

struct executables {
	struct text_cache seen;
};

struct executables *executables_new(void)
{
	return calloc(1, sizeof(struct executables));
}

void executables_free(struct executables *x)
{
	if (x)
		text_cache_clear(&x->seen);
	free(x);
}

const char *executables_find(struct executables *x, const struct lp_task *task, __u64 since_ns)
{
	const char *kept = text_cache_recall(&x->seen, task->tgid, task->start_boot_ns, since_ns);
	__u64 now = clock_monotonic_ns();
	char path[PATH_MAX];

	if (kept)
		return kept;
	process_executable(task, path);
	kept = text_cache_remember(&x->seen, task->tgid, task->start_boot_ns, now, path);
	return kept ? kept : "";
}
