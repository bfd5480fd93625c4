/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Early warning: who has waited for an acknowledgement past a threshold, and who was acknowledged after that.
 *
 * The kernel side lists sockets whose retransmission timer ran out, and wakes the agent for the first (bpf/silent.h).
 * When one has waited long enough it is looked at: mostly it has recovered, and is forgotten. Else it is told, and looked
 * at twice a second until its data is acknowledged or it ends. With nothing listed there is no deadline.
 *
 * Bounded by the list, LP_SILENT_MAX: what finds no room is counted there. So many are told at once, the others a moment
 * later.
 */
#ifndef LOSTPEER_SILENT_PEERS_H
#define LOSTPEER_SILENT_PEERS_H

#include "record.h"

struct early_calls;
struct kernel;
struct silent_peers;

/* NULL when out of memory. */
struct silent_peers *silent_peers_new(struct kernel *kernel, __u64 after_ns, const struct early_calls *calls);
void silent_peers_free(struct silent_peers *silent);

/* A socket that existed before the agent, which is listed if its data waits. */
void silent_peers_seed(struct silent_peers *silent, const struct lp_record *look);
/* Looks at what is due. now_ns: CLOCK_MONOTONIC. */
void silent_peers_tick(struct silent_peers *silent, __u64 now_ns);
__u64 silent_peers_deadline(const struct silent_peers *silent); /* CLOCK_MONOTONIC; 0: nothing is listed */
/* Connections whose peer is silent by now. */
unsigned silent_peers_count(const struct silent_peers *silent);

#endif
