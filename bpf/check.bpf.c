// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `lostpeer check` runs in the kernel: three walks that look, remember nothing and change nothing. An object of its
 * own, so that a look loads these alone, and none of the hooks and maps of `lostpeer watch`.
 *
 * look_at_files   every descriptor of a TCP socket, in whatever network namespace; connected or listening
 * look_at_sockets the sockets that have none (orphaned, not yet accepted, the kernel's own), in one network namespace
 * find_namespaces which network namespaces there are tasks in
 *
 * All write to their iterators' files: struct lp_held, struct lp_dweller.
 */
#include "probe.h"
#include "who.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/task_file")
int look_at_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct lp_held held = {};
	struct sock *sk;

	if (!task || !file)
		return 0;
	sk = file_sock(file);
	/* one that never connected, or not again, is no connection */
	if (!sk || (!BPF_CORE_READ(sk, __sk_common.skc_dport) && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN))
		return 0;
	look_fill(&held.look, sk);
	held.fd = ctx->fd;
	task_fill(&held.task, task);
	bpf_seq_write(ctx->meta->seq, &held, sizeof(held));
	return 0;
}

SEC("iter/tcp")
int look_at_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct lp_held held = {};
	struct tcp_sock *tp;

	if (!common || common->skc_state == TCP_LISTEN)
		return 0;
	tp = bpf_skc_to_tcp_sock(common); /* NULL: half open, or what is left in TIME_WAIT */
	if (!tp)
		return 0;
	look_fill(&held.look, (struct sock *)tp);
	if (!(held.look.flags & LP_F_FILE))
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
	if (!nsproxy) /* it exits */
		return 0;
	dweller.tid = (__u32)BPF_CORE_READ(task, pid);
	dweller.netns = BPF_CORE_READ(nsproxy, net_ns, ns.inum);
	bpf_seq_write(ctx->meta->seq, &dweller, sizeof(dweller));
	return 0;
}
