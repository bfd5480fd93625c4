/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/say.h"
#include "kernel/open_files.h"
#include "kernel/sockets.h"
#include "outputs/feed.h"
#include "outputs/health.h"
#include "service/losses.h"
#include "service/pipeline.h"
#include "service/privilege.h"
#include "service/systemd.h"
#include "service/wakeups.h"
#include "who/cgroups.h"

struct agent {
	struct kernel *kernel;
	struct cgroups *cgroups;
	struct feeds *feeds;
	struct pipeline *pipeline;
	struct losses losses;
	struct wakeups wakeups;
	struct health_desk *health;
	struct agent_options options;
	char host[256];
	unsigned connections, processes;

	struct loop *loop;
	int timer, end_timer, reader_gone, audience; /* of the loop */
	bool stop;
	pid_t child;
	int *status;
};

/* Shows nothing more. With a command, the agent waits for its end. */
static void end(void *context)
{
	struct agent *a = context;

	pipeline_mute(a->pipeline);
	a->stop = !a->child;
}

static void on_record(void *context, const struct lp_record *record)
{
	struct agent *a = context;

	wakeups_note_record(&a->wakeups);
	pipeline_take(a->pipeline, record);
}

/* --- the loop --- */

/* Records that come meanwhile wait for the next drain, a millisecond later: many at once cost less each
 * (executables.h). So only records from before the beginning count in this drain. */
static void drain(struct agent *a, bool woken)
{
	__u64 began = clock_monotonic_ns();

	wakeups_begin(&a->wakeups, woken);
	kernel_consume(a->kernel, began);
	pipeline_tick(a->pipeline, began);
	feeds_tick(a->feeds, clock_monotonic_ns());
	systemd_tick(clock_monotonic_ns());
	if (a->wakeups.came)
		losses_tell(&a->losses, a->kernel, a->pipeline, a->feeds, a->wakeups.drained_ns);
	privilege_report();
	wakeups_end(&a->wakeups);
}

static void reap(struct agent *a)
{
	if (a->child && waitpid(a->child, a->status, WNOHANG) == a->child) {
		a->child = 0;
		a->stop = true;
	}
}

static void on_signal(void *context, unsigned signal)
{
	struct agent *a = context;

	if (signal == SIGCHLD) {
		reap(a);
	} else if (a->child) {
		/* the terminal sends SIGINT to the command as well, and the agent ends with it */
		if (signal != SIGINT)
			kill(a->child, (int)signal);
	} else if (signal == SIGHUP && a->options.on_hangup) {
		a->options.on_hangup(a->options.context, a);
	} else {
		a->stop = true;
	}
}

static void fill_health(void *context, struct health *health)
{
	struct agent *a = context;

	health->n_outputs = (unsigned)feeds_count(a->feeds);
	for (size_t i = 0; i < health->n_outputs; i++) {
		strcpy(health->outputs[i].title, feeds_title(a->feeds, i));
		health->outputs[i].ledger = agent_ledger(a, i);
	}
	health->state_full = a->losses.state_full;
	health->program_missed = a->losses.program_missed;
	kernel_ring_use(a->kernel, &health->ring_bytes, &health->ring_used);
	early_count(pipeline_early(a->pipeline), &health->silent_connections, &health->ignored_closes);
	kernel_cost(a->kernel, &health->bpf_runs, &health->bpf_ns);
}

static bool ask_health(void *agent, struct health *health, const bool *given_up)
{
	return health_ask(((struct agent *)agent)->health, health, given_up);
}

/* The wanted classes also decide which records wake the agent. */
static int want(struct agent *a)
{
	__u32 classes;
	int err = pipeline_want(a->pipeline, &classes);

	a->wakeups.sweeps = (classes & LP_CLASSES_ORDERLY) != 0;
	return err;
}

/* An output calls it, from any thread. */
static void audience_changed(void *agent)
{
	loop_wake(((struct agent *)agent)->audience);
}

static void on_audience(void *agent, unsigned unused)
{
	(void)unused;
	want(agent);
}

static void on_ring(void *agent, unsigned unused)
{
	(void)unused;
	drain(agent, true);
}

static void on_timer(void *agent, unsigned unused)
{
	(void)unused;
	drain(agent, false);
}

static void on_end(void *agent, unsigned unused)
{
	(void)unused;
	end(agent);
}

int agent_run(struct agent *a, pid_t child, int *status)
{
	__u64 at;
	int err = 0;

	a->child = child;
	a->status = status;
	if (a->options.most_ns)
		loop_set_timer(a->end_timer, clock_monotonic_ns() + a->options.most_ns);
	if (child)
		reap(a); /* its SIGCHLD may have come before the signals were watched */
	while (!a->stop && !err) {
		feeds_wake(a->feeds);
		at = clock_earlier(pipeline_deadline(a->pipeline), feeds_deadline(a->feeds));
		wakeups_arm(&a->wakeups, a->timer, clock_earlier(at, systemd_deadline()));
		err = loop_turn(a->loop);
	}
	return err;
}

/* --- beginning and end --- */

