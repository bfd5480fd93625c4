/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The other end of a connection, where it is a socket of this host that lives on: a look at what we remember, in
 * whatever network namespace, orphans too. Done when an event is told whose other end has no record of its own. The
 * agent reads the addresses of sockets from the map, and runs look_at_ends over them: an iterator over the map would do
 * both, but some kernels are set up to refuse it. */
#ifndef LOSTPEER_BPF_OTHER_END_H
#define LOSTPEER_BPF_OTHER_END_H

#include "facts.h"
#include "file.h"

/* Ports of the ends that the agent is looking for, local << 16 | peer; it fills and empties this around a run. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LP_ENDS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sought_ends SEC(".maps");

static __always_inline void probe_socket(struct lp_record *r, struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	struct file *file;

	if (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1UL << SOCK_DEAD))
		r->socket.flags |= LP_F_DEAD;
	if (!socket)
		return;
	r->socket.flags |= LP_F_SOCKET;
	file = BPF_CORE_READ(socket, file);
	if (!file)
		return;
	r->socket.flags |= LP_F_FILE;
	r->socket.refs = file_refs_probed(file);
	r->socket.inode = BPF_CORE_READ(file, f_inode, i_ino);
}

/* Whom it belongs to: a candidate, but for an orphan's closer (user/who/owner.c judges as ever). */
static __always_inline void name_end(struct lp_record *r, const struct conn *conn)
{
	r->socket.flags |= LP_F_STATE | (conn->flags & (LP_F_CONNECTED | LP_F_ACCEPTED | LP_F_SEEDED | LP_F_SHARED));
	r->born_ns = conn->born_ns;
	r->established_ns = conn->established_ns;
	if ((r->socket.flags & LP_F_DEAD) && conn->closer.tgid) {
		r->who = LP_WHO_CLOSER;
		r->task = conn->closer;
	} else if (conn->birth.tgid) {
		r->who = r->socket.flags & (LP_F_SOCKET | LP_F_DEAD) ? LP_WHO_BIRTH : LP_WHO_LISTENER;
		r->task = conn->birth;
	}
}

/* False: not a socket with sought ports. */
static __always_inline _Bool look_at_end(struct lp_record *r, __u64 key, const struct conn *conn)
{
	struct sock *sk = (struct sock *)key;
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u16 local_port, peer_port;
	__u32 ports;

	if (conn->flags & CONN_KEPT)
		return 0;
	local_port = bpf_ntohs(BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport));
	peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	ports = (__u32)local_port << 16 | peer_port;
	if (!bpf_map_lookup_elem(&sought_ends, &ports))
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->version = LP_RECORD_VERSION;
	r->kind = LP_KIND_END;
	r->socket.sk = key;
	r->socket.local_port = local_port;
	r->socket.peer_port = peer_port;
	r->socket.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (kernel_has_cookie())
		r->socket.cookie = (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	r->socket.snd_una = BPF_CORE_READ(tp, snd_una);
	r->socket.snd_nxt = BPF_CORE_READ(tp, snd_nxt);
	r->socket.rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
	probe_socket(r, sk);
	r->socket.family = look_addresses_probed(r->socket.local_addr, r->socket.peer_addr, sk);
	r->socket.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	name_end(r, conn);
	return 1;
}

/* Between the agent, which writes what it read from `conns`, and look_at_ends, which writes what it finds; 14 KiB. The
 * program looks at no map that grows, for which 5.10 warns of programs of this type. */
__u64 looked_at[LP_LOOK_MAX];
unsigned char looked_at_conns[LP_LOOK_MAX][sizeof(struct conn)] __attribute__((aligned(8)));
__u32 n_looked_at;
struct lp_record found_ends[LP_LOOK_MAX];
__u32 n_found_ends;

/* Global, so that the verifier walks it once and not for each index. */
__noinline int look_at_number(__u32 i)
{
	__u32 at = n_found_ends;

	if (i >= LP_LOOK_MAX || at >= LP_LOOK_MAX)
		return 0;
	if (look_at_end(&found_ends[at], looked_at[i], (struct conn *)looked_at_conns[i]))
		n_found_ends = at + 1;
	return 0;
}

/* Attached to nothing: the agent runs it (BPF_PROG_TEST_RUN, from 5.10). */
SEC("raw_tp")
int look_at_ends(void *ctx)
{
	n_found_ends = 0;
	for (__u32 i = 0; i < LP_LOOK_MAX && i < n_looked_at; i++)
		look_at_number(i);
	return 0;
}

#endif
