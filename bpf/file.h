/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an open file to the socket behind it, by probe reads, and its addresses. */
#ifndef LOSTPEER_BPF_FILE_H
#define LOSTPEER_BPF_FILE_H

#include "kernel.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define SOCK_STREAM 1

/* The TCP socket behind a file; NULL if there is none. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return (void *)0;
	socket = file->private_data;
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return (void *)0;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return (void *)0;
	return sk;
}

/* 16 bytes each, 8-byte aligned; of IPv4 only the first 4 are written. The family. */
static __always_inline __u16 copy_addresses(__u8 *local_addr, __u8 *peer_addr, struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family == AF_INET) {
		*(__u32 *)local_addr = sk->__sk_common.skc_rcv_saddr;
		*(__u32 *)peer_addr = sk->__sk_common.skc_daddr;
	} else {
		__u8 *local = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8;
		__u8 *peer = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8;

		((__u64 *)local_addr)[0] = ((__u64 *)local)[0];
		((__u64 *)local_addr)[1] = ((__u64 *)local)[1];
		((__u64 *)peer_addr)[0] = ((__u64 *)peer)[0];
		((__u64 *)peer_addr)[1] = ((__u64 *)peer)[1];
	}
	return family;
}

/* The same of a socket that is only an address. */
static __always_inline __u16 probe_addresses(__u8 *local_addr, __u8 *peer_addr, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET) {
		bpf_core_read(local_addr, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_core_read(peer_addr, 4, &sk->__sk_common.skc_daddr);
	} else {
		bpf_core_read(local_addr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(peer_addr, 16, &sk->__sk_common.skc_v6_daddr);
	}
	return family;
}

#endif
