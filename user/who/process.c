/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "who/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define PF_EXITING 0x4 /* include/linux/sched.h */

struct stat_line {
	char state;
	unsigned flags;
	unsigned long long user_ticks, system_ticks;
	unsigned long long start_ticks; /* of USER_HZ, since boot */
};

/* Fields 3, 9, 14, 15 and 22 of /proc/PID/stat. The name before them may hold anything. */
static bool read_stat(int proc, struct stat_line *line)
{
	char text[1024], *field;
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
	return field &&
	       sscanf(field + 1, " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
		      &line->state, &line->flags, &line->user_ticks, &line->system_ticks, &line->start_ticks) == 5;
}

static __u64 tick_ns(void)
{
	return CLOCK_SECOND / (__u64)sysconf(_SC_CLK_TCK);
}

static bool started_at(int proc, __u64 start_boot_ns, struct stat_line *line)
{
	return read_stat(proc, line) && line->start_ticks == clock_proc_from_boot(start_boot_ns) / tick_ns();
}

static int open_process(const struct lp_task *task)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/%u", task->tgid);
	return open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

enum process_state process_state(const struct lp_task *task, __u64 *ran_ns)
{
	int proc = open_process(task);
	struct stat_line line;
	bool lives = proc >= 0 && started_at(proc, task->start_boot_ns, &line) && !(line.flags & PF_EXITING);

	if (proc >= 0)
		close(proc);
	if (!lives)
		return PROCESS_OVER;
	*ran_ns = (line.user_ticks + line.system_ticks) * tick_ns();
	return line.state == 'S' ? PROCESS_ASLEEP : PROCESS_AWAKE;
}

bool process_lives(const struct lp_task *task)
{
	__u64 ran_ns;

	return process_state(task, &ran_ns) != PROCESS_OVER;
}

void process_executable(const struct lp_task *task, char path[PATH_MAX])
{
	int proc = open_process(task);
	struct stat_line line;
	ssize_t n;

	path[0] = '\0';
	if (proc < 0)
		return;
	n = readlinkat(proc, "exe", path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	/* after the link is read: the check then covers a pid that was reused meanwhile */
	if (*path && !started_at(proc, task->start_boot_ns, &line))
		path[0] = '\0';
	close(proc);
}

/* From /proc/PID/status: the file's own uid is root's if the process has changed its privileges. */
static bool read_user(int proc, __u32 *uid)
{
	char text[1024], *field;
	int fd = openat(proc, "status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	field = strstr(text, "\nUid:"); /* the kernel escapes a newline in the process's name */
	return field && sscanf(field + 5, " %*u %u", uid) == 1;
}

__u32 process_user(const struct lp_task *task)
{
	__u32 now, uid = task->uid;
	int proc = open_process(task);
	struct stat_line line;

	if (proc < 0)
		return uid;
	/* the start is checked last, because the pid may be reused meanwhile */
	if (read_user(proc, &now) && started_at(proc, task->start_boot_ns, &line))
		uid = now;
	close(proc);
	return uid;
}

/* The name of the thread group's leader; it may contain any bytes. */
static void read_comm(int proc, char comm[LP_COMM_LEN])
{
	int fd = openat(proc, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, comm, LP_COMM_LEN) : 0;

	if (fd >= 0)
		close(fd);
	n = n > 0 && comm[n - 1] == '\n' ? n - 1 : n;
	n = n < LP_COMM_LEN ? n : LP_COMM_LEN - 1;
	memset(comm + (n > 0 ? n : 0), 0, LP_COMM_LEN - (size_t)(n > 0 ? n : 0));
}

bool process_read(__u32 pid, struct lp_task *task)
{
	int proc;
	struct stat_line line;
	struct stat st;
	bool found;

	*task = (struct lp_task){.tgid = pid};
	proc = open_process(task);
	found = proc >= 0 && read_stat(proc, &line) && !fstat(proc, &st);
	if (found) {
		task->start_boot_ns = clock_boot_from_proc(line.start_ticks * tick_ns());
		task->uid = st.st_uid;
		read_comm(proc, task->comm);
	}
	if (proc >= 0)
		close(proc);
	return found;
}
