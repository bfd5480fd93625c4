/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "early/early.h"

#include <errno.h>
#include <stdlib.h>

#include "early/ignored_closes.h"
#include "kernel/sockets.h"
#include "early/accept_queues.h"
#include "early/silent_peers.h"

#define EVERY_STATE 0xffffffffu

/* Each NULL if it was never wanted. */
struct warnings {
	struct kernel *kernel;
	struct warnings_options options;
	struct warnings_calls calls;
	struct silent *silent;
	struct ignored *ignored;
	struct queues *queues;
	__u32 seeding; /* classes */
};

__u32 warnings_classes(__u32 classes, const struct warnings_options *options)
{
	if (!options->silent_after_ns)
		classes &= ~(__u32)LP_CLASS_SILENT;
	if (!options->ignored_after_ns)
		classes &= ~(__u32)LP_CLASS_IGNORED;
	return classes;
}

/* What came before the hooks; ignored_closes.h begins with a look of its own. */
static void seed(void *context, const struct lp_glance *look)
{
	struct warnings *w = context;

	if (w->seeding & LP_CLASS_SILENT)
		silent_seed(w->silent, look);
	if (w->seeding & LP_CLASS_QUEUES)
		queues_seed(w->queues, look);
}

/* Of these classes, those that are there. */
static __u32 have(const struct warnings *w)
{
	return (w->silent ? LP_CLASS_SILENT : 0u) | (w->ignored ? LP_CLASS_IGNORED : 0u) |
	       (w->queues ? LP_CLASS_QUEUES : 0u);
}

int warnings_want(struct warnings *w, __u32 classes)
{
	__u32 all = LP_CLASS_SILENT | LP_CLASS_IGNORED | LP_CLASS_QUEUES;
	__u32 more = warnings_classes(classes, &w->options) & all & ~have(w);

	if (more & LP_CLASS_SILENT)
		w->silent = silent_new(w->kernel, w->options.silent_after_ns, w->calls.found, w->calls.context);
	if (more & LP_CLASS_IGNORED)
		w->ignored = ignored_new(w->kernel, w->options.ignored_after_ns, w->calls.ask, w->calls.tell,
					 w->calls.context);
	if (more & LP_CLASS_QUEUES)
		w->queues = queues_new(w->kernel, w->calls.found, w->calls.context);
	if (more & ~have(w))
		return -ENOMEM;
	w->seeding = more;
	if (more & (LP_CLASS_SILENT | LP_CLASS_QUEUES))
		glance_at_all(w->kernel, EVERY_STATE, seed, w);
	return 0;
}

struct warnings *warnings_new(struct kernel *kernel, __u32 classes, const struct warnings_options *options,
			      const struct warnings_calls *calls)
{
	struct warnings *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->kernel = kernel;
	w->options = *options;
	w->calls = *calls;
	if (warnings_want(w, classes)) {
		warnings_free(w);
		return NULL;
	}
	return w;
}

void warnings_free(struct warnings *w)
{
	if (!w)
		return;
	silent_free(w->silent);
	ignored_free(w->ignored);
	queues_free(w->queues);
	free(w);
}

void warnings_note(struct warnings *w, const struct lp_record *record, const struct owner *owner)
{
	if (w->ignored)
		ignored_note(w->ignored, record, owner);
}

void warnings_tick(struct warnings *w, __u64 now_ns)
{
	if (w->silent)
		silent_tick(w->silent, now_ns);
	if (w->ignored)
		ignored_tick(w->ignored, now_ns);
	if (w->queues)
		queues_tick(w->queues, now_ns);
}

__u64 warnings_deadline(const struct warnings *w)
{
	__u64 deadlines[] = {
		w->silent ? silent_deadline(w->silent) : 0,
		w->ignored ? ignored_deadline(w->ignored) : 0,
		w->queues ? queues_deadline(w->queues) : 0,
	};
	__u64 earliest = 0;

	for (size_t i = 0; i < sizeof(deadlines) / sizeof(*deadlines); i++)
		if (deadlines[i] && (!earliest || deadlines[i] < earliest))
			earliest = deadlines[i];
	return earliest;
}

__u64 warnings_lost(const struct warnings *w)
{
	return w->ignored ? ignored_lost(w->ignored) : 0;
}

void warnings_count(const struct warnings *w, long long *silent, long long *ignored)
{
	*silent = w->silent ? (long long)silent_count(w->silent) : -1;
	*ignored = w->ignored ? (long long)ignored_count(w->ignored) : -1;
}
