// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks of `lostpeer watch`. Each collects facts of one moment of a TCP socket; the agent judges them.
 *
 *   inet_sock_set_state   birth (SYN_SENT, LISTEN, ESTABLISHED), the peer's FIN, the closer, and CLOSE: the drop
 *   tcp_receive_reset     marks the socket: a RST came in, before CLOSE
 *   tcp_send_reset        marks it before CLOSE; reports a RST sent after CLOSE, and data for no socket
 *   inet_sk_error_report  marks an ICMP error in SYN_SENT (from 5.14); reports a CLOSE that was missed
 *   tcp_destroy_sock      reports the task that dropped the last reference, if CLOSE was reported without a final owner
 *   tcp_retransmit_synack lists a listener whose SYN queue is full (queues.h)
 *   tcp_hash_*, tcp_ao_*  note segments that are dropped for their TCP signature (signature.h)
 *   tcp_retransmit_skb    lists a socket whose retransmission timer ran out (silent.h), for the agent to look at, and
 *                         counts whether the segment left this host (sent.h)
 *   kfree_skb             counts the segments of a connection that this host drops while sending them (sent.h)
 *   sched_process_fork    notes which process forks which (past.h), and follows the descendants of a command
 *   task_rename           notes the name that a process had before execve(2) (past.h)
 *
 * The same object contains iterators.h (sockets that existed before, holders), agent_look.h (sockets that the agent
 * looks at), syscalls.h (--connect-hook, --accept-hook) and cgroups.h (cgroups that are gone). Nothing here runs for a
 * send, a receive, or a packet that is fine.
 */
#include "kernel.h"
#include <bpf/bpf_endian.h>
#include "maps.h"
#include "emit.h"
#include "facts.h"
#include "agent_look.h"
#include "ended.h"
#include "iterators.h"
#include "reentry.h"
#include "cgroups.h"
#include "past.h"
#include "queues.h"
#include "shutter.h"
#include "signature.h"
#include "silent.h"
#include "syscalls.h"
#include "report.h"
#include "sent.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* These put the types into the object's BTF, where tests/unit compares their layout with the agent's. */
const struct lp_record *type_of_record __attribute__((unused));
const struct lp_holder *type_of_holder __attribute__((unused));
const struct lp_cgroup *type_of_cgroup __attribute__((unused));
const struct lp_past *type_of_past __attribute__((unused));

/* The agent's own tgid while it runs a command: its children are followed. 0: none. */
const volatile __u32 follow_parent = 0;

/* A connection or a listener begins; connect(2) or listen(2) has the socket locked. */
static __always_inline void begin(struct sock *sk, int new_state)
{
	struct conn conn = {.flags = CONN_LISTENS};

	if (new_state == TCP_SYN_SENT) {
		connect_attempted();
		conn.flags = LP_F_CONNECTED;
		conn.born_ns = bpf_ktime_get_ns();
	} else {
		note_listens(as_number(sk->__sk_common.skc_net.net));
	}
	if (is_kernels_typed(sk))
		conn.flags |= LP_F_KERNEL;
	else if (sk->sk_lock.owned && !task_is_kernel())
		task_current(&conn.birth);
	conn_enter(&conn, new_state);
	conn_begin(sk, &conn);
}

/* A listener's child inherits the process that listened. */
static __always_inline void begin_child(struct sock *sk)
{
	static const struct conn unknown = {.flags = LP_F_ACCEPTED};
	__u64 key = conn_listener(sk);
	struct conn *listener = conn_find_listener(key);

	conn_begin(sk, listener ? listener : &unknown);
	if (listener)
		list_full(sk, key);
}

/* Which processes got a connection lately, by process and peer port: an attempt that they give up meanwhile lost a race
 * of addresses (RFC 8305). 64 KiB. Another process or port may take a slot: then the agent reports the loser too. */
__u64 won[LP_WON];

static __always_inline void note_won(struct sock *sk, const struct conn *conn)
{
	__u64 word = lp_won_of(conn->birth.tgid, bpf_ntohs(sk->__sk_common.skc_dport), conn->established_ns);

	won[lp_won_slot(word) & (LP_WON - 1)] = word;
}

