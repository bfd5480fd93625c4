/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer [VERB] [OPTION...]: runs the verb, by default watch. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "base/say.h"
#include "verbs/verbs.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{"watch", watch_main, "show who loses a TCP peer, when, why and with what data (the default)"},
	{"check", check_main, "look once at every TCP connection: is the peer still there?"},
	{"agent", agent_main, "run as a service that tells files, journals and monitoring"},
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

/* If one of these is closed, the next file that is opened takes its number and messages go into that file. */
static int check_standard_files(void)
{
	if (fcntl(STDIN_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
		return -1;
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return say(-1, "standard output is closed");
	return fcntl(STDERR_FILENO, F_GETFD) < 0 && open("/dev/null", O_WRONLY) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	static char watch[] = "watch";

	if (check_standard_files())
		return EXIT_USAGE;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))) {
		help();
		return EXIT_OK;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		printf("lostpeer %s\n", VERSION);
		printf("with: %s\n", *LIBRARIES ? LIBRARIES : "nothing optional");
		if (*MISSING)
			printf("without: %s\n", MISSING);
		return EXIT_OK;
	}
	if (argc == 1 || argv[1][0] == '-') {
		argv[0] = watch;
		return watch_main(argc, argv);
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	return say(EXIT_USAGE, "%s: no such verb; see lostpeer --help", argv[1]);
}
