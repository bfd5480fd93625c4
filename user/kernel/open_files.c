/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/open_files.h"

#include <string.h>

#include "base/say.h"
#include "kernel/iterator.h"
#include "kernel/kernel.h"
#include "kernel/sought.h"
#include "lostpeer.skel.h"

struct seeding {
	unsigned connections;
	unsigned processes;
	__u32 last;
};

/* The walk goes process by process. */
static void count_seed(void *context, const void *item)
{
	struct seeding *seeding = context;
	__u32 tgid;

	memcpy(&tgid, item, sizeof(tgid));
	seeding->connections++;
	if (tgid != seeding->last)
		seeding->processes++;
	seeding->last = tgid;
}

int open_files_seed(struct kernel *k, unsigned *connections, unsigned *processes)
{
	struct seeding seeding = {0};
	int err = iterator_run(kernel_skeleton(k)->progs.seed_files, NULL, sizeof(__u32), count_seed, &seeding);

	*connections = seeding.connections;
	*processes = seeding.processes;
	return err ? say(err, "cannot look at what is open already: %s", strerror(-err)) : 0;
}

struct finding {
	open_files_found *found;
	void *context;
};

static void pass_holder(void *context, const void *item)
{
	const struct finding *finding = context;
	struct lp_holder holder;

	memcpy(&holder, item, sizeof(holder));
	finding->found(finding->context, &holder);
}

int open_files_find(struct kernel *k, __u32 tgid, const __u64 *keys, size_t n, open_files_found *found, void *context)
{
	struct finding finding = {found, context};
	union bpf_iter_link_info of_one = {.task = {.pid = tgid}};
	int err = sought_add(k, keys, n);

	if (!err)
		err = iterator_run(kernel_skeleton(k)->progs.find_holders, tgid ? &of_one : NULL,
				   sizeof(struct lp_holder), pass_holder, &finding);
	sought_remove(k, keys, n);
	return err;
}
