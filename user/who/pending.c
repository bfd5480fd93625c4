/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/pending.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"
#include "event/judge.h"
#include "event/shared.h"
#include "kernel/kernel.h"
#include "kernel/open_files.h"
#include "kernel/remembered.h"
#include "who/owner.h"
#include "who/process.h"

#define RESET_WAIT_NS (1 * CLOCK_MS)     /* the RST goes out in the same softirq as the close */
#define DESTROYER_WAIT_NS (5 * CLOCK_MS) /* most applications close within this after an error */
/* After a walk that found no holder: the owner is about to drop its reference, but may be preempted. */
#define LAST_WAIT_NS (50 * CLOCK_MS)
#define WALK_INTERVAL_NS (250 * CLOCK_MS)
/* For a child that was forked just now, and may execute a program. It does so at once, but may get no CPU. */
#define EXEC_WAIT_NS (10 * CLOCK_SECOND)
#define EXEC_LOOK_NS (32 * CLOCK_MS) /* the longest interval between two looks at it */

struct pending {
	struct table_link by_sk;
	TAILQ_ENTRY(pending) in_order;
	struct event *event;
	pending_done *done;
	void *context;
	struct owner_evidence evidence;
	enum owner_need need;
	__u64 arrived_ns;
	__u64 destroyer_by_ns; /* waits for a destroyer until then */
	__u64 exec_by_ns, exec_look_ns;
	bool waits_for_reset;
};

struct pending_list {
	struct kernel *kernel;
	TAILQ_HEAD(, pending) all; /* oldest first */
	unsigned count;
	struct table table;
	__u64 since_ns;
	__u64 next_search_ns, next_walk_ns;
};

/* Without the fork hook any process may have forked just now. */
static __u64 last_fork(void *kernel, __u32 tgid)
{
	return kernel_features(kernel)->fork ? remembered_last_fork(kernel, tgid) : UINT64_MAX;
}

static bool past(void *kernel, const struct lp_task *task, struct lp_past *past)
{
	return remembered_past(kernel, task, past);
}

static enum process_state state(void *kernel, const struct lp_task *task, __u64 *ran_ns)
{
	(void)kernel;
	return process_state(task, ran_ns);
}

struct lineage pending_lineage(const struct pending_list *list)
{
	return (struct lineage){past, state, list->kernel, clock_boot_ahead_ns()};
}

struct pending_list *pending_new(struct kernel *kernel)
{
	struct pending_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->kernel = kernel;
	TAILQ_INIT(&list->all);
	list->since_ns = clock_monotonic_ns();
	return list;
}

/* The caller owns the event from here on. */
static void take_out(struct pending_list *list, struct pending *p)
{
	TAILQ_REMOVE(&list->all, p, in_order);
	table_remove(&list->table, p);
	list->count--;
	free(p->evidence.found);
	free(p);
}

void pending_free(struct pending_list *list)
{
	struct pending *p;

	while (list && (p = TAILQ_FIRST(&list->all))) {
		event_free(p->event);
		take_out(list, p);
	}
	free(list);
}

static void hand_back(struct pending_list *list, struct pending *p)
{
	struct event *event = p->event;
	pending_done *done = p->done;
	void *context = p->context;

	take_out(list, p);
	done(context, event);
}

/* A task of the record has the name that it had then, but not one that was found or seen since. */
static void decide(struct pending *p, __u64 now_ns)
{
	const struct lp_record *r = p->event->record;
	struct lp_task *process = &p->event->owner.process;

	p->evidence.now_ns = now_ns;
	p->need = owner_decide(r, &p->evidence, &p->event->owner);
	if (p->need == NEED_NOTHING && p->event->owner.via &&
	    (r->who == LP_WHO_NONE || r->who == LP_WHO_BIRTH || r->who == LP_WHO_LISTENER))
		lineage_name_at(&p->evidence.lineage, r->time_ns, process);
}

