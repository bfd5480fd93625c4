/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/step.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "demo/end.h"
#include "demo/sock.h"

/* The connection's socket; before it exists, the listener, from which it inherits options; else a new socket that will
 * connect. */
static int own_socket(struct end *self)
{
	if (self->fd < 0 && self->listener < 0)
		self->fd = sock_new();
	return self->fd >= 0 ? self->fd : self->listener;
}

static int set(struct end *self, int level, int option, const void *value, size_t size, const char *name)
{
	if (setsockopt(own_socket(self), level, option, value, (socklen_t)size) < 0)
		return end_fail(self, "%s: %s", name, strerror(errno));
	return STEP_DONE;
}

int step_linger0(struct end *self, const struct step *step)
{
	struct linger linger = {.l_onoff = 1};

	(void)step;
	return set(self, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger), "SO_LINGER");
}

int step_option(struct end *self, const struct step *step)
{
	int value = (int)step->arg;

	return set(self, IPPROTO_TCP, step->option, &value, sizeof(value), "TCP option");
}

int step_keepalive(struct end *self, const struct step *step)
{
	int seconds = (int)step->arg, probes = 2, on = 1;
	int result;

	result = set(self, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds), "TCP_KEEPIDLE");
	if (!result)
		result = set(self, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds), "TCP_KEEPINTVL");
	if (!result)
		result = set(self, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes), "TCP_KEEPCNT");
	if (!result)
		result = set(self, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on), "SO_KEEPALIVE");
	return result;
}

int step_small_buffers(struct end *self, const struct step *step)
{
	int bytes = 4096;
	int result = set(self, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes), "SO_SNDBUF");

	(void)step;
	return result ? result : set(self, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes), "SO_RCVBUF");
}

int step_deaf(struct end *self, const struct step *step)
{
	(void)step;
	if (sock_drop_all(own_socket(self)) < 0)
		return end_fail(self, "SO_ATTACH_FILTER: %s", strerror(errno));
	return STEP_DONE;
}

int step_hear(struct end *self, const struct step *step)
{
	int unused = 0;

	(void)step;
	return set(self, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused), "SO_DETACH_FILTER");
}
