/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The text of `lostpeer check`: the sentence of each verdict, columns, and no control characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "check_sample.h"
#include "format/format_check.h"

static struct check_sample s;
static struct line line;

static const char *text(bool colour)
{
	struct check_widths widths = {0};

	format_check_widen(&widths, &s.check);
	format_check_text(&line, &s.check, &widths, colour);
	line_append(&line, "", 1);
	return line.text;
}

static const char *json(void)
{
	format_check_json(&line, &s.check, "web-3", 1000000000ULL);
	line_append(&line, "", 1);
	return line.text;
}

static void assert_says(const char *words)
{
	if (!strstr(text(false), words))
		fail_msg("'%s' is not in: %s", words, line.text);
}

static void assert_silent(const char *words)
{
	if (strstr(text(false), words))
		fail_msg("'%s' is in: %s", words, line.text);
}

static void test_line(void **state)
{
	(void)state;
	check_sample_stalled(&s);
	assert_string_equal(text(false), "stalled       checkout[4711]  12  10.0.0.7:51820  10.0.0.5:5432  open   open "
					 "         -     512       -"
					 "  data not acknowledged, sent again in vain for the 4th time; nothing heard "
					 "for 12.3 s; the kernel gives"
					 " up in about 15m54s; earlier EHOSTUNREACH\n");
}

static void test_header_is_aligned(void **state)
{
	static const char *const columns[] = {"WHO", "FD", "LOCAL", "PEER", "READ", "WRITE", "EVIDENCE"};
	struct check_widths widths = {0};
	char header[512];

	(void)state;
	check_sample_stalled(&s);
	strcpy(s.check.event.owner.process.comm, "gr\xc3\xbc\xc3\x9f"); /* more bytes than columns */
	format_check_widen(&widths, &s.check);
	format_check_header(&line, &widths);
	assert_true(line.length < sizeof(header));
	memcpy(header, line.text, line.length);
	header[line.length] = '\0';
	format_check_text(&line, &s.check, &widths, false);
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		size_t at = (size_t)(strstr(header, columns[i]) - header) + 2; /* two letters have two bytes each */

		if (!strcmp(columns[i], "WHO"))
			at -= 2;
		assert_int_equal(line.text[at - 1], ' ');
		assert_int_not_equal(line.text[at], ' ');
	}
}

static void test_sentences(void **state)
{
	(void)state;
	check_sample_make(&s);
	assert_says("  heard 1.5 s ago; keepalive off\n");
	s.socket.heard_ms = 3600000;
	s.socket.flags |= LP_F_KEEPOPEN;
	check_sample_fill(&s);
	assert_says("idle, nothing heard for 1h00m; keepalive, next probe in about 1h00m\n");
	s.socket.heard_ms = 7205000;
	s.socket.probes_out = 1;
	check_sample_fill(&s);
	assert_says("keepalive, 1 unanswered, next probe in about 1m10s; the kernel gives up in about 11m10s");
	check_sample_make(&s);
	s.socket.state = TCP_CLOSE;
	s.socket.err = ECONNRESET;
	check_sample_fill(&s);
	assert_says("ECONNRESET waits for the application\n");
	s.socket.err = 0;
	check_sample_fill(&s);
	assert_says("over; the application has been told and keeps the descriptor\n");
	check_sample_idle(&s);
	assert_says("the peer has closed, 1m30s ago; keepalive");
	s.check.fin_ms = -1;
	assert_says("the peer has closed; keepalive");
	check_sample_make(&s);
	s.socket.state = TCP_FIN_WAIT2;
	check_sample_fill(&s);
	assert_says("we have closed, the peer has not; heard 1.5 s ago");
	s.socket.state = TCP_SYN_SENT;
	s.socket.known = 0;
	s.socket.retransmits = 2;
	check_sample_fill(&s);
	assert_says("no answer to the SYN, sent again in vain for the 2nd time\n");
}

static void test_window_and_path(void **state)
{
	(void)state;
	check_sample_make(&s);
	s.socket.write_seq = 100;
	s.socket.snd_wnd = 0;
	check_sample_fill(&s);
	assert_says("the peer takes no data; heard 1.5 s ago");
	s.socket.probes_out = 2;
	s.socket.backoff = 2;
	check_sample_fill(&s);
	assert_says(
		"the peer takes no data, 2 probes unanswered; nothing heard for 1.5 s; the kernel gives up in about");
	assert_silent("keepalive");
	s.socket.snd_wnd = 100;
	check_sample_fill(&s);
	assert_says("nothing can leave this host, tried 2 times");
}

