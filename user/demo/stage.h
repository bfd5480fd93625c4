/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The director: plays several rows at once, the steps of each row one after the other. */
#ifndef LOSTPEER_DEMO_STAGE_H
#define LOSTPEER_DEMO_STAGE_H

#include <stddef.h>
#include "base/clock.h"
#include "demo/end.h"
#include "demo/row.h"

enum scene_state {
	SCENE_WAITING,
	SCENE_PLAYING,
	SCENE_PLAYED,  /* the drop was made as intended */
	SCENE_FAILED,  /* it was not; scene.why has the reason */
	SCENE_SKIPPED, /* it was not tried; scene.why has the reason */
};

/* One row while it is played. */
struct scene {
	const struct row *row;
	struct end *ends; /* SIDES of them, in shared memory */
	int line[SIDES];  /* sockets to the ends; -1: none */
	size_t next;      /* index of the step */
	__u64 deadline;   /* of the running step, CLOCK_MONOTONIC ns */
	enum scene_state state;
	char begun[CLOCK_TEXT_LEN]; /* in the format of an event's time */
	char why[256];
};

struct stage {
	struct scene *scenes;
	size_t count;
	struct end *ends; /* of all scenes, shared */
	size_t ends_size;
};

/* Allocates a scene for each row. Returns 0 or negative errno. */
int stage_open(struct stage *stage, const struct row *const *rows, size_t count);

/* Plays every scene that is SCENE_WAITING. The ends stay alive afterwards, so that their connections do not end before
 * lostpeer has reported its events. signals: a signalfd that ends the play early. Returns 0, -EINTR for a signal, or
 * -EPERM after printing why no row can be played here. */
int stage_play(struct stage *stage, int signals);

/* Kills and reaps all ends. */
void stage_close(struct stage *stage);

#endif
