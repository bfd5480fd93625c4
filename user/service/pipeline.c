/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/pipeline.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "event/blame.h"
#include "kernel/kernel.h"
#include "kernel/remembered.h"
#include "outputs/feed.h"
#include "who/cgroups.h"
#include "who/executables.h"
#include "who/other_end.h"
#include "who/owner.h"
#include "who/pending.h"
#include "who/races.h"
#include "who/recently_closed.h"
#include "who/whereabouts.h"

#define MS 1000000ULL
#define STRAYS_MAX 10

struct pipeline {
	struct pipeline_parts parts;
	struct executables *executables;
	struct pending_list *pending;
	struct other_ends *ends;
	struct races *races;
	struct recently_closed *recently_closed;
	struct early_calls calls;
	struct early *early;
	struct judge_kernel judge_kernel;
	bool muted;
	__u64 strays_since_ns; /* CLOCK_MONOTONIC */
	unsigned strays;       /* reported since then whose end was not remembered */
	__u64 found;           /* events that did not come through the ring */
	__u64 lost;            /* records for which there was no memory */
};

static bool is_judged(const struct event *e)
{
	return e->verdict.cause != CAUSE_NONE;
}

/* Nobody answered: did this socket drop the answers for their TCP signature, or did a socket of this host drop what was
 * sent? The first segment that waits shows that; a probe begins one byte before it. */
static void find_refused(const struct pipeline *p, struct event *e)
{
	const struct lp_record *r = e->record;
	const struct lp_socket *s = &r->socket;
	__u64 since = event_unanswered_since(e);
	struct refused refused = {.by = BY_PEER};

	if (!event_is_unanswered(e))
		return;
	for (__u32 i = 0; i < 2 && !refused.signature; i++)
		refused.signature = remembered_refused(
			p->parts.kernel, lp_segment_of(s->snd_una - i, s->local_port, s->peer_port), since);
	if (!refused.signature) {
		refused.by = BY_LOCAL;
		refused.signature = remembered_refused(p->parts.kernel, s->sk, since);
	}
	event_refuse(e, refused);
}

/* Judges an event, once, when no RST can join it any more. Returns whether any output wants it, as far as that can be
 * decided without the owner. */
static bool judge(struct pipeline *p, struct event *e)
{
	struct verdict verdict = judge_record(e->record, e->reset_after, &p->judge_kernel);

	if (!verdict.cause)
		return false;
	event_judge(e, verdict);
	find_refused(p, e);
	return feeds_accept(p->parts.feeds, e);
}

/* How many events it stands for. */
static __u64 stands_for(const struct event *e)
{
	return e->repeat.count ? e->repeat.count : 1;
}

static void filter_out(struct pipeline *p, struct event *e)
{
	feeds_filter_out(p->parts.feeds, stands_for(e));
	event_free(e);
}

/* --- out --- */

static bool follows_process(const struct pipeline *p, const struct lp_task *process)
{
	return remembered_follows(p->parts.kernel, process->tgid, process->start_boot_ns);
}

static bool follows(const struct pipeline *p, const struct owner *owner)
{
	if (owner->via && follows_process(p, &owner->process))
		return true;
	for (unsigned i = 0; i < owner->n_holders; i++)
		if (follows_process(p, &owner->holders[i]))
			return true;
	return false;
}

/* The last step: everything is known but the place. */
static void report(void *context, struct event *e)
{
	struct pipeline *p = context;
	const struct owner *owner = &e->owner;
	struct whereabouts whereabouts;
	struct place peer_place;

	if (e->peer_sent_no_reset)
		blame_clear_peer(&e->verdict);
	if (p->muted || (p->parts.follow && !follows(p, owner))) {
		filter_out(p, e);
		return;
	}
	whereabouts_find(&whereabouts, p->parts.cgroups, p->parts.kernel, e, e->record->time_ns);
	if (e->peer.tgid) {
		cgroups_find(p->parts.cgroups, p->parts.kernel, &e->peer, e->record->time_ns, &peer_place);
		e->peer_place = &peer_place;
	}
	if (e->repeat.count) /* of accept_dropped */
		e->repeat.processes = owner->via != VIA_NONE;
	feeds_put(p->parts.feeds, e, clock_monotonic_ns());
	event_free(e);
}

/* As early as possible, because the process may be gone soon. since_ns: when it held the connection. If it executes
 * another program meanwhile, the path may be that of the other. */
