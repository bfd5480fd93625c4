/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two escapings that make untrusted text safe, and the bounds of a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/line.h"

#define BAD "\\ufffd"
#define BAD_UTF8 "\xef\xbf\xbd"

struct escaped {
	const char *in, *json, *plain;
};

static const struct escaped strings[] = {
	{"", "", ""},
	{"nginx", "nginx", "nginx"},
	{"a b/c", "a b/c", "a b/c"},
	{"say \"hi\"", "say \\\"hi\\\"", "say \"hi\""},
	{"back\\slash", "back\\\\slash", "back\\slash"},
	{"%s%n", "%s%n", "%s%n"},
	/* control characters, C0 and DEL */
	{"\n", "\\u000a", "\\x0a"},
	{"\r\n", "\\u000d\\u000a", "\\x0d\\x0a"},
	{"\t", "\\u0009", "\\x09"},
	{"\x01", "\\u0001", "\\x01"},
	{"\x1b[2J", "\\u001b[2J", "\\x1b[2J"},
	{"\x7f", "\\u007f", "\\x7f"},
	/* C1: U+009B begins a control sequence as ESC [ does */
	{"\xc2\x9b"
	 "2J",
	 "\\u009b2J", "\\x9b2J"},
	{"\xc2\x80", "\\u0080", "\\x80"},
	{"\xc2\x9f", "\\u009f", "\\x9f"},
	{"\xc2\xa0", "\xc2\xa0", "\xc2\xa0"},
	/* valid UTF-8, the first and the last of each length */
	{"\xc3\xa9", "\xc3\xa9", "\xc3\xa9"},
	{"\xdf\xbf", "\xdf\xbf", "\xdf\xbf"},
	{"\xe0\xa0\x80", "\xe0\xa0\x80", "\xe0\xa0\x80"},
	{"\xed\x9f\xbf", "\xed\x9f\xbf", "\xed\x9f\xbf"},
	{"\xee\x80\x80", "\xee\x80\x80", "\xee\x80\x80"},
	{"\xef\xbf\xbf", "\xef\xbf\xbf", "\xef\xbf\xbf"},
	{"\xf0\x90\x80\x80", "\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
	{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
	/* invalid UTF-8: each bad byte is replaced, and decoding starts again after it */
	{"\xff", BAD, BAD_UTF8},
	{"\xfe\xff", BAD BAD, BAD_UTF8 BAD_UTF8},
	{"\x80", BAD, BAD_UTF8},
	{"\x9b", BAD, BAD_UTF8},
	{"a\xbf"
	 "b",
	 "a" BAD "b", "a" BAD_UTF8 "b"},
	{"\xc3", BAD, BAD_UTF8},
	{"\xc3\"", BAD "\\\"", BAD_UTF8 "\""},
	{"\xe2\x82", BAD BAD, BAD_UTF8 BAD_UTF8},
	{"\xe2\x82\n", BAD BAD "\\u000a", BAD_UTF8 BAD_UTF8 "\\x0a"},
	{"\xf0\x9f\x92", BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8 BAD_UTF8 BAD_UTF8},
	/* overlong forms, which a filter for quotes or control characters would miss */
	{"\xc0\x80", BAD BAD, BAD_UTF8 BAD_UTF8},
	{"\xc1\xbf", BAD BAD, BAD_UTF8 BAD_UTF8},
	{"\xc0\xa2", BAD BAD, BAD_UTF8 BAD_UTF8},
	{"\xe0\x80\x9b", BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xe0\x9f\xbf", BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8 BAD_UTF8},
	/* surrogates, and code points above the last */
	{"\xed\xa0\x80", BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xed\xbf\xbf", BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xf4\x90\x80\x80", BAD BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8 BAD_UTF8},
	{"\xf5\x80\x80\x80", BAD BAD BAD BAD, BAD_UTF8 BAD_UTF8 BAD_UTF8 BAD_UTF8},
	/* characters that turn the direction of text, or end a line in some programs */
	{"\xe2\x80\xae"
	 "gnp",
	 "\\u202egnp", BAD_UTF8 "gnp"},
	{"\xe2\x80\xaa", "\\u202a", BAD_UTF8},
	{"\xe2\x81\xa6", "\\u2066", BAD_UTF8},
	{"\xe2\x81\xa9", "\\u2069", BAD_UTF8},
	{"\xe2\x80\x8e", "\\u200e", BAD_UTF8},
	{"\xe2\x80\x8f", "\\u200f", BAD_UTF8},
	{"\xd8\x9c", "\\u061c", BAD_UTF8},
	{"\xe2\x80\xa8", "\\u2028", BAD_UTF8},
	{"\xe2\x80\xa9", "\\u2029", BAD_UTF8},
};

static struct line line;

static void check_text(const char *expected)
{
	assert_false(line.cut);
	assert_int_equal(line.length, strlen(expected));
	assert_memory_equal(line.text, expected, line.length);
}

static void test_json_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		line_clear(&line);
		line_json_string(&line, strings[i].in);
		check_text(strings[i].json);
	}
}

static void test_plain_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		line_clear(&line);
		line_plain(&line, strings[i].in);
		check_text(strings[i].plain);
	}
}

