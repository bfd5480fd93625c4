/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of fields.def as a table of names, with the types in the words of lostpeer-events(7). */
#ifndef TESTS_UNIT_FIELD_ROWS_H
#define TESTS_UNIT_FIELD_ROWS_H

#include "format/fields.h"

#define TYPE_text "string"
#define TYPE_time "string"
#define TYPE_boot_time "string"
#define TYPE_error "string"
#define TYPE_signal "string"
#define TYPE_texts "array-of-string"
#define TYPE_word "string"
#define TYPE_integer "integer"
#define TYPE_pids "array-of-integer"
#define TYPE_names "array-of-string"
#define TYPE_lines "array-of-string"
#define TYPE_ms "number"
#define TYPE_boolean "boolean"

static const struct field_row {
	unsigned of; /* enum field_of */
	const char *name, *type;
} field_rows[] = {
#define FIELD(of, name, type, ...) {of, name, TYPE_##type},
#include "format/fields.def"
};
#define FIELD_ROWS (sizeof(field_rows) / sizeof(*field_rows))

#endif
