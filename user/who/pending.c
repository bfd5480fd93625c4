/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/pending.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "event/judge.h"
#include "kernel/kernel.h"
#include "kernel/open_files.h"
#include "kernel/remembered.h"
#include "who/owner.h"

#define RESET_WAIT_NS (1 * CLOCK_MS)     /* the RST goes out in the same softirq as the close */
#define DESTROYER_WAIT_NS (5 * CLOCK_MS) /* an application that is told of an error usually closes within this */
/* After a walk that found nobody: the owner is just letting go, and may be preempted there. */
#define LAST_WAIT_NS (50 * CLOCK_MS)
#define WALK_INTERVAL_NS (250 * CLOCK_MS)
#define BUCKETS 4096

struct pending {
	struct pending *next, *previous; /* oldest first */
	struct pending *chain;           /* of its bucket */
	struct lp_record record;
	struct owner_evidence evidence;
	enum owner_need need;
	__u64 arrived_ns;
	__u64 destroyer_by_ns; /* until when a destroyer is waited for */
	bool waits_for_reset;
	bool reset_after;
};

struct pending_list {
	struct kernel *kernel;
	pending_done *done;
	void *context;
	struct pending *oldest, *newest;
	unsigned count;
	struct pending *buckets[BUCKETS];
	__u64 since_ns;
	__u64 next_look_ns, next_walk_ns;
};

static unsigned bucket_of(__u64 sk)
{
	return (unsigned)(sk >> 6) * 2654435761u >> 20;
}

/* Where forks are not seen, anybody may have forked just now. */
static __u64 last_fork(void *kernel, __u32 tgid)
{
	return kernel_features(kernel)->fork ? remembered_last_fork(kernel, tgid) : UINT64_MAX;
}

struct pending_list *pending_new(struct kernel *kernel, pending_done *done, void *context)
{
	struct pending_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->kernel = kernel;
	list->done = done;
	list->context = context;
	list->since_ns = clock_monotonic_ns();
	return list;
}

static void unlink_pending(struct pending_list *list, struct pending *p)
{
	struct pending **slot = &list->buckets[bucket_of(p->record.socket.sk)];

	while (*slot != p)
		slot = &(*slot)->chain;
	*slot = p->chain;
	*(p->previous ? &p->previous->next : &list->oldest) = p->next;
	*(p->next ? &p->next->previous : &list->newest) = p->previous;
	list->count--;
}

static void free_pending(struct pending *p)
{
	free(p->evidence.found);
	free(p);
}

void pending_free(struct pending_list *list)
{
	struct pending *next;

	if (!list)
		return;
	for (struct pending *p = list->oldest; p; p = next) {
		next = p->next;
		free_pending(p);
	}
	free(list);
}

static void tell(struct pending_list *list, struct pending *p, const struct owner *owner)
{
	unlink_pending(list, p);
	list->done(list->context, &p->record, p->reset_after, owner);
	free_pending(p);
}

/* Tells it if nothing is missing any more. */
static void settle(struct pending_list *list, struct pending *p)
{
	struct owner owner;

	p->need = owner_decide(&p->record, &p->evidence, &owner);
	if (p->need == NEED_NOTHING && !p->waits_for_reset)
		tell(list, p, &owner);
}

/* Without any further evidence: who has not been looked for is not gone. */
static void settle_now(struct pending_list *list, struct pending *p)
{
	struct owner owner;

	p->evidence.waited = p->evidence.looked = p->evidence.walked = true;
	owner_decide(&p->record, &p->evidence, &owner);
	if (!owner.via)
		owner = (struct owner){.unknown = UNKNOWN_NOT_SEEN};
	tell(list, p, &owner);
}

