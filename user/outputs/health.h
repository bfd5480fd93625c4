/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the agent itself is doing: the ledger of each output, the ring, the cost of its programs. An output asks from a
 * thread of its own; the loop answers, which alone knows, so that all of it is of one moment.
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
	/* Lost before any output, and in none of the ledgers. */
	__u64 state_full, program_missed;
	__u64 ring_bytes, ring_used;
	long long silent_connections, ignored_closes; /* by now; -1: they are not looked for */
	/* Of all our BPF programs since they were loaded; 0 unless sysctl kernel.bpf_stats_enabled is 1. */
	__u64 bpf_runs, bpf_ns;
};

struct health_desk;

typedef void health_fill(void *context, struct health *health);
/* fill answers whoever asks, in the loop's thread. NULL when out of memory or descriptors. */
struct health_desk *health_new(struct loop *loop, health_fill *fill, void *context);
/* Of a desk that is closed, and that no thread can ask any more. */
void health_free(struct health_desk *desk);

/* Waits for the answer, a few seconds at most. false: there is none, and will be none once the agent ends. given_up:
 * what the loop sets before it waits for who asks, which is let go at once. */
bool health_ask(struct health_desk *desk, struct health *health, const bool *given_up);

/* Nobody is answered any more. */
void health_close(struct health_desk *desk);

#endif
