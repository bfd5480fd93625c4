/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs `lostpeer watch --json --all` as a child process and reads the events that it wrote. */
#ifndef LOSTPEER_DEMO_WITNESS_H
#define LOSTPEER_DEMO_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

/* One line of its output. The line owns the strings; a field that it lacks is NULL or 0. */
struct said {
	struct json_object *line;
	const char *time, *event, *cause, *by, *phase, *error, *process;
	int pid;
	uint32_t netns;
	int local_port, peer_port;
	bool taken; /* matched with an expected event */
};

struct witness {
	pid_t pid;              /* 0: not running */
	int output;             /* memfd that it writes its events to; -1: none */
	int errors;             /* pipe from its stderr */
	bool hook;              /* it runs with --connect-hook */
	char why_no_hook[200];  /* the first line of its error message */
	char stderr_text[4096]; /* the beginning of its stderr */
	size_t stderr_size;
	struct said *said;
	size_t said_count;
	size_t bad_lines; /* not a JSON object */
};

/* Starts it with --connect-hook, or without if that fails, and waits until it watches. signals: a signalfd that ends
 * the wait. Returns 0, -EINTR, or -ECHILD after passing on its error message. */
int witness_start(struct witness *witness, int signals);

/* Stops it, then reads its events, in order of time. Returns 0, or negative errno after printing what went wrong. */
int witness_stop(struct witness *witness);

/* A field of a line; NULL or 0 if the line has no such field. */
const char *said_text(const struct json_object *line, const char *name);
int64_t said_number(const struct json_object *line, const char *name);

/* Kills it if it runs, and frees everything. */
void witness_close(struct witness *witness);

#endif
