/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers and durations from outside: the whole text, and within range, or an error. And numbers as text, which events
 * are full of: printf(3) takes ten times as long. */
#ifndef LOSTPEER_NUMBER_H
#define LOSTPEER_NUMBER_H

#include <asm/types.h>
#include <stddef.h>

#define NUMBER_TEXT_LEN 21 /* 2^64 - 1, terminated */

/* Decimal digits only. 0 or -EINVAL. */
int number_parse(const char *text, __u64 least, __u64 most, __u64 *value);
/* "500ms", "10s", "10" (seconds), "2m", "1h", "1d". Nanoseconds; 0 or -EINVAL. */
int number_parse_duration(const char *text, __u64 *ns);

/* In decimal; the length. */
size_t number_format(__u64 value, char text[NUMBER_TEXT_LEN]);

#endif
