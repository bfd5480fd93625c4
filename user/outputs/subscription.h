/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a subscriber asks for: one line, the filters of `lostpeer watch`, with blanks between and no quotes. */
#ifndef LOSTPEER_SUBSCRIPTION_H
#define LOSTPEER_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "filter/filter.h"
#include "base/line.h"

#define SUBSCRIPTION_LINE_MAX 4096 /* bytes, with its newline */
#define SUBSCRIPTION_PATH "/run/lostpeer/events.sock"

/* text: of `length` bytes, without a newline. Fills *filter, which is the caller's then, whatever comes of
 * it. false: *why is what is wrong, naming it. */
bool subscription_parse(const char *text, size_t length, struct filter *filter, struct line *why);

#endif
