/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF programs, a row each in hooks.c: where one is loaded, when it is attached, whether what it misses is a lost
 * event, and what to do where the kernel refuses it.
 */
#ifndef LOSTPEER_HOOKS_H
#define LOSTPEER_HOOKS_H

#include <asm/types.h>
#include <stdbool.h>

struct kernel_features;
struct kernel_options;
struct lostpeer;

/* Before the object is loaded. */
void hooks_choose(struct lostpeer *skeleton, const struct kernel_features *features,
		  const struct kernel_options *options);

/* Attaches those that wait until one of these classes (enum lp_class) is wanted, and are not attached yet. */
void hooks_attach(struct lostpeer *skeleton, __u32 classes);

/* The kernel refuses this program with this error. Whether to try without: says so, and *features lack what it is for. */
bool hooks_do_without(const char *program, struct kernel_features *features, int err);

struct hooks_usage {
	__u64 runs, ns; /* of all; 0 unless kernel.bpf_stats_enabled is 1 */
	__u64 missed;   /* events: times that the kernel skipped one that was running already on that CPU (from 5.12) */
};
struct hooks_usage hooks_usage(const struct lostpeer *skeleton);

#endif
