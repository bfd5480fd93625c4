/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/ledger.h"

#include <stdio.h>

void ledger_say(const char *title, struct ledger l)
{
	__u64 lost = l.ring_full + l.output_full + l.write_failed + l.stopped;

	fprintf(stderr,
		"lostpeer: %s%s%llu emitted = %llu written + %llu filtered + %llu grouped + %llu lost + %llu "
		"pending",
		title, *title ? ": " : "", l.emitted, l.written, l.filtered, l.grouped, lost, l.pending);
	if (lost)
		fprintf(stderr, " (lost: %llu ring_full, %llu output_full, %llu write_failed, %llu stopped)",
			l.ring_full, l.output_full, l.write_failed, l.stopped);
	fprintf(stderr, "\n");
}
