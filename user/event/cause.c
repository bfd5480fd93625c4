/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/cause.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "event/data.h"

static const char *const event_names[] = {
	[EVENT_NONE] = "",
	[EVENT_CONNECT_FAILED] = "connect_failed",
	[EVENT_PEER_LOST] = "peer_lost",
	[EVENT_PEER_CLOSED] = "peer_closed",
	[EVENT_LOCAL_CLOSED] = "local_closed",
	[EVENT_LOCAL_RESET] = "local_reset",
	[EVENT_ACCEPT_DROPPED] = "accept_dropped",
	[EVENT_PEER_SILENT] = "peer_silent",
	[EVENT_PEER_BACK] = "peer_back",
	[EVENT_CLOSE_IGNORED] = "close_ignored",
	[EVENT_EVENTS_LOST] = "events_lost",
};
static_assert(sizeof(event_names) / sizeof(*event_names) == EVENT_COUNT, "a name for each event");

static const char *const by_names[] = {
	[BY_PEER] = "peer",   [BY_NETWORK] = "network", [BY_LOCAL] = "local",
	[BY_ADMIN] = "admin", [BY_KERNEL] = "kernel",   [BY_AGENT] = "agent",
};
static_assert(sizeof(by_names) / sizeof(*by_names) == BY_COUNT, "a name for each by");

static const char *const phase_names[] = {
	[PHASE_CONNECTING] = "connecting", [PHASE_UNACCEPTED] = "unaccepted",   [PHASE_ORPHANED] = "orphaned",
	[PHASE_CLOSING] = "closing",       [PHASE_HALF_CLOSED] = "half_closed", [PHASE_ESTABLISHED] = "established",
};
static_assert(sizeof(phase_names) / sizeof(*phase_names) == PHASE_COUNT, "a name for each phase");

