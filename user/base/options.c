/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/options.h"

#include <stdio.h>
#include <string.h>

#include "base/line.h"
#include "base/number.h"

#define HELP_COLUMN 30

/* --- values --- */

static const char *put(const struct option_spec *spec, void *member, __u64 value)
{
	switch (spec->size) {
	case 1:
		*(__u8 *)member = (__u8)value;
		break;
	case 4:
		*(__u32 *)member = (__u32)value;
		break;
	default:
		*(__u64 *)member = value;
	}
	return NULL;
}

const char *option_flag(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	(void)opposite;
	(void)value;
	return put(spec, member, true);
}

const char *option_number(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	__u64 number;

	(void)opposite;
	return number_parse(value, spec->least, spec->most, &number) ? spec->wrong : put(spec, member, number);
}

const char *option_duration(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	__u64 ns;

	(void)opposite;
	if (number_parse_duration(value, &ns) || (spec->most && ns > spec->most))
		return "not a duration such as 500ms, 10s, 2m or 1h";
	return put(spec, member, ns);
}

const char *option_pause(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	__u64 ns = 0;

	(void)opposite;
	if (strcmp(value, "0") && number_parse_duration(value, &ns))
		return "neither 0 nor a duration such as 500ms, 5s or 1m";
	return put(spec, member, ns);
}

const char *option_text(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	size_t length = strlen(value);

	(void)opposite;
	*(const char **)member = value;
	return length < spec->least || length > spec->most ? spec->wrong : NULL;
}

const char *option_choice(const struct option_spec *spec, void *member, bool opposite, const char *value)
{
	(void)opposite;
	for (unsigned i = 0; spec->choices[i]; i++)
		if (!strcmp(spec->choices[i], value))
			return put(spec, member, i);
	return spec->wrong;
}

const char *options_set(const struct option_spec *spec, void *context, bool opposite, const char *value)
{
	return spec->set(spec, (char *)context + spec->offset, opposite, value);
}

/* --- rows --- */

const struct option_spec *option_at(const struct option_group *group, size_t i)
{
	return (const struct option_spec *)((const char *)group->rows + i * group->size);
}

static bool has_opposite(const struct option_spec *spec)
{
	return spec->name[strlen(spec->name) - 1] == '*';
}

/* The length of the option's name, without the mark of the opposite. */
static size_t name_length(const struct option_spec *spec)
{
	return strlen(spec->name) - has_opposite(spec);
}

static void help_options(const struct option_group *group)
{
	char left[64];

	for (size_t i = 0; i < group->count; i++) {
		const struct option_spec *spec = option_at(group, i);
		const char *text = *(const char *const *)((const char *)spec + group->help) ?: spec->help;

		snprintf(left, sizeof(left), "--%s%.*s%s%s", has_opposite(spec) ? "[not-]" : "", (int)name_length(spec),
			 spec->name, spec->argument ? " " : "", spec->argument ? spec->argument : "");
		printf("  %-*s %s\n", HELP_COLUMN, left, text);
	}
}

static void help(const struct option_table *table)
{
	printf("Usage: lostpeer %s\n%s\n\n", table->usage, table->summary);
	help_options(&table->own);
	for (const struct option_use *use = table->uses; use->group; use++) {
		if (use->title)
			printf("\n%s\n", use->title);
		help_options(use->group);
	}
	printf("  %-*s %s\n", HELP_COLUMN, "--help", "show this");
	printf("\nSee lostpeer(8), and lostpeer-events(7) for every word that is said.\n");
}

const struct option_spec *options_find(const struct option_group *group, const char *name, size_t length,
				       bool *opposite)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct option_spec *spec = option_at(group, i);
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

/* Searches the verb's own options (*use is then NULL), then those of its groups. */
static const struct option_spec *find(const struct option_table *table, const char *name, size_t length, bool *opposite,
				      const struct option_use **use)
{
	const struct option_spec *spec = options_find(&table->own, name, length, opposite);

	*use = NULL;
	for (const struct option_use *u = table->uses; !spec && u->group; u++) {
		spec = options_find(u->group, name, length, opposite);
		*use = u;
	}
	return spec;
}

/* Fills *why with "--port 'x': WHY" and returns false. */
static bool wrong(struct line *why, const char *word, size_t length, const char *value, const char *reason)
{
	line_clear(why);
	line_append(why, word, length);
	if (value)
		line_printf(why, " '%s'", value);
	line_printf(why, ": %s", reason);
	return false;
}

static bool parse_one(const struct option_table *table, int argc, char **argv, void *context, int *at, struct line *why)
{
	const char *word = argv[*at], *value = strchr(word, '='), *reason;
	size_t length = value ? (size_t)(value - word) : strlen(word);
	const struct option_use *use = NULL;
	const struct option_spec *spec;
	char *target = context;
	bool opposite;

	value = value ? value + 1 : NULL;
	spec = strncmp(word, "--", 2) ? NULL : find(table, word + 2, length - 2, &opposite, &use);
	if (!spec)
		return wrong(why, word, length, NULL, "no such option");
	if (spec->argument && !value) {
		if (*at + 1 >= argc)
			return wrong(why, word, length, NULL, "needs a value");
		value = argv[++*at];
	} else if (!spec->argument && value) {
		return wrong(why, word, length, value, "takes no value");
	}
	if (use && !table->take)
		target = use->points ? *(char **)(target + use->offset) : target + use->offset;
	reason = use && table->take ? table->take(context, spec, opposite, value)
				    : options_set(spec, target, opposite, value);
	return reason ? wrong(why, word, length, value, reason) : true;
}

bool options_apply(const struct option_table *table, int argc, char **argv, void *context, struct line *why)
{
	for (int at = 0; at < argc; at++)
		if (!parse_one(table, argc, argv, context, &at, why))
			return false;
	return true;
}

enum option_result options_parse(const struct option_table *table, int argc, char **argv, void *context, int *rest)
{
	static struct line why;

	for (*rest = 1; *rest < argc && argv[*rest][0] == '-'; ++*rest) {
		if (!strcmp(argv[*rest], "--")) {
			++*rest;
			break;
		}
		if (!strcmp(argv[*rest], "--help") || !strcmp(argv[*rest], "-h")) {
			help(table);
			return OPTIONS_HELPED;
		}
		if (!parse_one(table, argc, argv, context, rest, &why)) {
			fprintf(stderr, "lostpeer %s: %s; see lostpeer %s --help\n", table->verb, why.text,
				table->verb);
			return OPTIONS_WRONG;
		}
	}
	return OPTIONS_RUN;
}
