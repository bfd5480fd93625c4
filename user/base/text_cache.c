/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/text_cache.h"

#include <stdlib.h>
#include <string.h>

void text_cache_clear(struct text_cache *s)
{
	for (size_t i = 0; i < TEXT_CACHE_SLOTS; i++)
		free(s->slots[i].text);
	memset(s, 0, sizeof(*s));
}

const char *text_cache_recall(const struct text_cache *s, __u64 id, __u64 start_boot_ns, __u64 since_ns)
{
	const __typeof__(*s->slots) *slot = &s->slots[id % TEXT_CACHE_SLOTS];

	return slot->id == id && slot->start_boot_ns == start_boot_ns && slot->read_ns >= since_ns ? slot->text : NULL;
}

const char *text_cache_remember(struct text_cache *s, __u64 id, __u64 start_boot_ns, __u64 read_ns, const char *text)
{
	__typeof__(*s->slots) *slot = &s->slots[id % TEXT_CACHE_SLOTS];

	free(slot->text);
	slot->id = id;
	slot->start_boot_ns = start_boot_ns;
	slot->read_ns = read_ns;
	slot->text = strdup(text);
	return slot->text;
}
