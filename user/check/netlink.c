/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/netlink.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

/* 1 at the last message, 0 before, or a negative errno. */
static int take_messages(const char *buffer, size_t n, netlink_take *take, void *context)
{
	const struct nlmsghdr *h;
	int err = 0;

	for (size_t at = 0; !err && at + sizeof(*h) <= n; at += NLMSG_ALIGN(h->nlmsg_len)) {
		h = (const struct nlmsghdr *)(buffer + at);
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n - at)
			return -EBADMSG;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)(h + 1))->error ?: -EIO;
		err = take(context, h);
	}
	return err;
}

int netlink_dump(int fd, const void *request, size_t size, netlink_take *take, void *context)
{
	static char buffer[65536] __attribute__((aligned(8)));
	int err = send(fd, request, size, 0) == (ssize_t)size ? 0 : -errno;
	ssize_t n;

	while (!err) {
		n = recv(fd, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		err = take_messages(buffer, (size_t)n, take, context);
	}
	return err == 1 ? 0 : err;
}
