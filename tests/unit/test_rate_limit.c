/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rate limit of an owner, on a clock of the test: what it lets pass, what it merges, and that nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "filter/rate_limit.h"
#include "grouping.h"

/* A different port each time, so the events are not grouped by kind. */
static bool take_next_port(void)
{
	sample.record.socket.peer_port++;
	return take();
}

static void test_rate(void **state)
{
	(void)state;
	begin(WINDOW, 10);
	for (int i = 0; i < 500; i++)
		assert_int_equal(take_next_port(), i < 100); /* the rate of ten seconds */
	assert_int_equal(group_deadline(groups), now_ns + CLOCK_SECOND);
	pass(CLOCK_SECOND);
	assert_int_equal(n_put, 1);
	assert_int_equal(last()->repeat.count, 400);
	assert_int_equal(last()->repeat.processes, 1);
	assert_int_equal(last()->owner.process.tgid, 4711);
	assert_int_equal(last()->record->socket.peer_port, 0);
	assert_true(event_is_address(last()->record->socket.peer_addr)); /* all of one host */
	for (int i = 0; i < 20; i++)
		assert_int_equal(take_next_port(), i < 10); /* the rate of one second */
	pass(100 * CLOCK_SECOND);
	for (int i = 0; i < 101; i++)
		assert_int_equal(take_next_port(), i < 100); /* at most the rate of ten seconds */
	check_nothing_lost();
}

static void test_one_owner_does_not_hide_another(void **state)
{
	(void)state;
	begin(0, 1);
	for (int i = 0; i < 100; i++)
		take_next_port();
	of_process(4712);
	assert_true(take_next_port());
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	for (int i = 0; i < 30; i++)
		assert_int_equal(take_next_port(), i < 10); /* all unknown owners count as one */
	pass(CLOCK_SECOND);
	assert_int_equal(n_put, 2);
	check_nothing_lost();
}

static void test_each_cause_has_a_rate(void **state)
{
	(void)state;
	begin(0, 1);
	for (int i = 0; i < 10; i++)
		assert_true(take());
	sample.record.socket.peer_addr[0]++;
	assert_false(take());
	sample.record.socket.peer_addr[0]++;
	assert_false(take());
	sample.event.verdict.cause = CONNECT_FAILED_REFUSED;
	assert_false(take());
	pass(CLOCK_SECOND);
	assert_int_equal(n_put, 2);
	assert_int_equal(put[0].event.verdict.cause, CONNECT_FAILED_REFUSED);
	assert_int_equal(put[1].event.verdict.cause, PEER_LOST_RESET);
	assert_int_equal(put[1].event.repeat.count, 2);
	assert_false(event_is_address(put[1].record.socket.peer_addr));
	assert_int_equal(put[1].record.socket.peer_port, 5432);
}

/* Otherwise hundreds of bursts of one process could hide the others in every window. */
static void test_records_of_bursts_are_under_the_rate(void **state)
{
	unsigned before;

	(void)state;
	begin(WINDOW, 10);
	for (int round = 0; round < 3; round++) {
		sample.record.socket.peer_port = 1;
		for (int i = 0; i < 500; i++)
			take_next_port();
	}
	before = n_put;
	pass(WINDOW);
	pass(CLOCK_SECOND);
	assert_true(n_put - before <= 10 * WINDOW / CLOCK_SECOND + 2);
	check_nothing_lost();
}

static void test_a_group_of_several_processes_has_no_rate(void **state)
{
	(void)state;
	begin(WINDOW, 1);
	for (__u32 i = 0; i < 100; i++) {
		of_process(1 + i % 2);
		take();
	}
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	for (int i = 0; i < 20; i++)
		take_next_port(); /* uses up the rate of unknown owners */
	pass(WINDOW);
	for (unsigned i = 0; i < n_put; i++)
		if (put[i].event.repeat.processes == 2)
			return;
	fail_msg("the burst is not reported");
}

static void test_more_owners_than_fit(void **state)
{
	(void)state;
	begin(0, 1);
	of_process(1);
	for (int i = 0; i < 15; i++)
		assert_int_equal(take(), i < 10);
	for (__u32 pid = 2; pid <= RATE_LIMIT_OWNERS_MAX; pid++) {
		of_process(pid);
		assert_true(take());
	}
	assert_int_equal(n_put, 0);
	of_process(5000);
	assert_true(take());
	assert_int_equal(n_put, 1); /* the oldest made room */
	assert_int_equal(last()->owner.process.tgid, 1);
	assert_int_equal(last()->repeat.count, 5);
	check_nothing_lost();
}

static void test_no_deadline_without_a_group(void **state)
{
	(void)state;
	begin(0, 1);
	for (int i = 0; i < 20; i++)
		take();
	assert_int_equal(group_deadline(groups), now_ns + CLOCK_SECOND);
	pass(CLOCK_SECOND);
	assert_int_equal(group_deadline(groups), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rate),
		TEST(test_one_owner_does_not_hide_another),
		TEST(test_each_cause_has_a_rate),
		TEST(test_records_of_bursts_are_under_the_rate),
		TEST(test_a_group_of_several_processes_has_no_rate),
		TEST(test_more_owners_than_fit),
		TEST(test_no_deadline_without_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
