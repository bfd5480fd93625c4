/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/thread.h"

void thread_mask(sigset_t *before)
{
	sigset_t most;

	sigfillset(&most);
	sigdelset(&most, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &most, before);
}

void thread_unmask(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
	sigset_t before;
	int err;

	thread_mask(&before);
	err = pthread_create(thread, NULL, run, context);
	thread_unmask(&before);
	return -err;
}
