/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The metrics' HTTP server: its answers; no client can keep another out; a reload refuses no client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#ifdef HAVE_MICROHTTPD

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/listener.h"
#include "outputs/scrape.h"

#define PATIENCE_MS 60000
#define OLDER 12 /* more connections than the limit */

static char directory[] = "/tmp/lostpeer-scrape-XXXXXX";
static struct endpoint at;
static struct scrape *scrape;
static char answer[1 << 16];

static void write_text(void *context, FILE *to, const bool *closing)
{
	(void)closing;
	fprintf(to, "text %s\n", (const char *)context);
}

/* A port that is not in use. */
static void choose_port(void)
{
	socklen_t n = sizeof(at.address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_null(endpoint_parse("127.0.0.1:1", 0, &at));
	((struct sockaddr_in *)&at.address)->sin_port = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&at.address, at.length), 0);
	getsockname(fd, (struct sockaddr *)&at.address, &n);
	close(fd);
}

static int use_tcp(void **state)
{
	(void)state;
	choose_port();
	return scrape_open(&scrape, &at, write_text, (char *)"one");
}

static void choose_path(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_null(endpoint_parse(path, 0, &at));
}

static int use_unix(void **state)
{
	(void)state;
	choose_path("socket");
	return scrape_open(&scrape, &at, write_text, (char *)"one");
}

static int tear_down(void **state)
{
	(void)state;
	scrape_close(scrape);
	return 0;
}

static int connect_to_it(void)
{
	int fd = socket(at.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at.address, at.length), 0);
	return fd;
}

/* Reads until the end into `answer`. Returns 0 or the errno that ended it. */
static int read_all(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t length = 0;
	ssize_t n;

	while (1) {
		assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
		n = read(fd, answer + length, sizeof(answer) - 1 - length);
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	answer[length] = '\0';
	return n ? errno : 0;
}

static void ask(const char *request)
{
	int fd = connect_to_it();

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	read_all(fd);
	close(fd);
}

static const char *body(void)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void answers(const char *request, const char *status, const char *text)
{
	ask(request);
	if (strncmp(answer, status, strlen(status)))
		fail_msg("'%.100s' is answered with '%.100s'", request, answer);
	assert_string_equal(body(), text);
	assert_non_null(strstr(answer, "Connection: close\r\n"));
}

static void test_answers_get(void **state)
{
	(void)state;
	answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text one\n");
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	answers("GET /metrics?name=x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text one\n");
	answers("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "");
}

static void test_answers_nothing_else(void **state)
{
	(void)state;
	answers("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", "lostpeer's metrics are at /metrics\n");
	answers("GET /metrics/../etc HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ",
		"lostpeer's metrics are at /metrics\n");
	answers("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ", "only GET\n");
	assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
}

static void test_survives_nonsense(void **state)
{
	static char long_request[100000];

	(void)state;
	memset(long_request, 'a', sizeof(long_request) - 1);
	memcpy(long_request, "GET /", 5);
	for (int i = 0; i < 3; i++) {
		int fd = connect_to_it();

		send(fd, long_request, strlen(long_request), MSG_NOSIGNAL);
		read_all(fd);
		assert_null(strstr(answer, "text one"));
		close(fd);
		ask("\r\n\xff\xfe nonsense\r\n\r\n");
		assert_null(strstr(answer, "text one"));
	}
	answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text one\n");
}

/* Clients that connect and send nothing, or only half a request. */
static void test_the_oldest_gives_way(void **state)
{
	int idle[OLDER];

	(void)state;
	for (int i = 0; i < OLDER; i++) {
		idle[i] = connect_to_it();
		if (i % 2)
			send(idle[i], "GET /met", 8, MSG_NOSIGNAL);
	}
	for (int i = 0; i < 3; i++)
		answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text one\n");
	read_all(idle[0]);
	assert_string_equal(answer, "");
	for (int i = 0; i < OLDER; i++)
		close(idle[i]);
}

static void test_a_client_that_asks_too_often_waits(void **state)
{
	__u64 began = clock_monotonic_ns();

	(void)state;
	for (int i = 0; i < 60; i++)
		answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text one\n");
	assert_true(clock_monotonic_ns() - began >= 900000000);
}

static void test_another_takes_over(void **state)
{
	struct scrape *two;

	(void)state;
	assert_int_equal(scrape_open(&two, &at, write_text, (char *)"two"), 0);
	scrape_close(scrape);
	scrape = two;
	for (int i = 0; i < 5; i++)
		answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text two\n");
}

/* For example by another agent. */
static void test_a_place_that_is_taken_is_refused(void **state)
{
	struct endpoint other = at;
	struct scrape *none;
	int fd;

	(void)state;
	if (at.address.ss_family == AF_INET)
		choose_port();
	else
		choose_path("other");
	fd = listener_open(&at, 0600);
	assert_true(fd >= 0);
	assert_int_equal(scrape_open(&none, &at, write_text, NULL), -EADDRINUSE);
	close(fd);
	if (*endpoint_path(&at))
		assert_int_equal(unlink(endpoint_path(&at)), 0);
	at = other;
}

static void test_a_file_that_is_no_socket_stays(void **state)
{
	struct endpoint other = at;
	struct scrape *none;

	(void)state;
	choose_path("other");
	fclose(fopen(endpoint_path(&at), "w"));
	assert_int_equal(scrape_open(&none, &at, write_text, NULL), -EADDRINUSE);
	assert_int_equal(unlink(endpoint_path(&at)), 0);
	at = other;
}

static void test_a_dead_agents_socket_is_replaced(void **state)
{
	struct endpoint other = at;
	struct scrape *two;
	struct stat st;

	(void)state;
	choose_path("other");
	close(listener_open(&at, 0600));
	assert_int_equal(scrape_open(&two, &at, write_text, (char *)"two"), 0);
	assert_int_equal(stat(endpoint_path(&at), &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	answers("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "text two\n");
	scrape_close(two);
	assert_int_equal(stat(endpoint_path(&at), &st), -1);
	at = other;
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

/* Fails if a socket is left. */
static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#define BOTH(f)                                                                                                        \
	{#f "_tcp", f, use_tcp, tear_down, NULL},                                                                      \
	{                                                                                                              \
#f "_unix", f, use_unix, tear_down, NULL                                                               \
	}
#define UNIX(f) cmocka_unit_test_setup_teardown(f, use_unix, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_answers_get),
		BOTH(test_answers_nothing_else),
		BOTH(test_survives_nonsense),
		BOTH(test_the_oldest_gives_way),
		BOTH(test_a_client_that_asks_too_often_waits),
		BOTH(test_another_takes_over),
		BOTH(test_a_place_that_is_taken_is_refused),
		UNIX(test_a_file_that_is_no_socket_stays),
		UNIX(test_a_dead_agents_socket_is_replaced),
	};

	return cmocka_run_group_tests_name("scrape", tests, make_directory, remove_directory);
}

#else

static void test_libmicrohttpd_is_there(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_libmicrohttpd_is_there)};

	return cmocka_run_group_tests_name("scrape", tests, NULL, NULL);
}

#endif
