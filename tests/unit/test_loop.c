/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The event loop: which handler it calls, for what, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

static struct loop *loop;
static unsigned calls, last;

static void note(void *context, unsigned what)
{
	assert_ptr_equal(context, &calls);
	calls++;
	last = what;
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	calls = last = 0;
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void test_an_event_is_ready_once_however_often_it_was_woken(void **state)
{
	int event = loop_add_event(loop, note, &calls), other = loop_add_event(loop, NULL, NULL);

	(void)state;
	assert_true(event >= 0 && other >= 0);
	loop_wake(event);
	loop_wake(event);
	assert_int_equal(loop_turn(loop), 0);
	loop_wake(other); /* otherwise the turn would not end */
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 1);
}

static void test_a_timer_is_ready_at_its_time_and_once(void **state)
{
	int timer = loop_add_timer(loop, note, &calls), other = loop_add_event(loop, NULL, NULL);
	__u64 at = clock_monotonic_ns() + 2 * CLOCK_MS;

	(void)state;
	loop_set_timer(timer, at);
	assert_int_equal(loop_turn(loop), 0);
	assert_true(clock_monotonic_ns() >= at);
	loop_wake(other);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 1);
}

static void test_a_timer_set_to_never_is_not_ready(void **state)
{
	int timer = loop_add_timer(loop, note, &calls), other = loop_add_timer(loop, NULL, NULL);
	__u64 soon = clock_monotonic_ns() + CLOCK_MS;

	(void)state;
	loop_set_timer(timer, soon);
	loop_set_timer(timer, 0);
	loop_set_timer(other, soon + CLOCK_MS);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 0);
}

static void test_a_signal_has_its_number(void **state)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, 0};

	(void)state;
	assert_true(loop_add_signals(loop, signals, note, &calls) >= 0);
	raise(SIGUSR2);
	raise(SIGUSR1);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(last, SIGUSR1); /* the lower number comes first; the other is still ready */
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(last, SIGUSR2);
	assert_int_equal(calls, 2);
}

static void test_unread_data_is_ready_again_except_edge_triggered(void **state)
{
	int level[2], edge[2];

	(void)state;
	assert_int_equal(pipe(level) | pipe(edge), 0);
	assert_int_equal(loop_add(loop, level[0], EPOLLIN, note, &calls), 0);
	assert_int_equal(loop_add(loop, edge[0], EPOLLIN | EPOLLET, note, &calls), 0);
	assert_int_equal(write(level[1], "", 1) + write(edge[1], "", 1), 2);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(last, EPOLLIN);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 3);
	loop_change(loop, level[0], 0);
	assert_int_equal(write(edge[1], "", 1), 1);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 4);
	for (int i = 0; i < 2; i++) {
		close(level[i]);
		close(edge[i]);
	}
}

static void test_a_closed_descriptor_has_left_and_its_number_can_come_again(void **state)
{
	int ends[2], others[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_add(loop, ends[0], EPOLLIN, NULL, NULL), 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(pipe(others), 0);
	assert_int_equal(others[0], ends[0]);
	assert_int_equal(loop_add(loop, others[0], EPOLLIN, note, &calls), 0);
	assert_int_equal(write(others[1], "", 1), 1);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(calls, 1);
	close(others[0]);
	close(others[1]);
}

static void test_the_loop_closes_only_its_own_descriptors(void **state)
{
	static const int signals[] = {SIGUSR1, 0};
	struct loop *own = loop_new();
	int made[] = {loop_add_event(own, NULL, NULL), loop_add_timer(own, NULL, NULL),
		      loop_add_signals(own, signals, NULL, NULL)};
	int given[2];

	(void)state;
	assert_int_equal(pipe(given), 0);
	assert_int_equal(loop_add(own, given[0], EPOLLIN, NULL, NULL), 0);
	loop_free(own);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		assert_int_equal(fcntl(made[i], F_GETFD), -1);
	assert_int_not_equal(fcntl(given[0], F_GETFD), -1);
	close(given[0]);
	close(given[1]);
}

static void test_an_unpollable_descriptor_is_an_error(void **state)
{
	int file = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(loop_add(loop, file, EPOLLIN, NULL, NULL), -EPERM);
	close(file);
	assert_int_equal(loop_add(loop, file, EPOLLIN, NULL, NULL), -EBADF);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_event_is_ready_once_however_often_it_was_woken),
		TEST(test_a_timer_is_ready_at_its_time_and_once),
		TEST(test_a_timer_set_to_never_is_not_ready),
		TEST(test_a_signal_has_its_number),
		TEST(test_unread_data_is_ready_again_except_edge_triggered),
		TEST(test_a_closed_descriptor_has_left_and_its_number_can_come_again),
		TEST(test_the_loop_closes_only_its_own_descriptors),
		TEST(test_an_unpollable_descriptor_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
