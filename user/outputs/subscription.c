/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/subscription.h"

#include <string.h>

#include "base/options.h"

static const struct option_table table = {
	.verb = "subscription",
	.uses = {{.group = &filter_keys}},
};

bool subscription_parse(const char *text, size_t length, struct filter *filter, struct line *why)
{
	char line[SUBSCRIPTION_LINE_MAX], *words[SUBSCRIPTION_LINE_MAX / 2], *word, *rest = line;
	int n = 0;

	filter_init(filter);
	filter->foreign = true;
	filter->peer_closes = true; /* subscribers exist to learn of peers that closed */
	line_clear(why);
	if (length >= sizeof(line) || memchr(text, '\0', length)) {
		line_printf(why, length >= sizeof(line) ? "a line of more than 4096 bytes" : "a NUL in the line");
		return false;
	}
	memcpy(line, text, length);
	line[length] = '\0';
	while ((word = strsep(&rest, " \t\r")))
		if (*word)
			words[n++] = word;
	return options_apply(&table, n, words, filter, why);
}
