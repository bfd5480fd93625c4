/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks with BPF iterators (bpf/check.bpf.c): at every connection, and at every descriptor of one. */
#ifndef LOSTPEER_SNAPSHOT_BPF_H
#define LOSTPEER_SNAPSHOT_BPF_H

#include "check/snapshot.h"

struct snapshot_bpf;

/* 0 or a negative errno. Then *why is a static text that says what this kernel or user lacks, or NULL after a message
 * on stderr. */
int snapshot_bpf_open(struct snapshot_bpf **source, const char **why);
void snapshot_bpf_close(struct snapshot_bpf *source);

/* netns: limits sockets without a descriptor to this namespace; 0: all. held_only: leaves those sockets out.
 * 0, or a negative errno after a message on stderr. */
int snapshot_bpf_take(struct snapshot_bpf *source, struct snapshot *snapshot, __u32 netns, bool held_only,
		      struct unseen *unseen);

#endif
