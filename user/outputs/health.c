/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/health.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define PATIENCE_MS 5000
#define CHECK_MS 20 /* how often to check *given_up */

struct health_desk {
	int event; /* wakes the loop when a thread asks */
	health_fill *fill;
	void *context;
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t answered;
	__u64 asked, answers; /* each answer serves all who asked before it */
	bool closed;
	struct health last;
};

static void answer(void *desk, unsigned unused)
{
	struct health_desk *d = desk;

	(void)unused;
	pthread_mutex_lock(&d->lock);
	memset(&d->last, 0, sizeof(d->last));
	d->fill(d->context, &d->last);
	d->answers = d->asked;
	pthread_cond_broadcast(&d->answered);
	pthread_mutex_unlock(&d->lock);
}

struct health_desk *health_new(struct loop *loop, health_fill *fill, void *context)
{
	struct health_desk *d = calloc(1, sizeof(*d));
	pthread_condattr_t monotonic;

	if (!d)
		return NULL;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->answered, &monotonic);
	d->fill = fill;
	d->context = context;
	d->event = loop_add_event(loop, answer, d);
	if (d->event >= 0)
		return d;
	free(d);
	return NULL;
}

void health_free(struct health_desk *d)
{
	free(d);
}

bool health_ask(struct health_desk *d, struct health *health, const bool *given_up)
{
	unsigned checks = PATIENCE_MS / CHECK_MS;
	struct timespec until;
	bool known;
	__u64 mine;

	pthread_mutex_lock(&d->lock);
	mine = ++d->asked;
	if (!d->closed)
		loop_wake(d->event);
	while (!d->closed && d->answers < mine && checks && !__atomic_load_n(given_up, __ATOMIC_RELAXED)) {
		until = clock_until(clock_monotonic_ns() + CHECK_MS * CLOCK_MS);
		if (pthread_cond_timedwait(&d->answered, &d->lock, &until))
			checks--;
	}
	known = d->answers >= mine;
	if (known)
		memcpy(health, &d->last, sizeof(*health));
	pthread_mutex_unlock(&d->lock);
	return known;
}

void health_close(struct health_desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->closed = true;
	pthread_cond_broadcast(&d->answered);
	pthread_mutex_unlock(&d->lock);
}
