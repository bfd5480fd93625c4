/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An output behind its queue, with writers of the test: one that never returns, one that fails, one whose reader has
 * left. Each event is counted in exactly one place, and the stream reports each lost event when it flows again.
 * test_output_file.c has the real files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A writer that behaves as the test says and keeps its input. */
static struct sink {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool blocks;  /* until the test sets it to false */
	bool entered; /* the writer is in write() */
	int error;    /* the error of write(); 0: none */
	size_t takes; /* the entries written before the error */
	unsigned writes, reopened, flushed;
	char *text;
	size_t length, room;
	bool closed;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

struct sink_settings {
	bool refuses;
};

static int open_sink(void **state, const void *settings, const struct output_agent *agent)
{
	(void)agent;
	*state = &sink;
	return ((const struct sink_settings *)settings)->refuses ? -EACCES : 0;
}

static size_t write_sink(void *state, const struct iovec *entries, size_t n, int *error)
{
	struct sink *s = state;
	size_t length = 0;

	pthread_mutex_lock(&s->lock);
	s->entered = true;
	s->writes++;
	pthread_cond_broadcast(&s->moved);
	while (s->blocks)
		pthread_cond_wait(&s->moved, &s->lock);
	s->entered = false;
	if (s->error) {
		*error = s->error;
		n = s->takes < n ? s->takes : n;
	}
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(entries[i].iov_base, (char *)entries[0].iov_base + length);
		length += entries[i].iov_len;
	}
	while (s->length + length > s->room) {
		s->room = s->room ? 2 * s->room : 1 << 20;
		s->text = realloc(s->text, s->room);
	}
	if (length)
		memcpy(s->text + s->length, entries[0].iov_base, length);
	s->length += length;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static int reopen_sink(void *state)
{
	struct sink *s = state;

	pthread_mutex_lock(&s->lock);
	s->reopened++;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int flush_sink(void *state)
{
	struct sink *s = state;

	pthread_mutex_lock(&s->lock);
	s->flushed++;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void close_sink(void *state)
{
	((struct sink *)state)->closed = true;
}

static const struct output_ops ops = {
	.name = "sink",
	.settings_size = sizeof(struct sink_settings),
	.format = format_json,
	.open = open_sink,
	.write = write_sink,
	.reopen = reopen_sink,
	.flush = flush_sink,
	.close = close_sink,
};

static void set_sink(bool blocks, int error, size_t takes)
{
	pthread_mutex_lock(&sink.lock);
	sink.blocks = blocks;
	sink.error = error;
	sink.takes = takes;
	pthread_cond_broadcast(&sink.moved);
	pthread_mutex_unlock(&sink.lock);
}

static void wait_until_it_writes(void)
{
	pthread_mutex_lock(&sink.lock);
	while (!sink.entered)
		pthread_cond_wait(&sink.moved, &sink.lock);
	pthread_mutex_unlock(&sink.lock);
}

static struct output *output;

static void open_output(int reader_gone_fd)
{
	static const struct sink_settings settings;

	output = stream_open(&ops, &settings, reader_gone_fd);
	assert_non_null(output);
}

static int set_up(void **state)
{
	(void)state;
	set_sink(false, 0, 0);
	sink.length = 0;
	sink.writes = sink.reopened = sink.flushed = 0;
	sink.closed = sink.entered = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	set_sink(false, 0, 0);
	if (output)
		output_finish(output, 10000); /* otherwise its thread would run into the next test */
	output_close(output);
	output = NULL;
	free(sink.text);
	sink.text = NULL;
	sink.length = sink.room = 0;
	return 0;
}

static void put_one_and_wait(unsigned number)
{
	stream_put(output, number, number);
	stream_wait_empty(output);
}

/* Checks the output's part of the ledger. */
static void check_ledger(__u64 put)
{
	struct output_counts c = output_counts(output);

	if (c.written + c.output_full + c.write_failed + c.stopped + c.waiting != put)
		fail_msg("%llu put: %llu written, %llu output_full, %llu write_failed, %llu stopped, %llu waiting", put,
			 c.written, c.output_full, c.write_failed, c.stopped, c.waiting);
}

static void test_writes_lines_in_order(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	stream_put(output, 1, 1000);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).written, 1000);
	check_ledger(1000);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, 1000);
	assert_int_equal(s.last, 1000);
	assert_int_equal(s.gaps, 0);
}

