/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way through: ring -> what waits for its owner -> cause -> filter -> group -> output, driven by one epoll loop that
 * owns the ring, the state and the signals. What no hook tells is looked for (warnings.h). Idle it has no timer.
 */
#ifndef LOSTPEER_AGENT_H
#define LOSTPEER_AGENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "filter.h"
#include "kernel.h"
#include "outputs/output.h"
#include "warnings.h"

struct agent;

struct agent_options {
	struct kernel_options kernel;
	struct filter *filter;
	const struct output_ops *output;
	const char *output_target;
	format_event *format;
	bool colour;
	__u64 most_events; /* end after so many; 0: do not */
	__u64 most_ns;     /* end after so long; 0: do not */
	bool follow;       /* only what agent_run() is told to follow */
	__u64 group_ns;    /* the window of group.h; 0: every event is shown */
	unsigned rate;     /* events a second of one owner; 0: no limit */
	struct warnings_options warnings;
};

/* What became of every record, of the kernel's or of what was looked for: emitted = written + filtered + grouped + lost + pending. */
struct ledger {
	__u64 emitted;
	__u64 written;
	__u64 filtered;
	__u64 grouped;
	__u64 ring_full; /* the four places of lost */
	__u64 output_full;
	__u64 write_failed;
	__u64 stopped;
	__u64 pending;
};

/* 0, or a negative errno after a message on stderr. */
int agent_open(struct agent **agent, const struct agent_options *options);
/* How many connections of how many processes existed before. */
void agent_watches(const struct agent *agent, unsigned *connections, unsigned *processes);
/* Runs until SIGINT, SIGTERM, SIGHUP, most_events, most_ns or a reader that left; with a child (0: none) until that
 * ends, whose wait status goes to *status. 0 or a negative errno. */
int agent_run(struct agent *agent, pid_t child, int *status);
/* Detaches, tells what waits, flushes. */
struct ledger agent_finish(struct agent *agent);
void agent_close(struct agent *agent);

#endif
