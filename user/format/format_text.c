/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "event/blame.h"

#define TIME_COLUMN 13
#define WHO_COLUMN 32
#define PEER_COLUMN 24
#define WHAT_COLUMN 30
#define HOLDERS_SHOWN 4

static const char *const colours[] = {
	[SEVERITY_ERROR] = "\033[1;31m",
	[SEVERITY_WARNING] = "\033[33m",
	[SEVERITY_NOTICE] = "",
	[SEVERITY_INFO] = "\033[2m",
};
static_assert(sizeof(colours) / sizeof(*colours) == SEVERITY_COUNT, "a colour for each severity");

/* As people write it: the first 12 digits of the id of a container, a service without ".service". */
static void put_where(struct line *line, const struct place *p)
{
	char text[PLACE_NAME_LEN];
	const char *where = *p->container ? p->container : p->unit;
	size_t n = strlen(where), suffix = strlen(".service");

	if (*p->container)
		n = place_is_hash(where) ? 12 : n;
	else if (n > suffix && !strcmp(where + n - suffix, ".service"))
		n -= suffix;
	if (!n)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)n, where);
	line_printf(line, "@");
	line_plain(line, text);
}

/* Several owners: their name, if it is the same, and how many they are. */
static void put_processes(struct line *line, const struct event *e)
{
	const char *name = e->owner.process.comm, *more = e->repeat.more_processes ? "+" : "";

	line_plain(line, name);
	line_printf(line, *name ? "[%u%s process%s]" : "%u%s process%s", e->repeat.processes, more,
		    e->repeat.processes == 1 ? "" : "es");
	put_where(line, e->place);
}

/* "nginx[7,9]", or "sh[7],sleep[9]". */
static void put_holders(struct line *line, const struct owner *o)
{
	const char *shared = o->process.comm;

	line_plain(line, shared);
	for (unsigned i = 0; i < o->n_holders && i < HOLDERS_SHOWN; i++) {
		if (*shared) {
			line_printf(line, "%c%u", i ? ',' : '[', o->holders[i].tgid);
			continue;
		}
		line_text(line, i ? "," : "");
		line_plain(line, *o->holders[i].comm ? o->holders[i].comm : "?");
		line_printf(line, "[%u]", o->holders[i].tgid);
	}
	line_text(line, o->n_holders > HOLDERS_SHOWN ? ",…" : "");
	line_text(line, *shared ? "]" : "");
}

static void put_who(struct line *line, const struct event *e, const char *nobody)
{
	const struct owner *o = &e->owner;

	if (!o->via && e->repeat.processes) {
		put_processes(line, e);
	} else if (o->via) {
		line_plain(line, *o->process.comm ? o->process.comm : "?");
		line_text(line, "[");
		line_number(line, o->process.tgid);
		line_text(line, "]");
		put_where(line, e->place);
	} else if (o->n_holders) {
		line_text(line, o->unknown == UNKNOWN_SHARED ? "" : "holder gone, of ");
		put_holders(line, o);
		put_where(line, e->place);
	} else {
		line_printf(line, "%s (%s)", nobody, o->unknown ? unknown_name(o->unknown) : "several");
	}
}

void format_who(struct line *line, const struct event *e)
{
	put_who(line, e, "?");
}

void format_socket(struct line *line, const struct lp_socket *s, const __u8 bytes[16], unsigned port)
{
	char text[FORMAT_ADDRESS_LEN];
	bool bracketed = format_address(s, bytes, text);

	line_text(line, bracketed ? "[" : "");
	line_plain(line, text); /* a zone comes from outside */
	line_text(line, bracketed ? "]:" : ":");
	line_number(line, port);
}

