/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes whole lines to a descriptor. After a partial write the part is removed if possible (a file); else the line is
 * finished when writing works again.
 */
#ifndef LOSTPEER_LINES_H
#define LOSTPEER_LINES_H

#include "outputs/output.h"

/* The settings of an output that writes lines begin with this. */
struct lines_settings {
	bool text; /* else JSON */
};

extern const char *const lines_formats[];
#define LINES_FORMAT                                                                                                   \
	{                                                                                                              \
		"format", "FORMAT", "json (the default) or text", option_choice,                                       \
			OPTION_AT(struct lines_settings, text), .choices = lines_formats,                              \
								.wrong = "neither json nor text"                       \
	}
format_event *lines_format(const void *settings); /* beginning with a struct lines_settings */

struct lines {
	int fd;
	size_t rest_length;
	char rest[LINE_MAX_BYTES]; /* of a line partly written, which is counted as written */
};

/* See output_ops.write. */
size_t lines_write(struct lines *lines, const struct iovec *entries, size_t n, int *error);

#endif
