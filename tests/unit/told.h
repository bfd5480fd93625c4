/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What JSON says of an event, as names and values that other formats are compared with: strings as line_plain() makes
 * them safe, each value of an array by itself. */
#ifndef TESTS_UNIT_TOLD_H
#define TESTS_UNIT_TOLD_H

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

#define TOLD_MAX 128

struct told_field {
	char name[64];
	char *value;
};

struct told {
	size_t n;
	struct told_field fields[TOLD_MAX];
};

static inline void told_clear(struct told *told)
{
	for (size_t i = 0; i < told->n; i++)
		free(told->fields[i].value);
	told->n = 0;
}

static inline void told_add(struct told *told, const char *name, const char *value, size_t length)
{
	struct told_field *field = &told->fields[told->n++];

	if (told->n > TOLD_MAX)
		fail_msg("more than %d fields", TOLD_MAX);
	assert_true(strlen(name) < sizeof(field->name));
	strcpy(field->name, name);
	field->value = strndup(value, length);
}

static inline void told_add_value(struct told *told, const char *name, struct json_object *value)
{
	static struct line plain;
	const char *text = json_object_get_string(value);

	line_clear(&plain);
	if (json_object_is_type(value, json_type_string))
		line_plain(&plain, text);
	else
		line_append(&plain, text, strlen(text));
	assert_false(plain.cut);
	told_add(told, name, plain.text, plain.length);
}

static inline void told_by_json(struct told *told, const struct event *event, const struct format_context *context)
{
	static struct line line;
	struct json_object *object;

	format_json(&line, event, context);
	line_append(&line, "", 1);
	object = json_tokener_parse(line.text);
	assert_non_null(object);
	told_clear(told);
	json_object_object_foreach(object, name, value) {
		if (!json_object_is_type(value, json_type_array)) {
			told_add_value(told, name, value);
			continue;
		}
		for (size_t i = 0; i < json_object_array_length(value); i++)
			told_add_value(told, name, json_object_array_get_idx(value, i));
	}
	json_object_put(object);
}

/* The next value of that name from *at on, which is moved behind it; NULL: none. */
static inline const char *told_next(const struct told *told, const char *name, size_t *at)
{
	while (*at < told->n)
		if (!strcmp(told->fields[(*at)++].name, name))
			return told->fields[*at - 1].value;
	return NULL;
}

static inline const char *told_value(const struct told *told, const char *name)
{
	size_t at = 0;

	return told_next(told, name, &at);
}

/* The same names with the same values in the same order, and no others. */
static inline void told_compare(const struct told *one, const struct told *other)
{
	for (size_t i = 0; i < one->n && i < other->n; i++) {
		assert_string_equal(one->fields[i].name, other->fields[i].name);
		assert_string_equal(one->fields[i].value, other->fields[i].value);
	}
	assert_int_equal(one->n, other->n);
}

/* What somebody may name a process, a file or a unit to be taken for something else. */
static const char *const told_hostile[] = {
	"a\nPRIORITY=0",
	"x\n\nMESSAGE=y",
	"\033[2J\033[31m",
	"\r<0>1 - -",
	"a\"] [b c=\"",
	"\\\"]",
	"]",
	"\\",
	"\",\"pid\":1,\"",
	"\xff\xfe\x80",
	"\xc2\x9b"
	"31m",
	"\xe2\x80\xae"
	"x",
	"a=b=c",
	"{app=\"z\"} 1\n#",
	"   ",
};
#define TOLD_HOSTILE (sizeof(told_hostile) / sizeof(*told_hostile))

/* Everything that has a name from outside is named that. */
static inline void told_name(struct sample *s, const char *name)
{
	snprintf(s->event.owner.process.comm, sizeof(s->event.owner.process.comm), "%s", name);
	snprintf(s->event.peer.comm, sizeof(s->event.peer.comm), "%s", name);
	snprintf(s->executable, sizeof(s->executable), "/%s", name);
	snprintf(s->place.cgroup, sizeof(s->place.cgroup), "0::/%s", name);
	snprintf(s->place.unit, sizeof(s->place.unit), "%s", name);
	snprintf(s->place.system_unit, sizeof(s->place.system_unit), "%s.", name);
	snprintf(s->place.slice, sizeof(s->place.slice), "%s", name);
	snprintf(s->place.container, sizeof(s->place.container), "%s", name);
	snprintf(s->place.pod, sizeof(s->place.pod), "%s", name);
}

static inline void told_check_printable(const char *text, size_t n)
{
	static struct line again;

	for (size_t i = 0; i < n; i++) {
		assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
		assert_false((unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
	}
	line_clear(&again); /* valid UTF-8, and nothing that turns the direction of text: it is plain already */
	line_plain(&again, text);
	assert_int_equal(again.length, n);
	assert_memory_equal(again.text, text, n);
}

#endif
