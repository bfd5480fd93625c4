/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standard output: a terminal, a pipe or a file opened by the shell. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "outputs/lines.h"

static const struct option_spec keys[] = {
	LINES_FORMAT,
};

static int open_stdout(void **state, const void *settings, const struct output_agent *agent)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	(void)settings;
	(void)agent;
	if (!lines)
		return -ENOMEM;
	lines->fd = STDOUT_FILENO;
	*state = lines;
	return 0;
}

static size_t write_stdout(void *state, const struct iovec *entries, size_t n, int *error)
{
	return lines_write(state, entries, n, error);
}

const struct output_ops output_stdout = {
	.name = "stdout",
	.help = "writes lines to standard output",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct lines_settings),
	.exclusive = true,
	.open = open_stdout,
	.write = write_stdout,
	.close = free,
};
