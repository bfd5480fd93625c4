// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The walks of `lostpeer check`, which remember nothing and change nothing. An object of its own, so that check loads
 * none of the hooks and maps of `lostpeer watch`.
 *
 * look_at_files   every descriptor of a TCP socket, connected or listening, in any network namespace
 * look_at_sockets every connection of one network namespace: those without a descriptor are orphaned, not yet accepted,
 *                 the kernel's own, in a message that nobody has received, or registered with io_uring
 * find_namespaces the network namespaces that have tasks
 *
 * They write struct lp_held and struct lp_dweller to their iterators' files.
 */
#include "check.h"
#include "file.h"
#include "iter_contexts.h"
#include "kernel.h"
#include "look.h"
#include "process.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* These put the types into the object's BTF, where tests/unit compares their layout with the agent's. */
const struct lp_held *type_of_held __attribute__((unused));
const struct lp_dweller *type_of_dweller __attribute__((unused));

/* 5.11: bpf_sock_from_file (b60da4955f53). */
static __always_inline _Bool kernel_has_file_sock(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file);
}

/* A socket that never connected, or has disconnected, is no connection. */
static __always_inline _Bool is_worth_a_look(__u8 state, __be16 peer_port)
{
	return peer_port || state == TCP_LISTEN;
}

static __always_inline _Bool look_behind_typed(struct lp_socket *s, struct file *file)
{
	struct socket *socket = bpf_sock_from_file(file);
	struct tcp_sock *tp;
	struct sock *sk;

	if (!socket || socket->type != SOCK_STREAM)
		return 0;
	sk = socket->sk;
	if (!sk || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !is_worth_a_look(tp->inet_conn.icsk_inet.sk.__sk_common.skc_state,
				    tp->inet_conn.icsk_inet.sk.__sk_common.skc_dport))
		return 0;
	look_typed(s, tp);
	return 1;
}

static __always_inline _Bool look_behind_probed(struct lp_socket *s, struct file *file)
{
	struct sock *sk = file_sock(file);

	if (!sk || !is_worth_a_look(BPF_CORE_READ(sk, __sk_common.skc_state), BPF_CORE_READ(sk, __sk_common.skc_dport)))
		return 0;
	look_probed(s, (struct tcp_sock *)sk);
	return 1;
}

SEC("iter/task_file")
int look_at_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct lp_held held = {};

	if (!task || !file || task_borrows(task))
		return 0;
	if (!(kernel_has_file_sock() ? look_behind_typed(&held.socket, file) : look_behind_probed(&held.socket, file)))
		return 0;
	held.fd = ctx->fd;
	task_fill(&held.task, task);
	bpf_seq_write(ctx->meta->seq, &held, sizeof(held));
	return 0;
}

/* Set by the agent: look at sockets with a file too. Else these are only named, since most have descriptors. */
_Bool look_at_files_too = 0;

/* 0: it has no file, or is to be looked at all the same. */
static __always_inline _Bool only_named(struct lp_socket *s, struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	struct file *file = socket ? socket->file : (void *)0;

	if (look_at_files_too || !file)
		return 0;
	s->sk = (__u64)sk;
	s->inode = file->f_inode->i_ino;
	s->state = sk->__sk_common.skc_state;
	s->flags = LP_F_SOCKET | LP_F_FILE;
	return 1;
}

SEC("iter/tcp")
int look_at_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct lp_held held = {};
	struct tcp_sock *tp;

	if (!common || common->skc_state == TCP_LISTEN)
		return 0;
	tp = bpf_skc_to_tcp_sock(common); /* NULL: half open, or in TIME_WAIT */
	if (!tp)
		return 0;
	if (!only_named(&held.socket, tcp_as_sock(tp))) {
		look_typed(&held.socket, tp);
		/* without a descriptor (look_at_files_too), but somebody has its events */
		if ((held.socket.flags & LP_F_FILE) && tcp_as_sock(tp)->sk_user_data &&
		    kernel_made(as_number(tcp_as_sock(tp))))
			held.socket.flags |= LP_F_KERNEL;
	}
	bpf_seq_write(ctx->meta->seq, &held, sizeof(held));
	return 0;
}

SEC("iter/task")
int find_namespaces(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct lp_dweller dweller = {};
	struct nsproxy *nsproxy;

	if (!task)
		return 0;
	nsproxy = BPF_CORE_READ(task, nsproxy);
	if (!nsproxy) /* it is exiting */
		return 0;
	dweller.tid = (__u32)BPF_CORE_READ(task, pid);
	dweller.netns = BPF_CORE_READ(nsproxy, net_ns, ns.inum);
	bpf_seq_write(ctx->meta->seq, &dweller, sizeof(dweller));
	return 0;
}
