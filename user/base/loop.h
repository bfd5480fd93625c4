/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One thread's wait for descriptors, timers, signals and other threads, with a callback for each. */
#ifndef LOSTPEER_LOOP_H
#define LOSTPEER_LOOP_H

#include <asm/types.h>

struct loop;

/* What happened: EPOLLIN and the like; of signals, which. */
typedef void loop_ready(void *context, unsigned what);

/* NULL: errno says why. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Waits, and calls for each that is ready. 0 or a negative errno. */
int loop_turn(struct loop *loop);

/* The descriptor stays the caller's, and leaves the loop when it is closed. 0 or a negative errno. */
int loop_add(struct loop *loop, int fd, unsigned events, loop_ready *ready, void *context);
/* From any thread. */
void loop_change(struct loop *loop, int fd, unsigned events);

/* These are the loop's, which reads from them. ready: NULL if it is enough that the turn ends. A descriptor, or a
 * negative errno. */
int loop_add_event(struct loop *loop, loop_ready *ready, void *context);
int loop_add_timer(struct loop *loop, loop_ready *ready, void *context);
/* The last one is 0; they are blocked from now on. */
int loop_add_signals(struct loop *loop, const int *signals, loop_ready *ready, void *context);

/* From any thread: an event is ready. */
void loop_wake(int event);
/* CLOCK_MONOTONIC; 0: never. */
void loop_set_timer(int timer, __u64 at_ns);

#endif
