/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Early warnings as JSON and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sample.h"
#include "early/early.h"

static struct line line;

static void make(struct sample *s, const struct facts *facts)
{
	sample_example(s);
	s->record = record_of(facts);
	s->record.kind = LP_KIND_LOOK;
	s->record.time_ns = 900000000000ULL;
}

static void found(struct sample *s, enum lp_cause cause)
{
	sample_judge(s, judge_found(&s->record, cause));
}

static void says(const struct sample *s, format_event *format, const char *words)
{
	struct format_context context = sample_context();

	format(&line, &s->event, &context);
	line_append(&line, "", 1);
	if (!strstr(line.text, words))
		fail_msg("no '%s' in %s", words, line.text);
}

static void says_not(const struct sample *s, format_event *format, const char *words)
{
	struct format_context context = sample_context();

	format(&line, &s->event, &context);
	line_append(&line, "", 1);
	if (strstr(line.text, words))
		fail_msg("'%s' in %s", words, line.text);
}

static void test_silent(void **state)
{
	struct sample s;

	(void)state;
	make(&s, &(struct facts){TCP_ESTABLISHED, HELD, CLIENT, .unack = 5000, .retr = 4});
	found(&s, PEER_SILENT_UNACKED);
	s.event.gives_up_ms = 921000;
	says(&s, format_json,
	     "\"event\":\"peer_silent\",\"cause\":\"unacked\",\"by\":\"network\",\"phase\":\"established\"");
	says(&s, format_json, "\"severity\":\"warning\"");
	says(&s, format_json, "\"tcp.gives_up_in_ms\":921000");
	says(&s, format_json, "\"data.unacked_bytes\":5000");
	says_not(&s, format_json, "error.type");
	says(&s, format_text, "the peer does not acknowledge; 5000 B unacked; given up in about 15m21s; local");
	s.event.gives_up_ms = -1;
	says_not(&s, format_json, "gives_up");
	says_not(&s, format_text, "given up");
}

static void test_back(void **state)
{
	struct sample s;

	(void)state;
	make(&s, &(struct facts){TCP_ESTABLISHED, HELD, CLIENT, .unack = 0});
	found(&s, PEER_BACK_ACKED);
	says(&s, format_json, "\"event\":\"peer_back\",\"cause\":\"acked\",\"by\":\"peer\"");
	says(&s, format_json, "\"severity\":\"info\"");
	says(&s, format_text, "the peer acknowledges again");
}

static void test_ignored(void **state)
{
	struct sample s;

	(void)state;
	make(&s, &(struct facts){TCP_CLOSE_WAIT, HELD, LP_F_ACCEPTED | FIN_IN, .unread = 3});
	found(&s, CLOSE_IGNORED_CLOSE_WAIT);
	s.event.connections = 41;
	says(&s, format_json,
	     "\"event\":\"close_ignored\",\"cause\":\"close_wait\",\"by\":\"local\",\"phase\":\"half_closed\"");
	says(&s, format_json, "\"ignored.connections\":41");
	says(&s, format_json, "\"data.unread_bytes\":3");
	says(&s, format_json, "\"network.connection.state\":\"close_wait\"");
	says(&s, format_text, "the application has not; 3 B unread; 41 such connections; local");
	s.event.connections = 1;
	says_not(&s, format_text, "such connections");
}

static void test_queue_full(void **state)
{
	struct sample s;

	(void)state;
	make(&s, &(struct facts){TCP_LISTEN, HELD, .err = 0});
	memset(s.record.socket.peer_addr, 0, sizeof(s.record.socket.peer_addr));
	s.record.socket.peer_port = 0;
	s.record.socket.ack_backlog = 129;
	s.record.socket.max_ack_backlog = 128;
	found(&s, ACCEPT_DROPPED_QUEUE_FULL);
	s.event.repeat =
		(struct repeat){.count = 212, .first_ns = s.event.wall_ns - 10000000000ULL, .last_ns = s.event.wall_ns};
	says(&s, format_json,
	     "\"event\":\"accept_dropped\",\"cause\":\"queue_full\",\"by\":\"local\",\"phase\":\"connecting\"");
	says(&s, format_json, "\"severity\":\"warning\"");
	says(&s, format_json, "\"listen.queue_length\":129,\"listen.backlog\":128");
	says(&s, format_json, "\"repeat.count\":212");
	says_not(&s, format_json, "network.peer");
	says_not(&s, format_json, "data.");
	says(&s, format_text, "the accept queue is full, 212 turned away in ");
	says(&s, format_text, "; 129 in the queue, the backlog is 128; local 10.0.0.7:51820");
}

static void test_a_threshold_of_0_turns_warnings_off(void **state)
{
	struct early_options options = {1, 1};
	__u32 all = LP_CLASS_LOST | LP_CLASSES_LOOKED;

	(void)state;
	assert_int_equal(early_classes(all, &options), all);
	options.silent_after_ns = 0;
	assert_int_equal(early_classes(all, &options), all & ~(__u32)LP_CLASS_SILENT);
	options.ignored_after_ns = 0;
	assert_int_equal(early_classes(all, &options), LP_CLASS_LOST | LP_CLASS_QUEUES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_a_threshold_of_0_turns_warnings_off),
	};

	return cmocka_run_group_tests_name("warnings", tests, NULL, NULL);
}
