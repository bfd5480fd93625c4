/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* kernel.h, of processes: tasks, their files and cgroups, system calls. */
#ifndef LOSTPEER_BPF_KERNEL_TASKS_H
#define LOSTPEER_BPF_KERNEL_TASKS_H

#include "kernel.h"

#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long orig_ax;
	unsigned long di;
#elif defined(__TARGET_ARCH_arm64)
	int syscallno;
	__u64 orig_x0;
#endif
};

struct kernfs_node {
	__u64 id;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct css_set {
	struct cgroup *dfl_cgrp;
	struct list_head cgrp_links;
};
struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};
struct cred {
	kuid_t euid;
};
struct files_struct;

struct upid {
	int nr;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct mm_struct {
	struct file *exe_file;
};
struct signal_struct {
	struct mm_struct *oom_mm; /* of a victim of the out-of-memory killer */
};

struct nsproxy {
	struct net *net_ns;
};

struct sched_info {
	unsigned long long run_delay; /* not without CONFIG_SCHED_INFO */
};
struct task_struct {
	unsigned int flags;
	void *stack;
	int pid;
	int tgid;
	int exit_code;
	struct mm_struct *mm;
	struct signal_struct *signal;
	__u64 start_time; /* CLOCK_MONOTONIC */
	__u64 start_boottime;
	struct sched_info sched_info;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	char comm[16];
	const struct cred *cred;
	struct css_set *cgroups;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	unsigned in_execve : 1;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
};

#pragma clang attribute pop

/* Those of a 32-bit program differ, and are not recognized. */
#if defined(__TARGET_ARCH_x86)
#define REGS_SYSCALL orig_ax
#define REGS_FIRST di /* the system call's first argument, until it returns to the program */
#define SYSCALL_READ 0
#define SYSCALL_EXECVE 59
#define SYSCALL_EXECVEAT 322
#elif defined(__TARGET_ARCH_arm64)
#define REGS_SYSCALL syscallno
#define REGS_FIRST orig_x0
#define SYSCALL_READ 63
#define SYSCALL_EXECVE 221
#define SYSCALL_EXECVEAT 281
#endif

#endif
