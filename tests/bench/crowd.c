/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * crowd N: makes N idle connections over the loopback of a network namespace of its own, prints "ready", and waits until
 * its standard input ends. It needs several processes, because of the limit of descriptors. Each client has one unread
 * byte.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EACH 20000 /* connections to one address: by default some 28,000 local ports are free */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fail("crowd: lo");
	close(fd);
}

static int listen_at(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)address, length) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)address, &length))
		fail("crowd: listen");
	return fd;
}

/* Makes one process's share, on an address of its own. */
static void connect_all(unsigned number, long count)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + number)};
	int listener = listen_at(&address), client, server;

	for (long i = 0; i < count; i++) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof(address)))
			fail("crowd: connect");
		server = accept(listener, NULL, NULL);
		if (server < 0 || send(server, "x", 1, 0) != 1)
			fail("crowd: accept");
	}
}

/* Each process closes its end of the pipe when it is done. */
static void wait_for_all(int ready)
{
	char byte;

	while (read(ready, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 0, share;
	struct rlimit limit;
	int ready[2];
	char byte;

	if (unshare(CLONE_NEWNET) || pipe(ready) || getrlimit(RLIMIT_NOFILE, &limit))
		fail("crowd: needs root");
	loopback_up();
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	share = (long)limit.rlim_max / 2 - 20;
	if (share > EACH)
		share = EACH;
	for (unsigned number = 0; count > 0; number++, count -= share) {
		if (fork())
			continue;
		close(ready[0]);
		connect_all(number, count < share ? count : share);
		close(ready[1]);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
		return 0;
	}
	close(ready[1]);
	wait_for_all(ready[0]);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
