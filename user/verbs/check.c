/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lostpeer check: looks once at all TCP connections, or at some, and reports whether the peer is still there. */
#include "verbs/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "event/verdicts.h"
#include "base/clock.h"
#include "base/line.h"
#include "filter/filter.h"
#include "format/format_check.h"
#include "check/addresses.h"
#include "check/holders.h"
#include "check/snapshot.h"
#include "check/snapshot_bpf.h"
#include "check/snapshot_diag.h"
#include "base/number.h"
#include "base/options.h"

#define ALIVE_WITHIN_NS (60000 * CLOCK_MS)
#define PIDS_MAX 256       /* the most values of --pid */
#define MEASURED_ROWS 1000 /* the first rows, the worst, set the width of the columns */

struct options {
	struct filter filter;
	struct holders_wanted wanted;
	__u64 alive_within_ns;
	__u64 watch_ns; /* 0: once */
	long long fd;   /* -1: all */
	bool json, colour;
};

/* Worst first: a key that sorts by rank, process and descriptor. */
struct row {
	__u64 key;
	__u32 socket;
};

/* One run, from the kernel to the last line. */
struct run {
	const struct options *options;
	struct snapshot_bpf *bpf; /* NULL: use sock_diag */
	const char *why_not_bpf;
	struct snapshot *snapshot;
	struct holders *holders;
	struct row *rows;
	size_t n, room;
	size_t count[CHECK_COUNT];
	struct unseen unseen;
	__u64 pids[PIDS_MAX];
	size_t n_pids;
	char host[256];
};

/* --- options --- */

#define SHORTER_THAN_MS ((UINT32_MAX + 1ULL) * CLOCK_MS - 1)

static const struct option_spec options[] = {
	{"json", NULL, "one JSON object a line, as in lostpeer-events(7)", option_flag,
	 OPTION_AT(struct options, json)},
	{"alive-within", "DURATION", "alive is who was heard from within this time (60s)", option_duration,
	 OPTION_AT(struct options, alive_within_ns), .most = SHORTER_THAN_MS},
	{"watch", "INTERVAL", "look again and again, each time after this", option_duration,
	 OPTION_AT(struct options, watch_ns), .most = SHORTER_THAN_MS},
};

static const struct option_spec descriptor[] = {
	{"fd", "N", "only this descriptor of the process of --pid", option_number, OPTION_AT(struct options, fd), 0,
	 INT32_MAX, .wrong = "not a descriptor"},
};

static const struct option_group of_descriptor = OPTION_GROUP(descriptor);

static const struct option_table table = {
	.verb = "check",
	.usage = "check [OPTION...]",
	.summary =
		"Looks once at every TCP connection, reading from no socket: is the peer there? Worst first.\n"
		"Exit status: 0 all there, 1 a peer is lost (errored, stalled, closed), 2 usage or rights,\n"
		"3 not all that was asked for could be seen, 4 no connection matches. A value may be a list: 80,443.",
	.own = OPTION_GROUP(options),
	.uses = {{.group = &filter_pid_now, .offset = offsetof(struct options, filter)},
		 {.group = &of_descriptor},
		 {.group = &filter_others_now, .offset = offsetof(struct options, filter)}},
};

/* --- rows --- */

static int add_row(struct run *r, const struct check *c, size_t socket)
{
	const struct owner *o = &c->event.owner;
	__u64 who = o->via ? o->process.tgid : o->n_holders ? o->holders[0].tgid : 0xffffff;

	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 256;
		struct row *rows = realloc(r->rows, room * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		r->rows = rows;
		r->room = room;
	}
	r->rows[r->n++] = (struct row){
		.key = (__u64)verdicts_rank(c->verdict) << 56 | (who & 0xffffff) << 32 |
		       (c->fd >= 0 ? (__u32)c->fd : 0),
		.socket = (__u32)socket,
	};
	r->count[c->verdict]++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return left->socket < right->socket ? -1 : left->socket > right->socket;
}

/* false: the filter does not want it. */
static bool fill(struct run *r, struct check *c, size_t socket)
{
	const struct lp_socket *s = snapshot_get(r->snapshot, socket);

	if (!verdicts_is_connection(s))
		return false;
	verdicts_fill(c, s, (__u32)(r->options->alive_within_ns / CLOCK_MS));
	return filter_event(&r->options->filter, &c->event) &&
	       holders_find(r->holders, r->snapshot, socket, &r->options->wanted, c);
}

static int make_rows(struct run *r)
{
	static struct check c;

	r->n = 0;
	memset(r->count, 0, sizeof(r->count));
	for (size_t i = 0; i < snapshot_count(r->snapshot); i++)
		if (fill(r, &c, i) && add_row(r, &c, i))
			return -ENOMEM;
	qsort(r->rows, r->n, sizeof(*r->rows), compare);
	return 0;
}

