/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/pipeline.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/kernel.h"
#include "kernel/remembered.h"
#include "outputs/feed.h"
#include "who/cgroups.h"
#include "who/executables.h"
#include "who/other_end.h"
#include "who/pending.h"
#include "who/recently_closed.h"

#define MS 1000000ULL
#define STRAYS_MAX 10

struct pipeline {
	struct pipeline_parts parts;
	struct kernel *kernel; /* these two: of the parts */
	struct feeds *feeds;
	struct executables *executables;
	struct pending_list *pending;
	struct other_ends *ends;
	struct recently_closed *recently_closed;
	struct early *early;
	struct cause_kernel cause_kernel;
	struct event event; /* the one being told */
	struct place place; /* of that */
	bool muted;
	__u64 strays_since_ns; /* CLOCK_MONOTONIC */
	unsigned strays;       /* told since then, of which nothing was remembered */
	__u64 found;           /* events that were looked for */
};

/* How many events it is. */
static __u64 stands_for(const struct lp_record *record)
{
	return record->kind == LP_KIND_QUEUE_FULL ? record->socket.dropped : 1;
}

static void filter_out(struct pipeline *p, const struct lp_record *record)
{
	feeds_filter_out(p->feeds, stands_for(record));
}

/* Whether that much of an event is wanted as is known by now; fills p->event. */
static bool judge(struct pipeline *p, const struct lp_record *record, bool reset_after)
{
	struct verdict verdict = cause_judge(record, reset_after, &p->cause_kernel);

	if (!verdict.cause)
		return false;
	event_from_record(&p->event, record, verdict, clock_wall_from_monotonic(record->time_ns));
	return feeds_accept(p->feeds, &p->event);
}

static bool follows(const struct pipeline *p, const struct owner *owner)
{
	return owner->via && remembered_follows(p->kernel, owner->process.tgid, owner->process.start_boot_ns);
}

/* The last test, and out: p->event is whole but for its place. */
static void tell(struct pipeline *p)
{
	struct event *e = &p->event;
	const struct owner *owner = &e->owner;

	if (owner->via) {
		cgroups_find(p->parts.cgroups, p->kernel, &owner->process, e->record->time_ns, &p->place);
		e->place = &p->place;
	}
	if (e->repeat.count) /* it is a record of several by itself */
		e->repeat.processes = owner->via != VIA_NONE;
	if (p->muted || (p->parts.follow && !follows(p, owner)))
		filter_out(p, e->record);
	else
		feeds_put(p->feeds, e, clock_monotonic_ns());
}

static void on_ends(void *context, const struct other_end_event *told)
{
	struct pipeline *p = context;
	struct event *e = &p->event;

	judge(p, told->record, told->reset_after);
	e->owner = *told->owner;
	e->peer = told->peer;
	e->executable = told->executable;
	tell(p);
}

/* For what may still be said to it when it is gone. */
static void note_end(struct pipeline *p, const struct lp_record *record, bool reset_after, const struct lp_task *owner)
{
	if (record->kind == LP_KIND_CLOSE)
		recently_closed_note(p->recently_closed, record,
				     cause_judge(record, reset_after, &p->cause_kernel).cause, owner);
}

static void pass_on(struct pipeline *p, const struct lp_record *record, bool reset_after, const struct owner *owner)
{
	struct other_end_event event = {record, reset_after, owner, "", {0}};

	other_end_note(p->ends, record, owner);
	if (record->kind == LP_KIND_LOOK)
		return;
	note_end(p, record, reset_after, owner->via ? &owner->process : NULL);
	if (!judge(p, record, reset_after)) {
		filter_out(p, record);
		return;
	}
	if (owner->via) /* now: it may be gone soon */
		event.executable = executables_find(p->executables, &owner->process, record->time_ns);
	other_end_add(p->ends, &event);
}

static void on_owner(void *context, const struct lp_record *record, bool reset_after, const struct owner *owner)
{
	struct pipeline *p = context;

	if (record->kind == LP_KIND_IGNORED) /* as on_ask_ignored() asked */
		early_note(p->early, record, owner);
	else
		pass_on(p, record, reset_after, owner);
}

/* Anybody can send data for what never was; of what nothing is remembered, so many are told in a second. */
static bool may_tell_unknown(struct pipeline *p, const struct lp_record *stray, const struct recently_closed_end *ended)
{
	if (ended->time_ns)
		return true;
	if (stray->time_ns - p->strays_since_ns >= CLOCK_SECOND) {
		p->strays_since_ns = stray->time_ns;
		p->strays = 0;
	}
	return p->strays++ < STRAYS_MAX;
}

static void on_stray(void *context, const struct lp_record *stray, const struct recently_closed_end *ended)
{
	struct pipeline *p = context;
	struct lp_record record = *stray;
	struct event *e = &p->event;

	record.socket.flags |= ended->flags;
	if (record.socket.state == TCP_LISTEN) /* who listens now is not who had it */
		record.socket.state = TCP_CLOSE;
	record.socket.cookie = ended->cookie;
	if (!recently_closed_is_news(stray, ended) || !may_tell_unknown(p, stray, ended) || !judge(p, &record, false)) {
		filter_out(p, &record);
		return;
	}
	if (ended->time_ns)
		e->ended = (struct ended){clock_wall_from_monotonic(ended->time_ns), ended->cause};
	e->owner.unknown = UNKNOWN_SOCKET_GONE;
	if (ended->owner.tgid) {
		e->owner = (struct owner){.via = VIA_CLOSER, .process = ended->owner};
		e->executable = executables_find(p->executables, &ended->owner, stray->time_ns);
	}
	tell(p);
}