/* More bytes than the queue holds, so the ring of bytes wraps at many places. */
static void test_lines_survive_the_wrap_of_the_queue(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	for (unsigned i = 0; i < 40; i++) {
		stream_put(output, i * 1000 + 1, i * 1000 + 1000);
		stream_wait_empty(output);
	}
	output_finish(output, 10000);
	check_ledger(40000);
	assert_true(sink.length > 3UL * OUTPUT_QUEUE_BYTES);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, 40000);
	assert_int_equal(s.gaps, 0);
}

static void test_a_line_is_given_to_the_writer_at_once(void **state)
{
	(void)state;
	open_output(-1);
	put_one_and_wait(1);
	assert_int_equal(output_counts(output).written, 1);
	assert_int_equal(stream_read(sink.text, sink.length).events, 1);
}

/* Blocks the writer and puts more events than fit. Returns their number. */
static unsigned overfill(void)
{
	unsigned n = 1;

	set_sink(true, 0, 0);
	stream_put(output, 1, 1);
	wait_until_it_writes();
	while (output_counts(output).output_full < 100) {
		n++;
		stream_put(output, n, n);
	}
	return n;
}

static void test_a_writer_that_never_returns_costs_only_its_own_events(void **state)
{
	struct output_counts c;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	c = output_counts(output);
	assert_int_equal(c.written, 0);
	assert_int_equal(c.output_full, 100);
	assert_true(c.waiting > 4000);
	check_ledger(n);
}

static void test_a_gap_is_reported_in_its_place(void **state)
{
	struct stream s;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	set_sink(false, 0, 0);
	stream_wait_empty(output);
	stream_put(output, n + 1, n + 3);
	output_finish(output, 10000);
	check_ledger(n + 3);
	assert_int_equal(output_counts(output).output_full, 100);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, n + 3 - 100);
	assert_int_equal(s.gaps, 1);
	assert_int_equal(s.lost, 100);
	assert_string_equal(s.place, "output_full");
	assert_int_equal(s.before_gap, n - 100);
	assert_int_equal(s.after_gap, n + 1);
	/* the times of the first and last lost event */
	assert_int_equal(s.lost_first, n - 99);
	assert_int_equal(s.lost_last, n);
}

static void test_a_gap_is_reported_at_the_end_if_nothing_follows(void **state)
{
	struct stream s;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	check_ledger(n);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.lost, 100);
	assert_int_equal(s.before_gap, n - 100);
}

static void test_a_gap_that_does_not_fit_is_reported_with_the_next(void **state)
{
	struct event gap;
	struct stream s;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	event_from_loss(&gap, EVENTS_LOST_RING_FULL, (struct loss){55, 1, 2});
	output_put(output, &gap);
	check_ledger(n);
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.lost, 155);
}

static void test_failed_writes_are_counted_and_reported(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	put_one_and_wait(1);
	set_sink(false, EIO, 0);
	put_one_and_wait(2);
	assert_int_equal(output_counts(output).write_failed, 1);
	check_ledger(2);
	set_sink(false, 0, 0);
	put_one_and_wait(3);
	output_finish(output, 10000);
	check_ledger(3);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, 2);
	assert_int_equal(s.lost, 1);
	assert_string_equal(s.place, "write_failed");
	assert_int_equal(s.before_gap, 1);
	assert_int_equal(s.after_gap, 3);
}

