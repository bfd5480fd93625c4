/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/owner.h"

#include <stddef.h>
#include <string.h>

#include "event/data.h"
#include "event/shared.h"
#include "event/task.h"

bool owner_is_listener(const struct lp_record *r)
{
	return !(r->socket.flags & (LP_F_SOCKET | LP_F_DEAD | LP_F_MPTCP));
}

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

static __u64 born_ns(const struct lp_record *r, const struct owner_evidence *e)
{
	__u64 born = r->born_ns ? r->born_ns : r->established_ns;

	return born && !(r->socket.flags & LP_F_SEEDED) ? born : e->since_ns;
}

static bool forked_since_birth(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	return e->last_fork(e->fork_context, task->tgid) >= born_ns(r, e);
}

/* Whether other processes held it before the agent started; then its birth owner is only one of them. */
static bool was_shared(const struct lp_record *r)
{
	return (r->socket.flags & LP_F_SEEDED) && (r->socket.flags & LP_F_SHARED);
}

static bool was_there(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	return task->start_boot_ns < born_ns(r, e) + e->lineage.boot_ahead_ns;
}

/* Whether this holder did not get the connection from another process, but opened it, or had it first as far as is
 * known. A process that was there before the connection did not inherit it: of workers that share a listener, it is the
 * one that accepted. */
static bool is_opener(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	if (has_birth(r) && !was_shared(r) && task_is_same(task, &r->task))
		return true;
	return (r->socket.flags & LP_F_ACCEPTED) && !(r->socket.flags & LP_F_SEEDED) && was_there(r, e, task);
}

/* The only one among the holders; NULL: none, or there are several. */
static const struct owner_found *find_opener(const struct lp_record *r, const struct owner_evidence *e)
{
	const struct owner_found *opener = has_birth(r) && !(r->socket.flags & LP_F_SHARED) ? find(e, &r->task) : NULL;

	if (opener || owner_is_listener(r))
		return opener;
	for (unsigned i = 0; i < e->n_found && i < OWNER_HOLDERS_MAX; i++) {
		if (!is_opener(r, e, &e->found[i].task))
			continue;
		if (opener)
			return NULL;
		opener = &e->found[i];
	}
	return opener;
}

/* Of several holders the owner is the one that opened the connection; if that is not among them, there is no owner. */
static enum owner_need name_one_of(struct owner *owner, const struct lp_record *r, const struct owner_evidence *e,
				   enum owner_via via)
{
	const struct owner_found *opener = find_opener(r, e);

	list_holders(owner, e);
	return opener ? name_found(owner, r, &opener->task, via) : name_none_of(owner, e);
}

/* No other process can have had a descriptor: this one was there when the connection was born, had it alone, and has
 * not forked since. Further references are then its own, of threads in a system call on the socket. */
static bool alone_since_birth(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task)
{
	/* the process that listened need not be the one that accepted (pre-forked workers); the one that connected had
	 * it */
	bool had_it = r->who == LP_WHO_NONE || (r->socket.flags & LP_F_ACCEPTED) || task_is_same(task, &r->task);

	return was_there(r, e, task) && had_it && !was_shared(r) && !forked_since_birth(r, e, task);
}

/* Whether the task inherited the connection only because it was forked to execute another program. Fills *user: the
 * process whose connection it is. */
static enum lineage_exec was_launched(const struct lp_record *r, const struct owner_evidence *e,
				      const struct lp_task *task, struct lp_task *user)
{
	enum lineage_exec exec = was_there(r, e, task) ? EXEC_NOT : lineage_exec(&e->lineage, task, e->now_ns, user);
	struct lp_task next;

	while (exec == EXEC_ONLY && lineage_exec(&e->lineage, user, e->now_ns, &next) == EXEC_ONLY)
		*user = next;
	return exec;
}

/* The task closes the socket now. */
static enum owner_need name_closer(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner,
				   enum owner_via via)
{
	struct lp_task user;
	enum lineage_exec exec = was_launched(r, e, &r->task, &user);

	if (exec == EXEC_MAYBE)
		return e->exec_waited ? name_unknown(owner, UNKNOWN_NOT_SEEN) : NEED_EXEC;
	return name(owner, exec == EXEC_ONLY ? &user : &r->task, via);
}

/* The only process that held it. */
static enum owner_need name_sole(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task,
				 struct owner *owner, enum owner_via via)
{
	struct lp_task user;

	return name_found(owner, r, was_launched(r, e, task, &user) == EXEC_ONLY ? &user : task, via);
}

/* One of several processes that held it, and the only one left. If it is on its way to another program, the process that
 * forked it held the connection with it. Returns false if that proves nothing. */