static void on_ask(void *context, const struct lp_record *record)
{
	struct pipeline *p = context;

	pending_add(p->pending, record);
}

static bool proves_owner(const struct lp_record *record)
{
	return record->who == LP_WHO_CURRENT || record->who == LP_WHO_CLOSER;
}

/* What is not told may still be the other end of what is: who was at work on it is who held it. */
static void note_silently(struct pipeline *p, const struct lp_record *record)
{
	struct owner owner = {.via = VIA_HOLDER, .process = record->task};

	if (proves_owner(record))
		other_end_note(p->ends, record, &owner);
}

/* What its verdict already keeps out need not look for an owner. */
static bool is_out(struct pipeline *p, const struct lp_record *record)
{
	struct verdict verdict;

	if (cause_waits_for_reset(record))
		return false;
	verdict = cause_judge(record, false, &p->cause_kernel);
	if (!verdict.cause)
		return true;
	event_from_record(&p->event, record, verdict, 0);
	return !feeds_accept(p->feeds, &p->event);
}

void pipeline_take(struct pipeline *p, const struct lp_record *record)
{
	if (record->kind == LP_KIND_RESET_SENT || record->kind == LP_KIND_OWNER) {
		pending_join(p->pending, record);
		return;
	}
	if (record->kind == LP_KIND_STRAY) {
		recently_closed_add(p->recently_closed, record);
		return;
	}
	if (!cause_waits_for_reset(record))
		note_end(p, record, false, proves_owner(record) ? &record->task : NULL);
	if (is_out(p, record)) {
		pending_join(p->pending, record); /* it may prove the owner of what waits */
		note_silently(p, record);
		filter_out(p, record);
	} else {
		other_end_expect(p->ends, record);
		pending_add(p->pending, record);
	}
}

/* --- what was looked for --- */

static void on_found(void *context, const struct lp_record *record)
{
	struct pipeline *p = context;

	p->found += stands_for(record);
	if (is_out(p, record)) {
		filter_out(p, record);
		return;
	}
	other_end_expect(p->ends, record);
	pending_add(p->pending, record);
}

static bool on_ask_ignored(void *context, const struct lp_record *record)
{
	struct pipeline *p = context;

	if (is_out(p, record))
		return false;
	pending_add(p->pending, record);
	return true;
}

static void on_ignored(void *context, const struct lp_record *record, const struct owner *owner)
{
	struct pipeline *p = context;

	p->found++;
	pass_on(p, record, false, owner);
}

/* --- from outside --- */

struct pipeline *pipeline_new(const struct pipeline_parts *parts)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->parts = *parts;
	p->kernel = parts->kernel;
	p->feeds = parts->feeds;
	p->cause_kernel.error_report = kernel_features(p->kernel)->error_report;
	p->cause_kernel.send_reset = kernel_features(p->kernel)->send_reset;
	p->executables = executables_new();
	p->pending = pending_new(p->kernel, on_owner, p);
	p->ends = other_end_new(p->kernel, on_ends, on_ask, p);
	p->recently_closed = recently_closed_new(remembered_ended(p->kernel), on_stray, p);
	if (!p->executables || !p->pending || !p->ends || !p->recently_closed) {
		pipeline_free(p);
		return NULL;
	}
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	pending_free(p->pending);
	other_end_free(p->ends);
	recently_closed_free(p->recently_closed);
	early_free(p->early);
	executables_free(p->executables);
	free(p);
}

int pipeline_want(struct pipeline *p, __u32 classes)
{
	struct early_calls calls = {on_found, on_ask_ignored, on_ignored, p};

	if (p->early)
		return early_want(p->early, classes);
	p->early = early_new(p->kernel, classes, &p->parts.early, &calls);
	return p->early ? 0 : -ENOMEM;
}

void pipeline_mute(struct pipeline *p)
{
	p->muted = true;
}

void pipeline_tick(struct pipeline *p, __u64 now_ns)
{
	pending_tick(p->pending, now_ns);
	early_tick(p->early, clock_monotonic_ns());
	other_end_tick(p->ends, now_ns);
	recently_closed_tick(p->recently_closed, now_ns);
}

__u64 pipeline_deadline(const struct pipeline *p)
{
	__u64 at = clock_earlier(pending_deadline(p->pending), other_end_deadline(p->ends));

	at = clock_earlier(at, recently_closed_deadline(p->recently_closed));
	return clock_earlier(at, early_deadline(p->early));
}

void pipeline_finish(struct pipeline *p)
{
	pending_finish(p->pending);
	other_end_finish(p->ends);
	recently_closed_finish(p->recently_closed);
}

__u64 pipeline_found(const struct pipeline *p)
{
	return p->found;
}

const struct early *pipeline_early(const struct pipeline *p)
{
	return p->early;
}
