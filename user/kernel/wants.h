/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which events the programs are asked for: of everybody, and of the sockets of some users beside that. */
#ifndef LOSTPEER_WANTS_H
#define LOSTPEER_WANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

struct lostpeer;

/* Of the sockets of one user. */
struct uid_wants {
	__u32 uid;
	__u32 classes; /* enum lp_class */
};

/* Zeroed: nothing was asked for yet. */
struct wants {
	bool asked;
	__u32 classes;                       /* enum lp_class, of anybody's */
	struct uid_wants uids[LP_WANT_UIDS]; /* as the map has them */
	size_t n_uids;
};

/* In force when it returns. all.of_uids is not read. If the map is full, the classes of further users are requested for
 * all users; each output filters again. */
void wants_set(struct wants *wants, struct lostpeer *skeleton, struct lp_wants all, const struct uid_wants *uids,
	       size_t n);

#endif
