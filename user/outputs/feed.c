/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "filter/group.h"
#include "outputs/subscribers.h"

struct feed {
	const struct feeds *all;
	struct feed_settings *settings;
	struct groups *groups;
	struct output *output;
	struct server *subscribers;      /* the state of its output if that is the subscription socket, else NULL */
	const struct audience *audience; /* its readers; else NULL */
	bool started;
	__u64 filtered, grouped;            /* records of events */
	__u64 passed;                       /* entries */
	__u64 base_handled, base_ring_full; /* the counts when this feed was opened */
	/* set when it is retired: */
	struct feeds_flow flow;
	__u64 handled;
	__u64 retire_by_ns; /* CLOCK_MONOTONIC */
	__u64 waited;       /* entries in its output at the last look */
};

struct feeds {
	struct feeds_context context;
	__u64 handled; /* records put or filtered out; the rest of `emitted` is lost or pending */
	size_t n, n_retired;
	struct feed *feeds[FEEDS_MAX], *retired[FEEDS_MAX];
};

#define RETIRED_INTERVAL_NS (50 * CLOCK_MS)

/* --- settings --- */

static const struct option_spec keys[] = {
	{"group", "DURATION", "the like of an event within this time is one record; 0: off", option_pause,
	 OPTION_AT(struct feed_settings, group_ns)},
	{"rate", "N", "events a second of one process, the others are one record; 0: any", option_number,
	 OPTION_AT(struct feed_settings, rate), 0, 1000000, .wrong = "not a number from 0 to 1000000"},
};
const struct option_group feed_keys = OPTION_GROUP(keys);

struct feed_settings *feed_settings_new(const char *title)
{
	struct feed_settings *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	snprintf(s->title, sizeof(s->title), "%s", title);
	filter_init(&s->filter);
	return s;
}

int feed_settings_output(struct feed_settings *s, const struct output_ops *ops)
{
	s->ops = ops;
	s->output = calloc(1, ops->settings_size);
	return s->output ? 0 : -ENOMEM;
}

void feed_settings_free(struct feed_settings *s)
{
	if (!s)
		return;
	filter_free(&s->filter);
	free(s->output);
	free(s->source);
	free(s);
}

const char *feed_settings_check(struct feed_settings *s)
{
	bool subscribers = s->ops == &output_subscribers;

	if (subscribers && (s->group_ns || s->rate))
		return "knows no group and no rate: its readers get every event";
	if (subscribers) /* each reader chooses whether it wants orderly ends */
		s->filter.all = true;
	return s->ops->check ? s->ops->check(s->output) : NULL;
}

/* --- one feed --- */

static bool has_shown_enough(const struct feed *f)
{
	return f->settings->most_events && f->passed >= f->settings->most_events;
}

static void show(void *context, const struct event *event)
{
	struct feed *f = context;

	if (has_shown_enough(f)) /* a record of several events, already counted in `grouped` */
		return;
	output_put(f->output, event);
	f->passed++;
	if (has_shown_enough(f))
		f->all->context.full(f->all->context.agent.agent);
}

/* A record may stand for several events even before it is grouped here. */
static __u64 stands_for(const struct event *event)
{
	return event->repeat.count ? event->repeat.count : 1;
}

/* Decides without the owner, which may not be known yet. */
static bool feed_wants(const struct feed *f, const struct event *event)
{
	return filter_event(&f->settings->filter, event) && (!f->audience || audience_wants(f->audience, event));
}

static void feed_put(struct feed *f, const struct event *event, __u64 now_ns)
{
	if (!feed_wants(f, event) || !filter_owner(&f->settings->filter, event)) {
		f->filtered += stands_for(event);
	} else if (event->repeat.count) {
		f->grouped += event->repeat.count;
		show(f, event);
	} else if (group_take(f->groups, event, now_ns)) {
		show(f, event);
	} else {
		f->grouped++;
	}
}

/* handled: as in struct feeds. */
static struct ledger feed_ledger(const struct feed *f, const struct feeds_flow *flow, __u64 handled)
{
	__u64 unwanted = f->subscribers ? subscribers_unwanted(f->subscribers) : 0;
	struct output_counts counts = output_counts(f->output);

	return (struct ledger){
		.emitted = flow->emitted - f->base_handled - f->base_ring_full,
		.written = counts.written - unwanted,
		.filtered = f->filtered + unwanted,
		.grouped = f->grouped - counts.untold, /* lost with their record */
		.ring_full = flow->ring_full - f->base_ring_full,
		.output_full = counts.output_full,
		.write_failed = counts.write_failed,
		.stopped = counts.stopped,
		.pending = flow->emitted - flow->ring_full - handled + counts.waiting,
	};
}

