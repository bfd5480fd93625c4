/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process of a task. */
#ifndef LOSTPEER_BPF_PROCESS_H
#define LOSTPEER_BPF_PROCESS_H

#include "kernel_tasks.h"
#include "record.h"

/* A kernel thread owns nothing. Before 5.12 those of io_uring have the descriptors of the process that they work for. */
static __always_inline _Bool task_borrows(struct task_struct *task)
{
	return task->flags & PF_KTHREAD;
}

static __always_inline void copy_comm(char *to, const char *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/* The leader's pid in its own, innermost pid namespace; 0 in the initial one. */
static __always_inline __u32 task_vpid(struct task_struct *leader, __u32 level)
{
	/* a probe read gives a plain number: 6.1 refuses arithmetic on a typed pointer */
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	int nr = 0;

	if (!level || level > 32) /* MAX_PID_NS_LEVEL */
		return 0;
	bpf_core_read(&nr, sizeof(nr), (char *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
	return (__u32)nr;
}

static __always_inline void task_exit(struct lp_task *who, struct task_struct *task)
{
	who->exiting = 1;
	who->exit_code = (__u32)BPF_CORE_READ(task, exit_code);
	who->oom = BPF_CORE_READ(task, signal, oom_mm) != (void *)0;
}

/* By direct loads, at a tenth of the cost of probe reads, if the kernel gives us a typed task. */
static __always_inline void task_fill_all_but_cgroup(struct lp_task *who, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	who->tgid = (__u32)task->tgid;
	who->start_boot_ns = leader->start_boottime;
	who->uid = task->cred->euid.val;
	copy_comm(who->comm, leader->comm);
	who->forked = (leader->flags & PF_FORKNOEXEC) != 0;
	if (leader->thread_pid->level)
		who->vpid = task_vpid(leader, leader->thread_pid->level);
	if (task->flags & PF_EXITING)
		task_exit(who, task);
}

static __always_inline void task_fill(struct lp_task *who, struct task_struct *task)
{
	task_fill_all_but_cgroup(who, task);
	who->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
}

/* By probe reads, for 5.10 and for tasks that are only addresses. */
static __always_inline void task_probe(struct lp_task *who, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	who->tgid = (__u32)BPF_CORE_READ(task, tgid);
	who->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
	who->uid = BPF_CORE_READ(task, cred, euid.val);
	who->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	bpf_core_read(&who->comm, sizeof(who->comm), &leader->comm);
	who->forked = (BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC) != 0;
	who->vpid = task_vpid(leader, BPF_CORE_READ(leader, thread_pid, level));
	if (BPF_CORE_READ(task, flags) & PF_EXITING)
		task_exit(who, task);
}

#endif
