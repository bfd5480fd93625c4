/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/early.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "early/ignored_closes.h"
#include "kernel/sockets.h"
#include "early/accept_queues.h"
#include "early/silent_peers.h"

static const struct option_spec keys[] = {
	{"silent-after", "DURATION",
	 "say peer_silent once data has waited so long for an acknowledgement; 0: never (5s)", option_pause,
	 OPTION_AT(struct early_options, silent_after_ns)},
	{"ignored-after", "DURATION", "say close_ignored so long after the peer's close; 0: never (60s)", option_pause,
	 OPTION_AT(struct early_options, ignored_after_ns)},
};
const struct option_group early_keys = OPTION_GROUP(keys);

/* A part is NULL until its class is wanted. */
struct early {
	struct kernel *kernel;
	struct early_options options;
	const struct early_calls *calls;
	struct silent_peers *silent;
	struct ignored_closes *ignored;
	struct accept_queues *queues;
	__u32 seeding; /* classes */
};

__u32 early_classes(__u32 classes, const struct early_options *options)
{
	if (!options->silent_after_ns)
		classes &= ~(__u32)LP_CLASS_SILENT;
	if (!options->ignored_after_ns)
		classes &= ~(__u32)LP_CLASS_IGNORED;
	return classes;
}

/* For sockets that existed before the hooks. ignored_closes.h begins with a look of its own. */
static void seed(void *context, const struct lp_record *look)
{
	struct early *w = context;

	if (w->seeding & LP_CLASS_SILENT)
		silent_peers_seed(w->silent, look);
	if (w->seeding & LP_CLASS_QUEUES)
		accept_queues_seed(w->queues, look);
}

/* The classes that have their part. */
static __u32 have(const struct early *w)
{
	return (w->silent ? LP_CLASS_SILENT : 0u) | (w->ignored ? LP_CLASS_IGNORED : 0u) |
	       (w->queues ? LP_CLASS_QUEUES : 0u);
}

int early_want(struct early *w, __u32 classes)
{
	__u32 all = LP_CLASS_SILENT | LP_CLASS_IGNORED | LP_CLASS_QUEUES;
	__u32 more = early_classes(classes, &w->options) & all & ~have(w);

	if (more & LP_CLASS_SILENT)
		w->silent = silent_peers_new(w->kernel, w->options.silent_after_ns, w->calls);
	if (more & LP_CLASS_IGNORED)
		w->ignored = ignored_closes_new(w->kernel, w->options.ignored_after_ns, w->calls);
	if (more & LP_CLASS_QUEUES)
		w->queues = accept_queues_new(w->kernel, w->calls);
	if (more & ~have(w))
		return -ENOMEM;
	w->seeding = more;
	if (more & (LP_CLASS_SILENT | LP_CLASS_QUEUES))
		sockets_look_at_all(w->kernel, SOCKETS_EVERY_STATE, seed, w);
	return 0;
}

struct early *early_new(struct kernel *kernel, const struct early_options *options, const struct early_calls *calls)
{
	struct early *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->kernel = kernel;
	w->options = *options;
	w->calls = calls;
	return w;
}

void early_free(struct early *w)
{
	if (!w)
		return;
	silent_peers_free(w->silent);
	ignored_closes_free(w->ignored);
	accept_queues_free(w->queues);
	free(w);
}

void early_note(struct early *w, struct event *event)
{
	if (w->silent)
		silent_peers_note(w->silent, event);
}

void early_tick(struct early *w, __u64 now_ns)
{
	if (w->silent)
		silent_peers_tick(w->silent, now_ns);
	if (w->ignored)
		ignored_closes_tick(w->ignored, now_ns);
	if (w->queues)
		accept_queues_tick(w->queues, now_ns);
}

__u64 early_deadline(const struct early *w)
{
	__u64 at = w->silent ? silent_peers_deadline(w->silent) : 0;

	at = clock_earlier(at, w->ignored ? ignored_closes_deadline(w->ignored) : 0);
	return clock_earlier(at, w->queues ? accept_queues_deadline(w->queues) : 0);
}

__u64 early_lost(const struct early *w)
{
	return w->ignored ? ignored_closes_lost(w->ignored) : 0;
}

void early_count(const struct early *w, long long *silent, long long *ignored)
{
	*silent = w->silent ? (long long)silent_peers_count(w->silent) : -1;
	*ignored = w->ignored ? (long long)ignored_closes_count(w->ignored) : -1;
}
