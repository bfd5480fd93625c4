/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One look at a TCP socket, in parts. look.h includes this twice, hence no guard. It defines LOOK(name), the functions'
 * names, and how a member is read: GET(p, member), GET_16(to, p, member) for an address, GET_BITS(p, member) for a bit
 * field or a member whose size differs between kernels. *s must be zeroed. Without the lock, the facts may be a moment
 * apart.
 */

/* From 6.13 on (90ee6ed776c0) a file counts the references beyond the first. */
static __always_inline __u32 LOOK(file_refs)(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref)) {
		__u64 refs = (__u64)GET(file, f_ref.refcnt.counter);

		return refs >= FILE_REF_DEAD ? 0 : (__u32)refs + 1;
	}
	return (__u32)GET(file, f_count.counter);
}

static __always_inline __u32 LOOK(look_flags)(struct sock *sk, struct tcp_sock *tp)
{
	unsigned long bits = GET(sk, __sk_common.skc_flags);
	__u32 flags = 0;

	if (bits & (1UL << SOCK_DEAD))
		flags |= LP_F_DEAD;
	if (bits & (1UL << SOCK_DONE))
		flags |= LP_F_FIN_IN;
	if (bits & (1UL << SOCK_KEEPOPEN))
		flags |= LP_F_KEEPOPEN;
	if (bpf_core_field_exists(tp->is_mptcp) && GET(tp, is_mptcp))
		flags |= LP_F_MPTCP;
	return flags;
}

/* Whether the kernel itself uses the socket (kernels.h). */
static __always_inline _Bool LOOK(is_kernels)(struct sock *sk)
{
	struct socket *socket = GET(sk, sk_socket);

	if (!(GET(sk, sk_allocation) & GFP_FS))
		return 1;
	return (GET_BITS(sk, sk_kern_sock) || (socket && !GET(socket, file))) && kernel_made(as_number(sk));
}

