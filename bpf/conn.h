/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What we remember of a connection: one accessor over socket storage (from 5.11) and a hash by address (5.10). */
#ifndef LOSTPEER_BPF_CONN_H
#define LOSTPEER_BPF_CONN_H

#include "maps.h"

static __always_inline struct conn *conn_find(struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (kernel_has_storage())
		return bpf_sk_storage_get(&conns, sk, 0, 0);
	return bpf_map_lookup_elem(&conns_by_address, &key);
}

static __always_inline struct conn *conn_find_or_make(struct sock *sk)
{
	static const struct conn nothing;
	__u64 key = (__u64)sk;
	struct conn *conn;

	if (kernel_has_storage()) {
		conn = bpf_sk_storage_get(&conns, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else {
		conn = bpf_map_lookup_elem(&conns_by_address, &key);
		if (!conn) {
			bpf_map_update_elem(&conns_by_address, &key, &nothing, BPF_NOEXIST);
			conn = bpf_map_lookup_elem(&conns_by_address, &key);
		}
	}
	if (!conn)
		count(LP_STAT_STATE_FULL);
	return conn;
}

/* The socket is about to be destroyed. Storage goes with it; the hash entry does not by itself. */
static __always_inline void conn_forget(struct sock *sk, struct conn *conn)
{
	__u64 key = (__u64)sk;
	__u32 zero = 0;
	struct destroyed *last;

	if (kernel_has_storage())
		return;
	last = bpf_map_lookup_elem(&last_destroyed, &zero);
	if (last && conn) {
		last->sk = key;
		last->conn = *conn;
	}
	bpf_map_delete_elem(&conns_by_address, &key);
}

/* For a RST sent after tcp_destroy_sock: storage is still there, the hash entry is in the CPU's last_destroyed. */
static __always_inline struct conn *conn_find_destroyed(struct sock *sk)
{
	struct conn *conn = conn_find(sk);
	struct destroyed *last;
	__u32 zero = 0;

	if (conn || kernel_has_storage())
		return conn;
	last = bpf_map_lookup_elem(&last_destroyed, &zero);
	return last && last->sk == (__u64)sk ? &last->conn : (struct conn *)0;
}

#endif
