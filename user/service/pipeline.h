/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of an event: a record comes from the ring, or the agent finds something by looking (early.h); one struct
 * event is made of it, judged once, waits for its owner (pending.h) and then for its other end (other_end.h), and goes
 * to the feeds.
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

/* The pipeline uses these, but does not own them. */
struct pipeline_parts {
	struct kernel *kernel;
	struct cgroups *cgroups;
	struct feeds *feeds;
	struct early_options early;
	bool follow; /* only events of processes that remembered_follows() */
};

/* Before open_files_seed(), because forks count from here on. NULL when out of memory. */
struct pipeline *pipeline_new(const struct pipeline_parts *parts);
void pipeline_free(struct pipeline *pipeline);

/* Asks the BPF programs for the classes (enum lp_class) that the feeds want now. 0 or -ENOMEM. */
int pipeline_want(struct pipeline *pipeline, __u32 *classes);
/* A record from the ring. */
void pipeline_take(struct pipeline *pipeline, const struct lp_record *record);
/* From now on every event is filtered out. */
void pipeline_mute(struct pipeline *pipeline);

/* Does what is due. now_ns: CLOCK_MONOTONIC, not after the end of the last drain: records that came later are still in
 * the ring. */
void pipeline_tick(struct pipeline *pipeline, __u64 now_ns);
__u64 pipeline_deadline(const struct pipeline *pipeline); /* CLOCK_MONOTONIC; 0: nothing is due */
/* Reports every event that waits. */
void pipeline_finish(struct pipeline *pipeline);

/* How many events there were, and how many of them were lost before the feeds: in a full ring, or out of memory. */
struct feeds_flow pipeline_flow(const struct pipeline *pipeline);
const struct early *pipeline_early(const struct pipeline *pipeline);

#endif
