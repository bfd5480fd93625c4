/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outputs that write: a file that only ever has whole lines, on a full disk too; standard output, whose reader may
 * be slow or gone; and null. The full disk is a tmpfs of a few pages in a mount namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/lostpeer-unit-XXXXXX";
static char path[sizeof(directory) + 16];
static bool mounted;

static struct output *open_json(const struct output_ops *ops, const char *target, int gone_fd)
{
	struct format_context context = sample_context();

	return output_open(ops, target, format_json, &context, gone_fd);
}

static struct stream read_file(const char *name)
{
	FILE *file = fopen(name, "re");
	static char text[4 << 20];
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_true(n < sizeof(text));
	return stream_read(text, n);
}

static void check_ledger(struct output_counts c, __u64 put)
{
	assert_int_equal(c.waiting, 0);
	assert_true(c.written + c.output_full + c.write_failed + c.stopped == put);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/events.jsonl", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	if (mounted)
		umount(directory);
	return rmdir(directory);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void test_a_file_is_appended_to_and_not_for_everybody(void **state)
{
	struct output *output;
	struct stat st;

	(void)state;
	umask(0);
	for (unsigned i = 0; i < 2; i++) {
		output = open_json(&output_file, path, -1);
		assert_non_null(output);
		stream_put(output, 10 * i + 1, 10 * i + 10);
		output_finish(output, 10000);
		check_ledger(output_counts(output), 10);
		output_close(output);
	}
	assert_int_equal(read_file(path).events, 20);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

/* A tmpfs of this size over the directory; skips the test where that is not allowed. */
static void make_small_disk(const char *size)
{
	if (!mounted && (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL)))
		skip();
	assert_int_equal(mount("tmpfs", directory, "tmpfs", mounted ? MS_REMOUNT : 0, size), 0);
	mounted = true;
}

static void test_a_full_disk_never_leaves_a_part_of_a_line(void **state)
{
	struct output_counts counts;
	struct output *output;
	struct stat st;

	(void)state;
	make_small_disk("size=65536");
	output = open_json(&output_file, path, -1);
	assert_non_null(output);
	stream_put(output, 1, 500);
	output_finish(output, 10000);
	counts = output_counts(output);
	check_ledger(counts, 500);
	assert_true(counts.write_failed > 0);
	assert_true(counts.written > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0);
	/* what was written is there, and whole, and nothing else is */
	assert_int_equal(read_file(path).events, counts.written);
	output_close(output);
}

static void test_a_disk_with_room_again_tells_what_it_missed(void **state)
{
	struct output_counts counts;
	struct output *output;
	struct stream s;

	(void)state;
	make_small_disk("size=65536");
	output = open_json(&output_file, path, -1);
	assert_non_null(output);
	stream_put(output, 1, 500);
	stream_wait_empty(output);
	make_small_disk("size=4194304");
	stream_put(output, 501, 600);
	output_finish(output, 10000);
	counts = output_counts(output);
	check_ledger(counts, 600);
	s = read_file(path);
	assert_int_equal(s.events, counts.written);
	assert_int_equal(s.last, 600);
	assert_true(s.gaps >= 1);
	assert_string_equal(s.place, "write_failed");
	assert_int_equal(s.lost, counts.write_failed);
	output_close(output);
}

static void test_a_device_that_takes_nothing_counts_everything(void **state)
{
	struct output *output = open_json(&output_file, "/dev/full", -1);

	(void)state;
	assert_non_null(output);
	stream_put(output, 1, 100);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).write_failed, 100);
	check_ledger(output_counts(output), 100);
	output_close(output);
}

static void test_null_takes_everything(void **state)
{
	struct output *output = open_json(&output_null, NULL, -1);

	(void)state;
	assert_non_null(output);
	stream_put(output, 1, 100);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).written, 100);
	output_close(output);
}

/* A pipe in the place of standard output. */
struct diverted {
	int saved, reader;
};

static struct diverted divert(int flags)
{
	struct diverted d;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
	fflush(stdout);
	d.saved = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	d.reader = ends[0];
	return d;
}

static void restore(const struct diverted *d)
{
	dup2(d->saved, STDOUT_FILENO);
	close(d->saved);
}

static size_t read_all(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(fd, text + length, size - length)) > 0)
		length += (size_t)n;
	return length;
}

static void test_standard_output_is_written_in_whole_lines(void **state)
{
	static char text[1 << 20];
	struct diverted d = divert(0);
	struct output *output = open_json(&output_stdout, NULL, -1);
	struct output_counts counts;
	size_t n;

	(void)state;
	stream_put(output, 1, 20);
	output_finish(output, 10000);
	counts = output_counts(output);
	output_close(output);
	restore(&d);
	n = read_all(d.reader, text, sizeof(text));
	close(d.reader);
	assert_int_equal(counts.written, 20);
	assert_int_equal(stream_read(text, n).events, 20);
}

static void test_a_reader_that_left_standard_output_is_noticed(void **state)
{
	int gone = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct diverted d = divert(0);
	struct output *output = open_json(&output_stdout, NULL, gone);
	struct output_counts counts;
	uint64_t times = 0;
	ssize_t n;

	(void)state;
	close(d.reader);
	stream_put(output, 1, 3);
	output_finish(output, 10000);
	counts = output_counts(output);
	output_close(output);
	restore(&d);
	n = read(gone, &times, sizeof(times));
	close(gone);
	assert_int_equal(n, sizeof(times));
	assert_int_equal(counts.written, 0);
	check_ledger(counts, 3);
}

/* Some parents hand down a pipe that does not block (ssh, Node.js): a line that only half fits must not run into
 * the next one. */
static void test_a_pipe_that_does_not_block_has_whole_lines_too(void **state)
{
	static char text[2 << 20];
	struct diverted d = divert(O_NONBLOCK);
	struct output *output = open_json(&output_stdout, NULL, -1);
	struct output_counts counts;
	struct stream s;
	size_t n;

	(void)state;
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 4096);
	stream_put(output, 1, 400);
	usleep(100000);
	n = read_all(d.reader, text, sizeof(text));
	stream_put(output, 401, 410);
	usleep(100000);
	n += read_all(d.reader, text + n, sizeof(text) - n);
	stream_put(output, 411, 411);
	for (int i = 0; i < 100 && output_counts(output).waiting; i++) {
		usleep(10000);
		n += read_all(d.reader, text + n, sizeof(text) - n);
	}
	output_finish(output, 1000);
	counts = output_counts(output);
	output_close(output);
	restore(&d);
	n += read_all(d.reader, text + n, sizeof(text) - n);
	close(d.reader);
	check_ledger(counts, 411);
	s = stream_read(text, n);
	assert_int_equal(s.events, counts.written);
	assert_int_equal(s.last, 411);
	assert_int_equal(s.lost, counts.write_failed);
}

#define TEST(f) cmocka_unit_test_teardown(f, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_file_is_appended_to_and_not_for_everybody),
		TEST(test_a_full_disk_never_leaves_a_part_of_a_line),
		TEST(test_a_disk_with_room_again_tells_what_it_missed),
		TEST(test_a_device_that_takes_nothing_counts_everything),
		TEST(test_null_takes_everything),
		TEST(test_standard_output_is_written_in_whole_lines),
		TEST(test_a_reader_that_left_standard_output_is_noticed),
		TEST(test_a_pipe_that_does_not_block_has_whole_lines_too),
	};

	signal(SIGPIPE, SIG_IGN); /* as the agent does */
	return cmocka_run_group_tests_name("output_file", tests, make_directory, remove_directory);
}
