/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the owner of a stray: data that a peer sends for a connection whose socket is gone, and that the kernel answers
 * with a RST (bpf/ended.h). Closes that came as records are remembered here, with their cause and, once known, their
 * owner; the BPF programs remember the orderly ones that made no record, in slots that both sides share. A stray waits
 * RECENTLY_CLOSED_WAIT_NS, so that a close just before it has been judged.
 *
 * The last RECENTLY_CLOSED_JUDGED closes are remembered here and LP_ENDED there; the owner of an older one is unknown.
 * At most RECENTLY_CLOSED_WAITING strays wait; a new one then pushes the oldest out.
 */
#ifndef LOSTPEER_RECENTLY_CLOSED_H
#define LOSTPEER_RECENTLY_CLOSED_H

#include <stdbool.h>

#include "base/clock.h"
#include "event/event.h"
#include "record.h"

#define RECENTLY_CLOSED_WAIT_NS (20 * CLOCK_MS)
#define RECENTLY_CLOSED_JUDGED 4096
#define RECENTLY_CLOSED_WAITING 256

struct recently_closed;

/* The BPF programs write meanwhile: false if the slot is empty, or was written to. */
bool recently_closed_read(const struct lp_ended *slot, struct lp_ended *copy);

/* How the connection of a stray ended. */
struct recently_closed_end {
	struct lp_ended ended; /* time_ns 0: not remembered */
	enum lp_cause cause;   /* CAUSE_NONE: not known */
	enum owner_via via;    /* of ended.owner */
};

typedef void recently_closed_done(void *context, struct event *stray, const struct recently_closed_end *end);

/* slots: the LP_ENDED slots of the BPF programs. NULL when out of memory. */
struct recently_closed *recently_closed_new(const struct lp_ended *slots, recently_closed_done *done, void *context);
void recently_closed_free(struct recently_closed *gone);

/* Remembers a LP_KIND_CLOSE when it is judged, and again when its owner is known. */
void recently_closed_note(struct recently_closed *gone, const struct event *event);

/* Takes a stray, an event of LP_KIND_STRAY; recently_closed_tick() hands it back through done. */
void recently_closed_add(struct recently_closed *gone, struct event *stray);
/* Hands back the strays that waited long enough. now_ns: CLOCK_MONOTONIC. */
void recently_closed_tick(struct recently_closed *gone, __u64 now_ns);
/* Hands back every stray. */
void recently_closed_finish(struct recently_closed *gone);

__u64 recently_closed_deadline(const struct recently_closed *gone); /* CLOCK_MONOTONIC; 0: nothing waits */
unsigned recently_closed_count(const struct recently_closed *gone);

/* Whether data after such an end is worth reporting. It is not if a RST ended the connection, because data in flight
 * crosses a RST as a matter of course. */
bool recently_closed_is_news(const struct recently_closed_end *end);
/* Whether an application had closed the connection, so that this host could not take more data. Otherwise the kernel
 * gave it up while a process held it, or nothing is remembered: there may never have been a connection. */
bool recently_closed_by_us(const struct recently_closed_end *end);

#endif
