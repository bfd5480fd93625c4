/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sockets say of themselves when the agent looks: it writes their addresses and runs glance_at_sockets (other_end.h says
 * why so). By probe reads alone: a socket may be destroyed meanwhile, which whoever looked finds out by its ports. */
#ifndef LOSTPEER_BPF_GLANCE_H
#define LOSTPEER_BPF_GLANCE_H

#include "other_end.h"

/* The addresses are in looked_at, what is remembered of each in looked_at_conns. Of a socket in none of these states (bits of 1 << state) nothing else is read. */
__u32 looked_states;
struct lp_glance glances[LP_GLANCES_MAX]; /* 9 KiB, each of the address with the same index */

static __always_inline void probe_sequence(struct lp_record *r, struct tcp_sock *tp)
{
	r->socket.snd_una = BPF_CORE_READ(tp, snd_una);
	r->socket.snd_nxt = BPF_CORE_READ(tp, snd_nxt);
	r->socket.write_seq = BPF_CORE_READ(tp, write_seq);
	r->socket.rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
	r->socket.copied_seq = BPF_CORE_READ(tp, copied_seq);
	r->socket.snd_wnd = BPF_CORE_READ(tp, snd_wnd);
	r->socket.bytes_acked = BPF_CORE_READ(tp, bytes_acked);
	r->socket.bytes_received = BPF_CORE_READ(tp, bytes_received);
	r->socket.total_retrans = BPF_CORE_READ(tp, total_retrans);
	r->socket.srtt_us = BPF_CORE_READ(tp, srtt_us);
	r->socket.user_timeout_ms = BPF_CORE_READ(tp, inet_conn.icsk_user_timeout);
	r->socket.retransmits = BPF_CORE_READ(tp, inet_conn.icsk_retransmits);
	r->socket.probes_out = BPF_CORE_READ(tp, inet_conn.icsk_probes_out);
}

/* As look_heard_typed() has it. */
static __always_inline void probe_silence(struct lp_glance *look, struct tcp_sock *tp)
{
	struct lp_record *r = &look->record;
	__u32 now = (__u32)bpf_jiffies64();
	__u32 ack = BPF_CORE_READ(tp, rcv_tstamp), data = BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime);
	__u32 ack_age = now - ack, data_age = now - data;

	look->sent_jiffies = now - BPF_CORE_READ(tp, lsndtime);
	look->acked_jiffies = ack_age;
	if (!ack && !data)
		return;
	r->socket.known |= LP_KNOWN_HEARD;
	r->socket.heard_ms = jiffies_ms(!ack || (data && data_age < ack_age) ? data_age : ack_age);
}

/* Of one byte or four, which matters not on a little-endian machine. */
static __always_inline __u32 probe_sysctls(struct lp_glance *look, struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	bpf_probe_read_kernel(&look->retries2, bpf_core_field_size(net->ipv4.sysctl_tcp_retries2),
			      &net->ipv4.sysctl_tcp_retries2);
	return (__u32)bpf_probe_read_kernel(&look->orphan_retries,
					    bpf_core_field_size(net->ipv4.sysctl_tcp_orphan_retries),
					    &net->ipv4.sysctl_tcp_orphan_retries);
}

static __always_inline void probe_timers(struct lp_glance *look, struct sock *sk, struct tcp_sock *tp)
{
	__u32 since = BPF_CORE_READ(tp, retrans_stamp);
	__u64 now = bpf_ktime_get_ns() / 1000;

	look->rto_jiffies = BPF_CORE_READ(tp, inet_conn.icsk_rto);
	look->backoff = BPF_CORE_READ(tp, inet_conn.icsk_backoff);
	if (bpf_core_field_exists(tp->inet_conn.icsk_rto_max))
		look->rto_max_jiffies = BPF_CORE_READ(tp, inet_conn.icsk_rto_max);
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD_PROBED(tp, tcp_usec_ts))
		look->retransmit_ms = ((__u32)now - since) / 1000;
	else
		look->retransmit_ms = (__u32)(now / 1000) - since;
	probe_sysctls(look, sk);
}

static __always_inline void probe_flags(struct lp_record *r, struct sock *sk, struct tcp_sock *tp)
{
	unsigned long bits = BPF_CORE_READ(sk, __sk_common.skc_flags);

	if (bits & (1UL << SOCK_DONE))
		r->socket.flags |= LP_F_FIN_IN;
	if (bits & (1UL << SOCK_KEEPOPEN))
		r->socket.flags |= LP_F_KEEPOPEN;
	if (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp))
		r->socket.flags |= LP_F_MPTCP;
	r->socket.err = (__u16)BPF_CORE_READ(sk, sk_err);
	r->socket.soft_err = (__u16)BPF_CORE_READ(sk, sk_err_soft);
	r->socket.shutdown = BPF_CORE_READ(sk, sk_shutdown);
	r->socket.uid = BPF_CORE_READ(sk, sk_uid.val);
}

static __always_inline void glance_at_socket(struct lp_glance *look, __u64 key, const struct conn *conn)
{
	struct sock *sk = (struct sock *)key;
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct lp_record *r = &look->record;
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	r->kind = 0;
	if ((conn->flags & CONN_KEPT) || state > TCP_NEW_SYN_RECV || !(looked_states & (1u << state)))
		return;
	__builtin_memset(look, 0, sizeof(*look));
	r->version = LP_RECORD_VERSION;
	r->kind = LP_KIND_END;
	r->socket.state = state;
	r->socket.sk = key;
	r->time_ns = bpf_ktime_get_ns();
	r->socket.local_port = bpf_ntohs(BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport));
	r->socket.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (kernel_has_cookie())
		r->socket.cookie = (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	probe_socket(r, sk);
	r->socket.family = look_addresses_probed(r->socket.local_addr, r->socket.peer_addr, sk);
	r->socket.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (conn->flags || conn->birth.tgid) /* else nothing is remembered */
		name_end(r, conn);
	probe_flags(r, sk, tp);
	if (state == TCP_LISTEN) {
		r->socket.holds = BPF_CORE_READ(sk, sk_ack_backlog);
		r->backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
		look->drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
		return;
	}
	probe_sequence(r, tp);
	probe_silence(look, tp);
	probe_timers(look, sk, tp);
}

/* Global, so that the verifier walks it once and not for each index. */
__noinline int glance_at_number(__u32 i)
{
	if (i < LP_GLANCES_MAX)
		glance_at_socket(&glances[i], looked_at[i], (struct conn *)looked_at_conns[i]);
	return 0;
}

/* Attached to nothing: the agent runs it. */
SEC("raw_tp")
int glance_at_sockets(void *ctx)
{
	for (__u32 i = 0; i < LP_GLANCES_MAX && i < n_looked_at; i++)
		glance_at_number(i);
	return 0;
}

#endif
