/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The address of a socket from one word: accepted and refused ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/endpoint.h"

#define PORT 514

/* Compares with the result of getnameinfo(). */
static void becomes(const char *text, const char *address, const char *port)
{
	char host[64], service[16];
	struct endpoint endpoint;

	assert_null(endpoint_parse(text, PORT, &endpoint));
	assert_int_equal(getnameinfo((const struct sockaddr *)&endpoint.address, endpoint.length, host, sizeof(host),
				     service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
			 0);
	assert_string_equal(host, address);
	assert_string_equal(service, port);
	assert_string_equal(endpoint_path(&endpoint), "");
}

static void test_addresses(void **state)
{
	(void)state;
	becomes("127.0.0.1:9555", "127.0.0.1", "9555");
	becomes("10.0.0.7", "10.0.0.7", "514");
	becomes("[fd00::7]:65535", "fd00::7", "65535");
	becomes("[::1]", "::1", "514");
}

static void test_a_path(void **state)
{
	struct endpoint endpoint;
	char path[200] = "/";

	(void)state;
	assert_null(endpoint_parse("/run/rsyslog/lostpeer", PORT, &endpoint));
	assert_int_equal(endpoint.address.ss_family, AF_UNIX);
	assert_string_equal(endpoint_path(&endpoint), "/run/rsyslog/lostpeer");
	memset(path + 1, 'a', 106);
	assert_null(endpoint_parse(path, PORT, &endpoint));
	assert_string_equal(endpoint_path(&endpoint), path);
	path[107] = 'a';
	assert_non_null(endpoint_parse(path, PORT, &endpoint));
}

static void test_wrong_endpoints(void **state)
{
	static const char *const texts[] = {
		"",
		"localhost:514",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:5x",
		"127.0.0.1 ",
		"::1",
		"fd00::7:514",
		"[::1",
		"[::1]514",
		"[::1]:",
		"[127.0.0.1]:514",
		"[]:514",
		":514",
		"1.2.3",
		"run/socket",
		"[aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa]:1",
	};
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!endpoint_parse(texts[i], PORT, &endpoint))
			fail_msg("'%s' is taken for an endpoint", texts[i]);
	assert_non_null(endpoint_parse("127.0.0.1", 0, &endpoint)); /* without a default port the word must name one */
}

static void test_endpoints_that_only_this_host_can_reach(void **state)
{
	static const struct {
		const char *text;
		bool local;
	} rows[] = {
		{"127.0.0.1:1", true}, {"127.9.9.9:1", true}, {"[::1]:1", true}, {"/socket", true},
		{"0.0.0.0:1", false},  {"10.0.0.1:1", false}, {"[::]:1", false}, {"[::ffff:127.0.0.1]:1", false},
	};
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_null(endpoint_parse(rows[i].text, PORT, &endpoint));
		if (endpoint_is_local(&endpoint) != rows[i].local)
			fail_msg("%s", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_a_path),
		cmocka_unit_test(test_wrong_endpoints),
		cmocka_unit_test(test_endpoints_that_only_this_host_can_reach),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
