/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/table.h"

#include <stddef.h>

/* The multiplication spreads keys that differ in a few bits only, such as addresses. */
static unsigned bucket_of(__u64 key)
{
	return (unsigned)(key * 0x9e3779b97f4a7c15ULL >> 52);
}
_Static_assert(TABLE_BUCKETS == 1 << (64 - 52), "a bucket for each hash");

void table_add(struct table *t, void *item, __u64 key)
{
	struct table_link *link = item, **bucket = &t->buckets[bucket_of(key)];

	link->key = key;
	link->next = *bucket;
	*bucket = link;
}

void table_remove(struct table *t, void *item)
{
	struct table_link *link = item, **at = &t->buckets[bucket_of(link->key)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
}

static void *first_of(struct table_link *link, __u64 key)
{
	while (link && link->key != key)
		link = link->next;
	return link;
}

void *table_find(const struct table *t, __u64 key)
{
	return first_of(t->buckets[bucket_of(key)], key);
}

void *table_next(const void *item)
{
	const struct table_link *link = item;

	return first_of(link->next, link->key);
}
