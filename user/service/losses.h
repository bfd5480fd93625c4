/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was lost before the feeds: said to all of them, once. */
#ifndef LOSTPEER_LOSSES_H
#define LOSTPEER_LOSSES_H

#include <asm/types.h>

struct feeds;
struct kernel;
struct pipeline;

/* So many at each place, as far as they were told. Zeroed: none. */
struct losses {
	__u64 ring_full, state_full, program_missed;
	__u64 missed_checked_ns; /* CLOCK_MONOTONIC; 0: the next time it is done again */
};

/* Tells what came since. since_ns: CLOCK_MONOTONIC, when that was done last; 0: never. */
void losses_tell(struct losses *losses, struct kernel *kernel, const struct pipeline *pipeline, struct feeds *feeds,
		 __u64 since_ns);

#endif