static const struct {
	enum lp_event event;
	const char *name;
	enum lp_by by;
} causes[] = {
	[CAUSE_NONE] = {EVENT_NONE, "", BY_LOCAL},
	[CONNECT_FAILED_REFUSED] = {EVENT_CONNECT_FAILED, "refused", BY_PEER},
	[CONNECT_FAILED_TIMEOUT] = {EVENT_CONNECT_FAILED, "timeout", BY_NETWORK},
	[CONNECT_FAILED_UNREACHABLE] = {EVENT_CONNECT_FAILED, "unreachable", BY_NETWORK},
	[CONNECT_FAILED_ABANDONED] = {EVENT_CONNECT_FAILED, "abandoned", BY_LOCAL},
	[CONNECT_FAILED_DESTROYED] = {EVENT_CONNECT_FAILED, "destroyed", BY_ADMIN},
	[CONNECT_FAILED_NO_PORT] = {EVENT_CONNECT_FAILED, "no_port", BY_LOCAL},
	[CONNECT_FAILED_DENIED] = {EVENT_CONNECT_FAILED, "denied", BY_LOCAL},
	[PEER_LOST_RESET] = {EVENT_PEER_LOST, "reset", BY_PEER},
	[PEER_LOST_RETRANSMIT_TIMEOUT] = {EVENT_PEER_LOST, "retransmit_timeout", BY_NETWORK},
	[PEER_LOST_KEEPALIVE_TIMEOUT] = {EVENT_PEER_LOST, "keepalive_timeout", BY_NETWORK},
	[PEER_LOST_USER_TIMEOUT] = {EVENT_PEER_LOST, "user_timeout", BY_NETWORK},
	[PEER_LOST_PROBE_TIMEOUT] = {EVENT_PEER_LOST, "probe_timeout", BY_NETWORK},
	[PEER_LOST_CANNOT_SEND] = {EVENT_PEER_LOST, "cannot_send", BY_LOCAL},
	[PEER_CLOSED_FIN] = {EVENT_PEER_CLOSED, "fin", BY_PEER},
	[LOCAL_CLOSED_CLOSE] = {EVENT_LOCAL_CLOSED, "close", BY_LOCAL},
	[LOCAL_RESET_UNREAD_DATA] = {EVENT_LOCAL_RESET, "unread_data", BY_LOCAL},
	[LOCAL_RESET_LINGER] = {EVENT_LOCAL_RESET, "linger", BY_LOCAL},
	[LOCAL_RESET_LINGER2] = {EVENT_LOCAL_RESET, "linger2", BY_LOCAL},
	[LOCAL_RESET_DISCONNECT] = {EVENT_LOCAL_RESET, "disconnect", BY_LOCAL},
	[LOCAL_RESET_DESTROYED] = {EVENT_LOCAL_RESET, "destroyed", BY_ADMIN},
	[LOCAL_RESET_DATA_AFTER_CLOSE] = {EVENT_LOCAL_RESET, "data_after_close", BY_LOCAL},
	[LOCAL_RESET_LISTENER_CLOSED] = {EVENT_LOCAL_RESET, "listener_closed", BY_LOCAL},
	[LOCAL_RESET_NO_MEMORY] = {EVENT_LOCAL_RESET, "no_memory", BY_KERNEL},
	[ACCEPT_DROPPED_QUEUE_FULL] = {EVENT_ACCEPT_DROPPED, "queue_full", BY_LOCAL},
	[PEER_SILENT_UNACKED] = {EVENT_PEER_SILENT, "unacked", BY_NETWORK},
	[PEER_BACK_ACKED] = {EVENT_PEER_BACK, "acked", BY_PEER},
	[CLOSE_IGNORED_CLOSE_WAIT] = {EVENT_CLOSE_IGNORED, "close_wait", BY_LOCAL},
	[EVENTS_LOST_RING_FULL] = {EVENT_EVENTS_LOST, "ring_full", BY_AGENT},
	[EVENTS_LOST_PROGRAM_MISSED] = {EVENT_EVENTS_LOST, "program_missed", BY_AGENT},
	[EVENTS_LOST_STATE_FULL] = {EVENT_EVENTS_LOST, "state_full", BY_AGENT},
	[EVENTS_LOST_OUTPUT_FULL] = {EVENT_EVENTS_LOST, "output_full", BY_AGENT},
	[EVENTS_LOST_WRITE_FAILED] = {EVENT_EVENTS_LOST, "write_failed", BY_AGENT},
	[EVENTS_LOST_STOPPED] = {EVENT_EVENTS_LOST, "stopped", BY_AGENT},
};
static_assert(sizeof(causes) / sizeof(*causes) == CAUSE_COUNT, "a row for each cause");

enum lp_event cause_event(enum lp_cause cause)
{
	return causes[cause].event;
}

const char *cause_name(enum lp_cause cause)
{
	return causes[cause].name;
}

enum lp_by cause_by(enum lp_cause cause)
{
	return causes[cause].by;
}

const char *event_name(enum lp_event event)
{
	return event_names[event];
}

const char *by_name(enum lp_by by)
{
	return by_names[by];
}

const char *phase_name(enum lp_phase phase)
{
	return phase_names[phase];
}

bool cause_name_exists(const char *name)
{
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		if (!strcmp(causes[i].name, name))
			return true;
	return false;
}

enum lp_event event_by_name(const char *name)
{
	for (int i = EVENT_NONE + 1; i < EVENT_COUNT; i++)
		if (!strcmp(event_names[i], name))
			return (enum lp_event)i;
	return EVENT_NONE;
}

