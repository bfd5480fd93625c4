/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process that a record names: the owner if the kernel side knows it at once, else the agent's first candidate. */
#ifndef LOSTPEER_BPF_OWNER_H
#define LOSTPEER_BPF_OWNER_H

#include "conn.h"
#include "syscalls.h"
#include "waiter.h"

static __always_inline void note_listener_closer(struct sock *sk)
{
	__u64 key = bpf_get_current_pid_tgid(), start;

	/* not `ss -K` or shutdown(2), whose task may not be a holder */
	if (sk->sk_shutdown != SHUTDOWN_MASK || !sk->sk_lock.owned)
		return;
	start = task_current_start();
	bpf_map_update_elem(&listener_closers, &key, &start, BPF_ANY);
}

static __always_inline _Bool closes_listener(void)
{
	__u64 key = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&listener_closers, &key);

	return start && *start == task_current_start();
}

static __always_inline __u32 birth_flag(struct lp_record *r, struct conn *conn)
{
	return conn && conn_is_birth(conn, &r->task) ? LP_F_IS_BIRTH : 0;
}

static __always_inline _Bool is_unaccepted(const struct lp_record *r)
{
	return !(r->socket.flags & (LP_F_SOCKET | LP_F_DEAD | LP_F_MPTCP));
}

/* An orphan's closer is its owner; anything else is a candidate, which the agent judges. */
static __always_inline void name_candidate(struct lp_record *r, const struct conn *conn)
{
	if (r->socket.flags & LP_F_KERNEL)
		return;
	if ((r->socket.flags & LP_F_DEAD) && conn->closer.tgid) {
		r->task = conn->closer;
		r->who = LP_WHO_CLOSER;
	} else if (conn->birth.tgid) {
		r->task = conn->birth;
		r->who = is_unaccepted(r) ? LP_WHO_LISTENER : LP_WHO_BIRTH;
	}
}

/* Nobody connected the socket, listened for it, or held it at start. Noted, since the kernel lets go of the events
 * before it closes the socket. Global, so that the verifier walks it only once. */
__noinline int kernel_takes_events(__u64 sk)
{
	struct conn *conn;

	if (!kernel_made(sk))
		return 0;
	conn = conn_find_or_make((struct sock *)sk);
	if (conn)
		conn->flags |= LP_F_KERNEL;
	return 1;
}

static __always_inline _Bool kernel_took_over(struct sock *sk, const struct conn *conn)
{
	struct socket *socket = sk->sk_socket;

	return (!conn || !conn->birth.tgid) && sk->sk_user_data && socket && socket->file &&
	       kernel_takes_events(as_number(sk));
}

/* Applies rules 1 to 3 of the owner rule; for the others, names the candidate. */
static __always_inline void name_owner(struct lp_record *r, struct sock *sk, struct conn *conn)
{
	_Bool aborted = sk->sk_err == ECONNABORTED;

	if (kernel_took_over(sk, conn))
		r->socket.flags |= LP_F_KERNEL;
	if (r->socket.flags & LP_F_KERNEL)
		return;
	if ((r->socket.flags & LP_F_OWNED) && !aborted) {
		if (task_at_work(&r->task, sk, conn)) {
			r->socket.flags |= birth_flag(r, conn);
			r->who = LP_WHO_CURRENT;
			return;
		}
		r->socket.flags |= LP_F_KTHREAD;
	}
	if (is_unaccepted(r) && !r->socket.err && closes_listener()) {
		task_probe(&r->task, (struct task_struct *)bpf_get_current_task()); /* rare: loads faster */
		if (who_runs(sk) == RUNS_EXEC)
			past_undo_exec(&r->task);
		r->socket.flags |= LP_F_LISTENER_CLOSING;
		r->who = LP_WHO_LISTENER;
	} else if (conn) {
		name_candidate(r, conn);
	}
}

static __always_inline void name_acceptor(struct lp_record *r, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct lp_task *acceptor;

	if (!accept_hook || !(r->socket.flags & LP_F_SOCKET) || r->who != LP_WHO_BIRTH)
		return;
	acceptor = bpf_map_lookup_elem(&acceptors, &key);
	if (acceptor) {
		r->task = *acceptor;
		r->socket.flags |= LP_F_ACCEPT_HOOK;
	}
}

/* A process that sleeps on the socket holds it for certain; birth is only a candidate. */
static __always_inline void name_waiter(struct lp_record *r, struct sock *sk, struct conn *conn)
{
	if (r->who == LP_WHO_CURRENT || !(r->socket.flags & LP_F_FILE) || (r->socket.flags & LP_F_KERNEL))
		return;
	if (waiter_find(r, sk))
		r->socket.flags |= birth_flag(r, conn);
}

#endif
