/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/snapshot_bpf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/probe.h"
#include "kernel/libbpf_log.h"
#include "check/namespaces.h"
#include "kernel/iterator.h"

#include "check.skel.h"

struct snapshot_bpf {
	struct check *skeleton;
};

/* Context of a walk. */
struct taking {
	struct snapshot_bpf *source;
	struct snapshot *snapshot;
	struct namespaces *namespaces;
	void (*take)(void *context, const void *item);
	int err;
};

static const char *why_not(int err)
{
	if (err == -EPERM || err == -EACCES)
		return "not permitted to load BPF programs (root, or CAP_BPF and CAP_PERFMON)";
	return "the kernel does not take the BPF programs (LOSTPEER_DEBUG=1 shows why)";
}

int snapshot_bpf_open(struct snapshot_bpf **source, const char **why)
{
	struct kernel_features features;
	struct snapshot_bpf *s;
	int err;

	*why = NULL; /* probe() prints its own message */
	err = probe(&features, NULL);
	if (err)
		return err;
	*why = "out of memory";
	if (!features.btf || !features.iterator) {
		*why = "this kernel has no BTF or no BPF iterators (CONFIG_DEBUG_INFO_BTF, Linux 5.10)";
		return -ENOTSUP;
	}
	if (!probe_pid_namespace_is_first()) {
		*why = "this is not the host's pid namespace";
		return -ENOTSUP;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	libbpf_log_hush();
	s->skeleton = check__open();
	if (!s->skeleton) {
		free(s);
		return -ENOMEM;
	}
	s->skeleton->rodata->jiffy_ms = (__u32)(clock_jiffy_ms() * LP_JIFFY_SCALE);
	err = check__load(s->skeleton);
	if (err) {
		*why = why_not(err);
		snapshot_bpf_close(s);
		return err;
	}
	*source = s;
	return 0;
}

void snapshot_bpf_close(struct snapshot_bpf *s)
{
	if (!s)
		return;
	check__destroy(s->skeleton);
	free(s);
}

static void take_held(void *context, const void *item)
{
	struct taking *t = context;
	struct lp_held held;

	memcpy(&held, item, sizeof(held));
	if (!t->err)
		t->err = snapshot_add(t->snapshot, &held);
}

static void take_dweller(void *context, const void *item)
{
	struct taking *t = context;
	struct lp_dweller dweller;

	memcpy(&dweller, item, sizeof(dweller));
	if (!t->err)
		t->err = namespaces_note(t->namespaces, dweller.netns, dweller.tid);
}

static int run(struct bpf_program *program, size_t size, void (*take)(void *context, const void *item),
	       struct taking *t)
{
	int err = iterator_run(program, NULL, size, take, t);

	return err ? err : t->err;
}

static int visit(void *context, __u32 netns)
{
	struct taking *t = context;

	(void)netns;
	return run(t->source->skeleton->progs.look_at_sockets, sizeof(struct lp_held), t->take, t);
}

static int take_sockets(struct taking *t, void (*take)(void *context, const void *item), __u32 netns, unsigned *unseen)
{
	int err;

	t->take = take;
	t->namespaces = namespaces_new();
	err = t->namespaces
		      ? run(t->source->skeleton->progs.find_namespaces, sizeof(struct lp_dweller), take_dweller, t)
		      : -ENOMEM;
	if (!err)
		err = namespaces_each(t->namespaces, netns, visit, t, unseen);
	namespaces_free(t->namespaces);
	return err;
}

static bool any_unheld(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot_count(snapshot); i++)
		if (snapshot_is_unheld(snapshot, i))
			return true;
	return false;
}

static void take_unheld(void *context, const void *item)
{
	struct taking *t = context;
	struct lp_held held;
	size_t i;

	memcpy(&held, item, sizeof(held));
	if (!t->err && snapshot_find(t->snapshot, &held.socket, &i) && snapshot_is_unheld(t->snapshot, i))
		t->err = snapshot_add(t->snapshot, &held);
}

/* A socket that had a file before the walk over all descriptors, and still has it, is held by none of them. Others were
 * closed meanwhile: only named, they are no connections. */
static int look_at_unheld(struct taking *t, __u32 netns)
{
	unsigned unseen;
	int err;

	if (!any_unheld(t->snapshot))
		return 0;
	t->source->skeleton->bss->look_at_files_too = true;
	err = take_sockets(t, take_unheld, netns, &unseen);
	t->source->skeleton->bss->look_at_files_too = false;
	return err;
}

int snapshot_bpf_take(struct snapshot_bpf *s, struct snapshot *snapshot, __u32 netns, bool held_only,
		      struct unseen *unseen)
{
	struct taking t = {.source = s, .snapshot = snapshot};
	int err = 0;

	/* this order sees sockets that are accepted meanwhile, and the listeners of those that are not */
	if (!held_only)
		err = take_sockets(&t, take_held, netns, &unseen->namespaces);
	if (!err)
		err = run(s->skeleton->progs.look_at_files, sizeof(struct lp_held), take_held, &t);
	if (!err && !held_only)
		err = look_at_unheld(&t, netns);
	unseen->sockets = snapshot_left_out(snapshot);
	if (err)
		fprintf(stderr, "lostpeer check: looking at the sockets of this host failed: %s\n", strerror(-err));
	return err;
}