static __always_inline void establish(struct sock *sk, __u8 old_state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn *conn = conn_find(sk);

	if (!conn || !tp)
		return;
	if (old_state == TCP_SYN_RECV && (conn->flags & CONN_LISTENS)) {
		/* a copy of the listener's: birth is the process that listened, or one of those that shared it */
		conn->flags = LP_F_ACCEPTED | (conn->flags & (LP_F_KERNEL | LP_F_SHARED));
	}
	/* a RST in SYN_SENT (for the challenge ACK of an older connection) or in SYN_RECV did not end this connection */
	conn->flags &= ~LP_F_RST_OUT;
	conn->reset_reason = 0;
	conn->established_ns = packet_ns(tp);
	conn_enter(conn, TCP_ESTABLISHED);
	if (old_state != TCP_SYN_SENT)
		return;
	if (is_in_repair(tp)) {
		/* either end may have connected, long ago and perhaps elsewhere */
		conn->flags = (conn->flags & ~LP_F_CONNECTED) | LP_F_RESTORED;
		conn->established_ns = 0;
		return;
	}
	note_won(sk, conn);
}

/* The application sends its FIN, or closes a socket that it had shut down. Noted now, since it may have exited when the
 * connection ends. */
static __always_inline void note_closer(struct sock *sk, int old_state, int new_state)
{
	struct conn *conn;

	if ((new_state == TCP_FIN_WAIT2 || new_state == TCP_CLOSING) && old_state != new_state)
		return; /* the peer caused it, not a close(2) by the current task */
	conn = conn_find(sk);
	if (kernel_took_over(sk, conn))
		conn = conn_find(sk);
	if (!conn)
		return;
	if (new_state == TCP_LAST_ACK && conn_state(conn) == TCP_ESTABLISHED &&
	    always_wanted(conn, LP_CLASS_PEER_CLOSED) && wanted(LP_CLASS_PEER_CLOSED, sk))
		count_unseen(conn); /* the peer's FIN */
	conn_enter(conn, new_state);
	if (new_state == TCP_FIN_WAIT1)
		conn->flags |= CONN_FIN_FIRST;
	else if (new_state == TCP_LAST_ACK)
		conn->flags |= CONN_FIN_SECOND;
	if (old_state != new_state && sk->sk_lock.owned && is_shut_while_shared(sk))
		note_shutter(as_number(sk));
	if (sk->sk_shutdown != SHUTDOWN_MASK || !sk->sk_lock.owned)
		return;
	if (closes_mapped(sk))
		conn->flags |= LP_F_UNREAD_MORE;
	if (is_kernels_typed(sk))
		conn->flags |= LP_F_KERNEL;
	if ((conn->flags & LP_F_KERNEL) || !task_closes(sk, conn))
		return;
	conn->flags |= CONN_SHUT;
	if (conn->flags & CONN_WANTS_OWNER) /* after the peer's FIN was reported */
		report_owner(sk, conn, &conn->closer);
}

static __always_inline void on_close(struct sock *sk, __u8 old_state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn *conn;
	__u32 flags, class;
	_Bool over, told, ended;

	if (old_state == TCP_LISTEN) {
		note_listener_closer(sk);
		return;
	}
	if (!tp)
		return;
	sk = tcp_as_sock(tp);
	over = is_over(sk, tp, old_state);
	if (over && !remembers_orderly)
		return;
	flags = facts_flags(sk, tp);
	class = over ? 0 : facts_class(sk, tp, old_state, flags);
	if (class == LP_CLASS_LOCAL_CLOSED && !(flags & LP_F_DEAD) && is_shut_by_another(sk))
		class = class_lost;
	told = class && wanted(class, sk);
	ended = may_be_asked_for(sk, old_state, flags);
	if (!told && !ended && class != LP_CLASS_LOST && class != LP_CLASS_ABANDONED)
		return;
	conn = conn_find(sk);
	if (conn)
		conn_enter(conn, TCP_CLOSE);
	if (ended)
		remember_end(sk, tp, old_state, flags, conn);
	if (told)
		report_close(sk, tp, old_state, sk->sk_shutdown, flags, class, conn);
}

