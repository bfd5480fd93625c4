/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent: one loop that drains the ring into the pipeline (pipeline.h), which ends in the feeds (feed.h: filter,
 * group, output), and that answers signals and questions about its health. While nothing happens no timer runs.
 */
#ifndef LOSTPEER_AGENT_H
#define LOSTPEER_AGENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "outputs/feed.h"
#include "kernel/kernel.h"
#include "early/early.h"

struct agent;

struct agent_options {
	struct kernel_options kernel;
	__u64 most_ns; /* ends after this time; 0: does not */
	bool follow;   /* only events of the processes that are followed */
	struct early_options early;
	bool ends_without_reader; /* ends when the reader of standard output has left */
	/* When to give up rights, once everything is attached. FIRST: before the outputs are opened, so that they can
	 * open again without those rights; LAST: after, if no output opens again. A command that is run needs all
	 * rights. */
	enum { RIGHTS_KEPT, RIGHTS_DROPPED_FIRST, RIGHTS_DROPPED_LAST } rights;
	/* Called on SIGHUP; may call agent_change(). NULL: SIGHUP ends the agent. */
	void (*on_hangup)(void *context, struct agent *agent);
	void *context;
};

/* Takes the settings of its feeds. 0, or a negative errno after a message on stderr. */
int agent_open(struct agent **agent, const struct agent_options *options, struct feed_settings **feeds, size_t n);
/* How many connections existed before, and how many processes held them. */
void agent_watches(const struct agent *agent, unsigned *connections, unsigned *processes);
/* Exchanges the feeds, as feeds_change(); those that stay reopen their files. No event is lost. */
int agent_change(struct agent *agent, struct feed_settings **feeds, size_t n);
/* The feeds reopen their files. */
void agent_reopen(struct agent *agent);
/* Runs until SIGINT, SIGTERM, SIGHUP (see on_hangup), most_events of a feed, most_ns, or until the reader leaves. With
 * a child (0: none) it runs until the child ends, and stores its wait status in *status. 0 or a negative errno. */
int agent_run(struct agent *agent, pid_t child, int *status);
/* Detaches, reports the events that wait, flushes. */
void agent_finish(struct agent *agent);
/* The ledger of one feed; those of all, on stderr. */
struct ledger agent_ledger(const struct agent *agent, size_t feed);
void agent_say_ledgers(const struct agent *agent);
void agent_close(struct agent *agent);

#endif