/* Of several peers, the address or port that they have in common. */
static void put_address(struct line *line, const struct event *e)
{
	const struct lp_record *r = e->record;
	char text[FORMAT_ADDRESS_LEN];

	if (e->repeat.count && !event_is_address(r->socket.peer_addr)) {
		line_printf(line, "(several)");
	} else if (e->repeat.count && !r->socket.peer_port) {
		format_address(&r->socket, r->socket.peer_addr, text);
		line_plain(line, text);
	} else {
		format_socket(line, &r->socket, r->socket.peer_addr, r->socket.peer_port);
	}
}

void format_duration(struct line *line, double ms)
{
	unsigned long long seconds = ms < 60000 ? 60 : (unsigned long long)(ms / 1000); /* 59.95 s becomes 1m00s */
	unsigned long long tenths = (unsigned long long)(ms / 100 + 0.5);

	if (ms < 999.5) {
		line_number(line, (unsigned long long)(ms + 0.5));
		line_text(line, " ms");
	} else if (ms < 59950) {
		line_number(line, tenths / 10);
		line_text(line, ".");
		line_number(line, tenths % 10);
		line_text(line, " s");
	} else if (seconds < 3600) {
		line_printf(line, "%llum%02llus", seconds / 60, seconds % 60);
	} else if (seconds < 86400) {
		line_printf(line, "%lluh%02llum", seconds / 3600, seconds / 60 % 60);
	} else {
		line_printf(line, "%llud%02lluh", seconds / 86400, seconds / 3600 % 24);
	}
}

static void put_duration_after(struct line *line, const char *words, double ms)
{
	line_text(line, words);
	format_duration(line, ms);
}

/* The phase, unless it is the common one. */
static const char *const remarks[] = {
	[PHASE_CONNECTING] = "",
	[PHASE_UNACCEPTED] = "not yet accepted",
	[PHASE_ORPHANED] = "already closed by us",
	[PHASE_CLOSING] = "our half was closed",
	[PHASE_HALF_CLOSED] = "the peer had closed its half",
	[PHASE_ESTABLISHED] = "",
};
static_assert(sizeof(remarks) / sizeof(*remarks) == PHASE_COUNT, "a remark for each phase");

/* The sentence of the cause already says the phase. */
static bool says_phase(struct verdict v)
{
	return v.cause == LOCAL_CLOSED_CLOSE || (v.cause == CLOSE_IGNORED_CLOSE_WAIT && v.phase == PHASE_HALF_CLOSED);
}

static void put_exit(struct line *line, const struct lp_task *process)
{
	const char *signal = sigabbrev_np((int)(process->exit_code & 0x7f)); /* NULL for 0 */

	if (process->oom)
		line_printf(line, ", as it was killed for want of memory");
	else if (signal)
		line_printf(line, ", as it died of SIG%s", signal);
	else
		line_printf(line, ", as it exited");
}

/* Why the process closed the socket, if it did so without a close(2). */
static void put_end(struct line *line, const struct lp_task *process)
{
	if (process->exiting)
		put_exit(line, process);
	else if (process->executing)
		line_printf(line, ", as it executed another program");
}

static void put_data(struct line *line, const struct event *e)
{
	const struct repeat *r = &e->repeat;
	__u64 unread = r->count ? r->unread : e->data.unread;
	__u64 unacked = r->count ? r->unacked : e->data.unacked;
	__u64 unsent = r->count ? r->unsent : e->data.unsent;

	if (unread && !e->data.unread_unknown)
		line_printf(line, "; %llu B unread", unread);
	if (unacked)
		line_printf(line, "; %llu B unacked", unacked);
	if (unsent && !e->data.unsent_unknown)
		line_printf(line, "; %llu B unsent", unsent);
}

static void put_task(struct line *line, const struct lp_task *task)
{
	line_plain(line, *task->comm ? task->comm : "?");
	line_printf(line, "[%u]", task->tgid);
}

static void put_peer(struct line *line, const struct event *e)
{
	const struct lp_task *peer = &e->peer;

	if (!peer->tgid)
		return;
	line_printf(line, "; peer ");
	put_task(line, peer);
	put_where(line, e->peer_place);
	put_end(line, peer);
}

