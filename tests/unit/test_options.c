/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line: accepted options, and messages on stderr that name the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"

/* The calls of the setters, in order. */
static char calls[256];

static const char *set(const struct option_spec *spec, void *context, bool opposite, const char *value)
{
	size_t n = strlen(calls);

	assert_ptr_equal(context, calls);
	snprintf(calls + n, sizeof(calls) - n, "%s%d=%s ", opposite ? "not-" : "", (int)spec->least,
		 value ? value : "(none)");
	return value && !strcmp(value, "bad") ? "not good" : NULL;
}

static const struct option_spec specs[] = {
	{"json", NULL, "one JSON object a line", set, .least = 1},
	{"port*", "PORT", "only this port", set, .least = 2},
	{"output", "FILE", "append to FILE", set, .least = 3},
	{"peer*", "ADDRESS", "only this peer", set, .least = 4},
	{"peer-port*", "PORT", "only this port of the peer", set, .least = 5},
	{"not-so", NULL, "a name that begins like an opposite", set, .least = 6},
};

static const struct option_table table = {
	.verb = "watch",
	.usage = "watch [OPTION...]",
	.summary = "Shows things.",
	.own = OPTION_GROUP(specs),
};

static char out[4096], err[1024];

static int divert(int fd, FILE *to)
{
	int saved = dup(fd);

	fflush(fd == 1 ? stdout : stderr);
	dup2(fileno(to), fd);
	return saved;
}

static void restore(int fd, int saved, FILE *from, char *text, size_t size)
{
	size_t n;

	fflush(fd == 1 ? stdout : stderr);
	dup2(saved, fd);
	close(saved);
	rewind(from);
	n = fread(text, 1, size - 1, from);
	text[n] = '\0';
	fclose(from);
}

/* Parses the words, separated by spaces, after the verb; out and err get the messages. */
static enum option_result parse(const char *words, int *rest)
{
	FILE *out_file = tmpfile(), *err_file = tmpfile();
	char copy[256], *argv[16], *next = copy;
	enum option_result result;
	int argc = 0, saved_out, saved_err;

	assert_non_null(out_file);
	assert_non_null(err_file);
	calls[0] = '\0';
	snprintf(copy, sizeof(copy), "watch%s%s", *words ? " " : "", words);
	while (next)
		argv[argc++] = strsep(&next, " ");
	argv[argc] = NULL;
	saved_out = divert(1, out_file);
	saved_err = divert(2, err_file);
	result = options_parse(&table, argc, argv, calls, rest);
	restore(1, saved_out, out_file, out, sizeof(out));
	restore(2, saved_err, err_file, err, sizeof(err));
	return result;
}

static void takes(const char *words, const char *expected, int rest_expected)
{
	int rest = -1;

	assert_int_equal(parse(words, &rest), OPTIONS_RUN);
	assert_string_equal(calls, expected);
	assert_int_equal(rest, rest_expected);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
}

static void refuses(const char *words, const char *message)
{
	int rest;

	assert_int_equal(parse(words, &rest), OPTIONS_WRONG);
	assert_string_equal(err, message);
	assert_string_equal(out, "");
}

static void test_takes_nothing(void **state)
{
	(void)state;
	takes("", "", 1);
}

static void test_takes_values_after_a_space_or_an_equals_sign(void **state)
{
	(void)state;
	takes("--json --port 80 --output=a=b", "1=(none) 2=80 3=a=b ", 5);
	takes("--output=", "3= ", 2);
	takes("--port=80 --port 443", "2=80 2=443 ", 4);
}

static void test_a_value_may_look_like_an_option(void **state)
{
	(void)state;
	takes("--output --json", "3=--json ", 3);
	takes("--output -- --json", "3=-- 1=(none) ", 4);
}

static void test_takes_opposites(void **state)
{
	(void)state;
	takes("--not-port 80 --not-peer-port=5432 --not-peer ::1", "not-2=80 not-5=5432 not-4=::1 ", 6);
	takes("--not-so", "6=(none) ", 2);
}

