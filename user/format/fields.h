/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fields of an event, and of what `lostpeer check` says, by the names and in the order of lostpeer-events(7): the
 * rows of fields.def, for every format that has fields. What is not known is left out. */
#ifndef LOSTPEER_FIELDS_H
#define LOSTPEER_FIELDS_H

#include <asm/types.h>
#include <stdbool.h>

struct check;
struct event;
struct format_context;

/* What has a field: fields.def. */
enum field_of {
	OF_EVENT = 1, /* with a record */
	OF_GAP = 2,   /* events_lost */
	OF_CHECK = 4, /* what `lostpeer check` says of a connection */
	OF_BOTH = OF_EVENT | OF_CHECK,
	OF_ALL = OF_BOTH | OF_GAP
};

enum field_kind {
	FIELD_STRING, /* untrusted, never empty */
	FIELD_NUMBER, /* in JSON's words, as the next one */
	FIELD_BOOLEAN,
};

/* One value. Those of an array come one after another, each as a field of its own. */
struct field {
	const char *name;
	enum field_kind kind;
	const char *text;
	bool array;
	unsigned at, of; /* which of how many values: 0 of 1, but for an array */
};

/* The field is gone when it returns. */
typedef void fields_put(void *to, const struct field *field);

/* By its name in network.connection.state; 0: none. */
__u8 fields_state(const char *name);

void fields_of(const struct event *event, const struct format_context *context, fields_put *put, void *to);
void fields_of_check(const struct check *check, const char *host, __u64 wall_ns, fields_put *put, void *to);

#endif
