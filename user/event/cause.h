/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The causes of lostpeer-events(7): a row for each, and the rules that choose one. A new cause is an enumerator here, a
 * row and a rule in cause.c, and an entry in the man page. */
#ifndef LOSTPEER_CAUSE_H
#define LOSTPEER_CAUSE_H

#include <asm/types.h>
#include <stdbool.h>

enum lp_event {
	EVENT_NONE,
	EVENT_CONNECT_FAILED,
	EVENT_PEER_LOST,
	EVENT_PEER_CLOSED,
	EVENT_LOCAL_CLOSED,
	EVENT_LOCAL_RESET,
	EVENT_ACCEPT_DROPPED,
	EVENT_PEER_SILENT,
	EVENT_PEER_BACK,
	EVENT_CLOSE_IGNORED,
	EVENT_EVENTS_LOST,
	EVENT_COUNT
};

/* An event with its cause. */
enum lp_cause {
	CAUSE_NONE,
	CONNECT_FAILED_REFUSED,
	CONNECT_FAILED_TIMEOUT,
	CONNECT_FAILED_UNREACHABLE,
	CONNECT_FAILED_ABANDONED,
	CONNECT_FAILED_DESTROYED,
	CONNECT_FAILED_NO_PORT,
	CONNECT_FAILED_DENIED,
	PEER_LOST_RESET,
	PEER_LOST_RETRANSMIT_TIMEOUT,
	PEER_LOST_KEEPALIVE_TIMEOUT,
	PEER_LOST_USER_TIMEOUT,
	PEER_LOST_PROBE_TIMEOUT,
	PEER_LOST_CANNOT_SEND,
	PEER_CLOSED_FIN,
	LOCAL_CLOSED_CLOSE,
	LOCAL_RESET_UNREAD_DATA,
	LOCAL_RESET_LINGER,
	LOCAL_RESET_LINGER2,
	LOCAL_RESET_DISCONNECT,
	LOCAL_RESET_DESTROYED,
	LOCAL_RESET_DATA_AFTER_CLOSE,
	LOCAL_RESET_NO_CONNECTION,
	LOCAL_RESET_LISTENER_CLOSED,
	LOCAL_RESET_NO_MEMORY,
	ACCEPT_DROPPED_QUEUE_FULL,
	ACCEPT_DROPPED_SYN_QUEUE_FULL,
	ACCEPT_DROPPED_BAD_SIGNATURE,
	PEER_SILENT_UNACKED,
	PEER_BACK_ACKED,
	CLOSE_IGNORED_CLOSE_WAIT,
	EVENTS_LOST_RING_FULL,
	EVENTS_LOST_PROGRAM_MISSED,
	EVENTS_LOST_STATE_FULL,
	EVENTS_LOST_OUTPUT_FULL,
	EVENTS_LOST_WRITE_FAILED,
	EVENTS_LOST_STOPPED,
	CAUSE_COUNT
};

enum lp_by { BY_PEER, BY_NETWORK, BY_LOCAL, BY_ADMIN, BY_KERNEL, BY_AGENT, BY_UNKNOWN, BY_COUNT };

/* Four of the severities of syslog, in the order of syslog. */
enum lp_severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTICE, SEVERITY_INFO, SEVERITY_COUNT };

enum lp_phase {
	PHASE_CONNECTING,
	PHASE_UNACCEPTED,
	PHASE_ORPHANED,
	PHASE_CLOSING,
	PHASE_HALF_CLOSED,
	PHASE_ESTABLISHED,
	PHASE_COUNT
};

/* The cells of a cause's row. */
enum lp_event cause_event(enum lp_cause cause);
const char *cause_name(enum lp_cause cause);          /* "reset"; unique only together with the event */
enum lp_by cause_by(enum lp_cause cause);             /* the usual one; a verdict may have another */
__u32 cause_class(enum lp_cause cause);               /* enum lp_class: what to ask the BPF programs for; 0: nothing */
enum lp_severity cause_severity(enum lp_cause cause); /* the highest that an event of this cause has */
const char *cause_sentence(enum lp_cause cause);      /* what happened, for people: "reset by the peer" */

/* The words of lostpeer-events(7). */
const char *event_name(enum lp_event event);
const char *event_verb(enum lp_event event);       /* for people: "lost"; the peer follows it */
const char *event_message_id(enum lp_event event); /* MESSAGE_ID in the journal, for good: catalogs depend on it */
const char *by_name(enum lp_by by);
const char *phase_name(enum lp_phase phase);

bool cause_name_exists(const char *name);      /* of any event */
enum lp_event event_by_name(const char *name); /* EVENT_NONE: no event has this name */

struct close_facts;

/* Why a socket entered CLOSE. CAUSE_NONE: for no reason that is an event. */
enum lp_cause cause_of_close(const struct close_facts *facts);

#endif
