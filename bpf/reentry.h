/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Transitions that set_state misses. Since 6.1 (05b24ff9b2cf) the kernel does not start a program on a CPU that is
 * already running it: while a process is inside set_state, the transitions of a softirq on that CPU are missed. Since
 * 7.0 (a46023d5616e) tracepoints leave preemption on, and transitions of other tasks are missed as well.
 *
 * There are two remedies. A drop by a softirq has an error, so inet_sk_error_report or tcp_destroy_sock follows in the
 * same softirq, and recover_close() reports it from there. That costs next to nothing, but recovers only drops. The
 * other is copies of set_state, attached one after the other: the first that is not running on this CPU takes the
 * transition. They recover everything, but each transition costs one more call: measured on 6.18, 0.5 us of CPU, or
 * 3 %, of a connection that is closed in order, and 5 % of one with a single byte. So the agent attaches them only if
 * more than drops is wanted, if the kernel preempts programs, or once anything was missed. If the kernel preempts
 * programs, destroy_sock and receive_reset have a copy as well.
 */
#ifndef LOSTPEER_BPF_REENTRY_H
#define LOSTPEER_BPF_REENTRY_H

#include "report.h"

/* Set by the agent when the copies are attached. */
__u32 copies_attached;

/* For each CPU: which copies of set_state are running, and the transition that was last taken. */
#define SET_STATE_COPIES 3
struct cpu_state {
	__u64 sk;
	__u32 state;
	__u32 copies[SET_STATE_COPIES];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline struct cpu_state *cpu_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_states, &zero);
}

/*
 * Whether an earlier copy took this transition: it did if it is the last one taken on this CPU. A softirq or another
 * task may have overwritten that; then the connection's own state decides. If the connection is not in conns, or
 * nothing wants its CLOSE, the transition may be taken twice.
 */
static __always_inline _Bool was_taken(const struct cpu_state *w, struct sock *sk, int new_state, __u32 level)
{
	struct conn *conn;

	if (w->sk == (__u64)sk && w->state == (__u32)new_state)
		return 1;
	conn = conn_find(sk);
	return conn ? conn_state(conn) == new_state : new_state == TCP_CLOSE && !w->copies[level - 1];
}

/* The state from which a socket entered CLOSE, inferred from its fields and from conns. */
static __always_inline __u8 state_before(struct conn *conn, struct tcp_sock *tp, __u32 flags)
{
	_Bool fin_in = flags & LP_F_FIN_IN;

	if (!conn)
		return fin_in ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
	if (conn->flags & CONN_LISTENS)
		return TCP_SYN_RECV;
	if ((conn->flags & LP_F_CONNECTED) && !conn->established_ns)
		return TCP_SYN_SENT;
	if (conn->flags & CONN_FIN_SECOND)
		return TCP_LAST_ACK;
	if (conn->flags & CONN_FIN_FIRST) {
		if (fin_in)
			return TCP_CLOSING;
		return tp->write_seq == tp->snd_una ? TCP_FIN_WAIT2 : TCP_FIN_WAIT1;
	}
	return fin_in ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
}

/* sk_shutdown before tcp_done() shut both halves. */
static __always_inline __u8 shutdown_before(struct conn *conn, __u32 flags)
{
	__u8 shutdown = flags & LP_F_FIN_IN ? RCV_SHUTDOWN : 0;

	if (conn && (conn->flags & (CONN_FIN_FIRST | CONN_FIN_SECOND)))
		shutdown |= SEND_SHUTDOWN;
	if (conn && (conn->flags & CONN_SHUT))
		shutdown = SHUTDOWN_MASK;
	return shutdown;
}

/* A socket in CLOSE with an error, whose transition may have been missed. */
static __always_inline void recover_close(struct sock *sk, struct conn *conn)
{
	struct cpu_state *w = cpu_state();
	struct tcp_sock *tp;
	__u32 flags, class;
	__u8 state;

	if (!w || !w->copies[0] || copies_attached || !sk->sk_err || (conn && conn->closed_ns))
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	sk = tcp_as_sock(tp);
	count(LP_STAT_NESTED);
	flags = facts_flags(sk, tp);
	state = state_before(conn, tp, flags);
	class = facts_class(sk, tp, state, flags);
	if (class && wanted(class, sk))
		report_close(sk, tp, state, shutdown_before(conn, flags), flags, class, conn);
}

#endif
