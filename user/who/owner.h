/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The owner rule: a pure function over one record and the evidence that came since. Some records name their owner for
 * good; the others need evidence (pending.h gets it), cheapest first: the task that destroys the socket, then the
 * descriptors of the process that connected or listened, then a walk over all processes. If nothing proves an owner,
 * there is none, and `unknown` says why. The task that happens to run when a softirq comes is no evidence.
 */
#ifndef LOSTPEER_OWNER_H
#define LOSTPEER_OWNER_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"
#include "who/lineage.h"

enum owner_need {
	NEED_NOTHING,   /* decided */
	NEED_DESTROYER, /* wait a few milliseconds for the task that drops the last reference */
	NEED_SEARCH,    /* search the descriptors of record.task */
	NEED_WALK,      /* search the descriptors of all processes */
	NEED_EXEC,      /* wait until it shows whether record.task was forked to execute a program */
};

/* A process that holds the socket. */
struct owner_found {
	struct lp_task task;
	unsigned fds;
};

struct owner_evidence {
	bool waited; /* the wait for a destroyer is over; reset once, after a walk that found no holder */
	bool destroyed;
	struct lp_task destroyer; /* tgid 0: began after the event, and it is not known who forked it */
	bool can_search;          /* this kernel can search one process alone */
	bool searched;
	bool walked;
	bool walk_failed;
	unsigned n_found;          /* processes, at most OWNER_HOLDERS_MAX */
	struct owner_found *found; /* each had begun at the event (lineage_at), and has the name that it had then */
	bool found_more;
	struct lp_task more; /* what those have in common that did not fit */
	bool exec_waited;    /* the wait for an exec is over */
	__u64 now_ns;        /* CLOCK_MONOTONIC */
	struct lineage lineage;
	__u64 since_ns;                                /* CLOCK_MONOTONIC: forks and births since then are known */
	__u64 (*last_fork)(void *context, __u32 tgid); /* CLOCK_MONOTONIC; 0: none seen */
	void *fork_context;
};

/* Fills *owner when it returns NEED_NOTHING. Never asks for the same kind of evidence twice. */
enum owner_need owner_decide(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner);

/* Whether the connection is in an accept queue: its holders are then those of the listener. */
bool owner_is_listener(const struct lp_record *r);

#endif
