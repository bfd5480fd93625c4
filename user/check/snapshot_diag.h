/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks without BPF, by sock_diag(7) and /proc, at what this user may see. */
#ifndef LOSTPEER_SNAPSHOT_DIAG_H
#define LOSTPEER_SNAPSHOT_DIAG_H

#include "check/snapshot.h"

struct snapshot_diag_scope {
	__u32 netns;       /* only this namespace, 0: all that can be entered */
	const __u64 *pids; /* only these processes' descriptors; n_pids 0: everybody's */
	size_t n_pids;
	long long fd; /* only this one; negative: all */
};

/* 0, or a negative errno after a message on stderr. */
int snapshot_diag_take(struct snapshot *snapshot, const struct snapshot_diag_scope *scope, struct unseen *unseen);

#endif
