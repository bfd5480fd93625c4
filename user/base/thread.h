/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Threads that block all signals, which the main thread reads from its signalfd. Only SIGSYS stays unblocked, because
 * the kernel kills the process if it is blocked (privilege.h). */
#ifndef LOSTPEER_THREAD_H
#define LOSTPEER_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Call these around library functions that start threads: the threads inherit the mask. */
void thread_mask(sigset_t *before);
void thread_unmask(const sigset_t *before);
/* 0 or a negative errno. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
