/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clocks: the kernel's monotonic times as wall time, start times as /proc counts them, jiffies. */
#ifndef LOSTPEER_CLOCK_H
#define LOSTPEER_CLOCK_H

#include <asm/types.h>
#include <stddef.h>

__u64 clock_monotonic_ns(void);
__u64 clock_realtime_ns(void);

/* CLOCK_BOOTTIME - CLOCK_MONOTONIC: the time that the host was suspended. */
__u64 clock_boot_ahead_ns(void);

/* CLOCK_MONOTONIC of a moment not long ago as CLOCK_REALTIME. */
__u64 clock_wall_from_monotonic(__u64 monotonic_ns);
/* CLOCK_BOOTTIME (a task's start) as CLOCK_REALTIME. Steady for one boot as long as the clock is not set. */
__u64 clock_wall_from_boot(__u64 boot_ns);

/* One jiffy: the resolution of the coarse clocks is the kernel's tick. */
double clock_jiffy_ms(void);

#define CLOCK_TEXT_LEN 32
/* "2026-11-22T12:01:02.123456789Z" */
void clock_format_utc(__u64 realtime_ns, char text[CLOCK_TEXT_LEN]);
/* "12:01:02.123", local time */
void clock_format_local(__u64 realtime_ns, char text[CLOCK_TEXT_LEN]);

#endif
