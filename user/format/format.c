/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"

/* inet_ntop(3) calls printf, which is slow. */
static void format_ipv4(const __u8 bytes[4], char text[FORMAT_ADDRESS_LEN])
{
	for (int i = 0; i < 4; i++) {
		text += number_format(bytes[i], text);
		*text++ = i < 3 ? '.' : '\0';
	}
}

/* The address alone does not tell which link it is of. The name comes from outside. */
static void put_zone(const struct lp_socket *s, const __u8 bytes[16], char *text)
{
	size_t room = FORMAT_ADDRESS_LEN - strlen(text);

	if (!s->interface || !address_is_link_local(address_of(AF_INET6, bytes)))
		return;
	if (*s->interface_name)
		snprintf(text + strlen(text), room, "%%%s", s->interface_name);
	else
		snprintf(text + strlen(text), room, "%%%u", s->interface);
}

bool format_address(const struct lp_socket *s, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN])
{
	bool mapped = data_is_mapped(s), ipv6 = s->family == AF_INET6 && !mapped;

	if (!ipv6) {
		format_ipv4(mapped ? bytes + 12 : bytes, text);
		return false;
	}
	inet_ntop(AF_INET6, bytes, text, FORMAT_ADDRESS_LEN);
	put_zone(s, bytes, text);
	return true;
}
