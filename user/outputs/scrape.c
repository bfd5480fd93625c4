/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "outputs/scrape.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/listener.h"
#include "base/thread.h"

#define CONNECTIONS_MAX 8  /* a few servers and somebody with curl */
#define SLOTS 64           /* connections in the library; those above CONNECTIONS_MAX are being closed */
#define IDLE_SECONDS 10    /* without a byte in either direction */
#define REQUEST_BYTES 8192 /* per connection: its request and the header of the answer */
#define PER_SECOND 20      /* answers; further requests wait */

struct connection {
	int fd; /* -1: no connection */
	bool shut;
	__u64 began_ns;
};

struct scrape {
	struct MHD_Daemon *daemon;
	struct endpoint at;
	int listener;
	bool closing;
	scrape_write *write;
	void *context;
	struct scrape *next;

	/* the thread's own */
	struct connection connections[SLOTS];
	__u64 second_ns; /* CLOCK_MONOTONIC: the beginning of the second that `answers` counts */
	unsigned answers;
};

static struct scrape *all; /* the open ones; the main thread's own */

/* --- the thread --- */

static void pace(struct scrape *s)
{
	static const struct timespec share = {.tv_nsec = (long)(CLOCK_SECOND / PER_SECOND)};
	__u64 now = clock_monotonic_ns();

	if (now - s->second_ns >= CLOCK_SECOND) {
		s->second_ns = now;
		s->answers = 0;
	}
	if (s->answers++ >= PER_SECOND)
		nanosleep(&share, NULL);
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	/* keep no connection open: with a scrape every 15 s a new one costs no more */
	MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status, const char *words)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(words), (void *)words, MHD_RESPMEM_PERSISTENT);

	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	return answer(connection, status, response);
}

static enum MHD_Result answer_metrics(struct scrape *s, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	char *text = NULL;
	size_t length = 0;
	FILE *to;

	pace(s);
	to = open_memstream(&text, &length);
	if (!to)
		return MHD_NO;
	s->write(s->context, to, &s->closing);
	if (fclose(to)) {
		free(text);
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	else
		MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	return answer(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_size, void **state)
{
	(void)version;
	(void)data;
	(void)data_size;
	(void)state;
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (strcmp(url, "/metrics"))
		return answer_words(connection, MHD_HTTP_NOT_FOUND, "lostpeer's metrics are at /metrics\n");
	return answer_metrics(context, connection);
}

/* If there are too many, shuts down the oldest connection that is still open. The library then closes it. */
static void make_room(struct scrape *s)
{
	struct connection *oldest = NULL;
	unsigned n = 0;

	for (struct connection *c = s->connections; c < s->connections + SLOTS; c++) {
		if (c->fd < 0 || c->shut)
			continue;
		n++;
		if (!oldest || c->began_ns < oldest->began_ns)
			oldest = c;
	}
	if (n < CONNECTIONS_MAX)
		return;
	oldest->shut = true;
	shutdown(oldest->fd, SHUT_RDWR);
}

static void begin(struct scrape *s, int fd, void **slot)
{
	make_room(s);
	for (struct connection *c = s->connections; c < s->connections + SLOTS; c++)
		if (c->fd < 0) {
			*c = (struct connection){.fd = fd, .began_ns = clock_monotonic_ns()};
			*slot = c;
			return;
		}
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		begin(context, info->connect_fd, slot);
	} else if (*slot) {
		((struct connection *)*slot)->fd = -1;
	}
}

/* --- beginning and end, in the main thread --- */

static struct scrape *find_there(const struct endpoint *at)
{
	struct scrape *s = all;

	while (s && (s->at.length != at->length || memcmp(&s->at.address, &at->address, at->length)))
		s = s->next;
	return s;
}

static int start(struct scrape *s)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC;
	sigset_t before;

	thread_mask(&before);
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listener,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)SLOTS, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
	thread_unmask(&before);
	return s->daemon ? 0 : -EIO;
}

int scrape_open(struct scrape **scrape, const struct endpoint *at, scrape_write *write, void *context)
{
	struct scrape *there = find_there(at), *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	*s = (struct scrape){.at = *at, .write = write, .context = context};
	for (unsigned i = 0; i < SLOTS; i++)
		s->connections[i].fd = -1;
	s->listener = there ? fcntl(there->listener, F_DUPFD_CLOEXEC, 0) : listener_open(at, 0660);
	if (s->listener < 0) {
		err = there ? -errno : s->listener;
		free(s);
		return err;
	}
	err = start(s);
	if (err) {
		close(s->listener);
		free(s);
		return err;
	}
	s->next = all;
	all = s;
	*scrape = s;
	return 0;
}

void scrape_close(struct scrape *s)
{
	struct scrape **from = &all;
	int listener =
		MHD_quiesce_daemon(s->daemon); /* take it back, or the library would shut it down for both daemons */

	__atomic_store_n(&s->closing, true, __ATOMIC_RELAXED);
	MHD_stop_daemon(s->daemon);
	close(listener);
	while (*from != s)
		from = &(*from)->next;
	*from = s->next;
	if (*endpoint_path(&s->at) && !find_there(&s->at))
		unlink(endpoint_path(&s->at));
	free(s);
}
