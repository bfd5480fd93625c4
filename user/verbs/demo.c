/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `lostpeer demo`: makes one drop of every kind in network namespaces of its own, and prints for each what the two
 * applications did and saw beside what lostpeer said of it. What they saw is fixed before lostpeer is asked.
 */
#include "verbs/verbs.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "demo/compare.h"
#include "demo/orphan.h"
#include "demo/row.h"
#include "demo/stage.h"
#include "demo/witness.h"

enum {
	EXIT_DONE = 0,
	EXIT_WRONG = 1,
	EXIT_CANNOT = 2, /* usage, missing rights, missing kernel */
};

struct demo_options {
	bool *chosen; /* by index of demo_rows */
	bool some;    /* any was chosen; otherwise all are */
	bool truth;
	bool whole_host;
};

static const struct demo_option {
	struct option option;
	const char *argument;
	const char *help;
} demo_options[] = {
	{ { "row", required_argument, NULL, 'r' }, "NAME", "only this drop, as --list names it; may be given again" },
	{ { "list", no_argument, NULL, 'l' }, NULL, "name the drops and how each is made" },
	{ { "truth", no_argument, NULL, 't' }, NULL, "make the drops, but do not ask lostpeer what they were" },
	{ { "whole-host", no_argument, NULL, 'w' }, NULL,
	  "also what sets a sysctl of the whole host for a moment (no_memory: tcp_max_orphans)" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "this text" },
};

#define OPTION_COUNT (sizeof(demo_options) / sizeof(demo_options[0]))

static void print_help(void)
{
	printf("Usage: lostpeer demo [OPTION]...\n"
	       "Makes one drop of every kind in network namespaces of its own (as root), and prints for each the truth\n"
	       "beside what lostpeer said of it; the last line says how many it got right.\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct demo_option *o = &demo_options[i];
		char flag[40];

		snprintf(flag, sizeof(flag), "--%s%s%s", o->option.name, o->argument ? " " : "",
			 o->argument ? o->argument : "");
		printf("  %-14s %s\n", flag, o->help);
	}
	printf("\nExit status: 0 all right; 1 something wrong; 2 usage, or rights or programs are missing.\n");
}

static void print_list(void)
{
	for (size_t i = 0; i < row_count(); i++) {
		char name[80];

		row_name(&demo_rows[i], name, sizeof(name));
		printf("%-36s %s\n", name, demo_rows[i].story);
	}
}

/* Chooses the rows of this name: all of a cause, or the one with that variant. Returns whether there are any. */
static bool choose(struct demo_options *options, const char *wanted)
{
	bool found = false;

	for (size_t i = 0; i < row_count(); i++) {
		char name[80];

		row_name(&demo_rows[i], name, sizeof(name));
		if (strcmp(wanted, name) != 0) {
			name[strcspn(name, ":")] = '\0';
			if (strcmp(wanted, name) != 0)
				continue;
		}
		found = options->chosen[i] = options->some = true;
	}
	return found;
}

/* Returns -1 to go on, else an exit status. */
static int take_option(struct demo_options *options, int option, char **argv)
{
	switch (option) {
	case 'r':
		if (choose(options, optarg))
			return -1;
		fprintf(stderr, "lostpeer demo: no drop is named '%s' (see --list)\n", optarg);
		return EXIT_CANNOT;
	case 'l':
		print_list();
		return EXIT_DONE;
	case 't':
		options->truth = true;
		return -1;
	case 'w':
		options->whole_host = true;
		return -1;
	case 'h':
		print_help();
		return EXIT_DONE;
	case ':':
		fprintf(stderr, "lostpeer demo: option '%s' needs a value\n", argv[optind - 1]);
		return EXIT_CANNOT;
	default:
		fprintf(stderr, "lostpeer demo: unknown option '%s' (see --help)\n", argv[optind - 1]);
		return EXIT_CANNOT;
	}
}

