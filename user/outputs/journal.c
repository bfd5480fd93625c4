/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * systemd's journal, by its native socket. No libsystemd: sd_journal_sendv() reports success even if no journald
 * listens, and lostpeer would count the event as written.
 */
#include "outputs/datagram.h"

#include "base/clock.h"

#define SOCKET "/run/systemd/journal/socket"

/* The defaults for a terminal, since people read the journal. */
#define GROUP_NS (5 * CLOCK_SECOND)
#define RATE 20

static const struct option_spec keys[] = {
	{"socket", "PATH", "the journal's socket, of a namespace of journald too (" SOCKET ")", endpoint_set,
	 .wrong = "not a path that begins with /"},
};

static const char *check(void *context)
{
	struct endpoint *to = context;

	return to->length ? NULL : endpoint_parse(SOCKET, 0, to);
}

const struct output_ops output_journal = {
	.name = "journal",
	.help = "systemd's journal",
	.keys = OPTION_GROUP(keys),
	.settings_size = sizeof(struct endpoint),
	.target = endpoint_target,
	.check = check,
	.format = format_journal,
	.group_ns = GROUP_NS,
	.rate = RATE,
	.open = datagram_open,
	.write = datagram_write,
	.close = datagram_close,
};
