/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of both families in one comparable form, because an IPv6 socket may exchange IPv4 segments. */
#ifndef LOSTPEER_ADDRESS_H
#define LOSTPEER_ADDRESS_H

#include <asm/types.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

struct address {
	__u8 bytes[16]; /* IPv4: v4-mapped */
};

/* bytes: 4 for AF_INET, else 16. */
static inline struct address address_of(int family, const __u8 *bytes)
{
	struct address a = {{[10] = 0xff, [11] = 0xff}};

	memcpy(family == AF_INET ? a.bytes + 12 : a.bytes, bytes, family == AF_INET ? 4 : 16);
	return a;
}

static inline bool address_is_same(struct address a, struct address b)
{
	return !memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

/* fe80::/10 */
static inline bool address_is_link_local(struct address a)
{
	return a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80;
}

/* True for plain and for mapped IPv4 addresses. */
static inline bool address_is_v4(struct address a)
{
	return address_is_same(a, address_of(AF_INET, a.bytes + 12));
}

#endif
