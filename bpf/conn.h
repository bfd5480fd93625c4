/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The only access to `conns`, a hash by address of the socket. Socket storage would be freed with the socket, but costs
 * twice as much per connection (two allocations for each end, charged to the socket and to a cgroup). */
#ifndef LOSTPEER_BPF_CONN_H
#define LOSTPEER_BPF_CONN_H

#include "maps.h"

/*
 * The kernel gives the address of a destroyed socket to the next one, so its entry is kept: reusing it in place costs a
 * fifth of deleting one and making another. CONNS_KEPT limits them, since addresses that are not used again would fill
 * the map.
 */
static __always_inline _Bool conn_keep(struct conn *conn)
{
	__u32 zero = 0, *kept = bpf_map_lookup_elem(&conns_kept, &zero);

	if (!kept || *kept >= CONNS_KEPT)
		return 0;
	(*kept)++;
	conn->flags = CONN_KEPT;
	return 1;
}

static __always_inline void conn_take_over(struct conn *old, const struct conn *conn)
{
	__u32 zero = 0, *kept = bpf_map_lookup_elem(&conns_kept, &zero);

	if ((old->flags & CONN_KEPT) && kept && *kept)
		(*kept)--;
	*old = *conn;
}

static __always_inline struct conn *conn_find(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn *conn = bpf_map_lookup_elem(&conns, &key);

	return conn && !(conn->flags & CONN_KEPT) ? conn : (struct conn *)0;
}

/* Whether this process connected, or listened, or held the socket at start. */
static __always_inline _Bool conn_is_birth(const struct conn *conn, const struct lp_task *task)
{
	return conn->birth.tgid == task->tgid && conn->birth.start_boot_ns == task->start_boot_ns;
}

static __always_inline int conn_state(const struct conn *conn)
{
	return (conn->flags & CONN_STATE) / (CONN_STATE & -CONN_STATE);
}

static __always_inline void conn_enter(struct conn *conn, int state)
{
	conn->flags = (conn->flags & ~CONN_STATE) | (__u32)state * (CONN_STATE & -CONN_STATE);
}

/* Set by the agent: what is wanted is the same since then (CLOCK_MONOTONIC). */
__u64 wanted_since;

/* When the oldest of the connections began whose end was not seen; 0: none since the agent last looked. */
__u64 unseen_since;

static __always_inline _Bool always_wanted(const struct conn *conn, __u32 class)
{
	__u32 zero = 0;
	struct lp_wants *want = bpf_map_lookup_elem(&wants, &zero);

	return want && (want->classes & class) && conn->established_ns > wanted_since;
}

/* on_close notes each end that may be an event; an orderly one only while it is wanted. If it is not noted when the
 * socket is gone or begins anew, no program ran for it: some sandboxes run none in an interrupt that hits a process
 * which they shield, and count nothing. */
static __always_inline _Bool conn_ended_unseen(const struct conn *conn)
{
	int state = conn_state(conn);

	if (conn->closed_ns)
		return 0;
	if (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2)
		return always_wanted(conn, LP_CLASS_LOCAL_CLOSED);
	return state == TCP_SYN_SENT || state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

static __always_inline void count_unseen(const struct conn *conn)
{
	__u64 since = conn->established_ns ? conn->established_ns : conn->born_ns;

	count(LP_STAT_UNSEEN);
	if (!unseen_since || since < unseen_since)
		unseen_since = since;
}

/* Replaces whatever was remembered for this address. */
static __always_inline void conn_begin(struct sock *sk, const struct conn *conn)
{
	__u64 key = (__u64)sk;
	struct conn *old = bpf_map_lookup_elem(&conns, &key);

	if (old && !(old->flags & CONN_KEPT) && conn_ended_unseen(old))
		count_unseen(old);
	if (old)
		conn_take_over(old, conn);
	else if (bpf_map_update_elem(&conns, &key, conn, BPF_ANY))
		count(LP_STAT_STATE_FULL);
}

static __always_inline struct conn *conn_find_or_make(struct sock *sk)
{
	static const struct conn nothing;
	struct conn *conn = conn_find(sk);

	if (conn)
		return conn;
	conn_begin(sk, &nothing);
	return conn_find(sk);
}

/* The listener from which a child was copied, during the child's first event; 0: not known. tcp_create_openreq_child
 * sets up the queue of sent segments only after that event, so the child's queue still points to the listener's, which
 * is always empty. */
static __always_inline __u64 conn_listener(struct sock *child)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(child);
	__u64 key = 0;

	if (!tp || bpf_probe_read_kernel(&key, sizeof(key), (void *)&tp->tsorted_sent_queue.next))
		return 0;
	return key - bpf_core_field_offset(struct tcp_sock, tsorted_sent_queue);
}

static __always_inline struct conn *conn_find_listener(__u64 key)
{
	struct conn *conn = key ? bpf_map_lookup_elem(&conns, &key) : (void *)0;

	return conn && (conn->flags & CONN_LISTENS) ? conn : (void *)0; /* CONN_KEPT stands alone */
}

/* What became of its segments since the peer was last heard (sent.h); `heard`: tcp_sock.rcv_tstamp. */
static __always_inline void conn_sent(struct lp_socket *s, const struct conn *conn, __u32 heard)
{
	if (!conn || conn->heard != heard)
		return;
	s->resent = conn->resent;
	s->held_back = conn->held_back;
	s->dropped = conn->dropped;
	s->last_try = conn->last_try;
}

/* The socket is about to be destroyed. */
static __always_inline void conn_forget(struct sock *sk, struct conn *conn)
{
	__u64 key = (__u64)sk;
	__u32 zero = 0;
	struct destroyed *last;

	if (!conn)
		return;
	/* send_reset may still ask for these */
	if ((conn->flags & CONN_WANTS_RST || (!conn->closed_ns && (conn->flags & CONN_SHUT))) &&
	    (last = bpf_map_lookup_elem(&last_destroyed, &zero))) {
		last->sk = key;
		last->conn = *conn;
	}
	if (!conn_keep(conn))
		bpf_map_delete_elem(&conns, &key);
}

/* For a RST sent after tcp_destroy_sock, when only last_destroyed still has the socket. */
static __always_inline struct conn *conn_find_destroyed(struct sock *sk)
{
	struct conn *conn = conn_find(sk);
	struct destroyed *last;
	__u32 zero = 0;

	if (conn)
		return conn;
	last = bpf_map_lookup_elem(&last_destroyed, &zero);
	return last && last->sk == (__u64)sk ? &last->conn : (struct conn *)0;
}

#endif
