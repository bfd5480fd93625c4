/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The owner rule for records that name their owner and for sockets in an accept queue. The rule asks for evidence only
 * while it can change the answer. test_owner_held.c has the sockets that processes hold.
 */
#include "trial.h"

#include <errno.h>

/* 1. The current task has the socket locked. */

static void test_current_that_closes_is_the_closer(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, OTHER, (struct facts){TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0});
	names(t, OTHER, VIA_CLOSER);
	LISTS_NOBODY(t);
}

static void test_current_that_does_not_close_is_a_holder(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, OTHER, (struct facts){TCP_ESTABLISHED, HELD, OWN | RST_IN, .err = ECONNRESET});
	names(t, OTHER, VIA_HOLDER);
}

static void test_current_is_named_by_its_birth_where_it_is_the_same(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, BIRTH, (struct facts){TCP_ESTABLISHED, IN_CLOSE, CLIENT | LP_F_IS_BIRTH, .err = 0});
	names(t, BIRTH, VIA_CONNECT);
	given(t, LP_WHO_CURRENT, BIRTH,
	      (struct facts){TCP_ESTABLISHED, HELD, OWN | LP_F_ACCEPTED | LP_F_IS_BIRTH, .err = 0});
	names(t, BIRTH, VIA_ACCEPT);
	given(t, LP_WHO_CURRENT, BIRTH,
	      (struct facts){TCP_ESTABLISHED, IN_CLOSE, LP_F_SEEDED | LP_F_IS_BIRTH, .err = 0});
	names(t, BIRTH, VIA_SEED);
}

static void test_current_of_a_failed_connect_is_the_connector(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, BIRTH,
	      (struct facts){TCP_CLOSE, NO_FILE, OWN | CLIENT, .err = EACCES, .kind = LP_KIND_NO_CONNECT});
	names(t, BIRTH, VIA_CONNECT);
}

/* A child that was forked just now may be on its way to another program, and close a copy that it never used. */
static void test_current_that_closes_after_its_fork(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, CHILD, (struct facts){TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0});
	t->forker = BIRTH;
	needs(t, NEED_EXEC);
	t->child_executed_after_ns = 2;
	names(t, BIRTH, VIA_CLOSER);
	t->child_executed_after_ns = LINEAGE_EXEC_NS;
	names(t, CHILD, VIA_CLOSER);
	t->child_executed_after_ns = 0;
	t->evidence.exec_waited = true;
	names_nobody(t, UNKNOWN_NOT_SEEN);
	t->child_state = PROCESS_OVER;
	names(t, CHILD, VIA_CLOSER);
	t->child_state = PROCESS_AWAKE;
	t->forker = NOBODY;
	names(t, CHILD, VIA_CLOSER);
}

static void test_current_that_was_forked_just_now_and_exits(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, CHILD, (struct facts){TCP_ESTABLISHED, IN_CLOSE, LP_F_LINGER, .err = 0});
	t->forker = BIRTH;
	t->record.task.exiting = 1;
	needs(t, NEED_NOTHING);
	assert_int_equal(t->owner.process.tgid, task_of(CHILD).tgid);
}

static void test_closer_that_was_forked_just_now(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CLOSER, CHILD, (struct facts){TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 901});
	t->forker = OTHER;
	needs(t, NEED_EXEC);
	t->child_executed_after_ns = 2;
	names(t, OTHER, VIA_CLOSER);
}

static void test_current_needs_no_evidence(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CURRENT, BIRTH, (struct facts){TCP_ESTABLISHED, HELD, OWN | CLIENT | LP_F_IS_BIRTH, .err = 0});
	t->record.socket.refs = 5;
	walk_found(t, 1, PERSONS(OTHER), 1);
	destroyed_by(t, THIRD);
	names(t, BIRTH, VIA_CONNECT);
	LISTS_NOBODY(t);
}

/* 2. Orphaned. */

static void test_orphan_is_its_closers(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_CLOSER, OTHER, (struct facts){TCP_FIN_WAIT1, ORPHAN, .err = ETIMEDOUT, .unack = 901});
	names(t, OTHER, VIA_CLOSER);
}

static void test_orphan_without_a_known_closer(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_FIN_WAIT1, ORPHAN, CLIENT, .err = ETIMEDOUT, .unack = 901});
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	given(t, LP_WHO_NONE, NOBODY,
	      (struct facts){TCP_FIN_WAIT1, ORPHAN, LP_F_SEEDED, .err = ETIMEDOUT, .unack = 901});
	names_nobody(t, UNKNOWN_NOT_SEEN);
	given(t, LP_WHO_NONE, NOBODY, (struct facts){TCP_FIN_WAIT1, ORPHAN, .unack = 901, .forgotten = true});
	names_nobody(t, UNKNOWN_NOT_SEEN);
}

