/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who: the owner rule, a pure function over one record and the evidence that has come since. Some records name
 * their owner for good; the others ask for evidence (pending.h gets it), cheapest first: who destroys the socket,
 * then the descriptors of who connected or listened, then one walk over all processes. Where nothing proves an
 * owner there is none, and `unknown` says why. The task that happens to run in softirq is never asked.
 */
#ifndef LOSTPEER_OWNER_H
#define LOSTPEER_OWNER_H

#include <stdbool.h>

#include "event/event.h"
#include "record.h"

enum owner_need {
	NEED_NOTHING,   /* the owner is decided */
	NEED_DESTROYER, /* wait a few milliseconds for who drops the last reference */
	NEED_LOOK,      /* look through the descriptors of record.task */
	NEED_WALK,      /* look through everybody's descriptors */
};

/* A process found to hold the socket. */
struct owner_found {
	struct lp_task task;
	unsigned fds;
};

struct owner_evidence {
	bool waited; /* a destroyer would have come by now; taken back once, after a walk that found nobody */
	bool destroyed;
	struct lp_task destroyer;
	bool can_look; /* this kernel can walk one process alone */
	bool looked;
	bool walked;
	bool walk_failed;
	unsigned n_found; /* processes; more than OWNER_HOLDERS_MAX are not kept */
	struct owner_found *found;
	__u64 since_ns;                                /* CLOCK_MONOTONIC: forks and births are known from here on */
	__u64 boot_ahead_ns;                           /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	__u64 (*last_fork)(void *context, __u32 tgid); /* CLOCK_MONOTONIC; 0: none seen */
	void *fork_context;
};

/* Fills *owner when it returns NEED_NOTHING. Never asks twice for evidence of the same kind. */
enum owner_need owner_decide(const struct lp_record *r, const struct owner_evidence *e, struct owner *owner);

/* In an accept queue: its holders are the listener's. */
bool owner_is_listener(const struct lp_record *r);

#endif
