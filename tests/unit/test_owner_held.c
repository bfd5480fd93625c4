/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The owner rule for sockets that processes hold, by the references to their file: which process is named, and which
 * one only looks like the owner. */
#include "trial.h"

#include <errno.h>

/* 4. One reference, so one holder. */

static const struct facts reset_held = {TCP_ESTABLISHED, HELD, RST_IN | CLIENT, .err = ECONNRESET};

static void test_sole_birth_that_holds_it_still(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->evidence.waited = true;
	needs(t, NEED_SEARCH);
	found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_CONNECT);
	LISTS_NOBODY(t);
}

static void test_sole_destroyer_is_named(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	destroyed_by(t, OTHER);
	names(t, OTHER, VIA_CLOSER);
	destroyed_by(t, BIRTH);
	names(t, BIRTH, VIA_CONNECT);
	destroyed_by(t, REUSED);
	names(t, REUSED, VIA_CLOSER);
	destroyed_by(t, CHILD);
	names(t, CHILD, VIA_CLOSER);
	LISTS_NOBODY(t);
}

static void test_sole_birth_is_named_by_how_it_got_the_socket(void **state)
{
	struct trial *t = *state;

	destroyed_by(t, BIRTH);
	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_ACCEPTED, .err = ECONNRESET});
	names(t, BIRTH, VIA_ACCEPT);
	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_SEEDED, .err = ECONNRESET});
	names(t, BIRTH, VIA_SEED);
}

static void test_sole_holder_found_by_a_walk(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->evidence.waited = t->evidence.searched = true;
	needs(t, NEED_WALK);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
	walk_found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_CONNECT);
	walk_found(t, 1, PERSONS(REUSED), 1);
	names(t, REUSED, VIA_HOLDER);
}

static void test_sole_holder_that_is_dead(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->evidence.waited = true;
	walk_found(t, 0, NULL, 0);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	LISTS_NOBODY(t);
	t->evidence.walk_failed = true;
	names_nobody(t, UNKNOWN_UNSUPPORTED);
}

static void test_sole_holder_that_has_shared_it_since(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->evidence.waited = true;
	walk_found(t, 2, PERSONS(BIRTH, OTHER), 1);
	names(t, BIRTH, VIA_CONNECT);
	lists(t, 2, PERSONS(BIRTH, OTHER));
	walk_found(t, 2, PERSONS(OTHER, THIRD), 1);
	names_nobody(t, UNKNOWN_SHARED);
	lists(t, 2, PERSONS(OTHER, THIRD));
}

static void test_sole_acceptor_that_the_hook_saw_and_is_dead(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH,
	      (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_ACCEPTED | LP_F_ACCEPT_HOOK, .err = ECONNRESET});
	t->evidence.waited = true;
	walk_found(t, 0, NULL, 0);
	names(t, BIRTH, VIA_ACCEPT);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
}

static void test_sole_holder_without_a_known_birth_is_walked_for(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_NONE, NOBODY, reset_held);
	t->evidence.waited = true;
	needs(t, NEED_WALK);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
}

static void test_sole_holder_where_one_process_cannot_be_walked_alone(void **state)
{
	struct trial *t = *state;

	t->evidence.can_search = false;
	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->evidence.waited = true;
	needs(t, NEED_WALK);
}

/* 5. More references: several processes, several descriptors of one, or threads blocked in a call on the socket. */

static void given_shared(struct trial *t, __u32 refs)
{
	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->record.socket.refs = refs;
	t->evidence.waited = true;
}

static void test_shared_by_several_with_the_birth_among_them(void **state)
{
	struct trial *t = *state;

	given_shared(t, 3);
	needs(t, NEED_WALK);
	walk_found(t, 3, PERSONS(OTHER, BIRTH, THIRD), 1);
	names(t, BIRTH, VIA_CONNECT);
	lists(t, 3, PERSONS(OTHER, BIRTH, THIRD));
}

static void test_shared_by_several_without_the_birth(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	walk_found(t, 2, PERSONS(OTHER, REUSED), 1);
	names_nobody(t, UNKNOWN_SHARED);
	lists(t, 2, PERSONS(OTHER, REUSED));
}

