/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers and durations from text: accepted only as a whole and within range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/number.h"

#define MOST ((__u64)-1)

static void accepts(const char *text, __u64 least, __u64 most, __u64 expected)
{
	__u64 value = 12345;

	if (number_parse(text, least, most, &value) || value != expected)
		fail_msg("'%s' is %llu", text, value);
}

static void refuses(const char *text, __u64 least, __u64 most)
{
	__u64 value = 0;

	if (number_parse(text, least, most, &value) != -EINVAL)
		fail_msg("'%s' was taken as %llu", text, value);
}

static void test_takes_both_ends_of_the_range(void **state)
{
	(void)state;
	accepts("0", 0, 65535, 0);
	accepts("65535", 0, 65535, 65535);
	accepts("1", 1, 1, 1);
	accepts("18446744073709551615", 0, MOST, MOST);
	accepts("007", 0, 10, 7);
}

static void test_refuses_numbers_out_of_range(void **state)
{
	(void)state;
	refuses("65536", 0, 65535);
	refuses("0", 1, 65535);
	refuses("18446744073709551616", 0, MOST);
	refuses("99999999999999999999999999", 0, MOST);
}

static void test_refuses_text_that_is_no_number(void **state)
{
	static const char *const texts[] = {
		"", " ", "x", "-", "+", "0x10", "1e3", "1.0", "one", "\xd9\xa1" /* U+0661 */,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		refuses(texts[i], 0, MOST);
}

static void test_refuses_signs_and_spaces(void **state)
{
	static const char *const texts[] = {"+1", "-1", "-0", " 1", "1 ", "\t1", "1\n", "1 2", "-18446744073709551615"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		refuses(texts[i], 0, MOST);
}

static void test_refuses_text_after_a_number(void **state)
{
	static const char *const texts[] = {"1x", "80,443", "1/8", "10k", "1-"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		refuses(texts[i], 0, MOST);
}

static void test_takes_each_unit(void **state)
{
	static const struct {
		const char *text;
		__u64 ns;
	} durations[] = {
		{"1", 1000000000},    {"10s", 10000000000},  {"500ms", 500000000},
		{"2m", 120000000000}, {"1h", 3600000000000}, {"1d", 86400000000000},
		{"1ms", 1000000},     {"090s", 90000000000}, {"36500d", 3153600000000000000},
	};
	__u64 ns;

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++)
		if (number_parse_duration(durations[i].text, &ns) || ns != durations[i].ns)
			fail_msg("'%s' is %llu ns", durations[i].text, ns);
}

static void test_refuses_text_that_is_no_duration(void **state)
{
	static const char *const texts[] = {
		"",     "s",  "ms",  "0",   "0s",   "0ms",  "-1s",  "+1s", " 1s",    "1 s", "1s ",   "1.5s", "1S",
		"1sec", "1w", "1us", "1ns", "1s1s", "1m30", "0x1s", "1,s", "1d\xc2", "1\n", "1ms\t", "h1",   "1hh",
	};
	__u64 ns;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (number_parse_duration(texts[i], &ns) != -EINVAL)
			fail_msg("'%s' was taken as %llu ns", texts[i], ns);
}

/* A deadline is a clock plus a duration and must not wrap: the limit is half the range of 64 bits. */
static void test_refuses_durations_that_would_overflow(void **state)
{
	static const char *const texts[] = {
		"18446744073709551615",
		"18446744073709551616s",
		"9223372037s",
		"153722868m",
		"2562048h",
		"106752d",
		"213503983d",
		"999999999999999d",
		"9999999999999999999999d",
	};
	__u64 ns;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!number_parse_duration(texts[i], &ns))
			fail_msg("'%s' was taken as %llu ns", texts[i], ns);
	assert_int_equal(number_parse_duration("9223372036s", &ns), 0);
	assert_int_equal(number_parse_duration("106751d", &ns), 0);
}

static void test_formats_as_printf_does(void **state)
{
	static const __u64 numbers[] = {0, 7, 10, 99, 65535, 4294967295, 9999999999999999999ULL, ~0ULL};
	char text[NUMBER_TEXT_LEN], wanted[32];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		assert_int_equal(number_format(numbers[i], text), snprintf(wanted, sizeof(wanted), "%llu", numbers[i]));
		assert_string_equal(text, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_both_ends_of_the_range),
		cmocka_unit_test(test_refuses_numbers_out_of_range),
		cmocka_unit_test(test_refuses_text_that_is_no_number),
		cmocka_unit_test(test_refuses_signs_and_spaces),
		cmocka_unit_test(test_refuses_text_after_a_number),
		cmocka_unit_test(test_takes_each_unit),
		cmocka_unit_test(test_refuses_text_that_is_no_duration),
		cmocka_unit_test(test_refuses_durations_that_would_overflow),
		cmocka_unit_test(test_formats_as_printf_does),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
