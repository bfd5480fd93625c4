/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A socket seen several times is one entry with all its holders; an unaccepted one belongs to its listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "check/snapshot.h"

#define MANY 5000

static struct snapshot *snapshot;

static int make(void **state)
{
	(void)state;
	snapshot = snapshot_new();
	return snapshot ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	snapshot_free(snapshot);
	return 0;
}

static struct lp_held held(__u64 sk, __u32 tgid, __u32 fd)
{
	return (struct lp_held){.socket = {.sk = sk, .state = TCP_ESTABLISHED, .family = AF_INET, .flags = LP_F_SOCKET},
				.task = {.tgid = tgid},
				.fd = fd};
}

static void add(struct lp_held h)
{
	assert_int_equal(snapshot_add(snapshot, &h), 0);
}

static bool write_holder(void *context, const struct lp_task *task, __u32 fd)
{
	char *text = context;

	sprintf(text + strlen(text), "%u:%u ", task->tgid, fd);
	return false;
}

static const char *holders(size_t i)
{
	static char text[256];

	text[0] = '\0';
	snapshot_each_holder(snapshot, i, write_holder, text);
	return text;
}

static void test_shared(void **state)
{
	(void)state;
	add(held(100, 7, 3));
	add(held(200, 7, 4));
	add(held(100, 7, 5));
	add(held(100, 9, 3));
	assert_int_equal(snapshot_count(snapshot), 2);
	assert_string_equal(holders(0), "9:3 7:5 7:3 ");
	assert_string_equal(holders(1), "7:4 ");
}

/* First seen without a descriptor, then with one: it was accepted in between. */
static void test_accepted_meanwhile(void **state)
{
	struct lp_held before = held(100, 0, 0);

	(void)state;
	before.socket.flags = 0;
	add(before);
	assert_string_equal(holders(0), "");
	add(held(100, 7, 3));
	assert_int_equal(snapshot_count(snapshot), 1);
	assert_int_equal(snapshot_get(snapshot, 0)->flags, LP_F_SOCKET);
	assert_string_equal(holders(0), "7:3 ");
}

static void test_by_inode(void **state)
{
	struct lp_held one = held(0, 0, 0), orphan = held(0, 0, 0);
	const struct lp_task task = {.tgid = 7};
	bool known;

	(void)state;
	one.socket.inode = 55;
	add(orphan);
	add(one);
	add(orphan); /* without an inode nothing shows that it is the same socket */
	assert_int_equal(snapshot_count(snapshot), 3);
	assert_int_equal(snapshot_hold(snapshot, 55, &task, 3, &known), 0);
	assert_true(known);
	assert_int_equal(snapshot_hold(snapshot, 56, &task, 4, &known), 0);
	assert_false(known);
	assert_string_equal(holders(1), "7:3 ");
}

static void test_many(void **state)
{
	char expected[64];

	(void)state;
	for (int round = 0; round < 2; round++) {
		snapshot_clear(snapshot);
		assert_int_equal(snapshot_count(snapshot), 0);
		for (__u32 i = 1; i <= MANY; i++)
			add(held(i * 64ULL, i, 3));
		for (__u32 i = 1; i <= MANY; i++)
			add(held(i * 64ULL, MANY + i, 4));
		assert_int_equal(snapshot_count(snapshot), MANY);
	}
	for (__u32 i = 1; i <= MANY; i++) {
		snprintf(expected, sizeof(expected), "%u:4 %u:3 ", MANY + i, i);
		assert_string_equal(holders(i - 1), expected);
	}
}

static struct lp_held listener(__u64 sk, const char *address, __u16 port, __u32 tgid)
{
	struct lp_held h = held(sk, tgid, 3);

	h.socket.state = TCP_LISTEN;
	h.socket.local_port = port;
	h.socket.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	inet_pton(h.socket.family, address, h.socket.local_addr);
	return h;
}

static void test_listener(void **state)
{
	struct lp_held waiting = listener(500, "10.0.0.1", 80, 0), orphan, elsewhere;

	(void)state;
	waiting.socket.state = TCP_ESTABLISHED;
	waiting.socket.flags = 0;
	orphan = elsewhere = waiting;
	orphan.socket.sk = 600;
	orphan.socket.flags = LP_F_DEAD;
	elsewhere.socket.sk = 700;
	elsewhere.socket.netns = 2;
	add(waiting);
	add(orphan);
	add(elsewhere);
	assert_int_equal(snapshot_held_by(snapshot, 0), 0); /* no listener */
	add(listener(1, "10.0.0.2", 80, 7));
	add(listener(2, "10.0.0.1", 81, 8));
	assert_int_equal(snapshot_held_by(snapshot, 0), 0); /* on another address */
	add(listener(3, "::", 80, 9));
	assert_int_equal(snapshot_held_by(snapshot, 0), 5);
	add(listener(4, "10.0.0.1", 80, 10));
	assert_int_equal(snapshot_held_by(snapshot, 0), 6); /* on the same address */
	add(listener(5, "0.0.0.0", 80, 11));
	assert_int_equal(snapshot_held_by(snapshot, 0), 6);
	assert_int_equal(snapshot_held_by(snapshot, 1), 1);
	assert_int_equal(snapshot_held_by(snapshot, 2), 2);
}

static void test_unheld(void **state)
{
	struct lp_held in_flight = held(500, 0, 0), orphan = held(600, 0, 0), other;
	size_t i;

	(void)state;
	in_flight.socket.flags |= LP_F_FILE;
	in_flight.socket.inode = 7;
	orphan.socket.flags = LP_F_DEAD;
	add(in_flight);
	add(orphan);
	assert_true(snapshot_is_unheld(snapshot, 0));
	assert_false(snapshot_is_unheld(snapshot, 1));
	assert_true(snapshot_find(snapshot, &in_flight.socket, &i));
	assert_int_equal(i, 0);
	other = in_flight;
	other.socket.inode = 8; /* another socket has the address now */
	assert_false(snapshot_find(snapshot, &other.socket, &i));
	other.socket.sk = 501;
	assert_false(snapshot_find(snapshot, &other.socket, &i));
	in_flight.task.tgid = 3;
	add(in_flight);
	assert_false(snapshot_is_unheld(snapshot, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared, make, drop),
		cmocka_unit_test_setup_teardown(test_accepted_meanwhile, make, drop),
		cmocka_unit_test_setup_teardown(test_by_inode, make, drop),
		cmocka_unit_test_setup_teardown(test_many, make, drop),
		cmocka_unit_test_setup_teardown(test_listener, make, drop),
		cmocka_unit_test_setup_teardown(test_unheld, make, drop),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
