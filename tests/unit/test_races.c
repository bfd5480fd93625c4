/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which abandoned attempts lost a race, and how long each waits to know. The kernel and the clock are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"
#include "facts.h"
#include "kernel/remembered.h"
#include "kernel/sockets.h"
#include "who/races.h"

#define ME 700
#define OTHER 701
#define PORT 443

struct kernel {
	struct lp_record attempts[4];
	unsigned n, walks;
	__u64 won; /* as the hooks write it; 0: nothing */
	__u64 takes_ns;
};

static struct kernel kernel;
static struct races *races;
static __u64 now_ns;

static struct {
	unsigned n, raced;
} out;

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

bool remembered_won(const struct kernel *k, __u32 tgid, __u16 peer_port, __u64 since_ns)
{
	return tgid == ME && peer_port == PORT && k->won && k->won >= since_ns;
}

int sockets_look_at_all(struct kernel *k, __u32 states, sockets_take *take, void *context)
{
	assert_int_equal(states, 1u << TCP_SYN_SENT);
	k->walks++;
	now_ns += k->takes_ns;
	for (unsigned i = 0; i < k->n; i++)
		take(context, &k->attempts[i]);
	return 0;
}

static void done(void *context, struct event *event)
{
	assert_ptr_equal(context, &out);
	out.n++;
	out.raced += event->raced;
	assert_int_equal(event->severity, event->raced ? SEVERITY_INFO : SEVERITY_NOTICE);
	event_free(event);
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&out, 0, sizeof(out));
	now_ns = 1000 * CLOCK_SECOND;
	races = races_new(&kernel, done, &out);
	return races ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	races_free(races);
	return 0;
}

/* An attempt of 250 ms that ends now. */
static struct lp_record attempt_of(__u32 tgid, __u64 sk)
{
	struct lp_record r = record_of(&(struct facts){TCP_SYN_SENT, IN_CLOSE, CLIENT, .err = 0});

	r.socket.sk = sk;
	r.socket.peer_port = PORT;
	r.time_ns = now_ns;
	r.born_ns = now_ns - 250 * CLOCK_MS;
	r.task = (struct lp_task){.tgid = tgid, .start_boot_ns = tgid};
	r.who = LP_WHO_CURRENT;
	return r;
}

static struct event *event_of(const struct lp_record *r)
{
	struct event *e = event_new(r);

	event_judge(e, (struct verdict){CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, CAUSE_NONE});
	e->owner = (struct owner){.via = VIA_CONNECT, .process = r->task};
	return e;
}

static void give_up(void)
{
	struct lp_record r = attempt_of(ME, 64);

	races_add(races, event_of(&r));
}

/* Another attempt of this process is under way, begun so long from now. */
static void try_another(__u32 tgid, __u16 port, __s64 from_now_ns)
{
	struct lp_record r = attempt_of(tgid, 128);

	r.kind = LP_KIND_LOOK;
	r.socket.peer_port = port;
	r.born_ns = now_ns + (__u64)from_now_ns;
	kernel.attempts[kernel.n++] = r;
}

static void check_after(__u64 ms, unsigned n, unsigned raced)
{
	now_ns += ms * CLOCK_MS;
	races_tick(races, now_ns);
	assert_int_equal(out.n, n);
	assert_int_equal(out.raced, raced);
}

static void test_alone_it_is_told_after_a_moment(void **state)
{
	(void)state;
	give_up();
	assert_int_equal(races_deadline(races), now_ns + 100 * CLOCK_MS);
	check_after(99, 0, 0);
	assert_int_equal(kernel.walks, 0);
	check_after(1, 1, 0);
	assert_int_equal(races_deadline(races), 0);
}

static void test_a_winner_since_it_began_ends_it_at_once(void **state)
{
	(void)state;
	kernel.won = now_ns - 250 * CLOCK_MS;
	give_up();
	assert_int_equal(out.raced, 1);
	kernel.won--; /* the process had that connection before */
	give_up();
	check_after(100, 2, 1);
}

