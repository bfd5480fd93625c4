/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer_silent and peer_back: connections whose data has waited for an acknowledgement past a threshold, and those of
 * them that got it after all.
 *
 * The BPF programs list sockets whose retransmission timer ran out, and wake the agent for the first (bpf/silent.h). At
 * the threshold the agent looks at the socket: mostly it has recovered, and is forgotten. Otherwise there is an event,
 * and a look twice a second until the data is acknowledged or the connection is over. If nothing is listed, there is no
 * deadline.
 *
 * At most LP_SILENT_MAX sockets are listed; the BPF programs count the others.
 */
#ifndef LOSTPEER_SILENT_PEERS_H
#define LOSTPEER_SILENT_PEERS_H

#include "record.h"

struct early_calls;
struct event;
struct kernel;
struct silent_peers;

/* NULL when out of memory. */
struct silent_peers *silent_peers_new(struct kernel *kernel, __u64 after_ns, const struct early_calls *calls);
void silent_peers_free(struct silent_peers *silent);

/* Lists a socket that existed before the agent, if its data waits. */
void silent_peers_seed(struct silent_peers *silent, const struct lp_record *look);
/* Looks at the sockets that are due. now_ns: CLOCK_MONOTONIC. */
void silent_peers_tick(struct silent_peers *silent, __u64 now_ns);
__u64 silent_peers_deadline(const struct silent_peers *silent); /* CLOCK_MONOTONIC; 0: nothing is listed */
/* The search for the owner of a peer_silent or a peer_back is over. A process that held the connection while the peer
 * was silent, and is gone since, owns the peer_back too. */
void silent_peers_note(struct silent_peers *silent, struct event *event);
/* Connections whose peer is silent at the moment. */
unsigned silent_peers_count(const struct silent_peers *silent);

#endif