/* --- output --- */

static void print_line(const struct line *line)
{
	fwrite(line->text, 1, line->length, stdout);
}

static void print_json(struct run *r)
{
	static struct check c;
	static struct line line;
	__u64 now = clock_realtime_ns();

	for (size_t i = 0; i < r->n; i++) {
		fill(r, &c, r->rows[i].socket);
		format_check_json(&line, &c, r->host, now);
		print_line(&line);
	}
}

static void print_text(struct run *r)
{
	struct check_widths widths = {.who = 3, .fd = 2, .local = 5, .peer = 4};
	static struct check c;
	static struct line line;

	for (size_t i = 0; i < r->n && i < MEASURED_ROWS; i++) {
		fill(r, &c, r->rows[i].socket);
		format_check_widen(&widths, &c);
	}
	if (r->n) {
		format_check_header(&line, &widths);
		print_line(&line);
	}
	for (size_t i = 0; i < r->n; i++) {
		fill(r, &c, r->rows[i].socket);
		format_check_text(&line, &c, &widths, r->options->colour);
		print_line(&line);
	}
}

static void print_summary(const struct run *r)
{
	const char *before = ": ";

	fprintf(stderr, "lostpeer check: %zu connection%s", r->n, r->n == 1 ? "" : "s");
	for (unsigned rank = 0; rank < CHECK_COUNT; rank++)
		for (int v = 0; v < CHECK_COUNT; v++)
			if (verdicts_rank((enum check_verdict)v) == rank && r->count[v]) {
				fprintf(stderr, "%s%zu %s", before, r->count[v], verdicts_name((enum check_verdict)v));
				before = ", ";
			}
	fprintf(stderr, "\n");
}

/* --- what was not seen --- */

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Whether the snapshot missed something that was asked for; prints what. */
static bool is_incomplete(const struct run *r)
{
	const struct unseen *u = &r->unseen;
	bool incomplete = u->sockets || u->processes || u->unconnected,
	     by_owner = filter_asks_owner(&r->options->filter);

	if (u->sockets)
		fprintf(stderr, "lostpeer check: no room for %zu more sockets: narrow it, by --netns say\n",
			u->sockets);
	if (u->processes)
		fprintf(stderr,
			"lostpeer check: %u process%s cannot be looked into: who holds their connections is not "
			"known\n",
			u->processes, u->processes == 1 ? "" : "es");
	if (u->unconnected)
		fprintf(stderr,
			"lostpeer check: %u TCP socket%s not connected: whether %s lost, with an error that waits, "
			"only BPF shows: run as root\n",
			u->unconnected, u->unconnected == 1 ? " is" : "s are",
			u->unconnected == 1 ? "it is" : "they are");
	/* sockets that processes hold are seen in every namespace */
	if (!u->namespaces || (by_owner && r->bpf) || r->n_pids)
		return incomplete;
	fprintf(stderr, "lostpeer check: %u network namespace%s cannot be entered%s\n", u->namespaces,
		plural(u->namespaces), r->bpf ? ": connections there that no process holds are not seen" : "");
	return true;
}

/* Whether a process or descriptor that was asked for does not exist; prints which. */
static bool some_are_missing(const struct run *r)
{
	bool missing = false;
	char path[32];

	for (size_t i = 0; i < r->n_pids; i++) {
		snprintf(path, sizeof(path), "/proc/%llu", r->pids[i]);
		if (!access(path, F_OK))
			continue;
		fprintf(stderr, "lostpeer check: there is no process %llu\n", r->pids[i]);
		missing = true;
	}
	if (r->options->fd >= 0 && !missing && !r->n) {
		fprintf(stderr, "lostpeer check: process %u has no TCP connection at descriptor %u%s\n",
			r->options->wanted.pid, r->options->wanted.fd,
			r->bpf ? "" : ", or none that this user can see");
		missing = true;
	}
	return missing;
}

/* Whether a filter wants none of the connections; prints the filter. */
static bool matches_nothing(const struct run *r)
{
	static struct line filter;

	line_clear(&filter);
	filter_say(&r->options->filter, &filter);
	if (r->n || !filter.length)
		return false;
	fprintf(stderr, "lostpeer check: no connection matches %.*s\n", (int)filter.length, filter.text);
	return true;
}

static enum exit_status status_of(const struct run *r)
{
	bool incomplete = is_incomplete(r);

	if (some_are_missing(r))
		incomplete = true;
	for (int v = 0; v < CHECK_COUNT; v++)
		if (r->count[v] && verdicts_is_lost((enum check_verdict)v))
			return EXIT_RUNTIME;
	if (incomplete)
		return EXIT_UNSEEN;
	return matches_nothing(r) ? EXIT_NO_MATCH : EXIT_OK;
}

