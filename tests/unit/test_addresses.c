/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is local in a network namespace, and the messages that say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "../../user/check/addresses.c"
#include "../../user/check/netlink.c"

static struct local l;

static struct address address(const char *text)
{
	__u8 bytes[16];
	int family = inet_pton(AF_INET, text, bytes) == 1 ? AF_INET : AF_INET6;

	if (family == AF_INET6)
		assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return address_of(family, bytes);
}

static void add_text(const char *text, unsigned bits)
{
	__u8 bytes[16];
	int family = inet_pton(AF_INET, text, bytes) == 1 ? AF_INET : AF_INET6;

	if (family == AF_INET6)
		assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	assert_int_equal(add(&l, family, bytes, bits), 0);
}

static bool have(const char *text)
{
	return addresses_have(l.list, l.n, address(text));
}

static int clear(void **state)
{
	(void)state;
	free(l.list);
	l = (struct local){0};
	return 0;
}

static void test_an_address_of_an_interface_is_local(void **state)
{
	(void)state;
	assert_false(have("10.8.0.6"));
	add_text("10.8.0.6", 32);
	add_text("fd00:8::6", 128);
	assert_true(have("10.8.0.6") && have("::ffff:10.8.0.6") && have("fd00:8::6"));
	assert_false(have("10.8.0.77") || have("fd00:8::77") || have("::10.8.0.6"));
}

static void test_a_prefix_is_local_as_a_whole(void **state)
{
	(void)state;
	add_text("127.0.0.0", 8);
	add_text("192.0.2.128", 26);
	add_text("fd00:9::", 61);
	assert_true(have("127.9.9.9") && have("192.0.2.190") && have("fd00:9:0:7::1"));
	assert_false(have("128.0.0.1") || have("192.0.2.193") || have("fd00:9:0:8::1"));
}

static void test_everything_may_be_local(void **state)
{
	(void)state;
	add_text("0.0.0.0", 0);
	assert_true(have("203.0.113.1"));
	assert_false(have("fd00::1"));
}

/* An address with a peer on the link: ours is IFA_LOCAL. */
static void test_the_peer_of_a_link_is_not_local(void **state)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr peer;
		__u8 peer_address[4];
		struct rtattr own;
		__u8 own_address[4];
	} message = {
		.h = {.nlmsg_len = sizeof(message), .nlmsg_type = RTM_NEWADDR},
		.m = {.ifa_family = AF_INET},
		.peer = {.rta_type = IFA_ADDRESS, .rta_len = 8},
		.peer_address = {10, 0, 0, 1},
		.own = {.rta_type = IFA_LOCAL, .rta_len = 8},
		.own_address = {10, 0, 0, 2},
	};

	(void)state;
	assert_int_equal(take_messages((const char *)&message, sizeof(message), take_message, &l), 0);
	assert_true(have("10.0.0.2"));
	assert_false(have("10.0.0.1"));
}

static void test_a_cut_message_is_refused(void **state)
{
	struct nlmsghdr h = {.nlmsg_len = 400, .nlmsg_type = RTM_NEWADDR};

	(void)state;
	assert_int_equal(take_messages((const char *)&h, sizeof(h), take_message, &l), -EBADMSG);
}

#define TEST(f) cmocka_unit_test_teardown(f, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_address_of_an_interface_is_local),
		TEST(test_a_prefix_is_local_as_a_whole),
		TEST(test_everything_may_be_local),
		TEST(test_the_peer_of_a_link_is_not_local),
		TEST(test_a_cut_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