/* The facts of one close, named as the rules speak of them. */
struct facts {
	const struct lp_record *r;
	const struct cause_kernel *kernel;
	int old;         /* the TCP state it left */
	int err;         /* sk_err */
	bool owned;      /* process context */
	bool dead;       /* orphaned */
	bool socket;     /* accepted or connected, and still held */
	bool unaccepted; /* in the accept queue */
	bool fin_in;     /* the peer's FIN had come */
	bool remembered; /* without this the next two say nothing */
	bool rst_in;
	bool rst_out; /* before CLOSE */
	bool reset_after;
	bool mptcp;
	bool by_close;     /* the last reference to the file is being dropped: close(2) or exit, not connect(2) */
	bool in_flight;    /* something sent is not acknowledged */
	bool waiting;      /* payload or FIN of ours is not acknowledged, sent or not */
	bool payload_lost; /* payload of ours is not acknowledged, sent or not */
	bool unread;
};

/* __tcp_close() goes straight to CLOSE from here. From FIN_WAIT on it only does with data unread or SO_LINGER 0; a
 * longer linger sleeps there, and may be ended by a timer. */
static bool close_resets(const struct facts *f)
{
	if (f->old == TCP_ESTABLISHED || f->old == TCP_CLOSE_WAIT || f->old == TCP_SYN_RECV)
		return true;
	return f->unread || ((f->r->socket.flags & LP_F_LINGER) && !f->r->socket.linger_jiffies);
}

static struct facts facts_of(const struct lp_record *r, bool reset_after, const struct cause_kernel *kernel)
{
	struct data data = data_of(r);
	struct facts f = {
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
	};

	f.unaccepted = !f.socket && !f.dead && !f.mptcp && f.old != TCP_SYN_SENT;
	f.by_close = data_closing_now(r);
	if (f.owned && f.socket && !f.dead && f.by_close && !f.rst_in && f.err != ECONNABORTED && close_resets(&f))
		f.err = 0; /* IP_RECVERR left an ICMP error on a living socket; the close has nothing to do with it */
	return f;
}

static bool in_fin_wait(const struct facts *f)
{
	return f->old == TCP_FIN_WAIT1 || f->old == TCP_FIN_WAIT2;
}

static bool both_streams_over(const struct facts *f)
{
	return f->old == TCP_LAST_ACK || f->old == TCP_CLOSING;
}

/* connect(2) locked the socket and left before a SYN was queued: __inet_hash_connect() found no port, or the
 * address pair is taken (EADDRNOTAVAIL). */
static bool never_sent(const struct facts *f)
{
	return f->owned && !f->r->socket.shutdown && (!f->r->socket.local_port || !f->in_flight);
}

/* without a memory of the socket there is no mark of a RST, and a RST is the likelier */
static bool is_refused(const struct facts *f)
{
	return f->err == ECONNREFUSED && (f->rst_in || !f->remembered);
}
static bool is_aborted(const struct facts *f)
{
	return f->err == ECONNABORTED;
}
static bool is_timed_out(const struct facts *f)
{
	return f->err == ETIMEDOUT;
}
static bool has_error(const struct facts *f)
{
	return f->err != 0;
}
static bool is_never_sent(const struct facts *f)
{
	return never_sent(f);
}
/* the application took the ICMP error by SO_ERROR, which cleared it, and closed */
static bool is_icmp_taken(const struct facts *f)
{
	return (f->r->socket.flags & LP_F_ICMP_SYN) && !f->r->socket.soft_err;
}
static bool always(const struct facts *f)
{
	(void)f;
	return true;
}

static bool is_listener(const struct facts *f)
{
	return f->old == TCP_LISTEN;
}
/* A TCP_REPAIR close sends nothing (CRIU moves the connection elsewhere). */
static bool is_repair(const struct facts *f)
{
	return (f->r->socket.flags & LP_F_REPAIR) && !f->err && f->owned && f->socket;
}
/* A child that failed before it was ever put into the accept queue: a half-open request dying. */
static bool is_half_open(const struct facts *f)
{
	return f->old == TCP_SYN_RECV && !f->err && f->dead;
}
/* The namespace is gone, and its orphans are dropped in silence: tcp_out_of_resources(), !check_net(). */
static bool is_dead_net(const struct facts *f)
{
	return (f->r->socket.flags & LP_F_NET_DYING) && !f->err && f->dead;
}
static bool is_linger2(const struct facts *f)
{
	return !f->err && f->dead && f->old == TCP_FIN_WAIT2 && f->r->socket.linger2 < 0;
}
/* tcp_rcv_state_process(): data for a socket that has stopped reading; by tcp_reset() in FIN_WAIT, or by
 * tcp_done() where the same segment acknowledged our FIN. The RST that goes out says so. */
