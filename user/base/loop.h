/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A thread's event loop, with a callback for each descriptor, timer, signal and wake-up by another thread. */
#ifndef LOSTPEER_LOOP_H
#define LOSTPEER_LOOP_H

#include <asm/types.h>

struct loop;

/* what: EPOLLIN and the like, or the number of a signal. */
typedef void loop_ready(void *context, unsigned what);

/* NULL: see errno. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Waits, then calls back for each source that is ready. 0 or a negative errno. */
int loop_turn(struct loop *loop);

/* The caller keeps the descriptor, and removes it from the loop by closing it. 0 or a negative errno. */
int loop_add(struct loop *loop, int fd, unsigned events, loop_ready *ready, void *context);
/* From any thread. */
void loop_change(struct loop *loop, int fd, unsigned events);

/* The loop reads and closes these descriptors. ready: NULL if it is enough that the turn ends. Returns the descriptor,
 * or a negative errno. */
int loop_add_event(struct loop *loop, loop_ready *ready, void *context);
int loop_add_timer(struct loop *loop, loop_ready *ready, void *context);
/* signals: ends with 0. Blocks them in this thread. */
int loop_add_signals(struct loop *loop, const int *signals, loop_ready *ready, void *context);

/* From any thread. */
void loop_wake(int event);
/* CLOCK_MONOTONIC; 0: never. */
void loop_set_timer(int timer, __u64 at_ns);

#endif
