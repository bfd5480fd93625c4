/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The event loop of a thread: a callback for each descriptor, timer, signal and wake-up by another thread. */
#ifndef LOSTPEER_LOOP_H
#define LOSTPEER_LOOP_H

#include <asm/types.h>

struct loop;

/* what: EPOLLIN and the like; the number of a signal. */
typedef void loop_ready(void *context, unsigned what);

/* NULL: errno says why. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Waits, then makes the callback of each that is ready. 0 or a negative errno. */
int loop_turn(struct loop *loop);

/* The caller keeps the descriptor, and takes it out of the loop by closing it. 0 or a negative errno. */
int loop_add(struct loop *loop, int fd, unsigned events, loop_ready *ready, void *context);
/* From any thread. */
void loop_change(struct loop *loop, int fd, unsigned events);

/* The loop reads from these and closes them. ready: NULL if it is enough that the turn ends. A descriptor, or a negative
 * errno. */
int loop_add_event(struct loop *loop, loop_ready *ready, void *context);
int loop_add_timer(struct loop *loop, loop_ready *ready, void *context);
/* signals: ends with 0. Blocks them in this thread. */
int loop_add_signals(struct loop *loop, const int *signals, loop_ready *ready, void *context);

/* From any thread. */
void loop_wake(int event);
/* CLOCK_MONOTONIC; 0: never. */
void loop_set_timer(int timer, __u64 at_ns);

#endif
