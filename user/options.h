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

struct option_table {
	const char *verb;
	const char *usage; /* after "Usage: lostpeer " */
	const char *summary;
	const struct option_spec *options;
	size_t count;
};

enum option_result { OPTIONS_RUN, OPTIONS_HELPED, OPTIONS_WRONG };

/*
 * Parses argv[1...] up to the first word that is no option, or "--"; *rest is the index of what follows.
 * --help prints to stdout (OPTIONS_HELPED); what is wrong is said on stderr, naming the option (OPTIONS_WRONG).
 */
enum option_result options_parse(const struct option_table *table, int argc, char **argv, void *context, int *rest);

#endif
