/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/audience.h"

#include "filter/visibility.h"

void audience_clear(struct audience *a)
{
	a->roots = 0;
	a->of_root = (struct lp_wants){0};
	a->n = 0;
}

static void add_root(struct audience *a, struct lp_wants wants)
{
	a->of_root.netns = a->roots && a->of_root.netns != wants.netns ? 0 : wants.netns;
	a->of_root.classes |= wants.classes;
	a->roots++;
}

static struct uid_wants *find(struct audience *a, __u32 uid)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->uids[i].uid == uid)
			return &a->uids[i];
	if (a->n == AUDIENCE_MAX)
		return NULL;
	a->uids[a->n] = (struct uid_wants){.uid = uid};
	return &a->uids[a->n++];
}

void audience_add(struct audience *a, __u32 uid, const struct filter *filter)
{
	struct lp_wants wants = filter_wants(filter);
	struct uid_wants *of_uid;

	if (uid == VISIBILITY_ROOT) {
		add_root(a, wants);
		return;
	}
	of_uid = find(a, uid);
	if (of_uid)
		of_uid->classes |= wants.classes;
}

bool audience_wants(const struct audience *a, const struct event *e)
{
	__u32 class;

	if (!e->record)
		return a->roots || a->n;
	class = event_class(e);
	if ((a->of_root.classes & class) && (!a->of_root.netns || a->of_root.netns == e->record->socket.netns))
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (a->uids[i].uid == e->record->socket.uid)
			return a->uids[i].classes & class;
	return false;
}
