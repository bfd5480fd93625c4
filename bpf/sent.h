/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether what a connection sends leaves this host: counted from when the peer was last heard, so that its end shows
 * whether nobody answered, or nothing was sent. Only loss and drops run these.
 */
#ifndef LOSTPEER_BPF_SENT_H
#define LOSTPEER_BPF_SENT_H

#include "conn.h"
#include "packet.h"
#include "report.h"

#define EBUSY 16
#define LOOPBACK_IFINDEX 1
/* A segment that is dropped while it is being sent is dropped within microseconds. Longer than that it waited in a
 * queue, or for a neighbour that does not answer, and that is no fault of this host. */
#define SENDING_NS 5000000
#define JUST_NOW_NS 1000000ULL

static __always_inline void sent_begin(struct conn *conn, __u32 heard)
{
	if (conn->heard == heard)
		return;
	conn->heard = heard;
	conn->resent = conn->held_back = conn->dropped = conn->last_try = 0;
}

static __always_inline __u8 one_more(__u8 count)
{
	return count < 255 ? count + 1 : count;
}

/* The retransmission timer sent something again, or tried to. EBUSY: what it sent before is still in a queue. Some
 * queues drop it and do not say so. */
static __always_inline void sent_again(struct conn *conn, struct tcp_sock *tp, int err)
{
	_Bool failed = err || (conn->dropped_ns && bpf_ktime_get_ns() - conn->dropped_ns < JUST_NOW_NS);

	if (err == -EBUSY)
		return;
	sent_begin(conn, tp->rcv_tstamp);
	conn->last_try = failed ? LP_TRY_FAILED : LP_TRY_LEFT;
	if (failed)
		conn->held_back = one_more(conn->held_back);
	else
		conn->resent = one_more(conn->resent);
}

/* By probe reads: it is rare, and the verifier does not follow it on the path of every packet that is dropped. */
static __always_inline void on_own_drop(struct conn *conn, struct tcp_sock *tp, struct sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();

	if ((__s64)(now - (__u64)BPF_CORE_READ(skb, tstamp)) >= SENDING_NS)
		return;
	sent_begin(conn, BPF_CORE_READ(tp, rcv_tstamp));
	conn->dropped = one_more(conn->dropped);
	conn->last_try = LP_TRY_FAILED;
	conn->dropped_ns = now;
}

/* Runs for whatever this host drops. What came in from an interface is not being sent. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(own_drop, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct conn *conn;

	if (!sk || skb->skb_iif)
		return 0;
	conn = conn_find(sk);
	if (conn && !(conn->flags & CONN_LISTENS))
		on_own_drop(conn, (struct tcp_sock *)sk, skb);
	return 0;
}

/* A RST that comes in by loopback, though the connection leaves by another interface, is by this host's own firewall:
 * one that rejects a segment sends the RST itself. */
__noinline int is_own_reset(__u64 stack, __u64 key)
{
	struct sock *sk = (struct sock *)key;
	struct dst_entry *route = BPF_CORE_READ(sk, sk_dst_cache);
	__u64 packet = packet_find(stack, key, TCP_RST);

	return packet && route && BPF_CORE_READ((struct sk_buff *)packet, skb_iif) == LOOPBACK_IFINDEX &&
	       BPF_CORE_READ(route, dev, ifindex) != LOOPBACK_IFINDEX;
}

#endif
