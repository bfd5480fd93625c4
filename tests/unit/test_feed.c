/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fan-out: each feed has its own filter, grouping, queue and ledger. Each ledger stays exact whatever happens to
 * other feeds, and when feeds come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "outputs/feed.h"
#include "outputs/subscribers.h"

/* An output that may block or fail, as its settings say. */
struct sink_settings {
	bool blocks, fails, refuses;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool released; /* blocked outputs go on */
static unsigned opened, closed, reopened;

static int open_sink(void **state, const void *settings, const struct output_agent *agent)
{
	const struct sink_settings *s = settings;

	(void)agent;
	if (s->refuses)
		return -EACCES;
	opened++;
	*state = (void *)(uintptr_t)s;
	return 0;
}

static size_t write_sink(void *state, const struct iovec *entries, size_t n, int *error)
{
	const struct sink_settings *s = state;

	(void)entries;
	pthread_mutex_lock(&lock);
	while (s->blocks && !released)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
	*error = EIO;
	return s->fails ? n / 2 : n;
}

static int reopen_sink(void *state)
{
	(void)state;
	__atomic_add_fetch(&reopened, 1, __ATOMIC_RELAXED);
	return 0;
}

static void close_sink(void *state)
{
	(void)state;
	closed++;
}

static const struct output_ops ops = {
	.name = "sink",
	.settings_size = sizeof(struct sink_settings),
	.format = format_json,
	.open = open_sink,
	.write = write_sink,
	.reopen = reopen_sink,
	.close = close_sink,
};

static struct feeds *feeds;
static struct feeds_flow flow; /* as the agent counts it */

static struct feed_settings *make(const char *title, const char *source)
{
	struct feed_settings *s = feed_settings_new(title);

	assert_non_null(s);
	assert_int_equal(feed_settings_output(s, &ops), 0);
	s->source = strdup(source);
	return s;
}

static struct sink_settings *sink_of(struct feed_settings *s)
{
	return s->output;
}

static int set_up(void **state)
{
	struct feeds_context context = {.format = sample_context(), .reader_gone_fd = -1};

	(void)state;
	feeds = feeds_new(&context);
	flow = (struct feeds_flow){0};
	released = false;
	opened = closed = reopened = 0;
	return feeds ? 0 : -1;
}

static void release(void)
{
	pthread_mutex_lock(&lock);
	released = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static int tear_down(void **state)
{
	(void)state;
	release();
	feeds_flush(feeds);
	feeds_free(feeds);
	return 0;
}

/* Keeps messages off stderr, where they would look like a failure of this test. */
static int change(struct feed_settings **settings, size_t n)
{
	int saved = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC), err;

	fflush(stderr);
	dup2(null, 2);
	err = feeds_change(feeds, settings, n, &flow);
	dup2(saved, 2);
	close(saved);
	close(null);
	return err ? err : feeds_start(feeds);
}

/* Handles an event as the agent does: puts it, or counts it as filtered if no feed accepts it. */
static void put(unsigned number, bool orderly)
{
	struct sample s;

	sample_example(&s);
	stream_sample(&s, number);
	if (orderly)
		s.event.verdict.cause = PEER_CLOSED_FIN;
	flow.emitted++;
	if (feeds_accept(feeds, &s.event))
		feeds_put(feeds, &s.event, clock_monotonic_ns());
	else
		feeds_filter_out(feeds, 1);
}

static void put_many(unsigned n, bool orderly)
{
	for (unsigned i = 1; i <= n; i++)
		put(i, orderly);
	feeds_wake(feeds);
}

static struct ledger check_ledger(size_t i)
{
	struct ledger l = feeds_ledger(feeds, i, &flow);

