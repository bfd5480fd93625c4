/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of an event: from the ring, or from where it was looked for (early.h), through what waits for its owner
 * (pending.h) and for its other end (other_end.h) to the feeds.
 */
#ifndef LOSTPEER_PIPELINE_H
#define LOSTPEER_PIPELINE_H

#include <stdbool.h>

#include "early/early.h"
#include "record.h"

struct cgroups;
struct feeds;
struct feeds_flow;
struct kernel;
struct pipeline;

/* What it works with, and does not own. */
struct pipeline_parts {
	struct kernel *kernel;
	struct cgroups *cgroups;
	struct feeds *feeds;
	struct early_options early;
	bool follow; /* only what remembered_follows() */
};

/* From here on it knows who forked: before what exists is seeded. NULL when out of memory. */
struct pipeline *pipeline_new(const struct pipeline_parts *parts);
void pipeline_free(struct pipeline *pipeline);

/* Asks the kernel for what the feeds want by now, enum lp_class. Once at least before pipeline_tick(). 0 or -ENOMEM. */
int pipeline_want(struct pipeline *pipeline, __u32 *classes);
/* A record from the ring. */
void pipeline_take(struct pipeline *pipeline, const struct lp_record *record);
/* Nothing more is shown. */
void pipeline_mute(struct pipeline *pipeline);

/* Does what is due. now_ns: CLOCK_MONOTONIC; what came later has not come yet. */
void pipeline_tick(struct pipeline *pipeline, __u64 now_ns);
__u64 pipeline_deadline(const struct pipeline *pipeline); /* CLOCK_MONOTONIC; 0: nothing is due */
/* Tells everything that waits. */
void pipeline_finish(struct pipeline *pipeline);

/* What came, and what was lost before the feeds: in a full ring, or out of memory. */
struct feeds_flow pipeline_flow(const struct pipeline *pipeline);
const struct early *pipeline_early(const struct pipeline *pipeline);

#endif
