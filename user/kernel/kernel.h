/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF object, as the agent sees it: load and attach what this kernel can run, read the ring, ask for events. Nothing
 * is pinned: the kernel frees all of it when the process ends, however it ends.
 */
#ifndef LOSTPEER_KERNEL_H
#define LOSTPEER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/options.h"
#include "kernel/probe.h"
#include "record.h"
#include "kernel/wants.h"

struct kernel;

struct kernel_options {
	size_t ring_bytes; /* a power of two and a multiple of the page size; 0: as built */
	bool connect_hook;
	bool accept_hook;
	__u32 follow_parent;    /* follow the descendants of what this process forks; 0: of none */
	__u32 cgroup_hierarchy; /* the one that process.linux.cgroup is taken from; 0: cgroup v2 */
};

/* Options of `watch` and keys of [agent] in the configuration. */
extern const struct option_group kernel_keys;

/* 0, or a negative errno after one message on stderr that says what is missing and what to do. */
int kernel_open(struct kernel **kernel, const struct kernel_options *options);
void kernel_close(struct kernel *kernel);
/* Stops the hooks; the records in the ring can still be read. */
void kernel_detach(struct kernel *kernel);

const struct kernel_features *kernel_features(const struct kernel *kernel);

/* Asks for these events from now on: of everybody, and of some users beside that. wants.of_uids is not read. Orderly ends
 * need kernel_take_missed(), which this calls. */
void kernel_want(struct kernel *kernel, struct lp_wants wants, const struct uid_wants *uids, size_t n);

/* The BPF object itself, for the files of this folder. */
struct lostpeer *kernel_skeleton(const struct kernel *kernel);

/* For epoll with EPOLLET: readable when the kernel wakes the agent. */
int kernel_ring_fd(const struct kernel *kernel);
/* Hands the records in the ring to `take`, up to the first that is younger than until_ns (CLOCK_MONOTONIC). */
void kernel_consume(struct kernel *kernel, __u64 until_ns);
/* The rest of them, after kernel_detach(). */
void kernel_drain(struct kernel *kernel);
/* Whether the kernel wakes the agent for a record; false while the agent reads the ring soon anyway. */
void kernel_wake_me(struct kernel *kernel, bool wake);
typedef void kernel_take(void *context, const struct lp_record *record);
void kernel_on_record(struct kernel *kernel, kernel_take *take, void *context);

/* Sums over all CPUs, by enum lp_stat. */
void kernel_stats(const struct kernel *kernel, __u64 stats[LP_STAT_COUNT]);
void kernel_ring_use(const struct kernel *kernel, __u64 *bytes, __u64 *used);
/* How often our programs have run, and for how long: 0 unless sysctl kernel.bpf_stats_enabled is 1. */
void kernel_cost(const struct kernel *kernel, __u64 *runs, __u64 *ns);
/* Attaches the copies that take the transitions which set_state misses while it runs (bpf/reentry.h), if this kernel
 * misses any and they are not attached yet. */
void kernel_take_missed(struct kernel *kernel);
/* Events lost because the kernel skipped one of our programs, which was running on that CPU already (from 5.12), and no
 * copy took its place. */
__u64 kernel_missed(const struct kernel *kernel);
/* Ends for which the kernel ran no program and counted none as skipped, found when the socket was destroyed or its
 * address used again. *since_ns: CLOCK_MONOTONIC, when the oldest began of those found since the last call;
 * 0: none. */
__u64 kernel_unseen(struct kernel *kernel, __u64 *since_ns);

/* The kernel's name for lp_record.reset_reason, without its prefix; NULL if it has none. */
const char *kernel_reset_reason(const struct kernel *kernel, __u32 reason);

#endif
