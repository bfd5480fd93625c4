/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fan-out: each event goes to every feed, through the feed's filter and grouping, into the queue of its output.
 * Feeds are independent: a slow, full or broken one costs the others nothing. The kernel is asked for the union of what
 * all feeds want.
 *
 * Feeds can be replaced while events arrive. A feed that is no longer wanted is retired: it gets no more events, and
 * ends when its output has written its queue or has made no progress for FEED_PATIENCE_NS. Its ledger is printed then.
 */
#ifndef LOSTPEER_FEED_H
#define LOSTPEER_FEED_H

#include <stdbool.h>

#include "base/clock.h"
#include "filter/audience.h"
#include "filter/filter.h"
#include "filter/ledger.h"
#include "outputs/output.h"

#define FEED_PATIENCE_NS (10 * CLOCK_SECOND)
#define FEED_FLUSH_MS 1000 /* the same at the end */

/* Set by filter_keys, feed_keys and the output's own keys. */
struct feed_settings {
	char title[FEED_TITLE_LEN];   /* of its section: "file audit" */
	const struct output_ops *ops; /* set by feed_settings_output(), with `output` */
	void *output;
	struct filter filter;
	__u64 group_ns; /* the window of group.h; 0: every event is shown */
	unsigned rate;  /* events a second of one owner; 0: no limit */
	bool colour;
	__u64 most_events; /* call feeds_context.full after this many; 0: never */
	char *source;      /* all that was set: a feed with the same source is kept open on reload; may be NULL */
};

/* The keys that every output has besides the filters. */
extern const struct option_group feed_keys;

/* NULL when out of memory. */
struct feed_settings *feed_settings_new(const char *title);
/* Allocates the settings of these operations, unset. 0 or -ENOMEM. */
int feed_settings_output(struct feed_settings *settings, const struct output_ops *ops);
void feed_settings_free(struct feed_settings *settings);
/* Call once everything is set. NULL, or what is wrong. */
const char *feed_settings_check(struct feed_settings *settings);

/* Shared by all feeds; must outlive them. */
struct feeds_context {
	struct format_context format;
	struct output_agent agent;
	int reader_gone_fd;        /* see output_options */
	void (*full)(void *agent); /* called when a feed has put out most_events */
};

/* Counted before the feeds. */
struct feeds_flow {
	__u64 emitted;
	__u64 ring_full;
};

struct feeds;

/* NULL when out of memory. */
struct feeds *feeds_new(const struct feeds_context *context);
void feeds_free(struct feeds *feeds);

/*
 * Replaces the feeds by these. A feed with the same title and source stays open; the others are opened, and the feeds
 * not named are retired. Takes ownership of all settings even if it fails. 0, or a negative errno after a message on
 * stderr, with the feeds unchanged.
 */
int feeds_change(struct feeds *feeds, struct feed_settings **settings, size_t n, const struct feeds_flow *flow);
/* Starts the writers of the new feeds. 0 or a negative errno after a message on stderr. */
int feeds_start(struct feeds *feeds);
/* After a SIGHUP: started outputs reopen their files. */
void feeds_reopen(struct feeds *feeds);

/* Fetches the current audiences; the next three functions use them. */
void feeds_ask(struct feeds *feeds);
/* The union of what the feeds want, and what single users want besides; returns the number of users. */
struct lp_wants feeds_wants(const struct feeds *feeds);
#define FEEDS_UIDS_MAX (FEEDS_MAX * AUDIENCE_MAX)
size_t feeds_uid_wants(const struct feeds *feeds, struct uid_wants uids[FEEDS_UIDS_MAX]);
/* The kernel now delivers all that was wanted; new subscribers get this time as their beginning. */
void feeds_confirm(struct feeds *feeds, __u64 wall_ns);
/* Whether any feed wants it; the owner need not be known yet. If so, pass the record to feeds_put(), else to
 * feeds_filter_out(), exactly once. */
bool feeds_accept(const struct feeds *feeds, const struct event *event);
void feeds_filter_out(struct feeds *feeds, __u64 records);
void feeds_put(struct feeds *feeds, const struct event *event, __u64 now_ns);
/* An events_lost, which no ledger counts, goes to all feeds. */
void feeds_gap(struct feeds *feeds, const struct event *gap);
/* Wakes the outputs' writers; events that were put may wait until then. */
void feeds_wake(struct feeds *feeds);

/* now_ns: CLOCK_MONOTONIC. */
void feeds_tick(struct feeds *feeds, __u64 now_ns);
__u64 feeds_deadline(const struct feeds *feeds); /* CLOCK_MONOTONIC; 0: nothing is due */
/* At the end: puts out all gathered events. */
void feeds_finish(struct feeds *feeds);
/* Then: lets the outputs write their queues, as long as each makes progress within FEED_FLUSH_MS. */
void feeds_flush(struct feeds *feeds);

/* In the order of their settings. */
size_t feeds_count(const struct feeds *feeds);
const char *feeds_title(const struct feeds *feeds, size_t i);
struct ledger feeds_ledger(const struct feeds *feeds, size_t i, const struct feeds_flow *flow);

#endif
