/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the feeds see the subscription socket, the one output whose readers come and go, each with its own filters. For
 * the main thread; nothing here blocks. */
#ifndef LOSTPEER_SUBSCRIBERS_H
#define LOSTPEER_SUBSCRIBERS_H

#include <asm/types.h>

struct audience;
struct server; /* the state of output_subscribers */

/* The current readers. Valid until the next call. */
const struct audience *subscribers_ask(struct server *server);
/* Events that the audience of this generation wants are reported from this time on (CLOCK_REALTIME). */
void subscribers_confirm(struct server *server, __u64 generation, __u64 wall_ns);
/* No more events will follow. */
void subscribers_retire(struct server *server);
/* How many of the events counted as written no reader wanted. */
__u64 subscribers_unwanted(struct server *server);

#endif
