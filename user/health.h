/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the agent itself is doing: the ledger of each output, the ring, the cost of its programs. */
#ifndef LOSTPEER_HEALTH_H
#define LOSTPEER_HEALTH_H

#include <asm/types.h>

#include "ledger.h"

#define HEALTH_OUTPUTS_MAX 32
#define HEALTH_TITLE_LEN 64

struct health {
	unsigned n_outputs;
	struct {
		char title[HEALTH_TITLE_LEN]; /* "file", "file audit" */
		struct ledger ledger;
	} outputs[HEALTH_OUTPUTS_MAX];
	/* Lost before any output, and in none of the ledgers. */
	__u64 state_full, program_missed;
	__u64 ring_bytes, ring_used;
	/* Of all our BPF programs since they were loaded; 0 unless sysctl kernel.bpf_stats_enabled is 1. */
	__u64 bpf_runs, bpf_ns;
};

#endif
