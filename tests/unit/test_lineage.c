/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a process was at an event that it is seen after. */
#include "who/lineage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define BOOT_AHEAD (5 * CLOCK_SECOND)
#define EVENT (1000 * CLOCK_SECOND) /* CLOCK_MONOTONIC */

static struct lp_past pasts[4];
static size_t n_pasts;

/* Process n began `after_ms` after the event. */
static struct lp_task process(__u32 n, long long after_ms)
{
	return (struct lp_task){.tgid = n,
				.start_boot_ns = EVENT + BOOT_AHEAD + (__u64)(after_ms * (long long)CLOCK_MS),
				.comm = "now",
				.forked = 1};
}

static bool past(void *context, const struct lp_task *task, struct lp_past *found)
{
	(void)context;
	for (size_t i = 0; i < n_pasts; i++) {
		if (pasts[i].start_boot_ns != task->start_boot_ns)
			continue;
		*found = pasts[i];
		return true;
	}
	return false;
}

static struct {
	enum process_state state;
	__u64 ran_ns;
	struct lp_past *executes; /* while its state is read */
} now;

static enum process_state state_now(void *context, const struct lp_task *task, __u64 *ran_ns)
{
	(void)context;
	(void)task;
	*ran_ns = now.ran_ns;
	if (now.executes)
		now.executes->n_execs++;
	return now.state;
}

static const struct lineage lineage = {past, state_now, NULL, BOOT_AHEAD};

static struct lp_past *forked(struct lp_task child, struct lp_task parent)
{
	pasts[n_pasts] = (struct lp_past){.start_boot_ns = child.start_boot_ns, .forker = parent};
	return &pasts[n_pasts++];
}

static void executed(struct lp_past *p, long long after_ms, const char *comm)
{
	__u64 time_ns = EVENT + (__u64)(after_ms * (long long)CLOCK_MS);

	p->execs[p->n_execs % LP_PAST_EXECS].time_ns = time_ns;
	strcpy(p->execs[p->n_execs++ % LP_PAST_EXECS].comm, comm);
}

static int forget(void **state)
{
	(void)state;
	n_pasts = 0;
	now.state = PROCESS_AWAKE;
	now.ran_ns = 0;
	now.executes = NULL;
	return 0;
}

static __u32 holder_at_event(struct lp_task task)
{
	return lineage_at(&lineage, EVENT, &task) ? task.tgid : 0;
}

static void test_a_process_that_had_begun_is_itself(void **state)
{
	(void)state;
	forked(process(2, -10), process(1, -20));
	assert_int_equal(holder_at_event(process(2, -10)), 2);
	assert_int_equal(holder_at_event(process(2, 0)), 2);
}

static void test_a_process_that_began_later_stands_for_its_forker(void **state)
{
	(void)state;
	forked(process(2, 10), process(1, -20));
	assert_int_equal(holder_at_event(process(2, 10)), 1);
	forked(process(3, 20), process(2, 10));
	assert_int_equal(holder_at_event(process(3, 20)), 1);
}

static void test_a_process_of_unknown_descent_that_began_later_is_no_evidence(void **state)
{
	(void)state;
	assert_int_equal(holder_at_event(process(2, 10)), 0);
	forked(process(3, 20), process(2, 10));
	assert_int_equal(holder_at_event(process(3, 20)), 0);
	forked(process(4, 30), (struct lp_task){0});
	assert_int_equal(holder_at_event(process(4, 30)), 0);
}

static enum lineage_exec exec_of(struct lp_task child, __u64 now_ns)
{
	struct lp_task forker = {0};
	enum lineage_exec exec = lineage_exec(&lineage, &child, now_ns, &forker);

	if (exec == EXEC_ONLY)
		assert_int_equal(forker.tgid, 1);
	return exec;
}

/* However long that takes by the clock. */
static void test_a_child_that_executes_after_little_time_of_its_own(void **state)
{
	struct lp_task child = process(2, -10);
	struct lp_past *p = forked(child, process(1, -20));

	(void)state;
	assert_int_equal(exec_of(child, EVENT), EXEC_MAYBE);
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_MAYBE);
	executed(p, 5000, "before");
	p->exec_after_ns = LINEAGE_EXEC_NS - 1;
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_ONLY);
	p->exec_after_ns = LINEAGE_EXEC_NS;
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_NOT);
	p->exec_after_ns = 0;
	child.forked = 0; /* it was seen after that */
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_NOT);
}

