/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line: one table a verb gives parsing, --help, and the check of the man page. */
#ifndef LOSTPEER_OPTIONS_H
#define LOSTPEER_OPTIONS_H

#include <asm/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses, see lostpeer(8). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1, /* something found, or a failure while running */
	EXIT_USAGE = 2,   /* usage, configuration, missing rights or kernel */
	EXIT_UNSEEN = 3,  /* check could not see all that was asked for */
};

struct option_spec;

/*
 * Puts a value where the option keeps it. NULL, or what is wrong with it. value: NULL where the option takes none.
 * opposite: it was --not-NAME.
 */
typedef const char *option_set(const struct option_spec *spec, void *member, bool opposite, const char *value);

struct option_spec {
	const char *name;     /* without "--"; one that ends in "*" has an opposite, --not-NAME */
	const char *argument; /* its name in the help, NULL: takes none */
	const char *help;
	option_set *set;     /* one of those below, or one of its own */
	size_t offset, size; /* of the member that it sets: OPTION_AT(); without them the context itself */
	__u64 least, most;   /* of a number or a duration (ns); of a text, bytes */
	const char *const *choices;
	const char *wrong; /* what option_number, option_text and option_choice say of any other value */
};

#define OPTION_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

option_set option_flag;     /* bool: true */
option_set option_number;   /* an integer of any size, from least to most */
option_set option_duration; /* __u64, ns: up to most, where that is not 0 */
option_set option_pause;    /* the same, but 0 is a value too */
option_set option_text;     /* const char *: the value itself, which must outlive the context */
option_set option_choice;   /* an integer of any size: the index of a choice; the last is NULL */

/* Calls spec->set() with the member of this context. */
const char *options_set(const struct option_spec *spec, void *context, bool opposite, const char *value);

struct line;

/* Options that several verbs have, or an output: rows, each of which begins with a struct option_spec. */
struct option_group {
	const void *rows;
	size_t count, size; /* rows, bytes of each */
	size_t help;        /* where in a row its help is; NULL there: as in the option_spec */
};

#define OPTION_GROUP(rows)                                                                                             \
	{                                                                                                              \
		(rows), sizeof(rows) / sizeof(*(rows)), sizeof(*(rows)), offsetof(struct option_spec, help)            \
	}

struct option_use {
	const struct option_group *group;
	const char *title; /* in the help; NULL: none */
	size_t offset;     /* in the verb's context, of theirs */
	bool points;       /* there is a pointer to it */
};

#define OPTIONS_USES_MAX 16

struct option_table {
	const char *verb;
	const char *usage; /* after "Usage: lostpeer " */
	const char *summary;
	struct option_group own;
	struct option_use uses[OPTIONS_USES_MAX]; /* up to the first without a group */
	/* In place of options_set() for what is in the uses, where it is not NULL. */
	const char *(*take)(void *context, const struct option_spec *spec, bool opposite, const char *value);
};

const struct option_spec *option_at(const struct option_group *group, size_t i);
/* NAME or not-NAME, of `length` bytes; NULL: there is none. */
const struct option_spec *options_find(const struct option_group *group, const char *name, size_t length,
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
