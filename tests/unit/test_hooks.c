/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of hooks: which BPF programs are loaded and attached, by kernel features and options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "kernel/hooks.c"

static struct lostpeer *object;

static int open_object(void **state)
{
	(void)state;
	object = lostpeer__open();
	return object ? 0 : -1;
}

static int close_object(void **state)
{
	(void)state;
	lostpeer__destroy(object);
	return 0;
}

static struct kernel_features everything(void)
{
	struct kernel_features have;

	memset(&have, true, sizeof(have));
	return have;
}

static const struct kernel_options all_options = {.connect_hook = true, .accept_hook = true, .cgroup_hierarchy = 256};

static void test_each_program_has_one_row(void **state)
{
	struct bpf_program *program;
	unsigned rows;

	(void)state;
	bpf_object__for_each_program(program, object->obj) {
		rows = 0;
		for (const struct hook *hook = hooks; hook < hooks_end; hook++)
			rows += program_of(object, hook) == program;
		if (rows != 1)
			fail_msg("%u rows of %s", rows, bpf_program__name(program));
	}
	for (const struct hook *hook = hooks; hook < hooks_end; hook++)
		assert_string_equal(hook->name, bpf_program__name(program_of(object, hook)));
}

/* The names of the programs for which `is` holds, in the order of the table, separated by blanks. */
static const char *names_of(bool (*is)(const struct bpf_program *program))
{
	static char names[1024];

	*names = '\0';
	for (const struct hook *hook = hooks; hook < hooks_end; hook++) {
		if (!is(program_of(object, hook)))
			continue;
		strcat(names, *names ? " " : "");
		strcat(names, hook->name);
	}
	return names;
}

static bool is_not_loaded(const struct bpf_program *program)
{
	return !bpf_program__autoload(program);
}

static bool is_not_attached(const struct bpf_program *program)
{
	return !bpf_program__autoattach(program);
}

static void test_the_newest_kernel_gets_all_but_replaced_programs(void **state)
{
	struct kernel_features have = everything();

	(void)state;
	hooks_choose(object, &have, &all_options);
	assert_string_equal(names_of(is_not_loaded), "send_reset retransmit");
}

static void test_an_old_kernel_gets_the_programs_that_it_can_run(void **state)
{
	struct kernel_features have = {.btf = true, .send_reset = true, .destroy_sock = true, .fork = true};

	(void)state;
	hooks_choose(object, &have, &all_options);
	assert_string_equal(
		names_of(is_not_loaded),
		"send_reset_reason error_report set_state_nested set_state_nested_twice "
		"destroy_sock_nested receive_reset_nested retransmit retransmit_result own_drop retransmit_synack "
		"hash_bad_header "
		"hash_md5_mismatch hash_md5_required hash_md5_unexpected hash_ao_required ao_handshake_failure "
		"ao_wrong_maclen ao_mismatch ao_key_not_found task_renamed cgroup_gone cgroup_made note_cpu");
}

static void test_a_kernel_that_does_not_preempt_gets_one_copy(void **state)
{
	struct kernel_features have = everything();

	(void)state;
	have.preemptible = false;
	hooks_choose(object, &have, &all_options);
	assert_string_equal(names_of(is_not_loaded),
			    "send_reset set_state_nested_twice destroy_sock_nested receive_reset_nested retransmit");
}

static void test_unneeded_programs_are_not_loaded(void **state)
{
	struct kernel_features have = everything();
	const struct kernel_options none = {0};

	(void)state;
	hooks_choose(object, &have, &none);
	assert_string_equal(names_of(is_not_loaded),
			    "send_reset retransmit process_exit connect_enter connect_exit accept_exit accept4_exit");
}

static void test_programs_attached_late_or_only_run(void **state)
{
	struct kernel_features have = everything();

	(void)state;
	hooks_choose(object, &have, &all_options);
	assert_string_equal(names_of(is_not_attached),
			    "set_state_nested set_state_nested_twice destroy_sock_nested retransmit "
			    "retransmit_result own_drop retransmit_synack hash_bad_header hash_md5_mismatch "
			    "hash_md5_required hash_md5_unexpected hash_ao_required ao_handshake_failure "
			    "ao_wrong_maclen ao_mismatch ao_key_not_found seed_files find_holders look_at_sockets "
			    "note_cpu");
}

static void test_goes_on_without_optional_programs(void **state)
{
	struct kernel_features have = everything(), all = have;

	(void)state;
	assert_true(hooks_do_without("send_reset_reason", &have, -EINVAL));
	assert_false(have.send_reset_reason);
	assert_true(have.send_reset);
	assert_true(hooks_do_without("destroy_sock_nested", &have, -EINVAL));
	assert_false(have.guards_recursion);
	assert_true(have.destroy_sock);
	have = all;
	assert_false(hooks_do_without("set_state", &have, -EINVAL));
	assert_false(hooks_do_without("connect_enter", &have, -EINVAL));
	assert_false(hooks_do_without("no_such_program", &have, -EINVAL));
	assert_memory_equal(&have, &all, sizeof(have));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_object, close_object)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_program_has_one_row),
		TEST(test_the_newest_kernel_gets_all_but_replaced_programs),
		TEST(test_an_old_kernel_gets_the_programs_that_it_can_run),
		TEST(test_a_kernel_that_does_not_preempt_gets_one_copy),
		TEST(test_unneeded_programs_are_not_loaded),
		TEST(test_programs_attached_late_or_only_run),
		TEST(test_goes_on_without_optional_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