static void set_executable(struct pipeline *p, struct event *e, __u64 since_ns)
{
	const struct lineage lineage = pending_lineage(p->pending);
	const struct owner *owner = &e->owner;
	const char *path = whereabouts_executable(p->executables, owner, since_ns);
	bool executed = owner->via && lineage_has_executed(&lineage, since_ns, &owner->process);

	for (unsigned i = 0; !owner->via && i < owner->n_holders; i++)
		executed = executed || lineage_has_executed(&lineage, since_ns, &owner->holders[i]);
	if (*path && !executed)
		event_set_executable(e, path);
}

/* --- its owner is known --- */

static void on_owner(void *context, struct event *e)
{
	struct pipeline *p = context;
	bool is_wanted = is_judged(e) || judge(p, e);

	event_compare_shutter(e);
	early_note(p->early, e);
	other_end_note(p->ends, e);
	recently_closed_note(p->recently_closed, e);
	if (!is_wanted) {
		filter_out(p, e);
		return;
	}
	set_executable(p, e, e->record->time_ns);
	if (races_concern(e)) /* it was never established, so it has no other end */
		races_add(p->races, e);
	else
		other_end_add(p->ends, e);
}

/* Anybody can send data to ports without a connection, so strays whose end is not remembered are limited to STRAYS_MAX
 * a second. */
static bool may_report_unknown(struct pipeline *p, const struct lp_record *stray, const struct recently_closed_end *end)
{
	if (end->ended.time_ns)
		return true;
	if (stray->time_ns - p->strays_since_ns >= CLOCK_SECOND) {
		p->strays_since_ns = stray->time_ns;
		p->strays = 0;
	}
	return p->strays++ < STRAYS_MAX;
}

/* That of the socket that ended; if none is remembered, the zone of a link-local address. */
static void set_interface(struct lp_socket *stray, const struct lp_ended *ended)
{
	bool has_zone = address_is_link_local(address_of(stray->family, stray->local_addr));
	__u32 interface = ended->time_ns ? ended->socket.interface : has_zone ? stray->interface : 0;

	if (stray->interface != interface)
		*stray->interface_name = '\0';
	stray->interface = interface;
}

/* Its closer, or the process that forked that to execute another program. */
static struct lp_task closer_of(const struct pipeline *p, const struct lp_ended *ended)
{
	const struct lineage lineage = pending_lineage(p->pending);
	struct lp_task closer = ended->owner;

	lineage_closer(&lineage, &closer, 0, clock_monotonic_ns());
	return closer;
}

static void on_stray(void *context, struct event *e, const struct recently_closed_end *end)
{
	struct pipeline *p = context;
	const struct lp_ended *ended = &end->ended;
	struct lp_record *record = event_record(e);
	bool is_news = recently_closed_is_news(end) && may_report_unknown(p, record, end);

	record->socket.flags |= ended->socket.flags;
	if (recently_closed_by_us(end))
		record->socket.flags |= LP_F_DEAD;
	if (record->socket.state == TCP_LISTEN) /* the present listener did not own the connection */
		record->socket.state = TCP_CLOSE;
	record->socket.cookie = ended->socket.cookie;
	set_interface(&record->socket, ended);
	if (!is_news || !judge(p, e)) {
		filter_out(p, e);
		return;
	}
	if (ended->time_ns)
		e->ended = (struct ended){clock_wall_from_monotonic(ended->time_ns), end->cause};
	e->owner = (struct owner){.unknown = UNKNOWN_SOCKET_GONE};
	if (ended->owner.tgid)
		e->owner = (struct owner){.via = recently_closed_by_us(end) ? VIA_CLOSER : end->via,
					  .process = closer_of(p, ended)};
	set_executable(p, e, ended->time_ns);
	report(p, e);
}

/* --- a record comes --- */

static void ask_owner(struct pipeline *p, struct event *e)
{
	other_end_expect(p->ends, e);
	pending_add(p->pending, e, on_owner, p);
}

static void on_rejected(void *context, struct event *e)
{
	struct pipeline *p = context;

	other_end_note(p->ends, e);
	recently_closed_note(p->recently_closed, e);
	filter_out(p, e);
}

static bool names_owner(const struct lp_record *record)
{
	return (record->who == LP_WHO_CURRENT || record->who == LP_WHO_CLOSER) && !(record->socket.flags & LP_F_KERNEL);
}

/* An event that nobody wants may still be the other end of one that somebody wants, or prove the owner of one that
 * waits. */
static void reject(struct pipeline *p, struct event *e)
{
	if (names_owner(e->record)) {
		other_end_expect(p->ends, e);
		pending_add(p->pending, e, on_rejected, p);
		return;
	}
	pending_join(p->pending, e->record);
	if (other_end_is_awaited(p->ends, e->record))
		other_end_ask(p->ends, e->record);
	filter_out(p, e);
}

