/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the two threads of the subscription socket share, and the one that serves: it takes who comes, reads lines,
 * sends to who was slow, and lets go who left. It waits for none of them.
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
	struct audience asked; /* the main thread's: the audience when it asked for it */

	pthread_mutex_t lock; /* of these, which the agent's loop never waits for */
	struct subscriber *all[AUDIENCE_MAX];
	bool taking;  /* who comes */
	bool stale;   /* the audience is not as it is noted */
	bool changed; /* and the agent does not know yet */
	/* the writer's own: how many events of its last write nobody wanted; what it hands out, as root sees it, and as he does whose it is, if he may */
	size_t unheeded;
	struct kept_event kept;
	struct event narrowed;
	struct line line, narrowed_line;
	enum { OWN_UNKNOWN, OWN, NOT_OWN } own;

	pthread_mutex_t audience_lock; /* of these, held for a moment */
	struct audience audience;
	__u64 confirmed, confirmed_ns; /* generation; CLOCK_REALTIME */
	__u64 unwanted;                /* events of all other writes that nobody wanted */
	bool stop, retired;

	/* the thread's own; CLOCK_MONOTONIC */
	__u64 said_ns, pause_until_ns;
};

/* The thread, once there is a listener. 0 or a negative errno; the loop is to be freed then, too. */
int server_start(struct server *server);

/* With the lock held.
 * What waits for him is sent; what the socket does not take is, when it does. */
void server_send(struct server *server, struct subscriber *subscriber);
/* Those whom the agent's loop has confirmed are told so. */
void server_begin_confirmed(struct server *server);

#endif
