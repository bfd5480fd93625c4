/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/event.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "event/task.h"

static const char *const severity_names[] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_NOTICE] = "notice",
	[SEVERITY_INFO] = "info",
};
static_assert(sizeof(severity_names) / sizeof(*severity_names) == SEVERITY_COUNT, "a name for each severity");

static const char *const via_names[] = {
	[VIA_NONE] = "",         [VIA_CONNECT] = "connect", [VIA_ACCEPT] = "accept",     [VIA_SEED] = "seed",
	[VIA_HOLDER] = "holder", [VIA_CLOSER] = "closer",   [VIA_LISTENER] = "listener",
};
static_assert(sizeof(via_names) / sizeof(*via_names) == VIA_COUNT, "a name for each via");

static const char *const unknown_names[] = {
	[UNKNOWN_NONE] = "",
	[UNKNOWN_KERNEL] = "kernel",
	[UNKNOWN_HOLDER_GONE] = "holder_gone",
	[UNKNOWN_SHARED] = "shared",
	[UNKNOWN_SOCKET_GONE] = "socket_gone",
	[UNKNOWN_NOT_SEEN] = "not_seen",
	[UNKNOWN_UNSUPPORTED] = "unsupported",
};
static_assert(sizeof(unknown_names) / sizeof(*unknown_names) == UNKNOWN_COUNT, "a name for each unknown");

static const char *const signature_names[] = {
	[LP_SIGNATURE_NONE] = "",
	[LP_SIGNATURE_WRONG] = "wrong",
	[LP_SIGNATURE_MISSING] = "missing",
	[LP_SIGNATURE_UNEXPECTED] = "unexpected",
};
static_assert(sizeof(signature_names) / sizeof(*signature_names) == LP_SIGNATURE_COUNT, "a name for each signature");

const char *severity_name(enum lp_severity severity)
{
	return severity_names[severity];
}

int severity_by_name(const char *name)
{
	for (int i = 0; i < SEVERITY_COUNT; i++)
		if (!strcmp(severity_names[i], name))
			return i;
	return -1;
}

int severity_syslog(enum lp_severity severity)
{
	return 3 + (int)severity;
}

const char *via_name(enum owner_via via)
{
	return via_names[via];
}

const char *unknown_name(enum owner_unknown unknown)
{
	return unknown_names[unknown];
}

const char *signature_name(enum lp_signature signature)
{
	return signature_names[signature];
}

static bool is_shut_by_another(const struct event *e)
{
	return e->shut_by_another && e->verdict.cause == LOCAL_CLOSED_CLOSE;
}

__u32 event_class(const struct event *e)
{
	__u32 class = cause_class(e->verdict.cause);

	if (is_shut_by_another(e))
		return LP_CLASS_LOST;
	/* the loser of a race of addresses (RFC 8305) is healthy; else nobody answered in time */
	return class == LP_CLASS_ABANDONED && !e->raced ? LP_CLASS_LOST : class;
}

static enum lp_severity severity_of(const struct event *e)
{
	enum lp_severity severity = cause_severity(e->verdict.cause);
	enum lp_phase phase = e->verdict.phase;
	bool over = phase == PHASE_CLOSING || phase == PHASE_ORPHANED;

	if (event_class(e) == LP_CLASS_ABANDONED)
		return SEVERITY_INFO;
	if (is_shut_by_another(e))
		return SEVERITY_WARNING;
	if (over && !e->data.unread && !e->data.unacked && !e->data.unsent)
		return SEVERITY_INFO;
	return phase == PHASE_UNACCEPTED && severity < SEVERITY_NOTICE ? SEVERITY_NOTICE : severity;
}

static int error_of(const struct event *e)
{
	if (e->record->socket.flags & LP_F_DEAD)
		return 0;
	/* connect(2) returns it; the socket does not store it */
	return e->verdict.cause == CONNECT_FAILED_NO_PORT ? EADDRNOTAVAIL : e->record->socket.err;
}

static void init(struct event *e, const struct lp_record *record)
{
	memset(e, 0, sizeof(*e));
	e->record = record;
	e->owner.unknown = UNKNOWN_NOT_SEEN;
	e->executable = e->holder_cgroups = "";
	e->place = e->peer_place = &place_unknown;
	e->gives_up_ms = -1;
}

struct travelling {
	struct event event;
	struct lp_record record;
};

struct event *event_new(const struct lp_record *record)
{
	struct travelling *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	t->record = *record;
	init(&t->event, &t->record);
	return &t->event;
}

void event_free(struct event *e)
{
	if (e && *e->executable)
		free((char *)e->executable);
	free(e);
}

struct lp_record *event_record(struct event *e)
{
	return &((struct travelling *)e)->record;
}

void event_set_executable(struct event *e, const char *path)
{
	e->executable = *path ? strdup(path) ?: "" : "";
}

void event_judge(struct event *e, struct verdict verdict)
{
	e->verdict = verdict;
	e->wall_ns = clock_wall_from_monotonic(e->record->time_ns);
	e->error = error_of(e);
	e->data = data_of(&e->record->socket);
	e->severity = severity_of(e);
}

