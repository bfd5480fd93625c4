/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RFC 5424 to a local or UDP listener such as rsyslog, which provides TLS, TCP and a spool. */
#include "outputs/datagram.h"

#define PORT 514

static const struct option_spec keys[] = {
	{"address", "ADDRESS[:PORT]|PATH", "where the listener is: of UDP, or a Unix datagram socket", endpoint_set,
	 .least = PORT},
};

const struct output_ops output_syslog = {
	.name = "syslog",
	.help = "RFC 5424, to a listener such as rsyslog",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct endpoint),
	.target = endpoint_target,
	.check = endpoint_check,
	.format = format_syslog,
	.open = datagram_open,
	.write = datagram_write,
	.close = datagram_close,
};
