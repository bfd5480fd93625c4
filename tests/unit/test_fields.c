/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events and checks write exactly the rows of fields.def, in order and with their types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "check_sample.h"
#include "field_rows.h"
#include "format/format_check.h"
#include "sample.h"

static bool written[FIELD_ROWS];

static const char *type_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return "boolean";
	case json_type_double:
		return "number";
	case json_type_int:
		return "integer";
	case json_type_string:
		return "string";
	case json_type_array:
		return json_object_is_type(json_object_array_get_idx(value, 0), json_type_int) ? "array-of-integer"
											       : "array-of-string";
	default:
		return "unknown";
	}
}

/* A whole number of milliseconds has no fraction. */
static bool fits(const char *type, const char *row)
{
	return !strcmp(type, row) || (!strcmp(type, "integer") && !strcmp(row, "number"));
}

/* Each field must belong to a row after the last field's. */
static void note_line(struct line *line, unsigned of)
{
	struct json_object *object;
	size_t i = 0;

	line_append(line, "", 1);
	object = json_tokener_parse(line->text);
	assert_non_null(object);
	json_object_object_foreach(object, name, value) {
		while (i < FIELD_ROWS && (!(field_rows[i].of & of) || strcmp(field_rows[i].name, name)))
			i++;
		if (i == FIELD_ROWS)
			fail_msg("no row for %s here", name);
		if (!fits(type_of(value), field_rows[i].type))
			fail_msg("%s is not %s", name, field_rows[i].type);
		written[i++] = true;
	}
	json_object_put(object);
}

static void note_event(const struct event *event)
{
	struct format_context context = sample_context();
	static struct line line;

	format_json(&line, event, &context);
	note_line(&line, event->record ? OF_EVENT : OF_GAP);
}

static void note_check(const struct check *check)
{
	static struct line line;

	format_check_json(&line, check, "web-3", 1);
	note_line(&line, OF_CHECK);
}

/* An event of each kind that has fields which others lack. */
static void note_events(void)
{
	static struct sample s;

	sample_everything(&s);
	note_event(&s.event);
	s.event.owner = (struct owner){.unknown = UNKNOWN_SHARED, .n_holders = 1, .holders = {{.tgid = 1}}};
	s.event.ended = (struct ended){.wall_ns = 1, .cause = PEER_LOST_RETRANSMIT_TIMEOUT};
	note_event(&s.event);
	s.event.repeat = (struct repeat){.count = 2, .first_ns = 1, .last_ns = 2, .processes = 2};
	note_event(&s.event);
	for (enum lp_cause cause = ACCEPT_DROPPED_QUEUE_FULL; cause <= CLOSE_IGNORED_CLOSE_WAIT; cause++) {
		s.record = (struct lp_record){.kind = LP_KIND_LOOK};
		sample_judge(&s, judge_found(&s.record, cause));
		s.event.gives_up_ms = 1;
		s.event.connections = 1;
		note_event(&s.event);
	}
	event_from_loss(&s.event, EVENTS_LOST_RING_FULL, (struct loss){1, 2, 3});
	note_event(&s.event);
}

static void note_checks(void)
{
	static struct check_sample s;

	check_sample_stalled(&s);
	note_check(&s.check);
	check_sample_idle(&s);
	note_check(&s.check);
	s.socket.snd_wnd = 0;
	s.socket.write_seq = s.socket.snd_nxt + 1;
	s.socket.flags |= LP_F_ADDRESS_GONE;
	note_check(&s.check);
}

static void test_every_row_is_written(void **state)
{
	(void)state;
	note_events();
	note_checks();
	for (size_t i = 0; i < FIELD_ROWS; i++)
		if (!written[i])
			fail_msg("nothing has %s", field_rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row_is_written)};

	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
