/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that is seen after an event is not always the one that held the connection at the event. It may have begun
 * since: then the process that forked it held the connection. It may have been forked only to execute another program,
 * and held a copy in between: then that connection is still the forker's. It may have another name since. Pure functions
 * over what the BPF programs remember of processes (bpf/past.h).
 */
#ifndef LOSTPEER_LINEAGE_H
#define LOSTPEER_LINEAGE_H

#include <stdbool.h>

#include "base/clock.h"
#include "record.h"
#include "who/process.h"

/* A process that executes another program within this time after its fork was forked for that; one that has not done so
 * by then may have used the connection itself. Waits for a CPU do not count: how long those are says something about the
 * machine, not about the process. */
#define LINEAGE_EXEC_NS CLOCK_SECOND
/* One that is asleep that long after its fork was not forked for that. */
#define LINEAGE_SLEEP_NS (500 * CLOCK_MS)

struct lineage {
	bool (*past)(void *context, const struct lp_task *task, struct lp_past *past); /* false: not known */
	enum process_state (*state)(void *context, const struct lp_task *task, __u64 *ran_ns);
	void *context;
	__u64 boot_ahead_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
};

/* Turns *task, which has a descriptor of the connection some time after `time_ns` (CLOCK_MONOTONIC), into the process
 * that had it then: itself, or its nearest ancestor that had begun. False: not known. */
bool lineage_at(const struct lineage *l, __u64 time_ns, struct lp_task *task);

enum lineage_exec {
	EXEC_NOT, /* a process of its own */
	EXEC_ONLY, /* forked to execute another program, or with its forker's memory: it acts for its forker until then */
	EXEC_MAYBE, /* forked just now: it may still execute one */
};

/* Whether *task was forked only for that. Fills *forker if so, or if it may be so. */
enum lineage_exec lineage_exec(const struct lineage *l, const struct lp_task *task, __u64 now_ns,
			       struct lp_task *forker);

/* Turns *task, which closed a connection born at `born_ns` (CLOCK_MONOTONIC; 0: not known), into the process whose
 * connection it was. False: it may still execute. */
bool lineage_closer(const struct lineage *l, struct lp_task *task, __u64 born_ns, __u64 now_ns);

/* Gives *task, seen after time_ns, the name that it had then; "" if that is not known. */
void lineage_name_at(const struct lineage *l, __u64 time_ns, struct lp_task *task);
/* Whether it has executed another program since. */
bool lineage_has_executed(const struct lineage *l, __u64 time_ns, const struct lp_task *task);

#endif