	if (l.emitted !=
	    l.written + l.filtered + l.grouped + l.ring_full + l.output_full + l.write_failed + l.stopped + l.pending)
		fail_msg("%s: %llu emitted, %llu written, %llu filtered, %llu grouped, %llu+%llu+%llu+%llu lost, %llu "
			 "pending",
			 feeds_title(feeds, i), l.emitted, l.written, l.filtered, l.grouped, l.ring_full, l.output_full,
			 l.write_failed, l.stopped, l.pending);
	return l;
}

static void test_each_has_its_filter(void **state)
{
	struct feed_settings *s[] = {make("all", ""), make("lost", ""), make("port", "")};
	struct ledger l;

	(void)state;
	s[0]->filter.all = true;
	assert_null(filter_add(&s[2]->filter, FILTER_PORT, false, "1"));
	assert_int_equal(change(s, 3), 0);
	put_many(100, false);
	put_many(50, true);
	feeds_flush(feeds);
	l = check_ledger(0);
	assert_int_equal(l.written, 150);
	assert_int_equal(l.pending, 0);
	l = check_ledger(1);
	assert_int_equal(l.written, 100);
	assert_int_equal(l.filtered, 50);
	l = check_ledger(2);
	assert_int_equal(l.filtered, 150);
}

static void test_the_kernel_reports_the_union(void **state)
{
	struct feed_settings *s[] = {make("one", ""), make("other", "")};

	(void)state;
	assert_null(filter_add(&s[0]->filter, FILTER_NETNS, false, "4711"));
	assert_null(filter_add(&s[1]->filter, FILTER_NETNS, false, "4711"));
	assert_null(filter_add(&s[1]->filter, FILTER_EVENT, false, "peer_closed"));
	assert_int_equal(change(s, 2), 0);
	assert_int_equal(feeds_wants(feeds).netns, 4711);
	assert_int_equal(feeds_wants(feeds).classes & LP_CLASSES_ORDERLY, LP_CLASS_PEER_CLOSED);
	s[0] = make("one", "now of any");
	s[0]->filter.all = true;
	s[1] = make("other", "");
	assert_int_equal(change(s, 2), 0); /* the other one exists already */
	assert_int_equal(feeds_wants(feeds).netns, 0);
	assert_true(feeds_wants(feeds).classes & LP_CLASS_LOCAL_CLOSED);
	assert_int_equal(opened, 3);
}

/* --- an output whose readers come and go --- */

static struct audience readers;
static __u64 confirmed;
static unsigned retired;
static size_t unwanted; /* written events that no reader wanted after all */

const struct output_ops output_subscribers = {
	.name = "sink",
	.settings_size = sizeof(struct sink_settings),
	.format = format_json,
	.open = open_sink,
	.write = write_sink,
	.close = close_sink,
};

const struct audience *subscribers_ask(struct server *server)
{
	(void)server;
	return &readers;
}

void subscribers_confirm(struct server *server, __u64 generation, __u64 wall_ns)
{
	(void)server;
	(void)wall_ns;
	confirmed = generation;
}

void subscribers_retire(struct server *server)
{
	(void)server;
	retired++;
}

__u64 subscribers_unwanted(struct server *server)
{
	(void)server;
	return unwanted;
}

static struct feed_settings *make_with_readers(const char *title)
{
	struct feed_settings *s = make(title, "");