/* 3. Never accepted. */

static const struct facts reset_in_queue = {TCP_ESTABLISHED, QUEUED, RST_IN, .err = ECONNRESET};

static void test_unaccepted_names_the_process_that_still_listens(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	needs(t, NEED_SEARCH);
	found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_LISTENER);
	LISTS_NOBODY(t);
}

static void test_unaccepted_names_the_only_holder_of_the_listener(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	t->evidence.searched = true;
	needs(t, NEED_WALK);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_LISTENER);
	LISTS_NOBODY(t);
}

static void test_unaccepted_of_several_holders_names_none(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	walk_found(t, 2, PERSONS(OTHER, THIRD), 1);
	names_nobody(t, UNKNOWN_SHARED);
	lists(t, 2, PERSONS(OTHER, THIRD));
}

static void test_unaccepted_of_several_holders_names_the_one_that_listened(void **state)
{
	struct trial *t = *state;

	t->evidence.can_search = false;
	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	needs(t, NEED_WALK);
	walk_found(t, 2, PERSONS(OTHER, BIRTH), 1);
	names(t, BIRTH, VIA_LISTENER);
	lists(t, 2, PERSONS(OTHER, BIRTH));
}

/* The closer of the listener may still become known. */
static void test_unaccepted_without_a_holder_of_the_listener(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	walk_found(t, 0, NULL, 0);
	needs(t, NEED_DESTROYER);
	t->evidence.waited = true;
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	t->evidence.walk_failed = true;
	names_nobody(t, UNKNOWN_UNSUPPORTED);
}

static void test_unaccepted_without_a_known_listener_walks(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_NONE, NOBODY, reset_in_queue);
	needs(t, NEED_WALK);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_LISTENER);
}

static void test_unaccepted_names_the_closer_of_the_listener(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	destroyed_by(t, OTHER);
	names(t, OTHER, VIA_LISTENER);
}

static void test_listener_closed_names_its_closer(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, OTHER, (struct facts){TCP_ESTABLISHED, QUEUED, LP_F_LISTENER_CLOSING, .unread = 10});
	names(t, OTHER, VIA_LISTENER);
}

static void test_listener_closed_names_the_process_that_listened(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, (struct facts){TCP_ESTABLISHED, QUEUED, .unread = 10});
	names(t, BIRTH, VIA_LISTENER);
	given(t, LP_WHO_NONE, NOBODY, (struct facts){TCP_ESTABLISHED, QUEUED, .unread = 10});
	names_nobody(t, UNKNOWN_NOT_SEEN);
}

static void test_the_peers_fin_in_the_queue_looks_for_the_listener(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH,
	      (struct facts){TCP_ESTABLISHED, QUEUED, FIN_IN, .shut = 1, .kind = LP_KIND_PEER_FIN});
	needs(t, NEED_SEARCH);
}

static void test_a_reused_pid_is_not_the_listener(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_LISTENER, BIRTH, reset_in_queue);
	found(t, 1, PERSONS(REUSED), 1);
	needs(t, NEED_WALK);
}

/* Sockets without a process. */

static void test_a_socket_of_the_kernels_own(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_NONE, NOBODY, (struct facts){TCP_ESTABLISHED, NO_FILE, RST_IN, .err = ECONNRESET});
	names_nobody(t, UNKNOWN_KERNEL);
	given(t, LP_WHO_BIRTH, BIRTH,
	      (struct facts){TCP_ESTABLISHED, NO_FILE, OWN | LP_F_KTHREAD | RST_IN, .err = ECONNRESET});
	names_nobody(t, UNKNOWN_KERNEL);
}

static void test_what_the_kernel_uses_has_no_owner(void **state)
{
	const __u8 whos[] = {LP_WHO_NONE, LP_WHO_CURRENT, LP_WHO_CLOSER, LP_WHO_WAITER, LP_WHO_BIRTH};
	struct trial *t = *state;

	for (size_t i = 0; i < sizeof(whos); i++) {
		given(t, whos[i], OTHER,
		      (struct facts){TCP_ESTABLISHED, HELD, CLIENT | LP_F_KERNEL | RST_IN, .err = ECONNRESET});
		names_nobody(t, UNKNOWN_KERNEL);
	}
	given(t, LP_WHO_CLOSER, OTHER, (struct facts){TCP_FIN_WAIT1, ORPHAN, LP_F_KERNEL, .err = ETIMEDOUT});
	names_nobody(t, UNKNOWN_KERNEL);
	given(t, LP_WHO_LISTENER, BIRTH,
	      (struct facts){TCP_ESTABLISHED, QUEUED, LP_F_ACCEPTED | LP_F_KERNEL | RST_IN, .err = ECONNRESET});
	names_nobody(t, UNKNOWN_KERNEL);
}

