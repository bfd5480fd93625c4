/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who shut a connection down with shutdown(2) while others held it too, such as a child that inherited it. They did not
 * close it, but cannot use it any more. */
#ifndef LOSTPEER_BPF_SHUTTER_H
#define LOSTPEER_BPF_SHUTTER_H

#include "conn.h"
#include "current.h"
#include "look.h"

/* By address of the socket. The agent reads it within a second after the end. The oldest gives way: then the event does
 * not name who shut the connection down. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct lp_shutter);
} shutters SEC(".maps");

/* Whether anything but the current task's descriptor refers to the file: another process, another descriptor, or a
 * thread at work on it. shutdown(2) itself does, if threads share the descriptors. */
static __always_inline _Bool others_refer_to(struct file *file)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 own = 1 + (BPF_CORE_READ(task, files, count.counter) > 1);

	return file_refs_probed(file) > own;
}

/* Rare, so a global function, which the verifier walks only once. The current task has the socket locked. */
__noinline int note_shutter(__u64 sk)
{
	struct file *file = BPF_CORE_READ((struct sock *)sk, sk_socket, file);
	struct lp_shutter shutter = {};
	struct conn *conn;

	if (!file || !others_refer_to(file) || task_is_kernel())
		return 0;
	conn = conn_find((struct sock *)sk);
	if (!conn)
		return 0;
	shutter.time_ns = bpf_ktime_get_ns();
	task_current(&shutter.task);
	shutter.opened = conn_is_birth(conn, &shutter.task);
	if (!bpf_map_update_elem(&shutters, &sk, &shutter, BPF_ANY))
		conn->flags |= shutter.opened ? CONN_SHUT_BESIDE : CONN_SHUT_BESIDE | CONN_SHUT_BY_OTHER;
	return 0;
}

/* In shutdown(2) the socket's file is open; in close(2) it has no references left. */
static __always_inline _Bool is_shut_while_shared(struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	struct file *file = socket ? socket->file : (struct file *)0;

	return file && file_refs_typed(file) > 1;
}

static __always_inline _Bool is_shut_by_another(struct sock *sk)
{
	const struct conn *conn = conn_find(sk);

	return conn && (conn->flags & CONN_SHUT_BY_OTHER);
}

#endif
