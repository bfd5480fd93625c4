/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/end.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "demo/row.h"

const char *end_error_name(int err)
{
	return (err ? strerrorname_np(err) : NULL) ?: "errno 0";
}

__u64 end_deadline(void)
{
	return clock_monotonic_ns() + END_PATIENCE_MS * CLOCK_MS;
}

bool end_wait(__u64 deadline)
{
	nanosleep(&(struct timespec){.tv_nsec = 2 * CLOCK_MS}, NULL);
	return clock_monotonic_ns() < deadline;
}

pid_t end_owner(const struct end *self)
{
	return self->child ? self->child : self->pid;
}

int end_enter(const struct end *other)
{
	char path[64];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

const char *end_address(const struct end *self)
{
	return self->side == A ? DEMO_ADDRESS_A : DEMO_ADDRESS_B;
}

void end_note(struct end *self, const char *what)
{
	size_t used = strlen(self->truth);

	snprintf(self->truth + used, sizeof(self->truth) - used, "%s%s", used ? ", " : "", what);
}

int end_fail(struct end *self, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(self->problem, sizeof(self->problem), format, args);
	va_end(args);
	return STEP_FAILED;
}

int end_saw(struct end *self, const struct step *step, const char *call, int err)
{
	char what[64];

	if (err)
		snprintf(what, sizeof(what), "%s said %s", call, end_error_name(err));
	else
		snprintf(what, sizeof(what), "%s said end of file", call);
	end_note(self, what);
	if (err)
		self->error = err;
	if (err == step->want)
		return STEP_DONE;
	return end_fail(self, "%s, not %s", what, step->want ? end_error_name(step->want) : "end of file");
}

/* Runs the steps whose indexes come from the director, until the director ends. */
static void end_serve(struct end *self, const struct row *row, int sock)
{
	int index;

	while (read(sock, &index, sizeof(index)) == sizeof(index)) {
		const struct step *step = row_step(row, (size_t)index);
		int result;

		self->problem[0] = '\0';
		result = step->run(self, step);
		if (result == STEP_DONE && step->did)
			end_note(self, step->did);
		if (write(sock, &result, sizeof(result)) != sizeof(result))
			break;
	}
}

static void end_main(struct end *self, const struct row *row, int sock, pid_t director)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, self->side == A ? "demo-a" : "demo-b");
	/* However the director ends, its ends die too, and so do their namespaces. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != director)
		_exit(1);
	self->pid = getpid();
	end_serve(self, row, sock);
	_exit(0);
}

int end_start(struct end *self, const struct row *row, int *sock)
{
	pid_t director = getpid();
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = errno;

		close(pair[0]);
		close(pair[1]);
		return -err;
	}
	if (!pid) {
		close(pair[0]);
		end_main(self, row, pair[1], director);
	}
	close(pair[1]);
	self->pid = pid;
	*sock = pair[0];
	return 0;
}

/* Retries for a second: the children in the cgroup die after this end. */
static void remove_cgroup(struct end *self)
{
	__u64 deadline = clock_monotonic_ns() + CLOCK_SECOND;
	char *slash;

	while (*self->cgroup && rmdir(self->cgroup) && errno == EBUSY && end_wait(deadline))
		;
	slash = strrchr(self->cgroup, '/');
	if (!slash)
		return;
	*slash = '\0';
	rmdir(self->cgroup);
	*self->cgroup = '\0';
}

void end_stop(struct end *self)
{
	if (self->pid <= 0)
		return;
	kill(self->pid, SIGKILL);
	while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR)
		;
	self->pid = 0;
	remove_cgroup(self);
}
