/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"

#define BACKLOG 128

static int open_socket(const struct endpoint *at)
{
	int fd = socket(at->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -errno;
	if (at->address.ss_family != AF_UNIX) /* connections of the previous listener may still be in TIME_WAIT */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

/* Whether the socket's file was left by a process that is gone. */
static bool is_stale(const struct endpoint *at)
{
	struct stat st;
	int fd, err;

	if (lstat(endpoint_path(at), &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = open_socket(at);
	if (fd < 0)
		return false;
	err = connect(fd, (const struct sockaddr *)&at->address, at->length) ? errno : 0;
	close(fd);
	return err == ECONNREFUSED;
}

int listener_open(const struct endpoint *at, unsigned mode)
{
	const struct sockaddr *address = (const struct sockaddr *)&at->address;
	const char *path = endpoint_path(at);
	int fd = open_socket(at), err;

	if (fd < 0)
		return fd;
	if (*path) /* so that bind() never creates the file with a wider mode; the umask may narrow it */
		fchmod(fd, mode);
	err = bind(fd, address, at->length) ? -errno : 0;
	if (err == -EADDRINUSE && *path && is_stale(at) && !unlink(path))
		err = bind(fd, address, at->length) ? -errno : 0;
	if (!err && *path && chmod(path, mode))
		err = -errno;
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}