static bool is_data_after_close(const struct facts *f)
{
	return f->reset_after && ((f->rst_in && in_fin_wait(f)) || (!f->err && f->dead && f->old == TCP_FIN_WAIT2));
}
/* With nothing but our FIN unacknowledged a RST or a timeout changes nothing for anybody. */
static bool is_orderly_error(const struct facts *f)
{
	if (!f->err || f->payload_lost)
		return false;
	return both_streams_over(f) || (f->dead && f->old == TCP_FIN_WAIT1) ||
	       (f->dead && f->old == TCP_FIN_WAIT2 && f->rst_in);
}
/* an error of IP_RECVERR that nobody took, and then the peer's FIN: no timer and no RST ended it */
static bool is_over_with_old_error(const struct facts *f)
{
	return f->err && f->old == TCP_FIN_WAIT2 && (f->fin_in || f->dead) && !f->rst_in && !f->rst_out &&
	       !f->r->socket.probes_out;
}
static bool is_orderly_error_peer_first(const struct facts *f)
{
	return is_orderly_error(f) && f->old == TCP_LAST_ACK;
}
static bool is_rst(const struct facts *f)
{
	/* nothing but tcp_reset() stores these two */
	return f->err && (f->rst_in || f->err == ECONNRESET || f->err == EPIPE);
}
/* a full socket in SYN_RECV (fast open, simultaneous open) whose SYN-ACK was never answered */
static bool is_synack_timeout(const struct facts *f)
{
	return f->err && f->old == TCP_SYN_RECV;
}
/* the user timeout replaces the count of retransmissions and of probes, whichever timer looks */
static bool is_user_timeout(const struct facts *f)
{
	return f->err && f->r->socket.user_timeout_ms;
}
/* tcp_keepalive_timer() sends a RST first; where that is not seen, probes without anything waiting are its mark */
static bool is_keepalive_timeout(const struct facts *f)
{
	return f->err && !f->waiting &&
	       (f->rst_out || ((f->r->socket.flags & LP_F_KEEPOPEN) && f->r->socket.probes_out));
}
static bool is_retransmit_timeout(const struct facts *f)
{
	return f->err && f->in_flight;
}
static bool is_probe_timeout(const struct facts *f)
{
	return f->err && f->waiting && !f->r->socket.snd_wnd;
}
static bool is_cannot_send(const struct facts *f)
{
	return f->err && f->waiting;
}

static bool is_listener_closed(const struct facts *f)
{
	return !f->err && f->unaccepted;
}
/* our FIN was acknowledged and the peer's had come */
static bool is_over_peer_first(const struct facts *f)
{
	return !f->err && f->old == TCP_LAST_ACK && !f->waiting;
}
static bool is_over_local_first(const struct facts *f)
{
	if (f->err)
		return false;
	if (f->old == TCP_CLOSING)
		return !f->waiting;
	/* a process that has FIN_WAIT2 locked leaves it in order only by the peer's FIN, or closed before */
	return f->old == TCP_FIN_WAIT2 && (!f->owned || f->dead || f->fin_in);
}
/* what a process does to a socket that it still holds */
static bool is_local(const struct facts *f)
{
	return !f->err && f->owned && f->socket && !f->dead && !f->mptcp;
}
static bool is_unread_data(const struct facts *f)
{
	return is_local(f) && f->by_close && f->unread;
}
static bool is_linger(const struct facts *f)
{
	return is_local(f) && f->by_close && (f->r->socket.flags & LP_F_LINGER) && !f->r->socket.linger_jiffies;
}
static bool is_disconnect(const struct facts *f)
{
	return is_local(f) && !f->by_close;
}
static bool is_no_memory(const struct facts *f)
{
	return !f->err && f->dead && (f->old == TCP_FIN_WAIT1 || both_streams_over(f));
}

