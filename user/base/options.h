/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line: one table a verb gives parsing, --help, and the check of the man page. */
#ifndef LOSTPEER_OPTIONS_H
#define LOSTPEER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses, see lostpeer(8). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1, /* something found, or a failure while running */
	EXIT_USAGE = 2,   /* usage, configuration, missing rights or kernel */
	EXIT_UNSEEN = 3,  /* check could not see all that was asked for */
};

struct option_spec {
	const char *name;     /* without "--"; one that ends in "*" has an opposite, --not-NAME */
	const char *argument; /* its name in the help, NULL: takes none */
	const char *help;
	/* NULL, or what is wrong with the value. tag: as below. opposite: it was --not-NAME. */
	const char *(*set)(void *context, int tag, bool opposite, const char *value);
	int tag;
};

struct line;

/* Options that several verbs have, or an output. */
struct option_group {
	const struct option_spec *options;
	size_t count;
};

struct option_use {
	const struct option_group *group;
	const char *title; /* in the help; NULL: none */
	size_t offset;     /* in the verb's context, of a pointer to what their set() gets */
};

#define OPTIONS_USES_MAX 16

struct option_table {
	const char *verb;
	const char *usage; /* after "Usage: lostpeer " */
	const char *summary;
	const struct option_spec *options;
	size_t count;
	struct option_use uses[OPTIONS_USES_MAX]; /* up to the first without a group */
	/* In place of set() for what is in the groups, where it is not NULL. */
	const char *(*take)(void *context, const struct option_spec *spec, bool opposite, const char *value);
};

/* NAME or not-NAME, of `length` bytes; NULL: there is none. */
const struct option_spec *options_find(const struct option_spec *options, size_t count, const char *name, size_t length,
				       bool *opposite);

enum option_result { OPTIONS_RUN, OPTIONS_HELPED, OPTIONS_WRONG };

/*
 * Parses argv[1...] up to the first word that is no option, or "--"; *rest is the index of what follows.
 * --help prints to stdout (OPTIONS_HELPED); what is wrong is said on stderr, naming the option (OPTIONS_WRONG).
 */
enum option_result options_parse(const struct option_table *table, int argc, char **argv, void *context, int *rest);

/* The same of words that are all options, and none of them --help: says nothing. false: *why is what is wrong, naming
 * the option. */
bool options_apply(const struct option_table *table, int argc, char **argv, void *context, struct line *why);

#endif
