/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service/agent.h"

#include <errno.h>
#include <netinet/tcp.h>
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

#include "who/cgroups.h"
#include "base/clock.h"
#include "who/other_end.h"
#include "who/executables.h"
#include "outputs/feed.h"
#include "who/recently_closed.h"
#include "outputs/health.h"
#include "service/systemd.h"
#include "who/pending.h"
#include "service/privilege.h"
#include "early/early.h"
#include "kernel/open_files.h"
#include "kernel/remembered.h"

#define LINGER_NS (1 * CLOCK_MS)     /* after something came: look again without being woken (bpf/emit.h) */
#define LAST_LOOK_NS (50 * CLOCK_MS) /* after going to sleep: for what was on its way then */
#define SWEEP_NS (50 * CLOCK_MS)     /* orderly ends do not wake anybody */
#define MISSED_INTERVAL_NS CLOCK_SECOND
#define STRAYS_MAX 10

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
	struct executables *executables;
	struct pending_list *pending;
	struct other_ends *ends;
	struct recently_closed *recently_closed;
	struct early *early;
	struct feeds *feeds;
	struct health_desk *health;
	struct agent_options options;
	struct cause_kernel cause_kernel;
	struct event event; /* the one being told */
	struct place place; /* of that */
	char host[256];
	unsigned connections, processes;

	int epoll, timer, signals, end_timer, reader_gone, audience;
	bool stop;
	bool muted;    /* shows nothing more */
	bool sweep;    /* somebody wants what does not wake us */
	bool came;     /* in this drain */
	bool asleep;   /* the kernel wakes us */
	__u64 look_ns; /* CLOCK_MONOTONIC: then it is looked all the same; 0: never */
	pid_t child;
	int *status;

	__u64 strays_since_ns; /* CLOCK_MONOTONIC */
	unsigned strays;       /* told since then, of which nothing was remembered */
	__u64 found;           /* events that were looked for */
	__u64 seen_lost, seen_state_full, seen_missed;
	__u64 drained_ns, missed_checked_ns; /* CLOCK_MONOTONIC */
};

/* --- the way of a record --- */

/* Enough was shown. A command is waited for, all the same. */
static void end(void *context)
{
	struct agent *a = context;

	a->muted = true;
	a->stop = !a->child;
}

/* How many events it is. */
static __u64 stands_for(const struct lp_record *record)
{
	return record->kind == LP_KIND_QUEUE_FULL ? record->socket.dropped : 1;
}

static void filter_out(struct agent *a, const struct lp_record *record)
{
	feeds_filter_out(a->feeds, stands_for(record));
}

/* Whether that much of an event is wanted as is known by now; fills a->event. */
static bool judge(struct agent *a, const struct lp_record *record, bool reset_after)
{
	struct verdict verdict = cause_judge(record, reset_after, &a->cause_kernel);

	if (!verdict.cause)
		return false;
	event_from_record(&a->event, record, verdict, clock_wall_from_monotonic(record->time_ns));
	return feeds_accept(a->feeds, &a->event);
}

static bool follows(const struct agent *a, const struct owner *owner)
{
	return owner->via && remembered_follows(a->kernel, owner->process.tgid, owner->process.start_boot_ns);
}

/* The last test, and out: a->event is whole but for its place. */
static void tell(struct agent *a)
{
	struct event *e = &a->event;
	const struct owner *owner = &e->owner;

	if (owner->via) {
		cgroups_find(a->cgroups, a->kernel, &owner->process, e->record->time_ns, &a->place);
		e->place = &a->place;
	}
	if (e->repeat.count) /* it is a record of several by itself */
		e->repeat.processes = owner->via != VIA_NONE;
	if (a->muted || (a->options.follow && !follows(a, owner)))
		filter_out(a, e->record);
	else
		feeds_put(a->feeds, e, clock_monotonic_ns());
}

static void on_ends(void *context, const struct other_end_event *told)
{
	struct agent *a = context;
	struct event *e = &a->event;

	judge(a, told->record, told->reset_after);
	e->owner = *told->owner;
	e->peer = told->peer;
	e->executable = told->executable;
	tell(a);
}

/* For what may still be said to it when it is gone. */
static void note_end(struct agent *a, const struct lp_record *record, bool reset_after, const struct lp_task *owner)
{
	if (record->kind == LP_KIND_CLOSE)
		recently_closed_note(a->recently_closed, record,
				     cause_judge(record, reset_after, &a->cause_kernel).cause, owner);
}

static void pass_on(struct agent *a, const struct lp_record *record, bool reset_after, const struct owner *owner)
{
	struct other_end_event event = {record, reset_after, owner, "", {0}};

	other_end_note(a->ends, record, owner);
	if (record->kind == LP_KIND_END)
		return;
	note_end(a, record, reset_after, owner->via ? &owner->process : NULL);
	if (!judge(a, record, reset_after)) {
		filter_out(a, record);
		return;
	}
	if (owner->via) /* now: it may be gone soon */
		event.executable = executables_find(a->executables, &owner->process, record->time_ns);
	other_end_add(a->ends, &event);
}

