/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads and attaches the BPF programs that this kernel can run. */
#ifndef LOSTPEER_LOAD_H
#define LOSTPEER_LOAD_H

struct kernel_features;
struct kernel_options;
struct lostpeer;

/* 0, or a negative errno after one message that says what is missing and what to do. If the kernel refuses a program
 * that the agent can do without, a message says what gets worse, and *features lacks it. The caller destroys *skeleton,
 * after a failure too. */
int load_programs(struct lostpeer **skeleton, struct kernel_features *features, const struct kernel_options *options);

#endif