static void take_event(struct pipeline *p, struct event *e)
{
	const struct owner_evidence none = {.lineage = pending_lineage(p->pending)};
	const struct lp_record *record = e->record;
	bool waits = judge_waits_for_reset(record), is_wanted;
	struct lp_shutter shutter;

	if (remembered_shutter(p->parts.kernel, record, &shutter))
		event_set_shutter(e, &shutter);
	is_wanted = waits || judge(p, e);
	if (names_owner(record))
		owner_decide(record, &none, &e->owner); /* as far as is known now */
	if (!waits)
		recently_closed_note(p->recently_closed, e);
	if (is_wanted)
		ask_owner(p, e);
	else
		reject(p, e);
}

void pipeline_take(struct pipeline *p, const struct lp_record *record)
{
	struct event *e;

	if (record->kind == LP_KIND_RESET_SENT || record->kind == LP_KIND_OWNER)
		pending_join(p->pending, record);
	else if (!(e = event_new(record)))
		p->lost++;
	else if (record->kind == LP_KIND_STRAY)
		recently_closed_add(p->recently_closed, e);
	else
		take_event(p, e);
}

/* --- the agent found something by looking --- */

static bool wants(void *context, const struct event *e)
{
	return feeds_accept(((struct pipeline *)context)->parts.feeds, e);
}

static void on_found(void *context, struct event *e)
{
	struct pipeline *p = context;

	p->found += stands_for(e);
	find_refused(p, e);
	if (wants(p, e))
		ask_owner(p, e);
	else
		filter_out(p, e);
}

static void on_found_with_owner(void *context, struct event *e)
{
	struct pipeline *p = context;

	p->found++;
	on_owner(p, e);
}

/* --- from outside --- */

struct pipeline *pipeline_new(const struct pipeline_parts *parts)
{
	const struct kernel_features *features;
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->parts = *parts;
	features = kernel_features(p->parts.kernel);
	p->judge_kernel = (struct judge_kernel){features->error_report, features->send_reset, features->probe_time,
						features->retransmit, features->retransmit_failed};
	p->executables = executables_new();
	p->pending = pending_new(p->parts.kernel);
	p->ends = other_end_new(p->parts.kernel, p->pending, report, p);
	p->races = races_new(p->parts.kernel, report, p);
	p->recently_closed = recently_closed_new(remembered_ended(p->parts.kernel), on_stray, p);
	p->calls = (struct early_calls){on_found, on_found_with_owner, wants, p, p->pending};
	p->early = early_new(p->parts.kernel, &parts->early, &p->calls);
	if (!p->executables || !p->pending || !p->ends || !p->races || !p->recently_closed || !p->early) {
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
	races_free(p->races);
	recently_closed_free(p->recently_closed);
	early_free(p->early);
	executables_free(p->executables);
	free(p);
}

int pipeline_want(struct pipeline *p, __u32 *classes)
{
	static struct uid_wants uids[FEEDS_UIDS_MAX]; /* 64 KiB: not for the stack */
	struct lp_wants wants;
	size_t n;

	feeds_ask(p->parts.feeds);
	wants = feeds_wants(p->parts.feeds);
	n = feeds_uid_wants(p->parts.feeds, uids);
	wants.classes = *classes = early_classes(wants.classes, &p->parts.early);
	for (size_t i = 0; i < n; i++)
		*classes |= uids[i].classes = early_classes(uids[i].classes, &p->parts.early);
	kernel_want(p->parts.kernel, wants, uids, n);
	if (early_want(p->early, *classes))
		return -ENOMEM;
	feeds_confirm(p->parts.feeds, clock_realtime_ns());
	return 0;
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
	races_tick(p->races, now_ns);
	recently_closed_tick(p->recently_closed, now_ns);
}

__u64 pipeline_deadline(const struct pipeline *p)
{
	__u64 at = clock_earlier(pending_deadline(p->pending), other_end_deadline(p->ends));

	at = clock_earlier(at, races_deadline(p->races));
	at = clock_earlier(at, recently_closed_deadline(p->recently_closed));
	return clock_earlier(at, early_deadline(p->early));
}

void pipeline_finish(struct pipeline *p)
{
	pending_finish(p->pending);
	other_end_finish(p->ends);
	races_finish(p->races);
	recently_closed_finish(p->recently_closed);
}

struct feeds_flow pipeline_flow(const struct pipeline *p)
{
	__u64 stats[LP_STAT_COUNT];

	kernel_stats(p->parts.kernel, stats);
	return (struct feeds_flow){.emitted = stats[LP_STAT_EMITTED] + p->found,
				   .ring_full = stats[LP_STAT_LOST] + p->lost};
}

const struct early *pipeline_early(const struct pipeline *p)
{
	return p->early;
}
