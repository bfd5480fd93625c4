/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The readers of an output whose readers come and go, reduced to what the kernel needs to know: what root wants, and
 * what each other user wants. */
#ifndef LOSTPEER_AUDIENCE_H
#define LOSTPEER_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"
#include "filter/filter.h"
#include "kernel/wants.h"

#define AUDIENCE_MAX 256 /* readers */

struct audience {
	__u64 generation; /* grows with each change */
	unsigned roots;
	struct lp_wants of_root;
	size_t n;
	struct uid_wants uids[AUDIENCE_MAX]; /* each user once */
};

void audience_clear(struct audience *audience);
/* Adds a reader of this user. */
void audience_add(struct audience *audience, __u32 uid, const struct filter *filter);
/* Whether anybody may want it. The owner need not be known yet. */
bool audience_wants(const struct audience *audience, const struct event *event);

#endif
