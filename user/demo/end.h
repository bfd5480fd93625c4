/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One end of one connection: a process in a network namespace of its own. The struct is in memory that the
 * director and both processes share; each end writes only its own, and only while it runs a step.
 */
#ifndef LOSTPEER_DEMO_END_H
#define LOSTPEER_DEMO_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <asm/types.h>
#include "demo/step.h"

/* How long an end waits for anything: far more than a slow, emulated machine needs. */
#define END_PATIENCE_MS (120 * 1000)

struct row;

struct end {
	enum side side;
	struct end *peer;
	pid_t pid;                   /* 0: not running */
	pid_t child;                 /* who goes on in its place; 0: nobody */
	pid_t holders[DEMO_HOLDERS]; /* others that hold what it holds */
	char cgroup[256];            /* the directory of one made for it; "": none */
	uint32_t netns;              /* inode of its namespace; 0: none yet */
	uint16_t port;               /* local port of its connection */
	int fd;                      /* its connection, in its own process; -1: none */
	int listener;
	int error;         /* the last errno that the application saw; 0: none */
	char truth[128];   /* what the application did and saw, for humans */
	char problem[200]; /* why the last step was not STEP_DONE */
};

/* Starts the process. *sock is the director's end of the line: an int (the step's index) goes out, an int
 * (enum step_result) comes back. Returns 0 or negative errno. */
int end_start(struct end *self, const struct row *row, int *sock);

/* Ends and reaps it. */
void end_stop(struct end *self);

/* Who holds its connection. */
pid_t end_owner(const struct end *self);

/* Moves this process into the other end's network namespace. Returns 0 or negative errno. */
int end_enter(const struct end *other);

const char *end_address(const struct end *self);

/* Adds to what the application did and saw: "…, …". */
void end_tell(struct end *self, const char *what);

/* Sets self->problem from a format; returns STEP_FAILED. */
int end_fail(struct end *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The application saw err (positive errno, 0 for the end of the stream or success) from call. Records it as this
 * end's truth and returns STEP_DONE, or STEP_FAILED if it is not what the step wants. */
int end_saw(struct end *self, const struct step *step, const char *call, int err);

/* For what the kernel tells only who asks (a state, a queue): until when to ask, in CLOCK_MONOTONIC ns, and whether
 * to ask again, a moment later. */
__u64 end_deadline(void);
bool end_waits(__u64 deadline);

/* "ECONNRESET"; "errno 0" for 0. */
const char *end_error_name(int err);

#endif
