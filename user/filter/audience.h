/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who reads an output whose readers come and go, as far as it decides what the kernel is asked for: what root wants,
 * and what every other user does. */
#ifndef LOSTPEER_AUDIENCE_H
#define LOSTPEER_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"
#include "filter/filter.h"
#include "kernel/wants.h"

#define AUDIENCE_MAX 256 /* readers */

struct audience {
	__u64 generation; /* a later one is another one */
	unsigned roots;
	struct lp_wants of_root;
	size_t n;
	struct uid_wants uids[AUDIENCE_MAX]; /* of each user once */
};

void audience_clear(struct audience *audience);
/* A reader more: whose, and what he wants. */
void audience_add(struct audience *audience, __u32 uid, const struct filter *filter);
/* Whether anybody may want it, by what is known before its owner is. */
bool audience_wants(const struct audience *audience, const struct event *event);

#endif
