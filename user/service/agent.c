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
#include "outputs/feed.h"
#include "outputs/health.h"
#include "service/losses.h"
#include "service/pipeline.h"
#include "service/privilege.h"
#include "service/systemd.h"
#include "who/cgroups.h"

#define LINGER_NS (1 * CLOCK_MS)     /* after something came: look again without being woken (bpf/emit.h) */
#define LAST_LOOK_NS (50 * CLOCK_MS) /* after going to sleep: for what was on its way then */
#define SWEEP_NS (50 * CLOCK_MS)     /* orderly ends do not wake anybody */

struct agent {
	struct kernel *kernel;
	struct cgroups *cgroups;
	struct feeds *feeds;
	struct pipeline *pipeline;
	struct losses losses;
	struct health_desk *health;
	struct agent_options options;
	char host[256];
	unsigned connections, processes;

	struct loop *loop;
	int timer, end_timer, reader_gone, audience; /* of the loop */
	bool stop;
	bool sweep;    /* somebody wants what does not wake us */
	bool came;     /* in this drain */
	bool asleep;   /* the kernel wakes us */
	__u64 look_ns; /* CLOCK_MONOTONIC: then it is looked all the same; 0: never */
	pid_t child;
	int *status;
	__u64 drained_ns; /* CLOCK_MONOTONIC */
};

/* Enough was shown. A command is waited for, all the same. */
static void end(void *context)
{
	struct agent *a = context;

	pipeline_mute(a->pipeline);
	a->stop = !a->child;
}

static void set_asleep(struct agent *a, bool asleep)
{
	if (a->asleep != asleep)
		kernel_wake_me(a->kernel, asleep);
	a->asleep = asleep;
}

/* More may follow: it is looked for in a millisecond, and need not wake us. */
static void note_arrival(struct agent *a)
{
	a->came = true;
	set_asleep(a, false);
}

static void on_record(void *context, const struct lp_record *record)
{
	struct agent *a = context;

	note_arrival(a);
	pipeline_take(a->pipeline, record);
}

static void tell_losses(struct agent *a)
{
	losses_tell(&a->losses, a->kernel, a->pipeline, a->feeds, a->drained_ns);
}

/* --- the loop --- */

static void arm(struct agent *a)
{
	__u64 now = clock_monotonic_ns(), at = pipeline_deadline(a->pipeline);

	at = clock_earlier(at, feeds_deadline(a->feeds));
	at = clock_earlier(at, systemd_deadline());
	at = clock_earlier(at, a->look_ns);
	if (a->sweep && (!at || at > now + SWEEP_NS))
		at = now + SWEEP_NS;
	loop_set_timer(a->timer, at && at < now + CLOCK_MS / 10 ? now + CLOCK_MS / 10 : at);
}

static void look_again(struct agent *a, bool falls_asleep)
{
	if (a->came)
		a->look_ns = a->drained_ns + LINGER_NS;
	else if (falls_asleep)
		a->look_ns = a->drained_ns + LAST_LOOK_NS;
	else if (a->look_ns <= a->drained_ns)
		a->look_ns = 0;
}

/* What comes meanwhile is left to the next drain, a millisecond later: many at once cost less each (executables.h). So
 * what has not come is judged as of the beginning. If nothing has, we are asleep, and said so before we looked. */
static void drain(struct agent *a, bool woken)
{
	__u64 began = clock_monotonic_ns();
	bool falls_asleep = !woken && !a->asleep;

	a->came = false;
	if (woken)
		note_arrival(a);
	else
		set_asleep(a, true);
	kernel_consume(a->kernel, began);
	pipeline_tick(a->pipeline, began);
	feeds_tick(a->feeds, clock_monotonic_ns());
	systemd_tick(clock_monotonic_ns());
	if (a->came)
		tell_losses(a);
	privilege_report();
	a->drained_ns = clock_monotonic_ns();
	look_again(a, falls_asleep);
	arm(a);
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
		/* the terminal has sent SIGINT to the command as well; its end is ours */
		if (signal != SIGINT)
			kill(a->child, (int)signal);
	} else if (signal == SIGHUP && a->options.on_hangup) {
		a->options.on_hangup(a->options.context, a);
	} else {
		a->stop = true;
	}
}

static struct feeds_flow flow(const struct agent *a)
{
	__u64 stats[LP_STAT_COUNT];

	kernel_stats(a->kernel, stats);
	return (struct feeds_flow){.emitted = stats[LP_STAT_EMITTED] + pipeline_found(a->pipeline),
				   .ring_full = stats[LP_STAT_LOST] + pipeline_lost(a->pipeline)};
}

