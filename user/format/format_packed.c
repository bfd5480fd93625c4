/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format_packed.h"

#include <string.h>

/* The strings of struct place, in its order. What is between them is copied as it is. */
struct text {
	size_t at, size;
};
#define TEXT(member)                                                                                                   \
	{                                                                                                              \
		offsetof(struct place, member), sizeof(((struct place *)0)->member)                                    \
	}
static const struct text texts[] = {TEXT(cgroup), TEXT(unit), TEXT(system_unit), TEXT(slice), TEXT(container)};
#define TEXTS (sizeof(texts) / sizeof(*texts))

/* Most events have no holders, so their room is left out. */
#define HOLDERS_AT offsetof(struct event, owner.holders)
#define HOLDERS_END (HOLDERS_AT + sizeof(((struct event *)0)->owner.holders))

static void put_text(struct line *line, const char *text)
{
	line_append(line, text, strlen(text) + 1);
}

static void put_place(struct line *line, const struct place *place)
{
	const char *from = (const char *)place;
	size_t at = 0;

	for (size_t i = 0; i < TEXTS; i++) {
		line_append(line, from + at, texts[i].at - at);
		put_text(line, from + texts[i].at);
		at = texts[i].at + texts[i].size;
	}
	line_append(line, from + at, sizeof(*place) - at);
}

void format_pack(struct line *line, const struct event *e, const struct format_context *context)
{
	(void)context;
	line_clear(line);
	line_append(line, (const char *)e, HOLDERS_AT);
	line_append(line, (const char *)e->owner.holders, e->owner.n_holders * sizeof(*e->owner.holders));
	line_append(line, (const char *)e + HOLDERS_END, sizeof(*e) - HOLDERS_END);
	if (e->record)
		line_append(line, (const char *)e->record, sizeof(*e->record));
	put_text(line, e->executable);
	put_text(line, e->holder_cgroups);
	put_place(line, e->place);
	put_place(line, e->peer_place);
}

struct packed {
	const char *bytes;
	size_t left;
};

static bool take(struct packed *p, void *to, size_t n)
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

static bool take_place(struct packed *p, struct place *place)
{
	char *to = (char *)place;
	size_t at = 0;

	for (size_t i = 0; i < TEXTS; i++) {
		if (!take(p, to + at, texts[i].at - at) || !take_text(p, to + texts[i].at, texts[i].size))
			return false;
		at = texts[i].at + texts[i].size;
	}
	return take(p, to + at, sizeof(*place) - at);
}

static bool take_event(struct packed *p, struct event *e)
{
	return take(p, e, HOLDERS_AT) && e->owner.n_holders <= OWNER_HOLDERS_MAX &&
	       take(p, e->owner.holders, e->owner.n_holders * sizeof(*e->owner.holders)) &&
	       take(p, (char *)e + HOLDERS_END, sizeof(*e) - HOLDERS_END);
}

bool format_packed_open(const char *bytes, size_t length, struct kept_event *kept)
{
	struct packed p = {bytes, length};
	struct event *e = &kept->event;

	if (!take_event(&p, e) || (e->record && !take(&p, &kept->record, sizeof(kept->record))) ||
	    !take_text(&p, kept->executable, sizeof(kept->executable)) ||
	    !take_text(&p, kept->holder_cgroups, sizeof(kept->holder_cgroups)) || !take_place(&p, &kept->place) ||
	    !take_place(&p, &kept->peer_place))
		return false;
	e->record = e->record ? &kept->record : NULL;
	e->executable = kept->executable;
	e->holder_cgroups = kept->holder_cgroups;
	e->place = &kept->place;
	e->peer_place = &kept->peer_place;
	return !p.left;
}
