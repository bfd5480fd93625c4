/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/say.h"

int tracefs_probe(void)
{
	static const char *const ids[] = {
		"/sys/kernel/tracing/events/syscalls/sys_enter_connect/id",
		"/sys/kernel/debug/tracing/events/syscalls/sys_enter_connect/id",
	};
	int err = -ENOENT;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		if (!faccessat(AT_FDCWD, ids[i], R_OK, AT_EACCESS))
			return 0;
		if (errno != ENOENT)
			err = -errno;
	}
	return err;
}

/* *home: the mount namespace to go back to. */
int tracefs_enter(int *home)
{
	int err = tracefs_probe();

	*home = -1;
	if (err == -EACCES)
		return say(err,
			   "--connect-hook and --accept-hook cannot read tracefs (/sys/kernel/tracing): run as root, "
			   "or with CAP_DAC_READ_SEARCH");
	if (!err)
		return 0;
	*home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (*home < 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) || tracefs_probe())
		return say(-ENOENT,
			   "--connect-hook and --accept-hook need tracefs mounted on /sys/kernel/tracing, and "
			   "CONFIG_FTRACE_SYSCALLS; mounting it failed: %s",
			   strerror(errno));
	return 0;
}

void tracefs_leave(int home)
{
	if (home < 0)
		return;
	if (setns(home, CLONE_NEWNS))
		say(-errno, "cannot return to the host's mount namespace: %s", strerror(errno));
	close(home);
}
