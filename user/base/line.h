/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line of output under construction, and the two ways to escape untrusted text in it. */
#ifndef LOSTPEER_LINE_H
#define LOSTPEER_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Enough for the longest event: a path of PATH_MAX bytes and the cgroups of holders, each byte escaped to six. */
#define LINE_MAX_BYTES 61440

struct line {
	size_t length;
	bool cut; /* something did not fit; cannot happen with today's events */
	char text[LINE_MAX_BYTES];
};

void line_clear(struct line *line);
void line_append(struct line *line, const char *text, size_t length);
void line_text(struct line *line, const char *text); /* trusted text: not escaped */
void line_number(struct line *line, unsigned long long number);
void line_printf(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends the inside of a JSON string: control characters are escaped, and bytes that are not UTF-8 become U+FFFD. */
void line_json_string(struct line *line, const char *untrusted);
/* For a terminal: control characters are escaped (\x1b), and characters that change the direction of text become
 * U+FFFD. */
void line_plain(struct line *line, const char *untrusted);
/* Pads with spaces to `column` characters since `from` (an earlier length); at least one. */
void line_pad(struct line *line, size_t from, size_t column);
void line_spaces(struct line *line, size_t n);

#endif
