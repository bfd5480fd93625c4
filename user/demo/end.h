/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One end of one connection: a process in a network namespace of its own. The director and both processes share the
 * struct's memory. Each end writes only its own struct, and only while it runs a step.
 */
#ifndef LOSTPEER_DEMO_END_H
#define LOSTPEER_DEMO_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <asm/types.h>
#include "demo/step.h"

/* The time limit of a wait: far more than a slow, emulated machine needs. */
#define END_PATIENCE_MS 120000

struct row;

struct end {
	enum side side;
	struct end *peer;
	pid_t pid;                   /* 0: not running */
	pid_t child;                 /* runs the steps in its place; 0: none */
	pid_t holders[DEMO_HOLDERS]; /* children that hold its connection too */
	char cgroup[256];            /* directory of the cgroup made for it; "": none */
	uint32_t netns;              /* inode of its namespace; 0: none yet */
	uint16_t port;               /* local port of its connection */
	int fd;                      /* its connection, in its own process; -1: none */
	int listener;
	int error;         /* the last errno that the application saw; 0: none */
	char truth[128];   /* what the application did and saw, for humans */
	char problem[200]; /* why the last step was not STEP_DONE */
};

/* Starts the process. *sock is the director's end of the line: it sends the step's index, an int, and receives
 * enum step_result, an int. Returns 0 or negative errno. */
int end_start(struct end *self, const struct row *row, int *sock);

/* Kills and reaps the process. */
void end_stop(struct end *self);

/* The process that holds the connection. */
pid_t end_owner(const struct end *self);

/* Moves this process into the other end's network namespace. Returns 0 or negative errno. */
int end_enter(const struct end *other);

const char *end_address(const struct end *self);

/* Appends to self->truth, after a comma. */
void end_note(struct end *self, const char *what);

/* Sets self->problem from a format; returns STEP_FAILED. */
int end_fail(struct end *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The application saw err from call: positive errno, or 0 for success or the end of the stream. Records that in the
 * truth. Returns STEP_DONE, or STEP_FAILED if the step wants another error. */
int end_saw(struct end *self, const struct step *step, const char *call, int err);

/* For polling what the kernel does not announce (a state, a queue). end_deadline() returns CLOCK_MONOTONIC ns;
 * end_wait() sleeps for 2 ms and returns whether the deadline is still ahead. */
__u64 end_deadline(void);
bool end_wait(__u64 deadline);

/* "ECONNRESET"; "errno 0" for 0. */
const char *end_error_name(int err);

#endif