static void test_shared_but_all_descriptors_are_ones(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->other_forked_ns = BORN + 1;
	walk_found(t, 1, PERSONS(OTHER), 2);
	names(t, OTHER, VIA_HOLDER);
	LISTS_NOBODY(t);
}

static void test_shared_but_only_one_holds_it_and_has_not_forked(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->birth_forked_ns = BORN - 1;
	walk_found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_CONNECT);
	LISTS_NOBODY(t);
}

static void test_shared_by_one_that_had_forked(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->other_forked_ns = BORN + 1;
	walk_found(t, 1, PERSONS(OTHER), 1);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(OTHER));
}

/* Whoever held it beside the opener, the opener is named of several. */
static void test_shared_by_the_opener_that_had_forked(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->birth_forked_ns = BORN + 1;
	walk_found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_CONNECT);
	LISTS_NOBODY(t);
	walk_found(t, 0, NULL, 0);
	destroyed_by(t, BIRTH);
	names(t, BIRTH, VIA_CONNECT);
}

static const struct facts reset_accepted = {TCP_ESTABLISHED, HELD, RST_IN | LP_F_ACCEPTED, .err = ECONNRESET};

static void given_accepted(struct trial *t, __u32 refs)
{
	given(t, LP_WHO_BIRTH, BIRTH, reset_accepted);
	t->record.socket.refs = refs;
	t->evidence.waited = true;
}

/* A worker that was there before the connection did not inherit it. */
static void test_shared_by_the_worker_that_accepted_it(void **state)
{
	struct trial *t = *state;

	given_accepted(t, 2);
	t->other_forked_ns = BORN + 1;
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
	walk_found(t, 2, PERSONS(OTHER, CHILD), 1);
	names(t, OTHER, VIA_HOLDER);
	lists(t, 2, PERSONS(OTHER, CHILD));
	walk_found(t, 2, PERSONS(OTHER, THIRD), 1);
	names_nobody(t, UNKNOWN_SHARED);
}

/* The threads that sleep on the socket account for the other references. */
static void test_shared_with_sleeping_threads(void **state)
{
	struct trial *t = *state;

	given_shared(t, 3);
	t->record.waits = 2;
	t->other_forked_ns = BORN + 1;
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
	t->record.waits = 1;
	names_nobody(t, UNKNOWN_HOLDER_GONE);
}

/* A child between fork and exec has a copy; the process that forked it may have closed its own since. */
static void test_shared_with_a_child_on_its_way_to_a_program(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->forker = BIRTH;
	walk_found(t, 1, PERSONS(CHILD), 1);
	names(t, BIRTH, VIA_CONNECT);
	t->child_executed_after_ns = 2;
	walk_found(t, 0, NULL, 0);
	destroyed_by(t, CHILD);
	names(t, BIRTH, VIA_CONNECT);
	t->forker = OTHER;
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(CHILD));
}

static void test_shared_with_a_child_that_stays(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	t->forker = BIRTH;
	t->evidence.now_ns = BORN + LINEAGE_SLEEP_NS + 1;
	t->child_state = PROCESS_ASLEEP;
	walk_found(t, 1, PERSONS(CHILD), 1);
	names(t, CHILD, VIA_HOLDER);
}

/* The forker closed it first, and before the event. */
static void test_sole_child_that_executed_a_program(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	t->forker = BIRTH;
	destroyed_by(t, CHILD);
	names(t, CHILD, VIA_CLOSER);
	t->child_executed_after_ns = 2;
	names(t, BIRTH, VIA_CONNECT);
	t->child_executed_after_ns = LINEAGE_EXEC_NS;
	names(t, CHILD, VIA_CLOSER);
}

static void test_sole_destroyer_that_began_later_and_descends_from_nobody_known(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, reset_held);
	destroyed_by(t, NOBODY);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	t->record.socket.refs = 2;
	t->evidence.waited = true;
	walk_found(t, 0, NULL, 0);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	LISTS_NOBODY(t);
}

static void test_shared_without_a_holder_left(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	walk_found(t, 0, NULL, 0);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	LISTS_NOBODY(t);
	t->evidence.walk_failed = true;
	names_nobody(t, UNKNOWN_UNSUPPORTED);
}

/* A destroyer was the last holder, but perhaps not the only one. */
static void test_shared_destroyer_proves_only_that_it_was_last(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	walk_found(t, 0, NULL, 0);
	destroyed_by(t, CHILD);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(CHILD));
}

