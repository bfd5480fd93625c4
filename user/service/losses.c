/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/losses.h"

#include "base/clock.h"
#include "early/early.h"
#include "kernel/kernel.h"
#include "outputs/feed.h"
#include "service/pipeline.h"

#define MISSED_INTERVAL_NS 1000000000ULL

/* now: how many were lost at this place so far. */
static void report(struct feeds *feeds, enum lp_cause place, __u64 *reported, __u64 now, __u64 since_ns)
{
	struct event event;
	struct loss loss = {
		.count = now - *reported,
		.first_ns = clock_wall_from_monotonic(since_ns ? since_ns : clock_monotonic_ns()),
		.last_ns = clock_realtime_ns(),
	};

	if (now <= *reported)
		return;
	*reported = now;
	event_from_loss(&event, place, loss);
	feeds_gap(feeds, &event);
}

void losses_tell(struct losses *l, struct kernel *kernel, const struct pipeline *pipeline, struct feeds *feeds,
		 __u64 since_ns)
{
	__u64 stats[LP_STAT_COUNT], missed, unseen, unseen_since_ns, now_ns = clock_monotonic_ns();

	kernel_stats(kernel, stats);
	report(feeds, EVENTS_LOST_RING_FULL, &l->ring_full,
	       pipeline_flow(pipeline).ring_full + stats[LP_STAT_JOIN_LOST], since_ns);
	report(feeds, EVENTS_LOST_STATE_FULL, &l->state_full,
	       stats[LP_STAT_STATE_FULL] + early_lost(pipeline_early(pipeline)), since_ns);
	if (l->missed_checked_ns && now_ns - l->missed_checked_ns < MISSED_INTERVAL_NS)
		return;
	l->missed_checked_ns = now_ns;
	missed = kernel_missed(kernel);
	if (missed)
		kernel_take_missed(kernel);
	unseen = kernel_unseen(kernel, &unseen_since_ns) + l->left_unseen;
	unseen_since_ns = clock_earlier(unseen_since_ns, l->left_unseen_since_ns);
	report(feeds, EVENTS_LOST_PROGRAM_MISSED, &l->program_missed, missed + unseen,
	       clock_earlier(unseen_since_ns, since_ns));
}
