/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "options.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 30

static bool has_opposite(const struct option_spec *spec)
{
	return spec->name[strlen(spec->name) - 1] == '*';
}

/* The length of the option's name, without the mark of the opposite. */
static size_t name_length(const struct option_spec *spec)
{
	return strlen(spec->name) - has_opposite(spec);
}

static void help(const struct option_table *table)
{
	char left[64];

	printf("Usage: lostpeer %s\n%s\n\n", table->usage, table->summary);
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *spec = &table->options[i];

		snprintf(left, sizeof(left), "--%s%.*s%s%s", has_opposite(spec) ? "[not-]" : "", (int)name_length(spec),
			 spec->name, spec->argument ? " " : "", spec->argument ? spec->argument : "");
		printf("  %-*s %s\n", HELP_COLUMN, left, spec->help);
	}
	printf("  %-*s %s\n", HELP_COLUMN, "--help", "show this");
	printf("\nSee lostpeer(8), and lostpeer-events(7) for every word that is said.\n");
}

/* word: "--name" or "--name=value", of which `length` bytes after the dashes are the name. */
static const struct option_spec *find(const struct option_table *table, const char *name, size_t length,
				      bool *opposite)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *spec = &table->options[i];
		size_t n = name_length(spec);

		*opposite = false;
		if (length == n && !strncmp(name, spec->name, n))
			return spec;
		*opposite = true;
		if (has_opposite(spec) && length == n + 4 && !strncmp(name, "not-", 4) &&
		    !strncmp(name + 4, spec->name, n))
			return spec;
	}
	return NULL;
}

static enum option_result wrong(const struct option_table *table, const char *word, size_t length,
				const char *value, const char *why)
{
	fprintf(stderr, "lostpeer %s: %.*s", table->verb, (int)length, word);
	if (value)
		fprintf(stderr, " '%s'", value);
	fprintf(stderr, ": %s; see lostpeer %s --help\n", why, table->verb);
	return OPTIONS_WRONG;
}

static enum option_result parse_one(const struct option_table *table, int argc, char **argv, void *context, int *at)
{
	const char *word = argv[*at], *value = strchr(word, '='), *why;
	size_t length = value ? (size_t)(value - word) : strlen(word);
	const struct option_spec *spec;
	bool opposite;

	value = value ? value + 1 : NULL;
	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		help(table);
		return OPTIONS_HELPED;
	}
	spec = strncmp(word, "--", 2) ? NULL : find(table, word + 2, length - 2, &opposite);
	if (!spec)
		return wrong(table, word, length, NULL, "no such option");
	if (spec->argument && !value) {
		if (*at + 1 >= argc)
			return wrong(table, word, length, NULL, "needs a value");
		value = argv[++*at];
	} else if (!spec->argument && value) {
		return wrong(table, word, length, value, "takes no value");
	}
	why = spec->set(context, spec->tag, opposite, value);
	return why ? wrong(table, word, length, value, why) : OPTIONS_RUN;
}

enum option_result options_parse(const struct option_table *table, int argc, char **argv, void *context, int *rest)
{
	enum option_result result;

	for (*rest = 1; *rest < argc && argv[*rest][0] == '-'; ++*rest) {
		if (!strcmp(argv[*rest], "--")) {
			++*rest;
			break;
		}
		result = parse_one(table, argc, argv, context, rest);
		if (result != OPTIONS_RUN)
			return result;
	}
	return OPTIONS_RUN;
}
