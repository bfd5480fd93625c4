/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process that sleeps on a socket: its wait queue has the tasks in recv(2), connect(2), poll(2) or select(2) on it.
 * Each holds the socket now; poll, and recv if threads share the descriptors, hold one reference more. Only for a
 * record, by probe reads. The kind of an entry is inferred from the entry itself. */
#ifndef LOSTPEER_BPF_WAITER_H
#define LOSTPEER_BPF_WAITER_H

#include "current.h"

#define WAITERS_MAX 8   /* entries looked at; more are rare, and then no process is named */
#define STACK_MAX 32768 /* THREAD_SIZE is 16 KiB, 32 with KASAN and on some arm64 */

/* The task that sleeps by this entry; NULL if none does (epoll). *reference: it holds a reference of its own. */
static __always_inline struct task_struct *waiter_task(wait_queue_entry_t *entry, struct file *file, _Bool *reference)
{
	void *private = BPF_CORE_READ(entry, private);
	struct task_struct *task = private;
	struct poll_table_entry *polled;
	__u64 stack = (__u64)BPF_CORE_READ(task, stack);

	/* recv or connect: the entry is on the stack of the task that it names */
	if (stack && (__u64)entry >= stack && (__u64)entry < stack + STACK_MAX) {
		*reference = BPF_CORE_READ(task, files, count.counter) > 1;
		return task;
	}
	polled = (void *)entry - bpf_core_field_offset(struct poll_table_entry, wait);
	if (!private || BPF_CORE_READ(polled, filp) != file)
		return (void *)0;
	*reference = 1;
	return BPF_CORE_READ((struct poll_wqueues *)private, polling_task);
}

#define WAITS_MASK 0xfull /* a task's address ends in more zeros than the count needs */

/* The address of a task of the only process that sleeps on this queue, or 0 if there is none or are several; and in the
 * bits of WAITS_MASK how many references of the file the tasks looked at hold. Global, so that the verifier walks the
 * loop only once, not on each path to it; its arguments are plain numbers, since 5.10 requires that. */
__noinline __u64 sole_waiter(__u64 queue, __u64 file)
{
	struct list_head *head = (void *)queue + bpf_core_field_offset(struct socket_wq, wait.head);
	struct list_head *at = BPF_CORE_READ(head, next);
	struct task_struct *task;
	__u64 found = 0, waits = 0;
	__u32 tgid = 0;

	for (int i = 0; i < WAITERS_MAX && at && at != head; i++, at = BPF_CORE_READ(at, next)) {
		_Bool reference = 0;

		task = waiter_task((void *)at - bpf_core_field_offset(wait_queue_entry_t, entry), (struct file *)file,
				   &reference);
		if (!task)
			continue;
		waits += reference;
		if (found && (__u32)BPF_CORE_READ(task, tgid) != tgid)
			return waits;
		found = (__u64)task;
		tgid = (__u32)BPF_CORE_READ(task, tgid);
	}
	return at == head && tgid ? found | waits : waits;
}

/* Fills waits; who and task too, if all sleepers are of one process. */
static __always_inline _Bool waiter_find(struct lp_record *r, struct sock *sk)
{
	__u64 found = sole_waiter((__u64)BPF_CORE_READ(sk, sk_wq), (__u64)BPF_CORE_READ(sk, sk_socket, file));
	struct task_struct *task = (struct task_struct *)(found & ~WAITS_MASK);
	__u32 flags = BPF_CORE_READ(task, flags);

	r->waits = (__u8)(found & WAITS_MASK);
	if (!task)
		return 0;
	if (flags & PF_KTHREAD) {
		/* before 5.12 io_uring has kernel threads, which work for processes */
		if (!(flags & PF_IO_WORKER))
			r->socket.flags |= LP_F_KERNEL;
		return 0;
	}
	__builtin_memset(&r->task, 0, sizeof(r->task));
	task_probe(&r->task, task);
	r->who = LP_WHO_WAITER;
	return 1;
}

#endif
