/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Caches texts about things that may change: a process (pid and start) or a cgroup (id, and 0). A text read after an
 * event is valid for that event, so the many events of one moment share one read.
 */
#ifndef LOSTPEER_TEXT_CACHE_H
#define LOSTPEER_TEXT_CACHE_H

#include "record.h"

/* Indexed by id; a new text replaces the old one in its slot. */
#define TEXT_CACHE_SLOTS 256

/* Empty if zeroed. */
struct text_cache {
	struct {
		__u64 id, start_boot_ns;
		__u64 read_ns; /* CLOCK_MONOTONIC */
		char *text;    /* NULL: none */
	} slots[TEXT_CACHE_SLOTS];
};

void text_cache_clear(struct text_cache *seen);
/* The text, if it was read at since_ns or later, else NULL. Valid until the next text_cache_remember(). */
const char *text_cache_recall(const struct text_cache *seen, __u64 id, __u64 start_boot_ns, __u64 since_ns);
/* read_ns: a time before the read. Returns the stored copy; NULL when out of memory. */
const char *text_cache_remember(struct text_cache *seen, __u64 id, __u64 start_boot_ns, __u64 read_ns,
				const char *text);

#endif
