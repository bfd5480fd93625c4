// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cycle order|reset|bare|call COUNT CPU [stats]: makes COUNT connections, one after the other, only on CPU, in a network
 * namespace of its own. Prints a line for each slice of them: the mean CPU nanoseconds of one connection.
 *
 * order: a whole connection of two processes: connect, accept4, a request, an answer of 1,000 bytes, the client's close,
 *        the server's end of file and its close. Each side sleeps until the other has done its part.
 * reset: the same, but the client's close sends a RST (SO_LINGER 0).
 * bare:  the smallest connection: one process has both ends and sends one byte, and nothing sleeps.
 * call:  no connection, but CALLS cheap system calls.
 * stats: the kernel counts the time of every BPF program meanwhile.
 *
 * Everything, including softirqs, runs in these processes, because the loopback device delivers a packet before the
 * system call that sent it returns. Slices are short, so that nothing else on the machine disturbs some of them.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLICE 20      /* connections, in less than half a millisecond */
#define WARM_UP 8     /* one in so many is made before, unmeasured */
#define CALLS 200     /* system calls that count as one connection */
#define ADDRESSES 250 /* of the peer, in turn, so that TIME_WAIT does not use up the ports of one */

struct host {
	int listener;
	struct sockaddr_in address;
};

static void fail(const char *what)
{
	fprintf(stderr, "cycle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

/* The descriptor stays open, so the kernel counts until this process ends. */
static void count_programs(void)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};

	if (syscall(SYS_bpf, BPF_ENABLE_STATS, &attr, sizeof(attr)) < 0)
		fail("BPF_ENABLE_STATS");
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("unshare");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fail("loopback");
	close(fd);
}

static struct host host_open(void)
{
	struct host host = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	socklen_t size = sizeof(host.address);

	host.address.sin_family = AF_INET;
	if (host.listener < 0 || bind(host.listener, (struct sockaddr *)&host.address, size) ||
	    listen(host.listener, 8) || getsockname(host.listener, (struct sockaddr *)&host.address, &size))
		fail("listener");
	return host;
}

static int connect_next(struct host *host)
{
	static uint32_t turn;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	host->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % ADDRESSES);
	if (client < 0 || connect(client, (struct sockaddr *)&host->address, sizeof(host->address)))
		fail("connect");
	return client;
}

/* The server's process, until it is killed. */
static void serve(struct host *host)
{
	char request[100], answer[1000] = "";
	int server;

	for (;;) {
		server = accept4(host->listener, NULL, NULL, SOCK_CLOEXEC);
		if (server < 0)
			fail("accept4");
		if (recv(server, request, sizeof(request), MSG_WAITALL) != sizeof(request) ||
		    send(server, answer, sizeof(answer), 0) != sizeof(answer))
			fail("serve");
		if (recv(server, request, 1, 0) > 0) /* 0, or ECONNRESET */
			fail("end of file");
		close(server);
	}
}

static void whole_cycle(struct host *host, bool reset)
{
	static const struct linger abort_at_once = {.l_onoff = 1};
	char request[100] = "", answer[1000];
	int client = connect_next(host);

	if (send(client, request, sizeof(request), 0) != sizeof(request) ||
	    recv(client, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		fail("request");
	if (reset && setsockopt(client, SOL_SOCKET, SO_LINGER, &abort_at_once, sizeof(abort_at_once)))
		fail("SO_LINGER");
	close(client);
}

static void bare_cycle(struct host *host)
{
	char byte = 0;
	int client = connect_next(host), server;

	server = accept4(host->listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		fail("accept4");
	if (send(client, &byte, 1, 0) != 1 || recv(server, &byte, 1, 0) != 1)
		fail("one byte");
	close(client);
	close(server);
}

/* getppid(), because the C library does not cache its result. */
static void calls_cycle(void)
{
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
}

/* Of this process and of the server, if there is one. */
static uint64_t cpu_ns(pid_t server)
{
	uint64_t ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	clockid_t clock;

	if (server && clock_getcpuclockid(server, &clock))
		fail("clock_getcpuclockid");
	return server ? ns + clock_ns(clock) : ns;
}

static void cycle(struct host *host, const char *kind)
{
	if (!strcmp(kind, "call"))
		calls_cycle();
	else if (!strcmp(kind, "bare"))
		bare_cycle(host);
	else
		whole_cycle(host, !strcmp(kind, "reset"));
}

static void measure(struct host *host, pid_t server, const char *kind, int slices)
{
	double *each = calloc((size_t)slices, sizeof(*each));
	uint64_t began;

	if (!each)
		fail("calloc");
	for (int i = 0; i < slices * SLICE / WARM_UP; i++)
		cycle(host, kind);
	for (int slice = 0; slice < slices; slice++) {
		began = cpu_ns(server);
		for (int i = 0; i < SLICE; i++)
			cycle(host, kind);
		each[slice] = (double)(cpu_ns(server) - began) / SLICE;
	}
	for (int slice = 0; slice < slices; slice++)
		printf("%.1f\n", each[slice]);
	free(each);
}

static bool is_kind(const char *word)
{
	return !strcmp(word, "order") || !strcmp(word, "reset") || !strcmp(word, "bare") || !strcmp(word, "call");
}

int main(int argc, char **argv)
{
	struct host host;
	pid_t server = 0;
	int slices;

	if (argc < 4 || !is_kind(argv[1])) {
		fprintf(stderr, "usage: cycle order|reset|bare|call COUNT CPU [stats]\n");
		return 2;
	}
	slices = atoi(argv[2]) / SLICE;
	pin(atoi(argv[3]));
	if (argc > 4)
		count_programs();
	loopback_up();
	host = host_open();
	if (!strcmp(argv[1], "order") || !strcmp(argv[1], "reset")) {
		server = fork();
		if (server < 0)
			fail("fork");
		if (!server) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(&host);
		}
	}
	measure(&host, server, argv[1], slices > 0 ? slices : 1);
	if (server) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	return 0;
}