/* The line that reports a loss may be lost too; its count must not be. */
static void test_every_failure_is_reported_while_it_lasts(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	set_sink(false, ENOSPC, 0);
	for (unsigned i = 1; i <= 10; i++)
		put_one_and_wait(i);
	assert_int_equal(output_counts(output).write_failed, 10);
	set_sink(false, 0, 0);
	put_one_and_wait(11);
	output_finish(output, 10000);
	check_ledger(11);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, 1);
	assert_int_equal(s.lost, 10);
	assert_int_equal(s.lost_first, 1);
	assert_int_equal(s.lost_last, 10);
}

static void test_the_interval_of_a_gap_is_that_of_its_events(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	set_sink(false, EIO, 0);
	put_one_and_wait(8); /* not quite in the order of their times */
	put_one_and_wait(3);
	put_one_and_wait(5);
	set_sink(false, 0, 0);
	put_one_and_wait(20);
	output_finish(output, 10000);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.lost, 3);
	assert_int_equal(s.lost_first, 3);
	assert_int_equal(s.lost_last, 8);
}

static void test_a_gap_that_fails_to_be_written_is_reported_later(void **state)
{
	struct event gap;
	struct stream s;

	(void)state;
	open_output(-1);
	set_sink(false, EIO, 0);
	event_from_loss(&gap, EVENTS_LOST_RING_FULL, (struct loss){55, 1, 2});
	output_put(output, &gap);
	put_one_and_wait(1);
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	check_ledger(1);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.lost, 56);
}

static void test_a_write_that_fails_in_between_counts_the_written_part(void **state)
{
	(void)state;
	open_output(-1);
	set_sink(true, 0, 0);
	stream_put(output, 1, 1);
	wait_until_it_writes();
	stream_put(output, 2, 11);
	set_sink(false, EIO, 3);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).written, 4); /* event 1 was a separate write */
	assert_int_equal(output_counts(output).write_failed, 7);
	check_ledger(11);
}

static void test_it_is_opened_again_between_two_writes(void **state)
{
	(void)state;
	open_output(-1);
	set_sink(true, 0, 0);
	stream_put(output, 1, 1);
	wait_until_it_writes();
	output_reopen(output);
	stream_put(output, 2, 2);
	assert_int_equal(sink.reopened, 0);
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	assert_int_equal(sink.reopened, 1);
	assert_int_equal(output_counts(output).written, 2);
	output_reopen(output); /* with nothing to write */
	pthread_mutex_lock(&sink.lock);
	while (sink.reopened < 2)
		pthread_cond_wait(&sink.moved, &sink.lock);
	pthread_mutex_unlock(&sink.lock);
}

static void test_the_writer_sleeps_until_it_is_woken(void **state)
{
	struct sample s;

	(void)state;
	open_output(-1);
	put_one_and_wait(1);
	sample_example(&s);
	output_put(output, &s.event);
	output_put(output, &s.event);
	assert_int_equal(output_counts(output).waiting, 2);
	output_wake(output);
	stream_wait_empty(output);
	assert_int_equal(sink.writes, 2);
}

static void test_a_whole_batch_wakes_the_writer(void **state)
{
	struct sample s;

	(void)state;
	open_output(-1);
	set_sink(true, 0, 0);
	sample_example(&s);
	for (unsigned i = 0; i < OUTPUT_BATCH; i++)
		output_put(output, &s.event);
	wait_until_it_writes();
	set_sink(false, 0, 0);
}

static void test_it_is_flushed_when_nothing_waits(void **state)
{
	(void)state;
	open_output(-1);
	set_sink(true, 0, 0);
	stream_put(output, 1, 1);
	wait_until_it_writes();
	stream_put(output, 2, 2 * OUTPUT_BATCH + 1); /* more than one write */
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	assert_true(sink.writes >= 3);
	assert_int_equal(sink.flushed, 1);
}