static int parse_options(struct demo_options *options, int argc, char **argv)
{
	struct option table[OPTION_COUNT + 1] = { { 0 } };
	int option, status = -1;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		table[i] = demo_options[i].option;
	optind = 0; /* the caller may have used getopt already */
	while (status < 0 && (option = getopt_long(argc, argv, "+:", table, NULL)) != -1)
		status = take_option(options, option, argv);
	if (status < 0 && optind < argc) {
		fprintf(stderr, "lostpeer demo: unexpected argument '%s' (see --help)\n", argv[optind]);
		return EXIT_CANNOT;
	}
	return status;
}

/* SIGINT and SIGTERM, to be read from a descriptor. Returns it, or -1. */
static int take_signals(sigset_t *before)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, before);
	return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Sets aside the rows that cannot be played, with the reason. */
static void skip_rows(struct stage *stage, const struct demo_options *options, bool hook)
{
	for (size_t i = 0; i < stage->count; i++) {
		struct scene *scene = &stage->scenes[i];
		const char *why = NULL;

		if (scene->row->whole_host && !options->whole_host)
			why = "sets tcp_max_orphans, which is the whole host's, so only with --whole-host";
		if (scene->row->needs_hook && !hook)
			why = "lostpeer cannot attach its --connect-hook here (lostpeer doctor says why)";
		if (!why)
			continue;
		scene->state = SCENE_SKIPPED;
		snprintf(scene->why, sizeof(scene->why), "%s", why);
	}
}

/* Prints every row, and the last line. Returns the exit status. */
static int tell(const struct stage *stage, struct witness *witness)
{
	size_t outcomes[OUTCOME_COUNT] = { 0 };
	bool gaps;

	for (size_t i = 0; i < stage->count; i++)
		outcomes[compare_scene(stdout, &stage->scenes[i], witness)]++;
	gaps = witness && compare_gaps(stdout, witness);
	printf("\n");
	if (outcomes[OUTCOME_SKIPPED])
		printf("%zu skipped\n", outcomes[OUTCOME_SKIPPED]);
	printf("%zu of %zu %s\n", outcomes[OUTCOME_RIGHT], outcomes[OUTCOME_RIGHT] + outcomes[OUTCOME_WRONG],
	       witness ? "right" : "made");
	return gaps || outcomes[OUTCOME_WRONG] ? EXIT_WRONG : EXIT_DONE;
}

/* Returns the exit status, or negative errno. */
static int play(struct stage *stage, const struct demo_options *options, struct witness *witness, int signals)
{
	int err = witness ? witness_start(witness, signals) : 0;

	if (err)
		return err == -EINTR ? err : -EPERM;
	skip_rows(stage, options, witness ? witness->hook : true);
	printf("Making the drops, in network namespaces of their own: this takes some seconds.\n\n");
	fflush(stdout);
	err = stage_play(stage, signals);
	if (!err && witness)
		err = witness_stop(witness);
	return err ?: tell(stage, witness);
}

static int run(const struct demo_options *options)
{
	const struct row *rows[row_count()];
	struct witness witness = { .output = -1, .errors = -1 };
	struct stage stage;
	sigset_t before;
	size_t count = 0;
	int signals, status;

	for (size_t i = 0; i < row_count(); i++)
		if (options->chosen[i] || !options->some)
			rows[count++] = &demo_rows[i];
	if (stage_open(&stage, rows, count) < 0) {
		fprintf(stderr, "lostpeer: demo: out of memory\n");
		return EXIT_WRONG;
	}
	if (options->whole_host)
		orphan_limit_open(); /* where that fails the row says so */
	signals = take_signals(&before);
	status = play(&stage, options, options->truth ? NULL : &witness, signals);
	witness_close(&witness);
	stage_close(&stage);
	orphan_limit_close();
	close(signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (status == -EINTR)
		return 128 + SIGINT;
	return status == -EPERM ? EXIT_CANNOT : status < 0 ? EXIT_WRONG : status;
}

int demo_main(int argc, char **argv)
{
	bool chosen[row_count()];
	struct demo_options options = { .chosen = chosen };
	int status;

	memset(chosen, 0, sizeof(chosen));
	status = parse_options(&options, argc, argv);
	if (status >= 0)
		return status;
	if (geteuid() != 0) {
		fprintf(stderr, "lostpeer: demo: needs root: it makes network namespaces; try sudo lostpeer demo\n");
		return EXIT_CANNOT;
	}
	return run(&options);
}
