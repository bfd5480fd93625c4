/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial of the owner rule: one record, the evidence about it, and checks of the decision. */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"
#include "facts.h"
#include "who/owner.h"

#define BOOT_AHEAD (5 * CLOCK_SECOND)       /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
#define AGENT_STARTED (1000 * CLOCK_SECOND) /* CLOCK_MONOTONIC */
#define BORN (2000 * CLOCK_SECOND)          /* the connection, CLOCK_MONOTONIC */

enum person {
	NOBODY,
	BIRTH, /* connected, or listened, or held the socket at the start */
	OTHER,
	THIRD,
	REUSED, /* has the pid of BIRTH, which has ended */
	CHILD,  /* started after the connection, forked by `forker` */
};

struct trial {
	struct lp_record record;
	struct owner_evidence evidence;
	struct owner_found found[OWNER_HOLDERS_MAX];
	struct owner owner;
	__u64 birth_forked_ns, other_forked_ns;
	enum person forker;            /* of CHILD; NOBODY: not known */
	__u64 child_executed_after_ns; /* 0: it has not */
	enum process_state child_state;
};

static inline struct lp_task task_of(enum person person)
{
	switch (person) {
	case NOBODY:
		break;
	case BIRTH:
		return (struct lp_task){.tgid = 100, .start_boot_ns = 50 * CLOCK_SECOND, .comm = "birth", .uid = 33};
	case OTHER:
		return (struct lp_task){.tgid = 200, .start_boot_ns = 60 * CLOCK_SECOND, .comm = "other"};
	case THIRD:
		return (struct lp_task){.tgid = 300, .start_boot_ns = 70 * CLOCK_SECOND, .comm = "third"};
	case REUSED:
		return (struct lp_task){.tgid = 100, .start_boot_ns = 3000 * CLOCK_SECOND, .comm = "reused"};
	case CHILD:
		return (struct lp_task){
			.tgid = 400, .start_boot_ns = BORN + BOOT_AHEAD + 1, .comm = "child", .forked = 1};
	}
	return (struct lp_task){0};
}

static inline __u64 last_fork(void *context, __u32 tgid)
{
	const struct trial *t = context;

	return tgid == 100 ? t->birth_forked_ns : tgid == 200 ? t->other_forked_ns : 0;
}

static inline bool past(void *context, const struct lp_task *task, struct lp_past *past)
{
	const struct trial *t = context;

	*past = (struct lp_past){.start_boot_ns = task->start_boot_ns};
	if (task->tgid != 400)
		return false;
	past->forker = task_of(t->forker);
	past->exec_after_ns = t->child_executed_after_ns;
	past->n_execs = t->child_executed_after_ns != 0;
	return true;
}

static inline enum process_state state_of(void *context, const struct lp_task *task, __u64 *ran_ns)
{
	const struct trial *t = context;

	(void)task;
	*ran_ns = 0;
	return t->child_state;
}

static inline int set_up(void **state)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	t->evidence.can_search = true;
	t->evidence.found = t->found;
	t->evidence.since_ns = AGENT_STARTED;
	t->evidence.lineage = (struct lineage){past, state_of, t, BOOT_AHEAD};
	t->child_state = PROCESS_AWAKE;
	t->evidence.now_ns = BORN + 20 * CLOCK_MS;
	t->evidence.last_fork = last_fork;
	t->evidence.fork_context = t;
	*state = t;
	return 0;
}

static inline int tear_down(void **state)
{
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Makes a record of `facts` that has `person` in the role `who`. */
static inline void given(struct trial *t, enum lp_who who, enum person person, struct facts facts)
{
	t->record = record_of(&facts);
	t->record.who = (__u8)who;
	t->record.born_ns = BORN;
	t->record.task = task_of(person);
}

#define PERSONS(...)                                                                                                   \
	(const enum person[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

/* A look at BIRTH alone found n processes with `fds` descriptors each; walk_found(): a walk over all processes did. */
static inline void found(struct trial *t, unsigned n, const enum person persons[], unsigned fds)
{
	t->evidence.searched = true;
	t->evidence.n_found = n;
	for (unsigned i = 0; i < n; i++)
		t->found[i] = (struct owner_found){task_of(persons[i]), fds};
}

static inline void walk_found(struct trial *t, unsigned n, const enum person persons[], unsigned fds)
{
	found(t, n, persons, fds);
	t->evidence.walked = true;
}

static inline void destroyed_by(struct trial *t, enum person person)
{
	t->evidence.destroyed = true;
	t->evidence.destroyer = task_of(person);
}

static inline void needs(struct trial *t, enum owner_need need)
{
	assert_int_equal(owner_decide(&t->record, &t->evidence, &t->owner), need);
}

static inline void names(struct trial *t, enum person person, enum owner_via via)
{
	struct lp_task task = task_of(person);

	needs(t, NEED_NOTHING);
	assert_string_equal(unknown_name(t->owner.unknown), "");
	assert_string_equal(via_name(t->owner.via), via_name(via));
	assert_memory_equal(&t->owner.process, &task, sizeof(task));
}

static inline void names_nobody(struct trial *t, enum owner_unknown why)
{
	needs(t, NEED_NOTHING);
	assert_string_equal(via_name(t->owner.via), "");
	assert_string_equal(unknown_name(t->owner.unknown), unknown_name(why));
	assert_int_equal(t->owner.process.tgid, 0);
}

/* The last decision's owner.holders are these. */
static inline void lists(const struct trial *t, unsigned n, const enum person persons[])
{
	assert_int_equal(t->owner.n_holders, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(t->owner.holders[i].tgid, task_of(persons[i]).tgid);
}

#define LISTS_NOBODY(t) lists(t, 0, NULL)

#endif
