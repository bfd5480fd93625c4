/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads an event back from a line of format_json(); formatted again it is the same. For a client that filters, groups
 * and formats the events of an agent itself. */
#ifndef LOSTPEER_READ_JSON_H
#define LOSTPEER_READ_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"

struct json_object;

#define READ_JSON_REASON_LEN 40

struct parsed {
	struct kept_event kept;
	char reset_reason[READ_JSON_REASON_LEN]; /* the reason that record.reset_reason 1 stands for */
};

/* false: not an event that this version knows. */
bool read_json_event(struct json_object *object, struct parsed *parsed);
/* For format_context: `kernel` is a struct parsed. */
const char *read_json_reset_reason(void *parsed, __u32 reason);

#endif
