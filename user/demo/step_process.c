/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/step.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "who/cgroups.h"
#include "demo/end.h"

int step_join(struct end *self, const struct step *step)
{
	int err = end_enter(self->peer);

	(void)step;
	if (err)
		return end_fail(self, "cannot join the other end's namespace: %s", strerror(-err));
	self->netns = self->peer->netns;
	return STEP_DONE;
}

static int skip(struct end *self, const char *what)
{
	end_fail(self, "%s: %s", what, strerror(errno));
	return STEP_SKIP;
}

/* Makes and enters /lostpeer-demo-PID.slice/demo-shop.service in the hierarchy that systemd names units in. */
int step_live_in_unit(struct end *self, const struct step *step)
{
	struct cgroups *cgroups = cgroups_new();
	const char *mount = cgroups ? cgroups_mount(cgroups) : NULL;
	char path[sizeof(self->cgroup)], procs[sizeof(path) + 16], pid[16];
	size_t slice = 0;
	int fd, result = STEP_DONE;

	(void)step;
	if (mount) {
		slice = (size_t)snprintf(path, sizeof(path), "%.128s/lostpeer-demo-%d.slice", mount, (int)self->pid);
		mkdir(path, 0755);
		snprintf(path + slice, sizeof(path) - slice, "/%s", DEMO_UNIT);
	}
	cgroups_free(cgroups);
	if (!slice || mkdir(path, 0755) < 0)
		return slice ? skip(self, path)
			     : (errno = ENOENT, skip(self, "no cgroup hierarchy tells of units here"));
	memcpy(self->cgroup, path, sizeof(path));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pid, strlen(pid)) < 0)
		result = skip(self, procs);
	if (fd >= 0)
		close(fd);
	return result;
}

/* Forks a child that dies with this process. */
static pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent && getppid()) /* 0: the parent is in another pid namespace */
			_exit(1);
	}
	return pid;
}

int step_fork_holders(struct end *self, const struct step *step)
{
	(void)step;
	for (int i = 0; i < DEMO_HOLDERS; i++) {
		pid_t pid = fork_bound();

		if (pid < 0)
			return end_fail(self, "fork: %s", strerror(errno));
		if (!pid)
			for (;;)
				pause();
		self->holders[i] = pid;
	}
	return STEP_DONE;
}

/* From here on the child runs the steps and holds everything that this process held. When the child has died, this
 * process goes on: the result that it returns here is the result of the step in which the child died. */
int step_go_on_as_child(struct end *self, const struct step *step)
{
	int known[2], status;
	pid_t pid;
	char c;

	if (step->arg && unshare(CLONE_NEWPID) < 0)
		return end_fail(self, "cannot make a pid namespace: %s", strerror(errno));
	if (pipe2(known, O_CLOEXEC) < 0)
		return end_fail(self, "pipe: %s", strerror(errno));
	pid = fork_bound();
	if (pid < 0)
		return end_fail(self, "fork: %s", strerror(errno));
	if (!pid) { /* waits until self->child has its pid */
		close(known[1]);
		if (read(known[0], &c, 1) < 0)
			_exit(1);
		close(known[0]);
		return STEP_DONE;
	}
	self->child = pid;
	close(known[0]);
	if (self->fd >= 0)
		close(self->fd);
	if (self->listener >= 0)
		close(self->listener);
	close(known[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? STEP_DONE
								  : end_fail(self, "the child did not die of SIGKILL");
}

int step_die(struct end *self, const struct step *step)
{
	(void)step;
	end_note(self, "died of SIGKILL");
	kill(getpid(), SIGKILL);
	return end_fail(self, "survived SIGKILL");
}
