/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A look by the kernel's own walks (bpf/check.bpf.c): every descriptor of the host at once, and what has none. */
#ifndef LOSTPEER_SNAPSHOT_BPF_H
#define LOSTPEER_SNAPSHOT_BPF_H

#include "check/snapshot.h"

struct snapshot_bpf;

/* 0; or a negative errno, and *why is what this kernel or this user lacks, in words of static memory; NULL: it has been
 * said on stderr. */
int snapshot_bpf_open(struct snapshot_bpf **source, const char **why);
void snapshot_bpf_close(struct snapshot_bpf *source);

/* netns: of sockets without a descriptor only this one's, 0: all. held_only: none of those.
 * 0, or a negative errno after a message on stderr. */
int snapshot_bpf_look(struct snapshot_bpf *source, struct snapshot *snapshot, __u32 netns, bool held_only,
		      struct unseen *unseen);

#endif
