/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `lostpeer demo`: makes one drop of every kind in its own network namespaces, and prints what the two applications did
 * and saw next to what lostpeer reported. The applications' view is recorded before lostpeer's report is read.
 */
#include "verbs/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/say.h"
#include "demo/compare.h"
#include "demo/orphan.h"
#include "demo/row.h"
#include "demo/stage.h"
#include "demo/witness.h"
#include "kernel/probe.h"
#include "base/options.h"

struct demo_options {
	bool *chosen; /* by index of demo_rows */
	bool some;    /* any was chosen; otherwise all are */
	bool list;
	bool truth;
	bool whole_host;
};

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

static const char *set_row(const struct option_spec *spec, void *options, bool opposite, const char *name)
{
	(void)opposite;
	return choose(options, name) ? NULL : spec->wrong;
}

static const struct option_spec option_specs[] = {
	{"row", "NAME", "only this drop, as --list names it; may be given again", set_row,
	 .wrong = "no such drop (--list names them)"},
	{"list", NULL, "name the drops and how each is made", option_flag, OPTION_AT(struct demo_options, list)},
	{"truth", NULL, "make the drops, but do not ask lostpeer what they were", option_flag,
	 OPTION_AT(struct demo_options, truth)},
	{"whole-host", NULL, "also what sets a sysctl of the whole host for a moment (no_memory: tcp_max_orphans)",
	 option_flag, OPTION_AT(struct demo_options, whole_host)},
};

static const struct option_table option_table = {
	.verb = "demo",
	.usage = "demo [OPTION...]",
	.summary = "Makes one drop of every kind in network namespaces of its own (as root), and prints for each what\n"
		   "the applications saw beside what lostpeer said of it. The last line says how many it got right.",
	.own = OPTION_GROUP(option_specs),
};

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

static void skip(struct scene *scene, const char *why, const char *because)
{
	scene->state = SCENE_SKIPPED;
	snprintf(scene->why, sizeof(scene->why), "%s%s", why, because);
}

/* Skips the rows that cannot be played, with the reason. Without a witness no hook is needed. */
static void skip_rows(struct stage *stage, const struct demo_options *options, const struct witness *witness)
{
	struct kernel_features features;

	if (probe(&features, NULL))
		memset(&features, 0, sizeof(features));
	for (size_t i = 0; i < stage->count; i++) {
		struct scene *scene = &stage->scenes[i];

		if (scene->row->whole_host && !options->whole_host)
			skip(scene, "tcp_max_orphans is one sysctl of the whole host: only with --whole-host", "");
		if (scene->row->needs_hook && witness && !witness->hook)
			skip(scene, "without --connect-hook lostpeer does not see it. ", witness->why_no_hook);
		if (scene->row->needs_strays && witness && !features.send_reset_reason)
			skip(scene, "this kernel does not show a RST for no socket (from 6.10)", "");
		if (scene->row->needs_signature && witness && !features.signature)
			skip(scene, "this kernel does not show what it drops for its signature (from 6.11)", "");
	}
}

/* Prints every row, and the last line. Returns the exit status. */
static int print_result(const struct stage *stage, struct witness *witness)
{
	size_t outcomes[OUTCOME_COUNT] = {0};
	bool json;

	for (size_t i = 0; i < stage->count; i++)
		outcomes[compare_scene(stdout, &stage->scenes[i], witness)]++;
	json = !witness || compare_lines(stdout, witness);
	printf("\n");
	if (outcomes[OUTCOME_SKIPPED])
		printf("%zu skipped\n", outcomes[OUTCOME_SKIPPED]);
	printf("%zu of %zu %s\n", outcomes[OUTCOME_RIGHT], outcomes[OUTCOME_RIGHT] + outcomes[OUTCOME_WRONG],
	       witness ? "right" : "made");
	return json && !outcomes[OUTCOME_WRONG] ? EXIT_OK : EXIT_RUNTIME;
}

/* Returns the exit status, or negative errno. */
static int play(struct stage *stage, const struct demo_options *options, struct witness *witness, int signals)
{
	int err = witness ? witness_start(witness, signals) : 0;

	if (err)
		return err == -EINTR ? err : -EPERM;
	skip_rows(stage, options, witness);
	printf("Making the drops, in network namespaces of their own: this takes some seconds.\n\n");
	fflush(stdout);
	err = stage_play(stage, signals);
	if (!err && witness)
		err = witness_stop(witness);
	return err ?: print_result(stage, witness);
}

static int run(const struct demo_options *options)
{
	const struct row *rows[row_count()];
	struct witness witness = {.output = -1, .errors = -1};
	struct stage stage;
	sigset_t before;
	size_t count = 0;
	int signals, status;

	for (size_t i = 0; i < row_count(); i++)
		if (options->chosen[i] || !options->some)
			rows[count++] = &demo_rows[i];
	if (stage_open(&stage, rows, count) < 0)
		return say(EXIT_RUNTIME, "demo: out of memory");
	if (options->whole_host)
		orphan_limit_open(); /* if it fails, the row reports it */
	signals = take_signals(&before);
	status = play(&stage, options, options->truth ? NULL : &witness, signals);
	witness_close(&witness);
	stage_close(&stage);
	orphan_limit_close();
	close(signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (status == -EINTR)
		return 128 + SIGINT;
	return status == -EPERM ? EXIT_USAGE : status < 0 ? EXIT_RUNTIME : status;
}

int demo_main(int argc, char **argv)
{
	bool chosen[row_count()];
	struct demo_options options = {.chosen = chosen};
	int rest;

	memset(chosen, 0, sizeof(chosen));
	switch (options_parse(&option_table, argc, argv, &options, &rest)) {
	case OPTIONS_HELPED:
		return EXIT_OK;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	if (rest < argc) {
		fprintf(stderr, "lostpeer demo: %s: takes no argument; see lostpeer demo --help\n", argv[rest]);
		return EXIT_USAGE;
	}
	if (options.list) {
		print_list();
		return EXIT_OK;
	}
	if (geteuid() != 0)
		return say(EXIT_USAGE, "demo: needs root: it makes network namespaces; try sudo lostpeer demo");
	return run(&options);
}
