/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The director: plays rows, several at once, each step of a row after the other. */
#ifndef LOSTPEER_DEMO_STAGE_H
#define LOSTPEER_DEMO_STAGE_H

#include <stddef.h>
#include "base/clock.h"
#include "demo/end.h"
#include "demo/row.h"

enum scene_state {
	SCENE_WAITING,
	SCENE_PLAYING,
	SCENE_PLAYED,  /* the drop was made as intended, and both ends agree */
	SCENE_FAILED,  /* it was not: why */
	SCENE_SKIPPED, /* not made: why */
};

/* One row, being played. */
struct scene {
	const struct row *row;
	struct end *ends; /* SIDES of them, in shared memory */
	int line[SIDES];  /* to the ends; -1: none */
	size_t next;      /* step */
	__u64 deadline;   /* of the step that runs, CLOCK_MONOTONIC ns */
	enum scene_state state;
	char begun[CLOCK_TEXT_LEN]; /* when, as an event's time is told */
	char why[256];
};

struct stage {
	struct scene *scenes;
	size_t count;
	struct end *ends; /* of all scenes, shared */
	size_t ends_size;
};

/* Makes room for a scene for each of the rows chosen. Returns 0 or negative errno. */
int stage_open(struct stage *stage, const struct row *const *rows, size_t count);

/* Plays every scene that is SCENE_WAITING. The ends stay alive afterwards, and their namespaces with them, so that
 * nothing more happens in them before the agent has been asked. signals: a signalfd that ends it early.
 * Returns 0, -EINTR for a signal, -EPERM after telling why nothing can be made here. */
int stage_play(struct stage *stage, int signals);

/* Ends and reaps all ends. */
void stage_close(struct stage *stage);

#endif