/* --- a run --- */

static enum exit_status run_once(struct run *r)
{
	const struct options *o = r->options;
	__u64 netns[2] = {0};
	__u32 only = filter_numbers(&o->filter, FILTER_NETNS, netns, 2) == 1 ? (__u32)netns[0] : 0;
	struct snapshot_diag_scope scope = {.netns = only, .pids = r->pids, .n_pids = r->n_pids, .fd = o->fd};
	int err;

	snapshot_clear(r->snapshot);
	r->unseen = (struct unseen){0};
	if (r->bpf)
		err = snapshot_bpf_take(r->bpf, r->snapshot, only, o->fd >= 0, &r->unseen);
	else
		err = snapshot_diag_take(r->snapshot, &scope, &r->unseen);
	if (!err) {
		addresses_mark(r->snapshot); /* what it cannot read is not said to be gone */
		err = make_rows(r);
	}
	if (err)
		return EXIT_USAGE;
	if (o->json)
		print_json(r);
	else
		print_text(r);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "lostpeer check: cannot write: %s\n", strerror(errno));
		return EXIT_RUNTIME;
	}
	if (!o->json)
		print_summary(r);
	return status_of(r);
}

/* Sleeps until the next run. false: SIGINT or SIGTERM came. */
static bool sleep_until_next(__u64 ns, const sigset_t *ends)
{
	struct timespec time = clock_timespec(ns);

	return sigtimedwait(ends, NULL, &time) < 0;
}

static enum exit_status run_again(struct run *r)
{
	enum exit_status status;
	char time[CLOCK_TEXT_LEN];
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	do {
		if (!r->options->json) {
			clock_format_local(clock_realtime_ns(), time);
			printf("--- %s\n", time);
		}
		status = run_once(r);
	} while (status != EXIT_USAGE && !ferror(stdout) && sleep_until_next(r->options->watch_ns, &ends));
	return status;
}

static int open_run(struct run *r)
{
	gethostname(r->host, sizeof(r->host) - 1);
	r->snapshot = snapshot_new();
	r->holders = holders_new();
	if (!r->snapshot || !r->holders) {
		fprintf(stderr, "lostpeer check: out of memory\n");
		return -ENOMEM;
	}
	r->n_pids = filter_numbers(&r->options->filter, FILTER_PID, r->pids, PIDS_MAX);
	if (r->n_pids > PIDS_MAX) {
		fprintf(stderr, "lostpeer check: --pid: at most %d processes\n", PIDS_MAX);
		return -E2BIG;
	}
	if (snapshot_bpf_open(&r->bpf, &r->why_not_bpf)) {
		if (!r->why_not_bpf)
			return -EINVAL;
		fprintf(stderr, "lostpeer check: %s: by sock_diag, which shows less\n", r->why_not_bpf);
	}
	return 0;
}

static int run(const struct options *o)
{
	static char buffer[1 << 16];
	struct run r = {.options = o};
	int status = EXIT_USAGE;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (!open_run(&r))
		status = (int)(o->watch_ns ? run_again(&r) : run_once(&r));
	snapshot_bpf_close(r.bpf);
	snapshot_free(r.snapshot);
	holders_free(r.holders);
	free(r.rows);
	return status;
}

/* Completes the options that depend on others. */
static bool complete(struct options *o)
{
	const char *no_colour = getenv("NO_COLOR");
	__u64 pids[2];

	o->colour = !o->json && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	o->wanted.filter = &o->filter;
	o->wanted.by_descriptor = o->fd >= 0;
	o->wanted.fd = (__u32)o->fd;
	if (o->fd < 0)
		return true;
	if (filter_numbers(&o->filter, FILTER_PID, pids, 2) != 1) {
		fprintf(stderr, "lostpeer check: --fd: needs one --pid, whose descriptor it is\n");
		return false;
	}
	o->wanted.pid = (__u32)pids[0];
	return true;
}

int check_main(int argc, char **argv)
{
	struct options o = {.alive_within_ns = ALIVE_WITHIN_NS, .fd = -1};
	int rest, status = EXIT_USAGE;

	filter_init(&o.filter);
	switch (options_parse(&table, argc, argv, &o, &rest)) {
	case OPTIONS_HELPED:
		status = EXIT_OK;
		break;
	case OPTIONS_WRONG:
		break;
	default:
		if (rest < argc)
			fprintf(stderr, "lostpeer check: %s: takes no arguments; see lostpeer check --help\n",
				argv[rest]);
		else if (complete(&o))
			status = run(&o);
	}
	filter_free(&o.filter);
	return status;
}