/* A stuck writer still uses the settings, so they are then never freed. */
static void feed_close(struct feed *f)
{
	if (!f)
		return;
	group_free(f->groups);
	if (output_close(f->output))
		feed_settings_free(f->settings);
	free(f);
}

/* Takes ownership of the settings unless it fails. */
static struct feed *feed_open(const struct feeds *all, struct feed_settings *settings, const struct feeds_flow *flow)
{
	struct output_options options = {
		.ops = settings->ops,
		.settings = settings->output,
		.title = settings->title,
		.agent = &all->context.agent,
		.context = all->context.format,
		.reader_gone_fd = all->context.reader_gone_fd,
	};
	struct feed *f = calloc(1, sizeof(*f));

	options.context.colour = settings->colour;
	if (f)
		f->groups = group_new(settings->group_ns, settings->rate, show, f);
	if (!f || !f->groups)
		fprintf(stderr, "lostpeer: output %s: out of memory\n", settings->title);
	else
		f->output = output_open(&options);
	if (!f || !f->output) {
		feed_close(f);
		return NULL;
	}
	if (settings->ops == &output_subscribers) {
		f->subscribers = output_state(f->output);
		f->audience = subscribers_ask(f->subscribers);
	}
	f->all = all;
	f->settings = settings;
	f->base_ring_full = flow->ring_full;
	f->base_handled = all->handled;
	return f;
}

/* --- all of them --- */

struct feeds *feeds_new(const struct feeds_context *context)
{
	struct feeds *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->context = *context;
	all->context.agent.format = &all->context.format;
	return all;
}

void feeds_free(struct feeds *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++)
		feed_close(all->feeds[i]);
	for (size_t i = 0; i < all->n_retired; i++)
		feed_close(all->retired[i]);
	free(all);
}

static bool is_same(const struct feed_settings *one, const struct feed_settings *other)
{
	return one->source && other->source && !strcmp(one->title, other->title) && !strcmp(one->source, other->source);
}

static size_t find_same(const struct feeds *all, const struct feed_settings *settings)
{
	size_t i = 0;

	while (i < all->n && !is_same(all->feeds[i]->settings, settings))
		i++;
	return i;
}

static void end_retired(struct feed *f)
{
	output_finish(f->output, 0);
	ledger_say(f->settings->title, feed_ledger(f, &f->flow, f->handled));
	feed_close(f);
}

/* Pending records go to the feeds that exist when they arrive, so its `emitted` leaves them out. */
static void retire(struct feeds *all, struct feed *f, const struct feeds_flow *flow)
{
	if (all->n_retired == FEEDS_MAX) { /* that many writers are stuck */
		end_retired(all->retired[0]);
		memmove(all->retired, all->retired + 1, --all->n_retired * sizeof(*all->retired));
	}
	group_finish(f->groups);
	if (f->subscribers)
		subscribers_retire(f->subscribers);
	f->handled = all->handled;
	f->flow = (struct feeds_flow){.emitted = all->handled + flow->ring_full, .ring_full = flow->ring_full};
	f->retire_by_ns = clock_monotonic_ns() + FEED_PATIENCE_NS;
	all->retired[all->n_retired++] = f;
}

/* Fills made[] with the old feeds that stay, marked in kept[], and with new ones. */
static int open_new(const struct feeds *all, struct feed_settings **settings, size_t n, const struct feeds_flow *flow,
		    struct feed **made, bool kept[FEEDS_MAX])
{
	for (size_t i = 0; i < n; i++) {
		size_t same = find_same(all, settings[i]);

		if (same < all->n) {
			made[i] = all->feeds[same];
			kept[same] = true;
			continue;
		}
		made[i] = feed_open(all, settings[i], flow);
		if (!made[i])
			return -EIO;
		settings[i] = NULL;
	}
	return 0;
}

static bool is_old(const struct feeds *all, const struct feed *f)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->feeds[i] == f)
			return true;
	return false;
}

int feeds_change(struct feeds *all, struct feed_settings **settings, size_t n, const struct feeds_flow *flow)
{
	struct feed *made[FEEDS_MAX] = {NULL};
	bool kept[FEEDS_MAX] = {false};
	int err = n > FEEDS_MAX ? -E2BIG : open_new(all, settings, n, flow, made, kept);

	for (size_t i = 0; i < n; i++)
		feed_settings_free(settings[i]); /* those not taken */
	if (err) {
		for (size_t i = 0; i < n && i < FEEDS_MAX; i++)
			if (!is_old(all, made[i]))
				feed_close(made[i]);
		return err;
	}
	for (size_t i = 0; i < all->n; i++)
		if (!kept[i])
			retire(all, all->feeds[i], flow);
	memcpy(all->feeds, made, sizeof(made));
	all->n = n;
	return 0;
}

