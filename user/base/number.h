/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parses numbers and durations strictly: the whole text, within range. Also formats numbers, ten times as fast as
 * printf(3), because events are full of them. */
#ifndef LOSTPEER_NUMBER_H
#define LOSTPEER_NUMBER_H

#include <asm/types.h>
#include <stddef.h>

#define NUMBER_TEXT_LEN 21 /* 2^64 - 1, terminated */

/* Decimal digits only. 0 or -EINVAL. */
int number_parse(const char *text, __u64 least, __u64 most, __u64 *value);
/* "500ms", "10s", "10" (seconds), "2m", "1h", "1d". Nanoseconds; 0 or -EINVAL. */
int number_parse_duration(const char *text, __u64 *ns);

/* Returns the length. */
size_t number_format(__u64 value, char text[NUMBER_TEXT_LEN]);

#endif