static void on_owner(void *context, const struct lp_record *record, bool reset_after, const struct owner *owner)
{
	struct agent *a = context;

	if (record->kind == LP_KIND_IGNORED) /* as on_ask_ignored() asked */
		early_note(a->early, record, owner);
	else
		pass_on(a, record, reset_after, owner);
}

/* Anybody can send data for what never was; of what nothing is remembered, so many are told in a second. */
static bool may_tell_unknown(struct agent *a, const struct lp_record *stray, const struct recently_closed_end *ended)
{
	if (ended->time_ns)
		return true;
	if (stray->time_ns - a->strays_since_ns >= CLOCK_SECOND) {
		a->strays_since_ns = stray->time_ns;
		a->strays = 0;
	}
	return a->strays++ < STRAYS_MAX;
}

static void on_stray(void *context, const struct lp_record *stray, const struct recently_closed_end *ended)
{
	struct agent *a = context;
	struct lp_record record = *stray;
	struct event *e = &a->event;

	record.socket.flags |= ended->flags;
	if (record.socket.state == TCP_LISTEN) /* who listens now is not who had it */
		record.socket.state = TCP_CLOSE;
	record.socket.cookie = ended->cookie;
	if (!recently_closed_is_news(stray, ended) || !may_tell_unknown(a, stray, ended) || !judge(a, &record, false)) {
		filter_out(a, &record);
		return;
	}
	if (ended->time_ns)
		e->ended = (struct ended){clock_wall_from_monotonic(ended->time_ns), ended->cause};
	e->owner.unknown = UNKNOWN_SOCKET_GONE;
	if (ended->owner.tgid) {
		e->owner = (struct owner){.via = VIA_CLOSER, .process = ended->owner};
		e->executable = executables_find(a->executables, &ended->owner, stray->time_ns);
	}
	tell(a);
}

static void on_ask(void *context, const struct lp_record *record)
{
	struct agent *a = context;

	pending_add(a->pending, record);
}

static bool proves_owner(const struct lp_record *record)
{
	return record->who == LP_WHO_CURRENT || record->who == LP_WHO_CLOSER;
}

/* What is not told may still be the other end of what is: who was at work on it is who held it. */
static void note_silently(struct agent *a, const struct lp_record *record)
{
	struct owner owner = {.via = VIA_HOLDER, .process = record->task};

	if (proves_owner(record))
		other_end_note(a->ends, record, &owner);
}

/* What its verdict already keeps out need not look for an owner. */
static bool is_out(struct agent *a, const struct lp_record *record)
{
	struct verdict verdict;

	if (cause_waits_for_reset(record))
		return false;
	verdict = cause_judge(record, false, &a->cause_kernel);
	if (!verdict.cause)
		return true;
	event_from_record(&a->event, record, verdict, 0);
	return !feeds_accept(a->feeds, &a->event);
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
	if (record->kind == LP_KIND_RESET_SENT || record->kind == LP_KIND_OWNER) {
		pending_join(a->pending, record);
		return;
	}
	if (record->kind == LP_KIND_STRAY) {
		recently_closed_add(a->recently_closed, record);
		return;
	}
	if (!cause_waits_for_reset(record))
		note_end(a, record, false, proves_owner(record) ? &record->task : NULL);
	if (is_out(a, record)) {
		pending_join(a->pending, record); /* it may prove the owner of what waits */
		note_silently(a, record);
		filter_out(a, record);
	} else {
		other_end_expect(a->ends, record);
		pending_add(a->pending, record);
	}
}

/* --- what was looked for --- */

static void on_found(void *context, const struct lp_record *record)
{
	struct agent *a = context;

	a->found += stands_for(record);
	if (is_out(a, record)) {
		filter_out(a, record);
		return;
	}
	other_end_expect(a->ends, record);
	pending_add(a->pending, record);
}

static bool on_ask_ignored(void *context, const struct lp_record *record)
{
	struct agent *a = context;

	if (is_out(a, record))
		return false;
	pending_add(a->pending, record);
	return true;
}

static void on_ignored(void *context, const struct lp_record *record, const struct owner *owner)
{
	struct agent *a = context;

	a->found++;
	pass_on(a, record, false, owner);
}

/* --- what was lost on the way --- */

