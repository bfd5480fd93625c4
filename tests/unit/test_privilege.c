/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Privileges after the drop. Each test runs in its own process, since it cannot regain them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/privilege.h"
#include "base/thread.h"

/* Returns the exit status; `messages` gets the messages. */
static int in_a_process(int (*run)(void), const char *mode, char *messages, size_t size)
{
	int ends[2], status;
	struct rlimit none = {0, 0};
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		dup2(ends[1], 2);
		if (mode)
			setenv("LOSTPEER_SECCOMP", mode, 1);
		_exit(privilege_drop(true) ? 99 : run());
	}
	close(ends[1]);
	n = read(ends[0], messages, size - 1);
	messages[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool has_filter(void)
{
#ifdef HAVE_SECCOMP
	return true;
#else
	return false;
#endif
}

/* The number of forbidden calls that fail as they should. */
static int try_forbidden_calls(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};
	int refused = 0;

	refused += syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) < 0 && errno == EPERM;
	refused += syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)) < 0 && errno == EPERM;
	refused += syscall(SYS_execve, "/bin/true", NULL, NULL) < 0 && errno == EPERM;
	refused += syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == EPERM;
	refused += syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL) < 0 && errno == EPERM;
	refused += fork() < 0 && errno == EPERM;
	refused += socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM;
	refused += socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM;
	privilege_report();
	return refused;
}

static void test_forbidden_calls_fail_and_are_counted(void **state)
{
	char messages[1024];
	int status;

	(void)state;
	if (!has_filter())
		skip();
	status = in_a_process(try_forbidden_calls, NULL, messages, sizeof(messages));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 8);
	assert_non_null(strstr(messages, "the filter refused 8 system calls, the last socket"));
}

static int call_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
	return 0;
}

static void test_under_test_a_forbidden_call_kills(void **state)
{
	char messages[1024];
	int status;

	(void)state;
	if (!has_filter())
		skip();
	status = in_a_process(call_ptrace, "kill", messages, sizeof(messages));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_it_can_be_left_out(void **state)
{
	char messages[1024];
	int status;

	(void)state;
	status = in_a_process(call_ptrace, "off", messages, sizeof(messages));
	assert_true(WIFEXITED(status));
	if (has_filter())
		assert_non_null(strstr(messages, "LOSTPEER_SECCOMP"));
}

static void *forbidden_in_a_thread(void *context)
{
	*(int *)context = syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? errno : 0;
	return NULL;
}

/* Writer threads block nearly all signals, and a blocked SIGSYS kills. */
static int try_in_a_thread(void)
{
	pthread_t thread;
	int err = 0;

	if (thread_start(&thread, forbidden_in_a_thread, &err))
		return 1;
	pthread_join(thread, NULL);
	return err == EPERM ? 0 : 2;
}

static void test_a_thread_can_be_made_and_lives_on(void **state)
{
	char messages[1024];
	int status;

	(void)state;
	if (!has_filter())
		skip();
	status = in_a_process(try_in_a_thread, NULL, messages, sizeof(messages));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int try_new_rights(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static void test_no_new_rights_by_exec(void **state)
{
	char messages[1024];

	(void)state;
	assert_int_equal(in_a_process(try_new_rights, "kill", messages, sizeof(messages)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden_calls_fail_and_are_counted),
		cmocka_unit_test(test_under_test_a_forbidden_call_kills),
		cmocka_unit_test(test_it_can_be_left_out),
		cmocka_unit_test(test_a_thread_can_be_made_and_lives_on),
		cmocka_unit_test(test_no_new_rights_by_exec),
	};

	return cmocka_run_group_tests_name("privilege", tests, NULL, NULL);
}
