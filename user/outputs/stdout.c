/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standard output: a terminal, a pipe, a file that the shell opened. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "outputs/output.h"

static int open_stdout(void **state, const char *target)
{
	(void)state;
	(void)target;
	return 0;
}

static size_t write_stdout(void *state, const char *lines, size_t length, int *error)
{
	struct pollfd full = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t out = 0;
	ssize_t n;

	(void)state;
	while (out < length) {
		n = write(STDOUT_FILENO, lines + out, length - out);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && poll(&full, 1, -1) >= 0)
			continue; /* who shares this file made it non-blocking; we may block */
		if (n < 0) {
			*error = errno;
			break;
		}
		out += (size_t)n;
	}
	return out;
}

static void close_stdout(void *state)
{
	(void)state;
}

const struct output_ops output_stdout = {"stdout", open_stdout, write_stdout, close_stdout};
