/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/judge.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "event/blame.h"
#include "event/close_facts.h"
#include "event/data.h"

/* __tcp_close() goes straight to CLOSE from these states. From FIN_WAIT on it does so only with data unread or with
 * SO_LINGER 0; with a longer linger it sleeps in FIN_WAIT, where a timer may end the connection. */
static bool close_resets(const struct close_facts *f)
{
	if (f->old == TCP_ESTABLISHED || f->old == TCP_CLOSE_WAIT || f->old == TCP_SYN_RECV)
		return true;
	return f->unread || (f->r->socket.flags & LP_F_LINGER);
}

static struct close_facts facts_of(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel)
{
	struct data data = data_of(&r->socket);
	struct close_facts f = {
		.r = r,
		.kernel = kernel,
		.old = r->socket.state,
		.err = r->socket.err,
		.owned = r->socket.flags & LP_F_OWNED,
		.dead = r->socket.flags & LP_F_DEAD,
		.socket = r->socket.flags & LP_F_SOCKET,
		.fin_in = r->socket.flags & LP_F_FIN_IN,
		.remembered = r->socket.flags & LP_F_STATE,
		.rst_in = r->socket.flags & LP_F_RST_IN,
		.rst_out = r->socket.flags & LP_F_RST_OUT,
		.reset_after = reset_after,
		.mptcp = r->socket.flags & LP_F_MPTCP,
		.in_flight = r->socket.snd_nxt != r->socket.snd_una,
		.waiting = data.waiting > 0,
		.payload_lost = data.unacked || data.unsent,
		.unread = data.unread > 0,
		.in_fin_wait = r->socket.state == TCP_FIN_WAIT1 || r->socket.state == TCP_FIN_WAIT2,
		.both_over = r->socket.state == TCP_LAST_ACK || r->socket.state == TCP_CLOSING,
	};

	f.unaccepted = !f.socket && !f.dead && !f.mptcp && f.old != TCP_SYN_SENT;
	f.by_close = data_closing_now(&r->socket);
	if (f.owned && f.socket && !f.dead && f.by_close && !f.rst_in && f.err != ECONNABORTED && close_resets(&f))
		f.err = 0; /* IP_RECVERR left an old ICMP error on the socket: not the reason for this close */
	return f;
}

static enum lp_phase phase_of(const struct close_facts *f)
{
	if (f->old == TCP_SYN_SENT || (f->old == TCP_SYN_RECV && !f->unaccepted))
		return PHASE_CONNECTING;
	if (f->unaccepted)
		return PHASE_UNACCEPTED;
	if (f->dead)
		return PHASE_ORPHANED;
	if (f->in_fin_wait || f->both_over)
		return PHASE_CLOSING;
	return f->old == TCP_CLOSE_WAIT ? PHASE_HALF_CLOSED : PHASE_ESTABLISHED;
}

/* Whether a hook sees an ICMP error that arrives while connect(2) has the socket locked. tcp_v6_err() reports no such
 * error (ipv6_icmp_error() returns first); the error that answers the next SYN ends the attempt by itself. */
static bool icmp_shown(const struct close_facts *f)
{
	if (f->r->socket.family == AF_INET6 && !data_is_mapped(&f->r->socket) && !f->r->socket.total_retrans)
		return false;
	return f->kernel->error_report && f->remembered;
}

/* Data for a socket that was shut for reading ends it as a RST does, or as the acknowledgement of our FIN does that
 * came in the same segment. Only the RST that this host sends in return tells them apart. */
static bool may_be_data_after_close(const struct close_facts *f, enum lp_cause cause)
{
	if (f->kernel->send_reset || !(f->r->socket.shutdown & 1) || !f->in_fin_wait)
		return false;
	if (cause == LOCAL_CLOSED_CLOSE && !f->err)
		return f->dead && f->old == TCP_FIN_WAIT2 && !f->fin_in;
	return cause == PEER_LOST_RESET || (cause == LOCAL_CLOSED_CLOSE && f->rst_in);
}

static enum lp_cause other_possible(const struct close_facts *f, enum lp_cause cause)
{
	if (cause == CONNECT_FAILED_ABANDONED && !f->r->socket.soft_err && !icmp_shown(f))
		return CONNECT_FAILED_UNREACHABLE;
	if (cause == CONNECT_FAILED_REFUSED && !f->remembered)
		return CONNECT_FAILED_UNREACHABLE;
	if (cause == PEER_LOST_USER_TIMEOUT && blame_user_timeout_is_guessed(f))
		return PEER_LOST_PROBE_TIMEOUT;
	if (may_be_data_after_close(f, cause))
		return LOCAL_RESET_DATA_AFTER_CLOSE;
	return CAUSE_NONE;
}

bool judge_waits_for_reset(const struct lp_record *r)
{
	if (r->kind != LP_KIND_CLOSE || (r->socket.flags & LP_F_RST_AFTER))
		return false;
	if ((r->socket.flags & LP_F_RST_IN) && (r->socket.shutdown & 1))
		return r->socket.state == TCP_FIN_WAIT1 || r->socket.state == TCP_FIN_WAIT2;
	return r->socket.state == TCP_FIN_WAIT2 && !r->socket.err && (r->socket.flags & LP_F_DEAD);
}

static struct verdict judge_no_connect(const struct lp_record *r)
{
	bool no_route = r->socket.err == ENETUNREACH || r->socket.err == EHOSTUNREACH;
	enum lp_cause cause = no_route ? CONNECT_FAILED_UNREACHABLE : CONNECT_FAILED_DENIED;

	/* no SYN was sent: the missing route is this host's */
	return (struct verdict){cause, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE};
}

struct verdict judge_record(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel)
{
	struct close_facts f = facts_of(r, reset_after || (r->socket.flags & LP_F_RST_AFTER), kernel);
	struct verdict v = {.cause = PEER_CLOSED_FIN, .phase = phase_of(&f)};

	if (r->kind == LP_KIND_NO_CONNECT)
		return judge_no_connect(r);
	if (r->kind == LP_KIND_STRAY && f.dead)
		return (struct verdict){LOCAL_RESET_DATA_AFTER_CLOSE, BY_LOCAL, PHASE_ORPHANED, CAUSE_NONE};
	if (r->kind == LP_KIND_STRAY) /* it is in no phase */
		return (struct verdict){LOCAL_RESET_NO_CONNECTION, BY_KERNEL, PHASE_CONNECTING, CAUSE_NONE};
	if (r->kind == LP_KIND_CLOSE)
		v.cause = cause_of_close(&f);
	v.by = blame_of(&f, v.cause);
	v.ambiguous = other_possible(&f, v.cause);
	return v;
}

struct verdict judge_found(const struct lp_record *r, enum lp_cause cause)
{
	struct close_facts f = facts_of(r, false, NULL);
	enum lp_phase phase = f.old == TCP_LISTEN ? PHASE_CONNECTING : phase_of(&f);

	return (struct verdict){cause, blame_of(&f, cause), phase, CAUSE_NONE};
}
