/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sockets of an end. */
#ifndef LOSTPEER_DEMO_SOCK_H
#define LOSTPEER_DEMO_SOCK_H

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* A TCP socket, or -1: the next call with it then fails and reports that. No program that the end runs inherits it. */
static inline int sock_new(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Drops every packet for the socket before TCP sees it. Returns 0, or -1 with errno. */
static inline int sock_drop_all(int fd)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &drop};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* where: dotted, NULL for any; port in host byte order. */
static inline struct sockaddr_in sock_address(const char *where, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (where)
		inet_pton(AF_INET, where, &address.sin_addr);
	return address;
}

#endif