static __always_inline void on_peer_fin(struct sock *sk, __u8 old_state)
{
	struct tcp_sock *tp;
	struct lp_record *r;
	struct conn *conn;

	if (!alarms.fins)
		raise_alarm(ALARM_FINS);
	if (!wanted(LP_CLASS_PEER_CLOSED, sk))
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	sk = tcp_as_sock(tp);
	conn = conn_find(sk);
	if (conn)
		conn_enter(conn, TCP_CLOSE_WAIT);
	r = emit_reserve(LP_KIND_PEER_FIN, bpf_ktime_get_ns());
	if (!r)
		return;
	facts_fill(r, sk, tp, old_state, facts_flags(sk, tp));
	remember(r, conn);
	name_owner(r, sk, conn);
	name_acceptor(r, sk);
	name_waiter(r, sk, conn);
	expect_owner(r, conn);
	emit_submit(r, 0);
}

static __always_inline void on_state(struct sock *sk, int old_state, int new_state)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	switch (new_state) {
	case TCP_ESTABLISHED:
		establish(sk, (__u8)old_state);
		break;
	case TCP_CLOSE:
		if (old_state == TCP_CLOSE)
			break;
		if (alarms.silent)
			end_silent(as_number(sk));
		on_close(sk, (__u8)old_state);
		break;
	case TCP_CLOSE_WAIT:
		if (old_state == TCP_ESTABLISHED || old_state == TCP_SYN_RECV)
			on_peer_fin(sk, (__u8)old_state);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
		note_closer(sk, old_state, new_state);
		break;
	case TCP_SYN_SENT:
	case TCP_LISTEN:
		begin(sk, new_state);
		break;
	case TCP_SYN_RECV:
		if (old_state == TCP_LISTEN)
			begin_child(sk);
		break;
	}
}

/* One of the copies of set_state (reentry.h); `level`: how many copies come before it. */
static __always_inline void take_state(struct sock *sk, int old_state, int new_state, __u32 level)
{
	struct cpu_state *w = cpu_state();

	if (!w || (level && was_taken(w, sk, new_state, level)))
		return;
	if (level)
		count(LP_STAT_NESTED);
	w->copies[level]++;
	on_state(sk, old_state, new_state);
	w->copies[level]--;
	w->sk = (__u64)sk;
	w->state = (__u32)new_state;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old_state, int new_state)
{
	take_state(sk, old_state, new_state, 0);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state_nested, struct sock *sk, int old_state, int new_state)
{
	take_state(sk, old_state, new_state, 1);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state_nested_twice, struct sock *sk, int old_state, int new_state)
{
	take_state(sk, old_state, new_state, 2);
	return 0;
}

static __always_inline void on_receive_reset(struct sock *sk, __u64 stack)
{
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state == TCP_CLOSE)
		return;
	conn = conn_find_or_make(sk);
	if (!conn)
		return;
	conn->flags |= LP_F_RST_IN;
	if (is_own_reset(stack, as_number(sk)))
		conn->flags |= LP_F_RST_OWN;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock *sk)
{
	on_receive_reset(sk, as_number(ctx));
	return 0;
}

/* For kernels where tasks preempt programs (reentry.h). */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset_nested, struct sock *sk)
{
	struct conn *conn = conn_find(sk);

	if (!conn || (conn->flags & LP_F_RST_IN))
		return 0;
	count(LP_STAT_NESTED);
	on_receive_reset(sk, as_number(ctx));
	return 0;
}

/* sk is a full socket. */
static __always_inline void on_send_reset(struct sock *sk, __u8 state, __u32 reason)
{
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (state != TCP_CLOSE) {
		conn = conn_find_or_make(sk);
		if (conn) {
			conn->flags |= LP_F_RST_OUT;
			conn->reset_reason = reason;
		}
		return;
	}
	conn = conn_find_destroyed(sk);
	if (!conn)
		return;
	if (conn->flags & CONN_WANTS_RST)
		report_reset(sk, conn, reason);
	else if (!conn->closed_ns && (conn->flags & CONN_SHUT))
		report_close_late(sk, conn, reason);
}

