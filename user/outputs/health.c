/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/health.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 5000
#define LOOK_MS 20 /* whether it was given up */

struct health_desk {
	int fd;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t answered;
	__u64 asked, answers; /* so many: each answer is for all that asked before it */
	bool closed;
	struct health last;
};

struct health_desk *health_new(void)
{
	struct health_desk *d = calloc(1, sizeof(*d));
	pthread_condattr_t monotonic;

	if (!d)
		return NULL;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->answered, &monotonic);
	d->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->fd < 0) {
		free(d);
		return NULL;
	}
	return d;
}

void health_free(struct health_desk *d)
{
	if (!d)
		return;
	close(d->fd);
	free(d);
}

bool health_ask(struct health_desk *d, struct health *health, const bool *given_up)
{
	unsigned looks = PATIENCE_MS / LOOK_MS;
	struct timespec until;
	uint64_t one = 1;
	bool known;
	__u64 mine;

	pthread_mutex_lock(&d->lock);
	mine = ++d->asked;
	if (!d->closed && write(d->fd, &one, sizeof(one)) != sizeof(one))
		looks = 0;
	while (!d->closed && d->answers < mine && looks && !__atomic_load_n(given_up, __ATOMIC_RELAXED)) {
		until = clock_timespec(clock_monotonic_ns() + LOOK_MS * CLOCK_MS);
		if (pthread_cond_timedwait(&d->answered, &d->lock, &until))
			looks--;
	}
	known = d->answers >= mine;
	if (known)
		memcpy(health, &d->last, sizeof(*health));
	pthread_mutex_unlock(&d->lock);
	return known;
}

int health_fd(const struct health_desk *d)
{
	return d->fd;
}

void health_answer(struct health_desk *d, void (*fill)(void *context, struct health *health), void *context)
{
	uint64_t times;

	pthread_mutex_lock(&d->lock);
	if (read(d->fd, &times, sizeof(times)) == sizeof(times)) {
		memset(&d->last, 0, sizeof(d->last));
		fill(context, &d->last);
		d->answers = d->asked;
		pthread_cond_broadcast(&d->answered);
	}
	pthread_mutex_unlock(&d->lock);
}

void health_close(struct health_desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->closed = true;
	pthread_cond_broadcast(&d->answered);
	pthread_mutex_unlock(&d->lock);
}
