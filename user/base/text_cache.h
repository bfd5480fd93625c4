/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Texts that were read of things that may change: of a process (its pid and start) or a cgroup (its id, and 0). What was
 * read after an event holds for it, so the many events of one moment share it.
 */
#ifndef LOSTPEER_TEXT_CACHE_H
#define LOSTPEER_TEXT_CACHE_H

#include "record.h"

/* By id; whatever was in a slot gives way. */
#define TEXT_CACHE_SLOTS 256

/* Zeroed, it holds nothing. */
struct text_cache {
	struct {
		__u64 id, start_boot_ns;
		__u64 read_ns; /* CLOCK_MONOTONIC */
		char *text;    /* NULL: none */
	} slots[TEXT_CACHE_SLOTS];
};

void text_cache_clear(struct text_cache *seen);
/* What was read at since_ns or later; NULL: nothing. Valid until something is remembered. */
const char *text_cache_recall(const struct text_cache *seen, __u64 id, __u64 start_boot_ns, __u64 since_ns);
/* read_ns: before it was read. The text as it is kept; NULL when out of memory. */
const char *text_cache_remember(struct text_cache *seen, __u64 id, __u64 start_boot_ns, __u64 read_ns,
				const char *text);

#endif
