/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The journal, syslog and metrics as outputs: their keys, listeners that go away or stall, counts and gaps, and the
 * text for a scraper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "outputs/health.h"

#define PATIENCE_MS 60000

static char directory[] = "/tmp/lostpeer-socket-XXXXXX";
static char path[sizeof(directory) + 8];
static int listener = -1;

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int leave(void **state)
{
	(void)state;
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlink(path);
	return 0;
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	strcpy(at.sun_path, path);
	return at;
}

static void listen_again(void)
{
	struct sockaddr_un at = address();

	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
}

/* Settings with one key set, as the configuration does it; *why gets the error of the key. */
static void *settings_with(const struct output_ops *ops, const char *key, const char *value, const char **why)
{
	void *settings = calloc(1, ops->settings_size);

	*why = "no such key";
	for (size_t i = 0; i < ops->keys.count; i++)
		if (!strcmp(option_at(&ops->keys, i)->name, key))
			*why = options_set(option_at(&ops->keys, i), settings, false, value);
	return settings;
}

static void *settings_of(const struct output_ops *ops, const char *key, const char *value)
{
	const char *why;
	void *settings = settings_with(ops, key, value, &why);

	assert_null(why);
	assert_null(ops->check(settings));
	return settings;
}

static void refuses(const struct output_ops *ops, const char *key, const char *value)
{
	const char *why;

	free(settings_with(ops, key, value, &why));
	if (!why)
		fail_msg("%s takes %s = %s", ops->name, key, value);
}

/* Receives the next datagram, NUL-terminated; false: none came. */
static bool receive(char *text, size_t room, int patience_ms)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	ssize_t n;

	if (poll(&ready, 1, patience_ms) != 1)
		return false;
	n = recv(listener, text, room - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	return true;
}

/* Reads the datagrams until the event with this number, which may be in the field of the process or its pid. */
static struct stream receive_until(unsigned last)
{
	static char text[1 << 16];
	struct stream s = {0};
	const char *at;

	while (s.last < last) {
		if (!receive(text, sizeof(text), PATIENCE_MS))
			fail_msg("no event after %u", s.last);
		at = strstr(text, " lost.count=\"");
		if (!at)
			at = strstr(text, "\nLOSTPEER_LOST_COUNT=");
		if (at) {
			s.gaps++;
			s.lost += strtoul(at + strcspn(at, "0123456789"), NULL, 10);
			continue;
		}
		at = strstr(text, " process.pid=\"");
		if (!at)
			at = strstr(text, "\nLOSTPEER_PROCESS_PID=");
		assert_non_null(at);
		s.last = (unsigned)strtoul(at + strcspn(at, "0123456789"), NULL, 10);
		s.events++;
	}
	return s;
}

static void check_ledger(struct output_counts c, __u64 put)
{
	assert_int_equal(c.waiting, 0);
	assert_int_equal(c.written + c.output_full + c.write_failed + c.stopped, put);
}

static void goes_and_comes_back(const struct output_ops *ops, const char *key)
{
	void *settings = settings_of(ops, key, path);
	struct output *output = stream_open(ops, settings, -1);
	struct output_counts counts;
	struct stream s;

	assert_non_null(output); /* a missing listener is no error yet */
	stream_put(output, 1, 100);
	stream_wait_empty(output);
	listen_again();
	stream_put(output, 101, 105);
	s = receive_until(105);
	assert_int_equal(s.events, 5);
	assert_int_equal(s.lost, 100);
	leave(NULL);
	stream_put(output, 106, 200);
	stream_wait_empty(output);
	listen_again();
	stream_put(output, 201, 201);
	s = receive_until(201);
	assert_int_equal(s.events, 1);
	assert_int_equal(s.gaps, 1);
	assert_int_equal(s.lost, 95);
	output_finish(output, PATIENCE_MS);
	counts = output_counts(output);
	assert_int_equal(counts.written, 6);
	assert_int_equal(counts.write_failed, 195);
	check_ledger(counts, 201);
	output_close(output);
	free(settings);
}

static void test_syslog_goes_and_comes_back(void **state)
{
	(void)state;
	goes_and_comes_back(&output_syslog, "address");
}

static void test_the_journal_goes_and_comes_back(void **state)
{
	(void)state;
	goes_and_comes_back(&output_journal, "socket");
}

/* The listener does not read: the socket's queue fills, then ours. The lost events become one gap. */
static void test_a_listener_that_stalls_costs_only_this_output(void **state)
{
	void *settings = settings_of(&output_syslog, "address", path);
	struct output_counts counts;
	struct output *output;
	struct stream s;

	(void)state;
	listen_again();
	output = stream_open(&output_syslog, settings, -1);
	stream_put(output, 1, 20000);
	counts = output_counts(output);
	assert_true(counts.output_full > 10000);
	s = receive_until(1000);
	stream_put(output, 20001, 20001);
	while (s.last < 20001) {
		struct stream more = receive_until(s.last + 1);

		s.events += more.events;
		s.lost += more.lost;
		s.last = more.last;
	}
	output_finish(output, PATIENCE_MS);
	counts = output_counts(output);
	assert_int_equal(counts.written, s.events);
	assert_int_equal(counts.output_full, s.lost);
	check_ledger(counts, 20001);
	output_close(output);
	free(settings);
}

