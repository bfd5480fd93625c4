/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The connection of a record, and how its other end knows it. Pure functions. */
#ifndef LOSTPEER_CONNECTION_H
#define LOSTPEER_CONNECTION_H

#include <stdbool.h>

#include "record.h"

/* False: it was never established, so it has no other end; or another socket took its place; or the record does not
 * say. */
bool connection_has_other(const struct lp_record *record);

__u64 connection_initial(const struct lp_record *record); /* lp_initial() */

/* What the other end has as its lp_initial(). There are two possibilities if it is not known which end connected. */
struct connection_others {
	unsigned n;
	__u64 initial[2];
};
struct connection_others connection_others(const struct lp_record *record);

/* It never leaves its network namespace: 127.0.0.0/8, ::1, or both ends have the same address. */
bool connection_is_loopback(const struct lp_record *record);

#endif
