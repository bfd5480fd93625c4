/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who holds a connection, of those that a look found: the owner of `lostpeer check`, and whether a filter wants it. */
#ifndef LOSTPEER_HOLDERS_H
#define LOSTPEER_HOLDERS_H

#include <stdbool.h>

#include "event/verdicts.h"
#include "filter/filter.h"
#include "check/snapshot.h"

struct holders;

/* NULL when out of memory. */
struct holders *holders_new(void);
void holders_free(struct holders *holders);

struct holders_wanted {
	const struct filter *filter;
	bool by_descriptor; /* only what this process has at this descriptor */
	__u32 pid, fd;
};

/* Fills owner, place and descriptor of check, which is filled but for those, of looks' number i. False: it is not wanted. */
bool holders_find(struct holders *holders, const struct snapshot *snapshot, size_t i,
		  const struct holders_wanted *wanted, struct check *check);

#endif