static void test_entries_before_the_start_wait(void **state)
{
	static const struct sink_settings settings;
	struct output_options options = {
		.ops = &ops, .settings = &settings, .title = "sink", .context = sample_context(), .reader_gone_fd = -1};

	(void)state;
	output = output_open(&options);
	assert_non_null(output);
	stream_put(output, 1, 3);
	assert_int_equal(output_counts(output).waiting, 3);
	assert_int_equal(output_start(output), 0);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).written, 3);
}

static void test_it_is_done_when_all_is_written(void **state)
{
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	assert_false(output_is_done(output));
	set_sink(false, 0, 0);
	while (!output_is_done(output))
		usleep(1000);
	check_ledger(n);
	assert_int_equal(output_counts(output).written, n - 100);
	assert_int_equal(stream_read(sink.text, sink.length).lost, 100); /* the loss is reported */
}

static void test_the_agent_learns_of_a_reader_that_left(void **state)
{
	int gone = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t times = 0;
	unsigned writes;

	(void)state;
	open_output(gone);
	put_one_and_wait(1);
	assert_int_equal(read(gone, &times, sizeof(times)), -1);
	set_sink(false, EPIPE, 0);
	put_one_and_wait(2);
	assert_int_equal(read(gone, &times, sizeof(times)), sizeof(times));
	assert_int_equal(times, 1);
	writes = sink.writes;
	stream_put(output, 3, 12);
	output_finish(output, 10000);
	assert_int_equal(read(gone, &times, sizeof(times)), -1); /* only once */
	assert_int_equal(sink.writes, writes);                   /* no more writes */
	assert_int_equal(output_counts(output).written, 1);
	check_ledger(12);
	close(gone);
}

/* Without an eventfd for it the output goes on, as after any other error. */
static void test_a_reader_that_comes_back(void **state)
{
	struct stream s;

	(void)state;
	open_output(-1);
	set_sink(false, EPIPE, 0);
	put_one_and_wait(1);
	set_sink(false, 0, 0);
	put_one_and_wait(2);
	output_finish(output, 10000);
	check_ledger(2);
	s = stream_read(sink.text, sink.length);
	assert_int_equal(s.events, 1);
	assert_int_equal(s.lost, 1);
}

static void test_other_errors_are_not_a_reader_that_left(void **state)
{
	int gone = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t times;

	(void)state;
	open_output(gone);
	set_sink(false, EIO, 0);
	put_one_and_wait(1);
	assert_int_equal(read(gone, &times, sizeof(times)), -1);
	close(gone);
}

static void test_finish_waits_for_a_slow_writer_but_not_for_ever(void **state)
{
	__u64 begun;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	begun = clock_monotonic_ns();
	output_finish(output, 50);
	assert_true(clock_monotonic_ns() - begun < 5 * 1000000000ULL);
	assert_int_equal(output_counts(output).waiting, 0);
	assert_int_equal(output_counts(output).stopped, n - 100);
	check_ledger(n);
}

/* An abandoned write may return while the agent reads the counts. */
static void test_a_write_that_returns_after_the_end_is_not_counted_twice(void **state)
{
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	output_finish(output, 10);
	check_ledger(n);
	set_sink(false, 0, 0);
	for (int i = 0; i < 200 && output_counts(output).written < n - 100; i++)
		usleep(10000);
	check_ledger(n);
	assert_true(output_counts(output).waiting == 0);
}

/* Its message on stderr would look like a failure of this test. */
static void test_an_output_that_cannot_be_opened_is_none(void **state)
{
	static const struct sink_settings settings = {.refuses = true};
	int saved = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct output *none;

	(void)state;
	fflush(stderr);
	dup2(null, 2);
	none = stream_open(&ops, &settings, -1);
	dup2(saved, 2);
	close(saved);
	close(null);
	assert_null(none);
	output_close(NULL);
}

static void put_repeat(__u64 count)
{
	struct sample s;

	sample_burst(&s);
	s.event.repeat.count = count;
	output_put(output, &s.event);
	output_wake(output);
}

