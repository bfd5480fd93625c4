/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fan-out: an event goes to every feed, and there through its filter and its grouping into the queue of its output.
 * Each counts for itself, so that one that is slow, full or broken costs no other anything. What all of them want
 * together is what the kernel is asked for.
 *
 * Feeds can be exchanged while events come. One that is no longer wanted is retired: it gets nothing more, and ends
 * once its output has written what waits, or has taken nothing for FEED_PATIENCE_NS; its ledger is said then.
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

/* How a feed is to be. filter_keys, feed_keys and the output's own keys set it. */
struct feed_settings {
	char title[FEED_TITLE_LEN];   /* of its section: "file audit" */
	const struct output_ops *ops; /* these two: feed_settings_output() */
	void *output;
	struct filter filter;
	__u64 group_ns; /* the window of group.h; 0: every event is shown */
	unsigned rate;  /* events a second of one owner; 0: no limit */
	bool colour;
	__u64 most_events; /* tell feeds_context.full after so many; 0: do not */
	char *source; /* all that was set, for comparing: of two with the same one need not be opened anew; may be NULL */
};

/* Keys of every output beside the filters. */
extern const struct option_group feed_keys;

/* NULL when out of memory. */
struct feed_settings *feed_settings_new(const char *title);
/* Settings of these operations, as yet unset. 0 or -ENOMEM. */
int feed_settings_output(struct feed_settings *settings, const struct output_ops *ops);
void feed_settings_free(struct feed_settings *settings);
/* Once everything is set: NULL, or what is wrong. */
const char *feed_settings_check(struct feed_settings *settings);

/* What all feeds share; must outlive them. */
struct feeds_context {
	struct format_context format;
	struct output_agent agent;
	int reader_gone_fd;        /* see output_options */
	void (*full)(void *agent); /* a feed has put out most_events */
};

/* What is counted before the feeds. */
struct feeds_flow {
	__u64 emitted;
	__u64 ring_full;
};

struct feeds;

/* NULL when out of memory. */
struct feeds *feeds_new(const struct feeds_context *context);
void feeds_free(struct feeds *feeds);

/*
 * From now on there are these: whose title and source are those of one that is there, is it; another is opened, and
 * what is no longer named is retired. Takes all settings, whatever comes of it. 0, or a negative errno after a message
 * on stderr, and then all is as before.
 */
int feeds_change(struct feeds *feeds, struct feed_settings **settings, size_t n, const struct feeds_flow *flow);
/* Starts the writers of those that are new. 0 or a negative errno after a message on stderr. */
int feeds_start(struct feeds *feeds);
/* After a SIGHUP: those that have been started open their files again. */
void feeds_reopen(struct feeds *feeds);

/* Asks those that have an audience who that is; what follows is said of it. */
void feeds_ask(struct feeds *feeds);
/* The union; and what single users want beside. How many these are. */
struct lp_wants feeds_wants(const struct feeds *feeds);
#define FEEDS_UIDS_MAX (FEEDS_MAX * AUDIENCE_MAX)
size_t feeds_uid_wants(const struct feeds *feeds, struct uid_wants uids[FEEDS_UIDS_MAX]);
/* That is what the kernel is asked for by now, the time of which is told to who asked. */
void feeds_confirm(struct feeds *feeds, __u64 wall_ns);
/* Whether any wants it, by what is known before its owner is. A record must then come to feeds_put(), else to
 * feeds_filter_out(), once. */
bool feeds_accept(const struct feeds *feeds, const struct event *event);
void feeds_filter_out(struct feeds *feeds, __u64 records);
void feeds_put(struct feeds *feeds, const struct event *event, __u64 now_ns);
/* An events_lost, which is counted in no ledger, goes to all. */
void feeds_gap(struct feeds *feeds, const struct event *gap);
/* What was put may wait in the outputs until then. */
void feeds_wake(struct feeds *feeds);

/* now_ns: CLOCK_MONOTONIC. */
void feeds_tick(struct feeds *feeds, __u64 now_ns);
__u64 feeds_deadline(const struct feeds *feeds); /* CLOCK_MONOTONIC; 0: nothing is due */
/* At the end: puts out all that is gathered. */
void feeds_finish(struct feeds *feeds);
/* Then: lets the outputs write what waits, as long as they take anything within FEED_FLUSH_MS. */
void feeds_flush(struct feeds *feeds);

/* In the order of their settings. */
size_t feeds_count(const struct feeds *feeds);
const char *feeds_title(const struct feeds *feeds, size_t i);
struct ledger feeds_ledger(const struct feeds *feeds, size_t i, const struct feeds_flow *flow);

#endif
