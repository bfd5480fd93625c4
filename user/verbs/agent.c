/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer agent: the service. */
#include "verbs/verbs.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "service/agent.h"
#include "service/config.h"
#include "service/systemd.h"

struct service {
	const char *path;     /* --config */
	bool check;           /* --check-config */
	bool has_output;      /* --output */
	struct config *given; /* filled by the file and the options, while loading */
	int argc;             /* kept to parse the options again on reload */
	char **argv;
	struct kernel_options kernel; /* the running agent's */
	struct early_options early;
};

static const char *set_output(const struct option_spec *spec, void *context, bool opposite, const char *title)
{
	struct service *s = context;

	(void)spec;
	(void)opposite;
	s->has_output = true;
	return s->given ? config_begin(s->given, title) : NULL;
}

static const char *take(void *context, const struct option_spec *spec, bool opposite, const char *value)
{
	struct service *s = context;

	return s->given ? config_set(s->given, spec, opposite, value) : NULL;
}

static const struct option_spec options[] = {
	{"config", "FILE", "the configuration (" CONFIG_DEFAULT_PATH ", unless --output is given)", option_text,
	 OPTION_AT(struct service, path), 1, UINT64_MAX, .wrong = "empty"},
	{"check-config", NULL, "say what is wrong with it, and end", option_flag, OPTION_AT(struct service, check)},
	{"output", "TITLE", "an output: KIND or 'KIND NAME', as a section is titled; the options after it are its own",
	 .set = set_output},
};

/* The options include the keys of all outputs. */
static struct option_table make_table(void)
{
	struct option_table table = {
		.verb = "agent",
		.usage = "agent [OPTION...]",
		.summary = "Runs as a service: tells any number of outputs, each with its own filters, of TCP "
			   "connections that lose\n"
			   "their peer. Each key of lostpeer.conf(5) is an option as well. SIGHUP reads the "
			   "configuration again.",
		.own = OPTION_GROUP(options),
		.uses = {{.group = &kernel_keys},
			 {.group = &early_keys},
			 {.group = &filter_keys, .title = "Of every output:"},
			 {.group = &feed_keys}},
		.take = take,
	};
	static char titles[OPTIONS_USES_MAX][48];
	size_t n = 4;

	for (size_t i = 0; output_list[i] && n < OPTIONS_USES_MAX - 1; i++) {
		if (!output_list[i]->keys.count)
			continue;
		snprintf(titles[n], sizeof(titles[n]), "Of an output of the kind %s:", output_list[i]->name);
		table.uses[n] = (struct option_use){.group = &output_list[i]->keys, .title = titles[n]};
		n++;
	}
	return table;
}

static enum option_result parse(struct service *s)
{
	struct option_table table = make_table();
	enum option_result result;
	int rest;

	result = options_parse(&table, s->argc, s->argv, s, &rest);
	if (result == OPTIONS_RUN && rest < s->argc) {
		fprintf(stderr, "lostpeer agent: %s: no such thing; see lostpeer agent --help\n", s->argv[rest]);
		return OPTIONS_WRONG;
	}
	return result;
}

/* Reads the file, then the options. false after a message on stderr. */
static bool load(struct service *s, struct config_result *result)
{
	bool right = true;

	s->given = config_new();
	if (!s->given) {
		fprintf(stderr, "lostpeer agent: out of memory\n");
		return false;
	}
	if (s->path || !s->has_output)
		right = config_read(s->given, s->path ? s->path : CONFIG_DEFAULT_PATH);
	right = parse(s) == OPTIONS_RUN && right;
	right = config_resolve(s->given, result) && right;
	config_free(s->given);
	s->given = NULL;
	if (!right)
		config_clear(result);
	return right;
}

static bool same_kernel(const struct kernel_options *one, const struct kernel_options *other)
{
	return one->ring_bytes == other->ring_bytes && one->connect_hook == other->connect_hook &&
	       one->accept_hook == other->accept_hook;
}

static bool same_warnings(const struct early_options *one, const struct early_options *other)
{
	return one->silent_after_ns == other->silent_after_ns && one->ignored_after_ns == other->ignored_after_ns;
}

/* A wrong configuration changes nothing. */
static void reload(void *context, struct agent *agent)
{
	struct service *s = context;
	struct config_result result;

	systemd_reloading();
	if (!load(s, &result)) {
		fprintf(stderr, "lostpeer agent: the configuration is not read again: it goes on as before\n");
		agent_reopen(agent);
	} else if (agent_change(agent, result.feeds, result.n_feeds)) {
		fprintf(stderr, "lostpeer agent: the configuration cannot be followed: it goes on as before\n");
		agent_reopen(agent);
	} else {
		fprintf(stderr, "lostpeer agent: read the configuration again: %zu output%s\n", result.n_feeds,
			result.n_feeds == 1 ? "" : "s");
		if (!same_kernel(&s->kernel, &result.kernel) || !same_warnings(&s->early, &result.early))
			fprintf(stderr, "lostpeer agent: what is in [agent] changes with a restart only\n");
	}
	systemd_ready();
}

static void greet(const struct agent *agent, size_t outputs)
{
	unsigned connections, processes;

	agent_watches(agent, &connections, &processes);
	fprintf(stderr, "lostpeer: watching %u connection%s of %u process%s, and all that begin; %zu output%s\n",
		connections, connections == 1 ? "" : "s", processes, processes == 1 ? "" : "es", outputs,
		outputs == 1 ? "" : "s");
}

static int run(struct service *s, struct config_result *result)
{
	struct agent_options o = {.kernel = result->kernel,
				  .early = result->early,
				  .rights = RIGHTS_DROPPED_FIRST,
				  .on_hangup = reload,
				  .context = s};
	struct agent *agent;
	int err, status;

	s->kernel = result->kernel;
	s->early = result->early;
	if (agent_open(&agent, &o, result->feeds, result->n_feeds))
		return EXIT_USAGE;
	greet(agent, result->n_feeds);
	systemd_ready();
	err = agent_run(agent, 0, &status);
	if (err)
		say(0, "event loop: %s", strerror(-err));
	systemd_stopping();
	agent_finish(agent);
	agent_say_ledgers(agent);
	agent_close(agent);
	return err ? EXIT_RUNTIME : EXIT_OK;
}

int agent_main(int argc, char **argv)
{
	struct service s = {.argc = argc, .argv = argv};
	struct config_result result;

	switch (parse(&s)) {
	case OPTIONS_HELPED:
		return EXIT_OK;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	default:
		break;
	}
	if (!load(&s, &result))
		return EXIT_USAGE;
	if (!s.check)
		return run(&s, &result);
	config_clear(&result);
	return EXIT_OK;
}