/* A group is not an event: the caller counts its events as grouped. */
static void test_a_group_is_not_counted_as_written(void **state)
{
	(void)state;
	open_output(-1);
	put_repeat(299);
	stream_put(output, 1, 1);
	output_finish(output, 10000);
	assert_non_null(memmem(sink.text, sink.length, "\"repeat.count\":299", 18));
	assert_int_equal(output_counts(output).written, 1);
	assert_int_equal(output_counts(output).untold, 0);
	check_ledger(1);
}

static void test_a_group_that_does_not_fit(void **state)
{
	__u64 before;
	unsigned n;

	(void)state;
	open_output(-1);
	n = overfill();
	before = output_counts(output).output_full;
	put_repeat(299);
	assert_int_equal(output_counts(output).output_full, before + 299);
	assert_int_equal(output_counts(output).untold, 299);
	set_sink(false, 0, 0);
	output_finish(output, 10000);
	assert_int_equal(stream_read(sink.text, sink.length).lost, before + 299);
	check_ledger(n + 299);
}

static void test_a_group_that_cannot_be_written(void **state)
{
	(void)state;
	open_output(-1);
	set_sink(false, ENOSPC, 0);
	put_repeat(299);
	put_one_and_wait(1);
	set_sink(false, 0, 0);
	stream_put(output, 2, 2);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).write_failed, 300);
	assert_int_equal(output_counts(output).untold, 299);
	assert_int_equal(stream_read(sink.text, sink.length).lost, 300);
	check_ledger(2 + 299);
}

static void test_a_group_that_is_never_written(void **state)
{
	(void)state;
	open_output(-1);
	set_sink(true, 0, 0);
	put_repeat(299);
	wait_until_it_writes();
	put_repeat(100);
	stream_put(output, 1, 1);
	output_finish(output, 10);
	assert_int_equal(output_counts(output).stopped, 400);
	assert_int_equal(output_counts(output).untold, 399);
	check_ledger(400);
}

static void test_close_closes(void **state)
{
	(void)state;
	open_output(-1);
	put_one_and_wait(1);
	output_close(output);
	output = NULL;
	assert_true(sink.closed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writes_lines_in_order),
		TEST(test_lines_survive_the_wrap_of_the_queue),
		TEST(test_a_line_is_given_to_the_writer_at_once),
		TEST(test_a_writer_that_never_returns_costs_only_its_own_events),
		TEST(test_a_gap_is_reported_in_its_place),
		TEST(test_a_gap_is_reported_at_the_end_if_nothing_follows),
		TEST(test_a_gap_that_does_not_fit_is_reported_with_the_next),
		TEST(test_failed_writes_are_counted_and_reported),
		TEST(test_every_failure_is_reported_while_it_lasts),
		TEST(test_the_interval_of_a_gap_is_that_of_its_events),
		TEST(test_a_gap_that_fails_to_be_written_is_reported_later),
		TEST(test_a_write_that_fails_in_between_counts_the_written_part),
		TEST(test_it_is_opened_again_between_two_writes),
		TEST(test_the_writer_sleeps_until_it_is_woken),
		TEST(test_a_whole_batch_wakes_the_writer),
		TEST(test_it_is_flushed_when_nothing_waits),
		TEST(test_entries_before_the_start_wait),
		TEST(test_it_is_done_when_all_is_written),
		TEST(test_the_agent_learns_of_a_reader_that_left),
		TEST(test_a_reader_that_comes_back),
		TEST(test_other_errors_are_not_a_reader_that_left),
		TEST(test_finish_waits_for_a_slow_writer_but_not_for_ever),
		TEST(test_a_write_that_returns_after_the_end_is_not_counted_twice),
		TEST(test_a_group_is_not_counted_as_written),
		TEST(test_a_group_that_does_not_fit),
		TEST(test_a_group_that_cannot_be_written),
		TEST(test_a_group_that_is_never_written),
		TEST(test_close_closes),
		TEST(test_an_output_that_cannot_be_opened_is_none),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