int feeds_start(struct feeds *all)
{
	int err = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct feed *f = all->feeds[i];
		int failed = f->started ? 0 : output_start(f->output);

		f->started = !failed;
		err = err ? err : failed;
	}
	return err;
}

void feeds_reopen(struct feeds *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->feeds[i]->started)
			output_reopen(all->feeds[i]->output);
}

void feeds_ask(struct feeds *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->feeds[i]->subscribers)
			all->feeds[i]->audience = subscribers_ask(all->feeds[i]->subscribers);
}

void feeds_confirm(struct feeds *all, __u64 wall_ns)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->feeds[i]->subscribers)
			subscribers_confirm(all->feeds[i]->subscribers, all->feeds[i]->audience->generation, wall_ns);
}

struct lp_wants feeds_wants(const struct feeds *all)
{
	struct lp_wants wants = {0};

	for (size_t i = 0; i < all->n; i++) {
		const struct feed *f = all->feeds[i];
		struct lp_wants each = f->audience ? f->audience->of_root : filter_wants(&f->settings->filter);

		if (!each.classes)
			continue;
		wants.netns = wants.classes && wants.netns != each.netns ? 0 : each.netns;
		wants.classes |= each.classes;
	}
	return wants;
}

/* Returns the new length. */
static size_t add_uid(struct uid_wants *uids, size_t n, struct uid_wants more)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i].uid == more.uid) {
			uids[i].classes |= more.classes;
			return n;
		}
	uids[n] = more;
	return n + 1;
}

size_t feeds_uid_wants(const struct feeds *all, struct uid_wants uids[FEEDS_UIDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct audience *a = all->feeds[i]->audience;

		for (size_t j = 0; a && j < a->n; j++)
			n = add_uid(uids, n, a->uids[j]);
	}
	return n;
}

bool feeds_accept(const struct feeds *all, const struct event *event)
{
	for (size_t i = 0; i < all->n; i++)
		if (feed_wants(all->feeds[i], event))
			return true;
	return false;
}

void feeds_filter_out(struct feeds *all, __u64 records)
{
	all->handled += records;
	for (size_t i = 0; i < all->n; i++)
		all->feeds[i]->filtered += records;
}

void feeds_put(struct feeds *all, const struct event *event, __u64 now_ns)
{
	all->handled += stands_for(event);
	for (size_t i = 0; i < all->n; i++)
		feed_put(all->feeds[i], event, now_ns);
}

void feeds_gap(struct feeds *all, const struct event *gap)
{
	for (size_t i = 0; i < all->n; i++)
		if (feed_wants(all->feeds[i], gap))
			output_put(all->feeds[i]->output, gap);
}

void feeds_wake(struct feeds *all)
{
	for (size_t i = 0; i < all->n; i++)
		output_wake(all->feeds[i]->output);
}

static bool is_due(struct feed *f, __u64 now_ns)
{
	__u64 waiting = output_counts(f->output).waiting;

	if (waiting != f->waited)
		f->retire_by_ns = now_ns + FEED_PATIENCE_NS;
	f->waited = waiting;
	return output_is_done(f->output) || now_ns >= f->retire_by_ns;
}

void feeds_tick(struct feeds *all, __u64 now_ns)
{
	size_t left = 0;

	for (size_t i = 0; i < all->n; i++)
		group_tick(all->feeds[i]->groups, now_ns);
	for (size_t i = 0; i < all->n_retired; i++) {
		if (is_due(all->retired[i], now_ns))
			end_retired(all->retired[i]);
		else
			all->retired[left++] = all->retired[i];
	}
	all->n_retired = left;
}

__u64 feeds_deadline(const struct feeds *all)
{
	__u64 earliest = all->n_retired ? clock_monotonic_ns() + RETIRED_INTERVAL_NS : 0;

	for (size_t i = 0; i < all->n; i++)
		earliest = clock_earlier(earliest, group_deadline(all->feeds[i]->groups));
	return earliest;
}

void feeds_finish(struct feeds *all)
{
	for (size_t i = 0; i < all->n; i++)
		group_finish(all->feeds[i]->groups);
}

void feeds_flush(struct feeds *all)
{
	for (size_t i = 0; i < all->n; i++)
		output_finish(all->feeds[i]->output, FEED_FLUSH_MS);
	for (size_t i = 0; i < all->n_retired; i++) {
		output_finish(all->retired[i]->output, FEED_FLUSH_MS);
		end_retired(all->retired[i]);
	}
	all->n_retired = 0;
}

size_t feeds_count(const struct feeds *all)
{
	return all->n;
}

const char *feeds_title(const struct feeds *all, size_t i)
{
	return all->feeds[i]->settings->title;
}

struct ledger feeds_ledger(const struct feeds *all, size_t i, const struct feeds_flow *flow)
{
	return feed_ledger(all->feeds[i], flow, all->handled);
}
