/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int number_parse(const char *text, __u64 least, __u64 most, __u64 *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL; /* strtoull would take a sign and white space */
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end || *value < least || *value > most ? -EINVAL : 0;
}

int number_parse_duration(const char *text, __u64 *ns)
{
	static const struct {
		const char *name;
		__u64 ns;
	} units[] = {
		{"", CLOCK_SECOND},       {"s", CLOCK_SECOND},        {"ms", CLOCK_MS},
		{"m", 60 * CLOCK_SECOND}, {"h", 3600 * CLOCK_SECOND}, {"d", 86400 * CLOCK_SECOND},
	};
	size_t digits = strspn(text, "0123456789");
	char number[16];
	__u64 value;

	if (!digits || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text + digits, units[i].name))
			continue;
		if (number_parse(number, 1, ~0ULL / units[i].ns / 2, &value))
			return -EINVAL;
		*ns = value * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

size_t number_format(__u64 value, char text[NUMBER_TEXT_LEN])
{
	char digits[NUMBER_TEXT_LEN];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	text[n] = '\0';
	return n;
}
