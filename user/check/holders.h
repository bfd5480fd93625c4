/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds the owner of a connection for `lostpeer check`, and whether the filter wants it. */
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
	bool by_descriptor; /* only this process's descriptor */
	__u32 pid, fd;
};

/* Completes *check for socket i of the snapshot: owner, place and descriptor. false: the filter does not want it. */
bool holders_find(struct holders *holders, const struct snapshot *snapshot, size_t i,
		  const struct holders_wanted *wanted, struct check *check);

#endif
