/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A list for the agent: listeners that have, or had, a full accept queue or a full SYN queue; and the kernel's own count
 * of whom these turned away. The agent looks at the listed ones a second later.
 *
 * An accept queue is full when a connection fills it. Nothing runs when a SYN queue overflows; but it is full still when
 * one of its requests becomes a connection, or when its SYN-ACK is sent again. With SYN cookies it turns nobody away.
 */
#ifndef LOSTPEER_BPF_QUEUES_H
#define LOSTPEER_BPF_QUEUES_H

#include "silent.h"
#include "turned_away.h"

/* By address of the listener; the agent empties it. The queues of more listeners do not fill in the same second. When
 * full, the listener is counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LP_QUEUES_MAX);
	__type(key, __u64);
	__type(value, struct lp_filled);
} filled SEC(".maps");

/* Whether this child fills its listener's accept queue, so that sk_acceptq_is_full() from here on. The child is a copy,
 * with the listener's counts from before. */
static __always_inline _Bool fills_queue(struct sock *child)
{
	return child->sk_ack_backlog >= child->sk_max_ack_backlog;
}

static __always_inline _Bool has_no_cookies(struct sock *sk)
{
	struct net *net = sk->__sk_common.skc_net.net;

	return !BPF_CORE_READ_BITFIELD(net, ipv4.sysctl_tcp_syncookies);
}

static __always_inline _Bool wants_queues(struct sock *listener)
{
	__u32 zero = 0;
	struct lp_wants *want = bpf_map_lookup_elem(&wants, &zero);

	if (!want)
		return 0;
	if ((want->classes & LP_CLASS_QUEUES) &&
	    (!want->netns || want->netns == BPF_CORE_READ(listener, __sk_common.skc_net.net, ns.inum)))
		return 1;
	return (want->of_uids & LP_CLASS_QUEUES) && wanted_of(BPF_CORE_READ(listener, sk_uid.val), LP_CLASS_QUEUES);
}

__noinline int list_filled(__u64 key, __u32 queue)
{
	struct lp_filled new = {.queues = 1u << (queue & 3)}, *old;
	struct sock *listener = (struct sock *)key;

	if (!wants_queues(listener))
		return 0;
	old = bpf_map_lookup_elem(&filled, &key);
	if (old) {
		old->queues |= new.queues;
		return 0;
	}
	new.since_ns = bpf_ktime_get_ns();
	new.drops = (__u32)BPF_CORE_READ(listener, sk_drops.counter);
	if (bpf_map_update_elem(&filled, &key, &new, BPF_ANY))
		count(LP_STAT_STATE_FULL);
	else
		raise_alarm(ALARM_QUEUES);
	return 0;
}

/* tcp_conn_request() without cookies: full is more requests than the backlog (as many, on older kernels); and the last
 * quarter of tcp_max_syn_backlog is for peers that are known. */
__noinline int list_if_syn_full(__u64 key)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)key;
	struct net *net = BPF_CORE_READ(icsk, icsk_inet.sk.__sk_common.skc_net.net);
	__u32 length = (__u32)BPF_CORE_READ(icsk, icsk_accept_queue.qlen.counter);
	__u32 most = (__u32)BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);

	if (length && (length >= BPF_CORE_READ(icsk, icsk_inet.sk.sk_max_ack_backlog) || length >= most - (most >> 2)))
		list_filled(key, LP_QUEUE_SYN);
	return 0;
}

static __always_inline void list_full(struct sock *child, __u64 listener)
{
	if (fills_queue(child))
		list_filled(listener, LP_QUEUE_ACCEPT);
	if (has_no_cookies(child))
		list_if_syn_full(listener);
}

/* A SYN-ACK was not answered: nothing for a handshake that is fine. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(retransmit_synack, struct sock *sk)
{
	if (sk->sk_protocol == IPPROTO_TCP && has_no_cookies(sk))
		list_if_syn_full(as_number(sk));
	return 0;
}

#endif
