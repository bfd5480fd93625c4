/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Field 22 of /proc/PID/stat: its start, in ticks of USER_HZ since boot. The name before it may hold anything. */
static bool started_at(int proc, __u64 start_boot_ns)
{
	char text[1024], *field;
	unsigned long long ticks;
	int fd = openat(proc, "stat", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	field = strrchr(text, ')');
	if (!field || sscanf(field + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			     &ticks) != 1)
		return false;
	return ticks == start_boot_ns / (1000000000ULL / (__u64)sysconf(_SC_CLK_TCK));
}

void process_executable(const struct lp_task *task, char path[PATH_MAX])
{
	char name[32];
	ssize_t n;
	int proc;

	path[0] = '\0';
	snprintf(name, sizeof(name), "/proc/%u", task->tgid);
	proc = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return;
	n = readlinkat(proc, "exe", path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	/* looked at after the link: had the process changed in between, this would tell */
	if (*path && !started_at(proc, task->start_boot_ns))
		path[0] = '\0';
	close(proc);
}
