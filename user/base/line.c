/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void line_clear(struct line *line)
{
	line->length = 0;
	line->cut = false;
}

void line_append(struct line *line, const char *text, size_t length)
{
	if (length > sizeof(line->text) - line->length) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

void line_text(struct line *line, const char *text)
{
	line_append(line, text, strlen(text));
}

void line_number(struct line *line, unsigned long long number)
{
	char text[NUMBER_TEXT_LEN];
	size_t length = number_format(number, text);

	line_append(line, text, length);
}

void line_printf(struct line *line, const char *format, ...)
{
	size_t room = sizeof(line->text) - line->length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->length, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		line->cut = true;
	else
		line->length += (size_t)n;
}

/* Decodes one character of UTF-8 (RFC 3629: shortest form, no surrogates). Returns its length, or 0 if invalid. */
static size_t utf8_next(const char *text, unsigned *code)
{
	const unsigned char *s = (const unsigned char *)text;
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	*code = s[0];
	if (n == 1)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3fu);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

static bool is_control(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Line separators, and characters that reorder the text after them. */
static bool is_tricky(unsigned code)
{
	return code == 0x2028 || code == 0x2029 || code == 0x200e || code == 0x200f || code == 0x61c ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* The number of bytes that need no escape in a JSON string; nearly all, so they are copied at once. */
static size_t plain_length(const char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void line_json_string(struct line *line, const char *s)
{
	unsigned code;
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = plain_length(s);
		if (n) {
			line_append(line, s, n);
			continue;
		}
		n = utf8_next(s, &code);
		if (!n)
			line_append(line, "\\ufffd", 6);
		else if (code == '"' || code == '\\')
			line_printf(line, "\\%c", (char)code);
		else if (is_control(code) || is_tricky(code))
			line_printf(line, "\\u%04x", code);
		else
			line_append(line, s, n);
	}
}

void line_plain(struct line *line, const char *s)
{
	unsigned code;
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = utf8_next(s, &code);
		if (!n || is_tricky(code))
			line_append(line, REPLACEMENT, 3);
		else if (is_control(code))
			line_printf(line, "\\x%02x", code);
		else
			line_append(line, s, n);
	}
}

void line_pad(struct line *line, size_t from, size_t column)
{
	size_t width = 0;

	for (size_t i = from; i < line->length; i++)
		width += (line->text[i] & 0xc0) != 0x80;
	line_spaces(line, width < column ? column - width : 1);
}

void line_spaces(struct line *line, size_t n)
{
	static const char spaces[] = "                                ";

	for (; n > sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
		line_append(line, spaces, sizeof(spaces) - 1);
	line_append(line, spaces, n);
}
