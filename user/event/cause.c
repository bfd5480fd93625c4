/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/cause.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "event/blame.h"
#include "event/close_facts.h"
#include "record.h"

static const struct {
	const char *name;
	const char *verb; /* what the owner did to the peer, or the peer to it */
	const char *message_id;
} events[] = {
	[EVENT_NONE] = {"", "", ""},
	[EVENT_CONNECT_FAILED] = {"connect_failed", "could not connect to", "14b349353c384335937db860a5822be4"},
	[EVENT_PEER_LOST] = {"peer_lost", "lost", "4abde428fb0046deb6445144af31db27"},
	[EVENT_PEER_CLOSED] = {"peer_closed", "was left by", "7579da81c91842bbb49a8583dcce6280"},
	[EVENT_LOCAL_CLOSED] = {"local_closed", "left", "260d0d7a54ec48259c9e9d8f2a9c75b6"},
	[EVENT_LOCAL_RESET] = {"local_reset", "reset", "ac024b4d413a452caa1373d82d9c1462"},
	[EVENT_ACCEPT_DROPPED] = {"accept_dropped", "turned connections away", "26b6a7fa03ea4d4098798bc850e699b1"},
	[EVENT_PEER_SILENT] = {"peer_silent", "hears nothing from", "391f1309691e4a07884c904673cce8d6"},
	[EVENT_PEER_BACK] = {"peer_back", "hears again from", "37b6f83b415d461a96b70e3c059a1b4d"},
	[EVENT_CLOSE_IGNORED] = {"close_ignored", "still holds its end to", "6263692d5a11467f8959b2b06eae9ce0"},
	[EVENT_EVENTS_LOST] = {"events_lost", "", "62abbb303c674d6e844b610b016f134e"},
};
static_assert(sizeof(events) / sizeof(*events) == EVENT_COUNT, "a row for each event");

