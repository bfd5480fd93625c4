/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
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

enum source {
	SOURCE_RING,
	SOURCE_TIMER,
	SOURCE_SIGNAL,
	SOURCE_END,
	SOURCE_READER_GONE,
	SOURCE_HEALTH,
	SOURCE_AUDIENCE
};

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

	int epoll, timer, signals, end_timer, reader_gone, audience;
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
	losses_tell(&a->losses, a->kernel, pipeline_early(a->pipeline), a->feeds, a->drained_ns);
}

/* --- the loop --- */

static void arm(struct agent *a)
{
	__u64 now = clock_monotonic_ns(), at = pipeline_deadline(a->pipeline);
	struct itimerspec when = {{0}, {0}};

	at = clock_earlier(at, feeds_deadline(a->feeds));
	at = clock_earlier(at, systemd_deadline());
	at = clock_earlier(at, a->look_ns);
	if (a->sweep && (!at || at > now + SWEEP_NS))
		at = now + SWEEP_NS;
	if (at)
		when.it_value = clock_timespec(at > now + CLOCK_MS / 10 ? at : now + CLOCK_MS / 10);
	timerfd_settime(a->timer, TFD_TIMER_ABSTIME, &when, NULL);
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

static void on_signal(struct agent *a)
{
	struct signalfd_siginfo info;

	if (read(a->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap(a);
	} else if (a->child) {
		/* the terminal has sent SIGINT to the command as well; its end is ours */
		if (info.ssi_signo != SIGINT)
			kill(a->child, (int)info.ssi_signo);
	} else if (info.ssi_signo == SIGHUP && a->options.on_hangup) {
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
				   .ring_full = stats[LP_STAT_LOST]};
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
	struct agent *a = agent;
	__u64 one = 1;

	if (write(a->audience, &one, sizeof(one)) < 0)
		perror("lostpeer: eventfd");
}

static void on_source(struct agent *a, enum source source)
{
	__u64 ticks;

	switch (source) {
	case SOURCE_AUDIENCE:
		if (read(a->audience, &ticks, sizeof(ticks)) == sizeof(ticks)) {
			want(a);
			arm(a);
		}
		break;
	case SOURCE_RING:
		drain(a, true);
		break;
	case SOURCE_TIMER:
		if (read(a->timer, &ticks, sizeof(ticks)) == sizeof(ticks))
			drain(a, false);
		break;
	case SOURCE_SIGNAL:
		on_signal(a);
		break;
	case SOURCE_END:
		if (read(a->end_timer, &ticks, sizeof(ticks)) == sizeof(ticks))
			end(a);
		break;
	case SOURCE_READER_GONE:
		if (read(a->reader_gone, &ticks, sizeof(ticks)) == sizeof(ticks))
			end(a);
		break;
	case SOURCE_HEALTH:
		health_answer(a->health, fill_health, a);
		break;
	}
}

int agent_run(struct agent *a, pid_t child, int *status)
{
	struct itimerspec after = {.it_value = clock_timespec(a->options.most_ns)};
	struct epoll_event ready[8];
	int n;

	a->child = child;
	a->status = status;
	timerfd_settime(a->end_timer, 0, &after, NULL);
	if (child)
		reap(a); /* its SIGCHLD may have come before the signalfd */
	arm(a);
	while (!a->stop) {
		feeds_wake(a->feeds);
		n = epoll_wait(a->epoll, ready, 8, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			on_source(a, (enum source)ready[i].data.u32);
	}
	return 0;
}

/* --- beginning and end --- */

static int watch_fd(struct agent *a, int fd, enum source source)
{
	/* what a drain leaves in the ring waits for the next wake-up, or the timer */
	struct epoll_event event = {.events = EPOLLIN | (source == SOURCE_RING ? EPOLLET : 0), .data.u32 = source};

	if (fd < 0 || epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	return 0;
}

static int open_loop(struct agent *a)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write() */
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	a->end_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	a->reader_gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	a->audience = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if ((err = watch_fd(a, a->timer, SOURCE_TIMER)) || (err = watch_fd(a, a->end_timer, SOURCE_END)) ||
	    (err = watch_fd(a, a->signals, SOURCE_SIGNAL)) || (err = watch_fd(a, a->reader_gone, SOURCE_READER_GONE)) ||
	    (err = watch_fd(a, a->audience, SOURCE_AUDIENCE)))
		fprintf(stderr, "lostpeer: cannot set up the event loop: %s\n", strerror(-err));
	return err;
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
	a->health = health_new();
	return a->feeds && a->health ? watch_fd(a, health_fd(a->health), SOURCE_HEALTH) : -ENOMEM;
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
	return watch_fd(a, kernel_ring_fd(a->kernel), SOURCE_RING);
}

int agent_open(struct agent **agent, const struct agent_options *options, struct feed_settings **feeds, size_t n)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct feeds_flow now;
	int err = -ENOMEM;

	if (!a)
		goto out;
	a->options = *options;
	a->epoll = a->timer = a->signals = a->end_timer = a->reader_gone = a->audience = -1;
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
	int fds[] = {a->epoll, a->timer, a->signals, a->end_timer, a->reader_gone, a->audience};

	if (a->health)
		health_close(a->health);
	feeds_free(a->feeds);
	health_free(a->health);
	pipeline_free(a->pipeline);
	kernel_close(a->kernel);
	cgroups_free(a->cgroups);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(a);
}
