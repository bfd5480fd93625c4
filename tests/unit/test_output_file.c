/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outputs that write: a file, which has only whole lines even on a full disk; standard output, whose reader may be
 * slow or gone; and null. The full disk is a tmpfs of a few pages in a mount namespace of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream.h"

#include "outputs/file.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/lostpeer-unit-XXXXXX";
static char path[sizeof(directory) + 16];
static bool mounted;

static struct output *open_file(const char *target)
{
	static struct file_settings settings;

	strcpy(settings.path, target);
	return stream_open(&output_file, &settings, -1);
}

static struct output *open_stdout(int reader_gone_fd)
{
	static const struct lines_settings settings;

	return stream_open(&output_stdout, &settings, reader_gone_fd);
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

static void test_a_file_is_appended_to_and_not_world_readable(void **state)
{
	struct output *output;
	struct stat st;

	(void)state;
	umask(0);
	for (unsigned i = 0; i < 2; i++) {
		output = open_file(path);
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

/* Mounts a tmpfs of this size over the directory; skips the test if that is not permitted. */
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
	output = open_file(path);
	assert_non_null(output);
	stream_put(output, 1, 500);
	output_finish(output, 10000);
	counts = output_counts(output);
	check_ledger(counts, 500);
	assert_true(counts.write_failed > 0);
	assert_true(counts.written > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0);
	/* the file has exactly the written lines, each whole */
	assert_int_equal(read_file(path).events, counts.written);
	output_close(output);
}

static void test_a_disk_with_room_again_reports_the_gap(void **state)
{
	struct output_counts counts;
	struct output *output;
	struct stream s;

	(void)state;
	make_small_disk("size=65536");
	output = open_file(path);
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

static void limit_files(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* An append-only file cannot be truncated: the output finishes the begun line before it writes another. */
static void test_a_line_that_cannot_be_taken_back_is_finished(void **state)
{
	int file = memfd_create("log", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	char name[64];
	struct output_counts counts;
	struct output *output;
	struct stream s;

	(void)state;
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	output = open_file(name);
	assert_non_null(output);
	limit_files(stream_line_length(1, 3) + 10);
	stream_put(output, 1, 8);
	stream_wait_empty(output);
	stream_put(output, 9, 9);
	stream_wait_empty(output);
	limit_files(RLIM_INFINITY);
	stream_put(output, 10, 10);
	output_finish(output, 10000);
	counts = output_counts(output);
	check_ledger(counts, 10);
	s = read_file(name);
	output_close(output);
	close(file);
	assert_int_equal(s.events, counts.written);
	assert_in_range(counts.written, 5, 9); /* four before, one of them partly; and the last */
	assert_int_equal(s.last, 10);
	assert_int_equal(s.lost, counts.write_failed);
}

static void test_a_file_that_was_rotated_is_opened_again(void **state)
{
	char rotated[sizeof(path) + 2];
	struct output *output = open_file(path);
	struct stream first, second;

	(void)state;
	assert_non_null(output);
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	stream_put(output, 1, 10);
	stream_wait_empty(output);
	assert_int_equal(rename(path, rotated), 0);
	stream_put(output, 11, 20); /* still to the old file */
	stream_wait_empty(output);
	output_reopen(output);
	for (int i = 0; i < 10000 && access(path, F_OK); i++)
		usleep(1000);
	stream_put(output, 21, 30);
	output_finish(output, 10000);
	check_ledger(output_counts(output), 30);
	output_close(output);
	first = read_file(rotated);
	second = read_file(path);
	unlink(rotated);
	assert_int_equal(first.events, 20);
	assert_int_equal(second.events, 10);
}

/* For example if the directory is gone: the old file is better than none. */
static void test_a_file_that_cannot_be_opened_again_is_kept(void **state)
{
	static struct file_settings settings;
	char text[] = "{}\n";
	struct iovec entry = {text, 3};
	struct stat st;
	void *opened;
	int error = 0;

	(void)state;
	strcpy(settings.path, path);
	assert_int_equal(output_file.open(&opened, &settings, NULL), 0);
	strcpy(settings.path, "/nowhere/events.jsonl");
	assert_int_equal(output_file.reopen(opened), -ENOENT);
	assert_int_equal(output_file.write(opened, &entry, 1, &error), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3);
	output_file.close(opened);
	assert_int_equal(output_file.open(&opened, &settings, NULL), -ENOENT);
}

static void test_a_device_that_takes_nothing_counts_everything(void **state)
{
	struct output *output = open_file("/dev/full");

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
	static const struct lines_settings settings;
	struct output *output = stream_open(&output_null, &settings, -1);

	(void)state;
	assert_non_null(output);
	stream_put(output, 1, 100);
	output_finish(output, 10000);
	assert_int_equal(output_counts(output).written, 100);
	output_close(output);
}

/* A pipe as standard output. */
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
	struct output *output = open_stdout(-1);
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
	struct output *output = open_stdout(gone);
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

/* Some parents (ssh, Node.js) pass a nonblocking pipe: if only half of a line fits, it must not run into the next. */
static void test_a_pipe_that_does_not_block_has_whole_lines_too(void **state)
{
	static char text[2 << 20];
	struct diverted d = divert(O_NONBLOCK);
	struct output *output = open_stdout(-1);
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
		TEST(test_a_file_is_appended_to_and_not_world_readable),
		TEST(test_a_full_disk_never_leaves_a_part_of_a_line),
		TEST(test_a_disk_with_room_again_reports_the_gap),
		TEST(test_a_line_that_cannot_be_taken_back_is_finished),
		TEST(test_a_file_that_was_rotated_is_opened_again),
		TEST(test_a_file_that_cannot_be_opened_again_is_kept),
		TEST(test_a_device_that_takes_nothing_counts_everything),
		TEST(test_null_takes_everything),
		TEST(test_standard_output_is_written_in_whole_lines),
		TEST(test_a_reader_that_left_standard_output_is_noticed),
		TEST(test_a_pipe_that_does_not_block_has_whole_lines_too),
	};

	signal(SIGPIPE, SIG_IGN); /* as the agent does */
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests_name("output_file", tests, make_directory, remove_directory);
}