static void put_ended(struct line *line, const struct event *e)
{
	if (!e->ended.wall_ns)
		return;
	line_printf(line, "; it had ended ");
	format_duration(line, e->wall_ns > e->ended.wall_ns ? (double)(e->wall_ns - e->ended.wall_ns) / 1e6 : 0);
	line_printf(line, " before");
	if (e->ended.cause)
		line_printf(line, ": %s", cause_sentence(e->ended.cause));
}

/* How long the connection lasted, or how often the event came. */
static void put_extent(struct line *line, const struct event *e)
{
	const struct repeat *r = &e->repeat;
	double duration = event_duration_ms(e);

	if (cause_event(e->verdict.cause) == EVENT_ACCEPT_DROPPED)
		line_printf(line, ", %llu turned away", r->count);
	else if (r->processes > 1)
		line_printf(line, ", %llu more connections of %u%s processes", r->count, r->processes,
			    r->more_processes ? " or more" : "");
	else if (r->count > 1)
		line_printf(line, ", again %llu times", r->count);
	else if (r->count)
		line_printf(line, ", again once");
	else if (duration >= 0 && e->verdict.cause == CONNECT_FAILED_ABANDONED && !e->record->socket.soft_err)
		put_duration_after(line, ", unanswered for ", duration);
	else if (duration >= 0 && event_has_transfer(e))
		put_duration_after(line, ", after ", duration);
	if (r->count > 1 || cause_event(e->verdict.cause) == EVENT_ACCEPT_DROPPED)
		put_duration_after(line, " in ", (double)(r->last_ns - r->first_ns) / 1e6);
}

/* Of a connection that is not over. */
static void put_warning(struct line *line, const struct event *e)
{
	const struct lp_socket *s = &e->record->socket;

	if (e->verdict.cause == PEER_SILENT_UNACKED && !e->repeat.count) {
		if (event_silent_ms(e) >= 0)
			put_duration_after(line, "; nothing heard for ", event_silent_ms(e));
		if (e->gives_up_ms >= 0)
			put_duration_after(line, "; given up in about ", (double)e->gives_up_ms);
	} else if (e->connections > 1 && !e->repeat.count) {
		line_printf(line, "; %u such connections", e->connections);
	} else if (e->verdict.cause == ACCEPT_DROPPED_QUEUE_FULL) {
		line_printf(line, "; %u in the queue, the backlog is %u", s->ack_backlog, s->max_ack_backlog);
	}
}

static void put_sentence(struct line *line, const struct event *e)
{
	const struct verdict *v = &e->verdict;
	bool shut = e->shutter.tgid, nothing_else = v->cause == LOCAL_CLOSED_CLOSE && v->phase == PHASE_CLOSING;

	if (!shut || !nothing_else)
		line_printf(line, "%s",
			    e->repeat.several_bys || e->refused.signature ? cause_sentence(v->cause)
									  : blame_sentence(v->cause, v->by));
	if (*remarks[v->phase] && !says_phase(*v) && !e->repeat.several_phases)
		line_printf(line, " (%s)", remarks[v->phase]);
	if (!shut)
		return;
	line_printf(line, nothing_else ? "shut down by " : ", shut down by ");
	put_task(line, &e->shutter);
}

static void put_refused(struct line *line, const struct event *e)
{
	static const char *const was[LP_SIGNATURE_COUNT] = {
		[LP_SIGNATURE_WRONG] = "was wrong",
		[LP_SIGNATURE_MISSING] = "was missing",
		[LP_SIGNATURE_UNEXPECTED] = "was not expected",
	};

	if (!e->refused.signature)
		return;
	if (cause_event(e->verdict.cause) == EVENT_ACCEPT_DROPPED)
		line_text(line, "; ");
	else if (e->refused.by == BY_PEER)
		line_text(line, "; the peer dropped what we sent: ");
	else
		line_text(line, "; this host dropped what the peer sent: ");
	line_printf(line, "the TCP signature (MD5, AO) %s", was[e->refused.signature]);
}

