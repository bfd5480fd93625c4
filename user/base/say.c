/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/say.h"

#include <stdarg.h>
#include <stdio.h>

int say(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "lostpeer: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	return err;
}
