/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's clocks, and their conversion to wall time. All times are in nanoseconds.
 *
 * In a time namespace, where this process sees its own CLOCK_MONOTONIC and CLOCK_BOOTTIME, these are the host's: BPF
 * programs and the records have no others. What waits until such a time goes through clock_until().
 */
#ifndef LOSTPEER_CLOCK_H
#define LOSTPEER_CLOCK_H

#include <asm/types.h>
#include <stddef.h>
#include <time.h>

#define CLOCK_US 1000ULL
#define CLOCK_MS 1000000ULL
#define CLOCK_SECOND 1000000000ULL

__u64 clock_monotonic_ns(void);
__u64 clock_realtime_ns(void);
__u64 clock_cpu_ns(void); /* that this thread has used */

static inline struct timespec clock_timespec(__u64 ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_SECOND), .tv_nsec = (long)(ns % CLOCK_SECOND)};
}

/* A time of clock_monotonic_ns() for timers and waits of this process; 0 stays 0. */
struct timespec clock_until(__u64 monotonic_ns);

/* The start of a process in /proc/PID/stat, which has this process's CLOCK_BOOTTIME, and back. */
__u64 clock_boot_from_proc(__u64 ns);
__u64 clock_proc_from_boot(__u64 boot_ns);

/* The earlier of two deadlines, each 0 if nothing is due. */
static inline __u64 clock_earlier(__u64 one, __u64 other)
{
	return other && (!one || other < one) ? other : one;
}

static inline __u64 clock_later(__u64 one, __u64 other)
{
	return one > other ? one : other;
}

/* CLOCK_BOOTTIME - CLOCK_MONOTONIC: the time that the host was suspended. */
__u64 clock_boot_ahead_ns(void);

/* Converts a recent CLOCK_MONOTONIC time to CLOCK_REALTIME. */
__u64 clock_wall_from_monotonic(__u64 monotonic_ns);
/* Converts CLOCK_BOOTTIME (a task's start) to CLOCK_REALTIME. The result is stable until the clock is set. */
__u64 clock_wall_from_boot(__u64 boot_ns);

/* The length of one jiffy, which is the resolution of the coarse clocks. */
double clock_jiffy_ms(void);

#define CLOCK_TEXT_LEN 32
/* "2026-11-22T12:01:02.123456789Z" */
void clock_format_utc(__u64 realtime_ns, char text[CLOCK_TEXT_LEN]);
/* "12:01:02.123", local time */
void clock_format_local(__u64 realtime_ns, char text[CLOCK_TEXT_LEN]);

#endif
