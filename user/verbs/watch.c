/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer watch: reports events live, of this host or of a command that it runs. */
#include "verbs/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "service/agent.h"
#include "service/client.h"
#include "base/number.h"
#include "outputs/file.h"
#include "service/privilege.h"
#include "outputs/subscription.h"

struct watch {
	struct agent_options agent;
	struct feed_settings *feed;
	struct filter *filter; /* in feed */
	const char *output;    /* --output */
	const char *socket;    /* --socket: the agent to ask instead of the kernel; NULL: only if not privileged */
	__u64 count;
	bool json;
};

/* Defaults on a terminal, where a peer that dies with hundreds of connections must not scroll the others away. */
#define TERMINAL_GROUP_NS (5 * CLOCK_SECOND)
#define TERMINAL_RATE 20
#define NOT_GIVEN (~0u) /* no --rate is that high; a --group is whole milliseconds */

static const char *set_socket(const struct option_spec *spec, void *socket, bool opposite, const char *value)
{
	(void)opposite;
	*(const char **)socket = value;
	return *value == '/' ? NULL : spec->wrong;
}

static const struct option_spec options[] = {
	{"json", NULL, "one JSON object a line, see lostpeer-events(7)", option_flag, OPTION_AT(struct watch, json)},
	{"count", "N", "end after N lines", option_number, OPTION_AT(struct watch, count), 1, UINT64_MAX,
	 .wrong = "not a number above 0"},
	{"for", "DURATION", "end after this time, such as 10s", option_duration,
	 OPTION_AT(struct watch, agent.most_ns)},
	{"output", "FILE", "append to FILE; - is standard output, null nowhere", option_text,
	 OPTION_AT(struct watch, output), 0, PATH_MAX - 1, .wrong = "too long for a path"},
	{"socket", "FILE", "be told by the agent that listens there; without rights by any that runs", set_socket,
	 OPTION_AT(struct watch, socket), .wrong = "not a path from the root"},
};

static const struct option_table table = {
	.verb = "watch",
	.usage = "watch [OPTION...] [-- COMMAND...]",
	.summary =
		"Shows, live, each TCP connection on this host that loses its peer. With COMMAND: runs it, shows only\n"
		"its connections and its descendants', and exits with its status. A value may be a list: 80,443.",
	.own = OPTION_GROUP(options),
	.uses = {{.group = &filter_keys, .offset = offsetof(struct watch, filter), .points = true},
		 {.group = &feed_keys, .offset = offsetof(struct watch, feed), .points = true},
		 {.group = &kernel_keys, .offset = offsetof(struct watch, agent.kernel)},
		 {.group = &early_keys, .offset = offsetof(struct watch, agent.early)}},
};

