/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sockets of an end. */
#ifndef LOSTPEER_DEMO_SOCK_H
#define LOSTPEER_DEMO_SOCK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* A TCP socket; -1 with errno, which the call that uses it then tells. No child of the end inherits it. */
static inline int sock_new(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
