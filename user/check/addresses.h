/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the local addresses of connections are still addresses of this host. Nothing arrives at one that is not, and
 * of IPv4 nothing leaves from it. */
#ifndef LOSTPEER_ADDRESSES_H
#define LOSTPEER_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct snapshot;

/* What is local in one network namespace: addresses of interfaces, and prefixes of its table of local routes. */
struct address_prefix {
	struct address address;
	unsigned bits; /* of 128; an IPv4 address has 96 more than it has itself */
};

bool addresses_have(const struct address_prefix *local, size_t n, struct address address);

/* Sets LP_F_ADDRESS_GONE of the snapshot's connections in every namespace that can be entered. 0 or a negative errno. */
int addresses_mark(struct snapshot *snapshot);

#endif
