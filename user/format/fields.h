/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fields of an event or of a checked connection, by the names and in the order of lostpeer-events(7): the rows of
 * fields.def, for every format that has fields. A field whose value is not known is left out. */
#ifndef LOSTPEER_FIELDS_H
#define LOSTPEER_FIELDS_H

#include <asm/types.h>
#include <stdbool.h>

struct check;
struct event;
struct format_context;

/* The kinds of things that have fields. */
enum field_of {
	OF_EVENT = 1, /* with a record */
	OF_GAP = 2,   /* events_lost */
	OF_CHECK = 4, /* a connection in `lostpeer check` */
	OF_BOTH = OF_EVENT | OF_CHECK,
	OF_ALL = OF_BOTH | OF_GAP
};

enum field_kind {
	FIELD_STRING, /* untrusted, never empty */
	FIELD_NUMBER, /* as JSON writes it, like FIELD_BOOLEAN */
	FIELD_BOOLEAN,
};

/* One value. An array comes as one field for each of its values. */
struct field {
	const char *name;
	enum field_kind kind;
	const char *text;
	bool array;
	unsigned at, of; /* the index and count of the values: 0 of 1 without an array */
};

/* The field is valid only during the call. */
typedef void fields_put(void *to, const struct field *field);

#define FIELDS_STATES 12
const char *fields_state_name(int state); /* "established": a TCP state in network.connection.state; 0: "" */

void fields_of(const struct event *event, const struct format_context *context, fields_put *put, void *to);
void fields_of_check(const struct check *check, const char *host, __u64 wall_ns, fields_put *put, void *to);

#endif
