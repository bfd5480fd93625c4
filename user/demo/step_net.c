/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "demo/end.h"
#include "demo/sock.h"

#define LINK "peer0" /* the name of the link in both namespaces */

extern char **environ;

static int broken(struct end *self, const char *what, int err)
{
	end_fail(self, "%s: %s", what, strerror(err));
	return STEP_BROKEN;
}

int step_unshare(struct end *self, const struct step *step)
{
	struct stat ns;

	(void)step;
	if (unshare(CLONE_NEWNET) < 0)
		return broken(self, "cannot make a network namespace", errno);
	if (stat("/proc/self/ns/net", &ns) < 0)
		return broken(self, "/proc/self/ns/net", errno);
	self->netns = (uint32_t)ns.st_ino;
	return STEP_DONE;
}

/* Runs `ip -batch -` on the lines in this namespace. ip prints its own errors. */
static int ip_run(struct end *self, const char *lines)
{
	char *const argv[] = {"ip", "-batch", "-", NULL};
	posix_spawn_file_actions_t actions;
	int fd, err, status = -1;
	pid_t pid;

	fd = memfd_create("ip", MFD_CLOEXEC);
	if (fd < 0 || write(fd, lines, strlen(lines)) != (ssize_t)strlen(lines) || lseek(fd, 0, SEEK_SET) < 0)
		return broken(self, "memfd", errno);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fd);
	if (err)
		return broken(self, "cannot run ip (Debian: package iproute2)", err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status) {
		end_fail(self, "ip could not: %.*s", (int)strcspn(lines, "\n"), lines);
		return STEP_BROKEN;
	}
	return STEP_DONE;
}

int step_ip(struct end *self, const struct step *step)
{
	char line[128];

	snprintf(line, sizeof(line), "%s\n", step->text);
	return ip_run(self, line);
}

int step_make_link(struct end *self, const struct step *step)
{
	char lines[128];

	snprintf(lines, sizeof(lines), "link add " LINK " type veth peer name " LINK " netns %d\n",
		 (int)self->peer->pid);
	return ip_run(self, lines) ?: step_raise_link(self, step);
}

/* The loopback too: an ICMP error about our own packets (no answer from a neighbour) comes through it. */
int step_raise_link(struct end *self, const struct step *step)
{
	char lines[128];

	(void)step;
	snprintf(lines, sizeof(lines), "addr add %s/24 dev " LINK "\nlink set " LINK " up\nlink set lo up\n",
		 end_address(self));
	return ip_run(self, lines);
}

/* A link that has just been raised may still drop packets. So this sends datagrams to a port where nobody listens until
 * the other end's kernel refuses one: then both directions work, and both ends know their neighbour. */
int step_meet(struct end *self, const struct step *step)
{
	struct sockaddr_in address = sock_address(end_address(self->peer), DEMO_PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	__u64 deadline = end_deadline();
	int result = STEP_BROKEN;

	(void)step;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		result = broken(self, "cannot reach the other end", errno);
		goto out;
	}
	do {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};

		if (send(fd, "?", 1, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
			goto met;
		if (poll(&pfd, 1, 20) == 1 && recv(fd, &(char){0}, 1, 0) < 0 && errno == ECONNREFUSED)
			goto met;
	} while (end_wait(deadline));
	end_fail(self, "the other end does not answer");
	goto out;
met:
	result = STEP_DONE;
out:
	close(fd);
	return result;
}

int step_sysctl(struct end *self, const struct step *step)
{
	size_t name = strcspn(step->text, "=");
	const char *value = step->text + name + 1;
	char path[128];
	ssize_t n;
	int fd;

	/* /proc/sys/net shows the namespace of the process that opens it. */
	snprintf(path, sizeof(path), "/proc/sys/net/%.*s", (int)name, step->text);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return step->arg && errno == ENOENT ? STEP_DONE : broken(self, path, errno);
	n = write(fd, value, strlen(value));
	if (n < 0)
		broken(self, path, errno);
	close(fd);
	return n < 0 ? STEP_BROKEN : STEP_DONE;
}

/* The states from which a closed socket ends by itself, as /proc/net/tcp numbers them. */
static bool is_ending(unsigned int state)
{
	return state == 0x04 || state == 0x09 || state == 0x0b; /* FIN_WAIT1, LAST_ACK, CLOSING */
}

static bool is_settled(void)
{
	FILE *file = fopen("/proc/self/net/tcp", "re");
	unsigned int local_port, peer_port, state;
	bool settled = true;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %*x:%x %*x:%x %x", &local_port, &peer_port, &state) == 3 &&
		    (local_port == DEMO_PORT || peer_port == DEMO_PORT) && is_ending(state))
			settled = false;
	if (file)
		fclose(file);
	return settled;
}

int step_settle(struct end *self, const struct step *step)
{
	__u64 deadline = end_deadline();

	(void)step;
	do {
		if (is_settled())
			return STEP_DONE;
	} while (end_wait(deadline));
	return end_fail(self, "a socket that was closed never ended");
}
