/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which two sockets are the ends of one connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event/connection.h"

#include "ends.h"

static int set_up(void **state)
{
	(void)state;
	ends_begin(CLOCK_SECOND);
	return 0;
}

static bool fit(const struct lp_record *one, const struct lp_record *other)
{
	struct connection_others others = connection_others(one);

	for (unsigned i = 0; i < others.n; i++)
		if (connection_has_other(one) && others.initial[i] == connection_initial(other))
			return true;
	return false;
}

static bool both_fit(void)
{
	assert_int_equal(fit(&a, &b), fit(&b, &a));
	return fit(&a, &b);
}

/* Whatever was sent, and whether either end has sent a FIN: both count it twice. */
static void test_ends_that_fit(void **state)
{
	(void)state;
	assert_true(both_fit());
	for (int i = 0; i < 5; i++) {
		ends_send(0x40000000u);
		assert_true(both_fit());
	}
	a.socket.snd_una++;
	a.socket.bytes_acked++;
	assert_true(both_fit());
	b.socket.rcv_nxt++;
	b.socket.bytes_received++;
	assert_true(both_fit());
}

/* Both stacks use the same addresses and ports, and began in the same 64 ns at one end. */
static void test_initial_numbers_tell_twins_apart(void **state)
{
	(void)state;
	b.socket.rcv_nxt++;
	assert_false(both_fit());
	b.socket.rcv_nxt -= 2;
	assert_false(both_fit());
	b.socket.rcv_nxt++;
	b.socket.snd_una++;
	assert_false(both_fit());
	b.socket.snd_una--;
	assert_true(both_fit());
}

static void test_ends_fit_whatever_address_translation_did(void **state)
{
	(void)state;
	b.socket.local_port++;
	b.socket.peer_port++;
	b.socket.local_addr[3]++;
	b.socket.peer_addr[3]++;
	assert_true(both_fit());
}

/* Of a connection older than the agent, nobody knows which end connected. */
static void test_ends_fit_without_their_roles(void **state)
{
	(void)state;
	a.socket.flags &= ~(__u32)LP_F_CONNECTED;
	assert_true(both_fit());
	b.socket.flags &= ~(__u32)LP_F_ACCEPTED;
	assert_true(both_fit());
	b.socket.rcv_nxt++;
	assert_false(both_fit());
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ends_that_fit),
		TEST(test_initial_numbers_tell_twins_apart),
		TEST(test_ends_fit_whatever_address_translation_did),
		TEST(test_ends_fit_without_their_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
