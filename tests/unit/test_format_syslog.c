/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RFC 5424 messages, read back by its grammar (section 6): the header, the structured data field by field, and hostile
 * names, which must not end a value, an element or the message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>

#include "pairs.h"

static struct line line;
static struct sample sample;
static struct format_context context;

/* The parsed message. */
static struct {
	int priority;
	char timestamp[40], host[256], app[49], process[129], id[33], element[33];
	struct pairs parameters;
	const char *text;
	size_t text_length;
} message;
static struct pairs expected;

static int set_up(void **state)
{
	(void)state;
	context = sample_context();
	sample_everything(&sample);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pairs_clear(&expected);
	pairs_clear(&message.parameters);
	return 0;
}

static const char *literal(const char *at, const char *text)
{
	assert_memory_equal(at, text, strlen(text));
	return at + strlen(text);
}

/* 1*MOST PRINTUSASCII except the characters of `without`. */
static const char *printable(const char *at, size_t most, const char *without, char *to)
{
	size_t n = 0;

	while (at[n] >= 33 && at[n] <= 126 && !strchr(without, at[n]))
		n++;
	assert_in_range(n, 1, most);
	memcpy(to, at, n);
	to[n] = '\0';
	return at + n;
}

static const char *read_header(const char *at)
{
	char *end;

	at = literal(at, "<");
	assert_true(isdigit((unsigned char)*at) && (*at != '0' || at[1] == '>'));
	message.priority = (int)strtol(at, &end, 10);
	assert_in_range(message.priority, 0, 191);
	at = literal(end, ">1 ");
	at = literal(printable(at, 32, "", message.timestamp), " ");
	at = literal(printable(at, 255, "", message.host), " ");
	at = literal(printable(at, 48, "", message.app), " ");
	at = literal(printable(at, 128, "", message.process), " ");
	return literal(printable(at, 32, "", message.id), " ");
}

/* SD-PARAM: in a value `"`, `\` and `]` must follow a backslash; in ours nothing else does. */
static const char *read_parameter(const char *at)
{
	static char value[FORMAT_SYSLOG_MAX];
	char name[33];
	size_t n = 0;

	at = literal(printable(literal(at, " "), 32, "=]\"", name), "=\"");
	for (; *at != '"'; at++) {
		assert_int_not_equal(*at, ']');
		if (*at == '\\')
			assert_non_null(strchr("\"\\]", *++at));
		assert_int_not_equal(*at, '\0');
		value[n++] = *at;
	}
	value[n] = '\0';
	check_printable(value, n);
	pairs_add(&message.parameters, name, value, n);
	return at + 1;
}

static void format(void)
{
	const char *at;

	format_syslog(&line, &sample.event, &context);
	assert_false(line.cut);
	assert_in_range(line.length, 1, FORMAT_SYSLOG_MAX);
	line_append(&line, "", 1);
	assert_int_equal(strlen(line.text), line.length - 1);
	pairs_clear(&message.parameters);
	at = literal(read_header(line.text), "[");
	for (at = printable(at, 32, "=]\"", message.element); *at == ' ';)
		at = read_parameter(at);
	message.text = literal(at, "] ");
	message.text_length = strlen(message.text);
	check_printable(message.text, message.text_length);
}

/* The fields of JSON, then the ones with values over 64 bytes. */
static void expect(void)
{
	static struct pairs all;

	pairs_of_json(&all, &sample.event, &context);
	pairs_clear(&expected);
	for (int longer = 0; longer < 2; longer++)
		for (size_t i = 0; i < all.n; i++)
			if ((strlen(all.fields[i].value) > 64) == longer)
				pairs_add(&expected, all.fields[i].name, all.fields[i].value,
					  strlen(all.fields[i].value));
	pairs_clear(&all);
}

static void check_contract(void)
{
	format();
	expect();
	pairs_compare(&expected, &message.parameters);
}

static void test_the_example(void **state)
{
	static const char begins[] = "<28>1 2026-11-22T12:01:02.123456Z web-3 lostpeer - peer_lost "
				     "[lostpeer@32473 schema=\"1\" time=\"2026-11-22T12:01:02.123456789Z\" "
				     "host.name=\"web-3\" event=\"peer_lost\" cause=\"reset\" by=\"peer\" ";
	static const char ends[] =
		" data.unacked_bytes=\"512\" data.unsent_bytes=\"0\" stream.read_closed=\"false\" "
		"stream.write_closed=\"false\"] checkout[4711] lost 10.0.0.5:5432 (peer_lost/reset): "
		"reset by the peer, after 1m21s (ECONNRESET); 512 B unacked; local 10.0.0.7:51820";

	(void)state;
	sample_example(&sample);
	format();
	assert_memory_equal(line.text, begins, sizeof(begins) - 1);
	assert_string_equal(line.text + line.length - sizeof(ends), ends);
}

