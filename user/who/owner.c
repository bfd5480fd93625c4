/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/owner.h"

#include <stddef.h>
#include <string.h>

#include "event/data.h"
#include "event/shared.h"
#include "event/task.h"

static bool has_birth(const struct lp_record *r)
{
	return (r->who == LP_WHO_BIRTH || r->who == LP_WHO_LISTENER) && r->task.tgid;
}

static enum owner_via birth_via(const struct lp_record *r)
{
	if (r->socket.flags & (LP_F_CONNECTED | LP_F_RESTORED))
		return VIA_CONNECT;
	if (r->socket.flags & LP_F_ACCEPTED)
		return VIA_ACCEPT;
	return VIA_SEED;
}

static enum owner_need name(struct owner *owner, const struct lp_task *task, enum owner_via via)
{
	owner->via = via;
	owner->unknown = UNKNOWN_NONE;
	owner->process = *task;
	return NEED_NOTHING;
}

static enum owner_need name_unknown(struct owner *owner, enum owner_unknown why)
{
	owner->via = VIA_NONE;
	owner->unknown = why;
	return NEED_NOTHING;
}

/* Names the task with birth_via() if it is the birth owner, otherwise with `via`. */
static enum owner_need name_found(struct owner *owner, const struct lp_record *r, const struct lp_task *task,
				  enum owner_via via)
{
	bool born = has_birth(r) && task_is_same(task, &r->task);

	return name(owner, task, born && r->who == LP_WHO_BIRTH ? birth_via(r) : via);
}

static void list_holders(struct owner *owner, const struct owner_evidence *e)
{
	for (unsigned i = 0; i < e->n_found && i < OWNER_HOLDERS_MAX; i++)
		owner->holders[owner->n_holders++] = e->found[i].task;
	owner->more_holders = e->found_more;
}

static enum owner_need name_none_of(struct owner *owner, const struct owner_evidence *e)
{
	shared_process(owner, e->found_more ? &e->more : NULL);
	return name_unknown(owner, UNKNOWN_SHARED);
}

static const struct owner_found *find(const struct owner_evidence *e, const struct lp_task *task)
{
	for (unsigned i = 0; i < e->n_found && i < OWNER_HOLDERS_MAX; i++)
		if (task_is_same(&e->found[i].task, task))
			return &e->found[i];
	return NULL;
}

/* Of several holders the owner is the birth owner; if that is not among them, there is no owner. */
static enum owner_need name_one_of(struct owner *owner, const struct lp_record *r, const struct owner_evidence *e,
				   enum owner_via via)
{
	const struct owner_found *birth = has_birth(r) ? find(e, &r->task) : NULL;

	list_holders(owner, e);
	return birth ? name_found(owner, r, &birth->task, via) : name_none_of(owner, e);
}

static __u64 born_ns(const struct lp_record *r, const struct owner_evidence *e)
{
	__u64 born = r->born_ns ? r->born_ns : r->established_ns;

	return born && !(r->socket.flags & LP_F_SEEDED) ? born : e->since_ns;
}

static bool forked_since_birth(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	return e->last_fork(e->fork_context, task->tgid) >= born_ns(r, e);
}

/* No other process can have had a descriptor: this one was there when the connection was born, had it alone, and has
 * not forked since. Further references are then its own, of threads in a system call on the socket. */
static bool alone_since_birth(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	bool there = task->start_boot_ns < born_ns(r, e) + e->boot_ahead_ns;
	/* the process that listened need not be the one that accepted (pre-forked workers); the one that connected had
	 * it */
	bool had_it = r->who == LP_WHO_NONE || (r->socket.flags & LP_F_ACCEPTED) || task_is_same(task, &r->task);

	return there && had_it && !(r->socket.flags & LP_F_SHARED) && !forked_since_birth(r, e, task);
}

static enum owner_need decide_never_accepted(const struct lp_record *r, const struct owner_evidence *e,
					     struct owner *owner)
{
	const struct owner_found *birth;

	/* listener_closed: the listener is gone, so a search cannot find its holder */
	if ((r->socket.flags & LP_F_LISTENER_CLOSING) || (!r->socket.err && r->kind == LP_KIND_CLOSE)) {
		if (r->who == LP_WHO_LISTENER)
			return name(owner, &r->task, VIA_LISTENER);
		return name_unknown(owner, UNKNOWN_NOT_SEEN);
	}
	if (e->destroyed) /* the process that closed the listener next */
		return name(owner, &e->destroyer, VIA_LISTENER);
	if (has_birth(r) && e->can_search && !e->searched && !e->walked)
		return NEED_SEARCH;
	birth = has_birth(r) ? find(e, &r->task) : NULL;
	if (birth && !e->walked)
		return name(owner, &birth->task, VIA_LISTENER);
	if (!e->walked)
		return NEED_WALK;
	if (e->walk_failed)
		return name_unknown(owner, UNKNOWN_UNSUPPORTED);
	if (e->n_found == 0)
		return e->waited ? name_unknown(owner, UNKNOWN_HOLDER_GONE) : NEED_DESTROYER;
	if (e->n_found == 1)
		return name(owner, &e->found[0].task, VIA_LISTENER);
	return name_one_of(owner, r, e, VIA_LISTENER);
}