static void test_names_are_whole(void **state)
{
	(void)state;
	takes("--peer 1 --peer-port 2", "4=1 5=2 ", 5);
	refuses("--pee 1", "lostpeer watch: --pee: no such option; see lostpeer watch --help\n");
	refuses("--peer-por=1", "lostpeer watch: --peer-por: no such option; see lostpeer watch --help\n");
	refuses("--port*=1", "lostpeer watch: --port*: no such option; see lostpeer watch --help\n");
}

static void test_stops_at_the_first_word_and_after_two_dashes(void **state)
{
	(void)state;
	takes("--json ls --port", "1=(none) ", 2);
	takes("--json -- --port", "1=(none) ", 3);
	takes("--", "", 2);
	takes("-- --", "", 2);
}

static void test_names_an_unknown_option(void **state)
{
	(void)state;
	refuses("--nothing", "lostpeer watch: --nothing: no such option; see lostpeer watch --help\n");
	refuses("--nothing=1", "lostpeer watch: --nothing: no such option; see lostpeer watch --help\n");
	refuses("-j", "lostpeer watch: -j: no such option; see lostpeer watch --help\n");
	refuses("-", "lostpeer watch: -: no such option; see lostpeer watch --help\n");
	refuses("--=x", "lostpeer watch: --: no such option; see lostpeer watch --help\n");
	assert_string_equal(calls, "");
}

static void test_names_an_opposite_that_does_not_exist(void **state)
{
	(void)state;
	refuses("--not-json", "lostpeer watch: --not-json: no such option; see lostpeer watch --help\n");
	refuses("--not-output x", "lostpeer watch: --not-output: no such option; see lostpeer watch --help\n");
	refuses("--not-not-port 1", "lostpeer watch: --not-not-port: no such option; see lostpeer watch --help\n");
	refuses("--not-", "lostpeer watch: --not-: no such option; see lostpeer watch --help\n");
}

static void test_names_an_option_without_its_value(void **state)
{
	(void)state;
	refuses("--json --port", "lostpeer watch: --port: needs a value; see lostpeer watch --help\n");
	refuses("--not-port", "lostpeer watch: --not-port: needs a value; see lostpeer watch --help\n");
}

static void test_names_an_option_with_a_value_too_many(void **state)
{
	(void)state;
	refuses("--json=yes", "lostpeer watch: --json 'yes': takes no value; see lostpeer watch --help\n");
	refuses("--json=", "lostpeer watch: --json '': takes no value; see lostpeer watch --help\n");
}

static void test_names_the_error_of_a_value(void **state)
{
	(void)state;
	refuses("--port bad --json", "lostpeer watch: --port 'bad': not good; see lostpeer watch --help\n");
	refuses("--not-port=bad", "lostpeer watch: --not-port 'bad': not good; see lostpeer watch --help\n");
}

static void check_help(const char *words)
{
	int rest;

	assert_int_equal(parse(words, &rest), OPTIONS_HELPED);
	assert_string_equal(err, "");
	assert_non_null(strstr(out, "Usage: lostpeer watch [OPTION...]\nShows things.\n"));
	assert_non_null(strstr(out, "  --json "));
	assert_non_null(strstr(out, "  --[not-]port PORT "));
	assert_non_null(strstr(out, "  --[not-]peer-port PORT "));
	assert_non_null(strstr(out, "  --output FILE "));
	assert_non_null(strstr(out, "  --help "));
	assert_null(strchr(out, '*'));
}

static void test_help_shows_every_option_and_opposite(void **state)
{
	(void)state;
	check_help("--help");
	check_help("-h");
	check_help("--json --help");
}

/* --- values kept by a row's type --- */

struct kept {
	bool flag, before, choice;
	__u8 small;
	__u32 number;
	__u64 large, duration, pause;
	const char *text;
};