static void test_every_field_of_the_contract(void **state)
{
	(void)state;
	check_contract();
	assert_string_equal(message.element, "lostpeer@32473");
	sample_example(&sample);
	check_contract();
	sample_burst(&sample);
	check_contract();
	sample.event.owner = (struct owner){.unknown = UNKNOWN_SHARED};
	sample.event.ended = (struct ended){.wall_ns = 1, .cause = PEER_LOST_RESET};
	check_contract();
	event_from_loss(&sample.event, EVENTS_LOST_RING_FULL, (struct loss){1, 2, 3});
	check_contract();
	assert_string_equal(message.id, "events_lost");
}

static void test_priority_is_facility_and_severity(void **state)
{
	(void)state;
	for (int i = 0; i < SEVERITY_COUNT; i++) {
		sample.event.severity = (enum lp_severity)i;
		format();
		assert_int_equal(message.priority, 3 * 8 + 3 + i);
	}
}

static void test_a_host_that_is_no_name(void **state)
{
	(void)state;
	context.host = "";
	format();
	assert_string_equal(message.host, "-");
	context.host = "a b\n[x\xc3\xa9";
	format();
	assert_string_equal(message.host, "a?b?[x??");
}

static void test_no_byte_order_mark(void **state)
{
	(void)state;
	format();
	assert_int_not_equal((unsigned char)*message.text, 0xef);
}

static void test_no_name_ends_its_value(void **state)
{
	size_t known;

	(void)state;
	format();
	known = message.parameters.n;
	for (size_t i = 0; i < HOSTILE_NAMES; i++) {
		sample_everything(&sample);
		name_everything(&sample, hostile_names[i]);
		check_contract();
		assert_int_equal(message.parameters.n, known);
	}
}

/* Fields without room are left out whole and listed in `omitted`; all others are there. */
static void test_too_long_is_left_out_whole(void **state)
{
	size_t left_out = 0, at = 0;

	(void)state;
	memset(sample.executable, ']', sizeof(sample.executable) - 1);
	format();
	expect();
	for (size_t i = 0; i < expected.n; i++)
		if (!strcmp(expected.fields[i].name, "process.executable.path")) {
			left_out++;
			assert_null(pairs_value(&message.parameters, expected.fields[i].name));
		} else {
			assert_string_equal(message.parameters.fields[at].name, expected.fields[i].name);
			assert_string_equal(message.parameters.fields[at++].value, expected.fields[i].value);
		}
	assert_int_equal(left_out, 1);
	assert_string_equal(pairs_value(&message.parameters, "omitted"), "process.executable.path");
	assert_memory_equal(message.text, "checkout[4711]@", 15);
}

/* A value that just fits, and one that is a byte longer. */
static void test_the_limit_is_exact(void **state)
{
	size_t longest = 0, n;

	(void)state;
	memset(&sample.place, 0, sizeof(sample.place));
	memset(&sample.peer_place, 0, sizeof(sample.peer_place));
	*sample.place.cgroup = *sample.holder_cgroups = '\0';
	for (n = 1000; n < sizeof(sample.executable) - 1; n++) {
		memset(sample.executable, '"', n); /* two bytes each */
		sample.executable[n] = '\0';
		format();
		if (pairs_value(&message.parameters, "omitted"))
			break;
		longest = line.length - 1;
	}
	assert_in_range(longest, FORMAT_SYSLOG_MAX - 200, FORMAT_SYSLOG_MAX);
	assert_null(pairs_value(&message.parameters, "process.executable.path"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_example),
		TEST(test_every_field_of_the_contract),
		TEST(test_priority_is_facility_and_severity),
		TEST(test_a_host_that_is_no_name),
		TEST(test_no_byte_order_mark),
		TEST(test_no_name_ends_its_value),
		TEST(test_too_long_is_left_out_whole),
		TEST(test_the_limit_is_exact),
	};

	return cmocka_run_group_tests_name("format_syslog", tests, NULL, NULL);
}