/* The birth owner may have passed it the descriptor (SCM_RIGHTS), held it too, and closed first. */
static void test_shared_destroyer_that_is_not_the_birth_is_not_named(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	destroyed_by(t, OTHER);
	walk_found(t, 0, NULL, 0);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(OTHER));
}

/* The second reference is then one of its threads, blocked in recv(2). */
static void test_shared_destroyer_that_was_alone_since_birth(void **state)
{
	struct trial *t = *state;

	given_shared(t, 2);
	destroyed_by(t, BIRTH);
	names(t, BIRTH, VIA_CONNECT);
	LISTS_NOBODY(t);
}

/* If workers share a listener, the acceptor may not be the process that listened. */
static void test_shared_destroyer_that_accepted_and_was_alone_since(void **state)
{
	struct trial *t = *state;

	given_accepted(t, 2);
	destroyed_by(t, OTHER);
	names(t, OTHER, VIA_CLOSER);
	t->other_forked_ns = BORN + 1;
	names(t, OTHER, VIA_CLOSER);
}

/* Holders from before the agent are known only at its start: then there were several. */
static void test_shared_at_the_start_and_one_is_left(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH,
	      (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_SEEDED | LP_F_SHARED, .err = ECONNRESET});
	t->record.born_ns = 0;
	t->record.socket.refs = 2;
	t->evidence.waited = true;
	walk_found(t, 1, PERSONS(BIRTH), 1);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(BIRTH));
	walk_found(t, 2, PERSONS(BIRTH, OTHER), 1);
	names_nobody(t, UNKNOWN_SHARED);
	lists(t, 2, PERSONS(BIRTH, OTHER));
	walk_found(t, 0, NULL, 0);
	destroyed_by(t, BIRTH);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
}

static void test_shared_at_the_start_but_no_longer(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH,
	      (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_SEEDED | LP_F_SHARED, .err = ECONNRESET});
	t->record.born_ns = 0;
	destroyed_by(t, OTHER);
	names(t, OTHER, VIA_CLOSER);
	destroyed_by(t, BIRTH);
	names(t, BIRTH, VIA_SEED);
}

static void test_seeded_and_alone_with_it_ever_since(void **state)
{
	struct trial *t = *state;

	given(t, LP_WHO_BIRTH, BIRTH, (struct facts){TCP_ESTABLISHED, HELD, RST_IN | LP_F_SEEDED, .err = ECONNRESET});
	t->record.born_ns = 0;
	t->record.socket.refs = 2;
	t->evidence.waited = true;
	walk_found(t, 1, PERSONS(BIRTH), 1);
	names(t, BIRTH, VIA_SEED);
	t->birth_forked_ns = AGENT_STARTED + 1;
	names(t, BIRTH, VIA_SEED);
	/* established later, but the socket is older: a child forked in between has it */
	t->record.born_ns = BORN;
	t->other_forked_ns = AGENT_STARTED + 1;
	walk_found(t, 1, PERSONS(OTHER), 1);
	names_nobody(t, UNKNOWN_HOLDER_GONE);
	lists(t, 1, PERSONS(OTHER));
}

static void test_holders_are_bounded(void **state)
{
	enum person many[OWNER_HOLDERS_MAX];
	struct trial *t = *state;

	for (int i = 0; i < OWNER_HOLDERS_MAX; i++)
		many[i] = OTHER;
	given_shared(t, 100);
	walk_found(t, OWNER_HOLDERS_MAX, many, 1);
	names_nobody(t, UNKNOWN_SHARED);
	lists(t, OWNER_HOLDERS_MAX, many);
	assert_string_equal(t->owner.process.comm, "other");
	t->evidence.found_more = true;
	t->evidence.more = task_of(OTHER);
	names_nobody(t, UNKNOWN_SHARED);
	assert_true(t->owner.more_holders);
	assert_string_equal(t->owner.process.comm, "other");
	t->evidence.more = task_of(THIRD);
	names_nobody(t, UNKNOWN_SHARED);
	assert_string_equal(t->owner.process.comm, "");
}

/* A thread that sleeps in recv(2) or poll(2) proves that its process holds the socket, with a reference for each. */