/* Hands the event back if nothing is missing. */
static void settle(struct pending_list *list, struct pending *p)
{
	__u64 now_ns = clock_monotonic_ns();

	decide(p, now_ns);
	if (p->need == NEED_NOTHING && !p->waits_for_reset)
		hand_back(list, p);
	else if (p->need == NEED_EXEC)
		p->exec_look_ns = clock_earlier(now_ns + EXEC_LOOK_NS, 2 * now_ns - p->event->record->time_ns);
}

/* Without further evidence. A holder that nobody searched for is not gone. */
static void settle_now(struct pending_list *list, struct pending *p)
{
	struct owner *owner = &p->event->owner;

	p->evidence.waited = p->evidence.searched = p->evidence.walked = p->evidence.exec_waited = true;
	decide(p, clock_monotonic_ns());
	if (!owner->via)
		*owner = (struct owner){.unknown = UNKNOWN_NOT_SEEN};
	hand_back(list, p);
}

/* p: has the same socket address. */
static bool is_of(const struct pending *p, const struct lp_record *record)
{
	return p->event->record->socket.cookie == record->socket.cookie;
}

/* A record whose task held the socket names the owner of earlier records of that socket, such as the peer's FIN. */
static bool proves_owner(const struct lp_record *record)
{
	return record->kind == LP_KIND_OWNER || record->who == LP_WHO_CURRENT ||
	       (record->socket.flags & LP_F_LISTENER_CLOSING);
}

static void note_destroyer(struct pending *p, const struct lp_task *task)
{
	struct owner_evidence *e = &p->evidence;

	e->destroyed = true;
	e->destroyer = *task;
	/* an exit or exec after the event did not end the connection */
	e->destroyer.exiting = e->destroyer.executing = 0;
	if (!lineage_at(&e->lineage, p->event->record->time_ns, &e->destroyer))
		e->destroyer = (struct lp_task){0};
}

static void join(struct pending_list *list, struct pending *p, const struct lp_record *record)
{
	if (proves_owner(record)) {
		note_destroyer(p, &record->task);
	} else if (record->kind == LP_KIND_RESET_SENT && p->waits_for_reset) {
		p->event->reset_after = true;
		p->waits_for_reset = false;
		event_record(p->event)->reset_reason = record->reset_reason;
	}
	settle(list, p);
}

/* The peer's FIN and the close may wait for the same owner. Without cookies (5.10) the address may have belonged to
 * another socket before: the record means the newest one, and its inode tells which events are of that socket. */
void pending_join(struct pending_list *list, const struct lp_record *record)
{
	struct pending *p = table_find(&list->table, record->socket.sk), *next;
	__u64 inode;

	if (!proves_owner(record) && record->kind != LP_KIND_RESET_SENT)
		return;
	while (p && !is_of(p, record))
		p = table_next(p);
	for (inode = p ? p->event->record->socket.inode : 0; p; p = next) {
		next = table_next(p);
		if (is_of(p, record) && p->event->record->socket.inode == inode)
			join(list, p, record);
	}
}

void pending_add(struct pending_list *list, struct event *event, pending_done *done, void *context)
{
	const struct lp_record *record = event->record;
	struct pending *p = calloc(1, sizeof(*p));

	pending_join(list, record);
	if (list->count == PENDING_MAX)
		settle_now(list, TAILQ_FIRST(&list->all));
	if (!p) { /* out of memory: report it without its owner */
		event->owner = (struct owner){.unknown = UNKNOWN_NOT_SEEN};
		done(context, event);
		return;
	}
	*p = (struct pending){
		.event = event,
		.done = done,
		.context = context,
		.waits_for_reset = judge_waits_for_reset(record),
		/* counted from when the kernel saw it: if the agent is late, it need not wait again */
		.arrived_ns = record->time_ns,
		.destroyer_by_ns = record->time_ns + DESTROYER_WAIT_NS,
		.exec_by_ns = record->time_ns + EXEC_WAIT_NS,
		.evidence =
			{
				.can_search = kernel_features(list->kernel)->iterator_of_one,
				.since_ns = list->since_ns,
				.lineage = pending_lineage(list),
				.last_fork = last_fork,
				.fork_context = list->kernel,
			},
	};
	TAILQ_INSERT_TAIL(&list->all, p, in_order);
	table_add(&list->table, p, record->socket.sk);
	list->count++;
	settle(list, p);
}

