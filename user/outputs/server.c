/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

#define OF_UID_MAX 16
#define LINE_NS CLOCK_SECOND      /* a new subscriber has this long to send its line */
#define CHANGE_NS (20 * CLOCK_MS) /* the agent hears of a change of the audience at most this often */
#define PAUSE_NS (100 * CLOCK_MS) /* before accepting again after descriptors or memory ran out */
#define AT_ONCE 16                /* accepted at a time, so that the others have their turn */

/* --- the subscribers; with the lock held --- */

static void note_audience(struct server *s)
{
	struct audience now = {.generation = s->audience.generation + 1};
	struct subscriber *u;

	for (unsigned i = 0; i < AUDIENCE_MAX; i++) {
		u = s->all[i];
		if (!u || (u->stage != SUBSCRIBER_WAITS && u->stage != SUBSCRIBER_READS))
			continue;
		audience_add(&now, u->uid, &u->filter);
		u->generation = u->generation ? u->generation : now.generation;
	}
	pthread_mutex_lock(&s->audience_lock);
	s->audience = now;
	pthread_mutex_unlock(&s->audience_lock);
	s->stale = false;
	s->changed = true;
}

static void let_go(struct server *s, unsigned number)
{
	s->stale |= s->all[number]->generation != 0;
	subscriber_free(s->all[number]); /* which takes it out of the loop as well */
	s->all[number] = NULL;
}

void server_send(struct server *s, struct subscriber *u)
{
	bool whole = subscriber_send(u, s->agent->format);

	if (u->stage != SUBSCRIBER_READS || u->slow == !whole)
		return;
	u->slow = !whole;
	loop_change(s->loop, u->fd, u->slow ? EPOLLOUT : 0);
}

void server_begin_confirmed(struct server *s)
{
	__u64 confirmed, wall_ns;

	pthread_mutex_lock(&s->audience_lock);
	confirmed = s->confirmed;
	wall_ns = s->confirmed_ns;
	pthread_mutex_unlock(&s->audience_lock);
	for (unsigned i = 0; i < AUDIENCE_MAX; i++)
		if (s->all[i] && s->all[i]->stage == SUBSCRIBER_WAITS && s->all[i]->generation &&
		    s->all[i]->generation <= confirmed) {
			subscriber_begin(s->all[i], wall_ns);
			server_send(s, s->all[i]);
		}
}

/* --- the thread; with the lock held --- */

static const char *why_not(const struct server *s, __u32 uid, unsigned *free_number)
{
	unsigned of_uid = 0;

	*free_number = AUDIENCE_MAX;
	for (unsigned i = AUDIENCE_MAX; i--;) {
		if (!s->all[i])
			*free_number = i;
		else
			of_uid += s->all[i]->uid == uid;
	}
	if (*free_number == AUDIENCE_MAX)
		return "there are 256 subscribers already";
	return of_uid >= OF_UID_MAX ? "this user has 16 subscribers already" : NULL;
}

/* The subscriber has sent its line, or will send no more of it. */
static void on_line(struct server *s, struct subscriber *u)
{
	if (u->stage == SUBSCRIBER_ASKS && subscriber_ask(u)) {
		loop_change(s->loop, u->fd, 0); /* anything after its line is never read */
		s->stale = true;
	} else {
		subscriber_send(u, s->agent->format);
	}
}

static void on_subscriber(void *context, unsigned events)
{
	struct subscriber *u = context;
	struct server *s = u->server;

	pthread_mutex_lock(&s->lock);
	if (events & (EPOLLHUP | EPOLLERR)) {
		u->stage = SUBSCRIBER_LEAVES; /* even if it has not been served yet */
	} else if (u->stage == SUBSCRIBER_ASKS && (events & EPOLLIN)) {
		if (subscriber_read(u))
			on_line(s, u);
	} else if (events & EPOLLOUT) {
		server_send(s, u);
	}
	pthread_mutex_unlock(&s->lock);
}