static const char *const choices[] = {"json", "text", NULL};
static const struct option_spec kinds[] = {
	{"flag", NULL, "", option_flag, OPTION_AT(struct kept, flag)},
	{"choice", "C", "", option_choice, OPTION_AT(struct kept, choice), .choices = choices, .wrong = "no choice"},
	{"small", "N", "", option_number, OPTION_AT(struct kept, small), 0, 255, .wrong = "too large"},
	{"number", "N", "", option_number, OPTION_AT(struct kept, number), 2, UINT32_MAX, .wrong = "not a number"},
	{"large", "N", "", option_number, OPTION_AT(struct kept, large), 1, UINT64_MAX, .wrong = "not a number"},
	{"duration", "D", "", option_duration, OPTION_AT(struct kept, duration), .most = 3000000000ULL},
	{"pause", "D", "", option_pause, OPTION_AT(struct kept, pause)},
	{"text", "T", "", option_text, OPTION_AT(struct kept, text), 1, 4, .wrong = "not of 1 to 4 bytes"},
};
static const struct option_group kinds_group = OPTION_GROUP(kinds);

/* Returns the error, or NULL if the value is kept. */
static const char *keep(struct kept *kept, const char *name, const char *value)
{
	bool opposite;
	const struct option_spec *spec = options_find(&kinds_group, name, strlen(name), &opposite);

	assert_non_null(spec);
	return options_set(spec, kept, opposite, value);
}

static void test_keeps_a_value_of_each_type(void **state)
{
	struct kept kept = {.number = 9};

	(void)state;
	assert_null(keep(&kept, "flag", NULL));
	assert_null(keep(&kept, "choice", "text"));
	assert_null(keep(&kept, "small", "255"));
	assert_null(keep(&kept, "number", "4294967295"));
	assert_null(keep(&kept, "large", "18446744073709551615"));
	assert_null(keep(&kept, "duration", "3s"));
	assert_null(keep(&kept, "pause", "2m"));
	assert_null(keep(&kept, "text", "four"));
	assert_true(kept.flag && kept.choice && !kept.before);
	assert_int_equal(kept.small, 255);
	assert_true(kept.number == UINT32_MAX && kept.large == UINT64_MAX);
	assert_true(kept.duration == 3000000000ULL && kept.pause == 120000000000ULL);
	assert_string_equal(kept.text, "four");
	assert_null(keep(&kept, "pause", "0"));
	assert_null(keep(&kept, "choice", "json"));
	assert_true(!kept.pause && !kept.choice);
}

static void test_keeps_to_the_bounds_of_the_row(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} wrong[] = {
		{"choice", "xml", "no choice"},
		{"choice", "", "no choice"},
		{"small", "256", "too large"},
		{"number", "1", "not a number"},
		{"number", "4294967296", "not a number"},
		{"large", "-1", "not a number"},
		{"duration", "0", "not a duration such as 500ms, 10s, 2m or 1h"},
		{"duration", "3001ms", "not a duration such as 500ms, 10s, 2m or 1h"},
		{"pause", "00", "neither 0 nor a duration such as 500ms, 5s or 1m"},
		{"text", "", "not of 1 to 4 bytes"},
		{"text", "fiver", "not of 1 to 4 bytes"},
	};
	struct kept kept;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_string_equal(keep(&kept, wrong[i].name, wrong[i].value), wrong[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_nothing),
		cmocka_unit_test(test_takes_values_after_a_space_or_an_equals_sign),
		cmocka_unit_test(test_a_value_may_look_like_an_option),
		cmocka_unit_test(test_takes_opposites),
		cmocka_unit_test(test_names_are_whole),
		cmocka_unit_test(test_stops_at_the_first_word_and_after_two_dashes),
		cmocka_unit_test(test_names_an_unknown_option),
		cmocka_unit_test(test_names_an_opposite_that_does_not_exist),
		cmocka_unit_test(test_names_an_option_without_its_value),
		cmocka_unit_test(test_names_an_option_with_a_value_too_many),
		cmocka_unit_test(test_names_the_error_of_a_value),
		cmocka_unit_test(test_help_shows_every_option_and_opposite),
		cmocka_unit_test(test_keeps_a_value_of_each_type),
		cmocka_unit_test(test_keeps_to_the_bounds_of_the_row),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
