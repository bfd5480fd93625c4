/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is wanted of the programs, as their maps have it: of everybody, and of the sockets of some users
 * beside that. */
#ifndef LOSTPEER_WANTS_H
#define LOSTPEER_WANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

struct lostpeer;

/* What is wanted of the sockets of one user alone. */
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

/* From now on, once it returns. all.of_uids is not read. Users whom the map has no room for have what they
 * want taken of everybody. */
void wants_set(struct wants *wants, struct lostpeer *skeleton, struct lp_wants all, const struct uid_wants *uids,
	       size_t n);

#endif
