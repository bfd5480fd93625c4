/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event read back from JSON is the same event: as JSON, to filters, and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "filter/filter.h"
#include "format/read_json.h"
#include "sample.h"

static struct parsed parsed;

static void parse(const struct event *e)
{
	struct format_context context = sample_context();
	static struct line line;
	struct json_object *object;

	format_json(&line, e, &context);
	line_append(&line, "", 1);
	object = json_tokener_parse(line.text);
	memset(&parsed, 0xee, sizeof(parsed));
	assert_true(read_json_event(object, &parsed));
	json_object_put(object);
}

/* exactly: also as text, which shows more about some events than JSON. */
static void check_same(const struct event *e, bool exactly)
{
	struct format_context context = sample_context(), again = sample_context();
	static struct line before, after;

	parse(e);
	again.reset_reason = read_json_reset_reason;
	again.kernel = &parsed;
	format_json(&before, e, &context);
	format_json(&after, &parsed.kept.event, &again);
	line_append(&before, "", 1);
	line_append(&after, "", 1);
	assert_string_equal(before.text, after.text);
	if (!exactly)
		return;
	format_text(&before, e, &context);
	format_text(&after, &parsed.kept.event, &again);
	line_append(&before, "", 1);
	line_append(&after, "", 1);
	assert_string_equal(before.text, after.text);
}

static void test_an_event_is_the_same_again(void **state)
{
	struct sample s;

	(void)state;
	sample_example(&s);
	check_same(&s.event, true);
	sample_everything(&s);
	check_same(&s.event, true);
	sample_burst(&s);
	check_same(&s.event, true);
	sample_everything(&s);
	s.event.owner = (struct owner){
		.unknown = UNKNOWN_SHARED, .n_holders = 2, .holders = {{.tgid = 5, .comm = "a"}, {.tgid = 6}}};
	check_same(&s.event, true);
	sample_everything(&s);
	s.event.ended = (struct ended){sample_wall_ns(22, 11, 0, 0, 7), LOCAL_CLOSED_CLOSE};
	check_same(&s.event, true);
	strcpy(s.event.owner.process.comm, "a\"\\\x01 b");
	check_same(&s.event, true);
}

static void test_every_cause_and_phase(void **state)
{
	struct sample s;

	(void)state;
	for (int cause = 1; cause < EVENTS_LOST_RING_FULL; cause++) {
		for (int phase = 0; phase < PHASE_COUNT; phase++) {
			sample_everything(&s);
			s.record.socket.flags |= phase == PHASE_ORPHANED ? LP_F_DEAD : 0;
			s.record.kind = cause == PEER_CLOSED_FIN             ? LP_KIND_PEER_FIN
					: cause >= ACCEPT_DROPPED_QUEUE_FULL ? LP_KIND_LOOK
									     : LP_KIND_CLOSE;
			s.record.born_ns = s.record.time_ns - 5000000;
			sample_judge(&s, (struct verdict){(enum lp_cause)cause, cause_by((enum lp_cause)cause),
							  (enum lp_phase)phase, CAUSE_NONE});
			check_same(&s.event, false);
		}
	}
}

static void test_every_state_family_and_errno(void **state)
{
	static const int errors[] = {ECONNRESET, ETIMEDOUT, EPIPE, EHOSTUNREACH, ECONNREFUSED, ENETUNREACH, EACCES};
	struct sample s;

	(void)state;
	for (int tcp = TCP_ESTABLISHED; tcp <= TCP_CLOSING; tcp++) {
		sample_everything(&s);
		s.record.socket.state = (__u8)tcp;
		s.record.socket.family = AF_INET6;
		s.record.socket.local_addr[15] = (__u8)tcp;
		sample_judge(&s, s.event.verdict);
		check_same(&s.event, true);
		s.record.socket.peer_addr[0] = 0xfe; /* with a zone */
		s.record.socket.peer_addr[1] = 0x80;
		check_same(&s.event, true);
	}
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		sample_example(&s);
		s.record.socket.err = (__u16)errors[i];
		sample_judge(&s, s.event.verdict);
		check_same(&s.event, true);
		assert_int_equal(parsed.kept.event.error, errors[i]);
	}
}

