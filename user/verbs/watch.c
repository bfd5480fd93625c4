/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer watch: events of this host, live; or of a command that it runs. */
#include "verbs/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "filter.h"
#include "number.h"
#include "options.h"

struct watch {
	struct filter filter;
	struct agent_options agent;
	bool json;
	bool has_group, has_rate; /* given; else it is for the output to decide */
};

/* What people read on a terminal: a peer that dies with hundreds of connections shall not scroll the others away. */
#define TERMINAL_GROUP_NS 5000000000ULL
#define TERMINAL_RATE 20
#define SILENT_AFTER_NS 5000000000ULL
#define IGNORED_AFTER_NS 60000000000ULL
#define RATE_MAX 1000000

enum watch_tag { TAG_JSON, TAG_ALL, TAG_CONNECT_HOOK, TAG_ACCEPT_HOOK };
enum duration_tag { TAG_GROUP, TAG_SILENT_AFTER, TAG_IGNORED_AFTER };

static const char *set_flag(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;

	(void)opposite;
	(void)value;
	switch ((enum watch_tag)tag) {
	case TAG_JSON:
		w->json = true;
		break;
	case TAG_ALL:
		w->filter.all = true;
		break;
	case TAG_CONNECT_HOOK:
		w->agent.kernel.connect_hook = true;
		break;
	case TAG_ACCEPT_HOOK:
		w->agent.kernel.accept_hook = true;
		break;
	}
	return NULL;
}

static const char *set_filter(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;

	return filter_add_list(&w->filter, (enum filter_kind)tag, opposite, value);
}

static const char *set_severity(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;
	int severity = severity_by_name(value);

	(void)tag;
	(void)opposite;
	if (severity < 0)
		return "neither error, warning, notice nor info";
	w->filter.min_severity = (enum lp_severity)severity;
	return NULL;
}

static const char *set_count(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;

	(void)tag;
	(void)opposite;
	return number_parse(value, 1, UINT64_MAX, &w->agent.most_events) ? "not a number above 0" : NULL;
}

static const char *set_for(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;

	(void)tag;
	(void)opposite;
	return number_parse_duration(value, &w->agent.most_ns) ? "not a duration such as 500ms, 10s, 2m or 1h" : NULL;
}

static const char *set_duration(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;
	__u64 *ns[] = {
		[TAG_GROUP] = &w->agent.group_ns,
		[TAG_SILENT_AFTER] = &w->agent.warnings.silent_after_ns,
		[TAG_IGNORED_AFTER] = &w->agent.warnings.ignored_after_ns,
	};

	(void)opposite;
	w->has_group |= tag == TAG_GROUP;
	*ns[tag] = 0;
	if (!strcmp(value, "0"))
		return NULL;
	return number_parse_duration(value, ns[tag]) ? "neither 0 nor a duration such as 500ms, 5s or 1m" : NULL;
}

static const char *set_rate(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;
	__u64 rate;

	(void)tag;
	(void)opposite;
	if (number_parse(value, 0, RATE_MAX, &rate))
		return "not a number from 0 to 1000000";
	w->has_rate = true;
	w->agent.rate = (unsigned)rate;
	return NULL;
}

static const char *set_output(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;

	(void)tag;
	(void)opposite;
	w->agent.output_target = value;
	w->agent.output = !strcmp(value, "-") ? &output_stdout : !strcmp(value, "null") ? &output_null : &output_file;
	return NULL;
}

/* A ring takes a power of two of bytes, of whole pages. */
static const char *set_ring(void *context, int tag, bool opposite, const char *value)
{
	struct watch *w = context;
	__u64 kib;

	(void)tag;
	(void)opposite;
	if (number_parse(value, 64, 1 << 20, &kib) || (kib & (kib - 1)))
		return "not a power of two from 64 to 1048576 (KiB)";
	w->agent.kernel.ring_bytes = (size_t)kib << 10;
	return NULL;
}

static const struct option_spec options[] = {
	{"json", NULL, "one JSON object a line, see lostpeer-events(7)", set_flag, TAG_JSON},
	{"all", NULL, "the orderly ends too: peer_closed, local_closed, abandoned at once", set_flag, TAG_ALL},
	{"event*", "EVENT", "only this event, such as peer_lost", set_filter, FILTER_EVENT},
	{"cause*", "CAUSE", "only this cause, such as reset", set_filter, FILTER_CAUSE},
	{"pid*", "PID", "only connections that this process held", set_filter, FILTER_PID},
	{"name*", "NAME", "only connections of processes of this name", set_filter, FILTER_NAME},
	{"unit*", "UNIT", "only of this systemd unit; * and ? match", set_filter, FILTER_UNIT},
	{"container*", "ID", "only of this container, by the beginning of its id", set_filter, FILTER_CONTAINER},
	{"cgroup*", "PATH", "only of this cgroup and those below it", set_filter, FILTER_CGROUP},
	{"port*", "PORT", "only connections with this port at either end", set_filter, FILTER_PORT},
	{"local-port*", "PORT", "only with this port at our end", set_filter, FILTER_LOCAL_PORT},
	{"peer-port*", "PORT", "only with this port at the peer's end", set_filter, FILTER_PEER_PORT},
	{"peer*", "ADDRESS[/BITS]", "only with a peer of this address or network", set_filter, FILTER_PEER},
	{"netns*", "INODE|PATH", "only in this network namespace", set_filter, FILTER_NETNS},
	{"min-severity", "SEVERITY", "only from this on: error, warning, notice, info", set_severity, 0},
	{"group", "DURATION", "the like of an event within this time is one record; 0: off (5s, off with --json or no terminal)",
	 set_duration, TAG_GROUP},
	{"rate", "N", "events a second of one process, the others are one record; 0: any (20, any as above)", set_rate, 0},
	{"silent-after", "DURATION", "say peer_silent once data has waited so long for an acknowledgement; 0: never (5s)",
	 set_duration, TAG_SILENT_AFTER},
	{"ignored-after", "DURATION", "say close_ignored so long after the peer's close; 0: never (60s)", set_duration,
	 TAG_IGNORED_AFTER},
	{"count", "N", "end after N lines", set_count, 0},
	{"for", "DURATION", "end after this time, such as 10s", set_for, 0},
	{"output", "FILE", "append to FILE; - is standard output, null nowhere", set_output, 0},
	{"ring", "KIB", "size of the ring buffer, a power of two (4096)", set_ring, 0},
	{"connect-hook", NULL, "see connects that fail without a packet (no route, denied); slows every system call",
	 set_flag, TAG_CONNECT_HOOK},
	{"accept-hook", NULL, "see who accepts, of workers that share a listener; slows every system call", set_flag,
	 TAG_ACCEPT_HOOK},
};

