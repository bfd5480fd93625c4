/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event out of its line of JSON, as format_json() wrote it: formatted again it is the same. For who is told by an
 * agent what he then filters, groups and shows himself. */
#ifndef LOSTPEER_READ_JSON_H
#define LOSTPEER_READ_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"

struct json_object;

#define READ_JSON_REASON_LEN 40

struct parsed {
	struct kept_event kept;
	char reset_reason[READ_JSON_REASON_LEN]; /* what record.reset_reason 1 stands for */
};

/* false: it is no event that we know. */
bool read_json_event(struct json_object *object, struct parsed *parsed);
/* For format_context, with the parsed one as its kernel. */
const char *read_json_reset_reason(void *parsed, __u32 reason);

#endif
