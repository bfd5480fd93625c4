/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fills and emits the records of wanted classes, and notes in conns which records may follow. */
#ifndef LOSTPEER_BPF_REPORT_H
#define LOSTPEER_BPF_REPORT_H

#include "emit.h"
#include "facts.h"
#include "owner.h"

/* Rare: only for a class that is wanted of some users only. */
__noinline int wanted_of(__u32 uid, __u32 class)
{
	__u32 *classes = bpf_map_lookup_elem(&want_uids, &uid);

	return classes && (*classes & class);
}

static __always_inline _Bool wanted(__u32 class, struct sock *sk)
{
	__u32 zero = 0;
	struct lp_wants *want = bpf_map_lookup_elem(&wants, &zero);

	if (!want)
		return 0;
	if ((want->classes & class) && (!want->netns || want->netns == sk->__sk_common.skc_net.net->ns.inum))
		return 1;
	return (want->of_uids & class) && wanted_of(sk->sk_uid.val, class);
}

/* Names the process that works on a socket whose end was reported without a final owner. */
static __always_inline void report_owner(struct sock *sk, struct conn *conn, const struct lp_task *who)
{
	struct lp_record *r = emit_reserve(LP_KIND_OWNER, bpf_ktime_get_ns());

	conn->flags &= ~CONN_WANTS_OWNER;
	if (!r)
		return;
	r->socket.state = sk->__sk_common.skc_state;
	r->socket.sk = (__u64)sk;
	if (kernel_has_cookie())
		r->socket.cookie = bpf_get_socket_cookie(sk);
	r->task = *who;
	r->who = LP_WHO_CURRENT;
	emit_submit(r, 1);
}

static __always_inline void remember(struct lp_record *r, struct conn *conn)
{
	if (!conn)
		return;
	r->socket.flags |= LP_F_STATE;
	r->socket.flags |=
		conn->flags & (LP_F_CONNECTED | LP_F_ACCEPTED | LP_F_SEEDED | LP_F_SHARED | LP_F_RST_IN | LP_F_RST_OUT |
			       LP_F_ICMP_SYN | LP_F_RST_OWN | LP_F_KERNEL | LP_F_RESTORED | LP_F_UNREAD_MORE);
	if (conn->flags & CONN_LISTENS) /* a child that was never established (fast open) */
		r->socket.flags = (r->socket.flags & ~LP_F_SEEDED) | LP_F_ACCEPTED;
	r->born_ns = conn->born_ns;
	r->established_ns = conn->established_ns;
	if (conn->flags & CONN_SHUT_BESIDE)
		r->socket.known |= LP_KNOWN_SHUTTER;
	r->reset_reason = conn->reset_reason;
}

static __always_inline void expect_owner(struct lp_record *r, struct conn *conn)
{
	if (conn && (r->who == LP_WHO_BIRTH || r->who == LP_WHO_NONE) && (r->socket.flags & LP_F_SOCKET) &&
	    !(r->socket.flags & LP_F_KERNEL))
		conn->flags |= CONN_WANTS_OWNER;
}

/* Notes which records may follow this CLOSE. */
static __always_inline void expect_more(struct lp_record *r, struct conn *conn)
{
	if (!conn)
		return;
	conn->closed_ns = r->time_ns;
	conn->flags &= ~(LP_F_RST_IN | LP_F_RST_OUT | LP_F_ICMP_SYN | LP_F_RST_OWN | CONN_WANTS_RST | CONN_WANTS_OWNER);
	conn->reset_reason = 0;
	if (r->socket.state == TCP_FIN_WAIT1 || r->socket.state == TCP_FIN_WAIT2)
		conn->flags |= CONN_WANTS_RST;
	expect_owner(r, conn);
}

static __always_inline void report_close(struct sock *sk, struct tcp_sock *tp, __u8 old_state, __u8 shutdown,
					 __u32 flags, __u32 class, struct conn *conn)
{
	struct lp_record *r = emit_reserve(LP_KIND_CLOSE, bpf_ktime_get_ns());

	if (!r)
		return;
	facts_fill(r, sk, tp, old_state, flags);
	if ((flags & LP_F_OWNED) && shutdown == SHUTDOWN_MASK && closes_mapped(sk))
		r->socket.flags |= LP_F_UNREAD_MORE;
	r->socket.shutdown = shutdown;
	remember(r, conn);
	if (r->socket.err)
		conn_sent(&r->socket, conn, tp->rcv_tstamp);
	name_owner(r, sk, conn);
	name_acceptor(r, sk);
	name_waiter(r, sk, conn);
	expect_more(r, conn);
	emit_submit(r, class == LP_CLASS_LOST);
}

/* A RST went out after a CLOSE that was not reported because it looked orderly: report it now. The socket still has all
 * facts except its state, which can only have been FIN_WAIT2. */
static __always_inline void report_close_late(struct sock *sk, struct conn *conn, __u32 reason)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return;
	sk = tcp_as_sock(tp);
	if (!wanted(LP_CLASS_LOST, sk))
		return;
	conn->flags |= LP_F_RST_OUT;
	conn->reset_reason = reason;
	report_close(sk, tp, TCP_FIN_WAIT2, sk->sk_shutdown, facts_flags(sk, tp) | LP_F_RST_AFTER, LP_CLASS_LOST, conn);
}

static __always_inline void report_reset(struct sock *sk, struct conn *conn, __u32 reason)
{
	struct lp_record *r = emit_reserve(LP_KIND_RESET_SENT, bpf_ktime_get_ns());

	conn->flags &= ~CONN_WANTS_RST;
	if (!r)
		return;
	r->socket.sk = (__u64)sk;
	if (kernel_has_cookie())
		r->socket.cookie = bpf_get_socket_cookie(sk);
	r->reset_reason = reason;
	emit_submit(r, 1);
}

#endif