	s->ops = &output_subscribers;
	assert_null(feed_settings_check(s));
	readers = (struct audience){.generation = 1};
	confirmed = unwanted = retired = 0;
	return s;
}

static void add_reader(__u32 uid, const char *event)
{
	struct filter f;

	filter_init(&f);
	assert_null(filter_add(&f, FILTER_EVENT, false, event));
	audience_add(&readers, uid, &f);
	filter_free(&f);
	readers.generation++;
	feeds_ask(feeds);
}

static void test_readers_decide_what_is_wanted(void **state)
{
	struct feed_settings *s[] = {make_with_readers("read")};
	static struct uid_wants uids[FEEDS_UIDS_MAX];
	struct sample sample;

	(void)state;
	assert_int_equal(change(s, 1), 0);
	feeds_ask(feeds);
	assert_int_equal(feeds_wants(feeds).classes, 0);
	assert_int_equal(feeds_uid_wants(feeds, uids), 0);
	sample_example(&sample);
	sample.record.socket.uid = 1000;
	assert_false(feeds_accept(feeds, &sample.event));
	add_reader(1000, "peer_closed");
	add_reader(1000, "peer_lost");
	assert_int_equal(feeds_wants(feeds).classes, 0);
	assert_int_equal(feeds_uid_wants(feeds, uids), 1);
	assert_int_equal(uids[0].uid, 1000);
	assert_int_equal(uids[0].classes, LP_CLASS_LOST | LP_CLASS_PEER_CLOSED);
	assert_true(feeds_accept(feeds, &sample.event));
	sample.record.socket.uid = 1001;
	assert_false(feeds_accept(feeds, &sample.event));
	add_reader(0, "peer_lost");
	assert_int_equal(feeds_wants(feeds).classes, LP_CLASS_LOST);
	assert_true(feeds_accept(feeds, &sample.event));
	feeds_confirm(feeds, 5);
	assert_int_equal(confirmed, readers.generation);
	assert_int_equal(change(NULL, 0), 0);
	assert_int_equal(retired, 1);
}

static void test_unwanted_events_are_filtered(void **state)
{
	struct feed_settings *s[] = {make_with_readers("read"), make("all", "")};
	struct ledger l;

	(void)state;
	assert_int_equal(change(s, 2), 0);
	feeds_ask(feeds);
	put_many(100, false);
	l = check_ledger(0);
	assert_int_equal(l.filtered, 100);
	add_reader(0, "peer_lost");
	put_many(50, false);
	feeds_flush(feeds);
	unwanted = 3;
	l = check_ledger(0);
	assert_int_equal(l.written, 47);
	assert_int_equal(l.filtered, 103);
	l = check_ledger(1);
	assert_int_equal(l.written, 150);
}

static void test_readers_know_no_group(void **state)
{
	struct feed_settings *s = make_with_readers("read");

	(void)state;
	s->group_ns = 5;
	assert_non_null(feed_settings_check(s));
	s->group_ns = 0;
	assert_null(feed_settings_check(s));
	s->rate = 1;
	assert_non_null(feed_settings_check(s));
	feed_settings_free(s);
}

static void test_one_that_blocks_or_fails_costs_only_itself(void **state)
{
	struct feed_settings *s[] = {make("good", ""), make("stuck", ""), make("broken", ""), make("grouped", "")};
	struct ledger l;

	(void)state;
	sink_of(s[1])->blocks = true;
	sink_of(s[2])->fails = true;
	s[3]->group_ns = 3600 * 1000000000ULL;
	assert_int_equal(change(s, 4), 0);
	for (unsigned i = 0; i < 20; i++) {
		put_many(1000, false);
		while (feeds_ledger(feeds, 0, &flow).pending)
			usleep(1000);
	}
	l = check_ledger(0);
	assert_int_equal(l.written, 20000);
	l = check_ledger(1);
	assert_int_equal(l.written, 0);
	assert_true(l.output_full > 10000);
	assert_int_equal(l.output_full + l.pending, 20000);
	check_ledger(2);
	l = check_ledger(3);
	assert_int_equal(l.grouped, 19999);
	feeds_finish(feeds); /* gives up the stuck one */
	feeds_flush(feeds);
	for (size_t i = 0; i < 4; i++) {
		l = check_ledger(i);
		assert_int_equal(l.pending, 0);
	}
	l = check_ledger(1);
	assert_int_equal(l.output_full + l.stopped, 20000);
	l = check_ledger(2);
	assert_int_equal(l.written + l.write_failed, 20000);
	assert_true(l.write_failed > 0);
}

static void test_a_new_feed_does_not_count_earlier_events(void **state)
{
	struct feed_settings *s[] = {make("old", ""), NULL};
	struct ledger l;

	(void)state;
	flow.ring_full = 7;
	flow.emitted = 7;
	assert_int_equal(change(s, 1), 0);
	put_many(100, false);
	flow.emitted += 5; /* records in the ring or waiting for their owner */
	s[0] = make("old", "");
	s[1] = make("new", "");
	assert_int_equal(change(s, 2), 0);
	assert_int_equal(reopened, 0);
	assert_int_equal(check_ledger(1).pending, 5);
	flow.emitted -= 5;
	put_many(5, false); /* those five */
	put_many(10, false);
	flow.ring_full++;
	flow.emitted++;
	feeds_flush(feeds);
	l = check_ledger(0);
	assert_int_equal(l.written, 115);
	assert_int_equal(l.ring_full, 1);
	l = check_ledger(1);
	assert_int_equal(l.emitted, 16);
	assert_int_equal(l.written, 15);
	assert_int_equal(l.ring_full, 1);
}

static void test_one_that_cannot_be_opened_changes_nothing(void **state)
{
	struct feed_settings *s[] = {make("one", ""), NULL, NULL};

	(void)state;
	assert_int_equal(change(s, 1), 0);
	put_many(10, false);
	s[0] = make("another", "");
	s[1] = make("one", "");
	s[2] = make("locked", "");
	sink_of(s[2])->refuses = true;
	assert_int_equal(change(s, 3), -EIO);
	assert_int_equal(feeds_count(feeds), 1);
	assert_string_equal(feeds_title(feeds, 0), "one");
	assert_int_equal(opened, 2);
	assert_int_equal(closed, 1);
	put_many(10, false);
	feeds_flush(feeds);
	assert_int_equal(check_ledger(0).written, 20);
}

static void test_one_that_is_dropped_writes_what_waits(void **state)
{
	struct feed_settings *s[] = {make("one", "")};

	(void)state;
	sink_of(s[0])->blocks = true;
	assert_int_equal(change(s, 1), 0);
	put_many(100, false);
	s[0] = make("other", "");
	assert_int_equal(change(s, 1), 0);
	put_many(10, false);
	feeds_tick(feeds, clock_monotonic_ns());
	assert_int_equal(closed, 0);
	assert_true(feeds_deadline(feeds) > 0);
	release();
	while (feeds_deadline(feeds)) {
		feeds_tick(feeds, clock_monotonic_ns()); /* prints its ledger */
		usleep(1000);
	}
	assert_int_equal(closed, 1);
	feeds_flush(feeds);
	assert_int_equal(check_ledger(0).written, 10);
	assert_int_equal(check_ledger(0).emitted, 10);
}

static void test_a_file_is_opened_again_by_those_that_stay(void **state)
{
	struct feed_settings *s[] = {make("one", ""), NULL};

	(void)state;
	assert_int_equal(change(s, 1), 0);
	feeds_reopen(feeds);
	feeds_flush(feeds);
	while (__atomic_load_n(&reopened, __ATOMIC_RELAXED) != 1)
		usleep(1000);
}

static void full(void *agent)
{
	++*(unsigned *)agent;
}

static void test_the_limit_is_reported_once(void **state)
{
	unsigned times = 0;
	struct feeds_context context = {
		.format = sample_context(), .agent = {.agent = &times}, .reader_gone_fd = -1, .full = full};
	struct feed_settings *s[] = {make("one", "")};

	(void)state;
	feeds_free(feeds);
	feeds = feeds_new(&context);
	s[0]->most_events = 3;
	assert_int_equal(change(s, 1), 0);
	put_many(3, false);
	assert_int_equal(times, 1);
	feeds_flush(feeds);
	assert_int_equal(check_ledger(0).written, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_has_its_filter),
		TEST(test_the_kernel_reports_the_union),
		TEST(test_readers_decide_what_is_wanted),
		TEST(test_unwanted_events_are_filtered),
		TEST(test_readers_know_no_group),
		TEST(test_one_that_blocks_or_fails_costs_only_itself),
		TEST(test_a_new_feed_does_not_count_earlier_events),
		TEST(test_one_that_cannot_be_opened_changes_nothing),
		TEST(test_one_that_is_dropped_writes_what_waits),
		TEST(test_a_file_is_opened_again_by_those_that_stay),
		TEST(test_the_limit_is_reported_once),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
