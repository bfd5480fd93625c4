/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What lostpeer says of it all: `lostpeer watch --json --all` as a child process, and the events it wrote. */
#ifndef LOSTPEER_DEMO_WITNESS_H
#define LOSTPEER_DEMO_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

/* One line of its output. Strings are the line's own; NULL or 0 where the line has no such field. */
struct said {
	struct json_object *line;
	const char *time, *event, *cause, *by, *phase, *error, *process;
	int pid;
	uint32_t netns;
	int local_port, peer_port;
	bool taken; /* accounted for */
};

struct witness {
	pid_t pid;              /* 0: not running */
	int output;             /* memory that it writes its events to; -1: none */
	int errors;             /* pipe from its stderr */
	bool hook;              /* it runs with --connect-hook */
	char why_no_hook[200];  /* what it said it lacks for that */
	char stderr_text[4096]; /* the beginning of what it said there */
	size_t stderr_size;
	struct said *said;
	size_t said_count;
	size_t bad_lines; /* not a JSON object */
};

/* Starts it and waits until it watches: with --connect-hook, or where that cannot be had, without. signals: a
 * signalfd that ends the wait. Returns 0, -EINTR, or -ECHILD after passing on what it said is missing. */
int witness_start(struct witness *witness, int signals);

/* Lets it write what it knows and end, then reads that, in order of time. Returns 0, or negative errno after telling
 * what went wrong. */
int witness_stop(struct witness *witness);

/* A field of a line; NULL or 0 if the line has no such field. */
const char *said_text(const struct json_object *line, const char *name);
int64_t said_number(const struct json_object *line, const char *name);

/* Ends it if it runs, and frees everything. */
void witness_close(struct witness *witness);

#endif
