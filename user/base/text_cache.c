/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/text_cache.h"

#include <stdlib.h>
#include <string.h>

void seen_clear(struct seen *s)
{
	for (size_t i = 0; i < SEEN_SLOTS; i++)
		free(s->slots[i].text);
	memset(s, 0, sizeof(*s));
}

const char *seen_recall(const struct seen *s, __u64 id, __u64 start_boot_ns, __u64 since_ns)
{
	const __typeof__(*s->slots) *slot = &s->slots[id % SEEN_SLOTS];

	return slot->id == id && slot->start_boot_ns == start_boot_ns && slot->read_ns >= since_ns ? slot->text : NULL;
}

const char *seen_remember(struct seen *s, __u64 id, __u64 start_boot_ns, __u64 read_ns, const char *text)
{
	__typeof__(*s->slots) *slot = &s->slots[id % SEEN_SLOTS];

	free(slot->text);
	slot->id = id;
	slot->start_boot_ns = start_boot_ns;
	slot->read_ns = read_ns;
	slot->text = strdup(text);
	return slot->text;
}
