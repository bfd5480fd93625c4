/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF programs, one row each in hooks.c: which kernels load it, when it is attached, whether a run that the kernel
 * skips loses an event, and what to do if the kernel refuses it.
 */
#ifndef LOSTPEER_HOOKS_H
#define LOSTPEER_HOOKS_H

#include <asm/types.h>
#include <stdbool.h>

struct kernel_features;
struct kernel_options;
struct lostpeer;

/* Which programs to load and attach; before the object is loaded. */
void hooks_choose(struct lostpeer *skeleton, const struct kernel_features *features,
		  const struct kernel_options *options);

/* Attaches the programs that are needed only for these classes (enum lp_class), unless they are attached already. */
void hooks_attach(struct lostpeer *skeleton, __u32 classes);

/* The kernel refused this program with this error. true: the agent can do without; prints what gets worse, and clears
 * the feature. */
bool hooks_do_without(const char *program, struct kernel_features *features, int err);

struct hooks_usage {
	__u64 runs, ns; /* 0 unless sysctl kernel.bpf_stats_enabled is 1 */
	__u64 missed;   /* events: runs that the kernel skipped because the program was running on that CPU (5.12) */
};
struct hooks_usage hooks_usage(const struct lostpeer *skeleton);

#endif
