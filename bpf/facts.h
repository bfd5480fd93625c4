/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a full TCP socket says of itself, by direct loads. No verdicts here, but for one: which class of event it
 * will be, so that what nobody wants costs no record. */
#ifndef LOSTPEER_BPF_FACTS_H
#define LOSTPEER_BPF_FACTS_H

#include "conn.h"
#include "file.h"
#include "current.h"

#define FILE_REF_DEAD 0xC000000000000000ULL /* include/linux/file_ref.h: the last reference is gone or going */

/* The module's own name for file's count, for kernels whose struct file has no f_count any more. */
static __always_inline __u32 file_refs(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref)) {
		__u64 refs = (__u64)file->f_ref.refcnt.counter;

		return refs >= FILE_REF_DEAD ? 0 : (__u32)refs + 1;
	}
	return (__u32)file->f_count.counter;
}

static __always_inline _Bool net_dying(struct net *net)
{
	if (bpf_core_field_exists(net->ns.__ns_ref))
		return net->ns.__ns_ref.refs.counter == 0;
	if (bpf_core_field_exists(net->ns.count))
		return net->ns.count.refs.counter == 0;
	return net->count.refs.counter == 0;
}

static __always_inline _Bool is_mptcp(struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/* When the segment came that is being processed: TCP has read the clock for it already. */
static __always_inline __u64 packet_ns(struct tcp_sock *tp)
{
	return tp->tcp_mstamp ? tp->tcp_mstamp * 1000 : bpf_ktime_get_ns();
}

static __always_inline __u32 facts_flags(struct sock *sk, struct tcp_sock *tp)
{
	unsigned long bits = sk->__sk_common.skc_flags;
	__u32 flags = 0;

	if (sk->sk_lock.owned)
		flags |= LP_F_OWNED;
	if (bits & (1UL << SOCK_DEAD))
		flags |= LP_F_DEAD;
	if (bits & (1UL << SOCK_DONE))
		flags |= LP_F_FIN_IN;
	if (bits & (1UL << SOCK_KEEPOPEN))
		flags |= LP_F_KEEPOPEN;
	if (bits & (1UL << SOCK_LINGER))
		flags |= LP_F_LINGER;
	if (BPF_CORE_READ_BITFIELD(tp, repair))
		flags |= LP_F_REPAIR;
	if (is_mptcp(tp))
		flags |= LP_F_MPTCP;
	if (net_dying(sk->__sk_common.skc_net.net))
		flags |= LP_F_NET_DYING;
	return flags;
}

static __always_inline void facts_addresses(struct lp_record *r, struct sock *sk, struct tcp_sock *tp)
{
	r->socket.family = copy_addresses(r->socket.local_addr, r->socket.peer_addr, sk);
	/* skc_num is 0 already for a port that the kernel chose */
	r->socket.local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	r->socket.peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	r->socket.netns = sk->__sk_common.skc_net.net->ns.inum;
}

static __always_inline void facts_tcp(struct lp_record *r, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	__u32 now = (__u32)bpf_jiffies64();
	__u32 ack_age = now - tp->rcv_tstamp;
	__u32 data_age = now - icsk->icsk_ack.lrcvtime;

	r->socket.snd_una = tp->snd_una;
	r->socket.snd_nxt = tp->snd_nxt;
	r->socket.write_seq = tp->write_seq;
	r->socket.rcv_nxt = tp->rcv_nxt;
	r->socket.copied_seq = tp->copied_seq;
	r->socket.snd_wnd = tp->snd_wnd;
	r->socket.bytes_acked = tp->bytes_acked;
	r->socket.bytes_received = tp->bytes_received;
	r->socket.total_retrans = tp->total_retrans;
	r->socket.srtt_us = tp->srtt_us;
	if (tp->rcv_tstamp || icsk->icsk_ack.lrcvtime) { /* 0: nothing of that kind came yet */
		r->socket.heard = 1;
		if (!tp->rcv_tstamp)
			r->socket.silent_jiffies = data_age;
		else if (!icsk->icsk_ack.lrcvtime)
			r->socket.silent_jiffies = ack_age;
		else
			r->socket.silent_jiffies = ack_age < data_age ? ack_age : data_age;
	}
	r->socket.user_timeout_ms = icsk->icsk_user_timeout;
	r->socket.linger2 = tp->linger2;
	r->socket.retransmits = icsk->icsk_retransmits;
	r->socket.probes_out = icsk->icsk_probes_out;
}

static __always_inline void facts_socket(struct lp_record *r, struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	struct file *file;

	r->socket.err = (__u16)sk->sk_err;
	r->socket.soft_err = (__u16)sk->sk_err_soft;
	r->socket.shutdown = sk->sk_shutdown;
	r->socket.linger_jiffies = (__u32)sk->sk_lingertime;
	r->socket.sk_uid = sk->sk_uid.val;
	r->socket.sk = (__u64)sk;
	if (kernel_has_cookie())
		r->socket.cookie = bpf_get_socket_cookie(sk);
	if (!socket)
		return;
	r->socket.flags |= LP_F_SOCKET;
	file = socket->file;
	if (!file)
		return;
	r->socket.flags |= LP_F_FILE;
	r->socket.refs = file_refs(file);
	r->socket.inode = file->f_inode->i_ino;
}

static __always_inline void facts_fill(struct lp_record *r, struct sock *sk, struct tcp_sock *tp, __u8 state,
				       __u32 flags)
{
	r->socket.state = state;
	r->socket.flags = flags;
	facts_socket(r, sk);
	facts_addresses(r, sk, tp);
	facts_tcp(r, tp);
}

/* Nothing but our FIN waits to be acknowledged. */
static __always_inline _Bool payload_acked(struct tcp_sock *tp)
{
	return tp->write_seq - tp->snd_una <= 1;
}

/* The commonest end: the peer closed first, we closed in order, and everything is acknowledged. */
static __always_inline _Bool is_over(struct sock *sk, struct tcp_sock *tp, __u8 old_state)
{
	return old_state == TCP_LAST_ACK && !sk->sk_err && tp->write_seq == tp->snd_una;
}

/* From memory that might be written, so that the verifier goes on once and not once for each class. */
static volatile __u32 class_lost = LP_CLASS_LOST, class_local_closed = LP_CLASS_LOCAL_CLOSED,
		      class_abandoned = LP_CLASS_ABANDONED;

/* The class of a CLOSE out of old_state; 0: nobody is ever told. What needs a judge is LP_CLASS_LOST. */
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
	case TCP_SYN_SENT:
		/* a SYN went out once and the application left: the loser of a race of addresses */
		if (!err && !tp->total_retrans && tp->snd_nxt != tp->snd_una)
			return class_abandoned;
		return class_lost;
	}
	return class_lost;
}

#endif
