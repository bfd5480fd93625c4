/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Facts of a full TCP socket, by direct loads. The only verdict here is the class of the event, so that an event that
 * nothing wants costs no record. */
#ifndef LOSTPEER_BPF_FACTS_H
#define LOSTPEER_BPF_FACTS_H

#include "conn.h"
#include "current.h"
#include "look.h"

static __always_inline _Bool net_dying(struct net *net)
{
	if (bpf_core_field_exists(net->ns.__ns_ref))
		return net->ns.__ns_ref.refs.counter == 0;
	if (bpf_core_field_exists(net->ns.count))
		return net->ns.count.refs.counter == 0;
	return net->count.refs.counter == 0;
}

/* When the segment arrived that is being processed: TCP has read the clock already. */
static __always_inline __u64 packet_ns(struct tcp_sock *tp)
{
	return tp->tcp_mstamp ? tp->tcp_mstamp * 1000 : bpf_ktime_get_ns();
}

static __always_inline _Bool is_in_repair(struct tcp_sock *tp)
{
	return BPF_CORE_READ_BITFIELD(tp, repair) != 0;
}

/* Always 0. Volatile, so that the verifier follows one path with unknown flags, not one for each set of them. */
static volatile __u32 nothing;

static __always_inline __u32 facts_flags(struct sock *sk, struct tcp_sock *tp)
{
	__u32 flags = look_flags_typed(sk, tp);

	if (sk->sk_lock.owned)
		flags |= LP_F_OWNED;
	if (is_in_repair(tp))
		flags |= LP_F_REPAIR;
	if (net_dying(sk->__sk_common.skc_net.net))
		flags |= LP_F_NET_DYING;
	return flags + nothing;
}

/* Without a branch, since the verifier would follow both sides. */
static __always_inline __u32 is_negative(__s64 value)
{
	return (__u64)value >> 63;
}

static __always_inline __u32 linger_flags(struct sock *sk, struct tcp_sock *tp)
{
	__u32 lingers = (__u32)(sk->__sk_common.skc_flags >> SOCK_LINGER) & 1;

	return (lingers & is_negative((__s64)sk->sk_lingertime - 1)) * LP_F_LINGER |
	       is_negative(tp->linger2) * LP_F_LINGER2;
}

static __always_inline void facts_fill(struct lp_record *r, struct sock *sk, struct tcp_sock *tp, __u8 state,
				       __u32 flags)
{
	struct lp_socket *s = &r->socket;

	s->state = state;
	s->flags = flags | linger_flags(sk, tp);
	if (kernel_has_cookie())
		s->cookie = bpf_get_socket_cookie(sk);
	look_socket_typed(s, sk, tp);
	look_data_typed(s, tp);
	look_aside_typed(s, tp);
	look_bytes_typed(s, tp);
	look_heard_typed(s, tp);
	if (s->err)
		look_waiting_typed(s, tp);
}

/* At most our FIN waits for an acknowledgement. */
static __always_inline _Bool payload_acked(struct tcp_sock *tp)
{
	return tp->write_seq - tp->snd_una <= 1;
}

/* The commonest end: the peer closed first, we closed in order, and everything is acknowledged. */
static __always_inline _Bool is_over(struct sock *sk, struct tcp_sock *tp, __u8 old_state)
{
	return old_state == TCP_LAST_ACK && !sk->sk_err && tp->write_seq == tp->snd_una;
}

/* Volatile, so that the verifier follows one path with an unknown class, not one for each class. */
static volatile __u32 class_lost = LP_CLASS_LOST, class_local_closed = LP_CLASS_LOCAL_CLOSED;

/* The class of a CLOSE from old_state; 0: never reported. LP_CLASS_LOST if the agent must judge. */
static __always_inline __u32 facts_class(struct sock *sk, struct tcp_sock *tp, __u8 old_state, __u32 flags)
{
	int err = sk->sk_err;

	switch (old_state) {
	case TCP_LISTEN:
		return 0;
	case TCP_LAST_ACK:
		return err && err != ECONNABORTED && payload_acked(tp) ? 0 : class_lost;
	case TCP_CLOSING:
		return !err && tp->write_seq == tp->snd_una ? class_local_closed : class_lost;
	case TCP_FIN_WAIT2:
		/* while a process has the socket locked, only the peer's FIN ends this state in order */
		if (err || ((flags & LP_F_OWNED) && !(flags & (LP_F_DEAD | LP_F_FIN_IN))) ||
		    ((flags & LP_F_DEAD) && tp->linger2 < 0))
			return class_lost;
		return class_local_closed;
	}
	return class_lost;
}

#endif
