/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Room for the longest entry (line.h); this host's default may be smaller. */
#define SEND_BUFFER (256 * 1024)

struct datagram {
	int fd; /* -1: not open yet */
	struct endpoint to;
};

/* Only a connected UDP socket learns of refusals. A Unix socket is addressed by path for each datagram, because a
 * restarted listener has a new socket at the same path. */
static int open_socket(struct datagram *d)
{
	int family = d->to.address.ss_family, room = SEND_BUFFER, err;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (family != AF_UNIX && connect(fd, (const struct sockaddr *)&d->to.address, d->to.length)) {
		err = -errno;
		close(fd);
		return err;
	}
	d->fd = fd;
	return 0;
}

int datagram_open(void **state, const void *settings, const struct output_agent *agent)
{
	struct datagram *d = calloc(1, sizeof(*d));
	int err;

	(void)agent;
	if (!d)
		return -ENOMEM;
	d->fd = -1;
	d->to = *(const struct endpoint *)settings;
	err = open_socket(d);
	if (err && err != -ENETUNREACH && err != -EHOSTUNREACH) { /* temporary: at boot there is no route yet */
		free(d);
		return err;
	}
	*state = d;
	return 0;
}

/* A listener on this host has refused before send() returns. */
static int pending_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) ? errno : error;
}

static int send_one(struct datagram *d, const struct iovec *entry)
{
	bool connected = d->to.address.ss_family != AF_UNIX;
	const struct sockaddr *to = connected ? NULL : (const struct sockaddr *)&d->to.address;
	ssize_t n;

	do
		n = sendto(d->fd, entry->iov_base, entry->iov_len, MSG_NOSIGNAL, to, to ? d->to.length : 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	return connected ? pending_error(d->fd) : 0;
}

size_t datagram_write(void *state, const struct iovec *entries, size_t n, int *error)
{
	struct datagram *d = state;
	int err = d->fd < 0 ? -open_socket(d) : 0;
	size_t out = 0;

	while (!err && out < n) {
		err = send_one(d, &entries[out]);
		out += !err;
	}
	*error = err;
	return out;
}

void datagram_close(void *state)
{
	struct datagram *d = state;

	if (d->fd >= 0)
		close(d->fd);
	free(d);
}
