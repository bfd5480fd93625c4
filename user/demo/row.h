/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of the demonstration: for each, how the drop is made, and what each end must be told of it and nothing
 * else. The words are those of lostpeer-events(7).
 */
#ifndef LOSTPEER_DEMO_ROW_H
#define LOSTPEER_DEMO_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include "event/cause.h"
#include "demo/step.h"

#define ROW_STEPS 20
#define ROW_EVENTS 3 /* of one end, with the empty one that ends the list */

/* What an event must say besides, where the row is about that. */
enum also {
	ALSO_PEER = 1,    /* peer.process.pid: the process of the other end */
	ALSO_HOLDERS = 2, /* owner.holders: those that were forked, and this */
	ALSO_KILLED = 4,  /* process.exiting, process.exit.signal SIGKILL */
	ALSO_UNIT = 8,    /* systemd.unit: the one that its cgroup was made for */
	ALSO_VPID = 16,   /* process.vpid 1: the first of its pid namespace */
};

struct expected {
	enum lp_cause cause; /* CAUSE_NONE ends the list */
	enum lp_by by;
	enum lp_phase phase; /* PHASE_COUNT: the contract does not fix it */
	bool error;          /* error.type is the errno that the application saw last; else there is none */
	unsigned int also;   /* enum also */
};

struct row {
	enum lp_cause cause;          /* what it is a row of */
	const char *variant;          /* NULL, or what sets it apart from other rows of the same cause */
	const char *story;            /* how the drop is made */
	bool needs_hook;              /* told only with --connect-hook */
	bool needs_strays;            /* told only where RSTs for no socket are seen: from 6.10 */
	bool whole_host;              /* made only with --whole-host */
	struct step steps[ROW_STEPS]; /* ends at the first without .run */
	struct expected expected[SIDES][ROW_EVENTS];
};

extern const struct row demo_rows[];
size_t row_count(void);

/* "peer_lost/user_timeout", or with the variant "peer_lost/user_timeout:window". */
void row_name(const struct row *row, char *name, size_t size);

/* The step with this index, of those that every row begins with, its own, and those that every row ends with. */
const struct step *row_step(const struct row *row, size_t index);
size_t row_step_count(const struct row *row);

#endif