static const char *const by_names[] = {
	[BY_PEER] = "peer",     [BY_NETWORK] = "network", [BY_LOCAL] = "local", [BY_ADMIN] = "admin",
	[BY_KERNEL] = "kernel", [BY_AGENT] = "agent",     [BY_UNKNOWN] = "",
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
	__u32 class;
	enum lp_severity severity;
	const char *sentence;
} causes[] = {
	[CAUSE_NONE] = {EVENT_NONE, "", BY_LOCAL, 0, SEVERITY_INFO, ""},
	[CONNECT_FAILED_REFUSED] = {EVENT_CONNECT_FAILED, "refused", BY_PEER, LP_CLASS_LOST, SEVERITY_NOTICE,
				    "the peer refused the connection"},
	[CONNECT_FAILED_TIMEOUT] = {EVENT_CONNECT_FAILED, "timeout", BY_NETWORK, LP_CLASS_LOST, SEVERITY_WARNING,
				    "nobody answered the SYN"},
	[CONNECT_FAILED_UNREACHABLE] = {EVENT_CONNECT_FAILED, "unreachable", BY_NETWORK, LP_CLASS_LOST,
					SEVERITY_WARNING, "the peer cannot be reached"},
	[CONNECT_FAILED_ABANDONED] = {EVENT_CONNECT_FAILED, "abandoned", BY_LOCAL, LP_CLASS_ABANDONED, SEVERITY_NOTICE,
				      "given up by the application while connecting"},
	[CONNECT_FAILED_DESTROYED] = {EVENT_CONNECT_FAILED, "destroyed", BY_ADMIN, LP_CLASS_LOST, SEVERITY_WARNING,
				      "killed from outside while connecting"},
	[CONNECT_FAILED_NO_PORT] = {EVENT_CONNECT_FAILED, "no_port", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				    "no free local port"},
	[CONNECT_FAILED_DENIED] = {EVENT_CONNECT_FAILED, "denied", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				   "this host forbids the connection"},
	[PEER_LOST_RESET] = {EVENT_PEER_LOST, "reset", BY_PEER, LP_CLASS_LOST, SEVERITY_WARNING, "reset by the peer"},
	[PEER_LOST_RETRANSMIT_TIMEOUT] = {EVENT_PEER_LOST, "retransmit_timeout", BY_NETWORK, LP_CLASS_LOST,
					  SEVERITY_WARNING, "sent data was never acknowledged"},
	[PEER_LOST_KEEPALIVE_TIMEOUT] = {EVENT_PEER_LOST, "keepalive_timeout", BY_NETWORK, LP_CLASS_LOST,
					 SEVERITY_WARNING, "keepalive probes went unanswered"},
	[PEER_LOST_USER_TIMEOUT] = {EVENT_PEER_LOST, "user_timeout", BY_NETWORK, LP_CLASS_LOST, SEVERITY_WARNING,
				    "TCP_USER_TIMEOUT ran out"},
	[PEER_LOST_PROBE_TIMEOUT] = {EVENT_PEER_LOST, "probe_timeout", BY_NETWORK, LP_CLASS_LOST, SEVERITY_WARNING,
				     "the peer's window stayed closed, and probes went unanswered"},
	[PEER_LOST_CANNOT_SEND] = {EVENT_PEER_LOST, "cannot_send", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				   "nothing could leave this host"},
	[PEER_CLOSED_FIN] = {EVENT_PEER_CLOSED, "fin", BY_PEER, LP_CLASS_PEER_CLOSED, SEVERITY_INFO,
			     "closed by the peer"},
	[LOCAL_CLOSED_CLOSE] = {EVENT_LOCAL_CLOSED, "close", BY_LOCAL, LP_CLASS_LOCAL_CLOSED, SEVERITY_INFO,
				"closed by us"},
	[LOCAL_RESET_UNREAD_DATA] = {EVENT_LOCAL_RESET, "unread_data", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				     "we closed with data unread, so the kernel reset the peer"},
	[LOCAL_RESET_LINGER] = {EVENT_LOCAL_RESET, "linger", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				"we closed with SO_LINGER 0: reset"},
	[LOCAL_RESET_LINGER2] = {EVENT_LOCAL_RESET, "linger2", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				 "we closed with TCP_LINGER2 below 0: reset"},
	[LOCAL_RESET_DISCONNECT] = {EVENT_LOCAL_RESET, "disconnect", BY_LOCAL, LP_CLASS_LOST, SEVERITY_WARNING,
				    "we disconnected the socket: reset"},
	[LOCAL_RESET_DESTROYED] = {EVENT_LOCAL_RESET, "destroyed", BY_ADMIN, LP_CLASS_LOST, SEVERITY_WARNING,
				   "killed from outside: reset"},
	[LOCAL_RESET_DATA_AFTER_CLOSE] = {EVENT_LOCAL_RESET, "data_after_close", BY_LOCAL, LP_CLASS_LOST,
					  SEVERITY_WARNING, "data came after we had closed: reset"},
	[LOCAL_RESET_NO_CONNECTION] = {EVENT_LOCAL_RESET, "no_connection", BY_KERNEL, LP_CLASS_LOST, SEVERITY_NOTICE,
				       "data for a connection that does not exist here: reset"},
	[LOCAL_RESET_LISTENER_CLOSED] = {EVENT_LOCAL_RESET, "listener_closed", BY_LOCAL, LP_CLASS_LOST,
					 SEVERITY_WARNING, "never accepted, and the listener went away: reset"},
	[LOCAL_RESET_NO_MEMORY] = {EVENT_LOCAL_RESET, "no_memory", BY_KERNEL, LP_CLASS_LOST, SEVERITY_WARNING,
				   "the kernel gave it up for memory or too many orphans: reset"},
	[ACCEPT_DROPPED_QUEUE_FULL] = {EVENT_ACCEPT_DROPPED, "queue_full", BY_LOCAL, LP_CLASS_QUEUES, SEVERITY_WARNING,
				       "the accept queue is full"},
	[ACCEPT_DROPPED_SYN_QUEUE_FULL] = {EVENT_ACCEPT_DROPPED, "syn_queue_full", BY_LOCAL, LP_CLASS_QUEUES,
					   SEVERITY_WARNING, "the SYN queue is full, and SYN cookies are off"},
	[ACCEPT_DROPPED_BAD_SIGNATURE] = {EVENT_ACCEPT_DROPPED, "bad_signature", BY_LOCAL, LP_CLASS_QUEUES,
					  SEVERITY_WARNING, "no valid TCP signature"},
	[PEER_SILENT_UNACKED] = {EVENT_PEER_SILENT, "unacked", BY_NETWORK, LP_CLASS_SILENT, SEVERITY_WARNING,
				 "the peer does not acknowledge"},
	[PEER_BACK_ACKED] = {EVENT_PEER_BACK, "acked", BY_PEER, LP_CLASS_SILENT, SEVERITY_INFO,
			     "the peer acknowledges again"},
	[CLOSE_IGNORED_CLOSE_WAIT] = {EVENT_CLOSE_IGNORED, "close_wait", BY_LOCAL, LP_CLASS_IGNORED, SEVERITY_WARNING,
				      "the peer closed long ago, and the application has not"},
	[EVENTS_LOST_RING_FULL] = {EVENT_EVENTS_LOST, "ring_full", BY_AGENT, 0, SEVERITY_ERROR,
				   "the ring buffer was full"},
	[EVENTS_LOST_PROGRAM_MISSED] = {EVENT_EVENTS_LOST, "program_missed", BY_AGENT, 0, SEVERITY_ERROR,
					"the kernel skipped a program"},
	[EVENTS_LOST_STATE_FULL] = {EVENT_EVENTS_LOST, "state_full", BY_AGENT, 0, SEVERITY_ERROR,
				    "no room to remember a connection"},
	[EVENTS_LOST_OUTPUT_FULL] = {EVENT_EVENTS_LOST, "output_full", BY_AGENT, 0, SEVERITY_ERROR,
				     "the reader of this output was too slow"},
	[EVENTS_LOST_WRITE_FAILED] = {EVENT_EVENTS_LOST, "write_failed", BY_AGENT, 0, SEVERITY_ERROR, "writing failed"},
	[EVENTS_LOST_STOPPED] = {EVENT_EVENTS_LOST, "stopped", BY_AGENT, 0, SEVERITY_ERROR,
				 "not written when lostpeer stopped"},
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

__u32 cause_class(enum lp_cause cause)
{
	return causes[cause].class;
}

enum lp_severity cause_severity(enum lp_cause cause)
{
	return causes[cause].severity;
}

const char *cause_sentence(enum lp_cause cause)
{
	return causes[cause].sentence;
}

const char *event_name(enum lp_event event)
{
	return events[event].name;
}

const char *event_verb(enum lp_event event)
{
	return events[event].verb;
}

const char *event_message_id(enum lp_event event)
{
	return events[event].message_id;
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
		if (!strcmp(events[i].name, name))
			return (enum lp_event)i;
	return EVENT_NONE;
}

/* of a socket that is not remembered nobody knows whether a RST came; a RST is likelier than an ICMP error */
static bool is_refused(const struct close_facts *f)
{
	return f->err == ECONNREFUSED && (f->rst_in || !f->remembered);
}
static bool is_aborted(const struct close_facts *f)
{
	return f->err == ECONNABORTED;
}
static bool is_timed_out(const struct close_facts *f)
{
	return f->err == ETIMEDOUT;
}
static bool has_error(const struct close_facts *f)
{
	return f->err != 0;
}
/* connect(2) returned before a SYN was queued: __inet_hash_connect() found no port, or the address pair was taken
 * (EADDRNOTAVAIL). */
static bool is_never_sent(const struct close_facts *f)
{
	return f->owned && !f->r->socket.shutdown && (!f->r->socket.local_port || !f->in_flight);
}
/* the application read the ICMP error with SO_ERROR, which cleared it, and closed */
static bool is_icmp_taken(const struct close_facts *f)
{
	return (f->r->socket.flags & LP_F_ICMP_SYN) && !f->r->socket.soft_err;
}
static bool always(const struct close_facts *f)
{
	(void)f;
	return true;
}

static bool is_listener(const struct close_facts *f)
{
	return f->old == TCP_LISTEN;
}
/* CRIU moves the connection to another host; a close under TCP_REPAIR sends nothing */
static bool is_repair(const struct close_facts *f)
{
	return (f->r->socket.flags & LP_F_REPAIR) && !f->err && f->owned && f->socket;
}
/* a half-open request that failed before it reached the accept queue */
static bool is_half_open(const struct close_facts *f)
{
	return f->old == TCP_SYN_RECV && !f->err && f->dead;
}
/* the network namespace is gone, and the kernel drops its orphans silently: tcp_out_of_resources(), !check_net() */
static bool is_dead_net(const struct close_facts *f)
{
	return (f->r->socket.flags & LP_F_NET_DYING) && !f->err && f->dead;
}
static bool is_linger2(const struct close_facts *f)
{
	return !f->err && f->dead && f->old == TCP_FIN_WAIT2 && (f->r->socket.flags & LP_F_LINGER2);
}
/* tcp_rcv_state_process() gets data for a socket that was shut for reading: tcp_reset() in FIN_WAIT, or tcp_done() if
 * the same segment acknowledged our FIN; then it sends a RST */
static bool is_data_after_close(const struct close_facts *f)
{
	return f->reset_after && ((f->rst_in && f->in_fin_wait) || (!f->err && f->dead && f->old == TCP_FIN_WAIT2));
}
/* with only our FIN unacknowledged, neither end loses anything by a RST or a timeout */
static bool is_orderly_error(const struct close_facts *f)
{
	if (!f->err || f->payload_lost)
		return false;
	return f->both_over || (f->dead && f->old == TCP_FIN_WAIT1) ||
	       (f->dead && f->old == TCP_FIN_WAIT2 && f->rst_in);
}
/* an error of IP_RECVERR that the application did not read; the peer's FIN ended the connection, not a timer or RST */
static bool is_over_with_old_error(const struct close_facts *f)
{
	return f->err && f->old == TCP_FIN_WAIT2 && (f->fin_in || f->dead) && !f->rst_in && !f->rst_out &&
	       !f->r->socket.probes_out;
}
static bool is_orderly_error_peer_first(const struct close_facts *f)
{
	return is_orderly_error(f) && f->old == TCP_LAST_ACK;
}
static bool is_rst(const struct close_facts *f)
{
	/* only tcp_reset() stores these two */
	return f->err && (f->rst_in || f->err == ECONNRESET || f->err == EPIPE);
}
/* a full socket in SYN_RECV (fast open, simultaneous open) that got no answer to its SYN-ACK */
static bool is_synack_timeout(const struct close_facts *f)
{
	return f->err && f->old == TCP_SYN_RECV;
}
static bool is_user_timeout(const struct close_facts *f)
{
	return f->err && blame_user_timeout_ran_out(f);
}
/* tcp_keepalive_timer() sends a RST first; if no hook sees it, probes while nothing waits tell */
static bool is_keepalive_timeout(const struct close_facts *f)
{
	return f->err && !f->waiting &&
	       (f->rst_out || ((f->r->socket.flags & LP_F_KEEPOPEN) && f->r->socket.probes_out));
}
static bool is_retransmit_timeout(const struct close_facts *f)
{
	return f->err && f->in_flight;
}
static bool is_probe_timeout(const struct close_facts *f)
{
	return f->err && f->waiting;
}
/* the window is open, or this host dropped every probe */
static bool is_cannot_send(const struct close_facts *f)
{
	return f->err && !f->in_flight && ((f->waiting && f->r->socket.snd_wnd) || blame_no_probe_left(f));
}

static bool is_listener_closed(const struct close_facts *f)
{
	return !f->err && f->unaccepted;
}
/* both FINs are acknowledged, the peer's came first */
static bool is_over_peer_first(const struct close_facts *f)
{
	return !f->err && f->old == TCP_LAST_ACK && !f->waiting;
}
static bool is_over_local_first(const struct close_facts *f)
{
	if (f->err)
		return false;
	if (f->old == TCP_CLOSING)
		return !f->waiting;
	/* with the socket locked by a process, FIN_WAIT2 ends in order only by the peer's FIN or after close(2) */
	return f->old == TCP_FIN_WAIT2 && (!f->owned || f->dead || f->fin_in);
}
/* a process closed or disconnected a socket that it held */
static bool is_local(const struct close_facts *f)
{
	return !f->err && f->owned && f->socket && !f->dead && !f->mptcp;
}
static bool is_unread_data(const struct close_facts *f)
{
	return is_local(f) && f->by_close && f->unread;
}
static bool is_linger(const struct close_facts *f)
{
	return is_local(f) && f->by_close && (f->r->socket.flags & LP_F_LINGER);
}
static bool is_disconnect(const struct close_facts *f)
{
	return is_local(f) && !f->by_close;
}
static bool is_no_memory(const struct close_facts *f)
{
	return !f->err && f->dead && (f->old == TCP_FIN_WAIT1 || f->both_over);
}

struct rule {
	bool (*fits)(const struct close_facts *f);
	enum lp_cause cause;
};

/* From SYN_SENT; the first rule that fits. */
static const struct rule connecting_rules[] = {
	{is_refused, CONNECT_FAILED_REFUSED},    {is_aborted, CONNECT_FAILED_DESTROYED},
	{is_timed_out, CONNECT_FAILED_TIMEOUT},  {has_error, CONNECT_FAILED_UNREACHABLE},
	{is_never_sent, CONNECT_FAILED_NO_PORT}, {is_icmp_taken, CONNECT_FAILED_UNREACHABLE},
	{always, CONNECT_FAILED_ABANDONED},
};

/* From any later state; the first rule that fits. CAUSE_NONE: not worth an event, or not understood. */
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
	{is_cannot_send, PEER_LOST_CANNOT_SEND},
	{is_user_timeout, PEER_LOST_USER_TIMEOUT},
	{is_keepalive_timeout, PEER_LOST_KEEPALIVE_TIMEOUT},
	{is_retransmit_timeout, PEER_LOST_RETRANSMIT_TIMEOUT},
	{is_probe_timeout, PEER_LOST_PROBE_TIMEOUT},
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

enum lp_cause cause_of_close(const struct close_facts *f)
{
	const struct rule *rule = f->old == TCP_SYN_SENT ? connecting_rules : connected_rules;

	while (!rule->fits(f))
		rule++;
	return rule->cause;
}
