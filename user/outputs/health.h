/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent's own health: the ledger of each output, the ring, the cost of the BPF programs. An output asks from its
 * own thread and the agent's loop answers, so that all numbers are of one moment.
 */
#ifndef LOSTPEER_HEALTH_H
#define LOSTPEER_HEALTH_H

#include <stdbool.h>

#include "base/loop.h"
#include "filter/ledger.h"
#include "outputs/output.h"

struct health {
	unsigned n_outputs;
	struct {
		char title[FEED_TITLE_LEN]; /* "file", "file audit" */
		struct ledger ledger;
	} outputs[FEEDS_MAX];
	/* Lost before any output, so in no ledger. */
	__u64 state_full, program_missed;
	__u64 ring_bytes, ring_used;
	long long silent_connections, ignored_closes; /* -1: not looked for */
	/* Of all our BPF programs since they were loaded; 0 unless sysctl kernel.bpf_stats_enabled is 1. */
	__u64 bpf_runs, bpf_ns;
};

struct health_desk;

typedef void health_fill(void *context, struct health *health);
/* The loop's thread answers with fill(). NULL when out of memory or descriptors. */
struct health_desk *health_new(struct loop *loop, health_fill *fill, void *context);
/* Call after health_close(), when no thread can ask any more. */
void health_free(struct health_desk *desk);

/* Waits for the answer, a few seconds at most. false: no answer, and none will come if the agent is ending. given_up:
 * set by the loop before it joins the asking thread; ends the wait. */
bool health_ask(struct health_desk *desk, struct health *health, const bool *given_up);

/* No more answers. */
void health_close(struct health_desk *desk);

#endif
