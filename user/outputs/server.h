/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state that the two threads of the subscription socket share, and the thread that serves: it accepts clients,
 * reads their lines, sends to those that were slow, and removes those that left. It never waits for one of them.
 */
#ifndef LOSTPEER_SERVER_H
#define LOSTPEER_SERVER_H

#include <pthread.h>
#include <stdbool.h>

#include "filter/audience.h"
#include "base/endpoint.h"
#include "base/loop.h"
#include "outputs/output.h"
#include "outputs/subscriber.h"

struct server {
	const struct output_agent *agent;
	struct endpoint at;
	struct loop *loop;
	int listener, wake, timer;
	pthread_t thread;
	struct server *next;   /* the main thread's list */
	struct audience asked; /* the main thread's copy of `audience` */

	pthread_mutex_t lock; /* of these, which the agent's loop never waits for */
	struct subscriber *all[AUDIENCE_MAX];
	bool taking;  /* accepting clients */
	bool stale;   /* `audience` is out of date */
	bool changed; /* and the agent does not know yet */
	/* the writer's own: the event at hand as root sees it, and as its owner does if allowed to */
	size_t unheeded; /* events of the last write() that no subscriber wanted */
	struct kept_event kept, narrowed;
	struct line line, narrowed_line;
	enum { OWN_UNKNOWN, OWN, NOT_OWN } own;

	pthread_mutex_t audience_lock; /* of these, held for a moment */
	struct audience audience;
	__u64 confirmed, confirmed_ns; /* generation; CLOCK_REALTIME */
	__u64 unwanted;                /* the same of all writes before that */
	bool stop, retired;

	/* the thread's own; CLOCK_MONOTONIC */
	__u64 said_ns, pause_until_ns;
};

/* Starts the thread; s->listener is open. 0 or a negative errno; the caller frees s->loop, after a failure too. */
int server_start(struct server *server);

/* These two are called with the lock held.
 * Sends what is queued; the thread sends the rest when the socket takes more. */
void server_send(struct server *server, struct subscriber *subscriber);
/* Tells the subscribers that the agent's loop has confirmed. */
void server_begin_confirmed(struct server *server);

#endif