static void test_a_subflow_is_not_what_its_holder_has(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_ESTABLISHED, SUBFLOW, RST_IN, .err = ECONNRESET});
	names_nobody(t, UNKNOWN_UNSUPPORTED);
}

/* The current task is the one that runs `ss -K`, not an owner: the record names the birth like any other. */
static void test_killed_from_outside_is_not_the_killers(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_ESTABLISHED, HELD, OWN | CLIENT, .err = ECONNABORTED});
	needs(t, NEED_DESTROYER);
	t->evidence.waited = true;
	needs(t, NEED_SEARCH);
}

/* The rule asks at most once for each kind of evidence, whatever the others gave, and then decides. */
static void check_ends(enum lp_who who, const struct facts *facts, __u32 refs, bool can_search)
{
	bool asked[NEED_WALK + 1] = {false};
	enum owner_need need;
	void *state = NULL;
	struct trial *t;

	assert_int_equal(set_up(&state), 0);
	t = state;
	t->evidence.can_search = can_search;
	given(t, who, BIRTH, *facts);
	t->record.socket.refs = refs;
	while ((need = owner_decide(&t->record, &t->evidence, &t->owner)) != NEED_NOTHING) {
		assert_false(asked[need]);
		asked[need] = true;
		t->evidence.waited |= need == NEED_DESTROYER;
		t->evidence.searched |= need == NEED_SEARCH;
		t->evidence.walked |= need == NEED_WALK;
	}
	assert_true((t->owner.via == VIA_NONE) != (t->owner.unknown == UNKNOWN_NONE));
	if (!can_search)
		assert_false(asked[NEED_SEARCH]);
	tear_down(&state);
}

static void test_never_asks_twice_and_always_ends(void **state)
{
	static const struct facts all[] = {
		{TCP_ESTABLISHED, HELD, RST_IN | CLIENT, .err = ECONNRESET},
		{TCP_ESTABLISHED, HELD, RST_IN | LP_F_SEEDED | LP_F_SHARED, .err = ECONNRESET},
		{TCP_ESTABLISHED, HELD, RST_IN, .err = ECONNRESET, .forgotten = true},
		{TCP_ESTABLISHED, IN_CLOSE, CLIENT, .unread = 1},
		{TCP_ESTABLISHED, QUEUED, RST_IN, .err = ECONNRESET},
		{TCP_ESTABLISHED, QUEUED, .unread = 10},
		{TCP_FIN_WAIT1, ORPHAN, CLIENT, .err = ETIMEDOUT, .unack = 901},
		{TCP_ESTABLISHED, SUBFLOW, RST_IN, .err = ECONNRESET},
		{TCP_ESTABLISHED, NO_FILE, RST_IN, .err = ECONNRESET},
		{TCP_ESTABLISHED, HELD, FIN_IN | CLIENT, .shut = 1, .kind = LP_KIND_PEER_FIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (int who = LP_WHO_NONE; who < LP_WHO_COUNT; who++)
			for (__u32 refs = 0; refs < 4; refs++) {
				check_ends((enum lp_who)who, &all[i], refs, true);
				check_ends((enum lp_who)who, &all[i], refs, false);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_current_that_closes_is_the_closer),
		TEST(test_current_that_does_not_close_is_a_holder),
		TEST(test_current_is_named_by_its_birth_where_it_is_the_same),
		TEST(test_current_of_a_failed_connect_is_the_connector),
		TEST(test_current_that_closes_after_its_fork),
		TEST(test_current_that_was_forked_just_now_and_exits),
		TEST(test_closer_that_was_forked_just_now),
		TEST(test_current_needs_no_evidence),
		TEST(test_orphan_is_its_closers),
		TEST(test_orphan_without_a_known_closer),
		TEST(test_unaccepted_names_the_process_that_still_listens),
		TEST(test_unaccepted_names_the_only_holder_of_the_listener),
		TEST(test_unaccepted_of_several_holders_names_none),
		TEST(test_unaccepted_of_several_holders_names_the_one_that_listened),
		TEST(test_unaccepted_without_a_holder_of_the_listener),
		TEST(test_unaccepted_without_a_known_listener_walks),
		TEST(test_unaccepted_names_the_closer_of_the_listener),
		TEST(test_listener_closed_names_its_closer),
		TEST(test_listener_closed_names_the_process_that_listened),
		TEST(test_the_peers_fin_in_the_queue_looks_for_the_listener),
		TEST(test_a_reused_pid_is_not_the_listener),
		TEST(test_a_socket_of_the_kernels_own),
		TEST(test_what_the_kernel_uses_has_no_owner),
		TEST(test_a_subflow_is_not_what_its_holder_has),
		TEST(test_killed_from_outside_is_not_the_killers),
		cmocka_unit_test(test_never_asks_twice_and_always_ends),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
