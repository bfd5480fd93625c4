/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the feeds ask of the one output whose readers come and go, each with filters of its own. All of it is for the main
 * thread, and never waits. */
#ifndef LOSTPEER_SUBSCRIBERS_H
#define LOSTPEER_SUBSCRIBERS_H

#include <asm/types.h>

struct audience;
struct server; /* the state of output_subscribers */

/* Who reads it as of now; until it is asked again. */
const struct audience *subscribers_ask(struct server *server);
/* What the audience of this generation wants is reported from this time (CLOCK_REALTIME) on. */
void subscribers_confirm(struct server *server, __u64 generation, __u64 wall_ns);
/* Nothing more is put in. */
void subscribers_retire(struct server *server);
/* Of the events that count as written, how many went to nobody after all. */
__u64 subscribers_unwanted(struct server *server);

#endif
