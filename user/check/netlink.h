/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A netlink dump: one request, and every message of the answer. */
#ifndef LOSTPEER_NETLINK_H
#define LOSTPEER_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>

/* Takes one message. Returns 0 or a negative errno, which ends the dump. */
typedef int netlink_take(void *context, const struct nlmsghdr *message);

/* size: of the whole request, header included. Returns 0 or a negative errno: of the socket, of the kernel's answer, or
 * of `take`; -EBADMSG if a message is cut. */
int netlink_dump(int fd, const void *request, size_t size, netlink_take *take, void *context);

#endif
