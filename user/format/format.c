/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/format.h"

#include <arpa/inet.h>

#include "base/number.h"

/* inet_ntop(3) calls printf, which is slow. */
static void format_ipv4(const __u8 bytes[4], char text[FORMAT_ADDRESS_LEN])
{
	for (int i = 0; i < 4; i++) {
		text += number_format(bytes[i], text);
		*text++ = i < 3 ? '.' : '\0';
	}
}

bool format_address(const struct lp_record *r, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN])
{
	bool mapped = data_is_mapped(&r->socket);

	if (r->socket.family == AF_INET)
		format_ipv4(bytes, text);
	else if (mapped)
		format_ipv4(bytes + 12, text);
	else
		inet_ntop(AF_INET6, bytes, text, FORMAT_ADDRESS_LEN);
	return r->socket.family == AF_INET6 && !mapped;
}
