/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event as bytes, without the room that its strings leave: for a queue whose reader looks at events, not at text. */
#ifndef LOSTPEER_PACK_H
#define LOSTPEER_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "format/format.h"

/* As an entry of an output. */
format_event format_pack;
/* false: that is no packed event. */
bool format_packed_open(const char *bytes, size_t length, struct kept_event *kept);

#endif