/* The result of check() without any key. */
static const char *without_keys(const struct output_ops *ops)
{
	void *settings = calloc(1, ops->settings_size);
	const char *why = ops->check(settings);

	free(settings);
	return why;
}

static void test_keys(void **state)
{
	(void)state;
	refuses(&output_journal, "socket", "journal");
	refuses(&output_journal, "socket", "127.0.0.1:19532");
	refuses(&output_syslog, "address", "log.example.com");
	refuses(&output_syslog, "address", "10.0.0.1:0");
	assert_non_null(without_keys(&output_syslog));
	assert_null(without_keys(&output_journal));
	assert_true(output_journal.group_ns > 0 && output_journal.rate > 0); /* people read it */
}

#ifdef HAVE_MICROHTTPD

static bool stuck, asked; /* stuck: the agent does not answer, as while it closes this output */

static bool health(void *agent, struct health *h, const bool *given_up)
{
	(void)agent;
	__atomic_store_n(&asked, true, __ATOMIC_RELAXED);
	while (stuck && !__atomic_load_n(given_up, __ATOMIC_RELAXED))
		usleep(1000);
	if (stuck)
		return false;
	h->n_outputs = 1;
	strcpy(h->outputs[0].title, "metrics");
	h->state_full = 4711;
	return true;
}

static const struct output_agent agent = {.health = health};

/* The current answer to a scraper. */
static const char *scrape(void)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	static char text[1 << 16];
	struct sockaddr_un at = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = 0;
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = '\0';
	return text;
}

static struct output *open_metrics(void *settings)
{
	struct output_options options = {.ops = &output_metrics,
					 .settings = settings,
					 .title = "metrics",
					 .agent = &agent,
					 .context = sample_context(),
					 .reader_gone_fd = -1};
	struct output *output = output_open(&options);

	assert_non_null(output);
	assert_int_equal(output_start(output), 0);
	return output;
}

static void *scrape_and_end(void *context)
{
	(void)context;
	scrape();
	return NULL;
}

/* The agent closes the output while a scraper waits for the agent. */
static void test_it_closes_while_it_is_scraped(void **state)
{
	void *settings = settings_of(&output_metrics, "address", path);
	struct output *output = open_metrics(settings);
	pthread_t scraper;

	(void)state;
	stuck = true;
	asked = false;
	assert_int_equal(pthread_create(&scraper, NULL, scrape_and_end, NULL), 0);
	while (!__atomic_load_n(&asked, __ATOMIC_RELAXED))
		usleep(1000);
	output_finish(output, PATIENCE_MS);
	output_close(output);
	pthread_join(scraper, NULL);
	stuck = false;
	free(settings);
}

static void test_a_scraper_gets_the_counts(void **state)
{
	void *settings = settings_of(&output_metrics, "address", path);
	struct output *output = open_metrics(settings);

	(void)state;
	stream_put(output, 1, 1234);
	stream_wait_empty(output);
	assert_non_null(strstr(scrape(), "{event=\"peer_lost\",cause=\"reset\",app=\"checkout\"} 1234\n"));
	assert_non_null(strstr(scrape(), "\nlostpeer_agent_lost_total{place=\"state_full\"} 4711\n"));
	assert_int_equal(output_counts(output).written, 1234);
	output_finish(output, PATIENCE_MS);
	output_close(output);
	free(settings);
}

static void test_metrics_are_for_this_host_alone(void **state)
{
	(void)state;
	refuses(&output_metrics, "address", "0.0.0.0:9555");
	refuses(&output_metrics, "address", "[::]:9555");
	refuses(&output_metrics, "address", "10.0.0.7:9555");
	refuses(&output_metrics, "address", "127.0.0.1");
	assert_non_null(without_keys(&output_metrics));
	free(settings_of(&output_metrics, "address", "127.0.0.1:9555"));
	free(settings_of(&output_metrics, "address", "[::1]:9555"));
}

#else

static void test_a_scraper_gets_the_counts(void **state)
{
	(void)state;
	skip();
}
#define test_metrics_are_for_this_host_alone test_a_scraper_gets_the_counts
#define test_it_closes_while_it_is_scraped test_a_scraper_gets_the_counts

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_syslog_goes_and_comes_back, leave),
		cmocka_unit_test_teardown(test_the_journal_goes_and_comes_back, leave),
		cmocka_unit_test_teardown(test_a_listener_that_stalls_costs_only_this_output, leave),
		cmocka_unit_test(test_keys),
		cmocka_unit_test_teardown(test_a_scraper_gets_the_counts, leave),
		cmocka_unit_test_teardown(test_it_closes_while_it_is_scraped, leave),
		cmocka_unit_test(test_metrics_are_for_this_host_alone),
	};

	return cmocka_run_group_tests_name("output_socket", tests, make_directory, remove_directory);
}
