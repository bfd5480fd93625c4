/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One look at a TCP socket by its address, unlocked and by probe reads: its facts may be a moment apart. */
#ifndef LOSTPEER_BPF_PROBE_H
#define LOSTPEER_BPF_PROBE_H

#include <bpf/bpf_endian.h>

#include "file.h"
#include "kernel.h"
#include "look.h"

const volatile __u32 jiffy_us = 4000; /* the agent sets what it is here */

static __always_inline __u32 jiffies_ms(__u32 jiffies)
{
	return (__u32)((__u64)jiffies * jiffy_us / 1000);
}

/* tcp_jiffies32 of a time that may not be before now by this CPU's clock. */
static __always_inline __u32 age_ms(__u32 now, __u32 then)
{
	__s32 age = (__s32)(now - then);

	return age > 0 ? jiffies_ms((__u32)age) : 0;
}

static __always_inline void look_socket(struct lp_look *l, struct sock *sk)
{
	unsigned long bits = BPF_CORE_READ(sk, __sk_common.skc_flags);
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	struct file *file;

	l->sk = (__u64)sk;
	l->cookie = (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	l->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	l->err = (__u16)BPF_CORE_READ(sk, sk_err);
	l->soft_err = (__u16)BPF_CORE_READ(sk, sk_err_soft);
	l->shutdown = BPF_CORE_READ(sk, sk_shutdown);
	l->uid = BPF_CORE_READ(sk, sk_uid.val);
	l->known = LP_KNOWN_ERROR | LP_KNOWN_KEEPALIVE | LP_KNOWN_TIMERS;
	if (bits & (1UL << SOCK_DEAD))
		l->flags |= LP_F_DEAD;
	if (bits & (1UL << SOCK_DONE))
		l->flags |= LP_F_FIN_IN;
	if (bits & (1UL << SOCK_KEEPOPEN))
		l->flags |= LP_F_KEEPOPEN;
	if (!socket)
		return;
	l->flags |= LP_F_SOCKET;
	file = BPF_CORE_READ(socket, file);
	if (!file)
		return;
	l->flags |= LP_F_FILE;
	l->inode = BPF_CORE_READ(file, f_inode, i_ino);
}

static __always_inline void look_addresses(struct lp_look *l, struct tcp_sock *tp)
{
	struct sock *sk = (struct sock *)tp;

	l->family = probe_addresses(l->local_addr, l->peer_addr, sk);
	l->local_port = bpf_ntohs(BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport));
	l->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	l->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void look_sequence(struct lp_look *l, struct tcp_sock *tp)
{
	l->snd_una = BPF_CORE_READ(tp, snd_una);
	l->snd_nxt = BPF_CORE_READ(tp, snd_nxt);
	l->write_seq = BPF_CORE_READ(tp, write_seq);
	l->copied_seq = BPF_CORE_READ(tp, copied_seq);
	l->rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
	l->snd_wnd = BPF_CORE_READ(tp, snd_wnd);
	l->total_retrans = BPF_CORE_READ(tp, total_retrans);
	l->srtt_us = BPF_CORE_READ(tp, srtt_us);
	if (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp))
		l->flags |= LP_F_MPTCP;
}

static __always_inline void look_retransmission(struct lp_look *l, struct tcp_sock *tp)
{
	__u32 stamp = BPF_CORE_READ(tp, retrans_stamp), age;
	__u64 now_us = bpf_ktime_get_ns() / 1000;
	_Bool usec = bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD_PROBED(tp, tcp_usec_ts);

	if (!stamp)
		return;
	age = (__u32)(usec ? now_us : now_us / 1000) - stamp;
	if ((__s32)age < 0)
		age = 0;
	l->retrans_ms = usec ? age / 1000 : age;
	l->known |= LP_KNOWN_RETRANS;
}

static __always_inline void look_ages(struct lp_look *l, struct tcp_sock *tp)
{
	__u32 ack = BPF_CORE_READ(tp, rcv_tstamp);
	__u32 data = BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime);
	__u32 sent = BPF_CORE_READ(tp, lsndtime);
	__u32 now = (__u32)bpf_jiffies64(), ack_ms = age_ms(now, ack), data_ms = age_ms(now, data);

	if (ack || data) { /* 0: nothing of that kind came yet */
		l->known |= LP_KNOWN_HEARD;
		l->heard_ms = !ack || (data && data_ms < ack_ms) ? data_ms : ack_ms;
	}
	if (BPF_CORE_READ(tp, data_segs_out)) {
		l->known |= LP_KNOWN_SENT;
		l->sent_ms = age_ms(now, sent);
	} else {
		l->known |= LP_KNOWN_NEVER_SENT;
	}
	look_retransmission(l, tp);
	if (bpf_core_field_exists(tp->inet_conn.icsk_probes_tstamp)) {
		__u32 probed = BPF_CORE_READ(tp, inet_conn.icsk_probes_tstamp);

		l->probes_ms = probed ? age_ms(now, probed) + 1 : 0;
	}
}

/* What the socket has of its own, else its namespace's. */
static __always_inline void look_timers(struct lp_look *l, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct net *net = BPF_CORE_READ((struct sock *)tp, __sk_common.skc_net.net);
	__u32 time = BPF_CORE_READ(tp, keepalive_time), interval = BPF_CORE_READ(tp, keepalive_intvl);
	__u8 probes = BPF_CORE_READ(tp, keepalive_probes), syn_retries = BPF_CORE_READ(icsk, icsk_syn_retries);

	l->retransmits = BPF_CORE_READ(icsk, icsk_retransmits);
	l->probes_out = BPF_CORE_READ(icsk, icsk_probes_out);
	l->backoff = BPF_CORE_READ(icsk, icsk_backoff);
	l->rto_ms = jiffies_ms(BPF_CORE_READ(icsk, icsk_rto));
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		l->rto_max_ms = jiffies_ms(BPF_CORE_READ(icsk, icsk_rto_max));
	l->user_timeout_ms = BPF_CORE_READ(icsk, icsk_user_timeout);
	l->retries2 = (__u8)BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_retries2);
	l->orphan_retries = (__u8)BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_orphan_retries);
	l->syn_retries = syn_retries ? syn_retries : (__u8)BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_syn_linear_timeouts))
		l->syn_linear = (__u8)BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_syn_linear_timeouts);
	l->keepalive_probes =
		probes ? probes : (__u8)BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_keepalive_probes);
	l->keepalive_time_ms = jiffies_ms(time ? time : (__u32)BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_time));
	l->keepalive_interval_ms =
		jiffies_ms(interval ? interval : (__u32)BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_intvl));
}

/* *l is zeroed. Listeners have only what tells which they are. */
static __always_inline void look_fill(struct lp_look *l, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	look_socket(l, sk);
	look_addresses(l, tp);
	if (l->state == TCP_LISTEN)
		return;
	look_sequence(l, tp);
	look_ages(l, tp);
	look_timers(l, tp);
}

#endif
