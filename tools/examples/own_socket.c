/* SPDX-License-Identifier: MIT-0 */
/*
 * How a program checks whether the peer of its own socket is still there, without disturbing the socket.
 *
 *   cc -o own_socket own_socket.c && ./own_socket N [PROGRAM]
 *
 * checks the inherited descriptor N in four ways and prints a line for each:
 *
 * lostpeer  `lostpeer check --pid PID --fd N --json`: all that the kernel knows of the connection, in one object.
 *           It shows a pending error without clearing it; unread, unacknowledged and unsent data; for how long the peer
 *           has been silent; whether keepalive would notice; about when the kernel gives up. It starts a process, which
 *           takes some 50 ms, so do not use it for every request. Without CAP_BPF it shows neither a pending error nor
 *           when the kernel gives up, and exits with 3 if that leaves the answer open.
 * kernel    TCP_INFO: the same state, timers and counters, in a microsecond. It does not show a pending error. SO_ERROR
 *           does, but clears it: the application's next call does not fail any more.
 * poll      POLLERR: an error is pending (but not which one). POLLRDHUP: the peer has closed its half. POLLHUP: both
 *           halves are closed. poll() does not notice a peer that is merely silent.
 * peek      recv(MSG_PEEK | MSG_DONTWAIT): 0 means that the peer has closed and all data was read. Like any recv() it
 *           clears an error. It does not see a FIN behind unread data.
 *
 * None of these notices a peer that vanished while nothing was sent: only data or keepalive can.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Prints the object. Returns lostpeer's exit status: 0 the peer is there, 1 it is lost, 3 lostpeer cannot see it; or
 * a negative number. */
static int ask_lostpeer(int fd, const char *program)
{
	char pid[16], number[16];
	int status;
	pid_t child;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(number, sizeof(number), "%d", fd);
	printf("lostpeer ");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		execlp(program, program, "check", "--pid", pid, "--fd", number, "--json", (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int ask_kernel(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	unsigned silent;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return -1;
	silent =
		info.tcpi_last_ack_recv < info.tcpi_last_data_recv ? info.tcpi_last_ack_recv : info.tcpi_last_data_recv;
	printf("kernel state=%d retransmission=%d probes=%d unacked=%u silent_ms=%u\n", info.tcpi_state,
	       info.tcpi_retransmits, info.tcpi_probes, info.tcpi_unacked, silent);
	return 0;
}

static int ask_poll(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLRDHUP};

	if (poll(&one, 1, 0) < 0)
		return -1;
	printf("poll error=%d peer_closed=%d over=%d\n", !!(one.revents & POLLERR), !!(one.revents & POLLRDHUP),
	       !!(one.revents & POLLHUP));
	return 0;
}

static void ask_peek(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		printf("peek %s\n", strerror(errno));
	else
		printf("peek %s\n", n < 0 ? "nothing" : n ? "data" : "end");
}

int main(int argc, char **argv)
{
	int fd, status;

	if (argc < 2) {
		fprintf(stderr, "usage: own_socket N [PROGRAM]\n");
		return 2;
	}
	fd = atoi(argv[1]);
	status = ask_lostpeer(fd, argc > 2 ? argv[2] : "lostpeer");
	if (status < 0 || status == 2 || status == 127)
		return 2;
	if (status == 3)
		printf("not seen\n");
	if (ask_kernel(fd) || ask_poll(fd)) {
		perror("own_socket");
		return 2;
	}
	ask_peek(fd); /* last, because it may clear an error */
	return status;
}
