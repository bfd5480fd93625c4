/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A list for the agent: sockets with a retransmission timeout. That is no event yet. The hook wakes the agent once; after
 * that the agent has its own deadline to look whether it became one.
 *
 * Retransmissions that recover by themselves (a fast retransmission, a tail loss probe) are not listed, since only the
 * timer counts in icsk_retransmits. Nothing runs for a connection without loss.
 */
#ifndef LOSTPEER_BPF_SILENT_H
#define LOSTPEER_BPF_SILENT_H

#include "report.h"
#include "sent.h"

struct lp_alarms alarms;

/* By address of the socket; the agent empties it. The buckets take half a MiB, each listed socket 100 bytes more. When
 * full, a socket is counted at its first timeout. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LP_SILENT_MAX);
	__type(key, __u64);
	__type(value, struct lp_listed);
} silent SEC(".maps");

/* The last look at a connection with a silent peer, made when it ends: the agent comes too late for one. By address of
 * the socket. The agent makes an entry when it reports the silence, and takes it out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LP_SILENT_MAX);
	__type(key, __u64);
	__type(value, struct lp_record);
} last_looks SEC(".maps");

enum { ALARM_SILENT, ALARM_FINS, ALARM_QUEUES };
__noinline int raise_alarm(__u32 which)
{
	volatile __u32 *alarm = which == ALARM_SILENT ? &alarms.silent
				: which == ALARM_FINS ? &alarms.fins
						      : &alarms.queues;

	if (*alarm)
		return 0;
	*alarm = 1;
	wake_agent();
	return 0;
}

/* The states in which our payload can wait for an acknowledgement. */
static __always_inline _Bool can_wait(__u8 state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK;
}

/* How long the oldest segment has waited: each of the n timeouts so far took twice as long as the one before. */
static __always_inline __u64 waited_ns(struct inet_connection_sock *icsk)
{
	__u32 n = icsk->icsk_retransmits - 1u;

	return (__u64)jiffies_ms(2 * icsk->icsk_rto - (n < 32 ? icsk->icsk_rto >> n : 0)) * 1000000;
}

static __always_inline void list_silent(struct sock *sk, struct tcp_sock *tp)
{
	struct lp_listed new = {.snd_una = tp->snd_una}, *old;
	__u64 key = (__u64)sk;

	old = bpf_map_lookup_elem(&silent, &key);
	if (old && old->snd_una == new.snd_una && !old->ended)
		return;
	new.since_ns = bpf_ktime_get_ns() - waited_ns(&tp->inet_conn);
	new.ports = (__u32)bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport) << 16 | bpf_ntohs(sk->__sk_common.skc_dport);
	if (old)
		*old = new;
	else if (bpf_map_update_elem(&silent, &key, &new, BPF_ANY)) {
		if (tp->inet_conn.icsk_retransmits == 1)
			count(LP_STAT_STATE_FULL);
		return;
	}
	if (kernel_has_cookie())
		bpf_get_socket_cookie(sk); /* gives the socket a cookie, which a look only reads */
	raise_alarm(ALARM_SILENT);
}

static __always_inline void on_retransmit(struct sock *sk, int err)
{
	__u8 state = sk->__sk_common.skc_state;
	struct tcp_sock *tp;
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || !(can_wait(state) || state == TCP_SYN_SENT))
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !tp->inet_conn.icsk_retransmits)
		return;
	conn = conn_find(sk);
	if (conn)
		sent_again(conn, tp, err);
	if (state != TCP_SYN_SENT && wanted(LP_CLASS_SILENT, tcp_as_sock(tp)))
		list_silent(sk, tp);
}

/* Only for what was sent. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock *sk)
{
	on_retransmit(sk, 0);
	return 0;
}

/* From 6.18, for what could not be sent as well. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit_result, struct sock *sk, struct sk_buff *skb, int err)
{
	on_retransmit(sk, err);
	return 0;
}

/* Its state is still the one that it leaves. */
static __always_inline void look_last(__u64 key, struct tcp_sock *tp)
{
	struct lp_record *r = bpf_map_lookup_elem(&last_looks, &key);
	struct conn *conn;

	if (!r)
		return;
	r->version = LP_RECORD_VERSION;
	r->time_ns = bpf_ktime_get_ns();
	look_probed(&r->socket, tp);
	look_bytes_probed(&r->socket, tp);
	if (!kernel_has_cookie())
		r->socket.cookie = 0;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (conn && !(conn->flags & CONN_KEPT))
		remember_look(r, conn);
	r->kind = LP_KIND_LOOK;
}

/* A listed socket ended: the agent need not look at it again. */
__noinline int end_silent(__u64 key)
{
	struct lp_listed *listed = bpf_map_lookup_elem(&silent, &key);
	struct tcp_sock *tp = (struct tcp_sock *)key;

	if (!listed)
		return 0;
	look_last(key, tp);
	listed->ended = BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq) ? 2 : 1;
	return 0;
}

#endif