/* One reference, so one holder. */
static enum owner_need decide_sole(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	const struct owner_found *birth;

	if (e->destroyed)
		return name_found(owner, r, &e->destroyer, VIA_CLOSER);
	if (!e->waited)
		return NEED_DESTROYER;
	if (has_birth(r) && e->can_search && !e->searched && !e->walked)
		return NEED_SEARCH;
	birth = has_birth(r) ? find(e, &r->task) : NULL;
	if (birth && !e->walked)
		return name_found(owner, r, &birth->task, VIA_HOLDER);
	if (!e->walked)
		return NEED_WALK;
	if (e->n_found == 1)
		return name_found(owner, r, &e->found[0].task, VIA_HOLDER);
	if (e->n_found > 1)
		return name_one_of(owner, r, e, VIA_HOLDER);
	if (r->socket.flags & LP_F_ACCEPT_HOOK)
		return name(owner, &r->task, VIA_ACCEPT);
	return name_unknown(owner, e->walk_failed ? UNKNOWN_UNSUPPORTED : UNKNOWN_HOLDER_GONE);
}

/* More references: of several processes, or of one with several descriptors or with threads in a system call on it. */
static enum owner_need decide_shared(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	const struct owner_found *one;

	if (e->destroyed && alone_since_birth(r, e, &e->destroyer))
		return name_found(owner, r, &e->destroyer, VIA_CLOSER);
	if (!e->waited)
		return NEED_DESTROYER;
	if (!e->walked)
		return NEED_WALK;
	if (e->n_found > 1)
		return name_one_of(owner, r, e, VIA_HOLDER);
	if (e->n_found == 0) {
		if (e->destroyed)
			owner->holders[owner->n_holders++] = e->destroyer;
		return name_unknown(owner, e->walk_failed ? UNKNOWN_UNSUPPORTED : UNKNOWN_HOLDER_GONE);
	}
	one = &e->found[0];
	if (one->fds >= r->socket.refs || (!(r->socket.flags & LP_F_SHARED) && !forked_since_birth(r, e, &one->task)))
		return name_found(owner, r, &one->task, VIA_HOLDER);
	list_holders(owner, e);
	return name_unknown(owner, UNKNOWN_HOLDER_GONE);
}

/* A process that slept on the socket held it. Others can only have held it if there are more references. */
static enum owner_need decide_waiter(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	enum owner_via via = r->socket.flags & LP_F_IS_BIRTH ? birth_via(r) : VIA_HOLDER;

	if (r->socket.refs > r->waits + 1u && !e->walked)
		return NEED_WALK;
	if (e->n_found > 1)
		list_holders(owner, e);
	return name(owner, &r->task, via);
}

bool owner_is_listener(const struct lp_record *r)
{
	return !(r->socket.flags & (LP_F_SOCKET | LP_F_DEAD | LP_F_MPTCP));
}

static enum owner_need name_current(const struct lp_record *r, struct owner *owner)
{
	if (r->kind == LP_KIND_NO_CONNECT || (r->socket.flags & LP_F_IS_BIRTH))
		return name(owner, &r->task, birth_via(r));
	return name(owner, &r->task, data_closing_now(&r->socket) ? VIA_CLOSER : VIA_HOLDER);
}

enum owner_need owner_decide(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	memset(owner, 0, offsetof(struct owner, holders));
	if (r->socket.flags & LP_F_KERNEL)
		return name_unknown(owner, UNKNOWN_KERNEL);
	if (r->who == LP_WHO_CURRENT)
		return name_current(r, owner);
	if (r->who == LP_WHO_CLOSER)
		return name(owner, &r->task, VIA_CLOSER);
	if (r->socket.flags & LP_F_MPTCP) /* a process holds the MPTCP socket, not this subflow */
		return name_unknown(owner, UNKNOWN_UNSUPPORTED);
	if (owner_is_listener(r))
		return decide_never_accepted(r, e, owner);
	if (r->socket.flags & LP_F_DEAD)
		return name_unknown(owner, r->socket.flags & LP_F_SEEDED || !(r->socket.flags & LP_F_STATE)
						   ? UNKNOWN_NOT_SEEN
						   : UNKNOWN_HOLDER_GONE);
	if (!(r->socket.flags & LP_F_FILE))
		return name_unknown(owner, UNKNOWN_KERNEL);
	if (r->who == LP_WHO_WAITER)
		return decide_waiter(r, e, owner);
	return r->socket.refs > 1 ? decide_shared(r, e, owner) : decide_sole(r, e, owner);
}
