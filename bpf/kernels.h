/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets that the kernel itself uses: of NFS, CIFS, NVMe/TCP, NBD, iSCSI, RDS and the like. No process is their owner,
 * whichever sets them up, or happens to run when they end.
 *
 * The kernel makes them itself (sk_kern_sock, or no file), or takes them from a process that connected (NBD, iSCSI). One
 * that serves a file system or a disk loses GFP_FS, so that sending needs no memory that only this file system could
 * free. MPTCP and SMC make sockets too, but in the name of a process, which has a socket of theirs, or this one if they
 * fall back to TCP.
 */
#ifndef LOSTPEER_BPF_KERNELS_H
#define LOSTPEER_BPF_KERNELS_H

#include "kernel.h"

#define ULP_NAME_MPTCP 0x7063706d /* "mptc" */

/* The socket's part of a sockmap; NULL if it is in none. */
static __always_inline struct sk_psock *psock_of(struct sock *sk)
{
	struct sk_psock *psock = (struct sk_psock *)((__u64)BPF_CORE_READ(sk, sk_user_data) & ~USER_DATA_FLAGS);

	if (!psock || BPF_CORE_READ(psock, sk) != sk) /* others begin with the socket too: KCM */
		return (void *)0;
	return BPF_CORE_READ(psock, sk_proto) == BPF_CORE_READ(sk, sk_prot_creator) ||
			       BPF_CORE_READ((struct tcp_sock *)sk, inet_conn.icsk_ulp_ops)
		       ? psock
		       : (void *)0;
}

/* Rare, so by probe reads in a global function, which the verifier walks only once. */
__noinline int kernel_made(__u64 address)
{
	struct sock *sk = (struct sock *)address;
	struct tcp_sock *tp = (struct tcp_sock *)address;
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	struct file *file = BPF_CORE_READ(socket, file);
	const struct tcp_ulp_ops *ulp = BPF_CORE_READ(tp, inet_conn.icsk_ulp_ops);
	__u32 name = 0;

	if (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp))
		return 0;
	if (ulp && !bpf_core_read(&name, sizeof(name), &ulp->name) && name == ULP_NAME_MPTCP)
		return 0;
	if (bpf_core_field_exists(tp->syn_smc) && BPF_CORE_READ_BITFIELD_PROBED(tp, syn_smc))
		return 0;
	if (socket && !file)
		return 1;
	/* A listener of MPTCP or SMC passes sk_kern_sock on. A file that SMC has given its own socket is another one's. */
	return BPF_CORE_READ(sk, sk_user_data) && !psock_of(sk) &&
	       (!file || BPF_CORE_READ(file, f_inode) == &((struct socket_alloc *)socket)->vfs_inode);
}

#endif