struct rule {
	bool (*fits)(const struct facts *f);
	enum lp_cause cause;
};

/* Out of SYN_SENT; the first that fits. */
static const struct rule connecting_rules[] = {
	{is_refused, CONNECT_FAILED_REFUSED},    {is_aborted, CONNECT_FAILED_DESTROYED},
	{is_timed_out, CONNECT_FAILED_TIMEOUT},  {has_error, CONNECT_FAILED_UNREACHABLE},
	{is_never_sent, CONNECT_FAILED_NO_PORT}, {is_icmp_taken, CONNECT_FAILED_UNREACHABLE},
	{always, CONNECT_FAILED_ABANDONED},
};

/* Out of any later state; the first that fits, and none fits what must not be told or is not understood. */
static const struct rule connected_rules[] = {
	{is_listener, CAUSE_NONE},
	{is_repair, CAUSE_NONE},
	{is_half_open, CAUSE_NONE},
	{is_dead_net, CAUSE_NONE},
	{is_aborted, LOCAL_RESET_DESTROYED},
	{is_linger2, LOCAL_RESET_LINGER2},
	{is_data_after_close, LOCAL_RESET_DATA_AFTER_CLOSE},
	{is_orderly_error_peer_first, CAUSE_NONE},
	{is_orderly_error, LOCAL_CLOSED_CLOSE},
	{is_over_with_old_error, LOCAL_CLOSED_CLOSE},
	{is_rst, PEER_LOST_RESET},
	{is_synack_timeout, PEER_LOST_RETRANSMIT_TIMEOUT},
	{is_user_timeout, PEER_LOST_USER_TIMEOUT},
	{is_keepalive_timeout, PEER_LOST_KEEPALIVE_TIMEOUT},
	{is_retransmit_timeout, PEER_LOST_RETRANSMIT_TIMEOUT},
	{is_probe_timeout, PEER_LOST_PROBE_TIMEOUT},
	{is_cannot_send, PEER_LOST_CANNOT_SEND},
	{has_error, CAUSE_NONE},
	{is_listener_closed, LOCAL_RESET_LISTENER_CLOSED},
	{is_over_peer_first, CAUSE_NONE},
	{is_over_local_first, LOCAL_CLOSED_CLOSE},
	{is_unread_data, LOCAL_RESET_UNREAD_DATA},
	{is_linger, LOCAL_RESET_LINGER},
	{is_disconnect, LOCAL_RESET_DISCONNECT},
	{is_no_memory, LOCAL_RESET_NO_MEMORY},
	{always, CAUSE_NONE},
};

static enum lp_cause first_fit(const struct rule *rules, const struct facts *f)
{
	while (!rules->fits(f))
		rules++;
	return rules->cause;
}

static enum lp_phase phase_of(const struct facts *f)
{
	if (f->old == TCP_SYN_SENT || (f->old == TCP_SYN_RECV && !f->unaccepted))
		return PHASE_CONNECTING;
	if (f->unaccepted)
		return PHASE_UNACCEPTED;
	if (f->dead)
		return PHASE_ORPHANED;
	if (in_fin_wait(f) || both_streams_over(f))
		return PHASE_CLOSING;
	return f->old == TCP_CLOSE_WAIT ? PHASE_HALF_CLOSED : PHASE_ESTABLISHED;
}

/* TCP_USER_TIMEOUT against a closed window: the peer still answered if no more than one probe is outstanding. It
 * answers two a second at most (tcp_invalid_ratelimit), so that one may be, of a peer that is alive. */
