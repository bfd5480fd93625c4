/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/say.h"

#include <stdarg.h>
#include <stdio.h>

int say(int err, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "lostpeer: %s\n", text); /* in one call, so that messages of other threads do not mix with it */
	return err;
}
