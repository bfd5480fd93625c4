/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A subscriber's request: one line with the filters of `lostpeer watch`, separated by blanks, without quotes. */
#ifndef LOSTPEER_SUBSCRIPTION_H
#define LOSTPEER_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "filter/filter.h"
#include "base/line.h"

#define SUBSCRIPTION_LINE_MAX 4096 /* bytes, with its newline */
#define SUBSCRIPTION_PATH "/run/lostpeer/events.sock"

/* text: `length` bytes, without a newline. Fills *filter, which the caller must free, even after a failure. false: *why
 * names what is wrong. */
bool subscription_parse(const char *text, size_t length, struct filter *filter, struct line *why);

#endif