static struct pending *new_pending(const struct pending_list *list, const struct lp_record *record)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->record = *record;
	p->waits_for_reset = cause_waits_for_reset(record);
	p->evidence.can_look = kernel_features(list->kernel)->iterator_of_one;
	p->evidence.since_ns = list->since_ns;
	p->evidence.boot_ahead_ns = clock_boot_ahead_ns();
	p->evidence.last_fork = last_fork;
	p->evidence.fork_context = list->kernel;
	return p;
}

static bool is_of(const struct pending *p, const struct lp_record *record)
{
	return p->record.socket.sk == record->socket.sk && p->record.socket.cookie == record->socket.cookie;
}

/* What a record proves of an earlier one of its socket, the peer's FIN, say: who was at work on it. */
static bool proves_owner(const struct lp_record *record)
{
	return record->kind == LP_KIND_OWNER || record->who == LP_WHO_CURRENT ||
	       (record->socket.flags & LP_F_LISTENER_CLOSING);
}

static void join(struct pending_list *list, struct pending *p, const struct lp_record *record)
{
	if (proves_owner(record)) {
		p->evidence.destroyed = true;
		p->evidence.destroyer = record->task;
		p->evidence.destroyer.exiting = 0; /* it may exit now; that is not what ended the connection */
	} else if (record->kind == LP_KIND_RESET_SENT && p->waits_for_reset) {
		p->reset_after = true;
		p->waits_for_reset = false;
		p->record.reset_reason = record->reset_reason;
	}
	settle(list, p);
}

/* The peer's FIN and the close may wait for the same owner. Without cookies (5.10) the address may have been another
 * socket's before: the newest is the one that is meant, and its inode tells which are of it. */
void pending_join(struct pending_list *list, const struct lp_record *record)
{
	struct pending *next, *newest = list->buckets[bucket_of(record->socket.sk)];
	__u64 inode;

	if (!proves_owner(record) && record->kind != LP_KIND_RESET_SENT)
		return;
	while (newest && !is_of(newest, record))
		newest = newest->chain;
	inode = newest ? newest->record.socket.inode : 0;
	for (struct pending *p = newest; p; p = next) {
		next = p->chain;
		if (is_of(p, record) && p->record.socket.inode == inode)
			join(list, p, record);
	}
}

void pending_add(struct pending_list *list, const struct lp_record *record)
{
	unsigned bucket = bucket_of(record->socket.sk);
	struct owner nobody = {.unknown = UNKNOWN_NOT_SEEN};
	struct pending *p;

	pending_join(list, record);
	if (list->count == PENDING_MAX)
		settle_now(list, list->oldest);
	p = new_pending(list, record);
	if (!p) { /* out of memory: told without its owner rather than not at all */
		list->done(list->context, record, false, &nobody);
		return;
	}
	/* from when the kernel saw it: what was to come has come if the agent was late */
	p->arrived_ns = record->time_ns;
	p->destroyer_by_ns = record->time_ns + DESTROYER_WAIT_NS;
	p->previous = list->newest;
	*(list->newest ? &list->newest->next : &list->oldest) = p;
	list->newest = p;
	p->chain = list->buckets[bucket];
	list->buckets[bucket] = p;
	list->count++;
	settle(list, p);
}

static struct owner_found *found_slot(struct owner_evidence *e, const struct lp_task *task)
{
	for (unsigned i = 0; i < e->n_found && i < OWNER_HOLDERS_MAX; i++)
		if (e->found[i].task.tgid == task->tgid)
			return &e->found[i];
	if (!e->found)
		e->found = calloc(OWNER_HOLDERS_MAX, sizeof(*e->found));
	if (!e->found || e->n_found >= OWNER_HOLDERS_MAX)
		return NULL;
	e->found[e->n_found].task = *task;
	e->found[e->n_found].task.exiting = 0; /* as with a destroyer */
	return &e->found[e->n_found++];
}

static __u64 key_of(const struct pending *p)
{
	if (owner_is_listener(&p->record))
		return open_files_listener_key(p->record.socket.netns, p->record.socket.local_port);
	return p->record.socket.sk;
}

