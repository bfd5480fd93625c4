/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Nowhere: for tests and benchmarks. */
#include <stddef.h>

#include "outputs/output.h"

static int open_null(void **state, const char *target)
{
	(void)state;
	(void)target;
	return 0;
}

static size_t write_null(void *state, const char *lines, size_t length, int *error)
{
	(void)state;
	(void)lines;
	(void)error;
	return length;
}

static void close_null(void *state)
{
	(void)state;
}

const struct output_ops output_null = {"null", open_null, write_null, close_null};
