/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Each entry is a datagram. The listener exists, does not, goes away and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/line.h"
#include "outputs/datagram.h"

static char directory[] = "/tmp/lostpeer-datagram-XXXXXX";
static struct endpoint settings;
static void *datagram;
static int listener = -1;

static void listen_again(void)
{
	listener = socket(settings.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&settings.address, settings.length), 0);
}

static void leave(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
	if (*endpoint_path(&settings))
		unlink(endpoint_path(&settings));
}

static int use_unix(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return endpoint_parse(path, 0, &settings) ? -1 : datagram_open(&datagram, &settings, NULL);
}

/* A port that is not in use. */
static int use_udp(void **state)
{
	socklen_t n = sizeof(settings.address);

	(void)state;
	assert_null(endpoint_parse("127.0.0.1:1", 0, &settings));
	((struct sockaddr_in *)&settings.address)->sin_port = 0;
	listen_again();
	getsockname(listener, (struct sockaddr *)&settings.address, &n);
	leave();
	return datagram_open(&datagram, &settings, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	leave();
	datagram_close(datagram);
	return 0;
}

/* Sends the texts, which end with NULL. Returns the number sent. */
static size_t sends(int *error, const char *const *texts)
{
	struct iovec entries[8];
	size_t n = 0;

	for (; texts[n]; n++)
		entries[n] = (struct iovec){(void *)texts[n], strlen(texts[n])};
	*error = 0;
	return datagram_write(datagram, entries, n, error);
}
#define SENDS(error, ...) sends(error, (const char *const[]){__VA_ARGS__, NULL})

static void receives(const char *text)
{
	char got[64];
	ssize_t n = recv(listener, got, sizeof(got), MSG_DONTWAIT);

	if (!text) {
		assert_int_equal(n, -1);
		return;
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void test_each_entry_is_a_datagram(void **state)
{
	int error;

	(void)state;
	listen_again();
	assert_int_equal(SENDS(&error, "one\n", "two\nthree", "4"), 3);
	assert_int_equal(error, 0);
	receives("one\n");
	receives("two\nthree");
	receives("4");
	receives(NULL);
}

static void test_a_listener_goes_and_comes_back(void **state)
{
	int error;

	(void)state;
	assert_int_equal(SENDS(&error, "lost", "lost too"), 0); /* the listener never existed */
	assert_true(error == ECONNREFUSED || error == ENOENT);
	listen_again();
	assert_int_equal(SENDS(&error, "one"), 1);
	receives("one");
	leave();
	assert_int_equal(SENDS(&error, "lost"), 0);
	assert_true(error == ECONNREFUSED || error == ENOENT);
	listen_again();
	assert_int_equal(SENDS(&error, "two", "three"), 2);
	assert_int_equal(error, 0);
	receives("two");
	receives("three");
	receives(NULL);
}

/* A killed listener leaves its file. */
static void test_a_dead_listeners_file_is_refused(void **state)
{
	int error;

	(void)state;
	listen_again();
	assert_int_equal(SENDS(&error, "one"), 1);
	close(listener);
	listener = -1;
	assert_int_equal(SENDS(&error, "lost"), 0);
	assert_int_equal(error, ECONNREFUSED);
}

static void test_the_longest_entry_goes_out(void **state)
{
	static char entry[LINE_MAX_BYTES], got[LINE_MAX_BYTES + 1];
	int error = 0;

	(void)state;
	memset(entry, 'x', sizeof(entry));
	listen_again();
	assert_int_equal(datagram_write(datagram, &(struct iovec){entry, sizeof(entry)}, 1, &error), 1);
	assert_int_equal(recv(listener, got, sizeof(got), MSG_DONTWAIT), sizeof(entry));
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#define BOTH(f)                                                                                                        \
	{#f "_unix", f, use_unix, tear_down, NULL},                                                                    \
	{                                                                                                              \
#f "_udp", f, use_udp, tear_down, NULL                                                                 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_each_entry_is_a_datagram),
		BOTH(test_a_listener_goes_and_comes_back),
		cmocka_unit_test_setup_teardown(test_a_dead_listeners_file_is_refused, use_unix, tear_down),
		BOTH(test_the_longest_entry_goes_out),
	};

	return cmocka_run_group_tests_name("datagram", tests, make_directory, remove_directory);
}
