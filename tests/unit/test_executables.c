/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The executable of a process that executes another program: a child of the test that does so on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "who/executables.h"
#include "who/process.h"

static struct executables *executables;
static char own[PATH_MAX], other[PATH_MAX];
static struct lp_task task;
static int ask; /* closing it makes the child execute cat(1), which ends when `end` is closed */
static int end;

static void be_the_child(int asked, int input)
{
	char byte;

	while (read(asked, &byte, 1) > 0)
		;
	dup2(input, 0);
	execl("/bin/cat", "cat", (char *)NULL);
	_exit(1);
}

static int set_up(void **state)
{
	int asked[2], input[2];
	pid_t child;

	(void)state;
	assert_non_null(realpath("/proc/self/exe", own));
	assert_non_null(realpath("/bin/cat", other));
	assert_int_equal(pipe(asked) | pipe(input), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		close(asked[1]);
		close(input[1]);
		be_the_child(asked[0], input[0]);
	}
	close(asked[0]);
	close(input[0]);
	ask = asked[1];
	end = input[1];
	executables = executables_new();
	assert_non_null(executables);
	assert_true(process_read((__u32)child, &task));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kill((pid_t)task.tgid, SIGKILL);
	waitpid((pid_t)task.tgid, NULL, 0);
	close(end);
	executables_free(executables);
	return 0;
}

static void become_the_other(void)
{
	char now[PATH_MAX];

	close(ask);
	do
		process_executable(&task, now);
	while (strcmp(now, other));
}

static void test_a_reading_after_an_event_is_valid_for_it(void **state)
{
	__u64 before = clock_monotonic_ns(), after;

	(void)state;
	assert_string_equal(executables_find(executables, &task, before), own);
	become_the_other();
	assert_string_equal(executables_find(executables, &task, before), own);
	after = clock_monotonic_ns();
	assert_string_equal(executables_find(executables, &task, after), other);
	assert_string_equal(executables_find(executables, &task, before), other);
}

static void test_another_process_of_that_pid_has_its_own(void **state)
{
	__u64 before = clock_monotonic_ns();
	struct lp_task gone = task;

	(void)state;
	gone.start_boot_ns -= 1000000000;
	assert_string_equal(executables_find(executables, &gone, before), "");
	assert_string_equal(executables_find(executables, &task, before), own);
	assert_string_equal(executables_find(executables, &gone, before), "");
	close(ask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_reading_after_an_event_is_valid_for_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_process_of_that_pid_has_its_own, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
