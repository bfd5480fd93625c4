/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/aggregate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "event/shared.h"
#include "event/task.h"

struct process {
	__u32 tgid;
	__u64 start_boot_ns;
};

struct aggregate {
	struct kept_event kept;
	struct process processes[AGGREGATE_PROCESSES_MAX];
};

/* --- one event, or a record of several --- */

static struct repeat repeat_of(const struct event *e)
{
	if (e->repeat.count)
		return e->repeat;
	return (struct repeat){
		.count = 1,
		.first_ns = e->wall_ns,
		.last_ns = e->wall_ns,
		.unread = e->data.unread,
		.unacked = e->data.unacked,
		.unsent = e->data.unsent,
		.unread_unknown = e->data.unread_unknown,
		.unsent_unknown = e->data.unsent_unknown,
	};
}

/* The IPv4 peer of an IPv6 socket must compare equal to that of an IPv4 socket. */
static void unmap(struct lp_record *r)
{
	if (!data_is_mapped(&r->socket))
		return;
	memmove(r->socket.local_addr, r->socket.local_addr + 12, 4);
	memmove(r->socket.peer_addr, r->socket.peer_addr + 12, 4);
	memset(r->socket.local_addr + 4, 0, 12);
	memset(r->socket.peer_addr + 4, 0, 12);
	r->socket.family = AF_INET;
}

static void note_process(struct aggregate *g, const struct owner *owner)
{
	struct repeat *repeat = &g->kept.event.repeat;
	unsigned n = repeat->processes;

	if (!owner->via)
		return;
	for (unsigned i = n; i-- > 0;)
		if (task_is(&owner->process, g->processes[i].tgid, g->processes[i].start_boot_ns))
			return;
	if (n == AGGREGATE_PROCESSES_MAX) {
		repeat->more_processes = true;
		return;
	}
	g->processes[n] = (struct process){owner->process.tgid, owner->process.start_boot_ns};
	repeat->processes++;
}

/* --- keeping what all have in common --- */

static void keep_text(char *mine, const char *other)
{
	if (strcmp(mine, other))
		*mine = '\0';
}

static void keep_bytes(void *mine, const void *other, size_t n)
{
	if (memcmp(mine, other, n))
		memset(mine, 0, n);
}

#define KEEP(field) keep_bytes(&mine->field, &other->field, sizeof(mine->field))

static void keep_record(struct lp_record *mine, const struct lp_record *other)
{
	if (mine->socket.family != other->socket.family) {
		mine->socket.family = 0;
		memset(mine->socket.local_addr, 0, sizeof(mine->socket.local_addr));
		memset(mine->socket.peer_addr, 0, sizeof(mine->socket.peer_addr));
	}
	KEEP(socket.local_addr);
	KEEP(socket.peer_addr);
	KEEP(socket.local_port);
	KEEP(socket.peer_port);
	KEEP(socket.netns);
	keep_text(mine->socket.interface_name, other->socket.interface_name);
	KEEP(socket.interface);
	KEEP(socket.state);
	KEEP(socket.soft_err);
	mine->socket.flags &= other->socket.flags;
}

static void keep_task(struct lp_task *mine, const struct lp_task *other)
{
	if (task_is_same(mine, other))
		shared_keep_task(mine, other);
	else
		memset(mine, 0, sizeof(*mine));
}

/* Different processes may share only their name. */
static void keep_owner(struct kept_event *kept, const struct event *event)
{
	struct event *e = &kept->event;
	struct owner *mine = &e->owner;
	const struct owner *other = &event->owner;

	if (mine->n_holders != other->n_holders ||
	    memcmp(mine->holders, other->holders, mine->n_holders * sizeof(*mine->holders)))
		mine->n_holders = 0;
	if (!mine->n_holders || strcmp(kept->holder_cgroups, event->holder_cgroups))
		*kept->holder_cgroups = '\0';
	if (!mine->via || !other->via || !task_is_same(&mine->process, &other->process)) {
		KEEP(unknown);
		mine->via = VIA_NONE;
	} else if (mine->via != other->via) {
		e->repeat.several_vias = true;
	}
	shared_keep_task(&mine->process, &other->process);
}

static void keep_common(struct kept_event *kept, const struct event *other)
{
	struct event *mine = &kept->event;

	mine->repeat.several_phases |= other->repeat.several_phases || mine->verdict.phase != other->verdict.phase;
	mine->repeat.several_bys |= other->repeat.several_bys || mine->verdict.by != other->verdict.by;
	mine->repeat.several_vias |= other->repeat.several_vias;
	KEEP(verdict.ambiguous);
	KEEP(error);
	KEEP(refused);
	keep_owner(kept, other);
	keep_text(kept->executable, other->executable);
	shared_keep_place(&kept->place, other->place);
	shared_keep_place(&kept->peer_place, other->peer_place);
	keep_task(&mine->peer, &other->peer);
	keep_task(&mine->shutter, &other->shutter);
	if (mine->ended.wall_ns != other->ended.wall_ns || mine->ended.cause != other->ended.cause)
		mine->ended = (struct ended){0};
}

/* --- adding --- */

static void add_up(struct event *mine, const struct repeat *other)
{
	struct repeat *r = &mine->repeat;

	r->first_ns = r->count && r->first_ns < other->first_ns ? r->first_ns : other->first_ns;
	r->last_ns = r->last_ns > other->last_ns ? r->last_ns : other->last_ns;
	r->count += other->count;
	r->unread += other->unread;
	r->unacked += other->unacked;
	r->unsent += other->unsent;
	r->unread_unknown |= other->unread_unknown;
	r->unsent_unknown |= other->unsent_unknown;
	mine->wall_ns = r->last_ns;
}

static struct aggregate *aggregate_new(const struct event *event, const struct lp_record *record)
{
	struct aggregate *g = malloc(sizeof(*g)); /* not calloc: most of the table of processes stays untouched */

	if (!g)
		return NULL;
	event_keep(&g->kept, event);
	g->kept.record = *record;
	g->kept.event.repeat = (struct repeat){
		.several_phases = event->repeat.several_phases,
		.several_bys = event->repeat.several_bys,
		.several_vias = event->repeat.several_vias,
	};
	return g;
}

bool aggregate_add(struct aggregate **gathered, const struct event *event)
{
	struct repeat repeat = repeat_of(event);
	struct lp_record record = *event->record;
	struct aggregate *g = *gathered;

	unmap(&record);
	if (!g) {
		g = aggregate_new(event, &record);
		if (!g)
			return false;
		*gathered = g;
	} else {
		keep_record(&g->kept.record, &record);
		keep_common(&g->kept, event);
	}
	if (event->severity < g->kept.event.severity)
		g->kept.event.severity = event->severity;
	add_up(&g->kept.event, &repeat);
	note_process(g, &event->owner);
	return true;
}

const struct event *aggregate_event(const struct aggregate *g)
{
	return &g->kept.event;
}

void aggregate_free(struct aggregate *g)
{
	free(g);
}
