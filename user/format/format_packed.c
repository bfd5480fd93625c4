/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format_packed.h"

#include <string.h>

/* The strings of an event, in its order; what is before, between and after them is copied as it is. */
struct text {
	size_t at, size;
};
#define TEXT(member)                                                                                                   \
	{                                                                                                              \
		offsetof(struct event, member), sizeof(((struct event *)0)->member)                                    \
	}
static const struct text texts[] = {
	TEXT(executable),        TEXT(cgroup),      TEXT(place.unit),
	TEXT(place.system_unit), TEXT(place.slice), TEXT(place.container),
};
#define TEXTS (sizeof(texts) / sizeof(*texts))

void format_pack(struct line *line, const struct event *e, const struct format_context *context)
{
	const char *bytes = (const char *)e;
	size_t at = 0;

	(void)context;
	line_clear(line);
	for (size_t i = 0; i < TEXTS; i++) {
		line_append(line, bytes + at, texts[i].at - at);
		line_append(line, bytes + texts[i].at, strlen(bytes + texts[i].at) + 1);
		at = texts[i].at + texts[i].size;
	}
	line_append(line, bytes + at, sizeof(*e) - at);
	if (e->record)
		line_append(line, (const char *)e->record, sizeof(*e->record));
}

struct packed {
	const char *bytes;
	size_t left;
};

static bool take(struct packed *p, char *to, size_t n)
{
	if (n > p->left)
		return false;
	memcpy(to, p->bytes, n);
	p->bytes += n;
	p->left -= n;
	return true;
}

static bool take_text(struct packed *p, char *to, size_t size)
{
	size_t n = strnlen(p->bytes, p->left);

	return n < p->left && n < size && take(p, to, n + 1);
}

bool format_packed_open(const char *bytes, size_t length, struct event *e, struct lp_record *record)
{
	struct packed p = {bytes, length};
	char *to = (char *)e;
	size_t at = 0;

	for (size_t i = 0; i < TEXTS; i++) {
		if (!take(&p, to + at, texts[i].at - at) || !take_text(&p, to + texts[i].at, texts[i].size))
			return false;
		at = texts[i].at + texts[i].size;
	}
	if (!take(&p, to + at, sizeof(*e) - at))
		return false;
	if (!e->record)
		return !p.left;
	e->record = record;
	return p.left == sizeof(*record) && take(&p, (char *)record, sizeof(*record));
}
