/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the agent drains the ring. A wake-up costs the process that ends a connection 100 times what the record costs
 * (bpf/emit.h), so the BPF programs wake the agent only while it is idle. After a record the agent drains the ring
 * every millisecond, until a drain finds nothing.
 */
#ifndef LOSTPEER_SERVICE_WAKEUPS_H
#define LOSTPEER_SERVICE_WAKEUPS_H

#include <asm/types.h>
#include <stdbool.h>

struct kernel;

/* Times are CLOCK_MONOTONIC. */
struct wakeups {
	struct kernel *kernel;
	bool sweeps;         /* some of the wanted records do not wake the agent */
	bool came;           /* a record came in this drain */
	bool asleep;         /* a record wakes the agent */
	bool falls;          /* ... since this drain */
	__u64 next_drain_ns; /* the next drain, if nothing wakes the agent earlier; 0: none */
	__u64 drained_ns;    /* the end of the last drain */
};

/* From now on a record wakes the agent. */
void wakeups_start(struct wakeups *wakeups, struct kernel *kernel);

/* Before and after the ring is drained. woken: by the kernel, not by a timer. */
void wakeups_begin(struct wakeups *wakeups, bool woken);
void wakeups_end(struct wakeups *wakeups);
void wakeups_note_record(struct wakeups *wakeups);

/* Sets the timer of the next drain, for when nothing wakes the agent. deadline_ns: when other work is due; 0: never. */
void wakeups_arm(const struct wakeups *wakeups, int timer, __u64 deadline_ns);

#endif