/* So many at that place by now, so many told before. */
static void tell_loss(struct agent *a, enum lp_cause place, __u64 *seen, __u64 now)
{
	__u64 first = a->drained_ns ? a->drained_ns : clock_monotonic_ns();
	struct loss loss = {
		.count = now - *seen,
		.first_ns = clock_wall_from_monotonic(first),
		.last_ns = clock_realtime_ns(),
	};

	if (now <= *seen)
		return;
	*seen = now;
	event_from_loss(&a->event, place, loss);
	feeds_gap(a->feeds, &a->event);
}

static void tell_losses(struct agent *a, __u64 now_ns)
{
	__u64 stats[LP_STAT_COUNT], missed;

	kernel_stats(a->kernel, stats);
	tell_loss(a, EVENTS_LOST_RING_FULL, &a->seen_lost, stats[LP_STAT_LOST] + stats[LP_STAT_JOIN_LOST]);
	tell_loss(a, EVENTS_LOST_STATE_FULL, &a->seen_state_full, stats[LP_STAT_STATE_FULL] + early_lost(a->early));
	if (now_ns - a->missed_checked_ns < MISSED_INTERVAL_NS)
		return;
	a->missed_checked_ns = now_ns;
	missed = kernel_missed(a->kernel);
	if (missed)
		kernel_take_missed(a->kernel);
	tell_loss(a, EVENTS_LOST_PROGRAM_MISSED, &a->seen_missed, missed);
}

/* --- the loop --- */

/* Of two times, of which 0 is none. */
static void arm(struct agent *a)
{
	__u64 now = clock_monotonic_ns(), at = pending_deadline(a->pending);
	struct itimerspec when = {{0}, {0}};

	at = clock_earlier(at, other_end_deadline(a->ends));
	at = clock_earlier(at, recently_closed_deadline(a->recently_closed));
	at = clock_earlier(at, early_deadline(a->early));
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
	pending_tick(a->pending, began);
	early_tick(a->early, clock_monotonic_ns());
	other_end_tick(a->ends, began);
	recently_closed_tick(a->recently_closed, began);
	feeds_tick(a->feeds, clock_monotonic_ns());
	systemd_tick(clock_monotonic_ns());
	if (a->came)
		tell_losses(a, clock_monotonic_ns());
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
	return (struct feeds_flow){.emitted = stats[LP_STAT_EMITTED] + a->found, .ring_full = stats[LP_STAT_LOST]};
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
	health->state_full = a->seen_state_full;
	health->program_missed = a->seen_missed;
	kernel_ring_use(a->kernel, &health->ring_bytes, &health->ring_used);
	early_count(a->early, &health->silent_connections, &health->ignored_closes);
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
	struct early_calls calls = {on_found, on_ask_ignored, on_ignored, a};
	struct lp_wants wants;
	__u32 classes;
	size_t n;
	int err = 0;

	feeds_ask(a->feeds);
	wants = feeds_wants(a->feeds);
	n = feeds_uid_wants(a->feeds, uids);
	wants.classes = classes = early_classes(wants.classes, &a->options.early);
	for (size_t i = 0; i < n; i++)
		classes |= uids[i].classes = early_classes(uids[i].classes, &a->options.early);
	a->sweep = (classes & LP_CLASSES_ORDERLY) != 0;
	kernel_want(a->kernel, wants, uids, n);
	if (a->early)
		err = early_want(a->early, classes);
	else
		a->early = early_new(a->kernel, classes, &a->options.early, &calls);
	if (err || !a->early)
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
	if (a->early)
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
	int err;

	a->cgroups = cgroups_new();
	a->executables = executables_new();
	if (!a->cgroups || !a->executables)
		return -ENOMEM;
	options.cgroup_hierarchy = cgroups_hierarchy(a->cgroups);
	err = kernel_open(&a->kernel, &options);
	if (err)
		return err;
	a->cause_kernel.error_report = kernel_features(a->kernel)->error_report;
	a->cause_kernel.send_reset = kernel_features(a->kernel)->send_reset;
	kernel_on_record(a->kernel, on_record, a);
	a->pending = pending_new(a->kernel, on_owner, a);
	a->ends = other_end_new(a->kernel, on_ends, on_ask, a);
	a->recently_closed = recently_closed_new(remembered_ended(a->kernel), on_stray, a);
	if (!a->pending || !a->ends || !a->recently_closed)
		return -ENOMEM;
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
	if ((err = open_loop(a)) || (err = open_kernel(a)) || (err = open_feeds(a)) ||
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
	pending_finish(a->pending);
	other_end_finish(a->ends);
	recently_closed_finish(a->recently_closed);
	feeds_finish(a->feeds);
	a->missed_checked_ns = 0;
	tell_losses(a, clock_monotonic_ns());
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
	pending_free(a->pending);
	other_end_free(a->ends);
	recently_closed_free(a->recently_closed);
	early_free(a->early);
	kernel_close(a->kernel);
	executables_free(a->executables);
	cgroups_free(a->cgroups);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(a);
}