static void test_a_child_that_does_not_execute(void **state)
{
	struct lp_task child = process(2, 0);
	struct lp_past *p = forked(child, process(1, -20));

	(void)state;
	now.state = PROCESS_ASLEEP;
	assert_int_equal(exec_of(child, EVENT + LINEAGE_SLEEP_NS - 1), EXEC_MAYBE);
	assert_int_equal(exec_of(child, EVENT + LINEAGE_SLEEP_NS), EXEC_NOT);
	now.state = PROCESS_AWAKE;
	now.ran_ns = LINEAGE_EXEC_NS;
	assert_int_equal(exec_of(child, EVENT + 2 * CLOCK_SECOND), EXEC_NOT);
	now.state = PROCESS_OVER;
	assert_int_equal(exec_of(child, EVENT), EXEC_NOT);
	now.executes = p;
	assert_int_equal(exec_of(child, EVENT), EXEC_ONLY);
	child.exiting = 1;
	p->n_execs = 0;
	assert_int_equal(exec_of(child, EVENT), EXEC_NOT);
}

static void test_a_child_that_shares_memory_acts_for_its_forker(void **state)
{
	struct lp_task child = process(2, -10);
	struct lp_past *p = forked(child, process(1, -20));

	(void)state;
	p->shares_memory = 1;
	now.state = PROCESS_ASLEEP;
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_ONLY);
	child.exiting = 1; /* it found no program */
	assert_int_equal(exec_of(child, EVENT + 5 * CLOCK_SECOND), EXEC_ONLY);
	child.exiting = 0;
	executed(p, 5000, "before");
	p->exec_after_ns = 5 * CLOCK_SECOND;
	assert_int_equal(exec_of(child, EVENT + 6 * CLOCK_SECOND), EXEC_ONLY);
	child.forked = 0;
	assert_int_equal(exec_of(child, EVENT + 6 * CLOCK_SECOND), EXEC_NOT);
}

static void test_a_closer_that_may_execute_a_program(void **state)
{
	struct lp_task child = process(2, -10);

	(void)state;
	forked(child, process(1, -20))->shares_memory = 1;
	assert_true(lineage_closer(&lineage, &child, EVENT, EVENT)); /* it was there before the connection */
	assert_int_equal(child.tgid, 2);
	assert_true(lineage_closer(&lineage, &child, EVENT - CLOCK_SECOND, EVENT));
	assert_int_equal(child.tgid, 1);
	child = process(3, -9);
	forked(child, process(1, -20));
	assert_false(lineage_closer(&lineage, &child, 0, EVENT));
	now.state = PROCESS_OVER;
	assert_true(lineage_closer(&lineage, &child, 0, EVENT));
	assert_int_equal(child.tgid, 3);
}

static void assert_name(struct lp_task task, const char *comm, bool has_executed)
{
	assert_int_equal(lineage_has_executed(&lineage, EVENT, &task), has_executed);
	lineage_name_at(&lineage, EVENT, &task);
	assert_string_equal(task.comm, comm);
}

static void test_the_name_is_that_before_the_first_exec_since(void **state)
{
	struct lp_past *p = forked(process(2, -500), process(1, -900));

	(void)state;
	assert_name(process(2, -500), "now", false);
	executed(p, -400, "shell");
	assert_name(process(2, -500), "now", false);
	executed(p, 5, "server");
	assert_name(process(2, -500), "server", true);
	executed(p, 6, "wrapper");
	assert_name(process(2, -500), "", true); /* "server" is forgotten, and may not have been the first */
	assert_name(process(3, -100), "now", false);
}

static void test_the_name_before_the_first_two_execs(void **state)
{
	struct lp_past *p = forked(process(2, -500), process(1, -900));

	(void)state;
	executed(p, 5, "server");
	executed(p, 6, "wrapper");
	assert_name(process(2, -500), "server", true);
}

static void test_one_that_closes_by_executing_has_executed(void **state)
{
	struct lp_task task = process(2, -500);

	(void)state;
	task.executing = 1;
	assert_true(lineage_has_executed(&lineage, EVENT, &task));
}

#define TEST(f) cmocka_unit_test_setup(f, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_process_that_had_begun_is_itself),
		TEST(test_a_process_that_began_later_stands_for_its_forker),
		TEST(test_a_process_of_unknown_descent_that_began_later_is_no_evidence),
		TEST(test_a_child_that_executes_after_little_time_of_its_own),
		TEST(test_a_child_that_does_not_execute),
		TEST(test_a_child_that_shares_memory_acts_for_its_forker),
		TEST(test_a_closer_that_may_execute_a_program),
		TEST(test_the_name_is_that_before_the_first_exec_since),
		TEST(test_the_name_before_the_first_two_execs),
		TEST(test_one_that_closes_by_executing_has_executed),
	};

	return cmocka_run_group_tests_name("lineage", tests, NULL, NULL);
}
