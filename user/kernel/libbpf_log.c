/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char program[64];

/* "libbpf: prog 'NAME': BPF program load failed: ...", "libbpf: failed to auto-attach program 'NAME': ..." */
static void note_program(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void note_program(const char *format, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), format, args);
	if (sscanf(line, "libbpf: prog '%63[^']'", program) != 1)
		sscanf(line, "libbpf: failed to auto-attach program '%63[^']'", program);
}

static int say(enum libbpf_print_level level, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	va_list again;

	if (level == LIBBPF_WARN && !*program) {
		va_copy(again, args);
		note_program(format, again);
		va_end(again);
	}
	if (!getenv("LOSTPEER_DEBUG") || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

void libbpf_log_hush(void)
{
	libbpf_set_print(say);
}

void libbpf_log_begin(void)
{
	*program = '\0';
}

const char *libbpf_log_program(void)
{
	return program;
}