static bool name_forker(const struct lp_record *r, const struct owner_evidence *e, const struct lp_task *task,
			struct owner *owner, enum owner_via via)
{
	struct lp_task user;

	if (was_launched(r, e, task, &user) == EXEC_NOT || !is_opener(r, e, &user))
		return false;
	name_found(owner, r, &user, via);
	return true;
}

static enum owner_need decide_never_accepted(const struct lp_record *r, const struct owner_evidence *e,
					     struct owner *owner)
{
	bool listened = has_birth(r) && !(r->socket.flags & LP_F_SHARED);
	const struct owner_found *birth;

	/* listener_closed: the listener is gone, so a search cannot find its holder */
	if ((r->socket.flags & LP_F_LISTENER_CLOSING) || (!r->socket.err && r->kind == LP_KIND_CLOSE)) {
		if (r->who == LP_WHO_LISTENER)
			return name_closer(r, e, owner, VIA_LISTENER);
		return name_unknown(owner, UNKNOWN_NOT_SEEN);
	}
	if (e->destroyed && e->destroyer.tgid) /* the process that closed the listener next */
		return name_sole(r, e, &e->destroyer, owner, VIA_LISTENER);
	if (listened && e->can_search && !e->searched && !e->walked)
		return NEED_SEARCH;
	birth = listened ? find(e, &r->task) : NULL;
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

	if (e->destroyed && !e->destroyer.tgid)
		return name_unknown(owner, UNKNOWN_HOLDER_GONE);
	if (e->destroyed)
		return name_sole(r, e, &e->destroyer, owner, VIA_CLOSER);
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
		return name_sole(r, e, &e->found[0].task, owner, VIA_HOLDER);
	if (e->n_found > 1)
		return name_one_of(owner, r, e, VIA_HOLDER);
	if (r->socket.flags & LP_F_ACCEPT_HOOK)
		return name(owner, &r->task, VIA_ACCEPT);
	return name_unknown(owner, e->walk_failed ? UNKNOWN_UNSUPPORTED : UNKNOWN_HOLDER_GONE);
}

/* Of several holders, only this one is left. */
static enum owner_need decide_last(const struct lp_record *r, const struct owner_evidence *e,
				   const struct owner_found *last, struct owner *owner)
{
	if (last->fds + r->waits >= r->socket.refs || is_opener(r, e, &last->task))
		return name_found(owner, r, &last->task, VIA_HOLDER);
	if (name_forker(r, e, &last->task, owner, VIA_HOLDER))
		return NEED_NOTHING;
	if (!was_shared(r) && !forked_since_birth(r, e, &last->task))
		return name_found(owner, r, &last->task, VIA_HOLDER);
	list_holders(owner, e);
	return name_unknown(owner, UNKNOWN_HOLDER_GONE);
}

/* More references: of several processes, or of one with several descriptors or with threads in a system call on it. */
static enum owner_need decide_shared(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	const struct lp_task *destroyer = e->destroyed && e->destroyer.tgid ? &e->destroyer : NULL;

	if (destroyer && (is_opener(r, e, destroyer) || alone_since_birth(r, e, destroyer)))
		return name_found(owner, r, destroyer, VIA_CLOSER);
	if (!e->waited)
		return NEED_DESTROYER;
	if (!e->walked)
		return NEED_WALK;
	if (e->n_found > 1)
		return name_one_of(owner, r, e, VIA_HOLDER);
	if (e->n_found == 1)
		return decide_last(r, e, &e->found[0], owner);
	if (destroyer && name_forker(r, e, destroyer, owner, VIA_CLOSER))
		return NEED_NOTHING;
	if (destroyer)
		owner->holders[owner->n_holders++] = *destroyer;
	return name_unknown(owner, e->walk_failed ? UNKNOWN_UNSUPPORTED : UNKNOWN_HOLDER_GONE);
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

static enum owner_need name_current(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	if (r->kind == LP_KIND_NO_CONNECT || (r->socket.flags & LP_F_IS_BIRTH))
		return name(owner, &r->task, birth_via(r));
	if (!data_closing_now(&r->socket))
		return name(owner, &r->task, VIA_HOLDER);
	return name_closer(r, e, owner, VIA_CLOSER);
}

enum owner_need owner_decide(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner)
{
	memset(owner, 0, offsetof(struct owner, holders));
	if (r->socket.flags & LP_F_KERNEL)
		return name_unknown(owner, UNKNOWN_KERNEL);
	if (r->who == LP_WHO_CURRENT)
		return name_current(r, e, owner);
	if (r->who == LP_WHO_CLOSER)
		return name_closer(r, e, owner, VIA_CLOSER);
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