static void test_a_gap(void **state)
{
	struct loss loss = {7, sample_wall_ns(1, 2, 3, 4, 5), sample_wall_ns(1, 2, 3, 4, 6)};
	struct event gap;

	(void)state;
	for (int place = EVENTS_LOST_RING_FULL; place < CAUSE_COUNT; place++) {
		event_from_loss(&gap, (enum lp_cause)place, loss);
		check_same(&gap, true);
		gap.loss_hidden = true;
		check_same(&gap, true);
	}
}

/* Who asked for no orderly end gets it. */
static void test_a_shutdown_by_another(void **state)
{
	const struct lp_shutter shutter = {.task = {.tgid = 6, .comm = "child"}};
	struct sample s;

	(void)state;
	sample_everything(&s);
	s.record.socket.flags &= ~(__u32)LP_F_DEAD;
	event_set_shutter(&s.event, &shutter);
	event_judge(&s.event, (struct verdict){LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_CLOSING, CAUSE_NONE});
	check_same(&s.event, false);
	assert_int_equal(event_class(&parsed.kept.event), LP_CLASS_LOST);
}

static void test_filters_say_the_same_of_it(void **state)
{
	static const struct {
		enum filter_kind kind;
		const char *text;
	} rows[] = {
		{FILTER_EVENT, "peer_lost"},
		{FILTER_CAUSE, "reset"},
		{FILTER_PID, "4711"},
		{FILTER_PID, "4712"},
		{FILTER_NAME, "checkout"},
		{FILTER_UNIT, SAMPLE_UNIT},
		{FILTER_CONTAINER, "8e4f28a0bf1a"},
		{FILTER_CGROUP, "/kubepods.slice"},
		{FILTER_NETNS, "4026531840"},
		{FILTER_PEER, "0.0.0.0/0"},
	};
	struct filter f;
	struct sample s;

	(void)state;
	sample_everything(&s);
	parse(&s.event);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (int opposite = 0; opposite < 2; opposite++) {
			filter_init(&f);
			assert_null(filter_add(&f, rows[i].kind, opposite, rows[i].text));
			assert_int_equal(filter_event(&f, &parsed.kept.event), filter_event(&f, &s.event));
			assert_int_equal(filter_owner(&f, &parsed.kept.event), filter_owner(&f, &s.event));
			filter_free(&f);
		}
	}
}

static void test_rejects_other_lines(void **state)
{
	static const char *const lines[] = {
		"{}",
		"[]",
		"{\"error\":\"x\"}",
		"{\"schema\":2,\"event\":\"peer_lost\",\"cause\":\"reset\"}",
		"{\"schema\":1,\"event\":\"peer_lost\",\"cause\":\"fin\",\"time\":\"2026-11-22T12:01:02.1Z\"}",
		"{\"schema\":1,\"event\":\"peer_lost\",\"cause\":\"reset\",\"severity\":\"warning\"}",
		"{\"schema\":1,\"event\":\"events_lost\",\"cause\":\"ring_full\"}",
		"{\"schema\":1,\"event\":7,\"cause\":[],\"owner.holders\":5,\"ambiguous\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct json_object *object = json_tokener_parse(lines[i]);

		assert_non_null(object);
		assert_false(read_json_event(object, &parsed));
		json_object_put(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_the_same_again),   cmocka_unit_test(test_every_cause_and_phase),
		cmocka_unit_test(test_every_state_family_and_errno), cmocka_unit_test(test_a_gap),
		cmocka_unit_test(test_a_shutdown_by_another),        cmocka_unit_test(test_rejects_other_lines),
		cmocka_unit_test(test_filters_say_the_same_of_it),   cmocka_unit_test(test_rejects_other_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
