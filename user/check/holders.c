/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/shared.h"
#include "event/task.h"
#include "who/cgroups.h"
#include "who/executables.h"
#include "who/whereabouts.h"

struct holders {
	struct cgroups *cgroups;
	struct executables *executables;
	__u64 since_ns;    /* CLOCK_MONOTONIC: texts cached since then are new enough */
	struct lp_task of; /* owner of the next two, which are kept because rows come process by process */
	const char *executable;
	struct place place;
	struct whereabouts whereabouts; /* of a row with several holders */
};

struct holders *holders_new(void)
{
	struct holders *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->since_ns = clock_monotonic_ns();
	h->cgroups = cgroups_new();
	h->executables = executables_new();
	if (!h->cgroups || !h->executables) {
		holders_free(h);
		return NULL;
	}
	return h;
}

void holders_free(struct holders *h)
{
	if (!h)
		return;
	executables_free(h->executables);
	cgroups_free(h->cgroups);
	free(h);
}

/* The processes that hold a socket, each with its lowest descriptor. */
struct found {
	const struct holders_wanted *wanted;
	unsigned n;
	struct lp_task tasks[OWNER_HOLDERS_MAX];
	__u32 fds[OWNER_HOLDERS_MAX];
	bool has_descriptor; /* found the wanted one */
};

static bool note_holder(void *context, const struct lp_task *task, __u32 fd)
{
	struct found *f = context;
	unsigned i = 0;

	if (task->tgid == (__u32)getpid()) /* it inherited a descriptor of whoever asks */
		return false;
	if (task->tgid == f->wanted->pid && fd == f->wanted->fd)
		f->has_descriptor = true;
	while (i < f->n && f->tasks[i].tgid != task->tgid)
		i++;
	if (i == OWNER_HOLDERS_MAX)
		return false;
	if (i == f->n) {
		f->tasks[f->n++] = *task;
		f->fds[i] = fd;
	} else if (fd < f->fds[i]) {
		f->fds[i] = fd;
	}
	return false;
}

static enum owner_unknown why_nobody(const struct lp_socket *s)
{
	if (s->flags & LP_F_KERNEL)
		return UNKNOWN_KERNEL;
	if (s->flags & LP_F_DEAD)
		return UNKNOWN_HOLDER_GONE;
	if (s->flags & LP_F_MPTCP)
		return UNKNOWN_UNSUPPORTED;
	if ((s->flags & LP_F_SOCKET) && !(s->flags & LP_F_FILE))
		return UNKNOWN_KERNEL;
	/* BPF sees every descriptor: what has this one is a message in transit, or io_uring */
	return s->sk ? UNKNOWN_HOLDER_GONE : UNKNOWN_NOT_SEEN;
}

static void set_process(struct holders *h, struct check *c, const struct lp_task *task)
{
	struct event *e = &c->event;

	e->owner.process = *task;
	e->owner.via = verdicts_is_unaccepted(c->socket) ? VIA_LISTENER : VIA_HOLDER;
	e->owner.unknown = UNKNOWN_NONE;
	if (!task_is_same(&h->of, task)) {
		h->of = *task;
		h->executable = executables_find(h->executables, task, h->since_ns);
		cgroups_find(h->cgroups, NULL, task, h->since_ns, &h->place);
	}
	e->executable = h->executable;
	e->place = &h->place;
}

static void set_nobody(struct check *c, enum owner_unknown unknown)
{
	struct event *e = &c->event;

	e->owner.process = (struct lp_task){0};
	e->owner.via = VIA_NONE;
	e->owner.unknown = unknown;
	e->place = &place_unknown;
	e->executable = "";
	c->fd = -1;
}

static void list(struct owner *owner, const struct found *f)
{
	owner->n_holders = f->n > 1 ? f->n : 0;
	for (unsigned i = 0; i < owner->n_holders; i++) {
		unsigned at = i;

		for (; at && owner->holders[at - 1].tgid > f->tasks[i].tgid; at--)
			owner->holders[at] = owner->holders[at - 1];
		owner->holders[at] = f->tasks[i];
	}
}

/* Whether the filter accepts this process alone. */
static bool is_wanted(const struct filter *filter, struct event *e)
{
	unsigned n = e->owner.n_holders;
	bool by_itself;

	e->owner.n_holders = 0;
	by_itself = filter_owner(filter, e);
	e->owner.n_holders = n;
	return by_itself;
}

/* Where each of several holders lives, and of those of which none is named, what they share. */
static void set_whereabouts(struct holders *h, struct check *c)
{
	struct event *e = &c->event;

	if (!e->owner.via) {
		shared_process(&e->owner, NULL);
		e->executable = whereabouts_executable(h->executables, &e->owner, h->since_ns);
	}
	whereabouts_find(&h->whereabouts, h->cgroups, NULL, e, h->since_ns);
}

/* Returns how many holders the filter wants; *chosen is the last of them. */
static unsigned choose(struct holders *h, const struct found *f, struct check *c, unsigned *chosen)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < f->n; i++) {
		if (f->wanted->by_descriptor && f->tasks[i].tgid != f->wanted->pid)
			continue;
		set_process(h, c, &f->tasks[i]);
		if (!is_wanted(f->wanted->filter, &c->event))
			continue;
		*chosen = i;
		passed++;
	}
	return passed;
}

bool holders_find(struct holders *h, const struct snapshot *snapshot, size_t i, const struct holders_wanted *wanted,
		  struct check *c)
{
	unsigned passed, chosen = 0;
	struct found f;

	f.wanted = wanted;
	f.n = 0;
	f.has_descriptor = false;
	c->event.owner.n_holders = 0;
	c->event.holder_cgroups = "";
	snapshot_each_holder(snapshot, snapshot_held_by(snapshot, i), note_holder, &f);
	if (wanted->by_descriptor && (!f.has_descriptor || verdicts_is_unaccepted(c->socket)))
		return false;
	if (!f.n) {
		set_nobody(c, why_nobody(c->socket));
		return filter_owner(wanted->filter, &c->event);
	}
	list(&c->event.owner, &f);
	passed = choose(h, &f, c, &chosen);
	if (passed == 1) {
		set_process(h, c, &f.tasks[chosen]);
		c->fd = wanted->by_descriptor ? wanted->fd : f.fds[chosen];
		if (verdicts_is_unaccepted(c->socket)) /* the descriptor is the listener's */
			c->fd = -1;
	} else if (passed) {
		set_nobody(c, UNKNOWN_SHARED);
	}
	if (passed && c->event.owner.n_holders)
		set_whereabouts(h, c);
	return passed != 0;
}