static void test_the_winner_may_come_later(void **state)
{
	(void)state;
	give_up();
	try_another(ME, PORT, CLOCK_MS);
	check_after(100, 0, 0);
	assert_int_equal(races_deadline(races), now_ns + 900 * CLOCK_MS);
	kernel.won = now_ns;
	check_after(50, 1, 1);
}

static void test_who_still_tries_another_is_no_loser_yet(void **state)
{
	(void)state;
	give_up();
	try_another(ME, PORT, -(__s64)(300 * CLOCK_MS));
	check_after(100, 0, 0);
	check_after(900, 1, 1);
}

static void test_the_next_attempt_of_a_row_that_fails_hides_nothing(void **state)
{
	(void)state;
	give_up();
	try_another(ME, PORT, CLOCK_MS);
	check_after(100, 0, 0);
	kernel.n = 0;
	try_another(ME, PORT, 600 * CLOCK_MS); /* a later one, by now */
	check_after(900, 1, 0);
}

static void test_others_are_no_rivals(void **state)
{
	(void)state;
	give_up();
	try_another(OTHER, PORT, 0);
	try_another(ME, PORT + 1, 0);
	check_after(100, 1, 0);
}

static void test_who_exits_tries_nothing_more(void **state)
{
	struct lp_record r = attempt_of(ME, 64);

	(void)state;
	r.task.exiting = 1;
	races_add(races, event_of(&r));
	assert_int_equal(out.n, 1);
	assert_int_equal(out.raced, 0);
}

static void test_one_walk_serves_all_and_costs_little(void **state)
{
	(void)state;
	kernel.takes_ns = 10 * CLOCK_MS;
	for (int i = 0; i < 100; i++)
		give_up();
	check_after(100, 100, 0);
	assert_int_equal(kernel.walks, 1);
	give_up();
	assert_int_equal(races_deadline(races), now_ns + 490 * CLOCK_MS);
	check_after(400, 100, 0);
	check_after(90, 101, 0);
}

static void test_too_many_push_out_the_oldest(void **state)
{
	(void)state;
	for (int i = 0; i <= RACES_MAX; i++)
		give_up();
	assert_int_equal(out.n, 1);
	races_finish(races);
	assert_int_equal(out.n, RACES_MAX + 1);
}

static void test_at_the_end_the_winners_losers_are_known(void **state)
{
	(void)state;
	give_up();
	kernel.won = now_ns;
	races_finish(races);
	assert_int_equal(out.raced, 1);
}

static void test_it_concerns_the_first_second_only(void **state)
{
	struct lp_record r = attempt_of(ME, 64);
	struct event *e = event_of(&r);

	(void)state;
	assert_true(races_concern(e));
	event_record(e)->socket.total_retrans = 1;
	assert_false(races_concern(e));
	event_record(e)->socket.total_retrans = 0;
	e->owner = (struct owner){.unknown = UNKNOWN_KERNEL};
	assert_false(races_concern(e));
	event_free(e);
}

static void test_a_slot_is_found_by_process_and_port(void **state)
{
	const __u32 last = (1u << 22) - 1;
	__u64 word = lp_won_of(last, 65535, 1234 * CLOCK_SECOND);

	(void)state;
	assert_int_equal(word >> LP_WON_TIME_BITS, (__u64)last << 16 | 65535);
	assert_int_equal(lp_won_slot(word), lp_won_slot(lp_won_of(last, 65535, 5)));
	for (__u32 i = 0; i < 100000; i += 7)
		assert_true(lp_won_slot(lp_won_of(i, (__u16)i, 0)) < LP_WON);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_alone_it_is_told_after_a_moment),
		TEST(test_a_winner_since_it_began_ends_it_at_once),
		TEST(test_the_winner_may_come_later),
		TEST(test_who_still_tries_another_is_no_loser_yet),
		TEST(test_the_next_attempt_of_a_row_that_fails_hides_nothing),
		TEST(test_others_are_no_rivals),
		TEST(test_who_exits_tries_nothing_more),
		TEST(test_one_walk_serves_all_and_costs_little),
		TEST(test_too_many_push_out_the_oldest),
		TEST(test_at_the_end_the_winners_losers_are_known),
		TEST(test_it_concerns_the_first_second_only),
		TEST(test_a_slot_is_found_by_process_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