static int open_loop(struct agent *a)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0};
	int err = 0;

	signal(SIGPIPE, SIG_IGN); /* write() reports a reader that left */
	a->loop = loop_new();
	if (!a->loop)
		err = -errno;
	if (err || (err = a->timer = loop_add_timer(a->loop, on_timer, a)) < 0 ||
	    (err = a->end_timer = loop_add_timer(a->loop, on_end, a)) < 0 ||
	    (err = loop_add_signals(a->loop, signals, on_signal, a)) < 0 ||
	    (err = a->reader_gone = loop_add_event(a->loop, on_end, a)) < 0 ||
	    (err = a->audience = loop_add_event(a->loop, on_audience, a)) < 0)
		return say(err, "cannot set up the event loop: %s", strerror(-err));
	return 0;
}

static const char *reset_reason(void *kernel, __u32 reason)
{
	return kernel_reset_reason(kernel, reason);
}

int agent_change(struct agent *a, struct feed_settings **feeds, size_t n)
{
	struct feeds_flow now = pipeline_flow(a->pipeline);
	int err = feeds_change(a->feeds, feeds, n, &now);

	if (err)
		return err;
	feeds_reopen(a->feeds);
	err = feeds_start(a->feeds);
	return want(a) ?: err;
}

void agent_reopen(struct agent *a)
{
	feeds_reopen(a->feeds);
}

static int open_kernel(struct agent *a)
{
	struct kernel_options options = a->options.kernel;

	a->cgroups = cgroups_new();
	if (!a->cgroups)
		return -ENOMEM;
	options.cgroup_hierarchy = cgroups_hierarchy(a->cgroups);
	return kernel_open(&a->kernel, &options);
}

static int open_pipeline(struct agent *a)
{
	struct feeds_context context = {
		.format = {.host = a->host, .reset_reason = reset_reason, .kernel = a->kernel},
		.agent = {.agent = a, .health = ask_health, .audience_changed = audience_changed},
		.reader_gone_fd = a->options.ends_without_reader ? a->reader_gone : -1,
		.full = end,
	};
	struct pipeline_parts parts = {
		.kernel = a->kernel,
		.cgroups = a->cgroups,
		.early = a->options.early,
		.follow = a->options.follow,
	};

	a->health = health_new(a->loop, fill_health, a);
	parts.feeds = a->feeds = feeds_new(&context);
	a->pipeline = a->feeds ? pipeline_new(&parts) : NULL;
	if (!a->health || !a->pipeline)
		return -ENOMEM;
	kernel_on_record(a->kernel, on_record, a);
	return 0;
}

static int open_all(struct agent *a, const struct agent_options *options)
{
	int err;

	a->options = *options;
	gethostname(a->host, sizeof(a->host) - 1);
	if ((err = open_loop(a)) || (err = open_kernel(a)) || (err = open_pipeline(a)) ||
	    (err = open_files_seed(a->kernel, &a->connections, &a->processes)))
		return err;
	wakeups_start(&a->wakeups, a->kernel);
	/* EPOLLET: records that a drain leaves in the ring wait for the next wake-up, or the timer */
	err = loop_add(a->loop, kernel_ring_fd(a->kernel), EPOLLIN | EPOLLET, on_ring, a);
	return err ?: options->rights == RIGHTS_DROPPED_FIRST ? privilege_drop(true) : 0;
}

static int open_feeds(struct agent *a, struct feed_settings **feeds, size_t n)
{
	struct feeds_flow now = pipeline_flow(a->pipeline);
	int err = feeds_change(a->feeds, feeds, n, &now);

	if (!err && a->options.rights == RIGHTS_DROPPED_LAST)
		err = privilege_drop(false);
	return err ?: feeds_start(a->feeds) ?: want(a);
}

int agent_open(struct agent **agent, const struct agent_options *options, struct feed_settings **feeds, size_t n)
{
	struct agent *a = calloc(1, sizeof(*a));
	int err = a ? open_all(a, options) : -ENOMEM;

	for (size_t i = 0; err && i < n; i++)
		feed_settings_free(feeds[i]);
	if (!err)
		err = open_feeds(a, feeds, n);
	if (err && a)
		agent_close(a);
	else
		*agent = a;
	return err;
}

void agent_watches(const struct agent *a, unsigned *connections, unsigned *processes)
{
	*connections = a->connections;
	*processes = a->processes;
}

void agent_finish(struct agent *a)
{
	health_close(a->health);
	a->losses.left_unseen = sockets_unseen(a->kernel, &a->losses.left_unseen_since_ns);
	kernel_detach(a->kernel);
	kernel_drain(a->kernel);
	pipeline_finish(a->pipeline);
	feeds_finish(a->feeds);
	a->losses.missed_checked_ns = 0;
	losses_tell(&a->losses, a->kernel, a->pipeline, a->feeds, a->wakeups.drained_ns);
	feeds_flush(a->feeds);
	privilege_report();
}

struct ledger agent_ledger(const struct agent *a, size_t feed)
{
	struct feeds_flow now = pipeline_flow(a->pipeline);

	return feeds_ledger(a->feeds, feed, &now);
}

void agent_say_ledgers(const struct agent *a)
{
	for (size_t i = 0; i < feeds_count(a->feeds); i++)
		ledger_say(feeds_title(a->feeds, i), agent_ledger(a, i));
}

void agent_close(struct agent *a)
{
	if (a->health)
		health_close(a->health);
	feeds_free(a->feeds);
	health_free(a->health);
	pipeline_free(a->pipeline);
	kernel_close(a->kernel);
	cgroups_free(a->cgroups);
	loop_free(a->loop);
	free(a);
}
