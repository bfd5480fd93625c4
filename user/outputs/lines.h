/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines to a descriptor, never a part of one: what could not be written whole is taken back where that can be (a
 * file), and else finished when writing works again.
 */
#ifndef LOSTPEER_LINES_H
#define LOSTPEER_LINES_H

#include "outputs/output.h"

/* At the beginning of the settings of an output that writes lines. */
struct lines_settings {
	bool text; /* for people; else JSON */
};

extern const char *const lines_formats[];
#define LINES_FORMAT                                                                                                   \
	{                                                                                                              \
		"format", "FORMAT", "json (the default) or text", option_choice,                                       \
			OPTION_AT(struct lines_settings, text), .choices = lines_formats,                              \
								.wrong = "neither json nor text"                       \
	}
format_event *lines_format(const void *settings); /* which begin with a struct lines_settings */

struct lines {
	int fd;
	size_t rest_length;
	char rest[LINE_MAX_BYTES]; /* of a line that has begun, and is counted as written */
};

/* As output_ops.write. */
size_t lines_write(struct lines *lines, const struct iovec *entries, size_t n, int *error);

#endif
