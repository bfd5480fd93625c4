/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Recently closed sockets. A peer may still send data after a socket is gone: we answer with a RST for no socket, or
 * for its TIME_WAIT socket (visible from 6.10 on). Or it is on this host, and has an event of its own. So each end
 * writes the connection and its owner to a slot of fixed size; on each CPU the oldest gives way. The agent reads the
 * slots when such a RST is reported, and for the other end of an event, so that an orderly close costs no record.
 */
#ifndef LOSTPEER_BPF_ENDED_H
#define LOSTPEER_BPF_ENDED_H

#include "emit.h"
#include "facts.h"
#include "report.h"

/* The number of slots per CPU, a power of two; set before loading. */
const volatile __u32 ended_of_cpu = LP_ENDED;
/* Somebody wants the orderly ends too, so their other ends are remembered as well. */
_Bool remembers_orderly;

/* Slot i of CPU c is ended[(c * ended_of_cpu + i) % LP_ENDED]. */
struct lp_ended ended[LP_ENDED];

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ended_next SEC(".maps");

/* Connections whose stray segments were reported: a peer with a window in flight gets a RST for each segment. The
 * oldest gives way; then the same connection may be reported twice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct lp_identity); /* but for the socket, its state and flags */
	__type(value, __u64);            /* CLOCK_MONOTONIC, nanoseconds */
} strays SEC(".maps");

#define STRAY_AGAIN_NS 60000000000ULL /* as long as TIME_WAIT lasts */

/* Whether anybody may ask for this end: the peer, though after both FINs only leftovers can arrive; or the event of the
 * other end. */
static __always_inline _Bool may_be_asked_for(struct sock *sk, __u8 old_state, __u32 flags)
{
	if (old_state == TCP_SYN_SENT)
		return 0;
	return remembers_orderly || sk->sk_err ||
	       !(old_state == TCP_LAST_ACK || old_state == TCP_CLOSING || (flags & LP_F_FIN_IN)) ||
	       old_state == TCP_CLOSE_WAIT;
}

static __always_inline void remember_end(struct sock *sk, struct tcp_sock *tp, __u8 old_state, __u32 flags,
					 struct conn *conn)
{
	__u32 zero = 0, *next = bpf_map_lookup_elem(&ended_next, &zero);
	struct lp_ended *slot;
	__u32 at;

	if (!next)
		return;
	at = bpf_get_smp_processor_id() * ended_of_cpu + ((*next)++ & (ended_of_cpu - 1));
	slot = &ended[at & (LP_ENDED - 1)];
	slot->time_ns = 0; /* marks it as being written */
	look_identity_typed(&slot->socket, sk, tp);
	slot->socket.cookie = (__u64)sk->__sk_common.skc_cookie.counter; /* may be 0: making one costs time */
	slot->socket.state = old_state;
	/* in repair mode the close says nothing to the peer, whose other end is another socket from then on */
	slot->initial = flags & LP_F_REPAIR ? 0 : look_initial_typed(tp);
	slot->socket.flags = flags & LP_F_DEAD;
	if (conn)
		slot->socket.flags |= conn->flags & (LP_F_CONNECTED | LP_F_ACCEPTED);
	if (is_kernels_typed(sk) || (conn && (conn->flags & LP_F_KERNEL))) {
		__builtin_memset(&slot->owner, 0, sizeof(slot->owner));
	} else if (conn && (conn->flags & CONN_SHUT)) {
		slot->owner = conn->closer;
	} else {
		__builtin_memset(&slot->owner, 0, sizeof(slot->owner));
		if (sk->sk_lock.owned && sk->sk_err != ECONNABORTED)
			task_at_work(&slot->owner, sk, conn);
	}
	/* a softirq has already read the clock, for its segment or timer */
	slot->time_ns = sk->sk_lock.owned ? bpf_ktime_get_ns() : packet_ns(tp);
}

/* Fills in the connection of the segment that we answer; its destination is the local end. 0: not TCP with data, or a
 * SYN, or not readable. */
static __always_inline _Bool stray_segment(struct lp_identity *s, struct sock *sk, struct sk_buff *skb)
{
	struct tcphdr_words tcp;
	unsigned char *at = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	unsigned char *data = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header);
	__u8 version = 0;

	if (bpf_probe_read_kernel(&version, 1, at) || bpf_probe_read_kernel(&tcp, sizeof(tcp), data))
		return 0;
	if (BPF_CORE_READ(skb, data) != data || (tcp.flags & TCP_SYN) ||
	    BPF_CORE_READ(skb, len) <= (__u32)(tcp.offset >> 4) * 4)
		return 0;
	s->peer_port = bpf_ntohs(tcp.source);
	s->local_port = bpf_ntohs(tcp.dest);
	if (sk) /* a listener: the segment no longer has a device */
		s->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	else
		s->netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	s->interface = (__u32)BPF_CORE_READ(skb, skb_iif);
	if (version >> 4 == 4) {
		s->family = AF_INET;
		return !bpf_probe_read_kernel(s->peer_addr, 4, at + 12) &&
		       !bpf_probe_read_kernel(s->local_addr, 4, at + 16);
	}
	s->family = AF_INET6;
	return !bpf_probe_read_kernel(s->peer_addr, 16, at + 8) && !bpf_probe_read_kernel(s->local_addr, 16, at + 24);
}

static __always_inline _Bool told_before(const struct lp_identity *stray, __u64 now)
{
	__u64 *told = bpf_map_lookup_elem(&strays, stray);

	if (told && now - *told < STRAY_AGAIN_NS)
		return 1;
	bpf_map_update_elem(&strays, stray, &now, BPF_ANY);
	return 0;
}

/* We sent a RST for no socket (state 0), for one in TIME_WAIT, or for a listener. */
static __always_inline void report_stray(struct sock *sk, struct sk_buff *skb, __u8 state, __u32 reason)
{
	struct lp_identity stray = {};
	struct lp_record *r;
	__u32 zero = 0;
	struct lp_wants *want = bpf_map_lookup_elem(&wants, &zero);
	__u64 now;

	if (!want || !(want->classes & LP_CLASS_LOST) ||
	    !stray_segment(&stray, state == TCP_LISTEN ? sk : (void *)0, skb))
		return;
	if (want->netns && want->netns != stray.netns)
		return;
	now = bpf_ktime_get_ns();
	if (told_before(&stray, now))
		return;
	r = emit_reserve(LP_KIND_STRAY, now);
	if (!r)
		return;
	r->socket.identity = stray;
	name_interface(&r->socket, state == TCP_LISTEN ? BPF_CORE_READ(sk, __sk_common.skc_net.net)
						       : BPF_CORE_READ(skb, dev, nd_net.net));
	r->socket.state = state ? state : TCP_CLOSE;
	r->socket.flags = state == TCP_TIME_WAIT ? LP_F_DEAD : 0;
	r->reset_reason = reason;
	emit_submit(r, 1);
}

#endif
