/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A hash table of items that begin with a table_link. It owns nothing and never grows; a zeroed table is empty. Several
 * items may have the same key: the last one added is found first.
 */
#ifndef LOSTPEER_BASE_TABLE_H
#define LOSTPEER_BASE_TABLE_H

#include <asm/types.h>

#define TABLE_BUCKETS 4096

struct table_link {
	struct table_link *next;
	__u64 key;
};

struct table {
	struct table_link *buckets[TABLE_BUCKETS];
};

void table_add(struct table *table, void *item, __u64 key);
void table_remove(struct table *table, void *item);
/* The first item of this key, and the next one of the same key; NULL if there is none. */
void *table_find(const struct table *table, __u64 key);
void *table_next(const void *item);

#endif
