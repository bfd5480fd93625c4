/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/whereabouts.h"

#include <string.h>

#include "event/shared.h"
#include "who/cgroups.h"
#include "who/executables.h"

static bool is_shared(const struct owner *owner)
{
	return !owner->via && owner->unknown == UNKNOWN_SHARED && owner->n_holders;
}

const char *whereabouts_executable(struct executables *executables, const struct owner *owner, __u64 since_ns)
{
	static char first[PATH_MAX];
	const char *path;

	if (owner->via)
		return executables_find(executables, &owner->process, since_ns);
	if (!is_shared(owner) || owner->more_holders)
		return "";
	strcpy(first, executables_find(executables, &owner->holders[0], since_ns));
	for (unsigned i = 1; *first && i < owner->n_holders; i++) {
		path = executables_find(executables, &owner->holders[i], since_ns);
		if (strcmp(path, first))
			*first = '\0';
	}
	return first;
}

/* Returns whether all of them are in one place. */
static bool list_cgroups(struct whereabouts *w, struct cgroups *cgroups, const struct kernel *kernel,
			 const struct owner *owner, __u64 since_ns, struct place *first)
{
	char *to = w->holder_cgroups, *end = to + sizeof(w->holder_cgroups) - owner->n_holders - 1;
	struct place place;
	bool same = true;
	size_t n;

	for (unsigned i = 0; i < owner->n_holders; i++) {
		cgroups_find(cgroups, kernel, &owner->holders[i], since_ns, &place);
		if (!i)
			*first = place;
		same = same && *place.cgroup && !strcmp(place.cgroup, first->cgroup);
		n = strlen(place.cgroup);
		if (to + n < end)
			to = stpcpy(to, place.cgroup);
		*to++ = '\n';
		end++;
	}
	*to = '\0';
	return same;
}

void whereabouts_find(struct whereabouts *w, struct cgroups *cgroups, const struct kernel *kernel, struct event *e,
		      __u64 since_ns)
{
	const struct owner *owner = &e->owner;
	struct place first;
	bool same;

	w->place = place_unknown;
	*w->holder_cgroups = '\0';
	if (owner->via)
		cgroups_find(cgroups, kernel, &owner->process, since_ns, &w->place);
	if (owner->n_holders) {
		same = list_cgroups(w, cgroups, kernel, owner, since_ns, &first);
		if (is_shared(owner) && same && (!owner->more_holders || owner->process.cgroup_id))
			w->place = first;
		if (same && !strcmp(first.cgroup, w->place.cgroup))
			*w->holder_cgroups = '\0';
	}
	e->place = &w->place;
	e->holder_cgroups = w->holder_cgroups;
}
