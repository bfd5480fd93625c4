/* SPDX-License-Identifier: MIT-0 */
/*
 * How a program learns that the peer of one of its sockets is gone, without reading from the socket.
 *
 * peer_events_open()  opens a descriptor for poll(), on which `lostpeer agent` writes this user's events. It needs no
 *                     privilege, only a [subscribers] section in lostpeer.conf.
 * peer_events_next()  reads the next line, an event as in lostpeer-events(7): one flat JSON object.
 * field()             finds a value in the event. Quotes in strings are escaped, so it never finds a name in a string.
 * is_of()             tests whether the event is about a socket, by its cookie, which no other socket of this host ever
 *                     has. Before Linux 5.12 events have no cookie, so this compares the local port.
 *
 * The rest is a client of an echo server. It sends a line over each connection, reads the answer, and then does not
 * read any more. It prints the events and their delays as JSON: peer_events HOST PORT [CONNECTIONS [SOCKET]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET "/run/lostpeer/events.sock"
#define LINE_MAX_BYTES 65536 /* the longest event is shorter */
#define CONNECTIONS_MAX 1000

struct peer_events {
	int fd;
	size_t have;
	char bytes[LINE_MAX_BYTES];
};

/* options: filters as for `lostpeer watch`. Returns 0 or negative errno. */
static int peer_events_open(struct peer_events *e, const char *path, const char *options)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int error;

	e->have = 0;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return -errno;
	if (connect(e->fd, (struct sockaddr *)&at, sizeof(at))) {
		error = errno;
		close(e->fd);
		return -error;
	}
	/* If the agent refuses the subscriber, these fail, and the first line has the reason. */
	send(e->fd, options, strlen(options), MSG_NOSIGNAL);
	send(e->fd, "\n", 1, MSG_NOSIGNAL);
	return 0;
}

/* Waits for a line and returns it without its newline. The first line is {"subscribed":true,...} or {"error":...}.
 * Returns false if the agent has ended: connect again, and assume that events were missed. */
static bool peer_events_next(struct peer_events *e, char line[LINE_MAX_BYTES])
{
	char *end;
	ssize_t n;
	size_t length;

	while (!(end = memchr(e->bytes, '\n', e->have))) {
		n = read(e->fd, e->bytes + e->have, sizeof(e->bytes) - e->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		e->have += (size_t)n;
	}
	length = (size_t)(end - e->bytes);
	memcpy(line, e->bytes, length);
	line[length] = '\0';
	e->have -= length + 1;
	memmove(e->bytes, end + 1, e->have);
	return true;
}

/* The beginning of the value; NULL if the event has no such field. */
static const char *field(const char *line, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(line, key);
	return at ? at + strlen(key) : NULL;
}

/* Copies a string that is one of lostpeer's own words, which have no escapes. */
static bool word(const char *line, const char *name, char *to, size_t size)
{
	const char *at = field(line, name);
	size_t n;

	if (!at || *at++ != '"')
		return false;
	n = strcspn(at, "\"");
	if (n >= size)
		return false;
	memcpy(to, at, n);
	to[n] = '\0';
	return true;
}

static unsigned local_port(int fd)
{
	struct sockaddr_storage at;
	socklen_t length = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &length))
		return 0;
	return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					      : ((struct sockaddr_in *)&at)->sin_port);
}

static bool is_of(const char *line, int fd)
{
	const char *cookie = field(line, "tcp.cookie"), *port = field(line, "network.local.port");
	unsigned long long own = 0;
	socklen_t length = sizeof(own);

	if (!cookie)
		return port && strtoul(port, NULL, 10) == local_port(fd);
	return !getsockopt(fd, SOL_SOCKET, SO_COOKIE, &own, &length) && strtoull(cookie, NULL, 10) == own;
}

/* The time since the kernel saw the event. */
static double age_ms(const char *line)
{
	const char *at = field(line, "time");
	struct tm tm = {0};
	struct timespec now;
	const char *rest;

	clock_gettime(CLOCK_REALTIME, &now);
	rest = at ? strptime(at + 1, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!rest)
		return -1;
	return (double)(now.tv_sec - timegm(&tm)) * 1000 + (double)now.tv_nsec / 1e6 - strtod(rest, NULL) * 1000;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	return 1;
}

/* Only keepalive notices a peer that vanishes while nothing is sent; with these values after three seconds. */
static void ask_silent_peer(int fd)
{
	int on = 1, seconds = 1, probes = 2;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* Connects, sends a line and reads it back. Returns the socket, or -1. */
static int echo(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char answer[6];
	size_t have = 0;
	ssize_t n = 1;
	int fd;

	if (getaddrinfo(host, port, &hints, &found))
		return -1;
	fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
	ask_silent_peer(fd);
	if (fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) || send(fd, "hello\n", 6, MSG_NOSIGNAL) != 6)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	while (fd >= 0 && have < sizeof(answer) && n > 0) {
		n = recv(fd, answer + have, sizeof(answer) - have, 0);
		have += n > 0 ? (size_t)n : 0;
	}
	return fd;
}

static void print_event(const char *line, const int *fds, int n)
{
	double late = age_ms(line);
	char event[32] = "", cause[32] = "";
	int i = 0;

	word(line, "event", event, sizeof(event));
	word(line, "cause", cause, sizeof(cause));
	if (!strcmp(event, "events_lost")) {
		printf("{\"missed\": \"some\"}\n");
		return;
	}
	while (i < n && !is_of(line, fds[i]))
		i++;
	if (i < n)
		printf("{\"connection\": %d, \"event\": \"%s\", \"cause\": \"%s\", \"late_ms\": %.3f}\n", i, event,
		       cause, late);
	else
		printf("{\"connection\": null, \"event\": \"%s\", \"cause\": \"%s\", \"late_ms\": %.3f}\n", event,
		       cause, late);
}

int main(int argc, char **argv)
{
	static struct peer_events events;
	static char line[LINE_MAX_BYTES], options[128];
	static int fds[CONNECTIONS_MAX];
	int n = argc > 3 ? atoi(argv[3]) : 1, error;

	if (argc < 3 || n < 1 || n > CONNECTIONS_MAX)
		return fail("usage", "peer_events HOST PORT [CONNECTIONS [SOCKET]]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(options, sizeof(options), "--event peer_lost,peer_closed --peer-port %s", argv[2]);
	error = peer_events_open(&events, argc > 4 ? argv[4] : SOCKET, options);
	if (error)
		return fail("cannot subscribe", strerror(-error));
	if (!peer_events_next(&events, line) || !field(line, "subscribed"))
		return fail("cannot subscribe", line);
	printf("%s\n", line);
	for (int i = 0; i < n; i++) {
		fds[i] = echo(argv[1], argv[2]);
		if (fds[i] < 0)
			return fail(argv[1], "no echo");
	}
	printf("{\"connections\": [");
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? ", " : "", local_port(fds[i]));
	printf("]}\n");
	while (peer_events_next(&events, line))
		print_event(line, fds, n);
	return fail("lostpeer agent", "has ended");
}
