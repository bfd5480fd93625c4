/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fate of every record at one output: emitted = written + filtered + grouped + lost + pending. */
#ifndef LOSTPEER_LEDGER_H
#define LOSTPEER_LEDGER_H

#include <asm/types.h>

struct ledger {
	__u64 emitted;
	__u64 written;
	__u64 filtered;
	__u64 grouped;
	__u64 ring_full; /* the four parts of lost */
	__u64 output_full;
	__u64 write_failed;
	__u64 stopped;
	__u64 pending;
};

/* Prints one line on stderr. title: the output's, or "" if there is only one. */
void ledger_say(const char *title, struct ledger ledger);

#endif
