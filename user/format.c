/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format.h"

#include <arpa/inet.h>

bool format_address(const struct lp_record *r, const __u8 bytes[16], char text[FORMAT_ADDRESS_LEN])
{
	bool mapped = data_is_mapped(r);

	if (r->family == AF_INET)
		inet_ntop(AF_INET, bytes, text, FORMAT_ADDRESS_LEN);
	else if (mapped)
		inet_ntop(AF_INET, bytes + 12, text, FORMAT_ADDRESS_LEN);
	else
		inet_ntop(AF_INET6, bytes, text, FORMAT_ADDRESS_LEN);
	return r->family == AF_INET6 && !mapped;
}
