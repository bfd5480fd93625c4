/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Walks over every open file: seed_files at start, for sockets that existed before; find_holders when the agent
 * searches for the holders of the sockets in `sought`. From 6.1 a walk can be limited to one process. */
#ifndef LOSTPEER_BPF_ITERATORS_H
#define LOSTPEER_BPF_ITERATORS_H

#include "conn.h"
#include "facts.h"
#include "file.h"
#include "iter_contexts.h"

static __always_inline struct conn *seed_conn(struct file *file)
{
	struct sock *sk = file_sock(file);

	return sk ? conn_find_or_make(sk) : (void *)0;
}

/* Writes the tgid of each connection's holder to the iterator's file, for the agent's line about what it watches. */
SEC("iter/task_file")
int seed_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct conn *conn;
	struct sock *sk;
	__u32 tgid;

	if (!task || !file || task_borrows(task))
		return 0;
	sk = file_sock(file);
	if (!sk)
		return 0;
	conn = seed_conn(file);
	if (!conn)
		return 0;
	if (conn->flags & LP_F_SEEDED && conn->birth.tgid != (__u32)task->tgid)
		conn->flags |= LP_F_SHARED;
	if (conn->flags || conn->birth.tgid)
		return 0;
	task_fill(&conn->birth, task);
	tgid = conn->birth.tgid;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		conn->flags |= LP_F_SEEDED | CONN_LISTENS;
		return 0;
	}
	conn->flags |= LP_F_SEEDED;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		bpf_seq_write(ctx->meta->seq, &tgid, sizeof(tgid));
	return 0;
}

static __always_inline void write_holder(struct bpf_iter__task_file *ctx, struct task_struct *task, struct file *file,
					 __u64 key, __u32 listening)
{
	struct lp_holder holder = {};

	holder.key = key;
	holder.inode = file->f_inode->i_ino;
	holder.fd = ctx->fd;
	holder.listening = listening;
	task_fill(&holder.task, task);
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
}

/* The walk itself holds a reference. If the only other holder drops its own meanwhile, the walk closes the file, and
 * that holder is the closer. */
static __always_inline void note_holder(struct sock *sk, struct file *file, struct task_struct *task)
{
	struct lp_task who = {};
	struct conn *conn = conn_find(sk);

	if (!conn || (conn->flags & CONN_SHUT))
		return;
	if (file_refs_typed(file) == 2)
		task_fill(&who, task);
	conn->closer = who;
}

/* Writes one struct lp_holder for each descriptor of a sought socket. */
SEC("iter/task_file")
int find_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock *sk;
	__u64 key;

	if (!task || !file || task_borrows(task))
		return 0;
	sk = file_sock(file);
	if (!sk)
		return 0;
	note_holder(sk, file, task);
	key = (__u64)sk;
	if (bpf_map_lookup_elem(&sought, &key))
		write_holder(ctx, task, file, key, 0);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	key = (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) << 16 | BPF_CORE_READ(sk, __sk_common.skc_num);
	if (bpf_map_lookup_elem(&sought, &key))
		write_holder(ctx, task, file, key, 1);
	return 0;
}

#endif
