/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process of the current task. Meaningful only in process context. */
#ifndef LOSTPEER_BPF_CURRENT_H
#define LOSTPEER_BPF_CURRENT_H

#include "file.h"
#include "maps.h"
#include "past.h"
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

/* Whether the current process reads from this socket by read(2) of descriptor fd. If another thread has closed that
 * meanwhile, its number is free, or of the next connection. */
__noinline int reads_from(__u64 sk, __u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = (void *)0;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return !file || file == BPF_CORE_READ((struct sock *)sk, sk_socket, file) || file_sock(file);
}

#define STACK_SIZE 16384 /* THREAD_SIZE; before 5.15, where it differs, no system call is recognized */

struct call {
	long number;
	__u32 first; /* its first argument */
};

/* The current task's system call. */
static __always_inline struct call task_call(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) { /* 5.15 */
		regs = (void *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
		return (struct call){(long)regs->REGS_SYSCALL, (__u32)regs->REGS_FIRST};
	}
	regs = BPF_CORE_READ(task, stack) + STACK_SIZE - bpf_core_type_size(struct pt_regs);
	return (struct call){(long)BPF_CORE_READ(regs, REGS_SYSCALL), (__u32)BPF_CORE_READ(regs, REGS_FIRST)};
}

static __always_inline _Bool task_is_kernel(void)
{
	if (kernel_has_task())
		return task_typed()->flags & PF_KTHREAD;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), flags) & PF_KTHREAD;
}

static __always_inline _Bool task_is_exiting(void)
{
	if (kernel_has_task())
		return task_typed()->flags & PF_EXITING;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), flags) & PF_EXITING;
}

enum who_runs {
	RUNS_PROCESS,
	RUNS_KERNEL,
	/* A walk over open files (by lostpeer, `bpftool prog` or another program) holds each file for a moment, in
	 * read(2). If the holder closes the file meanwhile, the walk drops the last reference, though it never used
	 * the socket. So does read(2) of /proc/PID/fdinfo, or of a Unix socket, which discards descriptors that a
	 * message has. */
	RUNS_WALK,
	/* In execve(2), on the way back to user space: it closes what the new program does not inherit. */
	RUNS_EXEC,
};

/* The task that has the socket locked. */
static __always_inline enum who_runs who_runs(struct sock *sk)
{
	struct call call;

	if (task_is_kernel())
		return RUNS_KERNEL;
	if ((__u32)(bpf_get_current_pid_tgid() >> 32) == agent_tgid)
		return RUNS_WALK;
	if (task_is_exiting())
		return RUNS_PROCESS;
	call = task_call();
	if (call.number == SYSCALL_READ)
		return reads_from(as_number(sk), call.first) ? RUNS_PROCESS : RUNS_WALK;
	return call.number == SYSCALL_EXECVE || call.number == SYSCALL_EXECVEAT ? RUNS_EXEC : RUNS_PROCESS;
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

/* The holder whom our walk saw alone with a file (note_holder), which this very walk now closes. Of another program's
 * walk nobody knows whose descriptor was the last. */
static __always_inline _Bool walk_knows(const struct conn *conn)
{
	return conn && conn->closer.tgid && (__u32)(bpf_get_current_pid_tgid() >> 32) == agent_tgid;
}

/* That it was forked does not matter for a connection of its own. */
static __always_inline void not_inherited(struct lp_task *who, const struct conn *conn)
{
	if (conn && conn->birth.tgid == who->tgid)
		who->forked = 0;
}

/* The process that works on a socket that the current task has locked: the task's own or, if our walk drops the last
 * reference, the holder that it saw. 0: none, or not known. *who must be zeroed. */
static __always_inline _Bool task_at_work(struct lp_task *who, struct sock *sk, const struct conn *conn)
{
	enum who_runs runs = who_runs(sk);

	if (runs == RUNS_PROCESS || runs == RUNS_EXEC)
		task_current(who);
	else if (runs == RUNS_WALK && walk_knows(conn))
		*who = conn->closer;
	else
		return 0;
	if (runs == RUNS_EXEC)
		past_undo_exec(who);
	not_inherited(who, conn);
	return 1;
}

/* The same, but stores the process as the closer. */
static __always_inline _Bool task_closes(struct sock *sk, struct conn *conn)
{
	enum who_runs runs = who_runs(sk);

	if (runs == RUNS_WALK)
		return walk_knows(conn);
	if (runs != RUNS_PROCESS && runs != RUNS_EXEC)
		return 0;
	__builtin_memset(&conn->closer, 0, sizeof(conn->closer));
	task_current(&conn->closer);
	if (runs == RUNS_EXEC)
		past_undo_exec(&conn->closer);
	not_inherited(&conn->closer, conn);
	return 1;
}

static __always_inline __u64 task_current_start(void)
{
	if (kernel_has_task())
		return task_typed()->group_leader->start_boottime;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader, start_boottime);
}

#endif