static void test_owners(void **state)
{
	(void)state;
	check_sample_make(&s);
	s.socket.flags = LP_F_DEAD;
	s.socket.state = TCP_FIN_WAIT1;
	s.check.event.owner = (struct owner){.unknown = UNKNOWN_HOLDER_GONE};
	s.check.fd = -1;
	check_sample_fill(&s);
	assert_says("? (holder_gone)  -  ");
	assert_says("; no process holds it\n");
	check_sample_make(&s);
	s.socket.flags = 0;
	check_sample_fill(&s);
	assert_says("; not yet accepted\n");
	check_sample_make(&s);
	s.check.event.owner = (struct owner){.unknown = UNKNOWN_SHARED,
					     .n_holders = 2,
					     .holders = {{.tgid = 7}, {.tgid = 9}},
					     .process = {.comm = "worker"}};
	assert_says("  worker[7,9]  ");
	s.check.event.owner.process.comm[0] = '\0';
	assert_says("  ?[7],?[9]  ");
}

static void test_ordinals(void **state)
{
	static const char *const words[] = {"the 1st", "the 2nd", "the 3rd", "the 4th"};
	static const __u8 numbers[] = {11, 12, 13, 21, 102, 111};
	static const char *const more[] = {"the 11th", "the 12th", "the 13th", "the 21st", "the 102nd", "the 111th"};

	(void)state;
	check_sample_stalled(&s);
	for (__u8 n = 1; n <= 4; n++) {
		s.socket.retransmits = n;
		assert_says(words[n - 1]);
	}
	for (size_t i = 0; i < sizeof(numbers); i++) {
		s.socket.retransmits = numbers[i];
		assert_says(more[i]);
	}
}

static void test_says_that_our_address_is_gone(void **state)
{
	(void)state;
	check_sample_stalled(&s);
	s.socket.flags |= LP_F_ADDRESS_GONE;
	assert_says("our address is gone from this host, sent again in vain");
}

static void test_colour_only_if_asked(void **state)
{
	(void)state;
	check_sample_stalled(&s);
	assert_null(strchr(text(false), '\033'));
	assert_int_equal(text(true)[0], '\033');
	assert_non_null(strstr(line.text, "\033[0m\n"));
}

static void test_hostile_name(void **state)
{
	(void)state;
	check_sample_stalled(&s);
	strcpy(s.check.event.owner.process.comm, "a\n\033[31m\"\xff\\");
	for (const char *c = text(false); *c; c++)
		assert_true((unsigned char)*c >= 0x20 || (*c == '\n' && !c[1]));
	for (const char *c = json(); *c; c++)
		assert_true((unsigned char)*c >= 0x20 || (*c == '\n' && !c[1]));
}

static struct json_object *object;

static struct json_object *field(const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

static void parse(void)
{
	json_object_put(object);
	object = json_tokener_parse(json());
	assert_non_null(object);
}

static void test_json(void **state)
{
	(void)state;
	check_sample_stalled(&s);
	parse();
	assert_string_equal(json_object_get_string(field("verdict")), "stalled");
	assert_string_equal(json_object_get_string(field("phase")), "established");
	assert_string_equal(json_object_get_string(field("tcp.soft_error")), "EHOSTUNREACH");
	assert_int_equal(json_object_get_int(field("process.fd")), 12);
	assert_int_equal(json_object_get_int(field("alive_within_ms")), 60000);
	assert_int_equal(json_object_get_int(field("tcp.silent_ms")), 12300);
	assert_int_equal(json_object_get_int(field("tcp.retransmission")), 4);
	assert_int_equal(json_object_get_int(field("data.unacked_bytes")), 512);
	assert_true(json_object_get_int64(field("tcp.gives_up_in_ms")) > 900000);
	assert_null(field("event"));
	assert_null(field("tcp.keepalive_next_ms"));
	assert_null(field("stream.read_closed_ms"));
	assert_null(field("error.type"));
}

static void test_json_leaves_out(void **state)
{
	(void)state;
	check_sample_make(&s);
	s.socket.known = 0;
	s.socket.cookie = 0;
	s.socket.srtt_us = 0;
	s.check.fd = -1;
	check_sample_fill(&s);
	parse();
	assert_null(field("tcp.silent_ms"));
	assert_null(field("tcp.keepalive"));
	assert_null(field("tcp.cookie"));
	assert_null(field("tcp.rtt_us"));
	assert_null(field("tcp.gives_up_in_ms"));
	assert_null(field("process.fd"));
	s.socket.state = TCP_CLOSE;
	s.socket.err = ECONNRESET;
	check_sample_fill(&s);
	parse();
	assert_string_equal(json_object_get_string(field("error.type")), "ECONNRESET");
	assert_null(field("data.unacked_bytes"));
	assert_non_null(field("data.unread_bytes"));
	s.socket.state = TCP_SYN_SENT;
	s.socket.err = 0;
	check_sample_fill(&s);
	parse();
	assert_null(field("data.unread_bytes"));
	assert_null(field("stream.read_closed"));
	json_object_put(object);
	object = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_header_is_aligned),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_window_and_path),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_ordinals),
		cmocka_unit_test(test_says_that_our_address_is_gone),
		cmocka_unit_test(test_colour_only_if_asked),
		cmocka_unit_test(test_hostile_name),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_leaves_out),
	};

	return cmocka_run_group_tests_name("format_check", tests, NULL, NULL);
}
