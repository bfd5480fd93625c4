/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Data that a sockmap or kernel TLS holds beside TCP's queues. Rare, so by probe reads in global functions, which the
 * verifier walks only once.
 *
 * A sockmap's programs move what a socket received into a list of its own, also from another socket, and TCP's sequence
 * numbers do not tell how much. TLS decrypts a whole record when the application reads a part of it.
 */
#ifndef LOSTPEER_BPF_ASIDE_H
#define LOSTPEER_BPF_ASIDE_H

#include "kernels.h"
#include "socket.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct tls_strparser { /* from 6.0 */
	__u32 copy_mode : 1;
};
struct tls_sw_context_rx {
	struct sk_buff_head rx_list;
	struct tls_strparser strp;
};
struct tls_sw_context_tx {
	struct tls_rec *open_rec;
	struct list_head tx_list;
};
struct tls_context {
	__u8 tx_conf : 3;
	__u8 rx_conf : 3;
	struct tls_sw_context_tx *priv_ctx_tx;
	struct tls_sw_context_rx *priv_ctx_rx;
	struct scatterlist *partially_sent_record;
};
enum { TLS_BASE, TLS_SW };

#pragma clang attribute pop

#define ULP_NAME_TLS 0x00736c74 /* "tls" */
#define ASIDE_MESSAGES 16       /* looked at one by one; with more, how much they hold is not known */

/* What data_aside() returns above the count. */
#define ASIDE_UNREAD_UNKNOWN (1ull << 32)
#define ASIDE_UNSENT_UNKNOWN (1ull << 33)
#define ASIDE_ONLY (1ull << 34) /* TCP's own count means nothing */

__noinline __u64 messages_of(__u64 address)
{
	struct sk_psock *psock = (struct sk_psock *)address;
	struct list_head *head = (void *)psock + bpf_core_field_offset(struct sk_psock, ingress_msg), *at;
	__u64 sum = 0;

	if (bpf_core_field_exists(psock->msg_tot_len))
		return BPF_CORE_READ(psock, msg_tot_len);
	at = BPF_CORE_READ(head, next);
	for (int i = 0; i < ASIDE_MESSAGES && at && at != head; i++, at = BPF_CORE_READ(at, next)) {
		struct sk_msg *message = (void *)at - bpf_core_field_offset(struct sk_msg, list);

		sum += BPF_CORE_READ(message, sg.size);
	}
	return at == head ? sum & 0xffffffff : ASIDE_UNREAD_UNKNOWN;
}

static __always_inline __u64 aside_in_sockmap(struct sock *sk, struct sk_psock *psock)
{
	__u64 aside = messages_of((__u64)psock);

	if (BPF_CORE_READ(psock, cork))
		aside |= ASIDE_UNSENT_UNKNOWN;
	if (!bpf_core_field_exists(psock->progs.stream_verdict))
		return BPF_CORE_READ(psock, progs.skb_verdict) ? aside | ASIDE_UNREAD_UNKNOWN : aside;
	if (!BPF_CORE_READ(psock, progs.stream_verdict) && !BPF_CORE_READ(psock, progs.skb_verdict))
		return aside; /* its programs are for what it sends */
	aside |= ASIDE_ONLY;
	if (BPF_CORE_READ(psock, ingress_skb.qlen) || BPF_CORE_READ(sk, sk_receive_queue.qlen) ||
	    (bpf_core_field_exists(psock->strp) && BPF_CORE_READ(psock, strp.skb_head)))
		aside |= ASIDE_UNREAD_UNKNOWN; /* under way */
	return aside;
}

static __always_inline __u64 aside_in_tls(struct tls_context *tls)
{
	__u32 rx = BPF_CORE_READ_BITFIELD_PROBED(tls, rx_conf), tx = BPF_CORE_READ_BITFIELD_PROBED(tls, tx_conf);
	struct tls_sw_context_rx *receives = BPF_CORE_READ(tls, priv_ctx_rx);
	struct tls_sw_context_tx *sends = BPF_CORE_READ(tls, priv_ctx_tx);
	void *sent = (void *)sends + bpf_core_field_offset(struct tls_sw_context_tx, tx_list);
	__u64 aside = 0;

	if (!tls) /* close(2) has freed it */
		return ASIDE_UNREAD_UNKNOWN | ASIDE_UNSENT_UNKNOWN;
	if (rx != TLS_BASE &&
	    (rx != TLS_SW || !bpf_core_field_exists(receives->strp.copy_mode) ||
	     BPF_CORE_READ_BITFIELD_PROBED(receives, strp.copy_mode) || BPF_CORE_READ(receives, rx_list.qlen)))
		aside |= ASIDE_UNREAD_UNKNOWN;
	if (tx != TLS_BASE && (tx != TLS_SW || BPF_CORE_READ(sends, open_rec) ||
			       BPF_CORE_READ(sends, tx_list.next) != sent || BPF_CORE_READ(tls, partially_sent_record)))
		aside |= ASIDE_UNSENT_UNKNOWN;
	return aside;
}

/* Bytes that were received and not read, and are not in TCP's queue; and ASIDE_*. */
__noinline __u64 data_aside(__u64 address)
{
	struct sock *sk = (struct sock *)address;
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)address;
	const struct tcp_ulp_ops *ulp = BPF_CORE_READ(icsk, icsk_ulp_ops);
	struct sk_psock *psock = psock_of(sk);
	__u64 aside = psock ? aside_in_sockmap(sk, psock) : 0;
	__u32 name = 0;

	if (ulp && !bpf_core_read(&name, sizeof(name), &ulp->name) && name != ULP_NAME_MPTCP) {
		if (name == ULP_NAME_TLS && bpf_core_type_exists(struct tls_context))
			aside |= aside_in_tls(BPF_CORE_READ(icsk, icsk_ulp_data));
		else
			aside |= ASIDE_UNREAD_UNKNOWN | ASIDE_UNSENT_UNKNOWN;
	}
	return aside;
}

/* By direct loads, since every close(2) with a timer armed comes here. */
static __always_inline __u32 timers_armed(struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = tcp_as_sock(tp);
	__u32 n = icsk->icsk_delack_timer.entry.pprev != (void *)0;

	if (bpf_core_field_exists(icsk->icsk_retransmit_timer))
		n += icsk->icsk_retransmit_timer.entry.pprev != (void *)0;
	if (bpf_core_field_exists(sk->tcp_retransmit_timer))
		n += sk->tcp_retransmit_timer.entry.pprev != (void *)0;
	if (bpf_core_field_exists(icsk->icsk_keepalive_timer))
		n += icsk->icsk_keepalive_timer.entry.pprev != (void *)0;
	else if (bpf_core_field_exists(sk->sk_timer))
		n += sk->sk_timer.entry.pprev != (void *)0;
	if (bpf_core_field_exists(tp->pacing_timer.state))
		n += (tp->pacing_timer.state & 1) + (tp->compressed_ack_timer.state & 1);
	return n;
}

/* close(2) of a socket in a sockmap throws away what that holds before TCP hears of it. But until a grace period is
 * over, the sockmap's part keeps a reference: one more than the timers account for. A reader of /proc/net/tcp may have
 * it as well, and then a count of 0 is left out for no reason. */
static __always_inline _Bool closes_mapped(struct sock *sk)
{
	__u32 refs = (__u32)sk->__sk_common.skc_refcnt.refs.counter;
	struct tcp_sock *tp;

	if (refs < 2)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	return tp && refs > 1 + timers_armed(tp);
}

#endif
