/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* --- time namespaces: time_namespaces(7) --- */

#define INITIAL_TIME_NS 0xeffffffau /* PROC_TIME_INIT_INO */

/* How far our clocks are ahead of the host's. */
static __u64 monotonic_ahead_ns, boot_ahead_ns;

static ino_t inode_of(const char *path)
{
	struct stat s;

	return stat(path, &s) ? 0 : s.st_ino;
}

/* The file shows the namespace that our children get: it is ours too, unless we are about to give them another. */
static bool offsets_are_ours(void)
{
	ino_t ours = inode_of("/proc/self/ns/time");

	return ours && ours != INITIAL_TIME_NS && ours == inode_of("/proc/self/ns/time_for_children");
}

static void __attribute__((constructor)) read_offsets(void)
{
	FILE *file = offsets_are_ours() ? fopen("/proc/self/timens_offsets", "re") : NULL;
	long long seconds, ns;
	char name[16];

	while (file && fscanf(file, "%15s %lld %lld", name, &seconds, &ns) == 3) {
		__u64 ahead_ns = (__u64)seconds * CLOCK_SECOND + (__u64)ns;

		if (!strcmp(name, "monotonic"))
			monotonic_ahead_ns = ahead_ns;
		else if (!strcmp(name, "boottime"))
			boot_ahead_ns = ahead_ns;
	}
	if (file)
		fclose(file);
}

struct timespec clock_until(__u64 monotonic_ns)
{
	__s64 ours = (__s64)(monotonic_ns + monotonic_ahead_ns);

	return clock_timespec(!monotonic_ns ? 0 : ours > 0 ? (__u64)ours : 1);
}

__u64 clock_boot_from_proc(__u64 ns)
{
	return ns - boot_ahead_ns;
}

__u64 clock_proc_from_boot(__u64 boot_ns)
{
	return boot_ns + boot_ahead_ns;
}

/* --- clocks --- */

/* As the host has it. */
static __u64 now_ns(clockid_t id)
{
	__u64 ahead_ns = id == CLOCK_MONOTONIC ? monotonic_ahead_ns : id == CLOCK_BOOTTIME ? boot_ahead_ns : 0;
	struct timespec t;

	clock_gettime(id, &t);
	return (__u64)t.tv_sec * CLOCK_SECOND + (__u64)t.tv_nsec - ahead_ns;
}

__u64 clock_monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

__u64 clock_cpu_ns(void)
{
	return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

__u64 clock_realtime_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

/* How far `clock` is ahead of `base`. The two cannot be read at the same instant, so this takes the fastest of a few
 * tries, which takes under a microsecond unless every try was preempted. */
static __u64 ahead(clockid_t clock, clockid_t base)
{
	__u64 best = 0, shortest = ~0ULL, before, at, took;

	for (int i = 0; i < 10 && shortest > CLOCK_US; i++) {
		before = now_ns(base);
		at = now_ns(clock);
		took = now_ns(base) - before;
		if (took >= shortest)
			continue;
		shortest = took;
		best = at - before - took / 2;
	}
	return best;
}

__u64 clock_boot_ahead_ns(void)
{
	return ahead(CLOCK_BOOTTIME, CLOCK_MONOTONIC);
}

__u64 clock_wall_from_monotonic(__u64 monotonic_ns)
{
	return ahead(CLOCK_REALTIME, CLOCK_MONOTONIC) + monotonic_ns;
}

__u64 clock_wall_from_boot(__u64 boot_ns)
{
	/* the offset is kept while it moves less than a tick of /proc, and the result is cut to milliseconds, so that a
	 * process always has the same start */
	static __u64 kept; /* shared by all threads */
	__u64 fresh = ahead(CLOCK_REALTIME, CLOCK_BOOTTIME), offset = __atomic_load_n(&kept, __ATOMIC_RELAXED);
	__u64 moved = fresh > offset ? fresh - offset : offset - fresh;

	if (moved > CLOCK_SECOND / 100) {
		offset = fresh;
		__atomic_store_n(&kept, fresh, __ATOMIC_RELAXED);
	}
	return (offset + boot_ns) / CLOCK_MS * CLOCK_MS;
}

double clock_jiffy_ms(void)
{
	struct timespec tick;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return (double)tick.tv_nsec / 1e6;
}

void clock_format_utc(__u64 realtime_ns, char text[CLOCK_TEXT_LEN])
{
	time_t seconds = (time_t)(realtime_ns / CLOCK_SECOND);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, CLOCK_TEXT_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, CLOCK_TEXT_LEN - n, ".%09lluZ", realtime_ns % CLOCK_SECOND);
}

void clock_format_local(__u64 realtime_ns, char text[CLOCK_TEXT_LEN])
{
	time_t seconds = (time_t)(realtime_ns / CLOCK_SECOND);
	struct tm tm;
	size_t n;

	localtime_r(&seconds, &tm);
	n = strftime(text, CLOCK_TEXT_LEN, "%H:%M:%S", &tm);
	snprintf(text + n, CLOCK_TEXT_LEN - n, ".%03llu", realtime_ns % CLOCK_SECOND / CLOCK_MS);
}