static __always_inline _Bool is_full_socket(__u8 state)
{
	return state && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV && state != TCP_LISTEN;
}

/* The state of a full socket, a request or a TIME_WAIT socket; 0 if sk is NULL. Only struct sock_common may be read
 * before the state is known. By a probe read, since 6.10 to 6.12 assume that sk is never NULL and remove the check. */
static __always_inline __u8 state_of_any(struct sock *sk)
{
	__u8 state = 0;

	if (!sk || bpf_probe_read_kernel(&state, sizeof(state), (void *)&sk->__sk_common.skc_state))
		return 0;
	return state;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(send_reset, struct sock *sk)
{
	__u8 state = state_of_any(sk);

	if (sk && is_full_socket(state))
		on_send_reset(sk, state, 0);
	return 0;
}

/* From 6.10. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(send_reset_reason, struct sock *sk, struct sk_buff *skb, int reason)
{
	__u8 state = state_of_any(sk);

	if (sk && is_full_socket(state))
		on_send_reset(sk, state, (__u32)reason + 1);
	else if (skb && (!state || state == TCP_TIME_WAIT || state == TCP_LISTEN))
		report_stray(sk, skb, state, (__u32)reason + 1);
	return 0;
}

static __always_inline void on_error_report(struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct conn *conn;

	if ((state != TCP_SYN_SENT && state != TCP_CLOSE) || sk->sk_protocol != IPPROTO_TCP)
		return;
	conn = conn_find(sk);
	if (state == TCP_CLOSE)
		recover_close(sk, conn);
	else if (conn)
		conn->flags |= LP_F_ICMP_SYN;
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(error_report, struct sock *sk)
{
	on_error_report(sk);
	return 0;
}

/* If a shielded process itself closed the socket in order, its FIN was not seen, but no event is lost. */
static __always_inline _Bool was_over(struct sock *sk, struct tcp_sock *tp, const struct conn *conn)
{
	int state = conn_state(conn);

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && (facts_flags(sk, tp) & LP_F_FIN_IN) &&
	       is_over(sk, tp, TCP_LAST_ACK);
}

/* The end of a socket that is destroyed was not seen. */
static __always_inline void note_unseen(struct sock *sk, const struct conn *conn)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return;
	sk = tcp_as_sock(tp);
	if (!was_over(sk, tp, conn) && wanted(LP_CLASS_LOST, sk))
		count_unseen(conn);
}

static __always_inline void on_destroy(struct sock *sk)
{
	struct lp_task who = {};
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (accept_hook) {
		__u64 key = (__u64)sk;

		bpf_map_delete_elem(&acceptors, &key);
	}
	conn = conn_find(sk);
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DEAD)) /* else inet_sk_error_report has reported it */
		recover_close(sk, conn);
	if (conn && conn_ended_unseen(conn))
		note_unseen(sk, conn);
	if (conn && (conn->flags & CONN_WANTS_OWNER) && sk->sk_lock.owned && task_at_work(&who, sk, conn))
		report_owner(sk, conn, &who);
	conn_forget(sk, conn);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_sock, struct sock *sk)
{
	on_destroy(sk);
	return 0;
}

/* For kernels where tasks preempt programs (reentry.h). If destroy_sock ran, conns no longer has the socket. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_sock_nested, struct sock *sk)
{
	if (conn_find(sk)) {
		count(LP_STAT_NESTED);
		on_destroy(sk);
	}
	return 0;
}

static __always_inline void on_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = (__u32)parent->tgid, child_tgid = (__u32)child->tgid;
	__u64 now, start, *parent_start;

	if (child_tgid == tgid)
		return;
	past_begin(parent, child);
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&forks, &tgid, &now, BPF_ANY);
	if (!follow_parent)
		return;
	parent_start = bpf_map_lookup_elem(&followed, &tgid);
	if (tgid != follow_parent && !(parent_start && *parent_start == parent->group_leader->start_boottime))
		return;
	start = child->start_boottime;
	bpf_map_update_elem(&followed, &child_tgid, &start, BPF_ANY);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	on_fork(parent, child);
	return 0;
}