/* All but the cookie, the state, shutdown and the flags. IPv4 does not write the rest of an address. */
static __always_inline void LOOK(look_identity)(struct lp_identity *id, struct sock *sk, struct tcp_sock *tp)
{
	struct net *net = GET(sk, __sk_common.skc_net.net);

	id->sk = (__u64)sk;
	id->family = GET(sk, __sk_common.skc_family);
	if (id->family == AF_INET) {
		*(__u32 *)id->local_addr = GET(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)id->peer_addr = GET(sk, __sk_common.skc_daddr);
	} else {
		GET_16(id->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
		GET_16(id->peer_addr, sk, __sk_common.skc_v6_daddr);
	}
	/* skc_num may already be 0 if the kernel chose the port */
	id->local_port = bpf_ntohs(GET(tp, inet_conn.icsk_inet.inet_sport));
	id->peer_port = bpf_ntohs(GET(sk, __sk_common.skc_dport));
	id->netns = GET(net, ns.inum);
	id->interface = (__u32)GET(sk, __sk_common.skc_bound_dev_if);
}

/* A bit field until 6.5. */
static __always_inline _Bool LOOK(is_transparent)(struct inet_sock *inet)
{
	if (bpf_core_field_exists(inet->inet_flags))
		return GET(inet, inet_flags) >> INET_FLAGS_TRANSPARENT & 1;
	return GET_BITS(inet, transparent);
}

/* All but the state, the flags above and the cookie. */
static __always_inline void LOOK(look_socket)(struct lp_socket *s, struct sock *sk, struct tcp_sock *tp)
{
	struct socket *socket = GET(sk, sk_socket);
	struct inode *inode;
	struct file *file;

	LOOK(look_identity)(&s->identity, sk, tp);
	if (s->interface)
		name_interface(s, GET(sk, __sk_common.skc_net.net));
	s->err = (__u16)GET(sk, sk_err);
	s->soft_err = (__u16)GET(sk, sk_err_soft);
	s->shutdown = GET(sk, sk_shutdown);
	s->uid = GET(sk, sk_uid.val);
	s->known = LP_KNOWN_KEEPALIVE;
	if (LOOK(is_kernels)(sk))
		s->flags |= LP_F_KERNEL;
	if (LOOK(is_transparent)(&tp->inet_conn.icsk_inet))
		s->flags |= LP_F_TRANSPARENT;
	if (!socket)
		return;
	s->flags |= LP_F_SOCKET;
	file = GET(socket, file);
	if (!file)
		return;
	s->flags |= LP_F_FILE;
	s->refs = LOOK(file_refs)(file);
	inode = GET(file, f_inode);
	s->inode = GET(inode, i_ino);
}

static __always_inline void LOOK(look_data)(struct lp_socket *s, struct tcp_sock *tp)
{
	s->snd_una = GET(tp, snd_una);
	s->snd_nxt = GET(tp, snd_nxt);
	s->write_seq = GET(tp, write_seq);
	s->rcv_nxt = GET(tp, rcv_nxt);
	s->copied_seq = GET(tp, copied_seq);
	s->snd_wnd = GET(tp, snd_wnd);
	s->total_retrans = GET(tp, total_retrans);
	s->srtt_us = GET(tp, srtt_us);
	s->user_timeout_ms = GET(tp, inet_conn.icsk_user_timeout);
	s->retransmits = GET(tp, inet_conn.icsk_retransmits);
	s->probes_out = GET(tp, inet_conn.icsk_probes_out);
}

/* What the count of unread data leaves out. */
static __always_inline void LOOK(look_aside)(struct lp_socket *s, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;
	__u64 aside;

	if (!GET(sk, sk_user_data) && !GET(icsk, icsk_ulp_ops))
		return;
	aside = data_aside(as_number(sk));
	s->aside = (__u32)aside;
	if (aside & ASIDE_UNREAD_UNKNOWN)
		s->flags |= LP_F_UNREAD_UNKNOWN;
	if (aside & ASIDE_UNSENT_UNKNOWN)
		s->flags |= LP_F_UNSENT_UNKNOWN;
	if (aside & ASIDE_ONLY)
		s->copied_seq = s->rcv_nxt;
}

static __always_inline void LOOK(look_bytes)(struct lp_socket *s, struct tcp_sock *tp)
{
	s->bytes_acked = GET(tp, bytes_acked);
	s->bytes_received = GET(tp, bytes_received);
}

static __always_inline __u64 LOOK(look_initial)(struct tcp_sock *tp)
{
	return lp_initial(GET(tp, snd_una), GET(tp, bytes_acked), GET(tp, rcv_nxt), GET(tp, bytes_received));
}

static __always_inline void LOOK(look_heard)(struct lp_socket *s, struct tcp_sock *tp)
{
	__u32 ack = GET(tp, rcv_tstamp), data = GET(tp, inet_conn.icsk_ack.lrcvtime);
	__u32 now = (__u32)bpf_jiffies64();

	if (!ack && !data) /* neither has arrived yet */
		return;
	s->known |= LP_KNOWN_HEARD;
	s->heard_ms = age_ms(now, !ack || (data && now - data < now - ack) ? data : ack);
}

static __always_inline void LOOK(look_retransmission)(struct lp_socket *s, struct tcp_sock *tp)
{
	__u32 stamp = GET(tp, retrans_stamp), age;
	__u64 now_us = bpf_ktime_get_ns() / 1000;
	_Bool usec = bpf_core_field_exists(tp->tcp_usec_ts) && GET_BITS(tp, tcp_usec_ts);

	if (!stamp)
		return;
	age = (__u32)(usec ? now_us : now_us / 1000) - stamp;
	if ((__s32)age < 0)
		age = 0;
	s->retrans_ms = usec ? age / 1000 : age;
	s->known |= LP_KNOWN_RETRANS;
}

static __always_inline void LOOK(look_waiting)(struct lp_socket *s, struct tcp_sock *tp)
{
	__u32 probed;

	LOOK(look_retransmission)(s, tp);
	if (!bpf_core_field_exists(tp->inet_conn.icsk_probes_tstamp))
		return;
	probed = GET(tp, inet_conn.icsk_probes_tstamp);
	if (probed)
		s->probes_ms = age_ms((__u32)bpf_jiffies64(), probed) + 1;
}

static __always_inline void LOOK(look_sent)(struct lp_socket *s, struct tcp_sock *tp)
{
	__u32 sent = GET(tp, lsndtime), now = (__u32)bpf_jiffies64();

	if (GET(tp, data_segs_out)) {
		s->known |= LP_KNOWN_SENT;
		s->sent_ms = age_ms(now, sent);
	} else {
		s->known |= LP_KNOWN_NEVER_SENT;
	}
	/* the sequence number of the last segment that acknowledged data or moved the window: after the FIN */
	if (s->state == TCP_CLOSE_WAIT && GET(tp, snd_wl1) == s->rcv_nxt)
		s->known |= LP_KNOWN_READS_ON;
	LOOK(look_waiting)(s, tp);
}

/* The socket's own settings, else its namespace's. */
static __always_inline void LOOK(look_timers)(struct lp_socket *s, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct net *net = GET(&tp->inet_conn.icsk_inet.sk, __sk_common.skc_net.net);
	__u32 time = GET(tp, keepalive_time), interval = GET(tp, keepalive_intvl);
	__u8 probes = GET(tp, keepalive_probes), syn_retries = GET(icsk, icsk_syn_retries);

	s->known |= LP_KNOWN_TIMERS;
	s->backoff = GET(icsk, icsk_backoff);
	s->rto_ms = (__u32)jiffies_ms(GET(icsk, icsk_rto));
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		s->rto_max_ms = (__u32)jiffies_ms(GET(icsk, icsk_rto_max));
	s->retries2 = (__u8)GET_BITS(net, ipv4.sysctl_tcp_retries2);
	s->orphan_retries = (__u8)GET_BITS(net, ipv4.sysctl_tcp_orphan_retries);
	s->syn_retries = syn_retries ? syn_retries : (__u8)GET_BITS(net, ipv4.sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_syn_linear_timeouts))
		s->syn_linear = (__u8)GET_BITS(net, ipv4.sysctl_tcp_syn_linear_timeouts);
	s->keepalive_probes = probes ? probes : (__u8)GET_BITS(net, ipv4.sysctl_tcp_keepalive_probes);
	s->keepalive_time_ms = (__u32)jiffies_ms(time ? time : (__u32)GET(net, ipv4.sysctl_tcp_keepalive_time));
	s->keepalive_interval_ms =
		(__u32)jiffies_ms(interval ? interval : (__u32)GET(net, ipv4.sysctl_tcp_keepalive_intvl));
}

static __always_inline void LOOK(look_queue)(struct lp_socket *s, struct sock *sk)
{
	s->ack_backlog = GET(sk, sk_ack_backlog);
	s->max_ack_backlog = GET(sk, sk_max_ack_backlog);
	s->drops = (__u32)GET(sk, sk_drops.counter);
}

/* Everything but look_bytes(), which check does not need. */
static __always_inline void LOOK(look)(struct lp_socket *s, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	s->state = GET(sk, __sk_common.skc_state);
	s->flags = LOOK(look_flags)(sk, tp);
	s->cookie = (__u64)GET(sk, __sk_common.skc_cookie.counter);
	LOOK(look_socket)(s, sk, tp);
	if (s->state == TCP_LISTEN) {
		LOOK(look_queue)(s, sk);
		return;
	}
	LOOK(look_data)(s, tp);
	LOOK(look_aside)(s, tp);
	LOOK(look_heard)(s, tp);
	LOOK(look_sent)(s, tp);
	LOOK(look_timers)(s, tp);
}