static void fill_health(void *context, struct health *health)
{
	struct agent *a = context;
	struct feeds_flow now = flow(a);

	health->n_outputs = (unsigned)feeds_count(a->feeds);
	for (size_t i = 0; i < health->n_outputs; i++) {
		strcpy(health->outputs[i].title, feeds_title(a->feeds, i));
		health->outputs[i].ledger = feeds_ledger(a->feeds, i, &now);
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

/* What the feeds want changes what wakes us, too. */
static int want(struct agent *a)
{
	static struct uid_wants uids[FEEDS_UIDS_MAX]; /* 64 KiB: not for the stack */
	struct lp_wants wants;
	__u32 classes;
	size_t n;

	feeds_ask(a->feeds);
	wants = feeds_wants(a->feeds);
	n = feeds_uid_wants(a->feeds, uids);
	wants.classes = classes = early_classes(wants.classes, &a->options.early);
	for (size_t i = 0; i < n; i++)
		classes |= uids[i].classes = early_classes(uids[i].classes, &a->options.early);
	a->sweep = (classes & LP_CLASSES_ORDERLY) != 0;
	kernel_want(a->kernel, wants, uids, n);
	if (pipeline_want(a->pipeline, classes))
		return -ENOMEM;
	feeds_confirm(a->feeds, clock_realtime_ns());
	return 0;
}

/* Of an output, in whatever thread. */
static void audience_changed(void *agent)
{
	loop_wake(((struct agent *)agent)->audience);
}

static void on_audience(void *agent, unsigned unused)
{
	(void)unused;
	want(agent);
	arm(agent);
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
	int err = 0;

	a->child = child;
	a->status = status;
	if (a->options.most_ns)
		loop_set_timer(a->end_timer, clock_monotonic_ns() + a->options.most_ns);
	if (child)
		reap(a); /* its SIGCHLD may have come before the signalfd */
	arm(a);
	while (!a->stop && !err) {
		feeds_wake(a->feeds);
		err = loop_turn(a->loop);
	}
	return err;
}

/* --- beginning and end --- */

static int open_loop(struct agent *a)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0};
	int err = 0;

	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write() */
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

static int open_feeds(struct agent *a)
{
	struct feeds_context context = {
		.format = {.host = a->host, .reset_reason = reset_reason, .kernel = a->kernel},
		.agent = {.agent = a, .health = ask_health, .audience_changed = audience_changed},
		.reader_gone_fd = a->options.ends_without_reader ? a->reader_gone : -1,
		.full = end,
	};

	a->feeds = feeds_new(&context);
	a->health = health_new(a->loop, fill_health, a);
	return a->feeds && a->health ? 0 : -ENOMEM;
}

int agent_change(struct agent *a, struct feed_settings **feeds, size_t n)
{
	struct feeds_flow now = flow(a);
	int err = feeds_change(a->feeds, feeds, n, &now);

	if (err)
		return err;
	feeds_reopen(a->feeds);
	err = feeds_start(a->feeds);
	err = want(a) ?: err;
	arm(a);
	return err;
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
	struct pipeline_parts parts = {
		.kernel = a->kernel,
		.cgroups = a->cgroups,
		.feeds = a->feeds,
		.early = a->options.early,
		.follow = a->options.follow,
	};
	int err;

	a->pipeline = pipeline_new(&parts);
	if (!a->pipeline)
		return -ENOMEM;
	kernel_on_record(a->kernel, on_record, a);
	err = open_files_seed(a->kernel, &a->connections, &a->processes);
	if (err)
		return err;
	a->drained_ns = clock_monotonic_ns();
	set_asleep(a, true);
	/* what a drain leaves in the ring waits for the next wake-up, or the timer */
	return loop_add(a->loop, kernel_ring_fd(a->kernel), EPOLLIN | EPOLLET, on_ring, a);
}

int agent_open(struct agent **agent, const struct agent_options *options, struct feed_settings **feeds, size_t n)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct feeds_flow now;
	int err = -ENOMEM;

	if (!a)
		goto out;
	a->options = *options;
	gethostname(a->host, sizeof(a->host) - 1);
	if ((err = open_loop(a)) || (err = open_kernel(a)) || (err = open_feeds(a)) || (err = open_pipeline(a)) ||
	    (options->rights == RIGHTS_DROPPED_FIRST && (err = privilege_drop(true))))
		goto out;
	now = flow(a);
	err = feeds_change(a->feeds, feeds, n, &now);
	if (!err && options->rights == RIGHTS_DROPPED_LAST)
		err = privilege_drop(false);
	if (!err)
		err = feeds_start(a->feeds);
	if (!err)
		err = want(a);
	if (err) {
		agent_close(a);
		return err;
	}
	*agent = a;
	return 0;
out:
	for (size_t i = 0; i < n; i++)
		feed_settings_free(feeds[i]);
	if (a)
		agent_close(a);
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
	kernel_detach(a->kernel);
	kernel_consume(a->kernel, UINT64_MAX);
	pipeline_finish(a->pipeline);
	feeds_finish(a->feeds);
	a->losses.missed_checked_ns = 0;
	tell_losses(a);
	feeds_flush(a->feeds);
	privilege_report();
}

size_t agent_feeds(const struct agent *a)
{
	return feeds_count(a->feeds);
}

const char *agent_title(const struct agent *a, size_t feed)
{
	return feeds_title(a->feeds, feed);
}

struct ledger agent_ledger(const struct agent *a, size_t feed)
{
	struct feeds_flow now = flow(a);

	return feeds_ledger(a->feeds, feed, &now);
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