bool event_is_unanswered(const struct event *e)
{
	switch (e->verdict.cause) {
	case CONNECT_FAILED_TIMEOUT:
	case CONNECT_FAILED_ABANDONED:
	case PEER_LOST_RETRANSMIT_TIMEOUT:
	case PEER_LOST_KEEPALIVE_TIMEOUT:
	case PEER_LOST_USER_TIMEOUT:
	case PEER_LOST_PROBE_TIMEOUT:
	case PEER_SILENT_UNACKED:
		return true;
	default:
		return false;
	}
}

/* The time of the last answer is known to a jiffy, of 10 ms at most. */
__u64 event_unanswered_since(const struct event *e)
{
	const struct lp_record *r = e->record;
	__u64 began = r->established_ns ? r->established_ns : r->born_ns;
	__u64 heard = event_silent_ms(e) < 0 ? 0 : r->time_ns - (__u64)(r->socket.heard_ms + 10) * CLOCK_MS;

	return heard > began ? heard : began;
}

void event_refuse(struct event *e, struct refused refused)
{
	e->refused = refused;
	if (refused.signature && e->verdict.cause != CONNECT_FAILED_ABANDONED) /* the application gave that up */
		e->verdict.by = refused.by;
}

void event_lose_race(struct event *e)
{
	e->raced = true;
	e->severity = severity_of(e);
}

void event_set_shutter(struct event *e, const struct lp_shutter *shutter)
{
	e->shutter = shutter->task;
	e->shut_by_another = !shutter->opened && !(e->record->socket.flags & LP_F_DEAD);
}

static bool is_held_by_another(const struct owner *owner, const struct lp_task *task)
{
	if (owner->via)
		return !task_is_same(&owner->process, task);
	for (unsigned i = 0; i < owner->n_holders; i++)
		if (!task_is_same(&owner->holders[i], task))
			return true;
	return false;
}

void event_compare_shutter(struct event *e)
{
	if (!e->shutter.tgid)
		return;
	e->shut_by_another = e->shut_by_another && is_held_by_another(&e->owner, &e->shutter);
	if (e->owner.via && task_is_same(&e->owner.process, &e->shutter))
		memset(&e->shutter, 0, sizeof(e->shutter));
	e->severity = severity_of(e);
}

struct event *event_found(const struct lp_record *record, enum lp_cause cause)
{
	struct event *e = event_new(record);

	if (e)
		event_judge(e, judge_found(record, cause));
	return e;
}

void event_from_record(struct event *e, const struct lp_record *record, struct verdict verdict, __u64 wall_ns)
{
	init(e, record);
	event_judge(e, verdict);
	e->wall_ns = wall_ns;
}

void event_from_loss(struct event *e, enum lp_cause place, struct loss loss)
{
	init(e, NULL);
	e->verdict = (struct verdict){.cause = place, .by = cause_by(place), .phase = PHASE_ESTABLISHED};
	e->severity = cause_severity(place);
	e->wall_ns = loss.last_ns;
	e->loss = loss;
}

void event_keep(struct kept_event *kept, const struct event *e)
{
	kept->event = *e;
	kept->place = *e->place;
	kept->event.place = &kept->place;
	kept->peer_place = *e->peer_place;
	kept->event.peer_place = &kept->peer_place;
	strcpy(kept->executable, e->executable);
	kept->event.executable = kept->executable;
	strcpy(kept->holder_cgroups, e->holder_cgroups);
	kept->event.holder_cgroups = kept->holder_cgroups;
	if (!e->record)
		return;
	kept->record = *e->record;
	kept->event.record = &kept->record;
}

bool event_has_transfer(const struct event *e)
{
	return e->record && e->record->kind != LP_KIND_NO_CONNECT && e->record->kind != LP_KIND_STRAY &&
	       cause_event(e->verdict.cause) != EVENT_ACCEPT_DROPPED;
}

bool event_is_address(const __u8 bytes[16])
{
	static const __u8 none[16];

	return memcmp(bytes, none, sizeof(none)) != 0;
}

/* Whether that half was closed before: the FIN or close that is the event does not count. */
bool event_read_closed(const struct event *e)
{
	const struct lp_record *r = e->record;

	if (r->kind == LP_KIND_PEER_FIN)
		return false;
	if (r->socket.state == TCP_CLOSE_WAIT || r->socket.state == TCP_LAST_ACK || r->socket.state == TCP_CLOSING ||
	    (r->socket.flags & LP_F_DEAD))
		return true;
	return (r->socket.shutdown & 1) && !data_closing_now(&r->socket) && !(r->socket.flags & LP_F_FIN_IN);
}

bool event_write_closed(const struct event *e)
{
	int state = e->record->socket.state;

	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

double event_duration_ms(const struct event *e)
{
	const struct lp_record *r = e->record;
	__u64 from;

	if (e->verdict.cause == CONNECT_FAILED_NO_PORT) /* no SYN was sent */
		return -1;
	from = cause_event(e->verdict.cause) == EVENT_CONNECT_FAILED ? r->born_ns : r->established_ns;

	return from && from <= r->time_ns ? (double)(r->time_ns - from) / 1e6 : -1;
}

double event_silent_ms(const struct event *e)
{
	const struct lp_socket *s = &e->record->socket;

	return (s->known & LP_KNOWN_HEARD) && s->state != TCP_SYN_SENT ? (double)s->heard_ms : -1;
}
