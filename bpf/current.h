/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process of the current task. Meaningful only in process context. */
#ifndef LOSTPEER_BPF_CURRENT_H
#define LOSTPEER_BPF_CURRENT_H

#include "maps.h"
#include "process.h"

const volatile __u32 agent_tgid = 0;

/* Set by the agent where the kernel has bpf_rdonly_cast (6.2). */
const volatile _Bool kernel_casts = 0;
extern void *bpf_rdonly_cast(const void *pointer, __u32 type) __ksym __weak;

/* Only if kernel_has_task(). The cast costs nothing at run time. Without it the verifier searches the names of all
 * types at each pointer that is read from the current task: two thirds of the time that set_state takes to load. */
static __always_inline struct task_struct *task_typed(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	return kernel_casts ? bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct)) : task;
}

/* A walk over open files (by lostpeer, `bpftool prog` or another program) holds each file for a moment, in read(2). If
 * the holder closes the file meanwhile, the walk drops the last reference, though it never used the socket. */
static __always_inline _Bool task_walks(struct task_struct *task)
{
	struct pt_regs *regs;

	if ((__u32)task->tgid == agent_tgid)
		return 1;
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) || task->flags & PF_EXITING)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
	return REGS_SYSCALL(regs) == SYSCALL_READ;
}

static __always_inline _Bool task_is_kernel(void)
{
	if (kernel_has_task())
		return task_typed()->flags & PF_KTHREAD;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), flags) & PF_KTHREAD;
}

enum who_runs { RUNS_PROCESS, RUNS_KERNEL, RUNS_WALK };

static __always_inline enum who_runs who_runs(void)
{
	if (task_is_kernel())
		return RUNS_KERNEL;
	if (kernel_has_task()) {
		struct task_struct *task = task_typed();

		return task_walks(task) ? RUNS_WALK : RUNS_PROCESS;
	} else {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();

		return (__u32)BPF_CORE_READ(task, tgid) == agent_tgid ? RUNS_WALK : RUNS_PROCESS;
	}
}

static __always_inline void task_current(struct lp_task *who)
{
	if (kernel_has_task()) {
		task_fill_all_but_cgroup(who, task_typed());
		who->cgroup_id = bpf_get_current_cgroup_id();
	} else {
		task_probe(who, (struct task_struct *)bpf_get_current_task());
	}
}

static __always_inline enum who_runs who_runs_on(const struct conn *conn)
{
	enum who_runs runs = who_runs();

	if (runs == RUNS_WALK && conn && conn->birth.tgid == (__u32)(bpf_get_current_pid_tgid() >> 32))
		return RUNS_PROCESS; /* it was reading from the socket when another thread closed it */
	return runs;
}

/* The process that works on a socket that the current task has locked: the task's own or, if a walk drops the last
 * reference, the holder that a walk of ours saw. 0: none, or not known. *who must be zeroed. */
static __always_inline _Bool task_at_work(struct lp_task *who, const struct conn *conn)
{
	enum who_runs runs = who_runs_on(conn);

	if (runs == RUNS_PROCESS)
		task_current(who);
	else if (runs == RUNS_WALK && conn && conn->closer.tgid)
		*who = conn->closer;
	else
		return 0;
	return 1;
}

/* The same, but stores the process as the closer. */
static __always_inline _Bool task_closes(struct conn *conn)
{
	enum who_runs runs = who_runs_on(conn);

	if (runs == RUNS_WALK)
		return conn->closer.tgid != 0;
	if (runs != RUNS_PROCESS)
		return 0;
	__builtin_memset(&conn->closer, 0, sizeof(conn->closer));
	task_current(&conn->closer);
	return 1;
}

static __always_inline __u64 task_current_start(void)
{
	if (kernel_has_task())
		return task_typed()->group_leader->start_boottime;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader, start_boottime);
}

#endif
