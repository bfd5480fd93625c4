/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who sleeps on a socket: its wait queue names the tasks that are in recv(2), connect(2), poll(2) or select(2) on it.
 * Each holds it at this instant, and poll, or recv where threads share the descriptors, holds a reference more. Read
 * for a drop alone, by probe reads; what an entry is, it proves itself. */
#ifndef LOSTPEER_BPF_WAITER_H
#define LOSTPEER_BPF_WAITER_H

#include "current.h"

#define WAITERS_MAX 8   /* entries looked at; more than that are rare, and then nobody is named */
#define STACK_MAX 32768 /* THREAD_SIZE is 16 KiB, 32 with KASAN and on some arm64 */

/* The sleeping task behind an entry, NULL if it is none (epoll). *reference: it holds one of its own. */
static __always_inline struct task_struct *waiter_task(wait_queue_entry_t *entry, struct file *file, _Bool *reference)
{
	void *private = BPF_CORE_READ(entry, private);
	struct task_struct *task = private;
	struct poll_table_entry *polled;
	__u64 stack = (__u64)BPF_CORE_READ(task, stack);

	/* in a call: the entry is on the stack of the very task that it names */
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

/* The one process that sleeps on this queue of a socket: the address of a task of it, or 0; and in the bits of
 * WAITS_MASK how many references of the file those hold that were looked at. Global, so that the verifier walks the loop
 * once and not on each way to it; and of mere numbers, as 5.10 wants them. */
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

/* Fills who, task and waits, if all who sleep are of one process. */
static __always_inline _Bool waiter_find(struct lp_record *r, struct sock *sk)
{
	__u64 found = sole_waiter((__u64)BPF_CORE_READ(sk, sk_wq), (__u64)BPF_CORE_READ(sk, sk_socket, file));

	r->waits = (__u8)(found & WAITS_MASK);
	if (!(found & ~WAITS_MASK))
		return 0;
	__builtin_memset(&r->task, 0, sizeof(r->task));
	task_probe(&r->task, (struct task_struct *)(found & ~WAITS_MASK));
	r->who = LP_WHO_WAITER;
	return 1;
}

#endif