static void put_details(struct line *line, const struct event *e)
{
	const struct lp_record *r = e->record;
	const char *error = e->error ? strerrorname_np(e->error) : NULL;

	put_sentence(line, e);
	if (e->owner.via)
		put_end(line, &e->owner.process);
	put_extent(line, e);
	if (error)
		line_printf(line, " (%s)", error);
	if (r->socket.soft_err && r->socket.soft_err != e->error && strerrorname_np(r->socket.soft_err))
		line_printf(line, "; earlier %s", strerrorname_np(r->socket.soft_err));
	if (event_has_transfer(e))
		put_data(line, e);
	put_warning(line, e);
	put_refused(line, e);
	put_ended(line, e);
	if (e->verdict.ambiguous)
		line_printf(line, "; or %s", cause_name(e->verdict.ambiguous));
	if (r->socket.local_port &&
	    (!e->repeat.count || event_is_address(r->socket.local_addr) || r->socket.state == TCP_LISTEN)) {
		line_printf(line, "; local ");
		format_socket(line, &r->socket, r->socket.local_addr, r->socket.local_port);
	}
	if (*r->socket.interface_name) {
		line_printf(line, " on ");
		line_plain(line, r->socket.interface_name);
	}
	put_peer(line, e);
}

static void put_loss(struct line *line, const struct event *e)
{
	char first[CLOCK_TEXT_LEN], last[CLOCK_TEXT_LEN];

	clock_format_local(e->loss.first_ns, first);
	clock_format_local(e->loss.last_ns, last);
	line_printf(line, "LOST ");
	if (!e->loss_hidden)
		line_printf(line, "%llu ", e->loss.count);
	line_printf(line, "EVENTS between %s and %s: %s", first, last, cause_sentence(e->verdict.cause));
}

static void put_kind(struct line *line, const struct event *e)
{
	line_printf(line, "%s/%s", event_name(cause_event(e->verdict.cause)), cause_name(e->verdict.cause));
}

void format_sentence(struct line *line, const struct event *e)
{
	enum lp_event event = cause_event(e->verdict.cause);

	if (!e->record) {
		put_loss(line, e);
		return;
	}
	put_who(line, e, "an unknown process");
	line_printf(line, " %s ", event_verb(event));
	if (event != EVENT_ACCEPT_DROPPED || event_is_address(e->record->socket.peer_addr)) {
		line_text(line, event == EVENT_ACCEPT_DROPPED ? "from " : "");
		put_address(line, e);
		line_printf(line, " ");
	}
	line_printf(line, "(");
	put_kind(line, e);
	line_printf(line, "): ");
	put_details(line, e);
}

void format_text_header(struct line *line)
{
	line_clear(line);
	line_printf(line, "%-*s%-*s%-*s%-*s%s\n", TIME_COLUMN, "TIME", WHO_COLUMN, "WHO", PEER_COLUMN, "LOST",
		    WHAT_COLUMN, "EVENT/CAUSE", "WHAT HAPPENED; DATA AT STAKE; OUR END");
}

void format_text(struct line *line, const struct event *e, const struct format_context *context)
{
	const char *colour = context->colour ? colours[e->severity] : "";
	char time[CLOCK_TEXT_LEN];
	size_t from;

	line_clear(line);
	clock_format_local(e->wall_ns, time);
	line_printf(line, "%s%s ", colour, time);
	if (e->record) {
		from = line->length;
		put_who(line, e, "?");
		line_pad(line, from, WHO_COLUMN);
		from = line->length;
		put_address(line, e);
		line_pad(line, from, PEER_COLUMN);
		from = line->length;
		put_kind(line, e);
		line_pad(line, from, WHAT_COLUMN);
		put_details(line, e);
	} else {
		put_loss(line, e);
	}
	line_printf(line, "%s\n", *colour ? "\033[0m" : "");
}
