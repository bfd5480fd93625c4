/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What processes were before: the process that forked each, and its names before execve(2). The agent sees a process
 * only after the loss: by then it may have begun since, or have executed another program. */
#ifndef LOSTPEER_BPF_PAST_H
#define LOSTPEER_BPF_PAST_H

#include "maps.h"
#include "process.h"

const volatile _Bool knows_cpu_waits = 0; /* CONFIG_SCHED_INFO */

/* By tgid. A later process with the same pid has another start. The agent asks within a second; when a host makes more
 * processes than that, the oldest gives way, and an owner that depends on it is not known. 1.6 MiB. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct lp_past);
} pasts SEC(".maps");

static __always_inline void past_begin(struct task_struct *parent, struct task_struct *child)
{
	struct lp_past past = {};
	__u32 tgid = (__u32)child->tgid;

	past.start_boot_ns = child->start_boottime;
	past.shares_memory = child->mm && child->mm == parent->mm;
	task_fill(&past.forker, parent);
	bpf_map_update_elem(&pasts, &tgid, &past, BPF_ANY);
}

/* How long the task has lived, without its waits for a CPU, which are measured by another clock. */
static __always_inline __u64 task_lived(struct task_struct *task, __u64 now)
{
	__u64 waited = knows_cpu_waits ? task->sched_info.run_delay : 0;
	__u64 lived = now - task->start_time;

	return waited < lived ? lived - waited : 0;
}

/* Before the new name is set. */
static __always_inline void past_exec(struct task_struct *task)
{
	__u64 now = bpf_ktime_get_ns(), start = task->group_leader->start_boottime;
	__u32 tgid = (__u32)task->tgid, at;
	struct lp_past *past = bpf_map_lookup_elem(&pasts, &tgid);

	if (!past || past->start_boot_ns != start) {
		struct lp_past unknown = {};

		unknown.start_boot_ns = start;
		bpf_map_update_elem(&pasts, &tgid, &unknown, BPF_ANY);
		past = bpf_map_lookup_elem(&pasts, &tgid);
		if (!past)
			return;
	}
	if (!past->n_execs)
		past->exec_after_ns = task_lived(task, now);
	at = past->n_execs++ & (LP_PAST_EXECS - 1);
	past->execs[at].time_ns = now;
	copy_comm(past->execs[at].comm, task->comm);
}

/* `who` is in execve(2), and has its new name. */
static __always_inline void past_undo_exec(struct lp_task *who)
{
	__u32 tgid = who->tgid; /* on the stack: before 6.2 the key may not be in the ring */
	struct lp_past *past = bpf_map_lookup_elem(&pasts, &tgid);

	who->executing = 1;
	__builtin_memset(who->comm, 0, sizeof(who->comm));
	if (!past || past->start_boot_ns != who->start_boot_ns || !past->n_execs)
		return;
	copy_comm(who->comm, past->execs[(past->n_execs - 1) & (LP_PAST_EXECS - 1)].comm);
	who->forked = past->n_execs == 1 && past->forker.tgid;
}

/* Of any thread, by itself or by another task. */
SEC("tp_btf/task_rename")
int BPF_PROG(task_renamed, struct task_struct *task)
{
	if (BPF_CORE_READ_BITFIELD(task, in_execve))
		past_exec(task);
	return 0;
}

#endif
