/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer [VERB] [OPTION...]: finds the verb; without one it watches. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "verbs/verbs.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{"watch", watch_main, "show who loses a TCP peer, when, why and with what data (the default)"},
	{"demo", demo_main, "make one drop of every kind and compare what is said with the truth"},
	{"doctor", doctor_main, "what this kernel and this user can and cannot do"},
};

static void help(void)
{
	printf("Usage: lostpeer [VERB] [OPTION...]\n"
	       "Tells which application lost its TCP peer, when, why, and with what data at stake.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	printf("\nlostpeer VERB --help shows its options; lostpeer --version what was built.\n");
}

int main(int argc, char **argv)
{
	static char watch[] = "watch";

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))) {
		help();
		return EXIT_OK;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		printf("lostpeer %s\n", VERSION);
		return EXIT_OK;
	}
	if (argc == 1 || argv[1][0] == '-') {
		argv[0] = watch;
		return watch_main(argc, argv);
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "lostpeer: %s: no such verb; see lostpeer --help\n", argv[1]);
	return EXIT_USAGE;
}