static bool peer_answered(const struct facts *f)
{
	return !f->in_flight && f->waiting && !f->r->socket.snd_wnd && f->r->socket.probes_out <= 1;
}

/* Whether an ICMP error that came while connect(2) had the socket locked would have been seen. tcp_v6_err() reports
 * none (ipv6_icmp_error() returns first), until the next SYN brings another, which ends the attempt by itself. */
static bool icmp_shown(const struct facts *f)
{
	if (f->r->socket.family == AF_INET6 && !data_is_mapped(f->r) && !f->r->socket.total_retrans)
		return false;
	return f->kernel->error_report && f->remembered;
}

/* Data for a socket that has stopped reading ends it as a RST would, or as the acknowledgement of our FIN that came
 * with it would; that we sent a RST for it then is all that tells. */
static bool may_be_data_after_close(const struct facts *f, enum lp_cause cause)
{
	if (f->kernel->send_reset || !(f->r->socket.shutdown & 1) || !in_fin_wait(f))
		return false;
	if (cause == LOCAL_CLOSED_CLOSE && !f->err)
		return f->dead && f->old == TCP_FIN_WAIT2 && !f->fin_in;
	return cause == PEER_LOST_RESET || (cause == LOCAL_CLOSED_CLOSE && f->rst_in);
}

static enum lp_cause other_possible(const struct facts *f, enum lp_cause cause)
{
	if (cause == CONNECT_FAILED_ABANDONED && !f->r->socket.soft_err && !icmp_shown(f))
		return CONNECT_FAILED_UNREACHABLE;
	if (cause == CONNECT_FAILED_REFUSED && !f->remembered)
		return CONNECT_FAILED_UNREACHABLE;
	if (may_be_data_after_close(f, cause))
		return LOCAL_RESET_DATA_AFTER_CLOSE;
	return CAUSE_NONE;
}

bool cause_waits_for_reset(const struct lp_record *r)
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

	/* a missing route is this host's own, but the contract's row is one with the ICMP error's */
	return (struct verdict){cause, cause_by(cause), PHASE_CONNECTING, CAUSE_NONE};
}

/* What the agent looks for says itself what it is. */
static const enum lp_cause looked_at[LP_KIND_COUNT] = {
	[LP_KIND_SILENT] = PEER_SILENT_UNACKED,
	[LP_KIND_BACK] = PEER_BACK_ACKED,
	[LP_KIND_IGNORED] = CLOSE_IGNORED_CLOSE_WAIT,
};

struct verdict cause_judge(const struct lp_record *r, bool reset_after, const struct cause_kernel *kernel)
{
	struct facts f = facts_of(r, reset_after || (r->socket.flags & LP_F_RST_AFTER), kernel);
	struct verdict v = {.cause = PEER_CLOSED_FIN, .phase = phase_of(&f)};

	if (r->kind == LP_KIND_NO_CONNECT)
		return judge_no_connect(r);
	if (r->kind == LP_KIND_STRAY)
		return (struct verdict){LOCAL_RESET_DATA_AFTER_CLOSE, BY_LOCAL, PHASE_ORPHANED, CAUSE_NONE};
	if (r->kind == LP_KIND_QUEUE_FULL)
		return (struct verdict){ACCEPT_DROPPED_QUEUE_FULL, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE};
	if (looked_at[r->kind])
		return (struct verdict){looked_at[r->kind], cause_by(looked_at[r->kind]), v.phase, CAUSE_NONE};
	if (r->kind == LP_KIND_CLOSE)
		v.cause = first_fit(f.old == TCP_SYN_SENT ? connecting_rules : connected_rules, &f);
	v.by = cause_by(v.cause);
	if (v.cause == PEER_LOST_USER_TIMEOUT && peer_answered(&f))
		v.by = BY_PEER;
	v.ambiguous = other_possible(&f, v.cause);
	return v;
}
