/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side, as the agent sees it: load the BPF object with the programs that this kernel can run, attach,
 * read the ring, set what is wanted. Nothing is pinned: when the process ends, however it
 * ends, the kernel drops it all.
 */
#ifndef LOSTPEER_KERNEL_H
#define LOSTPEER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/probe.h"
#include "record.h"
#include "kernel/wants.h"

struct kernel;

struct kernel_options {
	size_t ring_bytes; /* a power of two and a multiple of the page size; 0: as built */
	bool connect_hook;
	bool accept_hook;
	__u32 follow_parent;    /* follow the descendants of what this process forks; 0: nobody */
	__u32 cgroup_hierarchy; /* the one that tells where a process is: 0 is cgroup v2 */
};

/* 0, or a negative errno after one message on stderr that says what is missing and what to do. */
int kernel_open(struct kernel **kernel, const struct kernel_options *options);
void kernel_close(struct kernel *kernel);
/* Stops the hooks; what is in the ring can still be read. */
void kernel_detach(struct kernel *kernel);

const struct kernel_features *kernel_features(const struct kernel *kernel);

/* What is wanted from now on, once it returns: of all, and of users beside that. What is orderly takes the missed, too.
 * wants.of_uids is not read. */
void kernel_want(struct kernel *kernel, struct lp_wants wants, const struct uid_wants *uids, size_t n);

/* The BPF object itself, for the files of this folder. */
struct lostpeer *kernel_skeleton(const struct kernel *kernel);

/* For epoll with EPOLLET: readable when the kernel asks for attention. */
int kernel_ring_fd(const struct kernel *kernel);
/* Hands the records in the ring to `take`, up to the first that is younger than until_ns (CLOCK_MONOTONIC). */
void kernel_consume(struct kernel *kernel, __u64 until_ns);
/* Whether the kernel shall ask for attention: else the ring is looked at soon anyway. */
void kernel_wake_me(struct kernel *kernel, bool wake);
typedef void kernel_take(void *context, const struct lp_record *record);
void kernel_on_record(struct kernel *kernel, kernel_take *take, void *context);

/* Sums over all CPUs, by enum lp_stat. */
void kernel_stats(const struct kernel *kernel, __u64 stats[LP_STAT_COUNT]);
void kernel_ring_use(const struct kernel *kernel, __u64 *bytes, __u64 *used);
/* How often our programs have run, and for how long: 0 unless kernel.bpf_stats_enabled is 1. */
void kernel_cost(const struct kernel *kernel, __u64 *runs, __u64 *ns);
/* Attaches what takes the transitions that are missed while a program is under way (bpf/reentry.h), if this kernel
 * misses any and it is not attached yet. */
void kernel_take_missed(struct kernel *kernel);
/* Times that the kernel skipped one of our programs because it was running already on that CPU (from 5.12), and
 * no other of ours took its place. */
__u64 kernel_missed(const struct kernel *kernel);

/* The kernel's name for lp_record.reset_reason, without its prefix; NULL if it has none. */
const char *kernel_reset_reason(const struct kernel *kernel, __u32 reason);

#endif