static void note_more(struct owner_evidence *e, const struct lp_task *task)
{
	if (e->found_more)
		shared_keep_task(&e->more, task);
	else
		e->more = *task;
	e->found_more = true;
}

static struct owner_found *found_slot(struct owner_evidence *e, const struct lp_task *task)
{
	for (unsigned i = 0; i < e->n_found && i < OWNER_HOLDERS_MAX; i++)
		if (e->found[i].task.tgid == task->tgid)
			return &e->found[i];
	if (!e->found)
		e->found = calloc(OWNER_HOLDERS_MAX, sizeof(*e->found));
	if (!e->found || e->n_found >= OWNER_HOLDERS_MAX) {
		note_more(e, task);
		return NULL;
	}
	e->found[e->n_found].task = *task;
	e->found[e->n_found].task.exiting = 0; /* as for a destroyer */
	return &e->found[e->n_found++];
}

/* One that began after the event stands for the process that forked it, which had at least one descriptor. */
static void note_found(struct pending *p, const struct lp_task *holder)
{
	struct owner_evidence *e = &p->evidence;
	struct lp_task task = *holder;
	struct owner_found *slot;

	if (!lineage_at(&e->lineage, p->event->record->time_ns, &task))
		return;
	lineage_name_at(&e->lineage, p->event->record->time_ns, &task);
	slot = found_slot(e, &task);
	if (slot && (task.tgid == holder->tgid || !slot->fds))
		slot->fds++;
}

static __u64 key_of(const struct pending *p)
{
	if (owner_is_listener(p->event->record))
		return open_files_listener_key(p->event->record->socket.netns, p->event->record->socket.local_port);
	return p->event->record->socket.sk;
}

/* One round of evidence, for the events that need `need`: in the files of process tgid, or of all processes (0). */
struct round {
	struct pending_list *list;
	enum owner_need need;
	__u32 tgid;
	size_t n;
	__u64 keys[LP_SOUGHT_MAX];
	struct pending *who[LP_SOUGHT_MAX];
};

static void note_holder(void *context, const struct lp_holder *holder)
{
	struct round *round = context;

	for (size_t i = 0; i < round->n; i++) {
		if (round->keys[i] != holder->key)
			continue;
		if (!holder->listening && round->who[i]->event->record->socket.inode != holder->inode)
			continue; /* another socket has that address now */
		note_found(round->who[i], &holder->task);
	}
}

static void gather(struct round *round)
{
	struct pending *p;

	round->n = 0;
	TAILQ_FOREACH(p, &round->list->all, in_order) {
		if (round->n == LP_SOUGHT_MAX)
			break;
		if (p->need != round->need || (round->tgid && p->event->record->task.tgid != round->tgid))
			continue;
		round->keys[round->n] = key_of(p);
		round->who[round->n++] = p;
		free(p->evidence.found); /* this round finds again what an earlier one found */
		p->evidence.found = NULL;
		p->evidence.n_found = 0;
		p->evidence.found_more = false;
	}
}

static void run_round(struct round *round)
{
	int err;

	gather(round);
	err = open_files_find(round->list->kernel, round->tgid, round->keys, round->n, note_holder, round);
	for (size_t i = 0; i < round->n; i++) {
		struct owner_evidence *e = &round->who[i]->evidence;

		e->searched = true;
		if (!round->tgid) {
			e->walked = true;
			e->walk_failed = err != 0;
		}
		if (e->walked && !e->n_found && !e->destroyed) {
			e->waited = false;
			round->who[i]->destroyer_by_ns = clock_monotonic_ns() + LAST_WAIT_NS;
		}
		settle(round->list, round->who[i]);
	}
}