static void given_waiter(struct trial *t, __u32 flags, __u32 refs, __u8 waits)
{
	given(t, LP_WHO_WAITER, OTHER, (struct facts){TCP_ESTABLISHED, HELD, RST_IN | flags, .err = ECONNRESET});
	t->record.socket.refs = refs;
	t->record.waits = waits;
}

static void test_waiter_with_all_references(void **state)
{
	struct trial *t = *state;

	given_waiter(t, CLIENT, 2, 1);
	names(t, OTHER, VIA_HOLDER);
	LISTS_NOBODY(t);
	given_waiter(t, CLIENT, 1, 0);
	names(t, OTHER, VIA_HOLDER);
}

static void test_waiter_is_named_by_its_birth(void **state)
{
	struct trial *t = *state;

	given_waiter(t, CLIENT | LP_F_IS_BIRTH, 3, 2);
	names(t, OTHER, VIA_CONNECT);
	given_waiter(t, LP_F_ACCEPTED | LP_F_IS_BIRTH, 2, 1);
	names(t, OTHER, VIA_ACCEPT);
	given_waiter(t, LP_F_SEEDED | LP_F_IS_BIRTH, 2, 1);
	names(t, OTHER, VIA_SEED);
}

static void test_waiter_among_several_holders(void **state)
{
	struct trial *t = *state;

	given_waiter(t, LP_F_ACCEPTED, 3, 1);
	needs(t, NEED_WALK);
	walk_found(t, 2, PERSONS(BIRTH, OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
	lists(t, 2, PERSONS(BIRTH, OTHER));
}

static void test_waiter_whose_fellow_holders_are_dead(void **state)
{
	struct trial *t = *state;

	given_waiter(t, LP_F_ACCEPTED, 3, 1);
	walk_found(t, 1, PERSONS(OTHER), 1);
	names(t, OTHER, VIA_HOLDER);
	LISTS_NOBODY(t);
	walk_found(t, 0, NULL, 0);
	names(t, OTHER, VIA_HOLDER);
	LISTS_NOBODY(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sole_birth_that_holds_it_still),
		TEST(test_sole_destroyer_is_named),
		TEST(test_sole_birth_is_named_by_how_it_got_the_socket),
		TEST(test_sole_holder_found_by_a_walk),
		TEST(test_sole_holder_that_is_dead),
		TEST(test_sole_holder_that_has_shared_it_since),
		TEST(test_sole_acceptor_that_the_hook_saw_and_is_dead),
		TEST(test_sole_holder_without_a_known_birth_is_walked_for),
		TEST(test_sole_holder_where_one_process_cannot_be_walked_alone),
		TEST(test_shared_by_several_with_the_birth_among_them),
		TEST(test_shared_by_several_without_the_birth),
		TEST(test_shared_but_all_descriptors_are_ones),
		TEST(test_shared_but_only_one_holds_it_and_has_not_forked),
		TEST(test_shared_by_one_that_had_forked),
		TEST(test_shared_by_the_opener_that_had_forked),
		TEST(test_shared_by_the_worker_that_accepted_it),
		TEST(test_shared_with_sleeping_threads),
		TEST(test_shared_with_a_child_on_its_way_to_a_program),
		TEST(test_shared_with_a_child_that_stays),
		TEST(test_sole_child_that_executed_a_program),
		TEST(test_sole_destroyer_that_began_later_and_descends_from_nobody_known),
		TEST(test_shared_without_a_holder_left),
		TEST(test_shared_destroyer_proves_only_that_it_was_last),
		TEST(test_shared_destroyer_that_is_not_the_birth_is_not_named),
		TEST(test_shared_destroyer_that_was_alone_since_birth),
		TEST(test_shared_destroyer_that_accepted_and_was_alone_since),
		TEST(test_shared_at_the_start_and_one_is_left),
		TEST(test_shared_at_the_start_but_no_longer),
		TEST(test_seeded_and_alone_with_it_ever_since),
		TEST(test_holders_are_bounded),
		TEST(test_waiter_with_all_references),
		TEST(test_waiter_is_named_by_its_birth),
		TEST(test_waiter_among_several_holders),
		TEST(test_waiter_whose_fellow_holders_are_dead),
	};

	return cmocka_run_group_tests_name("owner_held", tests, NULL, NULL);
}
