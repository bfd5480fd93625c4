/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/self_usage.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* proc_pid_stat(5): 14 utime, 15 stime, 22 starttime, 24 rss. */
static const char fields[] =
	"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
	"%llu %*u %llu";

int self_usage_read(struct self_usage *usage)
{
	unsigned long long user, kernel, start, pages, second = (unsigned long long)sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/self/stat", "re");
	int n;

	if (!file)
		return -errno;
	n = fscanf(file, fields, &user, &kernel, &start, &pages);
	fclose(file);
	if (n != 4)
		return -EPROTO;
	usage->cpu_seconds = (double)(user + kernel) / (double)second;
	usage->resident_bytes = pages * (unsigned long long)sysconf(_SC_PAGESIZE);
	usage->start_ns = clock_wall_from_boot(clock_boot_from_proc(start * (CLOCK_SECOND / second)));
	return 0;
}