static const struct option_table table = {
	.verb = "watch",
	.usage = "watch [OPTION...] [-- COMMAND...]",
	.summary = "Shows, live, each TCP connection on this host that loses its peer. With COMMAND: runs it, shows only\n"
		   "its connections and its descendants', and exits with its status. A value may be a list: 80,443.",
	.options = options,
	.count = sizeof(options) / sizeof(*options),
};

/* Starts the command, which waits until *go is closed, so that it is watched from its first system call. */
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
	fprintf(stderr, "lostpeer: %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void greet(const struct agent *agent, const struct watch *w, bool terminal)
{
	static struct line header;
	unsigned connections, processes;

	agent_watches(agent, &connections, &processes);
	fprintf(stderr, "lostpeer: watching %u connection%s of %u process%s, and all that begin%s\n", connections,
		connections == 1 ? "" : "s", processes, processes == 1 ? "" : "es",
		terminal ? "" : w->filter.all ? ", orderly ends too" : "");
	if (!terminal)
		return;
	fprintf(stderr,
		"lostpeer: a quiet host shows nothing: `make demo` (lostpeer demo) makes some drops; %s; ^C ends\n",
		w->filter.all ? "orderly ends are shown" : "--all adds the orderly ends");
	if (w->json)
		return;
	format_text_header(&header);
	fwrite(header.text, 1, header.length, stdout);
	fflush(stdout);
}

static void print_ledger(struct ledger l)
{
	__u64 lost = l.ring_full + l.output_full + l.write_failed + l.stopped;

	fprintf(stderr,
		"lostpeer: %llu emitted = %llu written + %llu filtered + %llu grouped + %llu lost + %llu pending",
		l.emitted, l.written, l.filtered, l.grouped, lost, l.pending);
	if (lost)
		fprintf(stderr, " (lost: %llu ring_full, %llu output_full, %llu write_failed, %llu stopped)", l.ring_full,
			l.output_full, l.write_failed, l.stopped);
	fprintf(stderr, "\n");
}

/* What was not asked for follows from where it goes. */
static void set_defaults(struct watch *w, bool terminal)
{
	const char *no_colour = getenv("NO_COLOR"); /* no-color.org: set, and not empty */
	bool people = terminal && !w->json;

	w->agent.format = w->json ? format_json : format_text;
	w->agent.colour = people && !(no_colour && *no_colour);
	if (people && !w->has_group)
		w->agent.group_ns = TERMINAL_GROUP_NS;
	if (people && !w->has_rate)
		w->agent.rate = TERMINAL_RATE;
}

static int run(struct watch *w, char **command)
{
	bool terminal = w->agent.output == &output_stdout && isatty(STDOUT_FILENO);
	struct agent *agent;
	struct ledger ledger;
	int err, status = 0, go = -1;
	pid_t child = 0;

	set_defaults(w, terminal);
	w->agent.filter = &w->filter;
	if (*command) {
		w->agent.kernel.follow_parent = (__u32)getpid();
		w->agent.follow = true;
	}
	if (agent_open(&agent, &w->agent))
		return EXIT_USAGE;
	if (*command) {
		child = start_command(command, &go);
		if (child < 0) {
			fprintf(stderr, "lostpeer: cannot fork: %s\n", strerror(errno));
			agent_close(agent);
			return EXIT_RUNTIME;
		}
	}
	greet(agent, w, terminal);
	if (go >= 0)
		close(go);
	err = agent_run(agent, child, &status);
	if (err)
		fprintf(stderr, "lostpeer: event loop: %s\n", strerror(-err));
	ledger = agent_finish(agent);
	print_ledger(ledger);
	agent_close(agent);
	if (*command && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (*command)
		return WEXITSTATUS(status);
	return err || ledger.write_failed ? EXIT_RUNTIME : EXIT_OK;
}

int watch_main(int argc, char **argv)
{
	struct watch w = {.agent = {.output = &output_stdout, .warnings = {SILENT_AFTER_NS, IGNORED_AFTER_NS}}};
	int rest, status;

	filter_init(&w.filter);
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
			status = run(&w, argv + rest);
		}
	}
	filter_free(&w.filter);
	return status;
}
