/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format.h"

#include <string.h>

#include "format/fields.h"
#include "format/format_check.h"

/* The names are constants that need no escaping. */
static void put_name(struct line *line, const char *name)
{
	line_append(line, line->length > 1 ? ",\"" : "\"", line->length > 1 ? 2 : 1);
	line_append(line, name, strlen(name));
	line_append(line, "\":", 2);
}

static void put_value(struct line *line, const struct field *field)
{
	if (field->kind != FIELD_STRING) {
		line_append(line, field->text, strlen(field->text));
		return;
	}
	line_append(line, "\"", 1);
	line_json_string(line, field->text);
	line_append(line, "\"", 1);
}

static void put(void *to, const struct field *field)
{
	struct line *line = to;

	if (!field->at)
		put_name(line, field->name);
	if (field->array)
		line_append(line, field->at ? "," : "[", 1);
	put_value(line, field);
	if (field->array && field->at + 1 == field->of)
		line_append(line, "]", 1);
}

void format_json(struct line *line, const struct event *e, const struct format_context *context)
{
	line_clear(line);
	line_append(line, "{", 1);
	fields_of(e, context, put, line);
	line_append(line, "}\n", 2);
}

void format_check_json(struct line *line, const struct check *c, const char *host, __u64 wall_ns)
{
	line_clear(line);
	line_append(line, "{", 1);
	fields_of_check(c, host, wall_ns, put, line);
	line_append(line, "}\n", 2);
}
