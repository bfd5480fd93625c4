/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Discards everything: for tests and benchmarks. */
#include "outputs/lines.h"

static int open_null(void **state, const void *settings, const struct output_agent *agent)
{
	(void)state;
	(void)settings;
	(void)agent;
	return 0;
}

static size_t write_null(void *state, const struct iovec *entries, size_t n, int *error)
{
	(void)state;
	(void)entries;
	(void)error;
	return n;
}

static void close_null(void *state)
{
	(void)state;
}

const struct output_ops output_null = {
	.name = "null",
	.help = "writes nowhere: for tests and benchmarks",
	.settings_size = sizeof(struct lines_settings),
	.open = open_null,
	.write = write_null,
	.close = close_null,
};
