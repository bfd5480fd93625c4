/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The resources that this process uses. */
#ifndef LOSTPEER_SELF_USAGE_H
#define LOSTPEER_SELF_USAGE_H

#include <asm/types.h>

struct self_usage {
	double cpu_seconds;
	__u64 resident_bytes;
	__u64 start_ns; /* CLOCK_REALTIME */
};

/* 0 or a negative errno. */
int self_usage_read(struct self_usage *usage);

#endif
