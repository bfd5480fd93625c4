/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A file, appended to, mode 0640. What could not be written whole is taken back, so that no line is ever partial. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outputs/output.h"

static int open_file(void **state, const char *target)
{
	int fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	*state = (void *)(intptr_t)fd;
	return 0;
}

/* The end of the last whole line within the first n bytes. */
static size_t whole_lines(const char *lines, size_t n)
{
	while (n && lines[n - 1] != '\n')
		n--;
	return n;
}

static size_t write_file(void *state, const char *lines, size_t length, int *error)
{
	int fd = (int)(intptr_t)state;
	off_t start = lseek(fd, 0, SEEK_END);
	size_t out = 0, whole;
	ssize_t n;

	while (out < length) {
		n = write(fd, lines + out, length - out);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*error = errno;
			whole = whole_lines(lines, out);
			if (start >= 0 && whole < out && ftruncate(fd, start + (off_t)whole))
				*error = errno;
			return whole;
		}
		out += (size_t)n;
	}
	return out;
}

static void close_file(void *state)
{
	close((int)(intptr_t)state);
}

const struct output_ops output_file = {"file", open_file, write_file, close_file};
