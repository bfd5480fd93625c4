/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event as bytes, without the unused ends of its strings: for a queue whose reader needs events, not text. */
#ifndef LOSTPEER_FORMAT_PACKED_H
#define LOSTPEER_FORMAT_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "format/format.h"

/* An entry of an output, like the other formats. */
format_event format_pack;
/* false: these bytes are no packed event. */
bool format_packed_open(const char *bytes, size_t length, struct kept_event *kept);

#endif
