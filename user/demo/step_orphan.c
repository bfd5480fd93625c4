/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Too many orphans. tcp_max_orphans is one number for the whole host, so the demo lowers it only with --whole-host, and
 * only while one socket is closed. The kernel's own count is rough. Before 5.15 it counts per CPU and in batches, so
 * this makes many orphans. Since 5.15 a timer renews the count every 0.1 s, but does not wake an idle CPU for it.
 */
#include "demo/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "demo/end.h"
#include "demo/orphan.h"
#include "demo/sock.h"

#define ASIDE_PORT (DEMO_PORT + 1) /* the row ignores events of these connections */
#define ORPHANS_PER_CPU 64         /* percpu_counter_batch is 32, or twice the CPUs if that is more */
#define TRIES_MAX 1000             /* of at least 20 ms each */

static int limit_fd = -1; /* tcp_max_orphans of the host */
static long limit;        /* its value before the demo */

int step_listen_aside(struct end *self, const struct step *step)
{
	struct sockaddr_in address = sock_address(NULL, ASIDE_PORT);
	int fd = sock_new(); /* kept until the process ends */

	(void)step;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, SOMAXCONN) < 0)
		return end_fail(self, "listen: %s", strerror(errno));
	return STEP_DONE;
}

/* An orphan lasts until its FIN is acknowledged, so it drops everything that comes in. */
static int make_orphan(struct end *self)
{
	struct sockaddr_in address = sock_address(end_address(self->peer), ASIDE_PORT);
	int fd = sock_new();
	int result = STEP_DONE;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || sock_drop_all(fd) < 0)
		result = end_fail(self, "orphan: %s", strerror(errno));
	close(fd);
	return result;
}

static int limit_set(long value)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", value);

	return pwrite(limit_fd, text, (size_t)n, 0) == n ? 0 : -errno;
}

/* Orphans of this namespace: only they are connected to ASIDE_PORT. */
static unsigned int orphans_left(void)
{
	FILE *file = fopen("/proc/self/net/tcp", "re");
	unsigned int peer_port, count = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %*x:%*x %*x:%x", &peer_port) == 1 && peer_port == ASIDE_PORT)
			count++;
	if (file)
		fclose(file);
	return count;
}

/* Makes one more orphan while none is allowed. If that one does not last, the kernel has counted the others. */
static int kernel_counts(struct end *self, bool *counts)
{
	unsigned int before = orphans_left();
	int err = limit_fd < 0 ? -ENOENT : limit_set(0);
	int result;

	if (err) {
		end_fail(self, "tcp_max_orphans cannot be set here: %s", strerror(-err));
		return STEP_SKIP;
	}
	result = make_orphan(self);
	limit_set(limit);
	*counts = orphans_left() <= before;
	return result;
}

int step_make_orphans(struct end *self, const struct step *step)
{
	long count = ORPHANS_PER_CPU * sysconf(_SC_NPROCESSORS_CONF);
	int result = STEP_DONE;
	bool counts = false;

	(void)step;
	while (!result && count-- > 0)
		result = make_orphan(self);
	for (int tries = 0; !result && !counts && tries < TRIES_MAX; tries++) {
		nanosleep(&(struct timespec){.tv_nsec = 20 * CLOCK_MS}, NULL);
		result = kernel_counts(self, &counts);
	}
	if (result || counts)
		return result;
	end_fail(self, "the kernel does not come to count its orphans");
	return STEP_SKIP;
}

int step_close_without_orphans(struct end *self, const struct step *step)
{
	(void)step;
	limit_set(0);
	close(self->fd);
	self->fd = -1;
	limit_set(limit);
	return STEP_DONE;
}

int orphan_limit_open(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/net/ipv4/tcp_max_orphans", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%ld", &limit) != 1) {
		close(fd);
		return -EIO;
	}
	limit_fd = fd;
	return 0;
}

void orphan_limit_close(void)
{
	if (limit_fd < 0)
		return;
	limit_set(limit);
	close(limit_fd);
	limit_fd = -1;
}
