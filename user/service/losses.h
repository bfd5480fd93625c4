/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events that were lost before the feeds: every feed gets an events_lost, each loss once. */
#ifndef LOSTPEER_LOSSES_H
#define LOSTPEER_LOSSES_H

#include <asm/types.h>

struct feeds;
struct kernel;
struct pipeline;

/* How many of each place were reported. Zeroed at first. */
struct losses {
	__u64 ring_full, state_full, program_missed;
	__u64 left_unseen; /* at the end: what sockets_unseen() found, and since when */
	__u64 left_unseen_since_ns;
	__u64 missed_checked_ns; /* CLOCK_MONOTONIC; 0: check at the next call */
};

/* Reports the losses since the last call. since_ns: CLOCK_MONOTONIC, the end of the last drain; 0: none. */
void losses_tell(struct losses *losses, struct kernel *kernel, const struct pipeline *pipeline, struct feeds *feeds,
		 __u64 since_ns);

#endif
