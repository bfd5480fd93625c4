/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of the demonstration. A row says how the drop is made and exactly which events lostpeer must report of each
 * end, in the words of lostpeer-events(7).
 */
#ifndef LOSTPEER_DEMO_ROW_H
#define LOSTPEER_DEMO_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include "event/cause.h"
#include "demo/step.h"

#define ROW_STEPS 20
#define ROW_EVENTS 3 /* of one end, with the empty one that ends the list */

/* Fields that the row tests besides the event. */
enum also {
	ALSO_PEER = 1,    /* peer.process.pid: the process of the other end */
	ALSO_HOLDERS = 2, /* owner.holders: this process and the forked ones */
	ALSO_KILLED = 4,  /* process.exiting, process.exit.signal SIGKILL */
	ALSO_UNIT = 8,    /* systemd.unit: the unit that its cgroup is named after */
	ALSO_VPID = 16,   /* process.vpid 1: the first process of its pid namespace */
};

struct expected {
	enum lp_cause cause; /* CAUSE_NONE ends the list */
	enum lp_by by;
	enum lp_phase phase; /* PHASE_COUNT: the contract does not fix it */
	bool error;          /* true: error.type is the last errno that the application saw; false: no error.type */
	unsigned int also;   /* enum also */
};

struct row {
	enum lp_cause cause;
	const char *variant;          /* distinguishes rows of the same cause; NULL: the only row, or the plain one */
	const char *story;            /* how the drop is made */
	bool needs_hook;              /* lostpeer sees it only with --connect-hook */
	bool needs_strays;            /* lostpeer must see RSTs that belong to no socket: Linux 6.10 or later */
	bool needs_signature;         /* lostpeer must see segments dropped for their signature: Linux 6.11 or later */
	bool whole_host;              /* made only with --whole-host */
	struct step steps[ROW_STEPS]; /* ends at the first without .run */
	struct expected expected[SIDES][ROW_EVENTS];
};

extern const struct row demo_rows[];
size_t row_count(void);

/* "peer_lost/user_timeout", or with the variant "peer_lost/user_timeout:window". */
void row_name(const struct row *row, char *name, size_t size);

/* The steps of a row, including those that every row begins and ends with. */
const struct step *row_step(const struct row *row, size_t index);
size_t row_step_count(const struct row *row);

#endif
