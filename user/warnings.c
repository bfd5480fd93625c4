/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "warnings.h"

#include <stdlib.h>

#include "ignored.h"
#include "glance.h"
#include "queues.h"
#include "silent.h"

#define EVERY_STATE 0xffffffffu

/* Each NULL if it is not wanted. */
struct warnings {
	struct silent *silent;
	struct ignored *ignored;
	struct queues *queues;
};

__u32 warnings_classes(__u32 classes, const struct warnings_options *options)
{
	if (!options->silent_after_ns)
		classes &= ~(__u32)LP_CLASS_SILENT;
	if (!options->ignored_after_ns)
		classes &= ~(__u32)LP_CLASS_IGNORED;
	return classes;
}

/* What came before the hooks; ignored.h begins with a look of its own. */
static void seed(void *context, const struct lp_glance *look)
{
	struct warnings *w = context;

	if (w->silent)
		silent_seed(w->silent, look);
	if (w->queues)
		queues_seed(w->queues, look);
}

struct warnings *warnings_new(struct kernel *kernel, __u32 classes, const struct warnings_options *options,
			      const struct warnings_calls *calls)
{
	struct warnings *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	classes = warnings_classes(classes, options);
	if (classes & LP_CLASS_SILENT)
		w->silent = silent_new(kernel, options->silent_after_ns, calls->found, calls->context);
	if (classes & LP_CLASS_IGNORED)
		w->ignored = ignored_new(kernel, options->ignored_after_ns, calls->ask, calls->tell, calls->context);
	if (classes & LP_CLASS_QUEUES)
		w->queues = queues_new(kernel, calls->found, calls->context);
	if ((classes & LP_CLASS_SILENT && !w->silent) || (classes & LP_CLASS_IGNORED && !w->ignored) ||
	    (classes & LP_CLASS_QUEUES && !w->queues)) {
		warnings_free(w);
		return NULL;
	}
	if (w->silent || w->queues)
		glance_at_all(kernel, EVERY_STATE, seed, w);
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
