/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One look at a TCP socket, unlocked: its facts may be a moment apart. Included twice by bpf/look.bpf.c, which defines
 * how a member is read: LOOK(name) is what the functions are called, GET(p, member), GET_BITS(p, member) for what is a
 * bit field or differs in size between kernels, GET_ADDRESSES(local, peer, sk). No guard, for that.
 */
static __always_inline void LOOK(look_socket)(struct lp_look *l, struct sock *sk)
{
	unsigned long bits = GET(sk, __sk_common.skc_flags);
	struct socket *socket = GET(sk, sk_socket);
	struct inode *inode;
	struct file *file;

	l->sk = (__u64)sk;
	l->cookie = (__u64)GET(sk, __sk_common.skc_cookie.counter);
	l->state = GET(sk, __sk_common.skc_state);
	l->err = (__u16)GET(sk, sk_err);
	l->soft_err = (__u16)GET(sk, sk_err_soft);
	l->shutdown = GET(sk, sk_shutdown);
	l->uid = GET(sk, sk_uid.val);
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
	file = GET(socket, file);
	if (!file)
		return;
	l->flags |= LP_F_FILE;
	inode = GET(file, f_inode);
	l->inode = GET(inode, i_ino);
}

static __always_inline void LOOK(look_addresses)(struct lp_look *l, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct net *net = GET(sk, __sk_common.skc_net.net);

	l->family = GET_ADDRESSES(l->local_addr, l->peer_addr, sk);
	l->local_port = bpf_ntohs(GET(tp, inet_conn.icsk_inet.inet_sport));
	l->peer_port = bpf_ntohs(GET(sk, __sk_common.skc_dport));
	l->netns = GET(net, ns.inum);
}

static __always_inline void LOOK(look_sequence)(struct lp_look *l, struct tcp_sock *tp)
{
	l->snd_una = GET(tp, snd_una);
	l->snd_nxt = GET(tp, snd_nxt);
	l->write_seq = GET(tp, write_seq);
	l->copied_seq = GET(tp, copied_seq);
	l->rcv_nxt = GET(tp, rcv_nxt);
	l->snd_wnd = GET(tp, snd_wnd);
	l->total_retrans = GET(tp, total_retrans);
	l->srtt_us = GET(tp, srtt_us);
	if (bpf_core_field_exists(tp->is_mptcp) && GET(tp, is_mptcp))
		l->flags |= LP_F_MPTCP;
}

static __always_inline void LOOK(look_retransmission)(struct lp_look *l, struct tcp_sock *tp)
{
	__u32 stamp = GET(tp, retrans_stamp), age;
	__u64 now_us = bpf_ktime_get_ns() / 1000;
	_Bool usec = bpf_core_field_exists(tp->tcp_usec_ts) && GET_BITS(tp, tcp_usec_ts);

	if (!stamp)
		return;
	age = (__u32)(usec ? now_us : now_us / 1000) - stamp;
	if ((__s32)age < 0)
		age = 0;
	l->retrans_ms = usec ? age / 1000 : age;
	l->known |= LP_KNOWN_RETRANS;
}

static __always_inline void LOOK(look_ages)(struct lp_look *l, struct tcp_sock *tp)
{
	__u32 ack = GET(tp, rcv_tstamp);
	__u32 data = GET(tp, inet_conn.icsk_ack.lrcvtime);
	__u32 sent = GET(tp, lsndtime);
	__u32 now = (__u32)bpf_jiffies64(), ack_ms = age_ms(now, ack), data_ms = age_ms(now, data);

	if (ack || data) { /* 0: nothing of that kind came yet */
		l->known |= LP_KNOWN_HEARD;
		l->heard_ms = !ack || (data && data_ms < ack_ms) ? data_ms : ack_ms;
	}
	if (GET(tp, data_segs_out)) {
		l->known |= LP_KNOWN_SENT;
		l->sent_ms = age_ms(now, sent);
	} else {
		l->known |= LP_KNOWN_NEVER_SENT;
	}
	LOOK(look_retransmission)(l, tp);
	if (bpf_core_field_exists(tp->inet_conn.icsk_probes_tstamp)) {
		__u32 probed = GET(tp, inet_conn.icsk_probes_tstamp);

		l->probes_ms = probed ? age_ms(now, probed) + 1 : 0;
	}
}

/* What the socket has of its own, else its namespace's. */
static __always_inline void LOOK(look_timers)(struct lp_look *l, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct net *net = GET(&tp->inet_conn.icsk_inet.sk, __sk_common.skc_net.net);
	__u32 time = GET(tp, keepalive_time), interval = GET(tp, keepalive_intvl);
	__u8 probes = GET(tp, keepalive_probes), syn_retries = GET(icsk, icsk_syn_retries);

	l->retransmits = GET(icsk, icsk_retransmits);
	l->probes_out = GET(icsk, icsk_probes_out);
	l->backoff = GET(icsk, icsk_backoff);
	l->rto_ms = jiffies_ms(GET(icsk, icsk_rto));
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		l->rto_max_ms = jiffies_ms(GET(icsk, icsk_rto_max));
	l->user_timeout_ms = GET(icsk, icsk_user_timeout);
	l->retries2 = (__u8)GET_BITS(net, ipv4.sysctl_tcp_retries2);
	l->orphan_retries = (__u8)GET_BITS(net, ipv4.sysctl_tcp_orphan_retries);
	l->syn_retries = syn_retries ? syn_retries : (__u8)GET_BITS(net, ipv4.sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_syn_linear_timeouts))
		l->syn_linear = (__u8)GET_BITS(net, ipv4.sysctl_tcp_syn_linear_timeouts);
	l->keepalive_probes = probes ? probes : (__u8)GET_BITS(net, ipv4.sysctl_tcp_keepalive_probes);
	l->keepalive_time_ms = jiffies_ms(time ? time : (__u32)GET(net, ipv4.sysctl_tcp_keepalive_time));
	l->keepalive_interval_ms = jiffies_ms(interval ? interval : (__u32)GET(net, ipv4.sysctl_tcp_keepalive_intvl));
}

/* *l is zeroed. Listeners have only what tells which they are. */
static __always_inline void LOOK(look_fill)(struct lp_look *l, struct tcp_sock *tp)
{
	LOOK(look_socket)(l, &tp->inet_conn.icsk_inet.sk);
	LOOK(look_addresses)(l, tp);
	if (l->state == TCP_LISTEN)
		return;
	LOOK(look_sequence)(l, tp);
	LOOK(look_ages)(l, tp);
	LOOK(look_timers)(l, tp);
}
