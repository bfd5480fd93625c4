/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* --connect-hook and --accept-hook, for facts that only system calls show. Attached only on request, since one enabled
 * syscall tracepoint puts every system call of the host on the kernel's slow path. */
#ifndef LOSTPEER_BPF_SYSCALLS_H
#define LOSTPEER_BPF_SYSCALLS_H

#include "emit.h"
#include "iterators.h"

#define EPERM 1
#define EACCES 13
#define EINVAL 22
#define ENETUNREACH 101
#define EHOSTUNREACH 113

const volatile _Bool accept_hook = 0;
const volatile _Bool connect_hook = 0;

/* The context of every syscall tracepoint, the same in all kernels. */
struct syscall_enter {
	__u64 common;
	long nr;
	unsigned long args[6];
};
struct syscall_exit {
	__u64 common;
	long nr;
	long ret;
};

/* The beginning of struct sockaddr_in and sockaddr_in6. */
struct connect_address {
	__u16 family;
	__be16 port;
	__u8 in4[4]; /* of sockaddr_in; sin6_flowinfo else */
	__u8 in6[16];
};

static __always_inline struct sock *current_fd_sock(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = (void *)0;
	struct socket *socket;
	struct sock *sk;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return (void *)0;
	slot = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &slot[fd]);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return (void *)0;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return (void *)0;
	sk = BPF_CORE_READ(socket, sk);
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? sk : (void *)0;
}

SEC("tp/syscalls/sys_enter_connect")
int connect_enter(struct syscall_enter *ctx)
{
	__u64 key = bpf_get_current_pid_tgid();
	struct connecting call = {
		.addr = ctx->args[1],
		.fd = (__u32)ctx->args[0],
		.len = (__u32)ctx->args[2],
	};

	bpf_map_update_elem(&connects, &key, &call, BPF_ANY);
	return 0;
}

/* connect(2) has reached SYN_SENT: the states that follow show its result. */
static __always_inline void connect_attempted(void)
{
	__u64 key = bpf_get_current_pid_tgid();

	if (connect_hook)
		bpf_map_delete_elem(&connects, &key);
}

static __always_inline void tell_no_connect(struct sock *sk, const struct connect_address *to, __u16 err)
{
	struct lp_record *r = emit_reserve(LP_KIND_NO_CONNECT, bpf_ktime_get_ns());

	if (!r)
		return;
	r->who = LP_WHO_CURRENT;
	r->socket.state = TCP_CLOSE;
	r->socket.err = err;
	r->socket.sk = (__u64)sk;
	r->socket.cookie = (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	r->socket.flags = LP_F_OWNED | LP_F_SOCKET | LP_F_STATE | LP_F_CONNECTED;
	r->born_ns = r->time_ns;
	r->socket.family = to->family;
	r->socket.peer_port = bpf_ntohs(to->port);
	if (to->family == AF_INET)
		__builtin_memcpy(r->socket.peer_addr, to->in4, 4);
	else
		__builtin_memcpy(r->socket.peer_addr, to->in6, 16);
	r->socket.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	r->socket.uid = BPF_CORE_READ(sk, sk_uid.val);
	r->socket.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	task_probe(&r->task, (struct task_struct *)bpf_get_current_task());
	emit_submit(r, 1);
}

SEC("tp/syscalls/sys_exit_connect")
int connect_exit(struct syscall_exit *ctx)
{
	__u64 key = bpf_get_current_pid_tgid();
	struct connecting *call = bpf_map_lookup_elem(&connects, &key);
	struct connect_address to = {};
	struct connecting args;
	long err = -ctx->ret;
	struct sock *sk;

	if (!call)
		return 0;
	args = *call;
	bpf_map_delete_elem(&connects, &key);
	if (err != EPERM && err != EACCES && err != EINVAL && err != ENETUNREACH && err != EHOSTUNREACH)
		return 0;
	sk = current_fd_sock(args.fd);
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		return 0;
	if (args.len < 16 || bpf_probe_read_user(&to, args.len < sizeof(to) ? 8 : sizeof(to), (void *)args.addr))
		return 0;
	if (to.family != AF_INET && (to.family != AF_INET6 || args.len < sizeof(to)))
		return 0;
	tell_no_connect(sk, &to, (__u16)err);
	return 0;
}

static __always_inline void accepted(long fd)
{
	struct lp_task who = {};
	struct sock *sk;
	__u64 key;

	if (fd < 0)
		return;
	sk = current_fd_sock((__u32)fd);
	if (!sk)
		return;
	key = (__u64)sk;
	task_probe(&who, (struct task_struct *)bpf_get_current_task());
	bpf_map_update_elem(&acceptors, &key, &who, BPF_ANY);
}

SEC("tp/syscalls/sys_exit_accept")
int accept_exit(struct syscall_exit *ctx)
{
	accepted(ctx->ret);
	return 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int accept4_exit(struct syscall_exit *ctx)
{
	accepted(ctx->ret);
	return 0;
}

#endif
