/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/lineage.h"

#include <string.h>

#define GENERATIONS_MAX 16 /* forked one after another in less than a second */

static bool has_begun(const struct lineage *l, __u64 time_ns, const struct lp_task *task)
{
	return task->start_boot_ns <= time_ns + l->boot_ahead_ns;
}

bool lineage_at(const struct lineage *l, __u64 time_ns, struct lp_task *task)
{
	struct lp_past past;

	for (int i = 0; i < GENERATIONS_MAX; i++) {
		if (has_begun(l, time_ns, task))
			return true;
		if (!l->past(l->context, task, &past) || !past.forker.tgid)
			return false;
		*task = past.forker;
	}
	return false;
}

static bool may_execute(const struct lineage *l, const struct lp_task *task, __u64 now_ns)
{
	__u64 ran_ns;

	switch (l->state(l->context, task, &ran_ns)) {
	case PROCESS_ASLEEP:
		return now_ns + l->boot_ahead_ns < task->start_boot_ns + LINEAGE_SLEEP_NS;
	case PROCESS_AWAKE:
		return ran_ns < LINEAGE_EXEC_NS;
	default:
		return false;
	}
}

enum lineage_exec lineage_exec(const struct lineage *l, const struct lp_task *task, __u64 now_ns,
			       struct lp_task *forker)
{
	struct lp_past past;

	if (!task->forked || !l->past(l->context, task, &past) || !past.forker.tgid)
		return EXEC_NOT;
	*forker = past.forker;
	if (past.shares_memory)
		return EXEC_ONLY;
	if (!past.n_execs && !task->exiting) {
		if (may_execute(l, task, now_ns))
			return EXEC_MAYBE;
		l->past(l->context, task, &past); /* it may have executed one and ended since */
	}
	return past.n_execs && past.exec_after_ns < LINEAGE_EXEC_NS ? EXEC_ONLY : EXEC_NOT;
}

bool lineage_closer(const struct lineage *l, struct lp_task *task, __u64 born_ns, __u64 now_ns)
{
	struct lp_task forker;

	if (born_ns && has_begun(l, born_ns, task))
		return true;
	switch (lineage_exec(l, task, now_ns, &forker)) {
	case EXEC_ONLY:
		*task = forker;
		return true;
	case EXEC_MAYBE:
		return false;
	default:
		return true;
	}
}

/* The number of the first exec after time_ns, n_execs: none. False: it is not remembered any more. */
static bool first_exec_after(const struct lp_past *past, __u64 time_ns, __u32 *number)
{
	__u32 oldest = past->n_execs > LP_PAST_EXECS ? past->n_execs - LP_PAST_EXECS : 0, n = past->n_execs;

	while (n > oldest && past->execs[(n - 1) % LP_PAST_EXECS].time_ns > time_ns)
		n--;
	*number = n;
	return !oldest || n > oldest;
}

void lineage_name_at(const struct lineage *l, __u64 time_ns, struct lp_task *task)
{
	struct lp_past past;
	__u32 n;

	if (!l->past(l->context, task, &past))
		return;
	if (!first_exec_after(&past, time_ns, &n))
		memset(task->comm, 0, LP_COMM_LEN);
	else if (n < past.n_execs)
		memcpy(task->comm, past.execs[n % LP_PAST_EXECS].comm, LP_COMM_LEN);
}

bool lineage_has_executed(const struct lineage *l, __u64 time_ns, const struct lp_task *task)
{
	struct lp_past past;
	__u32 n;

	if (task->executing)
		return true;
	return l->past(l->context, task, &past) && (!first_exec_after(&past, time_ns, &n) || n < past.n_execs);
}
