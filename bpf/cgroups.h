/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cgroups that may be gone when the agent looks. The agent finds the path of a live cgroup by its id, and the cgroup of
 * a live process on a v1 host in /proc. So these hooks note only cgroups that are removed and processes that exit; and
 * the cgroups that runc and crun make, since a path does not show its maker. All this is rare; nothing runs for a
 * connection. Raw tracepoints and probe reads, since before 5.13 a typed program may not read a path. */
#ifndef LOSTPEER_BPF_CGROUPS_H
#define LOSTPEER_BPF_CGROUPS_H

#include "maps.h"

#define HIERARCHIES_MAX 32 /* a v1 host has some fifteen */

/* The hierarchy whose paths the agent reports: 0 is cgroup v2, else systemd's named one (v1). */
const volatile __u32 place_hierarchy = 0;

/* The oldest is overwritten. The agent asks for a removed cgroup within a quarter of a second, and for a maker as long
 * as its containers have connections. It knows less about an overwritten one, and says so. */
struct lp_cgroup gone_cgroups[LP_GONE_CGROUPS];
struct lp_cgroup made_cgroups[LP_MADE_CGROUPS];
static __u32 n_gone, n_made; /* no race: both tracepoints run under cgroup_mutex */

/* v1 only: the cgroup that a process was in when it exited, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct lp_exited);
} exited SEC(".maps");

/* The id is cleared first and written last: a reader that finds the same id before and after has a whole path. */
static __always_inline void note_cgroup(struct lp_cgroup *slot, struct cgroup *cgroup, const char *path, __u32 maker)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	long n;

	*(volatile __u64 *)&slot->id = 0;
	n = bpf_probe_read_kernel_str(slot->path, sizeof(slot->path), path);
	if (n <= 0 || n >= (long)sizeof(slot->path)) /* a truncated path would name another cgroup */
		return;
	slot->maker = maker;
	*(volatile __u64 *)&slot->id = id;
}

static __always_inline _Bool is_of_hierarchy(struct cgroup *cgroup)
{
	return (__u32)BPF_CORE_READ(cgroup, root, hierarchy_id) == place_hierarchy;
}

SEC("raw_tp/cgroup_rmdir")
int cgroup_gone(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = (void *)ctx->args[0];
	__u32 at;

	if (!is_of_hierarchy(cgroup))
		return 0;
	at = n_gone++;
	note_cgroup(&gone_cgroups[at % LP_GONE_CGROUPS], cgroup, (const char *)ctx->args[1], 0);
	return 0;
}

#define NAME4(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* By the executable's name; crun may run as a copy of itself, "memfd:crun_cloned". */
static __always_inline __u32 maker_of(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const unsigned char *from = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);
	struct {
		char memfd[6]; /* "memfd:" */
		char runtime[4];
		char cloned[7]; /* "_cloned" */
	} copy = {};
	__u32 name[2] = {}; /* 4 letters and the end */

	bpf_probe_read_kernel_str(name, 6, from);
	bpf_probe_read_kernel_str(&copy, sizeof(copy), from);
	if (name[0] == NAME4('m', 'e', 'm', 'f') && copy.cloned[0] == '_' && copy.cloned[1] == 'c') {
		__builtin_memcpy(&name[0], copy.runtime, 4);
		name[1] = 0;
	}
	if (name[1])
		return LP_MAKER_OTHER;
	if (name[0] == NAME4('r', 'u', 'n', 'c'))
		return LP_MAKER_RUNC;
	if (name[0] == NAME4('c', 'r', 'u', 'n'))
		return LP_MAKER_CRUN;
	return LP_MAKER_OTHER;
}

SEC("raw_tp/cgroup_mkdir")
int cgroup_made(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = (void *)ctx->args[0];
	__u32 maker = maker_of(), at;

	if (maker == LP_MAKER_OTHER || !is_of_hierarchy(cgroup))
		return 0;
	at = n_made++;
	note_cgroup(&made_cgroups[at % LP_MADE_CGROUPS], cgroup, (const char *)ctx->args[1], maker);
	return 0;
}

/* The id of the task's cgroup in place_hierarchy; its css_set has a link to one cgroup of each hierarchy. */
static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct list_head *head = (void *)set + bpf_core_field_offset(struct css_set, cgrp_links);
	struct list_head *at = BPF_CORE_READ(head, next);
	struct cgrp_cset_link *link;
	struct cgroup *cgroup;

	for (int i = 0; i < HIERARCHIES_MAX && at && at != head; i++, at = BPF_CORE_READ(at, next)) {
		link = (void *)at - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
		cgroup = BPF_CORE_READ(link, cgrp);
		if (is_of_hierarchy(cgroup))
			return BPF_CORE_READ(cgroup, kn, id);
	}
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	__u32 tgid = (__u32)BPF_CORE_READ(task, tgid);
	struct lp_exited exit;

	if ((__u32)BPF_CORE_READ(task, pid) != tgid)
		return 0;
	exit.start_boot_ns = BPF_CORE_READ(task, start_boottime);
	exit.cgroup_id = cgroup_of(task);
	bpf_map_update_elem(&exited, &tgid, &exit, BPF_ANY);
	return 0;
}

#endif