static struct pending *first_that_needs(const struct pending_list *list, enum owner_need need)
{
	struct pending *p;

	TAILQ_FOREACH(p, &list->all, in_order)
		if (p->need == need)
			break;
	return p;
}

/* Searches one process after another, within a fifth of the time. */
static void search(struct pending_list *list, struct round *round)
{
	struct pending *p;
	__u64 begun, took;

	round->need = NEED_SEARCH;
	while ((p = first_that_needs(list, NEED_SEARCH)) && clock_monotonic_ns() >= list->next_search_ns) {
		begun = clock_monotonic_ns();
		round->tgid = p->event->record->task.tgid;
		run_round(round);
		took = clock_monotonic_ns() - begun;
		list->next_search_ns = took > CLOCK_MS ? begun + 5 * took : 0;
	}
}

static void walk(struct pending_list *list, struct round *round)
{
	if (!first_that_needs(list, NEED_WALK) || clock_monotonic_ns() < list->next_walk_ns)
		return;
	round->need = NEED_WALK;
	round->tgid = 0;
	run_round(round);
	list->next_walk_ns = clock_monotonic_ns() + WALK_INTERVAL_NS;
}

static void end_waits(struct pending_list *list, __u64 now_ns)
{
	struct pending *p, *next;

	for (p = TAILQ_FIRST(&list->all); p; p = next) {
		next = TAILQ_NEXT(p, in_order);
		if (p->waits_for_reset && now_ns >= p->arrived_ns + RESET_WAIT_NS) {
			p->waits_for_reset = false;
			settle(list, p);
		} else if (p->need == NEED_DESTROYER && now_ns >= p->destroyer_by_ns) {
			p->evidence.waited = true;
			settle(list, p);
		} else if (p->need == NEED_EXEC && now_ns >= p->exec_look_ns) {
			p->evidence.exec_waited = now_ns >= p->exec_by_ns;
			settle(list, p);
		}
	}
}

void pending_tick(struct pending_list *list, __u64 now_ns)
{
	static struct round round; /* 64 KiB: not for the stack */

	round.list = list;
	end_waits(list, now_ns);
	search(list, &round);
	walk(list, &round);
}

void pending_finish(struct pending_list *list)
{
	struct pending *p, *next;

	list->next_search_ns = list->next_walk_ns = 0;
	while (!TAILQ_EMPTY(&list->all)) {
		for (p = TAILQ_FIRST(&list->all); p; p = next) {
			next = TAILQ_NEXT(p, in_order);
			p->waits_for_reset = false;
			p->evidence.waited = p->evidence.exec_waited = true;
			settle(list, p);
		}
		list->next_search_ns = list->next_walk_ns = 0;
		pending_tick(list, clock_monotonic_ns());
	}
}

static __u64 due(const struct pending_list *list, const struct pending *p)
{
	__u64 reset = p->arrived_ns + RESET_WAIT_NS;

	switch (p->need) {
	case NEED_NOTHING:
		return reset;
	case NEED_DESTROYER:
		return p->waits_for_reset ? reset : p->destroyer_by_ns;
	case NEED_EXEC:
		return p->waits_for_reset ? reset : p->exec_look_ns;
	case NEED_SEARCH:
		return list->next_search_ns ? list->next_search_ns : 1;
	default:
		return list->next_walk_ns ? list->next_walk_ns : 1;
	}
}

__u64 pending_deadline(const struct pending_list *list)
{
	const struct pending *p;
	__u64 earliest = 0;

	TAILQ_FOREACH(p, &list->all, in_order)
		earliest = clock_earlier(earliest, due(list, p));
	return earliest;
}

unsigned pending_count(const struct pending_list *list)
{
	return list->count;
}