static bool has_control(void)
{
	for (size_t i = 0; i < line.length; i++) {
		unsigned char c = (unsigned char)line.text[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)line.text[i + 1] < 0xa0))
			return true;
	}
	return false;
}

/* No string of one or two bytes brings a control character through. */
static void test_no_two_bytes_make_a_control_character(void **state)
{
	char text[3] = "";

	(void)state;
	for (int first = 1; first < 256; first++) {
		for (int second = 0; second < 256; second++) {
			text[0] = (char)first;
			text[1] = (char)second;
			line_clear(&line);
			line_plain(&line, text);
			assert_false(has_control());
			line_clear(&line);
			line_json_string(&line, text);
			assert_false(has_control());
		}
	}
}

static void test_appends_and_clears(void **state)
{
	(void)state;
	line_clear(&line);
	line_append(&line, "ab\0c", 4);
	line_printf(&line, "%d-%s", 7, "x");
	assert_int_equal(line.length, 7);
	assert_memory_equal(line.text, "ab\0c7-x", 7);
	line_clear(&line);
	assert_int_equal(line.length, 0);
	assert_false(line.cut);
}

static void fill(size_t room)
{
	line_clear(&line);
	memset(line.text, 'x', sizeof(line.text));
	line.length = sizeof(line.text) - room;
}

static void test_a_full_line_is_marked_as_cut(void **state)
{
	(void)state;
	fill(3);
	line_append(&line, "abc", 3);
	assert_false(line.cut);
	assert_int_equal(line.length, sizeof(line.text));
	line_append(&line, "d", 1);
	assert_true(line.cut);
	line_printf(&line, "%s", "");
	line_json_string(&line, "\"\x01");
	line_plain(&line, "\x01");
	assert_int_equal(line.length, sizeof(line.text));
}

static void test_leaves_out_whole_parts_that_do_not_fit(void **state)
{
	(void)state;
	fill(5);
	line_append(&line, "abcdef", 6);
	assert_true(line.cut);
	assert_int_equal(line.length, sizeof(line.text) - 5);
	fill(5);
	line_printf(&line, "%s", "abcdef");
	assert_true(line.cut);
	assert_int_equal(line.length, sizeof(line.text) - 5);
	fill(5);
	line_json_string(&line, "\x01");
	assert_true(line.cut);
	assert_int_equal(line.length, sizeof(line.text) - 5);
}

static void test_pads_to_a_column_of_characters(void **state)
{
	(void)state;
	line_clear(&line);
	line_append(&line, "12345 ", 6);
	line_plain(&line, "caf\xc3\xa9");
	line_pad(&line, 6, 8);
	check_text("12345 caf\xc3\xa9    ");
	line_clear(&line);
	line_append(&line, "as long as that", 15);
	line_pad(&line, 0, 15);
	check_text("as long as that ");
	line_clear(&line);
	line_pad(&line, 0, 0);
	check_text(" ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_plain_strings),
		cmocka_unit_test(test_no_two_bytes_make_a_control_character),
		cmocka_unit_test(test_appends_and_clears),
		cmocka_unit_test(test_a_full_line_is_marked_as_cut),
		cmocka_unit_test(test_leaves_out_whole_parts_that_do_not_fit),
		cmocka_unit_test(test_pads_to_a_column_of_characters),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
