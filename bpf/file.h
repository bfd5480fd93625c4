/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an open file to the socket behind it, by probe reads. */
#ifndef LOSTPEER_BPF_FILE_H
#define LOSTPEER_BPF_FILE_H

#include "kernel.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define SOCK_STREAM 1

/* NULL if the file is not a TCP socket. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return (void *)0;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return (void *)0;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return (void *)0;
	return sk;
}

#endif
