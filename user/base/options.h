/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line: one table per verb serves parsing, --help, and the check of the man page. */
#ifndef LOSTPEER_OPTIONS_H
#define LOSTPEER_OPTIONS_H

#include <asm/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses, see lostpeer(8). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1,  /* something found, or a failure while running */
	EXIT_USAGE = 2,    /* usage, configuration, missing rights or kernel */
	EXIT_UNSEEN = 3,   /* check could not see all that was asked for */
	EXIT_NO_MATCH = 4, /* no connection is what check was asked for */
};

struct option_spec;

/* Stores the value in the member. Returns NULL, or what is wrong with the value. value: NULL for an option that takes
 * none. opposite: the user wrote --not-NAME. */
typedef const char *option_set(const struct option_spec *spec, void *member, bool opposite, const char *value);

struct option_spec {
	const char *name;     /* without "--"; a name that ends in "*" has an opposite, --not-NAME */
	const char *argument; /* as the help shows it; NULL: the option takes no value */
	const char *help;
	option_set *set;     /* one of the functions below, or one of the option's own */
	size_t offset, size; /* of the member in the context: OPTION_AT() */
	__u64 least, most;   /* bounds of a number, a duration (ns), or the length of a text */
	const char *const *choices;
	const char *wrong; /* the message of option_number, option_text and option_choice for any other value */
};

#define OPTION_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

option_set option_flag;     /* sets a bool */
option_set option_number;   /* an integer of 1, 4 or 8 bytes */
option_set option_duration; /* __u64, ns; most 0: no limit */
option_set option_pause;    /* the same, and "0" for never */
option_set option_text;     /* const char *: keeps the pointer, so the value must outlive the context */
option_set option_choice;   /* an integer: the index of the value in choices, which end in NULL */

/* Calls spec->set() for this context. */
const char *options_set(const struct option_spec *spec, void *context, bool opposite, const char *value);

struct line;

/* A table of options: rows of any type that begins with a struct option_spec. */
struct option_group {
	const void *rows;
	size_t count, size; /* number of rows, bytes of a row */
	size_t help;        /* offset of the help text in a row; if that is NULL, the option_spec's own is shown */
};

#define OPTION_GROUP(rows)                                                                                             \
	{                                                                                                              \
		(rows), sizeof(rows) / sizeof(*(rows)), sizeof(*(rows)), offsetof(struct option_spec, help)            \
	}

struct option_use {
	const struct option_group *group;
	const char *title; /* heading in the help; NULL: none */
	size_t offset;     /* of the group's context in the verb's context */
	bool points;       /* the verb's context holds a pointer to it instead */
};

#define OPTIONS_USES_MAX 16

struct option_table {
	const char *verb;
	const char *usage; /* after "Usage: lostpeer " */
	const char *summary;
	struct option_group own;
	struct option_use uses[OPTIONS_USES_MAX]; /* ends at the first without a group */
	/* If not NULL, called instead of options_set() for the options of the uses. */
	const char *(*take)(void *context, const struct option_spec *spec, bool opposite, const char *value);
};

const struct option_spec *option_at(const struct option_group *group, size_t i);
/* name: NAME or not-NAME, of `length` bytes. NULL if there is no such option. */
const struct option_spec *options_find(const struct option_group *group, const char *name, size_t length,
				       bool *opposite);

enum option_result { OPTIONS_RUN, OPTIONS_HELPED, OPTIONS_WRONG };

/*
 * Parses argv[1...] up to the first word that is no option, or "--"; *rest is the index of the next word.
 * --help prints to stdout (OPTIONS_HELPED). An error prints a message with the option on stderr (OPTIONS_WRONG).
 */
enum option_result options_parse(const struct option_table *table, int argc, char **argv, void *context, int *rest);

/* The same for words that are all options, without --help. Prints nothing. false: *why is the error. */
bool options_apply(const struct option_table *table, int argc, char **argv, void *context, struct line *why);

#endif
