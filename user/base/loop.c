/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define AT_ONCE 64

struct loop {
	int epoll, n;
	struct source {
		bool ours;
		loop_ready *ready;
		void *context;
	} * sources; /* by descriptor */
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l || (l->epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0)
		return l;
	free(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (int fd = 0; fd < l->n; fd++)
		if (l->sources[fd].ours)
			close(fd);
	close(l->epoll);
	free(l->sources);
	free(l);
}

static bool make_room(struct loop *l, int fd)
{
	struct source *more = fd < l->n ? l->sources : realloc(l->sources, ((size_t)fd + 1) * sizeof(*more));

	if (!more)
		return false;
	for (l->sources = more; l->n <= fd; l->n++)
		more[l->n] = (struct source){0};
	return true;
}

int loop_add(struct loop *l, int fd, unsigned events, loop_ready *ready, void *context)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (!make_room(l, fd))
		return -ENOMEM;
	l->sources[fd] = (struct source){false, ready, context};
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void loop_change(struct loop *l, int fd, unsigned events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &event);
}

static int add_own(struct loop *l, int fd, loop_ready *ready, void *context)
{
	int err = fd < 0 ? -errno : loop_add(l, fd, EPOLLIN, ready, context);

	if (!err)
		l->sources[fd].ours = true;
	else if (fd >= 0)
		close(fd);
	return err ? err : fd;
}

int loop_add_event(struct loop *l, loop_ready *ready, void *context)
{
	return add_own(l, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ready, context);
}

int loop_add_timer(struct loop *l, loop_ready *ready, void *context)
{
	return add_own(l, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), ready, context);
}

int loop_add_signals(struct loop *l, const int *signals, loop_ready *ready, void *context)
{
	sigset_t set;

	sigemptyset(&set);
	while (*signals)
		sigaddset(&set, *signals++);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return add_own(l, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), ready, context);
}

void loop_wake(int event)
{
	__u64 one = 1;

	if (write(event, &one, sizeof(one)) < 0)
		perror("lostpeer: eventfd");
}

void loop_set_timer(int timer, __u64 at_ns)
{
	struct itimerspec when = {.it_value = clock_until(at_ns)};

	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void serve(struct source source, int fd, unsigned what)
{
	struct signalfd_siginfo info; /* an event or a timer fills the first 8 bytes */

	if (source.ours && read(fd, &info, sizeof(info)) <= 0)
		return;
	if (source.ready)
		source.ready(source.context, source.ours ? info.ssi_signo : what);
}

int loop_turn(struct loop *l)
{
	struct epoll_event ready[AT_ONCE];
	int n = epoll_wait(l->epoll, ready, AT_ONCE, -1);

	for (int i = 0; i < n; i++)
		serve(l->sources[ready[i].data.fd], ready[i].data.fd, ready[i].events);
	return n < 0 && errno != EINTR ? -errno : 0;
}
