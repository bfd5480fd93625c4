/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Threads that take no signals, which belong to the main thread's signalfd; but for SIGSYS (privilege.h),
 * which is deadly where it is blocked. */
#ifndef LOSTPEER_THREAD_H
#define LOSTPEER_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Around what makes threads by itself: these have the mask that is set meanwhile. */
void thread_mask(sigset_t *before);
void thread_unmask(const sigset_t *before);
/* 0 or a negative errno. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
