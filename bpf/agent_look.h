/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent looks at sockets, in any network namespace, orphans too: for early warnings, and for the other end of a
 * connection if that lives on. The agent writes the sockets' addresses and their entries of `conns`, then runs
 * look_at_sockets. An iterator over the map would do both, but some kernels are configured to refuse it.
 *
 * Only by probe reads, since a socket may be destroyed meanwhile; the agent recognizes that by the ports.
 */
#ifndef LOSTPEER_BPF_AGENT_LOOK_H
#define LOSTPEER_BPF_AGENT_LOOK_H

#include "conn.h"
#include "look.h"
#include "maps.h"
#include "owner.h"
#include "turned_away.h"

/* Shared by the agent and look_at_sockets, 15 KiB. The program reads no map that allocates as it grows, since 5.10
 * warns about those in a raw tracepoint's program. */
__u64 looked_at[LP_LOOK_MAX];
unsigned char looked_at_conns[LP_LOOK_MAX][sizeof(struct conn)] __attribute__((aligned(8)));
__u32 n_looked_at;
__u32 looked_states;                /* bits of 1 << state; a socket in another state is skipped */
_Bool looks_for_sought;             /* skip those that are not in `sought` too: the agent walks all of conns */
_Bool looked_unseen;                /* skip all but those whose end was not seen (conn.h) */
struct lp_record seen[LP_LOOK_MAX]; /* by the index of looked_at; kind 0: skipped */

static __always_inline _Bool is_sought(struct tcp_sock *tp)
{
	__u64 initial = look_initial_probed(tp);

	return initial && bpf_map_lookup_elem(&sought, &initial);
}

static __always_inline void remember_look(struct lp_record *r, const struct conn *conn)
{
	r->socket.flags |= LP_F_STATE | (conn->flags & (LP_F_CONNECTED | LP_F_ACCEPTED | LP_F_SEEDED | LP_F_SHARED |
							LP_F_KERNEL | LP_F_RESTORED));
	r->born_ns = conn->born_ns;
	r->established_ns = conn->established_ns;
	name_candidate(r, conn);
}

/* Memory of a socket that is gone may serve something else by now. */
static __always_inline _Bool is_connection(struct sock *sk, __u8 state)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return state && state < TCP_NEW_SYN_RECV && state != TCP_CLOSE && state != TCP_TIME_WAIT &&
	       state != TCP_LISTEN && (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline void look_for_unseen(struct lp_record *r, struct sock *sk, __u8 state, const struct conn *conn)
{
	if (!conn_ended_unseen(conn) || is_connection(sk, state))
		return;
	r->kind = LP_KIND_LOOK;
	r->socket.sk = (__u64)sk;
	r->born_ns = conn->born_ns;
	r->established_ns = conn->established_ns;
}

static __always_inline void look_at_socket(struct lp_record *r, __u64 key, const struct conn *conn)
{
	struct sock *sk = (struct sock *)key;
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	r->kind = 0;
	if (looked_unseen && !(conn->flags & CONN_KEPT))
		look_for_unseen(r, sk, state, conn);
	if (looked_unseen || (conn->flags & CONN_KEPT) || state > TCP_NEW_SYN_RECV || !(looked_states & (1u << state)))
		return;
	if (looks_for_sought && !is_sought(tp))
		return;
	__builtin_memset(r, 0, sizeof(*r));
	r->version = LP_RECORD_VERSION;
	r->kind = LP_KIND_LOOK;
	r->time_ns = bpf_ktime_get_ns();
	look_probed(&r->socket, tp);
	look_bytes_probed(&r->socket, tp);
	if (!kernel_has_cookie())
		r->socket.cookie = 0;
	if (conn->flags || conn->birth.tgid) { /* else conns does not have it */
		remember_look(r, conn);
		conn_sent(&r->socket, conn, BPF_CORE_READ(tp, rcv_tstamp));
	}
}

static __always_inline void look_turned_away(struct lp_socket *s, __u64 key)
{
	struct sock *sk = (struct sock *)key;
	struct lp_turned_away away = {};

	if (!count_turned_away(&away, BPF_CORE_READ(sk, __sk_common.skc_net.net)))
		return;
	s->known |= LP_KNOWN_TURNED_AWAY;
	s->overflows = away.count[LP_QUEUE_ACCEPT];
	s->syn_drops = away.count[LP_QUEUE_SYN];
}

/* Global, so that the verifier walks it only once, not for each index. */
__noinline int look_at_number(__u32 i)
{
	if (i >= LP_LOOK_MAX)
		return 0;
	look_at_socket(&seen[i], looked_at[i], (struct conn *)looked_at_conns[i]);
	if (seen[i].kind && seen[i].socket.state == TCP_LISTEN)
		look_turned_away(&seen[i].socket, looked_at[i]);
	return 0;
}

/* Never attached: the agent runs it (BPF_PROG_TEST_RUN, from 5.10). */
SEC("raw_tp")
int look_at_sockets(void *ctx)
{
	for (__u32 i = 0; i < LP_LOOK_MAX && i < n_looked_at; i++)
		look_at_number(i);
	return 0;
}

#endif