static void take_in(struct server *s, int fd)
{
	struct ucred who = {0};
	socklen_t length = sizeof(who);
	struct subscriber *u = NULL;
	unsigned number;
	const char *why;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		u = subscriber_new(fd, who.uid, clock_monotonic_ns() + LINE_NS);
	if (!u) {
		close(fd);
		return;
	}
	why = why_not(s, who.uid, &number);
	if (why) {
		subscriber_refuse(u, why, strlen(why));
		subscriber_send(u, s->agent->format);
		subscriber_free(u);
		return;
	}
	s->all[number] = u;
	u->server = s;
	if (loop_add(s->loop, fd, EPOLLIN, on_subscriber, u))
		u->stage = SUBSCRIBER_LEAVES;
}

static void on_listener(void *context, unsigned unused)
{
	struct server *s = context;
	int fd = 0;

	(void)unused;
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < AT_ONCE && fd >= 0; i++) {
		fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			take_in(s, fd);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		s->pause_until_ns = clock_monotonic_ns() + PAUSE_NS;
		loop_change(s->loop, s->listener, 0);
	}
	pthread_mutex_unlock(&s->lock);
}

/* A client that sent nothing gets all that it may see; one that sent only part of a line is refused. */
static void end_waiting(struct server *s, __u64 now_ns)
{
	static const char late[] = "no whole line within a second";

	for (unsigned i = 0; i < AUDIENCE_MAX; i++) {
		struct subscriber *u = s->all[i];

		if (!u || u->stage != SUBSCRIBER_ASKS || now_ns < u->line_by_ns)
			continue;
		if (u->asked)
			subscriber_refuse(u, late, sizeof(late) - 1);
		on_line(s, u);
	}
}

static void report_change(struct server *s, __u64 now_ns)
{
	if (!s->changed || now_ns < s->said_ns + CHANGE_NS)
		return;
	s->changed = false;
	s->said_ns = now_ns;
	s->agent->audience_changed(s->agent->agent);
}

/* Accepts only once the agent has confirmed the first audience, and not when retired. */
static void update_accepting(struct server *s, __u64 now_ns)
{
	bool take;

	pthread_mutex_lock(&s->audience_lock);
	take = s->confirmed && !s->retired;
	pthread_mutex_unlock(&s->audience_lock);
	if (s->pause_until_ns && now_ns >= s->pause_until_ns) {
		s->pause_until_ns = 0;
		s->taking = false;
	}
	if (take == s->taking || s->pause_until_ns)
		return;
	s->taking = take;
	loop_change(s->loop, s->listener, take ? EPOLLIN : 0);
}

/* When something is due; 0: never. */
static __u64 next_ns(const struct server *s)
{
	__u64 at = clock_earlier(s->pause_until_ns, s->changed ? s->said_ns + CHANGE_NS : 0);

	for (unsigned i = 0; i < AUDIENCE_MAX; i++)
		if (s->all[i] && s->all[i]->stage == SUBSCRIBER_ASKS)
			at = clock_earlier(at, s->all[i]->line_by_ns);
	return at;
}

/* After a turn: the subscribers that were ready in it exist until then. */
static void tidy(struct server *s)
{
	__u64 now = clock_monotonic_ns();

	end_waiting(s, now);
	server_begin_confirmed(s);
	for (unsigned i = 0; i < AUDIENCE_MAX; i++)
		if (s->all[i] && s->all[i]->stage == SUBSCRIBER_LEAVES)
			let_go(s, i);
	if (s->stale)
		note_audience(s);
	update_accepting(s, now);
	report_change(s, now);
}

static bool is_stopped(struct server *s)
{
	bool stop;

	pthread_mutex_lock(&s->audience_lock);
	stop = s->stop;
	pthread_mutex_unlock(&s->audience_lock);
	return stop;
}

static void *serve(void *context)
{
	struct server *s = context;

	while (!is_stopped(s)) {
		pthread_mutex_lock(&s->lock);
		tidy(s);
		loop_set_timer(s->timer, next_ns(s));
		pthread_mutex_unlock(&s->lock);
		loop_turn(s->loop);
	}
	return NULL;
}

int server_start(struct server *s)
{
	int err;

	s->loop = loop_new();
	if (!s->loop)
		return -errno;
	if ((err = s->wake = loop_add_event(s->loop, NULL, NULL)) < 0 ||
	    (err = s->timer = loop_add_timer(s->loop, NULL, NULL)) < 0 ||
	    (err = loop_add(s->loop, s->listener, 0, on_listener, s)))
		return err;
	return thread_start(&s->thread, serve, s);
}
