/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "event/shared.h"

#include <string.h>

/* --- several processes --- */

static void keep_text(char *mine, const char *other)
{
	if (strcmp(mine, other))
		*mine = '\0';
}

void shared_keep_task(struct lp_task *mine, const struct lp_task *other)
{
	keep_text(mine->comm, other->comm);
	if (mine->cgroup_id != other->cgroup_id)
		mine->cgroup_id = 0;
	if (mine->uid != other->uid)
		mine->uid = 0;
	mine->executing &= other->executing;
	if (mine->exiting == other->exiting && mine->exit_code == other->exit_code && mine->oom == other->oom)
		return;
	mine->exiting = mine->oom = 0;
	mine->exit_code = 0;
}

void shared_keep_place(struct place *mine, const struct place *other)
{
	keep_text(mine->unit, other->unit);
	keep_text(mine->system_unit, other->system_unit);
	keep_text(mine->slice, other->slice);
	keep_text(mine->container, other->container);
	keep_text(mine->pod, other->pod);
	keep_text(mine->cgroup, other->cgroup);
	if (mine->runtime != other->runtime)
		mine->runtime = RUNTIME_NONE;
}

/* --- holders --- */

void shared_process(struct owner *owner, const struct lp_task *more)
{
	struct lp_task all = owner->holders[0];

	for (unsigned i = 1; i < owner->n_holders; i++)
		shared_keep_task(&all, &owner->holders[i]);
	if (more)
		shared_keep_task(&all, more);
	owner->process = (struct lp_task){.cgroup_id = all.cgroup_id};
	memcpy(owner->process.comm, all.comm, sizeof(all.comm));
}

const char *shared_cgroup(const char *lines, unsigned i, char line[CGROUP_LINE_LEN])
{
	size_t n;

	for (; i && (lines = strchr(lines, '\n')); i--)
		lines++;
	n = lines ? strcspn(lines, "\n") : 0;
	n = n < CGROUP_LINE_LEN ? n : 0;
	memcpy(line, lines ? lines : "", n);
	line[n] = '\0';
	return line;
}

void shared_read_place(const char *line, struct place *place)
{
	const char *path = place_cgroup_path(line);

	*place = place_unknown;
	if (!path)
		return;
	place_read(path, place);
	strcpy(place->cgroup, line);
}

/* Those that are left may live in one place. */
static void join_places(struct kept_event *kept)
{
	char first[CGROUP_LINE_LEN], other[CGROUP_LINE_LEN];

	shared_cgroup(kept->holder_cgroups, 0, first);
	for (unsigned i = 1; i < kept->event.owner.n_holders; i++)
		if (strcmp(shared_cgroup(kept->holder_cgroups, i, other), first))
			return;
	*kept->holder_cgroups = '\0';
	if (!kept->event.owner.via)
		shared_read_place(first, &kept->place);
}

void shared_narrow(struct kept_event *kept, __u32 uid)
{
	struct owner *owner = &kept->event.owner;
	char lines[HOLDER_CGROUPS_LEN], line[CGROUP_LINE_LEN];
	bool places = *kept->holder_cgroups != '\0';
	unsigned n = 0, all = owner->n_holders;
	size_t length = 0;

	for (unsigned i = 0; i < all; i++) {
		if (owner->holders[i].uid != uid)
			continue;
		shared_cgroup(kept->holder_cgroups, i, line);
		length += strlen(strcpy(lines + length, line));
		lines[length++] = '\n';
		owner->holders[n++] = owner->holders[i];
	}
	owner->n_holders = n;
	owner->more_holders = false;
	if (n == all)
		return;
	lines[length] = '\0';
	strcpy(kept->holder_cgroups, places && n ? lines : "");
	if (!owner->via && owner->unknown == UNKNOWN_SHARED && n)
		shared_process(owner, NULL);
	if (places)
		join_places(kept);
}