/* Starts the command, which waits until *go is closed so that watching begins before its first system call. */
static pid_t start_command(char **command, int *go)
{
	int ready[2];
	sigset_t none;
	pid_t pid;
	char c;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (pid) {
		close(ready[0]);
		*go = ready[1];
		return pid;
	}
	close(ready[1]);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (read(ready[0], &c, 1) < 0)
		_exit(126);
	close(ready[0]);
	execvp(command[0], command);
	say(0, "%s: %s", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void greet_terminal(const struct watch *w, bool terminal, bool all)
{
	static struct line header;

	if (!terminal)
		return;
	fprintf(stderr,
		"lostpeer: a quiet host shows nothing: `make demo` (lostpeer demo) makes some drops; %s; ^C ends\n",
		all ? "orderly ends are shown" : "--all adds the orderly ends");
	if (w->json)
		return;
	format_text_header(&header);
	fwrite(header.text, 1, header.length, stdout);
	fflush(stdout);
}

static void greet(const struct agent *agent, const struct watch *w, bool terminal, bool all)
{
	unsigned connections, processes;

	agent_watches(agent, &connections, &processes);
	fprintf(stderr, "lostpeer: watching %u connection%s of %u process%s, and all that begin%s\n", connections,
		connections == 1 ? "" : "s", processes, processes == 1 ? "" : "es",
		terminal ? ""
		: all    ? ", orderly ends too"
			 : "");
	greet_terminal(w, terminal, all);
}

/* The defaults depend on where the output goes. */
static void set_defaults(struct watch *w, struct feed_settings *feed, bool terminal)
{
	const char *no_colour = getenv("NO_COLOR"); /* no-color.org: set, and not empty */
	bool people = terminal && !w->json;

	feed->colour = people && !(no_colour && *no_colour);
	feed->most_events = w->count;
	if (feed->group_ns == NOT_GIVEN)
		feed->group_ns = people ? TERMINAL_GROUP_NS : 0;
	if (feed->rate == NOT_GIVEN)
		feed->rate = people ? TERMINAL_RATE : 0;
}

/* Sets the output. 0 or a negative errno. */
static int set_target(struct watch *w)
{
	const struct output_ops *ops = !w->output || !strcmp(w->output, "-") ? &output_stdout
				       : !strcmp(w->output, "null")          ? &output_null
									     : &output_file;
	int err = feed_settings_output(w->feed, ops);

	if (err)
		return err;
	snprintf(w->feed->title, sizeof(w->feed->title), "%s", ops->name);
	((struct lines_settings *)w->feed->output)->text = !w->json;
	if (ops == &output_file)
		strcpy(((struct file_settings *)w->feed->output)->path, w->output);
	return 0;
}

/* 0, or a negative errno after a message on stderr. */
static int open_agent(struct watch *w, bool follow, bool terminal, struct agent **agent)
{
	struct feed_settings *feed = w->feed;

	if (set_target(w))
		return say(-ENOMEM, "out of memory");
	set_defaults(w, feed, terminal);
	w->agent.ends_without_reader = true;
	w->agent.follow = follow;
	w->agent.rights = follow ? RIGHTS_KEPT : RIGHTS_DROPPED_LAST;
	if (follow)
		w->agent.kernel.follow_parent = (__u32)getpid();
	w->feed = NULL; /* the agent's now */
	return agent_open(agent, &w->agent, &feed, 1);
}

static bool is_terminal(const struct watch *w)
{
	return (!w->output || !strcmp(w->output, "-")) && isatty(STDOUT_FILENO);
}

/* The agent's socket, or NULL to ask the kernel. */
static const char *agent_socket(const struct watch *w)
{
	if (w->socket)
		return w->socket;
	return privilege_may_watch() || access(SUBSCRIPTION_PATH, W_OK) ? NULL : SUBSCRIPTION_PATH;
}

/* Rejects options that only the agent can set, because it alone talks to the kernel. */
static const char *asks_too_much(const struct watch *w, const char *const *command)
{
	static const struct early_options usual = EARLY_OPTIONS_DEFAULT;
	const struct early_options *early = &w->agent.early;
	const struct kernel_options *kernel = &w->agent.kernel;

	if (*command)
		return "a command can be watched only with the right to";
	if (kernel->ring_bytes || kernel->connect_hook || kernel->accept_hook)
		return "--ring, --connect-hook and --accept-hook are the agent's, in its configuration";
	if (early->silent_after_ns != usual.silent_after_ns || early->ignored_after_ns != usual.ignored_after_ns)
		return "--silent-after and --ignored-after are the agent's, in its configuration";
	return NULL;
}

/* Without privilege: reports the events that an agent sends. */
static int run_client(struct watch *w, const char *path, char **command)
{
	bool all = w->feed->filter.all, terminal = is_terminal(w);
	const char *why = asks_too_much(w, (const char *const *)command);
	struct feed_settings *feed = w->feed;
	struct client *client;
	struct ledger ledger;
	int err;

	if (why) {
		fprintf(stderr, "lostpeer watch: told by the agent (%s): %s\n", path, why);
		return EXIT_USAGE;
	}
	if (set_target(w))
		return say(EXIT_USAGE, "out of memory");
	set_defaults(w, feed, terminal);
	w->feed = NULL; /* the client's now */
	client = client_open(path, feed);
	if (!client)
		return EXIT_USAGE;
	fprintf(stderr, "lostpeer: watching what the agent tells %s (%s)%s\n", geteuid() ? "this user" : "root", path,
		terminal || !all ? "" : ", orderly ends too");
	greet_terminal(w, terminal, all);
	err = client_run(client, w->agent.most_ns);
	ledger = client_finish(client);
	ledger_say("", ledger);
	client_close(client);
	return err || ledger.write_failed ? EXIT_RUNTIME : EXIT_OK;
}

static int run(struct watch *w, char **command)
{
	bool all = w->feed->filter.all, terminal;
	struct agent *agent;
	struct ledger ledger;
	int err, status = 0, go = -1;
	pid_t child = 0;

	terminal = is_terminal(w);
	if (open_agent(w, *command, terminal, &agent))
		return EXIT_USAGE;
	if (*command) {
		child = start_command(command, &go);
		if (child < 0) {
			say(0, "cannot fork: %s", strerror(errno));
			agent_close(agent);
			return EXIT_RUNTIME;
		}
	}
	greet(agent, w, terminal, all);
	if (go >= 0)
		close(go);
	err = agent_run(agent, child, &status);
	if (err)
		say(0, "event loop: %s", strerror(-err));
	agent_finish(agent);
	ledger = agent_ledger(agent, 0);
	ledger_say("", ledger);
	agent_close(agent);
	if (*command && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (*command)
		return WEXITSTATUS(status);
	return err || ledger.write_failed ? EXIT_RUNTIME : EXIT_OK;
}

int watch_main(int argc, char **argv)
{
	struct watch w = {.agent = {.early = EARLY_OPTIONS_DEFAULT}, .feed = feed_settings_new("")};
	const char *agent;
	int rest, status;

	if (!w.feed)
		return say(EXIT_RUNTIME, "out of memory");
	w.feed->group_ns = w.feed->rate = NOT_GIVEN;
	w.filter = &w.feed->filter;
	switch (options_parse(&table, argc, argv, &w, &rest)) {
	case OPTIONS_HELPED:
		status = EXIT_OK;
		break;
	case OPTIONS_WRONG:
		status = EXIT_USAGE;
		break;
	default:
		if (rest < argc && strcmp(argv[rest - 1], "--")) {
			fprintf(stderr, "lostpeer watch: %s: a command goes after --\n", argv[rest]);
			status = EXIT_USAGE;
		} else {
			agent = agent_socket(&w);
			status = agent ? run_client(&w, agent, argv + rest) : run(&w, argv + rest);
		}
	}
	feed_settings_free(w.feed);
	return status;
}
