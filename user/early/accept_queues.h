/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * accept_dropped: listeners whose accept queue or SYN queue was full, and how many peers these turned away; and those
 * that dropped segments for their TCP signature (bpf/signature.h).
 *
 * The BPF programs list such a listener, and wake the agent for the first (bpf/queues.h). The agent looks at the listed
 * ones a second later, and once a second from then on. What the kernel has counted for their network namespace since
 * the look before is theirs (bpf/turned_away.h). A listener whose queues neither are full nor overflow for
 * ACCEPT_QUEUES_PATIENCE_NS is forgotten.
 *
 * The first event of a queue comes at once, later ones after 10, 20, 40, ... seconds, at most
 * ACCEPT_QUEUES_REPEAT_MAX_NS apart, each with those turned away since the one before.
 *
 * At most LP_QUEUES_MAX listeners are listed; the BPF programs count the others.
 */
#ifndef LOSTPEER_ACCEPT_QUEUES_H
#define LOSTPEER_ACCEPT_QUEUES_H

#include "base/clock.h"
#include "record.h"

#define ACCEPT_QUEUES_PATIENCE_NS (10 * CLOCK_SECOND)
#define ACCEPT_QUEUES_REPEAT_MAX_NS (320 * CLOCK_SECOND)

struct accept_queues;
struct early_calls;
struct kernel;

/* NULL when out of memory. */
struct accept_queues *accept_queues_new(struct kernel *kernel, const struct early_calls *calls);
void accept_queues_free(struct accept_queues *queues);

/* Lists a listener that existed before the agent, if its queue is full. */
void accept_queues_seed(struct accept_queues *queues, const struct lp_record *look);
/* Looks at the listed ones. now_ns: CLOCK_MONOTONIC. */
void accept_queues_tick(struct accept_queues *queues, __u64 now_ns);
__u64 accept_queues_deadline(const struct accept_queues *queues); /* CLOCK_MONOTONIC; 0: nothing is listed */

#endif
