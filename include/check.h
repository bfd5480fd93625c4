/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The programs of bpf/check.bpf.c write these to their iterators' files. */
#ifndef LOSTPEER_CHECK_H
#define LOSTPEER_CHECK_H

#include "record.h"

/* One descriptor of a TCP socket, or a socket by itself: then task.tgid is 0. */
struct lp_held {
	struct lp_socket socket;
	struct lp_task task;
	__u32 fd;
	__u32 pad;
};

/* A task and its network namespace. */
struct lp_dweller {
	__u32 tid;
	__u32 netns;
};

LP_ASSERT(sizeof(struct lp_held) == 64 + sizeof(struct lp_socket), "lp_held has no padding");

#endif