/* One round of evidence: for those that need `need`, of process tgid or (0) of all. */
struct round {
	struct pending_list *list;
	enum owner_need need;
	__u32 tgid;
	size_t n;
	__u64 keys[OPEN_FILES_SOUGHT_MAX];
	struct pending *who[OPEN_FILES_SOUGHT_MAX];
};

static void note_holder(void *context, const struct lp_holder *holder)
{
	struct round *round = context;
	struct owner_found *slot;

	for (size_t i = 0; i < round->n; i++) {
		if (round->keys[i] != holder->key)
			continue;
		if (!holder->listening && round->who[i]->record.socket.inode != holder->inode)
			continue; /* the socket is gone, and another one has its address */
		slot = found_slot(&round->who[i]->evidence, &holder->task);
		if (slot)
			slot->fds++;
	}
}

static void gather(struct round *round)
{
	round->n = 0;
	for (struct pending *p = round->list->oldest; p && round->n < OPEN_FILES_SOUGHT_MAX; p = p->next) {
		if (p->need != round->need || (round->tgid && p->record.task.tgid != round->tgid))
			continue;
		round->keys[round->n] = key_of(p);
		round->who[round->n++] = p;
		free(p->evidence.found); /* what an earlier look found is found again */
		p->evidence.found = NULL;
		p->evidence.n_found = 0;
	}
}

static void run_round(struct round *round)
{
	int err;

	gather(round);
	err = open_files_find(round->list->kernel, round->tgid, round->keys, round->n, note_holder, round);
	for (size_t i = 0; i < round->n; i++) {
		struct owner_evidence *e = &round->who[i]->evidence;

		e->looked = true;
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
	struct pending *p = list->oldest;

	while (p && p->need != need)
		p = p->next;
	return p;
}

/* Looks at one process after another, as long as that stays within a fifth of the time. */
static void look(struct pending_list *list, struct round *round)
{
	struct pending *p;
	__u64 begun, took;

	round->need = NEED_LOOK;
	while ((p = first_that_needs(list, NEED_LOOK)) && clock_monotonic_ns() >= list->next_look_ns) {
		begun = clock_monotonic_ns();
		round->tgid = p->record.task.tgid;
		run_round(round);
		took = clock_monotonic_ns() - begun;
		list->next_look_ns = took > CLOCK_MS ? begun + 5 * took : 0;
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
	struct pending *next;

	for (struct pending *p = list->oldest; p; p = next) {
		next = p->next;
		if (p->waits_for_reset && now_ns >= p->arrived_ns + RESET_WAIT_NS) {
			p->waits_for_reset = false;
			settle(list, p);
		} else if (p->need == NEED_DESTROYER && now_ns >= p->destroyer_by_ns) {
			p->evidence.waited = true;
			settle(list, p);
		}
	}
}

void pending_tick(struct pending_list *list, __u64 now_ns)
{
	static struct round round; /* 64 KiB: not for the stack */

	round.list = list;
	end_waits(list, now_ns);
	look(list, &round);
	walk(list, &round);
}

void pending_finish(struct pending_list *list)
{
	list->next_look_ns = list->next_walk_ns = 0;
	while (list->oldest) {
		for (struct pending *p = list->oldest, *next; p; p = next) {
			next = p->next;
			p->waits_for_reset = false;
			p->evidence.waited = true;
			settle(list, p);
		}
		list->next_look_ns = list->next_walk_ns = 0;
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
	case NEED_LOOK:
		return list->next_look_ns ? list->next_look_ns : 1;
	default:
		return list->next_walk_ns ? list->next_walk_ns : 1;
	}
}

__u64 pending_deadline(const struct pending_list *list)
{
	__u64 earliest = 0;

	for (const struct pending *p = list->oldest; p; p = p->next)
		earliest = clock_earlier(earliest, due(list, p));
	return earliest;
}

unsigned pending_count(const struct pending_list *list)
{
	return list->count;
}
