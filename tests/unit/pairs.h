/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event as names and values, to compare formats: strings as line_plain() makes them safe, each value of an array
 * separately. */
#ifndef TESTS_UNIT_PAIRS_H
#define TESTS_UNIT_PAIRS_H

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

#define PAIRS_MAX 128

struct pair {
	char name[64];
	char *value;
};

struct pairs {
	size_t n;
	struct pair fields[PAIRS_MAX];
};

static inline void pairs_clear(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		free(pairs->fields[i].value);
	pairs->n = 0;
}

static inline void pairs_add(struct pairs *pairs, const char *name, const char *value, size_t length)
{
	struct pair *field = &pairs->fields[pairs->n++];

	if (pairs->n > PAIRS_MAX)
		fail_msg("more than %d fields", PAIRS_MAX);
	assert_true(strlen(name) < sizeof(field->name));
	strcpy(field->name, name);
	field->value = strndup(value, length);
}

static inline void pairs_add_value(struct pairs *pairs, const char *name, struct json_object *value)
{
	static struct line plain;
	const char *text = json_object_get_string(value);

	line_clear(&plain);
	if (json_object_is_type(value, json_type_string))
		line_plain(&plain, text);
	else
		line_append(&plain, text, strlen(text));
	assert_false(plain.cut);
	pairs_add(pairs, name, plain.text, plain.length);
}

static inline void pairs_of_json(struct pairs *pairs, const struct event *event, const struct format_context *context)
{
	static struct line line;
	struct json_object *object;

	format_json(&line, event, context);
	line_append(&line, "", 1);
	object = json_tokener_parse(line.text);
	assert_non_null(object);
	pairs_clear(pairs);
	json_object_object_foreach(object, name, value) {
		if (!json_object_is_type(value, json_type_array)) {
			pairs_add_value(pairs, name, value);
			continue;
		}
		for (size_t i = 0; i < json_object_array_length(value); i++)
			pairs_add_value(pairs, name, json_object_array_get_idx(value, i));
	}
	json_object_put(object);
}

/* The next value of that name from *at on; moves *at past it. NULL: none. */
static inline const char *pairs_next(const struct pairs *pairs, const char *name, size_t *at)
{
	while (*at < pairs->n)
		if (!strcmp(pairs->fields[(*at)++].name, name))
			return pairs->fields[*at - 1].value;
	return NULL;
}

static inline const char *pairs_value(const struct pairs *pairs, const char *name)
{
	size_t at = 0;

	return pairs_next(pairs, name, &at);
}

/* Both must have the same names and values in the same order. */
static inline void pairs_compare(const struct pairs *one, const struct pairs *other)
{
	for (size_t i = 0; i < one->n && i < other->n; i++) {
		assert_string_equal(one->fields[i].name, other->fields[i].name);
		assert_string_equal(one->fields[i].value, other->fields[i].value);
	}
	assert_int_equal(one->n, other->n);
}

/* Names of a process, a file or a unit that try to pass for something else. */
static const char *const hostile_names[] = {
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
#define HOSTILE_NAMES (sizeof(hostile_names) / sizeof(*hostile_names))

/* Gives this name to everything that has a name from outside. */
static inline void name_everything(struct sample *s, const char *name)
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

static inline void check_printable(const char *text, size_t n)
{
	static struct line again;

	for (size_t i = 0; i < n; i++) {
		assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
		assert_false((unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
	}
	line_clear(&again); /* plain text does not change: it is valid UTF-8 and does not turn the direction of text */
	line_plain(&again, text);
	assert_int_equal(again.length, n);
	assert_memory_equal(again.text, text, n);
}

#endif
